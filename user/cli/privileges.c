// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/file.h"
#include "user/cli/cli.h"

/* include/uapi/linux/capability.h. CAP_BPF and CAP_PERFMON are in CAP_SYS_ADMIN, to the
 * kernel; that one is asked for wherever programs are looked up by id. */
static const struct {
	unsigned int bit;
	const char *name;
} needed[] = {{21, "CAP_SYS_ADMIN"}, {23, "CAP_SYS_NICE"}, {19, "CAP_SYS_PTRACE"}};

int cli_check_privileges(const struct request *request, struct problem *problem)
{
	char status[8192];
	const char *line;
	uint64_t effective = 0;

	if (geteuid())
		return problem_set(
			problem, -EPERM, "`%s` must be run as root", request->verb->name);
	if (file_read_at(AT_FDCWD, "/proc/self/status", status, sizeof(status)) < 0)
		return problem_set(problem, -EIO,
			"cannot read /proc/self/status: is /proc mounted?");
	line = strstr(status, "CapEff:");
	if (line)
		effective = strtoull(line + strlen("CapEff:"), NULL, 16);
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!(effective >> needed[i].bit & 1))
			return problem_set(problem, -EPERM, "`%s` needs %s",
				request->verb->name, needed[i].name);
	return 0;
}
