"""One real daemon with the fake language model and the real speech models, and an unmodified client."""

import numpy as np
import openai
import pytest
from running import RunningDaemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = RunningDaemon(tmp_path_factory.mktemp("home")).up()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(daemon):
    with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key=daemon.token, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def say(client):
    """Samples at 16 kHz of a text that was spoken by a real voice."""
    said = {}

    def spoken(text: str, voice: str = "default") -> np.ndarray:
        if (text, voice) not in said:
            answer = client.audio.speech.create(
                model="default", voice=voice, input=text, response_format="pcm"
            )
            samples = np.frombuffer(answer.content, "<i2")
            at = np.arange(0, len(samples) - 1, 1.5)
            said[text, voice] = np.interp(at, np.arange(len(samples)), samples).astype(np.int16)
        return said[text, voice]

    return spoken


@pytest.fixture(scope="module")
def hear(client):
    """The verbose transcript of a file."""

    def heard(data: bytes, name: str = "a.wav", **more):
        return client.audio.transcriptions.create(
            model="default", file=(name, data), response_format="verbose_json", **more
        )

    return heard
