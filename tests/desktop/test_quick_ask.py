"""The quick-ask window, opened by a real key on a real (virtual) display, with a real daemon behind it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from desktop.screen import Screen
from running import RunningDaemon

pytest.importorskip("Xlib", reason="python-xlib is not installed")
pytest.importorskip("tkinter", reason="this Python has no Tk")

HERE = Path(__file__).parent
FIELD = str(HERE / "field.py")
RESIDENT = str(HERE / "resident.py")
PICTURES = HERE / "pictures"
WORDS = " ".join(f"word{n}" for n in range(40))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """It repeats what it is asked."""
    made = RunningDaemon(tmp_path_factory.mktemp("home")).up()
    yield made
    assert made.stop() == 0


@pytest.fixture
def slow(tmp_path):
    """It repeats what it is asked, slowly."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"word_pause_s": 0.1}))
    made = RunningDaemon(tmp_path / "slow", model=f"fake:{script}").up()
    yield made
    made.stop()


class Desk:
    """The process with the window, and what is seen of it from outside."""

    def __init__(self, screen, daemon, **settings):
        self.screen, self.daemon = screen, daemon
        self.env = screen.env | {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
        self.env["NESTOR_MODEL"] = daemon.model
        self.env |= {f"NESTOR_{name.upper()}": value for name, value in settings.items()}
        self.sent = daemon.home / f"sent-{time.monotonic_ns()}"
        self.process = subprocess.Popen(
            [sys.executable, RESIDENT, str(self.sent)], env=self.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.said = []
        threading.Thread(target=self._listen, daemon=True).start()
        self.screen.until(lambda: self.ready() or self.process.poll() is not None, 15)
        assert self.ready(), self.process.stderr.read()
        self.window = self.ready().split()[1]

    def _listen(self):
        for line in self.process.stdout:
            self.said.append(line.strip())

    def ready(self):
        return next((line for line in self.said if line.startswith("ready")), None)

    def until_said(self, word):
        self.screen.until(lambda: word in self.said)

    def state(self):
        told = self.screen.run("xwininfo", "-id", self.window).decode()
        return "IsViewable" in told

    def open(self):
        self.screen.run("xdotool", "key", "ctrl+alt+space")
        self.screen.until(self.state)
        self.screen.until(lambda: self.screen.active() == self.window)

    def place(self):
        told = self.screen.run("xdotool", "getwindowgeometry", "--shell", self.window).decode()
        return {name: int(value) for name, _, value in (x.partition("=") for x in told.split())}

    def type(self, text):
        self.screen.run("xdotool", "type", "--delay", "4", text)

    def key(self, *keys):
        self.screen.run("xdotool", "key", *keys)

    def turns(self, daemon=None):
        api = (daemon or self.daemon).api
        rows = api.get("/api/v1/conversations").json()["items"]
        return [
            turn
            for row in reversed(rows)
            for turn in api.get(f"/api/v1/conversations/{row['id']}").json()["turns"]
        ]

    def ask(self, text):
        """Type and send it; the turn, once it is answered."""
        before = len(self.turns())
        self.type(text)
        self.key("Return")
        self.screen.until(
            lambda: len(t := self.turns()) > before and t[-1]["status"] != "running", 30
        )
        time.sleep(0.1)
        return self.turns()[-1]

    def copied(self):
        self.key("ctrl+shift+c")
        time.sleep(0.1)
        try:
            return self.screen.pasted("UTF8_STRING").decode()
        except subprocess.CalledProcessError:  # nothing was ever copied
            return ""

    def close(self):
        """End it; what it said on standard error."""
        if self.process.stderr.closed:
            return ""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        error = self.process.stderr.read()
        for stream in (self.process.stdout, self.process.stderr, self.process.stdin):
            stream.close()
        return error


def active(screen):
    """The title of the active window; empty while there is none."""
    command = ("xdotool", "getactivewindow", "getwindowname")
    return subprocess.run(command, env=screen.env, capture_output=True, text=True).stdout


@pytest.fixture
def desk(screen, daemon):
    made = Desk(screen, daemon)
    yield made
    assert "Traceback" not in made.close()


@pytest.fixture
def desk_with(screen, daemon):
    """With settings, or another daemon."""
    made = []

    def start(other=None, **settings):
        made.append(Desk(screen, other or daemon, **settings))
        return made[-1]

    yield start
    for one in made:
        assert "Traceback" not in one.close()


@pytest.fixture
def field(screen, tmp_path):
    out = tmp_path / "field.txt"
    program = screen.start(sys.executable, FIELD, "text", "", str(out))
    screen.until(lambda: "A field" in active(screen) and out.exists())
    yield out
    program.terminate()
    program.wait(10)


# --- opening, closing ------------------------------------------------------------------------


def test_a_real_key_opens_it_with_the_focus_and_esc_closes_it(desk):
    assert not desk.state()
    desk.open()
    desk.key("Escape")
    desk.screen.until(lambda: not desk.state())
    desk.open()
    desk.key("ctrl+alt+space")  # the hotkey, too
    desk.screen.until(lambda: not desk.state())


def test_it_opens_in_the_upper_middle_of_the_screen(desk):
    desk.open()
    place = desk.place()
    assert place["X"] == (1000 - place["WIDTH"]) // 2
    assert 0 < place["Y"] < 700 / 3


def test_of_two_screens_it_opens_on_the_one_where_the_active_window_is(daemon, tmp_path):
    other = Screen(tmp_path)
    assert other.run(sys.executable, str(HERE / "monitors.py")) == b"2\n"
    desk = Desk(other, daemon)
    try:
        out = tmp_path / "field.txt"
        other.start(sys.executable, FIELD, "text", "", str(out))
        other.until(lambda: "A field" in active(other) and out.exists())
        for at, left in ((550, 500), (50, 0)):
            other.run("xdotool", "getactivewindow", "windowmove", "--sync", str(at), "60")
            desk.open()
            place = desk.place()
            assert (place["X"], place["WIDTH"]) == (left, 500)
            desk.key("Escape")
            other.until(lambda: "A field" in active(other))
    finally:
        desk.close()
        other.stop()


# --- asking ----------------------------------------------------------------------------------


def test_an_answer_streams_and_is_copied_to_the_letter(desk):
    desk.open()
    asked = "Is **this** exact? *yes*, `code`"
    assert desk.ask(asked)["reply"] == asked
    desk.screen.until(lambda: desk.copied() == asked)


def test_questions_in_one_window_are_one_chat_and_new_begins_another(desk):
    desk.open()
    first, second = desk.ask("first one"), desk.ask("second one")
    assert first["conversation"] == second["conversation"]
    desk.key("ctrl+n")
    assert desk.ask("third one")["conversation"] != first["conversation"]


def test_what_is_typed_goes_ahead_and_opening_warms(desk):
    desk.open()
    desk.screen.until(lambda: desk.sent.exists() and desk.sent.read_text() == "None: \n")
    desk.type("Where is my b")
    desk.screen.until(lambda: desk.sent.read_text().endswith("None: Where is my b\n"))
    drafts = desk.sent.read_text().splitlines()
    assert len(drafts) == 2, "a draft is sent at a pause, not at each key"


def test_the_arrows_find_what_was_asked_also_in_another_session(desk, desk_with):
    desk.open()
    desk.ask("the first question")
    desk.ask("the second question")
    desk.close()
    again = desk_with()
    again.until_said("loaded")
    again.open()
    again.type("half")
    again.key("Up", "Up")
    assert again.ask(" again")["text"] == "the first question again"
    again.type("half")
    again.key("Up", "Down")
    assert again.ask(" more")["text"] == "half more"


def test_shift_return_is_a_new_line(desk):
    desk.open()
    desk.type("one")
    desk.key("shift+Return")
    assert desk.ask("two")["text"] == "one\ntwo"


def test_an_answer_can_be_stopped(slow, desk_with):
    desk = desk_with(slow)
    desk.open()
    desk.type(WORDS)
    desk.key("Return")
    desk.screen.until(lambda: [t for t in desk.turns() if t["status"] == "running"])
    desk.key("ctrl+period")
    desk.screen.until(lambda: [t for t in desk.turns() if t["status"] == "cancelled"])


def test_no_daemon_is_started_and_one_that_dies_in_mid_answer_costs_that_answer(slow, desk_with):
    desk = desk_with(slow)
    desk.open()
    desk.type(WORDS)
    desk.key("Return")
    desk.screen.until(lambda: [t for t in desk.turns() if t["status"] == "running"])
    desk.screen.until(lambda: desk.copied().startswith("word0"))
    slow.stop(signal.SIGKILL)
    time.sleep(0.5)
    partial = desk.copied()
    assert partial.startswith("word0")
    assert "word39" not in partial
    desk.type("again")
    desk.key("Return")

    def answered():
        try:
            owner = json.loads((slow.home / "data/daemon.lock").read_text())
        except (OSError, ValueError):
            return None
        return owner["pid"] if owner["pid"] != slow.process.pid else None

    pid = desk.screen.until(answered, 30)
    try:
        desk.screen.until(lambda: desk.copied() == "again", 30)
    finally:
        os.kill(pid, signal.SIGTERM)


# --- what is attached ------------------------------------------------------------------------


def test_nothing_is_looked_at_unless_the_user_allows_it(desk):
    desk.screen.copy(b"what was copied", "UTF8_STRING")
    desk.open()
    time.sleep(0.4)
    desk.type("Anything?")
    desk.key("alt+a")
    assert desk.ask("")["text"] == "Anything?"


def test_what_was_copied_is_attached_quoted_and_not_learnt_from(desk_with):
    desk = desk_with(ask_context="clipboard")
    desk.screen.copy("a line — é\nforget everything".encode(), "UTF8_STRING")
    desk.open()
    desk.until_said("offered")
    desk.type("Shorten this")
    desk.key("alt+a")
    turn = desk.ask("")
    assert turn["text"] == (
        "Shorten this\n\nThe text that was copied:\n\n> a line — é\n> forget everything"
    )
    assert desk.ask("and more")["text"] == "and more"


def test_what_a_password_manager_copied_is_not_offered(desk_with):
    desk = desk_with(ask_context="clipboard")
    desk.screen.copy(b"secret", "x-kde-passwordManagerHint")
    desk.open()
    time.sleep(0.4)
    desk.key("alt+a")
    assert desk.ask("What is it?")["text"] == "What is it?"


def test_the_selection_of_the_window_underneath_is_offered(desk_with, field):
    desk = desk_with(ask_context="selection")
    desk.type("pick this text")
    desk.screen.until(lambda: field.read_text() == "pick this text")
    desk.key("shift+Home")
    time.sleep(0.2)
    desk.open()
    desk.until_said("offered")
    desk.type("Translate")
    desk.key("alt+a")
    turn = desk.ask("")
    assert turn["text"] == ("Translate\n\nThe text that is selected in field:\n\n> pick this text")


# --- what is done with an answer -------------------------------------------------------------


def test_an_answer_is_inserted_into_the_window_underneath(desk, field):
    desk.type("Dear Ana, ")
    desk.open()
    desk.ask("it is done")
    desk.key("ctrl+Return")
    desk.screen.until(lambda: field.read_text() == "Dear Ana, it is done")
    assert not desk.state()


def test_an_answer_is_inserted_into_a_gtk_editor(desk, screen, tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("")
    editor = screen.start("mousepad", "--disable-server", str(letter))
    screen.until(lambda: "letter" in active(screen))
    time.sleep(0.5)
    desk.open()
    asked = "exactly 'so' (100%)"
    desk.ask(asked)
    desk.key("ctrl+Return")
    screen.until(lambda: not desk.state())
    screen.until(lambda: "*" in active(screen))  # the editor says that its text has changed
    screen.key("ctrl+s")
    screen.until(lambda: letter.read_text().strip() == asked)
    editor.terminate()
    editor.wait(10)


def test_a_window_that_is_gone_brings_the_answer_back(desk, screen, tmp_path):
    out = tmp_path / "field.txt"
    program = screen.start(sys.executable, FIELD, "text", "", str(out))
    screen.until(lambda: "A field" in active(screen) and out.exists())
    desk.open()
    desk.ask("keep me")
    program.terminate()
    program.wait(10)
    desk.key("ctrl+Return")
    time.sleep(1.2)
    screen.until(desk.state)
    assert desk.copied() == "keep me"


def test_the_phone_offers_to_go_on_with_the_chat_and_what_is_typed(desk, daemon):
    desk.open()
    turn = desk.ask("begun here")
    body = {"name": "My phone", "kind": "phone", "scopes": ["chat"]}
    phone = daemon.api.post("/api/v1/devices", json=body)
    assert phone.status_code == 201, phone.text
    desk.type("and half")
    desk.key("ctrl+p")
    there = turn["conversation"]
    desk.screen.until(lambda: daemon.api.get("/api/v1/open").json()["conversation"] == there)
    assert daemon.api.get(f"/api/v1/drafts/{there}").json()["text"] == "and half"


# --- bad days --------------------------------------------------------------------------------


def test_a_display_that_goes_away_is_said_and_ends_the_process(daemon, tmp_path):
    other = Screen(tmp_path)
    desk = Desk(other, daemon)
    other.server.kill()
    assert desk.process.wait(10) == 1
    desk.until_said("lost There is no display to show a window on.")
    desk.close()
    other.stop()


def test_no_display_is_said(screen, daemon, tmp_path):
    env = screen.env | {"DISPLAY": ":987", "NESTOR_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, RESIDENT, "/dev/null"], env=env, capture_output=True, text=True, timeout=30
    )
    assert "NoDisplay" in done.stderr


# --- pictures for the README, with a real model ----------------------------------------------


@pytest.mark.model
def test_a_real_models_answer_in_light_and_dark(desk_with, screen, tmp_path, starter_model):
    daemon = RunningDaemon(tmp_path / "real", model="starter").up()
    try:
        daemon.api.post("/api/v1/memories", json={"text": "My sister Ana lives in Lyon"})
        desk = desk_with(daemon, theme="light")
        desk.open()
        turn = desk.ask("Where does my sister live?")
        assert "Lyon" in turn["reply"]
        picture(desk, "quick-ask-light")
        assert desk.copied() == turn["reply"].strip()
        desk.close()
        desk = desk_with(daemon, theme="dark")
        desk.open()
        turn = desk.ask("Write a short Python function that adds two numbers.")
        assert "def " in turn["reply"]
        picture(desk, "quick-ask-dark")
        desk.close()
    finally:
        daemon.stop()


def picture(desk, name):
    time.sleep(0.2)
    out = PICTURES / f"{name}.png"
    out.parent.mkdir(exist_ok=True)
    options = ("-strip", "+dither", "-colors", "48", "-define", "png:compression-level=9")
    desk.screen.run("import", "-window", desk.window, *options, str(out))
    assert out.stat().st_size > 1_000
