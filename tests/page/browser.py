# SPDX-License-Identifier: GPL-2.0-or-later
"""A headless Chromium, driven by its DevTools protocol over a pair of pipes."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="cpuwarden-page-")
        to_browser, from_us = os.pipe()
        from_browser, to_us = os.pipe()

        def place():
            # The browser reads from 3 and writes to 4; either pipe may have one of these numbers.
            read, write = os.dup2(to_browser, 20), os.dup2(to_us, 21)
            os.dup2(read, 3)
            os.dup2(write, 4)
        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe",
             "--user-data-dir=" + self.profile, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=place)
        os.close(to_browser)
        os.close(to_us)
        self.write, self.read = from_us, from_browser
        self.buffer, self.number, self.said = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def message(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, deadline - time.time()))[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.read, 1 << 20)
            if not piece:
                raise EOFError("the browser has ended")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def hear(self, message):
        """What a page says that is no answer: errors, and requests for anything but itself."""
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.said.append("exception: %s" % params["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled":
            self.said.append("console.%s: %s" % (params["type"], params["args"]))
        elif method == "Log.entryAdded":
            self.said.append("log: %s" % params["entry"]["text"])
        elif method == "Network.requestWillBeSent" and params["request"]["url"] != self.address:
            self.said.append("request: %s" % params["request"]["url"])
        self.events.add(method)

    address, session, events = None, None, set()

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.write, json.dumps(request).encode() + b"\0") if len(json.dumps(request)) < 60000 else \
            self.write_all(json.dumps(request).encode() + b"\0")
        deadline = time.time() + 60
        while True:
            message = self.message(deadline)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError("%s: %s" % (method, message["error"]))
                return message["result"]
            self.hear(message)

    def write_all(self, data):
        while data:
            data = data[os.write(self.write, data):]

    def open(self, path, width, height, scripts, scheme, media=""):
        self.address, self.said, self.events = "file://" + os.path.abspath(path), [], set()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=self.address)
        deadline = time.time() + 60
        while "Page.loadEventFired" not in self.events:
            self.hear(self.message(deadline))

    def value(self, expression):
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"])
        return done["result"].get("value")

    def screenshot(self, path, whole=False, clip=None):
        params = {"format": "png", "captureBeyondViewport": whole or bool(clip)}
        if clip:
            params["clip"] = dict(clip, scale=1)
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", **params)["data"]))

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.write)
        os.close(self.read)
        shutil.rmtree(self.profile, ignore_errors=True)
