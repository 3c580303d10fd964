"""The outermost layer, pure ASGI: whatever the routes are, nothing reaches them unchecked.

Order: one Host that is ours, no foreign Origin, a token (the open paths apart), a body that is small,
of a type we read, and strict JSON. A WebSocket passes the same before it is accepted.
"""

from __future__ import annotations

import logging
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api import bodies
from assistant.api.auth import DEVICE, Auth
from assistant.api.disconnect import ClientLeft
from assistant.api.origin import Origin
from assistant.api.replies import error_reply
from assistant.api.services import Services
from assistant.config import RESPONSE_HEADERS
from assistant.errors import AssistantError, Internal
from assistant.types import Door

log = logging.getLogger(__name__)

OPEN = frozenset({("GET", "/health")})
"""Method and path of everything that needs no token."""

_ANSWERED = re.compile(r"/v1/chat/completions|/api/v1/conversations/[^/]+/turns")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_POLICY_VIOLATION = 1008


class Guard:
    """Wraps the app for those who come through one door."""

    def __init__(self, app: ASGIApp, auth: Auth, services: Services, door: Door) -> None:
        self._app = app
        self._auth = auth
        self._services = services
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
        try:
            self._origin.check(scope)
            scope[DEVICE] = self._auth.authenticate(scope["headers"])
            await self._services.wait()
        except AssistantError:
            # Before accept: the client gets a 403 and no WebSocket.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        self._origin.check(scope)
        if (scope["method"], scope["path"]) in OPEN:
            return receive
        scope[DEVICE] = self._auth.authenticate(scope["headers"])
        if scope["method"] == "POST" and _ANSWERED.fullmatch(scope["path"]):
            # Before the body is read and routed: in a crowd that is most of the work.
            self._services.check_room(scope[DEVICE])
        if scope["method"] in _BODY_METHODS:
            receive = await bodies.strict(scope, receive)
        await self._services.wait()
        return receive


class _Response:
    """Adds our headers, and knows whether the response has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._complete = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            message["headers"] = [*message.get("headers", ()), *RESPONSE_HEADERS]
        self._complete = message["type"] == "http.response.body" and not message.get("more_body")
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
