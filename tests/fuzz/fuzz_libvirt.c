// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvirt's file of a VM. The library that reads XML is not instrumented, so chance alone
 * would hardly ever write an element: bytes from 0x80 stand for the words of such a file.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/host/libvirt.h"
#include "user/model/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {"<domstatus pid='1'><vcpus>", "</vcpus></domstatus>",
	"<vcpu id='0' pid='7'/>", "<vcpu id='1' pid='8'/>", "<vcpus>", "</vcpus>",
	"</domstatus>", "<vcpu id='", "' pid='", "'/>", "<domstatus ", "pid='", "id='",
	"<vcpu ", "</vcpu>", "<domain>", "</domain>", "<!--", "-->", "<![CDATA[", "]]>",
	"<!DOCTYPE d [", "<!ENTITY e '", "<!ENTITY % p '", "'>", "]>", "&e;", "%p;",
	"&#48;", "<?xml version='1.0' encoding='", "?>", "8191", "4194304", "xmlns:a='u'",
	"<a:", "\xff", "\xc3\xa9"};

enum { WORDS = sizeof(words) / sizeof(words[0]), WORD_MAX = 40 };

static void check(const struct libvirt_answer *answer)
{
	static bool seen[VCPUS_MAX];

	memset(seen, 0, sizeof(seen));
	if (answer->pid <= 0 || answer->pid > PID_MAX)
		abort();
	for (size_t i = 0; i < answer->n_vcpus; i++) {
		const struct told_vcpu *vcpu = &answer->vcpus[i];

		if (vcpu->tid <= 0 || vcpu->tid > PID_MAX || vcpu->index < 0 ||
			vcpu->index >= VCPUS_MAX || seen[vcpu->index])
			abort();
		seen[vcpu->index] = true;
	}
}

static void parse(const char *text, size_t len)
{
	struct libvirt_answer answer = {0};
	struct problem problem = {0};
	int r = libvirt_parse(text, len, &answer, &problem);

	if (!r)
		check(&answer);
	else if (!problem.text[0] || answer.vcpus)
		abort();
	libvirt_answer_deinit(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size * WORD_MAX + 1), *end = text;

	if (!text)
		return 0;
	for (size_t i = 0; i < size; i++) {
		if (data[i] < 0x80)
			*end++ = (char)data[i];
		else
			end = stpcpy(end, words[(data[i] - 0x80) % WORDS]);
	}
	parse(text, (size_t)(end - text));
	parse((const char *)data, size);
	free(text);
	return 0;
}
