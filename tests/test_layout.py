"""The checkout: only what the design allows at the top, nothing large, nobody's registry in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from assistant import __version__

ROOT = Path(__file__).parent.parent
TOP = (
    "pyproject.toml assistant models tests packaging README.md",
    "LICENSE CHANGELOG.md SECURITY.md Makefile .gitignore .ci",
)
ALLOWED = {name for line in TOP for name in line.split()}
LARGEST = 2 * 1024 * 1024
TAUGHT = "assistant/memory/judge_e5.msgpack"
"""Layers taught here, from lines written here (tests/bench/judging.py): nobody else has them."""
LARGEST_TAUGHT = 13 * 1024 * 1024

# In pieces, so that this file does not contain what it forbids.
REGISTRIES = tuple(
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("anaconda", "org"),
        ("debian", "org"),
        ("ubuntu", "com"),
        ("download", "pytorch", "org"),
        ("abetlen", "github", "io"),
        ("crates", "io"),
        ("conda", "io"),
    )
)


def committed() -> list[str]:
    """What git has, and what it would add; without git, what is there."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        ours = [path for path in ROOT.iterdir() if path.name in ALLOWED]
        files = [file for path in ours for file in (path.rglob("*") if path.is_dir() else [path])]
        listed = [file.relative_to(ROOT).as_posix() for file in files if file.is_file()]
    return [name for name in listed if name and (ROOT / name).is_file()]


def registries_in(text: str) -> list[str]:
    """The package registries a text names."""
    return [host for host in REGISTRIES if host in text.lower()]


def test_the_top_level_has_only_what_the_design_allows():
    assert {name.split("/")[0] for name in committed()} - ALLOWED == set()


def test_what_every_repository_has_is_there():
    files = ("README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "Makefile", ".gitignore")
    assert [
        name for name in (*files, "pyproject.toml", ".ci/run") if not (ROOT / name).is_file()
    ] == []


def test_no_file_is_large():
    large = [name for name in committed() if (ROOT / name).stat().st_size > LARGEST]
    assert large == [TAUGHT]
    assert (ROOT / TAUGHT).stat().st_size < LARGEST_TAUGHT


def test_no_weights_are_committed():
    weights = (".gguf", ".safetensors", ".onnx", ".bin", ".pt", ".whl")
    small = "tests/data/"  # made or cut down for a test
    assert [n for n in committed() if n.endswith(weights) and not n.startswith(small)] == []


def test_no_registry_is_named():
    found = {}
    for name in committed():
        try:
            text = (ROOT / name).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if hosts := registries_in(text):
            found[name] = hosts
    assert found == {}


@pytest.mark.parametrize("host", REGISTRIES)
def test_a_planted_registry_is_caught(host):
    assert registries_in(f"pip install -i https://{host.upper()}/simple") == [host]


def test_packaging_is_no_python_package():
    # With an __init__.py, either would hide the `packaging` library from all that runs here.
    for folder in ("packaging", "tests/packaging"):
        assert not (ROOT / folder / "__init__.py").exists()


def test_the_changelog_starts_with_this_version():
    versions = re.findall(r"(?m)^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert versions[0] == __version__


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text("utf-8")
