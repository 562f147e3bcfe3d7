/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A problem is the one clear sentence that goes with a negative errno. Library code fills
 * it and returns; only an entry point prints it. Every function that takes a `struct
 * problem *` accepts NULL and leaves the problem alone on success.
 */
#include <stdbool.h>

enum { PROBLEM_SIZE = 512 };

struct problem {
	char text[PROBLEM_SIZE];
};

/* Fills in the sentence (cut at PROBLEM_SIZE, control characters made harmless), returns
 * `error`. */
int problem_set(struct problem *problem, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "WHERE: " before the sentence that is there. Returns `error`. */
int problem_prefix(struct problem *problem, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As problem_set(), for running out of memory. Returns -ENOMEM. */
/* Nothing that would do something to a terminal: control characters become '?'. */
void make_printable(char *text);

int problem_nomem(struct problem *problem);
