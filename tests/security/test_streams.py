"""A hundred and a thousand streams at once, on the fake model: no event lost, none twice, none another's."""

import asyncio
import json
import time

import pytest
from running import RunningDaemon, answer, events
from security.conftest import FULL

HOW_MANY = [100, 1_000] if FULL else [100]
DEVICES = 8
PATIENCE_S = 240


class Caller:
    """Plain HTTP/1.1 over asyncio: a thousand clients of a library would measure the library."""

    def __init__(self, port, token):
        self.port, self.token = port, token

    async def ask(self, method, path, body=None):
        """(status, headers, body), on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        try:
            sent = b"" if body is None else json.dumps(body).encode()
            kind = "Content-Type: application/json\r\n" if sent else ""
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n"
                f"Authorization: Bearer {self.token}\r\n{kind}Content-Length: {len(sent)}\r\n\r\n"
            )
            writer.write(head.encode() + sent)
            first, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in fields if line)
            whole = await reader.read()
        finally:
            writer.close()
        if headers.get("transfer-encoding") == "chunked":
            whole = unchunked(whole)
        return int(first.split()[1]), headers, whole


def unchunked(data):
    """RFC 9112, 7.1. A body that was cut off is an error."""
    pieces, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(data[end + 2 : end + 2 + size])
        at = end + size + 4


def parsed(body):
    return list(events(body.decode().split("\n")))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = tmp_path_factory.mktemp("streams")
    script = home / "script.json"
    script.write_text(json.dumps({"replies": [], "word_pause_s": 0.002}))
    env = {"NESTOR_BACKUP_EVERY_H": "0"}
    running = RunningDaemon(home / "home", model=f"fake:{script}", env=env).up()
    yield running
    assert "Traceback" not in running.output()
    assert running.stop() == 0


@pytest.fixture(scope="module")
def callers(daemon):
    made = []
    for number in range(DEVICES):
        asked = {"name": f"device {number}", "scopes": ["chat", "memory.read"]}
        token = daemon.api.post("/api/v1/devices", json=asked).json()["token"]
        made.append(Caller(daemon.port, token))
    return made


@pytest.mark.parametrize("many", HOW_MANY)
async def test_as_many_questions_at_once_get_their_own_answers(daemon, callers, many, figure):
    """Who is told 429 asks again when told to; nobody is dropped."""
    told_to_wait = 0

    async def one(number):
        nonlocal told_to_wait
        caller = callers[number % DEVICES]
        status, _, body = await caller.ask("POST", "/api/v1/conversations", {})
        assert status == 201, body
        chat = json.loads(body)["id"]
        words = [f"w{number}x{at}" for at in range(6)]
        while True:
            question = {"text": " ".join(words), "memory": False}
            path = f"/api/v1/conversations/{chat}/turns"
            status, headers, body = await caller.ask("POST", path, question)
            if status != 429:
                break
            told_to_wait += 1
            await asyncio.sleep(float(headers["retry-after"]) * (0.5 + number % 7 / 7))
        assert status == 200, body
        seen = parsed(body)
        assert [id_ for id_, _, _ in seen] == list(range(1, len(seen) + 1))
        assert seen[0][2]["conversation"] == chat
        assert answer(seen).split() == words
        assert seen[-1][1] == "done"
        return chat, seen[0][2]["turn"]

    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        done = await asyncio.gather(*(one(number) for number in range(many)))
    took = time.monotonic() - begun
    assert len({chat for chat, _ in done}) == len({turn for _, turn in done}) == many
    assert daemon.api.get("/api/v1/status").json()["queue"]["length"] == 0
    figure(f"{many:,} questions at once", f"0 lost, 0 crossed, {took:.0f} s", "0 lost or crossed")


@pytest.mark.parametrize("many", HOW_MANY)
async def test_as_many_listen_to_one_answer_and_all_hear_all_of_it(daemon, callers, many, figure):
    """All connected at once, from different events on; half of them listen to another turn."""
    texts = [" ".join(f"{name}{at}" for at in range(400)) for name in "ab"]

    async def begin(text):
        _, _, body = await callers[0].ask("POST", "/api/v1/conversations", {})
        chat = json.loads(body)["id"]
        path, question = f"/api/v1/conversations/{chat}/turns", {"text": text, "memory": False}
        asking = asyncio.create_task(callers[0].ask("POST", path, question))
        while True:
            _, _, body = await callers[0].ask("GET", f"/api/v1/conversations/{chat}")
            if turns := json.loads(body)["turns"]:
                return asking, turns[0]["id"]
            await asyncio.sleep(0.01)

    begun = [await begin(text) for text in texts]
    async with asyncio.timeout(PATIENCE_S):
        heard = await asyncio.gather(
            *(callers[n % DEVICES].ask("GET", f"/api/v1/turns/{begun[n % 2][1]}/events") for n in range(many))
        )  # fmt: skip
        whole = [parsed((await asking)[2]) for asking, _ in begun]
    for number, (status, _, body) in enumerate(heard):
        assert status == 200, body
        assert parsed(body) == whole[number % 2]
    for text, seen in zip(texts, whole):
        assert answer(seen) == text
    figure(f"{many:,} listeners at once", "0 lost, 0 crossed", "0 lost or crossed")
