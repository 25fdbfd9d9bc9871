# SPDX-License-Identifier: Apache-2.0
"""Staged answers of the peer: a test says beforehand which bytes a request meets, and what becomes of the connection.

PUT /stage/NAME with JSON { "answers": [...], "by": "request" | "connection" } sets the stage; requests to /staged/NAME/... then meet
answers[0], answers[1] and so on, the last one for ever. Counted are the requests to each whole path, or ("by": "connection") those on each
connection. An answer has

  bytes   base64, written as they are
  then    keep (default), close, reset (RST instead of FIN), cut (of TLS: no close_notify), hang (say no more)
  again   base64, written again and again after `bytes` until the client leaves; `every` = milliseconds between two (0 = as fast as it goes)
  on      body (default): when the request is whole; head: as soon as its head is here, the rest of it is then not read
  plain   base64, written instead when the request accepts no content coding but identity

GET /history/NAME tells what came: { "/staged/NAME/get": [{ connection, nth (on it), method, target, headers, key, sha256, bytes }] }.
"""
import asyncio
import base64
import hashlib
import json

HISTORY_MAX = 20000  # requests remembered of one stage


class Stage:
    def __init__(self, text):
        told = json.loads(text)
        self.answers, self.by_connection = told["answers"], told.get("by") == "connection"
        self.history, self.seen = {}, {}

    def note(self, connection, request):
        path = request[1].partition("?")[0]
        method, target, headers, body = request
        fields = {k.lower(): v for k, v in headers}
        self.seen[path] = self.seen.get(path, 0) + 1
        rows = self.history.setdefault(path, [])
        if len(rows) < HISTORY_MAX:
            rows.append({"connection": connection.number, "nth": connection.nth, "method": method, "target": target, "headers": headers,
                         "key": fields.get("idempotency-key"), "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)})
        return (connection.nth if self.by_connection else self.seen[path]) - 1

    def answer(self, n):
        return self.answers[min(n, len(self.answers) - 1)]


def stage_of(peer, target):
    parts = target.partition("?")[0].split("/")
    return peer.stages.get(parts[2]) if len(parts) > 2 and parts[1] == "staged" else None


def is_early(peer, target):
    """Some answer of this stage does not wait for the request's body."""
    stage = stage_of(peer, target)
    return stage is not None and any(a.get("on") == "head" for a in stage.answers)


def play(connection, request):
    """Answer as the stage says. False: there is no such stage."""
    stage = stage_of(connection.peer, request[1])
    if stage is None:
        return False
    answer = stage.answer(stage.note(connection, request))
    accepts = [v.strip().lower() for k, v in request[2] if k.lower() == "accept-encoding"]
    data = base64.b64decode(answer["plain"] if "plain" in answer and accepts == ["identity"] else answer.get("bytes", ""))
    if data:
        connection.transport.write(data)
    if "again" in answer:
        connection.is_busy = True
        connection.task = asyncio.ensure_future(repeat(connection, base64.b64decode(answer["again"]), answer.get("every", 0) / 1000))
        return True
    end(connection, answer.get("then", "keep"))
    return True


def end(connection, then):
    if then == "close":
        connection.transport.close()
    elif then == "reset":
        connection.reset()
    elif then == "cut":
        connection.cut()
    elif then == "hang":
        connection.is_busy = True


async def repeat(connection, data, every):
    while connection.transport:
        if connection.transport.get_write_buffer_size() < 1 << 20:
            connection.transport.write(data if every else data * (1 + 65536 // len(data)))
        await asyncio.sleep(every)
