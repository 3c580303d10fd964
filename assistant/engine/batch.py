"""A batch as the scheduler composes it and llama.cpp takes it: sizes, rows, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple

BATCH_TOKENS = 512
OUTPUT_ROWS = 64
"""Rows of one batch whose next token can be chosen; each costs the graph a row of the vocabulary."""
OK, FULL, ABORTED = 0, 1, 2
"""What llama_decode returns: done; no cells left; the abort callback said so. Below 0: it failed."""


class Row(NamedTuple):
    """One token to be computed."""

    token: int
    position: int
    sequence: int
    output: bool
    """Whether the token after it is wanted."""
