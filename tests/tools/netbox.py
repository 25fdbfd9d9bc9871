#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""netbox.py: runs a command where the network is a loopback of its own and names are what we say.

    unshare -rmn python3 netbox.py --names JSON [--peer LOG] -- COMMAND...

Names are { "here.test": ["127.0.0.1"], "fails.test": "SERVFAIL", "silent.test": "silence" }; all others do not exist (NXDOMAIN). A server for them
listens on 127.0.0.1:53 of the new network, and resolv.conf and nsswitch.conf lead there for this mount namespace alone. --peer starts peer.py on
127.0.0.1:8000 in there, with that log. Ends with the command, with its exit code. possible() says whether this machine lets us.
"""
import argparse
import fcntl
import functools
import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
PEER_PORT = 8000
UNSHARE = ["unshare", "-rmn", sys.executable, os.path.abspath(__file__)]
RESOLVER = "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n"  # silence outlasts every timeout of a test
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
A, AAAA, SERVFAIL, NXDOMAIN = 1, 28, 2, 3


@functools.lru_cache(maxsize=None)
def possible():
    """Namespaces without being root, and a loopback to bring up: some machines forbid it."""
    try:
        return subprocess.run([*UNSHARE, "--names", "{}", "--", "true"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def inside(names, log=None):
    """What to put before a command."""
    return [*UNSHARE, "--names", json.dumps(names), *(["--peer", log] if log else []), "--"]


def name_of(question):
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
        at += 1 + question[at]
    return ".".join(labels).lower(), question[12:at + 5], struct.unpack("!H", question[at + 1:at + 3])[0]


def reply(question, names):
    """RFC 1035 4.1, as much of it as a stub resolver looks at. None: silence."""
    name, asked, kind = name_of(question)
    told = names.get(name, NXDOMAIN)
    if told == "silence":
        return None
    code = {"SERVFAIL": SERVFAIL}.get(told, told) if not isinstance(told, list) else 0
    addresses = [ipaddress.ip_address(x) for x in told] if isinstance(told, list) else []
    found = [x for x in addresses if (kind, x.version) in ((A, 4), (AAAA, 6))]
    out = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0) + asked
    for x in found:
        out += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(x.packed)) + x.packed
    return out


def serve(sock, names):
    while True:
        question, sender = sock.recvfrom(1500)
        answer = reply(question, names)
        if answer:
            sock.sendto(answer, sender)


def bring_up_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def bind_over(path, text):
    with tempfile.NamedTemporaryFile("w", prefix="weir-box-") as f:
        f.write(text)
        f.flush()
        subprocess.run(["mount", "--bind", f.name, path], check=True)  # the mount keeps the file when its name is gone


def start_peer(log):
    p = subprocess.Popen([sys.executable, os.path.join(HERE, "peer.py"), "--port", str(PEER_PORT), "--log", log], stdout=subprocess.PIPE)
    p.stdout.readline()
    return p


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--names", type=json.loads, default={})
    p.add_argument("--peer", metavar="LOG")
    p.add_argument("command", nargs="+")
    options = p.parse_args()
    bring_up_loopback()
    bind_over("/etc/resolv.conf", RESOLVER)
    bind_over("/etc/nsswitch.conf", "hosts: files dns\n")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))
    threading.Thread(target=serve, args=(sock, options.names), daemon=True).start()
    peer = start_peer(options.peer) if options.peer else None
    code = subprocess.run(options.command).returncode
    if peer:
        peer.terminate()
        peer.wait(10)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
