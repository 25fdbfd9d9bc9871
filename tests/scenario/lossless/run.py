#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbers keep their text and strings their bytes on every way through the program: mapping, call, script, ledger, resume, output."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

# Written out by hand: Python's json would already round them.
VALUES = ('{"big":12345678901234567890,"price":0.1000,"tiny":1e-400,"huge":1E+400,"exp":1e2,'
          '"nul":"a\\u0000b","emoji":"🙂","list":[0.20,[9007199254740993],{"k":1.0}],"empty":{},"none":null}')
MODEL = [{"name": "v", "type": "string"}]  # unknown members pass through as they are


def texts_of(line, key):
    """The raw text of a member of the output line, without a parser that would change numbers."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    return decoder.decode(line).get(key)


RAW = json.JSONDecoder(parse_float=lambda x: "#" + x, parse_int=lambda x: "#" + x)
EXPECTED = RAW.decode(VALUES)


def check(c, r, dig, sentence):
    try:
        got = dig(RAW.decode(r.text.strip().splitlines()[0]))
    except Exception as e:  # noqa: BLE001: the claim fails with what came
        got = repr(e)
    c.that(r.code == 0 and got == EXPECTED, sentence, "got      %r\nexpected %r\n%r" % (got, EXPECTED, r))


def go(c, component, dig, sentence, *args):
    d = s.directory()
    f = s.write_component(os.path.join(d, "t.json"), component)
    i = s.write(os.path.join(d, "in.ndjson"), VALUES + "\n")
    r = s.run(["run", f, "--items", i, *args], data=os.path.join(d, "data"))
    check(c, r, dig, sentence)
    return d, r


def straight(c):
    go(c, s.component("t", None, [s.INPUT, s.RESPOND], MODEL), lambda x: x["data"], "input to output")
    script = {"name": "script", "kind": "execute_script", "script": "item._copy = item.data; item._touched = 1;"}
    go(c, s.component("t", None, [s.INPUT, script, s.RESPOND], MODEL), lambda x: x["_copy"], "through a script, by reference")
    script = {"name": "script", "kind": "execute_script", "script": "item._copy = { ...item.data };"}
    d, r = go(c, s.component("t", None, [s.INPUT, script, s.RESPOND], MODEL), lambda x: x["data"], "beside a script that spreads it into a new object")
    # What JavaScript itself holds as a number has no text any more; but what a double cannot hold must not be rounded.
    c.that(r.code == 0 and all(RAW.decode(r.text)["_copy"][k] == EXPECTED[k] for k in ("big", "tiny", "huge", "nul")), "the copy keeps what a double cannot hold", r)


def two_spellings(c):
    """Where one number is spelled in two ways, a copy made by a script may have either (src/script/README.md); what stays in its place keeps its own."""
    d = s.directory()
    script = {"name": "script", "kind": "execute_script", "script": "item._copy = item.data;"}
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", None, [s.INPUT, script, s.RESPOND], MODEL))
    r = s.run(["run", f, "--items", s.write(os.path.join(d, "i.ndjson"), '{"a":0.1000,"b":0.1,"c":-0,"d":-0.0}\n')], data=os.path.join(d, "data"))
    got = RAW.decode(r.text) if r.code == 0 else {}
    c.equal(got.get("data"), {"a": "#0.1000", "b": "#0.1", "c": "#-0", "d": "#-0.0"}, "two spellings of one number stay in their places")
    c.equal([float(x[1:]) for x in got.get("_copy", {}).values()], [0.1, 0.1, 0, 0], "and are equal numbers in the copy")


def through_a_call(c):
    peer = s.Peer()
    op = {"method_name": "POST", "query_path": "/echo/x"}
    step = s.call_step("POST", "/echo/x", {"body": "=item.data"}, result="$.body")
    d, r = go(c, s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, step, s.RESPOND], MODEL),
              lambda x: RAW.decode(x["_answer"]), "as the whole body of a POST (what the peer received)")
    op = {"method_name": "GET", "query_path": "/body", "parameters": [{"name": "type", "in": "query"}, {"name": "text", "in": "query"}]}
    step = s.call_step("GET", "/body", {"type": "application/json", "text": VALUES}, result="body")
    go(c, s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, step, s.RESPOND], MODEL), lambda x: x["_answer"], "out of an answer")
    rows = {k: "=item.data.%s" % k for k in ("big", "price", "tiny", "exp")}
    op = {"method_name": "GET", "query_path": "/echo/q", "parameters": [{"name": k, "in": "query"} for k in rows]}
    step = s.call_step("GET", "/echo/q", rows, result="$.target")
    comp = s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, step, s.RESPOND], MODEL)
    d = s.directory()
    r = s.run(["run", s.write_component(os.path.join(d, "t.json"), comp), "--items", s.write(os.path.join(d, "i.ndjson"), VALUES)], data=os.path.join(d, "data"))
    c.that(r.code == 0 and "big=12345678901234567890&price=0.1000&tiny=1e-400&exp=1e2" in r.text, "as query values, digit for digit", r)
    peer.close()


def as_entry(c):
    model = [{"name": "id", "type": "string", "primary_key": True}, {"name": "n", "type": "number"}, {"name": "big", "type": "integer"}]
    save = {"name": "save", "kind": "update_entry", "fields_mapping": {"id": "a", "n": "=item.data.price", "big": "=item.data.big"}}
    d = s.directory()
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", None, [dict(s.INPUT, validate=False), save, s.RESPOND], model))
    r = s.run(["run", f, "--items", s.write(os.path.join(d, "i.ndjson"), VALUES)], data=os.path.join(d, "data"))
    e = s.run(["entries", "list", "t", "-o", "ndjson"], data=os.path.join(d, "data"))
    c.that(r.code == 0 and e.code == 0 and "0.1000" in e.text and "12345678901234567890" in e.text, "into an entry and back", "%r\n%r" % (r, e))


def through_the_ledger(c):
    """Killed while it waits for a slow answer, resumed: what comes out then came out of the ledger."""
    peer = s.Peer("--delay", "5")
    op = {"method_name": "GET", "query_path": "/echo/{n}", "parameters": [{"name": "n", "in": "path", "required": True}]}
    comp = s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, s.call_step("GET", "/echo/{n}", {"n": "=item.data.n"}, result="$.target", in_flight=2), s.RESPOND], MODEL)
    d = s.directory()
    f = s.write_component(os.path.join(d, "t.json"), comp)
    items = "".join('{"n":%d,%s\n' % (k, VALUES[1:]) for k in range(300))
    i, o = s.write(os.path.join(d, "i.ndjson"), items), os.path.join(d, "out.ndjson")
    data = os.path.join(d, "data")
    p = s.start([s.WEIR, "run", f, "--items", i, "-o", o, "--data", data], stdout=s.subprocess.DEVNULL)
    s.until(lambda: len(peer.seen()) > 30, "some calls")
    s.kill(p)
    c.that(not os.path.exists(o), "killed: no half output stands under the name")
    r = s.run(["run", "--resume", "1", "-o", o], data=data)
    lines = open(o).read().splitlines() if os.path.exists(o) else []
    good = 0
    for k, line in enumerate(lines):
        x = RAW.decode(line)["data"]
        n = x.pop("n")
        good += n == "#%d" % k and x == EXPECTED
    c.that(r.code == 0 and good == 300, "300 items out of the ledger after a kill, each unchanged and in order", "%d good of %d\n%r" % (good, len(lines), r))
    peer.close()


if __name__ == "__main__":
    s.main(straight, two_spellings, through_a_call, as_entry, through_the_ledger)
