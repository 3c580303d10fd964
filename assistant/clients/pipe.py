"""HTTP over a Windows named pipe, which httpx has no transport for.

Whoever listens on the other end has been checked by the daemon's lock file; who asks, by the daemon.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx


class PipeStream(httpcore.NetworkStream):
    """A pipe, opened as an unbuffered file."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, at most so much; empty at the end. A pipe knows no timeout."""
        try:
            return self._file.read(max_bytes) or b""
        except OSError as exc:
            raise httpcore.ReadError(str(exc)) from exc

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of it."""
        left = memoryview(buffer)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as exc:
            raise httpcore.WriteError(str(exc)) from exc

    def close(self) -> None:
        """Hang up."""
        self._file.close()

    def get_extra_info(self, info: str) -> typing.Any:
        """Nothing is known of a pipe."""
        return


class PipeBackend(httpcore.NetworkBackend):
    """Opens pipes where httpcore would open unix sockets."""

    def __init__(self, opener: Callable[[str], Any]) -> None:
        self._open = opener

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """The pipe of this name."""
        try:
            return PipeStream(self._open(path))
        except OSError as exc:
            raise httpcore.ConnectError(str(exc)) from exc


def open_pipe(path: str) -> Any:
    """A pipe for reading and writing."""
    return open(path, "r+b", buffering=0)  # noqa: PTH123 - a pipe is no file of pathlib's


def transport(path: str, opener: Callable[[str], Any] = open_pipe) -> httpx.HTTPTransport:
    """For httpx.Client."""
    made = httpx.HTTPTransport(uds=path, trust_env=False)
    made._pool = httpcore.ConnectionPool(uds=path, network_backend=PipeBackend(opener))
    return made
