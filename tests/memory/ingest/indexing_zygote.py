"""Indexes one folder and dies at a random moment, again and again.

`python indexing_zygote.py <home> <folder> <kills>`

Each child opens the memory, which goes on with what was interrupted; the parent kills it with SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time

from assistant.config import Settings, load_paths
from assistant.memory.service import open_memory


async def index(home: str, folder: str) -> None:
    paths = load_paths({"NESTOR_HOME": home})
    paths.make()
    service = await open_memory(paths, Settings(embedder="fake", key_store="file"))
    if not await service.sources.list():
        await service.sources.add(folder)
    await service.sources.start()
    while (await service.sources.list())[0].state != "ready":
        await asyncio.sleep(0.01)
    os._exit(0)


def main() -> None:
    home, folder, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    chance = random.Random(11)
    for _ in range(kills):
        pid = os.fork()
        if pid == 0:
            asyncio.run(index(home, folder))
        time.sleep(chance.uniform(0.35, 0.75))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print("done" if os.WIFEXITED(status) else "killed", flush=True)


if __name__ == "__main__":
    main()
