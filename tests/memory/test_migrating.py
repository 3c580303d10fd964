"""Every released schema opens; a killed migration loses nothing; a newer file is left alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from assistant.config import Settings
from assistant.errors import StoreError
from assistant.memory import copies, database, keys, migrations
from assistant.memory.service import open_memory

HERE = Path(__file__).parent
SCHEMAS = sorted(path.stem for path in HERE.glob("m*.db"))
NEWEST = max(int(step.name[1:4]) for step in migrations.steps._migrations)
ZYGOTE = HERE / "migrating_zygote.py"


def put(paths, schema: str) -> None:
    shutil.copy(HERE / f"{schema}.db", paths.database)
    shutil.copy(HERE / f"{schema}.key", paths.key)


def test_every_fixture_has_its_key_and_none_is_lost():
    assert SCHEMAS[:3] == ["m001", "m002", "m003"]
    assert sorted(path.stem for path in HERE.glob("m*.key")) == SCHEMAS


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_database_of_each_schema_opens_and_is_brought_up_to_date(paths, memory, schema):
    put(paths, schema)
    assert copies.look(paths.database, keys.find_key(paths, "file")).schema == int(schema[1:])
    async with memory() as service:
        report = await service.memories.check(full=True)
        assert (report["problems"], report["rows"], report["live"]) == ([], 4, 3)
        found = await service.memories.recall("Where does my sister live?", k=1)
        assert [m.text for m in found] == ["My sister lives in Porto"]
        (chat,), _ = await service.conversations.list()
        turns = await service.conversations.turns(chat.id)
        assert [turn.reply for turn in turns] == ["In Porto."]
        _, summary = await service.conversations.history(chat.id)
        assert (summary is not None) == (schema >= "m002")
        forgotten = await service.memories.was_forgotten(["never to be seen again"])
        assert forgotten == [schema >= "m003"]
    key = keys.find_key(paths, "file")
    assert copies.look(paths.database, key).schema == NEWEST


def test_20_kills_while_migrating_lose_no_row(paths):
    put(paths, "m001")
    with closing(database.connect(paths.database, keys.find_key(paths, "file"))) as db:
        columns = "kind, text, trust, created_at, said_at, valid_from, content_hash"
        db.execute("BEGIN")
        for n in range(1500):
            db.execute(
                f"INSERT INTO memories (id, {columns}) SELECT ?, kind, ? || text, trust, created_at,"
                " said_at, valid_from, randomblob(32) FROM memories WHERE seq = 1",
                [f"m_{n}", f"{n} "],
            )
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = copies.look(paths.database, keys.find_key(paths, "file")).rows
    done = subprocess.run(
        [sys.executable, str(ZYGOTE), str(paths.data.parent), "20", "7"],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(report["killed_after"]) == 20
    midway = [schema for schema in report["killed_after"] if schema < report["last"]]
    assert len(midway) >= 10, report
    assert report["rows"] == before


async def test_a_newer_file_keeps_every_byte(paths, memory):
    async with memory():
        pass
    with closing(database.connect(paths.database, keys.find_key(paths, "file"))) as db:
        db.execute(
            "INSERT INTO migrations (migration_set, name, applied_at) VALUES ('nestor', 'm999_x', '')"
        )
    before = {p.name: p.read_bytes() for p in paths.data.iterdir() if p.is_file()}
    with pytest.raises(StoreError, match="newer Nestor"):
        await open_memory(paths, Settings(embedder="fake", key_store="file"))
    with pytest.raises(StoreError, match="newer Nestor"):
        await asyncio.to_thread(copies.verify, paths.database, keys.find_key(paths, "file"))
    assert {p.name: p.read_bytes() for p in paths.data.iterdir() if p.is_file()} == before


async def test_claims_are_read_by_the_newest_schema_and_a_kill_before_that_loses_none(
    paths, memory, monkeypatch
):
    """A step that came later needs a column that `m004` did not know: nothing of it may run in there."""
    put(paths, "m003")
    seen = []

    def interrupted(db):
        seen.append(migrations.schema(db))
        raise KeyboardInterrupt

    monkeypatch.setattr("assistant.memory.facts.backfill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        await open_memory(paths, Settings(embedder="fake", key_store="file"))
    assert seen == [NEWEST]
    monkeypatch.undo()
    async with memory() as service:
        (row,) = [one for one in (await service.memories.list())[0] if "Porto" in one.text]
        assert (row.subject, row.attribute) == ("My sister", "home")
        told = service._readers.read(
            lambda db: db.execute(
                "SELECT count(*) FROM settings WHERE name LIKE 'claims%'"
            ).fetchone()
        )
        assert told == (0,)
