# SPDX-License-Identifier: GPL-2.0-or-later
"""
Wrongs while the host or a VM changes: CPUs and partitions that go, VMs that end or become something else, numbers of
ended threads that others get.
"""
import contextlib
import os
import time

import host
from qmp import ask
from referee import ANY, LOUNGE, Kind, Referee, kinds


def cpu_off_and_on(test):
    """With a host task on it, which the kernel moves to wherever its group may be."""
    test.broken.add(("web1", "open"))
    process = host.intrude(200, 2000, 3000, None, test.group_of(3))
    time.sleep(0.3)
    host.set_online(3, False)
    time.sleep(0.3)
    host.set_online(3, True)
    process.communicate()


def door_open(test):
    """An admin ends the partitions; a host task comes, by a group beside the VM's."""
    test.broken.add(("web1", "open"))
    for group in ("web1/vcpu0", "web1"):
        host.set_cgroup(host.SLICE + "/" + group, "cpuset.cpus.partition", "member")
    beside = host.SLICE + "/beside"
    os.mkdir(os.path.join(host.CGROUP, beside))
    process = host.intrude(40, 2000, 3000, 2, beside)
    process.communicate()
    os.rmdir(os.path.join(host.CGROUP, beside))


def partition_invalid(test):
    """An admin takes away what it needs: its claim, or where there are none a CPU for another group."""
    test.broken.update({("web1", "open"), ("web2", "open")})
    group, where = (host.SLICE + "/web1", None) if host.REMOTE else (host.SLICE, LOUNGE)
    if host.REMOTE:
        # The newest has it without a claim of its own, 6.12 without one above it.
        host.set_cgroup(host.SLICE if host.kernel() > (6, 18) else group, "cpuset.cpus.exclusive", "")
    else:
        host.set_cgroup(LOUNGE, "cpuset.cpus", "0,2")
    test.assertIn("invalid", host.cgroup(group, "cpuset.cpus.partition"))
    process = host.intrude(40, 2000, 3000, 2, where)
    process.communicate()


def vm_killed(test):
    """With a host task on its vCPU's CPU, whose later runs are nobody's business."""
    test.broken.add(("web2", "ended"))
    process = host.intrude(100, 2000, 3000, None, test.group_of(5))
    time.sleep(0.4)
    test.guest("web2").kill()
    process.communicate()


def killed_astray(test):
    """On another VM's CPU."""
    test.broken.add(("web2", "ended"))
    web2 = test.guest("web2")
    test.move_all(web2, test.group_of(2))
    test.ask(web2)
    web2.kill()


def vm_executes(test):
    """With a host task on its vCPU's CPU."""
    test.broken.add(("web2", "ended"))
    web2 = test.guest("web2")
    process = host.intrude(100, 2000, 3000, None, test.group_of(5))
    time.sleep(0.4)
    test.puppet(web2.pid, "-X", "/bin/sleep", count=0)
    process.communicate()


def main_ends(test):
    """Its vCPUs go on, and own their CPUs."""
    test.broken.add(("web2", "ended"))
    test.puppet(test.guest("web2").pid, "-E")
    time.sleep(0.1)
    test.visit(5)


# ---- numbers ----

@contextlib.contextmanager
def few_numbers():
    """The kernel gives numbers in order: with few of them, one that has become free is soon given again."""
    path = "/proc/sys/kernel/pid_max"
    before = host.read(path)
    highest = max(int(tid) for pid in filter(str.isdigit, os.listdir("/proc")) for tid in tasks(pid))
    host.write(path, str(max(highest + 100, 800)))
    try:
        yield
    finally:
        host.write(path, before)


def tasks(pid):
    try:
        return os.listdir("/proc/%s/task" % pid)
    except FileNotFoundError:
        return []


def to_host_task(test, tid, cpu):
    """A host task gets the number, and enters that CPU's group."""
    test.reborn = tid
    with few_numbers():
        process = host.intrude(40, 2000, 3000, None, None, ("-r", str(tid)))
        assert int(process.stdout.readline()) == tid
        host.set_cgroup(test.group_of(cpu), "cgroup.procs", str(tid))
        _, told = process.communicate()
        test.assertEqual(process.returncode, 0, told)


def to_thread(test, tid, maker):
    """One of 200 threads that another makes gets it."""
    test.reborn = tid
    with few_numbers():
        done = host.run(os.path.join(host.HELPERS, "intruder"), "-a", str(tid))
        test.assertEqual(done.returncode, 0, done.stderr)
        test.puppet(maker, count=200, runs=1, loops=20000)


def add_iothread(test):
    """One that the observer knows by its number."""
    web1 = test.guest("web1")
    ask("web1", "object-add", **{"qom-type": "iothread", "id": "iothread2"})
    test.apply()
    test.former = next(tid for tid in web1.threads() if web1.comm(tid) == "IO iothread2")


def end_iothread(test):
    ask("web1", "object-del", id="iothread2")
    return test.former


def end_vcpu(test):
    test.broken.add(("web1", "ended"))
    web1 = test.guest("web1")
    tid = web1.vcpu(0)
    test.puppet(tid, "-E")
    while tid in web1.threads():
        time.sleep(0.02)
    return tid


def end_vm(test):
    test.broken.add(("web2", "ended"))
    test.guest("web2").kill()
    return test.guest("web2").pid


def main_on_vcpu(test, then):
    web1 = test.guest("web1")
    test.move(web1.pid, 2)
    then(web1.pid)
    test.send_home(web1)


CHANGES = [
    Kind("cpu_off_and_on", "a vCPU's CPU goes off and on, with a host task on it", cpu_off_and_on, {("user", 3): 20}, ANY,
         open=True),
    Kind("door_open", "partitions are ended, and a host task comes", door_open, {("user", 2): 40}, ANY, open=True),
    Kind("partition_invalid", "a partition turns invalid, and a host task comes", partition_invalid, {("user", 2): 40},
         ANY, open=True),
    Kind("vm_killed", "a VM is killed in the middle of a host task's visit", vm_killed, {("user", 5): 20}),
    Kind("killed_astray", "a VM is killed on another's CPU", killed_astray, {("other_vm", 2): 20}),
    Kind("main_ends", "a VM's main thread ends, its vCPUs go on", main_ends, {("user", 5): 40}),
    Kind("vm_executes", "a VM becomes another program in the middle of a visit", vm_executes, {("user", 5): 20}),
]

NUMBERS = [
    Kind("thread_to_host", "a host task with the number of an ended thread",
         lambda test: to_host_task(test, end_iothread(test), 2), {("user", 2): 30}, before=add_iothread),
    Kind("thread_to_same", "a new thread of the VM with it, on a vCPU's CPU",
         lambda test: to_thread(test, end_iothread(test), test.guest("web1").vcpu(0)), {("own_vm", 2): 80},
         before=add_iothread),
    Kind("thread_to_other", "a thread of another VM with it, in order",
         lambda test: to_thread(test, end_iothread(test), test.guest("web2").pid), {}, before=add_iothread),
    Kind("vcpu_to_host", "a host task with the number of an ended vCPU, on its CPU",
         lambda test: to_host_task(test, end_vcpu(test), 2), {("user", 2): 30}),
    Kind("vcpu_to_same", "a new thread of the VM with it, on that CPU",
         lambda test: main_on_vcpu(test, lambda main: to_thread(test, end_vcpu(test), main)), {("own_vm", 2): 80}),
    Kind("vm_to_host", "a host task with the number of an ended VM, on another VM's CPU",
         lambda test: to_host_task(test, end_vm(test), 2), {("user", 2): 30}),
    Kind("vm_to_own", "a host task with it, on the ended VM's CPU",
         lambda test: to_host_task(test, end_vm(test), 5), {}),
]


@kinds(CHANGES)
class Change(Referee):
    pass


@kinds(NUMBERS)
class Number(Referee):
    pass
