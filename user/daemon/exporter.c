// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/exporter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "user/daemon/board.h"
#include "user/daemon/log.h"
#include "user/daemon/scrape.h"

enum { BACKLOG = 1024, AGAIN_FIRST_S = 1, AGAIN_LAST_S = 64 };

#define USEC_A_SECOND 1000000ULL

struct exporter {
	sd_event *event;
	let_go_fn *let_go;
	void *data;
	struct boards boards;
	char address[64];     /* "": none yet */
	int socket;	      /* listens; -1: not */
	bool given;	      /* by who has started us: its address is theirs */
	pid_t child;	      /* 0: none */
	uint64_t started;     /* CLOCK_MONOTONIC us */
	unsigned int again_s; /* when it is started again after it has ended */
	bool waits;	      /* until then it is not */
	sd_event_source *ending, *again;
	struct problem told;
};

static void complain(struct exporter *exporter, const char *what, int r)
{
	struct problem problem;

	problem_set(&problem, r, "metrics on %s: %s: %s", exporter->address, what,
		strerror(-r));
	if (!strcmp(problem.text, exporter->told.text))
		return;
	exporter->told = problem;
	log_say(LOG_WARNING, NULL, "%s", problem.text);
}

/* ---- its socket ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* As configuration files have it, which has been checked: `1.2.3.4:5` or `[::1]:5`. */
static int parse_address(const char *text, union address *ret, socklen_t *ret_len)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	in_port_t port = htons((in_port_t)(colon ? atoi(colon + 1) : 0));

	if (!len || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	*ret = (union address){};
	if (*host == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = port;
		*ret_len = sizeof(ret->v6);
		return inet_pton(AF_INET6, host + 1, &ret->v6.sin6_addr) == 1 ? 0
									      : -EINVAL;
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = port;
	*ret_len = sizeof(ret->v4);
	return inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

static int open_socket(const char *text)
{
	union address address;
	socklen_t len;
	int fd, one = 1, r = parse_address(text, &address, &len);

	if (r)
		return r;
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, &address.any, len) || listen(fd, BACKLOG)) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* The one that systemd has opened for us (cpuwarden.socket); -1: none. */
static int take_socket(void)
{
	return sd_listen_fds(1) > 0 ? SD_LISTEN_FDS_START : -1;
}

/* ---- its process ---- */

static void end_child(struct exporter *exporter)
{
	exporter->ending = sd_event_source_disable_unref(exporter->ending);
	if (!exporter->child)
		return;
	kill(exporter->child, SIGKILL);
	waitpid(exporter->child, NULL, 0);
	exporter->child = 0;
}

static uint64_t now_usec(const struct exporter *exporter)
{
	uint64_t now = 0;

	(void)sd_event_now(exporter->event, CLOCK_MONOTONIC, &now);
	return now;
}

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	struct exporter *exporter = data;

	(void)source, (void)usec;
	exporter->waits = false;
	exporter_serve(exporter, exporter->address, false);
	return 0;
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *data)
{
	struct exporter *exporter = data;
	uint64_t now = now_usec(exporter);

	(void)source;
	exporter->child = 0;
	exporter->ending = sd_event_source_disable_unref(exporter->ending);
	exporter->waits = true;
	if (now - exporter->started > AGAIN_LAST_S * USEC_A_SECOND)
		exporter->again_s = AGAIN_FIRST_S;
	log_say(LOG_WARNING, NULL,
		"the exporter has ended (%s %d); another is started in %u s",
		info->si_code == CLD_EXITED ? "status" : "signal", info->si_status,
		exporter->again_s);
	(void)sd_event_source_set_time(
		exporter->again, now + exporter->again_s * USEC_A_SECOND);
	if (exporter->again_s < AGAIN_LAST_S)
		exporter->again_s *= 2;
	(void)sd_event_source_set_enabled(exporter->again, SD_EVENT_ONESHOT);
	return 0;
}

static int start_child(struct exporter *exporter)
{
	pid_t daemon = getpid(), child = fork();
	int r;

	if (child < 0)
		return -errno;
	if (!child) {
		exporter->let_go(exporter->data);
		scrape_run(exporter->socket, &exporter->boards, daemon);
	}
	exporter->child = child;
	exporter->started = now_usec(exporter);
	r = sd_event_add_child(
		exporter->event, &exporter->ending, child, WEXITED, on_end, exporter);
	if (r < 0)
		end_child(exporter);
	return r;
}

/* ---- life ---- */

int exporter_new(sd_event *event, let_go_fn *let_go, void *data,
	struct exporter **ret_exporter, struct problem *problem)
{
	struct exporter *exporter = calloc(1, sizeof(*exporter));
	int r = -ENOMEM;

	if (exporter) {
		*exporter = (struct exporter){.event = event,
			.let_go = let_go,
			.data = data,
			.socket = -1,
			.again_s = AGAIN_FIRST_S};
		exporter->socket = take_socket();
		exporter->given = exporter->socket >= 0;
		r = board_new(&exporter->boards.placement);
	}
	if (!r)
		r = board_new(&exporter->boards.work);
	if (!r)
		r = sd_event_add_time(event, &exporter->again, CLOCK_MONOTONIC, 0, 1000,
			on_again, exporter);
	if (r >= 0)
		r = sd_event_source_set_enabled(exporter->again, SD_EVENT_OFF);
	if (r < 0) {
		exporter_free(exporter);
		return problem_set(
			problem, r, "cannot prepare for metrics: %s", strerror(-r));
	}
	*ret_exporter = exporter;
	return 0;
}

static void stop(struct exporter *exporter)
{
	end_child(exporter);
	if (exporter->given)
		return;
	if (exporter->socket >= 0)
		close(exporter->socket);
	exporter->socket = -1;
}

void exporter_free(struct exporter *exporter)
{
	if (!exporter)
		return;
	stop(exporter);
	sd_event_source_disable_unref(exporter->again);
	board_free(exporter->boards.placement);
	board_free(exporter->boards.work);
	free(exporter);
}

void exporter_serve(struct exporter *exporter, const char *address, bool anew)
{
	int r;

	if (!address && !exporter->given)
		return;
	if (!exporter->given && strcmp(exporter->address, address) != 0) {
		stop(exporter);
		exporter->waits = false;
		snprintf(exporter->address, sizeof(exporter->address), "%s", address);
	}
	if (exporter->socket < 0) {
		exporter->socket = open_socket(address);
		if (exporter->socket < 0) {
			complain(exporter, "cannot listen", exporter->socket);
			return;
		}
	}
	if (anew)
		end_child(exporter);
	if (exporter->child || (exporter->waits && !anew))
		return;
	exporter->waits = false;
	r = start_child(exporter);
	if (r < 0) {
		complain(exporter, "cannot start the exporter", r);
		return;
	}
	exporter->told = (struct problem){};
}

void exporter_publish_placement(struct exporter *exporter, const char *text, size_t len)
{
	if (text)
		board_write(exporter->boards.placement, text, len);
}

void exporter_publish_work(struct exporter *exporter, const char *text, size_t len)
{
	if (text)
		board_write(exporter->boards.work, text, len);
}
