"""A menu on the bus: com.canonical.dbusmenu, as panels draw it.

https://github.com/AyatanaIndicators/libdbusmenu/blob/master/libdbusmenu-glib/dbus-menu.xml
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from assistant.clients.desktop.bus import Bus, Method
from assistant.clients.desktop.menu import Entry

PATH = "/MenuBar"
INTERFACE = "com.canonical.dbusmenu"
KEPT = 512
"""Entries whose number stays known after they left the menu: a click may be on its way."""


class DbusMenu:
    """Shows the entries that were set last. `clicked` gets the entry the user saw, not what is there now.

    `opening` is called when a panel is about to show it.
    """

    interface = INTERFACE

    def __init__(
        self, bus: Bus, clicked: Callable[[Entry], None], opening: Callable[[], None]
    ) -> None:
        self._bus, self._clicked, self._opening = bus, clicked, opening
        self._revision = 1
        self._entries: tuple[Entry, ...] = ()
        self._numbers: dict[bytes, int] = {}
        self._seen: OrderedDict[int, Entry] = OrderedDict()
        self._next = 1

    def start(self) -> None:
        """Answer for it."""
        self._bus.serve(PATH, self)

    def set(self, entries: Sequence[Entry]) -> None:
        """Show these from now on."""
        if tuple(entries) == self._entries:
            return
        self._entries = tuple(entries)
        self._revision += 1
        self._bus.emit(PATH, INTERFACE, "LayoutUpdated", "ui", self._revision, 0)

    # --- as panels see it ----------------------------------------------------------------

    def properties(self) -> dict[str, tuple[str, Any]]:
        """See `Face`."""
        return {
            "Version": ("u", 3), "TextDirection": ("s", "ltr"), "Status": ("s", "normal"),
            "IconThemePath": ("as", []),
        }  # fmt: skip

    def methods(self) -> Mapping[str, tuple[str, Method]]:
        """See `Face`."""
        return {
            "GetLayout": ("u(ia{sv}av)", self._layout),
            "GetGroupProperties": ("a(ia{sv})", self._group),
            "GetProperty": ("v", self._property),
            "Event": ("", self._event),
            "EventGroup": ("ai", self._events),
            "AboutToShow": ("b", self._about),
            "AboutToShowGroup": ("aiai", lambda _numbers: [[], []]),
        }

    def _layout(self, parent: int, depth: int, _names: list[str]) -> list[Any]:
        entry = Entry(children=self._entries) if parent == 0 else self._seen[parent]
        return [self._revision, self._node(parent, entry, depth)]

    def _node(self, number: int, entry: Entry, depth: int) -> list[Any]:
        from dbus_fast import Variant

        children = [] if depth == 0 else self._children(number, entry)
        inner = [Variant("(ia{sv}av)", self._node(n, one, depth - 1)) for n, one in children]
        return [number, self._shown(entry), inner]

    def _children(self, parent: int, entry: Entry) -> list[tuple[int, Entry]]:
        """With their numbers: the same for the same entry in the same place, and no two the same."""
        before: Counter[bytes] = Counter()
        numbered = []
        for one in entry.children:
            key = msgspec.msgpack.encode((parent, one))
            before[key] += 1
            numbered.append((self._number(key + bytes((before[key] % 256,)), one), one))
        return numbered

    def _number(self, key: bytes, entry: Entry) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._next
            self._next += 1
        self._seen[number] = entry
        self._seen.move_to_end(number)
        if len(self._seen) > KEPT:
            oldest, _ = self._seen.popitem(last=False)
            self._numbers = {k: n for k, n in self._numbers.items() if n != oldest}
        return number

    def _shown(self, entry: Entry) -> dict[str, Any]:
        from dbus_fast import Variant

        if entry.kind == "separator":
            return {"type": Variant("s", "separator")}
        told = {"enabled": Variant("b", entry.enabled), "visible": Variant("b", True)}
        if entry.label:
            # An underscore marks the next letter as the entry's key, and two of them are one.
            told["label"] = Variant("s", entry.label.replace("_", "__"))
        if entry.children:
            told["children-display"] = Variant("s", "submenu")
        if entry.checked is not None:
            told["toggle-type"] = Variant("s", "checkmark")
            told["toggle-state"] = Variant("i", int(entry.checked))
        return told

    def _group(self, numbers: list[int], _names: list[str]) -> list[Any]:
        wanted = [n for n in numbers if n in self._seen] if numbers else list(self._seen)
        return [[[n, self._shown(self._seen[n])] for n in wanted]]

    def _property(self, number: int, name: str) -> list[Any]:
        return [self._shown(self._seen[number])[name]]

    def _about(self, number: int) -> list[Any]:
        """What is read now comes as a change of what is shown at once."""
        if number == 0:
            self._opening()
        return [False]

    def _event(self, number: int, event: str, _data: Any, _time: int) -> list[Any]:
        entry = self._seen.get(number)
        if event == "opened" and number == 0:
            self._opening()
        if event == "clicked" and entry is not None and entry.enabled and entry.action:
            self._clicked(entry)
        return []

    def _events(self, events: list[list[Any]]) -> list[Any]:
        for one in events:
            self._event(*one)
        return [[one[0] for one in events if one[0] not in self._seen]]
