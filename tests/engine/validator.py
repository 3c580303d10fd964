"""A small judge of JSON Schema, apart from the library under test: the keywords our tests use."""

import re
from typing import Any

TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float),
}  # fmt: skip


def valid(value: Any, schema: Any, root: Any = None) -> bool:
    """Whether a value meets a schema. Raises KeyError for a keyword it does not know."""
    if isinstance(schema, bool):
        return schema
    root = schema if root is None else root
    return all(KEYWORDS[name](value, schema, root) for name in schema)


def _type(value, schema, _root):
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(value, bool):
        return "boolean" in wanted
    whole = isinstance(value, float) and value.is_integer() and "integer" in wanted
    return whole or any(isinstance(value, TYPES[name]) for name in wanted)


def _ref(value, schema, root):
    target = root
    for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
        target = target[step] if step else target
    return valid(value, target, root)


def _properties(value, schema, root):
    return not isinstance(value, dict) or all(
        valid(value[name], inner, root)
        for name, inner in schema["properties"].items()
        if name in value
    )


def _additional(value, schema, root):
    known = schema.get("properties", {})
    return not isinstance(value, dict) or all(
        valid(inner, schema["additionalProperties"], root)
        for name, inner in value.items()
        if name not in known
    )


def _items(value, schema, root):
    rest = value[len(schema.get("prefixItems", ())) :] if isinstance(value, list) else []
    return all(valid(item, schema["items"], root) for item in rest)


def _prefix(value, schema, root):
    return not isinstance(value, list) or all(
        valid(item, inner, root) for item, inner in zip(value, schema["prefixItems"])
    )


def _compare(keyword, test, kind):
    """A check of values of one kind; others pass."""

    def check(value, schema, _root):
        fits = isinstance(value, kind) and not isinstance(value, bool)
        return not fits or test(value, schema[keyword])

    return check


def _fine(_value, _schema, _root):
    return True


NUMBER = (int, float)
KEYWORDS = {
    "type": _type, "$ref": _ref, "properties": _properties, "additionalProperties": _additional,
    "items": _items, "prefixItems": _prefix,
    "enum": lambda v, s, _: any(v == one and type(v) is type(one) for one in s["enum"]),
    "const": lambda v, s, _: v == s["const"],
    "anyOf": lambda v, s, root: any(valid(v, one, root) for one in s["anyOf"]),
    "allOf": lambda v, s, root: all(valid(v, one, root) for one in s["allOf"]),
    "required": lambda v, s, _: not isinstance(v, dict) or set(s["required"]) <= set(v),
    "minItems": _compare("minItems", lambda v, n: len(v) >= n, list),
    "maxItems": _compare("maxItems", lambda v, n: len(v) <= n, list),
    "minLength": _compare("minLength", lambda v, n: len(v) >= n, str),
    "maxLength": _compare("maxLength", lambda v, n: len(v) <= n, str),
    "pattern": _compare("pattern", lambda v, p: re.search(p, v) is not None, str),
    "minimum": _compare("minimum", lambda v, n: v >= n, NUMBER),
    "maximum": _compare("maximum", lambda v, n: v <= n, NUMBER),
    "exclusiveMinimum": _compare("exclusiveMinimum", lambda v, n: v > n, NUMBER),
    "exclusiveMaximum": _compare("exclusiveMaximum", lambda v, n: v < n, NUMBER),
    "multipleOf": _compare("multipleOf", lambda v, n: v % n == 0, int),
    "minProperties": _compare("minProperties", lambda v, n: len(v) >= n, dict),
    "$defs": _fine, "title": _fine, "description": _fine, "default": _fine,
}  # fmt: skip
