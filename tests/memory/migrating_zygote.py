# Forked migrators count system calls, not style.
# ruff: noqa: PTH
"""Kills a process 20 times while it migrates. `python migrating_zygote.py <home> <kills> <seed>`.

The file in <home> is of the first schema. Besides the real steps there are slow ones that rewrite
every row, so that kills fall into copies, steps, and between them. Prints, as JSON, after which step
each kill came (0: none was done).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import time

from assistant.config import Settings, load_paths
from assistant.memory import copies, database, keys, migrations
from assistant.memory.service import open_memory

SLOW = range(901, 907)


def add_slow_steps() -> None:
    """m901 …: each rewrites all rows, one statement a row."""
    for number in SLOW:

        def step(db, number=number):
            db.execute(f"ALTER TABLE memories ADD COLUMN extra{number} TEXT")
            for (seq,) in db.execute("SELECT seq FROM memories").fetchall():
                db.execute(f"UPDATE memories SET extra{number} = text WHERE seq = ?", [seq])

        migrations.steps(name=f"m{number:03}_slow")(step)


async def migrate(paths, announce: int) -> None:
    os.write(announce, b"m")
    service = await open_memory(paths, Settings(embedder="fake", key_store="file"))
    await service.close()


def done(paths) -> int:
    """The last step that is in the file; the file must be whole."""
    key = keys.find_key(paths, "file")
    db = database.connect(paths.database, key)
    schema = migrations.schema(db)
    assert [row[0] for row in db.execute("PRAGMA integrity_check")] == ["ok"]
    assert not db.execute("PRAGMA cipher_integrity_check").fetchall()
    for number in SLOW:
        there = f"extra{number}" in {c.name for c in db["memories"].columns}
        assert there == (number <= schema), "a step is half done"
        if there:
            sql = f"SELECT count(*) FROM memories WHERE extra{number} IS NOT text"
            assert db.execute(sql).fetchone()[0] == 0
    db.close()
    return schema


def main() -> None:
    home, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    paths = load_paths({"NESTOR_HOME": home})
    original = paths.data / "original"
    shutil.copy(paths.database, original)
    add_slow_steps()
    last = SLOW[-1]
    chance = random.Random(seed)
    seen = []
    longest = 0.0
    while len(seen) < kills:
        reading, writing = os.pipe()
        begun = time.monotonic()
        child = os.fork()
        if not child:
            asyncio.run(migrate(paths, writing))
            os._exit(0)
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        # The first goes to the end, to see how long that takes.
        if longest:
            time.sleep(chance.uniform(0, longest / 2))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        longest = longest or time.monotonic() - begun
        assert status in (0, signal.SIGKILL), status
        schema = done(paths)
        if status == signal.SIGKILL:
            seen.append(schema)
        if schema == last:
            for path in paths.data.glob("memory.db*"):
                path.unlink()
            shutil.copy(original, paths.database)
    asyncio.run(migrate(paths, os.open(os.devnull, os.O_WRONLY)))
    assert done(paths) == last
    rows = copies.look(paths.database, keys.find_key(paths, "file")).rows
    print(json.dumps({"killed_after": seen, "rows": rows, "last": last}))


if __name__ == "__main__":
    main()
