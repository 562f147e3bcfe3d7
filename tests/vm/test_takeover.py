# SPDX-License-Identifier: GPL-2.0-or-later
"""
Another build of the program takes the observer over, again and again, under load: no switch is missed, none is counted
twice, and nothing that was counted is lost. ftrace is the witness.
"""
import json
import os

import host
import two_vms
from account import difference, totals

NEXT = os.path.join(os.path.dirname(host.PROGRAM), "next", "cpuwarden")
TIMES = 100


def switch_programs():
    """Ids of the observer's programs that the kernel has at sched_switch."""
    found = host.run("bpftool", "-j", "prog", "show").stdout
    return [p["id"] for p in json.loads(found) if p.get("name", "").startswith("cpuwarden_switc")]


class Takeover(two_vms.TwoVMs):
    mode = "tick"

    def setUp(self):
        self.apply()

    def apply_with(self, program):
        done = host.run(program, "apply")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_1_a_hundred_times_under_load(self):
        """taken over by another build 100 times: each switch is examined once, counters only grow"""
        trace = host.Trace(range(8), 65536)
        old = totals(host.counters())
        outer = old
        rules = host.health()["rules_changed"]
        with trace:
            inner = totals(host.counters())
            for turn in range(TIMES):
                said = self.apply_with((NEXT, host.PROGRAM)[turn % 2])
                self.assertIn("observer", said)
                now = totals(host.counters())
                for name, value in now.items():
                    self.assertGreaterEqual(value, old[name], name)
                old = now
            inner = difference(old, inner)
        outer = difference(totals(host.counters()), outer)
        _, switches = trace.account()
        trace.close()
        self.assertLessEqual(inner["switches"], sum(switches.values()))
        self.assertGreaterEqual(outer["switches"], sum(switches.values()))
        print("    %d switches between, %d by ftrace, %d around" %
              (inner["switches"], sum(switches.values()), outer["switches"]), flush=True)
        self.assertEqual(host.health()["rules_changed"], rules)
        self.assertEqual(len(switch_programs()), 1)
        self.assertEqual(host.health()["takeover"], 0)
        self.assertEqual(host.cpuwarden("check").returncode, 0)
        self.assertIn("nothing to do", host.cpuwarden("apply").stdout)
