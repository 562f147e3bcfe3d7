// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Why a look: somebody said so (news of the observer, files, CPUs, SIGHUP), one failed
 * and is tried again, or nothing was said for long. What is said of one VM's threads
 * costs a glance at that VM, anything else a pass over everything. Nothing here polls:
 * with nothing to do and no trouble the next wake-up is the sweep's.
 *
 * A look tells by itself whether anything is left to do, so that a change of our own that
 * comes back as news costs one that finds nothing.
 */
#include "user/daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/control/apply.h"
#include "user/daemon/chronicle.h"
#include "user/daemon/due.h"
#include "user/daemon/ears.h"
#include "user/daemon/event_file.h"
#include "user/daemon/exporter.h"
#include "user/daemon/handover.h"
#include "user/daemon/log.h"
#include "user/daemon/pass.h"
#include "user/daemon/places.h"
#include "user/daemon/standing.h"
#include "user/daemon/watch.h"
#include "user/model/tree.h"
#include "user/store/lock.h"
#include "user/store/released.h"

#define USEC_A_MS 1000ULL
#define NS_A_USEC 1000
#define USEC_A_SECOND 1000000ULL

enum {
	BUSY_MS = 50,	     /* until the lock is tried again */
	BUSY_LONG_S = 5,     /* and is a failure, if it is taken for longer, */
	BUSY_LONG_MS = 1000, /* and tried at these intervals */
	RETRY_FIRST_S = 1,   /* after a failure; doubles */
	RETRY_LAST_S = 64,
	SWEEP_S = 300, /* for what nobody tells */
	PUBLISH_MS = 500,
	EDIT_MS = 300, /* an editor puts a file in another one's place */
	EVENTS_MAX_BYTES = 16 << 20,
	RELEASE_LOCK_SECONDS = 30,
};

struct daemon {
	const struct daemon_options *options;
	sd_event *event;
	struct watch *watch;
	struct ears *ears;
	sd_event_source *timer; /* the next look */
	sd_event_source *publishing;
	struct exporter *exporter;
	struct passes *passes;
	struct handovers handovers; /* of the pass that is on */
	struct event_file *file;
	struct chronicle *chronicle;
	struct due due;	  /* what was said */
	uint64_t pass_at; /* the next pass, if nothing is said before */
	unsigned int retry_s;
	uint64_t busy_since; /* somebody else changes the host; 0: not */
	int deaf;	     /* negative errno: not all files can be watched */
	struct standing standing;
};

/* ---- when ---- */

static uint64_t now_usec(const struct daemon *daemon)
{
	uint64_t now = 0;

	(void)sd_event_now(daemon->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void set_timer(struct daemon *daemon)
{
	uint64_t at = 0;

	if (!due_next(&daemon->due, &at) || at > daemon->pass_at)
		at = daemon->pass_at;
	(void)sd_event_source_set_time(daemon->timer, at);
	(void)sd_event_source_set_enabled(daemon->timer, SD_EVENT_ONESHOT);
}

/* pid 0: everything. */
static void want_look(pid_t pid, void *data)
{
	struct daemon *daemon = data;

	due_want(&daemon->due, pid, now_usec(daemon));
	set_timer(daemon);
}

static void on_violations(void *data)
{
	const struct daemon *daemon = data;

	chronicle_note_violation(daemon->chronicle);
}

static void put_off(struct daemon *daemon, pid_t pid, unsigned int ms)
{
	due_put_off(&daemon->due, pid, now_usec(daemon) + ms * USEC_A_MS);
	set_timer(daemon);
}

static void on_watch(const char *what, void *data)
{
	struct daemon *daemon = data;

	if (!path_is_inside(what, daemon->options->folders.etc))
		want_look(DUE_EVERYTHING, daemon);
	else if (!due_is_all_wanted(&daemon->due))
		put_off(daemon, DUE_EVERYTHING, EDIT_MS);
}

/* ---- a pass ---- */

static void watch_files(struct daemon *daemon, const struct cycle *cycle)
{
	int r = places_watch(daemon->watch, &daemon->options->folders, cycle);

	if (r && r != daemon->deaf)
		log_say(LOG_ERR, NULL,
			"cannot watch files: %s; what changes in them is seen later (fs.inotify in sysctl.conf says how many can be)",
			strerror(-r));
	daemon->deaf = r;
}

static void on_done(const struct cycle *cycle, void *data)
{
	watch_files(data, cycle);
}

static void plan_retry(struct daemon *daemon)
{
	daemon->pass_at = now_usec(daemon) + daemon->retry_s * USEC_A_SECOND;
	if (daemon->retry_s < RETRY_LAST_S)
		daemon->retry_s *= 2;
}

static void publish(struct daemon *daemon)
{
	size_t len;
	char *text = passes_work(daemon->passes, &len);

	exporter_publish_work(daemon->exporter, text, len);
	free(text);
}

static void publish_all(struct daemon *daemon)
{
	size_t len;
	char *text = passes_placement(daemon->passes, &len);

	exporter_publish_placement(daemon->exporter, text, len);
	free(text);
	publish(daemon);
}

/* A glance's figures may wait. */
static int on_publishing(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source, (void)usec;
	publish(data);
	return 0;
}

static void serve_metrics(struct daemon *daemon, bool anew)
{
	publish_all(daemon);
	exporter_serve(daemon->exporter, passes_listen(daemon->passes), anew);
}

static void publish_soon(struct daemon *daemon)
{
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(daemon->publishing, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	(void)sd_event_source_set_time(
		daemon->publishing, now_usec(daemon) + PUBLISH_MS * USEC_A_MS);
	(void)sd_event_source_set_enabled(daemon->publishing, SD_EVENT_ONESHOT);
}

/* Somebody else is at it, and mostly for moments. Who holds the host for longer keeps VMs
 * from being looked after. */
static void wait_for_other(
	struct daemon *daemon, pid_t pid, const struct problem *problem)
{
	uint64_t now = now_usec(daemon);
	bool is_long;

	if (!daemon->busy_since)
		daemon->busy_since = now;
	is_long = now - daemon->busy_since > BUSY_LONG_S * USEC_A_SECOND;
	if (is_long)
		passes_forget(daemon->passes);
	if (is_long || !daemon->standing.ready) {
		standing_tell_failure(&daemon->standing, problem);
		serve_metrics(daemon, false);
	}
	put_off(daemon, is_long ? DUE_EVERYTHING : pid, is_long ? BUSY_LONG_MS : BUSY_MS);
}

/* `why`: the VM that it is about, or everything. */
static void run_pass(struct daemon *daemon, pid_t why)
{
	struct pass_result result;
	struct problem problem;
	int r;

	handovers_note(daemon->options->folders.run, &daemon->handovers);
	r = passes_run(daemon->passes, on_done, daemon, &result, &problem);
	if (r == -EBUSY) {
		wait_for_other(daemon, DUE_EVERYTHING, &problem);
		return;
	}
	daemon->busy_since = 0;
	if (r) {
		standing_tell_failure(&daemon->standing, &problem);
		watch_files(daemon, NULL);
		serve_metrics(daemon, false);
		plan_retry(daemon);
		due_forget(&daemon->due);
		return;
	}
	handovers_done(daemon->options->folders.run, &daemon->handovers);
	if (result.n_steps)
		due_note_change(&daemon->due, why, now_usec(daemon));
	serve_metrics(daemon, ears_attend(daemon->ears));
	chronicle_note_pass(daemon->chronicle);
	standing_tell_pass(
		&daemon->standing, &result, passes_config_problem(daemon->passes));
	if (result.n_failed || daemon->deaf) {
		plan_retry(daemon);
		return;
	}
	daemon->retry_s = RETRY_FIRST_S;
	daemon->pass_at = now_usec(daemon) + SWEEP_S * USEC_A_SECOND;
}

static void look_at(struct daemon *daemon, pid_t pid)
{
	struct problem problem;
	size_t n_steps = 0;
	int r;

	if (pid == DUE_EVERYTHING) {
		run_pass(daemon, pid);
		return;
	}
	r = passes_glance(daemon->passes, pid, &n_steps, &problem);
	if (n_steps)
		due_note_change(&daemon->due, pid, now_usec(daemon));
	if (r == -EBUSY) {
		wait_for_other(daemon, pid, &problem);
		return;
	}
	daemon->busy_since = 0;
	if (r)
		run_pass(daemon, pid);
	else
		publish_soon(daemon);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *daemon = data;
	uint64_t now = now_usec(daemon);
	pid_t pid;

	(void)source, (void)usec;
	if (now >= daemon->pass_at) {
		daemon->pass_at = now + SWEEP_S * USEC_A_SECOND;
		due_want(&daemon->due, DUE_EVERYTHING, now);
	}
	while (due_take(&daemon->due, now, &pid)) {
		uint64_t began = clock_now_ns() / NS_A_USEC;

		look_at(daemon, pid);
		due_note_look(&daemon->due, pid, began, clock_now_ns() / NS_A_USEC);
	}
	set_timer(daemon);
	return 0;
}

/* ---- life ---- */

static int on_reload(
	sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct daemon *daemon = data;
	struct problem problem;

	(void)source, (void)info;
	log_say(LOG_INFO, NULL, "asked to look at everything again");
	if (released_clear(daemon->options->folders.run, &problem))
		log_say(LOG_WARNING, NULL, "%s", problem.text);
	daemon->retry_s = RETRY_FIRST_S;
	want_look(DUE_EVERYTHING, daemon);
	return 0;
}

/* The signals are the loop's: it ends at SIGTERM and SIGINT. */
static int add_signals(struct daemon *daemon)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_reload, daemon);
	return r;
}

/* In the exporter's process: the observer's maps, which can be written. */
static void let_go(void *data)
{
	struct daemon *daemon = data;

	ears_let_go(daemon->ears);
	passes_free(daemon->passes);
}

static int prepare(struct daemon *daemon, struct problem *problem)
{
	const struct folders *folders = &daemon->options->folders;
	int r = places_make(folders, problem);

	if (r)
		return r;
	r = event_file_open(
		daemon->options->events, EVENTS_MAX_BYTES, &daemon->file, problem);
	if (r)
		return r;
	daemon->passes = passes_new(folders, daemon->file);
	if (!daemon->passes)
		return problem_nomem(problem);
	r = sd_event_new(&daemon->event);
	if (r >= 0)
		r = add_signals(daemon);
	if (r >= 0)
		r = sd_event_add_time(daemon->event, &daemon->timer, CLOCK_MONOTONIC, 0,
			USEC_A_MS, on_timer, daemon);
	if (r >= 0)
		r = sd_event_add_time(daemon->event, &daemon->publishing, CLOCK_MONOTONIC,
			0, USEC_A_MS, on_publishing, daemon);
	if (r >= 0)
		r = sd_event_source_set_enabled(daemon->publishing, SD_EVENT_OFF);
	if (r < 0)
		return problem_set(
			problem, r, "cannot make an event loop: %s", strerror(-r));
	r = exporter_new(daemon->event, let_go, daemon, &daemon->exporter, problem);
	if (r)
		return r;
	r = chronicle_new(daemon->event, folders->run, &daemon->chronicle, problem);
	if (!r)
		r = ears_new(daemon->event, daemon->file,
			&(struct ears_calls){want_look, on_violations, daemon},
			&daemon->ears, problem);
	if (!r)
		r = watch_new(daemon->event, on_watch, daemon, &daemon->watch, problem);
	if (!r)
		watch_files(daemon, NULL);
	return r;
}

static void deinit(struct daemon *daemon)
{
	ears_free(daemon->ears);
	chronicle_free(daemon->chronicle);
	watch_free(daemon->watch);
	sd_event_source_disable_unref(daemon->timer);
	sd_event_source_disable_unref(daemon->publishing);
	exporter_free(daemon->exporter);
	sd_event_unref(daemon->event);
	passes_free(daemon->passes);
	handovers_forget(&daemon->handovers);
	event_file_close(daemon->file);
}

static void warn(const char *vm, const char *why, void *data)
{
	const struct log_fields fields = {.vm = vm, .cpu = -1};

	(void)data;
	log_say(LOG_WARNING, &fields, "%s", why);
}

static int release_all(const struct daemon_options *options, struct problem *problem)
{
	const struct report report = {.failed = warn};
	const struct folders folders = {.run = options->folders.run};
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	cleanup_close int lock = -1;
	int r;

	r = lock_take(folders.run, RELEASE_LOCK_SECONDS, &lock, problem);
	if (!r)
		r = cycle_read(&folders, &cycle, problem);
	if (!r)
		r = control_release(&cycle, NULL, &report, problem);
	return r < 0 ? r : 0;
}

int daemon_run(const struct daemon_options *options, struct problem *problem)
{
	struct daemon daemon = {.options = options, .retry_s = RETRY_FIRST_S};
	cleanup_close int lock = -1;
	int r;

	log_open();
	r = lock_take_daemon(options->folders.run, &lock, problem);
	if (r)
		return r;
	r = prepare(&daemon, problem);
	if (!r) {
		r = sd_event_loop(daemon.event);
		sd_notify(0, "STOPPING=1");
		if (r < 0)
			problem_set(
				problem, r, "the event loop failed: %s", strerror(-r));
		/* Who stops it wants no memory of what was released meanwhile. */
		else
			r = released_clear(options->folders.run, problem);
	}
	deinit(&daemon);
	if (!r && options->release)
		r = release_all(options, problem);
	return r;
}
