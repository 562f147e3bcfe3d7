// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `events`: what the daemon has written down, line by line, whether it lives or not. Only
 * one line is in memory at a time, and ten where the latest ten are asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgroups/hierarchy.h"
#include "user/base/cleanup.h"
#include "user/base/moment.h"
#include "user/base/text.h"
#include "user/cli/cli.h"
#include "user/store/event_json.h"
#include "user/store/event_log.h"
#include "user/store/json_file.h"

enum { LATEST = 10, GROUPS = 32 };

/* Groups by id, for they say a violation's in the file. */
struct group_names {
	struct hierarchy hierarchy; /* root -1: not opened, or it cannot be */
	bool tried;
	int64_t boot; /* ns since 1970: ids of before are other groups' by now */
	struct {
		uint64_t id;
		char *path; /* owned; NULL: it is gone, or not for us to know */
	} known[GROUPS];
	size_t next;
};

struct view {
	const struct request *request;
	struct event_log *log;
	struct event_filter filter;
	struct group_names groups;
	bool colors;
	uint64_t shown, broken;
	char *latest[LATEST]; /* owned; with -f, until all that was there is read */
	uint64_t n_latest;    /* ever */
	bool keep_latest;
};

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* NULL: not known. */
static const char *find_group(struct group_names *groups, const struct event *event)
{
	size_t at = groups->next;

	if (!event->cgroup_id || event->time < groups->boot)
		return NULL;
	for (size_t i = 0; i < GROUPS; i++)
		if (groups->known[i].id == event->cgroup_id)
			return groups->known[i].path;
	if (!groups->tried && hierarchy_open(&groups->hierarchy, NULL))
		groups->hierarchy.root = -1;
	groups->tried = true;
	groups->next = (at + 1) % GROUPS;
	free(groups->known[at].path);
	groups->known[at].id = event->cgroup_id;
	groups->known[at].path = NULL;
	if (groups->hierarchy.root >= 0)
		(void)group_path_of_id(
			&groups->hierarchy, event->cgroup_id, &groups->known[at].path);
	return groups->known[at].path;
}

/* Lines -------------------------------------------------------------------------------
 */

static const char *color_of(const char *type)
{
	static const struct {
		const char *type, *color;
	} colors[] = {{"violation", "\033[31m"}, {"violations", "\033[31m"},
		{"drift", "\033[33m"}, {"drifts", "\033[33m"}, {"degraded", "\033[33m"},
		{"repair", "\033[36m"}, {"recovered", "\033[32m"}, {"lost", "\033[35m"}};

	for (size_t i = 0; i < sizeof(colors) / sizeof(*colors); i++)
		if (!strcmp(colors[i].type, type))
			return colors[i].color;
	return NULL;
}

static void print_text(struct view *view, const struct event *event)
{
	const char *color = view->colors ? color_of(event->type) : NULL;
	char when[MOMENT_SIZE], type[64], vm[512], sentence[EVENT_SENTENCE_SIZE];

	moment_format(event->time, when, sizeof(when));
	text_escape(event->type, type, sizeof(type));
	text_escape(event->vm ? event->vm : "-", vm, sizeof(vm));
	event_sentence(
		event, find_group(&view->groups, event), sentence, sizeof(sentence));
	printf("%s %s%-10s%s %-8s %s\n", when, color ? color : "", type,
		color ? "\033[0m" : "", vm, sentence);
}

static int print_json(struct view *view, struct json_object *json)
{
	cleanup_free char *text = NULL;

	if (event_json_format(json, &text))
		return -ENOMEM;
	if (view->request->follow)
		printf("%s\n", text);
	else
		printf("%s\n%s", view->shown ? "," : "", text);
	return 0;
}

/* Broken output is seen at the next flush. -ENOMEM. */
static int show(struct view *view, const char *line, size_t len)
{
	cleanup_json struct json_object *json = NULL;
	struct event event;
	int r;

	r = event_json_parse(line, len, &json, &event);
	if (r == -EBADMSG) {
		view->broken++;
		return 0;
	}
	if (r || !event_matches(&event, &view->filter))
		return r;
	if (view->keep_latest) {
		char **slot = &view->latest[view->n_latest++ % LATEST];

		free(*slot);
		*slot = strdup(line);
		return *slot ? 0 : -ENOMEM;
	}
	if (view->request->json)
		r = print_json(view, json);
	else
		print_text(view, &event);
	view->shown++;
	return r;
}

static int show_latest(struct view *view)
{
	uint64_t from = view->n_latest > LATEST ? view->n_latest - LATEST : 0;
	int r = 0;

	view->keep_latest = false;
	for (uint64_t i = from; !r && i < view->n_latest; i++)
		r = show(
			view, view->latest[i % LATEST], strlen(view->latest[i % LATEST]));
	return r;
}

/* Has whoever read the output gone? */
static bool is_unread(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP));
}

/* -EPIPE: nobody reads it any more. */
static int flush(struct problem *problem)
{
	int error;

	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	error = errno;
	return problem_set(problem, is_unread() ? -EPIPE : -EIO, "cannot write: %s",
		strerror(error));
}

/* All that is there. */
static int read_all(struct view *view, struct problem *problem)
{
	const char *line;
	size_t len;
	int r = 0;

	while (!r && !stopped) {
		r = event_log_next(view->log, &line, &len, problem);
		if (!r && show(view, line, len))
			r = problem_nomem(problem);
		if (!r && (view->request->follow || ferror(stdout)))
			r = flush(problem);
	}
	return r < 0 ? r : 0;
}

/* Following ---------------------------------------------------------------------------
 */

/* Without SA_RESTART: a write that waits for a reader ends, too. */
static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_stop};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

/* Until there may be more. 1: there is none that anybody wants. */
static int wait_for_more(struct view *view, struct problem *problem)
{
	/* Of the output only its end is waited for. */
	struct pollfd fds[] = {
		{.fd = event_log_fd(view->log), .events = POLLIN}, {.fd = STDOUT_FILENO}};
	int64_t left = view->filter.until - clock_ns(CLOCK_REALTIME);
	struct timespec timeout = {left / 1000000000, left % 1000000000};
	bool ends = view->request->until;
	sigset_t stops, before;
	int r = 0;

	if (ends && left <= 0)
		return 1;
	/* One that comes after the look at it ends the wait. */
	sigemptyset(&stops);
	sigaddset(&stops, SIGINT);
	sigaddset(&stops, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &stops, &before);
	if (!stopped)
		r = ppoll(fds, 2, ends ? &timeout : NULL, &before);
	if (r < 0 && errno != EINTR)
		r = problem_set(problem, -errno, "cannot wait: %s", strerror(errno));
	else
		r = stopped || fds[1].revents;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r ? r : event_log_wake(view->log, problem);
}

static int follow(struct view *view, struct problem *problem)
{
	int r;

	catch_signals();
	view->keep_latest = !view->request->since;
	r = read_all(view, problem);
	if (!r && view->keep_latest && show_latest(view))
		r = problem_nomem(problem);
	if (!r)
		r = flush(problem);
	while (!r) {
		r = wait_for_more(view, problem);
		if (!r)
			r = read_all(view, problem);
	}
	return r < 0 ? r : 0;
}

/* The verb ----------------------------------------------------------------------------
 */

static int parse_time(const char *option, const char *text, int64_t now, int64_t *time,
	struct problem *problem)
{
	char quoted[64];

	if (!text || !moment_parse(text, now, time))
		return 0;
	text_escape(text, quoted, sizeof(quoted));
	return problem_set(
		problem, -EINVAL, "%s takes " MOMENT_FORMS "; not '%s'", option, quoted);
}

static int parse_request(const struct request *request, struct event_filter *filter,
	struct problem *problem)
{
	int64_t now = clock_ns(CLOCK_REALTIME);
	int r;

	event_filter_init(filter);
	filter->vms = request->vms.items;
	filter->n_vms = request->vms.n;
	r = parse_time("--since", request->since, now, &filter->since, problem);
	if (!r)
		r = parse_time("--until", request->until, now, &filter->until, problem);
	for (unsigned int i = 0; !r && i < request->classes.n; i++)
		r = event_filter_add_kinds(filter, request->classes.items[i], problem);
	return r;
}

static int show_array(struct view *view, struct problem *problem)
{
	int r;

	printf("{\"schema\":\"cpuwarden.%s/1\",\"events\":[", view->request->verb->name);
	r = read_all(view, problem);
	printf("%s],\"skipped\":%" PRIu64 "}\n", view->shown ? "\n" : "",
		view->broken + event_log_skipped(view->log));
	return r;
}

/* What else there is to say about a log that cannot be read. */
static int explain(int error, struct problem *problem)
{
	const struct problem why = *problem;

	if (error == -ENOENT)
		return problem_set(problem, error,
			"%s; the daemon writes it, see cpuwarden-daemon(8)", why.text);
	if (error == -EACCES)
		return problem_set(
			problem, error, "%s; it is for root and its group", why.text);
	return error;
}

static int show_events(struct view *view, struct problem *problem)
{
	int r;

	r = event_log_open(
		view->request->events, view->request->follow, &view->log, problem);
	if (r)
		return explain(r, problem);
	if (view->request->follow)
		r = follow(view, problem);
	else if (view->request->json)
		r = show_array(view, problem);
	else
		r = read_all(view, problem);
	return r ? r : flush(problem);
}

static void view_deinit(struct view *view)
{
	event_log_close(view->log);
	for (size_t i = 0; i < LATEST; i++)
		free(view->latest[i]);
	for (size_t i = 0; i < GROUPS; i++)
		free(view->groups.known[i].path);
	hierarchy_close(&view->groups.hierarchy);
}

static bool has_colors(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && !strcmp(term, "dumb"));
}

static void tell_broken(const struct view *view)
{
	uint64_t n = view->broken + (view->log ? event_log_skipped(view->log) : 0);

	if (n)
		fprintf(stderr, "cpuwarden: %" PRIu64 " line%s of %s could not be read\n",
			n, n == 1 ? "" : "s", view->request->events);
}

int verb_events(const struct request *request)
{
	struct view view = {.request = request,
		.groups.hierarchy.root = -1,
		.groups.boot = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME),
		.colors = has_colors()};
	struct problem problem;
	int r;

	if (parse_request(request, &view.filter, &problem))
		return cli_misused(&problem);
	(void)signal(SIGPIPE, SIG_IGN);
	r = show_events(&view, &problem);
	tell_broken(&view);
	view_deinit(&view);
	/* Who stops it, or reads no further, has what he wanted. */
	if (!r || r == -EPIPE || stopped)
		return EXIT_SUCCESS;
	return cli_fail(&problem);
}
