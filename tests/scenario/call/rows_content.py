# SPDX-License-Identifier: Apache-2.0
"""Section 3.5: whole answers whose bodies are not what was hoped for. Nothing here is asked for again: the answer would be the same."""
import json
import os

import support as s
from matrix import ANSWERED, GET, GOOD, NONE, OK, ONCE, Outcome, Row, accepted, answers, expect, refused, says, whole

RAW = json.JSONDecoder(parse_float=lambda x: "#" + x, parse_int=lambda x: "#" + x)


def body(data, media="application/json", *fields):
    return says(whole(data, *fields, media=media), "keep")


def raw_kept(data):
    def look(row, call, o, claims):
        claims.that(all(x["body"] == data for x in o.outcomes), "%s: the raw bytes are kept" % row.fault, [x["body"][:80] for x in o.outcomes])
    return look


def detail_has(*words):
    def look(row, call, o, claims):
        detail = o.problems[0]["detail"] if o.problems else ""
        claims.that(all(w in detail for w in words) and len(detail) < 1000 and all(c >= " " for c in detail),
                    "%s: the detail says %s" % (row.fault, ", ".join(words)), repr(detail))
    return look


def bad(number, name, fault, data, media="application/json", error="invalid_json", words=("offset",), note="", **how):
    def look(row, call, o, claims):
        raw_kept(data)(row, call, o, claims)
        detail_has(*words)(row, call, o, claims)
    return refused(number, name, fault, error, answers(body(data, media), after=look, **how), note)


def good(number, name, fault, data, want, media="application/json", note="", fields=(), **how):
    def look(row, call, o, claims):
        claims.equal(o.answer, want, "%s: the result" % row.fault)
    return accepted(number, name, fault, answers(body(data, media, *fields), after=look, **how), note)


def numbers(row, bench, claims):
    text = '{"big":9007199254740993,"bigger":12345678901234567890123,"price":0.10,"exp":1E2,"zero":-0,"huge":1e400}'
    for call in ("get", "post", "keyed"):
        o = bench.staged(call, body(text.encode()))
        expect(row, call, o, claims)
        got = RAW.decode(o.result.text.strip().split("\n")[0]).get("_answer") if o.result.text.strip() else None
        claims.equal(got, RAW.decode(text), "numbers, %s: each keeps its text" % call)


# ---- what a mapping makes of a body ----

def two_calls(bench, data, mapping):
    """A second call whose path parameter comes out of the first one's answer."""
    first, second = bench.stage_name(), bench.stage_name()
    bench.peer.stage(first, body(data))
    bench.peer.stage(second, GOOD)
    paths = "/staged/%s/get" % first, "/staged/%s/{id}" % second
    ops = [{"method_name": "GET", "query_path": p} for p in paths]
    steps = [s.INPUT, s.call_step("GET", paths[0], {}, result="body"),
             {**s.call_step("GET", paths[1], {"id": mapping}, result="body"), "name": "second"}, s.RESPOND]
    d = s.directory()
    f = s.write_component(os.path.join(d, "c.json"), s.component("matrix", s.peer_system(bench.peer.port, ops), steps))
    r = s.run(["run", f, "--items", s.write(os.path.join(d, "i.ndjson"), '{"id":1}\n{"id":2}\n')], data=os.path.join(d, "data"))
    return Outcome(r, os.path.join(d, "data"), [q for rows in bench.peer.history(second).values() for q in rows])


def shapes(row, bench, claims):
    for fault, data in (("an array where an object is due", b'[{"id":7}]'), ("a missing field", b'{"other":7}'), ("null", b"null"),
                        ("no items", b"[]")):
        o = two_calls(bench, data, "=item._answer.id")
        claims.that(len(o.problems) == 2 and all(p["type"] == row.error and p.get("step") == "second" and '"id"' in p["detail"] for p in o.problems) and not o.requests,
                    "%s: the step and the parameter are named, nothing is sent" % fault, o)
        claims.that("item 0" in o.result.talk and "item 1" in o.result.talk, "%s: the items are named" % fault, o.result)


def million(row, bench, claims):
    data = b"[" + b"1," * 999999 + b"1]"
    o = bench.staged(GET, body(data), limits={"max_body": "4MiB"}, result="$[999999]")
    claims.that(o.result.code == 0 and o.answer == 1, "a list of a million: read whole", o.result.talk)
    o = bench.staged(GET, body(data))
    claims.that(o.problems and o.problems[0]["type"] == "too_large" and len(o.requests) == 1, "a list of a million beyond max_body: too_large",
                o.result.talk)


def cookies(row, bench, claims):
    o = bench.staged(GET, body(b'{"id":1}', "application/json", "Set-Cookie: sid=matrix-cookie-value; Path=/", "Set-Cookie: b=2"), items=3)
    claims.that(len(o.lines) == 3 and len(o.requests) == 3 and not [k for r in o.requests for k, _ in r["headers"] if k.lower() == "cookie"],
                "Set-Cookie: nothing is sent back", o)
    claims.that("matrix-cookie-value" not in repr(o.outcomes), "Set-Cookie: its value is not in the ledger", o)


def rule(then, when, **more):
    return {"system": {"rules": [{"when": when, "then": then, **more}]}}


def by_rule(row, bench, claims):
    for call in ("get", "post", "keyed"):
        o = bench.staged(call, body(b'{"ok":false,"error":"no seat"}'),
                         **rule("fail", {"body": "$.ok", "equals": False}, message="they said {body:$.error}"))
        expect(row, call, o, claims)
        detail_has("they said no seat")(row, call, o, claims)
        o = bench.staged(call, body(b'{"ok":false}'))
        claims.that(o.result.code == 0 and o.answer == {"ok": False}, "%s, no rule, %s: the status counts" % (row.fault, call), o)


def throttled_in_200(row, bench, claims):
    for call in ("get", "post", "keyed"):
        o = bench.staged(call, body(b'{"errors":[{"code":"RATE"}]}'), GOOD, **rule("wait", {"body": "$.errors[*].code", "equals": "RATE"}))
        claims.that(o.result.code == 0 and len(o.requests) == 2 and o.answer == {"id": 1},
                    "rate-limit words in 200, a rule says wait, %s: again" % call, o)


DEEP = b"[" * 101 + b"]" * 101
PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body><script>x</script></body></html>"
UTF8 = "é"

ROWS = [
    bad("B1", "cut_json", "JSON that is cut", b'{"id":1,"name":"a'),
    bad("B1", "trailing_bytes", "bytes after the JSON", b'{"id":1}x'),
    bad("B1", "two_values", "two JSON values", b'{"id":1}{"id":2}'),
    bad("B1", "nan", "NaN", b'{"id":NaN}'),
    bad("B1", "infinity", "Infinity", b'{"id":-Infinity}'),
    bad("B1", "lone_surrogate", "a lone surrogate", b'{"id":"\\ud800"}'),
    bad("B1", "raw_nul", "a raw NUL in a string", b'{"id":"a\0b"}'),
    bad("B1", "deep", "101 arrays inside each other", DEEP, words=("deep",), note="90 at most, so that the item around it can be written."),
    bad("B1", "single_quotes", "single quotes", b"{'id':1}\x1b[31m"),
    good("B2", "duplicate_keys", "a key twice", b'{"id":1,"a":2,"id":3}', {"id": 3, "a": 2}, note="The last one counts, here as in scripts."),
    Row("B3", "numbers", "integers beyond 2^53, decimals, -0, 1e400", "", ANSWERED, OK, OK, OK, numbers,
        "Kept as their text; 1e400 too, since nothing rounds it."),
    good("B4", "bom", "one UTF-8 byte order mark", b'\xef\xbb\xbf{"id":1}', {"id": 1}),
    good("B4", "utf16_le", "UTF-16 by its mark (LE)", '\ufeff{"id":"é"}'.encode("utf-16-le"), {"id": "é"}),
    good("B4", "utf16_be", "UTF-16 by its mark (BE)", '\ufeff{"id":"é"}'.encode("utf-16-be"), {"id": "é"}),
    bad("B4", "utf16_cut", "UTF-16 cut inside a character", '\ufeff{"id":"é"}'.encode("utf-16-le")[:-1], error="invalid_text"),
    bad("B4", "utf16_unmarked", "UTF-16 without a mark", '{"id":"é"}'.encode("utf-16-le")),
    good("B5", "latin1_text", "text in latin1", "Zoë".encode("latin-1"), "Zoë", "text/plain; charset=iso-8859-1"),
    good("B5", "windows_1251_text", "text in windows-1251", "Привет".encode("cp1251"), "Привет", "text/plain; charset=windows-1251"),
    good("B5", "shift_jis_text", "text in shift_jis", "日本".encode("shift_jis"), "日本", "text/plain; charset=shift_jis"),
    good("B5", "json_says_latin1", "JSON that says latin1", '{"id":"é"}'.encode(), {"id": "é"}, "application/json; charset=iso-8859-1",
         note="JSON is UTF-8 whatever it says."),
    good("B5", "two_charsets", "two charsets", "é".encode(), "é", "text/plain; charset=utf-8; charset=iso-8859-1", note="The first counts."),
    bad("B5", "text_invalid", "text that says UTF-8 and is not", b"caf\xe9 \xff", "text/plain; charset=utf-8", error="invalid_text"),
    bad("B5", "json_invalid", "JSON with bytes that are no UTF-8", b'{"id":"\xe9"}', words=("offset",)),
    bad("B5", "unknown_charset", "text in an unknown charset", b"abc", "text/plain; charset=klingon", error="unsupported_charset",
        words=("klingon",)),
    good("B6", "empty_json", "an empty body with a JSON type", b"", None, note="Null."),
    bad("B6", "page_as_json", "200 with a page that says JSON", PAGE, error="unexpected_content_type", words=("Log in",)),
    bad("B6", "login_page", "200 with a login page", PAGE, "text/html", error="unexpected_content_type", words=("Log in",)),
    good("B6", "json_as_html", "JSON that says text/html", b'{"id":1}', {"id": 1}, "text/html"),
    good("B6", "json_as_text", "JSON that says text/plain", b'{"id":1}', {"id": 1}, "text/plain"),
    good("B6", "json_untyped", "JSON without a type", b'{"id":1}', {"id": 1}, ""),
    bad("B6", "prefix", ")]}' before JSON", b")]}'\n{\"id\":1}"),
    good("B6", "prefix_configured", ")]}' before JSON, `json_prefix` set", b")]}'\n{\"id\":1}", {"id": 1}, operation={"json_prefix": ")]}'"}),
    good("B6", "json_lines", "JSON Lines", b'{"id":1}\n{"id":2}\n', [{"id": 1}, {"id": 2}], "application/x-ndjson"),
    good("B6", "xml", "XML", b"<a><id>1</id></a>", {"a": {"id": "1"}}, "application/xml"),
    bad("B6", "xml_doctype", "XML with a document type", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "application/xml", error="invalid_xml",
        words=("document type",)),
    Row("B7", "error_in_200", "an error inside 200, a rule says so", "refused_by_rule", ANSWERED, ONCE, ONCE, ONCE, by_rule,
        "Without a rule the status counts."),
    Row("B7", "throttled_in_200", "rate-limit words inside 200, a rule says wait", "", ANSWERED, "again", "again", "again", throttled_in_200),
    Row("B8", "shapes", "an array where an object is due, a missing field, no items", "invalid_request", ANSWERED, ONCE, NONE, NONE, shapes,
        "Where a required parameter comes out of it: the step, the parameter and the item are named, nothing is sent."),
    Row("B8", "million", "a list of a million", "", ANSWERED, OK, NONE, NONE, million, "Within `max_body`."),
    Row("B9", "cookies", "Set-Cookie", "", ANSWERED, "ignored", NONE, NONE, cookies, "There is no jar; its value is masked in the ledger."),
]
