#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages in a real browser over the real server: ui/test/e2e against `weir serve`, then the entry is still there after a restart."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402


def browser_claims(c, log_name, command):
    """Runs a set of browser claims, prints and counts them; its exit code."""
    log = os.path.join(s.directory(), log_name)
    with open(log, "wb") as f:
        code = subprocess.run(command, stdout=f, stderr=f, stdin=subprocess.DEVNULL, timeout=500).returncode
    with open(log, errors="replace") as f:
        text = f.read()
    print(text, end="")
    closing = re.findall(r"(\d+) passed, (\d+) failed", text)
    if closing:
        c.passed += int(closing[-1][0])
        c.failed += int(closing[-1][1])
    return code


def attempts_in_a_browser(c):
    api = s.Scripted({"/a": [(503, {"Retry-After": "1"}), (302, {"Location": "/b"})], "/b": [(200, {})]})
    f = s.write_component(os.path.join(s.directory(), "busy.json"),
                          s.component("busy", s.peer_system(api.port), [s.INPUT, s.call_step("GET", "/a", {}), s.RESPOND]))
    server = s.Server(f, options=["--env", "test"])
    if server.ask("GET", "/runs").status == 404:
        server.close()
        s.skip_suite("this build has no pages (make ui)")
    run = server.ask("POST", "/api/v1/components/busy/dataflows/flow/runs", {"items": [{"id": 1}]}).json()
    c.equal(server.run_ended(run["id"])["state"], "done", "503 once, then a redirect, then 200: the run is done")
    calls = server.ask("GET", "/api/v1/runs/%s/items/0" % run["id"]).json()["calls"]
    c.equal([(x["answer"]["status"], (x["again"] or {}).get("text"), x["verdict"]) for x in calls],
            [(503, None, "wait"), (302, "Retry-After: 1 s", "redirect"), (200, "redirect from /a", "ok")], "three attempts with reasons")
    code = browser_claims(c, "attempts.log", ["node", os.path.join(s.ROOT, "ui", "test", "e2e", "waterfall.mjs"), "%s/runs/%s?item=0" % (server.url, run["id"])])
    c.equal(code, 0, "and three rows in a browser")
    server.close()
    api.close()


def decisions_in_a_browser(c):
    """A run that was killed amid POSTs without key; the browser decides, and the peer says how often each was sent."""
    peer, d = s.Peer("--delay", "400"), s.directory()
    op = {"method_name": "POST", "query_path": "/record/{id}", "parameters": [{"name": "id", "in": "path", "required": True}]}
    step = s.call_step("POST", "/record/{id}", {"id": "=item.data.id"}, in_flight=6, result="body")
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, step, s.RESPOND]))
    items, data = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(12))), os.path.join(d, "data")
    p = s.start([s.WEIR, "run", f, "--items", items, "--data", data], stdout=subprocess.DEVNULL)
    s.until(lambda: len(peer.requests()) >= 6, "calls under way")
    s.kill(p)
    s.run(["run", "--resume", "1"], data=data)
    api = s.Scripted({"/bad/%d" % k: [(500, {}), (200, {})] for k in range(3)})
    op = dict(op, query_path="/bad/{id}")
    step = s.call_step("POST", "/bad/{id}", {"id": "=item.data.id"}, result="body")
    f = s.write_component(os.path.join(d, "bad.json"), s.component("bad", s.peer_system(api.port, [op]), [s.INPUT, step, s.RESPOND]))
    r = s.run(["run", f, "--items", s.write(os.path.join(d, "b.ndjson"), "".join('{"id":%d}\n' % k for k in range(3)))], data=data)
    c.equal(r.code, 1, "a second run fails")
    server = s.Server(data=data)
    if server.ask("GET", "/runs").status == 404:
        server.close()
        s.skip_suite("this build has no pages (make ui)")
    unknown = [x["seq"] for x in server.ask("GET", "/api/v1/runs/1/items?state=unknown").json()["items"]]
    code = browser_claims(c, "decide.log", ["node", os.path.join(s.ROOT, "ui", "test", "e2e", "decide.mjs"), "%s/runs/1" % server.url, "%s/runs/2" % server.url])
    c.equal(code, 0, "unknown outcomes are decided in a browser")
    sent = [x["target"] for x in peer.requests()]
    c.equal({k: sent.count("/record/%d" % k) for k in range(12)}, {k: 2 if k in unknown[2:] else 1 for k in range(12)}, "the peer: twice only where decided so")
    server.close()
    api.close()
    peer.close()


def in_a_browser(c):
    sample = s.Sample()
    server = s.Server(s.weather_file(sample.port), options=["--env", "sample"])
    if server.ask("GET", "/app/weather").status == 404:
        server.close()
        sample.close()
        s.skip_suite("this build has no pages (make ui)")
    code = browser_claims(c, "e2e.log", ["sh", os.path.join(s.ROOT, "ui", "e2e.sh"), server.url])
    c.equal(code, 0, "the browser's claims hold over the real server")
    before = server.ask("GET", "/api/v1/components/weather/entries").json()
    c.that(before["total"] >= 1, "what the browser asked for was saved", before)
    server.restart()
    after = server.ask("GET", "/api/v1/components/weather/entries").json()
    c.equal(after["items"], before["items"], "and is there after a restart")
    server.close()
    sample.close()


if __name__ == "__main__":
    if not os.path.isdir(os.path.join(s.ROOT, "ui", "node_modules", "playwright-core")):
        s.skip_suite("ui/node_modules is not installed (scripts/bootstrap.sh ui)")
    if not (shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")):
        s.skip_suite("chromium is not installed")
    s.main(attempts_in_a_browser, decisions_in_a_browser, in_a_browser)
