"""A desktop's GlobalShortcuts portal on a private bus: the real protocol, no desktop behind it."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import asynccontextmanager, contextmanager

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

NAME = "org.freedesktop.portal.Desktop"
SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"


@contextmanager
def private_bus():
    """The address of a bus of our own."""
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield bus.stdout.readline().strip()
    finally:
        bus.terminate()
        bus.wait(10)
        bus.stdout.close()


class Portal:
    """What a user would have clicked stands in `consent` (0 yes, 1 no) and `keys` (action → words)."""

    def __init__(self, bus):
        self.bus = bus
        self.consent = 0
        self.silent = False
        self.keys = {}
        self.asked = {}
        self.session = ""
        self.closed = False
        self.scheme = 0
        bus.add_message_handler(self._called)

    def _called(self, message):
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        name = f"_{message.member}"
        if message.interface == SHORTCUTS and hasattr(self, name):
            options = message.body[-1]
            sender = message.sender.removeprefix(":").replace(".", "_")
            handle = (
                f"/org/freedesktop/portal/desktop/request/{sender}/{options['handle_token'].value}"
            )
            results = getattr(self, name)(message, sender, options)
            if not self.silent:
                # A real portal may answer before its call has returned.
                self._respond(message, handle, results)
            return Message.new_method_return(message, "o", [handle])
        if message.interface == "org.freedesktop.portal.Settings":
            assert message.body == ["org.freedesktop.appearance", "color-scheme"]
            return Message.new_method_return(
                message, "v", [Variant("v", Variant("u", self.scheme))]
            )
        if message.interface == "org.freedesktop.portal.Session" and message.member == "Close":
            self.closed = True
            return Message.new_method_return(message)
        return None

    def _respond(self, message, handle, results):
        self.bus.send(
            Message(
                destination=message.sender, path=handle, interface="org.freedesktop.portal.Request",
                member="Response", signature="ua{sv}", body=[self.consent, results],
                message_type=MessageType.SIGNAL,
            )
        )  # fmt: skip

    def _CreateSession(self, message, sender, options):
        token = options["session_handle_token"].value
        self.session = f"/org/freedesktop/portal/desktop/session/{sender}/{token}"
        self.client = message.sender
        return {"session_handle": Variant("s", self.session)}

    def _BindShortcuts(self, message, sender, options):
        assert message.body[0] == self.session
        rows = []
        for action, about in message.body[1]:
            self.asked[action] = about["preferred_trigger"].value
            words = self.keys.get(action, f"Press {self.asked[action]}")
            told = {"description": about["description"], "trigger_description": Variant("s", words)}
            rows.append([action, told])
        return {"shortcuts": Variant("a(sa{sv})", rows)}

    async def key(self, member, action, session=None):
        """`Activated` or `Deactivated`."""
        body = [session or self.session, action, 1, {}]
        await self._emit(SHORTCUTS, member, "osta{sv}", body, "/org/freedesktop/portal/desktop")

    async def end(self):
        await self._emit("org.freedesktop.portal.Session", "Closed", "a{sv}", [{}], self.session)

    async def _emit(self, interface, member, signature, body, path):
        await self.bus.send(
            Message(
                path=path, interface=interface, member=member, signature=signature, body=body,
                message_type=MessageType.SIGNAL,
            )
        )  # fmt: skip
        await asyncio.sleep(0.05)


@asynccontextmanager
async def portal(address):
    bus = await MessageBus(bus_address=address).connect()
    await bus.request_name(NAME)
    try:
        yield Portal(bus)
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()
