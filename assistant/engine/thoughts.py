"""What a reasoning model thinks before it answers, told apart from the answer.

Qwen 3, QwQ and DeepSeek-R1 write `<think>…</think>` first; some templates open it themselves, and
then only the end is written.
"""

from __future__ import annotations

from assistant.engine.text import overlap
from assistant.types import Piece, Thought

OPEN, CLOSE = "<think>", "</think>"


class Thoughts:
    """Feed it raw text at any cut. White space around the thought is dropped."""

    def __init__(self, *, opened: bool = False) -> None:
        """`opened`: the prompt ends with the mark that opens a thought."""
        self._held = ""
        self._step = self._thought if opened else self._start
        self._edge = opened
        """Whether nothing but white space came since the last mark."""

    def push(self, text: str) -> list[Thought | Piece]:
        """What this text completes."""
        self._held += text
        items: list[Thought | Piece] = []
        while (found := self._step()) is not None:
            items += found
        return items

    def close(self) -> list[Thought | Piece]:
        """What was held back: all of it is white space, or the beginning of a mark."""
        held, self._held = self._held, ""
        if not held.strip() and self._step != self._start:
            return []
        return [Thought(held)] if self._step == self._thought else [Piece(held)] if held else []

    def _start(self) -> list[Thought | Piece] | None:
        """An answer begins with a thought or has none."""
        text = self._held.lstrip()
        if len(text) < len(OPEN) and OPEN.startswith(text):
            return None
        if text.startswith(OPEN):
            self._held, self._step, self._edge = text[len(OPEN) :], self._thought, True
        else:
            self._step = self._answer
        return []

    def _thought(self) -> list[Thought | Piece] | None:
        before, mark, after = self._held.partition(CLOSE)
        if not mark:
            before = before[: len(before) - overlap(before, (CLOSE,))]
        text = before.rstrip()
        self._held = after if mark else self._held[len(text) :]
        if self._edge:
            text = text.lstrip()
        self._edge = bool(mark) or (self._edge and not text)
        if mark:
            self._step = self._answer
            return [Thought(text)] if text else []
        return [Thought(text)] if text else None

    def _answer(self) -> list[Thought | Piece] | None:
        text = self._held.lstrip() if self._edge else self._held
        self._held, self._edge = "", self._edge and not text
        return [Piece(text)] if text else None
