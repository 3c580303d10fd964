"""Token x route x class of memory, with the real ids of what others have: who may not see it learns nothing.

test_scopes.py has the verdict of each route, and the ways that somebody thought of; here every route of the
app is asked by every kind of token about things that exist, and whatever comes back is searched for what
was said in confidence.
"""

import itertools
import re

import httpx
import pytest
from running import RunningDaemon
from security.conftest import FULL
from security.table import FORM, NEEDS, TABLE

from assistant.types import ACCESS_SCOPES, in_classes

CLASSES = ("", "home", "work/berlin")
SLOW = ("/doctor", "/pull", "/verify", "/diagnose")
"""Minutes of work; none of it is about memories."""
COMMON = tuple(one for one in ACCESS_SCOPES if one != "admin")
TOKENS = [
    *(((one,), None) for one in COMMON),
    *((("memory.read",), kept) for kept in ((), ("work/*",), ("home",))),
    *((("memory.write",), kept) for kept in ((), ("work/*",), ("home",))),
    *((COMMON, kept) for kept in ((), ("work/*",), ("home",))),
    (("chat", "memory.write"), None),
    (("chat", "memory.read"), ("work/*",)),
]
FEW = [(COMMON, ("work/*",)), (("chat",), None), (("memory.write",), None)]


class Secrets:
    """A memory of every class, a chat, and all else that has an id; told anew for each token."""

    def __init__(self, daemon, number):
        self.daemon, api = daemon, daemon.api
        self.canary = {
            where: f"canary-{where.replace('/', '-') or 'plain'}-qzwx{number}."
            for where in (*CLASSES, "chat")
        }
        self.memories = {}
        for where in CLASSES:
            row = {"text": self.canary[where], "scope": where}
            self.memories[where] = api.post("/api/v1/memories", json=row).json()["id"]
        said = self.canary["chat"]
        self.chat = daemon.conversation()
        self.turn = daemon.ask(said, self.chat, memory=False)[0][2]["turn"]
        api.patch(f"/api/v1/conversations/{self.chat}", json={"title": said})
        api.put(f"/api/v1/drafts/{self.chat}", json={"text": said, "client": "pc"})
        api.put("/api/v1/open", json={"conversation": self.chat, "client": "pc"})
        other = api.post("/api/v1/devices", json={"name": "another", "scopes": ["chat"]}).json()
        parcel = {"kind": "text", "text": said, "to": other["id"]}
        self.ids = {
            "memory_id": list(self.memories.values()),
            "conversation_id": [self.chat],
            "turn_id": [self.turn],
            "device_id": [other["id"]],
            "parcel_id": [api.post("/api/v1/parcels", json=parcel).json()["id"]],
            "model_id": ["default"],
        }
        word = f"qzwx{number}"
        self.body = {
            "text": "hello", "query": word, "draft": word, "title": "hello", "input": "hello", "k": 50,
            "name": "x", "conversation": self.chat, "ids": self.ids["memory_id"], "client": "phone",
            "kind": "text", "messages": [{"role": "user", "content": f"What of {word}?"}], "scopes": [],
            "mode": "ask",
        }  # fmt: skip

    def filled(self, path):
        """The path with every id that there is."""
        names = re.findall(r"\{(\w+)(?::path)?\}", path)
        for chosen in itertools.product(*(self.ids.get(name, ["none"]) for name in names)):
            some = iter(chosen)
            yield re.sub(r"\{[^}]+\}", lambda _: next(some), path)  # noqa: B023

    def bodies(self, path):
        """What is sent: all the fields that some route reads, and one change that says nothing new."""
        yield self.body
        if "{memory_id}" in path:
            yield {"importance": 0.5}

    def intact(self):
        """What is still as it was told: classes of memory, and `chat`."""
        api, found = self.daemon.api, set()
        for where, row in self.memories.items():
            if api.get(f"/api/v1/memories/{row}").json().get("text") == self.canary[where]:
                found.add(where)
        chat = api.get(f"/api/v1/conversations/{self.chat}").json()
        turn = api.get(f"/api/v1/turns/{self.turn}").json()
        if chat.get("title") == turn.get("text") == self.canary["chat"]:
            found.add("chat")
        return found


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = tmp_path_factory.mktemp("matrix") / "home"
    running = RunningDaemon(home, env={"NESTOR_BACKUP_EVERY_H": "0"}).up()
    yield running
    assert "Traceback" not in running.output()
    assert running.stop() == 0


NUMBERS = itertools.count(100)


@pytest.fixture
def told(daemon):
    return Secrets(daemon, next(NUMBERS))


def said(client, method, path, body):
    """(status, all that comes within half a second)."""
    whole, status = "", 0
    try:
        sent = {"files": {"file": b"RIFF"}} if (method, path) == FORM else {"json": body}
        with client.stream(method, path, **sent) as answered:
            status = answered.status_code
            for piece in answered.iter_text():
                whole += piece
    except httpx.ReadTimeout:
        pass
    return status, whole


def may_see(scopes, classes):
    """What this token is allowed to read: classes of memory, and `chat`."""
    if "memory.read" not in scopes:
        return set()
    seen = {where for where in CLASSES if in_classes(where, classes)}
    return seen | ({"chat"} if "chat" in scopes and classes is None else set())


def may_change(scopes, classes):
    """What it may change or delete."""
    mine = {where for where in CLASSES if in_classes(where, classes) and "memory.write" in scopes}
    return mine | ({"chat"} & may_see(scopes, classes))


def test_the_owner_sees_all_of_it(told):
    with httpx.Client(base_url=told.daemon.url, headers=told.daemon.api.headers) as client:
        client.timeout = httpx.Timeout(30, read=1)
        paths = [path for method, row in TABLE if method == "GET" for path in told.filled(row)]
        found = "".join(
            said(client, "GET", path, None)[1] for path in paths if not path.endswith(SLOW)
        )
    assert [one for one in told.canary.values() if one not in found] == []


@pytest.mark.parametrize(("scopes", "classes"), TOKENS if FULL else FEW)
def test_no_route_tells_or_lets_a_device_change_what_it_may_not_see(told, scopes, classes, figure):
    api = told.daemon.api
    granted = {"name": "prying", "scopes": scopes, "classes": classes}
    made = api.post("/api/v1/devices", json=granted).json()
    secret = [
        canary for where, canary in told.canary.items() if where not in may_see(scopes, classes)
    ]
    leaks, asked = [], 0
    headers = {"Authorization": f"Bearer {made['token']}"}
    with httpx.Client(base_url=told.daemon.url, headers=headers) as client:
        client.timeout = httpx.Timeout(30, read=0.5)
        for method, path in TABLE:
            bodies = told.bodies(path) if method in ("POST", "PATCH", "PUT") else [None]
            for filled, body in itertools.product(told.filled(path), [*bodies]):
                if path.endswith(SLOW):
                    continue
                status, answer = said(client, method, filled, body)
                asked += 1
                leaks += [(method, filled, one) for one in secret if one in answer]
                assert status < 500, (method, filled, answer)
                refused = "scope_missing" in answer and status == 403
                need = NEEDS[(method, path)]
                assert refused or need in (*scopes, "public", "any"), (method, path)
    assert leaks == []
    assert {*CLASSES, "chat"} - may_change(scopes, classes) <= told.intact()
    api.delete(f"/api/v1/devices/{made['id']}")
    tokens = len(TOKENS if FULL else FEW)
    figure(
        "scope matrix: tokens x requests with real ids", f"{tokens} x {asked}: 0 leaks", "0 leaks"
    )
