# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains of a real libvirt on a host that systemd runs (tools/vm --systemd)."""
import os
import re

import host

DOMAIN = """<domain type='qemu'>
<name>%s</name><memory unit='MiB'>32</memory><vcpu placement='static' current='%d'>%d</vcpu><iothreads>1</iothreads>
<cputune>%s</cputune>
<os><type arch='x86_64' machine='pc'>hvm</type><loader readonly='yes' type='rom'>%s/calm.bin</loader></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<memballoon model='none'/></devices>
</domain>
"""
PINS = {"vm1": "<vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='5'/><emulatorpin cpuset='0'/>",
        "vm2": "<vcpupin vcpu='0' cpuset='6'/>"}


def virsh(*args):
    return host.must("virsh", *args).stdout


def systemctl(*args):
    host.must("systemctl", *args)


class Domain:
    def __init__(self, name, vcpus):
        self.name = name
        path = "/tmp/%s.xml" % name
        with open(path, "w") as f:
            f.write(DOMAIN % (name, vcpus, 3, PINS[name], host.GUESTS))
        virsh("create", path)
        self.pid = int(host.read("/run/libvirt/qemu/%s.pid" % name))

    @property
    def group(self):
        return os.path.dirname(host.thread_cgroup(self.pid, self.pid))

    def leaf(self, name):
        return "%s/%s" % (self.group, name)

    def vcpu(self, index):
        return int(re.search(r"<vcpu id='%d' pid='(\d+)'/>" % index,
                             host.read("/run/libvirt/qemu/%s.xml" % self.name)).group(1))
