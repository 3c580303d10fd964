"""Connections to the one encrypted file, and what must hold before it is used."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database

from assistant.errors import AssistantError, Damaged, DiskFull, KeyWrong, StoreError, Untrusted
from assistant.memory import damage
from assistant.memory.keys import Key, sync_folder

SQLITE_AT_LEAST = (3, 53, 0)
"""Older ones have the WAL-reset corruption bug."""

PAGE_BYTES = 4096
"""No database is smaller; SQLite would take a tiny file for a new one."""

_WRITER: Mapping[str, str | int] = {
    "journal_mode": "WAL",
    "synchronous": "FULL",  # acknowledged means it survives a power cut
    "fullfsync": "ON",  # the same on macOS; nothing elsewhere
    "secure_delete": "ON",
    "foreign_keys": "ON",
    "journal_size_limit": 64 << 20,
}
_EVERY = {
    "temp_store": "MEMORY",  # sorting must not spill plain text into a temporary file
    "busy_timeout": 5000,
    "trusted_schema": "OFF",
    "cache_size": -16_000,
    # Wiping and locking each freed page costs a third of the speed and guards against a reader
    # of this process's memory, who could read the key as well.
    "cipher_memory_security": "OFF",
}


def exists(path: Path) -> bool:
    """Whether there is a database. Raises StoreError where only its log is left: a loss to look into."""
    if path.exists():
        if path.stat().st_size < PAGE_BYTES:
            raise KeyWrong("The memory's database file was cut off.")
        return True
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size > 0:
        raise StoreError(
            "The memory's database file is missing, but its log is here.",
            "Put the file back beside its log; nothing was changed.",
        )
    return False


def connect(path: Path, key: Key, *, readonly: bool = False, create: bool = False) -> Database:
    """Open the file with all pragmas set, for use on any one thread at a time.

    Transactions are begun and ended by whoever uses it. Raises KeyWrong or StoreError.
    """
    mode = "ro" if readonly else "rwc" if create else "rw"
    return _open(path, key, f"mode={mode}", {} if readonly else _WRITER)


def connect_draft(path: Path, key: Key) -> Database:
    """A new file that nobody else opens and a crash may spoil: it is fsynced by whoever keeps it."""
    return _open(path, key, "mode=rwc", {"journal_mode": "OFF", "synchronous": "OFF"})


def connect_still(path: Path, key: Key) -> Database:
    """Read a file that nobody writes, leaving no lock and no file beside it."""
    return _open(path, key, "mode=ro&immutable=1", {})


def connect_unchanged(path: Path, key: Key) -> Database:
    """Read a file and its log, and leave both as they are: whoever may write empties the log at the end."""
    wal = path.with_name(path.name + "-wal")
    # Without a log to read, opening it would make one.
    logged = wal.exists() and wal.stat().st_size > 0
    return connect(path, key, readonly=True) if logged else connect_still(path, key)


def _open(path: Path, key: Key, how: str, pragmas: Mapping[str, str | int]) -> Database:
    assert_library()
    with translated():
        connection = sqlcipher.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            check_same_thread=False,
            isolation_level=None,
        )
        try:
            damage.listen(connection)
            connection.execute(f"PRAGMA key = \"x'{key.secret.hex()}'\"")
            for name, value in _EVERY.items():
                connection.execute(f"PRAGMA {name} = {value}")
            # The key is first used here: a wrong one shows as "not a database".
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            for name, value in pragmas.items():
                connection.execute(f"PRAGMA {name} = {value}")
            if pragmas is _WRITER:
                _assert_writer(connection)
            return Database(connection, execute_plugins=False)
        except BaseException:
            connection.close()
            raise


def _assert_writer(connection: Any) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}
    for name, value in (wanted | {"cipher_status": "1", "temp_store": 2}).items():
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            raise StoreError(f"This SQLite does not honour {name}.")


def change_key(db: Database, key: Key) -> None:
    """Write every page again with another key; all or nothing. Nobody else has the file open."""
    with translated():
        db.execute(f"PRAGMA rekey = \"x'{key.secret.hex()}'\"")


def assert_library() -> None:
    """Raise StoreError unless the bundled SQLite is new enough."""
    if sqlcipher.sqlite_version_info < SQLITE_AT_LEAST:
        raise StoreError(
            f"SQLite {sqlcipher.sqlite_version} is too old to keep memories safe.",
            "Install the newest sqlcipher3.",
        )


def assert_encrypted(path: Path) -> None:
    """Raise StoreError if the file's first bytes are readable: the cipher was not on."""
    with path.open("rb") as file:
        if file.read(16).startswith(b"SQLite format"):
            raise StoreError("The memory's database is not encrypted.")


def put_in_place(draft: Path, path: Path) -> None:
    """Give a finished database its name, durably: after a crash it is whole or not there."""
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Delete a database with its side files."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """The library's errors as ours. What SQLite says may quote the user's text, so it is dropped."""
    try:
        yield
    except sqlcipher.Error as exc:
        raise explain(exc) from exc


def explain(error: Exception) -> AssistantError:
    """An error of the library as one of ours."""
    # The binding has no error codes; these strings are SQLite's own, and stable.
    said = str(error)
    if "not a database" in said:
        return KeyWrong()
    if "malformed" in said:
        return Damaged()
    if said == "untrusted":  # what the triggers of m009 say
        return Untrusted()
    if "disk is full" in said:
        return DiskFull("There is no room left for the memory's database.")
    if "disk I/O" in said or "unable to open" in said or "readonly" in said:
        return StoreError("The disk refused to read or write the memory's database.")
    return StoreError()
