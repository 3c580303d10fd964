"""Servers under test: started on a free port, asleep while another is measured, ended by their pid."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

THREADS = 2
"""Of every server, ours too."""
_START_S = 90.0
_STOP_S = 20.0


class Unavailable(Exception):
    """A peer cannot be had here. The message says why and what to do."""


class Server:
    """One that answers POST /v1/chat/completions."""

    def __init__(
        self, name: str, port: int, pid: int, headers: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.port = port
        self.headers = dict(headers or {})
        self._process = psutil.Process(pid)

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """While it is measured. See `Peer`."""
        yield

    def cpu_share(self, seconds: float = 1.0) -> float:
        """Share of one core that it and its children use now."""
        before = self._cpu_s()
        time.sleep(seconds)
        return (self._cpu_s() - before) / seconds

    def _cpu_s(self) -> float:
        total = 0.0
        for process in [self._process, *self._process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total


class Peer(Server):
    """Somebody else's. Suspended except in `awake`, so that it cannot cost another's figures anything."""

    def __init__(self, name: str, port: int, child: subprocess.Popen[bytes]) -> None:
        super().__init__(name, port, child.pid)
        self._child = child

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run inside."""
        self._process.resume()
        try:
            yield
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.sleep()

    def sleep(self) -> None:
        """Suspend it until the next `awake`."""
        self._process.suspend()

    def stop(self) -> None:
        """End it; harmless when it is gone."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.resume()
        self._child.terminate()
        try:
            self._child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def start(
    name: str, command: Sequence[str], port: int, log: Path, environ: Mapping[str, str]
) -> Peer:
    """Start a peer and wait until it has its model. Raises Unavailable if it ends or never answers."""
    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=os.environ | dict(environ),
        )
    peer = Peer(name, port, child)
    try:
        _until_up(child, port)
    except BaseException as exc:
        peer.stop()
        if isinstance(exc, Unavailable):
            raise Unavailable(f"{name} {exc}: {_last_line(log)}") from exc
        raise
    return peer


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _until_up(child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise Unavailable(f"ended with {child.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v1/models")
            # llama-server answers 503 while it loads.
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise Unavailable(f"did not answer within {_START_S:.0f} s")


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
