"""Backup and restore as a user does them: a real daemon, the command line, kills."""

import concurrent.futures
import contextlib
import json
import os
import signal
import sys
import threading
import time

import httpx
import pytest
from running import RunningDaemon

from assistant.memory import recovery


@pytest.fixture
def daemon(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    yield running
    if running.process.poll() is None:
        running.stop()


def fill(daemon, count, text="note {n}"):
    rows = [{"text": text.format(n=n)} for n in range(count)]
    return daemon.api.post("/api/v1/memories/import", json=rows).json()["ids"]


def run(daemon, *arguments, code=0, **rest):
    done = daemon.cli(*arguments, **rest)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_back_up_lose_and_restore(daemon):
    ids = fill(daemon, 50)
    made = run(daemon, "backup")
    assert "50 rows" in made.stdout
    assert "key file (0600)" in made.stdout
    assert "not beside the backup" in made.stdout
    (row,) = json.loads(run(daemon, "backup", "--list", "--json").stdout)
    assert {"name", "date", "bytes", "schema", "rows", "verified"} <= set(row)
    assert row["verified"]
    later = daemon.api.post("/api/v1/memories", json={"text": "later"}).json()["id"]
    said_no = run(daemon, "restore", row["name"], input="n\n", code=1)
    assert "running" in said_no.stderr
    assert "what was forgotten since stays forgotten" in said_no.stderr
    assert daemon.api.get(f"/api/v1/memories/{later}").status_code == 200

    chats = daemon.home / "cache/chats"
    chats.mkdir(parents=True, exist_ok=True)
    (chats / "state").write_bytes(b"what the model read")
    done = json.loads(run(daemon, "restore", row["name"], "--yes", "--json").stdout)
    assert daemon.process.wait(30) == 0
    assert done["rows"] == 50
    assert not (chats / "state").exists()
    daemon.up()
    assert daemon.api.get(f"/api/v1/memories/{later}").status_code == 404
    assert daemon.api.get(f"/api/v1/memories/{ids[7]}").json()["text"] == "note 7"
    assert "replaced by a restore" in run(daemon, "backup", "--list").stdout
    checks = {c["name"]: c for c in daemon.api.get("/api/v1/doctor").json()["items"]}
    assert checks["memory"]["ok"]
    assert row["date"] in checks["backup"]["found"]
    assert row["date"] in run(daemon, "status").stdout

    assert daemon.stop() == 0
    run(daemon, "restore", done["kept"], "-y")
    daemon.up()
    assert daemon.api.get(f"/api/v1/memories/{later}").json()["text"] == "later"


def test_who_forgets_is_told_which_backups_hold_it(daemon):
    ids = fill(daemon, 3)
    gone = daemon.api.delete(f"/api/v1/memories/{ids[0]}").json()
    assert gone == {"deleted": ids[0], "backups": []}
    name = daemon.api.post("/api/v1/backup").json()["name"]
    gone = daemon.api.delete(f"/api/v1/memories/{ids[1]}").json()
    assert [row["name"] for row in gone["backups"]] == [name]
    chat = daemon.conversation()
    gone = daemon.api.delete(f"/api/v1/conversations/{chat}").json()
    assert [row["name"] for row in gone["backups"]] == [name]
    told = run(daemon, "forget", "--id", ids[2]).stdout
    assert name in told
    assert gone["backups"][0]["date"] in told
    assert "nestor backup --purge" in told
    nothing = daemon.api.post("/api/v1/forget", json={"query": "nothing like it"}).json()
    assert (nothing["forgotten"], nothing["backups"]) == ([], [])

    purged = json.loads(run(daemon, "backup", "--purge", "--json").stdout)
    assert [row["name"] for row in purged["removed"]] == [name]
    assert purged["left"] == []
    assert [p.name for p in (daemon.home / "data/backups").iterdir()] == [purged["name"]]


def test_what_was_forgotten_stays_so_unless_asked_for(daemon):
    ids = fill(daemon, 4)
    name = daemon.api.post("/api/v1/backup").json()["name"]
    run(daemon, "forget", "--id", ids[0])
    daemon.api.delete(f"/api/v1/memories/{ids[1]}").raise_for_status()
    told = run(daemon, "restore", name, "-y").stdout
    assert "Left out: 2" in told
    assert "--with-forgotten" in told
    daemon.process.wait(30)
    daemon.up()
    assert daemon.api.get(f"/api/v1/memories/{ids[0]}").status_code == 404
    assert daemon.api.get(f"/api/v1/memories/{ids[2]}").json()["text"] == "note 2"
    done = json.loads(run(daemon, "restore", name, "-y", "--with-forgotten", "--json").stdout)
    assert (done["rows"], done["forgotten"], done["with_forgotten"]) == (4, 2, True)
    daemon.process.wait(30)
    daemon.up()
    assert daemon.api.get(f"/api/v1/memories/{ids[0]}").json()["text"] == "note 0"


def clients(url, token, stop, seen):
    """What other programs do while a restore goes on under them: each answer is whole or an error."""
    headers = {"Authorization": f"Bearer {token}"}
    while not stop.is_set():
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(f"{url}/api/v1/memories?limit=200", headers=headers, timeout=30)
            seen.append((answer.status_code, len(answer.json().get("items", ()))))
            body = {"text": f"beside {len(seen)}"}
            httpx.post(f"{url}/api/v1/memories", json=body, headers=headers, timeout=30)


def test_a_restore_under_busy_clients(daemon):
    fill(daemon, 100)
    name = daemon.api.post("/api/v1/backup").json()["name"]
    stop, seen = threading.Event(), []
    arguments = (daemon.url, daemon.token, stop, seen)
    threads = [threading.Thread(target=clients, args=arguments) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        while len(seen) < 20:
            time.sleep(0.01)
        done = json.loads(run(daemon, "restore", name, "-y", "--json").stdout)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert done["rows"] == 100
    assert daemon.process.wait(30) == 0
    assert {code for code, _ in seen} <= {200, 503}
    daemon.up()
    assert len(daemon.api.get("/api/v1/memories?limit=200").json()["items"]) == 100
    checks = {c["name"]: c for c in daemon.api.get("/api/v1/doctor").json()["items"]}
    assert checks["memory"]["ok"]
    # What the clients stored until the end is in what was kept.
    assert daemon.stop() == 0
    kept = json.loads(run(daemon, "restore", done["kept"], "-y", "--json").stdout)
    assert kept["rows"] > 100


# --- the key ---------------------------------------------------------------------------------


def everything(home):
    return b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file() and p.stat().st_size)


def on_a_terminal(daemon, *arguments, typed):
    """Run `nestor` with a terminal for its input, as a person does."""
    import pty

    master, slave = pty.openpty()
    os.write(master, typed.encode() + b"\n")
    try:
        return daemon.cli(*arguments, stdin=slave)
    finally:
        os.close(slave)
        os.close(master)


def test_the_recovery_key_brings_back_a_memory_without_its_key(daemon):
    (first,) = fill(daemon, 1)
    said_no = run(daemon, "key", "show", input="n\n", code=1)
    assert "-" not in said_no.stdout.strip()
    shown = run(daemon, "key", "show", input="y\n").stdout.strip()
    assert json.loads(run(daemon, "key", "show", "-y", "--json").stdout)["recovery_key"] == shown
    secret = (daemon.home / "config/database.key").read_text().strip()
    assert daemon.stop() == 0
    (daemon.home / "config/database.key").unlink()
    kept = everything(daemon.home)
    assert shown.encode() not in kept
    assert secret.encode() not in kept

    missing = run(daemon, "remember", "x", code=1)
    assert "nestor key enter" in missing.stderr
    slip = ("1" if shown[0] == "0" else "0") + shown[1:]
    other = recovery.write(bytes(32))
    for typed, told in ((slip, "mistyped"), ("abc", "56"), (other, "another memory's")):
        refused = run(daemon, "key", "enter", input=typed + "\n", code=1)
        assert told in refused.stderr
        assert not (daemon.home / "config/database.key").exists()
    run(daemon, "key", "enter", input=shown.lower().replace("-", " ") + "\n")
    assert (daemon.home / "config/database.key").stat().st_mode & 0o077 == 0
    daemon.up()
    assert daemon.api.get(f"/api/v1/memories/{first}").json()["text"] == "note 0"
    assert shown not in daemon.output()
    log = (daemon.home / "state/daemon.log").read_text()
    assert shown not in log
    assert secret not in log


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_up_and_restore_ask_for_a_missing_key(daemon, tmp_path):
    fill(daemon, 3)
    made = json.loads(run(daemon, "backup", "--to", str(tmp_path), "--json").stdout)
    shown = run(daemon, "key", "show", "-y").stdout.strip()
    assert daemon.stop() == 0
    (daemon.home / "config/database.key").unlink()
    up = on_a_terminal(daemon, "up", "--detach", typed=shown)
    assert up.returncode == 0, up.stderr
    assert "its key is not" in up.stderr
    assert json.loads(run(daemon, "recall", "note 1", "--json").stdout)
    run(daemon, "down")

    abroad = RunningDaemon(tmp_path / "abroad")
    file = str(tmp_path / made["name"])
    refused = run(abroad, "restore", file, "-y", code=1)
    assert "--recovery-key" in refused.stderr
    done = on_a_terminal(abroad, "restore", file, "-y", "--json", typed=shown)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 3
    # Where another memory has a key of its own already, the backup takes that one.
    third = RunningDaemon(tmp_path / "third").up()
    own = (third.home / "config/database.key").read_text()
    assert "key it was made with" in run(third, "restore", file, "-y", code=1).stderr
    run(third, "restore", file, "-y", "--recovery-key", input=shown + "\n")
    assert (third.home / "config/database.key").read_text() == own
    third.process.wait(30)
    third.up()
    assert len(third.api.get("/api/v1/memories").json()["items"]) == 3
    assert third.stop() == 0


def test_a_wrong_file_changes_nothing(daemon, tmp_path):
    fill(daemon, 20)
    made = json.loads(run(daemon, "backup", "--json").stdout)
    path = daemon.home / "data/backups" / made["name"]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refused = run(daemon, "restore", made["name"], "--yes", code=1)
    assert "damaged" in refused.stderr
    assert "ERROR CORE" not in refused.stderr
    assert "nestor backup --list" in run(daemon, "restore", "nothing", "-y", code=1).stderr
    assert daemon.process.poll() is None, "the daemon was stopped for a file that is no good"
    assert daemon.api.get("/api/v1/backup").json()["items"][0]["verified"] is False
    for to, code in ((str(tmp_path / "nowhere"), 503), ("relative", 422), ("a\0b", 422), ("", 422)):
        assert daemon.api.post("/api/v1/backup", json={"to": to}).status_code == code
    assert daemon.api.post("/api/v1/backup", json={"purgee": True}).status_code == 422
    assert daemon.api.post("/api/v1/backup", json={"to": str(tmp_path)}).status_code == 201


def test_a_folder_named_from_where_the_user_is(daemon, tmp_path):
    (tmp_path / "here").mkdir()
    made = json.loads(run(daemon, "backup", "--to", "here", "--json", cwd=tmp_path).stdout)
    assert (tmp_path / "here" / made["name"]).stat().st_mode & 0o077 == 0
    run(daemon, "down")
    run(daemon, "restore", f"here/{made['name']}", "-y", cwd=tmp_path)


@pytest.mark.slow
def test_kill_9_in_the_middle_leaves_no_half_backup(tmp_path):
    daemon = RunningDaemon(tmp_path / "home").up()
    for part in range(4):
        fill(daemon, 5_000, f"part {part} note {{n}} " + "word " * 40)
    folder = daemon.home / "data/backups"
    killed_midway = 0
    for round_ in range(12):
        if daemon.process.poll() is not None:
            daemon.stop()
            daemon.up()
        asking = threading.Thread(target=ask_in_vain, args=(daemon.url, daemon.token))
        asking.start()
        deadline = time.monotonic() + 30
        while not list(folder.glob(".memory-*.part")) and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(0.004 * round_)
        daemon.process.kill()
        daemon.process.wait()
        asking.join()
        killed_midway += bool(list(folder.glob(".memory-*.part")))
    assert killed_midway >= 3
    daemon.stop()
    daemon.up()
    assert not list(folder.glob(".*"))
    items = daemon.api.get("/api/v1/backup").json()["items"]
    for row in items:
        assert row["rows"] == 20_000
    daemon.api.post("/api/v1/backup").raise_for_status()
    checks = {c["name"]: c for c in daemon.api.get("/api/v1/doctor").json()["items"]}
    assert checks["memory"]["ok"]
    names = [row["name"] for row in daemon.api.get("/api/v1/backup").json()["items"]]
    assert daemon.stop() == 0
    for name in names:
        run(daemon, "restore", name, "-y")


def ask_in_vain(url, token):
    headers = {"Authorization": f"Bearer {token}"}
    with contextlib.suppress(httpx.TransportError):
        httpx.post(f"{url}/api/v1/backup", headers=headers, timeout=60)


@pytest.mark.slow
def test_50_backups_beside_writes_all_restore(daemon):
    fill(daemon, 2_000)
    acknowledged, stop = [], threading.Event()
    headers = dict(daemon.api.headers)

    def write(worker):
        with httpx.Client(base_url=daemon.url, headers=headers, timeout=60) as client:
            while not stop.wait(0.02):
                body = {"text": f"worker {worker} {len(acknowledged)}"}
                acknowledged.append(client.post("/api/v1/memories", json=body).json()["id"])

    expected = {}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(write, worker) for worker in range(4)]
        try:
            for _ in range(50):
                before = len(acknowledged)
                made = daemon.api.post("/api/v1/backup").json()
                expected[made["name"]] = 2_000 + before
                assert made["rows"] >= 2_000 + before
        finally:
            stop.set()
            for job in jobs:
                job.result(60)
    kept = [row["name"] for row in daemon.api.get("/api/v1/backup").json()["items"]]
    assert len(kept) == 7
    assert len(acknowledged) > 50
    os.kill(daemon.process.pid, signal.SIGTERM)
    daemon.process.wait(30)
    for name in kept:
        done = json.loads(run(daemon, "restore", name, "-y", "--json").stdout)
        assert done["rows"] >= expected[name]
    daemon.up()
    checks = {c["name"]: c for c in daemon.api.get("/api/v1/doctor").json()["items"]}
    assert checks["memory"]["ok"]
