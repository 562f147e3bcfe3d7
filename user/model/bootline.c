// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/bootline.h"

#include <ctype.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

/* The kernel's grammar, but for `N` as the last CPU: such a list is not understood. */
static void parse_list(const char *text, size_t len, struct fact_cpus *ret_cpus)
{
	cleanup_free char *list = strndup(text, len);
	struct fact_cpus cpus = {};
	struct cpuset any;

	memset(&any, 0xff, sizeof(any));
	if (list && !cpulist_parse(list, &any, &cpus.cpus, NULL))
		cpus.state = FACT_KNOWN;
	*ret_cpus = cpus;
}

/* The next `NAME=`; *ret_len is the length of its value, which ends before a space. */
static const char *next_value(const char *line, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);

	for (const char *at = line; (at = strstr(at, name)); at += len)
		if (at[len] == '=' && (at == line || isspace((unsigned char)at[-1]))) {
			*ret_len = strcspn(at + len + 1, " \t\n\"");
			return at + len + 1;
		}
	return NULL;
}

void bootline_rcu_nocbs(const char *line, struct fact_cpus *ret_cpus)
{
	size_t len;
	const char *value = next_value(line, "rcu_nocbs", &len);

	if (value)
		parse_list(value, len, ret_cpus);
	else
		*ret_cpus = (struct fact_cpus){.state = FACT_ABSENT};
}

/* Steps over `nohz,`, `domain,` and the like before the list. */
static bool skip_flags(const char **value, size_t *len)
{
	bool managed = false;

	while (*len && isalpha((unsigned char)**value)) {
		const char *comma = memchr(*value, ',', *len);
		size_t flag = comma ? (size_t)(comma - *value) : *len;

		if (!comma && !strncmp(*value, "all", flag))
			break;
		managed |= flag == strlen("managed_irq") &&
			   !strncmp(*value, "managed_irq", flag);
		flag += comma ? 1 : 0;
		*value += flag;
		*len -= flag;
	}
	return managed;
}

void bootline_managed_irq(const char *line, struct fact_cpus *ret_cpus)
{
	struct fact_cpus found = {.state = FACT_ABSENT}, first = {}, this;
	size_t len = 0, nohz_len = 0;
	const char *at = line, *nohz;

	for (;;) {
		const char *value = next_value(at, "isolcpus", &len);
		bool managed = false;

		nohz = next_value(at, "nohz_full", &nohz_len);
		if (nohz && (!value || nohz < value)) {
			value = nohz;
			len = nohz_len;
		} else if (value) {
			at = value;
			managed = skip_flags(&value, &len);
		}
		if (!value)
			break;
		at = value + len;
		parse_list(value, len, &this);
		if (first.state != FACT_KNOWN)
			first = this;
		if (managed && (this.state != FACT_KNOWN ||
				       cpuset_equal(&this.cpus, &first.cpus)))
			found = this;
	}
	*ret_cpus = found;
}
