"""Drafting by prompt-lookup: a page with typos, copied with the typos fixed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.bench import texts
from tests.bench.nestor import Nestor, nestor
from tests.bench.progress import say
from tests.bench.stream import Answer, body, complete
from tests.bench.table import Row, ratio

LEAST = 1.5
_TOKENS = 480
_SETTING = "NESTOR_LOOKUP"


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row. About 3 minutes for 5 runs. Two daemons, of which one is always idle."""
    found: dict[str, list[Answer]] = {"on": [], "off": []}
    with (
        nestor(home / "on", **{_SETTING: "on"}) as on,
        nestor(home / "off", **{_SETTING: "off"}) as off,
    ):
        before = on.timing()
        for run in range(runs):
            for name, server in (("on", on), ("off", off)):
                found[name].append(_fix(server, run))
            speeds = ", ".join(f"{name} {a[-1].tokens_per_s:.1f}" for name, a in found.items())
            say(f"lookup, run {run + 1} of {runs}: {speeds} tokens/s")
        after = on.timing()
    steps, tokens = (after[name] - before[name] for name in ("steps", "tokens"))
    yield from _rows(found["on"], found["off"], f"{tokens / steps:.2f} tokens a step")


def _fix(server: Nestor, run: int) -> Answer:
    # A fresh first line each run: the prompt has to be read, as it would be.
    ask = f"Page {run + 1}. {texts.FIX}{texts.TYPOS}"
    return complete(server, body([{"role": "user", "content": ask}], _TOKENS))


def _rows(on: list[Answer], off: list[Answer], note: str) -> Iterator[Row]:
    speeds = [[answer.tokens_per_s for answer in answers] for answers in (on, off)]
    yield Row("fix the typos, with prompt-lookup", "tokens/s", speeds[0], note=note)
    yield Row("fix the typos, without", "tokens/s", speeds[1])
    yield ratio("fix the typos: speed with prompt-lookup, of that without", *speeds, least=LEAST)
    same = [_in_common(a.text, b.text) for a, b in zip(on, off)]
    yield Row("the same text with and without, up to the first parting", "% of the text", same,
              note=_parting(on, off) or "never parted")  # fmt: skip


def _in_common(one: str, other: str) -> float:
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other)))
    return 100.0 if one == other else 100 * same / max(len(one), len(other))


def _parting(on: list[Answer], off: list[Answer]) -> str:
    """Where the texts of a run part, shown so that a reader can judge whether it is a tie."""
    for run, (a, b) in enumerate(zip(on, off), 1):
        if a.text != b.text:
            at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a.text, b.text)))
            shown = [repr(text[max(0, at - 12) : at + 12]) for text in (a.text, b.text)]
            return f"run {run} parts at character {at}: {shown[0]} against {shown[1]}"
    return ""
