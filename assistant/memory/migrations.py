"""The schema, as a list of steps that only ever grows. Each step and its record are one transaction."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from assistant.errors import StoreError
from assistant.memory import named_imports
from assistant.memory.database import translated

log = logging.getLogger(__name__)

BACKUP_KEPT_S = 7 * 86_400.0
REPLACED = ".before-restore-"
"""In the name of a memory that a restore replaced; no copy of ours to delete."""


_UNREAD = "claims unread"
"""A setting: there are memories that nobody has read for what they state."""


class _Steps(Migrations):
    migrations_table = "migrations"


steps = _Steps("nestor")


def migrate(db: Database, path: Path | None = None) -> list[str]:
    """Bring the schema up to date and name the steps taken.

    With `path`, an encrypted copy of the file is kept first. Raises StoreError, having changed
    nothing, if a newer Nestor wrote the file.
    """
    with translated():
        _refuse_newer([step.name for step in steps.applied(db)])
        pending = [step.name for step in steps.pending(db)]
        if pending and path is not None:
            _back_up(db, path, pending[0])
        steps.apply(db)
        _read_claims(db)
    return pending


def _read_claims(db: Database) -> None:
    """Read what memories of a time before `m004` state: by today's rules, and into today's schema.

    Steps make tables alone. What is derived from their rows follows when all of them were taken, so
    that no later schema breaks an earlier step; a kill in between leaves it to the next start.
    """
    sql = "SELECT 1 FROM settings WHERE name = ?"
    if db.execute(sql, [_UNREAD]).fetchone() is None:
        return
    from assistant.memory import facts  # it knows the tables that the steps make

    db.execute("BEGIN IMMEDIATE")
    try:
        facts.backfill(db)
        db.execute("DELETE FROM settings WHERE name = ?", [_UNREAD])
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise


def schema(db: Database) -> int:
    """The number of the last step in this file; 0 if it is no memory. Writes nothing.

    Raises StoreError if a newer Nestor wrote it.
    """
    if "migrations" not in db.table_names():
        return 0
    sql = "SELECT name FROM migrations WHERE migration_set = 'nestor' ORDER BY name"
    names = [name for (name,) in db.execute(sql)]
    _refuse_newer(names)
    return int(names[-1][1:4]) if names else 0


def _refuse_newer(applied: Sequence[str]) -> None:
    known = {step.name for step in steps._migrations}
    if unknown := [name for name in applied if name not in known]:
        raise StoreError(
            f"This database was written by a newer Nestor ({unknown[0]}).",
            "Install the newest version; nothing was changed.",
        )


def backups(path: Path) -> list[Path]:
    """The copies made before migrations."""
    found = path.parent.glob(f"{path.name}.before-*")
    return sorted(copy for copy in found if not copy.name.startswith(path.name + REPLACED))


def drop_backups(path: Path, *, older_than_s: float = 0.0) -> list[Path]:
    """Delete copies: old ones at start, all of them when something was forgotten.

    Those that cannot be deleted now are returned, and count as old at the next start.
    """
    left = []
    for backup in backups(path):
        try:
            if time.time() - backup.stat().st_mtime >= older_than_s:
                backup.unlink(missing_ok=True)
        except OSError as exc:
            log.warning("a copy of the database cannot be deleted: %s", type(exc).__name__)
            left.append(backup)
            with contextlib.suppress(OSError):
                os.utime(backup, (0, 0))
    return left


def _back_up(db: Database, path: Path, step: str) -> None:
    copy = path.with_name(f"{path.name}.before-{step}")
    copy.unlink(missing_ok=True)
    db.execute("VACUUM INTO ?", [str(copy)])  # keeps the key, so the copy is encrypted too
    copy.chmod(0o600)


@steps()
def m001_memory(db: Database) -> None:
    """Memories with their words and vectors, conversations, turns, settings."""
    for statement in _M001:
        db.execute(statement)


@steps()
def m002_summaries(db: Database) -> None:
    """Summaries that stand for a conversation's older turns."""
    for statement in _M002:
        db.execute(statement)


@steps()
def m003_tombstones(db: Database) -> None:
    """What was forgotten, as keyed hashes (tombstones.py)."""
    for statement in _M003:
        db.execute(statement)


@steps()
def m004_facts(db: Database) -> None:
    """Facts with a life: what a memory claims, who is called what, how often it was said."""
    for statement in _M004:
        db.execute(statement)
    db.execute("INSERT INTO settings (name, value) VALUES (?, ?)", [_UNREAD, b"1"])


@steps()
def m006_sources(db: Database) -> None:
    """Folders and files that may be read, where their passages stand, and work that goes on."""
    for statement in _M006:
        db.execute(statement)


@steps()
def m008_devices(db: Database) -> None:
    """Devices, their tokens, and who started a conversation."""
    for statement in _M008:
        db.execute(statement)


@steps()
def m009_trust(db: Database) -> None:
    """Whose words a turn was made from, and what no writer may pass (see `trust`)."""
    for statement in _M009:
        db.execute(statement)


@steps()
def m012_parcels(db: Database) -> None:
    """What devices send each other."""
    for statement in _M012:
        db.execute(statement)


@steps()
def m013_imports(db: Database) -> None:
    """Which import a conversation came with, and a turn that a newer one added."""
    for statement in _M013:
        db.execute(statement)
    named_imports.name_all(db)


_M001 = (
    """CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE sources (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,           -- folder, file, chat, recording, import, web
        path TEXT,
        hash BLOB,
        span TEXT,
        created_at TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE memories (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        trust TEXT NOT NULL,
        scope TEXT NOT NULL DEFAULT '',
        created_at TEXT NOT NULL,
        said_at TEXT NOT NULL,
        valid_from TEXT NOT NULL,
        valid_to TEXT,
        superseded_by TEXT,
        source TEXT,                  -- in the user's words
        source_id TEXT REFERENCES sources(id) ON DELETE SET NULL,
        speaker TEXT,
        thread TEXT,
        subject TEXT,
        attribute TEXT,
        quote TEXT,
        importance REAL NOT NULL DEFAULT 0.5,
        sensitivity TEXT NOT NULL DEFAULT 'normal',
        lang TEXT NOT NULL DEFAULT 'und',
        content_hash BLOB NOT NULL,   -- sha256 of text
        embed_model TEXT              -- model of its vector; NULL while it waits for one
    )""",
    "CREATE INDEX memories_live ON memories(kind) WHERE valid_to IS NULL",
    "CREATE INDEX memories_pending ON memories(seq) WHERE embed_model IS NULL",
    "CREATE INDEX memories_content ON memories(content_hash)",
    "CREATE INDEX memories_successor ON memories(superseded_by) WHERE superseded_by IS NOT NULL",
    # One vector per text and model: unchanged text is never embedded twice.
    """CREATE TABLE vectors (
        content_hash BLOB NOT NULL,
        model TEXT NOT NULL,
        dim INTEGER NOT NULL,
        vector BLOB NOT NULL,         -- float16, unit length
        UNIQUE (content_hash, model)
    )""",
    """CREATE TRIGGER vectors_forget AFTER DELETE ON memories BEGIN
        DELETE FROM vectors WHERE content_hash = old.content_hash
            AND NOT EXISTS (SELECT 1 FROM memories WHERE content_hash = old.content_hash);
    END""",
    """CREATE VIRTUAL TABLE memories_fts USING fts5(
        text, content='memories', content_rowid='seq',
        tokenize='porter unicode61 remove_diacritics 2'
    )""",
    "INSERT INTO memories_fts(memories_fts, rank) VALUES ('secure-delete', 1)",
    # Not read by anything today; it costs no space.
    "CREATE VIRTUAL TABLE memories_words USING fts5vocab('memories_fts', 'row')",
    """CREATE TRIGGER memories_fts_insert AFTER INSERT ON memories BEGIN
        INSERT INTO memories_fts(rowid, text) VALUES (new.seq, new.text);
    END""",
    """CREATE TRIGGER memories_fts_delete AFTER DELETE ON memories BEGIN
        INSERT INTO memories_fts(memories_fts, rowid, text) VALUES ('delete', old.seq, old.text);
    END""",
    """CREATE TRIGGER memories_fts_update AFTER UPDATE OF text ON memories BEGIN
        INSERT INTO memories_fts(memories_fts, rowid, text) VALUES ('delete', old.seq, old.text);
        INSERT INTO memories_fts(rowid, text) VALUES (new.seq, new.text);
    END""",
    """CREATE TABLE conversations (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        system TEXT NOT NULL,         -- frozen when it starts
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )""",
    "CREATE INDEX conversations_recent ON conversations(updated_at, seq)",
    """CREATE TABLE turns (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        status TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        context TEXT NOT NULL DEFAULT '',
        reply TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        tokens INTEGER NOT NULL DEFAULT 0,
        receipt TEXT,                 -- JSON, as are the next three
        error TEXT,
        recalled TEXT NOT NULL DEFAULT '[]',
        events TEXT NOT NULL DEFAULT '[]'
    )""",
    "CREATE INDEX turns_conversation ON turns(conversation_id, seq)",
    "CREATE INDEX turns_running ON turns(seq) WHERE status = 'running'",
    # Which turns quoted a memory, so that forgetting it finds them.
    """CREATE TABLE recalls (
        memory_id TEXT NOT NULL,
        turn_id TEXT NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
        PRIMARY KEY (memory_id, turn_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX recalls_turn ON recalls(turn_id)",
)

_M002 = (
    """CREATE TABLE summaries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
        upto INTEGER NOT NULL REFERENCES turns(seq) ON DELETE CASCADE,  -- the last turn it covers
        text TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        model TEXT NOT NULL,
        created_at TEXT NOT NULL,
        UNIQUE (conversation_id, upto)
    )""",
    "CREATE INDEX summaries_upto ON summaries(upto)",
    # Whatever changes a turn, forgetting above all: what was made from it goes with it.
    """CREATE TRIGGER summaries_stale AFTER UPDATE OF text, context, reply ON turns
        WHEN old.text IS NOT new.text OR old.context IS NOT new.context
            OR old.reply IS NOT new.reply
    BEGIN
        DELETE FROM summaries
            WHERE conversation_id = old.conversation_id AND upto >= old.seq;
    END""",
)

_M003 = (
    """CREATE TABLE tombstones (
        salt BLOB NOT NULL,
        mac BLOB NOT NULL,
        at INTEGER NOT NULL,          -- microseconds since 1970
        forgotten INTEGER NOT NULL,   -- 0: a restore brought it back
        PRIMARY KEY (salt, mac)
    ) WITHOUT ROWID""",
)

_M004 = (
    "ALTER TABLE memories ADD COLUMN strength INTEGER NOT NULL DEFAULT 1",  # distinct episodes
    # What a memory says of whom. It holds as long as the memory does.
    """CREATE TABLE claims (
        memory_id TEXT NOT NULL REFERENCES memories(id) ON DELETE CASCADE,
        subject TEXT NOT NULL,        -- an id shared with aliases, or 'me'
        attribute TEXT NOT NULL,
        value TEXT NOT NULL,
        key TEXT NOT NULL,            -- equal for values that say the same
        PRIMARY KEY (memory_id, subject, attribute, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX claims_fact ON claims(subject, attribute)",
    # What a subject is called, as told in this memory: 'name:ana', 'role:sister'.
    """CREATE TABLE aliases (
        alias TEXT NOT NULL,
        subject TEXT NOT NULL,
        memory_id TEXT NOT NULL REFERENCES memories(id) ON DELETE CASCADE,
        shown TEXT NOT NULL,
        PRIMARY KEY (alias, subject, memory_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX aliases_subject ON aliases(subject)",
    "CREATE INDEX aliases_memory ON aliases(memory_id)",
    # Where a fact was told; the same episode counts once.
    """CREATE TABLE episodes (
        memory_id TEXT NOT NULL REFERENCES memories(id) ON DELETE CASCADE,
        episode TEXT NOT NULL,        -- a turn's id, else the memory's own
        said_at TEXT NOT NULL,
        PRIMARY KEY (memory_id, episode)
    ) WITHOUT ROWID""",
    # What may be worth keeping, until the user says yes or no; gone with the turn it was said in.
    """CREATE TABLE suggestions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        turn_id TEXT NOT NULL REFERENCES turns(id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        quote TEXT NOT NULL,          -- the user's own words
        claim TEXT NOT NULL,          -- JSON: who, attribute, value
        sensitivity TEXT NOT NULL,
        importance REAL NOT NULL,
        digest BLOB NOT NULL UNIQUE,  -- of who, attribute and value
        created_at TEXT NOT NULL
    )""",
    "CREATE INDEX suggestions_turn ON suggestions(turn_id)",
    # What was said no to is not offered again; the words themselves are gone.
    "CREATE TABLE refusals (digest BLOB PRIMARY KEY, created_at TEXT NOT NULL) WITHOUT ROWID",
    "ALTER TABLE conversations ADD COLUMN learn TEXT NOT NULL DEFAULT ''",  # empty: as the device
    "ALTER TABLE conversations ADD COLUMN memory INTEGER NOT NULL DEFAULT 1",  # whether it is used
    "ALTER TABLE conversations ADD COLUMN pinned TEXT NOT NULL DEFAULT ''",  # JSON: [[id, line], …]
)

_M006 = (
    # A file of a folder is a row below the folder's.
    "ALTER TABLE sources ADD COLUMN parent_id TEXT REFERENCES sources(id) ON DELETE CASCADE",
    "ALTER TABLE sources ADD COLUMN state TEXT NOT NULL DEFAULT 'ready'",
    "ALTER TABLE sources ADD COLUMN problem TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sources ADD COLUMN size INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sources ADD COLUMN changed_ns INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sources ADD COLUMN device INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sources ADD COLUMN inode INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sources ADD COLUMN reader INTEGER NOT NULL DEFAULT 0",  # version of our parsers
    "ALTER TABLE sources ADD COLUMN updated_at TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sources ADD COLUMN options TEXT NOT NULL DEFAULT '{}'",  # JSON
    "CREATE UNIQUE INDEX sources_place ON sources(parent_id, path)",
    "ALTER TABLE memories ADD COLUMN place TEXT",  # JSON: where in its source
    "CREATE INDEX memories_source ON memories(source_id, seq) WHERE source_id IS NOT NULL",
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        source_id TEXT REFERENCES sources(id) ON DELETE CASCADE,
        state TEXT NOT NULL,          -- running, paused, done, failed
        done INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        bytes_done INTEGER NOT NULL DEFAULT 0,
        bytes_total INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0,
        problem TEXT NOT NULL DEFAULT '',
        cursor TEXT NOT NULL DEFAULT '',   -- where to go on, in the words of whoever does it
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        finished_at TEXT
    ) WITHOUT ROWID""",
    "CREATE INDEX jobs_source ON jobs(source_id)",
)

_M008 = (
    """CREATE TABLE devices (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,           -- phone, computer, program
        scopes TEXT NOT NULL,         -- JSON, as is the next
        classes TEXT,                 -- scopes of memory it may see; NULL: all
        created_at TEXT NOT NULL,
        last_used_at TEXT,
        expires_at TEXT,
        revoked_at TEXT
    ) WITHOUT ROWID""",
    """CREATE TABLE tokens (
        id TEXT PRIMARY KEY,          -- part of the token, to find it by
        device_id TEXT NOT NULL REFERENCES devices(id) ON DELETE CASCADE,
        digest BLOB NOT NULL,         -- SHA-256 of the whole token
        created_at TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX tokens_device ON tokens(device_id)",
    "ALTER TABLE conversations ADD COLUMN device TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE conversations ADD COLUMN classes TEXT",  # JSON; NULL: all
)

_M009 = (
    # The lowest label of all that stood in its prompt.
    "ALTER TABLE turns ADD COLUMN trust TEXT NOT NULL DEFAULT 'user'",
    """CREATE TRIGGER memories_untrusted_insert BEFORE INSERT ON memories
        WHEN new.kind IN ('fact', 'preference', 'event', 'task') AND new.trust <> 'user'
    BEGIN
        SELECT RAISE(ABORT, 'untrusted');
    END""",
    """CREATE TRIGGER memories_untrusted_update BEFORE UPDATE OF kind, trust ON memories
        WHEN (new.kind IN ('fact', 'preference', 'event', 'task') AND new.trust <> 'user')
            OR (new.trust = 'user' AND old.trust <> 'user')  -- a yes makes a new row
    BEGIN
        SELECT RAISE(ABORT, 'untrusted');
    END""",
    """CREATE TRIGGER memories_untrusted_replace BEFORE UPDATE OF superseded_by ON memories
        WHEN old.trust = 'user' AND EXISTS
            (SELECT 1 FROM memories WHERE id = new.superseded_by AND trust <> 'user')
    BEGIN
        SELECT RAISE(ABORT, 'untrusted');
    END""",
)

_M012 = (
    """CREATE TABLE parcels (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,           -- text, link, file
        text TEXT NOT NULL,
        name TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        sender TEXT NOT NULL,
        receiver TEXT,                -- a device; NULL: all of them
        created_at TEXT NOT NULL,
        content BLOB NOT NULL
    )""",
)

_M013 = (
    "ALTER TABLE conversations ADD COLUMN source_id TEXT REFERENCES sources(id) ON DELETE SET NULL",
    "ALTER TABLE turns ADD COLUMN source_id TEXT REFERENCES sources(id) ON DELETE SET NULL",
    "CREATE INDEX conversations_source ON conversations(source_id) WHERE source_id IS NOT NULL",
    "CREATE INDEX turns_source ON turns(source_id) WHERE source_id IS NOT NULL",
)
