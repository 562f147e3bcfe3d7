// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/found_json.h"

#include <errno.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/store/json_file.h"

static int cpus_of(struct json_object *json, struct cpuset *ret_cpus)
{
	const char *list = json_string(json);

	return list ? cpulist_parse_kernel(list, ret_cpus) : -EINVAL;
}

static struct json_object *thread_to_json(const struct found_thread *thread)
{
	cleanup_free char *affinity = cpulist_format(&thread->affinity);
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "pid", json_object_new_int(thread->pid));
	json_object_object_add(json, "tid", json_object_new_int(thread->tid));
	json_object_object_add(
		json, "start_time", json_object_new_uint64(thread->start_time));
	if (thread->kernel)
		json_object_object_add(json, "kernel", json_object_new_boolean(true));
	if (thread->cgroup)
		json_object_object_add(
			json, "cgroup", json_object_new_string(thread->cgroup));
	json_object_object_add(
		json, "affinity", json_object_new_string(affinity ? affinity : ""));
	return json;
}

static struct json_object *threads_to_json(const struct found_thread *threads, size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, thread_to_json(&threads[i]));
	return list;
}

static int thread_from_json(struct json_object *json, struct found_thread *thread)
{
	struct json_object *pid, *tid, *start, *affinity, *cgroup, *kernel;

	if (!json_object_object_get_ex(json, "pid", &pid) ||
		!json_object_object_get_ex(json, "tid", &tid) ||
		!json_object_object_get_ex(json, "start_time", &start) ||
		!json_object_object_get_ex(json, "affinity", &affinity))
		return -EINVAL;
	thread->pid = json_object_get_int(pid);
	thread->tid = json_object_get_int(tid);
	thread->start_time = json_object_get_uint64(start);
	if (thread->pid <= 0 || thread->tid <= 0)
		return -EINVAL;
	thread->kernel = json_object_object_get_ex(json, "kernel", &kernel);
	if (json_object_object_get_ex(json, "cgroup", &cgroup)) {
		if (!json_string(cgroup))
			return -EINVAL;
		thread->cgroup = strdup(json_string(cgroup));
		if (!thread->cgroup)
			return -ENOMEM;
	}
	return cpus_of(affinity, &thread->affinity);
}

static int threads_from_json(struct json_object *json, const char *key,
	struct found_thread **threads, size_t *n_threads)
{
	struct json_object *list;
	int r = 0;

	if (!json_object_object_get_ex(json, key, &list) ||
		!json_object_is_type(list, json_type_array))
		return -EINVAL;
	for (size_t i = 0; !r && i < json_object_array_length(list); i++) {
		struct found_thread *thread = array_push(threads, n_threads);

		r = thread ? thread_from_json(json_object_array_get_idx(list, i), thread)
			   : -ENOMEM;
	}
	return r;
}

static void add_cpus(struct json_object *json, const char *key, const struct cpuset *cpus)
{
	cleanup_free char *list = cpulist_format(cpus);

	json_object_object_add(json, key, json_object_new_string(list ? list : ""));
}

static struct json_object *group_to_json(const struct found_group *group)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "path", json_object_new_string(group->path));
	json_object_object_add(json, "leaf", json_object_new_boolean(group->leaf));
	json_object_object_add(json, "partition",
		json_object_new_string(partition_name(group->partition)));
	add_cpus(json, "cpus", &group->cpus);
	add_cpus(json, "exclusive", &group->exclusive);
	if (group->set) {
		add_cpus(json, "written", &group->written);
		add_cpus(json, "earlier", &group->earlier);
	}
	return json;
}

static int partition_of(struct json_object *json, enum partition *ret_partition)
{
	const char *name = json_string(json);

	for (int kind = PARTITION_MEMBER; name && kind <= PARTITION_ISOLATED; kind++)
		if (!strcmp(name, partition_name((enum partition)kind))) {
			*ret_partition = (enum partition)kind;
			return 0;
		}
	return -EINVAL;
}

static int group_from_json(struct json_object *json, struct found_group *group)
{
	struct json_object *path, *leaf, *partition, *cpus, *exclusive, *written,
		*earlier;
	int r;

	if (!json_object_object_get_ex(json, "path", &path) || !json_string(path) ||
		!json_object_object_get_ex(json, "leaf", &leaf) ||
		!json_object_object_get_ex(json, "partition", &partition) ||
		!json_object_object_get_ex(json, "cpus", &cpus) ||
		!json_object_object_get_ex(json, "exclusive", &exclusive))
		return -EINVAL;
	group->path = strdup(json_string(path));
	if (!group->path)
		return -ENOMEM;
	group->leaf = json_object_get_boolean(leaf);
	group->set = json_object_object_get_ex(json, "written", &written);
	r = partition_of(partition, &group->partition);
	if (!r)
		r = cpus_of(cpus, &group->cpus);
	if (!r)
		r = cpus_of(exclusive, &group->exclusive);
	if (!r && group->set)
		r = cpus_of(written, &group->written);
	if (!r && group->set)
		r = json_object_object_get_ex(json, "earlier", &earlier)
			    ? cpus_of(earlier, &group->earlier)
			    : -EINVAL;
	return r;
}

/* Only VMs in libvirt's groups have any. */
static int groups_from_json(struct json_object *json, struct found_vm *found)
{
	struct json_object *list, *claimed;
	int r;

	if (!json_object_object_get_ex(json, "groups", &list))
		return 0;
	if (!json_object_is_type(list, json_type_array) ||
		!json_object_object_get_ex(json, "claimed", &claimed))
		return -EINVAL;
	r = cpus_of(claimed, &found->claimed);
	for (size_t i = 0; !r && i < json_object_array_length(list); i++) {
		struct found_group *group = array_push(&found->groups, &found->n_groups);

		r = group ? group_from_json(json_object_array_get_idx(list, i), group)
			  : -ENOMEM;
	}
	return r;
}

struct json_object *found_vm_to_json(const struct found_vm *found)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "schema", json_object_new_string(FOUND_VM_SCHEMA));
	json_object_object_add(json, "name", json_object_new_string(found->name));
	json_object_object_add(json, "pid", json_object_new_int(found->pid));
	json_object_object_add(
		json, "start_time", json_object_new_uint64(found->start_time));
	json_object_object_add(
		json, "threads", threads_to_json(found->threads, found->n_threads));
	if (found->n_groups) {
		struct json_object *list = json_object_new_array();

		for (size_t i = 0; i < found->n_groups; i++)
			json_object_array_add(list, group_to_json(&found->groups[i]));
		json_object_object_add(json, "groups", list);
		add_cpus(json, "claimed", &found->claimed);
	}
	return json;
}

int found_vm_from_json(struct json_object *json, const char *name,
	struct found_vm *ret_found, struct problem *problem)
{
	struct json_object *pid, *start;
	struct found_vm found = {};
	int r;

	if (!json_object_object_get_ex(json, "pid", &pid) ||
		!json_object_object_get_ex(json, "start_time", &start))
		return problem_set(
			problem, -EINVAL, "the record of VM %s is incomplete", name);
	snprintf(found.name, sizeof(found.name), "%s", name);
	found.pid = json_object_get_int(pid);
	found.start_time = json_object_get_uint64(start);
	r = threads_from_json(json, "threads", &found.threads, &found.n_threads);
	if (!r)
		r = groups_from_json(json, &found);
	if (!r && !found_vm_thread(&found, found.pid, found.start_time))
		r = -EINVAL;
	if (r) {
		found_vm_deinit(&found);
		return problem_set(problem, r, "the record of VM %s is damaged", name);
	}
	*ret_found = found;
	return 0;
}

struct json_object *found_host_to_json(const struct found_host *found)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "schema", json_object_new_string(FOUND_HOST_SCHEMA));
	json_object_object_add(
		json, "cpuset_given", json_object_new_boolean(found->cpuset_given));
	json_object_object_add(
		json, "bound", threads_to_json(found->bound, found->n_bound));
	if (found->has_workqueues)
		add_cpus(json, "workqueues", &found->workqueues);
	return json;
}

int found_host_from_json(
	struct json_object *json, struct found_host *ret_found, struct problem *problem)
{
	struct found_host found = {};
	struct json_object *given, *workqueues;
	int r;

	r = json_object_object_get_ex(json, "cpuset_given", &given) ? 0 : -EINVAL;
	if (!r)
		found.cpuset_given = json_object_get_boolean(given);
	found.has_workqueues = json_object_object_get_ex(json, "workqueues", &workqueues);
	if (!r && found.has_workqueues)
		r = cpus_of(workqueues, &found.workqueues);
	if (!r)
		r = threads_from_json(json, "bound", &found.bound, &found.n_bound);
	if (r) {
		found_host_deinit(&found);
		return problem_set(problem, r, "the record of the host is damaged");
	}
	*ret_found = found;
	return 0;
}
