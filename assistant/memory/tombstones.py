"""What was forgotten, as keyed hashes and without a word of it, so that nothing brings it back unasked."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from sqlite_utils import Database

from assistant.memory.keys import Key
from assistant.memory.rows import plain

log = logging.getLogger(__name__)

SALT_BYTES, MAC_BYTES = 8, 16
_RECORD = struct.Struct(f"<{SALT_BYTES}s{MAC_BYTES}sq?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MEMORY, TEXT, CONVERSATION, SOURCE = b"memory", b"text", b"conversation", b"source"
TURN = b"turn"
"""What a hash is of: ids, and a text whose case and spaces do not count."""

_PUT = """INSERT INTO tombstones (salt, mac, at, forgotten) VALUES (?, ?, ?, ?)
    ON CONFLICT (salt, mac) DO UPDATE SET at = {at}, forgotten = excluded.forgotten {where}"""
_MARK = _PUT.format(at="max(excluded.at, at + 1)", where="")
_MERGE = _PUT.format(at="excluded.at", where="WHERE excluded.at > at")
_KEY_SETTING = "tombstone_key:"
_KEEP_KEY = "INSERT OR IGNORE INTO settings (name, value) VALUES (?, ?)"


class Tombstone(msgspec.Struct, frozen=True):
    """One thing that was forgotten, or that a restore brought back since. The latest counts."""

    salt: bytes
    mac: bytes
    at: int
    """Microseconds since 1970."""
    forgotten: bool


class Known(msgspec.Struct, frozen=True):
    """What one database, or several, know of what was forgotten."""

    stones: tuple[Tombstone, ...] = ()
    keys: tuple[tuple[str, bytes], ...] = ()
    """Settings: what opens the notes of a time when the database had another key."""


class Tombstones:
    """Those of one memory: in its database, and in a file beside it that outlives the database."""

    def __init__(self, path: Path, key: Key) -> None:
        self._path = path
        self._key = key

    def bury(
        self, db: Database, memories: Sequence[tuple[str, str]], moment: str
    ) -> list[Tombstone]:
        """Note that these, as (id, text), are forgotten now; in the caller's transaction."""
        return self._mark(db, _of(memories), moment)

    def bury_conversation(self, db: Database, conversation_id: str, moment: str) -> list[Tombstone]:
        """Note that a conversation is deleted now; in the caller's transaction."""
        return self._mark(db, [(CONVERSATION, conversation_id)], moment)

    def bury_turns(self, db: Database, turn_ids: Sequence[str], moment: str) -> list[Tombstone]:
        """Note that turns of conversations that stay are deleted now; in the caller's transaction."""
        return self._mark(db, [(TURN, one) for one in turn_ids], moment) if turn_ids else []

    def bury_source(self, db: Database, source_id: str, moment: str) -> list[Tombstone]:
        """Note that a source is taken back now; in the caller's transaction."""
        return self._mark(db, [(SOURCE, source_id)], moment)

    def was_taken_back(self, db: Database, source_id: str) -> bool:
        """Whether this source was taken back since, and a restore had it again."""
        return _gone(_found(db, self._hashes(db), (SOURCE, source_id)))

    def was_forgotten(
        self,
        db: Database,
        *,
        memory_id: str = "",
        text: str = "",
        conversation_id: str = "",
        turn_id: str = "",
    ) -> bool:
        """Whether a memory of this id, one that said just this, this conversation or turn was forgotten.

        Not if it was brought back since.
        """
        asked = [(MEMORY, memory_id)] if memory_id else []
        asked += [(CONVERSATION, conversation_id)] if conversation_id else []
        asked += [(TURN, turn_id)] if turn_id else []
        asked += [(TEXT, plain(text))] if text else []
        hashes = self._hashes(db)
        return any(_gone(_found(db, hashes, one)) for one in asked)

    def bring_back(
        self,
        db: Database,
        memories: Sequence[tuple[str, str]],
        conversations: Sequence[str],
        turns: Sequence[str],
        moment: str,
    ) -> list[Tombstone]:
        """Note that the user wants these again, memories as (id, text); in the caller's transaction."""
        back = _of(memories) + [(CONVERSATION, one) for one in conversations]
        back += [(TURN, one) for one in turns]
        return self._mark(db, back, moment, forgotten=False) if back else []

    def keep(self, fresh: Sequence[Tombstone]) -> None:
        """Append to the file, durably. What a failure leaves out, the next start adds."""
        if not fresh:
            return
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                # Half a record that a crash left would shift all that follow.
                file.truncate(file.tell() - file.tell() % _RECORD.size)
                file.write(b"".join(_RECORD.pack(*msgspec.structs.astuple(one)) for one in fresh))
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            log.warning("what was forgotten is noted in the memory alone: %s", type(exc).__name__)

    def catch_up(self, db: Database) -> None:
        """Add to the file what only the database knows."""
        known = set(read_file(self._path))
        self.keep([one for one in load(db).stones if one not in known])

    def settle(
        self, db: Database, known: Iterable[Known], moment: str, *, bring_back: bool
    ) -> tuple[list[str], list[str], list[str]]:
        """Take over what is known elsewhere; the memories, conversations and turns here that were forgotten.

        With `bring_back` they are noted as wanted again.
        """
        for others in known:
            db.conn.executemany(_MERGE, [msgspec.structs.astuple(one) for one in others.stones])
            db.conn.executemany(_KEEP_KEY, others.keys)
        stones = {(one.salt, one.mac): one for one in load(db).stones}
        hashes = self._hashes(db)

        def gone(what: bytes, value: str) -> bool:
            found = [stones.get((salt, _mac(key, what, value))) for salt, key in hashes]
            return _gone([one for one in found if one])

        rows = db.execute("SELECT id, text FROM memories").fetchall() if stones else []
        memories = [(one, text) for one, text in rows if gone(MEMORY, one)]
        chats = [one for (one,) in db.execute("SELECT id FROM conversations") if stones]
        chats = [one for one in chats if gone(CONVERSATION, one)]
        turns = [one for (one,) in db.execute("SELECT id FROM turns ORDER BY seq") if stones]
        turns = [one for one in turns if gone(TURN, one)]
        if bring_back:
            sources = [one for (one,) in db.execute("SELECT id FROM sources")]
            back = _of(memories) + [(CONVERSATION, one) for one in chats]
            back += [(TURN, one) for one in turns]
            back += [(SOURCE, one) for one in sources if gone(SOURCE, one)]
            self._mark(db, back, moment, forgotten=False)
        return [one for one, _ in memories], chats, turns

    def change_key(self, db: Database) -> None:
        """Keep what is noted readable when the database gets another key."""
        values = [(_KEY_SETTING + salt.hex(), key) for salt, key in self._hashes(db)]
        db.conn.executemany(_KEEP_KEY, values)

    def _mark(
        self,
        db: Database,
        things: Sequence[tuple[bytes, str]],
        moment: str,
        *,
        forgotten: bool = True,
    ) -> list[Tombstone]:
        known = self._hashes(db)
        # One salt is enough to forget; what is brought back is so under all of them.
        hashes = known[:1] or [self._fresh_salt()] if forgotten else known
        at = (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1)
        marked = []
        for what, value in things:
            latest = max((one.at for one in _found(db, known, (what, value))), default=0)
            for salt, key in hashes:
                one = Tombstone(salt, _mac(key, what, value), max(at, latest + 1), forgotten)
                db.execute(_MARK, msgspec.structs.astuple(one))
                marked.append(one)
        return marked

    def _fresh_salt(self) -> tuple[bytes, bytes]:
        salt = secrets.token_bytes(SALT_BYTES)
        return salt, self._derived(salt)

    def _derived(self, salt: bytes) -> bytes:
        return hmac.digest(self._key.secret, b"nestor tombstones " + salt, "sha256")

    def _hashes(self, db: Database) -> list[tuple[bytes, bytes]]:
        """Each salt in use with the key that goes with it: one of each, but after odd restores."""
        found = []
        salt = b""
        # A seek for each; DISTINCT would read every row.
        following = "SELECT min(salt) FROM tombstones WHERE salt > ?"
        while (salt := db.execute(following, [salt]).fetchone()[0]) is not None:
            sql = "SELECT value FROM settings WHERE name = ?"
            kept = db.execute(sql, [_KEY_SETTING + salt.hex()]).fetchone()
            found.append((salt, kept[0] if kept else self._derived(salt)))
        return found


def load(db: Database) -> Known:
    """All that a database knows; nothing where its schema is older."""
    if "tombstones" not in db.table_names():
        return Known()
    stones = db.execute("SELECT salt, mac, at, forgotten FROM tombstones")
    sql = "SELECT name, value FROM settings WHERE name GLOB ?"
    return Known(
        tuple(Tombstone(salt, mac, at, bool(gone)) for salt, mac, at, gone in stones),
        tuple(db.execute(sql, [f"{_KEY_SETTING}*"]).fetchall()),
    )


def read_file(path: Path) -> list[Tombstone]:
    """All that the file beside a database knows; nothing where it cannot be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as exc:
        log.warning("the list of what was forgotten cannot be read: %s", type(exc).__name__)
        return []
    whole = data[: len(data) - len(data) % _RECORD.size]
    return [Tombstone(*fields) for fields in _RECORD.iter_unpack(whole)]


def _of(memories: Sequence[tuple[str, str]]) -> list[tuple[bytes, str]]:
    ids = [(MEMORY, memory_id) for memory_id, _ in memories]
    return ids + [(TEXT, one) for one in dict.fromkeys(plain(text) for _, text in memories)]


def _mac(key: bytes, what: bytes, value: str) -> bytes:
    return hmac.digest(key, what + b"\0" + value.encode(), "sha256")[:MAC_BYTES]


def _found(
    db: Database, hashes: Sequence[tuple[bytes, bytes]], thing: tuple[bytes, str]
) -> list[Tombstone]:
    sql = "SELECT salt, mac, at, forgotten FROM tombstones WHERE salt = ? AND mac = ?"
    rows = [db.execute(sql, [salt, _mac(key, *thing)]).fetchone() for salt, key in hashes]
    return [Tombstone(*row) for row in rows if row]


def _gone(found: Sequence[Tombstone]) -> bool:
    return bool(found) and bool(max(found, key=lambda one: one.at).forgotten)
