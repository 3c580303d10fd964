"""A question, understood: its language, words, names and times."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

import msgspec

from assistant.memory import when
from assistant.memory.language import detect, stop_words
from assistant.memory.slots import Focus
from assistant.memory.words import content_words, words_in

_CAPITALISED = re.compile(r"(?<=[^\s.?!¿¡])\s+([A-ZÀ-ÖØ-Þ][\w-]+)")  # not at a sentence's start


class Question(msgspec.Struct, frozen=True):
    """A question, understood."""

    text: str
    language: str
    bare: str
    """Without the names of those who spoke: a name in a vector drowns the meaning."""
    words: tuple[str, ...]
    speakers: frozenset[str]
    """Names of known speakers in it, in lower case."""
    names: frozenset[str]
    """Other names in it, in lower case."""
    spans: tuple[when.Span, ...]
    focus: Focus = Focus()

    @property
    def about_somebody(self) -> bool:
        """Whether it names somebody. In German that cannot be told: all nouns are capitalised."""
        return self.language != "de" and bool(self.names or self.speakers)


def understand(text: str, speakers: Sequence[str], now: datetime) -> Question:
    """Language, words, names and times of a question."""
    text = unicodedata.normalize("NFC", text)
    language = detect(text)
    spoken = {part.lower() for name in speakers for part in name.split() if len(part) > 1}
    spoken -= stop_words(language)
    said = set(words_in(text))
    names = {name.lower() for name in _CAPITALISED.findall(text)} - stop_words(language)
    names -= when.NAMES
    times = when.spans(text, now, language)
    asked = [name for name in speakers if spoken & said & set(name.lower().split())]
    return Question(
        text=text,
        language=language,
        bare=_without(text, spoken & said),
        words=tuple(content_words(text, language)),
        speakers=frozenset(spoken & said),
        names=frozenset(names - spoken),
        spans=times,
        focus=Focus(tuple(asked), tuple((span.start, span.end) for span in times if span.end)),
    )


def _without(text: str, names: set[str]) -> str:
    if not names:
        return text
    pattern = r"\b(?:" + "|".join(map(re.escape, sorted(names))) + r")\b(?:['’]s)?"  # noqa: RUF001
    bare = re.sub(r"\s+", " ", re.sub(pattern, "", text, flags=re.IGNORECASE)).strip()
    return bare if re.search(r"\w", bare) else text
