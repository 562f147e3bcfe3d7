// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/cli/hostcheck_parts.h"

#include "user/host/isolation.h"
#include "user/host/kernel_threads.h"
#include "user/store/mended.h"

int hostcheck_facts(const char *run, struct host_facts *facts, struct mends *mends,
	struct problem *problem)
{
	struct fact_cpus *threads = &facts->kernel_threads;
	int r;

	host_facts_deinit(facts);
	r = host_facts_read(facts, problem);
	if (r)
		return r;
	if (!kernel_threads_affinity(&threads->cpus))
		threads->state = FACT_KNOWN;
	mends_deinit(mends);
	r = mended_read(run, mends, problem);
	if (!r)
		mends_mark_fixed(mends, facts);
	return r;
}

struct json_object *hostcheck_row_json(const struct check_row *row)
{
	struct json_object *json = json_object_new_object();

	cli_json_string(json, "subject", row->subject);
	cli_json_cpus(json, "cpus", &row->cpus);
	cli_json_string(json, "state", check_state_name(row->state));
	cli_json_string(json, "found", row->found);
	cli_json_string(json, "meaning", row->meaning);
	cli_json_string(json, "remedy", row->remedy);
	cli_json_string(json, "source", row->source);
	cli_json_string(json, "documented", row->documented);
	return json;
}
