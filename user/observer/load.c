// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The observer's life. Pins hold it, in one directory that only root may enter. The link
 * of sched_switch is pinned last, so an observer that has it is whole; anything less is
 * what a killed start left behind, and is taken away by the next one.
 */
#include "user/observer/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"
#include "user/observer/parts.h"

_Static_assert((int)ABI_CPUS == (int)CPUSET_CPUS, "one bound");
_Static_assert((int)ABI_NAME == (int)VM_NAME_SIZE, "one bound");
_Static_assert((int)CAUSES == (int)CAUSE_COUNT, "one list of causes");

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

void observer_copy_comm(char to[ABI_COMM], const char from[ABI_COMM])
{
	for (u32 i = 0; i < ABI_COMM - 1; i++)
		to[i] = !from[i] || (from[i] >= 0x20 && from[i] < 0x7f) ? from[i] : '?';
	to[ABI_COMM - 1] = '\0';
}

int observer_pin_path(char path[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0
								       : -ENAMETOOLONG;
}

static int open_pin(const char *dir, const char *name, u32 flags)
{
	const struct bpf_obj_get_opts options = {
		.sz = sizeof(options), .file_flags = flags};
	char path[PATH_MAX];
	int fd, r = observer_pin_path(path, dir, name);

	if (r)
		return r;
	fd = bpf_obj_get_opts(path, &options);
	return fd < 0 ? -errno : fd;
}

int observer_open_pin(const char *dir, const char *name)
{
	return open_pin(dir, name, 0);
}

static size_t map_bytes(u32 entries, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (entries * size + page - 1) / page * page;
}

/*
 * Maps a pinned flat map whose elements must have that size. What is mapped to be read
 * the kernel lets nobody make writable (bpf_map_mmap(), kernel/bpf/syscall.c); opened to
 * be read it cannot be mapped.
 */
static int map_pin(const char *dir, const char *name, size_t size, bool to_read,
	void **ret_memory, u32 *ret_entries)
{
	struct bpf_map_info info = {};
	u32 len = sizeof(info);
	cleanup_close int fd = observer_open_pin(dir, name);
	void *memory;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != size ||
		!info.max_entries)
		return -ESTALE;
	memory = mmap(NULL, map_bytes(info.max_entries, size),
		PROT_READ | (to_read ? 0 : PROT_WRITE), MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	*ret_entries = info.max_entries;
	return 0;
}

/* What of it is wanted. All that is mapped counts as the process's memory. */
enum extent {
	WHOLE,
	TO_READ,
	TO_HEAR, /* who VMs are, and what was lost; and the ring buffer */
};

static bool is_heard(const char *map)
{
	return !strcmp(map, "health") || !strcmp(map, "vms");
}

static int map_all(struct observer *observer, const char *dir, enum extent extent)
{
	u32 flags = extent == TO_READ ? BPF_F_RDONLY : 0;
	void *memory = NULL;
	int r;

#define MAP(map, type)                                                         \
	if (extent != TO_HEAR || is_heard(#map)) {                             \
		r = map_pin(dir, #map, sizeof(type), extent != WHOLE, &memory, \
			&observer->n_##map);                                   \
		if (r)                                                         \
			return r;                                              \
		observer->map = memory;                                        \
	}
	FLAT_MAPS(MAP)
#undef MAP
	observer->n_cpus = observer->n_cpu_rules;
#define OPEN(map)                                   \
	observer->map = open_pin(dir, #map, flags); \
	if (observer->map < 0)                      \
		return observer->map;
	if (extent != TO_HEAR) {
		OPEN(task_counters)
	}
	if (extent == WHOLE) {
		OPEN(culprits)
		OPEN(groups)
	}
	if (extent != TO_READ) {
		OPEN(events)
	}
#undef OPEN
	return 0;
}

static bool is_ours(const struct observer *observer)
{
	return observer->health->abi == ABI_VERSION && observer->health->start;
}

static bool is_whole(const struct observer *observer)
{
	return is_ours(observer) && observer->n_cpu_runs >= observer->n_cpus &&
	       observer->n_cpu_counters >= observer->n_cpus &&
	       observer->n_interrupts >= observer->n_cpus &&
	       observer->n_drifts >= ABI_DRIFTS &&
	       observer->n_controllers >= ABI_CONTROLLERS &&
	       !(observer->n_task_index & (observer->n_task_index - 1));
}

static int open_programs(const char *dir)
{
	static const char *const pins[] = {
		PROG_LOOK, LINK_EXIT, LINK_EXEC, LINK_BORN, LINK_NAMED, LINK_SWITCH};

	for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++) {
		cleanup_close int fd = observer_open_pin(dir, pins[i]);

		if (fd < 0)
			return fd;
	}
	return 0;
}

static int open_parts(const char *dir, enum extent extent, struct observer **ret_observer)
{
	struct observer *observer = calloc(1, sizeof(*observer));
	int r;

	if (!observer)
		return -ENOMEM;
	observer->task_counters = observer->culprits = observer->groups =
		observer->events = -1;
	observer->dir = strdup(dir);
	r = observer->dir ? map_all(observer, dir, extent) : -ENOMEM;
	if (!r)
		r = open_programs(dir);
	if (!r && !(extent == TO_HEAR ? is_ours(observer) : is_whole(observer)))
		r = -ESTALE;
	if (r) {
		observer_close(observer);
		return r == -ENOENT ? -ESTALE : r;
	}
	*ret_observer = observer;
	return 0;
}

static int open_observer(const char *dir, enum extent extent,
	struct observer **ret_observer, struct problem *problem)
{
	struct stat st;
	int r;

	libbpf_set_print(silent);
	if (lstat(dir, &st) < 0) {
		if (errno == ENOENT)
			return problem_set(problem, -ENOENT, "no observer is running");
		return problem_set(problem, -errno, "%s: %s", dir, strerror(errno));
	}
	r = open_parts(dir, extent, ret_observer);
	if (r == -ESTALE)
		return problem_set(problem, r,
			"the observer in %s is incomplete or of another version", dir);
	if (r)
		return problem_set(problem, r, "cannot open the observer in %s: %s", dir,
			strerror(-r));
	return 0;
}

int observer_open(
	const char *dir, struct observer **ret_observer, struct problem *problem)
{
	return open_observer(dir, WHOLE, ret_observer, problem);
}

int observer_open_to_read(
	const char *dir, struct observer **ret_observer, struct problem *problem)
{
	return open_observer(dir, TO_READ, ret_observer, problem);
}

int observer_open_to_hear(
	const char *dir, struct observer **ret_observer, struct problem *problem)
{
	return open_observer(dir, TO_HEAR, ret_observer, problem);
}

void observer_close(struct observer *observer)
{
	if (!observer)
		return;
#define UNMAP(map, type)   \
	if (observer->map) \
		munmap((void *)observer->map, map_bytes(observer->n_##map, sizeof(type)));
	FLAT_MAPS(UNMAP)
#undef UNMAP
	const int fds[] = {observer->task_counters, observer->culprits, observer->groups,
		observer->events};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(observer->dir);
	free(observer);
}

void observer_close_p(struct observer **observer)
{
	observer_close(*observer);
}

int observer_remove(const char *dir, struct problem *problem)
{
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *open_dir;
	int r = 0;

	/* Links first: from here on nothing is counted, and a half removed one is not
	 * whole. */
	if (!observer_pin_path(path, dir, LINK_SWITCH))
		unlink(path);
	open_dir = opendir(dir);
	if (!open_dir)
		return errno == ENOENT
			       ? 0
			       : problem_set(problem, -errno, "cannot open %s: %s", dir,
					 strerror(errno));
	while ((entry = readdir(open_dir)))
		if (entry->d_name[0] != '.' &&
			unlinkat(dirfd(open_dir), entry->d_name, 0) < 0)
			r = -errno;
	closedir(open_dir);
	if (rmdir(dir) < 0 && !r)
		r = -errno;
	return r ? problem_set(problem, r, "cannot remove %s: %s", dir, strerror(-r)) : 0;
}

const char *observer_libbpf_version(void)
{
	return libbpf_version_string();
}
