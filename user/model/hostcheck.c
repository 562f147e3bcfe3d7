// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A row is judged by what is so at present, never by the kernel's version. Where the
 * kernel does not show an effect (pulled timers), a file that came with the change tells.
 */
#include "user/model/hostcheck.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/model/hostcheck_parts.h"

char *text_of(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

void add_row(struct judging *judging, const struct subject *subject,
	const struct cpuset *cpus, enum check_state state, char *found,
	const char *meaning, char *remedy)
{
	struct hostcheck *check = judging->check;
	struct check_row *row = NULL;

	if (!cpuset_empty(cpus)) {
		row = found ? array_push(&check->rows, &check->n_rows) : NULL;
		judging->nomem |= !row;
	}
	if (!row) {
		free(found);
		free(remedy);
		return;
	}
	*row = (struct check_row){
		.subject = subject->name,
		.cpus = *cpus,
		.state = state,
		.found = found,
		.meaning = meaning,
		.remedy = remedy,
		.source = subject->source,
		.documented = subject->documented,
	};
}

void add_plain(struct judging *judging, const struct subject *subject,
	enum check_state state, const char *found, const char *meaning,
	const char *remedy)
{
	add_row(judging, subject, &judging->reserved->cpus, state, strdup(found), meaning,
		remedy ? strdup(remedy) : NULL);
}

bool add_unless_known(struct judging *judging, const struct subject *subject,
	enum fact_state state, const char *absent)
{
	if (state == FACT_UNREAD)
		add_plain(judging, subject, CHECK_UNKNOWN, "cannot be read",
			"Nothing is known about this.", NULL);
	if (state == FACT_ABSENT)
		add_plain(judging, subject, CHECK_NOT_APPLICABLE, "no such file", absent,
			NULL);
	return state != FACT_KNOWN;
}

struct cpuset cpus_in(const struct cpuset *cpus, const struct cpuset *set)
{
	struct cpuset both = *cpus;

	cpuset_and(&both, set);
	return both;
}

struct cpuset cpus_not_in(const struct cpuset *cpus, const struct cpuset *set)
{
	struct cpuset rest = *cpus;

	cpuset_andnot(&rest, set);
	return rest;
}

struct cpuset cpus_mixed(const struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	struct cpuset mixed = {};

	cpuset_for_each (cpu, &judging->reserved->cpus)
		if ((size_t)cpu < facts->n_spans &&
			!cpuset_subset(&facts->spans[cpu], &judging->reserved->cpus))
			cpuset_add(&mixed, (unsigned int)cpu);
	return mixed;
}

int hostcheck_compute(const struct host_facts *facts, const struct reserved *reserved,
	const struct topology *topology, struct hostcheck *ret_check)
{
	struct hostcheck check = {};
	struct judging judging = {.facts = facts,
		.reserved = reserved,
		.topology = topology,
		.check = &check};

	judge_partition(&judging);
	judge_boot(&judging);
	judge_interrupts(&judging);
	judge_host(&judging);
	if (judging.nomem) {
		hostcheck_deinit(&check);
		return -ENOMEM;
	}
	*ret_check = check;
	return 0;
}

void hostcheck_deinit(struct hostcheck *check)
{
	for (size_t i = 0; i < check->n_rows; i++) {
		free(check->rows[i].found);
		free(check->rows[i].remedy);
	}
	free(check->rows);
	memset(check, 0, sizeof(*check));
}

const char *check_state_name(enum check_state state)
{
	static const char *const names[] = {
		[CHECK_OK] = "ok",
		[CHECK_FIXABLE] = "fixable",
		[CHECK_NEEDS_BOOT] = "needs_boot",
		[CHECK_WARNING] = "warning",
		[CHECK_UNKNOWN] = "unknown",
		[CHECK_NOT_APPLICABLE] = "not_applicable",
	};

	return names[state];
}

bool hostcheck_has(const struct hostcheck *check, enum check_state state)
{
	for (size_t i = 0; i < check->n_rows; i++)
		if (check->rows[i].state == state)
			return true;
	return false;
}
