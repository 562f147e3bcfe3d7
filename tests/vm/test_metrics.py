# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the daemon exports: by a process without privileges, that tells what the maps and the kernel's files say, and
that no client can keep from doing so.
"""
import http.client
import os
import re
import socket
import subprocess
import threading
import time

import account
import beside
import host
import two_vms
from exporter import ADDRESS, answers, metric, parse, process, scrape

# What only the daemon knows.
OF_DAEMON = re.compile("cpuwarden_(repairs_total|reconcile_seconds_.*)$")


class Metrics(beside.DaemonBeside):
    def setUp(self):
        super().setUp()
        self.start()
        self.wait("it answers", answers)

    def test_1_agrees(self):
        """counters as the maps have them, owners, partitions as the kernel has them, waits and runs of each vCPU"""
        before = account.totals(host.counters(), two_vms.RESERVED)
        host.intrude(20, 2000, 3000, 1, two_vms.group(self.guests[0], "emulator")).communicate()
        time.sleep(0.5)
        found = scrape()
        after = account.totals(host.counters(), two_vms.RESERVED)
        self.assertEqual(metric(found, "observer_up"), 1)
        # At most those since then.
        self.assertGreaterEqual(metric(found, "violations_total", vm="web1", **{"class": "foreign"}, cause="user"), 20)
        self.assertEqual(metric(found, "violations_total", cause="user"), after["user"][0])
        self.assertAlmostEqual(metric(found, "violation_seconds_total", cause="user"), after["user"][1] / 1e9, 5)
        self.assertGreater(after["user"][0], before["user"][0])
        self.assertEqual({dict(pairs)["cpu"]: dict(pairs)["vm"] for (name, pairs) in found
                          if name == "cpuwarden_cpu_reserved"},
                         {**{cpu: "web1" for cpu in "123"}, **{cpu: "web2" for cpu in "4567"}})
        for guest, vcpus in zip(self.guests, (2, 3)):
            self.assertEqual(metric(found, "placement_degraded", vm=guest.name), 0)
            for vcpu in range(vcpus):
                labels = {"vm": guest.name, "vcpu": str(vcpu)}
                self.assertAlmostEqual(metric(found, "vcpu_run_seconds_total", **labels),
                                       guest.run_ns(guest.vcpu(vcpu)) / 1e9, delta=5)
                self.assertEqual(metric(found, "vcpu_wait_seconds_bucket", le="+Inf", **labels),
                                 metric(found, "vcpu_wait_seconds_count", **labels))
                self.assertEqual(metric(found, "partition_valid", vm=guest.name, group="vcpu%d" % vcpu), 1)
        self.assertEqual(metric(found, "build_info", kernel=os.uname().release), 1)

    def test_2_repairs(self):
        """a repair is counted, a configuration that is broken is told"""
        self.move_away()
        self.wait_placed()
        self.wait("it is counted", lambda: metric(
            scrape(), "repairs_total", vm="web1", reason="move-thread") == 1)
        self.assertGreater(metric(scrape(), "reconcile_seconds_count"), 0)
        host.configure(None, "[host]\nhousekeepin = 0\n")
        self.wait("it is told", lambda: metric(scrape(), "config_broken") == 1)
        host.configure(None, "[host]\nhousekeeping = 0\n")
        self.wait("it is well again", lambda: metric(scrape(), "config_broken") == 0)

    def test_2_placed(self):
        """to place a VM for the first time is no repair, to put it right afterwards is one"""
        self.stop()
        host.must(host.PROGRAM, "release", "web1")
        self.start()
        self.wait_placed()
        self.wait("it answers", answers)
        self.assertEqual(metric(scrape(), "repairs_total", vm="web1"), 0)
        self.move_away()
        self.wait_placed()
        self.wait("it is counted", lambda: metric(scrape(), "repairs_total", vm="web1") > 0)

    def test_3_privileges(self):
        """its process is nobody's, without capabilities and the daemon's files, ends with the daemon, is started again"""
        pid = process(self.daemon)
        status = dict(line.split(":\t", 1) for line in host.read("/proc/%d/status" % pid).splitlines() if ":\t" in line)
        self.assertEqual(status["Uid"].split(), ["65534"] * 4)
        self.assertEqual(status["Gid"].split(), ["65534"] * 4)
        self.assertEqual(status["Groups"].strip(), "")
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            self.assertEqual(int(status["Cap" + kind], 16), 0, kind)
        self.assertEqual(status["NoNewPrivs"], "1")
        files = {os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
        self.assertEqual([name for name in files if host.RUN in name or host.CGROUP in name
                          or "inotify" in name or beside.EVENTS in name], [])
        os.kill(pid, 9)
        self.wait("another one answers", lambda: answers() and process(self.daemon) != pid)
        pid = process(self.daemon)
        self.daemon.kill()
        self.daemon.wait()
        self.wait("it ends, too", lambda: not os.path.exists("/proc/%d" % pid))

    def test_4_refuses(self):
        """other pages and methods are refused, and so is what is no HTTP"""
        connection = http.client.HTTPConnection(*ADDRESS, timeout=10)
        for method, path, expected in (("GET", "/", 404), ("GET", "/metrics/x", 404), ("POST", "/metrics", 405),
                                       ("DELETE", "/metrics", 405), ("HEAD", "/metrics", 200)):
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, expected, (method, path))
        for rubbish in (b"\0" * 4096, b"GET " + b"a" * 100000, b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 20000):
            with socket.create_connection(ADDRESS, timeout=10) as client:
                try:
                    client.sendall(rubbish)
                    client.recv(1000)
                except OSError:
                    pass
        self.assertTrue(scrape())

    def test_5_hostile_clients(self):
        """200 scrapes at once beside 50 clients that never finish: all are served, memory is bounded"""
        slow = [socket.create_connection(ADDRESS, timeout=10) for _ in range(50)]
        for client in slow:
            client.sendall(b"GET /metrics HTTP/1.1\r\n")
        failed = []

        def ask():
            try:
                scrape()
            except (OSError, AssertionError) as error:
                failed.append(error)
        threads = [threading.Thread(target=ask) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        status = host.read("/proc/%d/status" % process(self.daemon))
        peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
        print("    the exporter has had %d KiB" % peak, flush=True)
        self.assertLess(peak, 64 << 10)
        # Who is silent is hung up on.
        time.sleep(8)
        self.assertEqual([client.recv(1) for client in slow], [b""] * 50)

    def test_6_no_observer(self):
        """without an observer it says so, and with the next one it goes on"""
        host.must(host.PROGRAM, "release", "--all")
        self.wait("it is told", lambda: metric(scrape(), "observer_up") == 0, 60)
        host.must(host.PROGRAM, "apply")
        self.wait("it is back", lambda: metric(scrape(), "observer_up") == 1, 60)

    def test_7_once(self):
        """the verb tells the same, beside the daemon and without one; a file is replaced whole, and tells what failed"""
        def facts(found):
            return {key: value for key, value in found.items() if not OF_DAEMON.match(key[0])}

        def sums(found):
            return {name: metric(found, name) for name in (
                "violations_total", "settling_total", "cpu_reserved", "partition_valid", "placement_degraded",
                "reconcile_failed", "config_broken", "observer_up", "build_info", "observer_blind_seconds_total")}
        served, once = scrape(), parse(host.must(host.PROGRAM, "metrics").stdout)
        self.assertEqual(set(facts(served)), set(once))
        self.assertEqual(sums(served), sums(once))
        self.assertEqual(metric(once, "cpu_reserved"), 7)
        self.stop()
        alone = parse(host.must(host.PROGRAM, "metrics").stdout)
        self.assertEqual((set(alone), sums(alone)), (set(once), sums(once)))
        self.assertGreater(metric(alone, "observer_switches_total"), metric(once, "observer_switches_total"))
        path = "/run/cpuwarden-test.prom"
        host.must(host.PROGRAM, "metrics", "--textfile", path)
        self.addCleanup(os.unlink, path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)
        writer = subprocess.Popen(["sh", "-c", "for i in 1 2 3 4 5; do %s metrics --textfile %s || exit; done" % (
            host.PROGRAM, path)])
        while writer.poll() is None:
            self.assertEqual(set(parse(host.read(path))), set(once))
        self.assertEqual(writer.returncode, 0)
        host.configure(None, "[host]\nhousekeepin = 0\n")
        done = host.run(host.PROGRAM, "metrics", "--textfile", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cpuwarden.conf:2: ", done.stderr)
        told = parse(host.read(path))
        self.assertEqual((metric(told, "observer_up"), metric(told, "reconcile_failed")), (1, 1))
        self.assertEqual(metric(told, "cpu_reserved"), 7)
        host.must(host.PROGRAM, "release", "--all")
        self.assertEqual(metric(parse(host.run(host.PROGRAM, "metrics").stdout), "observer_up"), 0)
        for bad in ("/dev/null", "/run"):
            self.assertEqual(host.run(host.PROGRAM, "metrics", "--textfile", bad).returncode, 1)
        self.assertTrue(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"))
