"""The hash decides, whatever the source: what is not the model we know never gets its name."""

import hashlib

import pytest

from assistant.errors import ConfigInvalid, SpeechMissing
from assistant.speech import catalogue, shelf
from assistant.speech.catalogue import FileSource, ModelFile, SpeechModel, WheelSource

CONTENT = b"weights" * 1000


def model(tmp_path, *sources, content=CONTENT):
    file = ModelFile("a.bin", len(content), hashlib.sha256(content).hexdigest(), sources)
    return SpeechModel("m", "M", "stt", "MIT", ("en",), 1, (file,))


def source(tmp_path, name="source", content=CONTENT):
    (tmp_path / name).write_bytes(content)
    return FileSource(str(tmp_path / name))


def test_a_model_is_put_together_once(tmp_path):
    entry = model(tmp_path, FileSource("/nowhere"), source(tmp_path))
    there = shelf.folder(entry, tmp_path / "shelf") / "a.bin"
    assert there.read_bytes() == CONTENT
    before = there.stat()
    (tmp_path / "source").unlink()
    shelf.folder(entry, tmp_path / "shelf")
    assert there.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"!", CONTENT[:-1], b""])
def test_other_bytes_are_refused_and_the_next_source_is_tried(tmp_path, content):
    wrong = source(tmp_path, "wrong", content)
    with pytest.raises(SpeechMissing):
        shelf.folder(model(tmp_path, wrong), tmp_path / "shelf")
    assert list((tmp_path / "shelf/m").iterdir()) == []
    with pytest.raises(SpeechMissing):
        shelf.in_place(model(tmp_path, wrong))
    entry = model(tmp_path, wrong, source(tmp_path))
    assert (shelf.folder(entry, tmp_path / "shelf") / "a.bin").read_bytes() == CONTENT
    assert shelf.in_place(entry) == [tmp_path / "source"]


def test_a_file_that_was_changed_later_is_made_anew(tmp_path):
    entry = model(tmp_path, source(tmp_path))
    there = shelf.folder(entry, tmp_path / "shelf") / "a.bin"
    there.write_bytes(b"x" + CONTENT[1:])
    shelf.folder(entry, tmp_path / "shelf")
    assert there.read_bytes() == CONTENT


@pytest.mark.parametrize("package", ["no-such-package==1.0", "pytest==0.0.1"])
def test_a_package_that_is_missing_or_another_version(tmp_path, package):
    with pytest.raises(SpeechMissing) as missing:
        shelf.in_place(model(tmp_path, WheelSource((package,), "*")))
    assert "voice" in missing.value.hint
    assert "/" not in missing.value.message


def test_the_catalogue_is_whole():
    models = catalogue.load()
    kinds = {one.kind for one in models.values()}
    assert kinds == {"stt", "tts", "vad", "wake"}
    readme = (catalogue.default_folder().parent / "README.md").read_text("utf-8")
    for one in models.values():
        assert f"`{one.id}`" in readme
        assert one.license in {"MIT", "Apache-2.0"}  # nothing with other weights by default
    with pytest.raises(SpeechMissing):
        catalogue.find("silero-vad", "stt")


ENTRY = """id = "m"
title = "M"
kind = "stt"
license = "MIT"
languages = ["en"]
ram_bytes = 1

[[files]]
name = "a.bin"
bytes = 1
sha256 = "%s"
sources = [{kind = "file", path = "/x"}]
""" % ("0" * 64)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [('id = "m"', 'id = "n"', "another id"), ('"stt"', '"x"', "kind"), ("bytes = 1", "extra = 1", "extra"),
     ("a.bin", "../a.bin", "name"), ("0" * 64, "0", "sha256"), ('"file"', '"net"', "kind"), ("[[", "[", "m")],
)  # fmt: skip
def test_a_wrong_entry_is_named(tmp_path, right, wrong, told):
    (tmp_path / "m.toml").write_text(ENTRY)
    assert list(catalogue.load(tmp_path)) == ["m"]
    (tmp_path / "m.toml").write_text(ENTRY.replace(right, wrong))
    with pytest.raises(ConfigInvalid) as invalid:
        catalogue.load(tmp_path)
    assert "m.toml" in invalid.value.message
    assert told in invalid.value.message
