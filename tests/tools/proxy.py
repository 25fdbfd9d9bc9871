#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py: an HTTP proxy for scenarios: CONNECT and absolute form. It misbehaves on demand.

    proxy.py [--port 0] [--log FILE] [--user NAME:PASSWORD] [--fault NAME] [--times N] [--lifetime SECONDS]
             [--tls CERTIFICATE KEY]

Prints "port N" when it listens (127.0.0.1 only) and ends by itself after --lifetime, or when its parent is gone. One JSON line a request is
appended to --log before anything else is done with it: n, method, target, headers, is_authorized. With --user others than NAME get a 407.

--fault, for the first --times requests (0 = all):
407, 403, 503   that answer        close, reset   without a byte      silence    nothing, and stays
cut             "HTTP/1.1 200 Conn" and closes    garbage             no HTTP, and closes
huge-head       200 and fields without an end     half-head           200, half a field, and closes
"""
import argparse
import asyncio
import base64
import json
import os
import signal
import socket
import ssl
import struct
import sys

from peer import watch

HEAD_MAX = 65536
ANSWERS = {"407": b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\n\r\n",
           "403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "503": b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}
PIECES = {"close": b"", "cut": b"HTTP/1.1 200 Conn", "garbage": b"this is no HTTP at all\r\n\r\n", "half-head": b"HTTP/1.1 200 OK\r\nX-A: b\r\nX-"}


class Proxy:
    def __init__(self, options):
        self.options, self.count = options, 0
        self.log = os.open(options.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if options.log else -1
        self.pass_word = "Basic " + base64.b64encode(options.user.encode()).decode() if options.user else None

    def record(self, method, target, headers):
        """Says whether the request may pass."""
        self.count += 1
        given = dict((k.lower(), v) for k, v in headers).get("proxy-authorization")
        is_authorized = self.pass_word is None or given == self.pass_word
        if self.log >= 0:
            line = {"n": self.count, "method": method, "target": target, "headers": headers, "is_authorized": is_authorized}
            os.write(self.log, json.dumps(line).encode() + b"\n")
        return is_authorized

    async def serve(self, reader, writer):
        try:
            while await self.request(reader, writer):
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        writer.close()

    async def request(self, reader, writer):
        """True when the connection is good for another one."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n")[0].split(" ")
        headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in head.split("\r\n")[1:-2]]
        is_authorized = self.record(method, target, headers)
        name, times = self.options.fault, self.options.times
        length = int(dict((k.lower(), v) for k, v in headers).get("content-length", 0))
        body = await reader.readexactly(length)
        if name and (times == 0 or self.count <= times):
            return await self.fault(name, writer)
        if not is_authorized:
            writer.write(ANSWERS["407"])
            await writer.drain()
            return True
        if method == "CONNECT":
            return await self.tunnel(reader, writer, target)
        return await self.forward(writer, method, target, headers, body)

    async def fault(self, name, writer):
        if name in ANSWERS:
            writer.write(ANSWERS[name])
            await writer.drain()
            return True
        if name == "silence":
            await asyncio.sleep(self.options.lifetime)
        elif name == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif name == "huge-head":
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while not writer.is_closing():
                writer.write(b"X-A: " + b"b" * 100 + b"\r\n")
                await writer.drain()
        else:
            writer.write(PIECES[name])
            await writer.drain()
        return False

    async def forward(self, writer, method, target, headers, body):
        """Absolute form to origin form (RFC 9112 3.2.1); the proxy's own fields end here. One request a connection, to its end."""
        authority, slash, path = target.split("://", 1)[1].partition("/")
        host, _, port = authority.partition(":")
        far_reader, far_writer = await self.reach(writer, host, port or 80)
        if not far_writer:
            return True
        text = "%s %s HTTP/1.1\r\n" % (method, slash + path or "/")
        text += "".join("%s: %s\r\n" % h for h in headers if not h[0].lower().startswith("proxy-"))
        far_writer.write((text + "Connection: close\r\n\r\n").encode("latin-1") + body)
        head = await far_reader.readuntil(b"\r\n\r\n")
        writer.write(head[:-2] + b"Connection: close\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        writer.write(await far_reader.readexactly(int(length[0].split(b":")[1])) if length else b"")
        await writer.drain()
        far_writer.close()
        return False

    async def reach(self, writer, host, port):
        try:
            return await asyncio.open_connection(host, int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return None, None

    async def tunnel(self, reader, writer, target):
        host, _, port = target.rpartition(":")
        far_reader, far_writer = await self.reach(writer, host, port)
        if not far_writer:
            return True
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ways = [asyncio.ensure_future(pump(reader, far_writer)), asyncio.ensure_future(pump(far_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        far_writer.close()
        return False


async def pump(reader, writer):
    try:
        while True:
            data = await reader.read(65536)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


def tls(options):
    if not options.tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.tls)
    return context


async def serve(options):
    proxy, stop = Proxy(options), asyncio.Event()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", options.port, limit=HEAD_MAX, backlog=1024, ssl=tls(options))
    for s in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(s, stop.set)
    print("port %d" % server.sockets[0].getsockname()[1], flush=True)
    watcher = asyncio.ensure_future(watch(os.getppid(), options.lifetime, stop))
    await stop.wait()
    watcher.cancel()
    server.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--log")
    p.add_argument("--user", help="NAME:PASSWORD that everybody must have")
    p.add_argument("--fault", choices=sorted([*ANSWERS, *PIECES, "silence", "reset", "huge-head"]))
    p.add_argument("--times", type=int, default=0)
    p.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="speak TLS with these PEM files")
    p.add_argument("--lifetime", type=float, default=900, help="seconds")
    asyncio.run(serve(p.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
