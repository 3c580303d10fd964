"""A memory in a folder of its own. The toy embedder unless a test asks for a real one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from assistant.config import Settings, load_paths
from assistant.memory.service import open_memory


@pytest.fixture
def paths(tmp_path):
    made = load_paths({"NESTOR_HOME": str(tmp_path / "home")})
    made.make()
    return made


@pytest.fixture
def memory(paths):
    """`async with memory() as service`: opens the same folder each time."""

    @asynccontextmanager
    async def opened(embedder="fake", **more):
        service = await open_memory(paths, Settings(embedder=embedder, key_store="file"), **more)
        try:
            yield service
        finally:
            await service.close()

    return opened


@pytest.fixture
def settled():
    """Waits until no row waits for its vector."""

    async def wait(service, timeout_s=60.0):
        async with asyncio.timeout(timeout_s):
            while (await service.memories.count()).pending:
                await asyncio.sleep(0.02)

    return wait
