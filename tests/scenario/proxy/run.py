#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Systems behind a proxy: who sees which credentials, and what becomes of calls that the proxy does not let through (fault matrix, row 10)."""
import base64
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import support as s  # noqa: E402

WORD = "pr0xy-CANARY%41:ä"  # a percent triple and a colon: both are part of it
SECRETS = dict(s.PLAIN, **{"WEIR_SECRET_PROXY": WORD, "WEIR_SECRET_TOKEN": "0rigin-CANARY"})
PAIR = base64.b64encode(("weir:" + WORD).encode()).decode()

# Row 10, one a fault: error and class, then how many requests the origin saw when the fault struck once and two tries were allowed. 0: the call was
# not tried again (407 is permanent). `tries`: what the proxy saw.
FAULTS = [{"fault": "CONNECT: " + told, "name": name, "error": "proxy_error", "get": n, "post": n, "keyed": n, "tries": n + 1}
        for name, told, n in [("407", "407", 0), ("403", "403", 1), ("503", "503", 1), ("close", "closed without a byte", 1), ("reset", "reset", 1),
                              ("cut", "cut in the status line", 1), ("half-head", "cut in a field", 1), ("garbage", "no HTTP", 1),
                              ("huge-head", "a head without end", 1), ("silence", "silence", 1)]]
METHODS = [("GET", {}, "get"), ("POST", {}, "post"), ("POST", {"idempotency_key": True}, "keyed")]


def certificate():
    """A self-made one for 127.0.0.1: certificate and key."""
    if not shutil.which("openssl"):
        s.skip_suite("openssl is not here")
    d = s.directory()
    cert, key = os.path.join(d, "cert"), os.path.join(d, "key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key


def system(peer, proxy, is_tls, operations, has_credentials=True, **more):
    """Behind the proxy, with a credential of its own. The certificate is self-made: whether it is checked is a claim of its own."""
    way = {"url": proxy} if proxy else None
    if way and has_credentials:
        way.update(username="weir", password={"secret": "PROXY"})
    x = {"base_url": {"test": "http%s://127.0.0.1:%d" % ("s" if is_tls else "", peer.port)}, "tls": {"no_verify": is_tls},
         "auth": {"kind": "bearer", "token": {"secret": "TOKEN"}}, "limits": {"connect_timeout": "700ms", "total_timeout": "10s"},
         "connectors": {"all": {"operations": operations}}}
    if way:
        x["proxy"] = way
    x.update(more)
    return x


def go(peer, proxy, is_tls, method="GET", operation=None, n=1, env=None, system_more=None, path="/record/a", has_credentials=True, **step):
    d = s.directory()
    op = dict({"method_name": method, "query_path": path}, **(operation or {}))
    systems = {"peer": system(peer, proxy, is_tls, [op], has_credentials, **(system_more or {}))}
    mapping = {} if method == "GET" else {"n": "=item.data.id"}
    f = s.write_component(os.path.join(d, "c.json"), s.component("t", systems, [s.INPUT, s.call_step(method, path, mapping, **step), s.RESPOND]))
    i = s.write(os.path.join(d, "in.ndjson"), "".join('{"id":%d}\n' % k for k in range(n)))
    r = s.run(["run", f, "--items", i, "--env", "test"], data=os.path.join(d, "data"), env=dict(SECRETS, **(env or {})))
    return r, os.path.join(d, "data")


def names(headers):
    return {h[0].lower() for h in headers}


def fields(headers):
    return {h[0].lower(): h[1] for h in headers}


def holds(where, texts):
    """Files under a directory that hold one of the texts."""
    found = []
    for d, _, files in os.walk(where):
        for name in files:
            with open(os.path.join(d, name), "rb") as f:
                data = f.read()
            found += ["%s: %s" % (name, t) for t in texts if t.encode() in data]
    return found


# ---- it works, and who sees what ----

def through(c):
    files = certificate()
    for is_tls in (False, True):
        kind = "https" if is_tls else "http"
        peer, proxy = s.Peer(*(("--tls", *files) if is_tls else ())), s.Proxy("--user", "weir:" + WORD)
        for method in ("GET", "POST"):
            r, data = go(peer, proxy.url, is_tls, method, n=100)
            c.that(r.code == 0 and len(r.lines()) == 100, "%s by proxy: 100 times %s" % (kind, method), r)
            c.equal(holds(data, [WORD, PAIR, "0rigin-CANARY"]), [], "%s by proxy, %s: no secret is stored" % (kind, method))
        seen, told = peer.requests(), proxy.requests()
        c.equal(len(seen), 200, "%s: the origin saw each call once" % kind)
        c.that(all(x["is_authorized"] for x in told), "%s: the proxy was always told who we are" % kind, told[:1])
        c.that(not any("proxy-authorization" in names(x["headers"]) for x in seen), "%s: the origin never was" % kind, seen[:1])
        c.that(all(fields(x["headers"]).get("authorization") == "Bearer 0rigin-CANARY" for x in seen), "%s: the origin got its own credential" % kind)
        if is_tls:
            c.equal({x["method"] for x in told}, {"CONNECT"}, "https: tunnels alone")
            r, _ = go(peer, proxy.url, is_tls, n=20, in_flight=1)
            c.equal((r.code, len(proxy.requests()) - len(told)), (0, 1), "https: one tunnel carries one call after the other")
            leaked = [x for x in told if names(x["headers"]) - {"host", "proxy-authorization", "proxy-connection", "user-agent"}]
            c.that(not leaked and "record" not in json.dumps(told), "https: the proxy learns host and port, nothing more", leaked[:1])
        else:
            c.that(all(x["target"].startswith("http://127.0.0.1:") for x in told), "http: in absolute form", told[:1])
        peer.close()
        proxy.close()


def certificates_count(c):
    peer, proxy = s.Peer("--tls", *certificate()), s.Proxy()
    r, _ = go(peer, proxy.url, True, system_more={"tls": {}}, on_error="keep", attempts=2)
    c.that("tls_cert" in r.text and not peer.requests(), "a certificate that nobody vouches for is refused behind a proxy, too", r)
    c.equal(len(proxy.requests()), 1, "and not asked for again")
    peer.close()
    proxy.close()


def only_where_it_is_set(c):
    """The environment names a trap as proxy, and everything as an exception."""
    peer, proxy, trap = s.Peer(), s.Proxy(), s.Proxy()
    env = {k: trap.url for k in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
    env["no_proxy"] = ""
    r, _ = go(peer, None, False, env=env)
    c.that(r.code == 0 and not trap.requests(), "http_proxy and its kin are not heeded", r)
    r, _ = go(peer, proxy.url, False, env=dict(env, no_proxy="*", NO_PROXY="*"))
    c.that(r.code == 0 and len(proxy.requests()) == 1 and not trap.requests(), "nor is no_proxy, where a proxy is set", r)
    r, _ = go(peer, {"test": None, "live": proxy.url}, False, env=env)
    c.that(r.code == 0 and len(proxy.requests()) == 1, "null for an environment: straight", r)
    peer.forget()
    d = s.directory()
    op = [{"method_name": "GET", "query_path": "/record/a"}]
    systems = {"peer": system(peer, proxy.url, False, op), "other": system(peer, None, False, op)}
    steps = [s.INPUT, s.call_step("GET", "/record/a", {}), dict(s.call_step("GET", "/record/b", {}), name="second", system="other"), s.RESPOND]
    f = s.write_component(os.path.join(d, "c.json"), s.component("t", systems, steps))
    i = s.write(os.path.join(d, "in.ndjson"), "".join('{"id":%d}\n' % k for k in range(20)))
    r = s.run(["run", f, "--items", i, "--env", "test"], data=os.path.join(d, "data"), env=SECRETS)
    told = [x["target"] for x in proxy.requests()]
    c.that(r.code == 0 and sum("record/b" in t for t in told) == 0 and sum("record/a" in t for t in told) == 21, "another system goes straight", r)
    c.that(len(peer.requests()) == 40 and "proxy-" not in json.dumps(peer.requests()).lower(), "and nobody but the proxy hears of it")
    for x in (peer, proxy, trap):
        x.close()


class Redirector:
    """302 to wherever `to` says."""

    def __init__(self, to):
        me = self
        self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                me.seen.append(dict(self.headers))
                self.send_response(302)
                self.send_header("Location", to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def redirects(c):
    peer, proxy = s.Peer(), s.Proxy("--user", "weir:" + WORD)
    there = Redirector(peer.url + "/record/b")
    r, _ = go(there, proxy.url, False)
    c.that(r.code == 0 and len(peer.requests()) == 1, "a redirect to another host is followed, by the same proxy", r)
    c.equal([x["target"].partition("/record")[2] for x in proxy.requests()], ["/a", "/b"], "which saw both hops")
    c.that(not {"proxy-authorization", "authorization"} & names(peer.requests()[0]["headers"]), "neither the proxy's nor the first host's credential got there",
           peer.requests())
    c.that(not any(k.lower() == "proxy-authorization" for x in there.seen for k in x), "nor the proxy's to the first host", there.seen)
    there.server.shutdown()
    peer.close()
    proxy.close()


# ---- faults ----

def rows(c):
    files = certificate()
    for row in FAULTS:
        peer = s.Peer("--tls", *files)
        for method, operation, column in METHODS:
            what = "%s, %s%s" % (row["fault"], method, " with key" if operation else "")
            peer.forget()
            proxy = s.Proxy("--fault", row["name"], "--times", "1")
            r, _ = go(peer, proxy.url, True, method, operation, attempts=2, on_error="keep")
            c.equal((len(peer.requests()), len(proxy.requests())), (row[column], row["tries"] if row[column] else 1), "%s: tried as it should be" % what)
            if row[column]:
                c.that(r.code == 0 and row["error"] not in r.text, "%s: and then it is done" % what, r)
            proxy.close()
            proxy = s.Proxy("--fault", row["name"])
            r, _ = go(peer, proxy.url, True, method, operation, attempts=1, on_error="keep")
            error = (r.lines() or [{}])[0].get("_error", {})
            c.equal((error.get("type"), error.get("status")), (row["error"], int(row["name"]) if row["name"].isdigit() else None), "%s: its error" % what)
            c.that(r.peak < 100 << 20 and "unknown" not in r.talk, "%s: memory stays small, and nobody wonders whether it was done" % what, r)
            proxy.close()
        peer.close()


def plain_http(c):
    peer = s.Peer()
    for method, operation, column in METHODS:
        what = "http, 407, %s%s" % (method, " with key" if operation else "")
        proxy = s.Proxy("--user", "weir:another")
        r, data = go(peer, proxy.url, False, method, operation, attempts=3, on_error="keep")
        error = (r.lines() or [{}])[0].get("_error", {})
        c.equal((error.get("type"), error.get("status"), len(proxy.requests())), ("proxy_error", 407, 1), "%s: proxy_error, asked once" % what)
        c.equal((len(peer.requests()), holds(data, [WORD, PAIR])), (0, []), "%s: the origin saw nothing, and no secret is stored" % what)
        proxy.close()
    dead = s.free_port()
    for url in ("http://127.0.0.1:%d" % dead, "http://proxy.invalid:3128"):
        for is_tls in (False, True):
            r, _ = go(peer, url, is_tls, "POST", attempts=1, on_error="keep")
            c.that('"proxy_error"' in r.text and not peer.requests(), "a proxy that is not there, %s, %s" % (url.split(":")[1], "https" if is_tls else "http"), r)
    peer.close()


# ---- what people see ----

def weir_call(c):
    peer, proxy = s.Peer(), s.Proxy("--user", "weir:" + WORD)
    d = s.directory()
    op = [{"method_name": "GET", "query_path": "/echo"}]
    f = s.write_component(os.path.join(d, "c.json"), s.component("t", {"peer": system(peer, proxy.url, False, op)}, [s.INPUT, s.RESPOND]))
    args = ["call", "-v", "-f", f, "--env", "test", "peer/all", "GET", "/echo"]
    r = s.run(args, data=os.path.join(d, "data"), env=SECRETS)
    c.that(r.code == 0 and "by way of the proxy " + proxy.url in r.talk, "weir call goes by the proxy, and says so with -v", r)
    c.that(not any(x in r.text + r.talk for x in (WORD, PAIR, "0rigin-CANARY")), "and shows no secret", r)
    r = s.run(args, data=os.path.join(d, "data"), env=dict(SECRETS, WEIR_SECRET_PROXY="wr0ng-CANARY"))
    c.that(r.code not in (0, 7) and "407" in r.talk and "wr0ng" not in r.text + r.talk, "wrong credentials: said, and not shown", r)
    r = s.run(args, data=os.path.join(d, "data"), env={"WEIR_SECRET_TOKEN": "x"})
    c.that(r.code != 0 and "WEIR_SECRET_PROXY" in r.talk, "a password that is not set: named", r)
    peer.close()
    proxy.close()


def check(c):
    d = s.directory()
    f = os.path.join(d, "c.yaml")
    text = "weir: 1\ncomponent: t\nsystems:\n  peer:\n    base_url: https://h.example\n    proxy: { url: \"%s\" }\n    connectors: { all: {} }\ndataflows: {}\n"
    for url, told in (("socks5://p:1080", "SOCKS"), ("http://u:secret@p:3128", "username"), ("http://p", "port")):
        s.write(f, text % url)
        r = s.run(["check", f])
        c.that(r.code != 0 and told in r.text + r.talk and ":6:" in r.text + r.talk, "weir check: %s is told with its place" % url.split(":")[0], r)


# ---- one by somebody else ----

def tinyproxy(c):
    program = shutil.which("tinyproxy") or ("/usr/sbin/tinyproxy" if os.path.exists("/usr/sbin/tinyproxy") else None)
    if not program:
        c.skip("tinyproxy is not here")
        return
    word = "t1ny-CANARY"  # its configuration file takes no blanks and no colons
    for is_tls in (False, True):
        peer, port, d = s.Peer(*(("--tls", *certificate()) if is_tls else ())), s.free_port(), s.directory()
        config = s.write(os.path.join(d, "tinyproxy.conf"), "Port %d\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\nBasicAuth weir %s\n"
                         "ConnectPort %d\nDisableViaHeader Yes\nLogLevel Error\n" % (port, word, peer.port))
        process = s.start([program, "-d", "-c", config], stdout=subprocess.DEVNULL)
        s.wait_port(port, process)
        kind, way = "https" if is_tls else "http", "http://127.0.0.1:%d" % port
        for method in ("GET", "POST"):
            peer.forget()
            r, _ = go(peer, way, is_tls, method, n=100, env={"WEIR_SECRET_PROXY": word}, operation={"idempotency_key": method == "POST"})
            c.that(r.code == 0 and len(r.lines()) == 100, "tinyproxy, %s: 100 times %s" % (kind, method), r)
            c.equal(len({x["body"] or x["n"] for x in peer.requests()}), 100, "tinyproxy, %s, %s: all of them arrived" % (kind, method))
            c.that(not any("proxy-authorization" in names(x["headers"]) for x in peer.requests()), "tinyproxy, %s, %s: no credential of its" % (kind, method))
        r, _ = go(peer, way, is_tls, on_error="keep", env={"WEIR_SECRET_PROXY": "another"})
        error = (r.lines() or [{}])[0].get("_error", {})
        # tinyproxy says 401 where 407 is due: for http that cannot be told from the origin's own.
        c.equal((error.get("type"), error.get("status")), ("proxy_error" if is_tls else "http_status", 401), "tinyproxy, %s: wrong credentials" % kind)
        s.stop(process)
        peer.close()


if __name__ == "__main__":
    s.main(through, certificates_count, only_where_it_is_set, redirects, rows, plain_http, weir_call, check, tinyproxy)
