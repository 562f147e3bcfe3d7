# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who changed where a VM's threads may run. Each kind of change is made by somebody real, with a pid, a name and a
group of his own that the test knows; what is expected before and after is read from the kernel.
"""
import ctypes
import errno
import os
import re
import struct
import subprocess
import time
import unittest

import host
import maps
import test_exec

HOST = """[host]
housekeeping = 0-1
"""
WEB1 = """[vm]
policy = dedicated
[vcpupin]
0 = 2
1 = 3
[emulatorpin]
cpus = 4-5
"""
BORN = """[vm]
policy = dedicated
[vcpupin]
0 = 6
[emulatorpin]
cpus = 7
"""
TOP = host.SLICE + "/web1"
CULPRITS = "culprits"
KEPT = 256


def culprit(*args, **kwargs):
    """Runs a program in a group of its own. Returns (pid, what it printed)."""
    def enter():
        host.set_cgroup(CULPRITS, "cgroup.procs", str(os.getpid()))
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=enter, **kwargs)
    output, _ = process.communicate(timeout=60)
    return process.pid, process.returncode, output


def drift(*args):
    """What `check` tells of others' changes, newest first, and its exit status."""
    status, told = host.cpuwarden_json("check", *args)
    return told["drift"], status, told


class Drift(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        host.configure(None, HOST)
        host.configure("web1", WEB1)
        os.makedirs(os.path.join(host.CGROUP, CULPRITS), exist_ok=True)
        cls.guest = host.Guest("web1", 2, "calm")

    @classmethod
    def tearDownClass(cls):
        host.stop_all([cls.guest])
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        os.rmdir(os.path.join(host.CGROUP, CULPRITS))

    def setUp(self):
        self.apply()
        self.began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def start_anew(self):
        """A new observer: it has counted no violation that another test has brought about."""
        host.cpuwarden("release", "--all")
        self.setUp()

    apply = staticmethod(host.apply)

    def since(self):
        """Others' changes since the test began, newest first."""
        found, _, _ = drift()
        times = [d["time_ns"] for d in found]
        self.assertEqual(times, sorted(times, reverse=True))
        return [d for d in found if d["time_ns"] > self.began]

    def expect(self, kind, pid, comm, **more):
        found = self.since()
        self.assertEqual(len(found), 1, found)
        told = found[0]
        self.assertEqual(told["kind"], kind)
        self.assertEqual(told["by"], {"pid": pid, "tid": pid, "comm": comm, "cgroup": "/" + CULPRITS})
        self.assertLess(told["time_ns"], time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        self.assertEqual(told["result"], 0)
        for key, value in more.items():
            self.assertEqual(told[key], value, key)
        return told

    def blames(self, pid, comm, what):
        """The verdict's sentence and `status` name him."""
        sentence = "%s changed by %s (pid %d, in /%s)" % (what, comm, pid, CULPRITS)
        _, status, told = drift("web1")
        self.assertNotEqual(status, 0, told["reason"])
        self.assertIn(sentence, told["reason"])
        _, told = host.cpuwarden_json("status", "web1")
        self.assertEqual(told["vms"][0]["drift"]["by"]["pid"], pid)

    def write(self, group, name, text):
        """A shell's echo, which is the shell's own write. Returns its pid."""
        pid, status, said = culprit("bash", "-c", "echo %s > %s/%s/%s" % (text, host.CGROUP, group, name))
        self.assertEqual(status, 0, said)
        return pid

    def target(self, tid, group):
        return {"pid": self.guest.pid, "tid": tid, "comm": self.guest.comm(tid),
                "group": "/" + group, "file": None}

    def file(self, group, name):
        return {"pid": None, "tid": None, "comm": None, "group": "/" + group, "file": name}

    def test_affinity(self):
        """taskset of a VM's thread: by whom, of which thread, from which CPUs to which"""
        self.start_anew()
        time.sleep(3)
        tid = self.guest.pid
        pid, status, said = culprit("taskset", "-p", "-c", "4", str(tid))
        self.assertEqual(status, 0, said)
        self.assertEqual(host.affinity(tid), {4})
        self.expect("affinity", pid, "taskset", vm="web1", before="4-5", after="4", text=None,
                    target=self.target(tid, TOP + "/emulator"))
        self.blames(pid, "taskset", "affinity")
        self.apply()
        _, status, told = drift("web1")
        by = "web1 had to be repaired .* ago; affinity changed by taskset \\(pid %d," % pid
        self.assertEqual(status, 0, told["reason"])
        self.assertRegex(told["reason"], by)
        _, status, told = drift("web1", "--window", "3s")
        self.assertEqual(status, 1, told["reason"])
        self.assertRegex(told["reason"], "no violation, yet " + by)
        time.sleep(2)
        _, status, told = drift("web1", "--window", "1s")
        self.assertEqual(status, 0, told["reason"])
        _, told = host.cpuwarden_json("status", "web1")
        self.assertIsNone(told["vms"][0]["drift"])

    def test_affinity_refused(self):
        """an affinity that the kernel refuses has changed nothing: no drift"""
        _, status, _ = culprit("taskset", "-p", "-c", "0", str(self.guest.vcpu(0)))
        self.assertNotEqual(status, 0)
        self.assertEqual(self.since(), [])

    def test_affinity_of_another(self):
        """an affinity of somebody else's thread is none of ours"""
        _, status, said = culprit("taskset", "-c", "0", "true")
        self.assertEqual(status, 0, said)
        self.assertEqual(self.since(), [])

    def test_affinity_in_a_pid_namespace(self):
        """the same pid in another pid namespace is another thread: no drift"""
        tid = self.guest.pid
        _, status, said = culprit(
            "unshare", "--pid", "--fork", "--mount-proc", "bash", "-c",
            "echo %d > /proc/sys/kernel/ns_last_pid; sleep 9 & taskset -p -c 0 $!; kill $!; echo was $!"
            % (tid - 1))
        self.assertEqual(status, 0, said)
        self.assertIn("was %d\n" % tid, said)
        self.assertEqual(self.since(), [])

    def test_cpuset(self):
        """a write to cpuset.cpus: by whom, of which group, what was written, before and after"""
        self.start_anew()
        group = TOP + "/emulator"
        pid = self.write(group, "cpuset.cpus", "4")
        self.expect("cpuset", pid, "bash", vm="web1", before="4-5", after="4", text="4",
                    target=self.file(group, "cpuset.cpus"))
        self.blames(pid, "bash", "cpuset.cpus")

    def test_cpuset_above(self):
        """a write to the slice above VMs is of no single one, and explains what it does to one"""
        self.start_anew()
        # On 6.1 the slice is a partition, from which no CPU can be taken.
        name, before, text = ("cpuset.cpus.exclusive", "2-5", "2-4") if host.REMOTE else \
            ("cpuset.mems", "", "0-1")
        pid = self.write(host.SLICE, name, text)
        self.expect("cpuset", pid, "bash", vm=None, before=before, after=text, text=text,
                    target=self.file(host.SLICE, name))
        if host.REMOTE:
            self.blames(pid, "bash", name)

    def test_cpuset_of_another(self):
        """a group that is nobody's: told only when its CPUs are reserved ones"""
        self.write("", "cgroup.subtree_control", "+cpuset")
        self.addCleanup(host.set_cgroup, CULPRITS, "cpuset.cpus", "")
        self.write(CULPRITS, "cpuset.cpus", "0")
        self.assertEqual(self.since(), [])
        pid = self.write(CULPRITS, "cpuset.cpus", "1-2")
        self.expect("cpuset", pid, "bash", vm=None, before="0", after="1-2",
                    target=self.file(CULPRITS, "cpuset.cpus"))

    def test_mems(self):
        """a write to cpuset.mems of a VM's group"""
        before = host.cgroup(TOP, "cpuset.mems")
        pid = self.write(TOP, "cpuset.mems", "0-1")
        self.expect("cpuset", pid, "bash", vm="web1", before=before, after="0-1",
                    target=self.file(TOP, "cpuset.mems"))

    def test_partition(self):
        """a write to cpuset.cpus.partition: by whom, of which group, from which state to which"""
        self.start_anew()
        group = TOP + "/vcpu0"
        pid = self.write(group, "cpuset.cpus.partition", "member")
        self.assertEqual(host.cgroup(group, "cpuset.cpus.partition"), "member")
        self.expect("partition", pid, "bash", vm="web1", before="isolated", after="member",
                    text="member", target=self.file(group, "cpuset.cpus.partition"))
        self.blames(pid, "bash", "cpuset.cpus.partition")

    def test_move_a_thread(self):
        """a thread of a VM moved into another group"""
        self.start_anew()
        tid = self.guest.vcpu(1)
        pid = self.write(TOP + "/vcpu0", "cgroup.threads", tid)
        self.expect("move", pid, "bash", vm="web1", before="/%s/vcpu1" % TOP,
                    after="/%s/vcpu0" % TOP, text=None, target=self.target(tid, TOP + "/vcpu1"))
        self.blames(pid, "bash", "group")
        # Whose doing a violation was is known after its cause was mended, too.
        host.wait_for("it runs off its set", lambda: drift("web1")[1] == 2)
        self.apply()
        _, status, told = drift("web1")
        self.assertEqual(status, 2, told["reason"])
        self.assertIn("group changed by bash (pid %d" % pid, told["reason"])

    def test_move_a_process(self):
        """a whole VM moved out of its groups: the leader is told"""
        self.start_anew()
        pid = self.write("", "cgroup.procs", self.guest.pid)
        self.expect("move", pid, "bash", vm="web1", before="/%s/emulator" % TOP, after="/",
                    target=self.target(self.guest.pid, TOP + "/emulator"))
        self.blames(pid, "bash", "group")

    def test_move_in(self):
        """somebody else is moved into a VM's group"""
        stranger = subprocess.Popen(["sleep", "60"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        pid = self.write(TOP + "/emulator", "cgroup.procs", stranger.pid)
        told = self.expect("move", pid, "bash", vm="web1", before="/", after="/%s/emulator" % TOP)
        self.assertEqual(told["target"], {"pid": stranger.pid, "tid": stranger.pid, "comm": "sleep",
                                          "group": "/", "file": None})

    def test_own(self):
        """what cpuwarden does itself is noted, in places of its own, and is nobody's drift"""
        self.start_anew()
        before, others = host.health()["own_drifts"], host.health()["drifts"]
        self.assertEqual(host.cpuwarden("vcpupin", "web1", "0", "6", "--live").returncode, 0)
        self.assertEqual(host.cpuwarden("vcpupin", "web1", "0", "2", "--live").returncode, 0)
        self.assertEqual(host.cpuwarden("release", "web1").returncode, 0)
        self.apply()
        self.assertGreater(host.health()["own_drifts"], before)
        self.assertEqual(host.health()["drifts"], others)
        self.assertEqual(self.since(), [])
        self.assertNotIn("repaired", drift("web1")[2]["reason"])
        self.assertEqual(host.dump_map("controllers")[0]["tgid"], 0)

    def test_own_at_birth(self):
        """a VM that is started by `exec`: neither its attendant, who has no lock, nor his judge drifts"""
        self.start_anew()
        host.configure("born", BORN)
        process = subprocess.Popen(test_exec.command("born", 1, *test_exec.named("born", True)),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            host.wait_for("exec", lambda: host.cpuwarden("status", "born").returncode == 0)
            host.wait_for("the end of exec", lambda: not test_exec.attendants())
            self.assertEqual(host.cpuwarden_json("status", "born")[1]["vms"][0]["state"], "placed")
            moves = [d for d in host.dump_map("drifts").values() if d["kind"] == 4 and d["time"] > self.began]
            attendant = host.dump_map("controllers")[1]["tgid"]
            self.assertNotIn(attendant, (0, process.pid))
            self.assertIn(attendant, [d["by"]["tgid"] for d in moves])
            self.assertEqual(self.since(), [])
        finally:
            process.kill()
            process.wait()
            os.unlink(os.path.join(host.ETC, "vms.d", "born.conf"))

    def test_own_is_the_process_not_the_name(self):
        """who only calls himself cpuwarden is told like anybody"""
        tid = self.guest.pid
        pid, status, said = culprit("bash", "-c", "exec -a cpuwarden /tmp/cpuwarden -p -c 5 %d" % tid)
        self.assertEqual(status, 0, said)
        self.expect("affinity", pid, "cpuwarden", after="5")

    @classmethod
    def copy_taskset(cls):
        host.run("cp", "-L", "/usr/bin/taskset", "/tmp/cpuwarden")

    def test_many(self):
        """300 changes in a row: all are counted, the latest 256 are there, newest first"""
        before = host.health()["drifts"]
        pid, status, said = culprit("python3", "-c", """
import os
for i in range(300):
    os.sched_setaffinity(%d, {4} if i %% 2 else {4, 5})
""" % self.guest.pid)
        self.assertEqual(status, 0, said)
        self.assertEqual(host.health()["drifts"] - before, 300)
        found = self.since()
        self.assertEqual(len(found), KEPT)
        self.assertEqual({d["by"]["pid"] for d in found}, {pid})
        self.assertEqual([d["after"] for d in found], ["4", "4-5"] * (KEPT // 2))
        numbers = sorted(d["number"] for slot, d in host.dump_map("drifts").items() if slot < KEPT)
        self.assertEqual(numbers, list(range(before + 300 - KEPT + 1, before + 301)))
        self.assertEqual(host.dump_map("changes"), {})

    def test_takeover(self):
        """with two programs attached, a change is noted once"""
        before = host.health()["drifts"]
        loop = subprocess.Popen(["python3", "-c", """
import os, sys
n = 0
while os.getppid() == %d and not os.path.exists("/tmp/stop"):
    os.sched_setaffinity(%d, {4, 5})
    n += 1
print(n)
""" % (os.getpid(), self.guest.pid)], stdout=subprocess.PIPE, text=True)
        for program in (os.path.join(os.path.dirname(host.PROGRAM), "next", "cpuwarden"), host.PROGRAM):
            done = host.run(program, "apply")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        open("/tmp/stop", "w").close()
        n = int(loop.communicate(timeout=60)[0])
        os.unlink("/tmp/stop")
        noted = host.health()["drifts"] - before
        print("    %d changes, %d noted" % (n, noted), flush=True)
        self.assertEqual(noted, n)

    def test_version(self):
        """`version` lists which parts this kernel has, and the running observer has them"""
        _, told = host.cpuwarden_json("version")
        parts = host.health()["parts"]
        for bit, name in ((1, "drift_affinity"), (2, "drift_cpuset"), (4, "drift_partition"), (8, "drift_move")):
            self.assertIs(told["features"][name], True, name)
            self.assertTrue(parts & bit, name)
        for name in ("interrupt_durations", "guard"):
            self.assertIn(told["features"][name], (True, False), name)
        text = host.cpuwarden("version").stdout
        self.assertRegex(text, r"(?m)^drift_partition +yes$")


class Crowded(unittest.TestCase):
    """
    A kernel that takes one part less: the kernel has room for so many programs at one function
    (BPF_MAX_TRAMP_LINKS), and somebody has it all.
    """
    FUNCTION = "sched_setaffinity"
    MOST = 200

    def setUp(self):
        host.forget_configuration()
        host.configure(None, HOST)
        host.configure("web1", WEB1)
        os.makedirs(os.path.join(host.CGROUP, CULPRITS), exist_ok=True)
        self.guest = host.Guest("web1", 2, "calm")
        self.links = []

    def tearDown(self):
        for fd in self.links:
            os.close(fd)
        host.stop_all([self.guest])
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        os.rmdir(os.path.join(host.CGROUP, CULPRITS))

    def function_id(self):
        types = host.run("bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux").stdout
        return int(re.search(r"(?m)^\[(\d+)\] FUNC '%s' " % self.FUNCTION, types).group(1))

    def crowd(self):
        """Attaches programs that do nothing at the function's entry until the kernel takes no more."""
        code = ctypes.create_string_buffer(struct.pack("<QQ", 0xb7, 0x95))  # r0 = 0; exit
        name = ctypes.create_string_buffer(b"GPL")
        # BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, attach_btf_id at 108
        load = struct.pack("<IIQQ44xI36xI8x", 26, 2, ctypes.addressof(code), ctypes.addressof(name), 24,
                           self.function_id())
        for _ in range(self.MOST):
            program = maps.bpf(maps.PROG_LOAD, load)
            try:
                self.links.append(maps.bpf(maps.RAW_TRACEPOINT_OPEN, struct.pack("<QI4x", 0, program)))
            except OSError as full:
                self.assertEqual(full.errno, errno.E2BIG)
                return
            finally:
                os.close(program)
        self.fail("the kernel takes %d programs" % self.MOST)

    def test_one_part_less(self):
        """where a part cannot be attached, it is left out, `version` says so, and the others work"""
        self.crowd()
        done = host.cpuwarden("apply")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(host.health()["parts"] & 15, 2 + 4 + 8)
        _, told = host.cpuwarden_json("version")
        self.assertIs(told["features"]["drift_affinity"], False)
        self.assertIs(told["features"]["drift_move"], True)
        self.assertIn("who changed an affinity is not told", host.cpuwarden("version").stdout)
        culprit("taskset", "-p", "-c", "4", str(self.guest.pid))
        self.assertEqual(drift()[0], [])
        pid, status, said = culprit("bash", "-c", "echo 4 > %s/%s/emulator/cpuset.cpus" % (host.CGROUP, TOP))
        self.assertEqual(status, 0, said)
        self.assertEqual([d["by"]["pid"] for d in drift()[0]], [pid])
        self.assertGreater(host.health()["switches"], 0)


Drift.copy_taskset()
