# SPDX-License-Identifier: GPL-2.0-or-later
"""
Waits on the run queue: the observer's histogram against what the kernel adds up (schedstat), exactly, and against
perf sched, which times wakeups and switches itself.
"""
import os
import re
import signal
import subprocess
import time
import unittest

import host
import two_vms

RECORD, STARTED, STOP = "/tmp/perf.data", "/tmp/perf.started", "/tmp/perf.stop"
# As perf sched record, but without sched_waking, which timehist prefers: until the other CPU has heard of it, and the
# emulator may take milliseconds for that, nobody waits on a run queue.
EVENTS = ["-e", "sched:sched_switch", "-e", "sched:sched_wakeup", "-e", "sched:sched_wakeup_new"]
LONG = 1 << 20  # ns; a bound of the histogram
FIRST_SURE = 8  # the bucket from 131 us on: what the two clocks differ by is less than that


class Waits(two_vms.TwoVMs):
    mode = "tick"

    def setUp(self):
        self.apply()
        self.intruders = []

    def tearDown(self):
        os.kill(self.guests[0].pid, signal.SIGCONT)
        for process in self.intruders:
            process.kill()
            process.wait()

    def crowd(self, leaf, cpu):
        """Somebody who computes where a thread of web1 wants to, on and off, and whom no fairness interrupts."""
        self.intruders.append(host.intrude(1000000, 3000, 2000, cpu, two_vms.group(self.guests[0], leaf),
                                           ("-p", "fifo")))

    def waits(self, guest):
        """{tid: waits} of the vCPUs, by status."""
        code, status = host.cpuwarden_json("status", guest.name)
        self.assertEqual(code, 0)
        found = {t["tid"]: t["waits"] for t in status["vms"][0]["threads"] if t["class"] == "vcpu"}
        self.assertEqual(len(found), guest.vcpus)
        for waits in found.values():
            self.assertEqual(waits["bounds_ns"], [1024 << i for i in range(15)] + [None])
            self.assertEqual(sum(waits["counts"]), waits["count"])
            # What the counts allow for: no wait is below its bucket, none above.
            least = sum(n * (1024 << i >> 1) for i, n in enumerate(waits["counts"]) if i)
            self.assertGreaterEqual(waits["ns"], least)
        return found

    def stopped(self, guest, go_on=True):
        """({tid: (wait ns, switch-ins)} by the kernel, {tid: waits} by status), nobody being about to run."""
        os.kill(guest.pid, signal.SIGSTOP)
        host.wait_for("all stop", lambda: all(host.stat_fields(tid)[0] == "T" for tid in guest.threads()), 20)
        time.sleep(0.3)
        kernel = {}
        for index in range(guest.vcpus):
            tid = guest.vcpu(index)
            fields = host.read("/proc/%d/task/%d/schedstat" % (guest.pid, tid)).split()
            kernel[tid] = (int(fields[1]), int(fields[2]))
        counted = self.waits(guest)
        if go_on:
            os.kill(guest.pid, signal.SIGCONT)
        return kernel, counted

    def test_1_as_the_kernel_adds_up(self):
        """between two moments at which a vCPU was switched out: sums and numbers of waits are the kernel's own"""
        guest = self.guests[0]
        time.sleep(0.5)
        first = self.stopped(guest)
        self.crowd("vcpu0", 2)
        time.sleep(3)
        second = self.stopped(guest)
        for tid in second[0]:
            wait, runs = (second[0][tid][i] - first[0][tid][i] for i in (0, 1))
            self.assertGreater(runs, 100)
            self.assertEqual(second[1][tid]["count"] - first[1][tid]["count"], runs)
            self.assertEqual(second[1][tid]["ns"] - first[1][tid]["ns"], wait)
            print("    thread %d: %d waits, %d ns" % (tid, runs, wait), flush=True)
        crowded = guest.vcpu(0)
        self.assertGreater(sum(second[1][crowded]["counts"][11:]), 10)

    def timehist(self, tid):
        """Waits of a thread by perf sched timehist, in ns: after a wakeup, or after it was preempted."""
        done = host.run("perf", "sched", "timehist", "-i", RECORD, "--state", "--tid", str(tid))
        found, state = [], None
        for line in done.stdout.splitlines():
            # time [cpu] comm[tid/pid]  wait time  sch delay  run time  state
            match = re.match(r"\s*\d+\.\d+ \[\d+\] .*\]\s+(\d+\.\d+)\s+(\d+\.\d+)\s+(\d+\.\d+)\s+(\S)", line)
            if not match:
                continue
            away, delay = (float(match.group(i)) * 1e6 for i in (1, 2))
            if state is not None:
                # W: preempted, to a perf that is older than the kernel.
                found.append(away if state in "RW" else delay)
            state = match.group(4)
        return found, done.stdout

    def from_idle(self, tid):
        """Of each switch to a thread, as perf recorded it: was its CPU idle?"""
        done = host.run("perf", "script", "-i", RECORD, "-F", "event,trace")
        return [prev == "0" for prev in
                re.findall(r" prev_pid=(\d+) prev_prio=.* next_pid=%d next_prio=" % tid, done.stdout)]

    @unittest.skipUnless(os.path.exists("/usr/bin/perf"), "perf is not installed")
    def test_2_as_perf_sched_sees_them(self):
        """the same runs by perf sched timehist: as many waits, as long, and as many above each bound of the histogram"""
        guest = self.guests[0]
        tid = guest.vcpu(0)
        self.crowd("vcpu0", 2)
        time.sleep(0.5)
        for file in (STARTED, STOP):
            if os.path.exists(file):
                os.unlink(file)
        # An emulated CPU that has to wait for one of this machine's is late wherever it stands.
        os.kill(self.guests[1].pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.guests[1].pid, signal.SIGCONT)
        begin = self.stopped(guest, go_on=False)[1][tid]
        # perf begins and ends while nobody of the guest runs: its runs are the observer's.
        record = subprocess.Popen(["perf", "record", "-a", "-R", "-c", "1", "-m", "1024", *EVENTS, "-o", RECORD,
                                   "--", "sh", "-c", "touch %s; while [ ! -e %s ]; do sleep 0.2; done" % (STARTED, STOP)],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while not os.path.exists(STARTED):
            self.assertIsNone(record.poll())
            time.sleep(0.1)
        os.kill(guest.pid, signal.SIGCONT)
        time.sleep(3)
        end = self.stopped(guest, go_on=False)[1][tid]
        open(STOP, "w").close()
        said = record.communicate()[0]
        os.kill(guest.pid, signal.SIGCONT)
        self.assertEqual(record.returncode, 0, said)
        self.assertNotIn("lost", said.lower())
        found, text = self.timehist(tid)
        self.assertGreater(len(found), 100, text[:2000])
        counts = [b - a for a, b in zip(begin["counts"], end["counts"])]
        seen = (sum(counts), end["ns"] - begin["ns"], sum(counts[11:]))
        perf = (len(found), sum(found), sum(1 for wait in found if wait >= LONG))
        print("    observer: %d waits, %d ns, %d long; perf: %d, %d ns, %d long" % (seen + perf), flush=True)
        # Of the first run perf does not know what was before.
        self.assertLessEqual(abs(seen[0] - perf[0]), 2)
        # perf times two tracepoints, the kernel what is between them. Where a CPU was idle there was nobody to wait
        # for, and all that perf sees is the way from one to the other: what it measures with, in this very window.
        alone = [wait for wait, idle in zip(found, self.from_idle(tid)[-len(found):]) if idle]
        self.assertGreater(len(alone), 100)
        way = sum(alone) / len(alone)
        print("    %d of perf's waits were for nobody: %d ns each" % (len(alone), way), flush=True)
        self.assertLess(abs(seen[1] - perf[1]), 0.02 * perf[1] + 1.25 * way * perf[0])
        # So a wait may stand in the next bucket: of those above each bound there are as many, to a bucket and to
        # those whose way was as long.
        for bucket in range(FIRST_SURE, len(counts) - 1):
            bound = 1 << (bucket + 9)
            above = sum(1 for wait in found if wait >= bound)
            late = len(found) * sum(1 for wait in alone if wait >= bound / 2) / len(alone)
            off = 2 + late + 3 * late ** 0.5
            self.assertLessEqual(sum(counts[bucket + 1:]), above + off, (bucket, counts))
            self.assertGreaterEqual(sum(counts[bucket - 1:]), above - off, (bucket, counts))
