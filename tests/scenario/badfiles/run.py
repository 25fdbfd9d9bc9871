#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Component files that are wrong: one clear complaint each, with file and line, exit 3, from `check`, `run` and `import` alike."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

GOOD = """weir: 1
component: t
systems:
  api:
    base_url: { test: http://127.0.0.1:9 }
    connectors:
      things:
        operations:
          - method_name: GET
            query_path: /things/{id}
            parameters:
              - { name: id, in: path, required: true }
              - { name: page, in: query }
model:
  - { name: city, type: string, required: true, primary_key: true }
  - { name: degrees, type: number }
dataflows:
  flow:
    stages:
      - name: Input
        steps:
          - { name: input, kind: get_action_model }
      - name: Call
        steps:
          - name: call
            kind: execute_api_call
            source_step: input
            result_store_field: _answer
            system: api
            connector: things
            query_path: /things/{id}
            method_name: GET
            parameters_mapping: { id: "=item.data.city" }
          - { name: respond, kind: write_response, source_step: call }
"""

# name, text to replace, replacement, line of the complaint (None = any), words that must be in it
MISTAKES = [
    ("source step that is not there", "source_step: call }", "source_step: cal }", 34, ("cal", "respond")),
    ("missing source step", ", source_step: call }", " }", 34, ("source_step", "respond")),
    ("cycle", "source_step: input", "source_step: respond", None, ("respond", "call")),
    ("unknown system", "system: api", "system: apo", 29, ("apo", "api")),
    ("unknown connector", "connector: things", "connector: thing", 30, ("thing",)),
    ("unknown kind", "kind: write_response", "kind: write_respons", 34, ("write_respons", "write_response")),
    ("unknown field of a step", "method_name: GET\n            parameters_mapping", "method_nam: GET\n            parameters_mapping", 32, ("method_nam", "method_name")),
    ("unknown method", "method_name: GET\n            parameters_mapping", "method_name: FETCH\n            parameters_mapping", 32, ("FETCH", "GET")),
    ("wrong type of a field", "type: number", "type: numbr", 16, ("numbr", "number")),
    ("number where a text belongs", "component: t\n", "component: [1]\n", 2, ("component",)),
    ("list where an object belongs", "systems:\n  api:", "systems:\n  - api:", None, ("systems",)),
    ("wrong version", "weir: 1", "weir: 99", 1, ("weir", "1")),
    ("unknown member at the top", "model:", "modle:", 14, ("modle", "model")),
    ("two steps of one name", "name: respond", "name: call", 34, ("call",)),
    ("slot without a value", "{ id: \"=item.data.city\" }", "{ page: 1 }", 33, ("id",)),
    ("unknown parameter", "{ id: \"=item.data.city\" }", "{ id: x, pag: 1 }", 33, ("pag", "page")),
    ("query path without its slash", "query_path: /things/{id}\n            method_name", "query_path: things/{id}\n            method_name", 31, ("/",)),
    ("address that is none", "http://127.0.0.1:9", "localhost:9", 5, ("http",)),
    ("secret written out", "base_url: { test", "auth: { kind: bearer, token: abc123 }\n    base_url: { test", 5, ("secret",)),
    ("empty expression", "=item.data.city", "=", 33, ("expression",)),
    ("tab as indentation", "      - name: Input", "\t- name: Input", 20, ("tab",)),
    ("duplicate key", "component: t", "component: t\ncomponent: u", 3, ("component",)),
    ("no stages", "    stages:", "    stage:", None, ("stage",)),
    ("quote that does not end", "component: t", "component: \"t", None, ()),
]


def complaint_lines(r, name):
    return [line for line in r.talk.splitlines() + r.text.splitlines() if name in line]


def one_mistake_each(c):
    d = s.directory()
    f = s.write(os.path.join(d, "good.yaml"), GOOD)
    r = s.run(["check", f])
    c.equal(r.code, 0, "the file without a mistake passes")
    for name, old, new, line, words in MISTAKES:
        if old not in GOOD:
            c.that(False, "%s: the test's own text" % name, old)
            continue
        f = s.write(os.path.join(d, "bad.yaml"), GOOD.replace(old, new, 1))
        r = s.run(["check", f])
        found = complaint_lines(r, "bad.yaml")
        places = [int(m[1]) for m in (re.search(r"bad\.yaml:(\d+):\d+: ", x) for x in found) if m]
        ok = r.code == 3 and found and (line is None or line in places) and places and all(w in "".join(found) for w in words)
        c.that(ok, "%s: exit 3, place and words" % name, "line %r, words %r expected\n%r" % (line, words, r))
    r = s.run(["run", f, "-d", "city=x"], data=os.path.join(d, "data"))
    c.equal(r.code, 3, "run says the same")
    r = s.run(["import", f], data=os.path.join(d, "data"))
    c.equal(r.code, 3, "and import")
    two = s.write(os.path.join(d, "two.yaml"), GOOD.replace("system: api", "system: apo").replace("type: number", "type: numbr"))
    r = s.run(["check", two])
    c.that(r.code == 3 and "apo" in r.talk + r.text and "numbr" in r.talk + r.text, "two mistakes are told at once", r)


def strange_bytes(c):
    d = s.directory()
    deep_flow = "a: " + "[" * 100000 + "]" * 100000 + "\n"
    deep_json = '{"weir":1,"x":' + "[" * 100000 + "]" * 100000 + "}"
    deep_block = "".join("  " * i + "a:\n" for i in range(3000))
    laughs = "weir: 1\na: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join("%s: &%s [*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s]\n" % ((n, n) + (p,) * 10) for p, n in zip("abcdefgh", "bcdefghi"))
    cases = [
        ("empty.yaml", b""), ("blank.yaml", b" \n\n"), ("comment.yaml", b"# nothing\n"), ("latin1.yaml", "weir: 1\ncomponent: é\n".encode("latin-1")),
        ("utf16.yaml", "weir: 1\n".encode("utf-16")), ("nul.yaml", b"weir: 1\ncomponent: a\0b\n"), ("deep.yaml", deep_flow.encode()), ("deepjson.json", deep_json.encode()),
        ("deepblock.yaml", deep_block.encode()), ("laughs.yaml", laughs.encode()), ("self.yaml", b"weir: 1\na: &a [*a]\n"), ("two.yaml", b"weir: 1\n---\nweir: 1\n"),
        ("scalar.yaml", b"hello\n"), ("list.yaml", b"- weir\n"), ("cut.json", b'{"weir":1,"component":'), ("binary.yaml", bytes(range(256)) * 4), ("keys.yaml", b"weir: 1\n? [a]\n: b\n"),
        ("tag.yaml", b"weir: !!python/object:os.system 1\n"), ("unclosed.json", b'{"weir": 1'), ("trailing.json", b'{"weir":1} x'),
    ]
    for name, data in cases:
        f = s.write(os.path.join(d, name), data)
        r = s.run(["check", f])
        c.that(r.code == 3 and len(complaint_lines(r, name)) >= 1 and len(r.talk + r.text) < 5000, "%s: exit 3 and a short complaint" % name, r)
        c.that(r.peak < 200 << 20, "%s: in less than 200 MiB" % name, "%d MiB" % (r.peak >> 20))
    big = os.path.join(d, "big.yaml")
    with open(big, "wb") as out:
        out.truncate(1 << 30)
    r = s.run(["check", big])
    c.that(r.code == 3 and r.peak < 200 << 20, "a sparse file of 1 GiB: exit 3 without reading it all", "%d MiB\n%r" % (r.peak >> 20, r))
    with open(big, "r+b") as out:
        out.truncate(0)
        out.write(b"weir: 1\nx: " + b"[" * (64 << 20))
    r = s.run(["check", big])
    c.that(r.code == 3 and r.peak < 400 << 20, "64 MiB of open brackets", "%d MiB\n%r" % (r.peak >> 20, r))
    os.unlink(big)
    r = s.run(["check", os.path.join(d, "nowhere.yaml")])
    c.that(r.code == 3 and "nowhere.yaml" in r.talk, "a file that is not there", r)
    r = s.run(["check", d])
    c.that(r.code == 3, "a directory", r)


if __name__ == "__main__":
    s.main(one_mistake_each, strange_bytes)
