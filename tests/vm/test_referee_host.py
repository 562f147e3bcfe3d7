# SPDX-License-Identifier: GPL-2.0-or-later
"""
Wrongs that tasks of the host and kernel threads do to a VM: by what they are, how they run, and how they come and go.
"""
import os
import signal
import time

import host
from referee import LOUNGE, Kind, Referee, kinds


def visit(cpu, *options, **runs):
    return lambda test: test.visit(cpu, *options, **runs)


def start(group, runs, busy, pause, *options):
    process = host.intrude(runs, busy, pause, None, group, options)
    return process, int(process.stdout.readline())


def killed(test):
    """While it computes."""
    process, _ = start(test.group_of(2), 1, 10000000, 0)
    time.sleep(0.3)
    process.kill()
    process.communicate()


def paused(test):
    process, pid = start(test.group_of(2), 20, 5000, 5000)
    for _ in range(5):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.02)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)
    process.communicate()


def to_and_fro(test):
    """A task that never sleeps is moved in and out."""
    process, pid = start(LOUNGE, 1, 10000000, 0)
    for _ in range(20):
        host.set_cgroup(test.group_of(2), "cgroup.procs", str(pid))
        time.sleep(0.02)
        host.set_cgroup(LOUNGE, "cgroup.procs", str(pid))
    process.kill()
    process.communicate()


def from_cpu_to_cpu(test):
    """Of both VMs."""
    process, pid = start(LOUNGE, 1, 10000000, 0)
    for _ in range(5):
        for cpu in (1, 2, 3, 4, 5, 6, 7):
            host.set_cgroup(test.group_of(cpu), "cgroup.procs", str(pid))
            time.sleep(0.01)
    process.kill()
    process.communicate()


def two_at_once(test):
    group = test.group_of(5)
    process, _ = start(group, 40, 2000, 3000)
    test.visit(2)
    process.communicate()


def shell(test):
    """Its children are born there and execute something else."""
    def enter():
        host.set_cgroup(test.group_of(2), "cgroup.procs", str(os.getpid()))
    host.run("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; /bin/true; done", preexec_fn=enter)


def namespaced(test):
    """Its own number is another one."""
    def enter():
        host.set_cgroup(test.group_of(2), "cgroup.procs", str(os.getpid()))
    host.run("unshare", "--pid", "--fork", os.path.join(host.HELPERS, "intruder"), "40", "2000", "3000", preexec_fn=enter)


def kernel_thread(name, cpu, work, rest):
    """One that may be moved, while work() keeps it busy."""
    def act(test):
        pid = int(host.run("pgrep", "-x", name).stdout)
        before = host.affinity(pid)
        host.set_cgroup(test.group_of(cpu), "cgroup.procs", str(pid))
        work()
        rest()
        host.set_cgroup("", "cgroup.procs", str(pid))
        os.sched_setaffinity(pid, before)
    return act


MM = "/sys/kernel/mm"


def merge_pages():
    host.write(MM + "/ksm/pages_to_scan", "2000")
    host.write(MM + "/ksm/run", "1")
    time.sleep(0.7)


def merge_no_pages():
    host.write(MM + "/ksm/run", "0")
    time.sleep(0.3)


def unbound_worker(mask):
    """Workers that belong to no CPU are told which they may use; what is written to a terminal needs them."""
    def act(test):
        path = "/sys/devices/virtual/workqueue/cpumask"
        before = host.read(path)
        controller, terminal = os.openpty()
        host.write(path, mask)
        for _ in range(100):
            os.write(controller, b"x\n")
            time.sleep(0.002)
        host.write(path, before)
        time.sleep(0.3)
        os.close(controller)
        os.close(terminal)
    return act


def bound_workers(test):
    """The pages of a trace buffer are given back by a worker on each CPU."""
    instance = host.TRACING + "/instances/referee"
    os.mkdir(instance)
    for _ in range(10):
        host.write(instance + "/buffer_size_kb", "4096")
        host.write(instance + "/buffer_size_kb", "16")
    os.rmdir(instance)


KINDS = [
    Kind("emulator", "a host task on the emulator's CPU", visit(1), {("user", 1): 40}),
    Kind("vcpu", "a host task on a vCPU's CPU", visit(2), {("user", 2): 40}),
    Kind("20_us", "a host task with runs of 20 us", visit(2, runs=300, busy=20, pause=1000), {("user", 2): 300}),
    Kind("2_s", "a host task that stays for 2 s", visit(2, runs=1, busy=2000000), {("user", 2): 1}),
    Kind("fifo", "a real-time task (FIFO)", visit(2, "-p", "fifo"), {("user", 2): 40}),
    Kind("rr", "a real-time task (RR)", visit(2, "-p", "rr"), {("user", 2): 40}),
    Kind("deadline", "a deadline task", visit(1, "-p", "deadline"), {("user", 1): 40}),
    Kind("batch", "a batch task", visit(2, "-p", "batch"), {("user", 2): 40}),
    Kind("idle", "a task of the idle policy", visit(2, "-p", "idle"), {("user", 2): 40}),
    Kind("nice", "a task of nice -20", visit(2, "-p", "nice"), {("user", 2): 40}),
    Kind("fork_storm", "a storm of 200 forks", visit(2, "-f", "200", runs=1, busy=100, pause=10), {("user", 2): 400}),
    Kind("threads", "a process of 200 threads", visit(2, "-t", "200", runs=1, busy=100, pause=10), {("user", 2): 400}),
    Kind("exec", "a task that executes itself in place 10 times", visit(2, "-e", "10", runs=2), {("user", 2): 20}),
    Kind("turns", "two threads that wake each other 500 times", visit(2, "-2", runs=500, busy=50), {("user", 2): 900}),
    Kind("as_vcpu", "a task that calls itself CPU 0/TCG", visit(2, "-n", "CPU 0/TCG"), {("user", 2): 40}),
    Kind("as_qemu", "a task that calls itself qemu-system-x86", visit(1, "-n", "qemu-system-x86"), {("user", 1): 40}),
    Kind("as_kworker", "a task that calls itself kworker/2:1", visit(2, "-n", "kworker/2:1"), {("user", 2): 40}),
    Kind("as_migration", "a task that calls itself migration/2", visit(2, "-n", "migration/2"), {("user", 2): 40}),
    Kind("as_vhost", "a task that calls itself vhost-1", visit(2, "-n", "vhost-1"), {("user", 2): 40}),
    Kind("killed", "a task that is killed in its run", killed, {("user", 2): 1}),
    Kind("paused", "a task that is stopped and goes on", paused, {("user", 2): 20}),
    Kind("to_and_fro", "a task that never sleeps is moved there and back 20 times", to_and_fro, {("user", 2): 20}),
    Kind("from_cpu_to_cpu", "a task that visits all CPUs of both VMs, five times", from_cpu_to_cpu,
         {("user", cpu): 5 for cpu in (1, 2, 3, 4, 5, 6, 7)}),
    Kind("two_at_once", "a task with each of two VMs", two_at_once, {("user", 2): 40, ("user", 5): 40}),
    Kind("shell", "a shell and 20 programs", shell, {("user", 2): 20}),
    Kind("namespaced", "a task in a pid namespace", namespaced, {("user", 2): 40}),
    Kind("as_swapper", "a task that calls itself swapper/2", visit(2, "-n", "swapper/2"), {("user", 2): 40}),
]

KERNEL = [
    Kind("ksmd_on_emulator", "a kernel thread that was moved to the emulator's CPU",
         kernel_thread("ksmd", 1, merge_pages, merge_no_pages), {("kthread", 1): 10}),
    Kind("ksmd_on_vcpu", "a kernel thread that was moved to a vCPU's CPU",
         kernel_thread("ksmd", 2, merge_pages, merge_no_pages), {("kthread", 2): 10}),
    Kind("unbound_workers", "workers of no CPU, allowed on two of the VM's", unbound_worker("0a"),
         {}, [("kthread", 1), ("kthread", 3)]),
    Kind("unbound_on_one", "workers of no CPU, allowed on the emulator's alone", unbound_worker("02"), {("kthread", 1): 50}),
    Kind("bound_workers", "workers of each CPU, made busy: no violation", bound_workers,
         {("bound_kthread", cpu): 20 for cpu in (1, 2, 3, 4, 5, 6, 7)}),
]


@kinds(KINDS)
class Host(Referee):
    pass


@kinds(KERNEL)
class Kernel(Referee):
    pass
