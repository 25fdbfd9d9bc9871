# SPDX-License-Identifier: Apache-2.0
"""Section 3.1: what goes wrong before an answer begins: addresses, names, TLS, and connections that end. Row 10 (proxies) is rows_proxy.py's."""
import functools
import json
import os
import select
import socket
import subprocess
import threading

import netbox
import support as s
from matrix import (ANSWERED, AMBIGUOUS, CALLS, GET, GOOD, KEYED, NONE, NOT_SENT, OK, ONCE, POST, TWICE, UNKNOWN, Outcome, Row, accepted, ambiguous,
                    answers, expect, not_sent, says)
from tls import Authority
from tls import possible as has_openssl

HEALED = "again, on a new connection"
RACE_POSTS = 1000
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # what the program believes; see src/http/h1_tls.c


def unserved(row, bench, claims, base, look=None, **how):
    """Where no peer can count, the ledger does: an attempt is an outcome in it."""
    for call in CALLS:
        r, data = bench.call(call, "/x", base=base, **how)
        o = Outcome(r, data, [])
        expect(row, call, o, claims, requests=len(o.outcomes))
        if look:
            look(row, call, o, claims)


def says_why(*words):
    """The detail that people read has all these words."""
    def look(row, call, o, claims):
        detail = o.problems[0]["detail"] if o.problems else ""
        claims.that(all(w in detail for w in words), "%s: the detail says %s" % (row.fault, ", ".join(words)), detail)
    return look


# ---- 1 to 4: addresses and names ----

def refused_port(row, bench, claims):
    with s.refusing_port() as port:
        unserved(row, bench, claims, "http://127.0.0.1:%d" % port)


class FullBacklog:
    """A listener whose queue is full: further SYNs are dropped, as if nobody were there."""

    def __enter__(self):
        self.listener, self.fillers = socket.socket(), []
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port, is_full = self.listener.getsockname()[1], False
        while not is_full:
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(c)
            is_full = not select.select([], [c], [], 0.3)[1]
        return self

    def __exit__(self, *_):
        for c in [self.listener, *self.fillers]:
            c.close()


def connect_timeout(row, bench, claims):
    with FullBacklog() as full:
        unserved(row, bench, claims, "http://127.0.0.1:%d" % full.port, limits={"connect_timeout": "300ms"})


def named(host, names, **how):
    """A call to a name of a network of its own."""
    def scenario(row, bench, claims):
        if not netbox.possible():
            claims.skip("%s: this machine gives us no network namespace (unshare -rmn)" % row.fault)
            return
        unserved(row, bench, claims, "http://%s:%d" % (host, netbox.PEER_PORT), inside=netbox.inside(names), **how)
    return scenario


def others_go_on(row, bench, claims):
    """Two steps at once: one asks for a name that hangs, the other for one that is there."""
    if not netbox.possible():
        claims.skip("%s: this machine gives us no network namespace (unshare -rmn)" % row.fault)
        return
    d = s.directory()
    systems = {}
    for name, host in (("hangs", "silent.test"), ("here", "here.test")):
        systems[name] = {"base_url": {"test": "http://%s:%d" % (host, netbox.PEER_PORT)},
                         "connectors": {"all": {"operations": [{"method_name": "GET", "query_path": "/record/x"}]}},
                         "limits": {"connect_timeout": "4s"}}
    steps = [s.INPUT, *({**s.call_step("GET", "/record/x", {}, attempts=1), "name": n, "system": n, "source_step": "input"} for n in systems),
             {**s.RESPOND, "source_step": "here"}]
    f = s.write_component(os.path.join(d, "c.json"), s.component("matrix", systems, steps))
    names = {"silent.test": "silence", "here.test": ["127.0.0.1"]}
    r = s.run(["run", f, "--items", s.write(os.path.join(d, "i.ndjson"), "".join('{"id":%d}\n' % k for k in range(20)))],
              data=os.path.join(d, "data"),
              inside=netbox.inside(names, os.path.join(d, "log")))
    o = Outcome(r, os.path.join(d, "data"), [])
    good = [x["at"] for x in o.outcomes if "error" not in x]
    hung = [x["at"] for x in o.outcomes if x.get("error") == "dns_temporary"]
    claims.that(len(good) == 20 and len(hung) == 20, "a name that hangs: the calls to the other are done", o)
    claims.that(good and hung and max(good) < min(hung), "a name that hangs: none of them waited for it", (good, hung))


def next_address(row, bench, claims):
    if not netbox.possible():
        claims.skip("%s: this machine gives us no network namespace (unshare -rmn)" % row.fault)
        return
    for call in CALLS:
        log = os.path.join(s.directory(), "log")
        names = {"two.test": ["::1", "127.0.0.2", "127.0.0.1"]}  # the peer is at the last one only
        r, data = bench.call(call, "/record/x", base="http://two.test:%d" % netbox.PEER_PORT, inside=netbox.inside(names, log))
        with open(log) as f:
            expect(row, call, Outcome(r, data, [json.loads(line) for line in f]), claims)


# ---- 5 and 6: TLS ----

def trusting(ca):
    """The program in a mount namespace where this authority is all the world's."""
    return ["unshare", "-rm", "sh", "-c", 'mount --bind "$0" %s && exec "$@"' % CA_BUNDLE, ca]


@functools.lru_cache(maxsize=None)
def can_trust():
    try:
        return os.path.exists(CA_BUNDLE) and subprocess.run([*trusting(CA_BUNDLE), "true"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def certificate(make, words=(), is_trusted=True, **how):
    """A TLS peer with what make(authority) gives, called by a program that trusts the authority or the system's ones."""
    def scenario(row, bench, claims):
        if not has_openssl() or (is_trusted and not can_trust()):
            claims.skip("%s: no openssl program here, or no mount namespace (unshare -rm)" % row.fault)
            return
        authority = Authority.for_tests()
        peer = bench.another_peer("--tls", *make(authority))
        for call in CALLS:
            o = bench.staged(call, GOOD, peer=peer, inside=trusting(authority.ca) if is_trusted else (), **how)
            if row.error:
                expect(row, call, o, claims, requests=len(o.outcomes))
                says_why(*words)(row, call, o, claims)
                claims.that(not o.requests, "%s: nothing reaches the server" % row.fault, o)
            else:
                expect(row, call, o, claims)
    return scenario


def old_tls(version):
    def scenario(row, bench, claims):
        if not has_openssl():
            claims.skip("%s: no openssl program here" % row.fault)
            return
        peer = bench.another_peer("--tls", *Authority.for_tests().server("127.0.0.1"), "--tls-max", version)
        unserved(row, bench, claims, peer.url, system={"tls": {"no_verify": True}})
    return scenario


class Listener:
    """Takes connections; once it has read something it says `word` and closes, or says nothing at all."""

    def __init__(self, word=None):
        self.word, self.listener, self.taken = word, socket.create_server(("127.0.0.1", 0)), []
        self.url = "https://127.0.0.1:%d" % self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.take, daemon=True).start()
        return self

    def take(self):
        try:
            while True:
                c = self.listener.accept()[0]
                self.taken.append(c)
                if self.word:
                    c.recv(65536)
                    c.sendall(self.word)
                    c.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        for c in [self.listener, *self.taken]:
            c.close()


def plain_port(row, bench, claims):
    with Listener(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as server:
        unserved(row, bench, claims, server.url)


def stalled_handshake(row, bench, claims):
    with Listener() as server:
        unserved(row, bench, claims, server.url, limits={"connect_timeout": "300ms"})


# ---- 8: kept connections ----

def dies_when_used(then):
    """Each connection answers one request, reads the second and ends: a POST that is sent again by itself would arrive twice."""
    def scenario(row, bench, claims):
        for call in CALLS:
            o = bench.staged(call, GOOD, says(b"", then), by="connection", items=2)
            again = call != POST
            first = o.requests[0]["connection"]
            claims.equal([(r["connection"] == first, r["nth"]) for r in o.requests], [(True, 1), (True, 2), (False, 1)][:3 if again else 2],
                         "%s, %s: %s" % (row.fault, call, row.verdict(call)))
            claims.equal([x.get("certainty", "answered") for x in o.outcomes], ["answered", "ambiguous", "answered"][:3 if again else 2],
                         "%s, %s: ambiguous" % (row.fault, call))
            claims.that(len(o.lines) == (2 if again else 1), "%s, %s: what may be repeated succeeds" % (row.fault, call), o)
            if again:
                claims.equal(o.outcomes[1].get("error"), row.error, "%s, %s: %s in the ledger" % (row.fault, call, row.error))
                claims.that(o.requests[1]["key"] == o.requests[2]["key"] and o.requests[1]["sha256"] == o.requests[2]["sha256"],
                            "%s, %s: the same key and the same bytes" % (row.fault, call), o)
            else:
                claims.that(o.state == "unknown" and "(%s: " % row.error in o.problems[0]["detail"], "%s: the POST's outcome is unknown" % row.fault,
                            o)
    return scenario


def many_die(row, bench, claims):
    """Eight connections stand idle, each about to die of its next request: the second try must not be spent on another one of them."""
    for call in (GET, KEYED):
        o = bench.staged(call, GOOD, says(b"", "close"), by="connection", items=40, in_flight=8)
        tries = [sum(x["seq"] == seq for x in o.outcomes) for seq in range(40)]
        claims.that(len(o.lines) == 40 and max(tries) == 2, "%s, %s: the second try is on a new connection" % (row.fault, call), tries)


def race(row, bench, claims):
    """A thousand POSTs where every second one meets a connection that dies of it: each arrives once."""
    o = bench.staged(POST, GOOD, says(b"", "close"), by="connection", items=RACE_POSTS, in_flight=16)
    claims.equal((len(o.requests), len({r["sha256"] for r in o.requests})), (RACE_POSTS, RACE_POSTS),
                 "%d POSTs: exactly one arrival each" % RACE_POSTS)
    died = sum(r["nth"] > 1 for r in o.requests)
    claims.that(died > RACE_POSTS // 4, "enough of them met a connection that died", "%d" % died)
    claims.equal((len(o.lines), len(o.problems)), (RACE_POSTS - died, died), "those that died are unknown, the others done")


# ---- 9 and 11 ----

def send_fails(row, bench, claims):
    big = [{"id": 1, "text": "x" * (6 << 20)}]
    for call in CALLS:
        method = "PUT" if call == GET else "POST"
        o = bench.staged(call, says(b"", "reset", on="head"), method=method, items=big, mapping={"text": "=item.data.text"})
        expect(row, call, o, claims)


def guard_is_tested(row, bench, claims):
    path = os.path.join(s.ROOT, "tests", "unit", "http", "test_client.c")
    with open(path) as f:
        text = f.read()
    claims.that("TEST(the_guard_sees_the_address_however_it_is_written)" in text and "HTTP_ERROR_BLOCKED_ADDRESS" in text,
                "the unit test that proves the guard is there", path)


NAMES = {"fails.test": "SERVFAIL", "silent.test": "silence"}

ROWS = [
    not_sent("1", "refused", "connect refused", "connect_refused", refused_port),
    accepted("1", "next_address", "the first addresses of a name refuse", next_address, "The next address of the host is tried within the attempt."),
    not_sent("2", "no_such_name", "DNS: NXDOMAIN", "dns_not_found", named("gone.test", NAMES),
             "One more try; a failure is not remembered, so that nothing has to be waited out.", verdict=TWICE),
    not_sent("3", "servfail", "DNS: SERVFAIL", "dns_temporary", named("fails.test", NAMES)),
    not_sent("3", "dns_silent", "DNS: no answer", "dns_temporary", named("silent.test", NAMES, limits={"connect_timeout": "400ms"}),
             "Bounded by the connect timeout."),
    Row("3", "others_go_on", "DNS: no answer for one name", "", ANSWERED, OK, NONE, NONE, others_go_on, "Calls to other names go on."),
    not_sent("4", "connect_timeout", "connect timeout", "connect_timeout", connect_timeout, "At the set time, not at the system's 127 s."),
    not_sent("5", "expired", "certificate expired", "tls_cert",
             certificate(lambda a: a.server("127.0.0.1", is_expired=True), ("expired", "CN=127.0.0.1", "2019-01-01", "2020-01-01")), verdict=ONCE),
    not_sent("5", "self_signed", "certificate self-signed", "tls_cert",
             certificate(lambda a: a.self_signed("127.0.0.1"), ("self", "CN=127.0.0.1"), is_trusted=False), verdict=ONCE),
    not_sent("5", "wrong_host", "certificate of another host", "tls_cert",
             certificate(lambda a: a.server("other.example"), ("mismatch", "CN=other.example")), verdict=ONCE),
    not_sent("5", "unknown_ca", "certificate of an unknown authority", "tls_cert",
             certificate(lambda a: a.server("127.0.0.1"), ("issuer", "CN=127.0.0.1"), is_trusted=False), verdict=ONCE),
    accepted("5", "good_certificate", "certificate in order", certificate(lambda a: a.server("127.0.0.1")), "The check of the checks above."),
    accepted("5", "no_verify", "certificate expired, `tls: { no_verify: true }`",
             certificate(lambda a: a.server("127.0.0.1", is_expired=True), system={"tls": {"no_verify": True}}),
             "Per system only. Stapled revocations are not asked for."),
    not_sent("6", "tls_10", "TLS 1.0 only", "tls_protocol", old_tls("1.0"), verdict=ONCE),
    not_sent("6", "tls_11", "TLS 1.1 only", "tls_protocol", old_tls("1.1"), verdict=ONCE),
    not_sent("6", "plain_port", "https to a plain port", "tls_protocol", plain_port, verdict=ONCE),
    not_sent("6", "stalled_handshake", "the handshake stalls", "connect_timeout", stalled_handshake, "Covered by the connect timeout."),
    ambiguous("7", "close_before_answer", "FIN on a new connection, no byte back", "connection_lost", answers(says(b"", "close"))),
    ambiguous("7", "reset_before_answer", "RST on a new connection, no byte back", "connection_lost", answers(says(b"", "reset"))),
    Row("8", "kept_closes", "FIN on a kept connection, no byte back", "connection_lost", AMBIGUOUS, HEALED, UNKNOWN, HEALED, dies_when_used("close"),
        "After the usual pause."),
    Row("8", "kept_resets", "RST on a kept connection, no byte back", "connection_lost", AMBIGUOUS, HEALED, UNKNOWN, HEALED, dies_when_used("reset")),
    Row("8", "many_die", "many kept connections that die when used", "connection_lost", AMBIGUOUS, HEALED, NONE, HEALED, many_die,
        "The second try is not spent on another kept one."),
    Row("8", "race", "1,000 POSTs, every second on a connection that dies of it", "connection_lost", AMBIGUOUS, NONE, UNKNOWN, NONE, race,
        "Exactly one arrival each."),
    ambiguous("9", "send_fails", "RST while the body is being sent", "send_failed", send_fails, "Shown with PUT for GET. N if not a byte had left."),
    Row("11", "guard", "address denied by the guard", "blocked_address", NOT_SENT, ONCE, ONCE, ONCE, guard_is_tested,
        "Client only: unit test `the_guard_sees_the_address_however_it_is_written`; the program has no setting for it yet."),
]
