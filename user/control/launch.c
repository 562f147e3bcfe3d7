// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nobody stands between QEMU and who started it: the process that was called becomes
 * QEMU, so signals, exit status, terminal and a unit's main process are what they would
 * be without us. Before it does, it is the VM in all but name: its main thread, with the
 * vCPUs that the command line names yet to be born. Claims, groups and rules follow from
 * that as from any VM.
 *
 * What there is may change while the lock is waited for: all of it is read again then.
 *
 * The lock goes with this program when QEMU is executed. From then on the VM is found as
 * a QEMU, and that it is being started, so that its empty groups are to stay, is told by
 * who traces it (host/starter.h).
 *
 * With -daemonize the VM is a grandchild, so it is placed when that is made
 * (attendant.c); here is only looked at whether it could be.
 */
#include "user/control/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/control/attendant.h"
#include "user/control/judge.h"
#include "user/host/qemu_args.h"
#include "user/store/lock.h"

/* A command line, as itself and as /proc will show it. */
struct command {
	char *path; /* of the program */
	/* As we were given it: reading the host changes our own (host/topology.c). The
	 * strings are not owned. */
	char **environment;
	char *vector;
	size_t len;
	struct qemu_args args;
};

static void command_deinit(struct command *command)
{
	free(command->path);
	free(command->environment);
	free(command->vector);
	qemu_args_deinit(&command->args);
}

/* As execvp() would find it. The caller frees; NULL: it is not there. */
static char *find_program(const char *name)
{
	const char *path = strchr(name, '/') ? "" : getenv("PATH");
	cleanup_free char *folders = strdup(path ? path : "/usr/bin:/bin");
	char *rest = folders, *folder;

	while (folders && (folder = strsep(&rest, ":"))) {
		char *file = NULL;

		if (asprintf(&file, "%s%s%s", folder, *folder ? "/" : "", name) < 0)
			return NULL;
		if (!access(file, X_OK))
			return file;
		free(file);
	}
	return NULL;
}

static bool is_script(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[2];

	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	       !memcmp(head, "#!", sizeof(head));
}

/* A script is followed by nobody: until it has come to QEMU, no VM is to be seen. */
static int check_program(
	const struct launch *launch, struct command *command, struct problem *problem)
{
	cleanup_free char *real = NULL;
	const char *name;

	command->path = find_program(launch->argv[0]);
	if (!command->path)
		return problem_set(
			problem, -ENOENT, "there is no program %s", launch->argv[0]);
	real = realpath(command->path, NULL);
	name = real ? strrchr(real, '/') : NULL;
	if (!name || !qemu_is_name(name + 1) || is_script(real))
		return problem_set(problem, -EINVAL,
			"%s is not QEMU's own program (qemu-system-*, qemu-kvm): that is what "
			"is to be given",
			command->path);
	return 0;
}

static int check_args(
	const struct launch *launch, struct qemu_args *args, struct problem *problem)
{
	char name[VM_NAME_SIZE];

	if (args->libvirt)
		return problem_set(problem, -EINVAL,
			"%s has libvirt's monitor: libvirt starts it", launch->vm_name);
	if (!args->name)
		return problem_set(problem, -EINVAL,
			"the command line does not name the VM: -name guest=%s is missing",
			launch->vm_name);
	qemu_args_file_name(args->name, name);
	if (strcmp(name, launch->vm_name))
		return problem_set(problem, -EINVAL,
			"the command line names the VM %s, not %s", name,
			launch->vm_name);
	if (!args->n_vcpus || args->probe)
		return problem_set(problem, -EINVAL,
			"the command line does not tell how many vCPUs %s has",
			launch->vm_name);
	return 0;
}

static char **copy_environment(void)
{
	size_t n = 0;
	char **copy;

	while (environ && environ[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	if (copy && n)
		memcpy(copy, environ, n * sizeof(*copy));
	return copy;
}

static int read_command(
	const struct launch *launch, struct command *command, struct problem *problem)
{
	int r;

	command->environment = copy_environment();
	for (char *const *arg = launch->argv; *arg; arg++)
		command->len += strlen(*arg) + 1;
	command->vector = malloc(command->len);
	if (!command->vector || !command->environment)
		return problem_nomem(problem);
	command->len = 0;
	for (char *const *arg = launch->argv; *arg; arg++) {
		strcpy(command->vector + command->len, *arg);
		command->len += strlen(*arg) + 1;
	}
	r = qemu_args_parse(command->vector, command->len, &command->args);
	if (r == -E2BIG)
		return problem_set(problem, -EINVAL, "the command line is too long");
	if (r)
		return problem_nomem(problem);
	r = check_args(launch, &command->args, problem);
	return r ? r : check_program(launch, command, problem);
}

/* A launch on its way. */
struct start {
	const struct launch *launch;
	struct command command;
	struct qemu_expected expected;
	struct asking asking;
	struct cycle cycle;
	bool wanted; /* policy wants it placed */
};

static void start_deinit(struct start *start)
{
	cycle_deinit(&start->cycle);
	command_deinit(&start->command);
}

static void forget(struct start *start)
{
	cycle_deinit(&start->cycle);
	start->cycle = (struct cycle){.hierarchy.root = -1};
}

static int check_vm(const struct start *start, struct problem *problem)
{
	const char *name = start->launch->vm_name;
	const struct desired_vm *vm = desired_find(&start->cycle.desired, name);
	const struct vm *named = vms_find(&start->cycle.vms, name);

	if (!vm || !named || named->pid != getpid())
		return problem_set(problem, -EEXIST,
			"there is a VM %s already: process %d", name,
			named ? named->pid : 0);
	if (vm->kind != DESIRED_PLACED)
		return problem_set(problem, -EBUSY, "%s cannot be placed: %s", name,
			vm->reason ? vm->reason : "policy");
	return 0;
}

/* From the configuration on: without the lock only to refuse early, with it to place. */
static int look(struct start *start, struct problem *problem)
{
	struct policy policy;
	int r;

	forget(start);
	r = cycle_read_asking(
		start->launch->folders, &start->asking, &start->cycle, problem);
	if (r)
		return r;
	config_policy(&start->cycle.config, start->launch->vm_name, &policy);
	start->wanted = policy.kind != POLICY_OBSERVE && policy.kind != POLICY_IGNORE;
	return start->wanted ? check_vm(start, problem) : 0;
}

struct hearing {
	const struct launch *launch; /* NULL: whatever it is */
	struct problem why;	     /* the first thing */
};

static void keep_first(const char *vm, const char *why, void *data)
{
	struct hearing *hearing = data;
	const struct launch *launch = hearing->launch;

	if (launch && strcmp(vm, launch->vm_name))
		launch->report->failed(vm, why, launch->report->data);
	else if (!*hearing->why.text)
		problem_set(&hearing->why, 0, "%s", why);
}

/* Gives back what was prepared. What of it cannot be is added to the problem. */
static void clear(struct start *start, struct problem *problem)
{
	struct hearing hearing = {};
	const struct report report = {.failed = keep_first, .data = &hearing};
	const struct problem before = *problem;
	struct problem why = {};
	int r;

	r = cycle_refresh(&start->cycle, &why);
	if (!r)
		r = control_release(&start->cycle, start->launch->vm_name, &report, &why);
	if (r && r != -ESRCH)
		problem_set(problem, 0,
			"%s; and what was prepared could not all be given back: %s",
			before.text, r < 0 ? why.text : hearing.why.text);
}

/* With the lock held. */
static int place(struct start *start, struct problem *problem)
{
	struct hearing hearing = {.launch = start->launch};
	const struct report report = {.failed = keep_first, .data = &hearing};
	const char *name = start->launch->vm_name;
	int r;

	r = look(start, problem);
	if (r || !start->wanted)
		return r;
	r = control_apply_one(&start->cycle, name, &report, problem);
	if (r > 0)
		r = problem_set(problem, -EBUSY, "%s cannot be placed: %s", name,
			hearing.why.text);
	if (r)
		clear(start, problem);
	return r;
}

static int execute(const struct start *start, struct problem *problem)
{
	const struct command *command = &start->command;

	execve(command->path, start->launch->argv, command->environment);
	return problem_set(
		problem, -errno, "cannot execute %s: %s", command->path, strerror(errno));
}

static int start_untouched(const struct start *start, struct problem *problem)
{
	const struct launch *launch = start->launch;

	launch->report->failed(launch->vm_name,
		"its policy gives it no CPUs of its own: it runs where it was started",
		launch->report->data);
	return execute(start, problem);
}

/* Places this process and becomes QEMU. */
static int start_placed(struct start *start, int attendant, struct problem *problem)
{
	cleanup_close int lock = -1;
	int r;

	r = lock_take(start->launch->folders->run, LAUNCH_LOCK_SECONDS, &lock, problem);
	if (!r)
		r = place(start, problem);
	if (r)
		return r;
	if (!start->wanted)
		return start_untouched(start, problem);
	r = attendant_begin(attendant, problem);
	if (!r)
		r = execute(start, problem);
	clear(start, problem);
	return r;
}

static int start_attended(struct start *start, struct problem *problem)
{
	const struct launch *launch = start->launch;
	const struct attendance attendance = {.folders = launch->folders,
		.asking = &start->asking,
		.vm_name = launch->vm_name,
		.daemonize = start->command.args.daemonize,
		.report = launch->report};
	cleanup_close int attendant = -1;
	int r;

	/* The attendant is made first, so that it has neither the lock, nor an observer
	 * that could not be removed meanwhile, nor a place among the VM's threads. */
	forget(start);
	r = attendant_make(&attendance, &attendant, problem);
	if (r)
		return r;
	if (!attendance.daemonize)
		return start_placed(start, attendant, problem);
	r = attendant_begin(attendant, problem);
	return r ? r : execute(start, problem);
}

int launch_qemu(const struct launch *launch, struct problem *problem)
{
	CLEANUP(start_deinit)
	struct start start = {.launch = launch, .cycle.hierarchy.root = -1};
	int r;

	r = read_command(launch, &start.command, problem);
	if (r)
		return r == -EINVAL ? 1 : r;
	start.expected =
		(struct qemu_expected){getpid(), start.command.vector, start.command.len};
	start.asking.expected = &start.expected;
	r = look(&start, problem);
	if (r)
		return r;
	return start.wanted ? start_attended(&start, problem)
			    : start_untouched(&start, problem);
}
