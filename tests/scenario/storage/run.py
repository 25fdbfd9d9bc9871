#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Room on disk: calls take few bytes, old runs go beside a server at work, the file shrinks, and what must stay stays."""
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

ITEMS = 1500


def size(data):
    return os.path.getsize(os.path.join(data, "weir.db"))


def ask(data, sql):
    with sqlite3.connect("file:%s/weir.db?mode=ro" % data, uri=True) as db:
        return db.execute(sql).fetchone()[0]


def items_file():
    cities = ["Paris", "Oslo", "Tokyo", "Lyon", "Lille", "Toulouse", "Bordeaux", "Marseille"]
    return s.write(os.path.join(s.directory(), "items.ndjson"), "".join('{"city":"%s"}\n' % cities[i % len(cities)] for i in range(ITEMS)))


def weather_run(weather, items, data):
    return s.run(["run", weather, "--items", items, "-o", os.path.join(s.directory(), "out.ndjson"), "--env", "sample", "-q"], data=data)


def a_call_takes_few_bytes(c, weather, data):
    items = items_file()
    c.equal([weather_run(weather, items, data).code for _ in range(3)], [0, 0, 0], "three runs of the weather example are done")
    calls = ask(data, "SELECT count(*) FROM ledger WHERE kind = 1")
    c.equal(calls, 3 * 2 * ITEMS, "each item's two calls are in the ledger")
    c.that(size(data) / calls < 300, "a weather call takes fewer than 300 bytes on disk", "%.0f bytes" % (size(data) / calls))
    c.that(ask(data, "SELECT count(*) FROM ledger WHERE run = 3 AND seq = 1400 AND packed IS NOT NULL") >= 4, "its rows are packed")
    shown = s.run(["runs", "show", "3", "1400"], data=data)
    c.that("name=Paris" in shown.text and "200" in shown.text, "and shown in the clear", shown)
    doctor = s.run(["doctor"], data=data).text
    c.that("answers" in doctor and "dictionaries" in doctor and "in use" in doctor, "weir doctor says what takes space", doctor)


def dry_runs_change_nothing(c, data):
    before = size(data), ask(data, "SELECT count(*) FROM runs")
    dry = s.run(["runs", "prune", "--keep", "1", "--dry-run"], data=data)
    c.that("run 1 would go" in dry.text and "run 2 would go" in dry.text and "run 3" not in dry.text, "a dry run says which runs would go", dry.text)
    c.equal((size(data), ask(data, "SELECT count(*) FROM runs")), before, "and changes nothing")
    c.equal(s.run(["runs", "prune"], data=data).code, 2, "prune without a rule is a mistake in usage")
    c.equal(s.run(["runs", "prune", "--state", "running"], data=data).code, 2, "and so is pruning what is not over")
    c.equal(s.run(["runs", "prune", "4711"], data=data).code, 1, "a run that is not here is said")


def prune_beside_a_server(c, weather, data):
    server = s.Server(weather, data=data, options=["--env", "sample"])
    wrong, is_over = [], threading.Event()
    done = []

    def submit():
        while not is_over.is_set() or len(done) < 5:
            r = server.ask("POST", "/api/v1/components/weather/forms/weather/submissions", {"data": {"city": "Oslo"}})
            (done if r.status == 200 else wrong).append(r.status)

    worker = threading.Thread(target=submit)
    worker.start()
    entries = ask(data, "SELECT count(*) FROM entries")
    pruned = s.run(["runs", "prune", "1", "2"], data=data)
    is_over.set()
    worker.join()
    c.that(pruned.code == 0 and "2 runs are gone" in pruned.text, "two runs are pruned while the server works", pruned)
    c.equal((wrong, len(done) >= 5), ([], True), "and every submission meanwhile is answered with 200")
    c.equal(server.ask("GET", "/api/v1/runs/1").status, 404, "a pruned run is 404 to the server that never pruned")
    c.equal(server.ask("GET", "/api/v1/runs/3/items/7").status, 200, "an item of a run that stayed is whole")
    c.that(ask(data, "SELECT count(*) FROM entries") >= entries, "the entries stay")
    c.equal(ask(data, "SELECT count(*) FROM ledger WHERE run IN (1, 2)"), 0, "nothing of a pruned run is left")
    with sqlite3.connect(os.path.join(data, "weir.db"), timeout=20) as db:
        db.execute("UPDATE ledger SET packed = x'0102' WHERE run = 3 AND seq = 900 AND step = 4 AND kind = 2")
    answers = [server.ask("GET", "/api/v1/runs/3/items/%d" % seq) for seq in (900, 901)]
    c.that(answers[0].status >= 500 and b"damaged" in answers[0].body and answers[1].status == 200, "a damaged record is said, and the next item is shown",
           answers[0])
    c.equal(server.ask("DELETE", "/api/v1/runs/3").status, 200, "a run is deleted over REST")
    c.equal(server.ask("GET", "/api/v1/runs/3").status, 404, "and gone at once")
    c.equal(server.ask("DELETE", "/api/v1/runs/3").status, 404, "a second time there is none")
    s.until(lambda: ask(data, "SELECT count(*) FROM ledger WHERE run = 3") == 0 and ask(data, "SELECT count(*) FROM pruning") == 0, "rows of run 3 to go")
    server.close()


def the_page_of_storage_is_told_over_rest(c, weather, data):
    """Sums are gathered beside a server at work; a round is tried dry, then meant."""
    server = s.Server(weather, data=data, options=["--env", "sample", "--keep-runs", "30d"])
    for _ in range(4):
        server.ask("POST", "/api/v1/components/weather/forms/weather/submissions", {"data": {"city": "Oslo"}})
    first = server.ask("GET", "/api/v1/storage")
    told = {}

    def computed():
        told.update(server.ask("GET", "/api/v1/storage").json())
        return not told["computing"]

    s.until(computed, "the sums to be gathered")
    rows = {k["what"]: k["rows"] for k in told["kinds"]}
    c.equal((first.status, first.json()["retention"]["keep_runs_ms"]), (200, 30 * 86400 * 1000), "the first answer does not wait, and tells the retention in force")
    c.equal(rows["requests"], ask(data, "SELECT count(*) FROM ledger WHERE kind = 1"), "requests are counted")
    c.equal(rows["entries"], ask(data, "SELECT count(*) FROM entries"), "and entries")
    c.equal(told["runs"]["total"], ask(data, "SELECT count(*) FROM runs"), "and runs")
    sizes = [r["bytes"] for r in told["runs"]["top"]]
    c.that(sizes and sizes == sorted(sizes, reverse=True), "the largest run comes first", sizes)
    c.that(told["disk"]["directory"] == data and told["disk"]["free"] > 0, "the disk is told", told["disk"])
    dry = server.ask("POST", "/api/v1/storage/prune", {"keep": 2, "dry_run": True}).json()
    went = server.ask("POST", "/api/v1/storage/prune", {"keep": 2}).json()
    c.equal(([i["id"] for i in went["items"]], went["runs"]), ([i["id"] for i in dry["items"]], dry["runs"]), "what went is what the dry round had said")
    c.equal(ask(data, "SELECT count(*) FROM runs"), 2, "and the newest stay")
    refused = server.ask("POST", "/api/v1/storage/prune", {"states": ["running"]})
    c.equal((refused.status, refused.json()["errors"][0]["pointer"]), (422, "/states"), "what is not over is not pruned by a rule")
    server.close()


def a_run_under_way_stays(c, data):
    slow = s.Sample("--delay", 1500)
    server = s.Server(s.weather_file(slow.port), data=data, options=["--env", "sample"])
    started = server.ask("POST", "/api/v1/components/weather/dataflows/get_weather/runs", {"data": {"city": "Oslo"}})
    run_id = started.json()["id"]
    c.equal((started.status, server.ask("DELETE", "/api/v1/runs/%s" % run_id).status), (202, 409), "a run under way cannot be deleted")
    refused = s.run(["runs", "prune", run_id], data=data)
    c.that(refused.code == 1 and "stays" in refused.talk, "nor pruned by another process, even by name", refused)
    c.equal(server.run_ended(run_id)["state"], "done", "and it comes to its end")
    server.close()
    slow.close()


def the_server_keeps_what_it_is_told(c, weather, data):
    n = ask(data, "SELECT count(*) FROM runs")
    server = s.Server(weather, data=data, options=["--env", "sample", "--keep-runs", "30d"])
    r = server.ask("POST", "/api/v1/components/weather/forms/weather/submissions", {"data": {"city": "Oslo"}})
    c.equal((r.status, ask(data, "SELECT count(*) FROM runs")), (200, n + 1), "--keep-runs 30d keeps the runs of today")
    c.that("runs are kept for 30d" in server.words(), "and the server says so", server.words())
    server.close()
    with sqlite3.connect(os.path.join(data, "weir.db")) as db:
        db.execute("UPDATE runs SET ended_at = ended_at - 40 * 86400000 WHERE id <= ?", (r.json()["run"]["id"],))
    server = s.Server(weather, data=data, options=["--env", "sample", "--keep-runs", "30d"])
    s.until(lambda: ask(data, "SELECT count(*) FROM runs") == 0, "runs of 40 days ago to go")
    c.that(True, "and prunes those that ended 40 days ago")
    server.close()
    c.equal(s.run(["serve", "--keep-runs", "soon"], data=data).code, 2, "a time that is none is a mistake in usage")


def storage(c):
    sample = s.Sample()
    weather, data = s.weather_file(sample.port), s.directory()
    a_call_takes_few_bytes(c, weather, data)
    dry_runs_change_nothing(c, data)
    large = size(data)
    prune_beside_a_server(c, weather, data)
    c.that(size(data) < large / 2, "the file has shrunk by more than half", "%d of %d" % (size(data), large))
    the_page_of_storage_is_told_over_rest(c, weather, data)
    a_run_under_way_stays(c, data)
    the_server_keeps_what_it_is_told(c, weather, data)
    with sqlite3.connect(os.path.join(data, "weir.db")) as db:
        c.equal(db.execute("PRAGMA integrity_check").fetchone()[0], "ok", "the database is whole after all that")
    sample.close()


if __name__ == "__main__":
    s.main(storage)
