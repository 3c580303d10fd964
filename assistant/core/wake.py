"""A wake word in two stages: a cheap spotter that is always on, then what the recogniser really heard.

The spotter alone takes "hey Travis" for "hey Jarvis"; the recogniser does not. It costs nothing until the
spotter hears something. Audio is held for a few seconds, in memory, and never longer.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from assistant.core.ports import Ears
from assistant.types import new_id

RATE = 16_000
BYTES_S = 2 * RATE
_SILENCE = bytes(int(0.4 * BYTES_S))
"""In front, for the second time: Whisper hears a short phrase otherwise when it lies elsewhere."""
_SHORT = 4
"""Letters of a word that by itself says little."""
_ALONE = 0.1


class Word(msgspec.Struct, frozen=True):
    """A phrase, and how sure one has to be of it."""

    model: str = "hey_jarvis"
    phrase: str = "hey jarvis"
    threshold: float = 0.5
    """Of the spotter's probability. Low: the second stage throws out what is wrong."""
    likeness: float = 0.8
    """Of what was heard to the phrase, from 0 to 1 (1: the same letters)."""
    sure: float = 0.9
    """From here on the recogniser, which may miss so short a phrase, is asked a second time."""
    window_s: float = 2.8
    """What the second stage hears: the phrase and a little before it."""
    tail_s: float = 0.5
    """Waited for after the last sign of a hit, so that the end of the phrase is in it."""
    longest_s: float = 1.2
    """Of signs of one hit; a phrase takes no longer."""
    pause_s: float = 1.5
    """After one that was accepted, nothing counts for so long."""
    again_s: float = 0.3
    """After one that was not: the spotter may have been early."""
    rest_s: float = 0.6
    """Waited for where the spotter is sure and only a piece of the phrase was heard: on a busy machine the
    rest of the sound may be late."""


class Hit(msgspec.Struct, frozen=True):
    """The spotter heard something."""

    at_s: float
    """Seconds from the stream's start."""
    probability: float
    text: str
    """What the recogniser heard."""
    accepted: bool


class _Signs:
    """The spotter's signs of one hit: it may be sure of a phrase before its end."""

    def __init__(self, at: int) -> None:
        self.probability = 0.0
        self._begun = self._last = at

    def more(self, probability: float, at: int) -> None:
        self.probability, self._last = max(self.probability, probability), at

    def over(self, at: int, word: Word) -> bool:
        """Whether the phrase is certainly in what was heard, and its end too."""
        longest = at - self._begun >= word.longest_s * BYTES_S
        return longest or at - self._last >= word.tail_s * BYTES_S


class WakeWord:
    """Follows one live stream of 16-bit samples at 16 kHz."""

    def __init__(self, ears: Ears, word: Word | None = None) -> None:
        self.word = word or Word()
        self._ears = ears
        self._stream = new_id("w")
        self._held = bytearray()
        self._at = 0
        self._hit: _Signs | None = None
        self._half: tuple[int, float] | None = None
        """When a hit is decided for good of which a piece was heard, and how sure the spotter was."""
        self._deaf_until = 0

    async def feed(self, samples: bytes) -> Hit | None:
        """A hit that is decided now, accepted or not. Raises SpeechMissing, SpeechError."""
        self._at += len(samples)
        self._held += samples
        del self._held[: max(0, len(self._held) - int(self.word.window_s * BYTES_S))]
        probability = await self._ears.spot(self._stream, self.word.model, samples)
        if self._half is not None:
            at, before = self._half
            return await self._decide(max(probability, before)) if self._at >= at else None
        if probability >= self.word.threshold and self._at >= self._deaf_until:
            self._hit = self._hit or _Signs(self._at)
            self._hit.more(probability, self._at)
        if self._hit is None or not self._hit.over(self._at, self.word):
            return None
        return await self._decide(self._hit.probability)

    @property
    def held(self) -> bytes:
        """The last seconds of the stream: what somebody who was heard has just said."""
        return bytes(self._held)

    async def close(self) -> None:
        """Nothing more comes."""
        self._held.clear()
        await self._ears.spot(self._stream, self.word.model, b"", last=True)

    async def _decide(self, probability: float) -> Hit | None:
        last, self._hit, self._half = self._half is not None, None, None
        text = await self._text(bytes(self._held))
        accepted = self._is_it(text)
        if not accepted and probability >= self.word.sure:
            text = await self._text(_SILENCE + bytes(self._held))
            accepted = self._is_it(text)
            if not (accepted or last) and is_piece(text, self.word.phrase):
                self._half = self._at + int(self.word.rest_s * BYTES_S), probability
                return None
        pause = self.word.pause_s if accepted else self.word.again_s
        self._deaf_until = self._at + int(pause * BYTES_S)
        return Hit(self._at / BYTES_S, probability, text, accepted)

    async def _text(self, audio: bytes) -> str:
        return (await self._ears.transcribe(audio, bare=True, language="en")).text

    def _is_it(self, text: str) -> bool:
        return likeness(text, self.word.phrase) >= self.word.likeness


def likeness(text: str, phrase: str) -> float:
    """How much of the phrase is somewhere in the text, letter by letter: 1 all of it, 0 nothing.

    Its longest word alone counts for a little less: the short one before it is often misheard.
    """
    words, wanted = _words(text), _words(phrase)
    longest = max(wanted, key=len)
    whole = _nearest(words, "".join(wanted), {len(wanted) - 1, len(wanted), len(wanted) + 1})
    alone = _nearest(words, longest, {1}) if len(longest) > _SHORT else 0.0
    return max(whole, alone - _ALONE)


def after(text: str, phrase: str, least: float = 0.8) -> str:
    """What was said after the phrase; all of it, if the phrase is not at its beginning.

    Empty where it is no more than a piece of the phrase: the recogniser may have heard "hey" alone.
    """
    words = list(re.finditer(r"\w[\w']*", text))
    most = len(_words(phrase)) + 1
    ends = [one.end() for one in words[:most] if likeness(text[: one.end()], phrase) >= least]
    rest = text[ends[0] :].lstrip(" ,.!?;:…") if ends else text
    return "" if is_piece(rest, phrase) else rest


def is_piece(text: str, phrase: str) -> bool:
    """Whether it is some of the phrase, and nothing else."""
    letters = "".join(_words(text))
    return bool(letters) and letters in "".join(_words(phrase))


def _nearest(words: list[str], wanted: str, sizes: set[int]) -> float:
    """The likeness of the most alike of so many words that stand together."""
    runs = ("".join(words[at : at + size]) for size in sizes if size for at in range(len(words)))
    return max((1 - _distance(one, wanted) / max(len(one), len(wanted)) for one in runs), default=0)


def _words(text: str) -> list[str]:
    bare = unicodedata.normalize("NFKD", text.lower())
    return re.findall(r"[a-z]+", "".join(c for c in bare if not unicodedata.combining(c)))


def _distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]
