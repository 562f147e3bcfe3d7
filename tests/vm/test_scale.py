# SPDX-License-Identifier: GPL-2.0-or-later
"""
The daemon on a full host: with 20 real VMs it sleeps, with 1,000 stand-ins for VMs (the threads of a QEMU that do
nothing, 600 of them placed in a class) it is not larger than it may be, and what happens to one costs the same.
"""
import os
import shutil
import signal
import statistics
import subprocess
import time
import unittest

import host

LOG = "/run/test-daemon.log"
STANDIN = "/run/standin/qemu-system-x86_64"
CONFIG = """[host]
housekeeping = 0-1
[vm s*]
policy = shared
[class shared]
cpus = 2-7
overcommit = 100
"""
PLACED, ALL, FEW = 600, 1000, 10


def threads_of(pid):
    return os.listdir("/proc/%d/task" % pid)


def run_ns(pid):
    return sum(int(host.read("/proc/%d/task/%s/schedstat" % (pid, tid)).split()[0]) for tid in threads_of(pid))


def switches(pid):
    """How often its threads were switched away from: each wake-up ends with one."""
    return sum(int(line.split()[1]) for tid in threads_of(pid)
               for line in host.read("/proc/%d/task/%s/status" % (pid, tid)).splitlines() if "ctxt_switches" in line)


def resident_kib(pid):
    return next(int(line.split()[1]) for line in host.read("/proc/%d/status" % pid).splitlines()
                if line.startswith("VmRSS:"))


class Scale(unittest.TestCase):
    def setUp(self):
        host.forget_configuration()
        self.vms = []
        self.addCleanup(self.end)
        # One way or the other, this test itself stays out of their way.
        os.sched_setaffinity(0, {0, 1})
        os.makedirs(os.path.dirname(STANDIN), exist_ok=True)
        shutil.copy(os.path.join(host.HELPERS, "standin"), STANDIN)

    def end(self):
        for vm in self.vms:
            vm.kill()
        for vm in self.vms:
            vm.wait()
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    def start_daemon(self):
        with open(LOG, "w") as log:
            self.daemon = subprocess.Popen([host.PROGRAM, "daemon", "--events", "/run/test-events.jsonl"],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(lambda: (self.daemon.terminate(), self.daemon.wait(60)))
        host.wait_for("it is ready", lambda: "ready: " in host.read(LOG), 300)
        self.wait_quiet()

    def wait_quiet(self, seconds=600):
        """Until it has not run for two seconds."""
        deadline = time.time() + seconds
        while time.time() < deadline:
            before = run_ns(self.daemon.pid)
            time.sleep(2)
            if run_ns(self.daemon.pid) == before:
                return
        self.fail("it is still at it")

    def test_1_sleeps(self):
        """20 VMs and nothing to do for 60 s: not one wake-up, less than 12 MiB"""
        host.configure(None, CONFIG)
        for i in range(20):
            self.vms.append(subprocess.Popen([
                "qemu-system-x86_64", "-S", "-machine", "pc", "-accel", "tcg", "-m", "16", "-nodefaults",
                "-display", "none", "-name", "guest=s%d,debug-threads=on" % i,
                "-bios", os.path.join(host.GUESTS, "calm.bin")],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.start_daemon()
        time.sleep(10)
        self.assertEqual({vm["state"] for vm in host.cpuwarden_json("status")[1]["vms"]}, {"placed"})
        self.wait_quiet()
        before = switches(self.daemon.pid)
        time.sleep(60)
        wakeups, kib = switches(self.daemon.pid) - before, resident_kib(self.daemon.pid)
        print("    %d wake-ups, %d KiB resident" % (wakeups, kib), flush=True)
        self.assertEqual(wakeups, 0)
        self.assertLess(kib, 12 << 10)

    def grow(self, n):
        for i in range(len(self.vms), n):
            self.vms.append(subprocess.Popen(
                [STANDIN, "-name", "guest=%s%d,debug-threads=on" % ("s" if i < PLACED else "w", i), "1"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def cost(self, event):
        """What the daemon runs for it, the median in ms."""
        costs = []
        for vm in self.vms[:FEW]:
            before = run_ns(self.daemon.pid)
            event(vm)
            self.wait_quiet()
            costs.append((run_ns(self.daemon.pid) - before) / 1e6)
        return statistics.median(costs)

    @staticmethod
    def have_a_worker(vm):
        vm.send_signal(signal.SIGUSR2)

    @staticmethod
    def move_a_thread(vm):
        tid = next(int(tid) for tid in threads_of(vm.pid)
                   if host.read("/proc/%s/comm" % tid).startswith("CPU 0/"))
        group = os.path.dirname(host.thread_cgroup(vm.pid, tid))
        host.must("sh", "-c", "echo %d > %s/%s/emulator/cgroup.threads" % (tid, host.CGROUP, group))

    def test_2_thousand(self):
        """1,000 VMs: less than 64 MiB, and a thread that is made or moved costs what it does with 10"""
        host.configure(None, CONFIG)
        self.grow(FEW)
        self.start_daemon()
        few = [self.cost(event) for event in (self.have_a_worker, self.move_a_thread)]
        self.grow(ALL)
        self.wait_quiet(1200)
        kib = resident_kib(self.daemon.pid)
        many = [self.cost(event) for event in (self.have_a_worker, self.move_a_thread)]
        print("    %d KiB resident; a worker is made: %.1f and %.1f ms, a thread is moved: %.1f and %.1f ms" % (
            kib, few[0], many[0], few[1], many[1]), flush=True)
        states = [vm["state"] for vm in host.cpuwarden_json("status")[1]["vms"]]
        self.assertEqual({state: states.count(state) for state in states},
                         {"placed": PLACED, "observed": ALL - PLACED})
        self.assertLess(kib, 64 << 10)
        for before, after in zip(few, many):
            self.assertLess(after, 2 * before + 1)
