"""`POST /api/v1/warm`, and what a turn may leave out, through a real daemon with the fake model."""

import time

import pytest

from assistant.clients.http import Client


def ready(daemon, **body):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = daemon.api.post("/api/v1/warm", json=body)
        assert answer.status_code in (200, 202), answer.text
        if answer.status_code == 200:
            return answer.json()
        assert answer.json()["state"] in ("loading", "warming")
        time.sleep(0.02)
    raise AssertionError("never ready")


def test_a_draft_is_made_ready_and_its_block_is_used(daemon):
    text = "The code of the boathouse is otter-77"
    memory = daemon.api.post("/api/v1/memories", json={"text": text}).json()
    conversation = daemon.conversation()
    shown = ready(daemon, conversation=conversation, draft="What is the code of the boathouse")
    assert shown == {
        "state": "ready", "conversation": conversation, "model": "fake",
        "memories": [memory["id"]], "tokens": shown["tokens"], "problem": None,
    }  # fmt: skip
    assert shown["tokens"] > 10
    seen = daemon.ask("What is the code of the boathouse?", conversation)
    assert [row["id"] for row in seen[1][2]["items"]] == [memory["id"]]
    daemon.api.delete(f"/api/v1/memories/{memory['id']}")


def test_without_a_conversation_it_is_for_a_new_one(daemon):
    shown = ready(daemon)
    assert (shown["state"], shown["conversation"], shown["memories"]) == ("ready", None, [])
    assert ready(daemon, draft="Hello", conversation=None)["state"] == "ready"
    assert daemon.ask("Hello you")[-1][1] == "done"


def test_what_is_not_there_fails_without_an_error(daemon):
    shown = ready(daemon, conversation="c_none", draft="Hello")
    assert shown["state"] == "failed"
    assert shown["problem"]["code"] == "conversation_not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"conversation_id": "c_1"}, "invalid_input"),
        ({"draft": 5}, "invalid_input"),
        ({"draft": "a\0b"}, "invalid_input"),
        ({"draft": "x" * 40_000}, "text_too_long"),
        ({"conversation": "x" * 500}, "text_too_long"),
    ],
)
def test_what_cannot_be_meant_is_refused(daemon, body, code):
    answer = daemon.api.post("/api/v1/warm", json=body)
    assert answer.json()["error"]["code"] == code


def test_a_draft_leaves_nothing_in_files_and_log(daemon):
    ready(daemon, conversation=daemon.conversation(), draft="unsent sentinel qqvx-1")
    kept = [p for p in daemon.home.rglob("*") if p.is_file() and b"qqvx-1" in p.read_bytes()]
    assert kept == []


def test_a_client_of_a_daemon_that_is_gone_gets_nothing(daemon):
    with Client(daemon.port, daemon.token) as client:
        assert client.warm(daemon.conversation(), "Hello")["model"] == "fake"
    with Client(daemon.port, "wrong") as client:
        assert client.warm() is None
    with Client(1, "") as client:
        assert client.warm() is None


# --- overflow --------------------------------------------------------------------------------


def test_overflow_is_truncate_or_error(daemon):
    conversation = daemon.conversation()
    for overflow in ("truncate", "error"):
        assert daemon.ask("short", conversation, overflow=overflow)[-1][1] == "done"
    path = f"/api/v1/conversations/{conversation}/turns"
    answer = daemon.api.post(path, json={"text": "x", "overflow": "silent"})
    assert answer.json()["error"]["code"] == "invalid_input"


def test_the_receipt_accounts_for_every_token(daemon):
    conversation = daemon.conversation()
    daemon.ask("one two three", conversation)
    receipt = daemon.ask("four five", conversation)[-2][2]
    assert set(receipt["tokens"]) == {
        "system", "pinned", "summary", "history", "memories", "context", "question", "template",
    }  # fmt: skip
    assert sum(receipt["tokens"].values()) == receipt["tokens_in"]
    assert (receipt["summarised"], receipt["dropped"]) == (None, [])
