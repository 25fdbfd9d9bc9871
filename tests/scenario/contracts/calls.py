# SPDX-License-Identifier: Apache-2.0
"""An operation of an OpenAPI document as Weir takes it: a component file, and a complete mapping as `weir call` is given it."""
import json

import openapi
import samples

SECRET = "s3cret/token+value="
PARAMETER_MEMBERS = ("name", "in", "required", "style", "explode", "allowReserved", "allowEmptyValue", "deprecated", "description", "content")
ANY_ANSWER = [{"when": {"status": "100-599"}, "then": "ok"}]  # what the call is answered is prism's affair; the claim is about the request


class Call:
    """One call of one operation: a call for each content type that its body may have."""

    def __init__(self, operation, content_type, component, mapping):
        self.operation, self.content_type, self.component, self.mapping = operation, content_type, component, mapping

    def __str__(self):
        return "%s%s" % (self.operation, " (%s)" % self.content_type if self.content_type else "")

    def words(self, file):
        rows = ["%s:=%s" % (name, json.dumps(v, ensure_ascii=False, separators=(",", ":"))) for name, v in self.mapping.items()]
        return ["call", "-f", file, "peer/all", self.operation.method.upper(), self.operation.path, *rows, "--result", "response", "-v"]


def auth_of(schemes):
    """The system's auth for the first scheme, and rows for others: a system has one credential."""
    if not schemes:
        return None, {}
    first, rows = schemes[0], {}
    auth = {"basic": {"kind": "basic", "username": "zoe", "password": {"secret": "TOKEN"}}, "bearer": {"kind": "bearer", "token": {"secret": "TOKEN"}},
            "api_key": {"kind": "api_key", "in": first.get("in"), "name": first.get("name"), "value": {"secret": "TOKEN"}}}[first["kind"]]
    for x in schemes[1:]:
        place, name = (x["in"], x["name"]) if x["kind"] == "api_key" else ("header", "Authorization")
        rows["%s.%s" % (place, name)] = {"basic": "Basic em9lOng=", "bearer": "Bearer x", "api_key": "key"}[x["kind"]]
    return auth, rows


def is_credential(p, schemes):
    """Parameters that repeat what the security scheme says already; OpenAPI says to ignore Authorization among the parameters."""
    if p["in"] == "header" and p["name"].lower() == "authorization":
        return bool(schemes)
    return any(x["kind"] == "api_key" and x["in"] == p["in"] and x["name"].lower() == p["name"].lower() for x in schemes)


def schema_of(p):
    content = p.get("content")
    return (next(iter(content.values())) or {}).get("schema") or {} if content else p.get("schema") or {}


def example_of(holder, document):
    examples = holder.get("examples")
    if "example" in holder:
        return [holder["example"]]
    if isinstance(examples, dict):
        return [x["value"] for x in (document.resolve(e) for e in examples.values()) if isinstance(x, dict) and "value" in x][:1]
    return []


def value_of(holder, schema, place, sampler):
    for v in example_of(holder, sampler.document):
        if v not in (None, "", [], {}) and sampler.is_sendable(sampler.flat(schema), v, place) and not (place == "path" and not isinstance(v, (str, int, float))):
            return v
    return sampler.value(schema, place)


def body_place(content_type):
    media = content_type.split(";")[0].strip().lower()
    if media in ("application/json", "text/json") or media.endswith("+json"):
        return "json"
    return {openapi.FORM: "form", openapi.MULTIPART: "multipart"}.get(media)


def files_in(schema, v, sampler):
    """In a multipart body what is declared as bytes is a file."""
    properties = sampler.flat(schema).get("properties") or {}
    out = {}
    for name, x in v.items():
        own = sampler.flat(properties.get(name) or {})
        is_file = own.get("format") == "binary" and isinstance(x, str) or "contentMediaType" in own and isinstance(x, str)
        out[name] = {"text": x, "name": "zoë.txt", "media_type": "text/plain"} if is_file else x
    return out


def body_of(content_type, media, sampler):
    place, schema = body_place(content_type), media.get("schema") or {}
    if place is None:
        v = next((x for x in example_of(media, sampler.document) if isinstance(x, str)), None)
        return v or ("<a>Zoë</a>" if "xml" in content_type else "Zoë & Co\n")
    v = value_of(media, schema, place, sampler)
    return files_in(schema, v, sampler) if place == "multipart" and isinstance(v, dict) else v


def declared(p, sampler):
    out = {k: p[k] for k in PARAMETER_MEMBERS if k in p and p[k] is not False or k == "explode" and k in p}
    if isinstance(out.get("content"), dict):
        out["content"] = {k: {} for k in out["content"]}
    else:
        kind = samples.type_of(sampler.flat(schema_of(p)))
        out["schema"] = {"type": kind} if kind else {}
    return out


def calls_of(operation, sampler, url):
    """The calls of an operation; raises samples.NoValue or openapi.Unusable where its schemas allow no value that is known."""
    auth, rows = auth_of(operation.security)
    kept = [p for p in operation.parameters if not is_credential(p, operation.security)]
    if operation.bodies:  # the media types say it
        kept = [p for p in kept if not (p["in"] == "header" and p["name"].lower() == "content-type")]
    for p in kept:
        v = value_of(p, schema_of(p), "json" if p.get("content") else p["in"], sampler)
        if v is not None or p.get("required"):
            rows["%s.%s" % (p["in"], p["name"])] = v
    out = []
    for content_type, media in operation.bodies or [(None, None)]:
        if operation.bodies and content_type.strip() == "*/*":
            content_type = openapi.JSON
        op = {"method_name": operation.method.upper(), "query_path": operation.path, "parameters": [declared(p, sampler) for p in kept]}
        mapping = dict(rows)
        if content_type:
            op["request_body"] = {"content_type": content_type, "required": operation.body_required}
            mapping["body"] = body_of(content_type, media, sampler)
        system = {"base_url": url, "connectors": {"all": {"operations": [op]}}, "rules": ANY_ANSWER}
        if auth:
            system["auth"] = auth
        out.append(Call(operation, content_type, {"weir": 1, "component": "contract", "systems": {"peer": system}}, mapping))
    return out
