// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/tracers.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "build/bpf/bench/empty.skel.h"
#include "user/base/cleanup.h"
#include "user/host/proc.h"
#include "user/observer/maps.h"

#define DIR "/sys/fs/bpf/cpuwarden-bench"
#define TRACEFS "/sys/kernel/tracing"
/* An instance has settings and buffers of its own. */
#define INSTANCE TRACEFS "/instances/cpuwarden-bench"
#define RUNQLAT "/usr/sbin/runqlat"

enum { RUNQLAT_PROGRAMS = 3, START_TRIES = 1000, STRANGER = 1 << 23 };

const char *tracer_name(enum tracer_kind kind)
{
	static const char *const names[TRACERS] = {"nothing", "an empty BPF program",
		"cpuwarden's observer", "runqlat (libbpf-tools)",
		"ftrace, event sched_switch"};

	return names[kind];
}

int tracers_init(struct problem *problem)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return problem_set(problem, -errno,
			"cannot leave the mount namespace: %s", strerror(errno));
	/* Without it there is no comparison with ftrace, nothing worse. */
	if (access(TRACEFS "/instances", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	rmdir(INSTANCE);
	return observer_remove(DIR, problem);
}

static void pause_ms(long ms)
{
	struct timespec time = {.tv_nsec = ms * 1000000};

	nanosleep(&time, NULL);
}

static int empty_on(struct tracer *tracer, struct problem *problem)
{
	tracer->empty = empty_bpf__open_and_load();
	if (!tracer->empty || empty_bpf__attach(tracer->empty))
		return problem_set(problem, -errno, "cannot attach the empty program: %s",
			strerror(errno));
	tracer->program = bpf_program__fd(tracer->empty->progs.cpuwarden_empty);
	return 0;
}

static int set_thread(struct rule_thread *thread, pid_t pid, pid_t tid)
{
	thread->tid = tid;
	return proc_start_time(pid, tid, &thread->start_time);
}

/* A VM of three threads that never run: beyond what the kernel gives for a pid. */
static int write_stranger(
	struct observer *observer, unsigned int number, struct problem *problem)
{
	struct rule_thread threads[3] = {};
	struct rule_vm vm = {.pid = (pid_t)(STRANGER + 8 * number),
		.start_time = 1,
		.threads = threads,
		.n_threads = 3};

	snprintf(vm.name, sizeof(vm.name), "stranger%u", number);
	memset(&vm.set, 0xff, sizeof(vm.set));
	for (int i = 0; i < 3; i++)
		threads[i] = (struct rule_thread){.tid = vm.pid + i,
			.start_time = 1,
			.class = THREAD_EMULATOR,
			.set = vm.set};
	return observer_begin(observer, &vm, problem);
}

/*
 * The rules. A VM's threads are the load's two. For a host task there is a VM too,
 * elsewhere: ourselves, so that the way past it is taken, not the one of a host without
 * VMs.
 */
static int write_rules(
	struct observer *observer, const struct load *load, struct problem *problem)
{
	struct rule_thread threads[2] = {{.index = 0}, {.index = 1}};
	struct rule_vm vm = {.name = "bench", .threads = threads, .n_threads = 2};
	int r;

	cpuset_add(&vm.set, load->cpu);
	cpuset_add(&vm.set, load->other_cpu);
	threads[0].set = threads[1].set = vm.set;
	if (load->kind == LOAD_HOST) {
		vm.pid = getpid();
		vm.n_threads = 1;
		r = set_thread(&threads[0], vm.pid, vm.pid);
	} else {
		vm.pid = load->pid;
		r = set_thread(&threads[0], vm.pid, load->tids[0]);
		if (!r)
			r = set_thread(&threads[1], vm.pid, load->tids[1]);
	}
	if (load_has_own_cpu(load->kind)) {
		threads[0].class = THREAD_EMULATOR;
		cpuset_drop(&threads[1].set, load->other_cpu);
		threads[1].owns = true;
	}
	if (r)
		return problem_set(
			problem, r, "cannot read the load's threads: %s", strerror(-r));
	vm.start_time = threads[0].start_time;
	r = observer_begin(observer, &vm, problem);
	if (!r)
		r = observer_commit(observer, &vm, problem);
	for (unsigned int i = 0; !r && i < load->crowd; i++)
		r = write_stranger(observer, i, problem);
	return r;
}

/* The program behind the pinned link: nothing else names it. */
static int switch_program(void)
{
	struct bpf_link_info info = {};
	u32 size = sizeof(info);
	cleanup_close int link = bpf_obj_get(DIR "/link_switch");
	int fd;

	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &size))
		return -errno;
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	return fd < 0 ? -errno : fd;
}

static int observer_on(
	struct tracer *tracer, const struct load *load, struct problem *problem)
{
	/* The maps have room for four VMs a CPU. */
	const struct observer_wish wish = {
		.cpus = load->crowd ? 1024 : (unsigned int)libbpf_num_possible_cpus()};
	cleanup_observer struct observer *observer = NULL;
	int r = observer_start(DIR, &wish, &observer, problem);

	if (r)
		return r;
	r = write_rules(observer, load, problem);
	if (r)
		return r;
	tracer->program = switch_program();
	if (tracer->program < 0)
		return problem_set(
			problem, tracer->program, "cannot find the observer's program");
	return 0;
}

static int count_links(void)
{
	u32 id = 0;
	int n = 0;

	while (!bpf_link_get_next_id(id, &id))
		n++;
	return n;
}

static int runqlat_on(struct tracer *tracer)
{
	int links = count_links();

	if (access(RUNQLAT, X_OK))
		return -EOPNOTSUPP;
	tracer->runqlat = fork();
	if (!tracer->runqlat) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execl(RUNQLAT, "runqlat", NULL);
		_exit(127);
	}
	/* It says nothing into a pipe, so its links tell that it is ready. */
	for (int i = 0; i < START_TRIES; i++) {
		if (count_links() >= links + RUNQLAT_PROGRAMS)
			return 0;
		pause_ms(10);
	}
	return -EOPNOTSUPP;
}

static int write_instance(const char *file, const char *text)
{
	cleanup_close int dir = open(INSTANCE, O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) > 0 ? 0 : -errno;
}

static int ftrace_on(void)
{
	if (mkdir(INSTANCE, 0700))
		return -EOPNOTSUPP;
	return write_instance("events/sched/sched_switch/enable", "1");
}

int tracer_on(enum tracer_kind kind, const struct load *load, struct tracer *ret_tracer,
	struct problem *problem)
{
	*ret_tracer = (struct tracer){.kind = kind, .program = -1};
	switch (kind) {
	case TRACER_EMPTY:
		return empty_on(ret_tracer, problem);
	case TRACER_OBSERVER:
		return observer_on(ret_tracer, load, problem);
	case TRACER_RUNQLAT:
		return runqlat_on(ret_tracer);
	case TRACER_FTRACE:
		return ftrace_on();
	default:
		return 0;
	}
}

void tracer_off(struct tracer *tracer)
{
	switch (tracer->kind) {
	case TRACER_EMPTY:
		empty_bpf__destroy(tracer->empty);
		break;
	case TRACER_OBSERVER:
		if (tracer->program >= 0)
			close(tracer->program);
		observer_remove(DIR, NULL);
		break;
	case TRACER_RUNQLAT:
		if (tracer->runqlat <= 0)
			break;
		kill(tracer->runqlat, SIGKILL);
		while (waitpid(tracer->runqlat, NULL, 0) < 0 && errno == EINTR)
			continue;
		break;
	case TRACER_FTRACE:
		write_instance("events/sched/sched_switch/enable", "0");
		rmdir(INSTANCE);
		break;
	default:
		break;
	}
	*tracer = (struct tracer){.program = -1};
}

int tracer_time(const struct tracer *tracer, struct program_time *ret_time)
{
	struct bpf_prog_info info = {};
	u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(tracer->program, &info, &size))
		return -errno;
	*ret_time = (struct program_time){.ns = info.run_time_ns, .runs = info.run_cnt};
	return 0;
}

int tracer_strangers(unsigned int cpu, uint64_t *ret_runs)
{
	cleanup_observer struct observer *observer = NULL;
	struct counters counters;
	int r = observer_open(DIR, &observer, NULL);

	if (!r)
		r = observer_read(observer, &counters);
	if (r)
		return r;
	if (cpu < counters.n_cpus)
		*ret_runs = tally_foreign(counters.cpus[cpu].foreign) +
			    counters.cpus[cpu].bound_kthread.count;
	counters_deinit(&counters);
	return 0;
}
