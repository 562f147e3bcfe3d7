# SPDX-License-Identifier: GPL-2.0-or-later
"""
VMs that share the CPUs of a class, and a VM whose emulator runs on housekeeping CPUs: what the kernel's files say
of both, from the first placement to the last release.
"""
import os
import time
import unittest

import host

GOLD = host.SLICE + "/cpuwarden-gold.slice"
HOST = """[host]
housekeeping = 0
[class gold]
cpus = 3-4
"""
SHARED = """[vm]
policy = shared
class = gold
"""
MIXED = SHARED + """dedicated = 0
[vcpupin]
0 = 5
"""
DEDICATED = """[vm]
policy = dedicated
emulator = %s
[vcpupin]
0 = 6
"""


class Shared(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        host.configure(None, HOST)
        cls.guests = {name: host.Guest(name, vcpus, "calm", wait=False)
                      for name, vcpus in (("float", 2), ("mixed", 2), ("alone", 1))}
        for guest in cls.guests.values():
            guest.wait_until_all_run()
        cls.before = host.dump()
        host.configure("float", SHARED)
        host.configure("mixed", MIXED)
        host.configure("alone", "[vm]\npolicy = observe\n")

    @classmethod
    def tearDownClass(cls):
        host.stop_all(cls.guests.values())
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    def apply(self, code=0):
        done = host.cpuwarden("apply")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if not code:
            self.assertEqual(host.cpuwarden("apply").stdout, "nothing to do\n")
        return done

    def assert_group(self, path, cpus, partition, effective=None):
        self.assertEqual(host.cgroup(path, "cpuset.cpus"), cpus, path)
        self.assertEqual(host.cgroup(path, "cpuset.cpus.partition"), partition, path)
        self.assertEqual(host.cgroup(path, "cpuset.cpus.effective"),
                         cpus if effective is None else effective, path)

    def assert_threads(self, name, top, cpus):
        """`cpus`: by leaf. Every thread of the VM is in one, and may run where that says."""
        guest = self.guests[name]
        for tid in guest.threads():
            leaf = guest.leaf(tid, cpus)
            self.assertEqual(host.thread_cgroup(guest.pid, tid), "%s/%s" % (top, leaf))
            self.assertEqual(host.affinity(tid), host.cpus(cpus[leaf]), (name, leaf))

    def assert_shared(self):
        self.assert_group(GOLD, "3-5", "root")
        self.assertEqual(host.cpus(host.cgroup("", "cpuset.cpus.effective")) & {3, 4, 5}, set())
        for name, own in (("float", {}), ("mixed", {"vcpu0": "5"})):
            leaves = {leaf: own.get(leaf, "3-4") for leaf in ("emulator", "vcpu0", "vcpu1")}
            for leaf, cpus in leaves.items():
                self.assert_group("%s/%s/%s" % (GOLD, name, leaf), cpus, "member")
            self.assert_threads(name, GOLD + "/" + name, leaves)

    def state(self, name):
        _, status = host.cpuwarden_json("status")
        return next((vm["state"], vm["reason"]) for vm in status["vms"] if vm["name"] == name)

    def test_1_vms_float_on_the_cpus_of_their_class(self):
        """two VMs on one class's partition, a vCPU of one apart; the host stays out"""
        plan = host.cpuwarden_json("plan")
        code, done = host.cpuwarden_json("apply")
        self.assertEqual(code, 0, done)
        self.assertEqual([s["text"] for s in plan[1]["steps"]], [s["text"] for s in done["steps"]])
        self.apply()
        self.assert_shared()
        self.assertEqual(self.state("float"), ("placed", None))
        intruder = host.intrude(1, 100, 100, 3)
        intruder.communicate(timeout=20)
        self.assertNotEqual(intruder.returncode, 0)

    def test_2_a_class_that_somebody_toggles_is_mended(self):
        """a class's group that is no partition any more degrades its VMs, and is mended"""
        self.apply()
        host.set_cgroup(GOLD, "cpuset.cpus.partition", "member")
        self.assertEqual(self.state("float"), (
            "degraded", "the partition of /%s should be root and is: member" % GOLD))
        self.assertEqual(self.state("mixed")[0], "degraded")
        self.apply()
        self.assert_shared()
        self.assertEqual(self.state("float"), ("placed", None))

    def test_3_from_its_own_cpu_to_housekeeping_and_back(self):
        """an emulator moves between a CPU of its own and housekeeping, vCPUs keep theirs"""
        top = host.SLICE + "/alone"
        host.configure("alone", DEDICATED % "housekeeping")
        if not host.REMOTE:
            done = self.apply(1)
            self.assertIn("alone: ", done.stderr)
            self.assertIn("housekeeping", done.stderr)
            self.assertFalse(os.path.exists(os.path.join(host.CGROUP, top)))
        else:
            for emulator in ("housekeeping", "own", "housekeeping"):
                host.configure("alone", DEDICATED % emulator)
                self.apply()
                self.assert_alone(top, emulator)
        self.assert_shared()

    def assert_alone(self, top, emulator):
        open_set = emulator == "housekeeping"
        self.assert_group(top + "/vcpu0", "6", "isolated")
        self.assertEqual(host.cgroup(top, "cpuset.cpus.partition"),
                         "member" if open_set else "root")
        cpus = host.cgroup(top + "/emulator", "cpuset.cpus")
        self.assert_group(top + "/emulator", cpus, "member")
        self.assertEqual(host.cgroup(top, "cpuset.cpus.effective"), cpus)
        self.assertEqual(cpus == "0", open_set)
        outside = host.cpus(host.cgroup("", "cpuset.cpus.effective"))
        self.assertNotIn(6, outside)
        self.assertEqual(host.cpus(cpus) <= outside, open_set)
        self.assert_threads("alone", top, {"emulator": cpus, "vcpu0": "6"})
        claimed = host.cpus(host.cgroup(top, "cpuset.cpus.exclusive"))
        self.assertEqual(claimed, {6} if open_set else {6} | host.cpus(cpus))

    def test_4_from_dedicated_to_shared(self):
        """a VM that had CPUs of its own joins the class, and nothing is left of them"""
        host.configure("alone", DEDICATED % "own")
        self.apply()
        host.configure("alone", SHARED)
        self.apply()
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, host.SLICE, "alone")))
        self.assert_threads("alone", GOLD + "/alone", {"emulator": "3-4", "vcpu0": "3-4"})
        self.assert_shared()
        host.configure("alone", "[vm]\npolicy = observe\n")
        self.apply()
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, GOLD, "alone")))
        self.assertEqual(host.thread_cgroup(self.guests["alone"].pid, self.guests["alone"].pid),
                         self.before[1][comm_and_pid(self.guests["alone"])][0])

    def test_5_a_vm_ends(self):
        """the class gives up what only a VM that has ended had"""
        self.apply()
        self.guests["mixed"].kill()
        time.sleep(0.2)
        self.apply()
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, GOLD, "mixed")))
        self.assert_group(GOLD, "3-4", "root")
        self.assertIn(5, host.cpus(host.cgroup("", "cpuset.cpus.effective")))

    def test_6_release_gives_back_what_was_found(self):
        """release --all leaves groups and threads as they were found"""
        self.apply()
        done = host.cpuwarden("release", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        time.sleep(0.2)
        host.assert_given_back(self, self.before)
        self.assertEqual(os.listdir(host.RUN), ["lock"])


def comm_and_pid(guest):
    return guest.comm(guest.pid), guest.pid
