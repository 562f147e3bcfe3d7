#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
clients.py PORT SECONDS SCRAPES DRIPS DEAF [again]: clients of the exporter, good and bad, as a process of its own, for so long.

Scrapes come all at once, and once more when the last one was answered, at most once a second. Who drips sends a byte of
a header each second, for ever; who is deaf asks and never reads. Those, with `again`, come back as soon as they are hung up
on. In the end it prints one JSON object.
"""
import json
import selectors
import socket
import sys
import time

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: cpuwarden\r\n"


class Client:
    def __init__(self, load, kind):
        self.load, self.kind = load, kind
        self.began = time.monotonic()
        self.said = b""
        self.asked = False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if kind == "deaf":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.socket.connect_ex(("127.0.0.1", load.port))
        load.selector.register(self.socket, selectors.EVENT_WRITE, self)

    def ready(self):
        try:
            if not self.asked:
                self.socket.sendall(REQUEST + (b"" if self.kind == "drips" else b"\r\n"))
                self.asked = True
                if self.kind == "deaf":
                    self.load.selector.unregister(self.socket)
                else:
                    self.load.selector.modify(self.socket, selectors.EVENT_READ, self)
                return
            got = self.socket.recv(1 << 20)
        except OSError:
            got = b""
        self.said += got
        if not got:
            self.close()

    def tick(self):
        """Once a second."""
        try:
            if self.asked and self.kind == "drips":
                self.socket.send(b"a")
            # Data that nobody wants is there as long as the socket is; what the other end is heard to say is its end.
            elif self.asked and self.kind == "deaf":
                self.socket.send(b"a")
        except OSError:
            self.close()

    def close(self):
        try:
            self.load.selector.unregister(self.socket)
        except KeyError:
            pass
        self.socket.close()
        self.load.closed(self, time.monotonic() - self.began)


class Load:
    def __init__(self, port, seconds, wanted, again):
        self.port, self.wanted, self.again = port, wanted, again
        self.end = time.monotonic() + seconds
        self.selector = selectors.DefaultSelector()
        self.clients = set()
        self.result = {"answered": 0, "refused": 0, "slowest": 0, "hung_up": {"drips": 0, "deaf": 0},
                       "longest": {"drips": 0, "deaf": 0}}

    def start(self, kind):
        for _ in range(self.wanted[kind]):
            self.clients.add(Client(self, kind))

    def closed(self, client, seconds):
        self.clients.discard(client)
        result = self.result
        if client.kind == "scrapes":
            # A page is whole, or it is none.
            good = client.said.startswith(b"HTTP/1.1 200 ") and b"cpuwarden_reconcile_seconds_count" in client.said
            result["answered" if good else "refused"] += 1
            result["slowest"] = max(result["slowest"], seconds)
            return
        result["hung_up"][client.kind] += 1
        result["longest"][client.kind] = max(result["longest"][client.kind], seconds)
        if self.again and time.monotonic() < self.end:
            self.clients.add(Client(self, client.kind))

    def run(self):
        self.start("drips")
        self.start("deaf")
        tick = time.monotonic()
        while time.monotonic() < self.end:
            for key, _ in self.selector.select(max(0, min(tick, self.end) - time.monotonic())):
                key.data.ready()
            if time.monotonic() < tick:
                continue
            tick = time.monotonic() + 1
            for client in list(self.clients):
                client.tick()
            if not any(client.kind == "scrapes" for client in self.clients):
                self.start("scrapes")
        self.result["left"] = {kind: sum(client.kind == kind for client in self.clients) for kind in self.wanted}
        print(json.dumps(self.result), flush=True)


def main():
    port, seconds, scrapes, drips, deaf = (int(arg) for arg in sys.argv[1:6])
    Load(port, seconds, {"scrapes": scrapes, "drips": drips, "deaf": deaf}, "again" in sys.argv[6:]).run()


if __name__ == "__main__":
    main()
