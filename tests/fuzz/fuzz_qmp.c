// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A QMP monitor that says anything. The first byte says how much is heard at a time; a
 * command is "sent" after each piece, as the client would.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/host/qmp_talk.h"
#include "user/model/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct qmp_answer *answer)
{
	if (!answer->n_vcpus || answer->n_vcpus > VCPUS_MAX ||
		answer->n_iothreads > IOTHREADS_MAX)
		abort();
	for (size_t i = 0; i < answer->n_vcpus; i++)
		if (answer->vcpus[i].tid <= 0 || answer->vcpus[i].index < 0 ||
			answer->vcpus[i].index >= VCPUS_MAX)
			abort();
	for (size_t i = 0; i < answer->n_iothreads; i++)
		if (answer->iothreads[i].tid <= 0 ||
			strnlen(answer->iothreads[i].id, QMP_ID_SIZE) == QMP_ID_SIZE)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmp_talk *talk = qmp_talk_new();
	struct qmp_answer answer = {0};
	struct problem problem = {0};
	size_t piece;
	int r = 0;

	if (!talk || !size)
		goto out;
	piece = data[0] + 1U;
	data++, size--;
	while (!r && size) {
		/* A piece ends at a newline as well, so that a script can be in time. */
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) + 1 : size;

		len = len < piece ? len : piece;
		r = qmp_talk_hear(talk, (const char *)data, len, &problem);
		data += len;
		size -= len;
		(void)qmp_talk_say(talk);
	}
	if (!r && qmp_talk_done(talk, &answer))
		check(&answer);
	if (r && !problem.text[0])
		abort();
out:
	qmp_answer_deinit(&answer);
	qmp_talk_free(talk);
	return 0;
}
