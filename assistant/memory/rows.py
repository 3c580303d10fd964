"""Values to database rows and back: checked on the way in, so that nothing else has to."""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from assistant.config import LIMITS
from assistant.errors import EmptyText, InvalidInput, TextTooLong
from assistant.memory.language import detect
from assistant.memory.slots import FOREVER, Row
from assistant.memory.trust import vouched
from assistant.types import Kind, Memory, NewMemory, Trust, new_id, timestamp

FIELDS = (
    "id", "text", "kind", "trust", "scope", "created_at", "said_at", "valid_from", "source",
    "speaker", "thread", "subject", "valid_to", "superseded_by", "importance", "sensitivity", "lang",
    "attribute", "quote", "strength",
)  # fmt: skip
COLUMNS = ", ".join(FIELDS)

INDEXED = (
    "seq, id, kind, scope, speaker, thread, lang, unixepoch(said_at), unixepoch(valid_from), "
    "unixepoch(valid_to), octet_length(text), superseded_by, "
    "substr(rtrim(text), -1) IN ('?', '？', '؟')"  # noqa: RUF001 - those of other scripts
)


_ASKING = ("?", "？", "؟")  # noqa: RUF001 - those of other scripts


def memory(row: Sequence[Any]) -> Memory:
    """A row of COLUMNS as a value."""
    return Memory(**dict(zip(FIELDS, row, strict=True)))


def indexed(row: Sequence[Any]) -> Row:
    """A row of INDEXED as the index keeps it."""
    values = dict(zip(Row.__struct_fields__, row, strict=True))
    if values["valid_to"] is None:
        values["valid_to"] = FOREVER
    values["asks"] = bool(values["asks"])
    return Row(**values)


def in_classes(classes: Sequence[str]) -> tuple[str, list[str]]:
    """`types.in_classes` as a condition of SQL, with its values."""
    conditions, values = ["0"], []
    for one in classes:
        bare = one.removesuffix("/*")
        conditions.append("scope = ?")
        values.append(bare)
        if bare != one:
            # Not LIKE or GLOB: a scope may hold their wildcards.
            conditions.append("substr(scope, 1, length(?)) = ?")
            values += [f"{bare}/"] * 2
    return f"({' OR '.join(conditions)})", values


def memory_fresh(row: Mapping[str, Any]) -> Memory:
    """What `memory` gives for a row of `fresh` that was just stored."""
    return Memory(**{name: row[name] for name in FIELDS if name in row})


def indexed_fresh(seq: int, row: Mapping[str, Any]) -> Row:
    """What `indexed` gives for a row of `fresh` that was just stored under this number."""
    text = row["text"]
    said = seconds(row["said_at"])
    return Row(
        seq=seq,
        id=row["id"],
        kind=row["kind"],
        scope=row["scope"],
        speaker=row["speaker"],
        thread=row["thread"],
        lang=row["lang"],
        said_at=said,
        valid_from=said if row["valid_from"] == row["said_at"] else seconds(row["valid_from"]),
        length=len(text) if text.isascii() else len(text.encode()),
        asks=text.rstrip(" ").endswith(_ASKING),
    )


def fresh(new: NewMemory, moment: str) -> dict[str, Any]:
    """The columns of a new memory. Raises InvalidInput and its kin."""
    text = clean_text(new.text)
    said_at = moment if new.said_at is None else clean_time(new.said_at)
    return {
        "id": new_id("m"),
        "kind": one_of("kind", new.kind, get_args(Kind)),
        "text": text,
        "trust": vouched(one_of("trust", new.trust, get_args(Trust)), text, new.approved),
        "scope": clean_name("scope", new.scope) or "",
        "created_at": moment,
        "said_at": said_at,
        "valid_from": said_at,
        "source": clean_name("source", new.source),
        "speaker": clean_name("speaker", new.speaker),
        "thread": clean_name("thread", new.thread),
        "lang": detect(text),
        "content_hash": content_hash(text),
        "quote": new.quote,
        "importance": fraction("importance", new.importance),
        "sensitivity": clean_name("sensitivity", new.sensitivity) or "normal",
    }


def content_hash(text: str) -> bytes:
    """What two equal texts share."""
    return hashlib.sha256(text.encode()).digest()


def plain(text: str) -> str:
    """What two texts share that say the same: case and spaces do not count."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def clean_text(text: str, most: int = LIMITS.memory_chars) -> str:
    """The text, if it can be stored. Raises EmptyText, TextTooLong or InvalidInput."""
    if len(text) > most:
        raise TextTooLong(f"The text has {len(text)} characters; {most} is the limit.")
    _storable("text", text)
    if not any(unicodedata.category(character)[0] in "LNPSM" for character in text):
        raise EmptyText
    return text


def clean_name(field: str, name: str | None) -> str | None:
    """A short label, if it can be stored; an empty one is none."""
    if not name or not name.strip():
        return None
    if len(name) > LIMITS.title_chars:
        raise TextTooLong(f"{field} is over {LIMITS.title_chars} characters.")
    _storable(field, name)
    return name.strip()


def clean_time(moment: str) -> str:
    """A time in ISO 8601 as stored; without a zone it counts as UTC. Raises InvalidInput."""
    try:
        return timestamp(datetime.fromisoformat(moment))
    except (ValueError, OverflowError) as exc:
        raise InvalidInput("A time is not ISO 8601.") from exc


def seconds(moment: str) -> int:
    """A stored time as seconds since 1970."""
    return int(datetime.fromisoformat(moment).astimezone(UTC).timestamp())


def one_of(field: str, value: str, known: Sequence[str]) -> str:
    """The value, if it is one of the known. Raises InvalidInput."""
    if value not in known:
        raise InvalidInput(f"{field} must be one of: {', '.join(known)}.")
    return value


def fraction(field: str, value: float) -> float:
    """The value, if it lies between 0 and 1. Raises InvalidInput."""
    if not 0.0 <= value <= 1.0:
        raise InvalidInput(f"{field} must lie between 0 and 1.")
    return float(value)


def _storable(field: str, text: str) -> None:
    if "\0" in text:
        raise InvalidInput(f"{field} has a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput(f"{field} has a lone surrogate.") from exc


# --- pages -----------------------------------------------------------------------------------


def write_cursor(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Where the next page begins, opaque to who carries it."""
    joined = "\n".join(str(value) for value in values)
    return base64.urlsafe_b64encode(joined.encode()).decode().rstrip("=")


def read_cursor(cursor: str, count: int) -> list[str]:
    """What `write_cursor` wrote. Raises InvalidInput for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\n")
    except (binascii.Error, UnicodeError, ValueError) as exc:
        raise InvalidInput("The cursor is not one of ours.") from exc
    if len(values) != count:
        raise InvalidInput("The cursor is not one of ours.")
    return values


def cursor_seq(value: str) -> int:
    """A cursor's number. Raises InvalidInput."""
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise InvalidInput("The cursor is not one of ours.")
    return int(value)
