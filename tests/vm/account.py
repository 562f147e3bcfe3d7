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
    return int(host.read("/proc/%d/stat" % tid).rpartition(")")[2].split()[6])


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

    def classify(self, cpu, tid, comm):
        """The class or cause of a run, None for one that is right."""
        if not tid:
            return None
        vm = self.threads.get(tid)
        if cpu in self.cpus:
            owner, tids = self.cpus[cpu]
            if vm == owner and (tids is None or tid in tids):
                return None
            if vm is None and kernel_thread(tid, comm):
                return "bound_kthread" if bound(tid) else "kthread"
            return "user" if vm is None else "own_vm" if vm == owner else "other_vm"
        if vm is not None:
            _, own, others = self.sets[vm]
            return None if cpu in own.get(tid, others) else "off_set"
        return None


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
        # Of a run that is cut by the window's ends ftrace has one end only: one a CPU and end.
        ends = 2 * len(reservations.cpus) if high[0] else 0
        test.assertLessEqual(low[0], count + ends, said)
        test.assertLessEqual(count, high[0], said)
        test.assertLessEqual(low[1], 1.05 * ns + 50000 * (count + 1) + ends * 5e6, said)
        test.assertLessEqual(ns, 1.05 * high[1] + 50000 * (count + 1), said)
    return {name: row[0] for name, row in seen.items()}
