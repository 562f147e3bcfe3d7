/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What was found on the host: VMs (QEMU processes) and their threads. Facts only, no
 * wishes. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/model/cpuset.h"

enum thread_class {
	THREAD_VCPU,
	THREAD_EMULATOR,
	THREAD_IOTHREAD,
	THREAD_VHOST,
	THREAD_CLASSES
};

/* Who told a VM's vCPU threads from the others. */
enum vm_source { SOURCE_NAME, SOURCE_QMP, SOURCE_LIBVIRT, SOURCE_KVM };

/* A process, also when its number is used again. */
struct process_id {
	pid_t pid;
	uint64_t start_time; /* as of a thread, below */
};

enum {
	VM_NAME_SIZE = 128, /* a longer name is cut */
	COMM_SIZE = 16,	    /* TASK_COMM_LEN */
	VCPUS_MAX = 8192,   /* a higher vCPU index is a lie */
	IOTHREADS_MAX = 4096,
	THREADS_MAX = 32768, /* of one VM; more are not looked at, and that is said */
};

struct vm_thread {
	pid_t tid;
	uint64_t start_time; /* field 22 of /proc/PID/stat: clock ticks since boot */
	enum thread_class class;
	int index;		/* of a vCPU or iothread; 0 for the others */
	char comm[COMM_SIZE];	/* chosen by QEMU: shown, never trusted */
	struct cpuset affinity; /* sched_getaffinity() */
	int last_cpu;
	char *cgroup; /* its cgroup v2 path without the leading slash, "" for the root;
			 owned */
	uint64_t switches, run_ns, wait_ns; /* from /proc/PID/task/TID/schedstat */
};

/* The guest's own topology, as given to QEMU (-smp); 0: not known. */
struct guest_smp {
	unsigned int sockets, dies, cores, threads;
};

struct vm {
	char name[VM_NAME_SIZE]; /* printable, no '/', no leading '.': fit for a file name
				  */
	pid_t pid;
	uint64_t start_time;
	enum vm_source source;
	bool libvirt;  /* libvirt runs it, and owns its groups */
	bool starting; /* and is not done with its groups and pins */
	struct guest_smp smp;
	/* The main thread first, the others by tid; last those that a VM which is being
	 * started is yet to have: tid 0, cgroup "". */
	struct vm_thread *threads;
	size_t n_threads;
	char *problem; /* a sentence about what could not be found out, or NULL; owned */
};

/* VMs ordered by name; every name is there once. */
struct vms {
	struct vm *items;
	size_t n_items;
};

void vm_deinit(struct vm *vm);
void vms_deinit(struct vms *vms);
const struct vm *vms_find(const struct vms *vms, const char *name);
const struct vm_thread *vm_find_thread(const struct vm *vm, pid_t tid);

/* Could a VM have that name (and so a file)? */
bool vm_name_ok(const char *name);

/* How many threads there are already. */
size_t vm_born(const struct vm *vm);

const char *thread_class_name(enum thread_class class);
const char *vm_source_name(enum vm_source source);
