"""Manners among neighbours: a long prompt beside a stream, and other programs on the same cores."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import llama_server, texts
from tests.bench.nestor import Nestor, nestor, peers
from tests.bench.progress import say
from tests.bench.servers import Server
from tests.bench.stream import Answer, Failed, body, complete
from tests.bench.table import Row, p95, ratio

PROMPT_TOKENS = 3_000
HOGS = 2
MOST_GAP, LEAST_BESIDE = 2.5, 2.0
_QUIET_PIECES, _SKIPPED = 48, 4
_STREAM_TOKENS = 700
_STREAM_MAY_WAIT_S = 1.0
_WINDOW_S, _WINDOW_TOKENS = 12.0, 64
_SETTLE_S = 3.0
# Ends with whoever started it, however that ended.
_HOG = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row. About 5 minutes for 5 runs."""
    with nestor(home) as ours:
        yield from _beside_a_prompt(ours, runs)
        with peers(ours) as others:
            peer = others.get(llama_server.NAME)
            yield from _beside_hogs([ours, peer] if peer else [ours], runs)


# --- a long prompt ---------------------------------------------------------------------------


@dataclass
class _Prompt:
    """A long prompt that is read in a thread of its own as soon as the stream has run a while."""

    server: Server
    run: int
    begun: float = 0.0
    done: float = 0.0
    tokens: int = 0
    problem: str = ""
    thread: threading.Thread | None = None

    def watch(self, count: int, _moment: float) -> bool:
        """For every piece of the stream; False when the prompt was read."""
        if count == _QUIET_PIECES:
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.begun = time.perf_counter()
            self.thread.start()
        return not self.done

    def judge(self, ended: float) -> str:
        """Why the gaps say nothing, if the stream ended at that moment; else empty."""
        if self.thread is None:
            return f"the stream ended within {_QUIET_PIECES} pieces"
        beside = self.begun < self.done <= ended + _STREAM_MAY_WAIT_S
        return self.problem or ("" if beside else "the prompt was not read while the stream ran")

    def _read(self) -> None:
        text = texts.essay(100 + self.run, PROMPT_TOKENS) + "\n\nReply with one word."
        try:
            answer = complete(self.server, body([{"role": "user", "content": text}], 1))
            self.tokens = answer.tokens_in
        except Failed as exc:
            self.problem = str(exc)
        self.done = time.perf_counter()


def _beside_a_prompt(ours: Nestor, runs: int) -> Iterator[Row]:
    quiet: list[float] = []
    beside: list[float] = []
    notes: list[str] = []
    problems: list[str] = []
    for run in range(runs):
        prompt = _Prompt(ours, run)
        answer = complete(ours, body(texts.story(run, 0), _STREAM_TOKENS), prompt.watch)
        ended = answer.arrivals[-1]
        if prompt.thread:
            prompt.thread.join()
        if problem := prompt.judge(ended):
            problems.append(problem)
            say(f"long prompt, run {run + 1} of {runs}: {problem}")
            continue
        quiet.append(p95(_gaps(answer, 0.0, answer.arrivals[_QUIET_PIECES - 1])))
        beside.append(p95(_gaps(answer, prompt.begun, prompt.done)))
        notes.append(f"{prompt.tokens} tokens in {prompt.done - prompt.begun:.1f} s")
        say(f"long prompt, run {run + 1} of {runs}: {notes[-1]}, p95 gap {1000 * beside[-1]:.0f} ms, "
            f"quiet {1000 * quiet[-1]:.0f} ms")  # fmt: skip
    yield Row("p95 gap of a stream, quiet", "ms", [1000 * gap for gap in quiet])
    yield Row("p95 gap while a long prompt is read", "ms", [1000 * gap for gap in beside],
              note="; ".join(notes[:1]))  # fmt: skip
    name = "p95 gap beside a long prompt, of the quiet one"
    yield ratio(name, beside, quiet, problem="".join(problems[:1]), most=MOST_GAP)


def _gaps(answer: Answer, begun: float, ended: float) -> list[float]:
    """Seconds between pieces, as far as they lie in this time; the first few pieces apart."""
    pairs = itertools.pairwise(answer.arrivals[_SKIPPED:])
    return [later - earlier for earlier, later in pairs if later > begun and earlier < ended]


# --- other programs --------------------------------------------------------------------------


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many processes that never sleep."""
    found = [subprocess.Popen([sys.executable, "-c", _HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for process in found:
            process.kill()
            process.wait()


@dataclass
class _Window:
    """Ends a stream after some seconds or tokens."""

    arrivals: list[float] = field(default_factory=list)

    def watch(self, count: int, moment: float) -> bool:
        """For every piece."""
        self.arrivals.append(moment)
        return count < _WINDOW_TOKENS and moment - self.arrivals[0] < _WINDOW_S

    @property
    def tokens_per_s(self) -> float:
        """A piece counts as one token; where drafts are accepted it has more, so this is not too high."""
        return (len(self.arrivals) - 1) / (self.arrivals[-1] - self.arrivals[0])


def _beside_hogs(servers: list[Server], runs: int) -> Iterator[Row]:
    quiet = {server.name: _windows(server, 50) for server in servers}
    speeds: dict[str, list[float]] = {server.name: [] for server in servers}
    with hogs(HOGS):
        time.sleep(_SETTLE_S)
        for run in range(runs):
            for server in servers:
                speeds[server.name].append(_windows(server, run))
            told = ", ".join(f"{name} {found[-1]:.1f}" for name, found in speeds.items())
            say(f"beside {HOGS} busy programs, run {run + 1} of {runs}: {told} tokens/s")
    for name, values in speeds.items():
        note = f"{quiet[name]:.1f} without them"
        yield Row(f"tokens/s beside {HOGS} busy programs, {name}", "tokens/s", values, note=note)
    ours, theirs = speeds[servers[0].name], speeds.get(llama_server.NAME, [])
    yield ratio(f"speed beside {HOGS} busy programs, of {llama_server.NAME}'s", ours, theirs,
                least=LEAST_BESIDE)  # fmt: skip
    yield Row("our speed beside them, of our quiet one", "×",
              [statistics.median(ours) / quiet[servers[0].name]],
              note="a fair share is half: two of four busy threads")  # fmt: skip


def _windows(server: Server, run: int) -> float:
    window = _Window()
    with server.awake():
        complete(server, body(texts.story(run, 1), _WINDOW_TOKENS), window.watch)
    return window.tokens_per_s
