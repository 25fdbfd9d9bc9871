#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The disk has trouble: fsync fails, no room is left, no descriptor is to be had, at the n-th call of that kind (strace injects it), for `weir run` and
for the server; and what a file looks like after worse: cut, a page gone, the log of another database.

    run.py [--full] [PART...]     --full: every n up to the last, else a sample
"""
import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

IS_FULL = "--full" in sys.argv
ITEMS = 40
SYNCS, WRITES, OPENS = "fsync,fdatasync", "pwrite64,write", "openat"
# system calls, error, which n (of each thread, as strace counts), how many in a row
TROUBLES = (
    ("fsync", SYNCS, "EIO", (1, 2, 3, 4, 6, 9), 1),
    ("write", "pwrite64", "ENOSPC", (1, 2, 5, 9, 17, 40), 4),
    ("open", OPENS, "EMFILE", None, 1),  # None: those that open what is ours, found by looking
)
OUTCOME, PROBLEM = 2, 4


def can_trace():
    try:
        r = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync", "true"], capture_output=True)
        return r.returncode == 0
    except FileNotFoundError:
        return False


def injecting(calls, error, n, count):
    when = "%d..%d" % (n, n + count - 1) if count > 1 else str(n)
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=%s:error=%s:when=%s" % (calls, error, when)]


def our_opens(p):
    """Which openat of the program's first thread open the component, the input, or something of the data directory; the loader's are not ours."""
    log = os.path.join(p.dir, "opens")
    p.fresh()
    p.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + OPENS])
    with open(log, errors="replace") as f:
        lines = [line.split(None, 1) for line in f if "openat(" in line]
    mine = [line for pid, line in lines if pid == lines[0][0]]
    return [n for n, line in enumerate(mine, 1) if p.dir in line]


class Place:
    """A recorder, a flow that must not be sent twice, and where its data lies."""

    def __init__(self, delay=1):
        self.peer = s.Peer("--delay", str(delay))
        self.dir = s.directory()
        self.data, self.items = os.path.join(self.dir, "data"), os.path.join(self.dir, "items.ndjson")
        op = {"method_name": "POST", "query_path": "/record/{id}", "parameters": [{"name": "id", "in": "path", "required": True}]}
        step = s.call_step("POST", "/record/{id}", {"id": "=item.data.id"}, in_flight=4, result="body")
        self.file = s.write_component(os.path.join(self.dir, "t.json"), s.component("t", s.peer_system(self.peer.port, [op]), [s.INPUT, step, s.RESPOND]))
        s.write(self.items, "".join('{"id":%d}\n' % k for k in range(ITEMS)))

    def run(self, inside=(), resume=False):
        args = ["run", "--resume", "1"] if resume else ["run", self.file, "--items", self.items]
        return s.run(args, data=self.data, inside=inside, timeout=120)

    def fresh(self):
        shutil.rmtree(self.data, ignore_errors=True)
        self.peer.forget()

    def sent(self):
        sent = {}
        for r in self.peer.requests():
            k = int(r["target"].rsplit("/", 1)[1])
            sent[k] = sent.get(k, 0) + 1
        return sent

    def finish(self):
        """By itself from what is there; with the input again when it was not all recorded; from the start when nothing was."""
        r = s.run(["runs", "list", "-o", "json"], data=self.data)
        if r.code or '"id"' not in r.text:
            return self.run()
        r = self.run(resume=True)
        if r.code not in (0, 7):
            r = s.run(["run", "--resume", "1", "--items", self.items], data=self.data, timeout=120)
        return r


def ids(r):
    return [x["data"]["id"] for x in r.lines()]


def story(c, name, p, first, after):
    """After trouble and a new start: every item is done or unknown, none was sent twice, and what was given out once is given out again."""
    sent, done = p.sent(), ids(after)
    shown = s.run(["runs", "show", "1", "-o", "json"], data=p.data)
    unknown = int(shown.text.split('"unknown":')[1].split(",")[0].strip(" }\n")) if '"unknown":' in shown.text else -1
    c.that(after.code == (7 if unknown else 0) and len(done) + unknown == ITEMS, "%s: afterwards the run comes to its end, %d done, %d unknown"
           % (name, len(done), unknown), after)
    c.that(set(ids(first)) <= set(done), "%s: what was given out was saved" % name, sorted(set(ids(first)) - set(done)))
    c.that(all(n == 1 for n in sent.values()), "%s: nothing was sent twice" % name, sent)


def commands(c):
    if not can_trace():
        c.skip("strace cannot trace here")
        return
    p = Place()
    for name, calls, error, sample, count in TROUBLES:
        hit = missed = 0
        sample = sample or our_opens(p)
        for n in (range(sample[0], 200) if IS_FULL else sample):
            p.fresh()
            first = p.run(injecting(calls, error, n, count))
            what = "%s %s at %d" % (name, error, n)
            c.that(first.code in (0, 1, 3, 7) and not first.timed_out, "%s: weir run ends by itself (%d)" % (what, first.code), first)
            if first.code == 0:  # what failed was not needed, or there is no n-th call
                story(c, what, p, first, p.run(resume=True))
                missed += 1
                if missed > 30:
                    break
                continue
            hit += 1
            missed = 0
            c.that("weir: " in first.talk, "%s: and says why" % what, first)
            if error == "EIO":
                c.that("disk" in first.talk or "Input/output error" in first.talk, "%s: it names the disk" % what, first)
            story(c, what, p, first, p.finish())
        c.that(hit, "%s %s: it was met" % (name, error))
    p.peer.close()


def traced(p):
    """strace's child: what the signals are for."""
    with open("/proc/%d/task/%d/children" % (p.pid, p.pid)) as f:
        got = f.read().split()
    return int(got[0]) if got else 0


def ask_on(server, p, path, n, until_accepted):
    """Start runs until enough answers came: [(status, id or problem)]."""
    answers = []
    for k in range(n):
        try:
            a = server.ask("POST", path, {"items": [{"id": k}]}, timeout=30)
        except OSError as e:
            answers.append((0, str(e)))
            break
        answers.append((a.status, a.headers["Location"].rsplit("/", 1)[1] if a.status < 300 else a.body.decode("utf-8", "replace")))
        if until_accepted and a.status >= 500:
            def again():
                b = server.ask("POST", path, {"items": [{"id": 1000 + k}]}, timeout=30)
                if b.status < 300:
                    answers.append((b.status, b.headers["Location"].rsplit("/", 1)[1]))
                return b.status < 300
            s.until(again, "room on the disk")
            until_accepted = False
    return answers


def servers(c):
    if not can_trace():
        c.skip("strace cannot trace here")
        return
    p = Place()
    path = "/api/v1/components/t/dataflows/flow/runs"
    for name, calls, error, sample, count in TROUBLES[:2]:
        for n in (range(4, 60) if IS_FULL else (9, 14)):
            what = "weir serve, %s %s at %d" % (name, error, n)
            p.fresh()
            w = s.Server.__new__(s.Server)
            w.data, w.port, w.files, w.env, w.options = p.data, s.free_port(), (), None, ()
            w.url, w.talk = "http://127.0.0.1:%d" % w.port, os.path.join(p.dir, "server.log")
            # The component is there already: what is injected meets the runs.
            c.equal(s.run(["import", p.file], data=p.data).code, 0, "%s: the component is there" % what)
            with open(w.talk, "wb") as log:
                w.process = s.start([*injecting(calls, error, n, count), s.WEIR, "serve", "--port", w.port, "--data", p.data], stdout=log, stderr=log)
            s.until(lambda: s.accepts(w.port) or w.process.poll() is not None, "the server")
            if w.process.poll() is not None:
                c.that("weir: " in w.words(), "%s: it does not start, and says why" % what, w.words())
                continue
            pid = traced(w.process)
            answers = ask_on(w, p, path, 25, error == "ENOSPC")
            statuses = [a for a, _ in answers]
            refused = [text for a, text in answers if a >= 300 or not a]
            if error == "EIO" and refused:
                first = next(i for i, a in enumerate(statuses) if a >= 300)
                c.that(all(a == 503 for a in statuses[first:]), "%s: from then on nothing is accepted" % what, statuses)
                c.that("restart" in refused[-1] and '"type"' in refused[-1], "%s: and it says why, and what to do" % what, refused[-1])
                c.equal((w.ask("GET", "/api/v1/runs").status, w.ask("GET", "/healthz").status), (200, 503), "%s: reading goes on, and its health is told" % what)
            if error == "ENOSPC" and refused:
                c.that("free some space" in refused[0], "%s: 503 says what is missing" % what, refused[0])
                c.that(statuses[-1] < 300, "%s: and it goes on when there is room" % what, statuses)
            os.kill(pid, signal.SIGKILL)
            w.process.wait(30)
            w.open()
            accepted = [i for a, i in answers if a and a < 300]
            got = [w.run_ended(i) for i in accepted]
            c.that(all(g["state"] in ("done", "needs attention") for g in got), "%s: all %d runs that were accepted (%d refused) come to their end"
                   % (what, len(accepted), len(refused)), got)
            w.close()
    p.peer.close()


# ---- what a file looks like after worse ----

def killed_data(p):
    """A run killed in its middle: what it had given out, and its directory."""
    p.fresh()
    out = os.path.join(p.dir, "given")
    with open(out, "wb") as f:
        q = s.start([s.WEIR, "run", p.file, "--items", p.items, "--data", p.data], stdout=f)
        s.until(lambda: len(p.peer.requests()) >= ITEMS // 2 or q.poll() is not None, "half of the run")
        s.kill(q)
    assert os.path.exists(os.path.join(p.data, "weir.db-wal")), "the run ended before it was killed"
    with open(out) as f:
        return [json.loads(line)["data"]["id"] for line in f if line.endswith("\n")]


def refuses_or_keeps(c, what, p, given):
    """What was given out before is there, or the opening says what is wrong and how to go on."""
    before = p.sent()
    r = s.run(["runs", "list", "-o", "json"], data=p.data)
    if r.code:
        c.that("weir.db" in r.talk and ("damaged" in r.talk or "another" in r.talk or "cut" in r.talk), "%s: refused, with a cure" % what, r)
        return "refused"
    r = p.finish()
    if r.code not in (0, 7):
        c.that("damaged" in r.talk or "weir.db" in r.talk, "%s: refused later, with a cure" % what, r)
        return "refused"
    twice = [k for k, n in p.sent().items() if n > 1]
    c.that(set(given) <= set(ids(r)) and not twice, "%s: recovered, nothing is lost" % what,
           "lost %r, sent twice %r, before %d" % (sorted(set(given) - set(ids(r))), twice, len(before)))
    return "recovered"


def cut(path, n):
    os.truncate(path, max(0, os.path.getsize(path) - n))


def overwrite(path, at, what):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(what)


def closed_data(p):
    p.fresh()
    r = p.run()
    assert r.code == 0, r
    return ids(r)


def damaged(c):
    p, rng = Place(10), random.Random(7)
    seen = {}

    def case(what, given):
        verdict = refuses_or_keeps(c, what, p, given)
        seen[verdict] = seen.get(verdict, 0) + 1

    db, wal = os.path.join(p.data, "weir.db"), os.path.join(p.data, "weir.db-wal")
    for n in (range(1, 4097, 5) if IS_FULL else (1, 24, 100, 4095, 4096)):
        given = closed_data(p)
        cut(db, n)
        case("a closed database cut by %d" % n, given)
    given = closed_data(p)
    pages = os.path.getsize(db) // 8192
    for page in (range(pages) if IS_FULL else sorted({0, 1, pages // 2, pages - 1})):
        given = closed_data(p)
        overwrite(db, page * 8192, bytes(8192))
        case("page %d of a closed database is gone" % page, given)
        given = closed_data(p)
        with open(db, "rb") as f:
            f.seek(page * 8192)
            flipped = bytes(255 - b for b in f.read(8192))
        overwrite(db, page * 8192, flipped)
        case("page %d of a closed database is flipped" % page, given)
    given = closed_data(p)
    overwrite(db, 0, b"no database at all, but a text of some length")
    case("another file in its place", given)
    for n in (range(1, 4097, 5) if IS_FULL else (1, 24, 100, 4095, 4096)):
        given = killed_data(p)
        cut(wal, n)
        case("the log of a killed process cut by %d" % n, given)
    given = killed_data(p)
    log = open(wal, "rb").read()
    killed_data(p)
    s.write(wal, log)
    c.equal(refuses_or_keeps(c, "the log of another database", p, given), "refused", "the log of another database is not taken for its own")
    size = os.path.getsize(wal)
    for at in rng.sample(range(4096, size), 40 if IS_FULL else 6):
        given = killed_data(p)
        if at < os.path.getsize(wal):
            overwrite(wal, at, bytes([255 - open(wal, "rb").read()[at]]))
            case("one byte of the log of a killed process flipped, at %d" % at, given)
    p.peer.close()
    print("      " + ", ".join("%d %s" % (n, v) for v, n in sorted(seen.items())))


if __name__ == "__main__":
    sys.argv[1:] = [a for a in sys.argv[1:] if a != "--full"]
    s.main(commands, servers, damaged)
