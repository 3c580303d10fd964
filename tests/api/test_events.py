"""The stream of what changed, over the wire."""

import threading
import time
from contextlib import contextmanager

import httpx
from running import RunningDaemon, events


@contextmanager
def listening(daemon, headers=None):
    """What a device hears, in a list that grows."""
    heard = []
    ready = threading.Event()

    def listen():
        with (
            httpx.Client(headers={"Authorization": f"Bearer {daemon.token}"}, timeout=30) as client,
            client.stream("GET", f"{daemon.url}/api/v1/events", headers=headers) as response,
        ):
            ready.response = response
            ready.set()
            try:
                for event in events(response.iter_lines()):
                    heard.append((time.monotonic(), *event))
            except httpx.TransportError:
                pass

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert ready.wait(5)
    until(lambda: heard or headers)
    yield heard


def until(true, seconds=5):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


def names(heard):
    return [name for _, _, name, _ in heard]


def test_what_one_device_does_another_hears(daemon):
    with listening(daemon) as heard:
        chat = daemon.conversation()
        turn = daemon.ask("hello", chat)[0][2]["turn"]
        memory = daemon.api.post("/api/v1/memories", json={"text": "I like tulips"}).json()["id"]
        daemon.api.patch(f"/api/v1/conversations/{chat}", json={"title": "Other"})
        daemon.api.delete(f"/api/v1/memories/{memory}")
        daemon.api.delete(f"/api/v1/conversations/{chat}")
        until(lambda: heard[-1][3].get("deleted"))
    assert names(heard) == [
        "sync", "conversation", "turn_started", "turn_finished", "memories", "conversation",
        "memories", "conversation",
    ]  # fmt: skip
    assert heard[2][3] == heard[3][3] == {"turn": turn, "conversation": chat}
    ids = [id_ for _, id_, _, _ in heard]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_it_never_says_what_was_written(daemon):
    with listening(daemon) as heard:
        daemon.ask("the canary qwzx-1 sings")
        daemon.api.post("/api/v1/memories", json={"text": "canary qwzx-2"})
        until(lambda: "memories" in names(heard))
    assert "qwzx" not in repr(heard)


def test_a_device_that_was_away_hears_what_it_missed(daemon):
    with listening(daemon) as heard:
        last = heard[0][1]
    first, second = daemon.conversation(), daemon.conversation()
    with listening(daemon, {"Last-Event-ID": str(last)}) as heard:
        until(lambda: len(heard) == 2)
    assert [data["id"] for _, _, _, data in heard] == [first, second]


def test_a_restart_is_heard_as_sync_and_the_stream_ends_cleanly(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    with listening(running) as heard:
        last = heard[0][1]
    assert running.stop() == 0
    running.up()
    with listening(running, {"Last-Event-ID": str(last)}) as heard:
        until(lambda: heard)
    assert names(heard) == ["sync"]
    assert running.stop() == 0


def test_it_needs_a_token_and_a_number(daemon):
    assert httpx.get(f"{daemon.url}/api/v1/events").status_code == 401
    wrong = daemon.api.get("/api/v1/events", headers={"Last-Event-ID": "x"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_input")
