#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One run of GET, PUT, DELETE, POST with key and POST without key, killed at random points by whatever can stop a process: kill -9, SIGTERM, SIGSTOP,
the death of a script worker, the death of the server. Then the ledger is compared with a recorder that wrote down each request before answering.

    mixed.py [--full] [--seed N] [--store postgres] [PART...]        --full: 1,000 items and 200 kills, else 150 and 12
"""
import atexit
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import support as s  # noqa: E402
import postgres  # noqa: E402

IS_FULL = "--full" in sys.argv
SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else random.SystemRandom().randrange(1 << 30)
ITEMS, KILLS = (1000, 200) if IS_FULL else (150, 12)
PLAIN_IN_FLIGHT = 2
# name of the step, method, with a key
CALLS = (("get", "GET", False), ("put", "PUT", False), ("delete", "DELETE", False), ("keyed", "POST", True), ("plain", "POST", False))
STEP = {"get": 1, "put": 2, "delete": 3, "keyed": 4, "plain": 5}  # the index in the plan; 0 is the input
INTENT, OUTCOME, PROBLEM = 1, 2, 4
SENT_TWICE = "unkeyed POST sent twice"
TABLE = []
PG, SCHEMAS = None, []  # --store postgres: a server of our own, a schema a part


class Ledger:
    """What a store in weir.db holds, read from a copy: looking must not change what is looked at."""

    def __init__(self, data):
        self.data = data

    def rows(self, run):
        """(seq, step, attempt, kind, code) of one run."""
        copy = s.directory()
        for name in ("weir.db", "weir.db-wal"):
            if os.path.exists(os.path.join(self.data, name)):
                shutil.copy(os.path.join(self.data, name), copy)
        db = sqlite3.connect(os.path.join(copy, "weir.db"))
        rows = db.execute("SELECT seq, step, attempt, kind, code FROM ledger WHERE run = ?", (run,)).fetchall()
        db.close()
        return rows


class PostgresLedger:
    """What a store in PostgreSQL holds."""

    def __init__(self, schema):
        self.schema = schema

    def rows(self, run):
        return [tuple(int(x) for x in row) for row in PG.sql("SELECT seq, step, attempt, kind, code FROM ledger WHERE run = %d" % run, self.schema)]


class Mixed:
    """A directory, a recorder, and the component that calls it in all five ways for each item."""

    def __init__(self, delay=3, script=False, **more):
        self.peer = s.Peer("--delay", str(delay))
        self.dir = s.directory()
        self.data, self.out, self.items = (os.path.join(self.dir, x) for x in ("data", "out.ndjson", "items.ndjson"))
        ops = [dict({"method_name": method, "query_path": "/record/%s/{id}" % name, "parameters": [{"name": "id", "in": "path", "required": True}]},
                    **({"idempotency_key": True} if keyed else {})) for name, method, keyed in CALLS]
        steps = [s.INPUT]
        for name, method, _ in CALLS:
            step = s.call_step(method, "/record/%s/{id}" % name, {"id": "=item.data.id"}, result="body", attempts=5, **more)
            step.update(name=name, result_store_field="_" + name, in_flight=PLAIN_IN_FLIGHT if name == "plain" else 16)
            steps.append(step)
        if script:  # the calls' steps keep their numbers: it comes behind them
            steps.append({"name": "work", "kind": "execute_script",
                          "script": "let n = 0; for (let i = 0; i < 20000; i++) n += i; item._n = n; return item"})
        steps.append(s.RESPOND)
        self.file = s.write_component(os.path.join(self.dir, "t.json"), s.component("t", s.peer_system(self.peer.port, ops), steps))
        with open(self.items, "w") as f:
            for k in range(ITEMS):
                f.write('{"id":%d}\n' % k)
        self.ledger = Ledger(self.data)
        if PG:  # every weir that this part starts finds it there
            schema = "kill%d" % len(SCHEMAS)
            SCHEMAS.append(schema)
            s.settings["WEIR_STORE"] = PG.new_schema(schema)
            self.ledger = PostgresLedger(schema)
        self.count, self.at = 0, 0

    def requests_seen(self):
        """Lines of the recorder's log; only what is new is read."""
        if os.path.exists(self.peer.log):
            with open(self.peer.log, "rb") as f:
                f.seek(self.at)
                data = f.read()
            self.at += data.rfind(b"\n") + 1
            self.count += data.count(b"\n")
        return self.count

    def start(self, first, *more):
        args = [self.file, "--items", self.items] if first else ["--resume", "1", *more]
        return s.start([s.WEIR, "run", *args, "-o", self.out, "--data", self.data], stdout=s.subprocess.DEVNULL,
                       stderr=open(os.path.join(self.dir, "talk"), "ab"))

    def has_run(self):
        r = s.run(["runs", "list", "-o", "json"], data=self.data)
        return r.code == 0 and '"id"' in r.text

    def finish(self):
        """To its end; an input that a kill has cut off is given once more."""
        r = None
        for extra in ([], ["--items", self.items]):
            args = ["--resume", "1", *extra] if self.has_run() else [self.file, "--items", self.items]
            r = s.run(["run", *args, "-o", self.out], data=self.data, timeout=600)
            if r.code in (0, 7) and os.path.exists(self.out):
                break
        return r

    def sent(self):
        sent, keys = {name: {} for name, _, _ in CALLS}, {}
        for x in self.peer.requests():
            m = re.match(r"/record/(\w+)/(\d+)", x["target"])
            sent[m[1]][int(m[2])] = sent[m[1]].get(int(m[2]), 0) + 1
            if m[1] == "keyed":
                keys.setdefault(int(m[2]), set()).add(x["key"])
        return sent, keys


def killed_at_random(m, rng, kills, stop, on_stopped=None):
    """Processes one after the other, each stopped after some requests or some milliseconds; how many stops hit a living one."""
    hits, first = 0, True
    total = ITEMS * len(CALLS)
    for n in range(kills):
        p = m.start(first)
        if n % 2 == 0:
            goal = m.requests_seen() + rng.randrange(1, max(2, total // kills // 2))
            s.until(lambda: m.requests_seen() >= goal or p.poll() is not None, "request %d" % goal)
        else:
            end = s.time.monotonic() + rng.uniform(0, 0.2)
            s.until(lambda: s.time.monotonic() > end or p.poll() is not None, "a moment")
        if p.poll() is not None:
            break
        stop(p)
        hits += 1
        if on_stopped:
            on_stopped(p)
        first = first and not m.has_run()
    return hits


def books(c, name, m, hits, r, unknown_at_most, counted_as="unknown"):
    """What the ledger, the outputs, the recorder and the counts say must be one story."""
    rows, (sent, keys) = m.ledger.rows(1), m.sent()
    done = [json.loads(line)["data"]["id"] for line in open(m.out)] if os.path.exists(m.out) else []
    intents, outcomes, twice = set(), set(), 0
    for seq, step, attempt, kind, code in rows:
        if kind == INTENT:
            intents.add((seq, step, attempt))
        elif kind == OUTCOME:
            outcomes.add((seq, step, attempt))
    good = [(seq, step) for seq, step, _, kind, code in rows if kind == OUTCOME and 200 <= code < 300]
    twice = len(good) - len(set(good))
    open_plain = {seq for seq, step, attempt in intents - outcomes if step == STEP["plain"]}
    unknown = {seq for seq, _, _, kind, code in rows if kind == PROBLEM}
    lost = set(range(ITEMS)) - set(done) - unknown
    plain_twice = sum(n > 1 for n in sent["plain"].values())
    stable = all(len(v) == 1 and None not in v for v in keys.values()) and len({next(iter(v)) for v in keys.values()}) == len(keys)
    shown = s.run(["runs", "show", "1", "-o", "json"], data=m.data)
    counted = re.search(r'"%s"\s*:\s*(\d+)' % counted_as, shown.text)
    TABLE.append((name, ITEMS, hits, sum(sum(v.values()) for v in sent.values()), len(done), len(lost), twice, plain_twice,
                  "yes" if stable else "NO", len(unknown), r.code))
    where = "seed %d, %d stops, kept nothing of %s\n%r" % (SEED, hits, m.dir, r)
    c.equal(done, sorted(set(done)), "%s: outputs in order, each once" % name)
    c.equal(sorted(lost), [], "%s: nothing is lost: %d done, %d unknown" % (name, len(done), len(unknown)))
    c.equal(twice, 0, "%s: no answer is recorded twice" % name)
    c.equal(plain_twice, 0, "%s: no %s" % (name, SENT_TWICE))
    c.that(stable, "%s: an item's key is the same each time, and no other's" % name, where)
    for kind in ("get", "put", "delete", "keyed"):
        c.equal(len(sent[kind]), ITEMS, "%s: every item was sent by %s" % (name, kind))
    c.equal(unknown & set(done), set(), "%s: what is unknown is not done" % name)
    c.that(open_plain <= unknown, "%s: an intent without outcome is an unknown outcome" % name, sorted(open_plain - unknown))
    c.that(set(sent["plain"]) - set(done) <= unknown, "%s: what was sent and is not done is unknown" % name, where)
    c.that(len(unknown) <= unknown_at_most, "%s: %d %s, no more than were in flight (%d)" % (name, len(unknown), counted_as, unknown_at_most), where)
    c.that(counted and int(counted[1]) == len(unknown), "%s: and counted so" % name, shown)
    c.equal(r.code, 7 if unknown else 0, "%s: the exit code says so" % name)
    m.peer.close()
    return open_plain, unknown


def kill_9(c):
    m, rng = Mixed(delay=30 if IS_FULL else 5), random.Random(SEED)
    hits = killed_at_random(m, rng, KILLS, s.kill)
    r = m.finish()
    open_plain, unknown = books(c, "kill -9", m, hits, r, hits * PLAIN_IN_FLIGHT)
    c.equal(unknown, open_plain, "kill -9: unknown is exactly what had an intent and no outcome")
    c.that(hits >= KILLS // 2, "kill -9: %d kills hit a run" % hits)


def terminated(c):
    """SIGTERM under load: calls under way end within the grace, it says 143, loses nothing, and nothing is unknown."""
    m, rng, codes = Mixed(), random.Random(SEED + 1), []

    def term(p):
        codes.append(s.stop(p))
    hits = killed_at_random(m, rng, max(4, KILLS // 4), term)
    r = m.finish()
    books(c, "SIGTERM", m, hits, r, 0)
    # one that came before the handler was in place ends by the signal itself
    c.that(hits and set(codes) <= {143, -signal.SIGTERM} and 143 in codes, "SIGTERM: the exit code says so", codes)


def terminated_twice(c):
    """The second SIGTERM does not wait for calls that take long; what they were is unknown."""
    m = Mixed(delay=3000)
    p = m.start(True)
    s.until(lambda: m.requests_seen() > 0, "a request")
    p.send_signal(signal.SIGTERM)
    talk = os.path.join(m.dir, "talk")
    s.until(lambda: "a second signal" in open(talk).read() or p.poll() is not None, "the first answer")
    c.that(p.poll() is None, "SIGTERM twice: after the first it waits for calls under way")
    c.equal(s.stop(p), 143, "SIGTERM twice: the second ends it")
    c.that("weir run --resume 1" in open(talk).read(), "SIGTERM twice: it says how to go on", open(talk).read())
    kinds = [kind for *_, kind, _ in m.ledger.rows(1)]
    c.that(INTENT in kinds and OUTCOME not in kinds, "SIGTERM twice: no call has ended", kinds)
    m.peer.close()


def stopped_and_continued(c):
    """SIGSTOP of the run, then of the API, for longer than a call may take."""
    for name in ("run", "API"):
        m, rng = Mixed(total_timeout="300ms"), random.Random(SEED + 2)
        p = m.start(True)
        hits = 0
        for _ in range(4 if IS_FULL else 2):
            goal = m.requests_seen() + rng.randrange(20, 2 * ITEMS)
            s.until(lambda: m.requests_seen() >= goal or p.poll() is not None, "requests")
            if p.poll() is not None:
                break
            whom = p if name == "run" else m.peer.process
            whom.send_signal(signal.SIGSTOP)
            hits += 1
            end = s.time.monotonic() + 0.6  # twice what a call may take: what is tested is time that passes
            s.until(lambda: s.time.monotonic() > end, "time passes")
            whom.send_signal(signal.SIGCONT)
        s.until(lambda: p.poll() is not None, "the end of the run")
        r = m.finish() if p.returncode not in (0, 7) else s.run(["run", "--resume", "1", "-o", m.out], data=m.data)
        # a slot may meet two deadlines in twice a deadline, and one more at its ends
        books(c, "SIGSTOP " + name, m, hits, r, 3 * hits * PLAIN_IN_FLIGHT)
        c.that(hits, "SIGSTOP %s: it hit" % name)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def script_worker(c):
    """Only the worker that runs scripts is killed; the run goes on by itself."""
    # Not more often, nor sooner one after the other: a pool whose workers do nothing but die gives up for a while, and says so.
    m, p_kills = Mixed(script=True), 5
    p, hits = m.start(True), 0
    for _ in range(p_kills):
        goal = m.requests_seen() + ITEMS * len(CALLS) // (p_kills + 1)
        s.until(lambda: m.requests_seen() >= goal or p.poll() is not None, "requests")
        s.until(lambda: children(p.pid) or p.poll() is not None, "a worker")
        for worker in children(p.pid)[:1]:
            if p.poll() is None:
                os.kill(worker, signal.SIGKILL)
                hits += 1
    s.until(lambda: p.poll() is not None, "the end of the run")
    r = s.run(["run", "--resume", "1", "-o", m.out], data=m.data)
    # An item that was alone with a worker when that died is blamed for it: nobody can tell who killed whom.
    books(c, "script worker", m, hits, r, hits, "failed")
    c.that(p.returncode in (0, 7), "script worker: the run came to its end by itself", p.returncode)
    c.that(hits, "script worker: %d were killed" % hits)


class Served:
    """A server with runs under way; whoever starts it again need not ask for them."""
    RUNS = 4

    def __init__(self, **more):
        self.mixed = Mixed(**more)
        self.server = s.Server(self.mixed.file, data=self.mixed.data)
        self.ids = []
        for n in range(self.RUNS):
            part = [{"id": k} for k in range(ITEMS) if k % self.RUNS == n]
            a = self.server.ask("POST", "/api/v1/components/t/dataflows/flow/runs", {"items": part})
            self.ids.append(a.headers["Location"].rsplit("/", 1)[1])

    def has_ended(self):
        return all(self.server.ask("GET", "/api/v1/runs/%s" % i).json()["state"] != "running" for i in self.ids)

    def stopped_at_random(self, rng, times, most, stop):
        """How often `stop` found runs under way, each time after up to `most` requests."""
        m, hits = self.mixed, 0
        for _ in range(times):
            goal = m.requests_seen() + rng.randrange(1, most)
            s.until(lambda: m.requests_seen() >= goal or self.has_ended(), "requests")
            if self.has_ended():
                break
            hits += stop()
        return hits

    def books(self, c, name, hits, unknown_at_most, counted_as="unknown"):
        m = self.mixed
        got = [self.server.run_ended(i) for i in self.ids]
        sent, keys = m.sent()
        rows = [(i, *row) for i in self.ids for row in m.ledger.rows(int(i))]
        good = [(i, seq, step) for i, seq, step, _, kind, code in rows if kind == OUTCOME and 200 <= code < 300]
        intents, outcomes = ({row[:4] for row in rows if row[4] == kind and row[2] == STEP["plain"]} for kind in (INTENT, OUTCOME))
        problems = {row[:2] for row in rows if row[4] == PROBLEM}
        done, bad = (sum(r["counts"][k] for r in got) for k in ("items_out", counted_as))
        twice, plain_twice = len(good) - len(set(good)), sum(n > 1 for n in sent["plain"].values())
        stable = all(len(v) == 1 and None not in v for v in keys.values())
        TABLE.append((name, ITEMS, hits, sum(sum(v.values()) for v in sent.values()), done, ITEMS - done - bad, twice, plain_twice,
                      "yes" if stable else "NO", bad, 0))
        c.equal(done + bad, ITEMS, "%s: after %d stops all runs came to their end by themselves" % (name, hits))
        c.equal((twice, plain_twice), (0, 0), "%s: nothing recorded twice, no %s" % (name, SENT_TWICE))
        c.that(stable, "%s: keys are stable" % name)
        c.equal(len(problems), bad, "%s: and counted so" % name)
        c.that({row[:2] for row in intents - outcomes} <= problems, "%s: an intent without outcome is an unknown outcome" % name)
        c.that(bad <= unknown_at_most, "%s: %d %s, no more than were in flight (%d)" % (name, bad, counted_as, unknown_at_most))
        c.that(hits, "%s: it hit" % name)
        c.equal(self.server.close(), 0, "%s: SIGTERM ends it with 0" % name)
        m.peer.close()


def server(c):
    """kill -9, and the next server goes on."""
    w = Served(delay=5)

    def stop():
        w.server.kill()
        w.server.open()
        return True
    hits = w.stopped_at_random(random.Random(SEED + 4), max(3, KILLS // 10), 60, stop)
    w.books(c, "serve kill -9", hits, hits * w.RUNS * PLAIN_IN_FLIGHT)


def server_terminated(c):
    """SIGTERM: calls under way end in its grace, so that nothing is unknown."""
    w = Served(delay=5)

    def stop():
        c.equal(w.server.close(), 0, "serve SIGTERM: exit 0")
        w.server.open()
        return True
    hits = w.stopped_at_random(random.Random(SEED + 5), max(3, KILLS // 10), 60, stop)
    w.books(c, "serve SIGTERM", hits, 0)


def server_stopped_and_continued(c):
    w = Served(delay=5, total_timeout="300ms")

    def stop():
        w.server.process.send_signal(signal.SIGSTOP)
        end = s.time.monotonic() + 0.6  # twice what a call may take: what is tested is time that passes
        s.until(lambda: s.time.monotonic() > end, "time passes")
        w.server.process.send_signal(signal.SIGCONT)
        return True
    hits = w.stopped_at_random(random.Random(SEED + 6), 4 if IS_FULL else 2, ITEMS, stop)
    w.books(c, "serve SIGSTOP", hits, 3 * hits * w.RUNS * PLAIN_IN_FLIGHT)


def server_script_worker(c):
    w = Served(script=True)

    def stop():
        workers = children(w.server.process.pid)
        if workers:
            os.kill(workers[0], signal.SIGKILL)
        return bool(workers)
    hits = w.stopped_at_random(random.Random(SEED + 7), 5, ITEMS, stop)
    w.books(c, "serve worker", hits, hits, "failed")


def table(c):
    print("%-14s %6s %6s %9s %6s %5s %9s %10s %6s %8s %5s    (seed %d)"
          % ("stopped by", "items", "stops", "requests", "done", "lost", "rec.twice", "sent twice", "stable", "unknown", "exit", SEED))
    for row in TABLE:
        print("%-14s %6d %6d %9d %6d %5d %9d %10d %6s %8d %5d" % row)


if __name__ == "__main__":
    if "--store" in sys.argv:
        at = sys.argv.index("--store")
        if sys.argv[at + 1:at + 2] != ["postgres"]:
            sys.exit("--store postgres")
        del sys.argv[at:at + 2]
        if not postgres.programs():
            s.skip_suite("no PostgreSQL server here (Debian: postgresql)")
        PG = postgres.Server()
        atexit.register(PG.close)
    parts = [a for a in sys.argv[1:] if not a.isdigit() and a not in ("--seed", "--full")]
    sys.argv[1:] = parts + (["table"] if parts else [])
    s.main(kill_9, terminated, terminated_twice, stopped_and_continued, script_worker, server, server_terminated, server_stopped_and_continued, server_script_worker, table)
