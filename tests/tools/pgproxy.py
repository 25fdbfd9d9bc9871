# SPDX-License-Identifier: Apache-2.0
"""Between a program and PostgreSQL, over sockets in a directory: it knows the protocol well enough to lose one message.

    with PgProxy(server_directory) as p: ... p.url, p.lose("answer" | "commit", n) ...

    answer   the server has committed, its answer is swallowed, both connections end
    commit   the COMMIT is swallowed on its way to the server, both connections end
"""
import os
import shutil
import socket
import struct
import tempfile
import threading


class PgProxy:
    def __init__(self, server_dir):
        self.target = os.path.join(server_dir, ".s.PGSQL.5432")
        self.dir = tempfile.mkdtemp(prefix="weir-pgproxy-")
        self.lock = threading.Lock()
        self.plan, self.lost = [], 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.dir, ".s.PGSQL.5432"))
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, schema):
        return "postgresql://postgres@/postgres?host=%s&options=-csearch_path%%3D%s" % (self.dir, schema)

    def lose(self, what, *every):
        """The next commits, counted from now: each number of `every` is how many go well before one is lost so."""
        with self.lock:
            self.plan = [[what, n] for n in every]

    def _due(self, what):
        """A commit has come to the point where `what` would be lost: is it this one?"""
        with self.lock:
            if not self.plan or self.plan[0][0] != what:
                return False
            self.plan[0][1] -= 1
            if self.plan[0][1] >= 0:
                return False
            self.plan.pop(0)
            self.lost += 1
            return True

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=self._to_client, args=(client, server), daemon=True).start()

    @staticmethod
    def _end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def _pump(self, source, sink, judge, starts_bare):
        """Message after message; `judge` says whether one is to be lost."""
        data, bare = b"", starts_bare
        try:
            while True:
                more = source.recv(65536)
                if not more:
                    break
                data += more
                while True:
                    head = 0 if bare else 1
                    if len(data) < head + 4:
                        break
                    n = head + struct.unpack(">I", data[head:head + 4])[0]
                    if len(data) < n:
                        break
                    message, data, bare = data[:n], data[n:], False
                    if not starts_bare or n > 8:
                        if head and judge(message):
                            return
                    sink.sendall(message)
        except OSError:
            pass
        finally:
            self._end(source, sink)

    def _to_server(self, client, server):
        names = set()

        def judge(m):
            if m[:1] == b"P":
                name, query = m[5:].split(b"\0", 2)[:2]
                if query == b"COMMIT" and name:
                    names.add(name)
            return m[:1] == b"B" and m[5:].split(b"\0", 2)[1] in names and self._due("commit")
        self._pump(client, server, judge, True)

    def _to_client(self, client, server):
        self._pump(server, client, lambda m: m[:1] == b"C" and m[5:] == b"COMMIT\0" and self._due("answer"), False)

    def close(self):
        self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()
