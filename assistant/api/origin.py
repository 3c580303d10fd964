"""Where a request comes from: addressed to us, and not sent by a web page of another site.

A page can make any browser send requests to this machine (CSRF), or give its own name our address
(DNS rebinding). It cannot choose the Host, Origin and Sec-Fetch-Site that the browser sends along.
"""

from __future__ import annotations

from starlette.types import Scope

from assistant.config import LIMITS
from assistant.errors import Ambiguous, ForeignHost, ForeignOrigin, HeadersTooLarge
from assistant.types import Door

_SITES = frozenset({b"none", b"same-origin"})
_VERSIONS = frozenset({"1.1", "1.0"})
"""The parser takes any number."""


class Origin:
    """What the headers of a request through one door must say."""

    def __init__(self, door: Door) -> None:
        self._hosts = frozenset(host.lower().encode() for host in door.hosts)
        self._origins = frozenset(door.scheme.encode() + b"://" + host for host in self._hosts)

    def check(self, scope: Scope) -> None:
        """Raise HeadersTooLarge, Ambiguous, ForeignHost or ForeignOrigin."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        size = 0
        hosts: list[bytes] = []
        framings = 0
        foreign = False
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                foreign |= value not in self._origins
            elif name == b"sec-fetch-site":
                foreign |= value not in _SITES
            elif name in (b"content-length", b"transfer-encoding"):
                framings += 1
        if size > LIMITS.header_bytes:
            raise HeadersTooLarge
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise ForeignHost
        if foreign:
            raise ForeignOrigin
        if framings > 1:
            raise Ambiguous("The request says in two ways how long it is.")
        if scope["http_version"] not in _VERSIONS:
            raise Ambiguous("Only HTTP/1.1 is spoken here.")
