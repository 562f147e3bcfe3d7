/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Hosts, VMs, wishes and groups in a few lines, for tests of the model. Nothing here
 * reads the machine. VMs and wishes are found by name, since arrays move when they grow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/cpu_lists.h"
#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/model/desired.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))

/* Where a VM's threads are before anybody placed them. */
#define HOME "machine.slice/vm.scope"

struct host {
	struct config config;
	struct vms vms;
	struct tree tree;
	struct found_vm *records;
	size_t n_records;
	struct topology topology;
	struct desired desired;
	bool computed;
	pid_t next_pid;
};

/* Memory that a test cannot do without. */
static inline void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static inline void host_init(
	struct host *host, const char *online, const char *first_cores)
{
	memset(host, 0, sizeof(*host));
	config_init(&host->config);
	host->config.defaults.kind = POLICY_DEDICATED;
	host->tree.root_effective = cpus(online);
	host->topology.online = host->topology.present = cpus(online);
	cpuset_for_each (cpu, &host->topology.online)
		host->topology.places[cpu].core = (uint16_t)cpu;
	cpuset_add(&host->topology.with_memory, 0);
	topology_complete(&host->topology);
	host->topology.first_cores = cpus(first_cores);
	host->next_pid = 1000;
}

static inline void host_deinit(struct host *host)
{
	if (host->computed)
		desired_deinit(&host->desired);
	for (size_t i = 0; i < host->n_records; i++)
		found_vm_deinit(&host->records[i]);
	free(host->records);
	tree_deinit(&host->tree);
	vms_deinit(&host->vms);
	config_deinit(&host->config);
}

/* VMs ----------------------------------------------------------------------------------
 */

static inline struct vm *find_vm(struct host *host, const char *name)
{
	struct vm *vm = (struct vm *)vms_find(&host->vms, name);

	assert_non_null(vm);
	return vm;
}

static inline int compare_tids(const void *a, const void *b)
{
	return ((const struct vm_thread *)a)->tid - ((const struct vm_thread *)b)->tid;
}

static inline struct vm_thread *add_thread(struct host *host, const char *name,
	enum thread_class class, int index, pid_t tid)
{
	struct vm *vm = find_vm(host, name);
	struct vm_thread *thread = must(array_push(&vm->threads, &vm->n_threads));

	thread->tid = tid;
	thread->start_time = (uint64_t)tid * 10;
	thread->class = class;
	thread->index = index;
	thread->affinity = host->topology.online;
	thread->cgroup = must(strdup(HOME));
	snprintf(thread->comm, sizeof(thread->comm), "t%d", tid);
	qsort(vm->threads, vm->n_threads, sizeof(*vm->threads), compare_tids);
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].tid == tid)
			return &vm->threads[i];
	return NULL;
}

static inline int compare_vms(const void *a, const void *b)
{
	return strcmp(((const struct vm *)a)->name, ((const struct vm *)b)->name);
}

/*
 * A VM with pid 1000 (the next one 2000, ...): its main thread, vCPU n as pid + 1 + n,
 * iothread n (from 1, as libvirt counts) as pid + 100 + n.
 */
static inline void add_vm(struct host *host, const char *name, unsigned int n_vcpus,
	unsigned int n_iothreads)
{
	struct vm *vm = must(array_push(&host->vms.items, &host->vms.n_items));
	pid_t pid = host->next_pid;

	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->pid = pid;
	vm->start_time = (uint64_t)pid * 10;
	host->next_pid += 1000;
	qsort(host->vms.items, host->vms.n_items, sizeof(*host->vms.items), compare_vms);
	add_thread(host, name, THREAD_EMULATOR, 0, pid);
	for (int i = 0; i < (int)n_vcpus; i++)
		add_thread(host, name, THREAD_VCPU, i, pid + 1 + i);
	for (int i = 1; i <= (int)n_iothreads; i++)
		add_thread(host, name, THREAD_IOTHREAD, i, pid + 100 + i);
}

static inline struct vm_thread *find_thread(
	struct host *host, const char *vm_name, pid_t tid)
{
	struct vm *vm = find_vm(host, vm_name);

	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].tid == tid)
			return &vm->threads[i];
	fail_msg("no thread %d", tid);
	return NULL;
}

/* The thread has ended. */
static inline void remove_thread(struct host *host, const char *vm_name, pid_t tid)
{
	struct vm *vm = find_vm(host, vm_name);
	struct vm_thread *thread = find_thread(host, vm_name, tid);
	size_t index = (size_t)(thread - vm->threads);

	free(thread->cgroup);
	/* Growth by powers of two must go on from the size that is left. */
	struct vm_thread *left = NULL;
	size_t n = 0;

	for (size_t i = 0; i < vm->n_threads; i++) {
		if (i == index)
			continue;
		*(struct vm_thread *)must(array_push(&left, &n)) = vm->threads[i];
	}
	free(vm->threads);
	vm->threads = left;
	vm->n_threads = n;
}

/* Wishes -------------------------------------------------------------------------------
 */

static inline int compare_wishes(const void *a, const void *b)
{
	return strcmp(
		((const struct vm_policy *)a)->name, ((const struct vm_policy *)b)->name);
}

/* The file of that VM, made with the defaults where there is none. */
static inline struct vm_policy *wish(struct host *host, const char *name)
{
	struct vm_policy *found = (struct vm_policy *)config_find_vm(&host->config, name);

	if (found)
		return found;
	found = must(array_push(&host->config.vms, &host->config.n_vms));
	snprintf(found->name, sizeof(found->name), "%s", name);
	found->policy = host->config.defaults;
	qsort(host->config.vms, host->config.n_vms, sizeof(*host->config.vms),
		compare_wishes);
	return wish(host, name);
}

static inline void forget_wishes(struct host *host)
{
	struct policy defaults = host->config.defaults;

	config_deinit(&host->config);
	config_init(&host->config);
	host->config.defaults = defaults;
}

static inline void pin(struct pin **pins, size_t *n, unsigned int index, const char *list)
{
	struct pin *slot = NULL;

	for (size_t i = 0; i < *n; i++)
		if ((*pins)[i].index == index)
			slot = &(*pins)[i];
	if (!slot)
		slot = must(array_push(pins, n));
	slot->index = index;
	slot->cpus = cpus(list);
}

/* Pins of new indexes are to be added in ascending order. */
static inline void pin_vcpu(
	struct host *host, const char *name, unsigned int index, const char *list)
{
	struct vm_policy *to = wish(host, name);

	pin(&to->vcpu_pins, &to->n_vcpu_pins, index, list);
}

static inline void pin_iothread(
	struct host *host, const char *name, unsigned int index, const char *list)
{
	struct vm_policy *to = wish(host, name);

	pin(&to->iothread_pins, &to->n_iothread_pins, index, list);
}

static inline void pin_emulator(struct host *host, const char *name, const char *list)
{
	struct vm_policy *to = wish(host, name);

	to->has_emulator_pin = true;
	to->emulator_pin = cpus(list);
}

static inline void keep_house(struct host *host, const char *list)
{
	host->config.has_housekeeping = true;
	host->config.housekeeping = cpus(list);
}

/* Groups -------------------------------------------------------------------------------
 */

/* A group as the kernel shows a healthy one: all its CPUs effective. */
static inline struct group *add_group(
	struct host *host, const char *path, const char *list, enum partition kind)
{
	struct group *group = must(tree_add(&host->tree, path));

	group->type = GROUP_THREADED;
	group->has_cpuset = true;
	group->cpus = group->effective = cpus(list);
	group->partition.kind = kind;
	group->partition.valid = true;
	tree_sort(&host->tree);
	return must(tree_find(&host->tree, path));
}

/* What follows
 * --------------------------------------------------------------------------- */

static inline void compute(struct host *host)
{
	struct desired_input input = {.config = &host->config,
		.vms = &host->vms,
		.tree = &host->tree,
		.records = host->records,
		.n_records = host->n_records,
		.topology = &host->topology};

	if (host->computed)
		desired_deinit(&host->desired);
	assert_int_equal(desired_compute(&input, &host->desired), 0);
	host->computed = true;
}

static inline const struct desired_vm *wanted(const struct host *host, const char *name)
{
	const struct desired_vm *vm = desired_find(&host->desired, name);

	assert_non_null(vm);
	return vm;
}

static inline const struct desired_group *wanted_group(
	const struct host *host, const char *name, const char *path)
{
	const struct desired_vm *vm = wanted(host, name);

	for (size_t i = 0; i < vm->n_groups; i++)
		if (!strcmp(vm->groups[i].path, path))
			return &vm->groups[i];
	return NULL;
}

/* The CPUs that a VM's leaf is to have; `leaf` is "" for the VM's own group. */
static inline void expect_leaf(
	const struct host *host, const char *name, const char *leaf, const char *list)
{
	cleanup_free char *path = NULL;
	const struct desired_group *group;

	assert_true(asprintf(&path, SLICE "/%s%s%s", name, *leaf ? "/" : "", leaf) > 0);
	group = wanted_group(host, name, path);
	if (!group)
		fail_msg("no group %s", path);
	else
		expect_cpus(&group->cpus, list);
}

static inline void expect_placed(const struct host *host, const char *name)
{
	const struct desired_vm *vm = wanted(host, name);

	if (vm->kind != DESIRED_PLACED)
		fail_msg("%s is not placed: %s", name, vm->reason ? vm->reason : "-");
}

static inline void expect_kept(
	const struct host *host, const char *name, const char *reason)
{
	const struct desired_vm *vm = wanted(host, name);

	assert_int_equal(vm->kind, DESIRED_KEPT);
	assert_string_equal(vm->reason, reason);
	assert_int_equal(vm->n_groups, 0);
}
