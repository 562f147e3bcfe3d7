// SPDX-License-Identifier: GPL-2.0-or-later
/* Who gets which CPU where domains of libvirt's meet other VMs. */
#include "tests/unit/libvirt_host.h"

#include "tests/unit/one_host.h"

#define WEB1 TOP("web1")
#define WEB2 TOP("web2")

/* CPUs 0-7, of which policy does not choose 0; web1 with one vCPU. */
static int enter(void **state)
{
	enter_host(state);
	host.tree.remote = true;
	add_domain(&host, "web1", 1, 0);
	return 0;
}

/* As it is once it was placed: what it has claimed is the root's no longer. */
static void claim(const char *top, const char *list)
{
	const struct cpuset set = cpus(list);

	group_at(&host, top)->exclusive = set;
	cpuset_andnot(&host.tree.root_effective, &set);
}

static void add_watched(const char *name, const char *list)
{
	add_vm(&host, name, 1, 0);
	wish(&host, name)->policy.kind = POLICY_OBSERVE;
	find_vm(&host, name)->threads[0].affinity = cpus(list);
	find_vm(&host, name)->threads[1].affinity = cpus(list);
}

static void test_where_watched_vcpus_are_bound_is_not_chosen(void **state)
{
	(void)state;
	add_watched("watched", "1-2");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "3");
	/* Whoever names one gets it. */
	virsh(&host, WEB1 "/vcpu0", "2");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "2");
}

static void test_watched_vcpus_that_are_bound_to_nothing(void **state)
{
	(void)state;
	add_watched("watched", "0-7");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "1");
	/* All that the root has is no binding, what partitions hold is not in it. */
	claim(WEB1, "1");
	virsh(&host, WEB1 "/vcpu0", "1");
	put_written(record_of(&host, "web1"), WEB1 "/vcpu0", "", "1");
	find_vm(&host, "watched")->threads[1].affinity = cpus("0,2-7");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "1");
	find_vm(&host, "watched")->threads[0].affinity = cpus("1");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "1");
}

static void test_a_domain_keeps_what_it_chose_and_claimed(void **state)
{
	(void)state;
	claim(WEB1, "5");
	virsh(&host, WEB1 "/vcpu0", "5");
	put_written(record_of(&host, "web1"), WEB1 "/vcpu0", "", "5");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "5");
	expect_group(&host, "web1", WEB1 "/emulator", "0-4,6-7");
	/* What somebody else's partition holds cannot be had. */
	host.tree.root_effective = cpus("0,3-4,6-7");
	group_at(&host, WEB1)->exclusive = cpus("");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "3");
}

static void test_of_two_new_domains_the_first_by_name_gets_the_cpu(void **state)
{
	(void)state;
	add_domain(&host, "web2", 1, 0);
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB2 "/vcpu0", "4");
	compute(&host);
	expect_placed(&host, "web1");
	expect_kept(&host, "web2", "CPU 4 is reserved by VM web1");
	/* Who has claimed comes before one that has only its groups. */
	claim(WEB2, "4");
	compute(&host);
	expect_kept(&host, "web1", "CPU 4 is reserved by VM web2");
	expect_placed(&host, "web2");
}

/* What libvirt allows a group as a whole is not claimed by that. */
static void test_the_cpus_of_a_top_group_are_not_held(void **state)
{
	(void)state;
	add_domain(&host, "web2", 1, 0);
	virsh(&host, WEB2, "0-7");
	virsh(&host, WEB2 "/vcpu0", "4");
	compute(&host);
	expect_group(&host, "web1", WEB1 "/vcpu0", "1");
	expect_placed(&host, "web2");
}

static void test_a_claim_that_another_still_holds_is_waited_for(void **state)
{
	(void)state;
	add_domain(&host, "web2", 1, 0);
	claim(WEB1, "3");
	claim(WEB2, "4-5");
	virsh(&host, WEB2 "/vcpu0", "5");
	virsh(&host, WEB1 "/vcpu0", "4");
	compute(&host);
	expect_kept(&host, "web1", "CPU 4 is still held by VM web2");
	expect_placed(&host, "web2");
	group_at(&host, WEB2)->exclusive = cpus("5");
	compute(&host);
	expect_placed(&host, "web1");
}

static void test_domains_and_vms_of_ours_keep_off_each_other(void **state)
{
	(void)state;
	add_vm(&host, "bare", 1, 0);
	virsh(&host, WEB1 "/vcpu0", "2");
	compute(&host);
	expect_leaf(&host, "bare", "", "1,3");
	pin_vcpu(&host, "bare", 0, "2");
	compute(&host);
	expect_placed(&host, "bare");
	expect_kept(&host, "web1", "CPU 2 is reserved by VM bare");
}

static void test_domains_leave_the_host_a_cpu(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/vcpu0", "0-6");
	compute(&host);
	expect_placed(&host, "web1");
	add_domain(&host, "web2", 1, 0);
	virsh(&host, WEB2 "/vcpu0", "7");
	compute(&host);
	expect_kept(&host, "web2", "no CPU would be left for the host");
}

static void test_a_domain_that_is_starting(void **state)
{
	(void)state;
	remove_thread(&host, "web1", 1001);
	compute(&host);
	expect_kept(&host, "web1", "no vCPU thread was found: is it still starting?");
}

#define claims_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		claims_test(test_where_watched_vcpus_are_bound_is_not_chosen),
		claims_test(test_watched_vcpus_that_are_bound_to_nothing),
		claims_test(test_a_domain_keeps_what_it_chose_and_claimed),
		claims_test(test_of_two_new_domains_the_first_by_name_gets_the_cpu),
		claims_test(test_the_cpus_of_a_top_group_are_not_held),
		claims_test(test_a_claim_that_another_still_holds_is_waited_for),
		claims_test(test_domains_and_vms_of_ours_keep_off_each_other),
		claims_test(test_domains_leave_the_host_a_cpu),
		claims_test(test_a_domain_that_is_starting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
