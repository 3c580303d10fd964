"""Learning with the real starter model: offered after the turn, in the background, and only what was said."""

import time

import pytest
from running import RunningDaemon, answer

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, starter_model):
    running = RunningDaemon(tmp_path_factory.mktemp("home"), model="starter").up()
    yield running
    assert running.stop() == 0


def offered(daemon, attribute, timeout_s=90):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for one in daemon.api.get("/api/v1/suggestions").json()["items"]:
            if one["attribute"] == attribute:
                return one
        time.sleep(0.2)
    raise AssertionError(f"no suggestion of {attribute}")


def test_what_no_rule_reads_the_model_proposes_and_the_user_accepts(daemon):
    said = "Thanks for that! I play the cello in my free time."
    daemon.ask(said)
    one = offered(daemon, "hobby")
    assert one["quote"] in said
    assert one["value"] in one["quote"]
    assert daemon.api.get("/api/v1/memories").json()["items"] == []
    daemon.api.post(f"/api/v1/suggestions/{one['id']}/accept").raise_for_status()
    (row,) = daemon.api.get("/api/v1/memories").json()["items"]
    assert "cello" in row["text"]


def test_a_correction_in_passing_changes_the_answer(daemon):
    daemon.ask("Remember that my sister Ana lives in Lyon")
    daemon.ask("No, Ana lives in Nice now")
    for question in ("Where does my sister live?", "Où habite Ana ?"):
        said = answer(daemon.ask(question))
        assert "Nice" in said
        assert "Lyon" not in said
