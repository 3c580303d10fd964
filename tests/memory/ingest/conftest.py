"""A memory whose sources are followed, and small files of every format."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from assistant.memory.ingest import watch


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watch, "QUIET_S", 0.05)
    monkeypatch.setattr(watch, "PRESENCE_S", 0.2)


@pytest.fixture
def following(memory):
    """`async with following() as service`: its sources are followed."""

    @asynccontextmanager
    async def opened(**more):
        async with memory(**more) as service:
            await service.sources.start()
            yield service

    return opened


@pytest.fixture
def folder(tmp_path):
    """`folder({"a.md": "text", "b/c.txt": b"bytes"})`: a folder with these files."""

    def make(files, name="Notes"):
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for path, content in files.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return make
