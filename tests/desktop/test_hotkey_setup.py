"""Setting hotkeys by really pressing them, and what the program on the desktop does with them."""

import asyncio
import json
import subprocess
import sys
import time

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from assistant.clients.desktop.actions import Actions
from assistant.clients.desktop.bindings import Bindings, backend, order, wayland
from assistant.clients.desktop.control import Control
from assistant.clients.desktop.hotkey_setup import Setup, refuse_conflicts
from assistant.clients.desktop.hotkeys import Heard, Press, parse
from assistant.clients.desktop.key_grab import Grab
from assistant.clients.desktop.proofs import Proofs
from assistant.config import load_paths
from assistant.errors import HotkeyNotHeard, HotkeyRefused, HotkeysUnavailable, NoDisplay

WANTED = {"ask": "auto", "talk": "auto", "write": "off", "remember": "off"}


@pytest.fixture
def home(screen, tmp_path):
    made = {"NESTOR_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    return screen.env | made


class Running:
    """A `nestor` command that waits for a key."""

    def __init__(self, screen, env, *arguments):
        self.screen = screen
        self.process = subprocess.Popen(
            [sys.executable, "-m", "assistant", *arguments], env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.asked = self.process.stderr.readline()

    def end(self):
        out, error = self.process.communicate(timeout=30)
        return self.process.returncode, out, self.asked + error


def nestor(env, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "assistant", *arguments], env=env, text=True, capture_output=True,
        timeout=30,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_hotkey_is_kept_once_it_was_pressed_and_let_go(screen, home, tmp_path):
    running = Running(screen, home, "hotkey", "set", "ask", "Ctrl+Alt+K")
    assert running.asked == "Press ctrl+alt+k now, and let it go …\n"
    screen.run("xdotool", "keydown", "ctrl", "keydown", "alt", "keydown", "k")
    time.sleep(0.3)
    assert running.process.poll() is None, "it was not let go yet"
    screen.run("xdotool", "keyup", "k", "keyup", "alt", "keyup", "ctrl")
    code, out, _ = running.end()
    assert code == 0
    assert out.startswith("Heard ctrl+alt+k go down and up again (0.")
    assert 'hotkey_ask = "ctrl+alt+k"' in (tmp_path / "config/config.toml").read_text()
    _, out, _ = nestor(home, "hotkey", "list", "--json")
    ask, talk, *_ = json.loads(out)
    assert (ask["keys"], ask["backend"]) == ("ctrl+alt+k", "pynput (X11)")
    assert ask["proven_at"]
    assert (talk["setting"], talk["proven_at"]) == ("auto", None)


@pytest.mark.parametrize(
    ("pressed", "said"), [((), "was not heard"), (("keydown", "F9"), "not coming up")]
)
def test_a_hotkey_that_is_not_pressed_and_let_go_is_not_kept(
    screen, tmp_path, monkeypatch, pressed, said
):
    monkeypatch.setenv("NESTOR_HOME", str(tmp_path))
    monkeypatch.setenv("DISPLAY", screen.name)
    paths, told = load_paths(), []
    setup = Setup(
        paths, lambda: told.append("let go"), lambda: told.append("taken back"), wait_s=0.4,
        made=lambda: backend(environ={"DISPLAY": screen.name}),
    )  # fmt: skip
    try:
        with pytest.raises(HotkeyNotHeard, match=said) as caught:
            setup.set("ask", "f9", lambda one: pressed and screen.run("xdotool", *pressed))
    finally:
        screen.run("xdotool", "keyup", "F9")
    assert "nestor ask toggle" in caught.value.hint
    assert told == ["let go", "taken back"]
    assert not paths.config_file.exists()
    assert Proofs(paths).read() == {}


def test_a_taken_or_typing_hotkey_is_refused_at_once(screen, home):
    other = Grab({"theirs": parse("ctrl+alt+j")}, screen.name)
    try:
        code, _, error = nestor(home, "hotkey", "set", "ask", "ctrl+alt+j")
        assert code == 1
        assert "Another program, or the desktop itself, has this hotkey." in error
    finally:
        other.close()
    assert "types" in nestor(home, "hotkey", "set", "ask", "k")[2]


def test_off_needs_no_key_and_then_there_is_nothing_to_test(home):
    assert nestor(home, "hotkey", "set", "write", "off")[0] == 0
    code, _, error = nestor(home, "hotkey", "test", "write")
    assert code == 1
    assert "nestor hotkey set write auto" in error


def test_without_a_display_it_says_so(home):
    env = {k: v for k, v in home.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    code, _, error = nestor(env | {"XDG_SESSION_TYPE": "tty"}, "hotkey", "test", "ask")
    assert code == 1
    assert "no desktop here" in error


def test_under_wayland_without_a_portal_it_says_what_to_do(home):
    env = home | {"WAYLAND_DISPLAY": "wayland-0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"}
    code, _, error = nestor(env, "hotkey", "test", "ask")
    assert code == 1
    assert "session bus" in error
    assert "Bind `nestor ask toggle` to a key in your desktop's settings." in error


def test_the_order_words_of_ask_and_talk_need_the_icon(home):
    for noun in ("ask", "talk"):
        code, _, error = nestor(home, noun, "toggle")
        assert code != 0
        assert "icon is not running" in error


@pytest.mark.parametrize(
    ("keys", "environ", "platform", "name"),
    [("ctrl+space", {"XMODIFIERS": "@im=fcitx"}, "linux", "fcitx"),
     ("super+space", {"GTK_IM_MODULE": "ibus"}, "linux", "ibus"),
     ("super+space", {}, "win32", "Windows"), ("ctrl+alt+space", {}, "darwin", "macOS")],
)  # fmt: skip
def test_what_an_input_method_switches_with_is_refused(keys, environ, platform, name):
    with pytest.raises(HotkeyRefused, match=name):
        refuse_conflicts("ask", parse(keys), WANTED, environ, platform)


def test_without_that_input_method_it_is_not(home):
    refuse_conflicts("ask", parse("ctrl+space"), WANTED, {}, "linux")
    with pytest.raises(HotkeyRefused, match="hotkey of"):
        refuse_conflicts("ask", parse("ctrl+alt+enter"), WANTED, {}, "linux")


def test_which_backend():
    assert backend(environ={"DISPLAY": ":0"}, platform="linux").name == "pynput (X11)"
    both = {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}
    assert backend(environ=both, platform="linux").name == "GlobalShortcuts portal"
    assert backend(environ={}, platform="win32").name == "pynput (win32)"
    assert wayland({"XDG_SESSION_TYPE": "wayland"})
    with pytest.raises(NoDisplay):
        backend(environ={}, platform="linux")


@pytest.mark.parametrize(
    ("press", "name"),
    [(("ask", True), "ask"), (("ask", False), None), (("talk", True), "talk.start"),
     (("talk", False), "talk.stop"), (("write", True), "write"), (("remember", False), None)],
)  # fmt: skip
def test_what_a_press_and_a_release_ask_for(press, name):
    assert order(Press(*press, 0.0)) == name


# --- the program on the desktop --------------------------------------------------------------


class Deaf:
    """A backend that a test drives."""

    name = "a test's"

    def __init__(self, lost):
        self.lost, self.last, self.stopped = lost, None, False

    async def start(self, wanted, hear):
        self.wanted, self.hear = wanted, hear
        return {}

    async def stop(self):
        self.stopped = True

    def last_event(self):
        return self.last

    def press(self, action):
        for down in (True, False):
            self.last = Heard(action, down, time.time())
            self.hear(Press(action, down, time.monotonic()))


@pytest.fixture
async def desk(tmp_path, monkeypatch):
    """Bindings with a backend of the test's; `made` has each backend there was."""
    monkeypatch.setenv("NESTOR_HOME", str(tmp_path))
    paths = load_paths()
    paths.make()
    made, done = [], []
    actions = Actions()
    for name in ("ask", "talk.start", "talk.stop"):
        actions.register(name, lambda name=name: done.append(name))

    def start(lost):
        made.append(Deaf(lost))
        return made[-1]

    bindings = Bindings(paths, actions.run, start)
    bindings.made, bindings.done, bindings.paths = made, done, paths
    bindings.register(actions)
    bindings.actions = actions
    yield bindings
    await bindings.stop()


async def until(true, seconds=3.0):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return found


async def test_a_key_runs_its_action_and_is_told_to_the_doctor(desk):
    await desk.start()
    desk.made[0].press("talk")
    desk.made[0].press("write")  # nobody does that yet
    desk.made[0].press("ask")
    await until(lambda: desk.done == ["talk.start", "talk.stop", "ask"])
    await until(lambda: desk.report()["keys"][0]["proven_at"])
    told = desk.report()
    assert told["backend"] == "a test's"
    assert told["last_event"]["action"] == "ask"
    assert [row["action"] for row in told["keys"]] == ["ask", "talk", "write", "remember"]


async def test_setup_takes_the_keys_for_a_while_and_new_settings_come_back(desk):
    await desk.start()
    control = Control(desk.paths, desk.actions)
    await control.start()
    try:
        await desk.actions.run("hotkeys.pause")
        assert desk.made[0].stopped
        desk.paths.config_file.write_text('hotkey_ask = "f9"\n')
        await desk.actions.run("hotkeys.resume")
        assert str(desk.made[1].wanted["ask"]) == "f9"
    finally:
        await control.close()


async def test_a_setup_that_never_ends_does_not_keep_the_keys(desk, monkeypatch):
    monkeypatch.setattr("assistant.clients.desktop.bindings.PAUSE_S", 0.1)
    await desk.start()
    await desk.actions.run("hotkeys.pause")
    await until(lambda: len(desk.made) == 2)


async def test_a_backend_that_ends_is_started_again(desk, monkeypatch):
    monkeypatch.setattr("assistant.clients.desktop.bindings.RETRY_S", 0.1)
    await desk.start()
    desk.made[0].lost()
    await until(lambda: desk.report()["problem"])
    await until(lambda: len(desk.made) == 2)
    await until(lambda: desk.report()["problem"] is None)


async def test_no_backend_is_told_and_nothing_else_fails(desk):
    def none(lost):
        raise HotkeysUnavailable

    desk._made = none
    await desk.start()
    told = desk.report()
    assert told["problem"]["code"] == "hotkeys_unavailable"
    assert "nestor ask toggle" in told["problem"]["hint"]


async def test_a_setting_that_types_is_told_not_raised(desk):
    desk.paths.config_file.write_text('hotkey_ask = "k"\n')
    await desk.start()
    assert desk.report()["problem"]["code"] == "hotkey_refused"
