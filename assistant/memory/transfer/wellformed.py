"""Whether a row of an export is one that Nestor may have written; what it says may still be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import numpy as np

from assistant.config import LIMITS
from assistant.errors import ImportInvalid, InvalidInput
from assistant.memory import rows
from assistant.memory.ingest.rows import Options
from assistant.memory.transfer import format as form
from assistant.memory.transfer.layout import Table, is_root
from assistant.types import Kind, Trust

_FACTS = {"fact", "preference", "event", "task"}
"""Kinds that only the user's own words may have."""
_JSON = {"turns": ("receipt", "error", "recalled", "events")}


def check(row: form.Row, header: form.Header, by_name: Mapping[str, Table]) -> None:
    """Raises ImportInvalid where a row is not of the form that its table takes."""
    shape = header.tables.get(row.table)
    if shape is None or set(row.row) != set(shape.columns):
        raise ImportInvalid("It has not the fields that the header names.")
    table, stored = by_name[row.table], form.values(row.row)
    for name, kind in zip(table.columns, table.types, strict=True):
        found = stored.get(name)
        if found is None:
            if name in table.required and name in stored:
                raise ImportInvalid(f"Its {name} is empty.")
        elif not isinstance(found, (int, float) if kind is float else kind):
            raise ImportInvalid(f"Its {name} is of the wrong type.")
    if row.table == "memories":
        _memory(stored)
        for one in row.vectors:
            _vector(one)
    if row.table == "sources":
        _source(stored)
    for name in _JSON.get(row.table, ()):
        _json(name, stored.get(name))


def _memory(stored: Mapping[str, Any]) -> None:
    try:
        rows.one_of("kind", stored["kind"], get_args(Kind))
        rows.one_of("trust", stored["trust"], get_args(Trust))
        if stored["kind"] in _FACTS and stored["trust"] != "user":
            raise InvalidInput("It takes somebody else's words for a fact.")
        for name in ("created_at", "said_at", "valid_from", "valid_to"):
            if (moment := stored[name]) is not None and rows.clean_time(moment) != moment:
                raise InvalidInput(f"{name} is not a time as Nestor stores it.")
        text, told = stored["text"], stored["content_hash"]
    except KeyError as exc:
        raise ImportInvalid("It has not all the fields of a memory.") from exc
    except InvalidInput as exc:
        raise ImportInvalid(exc.message) from exc
    if rows.content_hash(text) != told:
        raise ImportInvalid("Its text and its hash do not belong together.")


def _source(stored: Mapping[str, Any]) -> None:
    path = stored.get("path") or ""
    if is_root(stored) and (not path or "\0" in path):
        raise ImportInvalid("It names no folder or file.")
    try:
        msgspec.json.decode(stored.get("options", "{}"), type=Options)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ImportInvalid("Its options are not those of a source.") from exc


def _vector(one: form.Vector) -> None:
    if not 0 < one.dim <= LIMITS.vector_dims or len(one.vector) != 2 * one.dim:
        raise ImportInvalid("Its vector has the wrong length.")
    if not np.isfinite(np.frombuffer(one.vector, np.float16)).all():
        raise ImportInvalid("Its vector is not of numbers.")


def _json(name: str, text: str | None) -> None:
    try:
        if text is not None:
            msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ImportInvalid(f"Its {name} is not JSON.") from exc
