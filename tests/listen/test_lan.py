"""Interfaces, certificates, the diagnosis, and the door that never opens without TLS."""

import asyncio
import errno
import socket
import ssl
from types import SimpleNamespace

import msgspec
import pytest
from listen.conftest import HASTY, echo

from assistant.config import LIMITS, load_paths
from assistant.errors import LanRefused, PortTaken
from assistant.listen import diagnosis
from assistant.listen import lan as lan_module
from assistant.listen.certificates import credentials
from assistant.listen.interfaces import Candidate, candidates, choose, rank
from assistant.listen.lan import Lan
from assistant.listen.listener import Listener, is_local
from assistant.types import Door, Network

HOME = Candidate("wlan0", "192.168.1.5", "home", True)


def row(address, family=socket.AF_INET):
    return SimpleNamespace(family=socket.AF_INET6 if ":" in address else family, address=address)


def test_the_likeliest_address_comes_first():
    addresses = {
        "lo": [row("127.0.0.1"), row("::1")],
        "docker0": [row("172.17.0.1")],
        "tailscale0": [row("100.101.1.2")],
        "wg0": [row("10.8.0.2")],
        "eth0": [row("192.168.1.5"), row("fd00::5"), row("fe80::1%eth0"), row("2400:1::1")],
        "wlan0": [row("192.168.1.6"), row("169.254.3.4")],
        "old0": [row("192.168.1.7")],
    }
    up = dict.fromkeys(addresses, True) | {"old0": False}
    found = rank(addresses, up, "192.168.1.6")
    assert [(c.address, c.kind) for c in found] == [
        ("192.168.1.6", "home"), ("192.168.1.5", "home"), ("fd00::5", "home"), ("100.101.1.2", "vpn"),
        ("10.8.0.2", "vpn"), ("172.17.0.1", "virtual"), ("2400:1::1", "public"),
    ]  # fmt: skip
    assert {c.interface for c in choose(found)} == {"wlan0", "eth0"}
    assert [c.address for c in choose(found, "wg0")] == ["10.8.0.2"]
    assert [c.interface for c in choose(found, "172.17.0.1")] == ["docker0"]
    with pytest.raises(LanRefused, match="no such interface"):
        choose(found, "eth9")
    with pytest.raises(LanRefused, match="no home network"):
        choose([c for c in found if c.kind != "home"])


def test_this_machines_addresses_can_be_read():
    assert all(not one.address.startswith(("127.", "fe80", "169.254")) for one in candidates())


# --- certificates ---------------------------------------------------------------------------------


def test_keys_are_private_and_stay_while_the_certificate_follows_the_addresses(tmp_path):
    first = credentials(tmp_path / "tls", ["192.168.1.5"])
    for path in (tmp_path / "tls").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    keys = [(tmp_path / "tls" / name).read_bytes() for name in ("authority.key", "server.key")]
    assert credentials(tmp_path / "tls", ["192.168.1.5"]).fingerprint == first.fingerprint
    second = credentials(tmp_path / "tls", ["192.168.1.5", "fd00::2"])
    assert second.fingerprint != first.fingerprint
    assert second.authority == first.authority
    assert keys == [(tmp_path / "tls" / n).read_bytes() for n in ("authority.key", "server.key")]
    (tmp_path / "tls" / "server.pem").write_text("damaged")
    assert credentials(tmp_path / "tls", ["192.168.1.5"]).fingerprint


async def serve(tmp_path, **door):
    """A TLS listener on loopback; its port and what it shows."""
    shown = credentials(tmp_path / "tls", ["127.0.0.1"])
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    listener = Listener(echo, Door("lan", (f"127.0.0.1:{port}",), scheme="https", **door), HASTY)
    await listener.start([sock], shown.context)
    return listener, port, shown


async def test_a_phone_that_was_given_the_authority_trusts_us_and_speaks_tls_1_3(tmp_path):
    listener, port, shown = await serve(tmp_path)
    try:
        trusting = ssl.create_default_context(cadata=shown.authority)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        tls = writer.get_extra_info("ssl_object")
        assert tls.version() == "TLSv1.3"
        import hashlib

        assert hashlib.sha256(tls.getpeercert(True)).hexdigest() == shown.fingerprint
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        old = ssl.create_default_context(cadata=shown.authority)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        for context in (old, ssl.create_default_context()):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection("127.0.0.1", port, ssl=context)
    finally:
        await listener.close()


def test_whoever_steals_the_authority_cannot_be_somebody_else(tmp_path):
    from cryptography import x509

    shown = credentials(tmp_path / "tls", ["192.168.1.5"])
    root = x509.load_pem_x509_certificate(shown.authority.encode())
    limits = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    allowed = limits.value.permitted_subtrees
    names = [one.value for one in allowed if isinstance(one, x509.DNSName)]
    assert set(names) == {"local", "home.arpa", "localhost"}
    nets = [one.value for one in allowed if isinstance(one, x509.IPAddress)]
    assert all(net.is_private or str(net) == "100.64.0.0/10" for net in nets)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


async def test_plain_http_and_unfinished_handshakes_hold_no_place(tmp_path, monkeypatch):
    from assistant.listen import listener as module

    monkeypatch.setattr(module, "HANDSHAKE_S", 0.5)
    listener, port, shown = await serve(tmp_path, connections=8, peer_connections=4)
    try:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        plain = await asyncio.open_connection("127.0.0.1", port)
        plain[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await plain[1].drain()
        try:
            async with asyncio.timeout(3):
                assert b"HTTP" not in await plain[0].read()
        except ConnectionError:
            pass
        for reader, _ in idle:
            try:
                async with asyncio.timeout(3):
                    assert await reader.read() == b""
            except ConnectionError:
                pass
        trusting = ssl.create_default_context(cadata=shown.authority)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        for _, one in [*idle, plain, (reader, writer)]:
            one.close()
    finally:
        await listener.close()


# --- the door -------------------------------------------------------------------------------------


class Memo:
    def __init__(self, interface=None):
        self.interface = interface

    async def lan(self):
        return self.interface

    async def set_lan(self, interface):
        self.interface = interface


@pytest.fixture
def lan(tmp_path):
    """A LAN on loopback, which stands for a home network here."""
    paired = []
    found = [Candidate("home0", "127.0.0.1", "home", True)]
    paths = load_paths({"NESTOR_HOME": str(tmp_path)})
    made = Lan(paths, 0, lambda door: echo, Memo(), lambda: bool(paired), lambda: found)
    made.test = SimpleNamespace(paired=paired, found=found)
    return made


async def test_it_opens_for_a_pairing_and_closes_after_it_unless_somebody_is_paired(
    lan, monkeypatch
):
    network = await lan.open()
    (host,) = network.addresses
    port = int(host.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        pass
    await lan.settle()
    assert lan.network is None
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port))
    await lan.open()
    lan.test.paired.append("phone")
    await lan.settle()
    assert lan.network is not None
    monkeypatch.setattr(lan_module, "LIMITS", msgspec.structs.replace(LIMITS, farewell_s=0))
    lan.test.paired.clear()
    lan.on_devices_changed()
    await asyncio.sleep(0)
    assert lan.network is not None, "the device that was shut out cannot hear of it"
    await lan._settling
    assert lan.network is None


async def test_after_a_restart_it_opens_only_if_it_was_open_and_somebody_is_paired(lan):
    await lan.resume()
    assert lan.network is None
    lan._memo.interface = ""
    await lan.resume()
    assert lan.network is None
    lan.test.paired.append("phone")
    await lan.resume()
    assert lan.network is not None
    await lan.close()
    lan.test.found.clear()  # away from home: no other interface is taken instead
    await lan.resume()
    assert lan.network is None


async def test_nobody_paired_and_no_pairing_no_door(lan):
    with pytest.raises(LanRefused):
        await lan._open("")


async def test_a_taken_port_leaves_nothing_open(lan):
    with socket.create_server(("127.0.0.1", 0)) as other:
        lan._port = other.getsockname()[1]
        with pytest.raises(PortTaken):
            await lan.open()
    assert lan.network is None


async def test_without_tls_no_socket_is_served_that_others_can_reach():
    """20: Ollama. Whatever asks for it, and however: the listener itself refuses."""
    sock = socket.create_server(("0.0.0.0", 0))
    listener = Listener(echo, Door("loopback", ("x",)))
    with pytest.raises(LanRefused):
        await listener.start([sock])
    sock.close()
    assert not is_local(SimpleNamespace(family=socket.AF_INET6, getsockname=lambda: ("::",)))
    assert not is_local(SimpleNamespace(family=socket.AF_INET, getsockname=lambda: ("10.0.0.1",)))


# --- the diagnosis --------------------------------------------------------------------------------


def told(found, network=None, port=0, strangers=0, firewall=""):
    checks = diagnosis.diagnose(found, network, port, strangers, lambda: firewall)
    return {check["name"]: check for check in checks}


def test_no_network_at_all():
    checks = told([])
    assert not checks["interface"]["ok"]
    assert "home network" in checks["interface"]["found"]


def test_a_vpn_takes_the_traffic():
    checks = told(
        [Candidate("wg0", "10.8.0.2", "vpn", True), Candidate("home0", "127.0.0.1", "home")]
    )
    assert not checks["vpn"]["ok"]
    assert "wg0" in checks["vpn"]["found"]
    assert checks["bind"]["ok"]


def test_the_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        checks = told([Candidate("home0", "127.0.0.1", "home")], port=other.getsockname()[1])
    assert "Another program" in checks["bind"]["found"]


def test_the_address_has_gone():
    checks = told([Candidate("home0", "203.0.113.77", "home")])
    assert not checks["bind"]["ok"]
    assert "gone" in checks["bind"]["found"]


def test_the_system_forbids_it(monkeypatch):
    def forbidden(*_):
        raise PortTaken from OSError(errno.EACCES, "no")

    monkeypatch.setattr(diagnosis, "bind", forbidden)
    assert "forbids" in told([HOME])["bind"]["found"]


def test_a_firewall_is_on():
    checks = told([Candidate("home0", "127.0.0.1", "home")], firewall="ufw", port=7718)
    assert "ufw allow 7718/tcp" in checks["firewall"]["hint"]


def test_our_own_door_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    checks = told([HOME], Network((f"127.0.0.1:{port}",), "", ""))
    assert not checks["door"]["ok"]


async def test_the_door_answers_but_nobody_came(tmp_path):
    listener, port, _ = await serve(tmp_path)
    try:
        network = Network((f"127.0.0.1:{port}",), "", "")
        checks = await asyncio.to_thread(told, [HOME], network)
        assert checks["door"]["ok"]
        assert not checks["reached"]["ok"]
        checks = await asyncio.to_thread(told, [HOME], network, 0, 2)
        assert checks["reached"]["ok"]
    finally:
        await listener.close()
