"""schemathesis asks every operation of /openapi.json, right and wrong: all its checks, 0 failures.

Left out are a stream without an end, and what is minutes of work or downloads for the owner, who may ask it:
tests/api and tests/engine have them.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from running import RunningDaemon
from security.conftest import FULL

from assistant.api.access import KEY
from assistant.api.app import routes
from assistant.api.services import Services

CONFIG = Path(__file__).with_name("schemathesis.toml")
LEFT_OUT = "doctor|diagnose|pull|verify|v1/events"
DEPTH = ["--phases=coverage,fuzzing,stateful", "-n", "60"] if FULL else [
    "--phases=coverage", "--generation-deterministic", "--max-failures", "20",
]  # fmt: skip


def test_what_the_schema_says_is_so(tmp_path, figure):
    daemon = RunningDaemon(tmp_path / "home", env={"NESTOR_BACKUP_EVERY_H": "0"}).up()
    try:
        cases, tested = examined(daemon, tmp_path)
        assert "Traceback" not in daemon.output()
    finally:
        ended = daemon.stop()
    assert ended == 0
    operations = sum(len(methods) for methods in routes(Services()).openapi()["paths"].values())
    assert tested >= operations - 10
    assert cases > 500
    figure(
        "schemathesis, all checks", f"{tested} operations, {cases} cases: 0 failures", "0 failures"
    )


def examined(daemon, tmp_path):
    """How many cases and operations passed."""
    schema = tmp_path / "openapi.json"
    schema.write_text(json.dumps(daemon.api.get("/openapi.json").json()))
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", str(schema),
            "--url", daemon.url, "-H", f"Authorization: Bearer {daemon.token}", "--checks", "all",
            "--exclude-path-regex", LEFT_OUT, "--request-timeout", "10", "--no-color", *DEPTH,
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = "\n".join(line[:300] for line in done.stdout.splitlines() if "curl" not in line)
    assert done.returncode == 0, said[-8000:] + done.stderr[-2000:]
    cases = int(re.search(r"(\d+) generated", said)[1])
    return cases, int(re.search(r"Tested: (\d+)", said)[1])


def test_every_operation_says_how_it_refuses_and_whether_it_takes_a_token():
    schema = routes(Services()).openapi()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for methods in schema["paths"].values():
        for operation in methods.values():
            refused = operation["responses"]["4XX"]["content"]["application/json"]["schema"]
            assert refused == {"$ref": "#/components/schemas/Error"}
            assert bool(operation["security"]) == (operation[KEY] != "public")
