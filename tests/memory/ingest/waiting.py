"""What the tests of sources wait for and look at."""

from __future__ import annotations

import asyncio


async def until(check, timeout_s=20.0):
    """Wait until `await check()` is true; its value."""
    async with asyncio.timeout(timeout_s):
        while not (value := await check()):
            await asyncio.sleep(0.02)
    return value


async def in_state(service, source_id, state="ready", timeout_s=20.0):
    """The source, once it is in this state."""

    async def check():
        source = await service.sources.get(source_id)
        return source if source.state == state else None

    return await until(check, timeout_s)


async def added(service, root, **more):
    """A folder, allowed and indexed."""
    source = await service.sources.add(str(root), **more)
    return await in_state(service, source.id)


async def hits(service, query, k=10):
    """What is found for a question, by source and text."""
    return [(hit.source, hit.text) for hit in await service.memories.recall(query, k=k)]


async def texts(service):
    """Every passage that is remembered and holds."""
    return service._readers.read(
        lambda db: [
            row[0]
            for row in db.execute(
                "SELECT text FROM memories WHERE kind = 'chunk' AND valid_to IS NULL ORDER BY seq"
            )
        ]
    )
