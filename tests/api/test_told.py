"""What is said to the memory in a chat, through a real daemon: done at once, told exactly, no model."""

from __future__ import annotations

import httpx
import pytest
from running import RunningDaemon, answer


@pytest.fixture
def daemon(tmp_path):
    running = RunningDaemon(tmp_path / "home").up()
    yield running
    assert running.stop() == 0


@pytest.fixture
def chat(daemon):
    """Says something in one conversation; the reply and the receipt."""
    conversation = daemon.conversation()

    def say(text, **body):
        seen = daemon.ask(text, conversation, **body)
        names = [name for _, name, _ in seen]
        assert (names[0], names[-1]) == ("started", "done")
        (receipt,) = [data for _, name, data in seen if name == "receipt"]
        return answer(seen), receipt

    say.conversation = conversation
    return say


def texts(daemon, **params):
    return [
        row["text"] for row in daemon.api.get("/api/v1/memories", params=params).json()["items"]
    ]


def test_remember_correct_ask_and_take_back(daemon, chat):
    said, receipt = chat("Remember that my sister Ana lives in Lyon")
    assert "My sister Ana lives in Lyon" in said
    assert (receipt["model"], receipt["tokens_in"]) == ("none", 0)
    (stored,) = receipt["memory"]["stored"]
    assert receipt["memories"] == [{"id": stored, "score": 1.0, "tokens": 0}]

    said, receipt = chat("No, Ana lives in Nice now")
    assert receipt["model"] == "none"
    assert receipt["memory"]["closed"] == [stored]
    assert "Ana lives in Nice now" in said
    assert "Lyon" in said  # what holds no longer
    assert texts(daemon) == ["Ana lives in Nice now"]

    said, receipt = chat("What do you know about my sister?")
    assert "Nice" in said
    assert "Lyon" not in said
    said, _ = chat("Où est-ce que ma sœur habitait avant ?")
    assert "Lyon" in said
    assert "Nice" not in said

    said, receipt = chat("undo")
    assert receipt["memory"] == {}  # nothing was changed by the question before
    chat("No, Ana lives in Rome now")
    said, receipt = chat("Undo that")
    assert "Nice" in said
    assert texts(daemon) == ["Ana lives in Nice now"]


def test_said_twice_is_known(daemon, chat):
    chat("Remember that I live in Lyon")
    said, receipt = chat("Souviens-toi que j'habite à Lyon")
    assert "déjà" in said
    assert len(receipt["memory"]["known"]) == 1
    assert texts(daemon) == ["I live in Lyon"]


def test_no_it_is(daemon, chat):
    chat("Remember that my sister Ana lives in Lyon")
    chat("Remember that I live in Brest")
    chat("Where does Ana live?")
    _, receipt = chat("No, it's Nice")
    assert len(receipt["memory"]["closed"]) == 1
    assert sorted(texts(daemon)) == ["Ana lives in Nice", "I live in Brest"]
    _, receipt = chat("No, it's raining there")  # no place: for the model
    assert receipt["model"] == "fake"
    assert sorted(texts(daemon)) == ["Ana lives in Nice", "I live in Brest"]


def test_a_no_that_changes_nothing_or_says_more_is_for_the_model(daemon, chat):
    chat("Remember that my sister Ana lives in Lyon")
    for text in (
        "No, that joke was better",
        "No, Ana likes tea",
        "No, Ana lives in Lyon",
        "No, Ana lives in Nice now. Tell her I said hello.",
        "Ana moved to Nice",
    ):
        _, receipt = chat(text)
        assert receipt["model"] == "fake", text
    _, receipt = chat("No, she lives in Rome now", store=False)
    assert receipt["model"] == "fake"
    assert receipt["memory"] == {}


@pytest.mark.parametrize("where", ["turn", "chat", "device"])
def test_where_nothing_is_learnt_a_correction_in_passing_is_for_the_model(daemon, chat, where):
    chat("Remember that my sister Ana lives in Lyon")
    turn = {"learn": "off"} if where == "turn" else {}
    if where == "chat":
        path = f"/api/v1/conversations/{chat.conversation}"
        daemon.api.patch(path, json={"learn": "off"}).raise_for_status()
    if where == "device":
        daemon.api.put("/api/v1/learning", json={"mode": "off"}).raise_for_status()
    for text in ("No, Ana lives in Nice now", "No, it's Nice", "No, it's not Lyon, it's Nice"):
        chat("Where does my sister live?", **turn)
        _, receipt = chat(text, **turn)
        assert receipt["model"] == "fake", text
        assert receipt["memory"] == {}
    assert texts(daemon) == ["My sister Ana lives in Lyon"]


@pytest.mark.parametrize("where", ["turn", "chat"])
def test_where_memories_are_not_used_what_held_before_is_not_quoted(daemon, chat, where):
    chat("Remember that my sister Ana lives in Lyon")
    turn = {"memory": False} if where == "turn" else {}
    if where == "chat":
        path = f"/api/v1/conversations/{chat.conversation}"
        daemon.api.patch(path, json={"memory": False}).raise_for_status()
    said, receipt = chat("No, Ana lives in Nice now", **turn)
    assert receipt["model"] == "fake"
    assert "Lyon" not in said
    assert texts(daemon) == ["Ana lives in Nice now"], "storing is another switch"


@pytest.mark.parametrize("where", ["turn", "chat"])
def test_where_memories_are_not_used_none_is_listed_and_none_is_corrected(daemon, chat, where):
    chat("Remember that my sister Ana lives in Lyon")
    chat("Remember that Ana hates mint")
    turn = {"memory": False} if where == "turn" else {}
    if where == "chat":
        path = f"/api/v1/conversations/{chat.conversation}"
        daemon.api.patch(path, json={"memory": False}).raise_for_status()
    chat("Where does Ana live?", **turn)
    said, receipt = chat("No, it's Nice", **turn)
    assert (receipt["model"], "Lyon" in said) == ("fake", False)
    said, receipt = chat("forget my sister", **turn)
    assert receipt["memories"] == []
    assert not any(word in said for word in ("Ana", "Lyon", "mint"))
    said, receipt = chat("Remember that Ana lives in Rome", **turn)
    assert receipt["memories"] == []
    assert "Lyon" not in said
    assert sorted(texts(daemon)) == ["Ana hates mint", "Ana lives in Rome"]
    said, receipt = chat("undo", **turn)
    assert "Lyon" not in said
    assert "My sister Ana lives in Lyon" in texts(daemon)
    chat("Forget that Ana hates mint", **turn)
    assert texts(daemon) == ["My sister Ana lives in Lyon"]


def test_a_device_that_sees_some_classes_is_not_told_what_held_in_others(daemon, chat):
    chat("Remember that my sister Ana lives in Lyon")
    scopes = ["chat", "memory.read", "memory.write"]
    body = {"name": "phone", "scopes": scopes, "classes": ["work"]}
    token = daemon.api.post("/api/v1/devices", json=body).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=daemon.url, headers=headers, timeout=30) as phone:
        made = phone.post("/api/v1/conversations", json={}).json()["id"]
        path = f"/api/v1/conversations/{made}/turns"
        asked = phone.post(path, json={"text": "No, Ana lives in Nice now"})
        asked.raise_for_status()
    assert "Lyon" not in asked.text
    assert '"model":"none"' not in asked.text.replace(" ", "")


def test_the_same_in_french_and_of_her_who_was_spoken_of(daemon, chat):
    chat("Remember that my sister Ana lives in Lyon")
    said, receipt = chat("Non, Ana habite à Nice maintenant")
    assert receipt["model"] == "none"
    assert "Nice" in said
    chat("Where does Ana live?")
    said, receipt = chat("No, she lives in Rome now")
    assert receipt["model"] == "none"
    (row,) = texts(daemon)
    assert "Rome" in row


def test_a_negation_closes_and_stores_nothing(daemon, chat):
    chat("Remember that I'm vegetarian")
    _, receipt = chat("I'm not vegetarian any more")
    assert len(receipt["memory"]["closed"]) == 1
    assert "stored" not in receipt["memory"]
    assert texts(daemon) == []
    assert texts(daemon, closed=True) == ["I'm vegetarian"]


def test_only_corrections_are_taken_from_talk(daemon, chat):
    for text in ("I live in Lyon", "Translate this. I moved to Porto", "I'd like tea"):
        _, receipt = chat(text)
        assert receipt["memory"] == {}
    assert texts(daemon) == []
    chat("Remember that I live in Lyon")
    for text in ("What if I moved to Porto?", "Tom says I moved to Porto", "Translate: I moved to Porto",
                 "Summarise this. I moved to Porto.", "Maybe I moved to Porto in a dream"):  # fmt: skip
        chat(text)
    chat("I moved to Porto", store=False)
    assert texts(daemon) == ["I live in Lyon"]


def test_what_is_clearly_meant_is_forgotten_and_not_logged(daemon, chat):
    chat("Remember that my sister Ana lives in Lyon and loves tulips")
    _, receipt = chat("Forget that my sister Ana lives in Lyon")
    assert len(receipt["memory"]["forgotten"]) == 1
    assert texts(daemon) == ["My sister Ana loves tulips"]
    turns = daemon.api.get(f"/api/v1/conversations/{chat.conversation}").json()["turns"]
    assert "Lyon" not in turns[-1]["text"] + turns[-1]["reply"]


def test_what_else_a_memory_says_is_never_forgotten_along(daemon, chat):
    chat("Remember that my phone number is 12 34. The cat sleeps in the red chair")
    _, receipt = chat("Forget my phone number")
    assert "asks" in receipt["memory"]
    assert len(texts(daemon)) == 1
    chat("none")
    chat("Remember that ana lives in Lyon")  # a name in small letters, unknown: no fact is read
    chat("Remember that Ana likes tulips and lives in Brest")
    chat("forget that ana lives in Brest")
    assert "Ana likes tulips" in texts(daemon)


def test_memories_that_are_not_to_be_used_are_not_told_either(daemon, chat):
    chat("Remember that my sister Ana lives in Lyon")
    said, receipt = chat("What do you know about Ana?", memory=False)
    assert (receipt["model"], "Lyon" in said) == ("fake", False)
    said, _ = chat("Remember that I live in Brest", store=False)
    assert "nothing was stored" in said
    assert texts(daemon) == ["My sister Ana lives in Lyon"]


def test_what_is_not_clear_is_asked(daemon, chat):
    for text in (
        "Ana lives in Lyon",
        "Ana likes tulips",
        "Ana's dog bites postmen",
        "I live in Brest",
    ):
        chat(f"Remember that {text}")
    said, receipt = chat("Forget about Ana")
    assert all(word in said for word in ("Lyon", "tulips", "dog"))
    assert "Brest" not in said
    assert len(texts(daemon)) == 4
    said, _ = chat("yes")  # three of them: which?
    assert len(texts(daemon)) == 4
    chat("7")
    assert len(texts(daemon)) == 4
    listed = receipt["memory"]["asks"]["forget"]
    _, receipt = chat("2")
    assert receipt["memory"]["forgotten"] == [listed[1]]
    assert len(texts(daemon)) == 3
    chat("Forget about Ana")
    chat("none")
    assert len(texts(daemon)) == 3
    chat("Forget about Ana")
    chat("all of them")
    assert texts(daemon) == ["I live in Brest"]
    said, _ = chat("forget the moon landing")
    assert "nothing was forgotten" in said


def test_what_the_memory_has_nothing_of_is_for_the_model(chat):
    for text in ("What do you know about photosynthesis?", "What did people use to eat in Rome?",
                 "Where did I use to live?"):  # fmt: skip
        assert chat(text)[1]["model"] == "fake"


def test_a_yes_that_answers_nothing_is_for_the_model(chat):
    assert chat("yes")[1]["model"] == "fake"
    assert chat("undo")[1]["model"] == "none"


def test_it_works_while_the_model_is_missing(tmp_path):
    running = RunningDaemon(
        tmp_path / "home", model="tiny", env={"NESTOR_MODELS": str(tmp_path)}
    ).up()
    try:
        seen = running.ask("Remember that I live in Lyon")
        assert seen[-1][1] == "done"
        assert texts(running) == ["I live in Lyon"]
    finally:
        assert running.stop() == 0
