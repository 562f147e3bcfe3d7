# SPDX-License-Identifier: GPL-2.0-or-later
"""
apply is made to fail: killed, its system calls refused, its memory short. Nothing is lost by it: no thread, no pin, no
truth (see chaos.py), and the next run sets it right.
"""

import chaos
import host

# Kinds of calls that are one matter; at how many points each error is injected.
KINDS = [
    (["write"], 4), (["openat", "openat2"], 3), (["read"], 3), (["bpf"], 2), (["mkdir", "mkdirat"], 1),
    (["rmdir", "unlink", "unlinkat"], 1), (["rename", "renameat"], 1), (["fsync"], 1), (["flock"], 1),
    (["getdents64"], 2), (["newfstatat", "access", "faccessat2", "statfs"], 2), (["sched_setaffinity"], 1),
    (["sched_getaffinity"], 1), (["socket", "connect"], 1), (["sendto", "recvfrom", "poll"], 2),
    (["readlinkat", "name_to_handle_at"], 1), (["fcntl"], 1), (["close"], 1), (["membarrier", "ftruncate"], 1),
]
FEW = [(["write"], "EINTR"), (["read"], "EBUSY"), (["openat"], "ENOSPC"), (["bpf"], "EINVAL"),
       (["rename", "renameat"], "EACCES"), (["getdents64"], "ENOMEM"), (["unlink", "unlinkat"], "ESRCH")]
KILLS = 50
MEMORY = range(24, 80, 4)  # MiB


class Faults(chaos.Chaos):
    def few(self, error, kinds):
        for names, points in kinds:
            for i in range(points):
                self.fault(kind_of(names), (i + 0.5) / points, names, error)

    def test_0_here_and_there(self):
        """apply fails in 10 ways: nothing is lost, and the next sets it right"""
        for i, (names, error) in enumerate(FEW):
            self.fault(kind_of(names), (i % 4 + 0.5) / 4, names, error)
        for point in (0.3, 0.5, 0.7):
            self.fault("kill -9", point)

    def test_1_errors(self):
        """an error at any system call of apply: nothing is lost, and the next run sets it right"""
        for error in chaos.ERRORS:
            self.few(error, KINDS)
            if error in ("EBUSY", "EACCES"):
                self.given_back()

    def test_2_again_and_again(self):
        """EINTR at many calls of one run"""
        for names, _ in KINDS:
            self.fault(kind_of(names), 0.1, names, "EINTR", 97)

    def test_3_killed(self):
        """apply is killed at 50 points over its system calls"""
        for i in range(KILLS):
            self.fault("kill -9", (i + 0.5) / KILLS)
        self.given_back()

    def test_4_memory(self):
        """apply has less and less memory"""
        for mib in MEMORY:
            self.ask_for((self.state + 1) % len(chaos.STATES))
            either = self.old_and_new()
            done = host.run(host.PROGRAM, "apply", preexec_fn=chaos.limit_memory(mib))
            if done.returncode == 127:
                continue  # the loader's
            with self.subTest(mib=mib), self.table.fault("its memory is limited", text="%d MiB" % mib) as row:
                self.judge(row, done, either)


def kind_of(names):
    return "%s fails" % ", ".join(names)
