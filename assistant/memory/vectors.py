"""All memories in arrays: what is live, who said it, what stands beside it, and its vector.

Derived from the database, which stays the truth; kept in step by the writer after each commit and
before the caller is told, so that what was acknowledged is found.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from assistant.memory.centre import Centre, unit
from assistant.memory.lines import NONE, Lines
from assistant.memory.scan import Floats, Mask, Scan, Slots, scan_for
from assistant.memory.slots import FOREVER, Candidates, Filter, Row, View
from assistant.types import in_classes

NEIGHBOUR_SHARE = 0.3
"""How much of each neighbour's vector is mixed into a row's."""


class Index:
    """The arrays. Any thread may call; a lock keeps each call whole."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.settled = False
        """Whether all stored vectors of the model were loaded."""
        self._clear()

    def _clear(self) -> None:
        self._centre: Centre | None = None
        self._scan: Scan | None = None
        self._rows: list[Row | None] = []
        self._lines = Lines()
        self._speakers: dict[str, int] = {}
        self._names: tuple[str, ...] | None = None
        self._codes: dict[str, int] = {}
        self._stale = False
        self._total_length = 0
        self.settled = False
        for name in [name for name in self._ARRAYS if name in self.__dict__]:
            delattr(self, name)
        self._grow(1024)

    _ARRAYS = (
        "_seq", "_said", "_from", "_to", "_kind", "_scope", "_length", "_group", "_has", "_raw"
    )  # fmt: skip

    def _grow(self, capacity: int) -> None:
        def wider(name: str, kind: Any) -> None:
            old = getattr(self, name, np.zeros(0, kind))
            new = np.zeros((capacity, *old.shape[1:]), kind)
            new[: len(old)] = old
            setattr(self, name, new)

        wider("_seq", np.int64)
        wider("_said", np.int64)
        wider("_from", np.int64)
        wider("_to", np.int64)
        wider("_kind", np.int32)
        wider("_scope", np.int32)
        self._lines.grow(capacity)
        wider("_length", np.int32)
        wider("_group", np.int8)
        wider("_has", np.bool_)
        if self._centre is not None:
            wider("_raw", np.float16)
            self._stale, self._scan = True, None

    _seq: Slots
    _said: Slots
    _from: Slots
    _to: Slots
    _kind: Any
    _scope: Any
    _length: Any
    _group: Any
    _has: Mask
    _raw: Any

    def __len__(self) -> int:
        """Rows that were ever added; those removed since count too."""
        return len(self._rows)

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
            self._raw = np.zeros((len(self._seq), centre.dim), np.float16)
            self._has[:] = False
            self._scan, self._stale, self.settled = None, True, False

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows, in rising order of `seq`."""
        with self._lock:
            touched: list[int] = []
            for row in rows:
                slot = len(self._rows)
                if slot == len(self._seq):
                    self._grow(2 * slot)
                self._rows.append(row)
                self._seq[slot], self._length[slot] = row.seq, row.length
                self._total_length += row.length
                self._set(slot, row)
                touched += self._lines.add(slot, row)
            self._remix(touched)
            self._name_speakers()

    def change(self, row: Row) -> None:
        """A row was closed, or its kind changed; its thread, scope and text never do."""
        with self._lock:
            if (slot := self._slot(row.seq)) is not None and (old := self._rows[slot]):
                self._count_speaker(old, -1)
                self._rows[slot] = row
                self._set(slot, row)
                if row.valid_to != FOREVER:
                    self._remix(self._lines.remove(slot, row))
                self._name_speakers()

    def remove(self, seqs: Sequence[int]) -> None:
        """Forget rows and their vectors."""
        with self._lock:
            touched: list[int] = []
            for seq in seqs:
                slot = self._slot(seq)
                if slot is None or (row := self._rows[slot]) is None:
                    continue
                touched += self._lines.remove(slot, row)
                self._count_speaker(row, -1)
                self._rows[slot] = None
                self._from[slot] = FOREVER
                self._to[slot] = 0
                self._drop_vector(slot)
            self._remix(touched)
            self._name_speakers()

    def put_vectors(self, seqs: Sequence[int], vectors: Floats) -> None:
        """Give rows their vectors (unit length); rows that are gone meanwhile are passed over."""
        with self._lock:
            if self._centre is None or not len(seqs):
                return
            found = [(self._slot(seq), i) for i, seq in enumerate(seqs)]
            known = [(slot, i) for slot, i in found if slot is not None and self._rows[slot]]
            if not known:
                return
            slots = np.array([slot for slot, _ in known], np.int64)
            rows = vectors[[i for _, i in known]].astype(np.float32)
            again = self._has[slots]
            if again.any():  # the same rows once more: count them once
                self._centre.count(
                    self._group[slots[again]], self._raw[slots[again]].astype(np.float32), -1
                )
            languages = [row.lang for slot, _ in known if (row := self._rows[slot])]
            groups = self._centre.groups(languages, rows)
            self._raw[slots], self._group[slots], self._has[slots] = rows, groups, True
            self._centre.count(groups, rows)
            if self._centre.moved():
                self._stale = True
            around = np.concatenate([slots, self._lines.before[slots], self._lines.after[slots]])
            self._remix(around[around != NONE].tolist())

    def _set(self, slot: int, row: Row) -> None:
        self._said[slot], self._from[slot], self._to[slot] = (
            row.said_at,
            row.valid_from,
            row.valid_to,
        )
        self._kind[slot] = self._code("kind " + row.kind)
        self._scope[slot] = self._code("scope " + row.scope)
        self._count_speaker(row, 1)

    def _code(self, name: str) -> int:
        return self._codes.setdefault(name, len(self._codes))

    def _count_speaker(self, row: Row, by: int) -> None:
        if row.speaker:
            left = self._speakers.get(row.speaker, 0) + by
            if row.speaker not in self._speakers or left <= 0:
                self._names = None
            self._speakers[row.speaker] = left
            if left <= 0:
                del self._speakers[row.speaker]

    def _name_speakers(self) -> None:
        if self._names is None:
            self._names = self._known = tuple(self._speakers)

    _known: tuple[str, ...] = ()

    def _slot(self, seq: int) -> int | None:
        count = len(self._rows)
        at = int(np.searchsorted(self._seq[:count], seq))
        return at if at < count and self._seq[at] == seq else None

    def _drop_vector(self, slot: int) -> None:
        if self._centre is None or not self._has[slot]:
            return
        one = np.array([slot])
        self._centre.count(self._group[one], self._raw[one].astype(np.float32), -1)
        self._raw[slot], self._has[slot] = 0, False
        if self._scan is not None:
            self._scan.write(one, np.zeros((1, self._centre.dim), np.float32))

    # --- derived vectors -------------------------------------------------------------------

    def _remix(self, slots: Sequence[int]) -> None:
        """Make the mixed vectors of these slots again, unless all wait to be."""
        if self._centre is None or self._stale or self._scan is None or not slots:
            return
        which = np.unique(np.array(slots, np.int64))
        which = which[self._has[which]]
        if len(which):
            self._scan.write(which, self._mixed(which))

    def _mixed(self, slots: Slots) -> Floats:
        mixed = self._centred(slots)
        for side in (self._lines.before[slots], self._lines.after[slots]):
            there = side != NONE
            there[there] = self._has[side[there]]
            mixed[there] += NEIGHBOUR_SHARE * self._centred(side[there])
        return unit(mixed)

    def _centred(self, slots: Slots) -> Floats:
        assert self._centre is not None
        return self._centre.passages(self._group[slots], self._raw[slots].astype(np.float32))

    def _settle(self) -> Scan:
        """The scan, made again if the means moved or it is not there yet."""
        assert self._centre is not None
        if self._scan is None or self._stale:
            self._centre.settle()
            self._scan = scan_for(len(self._seq), self._centre.dim)
            slots = np.flatnonzero(self._has[: len(self._rows)])
            for start in range(0, len(slots), 4096):
                part = slots[start : start + 4096]
                self._scan.write(part, self._mixed(part))
            self._stale = False
        return self._scan

    # --- finding ---------------------------------------------------------------------------

    def speakers(self) -> tuple[str, ...]:
        """Everyone who said something that is remembered. Never waits for the lock."""
        return self._known

    def allowed(self, which: Filter) -> Mask:
        """Which slots may be found."""
        count = len(self._rows)
        mask: Mask
        if which.at is None:
            mask = self._to[:count] == FOREVER
        else:
            mask = (self._from[:count] <= which.at) & (self._to[:count] > which.at)
        if which.kinds is not None:
            wanted = [self._codes.get("kind " + kind, NONE) for kind in which.kinds]
            mask &= np.isin(self._kind[:count], wanted)
        if which.scope is not None:
            wanted = [self._codes.get("scope " + one, NONE) for one in (which.scope, "")]
            mask &= np.isin(self._scope[:count], wanted)
        if which.classes is not None:
            visible = [
                code
                for name, code in self._codes.items()
                if name.startswith("scope ") and in_classes(name[6:], which.classes)
            ]
            mask &= np.isin(self._scope[:count], visible)
        return mask

    def view(self, which: Filter) -> View:
        """What may be found now."""
        with self._lock:
            count = len(self._rows)
            mean = self._total_length / max(1, count)
            return View(self._seq[:count], self.allowed(which), self._length[:count], mean)

    def candidates(
        self,
        question: Floats | None,
        language: str,
        word_seqs: Slots,
        which: Filter,
        limit: int,
    ) -> Candidates:
        """The nearest `limit` rows, the rows found by words, and the live neighbours of both."""
        with self._lock:
            allowed = self.allowed(which)
            found = [s for seq in word_seqs if (s := self._slot(int(seq))) is not None]
            slots = np.array(found, np.int64)
            query = None
            if question is not None and self._centre is not None:
                scan = self._settle()
                query = self._centre.question(language, question)
                near, _ = scan.top(query, allowed & self._has[: len(allowed)], limit)
                slots = np.concatenate([near, slots])
            beside = np.concatenate([self._lines.before[slots], self._lines.after[slots]])
            slots = np.unique(np.concatenate([slots, beside[beside != NONE]]))
            slots = slots[allowed[slots]] if len(slots) else slots
            return self._describe(slots, query)

    def _describe(self, slots: Slots, query: Floats | None) -> Candidates:
        smooth = np.full(len(slots), np.nan, np.float32)
        own = smooth.copy()
        if query is not None and len(slots):
            has = self._has[slots]
            smooth[has] = self._settle().score(query, slots[has])
            own[has] = self._centred(slots[has]) @ query
        rows = [row for slot in slots if (row := self._rows[slot])]
        return Candidates(
            slots=slots,
            seqs=self._seq[slots],
            smooth=smooth,
            own=own,
            previous=_positions(slots, self._lines.before[slots]),
            next=_positions(slots, self._lines.after[slots]),
            said_at=self._said[slots],
            speakers=tuple(row.speaker for row in rows),
            langs=tuple(row.lang for row in rows),
        )

    @property
    def noise(self) -> float:
        """Spread of the cosine to unrelated text with this model; 0 before there is one."""
        return self._centre.noise if self._centre else 0.0

    # --- checking --------------------------------------------------------------------------

    def contents(self) -> tuple[set[int], set[int]]:
        """The rows, and those with a vector, by `seq`."""
        with self._lock:
            rows = {row.seq for row in self._rows if row}
            has = {row.seq for slot, row in enumerate(self._rows) if row and self._has[slot]}
            return rows, has


def _positions(slots: Slots, wanted: Slots) -> Slots:
    """Where `wanted` stand in the sorted `slots`; -1 where they do not."""
    if not len(slots):
        return wanted
    at = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
    return np.where(slots[at] == wanted, at, NONE)
