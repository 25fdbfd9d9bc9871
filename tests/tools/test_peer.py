#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer is believed by every scenario: so it is tested itself, with raw sockets."""
import gzip
import hashlib
import json
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import support  # noqa: E402
from peer import file_blocks  # noqa: E402


def is_whole(got, answers):
    """Are there so many complete answers in it?"""
    for _ in range(answers):
        head, gap, rest = got.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.I)
        if not gap or not length or len(rest) < int(length[1]):
            return False
        got = rest[int(length[1]):]
    return True


def exchange(port, data, answers=1):
    """Send bytes, give all that comes: until the answers are whole or the peer closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(data)
        s.settimeout(10)
        got = b""
        try:
            while not is_whole(got, answers):
                more = s.recv(65536)
                if not more:
                    return got
                got += more
        except socket.timeout:
            pass
        except ConnectionResetError:
            got += b"<reset>"
        return got


def request(method, path, body=b"", headers=()):
    head = "%s %s HTTP/1.1\r\nHost: x\r\n" % (method, path)
    head += "".join("%s: %s\r\n" % h for h in headers)
    return (head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body


def staged(c, peer):
    """What a test says beforehand is what is met, byte for byte; what was met is remembered."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    path = peer.stage("a", {"bytes": ok}, {"bytes": b"half", "then": "close"}, {"bytes": b"", "then": "reset"})
    c.equal(exchange(peer.port, request("POST", path + "/x", b"body", [("Idempotency-Key", "k")])), ok, "staged: the first answer as it is")
    c.equal(exchange(peer.port, request("GET", path + "/x")), b"half", "staged: the second, and the connection ends")
    c.equal([exchange(peer.port, request("GET", path + "/x")) for _ in range(2)], [b"<reset>"] * 2, "staged: the last one for ever")
    c.equal(exchange(peer.port, request("GET", path + "/y")), ok, "staged: another path begins anew")
    rows = peer.history("a")[path + "/x"]
    c.equal([(r["method"], r["bytes"], r["key"]) for r in rows][:2], [("POST", 4, "k"), ("GET", 0, None)], "history: each request")
    c.that(len({r["connection"] for r in rows}) == 4 and all(r["nth"] == 1 for r in rows), "history: and its connection", rows)
    path = peer.stage("b", {"bytes": ok}, {"bytes": b"", "then": "close"}, by="connection")
    c.equal([exchange(peer.port, request("GET", path) * 2, 2) for _ in range(2)], [ok, ok], "staged by connection: the second request on each")
    c.equal([r["nth"] for r in peer.history("b")[path]], [1, 2, 1, 2], "history: which request on it")
    path = peer.stage("c", {"bytes": ok, "then": "close", "on": "head"})
    early = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" % path.encode()
    c.equal(exchange(peer.port, early), ok, "staged on the head: no body is awaited")
    path = peer.stage("d", {"bytes": b"packed", "then": "close", "plain": b"plain"})
    c.equal([exchange(peer.port, request("GET", path, b"", h)) for h in ([], [("Accept-Encoding", "identity")])], [b"packed", b"plain"],
            "staged: otherwise where no coding is accepted")
    path = peer.stage("e", {"bytes": b"x", "again": b"yz"})
    with socket.create_connection(("127.0.0.1", peer.port), 10) as s:
        s.sendall(request("GET", path))
        got = b""
        while len(got) < 1 << 20:
            got += s.recv(65536)
    c.that(got.startswith(b"xyzyz"), "staged: again without end", got[:10])


def streams(c, peer):
    """Bodies that are not kept: in to a sum, out of a rule."""
    body = os.urandom(3 << 20)
    first = exchange(peer.port, request("POST", "/sink/once-503/x", body))
    c.that(b" 503 " in first, "the sink refuses the first request where told to", first)
    told = exchange(peer.port, request("POST", "/sink/once-503/x", body) + request("GET", "/echo/next"), 2)
    line = peer.requests()[-1]
    c.equal((line["sha256"], line["bytes"], line["head"][:9], line["tail"][-9:]),
            (hashlib.sha256(body).hexdigest(), len(body), body[:9].decode("latin-1"), body[-9:].decode("latin-1")), "the sink tells sum, size and ends of a body")
    c.that(line["sha256"].encode() in told and b"/echo/next" in told, "in the answer, too, and what follows is a request", told)
    c.that(b"Location: /sink/y\r\n" in exchange(peer.port, request("PUT", "/sink/307/y", b"abc")), "or leads elsewhere")
    whole = b"".join(file_blocks(200000))
    c.equal(exchange(peer.port, request("GET", "/file?bytes=200000")).split(b"\r\n\r\n", 1)[1], whole, "/file sends what file_blocks() tells")
    c.that(len(set(whole[i:i + 65536] for i in range(0, 196608, 65536))) == 3, "in blocks that differ")
    cut = exchange(peer.port, request("GET", "/file?bytes=200000&cut=70000")).split(b"\r\n\r\n", 1)[1]
    c.that(len(cut) < 200000 and whole.startswith(cut), "cut, it ends early", len(cut))
    c.equal(exchange(peer.port, request("GET", "/file?bytes=200000&cut=70000")).split(b"\r\n\r\n", 1)[1], whole, "the first time")


def main():
    c = support.Claims()
    peer = support.Peer("--lifetime", "60")
    got = exchange(peer.port, request("POST", "/orders?a=1", b'{"n":1}', [("Idempotency-Key", "k1"), ("X-A", "b")]))
    c.that(got.startswith(b"HTTP/1.1 201 ") and b'"id": 1' in got, "a POST gets 201 and an id", got)
    first = peer.requests()[0]
    c.equal([first[k] for k in ("method", "target", "key", "body")], ["POST", "/orders?a=1", "k1", '{"n":1}'], "the line says what came")
    again = exchange(peer.port, request("POST", "/orders?a=1", b'{"n":1}', [("Idempotency-Key", "k1")]))
    c.that(b'"id": 1' in again and b"Idempotent-Replayed: true" in again, "the same key gets the first answer again", again)
    c.equal(len(peer.requests()), 2, "and is recorded all the same")
    two = exchange(peer.port, request("GET", "/record/1") + request("GET", "/record/2"), 2)
    c.equal(two.count(b"HTTP/1.1 200 "), 2, "two requests on one connection get two answers")
    chunked = exchange(peer.port, b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    c.that(b" 201 " in chunked and peer.requests()[-1]["body"] == "abcde", "a chunked body is read", chunked)
    echo = exchange(peer.port, request("PUT", "/echo/a%2Fb?x=%26", "é".encode(), [("X-Y", "1"), ("X-Y", "2")]))
    told = json.loads(echo.split(b"\r\n\r\n", 1)[1])
    c.equal((told["method"], told["target"], told["body"]), ("PUT", "/echo/a%2Fb?x=%26", "é"), "echo repeats the target as it came")
    c.equal([h[1] for h in told["headers"] if h[0] == "X-Y"], ["1", "2"], "and all headers in order")
    for name, expected in (("close", b""), ("half-head", b"HTTP/1.1 200 OK\r\nContent-Le"), ("reset", b"<reset>")):
        c.equal(exchange(peer.port, request("GET", "/fault/" + name)), expected, "fault %s" % name)
    half = exchange(peer.port, request("GET", "/fault/half-body"))
    c.that(half.endswith(b"\r\n\r\n" + b"x" * 50) and b"Content-Length: 100" in half, "fault half-body", half)
    packed = exchange(peer.port, request("GET", "/fault/half-gzip")).split(b"\r\n\r\n", 1)[1]
    try:
        gzip.decompress(packed)
        c.that(False, "fault half-gzip cannot be unpacked")
    except EOFError:
        c.that(True, "fault half-gzip cannot be unpacked")
    c.equal(exchange(peer.port, request("GET", "/fault/once-reset?1")), b"<reset>", "fault once-reset: the first time")
    c.that(b" 200 " in exchange(peer.port, request("GET", "/fault/once-reset?1")), "fault once-reset: not the second")
    streams(c, peer)
    c.equal(peer.seen().get("/orders"), 2, "seen counts")
    staged(c, peer)
    peer.close()

    dropper = support.Peer("--drop", "0.5", "--seed", "7", "--lifetime", "60")
    answers = [exchange(dropper.port, request("POST", "/d")) for _ in range(40)]
    lost = sum(not a.startswith(b"HTTP") for a in answers)
    c.that(5 < lost < 35, "--drop leaves a share unanswered", lost)
    c.equal(len(dropper.requests()), 40, "but records them all")
    dropper.close()

    short = support.Peer("--lifetime", "0.5")
    support.until(lambda: short.process.poll() is not None, "the peer to end by itself")
    c.equal(short.process.returncode, 0, "a peer ends by itself")
    return c.closing()


if __name__ == "__main__":
    sys.exit(main())
