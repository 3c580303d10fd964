"""Records a telling: `python -m faults.recording <home> <rounds> <seed> [synchronous]`.

Runs under disk.c with DISK_LOG. The record of what was acknowledged is a file on that disk too, so
that the recording has acknowledgements and writes in their true order.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from faults import inner_child, killing, story

from assistant.memory import database


async def _main(home: Path, rounds: int, seed: int) -> None:
    for part in range(2):  # the second opens what the first has closed
        service = await killing.opened(home)
        record = home / "record"
        truth = story.truth_of(record.read_bytes() if record.exists() else b"")
        teller = story.Teller(service, str(record), str(part), seed + part)
        if failures := await teller.tell(truth, rounds=rounds):
            raise failures[0]
        if not part:
            await service.close()


if __name__ == "__main__":
    inner_child.install()
    if len(sys.argv) > 4:
        database._WRITER = database._WRITER | {"synchronous": sys.argv[4]}
        database._assert_writer = lambda connection: None
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    # Not closed at the end: the last cuts fall while the log is full.
