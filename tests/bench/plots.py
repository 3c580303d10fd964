"""Plots of the benchmark's series; matplotlib comes with the dev extra and is needed here only."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def draw(series: Mapping[str, Any], folder: Path) -> list[Path]:
    """A PNG for every series that was measured; their paths."""
    import matplotlib

    matplotlib.use("Agg")
    drawn = []
    for name, file, plot in (
        ("total tokens/s by streams", "tokens_per_s.png", _speeds),
        ("first token by turn, s", "first_token.png", _first_tokens),
    ):
        if series.get(name):
            drawn.append(_drawn(plot, series[name], folder / file))
    return drawn


def _drawn(plot: Any, values: Mapping[str, Any], file: Path) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    plot(axes, values)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
    return file


def _speeds(axes: Any, values: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    for name, by_streams in values.items():
        points = [(int(streams), runs) for streams, runs in by_streams.items() if runs]
        _line(axes, name, points)
    axes.set_xticks([1, 2, 4, 8])
    axes.set(xlabel="concurrent streams", ylabel="tokens/s, all streams", title="Throughput")


def _first_tokens(axes: Any, values: Mapping[str, Sequence[Sequence[float]]]) -> None:
    for name, chats in values.items():
        turns = min(len(chat) for chat in chats)
        _line(axes, name, [(at + 1, [chat[at] for chat in chats]) for at in range(turns)])
    axes.set(xlabel="turn", ylabel="s", title="Time to first token, 5 memories a turn")


def _line(axes: Any, name: str, points: Sequence[tuple[int, Sequence[float]]]) -> None:
    """Medians, and from the least to the most."""
    at = [x for x, _ in points]
    middle = [statistics.median(runs) for _, runs in points]
    (line,) = axes.plot(at, middle, marker="o", label=name)
    low, high = ([pick(runs) for _, runs in points] for pick in (min, max))
    axes.fill_between(at, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
