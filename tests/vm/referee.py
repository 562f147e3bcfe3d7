# SPDX-License-Identifier: GPL-2.0-or-later
"""
The referee: wrongs of known kinds are done on two placed VMs, and the observer's counters are compared with ftrace's
account of the same window, CPU by CPU and class by class. Whose a task was at the moment of each run the referee
knows from births, programs and ends in that account, and from /proc; never from the program under test.
"""
import collections
import os
import time

import host
import two_vms
from qmp import Qmp
from account import (ATTEMPTS, CAUSES, PF_NO_SETAFFINITY, Reservations, difference, flags, kernel_thread, lengths_agree,
                     totals)

CLONE_THREAD = 0x00010000
LATE_NS = 20_000_000
KTHREADD = 2
VIOLATIONS = CAUSES + ["off_set"]

# A kind of wrong: act(test) does it, within the window. expect: {(class or cause, CPU): the fewest runs of it that must
# be seen}; also: cells of the same form that the act may bring along. No other may have a single run. before(test) is
# done ahead of the window. open: the CPUs are open to all, kernel threads come and lose their own, so that nobody can
# tell afterwards which were bound: their two classes are taken together.
Kind = collections.namedtuple("Kind", "name says act expect also before open", defaults=((), None, False))

# A group of the host's own, to put whole VMs into.
LOUNGE = "lounge"
ANY = [(name, cpu) for name in VIOLATIONS for cpu in range(8)]


class Story:
    """Who each task was, and when: begun while the tracer runs already, told to its end from what that wrote."""

    def __init__(self, reservations):
        self.reservations = reservations
        self.vm_threads = {vm: set() for vm in reservations.sets}
        for vm, (pid, _, _) in reservations.sets.items():
            for tid in os.listdir("/proc/%d/task" % pid):
                self.vm_threads[vm].add(int(tid))
        self.kernel = {}
        self.met = set(map(int, filter(str.isdigit, os.listdir("/proc"))))
        for pid in self.met:
            self.note_kernel(pid)

    def note_kernel(self, pid):
        """Whether one is a kernel thread, and which, can be asked only while it lives."""
        try:
            if kernel_thread(pid, ""):
                comm = host.read("/proc/%d/comm" % pid)
                fixed = flags(pid) & PF_NO_SETAFFINITY and not comm.startswith("kworker/u")
                self.kernel[pid] = "bound_kthread" if fixed and len(host.affinity(pid)) == 1 else "kthread"
        except (FileNotFoundError, ProcessLookupError):
            pass

    def tell(self, lines):
        """The runs, and what befell tasks, in order."""
        self.runs = []
        self.lives = {tid: [(0, vm)] for vm, tids in self.vm_threads.items() for tid in tids}
        self.ending, self.ended = {}, {}
        self.makers = {}
        alive = {vm: set(tids) for vm, tids in self.vm_threads.items()}
        events = [line.split(" ", 5) for line in lines]
        # Of those that were met alive the account may tell the birth, too: then it comes before their end.
        first = {}
        for event in events:
            if event[0] in ("born", "exit"):
                first.setdefault(int(event[1]), event[0])
        for tids in alive.values():
            for tid in [tid for tid in tids if first.get(tid) == "born"]:
                self.lives.pop(tid)
                tids.remove(tid)
        for what, *words in events:
            if what == "run":
                cpu, tid, start, ns = map(int, words[:4])
                self.runs.append((cpu, tid, start, ns, words[4] if len(words) > 4 else ""))
            elif what == "born":
                tid, maker, when = int(words[0]), int(words[1]), int(words[3])
                vm = self.vm_at(maker, when) if int(words[2], 16) & CLONE_THREAD else None
                self.lives.setdefault(tid, []).append((when, vm))
                self.makers.setdefault(tid, maker)
                if vm:
                    alive[vm].add(tid)
            elif what == "exec":
                tid, when = int(words[0]), int(words[2])
                vm = self.vm_at(tid, when)
                self.lives.setdefault(tid, []).append((when, None))
                if vm:
                    self.ending.setdefault(vm, when)
                    self.ended.setdefault(vm, when)
            elif what == "exit":
                tid, when = int(words[0]), int(words[1])
                vm = self.vm_at(tid, when)
                if vm:
                    self.ending.setdefault(vm, when)
                    alive[vm].discard(tid)
                    if not alive[vm]:
                        self.ended.setdefault(vm, when)

    def vm_at(self, tid, when):
        return next((vm for since, vm in reversed(self.lives.get(tid, ())) if since <= when), None)

    def vm_served(self, tid, comm):
        """
        Before 6.4 vhost's workers are kernel threads, named after the process that they work for. They are not watched
        but on reserved CPUs.
        """
        if not comm.startswith("vhost-") or not self.kernel_at(tid, comm):
            return None
        return next((vm for vm, (pid, _, _) in self.reservations.sets.items() if comm == "vhost-%d" % pid), None)

    def kernel_at(self, tid, comm):
        """bound_kthread, kthread or None. Those that come and go unasked are workers, mostly of one CPU."""
        maker = self.makers.get(tid, KTHREADD)
        if maker != KTHREADD:
            return None
        if tid not in self.kernel:
            self.note_kernel(tid)
        # One that was gone before it was met was a worker, too, if it says so.
        if tid not in self.kernel and (
                tid in self.makers or tid not in self.met and comm.startswith("kworker/")):
            return "kthread" if comm.startswith("kworker/u") else "bound_kthread"
        return self.kernel.get(tid)

    def is_first(self, tid, when):
        """Whether it was then still the one that had the number when the window began."""
        lives = [since for since, _ in self.lives.get(tid, ()) if since <= when]
        return lives == [0]

    def has_ended(self, vm, when):
        return vm in self.ended and when >= self.ended[vm] + LATE_NS

    def judge(self, run):
        """A VM that has ended owns nothing; its last threads are its threads until they are gone."""
        cpu, tid, start, _, comm = run
        vm = self.vm_at(tid, start)
        owner, _ = self.reservations.cpus.get(cpu, (None, None))
        if owner and not vm:
            vm = self.vm_served(tid, comm)
        if self.has_ended(owner or vm, start):
            return None
        # A number of the VM's that another thread has by now stands for nobody.
        mine = tid if self.is_first(tid, start) else -1
        return self.reservations.judge(cpu, mine, vm, lambda: self.kernel_at(tid, comm))

    def is_doubtful(self, run):
        """
        A VM's last threads exit together, and it ends once all are on their way: somewhere between the first exit
        that is traced and the last, or a moment later where the CPU of that one stood still between two tracers.
        """
        cpu, tid, start, _, _ = run
        owner, _ = self.reservations.cpus.get(cpu, (None, None))
        vm = owner or self.vm_at(tid, start)
        return vm in self.ended and start >= self.ending.get(vm, start + 1)

    def found(self, doubtful=False):
        """{(class or cause, CPU): [runs, ns, those whose they were]}, of all or of the doubtful alone."""
        cells = {}
        for run in self.runs:
            name = self.judge(run)
            if name and (not doubtful or self.is_doubtful(run)):
                cell = cells.setdefault((name, run[0]), [0, 0, set()])
                cell[0] += 1
                cell[1] += run[3]
                cell[2].add("%s (%d)" % (run[4], run[1]))
        return cells


def cells_of(counters):
    return {(name, cpu): row for cpu, value in counters.items()
            for name, row in totals({cpu: value}).items() if name != "switches"}


def merge_kernel(cells):
    """The same with both classes of kernel threads in one."""
    merged = {}
    for (name, cpu), row in cells.items():
        cell = ("bound_kthread" if name == "kthread" else name, cpu)
        merged[cell] = [a + b if isinstance(a, int) else a | b for a, b in zip(merged[cell], row)] \
            if cell in merged else list(row)
    return merged


class Referee(two_vms.TwoVMs):
    mode = "work"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.broken = set()
        cls.trace = host.Trace(range(os.cpu_count()), 4096, lives=True)

    @classmethod
    def tearDownClass(cls):
        cls.trace.close()
        if os.path.isdir(os.path.join(host.CGROUP, LOUNGE)):
            os.rmdir(os.path.join(host.CGROUP, LOUNGE))
        super().tearDownClass()

    def lounge(self):
        """There is cpuset in the root's groups once VMs are placed."""
        path = os.path.join(host.CGROUP, LOUNGE)
        if not os.path.isdir(path) and os.path.isdir(os.path.join(host.CGROUP, host.SLICE)):
            os.mkdir(path)
        if os.path.exists(path + "/cpuset.cpus"):
            host.set_cgroup(LOUNGE, "cpuset.cpus", "0")

    def ready(self):
        """Both VMs alive and placed. What an act has left behind of a VM is in `broken`: "ended" or "open"."""
        for guest in [guest for guest in self.guests if (guest.name, "ended") in self.broken]:
            guest.kill()
            self.apply()
            self.guests[self.guests.index(guest)] = host.Guest(guest.name, guest.vcpus, self.mode)
        for name in {name for name, how in self.broken if how == "open"}:
            if not host.REMOTE:
                # Without a CPU to spare the group cannot be a partition again while it is populated.
                host.cpuwarden("release", name)
        self.broken.clear()
        self.lounge()
        self.apply()
        self.assert_placed()
        self.lounge()

    def reservations(self):
        """Whose each CPU is and where each thread may run: what the configuration says, once more by hand."""
        reserved, sets = {}, {}
        for guest in self.guests:
            own = {}
            for tid in guest.threads():
                leaf = two_vms.leaf_of(guest, tid)
                own[tid] = host.cpus(two_vms.LEAVES[guest.name][leaf][0])
                if leaf.startswith("vcpu"):
                    reserved[min(own[tid])] = (guest.name, {tid})
            emulator = host.cpus(two_vms.LEAVES[guest.name]["emulator"][0])
            reserved[min(emulator)] = (guest.name, None)
            sets[guest.name] = (guest.pid, own, emulator)
        return Reservations(reserved, sets)

    def window(self, act):
        """({cell: (count, ns)} at most, the same at least, the story): what the counters grew by over act()."""
        reservations = self.reservations()
        # Where a door is opened to everybody, this test itself must not go through it. Back afterwards not to what is
        # open then: that would bind it, and all that it starts, for good.
        self.addCleanup(os.sched_setaffinity, 0, range(os.cpu_count()))
        os.sched_setaffinity(0, {0})
        outer = cells_of(host.counters())
        with self.trace:
            inner = cells_of(host.counters())
            story = Story(reservations)
            act(self)
            # Let the last run end.
            time.sleep(0.2)
            inner = difference(cells_of(host.counters()), inner)
        outer = difference(cells_of(host.counters()), outer)
        os.sched_setaffinity(0, range(os.cpu_count()))
        story.tell(self.trace.runs("each"))
        return outer, inner, story

    def assert_counts(self, kind, outer, inner, story):
        """
        Violations are counted run by run. Of kernel threads bound to a CPU, which come at all times, as many as ended
        between the readings within ftrace's window, and no more than between those around it. A VM owns nothing once
        all its threads are on their way out.
        """
        found, doubtful = story.found(), story.found(doubtful=True)
        if kind.open:
            outer, inner, found, doubtful = map(merge_kernel, (outer, inner, found, doubtful))
        said = {cell: (row[0], sorted(row[2])[:5]) for cell, row in found.items() if cell[0] != "bound_kthread"}
        for cell, (count, _) in outer.items():
            seen = found.get(cell, [0])[0]
            if cell[0] == "bound_kthread":
                # Of a run that the window cuts ftrace has one end only.
                self.assertLessEqual(inner[cell][0], seen + 1, (cell, said))
                self.assertLessEqual(seen - doubtful.get(cell, [0])[0], count, (cell, said))
                self.assertLessEqual(inner[cell][1], 1.05 * found.get(cell, [0, 0])[1] + 50e6, (cell, said))
            else:
                self.assertLessEqual(count, seen, (cell, said))
                self.assertGreaterEqual(count, seen - doubtful.get(cell, [0])[0], (cell, said))
        for cell, fewest in kind.expect.items():
            self.assertGreaterEqual(found.get(cell, [0])[0], fewest, (cell, said))
        wrong = {cell for cell in found
                 if cell[0] in VIOLATIONS and found[cell][0] > doubtful.get(cell, [0])[0]}
        self.assertLessEqual(wrong, set(kind.expect) | set(kind.also), said)
        return found, doubtful

    def compare_lengths(self, kind, outer, found, doubtful):
        """("", what was said of each) when all agree, else of the first that doesn't."""
        rows = []
        # What comes along by chance is counted; of a single such run the emulator's stalls are no 2%.
        for cell in sorted(kind.expect):
            if kind.open and cell[0] == "kthread":
                continue  # taken together with others
            count, ns = found.get(cell, [0, 0])[:2]
            row = "%s on CPU %d: %d runs, %d ns counted, %d by ftrace" % (*cell, count, outer[cell][1], ns)
            extra = outer[cell][0] - count
            if extra < 0:
                ns -= doubtful[cell][1] * -extra // doubtful[cell][0]
            # Such a thread may have run between a reading and ftrace's end of the window.
            if not lengths_agree(outer[cell][1], ns, count) and not (
                    extra and cell[0] == "bound_kthread" and outer[cell][1] >= ns):
                return row, rows
            if count:
                rows.append(row)
        return "", rows

    def hold(self, kind):
        for attempt in range(ATTEMPTS):
            self.ready()
            if kind.before:
                kind.before(self)
            self.reborn = None
            outer, inner, story = self.window(kind.act)
            if self.reborn:
                self.assertIn(self.reborn, story.makers, "the number was not given again")
            found, doubtful = self.assert_counts(kind, outer, inner, story)
            wrong, rows = self.compare_lengths(kind, outer, found, doubtful)
            if not wrong:
                for row in rows:
                    print("    " + row, flush=True)
                return
            print("    again: " + wrong, flush=True)
        self.fail(wrong)

    # ---- what kinds are made of ----

    def group_of(self, cpu):
        """The group whose only CPU that is."""
        for guest in self.guests:
            for leaf in ("emulator", "vcpu0", "vcpu1", "vcpu2"):
                if two_vms.LEAVES[guest.name].get(leaf, ("",))[0] == str(cpu):
                    return two_vms.group(guest, leaf)
        raise KeyError(cpu)

    def visit(self, cpu, *options, runs=40, busy=2000, pause=3000):
        """A host task enters the group of a CPU and runs there."""
        process = host.intrude(runs, busy, pause, None, self.group_of(cpu), options)
        _, told = process.communicate()
        self.assertEqual(process.returncode, 0, told)

    def guest(self, name):
        return next(guest for guest in self.guests if guest.name == name)

    def puppet(self, tid, *options, count=1, runs=2, loops=200000, pause=1000):
        """Has a thread of a QEMU make others: see puppet.c."""
        done = host.run(os.path.join(host.HELPERS, "puppet"), *options, str(tid), *map(str, (count, runs, loops, pause)))
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(done.stdout or 0)

    def move(self, tid, cpu):
        """One thread of a VM into another group of the same VM."""
        host.set_cgroup(self.group_of(cpu), "cgroup.threads", str(tid))

    def move_all(self, guest, group):
        """A whole VM into any group."""
        host.set_cgroup(group, "cgroup.procs", str(guest.pid))

    def send_home(self, guest):
        """Back from wherever the VM or one of its threads is."""
        if not host.thread_cgroup(guest.pid, guest.pid).startswith(two_vms.group(guest) + "/"):
            self.move_all(guest, two_vms.group(guest, "emulator"))
        for tid in guest.threads():
            home = two_vms.group(guest, two_vms.leaf_of(guest, tid))
            try:
                if host.thread_cgroup(guest.pid, tid) != home:
                    host.set_cgroup(home, "cgroup.threads", str(tid))
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended

    def ask(self, guest, times=20):
        """Questions keep the VM's main thread busy."""
        monitor = Qmp("/run/%s.qmp" % guest.name)
        for _ in range(times):
            monitor.call("query-status")
            time.sleep(0.01)
        monitor.close()


def kinds(table):
    """A class decorator: a test of each kind, in the order of the table."""
    def add(cls):
        for number, kind in enumerate(table, 1):
            def test(self, kind=kind):
                self.hold(kind)
            test.__doc__ = kind.says
            setattr(cls, "test_%02d_%s" % (number, kind.name), test)
        return cls
    return add
