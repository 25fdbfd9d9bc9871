#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""peer.py: an HTTP/1.1 server that does what it is told, for scenarios. It misbehaves on demand; that is its job.

    peer.py [--port 0] [--log FILE] [--delay MS] [--fsync] [--drop RATE] [--fail RATE] [--seed N] [--lifetime SECONDS]
            [--tls CERTIFICATE KEY] [--tls-max 1.0|1.1|1.2]

Prints "port N" when it listens (127.0.0.1 only) and ends by itself after --lifetime, or when its parent is gone.

Recorder (every path that is none of the below, or begins with /record): one JSON line a request is appended to --log *before* the
answer leaves: n, method, target, key (Idempotency-Key), headers, body (text, at most 4,096 bytes), sha256. POST answers 201 {"id": n, ...}, others
200. A key that was seen before gives the first answer again, with "Idempotent-Replayed: true".
--drop closes the connection after recording, unanswered, for that share of requests; --fail answers 500. Chosen by --seed.

/echo/...    200, the request as JSON: method, target, headers as a list of pairs in order, body as text and base64
/status/N    that status, body {"status": N}; 3xx carries Location: /elsewhere
/sleep/MS    200 after so many milliseconds
/body?type=T&text=B&coding=C   200, B (percent-encoded, may be bytes) as media type T
/sink/...    reads a body with Content-Length of any size without keeping it; recorded and answered: bytes, sha256, its first 2,048 bytes (head) and
             last 200 (tail). /sink/once-503 answers the first request of each target with 503, /sink/307/... with a redirect to /sink/...
/file?bytes=N&type=T&name=B&chunked=1&coding=gzip   200, N bytes that file_blocks() tells; ?cut=M closes after M of the body's, ?hold=M stops after M
             for good, both only for the first request of the target
/seen        200, how many requests each path got: {"/record": 3}
/stage/NAME, /staged/NAME/..., /history/NAME   answers byte by byte as a test says beforehand: see staged.py

Faults, each on its own path:
/fault/close            reads the request, closes without a byte
/fault/reset            reads the request, resets the connection
/fault/half-head        "HTTP/1.1 200 OK\\r\\nContent-Le" and closes
/fault/half-body        Content-Length says 100, 50 come
/fault/half-chunk       the last chunk is missing
/fault/two-lengths      two different Content-Length
/fault/garbage          no HTTP at all
/fault/endless          a body without end, until the client leaves
/fault/silent           accepts and says nothing
/fault/half-gzip        a gzip body cut off inside a right Content-Length
/fault/bomb             gzip of 200 MB zeros
/fault/once-reset       resets the first request of each target, records the others
"""
import argparse
import asyncio
import base64
import gzip
import hashlib
import json
import os
import random
import signal
import socket
import ssl
import struct
import sys
import time
import urllib.parse
import zlib

import staged

PHRASES = {200: "OK", 201: "Created", 204: "No Content", 404: "Not Found", 500: "Internal Server Error"}
MAX_BODY = 64 << 20
BLOCK = 65536


class Peer:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.count = 0
        self.by_key = {}
        self.seen = {}
        self.once = set()
        self.connections = 0
        self.stages = {}
        self.log = os.open(options.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if options.log else -1

    def record(self, method, target, headers, body, **more):
        """The line is in the file (and with --fsync on the disk) before anybody hears an answer."""
        self.count += 1
        key = header(headers, "idempotency-key")
        if self.log >= 0:
            line = {"n": self.count, "at": time.time(), "method": method, "target": target, "key": key, "headers": headers,
                    "body": body[:4096].decode("utf-8", "replace"), "sha256": hashlib.sha256(body).hexdigest()}
            line.update(more)
            os.write(self.log, json.dumps(line).encode() + b"\n")
            if self.options.fsync:
                os.fsync(self.log)
        return self.count, key


def file_blocks(n):
    """The bytes of /file: blocks that differ, made without keeping any."""
    for i in range((n + BLOCK - 1) // BLOCK):
        block = hashlib.sha256(b"%d" % i).digest() * (BLOCK // 32)
        yield block[:min(BLOCK, n - i * BLOCK)]


def header(headers, name):
    for k, v in headers:
        if k.lower() == name:
            return v
    return None


def answer(status, body, headers=(), is_head=False):
    text = "HTTP/1.1 %d %s\r\n" % (status, PHRASES.get(status, "Status"))
    if not any(k.lower() == "content-type" for k, _ in headers):
        text += "Content-Type: application/json\r\n"
    for k, v in headers:
        text += "%s: %s\r\n" % (k, v)
    if status >= 200 and status not in (204, 304):
        text += "Content-Length: %d\r\n" % len(body)
    else:
        body = b""
    return text.encode("latin-1") + b"\r\n" + (b"" if is_head else body)


class Connection(asyncio.Protocol):
    """One request after the other; what follows while one is answered waits in the buffer."""

    def __init__(self, peer):
        self.peer, self.buffer, self.transport, self.is_busy, self.timer = peer, b"", None, False, None
        self.number, self.nth, self.task = 0, 0, None  # which connection of the peer, requests on it, what writes to it without end
        self.sink, self.may_write = None, asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport):
        self.transport = transport
        self.peer.connections += 1
        self.number = self.peer.connections
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc):
        for running in (self.timer, self.task):
            if running:
                running.cancel()
        self.transport = None
        self.may_write.set()

    def pause_writing(self):
        self.may_write.clear()

    def resume_writing(self):
        self.may_write.set()

    def data_received(self, data):
        if self.sink:
            data = self.pour(data)
        self.buffer += data
        while not self.is_busy and self.transport and self.step():
            pass

    def step(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = [[k, v.strip()] for k, _, v in (line.partition(":") for line in lines[1:])]
        body, used = b"", end + 4
        if target.startswith("/sink/") and header(headers, "content-length"):
            self.sink = {"method": method, "target": target, "headers": headers, "left": int(header(headers, "content-length")), "hash": hashlib.sha256(),
                         "bytes": 0, "head": b"", "tail": b""}
            data, self.buffer = self.buffer[used:], b""
            self.buffer = self.pour(data)
            return not self.sink
        if (header(headers, "transfer-encoding") or "").lower() == "chunked":
            body, used = self.chunks(used)
        elif header(headers, "content-length"):
            length = int(header(headers, "content-length"))
            used += length
            body = self.buffer[end + 4:used] if len(self.buffer) >= used else None
        if body is None and staged.is_early(self.peer, target):
            body, used, self.is_busy = b"", len(self.buffer), True
        if body is None:
            if len(self.buffer) > MAX_BODY:
                self.transport.abort()
            return False
        self.buffer = self.buffer[used:]
        self.request(method, target, headers, body)
        return True

    def pour(self, data):
        """Into the sink; what is beyond the body is given back."""
        k = self.sink
        mine, rest = data[:k["left"]], data[k["left"]:]
        k["hash"].update(mine)
        k["left"] -= len(mine)
        k["bytes"] += len(mine)
        if len(k["head"]) < 2048:
            k["head"] += mine[:2048 - len(k["head"])]
        k["tail"] = (k["tail"] + mine[-200:])[-200:]
        if k["left"] == 0:
            self.sink = None
            self.sunk(k)
        return rest

    def sunk(self, k):
        told = {"bytes": k["bytes"], "sha256": k["hash"].hexdigest(), "head": k["head"].decode("latin-1"),
                "tail": k["tail"].decode("latin-1")}
        self.peer.record(k["method"], k["target"], k["headers"], b"", **told)
        is_first = k["target"] not in self.peer.once
        self.peer.once.add(k["target"])
        if k["target"].startswith("/sink/once-503") and is_first:
            self.send(answer(503, b'{"error":"not yet"}'))
        elif k["target"].startswith("/sink/307/"):
            self.send(answer(307, b"", [("Location", "/sink/" + k["target"][10:])]))
        else:
            self.send(answer(200, json.dumps(told).encode()))

    def chunks(self, at):
        body = b""
        while True:
            end = self.buffer.find(b"\r\n", at)
            if end < 0:
                return None, at
            size = int(self.buffer[at:end].split(b";")[0], 16)
            at = end + 2 + size + 2
            if len(self.buffer) < at:
                return None, at
            body += self.buffer[end + 2:end + 2 + size]
            if size == 0:
                return body, at

    def send(self, data, delay_ms=0):
        if delay_ms <= 0:
            if self.transport:
                self.transport.write(data)
            return

        def later():
            self.is_busy = False
            if self.transport:
                self.transport.write(data)
                self.data_received(b"")
        self.is_busy = True
        self.timer = asyncio.get_running_loop().call_later(delay_ms / 1000, later)

    def cut(self):
        """FIN, and of TLS nothing before it."""
        self.transport.abort()

    def reset(self):
        """RST instead of FIN: linger with no time to linger."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def request(self, method, target, headers, body):
        peer, options = self.peer, self.peer.options
        path, _, query = target.partition("?")
        self.nth += 1
        if path.startswith(("/stage/", "/history/")):
            self.send(self.staging(path, body))
            return
        if path == "/seen":
            self.send(answer(200, json.dumps(peer.seen).encode()))
            return
        peer.seen[path] = peer.seen.get(path, 0) + 1
        if path.startswith("/staged/") and staged.play(self, (method, target, headers, body)):
            return
        if path.startswith("/fault/") and self.fault(path[7:], method, target):
            return
        if path.startswith("/echo"):
            try:
                text = body.decode("utf-8")
            except UnicodeDecodeError:
                text = None
            echo = {"method": method, "target": target, "headers": headers, "body": text, "base64": base64.b64encode(body).decode()}
            self.send(answer(200, json.dumps(echo).encode(), is_head=method == "HEAD"), options.delay)
            return
        if path.startswith("/status/"):
            status = int(path[8:])
            extra = [("Location", "/elsewhere")] if 300 <= status < 400 else []
            self.send(answer(status, json.dumps({"status": status}).encode(), extra, method == "HEAD"), options.delay)
            return
        if path.startswith("/sleep/"):
            self.send(answer(200, b"{}"), int(path[7:]))
            return
        if path == "/file":
            peer.record(method, target, headers, body)
            self.is_busy = True
            asyncio.ensure_future(self.file(target, dict(urllib.parse.parse_qsl(query))))
            return
        if path == "/body":
            self.send(self.body(query))
            return
        n, key = peer.record(method, target, headers, body)
        chance = peer.random.random()
        if chance < options.drop:
            self.transport.abort()
            return
        if chance < options.drop + options.fail:
            self.send(answer(500, b'{"error":"told to fail"}'), options.delay)
            return
        extra = []
        if key is not None and key in peer.by_key:
            n, extra = peer.by_key[key], [("Idempotent-Replayed", "true")]
        elif key is not None:
            peer.by_key[key] = n
        status = 201 if method == "POST" else 200
        self.send(answer(status, json.dumps({"id": n, "method": method, "path": path}).encode(), extra, method == "HEAD"), options.delay)

    def staging(self, path, body):
        _, verb, name = path.split("/", 2)
        if verb == "stage":
            self.peer.stages[name] = staged.Stage(body)
            return answer(204, b"")
        stage = self.peer.stages.get(name)
        return answer(200 if stage else 404, json.dumps(stage.history if stage else {}).encode())

    def body(self, query):
        asked = dict(p.partition("=")[::2] for p in query.split("&"))
        data = urllib.parse.unquote_to_bytes(asked.get("text", ""))
        headers = [("Content-Type", urllib.parse.unquote(asked["type"]))] if "type" in asked else []
        coding = asked.get("coding")
        if coding == "gzip":
            data = gzip.compress(data)
        elif coding == "deflate":
            data = zlib.compress(data)
        if coding:
            headers.append(("Content-Encoding", coding))
        return answer(200, data, headers)

    async def file(self, target, asked):
        n, is_first = int(asked.get("bytes", 0)), target not in self.peer.once
        self.peer.once.add(target)
        stop = int(asked.get("cut", asked.get("hold", -1))) if is_first else -1
        head = "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n" % asked.get("type", "application/octet-stream")
        if "name" in asked:
            head += 'Content-Disposition: attachment; filename="%s"\r\n' % asked["name"]
        is_gzip, is_chunked = asked.get("coding") == "gzip", "chunked" in asked or "coding" in asked
        head += ("Content-Encoding: gzip\r\n" if is_gzip else "") + ("Transfer-Encoding: chunked\r\n" if is_chunked else "Content-Length: %d\r\n" % n)
        self.transport.write(head.encode("latin-1") + b"\r\n")
        coder, sent = zlib.compressobj(1, zlib.DEFLATED, 31) if is_gzip else None, 0
        for block in file_blocks(n):
            sent += len(block)
            if coder:
                block = coder.compress(block)
            if block:
                self.transport.write(b"%x\r\n%s\r\n" % (len(block), block) if is_chunked else block)
            await self.may_write.wait()
            if not self.transport:
                return
            if 0 <= stop <= sent:
                if "cut" in asked:
                    self.transport.close()
                return
        last = coder.flush() if coder else b""
        if is_chunked:
            self.transport.write((b"%x\r\n%s\r\n" % (len(last), last) if last else b"") + b"0\r\n\r\n")
        self.is_busy = False
        self.data_received(b"")

    def fault(self, name, method, target):
        t = self.transport
        if name == "close":
            t.close()
        elif name == "reset":
            self.reset()
        elif name == "once-reset":
            if target in self.peer.once:
                return False
            self.peer.once.add(target)
            self.reset()
        elif name == "half-head":
            t.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            t.close()
        elif name == "half-body":
            t.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
            t.close()
        elif name == "half-chunk":
            t.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            t.close()
        elif name == "two-lengths":
            t.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}")
            t.close()
        elif name == "garbage":
            t.write(b"this is no HTTP at all\r\n\r\n")
            t.close()
        elif name == "half-gzip":
            whole = gzip.compress(b"a" * 1000 + os.urandom(1000))
            t.write(answer(200, whole[:len(whole) // 2], [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")]))
        elif name == "bomb":
            t.write(answer(200, bomb(), [("Content-Encoding", "gzip")]))
        elif name == "silent":
            self.is_busy = True
        elif name == "endless":
            self.is_busy = True
            t.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            asyncio.ensure_future(self.endless())
        else:
            t.write(answer(404, b'{"error":"no such fault"}'))
        return True

    async def endless(self):
        while self.transport:
            if self.transport.get_write_buffer_size() < 1 << 20:
                self.transport.write(b"x" * 65536)
            await asyncio.sleep(0)


BOMB = []


def bomb():
    if not BOMB:
        BOMB.append(gzip.compress(b"\0" * (200 << 20), 9))
    return BOMB[0]


async def watch(parent, lifetime, stop):
    """No peer outlives its test: neither by time nor as an orphan."""
    deadline = time.monotonic() + lifetime
    while time.monotonic() < deadline and os.getppid() == parent:
        await asyncio.sleep(0.2)
    stop.set()


def tls_context(options):
    """For a server that speaks TLS, perhaps an old one only: OpenSSL 3 does that at security level 0."""
    if not options.tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.tls)
    if options.tls_max:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2}[options.tls_max]
    return context


async def serve(options):
    peer = Peer(options)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Connection(peer), "127.0.0.1", options.port, backlog=4096, ssl=tls_context(options))
    for s in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(s, stop.set)
    print("port %d" % server.sockets[0].getsockname()[1], flush=True)
    watcher = asyncio.ensure_future(watch(os.getppid(), options.lifetime, stop))
    await stop.wait()
    watcher.cancel()
    server.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--log")
    p.add_argument("--delay", type=float, default=0, help="milliseconds before each answer")
    p.add_argument("--fsync", action="store_true")
    p.add_argument("--drop", type=float, default=0, help="share of recorded requests that get no answer")
    p.add_argument("--fail", type=float, default=0, help="share of recorded requests that get a 500")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="PEM files")
    p.add_argument("--tls-max", choices=["1.0", "1.1", "1.2"], help="newest version spoken")
    p.add_argument("--lifetime", type=float, default=900, help="seconds")
    asyncio.run(serve(p.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
