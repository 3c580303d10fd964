"""Who asks. One place decides, from the token alone; over the owner's socket, from the system's word."""

from __future__ import annotations

import hmac

from starlette.types import Scope

from assistant.api.guesses import Guesses, source_of
from assistant.core.devices import Devices, digest, token_id
from assistant.errors import Unauthorized
from assistant.types import OWNER, Device, Door

DEVICE = "nestor.device"
"""The key of a request's scope under which the guard notes who asks."""

DOOR = "nestor.door"
"""The key under which it notes the name of the door."""

PROTOCOL = b"nestor.bearer."
"""What a token is offered behind where no header can be sent."""

_NOBODY = bytes(32)


class Auth:
    """Knows the owner's token by its SHA-256, and the devices once the memory is open."""

    def __init__(self, token: str, guesses: Guesses | None = None) -> None:
        self._owner = digest(token.encode())
        self._guesses = guesses or Guesses()
        self.devices: Devices | None = None
        """Filled in when the memory is open. Until then no device's token is looked at."""

    def must_wait(self, scope: Scope) -> bool:
        """Whether the token is a device's, and nobody knows devices yet."""
        return self.devices is None and bool(token_id(_token(scope) or b""))

    def authenticate(self, scope: Scope, door: Door) -> Device:
        """The device that asks, or the owner.

        Raises Unauthorized, the same for every cause, or TooManyGuesses.
        """
        if door.name == "socket" and not any(n == b"authorization" for n, _ in scope["headers"]):
            return OWNER  # the system has said whose program it is: see owner.py
        token = _token(scope)
        if not token:
            raise Unauthorized
        # Hash first: the comparisons then take the same time whatever was sent.
        given, source = digest(token), source_of(scope.get("client"))
        self._guesses.check(source, door, given)
        key = self.devices.key(token_id(token)) if self.devices is not None else None
        owner = hmac.compare_digest(given, self._owner)
        known = hmac.compare_digest(given, key.digest if key else _NOBODY)
        if owner and door.name != "lan":  # the owner's token has no business on a network
            found = OWNER
        elif key is not None and known:
            found = key.device
        else:
            self._guesses.wrong(source, door, given)
            raise Unauthorized
        self._guesses.right(source, door)
        return found


def _token(scope: Scope) -> bytes | None:
    """What stands after `Bearer`; None if there is no such header, more than one, or another scheme.

    A browser's WebSocket can send no header; it offers `nestor.bearer.<token>` as a protocol (RFC 6455, 1.9).
    """
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given and scope["type"] == "websocket":
        offered = [one.encode("latin-1") for one in scope.get("subprotocols", ())]
        tokens = [one.removeprefix(PROTOCOL) for one in offered if one.startswith(PROTOCOL)]
        return tokens[0] if len(tokens) == 1 else None
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None
