#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random points of a run, resume, again and again until it is done; then the books are compared with a recorder that wrote down each
request before answering it. The promise: an unsafe call without a key is sent at most once, everything else at least once, nothing is lost.

    run.py [--full] [--seed N]        --full: 2,000 items and 20 kills a variant, else 600 and 6
"""
import json
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import support as s  # noqa: E402

IS_FULL = "--full" in sys.argv
SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else random.SystemRandom().randrange(1 << 30)
ITEMS, KILLS = (2000, 20) if IS_FULL else (600, 6)
IN_FLIGHT = 16
TABLE = []


class Tail:
    """Requests in the recorder's log, counted as they come."""

    def __init__(self, path):
        self.path, self.at, self.n = path, 0, 0

    def count(self):
        try:
            with open(self.path, "rb") as f:
                f.seek(self.at)
                data = f.read()
        except FileNotFoundError:
            return 0
        whole = data[:data.rfind(b"\n") + 1]
        self.at += len(whole)
        self.n += whole.count(b"\n")
        return self.n


def variant(name, method, operation):
    peer = s.Peer("--delay", "20")
    d = s.directory()
    data, out, items = (os.path.join(d, x) for x in ("data", "out.ndjson", "items.ndjson"))
    op = {"method_name": method, "query_path": "/record/{id}", "parameters": [{"name": "id", "in": "path", "required": True}]}
    op.update(operation)
    step = s.call_step(method, "/record/{id}", {"id": "=item.data.id"}, in_flight=IN_FLIGHT, result="body")
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, step, s.RESPOND]))
    with open(items, "w") as i:
        for k in range(ITEMS):
            i.write('{"id":%d}\n' % k)
    return name, peer, f, data, out, items


def start(args, data):
    log = open(os.path.join(os.path.dirname(data), "talk"), "ab")
    return s.start([s.WEIR, "run", *args, "--data", data], stdout=s.subprocess.DEVNULL, stderr=log)


def has_run(data):
    """Has the first process come so far that there is a run to resume?"""
    r = s.run(["runs", "list", "-o", "json"], data=data)
    return r.code == 0 and '"id"' in r.text


def killed_often(f, data, out, items, peer, rng):
    """Returns how many kills hit a living process. Half of them wait for a number of requests, half for some milliseconds."""
    tail, kills, first, resume = Tail(peer.log), 0, True, []
    points = sorted(rng.sample(range(1, ITEMS), KILLS))
    for n, point in enumerate(points):
        p = start([f, "--items", items, "-o", out] if first else ["--resume", "1", "-o", out, *resume], data)
        if n % 2 == 0:
            s.until(lambda: tail.count() >= point or p.poll() is not None, "request %d" % point)
        else:
            end = s.time.monotonic() + rng.uniform(0, 0.25)
            s.until(lambda: s.time.monotonic() > end or p.poll() is not None, "a moment")
        if p.poll() is not None:
            break
        s.kill(p)
        kills += 1
        first = first and not has_run(data)
    return kills, first


def finish(f, data, out, items, first):
    """Resume until it ends by itself. An input that was cut off by the kill has to be given once more."""
    for extra in ([], ["--items", items]):
        args = [f, "--items", items] if first else ["--resume", "1", *extra]
        r = s.run(["run", *args, "-o", out], data=data, timeout=300)
        if r.code in (0, 1, 7) and os.path.exists(out):
            return r
    return r


def look(c, name, peer, f, data, out, items, repeatable, keyed):
    rng = random.Random("%s %d" % (name, SEED))
    kills, first = killed_often(f, data, out, items, peer, rng)
    r = finish(f, data, out, items, first)
    sent = {}
    keys = {}
    for x in peer.requests():
        k = int(re.search(r"/record/(\d+)", x["target"])[1])
        sent[k] = sent.get(k, 0) + 1
        keys.setdefault(k, set()).add(x["key"])
    done = [json.loads(line)["data"]["id"] for line in open(out)] if os.path.exists(out) else []
    twice = sum(n > 1 for n in sent.values())
    lost = ITEMS - len(done)
    row = (name, ITEMS, kills, sum(sent.values()), twice, len(done), lost, r.code)
    TABLE.append(row)
    where = "seed %d\n%r" % (SEED, r)
    c.that(r.code in (0, 7), "%s: after %d kills the run ends (exit %d)" % (name, kills, r.code), where)
    c.that(done == sorted(set(done)), "%s: outputs in order, each once" % name, where)
    if repeatable:
        c.equal((r.code, len(done)), (0, ITEMS), "%s: every item is done" % name)
        c.equal(len(sent), ITEMS, "%s: every item was asked for" % name)
        # A repeatable call gives its slot back with the answer, before the outcome is on disk: at a kill there may be a slot's worth of those
        # beside the calls in flight. What must not be repeated keeps to its slots (below).
        c.that(sum(sent.values()) - ITEMS <= 2 * kills * IN_FLIGHT, "%s: again only what was in flight or not yet recorded" % name, row)
        if keyed:
            c.that(all(len(v) == 1 and None not in v for v in keys.values()), "%s: an item's key is the same each time" % name, where)
            c.equal(len({next(iter(v)) for v in keys.values()}), ITEMS, "%s: and no other item's" % name)
    else:
        c.equal(twice, 0, "%s: nothing was sent twice" % name)
        c.that(set(done) <= set(sent), "%s: whatever is done was recorded" % name, where)
        shown = s.run(["runs", "show", "1", "-o", "json"], data=data)
        m = re.search(r'"unknown"\s*:\s*(\d+)', shown.text)
        c.that(m and int(m[1]) == lost, "%s: all %d others stand as unknown outcome" % (name, lost), shown)
        c.that(set(sent) - set(done) <= set(range(ITEMS)) - set(done) and lost <= kills * IN_FLIGHT, "%s: no more than were in flight" % name, row)
        c.that((r.code == 7) == (lost > 0), "%s: the exit code says so" % name, where)
    peer.close()


def post_without_key(c):
    look(c, *variant("POST", "POST", {}), repeatable=False, keyed=False)


def post_with_key(c):
    look(c, *variant("POST with key", "POST", {"idempotency_key": True}), repeatable=True, keyed=True)


def get(c):
    look(c, *variant("GET", "GET", {}), repeatable=True, keyed=False)


def table(c):
    print("%-14s %6s %6s %9s %6s %6s %8s %5s    (seed %d)" % ("variant", "items", "kills", "requests", "twice", "done", "unknown", "exit", SEED))
    for row in TABLE:
        print("%-14s %6d %6d %9d %6d %6d %8d %5d" % row)


if __name__ == "__main__":
    sys.argv[1:] = [a for a in sys.argv[1:] if a.startswith("-") and a != "--seed"]  # numbers are no names of parts
    s.main(post_without_key, post_with_key, get, table)
