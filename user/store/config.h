/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The configuration files: ETC/cpuwarden.conf, ETC/vms.d/NAME.conf and, winning over the
 * latter key by key, RUN/vms.d/NAME.conf. INI, strict: an unknown section or key, a key
 * given twice, a bad value or a CPU that the host lacks is an error that names file, line
 * and what is allowed.
 */
#include "user/base/problem.h"
#include "user/model/policy.h"
#include "user/store/vm_file.h"

/* The files of one VM as they are to be: what follows from them is asked before they are
 * written. */
struct config_draft {
	const char *vm;
	const char *etc, *run; /* NULL: no such file */
};

struct config_source {
	const char *etc_dir;
	const char *run_dir;	 /* NULL: without runtime files */
	process_alive_fn *alive; /* NULL: each file of /run counts, whoever it is of */
	const struct config_draft *draft; /* NULL: all is as the files are */
};

/*
 * Reads all files. A missing file or directory is an empty one. `present` are the host's
 * CPUs. On error *ret_config is untouched. The caller owns the result: config_deinit().
 */
int config_read(const struct config_source *source, const struct cpuset *present,
	struct config *ret_config, struct problem *problem);
