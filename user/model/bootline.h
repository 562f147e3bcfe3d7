/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The kernel's command line (Documentation/admin-guide/kernel-parameters.txt), as far as
 * no other file tells what it asked for.
 */
#include "user/model/host_facts.h"

/* CPUs of rcu_nocbs=. Those of nohz_full= are spared their callbacks as well. */
void bootline_rcu_nocbs(const char *line, struct fact_cpus *ret_cpus);

/*
 * CPUs of isolcpus=managed_irq,LIST. Of several isolcpus= and nohz_full= the kernel takes
 * the first, and those with the same CPUs.
 */
void bootline_managed_irq(const char *line, struct fact_cpus *ret_cpus);
