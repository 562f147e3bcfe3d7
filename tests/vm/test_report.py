# SPDX-License-Identifier: GPL-2.0-or-later
"""
A report says what `check` says, of the same host at the same time, and whoever has only the file comes to the same;
one counter that was changed is found. With the daemon beside it, its violations are in the report with their culprit.
"""
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import time

import host
import two_vms

PAGE = "/run/report.html"
DATA = "/run/report.json"
EVENTS = "/run/report-events.jsonl"
RUNS = 40


def data_of(page):
    return json.loads(re.search('<script type="application/json" id="cpuwarden-report">(.*?)</script>', page, re.S)[1])


def digest_of(report):
    rest = {key: value for key, value in report.items() if key != "digest"}
    text = json.dumps(rest, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def column(table, name):
    at = table["columns"].index(name)
    return [row[at] for row in table["rows"]]


class Report(two_vms.TwoVMs):
    # In order: each observer that is started or ended may bring the emulated host down.
    def setUp(self):
        host.apply()

    def intrude(self):
        """The intruder's own pid, once it has been on CPU 2 of web1's vCPU 0."""
        process = host.intrude(RUNS, 2000, 3000, 2, two_vms.group(self.guests[0], "vcpu0"))
        process.communicate()
        return process.pid

    def page(self, *options):
        """The verdict that `report --html` prints, and the page."""
        done = host.must(host.PROGRAM, "report", "--html", PAGE, "--events", EVENTS, *options)
        return done.stdout.splitlines()[0], host.read(PAGE)

    def verify(self, path, user=None):
        """Exit status and the line; without root, too."""
        kwargs = {"user": user} if user else {}
        done = host.run(host.PROGRAM, "report", "--verify", path, **kwargs)
        self.assertEqual(done.stderr, "")
        self.assertEqual(len(done.stdout.splitlines()), 1)
        return done.returncode, done.stdout.strip()

    def assert_whole(self, path):
        status, line = self.verify(path, "nobody")
        self.assertEqual(status, 0, line)
        self.assertTrue(line.startswith("OK - the report of "), line)
        return line

    def write(self, path, text):
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o644)

    def test_1_nothing_wrong(self):
        """undisturbed: OK, all that there is, whole, mode 0644, and the same again as JSON"""
        line, page = self.page()
        self.assertTrue(line.startswith("OK - every declared set held and nothing foreign ran: "), line)
        self.assertEqual(stat.S_IMODE(os.stat(PAGE).st_mode), 0o644)
        self.assertEqual([name for name in os.listdir("/run") if "report.html" in name], ["report.html"])
        self.assertIn("no daemon has kept events in " + EVENTS, page)
        self.assert_whole(PAGE)
        report = data_of(page)
        self.assertEqual(report["digest"], digest_of(report))
        self.assertEqual(column(report["observer"]["reserved"], "cpu"), two_vms.RESERVED)
        self.assertEqual(column(report["host"]["map"], "role"), ["housekeeping"] + 7 * ["reserved"])
        self.assertEqual({vm["name"]: vm["state"] for vm in report["vms"]}, {"web1": "placed", "web2": "placed"})
        self.assertEqual(report["observer"]["program_hash"], "%016x" % int(host.health()["build"]))
        self.assertEqual(report["observer"]["generation"], int(host.health()["generation"]))
        self.assertEqual({row["cgroup"]: row["partition"] for row in report["partitions"] if "/" in row["cgroup"]}, {
            **{two_vms.group(guest): "root" for guest in self.guests},
            **{two_vms.group(guest, leaf): "isolated" for guest in self.guests
               for leaf, (_, kind) in two_vms.LEAVES[guest.name].items() if kind == "isolated"}})
        for guest, vm in zip(self.guests, report["vms"]):
            declared = dict(zip(column(vm["threads"], "tid"), column(vm["threads"], "declared")))
            self.assertEqual(declared, {tid: two_vms.LEAVES[guest.name][two_vms.leaf_of(guest, tid)][0]
                                        for tid in guest.threads()})
        self.write(DATA, host.must(host.PROGRAM, "report", "--json").stdout)
        self.assert_whole(DATA)

    def test_2_intruder(self):
        """after an intruder: the verdict of `check`, its pid and name; each counter that is changed is found"""
        self.intrude()
        before = host.counters()
        line, page = self.page()
        said = host.run(host.PROGRAM, "check").stdout.strip()
        self.assertTrue(line.startswith("CRITICAL - "), line)
        # The figures of the latest run aside, they may differ by what came between.
        self.assertEqual(line.split(";")[1].split(" for ")[0], said.split(";")[1].split(" for ")[0])
        self.assertIn("intruder", line)
        self.assertIn("<strong>CRITICAL</strong> - ", page)
        report = data_of(page)
        self.assertGreaterEqual(column(report["observer"]["cpus"], "foreign_user")[2],
                                int(before[2]["foreign"][0]["count"]))
        self.assertGreaterEqual(column(report["observer"]["cpus"], "foreign_user")[2], RUNS)
        self.assert_whole(PAGE)
        self.check_changes(page, report)

    def check_changes(self, page, report):
        def cell(table, row, name):
            return table["rows"][row], table["columns"].index(name)

        observer = report["observer"]
        places = [(cell(observer["cpus"], 2, "foreign_user"), "foreign_user: all CPUs together"),
                  (cell(observer["cpus"], 5, "switches"), "switches: all CPUs together"),
                  (cell(observer["threads"], 1, "wait_2"), "its waits together"),
                  (cell(observer["threads"], 1, "wait_ns"), "the data were changed"),
                  (cell(observer["culprits"], 0, "count"), "the data were changed"),
                  ((observer["total"], "foreign_user"), "foreign_user: all CPUs together")]
        name = "/run/changed.json"
        for (where, key), told in places:
            where[key] += 1
            self.write(name, json.dumps(report))
            status, line = self.verify(name)
            self.assertEqual(status, 1, line)
            self.assertTrue(line.startswith("FAILED - "), line)
            self.assertIn(told, line)
            self.assertIn("the data were changed", line)
            if told != "the data were changed":
                self.write(name, json.dumps(dict(report, digest=digest_of(report))))
                status, line = self.verify(name)
                self.assertEqual(status, 1, line)
                self.assertIn(told, line)
            where[key] -= 1
        self.write(name, json.dumps(report))
        self.assert_whole(name)
        self.write(name, page.replace("CRITICAL</strong>", "OK</strong>") + "\n")
        self.assertIn("the page shows another verdict", self.verify(name)[1])
        # Whoever takes all that was counted away has counters that contradict the verdict, or one another.
        for table in ("cpus", "vms"):
            for row in observer[table]["rows"]:
                for at, kind in enumerate(observer[table]["columns"]):
                    if kind.startswith("foreign") or kind.startswith("off_set"):
                        row[at] = 0
        for kind in observer["total"]:
            if kind.startswith("foreign") or kind.startswith("off_set"):
                observer["total"][kind] = 0
        self.write(name, json.dumps(dict(report, digest=digest_of(report))))
        status, line = self.verify(name)
        self.assertEqual(status, 1, line)
        self.assertTrue(line.startswith("FAILED - the verdict says critical, and its own data say "), line)

    def test_3_daemon(self):
        """violations over time are those that the daemon has kept, with who it was"""
        daemon = subprocess.Popen([host.PROGRAM, "daemon", "--events", EVENTS],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            host.wait_for("the daemon looks on", lambda: os.path.exists(EVENTS))
            time.sleep(2)
            pid = self.intrude()
            host.wait_for("it has kept one", lambda: '"violation"' in host.read(EVENTS))
            time.sleep(1)
        finally:
            daemon.terminate()
            daemon.wait()
        line, page = self.page()
        self.assertTrue(line.startswith("CRITICAL - "), line)
        report = data_of(page)
        kept = [json.loads(text) for text in host.read(EVENTS).splitlines()]
        kept = [event for event in kept if event["type"] == "violation"]
        self.assertEqual(column(report["violations"], "time"), [event["time"] for event in kept])
        self.assertIn(pid, column(report["violations"], "pid"))
        self.assertIn("<svg", page)
        self.assert_whole(PAGE)
        os.remove(EVENTS)

    def test_5_no_observer(self):
        """without an observer: a report all the same, UNKNOWN and why"""
        host.must(host.PROGRAM, "release", "--all")
        line, page = self.page()
        self.assertTrue(line.startswith("UNKNOWN - "), line)
        self.assertIsNone(data_of(page)["observer"])
        self.assert_whole(PAGE)

    def test_4_refusals(self):
        """a file that cannot be written is said, and nothing is left of it; what is no file is let alone"""
        done = host.run(host.PROGRAM, "report", "--html", "/nowhere/x.html")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("cannot write /nowhere/x.html: No such file or directory", done.stderr)
        os.symlink("/run/elsewhere", "/run/link.html")
        done = host.run(host.PROGRAM, "report", "--html", "/run/link.html")
        os.remove("/run/link.html")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is there and no regular file", done.stderr)
        self.assertFalse(os.path.exists("/run/elsewhere"))
        done = host.run(host.PROGRAM, "report", "--json", user="nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn("must be run as root", done.stderr)
        shutil.rmtree("/run/small", ignore_errors=True)
        os.mkdir("/run/small")
        host.must("mount", "-t", "tmpfs", "-o", "size=16k", "none", "/run/small")
        try:
            self.write("/run/small/x.html", "before")
            done = host.run(host.PROGRAM, "report", "--html", "/run/small/x.html")
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot write /run/small/x.html: No space left on device", done.stderr)
            self.assertEqual(os.listdir("/run/small"), ["x.html"])
            self.assertEqual(host.read("/run/small/x.html"), "before")
        finally:
            host.must("umount", "/run/small")
