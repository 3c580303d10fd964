"""An import is a source: it is listed, and all that came with it goes, whichever way it is taken back."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from memory.transfer.test_newer import chatgpt, chats, take

from assistant.config import Settings
from assistant.errors import InvalidInput, SourceNotFound
from assistant.memory import database, keys
from assistant.memory.service import open_memory
from assistant.types import Forget, NewMemory, stable_id

FIXTURES = Path(__file__).parents[1]
DATA = Path(__file__).parents[2] / "data/imports"
TREE = [("q1", "r", "Where does Ana live?"), ("a1", "q1", "In Porto, by the river Douro."),
        ("a2", "q1", "Ana moved to Zx81Omega.")]  # fmt: skip
LONGER = [*TREE, ("q2", "a1", "And Tilda?"), ("b1", "q2", "In Quokkaville.")]


@pytest.fixture
def older(tmp_path):
    return chatgpt(tmp_path / "conversations.json", TREE, "a2")


@pytest.fixture
def newer(tmp_path):
    return chatgpt(tmp_path / "newer.json", LONGER, "b1")


def left(service):
    """Rows by table of what an import brings."""
    tables = ("memories", "conversations", "turns", "sources", "summaries", "recalls")
    counted = {
        table: service._readers.read(
            lambda db, table=table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        )
        for table in tables
    }
    return {table: count for table, count in counted.items() if count}


async def listed(service):
    return [one for one in await service.sources.list() if one.kind == "import"]


WAYS = {
    "forget": lambda service, one: service.forgetter.forget(Forget(source=one)),
    "remove": lambda service, one: service.sources.remove(one),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("name", ["chatgpt", "claude"])
async def test_all_that_came_with_an_import_goes_and_stays_away(memory, way, name):
    async with memory() as service:
        await service.memories.add(NewMemory("the user's own note"))
        own = await service.conversations.create("Own", "")
        await service.conversations.start_turn(own.id, "t_own", "Mine?", "m")
        before = left(service)
        done = await take(service, DATA / name)
        (source,) = await listed(service)
        assert (source.path, source.chunks, source.conversations) == (
            name,
            done["added"]["memories"],
            done["added"]["conversations"],
        )
        assert source.program.lower() == name
        assert await service.sources.get(source.id) == source
        await way(service, source.id)
        assert left(service) == before
        assert await listed(service) == []
        with pytest.raises(SourceNotFound):
            await service.sources.remove(source.id)
        again = await take(service, DATA / name)
        assert again["added"] == {}
        assert left(service) == before  # no source of nothing either
        back = await take(service, DATA / name, with_forgotten=True)
        assert back["added"] == done["added"]
        assert len(await listed(service)) == 1
        assert (await service.memories.check(full=True))["problems"] == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_chats_of_every_version_go_with_what_was_said_in_them_since(memory, older, way):
    async with memory() as service:
        await take(service, older)
        (source,) = await listed(service)
        assert source.conversations == 2
        for number, chat in enumerate((await service.conversations.list())[0]):
            await service.conversations.start_turn(chat.id, f"t_{number}", "Zx81Omega?", "m")
        told = []

        async def listen(gone, touched):
            told.extend(touched.turns)

        service.memories.on_forgotten = listen
        await way(service, source.id)
        assert left(service) == {}
        assert {"t_0", "t_1"} <= set(told)


async def test_the_dry_run_says_which_turns_would_go_and_changes_nothing(memory, older):
    async with memory() as service:
        await take(service, older)
        (source,) = await listed(service)
        before = left(service)
        told = await service.forgetter.dry_run(Forget(source=source.id))
        assert (len(told.turns), told.counts["conversations"]) == (2, 2)
        assert left(service) == before


async def test_what_a_newer_import_added_goes_with_it_and_the_older_one_stays(memory, older, newer):
    async with memory() as service:
        await take(service, older)
        before = await chats(service)
        (first,) = await listed(service)
        await take(service, newer)
        (second,) = [one for one in await listed(service) if one.id != first.id]
        await service.forgetter.forget(Forget(source=second.id))
        assert await chats(service) == before
        assert [one.id for one in await listed(service)] == [first.id]
        await service.forgetter.forget(Forget(source=first.id))
        assert left(service) == {}


async def test_an_answer_that_a_newer_import_brought_goes_with_it(memory, tmp_path):
    asked = [("q0", "r", "Who?"), ("a0", "q0", "Ana."), ("q1", "a0", "Where?")]
    answered = [*asked, ("a1", "q1", "In Quokkaville.")]
    async with memory() as service:
        await take(service, chatgpt(tmp_path / "one.json", asked, "q1"))
        await take(service, chatgpt(tmp_path / "two.json", answered, "a1"))
        assert await chats(service) == [[("Who?", "Ana."), ("Where?", "In Quokkaville.")]]
        (newer,) = service._readers.read(
            lambda db: db.execute("SELECT id FROM sources WHERE path = 'two.json'").fetchone()
        )
        await service.forgetter.forget(Forget(source=newer))
        assert await chats(service) == [[("Who?", "Ana.")]]


async def test_a_note_that_a_newer_import_changed_goes_with_it(memory, tmp_path):
    def says(name, text):
        path = tmp_path / name
        path.write_text(json.dumps([{"id": "m1", "memory": text}]))
        return path

    async with memory() as service:
        await take(service, says("one.json", "Lives in Bergen"))
        await take(service, says("two.json", "Lives in Oslo"))
        found = {one.path: one.id for one in await listed(service)}
        await service.forgetter.forget(Forget(source=found["two.json"]))
        rows, _ = await service.memories.list(include_closed=True)
        assert [one.text for one in rows] == ["Lives in Bergen"]


async def test_what_one_import_brought_is_none_of_another_or_of_a_folder(memory, older, tmp_path):
    other = tmp_path / "claude"
    shutil.copytree(DATA / "claude", other)
    async with memory() as service:
        await take(service, other)
        before = left(service), await chats(service)
        await take(service, older)
        (source,) = [one for one in await listed(service) if one.program == "ChatGPT"]
        await service.sources.remove(source.id)
        assert (left(service), await chats(service)) == before


async def test_an_import_is_not_followed_and_is_in_no_folders_way(memory, older, tmp_path):
    async with memory() as service:
        await service.sources.start()
        await take(service, older)
        (source,) = await listed(service)
        for change in (service.sources.pause, service.sources.resume):
            with pytest.raises(InvalidInput):
                await change(source.id)
        async with service.sources.held():
            pass
        assert not service.sources._followers
        assert await service.sources.files(source.id) == ([], None)
        folder = tmp_path / "Notes"
        folder.mkdir()
        added = await service.sources.add(str(folder))
        assert [one.id for one in await service.sources.list()] == [added.id, source.id]


async def test_an_import_that_brought_nothing_is_no_source(memory, tmp_path):
    path = tmp_path / "get_all.json"
    path.write_text(json.dumps([{"id": "m1", "memory": ""}]))
    async with memory() as service:
        await take(service, path, origin="mem0")
        assert await listed(service) == []


async def test_it_travels_with_an_export_and_can_be_taken_back_there(memory, older, tmp_path):
    file = tmp_path / "life"
    async with memory() as service:
        await take(service, older)
        with file.open("wb") as out:
            async for piece in service.transfers.export():
                out.write(piece)
        (source,) = await listed(service)
        await service.forgetter.forget(Forget(source=source.id))
        await take(service, file, with_forgotten=True)
        assert await listed(service) == [source]
        await service.sources.remove(source.id)
        assert left(service) == {}


async def test_what_came_in_before_the_step_has_its_source_after_it(memory, paths, older):
    shutil.copy(FIXTURES / "m012.db", paths.database)
    shutil.copy(FIXTURES / "m012.key", paths.key)
    ids = {one: stable_id("s", one, "conversations.json") for one in ("chatgpt", "claude")}
    with closing(database.connect(paths.database, keys.find_key(paths, "file"))) as db:
        for one in ids.values():
            db.execute(
                "INSERT INTO sources (id, kind, path, created_at) VALUES (?, 'import', ?, '')",
                [one, "conversations.json"],
            )
        for number, label in enumerate(("ChatGPT", "Claude", "Elsewhere")):
            db.execute(
                "INSERT INTO conversations (id, title, system, created_at, updated_at) "
                "VALUES (?, 'T', '', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z')",
                [f"c_{number}"],
            )
            told = {"imported": {"from": label, "file": "conversations.json", "place": "p"}}
            db.execute(
                "INSERT INTO turns (id, conversation_id, text, status, started_at, receipt) "
                "VALUES (?, ?, 'Q', 'done', '2024-01-01T00:00:00Z', ?)",
                [f"t_i{number}", f"c_{number}", json.dumps(told)],
            )
    service = await open_memory(paths, Settings(embedder="fake", key_store="file"))
    try:
        found = {one.id: (one.program, one.conversations) for one in await listed(service)}
        assert found == {ids["chatgpt"]: ("ChatGPT", 1), ids["claude"]: ("Claude", 1)}
        await service.sources.remove(ids["chatgpt"])
        names = {one.id for one in (await service.conversations.list())[0]}
        assert {"c_1", "c_2"} < names
        assert "c_0" not in names
    finally:
        await service.close()


async def test_chats_of_an_export_from_before_the_step_have_their_source(
    memory, older, tmp_path, monkeypatch
):
    """Its rows name none, and its header does not have the step."""
    file = tmp_path / "life"
    async with memory() as service:
        await take(service, older)

        def strip(db):
            for table in ("turns", "conversations"):
                db.execute(f"UPDATE {table} SET source_id = NULL")

        await service._writer.run(strip)
        (source,) = await listed(service)
        with file.open("wb") as out:
            async for piece in service.transfers.export():
                out.write(piece)
        asked = await service.forgetter.dry_run(Forget(everything=True))
        await service.forgetter.forget(Forget(everything=True, confirm=asked.confirm), prove=False)
        monkeypatch.setattr("assistant.memory.named_imports.STEP", "of another time")
        await take(service, file, with_forgotten=True)
        (found,) = await listed(service)
        assert (found.id, found.program) == (source.id, "ChatGPT")
        assert found.conversations == len((await service.conversations.list())[0]) > 1
        await service.sources.remove(source.id)
        assert (await service.conversations.list())[0] == []
