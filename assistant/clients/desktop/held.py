"""What was to be remembered while no daemon could be reached: held in this program's memory, never on disk.

The disk would hold it as it is: the key that memories are encrypted with is the daemon's alone.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from assistant.clients.http import Client
from assistant.config import LIMITS, Paths
from assistant.errors import AssistantError, EngineBusy, Internal, Stopped, Unreachable

log = logging.getLogger(__name__)

PATH = "/api/v1/captures"
AGAIN_S = 2.0
"""Between two looks whether a daemon runs."""
_LATER = (Unreachable, Stopped, EngineBusy)

Body = dict[str, Any]


class Held:
    """First in, first out, from any thread. Each has an id, so that what is sent twice is stored once.

    `sent` is called for each that was stored after all, `refused` for one that the daemon does not take.
    """

    def __init__(
        self,
        paths: Paths,
        sent: Callable[[Body], object],
        refused: Callable[[Body, AssistantError], object],
    ) -> None:
        self._paths, self._sent, self._refused = paths, sent, refused
        self._bodies: deque[Body] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._bodies)

    def send(self, body: Body) -> bool:
        """Store it now, or else as soon as may be; whether it was stored now.

        Raises what the daemon says against it, and Unreachable if it can be neither stored nor held.
        """
        if self._bodies:  # its own first part may be among them
            self._hold(body)
            return False
        try:
            _post(self._paths, body)
        except _LATER:
            self._hold(body)
            return False
        return True

    def look(self) -> None:
        """A daemon may run now."""
        self._wake.set()

    def _hold(self, body: Body) -> None:
        with self._lock:
            if len(self._bodies) >= LIMITS.held_captures:
                raise Unreachable(_FULL)
            self._bodies.append(body)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="held", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wake.wait(AGAIN_S)
            self._wake.clear()
            self._send_all()
            with self._lock:
                if not self._bodies:
                    self._thread = None
                    return

    def _send_all(self) -> None:
        while self._bodies:
            body = self._bodies[0]
            try:
                _post(self._paths, body)
            except _LATER:
                return
            except AssistantError as exc:
                self._tell(self._refused, body, exc)
            except Exception as exc:  # noqa: BLE001 - a fault of ours must not hold up all that come after
                log.error("what was held could not be sent: %s", type(exc).__name__)  # noqa: TRY400
                self._tell(self._refused, body, Internal())
            else:
                self._tell(self._sent, body)
            self._bodies.popleft()

    def _tell(self, listener: Callable[..., object], *what: object) -> None:
        try:
            listener(*what)
        except Exception as exc:  # noqa: BLE001 - it is sent or refused all the same
            log.error("a notification failed: %s", type(exc).__name__)  # noqa: TRY400


def _post(paths: Paths, body: Body) -> None:
    with Client.to(paths) as client:
        client.post(PATH, body)


_FULL = "Nestor is not running, and no more is held here until it does."
