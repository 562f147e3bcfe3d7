# SPDX-License-Identifier: GPL-2.0-or-later
"""
Bad inputs: whatever is wrong with what cpuwarden is told, with what it is given or with where it runs, it says one
sentence that names it, exits as documented, and leaves cgroups, threads, observer and files as they were.
"""
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from fcntl import LOCK_EX, flock

import host
import sentences
from sentences import NOT_V2

HOST = "[host]\nhousekeeping = 0\n"
WEB1 = "[vm]\npolicy = dedicated\n[vcpupin]\n0 = 2\n[emulatorpin]\ncpus = 1\n"
DEDICATED = "[defaults]\npolicy = dedicated\n"
LOCK_SECONDS = 30
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}

# What is wrong, the command, what the sentence says.
USAGE = [
    ("no verb", "", "a verb is missing"),
    ("an unknown verb", "aply", "there is no verb 'aply'"),
    ("an unknown option", "status --nonsense", "unrecognized option '--nonsense'"),
    ("an option without its value", "check --window", "option '--window' requires an argument"),
    ("too many arguments", "plan web1", "usage: cpuwarden plan"),
    ("two VMs", "status web1 web2", "usage: cpuwarden status [VM]"),
    ("too few arguments", "vcpupin", "usage: cpuwarden vcpupin VM [VCPU [LIST|r]]"),
    ("another verb's option", "status --window 5m", "status takes no --window"),
    ("--all for a verb that has none", "apply --all", "apply takes no --all"),
    ("--live for a verb that has none", "status --live", "status takes no --live"),
    ("--config for a verb that has none", "apply --config", "apply takes no --config"),
    ("two questions at once", "vcpupin web1 --live --config", "--live and --config exclude one another"),
    ("a list too many", "vcpupin web1 0 3 4", "usage: cpuwarden vcpupin VM [VCPU [LIST|r]]"),
    ("a list that is none", "emulatorpin web1 3-1", "'3-1' is a range that ends before it begins"),
    ("a name that is a path", "vcpupin ../web1 0 3", "'../web1' cannot be the name of a VM"),
    ("a window of no time", "check --window 0", "not '0'"),
    ("a window with a wrong unit", "check --window 5x", "not '5x'"),
    ("a window below zero", "check --window -5", "not '-5'"),
    ("a window without a number", "check --window s", "not 's'"),
    ("release of nothing", "release", "usage: cpuwarden release VM | --all"),
    ("release of one and of all", "release web1 --all", "usage: cpuwarden release VM | --all"),
    ("a vCPU that is no number", "vcpupin web1 5x", "'5x' is not the number of a vCPU"),
    ("a vCPU number above all", "vcpupin web1 8192 3", "'8192' is not the number of a vCPU"),
    ("an iothread that is no number", "iothreadpin web1 x", "'x' is not the number of an iothread"),
    ("a vCPU number of 11 digits", "vcpupin web1 99999999999",
     "'99999999999' is not the number of a vCPU"),
]

# A list as a vCPU's pin, what the sentence says.
LISTS = [
    ("5x", "'5x' is no CPU number, range or stride"),
    ("3-1", "'3-1' is a range that ends before it begins"),
    ("1,,2", "item 2 of the CPU list '1,,2' is empty"),
    ("", "the CPU list is empty"),
    ("3,", "item 2 of the CPU list '3,' is empty"),
    ("8", "CPU 8 does not exist: this host has CPUs 0-7"),
    ("2-64", "CPU 8 does not exist: this host has CPUs 0-7"),
    ("8192", "CPU 8192 does not exist: this host has CPUs 0-7"),
    ("99999999999", "'99999999999' is no CPU number"),
    ("^1", "the CPU list '^1' leaves no CPU"),
    ("2-3,^2,^3", "the CPU list '2-3,^2,^3' leaves no CPU"),
    ("0-3:0/2", "'0-3:0/2' must use at least one CPU"),
    ("0-3:1/0", "'0-3:1/0' must use at least one CPU"),
    ("-1", "'-1' is no CPU number"),
    ("0x3", "'0x3' is no CPU number"),
    ("2 3", "'2 3' is no CPU number"),
    ("some", "'some' is no CPU number"),
]

# What is wrong, the file, its text, what the sentence says after the file's name.
FILES = [
    ("an unknown section", "vms.d/web1.conf", "[vcpus]\n", ":1: unknown section [vcpus]: allowed are vm, "),
    ("a section of the other file", "cpuwarden.conf", "[vm]\n",
     ":1: unknown section [vm]: allowed are host, defaults, vm PATTERN, class NAME, observer, exporter"),
    ("an unknown key", "vms.d/web1.conf", "[vm]\npolice = dedicated\n",
     ":2: unknown key police in [vm]: allowed are policy, "),
    ("a key given twice", "vms.d/web1.conf", "[vcpupin]\n0 = 2\n0 = 3\n",
     ":3: 0 is given twice in [vcpupin]: it is allowed once, and line 2 has it"),
    ("a key outside a section", "vms.d/web1.conf", "policy = dedicated\n",
     ":1: key policy is outside a section"),
    ("a bad policy", "vms.d/web1.conf", "[vm]\npolicy = exclusive\n",
     ":2: policy cannot be 'exclusive': allowed are observe, dedicated, shared, ignore"),
    ("a bad partition", "cpuwarden.conf", "[defaults]\npartition = yes\n",
     ":2: partition cannot be 'yes': allowed are isolated, root, member"),
    ("a bad emulator", "vms.d/web1.conf", "[vm]\nemulator = mine\n",
     ":2: emulator cannot be 'mine': allowed are own, housekeeping, a CPU list"),
    ("a bad numa", "vms.d/web1.conf", "[vm]\nnuma = 0\n", ":2: numa cannot be '0'"),
    ("housekeeping CPUs that the host lacks", "cpuwarden.conf", "[host]\nhousekeeping = 0,9\n",
     ":2: CPU 9 does not exist: this host has CPUs 0-7"),
    ("a vCPU index that is no number", "vms.d/web1.conf", "[vcpupin]\nfirst = 2\n",
     ":2: unknown key first in [vcpupin]: allowed are vCPU numbers from 0 to 8191"),
    ("a vCPU index that is too large", "vms.d/web1.conf", "[vcpupin]\n8192 = 2\n",
     ":2: unknown key 8192 in [vcpupin]: allowed are vCPU numbers from 0 to 8191"),
    ("a section that does not end", "vms.d/web1.conf", "[vm\npolicy = dedicated\n",
     ":1: '[vm' is no section: allowed is [NAME]"),
    ("text after a section", "vms.d/web1.conf", "[vm] policy = dedicated\n",
     ":1: '[vm] policy = dedicated' is no section"),
    ("a line that is nothing", "vms.d/web1.conf", "[vm]\ndedicated\n",
     ":2: 'dedicated' is neither a section nor KEY = VALUE"),
    ("a colon for =", "vms.d/web1.conf", "[vm]\npolicy: dedicated\n", ":2: 'policy: dedicated' is neither"),
    ("a NUL byte", "vms.d/web1.conf", "[vm]\npolicy = dedi\0cated\n", ":2: a NUL byte"),
    ("a key of terminal codes", "vms.d/web1.conf", "[vm]\n\033[2Jpolicy = dedicated\n",
     ":2: unknown key ?[2Jpolicy in [vm]"),
    ("a line of 100 KB", "vms.d/web1.conf", "[vcpupin]\n0 = " + "2," * 50000 + "2\n",
     ":2: a line has at most 65536 bytes"),
    ("a file of 2 MB", "vms.d/web1.conf", "[vm]\n" + "# nothing\n" * 200000,
     ": a file has at most 1048576 bytes"),
    ("a program for a file", "vms.d/web1.conf", "\x7fELF\x02\x01\x01\0\0\0\0\0\n", ":1: a NUL byte"),
    ("a listen without a port", "cpuwarden.conf", "[exporter]\nlisten = 127.0.0.1\n",
     ":2: listen cannot be '127.0.0.1': allowed are ADDRESS:PORT"),
    ("a listen by name", "cpuwarden.conf", "[exporter]\nlisten = localhost:9753\n",
     ":2: listen cannot be 'localhost:9753'"),
    ("a listen on a port too high", "cpuwarden.conf", "[exporter]\nlisten = [::1]:65536\n",
     ":2: listen cannot be '[::1]:65536'"),
]

# What is there instead of a file, how it comes there, what the sentence says after the file's name.
NO_FILES = [
    ("a directory", "vms.d/web1.conf", os.mkdir, ": only a regular file is allowed"),
    ("a FIFO", "vms.d/web1.conf", os.mkfifo, ": only a regular file is allowed"),
    ("a socket", "vms.d/web1.conf", lambda path: socket.socket(socket.AF_UNIX).bind(path),
     ": only a regular file is allowed"),
    ("a link", "vms.d/web1.conf", lambda path: os.symlink("../other", path), ": only a regular file is allowed"),
    ("a device", "cpuwarden.conf", lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)),
     ": only a regular file is allowed"),
    ("a file for the folder", "vms.d", lambda path: open(path, "w").close(), ": cannot be read: Not a directory"),
    ("a name of 200 bytes", "vms.d/%s.conf" % ("n" * 200), lambda path: open(path, "w").close(),
     ": a VM's name has at most 127 bytes"),
]

# A shell's lines in a mount namespace of its own, what apply then says.
PLACES = [
    ("no cgroup hierarchy", "umount -l /sys/fs/cgroup", NOT_V2),
    ("cgroup v2 without cpuset", "umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup", NOT_V2),
    ("no BTF", "mount -t tmpfs none /sys/kernel/btf", "this kernel has no BTF (/sys/kernel/btf/vmlinux)"),
    ("no bpf file system", "umount -l /sys/fs/bpf", ": mount -t bpf bpf /sys/fs/bpf"),
    ("no /proc", "mount -t tmpfs none /proc", "cannot read /proc/self/status: is /proc mounted?"),
    ("no /sys", "mount -t tmpfs none /sys", "/sys/devices/system/cpu/possible: "),
    ("a read-only /run", "mount -t tmpfs -o ro none /run", "Read-only file system"),
]

# What the policy of web1, which is placed, becomes; what the sentence says.
CLAIMS = [
    ("a pin to a housekeeping CPU", WEB1.replace("0 = 2", "0 = 0"),
     "web1: CPU 0, pinned to vCPU 0, is a housekeeping CPU"),
    ("a pin to a CPU that is offline", WEB1.replace("0 = 2", "0 = 7"),
     "web1: CPU 7, pinned to vCPU 0, is offline"),
    ("one CPU for vCPU and emulator", WEB1.replace("cpus = 1", "cpus = 1-2"),
     "web1: CPU 2 is pinned to the emulator and to vCPU 0: a vCPU's partition shares with nobody"),
    ("one of the emulator and the iothreads on housekeeping CPUs",
     "[vm]\npolicy = dedicated\nemulator = housekeeping\niothreads = own\n",
     "web1: of the emulator and the iothreads either all are on housekeeping CPUs or none is"),
    ("a class without a section", "[vm]\npolicy = shared\nclass = gold\n",
     "web1: its class is gold, and there is no section [class gold]"),
    ("an emulator of a class's VM that is pinned", "[vm]\npolicy = shared\n[emulatorpin]\ncpus = 1\n",
     "web1: the emulator of a VM with policy = shared runs on the CPUs of its class"),
    ("two nodes for one", "[vm]\npolicy = dedicated\nnuma = single\n[vcpupin]\n0 = 2\n[emulatorpin]\ncpus = 5\n",
     "web1: CPUs of 2 nodes are fixed, and one node is wanted (numa = single)"),
]

# A VM or a vCPU that is not there: the command, what the sentence says.
ABSENT = [
    ("status web9", "there is no VM named web9"),
    ("release web9", "nothing of a VM named web9 is held"),
    ("release ../../etc", "nothing of a VM named ../../etc is held"),
    ("vcpupin web9", "there is no VM named web9"),
    ("vcpupin web9 0", "there is no VM named web9"),
    ("emulatorpin web9", "there is no VM named web9"),
    ("iothreadpin web9", "there is no VM named web9"),
    ("vcpupin web1 1", "VM web1 has no vCPU 1"),
    ("status \033[2Jweb1\a", "there is no VM named ?[2Jweb1?"),
    ("status " + "n" * 9000, "there is no VM named nnn"),
]

# What is found in place of the record of where a VM's threads or the host's were.
RECORDS = [
    ("", "nothing"),
    ("\0\0\0\0", "NUL bytes"),
    ("{\"schema\": \"cpuwarden.found", "half of it"),
    ("[" * 5000, "brackets"),
    ("[]", "a list"),
    ("null", "null"),
    ("{\"schema\": null}", "no schema"),
    ("{\"schema\": \"SCHEMA\"}", "a schema alone"),
    ("{\"schema\": \"SCHEMA\", \"name\": \"web1\", \"pid\": 1, \"start_time\": 1, \"cpuset_given\": true,"
     " \"threads\": [1, null, {}], \"bound\": [1, null, {}]}", "threads that are none"),
    ("{\"schema\": \"SCHEMA\", \"name\": \"web1\", \"pid\": 1, \"start_time\": 1, \"cpuset_given\": true,"
     " \"threads\": [{\"pid\": 1, \"tid\": 1, \"start_time\": 1, \"affinity\": null}],"
     " \"bound\": [{\"pid\": 1, \"tid\": 1, \"start_time\": 1, \"affinity\": null}]}", "no affinity"),
    ("{\"schema\": \"SCHEMA\", \"name\": \"web1\", \"pid\": 1, \"start_time\": 1, \"cpuset_given\": true,"
     " \"threads\": [{\"pid\": 1, \"tid\": 1, \"start_time\": 1, \"affinity\": \"0\", \"cgroup\": null}],"
     " \"bound\": [], \"workqueues\": null}", "no cgroup and no workqueues"),
]

# `-name guest=` of a QEMU; the name it goes by; its group where that differs.
HOSTILE = [
    ("../../x", r"\x2e.\x2f..\x2fx", None),
    ("a b\033[2J\nc", r"a\x20b\x1b\x5b2J\x0ac", None),
    ("n" * 300, "n" * 127, None),
    ("cpuset.cpus", "cpuset.cpus", r"cpuset\x2ecpus"),
    ("cgroup.procs", "cgroup.procs", r"cgroup\x2eprocs"),
]


def start_qemu(name, qmp, debug_threads):
    """A QEMU that has all its threads and never starts its vCPU."""
    args = ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi", "-m", "16", "-nodefaults",
            "-display", "none", "-S", "-name",
            "guest=%s,debug-threads=%s" % (name.replace(",", ",,"), "on" if debug_threads else "off")]
    if qmp:
        args += ["-qmp", "unix:%s,server=on,wait=off" % qmp]
    return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def wait_for_threads(process, qmp):
    """Main, RCU and vCPU thread; and QMP that answers, which it does from the main loop."""
    deadline = time.time() + 120
    while len(os.listdir("/proc/%d/task" % process.pid)) < 3:
        if process.poll() is not None or time.time() > deadline:
            raise RuntimeError("a QEMU did not start")
        time.sleep(0.1)
    if qmp:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(60)
            monitor.connect(qmp)
            monitor.recv(1)


def files_below(folder):
    """{path: what it is and holds}; the lock says who held it last, which may change."""
    found = {}
    for path, folders, names in os.walk(folder):
        for name in folders + names:
            file = os.path.join(path, name)
            status = os.lstat(file)
            found[file] = [status.st_mode, status.st_size, status.st_mtime_ns]
            if stat.S_ISREG(status.st_mode):
                with open(file, "rb") as f:
                    found[file].append(f.read())
    found.pop(os.path.join(host.RUN, "lock"), None)
    return {file: facts for file, facts in found.items()
            if not (stat.S_ISDIR(facts[0]) and file == host.RUN)}


def generation():
    """The rules' number in the observer, by bpftool; None without an observer."""
    return host.health()["generation"] if os.path.exists(host.PINS) else None


class Unchanged:
    """with Unchanged(test, etc): groups, threads, rules and files are the same afterwards."""

    def __init__(self, test, etc=host.ETC):
        self.test = test
        self.etc = etc

    def look(self):
        groups, threads = host.dump()
        return {"groups": groups, "threads": threads, "generation": generation(),
                "etc": files_below(self.etc), "run": files_below(host.RUN)}

    def __enter__(self):
        self.before = self.look()

    def __exit__(self, kind, *_):
        if kind:
            return
        after = self.look()
        # Kernel threads come and go.
        for one, other in ((self.before, after), (after, self.before)):
            one["threads"] = {k: v for k, v in one["threads"].items() if k in other["threads"]}
        for what, value in self.before.items():
            self.test.assertEqual(after[what], value, what + " changed")


class Configured:
    """with Configured({file: text}) as etc: a folder like /etc/cpuwarden, with web1's policy and these files."""

    def __init__(self, files=()):
        self.files = {"cpuwarden.conf": HOST, "vms.d/web1.conf": WEB1, **dict(files)}

    def __enter__(self):
        self.etc = tempfile.mkdtemp()
        os.mkdir(os.path.join(self.etc, "vms.d"))
        for file, text in self.files.items():
            with open(os.path.join(self.etc, file), "w") as f:
                f.write(text)
        return self.etc

    def __exit__(self, *_):
        shutil.rmtree(self.etc)


class Refusals(sentences.Sentences):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        host.configure(None, HOST)
        host.configure("web1", WEB1)
        cls.guests = []
        cls.start_to_wait()

    @classmethod
    def tearDownClass(cls):
        for guest in cls.guests:
            guest.kill()
        host.cpuwarden("release", "--all")
        host.forget_configuration()
        cls.waiter.join()
        shutil.rmtree(cls.held)

    @classmethod
    def start_to_wait(cls):
        """In the background, since it takes so long: an apply whose lock this test holds."""
        cls.held = tempfile.mkdtemp()
        cls.lock = open(os.path.join(cls.held, "lock"), "w")
        flock(cls.lock, LOCK_EX)
        cls.lock.write("%d\n" % os.getpid())
        cls.lock.flush()

        def wait():
            began = time.time()
            cls.waited = host.cpuwarden("apply", "--run", cls.held)
            cls.waited_seconds = time.time() - began
        cls.waiter = threading.Thread(target=wait)
        cls.waiter.start()

    def test_01_where_it_cannot_run(self):
        """no cpuset on v2, no BTF, no bpf file system, no /proc, no /sys, a read-only /run"""
        lobby = os.path.join(host.CGROUP, "lobby")
        os.mkdir(lobby)
        script = "echo $$ >%s/cgroup.procs; exec unshare -C -m sh -ec '%s; exec \"$@\"' sh \"$@\""
        try:
            with Unchanged(self):
                for name, lines, words in PLACES:
                    with self.subTest(name):
                        self.assert_sentence(host.run("sh", "-c", script % (lobby, lines), "sh",
                                                      host.PROGRAM, "apply"), 1, words)
                for verb in ("plan", "status"):
                    with self.subTest(verb + " without cpuset on v2"):
                        self.assert_sentence(host.run("sh", "-c", script % (lobby, PLACES[0][1]), "sh",
                                                      host.PROGRAM, verb), 1, NOT_V2)
                with self.subTest("check without cpuset on v2"):
                    self.assert_unknown(host.run("sh", "-c", script % (lobby, PLACES[0][1]), "sh",
                                                 host.PROGRAM, "check"), NOT_V2)
                self.assertFalse(os.path.exists(host.PINS))
        finally:
            os.rmdir(lobby)

    def test_03_who_may_not(self):
        """without root, without a capability, as root of a user namespace only"""
        with Unchanged(self):
            for verb in ("apply", "plan", "status", "release --all", "vcpupin web1"):
                with self.subTest("not root: " + verb):
                    self.assert_sentence(host.run(host.PROGRAM, *verb.split(), **NOBODY), 1,
                                         "`%s` must be run as root" % verb.split()[0])
            with self.subTest("not root: check"):
                self.assert_unknown(host.run(host.PROGRAM, "check", **NOBODY),
                                    "`check` must be run as root")
                self.assert_unknown_json(host.run(host.PROGRAM, "check", "--json", **NOBODY),
                                         "`check` must be run as root")
            for name in ("sys_admin", "sys_nice", "sys_ptrace"):
                with self.subTest("without " + name):
                    without = ["setpriv", "--bounding-set", "-" + name, "--inh-caps", "-" + name, host.PROGRAM]
                    self.assert_sentence(host.run(*without, "apply"), 1,
                                         "`apply` needs CAP_" + name.upper())
                    self.assert_unknown(host.run(*without, "check"), "`check` needs CAP_" + name.upper())
            with self.subTest("root of a user namespace"):
                done = host.run("unshare", "--user", "--map-root-user", host.PROGRAM, "apply", **NOBODY)
                self.assert_sentence(done, 1, "Permission denied")

    def test_04_usage(self):
        """usage: wrong verbs, options and arguments exit with 64"""
        with Unchanged(self):
            for name, command, words in USAGE:
                with self.subTest(name):
                    self.assert_sentence(host.run(host.PROGRAM, *command.split()), 64, words)

    def test_05_placed(self):
        """from here on one VM is placed"""
        type(self).nothing_placed = host.dump()[0]
        self.guests.append(host.Guest("web1", 1, "tick"))
        done = host.cpuwarden("apply")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(host.cgroup(host.SLICE + "/web1/vcpu0", "cpuset.cpus.partition"), "isolated")

    def test_06_cpu_lists(self):
        """CPU lists that are none, or name CPUs that the host lacks"""
        with Configured() as etc:
            path = os.path.join(etc, "vms.d/web1.conf")
            with Unchanged(self):
                for text, words in LISTS:
                    with self.subTest(text):
                        with open(path, "w") as f:
                            f.write("[vm]\npolicy = dedicated\n[vcpupin]\n0 = %s\n" % text)
                        self.assert_sentence(host.cpuwarden("apply", etc=etc), 1, "%s:4: %s" % (path, words))

    def test_07_files(self):
        """configuration files that are wrong, or no files"""
        with Unchanged(self):
            for name, file, text, words in FILES:
                with self.subTest(name), Configured({file: text}) as etc:
                    before = files_below(etc)
                    self.assert_sentence(host.cpuwarden("apply", etc=etc), 1, os.path.join(etc, file) + words)
                    self.assertEqual(files_below(etc), before)
            for name, file, make, words in NO_FILES:
                with self.subTest(name), Configured() as etc:
                    path = os.path.join(etc, file)
                    if os.path.isdir(path):
                        shutil.rmtree(path)
                    elif os.path.exists(path):
                        os.unlink(path)
                    make(path)
                    self.assert_sentence(host.cpuwarden("apply", etc=etc), 1, path + words)

    def test_08_every_verb(self):
        """a configuration that is wrong stops every verb but release"""
        words = "vms.d/web1.conf:2: policy cannot be 'x'"
        with Configured({"vms.d/web1.conf": "[vm]\npolicy = x\n"}) as etc, Unchanged(self, etc):
            for command in ("plan", "status", "vcpupin web1", "emulatorpin web1", "iothreadpin web1"):
                with self.subTest(command):
                    self.assert_sentence(host.cpuwarden(*command.split(), etc=etc), 1, words)
            with self.subTest("check"):
                self.assert_unknown(host.cpuwarden("check", etc=etc), words)
                self.assert_unknown_json(host.cpuwarden("check", "--json", etc=etc), words)

    def test_09_policies(self):
        """policies that cannot be had: the VM stays as it is, check says degraded"""
        host.set_online(7, False)
        try:
            with Unchanged(self):
                for name, policy, words in CLAIMS:
                    with self.subTest(name), Configured({"vms.d/web1.conf": policy}) as etc:
                        self.assert_sentence(host.cpuwarden("apply", etc=etc), 1, words)
                        done = host.cpuwarden("check", etc=etc)
                        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
                        self.assertRegex(done.stdout, "^WARNING - no violation, yet web1 is degraded: ")
        finally:
            host.set_online(7, True)
        # A CPU that comes back takes kernel threads of its node out of their bindings (kcompactd).
        self.assertEqual(host.cpuwarden("apply").returncode, 0)

    def test_10_absent(self):
        """VMs and vCPUs that are not there"""
        with Unchanged(self):
            for command, words in ABSENT:
                with self.subTest(command[:40]):
                    self.assert_sentence(host.cpuwarden(*command.split(" ")), 1, words)
            with self.subTest("check web9"):
                self.assert_unknown(host.cpuwarden("check", "web9"), "there is no VM named web9")
                self.assert_unknown_json(host.cpuwarden("check", "web9", "--json"), "there is no VM named web9")

    def test_11_run(self):
        """runtime folders in which nothing can be locked or written"""
        folder = tempfile.mkdtemp()
        rows = [
            ("a file for the folder", lambda path: open(path, "w").close(), "/lock: Not a directory"),
            ("a directory for the lock", lambda path: os.makedirs(path + "/lock"), "/lock: Is a directory"),
            ("a link for the lock", lambda path: (os.mkdir(path), os.symlink("../x", path + "/lock")),
             "/lock: Too many levels of symbolic links"),
            ("a file for the records' folder", lambda path: (os.mkdir(path), open(path + "/found", "w").close()),
             "/found: Not a directory"),
            ("a directory for a record", lambda path: os.makedirs(path + "/found/web1.json"),
             "/found/web1.json: Is a directory"),
        ]
        try:
            with Unchanged(self):
                for number, (name, make, words) in enumerate(rows):
                    with self.subTest(name):
                        path = os.path.join(folder, str(number))
                        make(path)
                        before = set(files_below(path))
                        done = host.cpuwarden("apply", "--run", path)
                        done.stdout = ""  # steps that were undone
                        self.assert_sentence(done, 1, words)
                        self.assertEqual(set(files_below(path)) - {path + "/lock"}, before - {path + "/lock"})
                with self.subTest("plan"):
                    self.assert_sentence(host.cpuwarden("plan", "--run", os.path.join(folder, "3")), 1, rows[3][2])
        finally:
            shutil.rmtree(folder)

    def try_records(self, name, schema):
        path = os.path.join(host.RUN, name)
        whole = host.read(path)
        try:
            for text, what in RECORDS:
                with self.subTest(what, record=name):
                    with open(path, "w") as f:
                        f.write(text.replace("SCHEMA", schema))
                    done = host.cpuwarden("status", "web1")
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertIn("web1: placed", done.stdout)
        finally:
            with open(path, "w") as f:
                f.write(whole)

    def test_12_damaged_records(self):
        """records that are damaged: no crash, and the VM stays placed"""
        records = {file: facts[3] for file, facts in files_below(host.RUN).items() if len(facts) > 3}
        before = host.dump()[0], generation()
        self.try_records("found/web1.json", "cpuwarden.found/1")
        self.try_records("found.json", "cpuwarden.found-host/1")
        self.assertEqual(host.cpuwarden("apply").stdout, "nothing to do\n")
        self.assertEqual((host.dump()[0], generation()), before)
        for file, content in records.items():
            self.assertEqual(host.read(file), content.decode().rstrip("\n"))

    def start_hostile(self):
        """All at once, for time's sake. Those of HOSTILE, then `mute`, `hung` and a second web1."""
        folder = tempfile.mkdtemp()
        plans = [(guest, True, True) for guest, _, _ in HOSTILE] + \
            [("mute", False, False), ("hung", True, False), ("web1", True, True)]
        started = []
        for number, (name, qmp, debug_threads) in enumerate(plans):
            qmp = os.path.join(folder, "%d" % number) if qmp else None
            started.append((start_qemu(name, qmp, debug_threads), qmp))
        for process, qmp in started:
            wait_for_threads(process, qmp)
        for number, (_, name, _) in enumerate(HOSTILE):
            host.configure(name, "[vm]\npolicy = dedicated\npartition = member\n[vcpupin]\n0 = %d\n"
                           "[emulatorpin]\ncpus = %d\n" % (3 + number, 3 + number))
        for name in "mute", "hung":
            host.configure(name, "[vm]\npolicy = dedicated\n")
        return folder, [process for process, _ in started]

    def assert_two_sentences(self, done):
        """One for each VM that could not be placed."""
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"\Acpuwarden: hung: no vCPU thread was found: QMP socket \S+: "
                         r"(no greeting came in time|too many wait for it already)[^\n]*\n"
                         r"cpuwarden: mute: no vCPU thread was found: vCPU threads cannot be told apart: "
                         r"give QEMU a QMP socket [^\n]*\n\Z")

    def assert_hostile_placed(self, processes):
        for number, (process, (_, name, leaf)) in enumerate(zip(processes, HOSTILE)):
            with self.subTest(name):
                group = "%s/%s" % (host.SLICE, leaf or name)
                for tid in os.listdir("/proc/%d/task" % process.pid):
                    self.assertEqual(os.path.dirname(host.thread_cgroup(process.pid, int(tid))), group)
                    self.assertEqual(host.affinity(int(tid)), {3 + number})
        slice_folder = os.path.join(host.CGROUP, host.SLICE)
        self.assertEqual({name for name in os.listdir(slice_folder)
                          if os.path.isdir(os.path.join(slice_folder, name))},
                         {leaf or name for _, name, leaf in HOSTILE} | {"web1"})
        self.assertEqual(set(os.listdir(host.RUN + "/found")),
                         {name + ".json" for _, name, _ in HOSTILE} | {"web1.json"})

    def assert_hostile_shown(self, processes):
        done = host.cpuwarden("status")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for line in done.stdout.splitlines():
            self.assertTrue(line.isprintable(), ascii(line))
        second = "qemu-%d" % processes[-1].pid
        vms = {vm["name"]: vm for vm in host.cpuwarden_json("status")[1]["vms"]}
        self.assertEqual(set(vms), {name for _, name, _ in HOSTILE} | {"web1", "mute", "hung", second})
        for _, name, _ in HOSTILE:
            self.assertEqual((vms[name]["state"], vms[name]["reason"]), ("placed", None), name)
        self.assertEqual((vms["web1"]["state"], vms["web1"]["pid"]), ("placed", self.guests[0].pid))
        self.assertEqual(vms[second]["state"], "observed")
        self.assertEqual(vms[second]["reason"], "its name web1 is taken by process %d" % self.guests[0].pid)
        for name in "mute", "hung":
            self.assertEqual(vms[name]["state"], "degraded")

    def test_13_hostile_vms(self):
        """QEMUs with hostile names, of one name, without QMP, and one that hangs: the others are placed"""
        before = host.dump()[0]
        folder, processes = self.start_hostile()
        try:
            os.kill(processes[-2].pid, signal.SIGSTOP)
            began = time.time()
            self.assert_two_sentences(host.cpuwarden("apply"))
            self.assertLess(time.time() - began, 30)
            self.assert_hostile_placed(processes)
            with Unchanged(self):
                done = host.cpuwarden("apply")
                self.assert_two_sentences(done)
                self.assertEqual(done.stdout, "")
            self.assert_hostile_shown(processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()
            shutil.rmtree(folder)
            for name in [name for _, name, _ in HOSTILE] + ["mute", "hung"]:
                os.unlink(os.path.join(host.ETC, "vms.d", name + ".conf"))
        time.sleep(0.2)
        done = host.cpuwarden("apply")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(host.dump()[0], before)

    def test_14_lock(self):
        """an apply waits for another's lock, not for ever, and says whose it is"""
        self.waiter.join()
        self.assert_sentence(self.waited, 1, "another cpuwarden (pid %d) is changing this host: %s/lock is held" %
                             (os.getpid(), self.held))
        self.assertGreater(self.waited_seconds, LOCK_SECONDS - 1)
        self.assertLess(self.waited_seconds, LOCK_SECONDS + 15)
        self.assertEqual(os.listdir(self.held), ["lock"])

    def test_15_no_folder(self):
        """a configuration folder that is missing is no policy: what is placed is not given up"""
        with Unchanged(self):
            self.assert_sentence(host.cpuwarden("apply", etc="/nowhere"), 1,
                                 "there is no folder /nowhere, and web1 is placed")

    def test_16_way_out(self):
        """after all this the VM was not disturbed, and a wrong configuration does not stop release"""
        done = host.cpuwarden("check", "web1")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, "^OK - every declared set held")
        host.configure("web1", "[vm\n")
        done = host.cpuwarden("release", "--all")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(host.dump()[0], self.nothing_placed)
        self.assertFalse(os.path.exists(host.PINS))
