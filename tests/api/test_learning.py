"""Learning through a real daemon: offered, accepted, refused; three modes and two switches."""

from __future__ import annotations

import json
import time

import pytest
from running import RunningDaemon

RECORD = {"quote": "I play the cello", "subject": "me", "attribute": "hobby", "value": "cello"}


@pytest.fixture
def daemon(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": ["Nice.", json.dumps({"facts": [RECORD]})]}))
    running = RunningDaemon(tmp_path / "home", model=f"fake:{script}").up()
    yield running
    assert running.stop() == 0


def waiting(daemon, count):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        items = daemon.api.get("/api/v1/suggestions").json()["items"]
        if len(items) >= count:
            break
        time.sleep(0.05)
    return {one["text"]: one["id"] for one in items}


def test_offered_accepted_and_refused(daemon):
    daemon.ask("I play the cello. I live in Lyon")
    found = waiting(daemon, 2)
    assert sorted(found) == ["I live in Lyon", "I play the cello"]
    assert daemon.api.get("/api/v1/memories").json()["items"] == []
    listed = daemon.cli("suggestions", "list")
    assert "I play the cello" in listed.stdout
    accepted = daemon.cli("suggestions", "accept", found["I play the cello"])
    assert "Remembered: I play the cello" in accepted.stdout
    assert daemon.cli("suggestions", "reject", found["I live in Lyon"]).returncode == 0
    assert waiting(daemon, 0) == {}
    (row,) = daemon.api.get("/api/v1/memories").json()["items"]
    assert (row["kind"], row["trust"], row["quote"]) == ("fact", "user", "I play the cello")
    answer = daemon.api.post("/api/v1/suggestions/g_none/accept")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "suggestion_not_found")


def test_modes_and_switches(daemon):
    assert daemon.cli("learning").stdout.strip() == "ask"
    assert daemon.cli("learning", "off").stdout.strip() == "off"
    daemon.ask("I live in Lyon")
    assert daemon.cli("learning", "auto").stdout.strip() == "auto"
    assert daemon.api.put("/api/v1/learning", json={"mode": "loud"}).status_code == 422
    assert waiting(daemon, 0) == {}
    chat = daemon.api.post("/api/v1/conversations", json={"learn": "off"}).json()
    daemon.ask("I live in Lyon", chat["id"])
    assert daemon.api.get("/api/v1/memories").json()["items"] == []
    changed = daemon.api.patch(
        f"/api/v1/conversations/{chat['id']}", json={"learn": "", "memory": False}
    )
    assert (changed.json()["learn"], changed.json()["memory"]) == ("", False)
    daemon.ask("I live in Lyon", chat["id"])
    deadline = time.monotonic() + 10
    while not (rows := daemon.api.get("/api/v1/memories").json()["items"]):
        assert time.monotonic() < deadline
    assert [row["text"] for row in rows] == ["I live in Lyon"]
    seen = daemon.ask("Where do I live?", chat["id"])
    receipt = next(data for _, name, data in seen if name == "receipt")
    assert (receipt["memories"], receipt["profile"]) == ([], [])
    fresh = daemon.ask("Where do I live?")
    receipt = next(data for _, name, data in fresh if name == "receipt")
    assert receipt["profile"] == [rows[0]["id"]]
    assert receipt["tokens"]["pinned"] > 0
    off = daemon.ask("Where do I live?", memory=False)
    receipt = next(data for _, name, data in off if name == "receipt")
    assert (receipt["profile"], receipt["tokens"]["pinned"]) == ([], 0)
