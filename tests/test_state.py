"""What `doctor` says of backups."""

from types import SimpleNamespace

import pytest

from assistant.state import State

NONE = {"last": None, "next": "2030-01-02T00:00:00Z", "count": 0, "problem": "", "hint": ""}


@pytest.mark.parametrize(
    ("report", "ok", "words"),
    [
        ({}, True, ("There is none yet", "due 2030-01-02T00:00:00Z")),
        ({"last": "2030-01-01T00:00:00Z"}, True, ("of 2030-01-01T00:00:00Z", "due")),
        ({"next": None}, True, ("none is made by itself",)),
        ({"problem": "Disk full.", "hint": "Free some."}, False, ("Disk full.", "tried again")),
    ],
)
async def test_backups_are_a_check(report, ok, words):
    async def told():
        return NONE | report

    rota = SimpleNamespace(report=told)
    parts = {"vectors": None, "sources": None, "rota": rota, "children": list}
    state = State(None, None, None, port=0, key_place="", **parts)
    check = await state._backup()
    assert check["ok"] is ok
    assert all(word in check["found"] for word in words)
    assert check["hint"] == ("" if ok else "Free some.")
