/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A report of a host that is not there, as large as wanted. The same each time. */
#include <json-c/json.h>
#include <stdbool.h>

#include "user/model/counters.h"

struct fixture {
	unsigned int cpus, vms, vcpus; /* vCPUs of each VM; CPUs 0 and 1 are the host's */
	unsigned int violations;       /* kept in events.jsonl; 0: there is none */
	bool clean;		       /* nothing wrong was counted */
	bool absent;		       /* no observer */
	bool hostile;		       /* names that would like to be more than names */
};

#define FIXTURE_HOSTILE "</script><img src=x onerror=alert(1)>&\"'"

/* The caller: counters_deinit(). */
struct counters fixture_counters(const struct fixture *fixture);

/* Not sealed. The caller puts it. */
struct json_object *fixture_report(
	const struct fixture *fixture, const struct counters *counters);
