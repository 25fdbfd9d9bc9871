# SPDX-License-Identifier: Apache-2.0
"""The fault matrix, its frame: what a row is, how a row calls the program, what every row must show. The rows are in rows_*.py.

A module of rows has ROWS, a list of Row, and is found by its name alone. A row's `scenario` is called with (row, bench, claims); answers() makes
the usual one: stage bytes, call with GET, with POST and with POST and a key, and expect() of each what the row says.
"""
import itertools
import json
import os
import sqlite3
import threading
from dataclasses import dataclass
from typing import Callable

import support as s

ATTEMPTS = 3  # what the step is told: tries of a call that may be repeated
GET, POST, KEYED = "get", "post", "keyed"
CALLS = (GET, POST, KEYED)

# What becomes of a call. The numbers are requests that the peer must have seen.
OK, RETRY, TWICE, ONCE, UNKNOWN, NONE = "success", "3 tries", "2 tries", "no retry", "unknown outcome", "-"
REQUESTS = {OK: 1, RETRY: ATTEMPTS, TWICE: 2, ONCE: 1, UNKNOWN: 1}

NOT_SENT, AMBIGUOUS, ANSWERED = "N", "A", "R"
CERTAINTIES = {NOT_SENT: "not_sent", AMBIGUOUS: "ambiguous", ANSWERED: "answered"}

LIMITS = {"connect_timeout": "20s", "first_byte_timeout": "20s", "total_timeout": "30s", "max_body": "1MiB"}  # generous: machines differ
PEAK_MAX = 100 << 20  # bytes of memory that no answer may make the program exceed; bombs are 256 MiB
SLOW = ("slow_body_too_slow",)  # names of rows that take long by their nature: they begin first


@dataclass(frozen=True)
class Row:
    number: str         # "21" or "S429" or "B1", as in the matrix
    name: str           # of the scenario, together with the number
    fault: str          # in words
    error: str          # type of the problem; "" = success
    certainty: str      # N, A or R
    get: str
    post: str
    keyed: str
    scenario: Callable
    note: str = ""

    @property
    def id(self):
        return "%s.%s" % (self.number, self.name)

    def verdict(self, call):
        return getattr(self, call)


def not_sent(number, name, fault, error, scenario, note="", verdict=RETRY):
    return Row(number, name, fault, error, NOT_SENT, verdict, verdict, verdict, scenario, note)


def ambiguous(number, name, fault, error, scenario, note="", again=RETRY):
    return Row(number, name, fault, error, AMBIGUOUS, again, UNKNOWN, again, scenario, note)


def refused(number, name, fault, error, scenario, note=""):
    """Complete, and no success: nobody asks again."""
    return Row(number, name, fault, error, ANSWERED, ONCE, ONCE, ONCE, scenario, note)


def accepted(number, name, fault, scenario, note=""):
    return Row(number, name, fault, "", ANSWERED, OK, OK, OK, scenario, note)


# ---- the wire's side: bytes for the peer ----

def head(status="200 OK", *fields):
    return ("HTTP/1.1 %s\r\n" % status + "".join(f + "\r\n" for f in fields) + "\r\n").encode("latin-1")


def whole(body=b'{"id":1}', *fields, status="200 OK", media="application/json"):
    more = ["Content-Type: " + media] if media else []
    return head(status, *more, *fields, "Content-Length: %d" % len(body)) + body


def says(data, then="close", **more):
    return {"bytes": data, "then": then, **more}


GOOD = says(whole(), "keep")


# ---- the program's side ----

class Outcome:
    """What a run left behind: its exit, its outputs, its ledger, and what the peer saw."""

    def __init__(self, result, data, requests):
        self.result, self.requests = result, requests
        with sqlite3.connect(os.path.join(data, "weir.db")) as db:
            rows = db.execute("SELECT seq, kind, code, head, body, at FROM ledger ORDER BY seq, attempt, kind").fetchall()
        db.close()
        self.outcomes = [dict(json.loads(h), status=code, body=body, seq=seq, at=at) for seq, kind, code, h, body, at in rows if kind == KIND_OUTCOME]
        self.intents = [json.loads(h) for _, kind, _, h, _, _ in rows if kind == KIND_INTENT]
        self.problems = [dict(json.loads(h)) for _, kind, _, h, _, _ in rows if kind == KIND_PROBLEM]
        self.times = sorted(at for _, kind, _, _, _, at in rows if kind == KIND_OUTCOME)  # ms since the epoch
        self.state = {ITEM_FAILED: "failed",
                      ITEM_UNKNOWN: "unknown"}.get(next((code for _, kind, code, _, _, _ in rows if kind == KIND_PROBLEM), None), "done")
        self.lines = result.lines()

    @property
    def answer(self):
        """The stored answer of the one item that came through."""
        return self.lines[0].get("_answer") if self.lines else None

    @property
    def connections(self):
        return [r["connection"] for r in self.requests]

    def __repr__(self):
        return "%r\nledger: %r\nproblems: %r\nrequests: %r" % (self.result, [dict(o, body=o["body"][:80]) for o in self.outcomes], self.problems,
                                                               self.requests[:6])


KIND_INTENT, KIND_OUTCOME, KIND_PROBLEM = 1, 2, 4
ITEM_FAILED, ITEM_UNKNOWN = 2, 3


class Bench:
    """One plain peer for all rows; each row's stages have names of their own, so that rows may run at once."""

    def __init__(self):
        self.peer = s.Peer()
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.others = []

    def stage_name(self):
        return "s%d" % next(self.numbers)

    def another_peer(self, *options):
        """A peer of a row's own, ended with the bench."""
        p = s.Peer(*options)
        with self.lock:
            self.others.append(p)
        return p

    def call(self, call, path, *, port=None, base=None, items=1, method=None, attempts=ATTEMPTS, limits=None, result="body", mapping=None,
             operation=None, system=None, inside=(), env=None, data=None, **step):
        """`weir run` on a dataflow of one API call; `call` is get, post or keyed."""
        method = method or ("GET" if call == GET else "POST")
        op = {"method_name": method, "query_path": path, **(operation or {})}
        if call == KEYED:
            op["idempotency_key"] = True
        if mapping is None:
            mapping = {"n": "=item.data.id"} if method in ("POST", "PUT", "PATCH") else {}
        systems = s.peer_system(port or self.peer.port, [op], limits={**LIMITS, **(limits or {})}, **(system or {}))
        if base:
            systems["peer"]["base_url"] = {"test": base}
        d = s.directory()
        one = s.call_step(method, path, mapping, result=result, attempts=attempts, **{"in_flight": 1, **step})
        f = s.write_component(os.path.join(d, "c.json"), s.component("matrix", systems, [s.INPUT, one, s.RESPOND]))
        rows = [{"id": k + 1} for k in range(items)] if isinstance(items, int) else items
        i = s.write(os.path.join(d, "i.ndjson"), "".join(json.dumps(x) + "\n" for x in rows))
        store = data or os.path.join(d, "data")
        r = s.run(["run", f, "--items", i, "--format", "ndjson"], data=store, inside=inside, env=dict(s.PLAIN, **(env or {})))
        return r, store

    def staged(self, call, *stage, by="request", peer=None, **more):
        """Stage answers and call there."""
        peer = peer or self.peer
        name = self.stage_name()
        path = peer.stage(name, *stage, by=by) + "/" + call
        base = more.pop("base", None) or peer.url
        r, data = self.call(call, path, port=peer.port, base=base, **more)
        return Outcome(r, data, peer.history(name).get(path, []))

    def close(self):
        for p in [self.peer, *self.others]:
            p.close()


# ---- what every row must show ----

def expect(row, call, o, claims, requests=None):
    """Type, class and retry verdict of the row for this kind of call. `requests`: when the peer cannot have counted them."""
    verdict = row.verdict(call)
    word = "%s, %s" % (row.fault, {GET: "GET", POST: "POST", KEYED: "POST with a key"}[call])
    n = len(o.requests) if requests is None else requests
    claims.that(n == REQUESTS[verdict] and len(o.outcomes) == n, "%s: %s" % (word, verdict), o)
    last = o.outcomes[-1] if o.outcomes else {}
    claims.that(last.get("certainty", "answered") == CERTAINTIES[row.certainty], "%s: %s" % (word, CERTAINTIES[row.certainty]), o)
    if verdict == OK:
        claims.that(o.result.code == 0 and len(o.lines) == 1 and not o.problems and "error" not in last, "%s: succeeds" % word, o)
        return
    problem = o.problems[0] if o.problems else {}
    if verdict == UNKNOWN:
        is_typed = o.state == "unknown" and problem.get("type") == "unknown_outcome" and "(%s: " % row.error in problem.get("detail", "")
    else:
        is_typed = o.state == "failed" and problem.get("type") == row.error
    claims.that(is_typed and o.result.code != 0 and not o.lines, "%s: %s" % (word, row.error if verdict != UNKNOWN else "unknown, for " + row.error),
                o)
    if call == KEYED and n > 1 and o.requests:
        sent = {(r["key"], r["sha256"], r["bytes"]) for r in o.requests}
        claims.that(len(sent) == 1 and None not in {r["key"] for r in o.requests}, "%s: the same key and the same bytes" % word, o)
    claims.that(o.result.peak < PEAK_MAX, "%s: memory stays small" % word, "%d MiB" % (o.result.peak >> 20))


def answers(*stage, after=None, calls=CALLS, by="request", **how):
    """The usual scenario: the staged answers, met by each kind of call. `after(row, call, outcome, claims)` looks closer."""
    def scenario(row, bench, claims):
        for call in calls:
            o = bench.staged(call, *stage, by=by, **how)
            expect(row, call, o, claims)
            if after:
                after(row, call, o, claims)
    return scenario


def closes(row, call, o, claims):
    """Shown with two items: the second call does not go over the connection of the first."""
    claims.that(len(o.requests) == 2 and len(set(o.connections)) == 2, "%s: the connection is not used again" % row.fault, o)


def keeps(row, call, o, claims):
    claims.that(len(o.requests) == 2 and len(set(o.connections)) == 1, "%s: the connection is used again" % row.fault, o)


def then_next_item(bench, row, claims, look, *stage, **how):
    """Two items one after the other: what becomes of the connection."""
    how = {"attempts": 1, "items": 2, **how}
    look(row, GET, bench.staged(GET, *stage, **how), claims)


def both(*parts):
    def scenario(row, bench, claims):
        for part in parts:
            part(row, bench, claims)
    return scenario


def reuse(look, *stage, **how):
    return lambda row, bench, claims: then_next_item(bench, row, claims, look, *stage, **how)
