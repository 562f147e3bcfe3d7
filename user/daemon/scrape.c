// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/scrape.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/daemon/http.h"
#include "user/daemon/sample.h"
#include "user/model/coverage.h"
#include "user/model/metrics.h"
#include "user/observer/observer.h"

enum {
	SOCKET_FD = 3,
	NOBODY = 65534,
	FILES_MAX = 1024, /* connections, and the observer's maps */
	OPEN_TRIES = 20,  /* of an observer that is being taken over, with this pause: */
	OPEN_PAUSE_NS = 50000000,
};

struct scrape {
	struct observer *observer; /* NULL: there is none */
	const struct boards *boards;
	struct cpuset online;
	uint64_t blind_ns, looked; /* up to when, CLOCK_MONOTONIC ns; 0: never */
};

/* The daemon's files are none of its own: it keeps the socket, as SOCKET_FD, and where to
 * complain. */
static int keep_only(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	for (int fd = 0; fd < STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	if (socket != SOCKET_FD && dup2(socket, SOCKET_FD) < 0)
		return -errno;
	return syscall(SYS_close_range, SOCKET_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int limit(int resource, rlim_t max)
{
	const struct rlimit limit = {max, max};

	return setrlimit(resource, &limit) ? -errno : 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* Without CAP_SETPCAP the bounding set stays; nothing is gained from it, for no program
 * that this executes gets privileges. */
static int drop_privileges(void)
{
	int r;

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
		setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	r = drop_capabilities();
	if (!r)
		r = limit(RLIMIT_NOFILE, FILES_MAX);
	if (!r)
		r = limit(RLIMIT_CORE, 0);
	/* No other nobody may look into it. */
	return r || !prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? r : -errno;
}

/* Where something is not watched, all the time since the last look counts: nobody knows
 * better. */
static void add_blind_time(
	struct scrape *scrape, const struct counters *counters, bool up)
{
	const struct coverage_input input = {
		.counters = counters, .online = &scrape->online, .alive = up};
	uint64_t now = clock_now_ns();
	struct problem reason;

	if (scrape->looked && (!counters || coverage_blind(&input, &reason)))
		scrape->blind_ns += now - scrape->looked;
	scrape->looked = now;
}

static char *make_page(size_t *ret_len, void *data)
{
	struct scrape *scrape = data;
	struct counters counters = {};
	bool up = false, known;
	char *placement, *work, *text = NULL;
	FILE *stream;

	placement = board_read(scrape->boards->placement);
	work = board_read(scrape->boards->work);
	stream = open_memstream(&text, ret_len);
	if (stream && placement && work) {
		known = scrape->observer &&
			!sample_take(scrape->observer, &counters, &up);
		sample_online(&scrape->online);
		add_blind_time(scrape, known ? &counters : NULL, up);
		metrics_write_counters(
			stream, known ? &counters : NULL, scrape->blind_ns, up);
		fputs(placement, stream);
		fputs(work, stream);
		counters_deinit(&counters);
	}
	free(placement);
	free(work);
	if (!stream)
		return NULL;
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The daemon's loop blocks these. */
static void listen_to_signals(void)
{
	sigset_t none;

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* One that is there and cannot be opened may be taken over right now. */
static void open_observer(struct scrape *scrape)
{
	const struct timespec pause = {.tv_nsec = OPEN_PAUSE_NS};
	struct problem problem;
	int r;

	for (int i = 0; i < OPEN_TRIES; i++) {
		r = observer_open_to_read(OBSERVER_DIR, &scrape->observer, &problem);
		if (!r)
			return;
		scrape->observer = NULL;
		if (r == -ENOENT)
			return;
		nanosleep(&pause, NULL);
	}
	dprintf(STDERR_FILENO, "cpuwarden: no counters in metrics: %s\n", problem.text);
}

_Noreturn void scrape_run(int socket, const struct boards *boards, pid_t daemon)
{
	struct scrape scrape = {.boards = boards};
	int r;

	listen_to_signals();
	(void)prctl(PR_SET_NAME, "cpuwarden-http");
	r = keep_only(socket);
	if (!r)
		r = board_only_read(boards->placement);
	if (!r)
		r = board_only_read(boards->work);
	if (!r)
		open_observer(&scrape);
	if (!r)
		r = drop_privileges();
	/* A change of the user would have forgotten it; a parent that has ended before
	 * does not come back. */
	if (!r && prctl(PR_SET_PDEATHSIG, SIGKILL))
		r = -errno;
	if (!r && getppid() != daemon)
		r = -ESRCH;
	if (!r)
		r = http_serve(SOCKET_FD, make_page, &scrape);
	dprintf(STDERR_FILENO, "cpuwarden: no metrics: %s\n", strerror(-r));
	_exit(EXIT_FAILURE);
}
