# SPDX-License-Identifier: GPL-2.0-or-later
"""
Another build of the program takes the observer over, again and again, under load: no switch is missed, none is counted
twice, and nothing that was counted is lost. ftrace is the witness. TAKEOVER_WINDOWS of the environment says how often ten
times is a hundred.
"""
import os
import signal
import subprocess
import time

import host
import maps
import two_vms
from account import difference, totals

WINDOWS = int(os.environ.get("TAKEOVER_WINDOWS", "10"))


class Takeover(two_vms.TwoVMs):
    mode = "tick"

    def setUp(self):
        self.apply()

    def assert_sole(self):
        """One program, as if there had never been another, and nothing left to do."""
        self.assertEqual(len(maps.programs("cpuwarden_switch")), 1)
        self.assertEqual(host.health()["takeover"], 0)
        self.assertEqual([name for name in os.listdir(host.PINS) if name.endswith("_new")], [])
        done = host.cpuwarden("check")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("nothing to do", host.cpuwarden("apply").stdout)

    def examine(self, act):
        """Over act(), which calls back now and then, every switch is examined once and no counter falls."""
        trace = host.Trace(range(8), 65536)
        outer = totals(host.counters())
        old = outer

        def look():
            nonlocal old
            now = totals(host.counters())
            for name, value in now.items():
                self.assertGreaterEqual(value, old[name], name)
            old = now
        with trace:
            inner = totals(host.counters())
            act(look)
            look()
            inner = difference(old, inner)
        outer = difference(totals(host.counters()), outer)
        _, switches = trace.account()
        trace.close()
        print("    %d switches between, %d by ftrace, %d around" %
              (inner["switches"], sum(switches.values()), outer["switches"]), flush=True)
        self.assertLessEqual(inner["switches"], sum(switches.values()))
        self.assertGreaterEqual(outer["switches"], sum(switches.values()))

    def take_turns(self, times):
        rules = host.health()["rules_changed"]
        builds = set()

        def act(look):
            for turn in range(times):
                done = host.apply(program=(host.NEXT, host.PROGRAM)[turn % 2])
                self.assertIn("start the observer", done.stdout)
                builds.add(host.health()["build"])
                look()
        self.examine(act)
        self.assertEqual(len(builds), 2)
        self.assertEqual(host.health()["rules_changed"], rules)
        self.assert_sole()

    def test_1_ten_times(self):
        """taken over by another build 10 times under load: each switch is examined once, counters only grow"""
        self.take_turns(10)

    def test_2_a_hundred_times(self):
        """taken over by another build 100 times under load: each switch is examined once, counters only grow"""
        # ftrace has no room for all of them at once.
        for _ in range(WINDOWS):
            self.take_turns(10)

    def test_3_killed_on_the_way(self):
        """killed at 10 moments of a takeover: each switch is still examined once, and the next start ends it"""
        def act(look):
            for turn in range(10):
                process = subprocess.Popen([host.NEXT, "apply"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(0.15 * (turn + 1))
                process.send_signal(signal.SIGKILL)
                process.wait()
                look()
                self.apply()
                look()
        self.examine(act)
        self.assert_sole()

    def test_4_a_view_that_stays_open(self):
        """whoever reads the pins meanwhile does not keep the old program"""
        reader = subprocess.Popen(["bash", "-c", "while :; do %s check; done" % host.PROGRAM],
                                  stdout=subprocess.DEVNULL)
        try:
            self.take_turns(2)
        finally:
            reader.kill()
            reader.wait()
