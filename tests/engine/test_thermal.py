"""Heat, as a folder like Linux's /sys and a library like macOS's tell it."""

import ctypes

import pytest

from assistant.engine.thermal import Pressure, Sensors, thermometer


class Machine:
    """Its /sys."""

    def __init__(self, root):
        self.root = root
        self.sensors = None

    def zone(self, number, degrees, **trips):
        for at, (kind, trip) in enumerate(trips.items()):
            self.write(f"class/thermal/thermal_zone{number}/trip_point_{at}_type", kind)
            self.write(f"class/thermal/thermal_zone{number}/trip_point_{at}_temp", trip * 1000)
        self.write(f"class/thermal/thermal_zone{number}/temp", int(degrees * 1000))

    def throttled(self, cpu, times):
        self.write(f"devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count", times)

    def write(self, name, value):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")

    def hot(self):
        self.sensors = self.sensors or Sensors(self.root)
        return self.sensors.hot()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("kind", ["passive", "hot"])
def test_hot_at_the_trip_point_and_not_again_before_five_degrees_below(machine, kind):
    seen = []
    for degrees in (60, 94.9, 95, 92, 90.1, 89.9, 94):
        machine.zone(0, 50, passive=80)
        machine.zone(1, degrees, **{"critical": 110, kind: 95})
        seen.append(machine.hot())
    assert seen == [False, False, True, True, True, False, False]


def test_the_lowest_trip_point_that_means_something_counts(machine):
    machine.zone(0, 86, critical=70, active=50, passive=0, hot=100)
    assert not machine.hot()
    machine.zone(0, 86, hot=100, passive=85)
    assert machine.hot()


@pytest.mark.parametrize("temp", ["", "unknown", "-274000"])
def test_a_sensor_that_says_nothing_is_not_hot(machine, temp):
    machine.zone(0, 50, passive=80)
    machine.write("class/thermal/thermal_zone0/temp", temp)
    assert not machine.hot()


def test_a_cpu_that_was_slowed_down_since_the_last_look(machine):
    machine.throttled(0, 7)
    machine.throttled(1, 0)
    assert not machine.hot(), "what was before us is no heat"
    machine.throttled(1, 1)
    assert machine.hot()
    assert not machine.hot()


def test_a_machine_without_sensors(machine):
    assert not machine.hot()


class System:
    """macOS's libSystem, as far as heat goes."""

    def __init__(self, level, *, known=True, readable=True):
        self.level = level
        self.failed = [0 if known else 1, 0 if readable else 1]

    def notify_register_check(self, name, token):
        assert name == b"com.apple.system.thermalpressurelevel"
        token._obj.value = 7
        return self.failed[0]

    def notify_get_state(self, token, state):
        assert token.value == 7
        assert isinstance(state._obj, ctypes.c_uint64)
        state._obj.value = self.level
        return self.failed[1]


@pytest.mark.parametrize(("level", "hot"), [(0, False), (1, False), (2, True), (4, True)])
def test_the_pressure_of_macos(level, hot):
    assert Pressure(System(level)).hot() is hot
    assert not Pressure(System(level, known=False)).hot()
    assert not Pressure(System(level, readable=False)).hot()


def test_this_machine_can_be_asked():
    assert thermometer()() in (False, True)
