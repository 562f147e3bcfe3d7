// SPDX-License-Identifier: GPL-2.0-or-later
/* When a report was made, of which host, and what happened there. */
#include "user/cli/report_facts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/cli/cpu_role.h"
#include "user/cli/hostcheck_parts.h"
#include "user/control/reserved.h"
#include "user/report/fields.h"
#include "user/report/report.h"
#include "user/store/kept_violations.h"

enum { VIOLATIONS_MAX = 2000 };

void report_add_made(struct json_object *report)
{
	struct json_object *made = json_object_new_object();
	struct timespec now;
	char text[64];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	cli_json_number(made, "monotonic_ns", clock_now_ns());
	cli_json_number(made, "realtime_ns",
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now.tv_sec, &tm));
	cli_json_string(made, "time", text);
	cli_json_string(made, "program", CPUWARDEN_VERSION);
	cli_json_string(made, "page_form", report_page_form());
	json_object_object_add(report, "made", made);
}

/* A table; cells are added by row_add(). */
static struct json_object *table_new(const char *const *columns, size_t n)
{
	struct json_object *table = json_object_new_object(),
			   *names = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(names, json_object_new_string(columns[i]));
	json_object_object_add(table, "columns", names);
	json_object_object_add(table, "rows", json_object_new_array());
	return table;
}

static struct json_object *row_new(struct json_object *table)
{
	struct json_object *rows = NULL, *row = json_object_new_array();

	json_object_object_get_ex(table, "rows", &rows);
	json_object_array_add(rows, row);
	return row;
}

static void row_number(struct json_object *row, int64_t number)
{
	json_object_array_add(row, json_object_new_int64(number));
}

static void row_text(struct json_object *row, const char *text)
{
	json_object_array_add(row, json_text(text && *text ? text : NULL));
}

static void row_place(struct json_object *row, uint16_t number)
{
	json_object_array_add(
		row, number == TOPOLOGY_UNKNOWN ? NULL : json_object_new_int(number));
}

static void add_cpu_row(struct json_object *map, const struct evidence *evidence,
	const struct owners *owners, unsigned int cpu)
{
	const struct cpu_place *place = &evidence->cycle.topology.places[cpu];
	const struct owner *owner = owners_find(owners, cpu);
	struct cpu_membership membership = cpu_membership(&evidence->cycle, cpu);
	struct json_object *row = row_new(map);

	row_number(row, cpu);
	row_place(row, place->node);
	row_place(row, place->package);
	row_place(row, place->cache);
	row_place(row, place->core);
	row_text(row, cpu_role(&evidence->cycle, owners, cpu));
	row_text(row, owner ? owner->vm : NULL);
	json_object_array_add(
		row, owner && owner->vcpu >= 0 ? json_object_new_int(owner->vcpu) : NULL);
	row_text(row, membership.partition);
	row_text(row, membership.cgroup);
}

static struct json_object *make_map(
	const struct evidence *evidence, const struct owners *owners)
{
	static const char *const columns[] = {"cpu", "node", "package", "cache", "core",
		"role", "vm", "vcpu", "partition", "cgroup"};
	struct json_object *map = table_new(columns, sizeof(columns) / sizeof(*columns));

	cpuset_for_each (cpu, &evidence->cycle.topology.present)
		add_cpu_row(map, evidence, owners, (unsigned int)cpu);
	return map;
}

int report_add_host(struct json_object *report, const struct evidence *evidence,
	struct problem *problem)
{
	const struct cycle *cycle = &evidence->cycle;
	CLEANUP(owners_deinit) struct owners owners = {};
	struct json_object *host;
	char name[HOST_NAME_MAX + 1] = "";
	struct cpuset housekeeping;
	struct utsname kernel;
	int r;

	r = cycle_owners(cycle, &owners, problem);
	if (r)
		return r;
	gethostname(name, sizeof(name) - 1);
	uname(&kernel);
	housekeeping = cycle->topology.online;
	cpuset_andnot(&housekeeping, &owners.reserved);
	host = json_object_new_object();
	json_object_object_add(host, "name", json_text(name));
	json_object_object_add(host, "kernel", json_text(kernel.release));
	json_object_object_add(host, "kernel_build", json_text(kernel.version));
	cli_json_cpus(host, "cpus", &cycle->topology.online);
	cli_json_cpus(host, "housekeeping", &housekeeping);
	cli_json_cpus(host, "reserved", &owners.reserved);
	cli_json_cpus(host, "isolated", &cycle->actual.tree.isolated);
	json_object_object_add(host, "groups_problem",
		json_text(cycle->hierarchy.root < 0 ? cycle->hierarchy_problem.text
						    : NULL));
	json_object_object_add(host, "map", make_map(evidence, &owners));
	json_object_object_add(report, "host", host);
	return 0;
}

void report_add_drift(struct json_object *report, const struct evidence *evidence)
{
	struct json_object *drift = json_object_new_object();

	cli_json_number(drift, "total", evidence->drift.total);
	json_object_object_add(drift, "notes", cli_drift_list(&evidence->drift, NULL));
	json_object_object_add(report, "drift", drift);
}

static int compute_isolation(const struct request *request,
	const struct evidence *evidence, struct json_object *json,
	struct problem *problem)
{
	CLEANUP(host_facts_deinit) struct host_facts facts = {};
	CLEANUP(hostcheck_deinit) struct hostcheck check = {};
	CLEANUP(mends_deinit) struct mends mends = {};
	struct json_object *rows = json_object_new_array();
	struct reserved reserved;
	int r;

	json_object_object_add(json, "rows", rows);
	r = reserved_read(&evidence->cycle, &reserved, problem);
	if (!r)
		r = hostcheck_facts(request->folders.run, &facts, &mends, problem);
	if (!r && hostcheck_compute(&facts, &reserved, &evidence->cycle.topology, &check))
		r = problem_nomem(problem);
	if (r)
		return r;
	json_object_object_add(
		json, "reserved", json_object_new_boolean(!reserved.would_be));
	cli_json_cpus(json, "cpus", &reserved.cpus);
	for (size_t i = 0; i < check.n_rows; i++)
		json_object_array_add(rows, hostcheck_row_json(&check.rows[i]));
	return 0;
}

void report_add_isolation(struct json_object *report, const struct request *request,
	const struct evidence *evidence)
{
	struct json_object *json = json_object_new_object();
	struct problem problem;
	int r = compute_isolation(request, evidence, json, &problem);

	json_object_object_add(json, "problem", json_text(r ? problem.text : NULL));
	json_object_object_add(report, "isolation", json);
}

static void add_violation(struct json_object *table, const struct kept_violation *one)
{
	struct json_object *row = row_new(table);

	row_text(row, one->time);
	row_text(row, one->vm);
	row_text(row, one->class);
	row_text(row, one->cause);
	row_number(row, one->cpu);
	json_object_array_add(
		row, one->vcpu >= 0 ? json_object_new_int(one->vcpu) : NULL);
	row_number(row, one->pid);
	row_number(row, one->tid);
	row_text(row, one->comm);
	json_object_array_add(row, json_object_new_uint64(one->ns));
}

void report_add_violations(struct json_object *report, const char *path)
{
	static const char *const columns[] = {"time", "vm", "class", "cause", "cpu",
		"vcpu", "pid", "tid", "comm", "ns"};
	struct json_object *json = table_new(columns, sizeof(columns) / sizeof(*columns));
	struct kept_violations history = {};
	struct problem problem;
	int r = kept_violations_read(path, VIOLATIONS_MAX, &history, &problem);

	if (r == -ENOENT)
		problem_set(&problem, 0, "no daemon has kept events in %s", path);
	json_object_object_add(json, "file", json_text(path));
	json_object_object_add(json, "problem", json_text(r ? problem.text : NULL));
	json_object_object_add(json, "cut", json_object_new_boolean(history.cut));
	cli_json_number(json, "unheard", history.unheard);
	cli_json_number(json, "damaged_lines", history.n_damaged);
	for (size_t i = 0; i < history.n_items; i++)
		add_violation(json, &history.items[i]);
	json_object_object_add(report, "violations", json);
	kept_violations_deinit(&history);
}
