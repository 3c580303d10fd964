"""Two commands on a fresh machine.

`run` sets Nestor up, asks it a first question and stays in chat; `test` sets up what the tests
need and runs them all.

    python packaging/bootstrap.py run | test | test-faults | test-security | bench | lint | install |
        lock | clean

Standard library only, any Python from 3.11. `make run` and the others are thin wrappers. What is
done is noted in .venv/.nestor-stamp.json, so a second run skips it and an interrupted one goes on.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts this may well have an older one
    sys.exit(
        "nestor: this is Python %d.%d; Nestor needs 3.11 or newer.\n"  # noqa: UP031
        "  Install one (python.org, your package manager, or brew install python), then say\n"
        "  make run PYTHON=python3.13" % sys.version_info[:2]
    )

import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import probe
from install import Layout, Setup
from steps import Progress, Stop

ROOT = Path(__file__).resolve().parent.parent
TEST_MODELS = ("tiny", "starter")
COMMANDS = (
    "run", "test", "test-faults", "test-security", "bench", "lint", "install", "lock", "clean",
)  # fmt: skip
BOUNDARY = ("tests/security", "tests/listen", "tests/core/test_pairing.py", "tests/e2e")
QUESTION = "In one sentence: who are you and where do you run?"

# Debian packages the tests need: (programs of which any shows that they are there, packages).
SYSTEM_PACKAGES: tuple[tuple[str, str], ...] = (
    ("chromium chromium-browser google-chrome google-chrome-stable chrome", "chromium"),
    ("espeak-ng", "espeak-ng"),
    ("pulseaudio", "pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"),
    ("Xvfb", "xvfb"),
    ("openbox", "openbox"),
    ("xdotool", "xdotool"),
    ("xclip", "xclip"),
    ("xwininfo", "x11-utils"),
    ("import", "imagemagick"),
    ("mousepad", "mousepad"),
    ("tesseract", "tesseract-ocr"),
    ("dbus-daemon", "dbus-daemon"),
    ("dbus-send", "dbus-bin"),
    ("xfce4-panel", "xfce4-panel"),
    ("dunst", "dunst"),
)
# Of Linux, for a phone in a network of its own.
LINUX_PACKAGES = (("ip", "iproute2"), ("certutil", "libnss3-tools"))

# Runs inside .venv: the names of our own requirements and all that they require.
CLOSURE = """
import importlib.metadata as meta, re, sys
from packaging.requirements import Requirement
def norm(name): return re.sub("[-_.]+", "-", name).lower()
def closure(*wanted):
    found, todo = {}, [Requirement(text) for text in wanted]
    while todo:
        need = todo.pop(); name = norm(need.name)
        new = {"", *need.extras} - found.get(name, set())
        try: dist = meta.distribution(name)
        except meta.PackageNotFoundError: continue
        found.setdefault(name, set()).update(new)
        for text in dist.requires or []:
            sub = Requirement(text)
            mark = sub.marker
            if any(not mark or mark.evaluate({"extra": e}) for e in new): todo.append(sub)
    return found
"""
PLAIN = (
    CLOSURE
    + """
mine, names = closure("nestor"), meta.packages_distributions()
class Blocked:
    def find_spec(self, name, path=None, target=None):
        owners = names.get(name.partition(".")[0])
        if owners and not any(norm(o) in mine for o in owners):
            raise ModuleNotFoundError(f"{name} comes only with the dev extra")
sys.meta_path.insert(0, Blocked())
import assistant.daemon
from assistant.cli import main
sys.argv = ["nestor", "--help"]; main()
"""
)
LOCK = (
    CLOSURE
    + """
for name in sorted(closure("nestor[dev,voice,desktop]")):
    if name not in ("nestor", "pip"): print(name + "==" + meta.version(name).partition("+")[0])
"""
)


class Commands:
    """What a user can ask for."""

    def __init__(self, layout: Layout, machine: probe.Machine, setup: Setup) -> None:
        self.layout, self.machine, self.setup = layout, machine, setup
        self.python = str(layout.python)

    def install(self, _arguments: Sequence[str]) -> int:
        """Set up what Nestor needs to run."""
        self.setup.install()
        print(f"Nestor is installed: {self.layout.program('nestor')}")
        return 0

    def run(self, _arguments: Sequence[str]) -> int:
        """Set up, start the daemon, fetch the starter model, ask a first question, stay in chat."""
        self.setup.install()
        self._replace_old_daemon()
        self._nestor("up", "--detach", failed="The daemon did not start.")
        self._nestor("models", "pull", "starter", failed="The starter model could not be fetched.")
        print(f"> {QUESTION}", flush=True)
        self._nestor("ask", QUESTION, failed="The model did not answer.")
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return 0
        # Ctrl-C belongs to the chat: a handler is not inherited, so the chat has its own.
        signal.signal(signal.SIGINT, lambda *_: None)
        return self._call(self.layout.program("nestor"), "chat")

    def test(self, arguments: Sequence[str]) -> int:
        """Everything a change must pass. Arguments go to pytest."""
        self._system_packages()
        self.setup.install(dev=True)
        self._lint()
        self._plain_install()
        with self._models() as environ:
            return self._call(self.python, "-m", "pytest", *arguments, env=environ)

    def test_faults(self, arguments: Sequence[str]) -> int:
        """The fault tests at full length: kills, power cuts, failing disks. Arguments go to pytest."""
        self._system_packages()
        self.setup.install(dev=True)
        environ = {**self.machine.environ, "NESTOR_FAULTS": "full"}
        return self._call(self.python, "-m", "pytest", "tests/faults", *arguments, env=environ)

    def test_security(self, arguments: Sequence[str]) -> int:
        """The trust boundary whole, with a table of figures at the end. Arguments go to pytest."""
        self._system_packages()
        self.setup.install(dev=True)
        with self._models() as environ:
            full = {**environ, "NESTOR_SECURITY": "full"}
            return self._call(self.python, "-m", "pytest", *BOUNDARY, *arguments, env=full)

    def bench(self, arguments: Sequence[str]) -> int:
        """Measure."""
        self.setup.install(dev=True)
        with self._models() as environ:
            return self._call(self.python, "-m", "tests.bench", *arguments, env=environ)

    def lint(self, _arguments: Sequence[str]) -> int:
        """Format, rules and types."""
        self.setup.install(dev=True)
        self._lint()
        return 0

    def lock(self, _arguments: Sequence[str]) -> int:
        """Write packaging/constraints.txt anew, from what .venv has."""
        if not self.layout.python.exists():
            raise Stop("There is no .venv to read versions from.", "make install, then lock.")
        pins = self._output("-P", "-c", LOCK)
        old = self.layout.constraints.read_text("utf-8").splitlines(keepends=True)
        header = "".join(line for line in old if line.startswith("#"))
        self.layout.constraints.write_text(header + pins, "utf-8")
        print(f"{len(pins.splitlines())} versions written to packaging/constraints.txt")
        return 0

    def clean(self, _arguments: Sequence[str]) -> int:
        """Remove .venv and caches of this checkout. What the user trusted us with is elsewhere."""
        names = (".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "dist")
        folders = [self.layout.root / name for name in names]
        for part in ("assistant", "tests", "packaging"):
            folders += (self.layout.root / part).rglob("__pycache__")
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        print("Removed .venv and caches. Models, memories and settings are untouched.")
        return 0

    # parts of them

    def _replace_old_daemon(self) -> None:
        """Stop a daemon that another version of Nestor left running."""
        status = self.machine.output([str(self.layout.program("nestor")), "status", "--json"])
        if status is None:
            return
        with contextlib.suppress(ValueError, AttributeError):
            running = json.loads(status).get("version")
            if running and running != version(self.layout.root):
                print(f"Stopping Nestor {running}, which is still running.")
                self._nestor("down", failed="The old daemon did not stop.")

    def _lint(self) -> None:
        checks = [
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("mypy",),
            ("mypy", "packaging"),
        ]
        for check in checks:
            if self._call(self.python, "-m", *check):
                raise Stop(f"{' '.join(check)} found something.", "make lint shows it again.")

    def _plain_install(self) -> None:
        """Make sure that nothing we ship needs a package of the dev extra."""
        self._output("-P", "-c", PLAIN)

    @contextlib.contextmanager
    def _models(self) -> Iterator[dict[str, str]]:
        """Fetch the models the tests use into the usual folder, by a daemon that lives elsewhere."""
        code = "from assistant.config import load_paths; print(load_paths().models)"
        models = self._output("-c", code).strip()
        environ = {**self.machine.environ, "NESTOR_MODELS": models}
        with tempfile.TemporaryDirectory(prefix="nestor-") as home:
            apart = {
                **environ,
                "NESTOR_HOME": home,
                "NESTOR_PORT": "0",
                "NESTOR_KEY_STORE": "file",
                "XDG_RUNTIME_DIR": home,
            }
            try:
                for model in TEST_MODELS:
                    failed = f"The model {model}, which the tests need, could not be fetched."
                    self._nestor("models", "pull", model, failed=failed, env=apart)
            finally:
                self._call(self.layout.program("nestor"), "down", env=apart, quiet=True)
        yield environ

    def _system_packages(self) -> None:
        wanted = SYSTEM_PACKAGES + (
            LINUX_PACKAGES if self.machine.system == "Linux" and self.machine.root else ()
        )
        missing = [
            package
            for programs, packages in wanted
            if not any(map(self.machine.which, programs.split()))
            for package in packages.split()
        ]
        if tk := probe.missing_tk(self.machine, self.python):
            missing.append(tk)
        if not missing:
            return
        command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        if self.machine.root and self.machine.environ.get("CI") and self.machine.which("apt-get"):
            if self._call("apt-get", "update", "-q") or self._call(*command):
                raise Stop(f"These could not be installed: {' '.join(missing)}")
            return
        raise Stop(f"The tests need {', '.join(missing)}.", f"sudo {' '.join(command)}")

    def _nestor(self, *arguments: str, failed: str, env: Mapping[str, str] | None = None) -> None:
        code = self._call(self.layout.program("nestor"), *arguments, env=env)
        if code:
            raise Stop(
                failed, f"nestor {arguments[0]} ended with code {code}; its words are above."
            )

    def _call(
        self, *command: str | Path, env: Mapping[str, str] | None = None, quiet: bool = False
    ) -> int:
        told = [str(part) for part in command]
        sink = subprocess.DEVNULL if quiet else None
        environ = dict(self.machine.environ if env is None else env)
        return subprocess.call(told, cwd=self.layout.root, env=environ, stdout=sink, stderr=sink)

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.python, *arguments],
            capture_output=True,
            text=True,
            cwd=self.layout.root,
            env=dict(self.machine.environ),
            check=False,
        )
        if done.returncode:
            last = "\n".join(f"    {line}" for line in done.stderr.splitlines()[-8:])
            raise Stop(f"A check failed:\n{last}")
        return done.stdout


def version(root: Path) -> str:
    """The version of this checkout."""
    text = (root / "assistant" / "__init__.py").read_text("utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Do what is asked. Returns the exit code."""
    machine = probe.this_machine()
    layout = Layout(ROOT, machine.windows)
    commands = Commands(layout, machine, Setup(layout, machine, Progress()))
    table: dict[str, Callable[[Sequence[str]], int]] = {
        name: getattr(commands, name.replace("-", "_")) for name in COMMANDS
    }
    if not arguments or arguments[0] not in table:
        print(__doc__ or "")
        return 0 if arguments and arguments[0] in ("-h", "--help", "help") else 2
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return table[arguments[0]](arguments[1:])
    except Stop as stop:
        print(f"nestor: {stop.message}", file=sys.stderr)
        if stop.hint:
            print(f"  {stop.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nnestor: stopped. Run the same command again and it goes on from here.",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
