// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/cli/cli.h"

const struct verb verbs[] = {
	{"plan", "", "print what apply would change and why, in order", 0, 0,
		OPTION_EXPLAIN | OPTION_REBALANCE, true, verb_plan},
	{"apply", "", "place VMs as their policy says, once", 0, 0, OPTION_REBALANCE,
		true, verb_apply},
	{"release", "VM | --all", "give everything back as it was found", 0, 1,
		OPTION_ALL, true, verb_release},
	{"status", "[VM]", "VMs, threads, declared and effective CPUs, counters", 0, 1, 0,
		true, verb_status},
	{"cpus", "[LIST] [--tasks]", "host CPUs: place, owner, partition, who sits there",
		0, 1, OPTION_TASKS, true, verb_cpus},
	{"check", "[VM]", "the verdict, as a monitoring plugin", 0, 1, OPTION_WINDOW,
		false, verb_check},
	{"vcpupin", "VM [VCPU [LIST|r]]", "print or set the CPUs of vCPUs", 1, 3,
		OPTION_LIVE, true, verb_vcpupin},
	{"emulatorpin", "VM [LIST|r]", "print or set the CPUs of the emulator", 1, 2,
		OPTION_LIVE, true, verb_emulatorpin},
	{"iothreadpin", "VM [ID [LIST|r]]", "print or set the CPUs of iothreads", 1, 3,
		OPTION_LIVE, true, verb_iothreadpin},
	{"vcpuinfo", "VM", "where vCPUs run, and how long they ran", 1, 1, 0, true,
		verb_vcpuinfo},
	{"version", "", "program, kernel, libbpf, features found", 0, 0, 0, false,
		verb_version},
	{},
};
