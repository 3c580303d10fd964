"""A folder is indexed, followed through every change, and gone when it is taken back."""

from __future__ import annotations

import asyncio
import os
import shutil

import pytest
from memory.ingest.waiting import added, hits, in_state, texts, until

from assistant.errors import InvalidInput, SourceExists, SourceNotFound, SourceRefused
from assistant.types import NewMemory, Recalled


async def test_a_folder_is_indexed_and_each_hit_names_file_and_place(following, folder):
    root = folder({
        "trip.md": "# Porto\n\nWe stay at the Hotel Aurora.\n\n## Food\n\nTry the francesinha.\n",
        "src/tool.py": "import os\n\n\ndef launch_rocket(fuel):\n    return fuel * 2\n",
    })  # fmt: skip
    async with following() as service:
        source = await added(service, root)
        assert (source.files, source.failed, source.watched) == (2, 0, "events")
        assert (source.job.state, source.job.done, source.job.total) == ("done", 2, 2)
        (hit,) = (await service.memories.recall("francesinha", k=1))[:1]
        assert hit.source == "Notes/trip.md, “Porto › Food”, lines 5-7"
        assert hit.place == {"heading": "Porto › Food", "lines": [5, 7]}
        assert hit.kind == "chunk"
        row = await service.memories.get(hit.id)
        assert (row.trust, row.thread[:2]) == ("file", "f_")
        assert ("Notes/src/tool.py, “launch_rocket”, lines 4-5", "def launch_rocket(fuel):\n    return fuel * 2") in await hits(service, "launch_rocket")  # fmt: skip # noqa: E501


async def test_only_what_changed_is_stored_anew(following, folder, settled):
    paragraphs = [f"Paragraph {n} speaks of topic{n}. " + "Words. " * 100 for n in range(8)]
    root = folder({"a.txt": "\n\n".join(paragraphs)})
    async with following() as service:
        await added(service, root)
        await settled(service)
        before = {m.text: m.id for m in (await service.memories.list(limit=100))[0]}
        assert len(before) == 8
        calls = []
        embed = service._embedder.embed

        async def counted(some, purpose="passage"):
            calls.extend(some)
            return await embed(some, purpose)

        service._embedder.embed = counted
        paragraphs[5] = "Something else: zeppelin. " + "Words. " * 100
        (root / "a.txt").write_text("\n\n".join(paragraphs))

        async def seen():
            return any("zeppelin" in text for text in await texts(service))

        await until(seen)
        await settled(service)
        after = {m.text: m.id for m in (await service.memories.list(limit=100))[0]}
        assert [text[:12] for text in await texts(service)] == [p[:12] for p in paragraphs]
        assert sum(after.get(text) == before[text] for text in before) == 5
        assert not any("topic5" in text for text in after)
        assert len(calls) == 1
        assert "zeppelin" in calls[0]
        assert (await service.memories.check())["problems"] == []


async def test_new_deleted_and_renamed_files_are_noticed(following, folder):
    root = folder({"a.txt": "alpha wombat", "sub/b.txt": "beta quokka"})
    async with following() as service:
        await added(service, root)
        (root / "c.txt").write_text("gamma numbat")
        (root / "a.txt").unlink()
        (root / "sub").rename(root / "moved")

        async def followed():
            return sorted(await hits(service, "wombat quokka numbat")) == [
                ("Notes/c.txt, line 1", "gamma numbat"), ("Notes/moved/b.txt, line 1", "beta quokka")
            ]  # fmt: skip

        await until(followed)
        files, _ = await service.sources.files((await service.sources.list())[0].id)
        assert [(file.path, file.state, file.chunks) for file in files] == [
            ("c.txt", "indexed", 1), ("moved/b.txt", "indexed", 1)
        ]  # fmt: skip


async def test_what_changed_while_nobody_watched_is_found_at_the_next_start(following, folder):
    root = folder({"a.txt": "alpha wombat", "b.txt": "beta quokka"})
    async with following() as service:
        await added(service, root)
    (root / "a.txt").write_text("alpha bilby")
    (root / "b.txt").unlink()
    async with following() as service:

        async def followed():
            return await texts(service) == ["alpha bilby"]

        await until(followed)


async def test_what_was_taken_back_is_gone_everywhere(following, folder):
    root = folder({"a.txt": "the vault code is Zx81Omega", "b.txt": "beta quokka"})
    async with following() as service:
        await service.memories.add(NewMemory("the user's own note"))
        source = await added(service, root)
        (hit, *_) = await service.memories.recall("Zx81Omega", k=1)
        chats = service.conversations
        chat = await chats.create("x", "")
        await chats.start_turn(chat.id, "t_1", "What is it?", "m")
        await chats.finish_turn(
            "t_1", status="done", reply=f"It says: {hit.text}", context=hit.text,
            recalled=[Recalled(hit.id, hit.text, 1.0, "chunk", hit.said_at, hit.source)],
        )  # fmt: skip
        # The passage changes first: the answer keeps what it quoted until the source is taken back.
        (root / "a.txt").write_text("the vault code was changed")

        async def changed():
            return "the vault code was changed" in await texts(service)

        await until(changed)
        assert "Zx81Omega" in (await chats.turn("t_1")).reply
        told = []

        async def listen(gone, touched):
            told.extend([*gone, *touched.turns])

        service.memories.on_forgotten = listen
        assert await service.sources.remove(source.id) is None
        assert "Zx81Omega" not in (await chats.turn("t_1")).reply
        assert {hit.id, "t_1"} <= set(told)
        assert await service.sources.list() == []
        assert (await service.memories.count()).count == 1
        left = service._readers.read(
            lambda db: [
                db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("sources", "jobs", "memories", "recalls")
            ]
        )
        assert left == [0, 0, 1, 0]
        assert (await service.memories.check())["problems"] == []
        with pytest.raises(SourceNotFound):
            await service.sources.remove(source.id)


async def test_what_the_user_said_comes_before_what_a_file_says(following, folder):
    said = "The cabin's wifi password is heron-42"
    root = folder({f"{n}.txt": said for n in range(6)})
    async with following() as service:
        await added(service, root)
        await service.memories.add(NewMemory(said))
        found = await service.memories.recall("wifi password of the cabin", k=3)
        assert [(hit.kind, hit.trust) for hit in found] == [
            ("note", "user"), ("chunk", "file"), ("chunk", "file")
        ]  # fmt: skip
        assert found[0].score > found[1].score


async def test_a_restore_does_not_follow_again_what_was_taken_back(following, folder):
    root = folder({"a.txt": "alpha wombat"})
    async with following() as service:
        source = await added(service, root)
        kept = service._readers.read(
            lambda db: db.execute("SELECT * FROM sources WHERE parent_id IS NULL").fetchall()
        )
        await service.sources.remove(source.id)
        marks = ", ".join("?" * len(kept[0]))
        # As a backup from before the removal has it.
        await service._writer.run(
            lambda db: db.execute(f"INSERT INTO sources VALUES ({marks})", kept[0])
        )
    async with following() as service:

        async def gone():
            return not await service.sources.list()

        await until(gone)
        assert await texts(service) == []


async def test_a_single_file_is_followed_too(following, folder):
    root = folder({"a.txt": "alpha wombat", "other.txt": "not allowed"})
    async with following() as service:
        source = await added(service, root / "a.txt")
        assert (source.kind, source.files) == ("file", 1)
        assert await texts(service) == ["alpha wombat"]
        # As editors save: a new file takes the old one's place.
        (root / "a.txt.new").write_text("alpha bilby")
        (root / "a.txt.new").replace(root / "a.txt")

        async def followed():
            return await texts(service) == ["alpha bilby"]

        await until(followed)
        (root / "a.txt").unlink()
        await in_state(service, source.id, "unavailable")
        assert await texts(service) == ["alpha bilby"]


async def test_paused_is_not_followed_and_resumed_catches_up(following, folder):
    root = folder({"a.txt": "alpha wombat"})
    async with following() as service:
        source = await added(service, root)
        assert (await service.sources.pause(source.id)).state == "paused"
        (root / "a.txt").write_text("alpha bilby")
        await asyncio.sleep(0.5)
        assert await texts(service) == ["alpha wombat"]
    async with following() as service:  # a restart does not end the pause
        await asyncio.sleep(0.3)
        assert await texts(service) == ["alpha wombat"]
        await service.sources.resume(source.id)
        await in_state(service, source.id)
        assert await texts(service) == ["alpha bilby"]


# --- what is never dropped by mistake ----------------------------------------------------------


async def test_a_folder_that_is_away_keeps_what_was_read(following, folder, monkeypatch):
    monkeypatch.setattr("assistant.memory.ingest.follower.AWAY_S", 0.1)
    root = folder({"a.txt": "alpha wombat"})
    async with following() as service:
        source = await added(service, root)
        root.rename(root.with_name("elsewhere"))
        away = await in_state(service, source.id, "unavailable")
        assert "stays" in away.problem
        assert await texts(service) == ["alpha wombat"]
        root.with_name("elsewhere").rename(root)
        (root / "b.txt").write_text("beta quokka")
        back = await in_state(service, source.id)
        assert back.problem == ""
        assert sorted(await texts(service)) == ["alpha wombat", "beta quokka"]


async def test_an_empty_mount_point_is_a_drive_that_is_away(following, folder):
    root = folder({"nas/a.txt": "alpha wombat", "own.txt": "own quokka"})
    async with following() as service:
        source = await added(service, root)
        # As if nas/ had been on another device when its file was read.
        await service._writer.run(
            lambda db: db.execute("UPDATE sources SET device = device + 1 WHERE path = 'nas/a.txt'")
        )
        (root / "nas/a.txt").unlink()

        async def noticed():
            files, _ = await service.sources.files(source.id, state="unavailable")
            return [file.path for file in files]

        assert await until(noticed) == ["nas/a.txt"]
        assert "alpha wombat" in await texts(service)

        async def told():
            return "1 of its files" in (await service.sources.get(source.id)).problem

        await until(told)
        # On the same device it was deleted.
        (root / "own.txt").unlink()

        async def dropped():
            return await texts(service) == ["alpha wombat"]

        await until(dropped)


async def test_an_emptied_folder_is_emptied(following, folder):
    root = folder({"a.txt": "alpha wombat"})
    async with following() as service:
        await added(service, root)
        (root / "a.txt").unlink()

        async def dropped():
            return not await texts(service)

        await until(dropped)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
async def test_files_that_may_not_be_read_are_listed(following, folder):
    root = folder({"a.txt": "alpha", "closed/b.txt": "beta"})
    (root / "a.txt").chmod(0)
    async with following() as service:
        source = await added(service, root)
        (file, *_) = (await service.sources.files(source.id, state="failed"))[0]
        assert (file.path, "may not be read" in file.problem) == ("a.txt", True)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", ["/", "/proc", "/etc", "{home}/data", "{tmp}/.ssh", "{tmp}/x/.env"]
)
async def test_what_is_never_read(following, tmp_path, paths, place):
    for made in (".ssh", "x"):
        (tmp_path / made).mkdir()
    (tmp_path / "x/.env").write_text("KEY=1")
    async with following() as service:
        with pytest.raises(SourceRefused):
            await service.sources.add(place.format(home=paths.data.parent, tmp=tmp_path))


async def test_bad_requests_change_nothing(following, folder, tmp_path):
    root = folder({"a.txt": "alpha", "sub/b.txt": "beta", "x.bin": b"\0"})
    async with following() as service:
        for bad in ("relative", str(tmp_path / "nothing"), str(root / "x.bin"), "/a\0b"):
            with pytest.raises(InvalidInput):
                await service.sources.add(bad)
        with pytest.raises(InvalidInput):
            await service.sources.add(str(root), ignore=["a/**b\\"])
        assert await service.sources.list() == []
        await added(service, root)
        for inside in (root, root / "sub", root / "a.txt", tmp_path):
            with pytest.raises(SourceExists):
                await service.sources.add(str(inside))
        with pytest.raises(SourceNotFound):
            await service.sources.get("s_none")
        shutil.rmtree(root)
