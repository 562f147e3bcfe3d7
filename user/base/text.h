/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What is done to texts in more than one room. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is `word` one of these, which spaces separate? */
bool has_word(const char *words, const char *word);

/* An owned text, or NULL, makes way for a copy of another. -ENOMEM: it stays. */
int text_replace(char **text, const char *with);

/*
 * A copy in which every byte that is no printable ASCII is \xHH: for what anybody may
 * have chosen. Cut where buf is full, never within an escape.
 */
void text_escape(const char *text, char *buf, size_t size);

/* `1.5 ms` */
void duration_format(uint64_t ns, char *buf, size_t size);
