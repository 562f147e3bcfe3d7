# SPDX-License-Identifier: GPL-2.0-or-later
"""
apply is held at a step, and the VM that it is placing ends, executes another program, forks, or gets a thread; then it
goes on. The other VM does not notice, and the next run sets right what there is.
"""
import os
import subprocess

import chaos
import host
import qmp

POINTS = 6


class Lives(chaos.Chaos):
    def puppet(self, *args):
        """Has web1's main thread do something; see puppet.c."""
        options = [str(arg) for arg in args]
        return subprocess.Popen([os.path.join(host.HELPERS, "puppet"), *options], stdout=subprocess.DEVNULL)

    def hold(self, point, act):
        """From not placed to placed, and what happens meanwhile."""
        self.ask_for(0)
        if os.path.exists(chaos.HITS):
            os.unlink(chaos.HITS)
        number = 1 + int(chaos.host_changes(self.known) * point)
        process = subprocess.Popen([*host.faultat("-h", "-o", chaos.HITS, number), "apply"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        host.wait_for("it is held", lambda: os.path.exists(chaos.HITS) or process.poll() is not None)
        self.assertIsNone(process.poll())
        act()
        process.stdin.write("\n")
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess("apply", process.returncode, stdout, stderr)

    def each(self, kind, act, after=lambda: None, verdicts=(0,)):
        type(self).known = self.counts_of_placing()
        for i in range(POINTS):
            with self.subTest(kind=kind, point=i), self.table.fault(kind) as row:
                self.apply_state(2)
                web2 = chaos.allowed(self.guests[1])
                done = self.hold((i + 0.5) / POINTS, act)
                row.outcome = "undone" if "(undone)" in done.stderr else "refused" if done.returncode else "went on"
                row.text = "%s: %s" % (host.read(chaos.HITS), done.stderr.replace("\n", "; "))
                self.assert_sentence(done)
                now = chaos.allowed(self.guests[1])
                self.assertEqual({tid: now[tid] for tid in web2 if tid in now},
                                 {tid: web2[tid] for tid in now if tid in web2})
                for tid, cpus in chaos.allowed(self.guests[0]).items():
                    self.assertTrue(cpus, self.guests[0].comm(tid))
                try:
                    self.converge_alive(verdicts)
                finally:
                    after()

    def counts_of_placing(self):
        self.apply_state(2)
        self.ask_for(0)
        return chaos.calls("apply")

    def converge_alive(self, verdicts):
        """With a new web1 if there is none any more."""
        web1 = self.guests[0]
        if web1.process.poll() is not None:
            host.apply()
            self.assertFalse(os.path.exists(os.path.join(host.CGROUP, host.SLICE, "web1")))
            self.guests[0] = host.Guest("web1", 2, self.mode)
        self.converge(verdicts)

    def test_1_killed(self):
        """the VM is killed"""
        self.each("the VM is killed meanwhile", lambda: self.guests[0].kill())

    def test_2_executes(self):
        """its process executes another program, which ends after a second"""
        def execute():
            web1 = self.guests[0]
            self.puppet("-X", "/bin/sleep", web1.pid, 0, 0, 0, 0).wait()
            host.wait_for("it is another program", lambda: web1.comm(web1.pid) in ("sleep", ""))

        def end():
            self.guests[0].process.wait()
        self.each("the VM executes another program meanwhile", lambda: (execute(), end()))

    def test_3_forks(self):
        """it forks a child, which lives for a second"""
        children = []

        def fork():
            children.append(self.puppet("-f", self.guests[0].pid, 1, 1, 0, 1000000))
        # Where the child runs it is foreign, and check says so.
        self.each("the VM forks meanwhile", fork, lambda: children.pop().wait(), (0, 2))
        self.given_back()

    def test_4_threads(self):
        """an iothread is plugged in"""
        def plug():
            qmp.ask("web1", "object-add", **{"qom-type": "iothread", "id": "iothread7"})
        self.each("the VM gets a thread meanwhile", plug,
                  lambda: (qmp.ask("web1", "object-del", id="iothread7"), host.apply()))
