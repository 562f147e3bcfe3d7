# SPDX-License-Identifier: GPL-2.0-or-later
"""
What an admin, the kernel or a bug may do to what was placed, as a table in the spirit of the kernel's own
tools/testing/selftests/cgroup/test_cpuset_prs.sh: the state before, the event, what `status` says of web1 right
after it, what `apply` does, and what is there then. web2 is not touched by it; where that cannot be helped the row
says so.
"""
import collections
import os
import re
import shutil
import signal
import time
import unittest

import host

# What policy says of web1, and with it what its groups look like: LEAF=CPUS, and what partitions its vCPUs have.
# CPU 0 is the host's, CPU 6 nobody's: one to spare, which 6.1 needs to make a VM's group in use valid again.
WEB1 = {
    "isolated": "vcpu0=2 vcpu1=3 emulator=1 iothread1=1 isolated",
    "root": "vcpu0=2 vcpu1=3 emulator=1 iothread1=1 root",
    "member": "vcpu0=2 vcpu1=3 emulator=1 iothread1=1 member",
    "two-CPUs": "vcpu0=2 vcpu1=3,6 emulator=1 iothread1=1 isolated",
    "wide-emulator": "vcpu0=2 vcpu1=3 emulator=1,6 iothread1=1 isolated",
    "one-group": "vcpu0=2 vcpu1=3 emulator=1 isolated",
    "swapped": "vcpu0=3 vcpu1=2 emulator=1 iothread1=1 isolated",
    "moved": "vcpu0=6 vcpu1=3 emulator=1 iothread1=1 isolated",
    # Not pinned: each keeps the CPU that it has.
    "chosen": "vcpu0=2 vcpu1=3 emulator=1 isolated",
    "chosen-6": "vcpu0=6 vcpu1=3 emulator=1 isolated",
    # Pins that cannot be had, policies without a place.
    "neighbours": "vcpu0=4 vcpu1=3 emulator=1 iothread1=1 isolated",
    "housekeeping": "vcpu0=0 vcpu1=3 emulator=1 iothread1=1 isolated",
    "observe": "observe",
    "ignore": "ignore",
}
WEB2 = "vcpu0=4 vcpu1=5 emulator=7 isolated"

FILES = {"cpus": "cpuset.cpus", "partition": "cpuset.cpus.partition", "exclusive": "cpuset.cpus.exclusive",
         "mems": "cpuset.mems", "subtree": "cgroup.subtree_control", "type": "cgroup.type"}


def by(old, lts, newest):
    """What differs between 6.1, 6.12 and the newest kernel; why is said beside it."""
    return old if host.kernel() < (6, 7) else lts if host.kernel() < (7, 0) else newest


# What apply does. It exits 1 where it refuses, else 0.
NOTHING, MENDS, EITHER, REFUSES = "nothing", "mends", "either", "refuses"

# What is there afterwards: one of WEB1, or
SAME = "same"          # web1 as it was before the event
KEPT = "kept"          # so, too, but not what policy now asks for: degraded
DEGRADED = "degraded"  # whatever could not be helped, and status says so
GONE = "gone"          # no group of web1's, which has ended

# start: one of WEB1; `alone`: web2 is only watched; `not placed`: web1 was only watched until now.
# event: words, carried out in their order. A leaf of web1 goes by its own name; `.` is the root, side an admin's.
#   GROUP:FILE=VALUE           writes to a group's file
#   +GROUP -GROUP              makes, removes a group
#   WHO>GROUP                  moves a thread of web1 (v0, v1, io, emu), or a process (web1, stranger)
#   WHO@CPUS                   taskset
#   cpuN=off cpuN=on           hotplug
#   policy=NAME                web1's file is now another of WEB1; without a name it is removed
#   rm=PATH kill start stop apply release
# Each must succeed; with a ! before it the kernel must refuse it.
# neighbour: the state of web2 right after the event, where that is touched, too.
Row = collections.namedtuple("Row", "name start event state apply after neighbour", defaults=[SAME, ""])

PARTITIONS = [
    Row("a vCPU's ended", "isolated", "vcpu0:partition=member", "degraded", MENDS),
    Row("ended and begun again", "isolated", "vcpu0:partition=member vcpu0:partition=isolated", "placed", NOTHING),
    Row("one for the emulator", "isolated", "emulator:partition=root", "degraded", MENDS),
    Row("the VM's ended", "isolated", "web1:partition=member", "degraded", MENDS),
    Row("the VM's ended and begun", "isolated", "web1:partition=member web1:partition=root", "degraded", MENDS),
    # On 6.1 the slice is the root partition above all VMs', on the others it is none.
    Row("the slice's changed", "isolated", "slice:partition=" + by("member", "root", "root"), "degraded", MENDS,
        neighbour="degraded"),
    # On 6.1 the slice's CPUs do not reach both VMs' groups again; on the others it only says invalid for a moment.
    Row("the slice's changed and back", "isolated", "slice:partition=%s slice:partition=%s" %
        by(("member", "root"), ("root", "member"), ("root", "member")), by("placed|degraded", "placed", "placed"),
        by(MENDS, NOTHING, NOTHING), neighbour=by("degraded", "", "")),
    Row("member: isolated", "member", "vcpu0:partition=isolated", "degraded", MENDS),
    # A remote partition needs no CPU beside it in the slice to become valid again while it is in use.
    Row("member: the VM's ended and begun", "member", "web1:partition=member web1:partition=root",
        by("degraded", "placed", "placed"), by(MENDS, NOTHING, NOTHING)),
    Row("two CPUs: the VM's ended", "two-CPUs", "web1:partition=member", "degraded",
        by(REFUSES, MENDS, MENDS), by(DEGRADED, SAME, SAME)),  # 6.1: no CPU to spare
    Row("one group: the emulator's isolated", "one-group", "emulator:partition=isolated", "degraded", MENDS),
]

CPUS = [
    Row("a vCPU on a free CPU", "isolated", "vcpu0:cpus=6", "degraded", MENDS),
    Row("a vCPU on another's, too", "isolated", "vcpu0:cpus=2-3", "degraded", MENDS),
    Row("a vCPU on the neighbour's", "isolated", "vcpu0:cpus=4", "degraded", MENDS),
    # An empty list is refused where there are tasks; the newest falls back to the parent's.
    Row("a vCPU on none", "isolated", by("!", "!", "") + "vcpu0:cpus=", by("placed", "placed", "degraded"),
        by(NOTHING, NOTHING, MENDS)),
    Row("the emulator on a vCPU's, too", "isolated", "emulator:cpus=1-2", "degraded", MENDS),
    Row("the emulator on the neighbour's", "isolated", "emulator:cpus=7", "degraded", MENDS),
    Row("vCPUs swapped", "isolated", "vcpu0:partition=member vcpu1:partition=member vcpu0:cpus=3 vcpu1:cpus=2 "
        "vcpu0:partition=isolated vcpu1:partition=isolated", "degraded", MENDS),
    Row("the VM without its emulator's", "isolated", "web1:cpus=2-3", "degraded", MENDS),
    Row("the VM on a free CPU, too", "isolated", "web1:cpus=1-3,6", "degraded", MENDS),
    # 6.1 calls both invalid.
    Row("the VM on the neighbour's, too", "isolated", "web1:cpus=1-4", "degraded", MENDS,
        neighbour=by("degraded", "", "")),
    Row("the VM on all", "isolated", "web1:cpus=0-7", "degraded", MENDS, neighbour=by("degraded", "", "")),
    Row("the VM on none", "isolated", by("!", "!", "") + "web1:cpus=", by("placed", "placed", "degraded"),
        by(NOTHING, NOTHING, MENDS)),
    # What a plain slice has matters to nobody; as a partition it hands it down.
    Row("the slice without a vCPU's", "isolated", "slice:cpus=1-2,4-5,7", by("degraded", "placed", "placed"),
        by(MENDS, NOTHING, NOTHING)),
    Row("the slice with the host's only", "isolated", "slice:cpus=0", by("degraded", "placed", "placed"),
        by(MENDS, NOTHING, NOTHING), neighbour=by("degraded", "", "")),
    Row("a vCPU's memory", "isolated", "vcpu0:mems=0", "placed", NOTHING),
    Row("member: a vCPU on another's", "member", "vcpu0:cpus=3", "degraded", MENDS),
    Row("two CPUs: one of them", "two-CPUs", "vcpu1:cpus=3", "degraded", MENDS),
    # What is not pinned keeps the CPU that it has, however that came.
    # Not one of those that its VM holds: what is free of these it gets back.
    Row("chosen: a vCPU on a free CPU", "chosen", "vcpu0:cpus=6", "degraded", MENDS),
]

if host.REMOTE:
    # On 6.1 there is no CPU to spare then for the VM's group to become a partition again.
    CPUS.append(Row("the VM on a free CPU only", "isolated", "web1:cpus=6", "degraded", MENDS))

EXCLUSIVE = [
    # Newer kernels end a remote partition without a claim at once, 6.12 never.
    Row("the slice's cleared", "isolated", "slice:exclusive=", "degraded", MENDS, neighbour="degraded"),
    Row("the slice's cleared and written again", "isolated", "slice:exclusive= slice:exclusive=1-5,7",
        by("", "placed", "degraded"), by("", NOTHING, MENDS), neighbour=by("", "", "degraded")),
    Row("the slice's cleared, the VM's partition ended", "isolated", "slice:exclusive= web1:partition=member",
        "degraded", MENDS, neighbour="degraded"),
    Row("the slice's, but for the VM's", "isolated", "slice:exclusive=4-5,7", "degraded", MENDS),
    Row("the slice's, but for a vCPU's", "isolated", "slice:exclusive=1-2,4-5,7", "degraded", MENDS),
    Row("the VM's cleared", "isolated", "web1:exclusive=", "degraded", MENDS),
    Row("the VM's, and a free one", "isolated", "web1:exclusive=1-3,6", "placed", MENDS),
    Row("the VM's, and the neighbour's", "isolated", "!web1:exclusive=1-4", "placed", NOTHING),
    # It would not follow its cpuset.cpus any more.
    Row("a vCPU's own", "isolated", "vcpu0:exclusive=2", "degraded", MENDS),
    Row("a vCPU's own, and cleared", "isolated", "vcpu0:exclusive=2 vcpu0:exclusive=",
        by("", "degraded", "placed"), by("", MENDS, NOTHING)),
    Row("the emulator's, shared with the iothread's", "isolated", "!emulator:exclusive=1", "placed", NOTHING),
    Row("a vCPU's own, and pins change", "isolated", "vcpu0:exclusive=2 policy=moved", "degraded", MENDS, "moved"),
    Row("a sibling claims a vCPU's", "isolated", "+side !side:exclusive=2", "placed", NOTHING),
]

# A group beside a partition that wants one of its CPUs: 6.1 calls the slice invalid and with it both VMs, while it
# has that CPU. Beside a remote partition it goes without.
BOTH = {"neighbour": by("degraded", "", "")}
GROUPS = [
    Row("a sibling on a vCPU's CPU", "isolated", "+side side:cpus=2", by("degraded", "placed", "placed"),
        by(REFUSES, NOTHING, NOTHING), by(DEGRADED, SAME, SAME), **BOTH),
    Row("a sibling grabs a CPU and goes", "isolated", "+side side:cpus=2 -side",
        by("degraded", "placed", "placed"), by(MENDS, NOTHING, NOTHING), **BOTH),
    Row("a sibling on the neighbour's CPU", "isolated", "+side side:cpus=4", by("degraded", "placed", "placed"),
        by(REFUSES, NOTHING, NOTHING), by(DEGRADED, SAME, SAME), **BOTH),
    Row("a sibling partition on a free CPU", "isolated", "+side side:cpus=6 side:partition=root", "placed",
        NOTHING),
    Row("a group in the slice", "isolated", "+slice/side", "placed", MENDS),
    # 7.2 has the newcomer go without.
    Row("a group in the slice on a vCPU's CPU", "isolated", "+slice/side slice/side:cpus=2",
        by("degraded", "degraded", "placed"), MENDS),
    # On 6.1 the slice, a partition, has no CPU left for tasks.
    Row("a process in a group in the slice", "isolated", "+slice/side " + by("!", "", "") + "stranger>slice/side",
        "placed", by(MENDS, REFUSES, REFUSES), by(SAME, KEPT, KEPT)),
    Row("a group in the VM's", "isolated", "+extra", "placed", MENDS),
    Row("a leaf with a vCPU's thread", "isolated", "+extra extra:type=threaded extra:cpus=1 v0>extra", "degraded",
        MENDS),
    Row("a leaf for the iothread", "one-group", "+iothread1 iothread1:type=threaded iothread1:cpus=1 io>iothread1",
        "degraded", MENDS),
    Row("a leaf in use removed", "isolated", "!-vcpu0", "placed", NOTHING),
    Row("a leaf emptied and removed", "isolated", "io>emulator -iothread1", "degraded", MENDS),
    Row("no cpuset in the VM's group", "isolated", "web1:subtree=-cpuset", "degraded", MENDS),
    Row("no cpuset in the slice", "isolated", "!slice:subtree=-cpuset", "placed", NOTHING),
    Row("no cpuset at all", "isolated", "!.:subtree=-cpuset", "placed", NOTHING),
]

THREADS = [
    Row("a vCPU in the emulator's", "isolated", "v0>emulator", "degraded", MENDS),
    Row("vCPUs in each other's", "isolated", "v0>vcpu1 v1>vcpu0", "degraded", MENDS),
    Row("the main thread in a vCPU's", "isolated", "emu>vcpu0", "degraded", MENDS),
    Row("a vCPU in the neighbour's", "isolated", "!v0>web2/vcpu0", "placed", NOTHING),
    Row("all in one leaf", "isolated", "web1>vcpu1", "degraded", MENDS),
    Row("all in the root", "isolated", "web1>.", "degraded", MENDS),
    Row("all in an admin's group with CPUs", "isolated", "+side side:cpus=0,6 web1>side", "degraded", MENDS),
    Row("all in the neighbour's", "isolated", "web1>web2/emulator", "degraded", MENDS),
    # Whose it is cpuwarden cannot know, so that it stays; check counts it.
    Row("a stranger in a vCPU's", "isolated", "stranger>vcpu0", "placed", NOTHING),
    Row("bound to its CPU and another", "isolated", "v0@2,6", "placed", NOTHING),
    Row("bound to another", "isolated", "!v0@6", "placed", NOTHING),
    Row("wide emulator: bound to one", "wide-emulator", "emu@6", "degraded", MENDS),
    Row("observe: bound", "observe", "v0@6", "observed", NOTHING),
    Row("stopped", "isolated", "stop", "placed", NOTHING),
    Row("killed", "isolated", "kill", "absent", MENDS, GONE),
    # It was never bound; that others had CPUs of their own when it was placed is not to bind it later.
    Row("killed and started again, and given back", "isolated", "kill start apply policy=observe", "observed",
        MENDS, "observe"),
]

HOTPLUG = [
    Row("a vCPU's CPU offline", "isolated", "cpu3=off", "degraded", REFUSES, DEGRADED),
    # 6.12 does not always repair it; all let kernel threads come back.
    Row("a vCPU's CPU off and on", "isolated", "cpu3=off cpu3=on", by("placed", "placed|degraded", "placed"),
        EITHER),
    Row("the neighbour's CPU offline", "isolated", "cpu4=off", "placed", REFUSES, KEPT, neighbour="degraded"),
    Row("a free CPU offline", "isolated", "cpu6=off", "placed", EITHER),
    # 6.1 has no CPU to spare for the VM's group, which the kernel called invalid.
    Row("offline, and pinned elsewhere", "isolated", "cpu2=off policy=moved", "degraded",
        by(REFUSES, MENDS, MENDS), by(DEGRADED, "moved", "moved")),
    Row("chosen: offline", "chosen", "cpu2=off", "degraded", by(REFUSES, MENDS, MENDS),
        by(DEGRADED, "chosen-6", "chosen-6")),
    Row("not placed: offline", "isolated, not placed", "cpu3=off", "degraded", REFUSES, DEGRADED),
]

FILES_OF_OURS = [
    Row("vCPUs' pins swapped", "isolated", "policy=swapped", "degraded", MENDS, "swapped"),
    Row("a vCPU pinned to a free CPU", "isolated", "policy=moved", "degraded", MENDS, "moved"),
    # On 6.1 there is no CPU to spare for that.
    Row("a vCPU pinned to one more", "isolated", "policy=two-CPUs", "degraded", by(REFUSES, MENDS, MENDS),
        by(KEPT, "two-CPUs", "two-CPUs")),
    Row("a vCPU pinned to the neighbour's", "isolated", "policy=neighbours", "degraded", REFUSES, KEPT),
    Row("policy = observe", "isolated", "policy=observe", "observed", MENDS, "observe"),
    Row("policy = ignore", "isolated", "policy=ignore", "absent", MENDS, "ignore"),
    Row("not placed", "isolated, not placed", "", "pending", MENDS),
    Row("not placed: a group of its name", "isolated, not placed", "+web1", "degraded", MENDS),
    Row("not placed: an admin's group", "isolated, not placed", "+side side:cpus=0,6 web1>side", "pending", MENDS),
    Row("not placed: bound, and given back", "isolated, not placed", "v0@6 apply policy=observe", "observed",
        MENDS, "observe"),
    # On 6.1 it would make the slice invalid, and with it web2.
    Row("not placed: a sibling on a vCPU's CPU", "isolated, not placed", "+side side:cpus=2",
        by("degraded", "pending", "pending"), REFUSES, by("degraded", "pending", "pending")),
    Row("web1's record lost, and given back", "isolated", "rm=/run/cpuwarden/found/web1.json apply policy=observe",
        "observed", MENDS, "observe"),
    Row("all records lost", "isolated", "rm=/run/cpuwarden", "placed", MENDS),
    Row("released", "isolated", "release", "pending", MENDS),
    Row("the observer's pins gone", "isolated", "rm=/sys/fs/bpf/cpuwarden", "placed", MENDS),
]


def path_of(group):
    first, _, rest = group.partition("/")
    if first == "slice":
        return "/".join(filter(None, [host.SLICE, rest]))
    if first in ("web1", "web2"):
        return "%s/%s" % (host.SLICE, group)
    return {".": "", "side": "side"}.get(group, "%s/web1/%s" % (host.SLICE, group))


def leaves_of(spec):
    """{leaf: CPUs}, and what partition its vCPUs have; no leaves where the VM is not placed."""
    words = spec.split()
    return dict(word.split("=") for word in words[:-1]), words[-1]


def configure(name, spec, pinned=True):
    leaves, kind = leaves_of(spec)
    text = "[vm]\npolicy = %s\n" % ("dedicated\npartition = " + kind if leaves else kind)
    if leaves and pinned:
        text += "[emulatorpin]\ncpus = %s\n[vcpupin]\n0 = %s\n1 = %s\n[iothreadpin]\n" % (
            leaves["emulator"], leaves["vcpu0"], leaves["vcpu1"])
        text += "1 = %s\n" % leaves["iothread1"] if "iothread1" in leaves else ""
    host.configure(name, text)


def whereabouts(guest):
    """{tid: (group, CPUs)}"""
    found = {}
    for tid in guest.threads():
        try:
            found[tid] = host.thread_cgroup(guest.pid, tid), sorted(host.affinity(tid))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def wrong_groups(guest, leaves, kind):
    """Which files and groups of a VM are not as they should be, in words."""
    top = "%s/%s" % (host.SLICE, guest.name)
    there = os.path.join(host.CGROUP, top)
    groups = {entry.name for entry in os.scandir(there) if entry.is_dir()} if os.path.exists(there) else set()
    if groups != set(leaves) or bool(leaves) != os.path.exists(there):
        return ["%s has the groups: %s" % (guest.name, ", ".join(sorted(groups)) or "none")]
    wrong, files = [], {}
    for leaf, cpus in leaves.items():
        files["/" + leaf] = {"cgroup.type": "threaded", "cpuset.cpus": cpus, "cpuset.cpus.effective": cpus,
                             "cpuset.cpus.partition": kind if leaf.startswith("vcpu") else "member"}
    if leaves:
        files[""] = {"cgroup.type": "domain threaded", "cpuset.cpus.partition": "root"}
        held = set().union(*map(host.cpus, leaves.values()))
        if host.cpus(host.cgroup(top, "cpuset.cpus")) != held:
            wrong.append("%s has CPUs %s" % (top, host.cgroup(top, "cpuset.cpus")))
        if held & host.cpus(host.cgroup("", "cpuset.cpus.effective")):
            wrong.append("the root still has CPUs of %s: %s" % (top, host.cgroup("", "cpuset.cpus.effective")))
    for path, wanted in files.items():
        for name, value in wanted.items():
            found = host.cgroup(top + path, name)
            if found != value:
                wrong.append("%s of %s should be %s and is %s" % (name, top + path, value, found))
    return wrong


def wrong_threads(guest, leaves, bound):
    """Which threads are not where they should be, in words; `bound`: {tid: CPUs} where the VM is not placed"""
    root, wrong = host.cpus(host.cgroup("", "cpuset.cpus.effective")), []
    for tid, found in whereabouts(guest).items():
        leaf = guest.leaf(tid, leaves)
        wanted = ("%s/%s/%s" % (host.SLICE, guest.name, leaf), sorted(host.cpus(leaves[leaf]))) if leaves else \
            ("", sorted(bound.get(tid, root)))
        if found != wanted:
            wrong.append("%s should be in /%s on %s and is in /%s on %s" % ((guest.comm(tid),) + wanted + found))
    return wrong


class States(unittest.TestCase):
    """Guests live as long as the class, and a row begins with what the one before has left."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        host.configure(None, "[host]\nhousekeeping = 0\n")
        cls.guests = {name: host.Guest(name, 2, "calm", wait=False) for name in ("web1", "web2")}
        for guest in cls.guests.values():
            guest.wait_until_all_run()
        cls.now = None  # the start that the host is known to be in
        cls.counts = None  # and what was counted there
        cls.bound = {}
        cls.stranger = None
        cls.rows, cls.began = 0, time.time()

    @classmethod
    def tearDownClass(cls):
        print("    %d rows in %.0f s" % (cls.rows, time.time() - cls.began))
        host.stop_all(cls.guests.values())
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    # The words of an event.

    def tid(self, who):
        web1 = self.guests["web1"]
        return web1.iothread() if who == "io" else web1.pid if who == "emu" else web1.vcpu(int(who[1:]))

    def move(self, who, group):
        if who == "stranger":
            type(self).stranger = host.intrude(1000000, 100, 5000)
            host.set_cgroup(path_of(group), "cgroup.procs", str(self.stranger.pid))
        elif who == "web1":
            host.set_cgroup(path_of(group), "cgroup.procs", str(self.guests["web1"].pid))
        else:
            host.set_cgroup(path_of(group), "cgroup.threads", str(self.tid(who)))

    def bind(self, who, cpus):
        os.sched_setaffinity(self.tid(who), host.cpus(cpus))
        self.bound[self.tid(who)] = host.cpus(cpus)

    def start_guest(self):
        self.guests["web1"] = host.Guest("web1", 2, "calm")

    def run_verb(self, verb):
        host.cpuwarden(*{"release": ["release", "web1"]}.get(verb, [verb]))

    def do_word(self, word):
        left, _, value = word.partition("=")
        if word[0] in "+-":
            (os.mkdir if word[0] == "+" else os.rmdir)(os.path.join(host.CGROUP, path_of(word[1:])))
        elif ":" in left:
            group, file = left.split(":")
            host.set_cgroup(path_of(group), FILES[file], value)
        elif ">" in word:
            self.move(*word.split(">"))
        elif "@" in word:
            self.bind(*word.split("@"))
        elif left.startswith("cpu"):
            host.set_online(int(left[3:]), {"on": True, "off": False}[value])
        elif left == "policy":
            self.set_policy(value)
        elif left == "rm":
            (shutil.rmtree if os.path.isdir(value) else os.unlink)(value)
        else:
            {"kill": self.guests["web1"].kill, "start": self.start_guest,
             "stop": lambda: os.kill(self.guests["web1"].pid, signal.SIGSTOP)}.get(
                 word, lambda: self.run_verb(word))()

    def do(self, event):
        for word in event.split():
            try:
                self.do_word(word.lstrip("!"))
            except OSError as error:
                self.assertEqual(word[0], "!", "%s: %s" % (word, error))
            else:
                self.assertNotEqual(word[0], "!", word + " was not refused")

    # A row.

    @staticmethod
    def set_policy(name):
        if name:
            configure("web1", WEB1[name], not name.startswith("chosen"))
        else:
            os.unlink(os.path.join(host.ETC, "vms.d/web1.conf"))

    def wrong(self, web1, web2=""):
        """What is not as it should be of web1, and of web2 if that is given, in words. On 6.1 CPUs return late."""
        deadline = time.time() + 1
        while True:
            found = []
            for guest, spec in ((self.guests["web1"], web1), (self.guests["web2"], web2)):
                if spec:
                    leaves, kind = leaves_of(spec)
                    found += wrong_groups(guest, leaves, kind) or wrong_threads(guest, leaves, self.bound)
            if not found or time.time() > deadline:
                return found
            time.sleep(0.05)

    def clear_away(self):
        """Takes away what an event has left; was there anything?"""
        web1, found = self.guests["web1"], False
        if web1.process.poll() is None:
            os.kill(web1.pid, signal.SIGCONT)
            for tid in self.bound:
                os.sched_setaffinity(tid, range(8))
        self.bound.clear()
        if self.stranger:
            self.stranger.kill()
            self.stranger.communicate()
            type(self).stranger = None
            found = True
        for cpu in range(1, 8):
            switch = "/sys/devices/system/cpu/cpu%d/online" % cpu
            if host.read(switch) != "1":
                host.write(switch, "1")
                found = True
        for top in ("side", host.SLICE + "/side"):
            if os.path.exists(os.path.join(host.CGROUP, top)):
                for pid in host.cgroup(top, "cgroup.procs").split():
                    host.set_cgroup("", "cgroup.procs", pid)
                os.rmdir(os.path.join(host.CGROUP, top))
                found = True
        leaf = "%s/web1/vcpu0" % host.SLICE
        if host.REMOTE and os.path.exists(os.path.join(host.CGROUP, leaf)) and \
                host.cgroup(leaf, "cpuset.cpus.exclusive"):
            host.set_cgroup(leaf, "cpuset.cpus.exclusive", "")
            found = True
        return found

    def bring(self, web1, web2, afresh):
        """Both VMs to where they belong"""
        for release in (True,) if afresh else (False, True):
            if release:
                host.cpuwarden("release", "--all")
                for tid in [tid for guest in self.guests.values() for tid in guest.threads()]:
                    os.sched_setaffinity(tid, range(8))
            done = host.cpuwarden("apply")
            wrong = done.stderr or self.wrong(web1, web2)
            if not wrong:
                return
        self.fail("not to be placed for the row: %s" % wrong)

    def begin(self, start):
        policy, *more = start.split(", ")
        web2 = "observe" if "alone" in more else WEB2
        if self.guests["web1"].process.poll() is not None:
            self.start_guest()
            type(self).now = None
        configure("web2", web2)
        before = "observe" if "not placed" in more else policy
        self.set_policy(before)
        if self.now != start:
            type(self).counts = None
            self.clear_away()
            self.bring(WEB1[before], web2, afresh=self.now is None)
        self.set_policy(policy)
        return policy, web2

    def states(self):
        """The states of both VMs, and why"""
        code, status = host.cpuwarden_json("status")
        self.assertEqual(code, 0)
        states = {vm["name"]: vm["state"] for vm in status["vms"]}
        why = "; ".join("%s: %s" % (vm["name"], vm["reason"]) for vm in status["vms"] if vm["reason"])
        return states.get("web1", "absent"), states.get("web2", "absent"), why

    @staticmethod
    def counted():
        """Violations, and those of them that are web2's threads off their sets, since the observer's start"""
        check = host.cpuwarden_json("check")[1]
        if "off_set" not in check or not check["vms"]:
            return 0, 0
        return (check["off_set"]["count"] + sum(cause["count"] for cause in check["foreign"].values()),
                sum(vm["off_set"]["count"] for vm in check["vms"] if vm["name"] == "web2"))

    def assert_unmoved(self, before, when):
        after = whereabouts(self.guests["web2"])
        self.assertEqual({tid: what for tid, what in after.items() if tid in before},
                         {tid: what for tid, what in before.items() if tid in after}, "web2, " + when)

    def apply(self, row, policy, web2):
        done = host.cpuwarden("apply")
        said = "apply said: " + done.stdout + done.stderr
        self.assertEqual(done.returncode, row.apply == REFUSES, said)
        if row.apply in (NOTHING, MENDS):
            self.assertEqual(done.stdout == "nothing to do\n", row.apply == NOTHING, said)
        if not row.neighbour and web2 == WEB2:
            steps = [line for line in done.stdout.splitlines() if line.startswith("web2: ") and
                     "keep kernel threads" not in line and "rm=" not in row.event]
            self.assertEqual(steps, [], "apply changed web2")
        expected = policy if row.after in (SAME, KEPT) else row.after
        if row.after == GONE:
            self.assertFalse(os.path.exists(os.path.join(host.CGROUP, path_of("web1"))), said)
        elif expected in WEB1:
            self.assertEqual(self.wrong(WEB1[expected], "" if row.apply == REFUSES else web2), [], said)
        if row.apply == REFUSES:
            # The reason, and by name the group that is in the way.
            self.assertRegex(done.stderr, "web[12]: .*/side" if "side:cpus" in row.event else "^cpuwarden: ")
            if not row.neighbour and row.after != KEPT:
                self.assertEqual(self.states()[0], row.after)
        elif row.apply != NOTHING:  # which has just been its own plan
            plan = host.cpuwarden("plan")
            self.assertEqual(plan.returncode, 0, "%sand then plan: %s%s" % (said, plan.stdout, plan.stderr))
        return said

    def run_row(self, row):
        policy, web2 = self.begin(row.start)
        type(self).now = None
        before, counts = whereabouts(self.guests["web2"]), self.counts or self.counted()
        type(self).counts = None
        self.do(row.event)
        state, neighbour, why = self.states()
        self.assertIn(state, row.state.split("|"), why)
        self.assertEqual(neighbour, row.neighbour or ("placed" if web2 == WEB2 else "observed"), why)
        touched = row.neighbour or web2 != WEB2
        if not touched:
            self.assert_unmoved(before, "after the event")
        said = self.apply(row, policy, web2)
        if not touched:
            self.assert_unmoved(before, said)
        counted = self.counted()
        violations, off_set = [now - once for now, once in zip(counted, counts)]
        if "stranger>" in row.event and "side" not in row.event:
            self.assertGreater(violations, 0, "the stranger was not counted")
        # Between member and back whatever wakes up may run there.
        elif "degraded" not in (state, neighbour) and not re.search("cpu|partition=member", row.event) or \
                row.event.startswith("policy="):
            self.assertLessEqual(violations, 0, "nobody was let loose, yet: " + host.cpuwarden("check").stdout)
        if not row.neighbour:
            self.assertLessEqual(off_set, 0, "web2 off its sets")
        after = row.after if row.after in WEB1 else policy
        undisturbed = not self.clear_away()
        if row.apply == REFUSES and undisturbed and "policy=" not in row.event:
            return  # There is no cause that could go.
        if row.apply == REFUSES or not undisturbed:
            if row.apply == REFUSES:
                self.set_policy(policy)
            self.assertEqual(host.cpuwarden("apply").stderr, "", "with the cause gone")
            self.assertEqual(self.wrong(WEB1[after], web2), [], "with the cause gone")
        # What is remembered of a VM that started only now is of no use to the next row.
        if "start" not in row.event and row.after != GONE:
            type(self).now = after + (", alone" if "alone" in row.start else "")
            type(self).counts = counted if undisturbed and row.apply != REFUSES else None

    def run_table(self, rows):
        for row in rows:
            with self.subTest(row.name, start=row.start, event=row.event):
                type(self).rows += 1
                self.run_row(row)

    def test_1_partitions(self):
        """partitions ended, begun and changed"""
        self.run_table(PARTITIONS)

    def test_2_cpus(self):
        """CPUs taken, given and changed"""
        self.run_table(CPUS)

    def exclusive(self):
        """exclusive CPUs claimed and given up"""
        self.run_table(EXCLUSIVE)

    if host.REMOTE:
        test_3_exclusive = exclusive

    def test_4_groups(self):
        """groups beside, inside and missing"""
        self.run_table(GROUPS)

    def test_5_threads(self):
        """threads and processes moved, bound and ended"""
        self.run_table(THREADS)

    def test_6_hotplug(self):
        """CPUs offline, and online again"""
        self.run_table(HOTPLUG)

    def test_7_files(self):
        """policy changed, records and the observer lost"""
        self.run_table(FILES_OF_OURS)
