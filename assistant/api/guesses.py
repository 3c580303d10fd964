"""Wrong tokens: a few from each address are looked at, then fewer and fewer. Loopback is no exception.

Nothing that a client says about itself counts, only the address its packets come from. The owner's
socket asks for no token, so that nobody can lock the owner out.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from assistant.config import LIMITS
from assistant.errors import TooManyGuesses, Unauthorized
from assistant.types import Door

_HOUR_S = 3600.0
_SOURCES = 1024


class _Source:
    def __init__(self) -> None:
        self.wrong = 0
        self.last = 0.0
        self.until = 0.0
        self.tried: set[bytes] = set()
        """Hashes of the wrong ones. A program that repeats an old token makes one guess, not many."""


class Guesses:
    """Counts wrong tokens by source. `clock` is in seconds and goes on during sleep."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._lan: deque[float] = deque(maxlen=LIMITS.door_guesses)
        self._trusted: set[str] = set()
        """Addresses of the LAN from which a right token came."""

    def check(self, source: str, door: Door, digest: bytes) -> None:
        """Whether a token may be looked at. Raises TooManyGuesses, or Unauthorized for a repeated one."""
        moment = self._clock()
        found = self._sources.get(source)
        if found is not None and moment - found.last > _HOUR_S:
            del self._sources[source]
            found = None
        if found is not None and digest in found.tried:
            raise Unauthorized
        if found is not None and moment < found.until:
            raise TooManyGuesses(retry_after_s=found.until - moment)
        if door.name == "lan" and source not in self._trusted:
            full = len(self._lan) == LIMITS.door_guesses
            if full and moment - self._lan[0] < _HOUR_S:
                raise TooManyGuesses(retry_after_s=self._lan[0] + _HOUR_S - moment)

    def wrong(self, source: str, door: Door, digest: bytes) -> None:
        """It was looked at, and wrong."""
        moment = self._clock()
        found = self._sources.pop(source, None) or _Source()
        self._sources[source] = found
        if len(self._sources) > _SOURCES:
            self._sources.popitem(last=False)
        found.wrong += 1
        found.last = moment
        found.tried.add(digest)
        over = found.wrong - LIMITS.guesses
        if over >= 0:
            found.until = moment + min(_HOUR_S, LIMITS.guess_pause_s * 2.0 ** min(over, 10))
        if door.name == "lan":
            self._lan.append(moment)

    def right(self, source: str, door: Door) -> None:
        """It was looked at, and right. Earlier wrong ones still count: another program may have tried."""
        if door.name == "lan" and len(self._trusted) < _SOURCES:
            self._trusted.add(source)


def source_of(client: tuple[str, int] | None) -> str:
    """Who asks, as far as guessing goes: this machine, an IPv4 address, or an IPv6 network of /64."""
    try:
        address = ipaddress.ip_address((client or ("",))[0].partition("%")[0])
    except ValueError:
        return "unknown"
    if address.is_loopback:
        return "loopback"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
