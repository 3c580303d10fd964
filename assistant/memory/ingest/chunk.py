"""Pure: blocks of a file to passages of a size that is found well and quoted whole.

Small neighbours under one heading share a passage, a long block is cut where its text pauses.
Nothing overlaps: neighbours of a hit are looked at by recall itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

import msgspec

from assistant.config import LIMITS
from assistant.memory.ingest.passages import Block, Passage, Place, cleaned

TARGET_CHARS = 900
"""A passage is closed where the next block would take it over this."""
MOST_CHARS = LIMITS.chunk_chars
_PAUSES = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?…](?=[\s\"')\]»”])|[\u3002\uff01\uff1f]"),
    re.compile(r"\s"),
)
"""Where to cut, best first."""


def passages(blocks: Iterable[Block], most_chars: int = MOST_CHARS) -> Iterator[Passage]:
    """The passages of these blocks, in order; none is longer than `most_chars`.

    Where the blocks end in an error, what came before it is yielded first.
    """
    held: list[Block] = []
    size = 0
    try:
        for block in blocks:
            text = cleaned(block.text)
            if not text.strip():
                continue
            block = msgspec.structs.replace(block, text=text)
            if held and (
                size + len(text) > min(TARGET_CHARS, most_chars) or not _joins(held[-1], block)
            ):
                yield from _close(held, most_chars)
                held, size = [], 0
            held.append(block)
            size += len(text) + 2
    except Exception:
        yield from _close(held, most_chars)
        raise
    yield from _close(held, most_chars)


def _joins(one: Block, other: Block) -> bool:
    if one.apart or other.apart or one.said_at != other.said_at:
        return False
    bare = [msgspec.structs.replace(block.place, lines=None) for block in (one, other)]
    return bare[0] == bare[1]


def _close(held: list[Block], most_chars: int) -> Iterator[Passage]:
    if not held:
        return
    if len(held) == 1:
        yield from _cut(held[0], most_chars)
        return
    text = "\n\n".join(block.text for block in held)
    first, last = held[0].place.lines, held[-1].place.lines
    lines = (first[0], last[1]) if first and last else None
    if _says_something(text):
        yield Passage(
            text.strip(), msgspec.structs.replace(held[0].place, lines=lines), held[0].said_at
        )


def _cut(block: Block, most_chars: int) -> Iterator[Passage]:
    text, start = block.text, 0
    while start < len(text):
        end = _end(text, start, most_chars)
        piece = text[start:end]
        if _says_something(piece):
            yield Passage(piece.strip(), _place(block, text, start, end), block.said_at)
        start = end


def _end(text: str, start: int, most: int) -> int:
    """Where the passage that begins at `start` ends: at the last good pause of its second half."""
    if len(text) - start <= most:
        return len(text)
    half, full = start + most // 2, start + most
    for pause in _PAUSES:
        ends = [found.end() for found in pause.finditer(text, half, full)]
        if ends:
            return ends[-1]
    # A base letter and its accents stay together.
    while full > half and unicodedata.combining(text[full]):
        full -= 1
    return full


def _place(block: Block, text: str, start: int, end: int) -> Place:
    if block.place.lines is None:
        return block.place
    piece = text[start:end]
    lead = len(piece) - len(piece.lstrip())
    first = block.place.lines[0] + text.count("\n", 0, start + lead)
    last = first + piece.strip().count("\n")
    return msgspec.structs.replace(block.place, lines=(first, last))


def _says_something(text: str) -> bool:
    """A rule of dashes is no passage."""
    return any(character.isalnum() for character in text)
