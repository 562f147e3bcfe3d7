# SPDX-License-Identifier: GPL-2.0-or-later
"""
`events` beside a real daemon: what it writes down is told, afterwards and as it happens: who, where, for how long, by
whose doing; and what is asked for is selected.
"""
import datetime
import json
import os
import re
import signal
import subprocess

import beside
import host
import two_vms

LINE = r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} %-10s %-8s %s$"
FOLLOWED = "/run/test-followed"


def events(*options, status=0):
    done = host.cpuwarden("events", "--events", beside.EVENTS, *options)
    assert done.returncode == status, done
    return done.stdout


def told(*options):
    """The objects of --json, each as it is in the file."""
    answer = json.loads(events("--json", *options))
    assert answer["schema"] == "cpuwarden.events/1" and answer["skipped"] == 0, answer
    return answer["events"]


def without_groups(text):
    return re.sub(r", (in /[^)]*|cgroup \d+)\)", ")", text)


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


class Events(beside.DaemonBeside):
    def setUp(self):
        super().setUp()
        self.start()
        self.out = open(FOLLOWED, "w")
        self.follower = subprocess.Popen([host.PROGRAM, "events", "--events", beside.EVENTS, "-f"], stdout=self.out)

    def tearDown(self):
        if self.follower.poll() is None:
            self.follower.kill()
        self.follower.wait()
        self.out.close()
        super().tearDown()

    def assert_told(self, kind, vm, sentence):
        """Among what was written down, and, the same line, by the follower in time."""
        line = re.search(LINE % (kind, vm, sentence), events())
        self.assertTrue(line, events())
        self.wait("the follower tells it", lambda: line[0] + "\n" in host.read(FOLLOWED) + "\n")

    def test_all(self):
        """a VM, an intruder, a moved thread, its repair, an end: told with who and where, followed and selected"""
        web1, web2 = self.guests
        self.assert_told("started", "web1", r"is there \(pid %d\)" % web1.pid)

        before = now()
        intruder = host.intrude(5, 2000, 3000, None, two_vms.group(web1, "vcpu0"))
        intruder.communicate()
        self.wait("it is told", lambda: len(told("--class", "violation", "--since", before)) >= 5)
        self.assert_told("violation", "web1", r"intruder \(pid %d, in /%s\) ran on CPU 2 \(vCPU 0\) for [0-9.]+ .s: "
                         "foreign by user" % (intruder.pid, two_vms.group(web1, "vcpu0")))
        violations = told("--class", "user", "--vm", "web1", "--since", before)
        self.assertEqual({(e["vm"], e["class"], e["cause"], e["cpu"]) for e in violations},
                         {("web1", "foreign", "user", 2)})
        self.assertEqual(told("--class", "off_set,own_vm,other_vm"), [])

        between = now()
        self.move_away(web2)
        self.wait_placed()
        self.wait("it is told", lambda: told("--class", "drift"))
        self.assert_told("drift", "web2", r"group changed by sh \(pid \d+\)")
        self.assert_told("repair", "web2", r"move thread %d into /%s, on CPUs 4" % (
            web2.vcpu(0), two_vms.group(web2, "vcpu0")))
        self.assertEqual({e["vm"] for e in told("--since", between, "--class", "repair")} - {None}, {"web2"})
        self.assertEqual(told("--since", between, "--class", "started"), [])
        self.assertEqual({e["type"] for e in told("--until", before)}, {"started"})
        self.assertEqual({e["vm"] for e in told("--vm", "web2")}, {"web2"})

        pid = web2.pid
        web2.kill()
        self.wait("its end is told", lambda: told("--class", "ended"))
        self.assert_told("ended", "web2", r"has ended \(pid %d\)" % pid)
        self.guests[1] = host.Guest("web2", 3, self.mode)
        self.wait_placed()
        self.wait("it is told", lambda: len(told("--vm", "web2", "--class", "started")) == 2)

        with open(beside.EVENTS) as file:
            self.assertEqual(told(), [json.loads(line) for line in file])
        self.follower.send_signal(signal.SIGINT)
        self.assertEqual(self.follower.wait(10), 0)
        # A group that has gone meanwhile has only its number left.
        self.assertEqual(without_groups(host.read(FOLLOWED) + "\n"), without_groups(events()))

    def test_not_root(self):
        """who may read the file needs nothing else; who may not is told so"""
        def ask(user):
            return host.run("setpriv", "--reuid", user, "--clear-groups", "--regid", user, host.PROGRAM, "events",
                            "--events", beside.EVENTS)
        os.chmod(beside.EVENTS, 0o644)
        allowed = ask("65534")
        self.assertEqual((allowed.returncode, allowed.stdout), (0, events()))
        os.chmod(beside.EVENTS, 0o640)
        refused = ask("65534")
        self.assertEqual((refused.returncode, refused.stdout), (1, ""))
        self.assertIn("%s: Permission denied; it is for root" % beside.EVENTS, refused.stderr)
