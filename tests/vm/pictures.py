# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the pictures in docs/pictures are made of (tools/pictures): two VMs that are placed, a daemon, an intruder, a thread
that was moved away and is back. Leaves in $RESULTS what the program itself says of that.
"""
import os
import subprocess
import time

import beside
import host
import two_vms

RESULTS = os.environ["RESULTS"]


class Story(beside.DaemonBeside):
    mode = "work"

    def leave(self, name, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ, COLUMNS="100"))
        with open(os.path.join(RESULTS, name), "w") as file:
            file.write(done.stdout + done.stderr)

    def runTest(self):
        host.configure(None, two_vms.HOST.replace("drift = off", "drift = on"))
        self.apply()
        self.start()
        time.sleep(3)
        self.leave("check-before.txt", host.PROGRAM, "check")
        intruder = host.intrude(400, 3000, 12000, 4, two_vms.group(self.guests[1], "vcpu0"))
        time.sleep(1)
        self.leave("top.txt", host.PROGRAM, "top", "--once")
        intruder.wait(60)
        self.move_away()
        self.wait_placed()
        time.sleep(1)
        self.leave("check.txt", host.PROGRAM, "check")
        self.leave("events.txt", host.PROGRAM, "events", "--events", beside.EVENTS, "--class", "drift,repair")
        host.must(host.PROGRAM, "report", "--html", os.path.join(RESULTS, "report.html"), "--events", beside.EVENTS)
