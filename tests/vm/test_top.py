# SPDX-License-Identifier: GPL-2.0-or-later
"""
`top` as somebody sees it who sits at a terminal: the program in tmux, keys sent, screens captured. On this host, with
its two VMs; and from a recording of a host of 256 CPUs, whose screens are files of tests/fixtures/top.
"""
import json
import os
import re
import subprocess
import time

import host
import two_vms

FIXTURES = os.path.join(host.REPO, "tests/fixtures/top")
RECORDING, MINE = "/tmp/256.jsonl", "/tmp/mine.jsonl"
SIZES = [(80, 24), (200, 60)]

RATE = r" +[0-9.<]+k?"
TIME = r" +(0|[0-9.]+(ns|us|ms|s|m))"
WAIT = r" +(-|long|<[0-9.]+(us|ms|s))"
HEAD = [
    r"cpuwarden top  %s  .* \d\d:\d\d:\d\d  1\.0 s  by %s" % (re.escape(os.uname().nodename), "%s"),
    r"observer running:" + RATE + r" switches/s, 0 events lost",
    r"violations none; settling" + RATE + r"/s; interference" + RATE + r"/s",
    r"CPUs \. housekeeping \+ shared = reserved ~ settling ! violation - offline",
    r"n0 c0 \|0\.       1=web1  \|2=web1/0 3=web1/1",
    r"n1 c2 \|4=web2/0 5=web2/1\|6=web2/2 7=web2",
]
# On this host; what follows the tables is blank down to the keys.
NARROW = HEAD + [
    r"WHO INTRUDES        TID  CPU VM                    VCPU CAUSE        AGO  LENGTH",
    r"nobody so far",
    r"   VM          STATE    CPUS           RUN%   WAIT99 FOREIGN/s OFFSET/s   TIME/s",
    r">a web1        placed   1-3         " + RATE + WAIT + r" +0 +0 +0",
    r" b web2        placed   4-7         " + RATE + WAIT + r" +0 +0 +0",
]
WIDE = HEAD + [
    r"WHO INTRUDES        PID     TID  CPU VM {53}VCPU CAUSE        AGO  LENGTH",
    r"nobody so far",
    r"   VM {50}STATE    CPUS {31}RUN%   WAIT99 FOREIGN/s OFFSET/s   TIME/s "
    r"USER/s OTHER/s  OWN/s KTHR/s SETTL/s INTERF/s     PID",
    r">a web1 {48}placed   1-3 {29}" + RATE + WAIT + r" +0 +0 +0 +0 +0 +0 +0" + RATE + RATE + r" +\d+",
    r" b web2 {48}placed   4-7 {29}" + RATE + WAIT + r" +0 +0 +0 +0 +0 +0 +0" + RATE + RATE + r" +\d+",
]
DRILLED = r"""  VCPU     TID  CPU SET           RUN%   WAIT  WAIT50  WAIT99 FOREIGN/s OFFSET/s"""
KEYS = "q quit  Enter VM  s sort  r reverse  p pause  +- delay  [] map  h help"
KEYS_IN_VM = KEYS.replace("Enter VM", "Esc back")


class Terminal:
    """A shell in tmux, which is to outlive what runs in it."""
    opened = 0

    def __init__(self, cols, rows):
        # One that is about to end takes no new session: each has a server of its own.
        Terminal.opened += 1
        self.server = ["tmux", "-L", "top%d" % Terminal.opened, "-f", "/dev/null"]
        self.do("new-session", "-d", "-x", str(cols), "-y", str(rows), "PS1='READY> ' exec bash --norc --noprofile")
        self.wait_for("a prompt", lambda lines: "READY>" in lines)

    def do(self, *args):
        return host.must(*self.server, *args).stdout

    def type(self, *keys):
        self.do("send-keys", *keys)

    def run(self, *args, environment="TZ=UTC"):
        """Starts `top`; afterwards a file says how it ended, and whether the terminal is as it was."""
        self.do("send-keys", "-l", "clear; stty -g >/tmp/before; %s %s top %s; echo $? >/tmp/status; stty -g >/tmp/after"
                % (environment, host.PROGRAM, " ".join(args)))
        self.type("Enter")

    def screen(self, *options):
        return self.do("capture-pane", "-p", *options).split("\n")[:-1]

    def wait_for(self, what, found, seconds=30):
        deadline = time.time() + seconds
        while True:
            lines = [line.rstrip() for line in self.screen()]
            value = found(lines)
            if value:
                return value
            if time.time() > deadline:
                raise AssertionError("%s was not to be seen:\n%s" % (what, "\n".join(lines)))
            time.sleep(0.1)

    def wait_for_line(self, pattern, seconds=30):
        return self.wait_for(pattern, lambda lines: next(filter(None, (
            re.fullmatch(pattern, line) for line in lines)), None), seconds)

    def wait_for_screen(self, patterns, last, seconds=30):
        """All of the screen, from its first line to its last."""
        def found(lines):
            rows = len(lines)
            wanted = patterns + [""] * (rows - len(patterns) - 1) + [re.escape(last)]
            return len(wanted) == rows and all(map(re.fullmatch, wanted, lines))
        self.wait_for("\n".join(patterns), found, seconds)

    def close(self):
        host.run(*self.server, "kill-server")


class Screens(two_vms.TwoVMs):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply()
        with open(RECORDING, "w") as out:
            subprocess.run([os.path.join(FIXTURES, "recording.py")], stdout=out, check=True)

    def setUp(self):
        self.terminal = None

    def tearDown(self):
        if self.terminal:
            self.terminal.close()

    def open(self, cols=80, rows=24):
        if self.terminal:
            self.terminal.close()
        self.terminal = Terminal(cols, rows)
        return self.terminal

    def assert_ended(self, status="0"):
        """The prompt is back, the cursor with it, and the terminal is as it was."""
        self.terminal.wait_for("the prompt", lambda lines: "READY>" in lines)
        self.assertEqual(host.read("/tmp/status"), status)
        self.assertEqual(host.read("/tmp/before"), host.read("/tmp/after"))
        self.assertEqual(self.terminal.do("display", "-p", "#{alternate_on}#{cursor_flag}#{keypad_cursor_flag}").strip(), "010")


class Top(Screens):
    def test_1_this_host(self):
        """8 CPUs and two VMs at 80x24 and 200x60: the whole screen"""
        self.assert_placed()
        for (cols, rows), expected in zip(SIZES, (NARROW, WIDE)):
            terminal = self.open(cols, rows)
            terminal.run("-d1")
            expected = [line % "violations" if "%s" in line else line for line in expected]
            terminal.wait_for_screen(expected, KEYS)
            terminal.type("q")
            self.assert_ended()
            # What was there before is there again, and nothing else.
            self.assertEqual([line.strip() for line in terminal.screen()], ["READY>"] + (rows - 1) * [""])

    def test_2_intruder(self):
        """who intrudes is seen while he does, with the CPU, the VM and how often; then no longer"""
        terminal = self.open()
        terminal.run("-d1")
        terminal.wait_for_line(HEAD[4])
        group = two_vms.group(self.guests[0], "emulator")
        process = host.intrude(1000000, 2000, 3000, 1, group)
        try:
            terminal.wait_for_line(r"n0 c0 \|0\.       1!web1  \|2=web1/0 3=web1/1")
            terminal.wait_for_line(r"intruder +%d +1 web1 +- user +(now|%s) +[0-9.]+(us|ms)" % (process.pid, TIME))
            terminal.wait_for_line(r">a web1 +placed   1-3 .* [1-9][0-9.]* +0 +[0-9.]+(ms|us)")
            terminal.wait_for_line(r"violations .*/s on 1 CPU: user [1-9].*")
            check = host.cpuwarden_json("top", "-d1")[1]
            self.assertEqual([cpu["state"] for cpu in check["cpus"]],
                             ["housekeeping", "intruded"] + 6 * ["reserved"])
            self.assertGreater(check["vms"][0]["foreign"]["user"]["count"], 0)
            self.assertEqual(check["vms"][1]["foreign"]["user"]["count"], 0)
            self.assertEqual(check["culprits"][0]["comm"], "intruder")
        finally:
            process.kill()
            process.wait()
        # One who never leaves.
        process = host.intrude(1, 60000000, 0, 1, group)
        try:
            process.stdout.readline()
            os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(1))
            terminal.wait_for_line(r"intruder +%d +1 web1 +- user +now +[1-9][0-9.]*s" % process.pid)
            terminal.wait_for_line(r"violations [0-9.]+/s [1-9][0-9.]*(ms|s)/s on 1 CPU: user.*")
        finally:
            process.kill()
            process.wait()
        terminal.wait_for_line(HEAD[4])
        terminal.wait_for_line(r"intruder +%d .* user +%s +%s" % (process.pid, TIME, TIME))
        terminal.type("q")
        self.assert_ended()

    def test_3_keys(self):
        """into a VM and back, sorting, the page of keys, pause, another size, and every way out"""
        terminal = self.open()
        terminal.run("-d1")
        terminal.wait_for_line(r">a web1 .*")
        terminal.type("Down")
        terminal.wait_for_line(r">b web2 .*")
        terminal.type("Enter")
        terminal.wait_for("the vCPUs", lambda lines: DRILLED in lines and lines[-1] == KEYS_IN_VM)
        terminal.wait_for_line(r"web2: placed, pid %d, CPUs 4-7, violations 0/s 0/s" % self.guests[1].pid)
        for index, cpu in enumerate((4, 5, 6)):
            terminal.wait_for_line(r"[> ] %d +%d +%d %d +[0-9.]+%s%s%s +0 +0" % (
                index, self.guests[1].vcpu(index), cpu, cpu, TIME, WAIT, WAIT))
        terminal.type("Escape")
        terminal.wait_for_line(r">b web2 .*")
        terminal.type("n", "r")
        terminal.wait_for("the other order", lambda lines: lines[0].endswith("by name reversed") and
                          lines[-23 + 9 - 1].startswith(">b web2") if len(lines) == 24 else False)
        terminal.type("r", "s")
        terminal.wait_for_line(HEAD[0] % "violations")
        terminal.type("s")
        terminal.wait_for_line(HEAD[0] % "waits")
        terminal.type("h")
        terminal.wait_for_line(r"q  Ctrl-C         quit")
        terminal.type("h")
        terminal.wait_for_line(HEAD[4])
        terminal.type("p")
        terminal.wait_for_line((HEAD[0] % "waits") + "  paused")
        before = terminal.screen()
        time.sleep(2.5)
        self.assertEqual(terminal.screen(), before)
        terminal.type("p")
        terminal.wait_for("another time", lambda lines: lines[0] != before[0].rstrip() and "paused" not in lines[0])
        terminal.do("resize-window", "-x", "200", "-y", "60")
        terminal.wait_for("the size", lambda lines: len(lines) == 60 and lines[59] == KEYS and
                          lines[8].endswith("PID"))
        terminal.do("resize-window", "-x", "80", "-y", "24")
        terminal.wait_for("the size", lambda lines: len(lines) == 24 and lines[23] == KEYS)
        terminal.type("C-c")
        self.assert_ended()
        terminal.run("-d1")
        terminal.wait_for_line(HEAD[4])
        host.must("pkill", "-TERM", "-f", host.PROGRAM + " top")
        self.assert_ended()

    def test_4_recording(self):
        """256 CPUs of a recording at 80x24 and 200x60: the whole screen, all scrolls, and little is sent again"""
        for cols, rows in SIZES:
            terminal = self.open(cols, rows)
            terminal.run("--replay", RECORDING, "-d3600")
            expected = host.read("%s/256-%dx%d.txt" % (FIXTURES, cols, rows)).split("\n")
            terminal.wait_for("256-%dx%d.txt" % (cols, rows), lambda lines: lines == expected)
            terminal.do("pipe-pane", "-o", "cat >/tmp/sent")
            time.sleep(0.5)
            terminal.type(".")
            terminal.wait_for("the third sample", lambda lines: "  3 of 3  " in lines[0])
            time.sleep(0.5)
            sent = os.path.getsize("/tmp/sent")
            self.assertGreater(sent, 20)
            self.assertLess(sent, 400)
            terminal.do("pipe-pane")
            terminal.type("n", "End")
            terminal.wait_for_line(r">7 web59 .*")
            terminal.type("Enter")
            terminal.wait_for_line(r"web59: placed, pid 10590, CPUs 126-127,254-255, violations 0/s 0/s")
            terminal.type("q")
            self.assert_ended()
        terminal = self.open(80, 10)
        terminal.run("--replay", RECORDING, "-d3600")
        terminal.wait_for("a part of the map", lambda lines: " 1-2/5" in lines[3] and lines[4].startswith("n0 c0 "))
        terminal.type("]")
        terminal.wait_for("the next part", lambda lines: lines[4].startswith("n0 c32 "))
        terminal.type("q")
        self.assert_ended()

    def test_5_colours(self):
        """colours where they are wanted and there are some, and none else; every state has its character in any case"""
        def coloured():
            return bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", "\n".join(terminal.screen("-e"))))
        for environment, wanted in (("TZ=UTC", True), ("TZ=UTC NO_COLOR=1", False), ("TZ=UTC TERM=vt100", False)):
            terminal = self.open()
            terminal.run("--replay", RECORDING, "-d3600", environment=environment)
            expected = host.read(FIXTURES + "/256-80x24.txt").split("\n")
            terminal.wait_for("256-80x24.txt", lambda lines: lines == expected)
            self.assertEqual(coloured(), wanted, environment)
            if "NO_COLOR" in environment:
                terminal.type("c")
                host.wait_for("colours", coloured, 10)
            terminal.type("q")
            self.assert_ended()

    def test_6_once(self):
        """one screen as text, of this host and of what it recorded; no terminal, no privileges, no recording"""
        if os.path.exists(MINE):
            os.unlink(MINE)
        once = host.must("env", "COLUMNS=80", host.PROGRAM, "top", "--once", "-d1", "--record", MINE).stdout.split("\n")
        self.assertIn("n0 c0 |0.       1=web1  |2=web1/0 3=web1/1", once)
        self.assertEqual([line[:7] for line in once[-3:]], [" a web1", " b web2", ""])
        self.assertEqual(os.stat(MINE).st_mode & 0o777, 0o600)
        with open(MINE) as lines:
            self.assertEqual([json.loads(line)["schema"] for line in lines], 2 * ["cpuwarden.sample/1"])
        os.chmod(MINE, 0o644)
        nobody = ["setpriv", "--reuid", "65534", "--clear-groups"]
        again = host.must(*nobody, "env", "COLUMNS=80", host.PROGRAM, "top", "--once", "--replay", MINE).stdout.split("\n")
        self.assertEqual(again[1:], once[1:])
        with open("/tmp/bad.jsonl", "w") as bad:
            bad.write("{}\n")
        for args, status, said in (
                ([host.PROGRAM, "top"], 1, "this is no terminal; `cpuwarden top --once` prints one screen"),
                (nobody + [host.PROGRAM, "top", "--once"], 1, "`top` must be run as root"),
                ([host.PROGRAM, "top", "--once", "--replay", "/tmp/none"], 1, "cannot read /tmp/none: No such file"),
                ([host.PROGRAM, "top", "--once", "--replay", "/tmp/bad.jsonl"], 1, "/tmp/bad.jsonl:1: this is no sample"),
                ([host.PROGRAM, "top", "--replay", MINE, "--record", MINE], 64, "exclude each other"),
                ([host.PROGRAM, "top", "-d", "0"], 64, "--delay takes 0.1 to 3600 seconds")):
            done = host.run(*args)
            self.assertEqual(done.returncode, status, args)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stdout, "")
        terminal = self.open()
        for kind in ("dumb", "nosuchterminal"):
            terminal.run(environment="TERM=" + kind)
            terminal.wait_for("the sentence", lambda lines: "a terminal of the kind '%s' cannot" % kind in
                              "".join(lines))
            self.assert_ended("1")

    def test_7_figures(self):
        """run times agree with the kernel's"""
        before = {guest.vcpu(index): guest.run_ns(guest.vcpu(index)) for guest in self.guests
                  for index in range(guest.vcpus)}
        top = host.cpuwarden_json("top", "-d3")[1]
        vcpus = [vcpu for vm in top["vms"] for vcpu in vm["vcpus"]]
        self.assertEqual({vcpu["tid"] for vcpu in vcpus}, set(before))
        for guest in self.guests:
            for index in range(guest.vcpus):
                tid = guest.vcpu(index)
                vcpu = next(v for v in vcpus if v["tid"] == tid)
                ran = vcpu["run_permille"] * top["interval_ns"] / 1000
                self.assertGreater(ran, 0)
                self.assertLessEqual(ran, guest.run_ns(tid) - before[tid] + top["interval_ns"] / 1000)
                self.assertGreater(vcpu["waits"], 0)

    def test_8_no_observer(self):
        """without an observer the map is that of the partitions, and no figure is made up"""
        host.must("rm", "-rf", host.PINS)
        try:
            done = host.must("env", "COLUMNS=80", host.PROGRAM, "top", "--once", "-d0.5").stdout.split("\n")
            self.assertRegex(done[1], r"^observer absent: .")
            self.assertEqual(done[2], "violations -")
            self.assertIn("n1 c2 |4=web2/0 5=web2/1|6=web2/2 7=web2", [line.rstrip() for line in done])
            self.assertIn("not known", done)
            self.assertRegex(done[-2], r"^ b web2 .* - +- +- +-$")
        finally:
            self.apply()


class Lives(Screens):
    def test_comes_and_goes(self):
        """a VM that comes is noticed after ten seconds, and one that ends at once"""
        terminal = self.open()
        terminal.run("-d1")
        terminal.wait_for_line(HEAD[4])
        late = subprocess.Popen(["qemu-system-x86_64", "-S", "-display", "none", "-nodefaults", "-m", "16",
                                 "-name", "guest=late"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            terminal.wait_for_line(r"[> ]a late +observed +- .*", 60)
        finally:
            late.kill()
            late.wait()
        # All is read again only each ten seconds: this is sooner.
        terminal.wait_for_line(r">a web1 .*", 6)
        terminal.type("q")
        self.assert_ended()
