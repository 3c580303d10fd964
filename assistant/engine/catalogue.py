"""The models there are, which of them are here, and how to get one: pull, verify, remove."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from assistant.engine import definitions, gguf, pulling, sources
from assistant.engine.definitions import ID, Entry, FileSource, HubSource, Source, WheelSource
from assistant.engine.gguf import GgufInfo
from assistant.engine.pulling import Progress
from assistant.engine.shelf import Shelf
from assistant.errors import (
    HashMismatch,
    ModelInvalid,
    ModelMissing,
    ModelNotFound,
)
from assistant.types import Sampling

__all__ = [
    "Catalogue",
    "Entry",
    "FileSource",
    "HubSource",
    "ModelFile",
    "Progress",
    "Source",
    "State",
    "WheelSource",
]

PATH_CONTEXT = 8192
"""Tokens of context for a model given by path, if it was trained for as many."""
COMFORT = 0.6
"""Share of the machine's memory a proposed model may take; the rest is the user's."""

State = Literal["present", "partial", "absent"]


class ModelFile(msgspec.Struct, frozen=True):
    """A model that can be loaded: checked, and where it lies."""

    id: str
    path: Path
    family: str
    """Empty for one given by path: the architecture decides."""
    context: int
    """Tokens, within what it was trained for."""
    sampling: Sampling
    sha256: str
    """Empty for one given by path."""
    info: GgufInfo


def _never() -> bool:
    return False


class Catalogue:
    """The entries of `definitions`, and the weights in `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        definitions: Path | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._folder, self._environ = folder, environ
        self._definitions = definitions
        self._entries: tuple[Entry, ...] | None = None

    def entries(self) -> tuple[Entry, ...]:
        """All models, smallest first. Raises ConfigInvalid naming the catalogue file and field."""
        if self._entries is None:
            self._entries = definitions.load(self._definitions or definitions.default_folder())
        return self._entries

    def get(self, model_id: str) -> Entry:
        """One model by its id, never by a path. Raises ModelNotFound."""
        if re.fullmatch(ID[1:-1], model_id):
            for entry in self.entries():
                if entry.id == model_id:
                    return entry
        raise ModelNotFound

    def state(self, entry: Entry) -> State:
        """Whether its file is here, by name and size alone."""
        shelf = self._shelf(entry)
        if shelf.weights.is_file() and (
            not entry.sha256 or shelf.weights.stat().st_size == entry.bytes
        ):
            return "present"
        return "partial" if shelf.part_state() else "absent"

    def sha256(self, entry: Entry) -> str:
        """What its bytes must be: the catalogue's word, else the one pinned at the first pull."""
        return entry.sha256 or self._shelf(entry).pinned()

    def resolve(self, name: str) -> ModelFile:
        """A model to load, by catalogue id or by the path of a .gguf file.

        A catalogue file that was touched since it was verified is hashed again, which takes
        seconds. For the owner's own settings only: what came over the network goes through `get`.
        Raises ModelNotFound, ModelMissing, ModelInvalid.
        """
        try:
            entry = self.get(name)
        except ModelNotFound:
            return self._by_path(name)
        shelf = self._shelf(entry)
        if not shelf.weights.is_file():
            raise ModelMissing
        if not pulling.is_verified(shelf, self.sha256(entry)):
            raise ModelInvalid("The model file is damaged: its hash is not the one it should have.")
        info = gguf.inspect(shelf.weights)
        return ModelFile(
            id=entry.id,
            path=shelf.weights,
            family=entry.family,
            context=min(entry.context, info.context),
            sampling=entry.sampling,
            sha256=self.sha256(entry),
            info=info,
        )

    def pull(self, model_id: str, *, cancelled: Callable[[], bool] = _never) -> Iterator[Progress]:
        """Fetch a model, trying its sources in order; blocks, yielding how far it is.

        Closing the generator, or `cancelled`, keeps what was fetched for the next pull.
        Raises ModelNotFound, Conflict, DiskFull, Stopped, HashMismatch or DownloadError; the
        last two say why each source failed.
        """
        entry = self.get(model_id)
        shelf = self._shelf(entry)
        with shelf.locked():
            job = sources.Job(entry, shelf, self._environ, cancelled)
            yield from pulling.pull(job, self.sha256(entry))

    def verify(self, model_id: str) -> Iterator[Progress]:
        """Hash a model's file again. Raises ModelMissing, HashMismatch; removes nothing."""
        entry = self.get(model_id)
        shelf = self._shelf(entry)
        with shelf.locked():
            if not shelf.weights.is_file():
                raise ModelMissing
            expected = self.sha256(entry)
            total = shelf.weights.stat().st_size
            found = yield from pulling.hashing(entry, shelf.weights)
            if not expected or found != expected:
                raise HashMismatch(
                    "The model file is damaged: its hash is not the one it should have.",
                    f"Fetch it again: `nestor models pull {entry.id}`.",
                )
            gguf.inspect(shelf.weights)
            shelf.remember(found)
            yield Progress(entry.id, "done", total, total)

    def remove(self, model_id: str) -> int:
        """Delete a model's files, a partial download too; returns the bytes freed.

        Whether it is in use is the caller's to know. Raises ModelNotFound, Conflict.
        """
        shelf = self._shelf(self.get(model_id))
        with shelf.locked():
            return shelf.clear()

    def propose(self, ram_bytes: int, vram_bytes: int = 0, *, without_hub: bool = False) -> Entry:
        """The largest model this machine runs comfortably; the smallest one if none is.

        `without_hub` keeps to models that can also be had elsewhere.
        """
        fit = [entry for entry in self.entries() if not entry.test_only]
        if without_hub:
            fit = [e for e in fit if not all(isinstance(s, HubSource) for s in e.sources)]
        if not fit:
            raise ModelNotFound("The catalogue is empty.")
        comfortable = [
            entry
            for entry in fit
            if entry.ram_bytes <= COMFORT * ram_bytes or entry.vram_bytes <= vram_bytes
        ]
        return comfortable[-1] if comfortable else fit[0]

    # --- inside ------------------------------------------------------------------------------

    def _shelf(self, entry: Entry) -> Shelf:
        return Shelf(self._folder, entry.id)

    def _by_path(self, name: str) -> ModelFile:
        try:
            path = Path(name).expanduser()
            if path.suffix.lower() != ".gguf" or not path.exists():
                raise ModelNotFound
        except (OSError, ValueError, RuntimeError) as exc:  # too long, a zero in it, ~nobody
            raise ModelNotFound from exc
        info = gguf.inspect(path)
        return ModelFile(
            id=re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower())[:64] or "model",
            path=path.absolute(),
            family="",
            context=min(PATH_CONTEXT, info.context),
            sampling=Sampling(),
            sha256="",
            info=info,
        )
