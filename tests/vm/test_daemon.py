# SPDX-License-Identifier: GPL-2.0-or-later
"""
The daemon beside two VMs: what changes is put right without anybody's asking, what fails is told and tried again, what
was released by hand stays so, and nothing of the placement depends on its life.
"""
import os
import signal
import subprocess
import time

import beside
import host
import two_vms
from test_exec import command, named, status_field


class Launched(host.Guest):
    """By `cpuwarden exec`, which becomes QEMU."""

    def __init__(self, name, vcpus):
        self.name = name
        self.vcpus = vcpus
        self.process = subprocess.Popen(command(name, vcpus, *named(name, True)), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.wait_until_all_run()


class Daemon(beside.DaemonBeside):
    def test_1_adopts(self):
        """it finds VMs that are placed, and changes nothing; a second one refuses to start"""
        self.start()
        self.assertEqual(self.events("repair"), [])
        self.assertEqual(sorted(event["vm"] for event in self.events("started")), ["web1", "web2"])
        second = host.cpuwarden("daemon", "--events", beside.EVENTS)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another daemon (pid %d)" % self.daemon.pid, second.stderr)
        self.assert_placed()

    def test_2_repairs(self):
        """an affinity, a moved thread, a group's CPUs, a partition: put back, told with the culprit's name"""
        self.start()
        web1, web2 = self.guests
        self.move_away()
        self.wait_placed()
        named = [event for event in self.events("drift") if event["comm"] == "sh"]
        self.assertEqual([(event["vm"], event["kind"]) for event in named], [("web1", "move")])
        host.set_cgroup(two_vms.group(web2, "vcpu0"), "cpuset.cpus.partition", "member")
        self.wait_placed()
        host.set_cgroup(two_vms.group(web2, "emulator"), "cpuset.cpus", "6")
        self.wait_placed()
        # What was found by a pass that was on already is told by the next.
        self.wait("each is told", lambda: {event["kind"] for event in self.events("drift")} == {
            "move", "partition", "cpuset"})
        self.assertEqual({event["vm"] for event in self.events("repair")} - {None}, {"web1", "web2"})

    def test_3_births_and_ends(self):
        """a VM that is started is placed thread by thread, one that ends leaves nothing, a new one takes its place"""
        self.start()
        old = self.guests[1]
        old.kill()
        self.wait("its group is gone", lambda: not os.path.exists(
            os.path.join(host.CGROUP, two_vms.group(old))))
        self.guests[1] = host.Guest("web2", 3, self.mode)
        self.wait_placed()
        self.assertEqual([event["vm"] for event in self.events("ended")], ["web2"])
        self.assertEqual([event["vm"] for event in self.events("started")].count("web2"), 2)

    def test_3_launched(self):
        """a VM that exec starts is the launcher's until it is placed, and the daemon's from then on"""
        self.start()
        self.guests[1].kill()
        self.guests[1] = Launched("web2", 3)
        self.wait("exec has ended", lambda: status_field(self.guests[1].pid, "TracerPid") == "0")
        self.wait_placed()
        told = len(self.events("repair"))
        time.sleep(3)
        self.assertEqual(len(self.events("repair")), told, self.said())
        self.move_away(self.guests[1])
        self.wait_placed()
        self.assertEqual([event["vm"] for event in self.events("degraded")], [])

    def test_4_cpus_come_and_go(self):
        """a vCPU's CPU goes offline and comes back: told while it lasts, placed again afterwards"""
        self.start()
        host.set_online(5, False)
        try:
            self.wait("it says that web2 is degraded",
                      lambda: "web2" in [event["vm"] for event in self.events("degraded")])
        finally:
            host.set_online(5, True)
        self.wait_placed(40)
        self.wait("it says that web2 has recovered",
                  lambda: "web2" in [event["vm"] for event in self.events("recovered")])

    def test_5_configuration(self):
        """a changed file is followed; a broken one is named by file and line, and what was good goes on"""
        self.start()
        two = two_vms.WEB1.replace("cpus = 1", "cpus = 0").replace("1 = 1\n", "")
        path = host.configure("web1", "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 2\n1 = 5x\n")
        self.wait("it names the line", lambda: "%s:5:" % path in self.said())
        self.move_away()
        self.wait_placed()
        self.assertIn("the last good configuration stays in force", self.said())
        host.configure("web1", "[vm]\npolicy = observe\n")
        self.wait("web1 is given back", lambda: not os.path.exists(
            os.path.join(host.CGROUP, two_vms.group(self.guests[0]))))
        two_vms.configure()
        self.wait_placed()
        self.assertIn("the configuration is good again", self.said())
        self.assertNotEqual(two, two_vms.WEB1)

    def test_6_held_up(self):
        """somebody who holds the lock for long is told, and it goes on when he lets go"""
        self.start()
        holder = subprocess.Popen(["flock", os.path.join(host.RUN, "lock"), "sleep", "8"])
        time.sleep(0.5)
        self.move_away()
        self.wait("it is told", lambda: "is held" in self.said(), 15)
        self.assertFalse(self.is_placed())
        self.assertEqual(holder.wait(), 0)
        self.wait_placed()

    def test_6_released_by_hand(self):
        """release of a VM, and of all, stays so until apply"""
        self.start()
        web1 = self.guests[0]
        host.must(host.PROGRAM, "release", "web1")
        self.move_away(self.guests[1])
        self.wait("it has looked since", lambda: " by sh " in self.said())
        time.sleep(1)
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, two_vms.group(web1))))
        host.must(host.PROGRAM, "apply")
        self.wait_placed()
        host.must(host.PROGRAM, "release", "--all")
        self.daemon.send_signal(0)
        time.sleep(2)
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, host.SLICE)))
        self.assertFalse(os.path.exists(host.PINS))
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_placed(90)  # a new observer is attached
        self.wait("the observer is back", lambda: os.path.exists(os.path.join(host.PINS, "link_switch")))

    def test_7_its_end(self):
        """killed or stopped, all stays in force; a new one converges; with --release all is given back"""
        self.start()
        self.daemon.kill()
        self.daemon.wait()
        self.assert_placed()
        self.move_away()
        self.start()
        self.wait_placed()
        self.stop()
        self.assert_placed()
        before = host.health()["switches"]
        time.sleep(1)
        self.assertGreater(host.health()["switches"], before)
        self.start("--release")
        self.stop()
        self.assertFalse(os.path.exists(os.path.join(host.CGROUP, host.SLICE)))
        self.assertFalse(os.path.exists(host.PINS))

    def test_8_sleeps(self):
        """with nothing to do for a minute it does not wake up once"""
        self.start()
        time.sleep(3)

        def switches():
            status = host.read("/proc/%d/status" % self.daemon.pid)
            return {line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if "ctxt" in line}
        before = switches()
        time.sleep(60)
        self.assertEqual(switches(), before)
        resident = int(host.read("/proc/%d/statm" % self.daemon.pid).split()[1]) * 4
        print("    resident: %d KiB" % resident, flush=True)

    def test_9_violations(self):
        """who intrudes is in events.jsonl with CPU, cause, name and length; a flood is counted, and it goes on"""
        self.start()
        group = two_vms.group(self.guests[0], "vcpu0")
        intruder = host.intrude(20, 2000, 3000, None, group)
        intruder.communicate()
        found = self.wait("each is told", lambda: len(self.events("violation")) >= 20 and self.events("violation"))
        self.assertEqual({(e["vm"], e["class"], e["cause"], e["cpu"]) for e in found if e["tid"] == intruder.pid},
                         {("web1", "foreign", "user", 2)})
        before = host.counters()[2]["foreign"][0]["count"]
        told = len(self.events("violation"))
        host.intrude(20000, 1, 1, None, group).communicate()
        time.sleep(0.5)
        flood = host.counters()[2]["foreign"][0]["count"] - before
        self.assertGreater(flood, 3000)
        self.wait("all of the flood is told", lambda: sum(
            e["count"] for e in self.events("violations")) + len(self.events("violation")) - told >= flood)
        self.wait_placed()
