/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * How long interrupts take reserved CPUs away, in the map `interrupts`. For
 * observer.bpf.c alone. Only what has a handler of its own or is a softirq comes by here:
 * the local timer and other CPUs' calls do not, and stand in the kernel's own counters.
 *
 * Handlers do not nest; an interrupt within a softirq is not the softirq's time. While
 * two programs are attached nothing is measured: either would be counted twice.
 */
#include "bpf/count.h"

static __always_inline bool is_measured(u32 cpu)
{
	struct cpu_counters *counters = bpf_map_lookup_elem(&cpu_counters, &cpu);
	u32 vm = counters ? *(volatile u32 *)&counters->fast.vm : 0;

	return vm && !(vm & CPU_TAKEOVER);
}

SEC("tp_btf/irq_handler_entry")
int cpuwarden_irq_begin(u64 *ctx)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct interrupts *here = bpf_map_lookup_elem(&interrupts, &cpu);

	if (here && is_measured(cpu))
		here->irq_start = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int cpuwarden_irq_end(u64 *ctx)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct interrupts *here = bpf_map_lookup_elem(&interrupts, &cpu);
	u64 ns;

	if (!here || !here->irq_start)
		return 0;
	if (is_measured(cpu)) {
		ns = bpf_ktime_get_ns() - here->irq_start;
		count_here(&here->irq, ns);
		here->inside += ns;
	}
	here->irq_start = 0;
	return 0;
}

SEC("tp_btf/softirq_entry")
int cpuwarden_softirq_begin(u64 *ctx)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct interrupts *here = bpf_map_lookup_elem(&interrupts, &cpu);

	if (here && is_measured(cpu)) {
		/* In this order: what an interrupt between the two took is not taken off
		 * a softirq that had not begun. */
		here->softirq_start = bpf_ktime_get_ns();
		here->inside = 0;
	}
	return 0;
}

SEC("tp_btf/softirq_exit")
int cpuwarden_softirq_end(u64 *ctx)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct interrupts *here = bpf_map_lookup_elem(&interrupts, &cpu);

	if (!here || !here->softirq_start)
		return 0;
	if (is_measured(cpu))
		count_here(&here->softirq,
			bpf_ktime_get_ns() - here->softirq_start - here->inside);
	here->softirq_start = 0;
	return 0;
}
