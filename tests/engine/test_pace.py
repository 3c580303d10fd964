"""How many threads compute, beside neighbours that come and go; and the real look at them."""

import subprocess
import sys
import time

import pytest

from assistant.engine.neighbours import Busy, Load, running, usable_cpus
from assistant.engine.pace import (
    BATTERY_S,
    CHECK_S,
    GLANCE_S,
    IDLE_CHECK_S,
    KIN_S,
    PEEK_S,
    Pace,
)
from assistant.engine.service import Service


class Desk:
    """A machine that is as busy as we say."""

    def __init__(self, cores, threads, **rest):
        self.now = 0.0
        self.busy = self.busy_soon = self.kin = 0.0
        self.others_run = 0
        """Threads at this moment; None: this system does not tell."""
        self.paused_s = 0.0
        self.looked_for_kin = 0
        self.plugged = True
        self.hot = False
        self.applied = []
        self.pace = Pace(
            threads,
            self.applied.append,
            cores=cores,
            load=self,
            running=lambda: self.others_run,
            battery=lambda: not self.plugged,
            hot=lambda: self.hot,
            clock=lambda: self.now,
            pause=self.pause,
            **rest,
        )

    def look(self):
        return Busy(self.busy, min(self.busy, self.kin))

    def find_kin(self):
        self.looked_for_kin += 1

    def pause(self, seconds):
        self.now += seconds
        self.paused_s += seconds
        self.busy = self.busy_soon

    def after(self, busy, seconds=3.0):
        self.busy = busy
        end = self.now + seconds
        while self.now < end:
            self.now += CHECK_S + 0.001
            self.pace.check()
        return self.pace.threads


def test_a_busy_neighbour_gets_its_core_and_gives_it_back():
    desk = Desk(cores=2, threads=2)
    assert desk.after(0.05) == 2
    assert desk.after(1.0) == 1
    assert desk.after(2.0) == 1
    assert desk.after(0.05) == 2
    assert desk.applied == [1, 2]


@pytest.mark.parametrize(("busy", "threads"), [(0, 7), (1, 7), (2, 6), (3.2, 5), (7, 1), (30, 1)])
def test_many_cores(busy, threads):
    assert Desk(cores=8, threads=7).after(busy) == threads


def test_it_does_not_flutter():
    desk = Desk(cores=2, threads=2)
    desk.after(1.0)
    for _ in range(20):
        desk.after(0.3, 0.5)
        desk.after(0.25, 0.5)
    assert len(desk.applied) <= 1


def test_a_number_the_user_chose_stays():
    desk = Desk(cores=2, threads=2, fixed=True)
    assert desk.after(5.0) == 2
    assert desk.applied == []


def test_what_ran_before_the_question_does_not_count():
    desk = Desk(cores=2, threads=2)
    desk.busy = 2.0
    for _ in range(5):
        desk.now += IDLE_CHECK_S + 0.1
        desk.pace.watch()
    assert desk.applied == [], "only the thread that computes changes its own number"
    desk.busy = 0.0
    desk.now += IDLE_CHECK_S + 0.1
    desk.pace.watch()
    desk.now += 0.1
    desk.pace.check()
    assert desk.pace.threads == 2


def test_who_asks_beside_a_busy_program_begins_with_fewer_threads():
    desk = Desk(cores=2, threads=2)
    desk.busy, desk.now = 2.0, desk.now + IDLE_CHECK_S + 0.1
    desk.pace.watch()
    desk.now += 0.01
    desk.pace.check()
    assert desk.applied == [1]


@pytest.mark.parametrize(("still", "threads"), [(0.0, 2), (2.0, 1)])
def test_what_was_busy_until_the_question_is_looked_at_again(still, threads):
    desk = Desk(cores=2, threads=2)
    desk.busy, desk.busy_soon, desk.now = 2.0, still, desk.now + IDLE_CHECK_S + 0.1
    desk.pace.watch()
    desk.pace.wake()
    desk.pace.check()
    assert desk.pace.threads == threads
    assert desk.paused_s == pytest.approx(GLANCE_S, abs=PEEK_S), "a stranger may only take a breath"


def heard(desk, kin):
    """Somebody spoke, and what was said was transcribed just now."""
    desk.now += IDLE_CHECK_S + 0.1
    desk.pace.watch()
    desk.now += 0.5
    desk.busy, desk.kin = 1.6, kin
    desk.pace.wake()
    desk.pace.check()


def test_what_our_own_children_did_before_costs_the_question_nothing():
    desk = Desk(cores=2, threads=2)
    heard(desk, kin=1.5)
    assert (desk.pace.threads, desk.applied, desk.paused_s) == (2, [], 0.0)
    assert desk.pace.report()["neighbours"] == pytest.approx(0.1)


@pytest.mark.parametrize("others_run", [1, None])
def test_a_child_of_ours_that_still_computes_has_its_core(others_run):
    desk = Desk(cores=2, threads=2)
    desk.busy_soon, desk.others_run = 1.0, others_run
    heard(desk, kin=1.5)
    assert desk.applied == [1]
    desk.others_run = 0
    assert desk.after(0.0) == 2


def test_strangers_who_are_as_busy_as_our_children_keep_their_core():
    desk = Desk(cores=2, threads=2)
    desk.busy_soon = 1.0
    heard(desk, kin=0.6)
    assert desk.applied == [1]


def test_a_question_is_not_held_to_what_ran_long_before_it():
    """What the look of the first step would find is from before the question."""
    desk = Desk(cores=2, threads=2)
    desk.now += IDLE_CHECK_S + 0.1
    desk.pace.watch()
    desk.now += CHECK_S + 0.1
    desk.busy = 1.6
    desk.pace.wake()
    desk.pace.check()
    assert desk.applied == []


def test_a_quiet_machine_is_not_looked_at_twice():
    desk = Desk(cores=2, threads=2)
    desk.now += IDLE_CHECK_S + 0.1
    desk.pace.watch()
    desk.pace.wake()
    assert desk.paused_s == 0


def test_short_requests_beside_a_busy_program_do_not_wait_each_time():
    desk = Desk(cores=2, threads=2)
    desk.busy = desk.busy_soon = 2.0
    desk.now += IDLE_CHECK_S + 0.1
    for _ in range(8):
        desk.pace.wake()
        desk.pace.check()
        desk.now += 0.1
    assert desk.applied == [1]
    assert desk.paused_s == pytest.approx(GLANCE_S, abs=PEEK_S)


class Batches:
    """A scheduler whose requests take so many steps each."""

    def __init__(self):
        self.left = 0

    @property
    def busy(self):
        return self.left > 0

    def step(self):
        self.left -= 1
        return True


class Wakes:
    def __init__(self):
        self.seen = []

    def wake(self):
        self.seen.append("wake")

    def check(self):
        self.seen.append("check")


def test_each_request_after_a_rest_begins_with_a_look():
    """Also one that comes before the engine has looked for the next: as after what was warmed."""
    service, batches, wakes = Service(), Batches(), Wakes()
    service._scheduler, service._pace, service._admission = batches, wakes, object()
    for _ in range(2):
        batches.left = 2
        assert service._work()
        assert service._work()
    assert wakes.seen == ["wake", "check", "check"] * 2


def test_who_is_kin_is_looked_up_seldom():
    desk = Desk(cores=2, threads=2)
    for _ in range(100):
        desk.now += KIN_S / 50
        desk.pace.watch()
    assert desk.looked_for_kin in (2, 3)


def test_on_battery_fewer_threads_and_status_says_so():
    desk = Desk(cores=8, threads=7)
    assert desk.after(0.0) == 7
    desk.plugged = False
    assert desk.after(0.0, BATTERY_S + 2) == 4
    assert desk.pace.report()["power"] == "battery"
    desk.plugged = True
    assert desk.after(0.0, BATTERY_S + 2) == 7
    assert desk.pace.report()["power"] == "mains"


def test_hot_as_on_battery_and_not_twice():
    desk = Desk(cores=8, threads=7)
    assert desk.after(0.0, BATTERY_S + 2) == 7
    assert desk.pace.report()["thermal"] == "normal"
    desk.hot = True
    assert desk.after(0.0, BATTERY_S + 2) == 4
    assert desk.pace.report()["thermal"] == "hot"
    assert desk.pace.report()["power"] == "mains"
    desk.plugged = False
    assert desk.after(0.0, BATTERY_S + 2) == 4
    desk.hot, desk.plugged = False, True
    assert desk.after(0.0, BATTERY_S + 2) == 7


def test_the_look_sees_neighbours_and_not_ourselves():
    load = Load()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    alone = load.look().others
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in usable_cpus()]
    try:
        time.sleep(0.5)
        load.look()
        time.sleep(1.0)
        beside = load.look()
        now = running()
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert beside.others > 0.7 * len(usable_cpus())
    assert now is None or now >= 1
    assert alone <= len(usable_cpus())


LOOKS = """
import time
from assistant.engine.pace import Load
load = Load()
load.find_kin()
load.look()
time.sleep(0.5)
print(*load.look(), flush=True)
"""


def test_the_look_knows_the_other_children_of_the_daemon():
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        said = subprocess.run([sys.executable, "-c", LOOKS], capture_output=True, check=True)
    finally:
        hog.kill()
        hog.wait()
    others, kin = map(float, said.stdout.split())
    assert 0 < kin <= others
