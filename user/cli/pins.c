// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `vcpupin`, `emulatorpin`, `iothreadpin`: the tables that virsh prints, to the blank.
 * What they set is in pin_set.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/parse.h"
#include "user/cli/cli.h"
#include "user/control/pins.h"
#include "user/model/cpulist.h"
#include "user/model/pin_check.h"

struct row {
	unsigned int index;
	struct cpuset cpus;
};

struct rows {
	struct row *items;
	size_t n;
};

static void rows_deinit(struct rows *rows)
{
	free(rows->items);
}

static int add_row(struct rows *rows, unsigned int index, const struct cpuset *cpus)
{
	struct row *row = array_push(&rows->items, &rows->n);

	if (!row)
		return -ENOMEM;
	*row = (struct row){.index = index, .cpus = *cpus};
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	unsigned int one = ((const struct row *)a)->index,
		     other = ((const struct row *)b)->index;

	return one < other ? -1 : one > other;
}

/* What holds now: the declared set where there is one, else where the thread may run. */
static const struct cpuset *cpus_now(
	const struct cycle *cycle, const struct vm *vm, size_t thread)
{
	const struct desired_vm *desired = desired_find(&cycle->desired, vm->name);
	const struct cpuset *declared =
		desired ? desired_thread_set(desired, thread) : NULL;

	return !declared || cpuset_subset(&cycle->topology.online, declared)
		       ? &vm->threads[thread].affinity
		       : declared;
}

/* What /etc says: where it is silent, all CPUs. */
static const struct cpuset *cpus_then(const struct cycle *cycle,
	const struct vm_policy *policy, enum thread_class class, unsigned int index)
{
	const struct cpuset *pin = pin_of(policy, class, index);

	return pin ? pin : &cycle->topology.present;
}

static int collect_running(const struct cycle *cycle, const struct vm *vm,
	enum thread_class class, const struct config *etc, struct rows *rows)
{
	const struct vm_policy *policy = etc ? config_find_vm(etc, vm->name) : NULL;
	int r = 0;

	for (size_t i = 0; !r && i < vm_born(vm); i++) {
		unsigned int index = (unsigned int)vm->threads[i].index;

		if (vm->threads[i].class != class)
			continue;
		r = add_row(rows, index,
			etc ? cpus_then(cycle, policy, class, index)
			    : cpus_now(cycle, vm, i));
		/* The main thread comes first; where the others are is not its pin. */
		if (class == THREAD_EMULATOR)
			break;
	}
	if (rows->n)
		qsort(rows->items, rows->n, sizeof(*rows->items), compare_rows);
	return r;
}

/* What will be there is not known, but for what is pinned or asked for. */
static int collect_stopped(const struct cycle *cycle, const struct vm_policy *policy,
	enum thread_class class, const unsigned int *asked, struct rows *rows)
{
	unsigned int n = 1;
	int r = 0;

	if (asked)
		return add_row(rows, *asked, cpus_then(cycle, policy, class, *asked));
	if (class == THREAD_IOTHREAD) {
		for (size_t i = 0; !r && i < policy->n_iothread_pins; i++)
			r = add_row(rows, policy->iothread_pins[i].index,
				&policy->iothread_pins[i].cpus);
		return r;
	}
	if (class == THREAD_VCPU)
		n = policy->n_vcpu_pins
			    ? policy->vcpu_pins[policy->n_vcpu_pins - 1].index + 1
			    : 0;
	for (unsigned int i = 0; !r && i < n; i++)
		r = add_row(rows, i, cpus_then(cycle, policy, class, i));
	return r;
}

static int collect(const struct cycle *cycle, const struct request *request,
	enum thread_class class, const unsigned int *asked, struct rows *rows,
	struct problem *problem)
{
	CLEANUP(config_deinit) struct config etc = {};
	const char *name = request->args[0];
	const struct vm *vm = vms_find(&cycle->vms, name);
	bool then = request->config || !vm;
	int r;

	if (request->live && !vm)
		return problem_set(problem, -ESRCH, "VM %s is not running", name);
	r = then ? control_persistent_config(cycle, &etc, problem) : 0;
	if (r)
		return r;
	if (!vm && !config_find_vm(&etc, name))
		return problem_set(problem, -ESRCH, "there is no VM named %s", name);
	if (vm)
		r = collect_running(cycle, vm, class, then ? &etc : NULL, rows);
	else
		r = collect_stopped(
			cycle, config_find_vm(&etc, name), class, asked, rows);
	return r ? problem_nomem(problem) : 0;
}

static void print_json(
	const struct request *request, const char *key, const struct row *rows, size_t n)
{
	struct json_object *json = cli_json(request), *list = json_object_new_array();

	cli_json_string(json, "vm", request->args[0]);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_new_object();

		if (key)
			cli_json_number(row, key, rows[i].index);
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

		printf(" %-*u   %s\n", (int)left, rows[i].index, list ? list : "");
	}
	printf("\n");
}

static int print_pins(const struct request *request, const struct pin_verb *verb,
	const unsigned int *asked)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	CLEANUP(rows_deinit) struct rows rows = {};
	struct problem problem = {};
	const struct row *first;
	size_t n;

	if (cycle_read(&request->folders, &cycle, &problem) ||
		collect(&cycle, request, verb->class, asked, &rows, &problem))
		return cli_fail(&problem);
	first = rows.items;
	n = rows.n;
	while (asked && n && first->index != *asked) {
		first++;
		n--;
	}
	if (asked && !n) {
		problem_set(&problem, -ESRCH, "VM %s has no %s %u", request->args[0],
			verb->what, *asked);
		return cli_fail(&problem);
	}
	if (asked)
		n = 1;
	if (request->json) {
		print_json(request, verb->key, first, n);
	} else if (verb->class == THREAD_EMULATOR) {
		cleanup_free char *list = n ? cpulist_format(&first->cpus) : NULL;

		printf("emulator: CPU Affinity\n----------------------------------\n       *: %s\n\n",
			list ? list : "");
	} else {
		print_table(verb->head, first, n);
	}
	return EXIT_SUCCESS;
}

/* Arguments: the VM, its thread's number where the class has numbers, a list. */
static int run(const struct request *request, const struct pin_verb *verb)
{
	unsigned int at = verb->what ? 2 : 1, index = 0;
	bool set = request->n_args > at;
	struct problem problem = {};
	uint64_t number = 0;

	if (!vm_name_ok(request->args[0])) {
		problem_set(&problem, -EINVAL, "'%s' cannot be the name of a VM",
			request->args[0]);
		return cli_misused(&problem);
	}
	if (verb->what && request->n_args > 1 &&
		parse_u64(request->args[1], verb->max, &number)) {
		problem_set(&problem, -EINVAL, "'%s' is not the number of %s %s",
			request->args[1], verb->class == THREAD_VCPU ? "a" : "an",
			verb->what);
		return cli_misused(&problem);
	}
	index = (unsigned int)number;
	if (set)
		return cli_set_pin(request, verb, index, request->args[at]);
	if (request->live && request->config) {
		problem_set(&problem, -EINVAL,
			"without CPUs, --live and --config exclude one another");
		return cli_misused(&problem);
	}
	return print_pins(
		request, verb, verb->what && request->n_args > 1 ? &index : NULL);
}

int verb_vcpupin(const struct request *request)
{
	static const struct pin_verb verb = {
		THREAD_VCPU, "vCPU", "vcpu", "VCPU", VCPUS_MAX - 1};

	return run(request, &verb);
}

int verb_emulatorpin(const struct request *request)
{
	static const struct pin_verb verb = {THREAD_EMULATOR, NULL, NULL, NULL, 0};

	return run(request, &verb);
}

int verb_iothreadpin(const struct request *request)
{
	static const struct pin_verb verb = {THREAD_IOTHREAD, "iothread", "iothread",
		"IOThread ID", IOTHREADS_MAX - 1};

	return run(request, &verb);
}
