"""`python -m tests.bench.bridge FOLDER`: learn what ships as assistant/memory/bridge_e5.msgpack.

FOLDER holds catalogues of translations, `fr/LC_MESSAGES/*.mo` and so on, of texts that people wrote
and others translated: the stories of a game, as Debian's wesnoth-1.16-data and its campaigns
(wesnoth-1.16-httt and others) have them. Some 7 minutes of two cores.
"""

from __future__ import annotations

import gettext
import random
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from assistant.memory.bridge import packed
from assistant.memory.centre import unit
from assistant.memory.embed import E5_MODEL
from assistant.memory.scan import Floats
from tests.bench.given import Given

LANGUAGES = ("fr", "de", "es")
STATEMENTS, ASKED = 4_000, 800
"""Sentences that state something, and how many of them are embedded as a question, too."""
DAMPING = 1.0
SHIPPED = Path(__file__).parents[2] / "assistant/memory/bridge_e5.msgpack"

Translated = tuple[str, ...]
"""A sentence in English and in each of LANGUAGES."""

_NO_STORIES = re.compile(r"help|editor|-lib|multiplayer|units|/wesnoth\.mo")
_MARKUP = re.compile(r"[<>{}|$\\_^@#=%&*]")
_BETWEEN = re.compile(r"(?<=[.!?…])[\"”»’)]*\s+")
_AROUND = " \"“”«»—-'"


def main() -> None:
    """Learn it, and write it beside the code."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    told, asked = chosen(Path(sys.argv[1]))
    SHIPPED.write_bytes(msgspec.msgpack.encode(packed(E5_MODEL, learned(told, asked))))


def chosen(folder: Path) -> tuple[list[Translated], list[Translated]]:
    """Statements and questions that all languages have, always the same ones."""
    known = [dict(_pairs(folder / language / "LC_MESSAGES")) for language in LANGUAGES]
    every = [(text, *(one[text] for one in known)) for text in known[0]
             if all(text in one for one in known)]  # fmt: skip
    random.Random(3).shuffle(every)
    return (
        [one for one in every if not one[0].endswith("?")][:STATEMENTS],
        [one for one in every if one[0].endswith("?")],
    )


def learned(told: Sequence[Translated], asked: Sequence[Translated]) -> NDArray[np.float64]:
    """The least squares fit from each sentence, as a note and as a question, to its mean translation."""
    given = Given()
    notes = [np.concatenate([_centred(given, told, n), _centred(given, asked, n)])
             for n in range(1 + len(LANGUAGES))]  # fmt: skip
    questions = [
        np.concatenate([_centred(given, some, n, "query") for some in (told[:ASKED], asked)])
        for n in range(1 + len(LANGUAGES))
    ]
    mean = np.mean(notes, axis=0, dtype=np.float64)
    same = np.concatenate([mean[:ASKED], mean[len(told) :]])
    rows = np.concatenate([*notes, *questions]).astype(np.float64)
    wanted = np.concatenate([*[mean] * len(notes), *[same] * len(questions)])
    matrix: NDArray[np.float64] = np.linalg.solve(
        rows.T @ rows + DAMPING * np.eye(rows.shape[1]), rows.T @ wanted
    )
    return matrix


def _centred(
    given: Given, some: Sequence[Translated], language: int, purpose: str = "passage"
) -> Floats:
    rows = given.vectors([one[language] for one in some], purpose)
    return unit(rows - rows.mean(axis=0))


def _pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """English and the other language, a sentence each where both have as many."""
    for path in sorted(folder.glob("*.mo")):
        if _NO_STORIES.search(path.as_posix()):
            continue
        with path.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        for ours, theirs in catalogue.items():
            if isinstance(ours, str) and ours:
                yield from _split(ours.rpartition("^")[2], theirs)


def _split(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    lines = [re.split(r"\n+", text) for text in (ours, theirs)]
    if len(lines[0]) != len(lines[1]):
        return
    for pair in zip(*lines, strict=True):
        parts = [_BETWEEN.split(text.strip()) for text in pair]
        if len(parts[0]) != len(parts[1]):
            parts = [[text] for text in pair]
        for one, other in zip(*parts, strict=True):
            first, second = one.strip(_AROUND), other.strip(_AROUND)
            fits = 20 <= len(first) <= 160 and 15 <= len(second) <= 200
            if fits and first != second and not _MARKUP.search(first + second):
                yield first, second


if __name__ == "__main__":
    main()
