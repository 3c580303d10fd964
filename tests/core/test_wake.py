"""The wake word's two stages, with ears that hear what they are told."""

import pytest

from assistant.core.wake import BYTES_S, Hit, WakeWord, Word, after, likeness
from assistant.types import Transcript

CHUNK = BYTES_S // 10


class Ears:
    """`probabilities` for the chunks in turn, then 0; hears `text`, or after it what comes in `later`."""

    def __init__(self, text, *probabilities, later=()):
        self.text, self.probabilities = text, list(probabilities)
        self.later = list(later)
        self.heard: list[int] = []
        self.ended = 0

    async def transcribe(self, audio, *, bare=False, language="", prompt=""):
        assert bare
        self.heard.append(len(audio))
        text = self.text
        self.text = self.later.pop(0) if self.later else text
        return Transcript(text, "en", len(audio) / BYTES_S)

    async def spot(self, stream, word, samples, *, last=False):
        self.ended += last
        return self.probabilities.pop(0) if self.probabilities else 0.0


async def follow(ears, chunks, word=None):
    wake = WakeWord(ears, word)
    found = [await wake.feed(bytes(CHUNK)) for _ in range(chunks)]
    await wake.close()
    return [hit for hit in found if hit]


async def test_a_hit_is_checked_once_after_its_tail():
    ears = Ears("Hey, Jarvis!", *[0.0] * 30, 0.99, 0.99, 0.98)
    hits = await follow(ears, 60)
    assert hits == [Hit(pytest.approx(3.8), 0.99, "Hey, Jarvis!", True)]
    assert ears.heard == [int(Word().window_s * BYTES_S)]
    assert ears.ended == 1


async def test_a_sure_spotter_has_the_recogniser_asked_twice():
    ears = Ears("Hey Travis", 0.95)
    assert [hit.accepted for hit in await follow(ears, 20)] == [False]
    first, second = ears.heard
    assert second > first
    unsure = Ears("Hey", 0.6)
    await follow(unsure, 20)
    assert len(unsure.heard) == 1


async def test_half_a_phrase_is_decided_once_more_when_its_rest_has_come():
    """A busy machine brings the end of the phrase late."""
    ears = Ears("Hey", 0.95, later=["Hey jar", "Hey Jarvis."])
    (hit,) = await follow(ears, 20)
    assert (hit.at_s, hit.probability, hit.accepted) == (pytest.approx(1.2), 0.95, True)
    assert len(ears.heard) == 3


async def test_half_a_phrase_that_stays_one_is_told_once_and_not_taken():
    ears = Ears("Hey", *[0.95] * 20)
    hits = await follow(ears, 20)
    assert [(hit.at_s, hit.accepted) for hit in hits] == [(pytest.approx(1.9), False)]
    assert len(ears.heard) == 4


async def test_what_sounds_like_it_is_told_but_not_taken():
    (hit,) = await follow(Ears("Hey Travis", 0.99), 10)
    assert (hit.accepted, hit.text) == (False, "Hey Travis")
    (hit,) = await follow(Ears("", 0.99), 10)
    assert not hit.accepted


async def test_below_the_threshold_nothing_is_transcribed():
    ears = Ears("Hey Jarvis", 0.49, 0.2)
    assert await follow(ears, 20) == []
    assert ears.heard == []


async def test_one_phrase_is_one_hit_and_a_later_one_another():
    ears = Ears("hey jarvis", *[0.9] * 12, *[0.0] * 20, 0.9)
    assert len(await follow(ears, 60)) == 2


async def test_a_spotter_that_was_early_is_asked_again():
    ears = Ears("hey", *[0.8] * 12, *[0.0] * 3, 0.8)
    hits = await follow(ears, 40)
    assert [hit.at_s for hit in hits] == pytest.approx([1.3, 2.1])


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        ("Hey Jarvis.", True), ("hey, jarvis, what time is it?", True), ("Hey Jervis", True),
        ("A Jarvis", True), ("Hé Jarvis", True), ("Heyjarvis", True),
        ("Hey Travis", False), ("Harvest", False), ("Have a nice day", False), ("", False),
        ("Hey!", False), ("Hey Jar", False), ("Hey Marvin", False), ("Hey Jamie", False),
        ("Jarvis?", True), ("the service", False), ("Hey, harvest", False),
    ],
)  # fmt: skip
def test_likeness(text, alike):
    assert (likeness(text, "hey jarvis") >= Word().likeness) == alike


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Hey Jarvis, what time is it?", "what time is it?"), ("Hey, Jarvis! Hey you", "Hey you"),
        ("What time is it?", "What time is it?"), ("Hey Jarvis.", ""),
        # Half of it is no question: the rest is still to come.
        ("Hey", ""), ("Hey Jar", ""), ("Jarvis!", ""), ("Hey Jarvis. Jarvis.", ""),
        ("Hey, what?", "Hey, what?"), ("Hey Jarvis, 几点了?", "几点了?"),
    ],
)  # fmt: skip
def test_what_was_said_after_the_phrase(text, rest):
    assert after(text, "hey jarvis") == rest
