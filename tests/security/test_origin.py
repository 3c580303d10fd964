"""Requests that are not addressed to us, or that a page of another site sent. Numbers: reference rows.

1 Ollama CVE-2024-28224, 2 Ollama's later check, 4 MCP SDKs (nothing is configured here), 8 Starlette
CVE-2026-48710 "BadHost", 15 the 0.0.0.0 day, 18 Tailscale CVE-2022-41924.
"""

import pytest
from security.conftest import TABLE, exchange, refused, sealed

from assistant.api.auth import Auth
from assistant.api.guard import OPEN, Guard
from assistant.api.services import Services
from assistant.core.devices import Key, digest
from assistant.types import Device, Door

# {p}: our port.
FOREIGN_HOSTS = [
    "evil.example", "evil.example:{p}", "127.0.0.1", "localhost", "[::1]", "127.0.0.1:1", "localhost:80",
    "127.0.0.1:{p}0", "127.0.0.1:0{p}", "127.0.0.1:+{p}", "127.0.0.1:", "localhost:", ":{p}", "{p}",
    "0.0.0.0:{p}", "[::]:{p}", "[::ffff:127.0.0.1]:{p}", "[0:0:0:0:0:0:0:1]:{p}", "::1:{p}", "[::1%lo]:{p}",
    "127.1:{p}", "127.0.1:{p}", "127.0.0.2:{p}", "2130706433:{p}", "0x7f000001:{p}", "0177.0.0.1:{p}",
    "127.0.0.1.:{p}", "localhost.:{p}", "127.0.0.1.nip.io:{p}", "localtest.me:{p}", "localhost.evil:{p}",
    "evil.localhost:{p}", "foo.local:{p}", "nestor.local:{p}", "x.internal:{p}", "192.168.9.9:{p}",
    "10.0.0.1:{p}", "172.16.0.1:{p}", "100.64.0.1:{p}", "169.254.169.254:{p}", "host.docker.internal:{p}",
    "user@127.0.0.1:{p}", "localhost:{p}@evil.example", "evil.example@localhost:{p}", "127.0.0.1:{p}/",
    "localhost:{p}/health", "localhost:{p}?", "localhost:{p}#", "localhost/health?", "localhost:{p}\\",
    "http://127.0.0.1:{p}", "//127.0.0.1:{p}", "127.0.0.1:{p},evil.example", "evil.example,127.0.0.1:{p}",
    "127.0.0.1:{p};x", "127.0.0.1 :{p}", "127.0.0.1: {p}", "1２7.0.0.1:{p}".encode().decode("latin-1"),
    "lo\u0441alhost:{p}".encode().decode("latin-1"), "%6cocalhost:{p}", "127.0.0.1%00:{p}", "null", "*", "",
    "127.0.0.1:{p}\tx", "a" * 300,
]  # fmt: skip
FOREIGN_ORIGINS = [
    "https://evil.example", "null", "", "*", "file://", "http://127.0.0.1", "http://127.0.0.1:1",
    "https://127.0.0.1:{p}", "http://localhost.:{p}", "http://127.0.0.1:{p}/", "HTTP://127.0.0.1:{p}",
    "http://127.0.0.1:{p}.evil.example", "http://evil.example/http://127.0.0.1:{p}", "http://192.168.9.9:{p}",
    "http://0.0.0.0:{p}", "chrome-extension://abcdefgh", "moz-extension://x", "app://localhost",
    "vscode-webview://x", "http://127.0.0.1:{p} http://evil.example",
]  # fmt: skip
SITES = ["cross-site", "same-site", "", "None", "same-origin, cross-site", "x"]


def test_there_are_enough_of_them():
    assert len(set(FOREIGN_HOSTS)) >= 60


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_no_route_answers_to_another_name(daemon, raw, method, path):
    right = ("Authorization", f"Bearer {daemon.token}")
    for host in FOREIGN_HOSTS:
        answer = raw.send(method, path, [("Host", host.format(p=daemon.port)), right])
        refused(answer, "foreign_host")


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_no_route_answers_to_two_names_or_none(daemon, raw, method, path):
    ours = ("Host", f"127.0.0.1:{daemon.port}")
    for second in (ours, ("Host", "evil.example")):
        assert raw.send(method, path, [ours, second])[0] == 400  # the parser's own rule
    request = f"{method} /health HTTP/1.0\r\n\r\n".encode()
    assert b"foreign_host" in exchange(daemon.port, request)


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_no_route_answers_another_sites_page(daemon, raw, method, path):
    base = [("Host", f"127.0.0.1:{daemon.port}"), ("Authorization", f"Bearer {daemon.token}")]
    for origin in FOREIGN_ORIGINS:
        sent = [*base, ("Origin", origin.format(p=daemon.port))]
        refused(raw.send(method, path, sent), "foreign_origin")
    for site in SITES:
        refused(raw.send(method, path, [*base, ("Sec-Fetch-Site", site)]), "foreign_origin")
    twice = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]
    refused(raw.send(method, path, base + twice), "foreign_origin")


@pytest.mark.parametrize("host", ["127.0.0.1:{p}", "localhost:{p}", "[::1]:{p}", "LocalHost:{p}"])
@pytest.mark.parametrize(
    "more",
    [
        [],
        [("Sec-Fetch-Site", "none")],
        [("Sec-Fetch-Site", "same-origin"), ("Origin", "http://{h}")],
    ],
)
def test_our_own_page_is_answered(daemon, raw, host, more):
    host = host.format(p=daemon.port)
    sent = [("Host", host), *((name, value.format(h=host.lower())) for name, value in more)]
    status, headers, _ = raw.send("GET", "/health", sent)
    assert status == 200
    sealed(headers)


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
def test_no_preflight_is_ever_granted(daemon, raw, method):
    asked = [
        ("Host", f"127.0.0.1:{daemon.port}"), ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Private-Network", "true"),
    ]  # fmt: skip
    refused(raw.send(method, "/api/v1/memories", asked), "foreign_origin")


@pytest.mark.parametrize(("method", "path"), [row for row in TABLE if row not in OPEN])
@pytest.mark.parametrize(
    "target",
    ["http://evil.example{x}", "http://127.0.0.1:{p}/health?{x}", "/health/..{x}", "/health%2f..{x}",
     "//evil{x}", "/health;{x}", "/health?{x}", "/health#{x}", "/%68ealth/{x}", "{x}/../health"],
)  # fmt: skip
def test_no_spelling_of_the_path_gets_round_the_token(daemon, method, path, target):
    """8: whatever the request line says, an answer without a token is never the route's."""
    line = target.format(
        p=daemon.port, x=path.replace("{", "").replace("}", "").replace(":path", "")
    )
    said = exchange(
        daemon.port,
        f"{method} {line} HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nConnection: close\r\n\r\n".encode(),
    )
    status = int(said.split()[1])
    if status == 200:  # /health with a query is still only /health
        assert b'"status":"ok"' in said
        assert line.startswith(("/health?", "/health#"))
    else:
        assert 400 <= status < 500, said


@pytest.mark.parametrize("request_", [
    b"POST /api/v1/memories HTTP/1.1\r\nHost: {h}\r\nAuthorization: {a}\r\nContent-Length: 5\r\n%s"
    % b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: {h}\r\n\r\n",
    b"GET /health HTTP/9.9\r\nHost: {h}\r\n\r\n",
    b"PRI * HTTP/2.0\r\nHost: {h}\r\n\r\nSM\r\n\r\n",
])  # fmt: skip
def test_smuggling(daemon, request_):
    host, token = f"127.0.0.1:{daemon.port}".encode(), f"Bearer {daemon.token}".encode()
    said = exchange(daemon.port, request_.replace(b"{h}", host).replace(b"{a}", token), timeout=2)
    assert said.startswith(b"HTTP/1.1 400")
    assert b"ambiguous_request" in said


def test_a_compressed_body_is_not_unpacked(daemon, raw):
    sent = [
        ("Host", f"127.0.0.1:{daemon.port}"), ("Authorization", f"Bearer {daemon.token}"),
        ("Content-Encoding", "gzip"),
    ]  # fmt: skip
    refused(raw.send("POST", "/api/v1/memories", sent, b"\x1f\x8b"), "unsupported_media_type")


# --- WebSockets and the LAN: the guard itself ---------------------------------------------------


class Behind:
    """An application that accepts whatever reaches it."""

    def __init__(self):
        self.reached = 0

    async def __call__(self, scope, receive, send):
        self.reached += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})


class OneDevice:
    """The only one there is."""

    def key(self, token_id):
        device = Device("d_1", "phone", "phone", ("chat",))
        return Key(device, digest(TOKEN[1].removeprefix("Bearer ").encode()), None)

    def enter(self, device):
        return self

    def leave(self):
        pass


async def ask(kind, headers, door=None):
    """What the guard of this door sends, and whether the application was reached."""
    services, behind, sent = Services(), Behind(), []
    services.open()
    door = door or Door("loopback", ("127.0.0.1:7717", "localhost:7717", "[::1]:7717"))
    auth = Auth("the owner's")
    auth.devices = OneDevice()
    guard = Guard(behind, auth, services, door)

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    scope = {
        "type": kind, "method": "GET", "path": "/api/v1/status", "http_version": "1.1",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }  # fmt: skip
    await guard(scope, receive, send)
    return sent, behind.reached


TOKEN = ("Authorization", f"Bearer nestor_{'a' * 12}_secret")


@pytest.mark.parametrize("headers", [
    [("Host", "127.0.0.1:7717")], [TOKEN],
    [("Host", "127.0.0.1:7717"), ("Authorization", "Bearer wrong")],
    *([("Host", host.format(p=7717)), TOKEN] for host in FOREIGN_HOSTS),
    *([("Host", "127.0.0.1:7717"), TOKEN, ("Origin", one.format(p=7717))] for one in FOREIGN_ORIGINS),
    *([("Host", "127.0.0.1:7717"), TOKEN, ("Sec-Fetch-Site", site)] for site in SITES),
])  # fmt: skip
async def test_a_websocket_is_refused_before_it_is_accepted(headers):
    """10: WebSockets know no same-origin policy; OpenClaw let every page guess the password."""
    sent, reached = await ask("websocket", headers)
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[0]["status"] in (401, 403)
    assert reached == 0


async def test_a_websocket_of_ours_is_accepted():
    sent, reached = await ask("websocket", [("Host", "127.0.0.1:7717"), TOKEN])
    assert (sent[0]["type"], reached) == ("websocket.accept", 1)


LAN = Door("lan", ("192.168.1.5:7718",), scheme="https")


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_the_lan_answers_to_its_one_address_alone(kind):
    """2, 3, 23: no private address, no .local name, and not loopback's either."""
    assert (await ask(kind, [("Host", "192.168.1.5:7718"), TOKEN], LAN))[1] == 1
    for host in [*FOREIGN_HOSTS, "127.0.0.1:{p}", "localhost:{p}", "[::1]:{p}", "192.168.1.6:{p}"]:
        assert (await ask(kind, [("Host", host.format(p=7718)), TOKEN], LAN))[1] == 0, host
    for origin in ("http://192.168.1.5:7718", "https://192.168.1.5", "https://127.0.0.1:7718"):
        asked = [("Host", "192.168.1.5:7718"), TOKEN, ("Origin", origin)]
        assert (await ask(kind, asked, LAN))[1] == 0, origin
    asked = [("Host", "192.168.1.5:7718"), TOKEN, ("Origin", "https://192.168.1.5:7718")]
    assert (await ask(kind, asked, LAN))[1] == 1
