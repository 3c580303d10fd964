"""A phone is paired with a real daemon over its real network interface, and comes and goes.

Skipped where the machine has no interface but loopback.
"""

import contextlib
import secrets
import subprocess
import sys
import time

import httpx
import psutil
import pytest
from running import RunningDaemon
from security.phone import Phone, paired

from assistant.listen.interfaces import candidates

HOME = [one for one in candidates() if one.kind == "home"]
pytestmark = pytest.mark.skipif(not HOME, reason="no network interface but loopback")


@pytest.fixture
def daemon(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    yield running
    running.stop()


def listening(daemon):
    connections = psutil.Process(daemon.process.pid).net_connections("inet")
    return {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


def test_a_phone_pairs_chats_is_limited_and_is_revoked(daemon):
    assert listening(daemon) <= {"127.0.0.1", "::1"}
    phone, device = paired(daemon, scopes=["chat", "memory.read"])
    assert listening(daemon) - {"127.0.0.1", "::1"} == {one.address for one in HOME}
    assert "0.0.0.0" not in listening(daemon)

    assert "version" not in phone.ask("GET", "/health")[1]
    assert phone.ask("GET", "/api/v1/status")[0] == 200
    assert phone.ask("GET", "/api/v1/devices")[1]["error"]["code"] == "scope_missing"
    assert phone.ask("GET", "/api/v1/devices/me")[1]["name"] == "Ana's phone"
    for host in ("127.0.0.1", "localhost", f"localhost:{daemon.port}", "foo.local", "x.internal"):
        status, body = phone.ask("GET", "/api/v1/status", headers={"Host": host})
        assert (status, body["error"]["code"]) == (403, "foreign_host")
    owner = {"Authorization": f"Bearer {daemon.token}"}
    assert phone.ask("GET", "/api/v1/status", headers=owner)[0] == 401

    daemon.stop()
    daemon.up()  # it comes back by itself, for a device is paired
    assert listening(daemon) - {"127.0.0.1", "::1"} == {one.address for one in HOME}
    daemon.api.delete(f"/api/v1/devices/{device['id']}").raise_for_status()
    deadline = time.monotonic() + 10
    while listening(daemon) - {"127.0.0.1", "::1"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    daemon.stop()
    daemon.up()
    assert listening(daemon) <= {"127.0.0.1", "::1"}


def test_five_wrong_codes_over_the_network_close_the_window(daemon):
    phone = Phone(daemon.api.post("/api/v1/pair", json={}).json())
    for _ in range(5):
        status, body = phone.claim("0000-0000")
        assert (status, body["error"]["code"]) == (403, "pairing_refused")
    assert daemon.api.get("/api/v1/pair").json()["state"] == "closed"
    with contextlib.suppress(OSError):  # the door may be closed already
        assert phone.claim()[1]["error"]["code"] == "pairing_refused"
    assert daemon.api.get("/api/v1/devices").json()["items"] == []


def test_nothing_of_a_pairing_is_on_disk_or_in_the_log(daemon):
    phone, _ = paired(daemon)
    secret, code = phone.opened["secret"], phone.opened["code"]
    for path in daemon.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for one in (secret, code, code.replace("-", ""), phone.token, phone.nonce):
                assert one.encode() not in content, path


def test_the_owner_changes_their_mind(daemon):
    phone = Phone(daemon.api.post("/api/v1/pair", json={}).json())
    daemon.api.delete("/api/v1/pair").raise_for_status()
    with pytest.raises(OSError):
        phone.claim()
    assert listening(daemon) <= {"127.0.0.1", "::1"}


def test_the_diagnosis_of_an_open_door(daemon):
    daemon.api.post("/api/v1/pair", json={}).raise_for_status()
    checks = daemon.api.get("/api/v1/pair/diagnose").json()["items"]
    assert [c["ok"] for c in checks if c["name"] == "door"] == [True] * len(HOME)
    said = daemon.cli("pair", "--diagnose")
    assert said.returncode == 0
    assert "Nothing has come from another machine" in said.stdout
    wrong = daemon.api.post("/api/v1/pair", json={"interface": "nosuch0"})
    assert wrong.json()["error"]["code"] == "lan_refused"


def test_the_command_shows_a_code_and_asks_before_it_lets_anyone_in(daemon):
    process = subprocess.Popen(
        [sys.executable, "-m", "assistant", "pair", "--scope", "chat"], env=daemon.env | {"COLUMNS": "200"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    said = ""
    while "Scan the code" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    assert "▄" in said or "█" in said or "▀" in said
    code = next(line.split()[-1] for line in said.splitlines() if line.startswith("code"))
    host = next(line.split("//")[1].strip() for line in said.splitlines() if "https://" in line)
    body = {
        "proof": code.lower(),
        "nonce": secrets.token_urlsafe(16),
        "name": "Ana's \x1b[31mphone",
    }
    with httpx.Client(verify=False, timeout=30) as client:
        first = client.post(f"https://{host}/api/v1/pair/claim", json=body)
        assert first.status_code == 202
        out, err = process.communicate("y\n", timeout=30)
        assert process.returncode == 0, err
        assert first.json()["check"] in out
        assert "\x1b[31m" not in out
        assert client.post(f"https://{host}/api/v1/pair/claim", json=body).json()["token"]
