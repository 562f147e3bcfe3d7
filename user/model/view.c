// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counters only grow, and yet a later reading may be less than an earlier one: a run that
 * is still on is counted with its length so far unless the CPU is about to end it, and
 * may turn out to be settling. So less is none, and never a counter that began anew. That
 * one did is known by when it began: the observer, the VM.
 */
#include "user/model/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct interval {
	const struct sample *before; /* NULL: none that can be compared with */
	const struct sample *now;
	uint64_t ns;
};

static uint64_t more(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static struct tally tally_since(
	const struct tally *now, const struct tally *before, uint64_t most)
{
	struct tally tally = {.count = more(now->count, before->count),
		.ns = more(now->ns, before->ns)};

	if (tally.ns > most)
		tally.ns = most;
	return tally;
}

static void add(struct tally *to, const struct tally *tally)
{
	to->count += tally->count;
	to->ns += tally->ns;
}

static bool is_any(const struct tally *tally)
{
	return tally->count || tally->ns;
}

struct tally view_violations(const struct view_counts *counts)
{
	struct tally sum = counts->off_set;

	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		add(&sum, &counts->foreign[cause]);
	return sum;
}

static bool is_on(const struct sample *sample, unsigned int cpu)
{
	for (size_t i = 0; i < sample->n_culprits && sample->culprits[i].running; i++)
		if (sample->culprits[i].cpu == cpu)
			return true;
	return false;
}

static enum cpu_state state_of(const struct sample *sample, const struct view_cpu *cpu)
{
	struct tally violations = view_violations(&cpu->counts);

	if (!cpu->at->online)
		return CPU_OFFLINE;
	if (is_any(&violations) || is_on(sample, cpu->at->cpu))
		return CPU_INTRUDED;
	if (is_any(&cpu->counts.settling))
		return CPU_SETTLING;
	if (cpu->at->owner >= 0)
		return CPU_RESERVED;
	return cpu->at->shared ? CPU_SHARED : CPU_HOUSEKEEPING;
}

static void count_cpu(const struct interval *interval, struct view_cpu *cpu)
{
	static const struct cpu_tally nothing;
	const struct cpu_tally *now = &cpu->at->tally, *before = &nothing;
	struct view_counts *counts = &cpu->counts;
	const struct sample_cpu *earlier;
	struct tally tally;

	if (!interval->ns)
		return;
	if (interval->before->start == interval->now->start) {
		earlier = sample_find_cpu(interval->before, cpu->at->cpu);
		before = earlier ? &earlier->tally : now;
	}
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		counts->foreign[cause] = tally_since(
			&now->foreign[cause], &before->foreign[cause], interval->ns);
	counts->off_set = tally_since(&now->off_set, &before->off_set, interval->ns);
	counts->settling = tally_since(&now->settling, &before->settling, interval->ns);
	counts->interference =
		tally_since(&now->bound_kthread, &before->bound_kthread, interval->ns);
	if (!interval->now->measures || !interval->before->measures)
		return;
	tally = tally_since(&now->interrupts, &before->interrupts, interval->ns);
	add(&counts->interference, &tally);
	tally = tally_since(&now->softirqs, &before->softirqs, interval->ns);
	add(&counts->interference, &tally);
}

static void add_counts(struct view_counts *to, const struct view_counts *counts)
{
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		add(&to->foreign[cause], &counts->foreign[cause]);
	add(&to->off_set, &counts->off_set);
	add(&to->settling, &counts->settling);
	add(&to->interference, &counts->interference);
}

/* What to compare with; NULL: of what was before nothing is known. */
static const struct sample_vm *vm_before(
	const struct interval *interval, const struct sample_vm *vm)
{
	static const struct sample_vm nothing;
	const struct sample_vm *earlier;

	if (!interval->ns)
		return NULL;
	earlier = sample_find_vm(interval->before, vm->pid, vm->start_time);
	if (earlier && earlier->since == vm->since &&
		interval->before->start == interval->now->start)
		return earlier;
	return vm->since > interval->before->now ? &nothing : NULL;
}

static void count_vm(const struct interval *interval, struct view_vm *vm)
{
	const struct sample_vm *now = vm->at, *before = vm_before(interval, now);
	uint64_t most =
		interval->ns * (interval->now->n_cpus ? interval->now->n_cpus : 1);

	if (!before)
		return;
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		vm->counts.foreign[cause] =
			tally_since(&now->foreign[cause], &before->foreign[cause], most);
	vm->counts.off_set = tally_since(&now->off_set, &before->off_set, most);
	vm->counts.settling = tally_since(&now->settling, &before->settling, most);
}

static void count_waits(const struct thread_tally *now, const struct thread_tally *before,
	struct thread_tally *sum, struct view_vcpu *vcpu)
{
	struct thread_tally waits = {};

	for (int i = 0; i < WAIT_BUCKETS; i++) {
		waits.waits[i] = more(now->waits[i], before->waits[i]);
		sum->waits[i] += waits.waits[i];
		vcpu->waits += waits.waits[i];
	}
	if (!vcpu->waits)
		return;
	vcpu->mean_ns = more(now->wait_ns, before->wait_ns) / vcpu->waits;
	vcpu->p50_ns = wait_quantile(&waits, 50);
	vcpu->p99_ns = wait_quantile(&waits, 99);
}

static void count_vcpu(const struct interval *interval, const struct sample_vm *earlier,
	struct thread_tally *sum, struct view_vcpu *vcpu)
{
	const struct sample_vcpu *now = vcpu->at, *before;
	uint64_t run;

	before = earlier ? sample_find_vcpu(earlier, now->tally.index) : NULL;
	if (!before || before->tally.tid != now->tally.tid)
		return;
	vcpu->known = true;
	run = more(now->tally.run_ns, before->tally.run_ns);
	if (run > interval->ns)
		run = interval->ns;
	vcpu->run_permille =
		(unsigned int)((double)run * 1000 / (double)interval->ns + 0.5);
	if (!now->counted || !before->counted ||
		interval->before->start != interval->now->start)
		return;
	vcpu->off_set =
		tally_since(&now->tally.off_set, &before->tally.off_set, interval->ns);
	count_waits(&now->tally, &before->tally, sum, vcpu);
}

static void count_vcpus(const struct interval *interval, struct view_vm *vm)
{
	struct thread_tally sum = {};
	const struct sample_vm *earlier = NULL;

	if (interval->ns)
		earlier =
			sample_find_vm(interval->before, vm->at->pid, vm->at->start_time);
	for (size_t i = 0; i < vm->at->n_vcpus; i++) {
		vm->vcpus[i].at = &vm->at->vcpus[i];
		count_vcpu(interval, earlier, &sum, &vm->vcpus[i]);
		vm->run_permille += vm->vcpus[i].run_permille;
		vm->waits += vm->vcpus[i].waits;
	}
	vm->p99_ns = wait_quantile(&sum, 99);
}

/* What happened on a CPU is its owner's matter. */
static void count_owner(struct view *view, const struct view_cpu *cpu)
{
	const struct sample_vcpu *vcpu;
	struct view_vcpu *to;
	struct view_vm *vm;

	if (cpu->at->owner < 0)
		return;
	vm = &view->vms[cpu->at->owner];
	cpuset_add(&vm->cpus, cpu->at->cpu);
	add(&vm->counts.interference, &cpu->counts.interference);
	vcpu = cpu->at->vcpu < 0 ? NULL : sample_find_vcpu(vm->at, cpu->at->vcpu);
	if (!vcpu)
		return;
	to = &vm->vcpus[vcpu - vm->at->vcpus];
	add(&to->interference, &cpu->counts.interference);
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		add(&to->foreign, &cpu->counts.foreign[cause]);
}

static void find_running(struct view *view)
{
	const struct sample *now = view->now;

	for (size_t i = 0; i < now->n_culprits && now->culprits[i].running; i++)
		for (size_t j = 0; j < now->n_vms; j++)
			if (!strcmp(now->vms[j].name, now->culprits[i].vm))
				view->vms[j].intruded = true;
}

static int init_vms(const struct interval *interval, struct view *view)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	for (size_t i = 0; i < view->now->n_vms; i++) {
		struct view_vm *vm = &view->vms[i];

		vm->at = &view->now->vms[i];
		vm->letter = i < sizeof(letters) - 1 ? letters[i] : '*';
		vm->vcpus = calloc(vm->at->n_vcpus + 1, sizeof(*vm->vcpus));
		if (!vm->vcpus)
			return -ENOMEM;
		count_vm(interval, vm);
		count_vcpus(interval, vm);
	}
	return 0;
}

static void count_host(const struct interval *interval, struct view *view)
{
	const struct sample *now = interval->now, *before = interval->before;
	bool same = before && before->start == now->start;

	view->observer = now->observer;
	view->interval_ns = interval->ns;
	if (!interval->ns || now->observer == OBSERVER_ABSENT)
		return;
	view->switches = more(now->switches, same ? before->switches : 0);
	view->lost = more(now->lost, same ? before->lost : 0);
	if (!view->switches)
		view->observer = OBSERVER_BLIND;
}

int view_compute(
	const struct sample *before, const struct sample *now, struct view *ret_view)
{
	struct interval interval = {.now = now};
	struct view view = {.now = now};

	/* Of another boot nothing can be compared. */
	if (before && before->now < now->now) {
		interval.before = before;
		interval.ns = now->now - before->now;
	}
	view.cpus = calloc(now->n_cpus + 1, sizeof(*view.cpus));
	view.vms = calloc(now->n_vms + 1, sizeof(*view.vms));
	if (!view.cpus || !view.vms || init_vms(&interval, &view)) {
		view_deinit(&view);
		return -ENOMEM;
	}
	count_host(&interval, &view);
	for (size_t i = 0; i < now->n_cpus; i++) {
		struct view_cpu *cpu = &view.cpus[i];

		cpu->at = &now->cpus[i];
		count_cpu(&interval, cpu);
		cpu->state = state_of(now, cpu);
		view.n_intruded += cpu->state == CPU_INTRUDED;
		add_counts(&view.total, &cpu->counts);
		count_owner(&view, cpu);
	}
	find_running(&view);
	*ret_view = view;
	return 0;
}

void view_deinit(struct view *view)
{
	for (size_t i = 0; view->vms && view->now && i < view->now->n_vms; i++)
		free(view->vms[i].vcpus);
	free(view->vms);
	free(view->cpus);
	memset(view, 0, sizeof(*view));
}

double view_rate(const struct view *view, uint64_t count)
{
	return view->interval_ns ? (double)count * 1e9 / (double)view->interval_ns : 0;
}
