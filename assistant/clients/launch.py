"""Start and stop the daemon as a background process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from assistant.clients.http import Client
from assistant.config import Paths
from assistant.errors import AssistantError, Unreachable
from assistant.instance import EXIT_ALREADY_RUNNING, Running, find

START_S = 30.0
STOP_S = 15.0
_PAUSE_S = 0.05


def start(paths: Paths, flags: Sequence[str] = ()) -> Running:
    """Start a daemon, unless one runs, and wait until it answers.

    Raises Unreachable with what the daemon said if it ended instead.
    """
    running = find(paths.lock)
    if running is None:
        running = _start(paths, flags)
    return running


def stop(paths: Paths) -> Running | None:
    """Tell the daemon to end and wait until it has. None if none ran. Raises Unreachable."""
    running = find(paths.lock)
    if running is None:
        return None
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while find(paths.lock) is not None:
        if time.monotonic() > deadline:
            raise Unreachable(f"The daemon (pid {running.pid}) did not stop in {STOP_S:.0f} s.")
        time.sleep(_PAUSE_S)
    return running


def _start(paths: Paths, flags: Sequence[str]) -> Running:
    paths.make()
    said = paths.state / "start.log"
    # -P: a file of the current folder must not stand in for a module of ours.
    command = [sys.executable, "-P", "-m", "assistant", "up", *flags]
    detached = (
        {"creationflags": 0x00000208}  # DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    with os.fdopen(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **detached
        )
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        running = find(paths.lock)
        if running is not None and _healthy(paths):
            return running
        # Another program may have started one at the same moment: then that one is ours too.
        if process.poll() not in (None, EXIT_ALREADY_RUNNING):
            raise _reason(said.read_text("utf-8", "replace"))
        time.sleep(_PAUSE_S)
    raise Unreachable(f"The daemon did not answer within {START_S:.0f} s.")


def _healthy(paths: Paths) -> bool:
    try:
        with Client.to(paths) as client:
            return bool(client.health()["state"] != "starting")
    except AssistantError:
        return False


def _reason(said: str) -> Unreachable:
    """What the daemon printed before it ended: `Error: message`, and a hint below."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if line.startswith("Error: ")), None)
    if at is None:
        return Unreachable("The daemon ended at once.", "Run `nestor up` to see why.")
    return Unreachable(lines[at].removeprefix("Error: "), " ".join(lines[at + 1 : at + 2]))
