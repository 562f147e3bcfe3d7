# SPDX-License-Identifier: GPL-2.0-or-later
"""
The daemon, run by systemd, beside libvirt: what virsh changes is followed though nothing else tells of it, libvirt's
hook hands domains over, and neither waits for the other when one hangs.
"""
import os
import signal
import subprocess
import time
import unittest

import domains
import host
import service
from domains import virsh

# Without drift nothing in the kernel tells of an affinity, or of a group's CPUs.
CONFIG = """[host]
housekeeping = 0
[defaults]
policy = dedicated
[observer]
drift = off
"""


class DaemonLibvirt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        os.sched_setaffinity(0, {0})
        host.configure(None, CONFIG)
        service.install()
        service.start()

    @classmethod
    def tearDownClass(cls):
        service.stop()
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        os.sched_setaffinity(0, range(os.cpu_count()))

    def domain(self, name="vm1", vcpus=2):
        domain = domains.Domain(name, vcpus)
        self.addCleanup(host.run, "virsh", "destroy", name)
        return domain

    def vcpu_is_on(self, domain, index, cpus):
        leaf = domain.leaf("vcpu%d" % index)
        try:
            return (host.thread_cgroup(domain.pid, domain.vcpu(index)), host.cgroup(leaf, "cpuset.cpus.effective"),
                    host.cgroup(leaf, "cpuset.cpus.partition")) == (leaf, cpus, "isolated")
        except (OSError, AttributeError):
            return False

    def wait_on(self, domain, index, cpus, seconds=20):
        try:
            host.wait_for("vCPU %d on %s" % (index, cpus), lambda: self.vcpu_is_on(domain, index, cpus), seconds)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, service.said())) from None

    def test_1_events(self):
        """what virsh pins and plugs is followed at once, also after libvirtd was restarted"""
        domain = self.domain()
        self.wait_on(domain, 0, "4")
        service.wait_asleep()
        for cpus in ("7", "3"):
            virsh("vcpupin", "vm1", "0", cpus, "--live")
            self.wait_on(domain, 0, cpus)
            service.wait_asleep()
            domains.systemctl("restart", "libvirtd")
        virsh("setvcpus", "vm1", "3", "--live")
        try:
            host.wait_for("vCPU 2 has a CPU", lambda: any(self.vcpu_is_on(domain, 2, cpu) for cpu in "124567"), 20)
        except AssertionError as error:
            raise AssertionError("%s\n%s\n%s" % (
                error, host.cpuwarden("status", "vm1").stdout, service.said())) from None

    def test_2_sleeps(self):
        """a domain that runs wakes nobody for a minute"""
        domain = self.domain()
        self.wait_on(domain, 0, "4")
        daemon = service.wait_asleep()
        before = service.wakeups(daemon)
        time.sleep(60)
        self.assertEqual(service.wakeups(daemon), before)

    def timed_start(self):
        began = time.time()
        domain = self.domain()
        took = time.time() - began
        return domain, took

    def test_3_hook(self):
        """when virsh start returns the domain is placed; a daemon that hangs, or none, keeps no domain from starting"""
        domain, took = self.timed_start()
        self.assertTrue(self.vcpu_is_on(domain, 0, "4") and self.vcpu_is_on(domain, 1, "5"), service.said())
        virsh("destroy", "vm1")
        daemon = service.wait_asleep()
        os.kill(daemon, signal.SIGSTOP)
        self.assertGreaterEqual(self.timed_hook("prepare begin -"), 2)
        domain, stuck = self.timed_start()
        self.assertFalse(self.vcpu_is_on(domain, 0, "4"))
        # Whoever has given up takes back what he asked for.
        self.assertEqual(os.listdir(host.RUN + "/handover"), [])
        os.kill(daemon, signal.SIGCONT)
        self.wait_on(domain, 0, "4")
        virsh("destroy", "vm1")
        service.wait_asleep()
        service.stop()
        domain, alone = self.timed_start()
        self.assertFalse(self.vcpu_is_on(domain, 0, "4"))
        print("    virsh create: %.1f s placed, %.1f s with a daemon that hangs, %.1f s without one" % (
            took, stuck, alone), flush=True)
        # It is called twice; an emulated host itself is now faster, now slower.
        self.assertLess(stuck, alone + 15)
        service.start()
        self.wait_on(domain, 0, "4")

    def timed_hook(self, operation):
        began = time.time()
        done = host.run(service.HOOKS + "/cpuwarden", "vm1", *operation.split(), stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return time.time() - began

    def test_4_hook_without_a_place(self):
        """no folder, no room, another process with the daemon's number: the hook ends well at once"""
        folder = host.RUN + "/handover"
        service.wait_asleep()
        host.must("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder)
        try:
            self.run_hook()
        finally:
            host.must("umount", folder)
        service.stop()
        self.run_hook()
        with open(host.RUN + "/daemon", "w") as file:
            file.write("1\n")
        self.run_hook()
        os.unlink(host.RUN + "/daemon")
        os.rmdir(folder)
        self.run_hook()
        service.start()

    def run_hook(self):
        for operation in ("prepare begin -", "started begin -", "stopped end -"):
            self.assertLess(self.timed_hook(operation), 1.5)
