"""The owner is never locked out, and nobody guesses a way in. Rows 10 (OpenClaw's limiter), 14, 19."""

import concurrent.futures
import contextlib
import http.client
import os
import secrets
import socket
import sys
import threading

import httpx
import pytest
from running import RunningDaemon

from assistant import owner
from assistant.api.auth import Auth
from assistant.api.guesses import Guesses, source_of
from assistant.clients import pipe
from assistant.clients.http import Client
from assistant.config import LIMITS, load_paths
from assistant.core.devices import digest
from assistant.errors import TooManyGuesses, Unauthorized
from assistant.types import OWNER, Door

LOOPBACK = Door("loopback", ("127.0.0.1:7717",))
LAN = Door("lan", ("192.168.1.5:7718",), scheme="https")
SOCKET = Door("socket", ("localhost",))


@pytest.fixture
def daemon(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    yield running
    running.stop()


def through_socket(daemon):
    path = str(daemon.home / "run" / "api.sock")
    return httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://localhost")


# --- the socket -----------------------------------------------------------------------------------


def test_the_socket_is_the_owners_and_needs_no_token(daemon):
    path = daemon.home / "run" / "api.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with through_socket(daemon) as client:
        assert client.get("/api/v1/status").status_code == 200
        assert client.get("/api/v1/devices/me").json()["kind"] == "owner"
        wrong = client.get("/api/v1/status", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        for host in (f"127.0.0.1:{daemon.port}", "localhost:80", "evil.example"):
            refused = client.get("/api/v1/status", headers={"Host": host})
            assert refused.json()["error"]["code"] == "foreign_host"
        page = client.get("/api/v1/status", headers={"Origin": "http://localhost"})
        assert page.status_code == 200  # there is no such page; a browser cannot open a unix socket
        assert client.get("/api/v1/status", headers={"Origin": "null"}).status_code == 403


def test_the_command_line_goes_through_the_socket(daemon):
    (daemon.home / "config" / "token").unlink()
    said = daemon.cli("status", "--json")
    assert said.returncode == 0, said.stderr


def test_the_command_line_takes_the_token_where_there_is_no_socket(daemon):
    (daemon.home / "run" / "api.sock").unlink()
    assert daemon.cli("status", "--json").returncode == 0


def test_the_command_line_trusts_no_socket_of_somebody_else(daemon, monkeypatch):
    paths = load_paths({"NESTOR_HOME": str(daemon.home)})
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with Client.to(paths) as client:
        assert client._http.base_url.port == daemon.port


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_if_the_file_lets_them_in(daemon):
    """19: the mode of a socket is one lock, the peer's user id another."""
    path = daemon.home / "run" / "api.sock"
    for folder in (path.parent, *path.parents):
        with contextlib.suppress(OSError):
            folder.chmod(folder.stat().st_mode | 0o055)
    path.chmod(0o666)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"?"
        with contextlib.suppress(BaseException):
            os.setgid(65534)
            os.setuid(65534)
            said = b"not connected"
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                said = b"no answer"
                sock.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
                said = sock.recv(100) or said
        os.write(write, said)
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"no answer"
    os.close(read)
    os.close(write)


def test_a_peer_nobody_knows_is_nobody():
    class Transport:
        def __init__(self, **known):
            self.known = known

        def get_extra_info(self, name):
            return self.known.get(name)

    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as tcp:
        assert owner.is_owner(Transport(socket=ours))
        assert not owner.is_owner(Transport())
        if sys.platform == "linux":
            assert not owner.is_owner(Transport(socket=tcp))  # TCP has no credentials: uid -1


class Handle:
    handle = 7


def test_on_windows_the_pipes_client_must_run_as_this_user(monkeypatch):
    asked = []
    monkeypatch.setattr(owner, "pipe_client", lambda handle: asked.append(handle) or os.getpid())

    class Transport:
        def get_extra_info(self, name):
            return Handle() if name == "pipe" else None

    assert owner.is_owner(Transport())
    monkeypatch.setattr(owner, "user_of", lambda process_id: "somebody else")
    assert not owner.is_owner(Transport())
    assert asked == [7, 7]

    def gone(handle):
        raise OSError

    monkeypatch.setattr(owner, "pipe_client", gone)
    assert not owner.is_owner(Transport())


def test_on_windows_the_command_line_speaks_http_over_the_pipe(daemon):
    """The pipe's transport over a real daemon, with a unix socket for the pipe."""
    opened = []

    def opener(name):
        opened.append(name)
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(daemon.home / "run" / "api.sock"))
        file = sock.makefile("rwb", buffering=0)
        sock.close()
        return file

    name = load_paths({"NESTOR_HOME": "/x"}).pipe
    assert name.startswith("\\\\.\\pipe\\nestor-")
    with Client(0, "", pipe.transport(name, opener)) as client:
        assert client.get("/api/v1/status")["pid"] == daemon.process.pid
        assert client.post("/api/v1/memories", {"text": "é" * 9000})["text"] == "é" * 9000
    assert set(opened) == {name}


# --- guesses --------------------------------------------------------------------------------------


def test_thousands_of_guesses_of_which_five_are_looked_at(daemon, figure):
    """10: from loopback, in parallel, with junk beside them and spoofed addresses."""
    tokens = [secrets.token_urlsafe(32) for _ in range(4_000)]
    tokens += [f"nestor_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}" for _ in range(1_000)]
    local, opened = threading.local(), []

    def guess(number):
        if not hasattr(local, "http"):
            local.http = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
            opened.append(local.http)
        headers = {
            "Authorization": f"Bearer {tokens[number]}", "X-Forwarded-For": f"10.0.{number % 256}.1",
            "X-Real-IP": f"10.1.{number % 256}.1", "Forwarded": "for=127.0.0.2",
            "X-Device-Token": daemon.token, "Cookie": f"token={daemon.token}",
        }  # fmt: skip
        local.http.request("GET", "/api/v1/status", headers=headers)
        response = local.http.getresponse()
        response.read()
        return response.status

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(guess, range(len(tokens))))
    for one in opened:
        one.close()
    looked_at = statuses.count(401)
    figure(f"{len(tokens):,} guesses, 20 at a time: looked at", str(looked_at), str(LIMITS.guesses))
    assert looked_at <= LIMITS.guesses
    assert set(statuses) <= {401, 429}
    blocked = daemon.api.get("/api/v1/status")
    assert blocked.status_code == 429
    assert int(blocked.headers["Retry-After"]) > 1
    with through_socket(daemon) as client:
        assert client.get("/api/v1/status").status_code == 200
    assert daemon.cli("status").returncode == 0
    assert daemon.api.get("/health").status_code == 200


def test_an_old_token_tried_again_and_again_is_one_guess(daemon):
    for _ in range(50):
        answer = daemon.api.get("/api/v1/status", headers={"Authorization": "Bearer old"})
        assert answer.status_code == 401
    assert daemon.api.get("/api/v1/status").status_code == 200


def scope(token, client=("127.0.0.1", 1)):
    headers = [(b"authorization", b"Bearer " + token)] if token else []
    return {"headers": headers, "client": client}


def test_pauses_grow_and_wrong_ones_are_forgotten_after_an_hour():
    moment = [0.0]
    guesses = Guesses(lambda: moment[0])
    auth = Auth("right", guesses)
    number = iter(range(10_000))

    def wrong():
        with pytest.raises((Unauthorized, TooManyGuesses)) as raised:
            auth.authenticate(scope(b"%d" % next(number)), LOOPBACK)
        return raised.value

    assert [wrong().code for _ in range(5)] == ["unauthorized"] * 5
    pauses = []
    for _ in range(9):
        refused = wrong()
        assert refused.code == "too_many_guesses"
        pauses.append(refused.retry_after_s)
        moment[0] += refused.retry_after_s
        assert wrong().code == "unauthorized"
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    with pytest.raises(TooManyGuesses):
        auth.authenticate(scope(b"right"), LOOPBACK)
    moment[0] += 3601
    assert auth.authenticate(scope(b"right"), LOOPBACK) == OWNER
    assert [wrong().code for _ in range(6)] == ["unauthorized"] * 5 + ["too_many_guesses"]


def test_a_right_token_does_not_pardon_wrong_ones():
    auth = Auth("right", Guesses(lambda: 0.0))
    for number in range(5):
        with pytest.raises(Unauthorized):
            auth.authenticate(scope(b"%d" % number), LOOPBACK)
        if number < 4:
            auth.authenticate(scope(b"right"), LOOPBACK)
    with pytest.raises(TooManyGuesses):
        auth.authenticate(scope(b"right"), LOOPBACK)


def test_the_lan_as_a_whole_has_an_end_of_guesses_too():
    guesses = Guesses(lambda: 0.0)
    guesses.right("192.168.1.9", LAN)
    for number in range(LIMITS.door_guesses):
        guesses.check(f"10.0.0.{number}", LAN, b"x")
        guesses.wrong(f"10.0.0.{number}", LAN, b"x")
    with pytest.raises(TooManyGuesses):
        guesses.check("10.0.1.1", LAN, b"x")
    guesses.check("192.168.1.9", LAN, b"x")
    guesses.check("loopback", LOOPBACK, b"x")


def test_the_owners_token_has_no_business_on_the_lan():
    with pytest.raises(Unauthorized):
        Auth("right").authenticate(scope(b"right", ("192.168.1.9", 1)), LAN)


def test_over_the_socket_nobody_runs_out_of_guesses():
    auth = Auth("right")
    assert auth.authenticate(scope(b""), SOCKET) == OWNER


@pytest.mark.parametrize(("client", "source"), [
    (("127.0.0.1", 1), "loopback"), (("127.9.9.9", 1), "loopback"), (("::1", 1), "loopback"),
    (("192.168.1.9", 1), "192.168.1.9"), (("::ffff:192.168.1.9", 1), "192.168.1.9"),
    (("fd00::1:2", 1), "fd00::/64"), (("fe80::1%eth0", 1), "fe80::/64"), (None, "unknown"),
])  # fmt: skip
def test_where_a_guess_comes_from(client, source):
    assert source_of(client) == source


def test_tokens_have_256_bits_and_are_kept_as_hashes():
    from assistant.core.devices import fresh_token, token_id

    ids, tokens = zip(*(fresh_token() for _ in range(100)), strict=True)
    assert len(set(ids)) == len(set(tokens)) == 100
    assert all(len(token.split("_", 2)[2]) >= 43 for token in tokens)
    assert all(token_id(token.encode()) == one for one, token in zip(ids, tokens, strict=True))
    assert len(digest(b"x")) == 32
    for nonsense in (
        b"",
        b"nestor",
        b"nestor__",
        b"nestor_abc_x",
        b"\xff" * 60,
        b"nestor_" + b"\xff" * 12 + b"_x",
    ):
        assert token_id(nonsense) == ""


def test_no_environment_variable_opens_anything(tmp_path):
    """20: Ollama, 175,108 times."""
    names = (
        "HOST",
        "LAN",
        "BIND",
        "ADDRESS",
        "LISTEN",
        "PUBLIC",
        "OLLAMA_HOST",
        "INTERFACE",
        "AUTH",
        "TOKEN",
    )
    env = {f"NESTOR_{name}": "0.0.0.0" for name in names} | {
        "HOST": "0.0.0.0",
        "UVICORN_HOST": "0.0.0.0",
    }
    running = RunningDaemon(tmp_path / "home", env=env).up()
    try:
        import psutil

        listening = {
            c.laddr.ip for c in psutil.Process(running.process.pid).net_connections("inet")
            if c.status == psutil.CONN_LISTEN
        }  # fmt: skip
        assert listening <= {"127.0.0.1", "::1"}
        assert running.api.get("/api/v1/status").status_code == 200
        assert httpx.get(running.url + "/api/v1/status").status_code == 401
    finally:
        running.stop()


@pytest.mark.parametrize(
    "line", ['host = "0.0.0.0"', "lan = true", 'bind = "0.0.0.0"', "auth = false"]
)
def test_no_setting_opens_anything_either(tmp_path, line):
    running = RunningDaemon(tmp_path / "home")
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "config.toml").write_text(line)
    said = running.cli("up", "--model", "fake")
    assert said.returncode == 1
    assert "config.toml" in said.stderr
