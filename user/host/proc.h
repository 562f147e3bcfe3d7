/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Bounded reads of /proc (proc(5)). Of a process or thread that has gone, every function
 * says -ESRCH. A directory fd of /proc/PID keeps meaning that one process: when the
 * number is used again, reads below the old fd fail. The proc_parse_*() half is pure:
 * text in, facts out, -EINVAL for anything that the kernel does not write.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/model/vm.h"

/* include/linux/sched.h */
enum task_flag { PF_KTHREAD = 0x00200000, PF_NO_SETAFFINITY = 0x04000000 };

struct proc_stat {
	char comm[COMM_SIZE]; /* printable ASCII, anything else shown as '?' */
	char state;
	pid_t ppid;
	uint64_t flags;	     /* enum task_flag and others */
	uint64_t start_time; /* clock ticks since boot */
	int last_cpu;
};

int proc_parse_stat(const char *text, struct proc_stat *ret_stat);

/*
 * The cgroup v2 path of a `cgroup` file, without its leading slash and without the "
 * (deleted)" of a removed group. -ENODATA: the host has no v2 hierarchy; -EXDEV: it is
 * outside of our cgroup namespace; -ENAMETOOLONG. The caller frees.
 */
int proc_parse_cgroup(const char *text, char **ret_path);

/* Sets run_ns, wait_ns and switches. */
int proc_parse_schedstat(const char *text, struct vm_thread *thread);

/* The id in its own pid namespace, from a `status` file. *ret_depth: 1 outside of
 * containers. */
int proc_parse_nspid(const char *text, unsigned int *ret_depth, pid_t *ret_pid);

/* Opens /proc/PID as a directory. The caller closes. */
int proc_open(pid_t pid, int *ret_fd);

/* `stat` and the NSpid line of `status`, below an fd of /proc/PID or /proc/PID/task/TID.
 */
int proc_read_stat_at(int dirfd, struct proc_stat *ret_stat);
int proc_read_nspid_at(int dirfd, unsigned int *ret_depth, pid_t *ret_pid);

/* `stat` of a thread, below an fd of /proc/PID. */
int proc_read_task_stat_at(int procfd, pid_t tid, struct proc_stat *ret_stat);

/* sched_getaffinity(), for any number of CPUs. Only those that are online. */
int proc_read_affinity(pid_t tid, struct cpuset *ret_set);

/*
 * One thread, all but its class and index (which are left zero). The facts belong to one
 * and the same thread, even when its number is used again meanwhile. The caller owns
 * ret_thread->cgroup.
 */
int proc_read_thread(pid_t pid, pid_t tid, struct vm_thread *ret_thread);
int proc_read_thread_at(int procfd, pid_t tid, struct vm_thread *ret_thread);

/* An error that says that it has ended, or that it is where no group of ours can be. */
static inline bool proc_is_out_of_sight(int r)
{
	return r == -ESRCH || r == -EXDEV || r == -ENODATA || r == -ENAMETOOLONG;
}

/* The start time of a thread of that process; tid = pid for the process itself. */
int proc_start_time(pid_t pid, pid_t tid, uint64_t *ret_start_time);

/* Is the thread that began then still there? False also when it cannot be told. */
bool proc_is_alive(pid_t pid, pid_t tid, uint64_t start_time);

/*
 * Calls fn for every process, or for every thread of a process, in no order, until it
 * returns something other than 0, which is then returned.
 */
int proc_for_each_pid(int (*fn)(pid_t pid, void *data), void *data);
int proc_for_each_tid(int procfd, int (*fn)(pid_t tid, void *data), void *data);
