#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The weather example from the outside, against the bundled sample API. --big runs 10,000 and 1,000,000 items instead of 2,000."""
import csv
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

IS_BIG = "--big" in sys.argv
MEMORY_MAX = 100 << 20
SAMPLE = []


def weather(directory):
    if not SAMPLE:
        SAMPLE.append(s.Sample())
    return s.weather_file(SAMPLE[0].port, directory)


def run(args, d, **more):
    return s.run([*args, "--env", "sample"], data=os.path.join(d, "data"), **more)


def name_of(item):
    return item.get("data", item).get("city")


def one_city(c):
    d = s.directory()
    f = weather(d)
    r = run(["run", f + ":get_weather", "-d", "city=Paris"], d)
    c.that(r.code == 0 and "Paris" in r.text, "get_weather for Paris prints the answer", r)
    c.that(r.code == 0 and isinstance(r.json(), dict), "which is one JSON object", r)
    c.that("run" in r.talk and "done" in r.talk, "the summary is on stderr", r.talk)
    e = s.run(["entries", "list", "weather", "-o", "ndjson"], data=os.path.join(d, "data"))
    c.that(e.code == 0 and len(e.lines()) == 1 and "Paris" in e.text, "the entry is there", e)
    r = run(["run", f + ":get_weather", "-d", "city=Paris"], d)
    e = s.run(["entries", "list", "weather", "-o", "ndjson"], data=os.path.join(d, "data"))
    c.that(r.code == 0 and e.code == 0 and len(e.lines()) == 1, "a second time updates it: still one", e)
    r = run(["run", f + ":get_weather", "-d", "city=Londres"], d)
    c.that(r.code == 0, "Londres is found, too", r)
    r = run(["run", f + ":get_weather", "-d", "city=Xyzzyville"], d)
    c.that(r.code == 1 and "Xyzzyville" in r.talk and "Traceback" not in r.talk, "an unknown city: exit 1 and a sentence that names it", r)
    r = run(["run", f + ":get_weather"], d)
    c.that(r.code == 1 and "city" in r.talk.lower(), "no city: the required field is named", r)
    r = s.run(["runs", "list", "-o", "ndjson"], data=os.path.join(d, "data"))
    c.that(r.code == 0 and len(r.lines()) == 5, "all five runs are listed", r)


def formats(c):
    d = s.directory()
    f = weather(d)
    cities = ["Paris", "Tokyo", "São Paulo", "City 1", "City 22"]
    inputs = {
        "ndjson": "".join(json.dumps({"city": n}) + "\n" for n in cities),
        "csv": "city\r\n" + "".join('"%s"\r\n' % n for n in cities),
        "json": json.dumps([{"city": n} for n in cities], indent=1),
    }
    results = {}
    for kind, text in inputs.items():
        i = s.write(os.path.join(d, "in." + kind), text)
        r = run(["run", f + ":get_weather", "--items", i], d)
        c.that(r.code == 0 and [name_of(x) for x in r.lines()] == cities, "%s in, NDJSON out, in order" % kind, r)
        results[kind] = r.out
    r = run(["run", f + ":get_weather", "--items", "-"], d, stdin=inputs["ndjson"].encode())
    c.equal(r.out, results["ndjson"], "NDJSON from stdin gives the same bytes")
    o = os.path.join(d, "out.json")
    r = run(["run", f + ":get_weather", "--items", os.path.join(d, "in.csv"), "-o", o], d)
    c.that(r.code == 0 and [name_of(x) for x in json.load(open(o))] == cities, "a .json output is one array", r)
    o = os.path.join(d, "out.csv")
    r = run(["run", f + ":get_weather", "--items", os.path.join(d, "in.ndjson"), "-o", o], d)
    rows = list(csv.reader(io.StringIO(open(o, newline="").read()))) if r.code == 0 else []
    c.that(r.code == 0 and len(rows) == len(cities) + 1 and len({len(x) for x in rows}) == 1, "a .csv output has a header and a row an item", rows[:2] or r)
    o = os.path.join(d, "out.ndjson")
    before = s.write(o, "old\n")
    r = run(["run", f + ":get_weather", "--items", os.path.join(d, "nowhere.csv"), "-o", o], d)
    c.that(r.code == 3 and open(before).read() == "old\n", "an input that is not there: exit 3, the old output untouched", r)
    r = run(["run", f + ":get_weather", "--items", "-", "--format", "csv"], d, stdin=inputs["ndjson"].encode())
    c.that(r.code == 0 and r.text.count("\n") >= len(cities) + 1 and "Paris" in r.text, "--format wins", r)


def many(c):
    for n in ((10000, 1000000) if IS_BIG else (2000,)):
        d = s.directory()
        f = weather(d)
        i, o = os.path.join(d, "in.ndjson"), os.path.join(d, "out.ndjson")
        with open(i, "w") as out:
            for k in range(n):
                out.write('{"city":"City %d"}\n' % (k + 1))
        r = run(["run", f + ":get_weather", "--items", i, "-o", o], d, timeout=7200 if IS_BIG else 400)
        c.that(r.code == 0, "%d items: exit 0" % n, "exit %d\n%s" % (r.code, r.talk[-2000:]))
        wrong = lines = 0
        if os.path.exists(o):
            with open(o) as out:
                for k, line in enumerate(out):
                    lines += 1
                    wrong += name_of(json.loads(line)) != "City %d" % (k + 1)
        c.equal((lines, wrong), (n, 0), "%d items: all there, in order" % n)
        c.that(r.peak < MEMORY_MAX, "%d items: peak memory of the largest process under 100 MiB" % n, "%.1f MiB" % (r.peak / 1048576))
        print("      %d items: %.1f MiB, %.0f us CPU an item (workers included)" % (n, r.peak / 1048576, r.cpu / n * 1e6))


if __name__ == "__main__":
    s.main(one_city, formats, many)
