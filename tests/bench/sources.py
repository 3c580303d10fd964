"""Folder sources: files and megabytes a second without vectors, the daemon's memory, a change noticed.

Everything is parsed, cut, stored durably and found by words; the floor in the same run is this machine
reading and hashing the same files.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.progress import say
from tests.bench.table import Row
from tests.running import RunningDaemon

FILES, CHANGES = 10_000, 10
MOST_GROWTH_MB = 300.0
MOST_NOTICED_S = 2.0
_WORDS = 4_000


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row; always one pass over the files, whatever `runs` is. About 2 minutes."""
    del runs, series
    folder = home / "files"
    size = generate(folder, FILES)
    begun = time.perf_counter()
    for path in folder.rglob("*.*"):
        hashlib.sha256(path.read_bytes()).digest()
    floor = time.perf_counter() - begun
    # An embedder that is none: rows wait for their vectors and words find them.
    with _daemon(home / "home") as daemon:
        yield from _index(daemon, folder, size, floor)
        yield from _notice(daemon, folder)


def generate(folder: Path, count: int) -> int:
    """A tree of text, Markdown, HTML and code, about 3 kB each; its bytes."""
    chance = random.Random(5)
    words = [
        "".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(3, 9)))
        for _ in range(_WORDS)
    ]
    total = 0
    for number in range(count):
        place = folder / f"d{number % 97}"
        place.mkdir(parents=True, exist_ok=True)
        parts = [" ".join(chance.choices(words, k=60)) + "." for _ in range(chance.randint(2, 14))]
        kind = ("md", "txt", "html", "py")[number % 4]
        text = _written(kind, parts)
        total += len(text)
        (place / f"f{number}.{kind}").write_text(text)
    return total


def _written(kind: str, parts: list[str]) -> str:
    if kind == "md":
        return "\n\n".join(f"## {part[:20]}\n\n{part}" for part in parts)
    if kind == "html":
        return (
            "<html><body>"
            + "".join(f"<h2>{p[:20]}</h2><p>{p}</p>" for p in parts)
            + "</body></html>"
        )
    if kind == "py":
        return "\n\n\n".join(f'def {part.split()[0]}():\n    """{part}"""' for part in parts)
    return "\n\n".join(parts)


class _daemon:
    def __init__(self, home: Path) -> None:
        self._daemon = RunningDaemon(home, env={"NESTOR_EMBEDDER": "none"})

    def __enter__(self) -> RunningDaemon:
        return self._daemon.up()

    def __exit__(self, *_: object) -> None:
        self._daemon.stop()


def _index(daemon: RunningDaemon, folder: Path, size: int, floor: float) -> Iterator[Row]:
    before = _rss(daemon)
    begun = time.perf_counter()
    source = daemon.api.post("/api/v1/sources", json={"path": str(folder)}).json()
    most = before
    while True:
        time.sleep(0.2)
        found = daemon.api.get(f"/api/v1/sources/{source['id']}").json()
        most = max(most, _rss(daemon))
        if found["state"] == "ready":
            break
    took = time.perf_counter() - begun
    say(f"{FILES} files in {took:.1f} s, {found['chunks']} passages")
    note = f"{size / 1e6:.0f} MB, {found['chunks']} passages, {found['failed']} failed"
    yield Row("files indexed, without vectors", "files/s", [FILES / took], note=note)
    yield Row("the same in bytes", "MB/s", [size / 1e6 / took])
    yield Row("passages stored", "rows/s", [found["chunks"] / took])
    yield Row("time of indexing, of reading and hashing alone", "×", [took / floor])
    yield Row("RSS of the daemon, growth at most", "MB", [most - before], most=MOST_GROWTH_MB,
              note=f"from {before:.0f} MB; sampled five times a second")  # fmt: skip


def _notice(daemon: RunningDaemon, folder: Path) -> Iterator[Row]:
    noticed = []
    for number in range(CHANGES):
        word = f"zeppelin{number}"
        (folder / f"d{number}" / "new.txt").write_text(f"the {word} lands")
        begun = time.perf_counter()
        body = {"query": word, "k": 1}
        while True:
            items = daemon.api.post("/api/v1/memories/search", json=body).json()["items"]
            if items and word in items[0]["text"]:
                break
            time.sleep(0.02)
        noticed.append(time.perf_counter() - begun)
    yield Row(f"a new file among {FILES} is found after", "s", noticed, most=MOST_NOTICED_S)


def _rss(daemon: RunningDaemon) -> float:
    return daemon.api.get("/api/v1/status").json()["rss_bytes"] / 1e6
