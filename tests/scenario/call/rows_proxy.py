# SPDX-License-Identifier: Apache-2.0
"""Row 10: what a proxy does instead of opening a way. Nothing has reached the server, so every call may be made again; tests/scenario/proxy has the
rest (credentials, tunnels that are kept, faults that pass)."""
import support as s
from matrix import CALLS, ONCE, RETRY, Outcome, expect, not_sent


def refuses(row, bench, claims):
    for call in CALLS:
        proxy = s.Proxy("--fault", row.name)
        port = s.free_port()  # nobody is there, and nobody is asked
        r, data = bench.call(call, "/x", base="https://127.0.0.1:%d" % port, system={"proxy": {"url": proxy.url}, "tls": {"no_verify": True}},
                             limits={"connect_timeout": "1s"} if row.name == "silence" else None)
        expect(row, call, Outcome(r, data, []), claims, requests=len(proxy.requests()))
        proxy.close()


FAULTS = [("407", "407: the proxy wants other credentials", ONCE), ("403", "403", RETRY), ("503", "503", RETRY), ("close", "closed without a byte", RETRY),
          ("reset", "reset", RETRY), ("cut", "cut in the status line", RETRY), ("half-head", "cut in a field", RETRY), ("garbage", "no HTTP", RETRY),
          ("huge-head", "a head without end", RETRY), ("silence", "no answer within the connect timeout", RETRY)]
ROWS = [not_sent("10", name, "proxy, CONNECT: " + fault, "proxy_error", refuses, verdict=verdict) for name, fault, verdict in FAULTS]
