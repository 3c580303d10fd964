"""Values out of other programs' files: whatever is in them, what comes out can be stored."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.types import timestamp

PIECE_CHARS = 1_000
"""About as much of a long text as one note holds; paragraphs stay whole where they can."""

_EPOCHS = (1.0, 1e3, 1e6, 1e9)  # seconds, and the finer units some exports count in
_YEAR_2200 = 7_258_118_400.0
_HEADING = re.compile(r"#{1,6}\s")
_ITEM = re.compile(r"[-*+]\s+|\d{1,3}[.)]\s+")
_FENCE = re.compile(r"\s*(```|~~~)")


def moment(value: Any) -> str | None:
    """A time as stored, from seconds (or finer) since 1970 or ISO 8601; None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            return timestamp(datetime.fromisoformat(value.strip()))
        except (ValueError, OverflowError):
            value = _number(value)
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return None
    for unit in _EPOCHS:
        if value / unit < _YEAR_2200:
            return timestamp(datetime.fromtimestamp(value / unit, UTC))
    return None


def text(value: Any) -> str:
    """A text as it can be stored: empty if it is none, halves of characters replaced, no NUL."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and "\0" not in value:
        return value
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "")


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object; empty if it is none."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A JSON array; empty if it is none."""
    return value if isinstance(value, list) else []


def parsed(raw: bytes | str) -> Any:
    """JSON, also with lone surrogates and NaN. Raises ValueError."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        return json.loads(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def short(value: str) -> str:
    """A title or a place, in one line and within the limit of such."""
    line = " ".join(value.split())
    most = LIMITS.title_chars
    return line if len(line) <= most else line[: most - 1] + "…"


def pieces(whole: str, *, by_item: bool = False) -> Iterator[str]:
    """A long text in pieces of about PIECE_CHARS; a heading stays with what follows it.

    With `by_item`, each item of a list is one of its own: a list of memories.
    """
    held: list[str] = []
    for block in _blocks(whole, by_item):
        heading = bool(_HEADING.match(block))
        alone = by_item and bool(_ITEM.match(block))
        full = sum(map(len, held)) + len(block) > PIECE_CHARS
        headings = all(_HEADING.match(one) for one in held)
        if held and (heading or alone or full) and not headings:
            yield from _cut("\n\n".join(held))
            held = []
        held.append(block)
    if held:
        yield from _cut("\n\n".join(held))


def _blocks(whole: str, by_item: bool) -> Iterator[str]:
    """Paragraphs, headings, fenced code; with `by_item` also the items of lists."""
    lines: list[str] = []
    fenced = False
    for line in whole.splitlines():
        starts = _HEADING.match(line) or (by_item and _ITEM.match(line))
        if not fenced and (not line.strip() or starts) and lines:
            yield "\n".join(lines)
            lines = []
        if _FENCE.match(line):
            fenced = not fenced
        if line.strip() or fenced:
            lines.append(line.rstrip())
        if not fenced and _HEADING.match(line):
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _cut(piece: str) -> Iterator[str]:
    most = LIMITS.memory_chars
    for at in range(0, len(piece), most):
        part = piece[at : at + most].strip()
        if any(character.isalnum() for character in part):
            yield part


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
