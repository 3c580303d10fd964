"""The outermost layer, pure ASGI: whatever the routes are, nothing reaches them unchecked.

Order: one Host that is ours, no foreign Origin, a token (one path apart), a body that is small,
of a type we read, and strict JSON. A file to import passes in pieces, counted.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api.auth import DEVICE, Auth
from assistant.api.disconnect import ClientLeft
from assistant.api.replies import error_reply
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.errors import (
    AssistantError,
    BodyTooLarge,
    ForeignHost,
    ForeignOrigin,
    HeadersTooLarge,
    Internal,
    InvalidJson,
    UnsupportedMedia,
)

log = logging.getLogger(__name__)

OPEN = frozenset({("GET", "/health")})
"""Method and path of everything that needs no token."""

_ANSWERED = re.compile(r"/v1/chat/completions|/api/v1/conversations/[^/]+/turns")
_IMPORT = "/api/v1/memories/import"
_UPLOAD = "/api/v1/import"
"""Its body may be a file of any size within the limit: it is never held in memory."""
_FILES = frozenset({b"application/octet-stream", b"application/zip", b"application/gzip"})
_LINES = frozenset({b"application/x-ndjson", b"application/jsonl", b"application/json-lines"})
_LARGE_BYTES = 1 << 16
"""Above this, reading JSON takes long enough to keep other requests waiting."""
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class Guard:
    """Wraps the app. `hosts` are the exact values of Host that are ours."""

    def __init__(self, app: ASGIApp, auth: Auth, services: Services, hosts: Sequence[str]) -> None:
        self._app = app
        self._auth = auth
        self._services = services
        self._hosts = frozenset(host.encode() for host in hosts)
        self._origins = frozenset(b"http://" + host for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            # Nothing speaks WebSocket yet; refusing before accept is a 403 to the client.
            await send({"type": "websocket.close", "code": 1008})
            return None
        response = _Response(send)
        try:
            receive = await self._admit(scope, receive)
            await self._app(scope, receive, response.send)
        except AssistantError as exc:
            await response.fail(exc, scope, receive)
        except ClientLeft:
            pass
        except Exception as exc:
            # The message may quote what a user wrote; its type and place do not.
            log.error("%s %s: %s", scope["method"], _route(scope), type(exc).__name__)  # noqa: TRY400
            log.debug("details", exc_info=True)
            await response.fail(Internal(), scope, receive)
        return None

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) > LIMITS.header_bytes:
            raise HeadersTooLarge
        self._check_host(headers)
        if (scope["method"], scope["path"]) in OPEN:
            return receive
        scope[DEVICE] = self._auth.authenticate(headers)
        if scope["method"] == "POST" and _ANSWERED.fullmatch(scope["path"]):
            # Before the body is read and routed: in a crowd that is most of the work.
            self._services.check_room(scope[DEVICE])
        if scope["method"] in _BODY_METHODS:
            receive = await _strict_body(scope, receive)
        await self._services.wait()
        return receive

    def _check_host(self, headers: list[tuple[bytes, bytes]]) -> None:
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise ForeignHost
        if any(value not in self._origins for name, value in headers if name == b"origin"):
            raise ForeignOrigin


class _Response:
    """Adds our headers, and knows whether the response has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._complete = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        self._complete = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)

    async def fail(self, error: AssistantError, scope: Scope, receive: Receive) -> None:
        if self._complete:
            return
        if self._begun:
            # Too late for a status: close the connection in mid-answer rather than seem complete.
            raise error
        await error_reply(error, scope["path"])(scope, receive, self.send)


async def _strict_body(scope: Scope, receive: Receive) -> Receive:
    headers = scope["headers"]
    if scope["path"] == _UPLOAD and _kind(headers) in _FILES:
        return _counted(receive, LIMITS.upload_bytes)
    importing = scope["path"] == _IMPORT
    limit = LIMITS.import_bytes if importing else LIMITS.body_bytes
    declared = next((v for n, v in headers if n == b"content-length"), b"")
    if declared.isdigit() and int(declared[:20]) > limit:
        raise BodyTooLarge(f"The body has more than {limit} bytes.")
    body = await _read(receive, limit)
    kind = _kind(headers)
    if body and kind == b"application/json":
        if len(body) > _LARGE_BYTES:
            await asyncio.to_thread(_check_json, body)
        else:
            _check_json(body)
    elif body and not (importing and kind in _LINES):
        raise UnsupportedMedia
    return _replay(body, receive)


def _kind(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return next((v for n, v in headers if n == b"content-type"), b"").split(b";")[0].strip().lower()


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def next_piece() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise BodyTooLarge(f"The body has more than {limit} bytes.")
        return message

    return next_piece


async def _read(receive: Receive, limit: int) -> bytes:
    chunks = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"The body has more than {limit} bytes.")
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _check_json(body: bytes) -> None:
    # The standard parser takes NaN, lone surrogates and any depth; msgspec's takes RFC 8259 only.
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise InvalidJson("The JSON is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as exc:
        raise InvalidJson(f"The body is not valid JSON: {exc}.") from None
    if _deeper_than(value, LIMITS.json_depth):
        raise InvalidJson(f"The JSON is nested deeper than {LIMITS.json_depth} levels.")


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = True

    async def again() -> Message:
        nonlocal waiting
        if waiting:
            waiting = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


def _route(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", "?"))
