"""The questions that ship with Nestor, and the talk they are hidden in."""

from __future__ import annotations

import random
from importlib.resources import files
from typing import Literal

import msgspec

from assistant.types import Trust

LANGUAGES = ("en", "fr", "de", "es")


class Stale(msgspec.Struct, frozen=True):
    """Something told, and said to be otherwise later."""

    told: str
    said: str
    ask: tuple[str, ...]
    now: str
    old: str


class Contradiction(msgspec.Struct, frozen=True):
    """Two statements of the same thing."""

    first: str
    second: str
    keep: Literal["first", "second", "both", "once"]
    trust: Trust = "user"
    """Whose words the second are."""


class Known(msgspec.Struct, frozen=True):
    """Something told and asked."""

    told: str
    ask: str
    now: str


class Unknown(msgspec.Struct, frozen=True):
    """Something never told."""

    ask: str


class Secret(msgspec.Struct, frozen=True):
    """Something told and forgotten."""

    told: str
    word: str
    """Nobody else says it."""
    how: Literal["id", "words", "chat", "time", "source"]
    ask: str = ""
    """Asked before, so that an answer quotes it."""
    say: str = ""


class Poison(msgspec.Struct, frozen=True):
    """What a file says against what the user said."""

    truth: str
    text: str
    trust: Trust
    ask: str
    now: str
    old: str


class Pair(msgspec.Struct, frozen=True):
    """A note and a question it answers, in each of `LANGUAGES`."""

    notes: tuple[str, str, str, str]
    asks: tuple[str, str, str, str]


class Questions(msgspec.Struct, frozen=True):
    """All of them."""

    stale: tuple[Stale, ...]
    contradiction: tuple[Contradiction, ...]
    known: tuple[Known, ...]
    unknown: tuple[Unknown, ...]
    secret: tuple[Secret, ...]
    poison: tuple[Poison, ...]
    pair: tuple[Pair, ...]


def load() -> Questions:
    """Those of this version."""
    text = (files("assistant.evaluation") / "questions.toml").read_bytes()
    return msgspec.toml.decode(text, type=Questions)


_TALK = (
    ("{who} {did} the {thing} on {day}.", "{day} was quiet, only {who} came by about the {thing}.",
     "The {thing} costs more than {who} thought."),
    ("{who} a parlé du {thing} {day}.", "Le {thing} plaît beaucoup à {who}."),
    ("{who} hat am {day} über {thing} geredet.", "{who} findet {thing} zu teuer."),
    ("{who} habló de {thing} el {day}.", "A {who} le gusta {thing}."),
)  # fmt: skip
_WHO = (
    "Pilar Ferro",
    "Mr Osei",
    "Katrin",
    "Yusuf",
    "Madame Lebrun",
    "the postman",
    "Wanda",
    "Hugo Stern",
)
_DID = ("borrowed", "painted", "sold", "broke", "described", "photographed", "returned")
_THING = (
    ("ladder", "piano", "accordion", "tent", "kayak", "bread oven", "bookshelf", "lawnmower"),
    ("vélo", "jardin", "marché", "piano", "tableau", "four"),
    ("das Klavier", "den Garten", "die Leiter", "das Zelt", "den Ofen"),
    ("el piano", "el jardín", "la escalera", "el mercado"),
)  # fmt: skip
_DAY = (
    ("Monday", "Tuesday", "Friday", "Sunday"),
    ("lundi", "mardi", "vendredi", "dimanche"),
    ("Montag", "Dienstag", "Freitag", "Sonntag"),
    ("lunes", "martes", "viernes", "domingo"),
)  # fmt: skip


def talk(count: int, seed: int = 11) -> list[str]:
    """Different notes that answer none of the questions, in all languages; the same for a seed."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    made: dict[str, None] = {}
    while len(made) < count:
        at = chance.randrange(len(LANGUAGES))
        line = chance.choice(_TALK[at]).format(
            who=chance.choice(_WHO),
            did=chance.choice(_DID),
            thing=chance.choice(_THING[at]),
            day=chance.choice(_DAY[at]),
        )
        made[f"{line[0].upper()}{line[1:]} ({chance.randint(100, 999)})"] = None
    return list(made)
