#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Retries: what an answer asks for is honoured, what must not be repeated is not, and every attempt is seen."""
import http.server
import json
import os
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


s.main(waits_as_asked, rest_is_for_all, too_long_is_said, posts_are_not_repeated, permanent_is_permanent)
