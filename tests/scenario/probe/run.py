#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The promise where it is hardest: a POST without key whose answer never comes, and a probe that tells whether it happened. A shop that books orders, cuts
lines and forgets keys; kill -9 of weir anywhere between. The shop's book (what it has done, asked by nobody but this test) is the judge of every outcome
that is shown: nothing is booked twice, and what is said to be done, or not, is so."""
import http.server
import json
import os
import random
import re
import sqlite3
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

KILLS, ITEMS, IN_FLIGHT = 20, 200, 8
PROBE = {"query_path": "/orders", "parameters_mapping": {"reference": "=item.data.id"}, "done_when": {"body": "$.orders[0]"},
         "not_done_when": {"body": "$.orders[0]", "exists": False}, "result": "$.orders[0]", "wait": "50ms"}


class Shop:
    """POST /orders books and answers as `deed(n, nth)` says; GET /orders?reference=N tells what is in the book. A deed: ok, silent (booked, the line is
    cut), lost (cut, and not booked), held (booked, no answer while the test holds it)."""

    def __init__(self, deed, look=None, delay=0.0):
        self.lock, self.book, self.log, self.hold = threading.Lock(), {}, [], threading.Event()
        self.is_holding_probes = False
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def say(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                n = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]
                key = self.headers.get("Idempotency-Key")
                with shop.lock:
                    nth = sum(1 for x in shop.log if x[:2] == ("POST", n))
                    shop.log.append(("POST", n, key))
                    what = deed(n, nth)
                    known = key and any(x["key"] == key for x in shop.book.get(n, []))
                    if what != "lost" and not known:
                        shop.book.setdefault(n, []).append({"id": 1000 + n, "key": key, "nth": nth})
                if delay:
                    time.sleep(delay)
                if what == "held":
                    shop.hold.wait(s.WAIT)
                if what in ("silent", "lost", "held"):
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return
                self.say(201, {"id": 1000 + n})

            def do_GET(self):
                n = int(re.sub(r"\D", "", urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)["reference"][0]))
                with shop.lock:
                    shop.log.append(("GET", n, self.path))
                    found = [{"id": x["id"], "by": "probe"} for x in shop.book.get(n, [])]
                if shop.is_holding_probes:
                    shop.hold.wait(s.WAIT)
                self.say(*(look(n, found) if look else (200, {"orders": found})))

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # clients are killed here

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, method):
        with self.lock:
            n = {}
            for x in self.log:
                if x[0] == method:
                    n[x[1]] = n.get(x[1], 0) + 1
            return n

    def booked(self):
        with self.lock:
            return {n: len(rows) for n, rows in self.book.items()}

    def total(self, method):
        return sum(self.count(method).values())

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()


def flow(shop, n, probe=PROBE, step=None, **operation):
    d = s.directory()
    op = dict({"method_name": "POST", "query_path": "/orders"}, **operation)
    if probe:
        op["probe"] = probe
    call = s.call_step("POST", "/orders", {"id": "=item.data.id"}, in_flight=IN_FLIGHT, result="body", **(step or {}))
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(shop.port, [op]), [s.INPUT, call, s.RESPOND]))
    items = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(n)))
    return f, items, os.path.join(d, "data")


def rows(data, sql, write=None):
    db = sqlite3.connect(os.path.join(data, "weir.db"), timeout=20)
    try:
        got = db.execute(sql).fetchall()
        if write:
            db.execute(write)
            db.commit()
        return got
    finally:
        db.close()


def decisions(data):
    """{seq: [(attempt, code, head, result)]}"""
    out = {}
    for seq, attempt, code, head, body in rows(data, "SELECT seq,attempt,code,head,body FROM ledger WHERE kind=7 ORDER BY seq,attempt"):
        out.setdefault(seq, []).append((attempt, code, json.loads(head), json.loads(body) if body else None))
    return out


def cut_lines(c):
    kinds = ["ok", "silent", "lost", "riddle"]

    def deed(n, nth):
        kind = kinds[n % 4]
        return "silent" if kind == "riddle" else "ok" if kind == "lost" and nth else kind

    shop = Shop(deed, lambda n, found: (403, {"error": "not yours"}) if n % 4 == 3 else (200, {"orders": found}))
    f, items, data = flow(shop, 40, dict(PROBE, attempts=2))
    r = s.run(["run", f, "--items", items], data=data, env=s.PLAIN)
    out = {x["data"]["id"]: x["_answer"] for x in r.lines()}
    riddles = [n for n in range(40) if n % 4 == 3]
    c.that(r.code == 7 and sorted(out) == [n for n in range(40) if n % 4 != 3], "what the probe decides comes out, what it cannot tell does not", r)
    c.equal({n: out[n] for n in (1, 5)}, {n: {"id": 1000 + n, "by": "probe"} for n in (1, 5)}, "done: the item goes on with the probe's result")
    c.equal({n: out[n] for n in (0, 2)}, {n: {"id": 1000 + n} for n in (0, 2)}, "answered, or sent again: with the answer's")
    c.equal(shop.booked(), {n: 1 for n in range(40)}, "the shop's book: each order once")
    c.equal(shop.count("POST"), {n: 2 if n % 4 == 2 else 1 for n in range(40)}, "and only what was not done was sent again, once")
    c.equal(shop.count("GET"), {n: 2 if n % 4 == 3 else 1 for n in range(40) if n % 4}, "probes: one each, for a riddle as many as may be")
    d = decisions(data)
    c.equal({n: [(x[0], x[1]) for x in rows_] for n, rows_ in d.items()}, {n: [(1, 1 if n % 4 == 1 else 2)] for n in range(40) if n % 4 in (1, 2)}, "each decision is a row of the ledger")
    c.that(all(x[2]["by"] == "probe" and x[2]["probe"]["status"] == 200 and "/orders?reference=%d" % n in x[2]["probe"]["request"]["url"] for n, y in d.items() for x in y),
           "which says what was asked and answered", d)
    unknown = rows(data, "SELECT seq,head FROM ledger WHERE kind=4 AND code=3 ORDER BY seq")
    c.that([x[0] for x in unknown] == riddles and all("answered 403, which fits neither" in x[1] for x in unknown), "a riddle's problem says what the probe answered", unknown[:1])
    r = s.run(["runs", "show", "1", "2"], data=data)
    c.that(r.code == 0 and "a probe says that it was not done" in r.text, "the second attempt says why it was made", r)
    r = s.run(["runs", "show", "1", "1"], data=data)
    c.that(r.code == 0 and re.search(r"^call: attempt 1 was decided by probe: done \(GET http://[^ ]*/orders\?reference=1 answered 200: done\)$", r.text, re.M), "on the command line: who decided, and why", r)
    r = s.run(["runs", "decide", "1", "done", "--all", "--result", "7"], data=data)
    c.that(r.code == 0 and shop.total("POST") == 50, "a person decides about the riddles, and nothing is sent", r)
    r = s.run(["run", "--resume", "1"], data=data)
    c.that(r.code == 0 and len(r.lines()) == 40 and shop.total("POST") == 50 and shop.total("GET") == 40, "all forty out of the ledger, and nobody is asked again", r)
    r = s.run(["run", "--replay", "1"], data=data)
    got = {x["data"]["id"]: x["_answer"] for x in r.lines()}
    c.that(r.code == 0 and got == {**out, **{n: 7 for n in riddles}} and "0 differences" in r.talk and shop.total("POST") == 50, "replayed: decisions are what came from outside, as answers are", r)
    server = s.Server(data=data)
    item = server.ask("GET", "/api/v1/runs/1/items/1").json()
    x = (item.get("decisions") or [{}])[0]
    c.that(x.get("decision") == "done" and x.get("by") == "probe" and "answered 200: done" in (x.get("note") or "") and x.get("result") == {"id": 1001, "by": "probe"}
           and item["state"] == "done" and item["output"]["_answer"] == x["result"], "over REST: the probe has decided, and why", item)
    again = server.ask("GET", "/api/v1/runs/1/items/2").json()
    c.equal([y["again"] and (y["again"]["why"], y["again"]["by"]) for y in again["calls"]], [None, ("decided", "probe")], "and that the second attempt was its decision")
    steps = server.ask("GET", "/api/v1/runs/1").json()["steps"]
    c.that(any(y.get("promise") == "at most once: POST without key, a probe tells what happened" for y in steps), "the step's promise tells of it", steps)
    server.close()
    shop.close()


def killed_between(c):
    """Killed while the probe is on the wire: the resumed run asks again, and does not send the POST."""
    shop = Shop(lambda n, nth: "silent")
    shop.is_holding_probes = True
    f, items, data = flow(shop, 3)
    p = s.start([s.WEIR, "run", f, "--items", items, "--data", data], stdout=s.subprocess.DEVNULL)
    s.until(lambda: shop.total("GET") == 3, "probes under way")
    s.kill(p)
    shop.is_holding_probes = False
    shop.hold.set()
    c.equal(decisions(data), {}, "killed before it was answered: nothing is decided")
    r = s.run(["run", "--resume", "1"], data=data)
    c.that(r.code == 0 and len(r.lines()) == 3 and shop.total("POST") == 3, "resumed: asked again, done, and not sent again", r)
    c.equal(shop.count("GET"), {0: 2, 1: 2, 2: 2}, "one more probe each")
    shop.close()


def by_script(c):
    """A probe's mapping may hold JavaScript, as any mapping."""
    shop = Shop(lambda n, nth: "silent" if n % 2 else "ok")
    f, items, data = flow(shop, 6, dict(PROBE, parameters_mapping={"reference": "=`order-${item.data.id}`"}))
    r = s.run(["run", f, "--items", items], data=data)
    c.that(r.code == 0 and len(r.lines()) == 6, "a scripted probe", r)
    c.that(all("reference=order-%d" % x[1] in x[2] for x in shop.log if x[0] == "GET") and shop.total("GET") == 3, "is sent with what the script made, where it is needed", shop.log)
    shop.close()
    f, _, _ = flow(shop, 1, dict(PROBE, parameters_mapping={"reference": "=1 +"}))
    r = s.run(["check", f])
    c.that(r.code != 0 and "probe" in r.talk + r.text, "weir check finds the script that does not compile", r)


def killed_often(c):
    """kill -9 at random points of a run of which a third of the answers never come; each resume is killed, too."""
    seed = random.SystemRandom().randrange(1 << 30)
    dice = random.Random(seed)
    print("seed %d" % seed)
    shop = Shop(lambda n, nth: "ok" if nth or n % 3 == 0 else ("silent", "lost")[n % 2], delay=0.01)
    f, items, data = flow(shop, ITEMS, dict(PROBE, wait="200ms"), step={"attempts": 20})
    words, kills, at_kill = ["run", f, "--items", items], 0, 0
    while kills < KILLS:
        goal = shop.total("POST") + shop.total("GET") + dice.randrange(1, 22)
        p = s.start([s.WEIR, *words, "--data", data], stdout=s.subprocess.DEVNULL)
        s.until(lambda: shop.total("POST") + shop.total("GET") >= goal or p.poll() is not None, "requests")
        is_over = p.poll() is not None
        s.kill(p)
        if is_over:
            break
        kills += 1
        at_kill += rows(data, "SELECT count(*) FROM ledger i WHERE kind=1 AND NOT EXISTS (SELECT 1 FROM ledger o WHERE o.seq=i.seq AND o.attempt=i.attempt AND o.kind IN (2,7))")[0][0]
        words = ["run", "--resume", "1"]
    r = s.run(["run", "--resume", "1"], data=data)
    ids = sorted(x["data"]["id"] for x in r.lines())
    booked = shop.booked()
    unknown = rows(data, "SELECT count(*) FROM ledger WHERE kind=4 AND code=3")[0][0]
    print("kills %d, calls open at a kill %d, POSTs %d, probes %d, decisions %d" % (kills, at_kill, shop.total("POST"), shop.total("GET"), sum(map(len, decisions(data).values()))))
    c.that(kills == KILLS, "killed %d times" % KILLS, kills)
    c.that(r.code == 0 and ids == list(range(ITEMS)), "lost 0: each of %d items comes out once" % ITEMS, r)
    c.equal({n: k for n, k in booked.items() if k != 1}, {}, "POST done twice: 0")
    c.equal((len(booked), unknown), (ITEMS, 0), "not done: 0, unknown: 0")
    posts, d = shop.count("POST"), decisions(data)
    told = {n: sum(1 for x in d.get(n, []) if x[1] == 2) for n in range(ITEMS)}
    c.equal({n: (posts[n], told[n]) for n in range(ITEMS) if posts[n] > told[n] + 1}, {}, "no POST is sent again but by a recorded \"not done\"")
    results = {x["data"]["id"]: x["_answer"] for x in r.lines()}
    by_probe = [n for n in range(ITEMS) if any(x[1] == 1 for x in d.get(n, []))]
    c.that(by_probe and all(results[n] == {"id": 1000 + n, "by": "probe"} for n in by_probe), "what the probe found has the probe's result", by_probe)
    before = len(shop.log)
    s.run(["run", "--resume", "1"], data=data)
    c.equal(len(shop.log), before, "told again out of the ledger, nothing is sent")
    shop.close()


def old_keys(c):
    """The age of a key is the ledger's: a run that stood still for longer than the system knows keys repeats nothing."""
    for hours, probe, code, unknown in ((0, None, 0, 0), (2, None, 7, 4), (2, PROBE, 0, 0)):
        shop = Shop(lambda n, nth: "held" if nth == 0 else "ok")
        f, items, data = flow(shop, 4, probe, idempotency_key={"lifetime": "1h"})
        p = s.start([s.WEIR, "run", f, "--items", items, "--data", data], stdout=s.subprocess.DEVNULL)
        s.until(lambda: shop.total("POST") == 4, "calls under way")
        s.kill(p)
        shop.hold.set()
        rows(data, "SELECT 1", "UPDATE ledger SET at = at - %d WHERE kind=1" % (hours * 3600000))
        r = s.run(["run", "--resume", "1"], data=data)
        what = "resumed %d h later%s" % (hours, ", with a probe" if probe else "")
        c.that(r.code == code, "%s: exit code %d" % (what, code), r)
        problems = rows(data, "SELECT head FROM ledger WHERE kind=4 AND code=3")
        c.that(len(problems) == unknown and all(json.loads(x[0])["type"] == "key_expired" for x in problems), "%s: %d unknown, whose keys have expired" % (what, unknown), problems)
        c.equal(shop.total("POST"), 8 if hours == 0 else 4, "%s: %s" % (what, "repeated with the key" if hours == 0 else "no POST is sent again"))
        c.equal(shop.booked(), {n: 1 for n in range(4)}, "%s: each booked once" % what)
        shop.close()


def checked(c):
    d = s.directory()
    bad = s.write(os.path.join(d, "bad.yaml"), """weir: 1
component: bad
systems:
  shop:
    base_url: http://127.0.0.1:1
    connectors:
      orders:
        operations:
          - method_name: POST
            query_path: /orders
            probe:
              query_path: /orders
              parameters_mapping:
                referense: 1
              done_when: { status: 200 }
              not_done_when: { status: 404 }
          - method_name: GET
            query_path: /orders
            parameters:
              - { name: reference, in: query }
          - method_name: POST
            query_path: /other
            probe:
              method_name: POST
              query_path: /orders
              done_when: { status: 200 }
""")
    r = s.run(["check", bad])
    talk = r.talk + r.text
    c.that(r.code != 0 and re.search(r"bad\.yaml:24:\d+: .*GET or HEAD", talk) and re.search(r"bad\.yaml:2[1-6]:\d+: .*not_done_when", talk), "method and missing condition, with line and column", r)
    s.write(bad, open(bad).read().split("          - method_name: POST\n            query_path: /other")[0])
    r = s.run(["check", bad])
    c.that(r.code != 0 and re.search(r'bad\.yaml:14:\d+: .*"referense" is not known; did you mean "reference"', r.talk + r.text), "an unknown parameter of the probe, with line and column", r)
    with open(os.path.join(s.ROOT, "docs", "guide", "requests.md")) as guide:
        connectors, operations = re.findall(r"```yaml\n(.*?)```", guide.read(), re.S)
    head = "  %s:\n    base_url: http://127.0.0.1:1\n"
    good = s.write(os.path.join(d, "guide.yaml"), "weir: 1\ncomponent: guide\nsystems:\n" + head % "a" + re.sub("^", "    ", connectors, flags=re.M).rstrip() + "\n"
                   + head % "b" + "    connectors:\n      orders:\n" + re.sub("^", "        ", operations, flags=re.M).rstrip() + "\n")
    r = s.run(["check", good])
    c.that(r.code == 0, "the guide's examples are without mistake", r)
    schema = s.run(["schema", "component"]).json()
    text = json.dumps(schema)
    c.that('"not_done_when"' in text and '"on_saved_error"' in text and '"lifetime"' in text, "the schema has the settings")


if __name__ == "__main__":
    s.main(cut_lines, killed_between, by_script, killed_often, old_keys, checked)
