"""The daemon's side of the embed child: questions first, memories in the background."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec
import numpy as np

from assistant.errors import AssistantError, ChildCrashed, ChildStopped, EmbedderError
from assistant.memory.centre import unit
from assistant.memory.scan import Floats
from assistant.types import ChildStatus
from assistant.worker import Child

log = logging.getLogger(__name__)

BATCH_TEXTS = 8
BATCH_CHARS = 1_600
"""A batch takes about a quarter of a second at most: a question waits no longer for its turn."""
PIECE_CHARS = 1_500
"""Longer texts are embedded in pieces and averaged; models read 256 to 512 tokens."""
CACHED_QUESTIONS = 256
CACHED_VERDICTS = 64
"""A question that was typed is asked twice: as a draft, and when it is sent."""
REST_S, REST_MOST_S = 5.0, 600.0
"""After a start that failed, before the next is tried; doubled each time. Loading one may take seconds."""

Adopt = Callable[[str, int], Awaitable[None]]


class Embedder:
    """Vectors for texts. The child starts on the first call; `adopt` hears which model it is, each time."""

    def __init__(self, spec: str, *, idle_unload_s: float = 0.0, fault: str = "") -> None:
        self.model = ""
        self.dim = 0
        self.problem = ""
        """Why no vectors can be had; empty while they can."""
        self.adopt: Adopt | None = None
        environment = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        if fault:
            environment["NESTOR_FAULT_EMBED"] = fault
        self._child = Child(
            "embed",
            "assistant.memory.embed",
            arguments=(spec,),
            idle_unload_s=idle_unload_s,
            environment=environment,
        )
        self._child.prepare = self._prepare
        self._questions: OrderedDict[str, Floats] = OrderedDict()
        self._verdicts: OrderedDict[bytes, Floats] = OrderedDict()
        """By hash: what is forgotten is not kept here."""
        self._asking = 0
        self._nobody_asks = asyncio.Event()
        self._nobody_asks.set()
        self._warming: asyncio.Task[None] | None = None
        self._failure: EmbedderError | None = None
        self._rest_s = 0.0
        self._not_before = 0.0

    async def question(self, text: str) -> Floats:
        """The vector of a question; goes before memories that wait. Raises EmbedderError."""
        if (known := self._questions.get(text)) is not None:
            self._questions.move_to_end(text)
            return known
        with self._ahead():
            vector = await self._ask(text)
        self._questions[text] = vector
        while len(self._questions) > CACHED_QUESTIONS:
            self._questions.popitem(last=False)
        return vector

    async def judge(self, question: str, texts: Sequence[str]) -> Floats | None:
        """A logit a text: how likely it answers the question; None of a model that cannot tell.

        Goes before memories that wait. Raises EmbedderError.
        """
        asked = {"question": question, "texts": list(texts)}
        key = hashlib.blake2b(msgspec.msgpack.encode(asked)).digest()
        if (known := self._verdicts.get(key)) is not None:
            self._verdicts.move_to_end(key)
            return known
        self._rested()
        try:
            with self._ahead():
                answer = await self._child.call("judge", asked)
        except AssistantError as exc:
            raise self._failed(exc) from exc
        logits = np.frombuffer(answer or b"", np.float32)
        if len(logits) != len(texts) or not np.isfinite(logits).all():
            return None
        self._verdicts[key] = logits
        while len(self._verdicts) > CACHED_VERDICTS:
            self._verdicts.popitem(last=False)
        return logits

    @contextlib.contextmanager
    def _ahead(self) -> Iterator[None]:
        """Memories wait meanwhile."""
        self._asking += 1
        self._nobody_asks.clear()
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._nobody_asks.set()

    async def _ask(self, text: str) -> Floats:
        while True:
            child = self._child
            try:
                vector: Floats = (await self._embed([text], "query"))[0]
            except EmbedderError:
                if child is self._child:
                    raise
            else:
                if child is self._child:  # else another model took over meanwhile
                    return vector

    async def embed(self, texts: Sequence[str], purpose: str = "passage") -> Floats:
        """One row of unit length a text, in small batches between questions. Raises EmbedderError."""
        pieces = [(n, piece) for n, text in enumerate(texts) for piece in _pieces(text)]
        totals: Floats | None = None
        for batch in _batches(pieces):
            await self._nobody_asks.wait()
            rows = await self._embed([piece for _, piece in batch], purpose)
            if totals is None:
                totals = np.zeros((len(texts), rows.shape[1]), np.float32)
            for (number, piece), row in zip(batch, rows, strict=True):
                totals[number] += len(piece) * row
        return unit(totals) if totals is not None else np.zeros((0, self.dim), np.float32)

    def become(self, other: Embedder) -> Child:
        """Be another one from now on, with its child; returns the old child, for its end."""
        old, self._child = self._child, other._child
        self.model, self.dim, self.problem = other.model, other.dim, ""
        self._child.prepare = self._prepare
        self.forget()
        return old

    def forget(self) -> None:
        """Drop what is remembered of questions."""
        self._questions.clear()
        self._verdicts.clear()

    def warm(self) -> None:
        """Start the child ahead of need; returns at once."""
        if self._warming is None or self._warming.done():
            self._warming = asyncio.get_running_loop().create_task(self._warm())

    async def ready(self) -> None:
        """Start the child and load the model. Raises EmbedderError; at once, while it rests after one."""
        self._rested()
        try:
            await self._child.ready()
        except AssistantError as exc:
            raise self._failed(exc) from exc

    def try_again(self) -> None:
        """Rest no longer: what was in the way may be gone."""
        self._failure, self._rest_s = None, 0.0

    def status(self) -> ChildStatus:
        """The child as seen from here."""
        return self._child.status()

    async def close(self) -> None:
        """End the child for good."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        await self._child.close()

    # --- the child -------------------------------------------------------------------------

    async def _warm(self) -> None:
        try:
            await self.ready()
        except AssistantError as exc:
            log.warning("the embedder is not ready: %s", exc.code)

    def _rested(self) -> None:
        if self._failure is not None and time.monotonic() < self._not_before:
            raise self._failure

    async def _prepare(self) -> None:
        try:
            info = await self._child.call_unprepared("load")
        except ChildStopped:
            raise
        except AssistantError as exc:
            self._rest_s = min(REST_MOST_S, 2 * self._rest_s or REST_S)
            self._not_before = time.monotonic() + self._rest_s
            self._failure = self._failed(exc)
            raise
        self.try_again()
        if self.model and self.model != info["model"]:
            self._questions.clear()
        self.model, self.dim = str(info["model"]), int(info["dim"])
        self.problem = ""
        if self.adopt is not None:
            await self.adopt(self.model, self.dim)

    async def raw(self, texts: Sequence[str], purpose: str) -> Floats:
        """For `adopt` itself, while the child is being prepared."""
        payload = {"texts": list(texts), "purpose": purpose}
        return self._rows(await self._child.call_unprepared("embed", payload), len(texts))

    async def _embed(self, texts: Sequence[str], purpose: str) -> Floats:
        self._rested()
        payload = {"texts": list(texts), "purpose": purpose}
        try:
            answer = await self._child.call("embed", payload)
        except AssistantError as exc:
            raise self._failed(exc) from exc
        return self._rows(answer, len(texts))

    def _rows(self, answer: bytes | None, count: int) -> Floats:
        rows = np.frombuffer(answer or b"", np.float32)
        if len(rows) != count * self.dim or not np.isfinite(rows).all():
            raise EmbedderError("The embedder sent vectors that cannot be.")
        return rows.reshape(count, self.dim)

    def _failed(self, error: AssistantError) -> EmbedderError:
        self.problem = error.message
        if isinstance(error, EmbedderError):
            return error
        died = isinstance(error, ChildCrashed)
        return EmbedderError("The embedder's process died." if died else "")


def _pieces(text: str) -> list[str]:
    if len(text) <= PIECE_CHARS:
        return [text]
    pieces, start = [], 0
    while start < len(text):
        end = start + PIECE_CHARS
        if end < len(text) and (space := text.rfind(" ", start + PIECE_CHARS // 2, end)) > 0:
            end = space
        pieces.append(text[start:end])
        start = end
    return pieces


def _batches(pieces: Sequence[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    batches: list[list[tuple[int, str]]] = []
    chars = 0
    for number, piece in pieces:
        if not batches or len(batches[-1]) == BATCH_TEXTS or chars + len(piece) > BATCH_CHARS:
            batches.append([])
            chars = 0
        batches[-1].append((number, piece))
        chars += len(piece)
    return batches
