#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The store on PostgreSQL, with all that a server does to its clients: it restarts, crashes, ends sessions, loses the answer to a COMMIT. And two
processes on one database, one of them asleep while the other takes over."""
import json
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools"))
import support as s  # noqa: E402
import pgproxy  # noqa: E402
import postgres  # noqa: E402

if not postgres.programs():
    s.skip_suite("no PostgreSQL server here (Debian: postgresql)")
PG = postgres.Server()
ITEMS = 400
N = [0]


def world(delay=2, **more):
    """A POST without key for each item, and an entry; a schema and a data directory of its own."""
    N[0] += 1
    schema = "w%d" % N[0]
    PG.new_schema(schema)
    peer = s.Peer("--delay", str(delay))
    d = s.directory()
    op = {"method_name": "POST", "query_path": "/record/{id}", "parameters": [{"name": "id", "in": "path", "required": True}]}
    call = s.call_step("POST", "/record/{id}", {"id": "=item.data.id"}, result="body", in_flight=8, **more)
    save = {"name": "save", "kind": "update_entry", "source_step": call["name"], "fields_mapping": {"id": "=item.data.id", "text": "saved"}}
    respond = dict(s.RESPOND, source_step="save")
    model = [{"name": "id", "type": "integer", "primary_key": True}, {"name": "text", "type": "string"}]
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, call, save, respond], model))
    items = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(ITEMS)))
    return peer, schema, f, items, d


def sent_of(peer):
    n = {}
    for x in peer.requests():
        k = int(re.search(r"/record/(\d+)", x["target"])[1])
        n[k] = n.get(k, 0) + 1
    return n


def books(c, name, peer, schema, code, out, talk):
    ids = [json.loads(line)["data"]["id"] for line in open(out)] if os.path.exists(out) else []
    sent = sent_of(peer)
    rows = {int(k): int(n) for k, n in PG.sql("SELECT kind, count(*) FROM ledger WHERE run=1 GROUP BY kind", schema)}
    entries = int(PG.sql("SELECT count(*) FROM entries", schema)[0][0])
    c.that(code == 0, "%s: the run comes to its end by itself" % name, talk)
    c.equal(ids, list(range(ITEMS)), "%s: every item once, in order" % name)
    c.that(len(sent) == ITEMS and max(sent.values()) == 1, "%s: each POST was sent once" % name, sorted(sent.items(), key=lambda x: -x[1])[:5])
    c.equal((rows.get(1), rows.get(2), rows.get(3), rows.get(4)), (ITEMS, ITEMS, ITEMS, None), "%s: each has its intent, outcome and entry, and no problem" % name)
    c.equal(entries, ITEMS, "%s: entries are there once" % name)


def run_with(c, name, act, url=None):
    """`act` is called again and again while the run is under way, after every stretch of requests."""
    peer, schema, f, items, d = world()
    out = os.path.join(d, "out.ndjson")
    p = s.start([s.WEIR, "run", f, "--items", items, "-o", out, "--data", os.path.join(d, "data"), "--store", (url or PG.url)(schema)],
                stdout=s.subprocess.DEVNULL, stderr=open(os.path.join(d, "talk"), "w"))
    acts, goal = 0, 30
    while p.poll() is None:
        s.until(lambda: len(peer.requests()) >= goal or p.poll() is not None, "requests")
        if p.poll() is None:
            act()
            acts += 1
        goal += 45
    books(c, name, peer, schema, p.returncode, out, open(os.path.join(d, "talk")).read()[-3000:])
    c.that(acts >= 4, "%s: it happened %d times" % (name, acts), open(os.path.join(d, "talk")).read()[-1500:])
    peer.close()


def sessions_end(c):
    run_with(c, "sessions that an administrator ends",
             lambda: PG.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'weir-%'"))


def restarts(c):
    run_with(c, "a server that restarts", PG.restart)
    run_with(c, "a server that is killed", lambda: PG.restart("immediate"))


def lost_commits(c):
    with pgproxy.PgProxy(PG.dir) as proxy:
        for what in ("answer", "commit"):
            before = proxy.lost
            run_with(c, "the %s of a COMMIT lost" % what if what == "answer" else "a COMMIT lost on its way", lambda: proxy.lose(what, 0), proxy.url)
            c.that(proxy.lost - before >= 4, "%d were lost so" % (proxy.lost - before))


def taken_over(c):
    """The first process sleeps beyond the life of its session; another one takes the run over, and the first must not write for it when it wakes."""
    peer, schema, f, items, d = world(delay=20)
    out, talk = os.path.join(d, "out.ndjson"), os.path.join(d, "talk")
    args = ["--store", PG.url(schema)]
    first = s.start([s.WEIR, "run", f, "--items", items, "-o", out, "--data", os.path.join(d, "data"), *args], stdout=s.subprocess.DEVNULL, stderr=open(talk, "w"))
    s.until(lambda: len(peer.requests()) >= 40, "requests")
    r = s.run(["run", "--resume", "1", "--data", os.path.join(d, "other"), *args])
    c.that(r.code != 0 and "executed by another process" in r.talk, "a run that is executed cannot be taken, from another data directory either", r)
    first.send_signal(signal.SIGSTOP)
    PG.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'weir-%'")
    r = s.run(["run", "--resume", "1", "--items", items, "-o", out + ".other", "--data", os.path.join(d, "other"), *args], timeout=300)
    c.that(r.code in (0, 7), "once its session has ended another process takes it over", r)
    counts = PG.sql("SELECT kind, count(*), max(at) FROM ledger GROUP BY kind ORDER BY kind", schema)
    first.send_signal(signal.SIGCONT)
    s.until(lambda: first.poll() is not None, "the end of the first")
    c.that(first.returncode not in (0, 7), "the first says when it wakes that it is over", first.returncode)
    c.that("taken over run 1" in open(talk).read(), "and why", open(talk).read()[-1500:])
    c.equal(PG.sql("SELECT kind, count(*), max(at) FROM ledger GROUP BY kind ORDER BY kind", schema), counts, "and has written nothing")
    sent = sent_of(peer)
    c.equal(max(sent.values()), 1, "no POST was sent twice")
    done = {json.loads(line)["data"]["id"] for line in open(out + ".other")}
    unknown = {int(x[0]) for x in PG.sql("SELECT seq FROM ledger WHERE kind=4", schema)}
    c.equal(done | unknown, set(range(ITEMS)), "every item is done or unknown: %d and %d" % (len(done), len(unknown)))
    c.that(len(unknown) <= 8, "unknown is at most what was in flight", len(unknown))
    peer.close()


def served(c):
    """A server of ours over one that goes away for a while."""
    peer, schema, f, items, d = world()
    w = s.Server(f, data=os.path.join(d, "data"), env={"WEIR_STORE": PG.url(schema)})
    c.that("PostgreSQL at" in w.words(), "weir serve says where its data is", w.words())
    a = w.ask("POST", "/api/v1/components/t/dataflows/flow/runs", {"items": [{"id": k} for k in range(50)]}, {"Prefer": "wait=20"})
    c.equal((a.status, a.json()["run"]["counts"]["items_out"]), (200, 50), "a run over REST ends")
    w.ask("GET", "/api/v1/storage")
    s.until(lambda: not w.ask("GET", "/api/v1/storage").json()["computing"], "the sums to be gathered")
    told = w.ask("GET", "/api/v1/storage").json()
    rows = {k["what"]: k["rows"] for k in told["kinds"]}
    c.equal((rows["requests"], rows["entries"], told["runs"]["top"][0]["id"], told["problem"]), (50, 50, "1", None), "what takes space there is told over REST")
    c.that(told["database"]["bytes"] > 0 and told["database"]["log"] == 0, "with the size of the database there", told["database"])
    w.restart()
    c.equal(w.ask("GET", "/api/v1/components/t/entries?limit=1").json()["total"], 50, "its entries are there after a restart")
    a = w.ask("POST", "/api/v1/components/t/dataflows/flow/runs", {"items": [{"id": k} for k in range(100, 300)]})
    run_id = a.headers["Location"].rsplit("/", 1)[1]
    s.until(lambda: len(peer.requests()) >= 80, "requests")
    PG.stop("immediate")
    c.equal(w.ask("GET", "/healthz").status, 200, "while PostgreSQL is away it answers")
    PG.start()
    c.equal(w.run_ended(run_id)["counts"]["items_out"], 200, "the run that was under way comes to its end by itself")
    sent = sent_of(peer)
    c.that(len(sent) == 250 and max(sent.values()) == 1, "each POST was sent once", max(sent.values()))
    c.equal(w.close(), 0, "SIGTERM ends it with 0")
    peer.close()


def away_for_long(c):
    """Longer than its patience: the run stops, the server says so, and both go on by themselves."""
    peer, schema, f, items, d = world(delay=10)
    w = s.Server(f, data=os.path.join(d, "data"), env={"WEIR_STORE": PG.url(schema), "WEIR_STORE_PATIENCE": "300ms"})
    a = w.ask("POST", "/api/v1/components/t/dataflows/flow/runs", {"items": [{"id": k} for k in range(200)]})
    run_id = a.headers["Location"].rsplit("/", 1)[1]
    s.until(lambda: len(peer.requests()) >= 60, "requests")
    PG.stop("immediate")
    s.until(lambda: w.ask("GET", "/healthz").status == 503, "the health is told")
    a = w.ask("POST", "/api/v1/components/t/dataflows/flow/runs", {"items": [{"id": 7}]})
    c.that(a.status == 503 and b"cannot connect to PostgreSQL" in a.body, "while nothing can be saved nothing is accepted, and why is said", a)
    before = len(peer.requests())
    PG.start()
    run = w.run_ended(run_id)
    c.equal((run["counts"]["items_out"] + run["counts"]["unknown"], run["state"] in ("done", "needs attention")), (200, True),
            "the run that had stopped comes to its end by itself: %r" % run["counts"])
    c.that(before < 200 and max(sent_of(peer).values()) == 1, "each POST was sent once", before)
    c.that(run["counts"]["unknown"] <= 8, "unknown is at most what was in flight", run["counts"])
    c.equal(w.ask("GET", "/healthz").status, 200, "and its health is told again")
    w.close()
    peer.close()


def talk(c):
    """What a user sees: nothing of a password, everything of a cure."""
    d = s.directory()
    r = s.run(["runs", "list", "--store", "mysql://u:CANARY@x/y"], data=d)
    c.that(r.code == 2 and "postgresql://" in r.talk and "CANARY" not in r.talk, "another database is no store, and what is one is said", r)
    r = s.run(["runs", "list", "--store", "postgresql://u:CANARY@127.0.0.1:1/db"], data=d)
    c.that(r.code == 1 and "cannot connect to PostgreSQL at 127.0.0.1:1/db" in r.talk and "CANARY" not in r.talk, "a server that is not there is named, without the password", r)
    r = s.run(["runs", "list", "--data", ":memory:", "--store", PG.url()])
    c.that(r.code == 2 and "--data" in r.talk, "files want a directory", r)
    PG.new_schema("talk")
    r = s.run(["doctor"], data=d, env={"WEIR_STORE": PG.url("talk")})
    c.that(r.code == 0 and "PostgreSQL at" in r.text, "doctor says where the data is", r)


if __name__ == "__main__":
    try:
        s.main(talk, sessions_end, restarts, lost_commits, taken_over, served, away_for_long)
    finally:
        PG.close()
