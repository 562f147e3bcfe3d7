/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A page of text that the daemon writes and its exporter reads, in memory that they
 * share. The reader can write nothing, and never makes the writer wait.
 */
#include <stddef.h>

struct board;

/* The writer's. -errno. The caller owns it: board_free(). */
int board_new(struct board **ret_board);
void board_free(struct board *board); /* NULL is fine */

/* Replaces the text. One that is too long is left out: the board is empty then. */
void board_write(struct board *board, const char *text, size_t len);

/* In the process that only reads, after fork(): takes the right to write from itself. */
int board_only_read(struct board *board);

/* A copy of the text, "" if it kept changing. NULL: no memory. The caller frees. */
char *board_read(const struct board *board);
