// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random VMs on random small hosts, against all that could have been chosen: what is
 * given keeps to the wishes; what is refused has no place at all; and no choice has fewer
 * nodes, or one cache where this one has two. CPUWARDEN_SEEDS runs more, CPUWARDEN_SEED
 * one.
 */
#include "tests/unit/allocator_oracle.h"
#include "tests/unit/random_host.h"

/* What there is to choose among stays small enough to be looked at in full. */
enum { SMALL = 10, VMS_MAX = 8 };

/* Cores of one width: then the fewest nodes are the fewest for `isolate` as well. */
static bool is_even(const struct topology *topology)
{
	unsigned int width = 0;

	cpuset_for_each (cpu, &topology->online) {
		struct cpuset siblings = topology_siblings(topology, (unsigned int)cpu);

		if (width && width != cpuset_weight(&siblings))
			return false;
		width = cpuset_weight(&siblings);
	}
	return true;
}

static void check_given(const struct topology *topology, const struct request *request,
	const struct cpuset *free_cpus, const struct placement *placement)
{
	struct choice choice = open_choice(topology, request, free_cpus);
	struct limits limits = no_limits;
	struct cpuset taken = {};
	unsigned int nodes;

	assert_int_equal(placement->n_cpus, request->n_wants);
	for (size_t i = 0; i < request->n_wants; i++) {
		if (request->wants[i].fixed) {
			assert_int_equal(placement->cpus[i], -1);
			continue;
		}
		assert_true(placement->cpus[i] >= 0);
		assert_true(
			cpuset_has(&choice.available, (unsigned int)placement->cpus[i]));
		assert_false(cpuset_has(&taken, (unsigned int)placement->cpus[i]));
		cpuset_add(&taken, (unsigned int)placement->cpus[i]);
		cpuset_add(&choice.cpus[i], (unsigned int)placement->cpus[i]);
	}
	assert_true(keeps_wishes(&choice));
	assert_true(cpuset_subset(&placement->spare, &choice.available));
	assert_false(cpuset_intersects(&placement->spare, &taken));
	nodes = count_nodes(&choice, true);
	if (nodes > 1 && request->numa == NUMA_PREFER &&
		(request->smt != SMT_ISOLATE || is_even(topology))) {
		limits.vcpu_nodes = nodes - 1;
		assert_false(exists(topology, request, free_cpus, limits));
	}
	if (count_nodes(&choice, false) > 1) {
		limits = (struct limits){1, 1, UINT32_MAX};
		assert_false(exists(topology, request, free_cpus, limits));
	}
	if (count_caches(&choice) > 1) {
		limits = (struct limits){1, 1, 1};
		assert_false(exists(topology, request, free_cpus, limits));
	}
}

/* What the wishes keep idle, said another way than in the allocator. */
static void check_spare(const struct topology *topology, const struct request *request,
	const struct cpuset *free_cpus, const struct placement *placement)
{
	struct choice choice = open_choice(topology, request, free_cpus);
	struct cpuset expected = {}, own;

	for (size_t i = 0; i < request->n_wants; i++)
		if (!request->wants[i].fixed)
			cpuset_add(&choice.cpus[i], (unsigned int)placement->cpus[i]);
	own = own_cpus(&choice);
	for (size_t i = 0; i < request->n_wants && request->smt != SMT_PREFER; i++) {
		struct cpuset mine = choice.cpus[i];

		cpuset_and(&mine, &topology->online);
		if (request->smt == SMT_REQUIRE || request->wants[i].class == THREAD_VCPU)
			cpuset_for_each (cpu, &mine) {
				struct cpuset siblings =
					topology_siblings(topology, (unsigned int)cpu);

				cpuset_or(&expected, &siblings);
			}
	}
	cpuset_andnot(&expected, &own);
	assert_true(cpuset_equal(&placement->spare, &expected));
}

static void expect_same(const struct placement *a, const struct placement *b)
{
	assert_int_equal(a->n_cpus, b->n_cpus);
	assert_memory_equal(a->cpus, b->cpus, a->n_cpus * sizeof(*a->cpus));
	assert_true(cpuset_equal(&a->spare, &b->spare));
}

static struct topology random_topology(struct dice *dice)
{
	struct topology topology;

	do
		topology = topology_build(1 + roll(dice, 2), 1 + roll(dice, 3),
			1 + roll(dice, 2), 1 + roll(dice, 4), 1 + roll(dice, 3),
			(enum numbering)roll(dice, 3));
	while (cpuset_weight(&topology.online) > 24);
	while (rarely(dice, 3) && cpuset_weight(&topology.online) > 1)
		cpuset_drop(&topology.online,
			(unsigned int)cpuset_next(&topology.online, 0) +
				roll(dice, cpuset_weight(&topology.online)));
	/* What no hardware does, and emulated hosts do. */
	if (rarely(dice, 20)) {
		int cpu = cpuset_next(&topology.online, 0);

		topology.places[cpu].node =
			(uint16_t)((topology.places[cpu].node + 1u) % topology.n_nodes);
	}
	topology_complete(&topology);
	return topology;
}

static void random_ask(struct dice *dice, const struct topology *topology,
	const struct cpuset *free_cpus, struct ask *ask)
{
	ask_init(ask, 1 + roll(dice, 6), roll(dice, 2), rarely(dice, 3) ? 1 : 0);
	ask->request.numa = (enum numa_wish)roll(dice, 3);
	ask->request.smt = (enum smt_wish)roll(dice, 3);
	ask->request.guest.threads = roll(dice, 4);
	ask->request.guest.node = roll(dice, 4);
	for (size_t i = 0; i < ask->request.n_wants && rarely(dice, 3); i++)
		if (rarely(dice, 2)) {
			struct cpuset some = some_cpus(
				dice, rarely(dice, 3) ? &topology->online : free_cpus);

			if (!cpuset_empty(&some))
				ask_fix(ask, i, &some);
		}
	if (rarely(dice, 8)) {
		struct cpuset allowed = topology->online;

		for (int i = 0; i < 3; i++)
			cpuset_drop(&allowed, roll(dice, 24));
		ask_allow(ask, &allowed);
	}
}

/* The same VM once more, with all it has: nothing is given, and the same is spare. */
static void check_kept(const struct allocator *allocator, struct ask *ask,
	const struct cpuset *free_cpus, const struct placement *placement)
{
	struct placement again;

	for (size_t i = 0; i < ask->request.n_wants; i++)
		if (!ask->wants[i].fixed) {
			struct cpuset one = {};

			cpuset_add(&one, (unsigned int)placement->cpus[i]);
			ask_fix(ask, i, &one);
		}
	assert_int_equal(
		allocator_place(allocator, &ask->request, free_cpus, NULL, &again, NULL),
		0);
	for (size_t i = 0; i < again.n_cpus; i++)
		assert_int_equal(again.cpus[i], -1);
	assert_true(cpuset_equal(&again.spare, &placement->spare));
	placement_deinit(&again);
}

/* What the sentence promises, tried. */
static void check_promise(const struct topology *topology,
	const struct allocator *allocator, const struct request *request,
	const struct cpuset *free_cpus, const char *text)
{
	struct choice choice = open_choice(topology, request, free_cpus);
	struct request other = *request;
	struct placement placement;
	const char *nodes = strstr(text, " would take "),
		   *more = strstr(text, " more would");
	size_t n_open = 0;

	for (size_t i = 0; i < request->n_wants; i++)
		n_open += !request->wants[i].fixed;
	if (more) {
		while (more[-1] >= '0' && more[-1] <= '9')
			more--;
		assert_int_equal(
			cpuset_weight(&choice.available) + strtoul(more, NULL, 10),
			n_open);
		return;
	}
	if (strstr(text, ": numa = prefer"))
		other.numa = NUMA_PREFER;
	if (strstr(text, "smt = prefer would"))
		other.smt = SMT_PREFER;
	if (strstr(text, "not only those allowed"))
		other.allowed = NULL;
	assert_int_equal(
		allocator_place(allocator, &other, free_cpus, NULL, &placement, NULL), 0);
	for (size_t i = 0; i < request->n_wants; i++)
		if (!request->wants[i].fixed)
			cpuset_add(&choice.cpus[i], (unsigned int)placement.cpus[i]);
	choice.request = &other;
	assert_true(keeps_wishes(&choice) || !other.allowed);
	if (nodes)
		assert_int_equal(strtoul(nodes + strlen(" would take "), NULL, 10),
			count_nodes(&choice, false));
	placement_deinit(&placement);
}

struct tally {
	size_t placed, refused, searched;
};

static bool is_small(const struct topology *topology, const struct request *request,
	const struct cpuset *free_cpus)
{
	struct choice choice = open_choice(topology, request, free_cpus);

	return cpuset_weight(&choice.available) <= SMALL;
}

static void try_one(struct dice *dice, const struct topology *topology,
	const struct allocator *allocator, struct cpuset *free_cpus, struct tally *tally)
{
	struct placement placement, again;
	struct explanation explanation = {};
	struct problem problem = {};
	struct ask ask;
	int r;

	random_ask(dice, topology, free_cpus, &ask);
	r = allocator_place(
		allocator, &ask.request, free_cpus, NULL, &placement, &problem);
	if (r) {
		assert_int_equal(r, 1);
		check_promise(topology, allocator, &ask.request, free_cpus, problem.text);
		tally->refused++;
		if (is_small(topology, &ask.request, free_cpus)) {
			tally->searched++;
			assert_false(
				exists(topology, &ask.request, free_cpus, no_limits));
		}
		return;
	}
	tally->placed++;
	assert_int_equal(allocator_place(allocator, &ask.request, free_cpus, &explanation,
				 &again, NULL),
		0);
	expect_same(&placement, &again);
	if (is_small(topology, &ask.request, free_cpus))
		check_given(topology, &ask.request, free_cpus, &placement);
	check_spare(topology, &ask.request, free_cpus, &placement);
	check_kept(allocator, &ask, free_cpus, &placement);
	cpuset_andnot(free_cpus, &placement.spare);
	for (size_t i = 0; i < ask.request.n_wants; i++)
		cpuset_andnot(free_cpus, &ask.fixed[i]);
	placement_deinit(&placement);
	placement_deinit(&again);
	explanation_deinit(&explanation);
}

static unsigned long seed;

/* After a failure this is the one to look at. */
static int say_seed(void **state)
{
	(void)state;
	print_message("last seed %lu\n", seed);
	return 0;
}

static void test_random_requests(void **state)
{
	unsigned long seeds = from_environment("CPUWARDEN_SEEDS", 2000),
		      only = from_environment("CPUWARDEN_SEED", 0);
	struct tally tally = {};

	(void)state;
	for (seed = only ? only : 1; seed <= (only ? only : seeds); seed++) {
		struct dice dice = dice_of(seed);
		struct topology topology = random_topology(&dice);
		struct allocator *allocator = must(allocator_new(&topology));
		struct cpuset free_cpus = topology.online;

		for (unsigned int i = roll(&dice, 6); i; i--)
			cpuset_drop(&free_cpus, roll(&dice, 24));
		for (int i = 0; i < 5; i++)
			try_one(&dice, &topology, allocator, &free_cpus, &tally);
		allocator_free(allocator);
	}
	if (!only) {
		assert_true(tally.placed > seeds);
		assert_true(tally.refused > seeds / 4);
		assert_true(tally.searched > seeds / 8);
	}
	print_message("%zu placed, %zu refused (%zu of them searched)\n", tally.placed,
		tally.refused, tally.searched);
}

/* A VM that runs, and all that it has. */
struct guest {
	struct cpuset all;
	unsigned int until;
};

static void check_wishes(const struct topology *topology, const struct request *request,
	const struct cpuset *free_cpus, const struct placement *placement)
{
	struct choice choice = open_choice(topology, request, free_cpus);

	for (size_t i = 0; i < request->n_wants; i++)
		if (!request->wants[i].fixed)
			cpuset_add(&choice.cpus[i], (unsigned int)placement->cpus[i]);
	assert_true(keeps_wishes(&choice));
	check_spare(topology, request, free_cpus, placement);
}

/* Some VMs come to a larger host and go again. Nobody is given what another has, or what
 * is the host's. */
static void come_and_go(struct dice *dice, const struct topology *topology)
{
	enum { ARRIVALS = 60 };
	struct allocator *allocator = must(allocator_new(topology));
	struct cpuset free_cpus = topology->online;
	struct guest guests[ARRIVALS];
	struct ask ask;

	cpuset_andnot(&free_cpus, &topology->first_cores);
	for (unsigned int now = 0; now < ARRIVALS; now++) {
		struct placement placement;

		for (unsigned int i = 0; i < now; i++)
			if (guests[i].until == now)
				cpuset_or(&free_cpus, &guests[i].all);
		guests[now] = (struct guest){};
		ask_init(&ask, 1 + roll(dice, 12), roll(dice, 2), roll(dice, 2));
		ask.request.numa = (enum numa_wish)roll(dice, 3);
		ask.request.smt = (enum smt_wish)roll(dice, 3);
		ask.request.guest.threads = roll(dice, 3);
		ask.request.guest.node = roll(dice, 9);
		if (allocator_place(
			    allocator, &ask.request, &free_cpus, NULL, &placement, NULL))
			continue;
		check_wishes(topology, &ask.request, &free_cpus, &placement);
		guests[now].all = placement_all(&placement, &ask.request);
		assert_true(cpuset_subset(&guests[now].all, &free_cpus));
		guests[now].until = now + 1 + roll(dice, 40);
		cpuset_andnot(&free_cpus, &guests[now].all);
		placement_deinit(&placement);
	}
	allocator_free(allocator);
}

static void test_come_and_go(void **state)
{
	(void)state;
	for (seed = 1; seed <= 60; seed++) {
		struct dice dice = dice_of(seed);
		struct topology topology = topology_build(1 + roll(&dice, 2),
			1 + roll(&dice, 4), 1 + roll(&dice, 3), 1 + roll(&dice, 6),
			1 + roll(&dice, 4), (enum numbering)roll(&dice, 3));

		come_and_go(&dice, &topology);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_random_requests, say_seed),
		cmocka_unit_test_teardown(test_come_and_go, say_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
