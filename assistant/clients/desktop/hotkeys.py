"""Hotkeys: what a combination is, what may be one, and how keys going down and up become presses.

Pure, but for `Hotkeys`, which is what a backend offers. A backend says that a hotkey works only after
it has seen the keys go down and up again (hotkey_setup.py): registering one proves nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

from assistant.errors import HotkeyRefused

Modifier = Literal["ctrl", "alt", "shift", "super"]
MODIFIERS: tuple[Modifier, ...] = ("ctrl", "alt", "shift", "super")
_ALIASES = {
    "control": "ctrl", "option": "alt", "cmd": "super", "command": "super", "win": "super",
    "windows": "super", "meta": "super", "logo": "super", "return": "enter", "escape": "esc",
    "spacebar": "space", "pgup": "page_up", "pgdn": "page_down", "del": "delete", "ins": "insert",
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MOVES = _words(
    "enter tab esc backspace delete insert home end page_up page_down up down left right menu"
)
"""Keys that write nothing but that every text field needs, with Shift too."""
NAMED = (
    _MOVES
    | _words("space pause print_screen scroll_lock media_play_pause media_next media_previous")
    | {f"f{number}" for number in range(1, 25)}
)

ACTIONS = ("ask", "talk", "write", "remember")
"""What a hotkey can do: each is a setting `hotkey_<action>`."""


class Combination(msgspec.Struct, frozen=True):
    """Modifiers and one key that go down together. `key` is lower case: a character or of NAMED."""

    modifiers: tuple[Modifier, ...]
    key: str

    def __str__(self) -> str:
        return "+".join((*self.modifiers, self.key))


def parse(text: str) -> Combination:
    """`ctrl+alt+space` as a combination. Raises HotkeyRefused with what is wrong in it."""
    parts = [_ALIASES.get(p, p) for p in (part.strip().lower() for part in text.split("+"))]
    modifiers = tuple(name for name in MODIFIERS if name in parts)
    keys = [part for part in parts if part not in MODIFIERS]
    if len(keys) != 1 or len(parts) != len(set(parts)):
        raise HotkeyRefused(
            "A hotkey is one key with modifiers before it.", "Write it like `ctrl+alt+space`."
        )
    (key,) = keys
    if key not in NAMED and not (len(key) == 1 and key.isprintable() and key != " "):
        raise HotkeyRefused(
            "There is no key by that name.",
            "Use a letter, a digit, `f1` to `f24`, `space`, `enter`, `home` and the like.",
        )
    return Combination(modifiers, key)


def check(one: Combination, platform: str = sys.platform) -> None:
    """Raise HotkeyRefused for a combination that types, or that text fields need.

    On Windows Ctrl+Alt is AltGr: with it many layouts type (`€`, `@`, `µ`).
    """
    held = set(one.modifiers)
    types = len(one.key) == 1 or one.key == "space"
    if types and held <= {"shift"}:
        raise HotkeyRefused("This key types.", "Add Ctrl, Alt or Super to it.")
    if types and platform == "win32" and held in ({"ctrl", "alt"}, {"ctrl", "alt", "shift"}):
        raise HotkeyRefused(
            "On Windows, Ctrl+Alt is AltGr, and many keyboards type with it.",
            "Use a function key: `ctrl+shift+f8`.",
        )
    if types and platform == "darwin" and held in ({"alt"}, {"alt", "shift"}):
        raise HotkeyRefused("On a Mac, Option types with this key.", "Add Ctrl or Cmd to it.")
    if one.key in _MOVES and held <= {"shift"}:
        raise HotkeyRefused("Every text field needs this key.", "Add Ctrl, Alt or Super to it.")


_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "win32": {
        "ask": "ctrl+shift+f8",
        "talk": "ctrl+shift+f9",
        "write": "ctrl+shift+f10",
        "remember": "ctrl+shift+f11",
    },
    # Ctrl+Alt+Space switches languages there.
    "darwin": {
        "ask": "ctrl+alt+n",
        "talk": "ctrl+alt+enter",
        "write": "ctrl+alt+w",
        "remember": "ctrl+alt+r",
    },
    "": {
        "ask": "ctrl+alt+space",
        "talk": "ctrl+alt+enter",
        "write": "ctrl+alt+w",
        "remember": "ctrl+alt+r",
    },
}


def chosen(wanted: Mapping[str, str], platform: str = sys.platform) -> dict[str, Combination]:
    """The combinations of settings (action → text); `auto` is this platform's default, `off` none.

    Raises HotkeyRefused if one cannot be used, or two are the same.
    """
    defaults = _DEFAULTS.get(platform, _DEFAULTS[""])
    found: dict[str, Combination] = {}
    for action, text in wanted.items():
        if text == "off":
            continue
        one = parse(defaults[action] if text == "auto" else text)
        check(one, platform)
        for other, taken in found.items():
            if taken == one:
                raise HotkeyRefused(
                    f"{one} is the hotkey of `{other}` and of `{action}`.",
                    f"Choose another: `nestor hotkey set {action} …`.",
                )
        found[action] = one
    return found


class Press(msgspec.Struct, frozen=True):
    """A hotkey went down or up. `at` is of time.monotonic()."""

    action: str
    down: bool
    at: float


class Heard(msgspec.Struct, frozen=True):
    """The last real event of a backend, for `nestor doctor`. `when` is of time.time()."""

    action: str
    down: bool
    when: float


Hear = Callable[[Press], None]


class Hotkeys(Protocol):
    """A backend. `hear` is called from a thread of the backend's."""

    name: str

    async def start(self, wanted: Mapping[str, Combination], hear: Hear) -> dict[str, str]:
        """Listen. Answers which actions cannot be heard, with the reason.

        Raises HotkeysUnavailable, NoDisplay or ExtraMissing if nothing can be.
        """
        ...

    async def stop(self) -> None:
        """Listen no more, and let the keys go."""
        ...

    def last_event(self) -> Heard | None:
        """The latest press or release that was seen; None if none was."""
        ...


class Tracker:
    """Keys going down and up, as presses. Repeats of a key that is held are no presses."""

    def __init__(
        self,
        wanted: Mapping[str, Combination],
        hear: Hear,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = dict(wanted)
        self._hear = hear
        self._clock = clock
        self._held: set[str] = set()
        self._pressed: dict[str, Combination] = {}
        self.last: Heard | None = None

    def down(self, key: str) -> None:
        """A key went down, or repeats. Exactly the modifiers of a hotkey must be held."""
        if key in self._held:
            return
        self._held.add(key)
        modifiers = {name for name in MODIFIERS if name in self._held}
        for action, one in self._wanted.items():
            if action not in self._pressed and key == one.key and modifiers == set(one.modifiers):
                self._pressed[action] = one
                self._tell(action, down=True)

    def up(self, key: str) -> None:
        """A key went up. A hotkey is released with whichever of its keys goes first."""
        self._held.discard(key)
        for action, one in list(self._pressed.items()):
            if key == one.key or key in one.modifiers:
                del self._pressed[action]
                self._tell(action, down=False)

    def let_go(self) -> None:
        """Nothing can be heard any more: what is pressed counts as released."""
        for key in list(self._held):
            self.up(key)

    def _tell(self, action: str, *, down: bool) -> None:
        self.last = Heard(action, down, time.time())
        self._hear(Press(action, down, self._clock()))
