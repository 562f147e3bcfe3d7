// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/pins.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/store/edit.h"

void vm_texts_deinit(struct vm_texts *texts)
{
	free(texts->etc);
	free(texts->run);
	memset(texts, 0, sizeof(*texts));
}

static bool same(const struct cpuset *a, const struct cpuset *b)
{
	return a && b ? cpuset_equal(a, b) : a == b;
}

/* In place; a text that is NULL becomes one when something is set. */
static int edit_one(const char *path, char **text, const char *section, const char *key,
	const char *value, struct problem *problem)
{
	const struct edit edit = {section, key, value};
	const char *before = *text ? *text : "";
	char *after;
	size_t size;
	int r;

	if (!*text && !value)
		return 0;
	r = edit_text(path, before, strlen(before), &edit, &after, &size, problem);
	if (r)
		return r;
	free(*text);
	*text = after;
	return 0;
}

static int edit_pin(const char *path, char **text, const struct pin_change *change,
	const struct cpuset *cpus, const char *otherwise, struct problem *problem)
{
	static const char *const sections[] = {[THREAD_VCPU] = "vcpupin",
		[THREAD_EMULATOR] = "emulatorpin",
		[THREAD_IOTHREAD] = "iothreadpin"};
	cleanup_free char *list = cpus ? cpulist_format(cpus) : NULL;
	char key[16] = "cpus";

	if (cpus && !list)
		return problem_nomem(problem);
	if (change->class != THREAD_EMULATOR)
		snprintf(key, sizeof(key), "%u", change->index);
	return edit_one(path, text, sections[change->class], key, cpus ? list : otherwise,
		problem);
}

static int name_process(const char *path, char **text, const struct process_id *process,
	struct problem *problem)
{
	char pid[16] = "", start[24] = "";
	int r;

	if (process) {
		snprintf(pid, sizeof(pid), "%d", process->pid);
		snprintf(start, sizeof(start), "%" PRIu64, process->start_time);
	}
	r = edit_one(
		path, text, PROCESS_SECTION, PROCESS_PID, process ? pid : NULL, problem);
	return r ? r
		 : edit_one(path, text, PROCESS_SECTION, PROCESS_START,
			   process ? start : NULL, problem);
}

/* A text with nothing in it is no file. */
static void drop_blank(char **text)
{
	if (*text && !(*text)[strspn(*text, " \t\r\n")]) {
		free(*text);
		*text = NULL;
	}
}

static int change_run(const char *path, char **text, const struct pin_change *change,
	struct problem *problem)
{
	const struct cpuset *now = change->live ? change->cpus : change->now;
	const struct cpuset *etc = change->config ? change->cpus : change->etc;
	cleanup_free char *rest = NULL;
	int r;

	if (!same(now, etc)) {
		r = edit_pin(path, text, change, now, "none", problem);
		return r ? r : name_process(path, text, change->process, problem);
	}
	r = edit_pin(path, text, change, NULL, NULL, problem);
	if (r || !*text)
		return r;
	/* A file that says no more than whose it is says nothing. */
	rest = strdup(*text);
	if (!rest)
		return problem_nomem(problem);
	r = name_process(path, &rest, NULL, problem);
	drop_blank(&rest);
	if (!r && !rest) {
		free(*text);
		*text = NULL;
	}
	return r;
}

static int copy(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

int pins_change(const struct vm_texts *before, const struct pin_change *change,
	struct vm_texts *ret_after, struct problem *problem)
{
	CLEANUP(vm_texts_deinit) struct vm_texts after = {};
	char path[VM_NAME_SIZE + sizeof("vms.d/.conf")];
	int r = 0;

	snprintf(path, sizeof(path), "vms.d/%s.conf", change->vm);
	if (copy(before->etc, &after.etc) || copy(before->run, &after.run))
		return problem_nomem(problem);
	if (change->config) {
		r = edit_pin(path, &after.etc, change, change->cpus, NULL, problem);
		drop_blank(&after.etc);
	}
	if (!r && change->process)
		r = change_run(path, &after.run, change, problem);
	if (r)
		return r;
	*ret_after = after;
	memset(&after, 0, sizeof(after));
	return 0;
}
