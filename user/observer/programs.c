// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/observer/programs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/observer/maps.h"
#include "user/observer/parts.h"

#define PROGRAM "cpuwarden_switch"

enum {
	MAPS_MAX = 64,
	LET_GO_MS = 5000, /* for the kernel to detach a program */
};

static bool counts_into(u32 program, u32 map)
{
	u32 maps[MAPS_MAX] = {}, len;
	struct bpf_prog_info info = {.map_ids = (uintptr_t)maps, .nr_map_ids = MAPS_MAX};
	cleanup_close int fd = bpf_prog_get_fd_by_id(program);

	len = sizeof(info);
	/* The kernel cuts names (BPF_OBJ_NAME_LEN). */
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ||
		strncmp(info.name, PROGRAM, sizeof(info.name) - 1))
		return false;
	for (u32 i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++)
		if (maps[i] == map)
			return true;
	return false;
}

int programs_count(const char *dir)
{
	struct bpf_map_info info = {};
	u32 len = sizeof(info), id = 0;
	cleanup_close int fd = observer_open_pin(dir, "cpu_counters");
	int n = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	while (!bpf_prog_get_next_id(id, &id))
		n += counts_into(id, info.id);
	return n;
}

void programs_pause_ms(unsigned int ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000L};

	nanosleep(&pause, NULL);
}

bool programs_wait(const char *dir, int n)
{
	for (unsigned int ms = 0; programs_count(dir) != n; ms++) {
		if (ms == LET_GO_MS)
			return false;
		programs_pause_ms(1);
	}
	return true;
}

void program_wait_for_end(u32 id)
{
	for (unsigned int ms = 0; ms < LET_GO_MS; ms++) {
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			return;
		close(fd);
		programs_pause_ms(1);
	}
}

int program_misses(const char *dir, u64 *ret_misses)
{
	struct bpf_link_info link_info = {};
	struct bpf_prog_info info = {};
	u32 len = sizeof(link_info);
	cleanup_close int link = observer_open_pin(dir, LINK_SWITCH), program = -1;

	if (link < 0)
		return link;
	if (bpf_obj_get_info_by_fd(link, &link_info, &len))
		return -errno;
	program = bpf_prog_get_fd_by_id(link_info.prog_id);
	len = sizeof(info);
	if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &len))
		return -errno;
	*ret_misses = info.recursion_misses;
	return 0;
}
