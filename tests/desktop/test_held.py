"""What is to be remembered while no daemon can be had: held in memory, and stored after all."""

import queue
import signal
import time

import pytest
from running import RunningDaemon

pytest.importorskip("Xlib", reason="python-xlib is not installed")

from assistant.clients import launch
from assistant.clients.desktop import held, picture, remember
from assistant.clients.desktop.held import Held
from assistant.config import LIMITS, load_paths
from assistant.errors import EmptyText, Internal, Refused, Unreachable

SEEN = remember.Seen("The gate's code is 2580.", "Notes", "mousepad", "", 7)


@pytest.fixture
def daemon(tmp_path):
    made = RunningDaemon(tmp_path / "home").up()
    yield made
    made.stop()


@pytest.fixture
def told(monkeypatch):
    """What is shown, in order; no display, and no daemon can be started."""

    def unstartable(paths):
        raise Unreachable("The disk is broken.")

    monkeypatch.setattr(launch, "start", unstartable)
    monkeypatch.setattr(held, "AGAIN_S", 0.05)
    monkeypatch.setattr(remember, "look", lambda: SEEN)
    monkeypatch.setattr(picture, "taken", lambda window: b"a picture")
    monkeypatch.setattr(picture, "text_of", lambda shot: "Back door: 1470")
    return queue.Queue()


def pressed(daemon, told):
    made = remember.Remember(
        load_paths({"NESTOR_HOME": str(daemon.home)}), lambda *words: told.put(words)
    )
    made.press()
    return made


def until(what, why):
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.01)


def texts(daemon):
    return sorted(one["text"] for one in daemon.api.get("/api/v1/memories").json()["items"])


def on_disk(folder, text):
    wanted = text.encode()
    return [one for one in folder.rglob("*") if one.is_file() and wanted in one.read_bytes()]


def test_a_daemon_that_was_killed_gets_it_when_it_is_back(daemon, told):
    daemon.stop(signal.SIGKILL)
    made = pressed(daemon, told)
    assert told.get(timeout=20)[0] == "Starting Nestor…"
    title, why, tone = told.get(timeout=20)
    assert (title, tone) == ("Not remembered yet", "bad")
    assert "The disk is broken." in why
    assert "held in memory" in why
    until(lambda: len(made._held) == 2, "its picture is read")
    assert on_disk(daemon.home, SEEN.text) == []
    daemon.up()
    assert told.get(timeout=20) == ("Remembered", SEEN.text, "good")
    assert told.empty()
    until(lambda: len(made._held) == 0, "the picture's text is stored")
    assert texts(daemon) == ["Back door: 1470", SEEN.text]


def test_with_a_daemon_it_is_stored_at_once(daemon, told):
    made = pressed(daemon, told)
    assert told.get(timeout=20) == ("Remembered", SEEN.text, "good")
    until(lambda: len(texts(daemon)) == 2, "the picture's text is stored")
    assert SEEN.text in texts(daemon)
    assert len(made._held) == 0


class Daemon:
    """Stores, or fails as it is told to."""

    def __init__(self, monkeypatch):
        self.fault, self.stored, self.done = Unreachable(), [], queue.Queue()
        monkeypatch.setattr(held, "_post", self.post)
        monkeypatch.setattr(held, "AGAIN_S", 0.001)
        self.held = Held(None, self.done.put, lambda body, error: self.done.put((body, error.code)))

    def post(self, _paths, body):
        fault = body.get("fault") or self.fault
        if fault:
            raise fault
        self.stored.append(body["id"])


def test_what_is_held_comes_in_order_and_what_the_daemon_refuses_is_told(monkeypatch):
    daemon = Daemon(monkeypatch)
    bodies = [{"id": "a"}, {"id": "b", "fault": EmptyText()}, {"id": "c"}]
    assert [daemon.held.send(body) for body in bodies] == [False] * 3
    daemon.fault = None
    assert [daemon.done.get(timeout=10) for _ in bodies] == [
        bodies[0], (bodies[1], "empty_text"), bodies[2],
    ]  # fmt: skip
    assert daemon.stored == ["a", "c"]


def test_a_fault_of_ours_or_of_a_listener_holds_up_nothing(monkeypatch):
    daemon = Daemon(monkeypatch)
    told = []

    def listener(body):
        told.append(body["id"])
        raise RuntimeError

    daemon.held._sent = listener
    bodies = [{"id": "a"}, {"id": "b", "fault": RuntimeError()}, {"id": "c"}]
    for body in bodies:
        daemon.held.send(body)
    daemon.fault = None
    assert daemon.done.get(timeout=10) == (bodies[1], Internal.code)
    until(lambda: len(daemon.held) == 0, "what came after it is sent")
    assert (daemon.stored, told) == (["a", "c"], ["a", "c"])
    daemon.fault = Unreachable()
    daemon.held.send({"id": "d"})
    daemon.fault = None
    until(lambda: daemon.stored[-1] == "d", "and so is what is held later")


def test_what_is_refused_at_once_is_not_held(monkeypatch):
    daemon = Daemon(monkeypatch)
    daemon.fault = Refused()
    with pytest.raises(Refused):
        daemon.held.send({"id": "a"})
    assert len(daemon.held) == 0


def test_no_more_is_held_than_the_limit(monkeypatch):
    daemon = Daemon(monkeypatch)
    for number in range(LIMITS.held_captures):
        assert not daemon.held.send({"id": str(number)})
    with pytest.raises(Unreachable, match="no more is held"):
        daemon.held.send({"id": "one too many"})
    daemon.fault = None
    assert daemon.done.get(timeout=10) == {"id": "0"}
