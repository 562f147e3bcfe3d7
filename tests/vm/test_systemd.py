# SPDX-License-Identifier: GPL-2.0-or-later
"""
A host that systemd runs, with libvirt (tools/vm --systemd): whatever an admin does to units leaves bare VMs
where they were placed, and libvirt's own domains are libvirt's.
"""
import os
import time

import host
import two_vms

DOMAIN = """<domain type='qemu'>
<name>%s</name><memory unit='MiB'>32</memory><vcpu placement='static' current='1'>2</vcpu>
<cputune><vcpupin vcpu='0' cpuset='%s'/><emulatorpin cpuset='0'/></cputune>
<os><type arch='x86_64' machine='pc'>hvm</type><loader readonly='yes' type='rom'>%s/calm.bin</loader></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<memballoon model='none'/></devices>
</domain>
"""


class Systemd(two_vms.TwoVMs):
    def run_well(self, *args):
        done = host.run(*args)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

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
                self.run_well("systemctl", *command.split())
                time.sleep(0.2)
                self.assert_left_alone()
        done = host.cpuwarden("release", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.root_and_slice(), before)

    def state(self, name):
        return next(vm["state"] for vm in host.cpuwarden_json("status")[1]["vms"] if vm["name"] == name)

    def test_3_a_slice_takes_a_cpu(self):
        """a slice that is allowed a placed VM's CPU: the VM keeps it, or status, check and apply say what is wrong"""
        # 6.1 makes a VM's group a partition again only where the host has a CPU to spare for it.
        host.configure("web2", "[vm]\npolicy = observe\n")
        self.addCleanup(two_vms.configure)
        self.apply()
        self.run_well("systemctl", "set-property", "--runtime", "machine.slice", "AllowedCPUs=0-1")
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
        self.run_well("systemctl", "set-property", "--runtime", "machine.slice", "AllowedCPUs=0")
        self.apply()
        self.assertEqual(self.state("web1"), "placed")

    def start_domain(self, name, cpu):
        path = "/tmp/%s.xml" % name
        with open(path, "w") as f:
            f.write(DOMAIN % (name, cpu, host.GUESTS))
        self.run_well("virsh", "create", path)
        self.addCleanup(host.run, "virsh", "destroy", name)

    def domain(self, name):
        return next(vm for vm in host.cpuwarden_json("status")[1]["vms"] if vm["name"] == name)

    def test_2_domains_of_libvirt(self):
        """domains of libvirt are seen and watched, and go on as libvirt wants beside placed VMs"""
        host.configure("web2", "[vm]\npolicy = observe\n")
        self.addCleanup(two_vms.configure)
        self.start_domain("vm1", 4)
        self.start_domain("vm2", 5)
        self.apply()
        vm = self.domain("vm1")
        self.assertEqual((vm["layout"], vm["policy"], vm["state"]), ("libvirt", "observe", "observed"))
        vcpu = next(t for t in vm["threads"] if t["class"] == "vcpu")
        self.assertEqual(vcpu["effective"], "4")
        self.assertRegex(vcpu["cgroup"], r"^machine\.slice/machine-qemu.*\.scope/libvirt/vcpu0$")
        self.assertEqual(vcpu["cgroup"], host.thread_cgroup(vm["pid"], vcpu["tid"]))
        with self.subTest("one that is to be placed says why it is not"):
            host.configure("vm1", "[vm]\npolicy = dedicated\n")
            done = host.cpuwarden("apply")
            self.assertEqual(done.returncode, 1)
            self.assertIn("vm1: it is libvirt's", done.stderr)
            self.assertEqual(self.domain("vm1")["state"], "degraded")
            os.unlink(os.path.join(host.ETC, "vms.d/vm1.conf"))
            self.apply()
        self.assertIn("vm1", self.run_well("virsh", "list", "--name"))
        self.run_well("virsh", "vcpupin", "vm1", "0", "6", "--live")
        self.run_well("virsh", "emulatorpin", "vm1", "7", "--live")
        self.assertEqual(next(t for t in self.domain("vm1")["threads"] if t["class"] == "vcpu")["effective"], "6")
        self.assertEqual(host.cpuwarden("check").returncode, 0)
        self.run_well("virsh", "destroy", "vm2")
        self.apply()
        self.assertNotIn("vm2", [vm["name"] for vm in host.cpuwarden_json("status")[1]["vms"]])
