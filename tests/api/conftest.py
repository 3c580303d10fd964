"""One real daemon with the fake model for all API tests."""

import pytest
from running import RunningDaemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = RunningDaemon(tmp_path_factory.mktemp("home")).up()
    yield running
    assert running.stop() == 0
