"""The icon in a real panel, its menu opened by real clicks; a real daemon behind it, real notices."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from desktop.screen import Screen
from running import RunningDaemon

pytest.importorskip("dbus_fast", reason="dbus-fast is not installed")
pytest.importorskip("Xlib", reason="python-xlib is not installed")
pytest.importorskip("tkinter", reason="this Python has no Tk")

from assistant.clients.desktop import icons
from assistant.clients.desktop.bus import Bus
from assistant.clients.desktop.notifications import Choice, Notice, Notices

PICTURES = Path(__file__).parent / "pictures"
FIELD = str(Path(__file__).parent / "field.py")
# The menu of an icon whose daemon runs and has answered something.
ENTRIES = (
    "chat", "talk", "wake word", "catch up", "notes", "remember", "recent", "page", "model", "pause",
    "devices", "settings", "autostart", "quit",
)  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """It repeats what it is asked, a word in 50 ms."""
    script = tmp_path_factory.mktemp("script") / "script.json"
    script.write_text(json.dumps({"word_pause_s": 0.05}))
    made = RunningDaemon(tmp_path_factory.mktemp("home"), model=f"fake:{script}").up()
    yield made
    made.cli("down")
    made.process.wait(20)
    if made.api is not None:
        made.api.close()


class Tray:
    """`nestor tray` as a session starts it."""

    def __init__(self, desktop, daemon):
        self.desktop, self.daemon = desktop, daemon
        self.browsed = desktop.config / "browsed"
        browser = desktop.config / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" >> {self.browsed}\n')
        browser.chmod(0o700)
        self.env = desktop.env | {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
        self.env |= {"NESTOR_MODEL": daemon.model, "BROWSER": f"{browser} %s"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "assistant", "tray"], env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.said = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        desktop.until(
            lambda: self.heard("is on your desktop") or self.process.poll() is not None, 15
        )
        assert self.process.poll() is None, self.said

    def _listen(self):
        for line in self.process.stdout:
            self.said.append(line.strip())

    def heard(self, words):
        return any(words in line for line in self.said)

    def cli(self, *arguments, **env):
        return subprocess.run(
            [sys.executable, "-m", "assistant", *arguments], env=self.env | env, text=True,
            capture_output=True, timeout=40, check=False,
        )  # fmt: skip

    def status(self):
        from assistant.clients.desktop import control
        from assistant.config import load_paths

        return control.send(load_paths(self.env), "status")

    def shows(self, state):
        """Wait until the icon is drawn so, in the panel."""
        self.desktop.until(lambda: self.status()["shown"] == state, 12)
        self.desktop.until(lambda: likeness(self.drawn(), state) < 12)

    def drawn(self):
        return self.desktop.picture(self.place())

    def place(self):
        """Where the panel has the icon."""
        (panel,) = self.desktop.windows("xfce4-panel")
        left, top = panel[0], panel[1]
        return (left + 1, top + 1, left + 33, top + 33)

    def click(self, button=1):
        left, top, right, bottom = self.place()
        self.desktop.click((left + right) // 2, (top + bottom) // 2, button)

    def menu(self):
        """Open it by a click; its box and where its lines are."""
        before = self.desktop.menus()
        self.click(3)
        box = self.desktop.until(lambda: next(iter(self.desktop.menus() - before), None))
        self.desktop.until(lambda: self._drawn(box))
        return box, lines(self.desktop.picture(box), box)

    def _drawn(self, box):
        """Whether all of the menu is there: nothing of it changes any more."""
        first = self.desktop.picture(box)
        time.sleep(0.2)
        same = self.desktop.picture(box).tobytes() == first.tobytes()
        return same and len(lines(first, box)) >= len(ENTRIES)

    def layout(self):
        """The menu's lines, as the panel is told them."""
        name = self.desktop.icons()[0].partition("/")[0]
        method = [
            "/MenuBar",
            "com.canonical.dbusmenu.GetLayout",
            "int32:0",
            "int32:-1",
            "array:string:",
        ]
        command = ["dbus-send", "--session", "--print-reply", f"--dest={name}", *method]
        return self.desktop.run(*command).decode()

    def choose(self, entry):
        _, found = self.menu()
        assert len(found) == len(ENTRIES)
        self.desktop.click(*found[ENTRIES.index(entry)])

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(15)
        self._thread.join(5)
        self.process.stdout.close()
        return code


def lines(picture, box):
    """The middles of the lines of text in a menu, on the screen: separators cross the whole of it."""
    grey = picture.convert("L")
    wide, high = grey.size
    data = grey.tobytes()
    rows = []
    for y in range(3, high - 3):
        row = data[y * wide + 26 : (y + 1) * wide - 12]
        dark = sum(one < 190 for one in row)
        rows.append(0 < dark < 0.9 * len(row))
    found, start = [], None
    for y, text in enumerate([*rows, False]):
        if text and start is None:
            start = y
        elif not text and start is not None:
            if y - start > 4:
                found.append((box[0] + wide // 2, box[1] + 3 + (start + y) // 2))
            start = None
    return found


def likeness(drawn, state):
    """How far a picture of the panel is from an icon of this state at its best place, mean of 0 to 255."""
    from PIL import Image, ImageChops, ImageStat

    best = 255.0
    for size in (16, 22, 24, 32):
        icon = Image.frombytes("RGBA", (48, 48), icons.rgba(state, 48)).resize(
            (size, size), Image.LANCZOS
        )
        left, top = (drawn.width - size) // 2, (drawn.height - size) // 2
        for x in range(max(0, left - 3), left + 4):
            for y in range(max(0, top - 3), top + 4):
                seen = drawn.crop((x, y, x + size, y + size))
                wanted = seen.copy()
                wanted.paste(icon, (0, 0), icon)
                mean = ImageStat.Stat(ImageChops.difference(seen, wanted).convert("L")).mean[0]
                best = min(best, mean)
    return best


@pytest.fixture
def tray(desktop, daemon):
    desktop.show_panel()
    desktop.show_notices()
    made = Tray(desktop, daemon)
    made.desktop.until(desktop.icons)
    made.shows("idle")
    yield made
    made.stop()


def test_the_panel_draws_it_and_ends_with_it(tray, desktop):
    assert len(desktop.icons()) == 1
    assert tray.heard("Nestor's icon is in the tray.")
    assert likeness(tray.drawn(), "idle") < likeness(tray.drawn(), "error")
    assert tray.stop() == 0
    desktop.until(lambda: not desktop.icons())
    assert "Traceback" not in "\n".join(tray.said)


def test_the_menu_is_opened_by_a_click_and_reaches_the_daemon(tray, desktop, daemon):
    daemon.ask("What is the capital of Portugal?")
    desktop.until(lambda: tray.status()["shown"] == "idle")
    time.sleep(0.6)
    box, found = tray.menu()
    assert len(found) == len(ENTRIES)
    _left, top, right, _bottom = box
    PICTURES.mkdir(exist_ok=True)
    shot = desktop.picture((0, max(0, top - 24), right + 60, 700))
    shot.quantize(64).save(PICTURES / "tray-menu.png", optimize=True)
    desktop.click(*found[ENTRIES.index("pause")])
    desktop.until(lambda: daemon.api.get("/api/v1/learning").json()["mode"] == "off")
    tray.choose("pause")
    desktop.until(lambda: daemon.api.get("/api/v1/learning").json()["mode"] == "ask")


def test_a_click_on_the_icon_opens_quick_ask_and_the_answer_is_in_the_menu(tray, desktop, daemon):
    tray.click()
    desktop.until(lambda: desktop.focused("Nestor"))
    desktop.run("xdotool", "type", "--delay", "4", "Fetch the blue umbrella")
    desktop.run("xdotool", "key", "Return")

    def answered():
        rows = daemon.api.get("/api/v1/conversations").json()["items"]
        turns = (
            daemon.api.get(f"/api/v1/conversations/{rows[0]['id']}").json()["turns"] if rows else []
        )
        return turns and "umbrella" in (turns[-1]["reply"] or "") and rows[0]["id"]

    conversation = desktop.until(answered)
    desktop.run("xdotool", "key", "Escape")
    desktop.until(lambda: not desktop.windows("Nestor"))
    desktop.until(lambda: "umbrella" in tray.layout())
    _, found = tray.menu()
    desktop.click(*found[ENTRIES.index("recent")])
    time.sleep(0.3)
    desktop.run("xdotool", "key", "Right", "Return")
    opened = desktop.until(lambda: tray.browsed.exists() and tray.browsed.read_text(), 10)
    assert f"&to=chat/{conversation}" in opened


def test_settings_open_the_page_there(tray, desktop):
    tray.browsed.unlink(missing_ok=True)
    tray.choose("settings")
    opened = desktop.until(lambda: tray.browsed.exists() and tray.browsed.read_text(), 10)
    assert opened.startswith("http://127.0.0.1:")
    assert opened.strip().endswith("&to=settings")


def test_it_shows_that_the_model_thinks(tray, desktop, daemon):
    words = " ".join(f"word{n}" for n in range(60))
    asking = threading.Thread(target=daemon.ask, args=(words,))
    asking.start()
    tray.shows("thinking")
    assert asking.is_alive()
    asking.join()
    tray.shows("idle")


def test_a_daemon_that_stops_is_missed_and_started_again_by_the_notification(tray, desktop, daemon):
    daemon.stop()
    tray.shows("offline")
    (box,) = desktop.until(lambda: desktop.windows("Dunst"), 10)
    desktop.click((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
    tray.shows("idle")
    daemon.cli("down")
    tray.shows("offline")
    daemon.up()
    tray.shows("idle")
    assert "Traceback" not in "\n".join(tray.said)


def test_a_model_that_is_missing_is_told_with_what_brings_it(desktop, tmp_path):
    desktop.show_panel()
    desktop.show_notices()
    (tmp_path / "models").mkdir()
    env = {"NESTOR_MODELS": str(tmp_path / "models")}
    without = RunningDaemon(tmp_path / "home", model="tiny", env=env).up()
    tray = Tray(desktop, without)
    try:
        tray.shows("error")
        assert "The model tiny is not here." in tray.layout()
        told = json.dumps(json.loads(desktop.run("dunstctl", "history")))
        if "nestor models pull tiny" not in told:
            (box,) = desktop.until(lambda: desktop.windows("Dunst"))
            desktop.click((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
            desktop.until(lambda: b"nestor models pull tiny" in desktop.run("dunstctl", "history"))
    finally:
        tray.stop()
        without.stop()


def test_a_display_that_goes_away_is_told_and_the_next_one_has_it_again(tmp_path, desktop, daemon):
    other = Screen(tmp_path)
    env = desktop.env | {"DISPLAY": other.name}
    env |= {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
    env |= {"NESTOR_MODEL": daemon.model}
    command = [sys.executable, "-m", "assistant", "tray"]
    first = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        for line in first.stdout:
            if "is on your desktop" in line:
                break
        other.stop()
        said = first.communicate(timeout=15)[0]
        assert first.returncode == 1
        assert "The display is gone." in said
    finally:
        first.kill()
        first.wait(10)
    tray = Tray(desktop, daemon)
    try:
        tray.shows("idle")
    finally:
        assert tray.stop() == 0


def test_a_second_one_says_that_there_is_one(tray, desktop):
    second = tray.cli("tray")
    assert second.returncode == 1
    assert f"already running (pid {tray.process.pid})" in second.stderr
    assert "nestor tray --stop" in second.stderr
    assert tray.status()["tray"]
    assert len(desktop.icons()) == 1
    assert tray.cli("tray", "--stop").stdout.strip() == "Nestor's icon is gone."
    assert tray.process.wait(10) == 0
    assert tray.cli("tray", "--stop").stdout.strip() == "Nestor's icon was not running."


def test_it_comes_back_with_the_panel_and_says_when_there_is_none(tray, desktop):
    desktop.hide_panel()
    desktop.until(lambda: tray.heard("This desktop shows no icons of programs."), 10)
    (box,) = desktop.until(lambda: desktop.windows("Dunst"), 5)
    told = tray.cli("doctor", "--json")
    found = {check["name"]: check for check in json.loads(told.stdout)}
    assert not found["tray"]["ok"]
    assert "nestor open" in found["tray"]["hint"]
    assert found["display"]["ok"]
    desktop.show_panel()
    desktop.until(desktop.icons)
    desktop.until(lambda: tray.status()["tray"])
    tray.shows("idle")
    desktop.click((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)


def test_the_menu_starts_it_with_the_session_and_quits_it(tray, desktop):
    entry = desktop.config / "autostart/nestor.desktop"
    assert not entry.exists()
    tray.choose("autostart")
    desktop.until(entry.exists)
    assert '"tray"' in entry.read_text()
    assert tray.cli("tray", "--autostart", "off").returncode == 0
    assert not entry.exists()
    tray.choose("quit")
    assert tray.process.wait(10) == 0


def test_without_display_and_bus_it_says_what_else_works(desktop, daemon):
    env = {k: v for k, v in desktop.env.items() if k not in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS")}
    env |= {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
    done = subprocess.run(
        [sys.executable, "-m", "assistant", "tray"], env=env | {"XDG_RUNTIME_DIR": "/nonexistent"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "There is no display" in done.stderr
    assert "There is no session bus" in done.stderr
    assert "nestor open" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_bus_there_are_windows_and_a_real_key_opens_one(desktop, daemon):
    """And `nestor doctor` tells what is missing, and which key was heard."""
    env = {k: v for k, v in desktop.env.items() if k != "DBUS_SESSION_BUS_ADDRESS"}
    env |= {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
    env |= {"NESTOR_MODEL": daemon.model, "XDG_RUNTIME_DIR": "/nonexistent"}
    nestor = [sys.executable, "-m", "assistant"]
    resident = subprocess.Popen(
        [*nestor, "tray"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said = resident.stdout.readline(), resident.stdout.readline()
        assert "There is no session bus" in said[0]
        assert "Hotkeys: ctrl+alt+space (ask)" in said[1]
        desktop.run("xdotool", "key", "ctrl+alt+space")
        desktop.until(lambda: desktop.windows("Nestor"))
        desktop.run("xdotool", "key", "Escape")
        desktop.until(lambda: not desktop.windows("Nestor"))
        told = subprocess.run(
            [*nestor, "doctor", "--json"], env=env, capture_output=True, text=True, timeout=30
        ).stdout
        found = {check["name"]: check for check in json.loads(told)}
        assert found["display"]["ok"]
        assert not found["tray"]["ok"]
        assert "no session bus" in found["tray"]["found"]
        assert "last heard: ask up, " in found["hotkeys"]["found"]
    finally:
        resident.send_signal(signal.SIGINT)
        rest = resident.communicate(timeout=15)[0]
    assert resident.returncode == 0
    assert "Traceback" not in rest


async def test_a_notification_shows_no_markup_and_its_button_works(desktop):
    desktop.show_notices()
    chosen = []
    bus = await Bus.connect(desktop.bus)
    try:
        notices = Notices(bus, chosen.append)
        choice = Choice("Show", "open", {"place": "devices"})
        hostile = 'A <b>bold</b> & <a href="http://x.example">link</a>\u202e\n\n'
        assert await notices.tell(Notice("one", "Hello <i>there</i>", hostile, (choice,)))
        boxes = await asyncio.to_thread(desktop.until, lambda: desktop.windows("Dunst"))
        left, top, right, bottom = boxes[0]
        await asyncio.to_thread(desktop.click, (left + right) // 2, (top + bottom) // 2)
        for _ in range(60):
            if chosen:
                break
            await asyncio.sleep(0.05)
        assert chosen == [choice]
        history = json.loads(desktop.run("dunstctl", "history"))
        body = next(
            one["body"]["data"] for one in history["data"][0] if "bold" in one["body"]["data"]
        )
        assert "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;a" in body
        assert "\u202e" not in body
    finally:
        await bus.close()


async def test_a_desktop_without_notifications_is_no_fault(tmp_path):
    config = tmp_path / "bus.conf"
    config.write_text(
        f"<busconfig><type>session</type><listen>unix:dir={tmp_path}</listen><policy context='default'>"
        "<allow send_destination='*'/><allow receive_sender='*'/><allow own='*'/>"
        "<allow user='*'/></policy></busconfig>"
    )
    server = subprocess.Popen(
        ["dbus-daemon", "--nofork", "--print-address", f"--config-file={config}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        bus = await Bus.connect(server.stdout.readline().strip())
        assert not await Notices(bus, lambda choice: None).tell(Notice("one", "Nobody shows this"))
        await bus.close()
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


def test_the_key_of_write_for_me_works_under_the_icon(tray, desktop, tmp_path):
    rows = {one["action"]: one for one in tray.status()["hotkeys"]["keys"]}
    assert not rows["write"]["problem"]
    field = desktop.start(sys.executable, FIELD, "text", "I has two dogs", str(tmp_path / "out"))
    desktop.until(lambda: (tmp_path / "out").exists())
    desktop.key("ctrl+a")
    desktop.key(rows["write"]["keys"])
    desktop.until(lambda: desktop.focused("Nestor"))
    desktop.key("Escape")
    desktop.until(lambda: not desktop.windows("Nestor"))
    assert (tmp_path / "out").read_text() == "I has two dogs"
    desktop._end(field)


def test_the_key_of_remember_keeps_what_is_selected(tray, desktop, daemon, tmp_path):
    row = next(one for one in tray.status()["hotkeys"]["keys"] if one["action"] == "remember")
    field = desktop.start(
        sys.executable, FIELD, "text", "The bike lock is 4711", str(tmp_path / "out")
    )
    desktop.until(lambda: (tmp_path / "out").exists())
    desktop.key("ctrl+a")
    desktop.key(row["keys"])

    def kept():
        rows = daemon.api.get("/api/v1/memories").json()["items"]
        return [one for one in rows if "bike lock is 4711" in one["text"]]

    (note, *_) = desktop.until(kept)
    assert (note["kind"], note["trust"]) == ("note", "device")
    desktop._end(field)
