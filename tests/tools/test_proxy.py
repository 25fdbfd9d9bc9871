#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The proxy of the scenarios, tested itself with raw sockets."""
import base64
import json
import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scenario"))
sys.path.insert(0, HERE)
import support  # noqa: E402
from test_peer import exchange, request  # noqa: E402

ENDS = {"close": b"", "reset": b"<reset>", "cut": b"HTTP/1.1 200 Conn", "garbage": b"this is no HTTP at all\r\n\r\n", "half-head": b"HTTP/1.1 200 OK\r\nX-A: b\r\nX-"}


def proxy(*options):
    log = os.path.join(support.directory(), "log")
    p = support.start([sys.executable, os.path.join(HERE, "proxy.py"), "--lifetime", "60", "--log", log, *options])
    return p, int(p.stdout.readline().split()[1]), log


def connect(port, target, more=b""):
    s = socket.create_connection(("127.0.0.1", port), 10)
    s.settimeout(10)
    s.sendall(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (target, target, more))
    return s


def main():
    c = support.Claims()
    peer = support.Peer("--lifetime", "60")
    host = "127.0.0.1:%d" % peer.port
    p, port, log = proxy("--user", "a:b c")
    mine = ("Proxy-Authorization", "Basic " + base64.b64encode(b"a:b c").decode())
    got = exchange(port, request("POST", "http://%s/orders?x=1" % host, b"{}", [mine, ("Proxy-Connection", "Keep-Alive"), ("X-A", "b")]))
    seen = peer.requests()[-1]
    c.that(b"HTTP/1.1 201 " in got and (seen["method"], seen["target"], seen["body"]) == ("POST", "/orders?x=1", "{}"), "absolute form becomes origin form", got)
    c.that("proxy-" not in json.dumps(seen).lower() and ["X-A", "b"] in seen["headers"], "the proxy's fields end there, others go on", seen)
    got = exchange(port, request("GET", "http://%s/" % host))
    c.that(got.startswith(b"HTTP/1.1 407 ") and len(peer.requests()) == 1, "without credentials: 407, and nothing goes on", got)
    with connect(port, host.encode(), b"%s: %s\r\n" % (mine[0].encode(), mine[1].encode())) as s:
        c.that(s.recv(65536).startswith(b"HTTP/1.1 200 "), "CONNECT opens a tunnel")
        s.sendall(request("GET", "/inside"))
        c.that(b"/inside" in s.recv(65536) and peer.requests()[-1]["target"] == "/inside", "bytes go through it both ways")
    with open(log) as f:
        told = [json.loads(line) for line in f]
    c.equal([(x["method"], x["is_authorized"]) for x in told], [("POST", True), ("GET", False), ("CONNECT", True)], "each request is recorded")
    support.stop(p)

    for name, expected in ENDS.items():
        p, port, _ = proxy("--fault", name)
        c.equal(exchange(port, request("CONNECT", host)), expected, "fault %s" % name)
        support.stop(p)
    p, port, _ = proxy("--fault", "huge-head")
    with connect(port, host.encode()) as s:
        n = 0
        while n < 1 << 20:
            n += len(s.recv(65536))
        c.that(True, "fault huge-head: a megabyte, and more to come")
    support.stop(p)
    p, port, _ = proxy("--fault", "503", "--times", "1")
    with connect(port, host.encode()) as s:
        c.that(s.recv(65536).startswith(b"HTTP/1.1 503 "), "fault 503")
        s.sendall(b"CONNECT %s HTTP/1.1\r\n\r\n" % host.encode())
        c.that(s.recv(65536).startswith(b"HTTP/1.1 200 "), "--times 1: not the second time, on the same connection")
    support.stop(p)
    peer.close()
    return c.closing()


if __name__ == "__main__":
    sys.exit(main())
