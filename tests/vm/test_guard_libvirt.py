# SPDX-License-Identifier: GPL-2.0-or-later
"""
The guard on a host with libvirt (tools/vm --systemd): virsh pins where the pins are libvirt's and is refused where they
are ours; what libvirt does with vCPUs that it has just made goes on either way.
"""
import os
import time
import unittest

import host
import maps
from domains import Domain, systemctl, virsh
from host import wait_for
from test_guard import AFFINITY, DENY, EPERM, GUARD, guarded, taskset, text

OURS = "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 4\n1 = 5\n"
YOUNG = 61  # s; bpf/guard.h


class Libvirt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        host.configure(None, "[host]\nhousekeeping = 0\n[defaults]\npolicy = dedicated\nguard = deny\n")
        cls.vm = Domain("vm1", 2)

    @classmethod
    def tearDownClass(cls):
        host.run("virsh", "destroy", "vm1")
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    apply = staticmethod(host.apply)

    def assert_placed(self, cpus):
        vm = host.cpuwarden_json("status")[1]["vms"][0]
        self.assertEqual((vm["state"], vm["reason"], vm["guard"]), ("placed", None, "deny"))
        self.assertEqual([host.affinity(self.vm.vcpu(i)) for i in range(len(cpus))], cpus)

    def assert_refused(self, tid):
        done = taskset("0", tid)
        self.assertNotEqual(done[1], 0)
        self.assertIn(EPERM, done[2])
        self.assertEqual(guarded()[-1]["by"]["tgid"], done[0])

    def set_vcpus(self, number):
        """As virsh does it, and without being refused anything."""
        before = len(guarded())
        virsh("setvcpus", "vm1", str(number), "--live")
        self.apply()
        self.assertEqual(guarded()[before:], [])
        if number == 3:
            self.assertEqual(host.thread_cgroup(self.vm.pid, self.vm.vcpu(2)), self.vm.leaf("vcpu2"))
            self.assert_refused(self.vm.vcpu(2))

    def unplug(self):
        """A guest that does not answer keeps its vCPU: libvirt is told to make the domain anew."""
        host.run("virsh", "destroy", "vm1")
        type(self).vm = Domain("vm1", 2)
        self.apply()

    def test_1_libvirts_pins(self):
        """pins that are libvirt's: virsh vcpupin, emulatorpin and iothreadpin work, taskset does not"""
        self.apply()
        self.assert_placed([{4}, {5}])
        self.assertEqual([len(ids) for ids in maps.attached(GUARD)], [1, 1])
        before = len(guarded())
        virsh("vcpupin", "vm1", "1", "6", "--live")
        self.assertEqual(host.affinity(self.vm.vcpu(1)), {6})
        virsh("emulatorpin", "vm1", "0-1", "--live")
        virsh("iothreadpin", "vm1", "1", "0", "--live")
        self.apply()
        self.assert_placed([{4}, {6}])
        self.assertEqual(guarded()[before:], [])
        self.assert_refused(self.vm.vcpu(1))
        virsh("vcpupin", "vm1", "1", "5", "--live")
        virsh("emulatorpin", "vm1", "0", "--live")
        self.apply()
        self.assert_placed([{4}, {5}])

    def test_2_hotplug(self):
        """pins that are libvirt's: virsh setvcpus works"""
        self.set_vcpus(3)
        self.unplug()

    def test_3_units(self):
        """daemon-reload and a new libvirtd change nothing: it may pin as before"""
        self.apply()
        before = len(guarded())
        systemctl("daemon-reload")
        systemctl("restart", "libvirtd")
        wait_for("libvirtd", lambda: host.run("virsh", "vcpupin", "vm1").returncode == 0)
        virsh("vcpupin", "vm1", "1", "6", "--live")
        virsh("vcpupin", "vm1", "1", "5", "--live")
        self.assertEqual(guarded()[before:], [])
        # A partition that went there and back is mended by the next one.
        self.apply()
        self.assert_placed([{4}, {5}])

    def test_4_our_pins(self):
        """pins that are ours: virsh vcpupin is refused and noted as libvirt's, setvcpus works, release opens"""
        host.configure("vm1", OURS)
        self.apply()
        # So long libvirt may give a thread that it has made its place.
        born = int(host.stat_fields(self.vm.vcpu(1))[19]) / os.sysconf("SC_CLK_TCK")
        time.sleep(max(0, born + YOUNG - time.clock_gettime(time.CLOCK_BOOTTIME)))
        done = host.run("virsh", "vcpupin", "vm1", "1", "6", "--live")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(EPERM, done.stderr)
        noted = guarded()[-1]
        self.assertEqual((noted["kind"], noted["result"], noted["guarded"]), (AFFINITY, -1, DENY))
        self.assertEqual(noted["by"]["tgid"], int(host.run("pidof", "libvirtd").stdout))
        self.assertEqual(noted["target"]["tid"], self.vm.vcpu(1))
        self.assertEqual(text(noted["target"]["comm"]), "CPU 1/TCG")
        # libvirt had written the group's CPUs before it asked.
        self.apply()
        self.assert_placed([{4}, {5}])
        self.set_vcpus(3)
        self.assertEqual(host.cpuwarden("release", "vm1").returncode, 0)
        virsh("vcpupin", "vm1", "1", "6", "--live")
        self.assertEqual(host.affinity(self.vm.vcpu(1)), {6})
