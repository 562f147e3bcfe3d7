/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What `hostcheck` and `report` share. */
#include "user/cli/cli.h"
#include "user/model/hostcheck.h"
#include "user/model/mend.h"

/* Reads both anew; what is in them is given up first. `run`: the folder. */
int hostcheck_facts(const char *run, struct host_facts *facts, struct mends *mends,
	struct problem *problem);

struct json_object *hostcheck_row_json(const struct check_row *row);
