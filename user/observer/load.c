// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The observer's life. Pins hold it, in one directory that only root may enter. The link
 * of sched_switch is pinned last, so an observer that has it is whole; anything less is
 * what a killed start left behind, and is taken away by the next one.
 */
#include "user/observer/maps.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "build/bpf/observer.skel.h"
#include "user/base/cleanup.h"

_Static_assert((int)ABI_CPUS == (int)CPUSET_CPUS, "one bound");
_Static_assert((int)ABI_NAME == (int)VM_NAME_SIZE, "one bound");
_Static_assert((int)CAUSES == (int)CAUSE_COUNT, "one list of causes");

enum { MAGIC_BPFFS = 0xcafe4a11, RING_BYTES = 256 * 1024 };

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

uint64_t observer_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int pin_path(char path[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0
								       : -ENAMETOOLONG;
}

static int open_pin(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd, r = pin_path(path, dir, name);

	if (r)
		return r;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static size_t map_bytes(u32 entries, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (entries * size + page - 1) / page * page;
}

/* Maps a pinned flat map whose elements must have that size. */
static int map_pin(const char *dir, const char *name, size_t size, void **ret_memory,
	u32 *ret_entries)
{
	struct bpf_map_info info = {};
	u32 len = sizeof(info);
	cleanup_close int fd = open_pin(dir, name);
	void *memory;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != size ||
		!info.max_entries)
		return -ESTALE;
	memory = mmap(NULL, map_bytes(info.max_entries, size), PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	*ret_entries = info.max_entries;
	return 0;
}

static int map_all(struct observer *observer, const char *dir)
{
	void *memory;
	int r;

#define MAP(map, type)                                                     \
	r = map_pin(dir, #map, sizeof(type), &memory, &observer->n_##map); \
	if (r)                                                             \
		return r;                                                  \
	observer->map = memory;
	FLAT_MAPS(MAP)
#undef MAP
	observer->n_cpus = observer->n_cpu_rules;
	observer->task_counters = open_pin(dir, "task_counters");
	observer->events = open_pin(dir, "events");
	observer->link = open_pin(dir, LINK_SWITCH);
	if (observer->task_counters < 0)
		return observer->task_counters;
	if (observer->events < 0)
		return observer->events;
	return observer->link < 0 ? observer->link : 0;
}

static int open_whole(const char *dir, struct observer **ret_observer)
{
	struct observer *observer = calloc(1, sizeof(*observer));
	cleanup_close int exit_link = -1;
	int r;

	if (!observer)
		return -ENOMEM;
	observer->task_counters = observer->events = observer->link = -1;
	r = map_all(observer, dir);
	if (!r)
		exit_link = r = open_pin(dir, LINK_EXIT);
	if (r >= 0)
		r = observer->health->abi != ABI_VERSION || !observer->health->start ||
				    observer->n_cpu_runs < observer->n_cpus ||
				    observer->n_cpu_counters < observer->n_cpus ||
				    observer->n_task_index & (observer->n_task_index - 1)
			    ? -ESTALE
			    : 0;
	if (r) {
		observer_close(observer);
		return r == -ENOENT ? -ESTALE : r;
	}
	*ret_observer = observer;
	return 0;
}

int observer_open(
	const char *dir, struct observer **ret_observer, struct problem *problem)
{
	struct stat st;
	int r;

	libbpf_set_print(silent);
	if (lstat(dir, &st) < 0) {
		if (errno == ENOENT)
			return problem_set(problem, -ENOENT, "no observer is running");
		return problem_set(problem, -errno, "%s: %s", dir, strerror(errno));
	}
	r = open_whole(dir, ret_observer);
	if (r == -ESTALE)
		return problem_set(problem, r,
			"the observer in %s is incomplete or of another version", dir);
	if (r)
		return problem_set(problem, r, "cannot open the observer in %s: %s", dir,
			strerror(-r));
	return 0;
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
	if (observer->task_counters >= 0)
		close(observer->task_counters);
	if (observer->events >= 0)
		close(observer->events);
	if (observer->link >= 0)
		close(observer->link);
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
	if (!pin_path(path, dir, LINK_SWITCH))
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

int observer_supported(struct problem *problem)
{
	struct btf *btf;

	libbpf_set_print(silent);
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return problem_set(problem, -EOPNOTSUPP,
			"this kernel has no BTF (/sys/kernel/btf/vmlinux): the observer needs "
			"CONFIG_DEBUG_INFO_BTF=y");
	btf__free(btf);
	return 0;
}

const char *observer_libbpf_version(void)
{
	return libbpf_version_string();
}

static u32 clamp(u32 value, u32 low, u32 high)
{
	return value < low ? low : value > high ? high : value;
}

/* Every map has a bound that follows from the host's size; the index has four places a
 * thread. */
static void size_maps(struct observer_bpf *skel, u32 cpus)
{
	u32 n_tasks = clamp(64 * cpus, 4096, 65536), n_buckets = 1;

	while (n_buckets * ABI_BUCKET < 4 * n_tasks)
		n_buckets *= 2;
	bpf_map__set_max_entries(skel->maps.cpu_rules, cpus);
	bpf_map__set_max_entries(skel->maps.cpu_counters, cpus);
	bpf_map__set_max_entries(skel->maps.cpu_runs, cpus);
	bpf_map__set_max_entries(skel->maps.cpu_sets, clamp(4 * cpus, 256, 16384));
	bpf_map__set_max_entries(skel->maps.tasks, n_tasks);
	bpf_map__set_max_entries(skel->maps.task_counters, n_tasks);
	bpf_map__set_max_entries(skel->maps.task_index, n_buckets);
	bpf_map__set_max_entries(skel->maps.vms, clamp(4 * cpus, 64, 4096) + 1);
	bpf_map__set_max_entries(skel->maps.events, RING_BYTES);
	skel->rodata->index_mask = n_buckets - 1;
}

static int init_values(struct observer_bpf *skel, u32 cpus)
{
	struct health health = {
		.abi = ABI_VERSION, .cpus = cpus, .start = observer_now()};
	struct cpu_set_words all;
	u32 slot = SET_ALL, zero = 0;

	memset(&all, 0xff, sizeof(all));
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.cpu_sets), &slot, &all, BPF_ANY) ||
		bpf_map_update_elem(
			bpf_map__fd(skel->maps.health), &zero, &health, BPF_ANY))
		return -errno;
	return 0;
}

static int pin_all(struct observer_bpf *skel, const char *dir)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int r;

	bpf_object__for_each_map(map, skel->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		r = pin_path(path, dir, bpf_map__name(map));
		if (!r)
			r = bpf_map__pin(map, path);
		if (r)
			return r;
	}
	r = pin_path(path, dir, "fast");
	if (!r)
		r = bpf_map__pin(skel->maps.bss, path);
	if (!r)
		r = pin_path(path, dir, LINK_EXIT);
	if (!r)
		r = bpf_link__pin(skel->links.cpuwarden_exit, path);
	if (!r)
		r = pin_path(path, dir, LINK_SWITCH);
	return r ? r : bpf_link__pin(skel->links.cpuwarden_switch, path);
}

/* Makes the folder of all pins. Without a bpffs there, mkdir() fails with any error. */
static int make_dir(const char *dir, struct problem *problem)
{
	char parent[PATH_MAX];
	struct statfs fs;

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(dir, '/') - dir), dir);
	if (statfs(parent, &fs) < 0)
		return problem_set(problem, -errno, "%s: %s", parent, strerror(errno));
	if ((uint32_t)fs.f_type != MAGIC_BPFFS)
		return problem_set(problem, -ENODEV,
			"%s is not a bpf file system: mount -t bpf bpf %s", parent,
			parent);
	if (mkdir(dir, 0700) < 0)
		return problem_set(
			problem, -errno, "cannot make %s: %s", dir, strerror(errno));
	return 0;
}

static int start(const char *dir, u32 cpus, struct problem *problem)
{
	struct observer_bpf *skel;
	int r;

	skel = observer_bpf__open();
	if (!skel)
		return problem_set(problem, -errno, "cannot open the BPF program: %s",
			strerror(errno));
	size_maps(skel, cpus);
	r = observer_bpf__load(skel);
	if (r) {
		problem_set(problem, r, "the kernel refused the BPF program: %s",
			strerror(-r));
		goto out;
	}
	r = make_dir(dir, problem);
	if (r)
		goto out;
	r = init_values(skel, cpus);
	if (!r)
		r = observer_bpf__attach(skel);
	if (!r)
		r = pin_all(skel, dir);
	if (r)
		problem_set(problem, r, "cannot attach and pin the observer in %s: %s",
			dir, strerror(-r));
out:
	observer_bpf__destroy(skel);
	return r;
}

int observer_start(const char *dir, unsigned int cpus, struct observer **ret_observer,
	struct problem *problem)
{
	int r;

	/* Somebody else may have started one since the caller looked. */
	r = observer_open(dir, ret_observer, problem);
	if (r != -ENOENT && r != -ESTALE)
		return r;
	r = observer_supported(problem);
	if (!r)
		r = observer_remove(dir, problem);
	if (r)
		return r;
	r = start(dir, cpus, problem);
	if (!r)
		r = observer_open(dir, ret_observer, problem);
	if (r)
		observer_remove(dir, NULL);
	return r;
}
