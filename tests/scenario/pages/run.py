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


def in_a_browser(c):
    sample = s.Sample()
    server = s.Server(s.weather_file(sample.port), options=["--env", "sample"])
    if server.ask("GET", "/app/weather").status == 404:
        server.close()
        sample.close()
        s.skip_suite("this build has no pages (make ui)")
    log = os.path.join(s.directory(), "e2e.log")
    with open(log, "wb") as f:
        code = subprocess.run(["sh", os.path.join(s.ROOT, "ui", "e2e.sh"), server.url], stdout=f, stderr=f, stdin=subprocess.DEVNULL, timeout=500).returncode
    with open(log, errors="replace") as f:
        text = f.read()
    print(text, end="")
    closing = re.findall(r"(\d+) passed, (\d+) failed", text)
    if closing:
        c.passed += int(closing[-1][0])
        c.failed += int(closing[-1][1])
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
    s.main(in_a_browser)
