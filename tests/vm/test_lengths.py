# SPDX-License-Identifier: GPL-2.0-or-later
"""
How long runs were, whoever stands first at the tracepoint: what one observer does there is then in front of the
other's clock at a run's beginning and at its end alike, and must take about as long at both.
"""
import statistics
import time

import host
import two_vms
from account import difference, totals

CPU = 2
RUNS = 200
# ns that the mean run may be off by. An emulated host stalls at times, which the median of several rounds leaves out.
LIMIT = 4000
ROUNDS = 9


class Lengths(two_vms.TwoVMs):
    def off_by(self, busy_us):
        """ns by which a run was counted longer than by ftrace, in the mean of a round; the median of rounds."""
        rounds = []
        for _ in range(ROUNDS):
            before = totals(host.counters(), [CPU])
            with host.Trace([CPU]) as trace:
                intruder = host.intrude(RUNS, busy_us, 1000, CPU, two_vms.group(self.guests[0], "vcpu0"))
                intruder.communicate()
                time.sleep(0.1)  # its last run ends after it was waited for
            counted = difference(totals(host.counters(), [CPU]), before)["user"]
            count, ns, _ = trace.account()[0][CPU, intruder.pid]
            self.assertEqual(counted[0], count)
            rounds.append((counted[1] - ns) / count)
        print("    %s us: %s" % (busy_us, ["%.0f" % r for r in rounds]), flush=True)
        return statistics.median(rounds)

    def agree(self):
        for busy_us in (20, 300):
            with self.subTest(busy_us=busy_us):
                self.assertLess(abs(self.off_by(busy_us)), LIMIT)

    def test_1_observer_first(self):
        """the observer first, then ftrace: lengths of runs of 20 us and 300 us agree"""
        self.apply()
        self.agree()

    def test_2_ftrace_first(self):
        """ftrace first, then the observer: lengths of runs of 20 us and 300 us agree"""
        host.cpuwarden("release", "--all")
        trace = host.Trace([CPU])
        self.apply()
        self.agree()
        trace.close()
