"""Fault runs: short in `make test`, long with NESTOR_FAULTS=full (`make test-faults`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FULL = os.environ.get("NESTOR_FAULTS") == "full"


@pytest.fixture
def full() -> bool:
    """Whether this is the long run."""
    return FULL


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """disk.c, built."""
    if sys.platform != "linux":
        pytest.skip("the disk that fails is preloaded, which this system does not do so simply")
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang", "g++", "clang++"))))
    library = tmp_path_factory.mktemp("disk") / "disk.so"
    command = [compiler, "-x", "c", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(
        [*command, "-o", library, Path(__file__).with_name("disk.c"), "-ldl", "-lpthread"],
        check=True,
    )
    return library
