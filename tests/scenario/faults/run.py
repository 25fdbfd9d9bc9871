#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers that are broken: each is a typed error, never a success, and an unsafe call is never sent twice because of it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

BROKEN = ["close", "reset", "half-head", "half-body", "half-chunk", "two-lengths", "garbage", "half-gzip", "bomb", "endless", "silent"]
LIMITS = {"first_byte_timeout": "500ms", "total_timeout": "3s", "max_body": "1MiB"}


def go(peer, method, path, n=1, **step):
    d = s.directory()
    op = {"method_name": method, "query_path": path}
    op.update(step.pop("operation", {}))
    mapping = step.pop("mapping", {} if method == "GET" else {"n": "=item.data.id"})
    comp = s.component("t", s.peer_system(peer.port, [op], limits=LIMITS), [s.INPUT, s.call_step(method, path, mapping, result="body", **step), s.RESPOND])
    f = s.write_component(os.path.join(d, "t.json"), comp)
    i = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(n)))
    return s.run(["run", f, "--items", i], data=os.path.join(d, "data"))


def count(peer, path):
    return peer.seen().get(path, 0)


def broken_answers(c):
    peer = s.Peer()
    for name in BROKEN:
        path = "/fault/" + name
        r = go(peer, "GET", path, attempts=1)
        c.that(r.code in (1, 5) and not r.text.strip() and "call" in r.talk, "GET, %s: the item fails" % name, r)
        c.that(r.peak < 100 << 20, "GET, %s: memory stays small" % name, "%d MiB" % (r.peak >> 20))
        before = count(peer, path)
        r = go(peer, "POST", path)
        c.equal(count(peer, path) - before, 1, "POST, %s: sent once" % name)
        c.that(r.code in (1, 5, 7) and not r.text.strip(), "POST, %s: no success" % name, r)
    peer.close()


def repeats(c):
    peer = s.Peer()
    r = go(peer, "GET", "/fault/once-reset")
    c.that(r.code == 0 and count(peer, "/fault/once-reset") == 2, "a GET that got no answer is sent again", r)
    r = go(peer, "POST", "/fault/once-reset", mapping={"query.another": "target"})
    c.that(r.code in (1, 7) and "unknown" in r.talk.lower(), "a POST is not: its outcome is unknown", r)
    peer.close()


def dropped_posts(c):
    """The peer records every request and leaves a third unanswered."""
    peer = s.Peer("--drop", "0.3", "--seed", "3")
    r = go(peer, "POST", "/record", n=200)
    sent = [x["body"] for x in peer.requests()]
    c.equal((len(sent), len(set(sent))), (200, 200), "200 POSTs without a key: each sent once")
    lost = 200 - len(r.lines())
    c.that(r.code == 7 and 20 < lost < 120 and "unknown" in r.talk.lower(), "those without an answer stand as unknown outcome", r)
    peer.close()
    peer = s.Peer("--drop", "0.3", "--seed", "3")
    r = go(peer, "POST", "/record", n=100, attempts=10, operation={"idempotency_key": True})
    keys = {}
    for x in peer.requests():
        keys.setdefault(x["key"], set()).add(x["body"])
    c.that(r.code == 0 and len(r.lines()) == 100, "100 POSTs with a key: all done", r)
    c.that(None not in keys and len(keys) == 100 and all(len(v) == 1 for v in keys.values()), "one key an item, the same on every attempt", list(keys.items())[:3])
    peer.close()


if __name__ == "__main__":
    s.main(broken_answers, repeats, dropped_posts)
