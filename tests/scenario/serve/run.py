#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The server and its REST face as docs/internals/rest.md states it: import, form, run, item, entries, problems, restart, kill."""
import json
import os
import re
import shutil
import socket
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

SAMPLE = []


def sample():
    if not SAMPLE:
        SAMPLE.append(s.Sample())
    return SAMPLE[0]


def is_problem(a, status):
    if a.status != status or not (a.headers.get("Content-Type") or "").startswith("application/problem+json"):
        return False
    p = a.json()
    return p.get("status") == status and isinstance(p.get("title"), str) and "type" in p and "detail" in p


def weather_form(c):
    server = s.Server(s.weather_file(sample().port), options=["--env", "sample"])
    c.equal([server.ask("GET", p).status for p in ("/healthz", "/readyz")], [200, 200], "healthz and readyz")
    a = server.ask("GET", "/api/v1/components")
    page = a.json()
    c.that(a.status == 200 and set(page) >= {"items", "next", "total"} and page["items"][0]["name"] == "weather" and "get_weather" in page["items"][0]["dataflows"], "the component is listed", a)
    a = server.ask("GET", "/api/v1/components/weather")
    c.that(a.status == 200 and a.json()["component"] == "weather", "and given as JSON", a)
    a = server.ask("GET", "/api/v1/components/weather", headers={"Accept": "application/yaml"})
    c.that(a.status == 200 and b"component: weather" in a.body, "or as YAML", a)
    a = server.ask("GET", "/api/v1/components/weather/forms/weather")
    form = a.json()
    c.that(a.status == 200 and form.get("submit") == "get_weather" and [f["name"] for f in form.get("fields", [])] == ["city"] and form.get("env") == "sample", "the form", a)
    a = server.ask("POST", "/api/v1/components/weather/forms/weather/submissions", {"data": {"city": "Paris"}, "language": "fr"})
    got = a.json()
    c.that(a.status == 200 and got["run"]["state"] == "done" and "Paris" in json.dumps(got["view"], ensure_ascii=False) and got.get("entry_id"), "submitting it gives run, entry and view", a)
    view = got.get("view") or {}
    c.that(view.get("table", {}).get("rows") and view.get("chart", {}).get("time") and view.get("values"), "the view has values, chart and table", view)
    run_id = got["run"]["id"]
    a = server.ask("GET", "/api/v1/runs/%s" % run_id)
    r = a.json()
    c.that(a.status == 200 and r["state"] == "done" and r["trigger"] == "form" and r["counts"]["items_out"] == 1 and len(r["steps"]) >= 5, "the run", a)
    a = server.ask("GET", "/api/v1/runs/%s/items/0" % run_id)
    item = a.json()
    calls = item.get("calls", [])
    c.that(a.status == 200 and item["state"] == "done" and len(calls) >= 2 and calls[0]["answer"]["status"] == 200, "the item with its calls", a)
    c.that(calls and all(k in calls[0]["request"] for k in ("method", "url", "headers")) and "timings_ms" in calls[0], "each with request, answer and timings", calls[:1])
    c.that([x["name"] for x in item.get("steps", [])], "and the item as each step left it", item.get("steps"))
    a = server.ask("GET", "/api/v1/runs/%s/items?state=all" % run_id)
    c.that(a.status == 200 and len(a.json()["items"]) == 1, "the run's items", a)
    a = server.ask("GET", "/api/v1/runs?limit=1")
    c.that(a.status == 200 and a.json()["items"][0]["id"] == run_id, "runs, newest first", a)
    a = server.ask("GET", "/api/v1/components/weather/entries")
    entries = a.json()
    c.that(a.status == 200 and entries["total"] == 1 and entries["items"][0]["data"]["city"] == "Paris", "the entry", a)
    entry_id = entries["items"][0]["id"]
    c.equal(server.ask("GET", "/api/v1/components/weather/entries/%s" % entry_id).json()["id"], entry_id, "one entry")
    server.restart()
    after = server.ask("GET", "/api/v1/components/weather/entries").json()
    c.equal(after["items"], entries["items"], "after a restart the entries are the same")
    a = server.ask("POST", "/api/v1/components/weather/forms/weather/submissions", {"data": {"city": "Xyzzyville"}})
    c.that(is_problem(a, 422) and "Xyzzyville" in a.json()["detail"] and a.json().get("run_id"), "an unknown city is a problem that names it", a)
    a = server.ask("POST", "/api/v1/components/weather/forms/weather/submissions", {"data": {}})
    c.that(is_problem(a, 422) and a.json()["errors"][0]["pointer"] == "/data/city", "a missing field is a problem with its pointer", a)
    c.equal(server.close(), 0, "SIGTERM ends the server with 0")


def runs_by_api(c):
    server = s.Server(s.weather_file(sample().port), options=["--env", "sample"])
    path = "/api/v1/components/weather/dataflows/get_weather/runs"
    a = server.ask("POST", path, {"data": {"city": "Tokyo"}})
    c.that(a.status == 202 and a.headers.get("Location"), "a run is started: 202 and Location", a)
    run = server.run_ended(a.headers["Location"].rsplit("/", 1)[1])
    c.that(run["state"] == "done" and run["trigger"] == "api" and run["duration_ms"] >= 0 and run["ended_at"], "and ends", run)
    a = server.ask("POST", path, {"items": [{"city": "Paris"}, {"city": "Xyzzyville"}, {"city": "Oslo"}]}, {"Prefer": "wait=10"})
    got = a.json()
    c.that(a.status == 200 and got["run"]["state"] == "partly done" and got["run"]["counts"] == {"items_in": 3, "items_out": 2, "failed": 1, "unknown": 0}, "Prefer: wait gives run and items", a)
    c.equal(len(got.get("items", [])), 2, "two items")
    a = server.ask("GET", "/api/v1/runs/%s/items?state=failed" % got["run"]["id"])
    bad = a.json()["items"]
    c.that(len(bad) == 1 and bad[0]["seq"] == 1 and bad[0]["state"] == "failed" and "Xyzzyville" in json.dumps(bad[0]["problem"]), "the failed item with its problem", a)
    for k in range(7):
        server.ask("POST", path, {"data": {"city": "City %d" % (k + 1)}}, {"Prefer": "wait=10"})
    seen, after = [], ""
    while True:
        page = server.ask("GET", "/api/v1/runs?limit=3" + after).json()
        seen += [r["id"] for r in page["items"]]
        if not page["next"]:
            break
        after = "&after=" + page["next"]
    c.that(len(seen) == 9 == len(set(seen)) and page["total"] == 9, "pages of three lead through all nine runs", seen)
    server.close()


def refusals(c):
    server = s.Server(s.weather_file(sample().port), options=["--env", "sample"])
    ask = server.ask
    c.that(is_problem(ask("GET", "/api/v1/nothing"), 404), "an unknown path")
    c.that(is_problem(ask("GET", "/api/v1/components/nope"), 404), "an unknown component")
    c.that(is_problem(ask("GET", "/api/v1/runs/4711"), 404), "an unknown run")
    c.that(is_problem(ask("GET", "/api/v1/runs/x"), 404) or is_problem(ask("GET", "/api/v1/runs/x"), 400), "a run that is no number")
    c.that(is_problem(ask("GET", "/api/v1/components/weather/entries/999"), 404), "an unknown entry")
    a = ask("DELETE", "/api/v1/runs")
    c.that(is_problem(a, 405) and a.headers.get("Allow"), "a method that is not there, with Allow", a)
    submit = "/api/v1/components/weather/forms/weather/submissions"
    for body, name in ((b"{", "cut JSON"), (b"", "no body"), (b"[]", "no object"), (b'{"data":{},"data":{}}', "duplicate keys"), (b"\xff", "not UTF-8"), (b"[" * 100000, "too deep")):
        a = ask("POST", submit, body)
        c.that(is_problem(a, 400) or is_problem(a, 422), "body with %s" % name, a)
    a = ask("POST", submit, {"data": {"city": "x" * 200000}})
    c.that(is_problem(a, 422), "a city that is too long", a)
    a = ask("POST", submit, {"data": {"city": 7}})
    c.that(a.status in (422, 502), "a city that is a number", a)
    a = ask("GET", "/api/v1/runs?limit=0")
    c.that(is_problem(a, 400) or is_problem(a, 422), "limit 0", a)
    a = ask("GET", "/api/v1/runs?limit=201")
    c.that(is_problem(a, 400) or is_problem(a, 422), "limit 201", a)
    a = ask("PUT", "/api/v1/components/broken", b"weir: 1\ncomponent: broken\ndataflows: 7\n", {"Content-Type": "application/yaml"})
    c.that(is_problem(a, 422) and a.json()["errors"] and "line" in a.json()["errors"][0], "a bad component, with line", a)
    good = s.component("echo", None, [s.INPUT, s.RESPOND])
    a = ask("PUT", "/api/v1/components/echo", good)
    c.that(a.status == 201 and a.json()["name"] == "echo" and a.json()["missing"] == [], "a good one: 201", a)
    c.equal(ask("PUT", "/api/v1/components/echo", good).status, 200, "again: 200")
    a = ask("PUT", "/api/v1/components/other", good)
    c.that(is_problem(a, 422) or is_problem(a, 400) or is_problem(a, 409), "under another name: refused", a)
    secret = s.component("sec", s.peer_system(9, base_url="http://127.0.0.1:9", auth={"kind": "bearer", "token": {"secret": "NOT_SET"}}), [s.INPUT, s.RESPOND])
    a = ask("PUT", "/api/v1/components/sec", secret)
    c.that(a.status == 201 and [m["name"] for m in a.json()["missing"]] == ["NOT_SET"], "missing secrets are listed", a)
    a = ask("POST", "/api/v1/components/echo/dataflows/flow/runs", b'{"data":{"id":12345678901234567890,"x":0.1000}}', {"Prefer": "wait=10"})
    c.that(a.status == 200 and b"12345678901234567890" in a.body and b"0.1000" in a.body, "numbers keep their text through the API", a)
    c.equal(ask("GET", "/healthz").status, 200, "and the server is well after all that")
    server.close()


def loopback_only(c):
    server = s.Server(s.weather_file(sample().port), options=["--env", "sample"])
    port = "%04X" % server.port
    bound = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as f:
            for line in f.read().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                if local.endswith(":" + port) and state == "0A":
                    bound.add(local.split(":")[0])
    c.that(bound and bound <= {"0100007F", "00000000000000000000000001000000"}, "listens on loopback only", bound)
    c.that("127.0.0.1:%d" % server.port in server.words(), "and prints the URL", server.words())
    second = s.run(["serve", "--port", server.port], data=s.directory(), timeout=20)
    c.that(second.code not in (0, None) and str(server.port) in second.talk, "a port that is taken is told", second)
    for name, data in (("bytes that are no HTTP", b"\x00\x01\x02\r\n\r\n"), ("an endless header", b"GET / HTTP/1.1\r\nX: " + b"a" * 300000), ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n"),
                       ("half a request", b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")):
        try:
            with socket.create_connection(("127.0.0.1", server.port), 5) as k:
                k.sendall(data)
                k.settimeout(1)
                k.recv(100)
        except OSError:
            pass
        c.equal(server.ask("GET", "/healthz").status, 200, "after %s the server is well" % name)
    big = b'{"data":{"city":"' + b"x" * (17 << 20) + b'"}}'
    try:
        a = server.ask("POST", "/api/v1/components/weather/forms/weather/submissions", big)
        c.equal(a.status, 413, "a body over the limit is 413")
    except (OSError, s.urllib.error.URLError):
        c.that(True, "a body over the limit is refused by closing")
    c.equal(server.ask("GET", "/healthz").status, 200, "and the server is well")
    server.close()


def pages(c):
    server = s.Server(s.weather_file(sample().port), options=["--env", "sample"])
    a = server.ask("GET", "/app/weather")
    if a.status == 404:
        c.skip("pages: this build has none (make ui)")
        server.close()
        return
    c.that(a.status == 200 and b"<script" in a.body and "text/html" in a.headers["Content-Type"], "/app/weather is a page", a)
    assets = re.findall(rb'(?:src|href)="(/assets/[^"]+)"', a.body)
    for path in assets:
        b = server.ask("GET", path.decode(), headers={"Accept-Encoding": "br"})
        c.that(b.status == 200 and "immutable" in (b.headers.get("Cache-Control") or ""), "%s, immutable" % path.decode(), b.headers)
    c.that(b"http://" not in a.body.replace(b"http://www.w3.org", b"") and b"https://" not in a.body, "the page asks nobody else", a)
    c.equal(server.ask("GET", "/runs").status, 200, "/runs is a page")
    server.close()


def open_intents(data):
    """Calls that stand in a killed server's ledger without an answer. Looked at in a copy: the original is for the server alone."""
    d = s.directory()
    for name in ("weir.db", "weir.db-wal"):
        if os.path.exists(os.path.join(data, name)):
            shutil.copy(os.path.join(data, name), d)
    with sqlite3.connect(os.path.join(d, "weir.db")) as db:
        intents, outcomes = (db.execute("SELECT count(*) FROM ledger WHERE kind = ?", (kind,)).fetchone()[0] for kind in (1, 2))
    return intents - outcomes


def killed_and_resumed(c):
    peer = s.Peer("--delay", "5")
    op = {"method_name": "GET", "query_path": "/record/{id}", "parameters": [{"name": "id", "in": "path", "required": True}]}
    comp = s.component("slow", s.peer_system(peer.port, [op]), [s.INPUT, s.call_step("GET", "/record/{id}", {"id": "=item.data.id"}, in_flight=4, result="body"), s.RESPOND])
    server = s.Server(s.write_component(os.path.join(s.directory(), "slow.json"), comp))
    n = 500
    a = server.ask("POST", "/api/v1/components/slow/dataflows/flow/runs", {"items": [{"id": k} for k in range(n)]})
    run_id = a.headers["Location"].rsplit("/", 1)[1]
    s.until(lambda: len(peer.requests()) > 50, "some calls")
    server.kill()
    before, unanswered = len(peer.requests()), open_intents(server.data)
    c.that(50 < before < n, "killed in the middle", before)
    server.open()
    run = server.run_ended(run_id)
    c.that(run["state"] == "done" and run["counts"]["items_out"] == n, "after a new start the run goes on by itself to its end", run)
    targets = [r["target"] for r in peer.requests()]
    c.equal(len(set(targets)), n, "every item was asked for")
    c.that(len(targets) <= n + unanswered, "and a second time only what had no answer on disk", (len(targets), unanswered))
    server.close()
    peer.close()


if __name__ == "__main__":
    s.main(weather_form, runs_by_api, refusals, loopback_only, pages, killed_and_resumed)
