"""The icon's menu: pure, from what is known to its entries. What an entry does is an action's name."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

import msgspec

from assistant.clients.desktop.status import Seen

LABEL_CHARS = 60
CHATS = 5
DEVICES = 8
LATER = "comes with a later version"
WAKE_WORD = "Listen for the wake word"


class Entry(msgspec.Struct, frozen=True):
    """One line. `checked` None: not something to be checked."""

    label: str = ""
    """As shown: plain text, no accelerators. Empty with `kind` separator."""
    action: str = ""
    arguments: Mapping[str, Any] = {}
    enabled: bool = True
    checked: bool | None = None
    children: tuple[Entry, ...] = ()
    kind: Literal["entry", "separator"] = "entry"


SEPARATOR = Entry(kind="separator")


def entries(seen: Seen, actions: Collection[str], *, autostart: bool = False) -> tuple[Entry, ...]:
    """The whole menu. An entry whose action is not among `actions` is off, and says why."""
    return (
        Entry("Chat", "ask" if "ask" in actions else "open", {}),
        _talk(seen, actions),
        _wake_word(seen, actions),
        _later("Catch me up", "catch_up", actions),
        _later("Take notes", "notes", actions),
        *([Entry("Remember this", "remember")] if "remember" in actions else []),
        SEPARATOR,
        _recent(seen),
        Entry("Open the page", "open"),
        SEPARATOR,
        *_daemon(seen),
        Entry("Pause memory", "pause", enabled=seen.online, checked=seen.paused),
        _devices(seen),
        Entry("Settings", "open", {"place": "settings"}),
        Entry("Start with the session", "autostart", checked=autostart),
        SEPARATOR,
        Entry("Quit the icon", "quit"),
    )


def plain(text: str, most: int = LABEL_CHARS) -> str:
    """One line of what anybody may have written: no control characters, no marks that turn its direction."""
    kept = "".join(
        " " if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp") else one for one in text
    )
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _talk(seen: Seen, actions: Collection[str]) -> Entry:
    if "talk.toggle" not in actions:
        return Entry("Talk (speech is not installed)", enabled=False)
    if "listening" in seen.taking:
        return Entry("Stop listening", "talk.toggle")
    return Entry("Talk", "talk.toggle")


def _wake_word(seen: Seen, actions: Collection[str]) -> Entry:
    """Checked while the microphone is open for it."""
    if "wake.toggle" in actions:
        return Entry(WAKE_WORD, "wake.toggle", checked="wake_word" in seen.taking)
    why = "off in the settings" if "talk.toggle" in actions else "speech is not installed"
    return Entry(f"{WAKE_WORD} ({why})", enabled=False)


def _later(label: str, action: str, actions: Collection[str]) -> Entry:
    if action in actions:
        return Entry(label, action)
    return Entry(f"{label} ({LATER})", enabled=False)


def _recent(seen: Seen) -> Entry:
    if not seen.chats:
        why = "none yet" if seen.online else "Nestor is not running"
        return Entry(f"Recent answers ({why})", enabled=False)
    return Entry("Recent answers", children=tuple(_chats(seen)))


def _chats(seen: Seen) -> Iterator[Entry]:
    for chat in seen.chats[:CHATS]:
        title = plain(chat.title) or "Untitled"
        label = plain(f"{title}: {chat.answer}") if chat.answer else title
        yield Entry(label, "open", {"place": f"chat/{chat.id}"})


def _daemon(seen: Seen) -> Iterator[Entry]:
    if not seen.online:
        yield Entry("Start Nestor", "start")
        return
    if seen.problem:
        yield Entry(plain(seen.problem), enabled=False)
    where = f"{seen.model}, {seen.place}" if seen.place else seen.model
    yield Entry(plain(f"Model: {where}"), enabled=False)


def _devices(seen: Seen) -> Entry:
    if not seen.online:
        return Entry("Devices (Nestor is not running)", enabled=False)
    rows = [Entry(plain(name), "open", {"place": "devices"}) for name in seen.devices[:DEVICES]]
    if not rows:
        rows = [Entry("None is paired", enabled=False)]
    offer = Entry("Pair a phone (QR code)…", "open", {"place": "devices"})
    return Entry("Devices", children=(*rows, SEPARATOR, offer))
