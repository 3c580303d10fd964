"""Fixtures every part of the suite may use."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from assistant.config import load_paths
from assistant.engine.catalogue import Catalogue
from assistant.errors import Conflict


def _pulled(model_id: str) -> Path:
    """A catalogue model's file, fetched into the models folder unless it is there."""
    catalogue = Catalogue(load_paths().models)
    while True:
        try:
            for _ in catalogue.pull(model_id):
                pass
            return catalogue.resolve(model_id).path
        except Conflict:  # another run of the suite is fetching it
            time.sleep(1)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """SmolLM2-135M: quick, and its answers are useless."""
    return _pulled("tiny")


@pytest.fixture(scope="session")
def starter_model() -> Path:
    """Qwen2.5-Coder-0.5B: the embedded default."""
    return _pulled("starter")
