/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The value of one of QEMU's options, item by item, as QEMU reads it (util/qemu-option.c,
 * get_opt_name_value()): a value ends at a comma, two commas stand for one, the first
 * item may leave its key out, an item without a value is a flag (`server` is server=on,
 * `nowait` is wait=off). Pure; the text is untrusted.
 */
#include <stdbool.h>

/* Before the first item `next` is the option's value, which is changed in place: `key`
 * and `value` stand in it and stay as they are. */
struct qemu_option {
	char *next;
	const char *implied; /* key of a first item without one; NULL: that is a flag */
	const char *key, *value;
};

/* Goes on to the next item; false: there is none. */
bool qemu_option_next(struct qemu_option *option);

/* Is this value `on`, or one of the other words that QEMU takes for it? */
bool qemu_option_is_on(const char *value);
