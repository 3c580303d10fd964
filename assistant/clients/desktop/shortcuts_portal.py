"""Hotkeys under Wayland: the desktop's GlobalShortcuts portal, which hears keys for programs that ask.

https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.GlobalShortcuts.html
The desktop asks the user, may choose other keys than ours, and says which; it reports presses and releases.
GNOME from 48, KDE from 5.27 and Hyprland have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from assistant.clients.desktop.hotkeys import Combination, Hear, Heard, Press
from assistant.errors import ExtraMissing, HotkeysUnavailable
from assistant.types import new_id

ANSWER_S = 5.0
"""For the portal itself."""
CONSENT_S = 120.0
"""For the user, whom the desktop may ask."""

_PORTAL = "org.freedesktop.portal.Desktop"
_PATH = "/org/freedesktop/portal/desktop"
_SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"
_REQUEST = "org.freedesktop.portal.Request"
_SESSION = "org.freedesktop.portal.Session"
_APP = "org.nestor.Nestor"
_WORDS = {
    "ask": "Ask Nestor",
    "talk": "Talk to Nestor (hold)",
    "write": "Write For Me",
    "remember": "Remember this",
}
_MODIFIERS = {"ctrl": "CTRL", "alt": "ALT", "shift": "SHIFT", "super": "LOGO"}
_KEYSYMS = {
    "enter": "Return", "esc": "Escape", "backspace": "BackSpace", "page_up": "Prior",
    "page_down": "Next", "print_screen": "Print", "scroll_lock": "Scroll_Lock",
    "media_play_pause": "XF86AudioPlay", "media_next": "XF86AudioNext",
    "media_previous": "XF86AudioPrev", "tab": "Tab", "delete": "Delete", "insert": "Insert",
    "home": "Home", "end": "End", "up": "Up", "down": "Down", "left": "Left", "right": "Right",
    "pause": "Pause", "menu": "Menu",
}  # fmt: skip


class PortalHotkeys:
    """See the module. `lost` is called if the portal ends the session."""

    name = "GlobalShortcuts portal"

    def __init__(self, lost: Callable[[], None] = lambda: None, address: str | None = None) -> None:
        self._lost = lost
        self._address = address
        self._bus: Any = None
        self._session = ""
        self._hear: Hear = lambda press: None
        self._down: set[str] = set()
        self._requests: dict[str, asyncio.Future[tuple[int, dict[str, Any]]]] = {}
        self._last: Heard | None = None
        self.triggers: dict[str, str] = {}
        """The keys that the desktop really gave, in its own words."""

    async def start(self, wanted: Mapping[str, Combination], hear: Hear) -> dict[str, str]:
        """See `Hotkeys.start`. May wait for the user, whom the desktop asks."""
        self._hear = hear
        self._bus = await _connect(self._address)
        self._bus.add_message_handler(self._signal)
        try:
            return await self._bind(wanted)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """See `Hotkeys.stop`."""
        bus, self._bus = self._bus, None
        if bus is None:
            return
        self._let_go()
        if self._session:
            with contextlib.suppress(HotkeysUnavailable):
                await self._call(bus, self._session, _SESSION, "Close")
            self._session = ""
        bus.disconnect()
        with contextlib.suppress(Exception):  # how the connection ended does not matter
            await bus.wait_for_disconnect()

    def last_event(self) -> Heard | None:
        """See `Hotkeys.last_event`."""
        return self._last

    # --- asking the portal ---------------------------------------------------------------

    async def _bind(self, wanted: Mapping[str, Combination]) -> dict[str, str]:
        from dbus_fast import Variant

        bus = self._bus
        for rule in (
            f"interface='{_REQUEST}'",
            f"interface='{_SHORTCUTS}'",
            f"interface='{_SESSION}'",
        ):
            await self._call(
                bus, "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
                "s", [f"type='signal',{rule}"], to="org.freedesktop.DBus",
            )  # fmt: skip
        with contextlib.suppress(HotkeysUnavailable):  # older portals do not want to be told
            await self._call(
                bus, _PATH, "org.freedesktop.host.portal.Registry", "Register", "sa{sv}", [_APP, {}]
            )
        session = {"session_handle_token": Variant("s", new_id("nestor"))}
        made = await self._request("CreateSession", "a{sv}", [], session, ANSWER_S)
        self._session = str(made["session_handle"].value)
        shortcuts = [
            [
                action,
                {
                    "description": Variant("s", _WORDS.get(action, action)),
                    "preferred_trigger": Variant("s", trigger(one)),
                },
            ]
            for action, one in wanted.items()
        ]
        bound = await self._request(
            "BindShortcuts", "oa(sa{sv})sa{sv}", [self._session, shortcuts, ""], {}, CONSENT_S
        )
        self.triggers = _triggers(bound)
        return {
            action: "The desktop gave no key for it; its settings have a place for one."
            for action in wanted
            if not self.triggers.get(action)
        }

    async def _request(
        self, member: str, signature: str, body: list[Any], options: dict[str, Any], wait_s: float
    ) -> dict[str, Any]:
        """Call a method that answers by a Response signal. Raises HotkeysUnavailable."""
        from dbus_fast import Variant

        token = new_id("nestor")
        sender = self._bus.unique_name.removeprefix(":").replace(".", "_")
        # The address of the answer is known before the call, so that it cannot be missed.
        path = f"{_PATH}/request/{sender}/{token}"
        answer: asyncio.Future[tuple[int, dict[str, Any]]]
        answer = self._requests[path] = asyncio.get_running_loop().create_future()
        options = {**options, "handle_token": Variant("s", token)}
        try:
            await self._call(self._bus, _PATH, _SHORTCUTS, member, signature, [*body, options])
            code, results = await asyncio.wait_for(answer, wait_s)
        except TimeoutError as exc:
            raise HotkeysUnavailable("The desktop did not answer the request for hotkeys.") from exc
        finally:
            del self._requests[path]
        if code:
            raise HotkeysUnavailable(
                "You or the desktop declined the hotkeys." if code == 1 else "",
                "Start it again to be asked again, or bind `nestor ask toggle` to a key in your"
                " desktop's settings.",
            )
        return results

    async def _call(
        self,
        bus: Any,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: list[Any] | None = None,
        to: str = _PORTAL,
    ) -> list[Any]:
        from dbus_fast import Message, MessageType

        message = Message(
            destination=to, path=path, interface=interface, member=member, signature=signature,
            body=body or [],
        )  # fmt: skip
        try:
            answer = await asyncio.wait_for(bus.call(message), ANSWER_S)
        except (TimeoutError, OSError, EOFError) as exc:
            raise HotkeysUnavailable("The desktop's portal did not answer.") from exc
        if answer is None or answer.message_type is MessageType.ERROR:
            raise HotkeysUnavailable("This desktop has no portal for hotkeys (GlobalShortcuts).")
        return list(answer.body)

    # --- hearing it ----------------------------------------------------------------------

    def _signal(self, message: Any) -> None:
        body = message.body
        match message.interface, message.member:
            case (interface, "Response") if interface == _REQUEST:
                waiting = self._requests.get(message.path)
                if waiting is not None and not waiting.done():
                    waiting.set_result((body[0], body[1]))
            case (interface, "Activated" | "Deactivated") if interface == _SHORTCUTS:
                if body[0] == self._session:
                    self._tell(body[1], down=message.member == "Activated")
            case (interface, "ShortcutsChanged") if interface == _SHORTCUTS:
                if body[0] == self._session:
                    self.triggers = _triggers({"shortcuts": _Value(body[1])})
            case (interface, "Closed") if interface == _SESSION and message.path == self._session:
                self._session = ""
                self._let_go()
                self._lost()

    def _tell(self, action: str, *, down: bool) -> None:
        """Repeats of a held key are no presses here either."""
        if down == (action in self._down):
            return
        (self._down.add if down else self._down.discard)(action)
        self._last = Heard(action, down, time.time())
        self._hear(Press(action, down, time.monotonic()))

    def _let_go(self) -> None:
        for action in list(self._down):
            self._tell(action, down=False)


class _Value:
    """What a Variant has, where the portal sends it bare."""

    def __init__(self, value: Any) -> None:
        self.value = value


def trigger(one: Combination) -> str:
    """A combination as the XDG shortcuts specification writes it: `CTRL+ALT+space`."""
    function_key = len(one.key) > 1 and one.key[1:].isdigit()
    key = _KEYSYMS.get(one.key, one.key.upper() if function_key else one.key)
    return "+".join([*(_MODIFIERS[name] for name in one.modifiers), key])


def _triggers(results: Mapping[str, Any]) -> dict[str, str]:
    rows = results["shortcuts"].value if "shortcuts" in results else []
    return {
        row[0]: str(row[1]["trigger_description"].value)
        for row in rows
        if "trigger_description" in row[1]
    }


async def _connect(address: str | None) -> Any:
    """The session bus. Raises ExtraMissing, or HotkeysUnavailable if there is none."""
    try:
        from dbus_fast.aio import MessageBus
    except ImportError as exc:
        raise ExtraMissing("dbus-fast is not installed, so there are no hotkeys.") from exc
    try:
        return await asyncio.wait_for(MessageBus(bus_address=address).connect(), ANSWER_S)
    except Exception as exc:
        raise HotkeysUnavailable(
            "There is no session bus, so the desktop cannot be asked for hotkeys."
        ) from exc
