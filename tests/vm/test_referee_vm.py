# SPDX-License-Identifier: GPL-2.0-or-later
"""
Wrongs that VMs' own threads do, also such as have just been born, and what QEMU's children do. The threads are made
in a real QEMU, by puppet.c.
"""
import os
import signal
import time

import host
from qmp import Qmp
from referee import LOUNGE, Kind, Referee, kinds


def astray(tid_of, cpu, then):
    """A thread of web1 stands in the group of another CPU while then() lasts."""
    def act(test):
        web1 = test.guest("web1")
        test.move(tid_of(web1), cpu)
        then(test, web1)
        test.send_home(web1)
    return act


def gone(name, where, then):
    """A whole VM is in a group of that CPU's, or in the lounge, while then() lasts."""
    def act(test):
        guest = test.guest(name)
        test.move_all(guest, test.group_of(where) if where else LOUNGE)
        then(test, guest)
        test.send_home(guest)
    return act


def births(name, tid_of, *options, **work):
    return lambda test: test.puppet(tid_of(test.guest(name)), *options, **work)


def main(guest):
    return guest.pid


def vcpu(index):
    return lambda guest: guest.vcpu(index)


def iothread(guest):
    return guest.iothread()


def ask(test, guest):
    test.ask(guest)


def idle(test, guest):
    time.sleep(0.7)


def breed(tid_of, *options, **work):
    return lambda test, guest: test.puppet(tid_of(guest), *options, **work)


def to_and_fro(test):
    web1 = test.guest("web1")
    for _ in range(20):
        test.move(web1.vcpu(1), 2)
        time.sleep(0.06)
        test.move(web1.vcpu(1), 3)


def real_time(test, guest):
    os.sched_setscheduler(guest.pid, os.SCHED_FIFO, os.sched_param(5))
    test.ask(guest)
    os.sched_setscheduler(guest.pid, os.SCHED_OTHER, os.sched_param(0))


def while_stopped(test):
    pid = test.guest("web1").pid
    os.kill(pid, signal.SIGSTOP)
    test.visit(2)
    os.kill(pid, signal.SIGCONT)


def vhost(test, guest):
    """Workers of the kernel's, made for QEMU by its main thread: from 6.4 on they are threads of it."""
    host.run("modprobe", "-a", "tun", "vhost_net")
    monitor = Qmp("/run/web1.qmp")
    for _ in range(5):
        monitor.call("netdev_add", type="tap", id="net1", vhost=True, vhostforce=True, script="no",
                     downscript="no", ifname="tap1")
        time.sleep(0.05)
        monitor.call("netdev_del", id="net1")
    monitor.close()


HOME1, HOME2 = [("off_set", 1)], [("off_set", 7)]
STORM = {"count": 500, "runs": 1, "loops": 2000, "pause": 100}
KINDS = [
    Kind("main_on_vcpu", "the main thread on a vCPU's CPU", astray(main, 2, ask), {("own_vm", 2): 20}),
    Kind("real_time_on_vcpu", "the main thread there, real-time", astray(main, 2, real_time), {("own_vm", 2): 20}),
    Kind("iothread_on_vcpu", "an iothread on a vCPU's CPU", astray(iothread, 2, breed(iothread)), {("own_vm", 2): 3}),
    Kind("vcpu_on_vcpu", "a vCPU on another's CPU", astray(vcpu(1), 2, idle), {("own_vm", 2): 5}),
    Kind("vcpu_moved", "a vCPU that is moved to another's CPU and back 20 times", to_and_fro, {("own_vm", 2): 5}),
    Kind("born_on_vcpu", "a thread that is born on a vCPU's CPU", births("web1", vcpu(0), runs=10), {("own_vm", 2): 12}),
    Kind("storm_on_vcpu", "500 short-lived threads on a vCPU's CPU", births("web1", vcpu(0), **STORM),
         {("own_vm", 2): 1000}),
    Kind("spoofs_vcpu", "a thread there that calls itself CPU 0/TCG", births("web1", vcpu(0), "-n", "CPU 0/TCG", runs=10),
         {("own_vm", 2): 12}),
    Kind("spoofs_kworker", "a thread there that calls itself kworker/2:1",
         births("web1", vcpu(0), "-n", "kworker/2:1", runs=10), {("own_vm", 2): 12}),
    Kind("storm_in_order", "500 short-lived threads on the emulator's CPU are in order", births("web1", main, **STORM), {}),
    Kind("vcpu_on_emulator", "a vCPU on its VM's emulator's CPU", astray(vcpu(0), 1, idle), {("off_set", 1): 5}),
    Kind("born_of_vcpu_astray", "20 threads of a vCPU that is on the emulator's CPU are in order, it is not",
         astray(vcpu(0), 1, breed(vcpu(0), count=20)), {("off_set", 1): 1}),
    Kind("vm_on_host", "a whole VM on a CPU of the host", gone("web1", None, idle), {("off_set", 0): 10}, HOME1),
    Kind("storm_on_host", "500 short-lived threads on a CPU of the host", gone("web1", None, breed(main, **STORM)),
         {("off_set", 0): 1000}, HOME1),
    Kind("vm_on_emulator", "a whole VM on another VM's emulator's CPU", gone("web2", 1, ask), {("other_vm", 1): 20}, HOME2),
    Kind("vm_on_vcpu", "a whole VM on another VM's vCPU's CPU", gone("web2", 2, ask), {("other_vm", 2): 20}, HOME2),
    Kind("iothread_of_other", "another VM's iothread there", gone("web2", 2, breed(iothread)), {("other_vm", 2): 3}, HOME2),
    Kind("storm_of_other", "500 short-lived threads of another VM there", gone("web2", 2, breed(main, **STORM)),
         {("other_vm", 2): 1000}, HOME2),
    Kind("spoof_of_other", "a thread of another VM there that calls itself CPU 0/TCG",
         gone("web2", 2, breed(vcpu(0), "-n", "CPU 0/TCG", runs=10)), {("other_vm", 2): 12}, HOME2),
    Kind("child", "a child process of QEMU", births("web1", main, "-f", runs=10), {("user", 1): 10}),
    Kind("child_of_vcpu", "a child process of a vCPU, on its CPU", births("web1", vcpu(0), "-f", runs=10),
         {("user", 2): 10, ("own_vm", 2): 1}),
    Kind("child_executes", "20 of QEMU's children that execute another program",
         births("web1", main, "-f", "-x", "/bin/true", count=20), {("user", 1): 40}),
    Kind("child_of_other", "a child process of another VM's", gone("web2", 2, breed(main, "-f", runs=10)),
         {("user", 2): 10, ("other_vm", 2): 1}, HOME2),
    Kind("vm_stopped", "a host task on a vCPU's CPU while the VM is stopped", while_stopped, {("user", 2): 40}),
    Kind("vhost", "vhost's workers born on a vCPU's CPU", astray(main, 2, vhost), {("own_vm", 2): 5}),
]


@kinds(KINDS)
class Vm(Referee):
    pass
