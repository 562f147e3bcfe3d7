// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/proc.h"

struct listing {
	int procfd;
	pid_t pid;
	struct vm *vm;
	pid_t unread; /* a thread that could not be read, though it is there, or 0 */
};

static int add_thread(pid_t tid, void *data)
{
	struct listing *listing = data;
	struct vm_thread thread, *slot;
	int r;

	if (listing->vm->n_threads >= THREADS_MAX)
		return 1;
	r = proc_read_thread_at(listing->procfd, tid, &thread);
	/* A cgroup path can be made too long for the kernel to tell. */
	if (r == -ENAMETOOLONG) {
		listing->unread = tid;
		return tid == listing->pid ? -ESRCH : 0;
	}
	/* Without its main thread a process is none. */
	if (r)
		return r == -ESRCH && tid != listing->pid ? 0 : r;
	slot = array_push(&listing->vm->threads, &listing->vm->n_threads);
	if (!slot) {
		free(thread.cgroup);
		return -ENOMEM;
	}
	*slot = thread;
	return 0;
}

static int add_other_thread(pid_t tid, void *data)
{
	const struct listing *listing = data;

	return tid == listing->pid ? 0 : add_thread(tid, data);
}

static int compare_threads(const void *a, const void *b)
{
	const struct vm_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static void drop_threads(struct vm *vm)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		free(vm->threads[i].cgroup);
	free(vm->threads);
	vm->threads = NULL;
	vm->n_threads = 0;
}

int threads_read(int procfd, struct vm *vm, pid_t *ret_unread)
{
	struct listing listing = {.procfd = procfd, .pid = vm->pid, .vm = vm};
	int r;

	drop_threads(vm);
	r = add_thread(vm->pid, &listing);
	if (!r)
		r = proc_for_each_tid(procfd, add_other_thread, &listing);
	if (r < 0)
		return r;
	qsort(vm->threads + 1, vm->n_threads - 1, sizeof(*vm->threads), compare_threads);
	*ret_unread = listing.unread;
	return 0;
}

int threads_read_inner_ids(int procfd, const struct vm *vm, pid_t **ret_inner)
{
	cleanup_free pid_t *inner = NULL;
	unsigned int depth;
	pid_t own;
	int r = proc_read_nspid_at(procfd, &depth, &own);

	if (r == -ENODATA || (!r && depth == 1))
		return 0;
	if (r)
		return r;
	inner = calloc(vm->n_threads, sizeof(*inner));
	if (!inner)
		return -ENOMEM;
	for (size_t i = 0; i < vm->n_threads; i++) {
		cleanup_close int fd = -1;
		char path[32];

		snprintf(path, sizeof(path), "task/%d", vm->threads[i].tid);
		fd = openat(procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* One that has gone keeps 0, which QMP can't name. */
		if (fd >= 0)
			(void)proc_read_nspid_at(fd, &depth, &inner[i]);
	}
	*ret_inner = take_ptr(inner);
	return 0;
}
