"""The daemon's side of a child: start it when needed, stream its answers, restart it when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from assistant.errors import AssistantError, ChildCrashed, ChildStopped, revive
from assistant.types import ChildStatus
from assistant.worker import frames, sandbox

log = logging.getLogger(__name__)

_END = object()
_READ_BYTES = 1 << 18
_Answer = asyncio.Queue[Any]


class Timing(msgspec.Struct, frozen=True):
    """Seconds. Tests shorten them."""

    start: float = 60.0
    """From process start to Ready: heavy imports come later, so this is generous."""
    silence: float = 20.0
    """Without a heartbeat for this long, a child hangs and is killed."""
    farewell: float = 4.0
    """For what a child has to do before it is stopped."""
    stop: float = 2.0
    """From closing its pipe to killing it."""
    backoff: float = 0.5
    """Pause before the second start in a row that ended in a crash; doubled each time."""
    backoff_most: float = 30.0


class Child:
    """One supervised process. It starts on the first call and may be stopped at any time.

    `prepare` runs after every start, before the first call gets through (a model is loaded there).
    Every method must be called on the event loop the child was first used on.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        arguments: Sequence[str] = (),
        idle_unload_s: float = 0.0,
        timing: Timing | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.idle_unload_s = idle_unload_s
        self.prepare: Callable[[], Awaitable[None]] | None = None
        # -P: a file of the current folder must not stand in for a module of ours.
        self._command = (sys.executable, "-P", "-m", module, *arguments)
        self._environment = environment or {}
        self._timing = timing or Timing()
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[int, _Answer] = {}
        self._numbers = itertools.count(1)
        self._preparing: asyncio.Task[None] | None = None
        self._prepared = False
        self._closed = False
        self._rss_bytes = 0
        self.report: dict[str, Any] = {}
        """What came with its last heartbeat."""
        self.farewell: Callable[[], Awaitable[None]] | None = None
        """Runs before it is stopped on purpose, for `Timing.farewell` seconds at most."""
        self._starts = 0
        self._crashes = 0
        self._crashes_in_a_row = 0
        self._crashed_at = 0.0
        self._heard_at = 0.0
        self._used_at = 0.0
        self._asked = 0

    # --- calls ---------------------------------------------------------------------------

    async def stream(self, method: str, payload: Any = None) -> AsyncGenerator[Any, None]:
        """Call `method` and yield the items of its answer.

        Closing the generator cancels the call in the child. Raises the AssistantError the child
        raised, or ChildCrashed if it died (at most once per death, at the death).
        """
        await self.ready()
        async with contextlib.aclosing(self._call(method, payload)) as items:
            async for item in items:
                yield item

    async def call(self, method: str, payload: Any = None) -> Any:
        """Call `method` and return its last item, None if there was none. Raises as `stream`."""
        last = None
        async with contextlib.aclosing(self.stream(method, payload)) as items:
            async for item in items:
                last = item
        return last

    async def call_unprepared(self, method: str, payload: Any = None) -> Any:
        """For `prepare` itself: start the process if need be, but do not wait for `prepare`."""
        await self._start()
        last = None
        async with contextlib.aclosing(self._call(method, payload)) as items:
            async for item in items:
                last = item
        return last

    async def ready(self) -> None:
        """Start and prepare the child if it is not. Raises ChildCrashed, or what `prepare` raises."""
        self._used_at = time.monotonic()
        self._asked += 1
        if self._process is not None and self._prepared:
            return
        # One task for all who wait: whoever leaves takes nothing from the others.
        if self._preparing is None:
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())
            self._preparing.add_done_callback(self._prepared_or_not)
        preparing = self._preparing
        try:
            await asyncio.shield(preparing)
        except asyncio.CancelledError:
            if self._closed and preparing.cancelled():
                raise ChildStopped("The daemon is stopping.") from None
            raise

    async def _prepare(self) -> None:
        await self._start()
        if self.prepare is not None:
            await self.prepare()
        if self._process is None:
            raise ChildStopped
        self._prepared = True

    def _prepared_or_not(self, task: asyncio.Task[None]) -> None:
        self._preparing = None
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have

    async def _call(self, method: str, payload: Any) -> AsyncGenerator[Any, None]:
        number = next(self._numbers)
        answer: _Answer = asyncio.Queue()
        self._answers[number] = answer
        try:
            self._write(frames.Request(number, method, payload))
            while (item := await answer.get()) is not _END:
                if isinstance(item, AssistantError):
                    raise item
                yield item
            self._crashes_in_a_row = 0
        finally:
            if self._answers.pop(number, None) is not None and self._process is not None:
                with contextlib.suppress(ChildCrashed):
                    self._write(frames.Cancel(number))
            self._used_at = time.monotonic()

    def _write(self, frame: frames.Frame) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            raise ChildCrashed
        process.stdin.write(frames.pack(frame))

    # --- life ----------------------------------------------------------------------------

    def status(self) -> ChildStatus:
        """What it is doing, as far as the daemon knows."""
        if self._process is None:
            state = "crashed" if self._crashes_in_a_row else "stopped"
        else:
            state = "running" if self._prepared else "starting"
        return ChildStatus(
            name=self.name,
            state=state,  # type: ignore[arg-type]
            pid=self._process.pid if self._process else None,
            rss_bytes=self._rss_bytes if self._process else 0,
            starts=self._starts,
            crashes=self._crashes,
        )

    @property
    def closed(self) -> bool:
        """Whether it was stopped for good."""
        return self._closed

    async def stop(self) -> None:
        """End the process: close its pipe, then kill it. Calls under way fail. It may start again."""
        await self._say_farewell()
        await self._end()

    async def stop_if_idle(self) -> bool:
        """As `stop`, unless something was asked of it meanwhile; whether it was stopped."""
        before = self._asked
        await self._say_farewell()
        if self._answers or self._asked != before:
            return False
        await self._end()
        return True

    async def _end(self) -> None:
        process, self._process, self._prepared = self._process, None, False
        if process is None:
            return
        self._fail_calls(ChildStopped())
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), self._timing.stop)
        except TimeoutError:
            _kill(process)
            await process.wait()
        log.info("%s child stopped", self.name)

    async def _say_farewell(self) -> None:
        if self.farewell is None or self._process is None or not self._prepared:
            return
        try:
            await asyncio.wait_for(self.farewell(), self._timing.farewell)
        except (AssistantError, TimeoutError) as exc:
            log.warning("%s child: farewell failed: %s", self.name, type(exc).__name__)

    async def close(self) -> None:
        """Stop for good."""
        self._closed = True
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self) -> None:
        if self._process is not None:
            return
        if self._closed:
            raise ChildStopped("The daemon is stopping.")
        await self._back_off()
        if self._closed:
            raise ChildStopped("The daemon is stopping.")
        self._prepared = False
        self._starts += 1
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=sandbox.environment() | self._environment,
            limit=frames.HEADER_BYTES + (1 << 20),
            # A session of its own is one share of the CPU on Linux desktops that group by session
            # (sched(7), autogroup): ten busy programs of a shell then do not count ten times. And
            # Ctrl-C in a terminal reaches the daemon alone, which ends its children in order.
            start_new_session=True,
        )
        self._process = process
        self._heard_at = self._used_at = time.monotonic()
        ready = asyncio.get_running_loop().create_future()
        self._spawn(self._listen(process, ready))
        self._spawn(self._drain(process))
        self._spawn(self._watch(process))
        try:
            await asyncio.wait_for(ready, self._timing.start)
        except TimeoutError as exc:
            _kill(process)
            raise ChildCrashed(f"The {self.name} process did not start in time.") from exc
        log.info("%s child started, pid %d", self.name, process.pid)

    async def _back_off(self) -> None:
        if self._crashes_in_a_row > 1:
            pause = self._timing.backoff * 2 ** (self._crashes_in_a_row - 2)
            pause = min(pause, self._timing.backoff_most)
            await asyncio.sleep(max(0.0, self._crashed_at + pause - time.monotonic()))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(
        self, process: asyncio.subprocess.Process, ready: asyncio.Future[None]
    ) -> None:
        assert process.stdout is not None
        splitter = frames.Splitter()
        try:
            while data := await process.stdout.read(_READ_BYTES):
                for frame in splitter.feed(data):
                    self._take(frame, ready)
        except ChildCrashed:
            _kill(process)
        code = await process.wait()
        if self._process is process:
            self._died(code)
        if not ready.done():
            ready.set_exception(ChildCrashed(f"The {self.name} process {_how(code)}."))

    def _take(self, frame: frames.Frame, ready: asyncio.Future[None]) -> None:
        self._heard_at = time.monotonic()
        match frame:
            case frames.Item(call, payload):
                self._give(call, payload)
            case frames.End(call):
                self._give(call, _END, last=True)
            case frames.Fault(call, code, message, hint):
                self._give(call, revive(code, message, hint), last=True)
            case frames.Beat(rss_bytes, report):
                self._rss_bytes, self.report = rss_bytes, report
            case frames.Ready() if not ready.done():
                ready.set_result(None)

    def _give(self, call: int, item: Any, *, last: bool = False) -> None:
        answer = self._answers.pop(call, None) if last else self._answers.get(call)
        if answer is not None:
            answer.put_nowait(item)

    def _died(self, code: int) -> None:
        self._process, self._prepared = None, False
        self._crashes += 1
        self._crashes_in_a_row += 1
        self._crashed_at = time.monotonic()
        log.warning("%s child %s", self.name, _how(code))
        error = ChildCrashed(f"The {self.name} process {_how(code)}.")
        error.exit_code = code
        self._fail_calls(error)

    def _fail_calls(self, error: ChildCrashed) -> None:
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.put_nowait(error)

    async def _drain(self, process: asyncio.subprocess.Process) -> None:
        # Native libraries write whole logs here. None reach a log at INFO: a prompt may be quoted.
        assert process.stderr is not None
        while chunk := await process.stderr.read(1 << 16):
            for line in chunk.decode("utf-8", "replace").splitlines():
                log.debug("%s: %s", self.name, line)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        pause, moment = min(1.0, self._timing.silence / 4), time.monotonic()
        while self._process is process:
            await asyncio.sleep(pause)
            before, moment = moment, time.monotonic()
            if moment - before > pause + self._timing.silence / 4:
                # The machine slept, or this loop was held up: what was sent meanwhile is still to be read.
                self._heard_at = moment
            if moment - self._heard_at > self._timing.silence:
                log.warning("%s child is silent; killing it", self.name)
                _kill(process)
                return
            idle = moment - self._used_at
            if self.idle_unload_s and not self._answers and idle > self.idle_unload_s:
                log.info("%s child is idle", self.name)
                if await self.stop_if_idle():
                    return


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"died of {signal.Signals(-code).name}"
    return f"died of signal {-code}"


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
