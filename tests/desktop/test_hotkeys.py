"""What may be a hotkey, and how keys become presses. No display is needed."""

import pytest

from assistant.clients.desktop.hotkeys import ACTIONS, Combination, Tracker, check, chosen, parse
from assistant.errors import HotkeyRefused


@pytest.mark.parametrize(
    ("text", "told"),
    [("ctrl+alt+space", "ctrl+alt+space"), ("Alt + Control + Spacebar", "ctrl+alt+space"),
     ("cmd+shift+K", "shift+super+k"), ("F9", "f9"), ("super+é", "super+é")],
)  # fmt: skip
def test_a_combination_is_read_and_written_one_way(text, told):
    assert str(parse(text)) == told
    assert parse(told) == parse(text)


@pytest.mark.parametrize("text", ["", "ctrl", "ctrl+", "a+b", "ctrl+ctrl+a", "ctrl+hyper", "f25"])
def test_what_is_no_combination_is_refused(text):
    with pytest.raises(HotkeyRefused) as caught:
        parse(text)
    assert "`" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "platform"),
    [("a", "linux"), ("shift+a", "linux"), ("space", "linux"), ("é", "linux"), ("enter", "linux"),
     ("shift+home", "linux"), ("ctrl+alt+e", "win32"), ("ctrl+alt+shift+e", "win32"),
     ("ctrl+alt+space", "win32"), ("alt+l", "darwin")],
)  # fmt: skip
def test_a_key_that_types_is_refused(text, platform):
    with pytest.raises(HotkeyRefused):
        check(parse(text), platform)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_no_default_types_and_none_is_there_twice(platform):
    found = chosen(dict.fromkeys(ACTIONS, "auto"), platform)
    assert set(found) == set(ACTIONS)
    assert len(set(found.values())) == len(ACTIONS)
    for one in found.values():
        check(one, platform)


def test_off_is_none_and_the_same_twice_is_refused():
    assert chosen({"ask": "off", "talk": "f9"}) == {"talk": Combination((), "f9")}
    with pytest.raises(HotkeyRefused, match="`ask` and of `talk`"):
        chosen({"ask": "ctrl+f9", "talk": "ctrl+F9"})


@pytest.fixture
def told():
    return []


@pytest.fixture
def tracker(told):
    wanted = {"ask": parse("ctrl+alt+space"), "talk": parse("ctrl+alt+shift+space")}
    return Tracker(wanted, lambda press: told.append((press.action, press.down)))


def play(tracker, keys):
    for key in keys.split():
        getattr(tracker, {"+": "down", "-": "up"}[key[0]])(key[1:])


def test_a_press_and_its_release(tracker, told):
    play(tracker, "+ctrl +alt +space -space -alt -ctrl")
    assert told == [("ask", True), ("ask", False)]
    assert (tracker.last.action, tracker.last.down) == ("ask", False)


def test_repeats_of_a_held_key_are_one_press(tracker, told):
    play(tracker, "+ctrl +alt +space +space +space -space")
    assert told == [("ask", True), ("ask", False)]


def test_the_modifier_let_go_first_is_a_release(tracker, told):
    play(tracker, "+ctrl +alt +space -ctrl -space")
    assert told == [("ask", True), ("ask", False)]


def test_more_modifiers_are_another_hotkey_and_fewer_none(tracker, told):
    play(tracker, "+ctrl +space -space +alt +shift +space -space")
    assert told == [("talk", True), ("talk", False)]


def test_a_modifier_after_the_key_is_no_press(tracker, told):
    play(tracker, "+space +ctrl +alt -space")
    assert told == []


def test_what_is_held_when_the_backend_ends_is_released(tracker, told):
    play(tracker, "+ctrl +alt +space")
    tracker.let_go()
    assert told == [("ask", True), ("ask", False)]
