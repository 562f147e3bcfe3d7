# SPDX-License-Identifier: GPL-2.0-or-later
"""
The host under test, as a test sees it: cgroup files, real QEMU processes, the program, ftrace. Runs as root
inside tools/vm. What is read here is read from the kernel, never from the program under test.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(REPO, "build/cpuwarden")
# Another build of it, which takes the observer over.
NEXT = os.path.join(REPO, "build/next/cpuwarden")
HELPERS = os.path.join(REPO, "build/tests/vm/helpers")
GUESTS = os.path.join(REPO, "build/tests/vm/guest")
CGROUP = "/sys/fs/cgroup"
SLICE = "cpuwarden.slice"
TRACING = "/sys/kernel/tracing"
PINS = "/sys/fs/bpf/cpuwarden"
ETC = "/etc/cpuwarden"
RUN = "/run/cpuwarden"

# Kernels with remote partitions: the slice need not be a partition itself.
REMOTE = os.path.exists(os.path.join(CGROUP, "cpuset.cpus.isolated"))


def read(path):
    with open(path) as f:
        return f.read().rstrip("\n")


def write(path, text):
    """One write() of its own, as a shell's echo does; raises OSError as the kernel refuses."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, (text + "\n").encode())
    finally:
        os.close(fd)


def cgroup(path, name):
    return read(os.path.join(CGROUP, path, name))


def set_cgroup(path, name, text):
    write(os.path.join(CGROUP, path, name), text)


def cpus(text):
    """A kernel list as a set of numbers."""
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def run(*args, **kwargs):
    return subprocess.run(args, text=True, capture_output=True, timeout=300, **kwargs)


def must(*args):
    """The same of what has to succeed: fails with all that it said."""
    done = run(*args)
    if done.returncode:
        raise AssertionError("%s: %s" % (" ".join(args), done.stdout + done.stderr))
    return done


def cpuwarden(*args, etc=ETC):
    return run(PROGRAM, *args, "--etc", etc)


def apply(*options, program=PROGRAM):
    return must(program, "apply", *options)


def cpuwarden_json(*args):
    done = cpuwarden(*args, "--json")
    return done.returncode, json.loads(done.stdout)


def kernel():
    return tuple(int(x) for x in os.uname().release.split("-")[0].split(".")[:2])


def configure(name, text, folder=ETC):
    os.makedirs(os.path.join(folder, "vms.d"), exist_ok=True)
    path = os.path.join(folder, "vms.d", name + ".conf") if name else \
        os.path.join(folder, "cpuwarden.conf")
    with open(path, "w") as f:
        f.write(text)
    return path


def forget_configuration():
    shutil.rmtree(ETC, ignore_errors=True)
    shutil.rmtree(RUN, ignore_errors=True)


class Guest:
    """
    A QEMU process whose vCPUs all run: `spin` computes, `tick` wakes a thousand times a second, `calm` twenty times,
    which leaves the emulated host time for everything else, `work` as often and computes for about a millisecond.
    """

    def __init__(self, name, vcpus, mode="spin", wait=True, smp=None):
        self.name = name
        self.vcpus = vcpus
        self.process = subprocess.Popen([
            "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi",
            "-smp", smp or str(vcpus), "-m", "32", "-nodefaults", "-display", "none",
            "-name", "guest=%s,debug-threads=on" % name,
            "-object", "iothread,id=iothread1",
            "-qmp", "unix:/run/%s.qmp,server=on,wait=off" % name,
            "-bios", os.path.join(GUESTS, mode + ".bin")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        if wait:
            self.wait_until_all_run()

    def wait_until_all_run(self):
        deadline = time.time() + 120
        while time.time() < deadline:
            vcpus = [tid for tid in self.threads() if self.role(tid)[0] == "vcpu"]
            if len(vcpus) == self.vcpus and all(self.run_ns(tid) > 1e6 for tid in vcpus):
                return
            if self.process.poll() is not None:
                raise RuntimeError("guest %s ended" % self.name)
            time.sleep(0.1)
        raise RuntimeError("guest %s: not every vCPU runs" % self.name)

    def threads(self):
        try:
            return sorted(int(t) for t in os.listdir("/proc/%d/task" % self.pid))
        except FileNotFoundError:
            return []

    def comm(self, tid):
        try:
            return read("/proc/%d/task/%d/comm" % (self.pid, tid))
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def run_ns(self, tid):
        return int(read("/proc/%d/task/%d/schedstat" % (self.pid, tid)).split()[0])

    def role(self, tid):
        """By its name: ("vcpu", 0), ("iothread", 1), or ("emulator", None)."""
        found = re.match(r"CPU (\d+)/|IO iothread(\d+)$", self.comm(tid))
        if not found:
            return "emulator", None
        return ("vcpu", int(found[1])) if found[1] else ("iothread", int(found[2]))

    def leaf(self, tid, leaves):
        """Which of these groups it belongs in: what has none of its own is with the emulator."""
        kind, index = self.role(tid)
        own = "%s%s" % (kind, index)
        return own if own in leaves else "emulator"

    def vcpu(self, index):
        return next(tid for tid in self.threads() if self.role(tid) == ("vcpu", index))

    def iothread(self):
        return next(tid for tid in self.threads() if self.role(tid) == ("iothread", 1))

    def kill(self):
        self.process.kill()
        self.process.wait()


def stat_fields(tid):
    """What the kernel's line on a thread says behind its name; see proc_pid_stat(5), whose field 3 is [0]."""
    return read("/proc/%d/stat" % tid).rpartition(")")[2].split()


def set_online(cpu, online):
    write("/sys/devices/system/cpu/cpu%d/online" % cpu, "1" if online else "0")


def affinity(tid):
    return os.sched_getaffinity(tid)


def thread_cgroup(pid, tid):
    for line in read("/proc/%d/task/%d/cgroup" % (pid, tid)).splitlines():
        if line.startswith("0::"):
            return line[3:].lstrip("/")
    raise AssertionError("no cgroup v2 line")


PF_WQ_WORKER = 0x20  # include/linux/sched.h


def dump():
    """Settings of every cgroup, and the affinity and cgroup of every thread that is not of this test."""
    groups = {}
    for path, _, files in os.walk(CGROUP):
        for name in files:
            if name in ("cgroup.subtree_control", "cgroup.type", "cpuset.cpus", "cpuset.mems",
                        "cpuset.cpus.effective", "cpuset.cpus.partition", "cpuset.cpus.exclusive",
                        "cpuset.cpus.isolated"):
                file = os.path.join(path, name)
                groups[file] = read(file)
    threads = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for tid in os.listdir("/proc/%s/task" % pid):
                # Workers come and go, and are the kernel's to bind; a workqueue's rescuer, which has that one's name,
                # stays bound to where it last helped (before 6.10).
                comm = read("/proc/%s/task/%s/comm" % (pid, tid))
                flags = int(read("/proc/%s/task/%s/stat" % (pid, tid)).rsplit(")", 1)[1].split()[6])
                if flags & PF_WQ_WORKER or int(pid) == os.getpid():
                    continue
                threads[comm, int(tid)] = (thread_cgroup(int(pid), int(tid)),
                                           sorted(affinity(int(tid))))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return groups, threads


def assert_given_back(test, before):
    """All is as dump() said before, threads aside that have come or gone since."""
    groups, threads = dump()
    test.assertEqual(groups, before[0])
    test.assertEqual({thread: facts for thread, facts in threads.items() if thread in before[1]},
                     {thread: facts for thread, facts in before[1].items() if thread in threads})


class Trace:
    """
    ftrace's sched_switch on some CPUs, as an independent account of the same window; with `lives` also births, programs
    and ends of tasks.
    """
    LIVES = ("task/task_newtask", "sched/sched_process_exec", "sched/sched_process_exit")

    def __init__(self, on_cpus, kib=16384, lives=False):
        write(TRACING + "/tracing_on", "0")
        write(TRACING + "/current_tracer", "nop")
        write(TRACING + "/trace_clock", "mono")
        write(TRACING + "/buffer_size_kb", str(kib))
        write(TRACING + "/tracing_cpumask", "%x" % sum(1 << c for c in on_cpus))
        write(TRACING + "/options/overwrite", "0")
        write(TRACING + "/events/sched/sched_switch/enable", "1")
        for event in self.LIVES:
            write("%s/events/%s/enable" % (TRACING, event), "1" if lives else "0")
        self.cpus = on_cpus

    def __enter__(self):
        with open(TRACING + "/trace", "w"):
            pass
        write(TRACING + "/tracing_on", "1")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        write(TRACING + "/tracing_on", "0")

    def runs(self, *args):
        """What the helper of that name makes of it, in lines. Fails if an event was lost."""
        for cpu in self.cpus:
            for line in read("%s/per_cpu/cpu%d/stats" % (TRACING, cpu)).splitlines():
                name, _, value = line.partition(":")
                if name in ("overrun", "commit overrun", "dropped events") and int(value):
                    raise AssertionError("ftrace lost events on CPU %d: %s" % (cpu, line))
        with open(TRACING + "/trace") as trace:
            done = subprocess.run([os.path.join(HELPERS, "runs"), *args], stdin=trace, text=True,
                                  capture_output=True)
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout.splitlines()

    def account(self):
        """({(cpu, tid): (count, ns, comm)}, {cpu: switches})"""
        runs, switches = {}, {}
        for line in self.runs():
            if line.startswith("switches "):
                _, cpu, count = line.split()
                switches[int(cpu)] = int(count)
            else:
                cpu, tid, count, ns, comm = (line.split(" ", 4) + [""])[:5]
                runs[int(cpu), int(tid)] = (int(count), int(ns), comm)
        return runs, switches

    def close(self):
        self.stop()
        for event in ("sched/sched_switch",) + self.LIVES:
            write("%s/events/%s/enable" % (TRACING, event), "0")
        with open(TRACING + "/trace", "w"):
            pass
        write(TRACING + "/buffer_size_kb", "64")


def map_rows(name):
    """A pinned map by bpftool, [(key, value)]."""
    done = must("bpftool", "-j", "map", "dump", "pinned", os.path.join(PINS, name))
    rows = [row["formatted"] for row in json.loads(done.stdout)]
    return [(row["key"], row["value"]) for row in rows]


def dump_map(name):
    """One whose keys are numbers, {key: value}."""
    return dict(map_rows(name))


def counters():
    return dump_map("cpu_counters")


def health():
    return dump_map("health")[0]


def intrude(runs, busy_us, pause_us, cpu=None, cgroup_path=None, options=()):
    """A host task that bothers a CPU. Returns the process; its pid is its tid. Options: see intruder.c."""
    args = [os.path.join(HELPERS, "intruder"), *options, str(runs), str(busy_us), str(pause_us)]
    if cpu is not None:
        args.append(str(cpu))

    def enter():
        if cgroup_path is not None:
            set_cgroup(cgroup_path, "cgroup.procs", str(os.getpid()))
    return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=enter)


def wait_for(what, found, seconds=60):
    """What found() says, once it is something."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("not within %d s: %s" % (seconds, what))


def faultat(*args):
    """helpers/faultat.c before a run of the program."""
    return [os.path.join(HELPERS, "faultat"), *(str(arg) for arg in args), PROGRAM]


def kill_at(call, *verb):
    """Runs the program until it is about to make that call of those that change something, the first being 1."""
    return run(*faultat(call), *verb)


def calls_of(*verb):
    """How many such calls it makes."""
    return int(kill_at(10 ** 9, *verb).stdout.split()[-1])


def stop_all(guests):
    for guest in guests:
        if guest.process.poll() is None:
            os.kill(guest.pid, signal.SIGKILL)
        guest.process.wait()
