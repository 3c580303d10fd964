"""Bytes to text: characters stay whole, stop strings never show."""

import random

import pytest

from assistant.engine.text import TextStream


def feed(data: bytes, sizes, stop=()):
    stream = TextStream(stop)
    out, at = [], 0
    for size in sizes:
        out.append(stream.push(data[at : at + size]))
        at += size
    out.append(stream.push(data[at:]))
    out.append(stream.close())
    return out, stream


@pytest.mark.parametrize("seed", range(20))
def test_any_cut_gives_the_same_text(seed):
    text = "Où est l'été ? 😀 日本語 👩‍👩‍👧 نص"
    rng = random.Random(seed)
    out, _ = feed(text.encode(), [rng.randint(1, 3) for _ in range(30)])
    assert "".join(out) == text
    assert not any("�" in piece for piece in out)


def test_bytes_that_never_become_a_character_are_replaced():
    out, _ = feed(b"ok \xf0\x9f", [])
    assert "".join(out) == "ok �"


@pytest.mark.parametrize(
    ("text", "stop", "shown"),
    [
        ("one two three", ("two",), "one "),
        ("one two three", ("four",), "one two three"),
        ("abcabd", ("abd",), "abc"),
        ("aXbY", ("Y", "X"), "a"),
        ("ends with st", ("stop",), "ends with st"),
        ("été😀fin", ("😀",), "été"),
        ("x", ("",), "x"),
        ("aaab", ("aab",), "a"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_stop_strings_at_any_cut(text, stop, shown, size):
    data = text.encode()
    out, stream = feed(data, [size] * (len(data) // size), stop)
    assert "".join(out) == shown
    assert stream.stopped == (shown != text)


def test_only_what_might_be_a_stop_string_is_held_back():
    stream = TextStream(("</end>",))
    assert stream.push(b"hello <") == "hello "
    assert stream.push(b"b>") == "<b>"
