# SPDX-License-Identifier: GPL-2.0-or-later
"""
docs/GUIDE.md, command by command, on a host that systemd runs (tools/vm --systemd): each ends as the guide says, and
prints what the guide shows, but for its numbers. Blocks of the package are run where tools/package has made one.
"""
import glob
import os
import re
import time
import unittest

import domains
import host
import service

GUIDE = os.path.join(host.REPO, "docs/GUIDE.md")
PACKAGE = glob.glob(os.path.join(host.REPO, "build/package/cpuwarden_*.deb"))
# Who only looks may look again: the daemon of an emulated host takes seconds for what takes others milliseconds.
LOOKS = re.compile(r"cpuwarden (status|plan|check|events|top|vcpupin \S+$)|curl")
PATIENCE = 30
STATUS = re.compile(r"^\(exit status (\d+)\)$")


class Command:
    def __init__(self, line, text):
        self.line = line
        self.text = text
        self.shown = []
        self.status = 0

    def pattern(self):
        """Of what it prints: `…` is anything, a number any number, and blanks any blanks."""
        def line_pattern(line):
            if line == "…":
                return r"(?:.*\n)*?"
            parts = [re.sub(r"\d+", r"\\d+", re.escape(part)) for part in line.rstrip().split("…")]
            return re.sub(r"(\\ )+", r"\\s+", ".*".join(parts)) + r" *\n"
        return re.compile("".join(map(line_pattern, self.shown)) + r"\s*\Z")


def commands():
    """Of the guide's console blocks, in order."""
    found, block = [], None
    for number, line in enumerate(host.read(GUIDE).split("\n"), 1):
        if line.startswith("```"):
            block = line[3:].split() if block is None else None
        elif block and block[0] == "console" and ("package" not in block or PACKAGE):
            status = STATUS.match(line)
            if line.startswith("# "):
                found.append(Command(number, line[2:]))
            elif line.startswith("> "):
                found[-1].text += "\n" + line[2:]
            elif status:
                found[-1].status = int(status[1])
            else:
                found[-1].shown.append(line)
    return found


class Guide(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        os.makedirs("/etc/cpuwarden/vms.d", exist_ok=True)
        # What this test starts is in no VM's way, and neither is libvirt.
        os.sched_setaffinity(0, {0, 1})
        domains.PINS["web1"] = ("<vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='5'/>"
                                "<emulatorpin cpuset='2'/>")
        if not PACKAGE:
            os.symlink(host.PROGRAM, "/usr/sbin/cpuwarden")
            service.install()
        cls.domain = domains.Domain("web1", 2)

    @classmethod
    def tearDownClass(cls):
        host.run("virsh", "destroy", "web1")
        host.run("pkill", "-KILL", "-f", "guest=web2")
        host.run("systemctl", "stop", "cpuwarden", "cpuwarden.socket")
        host.cpuwarden("release", "--all")

    def is_as_shown(self, command):
        done = host.run("bash", "-c", command.text + "\n", cwd=host.REPO)
        self.status, self.said = done.returncode, done.stdout + done.stderr
        self.fits = bool(command.pattern().match(self.said))
        return self.status == command.status and self.fits

    def test_commands(self):
        """each of them"""
        found = commands()
        self.assertGreater(len(found), 40)
        print("    %d commands%s" % (len(found), "" if PACKAGE else ", without those of the package"), flush=True)
        for command in found:
            with self.subTest(command.text):
                self.try_one(command)

    def try_one(self, command):
        deadline = time.time() + (PATIENCE if LOOKS.match(command.text) else 0)
        while not self.is_as_shown(command) and time.time() < deadline:
            time.sleep(1)
        self.assertEqual((self.status, self.fits), (command.status, True),
                         "docs/GUIDE.md:%d: %s\n%s" % (command.line, command.text, self.said))

    def test_patterns(self):
        """what is shown is what is compared with"""
        command = Command(0, "")
        command.shown = ["OK - 12 switches", "…", "last 1  x"]
        for said, fits in (("OK - 7 switches\nlast 22 x\n", True), ("OK - 7 switches\na\nb\nlast 22    x\n", True),
                           ("KO - 7 switches\nlast 2 x\n", False), ("OK - 7 switches\n", False),
                           ("OK - 7 switches\nlast 22 x\nmore\n", False), ("x\nOK - 7 switches\nlast 2 x\n", False)):
            self.assertEqual(bool(command.pattern().match(said)), fits, said)
