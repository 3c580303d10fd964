"""Allow a folder over the API and the command line, ask about it, take it back."""

from __future__ import annotations

import json
import time

import pytest
from running import RunningDaemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = RunningDaemon(tmp_path_factory.mktemp("home")).up()
    yield running
    assert running.stop() == 0


def test_the_life_of_a_source(daemon, tmp_path):
    folder = tmp_path / "Papers"
    folder.mkdir()
    (folder / "cabin.md").write_text("# Cabin\n\nThe wifi password of the cabin is heron-42.\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 junk")
    (folder / ".env").write_text("KEY=1")
    done = daemon.cli("sources", "add", str(folder))
    assert done.returncode == 0, done.stderr
    assert "1 files, 1 passages" in done.stdout
    assert "1 files could not be read" in done.stdout
    assert "1 keys and passwords" in done.stdout
    (source,) = daemon.api.get("/api/v1/sources").json()["items"]
    assert (source["state"], source["job"]["state"], source["job"]["errors"]) == (
        "ready",
        "done",
        1,
    )
    status = daemon.cli("sources", "status", str(folder))
    assert "broken.pdf: It is damaged" in status.stdout
    # A hit, an answer's event and its receipt name the place; the prompt quotes it as a file's.
    (hit,) = daemon.api.post(
        "/api/v1/memories/search", json={"query": "wifi password of the cabin", "k": 1}
    ).json()["items"]
    assert (hit["source"], hit["place"]["lines"]) == ("Papers/cabin.md, “Cabin”, lines 1-3", [1, 3])
    seen = daemon.ask("What is the wifi password of the cabin?")
    (item,) = seen[1][2]["items"]
    assert item["source"] == hit["source"]
    receipt = next(data for _, name, data in seen if name == "receipt")
    assert receipt["memories"][0]["id"] == hit["id"]
    assert daemon.api.get("/api/v1/status").json()["sources"]["files"] == 1
    # Not twice, not what is refused, nothing that is not there.
    for path, status in ((folder, 409), ("/etc", 403), (tmp_path / "none", 422)):
        answer = daemon.api.post("/api/v1/sources", json={"path": str(path)})
        assert answer.status_code == status, answer.text
        assert str(path) not in answer.text
    done = daemon.cli("sources", "remove", source["id"], "--yes", "--json")
    assert json.loads(done.stdout) == {"removed": source["id"]}
    assert daemon.api.get(f"/api/v1/sources/{source['id']}").status_code == 404
    found = daemon.api.post("/api/v1/memories/search", json={"query": "heron-42"}).json()["items"]
    assert found == []


def test_one_file_can_be_attached(daemon, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("The plumber comes on Friday.")
    made = daemon.api.post("/api/v1/sources", json={"path": str(path), "kind": "file"}).json()
    deadline = time.monotonic() + 20
    while daemon.api.get(f"/api/v1/sources/{made['id']}").json()["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    files = daemon.api.get(f"/api/v1/sources/{made['id']}/files").json()["items"]
    assert [(file["path"], file["chunks"]) for file in files] == [("letter.txt", 1)]
    assert daemon.api.delete(f"/api/v1/sources/{made['id']}").json() == {"removed": made["id"]}


@pytest.mark.parametrize("how", ["source", "everything"])
def test_what_is_forgotten_does_not_come_back_when_its_folder_changes(daemon, tmp_path, how):
    folder = tmp_path / "Papers"
    folder.mkdir()
    (folder / "barn.md").write_text("The gate code of the barn is otter-77.\n")
    assert daemon.cli("sources", "add", str(folder)).returncode == 0
    (source,) = daemon.api.get("/api/v1/sources").json()["items"]
    assert daemon.api.get("/api/v1/status").json()["memory"]["count"] == 1
    daemon.api.put("/api/v1/drafts/new", json={"text": "otter-77?"}).raise_for_status()
    which = {"source": source["id"]} if how == "source" else {"everything": True}
    told = daemon.api.post("/api/v1/forget", json=which | {"dry_run": True}).json()
    which |= {"confirm": told["confirm"]} if how == "everything" else {}
    gone = daemon.api.post("/api/v1/forget", json=which).json()
    assert (len(gone["forgotten"]), gone["proof"]["places"]) == (1, [])
    assert daemon.api.get("/api/v1/sources").json()["items"] == []
    (folder / "barn.md").write_text("The gate code of the barn is otter-78.\n")
    time.sleep(3.0)  # a change is noticed within one
    assert daemon.api.get("/api/v1/status").json()["memory"]["count"] == 0
    typed = daemon.api.get("/api/v1/drafts/new").json()["text"]
    assert typed == ("" if how == "everything" else "otter-77?")
