"""The daemon's API as Python calls. Raises the AssistantError the daemon answered with."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any, Self

import httpx

from assistant.config import Paths
from assistant.errors import AssistantError, Unreachable, revive
from assistant.instance import find
from assistant.types import Event

CONNECT_S = 3.0
ANSWER_S = 600.0
"""`doctor` loads the model and `use` hashes it: on a slow disk that takes minutes."""
WARM_S = 0.5
"""It is called between two keystrokes."""
STREAM_S = 60.0
"""Between two pieces of a stream; the daemon sends a comment every 15 s."""


class Client:
    """A connection to one daemon. Not for several threads."""

    def __init__(self, port: int, token: str, transport: httpx.BaseTransport | None = None) -> None:
        """Over TCP with a token, or over the owner's socket, which needs none."""
        self._http = httpx.Client(
            base_url="http://localhost" if transport else f"http://127.0.0.1:{port}",
            headers={} if transport else {"Authorization": f"Bearer {token}"},
            transport=transport,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=False,
        )

    @classmethod
    def to(cls, paths: Paths) -> Client:
        """A client of the daemon that runs in these paths: over the owner's socket or, where there is
        none, with the owner's token. Raises Unreachable if none runs.
        """
        running = find(paths.lock)
        if running is None:
            raise Unreachable
        if (transport := _owners_door(paths)) is not None:
            return cls(running.port, "", transport)
        return cls(running.port, read_token(paths))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """GET a JSON value."""
        return self._send("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Any = None) -> Any:
        """POST a JSON value."""
        return self._send("POST", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH a JSON value."""
        return self._send("PATCH", path, json=body)

    def put(self, path: str, body: Any = None) -> Any:
        """PUT a JSON value."""
        return self._send("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        """DELETE."""
        return self._send("DELETE", path)

    def warm(self, conversation: str | None = None, draft: str = "") -> Any:
        """Say what may be asked soon; how far that is made ready, None if the daemon cannot be asked.

        Never raises and never takes long: it only makes things quicker.
        """
        body = {"conversation": conversation, "draft": draft}
        with contextlib.suppress(AssistantError):
            return self._send("POST", "/api/v1/warm", json=body, timeout=WARM_S)
        return None

    def health(self) -> Any:
        """`GET /health`."""
        return self.get("/health")

    def stream(self, path: str, body: Any = None) -> Iterator[Event]:
        """POST, and yield the events of the answer. A `failed` event is raised as what it says."""
        with self._streamed(path, body) as response:
            for event in _events(response.iter_lines()):
                if event.event == "failed":
                    raise _revive(event.data.get("error", {}))
                yield event

    def download(self, path: str, body: Any = None) -> Iterator[bytes]:
        """POST, and yield the answer's bytes as they come."""
        with self._streamed(path, body) as response:
            yield from response.iter_bytes()

    @contextlib.contextmanager
    def _streamed(self, path: str, body: Any) -> Iterator[httpx.Response]:
        timeout = httpx.Timeout(STREAM_S, connect=CONNECT_S)
        try:
            with self._http.stream("POST", path, json=body, timeout=timeout) as response:
                if response.is_error:
                    response.read()
                    raise error_of(response)
                yield response
        except httpx.TransportError as exc:
            raise Unreachable("The connection to the daemon was lost.") from exc

    def _send(self, method: str, path: str, **rest: Any) -> Any:
        try:
            response = self._http.request(method, path, **rest)
        except httpx.ConnectError as exc:
            raise Unreachable from exc
        except httpx.TransportError as exc:
            raise Unreachable(
                "The daemon did not answer in time.", "Look at `nestor status`."
            ) from exc
        if response.is_error:
            raise error_of(response)
        return response.json()


def read_token(paths: Paths) -> str:
    """The owner's token. Raises Unreachable if it cannot be read."""
    try:
        return paths.token.read_text("ascii").strip()
    except OSError as exc:
        raise Unreachable("The daemon's token cannot be read.") from exc


def _owners_door(paths: Paths) -> httpx.BaseTransport | None:
    """The way in that no other user can take, nor another program have taken in our place."""
    if sys.platform == "win32":
        from assistant.clients import pipe

        return pipe.transport(paths.pipe) if os.path.exists(paths.pipe) else None  # noqa: PTH110
    return (
        httpx.HTTPTransport(uds=path, trust_env=False) if (path := owners_socket(paths)) else None
    )


def owners_socket(paths: Paths) -> str:
    """The daemon's unix socket; empty where there is none of this user's."""
    try:
        about = paths.socket.lstat()
    except OSError:
        return ""
    ours = stat.S_ISSOCK(about.st_mode) and about.st_uid == os.getuid()
    return str(paths.socket) if ours else ""


def _events(lines: Iterator[str]) -> Iterator[Event]:
    """Server-sent events (HTML standard, 9.2), as far as the daemon uses them."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def error_of(response: httpx.Response) -> AssistantError:
    try:
        body = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        body = {}
    return _revive(body)


def _revive(body: dict[str, Any]) -> AssistantError:
    return revive(body.get("code", "internal"), body.get("message", ""), body.get("hint", ""))
