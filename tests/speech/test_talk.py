"""The WebSocket, with real speech: a question by voice, an answer by voice, understood again."""

import contextlib
import http.client
import json
import time

import httpx
import numpy as np
import pytest
from running import RunningDaemon
from speech import sounds
from speech.words import wer
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from assistant.config import LIMITS
from assistant.errors import tree

pytestmark = [pytest.mark.model, pytest.mark.slow]

QUESTION = "Where did I leave the keys of the car?"
ANSWER = "You left the keys on the kitchen table. Your bag is there as well."


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    script = home / "script.json"
    script.write_text(json.dumps({"replies": [ANSWER] * 40, "word_pause_s": 0.02}))
    running = RunningDaemon(home, model=f"fake:{script}").up()
    yield running
    assert running.stop() == 0


@contextlib.contextmanager
def talking(daemon, *, token=None, **more):
    headers = {"Authorization": f"Bearer {token or daemon.token}"} if token != "" else {}
    address = f"ws://127.0.0.1:{daemon.port}/api/v1/talk"
    with connect(address, additional_headers=headers | more.pop("headers", {}), **more) as socket:
        yield Talker(socket)


class Talker:
    def __init__(self, socket):
        self.socket = socket
        self.seen, self.sound = [], b""

    def command(self, **fields):
        self.socket.send(json.dumps(fields))

    def until(self, *names):
        while True:
            message = self.socket.recv(timeout=60)
            if isinstance(message, bytes):
                self.sound += message
                if "sound" in names:
                    return {}
                continue
            told = json.loads(message)
            self.seen.append(told["event"])
            assert told["id"] == len(self.seen)
            if told["event"] in names:
                return told["data"]

    def play(self, samples, chunk=1600):
        for at in range(0, len(samples), chunk):
            self.socket.send(np.asarray(samples[at : at + chunk], "<i2").tobytes())


def test_a_conversation_by_voice(daemon, say, hear):
    question = say(QUESTION)
    with talking(daemon) as talker:
        chat = daemon.conversation()
        talker.command(type="start", conversation=chat)
        talker.until("listening")
        talker.play(question)
        talker.command(type="end")
        heard = talker.until("heard", "error")
        assert wer(QUESTION, heard["text"]) <= 0.15
        assert heard["language"] == "en"
        told = talker.until("spoken")
        assert 0 < told["timings"]["first_audio_s"] < told["timings"]["end_s"]
    spoken = sounds.resampled(np.frombuffer(talker.sound, "<i2"), 24_000)
    assert wer(ANSWER, hear(sounds.wav(spoken)).text) <= 0.15
    assert talker.seen.index("speaking") < len(talker.seen) - 1 - talker.seen[::-1].index("token")
    (turn,) = daemon.api.get(f"/api/v1/conversations/{chat}").json()["turns"]
    assert (turn["text"], turn["reply"]) == (heard["text"], ANSWER)


def test_hands_free_and_interrupted_by_voice(daemon, say):
    question = np.concatenate([sounds.silence(0.5), say(QUESTION), sounds.silence(1.2)])
    with talking(daemon) as talker:
        talker.command(type="start", conversation=daemon.conversation(), mode="open")
        talker.until("listening")
        talker.play(question)
        assert wer(QUESTION, talker.until("heard")["text"]) <= 0.15
        talker.until("sound")
        talker.play(sounds.pink(1, 0.01))  # a room, in which the voice is not heard
        talker.play(question)
        assert talker.until("interrupted", "spoken")["by"] == "voice"
        assert wer(QUESTION, talker.until("heard")["text"]) <= 0.15
        talker.until("spoken")


def test_silence_is_not_answered(daemon):
    with talking(daemon) as talker:
        talker.command(type="start", conversation=daemon.conversation())
        talker.play(sounds.pink(3, 0.02))
        talker.command(type="end")
        assert talker.until("nothing_heard", "heard")["seconds"] == pytest.approx(3, abs=0.1)


def test_cancel_stops_the_voice_at_once(daemon, say):
    with talking(daemon) as talker:
        talker.command(type="start", conversation=daemon.conversation())
        talker.play(say(QUESTION))
        talker.command(type="end")
        talker.until("sound")
        talker.command(type="cancel")
        assert talker.until("interrupted")["by"] == "cancel"
        with pytest.raises(TimeoutError):
            talker.socket.recv(timeout=0.4)


@pytest.mark.parametrize(
    "message",
    ["", "{", "[]", "null", '{"type":"start"}', '{"type":"x"}', '{"type":"end"}', "[" * 5000,
     '{"type":"start","conversation":"c","mode":"x"}',
     '{"type":"start","conversation":"c","voice":"--w"}'],
)  # fmt: skip
def test_nonsense_is_told_and_the_line_stays(daemon, message):
    with talking(daemon) as talker:
        talker.socket.send(message) if message else talker.socket.send(b"\0")
        talker.command(type="cancel")
        talker.command(type="start", conversation=daemon.conversation())
        talker.until("listening")
        assert talker.seen[:-1] == (["error"] if message else [])


def device(daemon, *scopes, **more):
    made = daemon.api.post(
        "/api/v1/devices", json={"name": "phone", "kind": "phone", "scopes": list(scopes)} | more
    )
    assert made.status_code == 201, made.text
    return made.json()


@pytest.mark.parametrize("how", ["revoke", "fewer scopes"])
def test_a_lost_phone_is_cut_off_within_a_second(daemon, say, how):
    row = device(daemon, "chat", "memory.read", "memory.write")
    path = f"/api/v1/devices/{row['id']}"
    with talking(daemon, token=row["token"]) as talker:
        talker.command(type="start", conversation=daemon.conversation())
        talker.play(say(QUESTION))
        talker.command(type="end")
        talker.until("sound")
        if how == "revoke":
            daemon.api.delete(path).raise_for_status()
        else:
            daemon.api.patch(path, json={"scopes": ["memory.read"]}).raise_for_status()
        begun = time.monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                talker.socket.recv(timeout=2)
        assert time.monotonic() - begun < 1
        assert closed.value.rcvd.code == 1008


def test_a_device_talks_in_its_own_chats_and_hears_of_no_other_memories(daemon, say):
    daemon.api.post(
        "/api/v1/memories", json={"text": "The keys of the car lie in the shed", "scope": "home"}
    )
    row = device(daemon, "chat", "memory.read", classes=["work/*"])
    headers = {"Authorization": f"Bearer {row['token']}"}
    own = httpx.post(f"{daemon.url}/api/v1/conversations", json={}, headers=headers).json()["id"]
    with talking(daemon, token=row["token"]) as talker:
        talker.command(type="start", conversation=daemon.conversation())
        assert talker.until("error", "listening")["error"]["code"] == "conversation_not_found"
        talker.command(type="start", conversation=own)
        talker.until("listening")
        talker.play(say(QUESTION))
        talker.command(type="end")
        assert talker.until("recalled")["items"] == []
        talker.until("spoken")
    (turn,) = daemon.api.get(f"/api/v1/conversations/{own}").json()["turns"]
    assert wer(QUESTION, turn["text"]) <= 0.15


class TestTheDoor:
    def refused(self, daemon, code, **more):
        with pytest.raises(InvalidStatus) as status, talking(daemon, **more):
            pass
        response = status.value.response
        assert json.loads(response.body)["error"]["code"] == code
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.status_code == tree()[code].status

    def test_no_token_or_a_wrong_one(self, daemon):
        self.refused(daemon, "unauthorized", token="")
        self.refused(daemon, "unauthorized", token="wrong")

    def test_another_site(self, daemon):
        self.refused(daemon, "foreign_origin", origin="https://evil.example")

    def test_a_device_that_may_not_chat(self, daemon):
        row = device(daemon, "memory.read")
        self.refused(daemon, "scope_missing", token=row["token"])

    @pytest.mark.parametrize(("host", "status"), [("evil.example", 403), ("127.0.0.1:{p}", 101)])
    def test_another_host(self, daemon, host, status):
        """Raw: no client would send it."""
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
        connection.putrequest("GET", "/api/v1/talk", skip_host=True)
        for name, value in {
            "Host": host.format(p=daemon.port), "Authorization": f"Bearer {daemon.token}",
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }.items():  # fmt: skip
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()

    def test_the_page_of_a_browser_gives_its_token_as_a_protocol(self, daemon):
        offered = ["nestor.talk.v1", f"nestor.bearer.{daemon.token}"]
        with talking(daemon, token="", subprotocols=offered) as talker:
            assert talker.socket.subprotocol == "nestor.talk.v1"
            talker.command(type="start", conversation=daemon.conversation())
            talker.until("listening")
        for tokens in (["wrong"], [daemon.token, daemon.token], [daemon.token, "wrong"]):
            offered = ["nestor.talk.v1", *(f"nestor.bearer.{one}" for one in tokens)]
            self.refused(daemon, "unauthorized", token="", subprotocols=offered)

    def test_other_addresses(self, daemon):
        headers = {"Authorization": f"Bearer {daemon.token}"}
        for path in ("/api/v1/status", "/none", "/health"):
            with pytest.raises(InvalidStatus):
                connect(f"ws://127.0.0.1:{daemon.port}{path}", additional_headers=headers)

    def test_too_large_a_message_ends_it(self, daemon):
        with talking(daemon) as talker:
            talker.socket.send(bytes(LIMITS.talk_message_bytes + 1))
            with pytest.raises(ConnectionClosed) as closed:
                talker.socket.recv(timeout=10)
            assert closed.value.rcvd.code == 1009

    def test_one_too_many(self, daemon):
        with contextlib.ExitStack() as stack:
            for _ in range(LIMITS.talks):
                stack.enter_context(talking(daemon))
            last = stack.enter_context(talking(daemon))
            assert last.until("error")["error"]["code"] == "conflict"


def test_the_daemon_ends_while_somebody_talks(tmp_path):
    daemon = RunningDaemon(tmp_path / "home").up()
    with talking(daemon) as talker:
        talker.command(type="start", conversation=daemon.conversation(), mode="open")
        talker.until("listening")
        assert daemon.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                talker.socket.recv(timeout=10)
        assert closed.value.rcvd.code in (1001, 1012)
