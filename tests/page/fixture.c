// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/page/fixture_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "user/report/basis.h"
#include "user/report/fields.h"
#include "user/report/report.h"

static struct json_object *table_new(const char *names)
{
	struct json_object *table = json_object_new_object(),
			   *columns = json_object_new_array();
	char copy[256], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", names);
	while ((name = strsep(&rest, " ")))
		json_object_array_add(columns, json_object_new_string(name));
	json_object_object_add(table, "columns", columns);
	json_object_object_add(table, "rows", json_object_new_array());
	return table;
}

/* One letter a cell: n number, s text, - null. */
static void add_row(struct json_object *table, const char *cells, ...)
{
	struct json_object *rows = NULL, *row = json_object_new_array();
	va_list args;

	va_start(args, cells);
	for (; *cells; cells++)
		json_object_array_add(
			row, *cells == 'n' ? json_object_new_int64(va_arg(args, int64_t))
			     : *cells == 's' ? json_text(va_arg(args, const char *))
					     : NULL);
	va_end(args);
	json_object_object_get_ex(table, "rows", &rows);
	json_object_array_add(rows, row);
}

static void text(struct json_object *json, const char *key, const char *value)
{
	json_object_object_add(json, key, json_text(value));
}

static void number(struct json_object *json, const char *key, uint64_t value)
{
	json_object_object_add(json, key, json_object_new_uint64(value));
}

static void add_made(struct json_object *report)
{
	struct json_object *made = json_object_new_object();

	number(made, "monotonic_ns", NOW);
	number(made, "realtime_ns", WALL);
	text(made, "time", "2026-01-01T00:00:00Z");
	text(made, "program", CPUWARDEN_VERSION);
	text(made, "page_form", report_page_form());
	json_object_object_add(report, "made", made);
}

static void add_host(struct json_object *report, const struct fixture *fixture)
{
	struct json_object *host = json_object_new_object(),
			   *map = table_new(
				   "cpu node package cache core role vm vcpu partition "
				   "cgroup");
	char list[32], name[VM_NAME_SIZE], group[VM_NAME_SIZE + 64];

	for (unsigned int cpu = 0; cpu < fixture->cpus; cpu++) {
		unsigned int vm = cpu < 2 ? fixture->vms : (cpu - 2) / fixture->vcpus,
			     vcpu = (cpu - 2) % fixture->vcpus,
			     node = cpu * 2 / fixture->cpus;

		if (vm >= fixture->vms) {
			add_row(map, "nnnnns----", (int64_t)cpu, (int64_t)node,
				(int64_t)node, (int64_t)cpu / 16, (int64_t)cpu / 2,
				"housekeeping");
			continue;
		}
		fixture_name(fixture, vm, name, sizeof(name));
		snprintf(group, sizeof(group), "cpuwarden.slice/%s/vcpu%u", name, vcpu);
		add_row(map, "nnnnnssnss", (int64_t)cpu, (int64_t)node, (int64_t)node,
			(int64_t)cpu / 16, (int64_t)cpu / 2, "reserved", name,
			(int64_t)vcpu, "isolated", group);
	}
	text(host, "name", fixture->hostile ? FIXTURE_HOSTILE : "host17.example.net");
	text(host, "kernel", "6.12.48");
	text(host, "kernel_build", "#1 SMP PREEMPT_DYNAMIC");
	snprintf(list, sizeof(list), "0-%u", fixture->cpus - 1);
	text(host, "cpus", list);
	text(host, "housekeeping", "0-1");
	snprintf(list, sizeof(list), "2-%u", fixture->cpus - 1);
	text(host, "reserved", fixture->vms ? list : "");
	text(host, "isolated", fixture->vms ? list : "");
	json_object_object_add(host, "groups_problem", NULL);
	json_object_object_add(host, "map", map);
	json_object_object_add(report, "host", host);
}

static void add_threads(
	struct json_object *vm, const struct fixture *fixture, unsigned int n)
{
	struct json_object *threads =
		table_new("class index tid comm declared effective last_cpu cgroup "
			  "partition switches run_ns wait_ns");
	char comm[32], list[16], name[VM_NAME_SIZE], group[VM_NAME_SIZE + 64];

	fixture_name(fixture, n, name, sizeof(name));
	for (unsigned int i = 0; i < fixture->vcpus + 3; i++) {
		unsigned int cpu = 2 + n * fixture->vcpus + i;
		bool vcpu = i < fixture->vcpus;

		snprintf(comm, sizeof(comm), vcpu ? "CPU %u/KVM" : "qemu-system-x86", i);
		snprintf(list, sizeof(list), vcpu ? "%u" : "0-1", cpu);
		snprintf(group, sizeof(group), "cpuwarden.slice/%s/%s", name,
			vcpu ? "vcpu" : "emulator");
		add_row(threads, "snnsssnssnnn", vcpu ? "vcpu" : "emulator",
			(int64_t)(vcpu ? i : 0),
			(int64_t)(10000 + n * (fixture->vcpus + 3) + i), comm, list, list,
			(int64_t)(vcpu ? cpu : 0), group, vcpu ? "isolated" : "member",
			(int64_t)123456, (int64_t)9876543210, (int64_t)1234567);
	}
	json_object_object_add(vm, "threads", threads);
}

static struct json_object *rules_of(const struct fixture *fixture, unsigned int n)
{
	struct json_object *rules = json_object_new_object();
	unsigned int first = 2 + n * fixture->vcpus;
	char list[32];

	snprintf(list, sizeof(list), "%u-%u", first, first + fixture->vcpus - 1);
	number(rules, "since_ns", START + n * SECOND);
	number(rules, "committed_ns", START + n * SECOND + 1000000);
	json_object_object_add(rules, "settling", json_object_new_boolean(false));
	text(rules, "owned", list);
	text(rules, "others", "0-1");
	number(rules, "threads", fixture->vcpus + 3);
	return rules;
}

static void add_vms(struct json_object *report, const struct fixture *fixture)
{
	struct json_object *vms = json_object_new_array(),
			   *partitions = json_object_new_array();
	char name[VM_NAME_SIZE], group[VM_NAME_SIZE + 64];

	for (unsigned int i = 0; i < fixture->vms; i++) {
		struct json_object *vm = json_object_new_object(),
				   *partition = json_object_new_object(),
				   *rules = rules_of(fixture, i);
		bool bad = i % 20 == 3;

		fixture_name(fixture, i, name, sizeof(name));
		text(vm, "name", name);
		number(vm, "pid", 10000 + i * (fixture->vcpus + 3));
		text(vm, "source", "qmp");
		text(vm, "layout", "own");
		text(vm, "policy", "dedicated");
		text(vm, "guard", "off");
		text(vm, "state", bad ? "degraded" : "placed");
		text(vm, "reason",
			bad ? "CPU 9 is in the partition of another group" : NULL);
		json_object_object_add(vm, "drift", NULL);
		json_object_object_add(vm, "rules", rules);
		add_threads(vm, fixture, i);
		json_object_array_add(vms, vm);
		snprintf(group, sizeof(group), "cpuwarden.slice/%s", name);
		text(partition, "cgroup", group);
		text(partition, "partition",
			bad ? "root invalid (Cpu list in cpuset.cpus not exclusive)"
			    : "root");
		json_object_object_add(partition, "valid", json_object_new_boolean(!bad));
		text(partition, "cpus",
			json_object_get_string(json_object_object_get(rules, "owned")));
		text(partition, "exclusive",
			json_object_get_string(json_object_object_get(rules, "owned")));
		text(partition, "effective",
			json_object_get_string(json_object_object_get(rules, "owned")));
		json_object_array_add(partitions, partition);
	}
	json_object_object_add(report, "vms", vms);
	json_object_object_add(report, "partitions", partitions);
}

static void add_drift(struct json_object *report, const struct fixture *fixture)
{
	static const char note[] =
		"{\"kind\":\"affinity\",\"time_ns\":4000000000000,\"vm\":\"tenant00\",\"target\":"
		"{\"pid\":10000,\"tid\":10001,\"comm\":\"CPU 0/KVM\",\"group\":null,\"file\":"
		"null},\"by\":{\"pid\":812,\"tid\":812,\"comm\":\"taskset\",\"cgroup\":"
		"\"/user.slice/user-0.slice/session-3.scope\"},\"before\":\"2\",\"after\":"
		"\"0-255\",\"text\":null,\"result\":0}";
	struct json_object *drift = json_object_new_object(),
			   *notes = json_object_new_array();

	for (unsigned int i = 0; !fixture->clean && i < 12; i++)
		json_object_array_add(notes, json_tokener_parse(note));
	number(drift, "total", fixture->clean ? 0 : 12);
	json_object_object_add(drift, "notes", notes);
	json_object_object_add(report, "drift", drift);
}

static void add_isolation(struct json_object *report)
{
	static const char *const states[] = {
		"ok", "fixable", "needs_boot", "warning", "unknown", "not_applicable"};
	struct json_object *isolation = json_object_new_object(),
			   *rows = json_object_new_array();

	for (unsigned int i = 0; i < 18; i++) {
		struct json_object *row = json_object_new_object();
		char subject[32];

		snprintf(subject, sizeof(subject), "subject_%u", i);
		text(row, "subject", subject);
		text(row, "cpus", "2-255");
		text(row, "state", states[i % 6]);
		text(row, "found",
			"allowed on 0-255, effective on 17: nvme0q18 and 254 more");
		text(row, "meaning", "A device may interrupt these CPUs at any time.");
		text(row, "remedy", i % 6 ? "cpuwarden hostcheck --fix" : NULL);
		text(row, "source", "/proc/irq/NUMBER/smp_affinity_list");
		text(row, "documented", "Documentation/core-api/irq/irq-affinity.rst");
		json_object_array_add(rows, row);
	}
	json_object_object_add(isolation, "rows", rows);
	json_object_object_add(isolation, "reserved", json_object_new_boolean(true));
	text(isolation, "cpus", "2-255");
	json_object_object_add(isolation, "problem", NULL);
	json_object_object_add(report, "isolation", isolation);
}

static void add_violations(struct json_object *report, const struct fixture *fixture)
{
	struct json_object *json =
		table_new("time vm class cause cpu vcpu pid tid comm ns");
	static const char *const causes[] = {"user", "other_vm", "own_vm", "kthread"};
	unsigned int seed = 3;

	text(json, "file", "/var/log/cpuwarden/events.jsonl");
	text(json, "problem",
		fixture->violations
			? NULL
			: "no daemon has kept events in /var/log/cpuwarden/events.jsonl");
	json_object_object_add(
		json, "cut", json_object_new_boolean(fixture->violations == 2000));
	number(json, "unheard", 0);
	number(json, "damaged_lines", 0);
	for (unsigned int i = 0; i < fixture->violations; i++) {
		unsigned int second = 86400 / fixture->violations * i,
			     vm = fixture_chance(&seed, fixture->vms),
			     cpu = 2 + vm * fixture->vcpus +
				   fixture_chance(&seed, fixture->vcpus);
		char time[40], name[VM_NAME_SIZE];

		snprintf(time, sizeof(time), "2025-12-31T%02u:%02u:%02u.000000Z",
			second / 3600, second / 60 % 60, second % 60);
		fixture_name(fixture, vm, name, sizeof(name));
		add_row(json, "ssssnnnnsn", time, name, "foreign", causes[i % 4],
			(int64_t)cpu, (int64_t)((cpu - 2) % fixture->vcpus),
			(int64_t)4000 + i, (int64_t)4000 + i,
			fixture_comm(fixture, i % 7),
			(int64_t)fixture_chance(&seed, 5000000));
	}
	json_object_object_add(report, "violations", json);
}

struct json_object *fixture_report(
	const struct fixture *fixture, const struct counters *counters)
{
	struct json_object *report = report_new();
	struct cpuset online = {};
	const struct verdict_input input = {
		.counters = fixture->absent ? NULL : counters,
		.absent = "no observer is running: run `cpuwarden apply`",
		.degraded = fixture->clean ? NULL : "tenant03 is degraded",
		.culprit =
			fixture->clean ? NULL
			: fixture->hostile
				? FIXTURE_HOSTILE
				: "stress-ng-cpu (pid 4003, thread 4003) ran on CPU 3 of "
				  "tenant00-db.example.net (vCPU 1) for 3.0 ms: user",
		.online = &online,
		.alive = true,
	};

	for (unsigned int cpu = 0; cpu < fixture->cpus; cpu++)
		cpuset_add(&online, cpu);
	add_made(report);
	basis_add(report, &input, UINT64_C(0x0123456789abcdef));
	add_host(report, fixture);
	add_vms(report, fixture);
	add_drift(report, fixture);
	add_isolation(report);
	add_violations(report, fixture);
	return report;
}
