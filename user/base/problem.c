// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/base/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Sentences may quote what a hostile process chose: nothing that a terminal acts on gets
 * out. */
void make_printable(char *text)
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

/* As much of it as there is room for. */
static void append(struct problem *problem, const char *text)
{
	size_t len = strlen(problem->text);

	while (*text && len < sizeof(problem->text) - 1)
		problem->text[len++] = *text++;
	problem->text[len] = '\0';
}

int problem_prefix(struct problem *problem, int error, const char *format, ...)
{
	char old[PROBLEM_SIZE];
	va_list args;

	if (!problem)
		return error;
	memcpy(old, problem->text, sizeof(old));
	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	append(problem, ": ");
	append(problem, old);
	make_printable(problem->text);
	return error;
}

int problem_nomem(struct problem *problem)
{
	return problem_set(problem, -ENOMEM, "out of memory");
}
