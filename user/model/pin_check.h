/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Who else has CPUs that somebody wants to pin to a VM. Pure. Each gives a sentence that
 * names the owner, or NULL, in *ret_reason, which the caller frees; -ENOMEM.
 */
#include "user/model/desired.h"

/* What another VM, or a class that this one is not of, has for itself now. */
int pin_check_reserved(const struct desired *desired, const char *vm,
	const struct policy *policy, const struct cpuset *cpus, char **ret_reason);

/*
 * For a VM that does not run, and whose pins are in `config` already: what its start
 * would run into, as far as files say it. Whether it will be libvirt's is not known, so
 * only what would be refused in either layout.
 */
int pin_check_configured(const struct config *config, const char *vm,
	enum thread_class class, unsigned int index, char **ret_reason);

/* That pin of a policy; NULL: none, or no policy. */
const struct cpuset *pin_of(
	const struct vm_policy *policy, enum thread_class class, unsigned int index);
