// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/metrics.h"

#include <inttypes.h>

static const double ns_a_second = 1e9;

static void head(FILE *stream, const char *name, const char *type, const char *help)
{
	fprintf(stream, "# HELP cpuwarden_%s %s\n# TYPE cpuwarden_%s %s\n", name, help,
		name, type);
}

/* Names are printable; what else ends a label's value is escaped. */
static void label(FILE *stream, const char *before, const char *name, const char *value)
{
	fprintf(stream, "%s%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', stream);
		fputc(*value, stream);
	}
	fputc('"', stream);
}

static void number_label(
	FILE *stream, const char *before, const char *name, uint64_t value)
{
	fprintf(stream, "%s%s=\"%" PRIu64 "\"", before, name, value);
}

static void end_count(FILE *stream, uint64_t value)
{
	fprintf(stream, "} %" PRIu64 "\n", value);
}

static void end_seconds(FILE *stream, uint64_t ns)
{
	fprintf(stream, "} %.9f\n", (double)ns / ns_a_second);
}

static void plain(FILE *stream, const char *name, const char *type, const char *help,
	uint64_t value)
{
	head(stream, name, type, help);
	fprintf(stream, "cpuwarden_%s %" PRIu64 "\n", name, value);
}

/* ---- violations ---- */

static void violation(FILE *stream, const char *metric, const struct vm_tally *vm,
	const char *class, const char *cause)
{
	fprintf(stream, "cpuwarden_%s{", metric);
	label(stream, "", "vm", vm->name);
	label(stream, ",", "class", class);
	label(stream, ",", "cause", cause);
}

/* A name may be that of one that has ended, too: the one that lives counts. */
static bool is_told(const struct vm_tally *vm)
{
	return *vm->name && !vm->ended;
}

static void write_violations(FILE *stream, const struct counters *counters, bool seconds)
{
	const char *metric = seconds ? "violation_seconds_total" : "violations_total";

	head(stream, metric, "counter",
		seconds ? "Time that those runs took."
			: "Runs of a VM's threads off their CPUs (off_set), and of others on the VM's CPUs (foreign).");
	for (size_t i = 0; i < counters->n_vms; i++) {
		const struct vm_tally *vm = &counters->vms[i];

		if (!is_told(vm))
			continue;
		for (int cause = -1; cause < CAUSE_COUNT; cause++) {
			const struct tally *tally =
				cause < 0 ? &vm->off_set : &vm->foreign[cause];

			violation(stream, metric, vm, cause < 0 ? "off_set" : "foreign",
				cause < 0 ? "own_vm" : cause_name((enum cause)cause));
			if (seconds)
				end_seconds(stream, tally->ns);
			else
				end_count(stream, tally->count);
		}
	}
}

static void write_settling(FILE *stream, const struct counters *counters)
{
	head(stream, "settling_total", "counter",
		"Runs that a change of the VM's placement explains.");
	for (size_t i = 0; i < counters->n_vms; i++) {
		if (!is_told(&counters->vms[i]))
			continue;
		fputs("cpuwarden_settling_total{", stream);
		label(stream, "", "vm", counters->vms[i].name);
		end_count(stream, counters->vms[i].settling.count);
	}
}

/* ---- by CPU ---- */

static void interference(FILE *stream, unsigned int cpu, const char *cause, uint64_t ns)
{
	fputs("cpuwarden_interference_seconds_total{", stream);
	number_label(stream, "", "cpu", cpu);
	label(stream, ",", "cause", cause);
	end_seconds(stream, ns);
}

static void write_cpus(FILE *stream, const struct counters *counters)
{
	head(stream, "interference_seconds_total", "counter",
		"Time that the kernel's own work took from a reserved CPU.");
	for (size_t i = 0; i < counters->n_reserved; i++) {
		unsigned int cpu = counters->reserved[i].cpu;
		const struct cpu_tally *tally = &counters->cpus[cpu];

		interference(stream, cpu, "bound_kthread", tally->bound_kthread.ns);
		if (!counters->measures)
			continue;
		interference(stream, cpu, "irq", tally->interrupts.ns);
		interference(stream, cpu, "softirq", tally->softirqs.ns);
	}
	head(stream, "cpu_reserved", "gauge", "1 for each CPU that is a VM's.");
	for (size_t i = 0; i < counters->n_reserved; i++) {
		fputs("cpuwarden_cpu_reserved{", stream);
		number_label(stream, "", "cpu", counters->reserved[i].cpu);
		label(stream, ",", "vm", counters->vms[counters->reserved[i].vm].name);
		end_count(stream, 1);
	}
}

/* ---- by vCPU ---- */

static const struct vm_tally *vm_of_vcpu(
	const struct counters *counters, const struct thread_tally *thread)
{
	const struct vm_tally *vm =
		thread->vm < counters->n_vms ? &counters->vms[thread->vm] : NULL;

	return vm && thread->class == THREAD_VCPU && !thread->exited && is_told(vm)
		       ? vm
		       : NULL;
}

static void vcpu_labels(
	FILE *stream, const char *metric, const struct vm_tally *vm, int index)
{
	fprintf(stream, "cpuwarden_%s{", metric);
	label(stream, "", "vm", vm->name);
	number_label(stream, ",", "vcpu", (uint64_t)index);
}

static void write_waits_of(
	FILE *stream, const struct vm_tally *vm, const struct thread_tally *thread)
{
	static const char metric[] = "vcpu_wait_seconds_bucket";
	uint64_t count = 0;

	for (unsigned int i = 0; i < WAIT_BUCKETS; i++) {
		uint64_t bound = wait_bound(i);

		count += thread->waits[i];
		vcpu_labels(stream, metric, vm, thread->index);
		if (bound)
			fprintf(stream, ",le=\"%.9g\"", (double)bound / ns_a_second);
		else
			fputs(",le=\"+Inf\"", stream);
		end_count(stream, count);
	}
	vcpu_labels(stream, "vcpu_wait_seconds_sum", vm, thread->index);
	end_seconds(stream, thread->wait_ns);
	vcpu_labels(stream, "vcpu_wait_seconds_count", vm, thread->index);
	end_count(stream, count);
}

static void write_vcpus(FILE *stream, const struct counters *counters)
{
	head(stream, "vcpu_wait_seconds", "histogram",
		"How long a vCPU waited on the run queue before each of its runs.");
	for (size_t i = 0; i < counters->n_threads; i++) {
		const struct vm_tally *vm = vm_of_vcpu(counters, &counters->threads[i]);

		if (vm)
			write_waits_of(stream, vm, &counters->threads[i]);
	}
	head(stream, "vcpu_run_seconds_total", "counter", "Time that a vCPU ran.");
	for (size_t i = 0; i < counters->n_threads; i++) {
		const struct thread_tally *thread = &counters->threads[i];
		const struct vm_tally *vm = vm_of_vcpu(counters, thread);

		if (!vm)
			continue;
		vcpu_labels(stream, "vcpu_run_seconds_total", vm, thread->index);
		end_seconds(stream, thread->run_ns);
	}
}

void metrics_write_counters(
	FILE *stream, const struct counters *counters, uint64_t blind_ns, bool up)
{
	plain(stream, "observer_up", "gauge",
		"1 if switches of this host are being examined.", counters && up);
	if (!counters)
		return;
	plain(stream, "observer_switches_total", "counter",
		"Context switches that were examined.", counters->total.switches);
	plain(stream, "observer_lost_events_total", "counter",
		"Violations that are counted, but of which no more is known.",
		counters->events_lost);
	head(stream, "observer_blind_seconds_total", "counter",
		"Time in which something was not watched, as far as scrapes have shown it.");
	fprintf(stream, "cpuwarden_observer_blind_seconds_total %.9f\n",
		(double)blind_ns / ns_a_second);
	write_violations(stream, counters, false);
	write_violations(stream, counters, true);
	write_settling(stream, counters);
	write_cpus(stream, counters);
	write_vcpus(stream, counters);
}

/* ---- placement ---- */

static const uint64_t reconcile_bounds[RECONCILE_BUCKETS - 1] = {
	1000000, 5000000, 10000000, 20000000, 50000000, 250000000, 1000000000};

uint64_t reconcile_bound(unsigned int bucket)
{
	return bucket < RECONCILE_BUCKETS - 1 ? reconcile_bounds[bucket] : 0;
}

void reconcile_add(struct reconcile_metric *metric, uint64_t ns)
{
	unsigned int i = 0;

	while (reconcile_bound(i) && ns > reconcile_bound(i))
		i++;
	metric->buckets[i]++;
	metric->ns += ns;
}

static void write_reconcile(FILE *stream, const struct reconcile_metric *metric)
{
	uint64_t count = 0;

	head(stream, "reconcile_seconds", "histogram",
		"How long it took to look at the host, or at one VM, and to put it right.");
	for (unsigned int i = 0; i < RECONCILE_BUCKETS; i++) {
		uint64_t bound = reconcile_bound(i);

		count += metric->buckets[i];
		if (bound)
			fprintf(stream, "cpuwarden_reconcile_seconds_bucket{le=\"%.9g\"",
				(double)bound / ns_a_second);
		else
			fputs("cpuwarden_reconcile_seconds_bucket{le=\"+Inf\"", stream);
		end_count(stream, count);
	}
	fprintf(stream,
		"cpuwarden_reconcile_seconds_sum %.9f\ncpuwarden_reconcile_seconds_count %" PRIu64
		"\n",
		(double)metric->ns / ns_a_second, count);
}

void metrics_write_placement(FILE *stream, const struct placement_metrics *metrics)
{
	head(stream, "build_info", "gauge", "1, with what this is built of and runs on.");
	fputs("cpuwarden_build_info{", stream);
	label(stream, "", "version", metrics->version);
	label(stream, ",", "kernel", metrics->kernel);
	label(stream, ",", "libbpf", metrics->libbpf);
	end_count(stream, 1);
	plain(stream, "reconcile_failed", "gauge",
		"1 if the host could not be looked at: nothing is known of VMs' placement.",
		metrics->failed);
	plain(stream, "config_broken", "gauge",
		"1 if the configuration cannot be read, and the last good one is in force.",
		metrics->config_broken);
	head(stream, "partition_valid", "gauge",
		"Whether a group of a VM's is the partition that it is to be.");
	for (size_t i = 0; i < metrics->n_partitions; i++) {
		fputs("cpuwarden_partition_valid{", stream);
		label(stream, "", "vm", metrics->partitions[i].vm);
		label(stream, ",", "group", metrics->partitions[i].group);
		end_count(stream, metrics->partitions[i].valid);
	}
	head(stream, "placement_degraded", "gauge",
		"1 if a VM is not placed as it is to be.");
	for (size_t i = 0; i < metrics->n_vms; i++) {
		fputs("cpuwarden_placement_degraded{", stream);
		label(stream, "", "vm", metrics->vms[i].vm);
		end_count(stream, metrics->vms[i].degraded);
	}
}

void metrics_write_work(FILE *stream, const struct repair_metric *repairs,
	size_t n_repairs, const struct reconcile_metric *reconcile)
{
	head(stream, "repairs_total", "counter",
		"Steps that put a VM right, by what they did.");
	for (size_t i = 0; i < n_repairs; i++) {
		fputs("cpuwarden_repairs_total{", stream);
		label(stream, "", "vm", repairs[i].vm);
		label(stream, ",", "reason", repairs[i].reason);
		end_count(stream, repairs[i].count);
	}
	write_reconcile(stream, reconcile);
}
