"""Tool calls and JSON answers: the grammar that makes them valid, and how they are read as they stream.

Grammars are in llguidance's kind of Lark; see docs/syntax.md and docs/json_schema.md there.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from assistant.engine import dialects
from assistant.engine.calls import BLANK, Calls, bare_head
from assistant.engine.dialects import Dialect
from assistant.engine.thoughts import Thoughts
from assistant.errors import SchemaUnsupported
from assistant.types import Finished, Format, Generated, Piece, Request, Tool

_SPACES = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
"""One space or none after a comma or a colon, none elsewhere: small models fill pages with line ends."""
_OPEN_ENDED = {"additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf"}
"""Keywords that may let in names which are not among `properties`."""
OWNER = "// "
"""Begins a line that says whose schema the next one holds; see `grammar.Grammars`."""


def may_call(request: Request) -> bool:
    """Whether the answer may be calls."""
    return bool(request.tools) and request.tool_choice != "none"


# --- the grammar -----------------------------------------------------------------------------


def grammar(request: Request, family: str) -> str:
    """What the answer must be, for `grammar.Grammars`; empty: free text.

    Tools that may not be called are still told to the model, so that its prompt stays the same;
    the grammar keeps it from calling them. Raises FamilyUnknown, and SchemaUnsupported if a tool's
    parameters are not an object.
    """
    if not request.tools and request.format is None:
        return ""
    dialect = dialects.of(family)
    starts: dict[str, list[str]] = {}
    if not may_call(request) or request.tool_choice != "required":
        spoken = _text(request, dialect) if request.format is None else _value(request.format)
        starts["answer"] = spoken
    if may_bare(request):
        starts["bare"] = _bare_calls(request, dialect)
    if may_call(request) and (dialect.opening or "bare" not in starts):
        starts["calls"] = _marked_calls(request, dialect, after_text="bare" in starts)
    rules = [rule for rules in starts.values() for rule in rules]
    schemas = _schemas(_callable(request)) if may_call(request) else []
    return "\n".join([f"start: {' | '.join(starts)}", *rules, *schemas, ""])


def may_bare(request: Request) -> bool:
    """Whether calls without marks count: in free text, where models write what they are used to."""
    return may_call(request) and request.tool_choice == "auto" and request.format is None


def _callable(request: Request) -> list[Tool]:
    return [tool for tool in request.tools if request.tool in ("", tool.name)]


def _value(format_: Format) -> list[str]:
    schema = {"type": "object"} if format_.schema is None else format_.schema
    return [f"{OWNER}response_format", f"answer: {_json(schema)}"]


def _text(request: Request, dialect: Dialect) -> list[str]:
    """Text in which no call begins."""
    not_these = [f"(?s:.*){re.escape(dialect.opening)}"] if dialect.opening else []
    if may_bare(request) or not dialect.opening:
        not_these.append(bare_head(request.tools))
    return ["answer: TEXT", " & ".join(["TEXT: /(?s:.*)/", *(f"~/{r}(?s:.*)/" for r in not_these)])]


def _marked_calls(request: Request, dialect: Dialect, *, after_text: bool) -> list[str]:
    more = 0 if request.tool or not request.parallel else dialect.most - 1
    first = dialect.first
    rules = []
    if after_text:
        first = first.removeprefix(dialect.opening)
        ends = f"/(?s:.*){re.escape(dialect.opening)}/"
        rules = ["before[lazy]: BEFORE", f"BEFORE: {ends} & ~/{bare_head(request.tools)}(?s:.*)/"]
    steps = ["before" if after_text else "", _literal(first), "call"]
    steps += [f"({_literal(dialect.between)} call){{0,{more}}}" if more else ""]
    steps += [_literal(dialect.last)]
    heads = [_literal(dialect.head(tool.name)) for tool in _callable(request)]
    return [
        *rules,
        f"calls: {' '.join(filter(None, steps))}",
        f"call: {' | '.join(f'call{n}' for n in range(len(heads)))}",
        *(f'call{n}: {head} arguments{n} "}}"' for n, head in enumerate(heads)),
    ]


def _bare_calls(request: Request, dialect: Dialect) -> list[str]:
    heads = [
        f'{bare_head([tool])}{BLANK},{BLANK}"{dialect.arguments}"{BLANK}:{BLANK}'
        for tool in request.tools
    ]
    return [
        f"bare: one{{1,{dialect.most if request.parallel else 1}}} fence?",
        f"one: {' | '.join(f'one{n}' for n in range(len(heads)))}",
        *(f"one{n}: /{head}/ arguments{n} tail" for n, head in enumerate(heads)),
        f"tail: /{BLANK}\\}}/",
        f"fence: /{BLANK}```/",
    ]


def _schemas(tools: Sequence[Tool]) -> list[str]:
    rules = []
    for number, tool in enumerate(tools):
        rules += [
            f"{OWNER}the tool {tool.name}",
            f"arguments{number}: {_json(_arguments(tool))}",
        ]
    return rules


def _arguments(tool: Tool) -> dict[str, Any]:
    """A schema that is narrower than the tool's: names that nobody declared help no tool."""
    schema = dialects.parameters(tool)
    if schema["type"] != "object":
        raise SchemaUnsupported(
            f"The parameters of the tool {tool.name} are not an object: keyword 'type'."
        )
    if "properties" in schema and not _OPEN_ENDED & schema.keys():
        schema["additionalProperties"] = False
    return schema


def _json(schema: dict[str, Any]) -> str:
    # A schema of its own may not say how llguidance reads it, so the key goes in last.
    return f"%json {json.dumps(schema | {'x-guidance': _SPACES}, ensure_ascii=False)}"


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""


# --- reading ---------------------------------------------------------------------------------


async def read(
    items: AsyncGenerator[Generated, None],
    request: Request,
    family: str,
    *,
    thinking: bool = False,
) -> AsyncGenerator[Generated, None]:
    """Raw pieces as text, thoughts and calls, as they stream. Closing it closes `items`.

    `thinking`: the prompt itself opened a thought.
    """
    thoughts = Thoughts(opened=thinking)
    calls = _reader(request, family) if may_call(request) else None
    async with contextlib.aclosing(items):
        async for item in items:
            if isinstance(item, Piece):
                for read in _sort(thoughts.push(item.text), calls):
                    yield read
            elif isinstance(item, Finished):
                for read in _sort(thoughts.close(), calls):
                    yield read
                for read in calls.close() if calls else ():
                    yield read
                called = calls is not None and calls.complete and item.reason == "stop"
                yield msgspec.structs.replace(item, reason="tool_calls") if called else item
            else:
                yield item


def _reader(request: Request, family: str) -> Calls:
    dialect = dialects.of(family)
    bare = may_bare(request) or not dialect.opening
    return Calls(dialect, request.tools if bare else ())


def _sort(items: Sequence[Generated], calls: Calls | None) -> list[Generated]:
    """Thoughts as they are; of the answer, what is text and what is calls."""
    if calls is None:
        return list(items)
    sorted_: list[Generated] = []
    for item in items:
        sorted_ += calls.push(item.text) if isinstance(item, Piece) else [item]
    return sorted_
