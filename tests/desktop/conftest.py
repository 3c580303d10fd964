"""The desktop of these tests. One for all tests of a file: it takes a second to start."""

import shutil
import sys

import pytest

NEEDS = ("Xvfb", "openbox", "xdotool", "dbus-daemon", "dbus-send", "xfce4-panel", "dunst")


@pytest.fixture(scope="module")
def desktop(tmp_path_factory):
    """A `Desk` with nothing shown on it yet."""
    if sys.platform != "linux":
        pytest.skip("a desktop of one's own is to be had on Linux alone")
    missing = [name for name in NEEDS if shutil.which(name) is None]
    assert not missing, f"`make test` names the packages that have {', '.join(missing)}"
    from desktop.desk import Desk

    made = Desk(tmp_path_factory.mktemp("desk"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """A display with a window manager, and nothing else."""
    pytest.importorskip("Xlib", reason="python-xlib is not installed")
    from desktop.screen import Screen

    made = Screen(tmp_path_factory.mktemp("screen"))
    yield made
    made.stop()
