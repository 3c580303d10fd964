"""A restore gives the whole backup, or leaves every byte as it was."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from assistant.config import Settings
from assistant.errors import (
    BackupInvalid,
    BackupNotFound,
    DiskFull,
    KeyMissing,
    KeyWrong,
    StoreError,
)
from assistant.memory import copies, database, keys
from assistant.memory.restore import inspect, restore
from assistant.types import Device, NewMemory

SETTINGS = Settings(embedder="fake", key_store="file")


@pytest.fixture
async def backup(paths, memory):
    """The path of a backup of 300 memories; the memory itself has two more."""
    async with memory() as service:
        await service.memories.add_many([NewMemory(f"old {n}") for n in range(300)])
        made, _ = await service.backups.make()
        await service.memories.add_many([NewMemory("new 1"), NewMemory("new 2")])
    return paths.backups / made.name


def contents(paths) -> dict[str, bytes]:
    files = [p for p in paths.data.parent.rglob("*") if p.is_file()]
    return {str(p): p.read_bytes() for p in files}


def run(paths, name, drop=lambda: None):
    return restore(paths, SETTINGS, str(name), drop_caches=drop)


async def test_the_memory_is_the_backup_and_the_one_before_is_kept(paths, memory, backup):
    dropped = []
    done = run(paths, backup.name, lambda: dropped.append(1))
    assert dropped == [1]
    assert done.contents.rows == 300
    assert done.kept.startswith("memory.db.before-restore-")
    async with memory() as service:
        assert (await service.memories.count()).count == 300
        assert (await service.memories.check(full=True))["ok"]
        row = await service.memories.add(NewMemory("after"))
        names = {one.name: one.kind for one in await service.backups.holders()}
        assert names == {backup.name: "backup", done.kept: "replaced"}
        await service.memories.delete(row.id)
        assert (paths.data / done.kept).exists(), "forgetting one thing threw a whole memory away"
    # and back again
    again = run(paths, done.kept)
    assert again.contents.rows == 302
    assert (paths.data / done.kept).exists()


async def test_no_token_of_a_backup_opens_a_door(paths, memory):
    async with memory() as service:
        phone = Device("d_1", "phone", "phone", ("chat",), created_at="2026-11-01T00:00:00Z")
        await service.devices.add(phone, "t1", b"0" * 32)
        made, _ = await service.backups.make()
        assert len(await service.devices.all()) == 1
    restore(paths, SETTINGS, made.name, drop_caches=lambda: None)
    async with memory() as service:
        assert await service.devices.all() == []


async def test_a_log_of_the_old_memory_never_meets_the_new_one(paths, memory, backup):
    key = keys.find_key(paths, "file")
    with closing(database.connect(paths.database, key)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE memories SET text = 'in the log'")
        db.execute("COMMIT")
        log = paths.database.with_name("memory.db-wal").read_bytes()
        shutil.copy(paths.database, paths.data / "before")
    shutil.copy(paths.data / "before", paths.database)
    paths.database.with_name("memory.db-wal").write_bytes(log)
    done = run(paths, backup)
    with closing(database.connect(paths.data / done.kept, key)) as db:
        sql = "SELECT count(*) FROM memories WHERE text = 'in the log'"
        assert db.execute(sql).fetchone()[0] == 302
    async with memory() as service:
        assert (await service.memories.check(full=True))["ok"]
        assert (await service.memories.count()).count == 300


@pytest.mark.parametrize("present", ["damaged", "missing", "cut off"])
async def test_a_lost_memory_is_no_obstacle(paths, memory, backup, present):
    whole = paths.database.read_bytes()
    if present == "missing":
        paths.database.unlink()
    else:
        paths.database.write_bytes(os.urandom(9000) if present == "damaged" else whole[:1000])
    kept = run(paths, backup).kept
    assert bool(kept) == (present != "missing")
    async with memory() as service:
        assert (await service.memories.count()).count == 300


@pytest.mark.parametrize("where", [0, 20, 4095, 4096 * 7 + 100, -1])
async def test_one_flipped_byte_is_refused(paths, backup, where):
    data = bytearray(backup.read_bytes())
    data[where] ^= 1
    backup.write_bytes(data)
    before = contents(paths)
    with pytest.raises((BackupInvalid, KeyWrong)) as caught:
        run(paths, backup, lambda: pytest.fail("caches were dropped"))
    assert caught.value.hint
    assert contents(paths) == before


@pytest.mark.parametrize("size", [0, 100, 4096, 4096 * 10, -4096, -1])
async def test_a_cut_off_file_is_refused(paths, backup, size):
    backup.write_bytes(backup.read_bytes()[:size])
    before = contents(paths)
    with pytest.raises(BackupInvalid):
        run(paths, backup)
    assert contents(paths) == before


async def test_other_files_are_refused(paths, backup, tmp_path):
    key = keys.find_key(paths, "file")
    foreign = tmp_path / "foreign.db"
    with closing(database.connect_draft(foreign, key)) as db:
        db.execute("CREATE TABLE x (y)")
    newer = tmp_path / "newer.db"
    shutil.copy(backup, newer)
    with closing(database.connect_draft(newer, key)) as db:
        db.execute(
            "INSERT INTO migrations (migration_set, name, applied_at) VALUES ('nestor', 'm999_x', '')"
        )
    before = contents(paths)
    for name, error, words in (
        (foreign, BackupInvalid, "no memory"),
        (newer, StoreError, "newer Nestor"),
        (paths.database, BackupInvalid, "itself"),
        ("memory-20000101T000000Z.db", BackupNotFound, "no backup"),
        (tmp_path / "nothing", BackupNotFound, "no backup"),
        ("../nowhere/memory.db", BackupNotFound, "no backup"),
        (tmp_path, BackupNotFound, "no backup"),
    ):
        with pytest.raises(error, match=words):
            run(paths, name)
    assert contents(paths) == before


async def test_a_wrong_or_missing_key_is_said(paths, backup):
    paths.key.write_text(secrets.token_hex(32))
    before = contents(paths)
    with pytest.raises(KeyWrong) as caught:
        run(paths, backup)
    assert "key it was made with" in caught.value.hint
    paths.key.unlink()
    with pytest.raises(KeyMissing):
        run(paths, backup)
    assert {k: v for k, v in before.items() if k != str(paths.key)} == contents(paths)


async def test_a_failure_at_any_step_leaves_a_whole_memory(paths, backup, monkeypatch):
    key = keys.find_key(paths, "file")
    before = paths.database.read_bytes()

    def fail(*_, **__):
        raise OSError(28, "no space")

    for owner, name in ((os, "link"), (Path, "replace"), (os, "fsync")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            if name == "link":
                patch.setattr(copies, "check_room", fail)
            with pytest.raises(DiskFull):
                run(paths, backup)
        assert paths.database.read_bytes() == before
        assert copies.verify(paths.database, key).rows == 302
        assert not [p for p in paths.data.iterdir() if p.name.startswith(".memory")]


async def test_a_disk_that_is_full_leaves_the_memory_as_it_was(
    paths, memory, backup, tmp_path, monkeypatch
):
    monkeypatch.setattr(copies, "check_room", lambda *_: None)
    async with memory() as service:
        rows = [NewMemory(f"{n} " + "word " * 400) for n in range(1_000)]
        await service.memories.add_many(rows)
        big, _ = await service.backups.make(to=str(tmp_path))
    data = paths.data
    before = tmp_path / "before"
    data.rename(before)
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(data)]
    if await asyncio.to_thread(subprocess.call, mount, stderr=subprocess.DEVNULL):
        pytest.skip("a disk can be mounted by root alone")
    try:
        shutil.copy(before / "backups" / backup.name, paths.database)
        whole = paths.database.read_bytes()
        with pytest.raises(DiskFull):
            run(paths, tmp_path / big.name, lambda: pytest.fail("caches were dropped"))
        assert [p.name for p in data.iterdir()] == ["memory.db"]
        assert paths.database.read_bytes() == whole
    finally:
        await asyncio.to_thread(subprocess.check_call, ["umount", str(data)])


CRASH = """
import os, sys
from assistant.config import Settings, load_paths
from assistant.memory.restore import restore
paths, settings = load_paths(), Settings(embedder="fake", key_store="file")
left = int(sys.argv[2])

def crash(event, _):
    global left
    if event in ("open", "os.link", "os.rename", "os.remove", "sqlite3.connect"):
        left -= 1
        if not left:
            os._exit(9)

sys.addaudithook(crash)
restore(paths, settings, sys.argv[1], drop_caches=lambda: None)
"""


@pytest.mark.slow
async def test_a_crash_at_any_step_leaves_the_old_memory_or_the_new_one(paths, memory, backup):
    key = keys.find_key(paths, "file")
    before = paths.data.with_name("before")
    shutil.copytree(paths.data, before)
    seen = []
    for step in range(1, 100):
        environ = os.environ | {"NESTOR_HOME": str(paths.data.parent)}
        command = [sys.executable, "-c", CRASH, str(backup), str(step)]
        done = await asyncio.to_thread(subprocess.run, command, env=environ, check=False)
        rows = copies.verify(paths.database, key).rows
        seen.append((done.returncode, rows))
        async with memory() as service:
            assert (await service.memories.count()).count == rows
            kept = [b for b in await service.backups.list() if b.kind == "replaced"]
            assert [b.rows for b in kept] == ([302] if rows == 300 else [])
        assert not list(paths.data.glob(".memory*"))
        shutil.rmtree(paths.data)
        shutil.copytree(before, paths.data)
        if not done.returncode:
            break
    assert seen[-1] == (0, 300)
    assert len(seen) > 5
    assert {(9, 302), (9, 300)} <= set(seen), "no crash on one side of the swap"


@pytest.mark.parametrize("moved", [False, True])
async def test_a_log_that_a_crashed_restore_took_comes_back(paths, memory, backup, moved):
    key = keys.find_key(paths, "file")
    with closing(database.connect(paths.database, key)) as db:
        db.execute("UPDATE memories SET importance = 0.25")
        shutil.copy(paths.database, paths.data / "saved")
        log = paths.database.with_name("memory.db-wal").read_bytes()
    os.replace(paths.data / "saved", paths.database)
    kept = paths.data / "memory.db.before-restore-20260101T000000Z"
    os.link(paths.database, kept)
    (kept if moved else paths.database).with_name(
        f"{(kept if moved else paths.database).name}-wal"
    ).write_bytes(log)
    async with memory() as service:
        rows, _ = await service.memories.list(limit=200)
        assert {row.importance for row in rows} == {0.25}, "what was in the log is lost"
    assert not list(paths.data.glob("*before-restore*"))


async def test_no_links_no_matter(paths, memory, backup, monkeypatch):
    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    kept = paths.data / run(paths, backup).kept
    key = keys.find_key(paths, "file")
    assert copies.verify(kept, key).rows == 302
    assert kept.stat().st_mode & 0o077 == 0
    assert copies.verify(paths.database, key).rows == 300


async def test_a_crash_before_the_swap_leaves_one_memory_and_no_second_name(paths, memory, backup):
    os.link(paths.database, paths.data / "memory.db.before-restore-20260101T000000Z")
    async with memory() as service:
        assert [one.name for one in await service.backups.list()] == [backup.name]
        assert (await service.memories.count()).count == 302
    assert not list(paths.data.glob("*before-restore*"))


async def test_looking_changes_nothing(paths, backup):
    before = contents(paths)
    source, found = inspect(paths, SETTINGS, backup.name)
    assert (source, found.rows) == (backup, 300)
    assert contents(paths) == before


async def test_every_step_says_how_far_it_is(paths, memory, backup):
    told = []
    restore(
        paths,
        SETTINGS,
        str(backup),
        drop_caches=lambda: None,
        progress=lambda step, done, total: told.append((step, done, total)),
    )
    steps = list(dict.fromkeys(step for step, _, _ in told))
    assert steps == [
        "check the backup", "copy", "leave out what was forgotten", "check the copy"
    ]  # fmt: skip
    for step in ("check the backup", "copy", "check the copy"):
        done = [(at, total) for name, at, total in told if name == step]
        assert done == sorted(done)
        assert done[-1][0] == done[-1][1] > 0
