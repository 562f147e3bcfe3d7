# SPDX-License-Identifier: GPL-2.0-or-later
"""
A host that systemd runs, with libvirt (tools/vm --systemd): whatever an admin does to units leaves bare VMs
where they were placed, and libvirt's own domains are libvirt's.
"""
import os
import subprocess
import time

import host
import two_vms
from domains import Domain, systemctl, virsh


class Systemd(two_vms.TwoVMs):
    def assert_left_alone(self):
        self.assert_placed()
        self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")
        done = host.cpuwarden("check")
        self.assertEqual(done.returncode, 0, done.stdout)

    def root_and_slice(self):
        """Settings of the root and the slice. Units, and the controllers that they need, come and go by themselves."""
        groups = {path: text for path, text in host.dump()[0].items()
                  if os.path.dirname(path) == host.CGROUP or host.SLICE in path}
        control = host.CGROUP + "/cgroup.subtree_control"
        groups[control] = "cpuset" in groups[control].split()
        return groups

    def test_1_units(self):
        """reloads, restarts and properties of units leave placed VMs as they are"""
        before = self.root_and_slice()
        self.apply()
        self.assert_left_alone()
        for command in ("daemon-reload", "daemon-reexec", "restart libvirtd systemd-journald",
                        "set-property --runtime machine.slice AllowedCPUs=0",
                        "set-property --runtime system.slice CPUWeight=50",
                        "set-property --runtime machine.slice AllowedCPUs=",
                        "start cpuwarden.slice", "stop cpuwarden.slice"):
            with self.subTest(command):
                systemctl(*command.split())
                time.sleep(0.2)
                self.assert_left_alone()
        # systemd's clearing does not reach every kernel, and what somebody uses would stay enabled.
        if os.path.exists(os.path.join(host.CGROUP, "machine.slice/cpuset.cpus")):
            host.set_cgroup("machine.slice", "cpuset.cpus", "")
        done = host.cpuwarden("release", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.root_and_slice(), before)

    def vm(self, name):
        return next(vm for vm in host.cpuwarden_json("status")[1]["vms"] if vm["name"] == name)

    def test_3_a_slice_takes_a_cpu(self):
        """a slice that is allowed a placed VM's CPU: the VM keeps it, or status, check and apply say what is wrong"""
        # 6.1 makes a VM's group a partition again only where the host has a CPU to spare for it.
        host.configure("web2", "[vm]\npolicy = observe\n")
        self.addCleanup(two_vms.configure)
        # What ran on its CPUs while its partition was invalid was counted, and is not the next test's.
        self.addCleanup(host.cpuwarden, "release", "--all")
        self.apply()
        systemctl("set-property", "--runtime", "machine.slice", "AllowedCPUs=0-1")
        self.addCleanup(host.run, "systemctl", "set-property", "--runtime", "machine.slice", "AllowedCPUs=")
        vm = host.cpuwarden_json("status")[1]["vms"][0]
        if vm["state"] != "placed":
            self.assertEqual(vm["state"], "degraded")
            self.assertIn("cpuwarden.slice should be root and is: root invalid (", vm["reason"])
            self.assertNotEqual(host.cpuwarden("check").returncode, 0)
            done = host.cpuwarden("apply")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertRegex(done.stderr, r"root invalid \(.*\); /machine\.slice has some of its CPUs")
        # Not the empty list: systemd's clearing does not reach every kernel.
        systemctl("set-property", "--runtime", "machine.slice", "AllowedCPUs=0")
        self.apply()
        self.assertEqual(self.vm("web1")["state"], "placed")

    def test_2_domains_of_libvirt(self):
        """domains of libvirt that are only watched go on as libvirt wants beside placed VMs"""
        host.configure("web2", "[vm]\npolicy = observe\n")
        self.addCleanup(two_vms.configure)
        domains = []
        for name in ("vm1", "vm2"):
            domains.append(Domain(name, 1))
            self.addCleanup(host.run, "virsh", "destroy", name)
        self.apply()
        vm = self.vm("vm1")
        self.assertEqual((vm["layout"], vm["policy"], vm["state"]), ("libvirt", "observe", "observed"))
        vcpu = next(t for t in vm["threads"] if t["class"] == "vcpu")
        self.assertEqual((vcpu["effective"], vcpu["tid"]), ("4", domains[0].vcpu(0)))
        self.assertEqual(vcpu["cgroup"], domains[0].leaf("vcpu0"))
        self.assertIn("vm1", virsh("list", "--name"))
        virsh("vcpupin", "vm1", "0", "6", "--live")
        virsh("emulatorpin", "vm1", "7", "--live")
        self.assertEqual(next(t for t in self.vm("vm1")["threads"] if t["class"] == "vcpu")["effective"], "6")
        self.assertEqual(host.cpuwarden("check").returncode, 0)
        virsh("destroy", "vm2")
        self.apply()
        self.assertNotIn("vm2", [vm["name"] for vm in host.cpuwarden_json("status")[1]["vms"]])

    def test_4_why_no_scopes(self):
        """stopping a slice ends what is in its scopes, and spares what is in a plain group: a VM is in the latter"""
        self.apply()
        scoped = subprocess.Popen(["systemd-run", "--scope", "--quiet", "--slice=cpuwarden.slice", "sleep", "1000"])
        time.sleep(0.5)
        systemctl("stop", "cpuwarden.slice")
        self.assertNotEqual(scoped.wait(30), 0)
        self.assert_left_alone()
