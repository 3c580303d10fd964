"""A disk that fails at the n-th call, for many n: `python -m faults.failing <folder> <points> <fault>`.

Runs under disk.c. While the disk fails, what is told ends with an error of ours or is done; what can
be read is right; and when it works again, or after a restart, nothing acknowledged is gone and
nothing is half there. Prints counts as JSON.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from faults import inner_child, killing, story
from faults.cut import Call

from assistant.errors import AssistantError
from assistant.types import NewMemory

DISK = ctypes.CDLL(None)
FOREVER = -1


class Fault(NamedTuple):
    """Which calls fail, and how."""

    call: Call
    error: int


FAULTS = {
    "full": Fault(Call.WRITE, errno.ENOSPC),
    "write": Fault(Call.WRITE, errno.EIO),
    "sync": Fault(Call.SYNC, errno.EIO),
    "truncate": Fault(Call.TRUNCATE, errno.EIO),
    "read": Fault(Call.READ, errno.EIO),
    "create": Fault(Call.CREATE, errno.ENOSPC),
}
ROUNDS = 3


class Run:
    """One fault at many points."""

    def __init__(self, folder: Path, fault: Fault) -> None:
        self._seeded, self._home = folder / "disk/seed", folder / "disk/home"
        # Not on the disk that fails.
        self._first, self._record = folder / "first", folder / "record"
        self._fault = fault
        self.errors: Counter[str] = Counter()
        self.problems: list[str] = []
        self.again = 0
        """Points after which writing went on without a restart."""

    async def all(self, points: int) -> int:
        """Try `points` of the calls that opening, telling and closing make; how many there are."""
        await self._seed()
        before = DISK.disk_calls(self._fault.call)
        await self._try(None)
        calls = DISK.disk_calls(self._fault.call) - before
        points = min(points, calls)
        for n in range(points):
            await self._try(n * calls // points)
        return calls

    async def _seed(self) -> None:
        """A memory with something in it, closed."""
        service = await killing.opened(self._seeded)
        teller = story.Teller(service, str(self._first), "0", 0)
        if failures := await teller.tell(story.Truth(), rounds=6):
            raise failures[0]
        await service.memories.add(NewMemory("The lighthouse keeper is Marguerite"))
        await service.close()

    async def _try(self, after: int | None) -> None:
        shutil.rmtree(self._home, ignore_errors=True)
        shutil.copytree(self._seeded, self._home)
        shutil.copyfile(self._first, self._record)
        if after is not None:
            DISK.disk_fail(self._fault.call, self._fault.error, after, FOREVER)
        try:
            await self._live()
        finally:
            DISK.disk_fail(0, 0, 0, 0)
        service = await killing.opened(self._home)
        found = await story.problems(service, self._truth())
        await service.close()
        self.problems += [f"call {after}: {one}" for one in found]

    async def _live(self) -> None:
        try:
            service = await killing.opened(self._home)
        except AssistantError as exc:
            self.errors[f"opening: {exc.code}"] += 1
            return
        teller = story.Teller(service, str(self._record), "1", 1)
        failures = await teller.tell(self._truth(), rounds=ROUNDS)
        for failure in failures:
            if not isinstance(failure, AssistantError):
                raise failure
            self.errors[failure.code] += 1
        await self._read(service)
        DISK.disk_fail(0, 0, 0, 0)
        if failures:
            await self._go_on(service)
        await service.close()

    async def _read(self, service: Any) -> None:
        """While the disk fails: the right answer, or an error of ours."""
        try:
            found = await service.memories.recall("Who is the lighthouse keeper?", k=1)
        except AssistantError as exc:
            self.errors[f"reading: {exc.code}"] += 1
            return
        if [one.text for one in found] != ["The lighthouse keeper is Marguerite"]:
            self.problems.append("a wrong answer")

    def _truth(self) -> story.Truth:
        return story.truth_of(self._record.read_bytes())

    async def _go_on(self, service: Any) -> None:
        try:
            added = await service.memories.add(NewMemory("It goes on"))
        except AssistantError as exc:
            self.errors[f"afterwards: {exc.code}"] += 1
        else:
            self.again += 1
            if (await service.memories.get(added.id)).text != "It goes on":
                self.problems.append("a wrong row")


def main() -> None:
    folder, points, fault = Path(sys.argv[1]), int(sys.argv[2]), FAULTS[sys.argv[3]]
    inner_child.install()
    run = Run(folder, fault)
    calls = asyncio.run(run.all(points))
    print(json.dumps({"calls": calls, "points": points, "errors": run.errors,
                      "again": run.again, "problems": run.problems[:20]}))  # fmt: skip


if __name__ == "__main__":
    main()
