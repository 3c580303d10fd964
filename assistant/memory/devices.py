"""The devices that may ask, and their tokens: kept as hashes, so that the file opens no door."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlite_utils import Database

from assistant.errors import DeviceNotFound
from assistant.memory.readers import Readers
from assistant.memory.writer import Writer
from assistant.types import Device, now

_COLUMNS = (
    "id, name, kind, scopes, classes, created_at, last_used_at, expires_at, revoked_at"  # as Device
)

_LAN = "lan interface"


class DeviceStore:
    """The devices of one database. Built by `service.open_memory`."""

    def __init__(self, writer: Writer, readers: Readers, *, clock: Callable[[], str] = now) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock

    async def all(self) -> list[tuple[Device, str, bytes]]:
        """Every device that was not revoked, with the id and SHA-256 of its token, oldest first."""
        columns = ", ".join(f"d.{name}" for name in _COLUMNS.split(", "))
        sql = (
            f"SELECT {columns}, t.id, t.digest FROM devices d JOIN tokens t ON t.device_id = d.id "  # noqa: S608
            "WHERE d.revoked_at IS NULL ORDER BY d.created_at, d.id"
        )
        found = await self._readers.run(lambda db: db.execute(sql).fetchall())
        return [(_device(row[:-2]), row[-2], bytes(row[-1])) for row in found]

    async def revoked(self) -> list[Device]:
        """The devices that were, latest first."""
        sql = (
            f"SELECT {_COLUMNS} FROM devices WHERE revoked_at IS NOT NULL ORDER BY revoked_at DESC"  # noqa: S608
        )
        return [
            _device(row) for row in await self._readers.run(lambda db: db.execute(sql).fetchall())
        ]

    async def add(self, device: Device, token_id: str, digest: bytes) -> None:
        """Store a device with its token."""

        def work(db: Database) -> None:
            db.execute(
                f"INSERT INTO devices ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                [device.id, device.name, device.kind, json.dumps(device.scopes),
                 _classes(device.classes), device.created_at, None, device.expires_at, None],
            )  # fmt: skip
            db.execute(
                "INSERT INTO tokens (id, device_id, digest, created_at) VALUES (?, ?, ?, ?)",
                [token_id, device.id, digest, device.created_at],
            )

        await self._writer.run(work)

    async def change(self, device: Device) -> None:
        """Store what it is called and may do. Raises DeviceNotFound."""
        await self._update(
            "name = ?, scopes = ?, classes = ?, expires_at = ?",
            [device.name, json.dumps(device.scopes), _classes(device.classes), device.expires_at],
            device.id,
        )

    async def revoke(self, device_id: str) -> None:
        """Let it in no more, for good: its tokens are deleted. Raises DeviceNotFound."""
        moment = self._clock()

        def work(db: Database) -> None:
            _one(db, "revoked_at = ?", [moment], device_id)
            db.execute("DELETE FROM tokens WHERE device_id = ?", [device_id])

        await self._writer.run(work)

    async def used(self, device_id: str, moment: str) -> None:
        """Note when it last asked. Raises DeviceNotFound."""
        await self._update("last_used_at = ?", [moment], device_id)

    async def lan(self) -> str | None:
        """The interface that was chosen for the LAN (empty: the likeliest); None while it is closed."""
        sql = "SELECT value FROM settings WHERE name = ?"
        row = await self._readers.run(lambda db: db.execute(sql, [_LAN]).fetchone())
        return None if row is None else bytes(row[0]).decode()

    async def set_lan(self, interface: str | None) -> None:
        """Keep that choice."""

        def work(db: Database) -> None:
            db.execute("DELETE FROM settings WHERE name = ?", [_LAN])
            if interface is not None:
                db.execute(
                    "INSERT INTO settings (name, value) VALUES (?, ?)", [_LAN, interface.encode()]
                )

        await self._writer.run(work)

    async def _update(self, changes: str, values: Sequence[Any], device_id: str) -> None:
        await self._writer.run(lambda db: _one(db, changes, values, device_id))


def _one(db: Database, changes: str, values: Sequence[Any], device_id: str) -> None:
    sql = f"UPDATE devices SET {changes} WHERE id = ? AND revoked_at IS NULL"  # noqa: S608
    if db.execute(sql, [*values, device_id]).rowcount != 1:
        raise DeviceNotFound


def _classes(classes: tuple[str, ...] | None) -> str | None:
    return None if classes is None else json.dumps(classes)


def _device(row: Sequence[Any]) -> Device:
    device_id, name, kind, scopes, classes, *times = row
    seen = None if classes is None else tuple(json.loads(classes))
    return Device(device_id, name, kind, tuple(json.loads(scopes)), seen, *times)
