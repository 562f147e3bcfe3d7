/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to this room: which programs the object file has, what each is for and what it
 * takes. A program cpuwarden_X is pinned as link_X.
 */
#include <limits.h>

#include "bpf/abi.h"
#include "user/base/problem.h"

struct bpf_object;
struct bpf_program;

/* Without these nothing is counted; the first one's pin says that all is whole. */
#define LINK_SWITCH "link_switch"
#define LINK_EXIT "link_exit"
#define LINK_EXEC "link_exec"

/* What a part is called, for sentences; each bit of `parts` in turn. */
const char *part_name(enum part part);

/* Parts that have a chance on this kernel: it has the functions that they hook on to.
 * PART_GUARD only where BPF is among its security modules. */
u32 parts_supported(void);

/* The part that a program belongs to, 0 for one that is needed. */
u32 program_part(const struct bpf_program *program);

/* Leaves out all programs but those of wanted parts that this kernel supports, and aims
 * them at its functions. Before the object is loaded. */
int parts_choose(struct bpf_object *object, u32 wanted, u32 *ret_parts);

/* Path of a program's pin, with `suffix` behind it. -ENAMETOOLONG. */
int program_pin(const struct bpf_program *program, const char *dir, const char *suffix,
	char ret_path[PATH_MAX]);
