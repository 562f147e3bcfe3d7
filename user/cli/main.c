// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
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
	KEY_WINDOW,
	KEY_EXPLAIN,
	KEY_REBALANCE,
	KEY_TASKS,
	KEY_LIVE,
	KEY_CONFIG,
	KEY_HOST,
	KEY_FIX
};

static const struct argp_option options[] = {
	{"json", KEY_JSON, NULL, 0, "Print one JSON object", 0},
	{"etc", KEY_ETC, "DIR", 0, "Persistent configuration (/etc/cpuwarden)", 0},
	{"run", KEY_RUN, "DIR", 0, "Runtime configuration and records (/run/cpuwarden)",
		0},
	{"all", KEY_ALL, NULL, 0, "release: everything, and the observer", 0},
	{"explain", KEY_EXPLAIN, "VM", 0, "plan: why this VM gets the CPUs that it gets",
		0},
	{"rebalance", KEY_REBALANCE, NULL, 0,
		"plan, apply: move running VMs where the host gets tidier by it", 0},
	{"tasks", KEY_TASKS, NULL, 0, "cpus: the threads last seen on each", 0},
	{"live", KEY_LIVE, NULL, 0, "pins: at once, until the VM ends", 0},
	{"config", KEY_CONFIG, NULL, 0, "pins: from the VM's next start on", 0},
	{"host", KEY_HOST, NULL, 0, "release: what hostcheck --fix has changed", 0},
	{"fix", KEY_FIX, NULL, 0, "hostcheck: mend what can be mended now", 0},
	{"window", KEY_WINDOW, "DURATION", 0, "check: the last 30s, 5m, 2h, 1d", 0},
	{},
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

static int parse_window(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *suffix;
		uint64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	const char *end;
	uint64_t value;

	if (parse_u64_prefix(text, 1000000, &end, &value) || !value)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(end, units[i].suffix)) {
			*ret_ns = value * units[i].seconds * 1000000000;
			return 0;
		}
	return -EINVAL;
}

static void check_request(const struct request *request, struct argp_state *state)
{
	const struct verb *verb = request->verb;

	if (!verb)
		argp_error(state, "a verb is missing; `cpuwarden --help` lists them");
	if (request->n_args < verb->min_args)
		argp_error(state, "usage: cpuwarden %s %s", verb->name, verb->args);
	if (request->all && !(verb->options & OPTION_ALL))
		argp_error(state, "%s takes no --all", verb->name);
	if (request->asking.explain && !(verb->options & OPTION_EXPLAIN))
		argp_error(state, "%s takes no --explain", verb->name);
	if (request->asking.rebalance && !(verb->options & OPTION_REBALANCE))
		argp_error(state, "%s takes no --rebalance", verb->name);
	if ((request->live || request->config) && !(verb->options & OPTION_LIVE))
		argp_error(state, "%s takes no --%s", verb->name,
			request->live ? "live" : "config");
	if (request->window_ns && !(verb->options & OPTION_WINDOW))
		argp_error(state, "%s takes no --window", verb->name);
	if (request->tasks && !(verb->options & OPTION_TASKS))
		argp_error(state, "%s takes no --tasks", verb->name);
	if ((verb->options & OPTION_COMMAND) && (!request->command || request->json))
		argp_error(state, "usage: cpuwarden %s %s", verb->name, verb->args);
	if (request->host && !(verb->options & OPTION_HOST))
		argp_error(state, "%s takes no --host", verb->name);
	if (request->fix && !(verb->options & OPTION_FIX))
		argp_error(state, "%s takes no --fix", verb->name);
	if ((verb->options & OPTION_ALL) &&
		request->all + request->host + (request->n_args > 0) != 1)
		argp_error(state, "usage: cpuwarden %s %s", verb->name, verb->args);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case KEY_JSON:
		request->json = true;
		return 0;
	case KEY_ETC:
		request->folders.etc = arg;
		return 0;
	case KEY_RUN:
		request->folders.run = arg;
		return 0;
	case KEY_ALL:
		request->all = true;
		return 0;
	case KEY_EXPLAIN:
		request->asking.explain = arg;
		return 0;
	case KEY_REBALANCE:
		request->asking.rebalance = true;
		return 0;
	case KEY_TASKS:
		request->tasks = true;
		return 0;
	case KEY_LIVE:
		request->live = true;
		return 0;
	case KEY_CONFIG:
		request->config = true;
		return 0;
	case KEY_HOST:
		request->host = true;
		return 0;
	case KEY_FIX:
		request->fix = true;
		return 0;
	case KEY_WINDOW:
		if (parse_window(arg, &request->window_ns))
			argp_error(state,
				"--window takes a number and s, m, h or d, not '%s'",
				arg);
		return 0;
	case ARGP_KEY_ARG:
		if (!request->verb) {
			request->verb = find_verb(arg);
			if (!request->verb)
				argp_error(state, "there is no verb '%s'", arg);
		} else if (request->n_args == request->verb->max_args &&
			   request->verb->options & OPTION_COMMAND) {
			request->command = &state->argv[state->next - 1];
			state->next = state->argc;
		} else if (request->n_args == request->verb->max_args) {
			argp_error(state, "usage: cpuwarden %s %s", request->verb->name,
				request->verb->args);
		} else {
			request->args[request->n_args++] = arg;
		}
		return 0;
	case ARGP_KEY_END:
		check_request(request, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *help(int key, const char *text, void *input)
{
	char *filled = NULL;
	size_t size;
	FILE *to;

	(void)input;
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
	struct request request = {
		.folders = {.etc = "/etc/cpuwarden", .run = "/run/cpuwarden"}};
	const struct argp argp = {options, parse, "VERB [ARGS]",
		"Places, proves and repairs the CPU placement of QEMU virtual machines.\v.",
		NULL, help, NULL};
	struct problem problem;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &request);
	if (request.verb->root && cli_check_privileges(&request, &problem))
		return cli_fail(&problem);
	return request.verb->run(&request);
}
