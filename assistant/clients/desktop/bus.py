"""The desktop's session bus: calling, being called, and hearing signals. Over dbus-fast."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from assistant.errors import DesktopError, ExtraMissing

ANSWER_S = 5.0
_DBUS = "org.freedesktop.DBus"
_PROPERTIES = "org.freedesktop.DBus.Properties"

Method = Callable[..., Sequence[Any]]
"""Takes the message's arguments, answers what is sent back."""
Hear = Callable[[list[Any]], None]


class Face(Protocol):
    """An interface that others on the bus see."""

    interface: str

    def properties(self) -> dict[str, tuple[str, Any]]:
        """Each with its signature."""
        ...

    def methods(self) -> Mapping[str, tuple[str, Method]]:
        """Each with the signature of what it answers."""
        ...


class Bus:
    """One connection. Everything on the event loop."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._faces: dict[str, list[Face]] = {}
        self._heard: list[tuple[str, str, str, Hear]] = []
        inner.add_message_handler(self._message)

    @classmethod
    async def connect(cls, address: str | None = None) -> Bus:
        """To the session bus, or to this address. Raises ExtraMissing, DesktopError."""
        try:
            from dbus_fast.aio import MessageBus
        except ImportError as exc:
            raise ExtraMissing("dbus-fast is not installed, so there is no icon.") from exc
        try:
            return cls(await asyncio.wait_for(MessageBus(bus_address=address).connect(), ANSWER_S))
        except Exception as exc:  # the library's own errors, and the system's, are of many kinds
            raise DesktopError("There is no session bus, so there is no icon.") from exc

    @property
    def name(self) -> str:
        """What the bus calls us."""
        return str(self._inner.unique_name)

    async def call(
        self,
        to: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
    ) -> list[Any]:
        """What a method answers. Raises DesktopError."""
        from dbus_fast import Message, MessageType

        message = Message(
            destination=to, path=path, interface=interface, member=member, signature=signature,
            body=list(body),
        )  # fmt: skip
        try:
            answer = await asyncio.wait_for(self._inner.call(message), ANSWER_S)
        except (TimeoutError, OSError, EOFError) as exc:
            raise DesktopError("A program of the desktop did not answer.") from exc
        if answer is None or answer.message_type is MessageType.ERROR:
            raise DesktopError("A program of the desktop refused.")
        return list(answer.body)

    async def property(self, to: str, path: str, interface: str, name: str) -> Any:
        """One property. Raises DesktopError."""
        (value,) = await self.call(to, path, _PROPERTIES, "Get", "ss", [interface, name])
        return value.value

    async def owner(self, name: str) -> str:
        """Who has this name; empty if nobody does."""
        with contextlib.suppress(DesktopError):
            return str((await self.call(_DBUS, "/", _DBUS, "GetNameOwner", "s", [name]))[0])
        return ""

    async def listen(self, interface: str, member: str, hear: Hear, first: str = "") -> None:
        """Hear a signal from now on; only those whose first argument is `first`, if it is given."""
        rule = f"type='signal',interface='{interface}',member='{member}'"
        rule += f",arg0='{first}'" if first else ""
        self._heard.append((interface, member, first, hear))
        await self.call(_DBUS, "/", _DBUS, "AddMatch", "s", [rule])

    async def watch(self, name: str, changed: Callable[[str], None]) -> None:
        """Tell who owns a name whenever that changes; empty: nobody does any more."""
        await self.listen(_DBUS, "NameOwnerChanged", lambda body: changed(body[2]), name)

    def serve(self, path: str, face: Face) -> None:
        """Answer for this interface there."""
        self._faces.setdefault(path, []).append(face)

    def emit(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> None:
        """Send a signal. On a bus that is gone: nothing."""
        from dbus_fast import Message

        with contextlib.suppress(OSError, EOFError):
            self._inner.send(Message.new_signal(path, interface, member, signature, list(body)))

    async def gone(self) -> None:
        """Returns when the bus has ended: the session is over."""
        with contextlib.suppress(Exception):  # how it ended does not matter
            # Shielded: whoever waits may be cancelled, and others wait for the same.
            await asyncio.shield(self._inner.wait_for_disconnect())

    async def close(self) -> None:
        """Hang up."""
        self._inner.disconnect()
        await self.gone()

    # --- being called --------------------------------------------------------------------

    def _message(self, message: Any) -> Any:
        from dbus_fast import MessageType

        if message.message_type is MessageType.SIGNAL:
            for interface, member, first, hear in self._heard:
                same = (message.interface, message.member) == (interface, member)
                if same and (not first or message.body[:1] == [first]):
                    hear(message.body)
            return None
        if message.message_type is not MessageType.METHOD_CALL or message.path not in self._faces:
            return None
        return self._called(message)

    def _called(self, message: Any) -> Any:
        """The answer to a call of one of ours; None leaves it to the library, which refuses it."""
        from dbus_fast import Message

        faces = {face.interface: face for face in self._faces[message.path]}
        if message.interface == _PROPERTIES:
            face = faces.get(message.body[0]) if message.body else None
            return face and _property(message, face)
        face = faces.get(message.interface)
        method = face.methods().get(message.member) if face else None
        if method is None:
            return None
        signature, work = method
        try:
            answer = list(work(*message.body))
        except (TypeError, ValueError, KeyError):  # arguments that are not what the interface says
            return Message.new_error(message, f"{_DBUS}.Error.InvalidArgs", "invalid arguments")
        return Message.new_method_return(message, signature, answer)


def _property(message: Any, face: Face) -> Any:
    from dbus_fast import Message, Variant

    known = {name: Variant(*typed) for name, typed in face.properties().items()}
    if message.member == "GetAll":
        return Message.new_method_return(message, "a{sv}", [known])
    if message.member == "Get" and len(message.body) == 2 and message.body[1] in known:
        return Message.new_method_return(message, "v", [known[message.body[1]]])
    return None
