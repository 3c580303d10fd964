"""Five hundred broken bodies, made of right ones: whatever comes, it is refused in our form, never a 5xx.

tests/api/test_hostile.py has the ones that somebody thought of.
"""

import json
import random

import msgspec
import pytest
from security.conftest import FULL
from security.table import APP, OPERATIONS

from assistant.errors import tree

BODIES = 500
SCHEMAS = APP.openapi().get("components", {}).get("schemas", {})
TAKING = [
    row for row, operation in OPERATIONS.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]  # fmt: skip
NONSENSE = [
    None, True, 0, -1, 1e308, 10**30, 0.1, "", " ", "\0", "\U0010ffff", "x" * 3000, [], {}, [[]], [None],
    {"": ""}, {"__proto__": 1}, "2026-13-45T99:99:99Z", "../../etc/passwd", "%00", "' OR 1=1 --",
]  # fmt: skip
PIECES = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\0", b"\xff", b"\xc0\x80", b"NaN",
    b"-Infinity", b"1e999", b"01", b"+1", b".5", b"0x1", b"/* */", b"//", b"'", b"\xef\xbb\xbf", b"True",
    b"\x1f", b"9" * 400, b"[" * 300, b'{"a":' * 100,
]  # fmt: skip


def example(schema, chance):
    """A value that fits a schema, more or less."""
    if "$ref" in schema:
        return example(SCHEMAS[schema["$ref"].rpartition("/")[2]], chance)
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return example(chance.choice(choices), chance)
    if "enum" in schema or "const" in schema:
        return chance.choice(schema.get("enum") or [schema["const"]])
    match schema.get("type"):
        case "object":
            return {
                name: example(one, chance) for name, one in schema.get("properties", {}).items()
            }
        case "array":
            return [example(schema.get("items", {}), chance) for _ in range(chance.randrange(3))]
        case "string":
            return chance.choice(
                ["a", f"hello {chance.random()}", "2026-01-01T00:00:00Z", "c_none"]
            )
        case "integer" | "number":
            return chance.choice([0, 1, 7])
        case "boolean":
            return chance.random() < 0.5
    return None


def wrong(value, chance):
    """The same with something in it replaced by nonsense."""
    if isinstance(value, dict) and value and chance.random() < 0.95:
        name = chance.choice(list(value))
        return value | {name: wrong(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.95:
        return [*value[:-1], wrong(value[-1], chance)]
    return chance.choice(NONSENSE)


def broken(body, chance):
    """Bytes of JSON with a piece cut out, put in, doubled or changed."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(body) + 1)
        end = min(len(body), at + chance.randint(1, 8))
        match chance.randrange(5):
            case 0:
                body = body[:at]
            case 1:
                body = body[:at] + chance.choice(PIECES) + body[at:]
            case 2:
                body = body[:at] + body[end:]
            case 3:
                body = body[:end] + body[at:]
            case 4:
                body = (
                    body[:at] + bytes(chance.randrange(256) for _ in range(end - at)) + body[end:]
                )
    return body or b"{"


def made(row, seed):
    """One body for a route, and whether it is JSON at all."""
    chance = random.Random(seed)
    right = example(OPERATIONS[row]["requestBody"]["content"]["application/json"]["schema"], chance)
    body = json.dumps(wrong(right, chance) if seed % 2 else right).encode()
    if seed % 4:
        body = broken(body, chance)
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return body, False
    return body, True


def test_the_bodies_are_broken_in_many_ways():
    bodies = [made(TAKING[seed % len(TAKING)], seed) for seed in range(BODIES)]
    assert len({body for body, _ in bodies}) > BODIES * 0.8
    assert BODIES * 0.4 < sum(not valid for _, valid in bodies) < BODIES * 0.9
    assert len(TAKING) >= 15


@pytest.mark.parametrize("part", range(10))
def test_no_body_brings_about_a_5xx(daemon, raw, part, figure):
    asked = 0
    for seed in range(part, BODIES, 10):
        for row in TAKING if FULL else [TAKING[seed % len(TAKING)]]:
            body, valid = made(row, seed)
            headers = [
                ("Host", f"127.0.0.1:{daemon.port}"),
                ("Authorization", f"Bearer {daemon.token}"),
            ]
            status, _, told = raw.send(*row, headers, body, whole=True)
            asked += 1
            assert status < 500, (row, body, told)
            if not valid:
                assert told["error"]["code"] == "invalid_json", (row, body, told)
            if status >= 400:
                assert told["error"]["code"] in tree()
                assert told["error"]["hint"]
    each = len(TAKING) if FULL else 1
    figure("malformed bodies", f"{BODIES} x {each}: 0 x 5xx", f"{BODIES}: 0 x 5xx")
    assert asked == BODIES // 10 * each
