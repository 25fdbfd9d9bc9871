#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files: large ones out of a field and into one, byte for byte and not in memory; downloads that survive kills; who may read them and who not."""
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import support as s  # noqa: E402
from peer import file_blocks  # noqa: E402

LARGE = 300 << 20
PEAK_MAX = 100 << 20  # bytes of memory that a run over a file three times as large may take
MODEL = [{"name": "photo", "type": "file"}, {"name": "v", "type": "string"}]
# A sanitizer keeps what is freed and pads what is not: its memory says nothing of ours.
COUNTS_MEMORY = b"__asan_init" not in open(s.WEIR, "rb").read()
PEER = None


def peer():
    global PEER
    PEER = PEER or s.Peer()
    return PEER


def sha256_of(n):
    h = hashlib.sha256()
    for block in file_blocks(n):
        h.update(block)
    return h.hexdigest()


def make_file(name, n):
    path = os.path.join(s.directory(), name)
    with open(path, "wb") as f:
        for block in file_blocks(n):
            f.write(block)
    return path


def hash_file(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hash_slowly(f)


def hash_slowly(f):
    h = hashlib.sha256()
    for block in iter(lambda: f.read(1 << 20), b""):
        h.update(block)
    return h.hexdigest()


def stored(data, file_id):
    return os.path.join(data, "files", file_id[:2], file_id[2:])


def all_files(data):
    """What is under an id, and what lies half written."""
    kept, half, top = [], [], os.path.join(data, "files")
    for where, _, names in os.walk(top):
        (half if os.path.basename(where) == "tmp" else kept).extend(names)
    return kept, half


def upload(content_type, path, mapping, op=None, **step):
    op = {"method_name": "POST", "query_path": path, "request_body": {"content_type": content_type}, **(op or {})}
    return s.component("up", s.peer_system(peer().port, [op]), [s.INPUT, s.call_step("POST", path, mapping, result="body", **step), s.RESPOND], model=MODEL)


def download(query, answer="file", parameters=(), **step):
    """One GET of /file; `query` is its parameters, each given as a value of the mapping."""
    op = {"method_name": "GET", "query_path": "/file", "answer": answer}
    return s.component("down", s.peer_system(peer().port, [op]),
                       [s.INPUT, s.call_step("GET", "/file", {k: str(v) for k, v in query.items()}, result="body", **step), s.RESPOND], model=MODEL)


def file_of(component):
    return s.write_component(os.path.join(s.directory(), "c.json"), component)


def memory(c, r, sentence):
    if COUNTS_MEMORY:
        c.that(r.peak < PEAK_MAX, "%s: peak memory under %d MiB" % (sentence, PEAK_MAX >> 20), "%d MiB" % (r.peak >> 20))
    else:
        c.skip("%s: memory of a sanitizer's build says nothing" % sentence)
    print("      %s: peak %.1f MiB, cpu %.2f s" % (sentence, r.peak / (1 << 20), r.cpu))


# ---- out ----

def multipart_body(told, path):
    """What should have arrived: the parts before the file, the file, the end; hashed as it is read."""
    boundary = told["head"].split("\r\n")[0]
    start = told["head"].index("filename=")
    start = told["head"].index("\r\n\r\n", start) + 4
    h, n = hashlib.sha256(told["head"][:start].encode("latin-1")), start
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
            n += len(block)
    end = ("\r\n%s--\r\n" % boundary).encode()
    h.update(end)
    return h.hexdigest(), n + len(end)


def large_uploads_are_streamed(c):
    path, data = make_file("cat.png", LARGE), os.path.join(s.directory(), "data")
    r = s.run(["run", file_of(upload("multipart/form-data", "/sink/multipart", {"title": "a cat", "photo": "=item.data.photo"})), "-d", "photo=@" + path], data=data)
    if not c.that(r.code == 0, "a multipart upload of 300 MB succeeds", r):
        return
    told = r.json()["_answer"]
    c.equal((told["sha256"], told["bytes"]), multipart_body(told, path), "it arrives byte for byte")
    c.that('name="photo"; filename="cat.png"\r\nContent-Type: image/png\r\n' in told["head"], "with its name and media type", told["head"])
    memory(c, r, "multipart")
    r = s.run(["run", file_of(upload("image/*", "/sink/binary", {"body": "=item.data.photo"})), "-d", "photo=@" + path], data=data)
    if not c.that(r.code == 0, "a binary upload of 300 MB succeeds", r):
        return
    told = r.json()["_answer"]
    c.equal((told["sha256"], told["bytes"]), (hash_file(path), LARGE), "it arrives byte for byte")
    last = peer().requests()[-1]
    c.equal(sorted(v for k, v in last["headers"] if k.lower() in ("content-length", "content-type", "transfer-encoding")), [str(LARGE), "image/png"],
            "with its length and type")
    memory(c, r, "binary")
    kept, half = all_files(data)
    c.equal((len(kept), half), (1, []), "given twice it is one file")
    os.unlink(path)


def uploads_are_sent_again_the_same(c):
    path, data = make_file("note.txt", 200000), os.path.join(s.directory(), "data")
    for target, tries in (("/sink/once-503/r", 2), ("/sink/307/there", 2)):
        peer().forget()
        op = {"idempotency_key": True}
        f = file_of(upload("multipart/form-data", target, {"photo": "=item.data.photo"}, op))
        r = s.run(["run", f, "-d", "photo=@" + path], data=data)
        seen = peer().requests()
        c.that(r.code == 0 and len(seen) == tries, "%s: sent twice" % target, r)
        c.equal(len({(x["sha256"], x["bytes"]) for x in seen}), 1, "%s: the same bytes both times" % target)
        c.equal((seen[-1]["sha256"], seen[-1]["bytes"]), multipart_body(seen[-1], path), "%s: the right ones" % target)


def many_calls_with_files_take_turns(c):
    path, data, d = make_file("n.bin", 5000), os.path.join(s.directory(), "data"), s.directory()
    keep = s.run(["run", file_of(upload("application/octet-stream", "/sink/one", {"body": "=item.data.photo"})), "-d", "photo=@" + path], data=data)
    photo = keep.json()["data"]["photo"] if "data" in keep.json() else None
    c.that(photo and photo["file"] == hash_file(path) and photo["bytes"] == 5000, "the field holds id, name, media type and bytes", keep)
    items = s.write(os.path.join(d, "i.ndjson"), "".join(json.dumps({"photo": photo, "v": str(i)}) + "\n" for i in range(2000)))
    f = file_of(upload("application/octet-stream", "/sink/many", {"body": "=item.data.photo"}, in_flight=400))
    peer().forget()
    r = s.run(["run", f, "--items", items, "-o", os.path.join(d, "out.ndjson")], data=data)
    seen = peer().requests()
    c.that(r.code == 0, "2,000 items send a file, 400 at a time, more than may be open", r)
    c.equal((len(seen), {x["sha256"] for x in seen}), (2000, {photo["file"]}), "each the whole file, once")


def wrong_ids_are_refused(c):
    data = os.path.join(s.directory(), "data")
    f = file_of(upload("application/octet-stream", "/sink/never", {"body": {"file": "=item.data.v"}}))
    model = file_of(upload("application/octet-stream", "/sink/never", {"body": "=item.data.photo"}))
    peer().forget()
    for name, file_id, sentence in (("a path", "../../../../etc/passwd", "no folders"), ("upper case", "AB" * 32, "64 hexadecimal digits in lower case"),
                                    ("too short", "abc", "64 hexadecimal digits"), ("none there", "ab" * 32, "there is no file " + "ab" * 32)):
        r = s.run(["run", f, "-d", "v=" + file_id], data=data)
        c.that(r.code == 1 and sentence in r.talk, "id that is %s: a clear refusal" % name, r)
        r = s.run(["run", model, "-d", "photo:=" + json.dumps({"file": file_id, "name": "x"})], data=data)
        c.that(r.code == 1 and (sentence if name == "none there" else "photo must be a file") in r.talk, "and in a field of the model", r)
    c.equal(peer().requests(), [], "nothing was sent")


def what_begins_with_at_is_a_file_or_written_twice(c):
    data = os.path.join(s.directory(), "data")
    f = file_of(s.component("at", None, [s.INPUT, s.RESPOND], model=MODEL))
    r = s.run(["run", f, "-d", "v=@@home"], data=data)
    c.equal(r.json() if r.code == 0 else r, {"data": {"v": "@home"}}, "@@ is one @ of a text")
    r = s.run(["run", f, "-d", "v=@" + data + "/nothing"], data=data)
    c.that(r.code == 3 and "No such file" in r.talk, "a file that is not there is told", r)
    r = s.run(["run", f, "-d", "photo=@-"], data=data, stdin=b"abc")
    c.equal(r.json()["data"]["photo"] if r.code == 0 else r, {"file": hashlib.sha256(b"abc").hexdigest(), "name": "stdin", "media_type": "application/octet-stream", "bytes": 3},
            "@- is stdin")
    for name, media_type in (("a.PNG", "image/png"), ("b.csv", "text/csv"), ("c", "application/octet-stream"), ("d.unheard-of", "application/octet-stream")):
        path = s.write(os.path.join(s.directory(), name), "x")
        r = s.run(["run", f, "-d", "photo=@" + path], data=data)
        c.equal(r.json()["data"]["photo"]["media_type"], media_type, "%s is %s" % (name, media_type))


def weir_call_takes_and_gives_files(c):
    path, out = make_file("cat.png", 3 << 20), os.path.join(s.directory(), "out.bin")
    ops = [{"method_name": "POST", "query_path": "/sink/call", "request_body": {"content_type": "multipart/form-data"}},
           {"method_name": "GET", "query_path": "/file", "answer": "file"}, {"method_name": "GET", "query_path": "/body"}]
    f = file_of(s.component("c", s.peer_system(peer().port, ops), [s.INPUT, s.RESPOND], model=MODEL))
    r = s.run(["call", "-f", f, "peer/all", "POST", "/sink/call", "title=@@cat", "photo=@" + path])
    told = r.json() if r.code == 0 else {}
    c.that(told and (told["sha256"], told["bytes"]) == multipart_body(told, path) and "\r\n\r\n@cat\r\n" in told["head"], "weir call sends a file", r)
    r = s.run(["call", "-f", f, "peer/all", "GET", "/file", "bytes=%d" % (3 << 20), "-o", out])
    c.that(r.code == 0 and r.out == b"" and hash_file(out) == sha256_of(3 << 20), "weir call -o writes an answer's file", r)
    r = s.run(["call", "-f", f, "peer/all", "GET", "/file", "bytes=100000", "-o", "-"])
    c.that(r.code == 0 and hashlib.sha256(r.out).hexdigest() == sha256_of(100000), "or gives it to stdout", r)
    r = s.run(["call", "-f", f, "peer/all", "GET", "/file", "bytes=3"])
    c.that(r.code == 1 and "write it with -o FILE" in r.talk, "without -o and a folder that stays there is no place for it", r)
    r = s.run(["call", "-f", f, "peer/all", "GET", "/body", "type=image/png", "text=\x89PNG", "-o", out])
    c.that(r.code == 0 and open(out, "rb").read() == "\x89PNG".encode(), "a small binary answer is written as its bytes", r)
    r = s.run(["call", "-f", f, "peer/all", "GET", "/body", "type=application/json", "text={}", "-o", out])
    c.that(r.code == 0 and json.load(open(out)) == {}, "and any other as JSON", r)
    master, slave = os.openpty()
    p = s.subprocess.run([s.WEIR, "call", "-f", f, "peer/all", "GET", "/file", "bytes=3", "-o", "-"], stdout=slave, stderr=s.subprocess.PIPE, env=s.environment())
    os.close(slave)
    os.close(master)
    c.that(p.returncode == 1 and b"are no text; write them with -o FILE" in p.stderr, "bytes do not go to a terminal", p.stderr)
    data = os.path.join(s.directory(), "data")
    s.run(["import", f], data=data)
    r = s.run(["call", "peer/all", "GET", "/file", "bytes=3"], data=data)
    c.that(r.code == 0 and r.json()["file"] == sha256_of(3) and hash_file(stored(data, sha256_of(3))) == sha256_of(3), "with a data directory the file stays there", r)


# ---- REST ----

def a_form_uploads_and_an_item_gives_back(c):
    op = {"method_name": "GET", "query_path": "/file", "answer": "file"}
    k = s.component("site", s.peer_system(peer().port, [op]),
                    [s.INPUT, s.call_step("GET", "/file", {"bytes": str(2 << 20), "type": "image/png", "name": "picture.png"}), s.RESPOND], model=MODEL)
    server = s.Server(file_of(k), options=["--env", "test"])
    photo = server.ask("POST", "/api/v1/files?name=cat.png", b"not really a cat", {"Content-Type": "image/png"})
    c.that(photo.status == 201, "a file is uploaded", photo)
    run = server.ask("POST", "/api/v1/components/site/dataflows/flow/runs", {"data": {"photo": photo.json()}}, {"Prefer": "wait=30"})
    c.that(run.status == 200 and run.json()["items"][0]["data"]["photo"] == photo.json(), "and is the value of a field", run)
    got = run.json()["items"][0]["_answer"]
    c.equal((got["file"], got["bytes"]), (sha256_of(2 << 20), 2 << 20), "the call's answer is a file")
    item = server.ask("GET", "/api/v1/runs/%s/items/0" % run.json()["run"]["id"]).json()
    c.equal(item["output"]["_answer"], got, "the item's page, computed again from the ledger, has the same")
    answer = item["calls"][0]["answer"]
    c.equal((answer["file"], answer["body"], answer["body_bytes"]), ({"file": got["file"], "name": "picture.png", "bytes": 2 << 20}, "", 2 << 20), "and names the answer's file")
    r = server.ask("GET", "/api/v1/files/%s?name=picture.png&media_type=image/png" % got["file"])
    c.that(r.status == 200 and hashlib.sha256(r.body).hexdigest() == got["file"], "which is sent whole")
    c.equal((r.headers["Content-Type"], r.headers["Content-Disposition"], r.headers["X-Content-Type-Options"]),
            ("image/png", "attachment; filename*=UTF-8''picture.png", "nosniff"), "as something to save")
    r = server.ask("GET", "/api/v1/files/%s?media_type=text/html" % got["file"])
    c.equal(r.headers["Content-Type"], "application/octet-stream", "never as a page")
    for wrong in ("..%2Fweir.db", "ab" * 32, got["file"].upper()):
        c.equal(server.ask("GET", "/api/v1/files/" + wrong).status, 404, "no file is %s" % wrong[:12])
    server.close()


# ---- in ----

def large_downloads_are_files(c):
    data, expected = os.path.join(s.directory(), "data"), sha256_of(LARGE)
    for how, more in (("plain", {}), ("gzip, chunked", {"coding": "gzip"})):
        r = s.run(["run", file_of(download({"bytes": LARGE, "name": "big.bin", "type": "application/x-big", **more})), "-d", "v=1"], data=data)
        if not c.that(r.code == 0, "a download of 300 MB, %s" % how, r):
            continue
        c.equal(r.json()["_answer"], {"file": expected, "name": "big.bin", "media_type": "application/x-big", "bytes": LARGE}, "%s: the item holds the file" % how)
        c.equal(hash_file(stored(data, expected)), expected, "%s: the id is the SHA-256 of what is on disk" % how)
        memory(c, r, "download, " + how)
    kept, half = all_files(data)
    c.equal((kept, half), ([expected[2:]], []), "the same answer twice is one file, and nothing is left beside it")


def binary_answers_spill_when_they_are_large(c):
    data = os.path.join(s.directory(), "data")
    for n in (0, 1, 1 << 20, (1 << 20) + 1, 5 << 20):
        r = s.run(["run", file_of(download({"bytes": n, "type": "image/png"}, answer="auto")), "-d", "v=1"], data=data)
        a = r.json()["_answer"] if r.code == 0 else None
        if n == 0:
            c.equal(a, None, "an empty binary answer is null")
        elif n <= 1 << 20:
            c.that(a and "base64" in a and a["bytes"] == n, "a binary answer of %d bytes stays in the item" % n, r)
        else:
            c.equal(a, {"file": sha256_of(n), "name": "file", "media_type": "image/png", "bytes": n}, "one of %d bytes becomes a file" % n)
    r = s.run(["run", file_of(download({"bytes": 0}, answer="file")), "-d", "v=1"], data=data)
    c.equal(r.json()["_answer"]["file"], hashlib.sha256(b"").hexdigest(), "answer: file makes one of nothing, too")
    r = s.run(["run", file_of(download({"bytes": 2000000}, answer="file", max_body="1MB")), "-d", "v=1"], data=data)
    c.that(r.code == 1 and "1000000 are allowed" in r.talk, "max_body holds for files", r)
    c.equal(all_files(data)[1], [], "no half file is left")


def cut_downloads_leave_nothing(c):
    data, n = os.path.join(s.directory(), "data"), 3 << 20
    for how in ({}, {"chunked": 1}, {"coding": "gzip"}):
        f = file_of(download({"bytes": n, "cut": n // 2, **how}, attempts=1))
        r = s.run(["run", f, "-d", "v=1"], data=data)
        c.that(r.code != 0 and all_files(data) == ([], []), "a download that is cut off leaves no file: %s" % (how or "plain"), r)
    f = file_of(download({"bytes": n, "cut": n // 2, "again": 1}))
    r = s.run(["run", f, "-d", "v=1"], data=data)
    c.equal(r.json()["_answer"]["file"] if r.code == 0 else r, sha256_of(n), "with another try it is whole")
    f = file_of(s.component("bad", s.peer_system(peer().port, [{"method_name": "GET", "query_path": "/status/404", "answer": "file"}]),
                            [s.INPUT, s.call_step("GET", "/status/404", {}), s.RESPOND], model=MODEL))
    r = s.run(["run", f, "-d", "v=1"], data=data)
    c.that(r.code == 1 and "404" in r.talk and len(all_files(data)[0]) == 1, "a 404 is a failure and no file", r)


def a_killed_download_is_fetched_again(c):
    data, n = os.path.join(s.directory(), "data"), 20 << 20
    f = file_of(download({"bytes": n, "hold": n // 2}))
    peer().forget()
    p = s.start([s.WEIR, "run", f, "-d", "v=1", "--data", data], stdout=None)
    tmp = os.path.join(data, "files", "tmp")

    def half():
        return os.path.isdir(tmp) and any(os.path.getsize(os.path.join(tmp, x)) > 1 << 20 for x in os.listdir(tmp))
    s.until(half, "half of the file on disk")
    s.kill(p)
    kept, rest = all_files(data)
    c.equal((kept, len(rest)), ([], 1), "killed in the middle: nothing under an id")
    r = s.run(["run", "--resume", "1"], data=data)
    c.that(r.code == 0 and r.lines()[0]["_answer"]["file"] == sha256_of(n), "resumed, it is fetched again", r)
    c.equal(len(peer().requests()), 2, "with one more request")
    again = s.run(["run", "--resume", "1"], data=data)
    c.that(again.code == 0 and again.lines() == r.lines(), "asked again, the ledger gives the same value", again)
    c.equal(len(peer().requests()), 2, "without asking the system")


def a_file_goes_on_to_another_system(c):
    """Downloaded and uploaded within one item: the second step sends what the first has just got."""
    data, n = os.path.join(s.directory(), "data"), 3 << 20
    get = {"method_name": "GET", "query_path": "/file", "answer": "file"}
    put = {"method_name": "POST", "query_path": "/sink/on", "request_body": {"content_type": "application/octet-stream"}}
    k = s.component("on", s.peer_system(peer().port, [get, put]),
                    [s.INPUT, s.call_step("GET", "/file", {"bytes": str(n)}),
                     s.call_step("POST", "/sink/on", {"body": "=item._answer"}, name="send", result_store_field="_sent", result="body"), s.RESPOND], model=MODEL)
    r = s.run(["run", file_of(k), "-d", "v=1"], data=data)
    c.that(r.code == 0 and r.json()["_sent"]["sha256"] == sha256_of(n), "a file that was just downloaded is uploaded", r)


if __name__ == "__main__":
    s.main(large_uploads_are_streamed, uploads_are_sent_again_the_same, many_calls_with_files_take_turns, wrong_ids_are_refused,
           what_begins_with_at_is_a_file_or_written_twice, weir_call_takes_and_gives_files, a_form_uploads_and_an_item_gives_back,
           large_downloads_are_files,
           binary_answers_spill_when_they_are_large, cut_downloads_leave_nothing, a_killed_download_is_fetched_again, a_file_goes_on_to_another_system)
