// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/unborn.c and classify_leaf.c: threads that are to come, and those that are
 * known by the group in which they were born. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/classify.h"
#include "user/host/unborn.h"

static struct vm_thread *add(
	struct vm *vm, pid_t tid, const char *comm, const char *cgroup)
{
	struct vm_thread *thread = array_push(&vm->threads, &vm->n_threads);

	assert_non_null(thread);
	thread->tid = tid;
	thread->start_time = (uint64_t)tid;
	thread->class = THREAD_EMULATOR;
	snprintf(thread->comm, sizeof(thread->comm), "%s", comm);
	thread->cgroup = strdup(cgroup);
	return thread;
}

/* `v0=12 i1=0 e=10`, comm after a colon where it is to come. */
static void assert_threads(const struct vm *vm, const char *wanted)
{
	char found[512] = "";

	for (size_t i = 0; i < vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->threads[i];
		char *end = found + strlen(found);

		if (thread->class == THREAD_EMULATOR)
			end += sprintf(end, "e");
		else
			end += sprintf(end, "%c%d", *thread_class_name(thread->class),
				thread->index);
		end += sprintf(end, "=%d", thread->tid);
		sprintf(end, "%s%s ", thread->tid ? "" : ":",
			thread->tid ? "" : thread->comm);
	}
	assert_string_equal(found, wanted);
}

static void those_that_are_not_there_are_added(void **state)
{
	CLEANUP(vm_deinit) struct vm vm = {.name = "web1", .pid = 10};
	char *ids[] = {(char *)"disk", (char *)"iothread1"};
	const struct qemu_args args = {.n_vcpus = 3, .iothreads = ids, .n_iothreads = 2};
	struct vm_thread *vcpu;

	(void)state;
	add(&vm, 10, "qemu", "");
	vcpu = add(&vm, 11, "CPU 1/KVM", "");
	vcpu->class = THREAD_VCPU;
	vcpu->index = 1;
	assert_int_equal(unborn_add(&vm, &args), 0);
	assert_threads(&vm, "e=10 v1=11 v0=0:CPU 0/ v2=0:CPU 2/ i2=0:IO disk "
			    "i1=0:IO iothread1 ");
	assert_int_equal(vm_born(&vm), 2);
	assert_int_equal(unborn_add(&vm, &args), 0);
	assert_int_equal(vm.n_threads, 6);
}

static void names_are_compared_whole(void **state)
{
	struct vm_thread vcpu = {.class = THREAD_VCPU, .comm = "CPU 1/"};
	struct vm_thread iothread = {.class = THREAD_IOTHREAD, .comm = "IO disk"};
	struct vm_thread cut = {.class = THREAD_IOTHREAD, .comm = "IO a-long-disk-"};

	(void)state;
	assert_true(unborn_is_called(&vcpu, "CPU 1/KVM"));
	assert_false(unborn_is_called(&vcpu, "CPU 11/KVM"));
	assert_false(unborn_is_called(&vcpu, "CPU 1"));
	assert_true(unborn_is_called(&iothread, "IO disk"));
	assert_false(unborn_is_called(&iothread, "IO disk1"));
	assert_true(unborn_is_called(&cut, "IO a-long-disk-name"));
	assert_false(unborn_is_called(&cut, "IO a-long-disk"));
}

static void groups_tell_the_nameless(void **state)
{
	CLEANUP(vm_deinit) struct vm vm = {.name = "web1", .pid = 10};

	(void)state;
	add(&vm, 10, "qemu", "cpuwarden.slice/web1/emulator");
	add(&vm, 11, "qemu", "cpuwarden.slice/web1/emulator");
	add(&vm, 13, "qemu", "cpuwarden.slice/web1/vcpu0"); /* a worker of 12 */
	add(&vm, 12, "qemu", "cpuwarden.slice/web1/vcpu0")->start_time = 1;
	add(&vm, 14, "kvm-nx-lpage-re", "cpuwarden.slice/web1/vcpu1");
	add(&vm, 15, "qemu", "cpuwarden.slice/web1/iothread2");
	add(&vm, 16, "qemu", "cpuwarden.slice/web1/vcpu8192");
	add(&vm, 17, "qemu", "cpuwarden.slice/web1/vcpu3/more");
	add(&vm, 18, "qemu", "cpuwarden.slice/web11/vcpu4");
	add(&vm, 19, "qemu", "elsewhere/web1/vcpu5");
	assert_int_equal(classify_by_leaf(&vm), 1);
	assert_threads(&vm, "e=10 e=11 e=13 v0=12 e=14 i2=15 e=16 e=17 e=18 e=19 ");
}

static void names_go_first(void **state)
{
	CLEANUP(vm_deinit) struct vm vm = {.name = "web1", .pid = 10};
	struct vm_thread *vcpu;

	(void)state;
	add(&vm, 10, "qemu", "cpuwarden.slice/web1/emulator");
	add(&vm, 11, "qemu", "cpuwarden.slice/web1/vcpu0");
	vcpu = add(&vm, 12, "CPU 0/KVM", "cpuwarden.slice/web1/vcpu0");
	vcpu->class = THREAD_VCPU;
	assert_int_equal(classify_by_leaf(&vm), 0);
	assert_threads(&vm, "e=10 e=11 v0=12 ");
	vm.libvirt = true;
	vcpu->class = THREAD_EMULATOR;
	assert_int_equal(classify_by_leaf(&vm), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_are_not_there_are_added),
		cmocka_unit_test(names_are_compared_whole),
		cmocka_unit_test(groups_tell_the_nameless),
		cmocka_unit_test(names_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
