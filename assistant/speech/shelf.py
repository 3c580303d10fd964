"""A model's files on this machine: found in installed packages, joined, and verified by their hash.

Runs in the speech child: it has no network, so nothing is fetched here. No file is given to native
code before its sha256 was right in this process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

from assistant.errors import SpeechMissing
from assistant.speech.catalogue import (
    FileSource,
    HubSource,
    ModelFile,
    Source,
    SpeechModel,
    WheelSource,
)

CHUNK = 4 << 20


def in_place(model: SpeechModel) -> list[Path]:
    """A model's files, each in one piece where its package has it. Raises SpeechMissing."""
    return [_whole(file, model) for file in model.files]


def _whole(file: ModelFile, model: SpeechModel) -> Path:
    for source in file.sources:
        pieces = _pieces(source)
        if len(pieces) == 1 and _sha256(pieces) == file.sha256:
            return pieces[0]
    raise _missing(model)


def folder(model: SpeechModel, shelf: Path) -> Path:
    """A folder with all files of a model; those that are not there yet are joined. Raises SpeechMissing."""
    place = shelf / model.id
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in model.files:
        there = place / file.name
        if not (there.is_file() and _sha256([there]) == file.sha256):
            _put(file, there, model)
    return place


def _put(file: ModelFile, there: Path, model: SpeechModel) -> None:
    draft = there.with_name(f".{file.name}.{os.getpid()}")
    try:
        for source in file.sources:
            pieces = _pieces(source)
            if sum(piece.stat().st_size for piece in pieces) != file.bytes:
                continue
            if _join(pieces, draft) == file.sha256:
                draft.replace(there)
                return
    except OSError as exc:
        raise SpeechMissing(
            f"{model.title} could not be put together: {type(exc).__name__}.",
            "Check the disk's free space and that the models' folder can be written to.",
        ) from exc
    finally:
        draft.unlink(missing_ok=True)
    raise _missing(model)


def _join(pieces: Sequence[Path], draft: Path) -> str:
    digest = hashlib.sha256()
    with draft.open("wb") as out:
        for chunk in _chunks(pieces):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _sha256(pieces: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    try:
        for chunk in _chunks(pieces):
            digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def _chunks(pieces: Sequence[Path]) -> Iterator[bytes]:
    for piece in pieces:
        with piece.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _pieces(source: Source) -> list[Path]:
    """The files to be joined; none if this source does not have them."""
    match source:
        case WheelSource():
            found = [_members(package, source.member) for package in source.packages]
            return [path for paths in found for path in paths] if all(found) else []
        case FileSource():
            path = Path(source.path).expanduser()
            return [path] if path.is_file() else []
        case HubSource():
            return _cached(source)


def _members(package: str, pattern: str) -> list[Path]:
    name, _, version = package.partition("==")
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return []
    if found.version != version:
        return []
    names = sorted(str(file) for file in found.files or () if fnmatchcase(str(file), pattern))
    paths = [Path(str(found.locate_file(one))) for one in names]
    return paths if all(path.is_file() for path in paths) else []


def _cached(source: HubSource) -> list[Path]:
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    snapshots = Path(home).expanduser() / "hub" / f"models--{source.repo.replace('/', '--')}"
    return [
        path for path in sorted(snapshots.glob(f"snapshots/*/{source.file}")) if path.is_file()
    ][-1:]


def _missing(model: SpeechModel) -> SpeechMissing:
    return SpeechMissing(f"{model.title} is not on this machine, or not the one we know.")
