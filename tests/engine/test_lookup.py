"""Guessing from the prompt, against a pretended model that says a known text."""

import random

import pytest

from assistant.engine.costs import Costs
from assistant.engine.lookup import SIZES, Lookup
from assistant.engine.trust import PATIENCE

CPU = Costs()


def play(prompt, answer, most=31, cost=CPU):
    """Answer token by token with guesses; (batches, drafted, accepted)."""
    lookup = Lookup(prompt)
    at = batches = drafted = accepted = 0
    while at < len(answer):
        guesses = lookup.propose(most, cost)
        held = 0
        while (
            held < len(guesses) and at + held < len(answer) and guesses[held] == answer[at + held]
        ):
            held += 1
        for token in answer[at : at + held + 1]:
            lookup.add(token)
        lookup.took(len(guesses), held)
        at += held + 1
        batches += 1
        drafted += len(guesses)
        accepted += held
    return batches, drafted, accepted


def test_a_copy_needs_few_batches():
    rng = random.Random(1)
    text = [rng.randrange(50_000) for _ in range(300)]
    batches, drafted, accepted = play([*text, 7, 8], text)
    assert batches < 30
    assert accepted > 0.9 * drafted


def test_a_correction_here_and_there_hardly_costs():
    rng = random.Random(2)
    text = [rng.randrange(50_000) for _ in range(400)]
    fixed = list(text)
    for at in range(11, 400, 12):
        fixed[at] = 60_000 + at
    batches, *_ = play(text, fixed)
    assert batches < 150, "the old text was not found again after a changed word"


@pytest.mark.parametrize("change", ["deleted", "inserted"])
def test_words_that_come_or_go_are_survived(change):
    rng = random.Random(3)
    text = [rng.randrange(50_000) for _ in range(300)]
    other = list(text)
    for at in range(280, 10, -20):
        if change == "deleted":
            del other[at]
        else:
            other.insert(at, 60_000)
    batches, *_ = play(text, other)
    assert batches < 150


def test_what_is_new_costs_next_to_no_guesses():
    rng = random.Random(4)
    prompt = [rng.randrange(50) for _ in range(500)]
    answer = [rng.randrange(50) for _ in range(500)]
    _, drafted, _ = play(prompt, answer)
    assert drafted < 40, "guesses that always fail were not given up"


def test_no_guess_from_too_little():
    assert Lookup([]).propose(31, CPU) == []
    assert Lookup([1, 2]).propose(31, CPU) == []
    assert Lookup([1, 2, 3, 4, 1, 2, 3]).propose(3, CPU) == []
    six = [1, 2, 3, 4, 5, 6]
    assert Lookup([*six, 7, 8, 9, *six]).propose(2, CPU) == []
    assert Lookup([*six, 7, 8, 9, *six]).propose(3, CPU) == [7, 8, 9]


def test_lengths_follow_what_held():
    text = list(range(900))
    lookup = Lookup(text + text[:6])
    sizes = []
    at = 6
    for _ in range(20):
        guesses = lookup.propose(31, CPU)
        assert guesses == text[at : at + len(guesses)]
        sizes.append(len(guesses))
        for token in text[at : at + len(guesses) + 1]:
            lookup.add(token)
        lookup.took(len(guesses), len(guesses))
        at += len(guesses) + 1
    assert sizes == sorted(sizes)
    assert sizes[0] == SIZES[0]
    assert sizes[-1] == SIZES[-1]


def test_patience_after_failures():
    six = [1, 2, 3, 4, 5, 6]
    lookup = Lookup([*six, 7, 8, 9, *six])
    assert lookup.propose(31, CPU)
    lookup.took(3, 0)
    for n in range(PATIENCE):
        assert lookup.propose(31, CPU) == []
        lookup.add(100 + n)
    for token in six:
        lookup.add(token)
    assert lookup.propose(31, CPU)
