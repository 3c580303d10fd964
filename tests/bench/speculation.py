"""Guessing ahead: by prompt-lookup, in a page that is copied with its typos fixed; and with a draft model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from assistant.config import load_paths
from assistant.engine.catalogue import Catalogue
from tests.bench import texts
from tests.bench.nestor import Nestor, nestor
from tests.bench.progress import say
from tests.bench.stream import Answer, body, complete
from tests.bench.table import Row, ratio

LEAST = 1.5
DRAFT_LEAST = 0.95
"""Where a draft model does not pay it rests, and costs next to nothing."""
MODEL, DRAFT = "small", "starter"
_TOKENS = 480
_FREE_TOKENS = 192
_KEYS = ("drafted", "accepted", "resting")


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row. About 12 minutes for 5 runs. Two daemons at a time, of which one is always idle."""
    yield from _lookup(home / "lookup", runs)
    yield from _drafting(home / "draft", runs)


# --- prompt-lookup -----------------------------------------------------------------------------


def _lookup(home: Path, runs: int) -> Iterator[Row]:
    found: dict[str, list[Answer]] = {"on": [], "off": []}
    with (
        nestor(home / "on", NESTOR_LOOKUP="on") as on,
        nestor(home / "off", NESTOR_LOOKUP="off") as off,
    ):
        before = on.timing()
        for run in range(runs):
            for name, server in (("on", on), ("off", off)):
                found[name].append(_fix(server, run))
            _say("lookup", run, runs, found)
        after = on.timing()
    steps, tokens = (after[name] - before[name] for name in ("steps", "tokens"))
    note = f"{tokens / steps:.2f} tokens a step"
    task, means = "fix the typos", "prompt-lookup"
    yield from _rows(task, means, found["on"], found["off"], note, LEAST)


# --- a draft model -----------------------------------------------------------------------------


def _drafting(home: Path, runs: int) -> Iterator[Row]:
    catalogue = Catalogue(load_paths().models)
    absent = [name for name in (MODEL, DRAFT) if catalogue.state(catalogue.get(name)) != "present"]
    if absent:
        missing = f"not on this machine: {', '.join(absent)}"
        yield Row(f"{MODEL} with {DRAFT} as its draft, tokens/s", "tokens/s", [], problem=missing)
        return
    with (
        nestor(home / "on", model=MODEL, NESTOR_DRAFT_MODEL=DRAFT) as on,
        nestor(home / "off", model=MODEL, NESTOR_DRAFT_MODEL="off") as off,
    ):
        model = on.status()["model"]
        if model["draft"] != DRAFT:
            problem = model["draft_problem"]
            yield Row(f"{MODEL} with {DRAFT} as its draft", "tokens/s", [], problem=problem)
            return
        for task, ask in (("free text", _tell), ("fix the typos", _fix)):
            found: dict[str, list[Answer]] = {"on": [], "off": []}
            for run in range(runs):
                for name, server in (("on", on), ("off", off)):
                    found[name].append(ask(server, run))
                _say(f"draft, {task}", run, runs, found)
            yield from _rows(
                f"{MODEL}, {task}", f"{DRAFT} as its draft", found["on"], found["off"],
                _account(on), DRAFT_LEAST,
            )  # fmt: skip


def _account(server: Nestor) -> str:
    report: dict[str, Any] = server.timing().get("draft") or {}  # type: ignore[assignment]
    said = ", ".join(f"{report[key]:g} {key}" for key in _KEYS if key in report)
    return f"of the draft model so far: {said}"


# --- what is asked, and what comes of it -------------------------------------------------------


def _tell(server: Nestor, run: int) -> Answer:
    return complete(server, body(texts.story(run, 0), _FREE_TOKENS))


def _fix(server: Nestor, run: int) -> Answer:
    # A fresh first line each run: the prompt has to be read, as it would be.
    ask = f"Page {run + 1}. {texts.FIX}{texts.TYPOS}"
    return complete(server, body([{"role": "user", "content": ask}], _TOKENS))


def _say(what: str, run: int, runs: int, found: dict[str, list[Answer]]) -> None:
    speeds = ", ".join(f"{name} {a[-1].tokens_per_s:.1f}" for name, a in found.items())
    say(f"{what}, run {run + 1} of {runs}: {speeds} tokens/s")


def _rows(
    task: str, means: str, on: Sequence[Answer], off: Sequence[Answer], note: str, least: float
) -> Iterator[Row]:
    speeds = [[answer.tokens_per_s for answer in answers] for answers in (on, off)]
    yield Row(f"{task}, with {means}", "tokens/s", speeds[0], note=note)
    yield Row(f"{task}, without", "tokens/s", speeds[1])
    yield ratio(f"{task}: speed with {means}, of that without", *speeds, least=least)
    same = [_in_common(a.text, b.text) for a, b in zip(on, off)]
    name = f"{task}: the same text with and without, up to the first parting"
    yield Row(name, "% of the text", same, note=_parting(on, off) or "never parted")


def _in_common(one: str, other: str) -> float:
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other)))
    return 100.0 if one == other else 100 * same / max(len(one), len(other))


def _parting(on: Sequence[Answer], off: Sequence[Answer]) -> str:
    """Where the texts of a run part, shown so that a reader can judge whether it is a tie."""
    for run, (a, b) in enumerate(zip(on, off), 1):
        if a.text != b.text:
            at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a.text, b.text)))
            shown = [repr(text[max(0, at - 12) : at + 12]) for text in (a.text, b.text)]
            return f"run {run} parts at character {at}: {shown[0]} against {shown[1]}"
    return ""
