"""What the Write For Me window asks of the daemon: in threads, so that the window never waits.

What happens is told by calls of a `Told`, each passed to `post`, which runs it in the window's thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from assistant.clients import launch
from assistant.clients.http import Client
from assistant.config import Paths
from assistant.errors import AssistantError, Internal, Unreachable
from assistant.types import Event

Post = Callable[[Callable[[], object]], None]


class Change(msgspec.Struct, frozen=True):
    """A piece of the old text, of the new one, or of both."""

    op: str
    """`keep`, `delete` or `insert`."""
    text: str


class Wish(msgspec.Struct, frozen=True):
    """What is to be done with a text: the fields of `POST /api/v1/write`."""

    operation: str
    instruction: str = ""
    language: str = ""
    tone: str = ""
    remember_tone: bool = False


class Result(msgspec.Struct, frozen=True):
    """A text, done."""

    text: str
    changes: tuple[Change, ...]
    remarks: tuple[str, ...]
    """What to look at, in sentences."""


class Told(Protocol):
    """Who is told how it goes on. Each is called in the window's thread."""

    def starting(self) -> None:
        """No daemon ran; it is being started."""

    def more(self, text: str) -> None:
        """A piece of what the model writes."""

    def passage(self, changes: Sequence[Change]) -> None:
        """What stands of a passage, in place of what was told by `more` since the last one."""

    def finished(self, result: Result) -> None:
        """All of it."""

    def failed(self, error: AssistantError) -> None:
        """It did not come to that."""


class Rewriting:
    """The daemon's side of one window. Its methods return at once."""

    def __init__(self, paths: Paths, post: Post) -> None:
        self._paths = paths
        self._post = post
        self._now: threading.Event | None = None

    def write(self, text: str, wish: Wish, told: Told) -> None:
        """Have it done. What was being done before is stopped."""
        self.stop()
        self._now = stopped = threading.Event()
        self._apart(self._write, text, wish, told, stopped)

    def stop(self) -> None:
        """Stop what is being done; nothing more is told of it."""
        if self._now is not None:
            self._now.set()

    def tone(self, then: Callable[[str], None]) -> None:
        """The tone that is remembered. Not told if it cannot be had."""
        self._apart(self._tone, then)

    def forget_tone(self) -> None:
        """Remember none."""
        self._apart(self._forget_tone)

    # --- in their threads ----------------------------------------------------------------

    def _apart(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="write", daemon=True).start()

    def _write(self, text: str, wish: Wish, told: Told, stopped: threading.Event) -> None:
        def tell(work: Callable[[], object]) -> None:
            self._post(lambda: None if stopped.is_set() else work())

        try:
            with self._client(lambda: tell(told.starting)) as client:
                body = {"text": text, **msgspec.to_builtins(wish)}
                for event in client.stream("/api/v1/write", body):
                    if stopped.is_set():
                        return  # the connection is closed, and the model stops
                    _pass_on(event, told, tell)
        except AssistantError as exc:
            error = exc
            tell(lambda: told.failed(error))
        except Exception:  # noqa: BLE001 - a fault of ours must not leave the window waiting
            tell(lambda: told.failed(Internal()))

    def _client(self, starting: Callable[[], object]) -> Client:
        try:
            return Client.to(self._paths)
        except Unreachable:
            starting()
            launch.start(self._paths)
            return Client.to(self._paths)

    def _tone(self, then: Callable[[str], None]) -> None:
        with contextlib.suppress(AssistantError), Client.to(self._paths) as client:
            tone = str(client.get("/api/v1/write/tone")["tone"])
            self._post(lambda: then(tone))

    def _forget_tone(self) -> None:
        with contextlib.suppress(AssistantError), Client.to(self._paths) as client:
            client.put("/api/v1/write/tone", {"tone": ""})


def _pass_on(event: Event, told: Told, tell: Callable[[Callable[[], object]], None]) -> None:
    data = event.data
    if event.event == "token":
        tell(lambda: told.more(data["text"]))
    elif event.event == "passage":
        changes = _changes(data["diff"])
        tell(lambda: told.passage(changes))
    elif event.event == "result":
        result = Result(data["text"], _changes(data["diff"]), _remarks(data["flags"]))
        tell(lambda: told.finished(result))


def _changes(rows: list[dict[str, str]]) -> tuple[Change, ...]:
    return tuple(msgspec.convert(rows, list[Change]))


def _remarks(flags: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{one['message']} {', '.join(one['words'])}".strip()
        if one.get("words")
        else one["message"]
        for one in flags
    )
