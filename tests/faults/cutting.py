"""Opens what power cuts leave: `python -m faults.cutting <recording> <home> <scratch> <cuts> <seed>`.

Prints, as JSON, what was lost, half done or came back, and how long the starts took.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

from faults import cut, inner_child, killing, story

from assistant.errors import AssistantError


async def _after(scratch: Path, record: bytes) -> tuple[float, list[str]]:
    """Open what was found, and compare it with what had been acknowledged by then."""
    begun = time.monotonic()
    truth = story.truth_of(record)
    try:
        service = await killing.opened(scratch)
    except AssistantError as exc:
        # Before the first acknowledgement nothing was promised, but it must not be stuck either.
        return time.monotonic() - begun, [f"refused: {exc.code} {exc.message}"]
    took = time.monotonic() - begun
    try:
        return took, await story.problems(service, truth)
    finally:
        await service.close()


def _lay_out(scratch: Path, home: Path, found: dict[str, bytes]) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    for name, content in found.items():
        path = scratch / Path(name).relative_to(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main() -> None:
    recording, home, scratch = (Path(one) for one in sys.argv[1:4])
    count, seed = int(sys.argv[4]), int(sys.argv[5])
    inner_child.install()
    ops = cut.read(recording.read_bytes())
    record = str(home / "record")
    kinds: Counter[str] = Counter()
    slowest, examples, told = 0.0, [], bytearray()
    done = 0
    for moment, found in cut.cuts(ops, count, random.Random(seed)):
        for op in ops[done:moment]:
            if op.op == cut.Call.WRITE and op.path == record:
                told += op.data
        done = moment
        _lay_out(scratch, home, {p: c for p, c in found.items() if p != record})
        took, problems = asyncio.run(_after(scratch, bytes(told)))
        slowest = max(slowest, took)
        kinds.update({problem.partition(":")[0] for problem in problems})
        examples += [f"after {moment} of {len(ops)}: {problem}" for problem in problems[:2]]
    print(json.dumps({"cuts": count, "calls": len(ops), "acknowledged": told.count(b"\n"),
                      "cuts_with": kinds, "slowest_start_s": round(slowest, 3),
                      "examples": examples[:10]}))  # fmt: skip


if __name__ == "__main__":
    main()
