// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/model/bootline.h"
#include "user/model/cpulist.h"

struct line {
	const char *text;
	enum fact_state state;
	const char *cpus;
};

static void assert_lines(void (*parse)(const char *line, struct fact_cpus *ret_cpus),
	const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *list = NULL;
		struct fact_cpus fact;

		print_message("%s\n", lines[i].text);
		parse(lines[i].text, &fact);
		assert_int_equal(fact.state, lines[i].state);
		list = cpulist_format(&fact.cpus);
		assert_string_equal(list, lines[i].cpus);
	}
}

#define ASSERT_LINES(parse, lines) \
	assert_lines(parse, lines, sizeof(lines) / sizeof(*(lines)))

static void test_rcu_nocbs(void **state)
{
	static const struct line lines[] = {
		{"", FACT_ABSENT, ""},
		{"quiet rcu_nocbs=2-3,6 splash", FACT_KNOWN, "2-3,6"},
		{"rcu_nocbs=0-7:1/2", FACT_KNOWN, "0,2,4,6"},
		{"rcu_nocbs=7-N", FACT_UNREAD, ""},
		{"rcu_nocbs=", FACT_UNREAD, ""},
		{"rcu_nocbs", FACT_ABSENT, ""},
		{"my.rcu_nocbs=3", FACT_ABSENT, ""},
		{"rcu_nocbs_poll=3", FACT_ABSENT, ""},
	};

	(void)state;
	ASSERT_LINES(bootline_rcu_nocbs, lines);
}

static void test_managed_irq(void **state)
{
	static const struct line lines[] = {
		{"", FACT_ABSENT, ""},
		{"isolcpus=6-7", FACT_ABSENT, ""},
		{"isolcpus=domain,6-7", FACT_ABSENT, ""},
		{"isolcpus=managed_irq,6-7", FACT_KNOWN, "6-7"},
		{"isolcpus=domain,managed_irq,6-7 quiet", FACT_KNOWN, "6-7"},
		{"isolcpus=managed_irq,nohz,6,7", FACT_KNOWN, "6-7"},
		{"isolcpus=managed_irqs,6", FACT_ABSENT, ""},
		{"isolcpus=managed_irq,x", FACT_UNREAD, ""},
		{"isolcpus=managed_irq,all isolcpus=managed_irq,3", FACT_KNOWN, "0-8191"},
		/* The first list holds, also that of nohz_full=. */
		{"isolcpus=6-7 isolcpus=managed_irq,6-7", FACT_KNOWN, "6-7"},
		{"isolcpus=6-7 isolcpus=managed_irq,5", FACT_ABSENT, ""},
		{"nohz_full=6-7 isolcpus=managed_irq,5-7", FACT_ABSENT, ""},
		{"nohz_full=6-7 isolcpus=managed_irq,6-7", FACT_KNOWN, "6-7"},
		{"isolcpus=managed_irq,5-7 nohz_full=6-7", FACT_KNOWN, "5-7"},
	};

	(void)state;
	ASSERT_LINES(bootline_managed_irq, lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rcu_nocbs),
		cmocka_unit_test(test_managed_irq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
