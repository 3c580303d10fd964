"""Hotkeys by the GlobalShortcuts portal, against its protocol on a real private bus."""

import shutil

import pytest

pytest.importorskip("dbus_fast", reason="dbus-fast is not installed")

from desktop.portal import portal, private_bus

from assistant.clients.desktop import shortcuts_portal, theme
from assistant.clients.desktop.hotkeys import parse
from assistant.clients.desktop.shortcuts_portal import PortalHotkeys, trigger
from assistant.errors import HotkeysUnavailable

pytestmark = pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="there is no dbus-daemon")
WANTED = {"ask": parse("ctrl+alt+space"), "talk": parse("super+f9")}


@pytest.fixture(scope="module")
def address():
    with private_bus() as found:
        yield found


@pytest.fixture
async def desk(address):
    async with portal(address) as made:
        yield made


@pytest.fixture
async def keys(address):
    made = PortalHotkeys(lambda: made.ended.append(True), address)
    made.ended, made.heard = [], []
    yield made
    await made.stop()


def told(keys):
    return [(press.action, press.down) for press in keys.heard]


@pytest.mark.parametrize(
    ("text", "written"),
    [("ctrl+alt+space", "CTRL+ALT+space"), ("super+shift+k", "SHIFT+LOGO+k"), ("f9", "F9"),
     ("ctrl+enter", "CTRL+Return"), ("ctrl+page_up", "CTRL+Prior")],
)  # fmt: skip
def test_a_combination_in_the_portals_words(text, written):
    assert trigger(parse(text)) == written


async def test_keys_are_bound_and_heard_down_and_up(desk, keys):
    assert await keys.start(WANTED, keys.heard.append) == {}
    assert desk.asked == {"ask": "CTRL+ALT+space", "talk": "LOGO+F9"}
    assert keys.triggers["ask"] == "Press CTRL+ALT+space"
    assert keys.last_event() is None
    await desk.key("Activated", "talk")
    await desk.key("Activated", "talk")  # the key repeats
    await desk.key("Deactivated", "talk")
    assert told(keys) == [("talk", True), ("talk", False)]
    assert keys.last_event().down is False


async def test_a_key_of_another_programs_session_is_not_ours(desk, keys):
    await keys.start(WANTED, keys.heard.append)
    await desk.key("Activated", "ask", session=desk.session + "x")
    assert told(keys) == []


async def test_a_key_the_desktop_did_not_give_is_said(desk, keys):
    desk.keys = {"talk": ""}
    refused = await keys.start(WANTED, keys.heard.append)
    assert list(refused) == ["talk"]


async def test_a_user_who_declines_is_believed(desk, keys):
    desk.consent = 1
    with pytest.raises(HotkeysUnavailable, match="declined"):
        await keys.start(WANTED, keys.heard.append)


async def test_a_desktop_that_never_answers_is_given_up(desk, keys, monkeypatch):
    monkeypatch.setattr(shortcuts_portal, "ANSWER_S", 0.3)
    desk.silent = True
    with pytest.raises(HotkeysUnavailable, match="did not answer"):
        await keys.start(WANTED, keys.heard.append)


async def test_no_portal_is_said_with_what_to_do(keys):
    with pytest.raises(HotkeysUnavailable) as caught:
        await keys.start(WANTED, keys.heard.append)
    assert "no portal" in caught.value.message
    assert "nestor ask toggle" in caught.value.hint


async def test_no_bus_is_said():
    keys = PortalHotkeys(address="unix:path=/nowhere/bus")
    with pytest.raises(HotkeysUnavailable, match="session bus"):
        await keys.start(WANTED, print)


async def test_stopping_gives_the_keys_back(desk, keys):
    await keys.start(WANTED, keys.heard.append)
    await desk.key("Activated", "talk")
    await keys.stop()
    assert told(keys) == [("talk", True), ("talk", False)]
    assert desk.closed


async def test_a_session_that_the_desktop_ends_is_heard_of(desk, keys):
    await keys.start(WANTED, keys.heard.append)
    await desk.key("Activated", "talk")
    await desk.end()
    assert told(keys) == [("talk", True), ("talk", False)]
    assert keys.ended == [True]


# --- the same bus tells whether the desktop is dark ------------------------------------------


@pytest.mark.parametrize(("scheme", "dark"), [(0, False), (1, True), (2, False)])
async def test_the_desktop_says_whether_it_is_dark(desk, address, scheme, dark):
    desk.scheme = scheme
    assert await theme._portal(address) is dark


def test_a_desktop_that_does_not_say_is_light(monkeypatch):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
    assert theme.palette("auto") == theme.LIGHT
