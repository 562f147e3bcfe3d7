// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the observer costs at a context switch, over an empty program in its place.
 *
 * Two ways, in alternating rounds. With the kernel's statistics on (bpf_stats) both
 * programs are attached at once and timed by the kernel at the very same switches: what
 * disturbs the one disturbs the other, and the clock reads around each cancel out. This
 * is the figure that is judged. Its weak point: the clock is read in the stream of
 * instructions, so what the CPU overlaps with its neighbours is told apart badly.
 * Therefore also from outside, statistics off: the wall time of a switch with either one
 * attached, for the sum that is really paid. Here everything else on the host adds its
 * noise.
 */
#include <argp.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/bench/load.h"
#include "tests/bench/summary.h"
#include "tests/bench/tracers.h"
#include "user/base/cleanup.h"
#include "user/base/parse.h"

enum {
	EXIT_MISSED = 1,
	EXIT_BROKEN = 2,
	OWN_PERCENT = 95, /* of all switches must be the load's for a quiet round */
	STRANGERS_PER_MILLE = 5,
	QUIET_TRIES = 8,
	ROUNDS_MIN = 3, /* quiet ones for a verdict */
};

struct options {
	uint64_t rounds, ms;
};

/* What is measured: a load, with that many VMs of others in the maps. 0 ns: shown, not
 * judged. */
struct row {
	const char *name;
	enum load_kind kind;
	unsigned int crowd;
	double ns;
};

static const struct row rows[] = {
	{"host task, unreserved CPU", LOAD_HOST, 0, 8},
	{"vCPU on its own CPU", LOAD_OWN_CPU, 0, 10},
	{"  the same, idle halting", LOAD_OWN_COLD, 0, 0},
	{"VM thread, unreserved CPU", LOAD_VM, 0, 32},
	{"host task, 1,000 VMs", LOAD_HOST, 999, 8},
	{"vCPU, 1,000 VMs", LOAD_OWN_CPU, 999, 10},
	{"VM thread, 1,000 VMs", LOAD_VM, 999, 32},
};

enum { ROWS = sizeof(rows) / sizeof(*rows), ROW_WHOLE = 0 };

/* The observer's whole cost at most, of other tools'. */
static const struct {
	enum tracer_kind tool;
	double share;
} shares[] = {{TRACER_RUNQLAT, 0.3}, {TRACER_FTRACE, 0.45}};

struct measured {
	struct series inside, outside; /* observer less empty program, ns a switch */
	struct series empty;	       /* the empty program, as the kernel times it */
	struct series whole[TRACERS];  /* [TRACER_NONE]: ns a switch; others: ns more than
					  that */
};

/* Two programs at the same switches, ns a run. */
struct pair {
	double empty, observer;
};

static atomic_int interrupted;

static void on_signal(int number)
{
	atomic_store(&interrupted, number);
}

static int run_for(
	const struct load *load, const struct options *options, struct load_result *ret)
{
	int r = load_run(load, options->ms * 1000000, ret);

	if (!r && atomic_load(&interrupted))
		r = -EINTR;
	return r;
}

static double mean(const struct program_time *before, const struct program_time *after)
{
	uint64_t runs = after->runs - before->runs;

	return runs ? (double)(after->ns - before->ns) / (double)runs : 0;
}

/* Both programs' times, and the runs on the load's CPU that were nobody's business there.
 */
struct reading {
	struct program_time empty, observer;
	uint64_t strangers;
};

static int read_pair(const struct load *load, const struct tracer *empty,
	const struct tracer *observer, struct reading *ret)
{
	int r = tracer_time(empty, &ret->empty);

	if (!r)
		r = tracer_time(observer, &ret->observer);
	return r ? r : tracer_strangers(load->cpu, &ret->strangers);
}

/*
 * Were the switches the load's, and not a neighbour's? On the vCPU's own CPU a neighbour
 * is a violation, with all the work of reporting it.
 */
static bool is_quiet(const struct load *load, const struct load_result *result,
	const struct reading *before, const struct reading *after)
{
	uint64_t runs = after->observer.runs - before->observer.runs;
	uint64_t own = result->switches * (load_has_own_cpu(load->kind) ? 2 : 1);

	return own * 100 >= runs * OWN_PERCENT &&
	       (after->strangers - before->strangers) * 1000 <=
		       runs * STRANGERS_PER_MILLE;
}

/* -EAGAIN: no run of the load was quiet. */
static int time_pair(const struct load *load, const struct options *options,
	const struct tracer *empty, const struct tracer *observer, struct pair *ret_pair)
{
	const struct options warm_up = {.ms = options->ms / 10};
	cleanup_close int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	struct reading from, to;
	struct load_result result;
	int r;

	if (stats < 0)
		return -errno;
	r = run_for(load, &warm_up, &result);
	for (int i = 0; !r && i < QUIET_TRIES; i++) {
		r = read_pair(load, empty, observer, &from);
		if (!r)
			r = run_for(load, options, &result);
		if (!r)
			r = read_pair(load, empty, observer, &to);
		if (r || !is_quiet(load, &result, &from, &to))
			continue;
		ret_pair->empty = mean(&from.empty, &to.empty);
		ret_pair->observer = mean(&from.observer, &to.observer);
		return 0;
	}
	return r ? r : -EAGAIN;
}

static int attach_pair(const struct load *load, const struct options *options,
	bool empty_first, struct pair *ret_pair, struct problem *problem)
{
	enum tracer_kind first = empty_first ? TRACER_EMPTY : TRACER_OBSERVER;
	enum tracer_kind second = empty_first ? TRACER_OBSERVER : TRACER_EMPTY;
	struct tracer a, b = {};
	int r = tracer_on(first, load, &a, problem);

	if (!r)
		r = tracer_on(second, load, &b, problem);
	if (!r)
		r = time_pair(load, options, empty_first ? &a : &b, empty_first ? &b : &a,
			ret_pair);
	tracer_off(&b);
	tracer_off(&a);
	return r;
}

/*
 * The first to be attached is the first to run, and meets colder caches: one figure is
 * made of both orders.
 */
static int round_inside(const struct load *load, const struct options *options,
	struct measured *measured, struct problem *problem)
{
	struct pair pairs[2];
	int r = 0;

	for (int i = 0; !r && i < 2; i++)
		r = attach_pair(load, options, i, &pairs[i], problem);
	if (r)
		return r == -EAGAIN ? 0 : r;
	series_add(&measured->empty, (pairs[0].empty + pairs[1].empty) / 2);
	series_add(&measured->inside, (pairs[0].observer + pairs[1].observer -
					      pairs[0].empty - pairs[1].empty) /
					      2);
	return 0;
}

/* Wall time of a switch with one tracer on. */
static int wall(enum tracer_kind kind, const struct load *load,
	const struct options *options, double *ret_ns, struct problem *problem)
{
	const struct options warm_up = {.ms = options->ms / 10};
	struct load_result result;
	struct tracer tracer;
	int r = tracer_on(kind, load, &tracer, problem);

	if (!r)
		r = run_for(load, &warm_up, &result);
	if (!r)
		r = run_for(load, options, &result);
	tracer_off(&tracer);
	if (r)
		return r;
	*ret_ns = (double)result.ns / (double)(result.switches ? result.switches : 1);
	return 0;
}

static int round_outside(const struct load *load, const struct options *options,
	bool forwards, struct measured *measured, struct problem *problem)
{
	/* The tools are there for comparison, and one load does for that. */
	int last = load->kind == LOAD_HOST ? TRACERS - 1 : TRACER_OBSERVER;
	double ns[TRACERS] = {};
	int r;

	for (int i = 0; i <= last; i++) {
		int kind = forwards ? i : last - i;

		r = wall((enum tracer_kind)kind, load, options, &ns[kind], problem);
		if (r && r != -EOPNOTSUPP)
			return r;
	}
	for (int kind = 0; kind <= last; kind++)
		if (ns[kind])
			series_add(&measured->whole[kind],
				ns[kind] - (kind ? ns[TRACER_NONE] : 0));
	series_add(&measured->outside, ns[TRACER_OBSERVER] - ns[TRACER_EMPTY]);
	return 0;
}

static int measure(const struct row *row, const struct options *options,
	const int cpus[2], struct measured *measured, struct problem *problem)
{
	struct load load;
	int r = load_start(
		row->kind, (unsigned int)cpus[1], (unsigned int)cpus[0], &load);

	if (r)
		return r;
	load.crowd = row->crowd;
	for (uint64_t i = 0; !r && i < options->rounds; i++) {
		r = round_inside(&load, options, measured, problem);
		if (!r && !row->crowd)
			r = round_outside(&load, options, i % 2, measured, problem);
	}
	load_stop(&load);
	return r;
}

static void print_range(const struct summary *summary)
{
	char range[40];

	snprintf(range, sizeof(range), "(%+.1f..%+.1f)", summary->low, summary->high);
	printf(" %+7.1f %-17s", summary->median, range);
}

enum verdict { PASSED, MISSED, UNTOLD, BUSY };

/* Missed is what is over by more than can be told. */
static enum verdict judge(const struct row *row, const struct measured *measured)
{
	struct summary inside = summarise(&measured->inside);
	double over = inside.median - row->ns;

	if (measured->inside.n < ROUNDS_MIN)
		return BUSY;
	if (over <= 0)
		return PASSED;
	return over <= summary_noise(&inside) ? UNTOLD : MISSED;
}

static const char *const words[] = {"PASS", "over", "noise", "busy"};

static void print_row(const struct row *row, const struct measured *measured)
{
	struct summary inside = summarise(&measured->inside);
	struct summary outside = summarise(&measured->outside);

	printf("%-26s", row->name);
	if (measured->inside.n)
		print_range(&inside);
	else
		printf(" %7s %-17s", "-", "");
	if (row->ns > 0)
		printf(" %+6.0f %-5s", row->ns, words[judge(row, measured)]);
	else
		printf(" %6s %-5s", "-", "");
	if (measured->outside.n)
		print_range(&outside);
	else
		printf(" %7s %-17s", "-", "");
	printf(" %5.1f %6zu\n", summarise(&measured->empty).median, measured->inside.n);
}

static bool print_rows(const struct measured *measured)
{
	bool busy = false, missed = false;

	printf("%-26s %-25s %6s %-5s %-25s %s\n", "ns over an empty program",
		" timed by the kernel", "target", "", " from outside", "empty rounds");
	for (size_t i = 0; i < ROWS; i++) {
		print_row(&rows[i], &measured[i]);
		busy |= rows[i].ns > 0 && judge(&rows[i], &measured[i]) == BUSY;
		missed |= rows[i].ns > 0 && judge(&rows[i], &measured[i]) == MISSED;
	}
	if (busy)
		printf("busy: NOT JUDGED, the host's other work left fewer than %d quiet rounds\n",
			ROUNDS_MIN);
	return missed;
}

/* By medians, less what cannot be told. */
static enum verdict judge_share(const struct measured *measured, size_t i)
{
	struct summary own = summarise(&measured->whole[TRACER_OBSERVER]);
	struct summary tool = summarise(&measured->whole[shares[i].tool]);
	double over = own.median - shares[i].share * tool.median;

	if (over <= 0)
		return PASSED;
	return over <= summary_noise(&own) ? UNTOLD : MISSED;
}

static bool print_whole(const struct measured *measured)
{
	struct summary base = summarise(&measured->whole[TRACER_NONE]);
	struct summary own = summarise(&measured->whole[TRACER_OBSERVER]);
	bool missed = false;

	printf("\nWhole cost of a switch of the host task, ns over the %.0f that it takes with "
	       "nothing attached\n",
		base.median);
	for (int kind = TRACER_EMPTY; kind < TRACERS; kind++) {
		struct summary summary = summarise(&measured->whole[kind]);

		printf("%-26s", tracer_name((enum tracer_kind)kind));
		if (measured->whole[kind].n)
			print_range(&summary);
		else
			printf(" not on this host");
		printf("\n");
	}
	for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
		double tool = summarise(&measured->whole[shares[i].tool]).median;

		if (!measured->whole[shares[i].tool].n)
			continue;
		printf("the observer's is %.2f of %s's, at most %.2f: %s\n",
			own.median / tool, tracer_name(shares[i].tool), shares[i].share,
			words[judge_share(measured, i)]);
		missed |= judge_share(measured, i) == MISSED;
	}
	return missed;
}

static int bench(
	const struct options *options, const int cpus[2], struct problem *problem)
{
	static struct measured measured[ROWS];
	struct utsname host;
	bool missed;
	int r = 0;

	for (size_t i = 0; !r && i < ROWS; i++)
		r = measure(&rows[i], options, cpus, &measured[i], problem);
	if (r)
		return r;
	uname(&host);
	printf("Cost of a sched_switch on CPU %d, Linux %s, %llu rounds of %llu ms; medians "
	       "(quartiles)\n\n",
		cpus[1], host.release, (unsigned long long)options->rounds,
		(unsigned long long)options->ms);
	missed = print_rows(measured);
	missed |= print_whole(&measured[ROW_WHOLE]);
	return missed ? EXIT_MISSED : 0;
}

/* The first CPU and the last that we may use: interrupts tend to be on the first. */
static int choose_cpus(int ret_cpus[2])
{
	cpu_set_t set, first;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			ret_cpus[n++ ? 1 : 0] = cpu;
	if (n < 2)
		return -ENODEV;
	CPU_ZERO(&first);
	CPU_SET(ret_cpus[0], &first);
	return sched_setaffinity(0, sizeof(first), &first) ? -errno : 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;

	if (key == 'r' &&
		(parse_u64(text, ROUNDS_MAX, &options->rounds) || !options->rounds))
		argp_error(state, "rounds: 1 to %d", ROUNDS_MAX);
	if (key == 't' && (parse_u64(text, 60000, &options->ms) || options->ms < 10))
		argp_error(state, "ms: 10 to 60000");
	return key == 'r' || key == 't' ? 0 : ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"rounds", 'r', "N", 0, "rounds of each measurement (15)", 0},
		{"ms", 't', "MS", 0, "length of a round (300)", 0},
		{},
	};
	static const struct argp parser = {.options = list,
		.parser = parse_option,
		.doc = "What the observer costs."};
	struct options options = {.rounds = 15, .ms = 300};
	struct sigaction action = {.sa_handler = on_signal};
	struct problem problem = {};
	int cpus[2], r;

	argp_parse(&parser, argc, argv, 0, NULL, &options);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	r = choose_cpus(cpus);
	if (!r)
		r = tracers_init(&problem);
	if (!r)
		r = bench(&options, cpus, &problem);
	if (r >= 0)
		return r;
	fprintf(stderr, "bench: %s\n", problem.text[0] ? problem.text : strerror(-r));
	return EXIT_BROKEN;
}
