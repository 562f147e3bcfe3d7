// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/report/tallies.h"

#include "user/model/counters.h"

/* As cause_name(), run_kind_name() and thread_class_name() have them. */
static const char *const causes[] = {"user", "other_vm", "own_vm", "kthread", NULL};
static const char *const kinds[] = {"off_set", "foreign", "bound_kthread", NULL};
static const char *const classes[] = {"vcpu", "emulator", "iothread", "vhost", NULL};

_Static_assert(sizeof(causes) / sizeof(*causes) == CAUSE_COUNT + 1, "causes");
_Static_assert(sizeof(classes) / sizeof(*classes) == THREAD_CLASSES + 1, "classes");
_Static_assert(sizeof(enum cause) == sizeof(unsigned int), "enums are read as numbers");

#define AT(type, member) offsetof(type, member), sizeof(((type *)0)->member), NULL
#define WORD(type, member, words) offsetof(type, member), 0, words
#define U64(type, name, member)                   \
	{                                         \
		name, FIELD_U64, AT(type, member) \
	}
#define TALLY(type, name, member) \
	U64(type, name, member.count), U64(type, name "_ns", member.ns)
#define FOREIGN(type)                                                         \
	TALLY(type, "foreign_user", foreign[CAUSED_BY_USER]),                 \
		TALLY(type, "foreign_other_vm", foreign[CAUSED_BY_OTHER_VM]), \
		TALLY(type, "foreign_own_vm", foreign[CAUSED_BY_OWN_VM]),     \
		TALLY(type, "foreign_kthread", foreign[CAUSED_BY_KTHREAD])
#define FIELDS(name, type)                        \
	const struct fields name = {name##_items, \
		sizeof(name##_items) / sizeof(*name##_items), sizeof(type)}

static const struct field fields_counters_items[] = {
	U64(struct counters, "generation", generation),
	U64(struct counters, "start_ns", start),
	U64(struct counters, "now_ns", now),
	U64(struct counters, "rules_changed_ns", rules_changed),
	U64(struct counters, "lost_events", events_lost),
	U64(struct counters, "unwritten", unwritten),
	U64(struct counters, "unwritten_ns", unwritten_time),
	U64(struct counters, "recursion_misses", recursion_misses),
	U64(struct counters, "culprits_full", culprits_full),
	U64(struct counters, "groups_full", groups_full),
	{"programs", FIELD_UINT, AT(struct counters, programs)},
	{"measures", FIELD_BOOL, AT(struct counters, measures)},
	{"takeover", FIELD_BOOL, AT(struct counters, takeover)},
};
FIELDS(fields_counters, struct counters);

/* A row's place is the CPU's number. */
static const struct field fields_cpu_items[] = {
	U64(struct cpu_tally, "switches", switches),
	TALLY(struct cpu_tally, "off_set", off_set),
	FOREIGN(struct cpu_tally),
	TALLY(struct cpu_tally, "settling", settling),
	TALLY(struct cpu_tally, "bound_kthread", bound_kthread),
	TALLY(struct cpu_tally, "interrupts", interrupts),
	TALLY(struct cpu_tally, "softirqs", softirqs),
	U64(struct cpu_tally, "base_interrupts", base.interrupts),
	U64(struct cpu_tally, "base_softirqs", base.softirqs),
};
FIELDS(fields_cpu, struct cpu_tally);

static const struct field fields_reservation_items[] = {
	{"cpu", FIELD_UINT, AT(struct reservation, cpu)},
	{"vm", FIELD_INDEX, AT(struct reservation, vm)},
	U64(struct reservation, "since_ns", since),
};
FIELDS(fields_reservation, struct reservation);

static const struct field fields_vm_items[] = {
	{"name", FIELD_TEXT, AT(struct vm_tally, name)},
	{"pid", FIELD_INT, AT(struct vm_tally, pid)},
	U64(struct vm_tally, "start_time", start_time),
	U64(struct vm_tally, "started_ns", started),
	U64(struct vm_tally, "since_ns", since),
	U64(struct vm_tally, "repaired_ns", repaired),
	U64(struct vm_tally, "repaired_since_ns", repaired_since),
	{"ended", FIELD_BOOL, AT(struct vm_tally, ended)},
	TALLY(struct vm_tally, "off_set", off_set),
	FOREIGN(struct vm_tally),
	TALLY(struct vm_tally, "settling", settling),
};
FIELDS(fields_vm, struct vm_tally);

#define WAIT(n) U64(struct thread_tally, "wait_" #n, waits[n])
_Static_assert(WAIT_BUCKETS == 16, "each bucket has a column");

static const struct field fields_thread_items[] = {
	{"tid", FIELD_INT, AT(struct thread_tally, tid)},
	{"vm", FIELD_INDEX, AT(struct thread_tally, vm)},
	{"class", FIELD_WORD, WORD(struct thread_tally, class, classes)},
	{"index", FIELD_INT, AT(struct thread_tally, index)},
	{"exited", FIELD_BOOL, AT(struct thread_tally, exited)},
	U64(struct thread_tally, "switches", switches),
	TALLY(struct thread_tally, "off_set", off_set),
	U64(struct thread_tally, "run_ns", run_ns),
	U64(struct thread_tally, "wait_ns", wait_ns),
	WAIT(0),
	WAIT(1),
	WAIT(2),
	WAIT(3),
	WAIT(4),
	WAIT(5),
	WAIT(6),
	WAIT(7),
	WAIT(8),
	WAIT(9),
	WAIT(10),
	WAIT(11),
	WAIT(12),
	WAIT(13),
	WAIT(14),
	WAIT(15),
};
FIELDS(fields_thread, struct thread_tally);

static const struct field fields_culprit_items[] = {
	{"cpu", FIELD_UINT, AT(struct culprit, cpu)},
	{"off_set", FIELD_BOOL, AT(struct culprit, off_set)},
	{"running", FIELD_BOOL, AT(struct culprit, running)},
	{"cause", FIELD_WORD, WORD(struct culprit, cause, causes)},
	{"vm", FIELD_TEXT, AT(struct culprit, vm)},
	{"vcpu", FIELD_INT, AT(struct culprit, vcpu)},
	{"tid", FIELD_INT, AT(struct culprit, tid)},
	{"pid", FIELD_INT, AT(struct culprit, tgid)},
	{"comm", FIELD_TEXT, AT(struct culprit, comm)},
	U64(struct culprit, "cgroup_id", cgroup),
	U64(struct culprit, "time_ns", time),
	U64(struct culprit, "ns", ns),
};
FIELDS(fields_culprit, struct culprit);

static const struct field fields_culprit_tally_items[] = {
	{"vm", FIELD_TEXT, AT(struct culprit_tally, vm)},
	{"class", FIELD_WORD, WORD(struct culprit_tally, kind, kinds)},
	{"cause", FIELD_WORD, WORD(struct culprit_tally, cause, causes)},
	{"comm", FIELD_TEXT, AT(struct culprit_tally, comm)},
	U64(struct culprit_tally, "count", runs.count),
	U64(struct culprit_tally, "ns", runs.ns),
	U64(struct culprit_tally, "time_ns", time),
	U64(struct culprit_tally, "cgroup_id", cgroup),
	{"tid", FIELD_INT, AT(struct culprit_tally, tid)},
	{"pid", FIELD_INT, AT(struct culprit_tally, tgid)},
	{"cpu", FIELD_UINT, AT(struct culprit_tally, cpu)},
};
FIELDS(fields_culprit_tally, struct culprit_tally);
