# SPDX-License-Identifier: GPL-2.0-or-later
"""
How long it takes until a vCPU is where it belongs: from its creation, and from a drift, by the kernel's own times
(the observer's notes of drift, and ftrace). Beside it what one who looks once a second takes, and libvirt itself.
LATENCY_EVENTS says how many of each; what is asserted is that none was missed.
"""
import os
import random
import re
import subprocess
import time
import unittest

import host

EVENTS = int(os.environ.get("LATENCY_EVENTS", "200"))
POLLED = max(EVENTS // 10, 5)
LOG = "/run/test-daemon.log"
CONFIG = "[host]\nhousekeeping = 0-1\n"
WEB1 = "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 3\n1 = 4\n[emulatorpin]\ncpus = 2\n"
WEB2 = "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 6\n[emulatorpin]\ncpus = 5\n"
TOP = host.SLICE + "/web1"
STARTS = ("task/task_newtask", "cgroup/cgroup_attach_task")
TRACED = re.compile(r"(\d+\.\d+): (task_newtask|cgroup_attach_task): (?:.* dst_path=(\S+) )?pid=(\d+) ")


def quantiles(name, latencies):
    """Prints them in ms; returns p99."""
    ordered = sorted(latencies)
    half, most = (ordered[min(len(ordered) * part // 100, len(ordered) - 1)] for part in (50, 99))
    print("    %s: %d, p50 %.1f ms, p99 %.1f ms, longest %.1f ms" % (
        name, len(ordered), half * 1e3, most * 1e3, ordered[-1] * 1e3), flush=True)
    return most


class Traced:
    """When threads were made, and put into which groups."""

    def __enter__(self):
        host.write(host.TRACING + "/tracing_on", "0")
        host.write(host.TRACING + "/trace_clock", "mono")
        host.write(host.TRACING + "/buffer_size_kb", "2048")
        self.enable("1")
        with open(host.TRACING + "/trace", "w"):
            pass
        host.write(host.TRACING + "/tracing_on", "1")
        return self

    def __exit__(self, *_):
        host.write(host.TRACING + "/tracing_on", "0")
        self.enable("0")

    @staticmethod
    def enable(word):
        for event in STARTS:
            host.write("%s/events/%s/enable" % (host.TRACING, event), word)

    @staticmethod
    def of(tid, leaf):
        """(made, put into that leaf for the first time) in seconds; None where it was not."""
        made = put = None
        for line in host.read(host.TRACING + "/trace").splitlines():
            found = TRACED.search(line)
            if not found or int(found[4]) != tid:
                continue
            if found[2] == "task_newtask":
                made = float(found[1])
            elif made and not put and (found[3] or "").rstrip("/").endswith(leaf):
                put = float(found[1])
        return made, put


class Latency(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        os.sched_setaffinity(0, {0, 1})
        random.seed(1)
        host.configure(None, CONFIG)
        host.configure("web1", WEB1)
        host.configure("web2", WEB2)
        cls.guest = host.Guest("web1", 2, "calm")
        host.apply()
        cls.daemon = None

    @classmethod
    def tearDownClass(cls):
        host.stop_all([cls.guest])
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    def start(self, *args):
        with open(LOG, "w") as log:
            self.daemon = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.stop)

    def start_daemon(self):
        self.start(host.PROGRAM, "daemon", "--events", "/run/test-events.jsonl")
        host.wait_for("it is ready", lambda: "ready: " in host.read(LOG), 60)
        time.sleep(1)

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(60)

    def repaired(self, since):
        """By the observer's notes: (when it was moved away, when it was moved back), or None."""
        tid = self.guest.vcpu(0)
        away = back = None
        for row in sorted(host.dump_map("drifts").values(), key=lambda row: row["time"]):
            if row["target"]["tid"] != tid or row["time"] < since:
                continue
            if not row["own"]:
                away = row["time"]
            elif away and not back:
                back = row["time"]
        return (away, back) if back else None

    def verified(self, since):
        """When its repair was done, read back and noted, or None."""
        return next((row["repaired"] for row in host.dump_map("vms").values()
                     if row["pid"] == self.guest.pid and row["repaired"] > since), None)

    def drift(self, n, pause):
        """A thread is moved away so often: until it was moved back, and until that was verified."""
        found, verified = [], []
        tid = self.guest.vcpu(0)
        for _ in range(n):
            since = time.monotonic_ns()
            host.must("sh", "-c", "echo %d > %s/%s/emulator/cgroup.threads" % (tid, host.CGROUP, TOP))
            away, back = host.wait_for("it is back", lambda since=since: self.repaired(since), 20)
            found.append((back - away) / 1e9)
            verified.append((host.wait_for("it is verified", lambda away=away: self.verified(away), 20) - away) / 1e9)
            host.wait_for("it is there", lambda: host.thread_cgroup(self.guest.pid, tid) == TOP + "/vcpu0")
            time.sleep(pause())
        return found, verified

    def births(self, n):
        """QEMU is started so often: until its vCPU is in its group, its rules were in force, and all was verified."""
        placed, ruled, verified = [], [], []
        for _ in range(n):
            with Traced():
                guest = host.Guest("web2", 1, "calm", wait=False)
                self.addCleanup(guest.kill)
                tid = host.wait_for("its vCPU", lambda guest=guest: [
                    tid for tid in guest.threads() if guest.role(tid)[0] == "vcpu"], 60)[0]
                host.wait_for("it is placed", lambda guest=guest, tid=tid: host.thread_cgroup(
                    guest.pid, tid).endswith("web2/vcpu0"), 60)
                slot = host.wait_for("it is settled", lambda guest=guest: [
                    row for row in host.dump_map("vms").values()
                    if row["pid"] == guest.pid and not row["settle_until"]], 20)[0]
            made, put = Traced.of(tid, "web2/vcpu0")
            placed.append(put - made)
            ruled.append(slot["rules_since"] / 1e9 - made)
            verified.append(slot["committed"] / 1e9 - made)
            guest.kill()
            host.wait_for("its groups are gone", lambda: not os.path.exists(
                os.path.join(host.CGROUP, host.SLICE, "web2")), 20)
            time.sleep(random.uniform(0.3, 0.6))
        return placed, ruled, verified

    def test_1_drift(self):
        """from a drift to its repair, by the observer's notes"""
        self.start_daemon()
        back, verified = self.drift(EVENTS, lambda: random.uniform(0.4, 0.6))
        quantiles("drift to repair", back)
        quantiles("and until that was verified", verified)

    def test_2_births(self):
        """from a vCPU's creation until its rules are in force, and to its place"""
        self.start_daemon()
        placed, ruled, verified = self.births(EVENTS)
        quantiles("vCPU's creation to its rules", ruled)
        quantiles("and to its group", placed)
        quantiles("and until that was verified", verified)

    def test_3_poller(self):
        """the same by one who applies once a second"""
        self.start("sh", "-c", "while sleep 1; do %s apply; done" % host.PROGRAM)
        quantiles("drift to repair, polled", self.drift(POLLED, lambda: random.uniform(0, 1))[0])
        quantiles("vCPU's creation to its group, polled", self.births(POLLED)[0])
