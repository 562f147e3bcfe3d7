# SPDX-License-Identifier: GPL-2.0-or-later
"""
What tests need that make cpuwarden fail on purpose: faults at its system calls, a table of what became of each, and
what has to be so whatever became of it. That is read from the kernel's files alone.
"""
import collections
import contextlib
import errno
import os
import re
import resource
import types

import host
import two_vms

# Where the tests that ran add theirs, and the text of all that was done, a line a fault.
RESULTS = os.environ.get("RESULTS", "/run")
LIST = os.path.join(RESULTS, "faults.txt")
HITS = "/run/faultat.hits"

# web1 with its vCPUs on one another's CPUs, and not placed at all.
SWAPPED = two_vms.WEB1.replace("0 = 2", "0 = 3").replace("1 = 3", "1 = 2")
OBSERVED = "[vm]\npolicy = observe\n"
SWAPPED_LEAVES = dict(two_vms.LEAVES["web1"], vcpu0=("3", "isolated"), vcpu1=("2", "isolated"))
# What is asked for in turn: the file of web1, its leaves. The change from each to the next is made under faults: a move
# to other CPUs, a release, a placement.
STATES = [(two_vms.WEB1, two_vms.LEAVES["web1"]), (SWAPPED, SWAPPED_LEAVES), (OBSERVED, None)]
OPEN = {0, 1, 2, 3}  # what the root has while only web2 is placed


class Table:
    """Kinds of faults, and how often each came out how."""
    OUTCOMES = ["went on", "refused", "undone", "killed", "lost"]

    def __init__(self):
        self.rows = collections.defaultdict(collections.Counter)

    def add(self, kind, outcome, text=""):
        self.rows[kind][outcome] += 1
        with open(LIST, "a") as file:
            file.write("%s: %s%s\n" % (kind, outcome, text and ": " + text))

    @contextlib.contextmanager
    def fault(self, kind, outcome="went on", text=""):
        """One of that kind: what it came out as may be set in the block. If that fails, something was lost."""
        row = types.SimpleNamespace(outcome=outcome, text=text)
        try:
            yield row
        except AssertionError:
            row.outcome = "lost"
            raise
        finally:
            self.add(kind, row.outcome, row.text)

    def sum(self):
        return sum(sum(row.values()) for row in self.rows.values())

    def print(self, title):
        lines = ["| %s | faults | %s |" % (title, " | ".join(self.OUTCOMES)), "|---|" + "---|" * 6]
        for kind, row in sorted(self.rows.items()) + [("all", sum(self.rows.values(), collections.Counter()))]:
            lines.append("| %s | %d | %s |" % (kind, sum(row.values()), " | ".join(
                str(row[outcome]) for outcome in self.OUTCOMES)))
        print("\n".join("    " + line for line in lines), flush=True)
        with open(os.path.join(RESULTS, "faults.md"), "a") as file:
            file.write("\n".join(lines) + "\n\n")


def allowed(guest):
    """{tid: the CPUs that the kernel lets it run on}, by its affinity and its group's effective set."""
    found = {}
    for tid in guest.threads():
        try:
            path = host.thread_cgroup(guest.pid, tid)
            while path and not os.path.exists(os.path.join(host.CGROUP, path, "cpuset.cpus.effective")):
                path = os.path.dirname(path)
            found[tid] = host.affinity(tid) & host.cpus(host.cgroup(path, "cpuset.cpus.effective"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def calls(*verb):
    """{kind of system call: how many of them the program makes}"""
    done = host.run(*host.faultat("-c", "all", 10 ** 9), *verb)
    return {name: int(n) for name, n in re.findall(r"^(\w+) (\d+)$", done.stdout, re.M)}


def limit_memory(mib):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))


class Chaos(two_vms.TwoVMs):
    """web1 goes from state to state, and web2 is not to notice."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.table = Table()
        # A binding of web1's own: to be given back as it was.
        for tid in cls.guests[0].threads():
            os.sched_setaffinity(tid, range(7))
        cls.before = host.dump()
        cls.state = 0
        cls.apply()
        # What the loader does before the program begins is not the program's.
        cls.startup = calls("--nonsense")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.table.print(cls.__name__)

    def ask_for(self, state):
        """In one step, as whoever edits a file should."""
        beside = os.path.join(host.ETC, "new")
        with open(beside, "w") as file:
            file.write(STATES[state][0])
        os.rename(beside, os.path.join(host.ETC, "vms.d/web1.conf"))
        type(self).state = state

    def old_and_new(self):
        """{tid: the CPUs that it has, and those that it is to have}"""
        web1, web2 = self.guests
        leaves = STATES[self.state][1]
        old = allowed(web1)
        for tid in old:
            new = host.cpus(leaves[web1.leaf(tid, leaves)][0]) if leaves else OPEN
            old[tid] = old[tid] | new
        return {web1: old, web2: allowed(web2)}

    def assert_nothing_lost(self, either):
        """All threads live and have CPUs, none others than it had or is to have; and web2 what it had."""
        web2 = self.guests[1]
        for guest, threads in either.items():
            self.assertIsNone(guest.process.poll(), "%s has ended" % guest.name)
            now = allowed(guest)
            for tid in threads:
                # QEMU's workers come and go.
                if tid not in now:
                    self.assertEqual(guest.role(tid)[0], "emulator")
                    continue
                self.assertTrue(now[tid], "thread %d (%s) has no CPU" % (tid, guest.comm(tid)))
                self.assertLessEqual(now[tid], threads[tid], "thread %d (%s)" % (tid, guest.comm(tid)))
        self.assertEqual({tid: cpus for tid, cpus in allowed(web2).items() if tid in either[web2]},
                         {tid: cpus for tid, cpus in either[web2].items() if tid in web2.threads()})

    def assert_as_asked(self):
        leaves = STATES[self.state][1]
        if leaves:
            self.assert_placed(dict(two_vms.LEAVES, web1=leaves))
            return
        web1 = self.guests[0]
        self.assert_placed({"web2": two_vms.LEAVES["web2"]})
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, two_vms.group(web1))))
        for tid in web1.threads():
            self.assertEqual(host.thread_cgroup(web1.pid, tid), "")
            self.assertEqual(host.affinity(tid), OPEN)

    def assert_observed(self):
        """The observer is attached: its pins are there, and it counts."""
        pins = os.listdir(host.PINS)
        for name in ("link_switch", "link_exit", "link_exec", "link_born", "link_named", "prog_look", "health"):
            self.assertIn(name, pins)
        self.assertEqual([name for name in pins if name.endswith("new")], [])

    def assert_sentence(self, done):
        """No crash; one clear line for what went wrong."""
        self.assertIn(done.returncode, (0, 1), (done.returncode, done.stdout, done.stderr))
        lines = done.stderr.splitlines()
        for line in lines:
            self.assertRegex(line, r"^cpuwarden: \S.{8,}[^:\s]$")
        self.assertEqual(bool(lines), done.returncode == 1, (done.stdout, done.stderr))
        self.assertEqual(len(set(lines)), len(lines), done.stderr)

    def check_truth(self):
        """check is OK only if all is as it is asked for, and watched."""
        done = host.cpuwarden("check")
        self.assertIn(done.returncode, (0, 1, 2, 3))
        if not done.returncode:
            self.assert_as_asked()
            self.assert_observed()
        return done

    def converge(self, verdicts=(0,)):
        done = host.cpuwarden("apply")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assert_as_asked()
        self.assert_observed()
        done = self.check_truth()
        self.assertIn(done.returncode, verdicts, done.stdout)

    def judge(self, row, done, either):
        """After a run of apply with a fault in it; says in the table's row what became of it."""
        killed = done.returncode == 128 + 9
        row.text += ": " + done.stderr.replace("\n", "; ")
        row.outcome = "killed" if killed else "went on" if not done.returncode else \
            "undone" if "(undone)" in done.stderr else "refused"
        self.assert_nothing_lost(either)
        if not killed:
            self.assert_sentence(done)
        if not done.returncode:
            self.assert_as_asked()
        elif self.table.sum() % 3 == 0:
            self.check_truth()
        self.converge()

    def fault(self, kind, point, names=None, error=None, step=None):
        """
        The next state under a fault at that point (from 0 to 1) of the calls of these kinds; without an error it is
        killed there. What was not reached is none.
        """
        self.ask_for((self.state + 1) % len(STATES))
        known = self.counts()
        if names:
            first = sum(self.startup.get(name, 0) for name in names)
            all_of_them = sum(known.get(name, 0) for name in names)
        else:
            first, all_of_them = 0, host_changes(known)
        number = first + 1 + int((all_of_them - first) * point)
        options = ["-o", HITS] + (["-c", ",".join(names)] if names else []) + \
            (["-e", ERRORS[error]] if error else []) + (["-s", step] if step else [])
        if os.path.exists(HITS):
            os.unlink(HITS)
        either = self.old_and_new()
        done = host.run(*host.faultat(*options, number), "apply")
        hits = host.read(HITS).splitlines() if os.path.exists(HITS) else []
        with self.subTest(kind=kind, error=error, number=number, hits=hits[:4], state=self.state):
            if not hits:
                self.converge()
                return
            with self.table.fault(kind, text="%s at %s" % (error or "killed", hits[-1])) as row:
                self.judge(row, done, either)
            # Those before did not end it.
            for hit in hits[:-1]:
                self.table.add(kind, "went on", "%s at %s" % (error, hit))

    known_counts = {}

    def counts(self):
        """How many calls of each kind the change takes, by a run without a fault that is repeated under one."""
        if self.state not in self.known_counts:
            self.known_counts[self.state] = calls("apply")
            self.assert_as_asked()
            self.apply_state(self.state - 1)
            self.ask_for((self.state + 1) % len(STATES))
        return self.known_counts[self.state]

    def apply_state(self, state):
        self.ask_for(state % len(STATES))
        host.apply()

    def given_back(self):
        """release --all gives back what was found, exactly; and all is placed anew."""
        host.must(host.PROGRAM, "release", "--all")
        host.assert_given_back(self, self.before)
        self.assertFalse(os.path.exists(host.PINS))
        self.converge()


def host_changes(known):
    with open(os.path.join(host.REPO, "tests/vm/helpers/faultat.c")) as file:
        names = re.findall(r"^\s+CHANGES\((\w+),", file.read(), re.M)
    return sum(known.get(name, 0) for name in names)


ERRORS = {name: getattr(errno, name) for name in (
    "EINTR", "ENOSPC", "EBUSY", "EINVAL", "ESRCH", "ENOMEM", "EACCES")}
