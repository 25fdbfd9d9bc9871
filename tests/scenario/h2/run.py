#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2: what was not processed is sent again, what leaves is as RFC 9113 says, what is spoken follows wish and server, and many calls share few
connections. ROWS, each fault with how often the peer sees the request of one item, of a step with two tries, are played by tests/scenario/call.
"""
import json
import os
import re
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

PYTHON = "/usr/bin/python3"  # Debian's packages belong to Debian's Python; another one may come first in PATH
H2PEER = os.path.join(s.ROOT, "tests", "tools", "h2peer.py")
TRIES = 2


def row(number, fault, scenario, error, kind, options=(), items=1, seen=None, **more):
    """`kind`: N not processed, A may have been processed, R answered. Seen: by GET, POST, and POST with a key; None = not asked."""
    get, post, keyed = seen or {"N": (TRIES, TRIES, TRIES), "A": (TRIES, 1, TRIES), "R": (1, 1, 1)}[kind]
    return dict({"number": number, "fault": fault, "scenario": scenario, "error": error, "class": kind, "options": options, "items": items,
                 "get": get, "post": post, "keyed": keyed}, **more)


ROWS = [
    row("H1", "GOAWAY, our stream is beyond the last one", "goaway=no,stay", "refused_stream", "N"),
    row("H1", "GOAWAY with an error, our stream is beyond the last one", "goaway=internal,close", "refused_stream", "N"),
    row("H2", "GOAWAY, our stream is not beyond the last one, then the answer", "goaway-high=no,head,data=1,end,close", None, "R"),
    row("H2", "GOAWAY, our stream is not beyond the last one, then cut", "goaway-high=no,close", "connection_lost", "A"),
    row("H2", "GOAWAY, our stream is not beyond the last one, cut inside the body", "goaway-high=no,head,data=1,close", "truncated", "A"),
    row("H3", "GOAWAY(ENHANCE_YOUR_CALM), our stream is beyond the last one", "goaway=calm,close", "enhance_your_calm", "N"),
    row("H3", "GOAWAY(ENHANCE_YOUR_CALM), our stream is not beyond the last one, then cut", "goaway-high=calm,close", "enhance_your_calm", "A"),
    row("H3", "RST_STREAM(ENHANCE_YOUR_CALM)", "rst=calm", "enhance_your_calm", "A"),
    row("H4", "RST_STREAM(REFUSED_STREAM)", "rst=refused", "refused_stream", "N"),
    row("H4", "RST_STREAM(REFUSED_STREAM) after the head", "head,rst=refused", "truncated", "A"),
    row("H5", "RST_STREAM(CANCEL)", "rst=cancel", "connection_lost", "A"),
    row("H5", "RST_STREAM(CANCEL) inside the body", "head,data=1,rst=cancel", "truncated", "A"),
    row("H5", "RST_STREAM(INTERNAL_ERROR)", "rst=internal", "connection_lost", "A"),
    row("H5", "RST_STREAM(NO_ERROR) inside the body", "head,data=1,rst=no", "truncated", "A"),
    row("H5", "RST_STREAM(NO_ERROR) after the answer", "head,data=1,end,rst=no", None, "R"),
    row("H5", "RST_STREAM(INTERNAL_ERROR) after the answer", "head,data=1,end,rst=internal", None, "R"),
    row("H6", "RST_STREAM(HTTP_1_1_REQUIRED): once more in HTTP/1.1", "rst=1.1", None, "R", seen=(2, 2, 2)),
    row("H6", "GOAWAY(HTTP_1_1_REQUIRED): once more in HTTP/1.1", "goaway=1.1,stay", None, "R", seen=(2, 2, 2)),
    row("H7", "RST_STREAM(PROTOCOL_ERROR)", "rst=protocol", "connection_lost", "A"),
    row("H7", "a head that HPACK does not know", "hpack", "bad_response", "A"),
    row("H7", "a field name in upper case", "upper", "bad_response", "A"),
    row("H7", "a body shorter than its Content-Length", "short", "truncated", "A"),
    row("H7", "a body longer than its Content-Length", "long", "bad_framing", "A"),
    row("H7", "half a gzip", "gzip-half", "bad_encoding", "A"),
    row("H7", "PING without end", "ping", "bad_response", "A"),
    row("H7", "SETTINGS without end", "settings", "bad_response", "A"),
    row("H7", "CONTINUATION without end", "continuation", "bad_response", "A"),
    row("H7", "empty DATA without end", "empty", "bad_response", "A"),
    row("H7", "interim heads without end", "interim", "bad_response", "A"),
    row("H7", "a body without end", "body", "too_large", "R", seen=(1, 1, 1)),
    row("H7", "no answer at all", "stay", "total_timeout", "A", total_timeout="500ms"),
    row("H7", "the window for the body is never opened", "ok", "total_timeout", "A", ("--window", 0), seen=(None, 1, TRIES), total_timeout="500ms",
        is_recorded=False),
    row("H7", "MAX_CONCURRENT_STREAMS is 0", "ok", "total_timeout", "N", ("--streams", 0), seen=(0, 0, 0), total_timeout="500ms"),
    row("H7", "MAX_CONCURRENT_STREAMS is 1", "ok", None, "R", ("--streams", 1), items=20),
    row("H8", "the connection dies with 100 streams", "wait=100", "connection_lost", "A", items=100, total_timeout="20s"),
]


class H2Peer(s.Peer):
    def __init__(self, *options):
        self.log = os.path.join(s.directory(), "requests.ndjson")
        self.process = s.start([PYTHON, H2PEER, "--log", self.log, *options])
        words = self.process.stdout.readline().split()
        if len(words) != 2:
            raise RuntimeError("h2peer did not start")
        self.port = int(words[1])


def go(port, method, path, n=1, base=None, operation=(), **system):
    d = s.directory()
    op = dict({"method_name": method, "query_path": path}, **dict(operation))
    limits = {"total_timeout": system.pop("total_timeout", "10s"), "max_body": "1MiB", "in_flight": 100}
    system = dict({"http_version": "2", "limits": limits}, **system)
    systems = s.peer_system(port, [op], **system)
    if base:
        systems["peer"]["base_url"] = {"test": base}
    mapping = {"n": "=item.data.id"} if method == "POST" else {}
    step = s.call_step(method, path, mapping, result="body", attempts=TRIES)
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", systems, [s.INPUT, step, s.RESPOND]))
    i = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(n)))
    r = s.run(["run", f, "--items", i], data=os.path.join(d, "data"), env=s.PLAIN)
    r.outcomes = outcomes(os.path.join(d, "data"))
    return r


def outcomes(data):
    """Error and certainty of each attempt, as the ledger keeps them."""
    db = sqlite3.connect(os.path.join(data, "weir.db"))
    heads = [json.loads(h) for (h,) in db.execute("SELECT head FROM ledger WHERE head LIKE '%\"timings\"%' ORDER BY seq, attempt")]
    db.close()
    return [(h.get("error"), h.get("certainty")) for h in heads]


CERTAINTY = {"N": "not_sent", "A": "ambiguous", "R": "answered"}


def ask_row(row, kind):
    """One kind of call against one row: what the peer saw, and the run."""
    options = [str(o) for o in row["options"]]
    peer = H2Peer(*options)
    method = "GET" if kind == "get" else "POST"
    operation = {"idempotency_key": True} if kind == "keyed" else {}
    r = go(peer.port, method, "/" + row["scenario"], row["items"], operation=operation, total_timeout=row.get("total_timeout", "10s"))
    seen = peer.requests()
    peer.close()
    return r, seen


def judge_row(c, row, kind, r, seen):
    name = "%s %s, %s" % (row["number"], row["fault"], kind)
    n, expected = row["items"], row[kind]
    if row.get("is_recorded", True):
        c.equal(len(seen), expected * n, "%s: sent %d times" % (name, expected * n))
    wrong = [o for o in r.outcomes if o != (row["error"], CERTAINTY[row["class"]] if row["error"] else None)]
    c.that(r.outcomes and not wrong, "%s: %s, %s" % (name, row["error"], row["class"]), "%r\n%r" % (r.outcomes[:5], r))
    is_unknown = row["class"] == "A" and kind == "post"
    c.equal(r.code, 0 if not row["error"] else r.code or -1, "%s: the exit says so" % name)
    c.equal("unknown" in r.talk.lower(), bool(row["error"] and is_unknown), "%s: unknown outcome or not" % name)
    if kind == "keyed" and expected > 1 and seen:
        keys = {}
        for x in seen:
            keys.setdefault(x["key"], []).append(x)
        c.that(None not in keys and len(keys) == n, "%s: one key an item" % name, list(keys)[:3])
    c.that(r.peak < 100 << 20, "%s: memory stays small" % name, "%d MiB" % (r.peak >> 20))


def once(c):
    """What was not processed is sent again, whatever it is; the second answer counts."""
    for words in ("rst=refused", "goaway=no,stay", "goaway=calm,close"):
        peer = H2Peer()
        r = go(peer.port, "POST", "/once/" + words)
        c.that(r.code == 0 and len(r.lines()) == 1 and len(peer.requests()) == 2, "a POST without key after %s: sent again and answered" % words, r)
        peer.close()


def fields(c):
    """What leaves in HTTP/2 is what RFC 9113 8.2 and 8.3 say."""
    peer = H2Peer()
    r = go(peer.port, "POST", "/ok", headers={"X-Mixed-Case": "Yes"})
    seen = peer.requests()[-1]["headers"] if peer.requests() else []
    names = [k for k, _ in seen]
    c.that(r.code == 0 and names[:4] == [":method", ":scheme", ":authority", ":path"], "pseudo fields come first", seen)
    c.equal(dict(seen).get(":authority"), "127.0.0.1:%d" % peer.port, ":authority is host and port")
    c.that(all(k == k.lower() for k in names) and dict(seen).get("x-mixed-case") == "Yes", "names are in lower case, values as they were", seen)
    c.that(not {"connection", "host", "te", "transfer-encoding", "upgrade", "keep-alive"} & set(names), "no field of the connection is sent", seen)
    c.equal(dict(seen).get("content-length"), "7", "a body says its length")
    peer.close()


def by_hand(c):
    """`weir call` speaks what the system says, and tells a refusal."""
    peer = H2Peer()
    d = s.directory()
    systems = s.peer_system(peer.port, [{"method_name": "POST", "query_path": "/ok"}, {"method_name": "POST", "query_path": "/rst=refused"}], http_version="2")
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", systems, [s.INPUT, s.RESPOND]))
    r = s.run(["call", "-f", f, "peer/all", "POST", "/ok", "n=1"], data=os.path.join(d, "data"))
    c.that(r.code == 0 and r.json()["version"] == "2", "weir call: in HTTP/2", r)
    r = s.run(["call", "-f", f, "peer/all", "POST", "/rst=refused", "n=1"], data=os.path.join(d, "data"))
    c.that(r.code == 5 and "unknown" not in r.talk and "refused the stream" in r.talk, "weir call: a refused stream is no doubt", r)
    c.equal(len(peer.requests()), 2, "weir call: each once")
    peer.close()


# ---- TLS ----

def certificate():
    d = s.directory()
    key, cert = os.path.join(d, "key"), os.path.join(d, "cert")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days",
                           "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], capture_output=True)
    return (key, cert) if made.returncode == 0 else None


def negotiation(c):
    """ALPN: what is offered follows the wish, what is spoken follows the server."""
    made = certificate()
    if not made:
        c.skip("ALPN: no openssl program")
        return
    key, cert = made
    for wish, alpn, spoken in [("1.1", "h2,http/1.1", "1.1"), ("auto", "h2,http/1.1", "2"), ("auto", "http/1.1", "1.1"), ("2", "h2", "2"),
                               ("2", "http/1.1", None)]:
        peer = H2Peer("--cert", cert, "--key", key, "--alpn", alpn)
        r = go(peer.port, "POST", "/ok", 30, base="https://localhost:%d" % peer.port, http_version=wish, tls={"no_verify": True})
        seen = peer.requests()
        peer.close()
        name = "wish %s, server %s" % (wish, alpn)
        if spoken:
            c.that(r.code == 0 and len(r.lines()) == 30 and {x["version"] for x in seen} == {spoken}, "%s: HTTP/%s is spoken" % (name, spoken), r)
            c.equal(len(seen), 30, "%s: each call once" % name)
        else:
            c.that(r.code != 0 and not seen and set(r.outcomes) == {("tls_protocol", "not_sent")}, "%s: refused, nothing is sent" % name, r)
        if spoken == "2":
            c.equal({x["connection"] for x in seen}, {1}, "%s: on one connection" % name)
    peer = H2Peer("--cert", cert, "--key", key)
    r = go(peer.port, "GET", "/ok", base="https://localhost:%d" % peer.port)
    c.that(r.code != 0 and set(r.outcomes) == {("tls_cert", "not_sent")} and not peer.requests(), "a certificate that nobody vouches for is refused", r)
    peer.close()
    peer = H2Peer()
    r = go(peer.port, "GET", "/ok", http_version="auto")
    c.that(r.code == 0 and [x["version"] for x in peer.requests()] == ["1.1"], "auto over plain http is HTTP/1.1", r)
    peer.close()


def nghttpd(c):
    """Against a server by somebody else: 1,000 calls over TLS, few connections."""
    made = certificate()
    if not made or subprocess.run(["sh", "-c", "command -v nghttpd"], capture_output=True).returncode:
        c.skip("nghttpd or openssl is not installed")
        return
    key, cert = made
    docs = s.directory()
    s.write(os.path.join(docs, "one.json"), json.dumps({"id": 1, "text": "x" * 5000}))
    port, log = s.free_port(), os.path.join(docs, "log")
    with open(log, "wb") as out:
        server = s.start(["nghttpd", "-v", "-a", "127.0.0.1", "-d", docs, str(port), key, cert], stdout=out)
    s.wait_port(port, server)
    r = go(port, "GET", "/one.json", 1000, base="https://localhost:%d" % port, http_version="2", tls={"no_verify": True})
    s.stop(server)
    with open(log, errors="replace") as f:
        text = f.read()
    c.that(r.code == 0 and len(r.lines()) == 1000, "1,000 GETs over TLS: all answered", r)
    c.equal(sum(len(line["_answer"]["text"]) for line in r.lines()), 5000 * 1000, "each answer is whole")
    connections = set(re.findall(r"\[id=(\d+)\][^\n]*recv HEADERS", text))
    c.that(0 < len(connections) <= 2, "on few connections", "%d of them" % len(connections))


if __name__ == "__main__":
    if subprocess.run([PYTHON, "-c", "import hpack"], capture_output=True).returncode:
        s.skip_suite("python3-hpack is not installed")
    s.main(once, fields, by_hand, negotiation, nghttpd)
