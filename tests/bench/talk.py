"""Long made-up conversations of many people, with questions and the turns that answer them.

From tests/data/talk_*.txt: episodes with facts in them among small talk that has none, in each
person's own style, with values, times and order drawn by seed. Odd episodes are for development,
even ones are held out, so a figure of one half says nothing about having fitted the other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

_DATA = Path(__file__).parents[1] / "data"
_CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")
_SLOT = re.compile(r"\{(\w+)(?:\.\d)?\}")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BEGIN = NOW - timedelta(days=600)
SEASONS = {"winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}
_NUMBERS = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ASIDES = (
    "Sorry for the late reply.", "Anyway.", "Long story.", "What a week.", "Hold on, brb.",
    "Where was I?", "Don't tell anyone yet.", "I keep forgetting to tell people.", "So there.",
)  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """One thing said."""

    text: str
    speaker: str
    thread: str
    said_at: str


@dataclass(frozen=True)
class Ask:
    """A question and the places of the turns that answer it."""

    text: str
    evidence: tuple[int, ...]
    timed: bool


@dataclass
class Talk:
    """All of it, in the order it was said within each thread."""

    turns: list[Turn] = field(default_factory=list)
    questions: list[Ask] = field(default_factory=list)


@dataclass(frozen=True)
class _Episode:
    name: str
    lines: tuple[tuple[str, str, str], ...]
    """Speaker `a` or `b`, number of the evidence or nothing, text."""
    questions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Person:
    name: str
    style: str
    he: str
    his: str


_Block = list[tuple[_Person, str, str]]
"""Who says what, in order; in the middle the number of the evidence, or nothing."""


def talk(seed: int, *, held_out: bool, pairs: int = 10, sessions: int = 27) -> Talk:
    """About 500 turns a pair of people. The same arguments give the same talk."""
    rng = random.Random(seed)
    episodes = [e for n, e in enumerate(_episodes()) if n % 2 == held_out]
    names = rng.sample(_POOLS["person"], 2 * pairs)
    people = [_person(name, rng) for name in names]
    made = Talk()
    for pair in range(pairs):
        _live(made, people[2 * pair], people[2 * pair + 1], episodes, sessions, rng)
    rng.shuffle(made.questions)
    return made


def _person(name: str, rng: random.Random) -> _Person:
    he, his = rng.choice((("he", "his"), ("she", "her")))
    return _Person(name, rng.choice(("proper", "lower", "chatty", "plain")), he, his)


def _live(
    made: Talk,
    one: _Person,
    two: _Person,
    episodes: list[_Episode],
    sessions: int,
    rng: random.Random,
) -> None:
    """All that two people say to each other: each episode once from either side, chat in between."""
    told = [(e, a, b) for e in episodes for a, b in ((one, two), (two, one))]
    # Not everything happens to everybody.
    told = rng.sample(told, len(told) * 2 // 5)
    thread = f"{one.name} and {two.name}"
    length = (NOW - BEGIN) / sessions
    for session in range(sessions):
        clock = BEGIN + length * session + timedelta(hours=rng.uniform(0, 20 * 24))
        blocks: list[_Block] = []
        played: dict[int, tuple[_Episode, dict[str, str]]] = {}
        first, last = (at * len(told) // sessions for at in (session, session + 1))
        for episode, a, b in told[first:last]:
            values = _values(a, b, rng)
            blocks.append(_played(episode, a, b, values, rng))
            played[id(blocks[-1])] = (episode, values)
        blocks.extend(_chatter(one, two, rng) for _ in range(rng.randint(2, 6)))
        rng.shuffle(blocks)
        for block in blocks:
            marks: dict[str, int] = {}
            for person, mark, text in block:
                clock += timedelta(seconds=rng.randint(20, 300))
                if mark:
                    marks[mark] = len(made.turns)
                said = clock.isoformat(timespec="seconds")
                made.turns.append(Turn(_styled(text, person, rng), person.name, thread, said))
            if id(block) in played:
                episode, values = played[id(block)]
                made.questions.extend(_asked(episode, values, marks, clock, rng))


def _played(
    episode: _Episode, a: _Person, b: _Person, values: dict[str, str], rng: random.Random
) -> _Block:
    block = []
    for who, mark, text in episode.lines:
        said = _fill(text, values, rng)
        if mark and rng.random() < 0.3:
            aside = rng.choice(_ASIDES)
            said = f"{aside} {said}" if rng.random() < 0.5 else f"{said}. {aside}"
        block.append((a if who == "a" else b, mark, said))
        if rng.random() < 0.12:
            person, _, aside = rng.choice(_chatter(a, b, rng))
            block.append((person, "", aside))
    return block


def _asked(
    episode: _Episode,
    values: dict[str, str],
    marks: dict[str, int],
    said: datetime,
    rng: random.Random,
) -> Iterator[Ask]:
    for numbers, text in episode.questions:
        timed = "{when}" in text
        filled = _fill(text, values | {"when": _when(said, rng)}, rng)
        filled = filled[0].upper() + filled[1:]
        yield Ask(filled, tuple(marks[number] for number in numbers), timed)


def _when(said: datetime, rng: random.Random) -> str:
    """A time as people name it, true at NOW."""
    ways = [f"in {said:%B %Y}", f"on {said.day} {said:%B %Y}", f"in {said:%B} {said.year}"]
    season = next(name for name, months in SEASONS.items() if said.month in months)
    if season != "winter":
        ways.append(f"in the {season} of {said.year}")
    ago = (NOW.year - said.year) * 12 + NOW.month - said.month
    if 2 <= ago <= 10:
        ways.append(f"{_NUMBERS[ago]} months ago")
    if ago == 1:
        ways.append("last month")
    if said.year == NOW.year - 1:
        ways.append("last year")
    return rng.choice(ways)


def _chatter(one: _Person, two: _Person, rng: random.Random) -> _Block:
    a, b = rng.sample((one, two), 2)
    values = _values(a, b, rng)
    lines = rng.choice(_CHATTER)
    return [(a if who == "a" else b, "", _fill(text, values, rng)) for who, text in lines]


def _values(a: _Person, b: _Person, rng: random.Random) -> dict[str, str]:
    drawn = {name: rng.choice(values) for name, values in _POOLS.items()}
    return drawn | {"A": a.name, "B": b.name, "he": a.he, "him": a.he, "his": a.his}


def _fill(text: str, values: dict[str, str], rng: random.Random) -> str:
    text = _SLOT.sub(lambda found: values[found[1]], text)
    while _CHOICE.search(text):
        text = _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), text)
    return text


def _styled(text: str, person: _Person, rng: random.Random) -> str:
    if person.style == "lower":
        return text.lower().rstrip(".")
    if person.style == "proper":
        text = text[0].upper() + text[1:]
        return text if text[-1] in ".!?" else text + "."
    if person.style == "chatty" and rng.random() < 0.4:
        return rng.choice(("haha ", "well, ", "you know, ", "ok so ")) + text + rng.choice(
            ("", " :)", "...", "!!")
        )  # fmt: skip
    return text


def _pools() -> dict[str, list[str]]:
    found = {}
    for line in _lines("talk_pools.txt"):
        name, _, values = line.partition(":")
        if values:
            found[name] = [value.strip() for value in values.split("|")]
    return found


def _episodes() -> list[_Episode]:
    found = []
    for block in "\n".join(_lines("talk_episodes.txt")).split("== ")[1:]:
        name, *rest = block.strip().splitlines()
        lines, questions = [], []
        for line in filter(None, rest):
            if line.startswith("?"):
                numbers, _, text = line[1:].partition(" ")
                questions.append((numbers, text))
            else:
                who, _, text = line.partition(": ")
                lines.append((who[0], who[1:], text))
        found.append(_Episode(name, tuple(lines), tuple(questions)))
    return found


def _exchanges() -> list[list[tuple[str, str]]]:
    blocks = "\n".join(_lines("talk_chatter.txt")).strip().split("\n\n")
    return [[(line[0], line[3:]) for line in block.splitlines()] for block in blocks]


def _lines(name: str) -> list[str]:
    text = (_DATA / name).read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


_POOLS = _pools()
_CHATTER = _exchanges()
