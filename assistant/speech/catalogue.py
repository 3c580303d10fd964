"""The speech models as written in `models/speech/*.toml`: their files, and where each can be had."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from assistant.errors import ConfigInvalid, SpeechMissing

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9._-]{1,64}$")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*$")]
Package = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*$")
]


class WheelSource(
    msgspec.Struct, frozen=True, tag="wheel", tag_field="kind", forbid_unknown_fields=True
):
    """Files inside pinned packages that the extra `voice` installs, joined in the order given."""

    packages: Annotated[tuple[Package, ...], msgspec.Meta(min_length=1)]
    member: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
    """Which files of each package, as a glob; sorted by name where several match."""


class HubSource(
    msgspec.Struct, frozen=True, tag="hub", tag_field="kind", forbid_unknown_fields=True
):
    """A file of a Hugging Face repository that is already in this machine's hub cache."""

    repo: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
    file: Name


class FileSource(
    msgspec.Struct, frozen=True, tag="file", tag_field="kind", forbid_unknown_fields=True
):
    """A file on this machine, absolute or beginning with `~`."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


Source = WheelSource | HubSource | FileSource


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a model. Its hash decides, whatever the source."""

    name: Name
    bytes: Annotated[int, msgspec.Meta(gt=0)]
    sha256: Sha256
    sources: Annotated[tuple[Source, ...], msgspec.Meta(min_length=1)]


class SpeechModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One speech model."""

    id: Id
    title: str
    kind: Literal["stt", "tts", "vad", "wake"]
    license: str
    languages: tuple[str, ...]
    """ISO 639-1 codes, the best first; `*`: many more."""
    ram_bytes: Annotated[int, msgspec.Meta(gt=0)]
    files: Annotated[tuple[ModelFile, ...], msgspec.Meta(min_length=1)]
    window_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """Of an stt model: the shortest stretch of audio it reads without losing words (measured)."""
    beam: Annotated[int, msgspec.Meta(ge=1, le=16)] = 5
    phrase: str = ""
    """Of a wake model: what it listens for."""
    note: str = ""


def default_folder() -> Path:
    """Where they lie: `assistant/models/speech` of an installed wheel, `models/speech` of a checkout."""
    inside = Path(__file__).parent.parent / "models"
    return (inside if inside.is_dir() else inside.parent.parent / "models") / "speech"


def load(folder: Path | None = None) -> dict[str, SpeechModel]:
    """All models by id. Raises ConfigInvalid naming file and field."""
    return {
        model.id: model for model in map(_read, sorted((folder or default_folder()).glob("*.toml")))
    }


def find(model_id: str, kind: str, folder: Path | None = None) -> SpeechModel:
    """The model by that id. Raises SpeechMissing if there is none of that kind."""
    model = load(folder).get(model_id)
    if model is None or model.kind != kind:
        raise SpeechMissing(
            f"The catalogue has no {kind} model by that name.",
            "models/README.md lists the speech models; a folder's path works for `stt` too.",
        )
    return model


def _read(path: Path) -> SpeechModel:
    try:
        model = msgspec.convert(tomllib.loads(path.read_text("utf-8")), SpeechModel)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as exc:
        raise ConfigInvalid(f"The catalogue file {path.name} cannot be used: {exc}.") from exc
    if model.id != path.stem:
        raise ConfigInvalid(f"The catalogue file {path.name} has another id: {model.id}.")
    return model
