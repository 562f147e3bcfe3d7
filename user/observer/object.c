// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/observer/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "build/bpf/observer.skel.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/hash.h"
#include "user/observer/maps.h"
#include "user/observer/parts.h"

#ifndef OBSERVER_BUILD
#define OBSERVER_BUILD "" /* tells builds of the same object file apart */
#endif

enum {
	RING_BYTES = 256 * 1024,
	NEWS_BYTES = 64 * 1024,
	CHANGES = 256, /* tasks that are changing something at a time */
	DRIFT = PART_AFFINITY | PART_CPUSET | PART_PARTITION | PART_MOVE,
};

void object_deinit(struct object *object)
{
	for (size_t i = 0; i < PROGRAMS_MAX; i++)
		bpf_link__destroy(object->links[i]);
	observer_bpf__destroy(object->skel);
}

u64 object_build(void)
{
	size_t size;
	const void *elf = observer_bpf__elf_bytes(&size);

	return hash_add(hash_add(HASH_NOTHING, elf, size), OBSERVER_BUILD,
		strlen(OBSERVER_BUILD));
}

u32 object_parts(const struct observer_wish *wish)
{
	return (wish->drift ? (u32)DRIFT : 0) |
	       (wish->interrupts ? (u32)PART_INTERRUPTS : 0) |
	       (wish->guard ? (u32)PART_GUARD : 0);
}

static u32 clamp(u32 value, u32 low, u32 high)
{
	return value < low ? low : value > high ? high : value;
}

/* Every map has a bound that follows from the host's size; the index has four places a
 * thread. */
static void size_maps(struct observer_bpf *skel, u32 cpus)
{
	u32 n_tasks = clamp(64 * cpus, 8192, 65536), n_buckets = 1,
	    n_vms = clamp(4 * cpus, 1024, 4096) + 1;

	while (n_buckets * ABI_BUCKET < 4 * n_tasks)
		n_buckets *= 2;
	bpf_map__set_max_entries(skel->maps.cpu_rules, cpus);
	bpf_map__set_max_entries(skel->maps.cpu_counters, cpus);
	bpf_map__set_max_entries(skel->maps.cpu_runs, cpus);
	bpf_map__set_max_entries(skel->maps.interrupts, cpus);
	bpf_map__set_max_entries(skel->maps.cpu_sets, clamp(4 * cpus, 256, 16384));
	bpf_map__set_max_entries(skel->maps.tasks, n_tasks);
	bpf_map__set_max_entries(skel->maps.task_counters, n_tasks);
	bpf_map__set_max_entries(skel->maps.task_index, n_buckets);
	bpf_map__set_max_entries(skel->maps.vms, n_vms);
	bpf_map__set_max_entries(skel->maps.groups, n_tasks);
	bpf_map__set_max_entries(skel->maps.culprits, clamp(16 * cpus, 1024, 16384));
	bpf_map__set_max_entries(skel->maps.drifts, ABI_DRIFTS + ABI_OWN_DRIFTS);
	bpf_map__set_max_entries(skel->maps.changes, CHANGES);
	bpf_map__set_max_entries(skel->maps.controllers, ABI_CONTROLLERS);
	bpf_map__set_max_entries(skel->maps.events, RING_BYTES);
	bpf_map__set_max_entries(skel->maps.news, NEWS_BYTES);
	skel->rodata->index_mask = n_buckets - 1;
}

/* What a map is pinned as, NULL for one that each program has its own of. */
static const char *pin_name(const struct observer_bpf *skel, const struct bpf_map *map)
{
	if (map == skel->maps.bss)
		return "filter";
	return bpf_map__is_internal(map) ? NULL : bpf_map__name(map);
}

static int reuse_maps(struct observer_bpf *skel, const char *dir, u32 n_buckets)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj)
	{
		const char *name = pin_name(skel, map);
		cleanup_close int fd = name ? observer_open_pin(dir, name) : -1;
		int r;

		if (!name)
			continue;
		r = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (r)
			return r;
	}
	skel->rodata->index_mask = n_buckets - 1;
	return 0;
}

static int load_parts(struct object *object, const struct observer *running, u32 cpus,
	u32 wanted, u32 *ret_parts)
{
	int r = 0;

	observer_bpf__destroy(object->skel);
	object->skel = observer_bpf__open();
	if (!object->skel)
		return -errno;
	if (running)
		r = reuse_maps(object->skel, object->dir, running->n_task_index);
	else
		size_maps(object->skel, cpus);
	if (!r)
		r = parts_choose(object->skel->obj, wanted, ret_parts);
	return r ? r : observer_bpf__load(object->skel);
}

int object_load(
	struct object *object, const struct observer *running, u32 cpus, u32 wanted)
{
	u32 parts = 0, taken = 0, one;

	if (!load_parts(object, running, cpus, wanted, &parts))
		return 0;
	for (u32 part = 1; part <= parts; part <<= 1)
		if (parts & part && !load_parts(object, running, cpus, part, &one))
			taken |= part;
	return load_parts(object, running, cpus, taken, &parts);
}

static void drop_part(struct object *object, u32 part)
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program(program, object->skel->obj)
	{
		if (program_part(program) == part) {
			bpf_link__destroy(object->links[i]);
			object->links[i] = NULL;
		}
		i++;
	}
}

int object_attach(struct object *object)
{
	struct bpf_program *program;
	u32 refused = 0, part;
	size_t i = 0;

	bpf_object__for_each_program(program, object->skel->obj)
	{
		if (i >= PROGRAMS_MAX)
			return -E2BIG;
		if (bpf_program__autoload(program) && !program_is_called(program)) {
			part = program_part(program);
			object->links[i] = bpf_program__attach(program);
			if (!object->links[i] && !part)
				return -errno;
			if (!object->links[i])
				refused |= part;
			object->parts |= part;
		}
		i++;
	}
	for (part = 1; part <= refused; part <<= 1)
		if (refused & part)
			drop_part(object, part);
	object->parts &= ~refused;
	return 0;
}

static int init_interrupts(int map, const struct observer_wish *wish)
{
	for (u32 cpu = 0; wish->base && cpu < wish->cpus && cpu < wish->base->n_cpus;
		cpu++) {
		const struct interrupts first = {
			.irq_base = wish->base->cpus[cpu].interrupts,
			.softirq_base = wish->base->cpus[cpu].softirqs};

		if (bpf_map_update_elem(map, &cpu, &first, BPF_ANY))
			return -errno;
	}
	return 0;
}

int object_init_maps(struct object *object, const struct observer_wish *wish)
{
	const struct observer_bpf *skel = object->skel;
	struct health health = {.abi = ABI_VERSION,
		.cpus = wish->cpus,
		.build = object_build(),
		.wanted = object_parts(wish),
		.start = clock_now_ns()};
	const struct culprit_key rest = {.cause = CAUSES};
	const struct culprit_runs none = {};
	struct cpu_set_words all;
	u32 slot = SET_ALL, zero = 0;

	memset(&all, 0xff, sizeof(all));
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.cpu_sets), &slot, &all, BPF_ANY) ||
		bpf_map_update_elem(
			bpf_map__fd(skel->maps.culprits), &rest, &none, BPF_ANY) ||
		bpf_map_update_elem(
			bpf_map__fd(skel->maps.health), &zero, &health, BPF_ANY))
		return -errno;
	return init_interrupts(bpf_map__fd(skel->maps.interrupts), wish);
}

int object_note_parts(const struct object *object)
{
	/* In place: the program counts in the same entry. */
	struct health *health = mmap(NULL, sizeof(*health), PROT_READ | PROT_WRITE,
		MAP_SHARED, bpf_map__fd(object->skel->maps.health), 0);

	if (health == MAP_FAILED)
		return -errno;
	health->parts = object->parts;
	munmap(health, sizeof(*health));
	return 0;
}

int object_pin_maps(struct object *object)
{
	struct bpf_map *map;
	char path[PATH_MAX];

	bpf_object__for_each_map(map, object->skel->obj)
	{
		const char *name = pin_name(object->skel, map);
		int r;

		if (!name)
			continue;
		r = observer_pin_path(path, object->dir, name);
		if (!r)
			r = bpf_map__pin(map, path);
		if (r)
			return r;
	}
	return 0;
}

/* Calls `act` for each program that is to be pinned, the one at sched_switch last. */
static int for_each_pin(struct object *object,
	int (*act)(const struct object *, struct bpf_program *, struct bpf_link *))
{
	struct bpf_program *program;
	struct bpf_link *last = NULL;
	size_t i = 0;
	int r;

	bpf_object__for_each_program(program, object->skel->obj)
	{
		struct bpf_link *link = object->links[i++];

		if (program == object->skel->progs.cpuwarden_switch)
			last = link;
		else if ((link || program_is_called(program)) &&
			 (r = act(object, program, link)))
			return r;
	}
	return act(object, object->skel->progs.cpuwarden_switch, last);
}

static int pin_new(
	const struct object *object, struct bpf_program *program, struct bpf_link *link)
{
	char path[PATH_MAX];
	int r = program_pin(program, object->dir, NEW_SUFFIX, path);

	if (!r && unlink(path) && errno != ENOENT)
		r = -errno;
	if (!r && !link)
		return bpf_program__pin(program, path);
	return r ? r : bpf_link__pin(link, path);
}

static int rename_new(
	const struct object *object, struct bpf_program *program, struct bpf_link *link)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = program_pin(program, object->dir, NEW_SUFFIX, from);

	(void)link;
	if (!r)
		r = program_pin(program, object->dir, "", to);
	if (!r && rename(from, to))
		r = -errno;
	return r;
}

int object_pin_links(struct object *object)
{
	int r = for_each_pin(object, pin_new);

	return r ? r : for_each_pin(object, rename_new);
}

static void unpin(const struct object *object, const struct bpf_program *program,
	const char *suffix)
{
	char path[PATH_MAX];

	if (!program_pin(program, object->dir, suffix, path))
		unlink(path);
}

void object_unpin_new(const struct object *object)
{
	struct bpf_program *program;

	if (!object->skel)
		return;
	bpf_object__for_each_program(program, object->skel->obj)
	{
		unpin(object, program, NEW_SUFFIX);
	}
}

void object_unpin_missing(const struct object *object)
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program(program, object->skel->obj)
	{
		if (!object->links[i++] && !program_is_called(program))
			unpin(object, program, "");
	}
}
