"""Every route of the daemon, found by walking the app: a new one joins all matrices by itself."""

from assistant.api.access import KEY
from assistant.api.app import routes
from assistant.api.services import Services


def walk(app):
    """Every route there is, mounted or included, with its path."""
    for route in app.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if hasattr(inner, "routes"):
            yield from walk(inner)
        else:
            yield route


APP = routes(Services())
OPERATIONS = {
    (method.upper(), path): operation
    for path, methods in APP.openapi()["paths"].items()
    for method, operation in methods.items()
}
TABLE = [(method, path) for method, path in OPERATIONS]
NEEDS = {row: operation[KEY] for row, operation in OPERATIONS.items() if KEY in operation}
FORM = ("POST", "/v1/audio/transcriptions")
"""Takes a form, and no JSON."""
SOCKETS = sorted(route.path for route in walk(APP) if not hasattr(route, "methods"))
"""Paths of WebSockets, which no schema lists."""
