"""`nestor chat` in a real terminal: what is typed is sent ahead before Return, and Ctrl-C still ends it."""

import os
import select
import signal
import subprocess
import sys
import time

import pytest
from running import RunningDaemon

pty = pytest.importorskip("pty")
pytest.importorskip("readline")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = RunningDaemon(tmp_path_factory.mktemp("home")).up()
    yield running
    assert running.stop() == 0


RECORDED = """
import sys
from assistant.cli import main
from assistant.clients.http import Client
def warm(self, conversation=None, draft=""):
    with open(sys.argv[1], "a") as file:
        file.write(f"{conversation} {draft}\\n")
    if draft == "bad":
        raise RuntimeError("must not be seen")
Client.warm = warm
main(["chat"])
"""


class Terminal:
    """`nestor chat` in a pseudo-terminal; what it sends ahead goes into a file."""

    def __init__(self, daemon, sent):
        self.sent = sent
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", RECORDED, str(sent)], env=daemon.env | {"TERM": "dumb"},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            # The first terminal a session opens is the one whose Ctrl-C it gets.
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def until_sent(self, draft):
        deadline = time.monotonic() + 30
        while not any(line.endswith(f" {draft}") for line in self.drafts()):
            assert time.monotonic() < deadline, self.drafts()
            time.sleep(0.05)

    def drafts(self):
        return self.sent.read_text().splitlines() if self.sent.exists() else []

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text):
        deadline = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 4096).decode("utf-8", "replace")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        os.close(self.master)


@pytest.fixture
def terminal(daemon, tmp_path):
    opened = Terminal(daemon, tmp_path / "sent")
    yield opened
    opened.close()


def test_a_pause_sends_what_was_typed_and_return_the_question(daemon, terminal):
    terminal.until("> ")
    conversation = daemon.api.get("/api/v1/conversations").json()["items"][0]["id"]
    assert terminal.drafts() == [f"{conversation} "]
    terminal.type("Where is")
    terminal.until_sent("Where is")
    terminal.type(" my bike")
    terminal.until_sent("Where is my bike")
    terminal.type("?\n")
    terminal.until("bike?\r\nWhere is my bike?\r\n> ")
    terminal.type("\n")
    assert terminal.process.wait(30) == 0
    assert all(line.startswith(conversation) for line in terminal.drafts())


def test_a_warm_that_fails_is_not_seen(terminal):
    terminal.until("> ")
    terminal.type("bad")
    terminal.until_sent("bad")
    terminal.type(" luck\n")
    terminal.until("bad luck\r\nbad luck\r\n> ")
    assert "must not be seen" not in terminal.seen
    assert "Exception" not in terminal.seen


@pytest.mark.parametrize("how", ["key", "signal"])
def test_ctrl_c_at_the_prompt_ends_the_chat(terminal, how):
    terminal.until("> ")
    terminal.type("half a que")
    terminal.until_sent("half a que")
    if how == "key":
        terminal.type("\x03")
    else:
        terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(30) == 0
    assert "Traceback" not in terminal.seen
    assert "Exception" not in terminal.seen
