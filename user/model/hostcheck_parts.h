/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the judgement (hostcheck.h): a part for each kind of row, and what they
 * share. */
#include "user/model/hostcheck.h"

#define DOC(file) "Documentation/" file
#define DOC_CPUSET DOC("admin-guide/cgroup-v2.rst")
#define DOC_BOOT DOC("admin-guide/kernel-parameters.txt")
#define DOC_SYSCTL DOC("admin-guide/sysctl/kernel.rst")
#define DOC_IRQ DOC("core-api/irq/irq-affinity.rst")

/* What all rows of a subject have in common. */
struct subject {
	const char *name, *source, *documented;
};

struct judging {
	const struct host_facts *facts;
	const struct reserved *reserved;
	const struct topology *topology;
	struct hostcheck *check;
	bool nomem;
};

void judge_partition(struct judging *judging);
void judge_boot(struct judging *judging);
void judge_interrupts(struct judging *judging);
void judge_host(struct judging *judging);

/* The caller frees; NULL: no memory. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Adds a row, unless there is no CPU that it is about. Takes `found` and `remedy`, which
 * may be NULL for lack of memory; a remedy also where there is none.
 */
void add_row(struct judging *judging, const struct subject *subject,
	const struct cpuset *cpus, enum check_state state, char *found,
	const char *meaning, char *remedy);

/* As add_row() for all CPUs that are judged, with texts that are not owned. */
void add_plain(struct judging *judging, const struct subject *subject,
	enum check_state state, const char *found, const char *meaning,
	const char *remedy);

/*
 * For a fact that is not KNOWN: adds its row, as UNKNOWN or NOT_APPLICABLE with what its
 * absence means. False where it is known.
 */
bool add_unless_known(struct judging *judging, const struct subject *subject,
	enum fact_state state, const char *absent);

/* The CPUs of `cpus` that are in / not in `set`. */
struct cpuset cpus_in(const struct cpuset *cpus, const struct cpuset *set);
struct cpuset cpus_not_in(const struct cpuset *cpus, const struct cpuset *set);

/* CPUs that are in a sched domain with one that is not judged. */
struct cpuset cpus_mixed(const struct judging *judging);
