# SPDX-License-Identifier: GPL-2.0-or-later
"""
`cpuwarden exec`: a QEMU whose vCPUs run nowhere else from their first moment. ftrace looks at all CPUs from before
QEMU is started; which thread is which vCPU, QEMU itself tells, by QMP.
"""
import os
import signal
import subprocess
import time
import unittest
from fcntl import LOCK_EX, LOCK_UN, flock

import host
import two_vms
from host import wait_for
from qmp import ask

LONELY = """[vm]
policy = dedicated
[vcpupin]
0 = 2
1 = 3
[emulatorpin]
cpus = 1
[iothreadpin]
1 = 4
"""
GOLD = """[class gold]
cpus = 4
overcommit = 1.5
"""
SHARED = """[vm]
policy = shared
class = gold
"""
QEMU = "qemu-system-x86_64"
PATIENCE = 60


def command(name, vcpus, *more, given=None):
    return [host.PROGRAM, "exec", given or name, "--", QEMU, "-machine", "pc", "-accel",
            "tcg,thread=multi", "-smp", str(vcpus), "-m", "32", "-nodefaults", "-display", "none",
            "-object", "iothread,id=iothread1", "-qmp", "unix:/run/%s.qmp,server=on,wait=off" % name,
            "-bios", os.path.join(host.GUESTS, "calm.bin"), *more]


def named(name, debug):
    return ["-name", "guest=%s%s" % (name, ",debug-threads=on" if debug else "")]


def roles(name):
    """{leaf: tid}, once QEMU answers"""
    def answer():
        try:
            return ask(name, "query-cpus-fast"), ask(name, "query-iothreads")
        except (FileNotFoundError, ConnectionRefusedError):
            return None
    vcpus, iothreads = wait_for("QMP of " + name, answer)
    found = {"vcpu%d" % vcpu["cpu-index"]: vcpu["thread-id"] for vcpu in vcpus}
    found.update((thread["id"], thread["thread-id"]) for thread in iothreads)
    return found


def status_field(pid, name):
    for line in host.read("/proc/%d/status" % pid).splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    return None


def comm_of(pid):
    try:
        return host.read("/proc/%d/comm" % pid)
    except (FileNotFoundError, ProcessLookupError):
        return ""


def attendants():
    """Processes of ours that start a VM: they end when it is placed."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/exe" % pid) == host.PROGRAM:
                found.append(int(pid))
        except OSError:
            continue
    return found


def groups():
    return host.dump()[0]


def hold_lock():
    """As another cpuwarden that changes the host. Closing it gives it up."""
    os.makedirs(host.RUN, exist_ok=True)
    lock = open(host.RUN + "/lock", "w")
    flock(lock, LOCK_EX)
    return lock


class Exec(unittest.TestCase):
    def setUp(self):
        host.forget_configuration()
        two_vms.configure()
        for name in ("web1", "web2"):
            if os.path.exists("/run/%s.qmp" % name):
                os.unlink("/run/%s.qmp" % name)
        self.before = groups()
        self.processes = []
        self.pids = []

    def tearDown(self):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.processes:
            process.kill()
            process.communicate()
        wait_for("the end of exec", lambda: not attendants())
        self.assertEqual(host.cpuwarden("release", "--all").returncode, 0)
        host.forget_configuration()

    def start(self, args, env=None):
        process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=env)
        self.processes.append(process)
        return process

    def wait_until_done(self, *names):
        """The attendants have ended, and each VM is what they left."""
        wait_for("the end of exec", lambda: not attendants())
        _, status = host.cpuwarden_json("status")
        states = {vm["name"]: (vm["state"], vm["reason"]) for vm in status["vms"]}
        for name in names:
            self.assertEqual(states[name][0], "placed", states)

    def assert_born_in_place(self, runs, name, pid, leaves):
        """By ftrace, each vCPU ran, and on its CPUs only; what else the VM has did not run on a vCPU's."""
        tids = roles(name)
        self.assertEqual(sorted(leaf for leaf in tids if leaf.startswith("vcpu")),
                         sorted(leaf for leaf in leaves if leaf.startswith("vcpu")))
        ran = {tid: {cpu for cpu, other in runs if other == tid}
               for tid in map(int, os.listdir("/proc/%d/task" % pid))}
        for leaf, tid in tids.items():
            leaf = leaf if leaf in leaves else "emulator"
            path = "%s/%s/%s" % (host.SLICE, name, leaf)
            self.assertTrue(ran[tid], (name, leaf, "never ran"))
            self.assertLessEqual(ran[tid], host.cpus(leaves[leaf][0]), (name, leaf, tid))
            self.assertEqual(host.thread_cgroup(pid, tid), path)
            self.assertEqual(host.cgroup(path, "cpuset.cpus.partition"), leaves[leaf][1], path)
        for tid in set(ran) - set(tids.values()) - {pid}:
            self.assertLessEqual(ran[tid], host.cpus(leaves["emulator"][0]), (name, tid))
        # Where it made vCPUs, and before it was QEMU where anybody runs.
        self.assertEqual(host.thread_cgroup(pid, pid), "%s/%s/emulator" % (host.SLICE, name))

    def assert_quiet(self):
        """Nobody ran where he must not, and nothing is left to do."""
        done = host.cpuwarden("check")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")

    def assert_nothing_left(self):
        wait_for("the end of exec", lambda: not attendants())
        wait_for("the groups as they were", lambda: groups() == self.before)

    def test_two_vms(self):
        """two VMs, with and without thread names: no vCPU ran outside its set since it was born"""
        with host.Trace(range(8)) as trace:
            first = self.start(command("web1", 2, *named("web1", True)))
            second = self.start(command("web2", 3, *named("web2", False)))
            wait_for("QEMU", lambda: host.read("/proc/%d/comm" % second.pid).startswith("qemu") and
                     host.read("/proc/%d/comm" % first.pid).startswith("qemu"))
            # Whoever comes by sees that they are being started, and leaves them their empty groups.
            done = host.cpuwarden("apply")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.wait_until_done("web1", "web2")
        runs, _ = trace.account()
        trace.close()
        for process, name in ((first, "web1"), (second, "web2")):
            self.assert_born_in_place(runs, name, process.pid, two_vms.LEAVES[name])
            self.assertEqual(status_field(process.pid, "TracerPid"), "0")
            files = [os.readlink("/proc/%d/fd/%s" % (process.pid, fd))
                     for fd in os.listdir("/proc/%d/fd" % process.pid)]
            self.assertFalse([f for f in files if "bpf" in f or "cpuwarden" in f or "cgroup" in f],
                             files)
        self.assert_quiet()
        done = host.run(*command("web1", 2, *named("web1", True)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is a VM web1 already: process %d" % first.pid, done.stderr)
        # The process is QEMU: what is sent to it arrives there, and so does what it says at its end.
        first.terminate()
        self.assertEqual(first.wait(PATIENCE), 0)
        self.assertNotIn("cpuwarden", first.stderr.read())
        second.kill()
        second.wait()
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        self.assert_nothing_left()

    def test_daemonize(self):
        """-daemonize: placed when the command returns, an iothread on a CPU of its own"""
        host.configure("web1", LONELY)
        with host.Trace(range(8)) as trace:
            process = self.start(command("web1", 2, "-daemonize", "-pidfile", "/run/web1.pid",
                                         *named("web1", False)))
            # Its forks are no VMs, and the last is one that is being started.
            looks = 0
            while process.poll() is None:
                done = host.cpuwarden("apply")
                self.assertEqual(done.returncode, 0, done.stderr)
                looks += 1
            self.assertGreater(looks, 0)
            self.assertEqual((process.returncode, process.stderr.read()), (0, ""))
            pid = int(host.read("/run/web1.pid"))
            self.pids.append(pid)
            _, status = host.cpuwarden_json("status")
            self.assertEqual([(vm["name"], vm["pid"], vm["state"]) for vm in status["vms"]],
                             [("web1", pid, "placed")])
        runs, _ = trace.account()
        trace.close()
        self.assert_born_in_place(runs, "web1", pid, {
            "vcpu0": ("2", "isolated"), "vcpu1": ("3", "isolated"), "emulator": ("1", "member"),
            "iothread1": ("4", "member")})
        self.assert_quiet()

    def test_launcher_killed(self):
        """the launcher is killed while QEMU starts: QEMU goes on, and apply converges"""
        process = self.start(command("web2", 3, *named("web2", True)))
        wait_for("QEMU", lambda: host.read("/proc/%d/comm" % process.pid).startswith("qemu"))
        self.assertNotEqual(status_field(process.pid, "TracerPid"), "0")
        for pid in attendants():
            os.kill(pid, signal.SIGKILL)
        wait_for("nobody traces it", lambda: status_field(process.pid, "TracerPid") == "0")
        self.assertNotIn(status_field(process.pid, "State")[0], "tTZX")
        tids = roles("web2")
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        for leaf, (cpus, _) in two_vms.LEAVES["web2"].items():
            tid = tids.get(leaf, process.pid)
            self.assertEqual(host.thread_cgroup(process.pid, tid),
                             "%s/web2/%s" % (host.SLICE, leaf))
            self.assertEqual(host.affinity(tid), host.cpus(cpus))
        self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")

    def test_stopped_and_started_again(self):
        """QEMU is stopped while it starts, goes on, is killed, and is started again in what it left"""
        for _ in range(2):
            process = self.start(command("web1", 2, *named("web1", False)))
            wait_for("QEMU", lambda: host.read("/proc/%d/comm" % process.pid).startswith("qemu"))
            self.assertNotEqual(status_field(process.pid, "TracerPid"), "0")
            process.send_signal(signal.SIGSTOP)
            wait_for("it is stopped", lambda: status_field(process.pid, "State")[0] in "tT")
            time.sleep(1)
            self.assertIn(status_field(process.pid, "State")[0], "tT")
            process.send_signal(signal.SIGCONT)
            self.wait_until_done("web1")
            tids = roles("web1")
            for leaf in ("vcpu0", "vcpu1"):
                self.assertEqual(host.thread_cgroup(process.pid, tids[leaf]),
                                 "%s/web1/%s" % (host.SLICE, leaf))
            self.assert_quiet()
            process.kill()
            self.assertNotIn("cpuwarden", process.communicate()[1])

    def refuse(self, status, words, args):
        done = host.run(*args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse(os.path.exists("/run/web1.qmp"))
        self.assert_nothing_left()

    def test_refused(self):
        """a wrong name, another program, pins that cannot be: QEMU is not started, nothing is left"""
        self.refuse(64, "names the VM web3, not web1",
                    command("web1", 2, *named("web3", True), given="web1"))
        self.refuse(64, "-name guest=web1 is missing", command("web1", 2))
        self.refuse(64, "is not QEMU's own program",
                    [host.PROGRAM, "exec", "web1", "--", "sleep", "-name", "web1"])
        host.configure("web1", two_vms.WEB1.replace("0 = 2", "0 = 3"))
        self.refuse(1, "web1 cannot be placed: CPU 3 is pinned to", command("web1", 2, *named("web1", True)))
        self.refuse(1, "web1 cannot be placed: CPU 3 is pinned to",
                    command("web1", 2, "-daemonize", *named("web1", True)))
        host.configure("web1", two_vms.WEB1)
        os.makedirs("/tmp/broken", exist_ok=True)
        with open("/tmp/broken/" + QEMU, "w") as f:
            os.chmod(f.fileno(), 0o755)
            f.write("\x7fELF, and no more")
        args = command("web1", 2, *named("web1", True))
        args[args.index(QEMU)] = "/tmp/broken/" + QEMU
        self.refuse(1, "cannot execute /tmp/broken/" + QEMU, args)
        # What is no fault of the command line's.
        host.configure("web1", "[vm]\npolicy = exclusive\n")
        self.refuse(1, "policy cannot be 'exclusive'", command("web1", 2, *named("web1", True)))
        host.configure(None, two_vms.HOST + GOLD)
        host.configure("web1", SHARED)
        self.refuse(1, "web1 cannot be placed: class gold has 1 CPU by its section, and for 2 vCPUs it would need 2",
                    command("web1", 2, *named("web1", True)))
        two_vms.configure()
        # It starts, and ends by itself.
        done = host.run(*command("web1", 2, "-device", "nonsense", *named("web1", True)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("nonsense", done.stderr)
        self.assert_nothing_left()

    def test_patterns(self):
        """a pattern or the defaults ask for CPUs, another pattern makes the exception; the environment is the caller's"""
        os.unlink(host.ETC + "/vms.d/web1.conf")
        environment = {"PATH": os.environ["PATH"], "HWLOC_XMLFILE": "/nowhere", "HWLOC_HIDE_ERRORS": "0"}
        given = b"".join(b"%s=%s\0" % (key.encode(), value.encode()) for key, value in environment.items())
        for section, placed in (("[vm web*]\npolicy = dedicated\n", True),
                                ("[defaults]\npolicy = dedicated\n[vm web*]\npolicy = observe\n", False),
                                ("[defaults]\npolicy = dedicated\n[vm db*]\npolicy = observe\n", True)):
            with self.subTest(section=section):
                host.configure(None, two_vms.HOST + section)
                process = self.start(command("web1", 2, *named("web1", True)), environment)
                tids = roles("web1")
                wait_for("the end of exec", lambda: not attendants())
                for leaf in ("vcpu0", "vcpu1"):
                    self.assertEqual(host.thread_cgroup(process.pid, tids[leaf]),
                                     "%s/web1/%s" % (host.SLICE, leaf) if placed else "")
                with open("/proc/%d/environ" % process.pid, "rb") as f:
                    self.assertEqual(f.read(), given)
                process.kill()
                said = process.communicate()[1]
                self.assertEqual(said, "" if placed else "cpuwarden: web1: its policy gives it no CPUs of its "
                                 "own: it runs where it was started\n")
                self.assertEqual(host.cpuwarden("apply").returncode, 0)

    def test_leftover_of_another(self):
        """what is left of another VM cannot be removed: that one is told of, and this one starts"""
        process = self.start(command("web2", 3, *named("web2", True)))
        self.wait_until_done("web2")
        process.kill()
        process.communicate()
        stranger = subprocess.Popen(["sleep", "1000"])
        self.processes.append(stranger)
        host.set_cgroup(host.SLICE + "/web2/emulator", "cgroup.procs", str(stranger.pid))
        done = host.cpuwarden("apply")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("web2: ", done.stderr)
        for more in ((), ("-daemonize", "-pidfile", "/run/web1.pid")):
            process = self.start(command("web1", 2, *more, *named("web1", True)))
            self.wait_until_done("web1")
            pid = process.pid
            if more:
                self.assertEqual(process.wait(PATIENCE), 0)
                pid = int(host.read("/run/web1.pid"))
                self.pids.append(pid)
            tids = roles("web1")
            self.assertEqual(host.thread_cgroup(pid, tids["vcpu0"]), host.SLICE + "/web1/vcpu0")
            os.kill(pid, signal.SIGKILL)
            said = process.communicate()[1]
            self.assertNotIn("web1: ", said)
            if not more:
                self.assertIn("cpuwarden: web2: ", said)
            wait_for("its end", lambda: not os.path.exists("/proc/%d" % pid))
        stranger.kill()
        stranger.wait()
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        self.assert_nothing_left()

    def test_changed_meanwhile(self):
        """while exec waits for its turn the configuration changes, and another starts the observer, which stays"""
        host.configure("web1", two_vms.WEB1.replace("0 = 2", "0 = 4"))
        self.assertEqual(host.cpuwarden("release", "--all").returncode, 0)
        self.assertFalse(os.path.exists(host.PINS))
        with hold_lock() as lock:
            process = self.start(command("web1", 2, *named("web1", True)))
            # Itself, and the attendant that it makes after its first look.
            wait_for("the attendant", lambda: len(attendants()) == 2)
            process.send_signal(signal.SIGSTOP)
            flock(lock, LOCK_UN)
        two_vms.configure()
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        started = host.health()["start"]
        process.send_signal(signal.SIGCONT)
        with host.Trace(range(8)) as trace:
            self.wait_until_done("web1")
        runs, _ = trace.account()
        trace.close()
        self.assertEqual(host.health()["start"], started)
        self.assert_born_in_place(runs, "web1", process.pid, two_vms.LEAVES["web1"])
        self.assert_quiet()

    def test_nobody_can_tell(self):
        """-daemonize: the configuration is broken when the VM is to be placed: it waits until that is mended"""
        with hold_lock():
            process = self.start(command("web1", 2, "-daemonize", "-pidfile", "/run/web1.pid",
                                         *named("web1", True)))
            held = wait_for("the VM that is held", lambda: [
                int(comm.split()[1]) for comm in map(comm_of, attendants())
                if comm.startswith("starts ")])[0]
            self.pids.append(held)
            host.configure("web1", two_vms.WEB1.replace("cpus = 1", "cpus = one"))
        time.sleep(3)
        self.assertIn(status_field(held, "State")[0], "tT")
        self.assertEqual(host.thread_cgroup(held, held), "")
        host.configure("web1", two_vms.WEB1)
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertIn("web1.conf:", process.stderr.read())
        self.wait_until_done("web1")
        self.assertEqual(int(host.read("/run/web1.pid")), held)
        tids = roles("web1")
        for leaf in ("vcpu0", "vcpu1"):
            self.assertEqual(host.thread_cgroup(held, tids[leaf]), "%s/web1/%s" % (host.SLICE, leaf))
        self.assert_quiet()

    def test_observe(self):
        """policy observe: it runs where it was started, and nothing is touched"""
        host.configure("web1", "[vm]\npolicy = observe\n")
        process = self.start(command("web1", 2, *named("web1", True)))
        self.assertTrue(roles("web1"))
        self.assertEqual(host.thread_cgroup(process.pid, process.pid), "")
        self.assertEqual(groups(), self.before)
        process.kill()
        self.assertIn("its policy gives it no CPUs of its own", process.stderr.read())
