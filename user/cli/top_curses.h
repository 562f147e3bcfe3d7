/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The terminal, and all that knows of ncurses. Only what has changed is sent to it. */
#include "user/base/problem.h"
#include "user/cli/top_screen.h"

/* Takes the terminal over; NO_COLOR, or a terminal without, and *ret_colour is false. It
 * is given back by terminal_close(), and when the process exits. */
int terminal_open(bool *ret_colour, struct problem *problem);
void terminal_close(void);

/* A blank grid of its size. -ENOMEM. */
int terminal_grid(struct grid *ret_grid);
void terminal_show(const struct grid *grid, bool colour);

/*
 * Waits so long for a key: a character, an enum top_key, or one of these. A signal that
 * is to end the program comes as TERMINAL_END.
 */
enum { TERMINAL_NOTHING = -1, TERMINAL_END = -2, TERMINAL_RESIZED = -3 };
int terminal_key(uint64_t wait_ns);

/* The width of the terminal that standard output is, by COLUMNS where that is set; 80
 * where there is none. */
unsigned int terminal_cols(void);
