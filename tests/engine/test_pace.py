"""How many threads compute, beside neighbours that come and go; and the real look at them."""

import subprocess
import sys
import time

import pytest

from assistant.engine.pace import BATTERY_S, CHECK_S, IDLE_CHECK_S, Load, Pace, usable_cpus


class Desk:
    """A machine that is as busy as we say."""

    def __init__(self, cores, threads, **rest):
        self.now = 0.0
        self.busy = self.busy_soon = 0.0
        self.pauses = 0
        self.plugged = True
        self.hot = False
        self.applied = []
        self.pace = Pace(
            threads,
            self.applied.append,
            cores=cores,
            load=lambda: self.busy,
            battery=lambda: not self.plugged,
            hot=lambda: self.hot,
            clock=lambda: self.now,
            pause=self.pause,
            **rest,
        )

    def pause(self, seconds):
        self.now += seconds
        self.pauses += 1
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
    assert (desk.pace.threads, desk.pauses) == (threads, 1)


def test_a_quiet_machine_is_not_looked_at_twice():
    desk = Desk(cores=2, threads=2)
    desk.now += IDLE_CHECK_S + 0.1
    desk.pace.watch()
    desk.pace.wake()
    assert desk.pauses == 0


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
    alone = load.look()
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in usable_cpus()]
    try:
        time.sleep(0.5)
        load.look()
        time.sleep(1.0)
        beside = load.look()
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert beside > 0.7 * len(usable_cpus())
    assert alone <= len(usable_cpus())
