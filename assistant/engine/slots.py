"""Which sequence of the key-value cache holds which tokens, and which of them gives way.

All sequences share one pool of cells. Chats that begin alike share the cells of that beginning, so
what a chat costs is what it has alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence, Set
from typing import Protocol

import numpy as np


class Cache(Protocol):
    """The sequences of a loaded model; see `llama.Llama`."""

    cuttable: bool

    def keep(self, sequence: int, length: int) -> bool: ...
    def share(self, source: int, target: int, length: int) -> None: ...


class Slot:
    """One sequence and what it holds."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.tokens: list[int] = []
        self.cells: list[int] = []
        """A number for each token's cell; the same number in two slots is one cell."""
        self.floor = 0
        """It cannot be cut back to fewer tokens than these, only emptied."""
        self.chat = ""
        self.refs: set[str] = set()
        """What its tokens came from: chat, turns, memories."""
        self.busy = False
        self.doomed = False
        """To be emptied as soon as it is idle: something in it was forgotten."""
        self.background = False
        """Filled by work that nobody waits for."""
        self.saved = 0
        """How many of its tokens a state on disk holds."""
        self.unsent = 0
        """From here on it holds words that nobody has sent: they do not go to disk. 0: none."""
        self.used_at = 0.0


class Cells:
    """Counts the cells that are taken, shared ones once."""

    def __init__(self) -> None:
        self.used = 0
        self._numbers = itertools.count()
        self._shared: dict[int, int] = {}

    def take(self, count: int) -> list[int]:
        """New cells."""
        self.used += count
        return list(itertools.islice(self._numbers, count))

    def share(self, cells: Sequence[int]) -> None:
        """One more slot has them."""
        for cell in cells:
            self._shared[cell] = self._shared.get(cell, 1) + 1

    def give_back(self, cells: Sequence[int]) -> None:
        """One slot fewer has them."""
        for cell in cells:
            holders = self._shared.get(cell)
            if holders is None:
                self.used -= 1
            elif holders == 2:
                del self._shared[cell]
            else:
                self._shared[cell] = holders - 1


class Slots:
    """The sequences of one model. The last one, `root`, keeps the beginning that chats share."""

    def __init__(self, cache: Cache, count: int, cells: int) -> None:
        self._cache = cache
        self._cells = Cells()
        self.all = [Slot(sequence) for sequence in range(count)]
        self.reserved = self.all[-1]
        """For work in the background, so that it never takes a chat's."""
        self.reserved.background = True
        self.forgotten: set[str] = set()
        """Ids whose text may be kept nowhere; they are never used again."""
        self.root = Slot(count)
        self.cells = cells

    @property
    def used(self) -> int:
        """Cells that are taken."""
        return self._cells.used

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.all)

    def of_chat(self, chat: str) -> Slot | None:
        """The slot that holds a chat."""
        return next((s for s in self.all if chat and s.chat == chat and s.tokens), None)

    def nearest(self, tokens: Sequence[int]) -> tuple[Slot, int]:
        """The slot that begins most like `tokens`, and for how many; `root` and 0 at the least.

        What is shared costs no cell, so even background work may share a chat's beginning.
        """
        wanted = np.asarray(tokens, np.int32)
        best, length = self.root, self.usable(self.root, common(self.root.tokens, wanted))
        for slot in self.all:
            if (same := self.usable(slot, common(slot.tokens, wanted))) > length:
                best, length = slot, same
        return best, length

    def usable(self, slot: Slot, same: int) -> int:
        """How many of its first `same` tokens a slot can be cut to."""
        if same == len(slot.tokens) or (self._cache.cuttable and same >= slot.floor):
            return same
        return 0

    def free(self) -> Slot | None:
        """One that holds nothing."""
        return next((s for s in self.all if not (s.tokens or s.busy or s.background)), None)

    def victims(self, *, background: bool) -> list[Slot]:
        """Slots that may be emptied, least missed first; background work never takes a chat's."""
        idle = [s for s in self.all if s.tokens and not s.busy]
        if background:
            idle = [s for s in idle if s.background]
        return sorted(idle, key=lambda s: (not s.background, bool(s.chat), s.used_at))

    # --- changes -------------------------------------------------------------------------

    def grow(self, slot: Slot, tokens: Sequence[int]) -> None:
        """A slot's sequence was given these tokens."""
        slot.tokens += tokens
        slot.cells += self._cells.take(len(tokens))

    def cut(self, slot: Slot, length: int) -> None:
        """Cut a slot back; empties it where that cannot be done."""
        if length and not (self._cache.keep(slot.sequence, length)):
            length = 0
        if not length:
            self._cache.keep(slot.sequence, 0)
            slot.floor = 0
            if not slot.busy:
                slot.chat, slot.unsent, slot.refs, slot.doomed = "", 0, set(), False
        self._cells.give_back(slot.cells[length:])
        del slot.tokens[length:], slot.cells[length:]
        slot.saved = min(slot.saved, length)

    def settle(self, slot: Slot) -> None:
        """After a batch that failed: what the cache holds beyond the slot's tokens goes."""
        self.cut(slot, len(slot.tokens))

    def share(self, source: Slot, target: Slot, length: int) -> None:
        """Let an empty slot begin with the first tokens of another."""
        self._cache.share(source.sequence, target.sequence, length)
        target.tokens = source.tokens[:length]
        target.cells = source.cells[:length]
        target.floor = source.floor
        target.refs = set(source.refs) if source is not self.root else set()
        self._cells.share(target.cells)

    def remember(self, slot: Slot, length: int) -> None:
        """Keep a slot's first tokens as the root that other chats can begin with."""
        cut = self._cache.cuttable and length >= slot.floor
        if not cut or self.root.tokens == slot.tokens[:length]:
            return
        self.cut(self.root, 0)
        self.share(slot, self.root, length)

    def filled(self, slot: Slot, tokens: Sequence[int]) -> None:
        """An empty slot was restored from a state."""
        self.grow(slot, tokens)
        slot.saved = len(tokens)

    def forget(self, refs: Set[str]) -> int:
        """Empty every slot that holds one of these, busy ones when they are done; how many."""
        self.forgotten |= refs
        gone = [s for s in self.all if s.tokens and (s.refs & refs or s.chat in refs)]
        for slot in gone:
            slot.doomed = True
            if not slot.busy:
                self.cut(slot, 0)
        return len(gone)


def common(held: Sequence[int], wanted: np.ndarray) -> int:
    """How many tokens two prompts begin with alike."""
    size = min(len(held), len(wanted))
    if not size or held[0] != wanted[0]:
        return 0
    different = np.asarray(held[:size], np.int32) != wanted[:size]
    at = int(different.argmax())
    return at if different[at] else size
