// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * user/host/topology.c on hosts that are not here: described to hwloc, exported by it,
 * read by us; and captured from a VM (tests/fixtures/topology). What the shapes of
 * hosts.h must give is worked out there by plain arithmetic.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/cpu_lists.h"
#include "tests/unit/hosts.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/topology.h"
#include "user/model/cpulist.h"

/* The caller frees. */
static char *xml_of(const char *description)
{
	hwloc_topology_t hwloc;
	char *exported, *xml;
	int size;

	assert_int_equal(hwloc_topology_init(&hwloc), 0);
	if (hwloc_topology_set_synthetic(hwloc, description))
		fail_msg("hwloc does not take: %s", description);
	assert_int_equal(hwloc_topology_load(hwloc), 0);
	assert_int_equal(hwloc_topology_export_xmlbuffer(hwloc, &exported, &size, 0), 0);
	xml = strdup(exported);
	assert_non_null(xml);
	hwloc_free_xmlbuffer(hwloc, exported);
	hwloc_topology_destroy(hwloc);
	return xml;
}

static void read_xml(const char *xml, struct topology *ret_topology)
{
	struct problem problem;

	if (topology_read_xml(xml, strlen(xml) + 1, ret_topology, &problem))
		fail_msg("%s", problem.text);
}

static void read_description(const char *description, struct topology *ret_topology)
{
	cleanup_free char *xml = xml_of(description);

	read_xml(xml, ret_topology);
}

static void expect_refusal(const char *xml, int error, const char *said)
{
	struct topology topology, before;
	struct problem problem = {};

	memset(&topology, 0x55, sizeof(topology));
	before = topology;
	assert_int_equal(
		topology_read_xml(xml, strlen(xml) + 1, &topology, &problem), error);
	if (!strstr(problem.text, said))
		fail_msg("'%s' lacks '%s'", problem.text, said);
	assert_memory_equal(&topology, &before, sizeof(topology));
}

static void expect_place(const struct topology *topology, unsigned int cpu, int node,
	int package, int cache, int core)
{
	const struct cpu_place *place = &topology->places[cpu];

	assert_int_equal(place->node, node);
	assert_int_equal(place->package, package);
	assert_int_equal(place->cache, cache);
	assert_int_equal(place->core, core);
}

/* Shapes ------------------------------------------------------------------------------
 */

struct shape {
	unsigned int packages;
	unsigned int nodes;   /* in a package */
	unsigned int caches;  /* last-level ones, in a node */
	unsigned int cores;   /* under a cache */
	unsigned int threads; /* of a core */
	enum numbering numbering;
};

/* What there is of them in the field. */
static const struct shape shapes[] = {
	{1, 1, 1, 8, 1, THREADS_LAST}, {2, 1, 1, 8, 2, THREADS_LAST},
	{2, 1, 1, 8, 2, THREADS_FIRST},
	{2, 2, 1, 6, 2, THREADS_LAST}, /* nodes within a socket */
	{2, 1, 8, 4, 2, THREADS_LAST}, /* chiplets */
	{2, 4, 2, 4, 2, THREADS_LAST}, {2, 1, 1, 4, 2, NODES_IN_TURN},
	{4, 2, 8, 8, 2, THREADS_LAST}, /* 1,024 CPUs */
};

/* hwloc counts PUs in the order of the hardware and wants the kernel's number of each. */
static char *describe(const struct shape *shape, const struct topology *wanted)
{
	unsigned int n_nodes = shape->packages * shape->nodes;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fprintf(f, "package:%u ", shape->packages);
	if (shape->nodes > 1)
		fprintf(f, "group:%u ", shape->nodes);
	fprintf(f, "[numanode(memory=%llu)] l3:%u core:%u pu:%u(indexes=",
		(unsigned long long)wanted->node_memory[0], shape->caches, shape->cores,
		shape->threads);
	for (unsigned int core = 0; core < wanted->n_cores; core++)
		for (unsigned int thread = 0; thread < shape->threads; thread++)
			fprintf(f, "%s%u", core || thread ? "," : "",
				cpu_number(core, thread, n_nodes, wanted->n_cores,
					shape->threads, shape->numbering));
	fprintf(f, ")");
	fclose(f);
	return text;
}

static void expect_shape(const struct shape *shape)
{
	struct topology wanted = topology_build(shape->packages, shape->nodes,
		shape->caches, shape->cores, shape->threads, shape->numbering);
	cleanup_free char *description = describe(shape, &wanted);
	struct topology topology;

	read_description(description, &topology);
	assert_int_equal(topology.n_packages, shape->packages);
	assert_int_equal(topology.n_nodes, shape->packages * shape->nodes);
	assert_int_equal(topology.n_caches, topology.n_nodes * shape->caches);
	assert_int_equal(topology.n_cores, topology.n_caches * shape->cores);
	assert_int_equal(
		topology.n_cores<cpuset_weight(&topology.online), shape->threads> 1);
	assert_memory_equal(topology.places, wanted.places, sizeof(topology.places));
	assert_true(cpuset_equal(&topology.online, &wanted.online));
	assert_true(cpuset_equal(&topology.present, &wanted.present));
	assert_true(cpuset_equal(&topology.possible, &wanted.possible));
	assert_true(cpuset_equal(&topology.first_cores, &wanted.first_cores));
	assert_true(cpuset_equal(&topology.with_memory, &wanted.with_memory));
	assert_memory_equal(
		topology.node_memory, wanted.node_memory, sizeof(topology.node_memory));
}

static void hosts_by_their_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		expect_shape(&shapes[i]);
}

/* Caches ------------------------------------------------------------------------------
 */

static void the_largest_cache_counts(void **state)
{
	struct topology topology;

	(void)state;
	read_description("package:1 [numanode] l3:2 l2:2 l1:1 core:1 pu:1", &topology);
	assert_int_equal(topology.n_caches, 2);
	expect_place(&topology, 3, 0, 0, 1, 3);
	read_description("package:1 [numanode] l4:1 l3:2 core:2 pu:1", &topology);
	assert_int_equal(topology.n_caches, 1);
	read_description("package:1 [numanode] l2:4 l1:2 core:1 pu:1", &topology);
	assert_int_equal(topology.n_caches, 4);
	expect_place(&topology, 7, 0, 0, 3, 7);
}

static void without_caches_it_is_the_package(void **state)
{
	struct topology topology;

	(void)state;
	read_description("package:2 [numanode] core:2 pu:2", &topology);
	assert_int_equal(topology.n_caches, 2);
	expect_place(&topology, 3, 0, 0, 0, 1);
	expect_place(&topology, 4, 1, 1, 1, 2);
	/* A first-level one is shared by nobody. */
	read_description("package:2 [numanode] l1:2 core:1 pu:2", &topology);
	assert_int_equal(topology.n_caches, 2);
}

static void without_anything(void **state)
{
	struct topology topology;

	(void)state;
	read_description("pu:3", &topology);
	assert_int_equal(topology.n_packages, 1);
	assert_int_equal(topology.n_caches, 1);
	expect_place(&topology, 0, 0, 0, 0, 0);
	expect_place(&topology, 2, 0, 0, 0, 2);
}

/* Memory ------------------------------------------------------------------------------
 */

static void packages_in_one_node(void **state)
{
	struct topology topology;

	(void)state;
	read_description("[numanode(memory=4096)] package:2 l3:1 core:2 pu:1", &topology);
	assert_int_equal(topology.n_nodes, 1);
	assert_int_equal(topology.n_packages, 2);
	expect_place(&topology, 3, 0, 1, 1, 3);
	expect_cpus(&topology.first_cores, "0");
	assert_int_equal(topology.node_memory[0], 4096);
}

/* Memory that hangs on a package beside its own (persistent), or on the whole (CXL). */
static void memory_without_cpus(void **state)
{
	struct topology topology;

	(void)state;
	read_description("[numanode(memory=1000 indexes=4)] package:2 "
			 "[numanode(memory=2000)] [numanode(memory=3000)] core:2 pu:1",
		&topology);
	assert_int_equal(topology.n_nodes, 5);
	expect_place(&topology, 1, 0, 0, 0, 1);
	expect_place(&topology, 2, 2, 1, 1, 2);
	expect_cpus(&topology.with_memory, "0-4");
	assert_int_equal(topology.node_memory[1], 3000);
	assert_int_equal(topology.node_memory[2], 2000);
	assert_int_equal(topology.node_memory[4], 1000);
	expect_cpus(&topology.first_cores, "0,2");
}

/* hwloc's descriptions know of none. */
static void a_node_without_memory(void **state)
{
	cleanup_free char *xml =
		xml_of("package:2 [numanode(memory=4096 indexes=0,8)] core:2 pu:1");
	char *memory = strstr(xml, "local_memory=\"4096\"");
	struct topology topology;
	struct cpuset nodes;

	(void)state;
	assert_non_null(memory);
	memcpy(memory, "local_memory=\"0000\"", strlen("local_memory=\"0000\""));
	read_xml(xml, &topology);
	assert_int_equal(topology.n_nodes, 9);
	expect_place(&topology, 1, 0, 0, 0, 1);
	expect_place(&topology, 2, 8, 1, 1, 2);
	expect_cpus(&topology.with_memory, "8");
	nodes = topology_nodes(&topology, &topology.online);
	expect_cpus(&nodes, "8");
}

/* hwloc writes the whole node that is cut out here; what is left is near no memory. */
static void cpus_near_no_node(void **state)
{
	cleanup_free char *xml = xml_of("package:2 [numanode(memory=4096)] core:1 pu:1");
	char *second = strstr(strstr(xml, "NUMANode") + 1, "<object type=\"NUMANode\"");
	struct topology topology;

	(void)state;
	assert_non_null(second);
	assert_non_null(strstr(second, "</object>"));
	memset(second, ' ',
		(size_t)(strstr(second, "</object>") - second) + strlen("</object>"));
	read_xml(xml, &topology);
	expect_place(&topology, 1, 0, 1, 1, 1);
	expect_cpus(&topology.first_cores, "0");
}

/* Bounds ------------------------------------------------------------------------------
 */

static void the_largest_host(void **state)
{
	struct topology topology;

	(void)state;
	read_description("package:16 [numanode] l3:16 core:16 pu:2", &topology);
	assert_int_equal(cpuset_weight(&topology.online), CPUSET_CPUS);
	assert_int_equal(topology.n_cores, 4096);
	expect_place(&topology, 8191, 15, 15, 255, 4095);
}

static void too_many_cpus(void **state)
{
	cleanup_free char *more = xml_of("package:17 l3:16 core:16 pu:2");
	cleanup_free char *far = xml_of("core:2 pu:1(indexes=0,9000)");

	(void)state;
	expect_refusal(more, -ERANGE, "CPU 8703, and 8191 is the highest");
	expect_refusal(far, -ERANGE, "CPU 9000, and 8191 is the highest");
}

static void too_many_nodes(void **state)
{
	cleanup_free char *last =
		xml_of("package:2 [numanode(indexes=0,1023)] core:1 pu:1");
	cleanup_free char *far =
		xml_of("package:2 [numanode(indexes=0,1024)] core:1 pu:1");
	struct topology topology;

	(void)state;
	read_xml(last, &topology);
	assert_int_equal(topology.n_nodes, 1024);
	expect_refusal(far, -ERANGE, "memory node 1024, and 1023 is the highest");
}

/* hwloc 2.9 forgets objects of XML that it then refuses; a topology that we forgot would
 * still be told. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:hwloc_alloc_setup_object";
}

static void broken_xml(void **state)
{
	cleanup_free char *xml = xml_of("package:2 [numanode] l3:2 core:2 pu:2");
	size_t size = strlen(xml);

	(void)state;
	expect_refusal("", -EINVAL, "not a topology");
	expect_refusal("<topology></topology>", -EINVAL, "not a topology");
	expect_refusal("<?xml version=\"1.0\"?>\n<domain/>", -EINVAL, "not a topology");
	/* Cut anywhere, it may still be enough; it must do no harm. */
	for (size_t length = size; length; length -= length < 16 ? length : 16) {
		struct topology topology;
		struct problem problem;

		xml[length] = '\0';
		if (length < size / 2)
			expect_refusal(xml, -EINVAL, "not a topology");
		else
			topology_read_xml(xml, length + 1, &topology, &problem);
	}
}

/* Captured ----------------------------------------------------------------------------
 */

static void read_captured(const char *name, struct topology *ret_topology)
{
	cleanup_free char *xml = NULL;
	char path[128];

	snprintf(path, sizeof(path), "tests/fixtures/topology/%s", name);
	assert_int_equal(file_read_all_at(AT_FDCWD, path, 1 << 20, &xml), 0);
	read_xml(xml, ret_topology);
}

/*
 * tools/vm with kernel 6.12, taken inside a group that may use CPUs 0-1 and node 0 only,
 * with hwloc's flags as in topology.c: as the host looks to us once VMs have theirs.
 */
static void a_cpu_offline_and_most_not_ours(void **state)
{
	struct topology topology;
	struct cpuset siblings;

	(void)state;
	read_captured("two-packages-cpu5-offline.xml", &topology);
	expect_cpus(&topology.possible, "0-7");
	expect_cpus(&topology.online, "0-4,6-7");
	assert_int_equal(topology.n_packages, 2);
	assert_int_equal(topology.n_nodes, 2);
	assert_int_equal(topology.n_caches, 2);
	assert_int_equal(topology.n_cores, 4);
	expect_place(&topology, 3, 0, 0, 0, 1);
	expect_place(&topology, 4, 1, 1, 1, 2);
	expect_place(&topology, 5, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN,
		TOPOLOGY_UNKNOWN);
	expect_place(&topology, 7, 1, 1, 1, 3);
	siblings = topology_siblings(&topology, 4);
	expect_cpus(&siblings, "4");
	siblings = topology_siblings(&topology, 6);
	expect_cpus(&siblings, "6-7");
	expect_cpus(&topology.first_cores, "0-1,4");
	expect_cpus(&topology.with_memory, "0-1");
	assert_int_equal(topology.node_memory[0], UINT64_C(1583128576));
	assert_int_equal(topology.node_memory[1], UINT64_C(1544552448));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_by_their_shape),
		cmocka_unit_test(the_largest_cache_counts),
		cmocka_unit_test(without_caches_it_is_the_package),
		cmocka_unit_test(without_anything),
		cmocka_unit_test(packages_in_one_node),
		cmocka_unit_test(memory_without_cpus),
		cmocka_unit_test(a_node_without_memory),
		cmocka_unit_test(cpus_near_no_node),
		cmocka_unit_test(the_largest_host),
		cmocka_unit_test(too_many_cpus),
		cmocka_unit_test(too_many_nodes),
		cmocka_unit_test(broken_xml),
		cmocka_unit_test(a_cpu_offline_and_most_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
