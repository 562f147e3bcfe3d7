# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who ran where, told twice: by the observer's counters and by ftrace's runs, which are classified here once more, by
hand: from whose each CPU is and where each thread may run.
"""
import os

import host

CAUSES = ["user", "other_vm", "own_vm", "kthread"]
PF_KTHREAD = 0x00200000
PF_NO_SETAFFINITY = 0x04000000


def totals(counters, on_cpus=None):
    """Counts and ns by class and cause, summed over CPUs, as bpftool reads them."""
    sums = {}
    for cpu, value in counters.items():
        if on_cpus is not None and cpu not in on_cpus:
            continue
        rows = {"off_set": value["off_set"], "settling": value["settling"],
                "bound_kthread": value["bound_kthread"]}
        rows.update(zip(CAUSES, value["foreign"]))
        for name, row in rows.items():
            count, ns = sums.get(name, (0, 0))
            sums[name] = (count + row["count"], ns + row["ns"])
        sums["switches"] = sums.get("switches", 0) + value["switches"]
    return sums


def difference(after, before):
    return {k: after[k] - before[k] if k == "switches" else
            (after[k][0] - before[k][0], after[k][1] - before[k][1]) for k in after}


def flags(tid):
    return int(host.stat_fields(tid)[6])


def kernel_thread(tid, comm):
    try:
        return bool(flags(tid) & PF_KTHREAD)
    except FileNotFoundError:
        return comm.startswith("kworker")


def bound(tid):
    """A kernel thread of one CPU that nobody may move."""
    try:
        now = flags(tid)
    except FileNotFoundError:
        return True  # only kernel threads of one CPU come and go there unasked
    return bool(now & PF_KTHREAD and now & PF_NO_SETAFFINITY) and len(host.affinity(tid)) == 1


# Lengths are measured again so often: a stall of the emulator between two readings of the clock, ours and ftrace's,
# is neither's fault. Counts must be equal at once.
ATTEMPTS = 6
STALL_NS = 5000000


def lengths_agree(counted_ns, ns, count):
    """Within 2% and 1 us a run."""
    return abs(counted_ns - ns) <= 0.02 * ns + 1000 * count


class Reservations:
    """
    cpus: {CPU: (VM, tids that may run there, or None for all of the VM's)}; sets: {VM: (pid, {tid: CPUs}, CPUs of
    all its other threads)}.
    """

    def __init__(self, cpus, sets):
        self.cpus = cpus
        self.sets = sets
        self.threads = {}
        self.look()

    def look(self):
        """Threads come and go: whose they are is noted before and after."""
        for vm, (pid, _, _) in self.sets.items():
            try:
                self.threads.update((int(tid), vm) for tid in os.listdir("/proc/%d/task" % pid))
            except FileNotFoundError:
                pass

    def judge(self, cpu, tid, vm, kernel):
        """
        The class or cause of a run of a thread of that VM or of none, None for one that is right. kernel(): what
        it would be as a kernel thread, None if it is none.
        """
        owner, tids = self.cpus.get(cpu, (None, None))
        if owner and vm != owner:
            return "other_vm" if vm else kernel() or "user"
        if owner and tids is not None:
            return None if tid in tids else "own_vm"
        if vm is None:
            return None
        _, own, others = self.sets[vm]
        return None if cpu in own.get(tid, others) else "off_set"

    def classify(self, cpu, tid, comm):
        def kernel():
            if kernel_thread(tid, comm):
                return "bound_kthread" if bound(tid) else "kthread"
            return None
        return self.judge(cpu, tid, self.threads.get(tid), kernel) if tid else None


def compare(test, reservations, act, cpus=None):
    """
    Over act() every run on those CPUs is counted once, in its class: at least those of ftrace's that were over when
    the counters were read within its window, at most those that were when they were read after. Returns {class:
    count} of ftrace's. Kernel threads' two classes are taken together: one that has ended cannot be asked which.
    """
    cpus = cpus or range(os.cpu_count())
    trace = host.Trace(cpus)
    outer = totals(host.counters(), cpus)
    with trace:
        inner = totals(host.counters(), cpus)
        act()
        inner = difference(totals(host.counters(), cpus), inner)
    outer = difference(totals(host.counters(), cpus), outer)
    reservations.look()
    runs, _ = trace.account()
    trace.close()
    seen = {}
    rows = []
    for (cpu, tid), (count, ns, comm) in sorted(runs.items()):
        name = reservations.classify(cpu, tid, comm)
        if name:
            old = seen.get(name, (0, 0))
            seen[name] = (old[0] + count, old[1] + ns)
            rows.append((cpu, tid, comm, count, name))
    test.assertEqual(outer["settling"], (0, 0))
    for names in (["off_set"], ["user"], ["other_vm"], ["own_vm"], ["kthread", "bound_kthread"]):
        said = (names, seen, inner, outer, rows)
        count, ns = (sum(seen.get(name, (0, 0))[i] for name in names) for i in (0, 1))
        low, high = ([sum(table[name][i] for name in names) for i in (0, 1)] for table in (inner, outer))
        # Of a run that is cut by the window's ends ftrace has one end only: one a CPU and end. Lengths are held
        # exactly where an attempt can be repeated; here one stall between two readings of the clock is forgiven.
        ends = 2 * len(reservations.cpus) if high[0] else 0
        test.assertLessEqual(low[0], count + ends, said)
        test.assertLessEqual(count, high[0], said)
        slack = 50000 * (count + 1) + STALL_NS
        test.assertLessEqual(low[1], 1.05 * ns + slack + ends * 5e6, said)
        test.assertLessEqual(ns, 1.05 * high[1] + slack, said)
    return {name: row[0] for name, row in seen.items()}
