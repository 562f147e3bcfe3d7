# SPDX-License-Identifier: GPL-2.0-or-later
"""
`check` is never OK while blind. Each way to blind the observer is really taken; afterwards check says UNKNOWN, or
what was lost.
"""
import errno
import os
import shlex
import subprocess
import time

import host
import maps
import two_vms
from account import CAUSES, difference, totals

ELSEWHERE = "/sys/fs/bpf/elsewhere"
EVENT_BYTES = 80 + 8  # struct event and the ring's own header
FIRST_FREE_TID = 1 << 22  # no thread has it
AGAIN = "/run/again.sh"
NO_GROUP = 1 << 62  # no id of a group is so high
NOBODYS_RULE = (4000).to_bytes(4, "little") + bytes(4)  # struct group_rule of a VM slot that is never used


class Blind(two_vms.TwoVMs):
    mode = "tick"

    def setUp(self):
        self.renew()

    def renew(self):
        """An observer with counters that are all zero, and rules in force."""
        subprocess.run(["rm", "-rf", host.PINS, ELSEWHERE], check=True)
        self.apply()
        self.assert_check(0)

    def assert_check(self, code, *words, args=()):
        done = host.cpuwarden("check", *args)
        self.assertEqual(done.returncode, code, done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)
        return done.stdout

    def storm(self, runs, cpu=1):
        process = host.intrude(runs, 1, 1, cpu, two_vms.group(self.guests[0], "emulator"))
        process.stdout.readline()
        self.assertEqual(process.wait(), 0)
        time.sleep(0.3)

    def test_1_shares(self):
        """each reserved CPU has the share of the time since its rule, by its own clock"""
        time.sleep(2)
        began = host.health()["start"]
        rules = host.dump_map("cpu_rules")
        before = time.monotonic_ns()
        check = host.cpuwarden_json("check")[1]
        after = time.monotonic_ns()
        coverage = check["coverage"]
        self.assertEqual([row["cpu"] for row in coverage["cpus"]], two_vms.RESERVED)
        for row in coverage["cpus"]:
            since = rules[row["cpu"]]["since"]
            self.assertLessEqual(before - since, row["watched_ns"])
            self.assertGreaterEqual(after - since, row["watched_ns"])
            self.assertLess(row["share"], 1)
            self.assertGreaterEqual(row["share"] + 1e-4, (before - since) / (after - began))
            self.assertEqual(row["vm"], "web1" if row["cpu"] < 4 else "web2")
        self.assertEqual(coverage["generation"], host.health()["generation"])
        self.assertEqual(coverage["rules_changed_ns"], host.health()["rules_changed"])
        self.assertEqual(coverage["blind_ns"], 0)
        # One VM's CPUs only; and within a second every rule has been in force.
        rows = host.cpuwarden_json("check", "web1", "--window", "1s")[1]["coverage"]["cpus"]
        self.assertEqual([(row["cpu"], row["share"]) for row in rows], [(1, 1), (2, 1), (3, 1)])

    def test_2_ring_full(self):
        """more violations than the ring has room for: all counted, and lost events are exactly those missing"""
        self.storm(12000)
        sums = totals(host.counters())
        violations = sum(sums[name][0] for name in CAUSES + ["off_set"])
        kept = maps.ring_bytes("events") // EVENT_BYTES
        self.assertGreaterEqual(violations, 4000)
        self.assertLess(kept, violations)
        code, check = host.cpuwarden_json("check")
        self.assertEqual(check["coverage"]["lost_events"], violations - kept)
        self.assertEqual(code, 2)
        self.assertEqual(sum(check["foreign"][c]["count"] for c in CAUSES) + check["off_set"]["count"], violations)
        self.assert_check(2, "; %d events lost, all of them counted" % (violations - kept))
        # Who it was is counted apart, and does not depend on events either.
        first = next(row for row in check["culprits"] if row["comm"] == "intruder")
        self.assertEqual((first["vm"], first["class"], first["cause"], first["cpu"]),
                         ("web1", "foreign", "user", 1))
        self.assertEqual(sum(row["count"] for row in check["culprits"] if row["cause"] == "user"), sums["user"][0])
        self.assertEqual(first["cgroup"].strip("/"), two_vms.group(self.guests[0], "emulator"))
        print("    %d violations, %d events kept, %d lost" %
              (violations, kept, check["coverage"]["lost_events"]), flush=True)

    def test_0_a_run_without_end(self):
        """one that was on before its CPU had a rule, and is at no switch: CRITICAL while it lasts, counted from the rule on"""
        limit = "/proc/sys/kernel/sched_rt_runtime_us"
        before = host.read(limit)
        host.write(limit, "-1")
        process = host.intrude(1, 60000000, 0, None, two_vms.group(self.guests[0], "vcpu0"), ("-p", "fifo"))
        try:
            process.stdout.readline()
            time.sleep(0.5)
            subprocess.run(["rm", "-rf", host.PINS], check=True)
            self.apply()
            self.assert_check(2, "intruder (", "runs on CPU 2 of web1 (vCPU 0)")
            self.assertEqual(host.counters()[2]["switches"], 0)
            since = host.dump_map("cpu_rules")[2]["since"]
            time.sleep(1)
            at_least = time.monotonic_ns() - since
        finally:
            process.kill()
            process.communicate()
            host.write(limit, before)
        time.sleep(0.2)
        # From the rule on, as one run; at its end it may sleep a few times.
        runs, ns = totals(host.counters())["user"]
        self.assertTrue(1 <= runs <= 20, runs)
        self.assertTrue(at_least <= ns <= time.monotonic_ns() - since, (at_least, ns))

    def test_3_program_gone(self):
        """the program is detached, its pin leads to another one's link: UNKNOWN"""
        maps.keep_link("link_exit", ELSEWHERE)
        os.unlink(os.path.join(host.PINS, "link_switch"))
        os.rename(ELSEWHERE, os.path.join(host.PINS, "link_switch"))
        time.sleep(0.5)
        self.assert_check(3, "the observer does not count")
        check = host.cpuwarden_json("check")[1]
        self.assertGreater(check["coverage"]["blind_ns"], 0)

    def test_3_parts_gone(self):
        """no observer, a link taken away, pins gone: UNKNOWN; apply starts it again"""
        for harm in ("link_switch", "link_exit", "cpu_rules", None):
            with self.subTest(harm=harm):
                if harm:
                    os.unlink(os.path.join(host.PINS, harm))
                else:
                    subprocess.run(["rm", "-r", host.PINS], check=True)
                done = host.cpuwarden("check")
                self.assertEqual(done.returncode, 3, done.stdout)
                self.assertTrue(done.stdout.startswith("UNKNOWN - "), done.stdout)
                self.assertEqual(host.cpuwarden_json("status")[1]["host"]["observer"]["state"],
                                 "absent")
                self.apply()
                self.assertEqual(host.cpuwarden("check").returncode, 0)

    def test_4_pins_gone(self):
        """unpinned, in part or whole: UNKNOWN, although the program still runs"""
        for harm in ("link_switch", "link_exec", "prog_look", "filter", "culprits", None):
            with self.subTest(harm=harm):
                maps.keep_link("link_switch", ELSEWHERE)
                if harm:
                    os.unlink(os.path.join(host.PINS, harm))
                else:
                    subprocess.run(["rm", "-r", host.PINS], check=True)
                self.assert_check(3)
                self.renew()

    def test_5_second_program(self):
        """two programs that count into the same maps: UNKNOWN, unless each knows of the other"""
        maps.keep_link("link_switch", ELSEWHERE)
        # It waits in vain for the old one to go.
        taking = subprocess.Popen([host.NEXT, "apply"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host.wait_for("both are attached", lambda: [len(ids) for ids in maps.attached("cpuwarden_switch")] == [2, 2], 30)
        taking.kill()
        taking.wait()
        self.assertEqual(host.health()["takeover"], 1)
        self.assert_check(0)
        maps.poke("health", maps.HEALTH_TAKEOVER, bytes(4))
        self.assert_check(3, "2 programs count into the same maps")
        self.assertEqual(host.cpuwarden_json("status")[1]["host"]["observer"]["state"], "blind")

    def test_6_map_lost_an_entry(self):
        """a thread's entry is taken out of task_counters: UNKNOWN as soon as something could not be written"""
        fd = maps.open_map("task_counters")
        maps.delete(fd, self.guests[0].vcpu(0).to_bytes(4, "little"))
        os.close(fd)
        host.wait_for("what could not be written", lambda: host.health()["unwritten"], 20)
        self.assert_check(3, "no place in task_counters")
        self.assertGreater(host.cpuwarden_json("check")[1]["coverage"]["unwritten"], 0)

    def test_7_map_full(self):
        """a map with no room for another VM's threads: apply says so, and check is not OK"""
        fd, empty = maps.open_map("task_counters"), bytes(maps.size_of("task_counters"))
        with self.assertRaises(OSError) as full:
            for tid in range(FIRST_FREE_TID, FIRST_FREE_TID + 100000):
                maps.update(fd, tid.to_bytes(4, "little"), empty)
        self.assertEqual(full.exception.errno, errno.E2BIG)
        os.close(fd)
        guest = host.Guest("web3", 1, "calm")
        try:
            done = host.cpuwarden("apply")
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertIn("the observer's maps have no room for VM web3", done.stdout + done.stderr)
            said = host.cpuwarden("check")
            self.assertNotEqual(said.returncode, 0, said.stdout)
            self.assertIn("web3", said.stdout)
        finally:
            guest.kill()

    def test_7_no_room_for_names(self):
        """no room for the groups by which drift is named: placing goes on, check says how often"""
        host.must(host.PROGRAM, "release", "web1")
        fd = maps.open_map("groups")
        with self.assertRaises(OSError) as full:
            for group in range(NO_GROUP, NO_GROUP + 100000):
                maps.update(fd, group.to_bytes(8, "little"), NOBODYS_RULE)
        self.assertEqual(full.exception.errno, errno.E2BIG)
        os.close(fd)
        self.apply()
        self.assert_placed()
        code, check = host.cpuwarden_json("check")
        self.assertEqual(code, 0, check["reason"])
        self.assertGreater(check["coverage"]["groups_full"], 0)

    def test_8_rule_gone_for_a_while(self):
        """a CPU's rule is lost and comes back: not OK meanwhile, and later not for a window that saw it"""
        time.sleep(8)
        fd = maps.open_map("cpu_rules")
        maps.update(fd, (2).to_bytes(4, "little"), bytes(24))
        os.close(fd)
        self.assert_check(3, "blind: the rule of CPU 2 of web1 is not in force")
        self.apply()
        time.sleep(1.5)
        self.assert_check(0, "CPU 2 has been web1's for ")
        self.assert_check(0, args=("--window", "1s"))
        self.assert_check(3, "blind: ", args=("--window", "1h"))
        # A window that began between the two rules, within the observer's life.
        since = host.dump_map("cpu_rules")[2]["since"]
        window = int((time.monotonic_ns() - since) / 1e9) + 4
        self.assertLess(window * 1e9, time.monotonic_ns() - host.health()["start"])
        self.assert_check(3, "the rule of CPU 2 of web1 has not been in force for the whole window",
                          args=("--window", "%ds" % window))

    def test_8_copy_gone(self):
        """what the program itself goes by, the copy of a rule or the filter, is lost: not OK until apply"""
        maps.poke("cpu_counters", 2 * maps.size_of("cpu_counters") + maps.CPU_VM, bytes(4))
        self.assert_check(3, "blind: the rule of CPU 2 of web1 is not in force")
        self.apply()
        self.assert_check(0)
        maps.poke("filter", 0, bytes(maps.size_of("filter")))
        self.assertNotEqual(host.cpuwarden("check").returncode, 0)
        self.assertEqual(host.cpuwarden("plan").returncode, 2)
        self.apply()
        self.assertEqual(host.cpuwarden("plan").returncode, 0)

    def test_9_killed(self):
        """apply is killed on its way: check is OK only when there is nothing left to do"""
        calls = 0
        for point in range(10):
            self.assertEqual(host.cpuwarden("release", "--all").returncode, 0)
            subprocess.run(["rm", "-rf", host.PINS], check=True)
            if not calls:
                calls = host.calls_of("apply")
                continue
            with self.subTest(point=point):
                host.kill_at(calls * point // 10, "apply")
                done = host.cpuwarden("check")
                print("    %s" % done.stdout, end="", flush=True)
                if done.returncode == 0:
                    self.assertIn("nothing to do", host.cpuwarden("plan").stdout)
        self.apply()

    def test_a_cpu_comes_online(self):
        """a CPU that was offline when the observer started: watched as any other from its first switch"""
        host.cpuwarden("release", "--all")
        host.stop_all(self.guests[1:])
        os.unlink(os.path.join(host.ETC, "vms.d", "web2.conf"))
        host.set_online(6, False)
        subprocess.run(["rm", "-rf", host.PINS], check=True)
        try:
            self.apply()
            self.assert_check(0)
            self.assertEqual(host.counters()[6]["switches"], 0)
        finally:
            host.set_online(6, True)
            two_vms.configure()
            self.guests[1] = host.Guest("web2", 3, self.mode)
        self.apply()
        self.assert_placed()
        trace = host.Trace([6])
        before = totals(host.counters(), [6])
        with trace:
            inner = totals(host.counters(), [6])
            time.sleep(1)
            inner = difference(totals(host.counters(), [6]), inner)
        outer = difference(totals(host.counters(), [6]), before)
        _, switches = trace.account()
        trace.close()
        self.assertGreater(inner["switches"], 0)
        self.assertLessEqual(inner["switches"], switches[6])
        self.assertGreaterEqual(outer["switches"], switches[6])
        self.assert_check(0)
        # And one that goes takes the promise with it.
        host.set_online(6, False)
        self.assertNotEqual(host.cpuwarden("check").returncode, 0)
        host.set_online(6, True)

    def test_c_another_life_in_place(self):
        """QEMU executes itself in place, as it does for an update: not OK until apply, then watched as before"""
        web1 = self.guests[0]
        words = host.read("/proc/%d/cmdline" % web1.pid).rstrip("\0").split("\0")
        with open(AGAIN, "w") as script:
            script.write("#!/bin/sh\nexec %s\n" % " ".join(map(shlex.quote, words)))
        os.chmod(AGAIN, 0o755)
        host.must(os.path.join(host.HELPERS, "puppet"), "-X", AGAIN, str(web1.pid), "0", "1", "1", "1")
        host.wait_for("it is QEMU again", lambda: host.read("/proc/%d/comm" % web1.pid).startswith("qemu"), 20)
        web1.wait_until_all_run()
        host.wait_for("its monitor answers", lambda: [
            thread["class"] for thread in host.cpuwarden_json("status", "web1")[1]["vms"][0]["threads"]
        ].count("vcpu") == web1.vcpus)
        self.assertEqual(host.cpuwarden("check").returncode, 3)
        self.apply()
        self.assert_placed()
        self.assert_check(0)
        host.intrude(50, 1, 1, None, two_vms.group(web1, "vcpu0")).communicate()
        self.assert_check(2, "intruder", "web1")
        self.assertEqual(host.cpuwarden("check", "web1").returncode, 2)

    def test_d_an_earlier_life(self):
        """a VM is started anew after a violation: a window that saw it is not OK for the new one"""
        web2 = self.guests[1]
        time.sleep(20)
        process = host.intrude(50, 1, 1, None, two_vms.group(web2, "vcpu0"))
        process.communicate()
        time.sleep(0.3)
        self.assert_check(2, args=("web2", "--window", "20s"))
        web2.kill()
        self.apply()
        self.guests[1] = host.Guest("web2", 3, self.mode)
        self.apply()
        self.assert_check(3, "of a VM that is gone", args=("web2", "--window", "20s"))

    def test_e_an_unknown_vm(self):
        """a VM that nobody has told the observer of: not OK, and blind"""
        guest = host.Guest("web3", 1, "calm")
        try:
            code, check = host.cpuwarden_json("check")
            self.assertEqual(code, 3)
            self.assertIn("does not know web3", check["reason"])
            self.assertGreater(check["coverage"]["blind_ns"], 0)
        finally:
            guest.kill()

    def test_b_culprits_go_with_their_vm(self):
        """who ran on a VM's CPUs is forgotten with the VM: its slot will be another's"""
        self.storm(50)
        self.assertIn("intruder", [row["comm"] for row in host.cpuwarden_json("check")[1]["culprits"]])
        self.assertIn(" runs by that name", self.assert_check(2, "; the latest: intruder"))
        self.assertEqual(host.cpuwarden("release", "web1").returncode, 0)
        keys = [key for key, _ in host.map_rows("culprits")]
        self.assertNotIn("intruder", [key["comm"] for key in keys])
        # That of all that is left over stays.
        self.assertIn((0, 4), [(key["vm"], key["cause"]) for key in keys])
