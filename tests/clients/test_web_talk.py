"""Talking in the page: a real Chromium, a virtual microphone, an answer heard from a virtual loudspeaker."""

import json
import re

import pytest
from browsing import Visitor, executable, until
from desktop.room import Room
from desktop.test_talk import ANSWER, LONG, QUESTION
from playwright.sync_api import expect
from running import RunningDaemon
from speech import sounds
from speech.conftest import client, hear, say  # noqa: F401 - fixtures
from speech.words import wer

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    script = home / "script.json"
    script.write_text(json.dumps({"replies": [ANSWER, LONG, ANSWER], "word_pause_s": 0.02}))
    running = RunningDaemon(home, model=f"fake:{script}").up()
    yield running
    assert running.stop() == 0


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path / "room")
    made.open()
    yield made
    made.close()


@pytest.fixture
def visitor(browser, daemon, room):
    import os

    chromium = browser.browser_type.launch(
        executable_path=executable(),
        args=["--no-sandbox"] if os.geteuid() == 0 else [],
        ignore_default_args=["--mute-audio"],
        env=os.environ | room.env,
    )
    made = Visitor(chromium, daemon.url.replace("127.0.0.1", "localhost"))
    yield made.connect(daemon.token)
    assert made.problems == []
    assert made.foreign == []
    chromium.close()


def test_a_question_by_voice_in_the_page(visitor, room, say, hear):  # noqa: F811
    page = visitor.page
    visitor.context.grant_permissions(["microphone"])
    page.get_by_role("button", name="Talk").click()
    expect(page.get_by_role("status").filter(has_text="Listening")).to_be_visible()
    page.wait_for_timeout(500)
    room.say(say(QUESTION))
    page.get_by_role("button", name="Send what I said").click()
    expect(page.get_by_role("status").filter(has_text="Speaking")).to_be_visible(timeout=30_000)
    assert wer(QUESTION, page.locator(".said").last.inner_text().removeprefix("You: ")) <= 0.2
    assert visitor.done() == ANSWER
    expect(page.get_by_role("button", name="Talk")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("status").filter(has_text="Speaking")).to_have_count(0, timeout=30_000)
    assert wer(ANSWER, hear(sounds.wav(room.heard())).text) <= 0.2
    # Esc is silence.
    page.get_by_role("button", name="Talk").click()
    page.wait_for_timeout(700)
    room.say(say(QUESTION))
    page.get_by_role("button", name="Send what I said").click()
    until(room.loud, 30)
    page.locator("#question").press("Escape")
    page.wait_for_timeout(600)
    assert not room.loud()


def test_without_leave_it_says_so(visitor):
    page = visitor.page
    page.get_by_role("button", name="Talk").click()
    expect(page.get_by_role("alert").filter(has_text=re.compile("microphone"))).to_be_visible()
    expect(page.get_by_role("button", name="Talk")).to_have_attribute("aria-pressed", "false")
