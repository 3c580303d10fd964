"""Tokens per second over HTTP, one stream and many, ours and both peers'; and our own share of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import llama_server, python_server, texts
from tests.bench.nestor import NAME, Nestor, nestor, peers
from tests.bench.progress import say
from tests.bench.servers import Server
from tests.bench.stream import Failed, body, together
from tests.bench.table import Row, ratio

TOKENS = {1: 128, 2: 64, 4: 64, 8: 64}
"""Of each answer, by the number of streams."""
LEAST = {
    1: {llama_server.NAME: 1.0, python_server.NAME: 1.6},
    4: {llama_server.NAME: 1.0, python_server.NAME: 4.0},
    8: {llama_server.NAME: 1.0, python_server.NAME: 4.0},
}
"""Of each peer's speed, by the number of streams."""
SHARED, MOST_OUTSIDE = (1, 8), 3.0
"""With so many streams, at most so many per cent of our busy time outside llama_decode and sampling."""


@dataclass(frozen=True)
class Run:
    """One server, one run."""

    total: float
    """Tokens/s of all streams, prompts included."""
    decode: float
    """Tokens/s of one stream between its first piece and its last; the median of the streams."""
    short: int
    """Answers that ended before their length."""
    outside: float | None
    """Per cent of the time that was not llama_decode or sampling; ours only."""


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row; `series` gets the totals for the plot. About 9 minutes for 5 runs."""
    with nestor(home) as ours, peers(ours, python=True) as others:
        servers: list[Server] = [ours, *others.values()]
        yield Row("CPU of our idle daemon", "% of a core", [100 * ours.cpu_share(3)])
        totals: dict[str, dict[str, list[float]]] = {server.name: {} for server in servers}
        series["total tokens/s by streams"] = totals
        for streams in TOKENS:
            found = _interleaved(servers, streams, runs)
            for name, done in found.items():
                totals[name][str(streams)] = [run.total for run in done]
            yield from _speeds(streams, found)
            if streams in SHARED:
                yield _outside(streams, found[NAME])


def _interleaved(servers: Sequence[Server], streams: int, runs: int) -> dict[str, list[Run]]:
    """Ours, a peer, the other, ours …: a machine that slows down slows all of them."""
    found: dict[str, list[Run]] = {server.name: [] for server in servers}
    for number in range(runs):
        for server in servers:
            found[server.name].append(_run(server, number, streams))
        speeds = ", ".join(f"{name} {done[-1].total:.1f}" for name, done in found.items())
        say(f"{streams} streams, run {number + 1} of {runs}: {speeds} tokens/s")
    return found


def _run(server: Server, number: int, streams: int) -> Run:
    length = TOKENS[streams]
    wanted = [body(texts.story(number, at), length) for at in range(streams)]
    before = _timing(server, streams)
    with server.awake():
        answers, total = together(server, wanted)
    after = _timing(server, streams)
    return Run(
        total,
        statistics.median(answer.tokens_per_s for answer in answers),
        short=sum(answer.tokens_out < length for answer in answers),
        outside=_share(before, after) if before and after else None,
    )


def _timing(server: Server, streams: int) -> Mapping[str, float]:
    """Ours, where it is reported; empty for others."""
    try:
        return server.timing() if isinstance(server, Nestor) and streams in SHARED else {}
    except Failed:
        return {}


def _share(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    busy, decode, sample = (after[k] - before[k] for k in ("busy_s", "decode_s", "sample_s"))
    return 100 * (1 - (decode + sample) / busy) if busy > 0 else None


def _speeds(streams: int, found: Mapping[str, Sequence[Run]]) -> Iterator[Row]:
    kind = "decode" if streams == 1 else "total"
    speeds = {name: [getattr(run, kind) for run in done] for name, done in found.items()}
    for name, values in speeds.items():
        short = sum(run.short for run in found[name])
        note = f"{short} answers ended early" if short else ""
        yield Row(f"{kind} tokens/s, {_streams(streams)}, {name}", "tokens/s", values, note=note)
    for peer, least in LEAST.get(streams, {}).items():
        name = f"{kind} speed, {_streams(streams)}, of {peer}'s"
        yield ratio(name, speeds[NAME], speeds.get(peer, []), least=least)


def _outside(streams: int, done: Sequence[Run]) -> Row:
    values = [run.outside for run in done if run.outside is not None]
    problem = "" if values else "the status has no engine timing"
    name = f"our time outside llama_decode and sampling, {_streams(streams)}"
    return Row(name, "%", values, most=MOST_OUTSIDE, problem=problem)


def _streams(count: int) -> str:
    return "1 stream" if count == 1 else f"{count} streams"
