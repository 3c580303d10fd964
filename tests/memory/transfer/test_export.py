"""Export, wipe, import: the same hashes, the same answers; and what is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import zlib
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from memory import life

from assistant.config import Settings, load_paths
from assistant.errors import ImportInvalid, ImportNewer, NotFound, PasswordNeeded, PasswordWrong
from assistant.memory.pump import SERVING
from assistant.memory.service import open_memory
from assistant.memory.transfer import seal
from assistant.memory.transfer.layout import BROUGHT
from assistant.types import Event, NewMemory, Recalled

ZYGOTE = Path(__file__).with_name("import_zygote.py")
LIFE = [
    "My sister Ana lives in Lyon and loves tulips",
    "Our daughter Tilda started kindergarten",
    "I am allergic to hazelnuts",
    "Marko drives a tram in Zagreb",
    "The spare key is with Mrs Halloran",
]


@pytest.fixture
def home(tmp_path):
    """`async with home("a") as service`: a memory in a folder of that name."""

    @asynccontextmanager
    async def opened(name, embedder="fake"):
        paths = load_paths({"NESTOR_HOME": str(tmp_path / name)})
        service = await open_memory(paths, Settings(embedder=embedder, key_store="file"))
        service.transfers.system = "You are Nestor."
        try:
            yield service
        finally:
            await service.close()

    return opened


async def fill(service):
    """A small life with everything in it: history, a chat with a summary, a source, a setting."""
    store, chats = service.memories, service.conversations
    rows = await store.add_many([NewMemory(text, thread="life", speaker="me") for text in LIFE])
    moved = await store.edit(rows[0].id, text="My sister Ana lives in Porto now")
    await store.edit(moved.id, text="My sister Ana lives in Nice now")
    await store.edit(rows[2].id, importance=0.7)
    chat = await chats.create("About Ana", "You are Nestor.")
    other = await chats.create("", "You are Nestor.")
    recalled = [Recalled(moved.id, moved.text, 0.5, "note", moved.said_at)]
    for n, where in enumerate((chat, other, chat)):
        turn = await chats.start_turn(
            where.id, f"t_{n}", f"Where is Ana? ({n}) \U0001f33b é\u2028", "m"
        )
        await chats.finish_turn(
            turn.id, status="done", context="[Note]", reply="In Nice.", tokens=12, recalled=recalled,
            receipt={"tokens": 3}, events=[Event(1, "token", {"text": "In Nice."})],
        )  # fmt: skip
    turns = await chats.turns(chat.id)
    assert await chats.add_summary(
        chat.id, turns[:1], after="", text="They spoke of Ana.", tokens=4, model="m"
    )

    def more(db):
        db.execute("INSERT INTO sources (id, kind, path, hash, span, state, problem, created_at) VALUES "
                   "('s_1', 'file', '/notes/ana.md', x'00ff', '1-3', 'paused', ?, '2024-01-01T00:00:00Z')",
                   [BROUGHT])  # fmt: skip
        db.execute("UPDATE memories SET source_id = 's_1' WHERE id = ?", [rows[1].id])
        db.execute("INSERT INTO settings (name, value) VALUES ('learn', x'6173')")

    await service._writer.run(more)


async def save(service, path, **how):
    with path.open("wb") as file:
        async for piece in service.transfers.export(**how):
            file.write(piece)
    return path


async def load(service, path, password="", **how):
    return [step async for step in service.transfers.load(path, password, **how)][-1]


def lines(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


_OURS = f"name NOT LIKE '% of %' AND name != '{SERVING}'"


def dump(service):
    """Every table but the derived ones, without the places of rows."""

    def work(db):
        found = {}
        for name in db.table_names():
            if name.startswith("memories_fts") or name in (
                "migrations",
                "vectors",
                "sqlite_sequence",
            ):
                continue
            columns = [c for c in db.table(name).columns_dict if c not in ("seq", "embed_model")]
            where = _OURS if name == "settings" else "1"
            sql = f"SELECT {', '.join(columns)} FROM {name} WHERE {where} ORDER BY 1, 2"
            found[name] = db.execute(sql).fetchall()
        return found

    return service._readers.read(work)


@pytest.mark.parametrize("password", ["", "pässword ☂"])
async def test_export_wipe_import_is_the_same_memory(home, tmp_path, settled, password):
    async with home("a") as one:
        await fill(one)
        await settled(one)
        before = dump(one)
        file = await save(one, tmp_path / "life", password=password)
    async with home("b") as two:
        last = await load(two, file, password)
        assert last["added"]["memories"] == 7
        assert last["added"]["turns"] == 3
        assert not last["same"]
        assert not last["different"]
        assert dump(two) == before
        await settled(two)
        assert (await two.memories.check(full=True))["problems"] == []
        if not password:
            again = await save(two, tmp_path / "again")
            assert lines(again)[-1] == lines(file)[-1] | {"end": lines(again)[-1]["end"]}
            assert lines(again)[-1]["end"]["sha256"] == lines(file)[-1]["end"]["sha256"]
        twice = await load(two, file, password)
        assert not twice["added"]
        assert not twice["different"]
        assert twice["same"] == last["added"]
        assert dump(two) == before


async def test_a_file_without_vectors_gets_them_again(home, tmp_path, settled):
    async with home("a") as one:
        await fill(one)
        await settled(one)
        file = await save(one, tmp_path / "life", vectors=False)
        assert not any("vectors" in line for line in lines(file))
    async with home("b") as two:
        await load(two, file)
        await settled(two)
        assert (await two.memories.check(full=True))["problems"] == []


async def test_a_dry_run_changes_nothing_and_says_what_would_be_new(home, tmp_path):
    async with home("a") as one:
        await fill(one)
        file = await save(one, tmp_path / "life")
    async with home("b") as two:
        before = dump(two)
        told = await load(two, file, dry_run=True)
        assert told["added"]["memories"] == 7
        assert dump(two) == before
        real = await load(two, file)
        assert real["added"] == told["added"]


async def test_what_is_here_already_is_left_as_it_is(home, tmp_path):
    async with home("a") as one:
        await fill(one)
        file = await save(one, tmp_path / "life")
        (row, *_), _ = await one.memories.list(limit=1)
        await one.memories.edit(row.id, text="My sister Ana lives in Lille now")
        before = dump(one)
        told = await load(one, file)
        assert told["different"] == {"memories": 1}
        assert not told["added"]
        assert dump(one) == before


def same(*files):
    """Whether gzip reads the same out of all of them."""
    try:
        return len({gzip.decompress(file) for file in files}) == 1
    except (OSError, EOFError, zlib.error):
        return False


async def test_every_flipped_byte_is_found_before_anything_is_stored(home, tmp_path):
    async with home("a") as one:
        await fill(one)
        file = await save(one, tmp_path / "life")
        secret = await save(one, tmp_path / "sealed", password="x")
    async with home("b") as two:
        before = dump(two)
        for path, password in ((file, ""), (secret, "x")):
            whole = path.read_bytes()
            broken = tmp_path / "broken"
            for at in [*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1]:
                broken.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
                if not password and same(whole, broken.read_bytes()):
                    continue  # a time stamp, or bits that pad a block: gzip's, and nothing of ours
                with pytest.raises((ImportInvalid, PasswordWrong)):
                    await load(two, broken, password)
            for end in (0, 5, 20, len(whole) // 2, len(whole) - 1):
                broken.write_bytes(whole[:end])
                with pytest.raises(ImportInvalid):
                    await load(two, broken, password)
        assert dump(two) == before


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda ls: ls[0].update(format=2), ImportNewer, "format 2"),
        (lambda ls: ls[0]["tables"].update(dream={"columns": [], "rows": 0}), ImportNewer, "does not know"),
        (lambda ls: ls[0]["tables"]["memories"]["columns"].append("mood"), ImportNewer, "does not know"),
        (lambda ls: ls[3]["row"].update(text="I owe Mallory money"), ImportInvalid, "Row 3 .* hash"),
        (lambda ls: ls.__delitem__(5), ImportInvalid, "rows 1 to"),
        (lambda ls: ls.pop(), ImportInvalid, "cut off after"),
        (lambda ls: ls.append({"table": "memories", "row": {}}), ImportInvalid, "after its end"),
        (lambda ls: ls.insert(4, 7), ImportInvalid, "line 5"),
    ],
)  # fmt: skip
async def test_what_is_not_as_written_is_refused_and_says_where(
    home, tmp_path, change, error, says
):
    async with home("a") as one:
        await fill(one)
        file = await save(one, tmp_path / "life")
    changed = lines(file)
    change(changed)
    file.write_bytes(gzip.compress(b"".join(msgspec.json.encode(x) + b"\n" for x in changed)))
    whole = file.read_bytes()
    async with home("b") as two:
        before = dump(two)
        with pytest.raises(error, match=says):
            await load(two, file)
        assert dump(two) == before
        assert file.read_bytes() == whole


async def test_passwords(home, tmp_path):
    async with home("a") as one:
        await fill(one)
        file = await save(one, tmp_path / "life", password="right")
        assert b"tulips" not in file.read_bytes()
        with pytest.raises(PasswordNeeded):
            await load(one, file)
        with pytest.raises(PasswordWrong):
            await load(one, file, "wrong")
        with pytest.raises(NotFound):
            await load(one, tmp_path / "nothing")


def test_sealed_pieces_of_any_size_open_again(tmp_path):
    for size in (
        0,
        1,
        seal.CHUNK_BYTES - 1,
        seal.CHUNK_BYTES,
        seal.CHUNK_BYTES + 1,
        3 * seal.CHUNK_BYTES,
    ):
        content = bytes(n % 251 for n in range(size))
        path = tmp_path / "f"
        path.write_bytes(b"".join(seal.sealed([content[:7], content[7:]], "p")))
        with path.open("rb") as file:
            assert seal.Unsealed(file, "p").readall() == content


@pytest.mark.slow
async def test_the_real_embedder_gives_the_same_answers(home, tmp_path, settled):
    questions = [q for q, _ in (*life.ENGLISH, *life.FRENCH)]
    facts = list(life.FACTS.values())

    async def answers(service):
        return [
            await service.memories.recall(q, k=5, last_resort_s=30, patience_s=30)
            for q in questions
        ]

    async with home("a", "e5") as one:
        said = [f"2024-03-{n % 28 + 1:02}T10:{n % 60:02}:00Z" for n in range(len(facts))]
        await one.memories.add_many(
            [
                NewMemory(t, said_at=at, thread=f"d{n % 7}")
                for n, (t, at) in enumerate(zip(facts, said))
            ]
        )
        (row, *_), _ = await one.memories.list(limit=1)
        await one.memories.edit(row.id, text="My commute is a bicycle ride along the river.")
        await settled(one, 120)
        before = await answers(one)
        hit = sum(
            any(life.FACTS[key] == m.text for m in found)
            for (_, key), found in zip(life.ENGLISH, before)
        )
        assert hit > 40
        file = await save(one, tmp_path / "life")
    async with home("b", "e5") as two:
        await load(two, file)
        await settled(two, 20)  # the child starts once, to say which model it is
        assert await answers(two) == before
        again = await save(two, tmp_path / "again")
        assert lines(again)[-1]["end"]["sha256"] == lines(file)[-1]["end"]["sha256"]
    async with home("b", "e5") as two:  # and from the file alone, after a restart
        assert await answers(two) == before


async def test_kills_in_the_middle_leave_whole_rows_and_the_next_import_ends_it(home, tmp_path):
    async with home("a") as one:
        await fill(one)
        for n in range(30):
            rows = await one.memories.add_many(
                [NewMemory(f"Fact {n} number {i}") for i in range(150)]
            )
            await one.memories.edit(rows[0].id, text=f"Corrected fact {n}")
            chat = await one.conversations.create(f"Chat {n}", "You are Nestor.")
            for i in range(5):
                await one.conversations.start_turn(chat.id, f"t_{n}_{i}", "hello")
                await one.conversations.finish_turn(f"t_{n}_{i}", status="done", reply="hi")
        before = dump(one)
        file = await save(one, tmp_path / "life")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(ZYGOTE), str(tmp_path / "b"), str(file), "12", "5"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = [int(line) for line in done.stdout.split()]
    assert stored == sorted(stored)  # what one import stored, the next one keeps
    assert 0 < stored[-1] < 4_600
    async with home("b") as two:
        await load(two, file)
        assert dump(two) == before
        assert (await two.memories.check(full=True))["problems"] == []
        assert not (await load(two, file))["added"]


async def test_what_was_forgotten_stays_so_unless_it_is_asked_for(home, tmp_path):
    async with home("a") as one:
        await fill(one)
        file = await save(one, tmp_path / "life")
        whole = dump(one)
        assert "tombstones" not in lines(file)[0]["tables"]
        (gone,) = [m for m in (await one.memories.list())[0] if "hazelnuts" in m.text]
        await one.memories.delete(gone.id)
        chat = next(c for c in (await one.conversations.list())[0] if c.title == "About Ana")
        await one.conversations.delete(chat.id)
        assert not any(line.get("row", {}).get("name", "").startswith("tombstone")
                       for line in lines(await save(one, tmp_path / "later")))  # fmt: skip
        left = dump(one)
        told = await load(one, file)
        assert not told["added"]
        assert told["forgotten"]["memories"] == 1
        assert told["forgotten"]["conversations"] == 1
        assert told["forgotten"]["turns"] == 2
        assert dump(one) == left
        back = await load(one, file, with_forgotten=True)
        assert (back["added"]["memories"], back["added"]["conversations"]) == (1, 1)
        now = dump(one)
        for table in ("memories", "conversations", "turns", "recalls", "sources"):
            assert sorted(map(str, now[table])) == sorted(map(str, whole[table]))
        assert len(now["summaries"]) == 1  # of the same turn, which has another place now
        assert not (await load(one, file))["forgotten"]  # it is wanted again
        assert (await one.memories.check(full=True))["problems"] == []
