"""Every route at both doors, this machine's and the network's: other names, other sites, WebSockets.

test_origin.py asks the loopback door in full; here the network's is asked the same, over its real interface.
"""

import ssl

import pytest
from security.conftest import FULL, Raw, exchange, fill, refused
from security.phone import Phone, paired
from security.table import SOCKETS, TABLE
from security.test_origin import FOREIGN_HOSTS, FOREIGN_ORIGINS, SITES

from assistant.listen.interfaces import candidates

HOME = [one for one in candidates() if one.kind == "home"]
on_a_network = pytest.mark.skipif(not HOME, reason="no network interface but loopback")
LOOPBACK_HOSTS = ["127.0.0.1:{o}", "localhost:{o}", "[::1]:{o}", "localhost:{p}", "127.0.0.1:{p}"]
"""Right at the other door; `{o}` is its port."""
EVERY = 1 if FULL else 12
"""`make test` asks each route one name in so many, each time others."""


class Inside:
    """A paired device with all rights, at the network's door."""

    def __init__(self, daemon):
        self.phone, _ = paired(
            daemon, scopes=["chat", "memory.read", "memory.write", "tools", "approve", "admin"]
        )
        self.address, _, port = self.phone.host.rpartition(":")
        self.port = int(port)
        self.loopback_port = daemon.port

    def raw(self):
        context = ssl.create_default_context(cadata=self.phone.authority)
        return Raw(self.port, self.address.strip("[]"), context)

    def token(self):
        return ("Authorization", f"Bearer {self.phone.token}")


@pytest.fixture(scope="module")
def inside(daemon):
    return Inside(daemon)


@pytest.fixture
def wire(inside):
    one = inside.raw()
    yield one
    one.connection.close()


def some(cases, path):
    """All of them, or in the short run every few of them, beginning elsewhere for each route."""
    return cases[len(path) % EVERY :: EVERY]


@on_a_network
@pytest.mark.parametrize(("method", "path"), TABLE)
def test_no_route_on_the_network_answers_to_another_name(inside, wire, method, path, figure):
    hosts = [
        *FOREIGN_HOSTS,
        *LOOPBACK_HOSTS,
        inside.address,
        f"{inside.address}:{inside.loopback_port}",
    ]
    for host in some(hosts, path):
        spelled = host.format(p=inside.port, o=inside.loopback_port)
        refused(wire.send(method, path, [("Host", spelled), inside.token()]), "foreign_host")
    figure(
        "names refused, on each of the routes at both doors",
        f"{len(hosts)} x {len(TABLE)}" + ("" if FULL else f", one in {EVERY} of the network's"),
        "at least 60 each",
    )


@on_a_network
@pytest.mark.parametrize(("method", "path"), TABLE)
def test_no_route_on_the_network_answers_another_sites_page(inside, wire, method, path):
    base = [("Host", inside.phone.host), inside.token()]
    ours = [
        f"http://{inside.phone.host}",
        f"https://{inside.address}",
        f"https://127.0.0.1:{inside.loopback_port}",
    ]
    for origin in some([*FOREIGN_ORIGINS, *ours], path):
        sent = [*base, ("Origin", origin.format(p=inside.port))]
        refused(wire.send(method, path, sent), "foreign_origin")
    for site in some(SITES, path):
        refused(wire.send(method, path, [*base, ("Sec-Fetch-Site", site)]), "foreign_origin")


@on_a_network
def test_the_networks_door_answers_to_its_own_name(inside, wire):
    for more in (
        [],
        [("Origin", f"https://{inside.phone.host}"), ("Sec-Fetch-Site", "same-origin")],
    ):
        status, _, body = wire.send(
            "GET", "/api/v1/devices/me", [("Host", inside.phone.host), inside.token(), *more]
        )
        assert (status, body["name"]) == (200, "Ana's phone")


@on_a_network
def test_the_network_speaks_no_older_tls_and_nothing_in_the_clear(inside):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, OSError)):
        Raw(inside.port, inside.address.strip("[]"), context).send(
            "GET", "/health", [("Host", inside.phone.host)]
        )
    asked = f"GET /health HTTP/1.1\r\nHost: {inside.phone.host}\r\n\r\n".encode()
    assert b"HTTP" not in exchange(inside.port, asked, address=inside.address.strip("[]"))


HANDSHAKE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


@pytest.mark.parametrize("path", sorted({path for _, path in TABLE} | set(SOCKETS)))
def test_no_websocket_is_opened_for_another_name_or_site(daemon, path):
    """10: over the wire, before anything is accepted; the token is right, and offered both ways."""
    ours = f"127.0.0.1:{daemon.port}"
    right = [
        ("Authorization", f"Bearer {daemon.token}"),
        ("Sec-WebSocket-Protocol", f"nestor.bearer.{daemon.token}"),
    ]
    cases = [
        *([("Host", host.format(p=daemon.port))] for host in FOREIGN_HOSTS),
        *([("Host", ours), ("Origin", origin.format(p=daemon.port))] for origin in FOREIGN_ORIGINS),
        *([("Host", ours), ("Sec-Fetch-Site", site)] for site in SITES),
    ]
    for case in some(cases, path):
        for proof in right:
            head = "".join(f"{name}: {value}\r\n" for name, value in [*case, *HANDSHAKE, proof])
            asked = f"GET {fill(path)} HTTP/1.1\r\n{head}\r\n"
            said = exchange(daemon.port, asked.encode("latin-1"), until=b"\r\n\r\n")
            status = int(said.split()[1])
            assert 400 <= status < 500, (case, said)


@on_a_network
def test_a_claim_over_the_network_is_answered_at_once(tmp_path, figure):
    """The phone has characters to show before its owner is asked for them."""
    import time

    from running import RunningDaemon

    running = RunningDaemon(tmp_path / "home").up()
    phone = Phone(running.api.post("/api/v1/pair", json={}).json())
    begun = time.monotonic()
    assert phone.claim()[0] == 202
    figure(
        "pairing: the phone's first answer",
        f"{time.monotonic() - begun:.2f} s",
        "at once (15 s before)",
    )
    assert running.stop() == 0
