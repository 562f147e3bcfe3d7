/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Requests to the allocator, with what they borrow. */
#include "tests/unit/build_host.h"
#include "tests/unit/hosts.h"
#include "user/model/allocator.h"

enum { ASK_WANTS = 64 };

struct ask {
	struct want wants[ASK_WANTS];
	struct cpuset fixed[ASK_WANTS], allowed;
	struct request request;
};

static inline void ask_init(struct ask *ask, unsigned int n_vcpus,
	unsigned int n_emulators, unsigned int n_iothreads)
{
	size_t n = 0;

	memset(ask, 0, sizeof(*ask));
	for (unsigned int i = 0; i < n_emulators; i++)
		ask->wants[n++] = (struct want){.class = THREAD_EMULATOR};
	for (unsigned int i = 0; i < n_vcpus; i++)
		ask->wants[n++] = (struct want){.class = THREAD_VCPU, .index = (int)i};
	for (unsigned int i = 1; i <= n_iothreads; i++)
		ask->wants[n++] =
			(struct want){.class = THREAD_IOTHREAD, .index = (int)i};
	ask->request = (struct request){.wants = ask->wants, .n_wants = n};
}

static inline void ask_fix(struct ask *ask, size_t want, const struct cpuset *cpus)
{
	ask->fixed[want] = *cpus;
	ask->wants[want].fixed = &ask->fixed[want];
}

static inline void ask_allow(struct ask *ask, const struct cpuset *cpus)
{
	ask->allowed = *cpus;
	ask->request.allowed = &ask->allowed;
}
