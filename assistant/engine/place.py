"""A place in a model's queue: taken before the first byte goes out, always given back."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from typing import Protocol

from assistant.errors import EngineBusy
from assistant.types import Generated, Priority, Request


class Answering(Protocol):
    """What a place leads to."""

    def stream(
        self, request: Request, priority: Priority, device: str
    ) -> AsyncGenerator[Generated, None]:
        """One Prefilled, what is generated, one Finished."""
        ...


class Queue:
    """Counts who waits or runs. Full is full: the next one hears so at once."""

    def __init__(self, length: int, device_length: int, retry_after_s: float) -> None:
        self._length = length
        self._device_length = device_length
        self._retry_after_s = retry_after_s
        self._devices: Counter[str] = Counter()
        self.taken = 0

    def place(
        self, engine: Answering, priority: Priority = "interactive", device: str = ""
    ) -> Place:
        """A place. Raises EngineBusy with the seconds after which to try again."""
        self.check(device)
        self.taken += 1
        self._devices[device] += 1
        return Place(self, engine, priority, device)

    def check(self, device: str) -> None:
        """Raise EngineBusy if there is no place for this device."""
        if self.taken >= self._length or self._devices[device] >= self._device_length:
            raise EngineBusy(retry_after_s=self._retry_after_s)

    def leave(self, device: str) -> None:
        """Give a place back."""
        self.taken -= 1
        self._devices[device] -= 1
        if not self._devices[device]:
            del self._devices[device]


class Place:
    """See the module."""

    def __init__(self, queue: Queue, engine: Answering, priority: Priority, device: str) -> None:
        self._queue: Queue | None = queue
        self._engine = engine
        self._priority: Priority = priority
        self._device = device

    def stream(self, request: Request) -> AsyncGenerator[Generated, None]:
        """The answer. Closing the generator stops the model."""
        return self._engine.stream(request, self._priority, self._device)

    def release(self) -> None:
        """Leave the queue. Harmless when done twice."""
        if self._queue is not None:
            self._queue.leave(self._device)
            self._queue = None
