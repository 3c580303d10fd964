"""The outermost layer, pure ASGI: whatever the routes are, nothing reaches them unchecked.

Order: one Host that is ours, no foreign Origin, a token (the open paths apart), a body that is small,
of a type we read, and strict JSON. A WebSocket passes the same before it is accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api import bodies
from assistant.api.auth import DEVICE, DOOR, Auth
from assistant.api.disconnect import ClientLeft
from assistant.api.origin import Origin
from assistant.api.replies import error_reply
from assistant.api.services import Services
from assistant.api.web import OPEN as WEB
from assistant.config import RESPONSE_HEADERS
from assistant.errors import AssistantError, Internal, Unauthorized
from assistant.types import Device, Door

log = logging.getLogger(__name__)

OPEN = frozenset({("GET", "/health"), ("POST", "/api/v1/pair/claim")})
"""Method and path of everything that needs no token. Each of them says so itself too (`access`)."""

_WITHOUT_TOKEN = OPEN | WEB
_ANSWERED = re.compile(r"/v1/chat/completions|/api/v1/write|/api/v1/conversations/[^/]+/turns")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_POLICY_VIOLATION = 1008


class Guard:
    """Wraps the app for those who come through one door."""

    def __init__(self, app: ASGIApp, auth: Auth, services: Services, door: Door) -> None:
        self._app = app
        self._auth = auth
        self._services = services
        self._door = door
        self._origin = Origin(door)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one WebSocket."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _Response(send)
        try:
            self._origin.check(scope)
            scope[DOOR] = self._door.name
            if (scope["method"], scope["path"]) in _WITHOUT_TOKEN:
                await self._app(scope, await _bodied(scope, receive), response.send)
            else:
                with self._known(scope, await self._authenticate(scope)):
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

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _Response(send)
        try:
            self._origin.check(scope)
            scope[DOOR] = self._door.name
            device = await self._authenticate(scope)
            with self._known(scope, device):
                await self._services.wait()
                await self._app(scope, receive, response.send)
        except AssistantError as exc:
            if response.accepted:
                with contextlib.suppress(RuntimeError, OSError):  # it may be closed already
                    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            else:
                await response.fail(exc, scope, receive)

    async def _authenticate(self, scope: Scope) -> Device:
        if self._auth.must_wait(scope):
            await self._services.wait()
        return self._auth.authenticate(scope, self._door)

    @contextlib.contextmanager
    def _known(self, scope: Scope, device: Device) -> Iterator[None]:
        """Whoever asks is noted. Raises Unauthorized as soon as a device may ask no more."""
        scope[DEVICE] = device
        if not device.id or self._auth.devices is None:
            yield
            return
        visit = self._auth.devices.enter(device)
        try:
            yield
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not visit.ended or task is None:
                raise
            task.uncancel()
            raise Unauthorized from None
        finally:
            visit.leave()

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        if scope["method"] == "POST" and _ANSWERED.fullmatch(scope["path"]):
            # Before the body is read and routed: in a crowd that is most of the work.
            self._services.check_room(scope[DEVICE].id)
        receive = await _bodied(scope, receive)
        await self._services.wait()
        return receive


async def _bodied(scope: Scope, receive: Receive) -> Receive:
    return await bodies.strict(scope, receive) if scope["method"] in _BODY_METHODS else receive


class _Response:
    """Adds our headers, and knows whether the response has begun; to a WebSocket, before it is accepted."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._complete = False
        self.accepted = False
        """Whether it is a WebSocket now, which has no response."""

    async def send(self, message: Message) -> None:
        self.accepted |= message["type"] == "websocket.accept"
        if message["type"].endswith("http.response.start"):
            self._begun = True
            headers = list(message.get("headers", ()))
            given = {
                name for name, _ in headers
            }  # the web client's pages have a policy of their own
            message["headers"] = headers + [one for one in RESPONSE_HEADERS if one[0] not in given]
        body = message["type"].endswith("http.response.body")
        self._complete = body and not message.get("more_body")
        await self._send(message)

    async def fail(self, error: AssistantError, scope: Scope, receive: Receive) -> None:
        if self._complete:
            return
        if self._begun:
            # Too late for a status: close the connection in mid-answer rather than seem complete.
            raise error
        await error_reply(error, scope["path"])(scope, receive, self.send)


def _route(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", "?"))
