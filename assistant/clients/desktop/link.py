"""The daemon, as the program on the desktop follows it: what changed, as it comes, across restarts.

Over the owner's socket; on Windows by TCP with the owner's token.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from assistant.clients.http import error_of, owners_socket, read_token
from assistant.config import Paths
from assistant.errors import AssistantError, Unreachable
from assistant.instance import find
from assistant.types import Event

CONNECT_S = 3.0
ANSWER_S = 20.0
QUIET_S = 60.0
"""Between two pieces of the stream; the daemon sends a comment every 15 s."""
AGAIN_S = 0.5
"""Between two looks for a daemon, at first; each is a lock that is tried."""
AGAIN_MAX_S = 3.0


class Link:
    """One daemon's line, while it runs. `Link.to` makes it; close it, or use it as a context."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @classmethod
    def to(cls, paths: Paths) -> Link:
        """To the daemon of these paths. Raises Unreachable if none runs."""
        running = find(paths.lock)
        if running is None:
            raise Unreachable
        socket = owners_socket(paths)
        door = httpx.AsyncHTTPTransport(uds=socket, trust_env=False) if socket else None
        return cls(
            httpx.AsyncClient(
                base_url="http://localhost" if socket else f"http://127.0.0.1:{running.port}",
                headers={} if socket else {"Authorization": f"Bearer {read_token(paths)}"},
                transport=door,
                timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
                trust_env=False,
            )
        )

    async def __aenter__(self) -> Link:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, **params: Any) -> Any:
        """GET a JSON value. Raises what the daemon says, and Unreachable."""
        return await self._send("GET", path, params=params)

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a JSON value, and answer what comes back. Raises as `get`."""
        return await self._send(method, path, json=body)

    async def _send(self, method: str, path: str, **rest: Any) -> Any:
        try:
            response = await self._http.request(method, path, **rest)
        except httpx.TransportError as exc:
            raise Unreachable from exc
        if response.is_error:
            raise error_of(response)
        return response.json()

    async def events(self) -> AsyncIterator[Event]:
        """What changes, `sync` first. Raises Unreachable when the line is lost, never just ends."""
        timeout = httpx.Timeout(QUIET_S, connect=CONNECT_S)
        try:
            async with self._http.stream("GET", "/api/v1/events", timeout=timeout) as response:
                if response.is_error:
                    await response.aread()
                    raise error_of(response)
                fields: dict[str, str] = {}
                async for line in response.aiter_lines():
                    if line and not line.startswith(":"):
                        name, _, value = line.partition(":")
                        fields[name] = value.removeprefix(" ")
                    elif fields and not line:
                        yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                        fields = {}
        except httpx.TransportError as exc:
            raise Unreachable("The connection to the daemon was lost.") from exc
        raise Unreachable("The connection to the daemon was lost.")


async def follow(paths: Paths) -> AsyncIterator[Event | None]:
    """Events of whatever daemon runs, for ever; None once, whenever there is none or none any more."""
    pause, told = AGAIN_S, False
    while True:
        with contextlib.suppress(AssistantError):
            async with Link.to(paths) as link:
                async for event in link.events():
                    pause, told = AGAIN_S, False
                    yield event
        if not told:
            yield None
            told = True
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, AGAIN_MAX_S)
