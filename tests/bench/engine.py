"""The engine against its peers: the groups of measurements, in the order they are run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench import (
    crowd,
    first_token,
    growth,
    leaving,
    long_chat,
    neighbours,
    speculation,
    throughput,
)
from tests.bench.table import Row

Group = Callable[[Path, int, dict[str, Any]], Iterator[Row]]
"""Measures in a folder, so many runs; what is to be plotted goes into the mapping."""

GROUPS: dict[str, Group] = {
    "throughput": throughput.measure,
    "first_token": first_token.measure,
    "long_chat": long_chat.measure,
    "neighbours": neighbours.measure,
    "speculation": speculation.measure,
    "crowd": crowd.measure,
    "growth": growth.measure,
    "leaving": leaving.measure,
}
