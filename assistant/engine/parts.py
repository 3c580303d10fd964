"""The share of one generation in a batch, and the rows that all shares come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from assistant.engine.batch import Row

if TYPE_CHECKING:
    from assistant.engine.draft import Draft
    from assistant.engine.generation import Generation


class Part(NamedTuple):
    """See the module."""

    generation: Generation
    first: int
    """Its first row."""
    tokens: list[int]
    drafted: int
    """How many of its tokens, at the end, are guesses."""
    draft: Draft | None
    """The draft model, if they are its guesses."""
    output: bool


def part_of(
    generation: Generation,
    guesses: list[int],
    draft: Draft | None = None,
    count: int | None = None,
) -> Part:
    """The next `count` tokens of a generation, or all that are left, and guesses at what follows."""
    count = count or generation.left
    tokens = generation.tokens[generation.held : generation.held + count]
    output = count == generation.left and generation.spec.answer
    return Part(generation, 0, tokens + guesses, len(guesses), draft, output)


def rows_of(parts: Sequence[Part]) -> list[Row]:
    """In the order of the parts; each has a slot."""
    found: list[Row] = []
    for one in parts:
        slot = one.generation.slot
        assert slot is not None
        position, sequence = len(slot.tokens), slot.sequence
        # The last token before the guesses, and each guess, say what comes next.
        wanted = len(one.tokens) - one.drafted - 1 if one.output else len(one.tokens)
        found += [
            Row(token, position + i, sequence, one.output and i >= wanted)
            for i, token in enumerate(one.tokens)
        ]
    return found
