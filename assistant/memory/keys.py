"""The database key: 32 random bytes in the OS keyring, or in a 0600 file where there is none."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from assistant.config import Paths
from assistant.errors import AssistantError, KeyMissing, KeyWrong, StoreError

log = logging.getLogger(__name__)

KEY_BYTES = 32
KEYRING_SERVICE = "nestor"
KEYRING_PATIENCE_S = 4.0
"""A D-Bus service that hangs must not make the daemon hang: it says so and ends."""

KeyStore = Literal["auto", "keyring", "file"]
Answer = TypeVar("Answer")

# Backends that keep nothing, or keep it in the clear where our own 0600 file does better.
_USELESS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


class Key(msgspec.Struct, frozen=True):
    """The key and where it lies, in words for `doctor`."""

    secret: bytes
    place: str

    def __repr__(self) -> str:
        """Never the secret."""
        return f"Key(place={self.place!r})"


def find_key(paths: Paths, store: KeyStore) -> Key:
    """The key of an existing database. Makes and changes nothing.

    `auto` looks at the file first, since it answers at once; `keyring` also accepts a file that
    an earlier setting left, so that a changed setting locks nobody out. Raises KeyMissing where
    there is none, StoreError where a keyring that may have it does not answer.
    """
    look_in: dict[str, tuple[Callable[[Paths], Key | None], ...]] = {
        "auto": (_from_file, _from_keyring),
        "keyring": (_from_keyring, _from_file),
        "file": (_from_file,),
    }
    silent = False
    for look in look_in[store]:
        try:
            if (key := look(paths)) is not None:
                return key
        except _NoAnswer:
            silent = True
    if silent:
        raise StoreError(
            "The OS keyring does not answer, and it may hold the database key.",
            'Unlock it and start again, or set key_store = "file" if the key was never there.',
        )
    raise KeyMissing


def make_key(paths: Paths, store: KeyStore) -> Key:
    """The key for a new database: the one an interrupted first start left, else a fresh one.

    It is durable when this returns. Raises StoreError if the database exists, if a keyring does
    not answer, or if `keyring` is asked for and there is no keyring that keeps secrets.
    """
    if paths.database.exists():
        raise StoreError("A new key was asked for while a database exists.")
    with contextlib.suppress(KeyMissing):
        return find_key(paths, store)
    return _keep(paths, store, secrets.token_bytes(KEY_BYTES))


def put_back(paths: Paths, store: KeyStore, secret: bytes) -> Key:
    """Keep a key that was typed, where none is or the key file holds another; that one is kept aside.

    It is durable when this returns. Raises StoreError if a keyring holds another one.
    """
    with contextlib.suppress(KeyMissing, KeyWrong):
        if (key := find_key(paths, store)).secret == secret:
            return key
    if paths.key.exists():
        aside = paths.key.with_name(f"{paths.key.name}.replaced-{secrets.token_hex(4)}")
        paths.key.rename(aside)
        sync_folder(aside.parent)
    key = _keep(paths, store, secret)
    if find_key(paths, store).secret != secret:
        raise StoreError(
            "The OS keyring holds another key for this memory.",
            "Remove its entry `nestor` and type the recovery key again.",
        )
    return key


def _keep(paths: Paths, store: KeyStore, secret: bytes) -> Key:
    if store != "file" and (place := _keep_in_keyring(paths, secret)):
        return Key(secret, place)
    if store == "keyring":
        raise StoreError(
            "There is no OS keyring that can keep the database key.",
            'Unlock or install one, or set key_store = "file".',
        )
    _keep_in_file(paths, secret)
    return Key(secret, _file_place(paths))


# --- file ------------------------------------------------------------------------------------


def _file_place(paths: Paths) -> str:
    if paths.config == paths.data:
        return "key file (0600) beside the database: a copy of the folder has both"
    return "key file (0600) in the config folder"


def _decode(text: str, place: str) -> bytes:
    try:
        secret = bytes.fromhex(text)
    except ValueError as exc:
        raise KeyWrong(f"The {place} does not hold a key.") from exc
    if len(secret) != KEY_BYTES:
        raise KeyWrong(f"The {place} does not hold a whole key.")
    return secret


def _from_file(paths: Paths) -> Key | None:
    try:
        secret = _decode(paths.key.read_text("ascii", "replace").strip(), "key file")
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise KeyMissing("The key file cannot be read.") from exc
    if os.name == "posix" and paths.key.stat().st_mode & 0o077:
        log.warning("the key file was readable by others; made private")
        paths.key.chmod(0o600)
    return Key(secret, _file_place(paths))


def _keep_in_file(paths: Paths, secret: bytes) -> None:
    paths.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    drop_drafts(paths)
    draft = paths.key.with_name(f".{paths.key.name}.{secrets.token_hex(4)}")
    try:
        _write_new(draft, secret)
        try:
            # A link, unlike a rename, refuses to replace a key that appeared meanwhile.
            os.link(draft, paths.key)
        except FileExistsError:
            raise
        except OSError:  # FAT and some network folders have no links
            _write_new(paths.key, secret)
    except FileExistsError as exc:
        raise StoreError("Another program made a key at this moment.") from exc
    except OSError as exc:
        raise StoreError("The key file cannot be written.") from exc
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(paths.key.parent)


def _write_new(path: Path, secret: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def drop_drafts(paths: Paths) -> None:
    """Delete copies of the key that a crash left beside it."""
    for draft in paths.key.parent.glob(f".{paths.key.name}.*"):
        with contextlib.suppress(OSError):
            draft.unlink()


def sync_folder(folder: os.PathLike[str]) -> None:
    """Make a rename or link in `folder` durable, where the system can."""
    with contextlib.suppress(OSError):  # Windows opens no folders, and needs no such call
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# --- keyring ---------------------------------------------------------------------------------


def _account(paths: Paths) -> str:
    # One name per data folder: several NESTOR_HOMEs may share a machine's keyring.
    where = os.fsencode(paths.data.resolve())
    return "database-key-" + hashlib.sha256(where).hexdigest()[:16]


class _NoAnswer(Exception):
    """The keyring failed or hangs: it is not known what it holds."""


def _from_keyring(paths: Paths) -> Key | None:
    def read() -> tuple[str, str]:
        ring = _backend()
        return (_entry(ring, paths), _name(ring)) if ring else ("", "")

    text, name = _patiently(read)
    return Key(_decode(text, "keyring's entry"), f"OS keyring ({name})") if text else None


def _keep_in_keyring(paths: Paths, secret: bytes) -> str:
    """Where it now lies; empty if no keyring took it and gave it back."""

    def keep() -> str:
        ring = _backend()
        if ring is None:
            return ""
        if _entry(ring, paths):
            raise StoreError("Another program stored a key in the keyring at this moment.")
        ring.set_password(KEYRING_SERVICE, _account(paths), secret.hex())
        kept = _entry(ring, paths) == secret.hex()
        return f"OS keyring ({_name(ring)})" if kept else ""

    try:
        return _patiently(keep)
    except _NoAnswer:
        return ""


def _entry(ring: Any, paths: Paths) -> str:
    return ring.get_password(KEYRING_SERVICE, _account(paths)) or ""


def _backend() -> Any:
    import keyring  # slow, and it loads plug-ins: only when needed, and in a thread of its own

    ring = keyring.get_keyring()
    if type(ring).__module__.startswith("keyring.backends.chainer"):
        rings = [one for one in ring.backends if _useful(one)]
        return rings[0] if rings else None
    return ring if _useful(ring) else None


def _useful(ring: Any) -> bool:
    return not type(ring).__module__.startswith(_USELESS)


def _name(ring: Any) -> str:
    return type(ring).__module__.rpartition(".")[2]


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns; raises _NoAnswer if it fails or takes longer than KEYRING_PATIENCE_S."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as exc:  # noqa: BLE001 - a keyring fails in its backend's own ways
            answer.set_exception(exc)

    threading.Thread(target=run, daemon=True, name="keyring").start()
    try:
        return answer.result(KEYRING_PATIENCE_S)
    except AssistantError:
        raise
    except Exception as exc:
        log.warning("the OS keyring cannot be used: %s", type(exc).__name__)
        raise _NoAnswer from exc
