// SPDX-License-Identifier: GPL-2.0-or-later
/* The guard (bpf/guard.h). */
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "user/observer/maps.h"
#include "user/observer/parts.h"
#include "user/observer/programs.h"

void observer_set_libvirt(
	struct observer *observer, const struct program_file *files, size_t n)
{
	volatile struct exe *to = observer->controllers[0].libvirt;

	for (size_t i = 0; i < ABI_EXES; i++) {
		/* As the kernel's MKDEV(). */
		u32 device = i < n ? files[i].major << 20 | files[i].minor : 0;
		u64 inode = i < n ? files[i].inode : 0;

		if (to[i].inode == inode && to[i].device == device)
			continue;
		to[i].inode = 0;
		observer_barrier();
		to[i].device = device;
		observer_barrier();
		to[i].inode = inode;
	}
}

bool observer_has_guard(const struct observer *observer)
{
	return parts_attached(observer) & PART_GUARD;
}

bool observer_lacks_guard(const struct observer *observer, struct problem *problem)
{
	if (!(observer->health->wanted & PART_GUARD) || observer_has_guard(observer))
		return false;
	if (parts_supported() & PART_GUARD)
		problem_set(problem, -EOPNOTSUPP,
			"the guard that is asked for cannot be had: the kernel refused its BPF program");
	else
		problem_set(problem, -EOPNOTSUPP,
			"the guard that is asked for cannot be had: bpf is not among the kernel's security modules "
			"(/sys/kernel/security/lsm; boot with lsm=..., and bpf in it)");
	return true;
}

void observer_unguard(const char *dir)
{
	/* One is left where a takeover was killed. */
	static const char *const names[] = {LINK_GUARD, LINK_GUARD NEW_SUFFIX};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct bpf_link_info info = {};
		u32 len = sizeof(info);
		char path[PATH_MAX];
		int fd = observer_open_pin(dir, names[i]), r;

		if (fd < 0)
			continue;
		r = bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
		if (!observer_pin_path(path, dir, names[i]) && !unlink(path) && !r)
			program_wait_for_end(info.prog_id);
	}
}
