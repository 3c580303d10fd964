# Forked importers, not style.
# ruff: noqa: PTH
"""Forks imports of one file and kills each: `python import_zygote.py <home> <file> <kills> [seed]`.

After each kill a fresh process checks the memory and prints how many memories it has.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from assistant.config import Settings, load_paths
from assistant.memory.service import open_memory


async def start(home: str):
    paths = load_paths({"NESTOR_HOME": home})
    service = await open_memory(paths, Settings(embedder="fake", key_store="file"))
    service.transfers.system = "You are Nestor."
    return service


async def load(home: str, file: str, begun: int) -> None:
    service = await start(home)
    async for step in service.transfers.load(Path(file)):
        if step.get("step") == "store":
            os.write(begun, b".")


async def verify(home: str) -> None:
    service = await start(home)
    report = await service.memories.check(full=True)
    assert report["ok"], report
    print(report["rows"], flush=True)
    await service.close()


def forked(work) -> int:
    child = os.fork()
    if not child:
        try:
            asyncio.run(work)
        except BaseException as exc:
            print(f"{type(exc).__name__}: {exc}", file=sys.stderr, flush=True)
            os._exit(9)
        os._exit(0)
    return child


def main() -> None:
    home, file, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    chance = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else None)
    for _ in range(kills):
        read, write = os.pipe()
        child = forked(load(home, file, write))
        os.close(write)
        os.read(read, 1)  # it stores from now on
        time.sleep(chance.uniform(0.0, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        if os.waitpid(forked(verify(home)), 0)[1]:
            sys.exit("what was left is not whole")


if __name__ == "__main__":
    main()
