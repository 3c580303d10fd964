"""A real daemon in a process of its own, as a user's would be."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from assistant.config import load_paths

STARTED: list[tuple[subprocess.Popen, Path]] = []
"""Every daemon of this run of the suite, with its home."""


class RunningDaemon:
    """Started on a free port in a home of its own; `api` talks to it with the owner's token."""

    def __init__(self, home: Path, *, model: str = "fake", env: dict[str, str] | None = None):
        self.home = home
        self.env = os.environ | {
            "NESTOR_HOME": str(home), "NESTOR_MODELS": str(load_paths().models),
            "NESTOR_KEY_STORE": "file", "NESTOR_PORT": "0",
        } | (env or {})  # fmt: skip
        self.model = model
        self.process: subprocess.Popen | None = None
        self.api: httpx.Client | None = None

    def up(self) -> "RunningDaemon":
        self.home.mkdir(parents=True, exist_ok=True)
        if self.api is not None:
            self.api.close()
        with (self.home / "output.log").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "assistant", "up", "--model", self.model],
                env=self.env, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        STARTED.append((self.process, self.home))
        self._until_healthy()
        token = (self.home / "config/token").read_text().strip()
        self.port = self._where()["port"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = token
        self.api = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=120
        )
        return self

    def _where(self) -> dict:
        return json.loads((self.home / "data/daemon.lock").read_text())

    def _until_healthy(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output()
            with contextlib.suppress(OSError, ValueError, httpx.TransportError):
                where = self._where()
                if where["pid"] == self.process.pid:
                    answer = httpx.get(f"http://127.0.0.1:{where['port']}/health", timeout=5)
                    if answer.json()["state"] != "starting":
                        return
            time.sleep(0.02)
        raise AssertionError(f"no daemon: {self.output()}")

    def output(self) -> str:
        return (self.home / "output.log").read_text("utf-8", "replace")[-4000:]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        if self.api is not None:
            self.api.close()
            self.api = None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)

    def cli(self, *arguments: str, **rest) -> subprocess.CompletedProcess:
        """Run `nestor` in this home."""
        return subprocess.run(
            [sys.executable, "-m", "assistant", *arguments],
            env=self.env, capture_output=True, text=True, timeout=120, check=False, **rest,
        )  # fmt: skip

    def conversation(self) -> str:
        return self.api.post("/api/v1/conversations", json={}).json()["id"]

    def ask(
        self, text: str, conversation: str | None = None, **body
    ) -> list[tuple[int, str, dict]]:
        """Ask and return all events."""
        path = f"/api/v1/conversations/{conversation or self.conversation()}/turns"
        with self.api.stream("POST", path, json={"text": text} | body) as response:
            response.read() if response.is_error else None
            assert response.status_code == 200, response.text
            return list(events(response.iter_lines()))


def events(lines):
    """(id, event, data) of an event stream."""
    fields = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])
            fields = {}


def answer(seen) -> str:
    """The text of an answer."""
    return "".join(data["text"] for _, name, data in seen if name == "token")
