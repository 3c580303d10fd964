"""The peer that Ollama and LM Studio are built on: llama-server, from the very source of our library.

It is built once from the llama.cpp inside the llama-cpp-python source package of the installed
version, which pip fetches from wherever the user's pip fetches. Where the system lets us, it then
runs on the ggml and llama libraries that are installed with the package: the kernels are not alike,
they are the same files, whatever options they were compiled with.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path

from platformdirs import user_cache_path

from tests.bench.progress import say
from tests.bench.servers import THREADS, Peer, Unavailable, free_port, start

NAME = "llama-server"
GIVEN = "NESTOR_BENCH_LLAMA_SERVER"
"""Environment variable with the path of a llama-server to use instead of building one."""
SLOTS = 8

_PACKAGE = "llama-cpp-python"
_PROGRAM = "llama-server.exe" if sys.platform == "win32" else "llama-server"
_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_BUILD_SERVER=ON", "-DLLAMA_BUILD_TOOLS=ON",
    "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
)  # fmt: skip
_LIBRARY_PATH = {"linux": "LD_LIBRARY_PATH", "darwin": "DYLD_LIBRARY_PATH"}
_PERCENT = re.compile(r"^\[\s*(\d+)%\]")
_TELL_S = 15.0


def launch(model: Path, context: int, log: Path, *, safe: bool) -> Peer:
    """Start it with 8 slots over one unified cache and its prompt cache on, as it comes.

    `safe`: without extra buffers, as our engine runs too where the CPU needs that. Raises
    Unavailable if it cannot be built or started.
    """
    port = free_port()
    command = [
        *(str(program()), "--model", str(model), "--ctx-size", str(context)),
        *("--parallel", str(SLOTS), "--kv-unified", "--threads", str(THREADS)),
        *("--host", "127.0.0.1", "--port", str(port), "--offline"),
        *(("--no-repack",) if safe else ()),
    ]
    return start(NAME, command, port, log, _same_libraries())


def program() -> Path:
    """The llama-server to use; built if there is none yet. Raises Unavailable."""
    if given := os.environ.get(GIVEN):
        if not Path(given).is_file():
            raise Unavailable(f"{GIVEN} names no file")
        return Path(given)
    version = metadata.version(_PACKAGE).partition("+")[0]
    folder = user_cache_path("nestor-bench", appauthor=False) / f"{NAME}-{version}"
    built = folder / "build" / "bin" / _PROGRAM
    if not (folder / "complete").exists():
        _build(version, folder)
    return built


def _same_libraries() -> dict[str, str]:
    """Environment that makes it load the installed package's libraries."""
    variable, spec = _LIBRARY_PATH.get(sys.platform), util.find_spec("llama_cpp")
    if variable is None or spec is None or spec.origin is None:
        return {}
    return {variable: str(Path(spec.origin).parent / "lib")}


# --- building --------------------------------------------------------------------------------


def _build(version: str, folder: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        raise Unavailable(f"{NAME} skipped: there is no cmake to build it with")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="source-", dir=folder) as scratch:
        source = _source(version, Path(scratch))
        say(f"{NAME}: building it once, which takes some minutes; the log is in {folder}")
        build, log = folder / "build", folder / "build.log"
        options = (*_OPTIONS, *shlex.split(os.environ.get("CMAKE_ARGS", "")))
        _carry_out([cmake, "-S", str(source), "-B", str(build), *options], log)
        jobs = str(os.cpu_count() or 1)
        _carry_out(
            [cmake, "--build", str(build), "--config", "Release", "-j", jobs, "--target", NAME], log
        )
    _drop_objects(build)
    (folder / "complete").touch()
    say(f"{NAME}: built in {time.monotonic() - begun:.0f} s")


def _source(version: str, scratch: Path) -> Path:
    """The llama.cpp inside the source package."""
    say(f"{NAME}: fetching the source package of {_PACKAGE} {version}")
    command = [
        *(sys.executable, "-m", "pip", "download", f"{_PACKAGE}=={version}", "--no-deps"),
        *("--no-binary", _PACKAGE, "--dest", str(scratch), "--quiet", "--no-input"),
    ]
    # pip's own words can carry the address and password of a registry: they are not shown.
    done = subprocess.run(command, capture_output=True, check=False)
    archives = list(scratch.glob("*.tar.gz"))
    if done.returncode or len(archives) != 1:
        raise Unavailable(f"{NAME} skipped: pip cannot fetch the source package {version}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(scratch, _only_llama_cpp(archive), filter="data")
    (source,) = scratch.glob("*/vendor/llama.cpp")
    return source


def _only_llama_cpp(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    return (member for member in archive if "/vendor/llama.cpp/" in member.name)


def _carry_out(command: list[str], log: Path) -> None:
    """Run a step of the build, its per cents shown. Raises Unavailable with its last line."""
    told, line = time.monotonic(), ""
    with log.open("a") as out, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:  # fmt: skip
        try:
            for line in process.stdout or ():
                out.write(line)
                if (found := _PERCENT.match(line)) and time.monotonic() - told > _TELL_S:
                    told = time.monotonic()
                    say(f"{NAME}: {found[1]} % built")
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise Unavailable(f"{NAME} skipped: it cannot be built here: {line.strip()}")


def _drop_objects(build: Path) -> None:
    """Keep what runs; the rest is some hundred megabytes."""
    for path in build.iterdir():
        if path.name != "bin":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
