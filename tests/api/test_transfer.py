"""Export and import over HTTP and on the command line, with real daemons."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from running import RunningDaemon, events

CHATGPT = Path(__file__).parents[1] / "data/imports/chatgpt/conversations.json"
BYTES = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    running = RunningDaemon(tmp_path_factory.mktemp("other")).up()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def life(daemon):
    """Something to take along."""
    sister = daemon.api.post(
        "/api/v1/memories", json={"text": "My sister Ana lives in Lyon"}
    ).json()
    daemon.api.patch(
        f"/api/v1/memories/{sister['id']}", json={"text": "My sister Ana lives in Nice"}
    )
    chat = daemon.conversation()
    daemon.ask("Where does Ana live?", chat)
    return chat


def load(daemon, **request):
    with daemon.api.stream("POST", "/api/v1/import", **request) as response:
        response.read() if response.is_error else None
        if response.is_error:
            return response.status_code, response.json()["error"]["code"]
        (_, name, data) = list(events(response.iter_lines()))[-1]
        return name, data


def test_out_of_one_daemon_and_into_another(daemon, other, life, tmp_path):
    answer = daemon.api.post("/api/v1/export")
    assert answer.headers["content-type"] == "application/octet-stream"
    first, *_, last = gzip.decompress(answer.content).splitlines()
    assert json.loads(first)["nestor"] == "export"
    assert "end" in json.loads(last)
    file = {"content": answer.content, "headers": BYTES}

    name, told = load(other, params={"dry_run": True}, **file)
    assert (name, told["dry_run"]) == ("done", True)
    assert other.api.get("/api/v1/memories").json()["items"] == []
    name, told = load(other, **file)
    assert name == "done"
    assert told["added"]["memories"] == 2
    assert list(other.home.glob("data/incoming/*")) == []

    for path in ("memories?closed=true", f"conversations/{life}"):
        mine, theirs = (one.api.get(f"/api/v1/{path}").json() for one in (daemon, other))
        assert theirs == mine
    again = other.api.post("/api/v1/export").content
    assert (
        json.loads(gzip.decompress(again).splitlines()[-1])["end"]["sha256"]
        == (json.loads(last)["end"]["sha256"])
    )
    # And it goes on from there.
    assert other.ask("And now?", life)[-1][1] == "done"


def test_with_a_password_from_a_path(daemon, other, life, tmp_path):
    path = tmp_path / "life"
    path.write_bytes(daemon.api.post("/api/v1/export", json={"password": "ünlock"}).content)
    assert b"Ana" not in path.read_bytes()
    assert load(other, json={"path": str(path)}) == (422, "password_needed")
    assert load(other, json={"path": str(path), "password": "x"}) == (422, "password_wrong")
    assert load(other, json={"path": str(path), "password": "ünlock"})[0] == "done"
    headers = BYTES | {"x-nestor-password": "%C3%BCnlock"}
    assert load(other, content=path.read_bytes(), headers=headers)[0] == "done"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"json": {"path": "/nowhere/at-all"}}, (404, "not_found")),
        ({"json": {"path": "life"}}, (422, "invalid_input")),
        ({"json": {"path": "/x", "pasword": "y"}}, (422, "invalid_input")),
        ({"json": {"path": "/x", "from": "abacus"}}, (422, "invalid_input")),
        ({"content": b"hello", "headers": {"content-type": "text/plain"}}, (415, "unsupported_media_type")),
        ({"content": b"hello", "headers": BYTES}, (422, "import_invalid")),
        ({"content": b"", "headers": BYTES}, (422, "import_invalid")),
    ],
)  # fmt: skip
def test_what_is_refused(daemon, request_, answer):
    assert load(daemon, **request_) == answer


def test_a_mistyped_password_is_no_plain_file(daemon):
    answer = daemon.api.post("/api/v1/export", json={"pasword": "x"})
    assert answer.status_code == 422


def test_the_commands(daemon, other, life, tmp_path):
    plain = tmp_path / "plain.export"
    done = daemon.cli("export", str(plain))
    assert done.returncode == 0, done.stderr
    assert "not encrypted" in done.stderr
    assert plain.stat().st_mode & 0o777 == 0o600
    assert "by that name" in daemon.cli("export", str(plain)).stderr
    sealed = tmp_path / "sealed.export"
    done = daemon.cli("export", str(sealed), "--password", "--json", input="secret\n")
    assert json.loads(done.stdout)["encrypted"] is True
    assert "not encrypted" not in done.stderr
    assert list(tmp_path.glob(".*")) == []

    assert "password" in other.cli("import", str(sealed)).stderr
    done = other.cli("import", str(sealed), "--password", "--json", input="secret\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dry_run"] is False
    told = other.cli("import", str(plain)).stdout
    assert "Added: nothing." in told
    assert "2 memories" in told


def test_another_assistants_file_comes_in_and_its_chat_goes_on(other, tmp_path):
    path = tmp_path / "chatgpt.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.write(CHATGPT, "conversations.json")
    name, told = load(other, content=path.read_bytes(), headers={"content-type": "application/zip"})
    assert name == "done"
    assert told["from"] == "chatgpt"
    rows = other.api.get("/api/v1/conversations").json()["items"]
    chat = next(row for row in rows if row["title"] == "Tulips for Ana")
    assert other.ask("And who is Ana?", chat["id"])[-1][1] == "done"
    turns = other.api.get(f"/api/v1/conversations/{chat['id']}").json()["turns"]
    assert [turn["text"] for turn in turns][1:] == ["Which colour?", "And who is Ana?"]
    again = other.cli("import", str(CHATGPT), "--from", "chatgpt")
    assert "Added: nothing." in again.stdout
    assert (
        "Left out: conversation (conversations.json, conversation 3): it has no messages."
        in again.stdout
    )
