// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `cpus`: a row for each host CPU, or, with --tasks, one for each thread that was last
 * seen there. That is no violation: a thread that sleeps keeps its last CPU, even where
 * it may not run any more.
 */
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/cpu_role.h"
#include "user/host/tasks.h"
#include "user/model/cpulist.h"

struct view {
	struct cycle cycle;
	struct owners owners;
	struct cpuset shown;
	struct task *tasks; /* with --tasks */
	size_t n_tasks;
};

static int view_read(
	const struct request *request, struct view *view, struct problem *problem)
{
	const struct cpuset *present = &view->cycle.topology.present;
	const char *list = request->n_args ? request->args[0] : "all";
	int r;

	r = cycle_read(&request->folders, &view->cycle, problem);
	if (!r)
		r = cycle_owners(&view->cycle, &view->owners, problem);
	if (r)
		return r;
	if (!strcmp(list, "reserved"))
		view->shown = view->owners.reserved;
	else
		r = cpulist_parse(list, present, &view->shown, problem);
	if (!r && request->tasks)
		r = tasks_read(&view->tasks, &view->n_tasks, problem);
	return r;
}

static void view_deinit(struct view *view)
{
	free(view->tasks);
	owners_deinit(&view->owners);
	cycle_deinit(&view->cycle);
}

/* A task's VM, and which of its threads it is; *ret_thread is NULL for one that has only
 * just come. */
static const struct vm *vm_of(const struct view *view, const struct task *task,
	const struct vm_thread **ret_thread)
{
	const struct vms *vms = &view->cycle.vms;

	for (size_t i = 0; i < vms->n_items; i++)
		if (vms->items[i].pid == task->pid) {
			*ret_thread = vm_find_thread(&vms->items[i], task->tid);
			return &vms->items[i];
		}
	*ret_thread = NULL;
	return NULL;
}

static bool has_index(const struct vm_thread *thread)
{
	return thread->class == THREAD_VCPU || thread->class == THREAD_IOTHREAD;
}

/* JSON --------------------------------------------------------------------------------
 */

static void add_place(struct json_object *json, const char *key, uint16_t number)
{
	if (number == TOPOLOGY_UNKNOWN)
		json_object_object_add(json, key, NULL);
	else
		cli_json_number(json, key, number);
}

static struct json_object *task_json(const struct view *view, const struct task *task)
{
	struct json_object *json = json_object_new_object();
	const struct vm_thread *thread;
	const struct vm *vm = vm_of(view, task, &thread);
	char state[] = {task->state, '\0'};

	cli_json_number(json, "tid", (uint64_t)task->tid);
	cli_json_number(json, "pid", (uint64_t)task->pid);
	cli_json_string(json, "comm", task->comm);
	cli_json_string(json, "state", state);
	json_object_object_add(json, "kernel", json_object_new_boolean(task->kernel));
	json_object_object_add(json, "bound", json_object_new_boolean(task->bound));
	json_object_object_add(json, "allowed", json_object_new_boolean(task->allowed));
	cli_json_string(json, "vm", vm ? vm->name : NULL);
	cli_json_string(json, "class", thread ? thread_class_name(thread->class) : NULL);
	if (thread && has_index(thread))
		cli_json_number(json, "index", (uint64_t)thread->index);
	else
		json_object_object_add(json, "index", NULL);
	return json;
}

static struct json_object *owner_json(const struct owner *owner)
{
	struct json_object *json;

	if (!owner)
		return NULL;
	json = json_object_new_object();
	cli_json_string(json, "vm", owner->vm);
	if (owner->vcpu >= 0)
		cli_json_number(json, "vcpu", (uint64_t)owner->vcpu);
	else
		json_object_object_add(json, "vcpu", NULL);
	return json;
}

static struct json_object *cpu_json(const struct view *view, unsigned int cpu, bool tasks)
{
	const struct topology *topology = &view->cycle.topology;
	const struct cpu_place *place = &topology->places[cpu];
	struct cpu_membership membership = cpu_membership(&view->cycle, cpu);
	struct json_object *json = json_object_new_object(), *list;
	bool online = cpuset_has(&topology->online, cpu);
	struct cpuset siblings = topology_siblings(topology, cpu);

	cli_json_number(json, "cpu", cpu);
	json_object_object_add(json, "online", json_object_new_boolean(online));
	add_place(json, "node", place->node);
	add_place(json, "package", place->package);
	add_place(json, "cache", place->cache);
	add_place(json, "core", place->core);
	if (online)
		cli_json_cpus(json, "siblings", &siblings);
	else
		json_object_object_add(json, "siblings", NULL);
	json_object_object_add(
		json, "owner", owner_json(owners_find(&view->owners, cpu)));
	cli_json_string(json, "role", cpu_role(&view->cycle, &view->owners, cpu));
	cli_json_string(
		json, "partition", *membership.partition ? membership.partition : NULL);
	cli_json_string(json, "cgroup", membership.cgroup);
	if (!tasks)
		return json;
	list = json_object_new_array();
	for (size_t i = tasks_first_on(view->tasks, view->n_tasks, (int)cpu);
		i < view->n_tasks && view->tasks[i].last_cpu == (int)cpu; i++)
		json_object_array_add(list, task_json(view, &view->tasks[i]));
	json_object_object_add(json, "tasks", list);
	return json;
}

static void print_json(const struct request *request, const struct view *view)
{
	struct json_object *json = cli_json(request), *list = json_object_new_array();

	cpuset_for_each (cpu, &view->shown)
		json_object_array_add(
			list, cpu_json(view, (unsigned int)cpu, request->tasks));
	json_object_object_add(json, "cpus", list);
	cli_json_print(json);
}

/* Tables ------------------------------------------------------------------------------
 */

struct column {
	const char *name;
	bool right;
};

static struct libscols_table *new_table(const struct column *columns, size_t n)
{
	struct libscols_table *table = scols_new_table();

	for (size_t i = 0; table && i < n; i++)
		cli_column(table, columns[i].name, columns[i].right ? SCOLS_FL_RIGHT : 0);
	return table;
}

static void set_number(struct libscols_line *line, size_t column, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	scols_line_set_data(line, column, text);
}

static void set_place(struct libscols_line *line, size_t column, uint16_t number)
{
	if (number == TOPOLOGY_UNKNOWN)
		scols_line_set_data(line, column, "-");
	else
		set_number(line, column, number);
}

/* `web1/vcpu0`, or `web1` for the VM as a whole: one word, for awk. */
static void set_owner(
	struct libscols_line *line, size_t column, const struct owner *owner)
{
	char text[VM_NAME_SIZE + 32] = "-";

	if (owner)
		snprintf(text, sizeof(text), owner->vcpu < 0 ? "%s" : "%s/vcpu%d",
			owner->vm, owner->vcpu);
	scols_line_set_data(line, column, text);
}

enum cpu_column { CPU, NODE, PACKAGE, CACHE, CORE, SIBLINGS, ROLE, OWNER, PARTITION };

static const struct column cpu_columns[] = {
	[CPU] = {"CPU", true},
	[NODE] = {"NODE", true},
	[PACKAGE] = {"PACKAGE", true},
	[CACHE] = {"CACHE", true},
	[CORE] = {"CORE", true},
	[SIBLINGS] = {"SIBLINGS", false},
	[ROLE] = {"ROLE", false},
	[OWNER] = {"OWNER", false},
	[PARTITION] = {"PARTITION", false},
};

static void set_class(struct libscols_line *line, size_t column, const char *group)
{
	char text[CLASS_NAME_SIZE + 16] = "class ";
	size_t len = strlen(text);

	class_group_name(group, text + len, sizeof(text) - len);
	scols_line_set_data(line, column, text);
}

static void add_cpu(
	struct libscols_table *table, const struct view *view, unsigned int cpu)
{
	const struct topology *topology = &view->cycle.topology;
	const struct cpu_place *place = &topology->places[cpu];
	struct cpu_membership membership = cpu_membership(&view->cycle, cpu);
	struct libscols_line *line = scols_table_new_line(table, NULL);
	struct cpuset siblings = topology_siblings(topology, cpu);
	cleanup_free char *list = cpulist_format(&siblings);

	if (!line)
		return;
	set_number(line, CPU, (int)cpu);
	set_place(line, NODE, place->node);
	set_place(line, PACKAGE, place->package);
	set_place(line, CACHE, place->cache);
	set_place(line, CORE, place->core);
	scols_line_set_data(
		line, SIBLINGS, cpuset_has(&topology->online, cpu) ? list : "-");
	scols_line_set_data(line, ROLE, cpu_role(&view->cycle, &view->owners, cpu));
	set_owner(line, OWNER, owners_find(&view->owners, cpu));
	if (!strcmp(cpu_role(&view->cycle, &view->owners, cpu), "shared"))
		set_class(line, OWNER, membership.cgroup);
	scols_line_set_data(
		line, PARTITION, *membership.partition ? membership.partition : "-");
}

enum task_column { TASK_CPU, TASK_OWNER, TID, PID, STATE, ALLOWED, KIND, VM, TASK };

static const struct column task_columns[] = {
	[TASK_CPU] = {"CPU", true},
	[TASK_OWNER] = {"OWNER", false},
	[TID] = {"TID", true},
	[PID] = {"PID", true},
	[STATE] = {"S", false},
	[ALLOWED] = {"ALLOWED", false},
	[KIND] = {"KIND", false},
	[VM] = {"VM", false},
	[TASK] = {"TASK", false},
};

static void set_vm(
	struct libscols_line *line, const struct vm *vm, const struct vm_thread *thread)
{
	char text[VM_NAME_SIZE + 32] = "-";

	if (vm && thread)
		snprintf(text, sizeof(text), has_index(thread) ? "%s/%s%d" : "%s/%s",
			vm->name, thread_class_name(thread->class), thread->index);
	else if (vm)
		snprintf(text, sizeof(text), "%s", vm->name);
	scols_line_set_data(line, VM, text);
}

static void add_task(
	struct libscols_table *table, const struct view *view, const struct task *task)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const struct vm_thread *thread;
	const struct vm *vm = vm_of(view, task, &thread);
	char name[COMM_SIZE + 2], state[] = {task->state, '\0'};

	if (!line)
		return;
	set_number(line, TASK_CPU, task->last_cpu);
	set_owner(line, TASK_OWNER,
		owners_find(&view->owners, (unsigned int)task->last_cpu));
	set_number(line, TID, task->tid);
	set_number(line, PID, task->pid);
	scols_line_set_data(line, STATE, state);
	scols_line_set_data(line, ALLOWED, task->allowed ? "yes" : "no");
	scols_line_set_data(line, KIND,
		task->bound    ? "bound"
		: task->kernel ? "kernel"
		: vm	       ? "vm"
			       : "user");
	set_vm(line, vm, thread);
	snprintf(name, sizeof(name), task->kernel ? "[%s]" : "%s", task->comm);
	scols_line_set_data(line, TASK, name);
}

static int print_text(const struct request *request, const struct view *view)
{
	struct libscols_table *table =
		request->tasks ? new_table(task_columns,
					 sizeof(task_columns) / sizeof(*task_columns))
			       : new_table(cpu_columns,
					 sizeof(cpu_columns) / sizeof(*cpu_columns));

	if (!table)
		return -ENOMEM;
	if (cpuset_empty(&view->shown))
		printf("No CPU is reserved.\n");
	if (request->tasks) {
		for (size_t i = 0; i < view->n_tasks; i++)
			if (cpuset_has(
				    &view->shown, (unsigned int)view->tasks[i].last_cpu))
				add_task(table, view, &view->tasks[i]);
	} else {
		cpuset_for_each (cpu, &view->shown)
			add_cpu(table, view, (unsigned int)cpu);
	}
	scols_print_table(table);
	scols_unref_table(table);
	return 0;
}

int verb_cpus(const struct request *request)
{
	struct view view = {.cycle.hierarchy.root = -1};
	struct problem problem = {};
	struct cpuset any, cpus;
	int r;

	/* What is no list is a misuse, a CPU that the host lacks is not. */
	memset(&any, 0xff, sizeof(any));
	if (request->n_args && strcmp(request->args[0], "reserved") &&
		cpulist_parse(request->args[0], &any, &cpus, &problem))
		return cli_misused(&problem);
	r = view_read(request, &view, &problem);
	if (!r && request->json)
		print_json(request, &view);
	else if (!r && print_text(request, &view))
		r = problem_nomem(&problem);
	view_deinit(&view);
	return r ? cli_fail(&problem) : EXIT_SUCCESS;
}
