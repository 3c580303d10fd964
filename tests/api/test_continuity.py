"""Drafts, the open conversation, and what devices send each other."""

import base64

import pytest
from running import RunningDaemon

from assistant.config import LIMITS

TOO_LARGE = "A" * 4 * (LIMITS.parcel_bytes // 3 + 1)


def test_a_draft_is_there_for_every_device_until_it_is_asked(daemon):
    chat = daemon.conversation()
    path = f"/api/v1/drafts/{chat}"
    assert daemon.api.get(path).json()["text"] == ""
    daemon.api.put(path, json={"text": "Where does ", "client": "phone"})
    daemon.api.put(path, json={"text": "Where does Ana live", "client": "phone"})
    found = daemon.api.get(path).json()
    assert (found["text"], found["client"]) == ("Where does Ana live", "phone")
    daemon.ask("Where does Ana live?", chat)
    assert daemon.api.get(path).json()["text"] == ""


def test_a_draft_goes_with_its_conversation_and_with_an_empty_text(daemon):
    chat = daemon.conversation()
    daemon.api.put(f"/api/v1/drafts/{chat}", json={"text": "x"})
    daemon.api.delete(f"/api/v1/conversations/{chat}")
    assert daemon.api.get(f"/api/v1/drafts/{chat}").status_code == 404
    daemon.api.put("/api/v1/drafts/new", json={"text": "for a new one"})
    assert daemon.api.get("/api/v1/drafts/new").json()["text"] == "for a new one"
    daemon.api.put("/api/v1/drafts/new", json={"text": ""})
    assert daemon.api.get("/api/v1/drafts/new").json()["text"] == ""


def test_drafts_are_few_and_short(daemon):
    first, *others = [daemon.conversation() for _ in range(LIMITS.typed + 1)]
    for chat in (first, *others):
        daemon.api.put(f"/api/v1/drafts/{chat}", json={"text": "x"})
    assert daemon.api.get(f"/api/v1/drafts/{first}").json()["text"] == ""
    assert daemon.api.get(f"/api/v1/drafts/{others[-1]}").json()["text"] == "x"
    long = daemon.api.put(
        "/api/v1/drafts/new", json={"text": "x" * (LIMITS.turn_chars + 1)}
    )  # fmt: skip
    assert long.json()["error"]["code"] == "text_too_long"


def test_what_is_typed_never_reaches_the_disk(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    running.api.put("/api/v1/drafts/new", json={"text": "canary-qwzx-77"})
    assert running.stop() == 0
    files = [file for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if b"canary-qwzx-77" in file.read_bytes()] == []


def test_the_open_conversation(daemon):
    chat = daemon.conversation()
    daemon.api.put("/api/v1/open", json={"conversation": chat, "client": "pc"})
    found = daemon.api.get("/api/v1/open").json()
    assert (found["conversation"], found["client"]) == (chat, "pc")
    daemon.api.delete(f"/api/v1/conversations/{chat}")
    assert daemon.api.get("/api/v1/open").json()["conversation"] is None
    gone = daemon.api.put("/api/v1/open", json={"conversation": chat})
    assert gone.json()["error"]["code"] == "conversation_not_found"


def test_a_parcel_waits_through_a_restart_until_it_is_taken(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    content = bytes(range(256)) * 64
    body = {"kind": "file", "name": "Été.bin", "content": base64.b64encode(content).decode()}
    made = running.api.post("/api/v1/parcels", json=body).json()
    assert (made["bytes"], made["name"]) == (len(content), "Été.bin")
    assert running.stop() == 0
    running.up()
    (listed,) = running.api.get("/api/v1/parcels").json()["items"]
    assert "content" not in listed
    found = running.api.get(f"/api/v1/parcels/{made['id']}").json()
    assert base64.b64decode(found["content"]) == content
    assert running.api.delete(f"/api/v1/parcels/{made['id']}").status_code == 200
    assert running.api.get("/api/v1/parcels").json()["items"] == []
    assert running.api.get(f"/api/v1/parcels/{made['id']}").status_code == 404
    assert running.stop() == 0
    everything = b"".join(f.read_bytes() for f in (tmp_path / "home").rglob("*") if f.is_file())
    assert content[:256] not in everything


def test_a_parcel_for_another_device_is_not_seen_here(daemon):
    sent = {"kind": "text", "text": "for the phone", "to": "d_phone"}
    made = daemon.api.post("/api/v1/parcels", json=sent).json()
    assert made["id"] not in [p["id"] for p in daemon.api.get("/api/v1/parcels").json()["items"]]
    for method in ("GET", "DELETE"):
        answer = daemon.api.request(method, f"/api/v1/parcels/{made['id']}")
        assert answer.json()["error"]["code"] == "parcel_not_found"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "link", "text": "javascript:alert(1)"}, "invalid_input"),
        ({"kind": "link", "text": "file:///etc/passwd"}, "invalid_input"),
        ({"kind": "text", "text": " "}, "empty_text"),
        ({"kind": "text", "text": "x", "content": "eA=="}, "invalid_input"),
        ({"kind": "file", "content": "eA=="}, "empty_text"),
        ({"kind": "file", "name": "../x", "content": "eA=="}, "invalid_input"),
        ({"kind": "file", "name": "a\nb", "content": "eA=="}, "invalid_input"),
        ({"kind": "file", "name": "x", "content": "not base64"}, "invalid_input"),
        ({"kind": "program", "text": "x"}, "invalid_input"),
        ({"kind": "file", "name": "x", "content": TOO_LARGE}, "body_too_large"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent(daemon, change, code):
    before = daemon.api.get("/api/v1/parcels").json()["items"]
    assert daemon.api.post("/api/v1/parcels", json=change).json()["error"]["code"] == code
    assert daemon.api.get("/api/v1/parcels").json()["items"] == before


def test_a_file_of_the_largest_size(daemon):
    content = b"\xff" * LIMITS.parcel_bytes
    body = {"kind": "file", "name": "big", "content": base64.b64encode(content).decode()}
    made = daemon.api.post("/api/v1/parcels", json=body)
    assert made.status_code == 201, made.text
    found = daemon.api.get(f"/api/v1/parcels/{made.json()['id']}").json()
    assert base64.b64decode(found["content"]) == content
    daemon.api.delete(f"/api/v1/parcels/{made.json()['id']}")


def test_what_nobody_takes_has_an_end(daemon):
    for one in daemon.api.get("/api/v1/parcels").json()["items"]:
        daemon.api.delete(f"/api/v1/parcels/{one['id']}")
    answers = [
        daemon.api.post("/api/v1/parcels", json={"kind": "text", "text": str(n), "to": "d_gone"})
        for n in range(LIMITS.parcels + 1)
    ]
    assert answers[-1].json()["error"]["code"] == "too_many_parcels"
    assert answers[0].status_code == 201
