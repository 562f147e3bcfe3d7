# SPDX-License-Identifier: GPL-2.0-or-later
"""
Domains of libvirt and bare VMs beside the daemon, in random order: started, pinned, plugged, stopped, damaged, the
daemon killed meanwhile. At each quiet point every thread is where policy says, by the kernel's files, and nothing is
left of what is no more. RANDOM_OPERATIONS and RANDOM_SEED of the environment say how many, and in which order.

vCPUs are not unplugged: of an emulated one QEMU never says that it is gone, and libvirt waits in vain.
"""
import os
import random
import re
import signal
import subprocess
import time
import unittest

import account
import domains
import host
import service
from domains import virsh
from test_exec import command, named

OPERATIONS = int(os.environ.get("RANDOM_OPERATIONS", "200"))
SEED = int(os.environ.get("RANDOM_SEED", "20"))
QUIET_EVERY = 10
ACCOUNT_EVERY = 50
PATIENCE = 90
ALL = set(range(os.cpu_count()))
HOUSEKEEPING = {0}
CONFIG = """[host]
housekeeping = 0
[defaults]
policy = dedicated
"""
BARE = "[vm]\npolicy = dedicated\n[vcpupin]\n0 = %d\n[emulatorpin]\ncpus = %d\n"
MAX_VCPUS = 3


def root_cpus():
    return host.cpus(host.cgroup("", "cpuset.cpus.effective"))


def listing(folder):
    return sorted(os.listdir(folder)) if os.path.exists(folder) else []


class Vm:
    """What policy says of one. pins: {vCPU: its CPU, or None where any may be chosen}."""

    def __init__(self, name, pins):
        self.name = name
        self.pins = pins
        self.suspended = False

    def is_there(self):
        try:
            return host.stat_fields(self.pid)[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def threads(self):
        return [int(tid) for tid in os.listdir("/proc/%d/task" % self.pid)]

    def vcpu_cpus(self):
        """{vCPU: its CPU}, by the kernel's files."""
        found = {}
        for index in self.pins:
            (found[index],) = host.cpus(host.cgroup(self.leaf("vcpu%d" % index), "cpuset.cpus.effective"))
        return found

    def check_vcpu(self, test, index):
        leaf, tid, pin = self.leaf("vcpu%d" % index), self.vcpu(index), self.pins[index]
        cpus = host.cpus(host.cgroup(leaf, "cpuset.cpus"))
        said = (self.name, index, cpus)
        test.assertEqual(host.thread_cgroup(self.pid, tid), leaf, said)
        test.assertEqual(host.cgroup(leaf, "cgroup.threads").split(), [str(tid)], said)
        test.assertEqual(len(cpus), 1, said)
        if pin is not None:
            test.assertEqual(cpus, {pin}, said)
        test.assertFalse(cpus & HOUSEKEEPING, said)
        test.assertEqual(host.cpus(host.cgroup(leaf, "cpuset.cpus.effective")), cpus, said)
        test.assertEqual(host.cgroup(leaf, "cpuset.cpus.partition"), "isolated", said)
        test.assertEqual(host.affinity(tid), cpus, said)
        return cpus


class Domain(Vm):
    """Of libvirt. emulator and iothreads: pins as virsh was told, None: none."""

    def __init__(self, name, pins, emulator):
        super().__init__(name, pins)
        self.emulator = emulator
        self.iothreads = {1: None}
        domains.PINS[name] = "".join("<vcpupin vcpu='%d' cpuset='%d'/>" % pin for pin in pins.items()
                                     if pin[1] is not None) + (
            "<emulatorpin cpuset='%s'/>" % ",".join(map(str, emulator)) if emulator else "")
        self.domain = domains.Domain(name, len(pins))
        self.pid = self.domain.pid

    def leaf(self, name):
        return self.domain.leaf(name)

    def vcpu(self, index):
        return self.domain.vcpu(index)

    def check(self, test, reserved):
        """Of all its threads; returns the CPUs of its vCPUs."""
        own = set().union(*(self.check_vcpu(test, index) for index in self.pins))
        tids = {self.vcpu(index) for index in self.pins}
        leaves = {self.leaf("emulator"): self.emulator}
        leaves.update((self.leaf("iothread%d" % index), pin) for index, pin in self.iothreads.items())
        met = set()
        for tid in set(self.threads()) - tids:
            leaf = host.thread_cgroup(self.pid, tid)
            test.assertIn(leaf, leaves, (self.name, tid))
            met.add(leaf)
            may = (leaves[leaf] or ALL) - reserved
            test.assertLessEqual(host.affinity(tid), may, (self.name, leaf, tid))
            # libvirt binds the one, the others keep what they were born with.
            if tid == self.pid and self.emulator:
                test.assertEqual(host.affinity(tid), may, (self.name, leaf, tid))
        test.assertEqual(met, set(leaves), self.name)
        test.assertEqual(sorted(name for name in os.listdir(os.path.join(host.CGROUP, self.leaf("")))
                                if name.startswith("vcpu")), ["vcpu%d" % index for index in sorted(self.pins)])
        return own

    def emulator_cpus(self):
        return set()

    def sets(self):
        """As account.Reservations wants them."""
        cpus = self.vcpu_cpus()
        own = {self.vcpu(index): {cpu} for index, cpu in cpus.items()}
        everywhere = ALL - set(cpus.values())
        for index, pin in self.iothreads.items():
            for tid in host.cgroup(self.leaf("iothread%d" % index), "cgroup.threads").split():
                own[int(tid)] = (pin or everywhere) - set(cpus.values())
        return self.pid, own, (self.emulator or everywhere) - set(cpus.values())


class Bare(Vm):
    """In groups of ours: one vCPU, and its emulator on a CPU of its own, which is `emulator`, or None: any."""

    def __init__(self, name, pin, emulator):
        super().__init__(name, {0: pin})
        self.emulator = emulator

    def leaf(self, name):
        return "/".join(filter(None, [host.SLICE, self.name, name]))

    def vcpu(self, index):
        return next(tid for tid in self.threads() if self.comm(tid).startswith("CPU %d/" % index))

    def comm(self, tid):
        return host.read("/proc/%d/task/%d/comm" % (self.pid, tid))

    def check(self, test, reserved):
        own = self.check_vcpu(test, 0)
        emulator = host.cpus(host.cgroup(self.leaf("emulator"), "cpuset.cpus"))
        test.assertEqual(len(emulator), 1, self.name)
        if self.emulator is not None:
            test.assertEqual(emulator, {self.emulator}, self.name)
        test.assertEqual(host.cgroup(self.leaf(""), "cpuset.cpus.partition"), "root", self.name)
        for tid in set(self.threads()) - {self.vcpu(0)}:
            test.assertEqual(host.thread_cgroup(self.pid, tid), self.leaf("emulator"), self.name)
            test.assertEqual(host.affinity(tid), emulator, self.name)
        return own

    def emulator_cpus(self):
        return host.cpus(host.cgroup(self.leaf("emulator"), "cpuset.cpus"))

    def sets(self):
        return self.pid, {self.vcpu(0): set(self.vcpu_cpus().values())}, self.emulator_cpus()


class Random(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        os.sched_setaffinity(0, HOUSEKEEPING)
        host.configure(None, CONFIG)
        service.install()
        # What libvirt does to the host at the first domain is not ours to give back.
        Domain("first", {0: None}, None)
        virsh("destroy", "first")
        time.sleep(1)
        cls.before = host.dump()

    @classmethod
    def tearDownClass(cls):
        service.stop()
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        os.sched_setaffinity(0, ALL)

    def setUp(self):
        self.random = random.Random(SEED)
        self.vms = {}
        self.children = {}
        self.files = {}
        self.done = {}
        self.addCleanup(self.stop_all)

    def stop_all(self):
        for name in list(self.vms):
            self.stop(name)

    def stop(self, name):
        vm = self.vms.pop(name)
        if isinstance(vm, Domain):
            host.run("virsh", "destroy", name)
        else:
            self.children[name].kill()
            self.children[name].wait()

    # ---- what may be done: each returns what it did, or None where it cannot be done now ----

    def pick(self, kind, test=lambda vm: True):
        found = [vm for _, vm in sorted(self.vms.items()) if isinstance(vm, kind) and test(vm)]
        return self.random.choice(found) if found else None

    def free(self):
        """CPUs that nobody has or will be given; all is settled first, for policy may be about to choose."""
        self.settle()
        return sorted(root_cpus() - HOUSEKEEPING)

    def start_domain(self):
        name = self.random.choice(["vm1", "vm2"])
        n = self.random.randint(1, 2)
        if name in self.vms or len(self.free()) < n:
            return None
        free = self.free()
        self.random.shuffle(free)
        pins = {i: self.random.choice([free[i], free[i], None]) for i in range(n)}
        emulator = self.random.choice([HOUSEKEEPING, None])
        self.vms[name] = Domain(name, pins, emulator)
        return "%s, pins %s, emulator %s" % (name, pins, emulator)

    def start_bare(self):
        free = self.free()
        if "bare" in self.vms or len(free) < 2:
            return None
        vcpu, emulator = self.random.sample(free, 2)
        host.configure("bare", BARE % (vcpu, emulator))
        vm = Bare("bare", vcpu, emulator)
        guest = host.Guest("bare", 1, "calm", wait=False)
        self.children["bare"], vm.pid = guest.process, guest.pid
        self.vms["bare"] = vm
        return "bare, vCPU on %d, emulator on %d" % (vcpu, emulator)

    def exec_bare(self):
        if "launched" in self.vms or len(self.free()) < 2:
            return None
        vm = Bare("launched", None, None)
        self.children["launched"] = subprocess.Popen(
            command("launched", 1, *named("launched", True)), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        vm.pid = self.children["launched"].pid
        host.wait_for("exec has become QEMU", lambda: vm.comm(vm.pid).startswith("qemu"))
        self.vms["launched"] = vm
        return "launched"

    def destroy(self):
        vm = self.pick(Domain)
        if not vm:
            return None
        done = host.run("virsh", "destroy", vm.name)
        # A libvirtd that has just been started, and is still connecting to the domain, sees it end first, and says then
        # that there is no such domain.
        if done.returncode and "Domain not found" not in done.stderr:
            raise AssertionError(done.stderr)
        host.wait_for("it is gone", lambda: vm.name not in virsh("list", "--name").split())
        self.vms.pop(vm.name)
        return vm.name

    def terminate(self):
        """As a shutdown within the guest would: QEMU ends by itself."""
        vm = self.pick(Domain, lambda vm: not vm.suspended)
        if not vm:
            return None
        os.kill(vm.pid, signal.SIGTERM)
        host.wait_for("libvirt has seen it", lambda: vm.name not in virsh("list", "--name").split())
        self.vms.pop(vm.name)
        return vm.name

    def kill_qemu(self):
        vm = self.pick(Bare)
        if not vm:
            return None
        self.stop(vm.name)
        return vm.name

    def vcpupin(self):
        vm, free = self.pick(Domain), self.free()
        if not vm or not free:
            return None
        index = self.random.choice(sorted(vm.pins))
        cpu = self.random.choice(free + [None])
        virsh("vcpupin", vm.name, str(index), "0-%d" % max(ALL) if cpu is None else str(cpu), "--live")
        vm.pins[index] = cpu
        return "%s, vCPU %d on %s" % (vm.name, index, "any" if cpu is None else cpu)

    def emulatorpin(self):
        vm, free = self.pick(Domain), self.free()
        if not vm:
            return None
        cpus = self.random.choice([HOUSEKEEPING, HOUSEKEEPING | set(free[:1])])
        virsh("emulatorpin", vm.name, ",".join(map(str, sorted(cpus))), "--live")
        vm.emulator = cpus
        return "%s on %s" % (vm.name, cpus)

    def iothreadpin(self):
        vm = self.pick(Domain)
        if not vm:
            return None
        index = self.random.choice(sorted(vm.iothreads))
        virsh("iothreadpin", vm.name, str(index), "0", "--live")
        vm.iothreads[index] = HOUSEKEEPING
        return "%s, iothread %d" % (vm.name, index)

    def iothreadadd(self):
        vm = self.pick(Domain, lambda vm: len(vm.iothreads) < 2)
        if not vm:
            return None
        virsh("iothreadadd", vm.name, "2", "--live")
        vm.iothreads[2] = None
        return vm.name

    def iothreaddel(self):
        vm = self.pick(Domain, lambda vm: 2 in vm.iothreads)
        if not vm:
            return None
        virsh("iothreaddel", vm.name, "2", "--live")
        del vm.iothreads[2]
        return vm.name

    def plug(self):
        vm = self.pick(Domain, lambda vm: len(vm.pins) < MAX_VCPUS and not vm.suspended)
        if not vm or not self.free():
            return None
        virsh("setvcpus", vm.name, str(len(vm.pins) + 1), "--live")
        vm.pins[len(vm.pins)] = None
        return "%s, %d vCPUs" % (vm.name, len(vm.pins))

    def suspend(self):
        vm = self.pick(Domain)
        if not vm:
            return None
        virsh("resume" if vm.suspended else "suspend", vm.name)
        vm.suspended = not vm.suspended
        return "%s %s" % (vm.name, "sleeps" if vm.suspended else "goes on")

    def kill_daemon(self):
        if not service.pid():
            return None
        service.kill()
        return "done"

    def restart_libvirtd(self):
        domains.systemctl("restart", "libvirtd")
        return "done"

    def placed(self):
        """A VM whose groups are there to be damaged."""
        self.settle()
        return self.pick(Vm)

    def move_thread(self):
        vm = self.placed()
        if not vm:
            return None
        index = self.random.choice(sorted(vm.pins))
        host.set_cgroup(vm.leaf("emulator"), "cgroup.threads", str(vm.vcpu(index)))
        return "%s, vCPU %d to the emulator" % (vm.name, index)

    def taskset(self):
        vm = self.placed()
        if not vm:
            return None
        tid, cpus = self.random.choice(sorted(vm.threads())), self.random.choice(["0", "0-7", "3", "2,5"])
        host.run("taskset", "-p", "-c", cpus, str(tid))
        # Where libvirt's are not pinned, it is nobody's business.
        return "%s, thread %d to %s" % (vm.name, tid, cpus)

    def end_partition(self):
        vm = self.placed()
        if not vm:
            return None
        leaf = vm.leaf("vcpu%d" % self.random.choice(sorted(vm.pins)))
        host.set_cgroup(leaf, "cpuset.cpus.partition", "member")
        return leaf

    def overwrite_cpus(self):
        self.settle()
        vm = self.pick(Bare)
        if not vm:
            return None
        leaf = vm.leaf(self.random.choice(["emulator", "vcpu0"]))
        try:
            host.set_cgroup(leaf, "cpuset.cpus", host.cgroup(vm.leaf(""), "cpuset.cpus"))
        except OSError as error:
            return "%s: %s" % (leaf, error.strerror)
        return leaf

    def offline(self):
        vm = self.placed()
        if not vm:
            return None
        cpu = self.random.choice(sorted(vm.vcpu_cpus().values()))
        host.set_online(cpu, False)
        time.sleep(self.random.choice([0, 0.5, 2]))
        host.set_online(cpu, True)
        return "CPU %d of %s" % (cpu, vm.name)

    # ---- what must be so ----

    def check_leftovers(self):
        slice_ = os.path.join(host.CGROUP, host.SLICE)
        self.assertEqual([name for name in listing(slice_) if os.path.isdir(os.path.join(slice_, name))],
                         sorted(vm.name for vm in self.vms.values() if isinstance(vm, Bare)))
        self.assertEqual(sorted(name[:-5] for name in listing(host.RUN + "/found")), sorted(self.vms))
        slots = {slot: vm["name"] for slot, vm in host.dump_map("vms").items() if vm["pid"] and not vm["ended"]}
        self.assertEqual(sorted(slots.values()), sorted(self.vms))
        whose = {}
        for vm in self.vms.values():
            whose.update((cpu, (vm.name, index)) for index, cpu in vm.vcpu_cpus().items())
            whose.update((cpu, (vm.name, 0xffffffff)) for cpu in vm.emulator_cpus())
        self.assertEqual({cpu: (slots[rule["vm"]], rule["vcpu"]) for cpu, rule in host.dump_map("cpu_rules").items()
                          if rule["vm"]}, whose)
        tids = {tid for vm in self.vms.values() for tid in vm.threads()}
        self.assertLessEqual(set(host.dump_map("task_counters")), tids)

    def check_policy(self):
        vcpus = [cpu for vm in self.vms.values() for cpu in vm.vcpu_cpus().values()]
        emulators = [cpu for vm in self.vms.values() for cpu in vm.emulator_cpus()]
        reserved = set(vcpus + emulators)
        self.assertEqual(len(reserved), len(vcpus + emulators), "a CPU is two's")
        for vm in self.vms.values():
            self.assertTrue(vm.is_there(), vm.name)
            vm.check(self, reserved)
        self.assertEqual(host.cpus(host.cgroup("", "cpuset.cpus.isolated")), set(vcpus))
        self.assertEqual(root_cpus(), ALL - reserved)
        claimed = os.path.join(host.CGROUP, "machine.slice/cpuset.cpus.exclusive")
        self.assertEqual(host.cpus(host.read(claimed)) if os.path.exists(claimed) else set(), {
            cpu for vm in self.vms.values() if isinstance(vm, Domain) for cpu in vm.vcpu_cpus().values()})
        self.check_leftovers()

    def holds(self):
        try:
            self.check_policy()
            return True
        except (AssertionError, OSError, StopIteration, ValueError, AttributeError, KeyError):
            return False

    def settle(self):
        """What the daemon has to do is done; else what is wrong, and what it says of it."""
        deadline = time.time() + PATIENCE
        while not self.holds():
            if time.time() > deadline:
                print(service.said(), host.cpuwarden("status").stdout, host.cpuwarden("plan").stdout, flush=True)
                self.check_policy()
            time.sleep(0.1)

    def quiet(self):
        self.settle()
        daemon = service.wait_asleep()
        self.check_policy()
        plan, status = host.cpuwarden("plan"), host.cpuwarden_json("status")[1]["vms"]
        self.assertEqual(plan.stdout, "nothing to do\n", plan.stderr)
        self.assertEqual({vm["name"]: (vm["state"], vm["reason"]) for vm in status},
                         {name: ("placed", None) for name in self.vms})
        time.sleep(1)
        check = host.cpuwarden("check", "--window", "1s")
        self.assertEqual(check.returncode, 0, check.stdout)
        self.assertEqual(service.files(daemon), self.files.setdefault(len(self.vms), service.files(daemon)))
        self.assertEqual(sorted(os.listdir(host.PINS)), self.files.setdefault("pins", sorted(os.listdir(host.PINS))))

    def reservations(self):
        cpus = {}
        for vm in self.vms.values():
            cpus.update((cpu, (vm.name, {vm.vcpu(index)})) for index, cpu in vm.vcpu_cpus().items())
            cpus.update((cpu, (vm.name, None)) for cpu in vm.emulator_cpus())
        return account.Reservations(cpus, {name: vm.sets() for name, vm in self.vms.items()})

    def account(self):
        """What ran where while the daemon is killed, comes back and libvirt restarts, by the counters and by ftrace."""
        def act():
            self.kill_daemon()
            self.restart_libvirtd()
            if vm:
                host.intrude(20, 1000, 2000, None, vm.leaf("vcpu0")).communicate()
            service.wait_asleep()
        vm = self.pick(Bare)
        print("    ftrace: %s" % account.compare(self, self.reservations(), act), flush=True)

    def operations(self):
        """Each so often as it stands here. To start a domain takes an emulated host longest."""
        often = [self.start_domain, self.vcpupin, self.emulatorpin, self.iothreadpin, self.plug,
                 self.suspend, self.kill_daemon, self.move_thread, self.taskset, self.end_partition,
                 self.overwrite_cpus]
        return 2 * often + [self.start_bare, self.exec_bare, self.destroy, self.terminate, self.kill_qemu,
                            self.iothreadadd, self.iothreaddel, self.restart_libvirtd, self.offline]

    def test_1_random_order(self):
        """operations in random order, the daemon killed meanwhile: at each quiet point all is as policy says"""
        print("    seed %d, %d operations" % (SEED, OPERATIONS), flush=True)
        service.start()
        began = time.time()
        n = 0
        while n < OPERATIONS:
            operation = self.random.choice(self.operations())
            did = operation()
            if not did:
                continue
            n += 1
            self.done[operation.__name__] = self.done.get(operation.__name__, 0) + 1
            print("    %3d, %3d s: %s: %s" % (n, time.time() - began, operation.__name__, did), flush=True)
            if n % QUIET_EVERY == 0 or n == OPERATIONS:
                self.quiet()
            if n % ACCOUNT_EVERY == 0:
                self.account()
        print("    %s" % ", ".join("%s %d" % item for item in sorted(self.done.items())), flush=True)

    def test_2_nothing_left(self):
        """with all VMs stopped and everything released the host is as before"""
        self.settle()
        service.stop()
        done = host.cpuwarden("release", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(host.PINS))
        self.assertEqual(listing(host.RUN + "/found"), [])
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, host.SLICE)))
        for now, before in zip(host.dump(), self.before):
            both = [key for key in before if key in now and self.matters(key)]
            self.assertTrue(both)
            self.assertEqual({key: now[key] for key in both}, {key: before[key] for key in both})

    def matters(self, key):
        """Units of systemd's come and go, and with them what their groups need."""
        return not re.search(r"system\.slice|user\.slice|init\.scope|machine\.slice|subtree_control$", str(key))
