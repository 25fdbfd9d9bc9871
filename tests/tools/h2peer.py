#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""h2peer.py: an HTTP/2 server that does what the path says, for scenarios. Frames are written by hand from RFC 9113; only HPACK is a library's.

    h2peer.py [--port 0] [--log FILE] [--cert FILE --key FILE] [--alpn h2,http/1.1] [--streams N] [--window N] [--lifetime SECONDS]

Prints "port N" when it listens (127.0.0.1 only) and ends by itself after --lifetime, or when its parent is gone. A connection that does not
begin with HTTP/2's preface is served in HTTP/1.1. --streams and --window are said in SETTINGS. Each request is one JSON line of --log before
anything is answered: connection, stream, version, method, path, key (Idempotency-Key), headers, body (its length).

/ok             200, what came in: version, method, headers, connection
/once/REST      as /REST the first time a path is asked, then as /ok
/REST           "," between words, each said on the stream of the request:
  head  end     HEADERS 200 (with -length=N a Content-Length); an empty DATA that ends the stream
  data=TEXT     DATA
  rst=CODE      RST_STREAM
  goaway=CODE   GOAWAY with the last stream before this one; goaway-high=CODE: with this one as the last
  close         the connection is closed;  stay: nothing more is said
  hpack         a head that HPACK does not know;  upper: a field name in upper case;  short, long: a body of another length than announced
  ping, settings, continuation, interim, empty, body    each without end, until the client leaves
  gzip-half     half a gzip
  wait=N        until N streams are open, then the connection is closed under all of them
"""
import argparse
import gzip
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time

from hpack import Decoder, Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
CODES = {name: n for n, name in enumerate(
    ["no", "protocol", "internal", "flow", "timeout", "closed", "size", "refused", "cancel", "hpack", "connect", "calm", "security", "1.1"])}


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Peer:
    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.connections = 0
        self.asked = {}
        self.log = open(options.log, "a", buffering=1) if options.log else None

    def record(self, **request):
        with self.lock:
            path = request["path"]
            self.asked[path] = self.asked.get(path, 0) + 1
            if self.log:
                self.log.write(json.dumps(request) + "\n")
            return self.asked[path]


class Session:
    def __init__(self, peer, sock, number, rest):
        self.peer, self.sock, self.number, self.buffer = peer, sock, number, rest
        self.decoder, self.encoder = Decoder(), Encoder()
        self.requests = {}  # stream -> [headers, bytes of body]
        self.waiting = []

    def read(self, n):
        while len(self.buffer) < n:
            got = self.sock.recv(65536)
            if not got:
                raise ConnectionError("closed")
            self.buffer += got
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def send(self, *frames):
        self.sock.sendall(b"".join(frames))

    def head(self, stream, status=200, fields=(), end=False):
        block = self.encoder.encode([(":status", str(status)), *fields])
        return frame(HEADERS, 4 | (1 if end else 0), stream, block)

    def serve(self):
        settings = b""
        if self.peer.options.streams is not None:
            settings += struct.pack(">HI", 3, self.peer.options.streams)
        if self.peer.options.window is not None:
            settings += struct.pack(">HI", 4, self.peer.options.window)
        self.send(frame(SETTINGS, 0, 0, settings))
        while True:
            length, kind, flags, stream = struct.unpack(">IBBI", b"\0" + self.read(9))
            self.on_frame(kind, flags, stream & 0x7fffffff, self.read(length))

    def on_frame(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & 1:
            self.send(frame(SETTINGS, 1, 0))
        elif kind == PING and not flags & 1:
            self.send(frame(PING, 1, 0, payload))
        elif kind == HEADERS:
            assert flags & 4, "requests with CONTINUATION are not read here"
            self.requests[stream] = [self.decoder.decode(payload), 0]
        elif kind == DATA and stream in self.requests:
            self.requests[stream][1] += len(payload)
            if payload:
                self.send(frame(WINDOW, 0, 0, struct.pack(">I", len(payload))), frame(WINDOW, 0, stream, struct.pack(">I", len(payload))))
        if kind in (HEADERS, DATA) and flags & 1 and stream in self.requests:
            self.on_request(stream, *self.requests.pop(stream))

    def on_request(self, stream, headers, n_body):
        fields = dict(headers)
        path = fields[":path"].split("?")[0]
        times = self.peer.record(connection=self.number, stream=stream, version="2", method=fields[":method"], path=path,
                                 key=fields.get("idempotency-key"), headers=headers, body=n_body)
        words = path[1:]
        if words.startswith("once/"):
            words = words[5:] if times == 1 else "ok"
        if words == "ok":
            body = json.dumps({"version": "2", "method": fields[":method"], "connection": self.number, "headers": headers}).encode()
            self.send(self.head(stream, 200, [("content-type", "application/json"), ("content-length", str(len(body)))]),
                      frame(DATA, 1, stream, body))
            return
        for word in words.split(","):
            self.say(stream, *word.split("=", 1))

    def say(self, stream, word, value=""):
        getattr(self, "say_" + word.replace("-", "_"))(stream, value)

    def say_head(self, stream, value):
        self.send(self.head(stream))

    def say_head_length(self, stream, value):
        self.send(self.head(stream, 200, [("content-type", "application/json"), ("content-length", value)]))

    def say_data(self, stream, value):
        self.send(frame(DATA, 0, stream, value.encode()))

    def say_end(self, stream, value):
        self.send(frame(DATA, 1, stream))

    def say_rst(self, stream, value):
        self.send(frame(RST, 0, stream, struct.pack(">I", CODES[value])))

    def say_goaway(self, stream, value):
        self.send(frame(GOAWAY, 0, 0, struct.pack(">II", max(stream - 2, 0), CODES[value])))

    def say_goaway_high(self, stream, value):
        self.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream, CODES[value])))

    def say_close(self, stream, value):
        raise ConnectionError("as asked")

    def say_stay(self, stream, value):
        pass

    def say_hpack(self, stream, value):
        self.send(frame(HEADERS, 5, stream, b"\xff\xff\xff\x7f"))

    def say_upper(self, stream, value):
        self.send(frame(HEADERS, 4, stream, b"\x88\x00\x07X-Upper\x011"), frame(DATA, 1, stream, b"{}"))

    def say_short(self, stream, value):
        self.send(self.head(stream, 200, [("content-length", "10")]), frame(DATA, 1, stream, b"{}"))

    def say_long(self, stream, value):
        self.send(self.head(stream, 200, [("content-length", "1")]), frame(DATA, 1, stream, b"{}"))

    def forever(self, some):
        while True:
            self.send(some * 64)

    def say_ping(self, stream, value):
        self.forever(frame(PING, 0, 0, b"12345678"))

    def say_settings(self, stream, value):
        self.forever(frame(SETTINGS, 0, 0))

    def say_empty(self, stream, value):
        self.send(self.head(stream))
        self.forever(frame(DATA, 0, stream))

    def say_interim(self, stream, value):
        self.forever(frame(HEADERS, 4, stream, b"\x08\x03103"))

    def say_continuation(self, stream, value):
        self.send(frame(HEADERS, 0, stream, b"\x88"))
        self.forever(frame(CONTINUATION, 0, stream, b"\x00\x01x\x011"))

    def say_body(self, stream, value):
        self.send(self.head(stream))
        self.forever(frame(DATA, 0, stream, b"x" * 16000))

    def say_gzip_half(self, stream, value):
        body = gzip.compress(b'{"a":"' + b"x" * 1000 + b'"}')
        self.send(self.head(stream, 200, [("content-encoding", "gzip")]), frame(DATA, 1, stream, body[:len(body) // 2]))

    def say_wait(self, stream, value):
        self.waiting.append(stream)
        if len(self.waiting) >= int(value):
            raise ConnectionError("as asked")


def serve_1_1(peer, sock, number, rest):
    f = sock.makefile("rb")

    def line():
        nonlocal rest
        if b"\n" in rest:
            out, rest = rest.split(b"\n", 1)
            return out + b"\n"
        out, rest = rest, b""
        return out + f.readline()

    while True:
        start = line().decode("latin-1").split()
        if len(start) != 3:
            return
        headers = []
        while True:
            text = line().decode("latin-1").strip()
            if not text:
                break
            name, value = text.split(":", 1)
            headers.append([name, value.strip()])
        fields = {k.lower(): v for k, v in headers}
        length = int(fields.get("content-length", 0))
        body, rest = rest[:length], rest[length:]
        body += f.read(length - len(body))
        peer.record(connection=number, stream=0, version="1.1", method=start[0], path=start[1].split("?")[0], key=fields.get("idempotency-key"),
                    headers=headers, body=length)
        answer = json.dumps({"version": "1.1", "method": start[0], "connection": number, "headers": headers}).encode()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))


def serve(peer, sock, number, context):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        first = b""
        while len(first) < len(PREFACE) and PREFACE.startswith(first):
            got = sock.recv(65536)
            if not got:
                return
            first += got
        if first.startswith(PREFACE):
            Session(peer, sock, number, first[len(PREFACE):]).serve()
        else:
            serve_1_1(peer, sock, number, first)
    except (OSError, ConnectionError):
        pass
    finally:
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        sock.close()


def watch_parent(lifetime):
    parent, end = os.getppid(), time.monotonic() + lifetime
    while os.getppid() == parent and time.monotonic() < end:
        time.sleep(0.5)
    os._exit(0)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--port", type=int, default=0)
    a.add_argument("--log")
    a.add_argument("--cert")
    a.add_argument("--key")
    a.add_argument("--alpn", default="h2,http/1.1")
    a.add_argument("--streams", type=int)
    a.add_argument("--window", type=int)
    a.add_argument("--lifetime", type=float, default=900)
    options = a.parse_args()
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        context.set_alpn_protocols(options.alpn.split(","))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    peer = Peer(options)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=512)
    print("port %d" % listener.getsockname()[1], flush=True)
    threading.Thread(target=watch_parent, args=(options.lifetime,), daemon=True).start()
    while True:
        sock, _ = listener.accept()
        peer.connections += 1
        threading.Thread(target=serve, args=(peer, sock, peer.connections, context), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
