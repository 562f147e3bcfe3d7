// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/parse.h"
#include "user/cli/cli.h"

const char *argp_program_version = "cpuwarden " CPUWARDEN_VERSION;

enum {
	KEY_JSON = 256,
	KEY_ETC,
	KEY_RUN,
	KEY_ALL,
	KEY_EXPLAIN,
	KEY_REBALANCE,
	KEY_LIVE,
	KEY_CONFIG,
	KEY_WINDOW,
	KEY_MAX_WAIT,
	KEY_MAX_INTERFERENCE,
	KEY_TASKS,
	KEY_HOST,
	KEY_FIX,
	KEY_RELEASE,
	KEY_EVENTS,
	KEYS_END
};

/* A verb that is given hides those that are not its own from its help. */
static struct argp_option options[] = {
	{"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
	{"etc", KEY_ETC, "DIR", 0, "Persistent configuration (/etc/cpuwarden)", 0},
	{"run", KEY_RUN, "DIR", 0, "Runtime configuration and records (/run/cpuwarden)",
		0},
	{"all", KEY_ALL, NULL, 0, "release: everything, and the observer", 0},
	{"explain", KEY_EXPLAIN, "VM", 0, "plan: why this VM gets the CPUs that it gets",
		0},
	{"rebalance", KEY_REBALANCE, NULL, 0,
		"plan, apply: move running VMs where the host gets tidier by it", 0},
	{"live", KEY_LIVE, NULL, 0, "pins: at once, until the VM ends", 0},
	{"config", KEY_CONFIG, NULL, 0, "pins: from the VM's next start on", 0},
	{"window", KEY_WINDOW, "DURATION", 0, "check: the last 30s, 5m, 2h, 1d", 0},
	{"max-wait-p99", KEY_MAX_WAIT, "DURATION", 0,
		"check: WARNING where a vCPU's 99th percentile of waits is longer", 0},
	{"max-interference", KEY_MAX_INTERFERENCE, "PERCENT", 0,
		"check: WARNING where the kernel takes more of a reserved CPU", 0},
	{"tasks", KEY_TASKS, NULL, 0, "cpus: the threads last seen on each", 0},
	{"host", KEY_HOST, NULL, 0, "release: what hostcheck --fix has changed", 0},
	{"fix", KEY_FIX, NULL, 0, "hostcheck: mend what can be mended now", 0},
	{"release", KEY_RELEASE, NULL, 0, "daemon: give everything back when stopped", 0},
	{"events", KEY_EVENTS, "FILE", 0,
		"daemon: events (/var/log/cpuwarden/events.jsonl)", 0},
	{},
};

/* What options come to, by key less KEY_JSON. */
static const struct {
	size_t flag;	     /* that it sets, in struct request; 0: it has a value */
	unsigned int option; /* for verbs that have this; 0: for all */
} meanings[KEYS_END - KEY_JSON] = {
#define FLAG(member) offsetof(struct request, member)
	[KEY_JSON - KEY_JSON] = {FLAG(json), 0},
	[KEY_ALL - KEY_JSON] = {FLAG(all), OPTION_ALL},
	[KEY_EXPLAIN - KEY_JSON] = {0, OPTION_EXPLAIN},
	[KEY_REBALANCE - KEY_JSON] = {FLAG(asking.rebalance), OPTION_REBALANCE},
	[KEY_LIVE - KEY_JSON] = {FLAG(live), OPTION_LIVE},
	[KEY_CONFIG - KEY_JSON] = {FLAG(config), OPTION_LIVE},
	[KEY_WINDOW - KEY_JSON] = {0, OPTION_VERDICT},
	[KEY_MAX_WAIT - KEY_JSON] = {0, OPTION_VERDICT},
	[KEY_MAX_INTERFERENCE - KEY_JSON] = {0, OPTION_VERDICT},
	[KEY_TASKS - KEY_JSON] = {FLAG(tasks), OPTION_TASKS},
	[KEY_HOST - KEY_JSON] = {FLAG(host), OPTION_HOST},
	[KEY_FIX - KEY_JSON] = {FLAG(fix), OPTION_FIX},
	[KEY_RELEASE - KEY_JSON] = {FLAG(release), OPTION_DAEMON},
	[KEY_EVENTS - KEY_JSON] = {0, OPTION_DAEMON},
#undef FLAG
};

struct command_line {
	struct request request;
	unsigned int given; /* options: a bit each, as in `meanings` */
};

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (!strcmp(verb->name, name))
			return verb;
	return NULL;
}

static void list_verbs(FILE *to)
{
	for (const struct verb *verb = verbs; verb->name; verb++) {
		char head[64];

		snprintf(head, sizeof(head), "%s %s", verb->name, verb->args);
		fprintf(to, "  %-28s %s\n", head, verb->summary);
	}
}

struct unit_of_time {
	const char *suffix;
	uint64_t ns;
};

static const struct unit_of_time window_units[] = {{"", 1000000000}, {"s", 1000000000},
	{"m", 60 * UINT64_C(1000000000)}, {"h", 3600 * UINT64_C(1000000000)},
	{"d", 86400 * UINT64_C(1000000000)}, {}};
static const struct unit_of_time wait_units[] = {
	{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {}};

static int parse_duration(
	const char *text, const struct unit_of_time *units, uint64_t *ret_ns)
{
	const char *end;
	uint64_t value;

	if (parse_u64_prefix(text, 1000000, &end, &value) || !value)
		return -EINVAL;
	for (; units->suffix; units++)
		if (!strcmp(end, units->suffix)) {
			*ret_ns = value * units->ns;
			return 0;
		}
	return -EINVAL;
}

/* `1`, `0.5`, `0.05%`: to a ten-thousandth of a percent. */
static int parse_percent(const char *text, uint64_t *ret_ppm)
{
	uint64_t whole, part = 0;
	const char *end, *digits;

	if (parse_u64_prefix(text, 100, &end, &whole))
		return -EINVAL;
	if (*end == '.') {
		digits = end + 1;
		if (parse_u64_prefix(digits, 9999, &end, &part) || end - digits > 4)
			return -EINVAL;
		for (ptrdiff_t i = end - digits; i < 4; i++)
			part *= 10;
	}
	*ret_ppm = whole * 10000 + part;
	return (*end && strcmp(end, "%") != 0) || !*ret_ppm ? -EINVAL : 0;
}

static bool takes(const struct verb *verb, const struct argp_option *option)
{
	/* What follows is another program's, and so is what is printed. */
	if (option->key == KEY_JSON)
		return !(verb->options & (OPTION_COMMAND | OPTION_DAEMON));
	return !(meanings[option->key - KEY_JSON].option & ~verb->options);
}

static void fail_usage(const struct verb *verb, struct argp_state *state)
{
	argp_error(state, "usage: cpuwarden %s %s", verb->name, verb->args);
}

static void check_request(
	const struct request *request, unsigned int given, struct argp_state *state)
{
	const struct verb *verb = request->verb;

	if (!verb)
		argp_error(state, "a verb is missing; `cpuwarden --help` lists them");
	if (request->n_args < verb->min_args)
		fail_usage(verb, state);
	for (const struct argp_option *option = options; option->name; option++) {
		unsigned int i = (unsigned int)option->key - KEY_JSON;

		if ((given & 1u << i) && !takes(verb, option))
			argp_error(state, "%s takes no --%s", verb->name, option->name);
	}
	if ((verb->options & OPTION_COMMAND) && !request->command)
		fail_usage(verb, state);
	if ((verb->options & OPTION_ALL) &&
		request->all + request->host + (request->n_args > 0) != 1)
		fail_usage(verb, state);
}

static void take_limit(
	struct request *request, int key, const char *arg, struct argp_state *state)
{
	struct limits *limits = &request->limits;

	if (key == KEY_WINDOW && parse_duration(arg, window_units, &request->window_ns))
		argp_error(
			state, "--window takes a number and s, m, h or d, not '%s'", arg);
	if (key == KEY_MAX_WAIT && parse_duration(arg, wait_units, &limits->wait_p99_ns))
		argp_error(state,
			"--max-wait-p99 takes a number and ns, us, ms or s, not '%s'",
			arg);
	if (key == KEY_MAX_INTERFERENCE && parse_percent(arg, &limits->interference_ppm))
		argp_error(state,
			"--max-interference takes a percentage from 0.0001 to 100, not '%s'",
			arg);
}

static void take_option(
	struct command_line *line, int key, char *arg, struct argp_state *state)
{
	struct request *request = &line->request;
	unsigned int i = (unsigned int)key - KEY_JSON;

	line->given |= 1u << i;
	if (meanings[i].flag)
		*(bool *)((char *)request + meanings[i].flag) = true;
	else if (key == KEY_ETC)
		request->folders.etc = arg;
	else if (key == KEY_RUN)
		request->folders.run = arg;
	else if (key == KEY_EXPLAIN)
		request->asking.explain = arg;
	else if (key == KEY_EVENTS)
		request->events = arg;
	else
		take_limit(request, key, arg, state);
}

static void take_verb(struct request *request, const char *name, struct argp_state *state)
{
	request->verb = find_verb(name);
	if (!request->verb)
		argp_error(state, "there is no verb '%s'", name);
	for (struct argp_option *option = options; option->name; option++)
		if (!takes(request->verb, option))
			option->flags |= OPTION_HIDDEN;
}

static void take_argument(struct request *request, char *arg, struct argp_state *state)
{
	const struct verb *verb = request->verb;

	if (!verb) {
		take_verb(request, arg, state);
	} else if (request->n_args < verb->max_args) {
		request->args[request->n_args++] = arg;
	} else if (verb->options & OPTION_COMMAND) {
		request->command = &state->argv[state->next - 1];
		state->next = state->argc;
	} else {
		fail_usage(verb, state);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;

	if (key == ARGP_KEY_ARG)
		take_argument(&line->request, arg, state);
	else if (key == ARGP_KEY_END)
		check_request(&line->request, line->given, state);
	else if (key >= KEY_JSON && key < KEYS_END)
		take_option(line, key, arg, state);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

/* As argp wants it: `text`, or what it frees. */
static char *help_of_verb(const struct verb *verb, int key, const char *text)
{
	const char *said;
	char *filled = NULL;
	int r = 0;

	if (key == ARGP_KEY_HELP_ARGS_DOC)
		r = asprintf(&filled, "%s%s%s", verb->name, *verb->args ? " " : "",
			verb->args);
	else if (key == ARGP_KEY_HELP_PRE_DOC)
		filled = strdup(verb->summary);
	else if (key == ARGP_KEY_HELP_POST_DOC)
		r = asprintf(&filled, "More is in cpuwarden-%s(8).", verb->name);
	else if (text && (said = strstr(text, ": "))) /* after whose option it is */
		filled = strdup(said + strlen(": "));
	return r >= 0 && filled ? filled : (char *)text;
}

static char *help(int key, const char *text, void *input)
{
	const struct command_line *line = input;
	char *filled = NULL;
	size_t size;
	FILE *to;

	if (line && line->request.verb)
		return help_of_verb(line->request.verb, key, text);
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	to = open_memstream(&filled, &size);
	if (!to)
		return (char *)text;
	fprintf(to, "Verbs:\n");
	list_verbs(to);
	fclose(to);
	return filled;
}

int main(int argc, char **argv)
{
	struct command_line line = {
		.request.folders = {.etc = "/etc/cpuwarden", .run = "/run/cpuwarden"},
		.request.events = "/var/log/cpuwarden/events.jsonl"};
	const struct request *request = &line.request;
	const struct argp argp = {options, parse, "VERB [ARGS]",
		"Places, proves and repairs the CPU placement of QEMU virtual machines.\v.",
		NULL, help, NULL};
	struct problem problem;

	argp_err_exit_status = EXIT_USAGE;
	/* In order: the help is of the verb before it. */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &line);
	if (request->verb->root && cli_check_privileges(request, &problem))
		return cli_fail(&problem);
	return request->verb->run(request);
}
