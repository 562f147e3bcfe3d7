// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page around its parts. It is read without scripts, without network, on paper and by
 * ear; what the script adds are ways to sort and to narrow tables.
 */
#include "user/report/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/report/digest.h"

static const struct {
	const char *word, *head;
} verdicts[] = {
	{"ok", "OK"},
	{"warning", "WARNING"},
	{"critical", "CRITICAL"},
	{"unknown", "UNKNOWN"},
};

/* Whatever else a report says is no verdict. */
static size_t verdict_of(struct json_object *report)
{
	const char *word = text_at(report, "verdict.verdict");
	size_t i = 0;

	while (i < sizeof(verdicts) / sizeof(*verdicts) - 1 &&
		strcmp(word, verdicts[i].word) != 0)
		i++;
	return i;
}

static void put_verdict(const struct page *page)
{
	size_t i = verdict_of(page->report);

	fprintf(page->to,
		"<p class=\"verdict\" data-verdict=\"%s\"><strong>%s</strong> - ",
		verdicts[i].word, verdicts[i].head);
	put_text(page, text_at(page->report, "verdict.reason"));
	put(page, "</p>\n");
}

int page_verdict(struct json_object *report, char **ret_html)
{
	struct page page = {.report = report};
	char *html = NULL;
	size_t size;

	page.to = open_memstream(&html, &size);
	if (!page.to)
		return -ENOMEM;
	put_verdict(&page);
	if (fclose(page.to)) {
		free(html);
		return -ENOMEM;
	}
	*ret_html = html;
	return 0;
}

/* Nothing but what the page itself carries is loaded or run. */
static void put_policy(const struct page *page)
{
	char css[DIGEST_BASE64_SIZE], js[DIGEST_BASE64_SIZE];

	digest_base64(page_css, strlen(page_css), css);
	digest_base64(page_js, strlen(page_js), js);
	fprintf(page->to,
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'sha256-%s'; script-src 'sha256-%s'; base-uri 'none'; "
		"form-action 'none'\">\n",
		css, js);
}

static void put_head(const struct page *page)
{
	put(page,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
	put_policy(page);
	put(page,
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
	put_text(page, verdicts[verdict_of(page->report)].head);
	put(page, " - ");
	put_text(page, text_at(page->report, "host.name"));
	put(page, " - cpuwarden report of ");
	put_text(page, text_at(page->report, "made.time"));
	put(page, "</title>\n<style>");
	put(page, page_css);
	put(page, "</style>\n</head>\n");
}

static void put_banner(const struct page *page)
{
	put(page, "<body>\n<a class=\"skip\" href=\"#verdict\">Skip to the verdict</a>\n"
		  "<header>\n<p>cpuwarden report</p>\n<h1>");
	put_text(page, text_at(page->report, "host.name"));
	put(page, "</h1>\n<p>Made at <time>");
	put_text(page, text_at(page->report, "made.time"));
	put(page, "</time> by cpuwarden ");
	put_text(page, text_at(page->report, "made.program"));
	put(page, " on kernel ");
	put_text(page, text_at(page->report, "host.kernel"));
	put(page, ". All times are UTC.</p>\n</header>\n");
}

static void put_contents(const struct page *page)
{
	put(page, "<nav aria-label=\"Sections\"><ul>\n"
		  "<li><a href=\"#verdict\">Verdict</a></li>\n"
		  "<li><a href=\"#cpus\">CPU map</a></li>\n"
		  "<li><a href=\"#violations\">Violations</a></li>\n"
		  "<li><a href=\"#waits\">Waits</a></li>\n"
		  "<li><a href=\"#placement\">Placement</a></li>\n"
		  "<li><a href=\"#drift\">Drift</a></li>\n"
		  "<li><a href=\"#isolation\">Isolation</a></li>\n"
		  "<li><a href=\"#evidence\">Evidence</a></li>\n"
		  "</ul></nav>\n");
}

/* In a script element only `<` could end it. */
static int put_data(const struct page *page)
{
	const char *text = report_text(page->report);

	if (!text)
		return -ENOMEM;
	put(page, "<script type=\"application/json\" id=\"" REPORT_DATA_ID "\">");
	for (; *text; text++)
		if (*text == '<')
			fputs("\\u003c", page->to);
		else
			fputc(*text, page->to);
	put(page, "</script>\n");
	return 0;
}

static int put_page(const struct page *page)
{
	put_head(page);
	put_banner(page);
	put_contents(page);
	put(page, "<main>\n");
	section_begin(page, "verdict", "Verdict");
	put_verdict(page);
	page_examined(page);
	section_end(page);
	page_cpus(page);
	page_violations(page);
	page_waits(page);
	page_placement(page);
	page_drift(page);
	page_isolation(page);
	page_evidence(page);
	put(page,
		"</main>\n<footer>\n<p>Digest of the data in this page (SHA-256): <code>");
	put_text(page, text_at(page->report, "digest"));
	put(page,
		"</code></p>\n<p>It is no signature: keep it elsewhere, and compare.</p>\n"
		"</footer>\n");
	if (put_data(page))
		return -ENOMEM;
	put(page, "<script>");
	put(page, page_js);
	put(page, "</script>\n</body>\n</html>\n");
	return 0;
}

int report_page(struct json_object *report, char **ret_page)
{
	struct page page = {.report = report};
	cleanup_free char *html = NULL;
	size_t size;
	int r;

	page.monotonic = number_at(report, "made.monotonic_ns");
	page.realtime = number_at(report, "made.realtime_ns");
	page.to = open_memstream(&html, &size);
	if (!page.to)
		return -ENOMEM;
	r = put_page(&page);
	if (fclose(page.to))
		r = -ENOMEM;
	if (!r)
		*ret_page = take_ptr(html);
	return r;
}
