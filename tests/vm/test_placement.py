# SPDX-License-Identifier: GPL-2.0-or-later
import os
import time

import host
import two_vms


class Placement(two_vms.TwoVMs):
    def test_1_plan_says_what_apply_does(self):
        """plan lists what apply then does, and changes nothing"""
        before = host.dump()
        plan = host.cpuwarden_json("plan")
        self.assertEqual(plan[0], 2)
        self.assertEqual(host.dump(), before)
        code, done = host.cpuwarden_json("apply")
        self.assertEqual(code, 0)
        self.assertEqual([s["text"] for s in plan[1]["steps"]],
                         [s["text"] for s in done["steps"]])
        self.assert_placed()

    def test_2_second_apply_writes_nothing(self):
        """a second apply writes nothing to cgroupfs (strace)"""
        self.apply()
        trace = "/tmp/strace"
        done = host.run("strace", "-f", "-y", "-e", "trace=openat,write,mkdir,mkdirat,rmdir,"
                        "unlinkat,sched_setaffinity", "-o", trace, host.PROGRAM, "apply")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "nothing to do\n")
        wrong = [line for line in host.read(trace).splitlines()
                 if ("/sys/fs/cgroup" in line and ("O_WRONLY" in line or "O_RDWR" in line or
                                                   "mkdir" in line or "rmdir" in line))
                 or "sched_setaffinity(" in line]
        self.assertEqual(wrong, [])
        self.assertEqual(host.cpuwarden("plan").returncode, 0)

    def test_3_status_is_what_the_kernel_says(self):
        """status --json equals the kernel's files, field by field"""
        self.apply()
        code, status = host.cpuwarden_json("status")
        self.assertEqual(code, 0)
        self.assertEqual(status["schema"], "cpuwarden.status/1")
        self.check_host(status["host"])
        self.assertEqual([vm["name"] for vm in status["vms"]], ["web1", "web2"])
        for vm, guest in zip(status["vms"], self.guests):
            self.assertEqual(vm["pid"], guest.pid)
            self.assertEqual((vm["source"], vm["layout"], vm["policy"], vm["state"], vm["reason"]),
                             ("qmp", "own", "dedicated", "placed", None))
            self.assertEqual(sorted(t["tid"] for t in vm["threads"]), guest.threads())
            for thread in vm["threads"]:
                self.check_thread(guest, thread)

    def check_host(self, facts):
        self.assertEqual(facts["cpus"], host.read("/sys/devices/system/cpu/online"))
        self.assertEqual(facts["kernel"], os.uname().release)
        groups = [two_vms.group(g) for g in self.guests]
        reserved = set().union(*[host.cpus(host.cgroup(g, "cpuset.cpus")) for g in groups])
        self.assertEqual(host.cpus(facts["reserved"]), reserved)
        self.assertEqual(facts["housekeeping"], host.cgroup("", "cpuset.cpus.effective"))
        isolated = os.path.join(host.CGROUP, "cpuset.cpus.isolated")
        if os.path.exists(isolated):
            self.assertEqual(facts["isolated"], host.read(isolated))
        self.assertEqual(facts["isolated"], "2-6")
        observer = facts["observer"]
        self.assertEqual(observer["state"], "running")
        self.assertGreater(observer["switches"], 0)
        self.assertEqual(observer["lost_events"], 0)

    def check_thread(self, guest, thread):
        tid = thread["tid"]
        leaf = two_vms.leaf_of(guest, tid)
        path = host.thread_cgroup(guest.pid, tid)
        declared, partition = two_vms.LEAVES[guest.name][leaf]
        self.assertEqual(thread["cgroup"], path)
        self.assertEqual(thread["cgroup"], two_vms.group(guest, leaf))
        self.assertEqual(thread["declared"], declared)
        self.assertEqual(thread["effective"], host.cgroup(path, "cpuset.cpus.effective"))
        self.assertEqual(thread["partition"], host.cgroup(path, "cpuset.cpus.partition"))
        self.assertEqual(thread["partition"], partition)
        self.assertEqual(thread["comm"], guest.comm(tid))
        kind, index = guest.role(tid)
        self.assertEqual((thread["class"], thread["index"]), (kind, index or 0))
        self.assertEqual(thread["last_cpu"], int(host.stat_fields(tid)[36]))
        self.assertEqual(thread["off_set"], {"count": 0, "ns": 0})
        sched = host.read("/proc/%d/task/%d/schedstat" % (guest.pid, tid)).split()
        for field, now in zip(("run_ns", "wait_ns", "switches"), sched):
            self.assertLessEqual(thread[field], int(now))

    def test_4_changed_pins_move_threads(self):
        """changed pins: swapped, moved, and back, each verified, the other VM untouched"""
        self.apply()
        swapped = two_vms.WEB2.replace("0 = 4", "0 = 9").replace("1 = 5", "1 = 4") \
            .replace("0 = 9", "0 = 5")
        host.configure("web2", swapped)
        done = self.apply()
        self.assertNotIn("web1", done.stdout)
        guest = self.guests[1]
        self.assertEqual(host.affinity(guest.vcpu(0)), {5})
        self.assertEqual(host.affinity(guest.vcpu(1)), {4})
        self.assertEqual(host.cgroup(two_vms.group(guest, "vcpu0"), "cpuset.cpus.partition"),
                         "isolated")
        host.configure("web2", two_vms.WEB2)
        self.apply()
        self.assert_placed()
        self.assertEqual(host.cpuwarden("check").returncode, 0, host.cpuwarden("check").stdout)

    def repair(self, damages):
        for number, damage in enumerate(damages):
            with self.subTest(damage=number):
                damage()
                # The other VM's state may suffer too (the slice is common to both).
                states = [vm["state"] for vm in host.cpuwarden_json("status")[1]["vms"]]
                self.assertIn("degraded", states)
                self.assertEqual(host.cpuwarden("plan").returncode, 2)
                self.assertNotEqual(host.cpuwarden("check").returncode, 0)
                self.apply()
                self.assert_placed()
                self.assertEqual(host.cpuwarden("plan").returncode, 0)

    def test_5_damage_is_found_and_repaired(self):
        """damage done by an admin is degraded in status, no OK in check, mended by apply"""
        web1, web2 = self.guests
        self.apply()
        self.repair([
            lambda: host.set_cgroup(two_vms.group(web1, "vcpu0"), "cpuset.cpus.partition", "member"),
            lambda: host.set_cgroup(two_vms.group(web2, "emulator"), "cgroup.threads",
                                    str(web2.vcpu(1))),
            lambda: host.set_cgroup("", "cgroup.procs", str(web2.pid)),
            lambda: host.set_cgroup(two_vms.group(web1, "emulator"), "cpuset.cpus", "1-2"),
        ])
        # A VM's group becomes a partition again only where the host has a CPU to spare for it.
        web2.kill()
        self.guests = [web1]
        self.apply()
        self.repair([
            lambda: host.set_cgroup(two_vms.group(web1), "cpuset.cpus.partition", "member"),
            lambda: host.set_cgroup(host.SLICE, "cpuset.cpus.exclusive", "")
            if host.REMOTE else
            host.set_cgroup(host.SLICE, "cpuset.cpus.partition", "member"),
            lambda: host.set_cgroup(two_vms.group(web1), "cpuset.cpus", "2-3"),
        ])
        type(self).guests = [web1, host.Guest("web2", 3, self.mode)]

    def test_9_cpu_goes_offline(self):
        """a vCPU's CPU goes offline: its VM is degraded and says why, the other goes on; online again, apply mends it"""
        self.addCleanup(host.set_online, 3, True)
        self.apply()
        host.set_online(3, False)
        states = {vm["name"]: vm for vm in host.cpuwarden_json("status")[1]["vms"]}
        self.assertEqual(states["web1"]["state"], "degraded")
        self.assertRegex(states["web1"]["reason"], "3")
        self.assertEqual(states["web2"]["state"], "placed")
        # The vCPU runs on, elsewhere: which is a violation, whoever is to blame.
        time.sleep(0.3)
        done = host.cpuwarden("check")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertRegex(done.stdout, r"violations?: \d+ off_set")
        done = host.cpuwarden("apply")
        print("    apply: %s%s" % (done.stdout, done.stderr), end="")
        self.assertEqual(done.returncode, 1)
        for guest in self.guests:
            for tid in guest.threads():
                self.assertTrue(host.affinity(tid))
        host.set_online(3, True)
        self.apply()
        self.assert_placed()
        self.assertEqual(host.cpuwarden("plan").returncode, 0)

    def pages(self, guest):
        """{memory node: pages of the guest's own}"""
        found = {}
        for line in host.read("/proc/%d/numa_maps" % guest.pid).splitlines():
            if " anon=" in line:
                for word in line.split():
                    if word[0] == "N" and "=" in word:
                        node, _, count = word[1:].partition("=")
                        found[int(node)] = found.get(int(node), 0) + int(count)
        return found

    def test_10_memory_follows(self):
        """memory = follow: a VM's pages move to the node of its vCPUs, what is set otherwise is found, and set again"""
        guest, group = self.guests[1], two_vms.group(self.guests[1])
        self.apply()
        self.assertEqual(host.cgroup(group, "cpuset.mems"), "")
        host.configure("web2", two_vms.WEB2.replace("dedicated", "dedicated\nmemory = follow"))
        self.addCleanup(host.cpuwarden, "release", "web2")
        self.addCleanup(two_vms.configure)
        print("    pages by node before: %s" % self.pages(guest), flush=True)
        self.assertIn("set the memory nodes of /%s to 1: the kernel moves pages" % group, host.cpuwarden("plan").stdout)
        self.assertEqual(host.cpuwarden_json("status")[1]["vms"][1]["state"], "degraded")
        self.apply()
        pages = self.pages(guest)
        print("    and after: %s" % pages, flush=True)
        self.assertEqual(host.cgroup(group, "cpuset.mems"), "1")
        self.assertGreater(pages[1], 1000)
        self.assertLess(pages.get(0, 0), pages[1] / 20)
        host.set_cgroup(group, "cpuset.mems", "0-1")
        self.assertRegex(host.cpuwarden_json("status")[1]["vms"][1]["reason"], "memory nodes of .* should be 1 and are 0-1")
        self.apply()
        self.assert_placed()

    def lost_cpus(self):
        """CPUs that the kernel loses with a claim are taken back: by apply, and by release"""
        group = two_vms.group(self.guests[0])

        def lose():
            host.set_cgroup(host.SLICE, "cpuset.cpus.exclusive", "")
            for leaf in ("vcpu1", "vcpu0", ""):
                host.set_cgroup("/".join(filter(None, [group, leaf])), "cpuset.cpus.partition", "member")
        self.apply()
        with self.subTest("apply"):
            lose()
            self.apply()
            self.assert_placed()
        with self.subTest("apply, of what a CPU list was changed of, too"):
            host.set_cgroup(host.SLICE, "cpuset.cpus.exclusive", "")
            host.set_cgroup(group, "cpuset.cpus", "2-3")
            self.apply()
            self.assert_placed()
        with self.subTest("release"):
            host.set_cgroup(host.SLICE, "cpuset.cpus.exclusive", "")
            host.cpuwarden("release", "--all")
            self.assertEqual(host.cgroup("", "cpuset.cpus.effective"), "0-7")
            self.apply()
            lose()
            done = host.cpuwarden("release", "--all")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(host.cgroup("", "cpuset.cpus.effective"), "0-7")
            self.assertEqual(host.cgroup("", "cgroup.subtree_control"), "")
        with self.subTest("a reclaim that was killed half-way"):
            self.apply()
            lose()
            os.mkdir(host.CGROUP + "/cpuwarden.reclaim")
            self.apply()
            self.assert_placed()
            self.assertFalse(os.path.exists(host.CGROUP + "/cpuwarden.reclaim"))

    if host.REMOTE: # 6.1 has no exclusive CPUs to lose
        test_8_lost_cpus = lost_cpus

    def test_6_vm_that_ends_leaves_nothing(self):
        """a VM that ends owns nothing any more, and apply clears its groups away"""
        self.apply()
        extra = host.Guest("short", 1, self.mode)
        host.configure("short", "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 5\n")
        done = host.cpuwarden("apply")
        self.assertEqual(done.returncode, 1)
        self.assertIn("short: CPU 5 is reserved by VM web2", done.stderr)
        extra.kill()
        self.guests[1].kill()
        time.sleep(0.2)
        self.apply()
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, two_vms.group(self.guests[1]))))
        held = "cpuset.cpus.exclusive" if host.REMOTE else "cpuset.cpus"
        self.assertEqual(host.cgroup(host.SLICE, held), "1-3")
        self.guests[1] = host.Guest("web2", 3, self.mode)
        self.apply()
        self.assert_placed()

    def test_7_release_gives_back_exactly(self):
        """release gives back exactly what was found: groups, affinities, subtree_control"""
        host.cpuwarden("release", "--all")
        # Something to give back: a group of its own, bound threads, one thread bound apart, a bound host task.
        os.makedirs(host.CGROUP + "/guests", exist_ok=True)
        host.set_cgroup("guests", "cgroup.procs", str(self.guests[0].pid))
        os.sched_setaffinity(self.guests[0].vcpu(0), {3, 4, 5})
        os.sched_setaffinity(self.guests[1].iothread(), {0, 6})
        bound = host.intrude(100000, 100, 50000, 4)
        bound.stdout.readline()
        try:
            before = host.dump()
            self.apply()
            self.assert_placed()
            done = host.cpuwarden("release", "web1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(host.thread_cgroup(self.guests[0].pid, self.guests[0].pid), "guests")
            done = host.cpuwarden("release", "--all")
            self.assertEqual(done.returncode, 0, done.stderr)
            host.assert_given_back(self, before)
            self.assertFalse(os.path.exists(host.PINS))
            self.assertEqual(os.listdir(host.RUN), ["lock"])
        finally:
            bound.kill()
            bound.wait()
            host.set_cgroup("", "cgroup.procs", str(self.guests[0].pid))
            os.rmdir(host.CGROUP + "/guests")
            for guest in self.guests:
                for tid in guest.threads():
                    os.sched_setaffinity(tid, range(8))
