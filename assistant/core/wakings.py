"""The log of a wake word: when it was heard, how surely, and what the user marked as wrong.

No audio and no words are in it. What was marked tunes how sure the spotter has to be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from assistant.core.wake import BYTES_S, Hit, Word, likeness
from assistant.errors import WakeWordOff, WakingNotFound
from assistant.types import new_id, now

KEPT = 500
"""Wakings in the log; older ones go."""
SAVED_EVERY_S = 60
"""Seconds of listening that a crash may take from the log."""
_HIGHEST = 0.99
_LOSS = 2
"""A right one that would be lost weighs as much as so many wrong ones that would be spared."""


class Waking(msgspec.Struct, frozen=True):
    """The spotter heard something."""

    id: str
    at: str
    word: str
    probability: float
    likeness: float
    """Of what the recogniser heard to the phrase, from 0 to 1."""
    accepted: bool
    wrong: bool = False
    """Marked by the user: nobody had said it."""


class Log(msgspec.Struct, frozen=True):
    """What is kept: the latest wakings, newest last, and how much sound was listened to meanwhile."""

    items: tuple[Waking, ...] = ()
    seconds: float = 0.0


class WakingStore(Protocol):
    """Where the log is kept."""

    async def read(self) -> bytes | None: ...
    async def write(self, log: bytes) -> None: ...


class Wakings:
    """The log, and the word that is listened for. `name` is that of a model, or `off`."""

    def __init__(self, store: WakingStore, name: str) -> None:
        self._store, self.name = store, name
        self._log = Log()
        self._unsaved_s = 0.0
        self._saving = asyncio.Lock()

    async def load(self) -> None:
        """Read it. What cannot be read is begun anew."""
        kept = await self._store.read()
        try:
            self._log = msgspec.json.decode(kept, type=Log) if kept else Log()
        except msgspec.DecodeError:
            self._log = Log()

    @property
    def word(self) -> Word:
        """What to listen for, as sure as the log says. Raises WakeWordOff."""
        if self.name == "off":
            raise WakeWordOff
        plain = Word(model=self.name, phrase=self.name.replace("_", " "))
        return msgspec.structs.replace(plain, threshold=tuned(self._ours(), plain.threshold))

    @property
    def log(self) -> Log:
        """All of it."""
        return self._log

    def false_per_hour(self) -> float | None:
        """Wakings marked wrong, by the hour of sound; None before the first ten minutes."""
        wrong = sum(one.accepted and one.wrong for one in self._log.items)
        return None if self._log.seconds < 600 else 3600 * wrong / self._log.seconds

    async def note(self, hit: Hit, word: Word) -> Waking:
        """One more."""
        alike = round(likeness(hit.text, word.phrase), 3)
        one = Waking(new_id("w"), now(), word.model, round(hit.probability, 3), alike, hit.accepted)
        items = [*self._log.items, one]
        gone, items = items[:-KEPT], items[-KEPT:]
        # The hours of those that go, go with them.
        share = len(items) / (len(items) + len(gone))
        self._log = Log(tuple(items), self._log.seconds * share)
        await self._save()
        return one

    async def mark(self, waking_id: str, *, wrong: bool) -> Waking:
        """Say that nobody had said it, or that somebody had. Raises WakingNotFound."""
        marked = next((one for one in self._log.items if one.id == waking_id), None)
        if marked is None:
            raise WakingNotFound
        marked = msgspec.structs.replace(marked, wrong=wrong)
        items = tuple(marked if one.id == waking_id else one for one in self._log.items)
        self._log = msgspec.structs.replace(self._log, items=items)
        await self._save()
        return marked

    async def listened(self, samples: bytes) -> None:
        """So much more was listened to."""
        seconds = len(samples) / BYTES_S
        self._log = msgspec.structs.replace(self._log, seconds=self._log.seconds + seconds)
        self._unsaved_s += seconds
        if self._unsaved_s >= SAVED_EVERY_S:
            await self._save()

    async def _save(self) -> None:
        self._unsaved_s = 0.0
        async with self._saving:
            await self._store.write(msgspec.json.encode(self._log))

    def _ours(self) -> list[Waking]:
        return [one for one in self._log.items if one.word == self.name]


def tuned(wakings: Sequence[Waking], plain: float) -> float:
    """The threshold that spares most wrong ones and loses fewest right ones; never below `plain`."""
    right = [one.probability for one in wakings if one.accepted and not one.wrong]
    wrong = [one.probability for one in wakings if one.accepted and one.wrong]

    def worth(threshold: float) -> int:
        spared = sum(one < threshold for one in wrong)
        return spared - _LOSS * sum(one < threshold for one in right)

    steps = [plain, *(round(one + 0.005, 3) for one in wrong if plain <= one < _HIGHEST)]
    return max(sorted(steps), key=worth)
