"""One address that sends as much as it can: `flood.py KIND HOST PORT FROM SECONDS KEY [REQUESTS_A_SECOND]`.

Prints a JSON object: requests answered, by status, and bytes sent; with a rate, sends no more than that. HTTP/1.1 is pipelined; HTTP/2 is written by hand,
because a client of the usual kind does not send the six bytes that repeat all headers of the request before (RFC 7541).
"""

import collections
import gzip
import json
import random
import socket
import sys
import time

CONNECTIONS = 4
# Streams of a connection; nginx ends it after 1,000.
STREAMS = 900
AGENT = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


def request(path, headers=(), method=b"GET", body=b""):
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: events.example.com", *(n + b": " + v for n, v in headers)]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def kinds(key):
    """Requests by kind, and how many of them are sent before answers are read."""
    pixel = b"/b?a=" + key + b"&u=https%3A%2F%2Fshop.example%2Fp%3Fcategory%3D2&t=A+page&s=1234&sw=1920&sh=1080&tz=Europe%2FVienna"
    usual = [(b"User-Agent", AGENT), (b"Referer", b"https://shop.example/"), (b"Accept-Language", b"de-AT,de;q=0.9")]
    track = b"/api/v1/track"
    # as JSON, a quote is two bytes, and four in the log; in a query one is two
    quotes = b'{"application_id":"%s","custom_params":{"x":"' % key + b'\\"' * 8100 + b'"}}'
    # 28 bytes of one: the loader takes up to 32
    draw = random.Random(1)
    texts = "".join("a b c " * 30 + draw.randbytes(4).hex() for _ in range(426))
    text = json.dumps({"application_id": key.decode(), "custom_params": {"x": texts}}).encode()
    noise = random.Random(1).randbytes(11_000).hex()
    incompressible = json.dumps({"application_id": key.decode(), "custom_params": {"x": noise}}).encode()
    control = b"\x01\x02" * 1990
    many = [(b"User-Agent", b'"' * 15_000), (b"Referer", b'"' * 15_000)]
    return {
        "ordinary": (request(pixel, usual), 50),
        "4 KB": (request(pixel + b"&q=" + b'"' * 3600, usual), 50),
        "largest": (request(track + b"?q=" + b'"' * 16_200, many, b"POST", quotes[:16_384]), 8),
        "largest, of control bytes": (request(track + b"?q=" + b'"' * 16_200, many, b"POST", b"\x1f\x8b" + b"\x01" * 16_382), 8),
        "refused": (request(pixel + b"&q=" + b'"' * 15_000, many), 20),
        "refused, 405": (request(pixel + b"&q=" + b'"' * 15_000, many, b"PUT"), 20),
        "refused, 413": (request(track + b"?q=" + b'"' * 15_000, [*many, (b"Content-Length", b"16385")], b"POST"), 1),
        "control bytes": (request(pixel, [(b"User-Agent", control), (b"Referer", b"https://shop.example/" + control[:20])]), 20),
        "gzip, 80 KB unpacked": (request(track, usual, b"POST", gzip.compress(text, mtime=0)), 20),
        "gzip, 11 KB": (request(track, usual, b"POST", gzip.compress(incompressible, mtime=0)), 16),
        "no beacon": (request(b"/nothing?q=" + b'"' * 15_000, many), 20),
        "no script": (request(b"/s/nothing.js", many), 20),
        "not HTTP": (b"\x01\r\n\r\n", 1),
        "HTTP/2": ([(b"GET", pixel), (b"user-agent", AGENT), (b"referer", b"https://shop.example/")], 60),
        "HTTP/2, 4 KB": ([(b"GET", pixel + b"&q=" + b'"' * 1500), (b"user-agent", b'"' * 900), (b"referer", b'"' * 900)], 60),
        "HTTP/2, control bytes": ([(b"GET", pixel), (b"user-agent", b"\x01" * 3500), (b"referer", b"-")], 60),
        "HTTP/2, 405": ([(b"PUT", pixel), (b"user-agent", b"\x01" * 3500), (b"referer", b"-")], 60),
    }


def integer(value, bits, first):
    """RFC 7541, section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytearray([first | most]), value - most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes(out) + bytes([value])


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Http2:
    """A connection on which all requests are the same. The first puts its headers into nginx's table of 4,096 bytes."""

    def __init__(self, address, source, headers):
        (method, path), *rest = headers
        static = {b"GET": b"\x82", b"user-agent": 58, b"referer": 51}
        named = [(4, path), (1, b"events.example.com"), *((static[name], value) for name, value in rest)]
        # :method is looked up, or new with the name of entry 2
        if method != b"GET":
            named.insert(0, (2, method))
        literal = b"".join(integer(index, 6, 0x40) + integer(len(value), 7, 0) + value for index, value in named)
        start = b"\x86" if method != b"GET" else b"\x82\x86"
        self.first = start + literal
        self.again = start + b"".join(bytes([0x80 | 61 + n]) for n in range(len(named), 0, -1))
        self.socket = socket.create_connection(address, 10, (source, 0))
        self.stream, self.buffer = 1, b""
        # as much as it likes may come back
        settings = (4).to_bytes(2, "big") + (2**31 - 1).to_bytes(4, "big")
        window = (2**31 - 1 - 65_535).to_bytes(4, "big")
        start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, settings) + frame(8, 0, 0, window) + frame(4, 1, 0)
        self.socket.sendall(start)
        self.sent = len(start)

    def batch(self, count, seen):
        """Sends requests and reads all answers; false at the connection's end."""
        out = bytearray()
        for _ in range(count):
            block = self.first if self.stream == 1 else self.again
            out += frame(1, 5, self.stream, block)
            self.stream += 2
        self.socket.sendall(out)
        self.sent += len(out)
        ended = 0
        while ended < count:
            data = self.socket.recv(1 << 18)
            if not data:
                return False
            buffer, at = self.buffer + data, 0
            while len(buffer) - at >= 9:
                length = int.from_bytes(buffer[at : at + 3], "big")
                if len(buffer) - at < 9 + length:
                    break
                kind, flags = buffer[at + 3], buffer[at + 4]
                if kind == 1:
                    # nginx writes :status as an entry of the static table, or as three digits
                    status = buffer[at + 9]
                    known = {0x88: "200", 0x89: "204", 0x8D: "404", 0x8C: "400"}
                    seen[known.get(status) or buffer[at + 11 : at + 14].decode("latin-1")] += 1
                if kind == 3 or (kind in (0, 1) and flags & 1):
                    ended += 1
                if kind == 7:
                    return False
                at += 9 + length
            self.buffer = buffer[at:]
        return self.stream < 2 * STREAMS


class Http1:
    def __init__(self, address, source, request):
        self.request, self.sent = request, 0
        self.socket = socket.create_connection(address, 10, (source, 0))

    def batch(self, count, seen):
        try:
            self.socket.sendall(self.request * count)
        except OSError:
            return False
        self.sent += len(self.request) * count
        buffer = b""
        while buffer.count(b"HTTP/1.1 ") < count or not buffer.endswith(b"\n"):
            try:
                data = self.socket.recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                break
            buffer += data
        answers = buffer.split(b"HTTP/1.1 ")[1:]
        for answer in answers:
            seen[answer[:3].decode("latin-1")] += 1
        # what follows the head of a body that never comes would be taken for the body
        return count > 1 and len(answers) == count and b"Connection: close" not in answers[-1]


def flood(kind, address, source, seconds, key, rate=0):
    what, count = kinds(key)[kind]
    new = Http2 if isinstance(what, list) else Http1
    seen, sent, end = collections.Counter(), 0, time.monotonic() + seconds
    connections = [new(address, source, what) for _ in range(CONNECTIONS)]
    due = time.monotonic()
    while time.monotonic() < end:
        for n, connection in enumerate(connections):
            if rate:
                due = max(due + count / rate, time.monotonic() - 1)
                time.sleep(max(0, due - time.monotonic()))
            if not connection.batch(count, seen):
                sent += connection.sent
                connection.socket.close()
                connections[n] = new(address, source, what)
    return {"statuses": seen, "sent": sent + sum(connection.sent for connection in connections)}


if __name__ == "__main__":
    kind, host, port, source, seconds, key, *rate = sys.argv[1:]
    print(json.dumps(flood(kind, (host, int(port)), source, float(seconds), key.encode(), *map(float, rate))))
