# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as systemd runs it, by the unit that is installed, from where it was built."""
import os
import time

import host
from domains import systemctl

UNITS = "/run/systemd/system"
HOOKS = "/etc/libvirt/hooks/qemu.d"
EVENTS = "/var/log/cpuwarden/events.jsonl"


def install():
    """The unit and libvirt's hook; nothing is started. libvirt finds hooks when it starts."""
    for name in ("cpuwarden.service", "cpuwarden.socket"):
        text = host.read(os.path.join(host.REPO, "user/units", name))
        with open(os.path.join(UNITS, name), "w") as file:
            file.write(text.replace("/usr/sbin/cpuwarden", host.PROGRAM) + "\n")
    os.makedirs(HOOKS, exist_ok=True)
    host.must("install", "-m", "0755", os.path.join(host.REPO, "user/units/libvirt-hook"), HOOKS + "/cpuwarden")
    systemctl("daemon-reload")
    systemctl("restart", "libvirtd")


def start():
    systemctl("start", "cpuwarden")


def stop():
    systemctl("stop", "cpuwarden")


def pid():
    """0: it does not run."""
    return int(host.must("systemctl", "show", "-P", "MainPID", "cpuwarden").stdout)


def is_ready():
    return host.run("systemctl", "is-active", "cpuwarden").stdout.strip() == "active"


def kill():
    """As a crash would end it; systemd starts another."""
    host.must("systemctl", "kill", "--signal=KILL", "cpuwarden")


def wakeups(daemon):
    status = host.read("/proc/%d/status" % daemon)
    return [line for line in status.splitlines() if "ctxt_switches" in line]


def files(daemon):
    return len(os.listdir("/proc/%d/fd" % daemon))


def wait_asleep(seconds=60):
    """Its pid, once it is ready and has not woken for a second."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        daemon = pid() if is_ready() else 0
        try:
            before = wakeups(daemon)
            time.sleep(1)
            if wakeups(daemon) == before:
                return daemon
        except FileNotFoundError:
            time.sleep(0.2)
    raise AssertionError("the daemon does not come to rest:\n" + said())


def said(lines=40):
    return host.run("journalctl", "-u", "cpuwarden", "-n", str(lines), "--no-pager").stdout
