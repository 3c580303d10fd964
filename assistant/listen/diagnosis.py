"""Why a phone cannot reach us: no interface, no port, a VPN, a firewall, or the network between."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from assistant.errors import AssistantError
from assistant.listen.interfaces import Candidate, choose
from assistant.listen.sockets import bind
from assistant.types import Network

_KNOCK_S = 2.0
_FIREWALLS = {"firewalld": "firewalld", "opensnitchd": "OpenSnitch"}


def diagnose(
    found: Sequence[Candidate],
    network: Network | None,
    port: int,
    strangers: int,
    firewall: Callable[[], str],
    interface: str = "",
) -> list[dict[str, Any]]:
    """Each check with what it found and what to do, as in `doctor`. Blocks for some seconds.

    `network` is where the door is open, if it is; `strangers` how many connections came from elsewhere.
    """
    try:
        chosen = choose(found, interface)
    except AssistantError as exc:
        return [_check("interface", False, exc.message, exc.hint), _vpn(found)]
    names = ", ".join(f"{one.address} ({one.interface}, {one.kind})" for one in chosen)
    checks = [_check("interface", True, names), _vpn(found)]
    if network is None:
        return [*checks, *(_bindable(one, port) for one in chosen), _firewall(firewall(), port)]
    checks += [_knock(host) for host in network.addresses]
    wall = firewall()
    if strangers:
        return [
            *checks,
            _check("reached", True, f"{strangers} connections came from other machines."),
        ]
    hint = "Is the phone in the same network, not a guest one, and without a VPN of its own?"
    reached = _check("reached", False, "Nothing has come from another machine yet.", hint)
    return [*checks, _firewall(wall, port), reached]


def active_firewall() -> str:
    """The name of a firewall that seems to be on; empty if none is seen. Only a sign: no rule is read."""
    with contextlib.suppress(OSError):
        if "ENABLED=yes" in Path("/etc/ufw/ufw.conf").read_text("utf-8"):
            return "ufw"
    for process in psutil.process_iter(["name"]):
        if (name := _FIREWALLS.get(process.info["name"] or "")) is not None:
            return name
    return "Windows Defender Firewall" if psutil.WINDOWS else ""


def _vpn(found: Sequence[Candidate]) -> dict[str, Any]:
    through = next((one for one in found if one.default and one.kind == "vpn"), None)
    if through is None:
        return _check("vpn", True, "No VPN takes this machine's traffic.")
    return _check(
        "vpn",
        False,
        f"A VPN ({through.interface}) takes this machine's traffic; answers to a phone may go there too.",
        "Allow local network access in the VPN's settings, or leave it while you pair.",
    )


def _bindable(one: Candidate, port: int) -> dict[str, Any]:
    try:
        bind(one.family, one.address, port).close()
    except AssistantError as exc:
        code = getattr(exc.__cause__, "errno", None)
        said = {
            errno.EADDRINUSE: (
                f"Another program listens on port {port} of {one.address}.",
                exc.hint,
            ),
            errno.EADDRNOTAVAIL: (
                f"{one.address} has gone.",
                "Look at the network, then try again.",
            ),
            errno.EACCES: (
                f"The system forbids to listen on {one.address}.",
                "Allow it for Nestor.",
            ),
        }.get(code or 0, (exc.message, exc.hint))
        return _check("bind", False, *said)
    return _check("bind", True, f"{one.address} can be listened on, port {port}.")


def _knock(host: str) -> dict[str, Any]:
    """Whether our own door answers at its address: then what is between the phone and it is to blame."""
    address, _, port = host.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = (
        False,
        ssl.CERT_NONE,
    )  # it is the door we ask, not who
    try:
        with socket.create_connection((address.strip("[]"), int(port)), timeout=_KNOCK_S) as sock:
            context.wrap_socket(sock).close()
    except OSError as exc:
        return _check(
            "door", False, f"{host} does not answer, even from here ({type(exc).__name__}).",
            "A firewall on this machine blocks it, or the address has changed: pair again.",
        )  # fmt: skip
    return _check("door", True, f"{host} answers from here.")


def _firewall(name: str, port: int) -> dict[str, Any]:
    if not name:
        return _check("firewall", True, "No firewall is seen on this machine.")
    rule = {
        "ufw": f"sudo ufw allow {port}/tcp",
        "firewalld": f"sudo firewall-cmd --add-port={port}/tcp",
    }.get(name, f"Allow Nestor there, TCP port {port}, for private networks")
    return _check("firewall", False, f"{name} is on, and may keep phones out.", f"{rule}.")


def _check(name: str, ok: bool, found: str, hint: str = "") -> dict[str, Any]:
    return {"name": name, "ok": ok, "found": found, "hint": "" if ok else hint}
