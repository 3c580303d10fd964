"""Reading a selection and writing back, in real windows of a real (virtual) display."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from assistant.clients.desktop import paste, selection
from assistant.errors import Refused

OLD = "Hé, I has — 2 dogs 你好 🙂\nand teh cat.\n"
NEW = '— é ï 你好 ✓ "…" {} 🙂\n\tnew line, tab'
PICTURE = bytes(range(256)) * 2000
FIELD = str(Path(__file__).parent / "field.py")


@pytest.fixture
def display(screen):
    one = selection.connect(screen.name)
    yield one
    one.close()


def active(display, title):
    def found():
        try:
            here = selection.active(display)
        except Refused:
            return None
        return here if title in here.title else None

    return found


@pytest.fixture
def mousepad(screen, display, tmp_path):
    file = tmp_path / "letter.txt"
    file.write_text(OLD)
    program = screen.start("mousepad", "--disable-server", str(file))
    here = screen.until(active(display, "letter.txt"))
    time.sleep(0.5)
    yield here, file
    program.terminate()
    program.wait(10)


@pytest.fixture
def field(screen, display, tmp_path):
    started = []

    def start(kind, text, app="Field"):
        out = tmp_path / "field.txt"
        started.append(screen.start(sys.executable, FIELD, kind, text, str(out), app))
        here = screen.until(active(display, "A field"))
        screen.until(out.exists)
        return here, out

    yield start
    for program in started:
        program.terminate()
        program.wait(10)


def saved(screen, file):
    before = file.stat().st_mtime_ns
    screen.key("ctrl+s")
    screen.until(lambda: file.stat().st_mtime_ns != before)
    time.sleep(0.1)
    return file.read_bytes().decode()


def test_a_gtk_selection_is_read_replaced_and_undone(screen, display, mousepad):
    here, file = mousepad
    screen.key("ctrl+a")
    found = selection.selected(display)
    assert (found.text, found.window) == (OLD, here)
    assert here.app == "mousepad"
    screen.copy(b"what was copied before", "UTF8_STRING")
    paste.insert(NEW, here.id, screen.name)
    assert screen.pasted("UTF8_STRING") == b"what was copied before"
    assert saved(screen, file) == NEW
    screen.key("ctrl+z")
    assert saved(screen, file) == OLD


def test_a_picture_in_the_clipboard_comes_back(screen, field):
    here, out = field("text", "")
    screen.copy(PICTURE, "image/png")
    paste.insert(NEW, here.id, screen.name)
    screen.until(lambda: out.read_bytes().decode() == NEW)
    assert screen.pasted("image/png") == PICTURE
    screen.key("ctrl+z")
    screen.until(lambda: out.read_bytes() == b"")


def test_held_modifiers_are_let_go(screen, field):
    here, out = field("text", "")
    screen.run("xdotool", "keydown", "alt", "keydown", "ctrl")
    paste.insert("held", here.id, screen.name)
    screen.run("xdotool", "keyup", "ctrl", "keyup", "alt")
    screen.until(lambda: out.read_bytes() == b"held")


def test_a_large_selection_is_read_whole(screen, display, mousepad):
    here, _file = mousepad
    large = "0123456789 é\n" * 60_000
    paste.insert(large, here.id, screen.name)
    screen.key("ctrl+a")
    screen.until(lambda: selection.selected(display).text)  # it has so much to draw
    found = selection.selected(display).text
    assert found.startswith(large[:1000])
    assert len(found) == len(large) + len(OLD)


def test_a_password_field_is_left_alone(screen, display, field):
    _here, out = field("password", "hunter2")
    screen.key("ctrl+a", "shift+Home")
    try:
        text = selection.selected(display).text
    except Refused as exc:
        text, said = "", exc.message
        assert "hides" in said
    assert "hunter2" not in text
    assert text == ""
    assert out.read_bytes() == b"hunter2"


def test_a_replacement_is_of_what_is_selected_and_of_nothing_else(screen, mousepad):
    here, file = mousepad
    screen.copy(b"what was copied before", "UTF8_STRING")
    screen.key("ctrl+Home", "shift+End")
    with pytest.raises(Refused):
        paste.replace(OLD, NEW, here.id, screen.name)
    assert screen.pasted("UTF8_STRING") == b"what was copied before"
    paste.replace(OLD.partition("\n")[0], NEW, here.id, screen.name)
    assert screen.pasted("UTF8_STRING") == b"what was copied before"
    assert saved(screen, file) == NEW + OLD[OLD.index("\n") :]
    screen.key("ctrl+z")
    assert saved(screen, file) == OLD


def test_a_password_field_is_not_written_even_with_its_text_in_the_clipboard(screen, field):
    here, out = field("password", "hunter2")
    screen.copy(b"hunter2", "UTF8_STRING")
    screen.key("End", "shift+Home")
    with pytest.raises(Refused):
        paste.replace("hunter2", NEW, here.id, screen.name)
    assert out.read_bytes() == b"hunter2"
    assert screen.pasted("UTF8_STRING") == b"hunter2"


def test_a_password_manager_is_neither_read_nor_written(screen, display, field):
    here, out = field("text", "secret", "Keepassxc")
    screen.key("ctrl+a")
    with pytest.raises(Refused):
        selection.selected(display)
    with pytest.raises(Refused):
        paste.insert("x", here.id, screen.name)
    assert out.read_bytes() == b"secret"


def test_an_old_selection_of_another_program_is_not_taken(screen, display, field):
    subprocess.run(
        ["xclip", "-selection", "primary"],
        input=b"old",
        env=screen.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    field("text", "nothing selected")
    assert selection.selected(display).text == ""


def test_a_window_that_is_gone_is_refused(screen):
    with pytest.raises(Refused):
        paste.insert("x", 0x3FFFFF, screen.name)
