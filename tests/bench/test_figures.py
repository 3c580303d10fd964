"""The arithmetic of the benchmark: a limit that is missed must be seen to be."""

import http.server
import json
import os
import threading

import pytest

from tests.bench import neighbours, texts
from tests.bench.crowd import Client, Rush
from tests.bench.servers import Server
from tests.bench.stream import Answer, Failed, body, complete
from tests.bench.table import Row, ratio, show, span


@pytest.mark.parametrize(
    ("row", "missed"),
    [
        (Row("a", "s", [1, 2, 9], most=2), False),
        (Row("a", "s", [1, 3, 9], most=2), True),
        (Row("a", "s", [1, 3, 9], least=4), True),
        (Row("a", "s", [1, 3, 9]), False),
        (Row("a", "s", [], most=2), True),
        (Row("a", "s", []), False),
        (Row("a", "s", [1], most=2, problem="not the same"), True),
    ],
)
def test_a_limit_is_missed(row, missed):
    assert row.missed is missed
    assert row.as_dict()["missed"] is missed


def test_a_ratio_is_of_pairs_of_runs():
    row = ratio("ours of theirs", [2, 9, 4], [1, 3, 4], least=2)
    assert list(row.values) == [2, 3, 1]
    assert not row.missed


def test_a_ratio_without_a_peer_is_missed_and_shown(capsys):
    row = ratio("ours of theirs", [2, 9, 4], [], least=2)
    assert row.missed
    show([row])
    assert "**nothing to compare with**" in capsys.readouterr().out


def test_a_span_of_equals_is_one_number():
    assert span([5, 5]) == "5"
    assert span([3.2, 5.4]) == "3 to 5"


def test_gaps_are_those_that_lie_in_the_time():
    answer = Answer(0.0, tuple(float(moment) for moment in range(10)), "", 1, 10)
    assert neighbours._gaps(answer, 0.0, 6.0) == [1.0, 1.0]
    frozen = Answer(0.0, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 30.0), "", 1, 7)
    assert neighbours._gaps(frozen, 6.0, 29.0) == [25.0]


def test_a_crowd_sees_who_is_lost_and_whose_answer_went_astray():
    clients = [
        Client("111111", "It is 111111.", (5.0, 7.0)),
        Client("222222", "It is 111111.", ()),
        Client("333333", "", (), "out of patience"),
    ]
    rush = Rush(clients, [1.0], 1.0)
    assert (rush.lost, rush.crossed, rush.own, rush.refusals) == (1, 1, 1, [5.0, 7.0])


def test_what_is_asked_is_never_the_same_twice():
    stories = {texts.story(run, stream)[1]["content"] for run in range(8) for stream in range(8)}
    assert len(stories) == 64
    assert len({texts.question(0, turn) for turn in range(texts.TOPICS)}) == texts.TOPICS
    assert len(set(texts.facts())) == texts.RECALLED * texts.TOPICS


class _Scripted(http.server.BaseHTTPRequestHandler):
    chunks = ()
    status = 200

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()
        for chunk in self.chunks:
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


def _said(text, reason=None):
    return {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}


@pytest.fixture
def scripted(request):
    handler = type("Handler", (_Scripted,), request.param)
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Server("scripted", server.server_address[1], os.getpid())
        server.shutdown()
        thread.join()


_USAGE = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}


@pytest.mark.parametrize(
    ("scripted", "tokens"),
    [
        ({"chunks": (_said(""), _said("a"), _said("b", "stop"), _USAGE)}, 7),
        ({"chunks": (_said("a"), _said("b", "stop"))}, 2),
        ({"chunks": (_said("a"), _said("b", "length"))}, 9),
    ],
    indirect=["scripted"],
)
def test_tokens_are_what_the_server_counts(scripted, tokens):
    answer = complete(scripted, body([], 9))
    assert (answer.text, answer.tokens_out, len(answer.arrivals)) == ("ab", tokens, 2)


@pytest.mark.parametrize(
    "scripted", [{"status": 500}, {"chunks": ()}, {"chunks": ({"error": "no"},)}], indirect=True
)
def test_no_answer_is_no_figure(scripted):
    with pytest.raises(Failed):
        complete(scripted, body([], 9))
