// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/features.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/file.h"
#include "user/base/text.h"

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static bool file_has_word(const char *path, const char *word)
{
	char text[1024];

	return file_read_at(AT_FDCWD, path, text, sizeof(text)) >= 0 &&
	       has_word(text, word);
}

size_t features_find(struct feature ret_features[FEATURES_MAX])
{
	size_t n = 0;

#define FEATURE(name_, found_, without_)      \
	ret_features[n++] = (struct feature){ \
		.name = (name_), .found = (found_), .without = (without_)}

	FEATURE("btf", exists("/sys/kernel/btf/vmlinux"), "the observer cannot run");
	FEATURE("cgroup2_cpuset",
		file_has_word("/sys/fs/cgroup/cgroup.controllers", "cpuset"),
		"VMs can only be watched; boot with systemd.unified_cgroup_hierarchy=1");
	FEATURE("cpuset_isolated_file", exists("/sys/fs/cgroup/cpuset.cpus.isolated"),
		"isolated CPUs are read from the groups");
	FEATURE("bpffs", exists("/sys/fs/bpf"), "the observer cannot be pinned");
	FEATURE("schedstat", exists("/proc/self/schedstat"),
		"run and wait times are zero");
#undef FEATURE
	return n;
}
