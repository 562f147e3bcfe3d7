/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The files vms.d/NAME.conf of one VM, in /etc and in /run, as texts. The one in /run
 * ends with its VM: a section [process] says which process it is of,
 *
 *	[process]
 *	pid = 1234
 *	start_time = 5678	; field 22 of /proc/PID/stat
 *
 * and once that has ended, nothing in the file counts. A file that somebody wrote without
 * one is of whatever VM has the name.
 */
#include <stdbool.h>

#include "user/base/problem.h"
#include "user/model/vm.h"

#define PROCESS_SECTION "process"
#define PROCESS_PID "pid"
#define PROCESS_START "start_time"

typedef bool process_alive_fn(const struct process_id *process);

/* -ENAMETOOLONG with a sentence. `path` has PATH_MAX bytes. */
int vm_file_path(const char *dir, const char *vm, char *path, struct problem *problem);

/*
 * What is in the file. 1: there is none, or, unless `alive` is NULL, its process has
 * ended. The caller frees *ret_text. Else the errno and sentence of inifile_load().
 */
int vm_file_load(const char *dir, const char *vm, process_alive_fn *alive,
	char **ret_text, size_t *ret_size, struct problem *problem);

/* Makes that text the file, its folders included; NULL removes it. Whole or not at all.
 */
int vm_file_save(
	const char *dir, const char *vm, const char *text, struct problem *problem);

/*
 * Removes from a folder what killed runs have left there and, unless `alive` is NULL, the
 * files whose process has ended. The caller holds the lock.
 */
int vm_file_sweep(const char *dir, process_alive_fn *alive, struct problem *problem);
