// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The input is read as cpuwarden.conf, then as a VM's file in /etc and in /run. What is
 * taken must keep the promises of model/policy.h; what is refused must have a sentence
 * that begins with the file's name.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/store/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Folders below top: with a cpuwarden.conf, with a vms.d, and one that is not there. */
static char top[64], host_dir[80], vm_dir[80], none_dir[80];
static char host_file[128], vm_file[128];

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void remove_top(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	(void)!system(command);
}

/* In memory where there is such a file system: each run writes two files. */
static void enter_top(void)
{
	snprintf(top, sizeof(top), "%s/cpuwarden-fuzz-XXXXXX",
		access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	require(mkdtemp(top));
	snprintf(host_dir, sizeof(host_dir), "%s/host", top);
	snprintf(none_dir, sizeof(none_dir), "%s/none", top);
	snprintf(vm_dir, sizeof(vm_dir), "%s/vm", top);
	require(!mkdir(host_dir, 0700) && !mkdir(vm_dir, 0700));
	snprintf(vm_file, sizeof(vm_file), "%s/vms.d", vm_dir);
	require(!mkdir(vm_file, 0700));
	snprintf(host_file, sizeof(host_file), "%s/cpuwarden.conf", host_dir);
	snprintf(vm_file, sizeof(vm_file), "%s/vms.d/a.conf", vm_dir);
	atexit(remove_top);
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
}

static void check_pins(
	const struct pin *pins, size_t n_pins, const struct cpuset *present)
{
	for (size_t i = 0; i < n_pins; i++) {
		require(!i || pins[i - 1].index < pins[i].index);
		require(!cpuset_empty(&pins[i].cpus) &&
			cpuset_subset(&pins[i].cpus, present));
	}
}

static bool is_text(const char *text, size_t size)
{
	return *text && memchr(text, '\0', size);
}

static void check_policy(const struct policy *policy, const struct cpuset *present)
{
	require((policy->emulator == PLACE_LIST) ==
		!cpuset_empty(&policy->emulator_cpus));
	require((policy->iothreads == PLACE_LIST) ==
		!cpuset_empty(&policy->iothread_cpus));
	require(cpuset_subset(&policy->emulator_cpus, present) &&
		cpuset_subset(&policy->iothread_cpus, present));
	require(policy->emulator != PLACE_EMULATOR);
	require(is_text(policy->class, sizeof(policy->class)));
	require(policy_kind_name(policy->kind) && partition_name(policy->partition));
}

static void check_classes(const struct config *config, const struct cpuset *present)
{
	for (size_t i = 0; i < config->n_classes; i++) {
		const struct vm_class *class = &config->classes[i];

		require(is_text(class->name, sizeof(class->name)) &&
			!strchr(class->name, '/'));
		require(!i || strcmp(config->classes[i - 1].name, class->name) < 0);
		require(class->overcommit >= OVERCOMMIT_UNIT &&
			class->overcommit <= OVERCOMMIT_MAX * OVERCOMMIT_UNIT);
		require(class->has_cpus == !cpuset_empty(&class->cpus));
		require(cpuset_subset(&class->cpus, present));
	}
}

/* Only the keys that are given mean something. */
static void check_patterns(const struct config *config, const struct cpuset *present)
{
	for (size_t i = 0; i < config->n_patterns; i++) {
		const struct pattern *pattern = &config->patterns[i];

		require(is_text(pattern->glob, sizeof(pattern->glob)));
		require(pattern->given < 2 * POLICY_KEY_MEMORY);
		if (pattern->given & POLICY_KEY_EMULATOR)
			require((pattern->policy.emulator == PLACE_LIST) ==
				!cpuset_empty(&pattern->policy.emulator_cpus));
		if (pattern->given & POLICY_KEY_IOTHREADS)
			require((pattern->policy.iothreads == PLACE_LIST) ==
				!cpuset_empty(&pattern->policy.iothread_cpus));
		if (pattern->given & POLICY_KEY_CLASS)
			require(is_text(
				pattern->policy.class, sizeof(pattern->policy.class)));
		require(cpuset_subset(&pattern->policy.emulator_cpus, present) &&
			cpuset_subset(&pattern->policy.iothread_cpus, present));
	}
}

static void check_config(const struct config *config, const struct cpuset *present)
{
	struct policy policy;

	require(config->has_housekeeping == !cpuset_empty(&config->housekeeping));
	require(config->has_reserved == !cpuset_empty(&config->reserved));
	require(!cpuset_intersects(&config->housekeeping, &config->reserved));
	require(cpuset_subset(&config->housekeeping, present) &&
		cpuset_subset(&config->reserved, present));
	require(memchr(config->listen, '\0', sizeof(config->listen)));
	check_policy(&config->defaults, present);
	check_classes(config, present);
	check_patterns(config, present);
	for (size_t i = 0; i < config->n_vms; i++) {
		const struct vm_policy *vm = &config->vms[i];

		check_policy(&vm->policy, present);
		check_pins(vm->vcpu_pins, vm->n_vcpu_pins, present);
		check_pins(vm->iothread_pins, vm->n_iothread_pins, present);
	}
	/* What patterns make of the defaults is a policy, too. */
	config_policy(config, "web1", &policy);
	check_policy(&policy, present);
}

/* Whether it was taken. */
static bool check_dirs(const char *etc, const char *run, size_t n_vms, const char *path)
{
	const struct config_source source = {.etc_dir = etc, .run_dir = run};
	const struct cpuset present = {{0xff}};
	struct problem problem = {""};
	struct config config;

	if (config_read(&source, &present, &config, &problem)) {
		require(!strncmp(problem.text, path, strlen(path)));
		return false;
	}
	require(!*problem.text && config.n_vms == n_vms);
	check_config(&config, &present);
	config_deinit(&config);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!*top)
		enter_top();
	write_file(host_file, data, size);
	check_dirs(host_dir, none_dir, 0, host_file);
	write_file(vm_file, data, size);
	/* Over itself a file changes nothing, so it is taken by both or by neither. */
	if (check_dirs(vm_dir, none_dir, 1, vm_file))
		require(check_dirs(vm_dir, vm_dir, 1, vm_file));
	else
		require(!check_dirs(none_dir, vm_dir, 1, vm_file));
	return 0;
}
