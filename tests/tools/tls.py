# SPDX-License-Identifier: Apache-2.0
"""Certificates made on the spot by the openssl program: an authority of the tests' own, and what it signs, good and bad."""
import atexit
import os
import shutil
import subprocess
import tempfile
import threading

BEGAN_AT, EXPIRED_AT = "20190101000000Z", "20200101000000Z"


def possible():
    return shutil.which("openssl") is not None


def openssl(*args):
    r = subprocess.run(["openssl", *args], capture_output=True, text=True)
    if r.returncode:
        raise RuntimeError("openssl %s: %s" % (args[0], r.stderr.strip()))


class Authority:
    """Signs in a directory of its own; `ca` is its certificate."""
    _lock, _shared = threading.Lock(), None

    def __init__(self, name="tests"):
        self.dir = tempfile.mkdtemp(prefix="weir-ca-")
        atexit.register(shutil.rmtree, self.dir, ignore_errors=True)
        self.ca, self.key, self.made = self.path("ca.pem"), self.path("ca.key"), 0
        openssl("req", "-x509", *self.new_key(), "-keyout", self.key, "-out", self.ca, "-days", "2", "-subj", "/CN=authority of the %s" % name)

    @classmethod
    def for_tests(cls):
        """The one of this process: keys take a moment each."""
        with cls._lock:
            cls._shared = cls._shared or cls()
            return cls._shared

    @staticmethod
    def new_key():
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"

    def path(self, name):
        return os.path.join(self.dir, name)

    def server(self, host, is_expired=False):
        """(certificate, key) for an address or a name, signed by this authority."""
        with self._lock:
            self.made += 1
            n = self.made
            cert, key, request = (self.path("%d.%s" % (n, end)) for end in ("pem", "key", "csr"))
            names = ("IP:" if host.replace(".", "").isdigit() else "DNS:") + host
            openssl("req", *self.new_key(), "-keyout", key, "-out", request, "-subj", "/CN=%s" % host)
            # `openssl ca` alone takes dates of the past
            conf = self.path("%d.cnf" % n)
            with open(conf, "w") as f:
                f.write("[ca]\ndefault_ca=x\n[x]\ndatabase=%s\nrand_serial=yes\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\nemail_in_dn=no\n"
                        "x509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=%s\n" % (self.path("%d.db" % n), self.dir, names))
            open(self.path("%d.db" % n), "w").close()
            dates = ["-startdate", BEGAN_AT, "-enddate", EXPIRED_AT] if is_expired else ["-days", "2"]
            openssl("ca", "-batch", "-notext", "-config", conf, "-cert", self.ca, "-keyfile", self.key, "-in", request, "-out", cert, *dates)
            return cert, key

    def self_signed(self, host):
        with self._lock:
            self.made += 1
            cert, key = self.path("%d.pem" % self.made), self.path("%d.key" % self.made)
            openssl("req", "-x509", *self.new_key(), "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=%s" % host,
                    "-addext", "subjectAltName=%s%s" % ("IP:" if host.replace(".", "").isdigit() else "DNS:", host))
            return cert, key
