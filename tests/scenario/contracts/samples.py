# SPDX-License-Identifier: Apache-2.0
"""Values that a JSON Schema of an OpenAPI document allows, for requests: every property that may be sent is there, down to a depth."""
import math
import re
import re._parser as regex

import openapi

DEPTH_FULL = 4  # optional members are left out below
DEPTH_MAX = 24
PATTERN_TRIES = 80
FORMATS = {
    "date": "2026-11-23", "date-time": "2026-11-23T17:05:00Z", "time": "17:05:00Z", "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "email": "zoe@example.org",
    "uri": "https://example.org/a?b=c", "url": "https://example.org/a", "uri-reference": "/a", "hostname": "example.org", "ipv4": "192.0.2.1", "ip": "192.0.2.1",
    "ipv6": "2001:db8::1", "byte": "R0lGODlh", "base64": "R0lGODlh", "duration": "P1D", "json-pointer": "/a", "regex": "a+", "password": "secret word", "date-only": "2026-11-23",
}
FORMAT_PATTERNS = {
    "date": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$", "date-time": r"(?i)\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)$", "time": r"\d\d:\d\d:\d\d",
    "uuid": r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "email": r"[^@\s]+@[\w.-]+\.\w+$", "uri": r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$", "url": r"https?://[\w.-]+",
    "ipv4": r"\d{1,3}(\.\d{1,3}){3}$", "ipv6": r"[0-9a-fA-F:]+$", "hostname": r"[\w.-]+$", "byte": r"[A-Za-z0-9+/]*={0,2}$", "duration": r"P[0-9A-Z.]+$",
}
# What free texts are, by place: each would break a careless writer of that place.
TEXTS = {"path": "Zoë 1/2", "query": "Zoë & Co=1+1/2", "header": "a b;c", "cookie": "a b", "json": "Zoë \"&\"\n🙂", "form": "Zoë & Co=1+1", "multipart": "Zoë & Co", "item": "x y"}


class NoValue(Exception):
    pass


def type_of(schema):
    t = schema.get("type")
    if isinstance(t, list):
        t = next((x for x in t if x != "null"), "null")
    if t:
        return t
    for kind, words in (("object", ("properties", "additionalProperties", "required", "minProperties")), ("array", ("items", "minItems")),
                        ("string", ("pattern", "minLength", "maxLength", "format")), ("number", ("minimum", "maximum", "multipleOf"))):
        if any(w in schema for w in words):
            return kind
    return None


def has_type(v, t):
    if t == "integer":
        return isinstance(v, int) and not isinstance(v, bool) or isinstance(v, float) and v.is_integer()
    if t == "number":
        return isinstance(v, (int, float)) and not isinstance(v, bool)
    return isinstance(v, {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None), "file": str}.get(t, object))


def compiled(pattern):
    """A pattern of ECMAScript, or None where Python cannot read it."""
    try:
        return re.compile(re.sub(r"\\p\{[A-Za-z]+\}", r"\\w", re.sub(r"\(\?<([A-Za-z])", r"(?P<\1", pattern)).replace("\\/", "/"))
    except (re.error, OverflowError, RecursionError):
        return None


def bound(schema, side, exclusive):
    """A bound and whether it is out of bounds itself, in both spellings of OpenAPI 3.0 and 3.1."""
    at, out = schema.get(side), schema.get(exclusive)
    if isinstance(out, (int, float)) and not isinstance(out, bool):
        return out, True
    return (at, out is True) if isinstance(at, (int, float)) else (None, False)


class Sampler:
    def __init__(self, document):
        self.document = document

    # ---- schemas ----

    def flat(self, schema, depth=0):
        """A schema without references and allOf."""
        s = self.document.resolve(schema)
        if not isinstance(s, dict):
            return {} if s is not False else {"not": {}}
        for part in s.get("allOf") or ():
            if depth > DEPTH_MAX:
                raise NoValue("allOf in a circle")
            s = self.merge({k: v for k, v in s.items() if k != "allOf" or v is not s["allOf"]}, self.flat(part, depth + 1))
        return {k: v for k, v in s.items() if k != "allOf"}

    @staticmethod
    def merge(a, b):
        out = {**b, **a}
        if "properties" in a or "properties" in b:
            out["properties"] = {**(b.get("properties") or {}), **(a.get("properties") or {})}
        required = [*(a.get("required") or []), *(b.get("required") or [])] if all(isinstance(x.get("required") or [], list) for x in (a, b)) else []
        if required:
            out["required"] = list(dict.fromkeys(required))
        for low in ("minimum", "minLength", "minItems"):
            if low in a and low in b:
                out[low] = max(a[low], b[low])
        for high in ("maximum", "maxLength", "maxItems"):
            if high in a and high in b:
                out[high] = min(a[high], b[high])
        if "enum" in a and "enum" in b:
            out["enum"] = [x for x in a["enum"] if x in b["enum"]] or a["enum"]
        for many in ("oneOf", "anyOf"):
            if many in a and many in b:
                out[many] = a[many]
        return out

    # ---- judging ----

    def fits(self, schema, v, depth=0):
        """Would the schema allow the value in a request? What is not known is believed."""
        if depth > DEPTH_MAX:
            return True
        s = self.flat(schema)
        if v is None:
            return s.get("nullable") is True or "null" in (s.get("type") or []) or not s or None in (s.get("enum") or [])
        t = s.get("type")
        kinds = t if isinstance(t, list) else [t] if t else []
        if kinds and not any(has_type(v, k) for k in kinds):
            return False
        if "enum" in s and v not in s["enum"] or "const" in s and v != s["const"] or s.get("not") == {}:
            return False
        if isinstance(v, str) and not self.text_fits(s, v) or has_type(v, "number") and not self.number_fits(s, v):
            return False
        if isinstance(v, list) and not (s.get("minItems", 0) <= len(v) <= s.get("maxItems", math.inf) and all(self.fits(s.get("items") or {}, x, depth + 1) for x in v)):
            return False
        if isinstance(v, dict) and not self.object_fits(s, v, depth):
            return False
        if s.get("anyOf") and not any(self.fits(x, v, depth + 1) for x in s["anyOf"]):
            return False
        return not s.get("oneOf") or sum(self.fits(x, v, depth + 1) for x in s["oneOf"]) == 1

    @staticmethod
    def text_fits(s, v):
        if not s.get("minLength", 0) <= len(v) <= s.get("maxLength", math.inf):
            return False
        pattern = compiled(s["pattern"]) if isinstance(s.get("pattern"), str) else None
        if pattern and not pattern.search(v):
            return False
        wanted = FORMAT_PATTERNS.get(s.get("format"))
        return not wanted or re.match(wanted, v) is not None

    @staticmethod
    def number_fits(s, v):
        low, above = bound(s, "minimum", "exclusiveMinimum")
        high, below = bound(s, "maximum", "exclusiveMaximum")
        if low is not None and (v < low or above and v == low) or high is not None and (v > high or below and v == high):
            return False
        step = s.get("multipleOf")
        return not step or abs(v / step - round(v / step)) < 1e-9

    def object_fits(self, s, v, depth):
        known = s.get("properties") or {}
        needed = s.get("required") if isinstance(s.get("required"), list) else []
        for name in needed:
            if name not in v and not self.is_read_only(known.get(name)):
                return False
        if s.get("additionalProperties") is False and any(k not in known for k in v) and not s.get("patternProperties"):
            return False
        return all(self.fits(known[k], x, depth + 1) for k, x in v.items() if k in known)

    def is_read_only(self, schema):
        try:
            return isinstance(schema, dict) and self.flat(schema).get("readOnly") is True
        except (NoValue, openapi.Unusable):
            return False

    # ---- making ----

    def value(self, schema, place, depth=0):
        if depth > DEPTH_MAX:
            raise NoValue("a schema without end")
        s = self.flat(schema)
        given = [s["const"]] if "const" in s else [x for x in s.get("enum") or [] if x is not None]
        examples = s.get("examples")
        given += [s[k] for k in ("example", "default") if k in s] + (examples[:1] if isinstance(examples, list) else [])
        for v in given:
            if v not in (None, "") and not (isinstance(v, (dict, list)) and (not v or place not in ("json", "form"))) and self.is_sendable(s, v, place):
                return v
        if "const" in s or s.get("enum"):
            raise NoValue("no value of an enum fits its own schema")
        for many in ("oneOf", "anyOf"):
            if s.get(many):
                return self.one_of(s, many, place, depth)
        t = type_of(s)
        if t == "object":
            return self.object(s, place, depth)
        if t == "array":
            return self.list(s, place, depth)
        if t == "boolean":
            return True
        if t in ("integer", "number"):
            return self.number(s, t)
        if t == "null":
            return None
        return self.text(s, place)

    def is_sendable(self, s, v, place):
        if place == "header" and isinstance(v, str) and (v != v.strip() or not v.isascii()):
            return False
        return self.fits(s, v) and not (isinstance(v, dict) and any(self.is_read_only((s.get("properties") or {}).get(k)) for k in v))

    def one_of(self, s, many, place, depth):
        base = {k: v for k, v in s.items() if k != many}
        last = None
        for branch in s[many]:
            try:
                flat = self.flat(branch)
                if flat.get("type") == "null":
                    continue
                v = self.value(self.discriminated(s, branch, self.merge(flat, base)), place, depth + 1)
            except (NoValue, openapi.Unusable) as e:
                last = last or e
                continue
            if self.fits(s, v):
                return v
            last = v if last is None or isinstance(last, Exception) else last
        if isinstance(last, Exception) or last is None:
            raise NoValue("no branch of %s can be made" % many)
        return last

    def discriminated(self, s, branch, merged):
        d = s.get("discriminator")
        if not isinstance(d, dict) or "propertyName" not in d or not isinstance(branch.get("$ref"), str):
            return merged
        names = [k for k, ref in (d.get("mapping") or {}).items() if ref == branch["$ref"]]
        own = self.flat((merged.get("properties") or {}).get(d["propertyName"]) or {})
        name = names[0] if names else branch["$ref"].rsplit("/", 1)[-1]
        if "enum" in own and name not in own["enum"] or "const" in own:
            return merged
        return {**merged, "properties": {**(merged.get("properties") or {}), d["propertyName"]: {"type": "string", "enum": [name]}}}

    def object(self, s, place, depth):
        out = {}
        needed = s.get("required") if isinstance(s.get("required"), list) else []
        for name, schema in (s.get("properties") or {}).items():
            if self.is_read_only(schema) or schema is False or (name not in needed and depth >= DEPTH_FULL):
                continue
            try:
                v = self.value(schema, place, depth + 1)
            except (NoValue, openapi.Unusable):
                if name in needed:
                    raise
                continue
            if v is not None or name in needed:
                out[name] = v
        for name in needed:
            if name not in out and name not in (s.get("properties") or {}):
                out[name] = TEXTS["item"]
        more = s.get("additionalProperties")
        while len(out) < s.get("minProperties", 1 if isinstance(more, dict) and not out and depth < DEPTH_FULL else 0):
            out["key%d" % (len(out) + 1)] = self.value(more if isinstance(more, dict) else {}, place, depth + 1)
        return out

    def list(self, s, place, depth):
        least, most = s.get("minItems", 0), s.get("maxItems", math.inf)
        if depth >= DEPTH_FULL and not least:
            return []
        item = self.value(s.get("items") or {}, place if place in ("json", "form", "multipart") else "item", depth + 1)
        if s.get("uniqueItems") or isinstance(item, (dict, list)):
            return self.distinct(s, item, least)
        return [item] * int(min(max(least, 2), most))

    def distinct(self, s, item, least):
        items = [item]
        choices = [x for x in self.flat(s.get("items") or {}).get("enum") or [] if x != item and x is not None]
        while len(items) < least:
            if s.get("uniqueItems") and choices:
                item = choices.pop(0)
            elif s.get("uniqueItems") and has_type(item, "number"):
                item = item + 1
            elif s.get("uniqueItems") and isinstance(item, str):
                item = item + "x"
            items.append(item)
        return items

    @staticmethod
    def number(s, t):
        low, above = bound(s, "minimum", "exclusiveMinimum")
        high, below = bound(s, "maximum", "exclusiveMaximum")
        step = s.get("multipleOf") or (1 if t == "integer" else 0)
        v = 7 if t == "integer" else 7.25
        if low is not None and (v < low or above and v == low):
            v = low + (step or 0.5 if above else 0)
        if high is not None and (v > high or below and v == high):
            v = high - (step or 0.5 if below else 0)
        if step:
            v = math.ceil(v / step) * step
            v = v - step if high is not None and v > high else v
        return int(v) if t == "integer" or v == int(v) else v

    def text(self, s, place):
        low, high = s.get("minLength", 0), s.get("maxLength", math.inf)
        pattern = compiled(s["pattern"]) if isinstance(s.get("pattern"), str) else None
        for v in (FORMATS.get(s.get("format")), TEXTS[place], TEXTS["item"], "item", "7", "a"):
            if v is not None and self.text_fits(s, v):
                return v
        for extra in range(PATTERN_TRIES) if pattern else ():
            v = from_pattern(regex.parse(pattern.pattern), extra)
            if v and pattern.search(v) and low <= len(v) <= high:
                return v
        if pattern:
            raise NoValue("no text for pattern %s" % s["pattern"])
        text = FORMATS.get(s.get("format")) or "abcdefghij"
        return (text * (low // len(text) + 1))[:int(min(max(low, len(text)), high))] or "a"


# ---- patterns ----

def from_pattern(tree, extra):
    """A text that a parsed regular expression matches, repetitions `extra` times where they may; looks around are not heeded."""
    return "".join(piece(op, value, extra) for op, value in tree)


def piece(op, value, extra):
    name = str(op)
    if name == "LITERAL":
        return chr(value)
    if name == "NOT_LITERAL":
        return "b" if value == ord("a") else "a"
    if name == "ANY":
        return "a"
    if name == "IN":
        return member(value)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, tree = value
        return "".join(from_pattern(tree, extra) for _ in range(min(max(low, extra), high if isinstance(high, int) else extra, 512)))
    if name == "SUBPATTERN":
        return from_pattern(value[3], extra)
    if name == "BRANCH":
        return from_pattern(value[1][0], extra)
    return ""


def member(items):
    taken = set()
    is_negated = str(items[0][0]) == "NEGATE"
    for op, value in items:
        name = str(op)
        if name == "LITERAL":
            taken.add(chr(value))
        elif name == "RANGE":
            taken.update(chr(c) for c in range(value[0], min(value[1], value[0] + 128) + 1))
        elif name == "CATEGORY":
            taken.update({"CATEGORY_DIGIT": "1234567890", "CATEGORY_WORD": "ab1_", "CATEGORY_SPACE": " "}.get(str(value), "a-"))
    order = "aA1bcdefghijklmnopqrstuvwxyz0-_ ."
    if is_negated:
        return next((c for c in order if c not in taken), "~")
    return next((c for c in order if c in taken), min(taken) if taken else "")
