// SPDX-License-Identifier: GPL-2.0-or-later
/* `vcpuinfo`: as virsh prints it, to the blank. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"

/* Of a vCPU that is plugged in virsh knows no other, whatever its thread does. */
#define STATE "running"

static int compare_index(const void *a, const void *b)
{
	return (*(const struct vm_thread *const *)a)->index -
	       (*(const struct vm_thread *const *)b)->index;
}

static void print_text(const struct vm_thread *vcpu, const struct cpuset *present)
{
	int last = -1;

	printf("%-15s %d\n", "VCPU:", vcpu->index);
	printf("%-15s %d\n", "CPU:", vcpu->last_cpu);
	printf("%-15s %s\n", "State:", STATE);
	printf("%-15s %.1fs\n", "CPU time:", (double)vcpu->run_ns / 1e9);
	printf("%-15s ", "CPU Affinity:");
	cpuset_for_each (cpu, present)
		last = cpu;
	for (int cpu = 0; cpu <= last; cpu++)
		putchar(cpuset_has(&vcpu->affinity, (unsigned int)cpu) ? 'y' : '-');
	printf("\n\n");
}

static struct json_object *to_json(const struct vm_thread *vcpu)
{
	struct json_object *json = json_object_new_object();

	cli_json_number(json, "vcpu", (uint64_t)vcpu->index);
	cli_json_number(json, "cpu", (uint64_t)vcpu->last_cpu);
	cli_json_string(json, "state", STATE);
	cli_json_number(json, "cpu_time_ns", vcpu->run_ns);
	cli_json_cpus(json, "affinity", &vcpu->affinity);
	return json;
}

int verb_vcpuinfo(const struct request *request)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	cleanup_free const struct vm_thread **vcpus = NULL;
	struct json_object *json, *list;
	struct problem problem = {};
	const struct vm *vm;
	size_t n = 0;

	if (cycle_read(&request->folders, &cycle, &problem))
		return cli_fail(&problem);
	vm = vms_find(&cycle.vms, request->args[0]);
	if (!vm) {
		problem_set(
			&problem, -ESRCH, "there is no VM named %s", request->args[0]);
		return cli_fail(&problem);
	}
	vcpus = calloc(vm->n_threads + 1, sizeof(*vcpus));
	if (!vcpus) {
		problem_nomem(&problem);
		return cli_fail(&problem);
	}
	for (size_t i = 0; i < vm_born(vm); i++)
		if (vm->threads[i].class == THREAD_VCPU)
			vcpus[n++] = &vm->threads[i];
	if (n)
		qsort(vcpus, n, sizeof(*vcpus), compare_index);
	if (!request->json) {
		for (size_t i = 0; i < n; i++)
			print_text(vcpus[i], &cycle.topology.present);
		return EXIT_SUCCESS;
	}
	json = cli_json(request);
	list = json_object_new_array();
	cli_json_string(json, "vm", vm->name);
	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, to_json(vcpus[i]));
	json_object_object_add(json, "vcpus", list);
	cli_json_print(json);
	return EXIT_SUCCESS;
}
