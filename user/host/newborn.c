// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * glibc starts a thread with clone3(), or with clone() where the former is refused. Both
 * give the address at which the kernel is to clear the tid when the thread ends, and that
 * is a field of struct pthread. Some 900 bytes further on, in the same structure, is the
 * argument of the thread's function. For a thread of QEMU's it is
 *
 *	struct QemuThreadArgs { void *(*start_routine)(void *); void *arg; char *name; };
 *
 * (util/qemu-thread-posix.c), whose name is there with or without debug-threads. At what
 * distance is glibc's business, so every word within reach that could be a pointer is
 * tried. Found with QEMU 7.2 and 10.0, glibc 2.36 and 2.41.
 */
#include "user/host/newborn.h"

#include <errno.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum {
	REACH = 2048, /* bytes of struct pthread behind its tid */
	PAGE = 4096,
	LOWEST = 65536, /* nothing is mapped below: vm.mmap_min_addr */
	CLONE_ARGS_WORDS = 8,
};

/* clone()'s arguments: the order differs by architecture. */
#ifdef __x86_64__
enum { CLEAR_TID_ARG = 3 };
#else
enum { CLEAR_TID_ARG = 4 }; /* CONFIG_CLONE_BACKWARDS: arm64 and others */
#endif

/* Reads up to the first page that is not there. Returns the number of bytes. */
static size_t peek(pid_t tid, uint64_t address, void *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		uint64_t from = address + done;
		size_t left = PAGE - from % PAGE;
		struct iovec local = {(char *)to + done, size - done}, remote;

		local.iov_len = local.iov_len < left ? local.iov_len : left;
		remote = (struct iovec){(void *)(uintptr_t)from, local.iov_len};
		if (process_vm_readv(tid, &local, 1, &remote, 1, 0) !=
			(ssize_t)local.iov_len)
			break;
		done += local.iov_len;
	}
	return done;
}

bool newborn_is_birth(uint64_t nr)
{
	return nr == SYS_clone || nr == SYS_clone3;
}

/* Where in struct pthread the tid is; 0: it makes no thread as glibc makes them. */
static uint64_t find_pthread(pid_t tid, uint64_t nr, const uint64_t args[SYSCALL_ARGS])
{
	/* struct clone_args, include/uapi/linux/sched.h: flags, pidfd, child_tid, … */
	uint64_t words[CLONE_ARGS_WORDS], flags = args[0], address = args[CLEAR_TID_ARG];

	if (nr == SYS_clone3) {
		if (args[1] < sizeof(words) ||
			peek(tid, args[0], words, sizeof(words)) != sizeof(words))
			return 0;
		flags = words[0];
		address = words[2];
	}
	return flags & CLONE_THREAD && flags & CLONE_CHILD_CLEARTID ? address : 0;
}

static bool is_pointer(uint64_t word)
{
	return word >= LOWEST && word % sizeof(word) == 0;
}

/* Is there a struct QemuThreadArgs with a name that is one of ours to know? */
static bool read_name(pid_t tid, uint64_t address, char ret_name[NEWBORN_NAME_SIZE])
{
	char name[NEWBORN_NAME_SIZE] = "";
	uint64_t args[3];

	if (!is_pointer(address) ||
		peek(tid, address, args, sizeof(args)) != sizeof(args))
		return false;
	/* The name alone need not be aligned. */
	if (args[2] < LOWEST)
		return false;
	peek(tid, args[2], name, sizeof(name) - 1);
	if (strncmp(name, "CPU ", 4) && strncmp(name, "IO ", 3))
		return false;
	memcpy(ret_name, name, sizeof(name));
	return true;
}

int newborn_name(pid_t tid, uint64_t nr, const uint64_t args[SYSCALL_ARGS],
	char ret_name[NEWBORN_NAME_SIZE])
{
	uint64_t words[REACH / sizeof(uint64_t)];
	uint64_t address = find_pthread(tid, nr, args) & ~UINT64_C(7);
	size_t n = address ? peek(tid, address, words, sizeof(words)) : 0;

	for (size_t i = 0; i < n / sizeof(*words); i++)
		if (read_name(tid, words[i], ret_name))
			return 0;
	return -ENOENT;
}
