# SPDX-License-Identifier: GPL-2.0-or-later
"""
Threads that are hard to tell or come late: of a QEMU in a pid namespace, which knows them by other numbers; vCPUs
and iothreads that are plugged into a VM that is placed.
"""
import os
import subprocess
import unittest

import host
from qmp import Qmp

WEB = "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 2\n1 = 3\n[emulatorpin]\ncpus = 1\n[iothreadpin]\n2 = 4\n"


class Threads(unittest.TestCase):
    def setUp(self):
        host.forget_configuration()
        host.configure(None, "[host]\nhousekeeping = 0\n")
        host.configure("web", WEB)
        self.addCleanup(host.forget_configuration)
        self.addCleanup(host.cpuwarden, "release", "--all")

    def start(self, *before):
        """A VM with one of two vCPUs, whose threads have no names. Returns its pid."""
        process = subprocess.Popen([*before, "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi",
                                    "-smp", "1,maxcpus=2", "-m", "32", "-nodefaults", "-display", "none",
                                    "-name", "guest=web", "-qmp", "unix:/run/web.qmp,server=on,wait=off",
                                    "-qmp", "unix:/run/test.qmp,server=on,wait=off",
                                    "-bios", os.path.join(host.GUESTS, "calm.bin")], stdin=subprocess.DEVNULL)
        pid = process.pid
        if before:
            children = "/proc/%d/task/%d/children" % (pid, pid)
            pid = int(host.wait_for("its child", lambda: host.read(children).split())[0])
        self.addCleanup(process.wait)
        self.addCleanup(os.kill, pid, 9)
        host.wait_for("QMP", lambda: os.path.exists("/run/test.qmp"))
        self.qmp = Qmp("/run/test.qmp")
        self.addCleanup(self.qmp.close)
        self.addCleanup(os.unlink, "/run/test.qmp")
        return pid

    def outer(self, pid):
        """{the number that QEMU knows a thread by: ours}"""
        found = {}
        for tid in os.listdir("/proc/%d/task" % pid):
            for line in host.read("/proc/%d/task/%s/status" % (pid, tid)).splitlines():
                if line.startswith("NSpid:"):
                    found[int(line.split()[-1])] = int(tid)
        return found

    def assert_placed(self, pid):
        """Each vCPU that QMP names is in its group, each other thread with the emulator."""
        host.apply()
        outer = self.outer(pid)
        leaves = {outer[cpu["thread-id"]]: ("vcpu%d" % cpu["cpu-index"], {2 + cpu["cpu-index"]})
                  for cpu in self.qmp.call("query-cpus-fast")}
        leaves.update({outer[thread["thread-id"]]: ("iothread2", {4})
                       for thread in self.qmp.call("query-iothreads")})
        for tid in outer.values():
            leaf, cpus = leaves.get(tid, ("emulator", {1}))
            self.assertEqual(host.thread_cgroup(pid, tid), "%s/web/%s" % (host.SLICE, leaf))
            self.assertEqual(host.affinity(tid), cpus)
        vm = host.cpuwarden_json("status")[1]["vms"][0]
        self.assertEqual((vm["state"], vm["source"], vm["reason"]), ("placed", "qmp", None))
        return leaves

    def test_1_pid_namespace(self):
        """a QEMU in a pid namespace: its own thread ids are mapped to the host's"""
        pid = self.start("unshare", "--pid", "--fork")
        self.assertNotEqual(self.outer(pid).get(pid), pid)
        leaves = self.assert_placed(pid)
        self.assertEqual([leaf for leaf, _ in leaves.values()], ["vcpu0"])

    def test_2_late_threads(self):
        """a vCPU and an iothread that are plugged later are found by status, and placed by apply"""
        pid = self.start()
        self.assert_placed(pid)
        slot = next(s for s in self.qmp.call("query-hotpluggable-cpus") if "qom-path" not in s)
        self.qmp.call("device_add", driver=slot["type"], **slot["props"])
        self.qmp.call("object-add", **{"qom-type": "iothread", "id": "iothread2"})
        vm = host.cpuwarden_json("status")[1]["vms"][0]
        self.assertEqual(vm["state"], "degraded")
        self.assertIn("vcpu1 is missing", vm["reason"])
        self.assertNotEqual(host.cpuwarden("check").returncode, 0)
        leaves = self.assert_placed(pid)
        self.assertEqual(sorted(leaf for leaf, _ in leaves.values()), ["iothread2", "vcpu0", "vcpu1"])
        self.qmp.call("object-del", id="iothread2")
        leaves = self.assert_placed(pid)
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, host.SLICE, "web/iothread2")))
