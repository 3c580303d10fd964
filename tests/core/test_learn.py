"""Learning after a turn: what the model is shown, what becomes of its records, when nothing is read."""

import json

import pytest
from core.parts import ANA, Memory, assemble, end

from assistant.core.learn import Learner, records, worth_reading
from assistant.errors import EngineBusy
from assistant.types import Effect

RECORD = {"quote": "I play the cello", "subject": "me", "attribute": "hobby", "value": "cello"}


class Suggestions:
    attributes = ("home", "hobby")

    def __init__(self, chosen=""):
        self.chosen, self.learnt = chosen, []

    async def mode(self, device):
        return self.chosen

    async def learn(self, turn_id, text, proposed=(), *, before="", auto=False):
        self.learnt.append((text, list(proposed), auto))
        return Effect(), []


def make(*replies, chosen="", default="ask", **rest):
    parts = assemble(*replies, **rest)
    parts.suggestions = Suggestions(chosen)
    parts.learner = Learner(parts.engine, parts.suggestions, parts.log, default)
    parts.turns._learner = parts.learner
    return parts


async def say(parts, text, **how):
    await end(await parts.turns.start("c_1", text, **how))
    await parts.learner.idle()
    return parts.suggestions.learnt


async def test_the_model_sees_the_users_words_alone_and_only_proposes():
    parts = make("Nice!", json.dumps({"facts": [RECORD]}), memory=Memory(ANA))
    learnt = await say(parts, "I play the cello")
    assert learnt == [("I play the cello", [], False), ("I play the cello", [RECORD], False)]
    request, priority, _ = parts.engine.requests[-1]
    assert priority == "background"
    assert request.chat == ""
    assert request.format is not None
    assert request.messages[-1].text == "I play the cello"
    assert not any("Lyon" in message.text for message in request.messages)  # what was recalled


@pytest.mark.parametrize("how", [{"learning": "off"}, {"store": False}])
async def test_nothing_is_read_where_learning_is_off(how):
    assert await say(make("ok"), "I play the cello", **how) == []


@pytest.mark.parametrize(
    ("default", "chosen", "asked", "auto"),
    [("ask", "", None, False), ("auto", "", None, True), ("off", "auto", None, True),
     ("ask", "auto", "ask", False), ("off", "", "auto", True)],
)  # fmt: skip
async def test_a_turn_over_the_device_over_the_settings(default, chosen, asked, auto):
    parts = make("ok", "{}", default=default, chosen=chosen)
    learnt = await say(parts, "I play the cello", learning=asked)
    assert {one[2] for one in learnt} == {auto}


@pytest.mark.parametrize(
    "reply", ["", "{", "[]", '{"facts": 3}', '{"facts": [3]}', '{"facts": []}']
)
async def test_a_useless_reply_is_no_proposal(reply):
    assert records(reply) == []
    assert len(await say(make("ok", reply), "I play the cello")) == 1


async def test_a_busy_engine_is_left_alone():
    assert len(await say(make("ok", EngineBusy()), "I play the cello")) == 1


async def test_a_question_costs_no_model():
    parts = make("ok")
    await say(parts, "Where do I live?")
    assert len(parts.engine.requests) == 1


async def test_a_failed_turn_is_not_read():
    parts = make(EngineBusy())
    run = await parts.turns.start("c_1", "I play the cello")
    await end(run)
    await parts.learner.idle()
    assert parts.suggestions.learnt == []


async def test_forgetting_and_closing_give_up_what_is_read():
    parts = make("ok", "slow " * 100, word_pause_s=0.02)
    run = await parts.turns.start("c_1", "I play the cello")
    await end(run)
    await parts.learner.halt(["c_2"])
    assert parts.learner._tasks
    await parts.learner.halt()
    assert not parts.learner._tasks
    await parts.learner.close()
    parts.learner.consider(run.turn, "ask")
    assert not parts.learner._tasks


def test_worth_reading():
    assert worth_reading("Thanks. I live here.")
    assert worth_reading("J’habite à Lyon")
    assert not worth_reading("What is my name?")
    assert not worth_reading("The moon is far.")
