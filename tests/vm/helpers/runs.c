// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ftrace's account: reads sched_switch lines as the kernel prints them (standard input)
 * and adds up the runs, from switch-in to switch-out, of each task on each CPU. Runs that
 * began before the first line or were not over at the last are left out. Knows nothing of
 * cpuwarden.
 *
 * Output, a line each: `CPU TID COUNT NS COMM`; then `switches CPU COUNT`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS = 64, SLOTS = 65536 };

struct runs {
	int cpu, tid, used;
	unsigned long long count, ns;
	char comm[32];
};

static struct runs table[SLOTS];
static unsigned long long switches[CPUS], since[CPUS];
static int running[CPUS];

static struct runs *find(int cpu, int tid)
{
	unsigned int i = ((unsigned int)tid * 64 + (unsigned int)cpu) % SLOTS;

	for (; table[i].used; i = (i + 1) % SLOTS)
		if (table[i].cpu == cpu && table[i].tid == tid)
			break;
	table[i].used = 1;
	table[i].cpu = cpu;
	table[i].tid = tid;
	return &table[i];
}

/* `[004] d..2.  1234.567890: sched_switch: prev_comm=… prev_pid=… ==> next_comm=…
 * next_pid=…` */
static int parse(
	char *line, int *cpu, unsigned long long *ns, int *prev, int *next, char **comm)
{
	char *event = strstr(line, ": sched_switch: "), *at = event, *from, *to;
	unsigned long long seconds, micros;

	if (!event)
		return 0;
	while (at > line && at[-1] != ' ')
		at--;
	if (sscanf(at, "%llu.%llu", &seconds, &micros) != 2)
		return 0;
	*ns = (seconds * 1000000 + micros) * 1000;
	while (at > line && *at != '[')
		at--;
	*cpu = atoi(at + 1);
	to = strstr(event, " ==> next_comm=");
	from = strstr(event, " prev_pid=");
	if (!to || !from)
		return 0;
	*prev = atoi(from + strlen(" prev_pid="));
	*comm = to + strlen(" ==> next_comm=");
	to = strstr(*comm, " next_pid=");
	if (!to)
		return 0;
	*next = atoi(to + strlen(" next_pid="));
	*to = '\0';
	return *cpu >= 0 && *cpu < CPUS;
}

int main(void)
{
	char line[1024], *comm;
	unsigned long long ns;
	int cpu, prev, next;

	for (cpu = 0; cpu < CPUS; cpu++)
		running[cpu] = -1;
	while (fgets(line, sizeof(line), stdin)) {
		struct runs *runs;

		if (!parse(line, &cpu, &ns, &prev, &next, &comm))
			continue;
		switches[cpu]++;
		if (running[cpu] == prev) {
			runs = find(cpu, prev);
			runs->count++;
			runs->ns += ns - since[cpu];
		} else if (running[cpu] >= 0) {
			fprintf(stderr, "runs: a switch on CPU %d is missing\n", cpu);
			return 1;
		}
		running[cpu] = next;
		since[cpu] = ns;
		runs = find(cpu, next);
		snprintf(runs->comm, sizeof(runs->comm), "%s", comm);
	}
	for (int i = 0; i < SLOTS; i++)
		if (table[i].count)
			printf("%d %d %llu %llu %s\n", table[i].cpu, table[i].tid,
				table[i].count, table[i].ns, table[i].comm);
	for (cpu = 0; cpu < CPUS; cpu++)
		if (switches[cpu])
			printf("switches %d %llu\n", cpu, switches[cpu]);
	return 0;
}
