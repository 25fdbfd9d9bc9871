# SPDX-License-Identifier: Apache-2.0
"""What is tortured, and by whose answers: a component whose 20 items make three calls each, and a peer that keeps, for each run, what arrived."""
import gzip
import http.server
import json
import os
import socketserver
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import support as s  # noqa: E402

ITEMS = 20
GZIP, BUSY_ONCE, MOVED = (1, 6, 11, 16), 3, 7  # items whose GET is answered so
COMPONENT = "t"


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /RUN/get?id=N, POST /RUN/keyed and /RUN/plain: what comes is noted before it is answered."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def reply(self, status, value, **headers):
        body = json.dumps(value).encode()
        if headers.get("Content_Encoding") == "gzip":
            body = gzip.compress(body, mtime=0)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def note(self, what, item):
        """Returns how often this item came this way before."""
        with self.server.lock:
            seen = self.server.seen.setdefault(self.path.split("/")[1], [])
            before = sum(x[:2] == (what, item) for x in seen)
            seen.append((what, item, self.headers.get("Idempotency-Key")))
        return before

    def do_GET(self):
        path, _, query = self.path.partition("?")
        what, item = path.split("/")[2], int(urllib.parse.parse_qs(query)["id"][0])
        before = self.note(what, item)
        answer = {"got": 1000 + item, "how": what}
        if what == "get" and item == BUSY_ONCE and before == 0:
            self.reply(503, {"busy": True})
        elif what == "get" and item == MOVED:
            self.reply(302, {}, Location="/%s/moved?id=%d" % (self.path.split("/")[1], item))
        elif item in GZIP:
            self.reply(200, answer, Content_Encoding="gzip")
        else:
            self.reply(200, answer)

    def do_POST(self):
        item = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]
        what = self.path.split("/")[2]
        self.note(what, item)
        self.reply(201, {"got": (2000 if what == "keyed" else 3000) + item})


class Peer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.seen = threading.Lock(), {}
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a tortured client leaves at any point

    def arrived(self, run):
        with self.lock:
            return list(self.seen.get(run, []))

    def forget(self, run):
        with self.lock:
            self.seen.pop(run, None)


def call(name, method):
    return {"name": name, "kind": "execute_api_call", "system": "peer", "connector": "all", "query_path": "/" + name, "method_name": method,
            "parameters_mapping": {"id": "=item.data.id"}, "result": "body", "result_store_field": "_" + name}


def component(port, run, has_script):
    """YAML by way of JSON's members: what people write goes through the YAML reader."""
    operations = [{"method_name": "GET", "query_path": "/get", "parameters": [{"name": "id", "in": "query", "required": True}]},
                  {"method_name": "POST", "query_path": "/keyed", "idempotency_key": True},
                  {"method_name": "POST", "query_path": "/plain"}]
    system = {"base_url": {"test": "http://127.0.0.1:%d/%s" % (port, run)}, "connectors": {"all": {"operations": operations}}}
    script = [{"name": "prepare", "kind": "execute_script", "script": "item._twice = item.data.id * 2"}] if has_script else []
    save = {"name": "save", "kind": "update_entry", "mode": "create", "result_store_field": "_entry",
            "fields_mapping": {"id": "=item.data.id", "got": "=item._get.got"}}
    model = [{"name": "id", "type": "integer", "primary_key": True}, {"name": "got", "type": "integer"}]
    steps = [s.INPUT, *script, call("get", "GET"), call("keyed", "POST"), call("plain", "POST"), save, s.RESPOND]
    return "# tortured\n" + yaml(s.component(COMPONENT, {"peer": system}, steps, model))


def yaml(value, indent=0):
    """Block style for the outer levels, so that it is YAML that is read, with JSON as the leaves."""
    if not isinstance(value, dict) or indent > 4:
        return json.dumps(value)
    lines = []
    for k, v in value.items():
        deeper = isinstance(v, dict) and indent <= 2
        lines.append("%s%s:%s%s" % ("  " * indent, k, "\n" if deeper else " ", yaml(v, indent + 1) if deeper else json.dumps(v)))
    return "\n".join(lines) + ("\n" if indent == 0 else "")


def items_text(ids):
    return "".join('{"id":%d}\n' % k for k in ids)


def right_item(item, has_script):
    """What an item that is done looks like, but for its entry's number."""
    n = item["data"]["id"]
    how = "moved" if n == MOVED else "get"
    right = {"data": {"id": n}, "_get": {"got": 1000 + n, "how": how}, "_keyed": {"got": 2000 + n}, "_plain": {"got": 3000 + n}}
    if has_script:
        right["_twice"] = 2 * n
    return {k: v for k, v in item.items() if k != "_entry"} == right and isinstance(item.get("_entry"), int)
