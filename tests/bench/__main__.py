"""`python -m tests.bench [NAME …] [--only GROUP …]`: run benchmarks (all if none is named), print tables."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.bench import (
    desk,
    engine,
    facts,
    first_light,
    memory,
    quick_ask,
    remembering,
    sources,
    transfer,
    tray,
    voice,
    waking,
    writing,
)
from tests.bench.progress import say
from tests.bench.report import Report

ALONE = {
    "first_light": first_light.measure,
    "transfer": transfer.measure,
    "quick_ask": quick_ask.measure,
    "remembering": remembering.measure,
    "tray": tray.measure,
    "writing": writing.measure,
}
SERIES = {
    "sources": sources.measure,
    "facts": facts.measure,
    "voice": voice.measure,
    "waking": waking.measure,
    "desk": desk.measure,
}
PARTS = {"engine": engine.GROUPS, "memory": memory.GROUPS}
BENCHES = (*ALONE, *SERIES, *PARTS)
GROUPS = [name for groups in PARTS.values() for name in groups]
OUT = Path(__file__).parent / "out"


def main() -> None:
    """Run what was asked for; everything if nothing was. A limit that is missed is exit code 1."""
    # Ctrl-C and a plain kill have to end the servers that were started, also from a background job.
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments()
    report = Report(arguments.json or _out() / "bench.json")
    try:
        with tempfile.TemporaryDirectory(prefix="nestor-bench-") as folder:
            _measure(arguments, Path(folder), report)
    finally:
        report.show()
    if report.missed:
        sys.exit(f"over the limit: {'; '.join(report.missed)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], help="which; all if none")
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, help="groups of `engine` and `memory`; all if none"
    )
    parser.add_argument("--runs", type=int, default=5, help="repetitions of each measurement")
    parser.add_argument("--json", type=Path, help="where the figures go; the plots lie beside them")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, folder: Path, report: Report) -> None:
    names, runs = arguments.names or BENCHES, arguments.runs
    wanted = arguments.only or GROUPS
    series = {name: SERIES[name] for name in SERIES if name in names} | {
        group: measure
        for part in filter(names.__contains__, PARTS)
        for group, measure in PARTS[part].items()
        if group in wanted
    }
    for name, measure in ALONE.items():
        if name in names:
            say(f"{name}: {runs} runs")
            report.take(name, partial(measure, folder / name, runs))
    for name, measure in series.items():
        say(f"{name}: {runs} runs")
        report.take(name, partial(measure, folder / name, runs, report.series))


def _out() -> Path:
    """The folder for results, which git passes over."""
    OUT.mkdir(exist_ok=True)
    (OUT / ".gitignore").write_text("*\n")
    return OUT


if __name__ == "__main__":
    main()
