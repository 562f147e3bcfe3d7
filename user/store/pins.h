/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a change of one pin makes of a VM's two files. Pure. The file of /run holds what
 * differs from /etc's until the VM ends. So what is set for the next start only leaves
 * there what holds now, `none` being no pin; and what is the same in both stands in /etc.
 */
#include "user/model/policy.h"
#include "user/store/vm_file.h"

struct vm_texts {
	char *etc, *run; /* NULL: there is no such file; owned */
};

void vm_texts_deinit(struct vm_texts *texts);

struct pin_change {
	const char *vm;
	enum thread_class class;
	unsigned int index;	   /* of a vCPU or iothread */
	const struct cpuset *cpus; /* NULL: no pin */
	bool live, config;	   /* what it is for; live only of a VM that runs */
	const struct process_id *process; /* NULL: the VM does not run */
	/* The pin as it is by all files, and by /etc alone; NULL: none. */
	const struct cpuset *now, *etc;
};

/* -EINVAL with a sentence: a text is no INI file; -ENOMEM. The caller owns *ret_after. */
int pins_change(const struct vm_texts *before, const struct pin_change *change,
	struct vm_texts *ret_after, struct problem *problem);
