# SPDX-License-Identifier: GPL-2.0-or-later
"""
The Debian package (tools/package) and its service on a host that systemd runs (tools/vm --systemd), from installation
to purge. A domain of libvirt and a QEMU of another user run all the while.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import host
import qmp
import test_takeover
from domains import Domain, systemctl

PROGRAM = "/usr/sbin/cpuwarden"
UNIT = "cpuwarden.service"
TEXTFILE = "cpuwarden-textfile"
PAGE = "/var/lib/prometheus/node-exporter/cpuwarden.prom"
# Groups of libvirt can be partitions where the kernel has cpuset.cpus.exclusive.
VM1 = "[vm]\npolicy = %s\n" % ("dedicated" if host.REMOTE else "observe")
OTHER = "[vm]\npolicy = dedicated\nmemory = follow\n[vcpupin]\n0 = 6\n[emulatorpin]\ncpus = 7\n"
GUARDED = OTHER.replace("follow\n", "follow\nguard = deny\n")
GROUP = host.SLICE + "/other"
USER = 1234
# What systemd, udev, libvirt and apt keep of their own doing, and what is made of what was installed.
OF_OTHERS = re.compile(r"/run/(systemd|udev|log|libvirt|user|dbus|utmp|mount|vm|vm-tools|lock|other|.*\.pid)(/|$)|"
                       r"/var/lib/(dpkg|apt|systemd/(timers|random-seed|linger)|libvirt|private)(/|$)|/etc/ld\.so\.cache$|__pycache__")


def package():
    found = glob.glob(os.path.join(host.REPO, "build/package/cpuwarden_*.deb"))
    if len(found) != 1:
        raise AssertionError("tools/package has not left one package in build/package: %s" % found)
    return found[0]


def next_package(folder):
    """The same with a higher version, and another build of the program."""
    tree = os.path.join(folder, "tree")
    host.must("dpkg-deb", "-R", package(), tree)
    shutil.copy(host.NEXT, tree + PROGRAM)
    control = host.read(tree + "/DEBIAN/control")
    with open(tree + "/DEBIAN/control", "w") as file:
        file.write(re.sub(r"(?m)^Version: .*", "Version: 99.0", control) + "\n")
    host.must("dpkg-deb", "-Znone", "-b", tree, folder + "/next.deb")
    return folder + "/next.deb"


def apt(*args):
    return host.must("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", *args)


def listing():
    """{path: (type, mode, content or target)} of what a package might leave; of /usr the names alone."""
    found = dict.fromkeys(host.must("find", "/usr").stdout.splitlines())
    for top in ("/etc", "/var/lib", "/run", "/sys/fs/bpf", "/var/log"):
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                path = os.path.join(folder, name)
                if top == "/var/log" and not name.startswith("cpuwarden"):
                    continue
                try:
                    mode = os.lstat(path).st_mode
                    text = None
                    if os.path.islink(path):
                        text = os.readlink(path)
                    elif top == "/etc" and os.path.isfile(path):
                        with open(path, "rb") as file:
                            text = file.read()
                except FileNotFoundError:
                    continue
                found[path] = (oct(mode), text)
    return {path: facts for path, facts in found.items() if not OF_OTHERS.search(path)}


def groups_and_threads():
    """host.dump(), but for services and sessions, which come and go, and with them controllers that are not ours."""
    groups, threads = host.dump()
    units = re.compile("/(system|user)\\.slice/|/init\\.scope/")
    groups = {path: "cpuset" in text.split() if path.endswith("subtree_control") else text
              for path, text in groups.items() if not units.search(path)}
    return groups, {thread: facts for thread, facts in threads.items() if not units.search("/%s/" % facts[0])}


def shown(name):
    """A property of the unit."""
    return host.must("systemctl", "show", "-P", name, UNIT).stdout.strip()


def journal(*matches):
    done = host.must("journalctl", "-q", "-b", "-o", "json", "-u", UNIT, *matches)
    return [json.loads(line) for line in done.stdout.splitlines()]


def capabilities():
    """{bit} of the names in the manual's section."""
    page = host.read(os.path.join(host.REPO, "docs/man/cpuwarden-daemon.8.scd"))
    section = re.search(r"(?ms)^# CAPABILITIES$(.*?)^# ", page)[1]
    bits = {"CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_SYS_NICE": 23}
    return {bits[name] for name in re.findall(r"\*(CAP_\w+)\*", section)}


class Other:
    """A QEMU of another user: its monitor is in a folder of that user's, and its threads have no names."""

    def __init__(self):
        os.makedirs("/run/other")
        os.chmod("/run/other", 0o700)
        os.chown("/run/other", USER, USER)
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi", "-smp", "1", "-m", "32", "-nodefaults",
             "-display", "none", "-name", "guest=other", "-qmp", "unix:/run/other/qmp,server=on,wait=off",
             "-bios", os.path.join(host.GUESTS, "calm.bin")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=USER, group=USER,
            extra_groups=[])
        self.pid = self.process.pid
        monitor = host.wait_for("its monitor", self.connect)
        self.vcpu = monitor.call("query-cpus-fast")[0]["thread-id"]
        monitor.close()

    @staticmethod
    def connect():
        try:
            return qmp.Qmp("/run/other/qmp")
        except OSError:
            return None


class Package(unittest.TestCase):
    """In this order: a package's life."""

    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        # What this test starts is in no VM's way.
        os.sched_setaffinity(0, range(4))
        cls.files = listing()
        cls.other = Other()
        cls.vm1 = Domain("vm1", 2)
        time.sleep(2)
        cls.found = groups_and_threads()

    @classmethod
    def tearDownClass(cls):
        cls.other.process.kill()
        cls.other.process.wait()
        host.run("virsh", "destroy", "vm1")

    def assert_as_found(self):
        groups, threads = groups_and_threads()
        self.assertEqual(groups, self.found[0])
        both = set(threads) & set(self.found[1])
        self.assertEqual({thread: threads[thread] for thread in both}, {thread: self.found[1][thread] for thread in both})

    def assert_placed(self):
        for cpu, vcpu in ((4, 0), (5, 1)) if host.REMOTE else ():
            leaf = self.vm1.leaf("vcpu%d" % vcpu)
            self.assertEqual([host.cgroup(leaf, "cpuset.cpus" + name) for name in ("", ".effective", ".partition")],
                             [str(cpu), str(cpu), "isolated"])
            self.assertEqual(host.affinity(self.vm1.vcpu(vcpu)), {cpu})
            self.assertEqual(host.thread_cgroup(self.vm1.pid, self.vm1.vcpu(vcpu)), leaf)
        tid = self.other.vcpu
        self.assertEqual(host.thread_cgroup(self.other.pid, tid), GROUP + "/vcpu0")
        self.assertEqual(host.affinity(tid), {6})
        self.assertEqual(host.affinity(self.other.pid), {7})
        self.assertEqual(host.cgroup(GROUP, "cpuset.mems"), "1")
        self.assertFalse(host.cpus(host.cgroup("", "cpuset.cpus.effective")) & ({4, 5, 6, 7} if host.REMOTE else {6, 7}))

    def wait_placed(self, seconds=120):
        def is_placed():
            try:
                self.assert_placed()
                return True
            except (AssertionError, OSError):
                return False
        try:
            host.wait_for("all is placed", is_placed, seconds)
        except AssertionError:
            print(host.must("journalctl", "-q", "-b", "-u", UNIT, "-n", "20").stdout, flush=True)
            self.assert_placed()

    def wait_status(self, text, seconds=120):
        try:
            host.wait_for("status", lambda: text in shown("StatusText"), seconds)
        except AssertionError:
            self.assertIn(text, shown("StatusText"))

    def switches(self):
        return host.health()["switches"]

    def move_away(self):
        """The QEMU's vCPU is put into its emulator's group, by a shell."""
        tid = self.other.vcpu
        host.must("sh", "-c", "echo %d > %s/%s/emulator/cgroup.threads" % (tid, host.CGROUP, GROUP))
        return tid

    def test_01_install(self):
        """apt installs it, offline: nothing is started, enabled, placed or attached; the service is exposed by 3.0 at most"""
        apt("install", package())
        self.assertEqual(host.run("systemctl", "is-enabled", UNIT).stdout, "disabled\n")
        self.assertEqual(shown("ActiveState"), "inactive")
        self.assertEqual(host.run("systemctl", "is-enabled", TEXTFILE + ".timer").stdout, "disabled\n")
        self.assertEqual(host.run("systemctl", "is-active", TEXTFILE + ".timer").stdout, "inactive\n")
        for path in (host.PINS, host.RUN, os.path.join(host.CGROUP, host.SLICE)):
            self.assertFalse(os.path.exists(path), path)
        self.assert_as_found()
        self.assertEqual(host.must("dpkg", "--verify", "cpuwarden").stdout, "")
        self.assertRegex(host.read(host.ETC + "/cpuwarden.conf"), r"(?m)^policy = observe ")
        done = host.run("systemd-analyze", "security", "--no-pager", "--threshold=30", UNIT)
        print("    %s" % done.stdout.strip().splitlines()[-1], flush=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        done = host.run("systemd-analyze", "security", "--no-pager", "--threshold=30", TEXTFILE + ".service")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_02_observes(self):
        """enabled and started it is ready, watches, and places nothing; its capabilities are those of the manual"""
        systemctl("enable", "--now", "cpuwarden")
        self.assertEqual(shown("ActiveState"), "active")
        self.assertEqual(shown("StatusText"), "2 VMs, 0 not as they should be")
        pid = shown("MainPID")
        status = dict(line.split(":", 1) for line in host.read("/proc/%s/status" % pid).splitlines())
        wanted = sum(1 << bit for bit in capabilities())
        for name in ("CapEff", "CapPrm", "CapBnd"):
            self.assertEqual("%x" % int(status[name], 16), "%x" % wanted, name)
        self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"))
        before = self.switches()
        time.sleep(1)
        self.assertGreater(self.switches(), before)
        self.assert_as_found()

    def test_03_places(self):
        """it places what files ask for: a domain of libvirt, and a QEMU of another user that is known by its monitor"""
        host.configure("vm1", VM1)
        host.configure("other", OTHER)
        self.wait_placed()
        self.wait_status("2 VMs, 0 not as they should be")

    def test_03_repairs(self):
        """it puts back what somebody moves, and refuses it where that is asked for"""
        self.move_away()
        self.wait_placed()
        host.configure("other", GUARDED)
        host.wait_for("it is refused", lambda: "Operation not permitted" in host.run(
            "taskset", "-p", "-c", "5", str(self.other.vcpu)).stderr)
        host.configure("other", OTHER)
        host.wait_for("it is allowed again", lambda: not os.path.exists(host.PINS + "/link_guard"))
        self.wait_placed()

    def test_04_cpus(self):
        """it is told of CPUs that go and come"""
        host.set_online(6, False)
        try:
            host.wait_for("it is not as it should be", lambda: "2 VMs, 1 not" in shown("StatusText"), 120)
        finally:
            host.set_online(6, True)
        self.wait_placed()
        self.wait_status("2 VMs, 0 not as they should be")

    def test_05_journal(self):
        """the journal can be asked by VM, CPU, class and cause"""
        self.assertEqual({entry["CPUWARDEN_VM"] for entry in journal("CPUWARDEN_VM=vm1")}, {"vm1"})
        intruder = host.intrude(5, 2000, 3000, None, GROUP + "/vcpu0")
        intruder.communicate()
        found = host.wait_for("five violations", lambda: [entry for entry in journal(
            "CPUWARDEN_VM=other", "CPUWARDEN_CPU=6", "CPUWARDEN_CLASS=foreign", "CPUWARDEN_CAUSE=user")
            if str(intruder.pid) in entry["MESSAGE"]])
        print("    %s" % found[0]["MESSAGE"], flush=True)
        self.assertEqual(journal("CPUWARDEN_VM=other", "CPUWARDEN_CPU=5"), [])

    def test_06_watchdog(self):
        """its watchdog is fed by a pass"""
        self.assertEqual(shown("WatchdogUSec"), "15min")
        before = int(shown("WatchdogTimestampMonotonic"))
        self.assertGreater(before, 0)
        systemctl("reload", "cpuwarden")
        host.wait_for("it is fed", lambda: int(shown("WatchdogTimestampMonotonic")) > before)

    def test_07_killed_and_stopped(self):
        """killed it is started again, stopped it is not; either way VMs stay placed and the observer counts on"""
        pid = int(shown("MainPID"))
        os.kill(pid, signal.SIGKILL)
        self.assert_placed()
        host.wait_for("it is back", lambda: shown("MainPID") not in ("0", str(pid)) and shown("ActiveState") == "active")
        self.assert_placed()
        systemctl("stop", "cpuwarden")
        self.assertEqual((shown("ActiveState"), shown("Result")), ("inactive", "success"))
        self.assert_placed()
        before = self.switches()
        time.sleep(1)
        self.assertGreater(self.switches(), before)

    def test_07_textfile(self):
        """its timer has metrics written for node_exporter's collector, without the daemon"""
        systemctl("start", TEXTFILE + ".service")
        self.assertFalse(os.path.exists(os.path.dirname(PAGE)))
        os.makedirs(os.path.dirname(PAGE))
        systemctl("start", TEXTFILE + ".timer")
        host.wait_for("it is written", lambda: os.path.exists(PAGE))
        page = host.read(PAGE)
        for line in ("cpuwarden_observer_up 1", 'cpuwarden_placement_degraded{vm="other"} 0',
                     'cpuwarden_partition_valid{vm="other",group="vcpu0"} 1', "cpuwarden_reconcile_failed 0"):
            self.assertIn("\n%s\n" % line, page)
        self.assertEqual(os.stat(PAGE).st_mode & 0o777, 0o644)
        before = os.stat(PAGE).st_mtime
        host.wait_for("it is written again", lambda: os.stat(PAGE).st_mtime > before)
        self.assertEqual(os.listdir(os.path.dirname(PAGE)), [os.path.basename(PAGE)])

    def test_08_broken_configuration(self):
        """started with a broken configuration it is ready, names the line, touches nothing, and goes on once that is mended"""
        path = host.configure("other", OTHER.replace("0 = 6", "0 = 6x"))
        tid = self.move_away()
        began = time.time()
        systemctl("start", "cpuwarden")
        print("    started in %.1f s" % (time.time() - began), flush=True)
        self.assertEqual(shown("ActiveState"), "active")
        self.assertRegex(shown("StatusText"), r"nothing is looked after: %s:5: " % re.escape(path))
        time.sleep(5)
        self.assertEqual(host.thread_cgroup(self.other.pid, tid), GROUP + "/emulator")
        self.assertEqual(len(journal("PRIORITY=3", "_PID=" + shown("MainPID"))), 1)
        host.configure("other", OTHER)
        self.wait_placed()
        self.wait_status("2 VMs, 0 not as they should be")

    def test_09_upgrade(self):
        """an upgrade takes the observer over: every switch is examined once, violations are counted on, VMs stay placed"""
        newer = next_package("/tmp")
        pid, build = shown("MainPID"), host.health()["build"]
        intruder = host.intrude(100000, 500, 20000, None, GROUP + "/vcpu0")
        before = host.counters()[6]["foreign"][0]["count"]
        try:
            def act(look):
                upgrade = subprocess.Popen(
                    ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "install", newer],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                while upgrade.poll() is None:
                    look()
                    time.sleep(0.5)
                self.assertEqual(upgrade.returncode, 0, upgrade.stdout.read())
                self.assertNotEqual(host.health()["build"], build)
            test_takeover.Takeover.examine(self, act)
            self.assertGreater(host.counters()[6]["foreign"][0]["count"], before)
        finally:
            intruder.kill()
            intruder.communicate()
        self.assertEqual(shown("ActiveState"), "active")
        self.assertNotEqual(shown("MainPID"), pid)
        self.assertEqual(host.health()["takeover"], 0)
        self.assertEqual(os.path.getsize(PROGRAM), os.path.getsize(host.NEXT))
        self.assert_placed()

    def test_10_remove(self):
        """removed, it is stopped, and everything is as it was found; the configuration stays"""
        apt("remove", "cpuwarden")
        self.assertFalse(os.path.exists(host.PINS))
        self.assert_as_found()
        self.assertTrue(os.path.exists(host.ETC + "/vms.d/other.conf"))
        for unit in (UNIT, TEXTFILE + ".timer"):
            self.assertNotEqual(host.run("systemctl", "is-active", unit).returncode, 0)
        self.assertFalse(os.path.exists(PAGE))
        shutil.rmtree("/var/lib/prometheus")

    def test_11_installed_again(self):
        """installed again beside files that ask for placement, nothing is placed until somebody starts it"""
        apt("install", package())
        self.assertEqual(shown("ActiveState"), "inactive")
        self.assert_as_found()
        self.assertFalse(os.path.exists(host.PINS))

    def test_12_purge(self):
        """purged, nothing of it is left"""
        apt("purge", "cpuwarden")
        left = listing()
        changed = {path for path in set(left) | set(self.files) if left.get(path, 0) != self.files.get(path, 0)}
        self.assertEqual(changed, set())
        self.assert_as_found()
