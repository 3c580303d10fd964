"""An answer in the shapes of OpenAI's API reference: whole, or in chunks as it comes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

from assistant.api.replies import error_body
from assistant.errors import AssistantError
from assistant.types import Finished, Generated, Piece, Prefilled, Thought, ToolPiece, new_id


class Answer:
    """One completion, in either form. Of its calls, only the first `most_calls` are shown."""

    def __init__(self, model: str, prefilled: Prefilled, *, most_calls: int = 0) -> None:
        self._head = {"id": new_id("chatcmpl"), "created": int(time.time()), "model": model}
        self._prefilled = prefilled
        self._most_calls = most_calls

    async def whole(self, items: AsyncGenerator[Generated, None]) -> dict[str, Any]:
        """The chat completion object."""
        parts: dict[type[Generated], list[str]] = {Piece: [], Thought: []}
        calls: list[dict[str, Any]] = []
        end: Finished | None = None
        async with contextlib.aclosing(items):
            async for item in items:
                match item:
                    case Piece(text) | Thought(text):
                        parts[type(item)].append(text)
                    case ToolPiece() if self._wanted(item):
                        _add(calls, item)
                    case Finished():
                        end = item
        assert end is not None
        message = _message("".join(parts[Piece]), "".join(parts[Thought]), calls)
        choice = {"index": 0, "message": message, "finish_reason": end.reason, "logprobs": None}
        return self._head | {
            "object": "chat.completion",
            "choices": [choice],
            "usage": self._usage(end),
        }

    async def chunks(
        self, items: AsyncGenerator[Generated, None], *, usage: bool
    ) -> AsyncGenerator[bytes, None]:
        """Lines of an event stream. An error on the way is one of them."""
        # Where calls may come, whether there is any content is not known yet.
        content = None if self._most_calls else ""
        yield self._chunk({"role": "assistant", "content": content}, None)
        try:
            async with contextlib.aclosing(items):
                async for item in items:
                    if delta := self._delta(item):
                        yield self._chunk(delta, None)
                    elif isinstance(item, Finished):
                        yield self._chunk({}, item.reason)
                        if usage:
                            yield self._data({"choices": [], "usage": self._usage(item)})
        except AssistantError as exc:
            yield _line(error_body(exc, "/v1/"))
        yield b"data: [DONE]\n\n"

    def _delta(self, item: Generated) -> dict[str, Any] | None:
        match item:
            case Piece(text):
                return {"content": text}
            case Thought(text):
                return {"reasoning_content": text}
            case ToolPiece() if self._wanted(item):
                return {"tool_calls": [{"index": item.index} | _call(item)]}
        return None

    def _wanted(self, piece: ToolPiece) -> bool:
        return piece.index < self._most_calls

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return self._data({"choices": [choice]})

    def _data(self, rest: dict[str, Any]) -> bytes:
        return _line(self._head | {"object": "chat.completion.chunk"} | rest)

    def _usage(self, end: Finished) -> dict[str, Any]:
        read = self._prefilled.tokens
        return {
            "prompt_tokens": read,
            "completion_tokens": end.tokens_out,
            "total_tokens": read + end.tokens_out,
            "prompt_tokens_details": {"cached_tokens": self._prefilled.cached},
        }


def _message(text: str, thought: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """`content` is null where there are calls and no text; the rest is there only if it is."""
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    return message


def _call(piece: ToolPiece) -> dict[str, Any]:
    """The first piece of a call has its id and name, those after it only more of its arguments."""
    if not piece.id:
        return {"function": {"arguments": piece.arguments}}
    function = {"name": piece.name, "arguments": piece.arguments}
    return {"id": piece.id, "type": "function", "function": function}


def _add(calls: list[dict[str, Any]], piece: ToolPiece) -> None:
    if piece.id:
        calls.append(_call(piece))
    else:
        calls[piece.index]["function"]["arguments"] += piece.arguments


def _line(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
