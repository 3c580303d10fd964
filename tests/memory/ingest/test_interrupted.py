"""Killed at any moment, indexing and removing go on where they were: nothing twice, nothing missing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from memory.ingest import made
from memory.ingest.waiting import added, in_state, texts, until

from assistant.memory.ingest import service as sources_module
from assistant.memory.ingest.indexer import Indexer

ZYGOTE = Path(__file__).parent / "indexing_zygote.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
async def test_killed_again_and_again_it_ends_whole(following, folder, paths, tmp_path):
    letters = [
        made.letter(1 + n % 28, "a@localhost", f"s{n}", f"letter{n} here") for n in range(1200)
    ]
    files = {f"d{n % 7}/f{n}.txt": f"file number{n} here\n\n" * 3 for n in range(3000)}
    root = folder(files | {"all.mbox": made.mbox(*letters)})
    done = subprocess.run(
        [sys.executable, str(ZYGOTE), str(tmp_path / "home"), str(root), "12"],
        capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "PYTHONPATH": f"{Path.cwd()}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("killed") >= 3, done.stdout
    async with following() as service:
        (source,) = await service.sources.list()
        source = await in_state(service, source.id, timeout_s=90)
        assert (source.files, source.failed, source.job.state) == (3001, 0, "done")
        assert (source.job.done, source.job.total) == (3001, 3001)
        said = await texts(service)
        assert len(said) == len(set(said)) == 4200
        assert sum("letter" in text for text in said) == 1200
        assert (await service.memories.check(full=True))["problems"] == []


async def test_a_job_goes_on_under_its_own_name(following, folder, monkeypatch):
    root = folder({f"f{n}.txt": f"file number{n}" for n in range(200)})
    store = Indexer._store
    calls = 0

    async def dies_later(self, changes):
        nonlocal calls
        calls += 1
        if calls > 2:
            await asyncio.Event().wait()
        await store(self, changes)

    with monkeypatch.context() as patch:
        patch.setattr(Indexer, "_store", dies_later)
        async with following() as service:
            source = await service.sources.add(str(root))

            async def stuck():
                return calls > 2

            await until(stuck)
            before = (await service.sources.get(source.id)).job
            assert (before.state, before.done, before.total) == ("running", 64, 200)
    reads = []
    load = Indexer._load

    def counted(self, batch):
        reads.extend(found.path for found in batch)
        return load(self, batch)

    monkeypatch.setattr(Indexer, "_load", counted)
    async with following() as service:
        source = await in_state(service, source.id)
        assert (source.job.id, source.job.state, source.job.done) == (before.id, "done", 200)
        assert len(reads) == 200 - 64
        assert len(await texts(service)) == 200


async def test_a_removal_goes_on_at_the_next_start(following, folder, monkeypatch):
    root = folder({f"f{n}.txt": f"file number{n}" for n in range(60)})
    monkeypatch.setattr(sources_module, "REMOVED_AT_ONCE", 20)
    monkeypatch.setattr(sources_module, "REMOVE_WAIT_S", 0.05)
    async with following() as service:
        source = await added(service, root)
        forget = service.sources._shelf.forget
        calls = 0

        async def dies_later(choose):
            nonlocal calls
            calls += 1
            if calls > 1:
                await asyncio.Event().wait()
            return await forget(choose)

        service.sources._shelf.forget = dies_later
        left = await service.sources.remove(source.id)
        assert left.state == "removing"
        assert len(await texts(service)) in (40, 60)
    async with following() as service:

        async def gone():
            return not await service.sources.list()

        await until(gone)
        assert await texts(service) == []
        assert root.is_dir()


async def test_a_mailbox_that_grows_keeps_what_it_has(following, folder, settled):
    letters = [
        made.letter(n, "Ana <ana@localhost>", f"s{n}", f"letter{n} here") for n in range(1, 9)
    ]
    root = folder({"in.mbox": made.mbox(*letters[:5])})
    async with following() as service:
        await added(service, root)
        before = {m.text: m.id for m in (await service.memories.list(limit=100))[0]}
        assert len(before) == 5
        (root / "in.mbox").write_bytes(made.mbox(*letters))

        async def grown():
            return len(await texts(service)) == 8

        await until(grown)
        after = {m.text: m.id for m in (await service.memories.list(limit=100))[0]}
        assert all(after[text] == memory_id for text, memory_id in before.items())
        (hit,) = await service.memories.recall("letter7", k=1)
        assert hit.source == "Notes/in.mbox, mail “s7” from Ana"
        assert hit.said_at == "2026-06-07T08:00:00Z"


async def test_a_maildir_is_mail(following, folder):
    root = folder({
        "Mail/cur/1.host:2,S": made.letter(1, "a@localhost", "s1", "first wombat"),
        "Mail/new/2.host": made.letter(2, "b@localhost", "s2", "second quokka"),
        "Mail/tmp/3.host": made.letter(3, "c@localhost", "s3", "half numbat"),
        "Mail/.Sent/cur/4.host:2,S": made.letter(4, "d@localhost", "s4", "sent bilby"),
        "Mail/.Sent/new/.keep": b"", "Mail/.Sent/tmp/.keep": b"",
    })  # fmt: skip
    async with following() as service:
        source = await added(service, root)
        said = "\n".join(await texts(service))
        assert all(word in said for word in ("wombat", "quokka", "bilby"))
        assert "numbat" not in said
        assert source.files == 3
