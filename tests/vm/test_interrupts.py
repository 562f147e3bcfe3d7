# SPDX-License-Identifier: GPL-2.0-or-later
"""
Interrupts and softirqs on reserved CPUs: their number against the kernel's own counters, their lengths, when they are
measured, against ftrace's events in the same window.
"""
import os
import re
import time

import host
import two_vms

EVENTS = ("irq_handler_entry", "irq_handler_exit", "softirq_entry", "softirq_exit")
LINE = re.compile(r"\[(\d+)\] .* (\d+)\.(\d+): (%s): " % "|".join(EVENTS))
KINDS = ("irq", "softirq")
TARGET = 3  # takes the devices' interrupts


def kernels(name):
    """{CPU: sum} of /proc/interrupts or /proc/softirqs."""
    lines = host.read("/proc/" + name).splitlines()
    columns = [int(cpu[3:]) for cpu in lines[0].split()]
    sums = dict.fromkeys(columns, 0)
    for line in lines[1:]:
        label, *numbers = line.split()[:len(columns) + 1]
        if label in ("ERR:", "MIS:", "MCP:") or len(numbers) < len(columns):
            continue
        for cpu, number in zip(columns, numbers):
            sums[cpu] += int(number)
    return sums


class Interrupts(two_vms.TwoVMs):
    mode = "tick"

    def rows(self):
        code, check = host.cpuwarden_json("check")
        self.assertIn(code, (0, 1))
        return check["interference"], {row["cpu"]: row for row in check["interference"]["cpus"]}

    def test_1_counted(self):
        """the kernel's own counters since the observer's start, by CPU and in all"""
        for folder in os.listdir(host.PINS) if os.path.isdir(host.PINS) else []:
            os.unlink(os.path.join(host.PINS, folder))
        first = {name: kernels(name) for name in ("interrupts", "softirqs")}
        self.apply()
        started = {name: kernels(name) for name in ("interrupts", "softirqs")}
        time.sleep(1)
        for name in ("interrupts", "softirqs"):
            low = kernels(name)
            sums, rows = self.rows()
            high = kernels(name)
            self.assertEqual(sorted(rows), two_vms.RESERVED)
            for cpu, row in rows.items():
                self.assertGreaterEqual(row[name]["count"], low[cpu] - started[name][cpu], (name, cpu))
                self.assertLessEqual(row[name]["count"], high[cpu] - first[name][cpu], (name, cpu))
            self.assertEqual(sums[name]["count"], sum(row[name]["count"] for row in rows.values()))
            self.assertGreater(sums[name]["count"], 0)
            self.assertIsNone(sums["measured"])
        self.assertEqual(host.dump_map("interrupts")[2]["irq"]["count"], 0)

    def account(self, text):
        """{CPU: {kind: (count, ns)}} of ftrace's events; a softirq's ns without interrupts inside."""
        found = {cpu: {kind: [0, 0] for kind in KINDS} for cpu in two_vms.RESERVED}
        open_at, inside = {}, {}
        for line in text.splitlines():
            match = LINE.search(line)
            if not match:
                continue
            cpu, event = int(match.group(1)), match.group(4)
            now = (int(match.group(2)) * 1000000 + int(match.group(3))) * 1000
            kind = "irq" if event.startswith("irq") else "softirq"
            if event.endswith("entry"):
                open_at[cpu, kind] = now
                if kind == "softirq":
                    inside[cpu] = 0
            elif (cpu, kind) in open_at:
                ns = now - open_at.pop((cpu, kind))
                if kind == "irq":
                    inside[cpu] = inside.get(cpu, 0) + ns
                else:
                    ns -= inside.get(cpu, 0)
                found[cpu][kind][0] += 1
                found[cpu][kind][1] += ns
        return found

    def measured(self):
        return {cpu: {kind: (row[kind]["count"], row[kind]["ns"]) for kind in KINDS}
                for cpu, row in host.dump_map("interrupts").items()}

    def test_2_measured(self):
        """`interrupts = measure` takes the observer over; numbers and lengths are those of ftrace's events"""
        self.apply()
        switches = host.health()["switches"]
        host.configure(None, two_vms.HOST + "interrupts = measure\n")
        self.assertIn("observer", self.apply().stdout)
        self.assertGreaterEqual(host.health()["switches"], switches)
        self.assertTrue(os.path.exists(os.path.join(host.PINS, "link_irq_begin")))
        moved = 0
        for irq in filter(str.isdigit, os.listdir("/proc/irq")):
            try:
                host.write("/proc/irq/%s/smp_affinity_list" % irq, str(TARGET))
                moved += 1
            except OSError:
                pass  # the kernel's or its driver's
        self.assertGreater(moved, 0)
        trace = host.Trace(two_vms.RESERVED)
        host.write(host.TRACING + "/events/sched/sched_switch/enable", "0")
        for event in EVENTS:
            host.write(host.TRACING + "/events/irq/%s/enable" % event, "1")
        outer = self.measured()
        with trace:
            inner = self.measured()
            deadline = time.time() + 3
            while time.time() < deadline:
                # Over 9p, which interrupts for each piece.
                with open(host.PROGRAM, "rb") as f:
                    os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    f.read()
                print("", end="", flush=True)
                host.run("true")
            inner_end = self.measured()
        outer_end = self.measured()
        text = host.read(host.TRACING + "/trace")
        for event in EVENTS:
            host.write(host.TRACING + "/events/irq/%s/enable" % event, "0")
        trace.close()
        seen = self.account(text)
        sums = {kind: [0, 0, 0] for kind in KINDS}
        for cpu in two_vms.RESERVED:
            for kind in KINDS:
                count, ns = seen[cpu][kind]
                low = inner_end[cpu][kind][0] - inner[cpu][kind][0]
                high = outer_end[cpu][kind][0] - outer[cpu][kind][0]
                # One that is cut by an end of the window.
                self.assertLessEqual(low, count + 1, (cpu, kind))
                self.assertLessEqual(count, high, (cpu, kind))
                sums[kind][0] += count
                sums[kind][1] += ns
                sums[kind][2] += outer_end[cpu][kind][1] - outer[cpu][kind][1]
        print("    by ftrace %s, measured %s" % tuple(
            ["%d %ss, %d ns" % (s[0], k, s[i]) for k, s in sums.items()] for i in (1, 2)), flush=True)
        self.assertGreater(seen[TARGET]["irq"][0], 0)
        for kind, (count, ns, ours) in sums.items():
            self.assertGreater(count, 0, kind)
            self.assertLess(abs(ours - ns), 0.2 * ns + 20000 * count, kind)
        check = self.rows()[0]
        now = self.measured()
        self.assertGreaterEqual(now[TARGET]["irq"][0], check["cpus"][2]["measured"]["interrupts"]["count"])
        self.assertGreaterEqual(check["cpus"][2]["measured"]["interrupts"]["count"],
                                outer_end[TARGET]["irq"][0])
        host.configure(None, two_vms.HOST)
        self.apply()
        self.assertFalse(os.path.exists(os.path.join(host.PINS, "link_irq_begin")))
        self.assertIsNone(self.rows()[0]["measured"])
