"""What is done to the memory while no daemon has it: restore a backup, show its key, type it in."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.config import Paths, Settings
from assistant.errors import KeyMissing, KeyWrong, StoreError
from assistant.instance import Instance

Progress = Callable[[str, int, int], None]
"""Hears which step it is, and how many bytes of how many are done."""


def _silent(_step: str, _done: int, _total: int) -> None:
    """Nobody looks on."""


def inspect(
    paths: Paths,
    settings: Settings,
    name: str,
    recovery_key: str | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """What a backup holds, once all of it was read. Raises as `memory.restore.inspect`."""
    from assistant.memory import restore

    source, contents = restore.inspect(paths, settings, name, _secret(recovery_key), progress)
    return {"file": str(source), "schema": contents.schema, "rows": contents.rows}


def restore(
    paths: Paths,
    settings: Settings,
    name: str,
    *,
    recovery_key: str | None = None,
    with_forgotten: bool = False,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Make a backup the memory. Raises AlreadyRunning, or as `memory.restore.restore`."""
    from assistant.memory.restore import restore

    with _alone(paths):
        done = restore(
            paths,
            settings,
            name,
            drop_caches=lambda: _empty(paths.chats),
            typed=_secret(recovery_key),
            with_forgotten=with_forgotten,
            progress=progress,
        )
    return {
        "schema": done.contents.schema,
        "rows": done.contents.rows,
        "kept": done.kept,
        "forgotten": done.forgotten,
    }


def key_missing(paths: Paths, settings: Settings) -> bool:
    """Whether the memory is here and its key is nowhere."""
    from assistant.memory.keys import find_key

    if paths.key.exists() or not paths.database.exists():
        return False
    try:
        find_key(paths, settings.key_store)
    except KeyMissing:
        return True
    except StoreError:  # a keyring that does not answer: it may hold the key
        return False
    return False


def recovery_key(paths: Paths, settings: Settings) -> dict[str, str]:
    """The key, to be printed, once it has opened the memory; the daemon may run. Raises StoreError."""
    from assistant.memory import database, recovery
    from assistant.memory.keys import find_key

    if not database.exists(paths.database):
        raise StoreError("There is no memory yet, and so no key.", "`nestor up` makes both.")
    key = find_key(paths, settings.key_store)
    database.connect_unchanged(paths.database, key).close()
    return {"recovery_key": recovery.write(key.secret), "place": key.place}


def enter_key(
    paths: Paths, settings: Settings, typed: str, *, stop: Callable[[], object] = lambda: None
) -> dict[str, str]:
    """Keep a typed recovery key, once it has opened the memory. Changes nothing if it does not.

    `stop` ends the daemon, which has opened nothing without its key. Raises RecoveryKeyInvalid for a
    typing mistake, KeyWrong for another memory's key, AlreadyRunning.
    """
    from assistant.memory import database, recovery
    from assistant.memory.keys import Key, put_back

    secret = recovery.read(typed)
    if not database.exists(paths.database):
        raise StoreError(
            "There is no memory here that a key could open.",
            "To bring one back from a backup: `nestor restore --recovery-key`.",
        )
    try:
        database.connect_still(paths.database, Key(secret, "typed")).close()
    except KeyWrong as exc:
        raise KeyWrong(
            "This is a whole recovery key, but it does not open the memory.",
            "It is another memory's key, or the file is damaged. Nothing was changed.",
        ) from exc
    stop()
    with _alone(paths):
        return {"place": put_back(paths, settings.key_store, secret).place}


def _secret(typed: str | None) -> bytes | None:
    from assistant.memory import recovery

    return None if typed is None else recovery.read(typed)


@contextlib.contextmanager
def _alone(paths: Paths) -> Any:
    """No daemon starts meanwhile. Raises AlreadyRunning where one runs."""
    os.umask(0o077)
    paths.make()
    instance = Instance(paths.lock)
    instance.acquire()
    try:
        yield
    finally:
        instance.release()


def _empty(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
