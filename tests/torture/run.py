#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The n-th allocation of the whole program fails, for one n after the other, over 20 items of three calls each (README.md).

    run.py [--full] [--seed N] [--jobs J] [--only VARIANT]
                                 --full: every n; else the first so many, and by the seed some of the places that allocate
    run.py --n N [--only VARIANT] [--keep]      one n again, told in full; --keep leaves its directory

After each failure: no signal, no hang, a documented exit code and a sentence; books and entries are whole; a call without a key went out at most
once; and a second process brings the run to its end.
"""
import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from world import ITEMS, s  # noqa: E402

PRELOAD = os.path.join(os.environ.get("WEIR_BUILD") or os.path.dirname(s.WEIR), "libfailmalloc.so")
ALLOWED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "allowed.txt")
TIMEOUT = 20  # seconds of one process; more is a hang
EXITS = {0: "done", 1: "failed", 3: "invalid", 5: "unreachable", 7: "partly done"}
FIRST = 60  # the sample: the first so many n, and places of each variant
WORDS = 25  # kinds of first sentences that are shown
INTENT, OUTCOME, ENTRY, PROBLEM = 1, 2, 3, 4
RUNNING, DONE, NEEDS_ATTENTION = 0, 1, 4


class Variant:
    """What is run. `places`: how many of the places that allocate are in the sample."""

    def __init__(self, name, places, has_script=False, ids=range(ITEMS), is_resumed=False):
        self.name, self.places, self.has_script, self.ids, self.is_resumed = name, places, has_script, list(ids), is_resumed
        self.first_call = 2 if has_script else 1
        self.plain = self.first_call + 2


VARIANTS = {v.name: v for v in (
    Variant("calls", 120),
    Variant("script", 20, has_script=True),
    Variant("single", 30, ids=[world.MOVED]),   # weir run -d id=7
    Variant("resumed", 60, is_resumed=True),    # weir run --resume of a run that was broken off in the middle
)}


class Found:
    """What one n showed; goes from the worker to the one who counts."""

    def __init__(self, n):
        self.n, self.has_failed, self.code, self.wrong, self.stack, self.talk, self.unknown, self.first = n, False, None, [], "", "", 0, ""
        self.allowed = None


# ---- what the log of failmalloc says ----

def names(stack):
    """Functions of a stack; those of our program by addr2line, others as the libraries export them."""
    out, ours = [], []
    for line in stack.splitlines():
        m = re.match(r"(.*?)\(([^+)]*)\+?([^)]*)\)\[", line)
        if not m or "libfailmalloc" in line:
            continue
        out.append([os.path.basename(m[1]), m[2]])
        if os.path.basename(m[1]) == os.path.basename(s.WEIR) and m[3]:
            ours.append((len(out) - 1, m[3]))
    if ours:
        r = subprocess.run(["addr2line", "-f", "-e", s.WEIR, *(a for _, a in ours)], capture_output=True, text=True)
        lines = r.stdout.splitlines()
        for k, (at, _) in enumerate(ours):
            if 2 * k < len(lines):
                out[at][1] = lines[2 * k]
    return ["%s!%s" % (lib, fn or "?") for lib, fn in out]


def events(path):
    """{"fail": stack, "crash": stack}; absent when it did not come to that."""
    try:
        text = open(path, errors="replace").read()
    except FileNotFoundError:
        return {}
    found, key = {}, None
    for line in text.splitlines():
        m = re.match(r"(fail|crash|count) \d+", line)
        if m:
            key = m[1]
            found[key] = line + "\n"
        elif key:
            found[key] += line + "\n"
    return found


def allow_list():
    """Rows "PATTERN  reason": a crash whose stack has a function that the pattern matches is a library's own."""
    rows = []
    with open(ALLOWED) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                pattern, _, reason = line.strip().partition("  ")
                rows.append((re.compile(pattern), reason.strip()))
    return rows


# ---- the books ----

class Books:
    """A look at the database beside the program: a copy, so that looking repairs nothing."""

    def __init__(self, data, where):
        self.is_there = os.path.exists(os.path.join(data, "weir.db"))
        self.run = None
        self.ledger, self.entries, self.integrity = [], [], "absent"
        if not self.is_there:
            return
        shutil.rmtree(where, ignore_errors=True)
        os.mkdir(where)
        for name in ("weir.db", "weir.db-wal"):
            if os.path.exists(os.path.join(data, name)):
                shutil.copy(os.path.join(data, name), where)
        db = sqlite3.connect(os.path.join(where, "weir.db"))
        try:
            self.integrity = db.execute("PRAGMA integrity_check").fetchone()[0]
            if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs'").fetchone()[0]:
                self.read(db)
        finally:
            db.close()

    def read(self, db):
        rows = db.execute("SELECT id, state, input_is_complete FROM runs").fetchall()
        if rows:
            self.run = dict(zip(("id", "state", "input_is_complete"), rows[-1]))
        self.n_runs = len(rows)
        self.ledger = [dict(zip(("seq", "step", "attempt", "kind", "code", "number", "head"), r)) for r in
                       db.execute("SELECT seq, step, attempt, kind, code, number, head FROM ledger")]
        self.entries = [dict(zip(("id", "key", "data"), r)) for r in db.execute("SELECT id, key, data FROM entries")]

    def of(self, kind):
        return [r for r in self.ledger if r["kind"] == kind]


def check_books(books, wrong):
    if not books.is_there:
        return
    if books.integrity != "ok":
        wrong.append("integrity_check: %s" % books.integrity)
    noted, there = sorted(r["number"] for r in books.of(ENTRY)), sorted(e["id"] for e in books.entries)
    if noted != there:
        wrong.append("half an entry: the ledger names %s, entries are %s" % (noted, there))
    for e in books.entries:
        data = json.loads(e["data"])
        if data.get("got") != 1000 + data.get("id", -1):
            wrong.append("an entry lacks what it was given: %s" % e["data"])
    answered = collections.Counter((r["seq"], r["step"]) for r in books.of(OUTCOME) if 200 <= r["code"] < 300)
    if any(n > 1 for n in answered.values()):
        wrong.append("an outcome is recorded twice")
    meant = {(r["seq"], r["step"], r["attempt"]) for r in books.of(INTENT)}
    if any((r["seq"], r["step"], r["attempt"]) not in meant for r in books.of(OUTCOME)):
        wrong.append("an outcome without its intent")
    for r in books.of(PROBLEM):
        if "unknown_outcome" not in r["head"]:
            wrong.append("an item is blamed: %s" % r["head"][:200])


def unknown_items(books):
    return sorted(r["seq"] for r in books.of(PROBLEM) if "unknown_outcome" in r["head"])


def check_peer(arrived, books, variant, wrong):
    plain = collections.Counter(item for what, item, _ in arrived if what == "plain")
    if any(n > 1 for n in plain.values()):
        wrong.append("a POST without key arrived twice")
    keys = collections.defaultdict(set)
    for what, item, key in arrived:
        if what == "keyed":
            keys[item].add(key)
    if any(len(k) != 1 or None in k for k in keys.values()) or len({k for v in keys.values() for k in v}) != len(keys):
        wrong.append("a keyed POST came with another key, or none")
    meant = {(r["seq"], r["step"]) for r in books.of(INTENT)}
    for what, item, _ in arrived:
        if item not in variant.ids:
            wrong.append("%s of item %d arrived, which nobody gave" % (what, item))
        elif (variant.ids.index(item), variant.first_call + {"get": 0, "moved": 0, "keyed": 1, "plain": 2}[what]) not in meant:
            wrong.append("%s of item %d arrived and its intent is not on disk" % (what, item))


def outputs(path):
    """Objects one behind the other, on lines or pretty; None when there is no file."""
    try:
        with open(path) as f:
            text, out = f.read().strip(), []
    except FileNotFoundError:
        return None
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        out.append(value)
        text = text[end:].strip()
    return out


def check_outputs(out, has_script, wanted, wrong):
    """`wanted`: which items must be there."""
    got = [x.get("data", {}).get("id") for x in out or []]
    if got != wanted:
        wrong.append("outputs are of items %s instead of %s" % (got, wanted))
    for x in out or []:
        if not world.right_item(x, has_script):
            wrong.append("a wrong item: %s" % json.dumps(x)[:300])
            break


# ---- one n ----

class Torturer:
    """A worker: its own peer and directory."""

    def __init__(self, variant):
        self.variant = variant
        self.template = None  # resumed: what the peer had seen of the run that was broken off
        self.peer = world.Peer()
        self.dir = tempfile.mkdtemp(prefix="weir-torture-")
        self.path = {k: os.path.join(self.dir, k) for k in ("t.yaml", "in.ndjson", "out.ndjson", "data", "log", "look", "stacks", "broken")}
        self.allowed = allow_list()
        s.write(self.path["in.ndjson"], world.items_text(variant.ids))

    def weir(self, args, **env):
        r = s.run(["run", *args, "-o", self.path["out.ndjson"]], data=self.path["data"], env=dict(s.PLAIN, **(env or {})), timeout=TIMEOUT)
        return r

    def fresh(self, run):
        for k in ("out.ndjson", "log", "stacks"):
            if os.path.exists(self.path[k]):
                os.remove(self.path[k])
        shutil.rmtree(self.path["data"], ignore_errors=True)
        s.write(self.path["t.yaml"], world.component(self.peer.port, run, self.variant.has_script))
        if self.template:
            shutil.copytree(self.path["broken"], self.path["data"])
            self.peer.seen[run] = list(self.template)

    def anew(self):
        if len(self.variant.ids) == 1:
            return [self.path["t.yaml"] + ":flow", "-d", "id=%d" % self.variant.ids[0]]
        return [self.path["t.yaml"] + ":flow", "--items", self.path["in.ndjson"]]

    def arguments(self):
        return ["--resume", "1"] if self.variant.is_resumed else self.anew()

    def run_name(self, n):
        return "r%08d" % (0 if self.variant.is_resumed else n)  # the resumed one keeps the address that it began with

    def break_off(self):
        """A run in the middle of its calls, for "resumed": found by failing one allocation after the other of its last thousand."""
        total = sum(map(len, self.places(self.anew()).values()))
        for n in range(total - 700, total, 3):
            self.fresh(self.run_name(0))
            self.weir(self.anew(), LD_PRELOAD=PRELOAD, FAILMALLOC_N=str(n))
            books = Books(self.path["data"], self.path["look"])
            done = sum(r["step"] == self.variant.plain for r in books.of(OUTCOME))
            if books.run and books.run["state"] == RUNNING and 3 < done < ITEMS - 3:
                self.template = self.peer.arrived(self.run_name(0))
                os.rename(self.path["data"], self.path["broken"])
                return
            self.peer.forget(self.run_name(0))
        raise RuntimeError("no run was broken off in the middle")

    def places(self, arguments):
        """One number a place that allocates: {hash: [n, ...]}, from a run without failure."""
        self.fresh(self.run_name(0))
        r = self.weir(arguments, LD_PRELOAD=PRELOAD, FAILMALLOC_N="0", FAILMALLOC_STACKS=self.path["stacks"])
        self.peer.forget(self.run_name(0))
        if r.code not in ((0, 7) if self.template else (0,)):
            raise RuntimeError("the run without failure: %r" % r)
        found = collections.OrderedDict()
        with open(self.path["stacks"], "rb") as f:
            data = f.read()
        for k in range(0, len(data), 8):
            found.setdefault(data[k:k + 8], []).append(k // 8 + 1)
        return found

    def one(self, n):
        f, run = Found(n), self.run_name(n)
        self.fresh(run)
        r = self.weir(self.arguments(), LD_PRELOAD=PRELOAD, FAILMALLOC_N=str(n), FAILMALLOC_LOG=self.path["log"])
        happened = events(self.path["log"])
        f.has_failed, f.code, f.talk, f.stack = "fail" in happened, r.code, r.talk, happened.get("fail", "")
        f.first = next((x for x in r.talk.splitlines() if x.strip() and x.strip()[0] not in "✓"), "")
        books = Books(self.path["data"], self.path["look"])
        self.judge(f, r, happened, books)
        check_books(books, f.wrong)
        check_peer(self.peer.arrived(run), books, self.variant, f.wrong)
        self.heal(f, run, books, r.code)
        self.peer.forget(run)
        return f

    def check_outputs(self, unknown, wrong):
        wanted = [x for k, x in enumerate(self.variant.ids) if k not in unknown]
        check_outputs(outputs(self.path["out.ndjson"]), self.variant.has_script, wanted, wrong)

    def judge(self, f, r, happened, books):
        if r.timed_out:
            f.wrong.append("hangs")
        elif r.code < 0:
            stack = names(happened.get("crash", "") + f.stack)
            f.allowed = next((reason for p, reason in self.allowed if any(p.search(x) for x in stack)), None)
            if not f.allowed:
                f.wrong.append("signal %d in %s" % (-r.code, " < ".join(x for x in names(happened.get("crash", "")) if "libc.so" not in x)[:200]))
        elif r.code not in EXITS:
            f.wrong.append("exit %d" % r.code)
        elif r.code != 0 and not r.talk.strip():
            f.wrong.append("exit %d without a word" % r.code)
        if r.code == 0:
            self.check_outputs([], f.wrong)
        elif r.code == 7:
            self.check_outputs(unknown_items(books), f.wrong)
        elif outputs(self.path["out.ndjson"]) is not None:
            f.wrong.append("exit %d, and yet an output" % r.code)

    def heal(self, f, run, before, code):
        """Without failures now. A run that is on disk goes on; else nothing was begun, and it is run."""
        out = self.path["out.ndjson"]
        if os.path.exists(out):
            os.remove(out)
        if before.run:
            more = [] if before.run["input_is_complete"] else ["--items", self.path["in.ndjson"]]
            r = self.weir(["--resume", str(before.run["id"]), *more])
        else:
            r = self.weir(self.anew())
        books = Books(self.path["data"], self.path["look"])
        wrong = []
        unknown = unknown_items(books)
        f.unknown = len(unknown)
        plain = self.variant.plain
        answered = {x["seq"] for x in before.of(OUTCOME) if x["step"] == plain and x["code"]}
        sent = {x["seq"] for x in before.of(INTENT) if x["step"] == plain} - answered
        if r.timed_out:
            wrong.append("hangs")
        if not set(unknown) <= sent:
            wrong.append("items %s are unknown; only %s were under way" % (unknown, sorted(sent)))
        if r.code != (7 if unknown else 0):
            wrong.append("exit %d with %d unknown: %s" % (r.code, len(unknown), r.talk[-300:]))
        elif books.run["state"] != (NEEDS_ATTENTION if unknown else DONE):
            wrong.append("state %d" % books.run["state"])
        check_books(books, wrong)
        check_peer(self.peer.arrived(run), books, self.variant, wrong)
        self.check_outputs(unknown, wrong)
        if len(books.entries) != len(self.variant.ids) - len(unknown):
            wrong.append("%d entries" % len(books.entries))
        f.wrong += ["then, in the second process: %s" % w for w in wrong]

    def close(self):
        self.peer.shutdown()
        shutil.rmtree(self.dir, ignore_errors=True)


_torturer = None


def work(job):
    """In a worker process: one n of one variant."""
    global _torturer
    n, name = job
    if not _torturer:
        _torturer = Torturer(VARIANTS[name])
        multiprocessing.util.Finalize(None, _torturer.close, exitpriority=10)
        if _torturer.variant.is_resumed:
            _torturer.break_off()
    return _torturer.one(n)


# ---- all of them ----

def sample(places, rng, n_places):
    wanted = set(range(1, FIRST + 1))
    for key in rng.sample(list(places), min(n_places, len(places))):
        wanted.add(rng.choice(places[key]))
    return sorted(wanted)


def sweep(pool, numbers, name, progress):
    """Ends by itself where a run has no failure any more."""
    found = []
    for f in pool.map(work, [(n, name) for n in numbers], chunksize=4):
        found.append(f)
        if progress and len(found) % 500 == 0:
            print("  %d of %d, %d wrong" % (len(found), len(numbers), sum(bool(x.wrong) for x in found)), file=sys.stderr, flush=True)
    return found


def tell(found, limit):
    """Wrongs by kind, each with where the first of them asked for memory."""
    kinds = collections.OrderedDict()
    for f in found:
        for w in f.wrong:
            kinds.setdefault(re.sub(r"\d+", "N", w)[:110], []).append((f, w))
    for kind, rows in sorted(kinds.items(), key=lambda x: -len(x[1])):
        print("\nWRONG %d times: %s" % (len(rows), kind))
        shown = {}
        for f, w in rows:
            stack = [x for x in names(f.stack) if "libc.so" not in x][:9] if len(shown) < limit else None
            if stack and tuple(stack[:5]) not in shown:
                shown[tuple(stack[:5])] = 1
                print("  n=%d exit %s: %s\n    says: %s\n    asked by: %s" % (f.n, f.code, w[:400], f.first[:200], " < ".join(stack)))


def figures(c, name, found):
    failed = [f for f in found if f.has_failed]
    codes = collections.Counter(f.code for f in failed)
    print("%s: n of %d; %d failed so; exits %s; %d of them a library's own end; %d items unknown in %d runs" % (
        name, len(found), len(failed), ", ".join("%d: %d" % x for x in sorted(codes.items())), sum(bool(f.allowed) for f in failed),
        sum(f.unknown for f in failed), sum(bool(f.unknown) for f in failed)))
    words = collections.Counter((f.code, re.sub(r"/tmp/\S*/|\d+", "", f.first)[:90]) for f in failed if f.code)
    for (code, first), n in words.most_common(WORDS):
        print("  %5d times exit %d: %s" % (n, code, first))
    c.that(failed, "%s: allocations did fail" % name)
    for sentence, is_it in (("none ended by a signal", lambda w: w.startswith("signal")), ("none hangs", lambda w: w == "hangs"),
                            ("each failure has a documented exit code and a word", lambda w: w.startswith("exit")),
                            ("books, entries, outputs and the peer's log agree after it",
                             lambda w: not w.startswith(("signal", "exit", "then")) and w != "hangs"),
                            ("a second process brings each run to its end", lambda w: w.startswith("then"))):
        bad = [(f.n, w) for f in found for w in f.wrong if is_it(w)]
        c.that(not bad, "%s: %s (%d)" % (name, sentence, len(found)), "\n".join("n=%d: %s" % x for x in bad[:10]))


def options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--full", action="store_true")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    p.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    p.add_argument("--places", type=int, help="so many places instead of the sample's")
    p.add_argument("--from", type=int, default=1, dest="first")
    p.add_argument("--step", type=int, default=1)
    p.add_argument("--n", type=int)
    p.add_argument("--only", choices=list(VARIANTS))
    p.add_argument("--keep", action="store_true")
    p.add_argument("--limit", type=int, default=4, help="places shown of each kind of wrong")
    return p.parse_args()


def one_again(o):
    t = Torturer(VARIANTS[o.only or "calls"])
    if t.variant.is_resumed:
        t.break_off()
    f = t.one(o.n)
    print("n=%d exit %s, failed: %s, allowed: %s\n%s\n%s" % (f.n, f.code, f.has_failed, f.allowed, f.talk, "\n".join(names(f.stack))))
    for w in f.wrong:
        print("WRONG %s" % w)
    crash = events(t.path["log"]).get("crash")
    if crash:
        print("crash:\n%s" % "\n".join(names(crash)))
    if o.keep:
        print(t.dir)
    else:
        t.close()
    sys.exit(1 if f.wrong else 0)


def main():
    o = options()
    if not os.access(s.WEIR, os.X_OK) or not os.path.exists(PRELOAD):
        s.skip_suite("no weir at %s, or no %s beside it" % (s.WEIR, PRELOAD))
    if o.n:
        one_again(o)
    c, rng = s.Claims(), random.Random(o.seed)
    print("seed %d" % o.seed, flush=True)
    for name in [o.only] if o.only else VARIANTS:
        t = Torturer(VARIANTS[name])
        if t.variant.is_resumed:
            t.break_off()
        places = t.places(t.arguments())
        t.close()
        total = sum(map(len, places.values()))
        # More than were counted: timing adds some. The last of a full sweep have no failure any more.
        numbers = list(range(o.first, total + total // 50, o.step)) if o.full else sample(places, rng, o.places or VARIANTS[name].places)
        print("%s: %d allocations at %d places" % (name, total, len(places)), flush=True)
        with concurrent.futures.ProcessPoolExecutor(o.jobs) as pool:
            found = sweep(pool, numbers, name, o.full)
        tell(found, o.limit)
        figures(c, name, found)
        if o.full and o.step == 1:
            c.that(not all(f.has_failed for f in found[-20:]), "%s: the sweep came to runs without a failure" % name)
    print("again: python3 tests/torture/run.py --seed %d, or one of them: --n N --only VARIANT" % o.seed)
    sys.exit(c.closing())


if __name__ == "__main__":
    main()
