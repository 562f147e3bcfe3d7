# SPDX-License-Identifier: GPL-2.0-or-later
"""
Two VMs with 2 and 3 vCPUs and an iothread each, placed on all CPUs but one. What policy says stands here once
more, by hand, for tests to compare the kernel's files with.
"""
import unittest

import host

WEB1 = """[vm]
policy = dedicated
[vcpupin]
0 = 2
1 = 3
[emulatorpin]
cpus = 1
[iothreadpin]
1 = 1
"""
WEB2 = """[vm]
policy = dedicated
[vcpupin]
0 = 4
1 = 5
2 = 6
[emulatorpin]
cpus = 7
"""
# Who drifts is test_drift.py's matter: hooking on takes an emulated host seconds at each start of an observer.
HOST = """[host]
housekeeping = 0
[observer]
drift = off
"""
# name: {leaf: (CPUs, partition)}
LEAVES = {
    "web1": {"emulator": ("1", "member"), "iothread1": ("1", "member"),
             "vcpu0": ("2", "isolated"), "vcpu1": ("3", "isolated")},
    "web2": {"emulator": ("7", "member"), "vcpu0": ("4", "isolated"),
             "vcpu1": ("5", "isolated"), "vcpu2": ("6", "isolated")},
}
RESERVED = [1, 2, 3, 4, 5, 6, 7]


def configure():
    host.configure(None, HOST)
    host.configure("web1", WEB1)
    host.configure("web2", WEB2)


def leaf_of(guest, tid, leaves=None):
    return guest.leaf(tid, (leaves or LEAVES)[guest.name])


def group(guest, leaf=None):
    return "/".join(filter(None, [host.SLICE, guest.name, leaf]))


class TwoVMs(unittest.TestCase):
    """Guests live as long as the class; each test starts and ends with them placed."""
    mode = "calm"

    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        configure()
        cls.guests = [host.Guest("web1", 2, cls.mode, wait=False),
                      host.Guest("web2", 3, cls.mode, wait=False)]
        for guest in cls.guests:
            guest.wait_until_all_run()

    @classmethod
    def tearDownClass(cls):
        host.stop_all(cls.guests)
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    apply = staticmethod(host.apply)

    def assert_placed(self, leaves=None):
        """Every thread in its group, each group's effective set as declared, partitions valid; of VMs with leaves."""
        leaves = leaves or LEAVES
        guests = [guest for guest in self.guests if guest.name in leaves]
        for guest in guests:
            for leaf, (cpus, partition) in leaves[guest.name].items():
                path = group(guest, leaf)
                self.assertEqual(host.cgroup(path, "cgroup.type"), "threaded", path)
                self.assertEqual(host.cgroup(path, "cpuset.cpus"), cpus, path)
                self.assertEqual(host.cgroup(path, "cpuset.cpus.effective"), cpus, path)
                self.assertEqual(host.cgroup(path, "cpuset.cpus.partition"), partition, path)
            self.assertEqual(host.cgroup(group(guest), "cgroup.type"), "domain threaded")
            self.assertEqual(host.cgroup(group(guest), "cpuset.cpus.partition"), "root")
            for tid in guest.threads():
                leaf = leaf_of(guest, tid, leaves)
                self.assertEqual(host.thread_cgroup(guest.pid, tid), group(guest, leaf))
                self.assertEqual(host.affinity(tid), host.cpus(leaves[guest.name][leaf][0]))
        reserved = set().union(*[host.cpus(cpus) for guest in guests
                                 for cpus, _ in leaves[guest.name].values()])
        self.assertEqual(host.cpus(host.cgroup("", "cpuset.cpus.effective")),
                         set(range(8)) - reserved)
