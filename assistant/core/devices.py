"""Who may ask, besides the owner: devices by their tokens, and what ends when one is revoked.

All of it is in memory, so that a request costs no query; every change is on disk before it holds
here, except a revocation, which holds at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from assistant.errors import DeviceNotFound, InvalidInput
from assistant.types import ACCESS_SCOPES, AccessScope, Device, new_id, now, timestamp

PREFIX = "nestor"
_SECRET_BYTES = 32
_ID_BYTES = 6
_NOTED_EVERY_S = 60.0


class DeviceStore(Protocol):
    """Where devices are kept. What returns is durable."""

    async def all(self) -> list[tuple[Device, str, bytes]]: ...
    async def revoked(self) -> list[Device]: ...
    async def add(self, device: Device, token_id: str, digest: bytes) -> None: ...
    async def change(self, device: Device) -> None: ...
    async def revoke(self, device_id: str) -> None: ...
    async def used(self, device_id: str, moment: str) -> None: ...


class Key(msgspec.Struct, frozen=True):
    """What a token opens."""

    device: Device
    digest: bytes
    expires: float | None
    """Seconds since 1970."""


class Devices:
    """The devices of one memory. Call `load` before anything else."""

    def __init__(self, store: DeviceStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._noted: dict[str, float] = {}
        self._noting: set[asyncio.Task[None]] = set()
        self._visits: dict[str, set[Visit]] = {}
        self._changing = asyncio.Lock()
        self.on_changed: Callable[[], None] = lambda: None
        """Told when a device came or went."""

    async def load(self) -> None:
        """Read all of them."""
        self._keys = {
            token: Key(device, digest, _seconds(device.expires_at))
            for device, token, digest in await self._store.all()
        }
        self.on_changed()

    def key(self, token_id: str) -> Key | None:
        """What the token with this id opens now; None for one that is unknown or has expired."""
        key = self._keys.get(token_id)
        if key is None or (key.expires is not None and key.expires <= self._clock()):
            return None
        return key

    def list(self) -> list[Device]:
        """All that may ask, oldest first."""
        found = {key.device.id: key.device for key in self._keys.values()}
        return [self._seen(device) for device in found.values()]

    async def revoked(self) -> Sequence[Device]:
        """Those that may no more, latest first."""
        return await self._store.revoked()

    def get(self, device_id: str) -> Device:
        """One of them. Raises DeviceNotFound."""
        for key in self._keys.values():
            if key.device.id == device_id:
                return self._seen(key.device)
        raise DeviceNotFound

    async def add(self, device: Device) -> tuple[Device, str]:
        """Let a device in (its id and time of creation are made here); it, and its token, shown once.

        Raises InvalidInput.
        """
        made = msgspec.structs.replace(
            _checked(device, self._clock()), id=new_id("d"), created_at=now()
        )
        token_id, token = fresh_token()
        async with self._changing:
            await self._store.add(made, token_id, digest(token.encode()))
            await self.load()
        return made, token

    async def change(self, device: Device) -> Device:
        """Store what it is called and may do; what it is doing now ends. Raises DeviceNotFound."""
        async with self._changing:
            before = self.get(device.id)
            await self._store.change(_checked(device, self._clock()))
            await self.load()
        if (before.scopes, before.classes, before.expires_at) != (
            device.scopes, device.classes, device.expires_at,
        ):  # fmt: skip
            self._end(device.id)
        return self.get(device.id)

    async def revoke(self, device_id: str) -> None:
        """Let it in no more; whatever it is doing ends at once. Raises DeviceNotFound."""
        async with self._changing:
            self.get(device_id)
            self._keys = {t: key for t, key in self._keys.items() if key.device.id != device_id}
            self._end(device_id)
            await self._store.revoke(device_id)
            self.on_changed()

    def enter(self, device: Device) -> Visit:
        """Note that the current task works for this device, until the visit is left."""
        visit = Visit(self, device.id)
        self._visits.setdefault(device.id, set()).add(visit)
        if (expires := _seconds(device.expires_at)) is not None:
            visit.expire_in(expires - self._clock())
        self._note(device.id)
        return visit

    def leave(self, visit: Visit) -> None:
        """It is done."""
        visits = self._visits.get(visit.device_id, set())
        visits.discard(visit)
        if not visits:
            self._visits.pop(visit.device_id, None)

    async def close(self) -> None:
        """Wait for what is still being noted."""
        await asyncio.gather(*self._noting, return_exceptions=True)

    def _end(self, device_id: str) -> None:
        for visit in list(self._visits.get(device_id, ())):
            visit.end()

    def _note(self, device_id: str) -> None:
        moment = self._clock()
        if abs(moment - self._noted.get(device_id, 0.0)) < _NOTED_EVERY_S:
            return
        self._noted[device_id] = moment
        task = asyncio.get_running_loop().create_task(self._store.used(device_id, now()))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)
        # Revoked meanwhile, or a full disk: when it was last used is worth no error.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _seen(self, device: Device) -> Device:
        noted = self._noted.get(device.id)
        if noted is None:
            return device
        moment = timestamp(datetime.fromtimestamp(noted, UTC))
        return msgspec.structs.replace(device, last_used_at=moment)


class Visit:
    """One request or WebSocket of a device, which ends when the device may no more."""

    def __init__(self, devices: Devices, device_id: str) -> None:
        self._devices = devices
        self._task = asyncio.current_task()
        self._expiry: asyncio.TimerHandle | None = None
        self.device_id = device_id
        self.ended = False
        """Whether it was ended from here, rather than by whoever asked."""

    def end(self) -> None:
        """Stop it now, unless it is what asked for that: it is answered."""
        if not self.ended and self._task not in (None, asyncio.current_task()):
            self.ended = True
            self._task.cancel()

    def expire_in(self, seconds: float) -> None:
        """Stop it then."""
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, seconds), self.end)

    def leave(self) -> None:
        """It is done."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._devices.leave(self)


def fresh_token() -> tuple[str, str]:
    """A token's id and the token itself: 256 bits of chance behind the id it is found by."""
    token_id = secrets.token_hex(_ID_BYTES)
    return token_id, f"{PREFIX}_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def token_id(token: bytes) -> str:
    """The id in a token; empty if it is not of this form."""
    prefix, _, rest = token.partition(b"_")
    found, _, secret = rest.partition(b"_")
    right = prefix == PREFIX.encode() and secret and len(found) == 2 * _ID_BYTES and found.isalnum()
    return found.decode("ascii", "replace") if right else ""


def digest(token: bytes) -> bytes:
    """As tokens are kept and compared."""
    return hashlib.sha256(token).digest()


def scopes(wanted: Sequence[str]) -> tuple[AccessScope, ...]:
    """In the order of the table. Raises InvalidInput for an unknown one."""
    if unknown := set(wanted) - set(ACCESS_SCOPES):
        known = ", ".join(ACCESS_SCOPES)
        raise InvalidInput(f"There is no scope {min(unknown)}.", f"There are: {known}.")
    return tuple(one for one in ACCESS_SCOPES if one in wanted)


def _checked(device: Device, moment: float) -> Device:
    if device.classes is not None and "admin" in device.scopes:
        raise InvalidInput("A device that sees only some classes cannot have the scope admin.")
    expires = _seconds(device.expires_at)
    if expires is not None and expires <= moment:
        raise InvalidInput("The device would have expired already.", "Give a later time.")
    return msgspec.structs.replace(device, scopes=scopes(device.scopes))


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()
