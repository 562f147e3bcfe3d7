# SPDX-License-Identifier: GPL-2.0-or-later
"""
A host whose cpuset controller is on cgroup v1: a kernel that has it there, started without cgroup_no_v1
(tools/vm --cgroup-v1).
"""
import os

import host
import sentences
from sentences import NOT_V2


class CgroupV1(sentences.Sentences):
    def setUp(self):
        host.configure("web1", "[vm]\npolicy = dedicated\n")
        self.addCleanup(host.forget_configuration)

    def test_cpuset_on_v1(self):
        """a host with cpuset on cgroup v1 is told how to boot with v2"""
        lines = "umount -l /sys/fs/cgroup && mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup && " \
            "mkdir unified cpuset && mount -t cgroup2 none unified && mount -t cgroup -o cpuset none cpuset"
        try:
            for verb in ("apply", "plan", "status"):
                with self.subTest(verb):
                    self.assert_sentence(host.run("unshare", "-m", "sh", "-c", lines + " && exec \"$@\"", "sh",
                                                  host.PROGRAM, verb), 1, NOT_V2)
            self.assert_unknown(host.run("unshare", "-m", "sh", "-c", lines + " && exec \"$@\"", "sh",
                                         host.PROGRAM, "check"), NOT_V2)
            self.assertFalse(os.path.exists(host.PINS))
        finally:
            # The controller comes back some time after the last v1 mount has gone.
            host.wait_for("cpuset", lambda: "cpuset" in host.cgroup("", "cgroup.controllers"), 30)
