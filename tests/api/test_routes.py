"""What the routes do, through a real daemon with the fake model and the real memory."""

import concurrent.futures
import json

import openai
import pytest
from running import RunningDaemon, answer, events


def names(seen):
    return [name for _, name, _ in seen]


# --- conversations and turns -----------------------------------------------------------------


def test_a_turn_tells_what_it_does(daemon):
    conversation = daemon.conversation()
    seen = daemon.ask("hello there", conversation)
    assert names(seen) == ["started", "recalled", "token", "token", "receipt", "done"]
    assert [number for number, _, _ in seen] == list(range(1, 7))
    assert answer(seen) == "hello there"
    started, receipt = seen[0][2], seen[-2][2]
    assert started["conversation"] == conversation
    assert receipt["tokens_in"] > 0
    assert receipt["left_machine"] == []
    turn = daemon.api.get(f"/api/v1/turns/{started['turn']}").json()
    assert (turn["text"], turn["reply"], turn["status"]) == ("hello there", "hello there", "done")
    assert turn["receipt"] == receipt
    chat = daemon.api.get(f"/api/v1/conversations/{conversation}").json()
    assert chat["title"] == "hello there"
    assert [row["id"] for row in chat["turns"]] == [turn["id"]]


def test_a_recalled_memory_is_in_prompt_event_and_receipt(daemon):
    text = "The wifi password of the cabin is heron-42"
    memory = daemon.api.post("/api/v1/memories", json={"text": text, "source": "phone"}).json()
    seen = daemon.ask("What is the wifi password of the cabin?")
    items = seen[1][2]["items"]
    assert items[0]["id"] == memory["id"]
    assert items[0]["text"] == text
    assert items[0]["source"] == "phone"
    receipt = dict(zip(names(seen), seen))["receipt"][2]
    assert memory["id"] in [row["id"] for row in receipt["memories"]]
    without = daemon.ask("What is the wifi password of the cabin?", memory=False)
    assert without[1][2]["items"] == []


def test_a_finished_turn_can_be_replayed_from_any_event(daemon):
    seen = daemon.ask("one two three")
    turn = seen[0][2]["turn"]
    for after in (None, 0, 3, len(seen), 999):
        header = {} if after is None else {"Last-Event-ID": str(after)}
        with daemon.api.stream("GET", f"/api/v1/turns/{turn}/events", headers=header) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert list(events(response.iter_lines())) == seen[after or 0 :]


def test_cancelling_a_finished_turn_changes_nothing(daemon):
    turn = daemon.ask("hello")[0][2]["turn"]
    assert daemon.api.delete(f"/api/v1/turns/{turn}").json()["status"] == "done"


def test_conversations_are_listed_renamed_and_deleted(daemon):
    first = daemon.api.post("/api/v1/conversations", json={"title": "Trip"}).json()
    second = daemon.conversation()
    daemon.ask("hello", second)
    listed = [row["id"] for row in daemon.api.get("/api/v1/conversations").json()["items"]]
    assert listed.index(second) < listed.index(first["id"])
    path = f"/api/v1/conversations/{first['id']}"
    assert daemon.api.patch(path, json={"title": "Holiday"}).json()["title"] == "Holiday"
    assert daemon.api.delete(path).status_code == 200
    assert daemon.api.get(path).status_code == 404
    turn = daemon.api.get(f"/api/v1/conversations/{second}").json()["turns"][0]["id"]
    daemon.api.delete(f"/api/v1/conversations/{second}")
    assert daemon.api.get(f"/api/v1/turns/{turn}").status_code == 404
    assert daemon.api.get(f"/api/v1/turns/{turn}/events").status_code == 404


def test_pages_hold_every_row_once(daemon):
    for n in range(7):
        daemon.api.post("/api/v1/conversations", json={"title": f"page {n}"})
    seen, cursor = [], None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = daemon.api.get("/api/v1/conversations", params=params).json()
        assert len(page["items"]) <= 3
        seen += [row["id"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) >= 7


def test_many_turns_at_once_do_not_mix(daemon):
    def one(n):
        return answer(daemon.ask(f"number {n} " * 5))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(24)))
    assert answers == [(f"number {n} " * 5).rstrip() for n in range(24)]


# --- memories --------------------------------------------------------------------------------


def test_a_memory_is_corrected_and_keeps_its_history(daemon):
    old = daemon.api.post("/api/v1/memories", json={"text": "Zoe lives in Nantes"}).json()
    new = daemon.api.patch(
        f"/api/v1/memories/{old['id']}", json={"text": "Zoe lives in Brest"}
    ).json()
    assert new["id"] != old["id"]
    closed = daemon.api.get(f"/api/v1/memories/{old['id']}").json()
    assert closed["superseded_by"] == new["id"]
    assert closed["valid_to"]
    for id_ in (old["id"], new["id"]):
        history = daemon.api.get(f"/api/v1/memories/{id_}/history").json()["items"]
        assert [row["text"] for row in history] == ["Zoe lives in Nantes", "Zoe lives in Brest"]
    found = daemon.api.post(
        "/api/v1/memories/search", json={"query": "Where does Zoe live?", "k": 50}
    ).json()["items"]
    assert "Zoe lives in Brest" in [row["text"] for row in found]
    assert "Zoe lives in Nantes" not in [row["text"] for row in found]
    again = daemon.api.patch(f"/api/v1/memories/{old['id']}", json={"text": "Zoe lives in Caen"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "memory_closed")


def test_metadata_changes_in_place(daemon):
    row = daemon.api.post("/api/v1/memories", json={"text": "Call the dentist"}).json()
    changed = daemon.api.patch(
        f"/api/v1/memories/{row['id']}", json={"kind": "task", "importance": 0.9}
    ).json()
    assert (changed["id"], changed["kind"], changed["importance"]) == (row["id"], "task", 0.9)
    listed = daemon.api.get("/api/v1/memories", params={"kind": "task"}).json()["items"]
    assert row["id"] in [item["id"] for item in listed]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2023-05-08", "2023-05-08T00:00:00Z"),
        ("2023-05-08T13:56:00", "2023-05-08T13:56:00Z"),
        ("2023-05-08T13:56:00+02:00", "2023-05-08T11:56:00Z"),
        ("2023-05-08T13:56:00.123Z", "2023-05-08T13:56:00Z"),
        ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("9999-12-31", "9999-12-31T00:00:00Z"),
    ],
)
def test_times(daemon, given, stored):
    row = daemon.api.post("/api/v1/memories", json={"text": "A day", "said_at": given}).json()
    assert row["said_at"] == stored


@pytest.mark.parametrize("given", ["yesterday", "2023-13-01", "0000-00-00", "99999-01-01", "1e9"])
def test_times_that_are_none(daemon, given):
    response = daemon.api.post("/api/v1/memories", json={"text": "A day", "said_at": given})
    assert response.status_code == 422


@pytest.mark.parametrize(
    "text",
    ["日本語のメモ", "مرحبا بالعالم", "👩‍👩‍👧 family", "e\u0301te\u0301", "a\n\tb",
     "'; DROP TABLE memories;--", '"AND" OR NEAR(*'],
)  # fmt: skip
def test_any_text_comes_back_as_it_was(daemon, text):
    row = daemon.api.post("/api/v1/memories", json={"text": text}).json()
    assert daemon.api.get(f"/api/v1/memories/{row['id']}").json()["text"] == text
    found = daemon.api.post("/api/v1/memories/search", json={"query": text, "k": 3}).json()["items"]
    assert row["id"] in [item["id"] for item in found]


def test_delete_and_forget(daemon):
    rows = [
        daemon.api.post("/api/v1/memories", json={"text": f"My old bike number {n}"}).json()
        for n in range(3)
    ]
    assert daemon.api.delete(f"/api/v1/memories/{rows[0]['id']}").status_code == 200
    assert daemon.api.get(f"/api/v1/memories/{rows[0]['id']}").status_code == 404
    assert daemon.api.delete(f"/api/v1/memories/{rows[0]['id']}").status_code == 404
    gone = daemon.api.post("/api/v1/forget", json={"ids": [rows[1]["id"]]}).json()["forgotten"]
    assert gone == [rows[1]["id"]]
    gone = daemon.api.post("/api/v1/forget", json={"query": "My old bike number 2"}).json()
    assert rows[2]["id"] in gone["forgotten"]
    assert daemon.api.get(f"/api/v1/memories/{rows[2]['id']}").status_code == 404


def test_a_forgotten_memory_leaves_old_turns_too(daemon):
    memory = daemon.api.post(
        "/api/v1/memories", json={"text": "My locker code is qwzx-9911"}
    ).json()
    turn = daemon.ask("What is my locker code?")[0][2]["turn"]
    with daemon.api.stream("GET", f"/api/v1/turns/{turn}/events") as response:
        assert "qwzx-9911" in response.read().decode()
    daemon.api.delete(f"/api/v1/memories/{memory['id']}")
    with daemon.api.stream("GET", f"/api/v1/turns/{turn}/events") as response:
        assert "qwzx-9911" not in response.read().decode()


@pytest.mark.parametrize("lines", [False, True])
def test_import(daemon, lines):
    rows = [
        {"text": f"{'line' if lines else 'list'} import {n}", "speaker": "Ben", "thread": "t",
         "said_at": f"2024-01-01T00:{n % 60:02}:00Z", "unknown": "ignored"}
        for n in range(1_200)
    ]  # fmt: skip
    body = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    kind = "application/x-ndjson" if lines else "application/json"
    before = daemon.api.get("/api/v1/status").json()["memory"]["count"]
    response = daemon.api.post(
        "/api/v1/memories/import", content=body, headers={"Content-Type": kind}
    )
    assert response.status_code == 201, response.text
    assert response.json()["imported"] == len(set(response.json()["ids"])) == 1_200
    assert daemon.api.get("/api/v1/status").json()["memory"]["count"] == before + 1_200


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ('[{"text": "fine"}, {"text": ""}]', "application/json", "empty_text"),
        ('[{"text": "fine"}, {"txt": "x"}]', "application/json", "invalid_input"),
        ('{"text": "not a list"}', "application/json", "invalid_input"),
        ("[]", "application/json", "invalid_input"),
        ('{"text": "fine"}\n{"text": ', "application/x-ndjson", "invalid_json"),
        ('{"text": "fine"}\n{"text": NaN}', "application/x-ndjson", "invalid_json"),
        (
            '{"text": "fine"}\n{"text": "x", "said_at": "never"}',
            "application/x-ndjson",
            "invalid_input",
        ),
    ],
)
def test_an_import_with_one_bad_row_stores_nothing(daemon, body, kind, code):
    before = daemon.api.get("/api/v1/status").json()["memory"]["count"]
    response = daemon.api.post(
        "/api/v1/memories/import", content=body, headers={"Content-Type": kind}
    )
    assert response.json()["error"]["code"] == code
    assert daemon.api.get("/api/v1/status").json()["memory"]["count"] == before


# --- OpenAI, with the fake model -------------------------------------------------------------


def test_openai_with_the_fake_model(daemon):
    with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key=daemon.token) as client:
        said = [
            {"role": "system", "content": "Echo."},
            {"role": "user", "content": [{"type": "text", "text": "a b c"}]},
        ]
        whole = client.chat.completions.create(model="default", messages=said)
        assert whole.choices[0].message.content == "a b c"
        chunks = list(client.chat.completions.create(model="fake", messages=said, stream=True))
        assert chunks[0].choices[0].delta.role == "assistant"
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "a b c"
        assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
        assert client.models.retrieve("default").id == "default"


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"n": 3}, "unsupported_parameter"),
        ({"logprobs": True}, "unsupported_parameter"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "unsupported_parameter",
        ),
        ({"messages": [{"role": "king", "content": "x"}]}, "invalid_input"),
        ({"temperature": 9}, "invalid_input"),
        ({"temperature": -1}, "invalid_input"),
        ({"top_p": 0}, "invalid_input"),
        ({"max_tokens": 0}, "invalid_input"),
        ({"max_tokens": -1}, "invalid_input"),
        ({"seed": 2**63}, "invalid_input"),
        ({"stop": ["x"] * 99}, "invalid_input"),
        ({"model": "gpt-4o"}, "model_not_found"),
        ({"model": "../../etc/passwd"}, "model_not_found"),
    ],
)
def test_what_cannot_be_honoured_is_refused(daemon, extra, code):
    body = {"messages": [{"role": "user", "content": "x"}]} | extra
    response = daemon.api.post("/v1/chat/completions", json=body)
    assert 400 <= response.status_code < 500
    assert response.json()["error"]["code"] == code


def test_fields_we_do_not_know_are_ignored(daemon):
    body = {
        "model": "default", "messages": [{"role": "user", "content": "hi", "name": "Bob"}], "user": "u",
        "presence_penalty": 0, "tools": [], "response_format": {"type": "text"}, "n": 1, "brand_new": {},
    }  # fmt: skip
    assert daemon.api.post("/v1/chat/completions", json=body).status_code == 200


def test_embeddings_in_both_encodings(daemon):
    import base64
    import struct

    body = {"model": "default", "input": "a cat"}
    plain = daemon.api.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    packed = daemon.api.post("/v1/embeddings", json=body | {"encoding_format": "base64"}).json()
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(plain, abs=1e-6)
    assert sum(x * x for x in plain) == pytest.approx(1, abs=1e-3)
    wrong = daemon.api.post("/v1/embeddings", json=body | {"dimensions": 7})
    assert wrong.json()["error"]["code"] == "unsupported_parameter"


# --- models ----------------------------------------------------------------------------------


def test_the_catalogue_is_listed(daemon):
    rows = {row["id"]: row for row in daemon.api.get("/api/v1/models").json()["items"]}
    assert {"starter", "small", "tiny"} <= set(rows)
    assert rows["starter"]["bytes"] == 491_400_064
    assert not any(row["in_use"] for row in rows.values())


def test_a_model_that_is_here_is_pulled_and_verified_at_once(daemon, tiny_model):
    for verb in ("pull", "verify"):
        with daemon.api.stream("POST", f"/api/v1/models/tiny/{verb}") as response:
            seen = list(events(response.iter_lines()))
        assert names(seen)[-1] == "done"
        assert seen[-2][2]["done_bytes"] == seen[-2][2]["total_bytes"] == 98_362_432


def test_the_fake_keeps_its_place(daemon):
    response = daemon.api.post("/api/v1/models/use", json={"model": "tiny"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "conflict")


def test_a_busy_model_says_when_to_come_back(tmp_path):
    script = tmp_path / "script.json"
    script.write_text('{"replies": [], "word_pause_s": 0.3}')
    running = RunningDaemon(tmp_path / "home", model=f"fake:{script}").up()
    body = {"messages": [{"role": "user", "content": "a b c d e f"}]}

    def one(_):
        response = running.api.post("/v1/chat/completions", json=body)
        return response.status_code, response.headers.get("retry-after"), response.json()

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        results = list(pool.map(one, range(40)))
    assert {status for status, _, _ in results} == {200, 429}
    for status, retry, value in results:
        if status == 429:
            assert int(retry) >= 1
            assert value["error"]["code"] == "engine_busy"
        else:
            assert value["choices"][0]["message"]["content"] == "a b c d e f"
    assert running.api.get("/api/v1/status").json()["queue"]["length"] == 0
    assert running.stop() == 0
