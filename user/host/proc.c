// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"

enum {
	STAT_SIZE = 2048,	  /* 52 numbers of at most 20 digits, and a name */
	STATUS_MAX = 1 << 20,	  /* a process may be in 65536 groups */
	CGROUP_FILE_MAX = 131072, /* a line of PATH_MAX for each of the v1 hierarchies */
};

/* Below a process's directory a missing file means that the process has gone. */
static int gone(int r)
{
	return r == -ENOENT ? -ESRCH : r;
}

/* The name is the thread's to choose: it may hold spaces, parentheses, even a faked tail.
 */
static void copy_comm(const char *from, const char *end, char ret_comm[COMM_SIZE])
{
	size_t n = 0;

	for (; from < end && n < COMM_SIZE - 1; from++)
		ret_comm[n++] = (char)(*from >= 0x20 && *from < 0x7f ? *from : '?');
	ret_comm[n] = '\0';
}

int proc_parse_stat(const char *text, struct proc_stat *ret_stat)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t ppid = 0, flags = 0, start_time = 0, cpu = 0;
	const char *p, *end;
	int r = 0, field;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EINVAL;
	/* The field after the name is the third, in proc(5)'s numbering. */
	for (field = 3, p = close + 2; !r; field++, p++) {
		if (field == 4)
			r = parse_u64_prefix(p, INT_MAX, &end, &ppid);
		else if (field == 9)
			r = parse_u64_prefix(p, UINT32_MAX, &end, &flags);
		else if (field == 22)
			r = parse_u64_prefix(p, UINT64_MAX, &end, &start_time);
		else if (field == 39)
			r = parse_u64_prefix(p, INT_MAX, &end, &cpu);
		if (field == 39)
			break;
		p = strchr(p, ' ');
		if (!p)
			return -EINVAL;
	}
	if (r)
		return -EINVAL;
	copy_comm(open + 1, close, ret_stat->comm);
	ret_stat->state = close[2];
	ret_stat->ppid = (pid_t)ppid;
	ret_stat->flags = flags;
	ret_stat->start_time = start_time;
	ret_stat->last_cpu = (int)cpu;
	return 0;
}

int proc_parse_cgroup(const char *text, char **ret_path)
{
	static const char deleted[] = " (deleted)";
	const char *line = text;
	size_t len;
	char *path;

	/* On a hybrid host the v1 hierarchies have lines too, with ids from 1. */
	while (strncmp(line, "0::", 3)) {
		line = strchr(line, '\n');
		if (!line)
			return -ENODATA;
		line++;
	}
	line += 3;
	if (*line != '/')
		return -EINVAL;
	line++;
	len = strcspn(line, "\n");
	if (len >= sizeof(deleted) - 1 &&
		!memcmp(line + len - sizeof(deleted) + 1, deleted, sizeof(deleted) - 1))
		len -= sizeof(deleted) - 1;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	if (len >= 2 && !memcmp(line, "..", 2) && (len == 2 || line[2] == '/'))
		return -EXDEV;
	path = strndup(line, len);
	if (!path)
		return -ENOMEM;
	*ret_path = path;
	return 0;
}

int proc_parse_schedstat(const char *text, struct vm_thread *thread)
{
	uint64_t values[3];

	for (int i = 0; i < 3; i++) {
		if (parse_u64_prefix(text, UINT64_MAX, &text, &values[i]))
			return -EINVAL;
		if (*text != (i < 2 ? ' ' : '\0'))
			return -EINVAL;
		text++;
	}
	thread->run_ns = values[0];
	thread->wait_ns = values[1];
	thread->switches = values[2];
	return 0;
}

int proc_parse_nspid(const char *text, unsigned int *ret_depth, pid_t *ret_pid)
{
	/* The kernel escapes newlines in the Name: line, so nobody can fake this one. */
	const char *p = strstr(text, "\nNSpid:");
	unsigned int depth = 0;
	uint64_t pid = 0;

	if (!p)
		return -ENODATA; /* a kernel without pid namespaces */
	for (p += strlen("\nNSpid:"); *p == '\t'; depth++)
		if (parse_u64_prefix(p + 1, INT_MAX, &p, &pid))
			return -EINVAL;
	if (!depth || (*p && *p != '\n'))
		return -EINVAL;
	*ret_depth = depth;
	*ret_pid = (pid_t)pid;
	return 0;
}

static int open_dir(int dirfd, const char *path, int *ret_fd)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return gone(-errno);
	*ret_fd = fd;
	return 0;
}

int proc_open(pid_t pid, int *ret_fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return open_dir(AT_FDCWD, path, ret_fd);
}

static int read_stat(int dirfd, const char *path, struct proc_stat *ret_stat)
{
	char text[STAT_SIZE];
	ssize_t n = file_read_at(dirfd, path, text, sizeof(text));

	return n < 0 ? gone((int)n) : proc_parse_stat(text, ret_stat);
}

int proc_read_stat_at(int dirfd, struct proc_stat *ret_stat)
{
	return read_stat(dirfd, "stat", ret_stat);
}

int proc_read_task_stat_at(int procfd, pid_t tid, struct proc_stat *ret_stat)
{
	char path[32];

	snprintf(path, sizeof(path), "task/%d/stat", tid);
	return read_stat(procfd, path, ret_stat);
}

int proc_read_nspid_at(int dirfd, unsigned int *ret_depth, pid_t *ret_pid)
{
	cleanup_free char *text = NULL;
	int r = file_read_all_at(dirfd, "status", STATUS_MAX, &text);

	return r ? gone(r) : proc_parse_nspid(text, ret_depth, ret_pid);
}

int proc_read_affinity(pid_t tid, struct cpuset *ret_set)
{
	struct cpuset set = {0};

	/* Not glibc's wrapper: its cpu_set_t stops at 1024 CPUs. The kernel fills 64-bit
	 * words. */
	if (syscall(SYS_sched_getaffinity, tid, sizeof(set.words), set.words) < 0)
		return -errno;
	*ret_set = set;
	return 0;
}

/* A kernel without CONFIG_SCHED_INFO has no schedstat: the numbers are then zero. */
static int read_schedstat(int dirfd, struct vm_thread *thread)
{
	char text[128];
	ssize_t n = file_read_at(dirfd, "schedstat", text, sizeof(text));

	if (n == -ENOENT)
		return 0;
	return n < 0 ? (int)n : proc_parse_schedstat(text, thread);
}

static int read_cgroup(int dirfd, char **ret_path)
{
	cleanup_free char *text = NULL;
	int r = file_read_all_at(dirfd, "cgroup", CGROUP_FILE_MAX, &text);

	return r ? gone(r) : proc_parse_cgroup(text, ret_path);
}

int proc_read_thread_at(int procfd, pid_t tid, struct vm_thread *ret_thread)
{
	struct vm_thread thread = {.tid = tid};
	cleanup_close int fd = -1;
	struct proc_stat stat;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "task/%d", tid);
	r = open_dir(procfd, path, &fd);
	if (!r)
		r = proc_read_stat_at(fd, &stat);
	if (!r && (stat.state == 'Z' || stat.state == 'X'))
		r = -ESRCH;
	if (!r)
		r = proc_read_affinity(tid, &thread.affinity);
	if (!r)
		r = read_schedstat(fd, &thread);
	/*
	 * Last, and through the directory again: that this works proves that the thread
	 * was alive when its affinity was asked for by number.
	 */
	if (!r)
		r = read_cgroup(fd, &thread.cgroup);
	if (r)
		return r;
	thread.start_time = stat.start_time;
	thread.last_cpu = stat.last_cpu;
	memcpy(thread.comm, stat.comm, sizeof(thread.comm));
	*ret_thread = thread;
	return 0;
}

int proc_read_thread(pid_t pid, pid_t tid, struct vm_thread *ret_thread)
{
	cleanup_close int procfd = -1;
	int r = proc_open(pid, &procfd);

	return r ? r : proc_read_thread_at(procfd, tid, ret_thread);
}

int proc_start_time(pid_t pid, pid_t tid, uint64_t *ret_start_time)
{
	struct proc_stat stat;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	r = read_stat(AT_FDCWD, path, &stat);
	if (!r)
		*ret_start_time = stat.start_time;
	return r;
}

bool proc_is_alive(pid_t pid, pid_t tid, uint64_t start_time)
{
	uint64_t now;

	return !proc_start_time(pid, tid, &now) && now == start_time;
}

/* Calls fn for each entry whose name is a number. */
static int for_each_number(
	int dirfd, const char *path, int (*fn)(pid_t number, void *data), void *data)
{
	cleanup_closedir DIR *dir = NULL;
	cleanup_close int fd = -1;
	struct dirent *entry;
	uint64_t number;
	int r = open_dir(dirfd, path, &fd);

	if (r)
		return r;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	take_fd(&fd); /* dir closes it */
	while (!r) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return gone(-errno);
		if (!parse_u64(entry->d_name, INT_MAX, &number))
			r = fn((pid_t)number, data);
	}
	return r;
}

int proc_for_each_pid(int (*fn)(pid_t pid, void *data), void *data)
{
	return for_each_number(AT_FDCWD, "/proc", fn, data);
}

int proc_for_each_tid(int procfd, int (*fn)(pid_t tid, void *data), void *data)
{
	return for_each_number(procfd, "task", fn, data);
}
