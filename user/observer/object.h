/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to this room: the BPF object file, from loading to pins. The only user of the
 * skeleton.
 */
#include <stdbool.h>

#include "bpf/abi.h"
#include "user/observer/observer.h"

struct observer_bpf;
struct bpf_link;

enum { PROGRAMS_MAX = 32 };

/* Loaded, and as far as it goes attached. All zero is empty. */
struct object {
	const char *dir; /* of the pins; must outlive it */
	struct observer_bpf *skel;
	struct bpf_link
		*links[PROGRAMS_MAX]; /* in the order of programs; NULL: not attached */
	u32 parts;		      /* attached ones */
};

/* Closes it; what is not pinned is detached. */
void object_deinit(struct object *object);

/* Tells this program from any other: a hash of its object file. */
u64 object_build(void);

/* enum part: what is asked for. */
u32 object_parts(const struct observer_wish *wish);

/*
 * Loads the parts that are wanted or, where the kernel refuses them, those that it takes;
 * at the maps of the observer that runs or, with NULL, at new ones for a host of that
 * many CPUs. -errno.
 */
int object_load(
	struct object *object, const struct observer *running, u32 cpus, u32 wanted);

/* First contents of new maps. */
int object_init_maps(struct object *object, const struct observer_wish *wish);

/* Attaches what was loaded. A part that cannot be is left out. */
int object_attach(struct object *object);

/* Says in the maps which parts are attached. Before they are pinned: a start that is
 * killed later is whole. */
int object_note_parts(const struct object *object);

int object_pin_maps(struct object *object);

/* Pins what is attached, that of sched_switch last; over pins that are there, if any:
 * each takes its place whole. */
int object_pin_links(struct object *object);

/* Takes away the pins of parts that are attached no longer. */
void object_unpin_missing(const struct object *object);

/* Takes away what a pinning that failed left. */
void object_unpin_new(const struct object *object);
