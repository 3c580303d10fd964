"""Real keys on a real (virtual) display: heard down and up, taken from other programs, conflicts seen."""

import asyncio
import importlib.util
import os
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from assistant.clients.desktop.hotkeys import parse
from assistant.clients.desktop.key_grab import Grab
from assistant.errors import ExtraMissing, HotkeysUnavailable

FIELD = str(Path(__file__).parent / "field.py")


@pytest.fixture
def keys(screen, monkeypatch):
    """A backend on the screen, started by the test; what it heard."""
    monkeypatch.setenv("DISPLAY", screen.name)
    monkeypatch.setenv("XAUTHORITY", "")
    from assistant.clients.desktop.key_listener import PynputHotkeys

    made = PynputHotkeys()
    made.heard = []

    def start(**wanted):
        combinations = {action: parse(text) for action, text in wanted.items()}
        return asyncio.run(made.start(combinations, made.heard.append))

    made.begin = start
    yield made
    asyncio.run(made.stop())


def told(keys):
    return [(press.action, press.down) for press in keys.heard]


def test_a_real_key_is_heard_down_and_up_with_its_time(screen, keys):
    assert keys.begin(ask="ctrl+alt+space", talk="ctrl+alt+enter") == {}
    assert keys.last_event() is None
    screen.run("xdotool", "keydown", "ctrl", "keydown", "alt", "keydown", "Return")
    screen.until(lambda: told(keys) == [("talk", True)])
    time.sleep(0.3)
    screen.run("xdotool", "keyup", "Return", "keyup", "alt", "keyup", "ctrl")
    screen.until(lambda: told(keys) == [("talk", True), ("talk", False)])
    down, up = keys.heard
    assert 0.3 < up.at - down.at < 2
    assert keys.last_event().action == "talk"
    screen.run("xdotool", "key", "ctrl+alt+space")
    screen.until(lambda: told(keys)[2:] == [("ask", True), ("ask", False)])


@pytest.mark.parametrize(
    ("text", "pressed"),
    [("ctrl+shift+1", "ctrl+shift+1"), ("super+k", "super+k"), ("f9", "F9"),
     ("ctrl+alt+page_up", "ctrl+alt+Prior"), ("ctrl+shift+tab", "ctrl+shift+Tab")],
)  # fmt: skip
def test_keys_of_every_kind(screen, keys, text, pressed):
    assert keys.begin(ask=text) == {}
    screen.run("xdotool", "key", pressed)
    screen.until(lambda: told(keys) == [("ask", True), ("ask", False)])


def test_caps_lock_and_num_lock_change_nothing(screen, keys):
    keys.begin(ask="ctrl+alt+w")
    screen.run("xdotool", "key", "Caps_Lock", "key", "Num_Lock")
    try:
        screen.run("xdotool", "key", "ctrl+alt+w")
        screen.until(lambda: told(keys) == [("ask", True), ("ask", False)])
    finally:
        screen.run("xdotool", "key", "Caps_Lock", "key", "Num_Lock")


def test_the_program_underneath_does_not_get_the_key(screen, keys, tmp_path):
    out = tmp_path / "field.txt"
    field = screen.start(sys.executable, FIELD, "text", "", str(out))
    screen.until(out.exists)
    time.sleep(0.8)
    keys.begin(ask="ctrl+alt+w")
    screen.run("xdotool", "key", "x", "key", "ctrl+alt+w", "key", "y")
    screen.until(lambda: out.read_text() == "xy")
    assert told(keys) == [("ask", True), ("ask", False)]
    field.terminate()
    field.wait(10)


def test_a_key_that_another_program_has_is_a_conflict(screen, keys):
    other = Grab({"theirs": parse("ctrl+alt+space")}, screen.name)
    try:
        refused = keys.begin(ask="ctrl+alt+space", talk="ctrl+alt+enter")
        assert list(refused) == ["ask"]
        assert "Another program" in refused["ask"]
        screen.run("xdotool", "key", "ctrl+alt+space", "key", "ctrl+alt+Return")
        screen.until(lambda: told(keys) == [("talk", True), ("talk", False)])
    finally:
        other.close()


def test_what_was_held_is_free_again(screen, keys):
    keys.begin(ask="ctrl+alt+space")
    asyncio.run(keys.stop())
    other = Grab({"theirs": parse("ctrl+alt+space")}, screen.name)
    assert other.refused == {}
    other.close()


def test_no_display_is_said():
    code = (
        "from assistant.clients.desktop.key_grab import Grab\n"
        "from assistant.errors import NoDisplay\n"
        "try: Grab({})\n"
        "except NoDisplay as exc: print(exc.message)"
    )
    env = os.environ | {"DISPLAY": ":987"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert "display" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["pynput", "Xlib"])
def test_a_missing_library_is_named_with_how_to_install_it(monkeypatch, name):
    from assistant.clients.desktop import key_listener

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == name else find(n))
    with pytest.raises(ExtraMissing, match=name) as caught:
        key_listener.library("linux")
    assert "nestor[desktop]" in caught.value.hint


def test_macos_without_permission_says_where_to_allow_it():
    from assistant.clients.desktop.key_listener import PynputHotkeys

    class Listener(threading.Thread):
        IS_TRUSTED = False

        def __init__(self, **_):
            super().__init__(daemon=True)

        def wait(self):
            pass

        def stop(self):
            pass

    keys = PynputHotkeys(platform="darwin", keyboard=types.SimpleNamespace(Listener=Listener))
    with pytest.raises(HotkeysUnavailable) as caught:
        asyncio.run(keys.start({"ask": parse("ctrl+f9")}, lambda press: None))
    assert "Input Monitoring" in caught.value.hint
