# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's own monitor, as a test asks it."""
import json
import socket


class Qmp:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise AssertionError(answer)
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.file.close()
        self.socket.close()


def ask(name, command, **arguments):
    """One question to the VM of that name."""
    monitor = Qmp("/run/%s.qmp" % name)
    try:
        return monitor.call(command, **arguments)
    finally:
        monitor.close()
