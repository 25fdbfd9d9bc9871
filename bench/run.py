#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU an item, items a second and peak memory of whole dataflows, beside wrk, curl --parallel and a Node script, against one mock in the same minutes.

    run.py [w1 w2 w3 start ledger] [--items 10000] [--runs 3] [--weir PATH]

Rounds are interleaved (every tool once, then again) and the best of them is shown, since a busy machine only ever makes things slower. CPU is user and
system of a process and its children, from the kernel. Nothing here asserts: numbers are for people, see README.md.
"""
import argparse
import json
import os
import platform
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "scenario"))
import support as s  # noqa: E402

TOOLS = os.path.join(ROOT, "build", "bench")
CONCURRENCY = 64
ANSWER = ('{"latitude":$arg_latitude,"longitude":$arg_longitude,"generationtime_ms":0.0591278076171875,"utc_offset_seconds":0,"timezone":"GMT",'
          '"timezone_abbreviation":"GMT","elevation":38.0,"current_units":{"time":"iso8601","interval":"seconds","temperature_2m":"C",'
          '"relative_humidity_2m":"%","wind_speed_10m":"km/h","weather_code":"wmo code"},"current":{"time":"2025-03-14T09:15","interval":900,'
          '"temperature_2m":11.3,"relative_humidity_2m":71,"wind_speed_10m":14.8,"weather_code":3},"note":"mock"}')


class Mock:
    def __init__(self):
        self.dir = s.directory()
        os.chmod(self.dir, 0o755)  # nginx started by root lowers its rights
        self.fast, self.slow, self.status = s.free_port(), s.free_port(), s.free_port()
        with open(os.path.join(HERE, "mock", "nginx.conf.in")) as f:
            text = f.read()
        modules = next((d for d in ("/usr/lib/nginx/modules", "/usr/share/nginx/modules") if os.path.isdir(d)), "/usr/lib/nginx/modules")
        for name, value in (("RUN", self.dir), ("FAST", self.fast), ("SLOW", self.slow), ("STATUS", self.status), ("ANSWER", ANSWER), ("MODULES", modules)):
            text = text.replace("@%s@" % name, str(value))
        conf = s.write(os.path.join(self.dir, "nginx.conf"), text)
        self.process = s.start([shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.dir, "-c", conf, "-e", os.path.join(self.dir, "error.log")])
        s.wait_port(self.fast, self.process)

    def accepted(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/" % self.status) as f:
            return int(f.read().splitlines()[2].split()[0])


class Memory(threading.Thread):
    """Peak resident size of a process and, apart from it, of its children together: VmHWM, read often enough to see short lives."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.own, self.children, self.is_over = pid, 0, {}, threading.Event()

    def run(self):
        while not self.is_over.wait(0.01):
            self.own = max(self.own, hwm(self.pid))
            for child in descendants(self.pid):
                self.children[child] = max(self.children.get(child, 0), hwm(child))

    def finish(self):
        self.is_over.set()
        self.join()
        return self.own, sum(self.children.values())


def field(pid, name):
    try:
        with open("/proc/%d/status" % pid) as f:
            for line in f:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def hwm(pid):
    return field(pid, "VmHWM:")


def descendants(pid):
    out, todo = [], [pid]
    while todo:
        p = todo.pop()
        try:
            for t in os.listdir("/proc/%d/task" % p):
                with open("/proc/%d/task/%s/children" % (p, t)) as f:
                    found = [int(x) for x in f.read().split()]
                out += found
                todo += found
        except OSError:
            pass
    return out


def measure(args, env=None, stdout=subprocess.DEVNULL):
    """(exit code, wall seconds, CPU seconds, own peak, children's peak)"""
    begin = time.monotonic()
    with open(os.path.join(TOOLS, "talk.log"), "wb") as talk:
        p = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=stdout, stderr=talk, env=s.environment(env))
        memory = Memory(p.pid)
        memory.start()
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begin
    own, children = memory.finish()
    return p.returncode, wall, usage.ru_utime + usage.ru_stime, max(own, 0), children


def make_items(n, path):
    rnd = random.Random(20250314)
    cities = ["Berlin", "Paris", "Madrid", "Roma", "Wien", "Praha", "Oslo", "Lisboa", "Dublin", "Athina", "Zürich", "København"]
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            item = {"id": i + 1, "city": "%s %d" % (cities[i % len(cities)], i + 1), "lat": round(rnd.uniform(1, 70), 4), "lon": round(rnd.uniform(1, 170), 4)}
            f.write(json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def correct(work, items, out):
    """All items, in order, with the values of their own coordinates."""
    ids = set()
    try:
        with open(items, encoding="utf-8") as a, open(out, encoding="utf-8") as b:
            for x, y in zip(a, b, strict=True):
                x, y = json.loads(x), json.loads(y)
                if y.get("data", y)["id"] != x["id"]:
                    return "wrong order at %d" % x["id"]
                if work == "w2":
                    ids.add(y.get("data", y)["record_id"])
                elif (x["lat"], x["lon"]) != latitude(y):
                    return "wrong values at %d" % x["id"]
                elif '11.3' not in json.dumps(y):
                    return "no temperature at %d" % x["id"]
    except (OSError, ValueError, KeyError) as e:
        return "%s: %s" % (type(e).__name__, e)
    return "ok" if work != "w2" or len(ids) > 1 else "ids repeat"


def latitude(y):
    """Where the answer's coordinates stand: flat in the script's output, below _answer in the dataflow's."""
    if "grid_lat" in y:
        return y["grid_lat"], y["grid_lon"]
    a = y.get("_answer", y)
    return a.get("latitude", y.get("_answer.latitude")), a.get("longitude", y.get("_answer.longitude"))


def node_and_undici():
    """The pinned peers, fetched once into build/bench; None when there is no way out."""
    node = os.path.join(TOOLS, "node_modules", "node", "bin", "node")
    if not os.path.exists(node) or not os.path.isdir(os.path.join(TOOLS, "node_modules", "undici")):
        r = subprocess.run(["npm", "install", "--prefix", TOOLS, "--no-audit", "--no-fund", "--loglevel=error", "node@24.21.0", "undici@8.12.4"])
        if r.returncode:
            return None
    return node


def tool_runs(work, o, mock, items, node, d):
    """name -> function giving (result, wall, cpu, own, children, n)"""
    port = mock.slow if work == "w3" else mock.fast
    upstream = "http://127.0.0.1:%d" % port
    out = os.path.join(d, "out.ndjson")
    n = o.n

    def whole(args, env=None):
        if os.path.exists(out):
            os.unlink(out)
        code, wall, cpu, own, children = measure(args, env)
        return (correct(work, items, out) if code == 0 else "exit %d" % code), wall, cpu, own, children, n

    def weir():
        data = os.path.join(d, "data")
        shutil.rmtree(data, ignore_errors=True)
        flow = os.path.join(d, "bench.yaml")
        with open(os.path.join(HERE, "flow", "bench.yaml")) as f:
            s.write(flow, f.read().replace("@FAST@", str(mock.fast)).replace("@SLOW@", str(mock.slow)))
        return whole([o.weir, "run", flow + (":post" if work == "w2" else ":get"), "--items", items, "-o", out, "--data", data, "--env", "slow" if work == "w3" else "fast", "-q"])

    def undici():
        return whole([node, os.path.join(HERE, "peers", "undici.mjs"), work, items, out, upstream, CONCURRENCY], {"UNDICI_DIR": TOOLS})

    def curl():
        config = os.path.join(d, "curl.cfg")
        with open(config, "w") as f, open(items) as i:
            for line in i:
                x = json.loads(line)
                if work == "w2":
                    body = json.dumps(json.dumps({"name": x["city"], "latitude": x["lat"], "longitude": x["lon"]}))
                    f.write('url="%s/v1/records"\noutput="/dev/null"\nheader="Content-Type: application/json"\ndata=%s\nnext\n' % (upstream, body))
                else:
                    f.write('url="%s/v1/forecast?latitude=%s&longitude=%s"\noutput="/dev/null"\n' % (upstream, x["lat"], x["lon"]))
        code, wall, cpu, own, children = measure(["curl", "-s", "--fail", "--parallel", "--parallel-max", CONCURRENCY, "--config", config])
        return "ok" if code == 0 else "exit %d" % code, wall, cpu, own, children, n

    def wrk():
        text = os.path.join(d, "wrk.txt")
        with open(text, "wb") as f:
            code, wall, cpu, own, children = measure(["wrk", "-t", 1, "-c", CONCURRENCY, "-d", "2s", upstream + "/v1/forecast?latitude=1&longitude=2"], stdout=f)
        with open(text) as f:
            done = next((int(line.split()[0]) for line in f if " requests in " in line), 0)
        return "ok" if code == 0 and done else "exit %d" % code, wall, cpu, own, children, max(done, 1)

    tools = {"weir": weir}
    if node:
        tools["undici script"] = undici
    if shutil.which("curl") and work != "w2":
        tools["curl --parallel"] = curl
    if shutil.which("wrk") and work != "w2":
        tools["wrk"] = wrk
    return tools


def better(new, old):
    if old is None or (old[0] != "ok" and new[0] == "ok"):
        return new
    return new if new[0] == "ok" and new[2] / new[5] < old[2] / old[5] else old


def bench(work, o, node):
    mock, d = Mock(), s.directory()
    o.n = 2000 if work == "w3" else o.items
    items = make_items(o.n, os.path.join(d, "items.ndjson"))
    tools = tool_runs(work, o, mock, items, node, d)
    best, wall, connections = dict.fromkeys(tools), dict.fromkeys(tools), {}
    for _ in range(o.runs):
        for name, run in tools.items():
            before = mock.accepted()
            r = run()
            connections[name] = mock.accepted() - before - 1
            best[name] = better(r, best[name])
            if r[0] == "ok":
                wall[name] = min(r[1], wall[name] or r[1])
    words = {"w1": "GET an item", "w2": "POST an item", "w3": "GET an item from an API that takes 50 ms"}
    print("\n%s: %d items, %s, %d at a time, best of %d" % (work.upper(), o.n, words[work], CONCURRENCY, o.runs))
    print("%-16s %10s %12s %10s %12s %12s   %s" % ("", "items/s", "CPU us/item", "wall s", "peak MiB", "children MiB", "result, connections"))
    for name, r in best.items():
        result, _, cpu, own, children, n = r
        if result != "ok":
            print("%-16s %s" % (name, result))
            continue
        least = wall[name] or r[1]
        print("%-16s %10.0f %12.1f %10.2f %12.1f %12.1f   %s, %d" % (name, n / least, cpu / n * 1e6, least, own / 2**20, children / 2**20, result, connections[name]))
    if "undici script" in best and best["undici script"][0] == best["weir"][0] == "ok":
        ratio = best["weir"][2] / best["undici script"][2]
        print("weir's CPU an item is %.2f of the script's (aim: at most 0.50; the script keeps no ledger)" % ratio)
    s.stop(mock.process)


def first_answer(server, port, path, body=None):
    """Poll as fast as can be until the server answers; the moment."""
    while True:
        if server.poll() is not None:
            raise RuntimeError("weir serve ended with %d" % server.returncode)
        try:
            request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), data=body, method="POST" if body else "GET")
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request, timeout=30) as r:
                r.read()
            return time.monotonic()
        except (ConnectionError, urllib.error.URLError) as e:
            if isinstance(e, urllib.error.HTTPError):
                raise


def start(o):
    s.WEIR = o.weir
    sample = s.Sample()
    weather = s.weather_file(sample.port)
    rows = []
    for _ in range(o.runs):
        port = s.free_port()
        begin = time.monotonic()
        p = s.start([o.weir, "serve", weather, "--port", port, "--data", s.directory(), "--env", "sample"], stdout=subprocess.DEVNULL)
        healthy = first_answer(p, port, "/healthz") - begin
        time.sleep(1)  # idle, before any script worker was wanted
        idle, idle_children = field(p.pid, "VmRSS:"), sum(field(x, "VmRSS:") for x in descendants(p.pid))
        s.stop(p)
        port = s.free_port()
        begin = time.monotonic()
        p = s.start([o.weir, "serve", weather, "--port", port, "--data", s.directory(), "--env", "sample"], stdout=subprocess.DEVNULL)
        first = first_answer(p, port, "/api/v1/components/weather/forms/weather/submissions", b'{"data":{"city":"Paris"}}') - begin
        after, after_children = field(p.pid, "VmRSS:"), sum(field(x, "VmRSS:") for x in descendants(p.pid))
        s.stop(p)
        rows.append((healthy * 1000, first * 1000, idle, idle_children, after, after_children))
    best = [min(r[i] for r in rows) for i in range(6)]
    print("\nSTART: weir serve with the weather example, best of %d (aims: 50 ms, 150 ms, 40 MiB)" % o.runs)
    print("first request answered after    %8.1f ms" % best[0])
    print("first weather run done after    %8.1f ms (two API calls, three scripts, one entry)" % best[1])
    print("idle: server %.1f MiB, its workers %.1f MiB; after a run: server %.1f MiB, workers %.1f MiB (VmRSS)" % tuple(x / 2**20 for x in best[2:]))
    sample.close()


def space(data):
    """Bytes of the pages of each table, of the whole file, and how many calls were recorded."""
    path = os.path.join(data, "weir.db")
    with sqlite3.connect(path) as db:
        tables = dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
        calls = db.execute("SELECT count(*) FROM ledger WHERE kind = 1").fetchone()[0]
    return tables, os.path.getsize(path), calls


def ledger_round(o, flow, env, items, d, data):
    shutil.rmtree(data, ignore_errors=True)
    code, wall, cpu, _, _ = measure([o.weir, "run", flow, "--items", items, "-o", os.path.join(d, "out.ndjson"), "--data", data, "--env", env, "-q"])
    return cpu if code == 0 else None


def ledger_of(title, o, flow, env, items, n, d):
    """The same run with its ledger on disk and with it in memory, in turns; the best of each."""
    data, best = os.path.join(d, "data"), {}
    for _ in range(o.runs):
        for where in (data, ":memory:"):
            cpu = ledger_round(o, flow, env, items, d, where)
            if cpu is None:
                print("%s: the run failed with --data %s" % (title, where))
                return
            best[where] = min(cpu, best.get(where, cpu))
    tables, size, calls = space(data)
    shown = ", ".join("%s %.0f" % (name, tables[name] / calls) for name in ("ledger", "input", "dictionaries", "entries") if name in tables)
    print("%-34s %6d calls: %5.0f bytes a call in the file (%s)" % (title, calls, size / calls, shown))
    on, off = best[data] / n * 1e6, best[":memory:"] / n * 1e6
    print("%-34s CPU us/item: %.1f on disk, %.1f in memory; ratio %.2f (aim: below 1.15)" % ("", on, off, on / off))


def ledger(o):
    """What the ledger costs: bytes a call on disk, CPU an item with it on disk and with it in memory (the yardstick)."""
    d = s.directory()
    print("\nLEDGER: best of %d (aim: fewer than 300 bytes a weather call)" % o.runs)
    mock = Mock()
    items = make_items(o.items, os.path.join(d, "items.ndjson"))
    for name in ("get", "post"):
        flow = os.path.join(d, "bench.yaml")
        with open(os.path.join(HERE, "flow", "bench.yaml")) as f:
            s.write(flow, f.read().replace("@FAST@", str(mock.fast)).replace("@SLOW@", str(mock.slow)))
        ledger_of("bench flow, %s" % name.upper(), o, "%s:%s" % (flow, name), "fast", items, o.items, d)
    s.stop(mock.process)
    s.WEIR = o.weir
    sample = s.Sample()
    with open(os.path.join(ROOT, "src", "sample", "cities.def"), encoding="utf-8") as f:
        cities = [line.split('"')[1] for line in f if line.startswith("CITY(")]
    n = o.items // 2  # two calls each
    items = os.path.join(d, "cities.ndjson")
    s.write(items, "".join('{"city":"%s"}\n' % cities[i % len(cities)] for i in range(n)))
    ledger_of("weather example", o, s.weather_file(sample.port), "sample", items, n, d)
    sample.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("works", nargs="*", default=["w1", "w2", "w3", "start", "ledger"])
    p.add_argument("--items", type=int, default=10000)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--weir", default=s.WEIR)
    o = p.parse_args()
    os.makedirs(TOOLS, exist_ok=True)
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print("%s  %d x %s, %s, load %.1f" % (time.strftime("%Y-%m-%d"), os.cpu_count(), model, platform.release(), os.getloadavg()[0]))
    print(subprocess.run([o.weir, "--version"], capture_output=True, text=True).stdout.strip())
    wants_node = any(w in ("w1", "w2", "w3") for w in o.works)
    node = node_and_undici() if wants_node else None
    if wants_node and not node:
        print("no undici script: npm has no way to its registry, and build/bench has none")
    for work in o.works:
        if work == "start":
            start(o)
        elif work == "ledger":
            ledger(o)
        else:
            bench(work, o, node)
    return 0


if __name__ == "__main__":
    sys.exit(main())
