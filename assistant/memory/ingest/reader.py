"""The daemon's side of the reading process: documents in, passages out, whatever the process does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

import msgspec

from assistant.config import LIMITS
from assistant.errors import AssistantError, ChildCrashed, ChildStopped
from assistant.memory.ingest.documents import Document, Part
from assistant.memory.ingest.faults import DIED, TOO_BIG, TOO_LONG
from assistant.types import ChildStatus
from assistant.worker import Child
from assistant.worker.supervisor import Timing

IDLE_S = 60.0
"""After so long without a file the process ends; it is back in a third of a second."""
TRIES = 2
"""A process may be killed for reasons that are not the file's."""
_TIMING = Timing(silence=float(LIMITS.source_parse_s), stop=0.5, backoff=0.1, backoff_most=2.0)


class Reader:
    """Reads documents, one after the other; a crash, a bomb or a hang costs the one it happened on."""

    def __init__(self, *, seconds: float = LIMITS.source_parse_s, timing: Timing = _TIMING) -> None:
        self._seconds = seconds
        self._child = Child(
            "reading", "assistant.memory.ingest.reading", idle_unload_s=IDLE_S, timing=timing
        )

    async def read(self, documents: Sequence[Document]) -> AsyncGenerator[tuple[int, Part], None]:
        """Parts of each document with its position, in order; each has exactly one `last` part.

        Raises ChildCrashed only if the process does not start at all, ChildStopped when we end.
        """
        done, tries = 0, 0
        while done < len(documents):
            begun = False
            try:
                async with contextlib.aclosing(self._parts(documents[done:])) as parts:
                    async for part in parts:
                        begun = True
                        yield done, part
                        if part.last:
                            done, tries, begun = done + 1, 0, False
                return
            except TimeoutError:
                await self._child.stop()
                problem = TOO_LONG
            except ChildStopped:
                raise
            except ChildCrashed:
                # Once more, unless some of its passages are out already.
                tries += 1
                if tries < TRIES and not begun:
                    continue
                await self._child.ready()  # raises where the process is at fault, not the file
                problem = DIED
            except AssistantError as exc:
                problem = exc.message
            yield done, Part(last=True, problem=problem)
            done, tries = done + 1, 0

    async def _parts(self, documents: Sequence[Document]) -> AsyncGenerator[Part, None]:
        await self._child.ready()
        payload = [msgspec.structs.asdict(document) for document in documents]
        async with contextlib.aclosing(self._child.stream("read", payload)) as items:
            while True:
                async with asyncio.timeout(self._seconds):
                    item = await anext(items, None)
                if item is None:
                    return
                yield msgspec.convert(item, Part)
                if self._child.status().rss_bytes > LIMITS.source_parse_bytes:
                    await self._child.stop()  # where the system sets no bound (confinement)
                    raise ChildCrashed(TOO_BIG)

    def status(self) -> ChildStatus:
        """The process as seen from here."""
        return self._child.status()

    async def close(self) -> None:
        """End it for good."""
        await self._child.close()
