"""The same text in other tokens: what a model wrote is not always split as a tokenizer would split it.

Kept apart, the rest of a chat would have to be read again from the first such place on. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from assistant.engine.slots import common

WINDOW = 64
"""Tokens within which two ways to split a text must meet again."""

Piece = Callable[[int], bytes]


def align(held: Sequence[int], wanted: Sequence[int], piece: Piece) -> list[int]:
    """`wanted`, written in the tokens of `held` as far as both say the same.

    `piece` gives the bytes of a token, none of a control token: across those nothing is joined.
    """
    out = list(wanted)
    at = common(held, np.asarray(out, np.int32))
    while at < min(len(held), len(out)):
        met = _meet(held[at : at + WINDOW], out[at : at + WINDOW], piece)
        if met is None:
            break
        ours, theirs = met
        out[at : at + theirs] = held[at : at + ours]
        at += ours
        at += common(held[at:], np.asarray(out[at:], np.int32))
    return out


def _meet(held: Sequence[int], wanted: Sequence[int], piece: Piece) -> tuple[int, int] | None:
    """After how many tokens of each the same bytes were said; None if they differ."""
    a = b = b""
    i = j = 0
    while True:
        if len(a) <= len(b):
            if i == len(held) or not (more := piece(held[i])):
                return None
            a, i = a + more, i + 1
        else:
            if j == len(wanted) or not (more := piece(wanted[j])):
                return None
            b, j = b + more, j + 1
        size = min(len(a), len(b))
        if a[:size] != b[:size]:
            return None
        if len(a) == len(b):
            return i, j
