# SPDX-License-Identifier: GPL-2.0-or-later
"""
What settles is bounded, in time and in number, whatever becomes of who made the change; and nothing else is ever called
so.
"""
import os
import struct
import subprocess
import time
import unittest

import host
import maps
import two_vms
from account import CAUSES, difference, totals

CPU = 4
SETTLE_SECONDS = 10
SETTLE_RUNS = 4096
SETTLING_FLAG = 1
RULE = struct.Struct("<IIIIQ")  # struct cpu_rule


class Rules(two_vms.TwoVMs):
    """Both VMs are watched where they are; that a CPU is web2's is written into the maps by hand."""

    def setUp(self):
        for guest in self.guests:
            host.configure(guest.name, "[vm]\npolicy = observe\n")
        self.apply()
        self.slot = next(slot for slot, vm in host.dump_map("vms").items() if vm["name"] == "web2")

    def tearDown(self):
        self.give_back()
        two_vms.configure()

    def take(self, flags=0):
        """As observer_begin() does it. Returns between which two moments."""
        at = CPU * maps.size_of("cpu_counters")
        begun = time.monotonic_ns()
        maps.poke("cpu_rules", CPU * RULE.size, RULE.pack(self.slot, 0, flags, 0, begun))
        maps.poke("cpu_counters", at + maps.CPU_TID, self.guests[1].vcpu(0).to_bytes(4, "little"))
        maps.poke("cpu_counters", at + maps.CPU_VM, self.slot.to_bytes(4, "little"))
        return begun, time.monotonic_ns()

    def give_back(self):
        maps.poke("cpu_counters", CPU * maps.size_of("cpu_counters") + maps.CPU_VM, bytes(4))
        maps.poke("cpu_rules", CPU * RULE.size, bytes(RULE.size))


class Killed(Rules):
    """Whoever took the CPU is killed before he has taken it from everybody else."""

    def begin(self):
        at = self.slot * maps.size_of("vms")
        self.settled = host.dump_map("vms")[self.slot]["settling"]["count"]
        began = time.monotonic_ns()
        maps.poke("vms", at + maps.VM_SETTLE_BASE, self.settled.to_bytes(8, "little"))
        maps.poke("vms", at + maps.VM_SETTLE_UNTIL,
                  (began + int(SETTLE_SECONDS * 1e9)).to_bytes(8, "little"))
        self.take(SETTLING_FLAG)
        return began

    def visit(self, runs, busy):
        """(runs of an intruder's on the CPU by ftrace, what was counted there meanwhile)"""
        trace = host.Trace([CPU])
        before = totals(host.counters(), [CPU])
        with trace:
            intruder = host.intrude(runs, busy, 500 if busy > 10 else 1, CPU)
            told = intruder.communicate()[1]
            self.assertEqual(intruder.returncode, 0, told)
            time.sleep(0.1)
        counted = difference(totals(host.counters(), [CPU]), before)
        seen = trace.account()[0][CPU, intruder.pid][0]
        trace.close()
        return seen, counted

    def test_1_in_time(self):
        """for ten seconds a host task's runs on the CPU are settling, each counted; then each is a violation"""
        began = self.begin()
        seen, counted = self.visit(40, 1000)
        self.assertGreaterEqual(seen, 40)
        self.assertLess(time.monotonic_ns() - began, SETTLE_SECONDS * 1e9, "too slow to tell")
        # Others, such as threads of both VMs, may have come along.
        self.assertGreaterEqual(counted["settling"][0], seen)
        self.assertEqual(sum(counted[cause][0] for cause in CAUSES), 0)
        code = host.cpuwarden("check").returncode
        self.assertIn(code, (1, 3))
        # One that is on when the time is up has outlived it.
        host.intrude(1, int(SETTLE_SECONDS * 1e6) + 1000000, 1, CPU).communicate()
        time.sleep(0.1)
        self.assertGreater(totals(host.counters(), [CPU])["user"][0], 0)
        seen, counted = self.visit(40, 1000)
        self.assertGreaterEqual(counted["user"][0], seen)
        self.assertEqual(counted["settling"], (0, 0))
        self.assertEqual(host.cpuwarden("check").returncode, 2)

    def test_2_in_number(self):
        """more than 4,096 runs within that time: the rest are violations"""
        began = self.begin()
        # Not every sleep of a microsecond is one.
        seen, counted = self.visit(3 * SETTLE_RUNS, 1)
        self.assertGreater(seen, SETTLE_RUNS)
        self.assertLess(time.monotonic_ns() - began, SETTLE_SECONDS * 1e9, "too slow to tell")
        # Some settled before the visit.
        settled = host.dump_map("vms")[self.slot]["settling"]["count"] - self.settled
        self.assertEqual(settled, SETTLE_RUNS)
        self.assertLessEqual(counted["settling"][0], SETTLE_RUNS)
        self.assertGreaterEqual(sum(counted[cause][0] for cause in CAUSES), seen - SETTLE_RUNS)


class Taken(Rules):
    """It becomes web2's while web1's threads, which are known and may be there, compute on it."""
    mode = "spin"

    def test_1_what_was_on_is_counted(self):
        """each of their runs that ends from then on is counted, that which was on too"""
        tids = self.guests[0].threads()
        for tid in tids:
            os.sched_setaffinity(tid, {CPU})
        self.apply()
        before = totals(host.counters(), [CPU])
        trace = host.Trace([CPU])
        with trace:
            time.sleep(0.2)
            begun = self.take()
            time.sleep(0.5)
            over = time.monotonic_ns()
            self.give_back()
            time.sleep(0.2)
        counted = difference(totals(host.counters(), [CPU]), before)["other_vm"][0]
        runs = [tuple(map(int, line.split()[2:5])) for line in trace.runs("each")
                if line.startswith("run %d " % CPU)]
        trace.close()
        least, most = (sum(tid in tids and start + ns > when and start < over for tid, start, ns in runs)
                       for when in reversed(begun))
        self.assertGreater(least, 20)
        self.assertLessEqual(least, counted)
        self.assertLessEqual(counted, most)


@unittest.skipUnless(host.REMOTE, "before 6.7 a VM's emulator has CPUs of its own")
class Arrival(unittest.TestCase):
    """A thread for which somebody makes a group below the VM's, as libvirt does for a vCPU that is plugged in."""

    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        host.configure(None, "[host]\nhousekeeping = 0,7\n[observer]\ndrift = off\n")
        host.configure("web1", "[vm]\npolicy = dedicated\nemulator = housekeeping\n[vcpupin]\n0 = 2\n1 = 3\n")
        cls.guest = host.Guest("web1", 2, "calm")

    @classmethod
    def tearDownClass(cls):
        host.stop_all([cls.guest])
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    def come(self, wait):
        """What CPU 5 counted of a new thread that was moved there when it was so many seconds old."""
        host.apply()
        top = os.path.join(host.SLICE, "web1")
        place = os.path.join(top, "vcpu9")
        os.mkdir(os.path.join(host.CGROUP, place))
        host.set_cgroup(place, "cgroup.type", "threaded")
        host.set_cgroup(top, "cpuset.cpus", "0,2-3,5,7")
        host.set_cgroup(place, "cpuset.cpus", "5")
        known = set(self.guest.threads())
        puppet = subprocess.Popen([os.path.join(host.HELPERS, "puppet"), str(self.guest.pid), "1", "400", "20000",
                                   str(20000 + 40000 * bool(wait))], stdout=subprocess.PIPE, text=True)
        master = int(puppet.stdout.readline())
        new = host.wait_for("the worker", lambda: set(self.guest.threads()) - known - {master}, 10)
        time.sleep(wait)
        before = totals(host.counters(), [5])
        host.set_cgroup(place, "cgroup.threads", str(min(new)))
        time.sleep(2)
        counted = difference(totals(host.counters(), [5]), before)
        puppet.communicate()
        host.apply()
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, place)))
        return counted

    def test_1_just_come(self):
        """until it is met its runs are settling"""
        counted = self.come(0)
        self.assertGreater(counted["settling"][0], 10)
        self.assertEqual(counted["off_set"], (0, 0))

    def test_2_no_longer_new(self):
        """one that is older than ten seconds is off its set"""
        counted = self.come(SETTLE_SECONDS + 1)
        self.assertGreater(counted["off_set"][0], 10)
        self.assertEqual(counted["settling"], (0, 0))
