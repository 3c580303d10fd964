"""A real Chromium, the system's own, for tests of the web page."""

import contextlib
import os
import shutil
import socket
import threading
import time

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PHONE = {
    "viewport": {"width": 412, "height": 839}, "device_scale_factor": 2, "is_mobile": True,
    "has_touch": True,
}  # fmt: skip
DESKTOP = {"viewport": {"width": 1200, "height": 760}}


def executable() -> str:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found, "there is no Chromium here; `make test` names the package that has it"
    return found


class Cable:
    """Between a browser and a daemon: it can be cut. The browser still says the daemon's address."""

    def __init__(self, port: int):
        self.port = port
        self.whole = True
        self.ends: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        here = self.listener.getsockname()[1]
        self.arguments = (f"--host-resolver-rules=MAP localhost:{port} 127.0.0.1:{here}",)

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.cut()
        self.listener.close()

    def cut(self):
        self.whole = False
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends.clear()

    def mend(self):
        self.whole = True

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                if not self.whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.port))
                self.ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pour, args=(one, other), daemon=True).start()


def _pour(one, other):
    with contextlib.suppress(OSError):
        while piece := one.recv(65_536):
            other.sendall(piece)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def beside(browser: Browser, *arguments):
    """Another browser, with arguments of its own; Playwright itself runs once."""
    other = browser.browser_type.launch(
        executable_path=executable(), args=[*arguments, *_for_root()]
    )
    yield other
    other.close()


def _for_root():
    # Root has no sandbox of its own to give; what is visited here is our own page.
    return ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


@contextlib.contextmanager
def chromium():
    """A headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=_for_root())
        yield browser
        browser.close()


class Visitor:
    """One device: a browser context of its own, and everything that went wrong in it."""

    def __init__(self, browser: Browser, url: str, **options):
        self.context = browser.new_context(**({"locale": "en-GB"} | DESKTOP | options))
        self.context.set_default_timeout(10_000)
        self.page: Page = self.context.new_page()
        self.watch(url)

    def watch(self, url: str):
        """Note what goes wrong in the page, and whom it calls."""
        self.url = url
        self.problems: list[str] = []
        self.foreign: list[str] = []
        self.requests: list = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.page.on("console", self._said)
        self.context.on("request", self._asked)

    def _said(self, message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    def _asked(self, request):
        self.requests.append(request)
        if not request.url.startswith((self.url + "/", "blob:", "data:")):
            self.foreign.append(request.url)

    def go(self, path=""):
        self.page.goto(f"{self.url}/{path}")
        return self

    def connect(self, token):
        """Open the page and give it a token."""
        self.go()
        self.page.get_by_label("Code or token").fill(token)
        self.page.get_by_role("button", name="Connect").click()
        self.page.get_by_role("navigation").wait_for()
        return self

    def ask(self, text):
        field = self.page.locator("#question")
        field.fill(text)
        field.press("Enter")

    def answer(self):
        """The latest answer's place."""
        return self.page.locator(".answer").last

    def done(self):
        """Wait until the latest answer is complete; its text."""
        expect(self.page.locator('.answer[data-status="running"]')).to_have_count(0, timeout=60_000)
        # A page that was just opened may have drawn none when that was looked at.
        expect(self.answer()).to_have_attribute("data-status", "done", timeout=60_000)
        return self.answer().locator(".markdown").inner_text()

    def close(self):
        self.context.close()


def until(true, seconds=10.0):
    """Wait for something in this process; what it was."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running
