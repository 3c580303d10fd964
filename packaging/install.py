"""Make .venv what this checkout needs: which builds, in which order, with which pip commands.

Standard library only. All that is installed goes into .venv; nothing else is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import probe
from steps import Progress, Stamp, Step, Stop, carry_out, mend, only_one, watch

PYTHON = "{}.{}".format(*sys.version_info[:2])
FREE_GB = {"cpu": 4, "metal": 4, "cuda": 12}


@dataclass(frozen=True)
class Layout:
    """Where things lie in a checkout."""

    root: Path
    windows: bool

    @property
    def venv(self) -> Path:
        """The virtual environment; all that is installed is in it."""
        return self.root / ".venv"

    def program(self, name: str) -> Path:
        """A program of the virtual environment."""
        folder, end = ("Scripts", ".exe") if self.windows else ("bin", "")
        return self.venv / folder / (name + end)

    @property
    def python(self) -> Path:
        """The virtual environment's Python."""
        return self.program("python")

    @property
    def site(self) -> Path:
        """Where packages are installed."""
        lib = ("Lib",) if self.windows else ("lib", f"python{PYTHON}")
        return self.venv.joinpath(*lib, "site-packages")

    @property
    def stamp(self) -> Path:
        """What is done."""
        return self.venv / ".nestor-stamp.json"

    @property
    def log(self) -> Path:
        """All that pip said."""
        return self.venv / "nestor-install.log"

    @property
    def constraints(self) -> Path:
        """The exact versions."""
        return self.root / "packaging" / "constraints.txt"


# --- what to install -------------------------------------------------------------------------


def requirements(layout: Layout) -> tuple[list[str], list[str]]:
    """What pyproject.toml asks for: to run, and to develop."""
    project = tomllib.loads((layout.root / "pyproject.toml").read_text("utf-8"))["project"]
    return project["dependencies"], project["optional-dependencies"]["dev"]


EXTRAS = {"voice": "speech", "desktop": "windows and hotkeys"}
"""Extras that are tried on every machine, and what each is for."""


def extra(layout: Layout, name: str) -> list[str]:
    """What one extra of pyproject.toml asks for."""
    project = tomllib.loads((layout.root / "pyproject.toml").read_text("utf-8"))["project"]
    return list(project["optional-dependencies"][name])


def identity(layout: Layout) -> str:
    """What an installed Nestor takes over from the checkout: metadata, scripts, version."""
    told = tomllib.loads((layout.root / "pyproject.toml").read_text("utf-8"))
    version = (layout.root / "assistant" / "__init__.py").read_text("utf-8")
    return json.dumps([told["build-system"], told["project"], told["tool"]["hatch"], version])


def pin(constraints: str, name: str) -> str:
    """The `name==version` line of the constraints."""
    for line in constraints.splitlines():
        if line.partition("==")[0].strip().lower().replace("_", "-") == name:
            return line.strip()
    raise Stop(f"packaging/constraints.txt has no version for {name}.")


def digest(*inputs: str) -> str:
    """A short name for a step's inputs."""
    return hashlib.sha256("\0".join([PYTHON, *inputs]).encode()).hexdigest()[:16]


def quiet_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: the user's configuration, less what would lead it out of .venv."""
    gone = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "CMAKE_ARGS", "FORCE_CMAKE"}
    kept = {name: value for name, value in environ.items() if name not in gone}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}


@dataclass(frozen=True)
class Build:
    """One way to get llama-cpp-python."""

    kind: str
    """`cuda`, `metal` or `cpu`: what it must be able to do when installed."""
    source: str
    """`wheel`: prebuilt only; `any`: whatever pip finds first; `compile`: from source only."""
    cmake: str = ""
    cache: str = ""
    """Folder under pip's cache for wheels built so; empty for pip's own, which is for plain CPU."""
    index: str = ""

    @property
    def label(self) -> str:
        """For the stamp and the user."""
        return self.cache.removeprefix("nestor-") or self.kind

    def arguments(self, requirement: str, cache_dir: str) -> list[str]:
        """What pip install is told."""
        told = [requirement]
        if self.index:
            told += ["--extra-index-url", self.index]
        if self.source != "any":
            flag = "--only-binary" if self.source == "wheel" else "--no-binary"
            told += [flag, "llama-cpp-python"]
        if self.cache:
            told += ["--cache-dir", str(Path(cache_dir) / self.cache)]
        return told


def builds(found: probe.Accelerator, environ: Mapping[str, str], *, prebuilt: bool) -> list[Build]:
    """The ways to get llama-cpp-python on this machine, best first; the last one is plain CPU.

    An accelerated wheel that is compiled here has its own cache: pip's cache does not know
    CMAKE_ARGS, and would hand a CPU wheel to a GPU machine and the other way round.
    """
    index, cmake = environ.get("NESTOR_LLAMA_INDEX", ""), environ.get("CMAKE_ARGS", "").strip()
    ways = []
    if cmake:
        name = f"nestor-custom-{hashlib.sha256(cmake.encode()).hexdigest()[:8]}"
        return [Build("cpu", "compile", cmake, name)]
    if found.kind != "cpu" and prebuilt:
        ways.append(Build(found.kind, "wheel", index=index))
    if found.kind == "metal" or (found.kind == "cuda" and found.nvcc):
        flag = f"-DGGML_{found.kind.upper()}=on"
        ways.append(Build(found.kind, "compile", flag, f"nestor-{found.kind}"))
    return [*ways, Build("cpu", "any", index=index)]


# --- installing ------------------------------------------------------------------------------


class Setup:
    """Makes .venv what the checkout needs."""

    def __init__(self, layout: Layout, machine: probe.Machine, progress: Progress) -> None:
        self.layout, self.machine, self.progress = layout, machine, progress
        self.lock: int | None = None

    def install(self, *, dev: bool = False) -> None:
        """Do all steps that are not done. A second run costs a few file reads."""
        with self._locked():
            stamp = self._environment()
            found = self._accelerator(stamp)
            steps = self._steps(found, stamp, dev=dev)
            if all(stamp.done(step.name, step.digest) for step in steps):
                return
            self._room(found)
            if stamp.interrupted:
                self.progress.say(f"Continuing a set-up that stopped at: {stamp.interrupted}")
                mend(self.layout.site)
            carry_out(steps, stamp, self.progress)

    def _steps(self, found: probe.Accelerator, stamp: Stamp, *, dev: bool) -> list[Step]:
        constraints = self.layout.constraints.read_text("utf-8")
        run, develop = requirements(self.layout)
        signature = probe.signature(self.machine)
        llama, torch = pin(constraints, "llama-cpp-python"), pin(constraints, "torch")
        others = [need for need in run if not need.startswith(("llama-cpp-python", "torch"))]
        steps = [
            Step(
                "llama",
                f"the model's engine, {llama}",
                digest(llama, signature),
                lambda: self._llama(llama, found, stamp),
            ),
            Step(
                "torch",
                torch,
                digest(torch, signature),
                lambda: self._torch(torch, found, stamp),
            ),
            Step(
                "libraries",
                "the other libraries",
                digest(constraints, *others),
                lambda: self._pip(*others),
            ),
            Step(
                "nestor",
                "Nestor itself",
                digest(identity(self.layout), str(self.layout.root)),
                lambda: self._pip("--no-deps", "-e", str(self.layout.root)),
            ),
        ]
        if dev:
            tools = Step(
                "dev", "tools for tests", digest(constraints, *develop), lambda: self._pip(*develop)
            )
            steps.append(tools)
        for name, purpose in EXTRAS.items():
            wanted = extra(self.layout, name)
            install = partial(self._extra, purpose, wanted, needed=dev)
            steps.append(Step(name, purpose, digest(constraints, *wanted), install))
        return steps

    # .venv itself

    def _environment(self) -> Stamp:
        stamp = Stamp(self.layout.stamp)
        if self._healthy(stamp):
            return stamp
        if probe.missing_venv():
            raise Stop(
                "This Python cannot make virtual environments.",
                probe.hint(self.machine, "venv", PYTHON),
            )
        self.progress.start("the virtual environment .venv")
        if self.layout.venv.is_symlink() or self.layout.venv.is_file():
            raise Stop(".venv is not a folder.", "Remove it, then run this again.")
        shutil.rmtree(self.layout.venv, ignore_errors=True)
        # From inside another virtual environment, its own Python would not outlive it.
        base = getattr(sys, "_base_executable", "") or sys.executable
        made = subprocess.run(
            [base, "-m", "venv", str(self.layout.venv)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if made.returncode:
            last = (made.stdout + made.stderr).strip().splitlines()[-1:]
            raise Stop(f"The virtual environment could not be made: {' '.join(last)}")
        self.progress.end()
        stamp = Stamp(self.layout.stamp)
        stamp.note(root=str(self.layout.root))
        return stamp

    def _healthy(self, stamp: Stamp) -> bool:
        """Whether .venv can be used: right version, its Python and pip there, not moved."""
        config = self.layout.venv / "pyvenv.cfg"
        if not config.exists() or not self.layout.python.exists():
            return False
        version = re.search(r"(?m)^version(?:_info)? *= *(\d+\.\d+)", config.read_text("utf-8"))
        moved = stamp.values.get("root", str(self.layout.root)) != str(self.layout.root)
        right = bool(version and version[1] == PYTHON)
        return right and not moved and (self.layout.site / "pip").is_dir()

    def _accelerator(self, stamp: Stamp) -> probe.Accelerator:
        """Ask the driver only when something changed about the machine: that takes a second."""
        signature = digest(probe.signature(self.machine))
        kept = stamp.values.get("accelerator")
        if stamp.values.get("signature") == signature and isinstance(kept, dict):
            return probe.Accelerator(**kept)
        found = probe.accelerator(self.machine)
        stamp.note(signature=signature, accelerator=vars(found))
        self.progress.say(
            f"Python {PYTHON}, {self.machine.system} {self.machine.arch}, {found.name}"
        )
        return found

    def _room(self, found: probe.Accelerator) -> None:
        free = shutil.disk_usage(self.layout.root).free / 1e9
        used = sum(1 for _ in self.layout.site.glob("*.dist-info")) > 20  # most of it is there
        if free < FREE_GB[found.kind] and not used:
            raise Stop(
                f"There are {free:.1f} GB free here; the set-up needs {FREE_GB[found.kind]} GB.",
                "Free some space, or move this folder to a larger disk.",
            )

    # steps

    def _torch(self, wanted: str, found: probe.Accelerator, stamp: Stamp) -> str:
        index = self.machine.environ.get("NESTOR_TORCH_INDEX", "")
        more = ["--extra-index-url", index] if index else []
        requirement, kind = wanted, found.kind
        if kind == "cuda" and not index:
            # A "+cpu" build offered by pip's configuration outranks the plain version, which is
            # the CUDA build; === takes the plain one alone.
            plain = wanted.replace("==", "===")
            requirement = plain if self._offered(plain) else wanted
        offered = self._offered(requirement, *more)
        cuda = self.machine.system == "Linux" and "x86_64" in offered and "+cpu" not in offered
        label = "cuda" if cuda else "cpu"
        size = "about 3 GB with its CUDA libraries" if cuda else "about 200 MB"
        if offered:
            self.progress.say(f"      {wanted}: {label} build, a download of {size}")
        if cuda and kind == "cpu":
            self.progress.say(
                "      No GPU was found, but pip is configured with no CPU build. Set\n"
                "      NESTOR_TORCH_INDEX to an index that has one to save most of the download."
            )
        if stamp.build("torch") not in ("", label):
            self._pip_command("uninstall", "-y", "torch")
        self._pip(requirement, *more)
        return label

    def _extra(self, purpose: str, wanted: list[str], *, needed: bool) -> str:
        """What Nestor does without where it cannot be had."""
        try:
            self._pip(*wanted)
        except Stop:
            if needed:
                raise
            self.progress.say(f"      {purpose.capitalize()} cannot be had here; all else works.")
            return "missing"
        return "there"

    def _llama(self, wanted: str, found: probe.Accelerator, stamp: Stamp) -> str:
        index = self.machine.environ.get("NESTOR_LLAMA_INDEX", "")
        more = ["--extra-index-url", index] if index else []
        only = ("--only-binary", "llama-cpp-python")
        prebuilt = bool(self._offered(wanted, *only, *more))
        if found.kind == "cuda" and not found.nvcc and not prebuilt:
            self.progress.say(
                "      nvcc is missing, so the model will run on the CPU. To use the GPU:\n"
                f"      {probe.hint(self.machine, 'nvcc')}, then run this again."
            )
        there = stamp.build("llama")
        for build in builds(found, self.machine.environ, prebuilt=prebuilt):
            if there not in ("", build.label):
                self._pip_command("uninstall", "-y", "llama-cpp-python")
            reason = self._try(build, wanted, found, prebuilt=prebuilt)
            if not reason:
                return build.label
            self.progress.say(
                f"      {build.label} ({build.source}): {reason}; trying the next way"
            )
            there = f"{build.label}, no good"
        raise Stop("llama-cpp-python could not be installed.", f"See {self.layout.log}")

    def _try(self, build: Build, wanted: str, found: probe.Accelerator, *, prebuilt: bool) -> str:
        """Install one build and look at it. Returns why it is no good; empty if it is."""
        last = build.kind == "cpu"
        compiles = build.source == "compile" or (build.source == "any" and not prebuilt)
        if compiles and not self._cached(build) and not probe.compiler(self.machine):
            reason = "llama-cpp-python has to be compiled here, and there is no C++ compiler"
            if last:
                raise Stop(reason + ".", probe.hint(self.machine, "c++"))
            return reason
        extra = {"CMAKE_ARGS": build.cmake} if build.cmake else {}
        if build.kind == "cuda" and found.nvcc:
            extra["CUDACXX"] = found.nvcc
        cache = self._ask("cache", "dir").strip() if build.cache else ""
        try:
            self._pip(*build.arguments(wanted, cache), extra=extra, usually=self._usually(build))
        except Stop:
            if last:
                raise
            return f"it did not install (see {self.layout.log})"
        code = "import llama_cpp; print(llama_cpp.llama_supports_gpu_offload())"
        able = self.machine.output([str(self.layout.python), "-c", code])
        if able is None and last:
            raise Stop(
                "llama-cpp-python is installed, but cannot be loaded on this machine.",
                f"{self.layout.python} -c 'import llama_cpp' shows why.",
            )
        return "" if last or (able or "").strip() == "True" else "it cannot use the GPU"

    def _usually(self, build: Build) -> str:
        cores = os.cpu_count() or 1
        if build.kind == "cuda":
            return f"a CUDA build can take half an hour or more on {cores} cores"
        low, high = max(1, 12 // cores), max(2, 20 // cores)
        return f"usually {low}-{high} min on {cores} cores"

    def _cached(self, build: Build) -> bool:
        more = []
        if build.cache:
            more = ["--cache-dir", str(Path(self._ask("cache", "dir").strip()) / build.cache)]
        return bool(
            self._ask("cache", "list", "llama_cpp_python", "--format=abspath", *more).strip()
        )

    # pip

    def _pip(
        self, *arguments: str, extra: Mapping[str, str] | None = None, usually: str = ""
    ) -> str:
        constraints = ("-c", str(self.layout.constraints))
        self._pip_command("install", *constraints, *arguments, extra=extra, usually=usually)
        return ""

    def _pip_command(
        self, *arguments: str, extra: Mapping[str, str] | None = None, usually: str = ""
    ) -> None:
        def beat(line: str) -> None:
            doing = phase(line)
            self.progress.beat(doing, usually if doing.startswith("compiling") else "")

        code, lines = watch(
            [str(self.layout.python), "-m", "pip", *arguments],
            env={**quiet_environment(self.machine.environ), **(extra or {})},
            cwd=self.layout.root,
            log=self.layout.log,
            beat=beat,
            keep=() if self.lock is None else (self.lock,),
        )
        if code:
            shown = "\n".join(f"    {line}" for line in lines[-12:])
            raise Stop(
                f"pip {arguments[0]} failed:\n{shown}",
                f"Everything it said is in {self.layout.log}. If it was the network, run this "
                "again: it continues here.",
            )

    def _ask(self, *arguments: str) -> str:
        """What pip answers; empty if it fails."""
        done = subprocess.run(
            [str(self.layout.python), "-m", "pip", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            env=quiet_environment(self.machine.environ),
            cwd=self.layout.root,
            check=False,
        )
        return "" if done.returncode else done.stdout

    def _offered(self, *arguments: str) -> str:
        """The file pip would take for a requirement, not fetching it; empty if there is none."""
        told = ("--dry-run", "--quiet", "--no-deps", "--ignore-installed", "--report", "-")
        with contextlib.suppress(ValueError, KeyError, IndexError):
            report = json.loads(self._ask("install", *told, *arguments))
            url: str = report["install"][0]["download_info"]["url"]
            return url.rpartition("/")[2].replace("%2B", "+")
        return ""

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        told = False

        def wait() -> None:
            nonlocal told
            if not told:
                self.progress.say("Another set-up is running in this folder; waiting for it.")
                told = True
            time.sleep(0.5)

        with only_one(self.layout.constraints, wait) as self.lock:
            yield


def phase(line: str) -> str:
    """What pip is doing, from the last line it printed."""
    text = line.strip()
    if match := re.match(r"Building (?:editable|wheel) for (\S+)", text):
        return f"compiling {match[1]}"
    if match := re.match(r"(?:Downloading|Using cached) (\S+?)(?:-\d\S*)?( \(.*\))?$", text):
        return f"fetching {match[1].rpartition('/')[2]}{match[2] or ''}"
    if match := re.match(r"Collecting ([\w.-]+)", text):
        return f"looking for {match[1]}"
    if text.startswith(("Installing collected", "Attempting uninstall")):
        return "unpacking"
    return "working"
