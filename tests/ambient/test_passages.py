"""A text in passages: joined they are the text, whatever it is."""

import random

import pytest

from assistant.ambient.passages import PASSAGE_CHARS, passages


@pytest.mark.parametrize(
    "text",
    ["a", " a ", "\n\n  One.\n\n\tTwo. \n\n----\n\nThree\n", "12 34\n\n", "x" * 5000, "é\r\n\r\nñ",
     "Long. " * 900, ("line of words\n" * 300)],
)  # fmt: skip
def test_joined_they_are_the_text(text):
    for whole in (False, True):
        found = passages(text, whole=whole)
        assert "".join(one.text for one in found) == text
        worked = [one.text for one in found if not one.keep]
        assert all(one == one.strip() and any(c.isalpha() for c in one) for one in worked)
        assert whole or all(len(one) <= PASSAGE_CHARS for one in worked)


def test_what_has_no_letter_is_kept():
    found = passages("Dear Ana,\n\n  ----  \n\n1, 2, 3\n\nSee you.\n")
    assert [one.text for one in found if not one.keep] == ["Dear Ana,", "See you."]


def test_chance_texts_come_back():
    chance = random.Random(5)
    for _ in range(200):
        text = "".join(chance.choices("ab. \n\t!é-1", k=chance.randrange(1, 400)))
        assert "".join(one.text for one in passages(text)) == text
