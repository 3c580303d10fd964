"""What the process that reads files may do besides thinking: nothing.

It gets bytes through its pipe, so it needs no file of its own. On Unix it cannot open one any more,
nor write, nor start a program: limits that the kernel enforces, native code included (setrlimit(2)).
Memory is bounded where the system can (RLIMIT_AS); elsewhere the daemon watches it.
"""

from __future__ import annotations

import contextlib
import email
import encodings
import importlib
import os
import pkgutil
import sys
import zoneinfo

from assistant.config import LIMITS

_kept: list[zoneinfo.ZoneInfo] = []
"""Alive, so that the library finds them in its cache: their files are out of reach later."""


def preload() -> None:
    """Load what parsers load when they need it. Call before `confine`."""
    for package in (encodings, email):
        for module in pkgutil.iter_modules(package.__path__):
            with contextlib.suppress(ImportError, LookupError):  # some are of one system only
                importlib.import_module(f"{package.__name__}.{module.name}")
    for name in zoneinfo.available_timezones():
        with contextlib.suppress(ValueError, OSError):
            _kept.append(zoneinfo.ZoneInfo(name))


def confine() -> None:
    """No file, no program, no more memory than allowed, and a low priority. Never raises."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(10)
    with contextlib.suppress(ImportError, ValueError, OSError):
        _limit()
    sys.addaudithook(_refuse)


def _limit() -> None:
    import resource

    if sys.platform == "linux":
        most = LIMITS.source_parse_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for what in ("RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_NPROC"):
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, what), (0, 0))


_FORBIDDEN = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
                        "os.remove", "os.rename", "shutil.rmtree", "ctypes.dlopen"})  # fmt: skip


def _refuse(event: str, _args: tuple[object, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError("A process that reads files may do nothing else.")
