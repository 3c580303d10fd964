"""Which addresses of this machine a phone at home could reach, likeliest first."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import psutil

from assistant.errors import LanRefused

Kind = Literal["home", "vpn", "virtual", "public"]

_VIRTUAL = ("docker", "veth", "virbr", "br-", "vmnet", "vboxnet", "vethernet", "lxc", "lxd", "podman",
            "cni", "flannel", "ifb", "dummy", "awdl", "llw", "bridge")  # fmt: skip
_VPN = (
    "tun",
    "tap",
    "wg",
    "utun",
    "ppp",
    "tailscale",
    "zt",
    "nordlynx",
    "proton",
    "ipsec",
    "wireguard",
)
_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Carriers' and Tailscale's addresses (RFC 6598)."""
_KINDS: tuple[Kind, ...] = ("home", "vpn", "virtual", "public")


class Candidate(msgspec.Struct, frozen=True):
    """One address, and what it seems to be."""

    interface: str
    address: str
    kind: Kind
    default: bool = False
    """Whether this machine's own traffic goes out there."""

    @property
    def host(self) -> str:
        """As in a URL."""
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def family(self) -> socket.AddressFamily:
        """For a socket."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


def rank(
    addresses: Mapping[str, Sequence[Any]], up: Mapping[str, bool], default: str
) -> list[Candidate]:
    """Interfaces' addresses (as psutil has them) in the order in which a phone should try them.

    Loopback and link-local addresses are left out; `default` is the address used for other networks.
    """
    found = []
    for name, rows in addresses.items():
        for row in rows:
            if row.family not in (socket.AF_INET, socket.AF_INET6) or not up.get(name, False):
                continue
            address = ipaddress.ip_address(row.address.partition("%")[0])
            if address.is_loopback or address.is_link_local or address.is_multicast:
                continue
            kind = _kind(name, address)
            found.append(Candidate(name, str(address), kind, str(address) == default))
    return sorted(
        found, key=lambda c: (_KINDS.index(c.kind), not c.default, ":" in c.address, c.interface)
    )


def choose(found: Sequence[Candidate], interface: str = "") -> list[Candidate]:
    """The addresses to listen on: those of an interface or address, or all that look like home.

    Raises LanRefused.
    """
    if interface:
        named = [one for one in found if interface in (one.interface, one.address)]
        if not named:
            names = ", ".join(sorted({one.interface for one in found})) or "none"
            raise LanRefused("There is no such interface.", f"There are: {names}.")
        return named
    home = [one for one in found if one.kind == "home"]
    if not home:
        raise LanRefused(
            "This machine is in no home network.",
            "Join one, or name an interface: `nestor pair --interface NAME`.",
        )
    return home


def candidates() -> list[Candidate]:
    """This machine's, now."""
    up = {name: state.isup for name, state in psutil.net_if_stats().items()}
    return rank(psutil.net_if_addrs(), up, outward())


def outward() -> str:
    """The address this machine uses for other networks; empty if it has no way there. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("203.0.113.1", 9))  # TEST-NET-3: for UDP this only chooses a route
        except OSError:
            return ""
        return str(sock.getsockname()[0])


def _kind(name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Kind:
    lower = name.lower()
    if lower.startswith(_VPN) or (address.version == 4 and address in _SHARED):
        return "vpn"
    if lower.startswith(_VIRTUAL):
        return "virtual"
    return "home" if address.is_private else "public"
