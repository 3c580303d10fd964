"""Key and file belong together; whatever is wrong, nothing is overwritten."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from assistant import offline
from assistant.config import Settings
from assistant.errors import KeyMissing, KeyWrong, StoreError
from assistant.memory import database, keys, migrations
from assistant.memory.service import open_memory
from assistant.types import NewMemory


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


async def refused(paths, error, **settings):
    before = contents(paths.data), contents(paths.config)
    with pytest.raises(error):
        await open_memory(paths, Settings(embedder="fake", **({"key_store": "file"} | settings)))
    assert (contents(paths.data), contents(paths.config)) == before


async def test_key_and_file_are_private(paths, memory):
    async with memory() as service:
        assert "0600" in service.key_place
    for path in (paths.key, paths.database):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in paths.data.iterdir() if p.is_file()) == ["memory.db"]


async def test_a_missing_key_is_said(paths, memory):
    async with memory():
        pass
    paths.key.unlink()
    await refused(paths, KeyMissing)


async def test_a_wrong_key_is_said(paths, memory):
    async with memory():
        pass
    paths.key.write_text(os.urandom(32).hex())
    await refused(paths, KeyWrong)


@pytest.mark.parametrize("content", ["", "not hex", "abcd", "ab" * 31])
async def test_half_a_key_is_said(paths, memory, content):
    async with memory():
        pass
    paths.key.write_text(content)
    await refused(paths, KeyWrong)


@pytest.mark.parametrize("size", [0, 1, 100, 4095, 4096, 8192, 100_000])
async def test_a_truncated_file_is_said(paths, memory, size):
    async with memory() as service:
        await service.memories.add_many([NewMemory(f"note {n} " * 20) for n in range(500)])
    whole = paths.database.read_bytes()
    paths.database.write_bytes(whole[:size])
    await refused(paths, StoreError)


async def test_a_plain_database_is_refused(paths, memory):
    import sqlite3

    async with memory():
        pass
    paths.database.unlink()
    plain = sqlite3.connect(paths.database)
    plain.execute("CREATE TABLE x (y)")
    plain.commit()
    plain.close()
    await refused(paths, KeyWrong)


async def test_a_log_without_its_database_is_not_written_over(paths, memory):
    async with memory() as service:
        await service.memories.add(NewMemory("only in the log"))
        wal = paths.database.with_name("memory.db-wal").read_bytes()
    paths.database.unlink()
    paths.database.with_name("memory.db-wal").write_bytes(wal)
    await refused(paths, StoreError)


async def test_a_first_start_that_was_cut_short_is_begun_again(paths, memory):
    keys.make_key(paths, "file")
    kept = paths.key.read_text()
    (paths.data / ".memory.db.new").write_bytes(b"half")
    async with memory() as service:
        await service.memories.add(NewMemory("hello"))
    assert paths.key.read_text() == kept
    assert not (paths.data / ".memory.db.new").exists()


async def crashed(paths, memory, statement):
    """Database and log as a crash leaves them after this, the log with more than the database."""
    async with memory() as service:
        await service.memories.add(NewMemory("in the log"))
        await service._writer.run(lambda db: db.execute(statement) if statement else None)
        kept = {name: data for name, data in contents(paths.data).items() if "-shm" not in name}
    for path in paths.data.iterdir():
        if path.is_file():
            path.unlink()
    for name, data in kept.items():
        (paths.data / name).write_bytes(data)
    assert len(kept["memory.db-wal"]) > database.PAGE_BYTES
    return kept


NEWER = "INSERT INTO migrations (migration_set, name, applied_at) VALUES ('nestor', 'm999_x', '')"


@pytest.mark.parametrize("reason", ["newer", "another key"])
async def test_what_is_refused_keeps_its_log_and_every_byte(paths, memory, reason):
    kept = await crashed(paths, memory, NEWER if reason == "newer" else "")
    ours = paths.key.read_text()
    if reason == "another key":
        paths.key.write_text(os.urandom(32).hex())
    for _ in range(2):
        with pytest.raises(StoreError, match="newer Nestor" if reason == "newer" else None):
            await open_memory(paths, Settings(embedder="fake", key_store="file"))
        found = contents(paths.data)
        found.pop("memory.db-shm", None)  # SQLite's own, made anew by whoever opens it first
        assert found == kept
    if reason == "another key":
        paths.key.write_text(ours)
        async with memory() as service:
            assert [m.text for m in (await service.memories.list())[0]] == ["in the log"]


async def test_a_log_that_is_missing_is_still_missed_after_a_refusal(paths, memory):
    await crashed(paths, memory, "")
    (paths.data / "memory.db-wal").unlink()
    ours = paths.key.read_text()
    paths.key.write_text(os.urandom(32).hex())
    await refused(paths, KeyWrong)
    paths.key.write_text(ours)
    async with memory() as service:
        assert "log was missing" in service.problem


async def test_whoever_prints_the_recovery_key_changes_no_byte(paths, memory):
    kept = await crashed(paths, memory, NEWER)
    settings = Settings(embedder="fake", key_store="file")
    assert offline.recovery_key(paths, settings)["recovery_key"]
    found = contents(paths.data)
    found.pop("memory.db-shm", None)
    assert found == kept


async def test_no_new_key_beside_a_database(paths, memory):
    async with memory():
        pass
    paths.key.unlink()
    with pytest.raises(StoreError):
        keys.make_key(paths, "file")
    assert not paths.key.exists()


async def test_a_file_of_a_newer_nestor_is_refused(paths, memory):
    async with memory():
        pass
    db = database.connect(paths.database, keys.find_key(paths, "file"))
    db.execute(
        "INSERT INTO migrations (migration_set, name, applied_at) VALUES ('nestor', 'm999', '')"
    )
    db.close()
    await refused(paths, StoreError)


def test_too_old_a_library_is_refused(monkeypatch):
    monkeypatch.setattr(database, "SQLITE_AT_LEAST", (99, 0, 0))
    with pytest.raises(StoreError):
        database.assert_library()


async def test_pragmas_hold(memory):
    async with memory() as service:

        def pragmas(db):
            names = ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "temp_store")
            return {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

        assert await service._writer.run(pragmas) == {
            "journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1,
            "temp_store": 2,
        }  # fmt: skip

        def secure(db):
            sql = "SELECT v FROM memories_fts_config WHERE k = 'secure-delete'"
            return db.execute(sql).fetchone()[0]

        assert await service._readers.run(secure) == 1


async def test_an_older_file_is_copied_before_it_is_changed(paths, memory, monkeypatch):
    async with memory() as service:
        added = await service.memories.add(NewMemory("sentinel-walnut"))
    steps = migrations._Steps("nestor")
    steps._migrations = list(migrations.steps._migrations)

    @steps()
    def m999_test(db):
        db.execute("ALTER TABLE memories ADD COLUMN mood TEXT")

    monkeypatch.setattr(migrations, "steps", steps)
    async with memory() as service:
        assert await service.memories.get(added.id) == added
        (copy,) = migrations.backups(paths.database)
        assert b"sentinel-walnut" not in copy.read_bytes()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        old = database.connect(copy, keys.find_key(paths, "file"))
        assert old.execute("SELECT text FROM memories").fetchall() == [("sentinel-walnut",)]
        old.close()
        await service.memories.delete(added.id)
        assert migrations.backups(paths.database) == []


def test_a_step_that_fails_changes_nothing(paths, monkeypatch):
    key = keys.make_key(paths, "file")
    steps = migrations._Steps("nestor")

    @steps()
    def m001_bad(db):
        db.execute("CREATE TABLE half (x)")
        raise RuntimeError

    monkeypatch.setattr(migrations, "steps", steps)
    db = database.connect(paths.database, key, create=True)
    with pytest.raises(RuntimeError):
        migrations.migrate(db)
    assert "half" not in db.table_names()
    db.close()


# --- the keyring -----------------------------------------------------------------------------


class Ring:
    def __init__(self, hang=False, fail=False, forgetful=False):
        self.kept = {}
        self.hang, self.fail, self.forgetful = hang, fail, forgetful

    def get_password(self, service, name):
        if self.hang:
            time.sleep(5)
        if self.fail:
            raise RuntimeError("locked")
        return self.kept.get((service, name))

    def set_password(self, service, name, value):
        if self.fail:
            raise RuntimeError("locked")
        if not self.forgetful:
            self.kept[service, name] = value


@pytest.fixture
def ring(monkeypatch):
    def use(**how):
        made = Ring(**how)
        import keyring

        monkeypatch.setattr(keyring, "get_keyring", lambda: made)
        return made

    return use


async def test_the_keyring_is_preferred_and_no_file_is_left(paths, memory, ring):
    made = ring()
    settings = Settings(embedder="fake")
    service = await open_memory(paths, settings)
    await service.close()
    assert service.key_place.startswith("OS keyring")
    assert not paths.key.exists()
    service = await open_memory(paths, settings)
    await service.close()
    made.kept.clear()
    await refused(paths, KeyMissing, key_store="auto")


async def test_two_homes_have_two_keys(tmp_path, ring):
    from assistant.config import load_paths

    made = ring()
    for name in "ab":
        paths = load_paths({"NESTOR_HOME": str(tmp_path / name)})
        keys.make_key(paths, "keyring")
    assert len(made.kept) == len(set(made.kept.values())) == 2


@pytest.mark.parametrize("how", [{"hang": True}, {"fail": True}])
@pytest.mark.parametrize("store", ["auto", "keyring"])
async def test_a_keyring_that_does_not_answer_is_not_one_without_a_key(
    paths, ring, monkeypatch, how, store
):
    made = ring()
    keys.make_key(paths, store)
    kept = dict(made.kept)
    monkeypatch.setattr(keys, "KEYRING_PATIENCE_S", 0.1)
    made.hang, made.fail = how.get("hang", False), how.get("fail", False)
    for ask in (keys.make_key, keys.find_key):
        with pytest.raises(StoreError, match="does not answer") as caught:
            ask(paths, store)
        assert "key_store" in caught.value.hint
    assert made.kept == kept
    assert not paths.key.exists()
    assert "0600" in keys.make_key(paths, "file").place
    assert keys.find_key(paths, store).place.startswith("key file")


def test_an_entry_that_appears_meanwhile_is_not_written_over(paths, ring):
    made = ring()
    keys.make_key(paths, "keyring")
    kept = dict(made.kept)
    with pytest.raises(StoreError):
        keys._keep_in_keyring(paths, bytes(32))
    assert made.kept == kept


@pytest.mark.parametrize("entry", ["no key", "abcd", "ab" * 31, "ab" * 33])
def test_half_a_key_in_the_keyring_is_said(paths, ring, entry):
    made = ring()
    keys.make_key(paths, "keyring")
    made.kept = dict.fromkeys(made.kept, entry)
    with pytest.raises(KeyWrong):
        keys.find_key(paths, "keyring")


def test_a_key_file_beside_the_database_is_said(paths):
    import msgspec

    together = msgspec.structs.replace(paths, config=paths.data)
    assert "beside the database" in keys.make_key(together, "file").place
    assert "beside the database" in keys.find_key(together, "file").place


async def test_a_folder_without_links_gets_a_key_and_drafts_are_cleared(paths, memory, monkeypatch):
    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    left = paths.key.with_name(".database.key.0badcafe")
    left.write_text("left by a crash")
    key = keys.make_key(paths, "file")
    assert keys.find_key(paths, "file").secret == key.secret
    assert stat.S_IMODE(paths.key.stat().st_mode) == 0o600
    assert not left.exists()
    left.write_text("left by a crash")
    async with memory():
        assert [p.name for p in paths.config.iterdir()] == ["database.key"]


async def test_a_keyring_that_keeps_nothing_leaves_the_file(paths, ring):
    ring(forgetful=True)
    key = keys.make_key(paths, "auto")
    assert "0600" in key.place
    assert keys.find_key(paths, "auto").secret == key.secret
    paths.key.unlink()
    with pytest.raises(StoreError):
        keys.make_key(paths, "keyring")


def test_no_backend_is_no_keyring(paths, monkeypatch):
    import keyring
    from keyring.backends import fail, null

    for backend in (fail.Keyring(), null.Keyring()):
        monkeypatch.setattr(keyring, "get_keyring", lambda ring=backend: ring)
        assert keys._keep_in_keyring(paths, bytes(32)) == ""


def test_a_key_never_shows_itself(paths):
    key = keys.make_key(paths, "file")
    assert key.secret.hex()[:8] not in repr(key)
