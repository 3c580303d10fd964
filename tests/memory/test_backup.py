"""A backup is whole or not there, holds what was stored before it, and opens with the key alone."""

from __future__ import annotations

import asyncio
import resource
import stat
import subprocess
import threading
from collections import namedtuple
from pathlib import Path

import msgspec
import pytest

from assistant.config import Settings
from assistant.errors import BackupFailed, BackupInvalid, DiskFull, InvalidInput
from assistant.memory import backups, copies, database, keys, migrations, rota
from assistant.memory.backups import Backups
from assistant.memory.rota import Rota
from assistant.types import NewMemory

NEWEST = max(int(step.name[1:4]) for step in migrations.steps._migrations)
SECRET = "quetzalcoatl-9931"


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def made_with(paths):
    """Backups of the open memory with other settings or another clock."""

    def make(service, clock=None, **settings):
        more = {"clock": clock} if clock else {}
        return Backups(paths, Settings(key_store="file", **settings), service.key, **more)

    return make


class Clock:
    def __init__(self, moment="2030-01-01T00:00:00Z"):
        self.moment = moment

    def __call__(self):
        return self.moment


async def test_a_backup_is_private_encrypted_whole_and_alone(paths, memory):
    async with memory() as service:
        await service.memories.add(NewMemory(f"The word is {SECRET}"))
        made, _ = await service.backups.make()
        path = paths.backups / made.name
        assert listed(paths.backups) == [made.name]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(paths.backups.stat().st_mode) == 0o700
        assert SECRET.encode() not in path.read_bytes()
        assert (made.bytes, made.rows, made.schema) == (path.stat().st_size, 1, NEWEST)
        assert made.verified
        assert await service.backups.list() == [made]
        with pytest.raises(copies.KeyWrong):
            copies.verify(path, keys.Key(bytes(32), "nowhere"))
        assert copies.verify(path, service.key).rows == 1
        assert listed(paths.backups) == [made.name]
        assert service.key.secret.hex() not in paths.backup_record.read_text()


async def test_writes_go_on_and_what_was_stored_before_is_in_it(paths, memory, monkeypatch):
    monkeypatch.setattr(copies, "STEP_PAGES", 1)
    async with memory() as service:
        store = service.memories
        before = {row.id for row in await store.add_many([NewMemory(f"m {n}") for n in range(400)])}
        chat = await service.conversations.create("x", "")
        steps, stop = 0, threading.Event()
        pace = Backups._pace

        def counted(self, making, gentle):
            step = pace(self, making, gentle)

            def count(done, total):
                nonlocal steps
                steps += 1
                if steps == 20:
                    assert stop.wait(30), "no write came through beside the backup"
                step(done, total)

            return count

        monkeypatch.setattr(Backups, "_pace", counted)
        backing = asyncio.create_task(service.backups.make())
        while steps < 20:
            await asyncio.sleep(0)
        running = service.backups.running
        assert 0 < running["done_bytes"] < running["total_bytes"]
        assert [b.name for b in await service.backups.holders()] == [running["name"]]
        for n in range(30):
            await store.add_many([NewMemory(f"during {n} {i}", thread="t") for i in range(5)])
            await service.conversations.start_turn(chat.id, f"t_{n}", "q", "m")
        await store.delete(next(iter(before)))
        stop.set()
        made, _ = await backing
        assert made.rows == 401
        with database.connect_still(paths.backups / made.name, service.key).conn as copy:
            assert {i for (i,) in copy.execute("SELECT id FROM memories")} == before
        after, _ = await service.backups.make()
        assert after.rows == 401 + 150 + 30 - 1


async def test_no_backup_has_a_part_of_what_was_stored_together(paths, memory):
    async with memory() as service:
        stored, done = [], asyncio.Event()

        async def write():
            while not done.is_set():
                thread = f"t{len(stored)}"
                rows = [NewMemory(f"{thread} {n}", thread=thread) for n in range(5)]
                stored.append((await service.memories.add_many(rows))[0].thread)

        writing = asyncio.create_task(write())
        for _ in range(15):
            before = set(stored)
            made, _ = await service.backups.make()
            with database.connect_still(paths.backups / made.name, service.key).conn as copy:
                sql = "SELECT thread, count(*) FROM memories GROUP BY thread"
                counts = dict(copy.execute(sql).fetchall())
            assert before <= set(counts)
            assert set(counts.values()) <= {5}
        done.set()
        await writing
        assert len(stored) > 15


async def test_a_failed_disk_leaves_nothing_and_keeps_the_older_ones(paths, memory):
    async with memory() as service:
        await service.memories.add_many([NewMemory(f"note {n} " * 20) for n in range(500)])
        first, _ = await service.backups.make()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (first.bytes // 2, hard))
        try:
            with pytest.raises(BackupFailed) as caught:
                await service.backups.make()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert str(paths.data) not in caught.value.message
        assert listed(paths.backups) == [first.name]
        await service.memories.add(NewMemory("still works"))
        assert (await service.memories.check(full=True))["ok"]


@pytest.fixture
def small_disk(tmp_path):
    """A real disk of three megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_disk_that_runs_full_midway(paths, memory, small_disk, monkeypatch):
    # The look ahead would refuse at once; another program may take the room after it.
    monkeypatch.setattr(copies, "check_room", lambda *_: None)
    async with memory() as service:
        await service.memories.add_many([NewMemory(f"{n} " + "word " * 400) for n in range(200)])
        first, _ = await service.backups.make(to=str(small_disk))
        for part in range(4):
            rows = [NewMemory(f"{part} {n} " + "word " * 400) for n in range(400)]
            await service.memories.add_many(rows)
        with pytest.raises(DiskFull) as caught:
            await service.backups.make(to=str(small_disk))
        assert "backup_folder" in caught.value.hint
        assert listed(small_disk) == [first.name]
        assert copies.verify(small_disk / first.name, service.key).rows == 200
        assert (await service.memories.count()).count == 1800
        assert (await service.memories.check(full=True))["ok"]


async def test_a_backup_that_no_list_would_name_is_not_kept(paths, memory, tmp_path):
    async with memory() as service:
        paths.backup_record.mkdir(parents=True)  # cannot be written
        with pytest.raises(BackupFailed, match="list of backups"):
            await service.backups.make(to=str(tmp_path))
    assert not list(tmp_path.glob("*.db"))


async def test_another_memorys_backup_of_the_same_second_is_not_replaced(
    paths, memory, made_with, monkeypatch
):
    copy = copies.make

    def beaten(source, draft, key, step):
        contents = copy(source, draft, key, step)
        (paths.backups / "memory-20300101T000000Z.db").write_bytes(b"theirs")
        return contents

    async with memory() as service:
        monkeypatch.setattr(copies, "make", beaten)
        own = made_with(service, Clock())
        with pytest.raises(BackupFailed):
            await own.make()
        await own.close()
    assert (paths.backups / "memory-20300101T000000Z.db").read_bytes() == b"theirs"
    assert listed(paths.backups) == ["memory-20300101T000000Z.db"]


async def test_a_backup_never_takes_the_last_room(paths, memory, monkeypatch):
    async with memory() as service:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(copies.shutil, "disk_usage", lambda _: usage(1, 1, copies.SPARE_BYTES))
        with pytest.raises(DiskFull) as caught:
            await service.backups.make()
        assert "backup_folder" in caught.value.hint
        assert listed(paths.backups) == []


async def test_a_damaged_copy_never_becomes_a_backup(paths, memory, monkeypatch):
    copy = copies.make

    def damaged(source, draft, key, step):
        contents = copy(source, draft, key, step)
        data = bytearray(draft.read_bytes())
        data[len(data) // 2] ^= 1
        draft.write_bytes(data)
        return contents

    async with memory() as service:
        monkeypatch.setattr(copies, "make", damaged)
        with pytest.raises(BackupInvalid):
            await service.backups.make()
    assert listed(paths.backups) == []


async def test_a_stop_ends_a_backup_and_leaves_nothing(paths, memory, monkeypatch):
    started = threading.Event()
    pace = Backups._pace

    def stopped(self, making, gentle):
        step = pace(self, making, gentle)

        def wait(done, total):
            started.set()
            assert self._closing.wait(30)
            step(done, total)

        return wait

    monkeypatch.setattr(Backups, "_pace", stopped)
    async with memory() as service:
        backing = asyncio.create_task(service.backups.make())
        await asyncio.to_thread(started.wait, 30)
        await service.backups.close()
        with pytest.raises(BackupFailed, match="stopped"):
            await backing
    assert listed(paths.backups) == []


async def test_what_a_crash_left_is_swept_and_other_memories_drafts_stay(paths, memory):
    async with memory() as service:
        mark = service.backups._mark()
    paths.backups.mkdir()
    for name in (f".memory-1.{mark}.part", ".memory-1.0badcafe.part"):
        (paths.backups / name).write_bytes(b"half")
    draft = paths.data / backups.RESTORE_DRAFT
    draft.write_bytes(b"half")
    async with memory() as service:
        assert listed(paths.backups) == [".memory-1.0badcafe.part"]
        assert not draft.exists()
        assert await service.backups.list() == []


async def test_the_oldest_goes_once_a_newer_one_is_verified(paths, memory, made_with):
    async with memory() as service:
        clock = Clock()
        own = made_with(service, clock, backup_keep=2)
        names = []
        for day in range(1, 5):
            clock.moment = f"2030-01-0{day}T00:00:00Z"
            names.append((await own.make())[0].name)
            assert listed(paths.backups) == names[-2:]
        newest = paths.backups / names[-1]
        newest.write_bytes(newest.read_bytes() + b"x")
        assert [b.verified for b in await own.list()] == [False, True]
        clock.moment = "2030-01-05T00:00:00Z"
        names.append((await own.make())[0].name)
        assert listed(paths.backups) == names[-3:], "a damaged one counted as kept"
        await own.close()


async def test_two_in_one_second_have_two_names(paths, memory, made_with):
    async with memory() as service:
        own = made_with(service, Clock())
        assert [(await own.make())[0].name for _ in range(3)] == [
            "memory-20300101T000000Z.db", "memory-20300101T000000Z-2.db",
            "memory-20300101T000000Z-3.db",
        ]  # fmt: skip
        await own.close()


async def test_another_folder_must_exist_and_is_remembered(paths, memory, tmp_path):
    stick = tmp_path / "stick"
    async with memory() as service:
        for to, error in (("sub/folder", InvalidInput), (str(stick), BackupFailed)):
            with pytest.raises(error):
                await service.backups.make(to=to)
        assert not stick.exists()
        stick.mkdir()
        made, _ = await service.backups.make(to=str(stick))
        assert listed(stick) == [made.name]
        assert await service.backups.list() == [made]
        away = stick.rename(tmp_path / "unplugged")
        (gone,) = await service.backups.holders()
        assert (gone.name, gone.reachable, gone.verified) == (made.name, False, False)
        fresh, purged = await service.backups.make(purge=True)
        assert [one.name for one in purged.left] == [made.name]
        away.rename(stick)
        (stick / made.name).unlink()
        assert await service.backups.list() == [fresh]


async def test_a_purge_removes_all_older_ones_and_no_strangers(paths, memory, tmp_path):
    async with memory() as service:
        older = [(await service.backups.make())[0] for _ in range(2)]
        older.append((await service.backups.make(to=str(tmp_path)))[0])
        stranger = paths.backups / "memory-20200101T000000Z.db"
        stranger.write_bytes(b"of another memory" * 500)
        replaced = paths.data / "memory.db.before-restore-20200101T000000Z"
        replaced.write_bytes(b"whatever")
        fresh, purged = await service.backups.make(purge=True)
        assert {one.name for one in purged.removed} == {b.name for b in older} | {replaced.name}
        assert [one.name for one in purged.left] == [stranger.name]
        assert listed(paths.backups) == sorted([stranger.name, fresh.name])
        assert not replaced.exists()
        assert not (tmp_path / older[2].name).exists()


async def test_without_its_list_backups_are_still_found(paths, memory):
    async with memory() as service:
        made, _ = await service.backups.make()
        for damage in (paths.backup_record.unlink, lambda: paths.backup_record.write_text("{")):
            damage()
            assert await service.backups.list() == [msgspec.structs.replace(made, verified=False)]


# --- when ------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    for name in ("SETTLE_S", "RETRY_S", "IDLE_S"):
        monkeypatch.setattr(rota, name, 0.0)
    monkeypatch.setattr(rota, "LOOK_S", 0.01)


async def until(true, timeout_s=30):
    async with asyncio.timeout(timeout_s):
        while not await true():
            await asyncio.sleep(0.01)


async def test_backups_are_made_by_date_across_restarts(paths, memory, made_with, quick):
    clock = Clock()

    async def count(wanted):
        return len(listed(paths.backups)) == wanted

    async with memory() as service:
        for start in range(3):
            own = made_with(service, clock)
            turn = Rota(own, 24.0, lambda: True, clock=clock)
            turn.start()
            await until(lambda: count(1))
            await asyncio.sleep(0.1 * start)
            await turn.close()
            await own.close()
        assert await count(1), "a restart made another one"
        own = made_with(service, clock)
        turn = Rota(own, 24.0, lambda: True, clock=clock)
        turn.start()
        assert (await turn.report())["next"] == "2030-01-02T00:00:00Z"
        clock.moment = "2030-01-02T00:00:00Z"
        await until(lambda: count(2))
        clock.moment = "2029-06-01T00:00:00Z"  # the clock was wrong, and is set back
        await until(lambda: count(3))
        await turn.close()
        await own.close()


async def test_a_failure_is_told_and_tried_again(paths, memory, made_with, quick, tmp_path):
    folder = tmp_path / "disk"
    async with memory() as service:
        own = made_with(service, backup_folder=str(folder))
        turn = Rota(own, 1.0, lambda: True)
        turn.start()

        async def failed():
            return bool((await turn.report())["problem"])

        await until(failed)
        report = await turn.report()
        assert "not there" in report["problem"]
        assert report["hint"]
        assert report["last"] is None
        folder.mkdir()

        async def made():
            return bool((await turn.report())["last"])

        await until(made)
        await until(lambda: asyncio.sleep(0, not turn._problem))
        assert (await turn.report())["problem"] == ""
        await turn.close()
        await own.close()


async def test_nothing_is_made_while_the_model_is_asked(paths, memory, quick, monkeypatch):
    busy = True
    async with memory() as service:
        turn = Rota(service.backups, 1.0, lambda: not busy)
        monkeypatch.setattr(rota, "IDLE_S", 0.01)
        turn.start()
        await asyncio.sleep(0.2)
        assert listed(paths.backups) == []
        busy = False
        await until(lambda: asyncio.sleep(0, len(listed(paths.backups)) == 1))
        await turn.close()


async def test_turned_off_none_is_made_by_itself(paths, memory, quick):
    async with memory() as service:
        turn = Rota(service.backups, 0.0, lambda: True)
        turn.start()
        await asyncio.sleep(0.1)
        assert (await turn.report())["next"] is None
        assert listed(paths.backups) == []
        await turn.close()
