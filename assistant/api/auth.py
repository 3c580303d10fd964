"""Who asks. One place decides, from the token alone."""

from __future__ import annotations

import hashlib
import hmac

from assistant.errors import Unauthorized

DEVICE = "nestor.device"
"""The key of a request's scope under which the guard notes who asks."""


class Auth:
    """Knows the owner's token by its SHA-256."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token.encode())

    def authenticate(self, headers: list[tuple[bytes, bytes]]) -> str:
        """Check `Authorization: Bearer <token>`; whose device it is, empty for the owner's programs.

        Raises Unauthorized, the same for every cause.
        """
        given = [value for name, value in headers if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        # Hash first: the comparison then takes the same time whatever was sent, or nothing was.
        right = hmac.compare_digest(_digest(token.strip()), self._digest)
        if not right or scheme.lower() != b"bearer":
            raise Unauthorized
        return ""


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
