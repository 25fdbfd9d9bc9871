#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scripts that misbehave: each gives a typed error in its own item, and the run goes on with the others."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

SCRIPT = """
switch (item.data.v) {
case 'loop': while (true) {}
case 'regex': /(a+)+$/.test('a'.repeat(40) + 'b'); break;
case 'bomb': { const x = []; for (;;) x.push(new Array(1e6).fill(7)); }
case 'string bomb': { let t = 'x'; for (;;) t += t; }
case 'large': item._large = 'x'.repeat(10 * 1024 * 1024); break;
case 'throw': throw new Error('no luck with ' + item.data.v);
case 'throw text': throw 'just text';
case 'deep': { const f = () => 1 + f(); f(); } // not a tail call: JavaScriptCore would turn that into a loop
case 'cycle': item.self = item; break;
case 'not an object': return 7;
case 'function': item.f = () => 1; break;
case 'global': globalThis.leak = (globalThis.leak || 0) + 1; item._leak = globalThis.leak; break;
case 'fetch': item._types = [typeof fetch, typeof require, typeof process, typeof WebAssembly, typeof setTimeout]; break;
case 'time': item._now = [Date.now() === Date.now(), new Date().getTime() === Date.now(), Math.random()]; break;
default: item._ok = item.data.v.length;
}
"""


def component(script=SCRIPT):
    return s.component("t", None, [s.INPUT, {"name": "prepare", "kind": "execute_script", "script": script}, s.RESPOND], [{"name": "v", "type": "string"}])


def go(items, script=SCRIPT, args=()):
    d = s.directory()
    f = s.write_component(os.path.join(d, "t.json"), component(script))
    i = s.write(os.path.join(d, "in.ndjson"), "".join(json.dumps({"v": v}) + "\n" for v in items))
    return s.run(["run", f, "--items", i, *args], data=os.path.join(d, "data"))


def typed_errors(c):
    # what stderr must say of the item; the sentence is for people, so several words are fine
    for name, words in (("loop", ("time", "deadline", "long")), ("bomb", ("memory",)),
                        ("string bomb", ("memory", "RangeError")), ("large", ("large", "8", "limit")), ("throw", ("no luck with throw",)),
                        ("throw text", ("just text",)), ("deep", ("RangeError", "call stack")), ("cycle", ("cycl", "circular", "itself")),
                        ("not an object", ("object",))):
        r = go(["fine", name, "also fine"])
        ok = r.code == 7 and [x["data"]["v"] for x in r.lines()] == ["fine", "also fine"]
        c.that(ok, "%s: its item fails, the two beside it are done" % name, r)
        c.that(any(w.lower() in r.talk.lower() for w in words) and "prepare" in r.talk, "%s: the error says what and where" % name, r.talk)


def catastrophic_regex(c):
    """The engine gives up some of these by itself, after seconds; either way the item ends and its neighbours are done."""
    r = go(["fine", "regex", "also fine"])
    c.that(r.code in (0, 7) and {x["data"]["v"] for x in r.lines()} >= {"fine", "also fine"}, "a regular expression that runs away", r)


def the_run_goes_on(c):
    names = ["fine %d" % i for i in range(200)]
    for at, bad in ((10, "loop"), (60, "bomb"), (110, "throw"), (160, "loop")):
        names[at] = bad
    r = go(names)
    c.equal((r.code, len(r.lines())), (7, 196), "four bad items of 200: 196 done")
    c.equal([x["data"]["v"] for x in r.lines()], [n for n in names if n.startswith("fine")], "in order")


def the_jail_seen_from_inside(c):
    r = go(["fetch"])
    types = r.lines()[0]["_types"] if r.code == 0 else None
    c.that(types and types[:3] == ["undefined"] * 3, "no fetch, no require, no process", r)
    r = go(["function"])
    c.that((r.code == 0 and "f" not in r.lines()[0]) or r.code == 1, "a function is not carried out", r)
    r = go(["time"])
    now = r.lines()[0]["_now"] if r.code == 0 else [False]
    c.that(now[0] and now[1], "the clock stands still", r)
    r = go(["global"] * 3)
    leaks = [x["_leak"] for x in r.lines()]
    c.that(r.code in (0, 1) and leaks in ([], [1, 1, 1]), "no state from item to item", r)


def refused_before_the_run(c):
    r = go(["x"], "item._x = (;")
    c.that(r.code in (1, 3) and "SyntaxError" in r.talk and "prepare" in r.talk, "a script that does not compile", r)
    c.that("1" in r.talk, "with its line", r.talk)


def the_server_stays_flat(c):
    d = s.directory()
    f = s.write_component(os.path.join(d, "t.json"), component())
    server = s.Server(f)

    def resident():
        with open("/proc/%d/status" % server.process.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    body = {"items": [{"v": v} for v in ["bomb", "loop", "large", "fine"]]}
    first = None
    for _ in range(4):
        a = server.ask("POST", "/api/v1/components/t/dataflows/flow/runs", body, {"Prefer": "wait=30"}, timeout=90)
        if a.status == 202:
            server.run_ended(a.json().get("id") or a.json()["run"]["id"])
        first = first or resident()
    grown = resident() - first
    c.that(grown < 16 * 1024, "after three more rounds of bombs the server has grown by less than 16 MiB", "%d KiB" % grown)
    c.equal(server.ask("GET", "/healthz").status, 200, "and is well")
    c.equal(server.close(), 0, "and ends with 0")


if __name__ == "__main__":
    s.main(typed_errors, catastrophic_regex, the_run_goes_on, the_jail_seen_from_inside, refused_before_the_run, the_server_stays_flat)
