"""`python -m tests.bench [name …]`: run the benchmarks and print their tables."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.bench import first_light
from tests.bench.table import Row, show

BENCHES = {"first_light": first_light.measure}


def main() -> None:
    """Run what was asked for; everything if nothing was."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], help="which; all if none")
    parser.add_argument("--runs", type=int, default=5, help="repetitions of each measurement")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.names or BENCHES:
        print(f"{name}: {arguments.runs} runs", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="nestor-bench-") as home:
            rows += BENCHES[name](Path(home), arguments.runs)
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps([row.as_dict() for row in rows], indent=2))
    if missed := [row.name for row in rows if row.missed]:
        sys.exit(f"over the limit: {', '.join(missed)}")


if __name__ == "__main__":
    main()
