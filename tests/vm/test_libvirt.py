# SPDX-License-Identifier: GPL-2.0-or-later
"""
Two domains of real libvirt and a bare VM on a host that systemd runs (tools/vm --systemd). What admins, virsh and
systemd do to them is found and named by status, told by plan before apply does it, repaired; what ran where
meanwhile is counted as ftrace counts it; and all of it is given back.
"""
import os
import re
import time
import unittest

import account
import host
from domains import PINS, Domain, systemctl, virsh

BARE = "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 2\n[emulatorpin]\ncpus = 1\n"
# A step, and the file that it writes.
FILES = {"set-cpus": "cpuset.cpus", "set-exclusive": "cpuset.cpus.exclusive", "set-partition": "cpuset.cpus.partition",
         "move-thread": "cgroup.threads", "move-process": "cgroup.procs", "give-cpuset": "cgroup.subtree_control",
         "take-cpuset": "cgroup.subtree_control", "make-threaded": "cgroup.type"}


def offline():
    host.set_online(5, False)
    time.sleep(0.2)
    host.set_online(5, True)


class Domains(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        # All that this test runs runs there, whatever doors are opened.
        os.sched_setaffinity(0, {0})
        host.configure(None, "[host]\nhousekeeping = 0\n[defaults]\npolicy = dedicated\n")
        host.configure("bare", BARE)
        cls.bare = host.Guest("bare", 1, "calm", wait=False)
        for tid in cls.bare.threads():
            os.sched_setaffinity(tid, range(8))
        cls.vm1, cls.vm2 = Domain("vm1", 2), Domain("vm2", 1)
        cls.bare.wait_until_all_run()
        for tid in cls.bare.threads():
            os.sched_setaffinity(tid, range(8))
        time.sleep(1)
        cls.found = host.dump()

    @classmethod
    def tearDownClass(cls):
        host.stop_all([cls.bare])
        for name in PINS:
            host.run("virsh", "destroy", name)
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        os.sched_setaffinity(0, range(os.cpu_count()))

    apply = staticmethod(host.apply)

    def vms(self):
        return {vm["name"]: vm for vm in host.cpuwarden_json("status")[1]["vms"]}


class InPlace(Domains):
    def assert_placed(self, isolated="2,4-6"):
        """By the kernel's files: what is isolated is what the vCPUs have, and the root has none of it."""
        self.assertEqual(host.cgroup("", "cpuset.cpus.isolated"), isolated)
        self.assertEqual(host.cpus(host.cgroup("", "cpuset.cpus.effective")),
                         set(range(8)) - host.cpus(isolated) - {1})
        for domain, vcpus in ((self.vm1, {0: "4", 1: "5"}), (self.vm2, {0: "6"})):
            for index, cpus in vcpus.items():
                leaf = domain.leaf("vcpu%d" % index)
                self.assertEqual(host.thread_cgroup(domain.pid, domain.vcpu(index)), leaf)
                for name, value in (("", cpus), (".effective", cpus), (".partition", "isolated"), (".exclusive", "")):
                    self.assertEqual(host.cgroup(leaf, "cpuset.cpus" + name), value, leaf)
                self.assertEqual(host.affinity(domain.vcpu(index)), host.cpus(cpus))
        self.assertEqual(host.affinity(self.vm1.pid), {0})
        for name, vm in self.vms().items():
            self.assertEqual((vm["state"], vm["reason"]), ("placed", None), name)
        self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")

    def reservations(self):
        """What policy says, once more by hand."""
        everywhere = set(range(8))
        return account.Reservations(
            {1: ("bare", None), 2: ("bare", {self.bare.vcpu(0)}), 4: ("vm1", {self.vm1.vcpu(0)}),
             5: ("vm1", {self.vm1.vcpu(1)}), 6: ("vm2", {self.vm2.vcpu(0)})},
            {"bare": (self.bare.pid, {self.bare.vcpu(0): {2}}, {1}),
             "vm1": (self.vm1.pid, {self.vm1.vcpu(0): {4}, self.vm1.vcpu(1): {5},
                                    self.iothread(self.vm1): everywhere - {4, 5}}, {0}),
             "vm2": (self.vm2.pid, {self.vm2.vcpu(0): {6}}, everywhere - {6})})

    def iothread(self, domain):
        return int(host.cgroup(domain.leaf("iothread1"), "cgroup.threads").split()[0])

    def writes(self, trace):
        """Files of cgroupfs that were written, in order; to reclaim CPUs is one step, with a group of its own."""
        found = []
        for line in host.read(trace).splitlines():
            match = re.search(r"\bwrite\(\d+<%s/([^>]*)>" % host.CGROUP, line)
            if match and not re.match(r"cpuwarden\.reclaim/|cgroup\.subtree_control", match.group(1)):
                found.append(match.group(1).encode().decode("unicode_escape"))
        return found

    def repair(self):
        """apply does what plan said, writes those files and no others, and then there is nothing to do."""
        planned = host.cpuwarden_json("plan")[1]["steps"]
        self.assertTrue(planned)
        done = host.run("strace", "-f", "-y", "-e", "trace=write", "-o", "/tmp/strace", host.PROGRAM, "apply", "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        did = host.json.loads(done.stdout)["steps"]
        # Where kernel threads stay away by themselves nothing is done to keep them so.
        told, did_so = ([step["text"] for step in steps if step["step"] != "keep-off"] for steps in (planned, did))
        self.assertEqual(did_so[:len(told)], told)
        self.assertEqual(self.writes("/tmp/strace"),
                         ["%s/%s" % (step["cgroup"], FILES[step["step"]]) for step in did if step["step"] in FILES])

    def tearDown(self):
        """What one test could not mend is not the next one's."""
        if host.cpuwarden("apply").returncode:
            host.cpuwarden("release", "--all")
            print(host.cpuwarden("apply").stderr, flush=True)

    def test_1_placed(self):
        """libvirt's domains and a bare VM are placed, where their groups are; a second apply writes nothing"""
        self.apply()
        self.assert_placed()
        self.assertEqual(host.cpuwarden("check").returncode, 0, host.cpuwarden("check").stdout)
        done = host.run("strace", "-f", "-y", "-e", "trace=write,openat,mkdir,mkdirat,rmdir,sched_setaffinity",
                        "-o", "/tmp/strace", host.PROGRAM, "apply")
        self.assertEqual(done.stdout, "nothing to do\n", done.stderr)
        self.assertEqual([line for line in host.read("/tmp/strace").splitlines()
                          if "sched_setaffinity(" in line or (host.CGROUP in line and any(
                              word in line for word in ("O_WRONLY", "O_RDWR", "mkdir", "rmdir", " write(")))], [])
        vm = self.vms()["vm1"]
        self.assertEqual((vm["layout"], vm["policy"], vm["source"]), ("libvirt", "dedicated", "libvirt"))
        rows = {(t["class"], t["index"]): t for t in vm["threads"] if t["class"] == "vcpu" or t["tid"] == vm["pid"]}
        self.assertEqual({key: (t["declared"], t["effective"], t["partition"]) for key, t in rows.items()},
                         {("vcpu", 0): ("4", "4", "isolated"), ("vcpu", 1): ("5", "5", "isolated"),
                          ("emulator", 0): ("0", "0", "member")})
        self.assertEqual(sorted(virsh("list", "--name").split()), ["vm1", "vm2"])
        self.assertRegex(virsh("vcpupin", "vm1"), r" 0 +4\n 1 +5\n")

    def units(self):
        machine = "machine.slice"
        return [
            ("daemon-reload", lambda: systemctl("daemon-reload")),
            ("libvirtd restarts", lambda: systemctl("restart", "libvirtd")),
            ("AllowedCPUs= on machine.slice", lambda: systemctl("set-property", "--runtime", machine, "AllowedCPUs=0,3")),
            ("and of more again", lambda: systemctl("set-property", "--runtime", machine, "AllowedCPUs=0-7")),
        ]

    def test_2_units(self):
        """daemon-reload, set-property on machine.slice and restarts of libvirtd leave them as they are"""
        self.apply()
        for name, event in self.units():
            with self.subTest(name):
                def act():
                    event()
                    time.sleep(0.3)
                seen = account.compare(self, self.reservations(), act)
                print("    %s: %s" % (name, seen), flush=True)
                self.assert_placed()

    def damages(self, rival):
        """What is done, and to which VMs it is a damage."""
        vm1 = self.vm1
        machine = vm1.group.split("/")[0]

        def toggle():
            host.set_cgroup("cpuwarden.slice/bare", "cpuset.cpus.partition", "member")
            host.set_cgroup("cpuwarden.slice/bare", "cpuset.cpus.partition", "root")

        def lose():
            host.set_cgroup(machine, "cpuset.cpus.exclusive", "")
            host.set_cgroup(vm1.leaf("vcpu0"), "cpuset.cpus.partition", "member")

        return [
            ("a vCPU's partition ends", lambda: host.set_cgroup(vm1.leaf("vcpu0"), "cpuset.cpus.partition", "member"),
             {"vm1"}),
            ("a vCPU is moved to the emulator", lambda: host.set_cgroup(vm1.leaf("emulator"), "cgroup.threads",
                                                                        str(vm1.vcpu(1))), {"vm1"}),
            ("the emulator is moved to a vCPU", lambda: host.set_cgroup(vm1.leaf("vcpu0"), "cgroup.threads",
                                                                        str(vm1.pid)), {"vm1"}),
            ("the claim above is cleared", lambda: host.set_cgroup(machine, "cpuset.cpus.exclusive", ""),
             {"vm1", "vm2"}),
            ("the claim above is cleared, and a partition ends: 6.12 loses its CPU", lose, {"vm1", "vm2"}),
            ("the scope's claim is cleared", lambda: host.set_cgroup(os.path.dirname(vm1.group),
                                                                     "cpuset.cpus.exclusive", ""), {"vm1"}),
            ("a group beside takes a CPU", lambda: host.set_cgroup(rival, "cpuset.cpus", "6"), set()),
            ("taskset across the set", lambda: host.run("taskset", "-p", "-c", "3", str(vm1.vcpu(0))), set()),
            ("a bare VM's group is toggled", toggle, {"bare"}),
            ("a CPU goes and comes back", offline, {"vm1"}),
        ]

    def damage(self, name, event, degraded):
        """What ran meanwhile is counted as by ftrace, and status names the VMs that are not as they should be."""
        def act():
            event()
            time.sleep(0.3)
        cpus = set(range(8)) - ({5} if event == offline else set())
        seen = account.compare(self, self.reservations(), act, cpus)
        reasons = {vm["name"]: vm["reason"] for vm in self.vms().values() if vm["state"] != "placed"}
        print("    %s: %s, %s" % (name, seen, reasons), flush=True)
        self.assertEqual(set(reasons), degraded, reasons)

    def test_3_damage(self):
        """damage is found by status, its repair told by plan, made by apply; what ran meanwhile is counted as by ftrace"""
        rival = os.path.join(host.CGROUP, "rival")
        os.mkdir(rival)
        self.addCleanup(os.rmdir, rival)
        for name, event, degraded in self.damages("rival"):
            with self.subTest(name):
                self.apply()
                self.damage(name, event, degraded)
                if degraded:
                    self.repair()
                self.assert_placed()

    def test_3_overwritten(self):
        """CPUs of a vCPU that somebody writes are adopted: virsh could have written them, and it is libvirt's to say"""
        self.apply()
        self.damage("a vCPU's CPUs are overwritten",
                    lambda: host.set_cgroup(self.vm1.leaf("vcpu1"), "cpuset.cpus", "3"), {"vm1"})
        self.repair()
        self.assert_vcpu(self.vm1, 1, "3")
        virsh("vcpupin", "vm1", "1", "5", "--live")
        self.repair()
        self.assert_placed()

    def assert_vcpu(self, domain, index, cpus):
        leaf = domain.leaf("vcpu%d" % index)
        self.assertEqual([host.cgroup(leaf, "cpuset.cpus" + name) for name in ("", ".effective", ".partition")],
                         [cpus, cpus, "isolated"])
        self.assertLessEqual(host.cpus(cpus), host.cpus(host.cgroup("", "cpuset.cpus.isolated")))
        self.assertFalse(host.cpus(cpus) & host.cpus(host.cgroup("", "cpuset.cpus.effective")))
        self.assertEqual(host.affinity(domain.vcpu(index)), host.cpus(cpus))

    def test_4_virsh(self):
        """vcpupin, emulatorpin and setvcpus go on working, and what they did is adopted"""
        self.apply()
        for cpus, state in (("7", "degraded"), ("3", "degraded"), ("0-7", "degraded"), ("4", "placed")):
            with self.subTest(vcpupin=cpus):
                def pin():
                    virsh("vcpupin", "vm1", "0", cpus, "--live")
                    time.sleep(0.3)
                seen = account.compare(self, self.reservations(), pin)
                print("    vcpupin to %s: %s" % (cpus, seen), flush=True)
                self.assertEqual(self.vms()["vm1"]["state"], state)
                if state == "degraded":
                    self.repair()
                if cpus == "0-7": # nobody says where: policy chooses
                    cpus = host.cgroup(self.vm1.leaf("vcpu0"), "cpuset.cpus")
                    self.assertEqual(len(host.cpus(cpus)), 1)
                self.assert_vcpu(self.vm1, 0, cpus)
                self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")
                # By way of another: what virsh writes where we have written the same cannot be told from ours.
                for cpu in ("3", "4") if state == "degraded" else ():
                    virsh("vcpupin", "vm1", "0", cpu, "--live")
                    self.apply()
        self.assert_placed()
        with self.subTest("emulatorpin"):
            virsh("emulatorpin", "vm1", "0,3", "--live")
            self.apply()
            self.assertEqual(host.affinity(self.vm1.pid), {0, 3})
            self.assertEqual(self.vms()["vm1"]["state"], "placed")
            virsh("emulatorpin", "vm1", "0", "--live")
            self.apply()
            self.assert_placed()
        with self.subTest("setvcpus"):
            def plug():
                virsh("setvcpus", "vm1", "3", "--live")
                time.sleep(0.5)
            seen = account.compare(self, self.reservations(), plug)
            print("    setvcpus: %s" % seen, flush=True)
            self.assertEqual(self.vms()["vm1"]["state"], "degraded")
            self.repair()
            self.assertEqual(len(host.affinity(self.vm1.vcpu(2))), 1)
            self.assert_vcpu(self.vm1, 2, host.cgroup(self.vm1.leaf("vcpu2"), "cpuset.cpus"))

    def test_5_release(self):
        """release --all gives libvirt's groups back as they were, but what somebody else has changed since"""
        self.apply()
        if not os.path.isdir(os.path.join(host.CGROUP, self.vm1.leaf("vcpu2"))):
            virsh("setvcpus", "vm1", "3", "--live")
            self.apply()
        # Policy has chosen one of the two for the vCPU that was plugged in.
        free = host.cpus(host.cgroup("", "cpuset.cpus.effective")) & {3, 7}
        virsh("vcpupin", "vm2", "0", str(max(free)), "--live")
        done = host.cpuwarden("release", "--all")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        virsh("vcpupin", "vm2", "0", "6", "--live")
        groups, threads = host.dump()
        changed = {path: (value, groups.get(path)) for path, value in self.found[0].items()
                   if groups.get(path) != value and self.matters(path)}
        self.assertEqual(changed, {})
        self.assertEqual([path for path in groups if path not in self.found[0] and "/vcpu2/" not in path
                          and self.matters(path)], [])
        for thread, was in self.found[1].items():
            if thread in threads and self.is_ours(thread):
                self.assertEqual(threads[thread], was, thread)
        for name in ("cpuset.cpus", "cpuset.cpus.partition"):
            self.assertEqual(host.cgroup(self.vm1.leaf("vcpu2"), name), {"cpuset.cpus": ""}.get(name, "member"))

    def matters(self, path):
        """Units of systemd's come and go; libvirt sets memory nodes when it restarts or plugs, and AllowedCPUs= was set."""
        return not re.search(r"system\.slice|user\.slice|init\.scope|cpuset\.mems$|machine\.slice/cpuset\.cpus$", path)

    def is_ours(self, thread):
        return any(os.path.isdir("/proc/%d/task/%d" % (pid, thread[1]))
                   for pid in (self.bare.pid, self.vm1.pid, self.vm2.pid))

    def test_6_own_pins(self):
        """pins of our own go before libvirt's: what virsh changes is corrected, and release gives libvirt's back"""
        host.configure("vm2", "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 3\n[emulatorpin]\ncpus = 0\n")
        self.addCleanup(os.unlink, os.path.join(host.ETC, "vms.d/vm2.conf"))
        self.apply()
        self.assert_vcpu(self.vm2, 0, "3")
        self.assertEqual(host.affinity(self.vm2.pid), {0})
        virsh("vcpupin", "vm2", "0", "6", "--live")
        self.assertEqual(self.vms()["vm2"]["state"], "degraded")
        self.apply()
        self.assert_vcpu(self.vm2, 0, "3")
        done = host.cpuwarden("release", "vm2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(host.cgroup(self.vm2.leaf("vcpu0"), "cpuset.cpus"), "6")
        self.assertEqual(host.cgroup(self.vm2.leaf("emulator"), "cpuset.cpus"), "")
        self.assertEqual(host.affinity(self.vm2.vcpu(0)), {6})

    def test_7_stopped_and_started(self):
        """a domain that stops leaves nothing claimed, and one that starts is placed again"""
        self.apply()
        virsh("destroy", "vm1")
        time.sleep(0.3)
        self.apply()
        self.assertNotIn("vm1", self.vms())
        self.assertEqual(host.cpus(host.cgroup("machine.slice", "cpuset.cpus.exclusive")), {6})
        self.assertEqual(host.cpus(host.cgroup("", "cpuset.cpus.effective")), {0, 3, 4, 5, 7})
        type(self).vm1 = Domain("vm1", 2)
        self.apply()
        self.assert_placed()

    def test_8_saved_and_restored(self):
        """a domain that is saved gives its CPUs back, and is placed again when it is restored"""
        self.apply()
        virsh("save", "vm2", "/tmp/vm2.save")
        self.apply()
        self.assertNotIn("vm2", self.vms())
        self.assertIn(6, host.cpus(host.cgroup("", "cpuset.cpus.effective")))
        virsh("restore", "/tmp/vm2.save")
        self.vm2.pid = int(host.read("/run/libvirt/qemu/vm2.pid"))
        self.apply()
        self.assert_placed()


class Watched(Domains):
    """A kernel without cpuset.cpus.exclusive."""

    def test_1_degraded_with_the_reason(self):
        """libvirt's domains are degraded, and it is said what is missing; their pins are watched, the bare VM is placed"""
        done = host.cpuwarden("apply")
        self.assertEqual(done.returncode, 1, done.stdout)
        for name in PINS:
            self.assertRegex(done.stderr, name + ": this kernel has no cpuset.cpus.exclusive .*Linux 6.7.*pins hold")
        vms = self.vms()
        self.assertEqual({name: vm["state"] for name, vm in vms.items()},
                         {"bare": "placed", "vm1": "degraded", "vm2": "degraded"})
        self.assertEqual(host.cgroup("", "cpuset.cpus.effective"), "0,3-7")
        declared = {(t["class"], t["index"]): t["declared"] for t in vms["vm1"]["threads"] if t["class"] == "vcpu"}
        self.assertEqual(declared, {("vcpu", 0): "4", ("vcpu", 1): "5"})
        self.assertEqual(host.cpuwarden("check").returncode, 1)

    def test_2_pins_are_watched(self):
        """virsh goes on; a vCPU that leaves its pin is off its set until apply adopts where virsh has put it"""
        host.cpuwarden("apply")
        before = host.cpuwarden_json("check")[1]["off_set"]["count"]
        virsh("vcpupin", "vm1", "0", "7", "--live")
        time.sleep(0.3)
        self.assertGreater(host.cpuwarden_json("check")[1]["off_set"]["count"], before)
        host.cpuwarden("apply")
        vcpu = next(t for t in self.vms()["vm1"]["threads"] if t["class"] == "vcpu" and t["index"] == 0)
        self.assertEqual((vcpu["declared"], vcpu["effective"]), ("7", "7"))
        virsh("vcpupin", "vm1", "0", "4", "--live")

    def test_3_members(self):
        """partition = member asks for no more than such a kernel has"""
        host.configure("vm2", "[vm]\npolicy = dedicated\npartition = member\n[vcpupin]\n0 = 3\n")
        self.addCleanup(host.run, host.PROGRAM, "release", "vm2")
        self.addCleanup(os.unlink, os.path.join(host.ETC, "vms.d/vm2.conf"))
        host.cpuwarden("apply")
        self.assertEqual((self.vms()["vm2"]["state"], self.vms()["vm2"]["reason"]), ("placed", None))
        self.assertEqual(host.affinity(self.vm2.vcpu(0)), {3})
        done = host.cpuwarden("release", "vm2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(host.cgroup(self.vm2.leaf("vcpu0"), "cpuset.cpus"), "6")
        self.assertEqual(host.affinity(self.vm2.vcpu(0)), {6})


if host.REMOTE:
    del Watched
else:
    del InPlace
del Domains
