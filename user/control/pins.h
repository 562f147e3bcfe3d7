/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A pin is set or taken back as virsh does it: for now, at once and until the VM ends;
 * for the next start and for good; or both. The caller holds the lock (store/lock.h).
 */
#include "user/control/apply.h"

struct pin_wish {
	const char *vm;
	enum thread_class class; /* vcpu, emulator or iothread */
	unsigned int index;
	const char *list;  /* of CPUs; NULL: the pin is taken back */
	bool live, config; /* neither: live if the VM runs, else config */
};

struct pin_outcome {
	bool live, config; /* what the wish came to */
	bool has_cpus;	   /* else the pin was taken back */
	struct cpuset cpus;
	enum policy_kind kind; /* of the VM, as far as files say */
};

/*
 * Everything that can be known against a wish is found before anything is written: then,
 * as after any other negative errno, files and host are as they were. With `live` a
 * reconcile pass follows, as control_apply() does it; if it cannot give the VM what it
 * could before, the files are put back, another pass follows, and -EAGAIN tells why. 1:
 * the pin stands, but the VM has no CPUs of its own, as before; report->failed has why.
 * report->done is not called.
 */
int control_pin(const struct folders *folders, const struct pin_wish *wish,
	const struct report *report, struct pin_outcome *ret_outcome,
	struct problem *problem);

/* What /etc alone says, so what holds from the next start. The caller owns it. */
int control_persistent_config(
	const struct cycle *cycle, struct config *ret_config, struct problem *problem);

/* Removes the runtime files of VMs that have ended, and what killed runs have left. */
int control_forget_ended(const struct folders *folders, struct problem *problem);
