// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nobody stands between QEMU and who started it: the process that was called becomes
 * QEMU, so signals, exit status, terminal and a unit's main process are what they would
 * be without us. Before it does, it is the VM in all but name: its main thread, with the
 * vCPUs that the command line names yet to be born. Claims, groups and rules follow from
 * that as from any VM.
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
	char *vector;
	size_t len;
	struct qemu_args args;
};

static void command_deinit(struct command *command)
{
	free(command->path);
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

static int read_command(
	const struct launch *launch, struct command *command, struct problem *problem)
{
	int r;

	for (char *const *arg = launch->argv; *arg; arg++)
		command->len += strlen(*arg) + 1;
	command->vector = malloc(command->len);
	if (!command->vector)
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

/* The VM as it is desired. *ret_vm: NULL where policy wants nothing of it. */
static int find_vm(const struct launch *launch, const struct cycle *cycle,
	const struct desired_vm **ret_vm, struct problem *problem)
{
	const struct vm_policy *wish = config_find_vm(&cycle->config, launch->vm_name);
	const struct policy *policy = wish ? &wish->policy : &cycle->config.defaults;
	const struct desired_vm *vm = desired_find(&cycle->desired, launch->vm_name);
	const struct vm *named = vms_find(&cycle->vms, launch->vm_name);

	if (policy->kind == POLICY_OBSERVE || policy->kind == POLICY_IGNORE)
		return 0;
	if (!vm || !named || named->pid != getpid())
		return problem_set(problem, -EEXIST,
			"there is a VM %s already: process %d", launch->vm_name,
			named ? named->pid : 0);
	/* What cannot be had yet by any VM is no reason not to start one. */
	if (vm->kind != DESIRED_PLACED && policy->kind != POLICY_DEDICATED)
		return 0;
	if (vm->kind != DESIRED_PLACED)
		return problem_set(problem, -EBUSY, "%s cannot be placed: %s",
			launch->vm_name, vm->reason ? vm->reason : "policy");
	*ret_vm = vm;
	return 0;
}

static void keep_first(const char *vm, const char *why, void *data)
{
	struct problem *problem = data;

	(void)vm;
	if (!*problem->text)
		problem_set(problem, 0, "%s", why);
}

/* Gives back what was prepared. */
static void clear(struct cycle *cycle, const char *vm_name)
{
	struct problem ignored = {};
	const struct report silent = {.failed = keep_first, .data = &ignored};

	if (!cycle_refresh(cycle, &ignored))
		(void)control_release(cycle, vm_name, &silent, &ignored);
}

static void no_step(const struct unit *unit, const struct step *step, void *data)
{
	(void)unit;
	(void)step;
	(void)data;
}

/* With the lock held. */
static int place(
	const struct launch *launch, struct cycle *cycle, struct problem *problem)
{
	const struct desired_vm *vm = NULL;
	struct problem why = {};
	const struct report report = {
		.done = no_step, .failed = keep_first, .data = &why};
	int r;

	r = cycle_refresh(cycle, problem);
	if (!r)
		r = find_vm(launch, cycle, &vm, problem);
	if (!r)
		r = control_apply_one(cycle, launch->vm_name, &report, problem);
	if (r > 0)
		r = problem_set(problem, -EBUSY, "%s cannot be placed: %s",
			launch->vm_name, why.text);
	if (r && vm)
		clear(cycle, launch->vm_name);
	return r;
}

static int execute(const struct launch *launch, const struct command *command,
	struct problem *problem)
{
	execv(command->path, launch->argv);
	return problem_set(
		problem, -errno, "cannot execute %s: %s", command->path, strerror(errno));
}

/* Places this process and becomes QEMU. */
static int start_placed(const struct launch *launch, const struct command *command,
	struct cycle *cycle, const struct attendance *attendance, struct problem *problem)
{
	cleanup_close int attendant = -1, lock = -1;
	int r;

	/* First, so that it has neither the lock nor a place among the VM's threads. */
	r = attendant_make(attendance, &attendant, problem);
	if (!r && !attendance->daemonize) {
		r = lock_take(launch->folders->run, LAUNCH_LOCK_SECONDS, &lock, problem);
		if (!r)
			r = place(launch, cycle, problem);
	}
	if (r)
		return r;
	r = attendant_begin(attendant, problem);
	if (!r)
		r = execute(launch, command, problem);
	if (lock >= 0)
		clear(cycle, launch->vm_name);
	return r;
}

int launch_qemu(const struct launch *launch, struct problem *problem)
{
	CLEANUP(command_deinit) struct command command = {};
	CLEANUP(births_deinit) struct births births = {};
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	const struct desired_vm *vm = NULL;
	struct qemu_expected expected;
	const struct asking asking = {.expected = &expected};
	struct attendance attendance;
	int r;

	r = read_command(launch, &command, problem);
	if (r)
		return r;
	expected = (struct qemu_expected){getpid(), command.vector, command.len};
	r = cycle_read_asking(launch->folders, &asking, &cycle, problem);
	if (!r)
		r = find_vm(launch, &cycle, &vm, problem);
	if (r)
		return r;
	if (!vm) {
		launch->report->failed(launch->vm_name,
			"its policy gives it no CPUs of its own: it runs where it was started",
			launch->report->data);
		return execute(launch, &command, problem);
	}
	r = births_of(vm, &cycle.hierarchy, &births);
	if (r)
		return problem_nomem(problem);
	attendance = (struct attendance){.births = &births,
		.cycle = &cycle,
		.vm_name = launch->vm_name,
		.daemonize = command.args.daemonize,
		.report = launch->report};
	return start_placed(launch, &command, &cycle, &attendance, problem);
}
