"""The door to other machines: closed unless a device is paired or being paired, and always TLS 1.3."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from assistant.config import LIMITS, Paths
from assistant.errors import AssistantError, LanRefused
from assistant.listen import certificates, diagnosis, interfaces
from assistant.listen.interfaces import Candidate
from assistant.listen.listener import Listener
from assistant.listen.sockets import bind
from assistant.types import Door, Network

log = logging.getLogger(__name__)


class Memo(Protocol):
    """Where is kept which interface was chosen."""

    async def lan(self) -> str | None: ...
    async def set_lan(self, interface: str | None) -> None: ...


class Lan:
    """See `core.pairing.Lan`. `application` makes the app for a door."""

    def __init__(
        self,
        paths: Paths,
        port: int,
        application: Callable[[Door], Any],
        memo: Memo,
        paired: Callable[[], bool],
        find: Callable[[], Sequence[Candidate]] = interfaces.candidates,
    ) -> None:
        self._paths = paths
        self._port = port
        self._application = application
        self._memo = memo
        self._paired = paired
        self._find = find
        self._listener: Listener | None = None
        self._chosen: Sequence[Candidate] = ()
        self._pairing = False
        self._settling: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self.network: Network | None = None

    async def resume(self) -> None:
        """After a start: open it again if it was open and a device is still paired."""
        interface = await self._memo.lan()
        if interface is None or not self._paired():
            return
        try:
            await self._open(interface)
        except AssistantError as exc:
            log.warning("%s %s", exc.message, exc.hint)

    async def open(self, interface: str = "") -> Network:
        """For a pairing. Raises LanRefused where there is no such interface, PortTaken."""
        self._pairing = True
        try:
            network = await self._open(interface)
        except BaseException:
            self._pairing = False
            raise
        await self._memo.set_lan(interface)
        return network

    async def settle(self) -> None:
        """The pairing is over: close the door unless a device is paired."""
        self._pairing = False
        if not self._paired():
            await self._memo.set_lan(None)
            await self.close()

    def on_devices_changed(self) -> None:
        """When the last device is revoked, the door closes; a little later, so that it is told."""
        if not (self._pairing or self._paired()) and self.network is not None:
            self._settling = asyncio.get_running_loop().create_task(self._farewell())

    async def _farewell(self) -> None:
        await asyncio.sleep(LIMITS.farewell_s)
        if not self._pairing:
            await self.settle()

    async def diagnose(self, interface: str = "") -> list[dict[str, Any]]:
        """See `diagnosis.diagnose`."""
        port = self._port
        if self.network is not None:
            port = int(self.network.addresses[0].rpartition(":")[2])
        ours = {one.address for one in self._chosen} | {"127.0.0.1", "::1"}
        strangers = len(self._listener.crowd.seen - ours) if self._listener else 0
        return await asyncio.to_thread(
            diagnosis.diagnose,
            self._find(),
            self.network,
            port,
            strangers,
            diagnosis.active_firewall,
            interface,
        )

    async def close(self) -> None:
        """Close it."""
        async with self._changing:
            await self._close()

    async def _close(self) -> None:
        listener, self._listener, self.network, self._chosen = self._listener, None, None, ()
        if listener is not None:
            log.info("no longer listening on the network")
            await listener.close()

    async def _open(self, interface: str) -> Network:
        async with self._changing:
            chosen = interfaces.choose(self._find(), interface)
            if self.network is not None and list(chosen) == list(self._chosen):
                return self.network
            await self._close()
            if not (self._pairing or self._paired()):
                raise LanRefused
            sockets = self._bind(chosen)
            try:
                return await self._serve(chosen, sockets)
            except BaseException:
                for one in sockets:
                    one.close()
                raise

    def _bind(self, chosen: Sequence[Candidate]) -> list[socket.socket]:
        sockets: list[socket.socket] = []
        port = self._port
        try:
            for one in chosen:
                sockets.append(bind(one.family, one.address, port))
                port = int(sockets[0].getsockname()[1])
        except AssistantError:
            for sock in sockets:
                sock.close()
            raise
        return sockets

    async def _serve(
        self, chosen: Sequence[Candidate], sockets: Sequence[socket.socket]
    ) -> Network:
        shown = await asyncio.to_thread(
            certificates.credentials, self._paths.tls, [one.address for one in chosen]
        )
        port = int(sockets[0].getsockname()[1])
        hosts = tuple(f"{one.host}:{port}" for one in chosen)
        door = Door(
            "lan",
            hosts,
            scheme="https",
            connections=LIMITS.lan_connections,
            peer_connections=LIMITS.peer_connections,
        )
        listener = Listener(self._application(door), door)
        await listener.start(sockets, shown.context)
        self._listener, self._chosen = listener, chosen
        self.network = Network(hosts, shown.fingerprint, shown.authority)
        log.info("listening on %s, port %d", ", ".join({c.interface for c in chosen}), port)
        return self.network
