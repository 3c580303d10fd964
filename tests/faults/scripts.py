"""Runs the scripts of this folder, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
START_S = 3.0
"""No start may take longer, whatever came before."""


def run(name: str, *arguments: object, **environment: str) -> Any:
    """What the script printed last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", f"faults.{name}", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=1_800,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE.parent}",
            "OPENBLAS_NUM_THREADS": "1",
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None
