# SPDX-License-Identifier: GPL-2.0-or-later
"""How long libvirt itself takes to put a vCPU into its group, on the host of test_latency.py with systemd."""
import unittest

import host
import test_latency
from domains import Domain


class Libvirt(unittest.TestCase):
    def test_start(self):
        """from a vCPU's creation to its group, by libvirt's own start"""
        took = []
        for _ in range(test_latency.POLLED):
            with test_latency.Traced():
                domain = Domain("vm2", 1)
                tid = domain.vcpu(0)
                host.wait_for("it is placed", lambda tid=tid, domain=domain: host.thread_cgroup(
                    domain.pid, tid).endswith("libvirt/vcpu0"), 60)
            made, put = test_latency.Traced.of(tid, "libvirt/vcpu0")
            took.append(put - made)
            host.must("virsh", "destroy", "vm2")
        test_latency.quantiles("vCPU's creation to its group, libvirt", took)
