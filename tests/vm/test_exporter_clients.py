# SPDX-License-Identifier: GPL-2.0-or-later
"""
Clients that keep the exporter from no other client, and the observer and the daemon from nothing.
"""
import json
import os
import subprocess
import sys
import time

import beside
import exporter
import host
from account import difference, totals

# Bounds of user/daemon/http.c, and what an emulated host is given on top. On a real one a scrape beside them takes
# milliseconds; one that is kept out is not answered at all.
LATE_S, SLACK_S = 10, 3
SCRAPER_S = 6
MORE_KIB = 16 << 10


class Clients(beside.HalfBeside):
    def setUp(self):
        super().setUp()
        self.pid = exporter.process(self.daemon)
        self.before_kib = exporter.resident_kib(self.pid)

    def clients(self, seconds, scrapes, drips, deaf, *options):
        return subprocess.Popen(
            [sys.executable, os.path.join(host.REPO, "tests/vm/clients.py"), str(exporter.ADDRESS[1]),
             *(str(n) for n in (seconds, scrapes, drips, deaf)), *options], stdout=subprocess.PIPE, text=True)

    def result(self, process):
        said, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        print("    %s" % said.strip(), flush=True)
        return json.loads(said)

    def scrape_while(self, process):
        """As Prometheus does, each second: every one is answered in time."""
        took = []
        while process.poll() is None:
            began = time.monotonic()
            try:
                found = exporter.parse(exporter.page(SCRAPER_S))
            except OSError as error:
                process.kill()
                self.fail("scrape %d: %s after %.1f s" % (len(took), error, time.monotonic() - began))
            took.append(time.monotonic() - began)
            self.assertEqual(exporter.metric(found, "observer_up"), 1)
            time.sleep(max(0, 1 - took[-1]))
        print("    %d scrapes beside them, the slowest %.0f ms" % (len(took), max(took) * 1000), flush=True)
        self.assertLess(max(took), SCRAPER_S)

    def assert_small(self):
        now = exporter.resident_kib(self.pid)
        print("    the exporter: %d KiB before, %d now" % (self.before_kib, now), flush=True)
        self.assertLess(now - self.before_kib, MORE_KIB)
        self.assertEqual(exporter.process(self.daemon), self.pid, "it was started anew")

    def repairs(self, times):
        """Seconds from the moment that a thread was moved away until it was moved back, by the observer's notes."""
        tid, took = self.guests[1].vcpu(0), []
        for _ in range(times):
            since = time.monotonic_ns()
            self.move_away(self.guests[1])

            def moved(since=since):
                away = None
                for row in sorted(host.dump_map("drifts").values(), key=lambda row: row["time"]):
                    if row["target"]["tid"] != tid or row["time"] < since:
                        continue
                    if row["own"] and away:
                        return row["time"] - away
                    away = away or row["time"]
                return None
            took.append(self.wait("it is moved back", moved, 40) / 1e9)
            self.wait_placed()
        return took

    def test_1_crowd(self):
        """600 clients that drip bytes and come back at once keep nobody from scraping"""
        load = self.clients(8, 0, 600, 0, "again")
        self.scrape_while(load)
        result = self.result(load)
        self.assertGreater(result["hung_up"]["drips"], 600)
        self.assert_small()

    def test_2_slow(self):
        """200 scrapes at once beside 50 clients that drip and 20 that are deaf: all are bounded, every switch is counted"""
        load = self.clients(LATE_S + SLACK_S + 3, 200, 50, 20)
        time.sleep(2)
        trace = host.Trace(self.RESERVED)
        outer = totals(host.counters(), self.RESERVED)
        with trace:
            inner = totals(host.counters(), self.RESERVED)
            time.sleep(2)
            inner = difference(totals(host.counters(), self.RESERVED), inner)
        outer = difference(totals(host.counters(), self.RESERVED), outer)
        _, switches = trace.account()
        trace.close()
        self.scrape_while(load)
        result = self.result(load)
        print("    switches: %d to %d by the observer, %d by ftrace" % (
            inner["switches"], outer["switches"], sum(switches.values())), flush=True)
        self.assertGreater(inner["switches"], 0)
        self.assertLessEqual(inner["switches"], sum(switches.values()))
        self.assertGreaterEqual(outer["switches"], sum(switches.values()))
        code, check = host.cpuwarden_json("check")
        self.assertEqual((code, check["coverage"]["lost_events"], check["coverage"]["blind_ns"]), (0, 0, 0), check)
        self.assertGreaterEqual(result["answered"], 400)
        self.assertEqual(result["refused"], 0)
        self.assertEqual(result["hung_up"], {"drips": 50, "deaf": 20})
        self.assertGreater(result["longest"]["drips"], LATE_S - 1)
        self.assertLess(result["longest"]["drips"], LATE_S + SLACK_S)
        self.assert_small()

        def switches_of():
            return [line for line in host.read("/proc/%d/status" % self.pid).splitlines() if "ctxt" in line]
        time.sleep(2)
        before = switches_of()
        time.sleep(5)
        self.assertEqual(switches_of(), before, "it does not sleep")
        self.assertTrue(exporter.scrape())

    def test_3_repairs(self):
        """a thread that is moved away comes back while they are there"""
        alone = self.repairs(5)
        load = self.clients(60, 200, 50, 20, "again")
        time.sleep(2)
        try:
            beside_them = self.repairs(5)
        finally:
            load.kill()
            load.communicate()
        print("    moved back in ms: alone %s, beside them %s" % tuple(
            " ".join("%.0f" % (took * 1000) for took in sorted(times)) for times in (alone, beside_them)), flush=True)
        self.assertTrue(exporter.scrape())
