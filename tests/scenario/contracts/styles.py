# SPDX-License-Identifier: Apache-2.0
"""An OpenAPI document of our own with every style that Weir writes: each parameter allows one value alone, so that what prism reads must be what was mapped.
Beside it, the same calls with another value, which prism must refuse: a server that accepts anything would prove nothing."""
import os

import calls
import contracts
import openapi
import samples
import servers
import support as s

TEXT, WRONG = "Zoë+1&=/?#%41", "another"
ITEMS = ["é&=+", "x;y/z", "100%"]
MEMBERS = {"r": "a+b", "g": "é&?"}  # prism folds names of members to lower case, and cuts values at "="


def exactly(v):
    if isinstance(v, dict):
        return {"type": "object", "properties": {k: exactly(x) for k, x in v.items()}, "required": list(v), "additionalProperties": False}
    if isinstance(v, list):
        return {"type": "array", "items": {"type": "string", "enum": v}, "minItems": len(v), "maxItems": len(v), "uniqueItems": True}
    return {"type": "integer" if isinstance(v, int) else "string", "enum": [v]}


def wrong(v):
    """A value of the same shape that the schema does not allow; of lists and objects one text of it."""
    if isinstance(v, dict):
        return {k: wrong(x) if i == 0 else x for i, (k, x) in enumerate(v.items())}
    if isinstance(v, list):
        return [WRONG, *v[1:]]
    return v + 1 if isinstance(v, int) else WRONG


class Case:
    def __init__(self, name, value, parameter=None, body=None, excuse=None):
        self.name, self.value, self.parameter, self.body, self.excuse = name, value, parameter, body, excuse


def ascii_only(v):
    return {k: ascii_only(x) for k, x in v.items()} if isinstance(v, dict) else [ascii_only(x) for x in v] if isinstance(v, list) else v.replace("é", "e").replace("ë", "e")


FELL_OVER = "prism falls over lists and objects in a path whose items stand between commas"
SPACES = "prism looks for %20 between the items of style spaceDelimited, after it has decoded them to spaces"
LABEL_OBJECT = "prism splits an exploded object of style label at commas, OpenAPI at dots"
# (style, explode, kind) that prism cannot read; the exploded list of style simple is the same bytes as the other one.
PATH_EXCUSES = {("simple", False, "list"): FELL_OVER, ("simple", True, "object"): FELL_OVER, ("label", False, "list"): FELL_OVER, ("matrix", False, "object"): FELL_OVER, ("matrix", True, "list"): FELL_OVER,
                ("label", True, "object"): LABEL_OBJECT}
PATH_SAME = {("simple", True, "list"), ("simple", False, "object"), ("label", False, "object"), ("matrix", False, "list")}  # fall over as their like does


def cases():
    kinds = (("text", TEXT), ("list", ITEMS), ("object", MEMBERS))
    for style in ("simple", "label", "matrix"):
        for explode in (False, True):
            for kind, v in kinds:
                if (style, explode, kind) not in PATH_SAME:
                    excuse = PATH_EXCUSES.get((style, explode, kind))
                    yield Case("path %s%s %s" % (style, " exploded" if explode else "", kind), v, {"in": "path", "style": style, "explode": explode}, excuse=excuse)
    for explode in (False, True):
        for kind, v in kinds:
            yield Case("query form%s %s" % (" exploded" if explode else "", kind), v, {"in": "query", "style": "form", "explode": explode})
    for style in ("spaceDelimited", "pipeDelimited"):
        yield Case("query %s list" % style, ITEMS, {"in": "query", "style": style, "explode": False}, excuse=SPACES if style == "spaceDelimited" else None)
    yield Case("query deepObject", MEMBERS, {"in": "query", "style": "deepObject", "explode": True})
    yield Case("query deepObject deeper", {"a": {"b": TEXT}, "c": "d"}, {"in": "query", "style": "deepObject", "explode": True})
    yield Case("query allowReserved", "a/b?c:d@e", {"in": "query", "allowReserved": True})
    yield Case("query number", 7, {"in": "query"})
    for explode in (False, True):
        for kind, v in kinds:
            v = "a;b/c" if kind == "text" else ascii_only(v)  # prism reads headers as Latin-1 and leaves their values as they are
            yield Case("header simple%s %s" % (" exploded" if explode else "", kind), ascii_only(v), {"in": "header", "style": "simple", "explode": explode})
    yield Case("JSON body", {"text": TEXT, "list": ITEMS, "n": 7, "deep": {"a": "\u2028\n\"\\"}}, body=openapi.JSON)
    yield Case("form body", {"text": TEXT, "n": "a + b"}, body=openapi.FORM)
    yield Case("multipart body", {"text": "Zoë & Co=+", "line": "a\r\nb"}, body=openapi.MULTIPART)  # not TEXT: prism decodes %41 in parts, too


def document(all_cases):
    paths = {}
    for i, case in enumerate(all_cases):
        op = {"responses": {"200": {"description": "fine", "content": {"application/json": {"schema": {"type": "object"}, "example": {}}}}}}
        path = "/case%d" % i
        if case.body:
            op["requestBody"] = {"required": True, "content": {case.body: {"schema": exactly(case.value)}}}
        else:
            path += "/{v}/end" if case.parameter["in"] == "path" else ""
            op["parameters"] = [dict(case.parameter, name="v", required=True, schema=exactly(case.value))]
        paths[path] = {"post" if case.body else "get": op}
    return {"openapi": "3.0.3", "info": {"title": "styles", "version": "1"}, "paths": paths}


def ask(operation, value, sampler, served):
    call = calls.calls_of(operation, sampler, served.server.url)[0]
    call.mapping["body" if operation.bodies else next(iter(call.mapping))] = value
    return served.ask_alone(call)


def prism_reads_what_was_mapped(c):
    reason = servers.missing("@stoplight/prism-cli")
    if reason:
        return c.skip("prism: %s" % reason)
    all_cases = list(cases())
    file = s.write_component(os.path.join(s.directory(), "styles.json"), document(all_cases))
    served = contracts.Served(file)
    try:
        if not served.server.wait():
            raise RuntimeError("prism: %s" % served.server.words())
        read = openapi.Document(file)
        sampler = samples.Sampler(read)
        for case, operation in zip(all_cases, read.operations()[0]):
            judge(c, case, operation, sampler, served)
    finally:
        served.server.close()


def judge(c, case, operation, sampler, served):
    right = ask(operation, case.value, sampler, served)
    if case.excuse:
        said = right.violations or (right.other or "").startswith("prism fell over")
        c.that(said and not right.refusal, "%s: excused, since %s" % (case.name, case.excuse), "the excuse no longer applies: %s" % (right.refusal or right.other))
        return
    detail = "\n".join([str(right.refusal), str(right.violations), str(right.other), right.request])
    if c.that(not right.refusal and not right.violations and not right.other, "%s: prism reads the value that was mapped" % case.name, detail):
        other = ask(operation, wrong(case.value), sampler, served)
        c.that(other.violations, "%s: and tells another from it" % case.name, "%s\n%s\n%s" % (other.refusal, other.other, other.request))
