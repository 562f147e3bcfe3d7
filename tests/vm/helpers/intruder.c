// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * intruder [OPTION]... RUNS BUSY_US PAUSE_US [CPU]: a task that runs so often, computes
 * that long each time and sleeps in between. With a CPU it binds itself there first.
 * Prints its pid when it starts.
 *
 *   -n NAME    calls itself so
 *   -p POLICY  is scheduled so: fifo, rr, deadline, batch, idle, nice
 *   -f COUNT   so many children do it, one after another
 *   -t COUNT   so many threads do it, one after another
 *   -e TIMES   executes itself so often, in place, and does it each time
 *   -r TID     forks until a child has that number; it is the child who does it
 *   -a TID     forks until numbers shortly before that one are given, and ends
 *   -2         two threads do it, in turns
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int runs, busy, pause_us, executions, tid_wanted, turns[2][2];
static int forks = 0, threads = 0, pair = 0;

/* include/uapi/linux/sched/types.h; not every C library declares it. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* ns */
};

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void compute(void)
{
	long long end = now_us() + busy;

	while (now_us() < end)
		;
}

static void *work(void *unused)
{
	for (int i = 0; i < runs; i++) {
		compute();
		usleep((useconds_t)pause_us);
	}
	return unused;
}

/* One of two: a byte that goes round says whose turn it is. */
static void *take_turns(void *which)
{
	int me = which != NULL;
	char byte;

	for (int i = 0; i < runs && read(turns[me][0], &byte, 1) == 1; i++) {
		compute();
		if (write(turns[!me][1], &byte, 1) != 1)
			break;
	}
	return NULL;
}

static int set_policy(const char *name)
{
	struct attr attr = {.size = sizeof(attr)};

	if (!strcmp(name, "nice"))
		return setpriority(PRIO_PROCESS, 0, -20);
	if (!strcmp(name, "batch"))
		attr.policy = SCHED_BATCH;
	if (!strcmp(name, "idle"))
		attr.policy = SCHED_IDLE;
	if (!strcmp(name, "fifo") || !strcmp(name, "rr")) {
		attr.policy = name[0] == 'f' ? SCHED_FIFO : SCHED_RR;
		attr.priority = 10;
	}
	if (!strcmp(name, "deadline")) {
		attr.policy = SCHED_DEADLINE;
		attr.runtime = 5000000;
		attr.deadline = attr.period = 20000000;
	}
	return (int)syscall(SYS_sched_setattr, 0, &attr, 0);
}

static int bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* Takes a number and ends. */
static __attribute__((noinline)) pid_t short_life(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}

/* Numbers are given in order, and from 300 again after the last. Takes them up to one
 * that comes less than a hundred before this. */
static int approach(int tid)
{
	FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
	int all = 0, before;

	if (!file || fscanf(file, "%d", &all) != 1 || all <= 400)
		return -1;
	fclose(file);
	all -= 300;
	for (int tries = 0; tries < 2 * all; tries++) {
		pid_t pid = short_life();

		if (pid < 0)
			break;
		waitpid(pid, NULL, 0);
		before = ((tid - pid) % all + all) % all;
		if (before > 0 && before < 100)
			return 0;
	}
	fprintf(stderr, "intruder: no child came near number %d\n", tid);
	return -1;
}

/* Returns in the child that has the number, and never in the parent. */
static void become(int tid)
{
	int status = 1 << 8;
	pid_t pid = 0;

	/* Somebody else's child may get it, for a while: once more, then. */
	for (int tries = 0; tries < 5 * 200 && pid != tid; tries++) {
		if (tries % 200 == 0 && approach(tid))
			exit(1);
		pid = fork();
		if (!pid && getpid() == tid)
			return;
		if (!pid)
			_exit(1);
		waitpid(pid, &status, 0);
	}
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static int have_it_done(void)
{
	pthread_t a, b;
	char byte = 0;

	for (int i = 0; i < forks; i++) {
		if (!fork()) {
			work(NULL);
			_exit(0);
		}
		wait(NULL);
	}
	for (int i = 0; i < threads; i++)
		if (pthread_create(&a, NULL, work, NULL) || pthread_join(a, NULL))
			return 1;
	if (pair) {
		if (pipe(turns[0]) || pipe(turns[1]) ||
			write(turns[0][1], &byte, 1) != 1 ||
			pthread_create(&a, NULL, take_turns, NULL) ||
			pthread_create(&b, NULL, take_turns, turns))
			return 1;
		pthread_join(a, NULL);
		pthread_join(b, NULL);
	}
	if (!forks && !threads && !pair)
		work(NULL);
	return 0;
}

/* Once more, with one execution less to go. */
static int execute_again(char **argv)
{
	char left[16];

	snprintf(left, sizeof(left), "%d", executions - 1);
	for (int i = 1; argv[i]; i++)
		if (!strcmp(argv[i], "-e"))
			argv[i + 1] = left;
	return execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	const char *name = NULL, *policy = NULL;
	int option;

	while ((option = getopt(argc, argv, "+n:p:f:t:e:r:a:2")) != -1) {
		switch (option) {
		case 'n':
			name = optarg;
			break;
		case 'p':
			policy = optarg;
			break;
		case 'f':
			forks = atoi(optarg);
			break;
		case 't':
			threads = atoi(optarg);
			break;
		case 'e':
			executions = atoi(optarg);
			break;
		case 'r':
			tid_wanted = atoi(optarg);
			break;
		case 'a':
			return approach(atoi(optarg)) ? 1 : 0;
		case '2':
			pair = 1;
			break;
		default:
			return 64;
		}
	}
	if (argc - optind < 3)
		return 64;
	runs = atoi(argv[optind]);
	busy = atoi(argv[optind + 1]);
	pause_us = atoi(argv[optind + 2]);
	if (tid_wanted)
		become(tid_wanted);
	if ((argc - optind > 3 && bind_to(atoi(argv[optind + 3]))) ||
		(policy && set_policy(policy)) || (name && prctl(PR_SET_NAME, name))) {
		fprintf(stderr, "intruder: %s\n", strerror(errno));
		return 1;
	}
	printf("%d\n", getpid());
	fflush(stdout);
	if (have_it_done())
		return 1;
	return executions > 0 ? execute_again(argv) : 0;
}
