"""Guessing from the prompt, against a pretended model that says a known text."""

import random

import pytest

from assistant.engine.costs import Costs
from assistant.engine.lookup import SIZES, Lookup, Odds

CPU = Costs()


def gpu(rows):
    return 1.0 + rows / 1000


def play(prompt, answer, most=31, cost=CPU, begins=None):
    """Answer token by token with guesses; (batches, drafted, accepted)."""
    lookup = Lookup(prompt, begins)
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
    assert Lookup([1, 2, 3, 4, 1, 2, 3]).propose(31, CPU) == [], "three alike prove nothing yet"
    assert Lookup([1, 2, 3, 4, 1, 2, 3]).propose(3, lambda rows: 1.0) == [4, 1, 2]
    assert Lookup([1, 2, 3, 4, 1, 2, 3]).propose(2, lambda rows: 1.0) == []


def test_lengths_follow_what_held():
    text = list(range(900))
    lookup = Lookup(text + text[:3])
    at, sizes = 3, []
    while len(sizes) < 20:
        guesses = lookup.propose(31, CPU)
        assert guesses == text[at : at + len(guesses)]
        sizes += [len(guesses)] if guesses else []
        for token in text[at : at + len(guesses) + 1]:
            lookup.add(token)
        at += len(guesses) + 1
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert set(sizes) <= set(SIZES)


def test_guesses_that_were_not_made_are_learned_from():
    text = list(range(100))
    lookup = Lookup([*text, *text[:3]])
    assert lookup.propose(31, CPU) == []
    for token in text[3:15]:
        lookup.add(token)
    assert lookup.propose(31, CPU)[:3] == text[15:18]


def test_where_guesses_cost_nothing_they_are_made_at_once():
    text = list(range(100))
    batches, drafted, _ = play([*text, *text[:3]], text[3:], cost=gpu)
    assert batches < 8
    assert drafted > 60


def test_a_changed_word_of_several_tokens_is_jumped_over():
    """Tokens below 1,000 begin a word, the others go on with one."""
    rng = random.Random(5)
    text, fixed = [], []
    for n in range(400):
        word = rng.randrange(1000)
        if n % 11:
            text.append(word)
            fixed.append(word)
        else:
            text += [word, 2000 + n, 4000 + n]
            fixed += [3000 + n, 5000 + n] if n % 2 else [word, 6000 + n]
    jumping, *_ = play(text, fixed, cost=gpu, begins=lambda token: token < 1000)
    stumbling, *_ = play(text, fixed, cost=gpu, begins=lambda token: True)
    assert jumping < 0.75 * stumbling


def test_odds_are_even_until_something_was_seen():
    odds = Odds(0.5)
    assert odds.value == 0.5
    for _ in range(30):
        odds.saw(True)
    assert odds.value == pytest.approx(0.75), "with such a memory two observations count"
    odds.saw(False)
    assert odds.value < 0.6
