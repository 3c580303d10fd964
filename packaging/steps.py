"""Run the steps of a set-up: each once, in order, watched, and continued where it stopped.

Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


class Stop(Exception):
    """The set-up cannot go on. Says why in one line, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(message)


# --- what was done already -------------------------------------------------------------------


class Stamp:
    """The steps that are done, in a small file inside .venv; gone with it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.values: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            values = json.loads(file.read_text("utf-8"))
            self.values = values if isinstance(values, dict) else {}

    def done(self, name: str, digest: str) -> bool:
        """Whether this step was finished for exactly these inputs."""
        return bool(self._step(name).get("digest") == digest)

    def build(self, name: str) -> str:
        """Which build of a package the step installed; empty if it never finished."""
        return str(self._step(name).get("build", ""))

    @property
    def interrupted(self) -> str:
        """The step that was begun and not finished, if any."""
        return str(self.values.get("running", ""))

    def begin(self, name: str) -> None:
        """Note that a step is under way."""
        self._save({**self.values, "running": name})

    def finish(self, name: str, digest: str, build: str) -> None:
        """Note that a step is done."""
        steps = {**self.values.get("steps", {}), name: {"digest": digest, "build": build}}
        self._save({**self.values, "steps": steps, "running": ""})

    def note(self, **values: Any) -> None:
        """Keep something beside the steps."""
        self._save({**self.values, **values})

    def _step(self, name: str) -> dict[str, Any]:
        step = self.values.get("steps", {}).get(name, {})
        return step if isinstance(step, dict) else {}

    def _save(self, values: dict[str, Any]) -> None:
        self.values = values
        draft = self.file.with_name(self.file.name + ".new")
        draft.write_text(json.dumps(values, indent=1), "utf-8")
        draft.replace(self.file)


@dataclass(frozen=True)
class Step:
    """One step. `run` does it, and returns which build it chose if there was a choice."""

    name: str
    title: str
    digest: str
    run: Callable[[], str]


def carry_out(steps: Sequence[Step], stamp: Stamp, progress: Progress) -> bool:
    """Do what is not done yet, in order; each is noted as soon as it is finished."""
    todo = [step for step in steps if not stamp.done(step.name, step.digest)]
    for step in todo:
        progress.start(f"[{steps.index(step) + 1}/{len(steps)}] {step.title}")
        stamp.begin(step.name)
        try:
            build = step.run()
        except BaseException:
            progress.end("stopped")
            raise
        stamp.finish(step.name, step.digest, build)
        progress.end()
    return bool(todo)


def mend(site: Path) -> list[str]:
    """Make pip forget packages whose installation was cut off: those without a RECORD."""
    halves = [d for d in site.glob("*.dist-info") if not (d / "RECORD").exists()]
    for half in halves:
        for file in sorted(half.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        half.rmdir()
    return [half.name for half in halves]


# --- showing it ------------------------------------------------------------------------------


def spell(seconds: float) -> str:
    """A time as people say it: `12 s`, `2 min 20 s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """Where we are: one line that is rewritten in a terminal, a line now and then elsewhere."""

    def __init__(
        self,
        out: IO[str] = sys.stdout,
        clock: Callable[[], float] = time.monotonic,
        every_s: float = 20.0,
    ) -> None:
        self.out, self.clock, self.every_s = out, clock, every_s
        self.live = out.isatty()
        self.title, self.began, self.told, self.width = "", 0.0, 0.0, 0

    def start(self, title: str) -> None:
        """A step begins."""
        self.title, self.began = title, self.clock()
        self.told = self.began
        if self.live:
            self._rewrite(f"{title} ...")

    def beat(self, doing: str, usually: str = "") -> None:
        """It is still going on; called often, shown when due."""
        now = self.clock()
        text = f"{doing}: {spell(now - self.began)} so far" + (f", {usually}" if usually else "")
        if self.live:
            self._rewrite(f"{self.title} - {text}")
        elif now - self.told >= self.every_s:
            self.told = now
            self._print(f"      {text}")

    def end(self, result: str = "done") -> None:
        """It is over."""
        text = f"{self.title}: {result} in {spell(self.clock() - self.began)}"
        if self.live:
            self._rewrite(text)
            self.width = 0
        self._print("" if self.live else text)

    def say(self, text: str) -> None:
        """A line of its own."""
        if self.live and self.width:
            self._rewrite("")
            self.out.write("\r")
            self.width = 0
        self._print(text)

    def _rewrite(self, text: str) -> None:
        text = text[:110]
        self.out.write("\r" + text.ljust(self.width))
        self.out.flush()
        self.width = len(text)

    def _print(self, text: str) -> None:
        self.out.write(text + "\n")
        self.out.flush()


# --- running programs ------------------------------------------------------------------------


def watch(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    beat: Callable[[str], None],
    keep: Sequence[int] = (),
) -> tuple[int, list[str]]:
    """Run a program quietly: all it prints goes to the log, its last line to `beat`.

    Returns its exit code and the lines worth showing. Whatever interrupts us stops it too, with
    the compilers it started. `keep` are descriptors it inherits.
    """
    posix = os.name == "posix"
    lines: list[str] = []
    with log.open("a", encoding="utf-8", errors="replace") as file:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=posix,
            pass_fds=tuple(keep) if posix else (),
        )
        reader = threading.Thread(target=_drain, args=(process.stdout, file, lines), daemon=True)
        reader.start()
        try:
            while process.poll() is None:
                beat(lines[-1] if lines else "")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.25)
        except BaseException:
            _end(process, posix)
            raise
        finally:
            reader.join(5)
    return process.returncode, lines


def _drain(pipe: IO[str] | None, file: IO[str], lines: list[str]) -> None:
    with pipe or contextlib.nullcontext() as source:
        for line in source or ():
            file.write(line)
            file.flush()
            # pip warns about every folder of packages that was configured and never made.
            if line.strip() and "is ignored: it is" not in line:
                lines.append(line.rstrip())


def _end(process: subprocess.Popen[str], posix: bool) -> None:
    with contextlib.suppress(OSError):
        if posix:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)


@contextlib.contextmanager
def only_one(file: Path, wait: Callable[[], None]) -> Iterator[int | None]:
    """Hold a lock on a file of ours; its descriptor is for children to inherit (not on Windows).

    A child that outlives us keeps it, so nobody installs beside an orphaned pip.
    """
    with file.open("rb") as handle:
        number = handle.fileno()
        if sys.platform == "win32":
            import msvcrt

            handle.seek(1 << 30)  # past the end: Windows locks are mandatory
            while True:
                try:
                    msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
                    break
                except OSError:
                    wait()
            yield None
        else:
            import fcntl

            while True:
                try:
                    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    wait()
            yield number
