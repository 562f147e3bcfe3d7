// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/options.h"

const char *argp_program_version = "cpuwarden " CPUWARDEN_VERSION;

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

static void fail_usage(const struct verb *verb, struct argp_state *state)
{
	argp_error(state, "usage: cpuwarden %s %s", verb->name, verb->args);
}

static void check_request(const struct request *request, struct argp_state *state)
{
	const struct verb *verb = request->verb;

	if (!verb)
		argp_error(state, "a verb is missing; `cpuwarden --help` lists them");
	if (request->n_args < verb->min_args)
		fail_usage(verb, state);
	if (option_refused(request, verb))
		argp_error(state, "%s takes no --%s", verb->name,
			option_refused(request, verb));
	if ((verb->options & OPTION_COMMAND) && !request->command)
		fail_usage(verb, state);
	/* One VM, named either way. */
	if ((verb->options & OPTION_LIMITS) && request->n_args + request->vms.n > 1)
		fail_usage(verb, state);
	/* With --verify, --json says in which form the result is. */
	if ((verb->options & OPTION_REPORT) &&
		(request->html ? request->json || request->verify
			       : !request->json && !request->verify))
		argp_error(state, "report takes one of --html, --json and --verify");
	if ((verb->options & OPTION_ALL) &&
		request->all + request->host + (request->n_args > 0) != 1)
		fail_usage(verb, state);
}

static void take_verb(struct request *request, const char *name, struct argp_state *state)
{
	request->verb = find_verb(name);
	if (!request->verb)
		argp_error(state, "there is no verb '%s'", name);
	options_for(request->verb);
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
	struct request *request = state->input;
	struct problem problem;

	if (key == ARGP_KEY_ARG)
		take_argument(request, arg, state);
	else if (key == ARGP_KEY_END)
		check_request(request, state);
	else if (!option_is_key(key))
		return ARGP_ERR_UNKNOWN;
	else if (option_take(request, key, arg, &problem))
		argp_error(state, "%s", problem.text);
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
	const struct request *request = input;
	char *filled = NULL;
	size_t size;
	FILE *to;

	if (request && request->verb)
		return help_of_verb(request->verb, key, text);
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
		.folders = {.etc = "/etc/cpuwarden", .run = "/run/cpuwarden"},
		.events = "/var/log/cpuwarden/events.jsonl",
		.delay_ms = 2000};
	const struct argp argp = {options_for(NULL), parse, "VERB [ARGS]",
		"Places, proves and repairs the CPU placement of QEMU virtual machines.\v.",
		NULL, help, NULL};
	struct problem problem;

	argp_err_exit_status = EXIT_USAGE;
	/* In order: the help is of the verb before it. */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
	if (request.verb->root && cli_check_privileges(&request, &problem))
		return cli_fail(&problem);
	return request.verb->run(&request);
}
