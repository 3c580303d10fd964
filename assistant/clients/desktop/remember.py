"""Remember this: the selection, the window's title and address at once; what its picture says, afterwards.

It is kept as a quoted note of its own (POST /api/v1/captures), never as a fact. The picture stays in memory
and is dropped once it has been read. Where no daemon can be reached or started, it is held in memory until
one runs.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from assistant.clients import launch
from assistant.clients.desktop import picture, selection
from assistant.clients.desktop.held import Held
from assistant.clients.desktop.quick import Registry
from assistant.clients.desktop.theme import Tone
from assistant.config import LIMITS, Paths
from assistant.errors import AssistantError, Internal

Tell = Callable[[str, str, Tone], object]
"""Shows the user a title and a line, from any thread."""
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_SOURCES = ("chromium/x-source-url", "text/x-moz-url-priv")
"""What browsers offer beside a selection: the address of its page."""

_HELD = (
    "It is held in memory here, and remembered as soon as Nestor runs; do not quit the icon before."
)


class Seen(msgspec.Struct, frozen=True):
    """What was there when the key was pressed."""

    text: str
    title: str
    app: str
    address: str
    window: int


class Remember:
    """`press` is what the hotkey and the menu do."""

    def __init__(self, paths: Paths, tell: Tell) -> None:
        self._paths = paths
        self._tell = tell
        self._held = Held(paths, self._sent, self._refused)

    def press(self) -> None:
        """Returns at once."""
        threading.Thread(target=self._press, name="remember", daemon=True).start()

    def _press(self) -> None:
        try:
            self._keep(look())
        except AssistantError as exc:
            self._tell("Not remembered", f"{exc.message} {exc.hint}", "bad")
        except Exception:  # noqa: BLE001 - a window that vanished, or a fault of ours: the user is told
            self._tell("Not remembered", Internal().message, "bad")

    def _keep(self, seen: Seen) -> None:
        name = secrets.token_urlsafe(12)
        body = {"title": seen.title, "app": seen.app, "address": seen.address}
        stored = self._held.send({"id": name, "text": _kept(seen), **body})
        shot = _taken(seen.window)  # before our own notice stands in it
        if stored:
            self._tell("Remembered", line(_kept(seen)), "good")
        else:
            self._tell("Starting Nestor…", "It is remembered as soon as Nestor runs.", "quiet")
            self._start()
        self._enrich(shot, {"id": name, "part": "screen", **body})

    def _start(self) -> None:
        try:
            launch.start(self._paths)
        except AssistantError as exc:
            self._tell("Not remembered yet", f"{exc.message} {_HELD}", "bad")
        else:
            self._held.look()

    def _enrich(self, shot: Any, body: dict[str, Any]) -> None:
        """What else the window shows. What the user asked to keep is kept already."""
        try:
            if isinstance(shot, AssistantError):
                raise shot
            text = picture.text_of(shot).strip()[: LIMITS.memory_chars]
            if text:
                self._held.send({"text": text, **body})
        except AssistantError as exc:
            self._tell("Remembered, without the picture", f"{exc.message} {exc.hint}", "quiet")

    def _sent(self, body: dict[str, Any]) -> None:
        if not body.get("part"):
            self._tell("Remembered", line(body["text"]), "good")

    def _refused(self, _body: dict[str, Any], error: AssistantError) -> None:
        self._tell("Not remembered", f"{error.message} {error.hint}", "bad")


def _taken(window: int) -> Any:
    """A picture, or why there is none."""
    try:
        return picture.taken(window)
    except AssistantError as exc:
        return exc


def look(display_name: str | None = None) -> Seen:
    """What is there now. Raises Refused where nothing is read, NoDisplay."""
    display = selection.connect(display_name)
    try:
        found = selection.selected(display)
        text = found.text[: LIMITS.memory_chars]
        title = found.window.title[: LIMITS.title_chars]
        address = _address(display, title) if text.strip() else _in(title)
        return Seen(text.strip(), title, found.window.app, address, found.window.id)
    finally:
        display.close()


def _kept(seen: Seen) -> str:
    """What is kept of it."""
    return seen.text or seen.title or seen.app


def line(text: str) -> str:
    """The confirmation's line."""
    short = " ".join(text.split())
    return short if len(short) <= 80 else f"{short[:79]}…"


def _address(display: Any, title: str) -> str:
    raw = selection.read(display, "PRIMARY", "TARGETS") or b""
    atoms = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]
    offered = {display.get_atom_name(atom) for atom in atoms if atom}
    for name in _SOURCES:
        if name in offered and (given := selection.read(display, "PRIMARY", name)):
            wide = given[1:2] == b"\0"
            if found := _in(given.decode("utf-16-le" if wide else "utf-8", "replace")):
                return found
    return _in(title)


def _in(text: str) -> str:
    found = _ADDRESS.search(text)
    return found.group()[: LIMITS.query_chars] if found else ""


def register(actions: Registry, remember: Remember) -> None:
    """Offer it as `remember`."""
    actions.register("remember", remember.press)
