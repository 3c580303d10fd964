"""Find memories for a question: its words and its vector at once, then all that speaks for each row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from sqlite_utils import Database

from assistant.errors import EmbedderError
from assistant.memory import events, subjects, tables, verdicts, words
from assistant.memory.embedder import Embedder
from assistant.memory.naming import spelled_out
from assistant.memory.persons import told_apart
from assistant.memory.postings import Postings
from assistant.memory.readers import Readers
from assistant.memory.recall import (
    CONTENDERS,
    Evidence,
    Question,
    clearly_meant,
    contenders,
    fuse,
    gate_for,
    passes,
    ranked,
)
from assistant.memory.scan import Floats, Mask
from assistant.memory.slots import Candidates, Filter, View
from assistant.memory.trust import own_first
from assistant.memory.vectors import Index
from assistant.memory.wanted import LONG, Wanted
from assistant.memory.words import Found
from assistant.types import Recalled

CANDIDATES = 150
"""Rows ranked for one question, by words and by vectors each; their neighbours come on top."""
NAMED = 32
"""Rows with a name that is asked for, the latest, which are ranked whatever else they say."""
PATIENCE_S = 0.4
"""How long a question waits for its vector where words found something."""
READ = 3 * verdicts.JUDGED
"""Rows, the best first, of which the judge reads those that are short and may hold the answer."""
WAITING = "SELECT count(*) FROM (SELECT 1 FROM memories WHERE embed_model IS NULL LIMIT ?)"
"""Rows without a vector, at most so many."""
JUDGE_S = 2.0
"""How long a question waits for the judge; the gate decides alone, where it is late."""
FEW = 32
"""New rows whose vectors are worth waiting for: about a second's work."""
FORGET_S = 30.0
"""How long a forget by query waits for vectors: it is never decided without."""
LAST_RESORT_S = 5.0
"""The same where words found nothing: the child may have to start first."""


class Finder:
    """Asks the index and the database; any number of questions at a time."""

    def __init__(self, readers: Readers, index: Index, embedder: Embedder) -> None:
        self._readers = readers
        self._embedder = embedder
        self.index = index
        """Complete; another one takes its place when another model does."""
        self.postings = Postings()
        self.catch_up: Callable[[float], Awaitable[bool]] | None = None
        """Waits until all rows have their vectors, for at most these seconds."""

    async def find(
        self,
        question: Question,
        which: Filter,
        *,
        k: int,
        gate: bool = False,
        patience_s: float = PATIENCE_S,
        last_resort_s: float = LAST_RESORT_S,
    ) -> list[Recalled]:
        """The `k` rows that `which` lets through nearest to a question, best first; see `Memories.recall`."""
        ask = Ask(self.index, question, which, k, gate)
        asking = asyncio.get_running_loop().create_task(self._vector(question.bare))
        await asyncio.sleep(0)  # the vector of what was asked before, as a draft, is there by then
        early = asking.result() if asking.done() and ask.index is self.index else None
        ask, found, best = await self._readers.run(lambda db: self._read(db, ask, early))
        if best is None:
            if _answered(found, gate):
                await asyncio.wait({asking}, timeout=patience_s)
            else:
                await self._last_resort(asking, last_resort_s)
            # Left alone when it is late: the child goes on starting, for the next question.
            vector = asking.result() if asking.done() else None
            if ask.index is not self.index:  # another model took over meanwhile: begin again
                return await self.find(
                    question,
                    which,
                    k=k,
                    gate=gate,
                    patience_s=patience_s,
                    last_resort_s=last_resort_s,
                )
            best = await self._readers.run(lambda db: self._rank(db, ask, found, vector))
        if isinstance(best, list):
            return best
        weighed = await self._judged(*best)
        return await self._readers.run(lambda db: _shown(db, ask, weighed))

    async def clearly_meant(self, question: Question) -> list[str]:
        """Live memories, by id, that share both the meaning and most of the telling words of a question.

        Raises EmbedderError where that cannot be told now.
        """
        give_up = time.monotonic() + FORGET_S
        asking = asyncio.get_running_loop().create_task(self._vector(question.bare))
        await asyncio.wait({asking}, timeout=FORGET_S)
        vector = asking.result() if asking.done() else None
        if vector is None:
            raise EmbedderError(
                "Which memories are meant cannot be told now: the embedder does not run.",
                "Forget by id, or try again later.",
            )
        if self.catch_up:
            await self.catch_up(max(0.0, give_up - time.monotonic()))

        def work(db: Database) -> list[str]:
            found = self._find_words(db, question, self.index.view(Filter()))
            candidates = _candidates(self.index, question, Filter(), found, vector)
            near = gate_for(self.index.noise, len(self.index))
            return tables.ids(db, clearly_meant(candidates, found, near))

        return await self._readers.run(work)

    async def _judged(self, weighed: Weighed, notes: Notes) -> Weighed:
        """With what the judge says, where it can be asked."""
        logits = await self._logits(notes) if notes.texts else None
        if logits is None or weighed.passing is None:
            return weighed
        by_seq = dict(zip(notes.texts, logits.tolist(), strict=True))
        which = verdicts.passing(
            weighed.evidence, weighed.near, by_seq, weighed.passing, notes.too_long
        )
        return msgspec.structs.replace(weighed, passing=which)

    async def _logits(self, notes: Notes) -> Floats | None:
        async def ask() -> Floats | None:
            try:
                return await self._embedder.judge(notes.asked, list(notes.texts.values()))
            except EmbedderError:
                return None

        asking = asyncio.get_running_loop().create_task(ask())
        await asyncio.wait({asking}, timeout=JUDGE_S)
        return asking.result() if asking.done() else None

    async def _last_resort(self, asking: asyncio.Task[Floats | None], timeout_s: float) -> None:
        """Only vectors can help: wait for the question's, and for those of a few new rows."""
        give_up = time.monotonic() + timeout_s
        await asyncio.wait({asking}, timeout=timeout_s)
        left = give_up - time.monotonic()
        if left > 0 and self.catch_up and await self._readers.run(_few_wait):
            await self.catch_up(left)

    async def _vector(self, text: str) -> Floats | None:
        """Of the model whose vectors the index has; None if there is none to be had."""
        try:
            for _ in range(3):
                vector = await self._embedder.question(text)
                if self._embedder.model == self.index.model:
                    return vector
                await asyncio.sleep(0)  # another model takes over at this moment
        except EmbedderError:
            pass
        return None

    def take(self, index: Index) -> None:
        """Go on with these arrays, which are complete. On the writer's thread."""
        self.index = index

    def _read(self, db: Database, ask: Ask, early: Floats | None) -> tuple[Ask, Found, Best | None]:
        """What words find; ranked at once, where the question's vector is known and nothing to wait for."""
        view = ask.index.view(ask.which)
        question = events.dated(db, ask.question, ask.which, view, self.postings)
        ask = msgspec.structs.replace(ask, question=question)
        found = self._find_words(db, question, view)
        if early is None or not _answered(found, ask.gate):
            return ask, found, None
        # The index knows what was stored meanwhile; so must whoever reads what it names.
        self._readers.anew(db)
        return ask, found, self._rank(db, ask, found, early)

    def _find_words(self, db: Database, question: Question, view: View) -> Found:
        names = question.names | question.speakers | subjects.other_names(db, question.text)
        return words.search(db, question.words, sorted(names), view, CANDIDATES, self.postings)

    def _rank(self, db: Database, ask: Ask, found: Found, vector: Floats | None) -> Best:
        weighed = _weigh(db, ask, found, vector)
        if ask.gate and vector is not None and verdicts.for_a_fact(ask.question):
            return _to_judge(db, ask.question, weighed)
        return _shown(db, ask, weighed)


class Ask(msgspec.Struct, frozen=True):
    """What is looked for, and where."""

    index: Index
    question: Question
    which: Filter
    k: int
    gate: bool


class Weighed(msgspec.Struct, frozen=True):
    """All that speaks for the candidates of a question."""

    evidence: Evidence
    near: float
    passing: Mask | None = None
    """Which ones are handed over; None: all."""


class Notes(msgspec.Struct, frozen=True):
    """The best rows of a question, by `seq`."""

    asked: str
    """The question, as the judge reads it."""
    texts: dict[int, str]
    """What the judge reads."""
    too_long: tuple[int, ...]
    """What it would read, were it shorter."""


Best: TypeAlias = list[Recalled] | tuple[Weighed, Notes]
"""The answer, or what the judge must be asked for it."""


def _answered(found: Found, gate: bool) -> bool:
    """Whether words are an answer; with the gate, only where they are evidence."""
    return bool(len(found.rare) + len(found.named) if gate else len(found.seqs))


def _weigh(db: Database, ask: Ask, found: Found, vector: Floats | None) -> Weighed:
    index, question = ask.index, ask.question
    candidates = _candidates(index, question, ask.which, found, vector)
    candidates = told_apart(db, question, candidates, found)
    near = gate_for(index.noise, len(index)) if vector is not None else 0.0
    evidence = fuse(question, candidates, found, near)
    if not ask.gate:
        return Weighed(evidence, near)
    refused = _refused(db, question, contenders(evidence))
    return Weighed(evidence, near, passes(evidence, near, refused))


def _shown(db: Database, ask: Ask, weighed: Weighed) -> list[Recalled]:
    best = ranked(weighed.evidence, weighed.near, weighed.passing)
    best = own_first(best, ask.index.of_kind("chunk", [seq for seq, _ in best]), ask.k)
    texts = tables.recalled_rows(db, [seq for seq, _ in best], ask.which)
    return [texts[seq](score) for seq, score in best if seq in texts]


def _candidates(
    index: Index, question: Question, which: Filter, found: Found, vector: Floats | None
) -> Candidates:
    # Who is asked about may have another name in the row than in the question.
    seqs = np.unique(np.concatenate([found.seqs, found.named[-NAMED:]]))
    return index.candidates(vector, question.language, seqs, which, CANDIDATES, question.focus)


def _few_wait(db: Database) -> bool:
    """Whether at most FEW rows wait for their vectors. Looks at no more: to count a million takes 90 ms."""
    return int(db.execute(WAITING, [FEW + 1]).fetchone()[0]) <= FEW


def _refused(db: Database, question: Question, seqs: Sequence[int]) -> list[int]:
    """Those that cannot hold what is asked for."""
    wanted = Wanted(question.text, question.language)
    if not wanted:
        return []
    told = tables.texts(db, seqs[:CONTENDERS], LONG + 1)
    return [seq for seq in seqs if seq not in told or not wanted.allows(told[seq])]


def _to_judge(db: Database, question: Question, weighed: Weighed) -> tuple[Weighed, Notes]:
    """And the best notes that may hold the answer."""
    wanted = Wanted(question.text, question.language)
    close = contenders(weighed.evidence, verdicts.OF_BEST)[:READ]
    told = tables.texts(db, close, verdicts.LONG + 1)
    too_long = tuple(seq for seq in close if len(told.get(seq, "")) > verdicts.LONG)
    read = [
        seq for seq in close if told.get(seq) and seq not in too_long and wanted.allows(told[seq])
    ]
    texts = {seq: told[seq] for seq in read[: verdicts.JUDGED]}
    # The judge knows nobody: who "my sister" is must be said to it.
    asked = spelled_out(db, question.text) if texts else question.text
    return weighed, Notes(asked, texts, too_long)
