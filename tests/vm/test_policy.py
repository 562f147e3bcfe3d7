# SPDX-License-Identifier: GPL-2.0-or-later
"""
Policy that chooses CPUs by itself, on a host of two nodes with two cores of two threads each: wishes, who keeps what
he has, why, and all of it anew.
"""
import os
import unittest

import host

OWN = "[host]\nhousekeeping = 0\n[defaults]\npolicy = dedicated\n"


def topology(cpu, name):
    return host.cpus(host.read("/sys/devices/system/cpu/cpu%d/topology/%s" % (cpu, name)))


def node(cpu):
    return next(int(n[4:]) for n in os.listdir("/sys/devices/system/cpu/cpu%d" % cpu) if n.startswith("node"))


class Policy(unittest.TestCase):
    def setUp(self):
        host.forget_configuration()
        self.guests = {}
        self.addCleanup(host.forget_configuration)
        self.addCleanup(host.cpuwarden, "release", "--all")
        self.addCleanup(lambda: host.stop_all(self.guests.values()))

    def start(self, name, vcpus, smp=None):
        self.guests[name] = host.Guest(name, vcpus, "calm", smp=smp)

    def stop(self, name):
        self.guests.pop(name).kill()

    def apply(self, *options):
        return host.apply(*options).stdout

    def cpus(self, name, leaf=None):
        """What the VM has, by the kernel's own files: one CPU for each vCPU, in a list; or a leaf's set."""
        top = "%s/%s" % (host.SLICE, name)
        if leaf:
            return host.cpus(host.cgroup("%s/%s" % (top, leaf), "cpuset.cpus"))
        found = []
        for vcpu in range(self.guests[name].vcpus):
            cpus = host.cpus(host.cgroup("%s/vcpu%d" % (top, vcpu), "cpuset.cpus.effective"))
            self.assertEqual(host.affinity(self.guests[name].vcpu(vcpu)), cpus)
            found += cpus
        return found

    def state(self, name):
        vm = next(vm for vm in host.cpuwarden_json("status")[1]["vms"] if vm["name"] == name)
        return vm["state"], vm["reason"]

    def assert_proven(self):
        done = host.cpuwarden("check")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_1_wishes(self):
        """siblings for guest siblings, whole cores, idle siblings; what cannot be had is refused with the reason"""
        host.configure(None, OWN)
        self.start("a", 2, "2,sockets=1,cores=1,threads=2")
        self.apply()
        first, second = self.cpus("a")
        self.assertEqual(topology(first, "thread_siblings_list"), {first, second})
        self.assertEqual({node(cpu) for cpu in self.cpus("a") + list(self.cpus("a", "emulator"))}, {node(first)})
        said = host.cpuwarden("plan", "--explain", "a").stdout
        self.assertIn("vCPU 0: CPU %d, as it has already" % first, said)

        # Alone on its core: the VM has the sibling, too, and nobody is there.
        host.configure("b", "[vm]\nsmt = isolate\n")
        self.start("b", 1)
        plan = host.cpuwarden("plan", "--explain", "b").stdout
        self.assertIn("stays idle (smt = isolate)", plan)
        before = self.cpus("a"), self.cpus("a", "emulator")
        self.apply()
        self.assertEqual((self.cpus("a"), self.cpus("a", "emulator")), before)
        mine, = self.cpus("b")
        siblings = topology(mine, "thread_siblings_list")
        self.assertLessEqual(siblings, host.cpus(host.cgroup(host.SLICE + "/b", "cpuset.cpus")))
        self.assertFalse(siblings & self.cpus("b", "emulator"))
        self.assertFalse(siblings & host.cpus(host.cgroup("", "cpuset.cpus.effective")))
        self.assert_proven()

        # Nothing is touched of one that cannot have what it wishes.
        host.configure("c", "[vm]\nnuma = single\n")
        self.start("c", 5)
        done = host.cpuwarden("apply")
        self.assertEqual(done.returncode, 1)
        self.assertIn("6 CPUs are wanted within one node (numa = single)", done.stderr)
        self.assertFalse(os.path.exists("%s/%s/c" % (host.CGROUP, host.SLICE)))
        self.assertEqual(self.state("c")[0], "degraded")
        self.assertEqual((self.cpus("a"), self.cpus("b")), (before[0], [mine]))

        # Nor of one that is pinned to what another was given.
        host.configure("c", "[vcpupin]\n0 = %d\n" % mine)
        self.assertIn("CPU %d is reserved by VM b" % mine, host.cpuwarden("apply").stderr)

    def test_2_rebalance(self):
        """a VM that was split stays where it is when there is room, until --rebalance moves it; nothing runs elsewhere"""
        host.configure(None, OWN)
        for name in "abc":
            self.start(name, 1)
            self.apply()
        self.stop("b")
        self.start("z", 2)
        self.apply()
        self.stop("a")
        self.apply()
        split = self.cpus("z"), self.cpus("z", "emulator")
        other = self.cpus("c"), self.cpus("c", "emulator")
        self.assertEqual({node(cpu) for cpu in split[0] + list(split[1])}, {0, 1})
        self.assertEqual(host.cpuwarden("plan").returncode, 0)
        self.assertEqual(host.cpuwarden("plan", "--rebalance").returncode, 2)
        self.assertEqual((self.cpus("z"), self.cpus("z", "emulator")), split)
        self.apply("--rebalance")
        self.assertEqual(len({node(cpu) for cpu in self.cpus("z") + list(self.cpus("z", "emulator"))}), 1)
        self.assertEqual((self.cpus("c"), self.cpus("c", "emulator")), other)
        self.assertEqual(self.apply("--rebalance"), "nothing to do\n")
        self.assertEqual(self.apply(), "nothing to do\n")
        self.assert_proven()

    def test_3_pools_and_patterns(self):
        """a pattern says who is dedicated; a housekeeping list over a running VM's CPU does not move it by itself"""
        host.configure(None, "[host]\nhousekeeping = 0\n[vm web*]\npolicy = dedicated\n")
        self.start("web1", 1)
        self.start("db1", 1)
        self.apply()
        self.assertEqual(self.state("web1")[0], "placed")
        self.assertEqual(self.state("db1")[0], "observed")
        cpu, = self.cpus("web1")
        host.configure(None, "[host]\nhousekeeping = 0,%d\n[vm web*]\npolicy = dedicated\n" % cpu)
        done = host.cpuwarden("apply")
        self.assertEqual(done.returncode, 1)
        self.assertIn("CPU %d, which vCPU 0 has, is a housekeeping CPU by now" % cpu, done.stderr)
        self.assertEqual(self.cpus("web1"), [cpu])
        self.assertEqual(self.state("web1")[0], "degraded")
        self.apply("--rebalance")
        self.assertNotEqual(self.cpus("web1"), [cpu])
        self.assertEqual(self.state("web1")[0], "placed")
        self.assert_proven()


if __name__ == "__main__":
    unittest.main()
