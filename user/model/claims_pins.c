// SPDX-License-Identifier: GPL-2.0-or-later
/* Which pins of a VM cannot be, whatever others have. */
#include "user/model/claims_parts.h"

/* Do two sets of a VM have to be apart? */
static bool must_differ(
	const struct claim *claim, const struct claim_set *a, const struct claim_set *b)
{
	/* libvirt's other threads are kept off by taking the vCPUs' from what they have.
	 */
	if (claim->layout == LAYOUT_LIBVIRT)
		return a->class == THREAD_VCPU && b->class == THREAD_VCPU;
	return a->class == THREAD_VCPU || b->class == THREAD_VCPU;
}

/* Within a VM, a vCPU's partition shares its CPUs with nobody. */
static int check_own_overlap(struct claim *claim)
{
	char one[32], other[32];

	if (!claim_partitions(claim) && claim->scheme != SCHEME_CLASS)
		return 0;
	for (size_t i = 0; i < claim->n_sets; i++)
		for (size_t j = i + 1; j < claim->n_sets; j++) {
			struct cpuset both = claim->sets[i].cpus;

			if (!must_differ(claim, &claim->sets[i], &claim->sets[j]))
				continue;
			cpuset_and(&both, &claim->sets[j].cpus);
			if (cpuset_empty(&both))
				continue;
			claim_set_describe(&claim->sets[i], one, sizeof(one));
			claim_set_describe(&claim->sets[j], other, sizeof(other));
			return claim_refuse(claim,
				"CPU %d is pinned to %s and to %s: a vCPU's partition shares with "
				"nobody (partition = member would)",
				cpuset_next(&both, 0), one, other);
		}
	return 0;
}

int claim_check_pins(
	struct claim *claim, const struct desired_input *input, const struct pools *pools)
{
	for (size_t i = 0; i < claim->n_sets; i++) {
		struct cpuset bad = claim->sets[i].cpus;
		char who[32];

		if (claim->sets[i].open || cpuset_empty(&claim->sets[i].cpus))
			continue;
		if (claim->layout == LAYOUT_LIBVIRT &&
			(claim->sets[i].class != THREAD_VCPU || !claim_partitions(claim)))
			continue;
		claim_set_describe(&claim->sets[i], who, sizeof(who));
		cpuset_andnot(&bad, &input->topology->online);
		if (!cpuset_empty(&bad))
			return claim_refuse(claim, "CPU %d, pinned to %s, is offline",
				cpuset_next(&bad, 0), who);
		bad = claim->sets[i].cpus;
		cpuset_and(&bad, &pools->forbidden);
		if (!cpuset_empty(&bad))
			return claim_refuse(claim,
				"CPU %d, pinned to %s, is a housekeeping CPU",
				cpuset_next(&bad, 0), who);
	}
	return check_own_overlap(claim);
}
