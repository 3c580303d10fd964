"""The page with a real model, and its pictures for the README.

NESTOR_PICTURES=<folder> keeps the pictures; the README's are in tests/e2e/pictures.
"""

import os
import re
import shutil
from pathlib import Path

import pytest
from browsing import PHONE, Visitor, chromium, until
from playwright.sync_api import expect
from running import RunningDaemon

README = Path(__file__).parents[2] / "README.md"
QUESTION = "Where does my sister live, and what does she like?"
LONG = "Write a short story about a lighthouse keeper who finds a letter."
MEMORIES = (
    "My sister Ana lives in Lyon and loves tulips",
    "The dentist is on Thursday at nine",
    "I take my tea without sugar",
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, starter_model):
    running = RunningDaemon(tmp_path_factory.mktemp("web") / "home", model="starter").up()
    for text in MEMORIES:
        running.api.post("/api/v1/memories", json={"text": text, "source": "phone"})
    yield running
    assert running.stop() == 0


@pytest.mark.model
def test_the_page_with_a_real_model_and_its_pictures(daemon, tmp_path):
    with chromium() as browser:
        pc = Visitor(browser, daemon.url, color_scheme="light").connect(daemon.token)
        pc.ask(QUESTION)
        assert "Lyon" in pc.done()
        pictures = [shot(pc, tmp_path, "desktop-light")]
        pc.page.get_by_role("button", name="Receipt").click()
        expect(pc.page.get_by_role("dialog")).to_contain_text("starter")
        expect(pc.page.get_by_role("dialog")).to_contain_text("Ana")
        pictures.append(shot(pc, tmp_path, "receipt-light"))
        pc.page.keyboard.press("Escape")

        phone = Visitor(browser, daemon.url, color_scheme="dark", **PHONE).connect(daemon.token)
        pictures.append(shot(phone, tmp_path, "phone-list-dark"))
        pc.go("#/new").ask(LONG)
        phone.page.get_by_role("link", name=re.compile("^Write a short")).tap()
        expect(phone.answer()).to_have_attribute("data-status", "running")
        until(lambda: len(phone.answer().inner_text()) > 80, 60)
        pictures.append(shot(phone, tmp_path, "phone-chat-dark"))
        phone.page.reload()
        assert phone.done() == pc.done()

        dark = Visitor(browser, daemon.url, color_scheme="dark").connect(daemon.token)
        dark.go("#/memory").page.get_by_text("Ana").wait_for()
        pictures.append(shot(dark, tmp_path, "memory-dark"))
        dark.go().page.get_by_role("link", name=re.compile("^Where does my sister")).click()
        assert "Lyon" in dark.done()
        pictures.append(shot(dark, tmp_path, "desktop-dark"))
        light = Visitor(browser, daemon.url, color_scheme="light", **PHONE).connect(daemon.token)
        light.page.get_by_role("link", name=re.compile("^Where does my sister")).tap()
        assert "Lyon" in light.done()
        pictures.append(shot(light, tmp_path, "phone-chat-light"))
        assert (pc.problems, phone.problems, dark.problems) == ([], [], [])
        assert (pc.foreign, phone.foreign, dark.foreign) == ([], [], [])
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert 8_000 < picture.stat().st_size < 150_000
    shown = re.findall(r"tests/e2e/pictures/([\w-]+\.png)", README.read_text("utf-8"))
    assert sorted(shown) == sorted(one.name for one in pictures), "the tour shows what is made here"
    if folder := os.environ.get("NESTOR_PICTURES"):
        for picture in pictures:
            shutil.copy(picture, Path(folder) / picture.name)


def shot(visitor, folder, name):
    visitor.page.wait_for_timeout(200)
    path = folder / f"{name}.png"
    visitor.page.screenshot(path=path, animations="disabled", scale="css")
    return path
