// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvirt writes down what it must find again when it is restarted (its
 * src/qemu/qemu_domain.c, qemuDomainObjPrivateXMLFormatVcpus()), and replaces the file
 * whole whenever a vCPU comes or goes. It learned the threads from the monitor, which is
 * its alone. vCPUs bear libvirt's numbers: those of virsh and of the groups vcpuN, which
 * after a hotplug need not be QEMU's.
 *
 * The file is root's, but whoever may define a VM puts XML of his own into it, below
 * <metadata>. So it is read as a stream, of which nothing is kept; only what is in its
 * place, seen from the root, counts; a document type, which libvirt never writes and
 * which entities need, ends it before it is looked into; and since the library compares
 * each attribute of an element with all the others, `=` are counted before it sees them.
 */
#include "user/host/libvirt.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"
#include "user/host/qemu_args.h"
#include "user/model/vm.h"

enum {
	EQUALS_MAX = 1000, /* from one `<` to the next; libvirt's elements have few */
	PARSE_OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
			XML_PARSE_IGNORE_ENC,
};

struct reading {
	xmlParserCtxt *parser;
	struct libvirt_answer answer;
	unsigned int depth;
	bool within_vcpus; /* the last element of the first level is <vcpus> */
	bool index_seen[VCPUS_MAX];
	int r; /* of the callbacks */
	struct problem *problem;
};

void libvirt_answer_deinit(struct libvirt_answer *answer)
{
	free(answer->vcpus);
	*answer = (struct libvirt_answer){0};
}

static void reading_deinit(struct reading *reading)
{
	xmlFreeParserCtxt(reading->parser);
	libvirt_answer_deinit(&reading->answer);
}

/* ---- text ---- */

/* attributes: names and values in turn, NULL: none. */
static bool get_number(
	const xmlChar **attributes, const char *name, uint64_t max, int *ret_value)
{
	uint64_t number;

	for (; attributes && attributes[0]; attributes += 2) {
		if (strcmp((const char *)attributes[0], name) != 0)
			continue;
		if (!attributes[1] ||
			parse_u64((const char *)attributes[1], max, &number))
			return false;
		*ret_value = (int)number;
		return true;
	}
	return false;
}

static const char *get_text(const xmlChar **attributes, const char *name)
{
	for (; attributes && attributes[0]; attributes += 2)
		if (!strcmp((const char *)attributes[0], name) && attributes[1])
			return (const char *)attributes[1];
	return "";
}

/* Its qemuProcessReconnect() asks the same of those that it finds when it comes back. */
static bool is_starting(const xmlChar **attributes)
{
	const char *state = get_text(attributes, "state");

	return !strcmp(state, "shutoff") ||
	       (!strcmp(state, "paused") &&
		       !strcmp(get_text(attributes, "reason"), "starting up"));
}

static int read_root(
	struct reading *reading, const char *name, const xmlChar **attributes)
{
	if (strcmp(name, "domstatus") != 0)
		return problem_set(reading->problem, -EBADMSG, "it is no <domstatus>");
	if (!get_number(attributes, "pid", PID_MAX, &reading->answer.pid) ||
		!reading->answer.pid)
		return problem_set(reading->problem, -EBADMSG, "it has no valid pid");
	reading->answer.starting = is_starting(attributes);
	return 0;
}

static int read_vcpu(struct reading *reading, const xmlChar **attributes)
{
	struct libvirt_answer *answer = &reading->answer;
	struct problem *problem = reading->problem;
	struct told_vcpu vcpu = {0}, *slot;

	if (!get_number(attributes, "id", VCPUS_MAX - 1, &vcpu.index))
		return problem_set(problem, -EBADMSG, "a vCPU has no valid id");
	if (!get_number(attributes, "pid", PID_MAX, &vcpu.tid) || !vcpu.tid)
		return problem_set(
			problem, -EBADMSG, "vCPU %d has no valid pid", vcpu.index);
	if (reading->index_seen[vcpu.index])
		return problem_set(
			problem, -EBADMSG, "vCPU %d is named twice", vcpu.index);
	slot = array_push(&answer->vcpus, &answer->n_vcpus);
	if (!slot)
		return problem_nomem(problem);
	reading->index_seen[vcpu.index] = true;
	*slot = vcpu;
	return 0;
}

static void on_element(void *data, const xmlChar *qname, const xmlChar **attributes)
{
	const char *name = (const char *)qname;
	struct reading *reading = data;
	unsigned int depth = reading->depth++;

	if (reading->r)
		return;
	if (depth == 0)
		reading->r = read_root(reading, name, attributes);
	else if (depth == 1)
		reading->within_vcpus = !strcmp(name, "vcpus");
	else if (depth == 2 && reading->within_vcpus && !strcmp(name, "vcpu"))
		reading->r = read_vcpu(reading, attributes);
	if (reading->r)
		xmlStopParser(reading->parser);
}

static void on_element_end(void *data, const xmlChar *name)
{
	struct reading *reading = data;

	(void)name;
	reading->depth--;
}

static void on_document_type(
	void *data, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
	struct reading *reading = data;

	(void)name, (void)id, (void)uri;
	reading->r = problem_set(reading->problem, -EBADMSG, "it has a document type");
	xmlStopParser(reading->parser);
}

static int check_size(const char *text, size_t len, struct problem *problem)
{
	size_t n_equals = 0;

	if (len > LIBVIRT_BYTES_MAX)
		return problem_set(problem, -EBADMSG, "it is longer than %d MiB",
			LIBVIRT_BYTES_MAX >> 20);
	for (size_t i = 0; i < len; i++) {
		n_equals = text[i] == '<' ? 0 : n_equals + (text[i] == '=');
		if (n_equals > EQUALS_MAX)
			return problem_set(problem, -EBADMSG,
				"it says more in one place than libvirt would");
	}
	return 0;
}

static int explain_error(xmlParserCtxt *parser, struct problem *problem)
{
	const xmlError *error = xmlCtxtGetLastError(parser);

	if (error && error->code == XML_ERR_NO_MEMORY)
		return problem_nomem(problem);
	return problem_set(problem, -EBADMSG, "it is no valid XML (line %d)",
		error ? error->line : 0);
}

int libvirt_parse(const char *text, size_t len, struct libvirt_answer *ret_answer,
	struct problem *problem)
{
	CLEANUP(reading_deinit) struct reading reading = {.problem = problem};
	xmlSAXHandler handler = {
		.initialized = 1, /* SAX 1: elements by their names as they stand */
		.startElement = on_element,
		.endElement = on_element_end,
		.internalSubset = on_document_type,
	};
	int error, r;

	r = check_size(text, len, problem);
	if (r)
		return r;
	reading.parser = xmlCreatePushParserCtxt(&handler, &reading, NULL, 0, NULL);
	if (!reading.parser)
		return problem_nomem(problem);
	xmlCtxtUseOptions(reading.parser, PARSE_OPTIONS);
	error = xmlParseChunk(reading.parser, text, (int)len, 1);
	if (reading.r)
		return reading.r;
	if (error)
		return explain_error(reading.parser, problem);
	*ret_answer = reading.answer;
	reading.answer = (struct libvirt_answer){0};
	return 0;
}

/* ---- file ---- */

static bool is_roots_alone(const struct stat *st)
{
	return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* None there, or one that only root may read, is nobody's fault. */
static int cannot_read(int r, struct problem *problem)
{
	return problem_set(
		problem, r == -ENOENT || r == -EACCES ? 1 : r, "%s", strerror(-r));
}

/* The folder too is root's alone, so what was looked at is what is read. */
static int read_text(
	const char *dir, const char *file, char **ret_text, struct problem *problem)
{
	cleanup_close int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat of_dir, of_file;
	int r;

	if (dirfd < 0 || fstat(dirfd, &of_dir) < 0 ||
		fstatat(dirfd, file, &of_file, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot_read(-errno, problem);
	if (!S_ISREG(of_file.st_mode))
		return problem_set(problem, -EBADMSG, "it is no regular file");
	if (!is_roots_alone(&of_file))
		return problem_set(problem, -EBADMSG, "others than root may write to it");
	if (!is_roots_alone(&of_dir))
		return problem_set(
			problem, -EBADMSG, "others than root may write to its folder");
	r = file_read_all_at(dirfd, file, LIBVIRT_BYTES_MAX, ret_text);
	if (r == -EFBIG)
		return problem_set(problem, -EBADMSG, "it is longer than %d MiB",
			LIBVIRT_BYTES_MAX >> 20);
	if (r == -EBADMSG)
		return problem_set(problem, r, "it holds a NUL byte");
	return r ? cannot_read(r, problem) : 0;
}

/* Anybody may call himself anything: the file is to be one of that folder. */
static bool is_file_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') &&
	       strlen(name) + strlen(".xml") <= NAME_MAX;
}

static int read_answer(const char *dir, const char *name, pid_t pid,
	struct libvirt_answer *ret_answer, struct problem *problem)
{
	CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};
	cleanup_free char *text = NULL;
	char file[NAME_MAX + 1];
	int r;

	if (!is_file_name(name))
		return problem_set(
			problem, -EBADMSG, "no file of such a name is looked for");
	snprintf(file, sizeof(file), "%s.xml", name);
	r = read_text(dir, file, &text, problem);
	if (!r)
		r = libvirt_parse(text, strlen(text), &answer, problem);
	if (r)
		return r;
	if (answer.pid != pid)
		return problem_set(
			problem, -ESTALE, "it is of another process, %d", answer.pid);
	if (answer.starting)
		return problem_set(problem, 2, "libvirt is still starting it");
	if (!answer.n_vcpus)
		return problem_set(problem, 1, "it names no vCPU");
	*ret_answer = answer;
	answer = (struct libvirt_answer){0};
	return 0;
}

int libvirt_read(const char *dir, const char *name, pid_t pid,
	struct libvirt_answer *ret_answer, struct problem *problem)
{
	int r = read_answer(dir, name, pid, ret_answer, problem);
	char shown[VM_NAME_SIZE];

	if (!r || r == -ENOMEM)
		return r;
	qemu_args_file_name(name, shown);
	return problem_prefix(problem, r, "%s/%s.xml", dir, shown);
}
