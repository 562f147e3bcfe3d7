/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * RUN/handover: who wants a pass and waits until it is over, as libvirt's hook does
 * (user/units/libvirt-hook), puts a file there, of any name, and looks when it is gone. A
 * pass that did not come to its end leaves it to the next.
 */
#include <stddef.h>

struct handovers {
	char **names; /* of the files that were there when the pass began */
	size_t n_names;
};

/* Notes those that are there. What cannot be read or kept is left to the next pass. */
void handovers_note(const char *run_dir, struct handovers *handovers);

/* Removes those that were noted, and forgets them. */
void handovers_done(const char *run_dir, struct handovers *handovers);

/* Forgets them and leaves the files. */
void handovers_forget(struct handovers *handovers);

/* Where they are put; the caller has PATH_MAX there. */
void handovers_folder(const char *run_dir, char *ret_path);
