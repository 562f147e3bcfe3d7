/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to user/report: how a page is made of a report's JSON. */
#include "user/report/report.h"

/* The page's piece with the verdict. -ENOMEM. The caller frees. */
int page_verdict(struct json_object *report, char **ret_html);
