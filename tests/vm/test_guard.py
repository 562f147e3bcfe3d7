# SPDX-License-Identifier: GPL-2.0-or-later
"""
`guard = log | deny`: who else than cpuwarden binds or moves a VM's threads is noted with what it was, or refused;
cpuwarden itself, in any build, goes on, and so does all that QEMU and the kernel do by themselves. A kernel without
BPF among its security modules does without it, and says so.
"""
import os
import subprocess
import unittest

import host
import maps
from host import wait_for
from qmp import ask
from test_exec import QEMU, command, named, roles

HOST = "[host]\nhousekeeping = 0\n"
WEB1 = "[vm]\npolicy = dedicated\nguard = %s\n[vcpupin]\n0 = 2\n1 = 3\n[emulatorpin]\ncpus = 1\n"
GROUP = host.SLICE + "/web1"
GUARD = "cpuwarden_guard"
EPERM = "Operation not permitted"
LOG, DENY = 2, 4  # as in enum vm_flag
AFFINITY, MOVE = 1, 4  # as in enum drift_kind
WITHOUT = "bpf" not in host.read("/sys/kernel/security/lsm").split(",")


def text(chars):
    """A char array, whether bpftool shows it as a string or as its elements."""
    if isinstance(chars, list):
        chars = "".join(chars).split("\0")[0].split("\\0")[0]
    return chars


def drifts():
    """What was noted, oldest first."""
    found = [row for row in host.dump_map("drifts").values() if row["number"]]
    return sorted(found, key=lambda row: row["time"])


def guarded():
    return [row for row in drifts() if row["guarded"]]


def called(*args):
    """(pid, exit status, what it said) of a program."""
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = process.communicate(timeout=60)[0]
    return process.pid, process.returncode, said


def taskset(cpus, tid):
    return called("taskset", "-p", "-c", cpus, str(tid))


def write_to(path, value):
    """By a process of its own, so that who it was can be told from this test."""
    return called("sh", "-c", "exec /bin/echo %s >%s" % (value, os.path.join(host.CGROUP, path)))


def register(pid, start):
    """Into controllers[0], as cpuwarden does for itself: the start, the process, and no libvirt."""
    value = start.to_bytes(8, "little") + pid.to_bytes(4, "little") + bytes(68)
    fd = maps.open_map("controllers")
    maps.update(fd, bytes(4), value)
    os.close(fd)


class Guest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        host.configure(None, HOST)
        cls.guest = host.Guest("web1", 2, "calm", smp="2,maxcpus=3")

    @classmethod
    def tearDownClass(cls):
        host.stop_all([cls.guest])
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    def tearDown(self):
        host.configure("web1", WEB1 % "off")
        host.cpuwarden("apply")

    def apply(self, guard=None, program=host.PROGRAM):
        if guard:
            host.configure("web1", WEB1 % guard)
        return host.apply(program=program).stdout

    def status(self):
        return host.cpuwarden_json("status")[1]["vms"][0]

    def assert_refused(self, done):
        self.assertNotEqual(done[1], 0, done[2])
        self.assertIn(EPERM, done[2])

    def assert_noted(self, by, comm, target, kind, result, flag):
        """As the latest one; by somebody in the group of this test."""
        noted = guarded()[-1]
        here = os.stat(os.path.join(host.CGROUP, host.thread_cgroup(os.getpid(), os.getpid()))).st_ino
        self.assertEqual((noted["kind"], noted["result"], noted["guarded"]), (kind, result, flag))
        self.assertEqual((noted["by"]["tgid"], text(noted["by"]["comm"]), noted["by"]["cgroup"]), (by, comm, here))
        self.assertEqual(noted["target"]["tid"], target)
        self.assertEqual(noted["target"]["tgid"], self.guest.pid)
        self.assertEqual(text(noted["target"]["comm"]), self.guest.comm(target))
        return noted


@unittest.skipIf(WITHOUT, "this kernel was booted without BPF among its security modules")
class Guarded(Guest):
    def test_1_off(self):
        """guard = off: nothing is attached, nothing is refused"""
        self.apply("off")
        self.assertEqual(maps.attached(GUARD), ([], []))
        self.assertFalse(os.path.exists(host.PINS + "/link_guard"))
        self.assertEqual(taskset("2", self.guest.vcpu(0))[1], 0)
        self.assertEqual(self.status()["guard"], "off")
        self.assertEqual(guarded(), [])

    def test_2_deny_affinity(self):
        """guard = deny: root's taskset on a vCPU is refused and noted; priorities are nobody's business"""
        self.apply("deny")
        self.assertEqual([len(ids) for ids in maps.attached(GUARD)], [1, 1])
        self.assertEqual((self.status()["guard"], self.status()["state"]), ("deny", "placed"))
        self.assertIn(", guard deny", host.cpuwarden("status").stdout)
        for tid, cpus in ((self.guest.vcpu(0), {2}), (self.guest.vcpu(1), {3}), (self.guest.pid, {1})):
            before = len(guarded())
            done = taskset("0", tid)
            self.assert_refused(done)
            self.assertEqual(host.affinity(tid), cpus)
            self.assert_noted(done[0], "taskset", tid, AFFINITY, -1, DENY)
            self.assertEqual(len(guarded()), before + 1)
        os.sched_setscheduler(self.guest.vcpu(0), os.SCHED_BATCH, os.sched_param(0))
        os.sched_setscheduler(self.guest.vcpu(0), os.SCHED_OTHER, os.sched_param(0))
        # Others' threads are others'.
        self.assertEqual(taskset("0-7", os.getpid())[1], 0)
        self.assertEqual(self.apply(), "nothing to do\n")

    def test_3_deny_moves(self):
        """guard = deny: a vCPU, or all of QEMU, to another group: refused and noted"""
        self.apply("deny")
        tid = self.guest.vcpu(0)
        done = write_to(GROUP + "/emulator/cgroup.threads", tid)
        self.assert_refused(done)
        self.assertEqual(host.thread_cgroup(self.guest.pid, tid), GROUP + "/vcpu0")
        noted = self.assert_noted(done[0], "echo", tid, MOVE, -1, DENY)
        self.assertEqual(noted["group"], os.stat(os.path.join(host.CGROUP, GROUP, "vcpu0")).st_ino)
        before = len(guarded())
        done = write_to("cgroup.procs", self.guest.pid)
        self.assert_refused(done)
        self.assertEqual(host.thread_cgroup(self.guest.pid, tid), GROUP + "/vcpu0")
        self.assertEqual(len(guarded()), before + 1)
        self.assertEqual((guarded()[-1]["kind"], guarded()[-1]["by"]["tgid"]), (MOVE, done[0]))
        self.assertEqual(self.apply(), "nothing to do\n")

    def test_4_log(self):
        """guard = log: it is let through, noted, and repaired"""
        self.apply("log")
        self.assertEqual(self.status()["guard"], "log")
        tid = self.guest.vcpu(0)
        done = write_to(GROUP + "/emulator/cgroup.threads", tid)
        self.assertEqual(done[1], 0, done[2])
        self.assertEqual(host.thread_cgroup(self.guest.pid, tid), GROUP + "/emulator")
        self.assert_noted(done[0], "echo", tid, MOVE, 0, LOG)
        done = taskset("1", tid)
        self.assertEqual(done[1], 0, done[2])
        self.assert_noted(done[0], "taskset", tid, AFFINITY, 0, LOG)
        before = len(guarded())
        self.apply()
        self.assertEqual(host.thread_cgroup(self.guest.pid, tid), GROUP + "/vcpu0")
        self.assertEqual(len(guarded()), before)

    def test_5_observed(self):
        """a VM that is only watched: deny notes, and refuses nothing"""
        host.configure("web1", "[vm]\npolicy = observe\nguard = deny\n")
        self.apply()
        self.assertEqual((self.status()["guard"], self.status()["state"]), ("log", "observed"))
        tid = self.guest.vcpu(0)
        done = taskset("2", tid)
        self.assertEqual(done[1], 0, done[2])
        self.assert_noted(done[0], "taskset", tid, AFFINITY, 0, LOG)
        taskset("0-7", tid)

    def test_6_own(self):
        """cpuwarden itself, also another build of it, pins and releases under deny"""
        self.apply("deny")
        before = len(guarded())
        for program, cpu in ((host.PROGRAM, 4), (host.NEXT, 5)):
            done = host.run(program, "vcpupin", "web1", "1", str(cpu), "--live")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(host.affinity(self.guest.vcpu(1)), {cpu})
            self.assertEqual([len(ids) for ids in maps.attached(GUARD)], [1, 1])
        self.assertEqual(self.apply(program=host.NEXT), "nothing to do\n")
        done = host.run(host.NEXT, "vcpupin", "web1", "1", "r", "--live")
        self.assertEqual(done.returncode, 0, done.stderr)
        for program, args in ((host.PROGRAM, ["web1"]), (host.NEXT, ["web1"]), (host.NEXT, ["--all"])):
            self.apply("deny")
            self.assert_refused(taskset("0", self.guest.vcpu(0)))
            before += 1
            done = host.run(program, "release", *args)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertFalse(os.path.exists(os.path.join(host.CGROUP, GROUP)))
            self.assertEqual(taskset("0-7", self.guest.vcpu(0))[1], 0)
            if args != ["--all"]:
                self.assertEqual(len(guarded()), before)
        # A program without a link is gone once the kernel has made sure that nobody runs it.
        host.wait_for("the guard is gone", lambda: maps.attached(GUARD) == ([], []), 10)

    def test_7_another_version(self):
        """an observer that cannot be opened: release takes its guard away first"""
        self.apply("deny")
        os.unlink(host.PINS + "/interrupts")
        self.assert_refused(taskset("0", self.guest.vcpu(0)))
        done = host.cpuwarden("release", "web1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(host.affinity(self.guest.vcpu(0)), set(range(8)))
        self.assertEqual(maps.attached(GUARD), ([], []))

    def test_8_who_comes_after(self):
        """a registered process passes; who gets its number when it has ended does not"""
        self.apply("deny")
        tid = self.guest.vcpu(0)
        other = subprocess.Popen(["sh", "-c", "read -r line; exec taskset -p -c 2 %d" % tid], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        start = int(host.stat_fields(other.pid)[19])
        register(other.pid, start)
        said = other.communicate("go\n", timeout=60)[0]
        self.assertEqual(other.returncode, 0, said)
        for _ in range(50):
            host.write("/proc/sys/kernel/ns_last_pid", str(other.pid - 1))
            done = taskset("2", tid)
            self.assert_refused(done)
            if done[0] == other.pid:
                return
        self.fail("nobody got the number %d" % other.pid)

    def test_9_hotplug(self):
        """under deny: CPUs go and come, QEMU makes iothreads and vCPUs, nothing of that is refused"""
        self.apply("deny")
        before = len(guarded())
        for cpu in (5, 3):
            host.set_online(cpu, False)
            host.set_online(cpu, True)
        host.cpuwarden("apply")
        self.assertEqual((self.status()["state"], self.status()["reason"]), ("placed", None))
        slots = ask("web1", "query-hotpluggable-cpus")
        free = next(slot for slot in slots if "qom-path" not in slot)
        self.assertEqual(ask("web1", "object-add", **{"qom-type": "iothread", "id": "iothread2"}), {})
        self.assertEqual(ask("web1", "device_add", **free["props"], driver=free["type"], id="cpu2"), {})
        wait_for("vCPU 2", lambda: len(ask("web1", "query-cpus-fast")) == 3)
        self.apply()
        tid = roles("web1")["vcpu2"]
        self.assertEqual(host.thread_cgroup(self.guest.pid, tid), GROUP + "/vcpu2")
        self.assertEqual(len(guarded()), before)
        self.assert_refused(taskset("0", tid))


@unittest.skipIf(WITHOUT, "this kernel was booted without BPF among its security modules")
class Started(unittest.TestCase):
    def test_exec(self):
        """a VM that is started under deny: nothing of its start is refused, and then it is guarded"""
        host.forget_configuration()
        host.configure(None, HOST + "[defaults]\nguard = deny\n")
        host.configure("web1", WEB1 % "deny")
        host.configure("web2", "[vm]\npolicy = dedicated\n")
        other = host.Guest("web2", 1, "calm")
        self.addCleanup(host.forget_configuration)
        self.addCleanup(host.cpuwarden, "release", "--all")
        self.addCleanup(host.stop_all, [other])
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        process = subprocess.Popen(command("web1", 2, *named("web1", True)))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        found = roles("web1")

        def vm():
            return next((vm for vm in host.cpuwarden_json("status")[1]["vms"] if vm["name"] == "web1"), {})
        wait_for("web1 guarded", lambda: vm().get("guard") == "deny")
        self.assertEqual((vm()["state"], vm()["reason"]), ("placed", None))
        self.assertEqual(host.read("/proc/%d/comm" % process.pid), QEMU[:15])
        self.assertEqual(guarded(), [])
        self.assertIn(EPERM, taskset("0", found["vcpu0"])[2])
        self.assertEqual(len(guarded()), 1)


@unittest.skipUnless(WITHOUT, "this kernel has BPF among its security modules (boot with --append lsm=capability)")
class Without(Guest):
    def test_without(self):
        """guard = deny where it cannot be had: apply says so, the VM is placed and degraded"""
        host.configure("web1", WEB1 % "deny")
        for _ in range(2):
            done = host.cpuwarden("apply")
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertEqual(done.stderr.count("guard"), 1, done.stderr)
            self.assertIn("bpf is not among the kernel's security modules", done.stderr)
        self.assertNotIn("observer", done.stdout)
        vm = self.status()
        self.assertEqual((vm["state"], vm["guard"]), ("degraded", "off"))
        self.assertIn("bpf is not among the kernel's security modules", vm["reason"])
        self.assertEqual(host.affinity(self.guest.vcpu(0)), {2})
        self.assertEqual(taskset("2", self.guest.vcpu(0))[1], 0)
        host.configure("web1", WEB1 % "off")
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        self.assertEqual(self.status()["state"], "placed")
