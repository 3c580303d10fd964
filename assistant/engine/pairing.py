"""Whether two models speak in the same tokens, so that one can guess for the other."""

from __future__ import annotations

from itertools import chain
from typing import Protocol

PADDING = 128
"""Tokens that the larger model may have more: sizes are rounded up, and nobody says what fills them."""
ENDS = 600
"""Tokens at either end that are compared one by one: control tokens lie there."""
SPREAD = 53
"""Of the others, every so manyth is."""


class Vocabulary(Protocol):
    """The tokens of a model; see `llama.Llama`."""

    vocabulary_size: int

    def piece(self, token: int, *, special: bool = False) -> bytes: ...
    def markers(self) -> list[int]: ...


def difference(model: Vocabulary, draft: Vocabulary) -> str:
    """Why `draft` cannot guess for `model`, in one line; empty if it can."""
    size, other = model.vocabulary_size, draft.vocabulary_size
    if not 0 <= size - other <= PADDING:
        return f"Its vocabulary is another: {other} tokens, not {size}."
    sample = chain(
        range(min(ENDS, other)),
        range(ENDS, other, SPREAD),
        range(max(0, other - ENDS), other),
        (token for token in (*model.markers(), *draft.markers()) if token < other),
    )
    for token in sample:
        if model.piece(token, special=True) != draft.piece(token, special=True):
            return f"Its vocabulary is another: token {token} is not the same."
    return ""
