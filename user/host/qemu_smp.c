// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/qemu_smp.h"

#include <stddef.h>
#include <string.h>

#include "user/base/parse.h"
#include "user/model/vm.h"

static const char *const keys[SMP_KEYS] = {"cpus", "maxcpus", "drawers", "books",
	"sockets", "dies", "clusters", "modules", "cores", "threads"};

void qemu_smp_set(struct qemu_smp *smp, const char *key, const char *value)
{
	for (size_t i = 0; i < SMP_KEYS; i++)
		if (!strcmp(key, keys[i]) && parse_u64(value, VCPUS_MAX, &smp->values[i]))
			smp->bad = true;
}

unsigned int qemu_smp_count(const struct qemu_smp *smp)
{
	uint64_t cpus = smp->values[SMP_CPUS];

	if (!cpus)
		cpus = smp->values[SMP_MAXCPUS];
	if (!cpus) {
		cpus = 1;
		for (size_t i = SMP_LEVELS; i < SMP_KEYS && cpus <= VCPUS_MAX; i++)
			cpus *= smp->values[i] ? smp->values[i] : 1;
	}
	return smp->bad || cpus > VCPUS_MAX ? 0 : (unsigned int)cpus;
}
