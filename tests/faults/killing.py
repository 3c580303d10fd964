"""Forks tellers of a memory and kills each: `python -m faults.killing <folder> <rounds> <seed>`.

Each first checks that all that was ever acknowledged is there and nothing is half done, then tells on
until it dies: while it opens, while it writes, while it forgets. Prints what was done as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from faults import inner_child, story

from assistant.config import Settings, load_paths
from assistant.memory.service import open_memory

ROUNDS_A_HOME = 20
"""A fresh memory after so many: each check reads all that was ever said."""
OPENING_SHARE = 0.2
"""Of the kills, those that may come before it has opened."""
LONGEST_S = 0.1


def main() -> None:
    folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    inner_child.install()
    chance = random.Random(seed)
    acknowledged = 0
    for number in range(rounds):
        home = folder / f"home-{number // ROUNDS_A_HOME}"
        home.mkdir(parents=True, exist_ok=True)
        (home / "record").touch()
        _kill_one(home, number, chance)
        if number % ROUNDS_A_HOME == ROUNDS_A_HOME - 1 or number == rounds - 1:
            if _fork(home, None) and os.wait()[1]:
                sys.exit("what the last kill left is not whole")
            acknowledged += story.truth_of((home / "record").read_bytes()).lines
    starts = [float(s) for path in folder.glob("home-*/starts") for s in path.read_text().split()]
    told = {"kills": rounds, "acknowledged": acknowledged, "starts": len(starts),
            "slowest_start_s": max(starts)}  # fmt: skip
    print(json.dumps(told))


def _kill_one(home: Path, number: int, chance: random.Random) -> None:
    record = home / "record"
    size = record.stat().st_size
    teller = _fork(home, number)
    if chance.random() >= OPENING_SHARE:
        while record.stat().st_size == size:  # it tells from now on
            ended, status = os.waitpid(teller, os.WNOHANG)
            if ended:
                sys.exit(f"the teller ended by itself with {status}")
            time.sleep(0.002)
    time.sleep(chance.uniform(0.0, LONGEST_S))
    os.kill(teller, signal.SIGKILL)
    _, status = os.waitpid(teller, 0)
    if not os.WIFSIGNALED(status):
        sys.exit(f"the teller ended by itself with {status}")


def _fork(home: Path, number: int | None) -> int:
    pid = os.fork()
    if not pid:
        _tell(home, number)
    return pid


def _tell(home: Path, number: int | None) -> NoReturn:
    try:
        asyncio.run(_live(home, number))
        os._exit(0)
    except BaseException as exc:
        print(f"{home.name}, round {number}: {type(exc).__name__}: {exc}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(9)


async def _live(home: Path, number: int | None) -> None:
    begun = time.monotonic()
    service = await opened(home)
    with (home / "starts").open("a") as file:
        file.write(f"{time.monotonic() - begun:.3f}\n")
    truth = story.truth_of((home / "record").read_bytes())
    if found := await story.problems(service, truth):
        raise AssertionError("; ".join(found[:5]))
    if number is None:
        await service.close()
    else:
        raise ExceptionGroup(
            "the teller ended",
            await story.Teller(service, str(home / "record"), str(number), number).tell(truth),
        )


async def opened(home: Path) -> Any:
    """The memory of a folder, with its toy embedder inside this process."""
    paths = load_paths({"NESTOR_HOME": str(home)})
    paths.make()
    return await open_memory(paths, Settings(embedder="fake", key_store="file"))


if __name__ == "__main__":
    main()
