// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/cli/evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "user/base/cleanup.h"
#include "user/host/interrupts.h"
#include "user/host/proc.h"
#include "user/store/history.h"

const char *evidence_only(const struct request *request)
{
	return request->n_args	? request->args[0]
	       : request->vms.n ? request->vms.items[0]
				: NULL;
}

/* Whoever sleeps is switched out and in again: an observer that counts has seen that. */
static int read_counters(struct evidence *evidence)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	struct counters before;
	int r;

	r = observer_read(evidence->cycle.observer, &before);
	if (r)
		return r;
	nanosleep(&pause, NULL);
	r = observer_read(evidence->cycle.observer, &evidence->counters);
	interrupts_here(&evidence->interrupts, NULL);
	evidence->alive = !r && evidence->counters.total.switches > before.total.switches;
	counters_deinit(&before);
	return r;
}

/* Are the rules that policy wants for a VM in force? */
static bool is_watched(const struct evidence *evidence, size_t index)
{
	const struct actual_vm *actual = &evidence->cycle.actual.vms[index];

	return actual->rules_known && !actual->settling &&
	       (evidence->cycle.desired.vms[index].kind == DESIRED_KEPT ||
		       rule_vm_holds(&actual->rules,
			       &evidence->cycle.desired.vms[index].rules));
}

/* What is wrong with a VM, and whose doing it is. */
static int tell_degraded(struct evidence *evidence, const char *name, const char *state,
	const char *reason)
{
	const struct drift_question question = {.vm = name};
	struct problem sentence;

	problem_set(&sentence, 0, "%s is %s: %s", name, state, reason);
	cli_drift_tell(&evidence->drift, &question, &sentence);
	evidence->degraded = strdup(sentence.text);
	return evidence->degraded ? 0 : -ENOMEM;
}

/* A VM, or a CPU of one, that the observer was not told of. */
static int find_unwatched(struct evidence *evidence, const char *only)
{
	int r = 0;

	for (size_t i = 0;
		r >= 0 && !evidence->unwatched && i < evidence->cycle.desired.n_vms;
		i++) {
		const struct desired_vm *vm = &evidence->cycle.desired.vms[i];
		const struct actual_vm *actual = &evidence->cycle.actual.vms[i];
		struct cpuset wanted, in_force;

		if (only && strcmp(vm->vm->name, only))
			continue;
		if (!actual->rules_known) {
			r = asprintf(&evidence->unwatched,
				"the observer does not know %s: run `cpuwarden apply`",
				vm->vm->name);
			continue;
		}
		rule_vm_owned(&vm->rules, &wanted);
		rule_vm_owned(&actual->rules, &in_force);
		cpuset_andnot(&wanted, &in_force);
		if (!cpuset_empty(&wanted) && vm->kind != DESIRED_KEPT)
			r = asprintf(&evidence->unwatched,
				"the rule of CPU %d of %s is not in force: run `cpuwarden apply`",
				cpuset_next(&wanted, 0), vm->vm->name);
	}
	return r < 0 ? -ENOMEM : 0;
}

static int find_degraded(struct evidence *evidence, const char *only)
{
	int r = 0;

	for (size_t i = 0; !r && !evidence->degraded && i < evidence->cycle.desired.n_vms;
		i++) {
		const char *name = evidence->cycle.desired.vms[i].vm->name;
		cleanup_free char *reason = NULL;
		enum vm_state state;

		if (only && strcmp(name, only))
			continue;
		r = cycle_vm_state(&evidence->cycle, i, &state, &reason);
		if (!r && (state == STATE_DEGRADED || state == STATE_PENDING))
			r = tell_degraded(evidence, name, vm_state_name(state), reason);
		else if (!r && !is_watched(evidence, i))
			r = asprintf(&evidence->degraded,
				    "the observer does not have the rules of %s: run `cpuwarden apply`",
				    name) < 0;
	}
	return r ? -ENOMEM : 0;
}

/* A VM that had to be put right in the window, and whose doing that was. */
static int find_repaired(struct evidence *evidence, const char *only, uint64_t window_ns)
{
	const struct counters *counters = &evidence->counters;
	const struct vm_tally *latest = NULL;
	struct problem sentence;
	char ago[32];

	for (size_t i = 0; i < counters->n_vms; i++) {
		const struct vm_tally *vm = &counters->vms[i];

		if (vm->repaired && (!only || !strcmp(vm->name, only)) &&
			(!latest || vm->repaired > latest->repaired))
			latest = vm;
	}
	if (!latest || (window_ns && counters->now - latest->repaired > window_ns))
		return 0;
	cli_duration(counters->now - latest->repaired, ago, sizeof(ago));
	problem_set(&sentence, 0, "%s had to be repaired %s ago", latest->name, ago);
	cli_drift_tell(&evidence->drift,
		&(struct drift_question){.vm = latest->name,
			.time = latest->repaired,
			.since = latest->repaired_since},
		&sentence);
	evidence->repaired = strdup(sentence.text);
	return evidence->repaired ? 0 : -ENOMEM;
}

static void describe_culprit(struct evidence *evidence, const struct culprit *culprit)
{
	char length[32], where[64], pid[32] = "", runs[64] = "", comm[COMM_SIZE];
	const struct culprit_tally *tally;
	cleanup_free char *cgroup = NULL;
	struct vm_thread now;

	memcpy(comm, culprit->comm, sizeof(comm));
	if (evidence->cycle.hierarchy.root >= 0 && culprit->cgroup)
		group_path_of_id(&evidence->cycle.hierarchy, culprit->cgroup, &cgroup);
	/* Of one that still runs the observer tells more only at its end. */
	if (culprit->running && !proc_read_thread(culprit->tid, culprit->tid, &now)) {
		memcpy(comm, now.comm, sizeof(comm));
		cgroup = now.cgroup;
	}
	if (!*comm)
		strcpy(comm, "a task");
	if (culprit->tgid)
		snprintf(pid, sizeof(pid), "pid %d, ", culprit->tgid);
	tally = counters_find_culprit(&evidence->counters, culprit);
	if (tally && tally->runs.count > 1) {
		cli_duration(tally->runs.ns, length, sizeof(length));
		snprintf(runs, sizeof(runs), "; %" PRIu64 " runs by that name, %s",
			tally->runs.count, length);
	}
	cli_duration(culprit->ns, length, sizeof(length));
	if (culprit->vcpu >= 0)
		snprintf(where, sizeof(where), " (vCPU %d)", culprit->vcpu);
	else
		*where = '\0';
	if (culprit->off_set)
		problem_set(&evidence->culprit, 0,
			"thread %d (%s) of %s ran off its set on CPU %u for %s%s%s%s",
			culprit->tid, comm, culprit->vm, culprit->cpu, length,
			cgroup ? ", in /" : "", cgroup ? cgroup : "", runs);
	else
		problem_set(&evidence->culprit, 0,
			"%s (%sthread %d%s%s) %s on CPU %u of %s%s for %s: %s%s", comm,
			pid, culprit->tid, cgroup ? ", in /" : "", cgroup ? cgroup : "",
			culprit->running ? "runs" : "ran", culprit->cpu, culprit->vm,
			where, length, cause_name(culprit->cause), runs);
}

/* Who ran where he should not have, and whose doing that is. */
static void tell_culprit(struct evidence *evidence, const struct culprit *culprit)
{
	struct cpuset where = {};
	const struct drift_question question = {.vm = culprit->vm,
		.tid = culprit->tid,
		.tgid = culprit->tgid,
		.time = culprit->time,
		.began = culprit->time - culprit->ns,
		.where = &where};

	cpuset_add(&where, culprit->cpu);
	describe_culprit(evidence, culprit);
	cli_drift_tell(&evidence->drift, &question, &evidence->culprit);
}

static void find_culprit(struct evidence *evidence, const char *only)
{
	for (size_t i = 0; i < evidence->counters.n_culprits; i++)
		if (!only || !strcmp(evidence->counters.culprits[i].vm, only)) {
			tell_culprit(evidence, &evidence->counters.culprits[i]);
			return;
		}
}

static int find_sample(const struct request *request, const struct counters *counters,
	bool full, struct past *past)
{
	int r = history_find(request->folders.run, counters->start,
		counters->now - request->window_ns, full, past);

	/* Where no daemon runs there is none. */
	return r < 0 ? r : 0;
}

/* Only a window within the observer's life has something before it. */
static int read_history(const struct request *request, struct evidence *evidence)
{
	const struct counters *counters = &evidence->counters;
	int r = 0;

	if (request->window_ns && request->window_ns < counters->now - counters->start) {
		r = find_sample(request, counters, false, &evidence->before);
		if (!r)
			r = find_sample(request, counters, true, &evidence->before_full);
	}
	if (r)
		return r;
	limits_measure(&request->limits, counters,
		evidence->before_full.start ? &evidence->before_full : NULL,
		evidence_only(request), &evidence->figures);
	limits_tell(&request->limits, counters, &evidence->figures, &evidence->exceeded);
	return 0;
}

int evidence_gather(
	const struct request *request, struct evidence *evidence, struct problem *problem)
{
	const char *only = evidence_only(request);
	int r;

	r = cli_check_privileges(request, problem);
	if (!r)
		r = cycle_read(&request->folders, &evidence->cycle, problem);
	if (r)
		return r;
	if (only && !desired_find(&evidence->cycle.desired, only))
		return problem_set(problem, -ESRCH, "there is no VM named %s", only);
	if (evidence->cycle.observer)
		r = read_counters(evidence);
	if (!r && evidence->cycle.observer)
		r = read_history(request, evidence);
	if (!r)
		r = cli_drift_read(&evidence->cycle, &evidence->drift);
	if (!r && evidence->cycle.observer)
		r = find_unwatched(evidence, only);
	if (!r)
		r = find_degraded(evidence, only);
	if (!r)
		r = find_repaired(evidence, only, request->window_ns);
	if (r)
		return problem_set(
			problem, r, "cannot read the observer: %s", strerror(-r));
	find_culprit(evidence, only);
	return 0;
}

struct verdict_input evidence_input(
	const struct request *request, const struct evidence *evidence)
{
	return (struct verdict_input){
		.counters = evidence->cycle.observer ? &evidence->counters : NULL,
		.absent = evidence->cycle.observer_problem.text,
		.only = evidence_only(request),
		.unwatched = evidence->unwatched,
		.degraded = evidence->degraded,
		.repaired = evidence->repaired,
		.culprit = *evidence->culprit.text ? evidence->culprit.text : NULL,
		.online = &evidence->cycle.topology.online,
		.exceeded = *evidence->exceeded.text ? evidence->exceeded.text : NULL,
		.alive = evidence->alive,
		.window_ns = request->window_ns,
		.before = evidence->before.start ? &evidence->before : NULL,
	};
}

void evidence_deinit(struct evidence *evidence)
{
	free(evidence->degraded);
	free(evidence->repaired);
	free(evidence->unwatched);
	interrupt_counts_deinit(&evidence->interrupts);
	cli_drift_deinit(&evidence->drift);
	past_deinit(&evidence->before);
	past_deinit(&evidence->before_full);
	counters_deinit(&evidence->counters);
	cycle_deinit(&evidence->cycle);
}
