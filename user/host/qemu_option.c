// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/qemu_option.h"

#include <string.h>

/* Ends the value at p with a NUL, makes its `,,` single, and gives the start of the next
 * item. */
static char *end_value(char *p)
{
	char *to = p;

	for (; *p; p++) {
		if (*p == ',' && *++p != ',') {
			*to = '\0';
			return p;
		}
		*to++ = *p;
	}
	*to = '\0';
	return p;
}

bool qemu_option_next(struct qemu_option *option)
{
	char *p = option->next;
	size_t len = strcspn(p, "=,");
	bool flag;

	if (!*p)
		return false;
	if (p[len] == '=') {
		p[len] = '\0';
		option->key = p;
		option->value = p + len + 1;
		option->next = end_value(p + len + 1);
	} else if (option->implied) {
		option->key = option->implied;
		option->value = p;
		option->next = end_value(p);
	} else {
		flag = strncmp(p, "no", 2) != 0;
		option->next = p + len + (p[len] == ',');
		p[len] = '\0';
		option->key = flag ? p : p + 2;
		option->value = flag ? "on" : "off";
	}
	option->implied = NULL;
	return true;
}

bool qemu_option_is_on(const char *value)
{
	return !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "true") ||
	       !strcmp(value, "y");
}
