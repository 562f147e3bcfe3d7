/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * For tests of what bears on reserved CPUs: each test has a root of its own with the
 * files of a host with 8 CPUs on 2 nodes, as the kernels of tools/vm and a server with
 * cpufreq write them. What was read is in `facts`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cpu_lists.h"
#include "tests/unit/remove_tree.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/isolation.h"

static char root[] = "/tmp/cpuwarden-root-XXXXXX";
static struct host_facts facts;
static struct problem problem;

static inline void put(const char *name, const char *text)
{
	char path[256], *slash;
	cleanup_fclose FILE *file = NULL;

	snprintf(path, sizeof(path), "%s%s", root, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(file_make_dirs(path, 0755), 0);
	*slash = '/';
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "%s\n", text) > 0);
}

static inline void take_away(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, name);
	assert_int_equal(remove_tree(path), 0);
}

static inline void put_irq(unsigned int number, const char *actions, const char *allowed,
	const char *effective)
{
	char name[96];

	snprintf(name, sizeof(name), "/sys/kernel/irq/%u/actions", number);
	put(name, actions);
	snprintf(name, sizeof(name), "/proc/irq/%u/smp_affinity_list", number);
	put(name, allowed);
	snprintf(name, sizeof(name), "/proc/irq/%u/effective_affinity_list", number);
	put(name, effective);
}

/* As the kernel has it where nobody may move an interrupt. */
static inline void fix_irq(unsigned int number)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/proc/irq/%u/smp_affinity_list", root, number);
	assert_int_equal(chmod(path, 0444), 0);
}

static inline void put_power(unsigned int cpu, const char *governor)
{
	char name[96];

	snprintf(name, sizeof(name), FILE_CPUS "/cpu%u/cpufreq/scaling_governor", cpu);
	put(name, governor);
	snprintf(name, sizeof(name),
		FILE_CPUS "/cpu%u/cpufreq/scaling_available_governors", cpu);
	put(name, "performance powersave ");
}

static inline void put_idle(unsigned int cpu, unsigned int state, const char *name,
	const char *latency, const char *disable)
{
	char path[96];
	int n = snprintf(
		path, sizeof(path), FILE_CPUS "/cpu%u/cpuidle/state%u/", cpu, state);

	snprintf(path + n, sizeof(path) - (size_t)n, "name");
	put(path, name);
	snprintf(path + n, sizeof(path) - (size_t)n, "latency");
	put(path, latency);
	snprintf(path + n, sizeof(path) - (size_t)n, "disable");
	put(path, disable);
}

static inline void put_host(void)
{
	put(FILE_CMDLINE, "root=/dev/vda1 isolcpus=managed_irq,6-7 nohz_full=6-7 quiet");
	put(FILE_CPUS "/possible", "0-7");
	put(FILE_CPUS "/online", "0-7");
	put(FILE_ISOLATED, "");
	put(FILE_NOHZ_FULL, "6-7");
	put(FILE_SCHEDSTAT, "version 16\ntimestamp 4294940163\n"
			    "cpu0 0 0 0 0 0 0 1 2 3\ndomain0 03 0 1\ndomain1 0f 0 1\n"
			    "cpu1 0 0 0 0 0 0 1 2 3\ndomain0 03 0 1\ndomain1 0f 0 1\n"
			    "cpu2 0 0 0 0 0 0 1 2 3");
	put(FILE_WORKQUEUES, "0f");
	put(FILE_WQ_ISOLATED, "c0");
	put(FILE_TRACE_EVENTS "/timer/enable", "0");
	put(FILE_TIMER_SYSCTL, "1");
	put(FILE_IRQ_DEFAULT, "ff");
	put_irq(24, "eth0", "0-7", "3");
	put_irq(9, "acpi", "0", "0");
	put_irq(10, "", "0-7", "0"); /* nobody's */
	put_irq(37, "nvme0q1", "4", "4");
	fix_irq(37);
	put(FILE_WATCHDOG, "1");
	put(FILE_NMI_WATCHDOG, "0");
	put(FILE_WATCHDOG_CPUS, "0-7");
	put(FILE_NUMA_BALANCE, "1");
	put(FILE_THP, "always [madvise] never");
	put(FILE_KSM, "0");
	for (unsigned int cpu = 0; cpu < 8; cpu++)
		put_power(cpu, "powersave");
	put_idle(4, 0, "POLL", "0", "0");
	put_idle(4, 1, "C1", "2", "0");
	put_idle(4, 2, "C6", "133", "0");
	put(FILE_NODES "/node1/meminfo",
		"Node 1 MemTotal:        2000000 kB\nNode 1 MemFree:         1000000 kB\n"
		"Node 1 HugePages_Total:     8\nNode 1 HugePages_Free:      5");
	put(FILE_NODES "/node0/meminfo",
		"Node 0 MemTotal:        4000000 kB\nNode 0 MemFree:         3000000 kB\n"
		"Node 0 HugePages_Total:     0\nNode 0 HugePages_Free:      0");
}

static inline int enter_root(void **state)
{
	(void)state;
	memcpy(root + strlen(root) - 6, "XXXXXX", 6);
	if (!mkdtemp(root))
		return -1;
	put_host();
	return 0;
}

static inline int leave_root(void **state)
{
	(void)state;
	host_facts_deinit(&facts);
	return remove_tree(root);
}

static inline void read_facts(void)
{
	host_facts_deinit(&facts);
	assert_int_equal(host_facts_read_at(root, &facts, &problem), 0);
}
