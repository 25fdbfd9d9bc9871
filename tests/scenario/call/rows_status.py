# SPDX-License-Identifier: Apache-2.0
"""Section 3.4: what statuses mean."""
import email.utils
import time

from matrix import (ANSWERED, CALLS, GET, GOOD, KEYED, NONE, ONCE, POST, RETRY, TWICE, Outcome, Row, accepted, answers, expect, head, refused, says,
                    whole)
from tls import Authority, possible

SECRET = "s3cret-of-the-matrix"
PROBLEM = b'{"type":"about:blank","title":"No","detail":"they say why","status":"of the wrong type"}'


def status(line, *fields, body=PROBLEM):
    return says(whole(body, *fields, status=line, media="application/problem+json"), "keep")


def told(row, call, o, claims):
    """The status is in the problem, and so are the system's own words."""
    p = o.problems[0] if o.problems else {}
    claims.that(str(p.get("status")) == str(o.outcomes[-1]["status"]) and "they say why" in p.get("detail", ""),
                "%s: status and their words are told" % row.fault, o)


def failing(number, line, get, post, keyed, *fields, name=None, fault=None, note="", look=told, **how):
    code = line.split()[0]
    return Row(number, name or "status_" + code, fault or line, "http_status", ANSWERED, get, post, keyed,
               answers(status(line, *fields), after=look, **how), note)


def permanent(number, line, *fields, **how):
    return failing(number, line, ONCE, ONCE, ONCE, *fields, **how)


def may_repeat(number, line, *fields, **how):
    return failing(number, line, RETRY, ONCE, RETRY, *fields, **how)


def not_processed(number, line, *fields, verdict=RETRY, **how):
    return failing(number, line, verdict, verdict, verdict, *fields, **how)


def other_connection(row, bench, claims):
    """The answer left the connection open: the next try takes another all the same."""
    for call in CALLS:
        o = bench.staged(call, status("421 Misdirected Request"), GOOD)
        claims.that(o.result.code == 0 and len(o.requests) == 2 and len(set(o.connections)) == 2, "421, %s: again, over another connection" % call, o)


def heals(number, name, fault, *stage, asks=1000, calls=CALLS, note="", verdict="again after the wait"):
    """The first answer asks for rest, the second is good. The ledger's clock says that it was given."""
    def scenario(row, bench, claims):
        for call in calls:
            made = [a() if callable(a) else a for a in stage]
            o = bench.staged(call, *made)
            claims.that(o.result.code == 0 and len(o.lines) == 1 and len(o.requests) == len(made), "%s, %s: %s" % (fault, call, verdict), o)
            if asks:
                rest = o.times[1] - o.times[0]
                claims.that(rest >= asks * 0.9, "%s, %s: rests as asked" % (fault, call), "%d ms" % rest)
    return Row(number, name, fault, "", ANSWERED, verdict, verdict if POST in calls else NONE, verdict if KEYED in calls else NONE, scenario, note)


def dated(form):
    """Retry-After as a date, counted from the answer's own Date: 2 s on."""
    def make():
        now = time.time()
        then = time.gmtime(now + 2)
        text = {"imf": email.utils.formatdate(now + 2, usegmt=True), "rfc850": time.strftime("%A, %d-%b-%y %H:%M:%S GMT", then),
                "asctime": time.asctime(then)}[form]
        return status("429 Too Many Requests", "Date: " + email.utils.formatdate(now, usegmt=True), "Retry-After: " + text)
    return make


def too_long(row, bench, claims):
    for call in CALLS:
        o = bench.staged(call, status("429 Too Many Requests", "Retry-After: 3600"), max_wait="1s")
        expect(row, call, o, claims)


def pauses_all(row, bench, claims):
    """One 429 holds back every call of the step."""
    o = bench.staged(GET, status("429 Too Many Requests", "Retry-After: 1"), GOOD, items=5, in_flight=1)
    claims.that(o.result.code == 0 and len(o.lines) == 5 and len(o.requests) == 6, "429 and five items: all are done", o)
    claims.that(all(t - o.times[0] >= 900 for t in o.times[1:2]) and [x["status"] for x in o.outcomes].count(429) == 1,
                "429 and five items: asked once", o)


# ---- 2xx ----

def success(line, *fields, body=b'{"id":1}', want={"id": 1}, **how):
    def look(row, call, o, claims):
        claims.equal(o.answer, want, "%s: the result" % row.fault)
    code = line.split()[0]
    return accepted("S200-299", "status_" + code, line, answers(says(whole(body, *fields, status=line), "keep"), after=look), **how)


def partial(row, bench, claims):
    for call in CALLS:
        o = bench.staged(call, says(whole(b'{"id":1}', "Content-Range: bytes 0-7/100", status="206 Partial Content"), "keep"))
        expect(row, call, o, claims)


def partial_asked(row, bench, claims):
    for call in CALLS:
        mapping = {"header.Range": "bytes=0-7", **({} if call == GET else {"n": "=item.data.id"})}
        o = bench.staged(call, says(whole(b'{"id":1}', "Content-Range: bytes 0-7/100", status="206 Partial Content"), "keep"), mapping=mapping)
        expect(row, call, o, claims)


# ---- redirects ----

def hop(bench, call, line, to=None, stage=(GOOD,), fields=("Content-Length: 0",), locations=None, **how):
    """A redirect to a second stage, on the peer `to`: the outcome, and the requests that the second stage saw."""
    to, name = to or bench.peer, bench.stage_name()
    to.stage(name, *stage)
    where = ["%s/staged/%s/%s" % (to.url, name, call)] if locations is None else locations
    o = bench.staged(call, says(head(line, *["Location: " + w for w in where], *fields), "keep"), **how)
    return o, to.history(name).get("/staged/%s/%s" % (name, call), [])


def followed(row, line, call, o, second, claims, method, with_body):
    word = "%s, %s" % (line, call)
    claims.that(o.result.code == 0 and len(o.requests) == 1 and len(second) == 1, "%s: followed" % word, o)
    got = second[0] if second else {"method": None, "bytes": -1, "sha256": None, "headers": []}
    claims.equal(got["method"], method, "%s: as %s" % (word, method))
    content = [k for k, _ in got["headers"] if k.lower().startswith("content-")]
    if with_body:
        claims.that((got["bytes"], got["sha256"]) == (o.requests[0]["bytes"], o.requests[0]["sha256"]) and got["bytes"] > 0,
                    "%s: the same body" % word, got)
    else:
        claims.that(got["bytes"] == 0 and not content, "%s: no body and no Content-* fields" % word, got)
    claims.that([x["status"] for x in o.outcomes] == [int(line.split()[0]), 200], "%s: each hop is in the ledger" % word, o)
    claims.that(not o.lines or call == POST or o.requests[0]["key"] == got.get("key") or method == "GET", "%s: with its key" % word, got)


def reads_follow(row, bench, claims):
    for line in ("301 Moved Permanently", "302 Found"):
        for method in ("GET", "HEAD"):
            o, second = hop(bench, GET, line, method=method)
            followed(row, line, GET, o, second, claims, method, False)
        for call in (POST, KEYED):
            o, second = hop(bench, call, line)
            expect(row, call, o, claims)
            claims.that(not second and "/staged/" in o.problems[0]["detail"], "%s, %s: not followed, its Location is told" % (line, call), o)


def see_other(row, bench, claims):
    for call in CALLS:
        o, second = hop(bench, call, "303 See Other")
        followed(row, "303", call, o, second, claims, "GET", False)
    o, second = hop(bench, GET, "303 See Other", method="HEAD")
    followed(row, "303", GET, o, second, claims, "HEAD", False)


def same_again(row, bench, claims):
    for line in ("307 Temporary Redirect", "308 Permanent Redirect"):
        for call in CALLS:
            o, second = hop(bench, call, line)
            followed(row, line, call, o, second, claims, "GET" if call == GET else "POST", call != GET)


def chain(bench, call, n):
    """n redirects, then a good answer."""
    names = [bench.stage_name() for _ in range(n)]
    last = bench.stage_name()
    bench.peer.stage(last, GOOD)
    for name, after in zip(names, [*names[1:], last]):
        bench.peer.stage(name, says(head("307 Temporary Redirect", "Location: /staged/%s/%s" % (after, call), "Content-Length: 0"), "keep"))
    r, data = bench.call(call, "/staged/%s/%s" % (names[0], call))
    return Outcome(r, data, [q for x in [*names, last] for rows in bench.peer.history(x).values() for q in rows])


def refused_redirect(o, claims, sentence, word, sent=1):
    p = o.problems[0] if o.problems else {}
    claims.that(p.get("type") == "redirect_refused" and word in p.get("detail", "") and len(o.requests) == sent, sentence, o)


def hops(row, bench, claims):
    for call in CALLS:
        claims.equal(chain(bench, call, 5).result.code, 0, "five redirects, %s: followed" % call)
        refused_redirect(chain(bench, call, 6), claims, "six redirects, %s: the sixth is refused" % call, "five", sent=6)


def circle(row, bench, claims):
    for call in CALLS:
        name = bench.stage_name()
        path = "/staged/%s/%s" % (name, call)
        bench.peer.stage(name, says(head("307 Temporary Redirect", "Location: " + path, "Content-Length: 0"), "keep"))
        r, data = bench.call(call, path)
        refused_redirect(Outcome(r, data, bench.peer.history(name)[path]), claims, "a redirect to itself, %s: refused" % call, "circle")


def schemes(row, bench, claims):
    for where in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "javascript:alert(1)", "http://", "http://a b/"):
        o, _ = hop(bench, GET, "302 Found", locations=[where])
        refused_redirect(o, claims, "a redirect to %s: refused" % where, "no http or https")


def locations(row, bench, claims):
    for call in CALLS:
        o, _ = hop(bench, call, "307 Temporary Redirect", locations=[])
        expect(row, call, o, claims)
        o, _ = hop(bench, call, "307 Temporary Redirect", locations=[""])
        expect(row, call, o, claims)
        o, second = hop(bench, call, "307 Temporary Redirect", locations=["/a", "/b"])
        refused_redirect(o, claims, "two Locations, %s: refused" % call, "more than one")


def not_followed(line):
    def scenario(row, bench, claims):
        for call in CALLS:
            o, second = hop(bench, call, line)
            expect(row, call, o, claims)
            claims.equal(second, [], "%s with Location, %s: not followed" % (line, call))
    return scenario


def credentials(row, bench, claims):
    """Each kind of credential, over to another port and to the same one."""
    kinds = {"bearer": {"kind": "bearer", "token": {"secret": "M"}}, "basic": {"kind": "basic", "username": "u", "password": {"secret": "M"}},
             "key": {"kind": "api_key", "in": "header", "name": "X-Api-Key", "value": {"secret": "M"}},
             "cookie": {"kind": "api_key", "in": "cookie", "name": "sid", "value": {"secret": "M"}},
             "query": {"kind": "api_key", "in": "query", "name": "k", "value": {"secret": "M"}}}
    other, names = bench.another_peer(), ("authorization", "x-api-key", "cookie")
    for kind, auth in kinds.items():
        how = {"system": {"auth": auth}, "env": {"WEIR_SECRET_M": SECRET}}
        for to, stays in ((bench.peer, True), (other, False)):
            o, second = hop(bench, GET, "307 Temporary Redirect", to=to, **how)
            sent = [v for k, v in second[0]["headers"] if k.lower() in names] if second else None
            word = "%s to %s" % (kind, "the same origin" if stays else "another port")
            claims.that(o.result.code == 0 and sent is not None and SECRET not in second[0]["target"], "%s: followed" % word, o)
            claims.equal(bool(sent), stays and kind != "query", "%s: the credential %s" % (word, "goes along" if stays else "stays behind"))


def downgrade(row, bench, claims):
    if not possible():
        claims.skip("%s: no openssl program here" % row.fault)
        return
    secure = bench.another_peer("--tls", *Authority.for_tests().server("127.0.0.1"))
    how = {"peer": secure, "system": {"tls": {"no_verify": True}, "auth": {"kind": "bearer", "token": {"secret": "M"}}},
           "env": {"WEIR_SECRET_M": SECRET}}
    o, second = hop(bench, GET, "307 Temporary Redirect", to=bench.peer, **how)
    refused_redirect(o, claims, "from https to http with credentials: refused", "https to http")
    claims.equal(second, [], "from https to http with credentials: nothing arrives there")


def no_redirect_of(number, name, fault, scenario, error="redirect_refused", note=""):
    return Row(number, name, fault, error, ANSWERED, ONCE, ONCE, ONCE, scenario, note)


KEY = {"auth": {"kind": "api_key", "in": "header", "name": "X-Api-Key", "value": {"secret": "M"}}}
LIMITED = "X-RateLimit-Remaining: 0"

ROWS = [
    success("200 OK"),
    success("201 Created", "Location: /x/1"),
    success("202 Accepted", "Location: /x/1", note="Nothing polls it."),
    success("203 Non-Authoritative Information"),
    accepted("S200-299", "status_204", "204 No Content", answers(says(head("204 No Content"), "keep"))),
    success("205 Reset Content", body=b"", want=None),
    refused("S200-299", "status_206", "206 Partial Content, not asked for", "partial_content", partial, "A part is not taken for the whole."),
    accepted("S200-299", "status_206_asked", "206 Partial Content, Range was sent", partial_asked),
    success("299 Odd"),
    Row("S301-302", "reads_follow", "301, 302", "http_status", ANSWERED, "followed", ONCE, ONCE, reads_follow,
        "HEAD as GET. A POST is not followed; its Location is told."),
    Row("S303", "see_other", "303", "", ANSWERED, "followed", "followed by GET", "followed by GET", see_other,
        "HEAD stays HEAD; no body, no Content-* fields."),
    Row("S307-308", "same_again", "307, 308", "", ANSWERED, "followed", "followed", "followed", same_again,
        "Same method, same body, same key. Nothing says that a 301 or 308 is meant for good."),
    no_redirect_of("S3xx", "six_hops", "six redirects", hops, note="Five are followed."),
    no_redirect_of("S3xx", "circle", "a redirect in a circle", circle),
    no_redirect_of("S3xx", "schemes", "a redirect to what is neither http nor https", schemes),
    no_redirect_of("S3xx", "two_locations", "Location missing, empty", locations, error="http_status",
                   note="Of two different ones the redirect is refused."),
    no_redirect_of("S3xx", "multiple_choices", "300 with Location", not_followed("300 Multiple Choices"), error="http_status"),
    no_redirect_of("S3xx", "not_modified", "304 with Location", not_followed("304 Not Modified"), error="http_status"),
    no_redirect_of("S3xx", "use_proxy", "305 with Location", not_followed("305 Use Proxy"), error="http_status"),
    Row("S3xx", "credentials", "a redirect to another origin", "", ANSWERED, "followed, without credentials", NONE, NONE, credentials,
        "Authorization, Cookie, X-Api-Key and keys in the query stay behind."),
    no_redirect_of("S3xx", "downgrade", "a redirect from https to http, with credentials", downgrade),
    *[permanent("S400", line) for line in ("400 Bad Request", "404 Not Found", "405 Method Not Allowed", "406 Not Acceptable", "410 Gone",
                                           "415 Unsupported Media Type",
                                            "422 Unprocessable Content")],
    permanent("S401", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"', fault="401, key", system=KEY, env={"WEIR_SECRET_M": SECRET},
              note="A key or password is not sent again. No credential is known yet that could be renewed."),
    permanent("S402-403", "402 Payment Required"),
    permanent("S402-403", "403 Forbidden"),
    heals("S402-403", "rate_limited_403", "403 with Retry-After", status("403 Forbidden", "Retry-After: 1"), GOOD),
    not_processed("S402-403", "403 Forbidden", LIMITED, name="nothing_remaining", fault="403 with nothing remaining of a rate limit"),
    permanent("S407", "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"', system=KEY, env={"WEIR_SECRET_M": SECRET},
              look=lambda row, call, o, claims: (told(row, call, o, claims), claims.that(
                  not [k for k, _ in o.requests[0]["headers"] if k.lower() == "proxy-authorization"], "407: no Proxy-Authorization is sent", o))),
    may_repeat("S408", "408 Request Timeout"),
    failing("S409", "409 Conflict", ONCE, ONCE, RETRY, note="With our key: the first try is still being worked on."),
    permanent("S412-428", "412 Precondition Failed"),
    permanent("S412-428", "428 Precondition Required"),
    permanent("S413", "413 Content Too Large"),
    heals("S413", "temporary_413", "413 with Retry-After", status("413 Content Too Large", "Retry-After: 1"), GOOD),
    not_processed("S421", "421 Misdirected Request"),
    Row("S421", "other_connection", "421 once", "", ANSWERED, "again, over another connection", "again, over another connection",
        "again, over another connection", other_connection),
    permanent("S423-424", "423 Locked", note="A rule may say otherwise."),
    permanent("S423-424", "424 Failed Dependency", note="A rule may say otherwise."),
    not_processed("S425", "425 Too Early", verdict=TWICE),
    not_processed("S429", "429 Too Many Requests"),
    heals("S429", "seconds", "429, Retry-After: 1", status("429 Too Many Requests", "Retry-After: 1"), GOOD),
    *[heals("S429", "date_" + form, "429, Retry-After as a date (%s)" % form, dated(form), GOOD, calls=(GET,)) for form in ("imf", "rfc850",
                                                                                                                            "asctime")],
    heals("S429", "past", "429, Retry-After in the past", status("429 Too Many Requests", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"), GOOD, asks=0,
          verdict="again"),
    heals("S429", "negative", "429, Retry-After: -5", status("429 Too Many Requests", "Retry-After: -5"), GOOD, asks=0, verdict="again"),
    heals("S429", "rate_limit_draft", "429, RateLimit with t=1", status("429 Too Many Requests", 'RateLimit: "default";r=0;t=1'), GOOD, calls=(GET,)),
    heals("S429", "reset_seconds", "429, X-RateLimit-Reset: 1", status("429 Too Many Requests", LIMITED, "X-RateLimit-Reset: 1"), GOOD, calls=(GET,)),
    heals("S429", "retry_after_wins", "429, Retry-After: 1 and RateLimit with t=3600",
          status("429 Too Many Requests", "Retry-After: 1", 'RateLimit: "default";r=0;t=3600'), GOOD,
          calls=(GET,)),
    refused("S429", "too_long", "429, Retry-After beyond `max_wait`", "http_status", too_long, "The item fails at once; nothing sleeps for an hour."),
    Row("S429", "pauses_all", "429 to one of many items", "", ANSWERED, "all wait", NONE, NONE, pauses_all),
    permanent("S431", "431 Request Header Fields Too Large"),
    may_repeat("S500", "500 Internal Server Error"),
    *[permanent("S501", line) for line in ("501 Not Implemented", "505 HTTP Version Not Supported", "511 Network Authentication Required")],
    may_repeat("S502-504", "502 Bad Gateway"),
    may_repeat("S502-504", "504 Gateway Timeout"),
    may_repeat("S503", "503 Service Unavailable"),
    heals("S503", "retry_after", "503, Retry-After: 1", status("503 Service Unavailable", "Retry-After: 1"), GOOD, calls=(GET, KEYED)),
    failing("S503", "503 Service Unavailable", RETRY, ONCE, RETRY, "Retry-After: 0", name="post_with_retry_after", fault="503, Retry-After: 0"),
    *[may_repeat("S520-527", "%d Odd" % code, name="status_%d" % code, fault=str(code)) for code in (520, 522, 527)],
]
