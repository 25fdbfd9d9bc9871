#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Retries: what an answer asks for is honoured, what must not be repeated is not, and every attempt is seen."""
import datetime
import http.server
import json
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402


class Api:
    """Answers `first` (status, headers) to the first requests of each path, then 200. Remembers when each request came."""

    def __init__(self, first, times):
        api = self
        self.seen, self.lock = [], threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with api.lock:
                    before = sum(1 for _, m, p in api.seen if (m, p) == (self.command, self.path))
                    api.seen.append((time.monotonic(), self.command, self.path))
                status, headers = first if before < times else (200, {})
                body = json.dumps({"id": self.path}).encode()
                self.send_response(status)
                for name, value in dict({"Content-Type": "application/json"}, **headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()


def go(api, method, n=1, **more):
    d = s.directory()
    step = s.call_step(method, "/a/{id}", {"id": "=item.data.id"}, **more)
    f = s.write_component(os.path.join(d, "c.json"), s.component("retry", s.peer_system(api.port), [s.INPUT, step, s.RESPOND]))
    i = s.write(os.path.join(d, "in.ndjson"), "".join('{"id":%d}\n' % k for k in range(n)))
    r = s.run(["run", f, "--items", i, "--env", "test"], data=os.path.join(d, "data"))
    api.close()
    return r, os.path.join(d, "data")


def waits_as_asked(c):
    api = Api((429, {"Retry-After": "1"}), 1)
    r, _ = go(api, "GET")
    c.that(r.code == 0 and len(api.seen) == 2, "429 with Retry-After is asked again", r)
    c.that(api.seen[1][0] - api.seen[0][0] >= 0.95, "not before the second that the answer asked for", api.seen)


def rest_is_for_all(c):
    api = Api((429, {"Retry-After": "1"}), 1)
    r, _ = go(api, "GET", n=5, in_flight=1)
    first = api.seen[0][0]
    c.that(r.code == 0, "the run is done", r)
    c.that(all(t - first >= 0.95 for t, _, _ in api.seen[1:]), "one 429 holds back all calls of the step", [t - first for t, _, _ in api.seen])


def too_long_is_said(c):
    api = Api((503, {"Retry-After": "3600"}), 99)
    r, _ = go(api, "GET", max_wait="2s")
    c.that(r.code == 1 and len(api.seen) == 1 and "503" in r.talk, "a rest longer than max_wait fails the item at once", r)


def posts_are_not_repeated(c):
    api = Api((500, {}), 99)
    r, _ = go(api, "POST")
    c.that(r.code == 1 and len(api.seen) == 1, "a POST that was answered 500 is sent once", r)
    api = Api((429, {"Retry-After": "0"}), 1)
    r, _ = go(api, "POST")
    c.that(r.code == 0 and len(api.seen) == 2, "429 says that it was not processed: a POST may go again", r)
    api = Api((503, {}), 1)
    r, _ = go(api, "PUT")
    c.that(r.code == 0 and len(api.seen) == 2, "a PUT may be repeated after 503", r)


def permanent_is_permanent(c):
    for status in (400, 401, 404, 410, 422):
        api = Api((status, {}), 99)
        r, _ = go(api, "GET")
        c.that(r.code == 1 and len(api.seen) == 1, "%d is not asked again" % status, r)


BUSY, MOVED, FINE = (503, {"Retry-After": "1"}), (302, {"Location": "/b"}), (200, {})


def three_attempts(answers=None):
    """A data directory with a run of one item: 503 once, then a redirect, then 200."""
    api = s.Scripted(answers or {"/a": [BUSY, MOVED], "/b": [FINE]})
    d = s.directory()
    step = s.call_step("GET", "/a", {}, attempts=2)
    f = s.write_component(os.path.join(d, "c.json"), s.component("retry", s.peer_system(api.port), [s.INPUT, step, s.RESPOND]))
    return api, f, os.path.join(d, "data")


def attempts_are_told(c):
    api, f, data = three_attempts()
    r = s.run(["run", f, "-d", "id=1", "--env", "test"], data=data)
    c.equal(r.code, 0, "503 once, then a redirect, then 200: the run is done")
    r = s.run(["runs", "show", "1", "0"], data=data)
    heads = [line.strip() for line in r.text.splitlines() if line.strip().startswith("attempt")]
    c.that([h.split(",")[0] for h in heads] == ["attempt 1: 503 Service Unavailable", "attempt 2: 302 Found", "attempt 3: 200"],
           "`runs show RUN ITEM` names three attempts", r)
    waited = re.findall(r"because: Retry-After: 1 s, after (\d+) ms", r.text)
    c.that(waited and int(waited[0]) >= 950 and "because: redirect from /a" in r.text, "each with its reason", r.text)
    judged = [line.strip() for line in r.text.splitlines() if line.strip().startswith("judged")]
    c.equal(judged, ["judged: wait (default: 503)", "judged: redirect", "judged: ok (default: 200)"], "and what its answer was taken for, by which rule")
    c.that(r.text.isascii() and all(len(line) <= 80 for line in r.text.splitlines()), "into a pipe: ASCII, 80 columns at most", r.text)
    c.equal(r.text.count("|") // 2, 3, "a bar for each")
    colored = s.run(["runs", "show", "1", "0"], data=data, env={"FORCE_COLOR": "1", "NO_COLOR": ""}).text
    c.that("\033[" in colored and "\033[" not in s.run(["runs", "show", "1", "0"], data=data, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).text,
           "colour where it is asked for, never against NO_COLOR", colored)
    calls = s.run(["runs", "show", "1", "0", "-o", "json"], data=data).json()
    c.equal([(x["attempt"], (x["again"] or {}).get("why"), x["verdict"]) for x in calls],
            [(1, None, "wait"), (2, "asked", "redirect"), (3, "redirect", "ok")], "the same as JSON")
    at = [datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (calls[0]["intent_at"], calls[-1]["outcome_at"])]
    told = sum(sum(x["phases_ms"].values()) + (x["again"]["wait_ms"] if x["again"] else 0) for x in calls)
    c.that(950 <= told <= (at[1] - at[0]).total_seconds() * 1000 + 500, "waits and phases add up to the call's time: no second is told twice", (told, at))
    r = s.run(["call", "-v", "-f", f, "--env", "test", "peer/all", "GET", "/a"], data=data)
    c.that(r.code == 0 and "* attempt 1: 302 Found" in r.talk and "*   because: redirect from /a" in r.talk and "* attempt 2: 200" in r.talk,
           "`call -v` tells its attempts, too", r)
    api.close()


def attempts_of_a_failure_are_told(c):
    api, f, data = three_attempts({"/a": [(503, {})]})
    r = s.run(["run", f, "-d", "id=1", "--env", "test"], data=data)
    c.equal(r.code, 1, "503 and 503: the item fails")
    problems = s.run(["runs", "show", "1"], data=data).json()["problems"]
    got = [(x["step"], x["attempt"], x["why"], x["status"], x["verdict"]) for x in problems[0]["attempts"]] if problems else None
    c.equal(got, [("call", 1, None, 503, "retry"), ("call", 2, "back-off after 503", 503, "retry")], "its problem tells the attempts that led to it")
    c.that(s.run(["runs", "show", "1", "x"], data=data).code == 2 and s.run(["runs", "show", "2", "0"], data=data).code == 3,
           "what is no item's number, and no run, is refused")
    api.close()


s.main(waits_as_asked, rest_is_for_all, too_long_is_said, posts_are_not_repeated, permanent_is_permanent, attempts_are_told, attempts_of_a_failure_are_told)
