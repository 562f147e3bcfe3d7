# SPDX-License-Identifier: GPL-2.0-or-later
"""Two VMs and a daemon beside them, with what it says and tells."""
import json
import os
import subprocess

import exporter
import host
import two_vms

EVENTS = "/run/test-events.jsonl"
LOG = "/run/test-daemon.log"


class DaemonBeside(two_vms.TwoVMs):
    def setUp(self):
        host.configure(None, "[host]\nhousekeeping = 0\n")
        self.apply()
        self.assert_placed()
        self.daemon = None

    def tearDown(self):
        self.stop()
        two_vms.configure()

    def start(self, *options, events=EVENTS, under=(host.PROGRAM,), ready=True):
        """Until it has said that it is ready. `under`: the program, or another command line that runs it."""
        if os.path.exists(events):
            os.unlink(events)
        with open(LOG, "w") as log:
            self.daemon = subprocess.Popen([*under, "daemon", "--events", events, *options],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if ready:
            self.wait("it is ready", lambda: "ready: " in self.said())

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            self.assertEqual(self.daemon.wait(60), 0, self.said())
        self.daemon = None

    def said(self):
        return host.read(LOG)

    def wait(self, what, found, seconds=20):
        try:
            return host.wait_for(what, found, seconds)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, self.said())) from None

    def events(self, kind):
        with open(EVENTS) as file:
            return [event for event in map(json.loads, file) if event["type"] == kind]

    def is_placed(self):
        try:
            self.assert_placed()
            return True
        except (AssertionError, FileNotFoundError, ProcessLookupError):
            return False

    def wait_placed(self, seconds=20):
        if not self.is_placed():
            try:
                host.wait_for("all is placed", self.is_placed, seconds)
            except AssertionError:
                print(self.said(), flush=True)
                self.assert_placed()

    def move_away(self, guest=None):
        """A vCPU's thread is put into another group, by a shell."""
        guest = guest or self.guests[0]
        host.must("sh", "-c", "echo %d > %s/%s/cgroup.threads" % (
            guest.vcpu(0), host.CGROUP, two_vms.group(guest, "emulator")))


class HalfBeside(DaemonBeside):
    """With one VM placed and the other one only watched, so that half of the host's CPUs are anybody's."""
    PLACED = {"web2": two_vms.LEAVES["web2"]}
    RESERVED = [4, 5, 6, 7]

    def setUp(self):
        host.configure(None, "[host]\nhousekeeping = 0\n")
        host.configure("web1", "[vm]\npolicy = observe\n")
        self.apply()
        self.start()
        self.wait_placed()
        self.wait("the exporter answers", exporter.answers)

    def tearDown(self):
        super().tearDown()
        host.cpuwarden("release", "--all")

    def assert_placed(self, leaves=None):
        super().assert_placed(leaves or self.PLACED)
