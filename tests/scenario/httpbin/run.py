#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls against httpbin, an API by somebody else, and against our echo peer where httpbin is not exact: what the mapping says arrives, unchanged."""
import base64
import hashlib
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

# Texts that break careless mappings: each has broken some program.
NAUGHTY = [
    "", " ", "plain", "two words", " leading and trailing ", "a+b", "a&b=c&d", "a;b,c", "100%", "%41", "%zz", "a?b#c", "a/b", "../..", ".", "..", "a\\b", "'", '"', "''\"\"",
    "<script>alert(1)</script>", "`$(id)`", "{{7*7}}", "${x}", "{path}", "=item.data.v", "null", "undefined", "true", "0", "-0", "1e3", "0x1F", "NaN",
    "é", "e\u0301", "ß", "İ", "日本語", "🙂", "👩‍👩‍👧‍👦", "\u202eright to left", "مرحبا", "שלום", "\u200b", "\ufeff", "\u2028", "\U0010ffff", "tab\there", "line\nbreak", "cr\rlf\r\n",
    "nul\u0000inside", "\u0001\u001f\u007f", "; DROP TABLE items", "a" * 2000,
]
INPUT = dict(s.INPUT, from_text=False)  # forms and CSV say "nothing" with an empty text; here it is a value
PYTHON = "/usr/bin/python3"  # Debian's packages belong to Debian's Python; another one may come first in PATH


class Httpbin:
    def __init__(self):
        self.port = s.free_port()
        log = open(os.path.join(s.directory(), "gunicorn.log"), "wb")
        self.process = s.start([PYTHON, "/usr/bin/gunicorn", "--bind", "127.0.0.1:%d" % self.port, "--threads", "8", "--workers", "1", "--log-level", "error", "httpbin:app"], stdout=log,
                               stderr=log)
        s.wait_port(self.port, self.process)


def available():
    if not os.path.exists("/usr/bin/gunicorn"):
        return "gunicorn is not installed"
    probe = subprocess.run([PYTHON, "-c", "import httpbin"], capture_output=True)
    return "python3-httpbin is not installed" if probe.returncode else None


HTTPBIN = None
PEER = None


def httpbin():
    global HTTPBIN
    HTTPBIN = HTTPBIN or Httpbin()
    return HTTPBIN.port


def peer():
    global PEER
    PEER = PEER or s.Peer()
    return PEER.port


def operation(method, path, *parameters, **more):
    o = {"method_name": method, "query_path": path}
    if parameters:
        o["parameters"] = [dict({"name": n, "in": where}, **({"required": True} if where == "path" else {})) for where, n in parameters]
    o.update(more)
    return o


def flow(port, method, path, mapping, op=None, system=None, **step):
    step.setdefault("result", "body")
    return s.component("t", s.peer_system(port, [op] if op else [], **(system or {})),
                       [INPUT, s.call_step(method, path, mapping, **step), s.RESPOND], model=[{"name": "v", "type": "string"}])


def go(component, items, env=None, args=()):
    d = s.directory()
    f = s.write_component(os.path.join(d, "t.json"), component)
    lines = "".join(json.dumps({"v": v}) + "\n" for v in items)
    i = s.write(os.path.join(d, "items.ndjson"), lines)
    return s.run(["run", f, "--items", i, *args], data=os.path.join(d, "data"), env=dict(s.PLAIN, **(env or {})))


def one(component, v="x", env=None, args=()):
    return go(component, [v], env, args)


def answers(r):
    return [line["_answer"] for line in r.lines()]


def methods(c):
    for m in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        r = one(flow(httpbin(), m, "/anything/x", {"query.q": "=item.data.v"}, operation(m, "/anything/x")))
        got = answers(r)[0] if r.code == 0 else None
        c.that(got and got["method"] == m and got["args"] == {"q": "x"}, "%s arrives as %s" % (m, m), r)
    r = one(flow(httpbin(), "HEAD", "/anything/x", {}, operation("HEAD", "/anything/x"), result="response"))
    c.that(r.code == 0 and answers(r)[0]["status"] == 200, "HEAD gives status and headers", r)
    c.that(r.code == 0 and "content-length" in {k.lower() for k in answers(r)[0]["headers"]}, "HEAD keeps the Content-Length it was told", r)


def path_values(c):
    """httpbin decodes the path before it shows it, so the echo peer says what was on the wire."""
    comp = flow(peer(), "GET", "/echo/{v}/end", {"v": "=item.data.v"}, operation("GET", "/echo/{v}/end", ("path", "v")))
    good = [v for v in NAUGHTY if v not in ("", ".", "..")]
    r = go(comp, good)
    got = [a["target"] for a in answers(r)] if r.code == 0 else []
    c.that(r.code == 0, "naughty values in a path: exit 0", r)
    wrong = [(v, t) for v, t in zip(good, got) if not (t.startswith("/echo/") and t.endswith("/end") and t.count("/") == 3 and urllib.parse.unquote(t[6:-4]) == v)]
    c.that(len(got) == len(good) and not wrong, "%d naughty values are one path segment each, unchanged" % len(good), wrong[:5])
    bad = ["", ".", ".."]
    before = PEER.seen()
    r = go(comp, bad)
    c.equal(r.code, 1, "empty and dot segments are refused")
    c.equal(PEER.seen(), before, "before anything is sent")


def query_values(c):
    r = go(flow(httpbin(), "GET", "/anything", {"q": "=item.data.v", "fixed": "a b"}, operation("GET", "/anything", ("query", "q"), ("query", "fixed"))), NAUGHTY)
    got = answers(r) if r.code == 0 else []
    wrong = [(v, a["args"]) for v, a in zip(NAUGHTY, got) if a["args"].get("q") != v or a["args"].get("fixed") != "a b" or len(a["args"]) != 2]
    c.that(r.code == 0 and len(got) == len(NAUGHTY) and not wrong, "%d naughty values arrive in the query, alone and unchanged" % len(NAUGHTY), wrong[:5] or r)
    lists = s.component("t", s.peer_system(httpbin(), [{"method_name": "GET", "query_path": "/anything", "parameters": [
        {"name": "many", "in": "query"}, {"name": "comma", "in": "query", "explode": False}, {"name": "left", "in": "query"}, {"name": "zero", "in": "query"}]}]),
        [s.INPUT, s.call_step("GET", "/anything", {"many": ["a b", "c&d"], "comma": ["x", "y"], "left": None, "zero": 0}, result="body"), s.RESPOND])
    r = one(lists)
    c.that(r.code == 0 and answers(r)[0]["args"] == {"many": ["a b", "c&d"], "comma": "x,y", "zero": "0"}, "lists by explode, null left out, 0 kept", r)


def headers_and_cookies(c):
    comp = flow(peer(), "GET", "/echo/h", {"X-V": "=item.data.v"}, operation("GET", "/echo/h", ("header", "X-V")))
    good = [v for v in NAUGHTY if v and v == v.strip() and all(0x20 <= ord(x) < 0x7f for x in v)]
    r = go(comp, good)
    got = [dict((k.lower(), w) for k, w in a["headers"]).get("x-v") for a in answers(r)] if r.code == 0 else []
    c.equal(got, good, "%d naughty values arrive in a header unchanged" % len(good))
    before = PEER.seen()
    r = go(comp, ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\u0000b"])
    c.equal(r.code, 1, "CR, LF and NUL in a header fail their items")
    c.equal(PEER.seen(), before, "before connecting")
    r = go(flow(httpbin(), "GET", "/cookies", {"c": "=item.data.v"}, operation("GET", "/cookies", ("cookie", "c"))), good)
    got = [urllib.parse.unquote(a["cookies"].get("c", "")) for a in answers(r)] if r.code == 0 else []
    c.equal(got, good, "and in a cookie")


def json_bodies(c):
    r = go(flow(httpbin(), "POST", "/anything", {"v": "=item.data.v", "fixed": {"deep": [1, None, True, {"x": 0.10}]}}, operation("POST", "/anything")), NAUGHTY)
    got = answers(r) if r.code == 0 else []
    wrong = [(v, a["data"]) for v, a in zip(NAUGHTY, got) if a["json"] != {"v": v, "fixed": {"deep": [1, None, True, {"x": 0.1}]}}]
    c.that(r.code == 0 and len(got) == len(NAUGHTY) and not wrong, "%d naughty values arrive in a JSON body" % len(NAUGHTY), wrong[:5] or r)
    c.that(got and got[0]["headers"]["Content-Type"].startswith("application/json"), "declared as JSON", got[:1])
    r = one(flow(httpbin(), "PUT", "/anything", {"body": "=item.data"}, operation("PUT", "/anything")), "whole")
    c.that(r.code == 0 and answers(r)[0]["json"] == {"v": "whole"}, "a whole body by one row", r)


def form_bodies(c):
    op = operation("POST", "/anything", request_body={"content_type": "application/x-www-form-urlencoded"})
    r = go(flow(httpbin(), "POST", "/anything", {"v": "=item.data.v", "other": "a b"}, op), NAUGHTY)
    got = answers(r) if r.code == 0 else []
    wrong = [(v, a["form"]) for v, a in zip(NAUGHTY, got) if a["form"] != {"v": v, "other": "a b"}]
    c.that(r.code == 0 and len(got) == len(NAUGHTY) and not wrong, "%d naughty values arrive in a form body" % len(NAUGHTY), wrong[:5] or r)


def statuses(c):
    comp = flow(httpbin(), "GET", "/status/{v}", {"v": "=item.data.v"}, operation("GET", "/status/{v}", ("path", "v")))
    r = one(comp, "500")
    c.equal(r.code, 1, "/status/500 fails the run")
    c.that("call" in r.talk and "500" in r.talk and "peer" in r.talk and "/status/{v}" in r.talk, "and says step, system, path and status", r.talk)
    r = go(comp, ["200", "500", "404", "201"])
    c.equal((r.code, len(r.lines())), (7, 2), "two of four failed: exit 7, the others go on")
    r = one(flow(httpbin(), "GET", "/redirect-to", {"url": "/get"}, operation("GET", "/redirect-to", ("query", "url"))))
    c.that(r.code == 0 and answers(r)[0]["url"].endswith("/get"), "/redirect-to is followed for a GET", r)
    r = one(flow(httpbin(), "POST", "/redirect-to", {"query.url": "/post", "status_code": 307}, operation("POST", "/redirect-to", ("query", "url"), ("query", "status_code"))))
    c.that(r.code == 0 and answers(r)[0]["url"].endswith("/post"), "a POST goes on as it is after 307", r)
    r = one(flow(httpbin(), "POST", "/redirect-to", {"query.url": "/post", "status_code": 302}, operation("POST", "/redirect-to", ("query", "url"), ("query", "status_code"))))
    c.that(r.code == 1 and "302" in r.talk and "/post" in r.talk, "but not after 302: the item fails and names the Location", r)


def bodies(c):
    for coding in ("gzip", "brotli", "deflate"):
        r = one(flow(httpbin(), "GET", "/" + coding, {}, operation("GET", "/" + coding)))
        c.that(r.code == 0 and ("gzipped" in r.text or "brotli" in r.text or "deflated" in r.text), "/%s is unpacked" % coding, r)
    with urllib.request.urlopen("http://127.0.0.1:%d/bytes/1000?seed=7" % httpbin()) as f:
        raw = f.read()
    r = one(flow(httpbin(), "GET", "/bytes/1000", {"seed": 7}, operation("GET", "/bytes/1000", ("query", "seed"))))
    c.that(r.code == 0 and base64.b64encode(raw).decode() in r.text, "/bytes arrives byte for byte", r)
    r = one(flow(httpbin(), "GET", "/stream/5", {}, operation("GET", "/stream/5", answer="text")))
    c.that(r.code == 0 and [json.loads(x)["id"] for x in answers(r)[0].splitlines()] == [0, 1, 2, 3, 4], "/stream/5, chunked, read as text: five lines", r)
    r = one(flow(httpbin(), "GET", "/stream/5", {}, operation("GET", "/stream/5")))
    c.that(r.code == 1 and "JSON" in r.talk, "the same declared as one JSON text is a typed error", r)
    r = one(flow(peer(), "GET", "/body", {"type": "application/x-ndjson", "text": '{"a":1}\n{"a":2}\n'}, operation("GET", "/body", ("query", "type"), ("query", "text"))))
    c.that(r.code == 0 and answers(r)[0] == [{"a": 1}, {"a": 2}], "NDJSON becomes a list", r)
    r = one(flow(httpbin(), "GET", "/html", {}, operation("GET", "/html")))
    c.that(r.code == 1 and "html" in r.talk.lower(), "a web page is no result", r)
    for charset in ("utf-8", "iso-8859-1"):
        # ?text= is percent-encoded UTF-8 by us, and the peer sends just those bytes: in Latin-1 each of them is a character.
        mapping = {"type": "text/plain; charset=" + charset, "text": "=item.data.v"}
        r = one(flow(peer(), "GET", "/body", mapping, operation("GET", "/body", ("query", "type"), ("query", "text"))), "ᚻ é")
        c.that(r.code == 0 and answers(r) == ["ᚻ é".encode().decode(charset if charset == "utf-8" else "cp1252")], "text declared as %s" % charset, r)


def files(c):
    """Pictures and bytes by somebody else's server become files, and go back to it."""
    base = "http://127.0.0.1:%d" % httpbin()
    for path, mapping, name, media_type in (("/image/png", {}, "png", "image/png"), ("/bytes/{n}", {"n": "90000", "seed": "7"}, "90000", "application/octet-stream")):
        with urllib.request.urlopen(base + path.format(**mapping) + "?" + urllib.parse.urlencode({k: v for k, v in mapping.items() if k == "seed"})) as r:
            raw = r.read()
        d = s.directory()
        op = operation("GET", path, *([("path", "n"), ("query", "seed")] if mapping else []), answer="file")
        f = s.write_component(os.path.join(d, "t.json"), flow(httpbin(), "GET", path, mapping, op))
        r = s.run(["run", f, "-d", "v=x"], data=os.path.join(d, "data"))
        expected = {"file": hashlib.sha256(raw).hexdigest(), "name": name, "media_type": media_type, "bytes": len(raw)}
        c.equal(r.json()["_answer"] if r.code == 0 else r, expected, "%s becomes a file of the same bytes" % path)
    path = s.write(os.path.join(s.directory(), "note.txt"), "a note\n")
    op = operation("POST", "/post", request_body={"content_type": "multipart/form-data"})
    f = s.write_component(os.path.join(s.directory(), "t.json"), s.component("t", s.peer_system(httpbin(), [op]), [INPUT, s.RESPOND]))
    r = s.run(["call", "-f", f, "peer/all", "POST", "/post", "title=a title", "note=@" + path])
    told = r.json() if r.code == 0 else {}
    c.that(told and told["files"] == {"note": "a note\n"} and told["form"] == {"title": "a title"}, "it reads our multipart as we meant it", r)


def authentication(c):
    secret = "s3cret-%s" % "hunter2pass"
    env = {"WEIR_SECRET_PASSWORD": secret}
    basic = {"auth": {"kind": "basic", "username": "weir", "password": {"secret": "PASSWORD"}}}
    path = "/basic-auth/weir/%s" % secret
    comp = flow(httpbin(), "GET", path, {}, operation("GET", path), basic)
    r = one(comp, env=env, args=["-v"])
    c.that(r.code == 0 and answers(r)[0]["authenticated"] is True, "basic", r)
    r = one(flow(httpbin(), "GET", "/headers", {}, operation("GET", "/headers"), basic), env=env, args=["-v"])
    coded = base64.b64encode(b"weir:" + secret.encode()).decode()
    c.that(r.code == 0 and secret not in r.talk + r.text and coded not in r.talk + r.text, "a secret that the API echoes is masked in output and talk", r)
    bearer = {"auth": {"kind": "bearer", "token": {"secret": "PASSWORD"}}}
    r = one(flow(httpbin(), "GET", "/bearer", {}, operation("GET", "/bearer"), bearer), env=env)
    c.that(r.code == 0 and answers(r)[0]["authenticated"] is True, "bearer", r)
    for where, check in (("header", lambda a: a["headers"].get("X-Api-Key")), ("query", lambda a: a["args"].get("X-Api-Key")),
                         ("cookie", lambda a: a["headers"].get("Cookie", "").partition("=")[2])):
        system = {"auth": {"kind": "api_key", "in": where, "name": "X-Api-Key", "value": {"secret": "PASSWORD"}}}
        r = one(flow(httpbin(), "GET", "/anything", {}, operation("GET", "/anything"), system), env=env)
        got = check(answers(r)[0]) if r.code == 0 else None
        c.that(got in ("***", secret), "API key in a %s" % where, r)
    r = one(comp)
    c.that(r.code != 0 and "PASSWORD" in r.talk, "a secret that is not set is named", r)
    c.equal([p for p in walk(s._directories) if secret.encode() in open(p, "rb").read() and not p.endswith("t.json")], after_basic(secret), "no secret in any file of the data directories")


def after_basic(secret):
    """The path of /basic-auth holds the password by httpbin's own design; the store keeps paths. Everything else must be clean."""
    return [p for p in walk(s._directories) if b"/basic-auth/weir/" + secret.encode() in open(p, "rb").read() and not p.endswith("t.json")]


def walk(directories):
    for d in directories:
        for base, _, names in os.walk(d):
            for n in names:
                yield os.path.join(base, n)


if __name__ == "__main__":
    reason = available()
    if reason:
        s.skip_suite(reason)
    s.main(methods, path_values, query_values, headers_and_cookies, json_bodies, form_bodies, statuses, bodies, files, authentication)
