"""Talking, with real turns on a fake model, and ears and a mouth that do what they are told."""

import asyncio

import pytest
from core.parts import assemble

from assistant.config import LIMITS
from assistant.core.endpoint import FRAME_S, Endpointer
from assistant.core.talk import BYTES_S, How, Talk, Talks
from assistant.errors import Conflict, ConversationNotFound, SpeechMissing
from assistant.types import Transcript


class Speech:
    """Hears `text`; speaks a byte for each character; live audio is speech where it is not zero."""

    model = "told"

    def __init__(self, text="Where do I live?", language="en", *, pause=0.0, missing=False):
        self.text, self.language, self.pause, self.missing = text, language, pause, missing
        self.heard: list[bytes] = []
        self.spoken: list[tuple[str, str]] = []
        self.stopped = 0
        self.warmed = 0
        self.streams: set[str] = set()

    async def warm(self):
        self.warmed += 1

    async def transcribe(self, audio, *, bare=False, language="", prompt=""):
        assert bare
        self.heard.append(audio)
        await asyncio.sleep(self.pause)
        return Transcript(self.text, language or self.language, len(audio) / BYTES_S)

    async def speak(self, sentences, *, voice="", speed=1.0, form="pcm"):
        if self.missing:
            raise SpeechMissing
        (sentence,) = sentences
        self.spoken.append((sentence, voice))
        try:
            yield sentence[:1].encode()
            await asyncio.sleep(self.pause)
            yield sentence[1:].encode()
        except GeneratorExit:
            self.stopped += 1
            raise

    async def voices(self):
        return ["heart", "fr"]

    async def listen(self, stream, samples, *, last=False):
        (self.streams.discard if last else self.streams.add)(stream)
        frames = [samples[at : at + 1024] for at in range(0, len(samples), 1024)]
        return [1.0 if any(frame) else 0.0 for frame in frames]


class Client:
    """What a client sees."""

    def __init__(self, speech, *replies, word_pause_s=0.0):
        self.parts = assemble(*replies, word_pause_s=word_pause_s)
        self.speech = speech
        self.seen: list[tuple[str, dict]] = []
        self.sound = b""
        self.warmed: list[str] = []
        self.talk = Talk(speech, self.parts.turns, self.send, self.play, self.ask, self.warm)

    async def ask(self, conversation_id, text):
        return await self.parts.turns.start(conversation_id, text, device="d_phone")

    async def warm(self, conversation_id):
        if conversation_id == "c_foreign":
            raise ConversationNotFound
        self.warmed.append(conversation_id)

    async def send(self, event, data):
        self.seen.append((event, data))

    async def play(self, samples):
        self.sound += samples

    def names(self):
        return [name for name, _ in self.seen]

    def data(self, name):
        return next(data for seen, data in self.seen if seen == name)

    async def until(self, name, times=1):
        async with asyncio.timeout(5):
            while self.names().count(name) < times:
                await asyncio.sleep(0.001)

    async def say(self, **how):
        await self.talk.start(How("c_1", **how))
        await self.talk.audio(b"\1\1" * 1600)
        await self.talk.end()
        await self.talk.settled()


SPEECH, QUIET = b"\1\1" * 512, bytes(1024)


async def test_a_question_is_heard_answered_and_spoken():
    client = Client(Speech(), "You live in Lyon. It rains there.")
    await client.say()
    names = client.names()
    assert names[:3] == ["listening", "heard", "started"]
    assert names[-1] == "spoken"
    assert names.index("token") < names.index("speaking")
    assert {"recalled", "receipt", "done"} < set(names)
    assert client.data("heard")["text"] == "Where do I live?"
    assert client.sound == b"You live in Lyon.It rains there."
    assert client.speech.spoken == [("You live in Lyon.", ""), ("It rains there.", "")]
    assert client.speech.heard == [b"\1\1" * 1600]
    (turn,) = client.parts.log.rows.values()
    assert (turn.text, turn.reply) == ("Where do I live?", "You live in Lyon. It rains there.")
    timings = client.data("spoken")["timings"]
    order = ["heard_s", "first_token_s", "first_sentence_s", "first_audio_s", "end_s"]
    assert [timings[name] for name in order] == sorted(timings[name] for name in order)


async def test_all_is_warmed_when_the_key_goes_down():
    client = Client(Speech(), "Yes.")
    await client.talk.start(How("c_1"))
    await asyncio.sleep(0)
    assert (client.speech.warmed, client.warmed) == (1, ["c_1"])


async def test_the_first_sentence_is_spoken_while_the_model_still_writes():
    client = Client(Speech(), "One sentence here. " + "and more " * 40, word_pause_s=0.01)
    await client.say()
    names = client.names()
    assert names.index("speaking") < len(names) - 1 - names[::-1].index("token")


async def test_who_says_nothing_is_not_answered():
    client = Client(Speech(text=""))
    await client.say()
    assert client.names() == ["listening", "nothing_heard"]
    assert client.parts.log.rows == {}


@pytest.mark.parametrize(
    ("language", "how", "voice"),
    [("fr", {}, "fr"), ("en", {}, ""), ("xx", {}, ""), ("fr", {"voice": "heart"}, "heart")],
)
async def test_the_voice_is_one_for_the_language(language, how, voice):
    client = Client(Speech(language=language), "Oui.")
    await client.say(**how)
    assert client.speech.spoken == [("Oui.", voice)]


async def test_without_a_voice_the_text_still_comes():
    client = Client(Speech(missing=True), "Hello there.")
    await client.say()
    assert client.data("error")["error"]["code"] == "speech_missing"
    assert "done" in client.names()
    quiet = Client(Speech(), "Hello there.")
    await quiet.say(speak=False)
    assert (quiet.speech.spoken, quiet.names()[-1]) == ([], "spoken")


async def test_a_turn_that_fails_is_told_and_the_next_works():
    from assistant.errors import EngineCrashed

    client = Client(Speech(), EngineCrashed(), "Fine now.")
    await client.say()
    assert "failed" in client.names()
    await client.say()
    assert client.sound == b"Fine now."


async def test_an_unknown_conversation():
    client = Client(Speech(), "x")
    await client.talk.start(How("c_none"))
    await client.talk.end()
    await client.talk.settled()
    assert client.data("error")["error"]["code"] == "conversation_not_found"


class TestInterrupting:
    async def test_the_key_stops_the_voice_and_the_model_and_listens(self):
        client = Client(Speech(pause=0.05), "word " * 500, word_pause_s=0.005)
        await client.talk.start(How("c_1"))
        await client.talk.end()
        await client.until("speaking")
        await client.talk.start(How("c_1"))
        at = client.names().index("interrupted")
        assert client.data("interrupted")["by"] == "key"
        assert client.names()[at + 1 :] == ["listening"]
        assert [turn.status for turn in client.parts.log.rows.values()] == ["cancelled"]
        before = client.sound
        await asyncio.sleep(0.05)
        assert client.sound == before
        client.speech.text = "And now?"
        client.parts.engine.replies.extend(["Now this."])
        await client.talk.end()
        await client.talk.settled()
        assert client.sound.endswith(b"Now this.")

    async def test_cancel_throws_away_what_was_not_heard(self):
        client = Client(Speech(), "x")
        await client.talk.start(How("c_1"))
        await client.talk.audio(SPEECH * 50)
        await client.talk.cancel()
        assert client.speech.heard == []
        with pytest.raises(Conflict):
            await client.talk.end()

    async def test_cancel_while_it_is_heard(self):
        client = Client(Speech(pause=30), "x")
        await client.talk.start(How("c_1"))
        await client.talk.end()
        await asyncio.sleep(0.01)
        await asyncio.wait_for(client.talk.cancel(), 1)
        assert client.names() == ["listening", "interrupted"]
        assert client.parts.log.rows == {}

    async def test_the_answer_goes_on_without_the_client(self):
        client = Client(Speech(), "word " * 30, word_pause_s=0.005)
        await client.talk.start(How("c_1"))
        await client.talk.end()
        await client.until("token")
        run = client.talk._run
        await client.talk.close()
        await asyncio.wait_for(run.task, 5)
        (turn,) = client.parts.log.rows.values()
        assert turn.status == "done"


class TestHandsFree:
    async def test_a_pause_ends_it_and_the_next_is_heard_too(self):
        client = Client(Speech(), "One.", "Two.")
        await client.talk.start(How("c_1", mode="open"))
        for number in (1, 2):
            for frame in [QUIET] * 60 + [SPEECH] * 20 + [QUIET] * 40:
                await client.talk.audio(frame)
            await client.until("spoken", number)
        assert client.sound == b"One.Two."
        first = client.speech.heard[0]
        assert first.startswith(bytes(1024) * 5)  # from before the first word
        assert len(first) < (20 + 26 + 20) * 1024
        await client.talk.close()
        assert client.speech.streams == set()

    async def test_speaking_interrupts(self):
        client = Client(Speech(pause=0.02), "word " * 500, word_pause_s=0.002)
        await client.talk.start(How("c_1", mode="open"))
        for frame in [SPEECH] * 20 + [QUIET] * 40:
            await client.talk.audio(frame)
        await client.until("speaking")
        for frame in [QUIET] * 10 + [SPEECH] * 3 + [QUIET] * 10:  # a click
            await client.talk.audio(frame)
        assert "interrupted" not in client.names()
        for frame in [SPEECH] * 6:
            await client.talk.audio(frame)
        assert client.data("interrupted")["by"] == "voice"

    async def test_hours_of_silence_take_no_memory(self):
        client = Client(Speech(), "x")
        await client.talk.start(How("c_1", mode="open"))
        for _ in range(300):
            await client.talk.audio(QUIET * 10)
        assert len(client.talk._held) < BYTES_S


async def test_who_never_lets_go_is_heard_up_to_the_limit():
    client = Client(Speech(), "Long.")
    await client.talk.start(How("c_1"))
    for _ in range(LIMITS.talk_s + 2):
        await client.talk.audio(bytes(BYTES_S))
    await client.talk.settled()
    assert client.data("error")["error"]["code"] == "audio_too_long"
    assert client.sound == b"Long."
    assert len(client.speech.heard[0]) <= (LIMITS.talk_s + 1) * BYTES_S


async def test_a_chat_of_others_is_not_listened_to():
    client = Client(Speech(), "x")
    with pytest.raises(ConversationNotFound):
        await client.talk.start(How("c_foreign"))
    await client.talk.audio(SPEECH)
    with pytest.raises(Conflict):
        await client.talk.end()
    assert client.seen == []


async def test_only_so_many_talk_at_once_and_all_are_ended():
    talks = Talks(Speech(), assemble("x").turns)

    async def ignore(*_):
        pass

    async with asyncio.timeout(5):
        entered = [talks.talk(ignore, ignore, ignore, ignore) for _ in range(LIMITS.talks)]
        overs = [(await one.__aenter__())[1] for one in entered]
        with pytest.raises(Conflict):
            await talks.talk(ignore, ignore, ignore, ignore).__aenter__()
        closing = asyncio.create_task(talks.close())
        for one, over in zip(entered, overs, strict=True):
            await over.wait()
            await one.__aexit__(None, None, None)
        await closing


class TestEndpoint:
    def frames(self, *stretches):
        return [p for p, seconds in stretches for _ in range(round(seconds / FRAME_S))]

    def test_a_word_a_pause_within_and_an_end(self):
        endpoint = Endpointer()
        assert endpoint.feed(self.frames((0, 1), (1, 0.3))) == "begin"
        assert endpoint.feed(self.frames((0, 0.5), (1, 0.5), (0, 0.6))) == ""
        assert endpoint.speaking
        assert endpoint.feed(self.frames((0, 0.4))) == "end"
        assert not endpoint.speaking

    def test_clicks_are_no_speech(self):
        endpoint = Endpointer()
        assert endpoint.feed(self.frames(*[(1, 0.064), (0, 0.3)] * 20)) == ""
