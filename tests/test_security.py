"""SECURITY.md promises nothing that no test holds."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
PROMISED = TEXT.partition("## What we promise")[2].partition("\n## ")[0]
PROMISES = [one.strip() for one in re.split(r"\n   - ", PROMISED)[1:]]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


def test_the_promises_are_found():
    assert len(PROMISES) >= 15


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[:30])
def test_every_promise_names_its_tests(promise):
    assert re.search(r"`tests/[\w/]+\.py", promise)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_is_named_exists(path, name):
    source = (ROOT / path).read_text("utf-8")
    assert re.search(rf"^(async )?def {name or 'test_'}", source, re.MULTILINE)
