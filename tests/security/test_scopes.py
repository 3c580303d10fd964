"""Who may do what: token x route x class of memory. Numbers: rows of the reference.

6 OpenCode CVE-2026-22812 (loopback needs a token too), 7 MLflow CVE-2026-2611 (deny by default, counted),
11 OpenClaw (scope from the row alone, revoking is at once), 12 Open WebUI (every form x scope x route,
another's chats), 13 AnythingLLM (one `authenticate`), 16 FastAPI (content types, in tests/api).
"""

import ast
import json
import threading
import time
from pathlib import Path

import httpx
import pytest
from running import answer
from security.conftest import TABLE, fill, refused
from security.table import NEEDS, walk

from assistant.api.access import need_of
from assistant.api.app import routes
from assistant.api.bodies import TRANSCRIPTIONS
from assistant.api.guard import OPEN
from assistant.api.services import Services
from assistant.types import ACCESS_SCOPES, in_classes

PUBLIC = {("GET", "/health"), ("POST", "/api/v1/pair/claim")}
"""All that anybody may ask. A row more here is a decision, not a formality."""


# --- the table of routes ------------------------------------------------------------------------


def test_every_route_declares_its_scope():
    undeclared = set(TABLE) - set(NEEDS)
    assert not undeclared, "say what a device needs: openapi_extra=needs(…)"
    assert set(NEEDS.values()) <= {*ACCESS_SCOPES, "public", "any"}


def test_there_is_no_route_outside_the_table():
    """A mount or a plain route would not depend on `access`; only the schema is one (it needs a token)."""
    there = {(type(route).__name__, route.path) for route in walk(routes(Services()))}
    assert {path for kind, path in there if kind != "APIRoute"} == {"/openapi.json", "/api/v1/talk"}
    (talk,) = [route for route in walk(routes(Services())) if route.path == "/api/v1/talk"]
    assert need_of(talk) == "chat"


def test_a_route_that_says_nothing_is_the_owners():
    assert need_of(object()) == "admin"


def test_the_open_routes_are_these_and_no_more():
    assert PUBLIC == OPEN
    assert {row for row, need in NEEDS.items() if need == "public"} == PUBLIC


def test_every_route_depends_on_access():
    app = routes(Services())
    assert [one.dependency.__name__ for one in app.router.dependencies] == ["access"]


def test_there_is_one_authenticate_and_nobody_else_reads_the_header():
    found = {}
    for path in (Path(__file__).parents[2] / "assistant" / "api").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else ""
            if isinstance(value, str | bytes) and value.lower() in (
                b"authorization",
                "authorization",
            ):
                found.setdefault(path.name, 0)
            if getattr(node, "name", "") == "authenticate":
                found[path.name] = found.get(path.name, 0) + 1
    assert found == {"auth.py": 1}


def test_nothing_is_decided_on_the_url():
    """8: Starlette builds `request.url` from the Host header."""
    for path in (Path(__file__).parents[2] / "assistant" / "api").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.Attribute) and node.attr in ("url", "base_url")), path


def test_starlette_has_the_fix():
    import starlette

    assert tuple(int(part) for part in starlette.__version__.split(".")[:3]) >= (1, 3, 1)


# --- tokens ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def device(daemon):
    """Makes a device: `device("chat", classes=[…])` → (id, client)."""
    clients = []

    def make(*scopes, **more):
        body = {"name": "test", "scopes": list(scopes)} | more
        made = daemon.api.post("/api/v1/devices", json=body)
        assert made.status_code == 201, made.text
        row = made.json()
        headers = {"Authorization": f"Bearer {row['token']}"}
        clients.append(httpx.Client(base_url=daemon.url, headers=headers, timeout=30))
        return row["id"], clients[-1]

    yield make
    for client in clients:
        client.close()


def test_without_a_token_every_route_says_the_same(daemon, raw):
    said = set()
    forms = [
        [], [("Authorization", "")], [("Authorization", "Bearer")], [("Authorization", "Bearer ")],
        [("Authorization", daemon.token)], [("Authorization", f"Basic {daemon.token}")],
        [("Authorization", f"Bearer {daemon.token}")] * 2, [("X-Api-Key", daemon.token)],
        [("Cookie", f"token={daemon.token}")], [("X-Forwarded-For", "127.0.0.1")],
    ]  # fmt: skip
    for method, path in TABLE:
        if (method, path) in PUBLIC:
            continue
        for form in forms:
            answer_ = raw.send(method, path, [("Host", f"127.0.0.1:{daemon.port}"), *form])
            refused(answer_, "unauthorized")
            assert answer_[0] == 401
            said.add(json.dumps(answer_[2]["error"] | {"type": 0, "param": 0}, sort_keys=True))
        query = raw.send(
            method, f"{path}?token={daemon.token}", [("Host", f"127.0.0.1:{daemon.port}")]
        )
        refused(query, "unauthorized")
    assert len(said) == 1


@pytest.mark.parametrize("scope", ACCESS_SCOPES)
def test_a_device_with_one_scope_may_use_its_routes_alone(daemon, device, scope):
    seen = () if scope == "admin" else ["work/*"]
    _, client = device(scope, **({"classes": seen} if seen else {}))
    for (method, path), need in NEEDS.items():
        if path.endswith(("/doctor", "/pull", "/verify")) and scope == "admin":
            continue  # minutes of work
        body = {"scopes": []} if method in ("POST", "PATCH") else None
        sent = {"files": {"file": b"x"}} if path == TRANSCRIPTIONS else {"json": body}
        # Not read to its end unless it is an error: events go on for as long as one listens.
        with client.stream(method, fill(path), **sent) as answered:
            error = json.loads(answered.read())["error"] if answered.is_error else {}
        code = error.get("code", "")
        if need in (scope, "any", "public"):
            assert code not in ("scope_missing", "unauthorized"), (method, path)
        else:
            assert (answered.status_code, code) == (403, "scope_missing"), (method, path)
    client.get("/openapi.json").raise_for_status()


def test_a_device_says_nothing_about_its_own_scopes(device):
    """11: OpenClaw believed the scopes that the client declared."""
    _, client = device("chat")
    lies = {"X-Scopes": "admin", "X-Nestor-Scope": "admin", "Scope": "admin"}
    assert client.get("/api/v1/devices?scopes=admin", headers=lies).status_code == 403


def test_nobody_gives_what_they_do_not_have(device):
    _, client = device("admin", "chat")
    made = client.post("/api/v1/devices", json={"name": "x", "scopes": ["memory.read"]})
    assert (made.status_code, made.json()["error"]["code"]) == (403, "scope_missing")
    me = client.get("/api/v1/devices/me").json()
    raised = client.patch(f"/api/v1/devices/{me['id']}", json={"scopes": ["admin", "memory.read"]})
    assert raised.status_code == 403


@pytest.mark.parametrize(("body", "code"), [
    ({"name": ""}, "empty_text"), ({"name": "x", "scopes": ["root"]}, "invalid_input"),
    ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "invalid_input"),
    ({"name": "x", "scopes": ["admin"], "classes": ["work"]}, "invalid_input"),
    ({"name": "x", "classes": [""]}, "invalid_input"), ({"name": "x", "kind": "owner"}, "invalid_input"),
])  # fmt: skip
def test_no_nonsense_becomes_a_device(daemon, body, code):
    made = daemon.api.post("/api/v1/devices", json=body)
    assert made.json()["error"]["code"] == code


def test_no_token_is_in_the_database_or_the_log(daemon, device):
    _, client = device("chat")
    client.get("/api/v1/status")
    token = client.headers["Authorization"].split()[1].encode()
    for path in daemon.home.rglob("*"):
        if path.is_file() and not path.is_socket() and path.name != "token":
            content = path.read_bytes()
            assert token not in content, path
            assert daemon.token.encode() not in content, path
    assert "token" not in daemon.api.get("/api/v1/devices").text


def test_a_device_is_renamed_and_its_last_use_is_seen(daemon, device):
    made, client = device("chat")
    client.get("/api/v1/status").raise_for_status()
    renamed = daemon.api.patch(f"/api/v1/devices/{made}", json={"name": "Ana's laptop"}).json()
    assert renamed["name"] == "Ana's laptop"
    row = next(r for r in daemon.api.get("/api/v1/devices").json()["items"] if r["id"] == made)
    assert row["last_used_at"] >= row["created_at"]
    client.get("/api/v1/status").raise_for_status()


# --- revoking -------------------------------------------------------------------------------------


def test_a_revoked_device_is_out_at_once_and_stays_out(daemon, device):
    made, client = device("chat")
    other, still = device("chat")
    client.get("/api/v1/status").raise_for_status()
    daemon.api.delete(f"/api/v1/devices/{made}").raise_for_status()
    for method, path in TABLE:
        if (method, path) not in PUBLIC:
            assert client.request(method, fill(path)).status_code == 401
    still.get("/api/v1/status").raise_for_status()
    assert made in {row["id"] for row in daemon.api.get("/api/v1/devices/revoked").json()["items"]}
    assert (
        daemon.api.delete(f"/api/v1/devices/{made}").json()["error"]["code"] == "device_not_found"
    )
    daemon.stop()
    daemon.up()
    with httpx.Client(base_url=daemon.url, headers=client.headers) as again:
        assert again.get("/api/v1/status").status_code == 401
    with httpx.Client(base_url=daemon.url, headers=still.headers) as again:
        assert again.get("/api/v1/status").status_code == 200
    daemon.api.delete(f"/api/v1/devices/{other}")


@pytest.fixture
def talking(tmp_path):
    """A daemon whose answers take a while."""
    from running import RunningDaemon

    script = tmp_path / "script.json"
    script.write_text('{"replies": ["' + "word " * 400 + '"], "word_pause_s": 0.05}')
    running = RunningDaemon(tmp_path / "home", model=f"fake:{script}").up()
    yield running
    running.stop()


@pytest.mark.parametrize("how", ["revoke", "fewer scopes", "other classes", "expire"])
def test_a_stream_ends_within_a_second(talking, how, figure):
    """11, 12: Open WebUI's sockets kept their rights."""
    body = {"name": "lost phone", "kind": "phone", "scopes": ["chat", "memory.read"]}
    if how == "expire":
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
        body["expires_at"] = soon
    row = talking.api.post("/api/v1/devices", json=body).json()
    ended = threading.Event()
    seen = []

    def listen():
        headers = {"Authorization": f"Bearer {row['token']}"}
        with httpx.Client(base_url=talking.url, headers=headers, timeout=30) as client:
            chat = client.post("/api/v1/conversations", json={}).json()["id"]
            path = f"/api/v1/conversations/{chat}/turns"
            try:
                with client.stream("POST", path, json={"text": "hello"}) as response:
                    for line in response.iter_lines():
                        seen.append(line)
            except httpx.HTTPError as exc:
                seen.append(exc)
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    while len(seen) < 20:
        time.sleep(0.01)
    path = f"/api/v1/devices/{row['id']}"
    began = time.monotonic()
    if how == "revoke":
        talking.api.delete(path).raise_for_status()
    elif how == "fewer scopes":
        talking.api.patch(path, json={"scopes": ["memory.read"]}).raise_for_status()
    elif how == "other classes":
        talking.api.patch(path, json={"classes": ["work/*"]}).raise_for_status()
    assert ended.wait(4 if how == "expire" else 1), "the stream went on"
    if how != "expire":
        took_ms = (time.monotonic() - began) * 1_000
        figure(f"{how}: the device's stream ends after", f"{took_ms:.0f} ms", "1,000 ms")
    assert isinstance(seen[-1], httpx.HTTPError), "a cut stream must not look complete"
    assert not any("event: done" in str(line) for line in seen)
    thread.join()


def test_a_device_that_shuts_itself_out_is_answered_and_is_out(daemon, device):
    mine, client = device("admin")
    answer = client.delete(f"/api/v1/devices/{mine}")
    assert (answer.status_code, answer.json()) == (200, {"revoked": mine})
    assert client.get("/api/v1/devices").status_code == 401


# --- classes of memory ----------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "classes", "seen"), [
    ("", None, True), ("home", None, True), ("", (), False), ("", ("work/*",), False),
    ("work", ("work/*",), True), ("work/berlin", ("work/*",), True), ("workshop", ("work/*",), False),
    ("work/berlin", ("work",), False), ("work", ("work",), True), ("WORK", ("work",), False),
    ("work%", ("work/*",), False), ("home", ("work/*", "home"), True), ("work/*", ("work",), False),
])  # fmt: skip
def test_classes(scope, classes, seen):
    assert in_classes(scope, classes) is seen


SECRETS = {"": "My doctor is Dr Quibbleton", "home": "The alarm code at home is quibble 1974",
           "workshop": "Quibbleton repairs clocks in the workshop"}  # fmt: skip


def test_a_device_kept_to_work_learns_nothing_else_by_any_way(daemon, device):
    everything = "chat", "memory.read", "memory.write"
    _, client = device(*everything, classes=["work/*"])
    rows = {
        scope: daemon.api.post("/api/v1/memories", json={"text": text, "scope": scope}).json()["id"]
        for scope, text in SECRETS.items()
    }
    mine = client.post("/api/v1/memories", json={"text": "Quibbleton signed the contract"}).json()
    assert mine["scope"] == "work"
    named = {"text": "Quibbleton sits in Berlin", "scope": "work/berlin"}
    berlin = client.post("/api/v1/memories", json=named).json()
    other = client.post("/api/v1/memories", json={"text": "x", "scope": "home"})
    assert other.json()["error"]["code"] == "scope_missing"

    listed = {row["id"] for row in client.get("/api/v1/memories").json()["items"]}
    assert listed == {mine["id"], berlin["id"]}
    found = client.post("/api/v1/memories/search", json={"query": "Quibbleton", "k": 50}).json()
    assert {row["id"] for row in found["items"]} == listed
    for row in rows.values():
        for method, path, body in [
            ("GET", f"/api/v1/memories/{row}", None), ("DELETE", f"/api/v1/memories/{row}", None),
            ("PATCH", f"/api/v1/memories/{row}", {"text": "gone"}),
            ("GET", f"/api/v1/memories/{row}/history", None),
            ("POST", "/api/v1/forget", {"ids": [row]}),
        ]:  # fmt: skip
            answered = client.request(method, path, json=body)
            assert answered.json()["error"]["code"] == "memory_not_found", (method, path)
    by_query = client.post("/api/v1/forget", json={"query": "Quibbleton"})
    assert by_query.json()["error"]["code"] == "scope_missing"
    assert len(daemon.api.get("/api/v1/memories").json()["items"]) >= 5

    told = ask(client, "What about Quibbleton?")
    assert {one["id"] for one in told["recalled"]} <= listed
    assert "1974" not in json.dumps(told)
    warmed = client.post("/api/v1/warm", json={"draft": "Quibbleton alarm code doctor"})
    assert set(warmed.json()["memories"]) <= listed


def test_a_device_that_may_write_only_reads_nothing_by_writing(daemon, device):
    row = daemon.api.post("/api/v1/memories", json={"text": "The key is under Vermeer"}).json()
    _, client = device("memory.write")
    changed = client.patch(f"/api/v1/memories/{row['id']}", json={"importance": 0.9})
    assert (changed.status_code, changed.json()) == (200, {"id": row["id"]})
    for choice in ({"query": "Vermeer"}, {"source": "api"}, {"after": "2020-01-01"}):
        for dry in (True, False):
            asked = client.post("/api/v1/forget", json=choice | {"dry_run": dry})
            assert asked.json()["error"]["code"] == "scope_missing", choice
    assert daemon.api.get(f"/api/v1/memories/{row['id']}").json()["importance"] == 0.9
    gone = client.post("/api/v1/forget", json={"ids": [row["id"]]})
    assert gone.json()["forgotten"] == [row["id"]]


def test_a_device_that_may_only_chat_gets_no_memories(daemon, device):
    daemon.api.post("/api/v1/memories", json={"text": "The safe is behind the Vermeer"})
    _, client = device("chat")
    assert ask(client, "Where is the safe with the Vermeer?")["recalled"] == []
    body = {"messages": [{"role": "user", "content": "Where is the safe with the Vermeer?"}]}
    said = client.post("/v1/chat/completions", json=body, headers={"X-Nestor-Memory": "on"})
    assert "behind" not in said.text


def test_chats_are_shared_by_those_who_see_everything_and_by_nobody_else(daemon, device):
    """12: every id swapped."""
    _, whole = device("chat", "memory.read")
    kept = [device("chat", "memory.read", classes=["work/*"])[1], device("chat")[1]]
    ours = daemon.conversation()
    turn = daemon.ask("hello", ours)[0][2]["turn"]
    assert whole.get(f"/api/v1/conversations/{ours}").status_code == 200
    assert whole.get(f"/api/v1/turns/{turn}").status_code == 200
    for client in kept:
        own = ask(client, "hello")["conversation"]
        listed = client.get("/api/v1/conversations").json()["items"]
        assert [row["id"] for row in listed] == [own]
        for method, path, body in [
            ("GET", f"/api/v1/conversations/{ours}", None),
            ("PATCH", f"/api/v1/conversations/{ours}", {"title": "mine"}),
            ("DELETE", f"/api/v1/conversations/{ours}", None),
            ("POST", f"/api/v1/conversations/{ours}/turns", {"text": "hello"}),
            ("POST", "/api/v1/warm", {"conversation": ours, "draft": "hello"}),
            ("GET", f"/api/v1/turns/{turn}", None), ("DELETE", f"/api/v1/turns/{turn}", None),
            ("GET", f"/api/v1/turns/{turn}/events", None),
        ]:  # fmt: skip
            answered = client.request(method, path, json=body)
            assert answered.status_code == 404, (method, path)
        assert whole.get(f"/api/v1/conversations/{own}").status_code == 200
    one, two = (c.get("/api/v1/conversations").json()["items"][0]["id"] for c in kept)
    assert kept[0].get(f"/api/v1/conversations/{two}").status_code == 404
    assert kept[1].get(f"/api/v1/conversations/{one}").status_code == 404


def test_the_owner_brings_no_more_memories_into_a_chat_that_a_kept_device_reads(daemon, device):
    daemon.api.post(
        "/api/v1/memories", json={"text": "Wimblesnatch lives in Oslo", "scope": "home"}
    )
    _, client = device("chat", "memory.read", classes=["work/*"])
    theirs = ask(client, "hello")["conversation"]
    events = daemon.ask("Where does Wimblesnatch live?", theirs)
    assert next(data for _, name, data in events if name == "recalled")["items"] == []
    assert "Oslo" not in answer(events)


def ask(client, text):
    """A question in a new chat: its id, what was recalled, and everything that was said."""
    from running import events

    chat = client.post("/api/v1/conversations", json={}).json()["id"]
    path = f"/api/v1/conversations/{chat}/turns"
    with client.stream("POST", path, json={"text": text}) as response:
        assert response.status_code == 200
        seen = list(events(response.iter_lines()))
    recalled = next(data for _, name, data in seen if name == "recalled")["items"]
    return {"conversation": chat, "recalled": recalled, "said": answer(seen), "events": seen}
