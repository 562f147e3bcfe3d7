// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names are QEMU's to choose (util/qemu-thread-posix.c, accel/, iothread.c): `CPU 3/KVM`,
 * `IO disk1`, and only with debug-threads=on; a vhost worker is named by the kernel after
 * the process it serves. They are hints; what QMP or libvirt tells goes before them, and
 * it too must fit the threads that /proc shows.
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

void classify_number_iothreads(struct iothread *iothreads, size_t n)
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
	classify_number_iothreads(by.iothreads, by.n_iothreads);
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

/* ---- by what was told ---- */

/* Finds threads by the teller's numbering, and remembers which were named already. */
struct lookup {
	const char *teller; /* for sentences */
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

static int lookup_init(struct lookup *lookup, const char *teller, const struct vm *vm,
	const pid_t *inner)
{
	lookup->entries = calloc(vm->n_threads + 1, sizeof(*lookup->entries));
	if (!lookup->entries)
		return -ENOMEM;
	lookup->teller = teller;
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
			"%s names thread %d, which the process does not have",
			lookup->teller, tid);
	if (!entry->at)
		return problem_set(problem, -EBADMSG,
			"%s names the main thread a vCPU or iothread", lookup->teller);
	if (entry->named)
		return problem_set(problem, -EBADMSG, "%s names thread %d twice",
			lookup->teller, tid);
	entry->named = true;
	*ret_at = entry->at;
	return 0;
}

/* Where in vm->threads each vCPU is. The caller frees *ret_at. */
static int find_vcpus(struct lookup *lookup, const struct told_vcpu *vcpus, size_t n,
	size_t **ret_at, struct problem *problem)
{
	cleanup_free size_t *at = calloc(n + 1, sizeof(*at));
	int r = at ? 0 : problem_nomem(problem);

	for (size_t i = 0; !r && i < n; i++)
		r = find_thread(lookup, vcpus[i].tid, &at[i], problem);
	if (!r)
		*ret_at = take_ptr(at);
	return r;
}

/* The vCPUs as told; what is none, by name. */
static void set_classes(
	struct vm *vm, const struct told_vcpu *vcpus, const size_t *at, size_t n)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		set_class(&vm->threads[i],
			is_vhost(vm->threads[i].comm) ? THREAD_VHOST : THREAD_EMULATOR,
			0);
	for (size_t i = 0; i < n; i++)
		set_class(&vm->threads[at[i]], THREAD_VCPU, vcpus[i].index);
}

static void set_iothreads(struct iothread *iothreads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set_class(iothreads[i].thread, THREAD_IOTHREAD, 0);
	classify_number_iothreads(iothreads, n);
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
	int r;

	iothreads = calloc(answer->n_iothreads + 1, sizeof(*iothreads));
	if (!iothreads || lookup_init(&lookup, "QMP", vm, inner))
		return problem_nomem(problem);
	r = find_vcpus(&lookup, answer->vcpus, answer->n_vcpus, &vcpus, problem);
	for (size_t i = 0; !r && i < answer->n_iothreads; i++) {
		r = find_thread(&lookup, answer->iothreads[i].tid, &at, problem);
		iothreads[i] = (struct iothread){
			answer->iothreads[i].id, &vm->threads[at], false};
	}
	if (r)
		return r;
	/* All of it holds: from here on nothing can fail. */
	set_classes(vm, answer->vcpus, vcpus, answer->n_vcpus);
	set_iothreads(iothreads, answer->n_iothreads);
	return 0;
}

/*
 * libvirt gives each iothread a group of its own. What else is in there was started by
 * the iothread (QEMU's workers) and bears its name for a moment, so the oldest of a group
 * is the iothread, and the names of the others don't count.
 */
struct by_group {
	struct vm_thread *oldest[IOTHREADS_MAX + 1];
	struct iothread iothreads[IOTHREADS_MAX];
	size_t n_iothreads;
};

/* The last part of its group's path. */
static const char *group_name(const struct vm_thread *thread)
{
	const char *slash = thread->cgroup ? strrchr(thread->cgroup, '/') : NULL;

	return slash ? slash + 1 : "";
}

static void take_iothread(struct by_group *by, const char *id, struct vm_thread *thread)
{
	if (by->n_iothreads < IOTHREADS_MAX)
		by->iothreads[by->n_iothreads++] = (struct iothread){id, thread, false};
}

/* Those of groups go first: where a number is wanted twice, it is theirs. */
static void find_iothreads(struct vm *vm, struct by_group *by)
{
	uint64_t number;

	for (size_t i = 1; i < vm->n_threads; i++) {
		struct vm_thread *thread = &vm->threads[i], **oldest;

		if (thread->class != THREAD_EMULATOR ||
			!libvirt_number(group_name(thread), &number))
			continue;
		oldest = &by->oldest[number];
		if (!*oldest || thread->start_time < (*oldest)->start_time)
			*oldest = thread;
	}
	for (size_t i = 0; i <= IOTHREADS_MAX; i++)
		if (by->oldest[i])
			take_iothread(by, group_name(by->oldest[i]), by->oldest[i]);
	for (size_t i = 1; i < vm->n_threads; i++) {
		struct vm_thread *thread = &vm->threads[i];
		const char *id = iothread_id(thread->comm);

		if (thread->class == THREAD_EMULATOR && id &&
			!libvirt_number(group_name(thread), &number))
			take_iothread(by, id, thread);
	}
}

int classify_by_libvirt(
	struct vm *vm, const struct libvirt_answer *answer, struct problem *problem)
{
	CLEANUP(lookup_deinit) struct lookup lookup = {0};
	cleanup_free struct by_group *by = NULL;
	cleanup_free size_t *vcpus = NULL;
	int r;

	by = calloc(1, sizeof(*by));
	if (!by || lookup_init(&lookup, "libvirt", vm, NULL))
		return problem_nomem(problem);
	r = find_vcpus(&lookup, answer->vcpus, answer->n_vcpus, &vcpus, problem);
	if (r)
		return r; // cppcheck-suppress memleak ; the cleanup attribute frees it
	set_classes(vm, answer->vcpus, vcpus, answer->n_vcpus);
	find_iothreads(vm, by);
	set_iothreads(by->iothreads, by->n_iothreads);
	return 0;
}
