"""Proof that something is gone: all our files are searched for it, the encrypted ones decrypted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from sqlite_utils import Database

from assistant.config import Paths
from assistant.memory import pages, segments, tables
from assistant.memory.keys import Key
from assistant.memory.needles import Needles, Search
from assistant.types import Place, Proof

BLOCK_BYTES = 1 << 20


class _Found(msgspec.Struct):
    hits: Counter[tuple[str, str]] = Counter()
    """(place, needle) → how often."""
    files: int = 0
    pages: int = 0
    bytes: int = 0

    def add(self, place: str, needles: Iterable[str]) -> None:
        self.hits.update((place, needle) for needle in needles)


def search(
    paths: Paths,
    key: Key,
    db: Database,
    needles: Needles,
    *,
    sealed: Sequence[str] = (),
    skip: Collection[Path] = (),
) -> Proof:
    """Look through every file of ours but models. Blocks: seconds for a large memory.

    `db` is a connection that reads; what is written meanwhile may or may not be seen. `sealed` are
    places that others have found, `skip` are files that are told of elsewhere: backups.
    """
    search_for = Search({*needles.passages, *needles.words})
    found = _Found(Counter())
    for name, path in _files(paths):
        if path in skip:
            continue
        try:
            _search_file(found, name, path, paths, key, search_for)
        except FileNotFoundError:
            continue  # deleted meanwhile
    for index in segments.indexes(db):
        terms = segments.holds(db, index, needles.stems)
        found.add(f"words of {index}", terms)
    places = [*_places(db, needles, found.hits), *(Place(one, "text") for one in sealed)]
    return Proof(
        copies=sum(place.count for place in places),
        places=places,
        searched_for=len(needles.passages) + len(needles.words),
        files=found.files,
        pages=found.pages,
        bytes=found.bytes,
    )


def _files(paths: Paths) -> Iterator[tuple[str, Path]]:
    """Every file with the name it is told by; folders inside each other are read once."""
    seen = set()
    for kind in ("config", "data", "state", "cache"):
        folder: Path = getattr(paths, kind)
        for where, folders, names in os.walk(folder):
            folders[:] = [one for one in folders if Path(where, one) != paths.models]
            for name in names:
                path = Path(where, name)
                if path.is_file() and not path.is_symlink() and path not in seen:
                    seen.add(path)
                    yield f"{kind}/{path.relative_to(folder).as_posix()}", path


def _search_file(
    found: _Found, name: str, path: Path, paths: Paths, key: Key, search_for: Search
) -> None:
    found.files += 1
    found.bytes += path.stat().st_size
    for block in _blocks(path, search_for.longest):
        found.add(name, search_for.found(block))
    if path.name == paths.database.name + "-wal":
        for page in pages.frames(path, paths.database, key):
            found.pages += 1
            if page.genuine:
                found.add(name, search_for.found(page.content))
    elif pages.is_ours(path, key):
        free = pages.free(path, key)
        for page in pages.pages(path, key):
            found.pages += 1
            if page.genuine:
                kind = "free page" if page.number in free else "page"
                found.add(f"{name}, {kind} {page.number}", search_for.found(page.content))


def _blocks(path: Path, overlap: int) -> Iterator[bytes]:
    """A file in blocks that share their ends, so that nothing is cut in two."""
    with path.open("rb") as file:
        before = b""
        while block := file.read(BLOCK_BYTES):
            yield before + block
            before = (before + block)[-overlap:] if overlap else b""


# --- naming what was found ---------------------------------------------------------------------


def _places(db: Database, needles: Needles, hits: Counter[tuple[str, str]]) -> Iterator[Place]:
    """Pages named by the table that shows them, where one does; words that others say left out."""
    named: Counter[tuple[str, str]] = Counter()
    rows = {needle: _columns(db, needle) for needle in {needle for _, needle in hits}}
    kept = {
        needle
        for needle, columns in rows.items()
        if needle in needles.words and "memories.text" in columns
    }
    for (place, needle), count in hits.items():
        if needle in kept:
            continue
        columns = rows[needle] if ", page " in place else {}
        for name, number in columns.items():
            named[name, needles.what(needle)] = max(named[name, needles.what(needle)], number)
        if not columns:
            named[place, needles.what(needle)] += count
    return (
        Place(place, "text" if what == "text" else "word", n) for (place, what), n in named.items()
    )


def _columns(db: Database, needle: str) -> dict[str, int]:
    """The columns of tables that show it, and how many rows do."""
    found = {}
    for table in tables.names(db):
        for column in db.table(table).columns:
            shown = f"lower(CAST([{column.name}] AS TEXT))"
            sql = f"SELECT count(*) FROM [{table}] WHERE instr({shown}, ?)"  # noqa: S608
            (count,) = db.execute(sql, [needle.lower()]).fetchone()
            if count:
                found[f"{table}.{column.name}"] = int(count)
    return found
