// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/tasks.c: order, and threads of our own that are where we put them. Kernel
 * threads are for the VM. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/host/tasks.h"

static void test_first_on_a_cpu(void **state)
{
	static const struct task tasks[] = {{.last_cpu = 1, .tid = 5},
		{.last_cpu = 1, .tid = 9}, {.last_cpu = 4, .tid = 2}};
	static const size_t first[] = {0, 0, 2, 2, 2, 3, 3};

	(void)state;
	for (int cpu = 0; cpu < 7; cpu++)
		assert_int_equal(tasks_first_on(tasks, 3, cpu), first[cpu]);
	assert_int_equal(tasks_first_on(NULL, 0, 0), 0);
}

struct sleeper {
	pthread_t thread;
	pthread_barrier_t up;
	int cpu;
	pid_t tid;
	int wake[2];
};

static void *sleep_on_cpu(void *data)
{
	struct sleeper *sleeper = data;
	cpu_set_t set;
	char byte;

	CPU_ZERO(&set);
	CPU_SET(sleeper->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	prctl(PR_SET_NAME, "a (b) 1 R");
	sleeper->tid = gettid();
	pthread_barrier_wait(&sleeper->up);
	return (void *)(intptr_t)read(sleeper->wake[0], &byte, 1);
}

static const struct task *find(const struct task *tasks, size_t n, pid_t tid)
{
	const struct task *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (tasks[i].tid == tid) {
			assert_null(found);
			found = &tasks[i];
		}
	assert_non_null(found);
	return found;
}

static void test_our_own_threads(void **state)
{
	cleanup_free struct task *tasks = NULL;
	struct sleeper sleeper = {};
	const struct task *task;
	cpu_set_t allowed;
	size_t n;

	(void)state;
	/* The highest that we may use: not where this thread happens to be, most of the
	 * time. */
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			sleeper.cpu = cpu;
	assert_int_equal(pipe(sleeper.wake), 0);
	assert_int_equal(pthread_barrier_init(&sleeper.up, NULL, 2), 0);
	assert_int_equal(
		pthread_create(&sleeper.thread, NULL, sleep_on_cpu, &sleeper), 0);
	pthread_barrier_wait(&sleeper.up);
	assert_int_equal(tasks_read(&tasks, &n, NULL), 0);
	assert_int_equal(write(sleeper.wake[1], "", 1), 1);
	pthread_join(sleeper.thread, NULL);
	pthread_barrier_destroy(&sleeper.up);
	close(sleeper.wake[0]);
	close(sleeper.wake[1]);

	task = find(tasks, n, sleeper.tid);
	assert_int_equal(task->pid, getpid());
	assert_int_equal(task->last_cpu, sleeper.cpu);
	assert_true(task->allowed);
	assert_string_equal(task->comm, "a (b) 1 R");
	assert_false(task->kernel);
	assert_false(task->bound);
	task = find(tasks, n, getpid());
	assert_int_equal(task->pid, getpid());
	assert_int_equal(task->state, 'R');
	for (size_t i = 1; i < n; i++)
		assert_true(tasks[i - 1].last_cpu < tasks[i].last_cpu ||
			    (tasks[i - 1].last_cpu == tasks[i].last_cpu &&
				    tasks[i - 1].tid < tasks[i].tid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_on_a_cpu),
		cmocka_unit_test(test_our_own_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
