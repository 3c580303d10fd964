"""No route goes through a pool of threads."""

import inspect

from assistant.api.app import ROUTERS


def calls(dependant):
    yield dependant.call
    for one in dependant.dependencies:
        yield from calls(one)


def test_routes_and_what_they_depend_on_are_coroutines():
    """FastAPI runs plain functions in a pool: half of the time of a small request."""
    every = [route for router in ROUTERS for route in router.routes]
    found = [call for route in every for call in calls(route.dependant) if call]
    assert len(found) > len(every) > 20
    assert [call for call in found if not inspect.iscoroutinefunction(call)] == []
