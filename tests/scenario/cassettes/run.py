#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cassettes: recorded runs become tests, are replayed from the ledger, and meet changed files. No network is there while they play."""
import http.server
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

GUIDE = os.path.join(s.ROOT, "docs", "guide", "testing.md")
NO_NETWORK = ("unshare", "-rn")
RUNS = 100  # recorded and replayed


def alone():
    """What wraps weir so that it has no network at all, not even loopback; nothing where the machine does not allow that."""
    try:
        ok = subprocess.run([*NO_NETWORK, "true"], capture_output=True, timeout=s.WAIT).returncode == 0
    except OSError:
        ok = False
    return NO_NETWORK if ok else ()


def weather(change=None, where=None):
    """The weather example in a directory of its own, with its Paris cassette, the file perhaps changed."""
    d = where or s.directory()
    here = os.path.join(s.ROOT, "examples", "weather")
    with open(os.path.join(here, "weather.yaml"), encoding="utf-8") as f:
        text = f.read()
    if change:
        if change[0] not in text:
            raise RuntimeError("the example has no %r" % change[0])
        text = text.replace(*change)
    os.makedirs(os.path.join(d, "tests"), exist_ok=True)
    s.write(os.path.join(d, "weather.yaml"), text.encode())
    shutil.copy(os.path.join(here, "tests", "paris.cassette.ndjson"), os.path.join(d, "tests"))
    return d


def cassette(d, name="paris"):
    return os.path.join(d, "tests", name + ".cassette.ndjson")


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def write_lines(path, lines):
    s.write(path, "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines).encode())


def tested(*args, **more):
    return s.run(["test", *args], inside=alone(), **more)


def last_run(data):
    return s.run(["runs", "list", "-o", "ndjson", "--limit", 1], data=data).lines()[0]["id"]


def examples_pass(c):
    if not alone():
        c.skip("the examples' cassettes play without a network (no unshare -rn here)")
    r = tested(os.path.join(s.ROOT, "examples", "weather"), os.path.join(s.ROOT, "examples", "02-orders"))
    c.that(r.code == 0, "the examples' cassettes pass without a network", r)
    told = r.text.splitlines()
    c.that(told[0] == "TAP version 14" and told[-1] == "1..%d" % (len(told) - 2), "as TAP 14, with a plan", r)
    c.that("ok 4 - weather/get_weather paris.cassette.ndjson item 0" in told, "each item is a test", r)
    c.that("8 passed, 0 failed" in r.talk, "and a line closes", r)


def changes_are_found(c):
    d = weather(("forecast_days: =item._days", "forecast_days: 5"))
    r = tested(d)
    c.that(r.code == 1 and "step forecast: the request has changed" in r.text and "forecast_days=7" in r.text and "forecast_days=5" in r.text,
           "a changed mapping is a changed request, with both", r)
    d = weather(("rain.filter((v) => v < 0.1).length", "rain.length"))
    r = tested(d)
    c.that(r.code == 1 and "/_summary/dry_days: recorded" in r.text and "/data/dry_days: recorded" in r.text and "request has changed" not in r.text,
           "a changed script is a changed output and a changed entry, by pointer", r)
    d = weather(("rain: =item._summary.rain", "rain: 3"))
    r = tested(d)
    c.that(r.code == 1 and "step save: the entry has changed" in r.text and "/data/rain: recorded" in r.text and "the output has changed" not in r.text,
           "a changed fields_mapping is a changed entry, though the output is the same", r)
    d = weather(("item._days = 7;", "item._days = 7; throw new Error('no');"))
    r = tested(d)
    c.that(r.code == 1 and "step geocode: the recorded call is not made any more: GET http://127.0.0.1:8090/v1/search" in r.text and
           "the item fails now" in r.text, "calls that are not made any more are told", r)


def cassettes_are_edited(c):
    d = weather()
    lines = lines_of(cassette(d))
    write_lines(cassette(d), [x for x in lines if x.get("step") != "forecast"])
    r = tested(d)
    c.that(r.code == 1 and "the ledger holds no answer for GET http://127.0.0.1:8090/v1/forecast" in r.text, "a missing answer names its request", r)
    u = tested(d, "--update")
    c.that(u.code == 1 and tested(d).code == 1, "and --update does not get used to it", u)
    d = weather()
    extra = dict(next(x for x in lines if x.get("step") == "forecast"), step="another")
    write_lines(cassette(d), lines + [extra])
    r = tested(d)
    c.that(r.code == 1 and "step another: the recorded call is not made any more" in r.text, "a recorded call too many is told", r)
    d = weather()
    turned = [dict(x, output=dict(reversed(list(x["output"].items())))) if "output" in x else x for x in lines]
    with open(cassette(d), encoding="utf-8") as f:
        text = f.read()
    c.that([list(x["output"]) for x in turned if "output" in x] != [list(x["output"]) for x in lines if "output" in x], "(members do turn)")
    # numbers must keep their text, which Python does not do for us: turn only the top level, as text
    out = next(line for line in text.splitlines() if '"output":' in line)
    s.write(cassette(d), text.replace('{"data":{"city":"Paris"},"_city":"Paris",', '{"_city":"Paris","data":{"city":"Paris"},').encode())
    with open(cassette(d), encoding="utf-8") as f:
        c.that(out not in f.read(), "(and the file has them so)")
    r = tested(d)
    c.that(r.code == 0, "members in another order are equal", r)
    d = weather()
    s.write(cassette(d), re.sub(r'("output":.*"elevation":)(\d+)\.0', r"\g<1>\2", text).encode())
    r = tested(d)
    c.that(r.code == 1 and "/elevation: recorded" in r.text, "a number with another text is not", r)


def update(c):
    d = weather(("forecast_days: =item._days", "forecast_days: 5"))
    before = open(cassette(d), "rb").read()
    r = tested(d, "--update")
    after = open(cassette(d), "rb").read()
    c.that(r.code == 0 and "forecast_days=5" in r.talk and after != before, "--update takes over what happens now and says what changed", r)
    old, new = before.splitlines(), after.splitlines()
    c.that(len(old) == len(new) and sum(a != b for a, b in zip(old, new)) == 1, "one line of the file changes", r)
    r = tested(d, "--update")
    c.that(r.code == 0 and open(cassette(d), "rb").read() == after and "is updated" not in r.talk, "a second one changes nothing", r)
    d = weather()
    before = open(cassette(d), "rb").read()
    tested(d, "--update")
    c.that(open(cassette(d), "rb").read() == before, "nor does one of what is as it was: the file is canonical")


def results(c):
    d = weather(("forecast_days: =item._days", "forecast_days: 5"))
    junit = os.path.join(d, "results.xml")
    r = tested(d, "--junit", junit)
    if c.that(os.path.exists(junit), "JUnit XML is written", r):
        root = ElementTree.parse(junit).getroot()
        case = root.find("./testsuite/testcase")
        why = case.find("failure").text
        c.that(root.get("failures") == "1" and case.get("classname") == "weather/get_weather" and "forecast_days=5" in why, "with failures in it", why)
    c.that(r.out == b"", "and TAP only when asked for", r)
    r = tested(s.directory())
    c.that(r.code == 3 and "no cassette was found" in r.talk, "a directory without cassettes is told", r)
    r = tested(os.path.join(d, "none.yaml"))
    c.that(r.code == 3, "so is a file that is not there", r)
    broken = {"": "the cassette is empty", "{}\n": "line 1", '{"weir_cassette":1,"component":"weather"}\n': "line 1: dataflow",
              open(cassette(d)).readline() + '{"item":0,"input":[]}\n': "line 2: input is an object",
              open(cassette(d)).readline() + '{"item":0,"output":{}}\n': "item 0 has no line of input",
              open(cassette(d)).readline() + '{"item":0,"input":{}}\n{"item":0,"step":"x","attempt":1,"request":{"method":"GET","url":"/"},"answer":{"status":"a"}}\n': "line 3: answer: status"}
    for text, words in broken.items():
        path = s.write(os.path.join(d, "broken.cassette.ndjson"), text.encode())
        r = tested(os.path.join(d, "weather.yaml"), "--cassette", path)
        c.that(words in r.text and r.code == 1, "a broken cassette is told: %s" % words, r)


def shop(port, **operation):
    """POSTs with secrets, dice and the clock: what a request is made of."""
    system = s.peer_system(port, [dict({"method_name": "POST", "query_path": "/record/orders", "idempotency_key": True}, **operation)],
                           auth={"kind": "bearer", "token": {"secret": "SHOP_TOKEN"}}, headers={"X-Trace": "trace-me"})
    script = {"name": "dice", "kind": "execute_script", "script": "item._dice = Math.random(); item._at = new Date().toISOString(); item._mail = item.data.mail;"}
    call = s.call_step("POST", "/record/orders", {"id": "=item.data.id", "dice": "=item._dice", "at": "=item._at", "mail": "=item._mail"}, result="$.id")
    model = [{"name": "id", "type": "integer"}, {"name": "mail", "type": "string"}]
    return s.component("shop", system, [s.INPUT, script, call, s.RESPOND], model=model)


def secrets_and_redaction(c):
    peer = s.Peer()
    d, token = s.directory(), "tok-5f1c9a7e-secret"
    data, flow = os.path.join(d, "data"), s.write_component(os.path.join(d, "shop.json"), shop(peer.port))
    os.makedirs(os.path.join(d, "tests"))
    r = s.run(["run", flow, "-d", "id=7", "-d", "mail=ann@example.com"], data=data, env={"WEIR_SECRET_SHOP_TOKEN": token})
    sent = peer.requests()
    c.that(r.code == 0 and token in json.dumps(sent[0]["headers"]), "the run sent its token", (r, sent))
    e = s.run(["runs", "export", 1, "-o", cassette(d, "plain")], data=data)
    text = open(cassette(d, "plain")).read()
    c.that(e.code == 0 and token not in text and "ann@example.com" in text and "trace-me" in text, "a cassette holds no secret", e)
    e = s.run(["runs", "export", 1, "--redact", "x-trace", "--redact", "$..mail", "--redact", "$._mail", "-o", cassette(d, "redacted")], data=data)
    text = open(cassette(d, "redacted")).read()
    c.that(e.code == 0 and "ann@example.com" not in text and "trace-me" not in text, "--redact takes out headers and values", text)
    r = tested(d)
    c.that(r.code == 0 and "2 passed" in r.talk, "both pass without the secret being set", r)
    c.equal(len(peer.requests()), 1, "nothing was sent")
    s.write_component(flow, shop(peer.port, idempotency_key=False))
    r = tested(d)
    c.that(r.code == 1 and "/headers/" in r.text, "a header that is missing now is a difference", r)
    peer.close()


def bodies(c):
    """What an answer's body is on a cassette: JSON where that loses nothing or white space says nothing, else text, else base64."""
    d = s.directory()
    os.makedirs(os.path.join(d, "tests"))
    bodies_of = {"bytes": ("application/octet-stream", b"\x00\xff\xfe", {"base64": "AP/+"}), "plain": ("text/plain", 'h\u00e9 "x"'.encode(), {"text": 'h\u00e9 "x"'}),
                 "spaced": ("text/plain", b'{"a": 1.0}', {"text": '{"a": 1.0}'}), "json": ("application/json", b'{ "a": 1.0 }', {"json": {"a": 1.0}}),
                 "none": ("text/plain", b"", None)}
    for name, (media_type, body, expected) in bodies_of.items():
        server = serve(body, media_type)
        step = s.call_step("GET", "/x", {}, result="body")
        flow = s.write_component(os.path.join(d, name + ".json"), s.component(name, s.peer_system(server.server_address[1]), [s.INPUT, step, s.RESPOND]))
        r = s.run(["run", flow, "-d", "id=1"], data=os.path.join(d, name))
        e = s.run(["runs", "export", 1, "-o", cassette(d, name)], data=os.path.join(d, name))
        server.shutdown()
        got = [x["answer"]["body"] for x in lines_of(cassette(d, name)) if "answer" in x]
        c.that(r.code == 0 and e.code == 0 and got == [expected], "a body that is %s: %s" % (name, expected), (r, e, got))
    r = tested(d)
    c.that(r.code == 0 and "5 passed" in r.talk, "and they play", r)


def serve(body, media_type="application/json"):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def lists(c):
    rows = json.dumps([{"n": i, "pad": "x" * 3000} for i in range(40)]).encode()  # longer than what is held before it is taken apart
    server = serve(rows)
    d = s.directory()
    data, place = os.path.join(d, "data"), "/list"
    system = s.peer_system(server.server_address[1])
    step = s.call_step("GET", place, {}, items="$[*]")
    second = {"name": "shape", "kind": "execute_script", "script": "item._m = item._answer.n * 2;"}
    flow = s.write_component(os.path.join(d, "list.json"), s.component("list", system, [s.INPUT, step, second, s.RESPOND]))
    r = s.run(["run", flow, "-d", "id=1"], data=data)
    if not c.that(r.code == 0 and r.talk.count("shape") == 1, "a list becomes items", r):
        server.shutdown()
        return
    os.makedirs(os.path.join(d, "tests"))
    e = s.run(["runs", "export", 1, "-o", cassette(d, "list")], data=data)
    r = tested(d)
    c.that(e.code == 0 and r.code == 0 and "41 passed" in r.talk, "they are on the cassette with their parent", (e, r))
    r = s.run(["run", "--replay", 1], data=data)
    c.that(r.code == 0 and len(r.lines()) == 40 and "41 items, 1 requests the same, 0 differences" in r.talk, "and the run is replayed", r)
    server.shutdown()


def replays(c):
    """Dice, the clock, retries and keys: each request of each run is made again byte for byte."""
    peer = s.Peer("--fail", "0.2", "--seed", "3")
    d = s.directory()
    data, flow = os.path.join(d, "data"), s.write_component(os.path.join(d, "shop.json"), shop(peer.port))
    env = {"WEIR_SECRET_SHOP_TOKEN": "tok-5f1c9a7e-secret"}
    items = s.write(os.path.join(d, "items.ndjson"), "".join('{"id":%d,"mail":"m%d@example.com"}\n' % (i, i) for i in range(3)))
    outputs = {}
    for i in range(1, RUNS + 1):
        r = s.run(["run", flow, "--items", items, "-q"], data=data, env=env)
        outputs[i] = r.out
    sent = len(peer.requests())
    c.that(sent >= RUNS * 3, "%d runs are recorded, some calls again" % RUNS, sent)
    peer.close()
    wrong = []
    for i in range(1, RUNS + 1):
        r = s.run(["run", "--replay", i], data=data, inside=alone())
        if r.code or r.out != outputs[i] or "3 items, 3 requests the same, 0 differences" not in r.talk:
            wrong.append((i, r))
    c.that(not wrong, "%d replays: requests byte for byte, outputs byte for byte, without a network" % RUNS, wrong[:2])
    db = sqlite3.connect(os.path.join(data, "weir.db"))
    table = next(t for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type='table' AND name='ledger'"))
    done = db.execute("UPDATE %s SET head = replace(head, 'm1@example.com', 'm1@example.org') WHERE run = 5 AND kind = 1 AND seq = 1" % table).rowcount
    db.commit()
    db.close()
    r = s.run(["run", "--replay", 5], data=data)
    c.that(done >= 1 and r.code == 1 and "item 1, step call: the request has changed" in r.talk and "m1@example.org" in r.talk and "m1@example.com" in r.talk,
           "a recorded request that is not what the run makes is told", r)


def dice_of_its_own(c):
    """How deep a function may call itself hangs on how often it ran before: no script should ask, but one can."""
    d = s.directory()
    data = os.path.join(d, "data")
    odd = {"name": "odd", "kind": "execute_script", "script": "let d = 0; const f = () => { d++; f(); }; try { f(); } catch (e) {} item._n = d;"}
    flow = s.write_component(os.path.join(d, "odd.json"), s.component("odd", None, [s.INPUT, odd, s.RESPOND]))
    items = s.write(os.path.join(d, "items.ndjson"), "".join('{"id":%d}\n' % i for i in range(60)))
    s.run(["run", flow, "--items", items], data=data)
    r = s.run(["run", "--replay", 1], data=data)
    c.that(r.code == 1 and re.search(r"not deterministic: item \d+, step odd gave one thing, then another\n  /_n: first \d+, then \d+", r.talk),
           "a script that is not deterministic is found, with step, item and pointer", r)


def over_and_plan(c):
    sample = s.Sample()
    d = s.directory()
    data, flow = os.path.join(d, "data"), s.weather_file(sample.port, d)
    items = s.write(os.path.join(d, "cities.ndjson"), '{"city":"Paris"}\n{"city":"Oslo"}\n{"city":"Nowhereville"}\n')
    r = s.run(["run", flow, "--env", "sample", "--items", items, "-o", os.path.join(d, "out.ndjson")], data=data)
    c.that(r.code == 7, "a run is recorded", r)
    sample.close()
    text = open(flow, encoding="utf-8").read()

    def over(old, new):
        changed = s.write(os.path.join(d, "changed.yaml"), text.replace(old, new).encode())
        return s.run(["run", changed, "--over", 1], data=data, inside=alone())
    r = over("daily: [temperature_2m_max, temperature_2m_min, precipitation_sum]", "daily: [temperature_2m_max, precipitation_sum]")
    c.that(r.code == 0 and "geocode: 3 the same" in r.text and "forecast: 2 changed" in r.text and
           "3 items of run 1, 2 of them end at a call that would be sent" in r.text, "--over tells the requests that would be others", r)
    r = over("temperature: =item._summary.temperature", "temperature: =item._summary.temperature * 9 / 5 + 32")
    c.that(r.code == 0 and "forecast: 2 the same" in r.text and "entries: 2 changed" in r.text and "/data/temperature: recorded" in r.text and
           "problems: 1 the same" in r.text, "another unit: the requests are the same, the entries are not", r)
    r = over("item._days = 7;", "item._days = 7; item._fahrenheit = true;")
    c.that(r.code == 0 and "outputs: 2 changed" in r.text and "/_fahrenheit: recorded nothing, now true" in r.text, "outputs by pointer", r)
    r = over("nothing that is there", "")
    c.that(r.code == 0 and "outputs: 2 the same" in r.text and "changed" not in r.text, "the same file changes nothing", r)
    n = last_run(data)
    r = s.run(["run", flow, "--env", "sample", "--items", items, "--plan"], data=os.path.join(d, "none"), inside=alone())
    c.that(r.code == 0 and "geocode: GET open-meteo-geocoding/search /v1/search, 3 requests (at least once: GET may be repeated)" in r.text and
           "name=Oslo" in r.text and "3 items would send" in r.text, "--plan shows the first requests", r)
    changed = s.write(os.path.join(d, "changed.yaml"), text.replace("forecast_days: =item._days", "forecast_days: 5").encode())
    r = s.run(["run", changed, "--env", "sample", "--items", items, "--plan", "--diff", 1], data=data, inside=alone())
    c.that(r.code == 0 and "forecast: GET open-meteo/forecast /v1/forecast, 2 requests" in r.text and "beside run 1: 3 the same" in r.text and
           "beside run 1: 2 changed" in r.text and "forecast_days=5" in r.text, "--diff leads on by a run's answers and tells what is another request", r)
    c.that(int(n) == 1 and not os.path.exists(os.path.join(d, "none")), "and neither keeps anything", n)


def guide_holds(c):
    text = open(GUIDE, encoding="utf-8").read()
    d = s.directory()
    os.makedirs(os.path.join(d, "tests"))

    def block(words):
        return re.search(r"^```" + words + r"\n(.*?)^```", text, re.S | re.M).group(1)
    s.write(os.path.join(d, "units.yaml"), block("yaml component").encode())
    s.write(cassette(d, "units"), block("ndjson cassette").encode())
    r = tested(d)
    c.that(r.code == 0 and "1 passed, 0 failed" in r.talk, "the guide's cassette passes", r)
    s.write(os.path.join(d, "units.yaml"), block("yaml component").replace("units: metric", "units: imperial").encode())
    r = tested(d)
    c.equal(r.text, block("text failure"), "and fails as the guide shows")


if __name__ == "__main__":
    s.main(examples_pass, changes_are_found, cassettes_are_edited, update, results, secrets_and_redaction, bodies, lists, replays, dice_of_its_own,
           over_and_plan, guide_holds)
