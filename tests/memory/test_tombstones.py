"""What is forgotten stays forgotten through restores, and no word of it is kept for that."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.config import Settings
from assistant.memory import copies, database, keys, tombstones
from assistant.memory.keys import Key
from assistant.memory.restore import restore
from assistant.memory.tombstones import Tombstones, read_file
from assistant.types import Forget, NewMemory, Recalled, timestamp

HERE = Path(__file__).parent
SECRET = "quetzalcoatl-9931"
SETTINGS = Settings(embedder="fake", key_store="file")


def put(paths, name, **more):
    return restore(paths, SETTINGS, str(name), drop_caches=lambda: None, **more)


async def texts(service) -> set[str]:
    rows, _ = await service.memories.list(limit=200, include_closed=True)
    return {row.text for row in rows}


@pytest.fixture
async def forgotten(paths, memory):
    """A backup with a chat and all of these; then one fact with its history, and the chat, were forgotten."""
    async with memory() as service:
        store, chats = service.memories, service.conversations
        old = await store.add(NewMemory(f"The word is {SECRET} old", kind="fact"))
        new = await store.edit(old.id, text=f"The word is {SECRET} new")
        await store.add_many([NewMemory("I like tea"), NewMemory("I like figs")])
        kept = await chats.create("kept", "")
        await chats.start_turn(kept.id, "t_1", "What is the word?", "m")
        recalled = [Recalled(new.id, new.text, 1.0, "fact", new.said_at)]
        reply = f"It is {SECRET} new."
        await chats.finish_turn("t_1", status="done", reply=reply, recalled=recalled)
        chat = await chats.create("deleted", "")
        await chats.start_turn(chat.id, "t_2", f"about {SECRET}", "m")
        made, _ = await service.backups.make()
        assert len(await store.forget(ids=[new.id])) == 2
        await chats.delete(chat.id)
    return made.name


async def test_a_restore_leaves_out_what_was_forgotten_since(paths, memory, forgotten):
    done = put(paths, forgotten)
    assert done.forgotten == 3
    async with memory() as service:
        assert await texts(service) == {"I like tea", "I like figs"}
        (chat,), _ = await service.conversations.list()
        (turn,) = await service.conversations.turns(chat.id)
        assert SECRET not in turn.reply
        assert (await service.memories.check(full=True))["ok"]
        assert not await service.memories.recall(SECRET, k=3, gate=True)
    key = keys.find_key(paths, "file")
    with closing(database.connect(paths.database, key)) as db:
        db.execute("ATTACH ? AS plain KEY ''", [str(paths.data / "plain")])
        db.execute("SELECT sqlcipher_export('plain')")
    everything = (paths.data / "plain").read_bytes()
    assert b"I like figs" in everything
    assert SECRET.partition("-")[0].encode() not in everything


@pytest.mark.parametrize("lost", ["damaged", "missing", "file", "both"])
async def test_losing_the_memory_does_not_lose_it(paths, memory, forgotten, lost):
    if lost in ("damaged", "both"):
        paths.database.write_bytes(os.urandom(20_000))
    if lost == "missing":
        paths.database.unlink()
    if lost in ("file", "both"):
        paths.forgotten.unlink()
    # Where memory and file are lost, nothing here knows it any more.
    assert put(paths, forgotten).forgotten == (0 if lost == "both" else 3)


async def test_a_newer_backup_knows_what_was_forgotten_before_it(paths, memory, forgotten):
    async with memory() as service:
        await service.backups.make()
    paths.database.unlink()
    paths.forgotten.unlink()
    assert put(paths, forgotten).forgotten == 3


async def test_asked_for_it_comes_back_and_stays(paths, memory, forgotten):
    done = put(paths, forgotten, with_forgotten=True)
    assert done.forgotten == 3
    async with memory() as service:
        assert len(await texts(service)) == 4
        assert len((await service.conversations.list())[0]) == 2
        again = await service.memories.was_forgotten([f"The word is {SECRET} new"])
        assert again == [False]
        newer, _ = await service.backups.make()
    # The memory from before the restore still notes it as forgotten; what was decided last counts.
    assert put(paths, newer.name).forgotten == 0
    assert put(paths, forgotten).forgotten == 0
    async with memory() as service:
        assert len(await texts(service)) == 4
        (row,) = [r for r in (await service.memories.list())[0] if SECRET in r.text]
        await service.memories.delete(row.id)
    assert put(paths, newer.name).forgotten == 1, "forgotten once more, it came back"


async def test_said_again_it_is_a_new_memory(paths, memory, forgotten):
    async with memory() as service:
        await service.memories.add(NewMemory(f"The word is {SECRET} new"))
        newer, _ = await service.backups.make()
    assert put(paths, newer.name).forgotten == 0
    async with memory() as service:
        assert f"The word is {SECRET} new" in await texts(service)


@pytest.mark.parametrize("schema", ["m001", "m002"])
async def test_a_backup_of_an_older_schema(paths, memory, schema):
    for kind in ("database", "key"):
        suffix = {"database": "db", "key": "key"}[kind]
        shutil.copy(HERE / f"{schema}.{suffix}", getattr(paths, kind))
    async with memory() as service:
        found = await service.memories.recall("Where does my sister live?", k=1)
        gone = await service.memories.forget(ids=[found[0].id])
    assert put(paths, HERE / f"{schema}.db").forgotten == len(gone) == 2
    async with memory() as service:
        assert not [one for one in await texts(service) if "sister" in one]


async def test_an_import_can_ask(paths, memory, forgotten):
    async with memory() as service:
        asked = [f"the WORD  is {SECRET} New", "I like tea", f"{SECRET} new", ""]
        assert await service.memories.was_forgotten(asked) == [True, False, False, False]


async def test_no_word_is_kept_and_another_key_tells_nothing(paths, memory, forgotten):
    data = paths.forgotten.read_bytes()
    assert stat.S_IMODE(paths.forgotten.stat().st_mode) == 0o600
    assert SECRET.encode() not in data
    assert len(read_file(paths.forgotten)) == 5
    key = keys.find_key(paths, "file")
    with closing(database.connect(paths.database, key)) as db:
        known = Tombstones(paths.forgotten, key)
        other = Tombstones(paths.forgotten, Key(bytes(32), "another"))
        text = f"The word is {SECRET} new"
        assert known.was_forgotten(db, text=text)
        assert not other.was_forgotten(db, text=text)
        (salt,) = {one.salt for one in tombstones.load(db).stones}
    assert len(salt) == 8


async def test_half_a_record_shifts_nothing(paths, memory, forgotten):
    whole = paths.forgotten.read_bytes()
    paths.forgotten.write_bytes(whole + whole[:17])
    async with memory() as service:
        (tea,) = [r for r in (await service.memories.list())[0] if "tea" in r.text]
        await service.memories.delete(tea.id)
    found = read_file(paths.forgotten)
    assert len(found) == 7
    key = keys.find_key(paths, "file")
    with closing(database.connect(paths.database, key)) as db:
        assert set(found) == set(tombstones.load(db).stones)
    assert put(paths, forgotten).forgotten == 4


async def test_what_the_file_lacks_the_next_start_adds(paths, memory, monkeypatch):
    def full(*_):
        raise OSError(28, "no space")

    async with memory() as service:
        row = await service.memories.add(NewMemory("a thing"))
        with monkeypatch.context() as patch:
            patch.setattr(tombstones.os, "fsync", full)
            # SQLite syncs by itself: the deletion is durable, the file beside it is not.
            assert await service.memories.delete(row.id) == 1
    paths.forgotten.write_bytes(b"")
    async with memory() as service:
        assert await service.memories.was_forgotten(["a thing"]) == [True]
    assert len(read_file(paths.forgotten)) == 2


async def test_a_failed_forget_leaves_no_note(paths, memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("stays"))

        def fail(db):
            raise copies.BackupInvalid

        service.memories._tombstones.bury, bury = (
            lambda *a: (bury(*a), fail(None)),
            service.memories._tombstones.bury,
        )
        with pytest.raises(copies.BackupInvalid):
            await service.memories.delete(row.id)
        assert await service.memories.was_forgotten(["stays"]) == [False]
        assert (await service.memories.get(row.id)).text == "stays"
    assert not paths.forgotten.exists()


def ticking():
    """A clock that is an hour later each time it is looked at."""
    hours = itertools.count()
    return lambda: timestamp(datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=next(hours)))


async def _a_chat_of_three(service):
    chats = service.conversations
    chat = await chats.create("kept", "")
    for number, said in enumerate(("first", f"about {SECRET}", "third"), 1):
        await chats.start_turn(chat.id, f"t_{number}", said, "m")
        await chats.finish_turn(f"t_{number}", status="done", reply=f"{said}, yes")
    turns = await chats.turns(chat.id)
    await chats.add_summary(
        chat.id, turns, after="", text=f"It was about {SECRET}.", tokens=5, model="m"
    )
    (second,) = [turn for turn in turns if turn.id == "t_2"]
    (third,) = [turn for turn in turns if turn.id == "t_3"]
    return chat, Forget(after=second.started_at, before=third.started_at)


@pytest.mark.parametrize("back", [False, True])
async def test_a_turn_that_was_forgotten_by_time_stays_so_after_a_restore(paths, memory, back):
    async with memory(clock=ticking()) as service:
        chat, which = await _a_chat_of_three(service)
        made, _ = await service.backups.make()
        assert (await service.forgetter.forget(which)).turns == ["t_2"]
    assert put(paths, made.name, with_forgotten=back).forgotten == 1
    async with memory() as service:
        turns = await service.conversations.turns(chat.id)
        assert [turn.id for turn in turns] == ["t_1", *(["t_2"] if back else []), "t_3"]
        _, summary = await service.conversations.history(chat.id)
        assert (summary is not None) == back


@pytest.mark.parametrize("back", [False, True])
async def test_nor_does_an_import_bring_it_back(paths, memory, tmp_path, back):
    file = tmp_path / "life.export"
    async with memory(clock=ticking()) as service:
        chat, which = await _a_chat_of_three(service)
        file.write_bytes(b"".join([part async for part in service.transfers.export()]))
        await service.forgetter.forget(which)
        for dry_run in (True, False):
            steps = service.transfers.load(file, dry_run=dry_run, with_forgotten=back)
            (*_, told) = [step async for step in steps]
            assert told["forgotten"] == ({} if back else {"turns": 1, "summaries": 1})
        turns = await service.conversations.turns(chat.id)
        assert sorted(turn.id for turn in turns) == ["t_1", *(["t_2"] if back else []), "t_3"]
        said = service._readers.read(lambda db: db.execute("SELECT text FROM summaries").fetchall())
        assert bool(said) == back
