/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * For tests of what is read from configuration files: each test has an empty etc/ and
 * run/ in a working directory of its own, and a host with CPUs 0-7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/cpu_lists.h"
#include "tests/unit/scratch.h"
#include "tests/unit/write_file.h"
#include "user/base/cleanup.h"
#include "user/store/config.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))
#define HOST "etc/cpuwarden.conf"
#define VM "etc/vms.d/web1.conf"
#define VM_RUN "run/vms.d/web1.conf"

static char dir[64];
static struct config config;
static struct problem problem;

static inline int enter(void **state)
{
	static unsigned int n;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/%u", scratch, n++);
	config_init(&config);
	memset(&problem, 0, sizeof(problem));
	return mkdir(dir, 0755) || chdir(dir) || mkdir("etc", 0755) ||
	       mkdir("etc/vms.d", 0755) || mkdir("run", 0755) || mkdir("run/vms.d", 0755);
}

static inline int leave(void **state)
{
	(void)state;
	config_deinit(&config);
	return 0;
}

static inline int read_config(void)
{
	const struct config_source source = {.etc_dir = "etc", .run_dir = "run"};
	struct cpuset present = cpus("0-7");

	config_deinit(&config);
	return config_read(&source, &present, &config, &problem);
}

static inline void expect_ok(void)
{
	if (read_config())
		fail_msg("%s", problem.text);
}

#define config_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)
