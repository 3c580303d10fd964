"""A generated life, half told: to tune when recall should stay silent. Nothing here is reported as a result.

Everybody and everything has the attributes of tests/data/attributes.txt; of each, some are told and the
others only asked for; of some, nothing is told. So half of the questions have no answer, and half of those
are about well-known people and things.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.bench.precision import Life

NAMES = {
    "person": [
        "Ilse", "Bruno", "Farida", "Magnus", "Odile", "Kwame",
        "Renske", "Tobias", "Zora", "Emre", "Signe", "Matteo",
    ],
    "pet": ["Biscuit", "Nero", "Pippa", "Mogwai"],
    "thing": [
        "the sailing boat", "the washing machine", "the lawn mower", "the camper", "the harp",
        "my drill",
    ],
    "me": ["me"],
}  # fmt: skip
STRANGERS = {
    "person": [
        "Gudrun", "Alonso", "Priya", "Desmond", "Wanda",
        "my chimney sweep", "the mayor", "our godson",
    ],
    "pet": ["Rufus", "Salem", "the parrot", "our goldfish"],
    "thing": [
        "the tent", "the sewing machine", "the greenhouse", "my violin case", "the wood stove",
        "our trampoline", "the printer", "the canoe",
    ],
}  # fmt: skip
"""Of whom nothing is told at all."""
ASKED_OF_A_STRANGER = 7
_DATA = Path(__file__).parents[1] / "data" / "attributes.txt"


def half_told(seed: int) -> Life:
    """One such life; seeds differ in who has what, and in how it is told and asked."""
    rng = random.Random(seed)
    life = Life([])
    for kind, names in NAMES.items():
        for name in names:
            chosen = _of(kind)
            rng.shuffle(chosen)
            for n, (told, asks, values) in enumerate(chosen):
                question = _say(rng.choice(asks), name)
                if n < len(chosen) / 2:
                    text = _say(rng.choice(told), name, rng.choice(values))
                    life.asked.append((question, text))
                else:
                    life.never.append(question)
    for kind, names in STRANGERS.items():
        for name in names:
            for _, asks, _ in rng.sample(_of(kind), ASKED_OF_A_STRANGER):
                life.never.append(_say(rng.choice(asks), name))
    return life


def _of(kind: str) -> list[tuple[list[str], list[str], list[str]]]:
    lines = [line for line in _DATA.read_text("utf-8").splitlines() if line[:1] not in ("", "#")]
    rows = [[part.strip() for part in line.split("|")] for line in lines]
    return [
        ([one.strip() for one in told.split(" / ")], [one.strip() for one in asks.split(" / ")],
         [one.strip() for one in values.split(";")])
        for of, told, asks, values in rows if of == kind
    ]  # fmt: skip


def _say(template: str, name: str, value: str = "") -> str:
    text = template.replace("{x}", name).replace("{v}", value)
    return text[:1].upper() + text[1:]
