// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `report`: what `check` decides and what it decides it from, as a page or as JSON, for
 * somebody who was not there; and the check of such a report. Exit status: 0 when it
 * could be made, whatever the verdict; of --verify, 0 when it is as it was made, else 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/cli/evidence.h"
#include "user/cli/report_facts.h"
#include "user/report/basis.h"
#include "user/report/report.h"

static int make_report(const struct request *request, const struct evidence *evidence,
	struct json_object *report, struct problem *problem)
{
	const struct verdict_input input = evidence_input(request, evidence);
	uint64_t build =
		evidence->cycle.observer ? observer_build(evidence->cycle.observer) : 0;
	int r;

	report_add_made(report);
	basis_add(report, &input, build);
	r = report_add_host(report, evidence, problem);
	if (!r)
		r = report_add_vms(report, evidence, problem);
	if (r)
		return r;
	report_add_drift(report, evidence);
	report_add_isolation(report, request, evidence);
	report_add_violations(report, request->events);
	return report_seal(report, problem);
}

static int gather(const struct request *request, struct json_object *report,
	struct problem *problem)
{
	struct evidence evidence = EVIDENCE_NONE;
	int r;

	r = evidence_gather(request, &evidence, problem);
	if (!r)
		r = make_report(request, &evidence, report, problem);
	evidence_deinit(&evidence);
	return r;
}

/* A device or a link is nothing to be replaced by a page. */
static int save(const char *path, const char *page)
{
	cleanup_close int fd = -1;
	char dir[PATH_MAX], name[PATH_MAX];
	struct stat st;

	if (strlen(path) >= sizeof(dir))
		return -ENAMETOOLONG;
	strcpy(dir, path);
	strcpy(name, path);
	/* It would stay another user's, who could change it. */
	if (!lstat(path, &st) && (!S_ISREG(st.st_mode) || st.st_uid != geteuid()))
		return -EEXIST;
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return file_save_at(fd, basename(name), page, 0644);
}

static const char *text_of(struct json_object *json, const char *object, const char *key)
{
	struct json_object *found = json;

	if (object && !json_object_object_get_ex(json, object, &found))
		return "";
	if (!json_object_object_get_ex(found, key, &found))
		return "";
	return found ? json_object_get_string(found) : "";
}

/* As `check` begins its line. */
static void print_verdict(struct json_object *report)
{
	const char *word = text_of(report, "verdict", "verdict");

	for (int i = VERDICT_OK; i <= VERDICT_UNKNOWN; i++)
		if (!strcmp(word, verdict_word((enum verdict)i)))
			printf("%s - ", verdict_head((enum verdict)i));
	printf("%s\n", text_of(report, "verdict", "reason"));
	printf("digest %s\n", text_of(report, NULL, "digest"));
}

static int write_page(
	const char *path, struct json_object *report, struct problem *problem)
{
	cleanup_free char *page = NULL;
	int r;

	if (report_page(report, &page))
		return problem_nomem(problem);
	if (!strcmp(path, "-"))
		return fputs(page, stdout) < 0 || fflush(stdout)
			       ? problem_set(problem, -errno, "cannot write the page: %s",
					 strerror(errno))
			       : 0;
	r = save(path, page);
	if (r == -EEXIST)
		return problem_set(problem, r, "%s is there and no regular file", path);
	if (r)
		return problem_set(problem, r, "cannot write %s: %s", path, strerror(-r));
	print_verdict(report);
	return 0;
}

static int report_now(const struct request *request)
{
	struct json_object *report = report_new();
	struct problem problem = {};
	int r;

	r = gather(request, report, &problem);
	if (!r && request->html)
		r = write_page(request->html, report, &problem);
	else if (!r)
		puts(json_object_to_json_string_ext(report,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(report);
	return r ? cli_fail(&problem) : EXIT_SUCCESS;
}

enum { EXIT_UNKNOWN = 3 };

/* Data may be good, and the page that shows them another. */
static int status_of(const struct verified *verified)
{
	if (json_object_array_length(verified->faults))
		return EXIT_FAILURE;
	return verified->is_page && !verified->page_compared ? EXIT_UNKNOWN
							     : EXIT_SUCCESS;
}

static void print_verified(const struct verified *verified)
{
	size_t n = json_object_array_length(verified->faults);

	printf("%s - ", n ? "FAILED" : status_of(verified) ? "UNKNOWN" : "OK");
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i ? "; " : "",
			json_object_get_string(
				json_object_array_get_idx(verified->faults, i)));
	if (n) {
		printf("\n");
		return;
	}
	printf("the report of %s of %s is as it was made: %s by its own data, "
	       "%zu sums agree, digest %s%s\n",
		text_of(verified->report, "host", "name"),
		text_of(verified->report, "made", "time"),
		text_of(verified->report, "verdict", "verdict"), verified->n_sums,
		text_of(verified->report, NULL, "digest"),
		verified->is_page && !verified->page_compared
			? "; but another version made the page, and whether it shows what its data say only that version can tell"
			: "");
}

static void add_copy(struct json_object *json, const char *key, const char *value)
{
	cli_json_string(json, key, *value ? value : NULL);
}

static void print_verified_json(const struct verified *verified)
{
	struct json_object *json = json_object_new_object();
	bool ok = !status_of(verified);

	cli_json_string(json, "schema", "cpuwarden.report/1");
	json_object_object_add(json, "ok", json_object_new_boolean(ok));
	json_object_object_add(json, "faults", json_object_get(verified->faults));
	cli_json_string(json, "form", verified->is_page ? "page" : "json");
	json_object_object_add(
		json, "page_compared", json_object_new_boolean(verified->page_compared));
	cli_json_number(json, "sums", verified->n_sums);
	add_copy(json, "host", text_of(verified->report, "host", "name"));
	add_copy(json, "made", text_of(verified->report, "made", "time"));
	add_copy(json, "verdict", text_of(verified->report, "verdict", "verdict"));
	add_copy(json, "digest", text_of(verified->report, NULL, "digest"));
	cli_json_print(json);
}

/* As it is, to the last byte. Somebody gave the name: a link is followed. */
static ssize_t read_file(const char *path, char **ret_text)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *text = NULL;
	size_t len = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > REPORT_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size &&
		(n = read(fd, text + len, (size_t)st.st_size - len)))
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	text[len] = '\0';
	*ret_text = take_ptr(text);
	return (ssize_t)len;
}

static struct verified unread(const char *path, int error)
{
	struct verified verified = {.faults = json_object_new_array()};
	struct problem text;

	problem_set(&text, 0, "cannot read %s: %s", path,
		error == -EINVAL  ? "it is no regular file"
		: error == -EFBIG ? "it is larger than 16 MiB"
				  : strerror(-error));
	json_object_array_add(verified.faults, json_object_new_string(text.text));
	return verified;
}

static int verify(const struct request *request)
{
	cleanup_free char *text = NULL;
	struct verified verified;
	struct problem problem;
	ssize_t size;
	int status;

	size = read_file(request->verify, &text);
	if (size == -ENOMEM ||
		(size >= 0 && report_verify(text, (size_t)size, &verified))) {
		problem_nomem(&problem);
		return cli_fail(&problem);
	}
	if (size < 0)
		verified = unread(request->verify, (int)size);
	if (request->json)
		print_verified_json(&verified);
	else
		print_verified(&verified);
	status = status_of(&verified);
	verified_deinit(&verified);
	return status;
}

int verb_report(const struct request *request)
{
	return request->verify ? verify(request) : report_now(request);
}
