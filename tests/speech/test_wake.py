"""The wake word with real models: spoken phrases, phrases like it, and rooms without it."""

import asyncio

import numpy as np
import pytest
from speech import sounds

from assistant.config import load_paths
from assistant.core.wake import WakeWord, Word
from assistant.speech.local import LocalSpeech

pytestmark = [pytest.mark.model, pytest.mark.slow]

CHUNK = 1600
PHRASES = ("Hey Jarvis!", "Hey Jarvis, what time is it?", "Hey, Jarvis. Turn on the light.")
OTHERS = (
    "Hey Travis!", "Hey Charlie, come here.", "The harvest was good this year.",
    "Please remind me to buy milk.", "Have a nice day, Janice.", "Her jarring voice woke me.",
)  # fmt: skip


async def hits(sound, word=None):
    speech = LocalSpeech(load_paths().speech_models, stt="whisper-base", voice="heart")
    wake = WakeWord(speech, word)
    try:
        found = [
            await wake.feed(sound[at : at + CHUNK].tobytes()) for at in range(0, len(sound), CHUNK)
        ]
        await wake.close()
    finally:
        await speech.close()
    return [hit for hit in found if hit]


def apart(sayings, say):
    parts = [part for text in sayings for part in (say(text), sounds.silence(2))]
    whole = np.concatenate([sounds.silence(1), *parts])
    return (whole.astype(int) + sounds.pink(len(whole) / 16_000 + 1, 0.0005)[: len(whole)]).astype(
        np.int16
    )


def test_the_phrase_wakes_and_others_do_not(say):
    found = asyncio.run(hits(apart(PHRASES + OTHERS, say)))
    accepted = [hit for hit in found if hit.accepted]
    assert len(accepted) == len(PHRASES)
    assert all("arvis" in hit.text for hit in accepted)


def test_the_second_stage_throws_out_what_the_first_lets_in(say):
    """With a spotter that takes nearly everything, nothing but the phrase gets through."""
    eager = Word(threshold=0.02)
    found = asyncio.run(hits(apart(OTHERS + PHRASES[:1], say), eager))
    assert [hit.accepted for hit in found].count(True) == 1
    assert len(found) > 1, "the spotter was not eager: this test showed nothing"


def test_rooms_without_it():
    sound = np.concatenate(
        [sounds.pink(20, 0.1), sounds.silence(5), sounds.clicks(10), sounds.noise(10)]
    )
    assert asyncio.run(hits(sound)) == []


def test_an_unknown_word():
    from assistant.errors import SpeechMissing

    with pytest.raises(SpeechMissing):
        asyncio.run(hits(sounds.silence(1), Word(model="hey_nobody")))
