"""Nothing leaves the machine by itself: every address that the daemon's Python names is written down."""

from pathlib import Path

from running import RunningDaemon

HOOK = """
import os, sys
def note(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        where = args[1] if event != "socket.getaddrinfo" else args[0]
        with open(os.environ["NAMED"], "a") as file:
            file.write(f"{event} {where!r}\\n")
sys.addaudithook(note)
import socket
try:
    socket.create_connection(("127.0.0.1", 9), 1).close()
except OSError:
    pass
"""


def test_a_daemon_that_is_used_names_no_address_but_this_machines(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    named = tmp_path / "named"
    root = Path(__file__).parents[2]
    daemon = RunningDaemon(
        tmp_path / "home", env={"NAMED": str(named), "PYTHONPATH": f"{tmp_path}:{root}"}
    ).up()
    try:
        daemon.api.post("/api/v1/memories", json={"text": "I live in Lyon."}).raise_for_status()
        body = {
            "messages": [
                {"role": "user", "content": "see https://example.com/x, and where do I live?"}
            ]
        }
        daemon.api.post("/v1/chat/completions", json=body).raise_for_status()
        daemon.api.post("/api/v1/backup").raise_for_status()
        daemon.api.get("/api/v1/doctor").raise_for_status()
    finally:
        ended = daemon.stop()
    assert ended == 0
    lines = named.read_text().splitlines()
    assert any("('127.0.0.1', 9)" in line for line in lines), "the hook did not run"
    away = [
        line
        for line in lines
        if not any(ours in line for ours in ("127.0.0.1", "'::1'", "localhost", "api.sock"))
    ]
    assert away == []
