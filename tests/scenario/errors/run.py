#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What becomes of items that fail: skip, stop, keep, and steps that take errors."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

MODEL = [{"name": "n", "type": "integer", "required": True, "primary_key": True}, {"name": "why", "type": "string"}]
ITEMS = 300
BAD = [n for n in range(1, ITEMS + 1) if n % 3 == 0]


def script(**more):
    return dict({"name": "check", "kind": "execute_script", "script": "if (item.data.n % 3 === 0) throw new Error('three divides ' + item.data.n);"}, **more)


def go(steps, data=None):
    d = s.directory()
    f = s.write_component(os.path.join(d, "c.json"), s.component("errs", None, steps, MODEL))
    i = s.write(os.path.join(d, "in.ndjson"), "".join('{"n":%d}\n' % n for n in range(1, ITEMS + 1)))
    data = data or os.path.join(d, "data")
    return s.run(["run", f, "--items", i], data=data), data


def skip(c):
    r, data = go([s.INPUT, script(), s.RESPOND])
    c.that(r.code == 7, "failed items make the run partly done, exit 7", r)
    c.equal([x["data"]["n"] for x in r.lines()], [n for n in range(1, ITEMS + 1) if n % 3], "the others come out, in order")
    shown = s.run(["runs", "show", "1"], data=data).json()
    c.equal((shown["state"], shown["counts"]["failed"]), ("partly done", len(BAD)), "the run says how many failed")
    c.that(shown["problems"][0]["problem"]["message"] == "three divides 3", "each with its reason", shown["problems"][:1])


def keep(c):
    r, data = go([s.INPUT, script(on_error="keep"), s.RESPOND])
    lines = r.lines()
    c.that(r.code == 0 and len(lines) == ITEMS, "kept items go on, and the run is done", r)
    c.equal([x["data"]["n"] for x in lines if "_error" in x], BAD, "with item._error, each at its place")
    c.that(lines[2]["_error"]["step"] == "check" and lines[2]["_error"]["type"] == "script_threw", "which says where and what", lines[2])
    c.equal(s.run(["runs", "show", "1"], data=data).json()["problems"], [], "they are no problems of the run")


def stop(c):
    r, data = go([s.INPUT, script(on_error="stop"), s.RESPOND])
    at = re.search(r'stopped at item (\d+): step "check"', r.talk)
    # two workers have a batch each: which one is the first to fail is theirs to decide
    c.that(r.code == 1 and at and int(at[1]) + 1 in BAD, "the first failure stops the run, exit 1, and says which", r)
    c.that(len(r.lines()) < ITEMS, "what had not begun is not done")
    c.equal(s.run(["runs", "show", "1"], data=data).json()["state"], "failed", "the run is failed")


def errors_branch(c):
    save = {"name": "save", "kind": "update_entry", "source_step": "check", "source_output": "errors",
            "fields_mapping": {"n": "=item.data.n", "why": "=item._error.message"}}
    respond = dict(s.RESPOND, source_step="check")
    r, data = go([s.INPUT, script(), save, respond])
    c.that(r.code == 0 and len(r.lines()) == ITEMS - len(BAD), "items that fail leave the way of the others", r)
    entries = s.run(["entries", "list", "errs", "-o", "json"], data=data).json()
    c.equal(sorted(e["data"]["n"] for e in entries), BAD, "and go to the step that takes errors")
    c.that(all(e["data"]["why"] == "three divides %d" % e["data"]["n"] for e in entries), "each with its own reason")


def refused(c):
    d = s.directory()
    f = s.write_component(os.path.join(d, "c.json"), s.component("errs", None, [s.INPUT, script(on_error="ignore"), s.RESPOND], MODEL))
    r = s.run(["check", f])
    c.that(r.code == 3 and "on_error must be skip or stop or keep" in r.talk, "another word is refused with the three that are known", r)


s.main(skip, keep, stop, errors_branch, refused)
