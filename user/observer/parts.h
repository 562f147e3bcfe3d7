/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to this room: which programs the object file has, what each is for and what it
 * takes. A program cpuwarden_X is pinned by its link, as link_X; one
 * that is called and has no link, as prog_X.
 */
#include <limits.h>
#include <stdbool.h>

#include "bpf/abi.h"
#include "user/base/problem.h"

struct observer;
struct bpf_object;
struct bpf_program;

/* Without these nothing is counted; the first one's pin says that all is whole. */
#define LINK_SWITCH "link_switch"
#define LINK_EXIT "link_exit"
#define LINK_EXEC "link_exec"
#define LINK_BORN "link_born"
#define LINK_NAMED "link_named"

#define LINK_GUARD "link_guard"

#define PROG_LOOK "prog_look"

/* Of a pin that has not yet taken the place of another. bpffs keeps names with a dot to
 * itself. */
#define NEW_SUFFIX "_new"

/* Parts that have a chance on this kernel: it has the functions that they hook on to.
 * PART_GUARD only where BPF is among its security modules. */
u32 parts_supported(void);

/* Parts whose programs are all attached: what is not pinned is attached no longer. */
u32 parts_attached(const struct observer *observer);

/* The part that a program belongs to, 0 for one that is needed. */
u32 program_part(const struct bpf_program *program);

/* Leaves out all programs but those of wanted parts that this kernel supports, and aims
 * them at its functions. Before the object is loaded. */
int parts_choose(struct bpf_object *object, u32 wanted, u32 *ret_parts);

/* Is it called by user space, and attached nowhere? */
bool program_is_called(const struct bpf_program *program);

/* Path of a program's pin, with `suffix` behind it. -ENAMETOOLONG. */
int program_pin(const struct bpf_program *program, const char *dir, const char *suffix,
	char ret_path[PATH_MAX]);
