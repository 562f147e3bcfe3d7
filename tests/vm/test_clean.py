# SPDX-License-Identifier: GPL-2.0-or-later
"""
Nothing wrong, for long: vCPUs that wake one another as fast as the host lets them. Under emulation some ten thousand
switches a second. The long run on three kernels makes five million.
"""
import time

import host
import maps
import two_vms
from account import CAUSES, difference, totals


class Clean(two_vms.TwoVMs):
    mode = "ring"

    def setUp(self):
        self.apply()
        self.assert_placed()

    def misses(self):
        """Times that a program was not run since it was running already, and events lost."""
        ours = maps.programs()
        self.assertTrue(ours)
        return host.health()["events_lost"], sum(program.get("recursion_misses", 0) for program in ours)

    def run_clean(self, wanted):
        before = totals(host.counters(), two_vms.RESERVED)
        began = time.time()
        while time.time() - began < 400:
            time.sleep(2)
            now = difference(totals(host.counters(), two_vms.RESERVED), before)
            if now["switches"] >= wanted:
                break
        print("    %d switches on reserved CPUs in %d s, %d runs of bound kernel threads" % (
            now["switches"], time.time() - began, now["bound_kthread"][0]), flush=True)
        self.assertGreaterEqual(now["switches"], wanted)
        for name in CAUSES + ["off_set", "settling"]:
            self.assertEqual(now[name], (0, 0), name)
        self.assertEqual(self.misses(), (0, 0))

    def test_1_short(self):
        """a clean run of 300,000 switches on reserved CPUs: exactly no violation"""
        self.run_clean(300000)

    def test_2_long(self):
        """a clean run of 1,700,000 switches on reserved CPUs: exactly no violation"""
        self.run_clean(1700000)
