// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ftrace's account: reads sched_switch lines as the kernel prints them (standard input)
 * and adds up the runs, from switch-in to switch-out, of each task on each CPU. Runs that
 * began before the first line or were not over at the last are left out. Knows nothing of
 * cpuwarden.
 *
 * Output, a line each: `CPU TID COUNT NS COMM`; then `switches CPU COUNT`.
 *
 * `runs each` prints every single run but the idle task's, and what else befalls tasks,
 * in the order of their ends: `run CPU TID START NS COMM`, `born TID MAKER FLAGS TIME`,
 * `exec TID OLD_TID TIME`, `exit TID TIME`; times in ns, clone()'s flags in hex.
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

/* A thread that executes a program takes its process's number in the middle of a run. */
static struct {
	int cpu, from, to, pending;
} taken;

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

/* `comm-TID [004] d..2.  1234.567890: EVENT`, with event at the last colon: when and
 * where. Returns the place of the `[`. */
static char *parse_head(char *line, char *event, int *cpu, unsigned long long *ns)
{
	unsigned long long seconds, micros;
	char *at = event;

	while (at > line && at[-1] != ' ')
		at--;
	if (sscanf(at, "%llu.%llu", &seconds, &micros) != 2)
		return NULL;
	*ns = (seconds * 1000000 + micros) * 1000;
	while (at > line && *at != '[')
		at--;
	*cpu = atoi(at + 1);
	return at;
}

/* The number after the last `key`: what stands before it is the task's to choose. */
static int last_number(char *text, const char *key)
{
	char *found = NULL;

	for (char *at = strstr(text, key); at; at = strstr(at + 1, key))
		found = at + strlen(key);
	return found ? atoi(found) : -1;
}

/* head: the `[` after the maker's number. */
static void tell_birth(
	const char *line, const char *head, char *event, unsigned long long ns)
{
	char *flags = strstr(event, " clone_flags=");

	while (head > line && *head != '-')
		head--;
	printf("born %d %d %llx %llu\n", last_number(event, " pid="), atoi(head + 1),
		flags ? strtoull(flags + strlen(" clone_flags="), NULL, 16) : 0, ns);
}

static void tell_execution(char *event, int cpu, unsigned long long ns)
{
	int tid = last_number(event, " pid="), old = last_number(event, " old_pid=");

	if (running[cpu] == old)
		running[cpu] = tid;
	else if (taken.to == tid && taken.from == old)
		taken.pending = 0;
	printf("exec %d %d %llu\n", tid, old, ns);
}

/* A task's birth, program or end. */
static void tell(char *line)
{
	static const char *const names[] = {
		": task_newtask: ", ": sched_process_exec: ", ": sched_process_exit: "};
	char *event = NULL, *head;
	unsigned long long ns;
	int which, cpu;

	for (which = 0; which < 3; which++) {
		event = strstr(line, names[which]);
		if (event)
			break;
	}
	head = event ? parse_head(line, event, &cpu, &ns) : NULL;
	if (!head || cpu < 0 || cpu >= CPUS)
		return;
	if (which == 0)
		tell_birth(line, head, event, ns);
	else if (which == 1)
		tell_execution(event, cpu, ns);
	else
		printf("exit %d %llu\n", last_number(event, " pid="), ns);
}

/* `… sched_switch: prev_comm=… prev_pid=… ==> next_comm=… next_pid=…` */
static int parse(
	char *line, int *cpu, unsigned long long *ns, int *prev, int *next, char **comm)
{
	char *event = strstr(line, ": sched_switch: "), *from, *to;

	if (!event || !parse_head(line, event, cpu, ns))
		return 0;
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

static void add(int cpu, int tid, unsigned long long ns, int each)
{
	struct runs *runs = find(cpu, tid);

	runs->count++;
	runs->ns += ns - since[cpu];
	if (each && tid)
		printf("run %d %d %llu %llu %s\n", cpu, tid, since[cpu], ns - since[cpu],
			runs->comm);
}

int main(int argc, char **argv)
{
	int each = argc > 1 && !strcmp(argv[1], "each");
	char line[1024], *comm;
	unsigned long long ns;
	int cpu, prev, next;

	for (cpu = 0; cpu < CPUS; cpu++)
		running[cpu] = -1;
	while (fgets(line, sizeof(line), stdin)) {
		struct runs *runs;

		if (!parse(line, &cpu, &ns, &prev, &next, &comm)) {
			if (each)
				tell(line);
			continue;
		}
		switches[cpu]++;
		if (running[cpu] == prev) {
			add(cpu, prev, ns, each);
		} else if (running[cpu] >= 0 && !prev) {
			/* The CPU was off: what it does last is not told. */
		} else if (running[cpu] >= 0 && !taken.pending) {
			taken.cpu = cpu;
			taken.from = running[cpu];
			taken.to = prev;
			taken.pending = 1;
			add(cpu, prev, ns, each);
		} else if (running[cpu] >= 0) {
			break;
		}
		running[cpu] = next;
		since[cpu] = ns;
		runs = find(cpu, next);
		snprintf(runs->comm, sizeof(runs->comm), "%s", comm);
	}
	if (taken.pending) {
		fprintf(stderr, "runs: a switch on CPU %d is missing: %d ran, %d left\n",
			taken.cpu, taken.from, taken.to);
		return 1;
	}
	for (int i = 0; i < SLOTS && !each; i++)
		if (table[i].count)
			printf("%d %d %llu %llu %s\n", table[i].cpu, table[i].tid,
				table[i].count, table[i].ns, table[i].comm);
	for (cpu = 0; cpu < CPUS; cpu++)
		if (switches[cpu])
			printf("switches %d %llu\n", cpu, switches[cpu]);
	return 0;
}
