// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/placement/trace.h"

#include <stdlib.h>
#include <time.h>

#include "tests/unit/hosts.h"

#define TWO_SOCKETS "2 sockets of 24 cores", 2, 1, 1, 24, 2
#define FOUR_NODES "4 nodes of 12 cores", 2, 2, 1, 12, 2
#define CHIPLETS "2 nodes of 8 chiplets of 8 cores", 2, 1, 8, 8, 2

const struct scene scenes[] = {
	{TWO_SOCKETS, 45, false},
	{TWO_SOCKETS, 100, false},
	{FOUR_NODES, 45, false},
	{FOUR_NODES, 100, false},
	{CHIPLETS, 45, false},
	{CHIPLETS, 100, false},
	{TWO_SOCKETS, 45, true},
	{TWO_SOCKETS, 100, true},
	{FOUR_NODES, 45, true},
	{FOUR_NODES, 100, true},
	{CHIPLETS, 45, true},
	{CHIPLETS, 100, true},
};
const size_t n_scenes = sizeof(scenes) / sizeof(*scenes);

const struct rule rules[] = {
	{"cpuwarden", rules_allocator, true, true},
	{"kubelet static", rules_kubelet, true, false},
	{"kubelet, full-pcpus-only", rules_kubelet_full_cores, true, false},
	{"kubelet, best-effort", rules_kubelet_best_effort, true, false},
	/* With `single` the kubelet's topology manager is at work in any case. */
	{"kubelet, single-numa-node", rules_kubelet, false, true},
	{"nova dedicated, pack", rules_nova_pack, false, true},
	{"nova dedicated, spread", rules_nova_spread, false, true},
};
const size_t n_rules = sizeof(rules) / sizeof(*rules);

bool rule_serves(const struct rule *rule, const struct scene *scene)
{
	return scene->single ? rule->single : rule->mixed;
}

/* xorshift64*, by Vigna. */
static unsigned int roll(uint64_t *state, unsigned int sides)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (unsigned int)((*state * UINT64_C(2685821657736338717)) >> 33) % sides;
}

/* Sizes of VMs and how many in a hundred have them; most are small, as in any cloud. */
static const struct {
	unsigned int vcpus, per_cent;
} mix[] = {{1, 14}, {2, 28}, {3, 4}, {4, 24}, {6, 5}, {8, 15}, {12, 3}, {16, 5}, {24, 2}};

static unsigned int random_size(uint64_t *dice)
{
	unsigned int n = roll(dice, 100), i = 0;

	while (n >= mix[i].per_cent)
		n -= mix[i++].per_cent;
	return mix[i].vcpus;
}

/* Mostly the defaults; who asks for more asks for one thing, or for both. */
static struct ask_for random_ask(uint64_t *dice, bool single)
{
	struct ask_for ask = {.n = random_size(dice)};
	unsigned int numa = roll(dice, 10), smt = roll(dice, 10);

	if (single || numa < 3)
		ask.numa = NUMA_SINGLE;
	if (smt < 2)
		ask.smt = SMT_REQUIRE;
	else if (smt == 2)
		ask.smt = SMT_ISOLATE;
	return ask;
}

/* CPUs that no rule can do without. */
static unsigned int cpus_of(const struct ask_for *ask, unsigned int threads)
{
	return ask->smt == SMT_ISOLATE ? ask->n * threads : ask->n;
}

/* CPUs that a VM takes on average, in hundredths. */
static unsigned int mean_size(unsigned int threads)
{
	uint64_t dice = 12345;
	unsigned long sum = 0;

	for (int i = 0; i < 10000; i++) {
		struct ask_for ask = random_ask(&dice, false);

		sum += cpus_of(&ask, threads);
	}
	return (unsigned int)(sum / 100);
}

struct running {
	struct cpuset cpus;
	unsigned int until;  /* which arrival it does not see */
	unsigned int n_cpus; /* that it cannot do without */
};

struct run {
	const struct topology *topology;
	struct allocator *allocator;
	struct cpuset available;
	struct running *vms;
	size_t n_vms;
	unsigned int unused; /* CPUs that no VM asked for */
};

static void depart(struct run *run, unsigned int now)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_vms; i++)
		if (run->vms[i].until <= now) {
			cpuset_or(&run->available, &run->vms[i].cpus);
			run->unused += run->vms[i].n_cpus;
		} else {
			run->vms[n++] = run->vms[i];
		}
	run->n_vms = n;
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void arrive(struct run *run, const struct cpuset *cpus, unsigned int n_cpus,
	unsigned int until)
{
	if (!cpuset_subset(cpus, &run->available))
		abort();
	cpuset_andnot(&run->available, cpus);
	run->unused -= n_cpus;
	run->vms[run->n_vms++] =
		(struct running){.cpus = *cpus, .until = until, .n_cpus = n_cpus};
}

/* Sums over the arrivals. */
struct sums {
	uint64_t vms, vcpus, asked_vcpus, one_node, one_cache, whole, unused;
	double us;
};

static void count(struct sums *sums, const struct run *run, const struct ask_for *ask,
	const struct cpuset *cpus, bool placed, unsigned int threads)
{
	struct tidiness tidiness =
		allocator_tidiness(run->allocator, cpus, placed, &run->available);

	sums->vms += placed;
	sums->vcpus += placed ? ask->n : 0;
	sums->asked_vcpus += ask->n;
	sums->one_node += tidiness.in_one_node;
	sums->one_cache += tidiness.in_one_cache;
	sums->whole += tidiness.whole_cores * threads;
	sums->unused += run->unused;
}

static unsigned int share(uint64_t part, uint64_t all)
{
	return all ? (unsigned int)(part * 10000 / all) : 0;
}

static struct outcome simulate(struct run *run, const struct scene *scene,
	const struct rule *rule, unsigned int arrivals, uint64_t seed)
{
	uint64_t dice = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	/* Little's law: so many VMs are there at a time as come in a mean lifetime. */
	unsigned int life = run->unused * scene->load / mean_size(scene->threads);
	struct sums sums = {};

	for (unsigned int i = 0; i < arrivals; i++) {
		struct ask_for ask = random_ask(&dice, scene->single);
		unsigned int stays = 1 + roll(&dice, 2 * life);
		struct cpuset cpus = {};
		double start;
		bool placed;

		depart(run, i);
		start = now_us();
		placed = rule->place(
			run->allocator, run->topology, &run->available, &ask, &cpus);
		sums.us += now_us() - start;
		if (placed)
			arrive(run, &cpus, cpus_of(&ask, scene->threads), i + stays);
		count(&sums, run, &ask, &cpus, placed, scene->threads);
	}
	return (struct outcome){
		.vms = share(sums.vms, arrivals),
		.vcpus = share(sums.vcpus, sums.asked_vcpus),
		.one_node = share(sums.one_node, arrivals),
		.one_cache = share(sums.one_cache, arrivals),
		.whole_cores = share(sums.whole, sums.unused),
		.us = sums.us / arrivals,
	};
}

struct outcome trace_run(const struct scene *scene, const struct rule *rule,
	unsigned int arrivals, uint64_t seed)
{
	struct topology topology = topology_build(scene->packages, scene->nodes,
		scene->caches, scene->cores, scene->threads, THREADS_LAST);
	struct run run = {.topology = &topology, .available = topology.online};
	struct outcome outcome;

	cpuset_andnot(&run.available, &topology.first_cores);
	run.unused = cpuset_weight(&run.available);
	run.allocator = allocator_new(&topology);
	run.vms = calloc(run.unused, sizeof(*run.vms));
	if (!run.allocator || !run.vms)
		abort();
	outcome = simulate(&run, scene, rule, arrivals, seed);
	allocator_free(run.allocator);
	free(run.vms);
	return outcome;
}
