#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as scripts use it: exit codes, stdout for data and stderr for talk, usage, suggestions."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

MODEL = [{"name": "v", "type": "string"}, {"name": "n", "type": "integer"}]


def flow(d, port, path="/status/{v}", **more):
    op = {"method_name": "GET", "query_path": path}
    if "{" in path:
        op["parameters"] = [{"name": "v", "in": "path", "required": True}]
    comp = s.component("t", s.peer_system(port, [op], **more), [s.INPUT, s.call_step("GET", path, {"v": "=item.data.v"} if "{" in path else {}, result="body"), s.RESPOND], MODEL)
    return s.write_component(os.path.join(d, "t.json"), comp)


def words(c):
    r = s.run(["--version"])
    c.that(r.code == 0 and re.fullmatch(r"weir \d+\.\d+\.\d+.*\n", r.text), "--version is one line on stdout", r)
    for args in (["help"], ["--help"], ["help", "run"], ["run", "--help"]):
        r = s.run(args)
        c.that(r.code == 0 and "weir run" in r.text and not r.talk, "%s goes to stdout, exit 0" % " ".join(args), r)
    r = s.run([])
    c.that(r.code == 2 and r.talk, "no command: exit 2 and a usage", r)
    r = s.run(["rn"])
    c.that(r.code == 2 and "run" in r.talk, "a typo in a command gets a suggestion", r)
    r = s.run(["frobnicate"])
    c.that(r.code == 2 and "frobnicate" in r.talk, "an unknown command is named", r)
    r = s.run(["run", "--itmes", "x", "y"])
    c.that(r.code == 2 and "--items" in r.talk, "a typo in a flag gets a suggestion", r)
    for args in (["run"], ["run", "a", "b"], ["run", "a", "-d"], ["run", "a", "-d", "novalue"], ["run", "a", "-d", "x:=not json"], ["run", "a", "--format", "xml", "-d", "x=1"],
                 ["run", "a", "-d", "x=1", "--items", "y"], ["run", "--resume", "x"], ["run", "--resume"], ["call"], ["check"], ["export"], ["schema", "nothing"], ["serve", "--port", "x"],
                 ["serve", "--port", "70000"]):
        r = s.run(args, data=None)
        # a file that is not there may be complained about first: that is 3, never a crash and never 0
        c.that(r.code in (2, 3) and r.talk and not r.text, "weir %s: exit 2" % " ".join(args), r)
    r = s.run(["schema", "component"])
    schema = r.json() if r.code == 0 else {}
    c.that(r.code == 0 and schema.get("type") == "object" and "dataflows" in schema.get("properties", {}), "schema component is a JSON Schema", r)
    r = s.run(["doctor"], data=s.directory())
    c.that(r.code == 0 and r.text, "doctor says how things are", r)


def exits(c):
    peer = s.Peer()
    d = s.directory()
    data = os.path.join(d, "data")
    f = flow(d, peer.port)
    r = s.run(["run", f, "-d", "v=200"], data=data)
    c.that(r.code == 0 and r.json()["_answer"] == {"status": 200}, "0: done, the item on stdout", r)
    c.that(r.text.count("\n") > 1, "pretty for one item", r.text)
    c.that(re.search(r"call .*1 → 1.*GET peer/all /status/\{v\}", r.talk), "a line for each step on stderr", r.talk)
    r = s.run(["run", f, "-d", "v=200", "-q"], data=data)
    c.that(r.code == 0 and r.talk == "", "-q says nothing", r)
    r = s.run(["run", f, "-d", "v=500"], data=data)
    c.that(r.code == 1 and not r.text, "1: every item failed, nothing on stdout", r)
    i = s.write(os.path.join(d, "i.ndjson"), '{"v":"200"}\n{"v":"404"}\n{"v":"201"}\n')
    r = s.run(["run", f, "--items", i], data=data)
    c.that(r.code == 7 and len(r.lines()) == 2, "7: some items failed", r)
    c.that("404" in r.talk and "call" in r.talk, "with a line for the failed one", r.talk)
    f2 = flow(s.directory(), s.free_port())
    r = s.run(["run", f2, "-d", "v=200"], data=data)
    c.that(r.code == 5 and "connect" in r.talk, "5: nobody listens there", r)
    f3 = flow(s.directory(), peer.port, "/fault/silent", limits={"first_byte_timeout": "300ms", "total_timeout": "400ms"})
    comp = json.load(open(f3))
    comp["dataflows"]["flow"]["stages"][0]["steps"][1]["attempts"] = 1
    s.write_component(f3, comp)
    r = s.run(["run", f3, "-d", "v=1"], data=data)
    c.that(r.code == 5 and ("time" in r.talk or "no answer" in r.talk.lower()), "5: a time-out", r)
    for text, name in (('{"v":\n', "cut JSON"), ('{"v":"\xff"}'.encode("latin-1"), "not UTF-8")):
        i = s.write(os.path.join(d, "i.ndjson"), text)
        r = s.run(["run", f, "--items", i], data=data)
        c.that(r.code in (1, 3) and ("line 1" in r.talk or "item 0" in r.talk), "input with %s names its line" % name, r)
    i = s.write(os.path.join(d, "i.ndjson"), '{"v":"200"}\n[1,2]\n')
    r = s.run(["run", f, "--items", i], data=data)
    c.that(r.code in (3, 7) and "object" in r.talk and "1" in r.talk, "a line that is no object is told with its number", r)
    r = s.run(["run", f, "-d", "v=200", "-d", "n=abc"], data=data)
    c.that(r.code == 1 and "n" in r.talk and "abc" in r.talk or "integer" in r.talk, "a value that the model refuses names its field", r)
    r = s.run(["run", f + ":nope", "-d", "v=1"], data=data)
    c.that(r.code == 3 and "nope" in r.talk and "flow" in r.talk, "an unknown dataflow: 3, and the known ones", r)
    r = s.run(["run", "--resume", "4711"], data=data)
    c.that(r.code in (1, 3) and "4711" in r.talk, "a run that is not there", r)
    real, link, pipe = (os.path.join(d, x) for x in ("real.json", "link.json", "pipe.json"))
    s.write(real, "old")
    os.symlink("real.json", link)
    os.mkfifo(pipe)
    r = s.run(["run", f, "-d", "v=200", "-o", link], data=data)
    c.that(r.code == 0 and os.path.islink(link) and "old" != open(real).read().strip() and '"v"' in open(real).read(), "an output behind a link is written there", r)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    r = s.run(["run", f, "-d", "v=200", "-o", pipe], data=data)
    got = os.read(reader, 65536)
    os.close(reader)
    c.that(r.code == 0 and b'"v"' in got and not os.path.isfile(pipe), "a pipe or a device stays what it is", r)
    r = s.run(["run", f, "-d", "v=200", "-o", os.path.join(d, "no", "such", "place.json")], data=data)
    c.that(r.code != 0 and "place.json" in r.talk, "an output that cannot be written is told", r)
    i = s.write(os.path.join(d, "none.ndjson"), "")
    r = s.run(["run", f, "--items", i], data=data)
    c.that(r.code == 0 and r.text == "", "no items: done, nothing on stdout", r)
    peer.close()


def interrupted(c):
    import signal
    peer = s.Peer("--delay", "20")
    d = s.directory()
    op = {"method_name": "GET", "query_path": "/echo/{v}", "parameters": [{"name": "v", "in": "path", "required": True}]}
    f = s.write_component(os.path.join(d, "t.json"), s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, s.call_step("GET", "/echo/{v}", {"v": "=item.data.v"}, in_flight=2), s.RESPOND], MODEL))
    i = s.write(os.path.join(d, "i.ndjson"), "".join('{"v":"%d"}\n' % k for k in range(2000)))
    for signum, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        data = os.path.join(d, "data%d" % code)
        before = len(peer.seen())
        p = s.start([s.WEIR, "run", f, "--items", i, "--data", data, "-o", os.path.join(d, "o.ndjson")], stdout=s.subprocess.DEVNULL)
        s.until(lambda: len(peer.seen()) > before + 3 or len(peer.seen()) > 20, "some calls")
        p.send_signal(signum)
        c.equal(p.wait(s.WAIT), code, "signal %d: exit %d" % (signum, code))
    peer.close()


def calls_and_files(c):
    peer = s.Peer()
    d = s.directory()
    data = os.path.join(d, "data")
    op = {"method_name": "GET", "query_path": "/echo/{v}", "parameters": [{"name": "v", "in": "path", "required": True}, {"name": "q", "in": "query"}]}
    comp = s.component("t", s.peer_system(peer.port, [op]), [s.INPUT, s.RESPOND], MODEL)
    f = s.write_component(os.path.join(d, "t.json"), comp)
    r = s.run(["call", "-f", f, "peer/all", "GET", "/echo/{v}", "v=a b", "q:=[1,2]"], data=data)
    c.that(r.code == 0 and r.json()["target"] == "/echo/a%20b?q=1&q=2", "call makes one call and prints the answer", r)
    r = s.run(["call", "-f", f, "peer/all", "GET", "/echo/{v}"], data=data)
    c.that(r.code != 0 and "v" in r.talk, "call without a required parameter names it", r)
    r = s.run(["import", f], data=data)
    c.that(r.code == 0, "import", r)
    r = s.run(["systems", "list", "-o", "json"], data=data)
    c.that(r.code == 0 and "peer" in r.text, "systems list", r)
    r = s.run(["call", "peer/all", "GET", "/echo/{v}", "v=x"], data=data)
    c.that(r.code == 0 and r.json()["target"] == "/echo/x", "call of an imported system", r)
    r = s.run(["export", "t"], data=data)
    c.that(r.code == 0 and "component: t" in r.text, "export gives YAML", r)
    g = s.write(os.path.join(d, "again.yaml"), r.out)
    r = s.run(["check", g])
    c.equal(r.code, 0, "which passes check")
    r = s.run(["run", g, "-d", "v=1"], data=data)
    c.that(r.code == 0 and r.json()["data"]["v"] == "1", "and runs", r)
    r2 = s.run(["export", "nope"], data=data)
    c.that(r2.code != 0 and "nope" in r2.talk, "export of nothing", r2)
    n = re.search(r"run (\d+)", r.talk)
    if c.that(n, "the run's number is told", r.talk):
        r = s.run(["runs", "show", n[1], "-o", "json"], data=data)
        c.that(r.code == 0 and r.json(), "runs show", r)
    r = s.run(["runs", "list", "-o", "json"], data=data)
    c.that(r.code == 0 and len(r.json()) >= 1, "runs list", r)
    peer.close()


def secrets(c):
    peer = s.Peer()
    d = s.directory()
    f = flow(d, peer.port, "/record/x", auth={"kind": "bearer", "token": {"secret": "TOKEN"}})
    secret = s.write(os.path.join(d, "secrets"), "TOKEN=abcdef-1\n")
    os.chmod(secret, 0o644)
    r = s.run(["run", f, "-d", "v=1", "--secrets", secret], data=os.path.join(d, "data"))
    c.that(r.code != 0 and "600" in r.talk and "abcdef" not in r.talk, "a secrets file that others can read is refused", r)
    os.chmod(secret, 0o600)
    r = s.run(["run", f, "-d", "v=1", "--secrets", secret, "-v"], data=os.path.join(d, "data"))
    sent = peer.requests()
    c.that(r.code == 0 and sent and dict(sent[-1]["headers"]).get("Authorization", dict(sent[-1]["headers"]).get("authorization")) == "Bearer abcdef-1", "its token is sent", r)
    c.that("abcdef" not in r.talk + r.text, "and never shown", r)
    peer.close()


if __name__ == "__main__":
    s.main(words, exits, interrupted, calls_and_files, secrets)
