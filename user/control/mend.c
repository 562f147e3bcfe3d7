// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/store/mended.h"

enum { VALUE_MAX = 65536 };

struct work {
	int root;
	const struct mend_report *report;
	int n_failed;
};

__attribute__((format(printf, 3, 4))) static void tell(
	struct work *work, bool failed, const char *format, ...)
{
	char text[PROBLEM_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	work->n_failed += failed;
	(failed ? work->report->failed : work->report->done)(text, work->report->data);
}

/* 1: the file has gone, and with it what was found. */
static int read_value(const struct work *work, const struct mend *mend, char **ret_value)
{
	cleanup_free char *text = NULL;
	int r = file_read_all_at(work->root, mend->path + 1, VALUE_MAX, &text);

	if (r == -ENOENT)
		return 1;
	return r ? r : mend_parse(mend->format, text, ret_value);
}

static int write_value(
	const struct work *work, const struct mend *mend, const char *value)
{
	cleanup_free char *text = mend_format_value(mend->format, value);
	cleanup_close int fd = -1;

	if (!text)
		return -ENOMEM;
	fd = openat(work->root, mend->path + 1,
		O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* Writes and reads back; tells which it was. */
static int set_value(
	struct work *work, const struct mend *mend, const char *now, const char *value)
{
	cleanup_free char *after = NULL;
	int r = write_value(work, mend, value);

	if (!r)
		r = read_value(work, mend, &after);
	if (r == 1)
		return 0;
	if (!r && strcmp(after, value)) {
		r = -EAGAIN;
		tell(work, true, "%s: %s was written, and it is %s", mend->path, value,
			after);
	} else if (r) {
		tell(work, true, "%s stays %s: %s", mend->path, now, strerror(-r));
	} else {
		tell(work, false, "%s: %s, was %s", mend->path, value, now);
	}
	return r;
}

static void mend_one(struct work *work, struct mend *mend)
{
	cleanup_free char *now = NULL;
	int r;

	if (mend->refused)
		return;
	r = read_value(work, mend, &now);
	if (r < 0)
		tell(work, true, "cannot read %s: %s", mend->path, strerror(-r));
	/* Somebody else's, who has come between, or whom mends_update() left alone. */
	if (r || !strcmp(now, mend->written) ||
		(strcmp(now, mend->found) && !mend_wrote(mend, now)))
		return;
	r = set_value(work, mend, now, mend->written);
	/* Of interrupts that the kernel or their driver manages. */
	mend->refused = r == -EIO || r == -EPERM;
}

static int open_root(const char *root, struct problem *problem)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? problem_set(problem, -errno, "cannot open %s: %s", root,
				strerror(errno))
		      : fd;
}

int control_mend(const char *root, const char *run_dir, struct host_facts *facts,
	const struct reserved *reserved, const struct cpuset *online,
	const struct mend_report *report, struct problem *problem)
{
	CLEANUP(mends_deinit) struct mends mends = {};
	cleanup_close int fd = open_root(root, problem);
	struct work work = {.root = fd, .report = report};
	bool refused = false;
	int r;

	if (fd < 0)
		return fd;
	r = mended_read(run_dir, &mends, problem);
	if (r)
		return r;
	mends_mark_fixed(&mends, facts);
	r = mends_update(&mends, facts, reserved, online);
	if (r < 0)
		return problem_nomem(problem);
	if (!r)
		r = mended_write(run_dir, &mends, problem);
	if (r < 0)
		return r;
	for (size_t i = 0; i < mends.n_items; i++) {
		bool before = mends.items[i].refused;

		mend_one(&work, &mends.items[i]);
		refused |= mends.items[i].refused != before;
	}
	r = refused ? mended_write(run_dir, &mends, problem) : 0;
	return r ? r : work.n_failed;
}

/* 1: it could not be given back. */
static int unmend_one(struct work *work, const struct mend *mend)
{
	cleanup_free char *now = NULL;
	int r = read_value(work, mend, &now);

	if (r < 0) {
		tell(work, true, "cannot read %s: %s", mend->path, strerror(-r));
		return 1;
	}
	if (r || !strcmp(now, mend->found))
		return 0;
	if (!mend_wrote(mend, now)) {
		tell(work, false,
			"%s is left at %s, which somebody has set since; it was %s",
			mend->path, now, mend->found);
		return 0;
	}
	return set_value(work, mend, now, mend->found) ? 1 : 0;
}

int control_unmend(const char *root, const char *run_dir,
	const struct mend_report *report, struct problem *problem)
{
	CLEANUP(mends_deinit) struct mends mends = {};
	cleanup_close int fd = open_root(root, problem);
	struct work work = {.root = fd, .report = report};
	size_t kept = 0;
	int r;

	if (fd < 0)
		return fd;
	r = mended_read(run_dir, &mends, problem);
	if (r)
		return r;
	for (size_t i = 0; i < mends.n_items; i++) {
		struct mend *mend = &mends.items[i];

		if (unmend_one(&work, mend))
			mends.items[kept++] = *mend;
		else
			mend_deinit(mend);
	}
	mends.n_items = kept;
	r = mends.n_items ? mended_write(run_dir, &mends, problem)
			  : mended_drop(run_dir, problem);
	return r < 0 ? r : work.n_failed;
}
