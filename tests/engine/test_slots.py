"""Which sequence holds what, with a cache that only keeps accounts."""

import random

import numpy as np
import pytest

from assistant.engine.slots import Slots, common


class Ledger:
    """A cache of sets: one number per cell, as llama.cpp tags cells with sequences."""

    cuttable = True

    def __init__(self):
        self.held = {}

    def keep(self, sequence, length):
        self.held[sequence] = self.held.get(sequence, [])[:length]
        return True

    def share(self, source, target, length):
        assert not self.held.get(target)
        self.held[target] = self.held[source][:length]

    def grow(self, sequence, cells):
        self.held.setdefault(sequence, []).extend(cells)


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def slots(ledger):
    return Slots(ledger, 4, 1000)


def fill(slots, ledger, slot, tokens, chat=""):
    before = len(slot.cells)
    slots.grow(slot, list(tokens))
    ledger.grow(slot.sequence, slot.cells[before:])
    slot.chat = chat


def test_common():
    assert common([], np.array([1])) == 0
    assert common([1, 2, 3], np.array([1, 2, 3, 4])) == 3
    assert common([1, 2, 9], np.array([1, 2, 3])) == 2
    assert common([2], np.array([1])) == 0


def test_shared_cells_count_once_and_stay_as_long_as_one_holds_them(slots, ledger):
    a, b, c, _ = slots
    fill(slots, ledger, a, range(10), "c_1")
    slots.share(a, b, 6)
    fill(slots, ledger, b, [100, 101])
    assert slots.used == 12
    slots.share(b, c, 4)
    slots.cut(a, 0)
    assert slots.used == 8
    slots.cut(b, 5)
    assert slots.used == 5
    slots.cut(c, 0)
    slots.cut(b, 0)
    assert slots.used == 0


def test_any_order_of_changes_keeps_the_account(slots, ledger):
    rng = random.Random(3)
    for _ in range(2_000):
        slot = rng.choice(slots.all)
        action = rng.choice(["grow", "cut", "share", "remember"])
        if action == "grow" and slots.used < 800:
            fill(slots, ledger, slot, [rng.randrange(3) for _ in range(rng.randrange(20))])
        elif action == "cut":
            slots.cut(slot, rng.randrange(len(slot.tokens) + 1))
        elif action == "share" and not slot.tokens:
            source = rng.choice(slots.all)
            if source.tokens:
                slots.share(source, slot, rng.randrange(1, len(source.tokens) + 1))
        elif action == "remember" and slot.tokens:
            slots.remember(slot, rng.randrange(1, len(slot.tokens) + 1))
        every = [*slots, slots.root]
        assert slots.used == len({cell for s in every for cell in s.cells})
        for s in every:
            assert ledger.held.get(s.sequence, []) == s.cells
            assert len(s.cells) == len(s.tokens)


def test_the_nearest_slot(slots, ledger):
    a, b, *_ = slots
    fill(slots, ledger, a, [1, 2, 3, 4])
    fill(slots, ledger, b, [1, 2, 9])
    assert slots.nearest([1, 2, 3, 5]) == (a, 3)
    assert slots.nearest([1, 2, 9, 9]) == (b, 3)
    assert slots.nearest([7]) == (slots.root, 0)
    slots.remember(b, 2)
    slots.cut(a, 0)
    slots.cut(b, 0)
    assert slots.nearest([1, 2, 9, 9]) == (slots.root, 2)


def test_what_cannot_be_cut_is_used_whole_or_not_at_all(slots, ledger):
    a, *_ = slots
    ledger.cuttable = False
    fill(slots, ledger, a, [1, 2, 3])
    assert slots.nearest([1, 2, 3, 4]) == (a, 3)
    assert slots.nearest([1, 2, 9]) == (slots.root, 0)
    slots.remember(a, 2)
    assert not slots.root.tokens
    ledger.cuttable = True
    a.floor = 3
    assert slots.usable(a, 2) == 0
    assert slots.usable(a, 3) == 3


def test_a_cache_that_refuses_to_cut_is_emptied(slots, ledger):
    a, *_ = slots
    fill(slots, ledger, a, [1, 2, 3], "c_1")
    real = ledger.keep
    ledger.keep = lambda sequence, length: real(sequence, length) if not length else False
    slots.cut(a, 2)
    assert (a.tokens, a.chat, slots.used) == ([], "", 0)


def test_who_gives_way(slots, ledger):
    a, b, c, d = slots
    for n, (slot, chat) in enumerate(zip((a, b, c, d), ("c_1", "", "c_2", ""))):
        fill(slots, ledger, slot, [n], chat)
        slot.used_at = n
    d.background = True
    assert slots.victims(background=False) == [d, b, a, c]
    assert slots.victims(background=True) == [d]
    d.busy = b.busy = True
    assert slots.victims(background=False) == [a, c]
    assert slots.victims(background=True) == []


def test_forgetting_empties_now_or_when_the_answer_is_done(slots, ledger):
    a, b, c, _ = slots
    for slot, refs in ((a, {"m_1", "c_1"}), (b, {"m_1"}), (c, {"m_2"})):
        fill(slots, ledger, slot, [1, 2])
        slot.refs = refs
    b.busy = True
    assert slots.forget({"m_1"}) == 2
    assert not a.tokens
    assert not a.refs
    assert b.doomed
    assert b.tokens
    assert c.tokens
