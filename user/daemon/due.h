/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What is to be looked at, and when: a VM by its pid, or everything. The first word
 * starts a short wait, so that a burst is one look. Where looks find something to change
 * again and again, because somebody changes it back, that VM's come slower, and no
 * other's. Whoever has something to say without an end, as a QEMU that makes threads and
 * ends them, gets looks for half of the time at most. Times are CLOCK_MONOTONIC
 * microseconds. Pure.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	DUE_EVERYTHING = 0, /* in the place of a pid */
	DUE_BURST_USEC = 3000,
	DUE_STRIFE_USEC = 1000000, /* between two looks in a strife, which is */
	DUE_CHANGES = 8,	   /* so many changes in a row, and then more than */
	DUE_CHANGE_USEC = 250000,  /* one in this time */
	DUE_BUDGET_USEC = 4000000, /* half of it is looked at one without a rest */
	DUE_PLACES = 64,	   /* when more VMs are talked of, everything is due */
};

struct due_place {
	pid_t pid;
	bool wanted;
	uint64_t at;	 /* when, if it is */
	uint64_t strife; /* each change puts it off; in the past: there is none */
	uint64_t spent;	 /* each look puts it off by twice its time, as above */
};

/* All zero: nothing is due. The first place is everything's. */
struct due {
	struct due_place places[DUE_PLACES];
};

/* Something was said of it. */
void due_want(struct due *due, pid_t pid, uint64_t now);

/* Is a look at everything to come? */
bool due_is_all_wanted(const struct due *due);

/* It is to be tried again, then and not before. */
void due_put_off(struct due *due, pid_t pid, uint64_t at);

/* The earliest; false: nothing is due. */
bool due_next(const struct due *due, uint64_t *ret_at);

/* Takes one whose time has come; everything first, and with it all others. False: there
 * is none. */
bool due_take(struct due *due, uint64_t now, pid_t *ret_pid);

/* Of all that was said: there will be a look at everything. */
void due_forget(struct due *due);

/* A look at it took that time. */
void due_note_look(struct due *due, pid_t pid, uint64_t began, uint64_t ended);

/* The look at it changed something. */
void due_note_change(struct due *due, pid_t pid, uint64_t now);
