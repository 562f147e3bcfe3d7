# SPDX-License-Identifier: GPL-2.0-or-later
"""
Pins as in virsh, on a host with libvirt (tools/vm --systemd): what guides to pinning type is typed to virsh for a
domain and to cpuwarden for a bare VM of the same shape, and what comes out is compared byte by byte. Then what
only cpuwarden can: the CPUs are the VM's alone, and who collides is told whose they are.
"""
import os
import re
import stat
import time
import unittest

import host
from domains import DOMAIN, virsh
from sentences import Sentences

NAMED = "VM"
# To type to both, NAMED being the VM; with virsh's word where it is another.
GUIDE = [line.split(" | ") for line in """\
emulatorpin VM
emulatorpin VM 2-3 --live
emulatorpin VM 0-3,^1 --config
emulatorpin VM --config
emulatorpin VM --live
vcpupin VM
vcpupin VM 0
vcpupin VM 0 5
vcpupin VM --live
vcpupin VM --config
vcpupin VM 1 1,3-4 --live --config
vcpupin VM 0 4 --config
vcpupin VM 1 6 --config
vcpupin VM
vcpupin VM --config
vcpupin VM 1 r --live
vcpupin VM
iothreadpin VM | iothreadinfo VM
iothreadpin VM 1 0,5-6
iothreadpin VM | iothreadinfo VM
iothreadpin VM 1 7 --config
iothreadpin VM --config | iothreadinfo VM --config
emulatorpin VM 1
emulatorpin VM r
emulatorpin VM
emulatorpin VM --config""".splitlines()]
RESTARTED = [line.split(" | ") for line in """\
emulatorpin VM
vcpupin VM --live
vcpupin VM 1
iothreadpin VM | iothreadinfo VM
vcpupin VM 1 r --config
vcpupin VM --config
vcpupin VM
emulatorpin VM r --config
emulatorpin VM --config
iothreadpin VM 1 r --config
iothreadpin VM --config | iothreadinfo VM --config""".splitlines()]
# virsh refuses them too.
REFUSED = ["vcpupin VM 7", "vcpupin VM 7 3", "vcpupin VM 0 8", "vcpupin VM 0 3-1", "vcpupin VM x", "iothreadpin VM 9 3",
           "vcpupin VM 0 5 --nonsense", "vcpupin VM --live --config"]


def typed(line, name):
    return [name if word == NAMED else word for word in line.split()]


def file_of(name, folder=host.ETC):
    return os.path.join(folder, "vms.d", name + ".conf")


def text_of(path):
    return open(path, "rb").read().decode() if os.path.exists(path) else None


class Guides(Sentences):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        os.makedirs(host.ETC)
        cls.bare = host.Guest("bare", 2, "calm", wait=False)
        with open("/tmp/twin.xml", "w") as f:
            f.write(DOMAIN % ("twin", 2, 2, "", host.GUESTS))
        virsh("define /tmp/twin.xml; start twin")
        cls.bare.wait_until_all_run()

    @classmethod
    def tearDownClass(cls):
        host.stop_all([cls.bare])
        host.run("virsh", "destroy", "twin")
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    def type_all(self, lines):
        """In one virsh for all: to start it takes long where the host is emulated."""
        mark = host.run("virsh", "echo", "MARK").stdout
        commands = "; echo MARK; ".join(pair[-1].replace(NAMED, "twin", 1) for pair in lines)
        theirs = virsh(commands).split(mark)
        self.assertEqual(len(theirs), len(lines))
        for number, pair in enumerate(lines):
            with self.subTest(pair[0], number=number):
                ours = host.cpuwarden(*typed(pair[0], "bare"))
                self.assertEqual((ours.returncode, ours.stdout), (0, theirs[number]), ours.stderr)

    def test_1_guides(self):
        """each command of the pinning guides prints what virsh prints for a domain of the same shape"""
        self.type_all(GUIDE)
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        self.type_all([["vcpupin VM"], ["emulatorpin VM"]])

    def test_2_refused(self):
        """what cannot be is refused, with a sentence, and changes nothing"""
        before = text_of(file_of("bare")), text_of(file_of("bare", host.RUN))
        for line in REFUSED:
            with self.subTest(line):
                done = host.cpuwarden(*typed(line, "bare"))
                usage = re.search("3-1|nonsense| x$|--live --config", line)
                self.assert_sentence(done, 64 if usage else 1, "")
        for name in ("../bare", "a/b", ".x", "", "a\nb", "x" * 200):
            with self.subTest(name=name):
                self.assert_sentence(host.cpuwarden("vcpupin", name, "0", "3", "--config"), 64, "cannot be the name")
        self.assertEqual((text_of(file_of("bare")), text_of(file_of("bare", host.RUN))), before)

    def test_3_restarted(self):
        """after a restart what was set live is gone, and what was set with --config holds"""
        self.assertIn("[process]\npid = %d\n" % self.bare.pid, text_of(file_of("bare", host.RUN)))
        virsh("destroy", "twin")
        self.bare.kill()
        for line in ("vcpupin VM --live", "vcpupin VM 0 3 --live", "emulatorpin VM 3 --live"):
            self.assert_sentence(host.cpuwarden(*typed(line, "bare")), 1, "VM bare is not running")
        self.type_all([["vcpupin VM"], ["vcpupin VM --config"], ["emulatorpin VM"]])
        type(self).bare = host.Guest("bare", 2, "calm", wait=False)
        virsh("start", "twin")
        self.bare.wait_until_all_run()
        self.type_all(RESTARTED)
        host.cpuwarden("apply")

    def test_4_vcpuinfo(self):
        """vcpuinfo is virsh's, of one and the same domain, but for the time that goes by"""
        virsh("vcpupin twin 0 5 --live; vcpupin twin 1 2 --live")
        time.sleep(0.3)
        first, ours, last = virsh("vcpuinfo", "twin"), host.cpuwarden("vcpuinfo", "twin"), virsh("vcpuinfo", "twin")
        number = re.compile(r"(?<=CPU time:       )\d+\.\d(?=s$)", re.M)
        self.assertEqual(number.sub("N", ours.stdout), number.sub("N", first))
        for before, time_of_ours, after in zip(*(map(float, number.findall(text))
                                                 for text in (first, ours.stdout, last))):
            # virsh adds up clock ticks, each rounded down.
            self.assertTrue(before - 0.1 <= time_of_ours <= after + 0.2, (before, time_of_ours, after))
        code, info = host.cpuwarden_json("vcpuinfo", "twin")
        self.assertEqual((code, info["schema"], info["vm"]), (0, "cpuwarden.vcpuinfo/1", "twin"))
        self.assertEqual([(row["vcpu"], row["cpu"], row["state"], row["affinity"]) for row in info["vcpus"]],
                         [(0, 5, "running", "5"), (1, 2, "running", "2")])
        self.assert_sentence(host.cpuwarden("vcpuinfo", "nobody"), 1, "there is no VM named nobody")

    def test_5_watched(self):
        """a VM that is only watched has the pin as its declared set, is not touched, and that is said"""
        vcpu = self.bare.vcpu(0)
        before = host.affinity(vcpu), host.thread_cgroup(self.bare.pid, vcpu)
        done = host.cpuwarden("vcpupin", "bare", "0", "3", "--live")
        self.assertEqual((done.returncode, done.stdout), (0, "\n"))
        self.assertEqual(done.stderr, "cpuwarden: VM bare is only watched: policy = dedicated places it\n")
        self.assertEqual((host.affinity(vcpu), host.thread_cgroup(self.bare.pid, vcpu)), before)
        threads = host.cpuwarden_json("status", "bare")[1]["vms"][0]["threads"]
        self.assertEqual([t["declared"] for t in threads if (t["class"], t["index"]) == ("vcpu", 0)], ["3"])

    @unittest.skipUnless(host.REMOTE, "this kernel makes no partitions of libvirt's groups")
    def test_6_domain(self):
        """a domain's pins are set where libvirt's groups are, at once; taken back, libvirt's hold again"""
        virsh("vcpupin twin 0 5 --live; vcpupin twin 1 2 --live; emulatorpin twin 0 --live")
        host.configure(None, "[host]\nhousekeeping = 0\n")
        host.configure("twin", "[vm]\npolicy = dedicated\n")
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        pid = int(host.read("/run/libvirt/qemu/twin.pid"))
        leaf = os.path.dirname(host.thread_cgroup(pid, pid)) + "/vcpu0"
        tid = int(host.cgroup(leaf, "cgroup.threads"))
        for cpus, holds in (("6", "6"), ("r", "5")):
            done = host.cpuwarden("vcpupin", "twin", "0", cpus, "--live")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "\n", ""))
            self.assertEqual([host.cgroup(leaf, "cpuset.cpus" + end) for end in ("", ".effective", ".partition")],
                             [holds, holds, "isolated"])
            self.assertEqual(host.affinity(tid), host.cpus(holds))
        self.assertFalse(os.path.exists(file_of("twin", host.RUN)))


ONE = """# the database\r
[vm]\r
policy = dedicated ; since the spring\r
\r
[vcpupin]   ; NUMA node 0
  0 = 4 ; hot
1=5
# the end of it
[emulatorpin]
cpus = 3"""


class Placed(Sentences):
    @classmethod
    def setUpClass(cls):
        host.forget_configuration()
        host.configure(None, "[host]\nhousekeeping = 0\n")
        cls.write_one()
        host.configure("two", "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 6\n[emulatorpin]\ncpus = 7\n")
        cls.guests = [host.Guest("one", 2, "calm", wait=False), host.Guest("two", 1, "calm", wait=False)]
        for guest in cls.guests:
            guest.wait_until_all_run()
        cls.one, cls.two = cls.guests
        assert host.cpuwarden("apply").returncode == 0

    @classmethod
    def tearDownClass(cls):
        host.stop_all(cls.guests)
        host.cpuwarden("release", "--all")
        host.forget_configuration()

    @staticmethod
    def write_one(text=ONE):
        os.makedirs(os.path.dirname(file_of("one")), exist_ok=True)
        with open(file_of("one"), "wb") as f:
            f.write(text.encode())

    def setUp(self):
        """Each test begins with them placed as the files said first."""
        if os.path.exists(file_of("one", host.RUN)):
            os.unlink(file_of("one", host.RUN))
        self.write_one()
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        self.assert_vcpu(0, "4")

    def pin(self, *args, verb="vcpupin", vm="one"):
        done = host.cpuwarden(verb, vm, *args)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "\n", ""), args)

    def assert_vcpu(self, index, cpus, guest=None):
        guest = guest or self.one
        leaf = "%s/%s/vcpu%d" % (host.SLICE, guest.name, index)
        self.assertEqual(host.thread_cgroup(guest.pid, guest.vcpu(index)), leaf)
        self.assertEqual([host.cgroup(leaf, "cpuset.cpus" + end) for end in ("", ".effective", ".partition")],
                         [cpus, cpus, "isolated"])
        self.assertEqual(host.affinity(guest.vcpu(index)), host.cpus(cpus))

    def test_1_at_once(self):
        """--live takes hold before the command returns: affinity, group, partition; nothing is left to apply"""
        self.pin("0", "2", "--live")
        self.assert_vcpu(0, "2")
        self.assertEqual(text_of(file_of("one")), ONE)
        self.pin("1", verb="emulatorpin")
        self.assertEqual(host.affinity(self.one.pid), {1})
        self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")
        self.assertEqual(host.cpuwarden("vcpupin", "one", "0").stdout.splitlines()[2], " 0      2")
        code, told = host.cpuwarden_json("vcpupin", "one", "0", "2", "--live")
        self.assertEqual((code, told), (0, {"schema": "cpuwarden.vcpupin/1", "vm": "one", "live": True, "config": False,
                                            "pins": [{"vcpu": 0, "cpus": "2"}]}))
        self.pin("0", "r", "--live")
        self.assertNotIn("2", host.cgroup("cpuwarden.slice/one/vcpu1", "cpuset.cpus"))
        self.assertEqual(len(host.affinity(self.one.vcpu(0))), 1)
        self.assertIn("0 = none", text_of(file_of("one", host.RUN)))
        self.pin("0", "4")
        self.assert_vcpu(0, "4")
        self.assertNotIn("vcpupin", text_of(file_of("one", host.RUN)))
        self.pin("3", "--live", verb="emulatorpin")
        self.assertFalse(os.path.exists(file_of("one", host.RUN)))

    def test_2_from_the_next_start(self):
        """--config changes /etc, by one value, and nothing that holds now, also for the next apply"""
        os.chmod(file_of("one"), 0o640)
        os.chown(file_of("one"), 12, 34)
        self.pin("0", "1", "--config")
        self.assertEqual(text_of(file_of("one")), ONE.replace("0 = 4 ;", "0 = 1 ;"))
        st = os.stat(file_of("one"))
        self.assertEqual((stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid), (0o640, 12, 34))
        self.assertEqual(sorted(os.listdir(os.path.dirname(file_of("one")))), ["one.conf", "two.conf"])
        self.assert_vcpu(0, "4")
        self.assertEqual(host.cpuwarden("apply").stdout, "nothing to do\n")
        self.assertEqual(host.cpuwarden("vcpupin", "one", "0").stdout.splitlines()[2], " 0      4")
        self.assertEqual(host.cpuwarden("vcpupin", "one", "0", "--config").stdout.splitlines()[2], " 0      1")
        self.pin("0", "r", "--config")
        self.assertEqual(text_of(file_of("one")), ONE.replace("0 = 4 ; hot", "; hot"))
        self.assert_vcpu(0, "4")
        self.pin("1", "2", "--live", "--config")
        self.assertEqual(text_of(file_of("one")), ONE.replace("0 = 4 ; hot", "; hot").replace("1=5", "1=2"))
        self.assert_vcpu(1, "2")

    def test_3_ended(self):
        """the file of /run ends with its process: the next VM of the name has what /etc says"""
        self.pin("0", "2", "--live")
        self.one.kill()
        type(self).one = host.Guest("one", 2, "calm")
        self.guests[0] = self.one
        self.assertEqual(host.cpuwarden("vcpupin", "one", "0").stdout.splitlines()[2], " 0      4")
        self.assertTrue(os.path.exists(file_of("one", host.RUN)))
        self.assertEqual(host.cpuwarden("apply").returncode, 0)
        self.assertFalse(os.path.exists(file_of("one", host.RUN)))
        self.assert_vcpu(0, "4")

    def test_4_collisions(self):
        """another VM's CPU is refused with its name, for now, for later and of a VM that does not run; nothing is written"""
        host.configure("off", "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 2\n")
        host.configure("later", "[vm]\npolicy = dedicated\n")
        self.addCleanup(os.unlink, file_of("off"))
        self.addCleanup(os.unlink, file_of("later"))
        before = {name: text_of(file_of(name)) for name in ("one", "two", "off", "later")}
        for words, sentence in [
                ("vcpupin one 0 6 --live", "CPU 6 is reserved by VM two"),
                ("vcpupin one 0 6 --config", "CPU 6 is reserved by VM two"),
                ("vcpupin one 0 6", "CPU 6 is reserved by VM two"),
                ("emulatorpin one 1,7", "CPU 7 is reserved by VM two"),
                ("iothreadpin one 1 1-4 --live", "CPU 4 is pinned to vCPU 0 and to iothread 1"),
                ("vcpupin one 0 0 --live", "CPU 0, pinned to vCPU 0, is a housekeeping CPU"),
                ("vcpupin one 0 5 --live --config", "CPU 5 is pinned to vCPU 0 and to vCPU 1"),
                ("vcpupin one 0 5 --config", "CPU 5 is pinned to vCPU 0 and to vCPU 1"),
                ("vcpupin later 0 6", "CPU 6 is reserved by VM two"),
                ("vcpupin later 0 2 --config", "CPU 2 is pinned to vCPU 0 of VM off"),
                ("vcpupin later 0 0 --config", "CPU 0, pinned to vCPU 0, is a housekeeping CPU"),
                ("vcpupin later 1 1 --live", "VM later is not running")]:
            with self.subTest(words):
                self.assert_sentence(host.cpuwarden(*words.split()), 1, sentence)
                self.assertFalse(os.path.exists(file_of("one", host.RUN)))
                self.assertEqual({name: text_of(file_of(name)) for name in before}, before)
        self.assert_vcpu(0, "4")
        self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")

    def test_5_put_back(self):
        """a pin that the kernel does not grant is put back, and the reason is told"""
        rival = os.path.join(host.CGROUP, "rival")
        os.mkdir(rival)
        self.addCleanup(os.rmdir, rival)
        host.set_cgroup("rival", "cpuset.cpus", "2")
        host.set_cgroup("rival", "cpuset.cpus.partition", "root")
        self.assertEqual(host.cgroup("rival", "cpuset.cpus.partition"), "root")
        self.assert_sentence(host.cpuwarden("vcpupin", "one", "0", "2", "--live", "--config"), 1,
                             "the pin is as it was before")
        self.assertEqual(text_of(file_of("one")), ONE)
        self.assertFalse(os.path.exists(file_of("one", host.RUN)))
        self.assert_vcpu(0, "4")
        self.assertEqual(host.cpuwarden("plan").stdout, "nothing to do\n")

    def changing_calls(self, verb):
        """As helpers/faultat.c counts them."""
        with open(os.path.join(host.REPO, "tests/vm/helpers/faultat.c")) as f:
            names = re.findall(r"^\s+CHANGES\((\w+),", f.read(), re.M)
        host.must("strace", "-y", "-e", "trace=" + ",".join(names), "-o", "/tmp/strace", host.PROGRAM, *verb)
        return [line for line in host.read("/tmp/strace").splitlines() if not line.startswith(("+++", "---"))]

    def test_6_killed_anywhere(self):
        """killed anywhere: each file is the old one or the new one, and the next command leaves no trace of it"""
        new = ONE.replace("0 = 4 ;", "0 = 2 ;")
        verb = ["vcpupin", "one", "0", "2", "--live", "--config"]
        calls = self.changing_calls(verb)
        self.assertEqual(text_of(file_of("one")), new)
        file = [i for i, call in enumerate(calls, 1) if "one.conf" in call]
        # Each call that the file takes, a few after it, and some far from it.
        points = list(range(file[0], file[-1] + 4)) + [1, (file[-1] + len(calls)) // 2]
        seen = set()
        for i in points:
            self.pin("0", "4", "--live", "--config")
            with self.subTest(point=i):
                done = host.kill_at(i, *verb)
                self.assertEqual(done.returncode, 0, "it was not killed")
                text = text_of(file_of("one"))
                self.assertIn(text, (ONE, new))
                seen.add(text == new)
                self.pin("0", "4", "--live", "--config")
                self.assertEqual(sorted(os.listdir(os.path.dirname(file_of("one")))), ["one.conf", "two.conf"])
                self.assertEqual(text_of(file_of("one")), ONE)
                self.assert_vcpu(0, "4")
        self.assertEqual(seen, {False, True})
