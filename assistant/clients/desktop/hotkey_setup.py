"""Setting a hotkey: nothing is called working before real keys went down and came up again.

That a desktop takes a registration proves nothing: some answer yes and never tell (see hotkeys.py).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping

import msgspec

from assistant.clients.desktop import bindings
from assistant.clients.desktop.hotkeys import Combination, Hotkeys, Press, check, chosen
from assistant.clients.desktop.proofs import Proof, Proofs
from assistant.config import Paths, load_settings, write_setting
from assistant.errors import HotkeyNotHeard, HotkeyRefused
from assistant.types import now

WAIT_S = 20.0
"""For somebody to press it."""
_FCITX = ("ctrl+space", "super+space")
_IBUS = ("super+space", "shift+super+space", "ctrl+space")
_SWITCHES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "win32": {"Windows": ("super+space", "ctrl+space", "ctrl+shift+space")},
    "darwin": {"macOS": ("ctrl+space", "ctrl+alt+space", "ctrl+super+space", "super+space")},
}
"""What switches languages, or opens the system's own search."""


class Tried(msgspec.Struct, frozen=True):
    """A hotkey that was heard. `held_s` is how long it was down."""

    action: str
    keys: str
    backend: str
    held_s: float


def refuse_conflicts(
    action: str,
    one: Combination,
    wanted: Mapping[str, str],
    environ: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
) -> None:
    """Raise HotkeyRefused if it types, is another hotkey of ours, or an input method needs it."""
    check(one, platform)
    chosen({**wanted, action: str(one)}, platform)
    for name, taken in _input_methods(environ, platform).items():
        if str(one) in taken:
            raise HotkeyRefused(
                f"{name} uses {one} to switch languages or to search.",
                "Choose another one, or change it there first.",
            )


def _input_methods(environ: Mapping[str, str], platform: str) -> Mapping[str, tuple[str, ...]]:
    """Input methods that are in use here, with the keys they come with."""
    if platform in _SWITCHES:
        return _SWITCHES[platform]
    names = ("GTK_IM_MODULE", "QT_IM_MODULE", "XMODIFIERS", "INPUT_METHOD", "SDL_IM_MODULE")
    said = " ".join(environ.get(name, "") for name in names).lower()
    known = {"fcitx": _FCITX, "ibus": _IBUS, "uim": ("shift+super+space",), "scim": ("ctrl+space",)}
    return {name: keys for name, keys in known.items() if name in said}


async def hear(
    hotkeys: Hotkeys,
    action: str,
    one: Combination,
    ready: Callable[[], object],
    wait_s: float,
) -> Tried:
    """Wait for a real press and release; `ready` is called once it can be pressed.

    Raises HotkeyRefused if another program has it, HotkeyNotHeard, and what a backend raises.
    """
    loop = asyncio.get_running_loop()
    down, up = loop.create_future(), loop.create_future()

    def heard(press: Press) -> None:
        loop.call_soon_threadsafe(_settle, down if press.down else up, press.at)

    try:
        refused = await hotkeys.start({action: one}, heard)
        if action in refused:
            raise HotkeyRefused(refused[action])
        ready()
        pressed = await _within(wait_s, down, f"{one} was not heard within {wait_s:.0f} s.")
        released = await _within(
            wait_s, up, f"{one} was heard going down, but not coming up: it cannot be used to talk."
        )
    finally:
        await hotkeys.stop()
    return Tried(action, str(one), hotkeys.name, released - pressed)


def _settle(future: asyncio.Future[float], at: float) -> None:
    if not future.done():
        future.set_result(at)


async def _within(seconds: float, future: asyncio.Future[float], otherwise: str) -> float:
    try:
        return await asyncio.wait_for(future, seconds)
    except TimeoutError as exc:
        raise HotkeyNotHeard(f"{otherwise} Nothing was changed.") from exc


class Setup:
    """`nestor hotkey set` and `test`. While a key is tried, `let_go` has the program on the desktop release
    its own, and `take_back` has it listen to what the settings say then.
    """

    def __init__(
        self,
        paths: Paths,
        let_go: Callable[[], object] = lambda: None,
        take_back: Callable[[], object] = lambda: None,
        made: Callable[[], Hotkeys] = bindings.backend,
        wait_s: float = WAIT_S,
    ) -> None:
        self._paths = paths
        self._let_go = let_go
        self._take_back = take_back
        self._made = made
        self._wait_s = wait_s

    def set(self, action: str, text: str, ready: Callable[[Combination], object]) -> Tried | None:
        """Try it, then write it down. None: it was switched off, so there was nothing to hear."""
        if text == "off":
            write_setting(self._paths, f"hotkey_{action}", text)
            self._take_back()
            return None
        return self._tried(action, self.combination(action, text), ready, text)

    def test(self, action: str, ready: Callable[[Combination], object]) -> Tried:
        """Try the one that is set."""
        text = bindings.wanted(load_settings(self._paths))[action]
        if text == "off":
            raise HotkeyRefused(
                "This hotkey is switched off.", f"`nestor hotkey set {action} auto`"
            )
        return self._tried(action, self.combination(action, text), ready)

    def combination(self, action: str, text: str) -> Combination:
        """What a text means for an action. Raises HotkeyRefused as `refuse_conflicts` does."""
        others = bindings.wanted(load_settings(self._paths))
        one = chosen({action: text})[action]
        refuse_conflicts(action, one, others)
        return one

    def _tried(
        self,
        action: str,
        one: Combination,
        ready: Callable[[Combination], object],
        keep: str | None = None,
    ) -> Tried:
        self._let_go()
        try:
            hotkeys = self._made()
            tried = asyncio.run(hear(hotkeys, action, one, lambda: ready(one), self._wait_s))
            Proofs(self._paths).add(action, Proof(tried.keys, tried.backend, now()))
            if keep is not None:
                write_setting(self._paths, f"hotkey_{action}", keep)
        finally:
            self._take_back()
        return tried
