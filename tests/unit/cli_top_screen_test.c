// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole screens, as text. Those that are too big to stand here are in FIXTURES. */
#include <fcntl.h>
#include <time.h>

#include "tests/unit/build_scene.h"
#include "user/base/file.h"

#define FIXTURES "tests/fixtures/top"

static void assert_screen(
	struct scene *scene, unsigned int cols, unsigned int rows, const char *expected)
{
	char *screen = screen_of(scene, cols, rows);

	if (strcmp(screen, expected) != 0)
		fail_msg("this is shown:\n%s", screen);
	free(screen);
}

static void assert_fixture(
	struct scene *scene, unsigned int cols, unsigned int rows, const char *name)
{
	char *expected = NULL, *screen;
	char path[128];

	snprintf(path, sizeof(path), FIXTURES "/%s-%ux%u.txt", name, cols, rows);
	screen = screen_of(scene, cols, rows);
	/* Without the last newline. */
	if (file_read_all_at(AT_FDCWD, path, 100000, &expected))
		fail_msg("there is no %s; this is shown:\n%s", path, screen);
	assert_int_equal(strlen(screen), strlen(expected) + 1);
	screen[strlen(expected)] = '\0';
	if (strcmp(screen, expected) != 0)
		fail_msg("not as in %s; this is shown:\n%s", path, screen);
	free(screen);
	free(expected);
}

static void test_8_cpus_at_80x24(void **state)
{
	struct scene scene;

	(void)state;
	small(&scene);
	assert_screen(&scene, 80, 24,
		"cpuwarden top  host1  6.12.0                      22:15:02  2.0 s  by violations\n"
		"observer running: 1000 switches/s, 0 events lost\n"
		"violations 2.5/s 1.5ms/s on 1 CPU: user 2.5; settling 1.5/s; interference 0.5/s\n"
		"CPUs . housekeeping + shared = reserved ~ settling ! violation - offline\n"
		"n0 c0 |0.               4.              |1!db-of-the-a~/0 5=db-of-the-acc~\n"
		"n1 c2 |2=web?[31m1/0    6~web?[31m1/1   |3+\n"
		"off   |7-\n"
		"WHO INTRUDES        TID  CPU VM                    VCPU CAUSE        AGO  LENGTH\n"
		"bad?guy             777    1 db-of-the-accounting     0 user         now   2.0ms\n"
		"other               777    6 web?[31m1                1 kthread    500ms   2.0ms\n"
		"   VM          STATE    CPUS           RUN%   WAIT99 FOREIGN/s OFFSET/s   TIME/s\n"
		">a db-of-the-~ placed   1,5             0.0        -       2.5        0    1.5ms\n"
		" b web?[31m1   degraded 2,6            50.0   <8.2us         0        0        0\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"q quit  Enter VM  s sort  r reverse  p pause  +- delay  [] map  h help\n");
	scene_deinit(&scene);
}

static void test_a_vm_at_80x24(void **state)
{
	struct scene scene;

	(void)state;
	small(&scene);
	scene.state.in_vm = true;
	strcpy(scene.state.selected, scene.now.vms[1].name);
	assert_screen(&scene, 80, 24,
		"cpuwarden top  host1  6.12.0                      22:15:02  2.0 s  by violations\n"
		"observer running: 1000 switches/s, 0 events lost\n"
		"violations 2.5/s 1.5ms/s on 1 CPU: user 2.5; settling 1.5/s; interference 0.5/s\n"
		"CPUs . housekeeping + shared = reserved ~ settling ! violation - offline\n"
		"n0 c0 |0.               4.              |1!db-of-the-a~/0 5=db-of-the-acc~\n"
		"n1 c2 |2=web?[31m1/0    6~web?[31m1/1   |3+\n"
		"off   |7-\n"
		"WHO INTRUDES        TID  CPU VM                    VCPU CAUSE        AGO  LENGTH\n"
		"other               777    6 web?[31m1                1 kthread    500ms   2.0ms\n"
		"web?[31m1: degraded, pid 2000, CPUs 2,6, violations 0/s 0/s: CPU 6 is not? its ~\n"
		"  VCPU     TID  CPU SET           RUN%   WAIT  WAIT50  WAIT99 FOREIGN/s OFFSET/s\n"
		"> 0       2001    2 2              0.0      -       -       -         0        0\n"
		"  1       2002    6 6             50.0  5.0us  <8.2us  <8.2us         0        0\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"\n"
		"q quit  Esc back  s sort  r reverse  p pause  +- delay  [] map  h help\n");
	scene_deinit(&scene);
}

static void test_8_cpus_at_200x60(void **state)
{
	struct scene scene;

	(void)state;
	small(&scene);
	assert_fixture(&scene, 200, 60, "unit-8");
	scene_deinit(&scene);
}

static void test_256_cpus(void **state)
{
	struct scene scene;

	(void)state;
	big(&scene);
	assert_fixture(&scene, 80, 24, "unit-256");
	assert_fixture(&scene, 200, 60, "unit-256");
	scene_deinit(&scene);
}

static void test_rows_of_the_map_are_of_64(void **state)
{
	struct scene scene;
	char *screen;

	(void)state;
	big(&scene);
	screen = screen_of(&scene, 120, 24);
	assert_non_null(strstr(screen, "\nn0 c32  "));
	free(screen);
	screen = screen_of(&scene, 70, 24);
	assert_non_null(strstr(screen, "\nn0 c28  "));
	free(screen);
	scene_deinit(&scene);
}

/* Nothing is drawn outside, whatever the size, and whatever is shown. */
static void test_any_size(void **state)
{
	static const unsigned int sizes[] = {0, 1, 2, 3, 4, 5, 7, 11, 19, 23, 79};
	struct scene scene;

	(void)state;
	for (int which = 0; which < 4; which++) {
		if (which % 2)
			big(&scene);
		else
			small(&scene);
		scene.state.in_vm = which / 2;
		strcpy(scene.state.selected, scene.now.vms[0].name);
		for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
			for (size_t j = 0; j < N_ELEMENTS(sizes); j++)
				free(screen_of(&scene, sizes[i] + 1, sizes[j]));
		scene_deinit(&scene);
	}
}

static void test_without_anything(void **state)
{
	struct scene scene = {.state.delay_ms = 2000};

	(void)state;
	strcpy(scene.now.why.text, "it was not started");
	scene_look(&scene);
	assert_screen(&scene, 80, 10,
		"cpuwarden top                                     00:00:00  2.0 s  by violations\n"
		"observer absent: it was not started\n"
		"violations -\n"
		"CPUs . housekeeping + shared = reserved ~ settling ! violation - offline\n"
		"WHO INTRUDES        TID  CPU VM                    VCPU CAUSE        AGO  LENGTH\n"
		"not known\n"
		"   VM          STATE    CPUS           RUN%   WAIT99 FOREIGN/s OFFSET/s   TIME/s\n"
		"no VM is running\n"
		"\n"
		"q quit  Enter VM  s sort  r reverse  p pause  +- delay  [] map  h help\n");
	scene_deinit(&scene);
}

static void test_looks(void **state)
{
	struct scene scene;
	struct grid grid;

	(void)state;
	small(&scene);
	assert_int_equal(grid_init(24, 80, &grid), 0);
	top_draw(&scene.view, &scene.state, &grid);
	/* The cells of CPUs 0 (nobody's), 5 and 1. */
	assert_int_equal(grid.cells[4 * 80 + 8].look, LOOK_PLAIN);
	assert_int_equal(grid.cells[4 * 80 + 58].look, LOOK_GOOD);
	assert_int_equal(grid.cells[4 * 80 + 42].look, LOOK_ALARM);
	grid_deinit(&grid);
	scene_deinit(&scene);
}

static void test_rates_and_times(void **state)
{
	static const struct {
		double rate;
		const char *text;
	} rates[] = {{0, "0"}, {0.01, "<0.1"}, {0.05, "0.1"}, {99.94, "99.9"},
		{99.96, "100"}, {9999, "9999"}, {10000, "10k"}, {9999999, "10000k"},
		{1.5e7, "15M"}};
	static const struct {
		uint64_t ns;
		const char *text;
	} times[] = {{0, "0"}, {999, "999ns"}, {1500, "1.5us"}, {33000, "33us"},
		{9990000, "10ms"}, {SECOND, "1.0s"}, {599 * SECOND, "599s"},
		{600 * SECOND, "10m"}, {36000 * SECOND, "10h"},
		{96 * 3600 * SECOND, "4.0d"}};
	char text[TOP_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rates); i++) {
		top_rate(rates[i].rate, text);
		assert_string_equal(text, rates[i].text);
	}
	for (size_t i = 0; i < N_ELEMENTS(times); i++) {
		top_time(times[i].ns, text);
		assert_string_equal(text, times[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_8_cpus_at_80x24),
		cmocka_unit_test(test_a_vm_at_80x24),
		cmocka_unit_test(test_8_cpus_at_200x60),
		cmocka_unit_test(test_256_cpus),
		cmocka_unit_test(test_rows_of_the_map_are_of_64),
		cmocka_unit_test(test_any_size),
		cmocka_unit_test(test_without_anything),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_rates_and_times),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
