"""The recovery key: typed as printed it opens the memory; a slip and a wrong key are told apart."""

from __future__ import annotations

import os
import secrets
import stat

import pytest

from assistant import offline
from assistant.config import Settings
from assistant.errors import AlreadyRunning, KeyMissing, KeyWrong, RecoveryKeyInvalid, StoreError
from assistant.instance import Instance
from assistant.memory import copies, keys, recovery
from assistant.types import NewMemory

SETTINGS = Settings(embedder="fake", key_store="file")


def contents(paths) -> dict[str, bytes]:
    files = [p for p in paths.data.parent.rglob("*") if p.is_file() and p != paths.lock]
    return {str(p): p.read_bytes() for p in files}


@pytest.fixture
async def printed(paths, memory):
    """The recovery key of a memory with one row and one backup."""
    async with memory() as service:
        await service.memories.add(NewMemory("one"))
        await service.backups.make()
    return offline.recovery_key(paths, SETTINGS)["recovery_key"]


def test_there_and_back():
    for secret in (bytes(32), b"\xff" * 32, *(secrets.token_bytes(32) for _ in range(50))):
        printed = recovery.write(secret)
        assert len(printed.replace("-", "")) == 56
        assert recovery.read(printed) == secret
        sloppy = printed.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        assert recovery.read(f"  {sloppy}\n") == secret


def test_every_slip_of_one_character_is_told():
    printed = recovery.write(secrets.token_bytes(32)).replace("-", "")
    for at, right in enumerate(printed):
        for wrong in set(recovery._CROCKFORD) - {right}:
            with pytest.raises(RecoveryKeyInvalid, match="mistyped"):
                recovery.read(printed[:at] + wrong + printed[at + 1 :])
    swaps = [i for i in range(55) if printed[i] != printed[i + 1]]
    for i in swaps:
        with pytest.raises(RecoveryKeyInvalid, match="mistyped"):
            recovery.read(printed[:i] + printed[i + 1] + printed[i] + printed[i + 2 :])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "0 were typed"),
        ("0000-000", "7 were typed"),
        ("0" * 57, "57 were typed"),
        ("0000-00U0", "Group 2"),
        ("0000-é", "Group 2"),
        ("hunter2!", "Group 1|Group 2"),
    ],
)
def test_what_is_no_key_is_told(typed, said):
    with pytest.raises(RecoveryKeyInvalid, match=said) as caught:
        recovery.read(typed)
    assert "type it again" in caught.value.hint


@pytest.mark.parametrize("lost", ["missing", "half", "another"])
async def test_a_lost_key_is_put_back(paths, memory, printed, lost):
    if lost == "missing":
        paths.key.unlink()
    else:
        paths.key.write_text("abcd" if lost == "half" else secrets.token_hex(32))
    old = paths.key.read_text() if lost != "missing" else None
    assert "0600" in offline.enter_key(paths, SETTINGS, printed)["place"]
    assert stat.S_IMODE(paths.key.stat().st_mode) == 0o600
    async with memory() as service:
        assert (await service.memories.count()).count == 1
    aside = [p.read_text() for p in paths.config.glob("database.key.replaced-*")]
    assert aside == ([old] if old else [])


async def test_another_memorys_key_and_a_slip_change_nothing(paths, printed):
    paths.key.unlink()
    before = contents(paths)
    slip = ("1" if printed[0] == "0" else "0") + printed[1:]
    for typed, error, said in (
        (recovery.write(secrets.token_bytes(32)), KeyWrong, "whole recovery key"),
        (slip, RecoveryKeyInvalid, "mistyped"),
    ):
        with pytest.raises(error, match=said):
            offline.enter_key(paths, SETTINGS, typed)
        name = next((paths.backups).iterdir()).name
        with pytest.raises(error, match=said):
            offline.restore(paths, SETTINGS, name, recovery_key=typed)
    assert contents(paths) == before


async def test_no_key_for_no_memory_and_none_that_does_not_open_it(paths, printed, tmp_path):
    from assistant.config import load_paths

    empty = load_paths({"NESTOR_HOME": str(tmp_path / "empty")})
    empty.make()
    for ask in (
        lambda: offline.recovery_key(empty, SETTINGS),
        lambda: offline.enter_key(empty, SETTINGS, printed),
    ):
        with pytest.raises(StoreError, match="no memory"):
            ask()
    assert not empty.key.exists()
    paths.key.write_text(secrets.token_hex(32))
    with pytest.raises(KeyWrong):
        offline.recovery_key(paths, SETTINGS)


async def test_beside_a_daemon_no_key_is_changed(paths, printed):
    paths.key.unlink()
    instance = Instance(paths.lock)
    instance.acquire()
    try:
        with pytest.raises(AlreadyRunning):
            offline.enter_key(paths, SETTINGS, printed)
    finally:
        instance.release()
    assert not paths.key.exists()


# --- another machine -------------------------------------------------------------------------


@pytest.fixture
async def abroad(paths, memory, tmp_path):
    """Two backups and the recovery key of a memory that is gone; a row of the first was forgotten."""
    async with memory() as service:
        rows = await service.memories.add_many([NewMemory("from before"), NewMemory("regretted")])
        first, _ = await service.backups.make()
        await service.memories.delete(rows[1].id)
        second, _ = await service.backups.make()
    printed = offline.recovery_key(paths, SETTINGS)["recovery_key"]
    carried = tmp_path / "stick"
    os.rename(paths.backups, carried)
    for folder in (paths.data, paths.config, paths.state):
        for path in folder.glob("*"):
            if path.is_file():
                path.unlink()
    return carried / first.name, carried / second.name, printed


async def test_a_new_machine_takes_the_key_with_the_backup(paths, memory, abroad):
    _, second, printed = abroad
    with pytest.raises(KeyMissing, match="opens this backup") as caught:
        offline.inspect(paths, SETTINGS, str(second))
    assert "--recovery-key" in caught.value.hint
    offline.restore(paths, SETTINGS, str(second), recovery_key=printed)
    assert stat.S_IMODE(paths.key.stat().st_mode) == 0o600
    async with memory() as service:
        assert (await service.memories.count()).count == 1
        assert await service.memories.was_forgotten(["regretted"]) == [True]
    assert offline.recovery_key(paths, SETTINGS)["recovery_key"] == printed


async def test_a_machine_that_has_a_memory_keeps_its_own_key(paths, memory, abroad):
    first, second, printed = abroad
    async with memory() as service:
        await service.memories.add(NewMemory("new machine"))
        own = await service.memories.add(NewMemory("regretted here"))
        await service.memories.delete(own.id)
        await service.backups.make()
    key = keys.find_key(paths, "file")
    with pytest.raises(KeyWrong):
        offline.restore(paths, SETTINGS, str(second))
    done = offline.restore(paths, SETTINGS, str(second), recovery_key=printed)
    assert keys.find_key(paths, "file").secret == key.secret
    assert copies.verify(paths.data / done["kept"], key).rows == 1
    with pytest.raises(KeyWrong):
        copies.verify(paths.database, keys.Key(recovery.read(printed), ""))
    async with memory() as service:
        rows, _ = await service.memories.list()
        assert [row.text for row in rows] == ["from before"]
        assert (await service.memories.check(full=True))["ok"]
        # What was forgotten under either key is still known.
        asked = ["regretted", "regretted here", "from before"]
        assert await service.memories.was_forgotten(asked) == [True, True, False]
    # And an older backup under the old key does not bring it back.
    assert offline.restore(paths, SETTINGS, str(first), recovery_key=printed)["forgotten"] == 1
