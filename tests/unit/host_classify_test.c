// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/classify.c and naming.c: tables of threads and of names. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/host/classify.h"
#include "user/host/naming.h"

enum { MAX = 16 };

/* Threads 100, 101, ... of these names. */
struct sample {
	struct vm vm;
	struct vm_thread threads[MAX];
};

static void sample_init(struct sample *sample, const char *const *comms)
{
	*sample = (struct sample){.vm = {.threads = sample->threads, .pid = 100}};
	for (size_t i = 0; comms[i]; i++) {
		assert_true(i < MAX);
		sample->threads[i].tid = 100 + (pid_t)i;
		snprintf(sample->threads[i].comm, COMM_SIZE, "%s", comms[i]);
		sample->vm.n_threads++;
	}
}

/* `e v0 i2 h` */
static void assert_classes(const struct sample *sample, const char *wanted)
{
	char found[256] = "";

	for (size_t i = 0; i < sample->vm.n_threads; i++) {
		const struct vm_thread *thread = &sample->threads[i];
		char one[32];

		if (thread->class == THREAD_EMULATOR || thread->class == THREAD_VHOST) {
			snprintf(one, sizeof(one), "%s%c", i ? " " : "",
				thread->class == THREAD_EMULATOR ? 'e' : 'h');
			assert_int_equal(thread->index, 0);
		} else {
			snprintf(one, sizeof(one), "%s%c%d", i ? " " : "",
				thread->class == THREAD_VCPU ? 'v' : 'i', thread->index);
		}
		strcat(found, one);
	}
	assert_string_equal(found, wanted);
}

#define COMMS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void by_name(void **state)
{
	struct {
		const char *const *comms;
		const char *classes;
		int r;
	} cases[] = {
		{COMMS("qemu-system-x86", "qemu-system-x86", "IO iothread1", "IO disk",
			 "IO mon_iothread", "CPU 0/TCG", "CPU 1/TCG"),
			"e e i1 i2 e v0 v1", 0},
		{COMMS("q", "CPU 3/KVM", "CPU 0/HVF", "vhost-100", "kvm-nx-lpage-re",
			 "worker", "CPU 8191/KVM"),
			"e v3 v0 h e e v8191", 0},
		/* numbers of iothreads: libvirt's first, then last digits, then what is
		   free */
		{COMMS("q", "IO a", "IO io1", "IO iothread1", "IO iothread3", "IO x2",
			 "IO b", "CPU 0/KVM"),
			"e i4 i5 i1 i3 i2 i6 v0", 0},
		{COMMS("q", "IO iothread0", "IO iothread01", "IO z9999", "CPU 0/KVM"),
			"e i0 i1 i2 v0", 0},
		{COMMS("q", "IO ", "CPU 0/KVM"), "e i1 v0", 0},
		/* names that are none */
		{COMMS("q", "CPU 0/KVM", "CPU /KVM", "CPU 1", "CPU 1/", "CPU -1/KVM",
			 "CPU x/KVM", "cpu 1/KVM", "vhost-", "vhost-x", "IOx", "IO"),
			"e v0 e e e e e e e e e e", 0},
		/* without debug-threads=on */
		{COMMS("qemu-system-x86", "qemu-system-x86", "qemu-system-x86"), "e e e",
			1},
		/* lies */
		{COMMS("q", "CPU 0/KVM", "CPU 0/KVM"), "e v0 e", 1},
		{COMMS("q", "CPU 0/KVM", "CPU 8192/KVM"), "e v0 e", 1},
		{COMMS("q", "CPU 0/KVM", "CPU 9999999999"), "e v0 e", 0},
		{COMMS("q", "ALL CPUs/TCG"), "e e", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problem problem = {0};
		struct sample sample;

		sample_init(&sample, cases[i].comms);
		assert_int_equal(classify_by_name(&sample.vm, &problem), cases[i].r);
		assert_classes(&sample, cases[i].classes);
		assert_int_equal(problem.text[0] != '\0', cases[i].r);
	}
}

static void the_advice(void **state)
{
	struct problem problem = {0};
	struct sample sample;

	(void)state;
	sample_init(&sample, COMMS("qemu-system-x86", "qemu-system-x86"));
	assert_int_equal(classify_by_name(&sample.vm, &problem), 1);
	assert_non_null(strstr(problem.text, "cannot be told apart"));
	assert_non_null(strstr(problem.text, "debug-threads=on"));
}

static void by_qmp(void **state)
{
	struct told_vcpu vcpus[] = {{1, 103}, {0, 102}};
	struct qmp_iothread iothreads[] = {{"disk", 104}, {"iothread1", 101}};
	struct qmp_answer answer = {vcpus, 2, iothreads, 2};
	struct problem problem = {0};
	struct sample sample;

	(void)state;
	/* what names say does not count where QMP speaks */
	sample_init(&sample, COMMS("q", "CPU 0/KVM", "q", "q", "q", "vhost-100", "IO x"));
	assert_int_equal(classify_by_qmp(&sample.vm, &answer, NULL, &problem), 0);
	assert_classes(&sample, "e i1 v0 v1 i2 h e");
	assert_string_equal(problem.text, "");
}

/* A container's QEMU speaks of its own numbers. */
static void by_qmp_in_a_pid_namespace(void **state)
{
	struct told_vcpu vcpus[] = {{0, 7}, {1, 3}};
	struct qmp_answer answer = {vcpus, 2, NULL, 0};
	const pid_t inner[] = {1, 7, 0, 3};
	struct sample sample;

	(void)state;
	sample_init(&sample, COMMS("q", "q", "q", "q"));
	assert_int_equal(classify_by_qmp(&sample.vm, &answer, inner, NULL), 0);
	assert_classes(&sample, "e v0 e v1");
	assert_int_equal(classify_by_qmp(&sample.vm, &answer, NULL, NULL), -EBADMSG);
}

static void qmp_that_does_not_fit(void **state)
{
	struct {
		struct told_vcpu vcpus[2];
		struct qmp_iothread iothread;
		const char *says;
	} cases[] = {
		{{{0, 101}, {1, 999}}, {"a", 103}, "does not have"},
		{{{0, 101}, {1, 102}}, {"a", 1}, "does not have"},
		{{{0, 101}, {1, 101}}, {"a", 103}, "twice"},
		{{{0, 101}, {1, 102}}, {"a", 101}, "twice"},
		{{{0, 100}, {1, 102}}, {"a", 101}, "main thread"},
		{{{0, 101}, {1, 102}}, {"a", 100}, "main thread"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qmp_answer answer = {cases[i].vcpus, 2, &cases[i].iothread, 1};
		struct problem problem = {0};
		struct sample sample;

		sample_init(&sample, COMMS("q", "q", "q", "q"));
		for (size_t k = 0; k < 4; k++)
			sample.threads[k].class = THREAD_VHOST;
		assert_int_equal(
			classify_by_qmp(&sample.vm, &answer, NULL, &problem), -EBADMSG);
		assert_non_null(strstr(problem.text, cases[i].says));
		assert_classes(&sample, "h h h h"); /* unchanged */
	}
}

/* What QMP tells must fit, and so must what libvirt tells. */
static void libvirt_that_does_not_fit(void **state)
{
	struct {
		struct told_vcpu vcpus[2];
		const char *says;
	} cases[] = {
		{{{0, 101}, {1, 999}}, "libvirt names thread 999, which the process"},
		{{{0, 101}, {1, 101}}, "libvirt names thread 101 twice"},
		{{{0, 101}, {1, 100}}, "libvirt names the main thread"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct libvirt_answer answer = {
			.pid = 100, .vcpus = cases[i].vcpus, .n_vcpus = 2};
		struct problem problem = {0};
		struct sample sample;

		sample_init(&sample, COMMS("q", "CPU 0/KVM", "CPU 1/KVM"));
		for (size_t k = 0; k < 3; k++)
			sample.threads[k].class = THREAD_VHOST;
		assert_int_equal(
			classify_by_libvirt(&sample.vm, &answer, &problem), -EBADMSG);
		assert_non_null(strstr(problem.text, cases[i].says));
		assert_classes(&sample, "h h h"); /* unchanged */
	}
}

/* `names` are those of the threads' groups, in a scope as libvirt's. */
static void set_groups(struct sample *sample, const char *const *names)
{
	static char paths[MAX][64];

	for (size_t i = 0; names[i]; i++) {
		snprintf(paths[i], sizeof(paths[i]), "machine.slice/vm1.scope/libvirt/%s",
			names[i]);
		sample->threads[i].cgroup = paths[i];
	}
}

static void by_libvirt(void **state)
{
	struct told_vcpu vcpus[] = {{1, 102}, {0, 103}};
	struct libvirt_answer answer = {.pid = 100, .vcpus = vcpus, .n_vcpus = 2};
	struct problem problem = {0};
	struct sample sample;

	(void)state;
	/* names of vCPUs do not count, groups do: also over names of iothreads */
	sample_init(&sample, COMMS("CPU 9/KVM", "CPU 0/KVM", "q", "IO x", "q",
				     "IO iothread2", "vhost-100", "IO mon_iothread"));
	set_groups(&sample, COMMS("emulator", "emulator", "vcpu1", "vcpu0", "iothread2",
				    "iothread7", "iothread3", "emulator"));
	assert_int_equal(classify_by_libvirt(&sample.vm, &answer, &problem), 0);
	assert_classes(&sample, "e e v1 v0 i2 i7 h e");
	assert_string_equal(problem.text, "");
}

/* The group's first is the iothread; the others were started by it, and bear its name
 * until they are given their own. */
static void workers_of_an_iothread(void **state)
{
	struct told_vcpu vcpus[] = {{0, 101}};
	struct libvirt_answer answer = {.pid = 100, .vcpus = vcpus, .n_vcpus = 1};
	struct sample sample;

	(void)state;
	sample_init(&sample, COMMS("q", "q", "worker", "IO iothread1", "IO iothread1"));
	set_groups(&sample,
		COMMS("iothread1", "iothread1", "iothread1", "iothread1", "iothread1"));
	for (size_t i = 0; i < sample.vm.n_threads; i++)
		sample.threads[i].start_time = 50 + i;
	sample.threads[2].start_time = 90; /* numbers have wrapped */
	assert_int_equal(classify_by_libvirt(&sample.vm, &answer, NULL), 0);
	assert_classes(&sample, "e v0 e i1 e");
	for (size_t i = 0; i < sample.vm.n_threads; i++)
		sample.threads[i].start_time = 50; /* of one clock tick */
	assert_int_equal(classify_by_libvirt(&sample.vm, &answer, NULL), 0);
	assert_classes(&sample, "e v0 i1 e e");
}

/* libvirt has no such groups where it has no controllers. */
static void iothreads_without_groups(void **state)
{
	struct told_vcpu vcpus[] = {{0, 101}};
	struct libvirt_answer answer = {.pid = 100, .vcpus = vcpus, .n_vcpus = 1};
	struct sample sample;

	(void)state;
	sample_init(&sample, COMMS("IO q", "IO v", "IO iothread2", "IO x", "IO a2", "q"));
	assert_int_equal(classify_by_libvirt(&sample.vm, &answer, NULL), 0);
	assert_classes(&sample, "e v0 i2 i1 i3 e");
	/* none of these is a number of libvirt's; the last one's is taken by a group */
	sample_init(&sample, COMMS("q", "q", "a", "b", "c", "d", "IO iothread1", "e"));
	set_groups(&sample, COMMS("", "", "iothread", "iothread0", "iothread01",
				    "iothread4097", "emulator", "iothread1"));
	assert_int_equal(classify_by_libvirt(&sample.vm, &answer, NULL), 0);
	assert_classes(&sample, "e v0 e e e e i2 i1");
	sample_init(&sample, COMMS("q", "q", "q"));
	set_groups(&sample, COMMS("", "", "iothread4096"));
	assert_int_equal(classify_by_libvirt(&sample.vm, &answer, NULL), 0);
	assert_classes(&sample, "e v0 i4096");
}

/* ---- naming ---- */

struct process {
	const char *name;
	pid_t pid, ppid;
	uint64_t start_time;
	size_t n_threads;
};

static struct vms resolve(const struct process *processes, size_t n)
{
	struct candidate items[MAX] = {0};
	struct vms vms = {0};

	for (size_t i = 0; i < n; i++) {
		snprintf(items[i].vm.name, VM_NAME_SIZE, "%s", processes[i].name);
		items[i].vm.pid = processes[i].pid;
		items[i].ppid = processes[i].ppid;
		items[i].vm.start_time = processes[i].start_time;
		items[i].vm.n_threads = processes[i].n_threads;
		items[i].vm.threads =
			calloc(processes[i].n_threads + 1, sizeof(struct vm_thread));
	}
	assert_int_equal(naming_resolve(items, n, &vms), 0);
	for (size_t i = 0; i < n; i++)
		vm_deinit(&items[i].vm);
	return vms;
}

static void assert_vms(const struct process *processes, size_t n, const char *wanted)
{
	CLEANUP(vms_deinit) struct vms vms = resolve(processes, n);
	char found[512] = "";

	for (size_t i = 0; i < vms.n_items; i++)
		sprintf(found + strlen(found), "%s=%d%s ", vms.items[i].name,
			vms.items[i].pid, vms.items[i].problem ? "!" : "");
	assert_string_equal(found, wanted);
}

#define ASSERT_VMS(processes, wanted) \
	assert_vms(processes, sizeof(processes) / sizeof((processes)[0]), wanted)

static void names_are_unique(void **state)
{
	const struct process plain[] = {
		{"b", 20, 1, 5, 9}, {"a", 10, 1, 6, 9}, {"", 30, 1, 1, 9}};
	const struct process same[] = {{"a", 10, 1, 7, 9}, {"a", 20, 1, 6, 9},
		{"a", 30, 1, 6, 9}, {"b", 5, 1, 9, 9}};
	const struct process feigned_early[] = {
		{"qemu-20", 10, 1, 1, 9}, {"", 20, 1, 2, 9}};
	const struct process feigned_late[] = {
		{"qemu-20", 30, 1, 3, 9}, {"", 20, 1, 2, 9}};
	const struct process feigned_twice[] = {
		{"qemu-20", 10, 1, 1, 9}, {"qemu-20.2", 11, 1, 1, 9}, {"", 20, 1, 2, 9}};

	(void)state;
	assert_vms(plain, 0, "");
	ASSERT_VMS(plain, "a=10 b=20 qemu-30=30 ");
	ASSERT_VMS(same, "a=20 b=5 qemu-10=10! qemu-30=30! ");
	ASSERT_VMS(feigned_early, "qemu-20=10 qemu-20.2=20 ");
	ASSERT_VMS(feigned_late, "qemu-20=20 qemu-30=30! ");
	ASSERT_VMS(feigned_twice, "qemu-20=10 qemu-20.2=11 qemu-20.3=20 ");
}

static void the_owner_of_a_name_is_said(void **state)
{
	const struct process same[] = {{"a", 10, 1, 7, 9}, {"a", 20, 1, 6, 9}};
	CLEANUP(vms_deinit) struct vms vms = resolve(same, 2);

	(void)state;
	assert_string_equal(
		vms_find(&vms, "qemu-10")->problem, "its name a is taken by process 20");
}

static void shadows_are_no_vms(void **state)
{
	const struct process daemonizing[] = {{"a", 10, 1, 1, 2}, {"a", 11, 10, 2, 5}};
	const struct process forked_helper[] = {{"a", 10, 1, 1, 5}, {"a", 11, 10, 2, 1}};
	const struct process early[] = {{"a", 10, 1, 1, 2}, {"a", 11, 10, 2, 2}};
	const struct process both[] = {{"a", 10, 1, 1, 5}, {"a", 11, 10, 2, 3}};
	const struct process strangers[] = {{"a", 10, 1, 1, 2}, {"a", 11, 1, 2, 5}};
	const struct process nested[] = {{"a", 10, 1, 1, 2}, {"b", 11, 10, 2, 5}};

	(void)state;
	ASSERT_VMS(daemonizing, "a=11 ");
	ASSERT_VMS(forked_helper, "a=10 ");
	ASSERT_VMS(early, "a=10 ");
	ASSERT_VMS(both, "a=10 qemu-11=11! ");
	ASSERT_VMS(strangers, "a=10 qemu-11=11! ");
	ASSERT_VMS(nested, "a=10 b=11 ");
}

static void sentences_add_up(void **state)
{
	struct problem one = {"one"}, two = {"two"};
	struct vm vm = {0};

	(void)state;
	assert_int_equal(naming_note(&vm, &one), 0);
	assert_int_equal(naming_note(&vm, &two), 0);
	assert_string_equal(vm.problem, "one; two");
	vm_deinit(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(the_advice),
		cmocka_unit_test(by_qmp),
		cmocka_unit_test(by_qmp_in_a_pid_namespace),
		cmocka_unit_test(qmp_that_does_not_fit),
		cmocka_unit_test(libvirt_that_does_not_fit),
		cmocka_unit_test(by_libvirt),
		cmocka_unit_test(workers_of_an_iothread),
		cmocka_unit_test(iothreads_without_groups),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(the_owner_of_a_name_is_said),
		cmocka_unit_test(shadows_are_no_vms),
		cmocka_unit_test(sentences_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
