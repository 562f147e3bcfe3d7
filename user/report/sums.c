// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which counters have to agree. The sum over CPUs is made of them as they are read, so it
 * is exact. A run is counted at its CPU first and then at its VM, and VMs are read first:
 * together they never have more than the CPUs. They may have less, since counters of a VM
 * end with its place in the map, and with them nothing can be told. A wait is counted
 * with its run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "user/report/basis.h"
#include "user/report/tallies.h"

struct check {
	void (*failed)(const char *sentence, void *data);
	void *data;
	size_t n;
};

static void tell(const struct check *check, const char *name, const char *sum_of,
	uint64_t sum, const char *is, uint64_t value)
{
	struct problem text;

	problem_set(&text, 0, "%s: %s have %" PRIu64 ", %s %" PRIu64, name, sum_of, sum,
		is, value);
	check->failed(text.text, check->data);
}

static uint64_t value_at(const void *from, const struct field *field)
{
	uint64_t value;

	memcpy(&value, (const char *)from + field->offset, sizeof(value));
	return value;
}

static uint64_t add_up(
	const void *items, size_t n, size_t size, const struct field *field)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += value_at((const char *)items + i * size, field);
	return sum;
}

/* Lengths of interrupts and what the kernel counted before are told by CPU alone. */
static bool is_summed(const struct field *field)
{
	static const char *const not_summed[] = {"interrupts", "interrupts_ns",
		"softirqs", "softirqs_ns", "base_interrupts", "base_softirqs"};

	for (size_t i = 0; i < sizeof(not_summed) / sizeof(*not_summed); i++)
		if (!strcmp(field->name, not_summed[i]))
			return false;
	return true;
}

static const struct field *find_field(const struct fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n; i++)
		if (!strcmp(fields->items[i].name, name))
			return &fields->items[i];
	return NULL;
}

static void check_cpus(struct check *check, const struct counters *counters)
{
	for (size_t i = 0; i < fields_cpu.n; i++) {
		const struct field *field = &fields_cpu.items[i];
		const struct field *of_vm = find_field(&fields_vm, field->name);
		uint64_t total = value_at(&counters->total, field), sum;

		if (!is_summed(field))
			continue;
		sum = add_up(counters->cpus, counters->n_cpus, fields_cpu.size, field);
		check->n++;
		if (sum != total)
			tell(check, field->name, "all CPUs together", sum, "the total is",
				total);
		if (!of_vm)
			continue;
		sum = add_up(counters->vms, counters->n_vms, fields_vm.size, of_vm);
		check->n++;
		if (sum > total)
			tell(check, field->name, "all VMs together", sum,
				"and all CPUs only", total);
	}
}

static void check_threads(struct check *check, const struct counters *counters)
{
	for (size_t i = 0; i < counters->n_threads; i++) {
		const struct thread_tally *thread = &counters->threads[i];
		uint64_t waits = 0;
		char name[64];

		for (unsigned int j = 0; j < WAIT_BUCKETS; j++)
			waits += thread->waits[j];
		check->n++;
		snprintf(name, sizeof(name), "thread %d", thread->tid);
		if (waits != thread->switches)
			tell(check, name, "its waits together", waits, "its runs are",
				thread->switches);
	}
}

size_t basis_check_sums(const struct basis *basis,
	void (*failed)(const char *sentence, void *data), void *data)
{
	struct check check = {.failed = failed, .data = data};

	if (!basis->counted)
		return 0;
	check_cpus(&check, &basis->counters);
	check_threads(&check, &basis->counters);
	return check.n;
}
