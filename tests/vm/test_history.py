# SPDX-License-Identifier: GPL-2.0-or-later
"""A window's verdict by the daemon's history: each violation is in the windows that it was in, and in no other."""
import json
import os
import re
import time

import beside
import host
import two_vms

HISTORY = os.path.join(host.RUN, "history.jsonl")
LINE = re.compile(r"^(OK|WARNING|CRITICAL|UNKNOWN) - [^|]+ \| ((?:[a-z0-9_]+=(?:U|[0-9.]+(?:s|%|c)?)(?:;[0-9.]*)*(?: |$))+)$")


def sum_of(row):
    return sum(tally["count"] for tally in [row["off_set"], *row["foreign"].values()])


class History(beside.DaemonBeside):
    def check(self, *args):
        status, out = host.cpuwarden_json("check", *args)
        return status, sum_of(out), {vm["name"]: sum_of(vm) for vm in out["vms"]}, out

    def violate(self, guest, cpu):
        """Somebody in a vCPU's group. How many violations that were, by the counters since the start."""
        before = self.check()[2][guest.name]
        intruder = host.intrude(20, 2000, 2000, cpu, two_vms.group(guest, "vcpu0"))
        self.assertEqual(intruder.wait(30), 0)
        return self.check()[2][guest.name] - before

    def test_1_windows(self):
        """what was before the window is not counted, what was in it is, to the last; another VM's is no matter"""
        self.start()
        web1, web2 = self.guests
        first = self.violate(web1, 2)
        self.assertGreaterEqual(first, 20)
        # The next entry is of a second later.
        time.sleep(4)
        second = self.violate(web2, 4)
        window = "3s"
        status, all_of, by_vm, out = self.check("--window", window)
        self.assertEqual((status, all_of, by_vm), (2, second, {"web1": 0, "web2": second}), out)
        self.assertEqual(self.check("web1", "--window", window)[:2], (0, 0))
        self.assertEqual(self.check("web2", "--window", window)[:2], (2, second))
        # Longer than the observer has run: blind, and violated.
        self.assertEqual(self.check("--window", "60m")[:2], (2, first + second))
        self.assertEqual(self.check()[1], first + second)
        time.sleep(4)
        status, all_of, by_vm, out = self.check("--window", window)
        self.assertEqual((status, all_of, by_vm), (0, 0, {"web1": 0, "web2": 0}), out)
        self.assertGreater(out["coverage"]["switches"], 0)
        self.assertEqual(self.check()[0], 2)

    def test_2_without_a_daemon(self):
        """beyond the history, and without it, nothing is guessed"""
        self.start()
        self.stop()
        self.violate(self.guests[0], 2)
        time.sleep(3)
        self.violate(self.guests[1], 4)
        # The last entry is of before both.
        status, all_of, by_vm, _ = self.check("--window", "2s")
        self.assertEqual(status, 2)
        self.assertGreater(by_vm["web1"], 0)
        for name in os.listdir(host.RUN):
            if name.startswith("history.jsonl"):
                os.unlink(os.path.join(host.RUN, name))
        # How many there were in the window is not known any more; who did it, and when last, is.
        status, _, _, out = self.check("web1", "--window", "2s")
        self.assertEqual(status, 0, out)
        self.assertEqual(host.cpuwarden("check", "web2", "--window", "2s").returncode, 2)

    def test_3_limits(self):
        """a limit that is exceeded is a warning, one that is not is none; performance data are as plugins have them"""
        host.cpuwarden("release", "--all")
        self.apply()
        self.start()
        crowd = [host.intrude(100, 3000, 0, 2, two_vms.group(self.guests[0], "vcpu0")) for _ in range(2)]
        for one in crowd:
            one.wait(60)
        host.cpuwarden("release", "--all")
        self.apply()
        time.sleep(1)
        for args, status in (((), 0), (("--max-wait-p99", "1s"), 0), (("--max-interference", "100"), 0),
                             (("--max-interference", "0.0001%"), 1)):
            done = host.cpuwarden("check", *args)
            self.assertEqual(done.returncode, status, done.stdout)
            found = LINE.match(done.stdout)
            self.assertTrue(found, done.stdout)
            figures = dict(item.split("=", 1) for item in found[2].split())
            self.assertEqual(figures["violations"], "0;;0")
            self.assertGreater(int(figures["switches"][:-1]), 0)
        self.assertIn("the kernel's own work took", done.stdout)
        out = self.check()[3]
        self.assertLess(out["worst"]["interference"]["ppm"], 1000000)
        for args in (("--max-wait-p99", "5"), ("--max-wait-p99", "0ms"), ("--max-interference", "101"),
                     ("--max-interference", "0.00001")):
            self.assertEqual(host.cpuwarden("check", *args).returncode, 64)

    def test_4_bounded(self):
        """violations that pour are not written as often, and what was kept is given back with the rest"""
        self.start()
        before = os.path.getsize(HISTORY)
        intruder = host.intrude(1000, 1000, 1000, 2, two_vms.group(self.guests[0], "vcpu0"))
        intruder.wait(60)
        time.sleep(2)
        with open(HISTORY) as file:
            entries = [json.loads(line) for line in file]
        times = [entry["time_ns"] for entry in entries]
        self.assertEqual(times, sorted(times))
        self.assertLess(os.path.getsize(HISTORY) - before, 8192)
        self.assertEqual(entries[-1]["user"]["count"], self.check()[3]["foreign"]["user"]["count"])
        self.assertEqual(os.stat(HISTORY).st_mode & 0o777, 0o640)
        self.stop()
        host.must(host.PROGRAM, "release", "--all")
        self.assertEqual([name for name in os.listdir(host.RUN) if name.startswith("history")], [])
