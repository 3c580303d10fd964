"""An OpenClaw workspace: Markdown files that its agent remembers by.

Taken from openclaw/openclaw, docs/concepts/memory.md (commit 00463892) and
docs/concepts/agent-workspace.md: `MEMORY.md` (or `memory.md`) has lasting memories,
`memory/YYYY-MM-DD.md` a day's, other files below `memory/` digests; `USER.md` is about the user.
`SOUL.md`, `AGENTS.md`, `TOOLS.md`, `IDENTITY.md` and others tell that agent what to do: they stay out,
since nothing from a file tells Nestor what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from assistant.config import LIMITS
from assistant.memory.transfer import archive as files
from assistant.memory.transfer import obsidian
from assistant.memory.transfer.fields import pieces, short, text
from assistant.memory.transfer.records import Note, Record, Skipped

LABEL = "OpenClaw"
_MARKS = {"SOUL.md", "AGENTS.md", "IDENTITY.md", "HEARTBEAT.md"}


def reads(archive: files.Archive) -> bool:
    """Whether this is such a workspace, or a MEMORY.md alone."""
    names = {files.base(name) for name in archive.names()}
    return "MEMORY.md" in names or ("memory.md" in names and bool(names & _MARKS))


def read(archive: files.Archive) -> Iterator[Record]:
    """Its memories, each item of a list as one."""
    for name in sorted(archive.names()):
        if any(part.startswith(".") for part in PurePosixPath(name).parts):
            continue
        about_user = files.base(name).lower() in ("memory.md", "user.md")
        if not name.endswith(".md") or not (
            about_user or "memory/" in f"/{name}".rpartition("/")[0] + "/"
        ):
            why = "only memories come in" if not name.endswith(".md") else "it is for that agent"
            yield Skipped(short(name), archive.title, why)
            continue
        yield from _file(archive, name)


def _file(archive: files.Archive, name: str) -> Iterator[Record]:
    with archive.open(name) as file:
        raw = file.read(LIMITS.import_record_bytes + 1)
    if len(raw) > LIMITS.import_record_bytes:
        yield Skipped(
            "file", short(name), f"it is larger than {LIMITS.import_record_bytes:,} bytes"
        )
        return
    _, body = obsidian.front_matter(text(raw.decode("utf-8-sig", "replace")))
    said_at = obsidian.day(files.base(name)) or archive.date(name)
    trust = "file" if files.base(name).lower() == "user.md" else "model"
    for piece in pieces(body, by_item=True):
        yield Note(f"{name}:{piece}", piece, short(name), trust, said_at, short(name))  # type: ignore[arg-type]
