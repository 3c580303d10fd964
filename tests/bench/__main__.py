"""`python -m tests.bench [first_light] [transfer] [sources] [engine] [memory] [--only GROUP …]`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.bench import engine, facts, first_light, memory, sources, transfer
from tests.bench.progress import say
from tests.bench.report import Report

PARTS = {"engine": engine.GROUPS, "memory": memory.GROUPS}
BENCHES = ("first_light", "transfer", "sources", "facts", *PARTS)
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
    if "first_light" in names:
        say(f"first_light: {runs} runs")
        report.take("first_light", partial(first_light.measure, folder / "first_light", runs))
    if "transfer" in names:
        say(f"transfer: {runs} runs")
        report.take("transfer", partial(transfer.measure, folder / "transfer", runs))
    if "sources" in names:
        report.take("sources", partial(sources.measure, folder / "sources", runs, report.series))
    if "facts" in names:
        say(f"facts: {runs} runs")
        report.take("facts", partial(facts.measure, folder / "facts", runs, report.series))
    wanted = arguments.only or GROUPS
    for part in filter(names.__contains__, PARTS):
        for name, measure in PARTS[part].items():
            if name in wanted:
                say(f"{name}: {runs} runs")
                report.take(name, partial(measure, folder / name, runs, report.series))


def _out() -> Path:
    """The folder for results, which git passes over."""
    OUT.mkdir(exist_ok=True)
    (OUT / ".gitignore").write_text("*\n")
    return OUT


if __name__ == "__main__":
    main()
