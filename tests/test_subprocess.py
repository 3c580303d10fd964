"""Programs we start are a short list: a route must never come to run a command of the caller's."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "assistant"

ALLOWED = {
    "clients/launch.py": "the daemon itself, detached",
    "engine/wheel.py": "pip download of pinned packages from the catalogue",
    "speech/espeak.py": "espeak-ng, which gets text by a pipe, in the child that has no network",
    "worker/supervisor.py": "our own child processes",
}
NAMES = {"subprocess", "create_subprocess_exec", "create_subprocess_shell", "system", "popen", "pty",
         "execv", "execve", "execvp", "spawnl", "spawnv", "posix_spawn", "fork", "startfile"}  # fmt: skip
FORBIDDEN = {"eval", "exec", "compile", "__import__"}


def starters(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.name for alias in names} & NAMES
                if isinstance(node, ast.ImportFrom):
                    found |= {node.module} & NAMES
            # `system` is also what a conversation's prompt begins with
            case ast.Attribute(attr="system", value=value) if ast.unparse(value) != "os":
                pass
            case ast.Attribute(attr=name) if name in NAMES:
                found.add(name)
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN:
                found.add(name)
            case ast.keyword(arg="shell"):
                found.add("shell")
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_these_files_start_programs(path):
    name = str(path.relative_to(ROOT)).replace("\\", "/")
    found = starters(path.read_text("utf-8"))
    assert not found & (FORBIDDEN | {"shell", "create_subprocess_shell", "system", "popen"})
    if name not in ALLOWED:
        assert found == set()


@pytest.mark.parametrize("name", ALLOWED)
def test_the_list_is_no_longer_than_it_must_be(name):
    assert starters((ROOT / name).read_text("utf-8"))


@pytest.mark.parametrize(
    "source",
    ["import subprocess", "from subprocess import run", "import os\nos.system('x')", "eval('1')",
     "from os import popen", "run(x, shell=True)", "asyncio.create_subprocess_exec('x')"],
)  # fmt: skip
def test_the_check_sees_them(source):
    assert starters(source)
