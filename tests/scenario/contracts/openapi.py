# SPDX-License-Identifier: Apache-2.0
"""OpenAPI documents (2.0, 3.0, 3.1; JSON and YAML) as operations in one form: parameters and bodies as OpenAPI 3 writes them."""
import json
import re
import sys

try:
    import yaml
except ImportError:
    sys.path.append("/usr/lib/python3/dist-packages")  # Debian's packages belong to Debian's Python; another one may come first in PATH
    try:
        import yaml
    except ImportError:
        yaml = None

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
CORE_TYPES = (("bool", r"true|false|True|False|TRUE|FALSE", "tTfF"), ("null", r"~|null|Null|NULL|", "~nN\0"), ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
              ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"))


class Unusable(Exception):
    """Something that the document says and no caller could follow, such as a reference that leads nowhere."""


def yaml_loader():
    """YAML 1.2's core schema, as prism reads: no dates, no sexagesimal numbers, and "on" is a text."""
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        yaml_implicit_resolvers = {}
    for kind, pattern, first in CORE_TYPES:
        Loader.add_implicit_resolver("tag:yaml.org,2002:" + kind, re.compile("^(?:%s)$" % pattern), list(first) + ([""] if kind == "null" else []))
    return Loader


def with_text_keys(v):
    if isinstance(v, dict):
        return {str(k): with_text_keys(w) for k, w in v.items()}
    return [with_text_keys(w) for w in v] if isinstance(v, list) else v


def load(path):
    with open(path, encoding="utf-8") as f:
        if path.endswith(".json"):
            return json.load(f)
        return with_text_keys(yaml.load(f, Loader=yaml_loader()))


class Operation:
    def __init__(self, method, path, parameters, bodies, body_required, security, responses):
        self.method, self.path, self.parameters = method, path, parameters
        self.bodies, self.body_required = bodies, body_required  # [(content type, media type object)]
        self.only_redirects = any(str(k).startswith("3") for k in responses) and not any(str(k).startswith("2") or k == "default" for k in responses)
        self.security = security  # [{"kind": basic | bearer | api_key, "in": ..., "name": ...}]

    def __str__(self):
        return "%s %s" % (self.method.upper(), self.path)


class Document:
    def __init__(self, path):
        self.root = load(path)
        self.is_v2 = str(self.root.get("swagger", "")).startswith("2")
        self.is_v31 = str(self.root.get("openapi", "")).startswith("3.1")

    # ---- references ----

    def resolve(self, v):
        """What a chain of references leads to. Members beside a reference count from OpenAPI 3.1 on, and then win."""
        for _ in range(32):
            if not isinstance(v, dict) or not isinstance(v.get("$ref"), str):
                return v
            found, beside = self.pointer(v["$ref"]), {k: w for k, w in v.items() if k != "$ref"}
            v = {**found, **beside} if isinstance(found, dict) and self.is_v31 else found
        raise Unusable("references go in a circle")

    def pointer(self, ref):
        if not ref.startswith("#/"):
            raise Unusable("reference out of the document: %s" % ref)
        at = self.root
        for part in ref[2:].split("/"):
            part = re.sub("%([0-9A-Fa-f]{2})", lambda m: chr(int(m.group(1), 16)), part).replace("~1", "/").replace("~0", "~")
            if isinstance(at, list) and part.isdigit() and int(part) < len(at):
                at = at[int(part)]
            elif isinstance(at, dict) and part in at:
                at = at[part]
            else:
                raise Unusable("reference to nothing: %s" % ref)
        return at

    def leads_out(self, v=None):
        """A reference out of the document, or None: a server would follow it to wherever it leads."""
        v = self.root if v is None else v
        if isinstance(v, dict):
            ref = v.get("$ref")
            if isinstance(ref, str) and not ref.startswith("#"):
                return ref
            v = list(v.values())
        return next((x for x in map(self.leads_out, [w for w in v if isinstance(w, (dict, list)) and w]) if x), None) if isinstance(v, list) else None

    # ---- operations ----

    def operations(self):
        """Operations that can be made sense of, and (method and path, reason) of the others."""
        good, bad = [], []
        for path, item in (self.root.get("paths") or {}).items():
            try:
                item = self.resolve(item) or {}
            except Unusable as e:
                bad.append((path, str(e)))
                continue
            if not isinstance(item, dict):
                bad.append((path, "a path without operations"))
                continue
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    try:
                        good.append(self.operation(method, path, item, item[method]))
                    except Unusable as e:
                        bad.append(("%s %s" % (method.upper(), path), str(e)))
        return good, bad

    def operation(self, method, path, item, op):
        found = {}
        for p in [*(item.get("parameters") or []), *(op.get("parameters") or [])]:
            p = self.resolve(p)
            if isinstance(p, dict) and "name" in p and "in" in p:
                found[p["in"], p["name"]] = p
        parameters = list(found.values())
        bodies, required = self.bodies_v2(op, parameters) if self.is_v2 else self.bodies(op)
        parameters = [self.parameter_v2(p) if self.is_v2 else p for p in parameters if p["in"] in ("path", "query", "header", "cookie")]
        return Operation(method, path, parameters, bodies, required, self.security(op), op.get("responses") or {})

    def bodies(self, op):
        body = self.resolve(op.get("requestBody")) or {}
        return [(t, self.resolve(m) or {}) for t, m in (body.get("content") or {}).items()], bool(body.get("required"))

    def bodies_v2(self, op, parameters):
        types = op.get("consumes") or self.root.get("consumes") or []
        whole = [p for p in parameters if p["in"] == "body"]
        fields = [p for p in parameters if p["in"] == "formData"]
        if whole:
            return [(t, {"schema": whole[0].get("schema") or {}}) for t in types or [JSON]], bool(whole[0].get("required"))
        if not fields:
            return [], False
        has_file = any(f.get("type") == "file" for f in fields)
        types = [t for t in types if t in (FORM, MULTIPART) and not (has_file and t == FORM)] or [MULTIPART if has_file else FORM]
        schema = {"type": "object", "properties": {f["name"]: self.schema_v2(f) for f in fields}, "required": [f["name"] for f in fields if f.get("required")]}
        return [(t, {"schema": schema}) for t in types], bool(schema["required"])

    def schema_v2(self, p):
        schema = {k: v for k, v in p.items() if k not in ("name", "in", "required", "description", "collectionFormat", "allowEmptyValue")}
        return {**schema, "type": "string", "format": "binary"} if p.get("type") == "file" else schema

    def parameter_v2(self, p):
        out = {k: p[k] for k in ("name", "in", "required", "description", "allowEmptyValue") if k in p}
        out["schema"] = self.schema_v2(p)
        if p.get("type") == "array":
            how = p.get("collectionFormat", "csv")
            if how == "tsv":
                raise Unusable("parameter %s is written with tabs between (collectionFormat: tsv), which no style of OpenAPI 3 does" % p["name"])
            if p["in"] == "query":
                out["style"] = {"ssv": "spaceDelimited", "pipes": "pipeDelimited"}.get(how, "form")
                out["explode"] = how == "multi"
        return out

    # ---- security ----

    def security(self, op):
        """The first of the alternatives that can be followed."""
        alternatives = op["security"] if "security" in op else self.root.get("security") or []
        known = (self.root.get("securityDefinitions") if self.is_v2 else (self.root.get("components") or {}).get("securitySchemes")) or {}
        for wanted in alternatives or []:
            schemes = [self.scheme(self.resolve(known.get(name))) for name in wanted]
            if all(schemes):
                return schemes
        return []

    def scheme(self, x):
        x = x or {}
        kind = x.get("type")
        if kind == "apiKey":
            return {"kind": "api_key", "in": x.get("in"), "name": x.get("name")}
        if kind == "basic" or (kind == "http" and str(x.get("scheme")).lower() == "basic"):
            return {"kind": "basic"}
        if kind in ("oauth2", "openIdConnect") or (kind == "http" and str(x.get("scheme")).lower() == "bearer"):
            return {"kind": "bearer"}
        return None
