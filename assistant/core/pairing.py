"""Letting a new device in: a short window, one secret, one claim, and the owner's yes to both screens.

    start    the owner opens a window: a 128-bit secret (in the QR code) and a short code to type
    claim    one device shows either of them; the window is its own from then on
    accept   the owner has seen the same check characters on both screens
    claim    the device asks again and is given its token, once

Wrong secrets and codes count together: after a few the window is closed. Nothing of it is on disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from assistant.config import LIMITS
from assistant.core.devices import Devices
from assistant.errors import PairingRefused
from assistant.types import AccessScope, Device, Network

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_CHARS = 8
_CHECK_CHARS = 8
_SECRET_BYTES = 16


class Lan(Protocol):
    """The door to other machines."""

    @property
    def network(self) -> Network | None:
        """Where it is open; None while it is closed."""
        ...

    async def open(self, interface: str = "") -> Network:
        """Listen on an interface (empty: the best), if it does not yet. Raises LanRefused, PortTaken."""
        ...

    async def settle(self) -> None:
        """Close it unless somebody may come in through it."""
        ...


class Grant(msgspec.Struct, frozen=True):
    """What the new device will be allowed."""

    scopes: tuple[AccessScope, ...] = ("chat",)
    classes: tuple[str, ...] | None = None


class Opened(msgspec.Struct, frozen=True):
    """A window, as its owner sees it when it opens. The only place where secret and code are shown."""

    secret: str
    code: str
    expires_in_s: int
    network: Network
    url: str
    """For the QR code. What follows `#` stays in the device."""


class Claim(msgspec.Struct):
    """Which device wants in. `nonce` is its own secret, by which it is known when it asks again."""

    nonce: str
    name: str
    kind: Literal["phone", "computer"]
    check: str
    token: str = ""
    device: Device | None = None


class Seen(msgspec.Struct, frozen=True):
    """A window, as its owner sees it later."""

    state: Literal["closed", "open", "claimed", "accepted"]
    expires_in_s: int = 0
    tries_left: int = 0
    name: str = ""
    kind: str = ""
    check: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What a device that claims is told."""

    state: Literal["waiting", "accepted"]
    check: str
    salt: str
    fingerprint: str
    authority: str
    token: str = ""
    device: Device | None = None


class _Window:
    def __init__(self, network: Network, grant: Grant, expires: float) -> None:
        self.network = network
        self.grant = grant
        self.expires = expires
        self.secret = secrets.token_urlsafe(_SECRET_BYTES)
        self.code = "".join(secrets.choice(_CROCKFORD) for _ in range(_CODE_CHARS))
        self.salt = secrets.token_hex(_SECRET_BYTES)
        self.tries = LIMITS.pair_tries
        self.claim: Claim | None = None
        self.decided = asyncio.Event()

    def proves(self, proof: str) -> bool:
        """Whether it is the secret or the code. Both are compared, always."""
        given = proof.strip().encode()
        secret = hmac.compare_digest(given, self.secret.encode())
        code = hmac.compare_digest(typed(proof).encode(), self.code.encode())
        return secret or code


class Pairing:
    """One window at a time. `clock` goes on while the machine sleeps."""

    def __init__(
        self, devices: Devices, lan: Lan, clock: Callable[[], float] | None = None
    ) -> None:
        self._devices = devices
        self._lan = lan
        self._clock = clock or waking
        self._window: _Window | None = None
        self._expiry: asyncio.Task[None] | None = None

    async def start(self, grant: Grant, interface: str = "") -> Opened:
        """Open a window, in place of any other, and the LAN with it. Raises LanRefused, PortTaken."""
        await self.cancel()
        network = await self._lan.open(interface)
        window = self._window = _Window(network, grant, self._clock() + LIMITS.pair_s)
        self._expiry = asyncio.create_task(self._expire(window))
        return Opened(window.secret, shown(window.code), LIMITS.pair_s, network, _url(window))

    @property
    def authority(self) -> str:
        """The certificate of this machine's authority, PEM; empty while the LAN is closed."""
        return self._lan.network.authority if self._lan.network else ""

    def state(self) -> Seen:
        """How far it is."""
        window = self._current()
        if window is None:
            return Seen("closed")
        left = max(0, round(window.expires - self._clock()))
        claim = window.claim
        if claim is None:
            return Seen("open", left, window.tries)
        state: Literal["claimed", "accepted"] = "accepted" if claim.token else "claimed"
        return Seen(state, left, window.tries, claim.name, claim.kind, claim.check)

    async def claim(
        self, proof: str, nonce: str, name: str, kind: Literal["phone", "computer"]
    ) -> Answer:
        """Take the window, or ask how it stands; only who asks again waits a little for the owner's answer.

        Raises PairingRefused, the same for every cause.
        """
        window, claim, first = self._take(proof, nonce, name, kind)
        if not claim.token and not first:  # the first answer brings the characters to compare
            try:
                async with asyncio.timeout(LIMITS.pair_poll_s):
                    await window.decided.wait()
            except TimeoutError:
                pass
        if window is not self._current():
            raise PairingRefused
        answer = Answer(
            "accepted" if claim.token else "waiting",
            claim.check,
            window.salt,
            window.network.fingerprint,
            window.network.authority,
            claim.token,
            claim.device,
        )
        if claim.token:
            self._window = None  # handed over: nobody gets it twice
        return answer

    def _take(
        self, proof: str, nonce: str, name: str, kind: Literal["phone", "computer"]
    ) -> tuple[_Window, Claim, bool]:
        """The window, its claim, and whether that is new.

        One step, with nothing awaited in it: of many who claim at once, one gets the window.
        """
        window = self._current()
        if window is None:
            raise PairingRefused
        if not window.proves(proof):
            window.tries -= 1
            if window.tries <= 0:
                self._drop(window)
            raise PairingRefused
        first = window.claim is None
        if window.claim is None:
            check = check_characters(window.network.fingerprint, window.salt, nonce, name)
            window.claim = Claim(nonce, name, kind, check)
        elif not hmac.compare_digest(window.claim.nonce.encode(), nonce.encode()):
            raise PairingRefused
        return window, window.claim, first

    async def accept(self, check: str) -> Device:
        """The owner's yes to these check characters: the device is let in. Raises PairingRefused."""
        window = self._current()
        claim = window.claim if window else None
        if window is None or claim is None or claim.token or typed(check) != claim.check:
            raise PairingRefused("There is no device that shows these characters.")
        wanted = Device(
            id="", name=claim.name, kind=claim.kind,
            scopes=window.grant.scopes, classes=window.grant.classes,
        )  # fmt: skip
        device, token = await self._devices.add(wanted)
        if window is not self._current():
            await self._devices.revoke(device.id)
            raise PairingRefused
        claim.device, claim.token = device, token
        window.decided.set()
        return device

    async def cancel(self) -> None:
        """Close the window, if one is open; the device that has claimed it is refused."""
        window = self._window
        if window is not None:
            self._drop(window)
            if window.claim is not None and window.claim.device is not None:
                await self._devices.revoke(window.claim.device.id)
        if self._expiry is not None and self._expiry is not asyncio.current_task():
            self._expiry.cancel()
            self._expiry = None
        await self._lan.settle()

    def _current(self) -> _Window | None:
        if self._window is not None and self._clock() >= self._window.expires:
            return None
        return self._window

    def _drop(self, window: _Window) -> None:
        if self._window is window:
            self._window = None
        window.decided.set()

    async def _expire(self, window: _Window) -> None:
        # In small steps: timers of the loop stand still while the machine sleeps.
        while self._window is window and self._clock() < window.expires:  # noqa: ASYNC110
            await asyncio.sleep(min(1.0, max(0.01, window.expires - self._clock())))
        if self._window is window:
            await self.cancel()
        else:
            await self._lan.settle()


def check_characters(fingerprint: str, salt: str, nonce: str, name: str) -> str:
    """The eight characters both screens show: over the certificate, both sides' chance, and the name."""
    text = "\n".join((fingerprint, salt, nonce, name))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))[:_CHECK_CHARS]


def typed(code: str) -> str:
    """A code as people type it: any case, with spaces or dashes, O for 0, I and L for 1 (Crockford)."""
    plain = code.upper().replace("-", "").replace(" ", "")
    return plain.replace("O", "0").replace("I", "1").replace("L", "1")


def shown(code: str) -> str:
    """In two halves, which are easier to read aloud."""
    return f"{code[:4]}-{code[4:]}"


def waking() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _url(window: _Window) -> str:
    best, *others = window.network.addresses
    rest = "".join(f"&a={host}" for host in others)
    fingerprint = window.network.fingerprint
    return f"https://{best}/#pair&v=1{rest}&f={fingerprint}&s={window.secret}"
