"""What was acknowledged survives; what was forgotten is nowhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from assistant.errors import DiskFull, StoreError
from assistant.memory.writer import Writer
from assistant.types import NewMemory


def found_in(folder: Path, secret: str) -> list[Path]:
    forms = [secret.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    files = (p for p in folder.rglob("*") if p.is_file())
    return [p for p in files if any(form in p.read_bytes() for form in forms)]


async def test_the_folder_never_holds_a_plain_word(paths, memory, settled):
    secret = "quetzalcoatl-9931"
    async with memory() as service:
        store = service.memories
        added = await store.add(NewMemory(f"The word is {secret}", speaker=secret, source=secret))
        await store.edit(added.id, text=f"The word is still {secret}")
        await store.recall(f"What about {secret}?", k=3)
        chat = await service.conversations.create(secret, secret)
        await service.conversations.start_turn(chat.id, "t_1", secret, "m")
        await settled(service)
        assert found_in(paths.data.parent, secret) == []
    assert found_in(paths.data.parent, secret) == []


async def test_after_a_delete_no_page_or_log_has_it(paths, memory, settled):
    """Read with the key: the file's free pages, the word index and the log are clean."""
    secret = "quetzalcoatl"
    async with memory() as service:
        store = service.memories
        await store.add_many([NewMemory(f"filler {n}") for n in range(50)])
        added = await store.add(NewMemory(f"The word is {secret}"))
        await settled(service)
        await store.delete(added.id)
        assert paths.database.with_name("memory.db-wal").stat().st_size == 0
        plain = paths.data / "plain.db"

        def export(db):
            db.execute(f"ATTACH DATABASE '{plain}' AS plain KEY ''")
            db.execute("SELECT sqlcipher_export('plain')")
            db.execute("DETACH DATABASE plain")

        await asyncio.wrap_future(service._writer.submit(export, alone=True))
        # The export copies the word index's own tables, so its pages would show the word.
        assert b"filler" in plain.read_bytes()
        assert secret.encode() not in plain.read_bytes()
        assert secret[:8].encode() not in plain.read_bytes()


async def test_a_full_disk_is_said_and_survived(memory):
    async with memory() as service:
        await service.memories.add(NewMemory("before"))

        def limit(db):
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages}")

        await asyncio.wrap_future(service._writer.submit(limit, alone=True))
        with pytest.raises(DiskFull):
            await service.memories.add_many([NewMemory("x" * 9000 + str(n)) for n in range(20)])
        assert (await service.memories.count()).count == 1
        unlimit = service._writer.submit(
            lambda db: db.execute("PRAGMA max_page_count = 100000").fetchall(), alone=True
        )
        await asyncio.wrap_future(unlimit)
        await service.memories.add(NewMemory("after"))
        assert (await service.memories.count()).count == 2
        assert (await service.memories.check(full=True))["ok"]


def test_after_a_disk_error_nothing_more_is_promised():
    from sqlcipher3 import dbapi2

    class Broken:
        class conn:
            in_transaction = False

        def execute(self, sql):
            if sql == "COMMIT":
                raise dbapi2.OperationalError("disk I/O error")
            return self

        def fetchone(self):
            return [0]

        def rollback(self):
            pass

        def close(self):
            pass

    writer = Writer(Broken())
    with pytest.raises(StoreError):
        writer.submit(lambda db: 1).result(5)
    writer._checkpoint_due = 0.0  # a log that waits to be emptied keeps nobody from an answer
    for _ in range(2):
        with pytest.raises(StoreError, match="disk failed"):
            writer.submit(lambda db: 1).result(5)
    writer.close()
