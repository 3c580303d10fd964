"""A model that obeys every attacker: for tests of what code lets happen when a model does its worst.

It carries out each instruction that stands anywhere in its prompt, whoever wrote it: says it, calls the
tools it was offered, and calls those it was not offered too. Where an answer must fit a schema, it
fills every text of it with the instruction.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

from assistant.engine.fake import FakeEngine
from assistant.types import Generated, Message, Request

_VERBS = {
    "remember": r"remember|memori[sz]e|save|store|note|record|learn|add|souviens-toi|merke dir",
    "forget": r"forget|delete|erase|wipe|remove|oublie|vergiss",
    "send": r"send|e?mail|post|upload|forward|message|tell everyone",
    "open": r"open|visit|fetch|run|execute|call|click|install",
}
_ORDER = re.compile(
    rf"\b(?P<verb>{'|'.join(_VERBS.values())})\b(?=(?P<rest>[^\n]*))", re.IGNORECASE | re.UNICODE
)
_HIDDEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_MOST = 12
"""Orders that one answer carries out."""


class Order(tuple[str, str]):
    """A tool's name, and what it is to be called with."""

    __slots__ = ()


def orders(messages: tuple[Message, ...]) -> list[Order]:
    """Every instruction in a prompt, the system's own apart, the latest first."""
    found: dict[Order, None] = {}
    for message in reversed([one for one in messages if one.role != "system"]):
        for part in reversed(message.parts):
            for match in _ORDER.finditer(_HIDDEN.sub("", part.text)):
                found.setdefault(Order((_tool(match["verb"]), match["rest"].strip(" :,.“”]\"'"))))
    return list(found)[:_MOST]


def _tool(verb: str) -> str:
    return next(name for name, verbs in _VERBS.items() if re.fullmatch(verbs, verb, re.IGNORECASE))


class ObedientEngine(FakeEngine):
    """See the module."""

    async def _say(self, request: Request) -> AsyncGenerator[Generated, None]:
        self.replies.append(_answer(request))
        async for item in super()._say(request):
            yield item


def _answer(request: Request) -> str:
    given = orders(request.messages)
    if request.format is not None:
        words = given[0][1] if given else "nothing"
        return json.dumps(_filled(request.format.schema or {"type": "object"}, words))
    said = [f"Done: {tool} {what}" for tool, what in given]
    names = {tool.name for tool in request.tools} | {tool for tool, _ in given}
    calls = [
        f"<tool_call>\n{json.dumps({'name': name, 'arguments': {'text': what}})}\n</tool_call>"
        for name in sorted(names)
        for _, what in given
    ]
    return "\n".join([*said, *calls]) or "I have nothing to do."


def _filled(schema: Mapping[str, Any], words: str) -> Any:
    """A value of this schema, with the attacker's words wherever there is room for any."""
    if options := schema.get("enum"):
        return options[0]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return _filled(schema[choice][0], words)
    match schema.get("type", "object"):
        case "object":
            return dict(_properties(schema, words))
        case "array":
            return [_filled(schema.get("items", {"type": "string"}), words)]
        case "number" | "integer":
            return schema.get("maximum", 1)
        case "boolean":
            return True
        case "null":
            return None
    return words[: schema.get("maxLength", len(words))]


def _properties(schema: Mapping[str, Any], words: str) -> Iterator[tuple[str, Any]]:
    for name, inner in schema.get("properties", {}).items():
        yield name, _filled(inner, words)
