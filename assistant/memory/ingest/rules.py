"""Pure: what of a folder is not read, and why."""

from __future__ import annotations

from collections.abc import Sequence

import pathspec

from assistant.errors import InvalidInput
from assistant.memory.ingest import names

HIDDEN = "hidden"
SECRETS = "keys and passwords"
IGNORED = "ignored"
LINK = "links"
TOO_LARGE = "too large"
FORMAT = "format not read"
MADE = "made by programs"
SPECIAL = "no plain files"
NAME = "name cannot be stored"
DEEP = "too deep"
MANY = "too many"
OURS = "Nestor's own"
"""Reasons, as they are counted and shown."""

IGNORE_FILES = (".gitignore", ".nestorignore")


class Patterns:
    """Patterns as in .gitignore, of one folder."""

    def __init__(self, lines: Sequence[str]) -> None:
        try:
            self._spec = pathspec.GitIgnoreSpec.from_lines(lines)
        except (ValueError, TypeError) as exc:
            raise InvalidInput(
                "An ignore pattern cannot be used.", "Write patterns as in .gitignore."
            ) from exc

    def says(self, path: str, *, folder: bool) -> bool | None:
        """Whether this path below the folder is ignored; None: nothing is said about it."""
        return self._spec.check_file(path + "/" if folder else path).include


def file_reason(name: str, size: int, most: int, *, hidden: bool) -> str:
    """Why a file of this name and size is not read; empty: it is."""
    if names.is_secret_file(name):
        return SECRETS
    if name.startswith(".") and not hidden:
        return HIDDEN
    if names.format_of(name) is None:
        return FORMAT
    return TOO_LARGE if size > most else ""


def folder_reason(name: str, *, hidden: bool) -> str:
    """Why nothing in a folder of this name is read; empty: it is looked through."""
    if names.is_secret_folder(name):
        return SECRETS
    if name.startswith(".") and not hidden:
        return HIDDEN
    return MADE if name.lower() in names.MADE_BY_PROGRAMS else ""
