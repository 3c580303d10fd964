"""The arithmetic of the benchmark: a limit that is missed must be seen to be."""

import http.server
import itertools
import json
import os
import random
import threading

import pytest

from tests.bench import child, neighbours, texts
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


@pytest.mark.parametrize(
    ("done", "ended", "problem"),
    [
        (50.0, 60.0, ""),
        (50.0, 49.5, ""),
        (50.0, 30.0, "the prompt was not read while the stream ran"),
    ],
)
def test_a_prompt_that_outlives_the_stream_says_nothing(done, ended, problem):
    prompt = neighbours._Prompt(None, 1, begun=10.0, done=done, thread=threading.current_thread())
    assert prompt.judge(ended) == problem


def test_gaps_beside_a_prompt_are_held_to_the_quiet_ones():
    quick = [0.01 * n for n in range(neighbours._BEFORE + 1)]
    quiet = Answer(0.0, tuple(0.02 * n for n in range(1, 65)), "", 1, 127)
    slow = [quick[-1] + 0.03 * n for n in range(1, 100)]
    answer = Answer(0.0, (*quick, *slow), "", 1, 200)
    found = neighbours._Beside()
    prompt = neighbours._Prompt(None, 1, quick[-1], slow[-1], 3000, "", threading.current_thread())
    found.take(quiet, answer, prompt, neighbours._Prompt(None, 2, 0.0, 1.0))
    gaps = next(row for row in found.rows() if row.most)
    assert gaps.median == pytest.approx(3.0)
    assert gaps.missed
    found.take(quiet, answer, neighbours._Prompt(None, 1), neighbours._Prompt(None, 2))
    assert any(row.problem for row in found.rows() if row.most), "a run without a figure is hidden"


def test_visits_end_while_the_prompt_is_read_and_while_the_answer_is_written():
    plan = list(itertools.islice(child.visits(random.Random(1), 150.0), 400))
    reading = [visit for visit in plan if visit.reading]
    assert len(reading) == 200
    assert all(visit.stay_s < max(0.05, visit.tokens / 150.0) for visit in reading)
    lengths = [visit.tokens for visit in reading]
    assert (min(lengths) < 70, max(lengths) > 2500, max(lengths) <= 3000) == (True, True, True)


def test_one_client_that_was_worked_for_too_long_is_a_limit_missed():
    left = [child.Left(20.0, True), child.Left(501.0, False), child.Left(30.0, True)]
    slowest = next(child.rows(left))
    assert slowest.missed
    assert slowest.note == "2 of 3 in time, 2 of them while their prompt was read"
    assert not next(child.rows(left[:1])).missed


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
