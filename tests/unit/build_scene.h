/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What `top` is to show, and what it shows. */
#include "tests/unit/build_sample.h"
#include "user/cli/top_screen.h"

struct scene {
	struct sample before, now;
	struct view view;
	struct top_state state;
};

static inline void both(
	struct scene *scene, const char *name, unsigned int core, unsigned int n)
{
	sample_add_vm(&scene->before, name, core, n);
	sample_add_vm(&scene->now, name, core, n);
}

static inline void scene_init(struct scene *scene, unsigned int cores)
{
	memset(scene, 0, sizeof(*scene));
	sample_init(&scene->before, 100, 2, cores);
	sample_init(&scene->now, 102, 2, cores);
	scene->state.delay_ms = 2000;
	scene->state.selected_vcpu = -1;
}

static inline void scene_look(struct scene *scene)
{
	view_deinit(&scene->view);
	scene->view = view_of(&scene->before, &scene->now);
}

static inline void scene_deinit(struct scene *scene)
{
	view_deinit(&scene->view);
	sample_deinit(&scene->before);
	sample_deinit(&scene->now);
}

/* 8 CPUs: one of each kind. */
static inline void small(struct scene *scene)
{
	struct sample *now = &scene->now;
	struct thread_tally *vcpu;

	scene_init(scene, 4);
	both(scene, "db-of-the-accounting", 1, 1);
	both(scene, "web\x1b[31m1", 2, 1);
	now->cpus[7].online = false;
	now->cpus[7].node = now->cpus[7].core = TOPOLOGY_UNKNOWN;
	now->cpus[3].shared = true;
	now->cpus[5].vcpu = -1;
	now->cpus[1].tally.foreign[CAUSED_BY_USER] = (struct tally){5, 3000000};
	now->vms[0].foreign[CAUSED_BY_USER] = (struct tally){5, 3000000};
	now->cpus[6].tally.settling = (struct tally){3, 3000};
	now->cpus[2].tally.bound_kthread = (struct tally){1, 3000};
	vcpu = &now->vms[1].vcpus[1].tally;
	vcpu->run_ns = SECOND;
	vcpu->waits[3] = 10;
	vcpu->wait_ns = 50000;
	strcpy(now->vms[1].state, "degraded");
	now->vms[1].reason = strdup("CPU 6 is not\n its own");
	sample_add_culprit(now, "bad\tguy", 1, "db-of-the-accounting", true);
	sample_add_culprit(now, "other", 6, "web\x1b[31m1", false)->cause =
		CAUSED_BY_KTHREAD;
	now->culprits[1].tgid = 12345;
	scene_look(scene);
}

/* 256 CPUs, 64 VMs with two cores each but for the last ones. */
static inline void big(struct scene *scene)
{
	char name[64];

	scene_init(scene, 128);
	for (unsigned int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "vm%02u%s", i,
			i % 8 ? "" : "-with-a-name-that-is-longer-than-a-column");
		both(scene, name, i < 62 ? 2 + 2 * i : 64 + i, i < 62 ? 2 : 1);
	}
	scene->now.cpus[9].tally.foreign[CAUSED_BY_USER] = (struct tally){7, 7000000};
	scene->now.vms[3].foreign[CAUSED_BY_USER] = (struct tally){7, 7000000};
	scene->now.cpus[200].tally.settling = (struct tally){1, 1};
	scene_look(scene);
}

/* The caller frees. */
static inline char *screen_of(struct scene *scene, unsigned int cols, unsigned int rows)
{
	char *all = must(calloc(rows + 1, cols + 2));
	char *line = must(malloc(cols + 1));
	struct grid grid;

	assert_int_equal(grid_init(rows, cols, &grid), 0);
	top_draw(&scene->view, &scene->state, &grid);
	for (unsigned int row = 0; row < rows; row++) {
		grid_row(&grid, row, line);
		strcat(strcat(all, line), "\n");
	}
	grid_deinit(&grid);
	free(line);
	return all;
}

static inline void press(struct scene *scene, const int *keys)
{
	for (; *keys; keys++) {
		top_press(&scene->view, &scene->state, *keys);
		free(screen_of(scene, 80, 24));
	}
}
#define PRESS(scene, ...) press(scene, (const int[]){__VA_ARGS__, 0})
