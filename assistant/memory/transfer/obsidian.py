"""An Obsidian vault, or any folder or zip of Markdown notes.

Taken from Obsidian's help (obsidianmd/obsidian-help: Internal links, Properties, Tags, Daily notes):
YAML front matter between `---` lines, with `tags`, `aliases`, `date` or `created`; links
`[[Note#Heading|shown]]`, embeds `![[picture.png]]`; daily notes are named by their date. Front matter
is read as far as those fields go: `name: value`, `[a, b]` and `- item` lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from assistant.config import LIMITS
from assistant.memory.transfer import archive as files
from assistant.memory.transfer.fields import moment, pieces, short, text
from assistant.memory.transfer.records import Note, Record, Skipped

LABEL = "Obsidian"
_NOTES = (".md", ".markdown")
_OWN = (".obsidian/", ".trash/", ".git/")
_LINK = re.compile(r"(!?)\[\[([^\]\n|#^]*)((?:[#^][^\]\n|]*)?)(?:\|([^\]\n]*))?\]\]")
_DAY = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")
_FIELD = re.compile(r"([A-Za-z][\w -]*):\s*(.*)")


def reads(archive: files.Archive) -> bool:
    """Whether there are Markdown notes in it."""
    return any(_is_note(name) for name in archive.names())


def read(archive: files.Archive) -> Iterator[Record]:
    """Its notes in pieces, each with its note's name; attachments are counted by kind."""
    left: dict[str, int] = {}
    for name in sorted(archive.names()):
        if any(f"/{part}" in f"/{name}" for part in _OWN):
            continue
        if not _is_note(name):
            kind = PurePosixPath(name).suffix.lower() or "other"
            left[kind] = left.get(kind, 0) + 1
            continue
        yield from _note(archive, name)
    for kind, count in sorted(left.items()):
        yield Skipped(f"{kind} files: {count}", archive.title, "only Markdown notes come in")


def _is_note(name: str) -> bool:
    return name.lower().endswith(_NOTES)


def _note(archive: files.Archive, name: str) -> Iterator[Record]:
    with archive.open(name) as file:
        raw = file.read(LIMITS.import_record_bytes + 1)
    if len(raw) > LIMITS.import_record_bytes:
        yield Skipped(
            "note", short(name), f"it is larger than {LIMITS.import_record_bytes:,} bytes"
        )
        return
    fields, body = front_matter(text(raw.decode("utf-8-sig", "replace")))
    title = PurePosixPath(name).stem
    said_at = (
        day(title)
        or next(
            (
                at
                for key in ("date", "created")
                for one in fields.get(key, ())
                if (at := moment(one))
            ),
            None,
        )
        or archive.date(name)
    )
    head = _about(title, fields)
    empty = True
    for number, piece in enumerate(pieces(plain(body))):
        empty = False
        # The first piece says what the note is called besides, so that it is found by that.
        shown = f"{head}\n{piece}" if not number else piece
        yield Note(
            f"{name}:{piece}",
            shown[: LIMITS.memory_chars],
            short(name),
            "file",
            said_at,
            short(name),
        )
    if empty:
        yield Skipped("note", short(name), "there is no text in it")


def _first_moment(values: list[str]) -> str | None:
    return next((at for one in values if (at := moment(one))), None)


def _about(title: str, fields: dict[str, list[str]]) -> str:
    more = []
    if aliases := fields.get("aliases") or fields.get("alias"):
        more.append(f"also: {', '.join(aliases)}")
    if tags := fields.get("tags") or fields.get("tag"):
        more.append(f"tags: {', '.join(one.lstrip('#') for one in tags)}")
    return title + (f" ({'; '.join(more)})" if more else "")


def front_matter(whole: str) -> tuple[dict[str, list[str]], str]:
    """The fields above a note, each as a list of its values, and the note itself."""
    lines = whole.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, whole
    end = next((at for at, line in enumerate(lines[1:], 1) if line.strip() in ("---", "...")), None)
    if end is None:
        return {}, whole
    fields: dict[str, list[str]] = {}
    name = ""
    for line in lines[1:end]:
        if line.lstrip().startswith("- ") and name:
            fields[name].append(_value(line.lstrip()[2:]))
        elif found := _FIELD.fullmatch(line.strip()):
            name = found[1].strip().lower()
            inner = found[2].strip()
            many = inner[1:-1].split(",") if inner[:1] == "[" and inner[-1:] == "]" else [inner]
            fields[name] = [value for one in many if (value := _value(one))]
    return fields, "\n".join(lines[end + 1 :])


def _value(one: str) -> str:
    return one.strip().strip("\"'").strip()


def plain(body: str) -> str:
    """The words of a note: what links show, without embedded files."""
    return _LINK.sub(_shown, body)


def _shown(link: re.Match[str]) -> str:
    embedded, target, part, shown = link.groups()
    if embedded and PurePosixPath(target).suffix and not _is_note(target):
        return ""
    return (shown or " ".join(filter(None, (target, part.lstrip("#^"))))).strip()


def day(name: str) -> str | None:
    """The date in a daily note's name; None if there is none."""
    found = _DAY.search(name)
    return moment(found[1]) if found else None
