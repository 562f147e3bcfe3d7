// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/base/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Sentences may quote what a hostile process chose: nothing that a terminal acts on gets
 * out. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

int problem_set(struct problem *problem, int error, const char *format, ...)
{
	va_list args;

	if (!problem)
		return error;
	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	make_printable(problem->text);
	return error;
}

int problem_prefix(struct problem *problem, int error, const char *format, ...)
{
	char old[PROBLEM_SIZE];
	va_list args;
	size_t len;

	if (!problem)
		return error;
	memcpy(old, problem->text, sizeof(old));
	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	len = strlen(problem->text);
	strncat(problem->text, ": ", sizeof(problem->text) - len - 1);
	len = strlen(problem->text);
	strncat(problem->text, old, sizeof(problem->text) - len - 1);
	make_printable(problem->text);
	return error;
}

int problem_nomem(struct problem *problem)
{
	return problem_set(problem, -ENOMEM, "out of memory");
}
