# SPDX-License-Identifier: GPL-2.0-or-later
import os

import host
import two_vms

POINTS = 50


class Kill(two_vms.TwoVMs):
    def assert_nobody_without_cpus(self):
        for guest in self.guests:
            for tid in guest.threads():
                self.assertTrue(host.affinity(tid))
                path = host.thread_cgroup(guest.pid, tid)
                while path and not os.path.exists(
                        os.path.join(host.CGROUP, path, "cpuset.cpus.effective")):
                    path = os.path.dirname(path)
                self.assertTrue(host.cgroup(path, "cpuset.cpus.effective"), path)

    def release_restores(self, before):
        done = host.cpuwarden("release", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        host.assert_given_back(self, before)

    def kill_apply(self, points):
        before = host.dump()
        calls = host.calls_of("apply")
        self.assert_placed()
        self.assertEqual(host.cpuwarden("release", "--all").returncode, 0)
        for i in range(points):
            with self.subTest(point=i):
                host.kill_at(1 + calls * i // points, "apply")
                self.assert_nobody_without_cpus()
                if i % 2:
                    self.apply()
                    self.assert_placed()
                    self.assertEqual(host.cpuwarden("check").returncode, 0)
                self.release_restores(before)

    def test_apply_killed_anywhere(self):
        """apply killed at 50 points over its system calls: the next converges, release restores"""
        self.kill_apply(POINTS)

    def test_apply_killed_here_and_there(self):
        """apply killed at 8 points over its system calls: the next converges, release restores"""
        self.kill_apply(8)

    def test_release_killed_anywhere(self):
        """release killed at 10 points: the next release restores exactly"""
        self.assertEqual(host.cpuwarden("release", "--all").returncode, 0)
        before = host.dump()
        self.apply()
        calls = host.calls_of("release", "--all")
        for i in range(POINTS // 5):
            with self.subTest(point=i):
                self.apply()
                host.kill_at(1 + calls * i // (POINTS // 5), "release", "--all")
                self.assert_nobody_without_cpus()
                self.release_restores(before)

    def test_what_an_ended_vm_leaves_isolated(self):
        """a VM is killed and its group's partition ended by hand: release leaves no CPU isolated"""
        self.assertEqual(host.cpuwarden("release", "--all").returncode, 0)
        before = host.dump()
        self.apply()
        self.guests[1].kill()
        # 6.12 forgets that vCPUs 1 and 2 had isolated partitions, but not that these were isolated.
        host.set_cgroup(two_vms.group(self.guests[1]), "cpuset.cpus.partition", "member")
        self.release_restores(before)
        self.guests[1] = host.Guest("web2", 3, self.mode)
