// SPDX-License-Identifier: GPL-2.0-or-later
/* `status --json`: the host, its VMs and each of their threads. */
#include "user/cli/status_parts.h"

#include <string.h>
#include <sys/utsname.h>

#include "user/base/cleanup.h"

/* Waits on the run queue by length, as the observer saw them; the last ones have no
 * bound.
 */
static struct json_object *waits_json(const struct thread_tally *tally)
{
	struct json_object *waits = json_object_new_object(),
			   *bounds = json_object_new_array(),
			   *counts = json_object_new_array();

	for (unsigned int i = 0; i < WAIT_BUCKETS; i++) {
		uint64_t bound = wait_bound(i);

		json_object_array_add(
			bounds, bound ? json_object_new_uint64(bound) : NULL);
		json_object_array_add(counts, json_object_new_uint64(tally->waits[i]));
	}
	json_object_object_add(waits, "bounds_ns", bounds);
	json_object_object_add(waits, "counts", counts);
	cli_json_number(waits, "count", tally->switches);
	cli_json_number(waits, "ns", tally->wait_ns);
	return waits;
}

static void add_thread(const struct status_view *view, const struct desired_vm *vm,
	size_t index, struct json_object *threads)
{
	const struct vm_thread *thread = &vm->vm->threads[index];
	struct status_standing standing =
		status_standing_of(&view->cycle, &view->counters, vm, index);
	struct json_object *json = json_object_new_object();

	cli_json_string(json, "class", thread_class_name(thread->class));
	cli_json_number(json, "index", (uint64_t)thread->index);
	cli_json_number(json, "tid", (uint64_t)thread->tid);
	cli_json_string(json, "comm", thread->comm);
	cli_json_cpus(json, "declared", &standing.declared);
	cli_json_cpus(json, "effective", &standing.effective);
	cli_json_number(json, "last_cpu", (uint64_t)thread->last_cpu);
	cli_json_string(json, "cgroup", thread->cgroup);
	cli_json_string(
		json, "partition", *standing.partition ? standing.partition : NULL);
	cli_json_tally(json, "off_set", &standing.off_set);
	cli_json_number(json, "switches", thread->switches);
	cli_json_number(json, "run_ns", thread->run_ns);
	cli_json_number(json, "wait_ns", thread->wait_ns);
	if (thread->class == THREAD_VCPU)
		json_object_object_add(json, "waits",
			standing.tally ? waits_json(standing.tally) : NULL);
	json_object_array_add(threads, json);
}

static int add_vm(const struct status_view *view, size_t index, struct json_object *vms)
{
	const struct desired_vm *vm = &view->cycle.desired.vms[index];
	struct json_object *json = json_object_new_object(),
			   *threads = json_object_new_array();
	cleanup_free char *reason = NULL;
	enum vm_state state;
	int r;

	r = cycle_vm_state(&view->cycle, index, &state, &reason);
	cli_json_string(json, "name", vm->vm->name);
	cli_json_number(json, "pid", (uint64_t)vm->vm->pid);
	cli_json_string(json, "source", vm_source_name(vm->vm->source));
	cli_json_string(json, "layout", layout_name(vm->layout));
	cli_json_string(json, "policy", policy_kind_name(vm->wish.policy->kind));
	cli_json_string(json, "guard", guard_name(cycle_vm_guard(&view->cycle, index)));
	cli_json_string(json, "state", r ? "degraded" : vm_state_name(state));
	/* A VM that is fine can still have something to say: what could not be found out
	 * about it. */
	cli_json_string(json, "reason", reason ? reason : vm->vm->problem);
	for (size_t i = 0; i < vm_born(vm->vm); i++)
		add_thread(view, vm, i, threads);
	json_object_object_add(
		json, "drift", cli_drift_latest(&view->drift, vm->vm->name));
	json_object_object_add(json, "threads", threads);
	json_object_array_add(vms, json);
	return r;
}

static struct json_object *host_json(const struct status_view *view)
{
	struct json_object *host = json_object_new_object(),
			   *observer = json_object_new_object();
	struct utsname name;

	uname(&name);
	cli_json_cpus(host, "cpus", &view->cycle.topology.online);
	cli_json_cpus(host, "housekeeping", &view->housekeeping);
	cli_json_cpus(host, "reserved", &view->owners.reserved);
	cli_json_cpus(host, "isolated", &view->cycle.actual.tree.isolated);
	cli_json_string(host, "kernel", name.release);
	cli_json_string(observer, "state", status_observer_state(view));
	cli_json_number(observer, "since_ns", view->counters.start);
	cli_json_number(observer, "switches", view->counters.total.switches);
	cli_json_number(observer, "lost_events", view->counters.events_lost);
	json_object_object_add(host, "observer", observer);
	return host;
}

int status_print_json(const struct request *request, const struct status_view *view)
{
	struct json_object *json = cli_json(request), *vms = json_object_new_array();
	int r = 0;

	json_object_object_add(json, "host", host_json(view));
	for (size_t i = 0; i < view->cycle.desired.n_vms; i++)
		if (!request->n_args ||
			!strcmp(view->cycle.desired.vms[i].vm->name, request->args[0]))
			r = r ? r : add_vm(view, i, vms);
	json_object_object_add(json, "vms", vms);
	cli_json_print(json);
	return r;
}
