# Forked writers count system calls, not style.
# ruff: noqa: PTH
"""Forks writers of one memory and kills each with SIGKILL. `python crash_zygote.py <home> <rounds>`.

A writer first checks that all that was ever acknowledged is there, then writes until it dies.
Acknowledgements go to <home>/acks, one line each, after the call returned.
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
from assistant.types import NewMemory


def acknowledged(path: str) -> tuple[set[str], set[str]]:
    """What must be there, and what must not. An unfinished last line counts as not written."""
    there, gone = set(), set()
    with open(path, encoding="ascii") as file:
        for line in file.read().split("\n")[:-1]:
            what, memory_id = line.split()
            if what == "A":
                there.add(memory_id)
            elif what == "try":
                there.discard(memory_id)  # the delete may or may not have come through
            elif what == "D":
                gone.add(memory_id)
    return there, gone


async def verify(service, acks: str) -> None:
    report = await service.memories.check(full=True)
    assert report["ok"], report
    there, gone = acknowledged(acks)
    rows = service._readers.read(lambda db: {r[0] for r in db.execute("SELECT id FROM memories")})
    assert not there - rows, f"lost {len(there - rows)} of {len(there)}"
    assert not gone & rows, f"{len(gone & rows)} came back"


async def write(home: str) -> None:
    try:
        await _write(home)
    except BaseException as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr, flush=True)
        os._exit(9)


async def _write(home: str) -> None:
    paths = load_paths({"NESTOR_HOME": home})
    service = await open_memory(paths, Settings(embedder="fake", key_store="file"))
    acks = os.path.join(home, "acks")
    await verify(service, acks)
    out = os.open(acks, os.O_WRONLY | os.O_APPEND)
    store = service.memories

    def tell(what: str, memory_id: str) -> None:
        os.write(out, f"{what} {memory_id}\n".encode())

    async def worker(number: int) -> None:
        for n in range(10_000):
            if n % 5 == 4:
                batch = [NewMemory(f"batch {number} {n} {i}") for i in range(5)]
                for row in await store.add_many(batch):
                    tell("A", row.id)
                continue
            row = await store.add(NewMemory(f"worker {number} row {n % 40}", thread="t"))
            tell("A", row.id)
            if n % 3 == 0:
                row = await store.edit(row.id, text=f"worker {number} edited {n}")
                tell("A", row.id)
            if n % 7 == 0:
                tell("try", row.id)
                await store.delete(row.id)
                tell("D", row.id)

    await asyncio.gather(*(worker(number) for number in range(4)))


def main() -> None:
    home, rounds = sys.argv[1], int(sys.argv[2])
    acks = os.path.join(home, "acks")
    os.makedirs(home, exist_ok=True)
    open(acks, "a").close()
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else None)
    for _ in range(rounds):
        size = os.path.getsize(acks)
        writer = os.fork()
        if not writer:
            os.environ["PYTHONWARNINGS"] = ""
            asyncio.run(write(home))
            os._exit(9)
        while os.path.getsize(acks) == size:  # it writes from now on
            ended, status = os.waitpid(writer, os.WNOHANG)
            if ended:
                sys.exit(f"the writer ended by itself with {status}")
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.25))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)


if __name__ == "__main__":
    main()
