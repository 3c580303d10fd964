"""Export and import: rows a second, held against SQLite's own dump and load of the same rows; memory used."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from assistant.config import Settings, load_paths
from assistant.memory.service import MemoryService, open_memory
from assistant.types import NewMemory
from tests.bench.table import Row, ratio

ROWS = 20_000
DIM = 384


def measure(folder: Path, runs: int, rows: int = ROWS) -> list[Row]:
    """Rows of the table. The peer writes no hashes, no words and no encryption, and syncs once."""
    out, back, dump, load, plain = [], [], [], [], []
    file = folder / "life"
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_fill(folder / "from", rows))
    peer = _peer(folder / "peer.db", rows)
    for run in range(runs):
        out.append(asyncio.run(_export(folder / "from", file)))
        dump.append(_dump(peer, folder / "dump.sql"))
        back.append(asyncio.run(_import(folder / f"to{run}", file)))
        load.append(_load(folder / f"peer{run}.db", folder / "dump.sql"))
        plain.append(file.stat().st_size / rows)
    peak = [_peak(folder / f"peak{count}", count) for count in (rows, 4 * rows)]
    return [
        Row("export", "rows/s", [rows / one for one in out], least=5_000, note="with vectors"),
        Row("import", "rows/s", [rows / one for one in back], least=5_000, note="checked first"),
        Row("size of the file", "bytes/row", plain),
        ratio("export: time over that of SQLite's dump", out, dump),
        ratio("import: time over that of SQLite's load", back, load),
        Row("memory that four times the rows take more", "MB", [(peak[1] - peak[0]) / 1e6],
            note=f"peak of an import of {4 * rows:,} over {rows:,} rows; the index of these rows is in it"),
    ]  # fmt: skip


async def _open(home: Path) -> MemoryService:
    logging.getLogger("assistant").setLevel(logging.ERROR)  # it says that no embedder comes
    paths = load_paths({"NESTOR_HOME": str(home)})
    return await open_memory(paths, Settings(embedder="none-yet", key_store="file"))


async def _fill(home: Path, rows: int) -> None:
    service = await _open(home)
    chance, generator = random.Random(1), np.random.default_rng(1)
    for at in range(0, rows, 1_000):
        texts = [_text(chance, at + n) for n in range(1_000)]
        stored = await service.memories.add_many([NewMemory(text, thread="t") for text in texts])
        vectors = generator.standard_normal((1_000, DIM)).astype(np.float16)

        def put(db: Any, stored: Any = stored, vectors: Any = vectors) -> None:
            db.conn.executemany(
                "INSERT OR IGNORE INTO vectors (content_hash, model, dim, vector) "
                "SELECT content_hash, 'm', ?, ? FROM memories WHERE id = ?",
                [(DIM, row.tobytes(), one.id) for one, row in zip(stored, vectors)],
            )

        await service._writer.run(put)
    await service.close()


def _text(chance: random.Random, number: int) -> str:
    words = " ".join(f"word{chance.randrange(20_000)}" for _ in range(12))
    return f"Memory {number}: {words}"


async def _export(home: Path, file: Path) -> float:
    service = await _open(home)
    begun = time.perf_counter()
    with file.open("wb") as out:
        async for piece in service.transfers.export():
            out.write(piece)
    taken = time.perf_counter() - begun
    await service.close()
    return taken


async def _import(home: Path, file: Path) -> float:
    service = await _open(home)
    begun = time.perf_counter()
    async for step in service.transfers.load(file):
        last = step
    taken = time.perf_counter() - begun
    assert last["added"]["memories"] > 0, last
    await service.close()
    return taken


def _peer(path: Path, rows: int) -> Path:
    chance, generator = random.Random(1), np.random.default_rng(1)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE memories (id INTEGER PRIMARY KEY, text TEXT, vector BLOB)")
    vectors = generator.standard_normal((rows, DIM)).astype(np.float16)
    db.executemany(
        "INSERT INTO memories VALUES (?, ?, ?)",
        ((n, _text(chance, n), vectors[n].tobytes()) for n in range(rows)),
    )
    db.commit()
    db.close()
    return path


def _dump(path: Path, out: Path) -> float:
    db = sqlite3.connect(path)
    begun = time.perf_counter()
    with out.open("w") as file:
        file.writelines(f"{line}\n" for line in db.iterdump())
    db.close()
    return time.perf_counter() - begun


def _load(path: Path, dump: Path) -> float:
    db = sqlite3.connect(path)
    begun = time.perf_counter()
    db.executescript(dump.read_text())
    db.close()
    return time.perf_counter() - begun


def _peak(folder: Path, rows: int) -> float:
    """Peak memory, in bytes, of a process that imports so many rows."""
    folder.mkdir(parents=True)
    asyncio.run(_fill(folder / "from", rows))
    file = folder / "life"
    asyncio.run(_export(folder / "from", file))
    command = [sys.executable, "-m", "tests.bench.transfer", str(folder / "to"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return float(done.stdout)


if __name__ == "__main__":
    asyncio.run(_import(Path(sys.argv[1]), Path(sys.argv[2])))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
