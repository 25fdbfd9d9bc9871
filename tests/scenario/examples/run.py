#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every example is checked, and the small ones are run as their README says."""
import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402


def all_pass_check(c):
    files = sorted(glob.glob(os.path.join(s.ROOT, "examples", "*", "*.yaml")))
    c.that(len(files) >= 2, "there are examples", files)
    for f in files:
        r = s.run(["check", f])
        c.that(r.code == 0, "%s passes check" % os.path.relpath(f, s.ROOT), r)
        c.that(os.path.exists(os.path.join(os.path.dirname(f), "README.md")), "and has a README")


def orders(c):
    peer = s.Peer("--drop", "0.3", "--seed", "7")
    here = os.path.join(s.ROOT, "examples", "02-orders")
    d = s.directory()
    with open(os.path.join(here, "orders.yaml"), encoding="utf-8") as f:
        text = f.read()
    flow = s.write(os.path.join(d, "orders.yaml"), text.replace("127.0.0.1:8091", "127.0.0.1:%d" % peer.port))
    r = s.run(["run", flow, "--items", os.path.join(here, "orders.csv")], data=os.path.join(d, "data"))
    c.that(r.code == 0 and len(r.lines()) == 4, "all four orders are done though the shop answers only two of three", r)
    sent = peer.requests()
    by_key = {}
    for x in sent:
        by_key.setdefault(x["key"], set()).add((x["target"], x["body"]))
    c.that(len(by_key) == 4 and all(len(v) == 1 for v in by_key.values()) and None not in by_key, "one key an order, the same on each attempt", sent)
    c.that(len(sent) > 4, "some were sent again", len(sent))
    first = next((x for x in sent if '"2026-0001"' in x["body"]), {"target": "", "body": ""})
    c.equal(first["target"], "/customers/%C3%85ngstr%C3%B6m%20%26%20S%C3%B6hne/orders", "a customer's name is one path segment")
    third = next((x for x in sent if '"2026-0003"' in x["body"]), {"target": ""})
    c.equal(third["target"], "/customers/7%2F11/orders", "even with a slash in it")
    c.that('"price":49.90' in first["body"].replace(" ", ""), "a price keeps its text", first["body"])
    e = s.run(["entries", "list", "orders", "-o", "ndjson"], data=os.path.join(d, "data"))
    c.that(e.code == 0 and len(e.lines()) == 4, "four entries", e)
    peer.close()


def weather_readme(c):
    sample = s.Sample()
    d = s.directory()
    flow = s.weather_file(sample.port, d)
    items = s.write(os.path.join(d, "cities.ndjson"), '{"city":"Paris"}\n{"city":"Oslo"}\n')
    out = os.path.join(d, "forecasts.ndjson")
    r = s.run(["run", flow + ":get_weather", "--env", "sample", "--items", items, "-o", out], data=os.path.join(d, "data"))
    c.that(r.code == 0 and [json.loads(x)["data"]["city"] for x in open(out)] == ["Paris", "Oslo"], "two cities in, two forecasts out", r)
    sample.close()


if __name__ == "__main__":
    s.main(all_pass_check, orders, weather_readme)
