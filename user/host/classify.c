// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names are QEMU's to choose (util/qemu-thread-posix.c, accel/, iothread.c): `CPU 3/KVM`,
 * `IO disk1`, and only with debug-threads=on; a vhost worker is named by the kernel after
 * the process it serves. They are hints; QMP's answer goes before them, and it too must
 * fit the threads that /proc shows.
 *
 * libvirt and virsh number iothreads, QEMU names them. An id `iothreadN`, as libvirt
 * gives it, is N; else the number that the id ends with; else, or where that is taken,
 * the lowest free one from 1. So that order does not matter more than it must, each rule
 * is applied to all before the next.
 */
#include "user/host/classify.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/parse.h"

struct iothread {
	const char *id;
	struct vm_thread *thread;
	bool numbered;
};

/* The number N of "iothreadN", as libvirt writes it. */
static bool libvirt_number(const char *id, uint64_t *ret_number)
{
	static const char prefix[] = "iothread";

	return !strncmp(id, prefix, sizeof(prefix) - 1) &&
	       id[sizeof(prefix) - 1] != '0' &&
	       !parse_u64(id + sizeof(prefix) - 1, IOTHREADS_MAX, ret_number);
}

static bool last_number(const char *id, uint64_t *ret_number)
{
	const char *p = id + strlen(id);

	while (p > id && p[-1] >= '0' && p[-1] <= '9')
		p--;
	return !parse_u64(p, IOTHREADS_MAX, ret_number);
}

static void number_iothreads(struct iothread *iothreads, size_t n)
{
	static bool (*const rules[])(const char *, uint64_t *) = {
		libvirt_number, last_number};
	bool taken[IOTHREADS_MAX + 1] = {false};
	uint64_t number;
	int lowest = 1;

	for (size_t rule = 0; rule < sizeof(rules) / sizeof(rules[0]); rule++)
		for (size_t i = 0; i < n; i++) {
			if (iothreads[i].numbered ||
				!rules[rule](iothreads[i].id, &number) || taken[number])
				continue;
			taken[number] = true;
			iothreads[i].numbered = true;
			iothreads[i].thread->index = (int)number;
		}
	for (size_t i = 0; i < n; i++) {
		if (iothreads[i].numbered)
			continue;
		while (taken[lowest])
			lowest++;
		taken[lowest] = true;
		iothreads[i].thread->index = lowest;
	}
}

static void set_class(struct vm_thread *thread, enum thread_class class, int index)
{
	thread->class = class;
	thread->index = index;
}

static bool is_vhost(const char *comm)
{
	uint64_t pid;

	return !strncmp(comm, "vhost-", 6) && !parse_u64(comm + 6, INT32_MAX, &pid);
}

/* The id of an iothread, or NULL. The monitor's own thread has such a name and is none.
 */
static const char *iothread_id(const char *comm)
{
	if (strncmp(comm, "IO ", 3) || !strcmp(comm, "IO mon_iothread"))
		return NULL;
	return comm + 3;
}

/* `CPU N/ACCELERATOR`; a number that is too high comes out as VCPUS_MAX. */
static bool is_vcpu(const char *comm, unsigned int *ret_index)
{
	const char *end;
	uint64_t index;

	if (strncmp(comm, "CPU ", 4))
		return false;
	if (parse_u64_prefix(comm + 4, UINT64_MAX, &end, &index) || end[0] != '/' ||
		!end[1])
		return false;
	*ret_index = index < VCPUS_MAX ? (unsigned int)index : VCPUS_MAX;
	return true;
}

struct by_name {
	struct iothread *iothreads;
	size_t n_iothreads;
	size_t n_vcpus;
	bool index_seen[VCPUS_MAX];
	pid_t wrong; /* a thread with a name that is not believed, or 0 */
	pid_t all;   /* the one thread of all vCPUs (TCG with thread=single), or 0 */
};

static int name_thread(struct by_name *by, struct vm_thread *thread)
{
	const char *id = iothread_id(thread->comm);
	struct iothread *iothread;
	unsigned int index;

	set_class(thread, is_vhost(thread->comm) ? THREAD_VHOST : THREAD_EMULATOR, 0);
	if (!strncmp(thread->comm, "ALL CPUs/", 9))
		by->all = thread->tid;
	if (is_vcpu(thread->comm, &index)) {
		if (index >= VCPUS_MAX || by->index_seen[index]) {
			by->wrong = thread->tid;
			return 0;
		}
		by->index_seen[index] = true;
		by->n_vcpus++;
		set_class(thread, THREAD_VCPU, (int)index);
	} else if (id && by->n_iothreads < IOTHREADS_MAX) {
		iothread = array_push(&by->iothreads, &by->n_iothreads);
		if (!iothread)
			return -ENOMEM;
		iothread->id = id;
		iothread->thread = thread;
		set_class(thread, THREAD_IOTHREAD, 0);
	}
	return 0;
}

static void cleanup_by_name_fn(struct by_name *by)
{
	free(by->iothreads);
}

int classify_by_name(struct vm *vm, struct problem *problem)
{
	CLEANUP(cleanup_by_name_fn) struct by_name by = {0};
	int r = 0;

	for (size_t i = 0; !r && i < vm->n_threads; i++)
		r = name_thread(&by, &vm->threads[i]);
	if (r)
		return problem_nomem(problem);
	number_iothreads(by.iothreads, by.n_iothreads);
	if (by.wrong)
		return problem_set(problem, 1,
			"thread %d bears the name of a vCPU that another has or that cannot be",
			by.wrong);
	if (by.all)
		return problem_set(problem, 1,
			"all vCPUs share thread %d and cannot be placed singly", by.all);
	if (!by.n_vcpus)
		return problem_set(problem, 1,
			"vCPU threads cannot be told apart: give QEMU a QMP socket "
			"(-qmp unix:PATH,server=on,wait=off) or -name NAME,debug-threads=on");
	return 0;
}

/* Finds threads by QEMU's own numbering, and remembers which were named already. */
struct lookup {
	struct entry {
		pid_t tid;
		size_t at; /* in vm->threads */
		bool named;
	} * entries;
	size_t n;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static int lookup_init(struct lookup *lookup, const struct vm *vm, const pid_t *inner)
{
	lookup->entries = calloc(vm->n_threads + 1, sizeof(*lookup->entries));
	if (!lookup->entries)
		return -ENOMEM;
	lookup->n = vm->n_threads;
	for (size_t i = 0; i < lookup->n; i++) {
		lookup->entries[i].tid = inner ? inner[i] : vm->threads[i].tid;
		lookup->entries[i].at = i;
	}
	qsort(lookup->entries, lookup->n, sizeof(*lookup->entries), compare_entries);
	return 0;
}

static void lookup_deinit(struct lookup *lookup)
{
	free(lookup->entries);
}

/* The main thread runs the main loop and nothing else, so it is no valid answer. */
static int find_thread(
	struct lookup *lookup, pid_t tid, size_t *ret_at, struct problem *problem)
{
	struct entry key = {.tid = tid}, *entry;

	entry = bsearch(&key, lookup->entries, lookup->n, sizeof(key), compare_entries);
	if (!entry)
		return problem_set(problem, -EBADMSG,
			"QMP names thread %d, which the process does not have", tid);
	if (!entry->at)
		return problem_set(problem, -EBADMSG,
			"QMP names the main thread a vCPU or iothread");
	if (entry->named)
		return problem_set(problem, -EBADMSG, "QMP names thread %d twice", tid);
	entry->named = true;
	*ret_at = entry->at;
	return 0;
}

static void cleanup_iothreads_fn(struct iothread **iothreads)
{
	free(*iothreads);
}

int classify_by_qmp(struct vm *vm, const struct qmp_answer *answer, const pid_t *inner,
	struct problem *problem)
{
	CLEANUP(cleanup_iothreads_fn) struct iothread *iothreads = NULL;
	CLEANUP(lookup_deinit) struct lookup lookup = {0};
	cleanup_free size_t *vcpus = NULL;
	size_t at = 0;
	int r = 0;

	vcpus = calloc(answer->n_vcpus + 1, sizeof(*vcpus));
	iothreads = calloc(answer->n_iothreads + 1, sizeof(*iothreads));
	if (!vcpus || !iothreads || lookup_init(&lookup, vm, inner))
		return problem_nomem(problem);
	for (size_t i = 0; !r && i < answer->n_vcpus; i++)
		r = find_thread(&lookup, answer->vcpus[i].tid, &vcpus[i], problem);
	for (size_t i = 0; !r && i < answer->n_iothreads; i++) {
		r = find_thread(&lookup, answer->iothreads[i].tid, &at, problem);
		iothreads[i] = (struct iothread){
			answer->iothreads[i].id, &vm->threads[at], false};
	}
	if (r)
		return r;
	/* All of it holds: from here on nothing can fail. */
	for (size_t i = 0; i < vm->n_threads; i++)
		set_class(&vm->threads[i],
			is_vhost(vm->threads[i].comm) ? THREAD_VHOST : THREAD_EMULATOR,
			0);
	for (size_t i = 0; i < answer->n_vcpus; i++)
		set_class(&vm->threads[vcpus[i]], THREAD_VCPU, answer->vcpus[i].index);
	for (size_t i = 0; i < answer->n_iothreads; i++)
		set_class(iothreads[i].thread, THREAD_IOTHREAD, 0);
	number_iothreads(iothreads, answer->n_iothreads);
	return 0;
}
