// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two threads and two pipes: each message is one switch from one thread to the other. A
 * vCPU on a CPU of its own has nobody to switch with but idle, so its waker is on another
 * CPU, and spins there: were it to block, its own switches would be measured as well.
 */
#include "tests/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/clock.h"

enum {
	BATCH = 64,	  /* messages between two looks at the clock */
	SLEEPY_NS = 3000, /* what a woken thread takes to be asleep again */
};

struct partner {
	const struct load *load;
	int from[2], to[2]; /* pipes: to the partner, and from it */
	atomic_uint woken;
	atomic_int tid;
};

static bool pin_self(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static void *partner_main(void *data)
{
	struct partner *partner = data;
	bool own_cpu = load_has_own_cpu(partner->load->kind);
	char byte;

	if (!pin_self(partner->load->cpu))
		_exit(1);
	atomic_store(&partner->tid, (int)syscall(SYS_gettid));
	while (read(partner->to[0], &byte, 1) == 1) {
		if (own_cpu)
			atomic_fetch_add(&partner->woken, 1);
		else if (write(partner->from[1], &byte, 1) != 1)
			break;
	}
	_exit(1);
}

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static void wake_and_wait(struct partner *partner)
{
	unsigned int before = atomic_load(&partner->woken);
	uint64_t start;
	char byte = 0;

	if (write(partner->to[1], &byte, 1) != 1)
		_exit(1);
	while (atomic_load_explicit(&partner->woken, memory_order_relaxed) == before)
		relax();
	start = clock_now_ns();
	while (clock_now_ns() - start < SLEEPY_NS)
		relax();
}

static void ping_pong(struct partner *partner)
{
	char byte = 0;

	if (write(partner->to[1], &byte, 1) != 1 || read(partner->from[0], &byte, 1) != 1)
		_exit(1);
}

static uint64_t own_switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw;
}

static struct load_result run(struct partner *partner, uint64_t ns)
{
	uint64_t start = clock_now_ns(), switches = own_switches(), end;

	do {
		for (int i = 0; i < BATCH; i++) {
			if (load_has_own_cpu(partner->load->kind))
				wake_and_wait(partner);
			else
				ping_pong(partner);
		}
		end = clock_now_ns();
	} while (end - start < ns);
	return (struct load_result){
		.ns = end - start, .switches = own_switches() - switches};
}

/* In force until the process ends. Without it the figures are still right, but for colder
 * caches. */
static void keep_idle_awake(void)
{
	int fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
	int32_t microseconds = 0;

	if (fd >= 0 && write(fd, &microseconds, sizeof(microseconds)) < 0)
		close(fd);
}

/* The load's main thread: obeys the channel until it is closed. */
static _Noreturn void load_main(const struct load *load)
{
	struct partner partner = {.load = load};
	struct load_result result;
	pid_t tids[2];
	pthread_t thread;
	uint64_t ns;

	/* An interrupt from the terminal is the controller's business. */
	signal(SIGINT, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Whoever else wants the CPU gets a hundredth of it. */
	setpriority(PRIO_PROCESS, 0, -20);
	if (pipe(partner.to) || pipe(partner.from) ||
		!pin_self(load_has_own_cpu(load->kind) ? load->other_cpu : load->cpu) ||
		pthread_create(&thread, NULL, partner_main, &partner))
		_exit(1);
	if (load->kind == LOAD_OWN_CPU)
		keep_idle_awake();
	while (!atomic_load(&partner.tid))
		sched_yield();
	tids[0] = getpid();
	tids[1] = atomic_load(&partner.tid);
	if (send(load->channel, tids, sizeof(tids), 0) != sizeof(tids))
		_exit(1);
	while (recv(load->channel, &ns, sizeof(ns), 0) == sizeof(ns)) {
		result = run(&partner, ns);
		if (send(load->channel, &result, sizeof(result), 0) != sizeof(result))
			break;
	}
	_exit(0);
}

static int receive(const struct load *load, void *to, size_t size)
{
	ssize_t n;

	do
		n = recv(load->channel, to, size, 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size ? 0 : -EPIPE;
}

int load_start(enum load_kind kind, unsigned int cpu, unsigned int other_cpu,
	struct load *ret_load)
{
	struct load load = {.kind = kind, .cpu = cpu, .other_cpu = other_cpu};
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	load.pid = fork();
	if (load.pid < 0) {
		r = -errno;
		close(ends[0]);
		close(ends[1]);
		return r;
	}
	if (!load.pid) {
		close(ends[0]);
		load.channel = ends[1];
		load_main(&load);
	}
	close(ends[1]);
	load.channel = ends[0];
	r = receive(&load, load.tids, sizeof(load.tids));
	if (r) {
		load_stop(&load);
		return r;
	}
	*ret_load = load;
	return 0;
}

int load_run(const struct load *load, uint64_t ns, struct load_result *ret_result)
{
	if (send(load->channel, &ns, sizeof(ns), MSG_NOSIGNAL) != sizeof(ns))
		return -EPIPE;
	return receive(load, ret_result, sizeof(*ret_result));
}

void load_stop(struct load *load)
{
	close(load->channel);
	kill(load->pid, SIGKILL);
	while (waitpid(load->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}
