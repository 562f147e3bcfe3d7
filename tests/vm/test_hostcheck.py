# SPDX-License-Identifier: GPL-2.0-or-later
"""
What still disturbs reserved CPUs: each row of hostcheck against a hand check, CPU by CPU, made here from the
kernel's files and its command line; and --fix, which release --host undoes. On any boot line:
tools/vm --append "isolcpus=domain,managed_irq,6-7 nohz_full=6-7 rcu_nocbs=6-7".
"""
import glob
import os
import re
import subprocess
import time
import unittest

import host
import two_vms
from account import PF_KTHREAD, PF_NO_SETAFFINITY, flags

BOOT = host.read("/proc/cmdline").split()
DEFAULT_IRQ = "/proc/irq/default_smp_affinity"
WATCHDOG_CPUS = "/proc/sys/kernel/watchdog_cpumask"
RECORD = host.RUN + "/hostcheck.json"


def boot_cpus(name, flag=None):
    """CPUs of NAME=[FLAGS,]LIST on the command line; with a flag, only if it is given."""
    for word in BOOT:
        if word.startswith(name + "="):
            parts = word.partition("=")[2].split(",")
            flags = [p for p in parts if p[0].isalpha()]
            if flag is None or flag in (flags or ["domain"]):
                return host.cpus(",".join(p for p in parts if not p[0].isalpha()))
    return set()


NOHZ = boot_cpus("nohz_full")
BOOT_ISOLATED = boot_cpus("isolcpus", "domain")


def mask(text):
    bits = int(text.replace(",", ""), 16)
    return {cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1}


class Irq:
    def __init__(self, number):
        self.folder = "/proc/irq/%d/" % number
        self.file = self.folder + "smp_affinity_list"
        self.used = bool(host.read("/sys/kernel/irq/%d/actions" % number))
        self.allowed = host.cpus(host.read(self.file))
        self.effective = host.cpus(host.read(self.folder + "effective_affinity_list"))

    def movable(self):
        """By trying: what it has already is written once more."""
        try:
            host.write(self.file, host.read(self.file))
            return True
        except OSError:
            return False


def irqs():
    numbers = sorted(int(n) for n in os.listdir("/proc/irq") if n.isdigit())
    return [irq for irq in map(Irq, numbers) if irq.used]


def unbound_threads():
    """CPUs of kernel threads that somebody could bind."""
    found = set()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if flags(pid) & PF_KTHREAD and not flags(pid) & PF_NO_SETAFFINITY:
                found |= host.affinity(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def balanced():
    """CPUs that are in a sched domain, by debugfs."""
    host.write("/sys/kernel/debug/sched/verbose", "Y")
    try:
        return {cpu for cpu in range(8)
                if glob.glob("/sys/kernel/debug/sched/domains/cpu%d/domain*" % cpu)}
    finally:
        host.write("/sys/kernel/debug/sched/verbose", "N")


def settings():
    """All that --fix may touch."""
    files = sorted(glob.glob("/proc/irq/*/smp_affinity_list")) + [DEFAULT_IRQ, WATCHDOG_CPUS]
    files += sorted(glob.glob("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"))
    return {file: host.read(file) for file in files}


def rows():
    """({(subject, CPU): row}, the whole answer, exit status)"""
    status, answer = host.cpuwarden_json("hostcheck")
    by_cpu = {}
    for row in answer["rows"]:
        for cpu in host.cpus(row["cpus"]):
            assert (row["subject"], cpu) not in by_cpu, row
            by_cpu[row["subject"], cpu] = row
    return by_cpu, answer, status


class HandCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        two_vms.configure()
        # A device whose interrupts the kernel manages: tools/vm has one, without a driver so far.
        subprocess.run(["modprobe", "virtio_scsi"], check=True)
        deadline = time.time() + 20
        while len([irq for irq in irqs() if not irq.movable()]) < 8 and time.time() < deadline:
            time.sleep(0.1)
        cls.watchdog = host.read("/proc/sys/kernel/watchdog")
        host.write("/proc/sys/kernel/watchdog", "1")

    @classmethod
    def tearDownClass(cls):
        host.cpuwarden("release", "--all")
        host.write("/proc/sys/kernel/watchdog", cls.watchdog)
        host.forget_configuration()

    def partition_rows(self, kinds, cpu):
        """By hand: what is so on a CPU in that kind of partition."""
        work = mask(host.read("/sys/devices/virtual/workqueue/cpumask"))
        return {
            "partition": ("ok" if kinds[cpu] else "warning", kinds[cpu] or "none"),
            "load_balancing": ("ok" if kinds[cpu] or cpu not in self.balanced else "warning",
                               "in no sched domain" if cpu not in self.balanced else None),
            "workqueues": ("warning" if cpu in work else "ok", None),
            "kernel_threads": ("warning" if cpu in unbound_threads() else "ok", None),
        }

    def timers(self, kind, cpu):
        """As traced with timer_expire_entry and tmigr_handle_remote_cpu, see docs/ARCHITECTURE.md."""
        if cpu in NOHZ:
            return "ok"
        if host.kernel() < (6, 9):
            return "ok" if kind or cpu not in self.balanced else "warning"
        if host.kernel() > (6, 18) and (kind == "isolated" or cpu in BOOT_ISOLATED):
            return "ok"
        return "needs_boot"

    def boot_rows(self, cpu):
        offloaded = cpu in NOHZ | boot_cpus("rcu_nocbs")
        return {
            "isolcpus": ("needs_boot" if cpu in BOOT_ISOLATED else "ok", None),
            "nohz_full": ("ok" if cpu in NOHZ else "needs_boot", None),
            "rcu_nocbs": ("ok" if offloaded else "needs_boot", None),
        }

    def interrupt_rows(self, cpu, fixed):
        coming = [irq for irq in irqs() if irq.file not in fixed and cpu in irq.allowed]
        stuck = [irq for irq in irqs() if irq.file in fixed and cpu in irq.effective]
        managed = "ok" if not stuck or cpu in boot_cpus("isolcpus", "managed_irq") else "needs_boot"
        return {
            "irq": ("fixable" if coming else "ok", None if coming else "none"),
            "managed_irq": (managed, None if stuck else "none"),
            "default_smp_affinity": ("fixable" if cpu in mask(host.read(DEFAULT_IRQ)) else "ok", None),
            "irqbalance": ("ok", "not running"),
        }

    def host_rows(self, cpu):
        scx = "/sys/kernel/sched_ext/state"
        thp = host.read("/sys/kernel/mm/transparent_hugepage/enabled")
        ksm = host.read("/sys/kernel/mm/ksm/run")
        numa = host.read("/proc/sys/kernel/numa_balancing")
        # Two nodes of four CPUs: tools/vm.
        total = re.search(r"MemTotal: *(\d+)", host.read("/sys/devices/system/node/node%d/meminfo" % (cpu // 4)))
        return {
            "watchdog": ("fixable" if cpu in host.cpus(host.read(WATCHDOG_CPUS)) else "ok", None),
            "governor": ("not_applicable", "no cpufreq"),
            "idle_states": ("not_applicable", "no cpuidle"),
            "sched_ext": ("ok", "disabled") if os.path.exists(scx) else ("not_applicable", None),
            "numa_balancing": ("ok" if numa == "0" else "warning", numa),
            "thp": ("ok" if "[never]" in thp else "warning", thp),
            "ksm": ("warning" if ksm == "1" else "ok", ksm),
            "memory_node": ("ok", r"node %d: \d+ of %d MiB free, huge pages 0 of 0 free" % (
                cpu // 4, int(total.group(1)) // 1024)),
        }

    def fixed(self):
        """Interrupts that nobody may move. Before 6.8 or so only trying tells, and hostcheck has not."""
        if host.kernel() < (6, 8) and not os.path.exists(RECORD):
            return set()
        return {irq.file for irq in irqs() if not irq.movable()}

    def assert_rows(self, kinds):
        """kinds: {CPU: isolated, root or None} of reserved CPUs, or a set of CPUs that could be."""
        self.balanced = balanced()
        placed = isinstance(kinds, dict)
        found, answer, status = rows()
        self.assertEqual(answer["schema"], "cpuwarden.hostcheck/1")
        self.assertEqual(answer["reserved"], placed)
        self.assertEqual(host.cpus(answer["cpus"]), set(kinds))
        wanted = {}
        fixed = self.fixed()
        for cpu in kinds:
            if placed:
                by_hand = self.partition_rows(kinds, cpu)
                by_hand["timers"] = (self.timers(kinds[cpu], cpu), None)
            else:
                by_hand = {name: ("not_applicable", None) for name in (
                    "partition", "load_balancing", "workqueues", "kernel_threads")}
                by_hand["timers"] = (self.timers("isolated", cpu), None)
            by_hand.update(self.boot_rows(cpu))
            by_hand.update(self.interrupt_rows(cpu, fixed))
            by_hand.update(self.host_rows(cpu))
            wanted.update({(subject, cpu): row for subject, row in by_hand.items()})
        self.assertEqual(sorted(found), sorted(wanted))
        self.assertEqual([], [(key, row["state"], row["found"], "by hand", wanted[key][0])
                              for key, row in found.items() if row["state"] != wanted[key][0]])
        for key, (_, text) in wanted.items():
            if text is not None and found[key]["found"] != text:
                self.assertRegex(found[key]["found"], "^%s$" % text, key)
        for row in answer["rows"]:
            self.assertTrue(row["source"] and row["documented"] and row["meaning"], row)
            self.assertEqual(row["remedy"] is not None,
                             row["state"] in ("fixable", "needs_boot", "warning"), row)
        self.assertEqual(status, 2)
        return found


class Nothing(HandCheck):
    def test_1_no_cpu_is_reserved(self):
        """no VM: the CPUs that policy may reserve are judged, row by row as by hand; --fix changes nothing"""
        self.assert_rows(set(range(1, 8)))
        before = settings()
        done = host.cpuwarden("hostcheck", "--fix")
        self.assertIn("no CPU is reserved: there is nothing to mend yet", done.stderr)
        self.assertEqual(settings(), before)
        self.assertFalse(os.path.exists(RECORD))
        self.assertEqual(host.cpuwarden("release", "--host").stdout, "nothing to do\n")

    def test_2_policies_of_the_host(self):
        """KSM, NUMA balancing, huge pages, timer migration, an irqbalance: rows follow them"""
        files = ("/sys/kernel/mm/ksm/run", "/proc/sys/kernel/numa_balancing",
                 "/sys/kernel/mm/transparent_hugepage/enabled")
        for values in (("1", "0", "never"), ("0", "1", "always")):
            for file, value in zip(files, values):
                host.write(file, value)
            self.assert_rows(set(range(1, 8)))
        host.write("/proc/sys/kernel/timer_migration", "0")
        found = rows()[0]
        host.write("/proc/sys/kernel/timer_migration", "1")
        self.assertEqual({found["timers", cpu]["found"] for cpu in range(1, 8)}, {"timers do not migrate"})
        # By name and environment it is one.
        os.symlink("/usr/bin/sleep", "/tmp/irqbalance")
        daemon = subprocess.Popen(["/tmp/irqbalance", "60"], env={"IRQBALANCE_BANNED_CPULIST": "1-3"})
        found = rows()[0]
        daemon.kill()
        daemon.wait()
        self.assertEqual([found["irqbalance", cpu]["state"] for cpu in range(1, 8)],
                         ["ok"] * 3 + ["warning"] * 4)


class Placed(HandCheck, two_vms.TwoVMs):
    @classmethod
    def setUpClass(cls):
        HandCheck.setUpClass.__func__(cls)
        # On CPUs that were isolated at boot 6.12 and later make no partition, and 6.1 may die of one.
        cls.both = not BOOT_ISOLATED
        if not cls.both:
            host.configure("web2", "[vm]\npolicy = observe\n")
        cls.guests = [host.Guest("web1", 2, cls.mode, wait=False)]
        if cls.both:
            cls.guests.append(host.Guest("web2", 3, cls.mode, wait=False))
        for guest in cls.guests:
            guest.wait_until_all_run()
        cls.kinds = {int(cpus): "isolated" if partition == "isolated" else "root"
                     for name in (["web1", "web2"] if cls.both else ["web1"])
                     for cpus, partition in two_vms.LEAVES[name].values()}

    @classmethod
    def tearDownClass(cls):
        host.stop_all(cls.guests)
        HandCheck.tearDownClass.__func__(cls)

    def setUp(self):
        self.apply()
        self.addCleanup(host.cpuwarden, "release", "--host")

    def fix(self):
        done = host.cpuwarden("hostcheck", "--fix")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done

    def assert_fixed(self):
        found = self.assert_rows(self.kinds)
        for (subject, _), row in found.items():
            self.assertNotEqual(row["state"], "fixable", row)
        for irq in irqs():
            if irq.movable():
                self.assertFalse(irq.allowed & set(self.kinds), irq.file)

    def release(self, before):
        done = host.cpuwarden("release", "--host")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(settings(), before)
        self.assertFalse(os.path.exists(RECORD))
        return done

    def test_1_rows(self):
        """two VMs placed: each row of each reserved CPU is what a hand check says"""
        self.assert_rows(self.kinds)

    def test_2_fix_and_release(self):
        """--fix mends what is fixable, a second writes nothing; release --host leaves the same dump"""
        before = settings()
        self.assertIn("was ", self.fix().stdout)
        self.assertNotEqual(settings(), before)
        self.assert_fixed()
        fixed, record = settings(), host.read(RECORD)
        self.assertEqual(host.cpuwarden_json("hostcheck", "--fix")[1]["done"], [])
        self.assertEqual((settings(), host.read(RECORD)), (fixed, record))
        self.release(before)
        self.assertEqual(host.cpuwarden("release", "--host").stdout, "nothing to do\n")

    def test_3_somebody_else(self):
        """what somebody has set since is left, and said; release --all gives back the rest"""
        before = settings()
        self.fix()
        host.write(WATCHDOG_CPUS, "0,2")
        done = host.cpuwarden("release", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(WATCHDOG_CPUS + " is left at 0,2, which somebody has set since", done.stdout)
        self.assertEqual(settings(), dict(before, **{WATCHDOG_CPUS: "0,2"}))
        # Where it has to be changed again, his value is what is given back.
        self.apply()
        self.fix()
        host.write(WATCHDOG_CPUS, "0-1,3")
        self.fix()
        self.release(dict(before, **{WATCHDOG_CPUS: "0-1,3"}))
        host.write(WATCHDOG_CPUS, before[WATCHDOG_CPUS])

    def test_4_reserved_no_more(self):
        """CPUs that are reserved no more get back by the next --fix what was found"""
        if not self.both:
            self.skipTest("one VM only, as CPUs are isolated at boot")
        before = settings()
        self.fix()
        self.assertEqual(host.cpus(host.read(WATCHDOG_CPUS)) & set(range(1, 8)), set())
        self.assertEqual(host.cpuwarden("release", "web2").returncode, 0)
        self.fix()
        self.assertEqual(host.cpus(host.read(WATCHDOG_CPUS)),
                         host.cpus(before[WATCHDOG_CPUS]) - {1, 2, 3})
        self.apply()
        self.fix()
        self.assertEqual(host.cpus(host.read(WATCHDOG_CPUS)) & set(range(1, 8)), set())
        self.release(before)

    def test_5_killed_anywhere(self):
        """--fix and release --host killed before any of their changes: the next converge"""
        before = settings()
        fix, release = ("hostcheck", "--fix", "--json"), ("release", "--host", "--json")
        calls = host.calls_of(*fix), host.calls_of(*release)
        self.assertEqual(settings(), before)
        for i in range(8):
            with self.subTest(point=i):
                host.kill_at(1 + calls[0] * i // 8, *fix)
                if i % 2:
                    self.fix()
                    host.kill_at(1 + calls[1] * i // 8, *release)
                self.release(before)

    def test_6_broken_partition(self):
        """CPUs that are reserved, and whose partition somebody has ended, are found open"""
        for leaf in ("vcpu0", "vcpu1"):
            host.set_cgroup(two_vms.group(self.guests[0], leaf), "cpuset.cpus.partition", "member")
        # 6.1 mends a VM's group only while it has a CPU to spare.
        if host.REMOTE:
            host.set_cgroup(two_vms.group(self.guests[0]), "cpuset.cpus.partition", "member")
        found = rows()[0]
        for cpu in (2, 3):
            if host.REMOTE:
                self.assertEqual(found["partition", cpu]["state"], "warning")
                self.assertEqual(found["load_balancing", cpu]["state"], "warning")
            else:
                self.assertEqual(found["partition", cpu]["found"], "root")
        self.apply()
        self.assert_rows(self.kinds)
