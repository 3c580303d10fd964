"""Find memories for a question: its words and its vector at once, then all that speaks for each row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

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
        index = self.index
        asking = asyncio.get_running_loop().create_task(self._vector(question.bare))
        question, found = await self._readers.run(lambda db: self._read(db, question, which))
        # With the gate, words are an answer only where they are evidence.
        answered = len(found.rare) + len(found.named) if gate else len(found.seqs)
        if answered:
            await asyncio.wait({asking}, timeout=patience_s)
        else:
            await self._last_resort(asking, last_resort_s)
        # Left alone when it is late: the child goes on starting, for the next question.
        vector = asking.result() if asking.done() else None
        if index is not self.index:  # another model took over meanwhile: begin again
            return await self.find(
                question, which, k=k, gate=gate, patience_s=patience_s, last_resort_s=last_resort_s
            )
        if not gate or vector is None or not verdicts.for_a_fact(question):
            return await self._readers.run(
                lambda db: self._shown(
                    db,
                    index,
                    self._weigh(db, index, question, which, found, vector, gate),
                    which,
                    k,
                )
            )
        weighed, notes = await self._readers.run(
            lambda db: _to_judge(
                db, question, self._weigh(db, index, question, which, found, vector, gate)
            )
        )
        weighed = await self._judged(weighed, notes)
        return await self._readers.run(lambda db: self._shown(db, index, weighed, which, k))

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

    def _read(self, db: Database, question: Question, which: Filter) -> tuple[Question, Found]:
        view = self.index.view(which)
        question = events.dated(db, question, which, view, self.postings)
        return question, self._find_words(db, question, view)

    def _find_words(self, db: Database, question: Question, view: View) -> Found:
        names = question.names | question.speakers | subjects.other_names(db, question.text)
        return words.search(db, question.words, sorted(names), view, CANDIDATES, self.postings)

    def _weigh(
        self,
        db: Database,
        index: Index,
        question: Question,
        which: Filter,
        found: Found,
        vector: Floats | None,
        gate: bool,
    ) -> Weighed:
        candidates = _candidates(index, question, which, found, vector)
        candidates = told_apart(db, question, candidates, found)
        near = gate_for(index.noise, len(index)) if vector is not None else 0.0
        evidence = fuse(question, candidates, found, near)
        if not gate:
            return Weighed(evidence, near)
        refused = _refused(db, question, contenders(evidence))
        return Weighed(evidence, near, passes(evidence, near, refused))

    def _shown(
        self, db: Database, index: Index, weighed: Weighed, which: Filter, k: int
    ) -> list[Recalled]:
        best = ranked(weighed.evidence, weighed.near, weighed.passing)
        best = own_first(best, index.of_kind("chunk", [seq for seq, _ in best]), k)
        texts = tables.recalled_rows(db, [seq for seq, _ in best], which)
        return [texts[seq](score) for seq, score in best if seq in texts]


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
