// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/build_scene.h"

static void test_keys(void **state)
{
	struct scene scene;
	struct top_state *at = &scene.state;

	(void)state;
	big(&scene);
	/* Who has violations is first, VM and vCPU (2, 0, 1, 3). */
	PRESS(&scene, TOP_ENTER);
	assert_true(at->in_vm);
	assert_string_equal(at->selected, "vm03");
	PRESS(&scene, TOP_DOWN, TOP_DOWN);
	assert_int_equal(at->selected_vcpu, 1);
	PRESS(&scene, TOP_END, TOP_DOWN);
	assert_int_equal(at->selected_vcpu, 3);
	PRESS(&scene, TOP_BACK, 'n');
	assert_false(at->in_vm);
	assert_int_equal(at->key, VIEW_BY_NAME);
	/* The selected one stays, wherever it is now. */
	assert_string_equal(at->selected, "vm03");
	PRESS(&scene, TOP_END);
	assert_string_equal(at->selected, "vm63");
	assert_int_equal(at->table_first, 64 - at->page);
	PRESS(&scene, 'j', 'k');
	assert_string_equal(at->selected, "vm62");
	PRESS(&scene, 'r');
	assert_int_equal(at->table_first, 1);
	PRESS(&scene, TOP_UP, TOP_UP, TOP_UP);
	assert_string_equal(at->selected, "vm63");
	assert_int_equal(at->table_first, 0);
	PRESS(&scene, TOP_PAGE_DOWN);
	assert_int_not_equal(at->table_first + at->page, 0);
	PRESS(&scene, TOP_HOME);
	assert_string_equal(at->selected, "vm63");
	PRESS(&scene, 's', 's');
	assert_int_equal(at->key, VIEW_BY_WAITS);
	PRESS(&scene, '+', '+', '+', '+', '+', '+', '+');
	assert_int_equal(at->delay_ms, 125);
	PRESS(&scene, '-', 'p');
	assert_int_equal(at->delay_ms, 250);
	assert_true(at->paused);
	/* Any key leads back from the help, and does nothing else. */
	PRESS(&scene, 'h', 'p');
	assert_true(at->paused);
	PRESS(&scene, ' ', 'c', ',', '.');
	assert_false(at->paused);
	assert_true(at->colour);
	PRESS(&scene, 'h', 'q');
	assert_true(at->quit);
	scene_deinit(&scene);
}

static void test_the_selected_vm_ends(void **state)
{
	struct scene scene;

	(void)state;
	small(&scene);
	scene.state.in_vm = true;
	strcpy(scene.state.selected, "gone");
	free(screen_of(&scene, 80, 24));
	assert_false(scene.state.in_vm);
	PRESS(&scene, TOP_DOWN);
	assert_string_equal(scene.state.selected, scene.now.vms[1].name);
	scene_deinit(&scene);
}

static void test_the_map_scrolls(void **state)
{
	struct scene scene;
	char *screen;

	(void)state;
	big(&scene);
	for (int i = 0; i < 9; i++)
		top_press(&scene.view, &scene.state, ']');
	screen = screen_of(&scene, 80, 10);
	assert_non_null(strstr(screen, " 3-4/4\nn1 c64  "));
	assert_int_equal(scene.state.map_first, 2);
	free(screen);
	PRESS(&scene, '[', '[', '[');
	assert_int_equal(scene.state.map_first, 0);
	scene_deinit(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_the_selected_vm_ends),
		cmocka_unit_test(test_the_map_scrolls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
