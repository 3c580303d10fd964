"""A real child that misbehaves on request; run as a module by the tests."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

from assistant.errors import EngineBusy
from assistant.worker import Call, serial, serve


def count(call: Call) -> Iterator[int]:
    for i in range(call.payload["to"]):
        if call.cancelled:
            return
        time.sleep(call.payload.get("pause", 0))
        yield i


def die(call: Call) -> Iterator[int]:
    yield 1
    os.kill(os.getpid(), getattr(signal, call.payload))
    time.sleep(10)


def hang(call: Call) -> Iterator[int]:
    """Stops every thread, the heartbeat's too, as a deadlock in native code with the GIL would."""
    yield 1
    os.kill(os.getpid(), signal.SIGSTOP)


def fail(call: Call) -> Iterator[int]:
    yield 1
    raise EngineBusy("no room")


def bug(call: Call) -> Iterator[int]:
    raise KeyError("a secret")
    yield 0


def chatter(call: Call) -> Iterator[int]:
    print("a native library prints here")
    sys.stdout.flush()
    os.write(1, b"and here\n")
    yield 7


def network(call: Call) -> Iterator[str]:
    try:
        socket.create_connection(("127.0.0.1", call.payload), 1).close()
        yield "connected"
    except OSError as exc:
        yield type(exc).__name__


def native_socket(call: Call) -> Iterator[int]:
    """What C code would get, past every hook of Python's."""
    import ctypes

    yield ctypes.CDLL(None).socket(int(call.payload), int(socket.SOCK_STREAM), 0)


def dumpable(call: Call) -> Iterator[int]:
    import ctypes

    yield ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE


def environment(call: Call) -> Iterator[dict[str, str]]:
    yield dict(os.environ)


def big(call: Call) -> Iterator[bytes]:
    yield b"x" * call.payload


if __name__ == "__main__":
    names = (
        count,
        die,
        hang,
        fail,
        bug,
        chatter,
        network,
        native_socket,
        environment,
        big,
        dumpable,
    )
    serve(serial({handler.__name__: handler for handler in names}))
