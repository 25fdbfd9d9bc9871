#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unknown outcomes are decided by a person: kill -9 in the middle of POSTs without key, then done, again and skip, singly and in bulk, by command
line and over REST. What the peer has seen and what stands in the ledger (read with sqlite3) are the judges."""
import getpass
import json
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

ITEMS, IN_FLIGHT = 24, 8


def world(method="POST", **operation):
    peer = s.Peer("--delay", "400")
    d = s.directory()
    op = {"method_name": method, "query_path": "/record/{id}", "parameters": [{"name": "id", "in": "path", "required": True}]}
    op.update(operation)
    step = s.call_step(method, "/record/{id}", {"id": "=item.data.id"}, in_flight=IN_FLIGHT, result="body")
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, step, s.RESPOND]))
    items = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(ITEMS)))
    return peer, f, items, os.path.join(d, "data")


def sent(peer):
    n = {}
    for x in peer.requests():
        k = int(re.search(r"/record/(\d+)", x["target"])[1])
        n[k] = n.get(k, 0) + 1
    return n


def cut(peer, f, items, data):
    """Killed while eight calls are under way; the numbers of those."""
    p = s.start([s.WEIR, "run", f, "--items", items, "--data", data], stdout=s.subprocess.DEVNULL)
    s.until(lambda: len(peer.requests()) >= IN_FLIGHT, "calls under way")
    s.kill(p)
    return p


def rows(data, sql):
    db = sqlite3.connect("file:%s?mode=ro" % os.path.join(data, "weir.db"), uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def unknown_of(data):
    return [r[0] for r in rows(data, "SELECT seq FROM ledger WHERE run=1 AND kind=4 AND code=3 ORDER BY seq")]


def decisions(data):
    """(seq, attempt, code, by, note, result) of each."""
    out = []
    for seq, attempt, code, head, body in rows(data, "SELECT seq,attempt,code,head,body FROM ledger WHERE kind=7 ORDER BY seq,attempt"):
        h = json.loads(head)
        out.append((seq, attempt, code, h["by"], h.get("note"), json.loads(body) if body else None))
    return out


def out_ids(lines):
    return {x["data"]["id"]: x.get("_answer") for x in lines}


def by_cli(c):
    peer, f, items, data = world()
    cut(peer, f, items, data)
    r = s.run(["run", "--resume", "1"], data=data)
    unknown = unknown_of(data)
    before = sent(peer)
    c.that(r.code == 7 and len(unknown) >= 4, "kill -9 amid POSTs without key leaves unknown outcomes", "%r\n%r" % (unknown, r))
    c.that(len(before) == ITEMS and max(before.values()) == 1, "and nothing was sent twice", before)
    skip, done, again = unknown[:1], unknown[1:2], unknown[2:]

    r = s.run(["runs", "decide", "1", "again", "--items", "%d,%d" % (unknown[0], ITEMS + 5)], data=data)
    c.that(r.code == 3 and "no unknown outcome: %d" % (ITEMS + 5) in r.talk and unknown_of(data) == unknown, "one that is not unknown: all are refused, by name", r)
    r = s.run(["runs", "decide", "1", "again", "--result", "1", "--all"], data=data)
    c.equal(r.code, 2, "a result is for done alone")
    r = s.run(["runs", "decide", "1", "skip", "--items", skip[0], "--note", "a test order", "--no-resume"], data=data)
    c.that(r.code == 0 and r.text == "item %d: left out\n" % skip[0], "a line an item", r)
    r = s.run(["runs", "decide", "1", "done", "--items", done[0], "--result", '{"id":"by hand"}', "--no-resume"], data=data)
    c.that(r.code == 0 and unknown_of(data) == again, "decided singly, the others wait", r)
    c.equal(sent(peer), before, "without resuming nothing is sent")
    r = s.run(["runs", "decide", "1", "again", "--all", "--note", "shop says: not there"], data=data)
    c.that(r.code == 0 and len(r.text.splitlines()) == len(again), "the rest in bulk, and the run goes on to its end", r)
    expected = {k: 2 if k in again else 1 for k in range(ITEMS)}
    c.equal(sent(peer), expected, "the peer: only those decided so came again, once")
    who = "cli:" + getpass.getuser()
    c.equal(decisions(data), sorted([(skip[0], 1, 3, who, "a test order", None), (done[0], 1, 1, who, None, {"id": "by hand"})]
                                    + [(k, 1, 2, who, "shop says: not there", None) for k in again]), "each decision is a row: who, what, why")
    r = s.run(["run", "--resume", "1"], data=data)
    got = out_ids(r.lines())
    c.that(r.code == 0 and set(got) == set(range(ITEMS)) - set(skip) and got[done[0]] == {"id": "by hand"},
           "its items, out of the ledger: the result given by hand is in, the item left out is not", r)
    c.equal(sent(peer), expected, "and nothing is sent for that")
    r = s.run(["runs", "show", "1", again[0]], data=data)
    c.that(r.code == 0 and "sent again by decision of " + who in r.text, "the attempt says who decided", r)
    r = s.run(["runs", "decide", "1", "again", "--all"], data=data)
    c.that(r.code == 3 and "no item" in r.talk, "nobody is left to decide about", r)
    peer.close()


def killed_again(c):
    """Decided, and killed amid the second attempts: unknown again, decided again, both rows stay."""
    peer, f, items, data = world()
    cut(peer, f, items, data)
    s.run(["run", "--resume", "1"], data=data)
    unknown = unknown_of(data)
    n = len(peer.requests())
    p = s.start([s.WEIR, "runs", "decide", "1", "again", "--all", "--data", data], stdout=s.subprocess.DEVNULL)
    s.until(lambda: len(peer.requests()) >= n + 2, "second attempts under way")
    s.kill(p)
    s.run(["run", "--resume", "1"], data=data)
    later = unknown_of(data)
    c.that(later and set(later) <= set(unknown), "those under way when it was killed again are unknown again", later)
    r = s.run(["runs", "decide", "1", "again", "--items", ",".join(map(str, later))], data=data)
    c.that(r.code == 0, "decided once more, the run ends done", r)
    total = sent(peer)
    c.equal({k: v for k, v in total.items() if v > 1}, {k: 3 if k in later else 2 for k in unknown}, "one request a decision, no more")
    c.equal([(x[0], x[1]) for x in decisions(data)], sorted([(k, 1) for k in unknown] + [(k, 2) for k in later]), "every decision stays, each under its attempt")
    peer.close()


def over_rest(c):
    peer, f, items, data = world()
    cut(peer, f, items, data)
    r = s.run(["run", "--resume", "1"], data=data)
    unknown = unknown_of(data)
    server = s.Server(data=data)
    page = server.ask("GET", "/api/v1/runs/1/items?state=unknown").json()
    c.equal([x["seq"] for x in page["items"]], unknown, "listed")
    url = "/api/v1/runs/1/decisions"
    for body, status, why in (({"decision": "maybe", "items": "all"}, 422, "a word that is none"), ({"decision": "again", "items": []}, 422, "no items"),
                              ({"decision": "skip", "items": "all", "result": 1}, 422, "a result of a skip"), ({"decision": "skip", "items": [-1]}, 422, "a number that is none"),
                              ({"decision": "skip", "items": list(range(10001))}, 422, "more than 10,000"), ({"decision": "skip", "items": [unknown[0], 999]}, 409, "not unknown")):
        a = server.ask("POST", url, body)
        c.that(a.status == status and a.json().get("detail"), "%s: %d" % (why, status), a)
    c.equal(a.json().get("items"), [999], "a refusal names the items")
    c.equal(server.ask("POST", "/api/v1/runs/77/decisions", {"decision": "skip", "items": "all"}).status, 404, "no such run")
    c.equal(unknown_of(data), unknown, "refused: nothing has changed")
    before = sent(peer)
    a = server.ask("POST", url, {"decision": "done", "items": [unknown[0]], "result": {"n": 7}, "note": "seen"})
    c.that(a.status == 200 and a.json() == {"run": "1", "decision": "done", "decided": 1, "left": len(unknown) - 1, "resumed": False}, "one is decided", a)
    c.equal(sent(peer), before, "without ?resume=1 nothing is sent")
    a = server.ask("POST", url + "?resume=1", {"decision": "again", "items": "all"})
    c.that(a.status == 200 and a.json().get("decided") == len(unknown) - 1 and a.json().get("resumed") is True, "the rest in bulk, and on it goes", a)
    busy = server.ask("POST", url, {"decision": "skip", "items": "all"})
    c.that(busy.status == 409 and "being executed" in busy.json()["detail"], "while it is executed nobody decides", busy)
    run = server.run_ended(1)
    c.that(run["state"] == "done" and run["counts"]["items_out"] == ITEMS and run["counts"]["unknown"] == 0, "done, with all items", run)
    c.equal(sent(peer), {k: 2 if k in unknown[1:] else 1 for k in range(ITEMS)}, "the peer: once each, twice where decided so")
    item = server.ask("GET", "/api/v1/runs/1/items/%d" % unknown[0]).json()
    d = (item.get("decisions") or [{}])[0]
    c.that(d.get("decision") == "done" and d.get("by") == "page" and d.get("note") == "seen" and d.get("result") == {"n": 7} and d.get("at") and item["state"] == "done"
           and item["output"]["_answer"] == {"n": 7}, "the item tells who decided what, when and why", item)
    again = server.ask("GET", "/api/v1/runs/1/items/%d" % unknown[1]).json()
    c.that([x["again"] and x["again"]["why"] for x in again["calls"]] == [None, "decided"], "and its second attempt that it was decided", again)
    c.equal(server.ask("POST", url, {"decision": "skip", "items": "all"}).status, 409, "nobody is left")
    server.close()
    peer.close()


def only_the_failed(c):
    """A third of the answers are 500: these again, and only these."""
    d = s.directory()
    answers = {"/x/%d" % k: ([(500, {}), (200, {})] if k % 3 == 0 else [(200, {})]) for k in range(12)}
    api = Counting(answers)
    op = {"method_name": "POST", "query_path": "/x/{id}", "parameters": [{"name": "id", "in": "path", "required": True}]}
    step = s.call_step("POST", "/x/{id}", {"id": "=item.data.id"}, result="body")
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(api.port, [op]), [s.INPUT, step, s.RESPOND]))
    items = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(12)))
    data = os.path.join(d, "data")
    r = s.run(["run", f, "--items", items], data=data)
    c.that(r.code == 7 and len(r.lines()) == 8, "four of twelve fail", r)
    r = s.run(["run", "--resume", "1", "--retry-failed"], data=data)
    c.that(r.code == 0 and len(r.lines()) == 12, "--retry-failed: all twelve come out", r)
    c.equal(api.seen(), {"/x/%d" % k: 2 if k % 3 == 0 else 1 for k in range(12)}, "the peer: only the failed came again")
    r = s.run(["runs", "retry", "1"], data=data)
    c.that(r.code == 3 and "no item" in r.talk, "nothing is left to retry", r)
    api.close()
    api = Counting({p: [(500, {}), (200, {})] for p in answers})
    s.write_component(f, s.component("t", s.peer_system(api.port, [op]), [s.INPUT, step, s.RESPOND]))
    r = s.run(["run", f, "--items", items], data=data)
    c.equal(r.code, 1, "a second run fails altogether")
    server = s.Server(data=data)
    a = server.ask("POST", "/api/v1/runs/2/retry")
    c.that(a.status == 200 and a.json().get("retried") == 12 and a.json().get("resumed") is True, "over REST", a)
    c.equal(server.run_ended(2)["state"], "done", "and it is done")
    c.equal(set(api.seen().values()), {2}, "each sent twice")
    c.equal(server.ask("POST", "/api/v1/runs/2/retry").status, 409, "nothing failed: 409")
    c.equal(server.ask("POST", "/api/v1/runs/99/retry").status, 404, "no such run: 404")
    server.close()
    r = s.run(["runs", "retry", "99"], data=data)
    c.equal(r.code, 3, "no such run on the command line")
    api.close()


def from_a_step(c):
    """--from: that step and those behind it again, for the items named; the steps before are read from the ledger."""
    api = Counting({"/%s/%d" % (k, n): [(200, {})] for k in "ab" for n in range(6)})
    ops = [{"method_name": m, "query_path": p, "parameters": [{"name": "id", "in": "path", "required": True}]} for m, p in (("POST", "/a/{id}"), ("POST", "/b/{id}"))]

    def flow(mode, model):
        first = s.call_step("POST", "/a/{id}", {"id": "=item.data.id"}, result="body", name="first")
        second = s.call_step("POST", "/b/{id}", {"id": "=item.data.id"}, result="body", name="second", result_store_field="_second")
        save = {"name": "save", "kind": "update_entry", "mode": mode, "fields_mapping": {"id": "=item.data.id"}}
        d = s.directory()
        f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(api.port, ops), [s.INPUT, first, second, save, s.RESPOND], model))
        items, data = s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(6))), os.path.join(d, "data")
        r = s.run(["run", f, "--items", items], data=data)
        c.that(r.code == 0 and len(r.lines()) == 6, "%s: six items through two calls into entries" % mode, r)
        return data

    def entries(data):
        return len(s.run(["entries", "list", "t", "-o", "ndjson"], data=data).lines())

    data = flow("upsert", [{"name": "id", "type": "integer", "primary_key": True}])
    once = {"/%s/%d" % (k, n): 1 for k in "ab" for n in range(6)}
    c.equal(api.seen(), once, "each call once")
    r = s.run(["run", "--resume", "1", "--from", "second", "--items", "2,4-5"], data=data)
    c.that(r.code == 0 and len(r.lines()) == 6, "from the second step for three of them: all six come out", r)
    c.equal(api.seen(), dict(once, **{"/b/%d" % k: 2 for k in (2, 4, 5)}), "the peer: the second call of these three again, nothing else")
    c.equal(entries(data), 6, "their entries were saved over")
    r = s.run(["run", "--resume", "1", "--from", "third"], data=data)
    c.that(r.code == 3 and "no step of that name" in r.talk, "a step that is none", r)
    r = s.run(["run", "--resume", "1", "--from", "respond"], data=data)
    c.that(r.code == 3 and "nothing recorded" in r.talk, "nothing to do again: said", r)
    before = api.seen()
    data = flow("create", [{"name": "id", "type": "integer"}])
    before = {k: n + 1 for k, n in before.items()}
    r = s.run(["run", "--resume", "1", "--from", "first"], data=data)
    c.that(r.code == 3 and 'step "save" has written entries' in r.talk and entries(data) == 6, "entries that are created are not created twice: refused", r)
    c.equal(api.seen(), before, "and nothing was sent")
    r = s.run(["run", "--resume", "1"], data=data)
    c.that(r.code == 0 and "has ended" in r.talk and len(r.lines()) == 6, "the run is as it was", r)
    r = s.run(["run", "--resume", "1", "--from", "save", "--items", "0"], data=data)
    c.that(r.code == 0 and entries(data) == 7, "unless that very step is asked for", r)
    before = api.seen()
    server, url = s.Server(data=data), "/api/v1/runs/1/rerun"
    a = server.ask("POST", url, {"from": "first", "items": "all"})
    c.that(a.status == 409 and a.json()["type"].endswith("not_repeatable") and a.json()["step"] == "save" and entries(data) == 7,
           "over REST: entries that are created are not created twice", a)
    c.equal(server.ask("GET", "/api/v1/runs/1").json()["state"], "done", "and the run is as it was")
    server.close()
    c.equal(api.seen(), before, "nothing was sent")
    data = flow("upsert", [{"name": "id", "type": "integer", "primary_key": True}])
    before = api.seen()
    server = s.Server(data=data)
    for body, pointer in (({"from": "third", "items": "all"}, "/from"), ({"items": "all"}, "/from"), ({"from": 3, "items": "all"}, "/from"), ({"from": "second"}, "/items"),
                          ({"from": "second", "items": []}, "/items"), ({"from": "second", "items": [-1]}, "/items"), ({"from": "second", "items": list(range(10001))}, "/items")):
        a = server.ask("POST", url, body)
        c.that(a.status == 422 and a.json()["type"].endswith("invalid_rerun") and a.json()["errors"][0]["pointer"] == pointer and a.json()["errors"][0]["detail"] == a.json()["detail"],
               "refused, and where: %s" % str(body)[:60], a)
    c.equal(server.ask("POST", "/api/v1/runs/77/rerun", {"from": "second", "items": "all"}).status, 404, "no such run: 404")
    a = server.ask("POST", url, {"from": "respond", "items": "all"})
    c.that(a.status == 409 and a.json()["type"].endswith("nothing_recorded"), "nothing to do again: 409", a)
    c.equal(api.seen(), before, "and nothing was sent")
    a = server.ask("POST", url, {"from": "second", "items": [2, 4, 5]})
    c.that(a.status == 200 and a.json() == {"run": "1", "from": "second", "dropped": 9, "resumed": True}, "from the second step for three of them: intents, outcomes and rows of entries go", a)
    run = server.run_ended(1)
    c.that(run["state"] == "done" and run["counts"]["items_out"] == 6, "the run is done, with all items", run)
    c.equal(api.seen(), dict(before, **{"/b/%d" % k: before["/b/%d" % k] + 1 for k in (2, 4, 5)}), "the peer: the second call of these three again, nothing else")
    server.close()
    api.close()


def while_it_runs(c):
    """Rows of a run that is executed are not touched."""
    peer = s.Peer()
    place = peer.stage("slow", {"bytes": b"", "then": "hang"})
    op = {"method_name": "GET", "query_path": place}
    f = s.write_component(os.path.join(s.directory(), "t.json"), s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, s.call_step("GET", place, {}), s.RESPOND]))
    server = s.Server(f)
    run = server.ask("POST", "/api/v1/components/t/dataflows/flow/runs", {"items": [{"id": 1}]}).json()["id"]
    a = server.ask("POST", "/api/v1/runs/%s/rerun" % run, {"from": "call", "items": "all"})
    c.that(a.status == 409 and a.json()["type"].endswith("run_is_executed"), "a run under way is not done again", a)
    server.kill()
    peer.close()


class Counting(s.Scripted):
    """Scripted, and it counts."""

    def __init__(self, answers):
        super().__init__(answers)
        self.counts = {}
        handler, plain = self.server.RequestHandlerClass, self.server.RequestHandlerClass.do_POST
        counts = self.counts

        def do_post(h):
            counts[h.path] = counts.get(h.path, 0) + 1
            plain(h)
        handler.do_POST = do_post

    def seen(self):
        return dict(self.counts)


if __name__ == "__main__":
    s.main(by_cli, killed_again, over_rest, only_the_failed, from_a_step, while_it_runs)
