# SPDX-License-Identifier: Apache-2.0
"""Section 3.3: time and size, and what content codings can do to both."""
import zlib

import coded
from matrix import (AMBIGUOUS, ANSWERED, CALLS, GET, GOOD, KEYED, NONE, OK, ONCE, POST, TWICE, UNKNOWN, Row, accepted, ambiguous, answers, expect,
                    head,
                    refused, says, whole)

JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
QUICK = {"total_timeout": "800ms"}
MIB = 1 << 20


def slow(number, name, fault, error, stage, note="", **limits):
    return ambiguous(number, name, fault, error, answers(stage, limits={**QUICK, **limits}), note)


def others_go_on(row, bench, claims):
    """One call hangs until its total timeout; the calls behind it pass it by."""
    hang = says(b"", "hang")
    o = bench.staged(GET, hang, GOOD, items=20, in_flight=2, order="any", attempts=1, limits={"total_timeout": "2s", "first_byte_timeout": "2s"})
    claims.that(len(o.lines) == 19 and len(o.problems) == 1, "a slow call: the nineteen others are done", o)
    took = [float(x["timings"]["queue"]) + float(x["timings"]["total"]) for x in o.outcomes if "error" not in x]
    claims.that(max(took) < float(next(x["timings"]["total"] for x in o.outcomes if "error" in x)), "a slow call: none of them waited for it", took)


def too_slow(row, bench, claims):
    """The low-speed rule as it is, 15 s to a window: the one row that takes half a minute."""
    o = bench.staged(GET, {"bytes": head("200 OK", JSON), "again": b" ", "every": 1000}, attempts=1,
                     limits={"total_timeout": "60s", "first_byte_timeout": "60s"})
    claims.that(o.problems and o.problems[0]["type"] == "too_slow" and o.outcomes[0]["certainty"] == "ambiguous",
                "1 byte a second: too_slow, ambiguous", o)


def stops_reading(row, call, o, claims):
    claims.that(all(len(x["body"]) <= MIB for x in o.outcomes), "%s: no more is kept than allowed" % row.fault, [len(x["body"]) for x in o.outcomes])


def too_large(number, name, fault, stage, note="", **how):
    return refused(number, name, fault, "too_large", answers(stage, after=stops_reading, **how), note)


def packed(data, *codings):
    return says(whole(data, *["Content-Encoding: " + c for c in codings]), "keep")


def raw_is_kept(data):
    def look(row, call, o, claims):
        claims.that(all(x["body"] == data for x in o.outcomes), "%s: the ledger keeps the raw bytes" % row.fault,
                    [x["body"][:60] for x in o.outcomes])
        encodings = [[v for k, v in r["headers"] if k.lower() == "accept-encoding"] for r in o.requests]
        claims.that(encodings[0] != ["identity"] and all(e == ["identity"] for e in encodings[1:]),
                    "%s: the second try asks for identity" % row.fault, encodings)
    return look


def damaged(name, fault, data, *codings, number="38", note=""):
    return ambiguous(number, name, fault, "bad_encoding", answers(packed(data, *codings), after=raw_is_kept(data)), note, again=TWICE)


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1:]


def identity_heals(row, bench, claims):
    """The second try differs in one header and is answered plainly."""
    broken = coded.GOOD["gzip"][:-9]
    for call in CALLS:
        o = bench.staged(call, {**packed(broken, "gzip"), "plain": whole(b'{"id":1}')})
        if call == POST:
            claims.that(len(o.requests) == 1 and o.state == "unknown", "bad_encoding, then identity: a POST without key is not sent again", o)
            continue
        claims.that(o.answer == {"id": 1} and len(o.requests) == 2, "bad_encoding, then identity, %s: succeeds" % call, o)
        first, second = ({k: v for k, v in r["headers"]} for r in o.requests)
        claims.equal([first.pop("Accept-Encoding"), second.pop("Accept-Encoding")], ["gzip, deflate, br, zstd", "identity"],
                     "bad_encoding, then identity, %s: asked for" % call)
        claims.that(first == second and o.requests[0]["sha256"] == o.requests[1]["sha256"],
                    "bad_encoding, then identity, %s: nothing else differs" % call, o)
        claims.equal([x.get("error") for x in o.outcomes], ["bad_encoding", None], "bad_encoding, then identity, %s: the ledger has both" % call)
        shown = [[v for k, v in i["headers"] if k == "Accept-Encoding"] for i in o.intents]
        claims.equal(shown, [[], ["identity"]], "bad_encoding, then identity, %s: and says what was asked" % call)


# ---- 40 ----

def early_413(then):
    """The head says how much is to come; the server answers at once and reads no more."""
    big = [{"id": 1, "text": "x" * (6 << 20)}]

    def scenario(row, bench, claims):
        for call in (POST, KEYED):
            o = bench.staged(call,
                             says(whole(b'{"detail":"no more than 1 MB"}', "Connection: close", status="413 Content Too Large"), then, on="head"),
                             items=big,
                             mapping={"text": "=item.data.text"})
            expect(row, call, o, claims)
            claims.that(o.problems and o.problems[0]["status"] == 413 and "no more than 1 MB" in o.problems[0]["detail"],
                        "%s, %s: 413 is what is told" % (row.fault, call), o)
    return scenario


CODINGS = ("gzip", "deflate", "br", "zstd")
TEXT = coded.TEXT

ROWS = [
    slow("34", "silence", "nothing after the request", "first_byte_timeout", says(b"", "hang"), first_byte_timeout="400ms", total_timeout="30s"),
    slow("34", "silence_total", "nothing after the request, no first-byte timeout", "total_timeout", says(b"", "hang"),
         "Always on: 30 s unless set."),
    slow("35", "slow_head", "a head in drops", "total_timeout", {"bytes": b"HTTP/1.1 200 OK\r\n", "again": b"X", "every": 100}),
    slow("35", "slow_body", "a body in drops", "total_timeout", {"bytes": head("200 OK", JSON), "again": b" ", "every": 100}),
    slow("35", "stalls", "a body that stops coming", "total_timeout", says(head("200 OK", JSON, "Content-Length: 100") + b"{", "hang")),
    Row("35", "slow_body_too_slow", "a body at 1 B/s, a long total timeout", "too_slow", AMBIGUOUS, ONCE, NONE, NONE, too_slow,
        "Less than 100 B/s for 15 s; one try is shown."),
    Row("35", "others_go_on", "one call hangs, others are behind it", "", ANSWERED, OK, NONE, NONE, others_go_on, "Their slots are not affected."),
    too_large("36", "endless_body", "a body without end", {"bytes": head("200 OK", JSON), "again": b"x" * 4096}),
    too_large("36", "endless_chunks", "chunks without end", {"bytes": head("200 OK", JSON, CHUNKED), "again": b"400\r\n" + b"x" * 1024 + b"\r\n"}),
    too_large("36", "announced", "a Content-Length beyond the limit", says(head("200 OK", JSON, "Content-Length: 2000000"), "hang"),
              "Told by the head; no byte is read."),
    *[too_large("37", "bomb_" + c, "%s bomb, 256 MiB" % c, packed(coded.BOMBS[c], c)) for c in CODINGS],
    *[too_large("37", "ratio_" + c, "%s, more than 200:1 beyond 1 MB" % c, packed(coded.BOMBS[c], c), max_body="64MiB") for c in CODINGS],
    damaged("nested", "two content codings", coded.GOOD["gzip"], "gzip, gzip", number="37",
            note="One coding only; asking for identity may help, so as row 38."),
    damaged("nested_fields", "two Content-Encoding fields", coded.GOOD["gzip"], "gzip", "gzip", number="37"),
    *[damaged("half_" + c, "%s cut in half inside a right Content-Length" % c, coded.GOOD[c][:len(coded.GOOD[c]) // 2], c) for c in CODINGS],
    *[damaged("no_end_" + c, "%s without its last byte" % c, coded.GOOD[c][:-1], c) for c in CODINGS],
    *[damaged("tail_" + c, "bytes after the end of %s" % c, coded.GOOD[c] + b"surplus", c) for c in CODINGS],
    damaged("crc_gzip", "gzip with a wrong checksum", flipped(coded.GOOD["gzip"], -6), "gzip"),
    damaged("crc_deflate", "deflate with a wrong checksum", flipped(coded.GOOD["deflate"], -2), "deflate"),
    damaged("crc_zstd", "zstd with a wrong checksum", flipped(coded.ZSTD_CHECKED, -2), "zstd", note="brotli has none."),
    *[damaged("plain_" + c, "says %s but is plain" % c, TEXT, c) for c in CODINGS],
    damaged("unknown_coding", "an unknown content coding", TEXT, "rot13"),
    Row("38", "identity_heals", "a broken coding, plain when asked for identity", "bad_encoding", AMBIGUOUS, "again with identity", UNKNOWN,
        "again with identity", identity_heals,
        "Once; the tries differ in Accept-Encoding alone."),
    *[accepted("38", "good_" + c, "%s in order" % c, answers(packed(coded.GOOD[c], c), after=lambda row, call, o, claims: claims.equal(
        o.answer, {"id": 1, "text": "abcdefgh" * 30}, "%s: the body is whole" % row.fault)), "The check of the checks above.") for c in CODINGS],
    accepted("39", "deflate_zlib", "deflate with zlib's frame", answers(packed(zlib.compress(b'{"id":1}'), "deflate"))),
    accepted("39", "deflate_raw", "deflate without a frame", answers(packed(coded.raw_deflate(b'{"id":1}'), "deflate"))),
    Row("40", "early_413_close", "413 while the body is being sent, FIN", "http_status", ANSWERED, NONE, ONCE, ONCE, early_413("close")),
    Row("40", "early_413_keep", "413 while the body is being sent, the server reads no more", "http_status", ANSWERED, NONE, ONCE, ONCE,
        early_413("hang")),
]
