"""What the quick-ask window asks of the daemon: in threads, so that the window never waits.

What happens is told by calls of an `Answering`, each passed to `post`, which runs it in the window's thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Protocol

from assistant.clients import launch
from assistant.clients.http import Client
from assistant.config import Paths
from assistant.errors import AssistantError, Internal, NotFound, Unreachable

EARLIER_CHATS = 10
"""Whose questions the arrow keys find."""
CLIENT = "quick-ask"

Post = Callable[[Callable[[], object]], None]


class Answering(Protocol):
    """Who is told how an answer goes on. Each is called in the window's thread."""

    def starting(self) -> None:
        """No daemon ran; it is being started."""

    def began(self, conversation: str) -> None:
        """The question is on disk."""

    def more(self, text: str) -> None:
        """A piece of the answer."""

    def finished(self, receipt: dict[str, Any]) -> None:
        """The answer is complete."""

    def failed(self, error: AssistantError) -> None:
        """It is not."""


class Asking:
    """The daemon's side of one window. Its methods return at once, `ask` and others from any thread."""

    def __init__(self, paths: Paths, post: Post) -> None:
        self._paths = paths
        self._post = post
        self._turn = ""
        self._stopping = False
        self._draft: tuple[str | None, str] | None = None
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._warming, name="quick-ask-warm", daemon=True).start()

    def close(self) -> None:
        """Send nothing ahead any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def warm(self, conversation: str | None, draft: str) -> None:
        """Say what may be asked soon. Only the latest counts; a failure is not told."""
        with self._changed:
            self._draft = (conversation, draft)
            self._changed.notify()

    def ask(self, conversation: str | None, text: str, told: Answering, **more: Any) -> None:
        """Ask, in a new conversation if there is none. `more` are other fields of a turn."""
        self._turn, self._stopping = "", False
        self._apart(self._ask, conversation, text, told, more)

    def stop(self) -> None:
        """Stop the answer that is being written, or that is about to be."""
        self._stopping = True
        if self._turn:
            self._apart(self._stop, self._turn)

    def earlier(self, then: Callable[[list[str]], None]) -> None:
        """The questions of the latest conversations, oldest first. Not told if they cannot be had."""
        self._apart(self._earlier, then)

    def to_phone(
        self, conversation: str | None, draft: str, then: Callable[[AssistantError | None], None]
    ) -> None:
        """Have a phone offer to go on here: with the conversation, and with what is typed."""
        self._apart(self._to_phone, conversation, draft, then)

    # --- in their threads ----------------------------------------------------------------

    def _apart(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="quick-ask", daemon=True).start()

    def _warming(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._draft is not None or self._closed)
                if self._closed:
                    return
                (conversation, draft), self._draft = self._draft or (None, ""), None
            with contextlib.suppress(AssistantError):
                try:
                    client = Client.to(self._paths)
                except Unreachable:
                    launch.start(self._paths)
                    client = Client.to(self._paths)
                with client:
                    client.warm(conversation, draft)

    def _ask(
        self, conversation: str | None, text: str, told: Answering, more: dict[str, Any]
    ) -> None:
        try:
            with self._client(told) as client:
                self._answer(client, conversation, text, told, more)
        except AssistantError as exc:
            error = exc
            self._post(lambda: told.failed(error))
        except Exception:  # noqa: BLE001 - a fault of ours must not leave the window waiting
            self._post(lambda: told.failed(Internal()))

    def _client(self, told: Answering) -> Client:
        try:
            return Client.to(self._paths)
        except Unreachable:
            self._post(told.starting)
            launch.start(self._paths)
            return Client.to(self._paths)

    def _answer(
        self,
        client: Client,
        conversation: str | None,
        text: str,
        told: Answering,
        more: dict[str, Any],
    ) -> None:
        if conversation is None:
            conversation = str(client.post("/api/v1/conversations", {})["id"])
        here, receipt = conversation, {}
        pieces = _Pieces(self._post, told)
        path = f"/api/v1/conversations/{conversation}/turns"
        for event in client.stream(path, {"text": text, **more}):
            if event.event == "started":
                self._turn = turn = str(event.data["turn"])
                if self._stopping:
                    self._stop(turn)
                self._post(lambda: told.began(here))
            elif event.event == "token":
                pieces.add(event.data["text"])
            elif event.event == "receipt":
                receipt = event.data
        self._post(lambda: told.finished(receipt))

    def _stop(self, turn: str) -> None:
        with contextlib.suppress(AssistantError), Client.to(self._paths) as client:
            client.delete(f"/api/v1/turns/{turn}")

    def _earlier(self, then: Callable[[list[str]], None]) -> None:
        found: list[str] = []
        with contextlib.suppress(AssistantError), Client.to(self._paths) as client:
            for row in client.get("/api/v1/conversations", limit=EARLIER_CHATS)["items"]:
                turns = client.get(f"/api/v1/conversations/{row['id']}")["turns"]
                found = [str(turn["text"]) for turn in turns] + found
        if found:
            self._post(lambda: then(found))

    def _to_phone(
        self, conversation: str | None, draft: str, then: Callable[[AssistantError | None], None]
    ) -> None:
        problem: AssistantError | None = None
        try:
            with Client.to(self._paths) as client:
                devices = client.get("/api/v1/devices")["items"]
                if not any(one["kind"] == "phone" for one in devices):
                    raise NotFound("No phone is paired yet.", "Pair one: `nestor pair`.")
                client.put(
                    f"/api/v1/drafts/{conversation or 'new'}", {"text": draft, "client": CLIENT}
                )
                client.put("/api/v1/open", {"conversation": conversation, "client": CLIENT})
        except AssistantError as exc:
            problem = exc
        self._post(lambda: then(problem))


class _Pieces:
    """Pieces of an answer, as many at once as have come when the window has time for them."""

    def __init__(self, post: Post, told: Answering) -> None:
        self._post = post
        self._told = told
        self._waiting: list[str] = []
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        with self._lock:
            self._waiting.append(text)
            first = len(self._waiting) == 1
        if first:
            self._post(self._flush)

    def _flush(self) -> None:
        with self._lock:
            text, self._waiting = "".join(self._waiting), []
        self._told.more(text)
