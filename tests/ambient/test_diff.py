"""Changes as data: they give both texts back, and say what a reader would say."""

import itertools
import random

import pytest

from assistant.ambient.diff import MOST_TOKENS, Change, diff, new_of, old_of


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("teh cat", "the cat", [("delete", "teh"), ("insert", "the"), ("keep", " cat")]),
        ("a b c", "a c", [("keep", "a "), ("delete", "b "), ("keep", "c")]),
        ("same", "same", [("keep", "same")]),
        ("", "new", [("insert", "new")]),
        ("old", "", [("delete", "old")]),
        ("", "", []),
        ("12.50 EUR", "12,50 EUR", [("delete", "12.50"), ("insert", "12,50"), ("keep", " EUR")]),
    ],
)
def test_changes(old, new, changes):
    assert diff(old, new) == [Change(*one) for one in changes]


def test_both_texts_come_back_from_chance_texts():
    chance = random.Random(3)
    words = ["the", "cat", " ", "\n", "—", "it's", "1,5", "你好", "\u00a0", "🙂"]
    for _ in range(300):
        old, new = ("".join(chance.choices(words, k=chance.randrange(40))) for _ in "ab")
        made = diff(old, new)
        assert (old_of(made), new_of(made)) == (old, new)
        assert all(one.text for one in made)
        assert all(a.op != b.op for a, b in itertools.pairwise(made))


def test_long_texts_are_compared_by_lines():
    old = "".join(f"line {n} of this\n" for n in range(MOST_TOKENS))
    new = old.replace("line 7 of", "line seven of")
    made = diff(old, new)
    assert (old_of(made), new_of(made)) == (old, new)
    assert Change("insert", "line seven of this\n") in made
