# SPDX-License-Identifier: GPL-2.0-or-later
"""
The daemon is made to fail: its system calls, its life, its memory, the clock, the file systems that it works with. No
thread and no pin is lost by it, check is never OK while blind, and once the cause is gone all is as it should be.
"""
import os
import subprocess
import threading
import time

import beside
import chaos
import host
import two_vms

SWAP_SECONDS = 8
BURIED = "/run/chaos"
# Of a pass, without those that there are thousands of, and what the loop itself waits with.
CALLS = ["write", "bpf", "mkdir", "rmdir", "unlinkat", "rename", "renameat", "fsync", "flock", "getdents64",
         "faccessat2", "sched_setaffinity", "sched_getaffinity", "connect", "sendto", "recvfrom", "poll",
         "inotify_add_watch", "mmap"]
FAILS = "a system call of its pass fails"
FIRST, STEP = 150, 801  # where one fails: about once in two passes
# Where the drifts below put threads.
DRIFTED = {"web1": {1, 2}, "web2": {7}}


class Daemon(beside.DaemonBeside):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.table = chaos.Table()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.table.print("the daemon")

    def tearDown(self):
        super().tearDown()
        two_vms.configure()
        self.apply()
        self.assert_placed()

    def own(self):
        """{guest: {tid: where it may be at worst}}: its place, or where a drift puts it."""
        return {guest: {tid: cpus | DRIFTED[guest.name] for tid, cpus in chaos.allowed(guest).items()}
                for guest in self.guests}

    def assert_nothing_lost(self, own):
        for guest in self.guests:
            self.assertIsNone(guest.process.poll())
            for tid, cpus in chaos.allowed(guest).items():
                self.assertTrue(cpus, guest.comm(tid))
                self.assertLessEqual(cpus, own[guest].get(tid, cpus), guest.comm(tid))

    def check(self, *codes):
        done = host.cpuwarden("check")
        self.assertIn(done.returncode, codes, done.stdout)
        return done.stdout

    def is_ok(self):
        """By what happens from now on: a drift before it may well have been a violation."""
        return host.cpuwarden("check", "--window", "1s").returncode == 0

    def drift(self, i):
        """One of three, by a shell."""
        web1, web2 = self.guests
        if i % 3 == 0:
            self.move_away()
        elif i % 3 == 1:
            host.set_cgroup(two_vms.group(web2, "vcpu0"), "cpuset.cpus.partition", "member")
        else:
            host.set_cgroup(two_vms.group(web1, "emulator"), "cpuset.cpus", "1-2")

    def hits(self):
        return host.read(chaos.HITS).splitlines() if os.path.exists(chaos.HITS) else []

    def forget_hits(self):
        if os.path.exists(chaos.HITS):
            os.unlink(chaos.HITS)

    def stop_traced(self):
        """The tracer's child is the daemon."""
        pid = int(host.read(os.path.join(host.RUN, "daemon")))
        os.kill(pid, 15)
        self.assertEqual(self.daemon.wait(60), 0, self.said())
        self.daemon = None

    def test_1_errors(self):
        """its system calls fail now and then while it repairs: it goes on, and repairs"""
        for error, number in chaos.ERRORS.items():
            with self.subTest(error=error), self.table.fault(FAILS) as row:
                own = self.own()
                self.forget_hits()
                self.start(under=host.faultat("-c", ",".join(CALLS), "-e", number, "-s", STEP, "-o", chaos.HITS, FIRST),
                           ready=False)
                self.wait("it is ready", lambda: "ready: " in self.said(), 60)
                for i in range(6):
                    self.drift(i)
                    self.wait_placed(60)
                    self.assert_nothing_lost(own)
                    self.assertIsNone(self.daemon.poll(), self.said())
                self.stop_traced()
                self.apply()
                self.wait("check is OK", self.is_ok)
                hits = self.hits()
                self.assertGreater(len(hits), 1)
                row.text = "%s at %s" % (error, hits[0])
                for hit in hits[1:]:
                    self.table.add(FAILS, "went on", "%s at %s" % (error, hit))

    def test_2_killed(self):
        """it is killed at 15 points of its passes; the next one converges"""
        calls = 400
        for i in range(15):
            own = self.own()
            self.forget_hits()
            self.start(under=host.faultat("-o", chaos.HITS, 60 + calls * i // 15), ready=False)
            deadline, n = time.time() + 60, 0
            while self.daemon.poll() is None and time.time() < deadline:
                if "ready: " in self.said() and self.is_placed():
                    self.drift(n)
                    n += 1
                time.sleep(0.05)
            with self.subTest(hits=self.hits()), self.table.fault("it is killed", "killed", ", ".join(self.hits())):
                self.assertEqual(self.daemon.wait(1), 128 + 9, self.said())
                self.assert_nothing_lost(own)
                self.start()
                self.wait_placed()
                self.stop()

    def test_3_clock(self):
        """the clock jumps by hours, to and fro: drift is repaired, check keeps its window"""
        self.start()
        began = time.time()
        try:
            for i, hours in enumerate([5, -7, 30, -24 * 400, 24 * 400]):
                with self.table.fault("the clock jumps", text="%d h" % hours):
                    host.must("date", "-s", "@%d" % (time.time() + hours * 3600))
                    self.drift(i)
                    self.wait_placed()
                    self.wait("check is OK", self.is_ok)
        finally:
            host.must("date", "-s", "@%d" % began)

    def test_4_memory(self):
        """a cgroup leaves it less and less memory: it is refused or killed, or repairs"""
        host.set_cgroup("", "cgroup.subtree_control", "+memory")
        os.makedirs(os.path.join(host.CGROUP, "little"), exist_ok=True)
        self.addCleanup(host.set_cgroup, "", "cgroup.subtree_control", "-memory")
        self.addCleanup(os.rmdir, os.path.join(host.CGROUP, "little"))
        for kib in (512, 1024, 2048, 4096, 8192, 32768):
            with self.table.fault("memory limit of its cgroup", text="%d KiB" % kib) as row:
                self.live_on(kib, row)
            self.stop()
            self.apply()
            self.assert_placed()

    def live_on(self, kib, row):
        own = self.own()
        host.set_cgroup("little", "memory.max", str(kib << 10))
        self.start(under=["sh", "-c", "echo $$ > %s/little/cgroup.procs; exec \"$@\"" % host.CGROUP, "sh",
                          host.PROGRAM], ready=False)
        wait = time.time() + 20
        while self.daemon.poll() is None and "ready: " not in self.said() and time.time() < wait:
            time.sleep(0.1)
        if self.daemon.poll() is None:
            self.drift(1)
            self.wait("it repairs, or ends", lambda: self.daemon.poll() is not None or self.is_placed())
        self.assertIn(self.daemon.poll(), (None, -9, 1), self.said())
        self.assert_nothing_lost(own)
        row.outcome = {None: "went on", -9: "killed", 1: "refused"}[self.daemon.poll()]

    def test_5_two_daemons(self):
        """a second one is refused; of two that start at once one lives; apply beside it is not in its way"""
        self.start()
        for _ in range(3):
            with self.table.fault("a second daemon", "refused"):
                second = host.cpuwarden("daemon", "--events", beside.EVENTS)
                self.assertEqual(second.returncode, 1)
                self.assertRegex(second.stderr, r"^cpuwarden: another daemon \(pid \d+\) is at work: .* is held\n$")
        for i in range(12):
            with self.table.fault("apply beside it"):
                self.drift(i)
                done = host.cpuwarden("apply")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.wait_placed()
        self.daemon.kill()
        self.daemon.wait()
        two = [subprocess.Popen([host.PROGRAM, "daemon", "--events", beside.EVENTS], stderr=subprocess.DEVNULL)
               for _ in range(2)]
        try:
            ended = host.wait_for("one of them ends", lambda: [one for one in two if one.poll() is not None])
            time.sleep(1)
            self.assertEqual([one.poll() for one in two].count(None), 1)
            self.assertEqual(ended[0].wait(), 1)
            self.drift(0)
            self.wait_placed()
            self.table.add("two daemons start at once", "refused")
        finally:
            for one in two:
                one.kill()
                one.wait()

    def test_6_bpffs(self):
        """bpffs is unmounted and mounted anew, or buried: never OK while blind, and a new observer starts"""
        self.start()
        for kind in ("anew", "buried", "removed"):
            own = self.own()
            if kind == "anew":
                host.must("umount", "/sys/fs/bpf")
            if kind == "removed":
                host.must("sh", "-c", "rm %s/link_*" % host.PINS)
            else:
                host.must("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
            # The daemon may have started a new one by now: then it is attached.
            if "OK" in self.check(0, 1, 3):
                self.assertTrue(os.path.exists(os.path.join(host.PINS, "link_switch")))
            self.drift(0)
            if kind == "buried":
                # No kernel tells of that.
                self.daemon.send_signal(1)
            self.wait("an observer is there", lambda: os.path.exists(os.path.join(host.PINS, "link_switch")), 60)
            self.wait_placed(60)
            self.assert_nothing_lost(own)
            before = host.health()["switches"]
            time.sleep(1)
            self.assertGreater(host.health()["switches"], before)
            self.wait("check is OK", self.is_ok)
            self.table.add("bpffs: %s" % kind, "went on")
        host.must("umount", "/sys/fs/bpf")
        self.daemon.send_signal(1)
        self.wait("an observer is there", lambda: os.path.exists(os.path.join(host.PINS, "link_switch")), 60)
        self.wait_placed()

    def test_7_cgroupfs(self):
        """cgroupfs is mounted read-only: one sentence, nothing lost, and repaired when it can be written again"""
        self.start()
        for i in range(3):
            own = self.own()
            self.drift(i)
            host.must("mount", "-o", "remount,ro", host.CGROUP)
            try:
                done = host.cpuwarden("apply")
                self.assertIn(done.returncode, (0, 1))
                self.assertRegex(done.stderr, r"^(cpuwarden: .*Read-only file system.*\n)*$")
                if done.returncode:
                    self.check(1, 2, 3)
                self.assert_nothing_lost(own)
            finally:
                host.must("mount", "-o", "remount,rw", host.CGROUP)
            self.wait_placed(40)
            self.table.add("cgroupfs read-only", "refused" if done.returncode else "went on", done.stderr)

    def test_8_full(self):
        """/run is full, the events' disk is full: refused with a sentence, lost lines counted, then all is well"""
        host.must(host.PROGRAM, "release", "--all")
        for path in (host.RUN, BURIED):
            os.makedirs(path, exist_ok=True)
            host.must("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path)
            self.addCleanup(host.run, "umount", path)
        try:
            fill(host.RUN)
            for _ in range(3):
                done = host.cpuwarden("apply")
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, r"^(cpuwarden: .*No space left on device.*\n)+$")
                self.check(1, 2, 3)
                self.table.add("/run is full", "refused", done.stderr)
            self.start(events=os.path.join(BURIED, "events.jsonl"), ready=False)
            self.wait("it says why", lambda: "No space left" in self.said())
            self.assertIsNone(self.daemon.poll(), self.said())
            fill(BURIED)
            os.unlink(os.path.join(host.RUN, "fill"))
            self.wait_placed(60)
            self.table.add("/run is full", "went on", "daemon")
            self.drift(0)
            self.wait_placed()
            self.assertIn("events are lost", self.said())
            os.unlink(os.path.join(BURIED, "fill"))
            self.drift(1)
            self.wait_placed()
            self.wait("lost lines are counted", lambda: '"type":"lost","lines":' in host.read(
                os.path.join(BURIED, "events.jsonl")))
            self.table.add("the events' disk is full", "went on")
            self.stop()
            host.must(host.PROGRAM, "release", "--all")
        finally:
            self.stop()
            host.run("umount", host.RUN)

    def test_9_swapped(self):
        """the configuration is swapped while it is read: always the one or the other"""
        self.start()
        web2 = self.guests[1]
        own = {tid: cpus for tid, cpus in chaos.allowed(web2).items()}
        path = os.path.join(host.ETC, "vms.d/web1.conf")
        swaps, stop = [], time.time() + SWAP_SECONDS

        def swap():
            while time.time() < stop:
                text = [two_vms.WEB1, chaos.SWAPPED][len(swaps) % 2]
                with open("/etc/cpuwarden/new", "w") as file:
                    file.write(text)
                os.rename("/etc/cpuwarden/new", path)
                swaps.append(text)
                time.sleep(0.02)
        thread = threading.Thread(target=swap)
        thread.start()
        runs = 0
        while thread.is_alive():
            done = host.cpuwarden("apply")
            self.assertIn(done.returncode, (0, 1), done.stderr)
            self.assertRegex(done.stderr, r"^(cpuwarden: \S.*\n)*$")
            now = chaos.allowed(web2)
            self.assertEqual(now, {tid: cpus for tid, cpus in own.items() if tid in now})
            self.table.add("configuration swapped meanwhile", "refused" if done.returncode else "went on", done.stderr)
            runs += 1
        thread.join()
        self.assertGreater(len(swaps), runs)
        two_vms.configure()
        self.wait_placed(40)


def fill(folder):
    with open(os.path.join(folder, "fill"), "wb", 0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            return
