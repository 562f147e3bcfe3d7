// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/report/page.h"

#include <errno.h>
#include <string.h>

int page_verdict(struct json_object *report, char **ret_html)
{
	(void)report;
	*ret_html = strdup("");
	return *ret_html ? 0 : -ENOMEM;
}

int report_page(struct json_object *report, char **ret_page)
{
	(void)report;
	*ret_page = strdup("");
	return *ret_page ? 0 : -ENOMEM;
}

const char *report_page_form(void)
{
	return "0";
}
