"""One real daemon with the fake model, and raw requests that nothing corrects on the way."""

import http.client
import json
import os
import re
import socket

import pytest
from running import RunningDaemon

from assistant.api.app import routes
from assistant.api.services import Services
from assistant.errors import tree

TABLE = [
    (method.upper(), path)
    for path, methods in routes(Services()).openapi()["paths"].items()
    for method in sorted(methods)
]

FULL = os.environ.get("NESTOR_SECURITY") == "full"
"""Whether this is `make test-security`."""

_LIVELY = (
    "/health",
    "/api/v1/status",
    "/api/v1/doctor",
    "/api/v1/events",
    "/diagnose",
    "/api/v1/pair",
)
"""What says something else each time, or takes long to say."""


def snapshot(daemon):
    """All that the owner can read without naming an id, and every chat's turns."""
    found = {}
    for method, path in TABLE:
        if method == "GET" and "{" not in path and not path.endswith(_LIVELY):
            found[path] = daemon.api.get(path).json()
    for row in found["/api/v1/conversations"]["items"]:
        found[row["id"]] = daemon.api.get(f"/api/v1/conversations/{row['id']}").json()
    return found


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = RunningDaemon(tmp_path_factory.mktemp("home")).up()
    yield running
    assert "Traceback" not in running.output()
    assert running.stop() == 0


class Raw:
    """One connection; every header as given. Reconnects when the daemon hung up."""

    def __init__(self, port, address="127.0.0.1", tls=None):
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        self.connection = kind(address, port, timeout=30, **({"context": tls} if tls else {}))

    def send(self, method, path, headers, body=None, whole=False):
        """(status, headers, parsed body). `whole`: an answer that is no JSON is given as bytes."""
        for again in (True, False):
            try:
                self.connection.putrequest(
                    method, fill(path), skip_host=True, skip_accept_encoding=True
                )
                for name, value in headers:
                    self.connection.putheader(name, value)
                if body is not None:
                    self.connection.putheader("Content-Type", "application/json")
                    self.connection.putheader("Content-Length", str(len(body)))
                self.connection.endheaders(body)
                response = self.connection.getresponse()
                data = response.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                self.connection.close()
                if not again:
                    raise
            else:
                plain = whole and "json" not in response.headers.get("Content-Type", "")
                return response.status, response.headers, data if plain else json.loads(data)
        raise AssertionError


@pytest.fixture
def raw(daemon):
    one = Raw(daemon.port)
    yield one
    one.connection.close()


def fill(path):
    return re.sub(r"\{(\w+)(:path)?\}", "none", path)


def refused(answer, *codes):
    """The answer is an error of ours, with all our headers and none that opens anything."""
    status, headers, body = answer
    assert 400 <= status < 500, answer
    assert body["error"]["code"] in codes or (not codes and body["error"]["code"] in tree()), body
    sealed(headers)


def sealed(headers):
    """What stands on every answer."""
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    assert "server" not in headers


def exchange(port, data, timeout=15, address="127.0.0.1", until=b""):
    """Send bytes on a fresh socket, read until the other side hangs up, or has said `until`."""
    with socket.create_connection((address, port), timeout=timeout) as sock:
        sock.sendall(data)
        said = b""
        try:
            while chunk := sock.recv(65_536):
                said += chunk
                if until and until in said:
                    break
        except (TimeoutError, ConnectionError):
            pass
        return said
