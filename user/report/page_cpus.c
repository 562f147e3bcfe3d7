// SPDX-License-Identifier: GPL-2.0-or-later
/* Host CPUs by node and core, and a row for each with what was seen there. */
#include <inttypes.h>
#include <string.h>

#include "user/report/page.h"

enum { CPUS_SHOWN = 8192, NODES_SHOWN = 1024, NONE = UINT16_MAX };

struct map {
	struct rows map, cpus, reserved;
	int cpu, vm, vcpu, role, partition; /* columns of the map */
	/* By row of the map; of reserved CPUs, by number: their row there. */
	uint16_t node[CPUS_SHOWN], core[CPUS_SHOWN], rule[CPUS_SHOWN];
};

static uint16_t place_of(const struct rows *rows, size_t row, int column)
{
	struct json_object *cell = rows_cell(rows, row, column);
	uint64_t number = rows_number(rows, row, column);

	return cell && number < NONE ? (uint16_t)number : NONE;
}

static void map_init(struct map *map, const struct page *page)
{
	int node, core, cpu;

	map->map = rows_at(page->report, "host.map");
	map->cpus = rows_at(page->report, "observer.cpus");
	map->reserved = rows_at(page->report, "observer.reserved");
	map->cpu = rows_column(&map->map, "cpu");
	map->vm = rows_column(&map->map, "vm");
	map->vcpu = rows_column(&map->map, "vcpu");
	map->role = rows_column(&map->map, "role");
	map->partition = rows_column(&map->map, "partition");
	node = rows_column(&map->map, "node");
	core = rows_column(&map->map, "core");
	cpu = rows_column(&map->reserved, "cpu");
	memset(map->rule, 0xff, sizeof(map->rule));
	if (map->map.n > CPUS_SHOWN)
		map->map.n = CPUS_SHOWN;
	for (size_t i = 0; i < map->map.n; i++) {
		map->node[i] = place_of(&map->map, i, node);
		map->core[i] = place_of(&map->map, i, core);
	}
	for (size_t i = 0; i < map->reserved.n && i < NONE; i++) {
		uint64_t number = rows_number(&map->reserved, i, cpu);

		if (number < CPUS_SHOWN)
			map->rule[number] = (uint16_t)i;
	}
}

static uint64_t seen(const struct map *map, uint64_t cpu, const char *column)
{
	return rows_number(&map->cpus, (size_t)cpu, rows_column(&map->cpus, column));
}

static uint64_t violations_on(const struct map *map, uint64_t cpu)
{
	return seen(map, cpu, "off_set") + seen(map, cpu, "foreign_user") +
	       seen(map, cpu, "foreign_other_vm") + seen(map, cpu, "foreign_own_vm") +
	       seen(map, cpu, "foreign_kthread");
}

static uint64_t violated_ns_on(const struct map *map, uint64_t cpu)
{
	return seen(map, cpu, "off_set_ns") + seen(map, cpu, "foreign_user_ns") +
	       seen(map, cpu, "foreign_other_vm_ns") +
	       seen(map, cpu, "foreign_own_vm_ns") + seen(map, cpu, "foreign_kthread_ns");
}

static void put_owner(const struct page *page, const struct map *map, size_t row)
{
	struct json_object *vcpu = rows_cell(&map->map, row, map->vcpu);

	put_text(page, rows_text(&map->map, row, map->vm));
	if (json_object_is_type(vcpu, json_type_int))
		put_format(page, "/vcpu%" PRIu64, json_object_get_uint64(vcpu));
}

/* The class says the colour, the words say the same. */
static void put_cpu(const struct page *page, const struct map *map, size_t row)
{
	static const char *const roles[] = {"reserved", "shared", "offline"};
	const char *role = rows_text(&map->map, row, map->role), *class = "host";
	uint64_t cpu = rows_number(&map->map, row, map->cpu),
		 bad = violations_on(map, cpu);

	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		if (!strcmp(role, roles[i]))
			class = roles[i];
	fprintf(page->to, "<li class=\"%s%s\"><b>%" PRIu64 "</b> <span>", class,
		bad ? " bad" : "", cpu);
	if (*rows_text(&map->map, row, map->vm))
		put_owner(page, map, row);
	else
		put_text(page, role);
	put(page, "</span>");
	if (bad)
		fprintf(page->to, "<em>%" PRIu64 " violation%s</em>", bad,
			bad == 1 ? "" : "s");
	put(page, "</li>\n");
}

/* Siblings need not have numbers that follow each other. */
static void put_core(const struct page *page, const struct map *map, size_t first)
{
	uint16_t core = map->core[first];

	put(page, "<li class=\"core\"><h4>");
	if (core == NONE)
		put(page, "No core");
	else
		put_format(page, "Core %u", core);
	put(page, "</h4><ul>\n");
	for (size_t i = first; i < map->map.n; i++)
		if (i == first || (core != NONE && map->core[i] == core))
			put_cpu(page, map, i);
	put(page, "</ul></li>\n");
}

/* Is a CPU of its core before it? Cores are told together. */
static bool is_told(const struct map *map, size_t row)
{
	for (size_t i = 0; map->core[row] != NONE && i < row; i++)
		if (map->core[i] == map->core[row])
			return true;
	return false;
}

static void put_node(const struct page *page, const struct map *map, uint16_t node)
{
	bool any = false;

	for (size_t i = 0; i < map->map.n; i++) {
		if (map->node[i] != node || is_told(map, i))
			continue;
		if (!any && node == NONE)
			put(page, "<h3>No node</h3>\n<ul class=\"cores\">\n");
		else if (!any)
			fprintf(page->to, "<h3>Node %u</h3>\n<ul class=\"cores\">\n",
				node);
		any = true;
		put_core(page, map, i);
	}
	if (any)
		put(page, "</ul>\n");
}

static void put_map(const struct page *page, const struct map *map)
{
	for (unsigned int node = 0; node < NODES_SHOWN; node++)
		put_node(page, map, (uint16_t)node);
	put_node(page, map, NONE);
}

/* Since when its rule has been in force, and for how much of all the time. */
static void put_watched(const struct page *page, const struct map *map, uint64_t cpu)
{
	uint64_t now = number_at(page->report, "observer.now_ns"),
		 start = number_at(page->report, "observer.start_ns"), from;

	if (cpu >= CPUS_SHOWN || map->rule[cpu] == NONE) {
		put(page, "<td><td>");
		return;
	}
	from = rows_number(
		&map->reserved, map->rule[cpu], rows_column(&map->reserved, "since_ns"));
	cell_moment(page, from);
	from = from > start ? from : start;
	put(page, "<td class=n>");
	if (now > start && now >= from)
		/* Rounded down: only what was watched all the time is 100. */
		put_format(page, "%.2f%%",
			(double)(uint64_t)(10000.0L * (now - from) / (now - start)) /
				100);
}

static void put_row(const struct page *page, const struct map *map, size_t row)
{
	uint64_t cpu = rows_number(&map->map, row, map->cpu);

	row_begin(page);
	fprintf(page->to, "<th scope=\"row\" class=n>%" PRIu64, cpu);
	cell_json(page, rows_cell(&map->map, row, rows_column(&map->map, "node")));
	cell_json(page, rows_cell(&map->map, row, rows_column(&map->map, "cache")));
	cell_json(page, rows_cell(&map->map, row, rows_column(&map->map, "core")));
	cell_text(page, rows_text(&map->map, row, map->role));
	put(page, "<td>");
	put_owner(page, map, row);
	cell_text(page, rows_text(&map->map, row, map->partition));
	put_watched(page, map, cpu);
	cell_number(page, seen(map, cpu, "switches"));
	cell_number(page, violations_on(map, cpu));
	cell_duration(page, violated_ns_on(map, cpu));
	cell_number(page, seen(map, cpu, "settling"));
	cell_number(page, seen(map, cpu, "bound_kthread"));
	cell_duration(page, seen(map, cpu, "bound_kthread_ns"));
	put(page, "\n");
}

void page_cpus(const struct page *page)
{
	struct map map;

	map_init(&map, page);
	section_begin(page, "cpus", "CPU map");
	put(page, "<p>CPUs ");
	put_text(page, text_at(page->report, "host.cpus"));
	put(page, "; reserved ");
	put_text(page, *text_at(page->report, "host.reserved")
			       ? text_at(page->report, "host.reserved")
			       : "none");
	put(page, "; in isolated partitions ");
	put_text(page, *text_at(page->report, "host.isolated")
			       ? text_at(page->report, "host.isolated")
			       : "none");
	put(page, "; housekeeping ");
	put_text(page, text_at(page->report, "host.housekeeping"));
	put(page, ".</p>\n");
	put_map(page, &map);
	table_begin(page, "cpu-table", "Rules in force and coverage by CPU",
		"#CPU|#Node|#Cache|#Core|Role|Owner|Partition|Rule since|#Watched|"
		"#Switches examined|#Violations|#Their time|#Settling|"
		"#Bound kernel threads|#Their time");
	for (size_t i = 0; i < map.map.n; i++)
		put_row(page, &map, i);
	table_end(page);
	put(page, "<p>Events lost are not known by CPU. Of the whole host: ");
	put_format(page, "%" PRIu64, number_at(page->report, "observer.lost_events"));
	put(page, ".</p>\n");
	section_end(page);
}
