# SPDX-License-Identifier: GPL-2.0-or-later
"""How the program refuses: one sentence, a documented exit status."""
import json
import unittest

NOT_V2 = "the cpuset controller is not on cgroup v2: boot with systemd.unified_cgroup_hierarchy=1"


class Sentences(unittest.TestCase):
    def assert_sentence(self, done, status, words):
        """That exit status, nothing on standard output, one printable line on standard error."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        lines = done.stderr.split("\n")
        self.assertEqual(lines.pop(), "")
        if status == 64 and len(lines) == 2:
            self.assertRegex(lines.pop(), "^Try `cpuwarden --help' ")
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertRegex(lines[0], r"^(\S*/)?cpuwarden: \S")
        self.assertTrue(lines[0].isprintable(), ascii(lines[0]))
        self.assertIn(words, lines[0])
        self.assertEqual(done.stdout, "")

    def assert_unknown(self, done, words):
        """As a monitoring system wants it: 3, one line on standard output."""
        self.assertEqual((done.returncode, done.stderr), (3, ""), done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"\AUNKNOWN - [^\n]+\n\Z")
        self.assertIn(words, done.stdout)

    def assert_unknown_json(self, done, words):
        self.assertEqual((done.returncode, done.stderr), (3, ""), done.stdout + done.stderr)
        verdict = json.loads(done.stdout)
        self.assertEqual((verdict["schema"], verdict["verdict"]), ("cpuwarden.check/1", "unknown"))
        self.assertIn(words, verdict["reason"])
