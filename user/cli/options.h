/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The options of all verbs: one row each, that says whose it is and what it comes to. */
#include <argp.h>

#include "user/cli/cli.h"

/* As argp wants them; made at the first call. A verb that is known hides those that are
 * not its own. */
struct argp_option *options_for(const struct verb *verb);

/* A key of argp's: is it an option's? */
bool option_is_key(int key);

/* -EINVAL with a sentence: the value makes no sense. */
int option_take(
	struct request *request, int key, const char *value, struct problem *problem);

/* The name of an option that was given and that the verb does not take, or NULL. */
const char *option_refused(const struct request *request, const struct verb *verb);
