// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that every page carries, as they are in the sources. */
#include "user/report/page.h"

#define EMBED(name, file)                                \
	__asm__(".pushsection .rodata\n"                 \
		".global " #name "\n"                    \
		".type " #name ", %object\n" #name ":\n" \
		".incbin \"" file "\"\n"                 \
		".byte 0\n"                              \
		".size " #name ", . - " #name "\n"       \
		".popsection\n")

EMBED(page_css, "user/report/page.css");
EMBED(page_js, "user/report/page.js");

/* A hash of all that a page's form depends on: made by the Makefile. */
const char *report_page_form(void)
{
	return PAGE_FORM;
}
