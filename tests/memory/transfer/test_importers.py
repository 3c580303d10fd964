"""What others have kept comes in whole, once, with its date and its source, and never as a fact."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from assistant.errors import ImportInvalid
from assistant.memory.transfer import archive, fields, jsonlist, loader, origins, tree
from assistant.memory.transfer.records import Chat, Note, Skipped

DATA = Path(__file__).parents[2] / "data/imports"
ZYGOTE = Path(__file__).with_name("import_zygote.py")


@pytest.fixture
def given(tmp_path):
    """A fixture's file or folder, its databases made of their SQL, in a fresh place."""

    def make(name):
        target = tmp_path / "given" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = DATA / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.sql"))
            for script in source.glob("*.sql"):
                database(target / f"{script.stem}.db", script.read_text("utf-8"))
        elif source.exists():
            shutil.copy(source, target)
        else:
            database(target, source.with_suffix(".sql").read_text("utf-8"))
        return target

    return make


def database(path, script):
    with sqlcipher.connect(str(path)) as db:
        db.executescript(script)
    db.close()
    return path


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                out.write(file, file.relative_to(folder))
    return path


def records(path, tmp_path, origin="auto"):
    with archive.opened(path, tmp_path) as opened:
        name, importer = origins.importer(opened, origin)
        return name, list(importer.read(opened))


async def take(service, path, **how):
    return [step async for step in service.transfers.load(path, **how)][-1]


async def chats(service):
    """Title → (asked, answered, when) of each turn."""
    found, _ = await service.conversations.list(limit=50)
    return {
        one.title: [
            (t.text, t.reply, t.started_at) for t in await service.conversations.turns(one.id)
        ]
        for one in found
    }


async def notes(service):
    """Text → (trust, when, source)."""
    found, _ = await service.memories.list(limit=100)
    assert {one.kind for one in found} <= {"note"}
    return {one.text: (one.trust, one.said_at, one.source) for one in found}


ALL = {
    "chatgpt": (3, 4, 5, 3),
    "claude": (1, 1, 6, 3),
    "openwebui": (4, 5, 1, 1),
    "anythingllm": (4, 4, 0, 1),
    "khoj": (1, 1, 1, 0),
    "mem0": (0, 0, 1, 2),
    "letta": (2, 2, 2, 3),
    "openclaw": (0, 0, 6, 1),
    "obsidian": (0, 0, 2, 2),
}
"""Conversations, turns, memories that come in, and things left out."""


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize("name", ALL)
async def test_each_comes_in_whole_and_once(memory, given, tmp_path, name, form):
    path = given(name)
    if form == "zip":
        path = zipped(path, tmp_path / f"{name}.zip")
    async with memory() as service:
        would = await take(service, path, dry_run=True)
        assert (await service.memories.count()).count == 0
        done = await take(service, path)
        assert done["from"] == name
        added = tuple(done["added"].get(x, 0) for x in ("conversations", "turns", "memories"))
        assert (*added, done["skipped_count"]) == ALL[name], done
        assert done["skipped_count"] == len(done["skipped"])
        assert {k: v for k, v in would["added"].items() if v} == {
            k: v for k, v in done["added"].items() if v
        } or (
            name
            == "mem0"  # its database and its list name one memory; only a real import sees that
        )
        again = await take(service, path)
        assert not again["added"]
        assert not again["different"]
        assert (await service.memories.check(full=True))["problems"] == []
        for trust, _, source in (await notes(service)).values():
            assert trust in ("model", "file")
            assert source.startswith(origins.IMPORTERS[name].LABEL)


async def test_chatgpt_has_every_version_of_an_answer_and_its_dates(memory, given):
    async with memory() as service:
        await take(service, given("chatgpt"))
        found = await chats(service)
        assert found["Tulips for Ana"] == [
            ("[image]\nWhich flowers should I bring my sister Ana? \U0001f337",
             "Tulips, since she loves them.", "2024-06-01T10:00:02Z"),
            ("Which colour?", "Yellow.", "2024-06-01T10:59:50Z"),
        ]  # fmt: skip
        assert found["Tulips for Ana (version 1)"][0][1] == "Roses are a safe choice."
        assert found[""][0][0] == "A lone half \ufffd of a flower, and no date."
        kept = await notes(service)
        assert kept["Has a daughter called Tilda."][:2] == ("model", "2024-06-01T10:00:01Z")
        assert kept["Sister Ana loves tulips."][0] == "model"
        assert kept["I am a stage technician in Bergen."][0] == "file"
        listed, _ = await service.conversations.list()
        (one,) = [c for c in listed if c.title == "Tulips for Ana"]
        assert (one.created_at, one.updated_at) == ("2024-06-01T10:00:00Z", "2024-06-01T11:00:00Z")
        turn = (await service.conversations.turns(one.id))[0]
        assert turn.model == "gpt-4o"
        assert turn.receipt["imported"]["place"] == "conversations.json, conversation 1"


async def test_claude_keeps_pasted_texts_and_both_answers(memory, given):
    async with memory() as service:
        await take(service, given("claude"))
        ((asked, answered, at),) = (await chats(service))["Risotto"]
        assert "stir for 18 minutes" in asked
        assert answered == "About 18 minutes.\n\nShall I write it down?"
        assert at == "2025-01-05T10:00:01Z"
        kept = await notes(service)
        assert kept["# Water\n\nThe tap is behind the shed."][0] == "file"
        assert kept["Pumpkins failed in 2024."][0] == "model"


async def test_obsidian_notes_are_found_by_alias_and_say_which_note(memory, given, settled):
    async with memory() as service:
        await take(service, given("obsidian"))
        await settled(service)
        kept = await notes(service)
        daily = next(v for k, v in kept.items() if "station" in k)
        assert daily == ("file", "2024-03-01T00:00:00Z", "Obsidian: Daily/2024-03-01.md")
        (hit, *_) = await service.memories.recall("Ani", k=3)
        assert hit.text.startswith("Ana Lopez (also: Ani, Aunt Ana; tags: family, people)")
        assert "Lives in the south with Bruno The dog." in hit.text
        assert "png" not in hit.text


async def test_what_tells_another_agent_what_to_do_stays_out(memory, given):
    async with memory() as service:
        done = await take(service, given("openclaw"))
        assert not any("obey" in text for text in await notes(service))
        assert [s["what"] for s in done["skipped"]] == ["SOUL.md"]


async def test_a_memory_that_changed_there_supersedes_unless_it_was_corrected_here(
    memory, tmp_path
):
    path = tmp_path / "get_all.json"

    def says(text):
        path.write_text(
            json.dumps([{"id": "m1", "memory": text, "created_at": "2025-01-01T00:00:00Z"}])
        )
        return path

    async with memory() as service:
        await take(service, says("Lives in Bergen"))
        assert (await take(service, says("Lives in Oslo")))["added"] == {"memories": 1}
        ((live, *_), _) = await service.memories.list()
        assert live.text == "Lives in Oslo"
        assert len(await service.memories.history(live.id)) == 2
        await service.memories.edit(live.id, text="Lives in Tromso")
        told = await take(service, says("Lives in Hamar"))
        assert told["different"] == {"memories": 1}
        assert list(await notes(service)) == ["Lives in Tromso"]


_HISTORY = "(id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT, {})"
_TIMES = "created_at DATETIME, updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT"
_ADDED = "2025-01-01T10:00:00-08:00"
_LATER = "2025-02-01T10:00:00-08:00"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ([("Has a cat", "ADD", _ADDED, None, 0)], ["Has a cat"]),
        # As releases 0.1.118 and 1.0.5 write it, then as newer ones do.
        ([("Has a cat", "ADD", _ADDED, None, 0), (None, "DELETE", None, None, 1)], []),
        ([("Has a cat", "ADD", _ADDED, None, 0), (None, "DELETE", _ADDED, _LATER, 1)], []),
        ([("Has a cat", "ADD", _ADDED, None, 0), (None, "DELETE", None, None, 0)], []),
        ([("Has a cat", "ADD", _ADDED, None, 0), ("Has a cat", "delete", None, None, None)], []),
        ([("Has a cat", "ADD", _ADDED, None, 0), (None, "NONE", None, None, 1)], []),
        # An order in which no program writes: what it once deleted stays out.
        ([(None, "DELETE", None, None, 1), ("Has a cat", "ADD", _ADDED, None, 0)], []),
        (
            [("Has a cat", "ADD", _ADDED, None, 0), ("Has two cats", "UPDATE", _ADDED, _LATER, 0),
             (None, "DELETE", None, None, 1)],
            [],
        ),
        ([("A cat", "ADD", _ADDED, None, 0), ("Two cats", "UPDATE", None, None, 0)], ["Two cats"]),
        (
            [("A cat", "ADD", _LATER, None, None), ("Two cats", "UPDATE", _ADDED, _ADDED, None)],
            ["Two cats"],
        ),
    ],
)  # fmt: skip
def test_what_mem0_deleted_stays_out_and_its_last_row_counts(tmp_path, written, says):
    path = tmp_path / "history.db"
    with sqlcipher.connect(str(path)) as db:
        db.execute(f"CREATE TABLE history {_HISTORY.format(_TIMES)}")
        for number, (new, event, created, updated, deleted) in enumerate(written):
            db.execute(
                "INSERT INTO history VALUES (?, 'm1', NULL, ?, ?, ?, ?, ?, NULL, NULL)",
                [f"h{9 - number}", new, event, created, updated, deleted],
            )
    db.close()
    found = records(path, tmp_path)[1]
    assert [one.text for one in found if isinstance(one, Note)] == says
    assert all(one.said_at for one in found if isinstance(one, Note))
    assert [one.what for one in found if isinstance(one, Skipped)] == (
        [] if says else ["deleted memories: 1"]
    )


def test_a_history_of_mem0_without_times_and_marks_is_read_too(tmp_path):
    path = database(
        tmp_path / "history.db",
        f"CREATE TABLE history {_HISTORY.format('actor_id TEXT')};"
        "INSERT INTO history VALUES ('1', 'm1', NULL, 'Has a cat', 'ADD', NULL);"
        "INSERT INTO history VALUES ('2', 'm2', NULL, 'Has a dog', 'ADD', NULL);"
        "INSERT INTO history VALUES ('3', 'm1', 'Has a cat', NULL, 'DELETE', NULL);",
    )
    found = [one.text for one in records(path, tmp_path)[1] if isinstance(one, Note)]
    assert found == ["Has a dog"]


async def test_a_newer_export_adds_what_is_new_to_its_conversation(memory, tmp_path, given):
    path = given("claude") / "conversations.json"
    async with memory() as service:
        await take(service, path)
        newer = json.loads(path.read_text())
        newer[0]["chat_messages"].append(
            {
                "uuid": "c1m9",
                "text": "Thanks",
                "sender": "human",
                "created_at": "2025-06-01T00:00:00Z",
            }
        )
        path.write_text(json.dumps(newer))
        assert (await take(service, path))["added"] == {"turns": 1}
        assert [t[0] for t in (await chats(service))["Risotto"]][-1] == "Thanks"
        ((one, *_), _) = await service.conversations.list()
        assert one.updated_at == "2025-06-01T00:00:00Z"


async def test_kills_in_the_middle_lose_and_double_nothing(memory, paths, tmp_path):
    file = tmp_path / "conversations.json"
    made = []
    for n in range(1_500):
        say = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [f"q {n}"]}}
        note = {
            "author": {"role": "assistant"}, "recipient": "bio",
            "content": {"content_type": "code", "text": f"Fact number {n}"},
        }  # fmt: skip
        nodes = {
            "r": {"parent": None},
            "a": {"parent": "r", "message": say},
            "b": {"parent": "a", "message": note},
        }
        made.append({"id": f"c{n}", "title": f"Chat {n}", "mapping": nodes, "current_node": "b"})
    file.write_text(json.dumps(made))
    home = paths.data.parent
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(ZYGOTE), str(home), str(file), "10", "3"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = [int(line) for line in done.stdout.split()]
    assert stored == sorted(stored)
    async with memory() as service:
        await take(service, file)
        assert (await service.memories.count()).count == 1_500
        assert not (await take(service, file))["added"]
        count = service._readers.read(
            lambda db: db.execute("SELECT count(*), count(DISTINCT text) FROM turns").fetchone()
        )
        assert tuple(count) == (1_500, 1_500)


# --- files that are broken, or meant to break something ------------------------------------------


def test_elements_of_any_array_in_any_pieces(monkeypatch):
    chance = random.Random(5)

    def value(depth=0):
        kind = chance.randrange(7 if depth < 3 else 4)
        if kind < 3:
            return "".join(
                chance.choice('a"\\{}[],: \n\u00e9\U0001f337') for _ in range(chance.randrange(9))
            )
        if kind == 3:
            return chance.choice([None, True, 0, -1.5, 10**12])
        if kind < 5:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        return {f"k{n}": value(depth + 1) for n in range(chance.randrange(4))}

    for round_ in range(200):
        monkeypatch.setattr(jsonlist, "READ_BYTES", chance.randrange(1, 40))
        array = [value() for _ in range(chance.randrange(6))]
        raw = json.dumps(array, ensure_ascii=bool(round_ % 2), indent=round_ % 3 or None).encode()
        assert list(jsonlist.elements(io.BytesIO(raw))) == array


def test_a_broken_element_or_a_cut_file_costs_no_other(monkeypatch):
    def read(raw):
        found = list(jsonlist.elements(io.BytesIO(raw)))
        return [one.why if isinstance(one, jsonlist.Broken) else one for one in found]

    assert read(b'[{"a":1}, {"b":}, {"c":3}]') == [{"a": 1}, "it is not valid JSON", {"c": 3}]
    assert read(b'[{"a":1}, {"b": "x') == [{"a": 1}, "the file is cut off in it"]
    assert read(b'["\\ud83c", NaN, 3]')[0] == "\ud83c"
    deep = b"[1, " + b"[" * 100_000 + b"]" * 100_000 + b", 2]"
    assert read(deep) == [1, "it is not valid JSON", 2]
    monkeypatch.setattr(jsonlist, "LIMITS", type("L", (), {"import_record_bytes": 50}))
    monkeypatch.setattr(jsonlist, "READ_BYTES", 16)
    assert read(b'[1, "' + b"x" * 500 + b'", 2]') == [1, "it is larger than 50 bytes", 2]
    with pytest.raises(ImportInvalid):
        read(b"not json")


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (1717236000.5, "2024-06-01T10:00:00Z"), (1717236000123, "2024-06-01T10:00:00Z"),
        ("1717236000", "2024-06-01T10:00:00Z"), ("2024-06-01T12:00:00+02:00", "2024-06-01T10:00:00Z"),
        ("2024-06-01", "2024-06-01T00:00:00Z"), ("yesterday", None), (None, None), (True, None), ({}, None),
        (float("nan"), None), (1e300, None), (-5, None), ("9" * 400, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)  # fmt: skip
def test_dates(value, at):
    assert fields.moment(value) == at


def test_trees_with_cycles_orphans_and_many_versions_lose_no_node():
    chance = random.Random(2)
    for _ in range(300):
        keys = [f"n{n}" for n in range(chance.randrange(1, 12))]
        nodes = {
            key: {
                "parent": chance.choice([*keys, "gone", ""]),
                "children": [chance.choice([*keys, "gone", None]) for _ in range(3)],
                "role": chance.choice(["user", "assistant", ""]),
            }
            for key in keys
        }
        found = list(
            tree.paths(
                nodes,
                chance.choice([*keys, "gone"]),
                lambda n: n["parent"],
                lambda n: n["children"],
                lambda n: n["role"],
            )
        )
        assert {key for path in found for key in path.keys} == set(keys)
        assert all(len(set(path.keys)) == len(path.keys) for path in found)
        assert found[0].parted == ""
        assert len({path.parted for path in found}) == len(found)
        assert sum(path.shown for path in found) <= 1


async def test_zips_that_lie_are_refused(memory, tmp_path):
    async with memory() as service:
        bomb = tmp_path / "bomb.zip"
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
            out.writestr("conversations.json", b" " * (8 << 20))
        with pytest.raises(ImportInvalid, match="bomb"):
            await take(service, bomb)
        good = zipped(DATA / "chatgpt", tmp_path / "good.zip").read_bytes()
        for change in (good[:200], good[: len(good) // 2], b"PK\x03\x04" + bytes(100)):
            (tmp_path / "bad.zip").write_bytes(change)
            with pytest.raises(ImportInvalid):
                await take(service, tmp_path / "bad.zip")
        climbing = tmp_path / "climbing.zip"
        with zipfile.ZipFile(climbing, "w") as out:
            out.write(DATA / "chatgpt/conversations.json", "../../conversations.json")
        await take(service, climbing)
        assert not (tmp_path.parent / "conversations.json").exists()


async def test_a_flipped_byte_anywhere_never_breaks_anything(memory, tmp_path):
    whole = zipped(DATA / "claude", tmp_path / "claude.zip").read_bytes()
    plain = (DATA / "chatgpt/conversations.json").read_bytes()
    chance = random.Random(1)
    async with memory() as service:
        for content, name in ((whole, "x.zip"), (plain, "x.json")):
            for _ in range(40):
                at = chance.randrange(len(content))
                (tmp_path / name).write_bytes(
                    content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
                )
                with contextlib.suppress(ImportInvalid):
                    await take(service, tmp_path / name)
        assert (await service.memories.check(full=True))["problems"] == []


async def test_databases_that_are_damaged_or_play_tricks(memory, given, tmp_path):
    async with memory() as service:
        path = given("openwebui/webui.db")
        whole = path.read_bytes()
        path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
        with pytest.raises(ImportInvalid):
            await take(service, path)
        view = database(
            tmp_path / "view.db", "CREATE VIEW chat AS SELECT 1 AS id, 'x' AS title, '{}' AS chat"
        )
        with pytest.raises(ImportInvalid, match="no program"):
            await take(service, view)
        assert list(service.transfers._incoming.make().glob("*")) == []


async def test_what_stands_only_in_a_databases_log_comes_in_and_the_original_is_untouched(
    memory, tmp_path
):
    path = tmp_path / "history.db"
    db = sqlcipher.connect(str(path))
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript((DATA / "mem0/history.sql").read_text())
    before = {p.name: p.read_bytes() for p in tmp_path.glob("history.db*")}
    assert "history.db-wal" in before
    async with memory() as service:
        await take(service, path)
        assert list(await notes(service)) == ["Lives in Oslo"]
    assert {p.name: p.read_bytes() for p in tmp_path.glob("history.db*")} == before
    db.close()


async def test_links_out_of_a_folder_are_not_followed(memory, given, tmp_path):
    vault = given("obsidian")
    secret = tmp_path / "secret.md"
    secret.write_text("The alarm code is 7719.")
    (vault / "link.md").symlink_to(secret)
    async with memory() as service:
        await take(service, vault)
        assert not any("7719" in text for text in await notes(service))


async def test_the_wrong_name_and_unknown_files(memory, given, tmp_path):
    async with memory() as service:
        with pytest.raises(ImportInvalid, match="not a file of Claude"):
            await take(service, given("chatgpt"), origin="claude")
        odd = tmp_path / "odd.bin"
        odd.write_bytes(os.urandom(5000))
        with pytest.raises(ImportInvalid, match="no program"):
            await take(service, odd)


def test_a_long_note_keeps_every_word():
    words = [f"w{n}" for n in range(9_000)]
    whole = " ".join(words)
    note = Note("x", whole, "p", "file")
    assert "".join(part.text for part in loader._parts(note)) == whole
    text = "# A\n\n" + "\n\n".join(" ".join(words[n : n + 100]) for n in range(0, 9_000, 100))
    assert " ".join(fields.pieces(text)).split() == text.split()
    code = "before\n\n```\n# not a heading\n\nx = 1\n```\n\nafter"
    assert "# not a heading\n\nx = 1" in "\n\n".join(fields.pieces(code))


def test_every_origin_that_can_be_asked_for_is_there(tmp_path):
    from typing import get_args

    from assistant.types import Origin

    assert set(get_args(Origin)) == {"auto", "nestor", *origins.IMPORTERS}
    assert records(DATA / "letta/agent.af", tmp_path)[0] == "letta"
    for name, found in (records(p, tmp_path) for p in (DATA / "khoj", DATA / "claude")):
        assert name in origins.IMPORTERS
        assert all(isinstance(one, Chat | Note | Skipped) for one in found)


async def test_what_was_forgotten_stays_so(memory, given):
    path = given("chatgpt")
    async with memory() as service:
        await take(service, path)
        listed, _ = await service.memories.list()
        await service.memories.delete(next(m.id for m in listed if "Tilda" in m.text))
        chat = next(
            c for c in (await service.conversations.list())[0] if c.title == "Tulips for Ana"
        )
        await service.conversations.delete(chat.id)
        told = await take(service, path)
        assert not told["added"]
        assert told["forgotten"] == {"conversations": 1, "memories": 1}
        back = await take(service, path, with_forgotten=True)
        assert back["added"] == {"conversations": 1, "turns": 2, "memories": 1}
        assert not (await take(service, path))["forgotten"]
