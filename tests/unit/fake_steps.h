/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Carries out plans on the fake kernel and holds each step to what the plan promises:
 * every step is legal and changes something; no thread is ever without CPUs; a vCPU whose
 * declared set stays never gets others; threads are moved only between the two halves of
 * a change of rules, and nothing is changed before it was recorded.
 */
#include "tests/unit/fake_kernel.h"

static inline size_t vm_index(const struct fake *fake, const char *name)
{
	const struct vm *vm = vms_find(&fake->host->vms, name);

	return vm ? (size_t)(vm - fake->host->vms.items) : FAKE_VMS;
}

/* Where the VM has its group, or would have one of its own. The caller frees. */
static inline char *top_of(const struct fake *fake, const char *name)
{
	const struct tree *tree = &fake->host->tree;
	char *direct = must(vm_group_path(name));

	for (size_t i = 0; i < tree->n_groups; i++) {
		const char *path = tree->groups[i]->path;

		if (!is_vm_group(path) ||
			strcmp(strrchr(path, '/'), strrchr(direct, '/')))
			continue;
		free(direct);
		return must(strdup(path));
	}
	return direct;
}

static inline void move_to(
	struct fake *fake, struct vm *vm, size_t thread, const char *path)
{
	size_t index = (size_t)(vm - fake->host->vms.items);

	free(vm->threads[thread].cgroup);
	vm->threads[thread].cgroup = must(strdup(path));
	if (fake->forgets_masks)
		memset(&fake->vms[index].masks[thread], 0xff, sizeof(struct cpuset));
}

static inline bool bind_thread(struct fake *fake, struct vm *vm, size_t thread,
	const struct group *group, const struct cpuset *set)
{
	size_t index = (size_t)(vm - fake->host->vms.items);

	if (!cpuset_intersects(set, &group->effective))
		return refuse(fake, "EINVAL: none of these CPUs is in the group");
	fake->vms[index].masks[thread] = *set;
	return true;
}

static inline bool is_inside(const char *path, const char *top)
{
	return !strcmp(path, top) || path_is_below(path, top);
}

/* MOVE_PROCESS, MOVE_THREAD, SET_AFFINITY. */
static inline bool move(
	struct fake *fake, const struct unit *unit, const struct step *step)
{
	struct group *group = tree_find(&fake->host->tree, step->path);
	struct vm *vm = find_vm(fake->host, unit->vm);
	const struct group *top =
		group ? parent_of(&fake->host->tree, group->path) : NULL;
	const struct vm_thread *leader = find_thread(fake->host, unit->vm, vm->pid);
	size_t thread = vm->n_threads;

	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].tid == step->tid &&
			vm->threads[i].start_time == step->start_time)
			thread = i;
	if (!group || !top || thread == vm->n_threads)
		return refuse(fake, "no such group, or no such thread");
	if (group->type != GROUP_THREADED || cpuset_empty(&group->effective))
		return refuse(
			fake, "EOPNOTSUPP or ENOSPC: not threaded, or without CPUs");
	if (step->kind == STEP_SET_AFFINITY) {
		if (strcmp(vm->threads[thread].cgroup, group->path) ||
			cpuset_equal(&vm->threads[thread].affinity, &step->cpus))
			return refuse(fake, "it is not there, or is so already");
		return bind_thread(fake, vm, thread, group, &step->cpus);
	}
	if (step->kind == STEP_MOVE_PROCESS) {
		if (is_inside(leader->cgroup, top->path))
			return refuse(fake, "the process is in already");
		for (size_t i = 0; i < vm->n_threads; i++)
			move_to(fake, vm, i, group->path);
		return bind_thread(fake, vm, thread, group, &step->cpus);
	}
	if (!is_inside(leader->cgroup, top->path))
		return refuse(fake, "EOPNOTSUPP: its process is not in the domain");
	if (!strcmp(vm->threads[thread].cgroup, group->path))
		return refuse(fake, "it is there already");
	move_to(fake, vm, thread, group->path);
	return bind_thread(fake, vm, thread, group, &step->cpus);
}

/* Threads to their groups, or then to their affinities. */
static inline void return_vm(struct fake *fake, const char *name, bool affinities)
{
	struct vm *vm = find_vm(fake->host, name);

	for (size_t i = 0; i < vm->n_threads; i++)
		if (affinities)
			memset(&fake->vms[vm_index(fake, name)].masks[i], 0xff,
				sizeof(struct cpuset));
		else
			move_to(fake, vm, i, HOME);
}

static inline void commit_rules(struct fake_vm *to, const struct desired_vm *vm)
{
	rule_vm_deinit(&to->actual.rules);
	to->actual.rules = vm->rules;
	to->actual.rules.threads = NULL;
	to->actual.rules.n_threads = 0;
	for (size_t i = 0; i < vm->rules.n_threads; i++) {
		struct rule_thread *thread = must(array_push(
			&to->actual.rules.threads, &to->actual.rules.n_threads));

		*thread = vm->rules.threads[i];
	}
	to->actual.rules_known = true;
	to->actual.settling = false;
}

/* Steps on records and rules. */
static inline bool do_note(struct fake *fake, const struct unit *unit,
	const struct step *step, const struct desired_vm *vm)
{
	size_t index = vm_index(fake, unit->vm);
	struct fake_vm *to = index < FAKE_VMS ? &fake->vms[index] : NULL;

	if (step->kind == STEP_RECORD_HOST || step->kind == STEP_DROP_HOST_RECORD) {
		fake->host_record = step->kind == STEP_RECORD_HOST;
	} else if (step->kind == STEP_RECORD || step->kind == STEP_DROP_RECORD) {
		to->actual.has_record = step->kind == STEP_RECORD;
	} else if (step->kind == STEP_BEGIN_RULES) {
		to->actual.settling = true;
	} else if (step->kind == STEP_COMMIT_RULES) {
		if (!to->actual.settling)
			return refuse(fake, "no rules were begun");
		commit_rules(to, vm);
	} else if (step->kind == STEP_FORGET_RULES) {
		rule_vm_deinit(&to->actual.rules);
		to->actual.rules_known = to->actual.settling = false;
	} else if (step->kind == STEP_RETURN_VM || step->kind == STEP_RETURN_AFFINITY) {
		return_vm(fake, unit->vm, step->kind == STEP_RETURN_AFFINITY);
	} else if (step->kind == STEP_KEEP_OFF) {
		if (to)
			to->actual.has_strays = false;
	} else if (step->kind != STEP_RETURN_HOST) {
		return refuse(fake, "not for the fake kernel");
	}
	return true;
}

static inline bool do_step(struct fake *fake, const struct unit *unit,
	const struct step *step, const struct desired_vm *vm)
{
	struct group *group =
		step->path ? tree_find(&fake->host->tree, step->path) : NULL;
	bool root = step->path && !*step->path;

	switch (step->kind) {
	case STEP_MAKE_GROUP:
		return make_group(fake, step->path);
	case STEP_REMOVE_GROUP:
		return remove_group(fake, step->path);
	case STEP_GIVE_CPUSET:
	case STEP_TAKE_CPUSET:
		return group || root
			       ? give_cpuset(fake, group, step->kind == STEP_GIVE_CPUSET)
			       : refuse(fake, "ENOENT");
	case STEP_MAKE_THREADED:
		return group ? make_threaded(fake, group) : refuse(fake, "ENOENT");
	case STEP_SET_CPUS:
		return group ? set_cpus(fake, group, &step->cpus)
			     : refuse(fake, "ENOENT");
	case STEP_SET_EXCLUSIVE:
		return group ? set_exclusive(fake, group, &step->cpus)
			     : refuse(fake, "ENOENT");
	case STEP_SET_PARTITION:
		return group ? set_partition(fake, group, step->partition,
				       fake->scope ? fake->scope : "")
			     : refuse(fake, "ENOENT");
	case STEP_MOVE_PROCESS:
	case STEP_MOVE_THREAD:
	case STEP_SET_AFFINITY:
		return move(fake, unit, step);
	default:
		return do_note(fake, unit, step, vm);
	}
}

static inline void print_plan(const struct unit *unit, size_t bad)
{
	for (size_t i = 0; i < unit->n_steps; i++) {
		cleanup_free char *text = step_describe(&unit->steps[i], unit);

		print_error("%s %s%s%s\n", i == bad ? "=>" : "  ", text ? text : "?",
			unit->steps[i].why ? ": " : "",
			unit->steps[i].why ? unit->steps[i].why : "");
	}
}

static inline void print_tree(const struct fake *fake)
{
	const struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *group = tree->groups[i];
		cleanup_free char *set = cpulist_format(&group->cpus);
		cleanup_free char *effective = cpulist_format(&group->effective);
		cleanup_free char *exclusive = cpulist_format(&group->exclusive);
		char state[REASON_SIZE + 32];

		partition_state_format(&group->partition, state, sizeof(state));
		print_error("  /%s: cpus %s, exclusive %s, effective %s, %s%s\n",
			group->path, set, exclusive, effective, state,
			group->populated ? ", populated" : "");
	}
	for (size_t i = 0; i < fake->host->vms.n_items; i++) {
		const struct vm *vm = &fake->host->vms.items[i];

		for (size_t j = 0; j < vm->n_threads; j++) {
			cleanup_free char *set = cpulist_format(&vm->threads[j].affinity);

			print_error("  %d in /%s on %s\n", vm->threads[j].tid,
				vm->threads[j].cgroup, set);
		}
	}
}

/*
 * vCPU threads that are in order before the unit, in a leaf whose CPUs are to stay. Where
 * the VM has lost these CPUs, nothing can keep a thread on them.
 */
static inline bool is_steady(
	const struct fake *fake, const struct desired_vm *vm, size_t i)
{
	const struct desired_group *leaf = &vm->groups[vm->thread_groups[i]];
	const struct vm_thread *thread = &vm->vm->threads[i];
	const struct tree *tree = &fake->host->tree;
	const struct group *now = tree_find(tree, leaf->path);
	struct cpuset ground = holdings(fake, parent_of(tree, leaf->path));

	return thread->class == THREAD_VCPU && now &&
	       !strcmp(thread->cgroup, leaf->path) &&
	       cpuset_equal(&now->cpus, &leaf->cpus) &&
	       cpuset_subset(&leaf->cpus, &ground) &&
	       cpuset_subset(&thread->affinity, &leaf->cpus);
}

/* From its leaf's CPUs to others? Where somebody else put a thread, no rule was kept
 * before. */
static inline bool leaves_order(const struct fake *fake, const struct vm_thread *thread,
	const struct cpuset *before, const char *top)
{
	const struct tree *tree = &fake->host->tree;
	const struct group *leaf = tree_find(tree, thread->cgroup);
	struct cpuset ground;

	if (!leaf || !path_is_below(leaf->path, top))
		return false;
	ground = holdings(fake, parent_of(tree, leaf->path));
	return cpuset_subset(&leaf->cpus, &ground) &&
	       cpuset_subset(before, &leaf->cpus) &&
	       !cpuset_subset(&thread->affinity, &leaf->cpus);
}

/* What a step may do to the VM's threads. `before` is what each was allowed before the
 * step. */
static inline bool check_threads(struct fake *fake, const struct desired_vm *vm,
	const struct step *step, const struct cpuset *before, const bool *steady)
{
	const struct fake_vm *state = &fake->vms[vm_index(fake, vm->vm->name)];

	for (size_t i = 0; i < vm->vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->vm->threads[i];
		struct cpuset may = before[i];

		if (cpuset_empty(&thread->affinity))
			return refuse(fake, "thread %d is without CPUs", thread->tid);
		cpuset_or(&may, &vm->groups[vm->thread_groups[i]].cpus);
		if (steady[i] && !cpuset_subset(&thread->affinity, &may))
			return refuse(
				fake, "vCPU thread %d gets CPUs of others", thread->tid);
		if (leaves_order(fake, thread, &before[i], vm->groups[0].path) &&
			(!state->actual.settling || !state->actual.has_record))
			return refuse(fake, "thread %d is moved without rules or record",
				thread->tid);
	}
	if (step->path && (!fake->host_record || !state->actual.has_record))
		return refuse(fake, "something is changed before it was recorded");
	return true;
}

/* Ends the test: that step was refused. */
static inline void fail_step(
	const struct fake *fake, const struct unit *unit, size_t step, const char *what)
{
	print_plan(unit, step);
	print_tree(fake);
	fail_msg("%s: %s: %s", what, step_name(unit->steps[step].kind), fake->refusal);
}

/*
 * Carries out the first `limit` steps, and fails the test at the first that is refused.
 * `vm` is NULL for units that give back.
 */
static inline void run_steps(struct fake *fake, const struct unit *unit,
	const struct desired_vm *vm, size_t limit, const char *what)
{
	struct cpuset before[FAKE_THREADS];
	bool steady[FAKE_THREADS];
	size_t n = vm && vm->kind == DESIRED_PLACED ? vm->vm->n_threads : 0;
	cleanup_free char *now = *unit->vm ? top_of(fake, unit->vm) : NULL;

	assert_true(n <= FAKE_THREADS);
	fake->scope = n ? vm->groups[0].path : now;
	for (size_t i = 0; i < n; i++)
		steady[i] = is_steady(fake, vm, i);
	for (size_t s = 0; s < unit->n_steps && s < limit; s++) {
		bool done;

		for (size_t i = 0; i < n; i++)
			before[i] = vm->vm->threads[i].affinity;
		done = do_step(fake, unit, &unit->steps[s], vm);
		if (done)
			settle(fake);
		if (done && n)
			done = check_threads(fake, vm, &unit->steps[s], before, steady);
		if (done)
			continue;
		fail_step(fake, unit, s, what);
	}
	fake->scope = NULL;
}

/* What a plan is, word for word. */
static inline void expect_steps(const struct unit *unit, const char *expected)
{
	char text[4096] = "";
	size_t n = 0;

	for (size_t i = 0; i < unit->n_steps; i++) {
		cleanup_free char *line = must(step_describe(&unit->steps[i], unit));

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", line);
		assert_true(n < sizeof(text));
	}
	assert_string_equal(text, expected);
}

static inline void plan_vm(
	const struct fake *fake, const char *name, struct unit *ret_unit)
{
	const struct desired_vm *vm = wanted(fake->host, name);

	assert_int_equal(diff_vm(vm, &fake->vms[vm_index(fake, name)].actual,
				 &fake->host->tree, fake->host_record, ret_unit),
		0);
}

static inline void plan_release(
	const struct fake *fake, const char *name, struct unit *ret_unit)
{
	cleanup_free char *top = top_of(fake, name);
	const struct vm *vm = find_vm(fake->host, name);
	struct unit unit = {.pid = vm->pid, .start_time = vm->start_time};
	bool alive = false;

	snprintf(unit.vm, sizeof(unit.vm), "%s", name);
	for (size_t i = 0; i < vm->n_threads; i++)
		alive |= path_is_below(vm->threads[i].cgroup, top) ||
			 !strcmp(vm->threads[i].cgroup, top);
	assert_int_equal(diff_release(&unit, top, alive, &fake->host->tree, ret_unit), 0);
}

/* Plans a VM and carries it out. Returns the number of steps. */
static inline size_t bring(struct fake *fake, const char *name, const char *what)
{
	struct unit unit;
	size_t n;

	plan_vm(fake, name, &unit);
	run_steps(fake, &unit, wanted(fake->host, name), SIZE_MAX, what);
	n = unit.n_steps;
	unit_deinit(&unit);
	return n;
}
