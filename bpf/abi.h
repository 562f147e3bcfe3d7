/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the kernel's half and user space share: the layout of every pinned map. Field
 * names are part of the interface: `bpftool map dump pinned` prints them. A changed
 * layout is a new ABI_VERSION, and an observer of another version is replaced, not read.
 *
 * Who writes what: rules (cpu_rules, cpu_fast, filter, tasks' and vms' identity,
 * task_index, cpu_sets, groups, controllers) are written by user space only, counters by
 * BPF only. A CPU's slots are written by that CPU alone, a thread's by the CPU that runs
 * it, so that neither needs an atomic; vms and health are shared and do.
 */
#ifdef __bpf__
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
#else
#include <stdint.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
#endif

#define ABI_VERSION 7

#define ABI_SIZE(type, size) \
	_Static_assert(sizeof(type) == (size), #type " has another size")

enum {
	ABI_CPUS = 8192,	 /* as CPUSET_CPUS */
	ABI_COMM = 16,		 /* TASK_COMM_LEN */
	ABI_NAME = 128,		 /* as VM_NAME_SIZE */
	ABI_NONE = 0xffffffff,	 /* cpu_rule.vcpu: the VM as a whole owns the CPU */
	ABI_BUCKET = 8,		 /* entries of a task_index bucket: one cache line */
	ABI_FILTER_WORDS = 1024, /* of `filter`: 65,536 bits */
	ABI_WAIT_BUCKETS = 16,	 /* see struct task_counters */
	ABI_PORTION = 64,	 /* of switches that a CPU adds to health */
	ABI_FLUSH = 128, /* runs with about the same wait after which a thread's own
			   figures reach task_counters */
	ABI_SETTLE_RUNS = 4096, /* of a VM that one change excuses */
	ABI_ARRIVAL_S = 10,	/* for a thread in a group of its own to be met */
	ABI_DRIFTS = 256,	/* latest ones by others that are kept */
	ABI_OWN_DRIFTS = 64,	/* and by the controller */
	ABI_MASK_WORDS = 16,	/* of a CPU set in struct drift: the first 1,024 CPUs */
	ABI_TEXT = 64,
	ABI_EXES = 8,
	ABI_CONTROLLERS = 16,
};

/* Causes of class `foreign`: indexes of foreign[]. */
enum foreign_cause { CAUSE_USER, CAUSE_OTHER_VM, CAUSE_OWN_VM, CAUSE_KTHREAD, CAUSES };

/* What is known of a run while it lasts. */
enum run_class {
	RUN_NONE, /* nothing to count: idle, or a task that is no concern of ours here */
	RUN_IN_ORDER, /* a tracked thread where it may be, other than a CPU's owner */
	RUN_OFF_SET,  /* violation: a tracked thread outside its set, on a CPU that is not
			 foreign */
	RUN_FOREIGN,  /* violation: on a reserved CPU of somebody else */
	RUN_BOUND_KTHREAD, /* interference: a kernel thread that can run nowhere else */
};

struct count {
	u64 count; /* runs */
	u64 ns;	   /* from switch-in to switch-out */
};
ABI_SIZE(struct count, 16);

enum cpu_rule_flag {
	CPU_SETTLING = 1, /* ownership is being taken: until vms[vm].settle_until
			     foreigners may go */
};

/* cpu_rules[CPU]. All zero: the CPU is not reserved. */
struct cpu_rule {
	u32 vm;	   /* owner: VM slot, 0 for nobody */
	u32 vcpu;  /* owner: vCPU index, or ABI_NONE when the VM as a whole owns it */
	u32 flags; /* enum cpu_rule_flag */
	u32 pad;
	u64 since; /* CLOCK_MONOTONIC ns: from when on it has been this owner's */
};
ABI_SIZE(struct cpu_rule, 24);

/* Whose run is on, on a CPU. */
enum cpu_on {
	ON_OTHER, /* of a task that is no concern of ours */
	ON_IDLE,  /* nobody's; told apart on reserved CPUs only */
	ON_OWNER, /* of the owning vCPU */
	ON_KNOWN, /* of a tracked thread where it may be, on an unreserved CPU */
	ON_RUN,	  /* one that stands in cpu_runs */
};

enum {
	/* In cpu_fast.vm: two programs are attached, and whoever comes first examines a
	   switch. */
	CPU_TAKEOVER = 0x80000000,
};

/*
 * What a switch on the CPU needs as long as all is well. `vm` is that of cpu_rules, set
 * after it and cleared before; where `state` is 0 nothing more is looked at. `vm`, `tid`
 * and `task` are user space's, but that BPF clears `tid`; the rest is BPF's.
 */
struct cpu_fast {
	union {
		struct {
			u32 vm; /* with CPU_TAKEOVER */
			u32 on; /* enum cpu_on */
		};
		u64 state; /* both at once */
	};
	u32 tid;      /* the owning vCPU's thread; 0 after its exit and for the VM as a
			 whole */
	u32 task;     /* the owning vCPU's slot in tasks */
	u64 examined; /* in a takeover: which switch was the latest, see is_examined() */
	u32 seconded; /* and how many the other one had examined */
	u32 known;    /* with ON_KNOWN: the slot in tasks */
};
ABI_SIZE(struct cpu_fast, 32);

/*
 * cpu_counters[CPU]: everything that ended on this CPU since the observer was attached;
 * and `fast`, so that almost every switch takes one lookup and one cache line.
 */
struct cpu_counters {
	u64 switches; /* examined, whether reserved or not */
	struct cpu_fast fast;
	struct count foreign[CAUSES];
	struct count off_set;
	struct count bound_kthread;
	struct count settling;
	u64 pad[13];
};
ABI_SIZE(struct cpu_counters, 256);

/*
 * The program's own memory, pinned as `filter`: reached without a lookup. A bit for each
 * process that could be a VM, by tgid modulo its size.
 */
struct filter {
	u64 words[ABI_FILTER_WORDS];
};
ABI_SIZE(struct filter, ABI_FILTER_WORDS * 8);

/*
 * task_counters[tid]. Waits are from runnable to running; waits[0] holds those below
 * 1,024 ns, waits[i] those in [2^(i-1), 2^i) times 1,024 ns, the last one all longer.
 * All count from the first switch-out that was seen of the thread. They arrive in
 * portions, once ABI_FLUSH runs are in one bucket (what is outstanding stands in tasks);
 * `off_set` at once.
 */
struct task_counters {
	u32 vm;	   /* VM slot */
	u32 class; /* enum thread_class: 0 vcpu, 1 emulator, 2 iothread, 3 vhost */
	u32 index;
	u32 pad;
	u64 switches; /* runs */
	struct count off_set;
	u64 run_ns;
	u64 wait_ns;
	u64 waits[ABI_WAIT_BUCKETS];
};
ABI_SIZE(struct task_counters, 184);

/*
 * What a thread has not yet handed to task_counters. Of what the kernel itself adds up
 * (sum_exec_runtime and run_delay of its task) only the mark is kept up to which it was
 * handed over: nothing is done for it when the thread is switched in.
 */
struct task_pending {
	u64 delay; /* ns; run_delay at the latest switch-out: what is more at the next is
		      one wait. ABI_UNMARKED: none was seen yet, and nothing here counts
		    */
	u64 run_mark;		     /* ns; the kernel's figures when handed over */
	u64 delay_mark;		     /* ns */
	u64 waits[ABI_WAIT_BUCKETS]; /* each below ABI_FLUSH; together: the runs */
};
ABI_SIZE(struct task_pending, 152);

#define ABI_UNMARKED (1ULL << 63)

/* tasks[slot]: a tracked thread. Slot 0 stays empty. What a switch-out needs comes first:
 * it is one cache line. */
struct task {
	u32 tid, tgid;
	struct task_pending pending;
	u64 start_ticks; /* /proc/PID/stat field 22, for user space: BPF sees the thread
			    exit */
	u32 vm;
	u32 class;
	u32 index;
	u32 set;     /* where it may run: slot in cpu_sets */
	u32 old_set; /* where it still may be seen until vms[vm].settle_until, 0 for
			nowhere */
	u32 exited;
	u64 pad[8];
};
ABI_SIZE(struct task, 256);

/* task_index[tid modulo its size]: where in tasks a tid is. tid 0 marks a free entry. */
struct task_bucket {
	struct {
		u32 tid, task;
	} entries[ABI_BUCKET];
};
ABI_SIZE(struct task_bucket, 64);

/* cpu_sets[slot]: a CPU set. Slot 0 stays empty; the next are SET_ALL, SET_RESERVED. */
struct cpu_set_words {
	u64 words[ABI_CPUS / 64];
};
ABI_SIZE(struct cpu_set_words, 1024);

enum { SET_NONE = 0, SET_ALL = 1, SET_RESERVED = 2 /* every CPU with an owner */ };

enum vm_flag {
	VM_UNBORN = 1,	   /* it is being started: to execute a program is not its end */
	VM_GUARD_LOG = 2,  /* its threads' CPUs are the controller's: note who else
			      touches them */
	VM_GUARD_DENY = 4, /* and refuse it */
	VM_LIBVIRT_PINS = 8, /* libvirt may, too */
};

/* vms[slot]. Slot 0 stays empty. */
struct vm_slot {
	char name[ABI_NAME];
	u32 pid;
	u32 ended; /* set by BPF when the process is gone: it owns nothing any more */
	u64 start_ticks;
	u64 since;	  /* CLOCK_MONOTONIC ns: from when on it has been known */
	u64 settle_until; /* CLOCK_MONOTONIC ns; 0 when no change is being made */
	u64 rules_since;  /* CLOCK_MONOTONIC ns: when its rules last changed */
	u64 settle_base;  /* settling.count when the change began */
	u32 set, old_set; /* for threads of it that are not known one by one: the
			     emulator's */
	struct count foreign[CAUSES]; /* on CPUs that it owns */
	struct count off_set;	      /* by its threads */
	struct count settling;
	u32 flags;  /* enum vm_flag */
	u32 groups; /* hash of those that were last written for it; 0: not known */
	/* CLOCK_MONOTONIC ns: when the change at rules_since was done (0: not yet), and
	 * the one before it. */
	u64 committed, committed_before;
	/* CLOCK_MONOTONIC ns: when its placement was last put right (0: never), and since
	 * when it had been right. */
	u64 repaired, repaired_since;
	u64 fingerprint; /* of what is wanted of its groups; 0: not known */
	u64 refused;	 /* CLOCK_MONOTONIC ns: when the guard last announced a refusal */
};
ABI_SIZE(struct vm_slot, 336);

/* health[0]. */
struct health {
	u64 switches; /* examined on all CPUs; each adds ABI_PORTION at once, cpu_counters
			 is exact */
	u64 events_lost; /* no room in the ring */
	u64 unwritten;	/* runs whose thread had no entry in task_counters or whose VM had
			   no slot */
	u64 generation; /* of the rules: one more at each change */
	u64 start;	/* CLOCK_MONOTONIC ns: when the observer was attached */
	u64 rules_changed; /* CLOCK_MONOTONIC ns */
	u32 abi;	   /* ABI_VERSION */
	u32 cpus;	   /* CPUs that the maps were made for */
	u64 loose_until;   /* CLOCK_MONOTONIC ns: partitions are being changed, and the
			      kernel binds its threads anew; 0 when none is */
	u64 build;	   /* which program is attached: a hash of its object file */
	u64 drifts;	   /* by others, noted so far */
	u64 culprits_full; /* runs that had no place of their own in culprits */
	u32 wanted;	   /* enum part, as bits: asked for */
	u32 parts;	   /* of those, attached at the start */
	u32 takeover;	   /* one was begun and has not come to its end */
	u32 groups_full;   /* times that `groups` was full, and shared ones gave way */
	u64 missed; /* switches that programs before this one were not called for */
	u64 unwritten_time; /* CLOCK_MONOTONIC ns: of the latest of `unwritten` */
	u64 news_lost;	    /* no room in the ring buffer `news` */
	u64 own_drifts;	    /* as drifts, by the controller */
};
ABI_SIZE(struct health, 136);

/* What the observer does beside counting runs: each as far as the kernel has the hook. */
enum part {
	PART_AFFINITY = 1,    /* drift: sched_setaffinity() */
	PART_CPUSET = 2,      /* drift: cpuset.cpus, cpuset.cpus.exclusive, cpuset.mems */
	PART_PARTITION = 4,   /* drift: cpuset.cpus.partition */
	PART_MOVE = 8,	      /* drift: cgroup.procs, cgroup.threads */
	PART_INTERRUPTS = 16, /* durations of interrupts; only when wanted */
	PART_GUARD = 32,      /* refuses drift; only when wanted */
	PARTS_ALL = 63,
};

/* A program file, as the kernel tells it apart. */
struct exe {
	u64 inode;
	u32 device; /* as in the kernel's s_dev: major << 20 | minor */
	u32 pad;
};
ABI_SIZE(struct exe, 16);

/* controllers[0]: who may change what is observed. In the other entries only who it is:
 * processes that attend to a VM's birth. */
struct controllers {
	u64 start_ticks; /* of `tgid`, as in struct task */
	u32 tgid;	 /* who is changing the host at present, 0 for nobody */
	u32 pad;
	struct exe libvirt[ABI_EXES]; /* its daemons; inode 0: none */
};
ABI_SIZE(struct controllers, 144);

/* groups[id of a cgroup v2]: groups that hold VMs' threads, and those above them. */
struct group_rule {
	u32 vm; /* VM slot; 0: of several */
	u32 pad;
};
ABI_SIZE(struct group_rule, 8);

enum drift_kind { DRIFT_NONE, DRIFT_AFFINITY, DRIFT_CPUSET, DRIFT_PARTITION, DRIFT_MOVE };

/* Which file was written, with DRIFT_CPUSET. */
enum drift_file { FILE_CPUS, FILE_EXCLUSIVE, FILE_MEMS };

/* Who a task was. */
struct who {
	u32 tid, tgid;
	u64 cgroup; /* id */
	char comm[ABI_COMM];
};
ABI_SIZE(struct who, 32);

/*
 * drifts[n modulo ABI_DRIFTS]: somebody changed where a VM's thread may run, or what
 * belongs to it. `number` is n + 1, and written last. A number that is in no entry was
 * counted for a change of which nothing could be kept. Behind them the controller's own,
 * which have numbers of their own: however many these are, they displace none.
 */
struct drift {
	u64 number;
	u64 time;    /* CLOCK_MONOTONIC ns */
	u32 kind;    /* enum drift_kind */
	s32 result;  /* what the kernel answered: 0, or -EPERM where the guard refused */
	u32 own;     /* it was the controller */
	u32 guarded; /* the VM's flags of the guard then; 0 where it was not asked */
	u32 vm;	     /* VM slot, 0 where the change is of no single one */
	u32 file;    /* enum drift_file */
	u32 beside;  /* CPUSET, PARTITION: the group is not in `groups`, but next to those
			and claims a reserved CPU */
	u32 pad;
	struct who by;
	struct who target;   /* AFFINITY, MOVE: the thread, or the leader of a process */
	u64 group, group_to; /* ids. CPUSET, PARTITION: whose file; MOVE: from and to */
	char text[ABI_TEXT]; /* CPUSET, PARTITION: what was written, cut to fit */
	/* PARTITION: as the kernel numbers it: 0 member, 1 root, 2 isolated, -1 root
	 * invalid, -2 isolated invalid. */
	s32 state_before, state_after;
	/* AFFINITY: the CPUs that the thread may run on. CPUSET: what the file says.
	 * PARTITION: the group's CPUs, and those that it claims. */
	u64 before[ABI_MASK_WORDS], after[ABI_MASK_WORDS];
};
ABI_SIZE(struct drift, 456);

/* culprits[key]: whose runs on a VM's CPUs were not the owner's. One key, with no comm
 * and cause CAUSES, takes those for which there is no place. */
struct culprit_key {
	u32 vm;	   /* the CPU's owner, or, with RUN_OFF_SET, the thread's VM */
	u32 class; /* enum run_class */
	u32 cause; /* enum foreign_cause, with RUN_FOREIGN */
	char comm[ABI_COMM];
};
ABI_SIZE(struct culprit_key, 28);

struct culprit_runs {
	struct count runs;
	u64 time;   /* of the latest one's end, CLOCK_MONOTONIC ns */
	u64 cgroup; /* the rest is of the latest one */
	u32 tid, tgid;
	u32 cpu;
	u32 pad;
};
ABI_SIZE(struct culprit_runs, 48);

/* interrupts[CPU]: what the tracepoints saw, by PART_INTERRUPTS. A softirq's ns are
 * without those of interrupts that came in between. */
struct interrupts {
	struct count irq, softirq;
	u64 irq_start, softirq_start; /* of the one that is on, or 0 */
	u64 inside;		      /* ns of interrupts since softirq_start */
	u64 irq_base, softirq_base;   /* the kernel's own counters when the observer began
				       */
};
ABI_SIZE(struct interrupts, 72);

/* An entry of the ring buffer `events`: one violation, written when the run is over. */
struct event {
	u64 time;   /* CLOCK_MONOTONIC ns of the switch-out */
	u64 ns;	    /* length of the run */
	u64 cgroup; /* id of the culprit's cgroup v2 */
	u64 generation;
	u32 class; /* enum run_class */
	u32 cause; /* enum foreign_cause, with RUN_FOREIGN */
	u32 cpu;
	u32 vm;	  /* RUN_FOREIGN: the CPU's owner; RUN_OFF_SET: the thread's VM */
	u32 vcpu; /* the CPU's owner, as in cpu_rule */
	u32 tid, tgid;
	char comm[ABI_COMM];
	u32 pad;
};
ABI_SIZE(struct event, 80);

enum settling {
	SETTLING_NOT,
	SETTLING_CHANGE, /* a change was being made */
	/* Somebody, as libvirt does when a vCPU is plugged in, has just made a group
	 * below the VM's for a thread that is known by its process only. */
	SETTLING_ARRIVAL,
};

enum news_kind {
	NEWS_PROGRAM, /* a process has become another program, by whose name it may be a
			 VM, or was one */
	NEWS_BORN,    /* a VM's thread was made */
	NEWS_NAMED,   /* a VM's thread has another name */
	NEWS_EXIT,    /* a VM's thread exits */
	NEWS_DRIFT,   /* `drifts` has one more that is not our own */
	NEWS_KINDS,
};

/* An entry of the ring buffer `news`: what may call for the controller. */
struct news {
	u64 time; /* CLOCK_MONOTONIC ns */
	u32 kind; /* enum news_kind */
	u32 vm;	  /* VM slot, 0: none, or not known yet */
	u32 tid, tgid;
	char comm[ABI_COMM];
};
ABI_SIZE(struct news, 40);

/* cpu_runs[CPU]: the run that is on unless it is the owner's or nobody's, and the last
 * violation that ended. */
struct cpu_run {
	u32 class; /* enum run_class */
	u32 cause;
	u32 vm; /* as in struct event */
	u32 vcpu;
	u32 task; /* slot in tasks of a tracked thread, or 0 */
	u32 tid;
	u32 settling;	/* enum settling: what could excuse it when it began */
	u32 end_switch; /* low half of the CPU's switches when `end` was read */
	u64 start;	/* CLOCK_MONOTONIC ns; only for the classes that count ns */
	struct event last;
	u64 end; /* of the latest one that counted ns, CLOCK_MONOTONIC ns */
};
ABI_SIZE(struct cpu_run, 128);

/* Does a change excuse a run at `now` still? Within its bounds, of time and number.
 * `loose_until` is health's. */
static inline int abi_excuses(const volatile struct vm_slot *vm,
	const struct cpu_run *run, u64 loose_until, u64 now)
{
	if (vm->settling.count - vm->settle_base >= ABI_SETTLE_RUNS)
		return 0;
	if (run->settling == SETTLING_ARRIVAL)
		return now <= run->start + ABI_ARRIVAL_S * 1000000000ULL;
	return now <= vm->settle_until ||
	       (run->class == RUN_FOREIGN && run->cause == CAUSE_KTHREAD &&
		       now <= loose_until);
}
