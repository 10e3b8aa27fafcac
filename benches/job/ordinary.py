"""Visitors: `ordinary.py HOST PORT ADDRESSES PER_SECOND SECONDS KEY`, each from an address of its own (127.0.3.1, …).

Each request is sent when it is due, whatever the server does. Prints a JSON object: requests sent, and answers by status.
"""

import collections
import json
import selectors
import socket
import sys
import time

from flood import AGENT, request

PATIENCE_S = 10


class Visitor:
    def __init__(self, address, source, selector):
        self.address, self.source, self.selector = address, source, selector
        self.waiting, self.received = 0, b""
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(self.address, 10, (self.source, 0))
        self.selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, bytes):
        self.socket.sendall(bytes)
        self.waiting += 1

    def read(self, seen):
        data = self.socket.recv(1 << 16)
        *answers, self.received = (self.received + data).split(b"\r\n\r\n")
        for answer in answers:
            seen[answer[9:12].decode("latin-1")] += 1
            self.waiting -= 1
        if not data or any(b"Connection: close" in answer for answer in answers):
            self.selector.unregister(self.socket)
            self.socket.close()
            # nginx closes after 1,000 requests, and not in the middle of one
            seen["lost"] += self.waiting
            self.waiting, self.received = 0, b""
            self.connect()


def visit(address, addresses, per_second, seconds, key):
    selector, seen = selectors.DefaultSelector(), collections.Counter()
    visitors = [Visitor(address, f"127.0.3.{n + 1}", selector) for n in range(addresses)]
    sent, began = 0, time.monotonic()
    while sent < per_second * seconds:
        while sent < (time.monotonic() - began) * per_second:
            path = b"/b?a=%s&s=ordinary&u=https%%3A%%2F%%2Fshop.example%%2Fp%%2F%d&t=A+page&sw=1920&sh=1080" % (key, sent % 1000)
            headers = [(b"User-Agent", AGENT), (b"Referer", b"https://shop.example/")]
            free = visitors[sent % addresses]
            # pipelined only where an answer is late
            free.send(request(path, headers))
            sent += 1
        for ready, _ in selector.select(0.002):
            ready.data.read(seen)
    end = time.monotonic() + PATIENCE_S
    while any(visitor.waiting for visitor in visitors) and time.monotonic() < end:
        for ready, _ in selector.select(0.1):
            ready.data.read(seen)
    return {"sent": sent, "statuses": seen}


if __name__ == "__main__":
    host, port, addresses, per_second, seconds, key = sys.argv[1:]
    print(json.dumps(visit((host, int(port)), int(addresses), int(per_second), float(seconds), key.encode())))
