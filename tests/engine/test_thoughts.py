"""Thoughts apart from the answer, wherever the text is cut."""

import pytest

from assistant.engine.thoughts import Thoughts
from assistant.types import Piece, Thought

CASES = {
    "no thought": ("Hello <b>.\n", "", "Hello <b>.\n"),
    "qwen": ("<think>\nOkay, so\n\n1 < 2.\n</think>\n\nTwo.\n", "Okay, so\n\n1 < 2.", "Two.\n"),
    "white space first": ("\n <think>a</think>b", "a", "b"),
    "thought of nothing": ("<think>\n\n</think>\n\nHi", "", "Hi"),
    "no answer": ("<think>Hm</think>", "Hm", ""),
    "never closed": ("<think>Hm, <b> </thin", "Hm, <b> </thin", ""),
    "mark in the answer": ("a <think>b</think>", "", "a <think>b</think>"),
    "second mark": ("<think>a</think>b <think>c</think>", "a", "b <think>c</think>"),
    "nearly a mark": ("<thinking> is fine", "", "<thinking> is fine"),
    "beginning of a mark": ("<thi", "", "<thi"),
    "only white space": ("  \n", "", "  \n"),
    "inner white space": ("<think> a \n b </think> c \n d ", "a \n b", "c \n d "),
    "emoji": ("<think>😀</think>😀", "😀", "😀"),
    "nothing": ("", "", ""),
}


def read(pieces, **settings):
    thoughts = Thoughts(**settings)
    items = [item for piece in pieces for item in thoughts.push(piece)] + thoughts.close()
    assert all(item.text for item in items)
    order = [type(item) for item in items]
    assert order == sorted(order, key=lambda kind: kind is Piece)
    return tuple(
        "".join(item.text for item in items if isinstance(item, kind)) for kind in (Thought, Piece)
    )


@pytest.mark.parametrize("name", CASES)
def test_every_cut_in_two(name):
    text, *expected = CASES[name]
    for at in range(len(text) + 1):
        assert list(read([text[:at], text[at:]])) == expected, at


@pytest.mark.parametrize("name", CASES)
def test_one_character_at_a_time(name):
    text, *expected = CASES[name]
    assert list(read(list(text))) == expected


def test_a_thought_that_the_prompt_opened():
    text = "\nLet me see.\n</think>\n\nYes."
    for at in range(len(text) + 1):
        assert read([text[:at], text[at:]], opened=True) == ("Let me see.", "Yes.")


def test_nothing_is_held_that_cannot_become_a_mark():
    thoughts = Thoughts()
    assert thoughts.push("Hi") == [Piece("Hi")]
    assert thoughts.push(" <think") == [Piece(" <think")]
    thoughts = Thoughts()
    assert thoughts.push("<think>One, ") == [Thought("One,")]
    assert thoughts.push("two <b> </th") == [Thought(" two <b>")]
    assert thoughts.push("e>") == [Thought(" </the>")]
