#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A list in an answer becomes items: of any length in small memory, each once whatever breaks, and never out of an answer that is none."""
import gzip
import http.server
import json
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

MILLION = 1000000
BLOCK = 2000  # elements written at once


def element(i, salt=""):
    return '{"id": %d, "name": "élément %d%s", "price": 12.50}' % (i, i, salt)


class Lists:
    """Serves /list, /lines and /csv with as many elements as `plan` says, and misbehaves as it says."""

    def __init__(self):
        lists = self
        self.requests, self.plan = 0, {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                lists.requests += 1
                plan = dict(lists.plan, number=lists.requests)
                try:
                    lists.answer(self, plan)
                except OSError:
                    self.close_connection = True

            def handle(self):
                try:
                    super().handle()
                except OSError:  # the client has left
                    pass

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.do_GET()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, h, plan):
        if "whole" in plan:
            body = plan["whole"]
            h.send_response(200)
            h.send_header("Content-Type", plan.get("type", "application/json"))
            h.send_header("Content-Length", str(len(body)))
            h.end_headers()
            h.wfile.write(body)
            return
        kind = h.path.split("?")[0]
        h.send_response(200)
        h.send_header("Content-Type", {"/lines": "application/x-ndjson", "/csv": "text/csv"}.get(kind, "application/json"))
        h.send_header("Transfer-Encoding", "chunked")
        if plan.get("gzip"):
            h.send_header("Content-Encoding", "gzip")
        h.end_headers()
        pack = gzip.GzipFile(fileobj=Chunks(h.wfile), mode="wb", compresslevel=1) if plan.get("gzip") else Chunks(h.wfile)
        cut = plan.get("cut_at") if plan["number"] <= plan.get("cuts", 0) else None
        for piece in self.pieces(kind, plan):
            if cut is not None and piece[0] >= cut:
                h.close_connection = True
                h.connection.close()
                return
            pack.write(piece[1].encode())
            if plan.get("hold_at") is not None and piece[0] >= plan["hold_at"]:
                plan["held"].set()
                plan["go_on"].wait(s.WAIT)
                plan["hold_at"] = None
        if plan.get("gzip"):
            pack.close()
        h.wfile.write(b"0\r\n\r\n")

    @staticmethod
    def pieces(kind, plan):
        n, salt = plan["n"], plan.get("salt", "")
        yield 0, {"/lines": "", "/csv": "id,name\r\n"}.get(kind, '{ "total": %d, "data": { "list": [\n' % n)
        for at in range(0, n, BLOCK):
            rows = range(at, min(at + BLOCK, n))
            if kind == "/csv":
                yield at + len(rows), "".join('%d,"row ""%d"""\r\n' % (i, i) for i in rows)
            elif kind == "/lines":
                yield at + len(rows), "".join(element(i) + "\n" for i in rows)
            else:
                yield at + len(rows), ("," if at else "") + ",\n".join(element(i, salt if i == 0 else "") for i in rows)
        if kind not in ("/lines", "/csv"):
            yield n, plan.get("tail", '] }, "next": null }')

    def set(self, **plan):
        self.plan, self.requests = plan, 0

    def close(self):
        self.server.shutdown()


class Chunks:
    def __init__(self, f):
        self.f = f

    def write(self, b):
        if b:
            self.f.write(b"%x\r\n" % len(b) + bytes(b) + b"\r\n")
        return len(b)

    def flush(self):
        pass


def file_of(peer, d, path="/list", items="$.data.list[*]", method="GET", operation=None, system=None, **step):
    op = {"method_name": method, "query_path": path}
    op.update(operation or {})
    call = s.call_step(method, path, {}, items=items, **step)
    comp = s.component("lists", s.peer_system(peer.port, [op], **(system or {})), [s.INPUT, call, s.RESPOND])
    return s.write_component(os.path.join(d, "lists.json"), comp)


def go(peer, path="/list", d=None, **more):
    d = d or s.directory()
    return s.run(["run", file_of(peer, d, path, **more), "--items", one_item(d)], data=os.path.join(d, "data"))


def one_item(d):
    return s.write(os.path.join(d, "one.ndjson"), '{"id":1}\n')


def ids(lines):
    return [int(x["_answer"]["id"]) for x in lines]


def million(c):
    peer = Lists()
    for plan in ({}, {"gzip": True}):
        peer.set(n=MILLION, **plan)
        d = s.directory()
        out = os.path.join(d, "out.ndjson")  # not through this process: its own memory would be counted as the program's
        r = s.run(["run", file_of(peer, d), "--items", one_item(d), "-o", out], data=os.path.join(d, "data"))
        with open(out, "rb") as f:
            n = wrong = 0
            for n, line in enumerate(f, 1):
                wrong += b'"id":%d,' % (n - 1) not in line
        c.that(r.code == 0 and n == MILLION and wrong == 0, "a million elements, %s: a million items in their order" % (plan or "plain"), (r.code, n, wrong, r.talk[-500:]))
        c.that(r.peak < 80 << 20, "a million elements, %s: memory stays small" % (plan or "plain"), "%d MiB" % (r.peak >> 20))
        print("      peak %d MiB, CPU %.2f s" % (r.peak >> 20, r.cpu))
        c.equal(peer.requests, 1, "a million elements: one request")
    peer.close()


def kinds(c):
    peer = Lists()
    for path, items, n in (("/lines", "$[*]", 30000), ("/csv", "$[*]", 30000), ("/list", "$.data.list[*]", 30000), ("/list", "$.data.list[*]", 7), ("/csv", "$[*]", 3), ("/lines", "$[*]", 1), ("/list", "$['data'].list[*]", 0)):
        peer.set(n=n)
        r = go(peer, path, items=items)
        c.that(r.code == 0 and ids(r.lines()) == list(range(n)), "%d elements of %s" % (n, path), r)
    peer.set(n=1)
    line = go(peer).lines()[0]
    c.equal(line, {"data": {"id": 1}, "_answer": {"id": 0, "name": "élément 0", "price": 12.5}}, "an item is the one that it came from, with its element")
    peer.set(whole=b'{"data":{"list":null}}')
    r = go(peer)
    c.that(r.code == 0 and not r.lines(), "null instead of a list: no items", r)
    peer.set(whole=b'<r><row id="1"/><row id="2"/></r>', type="application/xml")
    r = go(peer, items="$.r.row[*]")
    c.equal([x["_answer"]["@id"] for x in r.lines()], ["1", "2"], "elements of XML")
    peer.close()


def cuts(c):
    """The connection ends somewhere in the list: asked again, and what is made already is passed over."""
    peer = Lists()
    peer.set(n=40000, cut_at=20000, cuts=2)
    r = go(peer, attempts=4)
    c.that(r.code == 0 and ids(r.lines()) == list(range(40000)), "cut twice, tried three times: each element once", r)
    c.equal(peer.requests, 3, "cut twice: three requests")
    peer.set(n=40000, cut_at=20000, cuts=9)
    d = s.directory()
    r = go(peer, d=d, attempts=2)
    made = ids(r.lines())
    c.that(r.code == 7 and made == list(range(len(made))) and 0 < len(made) <= 20000, "cut for good: what came has become items, the call has failed", r)
    c.that("truncated" in r.talk or "ended inside the body" in r.talk, "cut for good: the reason is said", r)
    peer.set(n=40000, cut_at=20000, cuts=9)
    r = go(peer, method="POST")
    c.that(peer.requests == 1 and "unknown" in r.talk.lower() and r.code == 7, "a POST without key is not asked again: unknown outcome", r)
    peer.close()


def changes(c):
    peer = Lists()
    for plan, words in (({"n": 60000, "salt": " changed"}, "begins otherwise"), ({"n": 10000}, "has 10000 elements now"), ({"n": 60}, "has 60 elements now")):
        d = killed(c, peer, 40000)
        peer.set(**plan)
        r = s.run(["run", "--resume", "1"], data=os.path.join(d, "data"))
        got = ids(r.lines())
        c.that(r.code == 7 and words in r.talk and got == list(range(len(got))) and len(got) > 10000, "a list that has changed is not mixed with what became items before", (r.code, len(got), r.talk[-600:]))
    peer.close()


def killed(c, peer, hold):
    """A run that was killed behind so many of 60,000 elements; its directory."""
    d = s.directory()
    held, go_on = threading.Event(), threading.Event()
    peer.set(n=60000, hold_at=hold, held=held, go_on=go_on)
    out = os.path.join(d, "out.ndjson")
    p = s.start([s.WEIR, "run", file_of(peer, d), "--items", one_item(d), "--data", os.path.join(d, "data"), "-o", out])
    c.that(held.wait(s.WAIT), "the list is under way", "")
    s.until(lambda: made_on_disk(d) >= hold // 2, "half of what was sent on disk")
    s.kill(p)
    go_on.set()
    return d


def made_on_disk(d):
    try:
        with sqlite3.connect("file:%s?mode=ro" % os.path.join(d, "data", "weir.db"), uri=True, timeout=10) as db:
            return db.execute("SELECT coalesce(sum(count), 0) FROM input WHERE made_by > 0").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def kills(c):
    peer = Lists()
    for hold in (4000, 30000, 58000):
        d = killed(c, peer, hold)
        peer.set(n=60000)
        r = s.run(["run", "--resume", "1"], data=os.path.join(d, "data"))
        c.that(r.code == 0 and ids(r.lines()) == list(range(60000)), "killed behind element %d, resumed: each element once, in order" % hold, (r.code, len(r.lines()), r.talk[-500:]))
        c.equal(peer.requests, 1, "resumed: one request more")
        peer.set(n=1)
        r = s.run(["run", "--resume", "1"], data=os.path.join(d, "data"))
        c.that(r.code == 0 and len(r.lines()) == 60000 and peer.requests == 0, "resumed when it is over: from the ledger alone", (r.code, len(r.lines()), peer.requests))
    peer.close()


def refusals(c):
    peer = Lists()
    rules = [{"when": {"body": "$.ok", "equals": False}, "then": "fail", "message": "they say no"}]
    cases = [
        ("a rule on a small body holds", {"whole": b'{"ok":false,"data":{"list":[1]}}'}, {"operation": {"rules": rules}}, "they say no"),
        ("a login page is no list", {"whole": b"<html><title>Log in</title></html>", "type": "text/html"}, {}, "Log in"),
        ("no list at the path", {"whole": b'{"data":{"rows":[1]}}'}, {}, "no list"),
        ("no list in a long answer", {"n": 30000}, {"items": "$.data.rows[*]"}, "no list"),
        ("something else than a list", {"whole": b'{"data":{"list":{"a":1}}}'}, {}, "list"),
        ("JSON that breaks behind the list", {"n": 30000, "tail": "] ] }"}, {}, "invalid JSON at offset"),
        ("JSON that ends too early", {"n": 30000, "tail": "]"}, {}, "invalid JSON at offset"),
        ("more elements than allowed", {"n": 30000}, {"max_items": 12345}, "more than 12345 elements"),
    ]
    for sentence, plan, more, words in cases:
        peer.set(**plan)
        r = go(peer, **more)
        c.that(r.code in (1, 7) and words in r.talk, sentence, r)
        if plan.get("n"):
            continue
        c.that(not r.lines(), "%s: no items" % sentence, r)
    for bad, words in (("$.data", "[*]"), ("$..x[*]", "names"), ("data[*]", "$")):
        d = s.directory()
        r = s.run(["check", file_of(peer, d, items=bad)])
        c.that(r.code == 3 and "items" in r.talk + r.text and words in r.talk + r.text, "the path %s is refused by the check" % bad, r)
    peer.close()


def secrets(c):
    peer = Lists()
    secret = "s3cr3t-CANARY-value"
    auth = {"auth": {"kind": "bearer", "token": {"secret": "T"}}}
    for n in (3, 5000):
        d = s.directory()
        rows = ",".join('{"id":%d,"you_sent":"Bearer %s"}' % (i, secret) for i in range(n))
        peer.set(whole=('{"data":{"list":[%s]}}' % rows).encode())
        f = file_of(peer, d, system=auth)
        r = s.run(["run", f, "--items", one_item(d)], data=os.path.join(d, "data"), env=dict(s.PLAIN, WEIR_SECRET_T=secret))
        with open(os.path.join(d, "data", "weir.db"), "rb") as db:
            on_disk = secret.encode() in db.read()
        c.that(r.code == 0 and len(r.lines()) == n and secret not in r.text and not on_disk, "%d elements that echo a secret: it is in no item and not on disk" % n, r)
    peer.close()


def pages(c):
    """The server shows a made item with its element, and the one that it came from with how many it became."""
    peer = Lists()
    d = s.directory()
    peer.set(n=2500)
    f = file_of(peer, d)
    server = s.Server(f, data=os.path.join(d, "data"))
    r = server.ask("POST", "/api/v1/components/lists/dataflows/flow/runs", {"items": [{"id": 1}]})
    c.that(r.status == 202, "a run is started", r)
    run = server.run_ended(r.json().get("id", 1))
    c.that(run["state"] == "done" and run["counts"]["items_in"] == 2501, "it becomes one and 2,500 items", run)
    item = server.ask("GET", "/api/v1/runs/%s/items/1234" % run["id"]).json()
    text = json.dumps(item)
    c.that('"id": 1233' in text, "item 1234 shows its element", text[:800])
    c.equal(item.get("parent"), 0, "item 1234 says which item it came from")
    c.equal(server.ask("GET", "/api/v1/runs/%s/items/0" % run["id"]).json().get("parent"), None, "item 0 came in by itself")
    parent = json.dumps(server.ask("GET", "/api/v1/runs/%s/items/0" % run["id"]).json())
    c.that('"items": 2500' in parent, "item 0 says how many it became", parent[:1500])
    server.close()
    peer.close()


if __name__ == "__main__":
    s.main(million, kinds, cuts, changes, kills, refusals, secrets, pages)
