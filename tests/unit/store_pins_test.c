// SPDX-License-Identifier: GPL-2.0-or-later
/* What a pin makes of a VM's two files: now and from the next start on. */
#include <errno.h>

#include "tests/unit/config_dir.h"
#include "user/model/pin_check.h"
#include "user/store/pins.h"

#define PROCESS "[process]\npid = 7\nstart_time = 99\n"

enum wish { LIVE = 1, CONFIG = 2, STOPPED = 4 };

struct example {
	const char *etc, *run; /* NULL: no file */
	enum wish wish;
	const char *cpus; /* NULL: the pin is taken back */
	const char *new_etc, *new_run;
};

/* The pins as the files have them are what the caller reads from them. */
static void read_pins(bool run, struct cpuset *pin, const struct cpuset **ret_pin,
	enum thread_class class, unsigned int index)
{
	const struct config_source source = {"etc", run ? "run" : NULL, NULL, NULL};
	struct cpuset present = cpus("0-7");
	const struct cpuset *found;

	config_deinit(&config);
	assert_int_equal(config_read(&source, &present, &config, NULL), 0);
	found = pin_of(config_find_vm(&config, "web1"), class, index);
	*ret_pin = NULL;
	if (found) {
		*pin = *found;
		*ret_pin = pin;
	}
}

static void put(const char *path, const char *text)
{
	unlink(path);
	if (text)
		write_file(path, text);
}

static void expect_text(const char *text, const char *expected)
{
	assert_int_equal(!text, !expected);
	if (expected)
		assert_string_equal(text, expected);
}

static void expect(
	const struct example *example, enum thread_class class, unsigned int index)
{
	static const struct process_id process = {7, 99};
	struct vm_texts after = {}, before = {(char *)example->etc, (char *)example->run};
	struct pin_change change = {.vm = "web1", .class = class, .index = index};
	struct cpuset cpus, now, etc;

	put(VM, example->etc);
	put(VM_RUN, example->run);
	read_pins(true, &now, &change.now, class, index);
	read_pins(false, &etc, &change.etc, class, index);
	change.live = example->wish & LIVE;
	change.config = example->wish & CONFIG;
	change.process = example->wish & STOPPED ? NULL : &process;
	if (example->cpus)
		assert_int_equal(cpulist_parse_kernel(example->cpus, &cpus), 0);
	change.cpus = example->cpus ? &cpus : NULL;
	if (pins_change(&before, &change, &after, &problem))
		fail_msg("%s", problem.text);
	expect_text(after.etc, example->new_etc);
	expect_text(after.run, example->new_run);
	vm_texts_deinit(&after);
}

#define PIN(n) "[vcpupin]\n0 = " #n "\n"

static void test_live_goes_to_run(void **state)
{
	static const struct example examples[] = {
		{NULL, NULL, LIVE, "4", NULL, PIN(4) PROCESS},
		{PIN(5), NULL, LIVE, "4", PIN(5), PIN(4) PROCESS},
		{PIN(5), PIN(6) PROCESS, LIVE, "4", PIN(5), PIN(4) PROCESS},
		/* Back to what /etc says. */
		{PIN(4), PIN(6) PROCESS, LIVE, "4", PIN(4), NULL},
		/* No pin where /etc has one is something to be said. */
		{NULL, PIN(6) PROCESS, LIVE, NULL, NULL, NULL},
		{PIN(5), PIN(6) PROCESS, LIVE, NULL, PIN(5), PIN(none) PROCESS},
		{PIN(5), NULL, LIVE, NULL, PIN(5), PIN(none) PROCESS},
		{NULL, NULL, LIVE, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(examples); i++)
		expect(&examples[i], THREAD_VCPU, 0);
}

/* What holds stays as it is until the VM ends: then it is all that /run has to say. */
static void test_config_leaves_what_holds(void **state)
{
	static const struct example examples[] = {
		{NULL, NULL, CONFIG, "4", PIN(4), PIN(none) PROCESS},
		{PIN(5), NULL, CONFIG, "4", PIN(4), PIN(5) PROCESS},
		{PIN(5), PIN(6) PROCESS, CONFIG, "4", PIN(4), PIN(6) PROCESS},
		{PIN(5), PIN(6) PROCESS, CONFIG, "6", PIN(6), NULL},
		{PIN(5), NULL, CONFIG, NULL, NULL, PIN(5) PROCESS},
		{PIN(5), PIN(none) PROCESS, CONFIG, NULL, NULL, NULL},
		{PIN(5), NULL, CONFIG, "5", PIN(5), NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(examples); i++)
		expect(&examples[i], THREAD_VCPU, 0);
}

static void test_both(void **state)
{
	static const struct example examples[] = {
		{NULL, NULL, LIVE | CONFIG, "4", PIN(4), NULL},
		{PIN(5), PIN(6) PROCESS, LIVE | CONFIG, "4", PIN(4), NULL},
		{PIN(5), PIN(6) PROCESS, LIVE | CONFIG, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(examples); i++)
		expect(&examples[i], THREAD_VCPU, 0);
}

/* There is nothing that holds now, and a file of /run that somebody wrote is his. */
static void test_of_a_vm_that_does_not_run(void **state)
{
	static const struct example examples[] = {
		{NULL, NULL, CONFIG | STOPPED, "4", PIN(4), NULL},
		{PIN(5), PIN(6), CONFIG | STOPPED, "4", PIN(4), PIN(6)},
		{PIN(5), PIN(6), CONFIG | STOPPED, NULL, NULL, PIN(6)},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(examples); i++)
		expect(&examples[i], THREAD_VCPU, 0);
}

static void test_what_else_is_there_stays(void **state)
{
	static const struct example examples[] = {
		{"# a\n" PIN(5) "1 = 6 ; b\n", "; mine\n[vm]\nnuma = any\n", LIVE, "4",
			"# a\n" PIN(5) "1 = 6 ; b\n",
			"; mine\n[vm]\nnuma = any\n" PIN(4) PROCESS},
		{PIN(5), "; mine\n" PIN(4) PROCESS, LIVE, "5", PIN(5),
			"; mine\n[vcpupin]\n" PROCESS},
		{PIN(5), PIN(4) "1 = 6\n" PROCESS, LIVE, "5", PIN(5),
			"[vcpupin]\n1 = 6\n" PROCESS},
		/* A file of /run becomes this process's. */
		{NULL, PIN(5) "[process]\npid = 3 ; x\nstart_time = 4\n", LIVE, "4", NULL,
			PIN(4) "[process]\npid = 7 ; x\nstart_time = 99\n"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(examples); i++)
		expect(&examples[i], THREAD_VCPU, 0);
}

static void test_each_class_has_its_section(void **state)
{
	static const struct example vcpu = {
		NULL, NULL, LIVE | CONFIG, "0,2-3", "[vcpupin]\n8191 = 0,2-3\n", NULL};
	static const struct example emulator = {NULL, NULL, LIVE | CONFIG, "0,2-3",
		"[emulatorpin]\ncpus = 0,2-3\n", NULL};
	static const struct example iothread = {
		NULL, NULL, LIVE | CONFIG, "0,2-3", "[iothreadpin]\n2 = 0,2-3\n", NULL};
	static const struct example none = {"[emulatorpin]\ncpus = 1\n", NULL, LIVE, NULL,
		"[emulatorpin]\ncpus = 1\n", "[emulatorpin]\ncpus = none\n" PROCESS};

	(void)state;
	expect(&vcpu, THREAD_VCPU, 8191);
	expect(&emulator, THREAD_EMULATOR, 0);
	expect(&iothread, THREAD_IOTHREAD, 2);
	expect(&none, THREAD_EMULATOR, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(test_live_goes_to_run),
		config_test(test_config_leaves_what_holds),
		config_test(test_both),
		config_test(test_of_a_vm_that_does_not_run),
		config_test(test_what_else_is_there_stays),
		config_test(test_each_class_has_its_section),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
