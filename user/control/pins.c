// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/model/pin_check.h"
#include "user/store/config.h"
#include "user/store/pins.h"
#include "user/store/vm_file.h"

struct pinning {
	const struct folders *folders;
	const struct pin_wish *wish;
	const struct report *report;
	struct cycle cycle;  /* as it was */
	struct config etc;   /* what /etc alone says */
	const struct vm *vm; /* NULL: it does not run */
	bool live, config;
	struct cpuset cpus;
	struct vm_texts before, after;
	struct problem why; /* the pass has failed for this VM */
	bool failed;
};

static void pinning_deinit(struct pinning *pinning)
{
	vm_texts_deinit(&pinning->before);
	vm_texts_deinit(&pinning->after);
	config_deinit(&pinning->etc);
	cycle_deinit(&pinning->cycle);
}

int control_forget_ended(const struct folders *folders, struct problem *problem)
{
	int r = vm_file_sweep(folders->run, process_alive, problem);

	return r ? r : vm_file_sweep(folders->etc, NULL, problem);
}

int control_persistent_config(
	const struct cycle *cycle, struct config *ret_config, struct problem *problem)
{
	const struct config_source source = {.etc_dir = cycle->folders.etc};

	return config_read(&source, &cycle->topology.present, ret_config, problem);
}

static bool has_thread(const struct vm *vm, enum thread_class class, unsigned int index)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].class == class && vm->threads[i].index == (int)index)
			return true;
	return class == THREAD_EMULATOR;
}

static int resolve(struct pinning *pinning, struct problem *problem)
{
	const struct pin_wish *wish = pinning->wish;

	pinning->vm = vms_find(&pinning->cycle.vms, wish->vm);
	pinning->live = wish->live || (!wish->config && pinning->vm);
	pinning->config = wish->config || (!wish->live && !pinning->vm);
	if (pinning->live && !pinning->vm)
		return problem_set(problem, -ESRCH, "VM %s is not running", wish->vm);
	/* One that is yet to come is named on purpose, by --config. */
	if (!pinning->vm && (!wish->config || !wish->list) &&
		!config_find_vm(&pinning->etc, wish->vm))
		return problem_set(problem, -ESRCH, "there is no VM named %s", wish->vm);
	if (pinning->vm && !has_thread(pinning->vm, wish->class, wish->index))
		return problem_set(problem, -ESRCH, "VM %s has no %s %u", wish->vm,
			wish->class == THREAD_VCPU ? "vCPU" : "iothread", wish->index);
	return wish->list ? cpulist_parse(wish->list, &pinning->cycle.topology.present,
				    &pinning->cpus, problem)
			  : 0;
}

static int load(const char *dir, const char *vm, process_alive_fn *alive, char **ret_text,
	struct problem *problem)
{
	size_t size;
	int r = vm_file_load(dir, vm, alive, ret_text, &size, problem);

	return r == 1 ? 0 : r;
}

static int compose(struct pinning *pinning, struct problem *problem)
{
	const struct pin_wish *wish = pinning->wish;
	const struct vm_policy *now = config_find_vm(&pinning->cycle.config, wish->vm);
	const struct vm_policy *etc = config_find_vm(&pinning->etc, wish->vm);
	struct process_id process = {};
	struct pin_change change = {.vm = wish->vm,
		.class = wish->class,
		.index = wish->index,
		.cpus = wish->list ? &pinning->cpus : NULL,
		.live = pinning->live,
		.config = pinning->config,
		.now = pin_of(now, wish->class, wish->index),
		.etc = pin_of(etc, wish->class, wish->index)};
	int r;

	if (pinning->vm) {
		process.pid = pinning->vm->pid;
		process.start_time = pinning->vm->start_time;
		change.process = &process;
	}
	r = load(pinning->folders->etc, wish->vm, NULL, &pinning->before.etc, problem);
	if (!r)
		r = load(pinning->folders->run, wish->vm, process_alive,
			&pinning->before.run, problem);
	return r ? r : pins_change(&pinning->before, &change, &pinning->after, problem);
}

static int read_draft(const struct pinning *pinning, const char *etc, const char *run,
	struct config *ret_config, struct problem *problem)
{
	const struct config_draft draft = {pinning->wish->vm, etc, run};
	const struct config_source source = {.etc_dir = pinning->folders->etc,
		.run_dir = pinning->folders->run,
		.alive = process_alive,
		.draft = &draft};

	return config_read(
		&source, &pinning->cycle.topology.present, ret_config, problem);
}

static int desire_draft(const struct pinning *pinning, const char *etc, const char *run,
	struct desired *ret_desired, struct problem *problem)
{
	CLEANUP(config_deinit) struct config config = {};
	int r = read_draft(pinning, etc, run, &config, problem);

	if (!r && cycle_desire(&pinning->cycle, &config, ret_desired))
		r = problem_nomem(problem);
	return r;
}

/* Is a VM refused what it could have before? One that was refused before may be pinned
 * step by step. */
static int compare(const struct pinning *pinning, const struct desired *before,
	const struct desired *after, struct problem *problem)
{
	for (size_t i = 0; i < after->n_vms; i++) {
		const struct desired_vm *vm = &after->vms[i];
		const struct desired_vm *was = desired_find(before, vm->vm->name);

		if (!vm->reason || (was && was->reason))
			continue;
		if (vm->vm == pinning->vm)
			return problem_set(problem, -EBUSY, "%s", vm->reason);
		return problem_set(problem, -EBUSY,
			"VM %s could not be placed any more: %s", vm->vm->name,
			vm->reason);
	}
	return 0;
}

static int try_out(const struct pinning *pinning, const struct vm_texts *before,
	const struct vm_texts *after, struct problem *problem)
{
	CLEANUP(desired_deinit) struct desired was = {}, will = {};
	int r;

	r = desire_draft(pinning, before->etc, before->run, &was, problem);
	if (!r)
		r = desire_draft(pinning, after->etc, after->run, &will, problem);
	return r ? r : compare(pinning, &was, &will, problem);
}

static int check_stopped(const struct pinning *pinning, struct problem *problem)
{
	CLEANUP(config_deinit) struct config config = {};
	cleanup_free char *reason = NULL;
	int r = read_draft(pinning, pinning->after.etc, NULL, &config, problem);

	if (!r && pin_check_configured(&config, pinning->wish->vm, pinning->wish->class,
			  pinning->wish->index, &reason))
		r = problem_nomem(problem);
	if (!r && reason)
		r = problem_set(problem, -EBUSY, "%s", reason);
	return r;
}

/* All that can be known against it. */
static int check(const struct pinning *pinning, struct problem *problem)
{
	const struct vm_texts *before = &pinning->before, *after = &pinning->after;
	cleanup_free char *reason = NULL;
	struct policy policy;
	int r = 0;

	config_policy(&pinning->cycle.config, pinning->wish->vm, &policy);
	if (pinning->wish->list &&
		pin_check_reserved(&pinning->cycle.desired, pinning->wish->vm, &policy,
			&pinning->cpus, &reason))
		return problem_nomem(problem);
	if (reason)
		return problem_set(problem, -EBUSY, "%s", reason);
	if (!pinning->vm)
		return check_stopped(pinning, problem);
	if (pinning->live)
		r = try_out(pinning, before, after, problem);
	/* As if it was started now. */
	if (!r && pinning->config)
		r = try_out(pinning, &(struct vm_texts){.etc = before->etc},
			&(struct vm_texts){.etc = after->etc}, problem);
	return r;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/*
 * What /run is to say goes there first, and leaves there last: whoever is killed in
 * between leaves the VM with what it had or what it is to have.
 */
static int save(const struct pinning *pinning, const struct vm_texts *from,
	const struct vm_texts *to, struct problem *problem)
{
	const struct folders *folders = pinning->folders;
	const char *vm = pinning->wish->vm;
	int r = 0;

	if (to->run && !same(from->run, to->run))
		r = vm_file_save(folders->run, vm, to->run, problem);
	if (!r && !same(from->etc, to->etc))
		r = vm_file_save(folders->etc, vm, to->etc, problem);
	if (!r && !to->run && from->run)
		r = vm_file_save(folders->run, vm, NULL, problem);
	return r;
}

static void note_failed(const char *vm, const char *why, void *data)
{
	struct pinning *pinning = data;

	if (strcmp(vm, pinning->wish->vm)) {
		pinning->report->failed(vm, why, pinning->report->data);
		return;
	}
	problem_set(&pinning->why, 0, "%s", why);
	pinning->failed = true;
}

static int reconcile(struct pinning *pinning, struct problem *problem)
{
	const struct report report = {.failed = note_failed, .data = pinning};
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	int r = cycle_read(pinning->folders, &cycle, problem);

	pinning->failed = false;
	if (!r)
		r = control_apply(&cycle, &report, problem);
	return r < 0 ? r : 0;
}

static int put_back(struct pinning *pinning, const struct problem *why, int error,
	struct problem *problem)
{
	struct problem again = {};
	int r = save(pinning, &pinning->after, &pinning->before, &again);

	if (!r)
		r = reconcile(pinning, &again);
	if (!r && pinning->failed) {
		again = pinning->why;
		r = -EAGAIN;
	}
	if (r)
		return problem_set(problem, error,
			"%s; and to put the pin back failed: %s", why->text, again.text);
	return problem_set(problem, error, "%s: the pin is as it was before", why->text);
}

static int carry_out(struct pinning *pinning, struct problem *problem)
{
	const struct desired_vm *was =
		desired_find(&pinning->cycle.desired, pinning->wish->vm);
	struct problem why = {};
	int r = save(pinning, &pinning->before, &pinning->after, problem);

	if (r) {
		save(pinning, &pinning->after, &pinning->before, NULL);
		return r;
	}
	if (!pinning->live)
		return 0;
	r = reconcile(pinning, &why);
	if (r)
		return put_back(pinning, &why, r, problem);
	if (!pinning->failed)
		return 0;
	if (was && was->reason) {
		pinning->report->failed(
			pinning->wish->vm, pinning->why.text, pinning->report->data);
		return 1;
	}
	why = pinning->why;
	return put_back(pinning, &why, -EAGAIN, problem);
}

static enum policy_kind kind_of(const struct pinning *pinning)
{
	struct policy policy;

	config_policy(pinning->live ? &pinning->cycle.config : &pinning->etc,
		pinning->wish->vm, &policy);
	return policy.kind;
}

int control_pin(const struct folders *folders, const struct pin_wish *wish,
	const struct report *report, struct pin_outcome *ret_outcome,
	struct problem *problem)
{
	CLEANUP(pinning_deinit)
	struct pinning pinning = {.folders = folders,
		.wish = wish,
		.report = report,
		.cycle.hierarchy.root = -1};
	int r;

	r = control_forget_ended(folders, problem);
	if (!r)
		r = cycle_read(folders, &pinning.cycle, problem);
	if (!r)
		r = control_persistent_config(&pinning.cycle, &pinning.etc, problem);
	if (!r)
		r = resolve(&pinning, problem);
	if (!r)
		r = compose(&pinning, problem);
	if (!r)
		r = check(&pinning, problem);
	if (!r)
		r = carry_out(&pinning, problem);
	if (r < 0)
		return r;
	*ret_outcome = (struct pin_outcome){.live = pinning.live,
		.config = pinning.config,
		.has_cpus = wish->list,
		.cpus = pinning.cpus,
		.kind = kind_of(&pinning)};
	return r;
}
