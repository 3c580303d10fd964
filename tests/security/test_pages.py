"""Pages of other sites in a real Chromium: they know the owner's token and still change and read nothing.

1, 2, 15 (rebinding, private addresses), 10 (WebSockets), 18 (forms and frames); see attacks.js.
Each attack is also made against a server that lets everything pass; one that does not arrive proves nothing.
"""

import http.server
import json
import threading
import urllib.parse
from pathlib import Path

import pytest
from browsing import beside, browser  # noqa: F401 - a fixture
from running import RunningDaemon
from security.conftest import FULL, TABLE, fill, snapshot

from assistant.listen.interfaces import candidates

SCRIPT = Path(__file__).with_name("attacks.js").read_text("utf-8")
NAMES = [line.strip().split('"')[1] if line.strip().startswith('"') else line.strip().partition(":")[0]
         for line in SCRIPT.partition("globalThis.attacks")[2].splitlines()[1:]
         if line.startswith("  ") and line[2] not in " }/"]  # fmt: skip
HERE = NAMES if FULL else [
    "fetch with the token", "fetch without a preflight", "form", "image", "iframe", "WebSocket"
]  # fmt: skip
"""Those of this run."""
SENDS_NOTHING = {"a window that is looked into"}
"""Navigates only: what is asserted is that nothing can be read."""
SKIPPED = ("/doctor", "/pull", "/verify", "/diagnose")
"""Minutes of work for the owner, who does ask them."""
ROUTES = [row for row in TABLE if not row[1].endswith(SKIPPED)]
FEW = [row for row in ROUTES if row[1] in ("/health", "/api/v1/memories", "/api/v1/forget", "/api/v1/devices",
                                           "/api/v1/open", "/v1/chat/completions")]  # fmt: skip
SAID = "My canary sings at quarter past nine"
BODY = json.dumps(
    {
        "text": "a page was here", "query": SAID, "name": "evil", "scopes": ["admin"], "everything": True,
        "confirm": True, "mode": "auto", "messages": [{"role": "user", "content": "a page was here"}],
        "title": "a page was here", "kind": "text",
    }
)  # fmt: skip


class Elsewhere(http.server.ThreadingHTTPServer):
    """A web server of somebody else's. As a victim it answers everything, and counts."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[tuple[str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Answer(http.server.BaseHTTPRequestHandler):
    """Lets every page do everything."""

    def _answer(self):
        where = urllib.parse.urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if where.path.startswith("/away/"):
            self.send_response(int(where.path.rpartition("/")[2]))
            self.send_header("Location", urllib.parse.parse_qs(where.query)["to"][0])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.server.asked.append((self.command, where.path))
        body = f"<!doctype html><title>x</title><body>{SAID}</body>".encode()
        self.send_response(200)
        for name, value in (("Content-Type", "text/html"), ("Content-Length", str(len(body))),
                            ("Access-Control-Allow-Origin", self.headers.get("Origin") or "*"),
                            ("Access-Control-Allow-Credentials", "true"),
                            ("Access-Control-Allow-Headers", "authorization, content-type"),
                            ("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _answer

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = RunningDaemon(
        tmp_path_factory.mktemp("pages") / "home", env={"NESTOR_BACKUP_EVERY_H": "0"}
    ).up()
    running.api.post("/api/v1/memories", json={"text": SAID})
    running.ask(SAID)
    yield running
    assert "Traceback" not in running.output()
    assert running.stop() == 0


@pytest.fixture(scope="module")
def evil(browser, daemon):  # noqa: F811
    """A page of another site, in a browser that takes our names for it, and the server it came from."""
    site = Elsewhere()
    own = "LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights,BlockInsecurePrivateNetworkRequests"
    arguments = (
        f"--host-resolver-rules=MAP evil.example 127.0.0.1:{site.port}, MAP rebind.example 127.0.0.1",
        f"--disable-features={own}",  # what some browsers do against this themselves, and others do not
    )
    with beside(browser, *arguments) as apart:
        context = apart.new_context(ignore_https_errors=True)
        yield context, site
        context.close()
    site.shutdown()
    site.server_close()


def attack(context, address, name, to):
    """Open the page at that address and let it try; all that it could read."""
    page = context.new_page()
    page.goto(address)
    page.evaluate(f"() => {{ {SCRIPT} }}")
    found = page.evaluate("([name, to]) => attacks[name](to)", [name, to])
    for other in context.pages:
        other.close()
    return [one for one in found if one]


def target(base, token, routes):
    return {
        "base": base, "token": token, "body": BODY,
        "routes": [[method, fill(path)] for method, path in routes],
    }  # fmt: skip


def test_there_are_enough_attacks():
    assert len(NAMES) >= 15
    assert set(HERE) <= set(NAMES)


@pytest.mark.parametrize("name", HERE)
def test_a_page_of_another_site_changes_and_reads_nothing(daemon, evil, name, figure):
    context, site = evil
    page = f"http://evil.example:{site.port}/"
    before = snapshot(daemon)
    bases = [daemon.url, f"http://localhost:{daemon.port}", f"http://[::1]:{daemon.port}",
             f"http://0.0.0.0:{daemon.port}"]  # fmt: skip
    for base in bases if FULL else bases[:1]:
        found = attack(context, page, name, target(base, daemon.token, ROUTES if FULL else FEW))
        assert found == [], (base, found)
    assert snapshot(daemon) == before
    figure(f"{len(HERE)} attacks by another site's page", "0 changes, 0 read", "0 changes, 0 read")

    victim = Elsewhere()
    attack(context, page, name, target(f"http://127.0.0.1:{victim.port}", "t", FEW))
    victim.shutdown()
    victim.server_close()
    assert victim.asked or name in SENDS_NOTHING, "the attack never leaves the browser"


@pytest.mark.parametrize("name", HERE)
def test_a_page_whose_name_was_rebound_to_us_changes_and_reads_nothing(daemon, evil, name, figure):
    """1: the browser takes us for the page's own site, and sends what its scripts like."""
    context, _ = evil
    base = f"http://rebind.example:{daemon.port}"
    # As the attacker's server answered, before the name's address became ours.
    theirs = {"body": "<body>evil</body>", "content_type": "text/html"}
    context.route(f"{base}/", lambda route: route.fulfill(**theirs))
    before = snapshot(daemon)
    found = attack(context, f"{base}/", name, target(base, daemon.token, ROUTES if FULL else FEW))
    context.unroute(f"{base}/")
    # What it reads, all that it reads, is our refusal.
    assert [one for one in found if "foreign_host" not in one and one != "evil"] == []
    assert snapshot(daemon) == before
    figure(f"{len(HERE)} attacks by a rebound page", "0 changes, 0 read", "0 changes, 0 read")


@pytest.mark.skipif(not FULL, reason="make test-security")
@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_another_site_gets_nothing_from_the_lan_either(daemon, evil, name):
    if not any(one.kind == "home" for one in candidates()):
        pytest.skip("no network interface but loopback")
    context, site = evil
    opened = daemon.api.post("/api/v1/pair", json={}).json()
    base = f"https://{opened['network']['addresses'][0]}"
    made = daemon.api.post(
        "/api/v1/devices", json={"name": "x", "scopes": ["admin", "chat"]}
    ).json()
    before = snapshot(daemon)
    try:
        page = f"http://evil.example:{site.port}/"
        assert attack(context, page, name, target(base, made["token"], ROUTES)) == []
        assert snapshot(daemon) == before
    finally:
        daemon.api.delete("/api/v1/pair")
        daemon.api.delete(f"/api/v1/devices/{made['id']}")
