// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/observer/parts.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/observer/maps.h"

#define PREFIX "cpuwarden_"
#define LSM_LIST "/sys/kernel/security/lsm"

/* Programs of optional parts. A kernel's function may have changed its name. */
static const struct row {
	const char *program; /* behind PREFIX */
	enum part part;
	const char *functions[2]; /* one of them is hooked on to; NULL: by its section */
} rows[] = {
	{"affinity_begin", PART_AFFINITY, {"sched_setaffinity"}},
	{"affinity_target", PART_AFFINITY, {"security_task_setscheduler"}},
	{"affinity_end", PART_AFFINITY, {"sched_setaffinity"}},
	{"cpuset_begin", PART_CPUSET, {"cpuset_write_resmask"}},
	{"cpuset_end", PART_CPUSET, {"cpuset_write_resmask"}},
	{"partition_begin", PART_PARTITION,
		{"sched_partition_write", "cpuset_partition_write"}},
	{"partition_end", PART_PARTITION,
		{"sched_partition_write", "cpuset_partition_write"}},
	{"move_begin", PART_MOVE, {"cgroup_attach_task"}},
	{"move_end", PART_MOVE, {"cgroup_attach_task"}},
	{"irq_begin", PART_INTERRUPTS, {NULL}},
	{"irq_end", PART_INTERRUPTS, {NULL}},
	{"softirq_begin", PART_INTERRUPTS, {NULL}},
	{"softirq_end", PART_INTERRUPTS, {NULL}},
	{"guard", PART_GUARD, {NULL}},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

static const struct {
	enum part part;
	const char *name, *without;
} names[OBSERVER_PARTS] = {
	{PART_AFFINITY, "drift_affinity", "who changed an affinity is not told"},
	{PART_CPUSET, "drift_cpuset", "who changed a group's CPUs is not told"},
	{PART_PARTITION, "drift_partition", "who changed a partition is not told"},
	{PART_MOVE, "drift_move", "who moved a thread is not told"},
	{PART_INTERRUPTS, "interrupt_durations", "interrupts are counted, not timed"},
	{PART_GUARD, "guard", "drift is repaired, not refused"},
};

_Static_assert(PARTS_ALL == (1 << OBSERVER_PARTS) - 1, "a name for each part");

static const char *name_of(const struct bpf_program *program)
{
	return bpf_program__name(program) + strlen(PREFIX);
}

static const struct row *row_of(const struct bpf_program *program)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].program, name_of(program)))
			return &rows[i];
	return NULL;
}

static const char *find_function(const struct row *row, const struct btf *btf)
{
	for (size_t i = 0; i < 2 && row->functions[i]; i++)
		if (btf__find_by_name_kind(btf, row->functions[i], BTF_KIND_FUNC) > 0)
			return row->functions[i];
	return NULL;
}

/* Without it the kernel attaches the program all the same, and never calls it: a list
 * that cannot be read is none. */
static bool has_bpf_lsm(void)
{
	char list[256], *at, *word;

	if (file_read_at(AT_FDCWD, LSM_LIST, list, sizeof(list)) < 0)
		return false;
	for (word = strtok_r(list, ",\n", &at); word; word = strtok_r(NULL, ",\n", &at))
		if (!strcmp(word, "bpf"))
			return true;
	return false;
}

u32 program_part(const struct bpf_program *program)
{
	const struct row *row = row_of(program);

	return row ? row->part : 0;
}

/* Without functions that this kernel lacks. */
static u32 find_supported(const struct btf *btf, u32 parts)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].functions[0] && !find_function(&rows[i], btf))
			parts &= ~(u32)rows[i].part;
	return parts & PART_GUARD && !has_bpf_lsm() ? parts & ~(u32)PART_GUARD : parts;
}

/* libbpf keeps what it has read of the kernel's types for the loading: reading them takes
 * longer than all the rest. */
static bool aim(struct bpf_program *program, const struct row *row)
{
	for (size_t i = 0; i < 2 && row->functions[i]; i++)
		if (!bpf_program__set_attach_target(program, 0, row->functions[i]))
			return true;
	return !row->functions[0];
}

int parts_choose(struct bpf_object *object, u32 wanted, u32 *ret_parts)
{
	u32 parts = wanted & PART_GUARD && !has_bpf_lsm() ? wanted & ~(u32)PART_GUARD
							  : wanted;
	struct bpf_program *program;
	int r = 0;

	bpf_object__for_each_program(program, object)
	{
		const struct row *row = row_of(program);

		if (row && parts & row->part && !aim(program, row))
			parts &= ~(u32)row->part;
	}
	bpf_object__for_each_program(program, object)
	{
		u32 part = program_part(program);

		if (part && !(parts & part))
			r = bpf_program__set_autoload(program, false);
		if (r)
			return r;
	}
	*ret_parts = parts;
	return 0;
}

u32 parts_supported(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	u32 parts = btf ? find_supported(btf, PARTS_ALL) : 0;

	btf__free(btf);
	return parts;
}

bool program_is_called(const struct bpf_program *program)
{
	return !strcmp(name_of(program), "look");
}

int program_pin(const struct bpf_program *program, const char *dir, const char *suffix,
	char ret_path[PATH_MAX])
{
	const char *kind = program_is_called(program) ? "prog" : "link";
	int n = snprintf(
		ret_path, PATH_MAX, "%s/%s_%s%s", dir, kind, name_of(program), suffix);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

u32 parts_attached(const struct observer *observer)
{
	u32 parts = observer->health->parts;
	char name[64], path[PATH_MAX];

	for (size_t i = 0; i < ROWS; i++) {
		snprintf(name, sizeof(name), "link_%s", rows[i].program);
		if (observer_pin_path(path, observer->dir, name) || access(path, F_OK))
			parts &= ~(u32)rows[i].part;
	}
	return parts;
}

void observer_find_parts(struct observer_part ret_parts[OBSERVER_PARTS])
{
	struct observer *observer;
	u32 parts = parts_supported();

	/* What the running one could not attach, this kernel has not. */
	if (!observer_open(OBSERVER_DIR, &observer, NULL)) {
		parts &= ~observer->health->wanted | parts_attached(observer);
		observer_close(observer);
	}
	for (size_t i = 0; i < OBSERVER_PARTS; i++)
		ret_parts[i] = (struct observer_part){.name = names[i].name,
			.found = parts & names[i].part,
			.without = names[i].without};
}
