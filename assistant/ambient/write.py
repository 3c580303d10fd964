"""Write For Me: a text goes in, another comes out as it is written, with what changed as data.

It is never stored, neither the text nor what became of it: no conversation, no memory, no log. What the
model repeats of the text is guessed ahead and checked many words at a time (engine/lookup).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any, Protocol

import msgspec

from assistant.ambient import brief
from assistant.ambient.brief import Task
from assistant.ambient.diff import Change, diff, joined
from assistant.ambient.passages import Passage, passages
from assistant.ambient.vetting import Flag, corrected, flags
from assistant.config import LIMITS
from assistant.core.budget import estimate
from assistant.core.checks import check_text
from assistant.core.ports import Engine, Place
from assistant.errors import InvalidInput
from assistant.types import Event, Finished, Piece, Prefilled, Request

ROOM = 2
"""An answer may be so many times as long as its text, and GREETING tokens more."""
GREETING = 160


class Tones(Protocol):
    """The tone that each device asked to have remembered."""

    async def tone(self, device: str) -> str: ...
    async def set_tone(self, device: str, tone: str) -> None: ...


class Writing:
    """Works on texts. Holds nothing of them."""

    def __init__(self, engine: Engine, tones: Tones) -> None:
        self._engine = engine
        self._tones = tones

    async def tone(self, device: str) -> str:
        """What this device asked to have remembered; empty: nothing."""
        return await self._tones.tone(device)

    async def set_tone(self, device: str, tone: str) -> None:
        """Remember it; an empty one is dropped."""
        await self._tones.set_tone(device, tone)

    async def stream(self, task: Task, text: str, device: str = "") -> AsyncGenerator[Event, None]:
        """`started`, `token` …, a `passage` after each, `result`, `receipt`, `done`; closing it stops all.

        `token` is what the model writes, `passage` what code lets stand of it, with its changes.
        Raises EmptyText, TextTooLong, InvalidInput before anything is asked; and as the engine does.
        """
        task = await self._checked(task, text, device)
        pieces = passages(text, whole=task.operation in brief.WHOLE)
        if task.operation == "reply":  # it has margins of its own
            pieces = [one for one in pieces if not one.keep]
        number = 1
        data = {
            "operation": task.operation,
            "model": self._engine.info().id,
            "passages": sum(not one.keep for one in pieces),
            "tone": task.tone,
            "language": task.language_name if task.operation == "translate" else "",
        }
        work = _Work(task, brief.language(text))
        place = self._engine.reserve("interactive", device)
        try:
            async with contextlib.aclosing(self._passages(work, place, pieces, device)) as items:
                first = await anext(items, None)
                # Only now: what the engine refuses has a status of its own.
                yield Event(number, "started", data)
                while first is not None:
                    number += 1
                    yield Event(number, first[0], first[1])
                    first = await anext(items, None)
        finally:
            place.release()
        for name, told in (
            ("result", work.result()),
            ("receipt", self._receipt(work)),
            ("done", {}),
        ):
            number += 1
            yield Event(number, name, told)

    async def _checked(self, task: Task, text: str, device: str) -> Task:
        check_text(text, LIMITS.write_chars)
        for given in (task.instruction, task.language, task.tone):
            if given:
                check_text(given, LIMITS.query_chars)
        if task.operation == "instruct" and not task.instruction.strip():
            raise InvalidInput("There is no instruction.", "Say what is to be done with the text.")
        if task.operation == "translate" and not task.language.strip():
            raise InvalidInput(
                "It is not said into which language.", "Send `language`, as in `fr`."
            )
        if not task.tone and task.operation in ("tone", "rewrite", "reply"):
            task = msgspec.structs.replace(task, tone=await self._tones.tone(device))
        if task.operation == "tone" and not task.tone:
            raise InvalidInput("It is not said in which tone.", "Send `tone`, as in `friendly`.")
        return task

    async def _passages(
        self, work: _Work, place: Place, pieces: list[Passage], device: str
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        for index, piece in enumerate(pieces):
            if piece.keep:
                work.kept(piece.text)
                yield (
                    "passage",
                    {"index": index, "text": piece.text, "diff": work.last, "flags": []},
                )
            else:
                if work.asked:  # a place is good for one answer
                    place.release()
                    place = self._engine.reserve("interactive", device)
                try:
                    async with contextlib.aclosing(self._one(work, place, piece.text)) as tokens:
                        async for said in tokens:
                            yield "token", {"text": said}
                finally:
                    place.release()
                text, raised = work.wrote(piece.text)
                yield "passage", {"index": index, "text": text, "diff": work.last, "flags": raised}

    async def _one(self, work: _Work, place: Place, text: str) -> AsyncGenerator[str, None]:
        most = min(LIMITS.write_tokens, ROOM * estimate(text) + GREETING)
        sampling = msgspec.structs.replace(
            self._engine.sampling(),
            temperature=0.0,
            repeat_penalty=1.0,  # it is meant to repeat the text
            max_tokens=most,
            stop=(f"\n{brief.fence(text)}",),
        )
        work.begin(brief.fence(text))
        request = Request(brief.messages(work.task, text, work.spoken), sampling)
        async with contextlib.aclosing(place.stream(request)) as items:
            async for item in items:
                work.took(item)
                if isinstance(item, Piece):
                    yield item.text

    def _receipt(self, work: _Work) -> dict[str, Any]:
        model = self._engine.info()
        where = {"device": model.device, "gpu_layers": model.gpu_layers, "layers": model.layers}
        return work.counts() | {"model": model.id, "where": where, "left_machine": []}


class _Work:
    """One text while it is worked on."""

    def __init__(self, task: Task, spoken: str) -> None:
        self.task = task
        self.spoken = spoken
        self.asked = 0
        self.last: list[dict[str, str]] = []
        """The changes of the passage that ended."""
        self._pieces: list[str] = []
        self._marks = ""
        self._cut = False
        self._old: list[str] = []
        self._new: list[str] = []
        self._changes: list[Change] = []
        self._flags: list[Flag] = []
        self._sums = {
            "tokens_in": 0,
            "tokens_cached": 0,
            "tokens_out": 0,
            "drafted": 0,
            "accepted": 0,
        }
        self._begun = time.perf_counter()
        self._first: float | None = None

    def begin(self, marks: str) -> None:
        """The next passage is asked."""
        self.asked += 1
        self._pieces, self._marks, self._cut = [], marks, False

    def took(self, item: Any) -> None:
        """Something came from the engine."""
        match item:
            case Prefilled():
                self._sums["tokens_in"] += item.tokens
                self._sums["tokens_cached"] += item.cached
            case Piece(text):
                self._first = self._first or time.perf_counter()
                self._pieces.append(text)
            case Finished():
                self._sums["tokens_out"] += item.tokens_out
                self._sums["drafted"] += item.drafted
                self._sums["accepted"] += item.accepted
                self._cut = item.reason == "length"

    def kept(self, text: str) -> None:
        """A piece that nobody works on."""
        self._add(text, text, [Change("keep", text)])

    def wrote(self, old: str) -> tuple[str, list[dict[str, Any]]]:
        """The passage has ended: what stands of it, and what to look at."""
        new = brief.clean("".join(self._pieces), self._marks)
        raised: tuple[Flag, ...] = ()
        operation = self.task.operation
        if self._cut:
            raised = (
                Flag("cut_off", "The model did not come to an end; your text was left as it is."),
            )
            new = old
        elif not new:
            raised, new = flags(operation, old, new), old
        elif operation == "fix":
            new, raised = corrected(old, new)
            raised += tuple(one for one in flags(operation, old, new) if one.code != "unchanged")
        else:
            raised = flags(operation, old, new)
        self._flags += raised
        made = [Change("insert", new)] if operation == "reply" else diff(old, new)
        self._add("" if operation == "reply" else old, new, made)
        return new, msgspec.to_builtins(raised)

    def result(self) -> dict[str, Any]:
        """All of it."""
        return {
            "text": "".join(self._new),
            "diff": msgspec.to_builtins(joined(self._changes)),
            "flags": msgspec.to_builtins(_together(self._flags)),
        }

    def counts(self) -> dict[str, Any]:
        """What it cost."""
        first = self._first or time.perf_counter()
        return self._sums | {
            "first_token_ms": round((first - self._begun) * 1000, 1),
            "seconds": round(time.perf_counter() - self._begun, 3),
        }

    def _add(self, old: str, new: str, changes: list[Change]) -> None:
        self._old.append(old)
        self._new.append(new)
        self._changes += changes
        self.last = msgspec.to_builtins(changes)


def _together(raised: list[Flag]) -> list[Flag]:
    """One flag of each kind."""
    out: dict[tuple[str, str], Flag] = {}
    for flag in raised:
        key = (flag.code, flag.message)
        words = (*out[key].words, *flag.words) if key in out else flag.words
        out[key] = Flag(flag.code, flag.message, words)
    return list(out.values())
