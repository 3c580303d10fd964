"""Write For Me by real keys in real fields of a real (virtual) display, with a real daemon behind it."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from running import RunningDaemon

pytest.importorskip("Xlib", reason="python-xlib is not installed")
pytest.importorskip("tkinter", reason="this Python has no Tk")

HERE = Path(__file__).parent
FIELD = str(HERE / "field.py")
WRITER = str(HERE / "writer.py")
PICTURES = HERE / "pictures"
OLD = "Hé, I has — 2 dogs 你好 🙂\n\tand teh cat. \n"
NEW = "Hé, I have — 2 dogs 你好 🙂 and a “cat”."
BEFORE = b"what was copied before"
DONE = "Enter puts it in place"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """Whatever it is asked, it writes NEW, word by word."""
    home = tmp_path_factory.mktemp("home")
    script = home / "script.json"
    script.write_text(json.dumps({"replies": [NEW] * 50, "word_pause_s": 0.03}))
    made = RunningDaemon(home / "nestor", model=f"fake:{script}").up()
    yield made
    assert made.stop() == 0


class Writer:
    """The process with the window, and what is seen of it from outside."""

    def __init__(self, screen, daemon, **settings):
        self.screen, self.said, self._before = screen, [], 0
        env = screen.env | {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
        env["NESTOR_MODEL"] = daemon.model
        env |= {f"NESTOR_{name.upper()}": value for name, value in settings.items()}
        self.key = settings.get("hotkey_write", "ctrl+alt+w")
        self.process = subprocess.Popen(
            [sys.executable, WRITER], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()
        screen.until(lambda: self._ready() or self.process.poll() is not None, 15)
        assert self._ready(), self.process.stderr.read()
        self.window = self._ready().split()[1]

    def _listen(self):
        for line in self.process.stdout:
            self.said.append(line.strip())

    def _ready(self):
        return next((line for line in self.said if line.startswith("ready")), None)

    @property
    def visible(self):
        return "IsViewable" in self.screen.run("xwininfo", "-id", self.window).decode()

    @property
    def status(self):
        """What the window said last since it was opened: it may be seen before its words are read."""
        told = [line for line in self.said[self._before :] if line.startswith("status")]
        return told[-1].removeprefix("status").strip() if told else ""

    def open(self):
        self._before = len(self.said)
        self.screen.run("xdotool", "key", self.key)
        self.screen.until(lambda: self.visible)
        self.screen.until(lambda: self.screen.active() == self.window)

    def until(self, said, seconds=15):
        try:
            self.screen.until(lambda: said in self.status, seconds)
        except AssertionError:
            raise AssertionError(self.said) from None

    @property
    def wishes(self):
        told = [line for line in self.said if line.startswith("wish")]
        return [json.loads(line.removeprefix("wish")) for line in told]

    def choose(self, key, *steps):
        """Open the menu that this key opens, and take the line that these keys lead to."""
        self.screen.run("xdotool", "mousemove", "2", "2")  # a line under it would be taken
        self.screen.key(key)
        self.screen.until(self._menu_open)
        for step in steps:
            self.screen.key(step)
        self.screen.key("Return")
        self.screen.until(lambda: not self._menu_open())

    def _menu_open(self):
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--class", "^Menu$"], env=self.screen.env,
            capture_output=True, text=True, timeout=10,
        )  # fmt: skip
        return found.stdout.split()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(5)
        error = self.process.stderr.read()
        for stream in (self.process.stdout, self.process.stderr, self.process.stdin):
            stream.close()
        return error


@pytest.fixture(scope="module")
def writer(screen, daemon):
    made = Writer(screen, daemon)
    yield made
    assert "Traceback" not in made.close()


def title(screen):
    command = ("xdotool", "getactivewindow", "getwindowname")
    return subprocess.run(command, env=screen.env, capture_output=True, text=True).stdout


class Letter:
    """A text in a GTK editor."""

    def __init__(self, screen, path, text=OLD):
        self.screen, self.path = screen, path
        path.write_text(text)
        self.program = screen.start("mousepad", "--disable-server", str(path))
        screen.until(lambda: "letter.txt" in title(screen))
        time.sleep(0.5)

    def changed(self):
        """Wait until the editor says that its text is no longer the file's."""
        self.screen.until(lambda: "*" in title(self.screen))

    def text(self):
        """As the editor has it: it is saved by its own key."""
        before = self.path.stat().st_mtime_ns
        self.screen.until(lambda: "letter.txt" in title(self.screen))
        self.screen.key("ctrl+s")
        self.screen.until(lambda: self.path.stat().st_mtime_ns != before)
        time.sleep(0.1)
        return self.path.read_bytes().decode()


@pytest.fixture
def letter(screen, tmp_path):
    made = Letter(screen, tmp_path / "letter.txt")
    screen.copy(BEFORE, "UTF8_STRING")
    yield made
    made.program.terminate()
    made.program.wait(10)


@pytest.fixture
def field(screen, tmp_path):
    started = []

    def start(kind, text):
        out = tmp_path / "field.txt"
        started.append(screen.start(sys.executable, FIELD, kind, text, str(out)))
        screen.until(lambda: "A field" in title(screen) and out.exists())
        return out

    yield start
    for program in started:
        program.terminate()
        program.wait(10)


# --- accept, undo, reject --------------------------------------------------------------------


def test_what_is_accepted_replaces_the_selection_and_one_undo_brings_it_back(
    screen, writer, letter
):
    screen.key("ctrl+a")
    writer.open()
    screen.key("alt+s")
    writer.until(DONE)
    assert letter.path.read_text() == OLD, "nothing is changed before it is accepted"
    screen.key("Return")
    screen.until(lambda: not writer.visible)
    letter.changed()
    assert letter.text() == NEW + " \n", "the space around the text stays"
    screen.until(lambda: screen.pasted("UTF8_STRING") == BEFORE)
    screen.key("ctrl+z")
    assert letter.text().encode() == OLD.encode()


def test_only_the_selection_is_replaced(screen, writer, letter):
    screen.key("ctrl+Home", "shift+End")
    writer.open()
    screen.run("xdotool", "type", "say it better")
    screen.key("Return")
    writer.until(DONE)
    screen.key("Return")
    screen.until(lambda: not writer.visible)
    letter.changed()
    assert letter.text() == NEW + OLD[OLD.index("\n") :]
    screen.key("ctrl+z")
    assert letter.text() == OLD


def test_with_nothing_selected_it_is_all_of_the_field_and_esc_touches_nothing(
    screen, writer, letter
):
    writer.open()
    screen.key("alt+s")
    writer.until(DONE)
    screen.key("Escape")
    screen.until(lambda: not writer.visible)
    screen.until(lambda: "letter.txt" in title(screen))
    assert "*" not in title(screen), "the editor says that nothing was changed"
    assert letter.path.read_bytes() == OLD.encode()
    assert screen.pasted("UTF8_STRING") == BEFORE


def test_what_is_no_longer_selected_is_left_alone_and_the_result_kept(screen, writer, letter):
    here = screen.until(screen.active)
    screen.key("ctrl+a")
    writer.open()
    screen.key("alt+s")
    writer.until(DONE)
    screen.run("xdotool", "windowactivate", "--sync", here)
    screen.key("ctrl+End")
    screen.run("xdotool", "windowactivate", "--sync", writer.window)
    screen.key("Return")
    writer.until("no longer selected")
    screen.until(lambda: writer.visible)
    assert screen.pasted("UTF8_STRING") == BEFORE
    screen.key("ctrl+shift+c")
    assert screen.pasted("UTF8_STRING").decode() == NEW + " \n"
    screen.key("Escape")
    screen.until(lambda: "letter.txt" in title(screen))
    assert "*" not in title(screen)


# --- the menus -------------------------------------------------------------------------------


def test_the_language_of_the_menu_is_asked_for_and_its_result_accepted(screen, writer, letter):
    screen.key("ctrl+a")
    writer.open()
    writer.choose("alt+t", "Down", "Down")
    writer.until(DONE)
    assert writer.wishes[-1] == {"operation": "translate", "language": "fr"}
    screen.key("Return")
    screen.until(lambda: not writer.visible)
    letter.changed()
    assert letter.text() == NEW + " \n"


def test_the_tone_of_the_menu_is_asked_for_and_remembered_until_it_is_forgotten(
    screen, writer, letter, daemon
):
    def remembered():
        return daemon.api.get("/api/v1/write/tone").json()["tone"]

    writer.open()
    writer.choose("alt+o", "Down", "Down")
    writer.until(DONE)
    assert writer.wishes[-1] == {"operation": "tone", "tone": "formal"}
    assert remembered() == ""
    writer.choose("alt+o", "Down", "Up", "Up")  # the last but one: remember it
    writer.choose("alt+o", "Down", "Down", "Down")
    screen.until(lambda: remembered() == "confident")
    assert writer.wishes[-1] == {"operation": "tone", "tone": "confident", "remember_tone": True}
    writer.until(DONE)
    writer.choose("alt+o", "Down", "Up")
    screen.until(lambda: remembered() == "")
    writer.choose("alt+o", "Down", "Up", "Up")  # as it was: other tests have the same window
    screen.key("Escape")
    screen.until(lambda: not writer.visible)
    assert letter.path.read_text() == OLD


# --- where nothing is written ----------------------------------------------------------------


def test_a_password_field_is_neither_read_nor_written(screen, writer, field):
    out = field("password", "hunter2")
    screen.key("End", "shift+Home")
    writer.open()
    screen.until(lambda: writer.status)
    assert "hides its text" in writer.status or "No text is selected" in writer.status
    screen.key("alt+s", "Return")
    time.sleep(0.5)
    screen.key("Escape")
    screen.until(lambda: not writer.visible)
    assert out.read_bytes() == b"hunter2"


def test_a_missing_model_is_said_and_the_text_is_as_it_was(screen, letter, tmp_path):
    (tmp_path / "none").mkdir()
    env = {"NESTOR_MODELS": str(tmp_path / "none")}
    other = RunningDaemon(tmp_path / "nestor", model="starter", env=env).up()
    writer = Writer(screen, other, hotkey_write="ctrl+alt+d", hotkey_remember="off")
    try:
        screen.key("ctrl+a")
        writer.open()
        screen.key("alt+s")
        writer.until("Your text is as it was.")
        assert "model" in writer.status
        screen.key("Return")
        time.sleep(0.3)
        assert letter.path.read_text() == OLD
    finally:
        assert "Traceback" not in writer.close()
        other.stop()


# --- pictures for the README, with a real model ----------------------------------------------


@pytest.mark.model
def test_a_real_models_corrections_in_light_and_dark(screen, tmp_path, starter_model):
    daemon = RunningDaemon(tmp_path / "real", model="starter").up()
    wrong = "I recieved your letter on 14 March and gave it to Mrs Okafor."
    letter = Letter(screen, tmp_path / "letter.txt", wrong)
    try:
        for theme in ("light", "dark"):
            writer = Writer(
                screen, daemon, theme=theme, hotkey_write="ctrl+alt+d", hotkey_remember="off"
            )
            screen.key("ctrl+a")
            writer.open()
            screen.key("alt+f")
            writer.until(DONE, 30)
            time.sleep(0.2)
            picture(screen, writer, f"write-{theme}")
            screen.key("ctrl+shift+c")
            fixed = screen.pasted("UTF8_STRING").decode()
            assert "received your letter on 14 March and gave it to Mrs Okafor." in fixed
            assert "Traceback" not in writer.close()
    finally:
        letter.program.terminate()
        letter.program.wait(10)
        daemon.stop()


def picture(screen, writer, name):
    out = PICTURES / f"{name}.png"
    out.parent.mkdir(exist_ok=True)
    options = ("-strip", "+dither", "-colors", "48", "-define", "png:compression-level=9")
    screen.run("import", "-window", writer.window, *options, str(out))
    assert out.stat().st_size > 1_000
