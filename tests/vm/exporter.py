# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon's exporter says, and its process."""
import os
import re
import urllib.request

import host

ADDRESS = ("127.0.0.1", 9753)
URL = "http://%s:%d/metrics" % ADDRESS
LINE = re.compile(r'(cpuwarden_\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def page(timeout=10):
    return urllib.request.urlopen(URL, timeout=timeout).read().decode()


def parse(text):
    """{(metric, ((label, value), ...)): number}; each line is there once, and each family has its head."""
    found, heads = {}, set()
    for line in text.splitlines():
        if line.startswith("# "):
            heads.add(line.split()[2])
            continue
        name, labels, value = LINE.match(line).groups()
        key = name, tuple(LABEL.findall(labels or ""))
        assert key not in found, line
        assert name in heads or re.sub("_(bucket|sum|count)$", "", name) in heads, line
        found[key] = float(value)
    return found


def scrape():
    return parse(page())


def answers():
    """What it says, None where it does not."""
    try:
        return scrape()
    except OSError:
        return None


def metric(found, name, **labels):
    """The sum of those with these labels."""
    return sum(value for (metric_name, pairs), value in found.items()
               if metric_name == "cpuwarden_" + name and labels.items() <= dict(pairs).items())


def process(daemon):
    """Its pid: the daemon's only child."""
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and host.stat_fields(int(pid))[1] == str(daemon.pid):
                return int(pid)
        except FileNotFoundError:
            continue
    raise AssertionError("the daemon has no child")


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", host.read("/proc/%d/status" % pid))[1])
