"""Open files below an allowed folder, and never through a link out of it."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from assistant.config import LIMITS
from assistant.memory.ingest.faults import NO_ACCESS, SECRET, Unreadable

# Not blocking: a pipe that took the file's place must not hold us up.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FLAGS |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER_FLAGS = _FLAGS | getattr(os, "O_DIRECTORY", 0)
_STEPWISE = os.open in os.supports_dir_fd
_PRIVATE_KEY = b"PRIVATE KEY-----"
_HEAD_BYTES = 8 << 10
_DATED = re.compile(
    rb"From (?:.*\s)?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+"
    rb"(?:\d{1,2}[\s-]+)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[\s-]+"
    rb"([\d\s:,+A-Z()-]*)(?:remote from \S+)?\s*"
)
"""What separates the messages of an mbox file: a sender, and a date at the end."""
_TIME, _YEAR = re.compile(rb"\d:\d\d"), re.compile(rb"\b(?:19|20)\d\d\b")
_UNDATED = re.compile(rb"From (?:-\s*$|.*@|.*\d:\d\d)")
"""Some programs write less; then a head has to follow."""
_HEADER = re.compile(
    rb"(?:Return-Path|Received|Delivered-To|Envelope-To|From|Sender|Reply-To|To|Cc|Date|Subject|Message-ID"
    rb"|In-Reply-To|References|MIME-Version|Status|(?:Content|List|ARC|DKIM|X)-[\w-]+)[ \t]*:",
    re.IGNORECASE,
)
_SEPARATOR_BYTES = 300
_LINE_BYTES = 1 << 20


class Missing(Unreadable):
    """The file is not there any more."""


def open_below(root: Path, relative: str) -> BinaryIO:
    """The file, if each step on the way is a plain folder and it is a plain file.

    `relative` empty: `root` itself. Raises Missing or Unreadable.
    """
    if relative and not all(part.strip(".") for part in relative.split("/")):
        raise Unreadable("It is no path below the folder.")
    try:
        descriptor = _step_by_step(root, relative) if _STEPWISE else _resolved(root, relative)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise Missing("It is gone.") from exc
    except PermissionError as exc:
        raise Unreadable(NO_ACCESS) from exc
    except OSError as exc:
        link = exc.errno in (errno.ELOOP, errno.EMLINK)
        raise Unreadable("It became a link." if link else "The disk could not read it.") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable("It is no plain file.")
    return os.fdopen(descriptor, "rb")


def _step_by_step(root: Path, relative: str) -> int:
    if not relative:
        return os.open(root, _FLAGS)
    *folders, name = relative.split("/")
    at = os.open(root, _FOLDER_FLAGS)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER_FLAGS, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _FLAGS, dir_fd=at)
    finally:
        os.close(at)


def _resolved(root: Path, relative: str) -> int:
    path = root / relative if relative else root
    if path.resolve() != root.resolve() / relative:
        raise OSError(errno.ELOOP, "link")
    return os.open(path, _FLAGS)


def read_whole(file: BinaryIO) -> bytes:
    """All its bytes. Raises Unreadable where they are too many, or a private key is at their beginning."""
    data = file.read(LIMITS.source_file_bytes + 1)
    if len(data) > LIMITS.source_file_bytes:
        raise Unreadable("It is too large.")
    if _PRIVATE_KEY in data[:_HEAD_BYTES]:
        raise Unreadable(SECRET)
    return data


def hash_of(file: BinaryIO) -> bytes:
    """The sha256 of a whole file; it stands at its beginning afterwards."""
    digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
    file.seek(0)
    return digest


def messages(file: BinaryIO) -> Iterator[bytes]:
    """The messages of an mbox file (RFC 4155), each at most `source_file_bytes` of it."""
    held: list[bytes] = []
    size = 0
    blank = first = True
    line = file.readline(_LINE_BYTES)
    while line:
        following = file.readline(_LINE_BYTES)
        if blank and line.startswith(b"From ") and (first or _separates(line, following)):
            if held:
                yield b"".join(held)
            held, size = [], 0
        elif size + len(line) <= LIMITS.source_file_bytes:
            # mboxrd: one `>` was put before lines that would begin a message.
            held.append(
                line[1:] if line.lstrip(b">").startswith(b"From ") and line[:1] == b">" else line
            )
            size += len(line)
        blank, first = line in (b"\n", b"\r\n"), False
        line = following
    if held:
        yield b"".join(held)


def _separates(line: bytes, following: bytes) -> bool:
    """Whether a line that begins with `From ` begins a message, and not a sentence."""
    if len(line) > _SEPARATOR_BYTES:
        return False
    dated = _DATED.fullmatch(line)
    if dated and _TIME.search(dated[1]) and _YEAR.search(dated[1]):
        return True
    return _UNDATED.match(line) is not None and _HEADER.match(following) is not None


def device_of(path: Path) -> tuple[int, int]:
    """Device and inode of a folder or file, by which a drive that is away is told. Raises OSError."""
    found = path.stat()
    return _signed(found.st_dev), _signed(found.st_ino)


def _signed(number: int) -> int:
    """As SQLite can keep it: Windows has 64 bits, unsigned."""
    return number - (1 << 64) if number >= 1 << 63 else number
