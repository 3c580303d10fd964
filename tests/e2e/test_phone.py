"""A phone in a network of its own, over real TLS: paired, chatting, cut off, offline, revoked.

Chromium with a phone's screen and touch, in a namespace of Linux (root; skipped elsewhere).
"""

import json
import re

import pytest
from browsing import Visitor, chromium
from e2e.household import HOST, Cable, Phone, closing, needed, patience, trust
from playwright.sync_api import Error, expect
from running import RunningDaemon

SLOW = " ".join(f"word{n}" for n in range(60))
AT_ONCE_MS = 1_000
SEEN = """(text) => new Promise((resolve) => {
    const look = () => document.body.innerText.includes(text) && (watcher.disconnect(), resolve(Date.now()));
    const watcher = new MutationObserver(look);
    watcher.observe(document.body, { subtree: true, childList: true, characterData: true });
    setTimeout(() => resolve(null), 10_000);
    look();
})"""
WORKER = """() => Promise.race([
    navigator.serviceWorker.ready.then(() => true), new Promise((resolve) => setTimeout(resolve, 10_000)),
])"""


@pytest.fixture
def home(tmp_path):
    """A daemon that answers slowly, a cable to the phone, a browser here with the owner's page open."""
    needed()
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": [], "word_pause_s": 0.08}))
    with Cable() as cable, chromium() as browser, patience(tmp_path / "phone", 75):
        daemon = RunningDaemon(tmp_path / "home", model=f"fake:{script}").up()
        try:
            with closing(Visitor(browser, daemon.url)) as pc:
                pc.connect(daemon.token)
                yield daemon, cable, browser.browser_type, pc
        finally:
            ended = daemon.stop()
        assert (pc.problems, pc.foreign, ended) == ([], [], 0)


def test_a_phone_at_home(home, tmp_path, figure):
    daemon, cable, kind, pc = home
    folder = tmp_path / "phone"
    opened = daemon.api.post(
        "/api/v1/pair",
        json={"interface": cable.here, "scopes": ["chat", "memory.read", "memory.write"]},
    ).json()
    url, _, fragment = opened["url"].partition("/#")
    assert url.startswith(f"https://{HOST}:")

    # The phone does not know the certificate and stops; its owner goes on past the warning.
    with (
        closing(Phone(kind, cable, folder, url)) as phone,
        pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"),
    ):
        phone.go()
    with closing(Phone(kind, cable, folder, url, ignore_https_errors=True)) as phone:
        pairs(phone, pc, fragment)
        authority = saved(phone)
    assert authority == daemon.api.get("/api/v1/pair/authority").json()["authority"]

    # With our authority installed it is an app like any other, and still knows who it is.
    trust(folder, authority)
    with closing(Phone(kind, cable, folder, url)) as phone:
        phone.go()
        expect(phone.page.get_by_text("No chats yet")).to_be_visible()
        assert phone.page.evaluate("isSecureContext")
        assert phone.page.evaluate(WORKER), "no service worker"
        session = phone.context.new_cdp_session(phone.page)
        assert session.send("Page.getInstallabilityErrors")["installabilityErrors"] == []

        at_once(figure, "a chat begun on the PC is on the phone after", appears(pc, phone))
        survives_a_cut(cable, pc, phone)
        opens_without_the_computer(cable, phone)
        at_once(figure, "a revoked phone is out after", revoked(daemon, pc, phone))
        assert phone.foreign == []


def at_once(figure, what, took):
    figure(what, f"{took:.0f} ms", f"{AT_ONCE_MS:,} ms")
    assert took <= AT_ONCE_MS


def pairs(phone, pc, fragment):
    """The phone scanned the code; both screens show the same and the owner says yes."""
    phone.go(f"#{fragment}")
    pc.go("#/devices")
    phone.page.get_by_label("Name").fill("My phone")
    phone.page.get_by_role("button", name="Connect").tap()
    shown = phone.page.locator(".check-characters").inner_text(timeout=5_000)
    expect(pc.page.locator(".check-characters")).to_have_text(shown)
    pc.page.get_by_role("button", name="Yes, let it in").click()
    expect(phone.page.get_by_text("No chats yet")).to_be_visible()


def saved(phone):
    """The authority that the page saves."""
    phone.go("#/settings")
    with phone.page.expect_download() as download:
        phone.page.get_by_role("button", name="Save the certificate").tap()
    assert download.value.suggested_filename == "nestor.crt"
    return download.value.path().read_text()


def shows(page, text):
    """Watch for a text from now on; what is returned waits for it and says when it came."""
    page.evaluate(f"() => {{ globalThis.seen = ({SEEN})({json.dumps(text)}); }}")

    def when():
        found = page.evaluate("globalThis.seen")
        assert found is not None, f"{text!r} never came: {page.inner_text('body')[:500]}"
        return found

    return when


def appears(pc, phone):
    """Milliseconds from Enter on the PC to the chat in the phone's list."""
    pc.go("#/new")
    pc.page.locator("#question").fill(SLOW)
    when = shows(phone.page, "word0 word1")
    began = pc.page.evaluate("Date.now()")
    pc.page.locator("#question").press("Enter")
    return when() - began


def survives_a_cut(cable, pc, phone):
    """In the middle of an answer that the PC asked for; no word is lost or comes twice."""
    phone.page.get_by_role("link", name=re.compile("^word0")).first.tap()
    expect(phone.answer()).to_contain_text("word3 ")
    expect(phone.answer()).to_have_attribute("data-status", "running")
    cable.cut()
    expect(phone.page.locator(".banner")).to_contain_text("Nestor cannot be reached.")
    cable.mend()
    expect(phone.page.locator(".banner")).to_have_count(0)
    assert phone.done() == pc.done() == SLOW
    phone.ask("from the phone")
    assert phone.done() == "from the phone"
    expect(pc.page.locator(".said").last).to_contain_text("from the phone")


def opens_without_the_computer(cable, phone):
    cable.cut()
    phone.page.reload()
    expect(phone.page.get_by_text("Nestor cannot be reached.").first).to_be_visible()
    phone.page.locator("#question").fill("written on the way home")
    cable.mend()
    expect(phone.page.get_by_text("Nestor cannot be reached.")).to_have_count(0)
    expect(phone.page.locator("#question")).to_have_value("written on the way home")


def revoked(daemon, pc, phone):
    """Milliseconds from the owner's word to the phone's first screen."""
    pc.go("#/devices")
    card = pc.page.locator(".card", has_text="My phone").filter(has_text="phone")
    card.get_by_role("button", name="Shut out").click()
    when = shows(phone.page, "Code or token")
    began = pc.page.evaluate("Date.now()")
    pc.page.get_by_role("dialog").get_by_role("button", name="Shut out").click()
    took = when() - began
    assert daemon.api.get("/api/v1/devices").json()["items"] == []
    return took
