"""A chat that outgrows its model: a summary takes over, survives a restart, and can be forgotten."""

import itertools
import time

import pytest
from running import RunningDaemon

pytestmark = [pytest.mark.model, pytest.mark.slow]

CABIN = "The door code of the cabin is 4711-heron"
SAID = (
    "What is the door code of the cabin?",
    "My name is Max and we are planning a trip to Porto.",
    "We leave on 12 March 2027, by train.",
    "My daughter Tilda comes along; she is seven.",
    "We stay at the Hotel Carris for three nights.",
    "Our budget is 900 euros, and we do not eat fish.",
    "Tilda wants to see the ocean and the old tram.",
    "We still have to book the train back to Lyon.",
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, starter_model):
    home = tmp_path_factory.mktemp("home")
    running = RunningDaemon(home, model="starter", env={"NESTOR_CONTEXT": "1024"}).up()
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


def receipt(daemon, text, conversation):
    by_name = {name: data for _, name, data in daemon.ask(text, conversation)}
    assert "done" in by_name, by_name.get("failed")
    return by_name["receipt"]


def until_shorter(daemon, conversation, tokens):
    """Wait for the summary: the prompt, as `warm` reads it ahead, has become much shorter."""
    deadline = time.monotonic() + 240
    for n in itertools.count():
        body = {"conversation": conversation, "draft": f"ab {n}"}
        while daemon.api.post("/api/v1/warm", json=body).status_code == 202:
            assert time.monotonic() < deadline, "no summary was made"
            time.sleep(0.2)
        shown = daemon.api.post("/api/v1/warm", json=body).json()
        assert shown["state"] == "ready", shown
        if shown["tokens"] < 0.75 * tokens:
            return
        assert time.monotonic() < deadline, "no summary was made"
        time.sleep(3)


@pytest.fixture(scope="module")
def chat(daemon):
    """A conversation whose older turns have become a summary, and its receipts so far."""
    daemon.memory = daemon.api.post("/api/v1/memories", json={"text": CABIN}).json()["id"]
    conversation = daemon.conversation()
    receipts = [receipt(daemon, SAID[0], conversation)]
    assert [row["id"] for row in receipts[0]["memories"]] == [daemon.memory]
    for text in itertools.cycle(SAID[1:]):
        receipts.append(receipt(daemon, text, conversation))
        if receipts[-1]["tokens_in"] > 520:
            break
        # Each prompt begins with the one before, which was not read again.
        assert receipts[-1]["tokens_cached"] >= receipts[-2]["tokens_in"] - 1
    until_shorter(daemon, conversation, receipts[-1]["tokens_in"])
    return conversation, receipts


def test_a_summary_stands_for_older_turns_and_was_read_ahead(daemon, chat):
    conversation, receipts = chat
    after = receipt(daemon, "When do we leave?", conversation)
    assert after["summarised"]["turns"] >= 3
    assert after["dropped"] == []
    assert after["tokens"]["summary"] > 10
    assert after["tokens_in"] < receipts[-1]["tokens_in"]
    # What is new to the model is the question and what stands around it, not the summary.
    assert after["tokens_in"] - after["tokens_cached"] < 80
    kept = daemon.api.get(f"/api/v1/conversations/{conversation}").json()["turns"]
    assert len(kept) == len(receipts) + 1
    assert kept[0]["text"] == SAID[0]


def test_it_survives_a_restart(daemon, chat):
    conversation, _ = chat
    before = receipt(daemon, "Who comes along?", conversation)
    assert daemon.stop() == 0
    daemon.up()
    after = receipt(daemon, "Where do we stay?", conversation)
    assert after["summarised"]["from"] == before["summarised"]["from"]
    assert after["summarised"]["turns"] >= before["summarised"]["turns"]
    assert after["dropped"] == []


def test_it_goes_when_what_it_was_made_from_is_forgotten(daemon, chat):
    conversation, _ = chat
    assert daemon.api.delete(f"/api/v1/memories/{daemon.memory}").status_code == 200
    after = receipt(daemon, "And what do we eat?", conversation)
    assert after["summarised"] is None
    assert after["memories"] == []


def test_turns_that_no_longer_fit_are_dropped_by_name_or_refused(daemon):
    conversation = daemon.conversation()
    path = f"/api/v1/conversations/{conversation}/turns"
    long = "one two three four five six seven eight nine ten " * 40
    receipt(daemon, f"Say yes. {long}", conversation)
    again = f"Say no. {long}"
    refused = daemon.api.post(path, json={"text": again, "overflow": "error"})
    assert "context_overflow" in refused.text  # at once, or as the last event
    assert "event: done" not in refused.text
    after = receipt(daemon, again, conversation)
    assert "context_full" in {entry["reason"] for entry in after["dropped"]}
    for size in (1_000, 3_000):  # as the last event; at once
        too_long = daemon.api.post(path, json={"text": "9 " * size})
        assert "context_overflow" in too_long.text
        assert "tokens fit" in too_long.text
