"""Pure: single checks, and the scores they add up to."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One thing that is right or not."""

    what: str
    """In words, for the user."""
    ok: bool
    found: str = ""
    """What was there instead."""


class Score(msgspec.Struct, frozen=True):
    """The checks of one kind."""

    name: str
    about: str
    checks: tuple[Check, ...]

    @property
    def right(self) -> int:
        """How many were right."""
        return sum(check.ok for check in self.checks)

    @property
    def percent(self) -> float:
        """Of all."""
        return 100.0 * self.right / len(self.checks) if self.checks else math.nan


class Timing(msgspec.Struct, frozen=True):
    """Seconds that something took, each time."""

    name: str
    seconds: tuple[float, ...]

    def at(self, share: float) -> float:
        """The value that this share of them does not exceed."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


class Report(msgspec.Struct, frozen=True):
    """All of it."""

    model: str
    embedder: str
    scores: tuple[Score, ...]
    timings: tuple[Timing, ...]
    tokens_per_s: float
    took_s: float
    skipped: tuple[str, ...] = ()
    """What could not be measured, and why."""

    def data(self) -> dict[str, object]:
        """For programs and for whoever shows it."""
        return {
            "model": self.model,
            "embedder": self.embedder,
            "took_s": round(self.took_s, 1),
            "scores": [
                {
                    "name": one.name,
                    "about": one.about,
                    "percent": round(one.percent, 1),
                    "right": one.right,
                    "of": len(one.checks),
                    "checks": [msgspec.structs.asdict(check) for check in one.checks],
                }
                for one in self.scores
            ],
            "timings": [
                {
                    "name": one.name,
                    "p50_ms": round(1e3 * one.at(0.5), 1),
                    "p95_ms": round(1e3 * one.at(0.95), 1),
                    "n": len(one.seconds),
                }
                for one in self.timings
            ],
            "tokens_per_s": round(self.tokens_per_s, 1),
            "skipped": list(self.skipped),
        }


def says(text: str, words: str) -> bool:
    """Whether a text has any of these words, separated by `|`; case and accents' composition aside."""
    return any(one in text.casefold() for one in words.casefold().split("|"))


def any_of(texts: Sequence[str], words: str) -> bool:
    """Whether any text says one of the words."""
    return any(says(text, words) for text in texts)


_UNKNOWN = re.compile(
    r"(?:do not|don't|does not|doesn't|did not|didn't|cannot|can't|could not|couldn't|am not able|"
    r"unable|no (?:information|idea|record|note|mention|data|details?)|not (?:known|sure|aware|provided|"
    r"mentioned|specified|given|available|stated)|unknown|haven't (?:told|said|mentioned)|"
    r"have not (?:told|said|mentioned)|"
    r"ne (?:sais|connais|peux|dispose|suis)|n'(?:ai|est|a) pas|pas (?:connue?|d'information|mentionn|"
    r"précis|indiqu)|inconnue?|aucune (?:information|idée)|"
    r"weiß (?:ich |es )?(?:leider )?nicht|nicht (?:bekannt|sicher|genannt|angegeben|erwähnt)|"
    r"keine (?:information|angabe|ahnung)|unbekannt|kann (?:ich )?(?:dir |ihnen )?(?:das )?nicht|"
    r"no (?:lo )?(?:sé|conozco|tengo|puedo|se (?:sabe|menciona|especifica))|desconocid|"
    r"no (?:está|es) (?:conocid|especificad|mencionad))",
    re.I,
)


def admits(text: str) -> bool:
    """Whether an answer says that it does not know, in English, French, German or Spanish."""
    return _UNKNOWN.search(text.replace("’", "'")) is not None  # noqa: RUF001
