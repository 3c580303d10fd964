"""What the icon shows and offers: the pure parts, and each in its bad days."""

import asyncio
import os
import plistlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from assistant.clients.desktop import doctor, icons, menu, status
from assistant.clients.desktop.autostart import Autostart
from assistant.clients.desktop.dbus_menu import DbusMenu
from assistant.clients.desktop.status import SHOWN, Chat, Seen
from assistant.config import load_paths
from assistant.types import Event

PICTURES = Path(__file__).parent / "pictures"
STATUS = {
    "model": {
        "id": "starter", "state": "ready", "problem": "", "gpu_layers": 0, "layers": 24, "device": "",
    },
    "queue": {"length": 0, "limit": 8},
    "memory": {"count": 3, "problem": ""},
}  # fmt: skip
ALL = (
    "ask", "open", "talk.toggle", "wake.toggle", "catch_up", "notes", "pause", "start", "quit", "autostart",
)  # fmt: skip


def read(**model):
    return status.read(Seen(), {**STATUS, "model": {**STATUS["model"], **model}})


def labels(entries):
    return [one.label for one in entries if one.kind == "entry"]


# --- the state ---------------------------------------------------------------------------


def test_a_turn_is_thinking_until_it_is_finished():
    seen = status.after(read(), Event(1, "turn_started", {"turn": "a"}))
    seen = status.after(seen, Event(2, "turn_started", {"turn": "b"}))
    seen = status.after(seen, Event(3, "turn_finished", {"turn": "a"}))
    assert status.shown(seen) == "thinking"
    seen = status.after(seen, Event(4, "turn_finished", {"turn": "b"}))
    assert status.shown(seen) == "idle"


def test_what_is_taken_from_the_user_is_shown_before_all_else():
    seen = read(state="failed", problem="It is broken.")
    assert status.shown(seen) == "error"
    for what in ("listening", "sharing", "recording"):
        seen = status.take(seen, what, on=True)
        assert status.shown(seen) == what
    gone = status.off(seen)
    assert status.shown(gone) == "recording"
    for what in ("listening", "sharing", "recording"):
        gone = status.take(gone, what, on=False)
    assert status.shown(gone) == "offline"


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({"state": "missing"}, "The model starter is not here."),
        ({"state": "failed", "problem": "It is damaged."}, "It is damaged."),
        ({"state": "failed"}, "The model cannot be used."),
        ({"state": "unloaded"}, ""),
    ],
)
def test_a_problem_is_said_in_a_sentence(model, problem):
    seen = read(**model)
    assert seen.problem == problem
    assert problem in status.sentence(seen)


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ({}, "on this computer's CPU"),
        ({"gpu_layers": 24, "device": "NVIDIA H200"}, "on NVIDIA H200"),
        ({"gpu_layers": 5, "device": "CUDA0"}, "on CUDA0 (5 of 24 layers) and the CPU"),
        ({"state": "unloaded"}, "asleep"),
    ],
)
def test_where_the_model_runs(model, place):
    assert read(**model).place == place


# --- icons -------------------------------------------------------------------------------


def test_each_state_differs_in_shape_too():
    """For who sees no colours: in grey, at the smallest size, no two are alike."""
    greys = {}
    for state in SHOWN:
        data = icons.rgba(state, 16)
        assert len(data) == 16 * 16 * 4
        greys[state] = bytes(
            (data[n] * 30 + data[n + 1] * 59 + data[n + 2] * 11) // 100 * data[n + 3] // 255
            for n in range(0, len(data), 4)
        )
    for one in SHOWN:
        for other in SHOWN:
            if one != other:
                apart = sum(abs(a - b) > 40 for a, b in zip(greys[one], greys[other], strict=True))
                assert apart >= 6, (one, other, apart)


def test_a_picture_is_a_png_that_others_read():
    image = pytest.importorskip("PIL.Image")
    import io

    read_back = image.open(io.BytesIO(icons.png("recording", 32))).convert("RGBA")
    assert read_back.tobytes() == icons.rgba("recording", 32)
    assert icons.argb("recording", 32)[0::4] == icons.rgba("recording", 32)[3::4]


def test_the_states_as_a_picture():
    """For the README: each state as it is drawn, large and as panels show it, on light and on dark."""
    image = pytest.importorskip("PIL.Image")
    sheet = image.new("RGB", (64 * len(SHOWN), 112), (246, 245, 244))
    sheet.paste((36, 40, 44), (0, 56, sheet.width, 112))
    for at, state in enumerate(SHOWN):
        for top in (0, 56):
            for size, x, y in ((32, 6, 12), (16, 42, 20)):
                icon = image.frombytes("RGBA", (size, size), icons.rgba(state, size))
                sheet.paste(icon, (64 * at + x, top + y), icon)
    PICTURES.mkdir(exist_ok=True)
    sheet.quantize(128).save(PICTURES / "tray-states.png", optimize=True)
    cells = {sheet.crop((64 * at, 0, 64 * at + 64, 56)).tobytes() for at in range(len(SHOWN))}
    assert len(cells) == len(SHOWN)


# --- the menu ----------------------------------------------------------------------------


def test_what_cannot_be_done_is_off_and_says_why():
    entries = {one.label: one for one in menu.entries(read(), ("open", "quit"))}
    assert entries["Chat"].action == "open"
    for label in (
        "Talk (speech is not installed)",
        "Listen for the wake word (speech is not installed)",
        "Catch me up (comes with a later version)",
        "Take notes (comes with a later version)",
        "Recent answers (none yet)",
    ):
        assert not entries[label].enabled
    assert [one.enabled for one in menu.entries(read(), ALL)[:5]] == [True] * 5


def test_the_wake_word_is_checked_while_it_is_waited_for():
    def entry(seen, actions=ALL):
        return next(one for one in menu.entries(seen, actions) if "wake word" in one.label)

    open_for_a_talk = status.take(read(), "waiting", on=True)
    assert entry(open_for_a_talk).checked is False
    waits = status.take(open_for_a_talk, "wake_word", on=True)
    assert (entry(waits).checked, entry(waits).action) == (True, "wake.toggle")
    assert status.shown(waits) == "waiting"
    off = entry(read(), tuple(one for one in ALL if one != "wake.toggle"))
    assert (off.label, off.enabled) == ("Listen for the wake word (off in the settings)", False)


def test_a_daemon_that_is_away_can_be_started():
    told = menu.entries(Seen(), ALL)
    (start,) = [one for one in told if one.action == "start"]
    assert start.enabled
    assert not next(one for one in told if one.label == "Pause memory").enabled
    assert "Devices (Nestor is not running)" in labels(told)


def test_what_anybody_wrote_is_one_short_line():
    hostile = "a\u202eb\n\tc\x07" + "x" * 500
    seen = msgspec.structs.replace(
        read(), chats=(Chat("id1", hostile, "An _answer_"),), devices=(hostile,)
    )
    recent = next(one for one in menu.entries(seen, ALL) if one.label == "Recent answers")
    label = recent.children[0].label
    assert "\u202e" not in label
    assert "\n" not in label
    assert len(label) <= menu.LABEL_CHARS
    assert recent.children[0].arguments == {"place": "chat/id1"}


class NoBus:
    def serve(self, path, face):
        self.face = face

    def emit(self, *words):
        self.told = words


def test_a_click_means_the_entry_that_was_seen():
    pytest.importorskip("dbus_fast")
    clicked, bus = [], NoBus()
    drawn = DbusMenu(bus, clicked.append, lambda: None)
    drawn.start()
    drawn.set(menu.entries(read(), ALL))
    _, (_, _, children) = drawn.methods()["GetLayout"][1](0, -1, [])
    numbers = {
        one.value[1]["label"].value: one.value[0] for one in children if "label" in one.value[1]
    }
    event = drawn.methods()["Event"][1]
    drawn.set(menu.entries(Seen(), ALL))  # the daemon goes while the menu is open
    event(numbers["Pause memory"], "clicked", None, 0)
    event(numbers["Model: starter, on this computer's CPU"], "clicked", None, 0)  # it is off
    event(99999, "clicked", None, 0)
    assert [one.action for one in clicked] == ["pause"]
    _, (_, _, later) = drawn.methods()["GetLayout"][1](0, -1, [])
    kept = {one.value[1]["label"].value: one.value[0] for one in later if "label" in one.value[1]}
    assert kept["Chat"] == numbers["Chat"]
    assert len(set(kept.values())) == len(kept)


# --- where there is no session bus: pystray ------------------------------------------------


async def test_pystray_shows_the_same_and_brings_clicks_to_the_loop(monkeypatch):
    """With pystray's own menus and icon, and its backend that draws nothing."""
    monkeypatch.setenv("PYSTRAY_BACKEND", "dummy")
    pystray = pytest.importorskip("pystray")
    from assistant.clients.desktop.pystray_tray import PystrayTray

    for name in ("run_detached", "stop", "_update_menu"):
        monkeypatch.setattr(pystray.Icon, name, lambda self: None)
    clicked, hosted = [], []
    tray = PystrayTray(clicked.append, hosted.append, pystray)
    seen = msgspec.structs.replace(read(), paused=True, devices=("Phone",))
    tray.show("idle", "Nestor: ready", menu.entries(seen, ALL))
    await tray.start()
    assert hosted == [True]
    assert tray.visible
    tray.show("thinking", "Nestor: thinking", menu.entries(seen, ALL))
    icon = tray._icon
    assert icon.title == "Nestor: thinking"
    shown = {item.text: item for item in icon.menu.items}
    assert shown["Pause memory"].checked is True
    assert not shown["Model: starter, on this computer's CPU"].enabled
    assert next(item.text for item in shown["Devices"].submenu.items) == "Phone"
    shown["Pause memory"](icon)
    icon()  # a click on the icon itself
    await asyncio.sleep(0)
    assert [entry.action for entry in clicked] == ["pause", "ask"]
    await tray.stop()
    assert not tray.visible


# --- starting with the session -----------------------------------------------------------


def test_the_file_starts_this_nestor_in_this_home(tmp_path):
    home = tmp_path / 'a "b" $c`d %e \\f'
    auto = Autostart("linux", {"HOME": str(tmp_path), "NESTOR_HOME": str(home)})
    assert not auto.on
    auto.set(on=True)
    assert auto.on
    file = tmp_path / ".config/autostart/nestor.desktop"
    (line,) = [row for row in file.read_text().splitlines() if row.startswith("Exec=")]
    # As the specification has it: first the string's escapes, then the command's quotes, then %%.
    unescaped = line.removeprefix("Exec=").encode().decode("unicode_escape")
    words = [re.sub(r"\\([$`])", r"\1", one).replace("%%", "%") for one in shlex.split(unescaped)]
    assert words[:2] == ["env", f"NESTOR_HOME={home}"]
    assert words[2:] == [sys.executable, "-P", "-m", "assistant", "tray"]
    auto.set(on=False)
    auto.set(on=False)
    assert not file.exists()


def test_on_a_mac_it_is_an_agent(tmp_path):
    auto = Autostart("darwin", {"HOME": str(tmp_path)})
    auto.set(on=True)
    told = plistlib.loads((tmp_path / "Library/LaunchAgents/org.nestor.Nestor.plist").read_bytes())
    assert told["ProgramArguments"][-1] == "tray"
    assert told["RunAtLoad"] is True
    auto.set(on=False)
    assert not auto.on


# --- doctor ------------------------------------------------------------------------------


def test_a_machine_without_a_desktop_is_no_fault(tmp_path):
    (found,) = doctor.checks(load_paths({"NESTOR_HOME": str(tmp_path)}), {})
    assert found["ok"]
    assert "no desktop session" in found["found"]


def test_a_display_that_cannot_be_reached_is_told_apart(tmp_path):
    pytest.importorskip("Xlib")
    pytest.importorskip("dbus_fast")
    env = {"DISPLAY": ":4711", "NESTOR_HOME": str(tmp_path), "PATH": "/usr/bin"}
    program = (
        "import json; from assistant.clients.desktop import doctor; from assistant.config import load_paths;"
        " print(json.dumps(doctor.checks(load_paths())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=env | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {one["name"]: one for one in msgspec.json.decode(done.stdout)}
    assert not found["display"]["ok"]
    assert "cannot be reached" in found["display"]["found"]
    assert not found["tray"]["ok"]
    assert "no session bus" in found["tray"]["found"]


def test_hotkeys_are_told_with_backend_and_last_event():
    report = {
        "backend": "pynput (X11)", "problem": None,
        "keys": [
            {"action": "ask", "keys": "ctrl+alt+space", "problem": ""},
            {"action": "write", "keys": "ctrl+alt+w", "problem": "Another program has it."},
        ],
        "last_event": {"action": "ask", "down": False, "when": 0.0},
    }  # fmt: skip
    found = doctor.hotkeys(report)
    assert not found["ok"]
    assert found["found"].startswith("pynput (X11): ctrl+alt+space (ask); last heard: ask up, ")
    assert "ctrl+alt+w (write): Another program has it." in found["hint"]
    lost = doctor.hotkeys({**report, "problem": {"message": "Gone.", "hint": "Wait."}})
    assert (lost["found"], lost["hint"], lost["ok"]) == ("Gone.", "Wait.", False)


class Sound:
    class PortAudioError(Exception):
        pass

    def __init__(self, answer):
        self.answer = answer

    def query_devices(self, kind):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "ok", "said"),
    [
        ({"name": "Built-in"}, True, "Built-in"),
        (Sound.PortAudioError("no default input"), False, "No microphone can be used."),
    ],
)
def test_no_microphone_is_told_apart(monkeypatch, answer, ok, said):
    from importlib.machinery import ModuleSpec

    module = Sound(answer)
    module.__spec__ = ModuleSpec("sounddevice", None)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    (found,) = doctor.microphone()
    assert (found["ok"], found["found"]) == (ok, said)
