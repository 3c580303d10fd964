"""Texts cut into what a voice can say, however they arrive."""

import pytest

from assistant.core.sentences import LONGEST, Sentences, plain, sentences

TEXTS = {
    "Hello there. How are you? Fine!": ["Hello there.", "How are you?", "Fine!"],
    "Dr. Smith met J. K. Rowling, e.g. at 3.5 miles. Then he left.": [
        "Dr. Smith met J. K. Rowling, e.g. at 3.5 miles.",
        "Then he left.",
    ],
    "Bonjour. Il fait beau ! « Oui. » Bien.": ["Bonjour.", "Il fait beau !", "« Oui. »", "Bien."],
    "今日は。元気ですか？はい": ["今日は。", "元気ですか？", "はい"],
    "# Title\n\n- one **bold** item\n- two `code`": ["Title", "one bold item", "two code"],
    "1. First\n2. Second": ["1. First", "2. Second"],
    "Do this:\n```python\nprint('a. b')\n```\nDone.": ["Do this:", "Done."],
    "| a | b |\n|---|---|\n| 1 | 2 |\n": ["a, b", "1, 2"],
    "See [the page](http://x.y/z?q) or https://example.com/a/b now.": [
        "See the page or example.com now."
    ],
    "snake_case stays, *this* and _that_ do not": ["snake_case stays, this and that do not"],
    "Good 👍🏽 morning ✨": ["Good morning"],
    "***\n---\n": [],
    "": [],
}


@pytest.mark.parametrize(("text", "said"), TEXTS.items(), ids=range(len(TEXTS)))
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_cut_the_same_however_it_arrives(text, said, size):
    cutter = Sentences()
    found = [s for at in range(0, len(text), size) for s in cutter.feed(text[at : at + size])]
    assert found + cutter.rest() == said
    assert sentences(text) == said


def test_a_sentence_leaves_as_soon_as_the_next_begins():
    cutter = Sentences()
    assert cutter.feed("One. ") == []
    assert cutter.feed("T") == ["One."]


def test_the_first_piece_may_end_at_a_comma_and_no_other():
    text = (
        "If you leave the house at seven, you will be there, I think, by nine. If it rains, wait."
    )
    early = Sentences(early=True)
    assert [*early.feed(text), *early.rest()] == [
        "If you leave the house at seven",
        "you will be there, I think, by nine.",
        "If it rains, wait.",
    ]


@pytest.mark.parametrize("text", ["x" * 2000, "word " * 400, "a, " * 500])
def test_no_piece_is_longer_than_a_voice_can_take_and_nothing_is_lost(text):
    found = sentences(text)
    assert max(map(len, found)) <= LONGEST
    kept = "".join("".join(found).split()).replace(",", "")
    assert kept == "".join(text.split()).replace(",", "")


def test_markup_that_a_voice_would_take_for_its_own():
    assert plain("Say [hibari](/hibˈɑɹi/) **now**") == "Say hibari now"
