"""Orders to the program with the icon: by name, through a socket that is the owner's alone."""

import asyncio
import json
import socket
import sys

import pytest

from assistant.clients.desktop import control
from assistant.clients.desktop.actions import Actions
from assistant.clients.desktop.control import Control, send
from assistant.config import load_paths
from assistant.errors import (
    ActionFailed,
    ActionNotFound,
    InvalidInput,
    InvalidJson,
    NoDisplay,
    SocketUnsafe,
    TrayNotRunning,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a unix socket")


@pytest.fixture
def paths(tmp_path):
    return load_paths({"NESTOR_HOME": str(tmp_path)})


@pytest.fixture
def actions():
    made = Actions()
    made.register("double", lambda number: 2 * number)
    return made


@pytest.fixture
async def running(paths, actions):
    one = Control(paths, actions)
    await one.start()
    yield one
    await one.close()


def told(paths, name, /, **arguments):
    return asyncio.to_thread(send, paths, name, **arguments)


async def raw(paths, *pieces, patience=5.0):
    """What comes back for these bytes; empty if the connection just ends."""
    reader, writer = await asyncio.open_unix_connection(str(paths.desktop_socket))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    line = await asyncio.wait_for(reader.readline(), patience)
    writer.close()
    return line


async def test_an_order_is_done_and_answered(running, paths, actions):
    waited = []

    async def slowly(name, *, often=1):
        await asyncio.sleep(0.05)
        waited.append((name, often))
        return {"done": [name] * often}

    actions.register("slowly", slowly)
    # `name` and `action` are arguments like any other
    assert await told(paths, "slowly", name="é 你好", often=2) == {"done": ["é 你好"] * 2}
    assert waited == [("é 你好", 2)]
    assert await told(paths, "double", number=21) == 42


async def test_the_later_registration_holds(running, paths, actions):
    actions.register("double", lambda number: number * number)
    assert await told(paths, "double", number=5) == 25
    assert actions.names == ("double",)


async def test_what_goes_wrong_arrives_as_what_it_is(running, paths, actions):
    def no_display():
        raise NoDisplay("The display went away.", "Log in again.")

    def broken(text):
        raise KeyError(text)

    actions.register("no_display", no_display)
    actions.register("broken", broken)
    with pytest.raises(NoDisplay) as caught:
        await told(paths, "no_display")
    assert (caught.value.message, caught.value.hint) == ("The display went away.", "Log in again.")
    with pytest.raises(ActionFailed) as caught:
        await told(paths, "broken", text="my secret")
    assert "secret" not in json.dumps(caught.value.body())
    with pytest.raises(ActionNotFound):
        await told(paths, "nothing")
    with pytest.raises(InvalidInput):
        await told(paths, "double", numbers=2)
    assert await told(paths, "double", number=1) == 2  # and it goes on


@pytest.mark.parametrize(
    "line",
    [b"\n", b"{}\n", b"[1]\n", b'{"action": 7}\n', b'{"action": "double", "more": 1}\n', b"\xff\n",
     b'{"action": "double"', b'{"action": "' + b"x" * (control.LINE_BYTES + 10) + b'"}\n'],
)  # fmt: skip
async def test_what_is_no_order_is_told_so(running, paths, monkeypatch, line):
    monkeypatch.setattr(control, "RECEIPT_S", 0.3)
    answer = await raw(paths, line)
    assert not answer or json.loads(answer)["error"]["code"] == InvalidJson.code
    assert await told(paths, "double", number=4) == 8


async def test_an_order_that_never_ends_takes_no_place(running, paths, monkeypatch):
    monkeypatch.setattr(control, "RECEIPT_S", 0.2)
    assert await raw(paths, b'{"acti') == b""
    assert running._working == set()


async def test_the_socket_is_for_its_user_and_leaves_with_the_program(paths, actions):
    one = Control(paths, actions)
    await one.start()
    assert paths.desktop_socket.stat().st_mode & 0o777 == 0o600
    assert paths.desktop_socket.parent.stat().st_mode & 0o777 == 0o700
    await one.close()
    assert not paths.desktop_socket.exists()
    with pytest.raises(TrayNotRunning):
        await told(paths, "double", number=1)


async def test_another_user_gets_no_answer(running, paths, monkeypatch):
    monkeypatch.setattr(control, "is_owner", lambda transport: False)
    with pytest.raises(TrayNotRunning):
        await told(paths, "double", number=1)


async def test_a_stale_socket_is_told_from_a_program(paths, actions):
    paths.runtime.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(paths.desktop_socket))
    with pytest.raises(TrayNotRunning):
        await told(paths, "double", number=1)
    one = Control(paths, actions)
    await one.start()  # what was left is no obstacle
    assert await told(paths, "double", number=1) == 2
    await one.close()


async def test_what_is_no_socket_is_not_written_to(paths):
    paths.runtime.mkdir(mode=0o700)
    paths.desktop_socket.write_text("a trap")
    with pytest.raises(SocketUnsafe):
        await told(paths, "double", number=1)


async def test_closing_leaves_undone_what_waits(paths, actions):
    async def forever():
        await asyncio.sleep(60)

    actions.register("forever", forever)
    one = Control(paths, actions)
    await one.start()
    asking = asyncio.create_task(told(paths, "forever"))
    while not one._working:
        await asyncio.sleep(0.01)
    await one.close()
    with pytest.raises(TrayNotRunning):
        await asking
