# SPDX-License-Identifier: GPL-2.0-or-later
"""
The observer's account against ftrace's, in the same window. Intruders are let in as an admin's mistake would: by
moving a task into a group, or by ending a partition first where a valid one keeps them out.
"""
import os
import time

import host
import two_vms
from account import ATTEMPTS, CAUSES, bound, difference, kernel_thread, lengths_agree, totals

LOUNGE = host.SLICE + "/lounge"


class Observer(two_vms.TwoVMs):
    mode = "tick"

    def setUp(self):
        self.apply()
        self.assert_placed()

    def tearDown(self):
        if os.path.isdir(os.path.join(host.CGROUP, LOUNGE)):
            for pid in host.cgroup(LOUNGE, "cgroup.procs").split():
                host.set_cgroup("", "cgroup.procs", pid)
            os.rmdir(os.path.join(host.CGROUP, LOUNGE))
            if not host.REMOTE:
                # Without a CPU to spare the group cannot be a partition again while it is populated.
                host.cpuwarden("release", "web1")

    def owners(self, on_cpus):
        """{cpu: tids that may run there}, from what was declared."""
        may = {cpu: set() for cpu in on_cpus}
        for guest in self.guests:
            for tid in guest.threads():
                for cpu in host.cpus(two_vms.LEAVES[guest.name][two_vms.leaf_of(guest, tid)][0]):
                    may.get(cpu, set()).add(tid)
        return may

    def test_1_clean_run(self):
        """a clean run of 200,000 switches on reserved CPUs: violations 0, and ftrace agrees"""
        host.cpuwarden("release", "--all")
        self.apply()
        trace = host.Trace(two_vms.RESERVED)
        outer = totals(host.counters(), two_vms.RESERVED)
        with trace:
            inner = totals(host.counters(), two_vms.RESERVED)
            deadline = time.time() + 400
            while time.time() < deadline:
                time.sleep(2)
                now = totals(host.counters(), two_vms.RESERVED)
                if now["switches"] - inner["switches"] >= 200000:
                    break
            inner = difference(now, inner)
        outer = difference(totals(host.counters(), two_vms.RESERVED), outer)
        runs, switches = trace.account()
        trace.close()
        self.assertGreaterEqual(inner["switches"], 200000)
        self.assertLessEqual(inner["switches"], sum(switches.values()))
        self.assertGreaterEqual(outer["switches"], sum(switches.values()))
        for name in CAUSES + ["off_set", "settling"]:
            self.assertEqual(outer[name], (0, 0), name)
        may = self.owners(two_vms.RESERVED)
        kthreads = 0
        for (cpu, tid), (count, _, comm) in runs.items():
            if tid and tid not in may[cpu]:
                self.assertTrue(bound(tid), "CPU %d: %s (%d)" % (cpu, comm, tid))
                kthreads += count
        self.assertLessEqual(inner["bound_kthread"][0], kthreads + len(two_vms.RESERVED))
        self.assertGreaterEqual(outer["bound_kthread"][0], kthreads)
        done = host.cpuwarden("check")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"^OK - .* \d+ switches examined")
        code, check = host.cpuwarden_json("check")
        self.assertEqual((code, check["verdict"]), (0, "ok"))
        self.assertGreaterEqual(check["coverage"]["switches"], 200000)

    def window(self, on_cpus, act):
        """Counters' difference and ftrace's runs over act(), which begins and ends in order."""
        trace = host.Trace(on_cpus)
        # Where the door is open to everybody, this test itself must not go through it.
        os.sched_setaffinity(0, {0})
        before = totals(host.counters(), on_cpus)
        with trace:
            act()
            # Let the last run end.
            time.sleep(0.3)
        after = totals(host.counters(), on_cpus)
        # Not to what is open at present: that would bind it, and all that it starts, for good.
        os.sched_setaffinity(0, range(os.cpu_count()))
        runs, _ = trace.account()
        trace.close()
        return difference(after, before), runs

    def measure(self, on_cpus, act, wrong, name, also=()):
        """
        Over act(), the class or cause `name` has exactly the runs of ftrace's for which wrong(cpu, tid, comm)
        holds, and no other violation is counted but those in `also`. Their lengths agree, at one of several
        attempts.
        """
        for attempt in range(ATTEMPTS):
            counted, runs = self.window(on_cpus, act)
            found = [r for (cpu, tid), r in runs.items() if wrong(cpu, tid, r[2])]
            count, ns = sum(r[0] for r in found), sum(r[1] for r in found)
            self.assertGreater(count, 0)
            self.assertEqual(counted[name][0], count, sorted(
                (cpu, tid) + r for (cpu, tid), r in runs.items() if cpu in on_cpus))
            for other in CAUSES + ["off_set", "settling"]:
                if other != name and other not in also:
                    self.assertEqual(counted[other][0], 0, other)
            said = "%d runs, %d ns counted, %d by ftrace" % (count, counted[name][1], ns)
            if lengths_agree(counted[name][1], ns, count):
                print("    %s: %s" % (name, said), flush=True)
                return runs
            print("    again: %s: %s" % (name, said), flush=True)
        self.fail(said)

    def assert_named(self, *words):
        done = host.cpuwarden("check")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertTrue(done.stdout.startswith("CRITICAL - "), done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)

    def visit(self, group_path, cpu):
        """An intruder enters a group, runs 40 times on that CPU, and ends."""
        process = host.intrude(40, 2000, 3000, cpu, group_path)
        tid = int(process.stdout.readline())
        self.assertEqual(process.wait(), 0, process.stderr.read())
        self.visitor = tid

    def test_2_host_task_on_the_vms_cpu(self):
        """a host task on a CPU of the VM: foreign, user; named by check"""
        group = two_vms.group(self.guests[0], "emulator")
        self.measure([1], lambda: self.visit(group, 1),
                     lambda cpu, tid, comm: tid == self.visitor, "user")
        self.assert_named("intruder", "pid %d" % self.visitor, "CPU 1 of web1", "user")

    def test_3_host_task_after_a_mistake(self):
        """a host task on a vCPU's CPU, let in by a partition that an admin ended: foreign, user"""
        host.set_cgroup(two_vms.group(self.guests[0], "vcpu0"), "cpuset.cpus.partition", "member")
        host.set_cgroup(two_vms.group(self.guests[0]), "cpuset.cpus.partition", "member")
        os.mkdir(os.path.join(host.CGROUP, LOUNGE))
        self.assertEqual(host.cpuwarden_json("status")[1]["vms"][0]["state"], "degraded")
        # The door is open to every host task.
        vcpu = self.guests[0].vcpu(0)
        runs = self.measure([2], lambda: self.visit(LOUNGE, 2),
                            lambda cpu, tid, comm: tid and tid != vcpu and
                            not kernel_thread(tid, comm), "user", ["kthread"])
        self.assertGreaterEqual(runs[2, self.visitor][0], 40)
        # The latest violation is named, and others come through the same door: so by one that goes on.
        process = host.intrude(1, 5000000, 0, 2, LOUNGE)
        process.stdout.readline()
        os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(1))
        for attempt in range(5):
            done = host.cpuwarden("check")
            if "on CPU 2 of web1 (vCPU 0)" in done.stdout:
                break
            print("    again: %s" % done.stdout, end="", flush=True)
        process.kill()
        process.wait()
        self.assertRegex(done.stdout, r"; the latest: intruder \(thread %d, in /cpuwarden.slice/lounge\) runs on CPU 2 of web1 "
                         r"\(vCPU 0\) for .*: user" % process.pid)

    def test_4_own_emulator_on_the_vcpus_cpu(self):
        """the VM's own emulator thread on a vCPU's CPU: foreign, own_vm"""
        guest = self.guests[0]

        def act():
            host.set_cgroup(two_vms.group(guest, "vcpu0"), "cgroup.threads", str(guest.pid))
            time.sleep(1)
            host.set_cgroup(two_vms.group(guest, "emulator"), "cgroup.threads", str(guest.pid))
        self.measure([2], act, lambda cpu, tid, comm: tid == guest.pid, "own_vm")
        self.assert_named("qemu-system", "CPU 2 of web1 (vCPU 0)", "own_vm")

    def test_5_thread_of_the_other_vm(self):
        """a thread of another VM: foreign, other_vm"""
        web1, web2 = self.guests
        host.set_cgroup(two_vms.group(web1, "vcpu0"), "cpuset.cpus.partition", "member")
        host.set_cgroup(two_vms.group(web1), "cpuset.cpus.partition", "member")
        os.mkdir(os.path.join(host.CGROUP, LOUNGE))

        def act():
            host.set_cgroup(LOUNGE, "cgroup.procs", str(web2.pid))
            time.sleep(1)
            host.set_cgroup(two_vms.group(web2, "emulator"), "cgroup.procs", str(web2.pid))
            for index in range(3):
                host.set_cgroup(two_vms.group(web2, "vcpu%d" % index), "cgroup.threads",
                                str(web2.vcpu(index)))
        # Back at home its vCPUs share the emulator's CPU for a moment: that is another matter.
        self.measure([1, 2, 3], act, lambda cpu, tid, comm: tid in web2.threads(), "other_vm",
                     ["user", "kthread", "own_vm"])
        self.assertEqual(host.cpuwarden("check", "web1").returncode, 2)

    def test_6_vcpu_moved_off_its_set(self):
        """a vCPU moved off its set by root, to its VM's other CPU and to an unreserved one: off_set"""
        guest = self.guests[0]
        tid = guest.vcpu(0)

        def act():
            host.set_cgroup(two_vms.group(guest, "emulator"), "cgroup.threads", str(tid))
            time.sleep(1)
            host.set_cgroup(two_vms.group(guest, "vcpu0"), "cgroup.threads", str(tid))
        self.measure([1], act, lambda cpu, t, comm: t == tid, "off_set")
        self.assert_named("off its set", "web1")
        key = host.run("bpftool", "-j", "map", "lookup", "pinned", host.PINS + "/task_counters",
                       "key", "hex", *["%02x" % b for b in tid.to_bytes(4, "little")])
        self.assertIn('"off_set"', key.stdout)

        def leave():
            host.set_cgroup("", "cgroup.procs", str(guest.pid))
            # 6.1 lets whoever is moved into the root group run on every CPU, partition or not.
            for thread in guest.threads():
                os.sched_setaffinity(thread, {0})
            time.sleep(1)
            for thread in guest.threads():
                os.sched_setaffinity(thread, range(8))
            host.set_cgroup(two_vms.group(guest, "emulator"), "cgroup.procs", str(guest.pid))
            for index in range(2):
                host.set_cgroup(two_vms.group(guest, "vcpu%d" % index), "cgroup.threads",
                                str(guest.vcpu(index)))
        self.measure([0], leave, lambda cpu, t, comm: t in guest.threads(), "off_set")

    def test_7_unbound_kernel_thread(self):
        """a kernel thread that could run elsewhere: foreign, kthread"""
        # The one that looks for equal pages has runs as long as it is told: too long for a stall to matter.
        pid = int(host.run("pgrep", "-x", "ksmd").stdout)
        before = host.affinity(pid)
        host.write("/sys/kernel/mm/ksm/pages_to_scan", "2000")

        def act():
            # Only this one: the door stays closed for the others, which is what makes the count exact.
            host.set_cgroup(two_vms.group(self.guests[0], "emulator"), "cgroup.procs", str(pid))
            host.write("/sys/kernel/mm/ksm/run", "1")
            time.sleep(1)
            host.write("/sys/kernel/mm/ksm/run", "0")
            time.sleep(0.5)
            host.set_cgroup("", "cgroup.procs", str(pid))
            os.sched_setaffinity(pid, before)
        runs = self.measure([1, 2], act, lambda cpu, tid, comm: tid and
                            kernel_thread(tid, comm) and
                            (tid == pid or not bound(tid)), "kthread")
        self.assertGreater(sum(r[0] for k, r in runs.items() if k[1] == pid), 0)
        self.assert_named("CPU 1 of web1", "kthread")

    def test_8_counters_agree(self):
        """bpftool's dump has named fields that agree with check --json"""
        # A VM that was released takes its own counts along; the host's stay.
        host.cpuwarden("release", "--all")
        self.apply()
        self.visit(two_vms.group(self.guests[0], "emulator"), 1)
        time.sleep(0.3)
        sums = totals(host.counters())
        check = host.cpuwarden_json("check")[1]
        self.assertEqual(check["schema"], "cpuwarden.check/1")
        for cause in CAUSES:
            self.assertEqual((check["foreign"][cause]["count"], check["foreign"][cause]["ns"]),
                             sums[cause])
        for name in ("off_set", "settling"):
            self.assertEqual((check[name]["count"], check[name]["ns"]), sums[name])
        self.assertGreaterEqual(check["interference"]["bound_kthread"]["count"],
                                sums["bound_kthread"][0])
        self.assertGreaterEqual(check["coverage"]["switches"], sums["switches"])
        self.assertEqual({vm["name"] for vm in check["vms"]}, {"web1", "web2"})
        for cause in CAUSES:
            self.assertEqual(sum(vm["foreign"][cause]["count"] for vm in check["vms"]),
                             check["foreign"][cause]["count"])
        self.assertGreater(sums["user"][0], 0)

    def test_9_intruder_that_never_leaves(self):
        """an intruder that never leaves the CPU is counted while it runs"""
        process = host.intrude(1, 3000000, 0, 1, two_vms.group(self.guests[0], "emulator"))
        process.stdout.readline()
        os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(1))
        before = totals(host.counters())["user"][0]
        time.sleep(0.5)
        check = host.cpuwarden_json("check")[1]
        self.assertEqual(check["verdict"], "critical")
        self.assertGreater(check["foreign"]["user"]["count"], 0)
        self.assertGreaterEqual(check["foreign"]["user"]["count"], before)
        process.wait()

    def test_a_end_of_a_vm_ends_its_ownership(self):
        """when a VM is killed, whoever runs on its CPUs later is no violation"""
        self.guests[1].kill()
        before = totals(host.counters())
        os.rmdir(os.path.join(host.CGROUP, two_vms.group(self.guests[1], "vcpu0")))
        host.set_cgroup(two_vms.group(self.guests[1]), "cpuset.cpus.partition", "member")
        os.mkdir(os.path.join(host.CGROUP, LOUNGE))
        self.visit(LOUNGE, 4)
        time.sleep(0.3)
        after = difference(totals(host.counters()), before)
        self.assertEqual([after[c][0] for c in CAUSES], [0, 0, 0, 0])
        self.guests[1] = host.Guest("web2", 3, self.mode)
