"""What devices send each other, until it has arrived."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.errors import ParcelNotFound, TooManyParcels
from assistant.memory.readers import Readers
from assistant.memory.traces import Traces
from assistant.memory.writer import Writer
from assistant.types import Parcel

_COLUMNS = "id, kind, text, name, bytes, sender, receiver, created_at"  # as Parcel
_MINE = "(receiver IS NULL OR receiver = ?)"

_Parcels = list[Parcel]  # `list` is a method below


class Parcels:
    """The parcels of one database. Built by `service.open_memory`."""

    def __init__(self, writer: Writer, readers: Readers, traces: Traces) -> None:
        self._writer = writer
        self._readers = readers
        self._traces = traces

    async def add(self, parcel: Parcel, content: bytes) -> None:
        """Keep one. Raises TooManyParcels."""

        def work(db: Database) -> None:
            (waiting,) = db.execute("SELECT count(*) FROM parcels").fetchone()
            if waiting >= LIMITS.parcels:
                raise TooManyParcels
            db.execute(
                f"INSERT INTO parcels ({_COLUMNS}, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                [parcel.id, parcel.kind, parcel.text, parcel.name, parcel.bytes, parcel.sender,
                 parcel.to, parcel.created_at, content],
            )  # fmt: skip

        await self._writer.run(work)

    async def list(self, device: str) -> _Parcels:
        """What is for this device, latest first."""
        sql = f"SELECT {_COLUMNS} FROM parcels WHERE {_MINE} ORDER BY id DESC"  # noqa: S608
        found = await self._readers.run(lambda db: db.execute(sql, [device]).fetchall())
        return [Parcel(*row) for row in found]

    async def get(self, parcel_id: str, device: str) -> tuple[Parcel, bytes]:
        """One that is for this device, with its content. Raises ParcelNotFound."""
        return await self._readers.run(lambda db: _get(db, parcel_id, device))

    async def delete(self, parcel_id: str, device: str) -> Parcel:
        """Remove one that is for this device, for good. Raises ParcelNotFound."""

        def work(db: Database) -> Parcel:
            found, _ = _get(db, parcel_id, device)
            db.execute("DELETE FROM parcels WHERE id = ?", [parcel_id])
            return found

        gone = await self._writer.run(work)
        await self._traces.wipe()
        return gone


def _get(db: Database, parcel_id: str, device: str) -> tuple[Parcel, bytes]:
    sql = f"SELECT {_COLUMNS}, content FROM parcels WHERE id = ? AND {_MINE}"  # noqa: S608
    row: Any = db.execute(sql, [parcel_id, device]).fetchone()
    if row is None:
        raise ParcelNotFound
    return Parcel(*row[:-1]), bytes(row[-1])
