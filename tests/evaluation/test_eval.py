"""`nestor eval`: it runs for real, it is the same twice, it leaves nothing, and it has teeth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

import msgspec
import pytest
from click.testing import CliRunner

from assistant import trial
from assistant.cli import main
from assistant.clients import evaluation
from assistant.config import Settings, load_paths
from assistant.evaluation import exams, marks, questions
from assistant.memory import facts, store, tables
from assistant.memory.redact import Touched

SETTINGS = Settings(model="fake", embedder="e5", key_store="file")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTOR_HOME", str(tmp_path / "home"))
    # Where throwaway memories go.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return load_paths()


async def examined(paths, *names, settings=SETTINGS):
    report = await trial._run(paths, settings, names, None)
    return {one["name"]: one for one in report["scores"]}, report


async def test_all_of_it_with_a_scripted_model(home, tmp_path):
    scores, report = await examined(home)
    assert list(scores) == list(exams.ABOUT)
    assert report["skipped"] == []
    assert {one["name"] for one in report["timings"]} == {
        "remember", "recall", "fast path", "first token"
    }  # fmt: skip
    for name in ("deletion", "poisoning", "contradictions", "finding what was told"):
        wrong = [check for check in scores[name]["checks"] if not check["ok"]]
        assert wrong == []
    assert scores["stale facts"]["percent"] >= 90
    assert scores["finding across languages"]["percent"] >= 75
    # The user's own memory was not even made, and nothing is left of the others.
    assert not home.database.exists()
    assert list(tmp_path.glob("nestor-eval-*")) == []


async def test_twice_the_same(home):
    first, _ = await examined(home, "corrections", "languages")
    again, _ = await examined(home, "corrections", "languages")
    assert first == again


@pytest.mark.model
@pytest.mark.slow
async def test_with_a_real_model(home, tiny_model):
    home = msgspec.structs.replace(home, models=tiny_model.parent)
    scores, report = await examined(
        home, "deletion", settings=Settings(model="tiny", key_store="file")
    )
    assert report["model"] == "tiny"
    assert scores["deletion"]["percent"] == 100
    assert report["tokens_per_s"] > 0
    (first,) = [one for one in report["timings"] if one["name"] == "first token"]
    assert first["p50_ms"] > 1


# --- teeth -----------------------------------------------------------------------------------


async def test_a_memory_that_closes_no_fact_is_found_out(home, monkeypatch):
    whole, _ = await examined(home, "corrections", "contradictions")
    monkeypatch.setattr(facts, "_close", lambda *_: None)
    broken, _ = await examined(home, "corrections", "contradictions")
    assert broken["stale facts"]["percent"] < whole["stale facts"]["percent"] - 50
    assert broken["contradictions"]["percent"] < whole["contradictions"]["percent"] - 25


async def test_a_forget_that_leaves_the_text_is_found_out(home, monkeypatch):
    def hidden(db, ids):
        """Closed, and said to be gone."""
        for one in ids:
            tables.update(db, one, {"valid_to": "2000-01-01T00:00:00Z"})
        return [], Touched()

    monkeypatch.setattr("assistant.memory.erase.tables.delete", hidden)
    broken, _ = await examined(home, "deletion")
    assert broken["deletion"]["percent"] <= 25


async def test_a_forget_that_leaves_what_was_quoted_is_found_out(home, monkeypatch):
    monkeypatch.setattr(tables, "redact_turns", lambda db, gone: Touched())
    broken, _ = await examined(home, "deletion")
    asked = sum(bool(one.ask) for one in questions.load().secret)
    assert broken["deletion"]["right"] == broken["deletion"]["of"] - asked


async def test_a_memory_that_believes_everybody_is_found_out(home, monkeypatch):
    monkeypatch.setattr("assistant.memory.suggestions.own_words", lambda text: text)
    monkeypatch.setattr("assistant.memory.knowledge.own_words", lambda text: text)
    for module in ("suggestions", "knowledge"):
        monkeypatch.setattr(f"assistant.memory.{module}.only_states", lambda text, read: True)
    monkeypatch.setattr("assistant.memory.earnest._QUOTED", re.compile(r"(?!)"))
    broken, _ = await examined(home, "poisoning")
    assert broken["poisoning"]["percent"] < 80


async def test_a_recall_that_always_answers_is_found_out(home, monkeypatch):
    recall = store.Memories.recall

    async def ungated(self, query, **how):
        return await recall(self, query, **how | {"gate": False})

    whole, _ = await examined(home, "abstention")
    monkeypatch.setattr(store.Memories, "recall", ungated)
    broken, _ = await examined(home, "abstention")
    assert broken["abstention"]["percent"] < whole["abstention"]["percent"] - 40


async def test_a_memory_without_vectors_crosses_no_language(home):
    broken, _ = await examined(
        home, "languages", settings=Settings(model="fake", embedder="gguf:x", key_store="file")
    )
    assert broken["finding across languages"]["percent"] < 50


# --- around it -------------------------------------------------------------------------------


async def test_interrupted_it_leaves_nothing(home, tmp_path):
    task = asyncio.create_task(trial._run(home, SETTINGS, ["deletion"], None))
    while not list(tmp_path.glob("nestor-eval-*/subject-*/data/memory.db")):
        await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert list(tmp_path.glob("nestor-eval-*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C of a process of its own")
def test_ctrl_c_ends_it_and_leaves_nothing(home, tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "assistant", "eval", "--model", "fake"],
        env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    until = time.monotonic() + 30
    while not list(tmp_path.glob("nestor-eval-*/subject-*/data/memory.db")):
        assert time.monotonic() < until
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (1, b"")
    assert b"Aborted" in err
    assert b"Traceback" not in err
    assert list(tmp_path.glob("nestor-eval-*")) == []


async def test_progress_counts_what_is_there(home):
    told = []
    report = await trial._run(
        home, SETTINGS, ["contradictions", "deletion"], lambda *one: told.append(one)
    )
    checks = sum(one["of"] for one in report["scores"])
    assert [done for _, done, _ in told] == list(range(1, checks + 1))
    assert {total for _, _, total in told} == {checks}


def test_the_command(home, tmp_path):
    picture = tmp_path / "scores.svg"
    done = CliRunner().invoke(
        main,
        ["eval", "--model", "fake", "--only", "contradictions", "--plot", str(picture), "--json"],
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [one["name"] for one in report["scores"]] == ["contradictions"]
    assert ET.parse(picture).getroot().tag.endswith("svg")
    shown = CliRunner().invoke(main, ["eval", "--model", "fake", "--only", "contradictions"])
    assert "█" in shown.stdout
    assert "14 of 14" in shown.stdout
    unknown = CliRunner().invoke(main, ["eval", "--only", "juggling"])
    assert unknown.exit_code == 1


def test_a_picture_of_any_scores():
    report = {"model": "a<b", "embedder": "&", "scores": [
        {"name": "x & y", "percent": 12.5}, {"name": "z", "percent": 100.0}
    ]}  # fmt: skip
    root = ET.fromstring(evaluation.picture(report))
    assert "nestor eval: a<b, &" in "".join(root.itertext())
    assert (evaluation.bar(0), evaluation.bar(100)) == ("░" * 20, "█" * 20)


def test_questions_are_whole():
    asked = questions.load()
    for one in (*asked.stale, *asked.poison):
        assert not marks.says(getattr(one, "said", getattr(one, "truth", "")), one.old)
    for one in asked.secret:
        assert one.word in one.told
        assert one.word not in one.ask
    assert len({one.word for one in asked.secret}) == len(asked.secret)
    noise = questions.talk(200)
    assert len(set(noise)) == 200
    assert noise == questions.talk(200)
    for secret in asked.secret:
        assert not marks.any_of(noise, secret.word)


@pytest.mark.parametrize(
    ("text", "honest"),
    [
        ("I do not know.", True),
        ("I don't have any information about your passport.", True),
        ("Je ne sais pas.", True),
        ("Das weiß ich leider nicht.", True),
        ("No lo sé.", True),
        ("Your passport expires in May 2027.", False),
        ("Ta belle-mère a 62 ans.", False),
        ("Dein Steuerberater heißt Nolte.", False),
        ("Se llama Carmen.", False),
    ],
)
def test_who_admits_not_knowing(text, honest):
    assert marks.admits(text) is honest


def test_the_value_that_a_share_does_not_exceed():
    timing = marks.Timing("x", tuple(float(n) for n in range(1, 101)))
    assert (timing.at(0.5), timing.at(0.95), timing.at(1.0)) == (50.0, 95.0, 100.0)
