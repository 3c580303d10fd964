"""Pure: what changed between two texts, word by word, as data.

`keep` and `delete` joined are the old text, `keep` and `insert` the new one, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

Op = Literal["keep", "delete", "insert"]

_TOKEN = re.compile(r"\w+(?:[-.,'’@]\w+)*|\s+|[^\w\s]")  # noqa: RUF001
MOST_TOKENS = 4_000
"""Of what differs; beyond it lines are compared, for the time words take grows with their square."""


class Change(msgspec.Struct, frozen=True):
    """A piece of both texts, or of one of them."""

    op: Op
    text: str


class Hunk(msgspec.Struct, frozen=True):
    """Where two texts differ: what was there, and what is there instead."""

    old: str
    new: str
    before: str = ""
    """What stands right before it in both."""


def tokens(text: str) -> list[str]:
    """Words, white space and marks; joined, they are the text."""
    return _TOKEN.findall(text)


def diff(old: str, new: str) -> list[Change]:
    """The changes from `old` to `new`, in order. Of neighbours, what went comes before what came."""
    return joined(
        change
        for piece in hunks(old, new)
        for change in (
            (Change("keep", piece),)
            if isinstance(piece, str)
            else (Change("delete", piece.old), Change("insert", piece.new))
        )
    )


def hunks(old: str, new: str) -> Iterator[str | Hunk]:
    """What both share, and where they differ, in order."""
    a, b = tokens(old), tokens(new)
    if len(a) + len(b) > MOST_TOKENS:
        a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    last = ""
    # Spaces are everywhere: as anchors they would tie words together that have nothing in common.
    matcher = SequenceMatcher(str.isspace, a, b, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            last = "".join(a[a0:a1])
            yield last
        else:
            yield Hunk("".join(a[a0:a1]), "".join(b[b0:b1]), last)


def likeness(old: str, new: str) -> float:
    """How much of both is the same, 0 to 1, in letters."""
    shared = sum(len(one.text) for one in diff(old, new) if one.op == "keep")
    return 2.0 * shared / (len(old) + len(new)) if old or new else 1.0


def joined(changes: Iterable[Change]) -> list[Change]:
    """Neighbours of a kind in one, empty ones left out; between two `keep`, deletes come first."""
    out: list[Change] = []
    for change in changes:
        if not change.text:
            continue
        if out and out[-1].op == change.op:
            out[-1] = Change(change.op, out[-1].text + change.text)
        elif (
            len(out) > 1
            and change.op == "delete"
            and (out[-1].op, out[-2].op) == ("insert", "delete")
        ):
            out[-2] = Change("delete", out[-2].text + change.text)
        else:
            out.append(change)
    return out


def old_of(changes: Sequence[Change]) -> str:
    """The old text."""
    return "".join(one.text for one in changes if one.op != "insert")


def new_of(changes: Sequence[Change]) -> str:
    """The new text."""
    return "".join(one.text for one in changes if one.op != "delete")
