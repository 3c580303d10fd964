"""Holding a key and talking: real speech into a virtual microphone, an answer from a virtual loudspeaker."""

import asyncio
import json
import time

import numpy as np
import pytest
from desktop.room import Room
from running import RunningDaemon
from speech import sounds
from speech.conftest import client, hear, say  # noqa: F401 - fixtures
from speech.words import wer

from assistant.clients.desktop.talk import HoldToTalk
from assistant.config import load_paths

pytestmark = [pytest.mark.model, pytest.mark.slow]

QUESTION = "Where did I leave the keys of the car?"
ANSWER = "You left the keys on the kitchen table. Your bag is there as well."
LONG = " ".join(f"This is sentence number {n} of a long answer." for n in range(1, 12))


def answering(home, reply):
    """A daemon that answers whatever is asked in the same words."""
    script = home / "script.json"
    script.write_text(json.dumps({"replies": [reply] * 40, "word_pause_s": 0.02}))
    return RunningDaemon(home, model=f"fake:{script}").up()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = answering(tmp_path_factory.mktemp("home"), ANSWER)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def talkative(tmp_path_factory):
    running = answering(tmp_path_factory.mktemp("talkative"), LONG)
    yield running
    assert running.stop() == 0


@pytest.fixture
def room(tmp_path, monkeypatch):
    room = Room(tmp_path / "room")
    for name, value in room.env.items():
        monkeypatch.setenv(name, value)
    room.open()
    yield room
    room.close()


class User:
    """Someone with a key, and what they see."""

    def __init__(self, daemon):
        self.seen: list[tuple[float, str, dict]] = []
        self.talk = HoldToTalk(load_paths({"NESTOR_HOME": str(daemon.home)}), self._show)

    def _show(self, name, data):
        self.seen.append((time.monotonic(), name, data))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.talk.close()

    def names(self):
        return [name for _, name, _ in self.seen]

    def data(self, name):
        return next(data for _, seen, data in reversed(self.seen) if seen == name)

    async def until(self, name, seconds=30):
        try:
            async with asyncio.timeout(seconds):
                while name not in self.names():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            seen = [(seen, data) for _, seen, data in self.seen]
            raise AssertionError(f"no {name}, but {seen}") from None

    async def sees(self, what, seconds=30):
        """Wait until it is so."""
        async with asyncio.timeout(seconds):
            while not what():
                await asyncio.sleep(0.01)

    async def ask(self, room, question):
        await self.talk.start()
        await asyncio.to_thread(room.say, question)
        await self.talk.stop()


async def test_a_question_by_voice_is_answered_by_voice(daemon, room, say, hear):  # noqa: F811
    question = say(QUESTION)
    async with User(daemon) as user:
        await user.talk.start()
        assert user.names() == ["listening"], "shown before anything else is done"
        await asyncio.to_thread(room.say, question)
        await user.talk.stop()
        await user.until("heard")
        assert wer(QUESTION, user.data("heard")["text"]) <= 0.15
        await user.until("idle")
        await user.sees(lambda: room.quiet(1.0))
        names = user.names()
        assert "error" not in names, user.data("error")
        assert names.index("speaking") < names.index("spoken")
        answer = await asyncio.to_thread(hear, sounds.wav(room.heard()))
        assert wer(ANSWER, answer.text) <= 0.15
        # The next question starts before its key is down, and none of it is lost.
        saying = asyncio.create_task(asyncio.to_thread(room.say, question))
        await user.sees(lambda: any(map(loud, user.talk._microphone._ahead)))
        user.seen.clear()
        await user.talk.start()
        await saying
        await user.talk.stop()
        await user.until("idle")
        assert wer(QUESTION, user.data("heard")["text"]) <= 0.15
    turns = daemon.api.get("/api/v1/conversations").json()["items"]
    chat = daemon.api.get(f"/api/v1/conversations/{turns[0]['id']}").json()
    assert [turn["reply"] for turn in chat["turns"]] == [ANSWER, ANSWER]
    assert recordings(daemon.home, question) == []


def loud(piece):
    return int(np.abs(np.frombuffer(piece, "<i2").astype(int)).max()) > 200


def recordings(folder, samples):
    """Files that hold a piece of these samples."""
    piece = np.asarray(samples, "<i2").tobytes()
    piece = piece[len(piece) // 2 :][:64]
    found = [path for path in folder.rglob("*") if path.is_file() and piece in path.read_bytes()]
    return [path.name for path in found]


@pytest.mark.parametrize("how", ["key", "escape"])
async def test_the_voice_stops_at_once(talkative, room, say, how):  # noqa: F811
    async with User(talkative) as user:
        await user.ask(room, say(QUESTION))
        await user.until("speaking")
        await user.sees(room.loud)
        stopped = room.now()
        await (user.talk.start() if how == "key" else user.talk.cancel())
        await user.sees(lambda: room.quiet(1.0), 6)  # there is a quarter of a minute left to say
        assert room.after(stopped) <= 0.4
        await user.until("interrupted")
        if how == "key":
            user.seen.clear()
            await asyncio.to_thread(room.say, say(QUESTION))
            await user.talk.stop()
            assert wer(QUESTION, user.data("heard")["text"]) <= 0.15
            await user.talk.cancel()
        else:
            await asyncio.sleep(1)
            assert user.names()[-1] in ("interrupted", "idle", "failed")
            assert not room.loud()


async def test_silence_is_not_answered(daemon, room):
    async with User(daemon) as user:
        await user.talk.start()
        await user.until("hearing")
        await asyncio.sleep(1)
        await user.talk.stop()
        await user.until("idle")
        assert "nothing_heard" in user.names()


async def test_no_devices_at_all(daemon, tmp_path, monkeypatch):
    for name, value in Room(tmp_path / "empty").env.items():
        monkeypatch.setenv(name, value)
    async with User(daemon) as user:
        await user.talk.start()
        await user.until("error")
        assert user.data("error")["error"]["code"] == "microphone_missing"
        await user.talk.stop()
        assert user.names()[-1] == "idle"


async def test_devices_that_go_in_mid_sentence_and_come_back(daemon, room, say):  # noqa: F811
    """What was said until then is heard; the next talk works without a restart."""
    async with User(daemon) as user:
        await user.talk.start()
        await asyncio.to_thread(room.say, say(QUESTION))
        room.close()
        await user.until("error")
        assert user.data("error")["error"]["code"] == "microphone_missing"
        await user.talk.stop()
        await user.until("heard")
        assert wer(QUESTION, user.data("heard")["text"]) <= 0.15
        await user.until("spoken")
        codes = [data["error"]["code"] for _, name, data in user.seen if name == "error"]
        assert codes == ["microphone_missing", "speaker_missing"]
        room.open()
        user.seen.clear()
        await user.ask(room, say(QUESTION))
        await user.until("idle")
        assert wer(QUESTION, user.data("heard")["text"]) <= 0.15
        assert "error" not in user.names()


async def test_a_daemon_started_anew_in_mid_sentence_hears_all_of_it(daemon, room, say):  # noqa: F811
    question = say(QUESTION)
    async with User(daemon) as user:
        await user.talk.start()
        await asyncio.to_thread(room.say, question[: len(question) // 2])
        await asyncio.to_thread(daemon.stop)
        await asyncio.to_thread(room.say, question[len(question) // 2 :])
        stopping = asyncio.create_task(user.talk.stop())
        await asyncio.to_thread(daemon.up)
        await stopping
        assert wer(QUESTION, user.data("heard")["text"]) <= 0.25


async def test_a_daemon_that_ends_before_it_answers_is_told_and_the_talk_ends(daemon, room, say):  # noqa: F811
    async with User(daemon) as user:
        await user.ask(room, say(QUESTION))
        assert "heard" in user.names()
        await asyncio.to_thread(daemon.stop)
        try:
            await user.until("idle")
            assert user.data("error")["error"]["code"] == "unreachable"
        finally:
            await asyncio.to_thread(daemon.up)


async def test_no_daemon(tmp_path, room, monkeypatch):
    monkeypatch.setattr("assistant.clients.desktop.talk.AGAIN_S", 0.5)

    class Nowhere:
        home = tmp_path / "nowhere"

    async with User(Nowhere) as user:
        await user.talk.start()
        await user.until("hearing")
        await user.talk.stop()
        await user.until("idle")
        assert user.data("error")["error"]["code"] == "unreachable"
