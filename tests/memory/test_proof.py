"""The proof of forgetting finds a copy wherever one is planted, and nothing where nothing is."""

from __future__ import annotations

import asyncio
import json
import os
import random

import pytest

from assistant.config import Settings, load_paths
from assistant.errors import Conflict, InvalidInput
from assistant.memory import database, needles, pages, proof, segments
from assistant.memory.redact import Gone
from assistant.types import Forget, NewMemory, Recalled

SECRET = "The vault behind the Zürich painting opens with quetzalcoatl and 48151623"
WORDS = ("quetzalcoatl", "48151623", "zürich")


async def forgotten(service, **which):
    return await service.forgetter.forget(Forget(**which))


def gone(text=SECRET, **rest):
    return Gone("m_x", text, "en", **rest)


def searched(service, paths, texts=(SECRET,), told_in=()):
    """What a search for a text that was never stored, or is gone, finds now."""

    def look(db):
        wanted = needles.needles_for(db, [gone(text) for text in texts], told_in)
        return proof.search(paths, service.key, db, wanted)

    return service._readers.read(look)


async def filled(service):
    """Other memories and a chat, none of which have any of it."""
    rows = [
        NewMemory(f"filler {n} about the harbour and the weather of day {n}") for n in range(60)
    ]
    await service.memories.add_many(rows)
    chat = await service.conversations.create("the harbour", "")
    await service.conversations.start_turn(chat.id, "t_1", "And the weather?", "m")
    await service.conversations.finish_turn("t_1", status="done", reply="It rains.")
    return chat


async def test_what_is_forgotten_leaves_no_copy(paths, memory, settled):
    async with memory() as service:
        chat = await filled(service)
        row = await service.memories.add(NewMemory(SECRET, speaker="Ana", source="note"))
        new = await service.memories.edit(row.id, text=SECRET + ", Tuesdays only")
        await settled(service)
        await service.memories.recall("Which vault?", k=3)
        hit = Recalled(new.id, new.text, 1.0, "note", new.said_at)
        await service.conversations.start_turn(chat.id, "t_2", "How does it open?", "m")
        await service.conversations.finish_turn(
            "t_2", status="done", reply="With Quetzalcoatl.", context=new.text, recalled=[hit]
        )
        # Not forgotten yet, it stands in what is left, so there is nothing to look for.
        assert searched(service, paths).searched_for == 0
        told = await forgotten(service, ids=(new.id,))
        assert set(told.ids) == {row.id, new.id}
        assert told.counts == {
            "memories": 2,
            "recalls": 1,
            "vectors": 2,
            "turns_redacted": 1,
            "episodes": 2,
        }
        assert told.proof.places == []
        assert told.proof.copies == 0
        assert told.proof.searched_for > 5
        assert told.proof.files >= 4
        assert told.proof.pages > 30
    async with memory() as service:
        assert searched(service, paths).copies == 0


# --- every place --------------------------------------------------------------------------------


async def plant(service, sql, *values):
    await service._writer.run(lambda db: db.execute(sql, list(values)))


async def settle(service):
    await service._writer.checkpoint()


PLANTED = {
    "turns.reply": "UPDATE turns SET reply = ?",
    "turns.context": "UPDATE turns SET context = ?",
    "turns.text": "UPDATE turns SET text = ?",
    "conversations.title": "UPDATE conversations SET title = ?",
    "settings.value": "INSERT INTO settings VALUES ('x', ?)",
    "sources.path": "INSERT INTO sources (id, kind, path, created_at) VALUES ('s', 'file', ?, '')",
    "memories.source": "UPDATE memories SET source = ? WHERE seq = 3",
    "summaries.text": "INSERT INTO summaries (conversation_id, upto, text, tokens, model, created_at) "
    "SELECT conversation_id, seq, ?, 1, '', '' FROM turns",
}


@pytest.mark.parametrize("log", ["emptied", "full"])
@pytest.mark.parametrize("column", PLANTED)
async def test_a_copy_in_a_table_is_found_and_named(paths, memory, column, log):
    async with memory() as service:
        await filled(service)
        assert searched(service, paths, told_in=["x"]).copies == 0
        await plant(service, PLANTED[column], f"… {SECRET.upper()} …")
        if log == "emptied":
            await settle(service)
        found = searched(service, paths)
        assert {("text", column)} <= {(one.what, one.place) for one in found.places} or (
            log == "full" and any("memory.db-wal" in one.place for one in found.places)
        )
        assert found.copies > 0


async def test_a_word_in_a_log_as_json_is_found(paths, memory):
    async with memory() as service:
        chat = await filled(service)
        receipt = json.dumps({"note": "in Zürich"})
        await plant(service, "UPDATE turns SET receipt = ?", receipt)
        await settle(service)
        assert "\\u00fc" in receipt
        places = searched(service, paths, told_in=[chat.id]).places
        assert [(one.what, one.place) for one in places] == [
            ("word", "data/memory.db, page 9")
        ] or ([one.what for one in places] == ["word"])


async def test_a_word_of_an_answer_counts_only_where_the_memory_was_recalled(paths, memory):
    async with memory() as service:
        chat = await filled(service)
        await plant(service, "UPDATE turns SET reply = 'Quetzalcoatl was a god.'")
        await settle(service)
        assert searched(service, paths).copies == 0
        found = searched(service, paths, told_in=[chat.id])
        assert [(one.what, one.place) for one in found.places] == [("word", "turns.reply")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("what", ["text", "word"])
@pytest.mark.parametrize("folder", ["config", "data", "state", "cache"])
async def test_a_copy_in_a_file_is_found_in_any_encoding(paths, memory, folder, what, encoding):
    async with memory() as service:
        await filled(service)
        words = SECRET if what == "text" else "quetzalcoatl"
        content = random.Random(1).randbytes((1 << 20) - 20) + words.encode(encoding)
        place = getattr(paths, folder) / "deep" / "daemon.log"
        place.parent.mkdir()
        place.write_bytes(content + b"rest")
        found = searched(service, paths)
        assert {one.place for one in found.places} == {f"{folder}/deep/daemon.log"}
        assert what in {one.what for one in found.places}
        place.unlink()
        assert searched(service, paths).copies == 0


async def test_a_copy_in_a_free_page_is_found(paths, memory):
    async with memory() as service:
        await filled(service)
        row = await service.memories.add(NewMemory(f"{SECRET}. " + "tail " * 2_000))
        await service.memories.add_many([NewMemory(f"more filler {n}") for n in range(40)])

        def careless(db):
            db.execute("PRAGMA secure_delete = OFF").fetchall()
            db.execute("BEGIN")
            db.execute("DELETE FROM memories WHERE id = ?", [row.id])
            db.execute("COMMIT")
            db.execute("PRAGMA secure_delete = ON").fetchall()

        await asyncio.wrap_future(service._writer.submit(careless, alone=True))
        await settle(service)
        found = searched(service, paths, [SECRET, "tail tail tail tail tail tail"])
        assert any("free page" in one.place for one in found.places), found.places


async def test_a_word_in_the_index_alone_is_found(paths, memory):
    """Where FTS5 does not delete securely, a deleted row's words stay in its segments."""
    async with memory() as service:
        await filled(service)
        await plant(
            service, "INSERT INTO memories_fts(memories_fts, rank) VALUES ('secure-delete', 0)"
        )
        row = await service.memories.add(
            NewMemory("We met quetzalcoatls quietly questioning quetzalmen")
        )
        await service.memories.delete(row.id)
        await settle(service)
        found = searched(service, paths, [row.text])
        assert ("words of memories_fts") in {one.place for one in found.places}
        await plant(service, "INSERT INTO memories_fts(memories_fts) VALUES ('rebuild')")
        await settle(service)
        assert "words of memories_fts" not in {
            one.place for one in searched(service, paths, [row.text]).places
        }


async def test_an_older_copy_of_the_database_is_opened_and_named(paths, memory):
    async with memory() as service:
        await filled(service)
        row = await service.memories.add(NewMemory(SECRET))
        copy = paths.data / "memory.db.by-hand"
        service._readers._connect().execute("VACUUM INTO ?", [str(copy)])
        await service.memories.delete(row.id)
        found = searched(service, paths)
        assert found.copies > 0
        assert all(one.place.startswith(f"data/{copy.name}") for one in found.places)


async def test_what_others_seal_is_asked_for(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory(SECRET))
        asked = []

        async def sealed(ids):
            asked.append(set(ids))
            return ["cache/chats/abc.state"]

        service.forgetter.sealed = sealed
        told = await forgotten(service, ids=(row.id,))
        assert asked == [{row.id}]
        assert [one.place for one in told.proof.places] == ["cache/chats/abc.state"]
        assert told.proof.copies == 1


async def test_what_another_memory_says_too_is_no_copy(paths, memory):
    async with memory() as service:
        await filled(service)
        row = await service.memories.add(NewMemory(SECRET))
        await service.memories.add(NewMemory(f"Remember: {SECRET}!"))
        told = await forgotten(service, ids=(row.id,))
        assert told.proof.places == []


# --- what goes ----------------------------------------------------------------------------------


async def times(service):
    days = [
        "2026-03-01T00:00:00Z",
        "2026-03-01T23:59:59Z",
        "2026-03-02T00:00:00Z",
        "2026-03-03T12:00:00Z",
    ]
    return [
        await service.memories.add(NewMemory(f"day {day}", said_at=day, source=f"s{n % 2}"))
        for n, day in enumerate(days)
    ]


@pytest.mark.parametrize(
    ("after", "before", "kept"),
    [
        ("2026-03-01", "2026-03-02", [2, 3]),
        ("2026-03-02T00:00:00Z", "", [0, 1]),
        ("", "2026-03-02T00:00:00Z", [2, 3]),
        ("2026-03-01T00:00:01Z", "2026-03-01T23:59:59Z", [0, 1, 2, 3]),
        ("2026-03-02T01:00:00+01:00", "2026-03-02T01:00:01+01:00", [0, 1, 3]),
    ],
)
async def test_a_range_of_time_is_exact(memory, after, before, kept):
    async with memory() as service:
        rows = await times(service)
        told = await forgotten(service, after=after, before=before)
        left = {row.id for row in (await service.memories.list(limit=200))[0]}
        assert left == {rows[n].id for n in kept}
        assert set(told.ids) == {row.id for row in rows} - left
        assert told.proof.copies == 0


async def test_a_range_takes_turns_with_what_was_made_from_them(memory):
    moment = ["2026-03-01T10:00:00Z"]
    async with memory(clock=lambda: moment[0]) as service:
        chats = service.conversations
        long, short = await chats.create("long", ""), await chats.create("short", "")
        for turn_id, chat, when in (
            ("t_1", long, "2026-03-01T10:00:00Z"), ("t_2", long, "2026-03-02T10:00:00Z"),
            ("t_3", long, "2026-03-03T10:00:00Z"), ("t_4", short, "2026-03-02T11:00:00Z"),
        ):  # fmt: skip
            moment[0] = when
            await chats.start_turn(chat.id, turn_id, f"question {turn_id}", "m")
            await chats.finish_turn(turn_id, status="done", reply=f"reply {turn_id}")
        turns = await chats.turns(long.id)
        for upto in (1, 2, 3):
            after = turns[upto - 2].id if upto > 1 else ""
            assert await chats.add_summary(
                long.id, turns[:upto], after=after, text=f"sum {upto}", tokens=1, model="m"
            )
        seen = []

        async def listen(gone, touched):
            seen.append((list(gone), touched.turns, touched.conversations))

        service.memories.on_forgotten = listen
        which = {"after": "2026-03-02", "before": "2026-03-03"}
        dry = await service.forgetter.dry_run(Forget(**which))
        assert len(await chats.turns(long.id)) == 3
        told = await forgotten(service, **which)
        assert told.counts == dry.counts == {"turns": 2, "conversations": 1, "summaries": 2}
        assert told.turns == dry.turns == ["t_2", "t_4"]
        assert [turn.id for turn in await chats.turns(long.id)] == ["t_1", "t_3"]
        assert (await chats.history(long.id))[1].text == "sum 1"
        assert seen == [([], {"t_2", "t_4"}, {long.id, short.id})]


async def test_a_source_is_exact(memory):
    async with memory() as service:
        rows = await times(service)
        await plant(
            service, "INSERT INTO sources (id, kind, created_at) VALUES ('src_1', 'file', '')"
        )
        passage = await service.memories.add(NewMemory("passage", kind="chunk", trust="file"))
        await plant(service, "UPDATE memories SET source_id = 'src_1' WHERE id = ?", passage.id)
        assert (await forgotten(service, source="s")).ids == []
        assert (await forgotten(service, source="S1")).ids == []
        assert (await forgotten(service, source="s1")).ids == [rows[1].id, rows[3].id]
        assert (await forgotten(service, source="src_1")).ids == [passage.id]
        assert {row.id for row in (await service.memories.list(limit=9))[0]} == {
            rows[0].id,
            rows[2].id,
        }


async def test_everything_takes_a_confirmation_of_this_very_state(paths, memory, settled):
    async with memory() as service:
        chat = await filled(service)
        await service.memories.add(NewMemory(SECRET))
        await settled(service)
        for confirm in ("", "yes", "0" * 16):
            with pytest.raises(Conflict):
                await forgotten(service, everything=True, confirm=confirm)
        stale = await service.forgetter.dry_run(Forget(everything=True))
        assert stale.counts["memories"] == 61
        assert stale.counts["turns"] == stale.counts["conversations"] == 1
        await service.memories.add(NewMemory("one more"))
        with pytest.raises(Conflict):
            await forgotten(service, everything=True, confirm=stale.confirm)
        assert (await service.memories.count()).count == 62
        await settled(service)
        confirm = (await service.forgetter.dry_run(Forget(everything=True))).confirm
        told = await forgotten(service, everything=True, confirm=confirm)
        assert told.counts["memories"] == 62
        assert told.proof.copies == 0
        assert told.proof.searched_for > 60
        assert (await service.memories.count()).count == 0
        assert (await service.conversations.list(limit=5))[0] == []
        assert (await service.memories.check(full=True))["problems"] == []
        added = await service.memories.add(NewMemory("it goes on"))
        assert [one.id for one in await service.memories.recall("it goes", k=1)] == [added.id]
    assert chat.id.encode() not in b"".join(
        page.content for page in pages.pages(paths.database, service.key)
    )


@pytest.mark.parametrize(
    "which", [{"query": "filler 7 about the harbour and the weather of day 7"}, {}]
)
async def test_a_dry_run_changes_nothing(paths, memory, settled, which):
    async with memory() as service:
        await filled(service)
        first = (await service.memories.list(limit=1))[0][0]
        await settled(service)
        which = which or {"ids": (first.id,)}
        before = service._readers.read(_dump)
        dry = await service.forgetter.dry_run(Forget(**which))
        assert service._readers.read(_dump) == before
        told = await forgotten(service, **which)
        assert (told.ids, told.counts) == (dry.ids, dry.counts)
        assert len(told.ids) == 1


def _dump(db):
    return {
        table: db.execute(f"SELECT * FROM [{table}]").fetchall()
        for table in ("memories", "vectors", "turns", "recalls", "settings")
    }


@pytest.mark.parametrize("which", [{}, {"ids": ("m",), "query": "x"}, {"after": "2026", "source": "x"},
                                   {"after": "2026-02-02", "before": "2026-02-01"}])  # fmt: skip
async def test_one_choice_and_a_sound_one(memory, which):
    async with memory() as service:
        with pytest.raises(InvalidInput):
            await forgotten(service, **which)


# --- reading what SQLite wrote --------------------------------------------------------------------


async def test_every_page_opens_and_a_changed_one_shows(paths, memory):
    async with memory() as service:
        await filled(service)
        await settle(service)
        found = list(pages.pages(paths.database, service.key))
        assert len(found) == paths.database.stat().st_size // 4096
        assert all(page.genuine for page in found)
        await service.memories.add(NewMemory(SECRET))
        wal = paths.database.with_name("memory.db-wal")
        frames = list(pages.frames(wal, paths.database, service.key))
        assert frames
        assert all(page.genuine for page in frames)
        assert any(b"quetzalcoatl" in page.content for page in frames)
    data = bytearray(paths.database.read_bytes())
    data[5 * 4096 + 99] ^= 1
    paths.database.write_bytes(data)
    broken = [p.number for p in pages.pages(paths.database, service.key) if not p.genuine]
    assert broken == [6]


async def test_every_term_of_the_index_is_read(memory):
    async with memory() as service:
        await filled(service)
        words = [f"w{random.Random(n).randrange(10**6)}" for n in range(3_000)]
        await service.memories.add_many(
            [NewMemory(" ".join(words[n : n + 30])) for n in range(0, 3_000, 30)]
        )

        def compare(db):
            terms = {term for (term,) in db.execute("SELECT term FROM memories_words")}
            assert len(terms) > 2_900
            assert segments.holds(db, "memories_fts", terms) == terms
            assert segments.holds(db, "memories_fts", {t + "x" for t in terms}) == set()

        service._readers.read(compare)


def test_a_search_finds_what_a_plain_one_finds():
    chance = random.Random(3)
    texts = ["needle one", "Ünï cödé", "abc", "quetzal", "a longer passage of several words"]
    search = needles.Search(texts)
    for text in texts:
        for code in ("utf-8", "utf-16-le", "utf-16-be"):
            for _ in range(30):
                before = chance.randbytes(chance.randrange(40))
                block = before + text.encode(code) + chance.randbytes(chance.randrange(40))
                assert text in search.found(block)
    assert search.found(bytes(10_000)) == set()
    assert search.found(b"nee dle one, quetza") == set()


def test_the_home_of_a_test_is_all_that_is_searched(tmp_path):
    paths = load_paths(
        {"NESTOR_HOME": str(tmp_path), "NESTOR_MODELS": str(tmp_path / "data/models")}
    )
    paths.make()
    (paths.models / "model.gguf").write_bytes(b"weights")
    (paths.data / "x").write_bytes(b"x")
    os.symlink("/etc/passwd", paths.data / "link")
    assert [name for name, _ in proof._files(paths)] == ["data/x"]
    assert Settings().key_store == "auto"
    assert database.PAGE_BYTES == pages.PAGE_BYTES
