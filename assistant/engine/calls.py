"""Tool calls, read out of an answer as it streams.

A call stands between its family's marks. An answer that begins with a call in bare JSON, or in a
Markdown block, is one too: so write Llama 3, which has no marks, and models that know others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.engine.dialects import Dialect
from assistant.engine.text import overlap
from assistant.types import Generated, Piece, Tool, ToolPiece, new_id

BLANK = r"( |\n(\t| {0,4}))?"
"""White space around the names of a bare call; bounded, since small models fill pages with it."""
_FENCES = ("", "```", "```json")


def bare_head(tools: Sequence[Tool]) -> str:
    """A regular expression (Python's and Rust's) of how an answer begins that is a bare call."""
    names = "|".join(re.escape(tool.name).replace("/", r"\/") for tool in tools)
    return rf'{BLANK}(```(json)?{BLANK})?\{{{BLANK}"name"{BLANK}:{BLANK}"({names})"'


class Calls:
    """Feed it an answer at any cut. What may begin a call is held back; white space before it is dropped.

    `bare`: the tools whose calls count without marks.
    """

    def __init__(self, dialect: Dialect, bare: Sequence[Tool] = ()) -> None:
        self._opening = dialect.opening
        self._head = re.compile(
            rf'\{{\s*"name"\s*:\s*"([^"]*)"\s*,\s*"{dialect.arguments}"\s*:\s*(?=\{{)'
        )
        self._held = ""
        self._count = 0
        self._value = _Value()
        self._bare = re.compile(bare_head(bare)) if bare else None
        self._begins = [f'{fence}{{"name":"{tool.name}"' for fence in _FENCES for tool in bare]
        self._step = self._start if bare else self._text
        """What is read now: gives what the held text holds of it, None if more must come first."""

    @property
    def complete(self) -> bool:
        """Whether there was a call, and none was cut off."""
        return self._count > 0 and self._step != self._arguments

    def push(self, text: str) -> list[Generated]:
        """What this text completes."""
        self._held += text
        items: list[Generated] = []
        while (found := self._step()) is not None:
            items += found
        return items

    def close(self) -> list[Generated]:
        """What was held back; a call that was cut off before its arguments is nothing."""
        held, self._held = self._held, ""
        return [Piece(held)] if held and self._step in (self._start, self._text) else []

    def _start(self) -> list[Generated] | None:
        """Is the answer a bare call?"""
        squeezed = re.sub(r"\s", "", self._held)
        if self._bare and self._bare.match(self._held):
            self._step = self._begin
        elif any(b.startswith(squeezed) and b != squeezed for b in self._begins):
            return None
        else:
            self._step = self._text if self._opening else self._plain
        return []

    def _plain(self) -> list[Generated] | None:
        text, self._held = self._held, ""
        return [Piece(text)] if text else None

    def _text(self) -> list[Generated] | None:
        """Text up to the mark that opens a call."""
        before, mark, after = self._held.partition(self._opening)
        if mark:
            text, self._held, self._step = before.rstrip(), after, self._begin
            return [Piece(text)] if text else []
        text = before[: len(before) - overlap(before, (self._opening,))].rstrip()
        self._held = before[len(text) :]
        return [Piece(text)] if text else None

    def _begin(self) -> list[Generated] | None:
        """A call up to its arguments, and what stands between two calls."""
        found = self._head.search(self._held)
        if found is None:
            return None
        self._held = self._held[found.end() :]
        self._value, self._step = _Value(), self._arguments
        self._count += 1
        return [ToolPiece(self._count - 1, new_id("call"), found[1])]

    def _arguments(self) -> list[Generated] | None:
        size = self._value.take(self._held)
        text, self._held = self._held[:size], self._held[size:]
        if self._value.complete:
            self._step = self._begin
        return [ToolPiece(self._count - 1, arguments=text)] if text else None


class _Value:
    """Follows a JSON object to its end."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False
        self.complete = False

    def take(self, text: str) -> int:
        """How many characters of `text` belong to it."""
        for at, character in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped = character == "\\"
                self._quoted = character != '"'
            elif character == '"':
                self._quoted = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if not self._depth:
                    self.complete = True
                    return at + 1
        return len(text)
