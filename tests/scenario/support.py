# SPDX-License-Identifier: Apache-2.0
"""What the scenario suites share: claims, the program, peers on free ports, temporary directories. Stdlib only.

No fixed sleeps: waits poll something that can be seen and are bounded. Every process started here is ended by its pid when the suite ends, and
peers end by themselves should the suite be killed.
"""
import atexit
import base64
import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEIR = os.environ.get("WEIR") or os.path.join(ROOT, "build", "weir")
PEER = os.path.join(ROOT, "tests", "tools", "peer.py")
SKIP = 77
WAIT = float(os.environ.get("WEIR_TEST_WAIT", "60"))  # the longest that anything is waited for; generous, since machines differ

settings = {}  # WEIR_... that every program of a suite is started with

_processes = []
_directories = []
_home = None


def _cleanup():
    for p in _processes:
        stop(p)
    for d in _directories:
        shutil.rmtree(d, ignore_errors=True)


atexit.register(_cleanup)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


# ---- claims ----

class Claims:
    """One line a claim; closing() is the suite's exit code."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def that(self, is_true, sentence, detail=""):
        if is_true:
            self.passed += 1
            print("ok    %s" % sentence, flush=True)
        else:
            self.failed += 1
            print("FAIL  %s%s" % (sentence, "".join("\n        " + line for line in str(detail)[:3000].splitlines())), flush=True)
        return bool(is_true)

    def equal(self, got, expected, sentence):
        return self.that(got == expected, sentence, "got      %r\nexpected %r" % (got, expected))

    def skip(self, sentence):
        self.skipped += 1
        print("skip  %s" % sentence, flush=True)

    def crashed(self, sentence, error):
        self.failed += 1
        print("FAIL  %s\n        %s: %s" % (sentence, type(error).__name__, error), flush=True)

    def closing(self):
        tail = ", %d skipped" % self.skipped if self.skipped else ""
        print("%d passed, %d failed%s" % (self.passed, self.failed, tail), flush=True)
        return 1 if self.failed else 0


def main(*parts):
    """Run the parts of a suite, each with the same Claims; an exception fails its part, not the rest."""
    if not os.access(WEIR, os.X_OK):
        print("skip: no weir at %s (set WEIR)" % WEIR)
        sys.exit(SKIP)
    claims = Claims()
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    for part in parts:
        if wanted and part.__name__ not in wanted:
            continue
        try:
            part(claims)
        except Exception as e:  # noqa: BLE001: the next part is still worth running
            import traceback
            traceback.print_exc()
            claims.crashed("part %s runs to its end" % part.__name__, e)
    if wanted:
        print("again: WEIR=%s python3 %s %s" % (WEIR, sys.argv[0], " ".join(wanted)))
    sys.exit(claims.closing())


def skip_suite(reason):
    print("skip: %s" % reason)
    sys.exit(SKIP)


# ---- directories and files ----

def directory():
    d = tempfile.mkdtemp(prefix="weir-test-")
    _directories.append(d)
    return d


def write(path, text):
    with open(path, "wb" if isinstance(text, bytes) else "w") as f:
        f.write(text)
    return path


def write_component(path, component):
    """Components for tests are JSON: the same model as YAML, and Python writes it without a library."""
    return write(path, json.dumps(component, indent=1, ensure_ascii=False))


def component(name, systems=None, steps=(), model=None, **more):
    """A component with one dataflow "flow" of these steps; each step names its source when it is not the one before."""
    out, before = [], None
    for s in steps:
        s = dict(s)
        if before and "source_step" not in s:
            s["source_step"] = before
        before = s["name"]
        out.append(s)
    c = {"weir": 1, "component": name}
    if systems:
        c["systems"] = systems
    c["model"] = model if model is not None else [{"name": "id", "type": "integer"}]
    c["dataflows"] = {"flow": {"stages": [{"name": "All", "steps": out}]}}
    c.update(more)
    return c


INPUT = {"name": "input", "kind": "get_action_model"}
RESPOND = {"name": "respond", "kind": "write_response"}


def call_step(method, path, mapping, **more):
    step = {"name": "call", "kind": "execute_api_call", "result_store_field": "_answer", "system": "peer", "connector": "all",
            "query_path": path, "method_name": method, "parameters_mapping": mapping}
    step.update(more)
    return step


def peer_system(port, operations=(), **more):
    s = {"base_url": {"test": "http://127.0.0.1:%d" % port}, "connectors": {"all": {"operations": list(operations)}}}
    s.update(more)
    return {"peer": s}


# ---- processes ----

PLAIN = {"WEIR_LEDGER_PLAIN": "1"}  # for tests that look into weir.db by themselves


def environment(extra=None):
    """Nothing of the caller's own Weir settings leaks into a test, nor into their data directory what a test does."""
    global _home
    if not _home:
        _home = directory()
    env = {k: v for k, v in os.environ.items() if not k.startswith("WEIR") and k not in ("NO_COLOR", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    env["NO_COLOR"] = "1"
    env["XDG_STATE_HOME"] = _home
    env["no_proxy"] = "127.0.0.1,localhost"
    env.update(settings)
    env.update(extra or {})
    return env


class Result:
    def __init__(self, code, out, err, usage, peak):
        self.code, self.out, self.err = code, out, err
        self.peak = peak  # bytes of memory
        self.cpu = usage.ru_utime + usage.ru_stime

    @property
    def text(self):
        return self.out.decode("utf-8", "replace")

    @property
    def talk(self):
        return self.err.decode("utf-8", "replace")

    def lines(self):
        """NDJSON on stdout. Not splitlines(): a U+2028 inside a string ends no line."""
        return [json.loads(line) for line in self.text.split("\n") if line.strip()]

    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return "exit %d\nstdout: %s\nstderr: %s" % (self.code, self.text[:1200], self.talk[:1200])


def peak_of(pid):
    """The most memory that a living process has had, in bytes; 0 once it is gone. ru_maxrss will not do: it begins with the size of the parent."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return next((int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM:")), 0)
    except (OSError, ValueError):
        return 0


def run(args, data=None, stdin=b"", env=None, timeout=None, cwd=None, inside=()):
    """Run weir to its end, `inside` a command that wraps it. stdout and stderr go through files, so that no pipe can fill up; its peak memory is looked at while it runs."""
    args = [*inside, WEIR] + [str(a) for a in args]
    if data:
        args += ["--data", data]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as inp:
        inp.write(stdin)
        inp.seek(0)
        p = subprocess.Popen(args, stdin=inp, stdout=out, stderr=err, env=environment(env), cwd=cwd)
        deadline = time.monotonic() + (timeout or WAIT * 4)
        pid, peak = 0, 0
        while True:
            peak = max(peak, peak_of(p.pid))
            pid, status, usage = os.wait4(p.pid, os.WNOHANG)
            if pid or time.monotonic() > deadline:
                break
            time.sleep(0.002)
        if not pid:
            p.kill()
            pid, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        r = Result(p.returncode, out.read(), err.read(), usage, peak)
        r.timed_out = time.monotonic() > deadline
        return r


def start(args, env=None, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **more):
    p = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment(env), **more)
    _processes.append(p)
    return p


def stop(p, signum=signal.SIGTERM):
    """End a process that we started, by its pid; kill it when it does not obey."""
    if p.poll() is None:
        p.send_signal(signum)
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait(10)
    if p.stdout:
        p.stdout.close()
    if p in _processes:
        _processes.remove(p)
    return p.returncode


def kill(p):
    """kill -9, and wait until it is gone."""
    p.kill()
    p.wait(10)
    if p.stdout:
        p.stdout.close()
    if p in _processes:
        _processes.remove(p)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def refusing_port():
    """A port that refuses connections and that nobody else can come to have meanwhile: bound, and not listening."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


def until(condition, what, wait=None):
    """Poll until the condition gives something true; that is returned. Fails with `what` when it takes too long."""
    deadline = time.monotonic() + (wait or WAIT)
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise TimeoutError("waited too long for: %s" % what)
        time.sleep(0.005)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_port(port, process=None):
    def ready():
        if process and process.poll() is not None:
            raise RuntimeError("process ended with %d before it listened on %d" % (process.returncode, port))
        return accepts(port)
    until(ready, "port %d" % port)


class Peer:
    """tests/tools/peer.py on a free port; requests() reads its log."""

    def __init__(self, *options):
        self.log = os.path.join(directory(), "requests.ndjson")
        self.process = start([sys.executable, PEER, "--log", self.log, *options])
        line = self.process.stdout.readline().split()
        if len(line) != 2:
            raise RuntimeError("peer did not start")
        self.port = int(line[1])
        self.scheme = "https" if "--tls" in options else "http"
        self.url = "%s://127.0.0.1:%d" % (self.scheme, self.port)

    def requests(self):
        try:
            with open(self.log) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def ask(self, path, data=None):
        """The test's own talk with the peer; whose certificate is none of its business."""
        context = ssl._create_unverified_context() if self.scheme == "https" else None
        request = urllib.request.Request(self.url + path, data=data, method="PUT" if data is not None else "GET")
        with urllib.request.urlopen(request, timeout=WAIT, context=context) as r:
            return r.read()

    def seen(self):
        return json.loads(self.ask("/seen"))

    def stage(self, name, *answers, by="request"):
        """What requests to /staged/NAME/... meet (tests/tools/staged.py); bytes are given as bytes."""
        told = [{k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in a.items()} for a in answers]
        self.ask("/stage/" + name, json.dumps({"answers": told, "by": by}).encode())
        return "/staged/" + name

    def history(self, name):
        return json.loads(self.ask("/history/" + name))

    def forget(self):
        """An empty log for the next claim; the peer appends, so cutting it is safe between requests."""
        if os.path.exists(self.log):
            os.truncate(self.log, 0)

    def close(self):
        stop(self.process)


class Scripted:
    """An API that answers each path with its list of (status, headers), one after the other; the last one again and again. Bodies are JSON."""

    def __init__(self, answers):
        left, lock = {path: list(rows) for path, rows in answers.items()}, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece: two would wait for each other's acknowledgement

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with lock:
                    rows = left.get(self.path, [(404, {})])
                    status, headers = rows.pop(0) if len(rows) > 1 else rows[0]
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
        self.server.server_close()


class Proxy:
    """tests/tools/proxy.py on a free port."""

    def __init__(self, *options):
        self.log = os.path.join(directory(), "proxy.ndjson")
        self.process = start([sys.executable, os.path.join(ROOT, "tests", "tools", "proxy.py"), "--log", self.log, *options])
        self.port = int(self.process.stdout.readline().split()[1])
        self.url = "http://127.0.0.1:%d" % self.port

    def requests(self):
        try:
            with open(self.log) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def close(self):
        stop(self.process)


class Sample:
    """`weir sample-api` on a free port."""

    def __init__(self, *options):
        self.port = free_port()
        self.process = start([WEIR, "sample-api", "--port", self.port, *options], stdout=subprocess.DEVNULL)
        wait_port(self.port, self.process)

    def close(self):
        stop(self.process)


def weather_file(port, where=None):
    """The weather example with its sample environment on our port. The example is the thing under test: nothing else is changed."""
    with open(os.path.join(ROOT, "examples", "weather", "weather.yaml"), encoding="utf-8") as f:
        text = f.read()
    if "127.0.0.1:8090" not in text:
        raise RuntimeError("examples/weather/weather.yaml has no sample environment at 127.0.0.1:8090")
    return write(os.path.join(where or directory(), "weather.yaml"), text.replace("127.0.0.1:8090", "127.0.0.1:%d" % port))


# ---- the server and its REST face ----

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:1500])


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


class Server:
    def __init__(self, *files, data=None, env=None, options=()):
        self.data = data or directory()
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.files, self.env, self.options = files, env, options
        self.talk = os.path.join(directory(), "server.log")
        self.open()

    def open(self):
        with open(self.talk, "ab") as log:
            self.process = start([WEIR, "serve", *self.files, "--port", self.port, "--data", self.data, *self.options], env=self.env,
                                 stdout=log, stderr=log)
        wait_port(self.port, self.process)

    def words(self):
        with open(self.talk, errors="replace") as f:
            return f.read()

    def ask(self, method, path, body=None, headers=None, timeout=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for k, v in (headers or {}).items():
            request.add_header(k, v)
        try:
            with _opener.open(request, timeout=timeout or WAIT) as r:
                return Answer(r.status, r.headers, r.read())
        except urllib.error.HTTPError as e:
            return Answer(e.code, e.headers, e.read())

    def run_ended(self, run_id):
        """Wait until a run is over; its REST form."""
        def over():
            r = self.ask("GET", "/api/v1/runs/%s" % run_id).json()
            return r if r.get("state") not in ("running", "interrupted") else None
        return until(over, "end of run %s" % run_id)

    def restart(self):
        self.close()
        self.open()

    def kill(self):
        kill(self.process)

    def close(self):
        return stop(self.process)
