"""Pure: a text as passages that are worked on one by one, and what stands between them, kept as it is.

A small model keeps to a paragraph better than to a page, and what no model is shown it cannot change:
blank lines, indents and lines without a letter come back byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

PASSAGE_CHARS = 1_200
"""A longer paragraph is split, at a line's end or else a sentence's."""

_BLANK = re.compile(r"(\s*\n[^\S\n]*\n\s*)")
_LINES = re.compile(r"[^\n]*\n?")
_SENTENCES = re.compile(r".+?(?:[.!?…。！？]+[\"'”’»)\]]*\s+|$)", re.DOTALL)  # noqa: RUF001
_LETTER = re.compile(r"[^\W\d_]")


class Passage(msgspec.Struct, frozen=True):
    """A piece of a text."""

    text: str
    keep: bool = False
    """Nobody works on it."""


def passages(text: str, *, whole: bool = False) -> list[Passage]:
    """The pieces of a text; joined, they are the text. `whole`: all but its margins is one piece."""
    pieces = [text] if whole else [one for part in _BLANK.split(text) for one in _bounded(part)]
    return list(_merged(one for piece in pieces for one in _trimmed(piece)))


def _bounded(part: str) -> Iterator[str]:
    """Pieces of at most PASSAGE_CHARS, where lines and sentences allow it."""
    if len(part) <= PASSAGE_CHARS:
        yield part
        return
    for pattern in (_LINES, _SENTENCES):
        units = [unit for unit in pattern.findall(part) if unit]
        if len(units) > 1:
            break
    else:
        yield from (part[at : at + PASSAGE_CHARS] for at in range(0, len(part), PASSAGE_CHARS))
        return
    held = ""
    for unit in units:
        if held and len(held) + len(unit) > PASSAGE_CHARS:
            yield from _bounded(held) if len(held) < len(part) else [held]
            held = ""
        held += unit
    yield from _bounded(held) if len(held) < len(part) else [held]


def _trimmed(piece: str) -> Iterator[Passage]:
    """Without its margins, which are kept."""
    core = piece.strip()
    if not core or not _LETTER.search(core):
        yield Passage(piece, keep=True)
        return
    start = piece.index(core)
    yield Passage(piece[:start], keep=True)
    yield Passage(core)
    yield Passage(piece[start + len(core) :], keep=True)


def _merged(pieces: Iterator[Passage]) -> Iterator[Passage]:
    """What is kept, in one piece where it is one."""
    held = ""
    for piece in pieces:
        if piece.keep:
            held += piece.text
            continue
        if held:
            yield Passage(held, keep=True)
            held = ""
        yield piece
    if held:
        yield Passage(held, keep=True)
