// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The other end is a process that a guest may have taken over, and the path is of its
 * choosing. So: the path is looked up once, in the process's own root, and the very inode
 * that was checked is the one that is connected to, through /proc/self/fd (which also
 * lifts sockaddr_un's limit of 108 bytes); the peer must be the process itself; and one
 * deadline covers all, since a QEMU that is stopped, or busy with another client, accepts
 * into its backlog and then says nothing.
 */
#include "user/host/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"

static void cleanup_talk_fn(struct qmp_talk **talk)
{
	qmp_talk_free(*talk);
}

static uint64_t now_ms(void)
{
	return clock_now_ns() / 1000000;
}

/*
 * An absolute path starts at the process's root, and symbolic links on the way are
 * followed there. A relative one may climb with "..", so it is looked up the ordinary
 * way. /proc's magic links are never followed: they would lead to the inodes of others.
 */
static int open_path(int procfd, const char *path, int *ret_fd)
{
	bool absolute = path[0] == '/';
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | (absolute ? RESOLVE_IN_ROOT : 0),
	};
	cleanup_close int dirfd = -1;
	long fd;

	dirfd = openat(
		procfd, absolute ? "root" : "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	*ret_fd = (int)fd;
	return 0;
}

static int connect_fd(int target, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_close int fd = -1;

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", target);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Either at once or never: a full backlog is EAGAIN, there is no EINPROGRESS
	 * here. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int check_peer(int fd, pid_t pid, struct problem *problem)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return problem_set(problem, -errno, "who listens cannot be found out: %s",
			strerror(errno));
	/* In our numbering, also of a process in a pid namespace below ours. */
	if (peer.pid != pid)
		return problem_set(problem, -EPERM,
			"process %d listens, not the QEMU itself", peer.pid);
	return 0;
}

static int open_socket(
	int procfd, pid_t pid, const char *path, int *ret_fd, struct problem *problem)
{
	cleanup_close int target = -1, fd = -1;
	struct stat st;
	int r = open_path(procfd, path, &target);

	if (r)
		return problem_set(problem, r, "%s", strerror(-r));
	if (fstat(target, &st) < 0)
		return problem_set(problem, -errno, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return problem_set(problem, -ENOTSOCK, "it is no socket");
	r = connect_fd(target, &fd);
	if (r == -EAGAIN)
		return problem_set(problem, -ETIMEDOUT, "too many wait for it already");
	if (r)
		return problem_set(problem, r, "%s", strerror(-r));
	r = check_peer(fd, pid, problem);
	if (!r)
		*ret_fd = take_fd(&fd);
	return r;
}

static int wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};
	uint64_t now = now_ms();
	int n;

	if (now >= deadline)
		return -ETIMEDOUT;
	n = poll(&pfd, 1, (int)(deadline - now));
	return n < 0 && errno != EINTR ? -errno : 0;
}

static int say(int fd, const char *command, uint64_t deadline)
{
	size_t left = strlen(command);

	while (left) {
		ssize_t n = send(fd, command, left, MSG_NOSIGNAL);
		int r = 0;

		if (n >= 0) {
			command += n;
			left -= (size_t)n;
		} else if (errno == EAGAIN) {
			r = wait_for(fd, POLLOUT, deadline);
		} else if (errno != EINTR) {
			r = -errno;
		}
		if (r)
			return r;
	}
	return 0;
}

/* Gives 0 at the end of the stream. */
static int hear(int fd, char *buf, size_t size, uint64_t deadline, size_t *ret_len)
{
	for (;;) {
		int r = wait_for(fd, POLLIN, deadline);
		ssize_t n;

		if (r)
			return r;
		n = recv(fd, buf, size, 0);
		if (n >= 0) {
			*ret_len = (size_t)n;
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int converse(int fd, struct qmp_talk *talk, uint64_t deadline,
	struct qmp_answer *ret_answer, struct problem *problem)
{
	char buf[16384];

	while (!qmp_talk_done(talk, ret_answer)) {
		const char *command = qmp_talk_say(talk);
		size_t len = 0;
		int r = 0;

		if (command)
			r = say(fd, command, deadline);
		if (!r)
			r = hear(fd, buf, sizeof(buf), deadline, &len);
		if (r == -ETIMEDOUT)
			return problem_set(problem, r,
				"no %s came in time (is another client on it?)",
				qmp_talk_awaits(talk));
		if (r)
			return problem_set(problem, r, "%s", strerror(-r));
		if (!len)
			return problem_set(problem, -EBADMSG, "it hung up before its %s",
				qmp_talk_awaits(talk));
		r = qmp_talk_hear(talk, buf, len, problem);
		if (r)
			return r;
	}
	return 0;
}

/* The path, as it may appear in a sentence. */
static void make_shown(const char *path, char *ret_shown, size_t size)
{
	size_t n = 0;

	for (; *path && n < size - 1; path++)
		ret_shown[n++] = (char)(*path >= 0x20 && *path < 0x7f ? *path : '?');
	ret_shown[n] = '\0';
}

int qmp_query(int procfd, pid_t pid, const char *path, unsigned int timeout_ms,
	struct qmp_answer *ret_answer, struct problem *problem)
{
	CLEANUP(cleanup_talk_fn) struct qmp_talk *talk = NULL;
	uint64_t deadline = now_ms() + timeout_ms;
	cleanup_close int fd = -1;
	char shown[200];
	int r;

	talk = qmp_talk_new();
	if (!talk)
		return problem_nomem(problem);
	r = open_socket(procfd, pid, path, &fd, problem);
	if (!r)
		r = converse(fd, talk, deadline, ret_answer, problem);
	if (!r)
		return 0;
	make_shown(path, shown, sizeof(shown));
	return problem_prefix(problem, r, "QMP socket %s", shown);
}
