// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/host_facts.h"

#include <stdlib.h>
#include <string.h>

void host_facts_deinit(struct host_facts *facts)
{
	free(facts->spans);
	free(facts->irqs);
	free(facts->power);
	free(facts->nodes);
	memset(facts, 0, sizeof(*facts));
}
