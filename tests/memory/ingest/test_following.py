"""Changes are looked at where they happened, and the result is that of a walk through everything."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time

import pytest
from memory.ingest.waiting import added, in_state, texts, until

from assistant.memory.ingest import follower, spots
from assistant.memory.ingest.indexer import Indexer
from assistant.memory.ingest.walk import Walk
from assistant.memory.ingest.watch import MOST_PATHS, Watch


@pytest.fixture
def walks(monkeypatch):
    """Counts walks through everything."""
    counted = []
    look = Indexer.look

    async def looked(self):
        counted.append(1)
        return await look(self)

    monkeypatch.setattr(Indexer, "look", looked)
    return counted


def says(service, *wanted):
    async def check():
        return sorted(await texts(service)) == sorted(wanted)

    return check


async def test_no_change_that_is_told_costs_a_walk(following, folder, walks):
    root = folder({"a.txt": "alpha wombat", "sub/b.txt": "beta quokka", "sub/deep/c.md": "gamma"})
    async with following() as service:
        source = await added(service, root)
        assert len(walks) == 1
        # An editor's save: beside it, then over it.
        (root / ".a.txt.swp").write_text("alpha bilby")
        (root / ".a.txt.swp").replace(root / "a.txt")
        await until(says(service, "alpha bilby", "beta quokka", "gamma"))
        # Another editor's: the old one is put aside first.
        (root / "a.txt").rename(root / "a.txt~")
        (root / "a.txt").write_text("alpha numbat")
        await until(says(service, "alpha numbat", "beta quokka", "gamma"))
        (root / "sub").rename(root / "moved")
        await until(says(service, "alpha numbat", "beta quokka", "gamma"))
        await until(lambda: _paths(service, source, "a.txt", "moved/b.txt", "moved/deep/c.md"))
        shutil.move(root / "moved", root.parent / "out")
        await until(says(service, "alpha numbat"))
        shutil.move(root.parent / "out", root / "back")
        await until(says(service, "alpha numbat", "beta quokka", "gamma"))
        shutil.rmtree(root / "back")
        (root / "x" / "y").mkdir(parents=True)
        (root / "x" / "y" / "z.txt").write_text("delta")
        await until(says(service, "alpha numbat", "delta"))
        await in_state(service, source.id)
        assert len(walks) == 1
        assert (await service.memories.check())["problems"] == []


async def _paths(service, source, *wanted):
    files, _ = await service.sources.files(source.id)
    return [file.path for file in files] == sorted(wanted)


async def test_ignore_files_hold_at_once(following, folder, walks):
    root = folder({"a.txt": "alpha", "sub/b.txt": "beta", "sub/deep/c.txt": "gamma"})
    async with following() as service:
        await added(service, root)
        (root / "sub" / ".gitignore").write_text("deep/\n")
        await until(says(service, "alpha", "beta"))
        (root / "sub" / "deep" / "d.txt").write_text("delta")
        (root / "e.txt").write_text("epsilon")
        await until(says(service, "alpha", "beta", "epsilon"))
        (root / "sub" / ".gitignore").unlink()
        await until(says(service, "alpha", "beta", "gamma", "delta", "epsilon"))
        assert len(walks) == 1
        (root / ".nestorignore").write_text("*.txt\n!a.txt\n")
        await until(says(service, "alpha"))


async def test_a_folder_that_becomes_a_link_is_left(following, folder, tmp_path):
    root = folder({"a.txt": "alpha", "sub/b.txt": "beta"})
    other = folder({"b.txt": "of somebody else", "c.txt": "too"}, "Other")
    async with following() as service:
        await added(service, root)
        shutil.rmtree(root / "sub")
        (root / "sub").symlink_to(other)
        await until(says(service, "alpha"))
        (other / "c.txt").write_text("changed")
        (root / "d.txt").write_text("delta")
        await until(says(service, "alpha", "delta"))


async def test_one_file_that_never_rests_holds_up_no_other(following, folder):
    root = folder({"a.txt": "alpha", "busy.log.txt": "line"})
    async with following() as service:
        await added(service, root)

        async def write():
            while True:
                with (root / "busy.log.txt").open("a") as file:
                    file.write("another line\n")
                await asyncio.sleep(0.01)

        writing = asyncio.create_task(write())
        try:
            (root / "new.txt").write_text("zeppelin")

            async def seen():
                return "zeppelin" in await texts(service)

            begun = time.monotonic()
            await until(seen, 4.0)
            assert time.monotonic() - begun < 4.0
        finally:
            writing.cancel()


async def test_after_a_failure_everything_is_looked_at(following, folder, walks, monkeypatch):
    monkeypatch.setattr(follower, "RETRY_S", 0.1)
    root = folder({"a.txt": "alpha"})
    async with following() as service:
        await added(service, root)
        run, failed = Indexer.run, []

        async def broken(self, seen, todo, job):
            if not failed:
                failed.append(1)
                raise RuntimeError
            return await run(self, seen, todo, job)

        monkeypatch.setattr(Indexer, "run", broken)
        (root / "b.txt").write_text("beta")
        await until(says(service, "alpha", "beta"))
        assert (len(failed), len(walks)) == (1, 2)


def test_more_changes_than_can_be_held_are_everything(tmp_path):
    watch = Watch(tmp_path, single=False, hidden=False)
    for number in range(MOST_PATHS + 1):
        watch._note(f"f{number}")
    assert watch._everywhere
    assert not watch._paths


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        ({"a/b", "a/b/c", "a/bc"}, {"a/b", "a/bc"}),
        ({"a/.gitignore", "a/x/y"}, {"a"}),
        ({".nestorignore", "z"}, {""}),
        ({"mail/inbox/tmp"}, {"mail/inbox"}),
        ({"", "a"}, {""}),
    ],
)
def test_places_cover_what_changed(paths, places):
    assert set(spots.covering(paths)) == places


def test_looking_at_spots_is_a_walk_after_any_change(tmp_path):
    """Random trees, random changes: known files, brought up to date at the spots, are those of a walk."""
    chance = random.Random(7)
    checked = 0
    for number in range(150):
        root = tmp_path / f"t{number}"
        root.mkdir()
        walk = Walk(root, ignore=("*.py", "!keep.py"))
        for _ in range(40):
            _change(chance, root)
        known = walk.folder().files
        told: set[str] = set()
        for _ in range(6):
            told |= _change(chance, root)
        places = spots.covering(told)
        if "" in places:
            continue
        here = {p for p in known if any(p == q or p.startswith(f"{q}/") for q in places)}
        seen = spots.look(walk, places, len(known) - len(here))
        after = {p: f for p, f in known.items() if p not in here} | seen.files
        assert after == walk.folder().files
        checked += bool(told and known)
    assert checked > 50


def _change(chance, root):
    """One change; the paths that the system tells of."""
    names = ("a", "b", ".hidden", "node_modules", "cur", "new", "tmp", "deep")
    files = ("x.txt", "y.md", "z.py", "keep.py", ".env", ".gitignore", "mail", "q.bin")
    at = root
    for _ in range(chance.randint(0, 3)):
        at = at / chance.choice(names)
    if at.is_symlink() or (at.exists() and not at.is_dir()):
        return set()
    made = at
    while not made.parent.exists():
        made = made.parent
    at.mkdir(parents=True, exist_ok=True)
    told = {made.relative_to(root).as_posix()} if made != root else set()
    path = at / chance.choice(files)
    match chance.randint(0, 5):
        case 0 if at != root:
            shutil.rmtree(at)
            return {at.relative_to(root).as_posix()} | told
        case 1 if at != root:
            target = root / f"m{chance.randint(0, 3)}"
            if target.exists():
                return told
            at.rename(target)
            return {at.relative_to(root).as_posix(), target.name} | told
        case 2 if not os.path.lexists(path):
            path.symlink_to(root)
        case 3 if path.is_file():
            path.unlink()
        case _ if not path.is_symlink():
            ignored = chance.choice(("*.txt", "deep/", "!x.txt", ""))
            path.write_text(ignored if path.name == ".gitignore" else "text" * chance.randint(1, 9))
    return told | {path.relative_to(root).as_posix()}
