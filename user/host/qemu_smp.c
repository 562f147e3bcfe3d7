// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/qemu_smp.h"

#include <stddef.h>
#include <string.h>

#include "user/base/parse.h"

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

static uint64_t level(const struct qemu_smp *smp, size_t key)
{
	return smp->values[key] ? smp->values[key] : 1;
}

struct guest_smp qemu_smp_guest(const struct qemu_smp *smp)
{
	uint64_t all = smp->values[SMP_MAXCPUS], product = 1;
	struct guest_smp guest = {};
	bool given = false;

	if (!all)
		all = qemu_smp_count(smp);
	/* No level is above VCPUS_MAX, and so no product overflows. */
	for (size_t i = SMP_LEVELS; i < SMP_KEYS && product <= VCPUS_MAX; i++) {
		given |= smp->values[i] != 0;
		product *= level(smp, i);
	}
	if (!given || smp->bad || product > VCPUS_MAX)
		return guest;
	guest.sockets = (unsigned int)level(smp, SMP_SOCKETS);
	guest.dies = (unsigned int)(level(smp, SMP_DIES) * level(smp, SMP_CLUSTERS) *
				    level(smp, SMP_MODULES));
	guest.cores = (unsigned int)level(smp, SMP_CORES);
	guest.threads = (unsigned int)level(smp, SMP_THREADS);
	/* Cores that are not given are what is left, as in QEMU since 6.2. */
	if (!smp->values[SMP_CORES] && all <= VCPUS_MAX && all > product)
		guest.cores = (unsigned int)(all / product);
	return guest;
}
