// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the observer comes to run: from nothing, or in the place of another program at the
 * same maps.
 *
 * A takeover. Every CPU is told that two programs are attached (CPU_TAKEOVER); the
 * new ones are attached; once the new one has seen switches that the old one had
 * examined, its pins take the place of the old ones, that of sched_switch last. When the
 * kernel has let go of the old one, the CPUs are told that there is one again. Whoever is
 * killed on the way leaves either program or both attached, each switch examined once,
 * and `takeover` set: the next start goes on from there.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/observer/maps.h"
#include "user/observer/object.h"
#include "user/observer/parts.h"
#include "user/observer/programs.h"

enum {
	MAGIC_BPFFS = 0xcafe4a11,
	SECOND_MS = 2000, /* for a switch to be seen by both programs */
};

uint64_t observer_build(const struct observer *observer)
{
	return observer->health->build;
}

static bool is_wished(const struct observer *observer, const struct observer_wish *wish)
{
	return observer->health->build == object_build() &&
	       observer->health->wanted == object_parts(wish) &&
	       observer->health->parts == parts_attached(observer);
}

bool observer_is_current(
	const struct observer *observer, const struct observer_wish *wish)
{
	return is_wished(observer, wish) && !observer->health->takeover;
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

static int start_new(
	const char *dir, const struct observer_wish *wish, struct problem *problem)
{
	CLEANUP(object_deinit) struct object object = {.dir = dir};
	int r;

	r = object_load(&object, NULL, wish->cpus, object_parts(wish));
	if (r)
		return problem_set(problem, r, "the kernel refused the BPF program: %s",
			strerror(-r));
	/* What is there is of no use; but had the kernel refused, it would have gone on.
	 */
	r = observer_remove(dir, problem);
	if (!r)
		r = make_dir(dir, problem);
	if (r)
		return r;
	r = object_init_maps(&object, wish);
	if (!r)
		r = object_pin_maps(&object);
	if (!r)
		r = object_attach(&object);
	if (!r)
		r = object_note_parts(&object);
	if (!r)
		r = object_pin_links(&object);
	if (!r)
		return 0;
	observer_remove(dir, NULL);
	return problem_set(problem, r, "cannot attach and pin the observer in %s: %s",
		dir, strerror(-r));
}

static void tell_takeover(struct observer *observer, bool takeover)
{
	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++) {
		u32 vm = observer->cpu_counters[cpu].fast.vm & ~CPU_TAKEOVER;

		/* Of the one before, nothing counts; but of one that was begun and not
		 * finished both programs may be at a switch. */
		if (!(observer->cpu_counters[cpu].fast.vm & CPU_TAKEOVER))
			observer->cpu_counters[cpu].fast.examined = 0;
		observer->cpu_counters[cpu].fast.vm = vm | (takeover ? CPU_TAKEOVER : 0);
	}
	observer_wait_for_readers();
}

/* From here on switches are examined once, however many programs are attached. */
static void begin_takeover(struct observer *observer)
{
	observer->health->takeover = 1;
	tell_takeover(observer, true);
}

static bool finish_takeover(const char *dir, struct observer *observer)
{
	if (!programs_wait(dir, 1))
		return false;
	observer_wait_for_readers();
	tell_takeover(observer, false);
	observer->health->takeover = 0;
	return true;
}

static u64 count_seconded(const struct observer *observer)
{
	u64 sum = 0;

	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++)
		sum += observer->cpu_counters[cpu].fast.seconded;
	return sum;
}

/* Whoever sleeps is switched out and in again: so there are switches to be seen. */
static bool is_seconded(const struct observer *observer)
{
	u64 before = count_seconded(observer);

	for (unsigned int ms = 0; ms < SECOND_MS; ms++) {
		programs_pause_ms(1);
		if (count_seconded(observer) > before)
			return true;
	}
	return false;
}

/* What a killed takeover has pinned would second a program that is never called. */
static int attach_beside(struct object *object, const struct observer *observer,
	const struct observer_wish *wish, struct problem *problem)
{
	int r = object_load(object, observer, observer->n_cpus, object_parts(wish));

	if (!r) {
		object_unpin_new(object);
		r = programs_wait(object->dir, 2) ? object_attach(object) : -EBUSY;
	}
	if (r)
		return problem_set(problem, r, "the kernel refused the BPF program: %s",
			strerror(-r));
	if (!is_seconded(observer))
		return problem_set(problem, -EIO,
			"the new BPF program is not called at context switches, so the running one "
			"stays");
	return 0;
}

static int replace(struct observer *observer, struct object *object,
	const struct observer_wish *wish, struct problem *problem)
{
	u64 misses;
	int r;

	r = attach_beside(object, observer, wish, problem);
	if (r)
		return r;
	r = program_misses(object->dir, &misses);
	if (!r) {
		/* First: who looks meanwhile may see them twice, and not never. */
		observer->health->missed += misses;
		r = object_pin_links(object);
		if (r)
			observer->health->missed -= misses;
	}
	if (r)
		return problem_set(problem, r, "cannot pin the new BPF program in %s: %s",
			object->dir, strerror(-r));
	observer->health->parts = object->parts;
	observer->health->wanted = object_parts(wish);
	observer->health->build = object_build();
	object_unpin_missing(object);
	return 0;
}

static int take_over(const char *dir, struct observer *observer,
	const struct observer_wish *wish, struct problem *problem)
{
	struct object object = {.dir = dir};
	int r;

	/* One that is over but for the program before, which somebody holds. Each switch
	 * is examined once meanwhile, and VMs are to be looked after. */
	if (is_wished(observer, wish)) {
		object_unpin_new(&object);
		finish_takeover(dir, observer);
		return 0;
	}
	begin_takeover(observer);
	r = replace(observer, &object, wish, problem);
	if (r)
		object_unpin_new(&object);
	object_deinit(&object);
	/* Until the kernel has let go of the other one, the next start tries again. */
	finish_takeover(dir, observer);
	return r;
}

static int require_btf(struct problem *problem)
{
	if (access("/sys/kernel/btf/vmlinux", F_OK))
		return problem_set(problem, -EOPNOTSUPP,
			"this kernel has no BTF (/sys/kernel/btf/vmlinux): the observer needs "
			"CONFIG_DEBUG_INFO_BTF=y");
	return 0;
}

int observer_start(const char *dir, const struct observer_wish *wish,
	struct observer **ret_observer, struct problem *problem)
{
	struct observer *observer;
	int r;

	/* Somebody else may have started one since the caller looked. */
	r = observer_open(dir, &observer, problem);
	if (!r) {
		if (!observer_is_current(observer, wish))
			r = take_over(dir, observer, wish, problem);
		observer_close(observer);
		return r ? r : observer_open(dir, ret_observer, problem);
	}
	if (r != -ENOENT && r != -ESTALE)
		return r;
	if (problem)
		*problem->text = '\0';
	r = require_btf(problem);
	if (!r)
		r = start_new(dir, wish, problem);
	if (r)
		return r;
	r = observer_open(dir, ret_observer, problem);
	if (r)
		observer_remove(dir, NULL);
	return r;
}
