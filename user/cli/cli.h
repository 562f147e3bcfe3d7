/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The command line. A verb is one file and one row of the table in verbs.c. Here alone is
 * printed: results on standard output, sentences on standard error.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/control/cycle.h"
#include "user/model/limits.h"

enum exit_status { EXIT_CHANGES_PENDING = 2, EXIT_USAGE = 64 };

enum { ARGS_MAX = 3 };

enum verb_option {
	OPTION_ALL = 1,
	OPTION_WINDOW = 2,
	OPTION_EXPLAIN = 4,
	OPTION_REBALANCE = 8,
	OPTION_TASKS = 16,
	OPTION_LIVE = 32, /* --live and --config */
	OPTION_HOST = 64,
	OPTION_FIX = 128,
	OPTION_COMMAND = 256, /* a command line of somebody else's follows */
	OPTION_DAEMON = 512,
	OPTION_EVENTS = 1024, /* --events */
	OPTION_LIMITS = 2048,
	OPTION_REPORT = 4096, /* --html and --verify */
	OPTION_TOP = 8192,
	OPTION_METRICS = 16384,
	OPTION_CHOICE = 32768, /* -f, --since, --until, --vm, --class */
};

/* Values of an option that may be given several times. */
enum { VALUES_MAX = 64 };
struct values {
	const char *items[VALUES_MAX];
	unsigned int n;
};

struct request {
	const struct verb *verb;
	struct folders folders;
	bool json;
	bool all;
	struct asking asking;
	bool tasks, host, fix;
	bool live, config;
	bool release;		   /* daemon: when it is stopped */
	const char *events;	   /* where events.jsonl is */
	const char *html, *verify; /* report: files, or NULL */
	const char *textfile;	   /* metrics: NULL for standard output */
	bool follow;		   /* events, as all of these: */
	const char *since, *until; /* NULL: not given */
	struct values vms, classes;
	uint64_t window_ns;
	struct limits limits;
	bool once;
	unsigned int delay_ms;	     /* top: between readings */
	const char *record, *replay; /* top: files, or NULL */
	const char *args[ARGS_MAX];
	unsigned int n_args;
	char *const *command; /* NULL: none; ends with NULL */
	uint64_t given;	      /* options: a bit each, see options.h */
};

struct verb {
	const char *name;
	const char *args;    /* as shown in the help */
	const char *summary; /* one line */
	unsigned int min_args, max_args;
	unsigned int options; /* enum verb_option that it takes */
	bool root; /* needs root; `check` sees to that itself: its verdict is UNKNOWN then
		    */
	int (*run)(const struct request *request);
};

extern const struct verb verbs[];

int verb_plan(const struct request *request);
int verb_apply(const struct request *request);
int verb_release(const struct request *request);
int verb_status(const struct request *request);
int verb_cpus(const struct request *request);
int verb_check(const struct request *request);
int verb_hostcheck(const struct request *request);
int verb_report(const struct request *request);
int verb_vcpupin(const struct request *request);
int verb_emulatorpin(const struct request *request);
int verb_iothreadpin(const struct request *request);
int verb_vcpuinfo(const struct request *request);
int verb_top(const struct request *request);
int verb_exec(const struct request *request);
int verb_daemon(const struct request *request);
int verb_metrics(const struct request *request);
int verb_events(const struct request *request);
int verb_version(const struct request *request);

/* What tells virsh's pin verbs apart. */
struct pin_verb {
	enum thread_class class;
	const char *what, *key; /* in sentences, in JSON; NULL: it has no numbers */
	const char *head;	/* of the table's first column */
	unsigned int max;	/* the highest number */
};

/* `cpuwarden VERB VM [NUMBER] LIST|r`: pins. */
int cli_set_pin(const struct request *request, const struct pin_verb *verb,
	unsigned int index, const char *list);

/* How long whoever changes the host waits for another who does. */
enum { LOCK_SECONDS = 30 };

/* `cpuwarden: SENTENCE` on standard error; returns EXIT_FAILURE. */
int cli_fail(const struct problem *problem);

/* `cpuwarden: VM: SENTENCE` on standard error, without the VM where it is "": what a
 * struct report's `failed` is to do. Nothing is passed in `data`. */
void cli_warn(const char *vm, const char *why, void *data);

/* As cli_fail(), for arguments that make no sense on any host; returns EXIT_USAGE. */
int cli_misused(const struct problem *problem);

/* Refuses anyone but root with the capabilities that all this takes. */
int cli_check_privileges(const struct request *request, struct problem *problem);

/* A new object with "schema": "cpuwarden.VERB/1". */
struct json_object *cli_json(const struct request *request);
void cli_json_print(struct json_object *json); /* and frees it */
void cli_json_string(
	struct json_object *json, const char *key, const char *value); /* NULL: null */
void cli_json_number(struct json_object *json, const char *key, uint64_t value);
void cli_json_cpus(struct json_object *json, const char *key, const struct cpuset *cpus);
void cli_json_tally(struct json_object *json, const char *key, const struct tally *tally);
void cli_json_foreign(struct json_object *json, const struct tally foreign[CAUSE_COUNT]);

/* A column of a table, in which names of VMs stay as they are: a backslash is one. */
struct libscols_table;
void cli_column(struct libscols_table *table, const char *name, int flags);

/* `1.5 ms` */
void cli_duration(uint64_t ns, char *buf, size_t size);
