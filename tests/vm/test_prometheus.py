# SPDX-License-Identifier: GPL-2.0-or-later
"""
docs/monitoring with a real Prometheus (Debian's) that scrapes the daemon: its rules, and what each panel of the
dashboard asks for.
"""
import json
import math
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import beside
import exporter
import host
import two_vms

MONITORING = os.path.join(host.REPO, "docs/monitoring")
FOLDER = "/run/test-prometheus"
ADDRESS = "127.0.0.1:9090"
CONFIG = """global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [alerts.yml, rules.yml]
scrape_configs:
  - job_name: cpuwarden
    static_configs:
      - targets: ["%s:%d"]
""" % exporter.ADDRESS
# What has no data here, and why.
EMPTY = {
    "Interference by CPU: interrupts": "they are measured where [observer] interrupts = measure asks for it",
    "Partitions that are invalid": "all are valid",
}
# What may fire although all is well: times under emulation mean nothing.
EMULATED = {"CpuwardenVcpuWaits"}


def ask(path, **parameters):
    url = "http://%s/api/v1/%s?%s" % (ADDRESS, path, urllib.parse.urlencode(parameters, doseq=True))
    try:
        answer = urllib.request.urlopen(url, timeout=60).read()
    except urllib.error.HTTPError as error:
        if error.code == 503:  # it is still on its way
            raise
        raise AssertionError("%s: %s" % (url, error.read().decode())) from None
    answer = json.loads(answer)
    assert answer["status"] == "success", answer
    return answer["data"]


def query(expression):
    """[(labels, number)], without those that are none."""
    found = [(row["metric"], float(row["value"][1])) for row in ask("query", query=expression)["result"]]
    return [(labels, value) for labels, value in found if not math.isnan(value)]


def query_range(expression):
    now = time.time()
    rows = ask("query_range", query=expression, start=now - 20, end=now, step=1)["result"]
    return [row for row in rows if not all(math.isnan(float(value)) for _, value in row["values"])]


def substitute(expression):
    """As Grafana does, for all hosts and VMs."""
    for name, value in (("$__rate_interval", "15s"), ("$instance", ".*"), ("$vm", ".*")):
        expression = expression.replace(name, value)
    if "$" in expression:
        raise AssertionError("a variable is not known: " + expression)
    return expression


def firing():
    return {(alert["labels"]["alertname"], alert["labels"].get("vm")) for alert in ask("alerts")["alerts"]
            if alert["state"] == "firing" and alert["labels"]["alertname"] not in EMULATED}


def series(vms, vcpus, reserved, partitions, repairs):
    """How many a host has: as docs/monitoring/README.md says."""
    return 17 + 12 * vms + 19 * vcpus + 2 * reserved + partitions + repairs


class Prometheus(beside.HalfBeside):
    def setUp(self):
        super().setUp()
        shutil.rmtree(FOLDER, ignore_errors=True)
        os.makedirs(FOLDER)
        shutil.copy(os.path.join(MONITORING, "rules.yml"), FOLDER)
        alerts = host.read(os.path.join(MONITORING, "alerts.yml"))
        for name, text in (("prometheus.yml", CONFIG),
                           ("alerts.yml", re.sub(r"(?m)^( +for:) \S+$", r"\1 2s", alerts) + "\n")):
            with open(os.path.join(FOLDER, name), "w") as file:
                file.write(text)
        host.must("promtool", "check", "config", os.path.join(FOLDER, "prometheus.yml"))
        with open(os.path.join(FOLDER, "log"), "w") as log:
            self.prometheus = subprocess.Popen(
                ["prometheus", "--config.file=%s/prometheus.yml" % FOLDER, "--storage.tsdb.path=%s/data" % FOLDER,
                 "--web.listen-address=" + ADDRESS], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.stop_prometheus)
        self.wait_for_prometheus("it scrapes", lambda: [target["health"] for target in ask(
            "targets")["activeTargets"]] == ["up"])

    def stop_prometheus(self):
        self.prometheus.kill()
        self.prometheus.wait()

    def wait_for_prometheus(self, what, found, seconds=60):
        def tried():
            try:
                return found()
            except (urllib.error.URLError, ConnectionError):
                return None
        try:
            return host.wait_for(what, tried, seconds)
        except AssertionError as error:
            raise AssertionError("%s\n%s\n%s" % (error, host.read(FOLDER + "/log")[-3000:], self.said())) from None

    def check_rules(self):
        """Each was evaluated, and each that records something has recorded it."""
        recorded = 0
        for group in ask("rules")["groups"]:
            for rule in group["rules"]:
                self.assertEqual((rule["health"], rule.get("lastError")), ("ok", None), rule["name"])
                if rule["type"] == "recording":
                    recorded += 1
                    with self.subTest(rule["name"]):
                        self.assertTrue(query(rule["name"]))
        self.assertGreater(recorded, 10)

    def check_dashboard(self):
        """Each panel's queries, and its variables'."""
        with open(os.path.join(MONITORING, "dashboard.json")) as file:
            dashboard = json.load(file)
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        queries = 0
        for panel in panels:
            for target in panel["targets"]:
                expression = substitute(target["expr"])
                with self.subTest(panel["title"], expression=expression):
                    found = query(expression) if target.get("instant") else query_range(expression)
                    self.assertEqual(bool(found), panel["title"] not in EMPTY)
                queries += 1
        self.assertLessEqual(set(EMPTY), {panel["title"] for panel in panels})
        values = {}
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = re.match(r"label_values\((.*), (\w+)\)$", variable["query"]["query"]).groups()
                values[variable["name"]] = ask("label/%s/values" % label, **{"match[]": substitute(selector)})
        self.assertEqual(values, {"instance": ["%s:%d" % exporter.ADDRESS], "vm": ["web1", "web2"]})
        print("    %d panels, %d queries" % (len(panels), queries), flush=True)
        self.assertGreater(queries, 25)

    def test_1_scrapes(self):
        """a real Prometheus: nothing fires, a violation raises its alert, each rule and each panel has data"""
        said = subprocess.run(["promtool", "check", "metrics"], input=exporter.page(), text=True, capture_output=True)
        self.assertEqual((said.returncode, said.stdout + said.stderr), (0, ""))
        time.sleep(6)
        self.assertEqual(query("up"), [({"__name__": "up", "instance": "%s:%d" % exporter.ADDRESS, "job": "cpuwarden"}, 1)])
        self.assertEqual(firing(), set())
        self.assertEqual(query("scrape_samples_scraped")[0][1], series(2, 5, len(self.RESERVED), 4, 0))
        host.intrude(20, 2000, 3000, None, two_vms.group(self.guests[1], "vcpu0")).communicate()
        began = time.time()
        self.wait_for_prometheus("the alert fires", lambda: ("CpuwardenViolations", "web2") in firing())
        print("    the alert fired %.1f s after the violations" % (time.time() - began), flush=True)
        self.assertEqual(firing(), {("CpuwardenViolations", "web2")})
        labels = [alert["labels"] for alert in ask("alerts")["alerts"]
                  if alert["labels"]["alertname"] == "CpuwardenViolations"]
        self.assertEqual([(row["class"], row["cause"], row["severity"]) for row in labels],
                         [("foreign", "user", "critical")])
        self.move_away(self.guests[1])
        self.wait_placed()
        self.wait_for_prometheus("the repair is told", lambda: len(query("cpuwarden_repairs_total")) > 0)
        repairs = len(query("cpuwarden_repairs_total"))
        self.wait_for_prometheus("it is recorded", lambda: query("instance:cpuwarden_repairs:rate5m"))
        count = query("scrape_samples_scraped")[0][1]
        self.assertEqual(count, series(2, 5, len(self.RESERVED), 4, repairs))
        print("    series of a host with 2 VMs, 5 vCPUs, 4 reserved CPUs: %d" % count, flush=True)
        self.check_rules()
        self.check_dashboard()
        self.stop()
        self.wait_for_prometheus("it is told", lambda: ("CpuwardenDown", None) in firing())
