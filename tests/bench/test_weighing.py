"""The six weights of the judge: what fits them, on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.memory import verdicts
from assistant.memory.recall import Evidence
from tests.bench.weighing import Case, Kind, fitted

NAMES = list(verdicts.WEIGHTS)


def case(*logits, right=-1, gate=False, long=True):
    """A question with rows that differ in the judge's logit alone; NaN was not read, as too long or far."""
    signs = np.zeros((len(logits), len(NAMES)), np.float32)
    signs[:, NAMES.index("logit")] = logits
    rows = np.arange(len(logits))
    left = np.isnan(signs).any(axis=1)
    return Case(signs, np.full(len(logits), gate), (left, left & long), rows == right, right >= 0)


def weights(**some):
    return np.array([some.get(name, 0.0) for name in NAMES], np.float32)


def test_what_a_choice_brings():
    kind = Kind("x", [case(2.0, -2.0, right=0), case(-2.0, 0.5, right=0), case(-1.0), case(1.0)])
    silent, attempted, precision = kind.outcome(weights(logit=1.0), 0.0)
    assert (silent, attempted, precision) == (50.0, 100.0, 0.5)
    silent, attempted, precision = kind.outcome(weights(logit=1.0), 1.5)
    assert (silent, attempted, precision) == (100.0, 50.0, 0.5)


def test_of_what_was_not_read_the_gate_decides():
    kind = Kind("x", [case(np.nan, right=0, gate=True), case(np.nan, gate=True), case(np.nan)])
    assert kind.outcome(weights(logit=1.0), 9.0) == (50.0, 100.0, 1.0)
    assert kind.without() == (50.0, 100.0)


def test_what_is_far_is_not_handed_over_where_nothing_near_answers():
    kind = Kind("x", [case(2.0, np.nan, right=1, gate=True, long=False),
                      case(-2.0, np.nan, gate=True, long=False), case(-2.0, np.nan, gate=True)])  # fmt: skip
    assert kind.outcome(weights(logit=1.0), 1.0) == (50.0, 100.0, 0.5)


def test_the_fit_finds_the_sign_that_tells_and_kinds_weigh_alike():
    rng = np.random.default_rng(1)

    def kind(name, count, threshold):
        logits = rng.uniform(-4, 4, (count, 2))
        return Kind(name, [case(*pair, right=0 if pair[0] > threshold else -1) for pair in logits])

    few, many = kind("few", 300, 2.0), kind("many", 600, -2.0)
    found, base = fitted([few, many])
    assert found[NAMES.index("logit")] > 0.3
    assert found[NAMES.index("own")] == 0
    # However often a kind was asked, it weighs as much.
    more, other = fitted([few, Kind("many", many.cases * 5)])
    assert more == pytest.approx(found, abs=0.02)
    assert other == pytest.approx(base, abs=0.02)


@pytest.mark.parametrize("near", [0.5, 1.0])
def test_the_weights_that_ship_decide_as_the_finder_does(near):
    own = np.array([0.4, 0.2, 0.1], np.float32)
    zero = np.zeros(3, np.float32)
    evidence = Evidence(np.arange(3), own, own, zero, zero, zero)
    logits = {0: 3.0, 1: -3.0}
    table = verdicts.signs(evidence, near, logits)
    gate = np.array([False, False, True])
    assert verdicts.passing(evidence, near, logits, gate, ()).tolist() == [True, False, True]
    left, none = np.isnan(table).any(axis=1), np.zeros(3, bool)
    cases = [
        Case(table, gate, (left, none), np.arange(3) == 0, True),
        Case(table[1:2], gate[1:2], (none[:1], none[:1]), gate[1:2], False),
    ]
    shipped = np.array(list(verdicts.WEIGHTS.values()), np.float32)
    assert Kind("x", cases).outcome(shipped, verdicts.NEEDED) == (100.0, 100.0, 0.5)
