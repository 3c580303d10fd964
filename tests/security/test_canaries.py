"""Fifty canaries, one in each thing that is personal or secret: none sings, at any log level or in an error.

Requests that go well, that are wrong, and that come while children die. An error may name a field of
ours, never what was sent.
"""

import contextlib
import itertools
import json
import os
import re
import secrets
import signal
import time

import httpx
import pytest
from running import RunningDaemon
from security.conftest import FULL, exchange
from security.table import TABLE

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"] if FULL else ["DEBUG"]
COUNTED = itertools.count()


class Aviary:
    """Makes canaries, by what they stand in."""

    def __init__(self):
        self.known = {}

    def __call__(self, name):
        return self.known.setdefault(name, f"canary{secrets.token_hex(6)}")


class Sung:
    """A daemon that is told them all, and every answer that was an error."""

    def __init__(self, folder, level):
        self.bird = Aviary()
        self.home = folder / self.bird("path of the home")
        env = {"NESTOR_LOG_LEVEL": level, "NESTOR_BACKUP_EVERY_H": "0"}
        self.daemon = RunningDaemon(self.home, env=env).up()
        self.errors = []
        self.folder, self.level = folder, level

    def ask(self, method, path, headers=None, **more):
        """One request with the owner's token; an error is kept, a stream read to its end or for a moment."""
        said = ""
        with contextlib.suppress(httpx.ReadTimeout):
            timeout = httpx.Timeout(30, read=2)
            with self.daemon.api.stream(
                method, path, headers=headers, timeout=timeout, **more
            ) as got:
                for piece in got.iter_text():
                    said += piece
        if got.is_error:
            self.errors.append(
                (method, re.sub("canary[0-9a-f]+", "…", path), said + str(got.headers))
            )
        elif "event: failed" in said:
            self.errors.append((method, path, said[said.index("event: failed") :]))
        return said

    def logs(self):
        for path in [self.home / "output.log", *self.home.rglob("*.log*")]:
            yield path.name, path.read_text("utf-8", "replace")


@pytest.fixture(scope="module", params=LEVELS)
def sung(request, tmp_path_factory):
    made = Sung(tmp_path_factory.mktemp("canaries"), request.param)
    for part in (ordinary, at_doors, wrong, everywhere, crashes):
        part(made, made.bird)
    made.tokens = {"the owner's token": made.daemon.token}
    made.tokens["the database's key"] = (made.home / "config/database.key").read_text().strip()
    assert made.daemon.stop() == 0
    return made


def ordinary(sung, bird):
    """A day with it."""
    ask = sung.ask
    chat = json.loads(ask("POST", "/api/v1/conversations", json={"title": bird("title")}))["id"]
    ask("POST", f"/api/v1/conversations/{chat}/turns", json={"text": bird("question")})
    ask(
        "POST",
        f"/api/v1/conversations/{chat}/turns",
        json={"text": f"Remember that I like {bird('command')}"},
    )
    ask(
        "POST",
        f"/api/v1/conversations/{chat}/turns",
        json={"text": f"My sister {bird('fact')} lives in Lyon."},
    )
    row = {
        "text": bird("memory"),
        "speaker": bird("speaker"),
        "thread": bird("thread"),
        "source": bird("source"),
    }
    kept = json.loads(ask("POST", "/api/v1/memories", json=row))["id"]
    ask("PATCH", f"/api/v1/memories/{kept}", json={"text": bird("correction")})
    ask(
        "POST",
        "/api/v1/memories",
        json={"text": bird("memory of a class"), "scope": f"work/{bird('class')}"},
    )
    ask("POST", "/api/v1/memories/import", json=[{"text": bird("imported")}])
    ask("POST", "/api/v1/memories/search", json={"query": bird("search")})
    ask("POST", "/api/v1/warm", json={"conversation": chat, "draft": bird("draft")})
    ask("PUT", f"/api/v1/drafts/{chat}", json={"text": bird("unsent"), "client": bird("client")})
    ask("POST", "/api/v1/parcels", json={"kind": "text", "text": bird("parcel")})
    ask(
        "POST", "/api/v1/parcels", json={"kind": "link", "text": f"https://{bird('link')}.example/"}
    )
    ask(
        "POST",
        "/api/v1/parcels",
        json={"kind": "file", "name": bird("file sent"), "content": "YQ=="},
    )
    ask("POST", "/v1/embeddings", json={"model": "default", "input": bird("embedded")})
    messages = [
        {"role": "system", "content": bird("system prompt")},
        {"role": "user", "content": bird("chat")},
    ]
    tool = {
        "type": "function",
        "function": {"name": bird("tool"), "description": bird("description of a tool")},
    }
    ask(
        "POST",
        "/v1/chat/completions",
        json={"messages": messages, "tools": [tool], "user": bird("user")},
    )
    ask("POST", "/api/v1/forget", json={"query": bird("forgotten")})
    ask("POST", "/api/v1/export", json={"password": bird("password of an export")})
    made = json.loads(
        ask("POST", "/api/v1/devices", json={"name": bird("device"), "scopes": ["chat"]})
    )
    # The secret may have underscores of its own: only the prefix and the id are cut off.
    secret = bird.known["a device's token"] = made["token"].split("_", 2)[2]
    assert len(secret) > 40
    httpx.get(
        sung.daemon.url + "/api/v1/status", headers={"Authorization": f"Bearer {made['token']}"}
    )
    ask("PATCH", f"/api/v1/devices/{made['id']}", json={"name": bird("new name of a device")})
    ask("DELETE", f"/api/v1/devices/{made['id']}")
    opened = json.loads(ask("POST", "/api/v1/pair", json={}))
    if "secret" in opened:  # there is a network
        bird.known["secret of a pairing"], bird.known["code of a pairing"] = (
            opened["secret"],
            opened["code"],
        )
        claim = {
            "proof": opened["secret"],
            "nonce": f"{bird('nonce')}{'n' * 22}",
            "name": bird("phone"),
        }
        ask("POST", "/api/v1/pair/claim", json=claim)
    folder = sung.folder / bird("folder")
    folder.mkdir()
    (folder / f"{bird('file name')}.md").write_text(
        f"# {bird('heading')}\n\n{bird('text of a file')}"
    )
    (folder / f"{bird('damaged file')}.pdf").write_bytes(
        b"%PDF-1.7\n" + bird("bytes of a file").encode()
    )
    source = json.loads(
        ask("POST", "/api/v1/sources", json={"path": str(folder), "ignore": [bird("pattern")]})
    )
    deadline = time.monotonic() + 20
    while json.loads(ask("GET", f"/api/v1/sources/{source['id']}"))["state"] == "indexing":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    ask("DELETE", f"/api/v1/sources/{source['id']}")
    exported = sung.folder / f"{bird('path of an import')}.json"
    exported.write_text(json.dumps({"text": bird("text of an import")}))
    ask(
        "POST",
        "/api/v1/import",
        json={"path": str(exported), "password": bird("password of an import")},
    )


def at_doors(sung, bird):
    """What is refused before any route sees it."""
    address = f"{sung.daemon.url}/api/v1/status"
    bearer = f"Bearer {bird('wrong token')}"
    for name, value in [
        ("Authorization", bearer), ("Authorization", f"Basic {bird('wrong scheme')}"),
        ("Host", f"{bird('host')}.example"), ("Origin", f"https://{bird('origin')}.example"),
        ("Sec-Fetch-Site", bird("site")), ("Cookie", f"a={bird('cookie')}"),
    ]:  # fmt: skip
        got = httpx.get(address, headers={name: value})
        sung.errors.append((name, "", got.text + str(got.headers)))
    port, token = sung.daemon.port, sung.daemon.token
    ours = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    lines = [f"GET /{bird('address')} HTTP/1.1", f"GET /health?q={bird('query')} HTTP/9.9"]
    lines += [f"{bird('method')} /health HTTP/1.1", f"GET /health HTTP/1.1 {bird('garbage')}"]
    for line in lines:
        said = exchange(port, f"{line}\r\n{ours}Connection: close\r\n\r\n".encode(), timeout=3)
        sung.errors.append((line.split()[0], "raw", said.decode("utf-8", "replace")))


def wrong(sung, bird):
    """Bodies and parameters that are refused."""
    ask = sung.ask
    kind = {"Content-Type": "application/json"}
    ask("POST", "/api/v1/memories", content=f'{{"text": "{bird("broken JSON")}"', headers=kind)
    ask(
        "POST",
        "/api/v1/memories",
        content=bird("not JSON"),
        headers={"Content-Type": f"text/{bird('type')}"},
    )
    ask("POST", "/api/v1/backup", json={bird("unknown field"): 1})
    ask("POST", "/api/v1/backup", json={"to": f"/{bird('folder for backups')}"})
    ask("POST", "/api/v1/sources", json={"path": f"/{bird('source that is not there')}"})
    ask("POST", "/api/v1/import", json={"path": f"/{bird('import that is not there')}"})
    ask("POST", "/api/v1/models/use", json={"model": f"/{bird('model file')}.gguf"})
    ask(
        "POST",
        "/v1/chat/completions",
        json={"model": bird("model"), "messages": [{"role": "user", "content": "x"}]},
    )
    ask("POST", "/v1/chat/completions", json={"messages": [{"role": bird("role"), "content": "x"}]})
    schema = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": bird("type of a schema")}},
    }
    ask(
        "POST",
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "x"}], "response_format": schema},
    )
    ask("GET", f"/api/v1/memories?cursor={bird('cursor')}&kind={bird('kind')}")
    ask("GET", f"/api/v1/memories/{bird('id')}")
    ask("GET", "/api/v1/turns/t_none/events", headers={"Last-Event-ID": bird("last event")})
    ask("POST", "/api/v1/memories", json={"text": "x", "said_at": bird("time")})
    ask("POST", "/api/v1/memories", json={"text": bird("long text") + "x" * 20_000})
    ask("POST", "/api/v1/devices", json={"name": "x", "scopes": [bird("scope")]})
    ask("POST", "/api/v1/pair", json={"interface": bird("interface")})
    ask("POST", "/api/v1/pair/accept", json={"check": bird("check characters")})
    ask("PUT", "/api/v1/learning", json={"mode": bird("mode")})


def everywhere(sung, bird):
    """The same word as every id and in every field, for every route; new routes join by themselves."""
    word = bird("everywhere")
    body = dict.fromkeys(
        ("text", "query", "path", "name", "model", "title", "check", "proof", "mode", word), word
    )
    for method, path in TABLE:
        if not path.endswith(("/doctor", "/diagnose", "/events")):
            filled = re.sub(r"\{[^}]+\}", word, path)
            sung.ask(
                method, filled, **({"json": body} if method in ("POST", "PUT", "PATCH") else {})
            )


def crashes(sung, bird):
    """A child is killed while it works on what was said."""
    for child in json.loads(sung.ask("GET", "/api/v1/status"))["children"]:
        if child["pid"] is not None:  # speech, asleep
            with contextlib.suppress(ProcessLookupError):
                os.kill(child["pid"], signal.SIGKILL)
        sung.ask(
            "POST",
            "/api/v1/memories",
            json={"text": f"{bird('memory during a crash')} {next(COUNTED)}"},
        )
        sung.ask(
            "POST",
            "/v1/embeddings",
            json={"model": "default", "input": bird("embedded during a crash")},
        )
    time.sleep(0.5)


def test_there_are_enough_of_them(sung, figure):
    assert len(sung.bird.known) >= 50
    assert len(sung.errors) >= 50
    found = f"{len(sung.bird.known)} x {len(LEVELS)} log levels: 0 sang"
    figure("canaries in logs and error answers", found, "50: 0 sang")


def test_none_is_in_a_log(sung):
    whole = list(sung.logs())
    assert sung.level == "ERROR" or any(text for _, text in whole)
    found = {
        (name, next(line for line in text.splitlines() if word in line))
        for name, word in (sung.bird.known | sung.tokens).items()
        for _, text in whole
        if word in text
    }
    assert found == set()


def test_none_is_in_an_error(sung):
    found = {
        (name, *where, said[:600])
        for name, word in (sung.bird.known | sung.tokens).items()
        for *where, said in sung.errors
        if word in said
    }
    assert found == set()


@pytest.mark.model
@pytest.mark.skipif(not FULL, reason="make test-security")
def test_none_is_in_what_the_models_process_says(tmp_path, tiny_model):
    """llama.cpp writes whole logs, which go to ours at DEBUG."""
    env = {"NESTOR_LOG_LEVEL": "DEBUG", "NESTOR_BACKUP_EVERY_H": "0"}
    daemon = RunningDaemon(tmp_path / "home", model="tiny", env=env).up()
    daemon.api.post("/api/v1/memories", json={"text": "The canary4711 likes tulips"})
    daemon.ask("What does the canary4711 like?")
    assert daemon.stop() == 0
    whole = (tmp_path / "home/output.log").read_text("utf-8", "replace")
    assert "llama" in whole
    assert "canary4711" not in whole
