"""The short window: it rests on a private name of the pinned library, so it is looked at here."""

import numpy as np
import pytest
from speech import sounds

from assistant.config import load_paths
from assistant.errors import InvalidInput
from assistant.speech import catalogue, shelf, stt


def test_only_what_is_needed_is_padded_and_always_an_even_number():
    from faster_whisper import transcribe

    stt.shorten(transcribe, 1000)
    stt.shorten(transcribe, 1000)  # a second model in one process
    for there, padded in (
        (1, 1000),
        (699, 1000),
        (700, 1000),
        (701, 1002),
        (1500, 1800),
        (2999, 3000),
    ):
        features = np.ones((80, there), np.float32)
        found = transcribe.pad_or_trim(features)
        assert found.shape == (80, padded)
        assert found.sum() == 80 * there


@pytest.fixture(scope="module")
def recognizer():
    entry = catalogue.find("whisper-base", "stt")
    folder = shelf.folder(entry, load_paths().speech_models)
    return stt.Recognizer(folder, window_s=entry.window_s, beam=entry.beam, threads=2)


@pytest.mark.model
def test_the_encoder_reads_ten_seconds_not_thirty(recognizer, monkeypatch):
    read, encode = [], recognizer._model.encode

    def noted(features):
        read.append(features.shape[-1])
        return encode(features)

    monkeypatch.setattr(recognizer._model, "encode", noted)
    for seconds, frames in ((2, 1000), (12, 1500)):
        read.clear()
        sound = sounds.tone(seconds)
        list(recognizer.hear(sound, [(0, len(sound))], "en"))
        assert max(read) == pytest.approx(frames, abs=4)


@pytest.mark.model
def test_a_language_it_does_not_know(recognizer):
    with pytest.raises(InvalidInput):
        list(recognizer.hear(sounds.silence(1), [(0, 16_000)], "xx"))


@pytest.mark.model
def test_it_can_be_stopped_between_pieces(recognizer):
    calls = []

    def go_on():
        calls.append(1)
        if len(calls) > 1:
            raise KeyError

    with pytest.raises(KeyError):
        list(recognizer.hear(sounds.silence(60), [(0, 60 * 16_000)], "en", go_on=go_on))
    assert len(calls) == 2
