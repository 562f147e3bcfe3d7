// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/pass.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/control/apply.h"
#include "user/control/glance.h"
#include "user/control/pins.h"
#include "user/daemon/log.h"
#include "user/daemon/publish.h"
#include "user/daemon/tell.h"
#include "user/store/lock.h"
#include "user/store/stamp.h"

/* So long a VM that was silent is hurried. Then it is asked in full again. */
#define PATIENCE_NS (60 * 1000000000ULL)

struct trouble {
	char vm[VM_NAME_SIZE]; /* "": the host */
	struct problem why;
	bool seen; /* in this pass */
};

struct known_vm {
	char name[VM_NAME_SIZE];
	struct process_id process;
	bool seen;
	bool placed; /* what is done from then on puts it right */
};

struct passes {
	struct folders folders;
	struct event_file *file;
	struct config good;
	bool has_good;
	struct problem config_problem;
	struct trouble *troubles;
	size_t n_troubles;
	struct known_vm *vms;
	size_t n_vms;
	uint64_t drift_told;   /* number of the latest */
	size_t n_steps;	       /* of this pass */
	struct silent silent;  /* who they are is found out anew now and then */
	uint64_t silent_since; /* CLOCK_MONOTONIC ns */
	/* What the last one has read, as it left it; and what it was read from. */
	struct cycle cycle;
	bool has_cycle;
	struct stamp stamp;
	/* For metrics. Those of a unit count once it was carried out: its steps may be
	 * undone. */
	struct repairs repairs, unit;
	struct reconcile_metric reconcile;
};

struct passes *passes_new(const struct folders *folders, struct event_file *file)
{
	struct passes *passes = calloc(1, sizeof(*passes));

	if (passes)
		*passes = (struct passes){
			.folders = *folders, .file = file, .cycle.hierarchy.root = -1};
	return passes;
}

/* Its configuration, if it was the files', is the last good one from here on. */
void passes_forget(struct passes *passes)
{
	struct cycle *cycle = &passes->cycle;

	if (!passes->has_cycle)
		return;
	passes->has_cycle = false;
	if (!*cycle->config_problem.text) {
		if (passes->has_good)
			config_deinit(&passes->good);
		passes->good = cycle->config;
		passes->has_good = true;
		cycle->config = (struct config){};
	}
	cycle_deinit(cycle);
}

void passes_free(struct passes *passes)
{
	if (!passes)
		return;
	passes_forget(passes);
	if (passes->has_good)
		config_deinit(&passes->good);
	repairs_deinit(&passes->repairs);
	repairs_deinit(&passes->unit);
	free(passes->troubles);
	free(passes->vms);
	free(passes);
}

const char *passes_config_problem(const struct passes *passes)
{
	return passes->config_problem.text;
}

/* ---- what is told ---- */

/* To place a VM for the first time is no repair. */
static bool is_repair(const struct passes *passes, const char *vm)
{
	for (size_t i = 0; i < passes->n_vms; i++)
		if (!strcmp(passes->vms[i].name, vm))
			return passes->vms[i].placed;
	return !*vm;
}

static void on_step(const struct unit *unit, const struct step *step, void *data)
{
	struct passes *passes = data;

	passes->n_steps++;
	if (is_repair(passes, unit->vm))
		repairs_add(&passes->unit, unit->vm, step_name(step->kind), 1);
	tell_step(passes->file, unit, step);
}

static void on_unit(const struct unit *unit, int result, void *data)
{
	struct passes *passes = data;

	(void)unit;
	for (size_t i = 0; !result && i < passes->unit.n_items; i++)
		repairs_add(&passes->repairs, passes->unit.items[i].vm,
			passes->unit.items[i].reason, passes->unit.items[i].count);
	repairs_deinit(&passes->unit);
}

/* Of a VM, or "" of the host; or NULL. */
static struct trouble *find_trouble(const struct passes *passes, const char *vm)
{
	for (size_t i = 0; i < passes->n_troubles; i++)
		if (!strcmp(passes->troubles[i].vm, vm))
			return &passes->troubles[i];
	return NULL;
}

/* Again only when the reason is another. */
static void on_failure(const char *vm, const char *why, void *data)
{
	struct passes *passes = data;
	struct trouble *trouble = find_trouble(passes, vm);

	if (trouble && !strcmp(trouble->why.text, why)) {
		trouble->seen = true;
		return;
	}
	if (!trouble)
		trouble = array_push(&passes->troubles, &passes->n_troubles);
	if (trouble) {
		snprintf(trouble->vm, sizeof(trouble->vm), "%s", vm);
		problem_set(&trouble->why, 0, "%s", why);
		trouble->seen = true;
	}
	tell_failure(passes->file, vm, why);
}

static void tell_recoveries(struct passes *passes, const struct cycle *cycle)
{
	size_t kept = 0;

	for (size_t i = 0; i < passes->n_troubles; i++) {
		struct trouble *trouble = &passes->troubles[i];

		if (trouble->seen)
			passes->troubles[kept++] = *trouble;
		else if (!*trouble->vm || vms_find(&cycle->vms, trouble->vm))
			tell_recovery(passes->file, trouble->vm);
	}
	passes->n_troubles = kept;
}

static void look_at_vm(struct passes *passes, const struct vm *vm)
{
	struct known_vm *known;

	for (size_t i = 0; i < passes->n_vms; i++) {
		known = &passes->vms[i];
		if (known->process.pid == vm->pid &&
			known->process.start_time == vm->start_time) {
			known->seen = true;
			return;
		}
	}
	known = array_push(&passes->vms, &passes->n_vms);
	if (!known)
		return;
	snprintf(known->name, sizeof(known->name), "%s", vm->name);
	known->process =
		(struct process_id){.pid = vm->pid, .start_time = vm->start_time};
	known->seen = true;
	tell_life(passes->file, vm->name, vm->pid, true);
}

static void tell_lives(struct passes *passes, const struct cycle *cycle)
{
	size_t kept = 0;

	for (size_t i = 0; i < passes->n_vms; i++)
		passes->vms[i].seen = false;
	for (size_t i = 0; i < cycle->vms.n_items; i++)
		look_at_vm(passes, &cycle->vms.items[i]);
	for (size_t i = 0; i < passes->n_vms; i++) {
		struct known_vm *known = &passes->vms[i];

		if (known->seen)
			passes->vms[kept++] = *known;
		else
			tell_life(passes->file, known->name, known->process.pid, false);
	}
	passes->n_vms = kept;
}

/* Those of which there is a record. */
static void note_placed(struct passes *passes, const struct cycle *cycle)
{
	for (size_t i = 0; i < passes->n_vms; i++)
		passes->vms[i].placed = found_vm_find(cycle->actual.records,
			cycle->actual.n_records, passes->vms[i].name);
}

/* Oldest first; what was before the first pass is no news. */
static void tell_drifts(struct passes *passes, const struct cycle *cycle, bool first)
{
	struct drift_note *notes = NULL;
	uint64_t total;
	size_t n = 0;

	if (!cycle->observer || observer_read_drift(cycle->observer, passes->drift_told,
					&notes, &n, &total))
		return;
	/* Another observer counts anew. */
	if (total < passes->drift_told)
		passes->drift_told = 0;
	if (!first && n && notes[n - 1].number > passes->drift_told + 1)
		tell_unnoted(passes->file, notes[n - 1].number - passes->drift_told - 1);
	for (size_t i = n; i-- > 0;)
		if (!first && notes[i].number > passes->drift_told)
			tell_drift(passes->file, &notes[i]);
	if (n)
		passes->drift_told = notes[0].number;
	free(notes);
}

static void tell_config(struct passes *passes, const struct cycle *cycle)
{
	const char *now = cycle->config_problem.text;

	if (*now && strcmp(now, passes->config_problem.text))
		log_say(LOG_ERR, NULL, "%s; the last good configuration stays in force",
			now);
	if (!*now && *passes->config_problem.text)
		log_say(LOG_NOTICE, NULL, "the configuration is good again");
	passes->config_problem = cycle->config_problem;
}

/* ---- a pass ---- */

static struct report report_to(struct passes *passes)
{
	return (struct report){
		.done = on_step, .ended = on_unit, .failed = on_failure, .data = passes};
}

static int run_locked(struct passes *passes, struct problem *problem)
{
	const struct asking asking = {.fallback = passes->has_good ? &passes->good : NULL,
		.heed_released = true,
		.silent = &passes->silent};
	const struct report report = report_to(passes);
	struct cycle *cycle = &passes->cycle;
	bool first = !passes->has_good;
	uint64_t now = clock_now_ns();
	int r;

	if (now - passes->silent_since > PATIENCE_NS) {
		passes->silent.n_items = 0;
		passes->silent_since = now;
	}
	r = cycle_read_asking(&passes->folders, &asking, cycle, problem);
	if (r)
		return r;
	passes->has_cycle = true;
	tell_config(passes, cycle);
	tell_drifts(passes, cycle, first);
	tell_lives(passes, cycle);
	note_placed(passes, cycle);
	if (cycle->config.all_released)
		return 0;
	r = control_apply(cycle, &report, problem);
	if (r < 0)
		return r;
	tell_recoveries(passes, cycle);
	note_placed(passes, cycle);
	return r;
}

int passes_run(struct passes *passes, void (*look)(const struct cycle *cycle, void *data),
	void *data, struct pass_result *ret_result, struct problem *problem)
{
	cleanup_close int lock = -1;
	uint64_t began = clock_now_ns();
	int r;

	for (size_t i = 0; i < passes->n_troubles; i++)
		passes->troubles[i].seen = false;
	passes->n_steps = 0;
	r = lock_take(passes->folders.run, 0, &lock, problem);
	if (r)
		return r;
	passes_forget(passes);
	r = control_forget_ended(&passes->folders, problem);
	if (!r)
		r = run_locked(passes, problem);
	if (r < 0) {
		passes_forget(passes);
		return r;
	}
	*ret_result = (struct pass_result){.n_steps = passes->n_steps,
		.n_failed = (size_t)r,
		.n_vms = passes->cycle.vms.n_items,
		.left_alone = passes->cycle.config.all_released};
	stamp_take(passes->folders.etc, passes->folders.run, &passes->stamp);
	repairs_forget(&passes->repairs, &passes->cycle.vms);
	reconcile_add(&passes->reconcile, clock_now_ns() - began);
	look(&passes->cycle, data);
	cycle_slim(&passes->cycle);
	/* What a pass needs for a while is more than what is kept. */
	malloc_trim(0);
	return 0;
}

/* The host's troubles may be any VM's. */
static bool is_in_trouble(const struct passes *passes, pid_t pid)
{
	if (find_trouble(passes, ""))
		return true;
	for (size_t i = 0; i < passes->n_vms; i++)
		if (passes->vms[i].process.pid == pid &&
			find_trouble(passes, passes->vms[i].name))
			return true;
	return false;
}

int passes_glance(
	struct passes *passes, pid_t pid, size_t *ret_n_steps, struct problem *problem)
{
	const struct report report = report_to(passes);
	cleanup_close int lock = -1;
	uint64_t began = clock_now_ns();
	struct stamp now;
	int r;

	r = lock_take(passes->folders.run, 0, &lock, problem);
	if (r)
		return r;
	stamp_take(passes->folders.etc, passes->folders.run, &now);
	if (!passes->has_cycle || passes->cycle.config.all_released ||
		is_in_trouble(passes, pid) || !stamp_equal(&now, &passes->stamp))
		return -ENODATA;
	if (cycle_open_observer(&passes->cycle))
		return -ENODATA;
	passes->n_steps = 0;
	tell_drifts(passes, &passes->cycle, false);
	r = control_glance(&passes->cycle, pid, &report, problem);
	cycle_close_observer(&passes->cycle);
	*ret_n_steps = passes->n_steps;
	if (r < 0)
		passes_forget(passes);
	if (r < 0 || r == GLANCE_MORE)
		return -ENODATA;
	reconcile_add(&passes->reconcile, clock_now_ns() - began);
	return 0;
}

char *passes_placement(struct passes *passes, size_t *ret_len)
{
	struct cycle *cycle = passes->has_cycle ? &passes->cycle : NULL;
	bool slim = cycle && !cycle->observer;
	char *page;

	/* Without one that is told, too. */
	if (slim)
		(void)cycle_open_observer(cycle);
	page = publish_placement(cycle, ret_len);
	if (slim)
		cycle_close_observer(cycle);
	return page;
}

char *passes_work(const struct passes *passes, size_t *ret_len)
{
	return publish_work(&passes->repairs, &passes->reconcile, ret_len);
}

const char *passes_listen(const struct passes *passes)
{
	return passes->has_cycle ? passes->cycle.config.listen : NULL;
}
