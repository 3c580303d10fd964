"""One flipped byte in a page, a log or an index of it that was removed."""

from __future__ import annotations

import shutil

import pytest
from faults import inner_child, scripts, story
from faults.killing import opened

from assistant.errors import BackupFailed, Damaged
from assistant.memory import embedder
from assistant.types import NewMemory


@pytest.fixture
def inside(monkeypatch):
    """No child process: it would outlive a memory that is not closed."""
    monkeypatch.setattr(embedder, "Child", inner_child.InnerChild)


async def abandoned(home, into):
    """A memory with something in the file and something in the log, as a crash leaves it."""
    service = await opened(home)
    old = await service.memories.add(NewMemory("in the file"))
    await service._writer.checkpoint()
    new = await service.memories.add(NewMemory("in the log"))
    shutil.copytree(home, into)
    await service.close()
    return old, new


async def test_a_log_that_was_taken_away_is_missed(tmp_path, inside):
    await abandoned(tmp_path / "home", crashed := tmp_path / "crashed")
    (crashed / "data/memory.db-wal").unlink()
    before = (crashed / "data/memory.db").read_bytes()
    service = await opened(crashed)
    assert "log was missing" in service.problem
    assert (await service.memories.count()).count == 1
    assert await story.problems(service, story.Truth()) == []
    assert (crashed / "data/memory.db.before-missing-log").read_bytes() == before
    await service.close()
    again = await opened(crashed)
    assert again.problem == ""
    await again.close()


@pytest.mark.parametrize("side", ["nothing", "shm"])
async def test_a_crash_alone_loses_nothing_and_raises_no_alarm(tmp_path, inside, side):
    old, new = await abandoned(tmp_path / "home", crashed := tmp_path / "crashed")
    if side == "shm":
        (crashed / "data/memory.db-shm").unlink()
    service = await opened(crashed)
    assert service.problem == ""
    assert [(await service.memories.get(one.id)).text for one in (old, new)] == [
        "in the file", "in the log",
    ]  # fmt: skip
    await service.close()


async def test_a_log_that_was_emptied_by_forgetting_is_no_alarm(tmp_path, inside):
    service = await opened(tmp_path / "home")
    row = await service.memories.add(NewMemory("secret"))
    await service.memories.delete(row.id)
    shutil.copytree(tmp_path / "home", tmp_path / "crashed")
    await service.close()
    again = await opened(tmp_path / "crashed")
    assert again.problem == ""
    await again.close()


async def test_half_a_checkpoint_without_its_log_is_refused(tmp_path, inside):
    service = await opened(tmp_path / "home")
    await service.memories.add_many([NewMemory(f"first {n} " + "x" * 900) for n in range(200)])
    await service._writer.checkpoint()
    before = (tmp_path / "home/data/memory.db").read_bytes()
    for row in (await service.memories.list(limit=150))[0]:
        await service.memories.edit(row.id, text=f"{row.text} again")
    shutil.copytree(tmp_path / "home", tmp_path / "crashed")
    await service._writer.checkpoint()
    after = (tmp_path / "home/data/memory.db").read_bytes()
    await service.close()
    half = len(before) // 2 // 4096 * 4096
    mixed = after[:half] + before[half:]
    (tmp_path / "crashed/data/memory.db").write_bytes(mixed)
    (tmp_path / "crashed/data/memory.db-wal").unlink()
    with pytest.raises(Damaged):
        await opened(tmp_path / "crashed")
    assert (tmp_path / "crashed/data/memory.db").read_bytes() == mixed


def test_one_flipped_byte_is_never_a_wrong_answer(tmp_path, full):
    told = scripts.run("damaging", tmp_path, 10_000 if full else 200)
    print(told)
    assert told["pages"] >= 200
    assert told["problems"] == []
    # Each is noticed: by refusing to open, or by the check that `doctor` makes.
    assert "check: nothing" not in told["states"]
    assert {code.rpartition(": ")[2] for code in told["errors"]} <= {"damaged"}


async def test_a_damaged_page_is_never_copied_as_a_whole_one(tmp_path, inside):
    """A backup signs its pages anew: zeros in place of a text would look sound for ever."""
    service = await opened(tmp_path / "home")
    await service.memories.add(NewMemory("word " * 3_000))
    await service.close()
    path = tmp_path / "home/data/memory.db"
    data = bytearray(path.read_bytes())
    pages = len(data) // 4096
    refused = 0
    for page in range(1, pages):
        broken = bytearray(data)
        broken[page * 4096 + 50] ^= 1
        path.write_bytes(broken)
        try:
            service = await opened(tmp_path / "home")
        except Damaged:
            continue
        with pytest.raises((Damaged, BackupFailed)):
            await service.backups.make()
        refused += 1
        await service.close()
    assert refused > 3
    assert not list((tmp_path / "home").rglob("memory-*.db"))
