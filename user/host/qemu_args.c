// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of several items of one key the last wins, also over several -name or -machine.
 *
 * A QMP monitor is either `-qmp unix:PATH,server=on` or a -chardev and a -mon that refers
 * to it, in either order; so sockets and monitors are collected first and joined at the
 * end.
 *
 * Only the options of interest are known here, not which others take a value. A value
 * that looks like one of them (`-append -name`) is misread; the worst of that is a wrong
 * name or a socket that the peer check refuses.
 */
#include "user/host/qemu_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/text.h"
#include "user/host/qemu_option.h"
#include "user/host/qemu_smp.h"

enum { CHARDEVS_MAX = 1024, MONITORS_MAX = 64, JSON_DEPTH = 4 };

struct chardev {
	char *id;   /* NULL: made by -qmp, so a QMP monitor's for sure */
	char *path; /* NULL: not a unix socket that QEMU listens on by path */
};

struct parser {
	struct chardev *chardevs;
	size_t n_chardevs;
	char **monitors; /* ids of the chardevs of QMP monitors, in order */
	size_t n_monitors;
	struct qemu_smp smp;
	struct qemu_args args;
};

static void parser_deinit(struct parser *parser)
{
	for (size_t i = 0; i < parser->n_chardevs; i++) {
		free(parser->chardevs[i].id);
		free(parser->chardevs[i].path);
	}
	for (size_t i = 0; i < parser->n_monitors; i++)
		free(parser->monitors[i]);
	free(parser->chardevs);
	free(parser->monitors);
	qemu_args_deinit(&parser->args);
}

void qemu_args_deinit(struct qemu_args *args)
{
	free(args->name);
	for (size_t i = 0; i < args->n_qmp_paths; i++)
		free(args->qmp_paths[i]);
	for (size_t i = 0; i < args->n_iothreads; i++)
		free(args->iothreads[i]);
	free(args->iothreads);
	*args = (struct qemu_args){0};
}

static int parse_name(struct parser *parser, char *value)
{
	struct qemu_option item = {.next = value, .implied = "guest"};
	int r = 0;

	while (!r && qemu_option_next(&item))
		if (!strcmp(item.key, "guest"))
			r = text_replace(&parser->args.name, item.value);
	return r;
}

static int parse_smp(struct parser *parser, char *value)
{
	struct qemu_option item = {.next = value, .implied = "cpus"};

	while (qemu_option_next(&item))
		qemu_smp_set(&parser->smp, item.key, item.value);
	return 0;
}

static int parse_machine(struct parser *parser, char *value)
{
	struct qemu_option item = {.next = value, .implied = "type"};

	while (qemu_option_next(&item)) {
		if (!strcmp(item.key, "type"))
			parser->args.probe = !strcmp(item.value, "none");
		else if (!strncmp(item.key, "smp.", 4))
			qemu_smp_set(&parser->smp, item.key + 4, item.value);
	}
	return 0;
}

static int add_iothread(struct parser *parser, const char *id)
{
	struct qemu_args *args = &parser->args;
	char **slot;

	if (args->n_iothreads >= QEMU_ARGS_IOTHREADS)
		return 0;
	slot = array_push(&args->iothreads, &args->n_iothreads);
	return slot ? text_replace(slot, id) : -ENOMEM;
}

static const char *json_text(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) &&
			       json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : "";
}

/* libvirt's way to write the same. */
static int parse_json_object(struct parser *parser, const char *value)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *json;
	int r = 0;

	if (!tokener)
		return -ENOMEM;
	json = json_tokener_parse_ex(tokener, value, -1);
	if (!strcmp(json_text(json, "qom-type"), "iothread"))
		r = add_iothread(parser, json_text(json, "id"));
	json_object_put(json);
	json_tokener_free(tokener);
	return r;
}

static int parse_object(struct parser *parser, char *value)
{
	struct qemu_option item = {.next = value, .implied = "qom-type"};
	bool iothread = false;
	const char *id = "";

	if (*value == '{')
		return parse_json_object(parser, value);
	while (qemu_option_next(&item)) {
		if (!strcmp(item.key, "qom-type"))
			iothread = !strcmp(item.value, "iothread");
		else if (!strcmp(item.key, "id"))
			id = item.value;
	}
	return iothread ? add_iothread(parser, id) : 0;
}

static int parse_daemonize(struct parser *parser, char *value)
{
	(void)value;
	parser->args.daemonize = true;
	return 0;
}

/*
 * libvirt's is known by its id, whatever else it says: newer libvirts pass a descriptor
 * and no path. The path is looked at as well, for the day that the id changes.
 */
static bool is_libvirt_monitor(const struct chardev *chardev)
{
	return (chardev->id && !strcmp(chardev->id, "charmonitor")) ||
	       (chardev->path && strstr(chardev->path, "/libvirt/qemu/"));
}

static int add_chardev(struct parser *parser, const char *id, const char *path)
{
	struct chardev *chardev;

	if (parser->n_chardevs >= CHARDEVS_MAX)
		return 0;
	chardev = array_push(&parser->chardevs, &parser->n_chardevs);
	if (!chardev)
		return -ENOMEM;
	if (id && text_replace(&chardev->id, id))
		return -ENOMEM;
	return path ? text_replace(&chardev->path, path) : 0;
}

/* `socket,id=X,path=PATH,server=on`, or PATH,server=on of `-qmp unix:` */
static int parse_socket(struct parser *parser, char *value, bool of_qmp)
{
	struct qemu_option item = {.next = value, .implied = of_qmp ? "path" : "backend"};
	bool socket = of_qmp, server = false, abstract = false;
	const char *id = NULL, *path = NULL;

	while (qemu_option_next(&item)) {
		if (!strcmp(item.key, "backend"))
			socket = !strcmp(item.value, "socket");
		else if (!strcmp(item.key, "id"))
			id = item.value;
		else if (!strcmp(item.key, "path"))
			path = item.value;
		else if (!strcmp(item.key, "server"))
			server = qemu_option_is_on(item.value);
		else if (!strcmp(item.key, "abstract"))
			abstract = qemu_option_is_on(item.value);
	}
	if (!socket || (!of_qmp && !id))
		return 0;
	if (path && (!*path || !server || abstract))
		path = NULL;
	return add_chardev(parser, of_qmp ? NULL : id, path);
}

static int add_monitor(struct parser *parser, const char *chardev)
{
	char **monitor;

	if (parser->n_monitors >= MONITORS_MAX)
		return 0;
	monitor = array_push(&parser->monitors, &parser->n_monitors);
	return monitor ? text_replace(monitor, chardev) : -ENOMEM;
}

static int parse_mon(struct parser *parser, char *value)
{
	struct qemu_option item = {.next = value, .implied = "chardev"};
	const char *chardev = NULL;
	bool control = false;

	while (qemu_option_next(&item)) {
		if (!strcmp(item.key, "chardev"))
			chardev = item.value;
		else if (!strcmp(item.key, "mode"))
			control = !strcmp(item.value, "control");
	}
	return control && chardev ? add_monitor(parser, chardev) : 0;
}

static int parse_qmp(struct parser *parser, char *value)
{
	if (!strncmp(value, "chardev:", 8))
		return add_monitor(parser, value + 8);
	return strncmp(value, "unix:", 5) ? 0 : parse_socket(parser, value + 5, true);
}

static int parse_chardev(struct parser *parser, char *value)
{
	return parse_socket(parser, value, false);
}

static const struct option {
	const char *name;
	int (*parse)(struct parser *parser, char *value);
	bool alone; /* it takes no value */
} options[] = {
	{"name", parse_name, false},
	{"chardev", parse_chardev, false},
	{"mon", parse_mon, false},
	{"qmp", parse_qmp, false},
	{"qmp-pretty", parse_qmp, false},
	{"machine", parse_machine, false},
	{"M", parse_machine, false},
	{"smp", parse_smp, false},
	{"object", parse_object, false},
	{"daemonize", parse_daemonize, true},
};

/* The option of that argument, or NULL; QEMU takes one dash or two. */
static const struct option *find_option(const char *arg)
{
	if (*arg != '-')
		return NULL;
	arg += 1 + (arg[1] == '-');
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(arg, options[i].name))
			return &options[i];
	return NULL;
}

static bool is_monitor(const struct parser *parser, const struct chardev *chardev)
{
	if (!chardev->id)
		return true;
	for (size_t i = 0; i < parser->n_monitors; i++)
		if (!strcmp(parser->monitors[i], chardev->id))
			return true;
	return false;
}

static void join_monitors(struct parser *parser)
{
	struct qemu_args *args = &parser->args;

	for (size_t i = 0; i < parser->n_chardevs; i++) {
		struct chardev *chardev = &parser->chardevs[i];

		if (is_libvirt_monitor(chardev))
			args->libvirt = true;
		else if (chardev->path && args->n_qmp_paths < QEMU_ARGS_SOCKETS &&
			 is_monitor(parser, chardev))
			args->qmp_paths[args->n_qmp_paths++] = take_ptr(chardev->path);
	}
}

int qemu_args_parse(const char *vector, size_t len, struct qemu_args *ret_args)
{
	CLEANUP(parser_deinit) struct parser parser = {0};
	cleanup_free char *copy = NULL;
	const struct option *option;
	char *value;
	int r = 0;

	if (len > QEMU_ARGS_MAX)
		return -E2BIG;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, vector, len);
	copy[len] = '\0';
	for (char *arg = copy, *end = copy + len, *next; !r && arg < end; arg = next) {
		next = arg + strlen(arg) + 1;
		option = find_option(arg);
		if (!option || (next >= end && !option->alone))
			continue;
		value = next;
		if (!option->alone)
			next += strlen(value) + 1;
		r = option->parse(&parser, value);
	}
	if (r)
		return r;
	join_monitors(&parser);
	parser.args.n_vcpus = qemu_smp_count(&parser.smp);
	parser.args.smp = qemu_smp_guest(&parser.smp);
	*ret_args = parser.args;
	parser.args = (struct qemu_args){0};
	return 0;
}

static bool fits_file_name(const char *name, const char *p)
{
	if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
		(*p >= '0' && *p <= '9'))
		return true;
	return *p == '.' ? p != name : strchr("_:@+-", *p) != NULL;
}

void qemu_args_file_name(const char *name, char ret_name[VM_NAME_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (const char *p = name; *p; p++) {
		unsigned char byte = (unsigned char)*p;

		if (fits_file_name(name, p)) {
			if (n + 1 >= VM_NAME_SIZE)
				break;
			ret_name[n++] = *p;
			continue;
		}
		/* An escape is there whole or not at all. */
		if (n + 4 >= VM_NAME_SIZE)
			break;
		ret_name[n++] = '\\';
		ret_name[n++] = 'x';
		ret_name[n++] = hex[byte >> 4];
		ret_name[n++] = hex[byte & 15];
	}
	ret_name[n] = '\0';
}
