"""Remember this by a real key: what is selected is kept at once, what the window shows is read afterwards."""

import shutil

import pytest
from desktop.test_write_window import Letter, Writer, title
from running import RunningDaemon

pytest.importorskip("Xlib", reason="python-xlib is not installed")
pytest.importorskip("tkinter", reason="this Python has no Tk")

TEXT = "The boiler was serviced on 3 March by Okafor and Sons.\nThe bill was paid in May.\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    made = RunningDaemon(tmp_path_factory.mktemp("home")).up()
    yield made
    assert made.stop() == 0


@pytest.fixture
def writer(screen, daemon):
    made = Writer(screen, daemon)
    yield made
    assert "Traceback" not in made.close()


def memories(daemon):
    return daemon.api.get("/api/v1/memories").json()["items"]


def test_a_selection_is_kept_with_its_window_and_what_the_window_shows_later(
    screen, daemon, writer, tmp_path
):
    pytest.importorskip("pytesseract", reason="pytesseract is not installed")
    if shutil.which("tesseract") is None:
        pytest.skip("not installed: tesseract")
    letter = Letter(screen, tmp_path / "letter.txt", TEXT)
    screen.key("ctrl+Home", "shift+End")
    screen.run("xdotool", "key", "ctrl+alt+r")
    screen.until(lambda: [line for line in writer.said if line.startswith("toast Remembered")])
    first = next(one for one in memories(daemon) if one["text"] in TEXT)
    assert first["text"] == TEXT.partition("\n")[0]
    assert "letter.txt" in first["source"]
    assert (first["kind"], first["trust"]) == ("note", "device")
    screen.until(lambda: len(memories(daemon)) == 2, 20)
    read = next(one for one in memories(daemon) if one["id"] != first["id"])
    assert "paid in May" in read["text"], "it was not selected, but it could be seen"
    assert letter.path.read_text() == TEXT
    letter.program.terminate()
    letter.program.wait(10)


def test_without_a_window_it_is_said_that_nothing_was_kept(screen, daemon, writer):
    before = len(memories(daemon))
    screen.until(lambda: not title(screen))  # the letter of the test before
    screen.run("xdotool", "key", "ctrl+alt+r")
    screen.until(lambda: [line for line in writer.said if line.startswith("toast Not remembered")])
    assert len(memories(daemon)) == before
