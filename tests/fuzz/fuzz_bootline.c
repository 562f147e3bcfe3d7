// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's command line, and values of settings that a record holds. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/bootline.h"
#include "user/model/mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood is written so that it is understood again. */
static void check_value(enum mend_format format, const char *text)
{
	cleanup_free char *value = NULL, *written = NULL, *again = NULL;

	if (mend_parse(format, text, &value))
		return;
	written = mend_format_value(format, value);
	if (!written || mend_parse(format, written, &again) || strcmp(value, again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = strndup((const char *)data, size);
	struct fact_cpus cpus;

	if (!text)
		return 0;
	bootline_rcu_nocbs(text, &cpus);
	bootline_managed_irq(text, &cpus);
	for (int format = MEND_LIST; format <= MEND_WORD; format++)
		check_value((enum mend_format)format, text);
	return 0;
}
