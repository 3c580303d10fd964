"""`python -m tests.bench.pulse PORT`: ask /health again and again until stdin ends; print the times.

A process of its own, so that what else the benchmark does cannot be mistaken for the daemon's delay.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator

_PAUSE_S = 0.02


@contextlib.contextmanager
def pulse(port: int) -> Iterator[list[float]]:
    """Ask beside the body; the list has the milliseconds of every answer once that is over."""
    command = [sys.executable, "-m", "tests.bench.pulse", str(port)]
    times: list[float] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield times
        finally:
            out, _ = process.communicate()
        times += json.loads(out)


def main(port: int) -> None:
    """Until stdin ends. A refused or failed answer ends it with an error."""
    times = []
    while not select.select([sys.stdin], [], [], _PAUSE_S)[0]:
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/health")
        response = connection.getresponse()
        response.read()
        connection.close()
        assert response.status == 200
        times.append(1000 * (time.perf_counter() - begun))
    print(json.dumps(times))


if __name__ == "__main__":
    main(int(sys.argv[1]))
