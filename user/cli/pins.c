// SPDX-License-Identifier: GPL-2.0-or-later
/* `vcpupin`, `emulatorpin`, `iothreadpin`: the tables that virsh prints, to the blank. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/parse.h"
#include "user/cli/cli.h"
#include "user/model/cpulist.h"

struct row {
	int index;
	struct cpuset cpus;
};

static int compare_rows(const void *a, const void *b)
{
	return ((const struct row *)a)->index - ((const struct row *)b)->index;
}

/* What holds now: the declared set where there is one, else where the thread may run. */
static struct cpuset cpus_of(
	const struct cycle *cycle, const struct desired_vm *vm, size_t thread)
{
	const struct cpuset *declared = desired_thread_set(vm, thread);

	return cpuset_subset(&cycle->topology.online, declared)
		       ? vm->vm->threads[thread].affinity
		       : *declared;
}

static size_t collect(const struct cycle *cycle, const struct desired_vm *vm,
	enum thread_class class, struct row *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->vm->n_threads; i++)
		if (vm->vm->threads[i].class == class)
			rows[n++] = (struct row){.index = vm->vm->threads[i].index,
				.cpus = cpus_of(cycle, vm, i)};
	if (n)
		qsort(rows, n, sizeof(*rows), compare_rows);
	return n;
}

static void print_json(
	const struct request *request, const char *key, const struct row *rows, size_t n)
{
	struct json_object *json = cli_json(request), *list = json_object_new_array();

	cli_json_string(json, "vm", request->args[0]);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_new_object();

		if (key)
			cli_json_number(row, key, (uint64_t)rows[i].index);
		cli_json_cpus(row, "cpus", &rows[i].cpus);
		json_object_array_add(list, row);
	}
	json_object_object_add(json, "pins", list);
	cli_json_print(json);
}

/* virsh's table: as wide as its widest row, a blank before and three between columns. */
static void print_table(const char *head, const struct row *rows, size_t n)
{
	static const char title[] = "CPU Affinity";
	size_t width = strlen(title), left = strlen(head);

	for (size_t i = 0; i < n; i++) {
		cleanup_free char *list = cpulist_format(&rows[i].cpus);

		width = list && strlen(list) > width ? strlen(list) : width;
	}
	printf(" %-*s   %s\n", (int)left, head, title);
	for (size_t i = 0; i < left + width + 2 * 3; i++)
		putchar('-');
	putchar('\n');
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *list = cpulist_format(&rows[i].cpus);

		printf(" %-*d   %s\n", (int)left, rows[i].index, list ? list : "");
	}
	printf("\n");
}

static int print_pins(const struct request *request, enum thread_class class,
	const char *head, const char *key)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	cleanup_free struct row *rows = NULL;
	const struct desired_vm *vm;
	struct problem problem = {};
	uint64_t index = 0;
	size_t n;

	if (request->n_args > 1 && parse_u64(request->args[1], VCPUS_MAX, &index)) {
		problem_set(&problem, -EINVAL, "'%s' is not the number of a vCPU",
			request->args[1]);
		cli_fail(&problem);
		return EXIT_USAGE;
	}
	if (cycle_read(&request->folders, &cycle, &problem))
		return cli_fail(&problem);
	vm = desired_find(&cycle.desired, request->args[0]);
	if (!vm) {
		problem_set(
			&problem, -ESRCH, "there is no VM named %s", request->args[0]);
		return cli_fail(&problem);
	}
	rows = calloc(vm->vm->n_threads + 1, sizeof(*rows));
	if (!rows) {
		problem_nomem(&problem);
		return cli_fail(&problem);
	}
	n = collect(&cycle, vm, class, rows);
	for (size_t i = 0; request->n_args > 1 && i < n; i++)
		if (rows[i].index == (int)index) {
			rows[0] = rows[i];
			n = 1;
		}
	if (request->n_args > 1 && (!n || rows[0].index != (int)index)) {
		problem_set(&problem, -ESRCH, "VM %s has no vCPU %s", request->args[0],
			request->args[1]);
		return cli_fail(&problem);
	}
	if (class == THREAD_EMULATOR && n)
		n = 1;
	if (request->json) {
		print_json(request, key, rows, n);
	} else if (class == THREAD_EMULATOR) {
		cleanup_free char *list = n ? cpulist_format(&rows[0].cpus) : NULL;

		printf("emulator: CPU Affinity\n----------------------------------\n       *: %s\n\n",
			list ? list : "");
	} else {
		print_table(head, rows, n);
	}
	return EXIT_SUCCESS;
}

int verb_vcpupin(const struct request *request)
{
	return print_pins(request, THREAD_VCPU, "VCPU", "vcpu");
}

int verb_emulatorpin(const struct request *request)
{
	return print_pins(request, THREAD_EMULATOR, "", NULL);
}

int verb_iothreadpin(const struct request *request)
{
	return print_pins(request, THREAD_IOTHREAD, "IOThread ID", "iothread");
}
