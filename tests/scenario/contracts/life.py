# SPDX-License-Identifier: Apache-2.0
"""The life of fifty entries in json-server, a REST API by somebody else: created, listed, read, replaced, changed, deleted and gone. What it wrote into
its database file says what Weir sent."""
import json
import os

import servers
import support as s

N = 50
NAMES = ["Zoë & Co", "a=b;c", "100%", "日本語", "🙂 smile", "e\u0301 combined", "\"quoted\" \\ back", "مرحبا", "line\nbreak\ttab", " spaces around ", "null", "\u2028", "<b>'&amp;'</b>"]
NUMBERS = [0, -0.5, 0.1, 1e-7, 12345.678, 9007199254740991, -2147483649, 1.5e300, 3.0, 100]
INPUT = dict(s.INPUT, from_text=False)  # a text of blanks is a value here
ID = {"name": "id", "in": "path", "required": True}
QUERY = ["n", "name", "kind", "q", "price_gte", "_page", "_limit", "_sort", "_order"]
OPERATIONS = [
    {"method_name": "POST", "query_path": "/entries"},
    {"method_name": "GET", "query_path": "/entries", "parameters": [{"name": n, "in": "query"} for n in QUERY]},
    {"method_name": "GET", "query_path": "/entries/{id}", "parameters": [ID]},
    {"method_name": "PUT", "query_path": "/entries/{id}", "parameters": [ID]},
    {"method_name": "PATCH", "query_path": "/entries/{id}", "parameters": [ID]},
    {"method_name": "DELETE", "query_path": "/entries/{id}", "parameters": [ID]},
]
MODEL = [{"name": "n", "type": "integer"}, {"name": "id", "type": "integer"}, {"name": "name", "type": "string"}, {"name": "price", "type": "number"},
         {"name": "tags", "type": "array"}]
WHOLE = {"n": "=item.data.n", "name": "=item.data.name", "price": "=item.data.price", "tags": "=item.data.tags", "deep": {"a": ["=item.data.name", None, True, {"b": "=item.data.price"}]},
         "kind": "=item.data.n % 2 ? 'odd' : 'even'"}


def entries():
    return [{"n": i, "name": "%s %d" % (NAMES[i % len(NAMES)], i), "price": NUMBERS[i % len(NUMBERS)], "tags": [NAMES[(i + 1) % len(NAMES)], i]} for i in range(N)]


def written(e):
    """What an entry is in the database."""
    return {**e, "deep": {"a": [e["name"], None, True, {"b": e["price"]}]}, "kind": "odd" if e["n"] % 2 else "even"}


class Place:
    def __init__(self):
        self.directory = s.directory()
        self.file = s.write(os.path.join(self.directory, "db.json"), json.dumps({"entries": []}))
        self.server = servers.json_server(self.file)
        if not self.server.wait():
            raise RuntimeError("json-server: %s" % self.server.words())
        self.runs = 0

    def go(self, items, *steps):
        self.runs += 1
        component = s.component("life", s.peer_system(self.server.port, OPERATIONS), [INPUT, *steps, s.RESPOND], model=MODEL)
        f = s.write_component(os.path.join(self.directory, "life%d.json" % self.runs), component)
        i = s.write(os.path.join(self.directory, "items%d.ndjson" % self.runs), "".join(json.dumps(x) + "\n" for x in items))
        return s.run(["run", f, "--items", i], data=os.path.join(self.directory, "data"))

    def database(self, is_ready):
        """The entries in the file once they are as awaited, or as they are when that takes too long: it is written behind the answers."""
        def look():
            try:
                with open(self.file, encoding="utf-8") as f:
                    self.seen = json.load(f)["entries"]
            except ValueError:  # in the middle of being written
                return False
            return is_ready(self.seen)
        try:
            s.until(look, "database", wait=10)
        except TimeoutError:
            pass
        return self.seen


def fields(e, *left_out):
    return {k: v for k, v in e.items() if k not in ("id", *left_out)}


def create(c, place):
    sent = entries()
    r = place.go(sent, s.call_step("POST", "/entries", WHOLE, result_store_field="_id"))
    ids = [line["_id"] for line in r.lines()] if r.code == 0 else []
    c.that(r.code == 0 and len(ids) == N, "%d entries are created" % N, r)
    found = place.database(lambda x: len(x) >= N)
    c.equal((len(found), len({e["n"] for e in found}), len({e["id"] for e in found})), (N, N, N), "the database has %d, none twice" % N)
    c.equal({e["id"]: e["n"] for e in found}, {i: line["data"]["n"] for i, line in zip(ids, r.lines())}, "the result of a POST is the id that the server gave")
    c.equal(sorted((fields(e) for e in found), key=lambda e: e["n"]), [written(e) for e in sent], "texts of any script, numbers, lists and nulls inside are as they were sent")
    return [dict(e, id=next(x["id"] for x in found if x["n"] == e["n"])) for e in sent]


def read(c, place, known):
    r = place.go(known, s.call_step("GET", "/entries/{id}", {"id": "=item.data.id"}))
    got = [fields(line["_answer"]) for line in r.lines()] if r.code == 0 else []
    c.equal(sorted(got, key=lambda e: e["n"]), [written(fields(e)) for e in known], "each is read back whole")
    pages = s.call_step("GET", "/entries", {"_page": "=item.data.n", "_limit": 20, "_sort": "n", "_order": "desc"}, result="response")
    r = place.go([{"n": 1}, {"n": 2}, {"n": 3}], pages)
    got = {line["data"]["n"]: line["_answer"] for line in r.lines()} if r.code == 0 else {}
    c.equal([[e["n"] for e in got[p]["body"]] for p in sorted(got)], [list(range(49, 29, -1)), list(range(29, 9, -1)), list(range(9, -1, -1))], "three pages hold all, in order")
    c.equal({a["headers"].get("x-total-count") for a in got.values()}, {str(N)}, "and their header says how many there are")
    r = place.go(known, s.call_step("GET", "/entries", {"name": "=item.data.name", "kind": "=item.data.n % 2 ? 'odd' : 'even'"}))
    got = {line["data"]["n"]: [e["n"] for e in line["_answer"]] for line in r.lines()} if r.code == 0 else {}
    c.equal(got, {e["n"]: [e["n"]] for e in known}, "a query by any name finds that entry alone")
    r = place.go([{"n": 0}], s.call_step("GET", "/entries", {"n": [3, 5, 8], "price_gte": 0.05}))
    c.equal(sorted(e["n"] for e in r.lines()[0]["_answer"]) if r.code == 0 else r, [n for n in (3, 5, 8) if NUMBERS[n % len(NUMBERS)] >= 0.05], "a list is several filters, a number a bound")


def change(c, place, known):
    put = s.call_step("PUT", "/entries/{id}", {"id": "=item.data.id", "n": "=item.data.n", "name": "='new ' + item.data.name"}, name="put")
    patch = s.call_step("PATCH", "/entries/{id}", {"id": "=item.data.id", "price": "=item.data.price", "gone": None}, name="patch", result="body", result_store_field="_patched")
    r = place.go(known, put, patch)
    expected = [{"n": e["n"], "name": "new " + e["name"], "price": e["price"]} for e in known]
    c.equal(sorted((fields(line["_patched"], "gone") for line in r.lines()), key=lambda e: e["n"]) if r.code == 0 else r, expected, "PUT replaces all of an entry, PATCH adds to it")
    found = place.database(lambda x: all("price" in e for e in x))
    c.equal(sorted((fields(e, "gone") for e in found), key=lambda e: e["n"]), expected, "and so the database says")
    c.equal(sorted(e["id"] for e in found), sorted(e["id"] for e in known), "under the ids they had")


def delete(c, place, known):
    half, rest = known[::2], known[1::2]
    r = place.go(half, s.call_step("DELETE", "/entries/{id}", {"id": "=item.data.id"}))
    c.equal(r.code, 0, "every second entry is deleted")
    found = place.database(lambda x: len(x) <= len(rest))
    c.equal(sorted(e["id"] for e in found), sorted(e["id"] for e in rest), "those are gone from the database, the others are there")
    get = s.call_step("GET", "/entries/{id}", {"id": "=item.data.id"}, on_error="keep")
    r = place.go(known, get)
    errors = [line["_error"] for line in r.lines() if "_error" in line]
    c.equal(len(errors), len(half), "reading all finds that half of them fail")
    c.equal({e.get("status") for e in errors}, {404}, "with status 404")
    c.that(all(e.get("type") and e.get("title") and e.get("step") == "call" and "/entries/{id}" in e.get("message", "") + e.get("detail", "") for e in errors), "as typed problems that name step and path", errors[:1])
    r = place.go(half, s.call_step("DELETE", "/entries/{id}", {"id": "=item.data.id"}))
    c.that(r.code == 1 and "404" in r.talk, "deleting what is gone fails its items", r)
    r = place.go(rest, s.call_step("DELETE", "/entries/{id}", {"id": "=item.data.id"}))
    c.equal((r.code, place.database(lambda x: not x)), (0, []), "and at last the database is empty")


def json_server_life(c):
    reason = servers.missing("json-server")
    if reason:
        return c.skip("json-server: %s" % reason)
    place = Place()
    try:
        known = create(c, place)
        read(c, place, known)
        change(c, place, known)
        delete(c, place, known)
    finally:
        place.server.close()
