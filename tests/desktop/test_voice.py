"""Voice under the icon: a real key held down, a virtual microphone, an answer heard, Esc, the wake word."""

import asyncio
import json

import numpy as np
import pytest
from running import RunningDaemon
from speech import sounds
from speech.conftest import client, hear, say  # noqa: F401 - fixtures
from speech.words import wer

pytest.importorskip("dbus_fast", reason="dbus-fast is not installed")
pytest.importorskip("sounddevice", reason="sounddevice is not installed")

from desktop.room import Room
from desktop.test_talk import ANSWER, LONG, QUESTION
from desktop.test_tray import Tray

from assistant.clients.desktop.actions import Actions
from assistant.clients.desktop.hotkeys import Combination
from assistant.clients.desktop.voice import Escape, Voice
from assistant.config import Settings, load_paths
from assistant.errors import MicrophoneMissing, NoDisplay, Unreachable

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    script = home / "script.json"
    script.write_text(json.dumps({"replies": [ANSWER, LONG] + [ANSWER] * 20, "word_pause_s": 0.02}))
    running = RunningDaemon(home, model=f"fake:{script}", env={"NESTOR_WAKE_WORD": "hey_jarvis"})
    yield running.up()
    assert running.stop() == 0


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path / "room")
    made.open()
    yield made
    made.close()


@pytest.fixture
def tray(desktop, daemon, room):
    desktop.show_panel()
    desktop.show_notices()
    made = Listening(desktop, daemon, room)
    yield made
    assert made.stop() == 0
    assert "Traceback" not in "\n".join(made.said)


class Listening(Tray):
    """`nestor tray` with a sound server of its own."""

    def __init__(self, desktop, daemon, room):
        sound = {k: v for k, v in room.env.items() if k.startswith("PULSE")}
        usual, desktop.env = desktop.env, desktop.env | sound
        try:
            super().__init__(desktop, daemon)
        finally:
            desktop.env = usual
        self.daemon = daemon

    def until(self, state, seconds=25):
        return self.desktop.until(lambda: self.status()["shown"] == state, seconds)

    def hotkey(self):
        rows = self.status()["hotkeys"]["keys"]
        row = next(one for one in rows if one["action"] == "talk")
        assert not row["problem"], row
        return row["keys"].split("+")[::-1]

    def hold(self, sound, room):
        """The hotkey, really down while this is said."""
        names = {
            "ctrl": "Control_L",
            "alt": "Alt_L",
            "shift": "Shift_L",
            "super": "Super_L",
            "enter": "Return",
        }
        key, *held = [names.get(one, one) for one in self.hotkey()]
        for one in (*reversed(held), key):
            self.desktop.run("xdotool", "keydown", one)
        try:
            self.until("listening", 5)
        except AssertionError:
            raise AssertionError([self.status(), self.said]) from None
        room.say(sound)
        for one in (key, *held):
            self.desktop.run("xdotool", "keyup", one)

    def chats(self):
        items = self.daemon.api.get("/api/v1/conversations").json()["items"]
        return [self.daemon.api.get(f"/api/v1/conversations/{one['id']}").json() for one in items]

    def asked(self, text):
        """Wait for a turn whose question was heard so; its reply."""

        def found():
            return [
                turn["reply"] for chat in self.chats() for turn in chat["turns"]
                if wer(text, turn["text"]) <= 0.2 and turn["reply"]
            ]  # fmt: skip

        return self.desktop.until(found, 40)


def test_a_held_key_is_heard_and_answered_and_esc_is_silence(tray, room, say, hear):  # noqa: F811
    tray.cli("wake", "stop")
    tray.until("idle")
    tray.hold(say(QUESTION), room)
    assert tray.asked(QUESTION) == [ANSWER]
    tray.desktop.until(lambda: room.quiet(1.2), 40)
    assert wer(ANSWER, hear(sounds.wav(room.heard())).text) <= 0.15
    tray.until("waiting")  # the microphone is open yet: that is shown
    # A long answer ends with Esc, which then is everybody's again.
    tray.hold(say(QUESTION), room)
    tray.desktop.until(room.loud, 30)
    tray.desktop.run("xdotool", "key", "Escape")
    stopped = room.now()
    tray.desktop.until(lambda: room.quiet(1.2), 6)  # there is a quarter of a minute left to say
    assert room.after(stopped) <= 0.7
    tray.until("waiting")


def test_the_wake_word_works_under_the_icon_and_can_be_closed(tray, room, say):  # noqa: F811
    tray.until("waiting")
    words = [sounds.silence(1), say("Hey Jarvis! What is the name of my brother?")]
    room.say(np.concatenate([*words, sounds.silence(2)]))
    tray.asked("What is the name of my brother?")
    tray.until("waiting")
    told = json.loads(tray.cli("wake", "log", "--json").stdout)
    assert [row["accepted"] for row in told["items"]] == [True]
    assert (
        tray.cli("wake", "wrong").stdout.strip() == f"{told['items'][0]['id']} is marked as wrong."
    )
    log = tray.cli("wake", "log").stdout
    assert "wrong (" in log
    assert "hours of sound" in log
    assert tray.cli("wake", "wrong", told["items"][0]["id"], "--not").returncode == 0
    assert " woke (" in tray.cli("wake", "log").stdout
    tray.choose("wake word")
    tray.until("idle")
    before = len(tray.chats())
    room.say(np.concatenate([say("Hey Jarvis! What is the time?"), sounds.silence(1.5)]))
    assert tray.status()["shown"] == "idle"
    assert len(tray.chats()) == before
    tray.choose("wake word")
    tray.until("waiting")


def test_no_microphone_is_told_and_the_icon_stays(tray, room):
    tray.cli("wake", "stop")
    room.close()
    assert tray.cli("talk", "start").returncode == 0
    (box,) = tray.desktop.until(lambda: tray.desktop.windows("Dunst"), 10)
    tray.until("idle")
    assert tray.cli("talk", "stop").returncode == 0
    tray.desktop.click((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
    assert tray.status()["shown"] == "idle"


# --- Esc ---------------------------------------------------------------------------------


class Keys:
    name = "made up"

    def __init__(self):
        self.held, self.hear = None, None

    async def start(self, wanted, hear):  # noqa: F811
        self.held, self.hear = wanted, hear
        return {}

    async def stop(self):
        self.held = None


async def test_esc_is_held_only_between_on_and_off():
    keys, pressed = Keys(), asyncio.Event()

    async def hush():
        pressed.set()

    escape = Escape(hush, lambda: keys)
    await asyncio.gather(escape.on(), escape.on())
    assert keys.held == {"escape": Combination((), "esc")}
    from assistant.clients.desktop.hotkeys import Press

    await asyncio.to_thread(keys.hear, Press("escape", down=True, at=0.0))
    async with asyncio.timeout(5):
        await pressed.wait()
    await escape.off()
    assert keys.held is None
    # What was let go before it was taken is not taken any more.
    await asyncio.gather(escape.on(), escape.off())
    assert keys.held is None


class Desk:
    def __init__(self):
        self.actions, self.taken, self.told = Actions(), set(), []

    def take(self, what, *, on):
        (self.taken.add if on else self.taken.discard)(what)

    async def notify(self, notice):
        self.told.append(notice.title)
        return True


class Ears:
    """A wake word's microphone, or none."""

    def __init__(self):
        self.show, self.open, self.fault, self.starts = None, False, None, 0

    async def start(self):
        self.starts += 1
        if self.fault:
            raise self.fault
        self.open = True
        self.show("waiting", {"word": "hey jarvis"})

    async def stop(self):
        self.open = False
        self.show("idle", {})


async def test_the_menu_opens_and_closes_the_microphone_of_the_wake_word(tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.clients.desktop.voice.AGAIN_S", 0.0)
    desk, ears = Desk(), Ears()
    voice = Voice(load_paths({"NESTOR_HOME": str(tmp_path)}), Settings(wake_word="alexa"), desk)
    voice._wake, ears.show = ears, voice._woke
    voice._escape = Escape(voice.hush, lambda: None)
    await desk.actions.run("wake.toggle")
    assert desk.taken == {"waiting", "wake_word"}
    # Unplugged: the microphone is closed, and it is not shown as open.
    ears.open = False
    voice._woke("error", {"error": MicrophoneMissing().body()})
    assert desk.taken == set()
    ears.fault = MicrophoneMissing()
    with pytest.raises(MicrophoneMissing):
        await desk.actions.run("wake.toggle")
    ears.fault = None
    async with asyncio.timeout(5):
        while not ears.open:  # it went on trying
            await asyncio.sleep(0)
    assert desk.taken == {"waiting", "wake_word"}
    await desk.actions.run("wake.toggle")
    assert desk.taken == set()
    # Who stops it while it tries has stopped it.
    ears.fault = MicrophoneMissing()
    with pytest.raises(MicrophoneMissing):
        await desk.actions.run("wake.start")
    await desk.actions.run("wake.stop")
    starts, ears.fault = ears.starts, None
    for _ in range(20):
        await asyncio.sleep(0)
    assert (ears.starts, ears.open) == (starts, False)
    assert desk.told == [MicrophoneMissing().message], "told once, by the notice; an order raises"
    voice._wake = None
    await voice.close()


async def test_esc_is_given_back_when_a_talk_goes_wrong(tmp_path):
    desk, keys = Desk(), Keys()
    voice = Voice(load_paths({"NESTOR_HOME": str(tmp_path)}), Settings(), desk)
    voice._escape = Escape(voice.hush, lambda: keys)
    for name, data, held in (
        ("listening", {}, True),
        ("thinking", {}, True),
        ("heard", {}, True),
        ("error", {"error": Unreachable().body()}, False),
    ):
        voice._talked(name, data)
        await asyncio.gather(*voice._work)
        assert (keys.held is not None) == held, name
        assert ("listening" in desk.taken) == (name == "listening")
    assert desk.told == [Unreachable().message]
    await voice.close()


async def test_no_keys_at_all_is_no_fault():
    def none():
        raise NoDisplay

    escape = Escape(hush, none)
    await escape.on()
    await escape.off()


async def hush():
    raise AssertionError("nobody pressed it")
