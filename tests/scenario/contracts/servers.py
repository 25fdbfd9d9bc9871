# SPDX-License-Identifier: Apache-2.0
"""The servers by others that tests/npm installs, each on a free port of loopback."""
import json
import os
import re
import shutil
import subprocess
import urllib.request

import support as s

MODULES = os.path.join(s.ROOT, "tests", "npm", "node_modules")
PROBLEM = "https://stoplight.io/prism/errors#"
# Neither server asks for updates by itself; should one learn to, it is told not to.
QUIET = {"NO_UPDATE_NOTIFIER": "1", "SCARF_ANALYTICS": "false", "DO_NOT_TRACK": "1", "CI": "1"}


def node():
    fetched = os.path.join(s.ROOT, "build", "node", "node_modules", "node", "bin", "node")  # by scripts/bootstrap.sh, where the machine's is too old
    return fetched if os.path.exists(fetched) else shutil.which("node")


def missing(package):
    """Why a server cannot be started, or None."""
    if not node():
        return "node is not installed (scripts/bootstrap.sh test)"
    if not os.path.exists(os.path.join(MODULES, package, "package.json")):
        return "%s is not installed (scripts/bootstrap.sh test)" % package
    return None


def version(package):
    with open(os.path.join(MODULES, package, "package.json")) as f:
        return json.load(f)["version"]


def script(package, name):
    with open(os.path.join(MODULES, package, "package.json")) as f:
        bins = json.load(f)["bin"]
    return os.path.join(MODULES, package, bins if isinstance(bins, str) else bins[name])


class Server:
    TRIES = 3  # a port that was free may be somebody else's by the time that node has started

    def __init__(self, package, name, *words, trace=None):
        # -D: the server is our child and strace its, so that the server is what is ended
        strace = ["strace", "-D", "-f", "-qq", "-e", "trace=connect,bind", "-o", trace] if trace else []
        self.command = [*strace, node(), script(package, name), *words]
        self.log = os.path.join(s.directory(), name + ".log")
        self.open()

    def open(self):
        self.port = s.free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        with open(self.log, "wb") as log:
            self.process = s.start([str(self.port) if w == "PORT" else w for w in self.command], env=QUIET, stdout=log, stderr=subprocess.STDOUT)

    def wait(self):
        """True when it listens, False when it ended before: its log says why. A large document takes its time; TimeoutError when it never ends."""
        for _ in range(self.TRIES):
            s.until(lambda: self.process.poll() is not None or self.is_ours(), "the server's port", s.WAIT * 5)
            if self.process.poll() is None:
                return True
            if not re.search("EADDRINUSE|Cannot bind", self.words()):
                return False
            self.open()
        return False

    def is_ours(self):
        """Whether the port is listened on by our process, and not by another that came first."""
        inodes = set()
        with open("/proc/net/tcp") as f:
            for line in f.read().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == self.port:
                    inodes.add("socket:[%s]" % fields[9])
        try:
            own = {os.readlink("/proc/%d/fd/%s" % (self.process.pid, fd)) for fd in os.listdir("/proc/%d/fd" % self.process.pid)} if inodes else set()
        except OSError:  # a descriptor that was closed in between, or a process that ended
            return False
        return bool(inodes & own)

    def words(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def fell_over(self):
        """Whether it ended by itself, given a moment to do so after it closed a connection without an answer."""
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self):
        s.stop(self.process)


def prism(document, **more):
    return Server("@stoplight/prism-cli", "prism", "mock", "--multiprocess", "false", "--host", "127.0.0.1", "--port", "PORT", "--verboseLevel", "error", document, **more)


def json_server(database, **more):
    return Server("json-server", "json-server", "--host", "127.0.0.1", "--port", "PORT", "--quiet", database, **more)


# ---- where they go ----

def connections(trace):
    """Lines of a trace that connect to another machine, or ask for its name."""
    return [line for line in traced(trace, "connect") if '"127.0.0.1"' not in line and '"::1"' not in line]


def traced(trace, call):
    with open(trace, errors="replace") as f:
        return [line.strip() for line in f if call + "(" in line and "AF_INET" in line]


def they_stay_at_home(c):
    """Started, asked once and ended, neither server has opened a connection to anywhere: no look for updates, no report to its makers."""
    probe = os.path.join(s.directory(), "probe")
    if not shutil.which("strace") or subprocess.run(["strace", "-o", probe, "true"], capture_output=True).returncode:
        return c.skip("where the servers connect to: strace is not installed or may not trace")
    document = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"get": {"responses": {"200": {"description": "fine"}}}}}}
    for package, start, content, path in (("@stoplight/prism-cli", prism, document, "/a"), ("json-server", json_server, {"a": []}, "/a")):
        reason = missing(package)
        if reason:
            c.skip(reason)
            continue
        directory = s.directory()
        trace = os.path.join(directory, "trace")
        server = start(s.write_component(os.path.join(directory, "t.json"), content), trace=trace)
        try:
            if not server.wait():
                raise RuntimeError("%s: %s" % (package, server.words()))
            with urllib.request.urlopen(server.url + path, timeout=s.WAIT) as r:
                c.equal(r.status, 200, "%s %s answers" % (package, version(package)))
        finally:
            server.close()
        bound = traced(trace, "bind")
        c.that(len(bound) == 1 and "htons(%d)" % server.port in bound[0] and '"127.0.0.1"' in bound[0], "it listens on loopback alone", bound)
        c.equal(connections(trace), [], "and connects to nowhere")


# ---- what prism says of a request ----

class Verdict:
    """One call: refused by Weir (a sentence), or sent and answered; `violations` are prism's words about the request."""

    STATUSES = {str(n) for n in range(100, 600)}

    def __init__(self, result):
        self.refusal, self.violations, self.other, self.request, self.is_unanswered = None, [], None, "", False
        lines = result.talk.splitlines()
        sent = [line[2:] for line in lines if line.startswith("> ")]
        self.request = "\n".join(sent)
        if not sent:
            self.refusal = "\n".join(line for line in lines if line.strip()) or "exit %d without a word" % result.code
            return
        answer = self.answer(result, lines)
        header = next((line.split(": ", 1)[1] for line in lines if line.lower().startswith("< sl-violations: ")), None)
        if header:
            self.violations = self.from_header(header)
        if isinstance(answer, dict) and str(answer.get("type")).startswith(PROBLEM):
            self.problem(answer)

    def answer(self, result, lines):
        """The body that was answered. No answer is no verdict: a server that fell over would otherwise find no fault with anything."""
        if not any(line.startswith("< ") and line[2:5] in self.STATUSES for line in lines):
            self.other, self.is_unanswered = "no answer: %s" % lines[-1], True
            return None
        if result.code != 0:
            self.other = "exit %d: %s" % (result.code, lines[-1])
            return None
        return (result.json() or {}).get("body")

    @staticmethod
    def from_header(text):
        try:
            found = json.loads(text)
        except ValueError:  # "Too many violations!", those of the request first and cut off in the middle
            return re.findall(r'\{"location":\["request"[^{]*?"severity":"Error"[^{]*?"message":"((?:[^"\\]|\\.)*)', text)
        return ["%s: %s" % (".".join(str(x) for x in v["location"]), v["message"]) for v in found if v["location"][:1] == ["request"] and v["severity"] == "Error"]

    def problem(self, p):
        kind = p["type"][len(PROBLEM):]
        if kind in ("UNPROCESSABLE_ENTITY", "UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "NO_PATH_MATCHED_ERROR", "NO_METHOD_MATCHED_ERROR"):
            validation = p.get("validation") or []
            said = ["%s: %s" % (".".join(str(x) for x in v.get("location") or []), v.get("message")) for v in validation] or ["%s: %s" % (kind, p.get("detail"))]
            self.violations += [x for x in said if x not in self.violations]
        else:
            self.other = "%s: %s" % (kind, p.get("detail"))
