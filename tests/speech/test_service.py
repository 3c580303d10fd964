"""The child's lanes: who talks does not wait for a long recording."""

import threading

from assistant.speech.service import Lane
from assistant.worker.child import Call
from assistant.worker.frames import End, Item, Request


class Calls:
    """Makes calls, and keeps what they sent, in order."""

    def __init__(self):
        self.sent, self.ended = [], threading.Semaphore(0)

    def make(self, number, method):
        return Call(Request(number, method, None), self._take)

    def _take(self, frame):
        match frame:
            case Item(call, payload):
                self.sent.append((call, payload))
            case End():
                self.ended.release()


def test_urgent_calls_go_before_the_rest_of_a_long_one():
    calls, begun, ready = Calls(), threading.Event(), threading.Event()

    def long(_call):
        for piece in range(3):
            yield piece
            if piece == 0:
                begun.set()
                assert ready.wait(5)
            lane.breathe()

    lane = Lane("test", {"long": long, "short": lambda _: iter(["now"])})
    lane.put(calls.make(1, "long"))
    assert begun.wait(5)
    lane.put(calls.make(2, "short"))
    lane.put(calls.make(3, "short"), urgent=True)
    ready.set()
    for _ in range(3):
        assert calls.ended.acquire(timeout=5)
    assert calls.sent == [(1, 0), (3, "now"), (1, 1), (1, 2), (2, "now")]
