// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/cli/options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "user/base/parse.h"

enum kind {
	IS_FLAG,
	IS_TEXT,
	IS_LIST, /* of texts: it may be given several times */
	IS_WINDOW,
	IS_WAIT,
	IS_PERCENT,
	IS_DELAY,
};

static const struct {
	char letter;		  /* 0: none */
	const char *name, *value; /* value: what it is called, NULL for none */
	enum kind kind;
	size_t member;	    /* of struct request */
	unsigned int verbs; /* those that have this in `options`; 0: all */
	unsigned int but;   /* and not those that have this */
	const char *help;   /* `VERBS: what it does`, or what it does for all */
} rows[] = {
#define TO(member) offsetof(struct request, member)
	/* What another program prints is no object, and metrics have their own form. */
	{0, "json", NULL, IS_FLAG, TO(json), 0,
		OPTION_COMMAND | OPTION_DAEMON | OPTION_METRICS, "Print one JSON object"},
	{0, "etc", "DIR", IS_TEXT, TO(folders.etc), 0, 0,
		"Persistent configuration (/etc/cpuwarden)"},
	{0, "run", "DIR", IS_TEXT, TO(folders.run), 0, 0,
		"Runtime configuration and records (/run/cpuwarden)"},
	{0, "all", NULL, IS_FLAG, TO(all), OPTION_ALL, 0,
		"release: everything, and the observer"},
	{0, "explain", "VM", IS_TEXT, TO(asking.explain), OPTION_EXPLAIN, 0,
		"plan: why this VM gets the CPUs that it gets"},
	{0, "rebalance", NULL, IS_FLAG, TO(asking.rebalance), OPTION_REBALANCE, 0,
		"plan, apply: move running VMs where the host gets tidier by it"},
	{0, "live", NULL, IS_FLAG, TO(live), OPTION_LIVE, 0,
		"pins: at once, until the VM ends"},
	{0, "config", NULL, IS_FLAG, TO(config), OPTION_LIVE, 0,
		"pins: from the VM's next start on"},
	{0, "window", "DURATION", IS_WINDOW, TO(window_ns), OPTION_WINDOW, 0,
		"check, report: the last 30s, 5m, 2h, 1d"},
	{0, "max-wait-p99", "DURATION", IS_WAIT, TO(limits.wait_p99_ns), OPTION_LIMITS, 0,
		"check: WARNING where a vCPU's 99th percentile of waits is longer"},
	{0, "max-interference", "PERCENT", IS_PERCENT, TO(limits.interference_ppm),
		OPTION_LIMITS, 0,
		"check: WARNING where the kernel takes more of a reserved CPU"},
	{'d', "delay", "SECONDS", IS_DELAY, TO(delay_ms), OPTION_TOP, 0,
		"top: between readings (2)"},
	{'1', "once", NULL, IS_FLAG, TO(once), OPTION_TOP, 0, "top: print one screen"},
	{0, "record", "FILE", IS_TEXT, TO(record), OPTION_TOP, 0,
		"top: append what is read to it"},
	{0, "replay", "FILE", IS_TEXT, TO(replay), OPTION_TOP, 0,
		"top: show what was recorded"},
	{0, "tasks", NULL, IS_FLAG, TO(tasks), OPTION_TASKS, 0,
		"cpus: the threads last seen on each"},
	{0, "host", NULL, IS_FLAG, TO(host), OPTION_HOST, 0,
		"release: what hostcheck --fix has changed"},
	{0, "fix", NULL, IS_FLAG, TO(fix), OPTION_FIX, 0,
		"hostcheck: mend what can be mended now"},
	{0, "release", NULL, IS_FLAG, TO(release), OPTION_DAEMON, 0,
		"daemon: give everything back when stopped"},
	{0, "events", "FILE", IS_TEXT, TO(events), OPTION_EVENTS, 0,
		"daemon, events, report: where events are (/var/log/cpuwarden/events.jsonl)"},
	{0, "textfile", "FILE", IS_TEXT, TO(textfile), OPTION_METRICS, 0,
		"metrics: replace FILE, for node_exporter's textfile collector"},
	{0, "html", "FILE", IS_TEXT, TO(html), OPTION_REPORT, 0,
		"report: write a page; - is standard output"},
	{0, "verify", "FILE", IS_TEXT, TO(verify), OPTION_REPORT, 0,
		"report: compute again what a page or JSON says"},
	{'f', "follow", NULL, IS_FLAG, TO(follow), OPTION_CHOICE, 0,
		"events: the latest, and what comes"},
	{0, "since", "TIME", IS_TEXT, TO(since), OPTION_CHOICE, 0,
		"events: none before that"},
	{0, "until", "TIME", IS_TEXT, TO(until), OPTION_CHOICE, 0,
		"events: none after that"},
	{0, "vm", "VM", IS_LIST, TO(vms), OPTION_CHOICE | OPTION_LIMITS, 0,
		"check, events: this VM only"},
	{0, "class", "CLASS", IS_LIST, TO(classes), OPTION_CHOICE, 0,
		"events: such as drift,foreign only"},
#undef TO
};

enum { ROWS = sizeof(rows) / sizeof(*rows), FIRST_KEY = 256 };

_Static_assert(ROWS <= 8 * sizeof(((struct request *)NULL)->given), "a bit each");

static int key_of(size_t row)
{
	return rows[row].letter ? rows[row].letter : FIRST_KEY + (int)row;
}

/* ROWS: it is none. */
static size_t find_row(int key)
{
	size_t row = 0;

	while (row < ROWS && key_of(row) != key)
		row++;
	return row;
}

bool option_is_key(int key)
{
	return find_row(key) < ROWS;
}

static bool takes(const struct verb *verb, size_t row)
{
	return !(rows[row].but & verb->options) &&
	       (!rows[row].verbs || (rows[row].verbs & verb->options));
}

struct argp_option *options_for(const struct verb *verb)
{
	static struct argp_option options[ROWS + 1];

	for (size_t row = 0; row < ROWS; row++)
		options[row] = (struct argp_option){.name = rows[row].name,
			.key = key_of(row),
			.arg = rows[row].value,
			.flags = verb && !takes(verb, row) ? OPTION_HIDDEN : 0,
			.doc = rows[row].help};
	return options;
}

static int take_value(size_t row, void *member, const char *value)
{
	struct values *values = member;

	switch (rows[row].kind) {
	case IS_FLAG:
		*(bool *)member = true;
		return 0;
	case IS_TEXT:
		*(const char **)member = value;
		return 0;
	case IS_LIST:
		if (values->n == VALUES_MAX)
			return -E2BIG;
		values->items[values->n++] = value;
		return 0;
	case IS_WINDOW:
		return parse_duration(value, member);
	case IS_WAIT:
		return parse_short_duration(value, member);
	case IS_PERCENT:
		return parse_percent(value, member);
	case IS_DELAY:
		return parse_delay(value, member);
	}
	return -EINVAL;
}

static const char *allowed(enum kind kind)
{
	switch (kind) {
	case IS_WINDOW:
		return "a number and s, m, h or d";
	case IS_WAIT:
		return "a number and ns, us, ms or s";
	case IS_PERCENT:
		return "a percentage from 0.0001 to 100";
	case IS_DELAY:
		return "0.1 to 3600 seconds";
	default:
		return "fewer values";
	}
}

int option_take(
	struct request *request, int key, const char *value, struct problem *problem)
{
	size_t row = find_row(key);

	request->given |= UINT64_C(1) << row;
	if (take_value(row, (char *)request + rows[row].member, value))
		return problem_set(problem, -EINVAL, "--%s takes %s, not '%s'",
			rows[row].name, allowed(rows[row].kind), value);
	return 0;
}

const char *option_refused(const struct request *request, const struct verb *verb)
{
	for (size_t row = 0; row < ROWS; row++)
		if ((request->given & UINT64_C(1) << row) && !takes(verb, row))
			return rows[row].name;
	return NULL;
}
