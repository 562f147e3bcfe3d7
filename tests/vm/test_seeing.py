# SPDX-License-Identifier: GPL-2.0-or-later
"""`cpus` and `cpus --tasks` against /sys, cgroupfs and /proc, each read here once more by other means."""
import os
import shutil

import host
import two_vms
from account import PF_KTHREAD, PF_NO_SETAFFINITY

CPUS = "/sys/devices/system/cpu"
NODES = "/sys/devices/system/node"


def numbered(file):
    """{CPU: number}: sets of CPUs that share something, numbered by their lowest."""
    of_cpu = {cpu: host.cpus(host.read("%s/cpu%d/%s" % (CPUS, cpu, file)))
              for cpu in host.cpus(host.read(CPUS + "/online"))}
    order = sorted({min(shared) for shared in of_cpu.values()})
    return {cpu: order.index(min(shared)) for cpu, shared in of_cpu.items()}


def places():
    """{online CPU: what a row must say of its place}"""
    nodes = {cpu: int(name[4:]) for name in os.listdir(NODES) if name[4:].isdigit()
             for cpu in host.cpus(host.read("%s/%s/cpulist" % (NODES, name)))}
    packages = numbered("topology/package_cpus_list")
    caches = numbered("cache/index3/shared_cpu_list")
    cores = numbered("topology/core_cpus_list")
    return {cpu: {"node": nodes[cpu], "package": packages[cpu], "cache": caches[cpu], "core": cores[cpu],
                  "siblings": host.read("%s/cpu%d/topology/thread_siblings_list" % (CPUS, cpu))}
            for cpu in cores}


def partitions():
    """{CPU: (innermost group that is a partition and has it, what the kernel calls that)}"""
    found = {}
    for path, _, files in os.walk(os.path.join(host.CGROUP, host.SLICE)):
        group = os.path.relpath(path, host.CGROUP)
        state = host.cgroup(group, "cpuset.cpus.partition")
        if state != "member":
            for cpu in host.cpus(host.cgroup(group, "cpuset.cpus")):
                found[cpu] = max(found.get(cpu, ("", "")), (group, state), key=lambda g: g[0].count("/"))
    return found


def owners():
    """{CPU: owner} as two_vms.py has them declared."""
    owned = {}
    for vm, leaves in two_vms.LEAVES.items():
        for leaf, (cpus, _) in leaves.items():
            index = int(leaf[4:]) if leaf.startswith("vcpu") else None
            owned.update({cpu: {"vm": vm, "vcpu": index} for cpu in host.cpus(cpus)})
    return owned


def threads():
    """{tid: (CPU, pid, comm, kernel, bound, allowed, state)} of all threads, by stat and status."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for tid in os.listdir("/proc/%s/task" % pid):
                path = "/proc/%s/task/%s/" % (pid, tid)
                comm, _, rest = host.read(path + "stat").partition("(")[2].rpartition(")")
                fields = rest.split()
                flags, kernel = int(fields[6]), bool(int(fields[6]) & PF_KTHREAD)
                allowed = next(line.split(":")[1].strip() for line in host.read(path + "status").splitlines()
                               if line.startswith("Cpus_allowed_list:"))
                bound = kernel and bool(flags & PF_NO_SETAFFINITY) and allowed.isdigit()
                cpu = int(fields[36])
                found[int(tid)] = (cpu, int(pid), comm[:15], kernel, bound, cpu in host.cpus(allowed), fields[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Seeing(two_vms.TwoVMs):
    def rows(self, *args):
        code, said = host.cpuwarden_json("cpus", *args)
        self.assertEqual((code, said["schema"]), (0, "cpuwarden.cpus/1"))
        return {row["cpu"]: row for row in said["cpus"]}

    def check_places(self, rows):
        known = places()
        self.assertEqual(sorted(rows), sorted(host.cpus(host.read(CPUS + "/present"))))
        for cpu, row in rows.items():
            self.assertEqual(row["online"], cpu in known)
            nothing = dict.fromkeys(("node", "package", "cache", "core", "siblings"))
            wanted = known.get(cpu, nothing)
            self.assertEqual({key: row[key] for key in wanted}, wanted, cpu)

    def check_placed(self):
        rows, owned, held = self.rows(), owners(), partitions()
        self.check_places(rows)
        for cpu, row in rows.items():
            self.assertEqual(row["owner"], owned.get(cpu))
            self.assertEqual(row["role"], "offline" if not row["online"] else
                             "reserved" if cpu in owned else "housekeeping")
            self.assertEqual((row["cgroup"], row["partition"]), held.get(cpu, (None, None)))
        return rows

    def test_1_nobody_owns_anything(self):
        """cpus before VMs are placed, and with a CPU offline"""
        rows = self.rows()
        self.check_places(rows)
        self.assertEqual({row["role"] for row in rows.values()}, {"housekeeping"})
        self.assertEqual({(row["owner"], row["partition"], row["cgroup"]) for row in rows.values()},
                         {(None, None, None)})
        host.set_online(5, False)
        try:
            rows = self.rows()
            self.check_places(rows)
            self.assertEqual([cpu for cpu, row in rows.items() if row["role"] == "offline"], [5])
            self.assertEqual(rows[4]["siblings"], "4")
        finally:
            host.set_online(5, True)
        self.check_places(self.rows())

    def test_2_owners_and_partitions(self):
        """cpus of placed VMs: owner, role, partition and cgroup; narrowed to a list, or to reserved ones"""
        self.apply()
        rows = self.check_placed()
        self.assertEqual(rows[2]["partition"], "isolated")
        self.assertEqual(rows[1]["partition"], "root")
        self.assertEqual(sorted(self.rows("0-7:2/4,^1")), [0, 4, 5])
        self.assertEqual(sorted(self.rows("reserved")), two_vms.RESERVED)
        lines = host.cpuwarden("cpus", "2,0").stdout.splitlines()
        self.assertEqual([line.split() for line in lines], [
            ["CPU", "NODE", "PACKAGE", "CACHE", "CORE", "SIBLINGS", "ROLE", "OWNER", "PARTITION"],
            ["0", "0", "0", "0", "0", "0-1", "housekeeping", "-", "-"],
            ["2", "0", "0", "0", "1", "2-3", "reserved", "web1/vcpu0", "isolated"]])
        for wrong, code in (("8", 1), ("3-1", 64), ("", 64), ("web1", 64)):
            done = host.cpuwarden("cpus", wrong)
            self.assertEqual((done.returncode, done.stdout), (code, ""), wrong)

    def test_3_who_sits_there(self):
        """cpus --tasks has every thread that stays where it is on its CPU, and says what it is"""
        self.apply()
        before = threads()
        rows = self.rows("--tasks")
        after = threads()
        seen = {task["tid"]: (cpu, task) for cpu, row in rows.items() for task in row["tasks"]}
        self.assertEqual(len(seen), sum(len(row["tasks"]) for row in rows.values()))
        still = {tid for tid in before if before[tid][:3] == after.get(tid, [None])[:3]}
        self.assertGreater(len(still), 100)
        self.assertEqual(still - set(seen), set())
        for tid in still:
            cpu, task = seen[tid]
            # A worker's name ends with what it is at.
            if task["comm"] != after[tid][2]:
                self.assertTrue(task["comm"].startswith("kworker/"), (task, before[tid]))
            self.assertEqual((cpu, task["pid"], task["kernel"], task["bound"], task["allowed"]),
                             before[tid][:2] + before[tid][3:6])
            if before[tid][6] == after[tid][6] and before[tid][6] != "R":
                self.assertIn(task["state"], before[tid][6] + "RD")
        # Sleepers that were here when the CPU was anybody's.
        self.assertIn(False, {before[tid][5] for tid in still})
        self.check_bound(seen)
        self.check_vms(seen)

    def check_bound(self, seen):
        for name in ("migration", "ksoftirqd", "cpuhp"):
            where = {task["comm"]: (cpu, task["kernel"], task["bound"]) for cpu, task in seen.values()
                     if task["comm"].startswith(name + "/")}
            self.assertEqual(where, {"%s/%d" % (name, cpu): (cpu, True, True) for cpu in range(8)})
        kthreadd = next(task for _, task in seen.values() if task["tid"] == 2)
        self.assertEqual((kthreadd["kernel"], kthreadd["bound"]), (True, False))

    def check_vms(self, seen):
        ours = {task["tid"] for _, task in seen.values() if task["vm"]}
        self.assertEqual(ours, {tid for guest in self.guests for tid in guest.threads()})
        for guest in self.guests:
            for tid in guest.threads():
                leaf = two_vms.leaf_of(guest, tid)
                cpu, task = seen[tid]
                self.assertEqual((task["vm"], task["class"], task["index"]), (guest.name,) + guest.role(tid))
                # The others sleep, maybe since before they were moved.
                if task["class"] == "vcpu":
                    self.assertEqual({cpu}, host.cpus(two_vms.LEAVES[guest.name][leaf][0]))

    def test_4_who_sits_there_as_a_table(self):
        """cpus 3 --tasks as a table: bound kernel threads and the owner, each marked, and nobody else who may run there"""
        self.apply()
        lines = [line.split() for line in host.cpuwarden("cpus", "3", "--tasks").stdout.splitlines()]
        self.assertEqual(lines[0], ["CPU", "OWNER", "TID", "PID", "S", "ALLOWED", "KIND", "VM", "TASK"])
        self.assertEqual({(line[0], line[1]) for line in lines[1:]}, {("3", "web1/vcpu1")})
        self.assertEqual({line[6] for line in lines if line[5] == "yes"}, {"bound", "vm"}, lines)
        self.assertLessEqual({line[6] for line in lines if line[5] == "no"}, {"kernel", "user", "vm"})
        self.assertIn(["yes", "bound", "-", "[migration/3]"], [line[5:] for line in lines])
        guest = self.guests[0]
        self.assertEqual([line[2:4] + line[7:] for line in lines if line[5:7] == ["yes", "vm"]],
                         [[str(guest.vcpu(1)), str(guest.pid), "web1/vcpu1", "CPU", "1/TCG"]])
        sleeper = host.intrude(1, 0, 30000000, cpu=0)
        try:
            # Until it has been where it wants to be.
            while host.affinity(sleeper.pid) != {0}:
                pass
            lines = [line.split() for line in host.cpuwarden("cpus", "0", "--tasks").stdout.splitlines()]
            self.assertIn(["yes", "user", "-", "intruder"],
                          [line[5:] for line in lines if line[2] == str(sleeper.pid)])
        finally:
            sleeper.kill()
            sleeper.wait()
            sleeper.stdout.close()
            sleeper.stderr.close()

    def test_5_without_an_observer(self):
        """without an observer partitions tell whose a CPU is, and that is the same"""
        self.apply()
        shutil.rmtree(host.PINS)
        try:
            self.check_placed()
        finally:
            self.apply()

    def test_6_status_has_a_line_for_each_vm(self):
        """status of several VMs begins with a line for each; of one it does not"""
        self.apply()
        said = host.cpuwarden("status").stdout.split("\n\n")
        pids = [str(guest.pid) for guest in self.guests]
        self.assertEqual([line.split() for line in said[1].splitlines()], [
            ["VM", "PID", "POLICY", "STATE", "CPUS", "VIOLATIONS"],
            ["web1", pids[0], "dedicated", "placed", "1-3", "0"],
            ["web2", pids[1], "dedicated", "placed", "4-7", "0"]])
        self.assertTrue(said[2].startswith("web1: placed"), said[2])
        self.assertTrue(host.cpuwarden("status", "web2").stdout.split("\n\n")[1].startswith("web2: placed"))

    def test_7_a_vcpus_cpu_goes_offline(self):
        """a reserved CPU that is offline: still its owner's, with the kernel's word on the partition"""
        self.apply()
        host.set_online(2, False)
        try:
            row = self.check_placed()[2]
            self.assertIn("invalid", row["partition"])
            self.assertEqual(row["owner"], {"vm": "web1", "vcpu": 0})
        finally:
            host.set_online(2, True)
        self.apply()
        self.assert_placed()
