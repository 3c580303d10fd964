"""All memories in arrays: what is live, who said it, what stands beside it, and its vector.

Derived from the database, which stays the truth; kept in step by the writer after each commit and
before the caller is told, so that what was acknowledged is found.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from assistant.memory.centre import PRIORED, Asked, Centre
from assistant.memory.codes import Codes
from assistant.memory.columns import Columns
from assistant.memory.lines import NONE, Lines
from assistant.memory.scan import Floats, Mask, Signs, Slots, best, kept, nearest
from assistant.memory.slots import FOREVER, Candidates, Filter, Focus, Row, View, place

NEIGHBOUR_SHARE = 0.3
"""How much of each neighbour's vector is mixed into a row's."""
_MIXED_AT_ONCE = 4096
NOTHING = Focus()


class Index:
    """The arrays. Any thread may call; a lock keeps each call whole."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.settled = False
        """Whether all stored vectors of the model were loaded."""
        self._clear()

    def _clear(self) -> None:
        capacity = 1024
        self._columns = Columns(capacity)
        self._lines = Lines()
        self._lines.grow(capacity)
        self._has: Mask = np.zeros(capacity, np.bool_)
        self._lengths: Floats = np.ones(capacity, np.float32)
        """Of the mixed vectors, before they are brought to length one."""
        self._centre: Centre | None = None
        self._moved = np.zeros(len(PRIORED), np.bool_)
        """Language groups whose rows must be centred and mixed again."""
        self.settled = False

    _codes: Codes
    _signs: Signs

    def _grow(self) -> None:
        capacity = 2 * self._columns.capacity
        self._columns.grow(capacity)
        self._lines.grow(capacity)
        self._has = np.concatenate([self._has, np.zeros_like(self._has)])
        self._lengths = np.concatenate([self._lengths, np.ones_like(self._lengths)])
        if self._centre is not None:
            self._codes.grow(capacity)
            self._signs.grow(capacity)

    def __len__(self) -> int:
        """Rows that were ever added; those removed since count too."""
        return self._columns.count

    @contextlib.contextmanager
    def anew(self) -> Iterator[None]:
        """Empty it and fill it again, out of anyone's sight."""
        with self._lock:
            self._clear()
            yield

    # --- keeping step ----------------------------------------------------------------------

    def start(self, centre: Centre) -> None:
        """Take vectors of this model from now on; those of another are dropped."""
        with self._lock:
            self._centre = centre
            self._codes = Codes(self._columns.capacity, centre)
            self._signs = Signs(self._columns.capacity, centre.dim)
            self._has[:] = False
            self._moved[:] = False
            self.settled = False

    def warm(self) -> None:
        """Do now what the first question would have to wait for."""
        with self._lock:
            if self._centre is not None:
                self._settle()

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows, in rising order of `seq`."""
        with self._lock:
            touched: list[int] = []
            for row in rows:
                if self._columns.count == self._columns.capacity:
                    self._grow()
                slot = self._columns.append(row)
                touched += self._lines.add(slot, row)
            self._remix(touched)

    def change(self, row: Row) -> None:
        """A row was closed, or its kind changed; its thread, scope and text never do."""
        with self._lock:
            if (slot := self._slot(row.seq)) is None:
                return
            self._columns.change(slot, row)
            if row.valid_to != FOREVER:
                self._remix(self._lines.remove(slot, row))

    def remove(self, seqs: Sequence[int]) -> None:
        """Forget rows and their vectors."""
        with self._lock:
            touched: list[int] = []
            for seq in seqs:
                if (slot := self._slot(seq)) is None:
                    continue
                touched += self._lines.drop(slot)
                self._columns.remove(slot)
                self._drop_vector(slot)
            self._remix(touched)

    def put_vectors(self, seqs: Sequence[int], vectors: Floats) -> None:
        """Give rows their vectors (unit length); rows that are gone meanwhile are passed over."""
        with self._lock:
            if self._centre is None or not len(seqs):
                return
            slots, known = self._columns.slots(np.array(seqs, np.int64))
            slots, rows = slots[known], vectors[known].astype(np.float32, copy=False)
            if not len(slots):
                return
            again = slots[self._has[slots]]
            if len(again):  # the same rows once more: count them once
                self._centre.count(self._codes.groups[again], self._codes.raw(again), -1)
            groups = self._centre.groups(self._columns.langs_of(slots), rows)
            self._codes.write(slots, groups, rows)
            self._has[slots] = True
            self._centre.count(groups, self._codes.raw(slots))
            self._moved |= self._centre.moved()
            self._remix(self._with_beside(slots))

    def _slot(self, seq: int) -> int | None:
        return self._columns.slot(seq)

    def _drop_vector(self, slot: int) -> None:
        if self._centre is None or not self._has[slot]:
            return
        one = np.array([slot])
        self._centre.count(self._codes.groups[one], self._codes.raw(one), -1)
        nothing = np.zeros((1, self._centre.dim), np.float32)
        self._codes.write(one, self._codes.groups[one], nothing)
        self._signs.write(one, nothing)
        self._has[slot] = False

    # --- derived vectors -------------------------------------------------------------------

    def _remix(self, slots: Sequence[int] | Slots) -> None:
        """Make the signs of these slots again, but of those that wait for new means."""
        if self._centre is None or not len(slots):
            return
        which = np.unique(np.asarray(slots, np.int64))
        which = which[self._has[which]]
        which = which[~self._moved[self._codes.groups[which]]]
        if len(which):
            self._signs.write(which, self._mixed(which))

    def _mixed(self, slots: Slots) -> Floats:
        mixed = self._codes.centred(slots)
        for side in self._beside(slots):
            there = side != NONE
            mixed[there] += NEIGHBOUR_SHARE * self._codes.centred(side[there])
        lengths = np.maximum(np.linalg.norm(mixed, axis=1), 1e-9).astype(np.float32)
        self._lengths[slots] = lengths
        mixed /= lengths[:, None]
        return mixed

    def _beside(self, slots: Slots) -> Iterator[Slots]:
        """The neighbours that have vectors; NONE where there is none."""
        for side in (self._lines.before[slots], self._lines.after[slots]):
            yield np.where((side != NONE) & self._has[side], side, NONE)

    def _with_beside(self, slots: Slots) -> Slots:
        every = np.concatenate([slots, self._lines.before[slots], self._lines.after[slots]])
        return np.unique(every[every != NONE])

    def _settle(self) -> None:
        """Centre and mix rows again whose language's mean has moved."""
        assert self._centre is not None
        if not self._moved.any():
            return
        self._centre.settle(self._moved)
        count = self._columns.count
        slots = np.flatnonzero(self._has[:count] & self._moved[self._codes.groups[:count]])
        self._moved[:] = False
        slots = self._with_beside(slots)
        for start in range(0, len(slots), _MIXED_AT_ONCE):
            self._remix(slots[start : start + _MIXED_AT_ONCE])

    # --- finding ---------------------------------------------------------------------------

    def speakers(self) -> tuple[str, ...]:
        """Everyone who said something that is remembered. Never waits for the lock."""
        return self._columns.names

    def view(self, which: Filter) -> View:
        """What may be found now."""
        with self._lock:
            return self._columns.view(which)

    def candidates(
        self,
        question: Floats | None,
        language: str,
        word_seqs: Slots,
        which: Filter,
        limit: int,
        focus: Focus = NOTHING,
    ) -> Candidates:
        """The nearest `limit` rows, the rows found by words, and the live neighbours of both.

        The nearest `limit` of the people and of the times that a question names come on top.
        """
        with self._lock:
            allowed = self._columns.allowed(which)
            at, known = self._columns.slots(word_seqs)
            slots, asked = at[known], None
            if question is not None and self._centre is not None:
                self._settle()
                asked = self._centre.asked(language, question)
                slots = np.concatenate([slots, *self._nearest(asked, allowed, limit, focus)])
            slots = self._with_beside(slots)
            slots = slots[allowed[slots]] if len(slots) else slots
            return self._describe(slots, language, asked, focus)

    def _nearest(self, asked: Asked, allowed: Mask, limit: int, focus: Focus) -> Iterator[Slots]:
        count = len(allowed)
        # Among the many that signs keep, a question lies as near to other languages in either form.
        distances = self._signs.distances(asked.near, count)
        there = allowed & self._has[:count]
        for part in (there, *self._focused(there, focus)):
            few = nearest(distances, part, kept(count))
            yield best(few, self._smooth(asked, few), limit)

    def _focused(self, there: Mask, focus: Focus) -> Iterator[Mask]:
        if focus.speakers:
            yield there & self._columns.said_by(focus.speakers, slice(len(there)))
        said = self._columns.said[: len(there)]
        for start, end in focus.spans:
            yield there & (said >= start) & (said < end)

    def _own(self, asked: Asked, slots: Slots) -> Floats:
        """Cosines to the rows alone."""
        foreign = self._columns.foreign(asked.language, slots)
        cosines = self._codes.cosines(asked.near, slots)
        if foreign.any():
            cosines[foreign] = self._codes.cosines(asked.abroad, slots[foreign])
        return cosines

    def _smooth(self, asked: Asked, slots: Slots) -> Floats:
        """Cosines to rows mixed with their neighbours."""
        return self._both(asked, slots)[1]

    def _both(self, asked: Asked, slots: Slots) -> tuple[Floats, Floats]:
        """Cosines to the rows alone, and mixed with their neighbours."""
        every = np.concatenate([slots, *self._beside(slots)])
        there = every != NONE
        cosines = np.zeros(len(every), np.float32)
        cosines[there] = self._own(asked, every[there])
        own, before, after = cosines.reshape(3, -1)
        smooth = own + NEIGHBOUR_SHARE * (before + after)
        smooth /= self._lengths[slots]
        return own, smooth

    def _describe(
        self, slots: Slots, language: str, asked: Asked | None, focus: Focus
    ) -> Candidates:
        smooth = np.full(len(slots), np.nan, np.float32)
        own = smooth.copy()
        if asked is not None and len(slots):
            has = self._has[slots]
            own[has], smooth[has] = self._both(asked, slots[has])
        columns = self._columns
        return Candidates(
            slots=slots,
            seqs=columns.seq[slots],
            smooth=smooth,
            own=own,
            previous=_positions(slots, self._lines.before[slots]),
            next=_positions(slots, self._lines.after[slots]),
            said_at=columns.said[slots],
            lengths=columns.lengths_of(slots),
            asks=columns.asks[slots],
            by_asked=columns.said_by(focus.speakers, slots),
            by_nobody=columns.said_by(("",), slots),
            foreign=columns.foreign(language, slots),
        )

    def of_kind(self, kind: str, seqs: Sequence[int]) -> set[int]:
        """Those of these rows that are of this kind."""
        with self._lock:
            wanted = np.array(seqs, np.int64)
            slots, known = self._columns.slots(wanted)
            return set(wanted[known & self._columns.are(kind, slots)].tolist())

    @property
    def model(self) -> str:
        """Whose vectors these are; empty before there are any."""
        return self._centre.model if self._centre else ""

    @property
    def noise(self) -> float:
        """Spread of the cosine to unrelated text with this model; 0 before there is one."""
        return self._centre.noise if self._centre else 0.0

    # --- checking --------------------------------------------------------------------------

    def contents(self) -> tuple[set[int], set[int]]:
        """The rows, and those with a vector, by `seq`."""
        with self._lock:
            count = self._columns.count
            seqs, alive = self._columns.seq[:count], self._columns.alive[:count]
            return set(seqs[alive].tolist()), set(seqs[alive & self._has[:count]].tolist())


def _positions(slots: Slots, wanted: Slots) -> Slots:
    """Where `wanted` stand in the sorted `slots`; -1 where they do not."""
    at, there = place(slots, wanted)
    return np.where(there, at, NONE)
