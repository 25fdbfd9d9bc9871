# SPDX-License-Identifier: Apache-2.0
"""Section 3.2: answers that break, bend or just use the syntax of HTTP/1.1 (RFC 9112)."""
from matrix import (ANSWERED, GET, GOOD, KEYED, NONE, OK, ONCE, POST, RETRY, Row, accepted, ambiguous, answers, both, closes, expect, head, keeps,
                    refused,
                    reuse, says, whole)
from tls import Authority, possible

JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def chunks(*raw):
    return says(head("200 OK", JSON, CHUNKED) + b"".join(raw), "keep")


def broken(number, name, fault, error, data, then="close", note=""):
    """An answer whose certainty is A: bytes, what becomes of the connection, the error."""
    return ambiguous(number, name, fault, error, answers(says(data, then)), note)


def sized(*lengths):
    return head("200 OK", JSON, *["Content-Length: " + n for n in lengths]) + b'{"id":1}'


def body_is(value):
    return lambda row, call, o, claims: claims.equal(o.answer, value, "%s: the body is whole" % row.fault)


def body_is_kept(row, call, o, claims):
    """Not given to the mapping, yet there for people."""
    claims.that(all(x["body"] == b'{"id":1' for x in o.outcomes), "%s: what came of the body is in the ledger" % row.fault, o)


def headers_of(o):
    return o.answer["headers"]


def header_is(name, value):
    return lambda row, call, o, claims: claims.equal(headers_of(o).get(name), value, "%s: %s is %r" % (row.fault, name, value))


def status_is_zero(row, call, o, claims):
    claims.that(all(x["status"] == 0 for x in o.outcomes), "%s: its status is not believed" % row.fault, o)


def marked(row, call, o, claims):
    claims.that(o.outcomes[-1].get("close_delimited") is True, "%s: the ledger marks it close_delimited" % row.fault, o)


def cut_json(row, bench, claims):
    """A close-delimited body that was cut is as whole as any; here the JSON tells."""
    o = bench.staged(GET, says(head("200 OK", JSON) + b'{"id":', "close"))
    claims.that(o.problems and o.problems[0]["type"] == "invalid_json" and len(o.requests) == 1, "%s, cut: the JSON tells" % row.fault, o)


def tls_without_close_notify(row, bench, claims):
    if not possible():
        claims.skip("%s: no openssl program here" % row.fault)
        return
    pair = Authority.for_tests().server("127.0.0.1")
    peer = bench.another_peer("--tls", *pair)
    for call in (GET, POST, KEYED):
        o = bench.staged(call, says(head("200 OK", JSON) + b'{"id":1}', "cut"), peer=peer, system={"tls": {"no_verify": True}})
        expect(row, call, o, claims)


# ---- 30: Expect ----

def no_expect(row, bench, claims):
    """A body that makes other clients ask first, and a server that would say no."""
    big = {"text": "x" * (3 << 20)}
    for call in (POST, KEYED):
        o = bench.staged(call, GOOD, items=[{"id": 1, **big}], mapping={"text": "=item.data.text"}, limits={"total_timeout": "20s"})
        expect(row, call, o, claims)
        claims.that(o.requests and o.requests[0]["bytes"] > 3 << 20 and not [k for k, _ in o.requests[0]["headers"] if k.lower() == "expect"],
                    "%s: 3 MiB leave without an Expect header" % row.fault, o.result)


def expectation_failed(row, bench, claims):
    for call in (GET, POST, KEYED):
        o = bench.staged(call, says(whole(b"{}", status="417 Expectation Failed"), "keep"))
        expect(row, call, o, claims)


# ---- 33: HEAD ----

def head_with_length(row, bench, claims):
    o = bench.staged(GET, says(head("200 OK", JSON, "Content-Length: 1234"), "keep"), method="HEAD", items=2)
    claims.that(o.result.code == 0 and len(o.lines) == 2 and o.answer is None, "HEAD with Content-Length: no body is awaited", o)
    keeps(row, GET, o, claims)


MANY = b"".join(b"X-%d: v\r\n" % i for i in range(20000))

ROWS = [
    broken("12", "cut_in_status_line", "cut in the status line", "bad_response", b"HTTP/1.1 2"),
    broken("13", "cut_in_head", "FIN inside the head", "bad_response", b"HTTP/1.1 200 OK\r\nContent-Le"),
    ambiguous("13", "head_without_empty_line", "FIN after a whole field, before the empty line", "bad_response",
              answers(says(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), after=status_is_zero)),
    broken("13", "reset_in_head", "RST inside the head", "connection_lost", b"HTTP/1.1 200 OK\r\nContent-Le", "reset"),
    ambiguous("14", "body_shorter_than_length", "Content-Length larger than the body, FIN", "truncated",
              answers(says(sized("100")[:-1]), after=body_is_kept)),
    broken("14", "body_shorter_and_reset", "Content-Length larger than the body, RST", "truncated", sized("100"), "reset"),
    broken("15", "no_last_chunk", "chunked without the last chunk", "truncated", head("200 OK", JSON, CHUNKED) + b'8\r\n{"id":1}\r\n'),
    broken("15", "cut_in_chunk", "cut inside a chunk", "truncated", head("200 OK", JSON, CHUNKED) + b'8\r\n{"id'),
    broken("15", "no_end_after_last_chunk", "cut after the last chunk's line", "truncated",
           head("200 OK", JSON, CHUNKED) + b'8\r\n{"id":1}\r\n0\r\n'),
    broken("16", "chunk_size_not_hex", "a chunk size that is not hex", "bad_framing", head("200 OK", JSON, CHUNKED) + b'xyz\r\n{"id":1}\r\n0\r\n\r\n',
           "keep"),
    broken("16", "chunk_size_overflows", "a chunk size beyond 64 bits", "bad_framing",
           head("200 OK", JSON, CHUNKED) + b'10000000000000008\r\n{"id":1}\r\n0\r\n\r\n', "keep"),
    broken("16", "no_crlf_after_chunk", "no CR LF after a chunk's data", "bad_framing", head("200 OK", JSON, CHUNKED) + b'8\r\n{"id":1}0\r\n\r\n',
           "keep"),
    broken("17", "chunk_line_bare_lf", "a chunk's line ends in a bare LF", "bad_framing", head("200 OK", JSON, CHUNKED) + b'8\n{"id":1}\r\n0\r\n\r\n',
           "keep",
           "Default tier; libcurl's takes chunks apart before we see them."),
    broken("17", "trailer_bare_lf", "the trailers end in a bare LF", "bad_framing", head("200 OK", JSON, CHUNKED) + b'8\r\n{"id":1}\r\n0\r\n\n',
           "keep"),
    accepted("18", "trailers", "trailers", both(
        answers(chunks(b'8\r\n{"id":1}\r\n0\r\n', b"X-Sum: 1\r\nContent-Type: text/html\r\n\r\n"), result="response",
                after=lambda row, call, o, claims: claims.that("x-sum" not in headers_of(o) and headers_of(o)["content-type"] == "application/json",
                                                               "trailers: not merged into the headers", o)),
        reuse(keeps, chunks(b'8\r\n{"id":1}\r\n0\r\n', b"X-Sum: 1\r\n\r\n")))),
    accepted("19", "until_close", "no length, FIN", both(answers(says(head("200 OK", JSON) + b'{"id":1}'), after=marked), cut_json),
             "Whole by definition. What a cut leaves of JSON is invalid_json."),
    broken("20", "until_reset", "no length, RST", "truncated", head("200 OK", JSON) + b'{"id":1}', "reset"),
    ambiguous("20", "tls_until_cut", "no length, TLS ends without close_notify", "truncated", tls_without_close_notify),
    broken("21", "two_lengths", "two different Content-Length", "bad_framing", sized("8", "9"), "keep"),
    broken("21", "list_of_lengths", "Content-Length: 8, 9", "bad_framing", sized("8, 9"), "keep"),
    broken("21", "length_with_junk", "Content-Length: 8abc", "bad_framing", sized("8abc"), "keep"),
    broken("21", "length_plus", "Content-Length: +8", "bad_framing", sized("+8"), "keep"),
    broken("21", "length_minus", "Content-Length: -8", "bad_framing", sized("-8"), "keep"),
    broken("21", "length_hex", "Content-Length: 0x8", "bad_framing", sized("0x8"), "keep"),
    broken("21", "length_empty", "Content-Length without a value", "bad_framing", sized(""), "keep"),
    broken("21", "length_overflows", "Content-Length beyond 64 bits", "bad_framing", sized("99999999999999999999"), "keep"),
    accepted("21", "same_length_twice", "the same Content-Length twice", answers(says(sized("8", "8"), "keep"), after=body_is({"id": 1})),
             "RFC 9110 8.6 allows it."),
    accepted("22", "both_lengths", "Content-Length and Transfer-Encoding", both(
        answers(says(head("200 OK", JSON, CHUNKED, "Content-Length: 3") + b'8\r\n{"id":1}\r\n0\r\n\r\n', "keep"), after=body_is({"id": 1})),
        reuse(closes, says(head("200 OK", JSON, CHUNKED, "Content-Length: 3") + b'8\r\n{"id":1}\r\n0\r\n\r\n', "keep")))),
    broken("23", "unknown_transfer_coding", "an unknown transfer coding", "bad_framing",
           head("200 OK", JSON, "Transfer-Encoding: rot13") + b'{"id":1}'),
    broken("23", "gzip_transfer_coding", "a transfer coding that was not asked for", "bad_framing",
           head("200 OK", JSON, "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"),
    broken("23", "chunked_not_last", "chunked is not the last coding", "bad_framing",
           head("200 OK", JSON, "Transfer-Encoding: chunked, gzip") + b'8\r\n{"id":1}\r\n0\r\n\r\n'),
    accepted("24", "bytes_after_body", "bytes after the body", both(
        answers(says(whole() + b"HTTP/1.1 500 No\r\n\r\n", "keep"), after=body_is({"id": 1})), reuse(closes, says(whole() + b"surplus", "keep")))),
    broken("25", "nul_in_field", "NUL in a field", "bad_response", whole(b'{"id":1}', "X-A: a\0b"), "keep"),
    broken("25", "cr_in_field", "a raw CR in a field", "bad_response", whole(b'{"id":1}', "X-A: a\rX-B: b"), "keep"),
    broken("25", "no_colon", "a field without a colon", "bad_response", whole(b'{"id":1}', "X-A"), "keep"),
    broken("25", "empty_name", "a field without a name", "bad_response", whole(b'{"id":1}', ": a"), "keep"),
    broken("25", "space_in_name", "a space inside a field's name", "bad_response", whole(b'{"id":1}', "X A: a"), "keep"),
    accepted("25", "space_before_colon", "a space before the colon",
             answers(says(whole(b'{"id":1}', "X-A : a"), "keep"), result="response", after=header_is("x-a", "a")),
             "Taken off, as RFC 9112 5.1 says."),
    broken("25", "space_before_length_colon", "a space before the colon of Content-Length", "bad_framing",
           head("200 OK", JSON, "Content-Length : 8") + b'{"id":1}', "keep",
           "Refused: where a body ends must not depend on who reads."),
    accepted("25", "obs_fold", "a folded field",
             answers(says(whole(b'{"id":1}', "X-A: a\r\n \t b"), "keep"), result="response", after=header_is("x-a", "a b"))),
    broken("25", "folded_length", "a folded Content-Length", "bad_framing", head("200 OK", JSON, "Content-Length: 8\r\n 0") + b'{"id":1}', "keep"),
    ambiguous("26", "field_400k", "one field of 400 kB", "headers_too_large", answers(says(whole(b'{"id":1}', "X-A: " + "a" * 400000), "keep")),
              again=ONCE),
    ambiguous("26", "fields_20000", "20,000 fields", "headers_too_large", answers(says(head("200 OK", JSON)[:-2] + MANY + b"\r\n", "keep")),
              again=ONCE),
    ambiguous("26", "fields_400k", "40 fields of 10 kB", "headers_too_large",
              answers(says(whole(b'{"id":1}', *["X-%d: %s" % (i, "v" * 10000) for i in range(40)]), "keep")), again=ONCE),
    ambiguous("26", "fields_257", "257 fields", "headers_too_large",
              answers(says(whole(b'{"id":1}', *["X-%d: v" % i for i in range(255)]), "keep")), again=ONCE),
    accepted("26", "fields_256", "256 fields",
             answers(says(whole(b'{"id":1}', *["X-%d: v" % i for i in range(254)]), "keep"), after=body_is({"id": 1}))),
    ambiguous("26", "endless_fields", "fields without end", "headers_too_large",
              answers({"bytes": b"HTTP/1.1 200 OK\r\n", "again": b"X-A: aaaaaaaaaaaaaaaa\r\n"}), again=ONCE),
    ambiguous("26", "endless_field", "a field without end", "headers_too_large",
              answers({"bytes": b"HTTP/1.1 200 OK\r\nX-A: ", "again": b"aaaaaaaaaaaaaaaa"}), again=ONCE),
    Row("27", "status_999", "status 999", "http_status", ANSWERED, RETRY, ONCE, RETRY, answers(says(whole(b"{}", status="999 Odd"), "keep")),
        "As 5xx."),
    Row("27", "status_600", "status 600", "http_status", ANSWERED, RETRY, ONCE, RETRY, answers(says(whole(b"{}", status="600 Odd"), "keep")),
        "As 5xx."),
    broken("27", "status_2000", "status 2000", "bad_response", whole(status="2000 OK"), "keep"),
    broken("27", "status_20", "status 20", "bad_response", whole(status="20 OK"), "keep"),
    broken("27", "status_099", "status 099", "bad_response", whole(status="099 OK"), "keep"),
    broken("27", "http_09", "HTTP/0.9: a body and no head", "bad_response", b'{"id":1}\n'),
    broken("27", "http_12", "HTTP/1.2", "bad_response", whole().replace(b"HTTP/1.1", b"HTTP/1.2"), "keep"),
    broken("27", "http_2_in_plain", "HTTP/2.0 in plain text", "bad_response", whole().replace(b"HTTP/1.1", b"HTTP/2.0"), "keep"),
    broken("27", "no_http", "no HTTP at all", "bad_response", b"220 mail.example.com ESMTP\r\n", "close"),
    accepted("28", "interim", "100, 103, then 200", both(
        answers(says(head("100 Continue") + head("103 Early Hints", "Link: </a>; rel=preload", "X-A: early") + whole(), "keep"), result="response",
                after=lambda row, call, o,
                claims: claims.that(o.answer["status"] == 200 and "x-a" not in headers_of(o), "100, 103, 200: only the final answer counts", o)),
        reuse(keeps, says(head("100 Continue") + whole(), "keep")))),
    ambiguous("29", "endless_interim", "interim answers without end", "bad_response", answers({"bytes": b"", "again": head("102 Processing")})),
    ambiguous("29", "interim_17", "17 interim answers, then 200", "bad_response", answers(says(head("100 Continue") * 17 + whole(), "keep"))),
    accepted("29", "interim_16", "16 interim answers, then 200", answers(says(head("100 Continue") * 16 + whole(), "keep"))),
    Row("30", "no_expect", "Expect without a 100", "", ANSWERED, NONE, OK, OK, no_expect,
        "Weir never sends Expect, so nobody has to wait for a 100."),
    refused("30", "expectation_failed", "417 all the same", "http_status", expectation_failed,
            "Permanent as other 4xx: there is no Expect to leave out."),
    broken("31", "switches_protocols", "101 unasked", "bad_response", head("101 Switching Protocols", "Upgrade: x", "Connection: upgrade") + b"bytes",
           "keep"),
    accepted("32", "no_content_with_body", "204 with body bytes", both(
        answers(says(head("204 No Content", "Content-Length: 8") + b'{"id":1}', "keep"), after=body_is(None)),
        reuse(closes, says(head("204 No Content", "Content-Length: 8") + b'{"id":1}', "keep")),
        reuse(closes, says(head("204 No Content") + b'{"id":1}', "keep")))),
    refused("32", "not_modified_with_body", "304 with body bytes", "http_status", both(
        answers(says(head("304 Not Modified", "Content-Length: 8") + b'{"id":1}', "keep")),
        reuse(closes, says(head("304 Not Modified", "Content-Length: 8") + b'{"id":1}', "keep"))),
            "Nobody asked with a condition: an answer without a result."),
    Row("33", "head_with_length", "HEAD with Content-Length", "", ANSWERED, OK, NONE, NONE, head_with_length,
        "Shown with HEAD; the connection is kept."),
]
