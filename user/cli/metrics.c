// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exporter's page, by one look at the host: for who has no daemon, or no port to
 * scrape. Nothing is known of what a daemon has done, and of nothing that was between two
 * looks.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/cli/cli.h"
#include "user/daemon/publish.h"
#include "user/daemon/sample.h"
#include "user/model/coverage.h"

struct look {
	struct counters counters;
	bool known, up;
	uint64_t blind_ns;
};

/*
 * Figures are the exporter's, that only ever grow. Whether they can be trusted is
 * `check`'s question, of all the time since the observer's start: there was no look
 * before this one since when a doubt could count.
 */
static int look_at(const struct observer *observer, struct look *look)
{
	struct counters all;
	struct cpuset online = {};
	struct coverage_input input = {.counters = &all, .online = &online};
	struct problem reason;
	int r;

	r = sample_take(observer, &look->counters, &look->up);
	if (r)
		return r;
	look->known = true;
	r = observer_read(observer, &all);
	if (r)
		return r;
	sample_online(&online);
	input.alive = look->up;
	look->blind_ns = coverage_blind(&input, &reason);
	counters_deinit(&all);
	return 0;
}

static int look_for_observer(struct look *look, struct problem *problem)
{
	cleanup_observer struct observer *observer = NULL;
	int r = observer_open(OBSERVER_DIR, &observer, problem);

	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	r = look_at(observer, look);
	return r ? problem_set(problem, r, "cannot read the observer: %s", strerror(-r))
		 : 0;
}

/* NULL where the host cannot be read: that is told, too, beside the sentence. */
static char *look_at_placement(const struct request *request, int *ret_status)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	struct problem problem;
	size_t len;

	if (!cycle_read(&request->folders, &cycle, &problem))
		return publish_placement(&cycle, &len);
	*ret_status = cli_fail(&problem);
	return publish_placement(NULL, &len);
}

static char *make_page(const struct request *request, int *ret_status)
{
	struct look look = {};
	struct problem problem;
	cleanup_free char *placement = look_at_placement(request, ret_status);
	char *page = NULL;
	size_t len;
	FILE *stream;

	if (look_for_observer(&look, &problem))
		*ret_status = cli_fail(&problem);
	stream = placement ? open_memstream(&page, &len) : NULL;
	if (stream) {
		metrics_write_counters(stream, look.known ? &look.counters : NULL,
			look.blind_ns, look.up);
		fputs(placement, stream);
		if (fclose(stream)) {
			free(page);
			page = NULL;
		}
	}
	counters_deinit(&look.counters);
	return page;
}

/* Whoever collects it may be anybody. What takes the place of a device or a link would be
 * none any more. */
static int save_as(char *folder, char *name, const char *page)
{
	cleanup_close int dirfd =
		open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dirfd < 0)
		return -errno;
	name = basename(name);
	if (!fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) && !S_ISREG(st.st_mode))
		return -EINVAL;
	return file_save_at(dirfd, name, page, 0644);
}

static int save(const char *path, const char *page, struct problem *problem)
{
	char *folder = strdup(path), *name = strdup(path);
	int r = folder && name ? save_as(folder, name, page) : -ENOMEM;

	free(folder);
	free(name);
	return r ? problem_set(problem, r, "cannot write %s: %s", path,
			   r == -EINVAL ? "it is no regular file" : strerror(-r))
		 : 0;
}

int verb_metrics(const struct request *request)
{
	int status = EXIT_SUCCESS;
	cleanup_free char *page = make_page(request, &status);
	struct problem problem;

	if (!page) {
		problem_nomem(&problem);
		return cli_fail(&problem);
	}
	if (!request->textfile)
		fputs(page, stdout);
	else if (save(request->textfile, page, &problem))
		return cli_fail(&problem);
	return status;
}
