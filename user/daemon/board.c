// SPDX-License-Identifier: GPL-2.0-or-later
/* A sequence lock: the number is odd while the text changes, and who read around a change
 * reads again. */
#include "user/daemon/board.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { TEXT_MAX = 8 << 20, ATTEMPTS = 100 };

struct shared {
	atomic_uint sequence;
	atomic_uint len;
	char text[TEXT_MAX];
};

struct board {
	struct shared *shared;
};

int board_new(struct board **ret_board)
{
	struct board *board = calloc(1, sizeof(*board));

	if (!board)
		return -ENOMEM;
	/* Only what is written to takes memory. */
	board->shared = mmap(NULL, sizeof(*board->shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (board->shared == MAP_FAILED) {
		free(board);
		return -errno;
	}
	*ret_board = board;
	return 0;
}

void board_free(struct board *board)
{
	if (!board)
		return;
	munmap(board->shared, sizeof(*board->shared));
	free(board);
}

void board_write(struct board *board, const char *text, size_t len)
{
	struct shared *shared = board->shared;

	if (len > TEXT_MAX)
		len = 0;
	atomic_fetch_add(&shared->sequence, 1);
	memcpy(shared->text, text, len);
	atomic_store(&shared->len, (unsigned int)len);
	atomic_fetch_add(&shared->sequence, 1);
}

int board_only_read(struct board *board)
{
	return mprotect(board->shared, sizeof(*board->shared), PROT_READ) ? -errno : 0;
}

char *board_read(const struct board *board)
{
	const struct timespec moment = {.tv_nsec = 100000};
	const struct shared *shared = board->shared;

	for (int i = 0; i < ATTEMPTS; i++) {
		unsigned int before = atomic_load(&shared->sequence);
		unsigned int len = atomic_load(&shared->len);
		char *text;

		if (before & 1 || len > TEXT_MAX) {
			nanosleep(&moment, NULL);
			continue;
		}
		text = malloc(len + 1);
		if (!text)
			return NULL;
		memcpy(text, shared->text, len);
		text[len] = '\0';
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&shared->sequence) == before)
			return text;
		free(text);
	}
	return strdup("");
}
