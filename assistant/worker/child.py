"""The child's side: take calls from a pipe, answer them, and end when the daemon does."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

from assistant.errors import AssistantError, Internal
from assistant.worker import frames, sandbox

Handler = Callable[["Call"], Iterable[Any]]


class Call:
    """One request, as its handler sees it. Items may be sent from any thread."""

    def __init__(self, request: frames.Request, send: Callable[[frames.Frame], None]) -> None:
        self.method = request.method
        self.payload = request.payload
        self._number = request.call
        self._send = send
        self._cancelled = threading.Event()
        self._on_cancel: Callable[[], None] | None = None
        self._lock = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether the caller left."""
        return self._cancelled.is_set()

    def on_cancel(self, action: Callable[[], None] | None) -> None:
        """Run `action` on the pipe's thread as soon as the caller leaves; at once if it has left.

        After `on_cancel(None)` returns, no action runs any more: what comes next is not stopped by it.
        """
        with self._lock:
            self._on_cancel = action
            if action is not None and self.cancelled:
                action()

    def cancel(self) -> None:
        """The caller left."""
        with self._lock:
            self._cancelled.set()
            if self._on_cancel is not None:
                self._on_cancel()

    def send(self, payload: Any) -> None:
        """One piece of the answer."""
        self._send(frames.Item(self._number, payload))

    def end(self) -> None:
        """The answer is complete."""
        self._send(frames.End(self._number))

    def fail(self, error: AssistantError) -> None:
        """The call failed."""
        self._send(frames.Fault(self._number, error.code, error.message, error.hint))


class Sink:
    """The way out. What is held leaves in one piece: one wake-up for the daemon, not many."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._held: list[bytes] | None = None

    def send(self, frame: frames.Frame) -> None:
        """One frame; ends the process if the daemon is gone. From any thread."""
        data = frames.pack(frame)
        with self._lock:
            # A step may take longer than a child may be silent: heartbeats are never held back.
            if self._held is not None and not isinstance(frame, frames.Beat):
                self._held.append(data)
            else:
                self._write(data)

    def hold(self) -> None:
        """Keep what is sent, until `release`. Harmless when done twice."""
        with self._lock:
            if self._held is None:
                self._held = []

    def release(self) -> None:
        """Let go what was held."""
        with self._lock:
            held, self._held = self._held, None
            if held:
                self._write(b"".join(held))

    def _write(self, data: bytes) -> None:
        try:
            self._stream.write(data)
            self._stream.flush()
        except OSError:
            os._exit(0)


class Inbox:
    """The calls that arrived, in order. The reading thread fills it; one owner empties it."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()

    def put(self, call: Call) -> None:
        """Append a call."""
        self._calls.put(call)

    def get(self, timeout: float | None = None) -> Call | None:
        """The next call; None after `timeout` seconds without one."""
        try:
            return self._calls.get(timeout=timeout)
        except queue.Empty:
            return None


def serial(handlers: Mapping[str, Handler]) -> Callable[[Inbox], None]:
    """A loop that answers one call after the other on the main thread, which owns what they use."""

    def run(inbox: Inbox) -> None:
        while (call := inbox.get()) is not None:
            answer(call, handlers)

    return run


def answer(call: Call, handlers: Mapping[str, Handler]) -> None:
    """Run a call's handler to its end, whatever it raises."""
    try:
        if call.cancelled:
            return call.end()
        if call.method not in handlers:
            raise Internal(f"This helper process has no method {call.method!r}.")
        for item in handlers[call.method](call):
            call.send(item)
        call.end()
    except AssistantError as exc:
        call.fail(exc)
    except Exception as exc:  # noqa: BLE001 - a handler's surprise fails its call, not the child
        print(f"{call.method}: {type(exc).__name__}", file=sys.stderr, flush=True)  # noqa: T201
        call.fail(Internal(f"A helper process failed with {type(exc).__name__}."))
    return None


def serve(run: Callable[[Inbox], None], report: Callable[[], dict[str, Any]] = dict) -> None:
    """Run a child until its daemon goes. Call from `if __name__ == "__main__"`, before heavy imports.

    `run` gets the inbox on the main thread; what `report` gives goes with each heartbeat. Standard
    output is not ours to print on: native libraries do, so the frames move to descriptors of their
    own and 1 becomes 2.
    """
    source, stream = _take_pipes()
    sandbox.enter()
    sink = Sink(stream)
    send = sink.send
    inbox = Inbox(sink)
    threading.Thread(target=_read, args=(source, inbox, send), daemon=True).start()
    threading.Thread(target=_beat, args=(send, report), daemon=True).start()
    send(frames.Beat(rss_bytes(), report()))
    send(frames.Ready(os.getpid()))
    run(inbox)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return source, sink


def _read(source: BinaryIO, inbox: Inbox, send: Callable[[frames.Frame], None]) -> None:
    live: dict[int, Call] = {}

    def send_last(frame: frames.Frame) -> None:
        if isinstance(frame, frames.End | frames.Fault):
            live.pop(frame.call, None)
        send(frame)

    try:
        while (frame := frames.read(source)) is not None:
            if isinstance(frame, frames.Request):
                live[frame.call] = call = Call(frame, send_last)
                inbox.put(call)
            elif isinstance(frame, frames.Cancel) and (known := live.get(frame.call)):
                known.cancel()
    finally:
        os._exit(0)


def _beat(send: Callable[[frames.Frame], None], report: Callable[[], dict[str, Any]]) -> None:
    pause = threading.Event()
    told: dict[str, Any] = {}
    while True:
        pause.wait(frames.BEAT_S)
        try:
            told = report()
        except Exception as exc:  # noqa: BLE001 - a child without a heartbeat would be killed
            print(f"report: {type(exc).__name__}", file=sys.stderr, flush=True)  # noqa: T201
        send(frames.Beat(rss_bytes(), told))


def rss_bytes() -> int:
    """Bytes of memory this process holds; its peak where the system does not tell the present."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read every second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _peak_bytes()


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
