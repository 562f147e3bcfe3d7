// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What libcgroup does and where it is not used, by experiment with 2.0.2 on v2: it
 * reports most failures as ECGROUPVALUENOTEXIST and keeps the errno of a write only,
 * never writes an empty string, and moves the tasks of a group that it deletes unless
 * told not to. So every value is read back, and what needs an exact errno or an empty
 * value is written by group_write().
 */
#include "cgroups/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "cgroups/files.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/model/cpulist.h"

static void keep_silent(void *data, int level, const char *format, va_list args)
{
	(void)data, (void)level, (void)format, (void)args;
}

/* The errno behind a result of libcgroup, -EIO where it kept none. */
static int to_errno(int result)
{
	int last = result == ECGOTHER ? cgroup_get_last_errno() : 0;

	if (last)
		return -last;
	switch (result) {
	case ECGROUPNOTALLOWED:
	case ECGROUPNOTOWNER:
		return -EACCES;
	case ECGROUPNOTEXIST:
	case ECGROUPVALUENOTEXIST:
		return -ENOENT;
	case ECGNONEMPTY:
		return -EBUSY;
	default:
		return -EIO;
	}
}

static int no_hierarchy(struct problem *problem)
{
	return problem_set(problem, -EOPNOTSUPP,
		"the cpuset controller is not on cgroup v2: boot with "
		"systemd.unified_cgroup_hierarchy=1 (without systemd: mount -t cgroup2 none "
		"/sys/fs/cgroup, and no cgroup v1)");
}

int hierarchy_open(struct hierarchy *ret_hierarchy, struct problem *problem)
{
	struct hierarchy hierarchy = {.root = -1};
	cleanup_free char *mount = NULL;
	cleanup_close int root = -1;
	char controllers[1024];
	struct statfs fs;
	ssize_t n;
	int result;

	cgroup_set_logger(keep_silent, CGROUP_LOG_ERROR, NULL);
	result = cgroup_init();
	if (result == ECGOTHER)
		return problem_set(problem, to_errno(result),
			"cannot look for the cgroup hierarchies: %s",
			strerror(-to_errno(result)));
	if (result || cgroup_get_subsys_mount_point("cpuset", &mount))
		return no_hierarchy(problem);
	if (snprintf(hierarchy.mount, sizeof(hierarchy.mount), "%s", mount) >=
		(int)sizeof(hierarchy.mount))
		return problem_set(
			problem, -ENAMETOOLONG, "the cgroup mount's path is too long");
	root = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fstatfs(root, &fs) < 0)
		return problem_set(
			problem, -errno, "cannot open %s: %s", mount, strerror(errno));
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return no_hierarchy(problem);
	n = file_read_at(root, "cgroup.controllers", controllers, sizeof(controllers));
	if (n < 0)
		return problem_set(problem, (int)n,
			"cannot read %s/cgroup.controllers: %s", mount,
			strerror((int)-n));
	if (!strstr(controllers, "cpuset"))
		return no_hierarchy(problem);
	hierarchy.root = take_fd(&root);
	*ret_hierarchy = hierarchy;
	return 0;
}

void hierarchy_close(struct hierarchy *hierarchy)
{
	if (hierarchy->root >= 0)
		close(hierarchy->root);
	hierarchy->root = -1;
}

static void free_cgroup(struct cgroup **cgroup)
{
	cgroup_free(cgroup);
}
#define cleanup_cgroup __attribute__((cleanup(free_cgroup)))

/* libcgroup's picture of a group with the cpuset controller. */
static struct cgroup *new_cgroup(
	const char *path, struct cgroup_controller **ret_controller)
{
	struct cgroup *cgroup = cgroup_new_cgroup(path);
	struct cgroup_controller *controller =
		cgroup ? cgroup_add_controller(cgroup, "cpuset") : NULL;

	if (!controller) {
		cgroup_free(&cgroup);
		return NULL;
	}
	*ret_controller = controller;
	return cgroup;
}

/* 1: it is there, 0: it is not, a negative errno: it cannot be told. */
static int exists(const struct hierarchy *hierarchy, const char *path)
{
	if (!faccessat(hierarchy->root, *path ? path : ".", F_OK, AT_SYMLINK_NOFOLLOW))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int cannot_look(const char *path, int r, struct problem *problem)
{
	return problem_set(
		problem, r, "cannot look at the cgroup /%s: %s", path, strerror(-r));
}

int group_make(
	const struct hierarchy *hierarchy, const char *path, struct problem *problem)
{
	struct cgroup_controller *controller;
	cleanup_cgroup struct cgroup *cgroup = NULL;
	int result, r = exists(hierarchy, path);

	if (r)
		return r > 0 ? 0 : cannot_look(path, r, problem);
	cgroup = new_cgroup(path, &controller);
	if (!cgroup)
		return problem_nomem(problem);
	result = cgroup_create_cgroup(cgroup, 1);
	r = result ? 0 : exists(hierarchy, path);
	if (r < 0)
		return cannot_look(path, r, problem);
	if (!r)
		return problem_set(problem, to_errno(result),
			"cannot make the cgroup /%s: %s", path,
			result == ECGOTHER ? strerror(cgroup_get_last_errno())
					   : cgroup_strerror(result));
	return 0;
}

int group_make_threaded(
	const struct hierarchy *hierarchy, const char *path, struct problem *problem)
{
	int r = group_write(hierarchy, path, "cgroup.type", "threaded");

	return r ? problem_set(
			   problem, r, "cannot make /%s threaded: %s", path, strerror(-r))
		 : 0;
}

int group_remove(
	const struct hierarchy *hierarchy, const char *path, struct problem *problem)
{
	struct cgroup_controller *controller;
	cleanup_cgroup struct cgroup *cgroup = NULL;
	int result, r = exists(hierarchy, path);

	if (r <= 0)
		return r ? cannot_look(path, r, problem) : 0;
	cgroup = new_cgroup(path, &controller);
	if (!cgroup)
		return problem_nomem(problem);
	result = cgroup_delete_cgroup_ext(cgroup, CGFLAG_DELETE_EMPTY_ONLY);
	r = exists(hierarchy, path);
	if (r <= 0)
		return r ? cannot_look(path, r, problem) : 0;
	return problem_set(problem, result ? to_errno(result) : -EBUSY,
		"cannot remove the cgroup /%s: it is in use", path);
}

int group_give_cpuset(const struct hierarchy *hierarchy, const char *path, bool give,
	struct problem *problem)
{
	int r = group_write(
		hierarchy, path, "cgroup.subtree_control", give ? "+cpuset" : "-cpuset");

	return r ? problem_set(problem, r,
			   "cannot %s cpuset in /%s%scgroup.subtree_control: %s",
			   give ? "enable" : "disable", path, *path ? "/" : "",
			   strerror(-r))
		 : 0;
}

/* Sets a value of a group by libcgroup, which says of each file that it could not open
 * that it is not there. */
static int set_value(const struct hierarchy *hierarchy, const char *path,
	const char *file, const char *value)
{
	struct cgroup_controller *controller;
	cleanup_cgroup struct cgroup *cgroup = new_cgroup(path, &controller);
	int result;

	if (!cgroup)
		return -ENOMEM;
	result = cgroup_set_value_string(controller, file, value);
	if (!result)
		result = cgroup_modify_cgroup(cgroup);
	if (result == ECGROUPVALUENOTEXIST) {
		char name[PATH_MAX];

		snprintf(name, sizeof(name), "%s/%s", path, file);
		return faccessat(hierarchy->root, name, W_OK, 0) ? -errno : -EIO;
	}
	return result ? to_errno(result) : 0;
}

/* Sets one of a group's lists, and reads the group back. */
static int set_list(const struct hierarchy *hierarchy, const char *path, const char *file,
	const struct cpuset *cpus, struct group *ret_group, struct problem *problem)
{
	cleanup_free char *list = cpulist_format(cpus);
	int r;

	if (!list)
		return problem_nomem(problem);
	/* A zero-length write is no write: the newline is what clears. */
	if (!*list && !strcmp(file, "cpuset.cpus"))
		r = group_clear_cpus(hierarchy, path);
	else if (!*list)
		r = group_write(hierarchy, path, file, "\n");
	else
		r = set_value(hierarchy, path, file, list);
	if (r)
		return problem_set(problem, r, "cannot set %s of /%s to %s: %s", file,
			path, *list ? list : "nothing", strerror(-r));
	return group_read(hierarchy, path, ret_group, problem);
}

int group_set_cpus(const struct hierarchy *hierarchy, const char *path,
	const struct cpuset *cpus, struct problem *problem)
{
	struct group group = {};
	int r = set_list(hierarchy, path, "cpuset.cpus", cpus, &group, problem);

	if (!r && !cpuset_equal(&group.cpus, cpus))
		r = problem_set(
			problem, -EIO, "the CPUs of /%s are not what was written", path);
	group_deinit(&group);
	return r;
}

int group_set_exclusive(const struct hierarchy *hierarchy, const char *path,
	const struct cpuset *cpus, struct problem *problem)
{
	struct group group = {};
	int r = set_list(hierarchy, path, "cpuset.cpus.exclusive", cpus, &group, problem);
	cleanup_free char *rival = NULL;

	if (r == -EINVAL)
		rival = group_rival(hierarchy, path, cpus);
	if (rival && problem) {
		struct problem said = *problem;

		problem_set(problem, r, "%s; /%s has some of them", said.text, rival);
	}

	if (!r && !cpuset_equal(&group.exclusive, cpus))
		r = problem_set(problem, -EIO,
			"the exclusive CPUs of /%s are not what was written", path);
	group_deinit(&group);
	return r;
}

int group_set_mems(const struct hierarchy *hierarchy, const char *path,
	const struct cpuset *mems, struct problem *problem)
{
	struct group group = {};
	int r = set_list(hierarchy, path, "cpuset.mems", mems, &group, problem);

	if (!r && !cpuset_equal(&group.mems, mems))
		r = problem_set(problem, -EIO,
			"the memory nodes of /%s are not what was written", path);
	group_deinit(&group);
	return r;
}

int group_set_partition(const struct hierarchy *hierarchy, const char *path,
	enum partition partition, struct problem *problem)
{
	int r = set_value(
		hierarchy, path, "cpuset.cpus.partition", partition_name(partition));
	struct group group = {};
	char state[REASON_SIZE + 32];

	if (!r)
		r = group_read(hierarchy, path, &group, problem);
	if (r)
		return problem_set(problem, r, "cannot make /%s a partition (%s): %s",
			path, partition_name(partition), strerror(-r));
	if (!group.partition.valid || group.partition.kind != partition) {
		cleanup_free char *rival = group_rival(hierarchy, path, &group.cpus);

		partition_state_format(&group.partition, state, sizeof(state));
		r = problem_set(problem, -EINVAL,
			"/%s should be %s, and the kernel says: %s%s%s%s", path,
			partition_name(partition), state, rival ? "; /" : "",
			rival ? rival : "", rival ? " has some of its CPUs" : "");
	}
	group_deinit(&group);
	return r;
}
