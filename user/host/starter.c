// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/starter.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"
#include "user/model/vm.h"

enum { STATUS_MAX = 1 << 20 };

#define NAME "starts %d" /* a pid has at most seven digits */

static pid_t tracer_of(int procfd)
{
	static const char key[] = "\nTracerPid:\t";
	cleanup_free char *text = NULL;
	const char *line, *end;
	uint64_t pid;

	if (file_read_all_at(procfd, "status", STATUS_MAX, &text))
		return 0;
	line = strstr(text, key);
	return line && !parse_u64_prefix(line + strlen(key), INT_MAX, &end, &pid)
		       ? (pid_t)pid
		       : 0;
}

enum starting starter_says(int procfd, pid_t pid)
{
	char path[32], comm[COMM_SIZE], wanted[COMM_SIZE];
	pid_t tracer = tracer_of(procfd);
	struct stat own, its;

	if (!tracer)
		return STARTING_NOT;
	snprintf(path, sizeof(path), "/proc/%d/exe", tracer);
	if (stat("/proc/self/exe", &own) || stat(path, &its) ||
		own.st_dev != its.st_dev || own.st_ino != its.st_ino)
		return STARTING_NOT;
	snprintf(path, sizeof(path), "/proc/%d/comm", tracer);
	snprintf(wanted, sizeof(wanted), NAME, pid);
	return file_read_at(AT_FDCWD, path, comm, sizeof(comm)) > 0 &&
			       !strcmp(comm, wanted)
		       ? STARTING_VM
		       : STARTING_FORK;
}

void starter_tell(pid_t pid)
{
	char name[COMM_SIZE];

	snprintf(name, sizeof(name), NAME, pid);
	prctl(PR_SET_NAME, name);
}
