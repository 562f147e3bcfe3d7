// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files are told apart by inode, and each stays open as long as it has a place among the
 * rotated ones: so no inode number comes back for another file meanwhile, and what was
 * read is known for sure. They are opened newest first: a file that is renamed in between
 * is met a second time, and not missed.
 *
 * The newest file is read up to its last whole line only. The rest is read again later:
 * a writer whose disk was full takes back half a line.
 */
#include "user/store/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/store/event_watch.h"

/* All that have a name, and as many that have lost it and are not read yet. */
enum { FILES_MAX = 2 * (EVENT_LOG_OLD + 1) };

struct log_file {
	int fd;
	dev_t device;
	ino_t inode;
	bool done; /* read to its end, and another one follows */
};

struct event_log {
	char *path; /* owned */
	bool follow;
	struct event_watch watch; /* with `follow` */
	struct log_file files[FILES_MAX];
	size_t n_files;		      /* oldest first */
	char buf[EVENT_LINE_MAX + 1]; /* a line and its end */
	size_t begin, end;	      /* what of it is read and not handed out */
	bool overlong;		      /* within a line that is */
	bool waited; /* it was at the end, and something may have happened since */
	uint64_t skipped;
};

void event_log_name(const char *path, int age, char ret_name[PATH_MAX])
{
	snprintf(ret_name, PATH_MAX, age ? "%s.%d" : "%s", path, age);
}

static bool is_same(const struct log_file *file, const struct log_file *other)
{
	return file->device == other->device && file->inode == other->inode;
}

static const struct log_file *find_file(
	const struct log_file *files, size_t n, const struct log_file *like)
{
	for (size_t i = 0; i < n; i++)
		if (is_same(&files[i], like))
			return &files[i];
	return NULL;
}

/* 1: there is none of that name. */
static int open_one(const char *path, struct log_file *ret_file, struct problem *problem)
{
	/* Not to wait for the writer of a FIFO. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return problem_set(
			problem, -errno, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return problem_set(
			problem, -EINVAL, "cannot read %s: it is no regular file", path);
	*ret_file = (struct log_file){
		.fd = take_fd(&fd), .device = st.st_dev, .inode = st.st_ino};
	return 0;
}

static void close_files(struct log_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(files[i].fd);
}

/* All that have a name now and were not known; newest first. */
static int open_new(const struct event_log *log, struct log_file *ret_names,
	size_t *ret_n, struct problem *problem)
{
	struct log_file names[EVENT_LOG_OLD + 1];
	char path[PATH_MAX];
	size_t n = 0;
	int r;

	for (int i = 0; i <= EVENT_LOG_OLD; i++) {
		struct log_file file;

		event_log_name(log->path, i, path);
		r = open_one(path, &file, problem);
		if (r < 0) {
			close_files(names, n);
			return r;
		}
		if (r)
			continue;
		if (find_file(names, n, &file))
			close(file.fd);
		else
			names[n++] = file;
	}
	memcpy(ret_names, names, n * sizeof(*names));
	*ret_n = n;
	return 0;
}

/*
 * Files as they are now. Those that are known keep what was read of them; of those
 * without a name only what was not read to its end stays, as older than the rest.
 */
static int look_at_names(struct event_log *log, struct problem *problem)
{
	struct log_file names[EVENT_LOG_OLD + 1], files[FILES_MAX];
	size_t n_names, n = 0;
	int r;

	r = open_new(log, names, &n_names, problem);
	if (r)
		return r;
	for (size_t i = 0; i < log->n_files; i++) {
		const struct log_file *file = &log->files[i];

		if (find_file(names, n_names, file))
			continue;
		if (file->done || n == FILES_MAX - n_names)
			close(file->fd);
		else
			files[n++] = *file;
	}
	for (size_t i = n_names; i-- > 0;) {
		const struct log_file *known =
			find_file(log->files, log->n_files, &names[i]);

		if (known)
			close(names[i].fd);
		files[n++] = known ? *known : names[i];
	}
	if (n)
		files[n - 1].done = false;
	memcpy(log->files, files, n * sizeof(*files));
	log->n_files = n;
	return 0;
}

static int watch_newest(struct event_log *log, struct problem *problem)
{
	if (!log->follow)
		return 0;
	return event_watch_newest(&log->watch, log->files[log->n_files - 1].fd, problem);
}

static int look_first(struct event_log *log, struct problem *problem)
{
	int r = 0;

	/* Before the first look, so that nothing is missed after it. */
	if (log->follow)
		r = event_watch_init(&log->watch, log->path, problem);
	if (!r)
		r = look_at_names(log, problem);
	if (r > 0 || (!r && !log->n_files))
		return problem_set(problem, -ENOENT,
			"there is no %s, nor an older one beside it", log->path);
	return r ? r : watch_newest(log, problem);
}

int event_log_open(const char *path, bool follow, struct event_log **ret_log,
	struct problem *problem)
{
	struct event_log *log = calloc(1, sizeof(*log));
	int r;

	if (!log)
		return problem_nomem(problem);
	log->watch = (struct event_watch){.notify = -1, .folder = -1, .newest = -1};
	log->follow = follow;
	log->path = strdup(path);
	r = log->path ? look_first(log, problem) : problem_nomem(problem);
	if (r) {
		event_log_close(log);
		return r;
	}
	*ret_log = log;
	return 0;
}

void event_log_close(struct event_log *log)
{
	if (!log)
		return;
	close_files(log->files, log->n_files);
	event_watch_deinit(&log->watch);
	free(log->path);
	free(log);
}

/* The one to read from. */
static struct log_file *current_file(struct event_log *log)
{
	size_t i = 0;

	while (log->files[i].done)
		i++;
	return &log->files[i];
}

/* A line in the buffer. What is none yet is moved to its beginning, or left out. */
static bool take_line(struct event_log *log, const char **ret_line, size_t *ret_len)
{
	char *line = log->buf + log->begin, *newline;

	while ((newline = memchr(line, '\n', log->end - log->begin))) {
		log->begin += (size_t)(newline + 1 - line);
		if (log->overlong) { /* that was its end */
			log->overlong = false;
			line = newline + 1;
			continue;
		}
		*newline = '\0';
		*ret_line = line;
		*ret_len = (size_t)(newline - line);
		return true;
	}
	memmove(log->buf, line, log->end - log->begin);
	log->end -= log->begin;
	log->begin = 0;
	if (log->end == sizeof(log->buf) || log->overlong) {
		log->skipped += !log->overlong;
		log->overlong = true;
		log->end = 0;
	}
	return false;
}

/* What a file ends with that is no whole line is none, or is to be. */
static void drop_rest(struct event_log *log, struct log_file *file, bool again)
{
	if (again && log->end)
		(void)lseek(file->fd, -(off_t)log->end, SEEK_CUR);
	else if (log->end && !again)
		log->skipped++;
	log->end = 0;
	log->overlong = log->overlong && again;
}

/* Was it made shorter, and perhaps written anew, since it was read? Then from its
 * beginning. */
static void notice_truncation(struct event_log *log, const struct log_file *file)
{
	off_t at = lseek(file->fd, 0, SEEK_CUR);
	struct stat st;
	char last;

	if (at <= 0 || fstat(file->fd, &st) < 0)
		return;
	if (st.st_size >= at &&
		(log->overlong || pread(file->fd, &last, 1, at - 1) != 1 || last == '\n'))
		return;
	log->overlong = false;
	(void)lseek(file->fd, 0, SEEK_SET);
}

/* At the end of the newest file. 1: there is no more for now. */
static int look_again(
	struct event_log *log, struct log_file *file, struct problem *problem)
{
	struct log_file named;
	struct stat st;
	int r;

	if (!log->follow)
		return 1;
	if (stat(log->path, &st) < 0) {
		if (errno != ENOENT)
			return problem_set(problem, -errno, "cannot read %s: %s",
				log->path, strerror(errno));
		log->waited = true; /* between two names, or away for longer */
		return 1;
	}
	named = (struct log_file){.device = st.st_dev, .inode = st.st_ino};
	if (is_same(&named, file)) {
		log->waited = true;
		return 1;
	}
	/* Once more from this one, too: it was written to until it lost its name. */
	r = look_at_names(log, problem);
	return r ? r : watch_newest(log, problem);
}

/* The last line, of which the end is missing, as it is. */
static bool take_rest(struct event_log *log, const char **ret_line, size_t *ret_len)
{
	if (log->follow || !log->end)
		return false;
	log->buf[log->end] = '\0';
	*ret_line = log->buf;
	*ret_len = log->end;
	log->end = 0;
	return true;
}

int event_log_next(struct event_log *log, const char **ret_line, size_t *ret_len,
	struct problem *problem)
{
	for (;;) {
		struct log_file *file = current_file(log);
		bool newest = file == &log->files[log->n_files - 1];
		ssize_t n;
		int r;

		if (log->waited)
			notice_truncation(log, file);
		log->waited = false;
		if (take_line(log, ret_line, ret_len))
			return 0;
		n = read(file->fd, log->buf + log->end, sizeof(log->buf) - log->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return problem_set(problem, -errno, "cannot read %s: %s",
				log->path, strerror(errno));
		log->end += (size_t)n;
		if (n)
			continue;
		if (newest && take_rest(log, ret_line, ret_len))
			return 0;
		drop_rest(log, file, newest);
		if (newest) {
			r = look_again(log, file, problem);
			if (r)
				return r;
		} else {
			file->done = true;
		}
	}
}

uint64_t event_log_skipped(const struct event_log *log)
{
	return log->skipped;
}

int event_log_fd(const struct event_log *log)
{
	return log->watch.notify;
}

int event_log_wake(struct event_log *log, struct problem *problem)
{
	return event_watch_wake(&log->watch, problem);
}
