#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of its own for one test: a new cluster in a temporary directory, over a socket there and no port, gone at the end.

    postgres.py [--env NAME] COMMAND...     runs COMMAND with NAME (WEIR_TEST_POSTGRES) set to a URL, exits as it does

As a module: with Server() as pg: pg.url("schema") ... pg.restart(), pg.stop(), pg.start(), pg.sql("...").
"""
import glob
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

USER = "postgres"


def programs():
    """The directory of the newest server's programs; None = there is none."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    if found:
        return os.path.dirname(found[-1])
    initdb = shutil.which("initdb")
    return os.path.dirname(initdb) if initdb else None


class Server:
    def __init__(self, settings=()):
        self.bin = programs()
        if not self.bin:
            raise RuntimeError("there is no PostgreSQL server (Debian: postgresql)")
        self.dir = tempfile.mkdtemp(prefix="weir-pg-")
        # the server refuses to be root; its package brings a user
        self.owner = pwd.getpwnam(USER) if os.getuid() == 0 else None
        if self.owner:
            os.chown(self.dir, self.owner.pw_uid, self.owner.pw_gid)
        os.chmod(self.dir, 0o755)
        self.data = os.path.join(self.dir, "data")
        self.settings = ["listen_addresses=", "unix_socket_directories=" + self.dir, "unix_socket_permissions=0777", "max_connections=50",
                         "shared_buffers=32MB", "log_min_messages=warning", "logging_collector=off"] + list(settings)
        self.process = None
        # durable as users' are; only the files of the cluster itself need not survive the machine
        self.run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        self.start()

    def as_owner(self):
        owner = self.owner
        return (lambda: (os.setgid(owner.pw_gid), os.setuid(owner.pw_uid))) if owner else None

    def run(self, program, *args):
        done = subprocess.run([os.path.join(self.bin, program), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=self.as_owner(),
                              cwd="/", env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        if done.returncode:
            raise RuntimeError("%s failed: %s" % (program, done.stdout.decode(errors="replace")))

    def start(self):
        args = ["-D", self.data, "-w", "-t", "60", "-l", os.path.join(self.dir, "log"), "-o", " ".join("-c '%s'" % s for s in self.settings)]
        self.run("pg_ctl", "start", *args)
        with open(os.path.join(self.data, "postmaster.pid")) as f:
            self.pid = int(f.readline())

    def stop(self, mode="fast"):
        """mode "immediate" is what kill -9 of all its processes would be."""
        self.run("pg_ctl", "stop", "-D", self.data, "-w", "-m", mode)

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def url(self, schema=None):
        q = {"host": self.dir}
        if schema:
            q["options"] = "-csearch_path=" + schema
        return "postgresql://%s@/%s?%s" % (USER, USER, urllib.parse.urlencode(q, quote_via=urllib.parse.quote))

    def sql(self, text, schema=None):
        """Rows as lists of texts."""
        psql = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", self.url(schema), "-c", text],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if psql.returncode:
            raise RuntimeError(psql.stderr.decode())
        return [line.split("\x1f") for line in psql.stdout.decode().splitlines()]

    def new_schema(self, name):
        self.sql('CREATE SCHEMA "%s"' % name)
        return self.url(name)

    def close(self):
        try:
            self.stop("immediate")
        except RuntimeError:
            pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()


def main():
    args = sys.argv[1:]
    name = "WEIR_TEST_POSTGRES"
    if args[:1] == ["--env"]:
        name, args = args[1], args[2:]
    with Server() as pg:
        return subprocess.call(args, env=dict(os.environ, **{name: pg.url()}))


if __name__ == "__main__":
    sys.exit(main())
