"""The wake word, from a virtual microphone to an answer in a virtual loudspeaker."""

import asyncio
import json

import numpy as np
import pytest
from desktop.test_talk import ANSWER, QUESTION, User, room  # noqa: F401 - a fixture
from running import RunningDaemon
from speech import sounds
from speech.conftest import client, hear, say  # noqa: F401 - fixtures
from speech.words import wer

from assistant.clients.desktop.wake import BLOCK, Gate, WakeWatch
from assistant.config import load_paths

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    script = home / "script.json"
    script.write_text(json.dumps({"replies": [ANSWER] * 20, "word_pause_s": 0.02}))
    env = {"NESTOR_WAKE_WORD": "hey_jarvis"}
    running = RunningDaemon(home, model=f"fake:{script}", env=env).up()
    yield running
    assert running.stop() == 0


class Waker(User):
    def __init__(self, daemon):
        self.seen = []
        self.talk = WakeWatch(load_paths({"NESTOR_HOME": str(daemon.home)}), self._show)

    async def __aexit__(self, *_):
        await self.talk.stop()


async def test_the_word_wakes_and_a_question_is_answered(daemon, room, say, hear):  # noqa: F811
    async with Waker(daemon) as user:
        await user.talk.start()
        await user.until("waiting")
        # In the same breath.
        words = np.concatenate([say(f"Hey Jarvis! {QUESTION}"), sounds.silence(1.5)])
        await asyncio.to_thread(room.say, np.concatenate([sounds.silence(1), words]))
        await user.until("heard")
        assert user.data("woken")["accepted"]
        assert wer(QUESTION, user.data("heard")["text"]) <= 0.2
        assert "arvis" not in user.data("heard")["text"]
        await user.until("spoken")
        await user.sees(lambda: room.quiet(1.5) and user.names()[-1] == "waiting")
        assert wer(ANSWER, (await asyncio.to_thread(hear, sounds.wav(room.heard()))).text) <= 0.15
        # With a pause after it; and nothing else wakes.
        user.seen.clear()
        other = np.concatenate([say("Please remind me to buy milk."), sounds.silence(1.5)])
        await asyncio.to_thread(room.say, other)
        assert user.names() == []
        parts = [say("Hey Jarvis!"), sounds.silence(2), say(QUESTION), sounds.silence(1.5)]
        await asyncio.to_thread(room.say, np.concatenate(parts))
        await user.until("heard")
        assert wer(QUESTION, user.data("heard")["text"]) <= 0.2
        await user.until("spoken")
        log = daemon.api.get("/api/v1/wakings").json()
        assert [one["accepted"] for one in log["items"]].count(True) == 2
        assert "arvis" not in json.dumps(log["items"]).replace("hey_jarvis", "")
        assert log["hours"] >= 0.0
        marked = daemon.api.patch(
            f"/api/v1/wakings/{log['items'][0]['id']}", json={"wrong": True}
        ).json()
        assert marked["wrong"]
    assert user.names()[-1] == "idle"
    assert not user.talk._microphone.open


async def test_off_by_default(tmp_path, room):  # noqa: F811
    daemon = RunningDaemon(tmp_path / "home").up()
    async with Waker(daemon) as user:
        await user.talk.start()
        await user.until("error")
        assert user.data("error")["error"]["code"] == "wake_word_off"
        await user.sees(lambda: not user.talk._microphone.open)
    assert daemon.api.get("/api/v1/wakings").json()["word"] == "off"
    assert daemon.stop() == 0


def gated(gate, *stretches):
    """How many of the pieces of each stretch were let through, in the order they came."""
    counts = []
    for samples in stretches:
        pieces = [
            samples[at : at + BLOCK].tobytes() for at in range(0, len(samples) - BLOCK + 1, BLOCK)
        ]
        counts.append(sum(len(gate.pass_on(piece)) for piece in pieces))
    return counts


def test_a_quiet_room_and_a_steady_noise_send_nothing():
    gate = Gate()
    assert gated(gate, sounds.silence(5)) == [0]
    assert gated(Gate(), sounds.silence(1), sounds.pink(1, 0.1)) == [0, 10 + 10]
    gated(gate, sounds.pink(30, 0.01))  # a fan is turned on
    assert gated(gate, sounds.pink(10, 0.01)) == [0]


def test_what_is_louder_is_sent_with_the_second_before_it():
    gate = Gate()
    quiet, speech = sounds.pink(5, 0.003), sounds.pink(1, 0.1)
    gated(gate, quiet)
    assert gated(gate, speech, quiet) == [10 + 10, 19]
    gate.shut = False
    assert gated(gate, quiet) == [50 + 10]
