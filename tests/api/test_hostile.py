"""Whatever is sent, the answer is a 4xx with a code and a hint: every route, every kind of nonsense."""

import contextlib
import http.client
import json
import re

import pytest
from running import RunningDaemon

from assistant.api import parcels
from assistant.api.app import routes
from assistant.api.guard import OPEN
from assistant.api.services import Services
from assistant.api.web import OPEN as WEB
from assistant.config import LIMITS
from assistant.errors import tree

TABLE = [
    (method.upper(), path)
    for path, methods in routes(Services()).openapi()["paths"].items()
    for method in sorted(methods)
]
FORM = ("POST", "/v1/audio/transcriptions")
"""Takes a form, and no JSON: see tests/speech."""
BODIES = [
    (method, path)
    for method, path in TABLE
    if method in ("POST", "PATCH", "PUT") and (method, path) != FORM
]
IDS = {
    "device_id": "d_none",
    "memory_id": "m_none",
    "conversation_id": "c_none",
    "turn_id": "t_none",
    "model_id": "no-such",
    "source_id": "s_none",
    "suggestion_id": "g_none",
    "parcel_id": "p_none",
    "waking_id": "w_none",
}


def fill(path):
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: IDS[found[1]], path)


def send(daemon, method, path, body=None, headers=None, token=True):
    """Raw, so that nothing is corrected on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    headers = {"Host": f"127.0.0.1:{daemon.port}"} | (headers or {})
    if token:
        headers.setdefault("Authorization", f"Bearer {daemon.token}")
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    connection.putrequest(method, fill(path), skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


def refused(response, data, *codes):
    assert 400 <= response.status < 500, (response.status, data)
    error = json.loads(data)["error"]
    assert error["code"] in tree()
    assert error["message"]
    assert error["hint"]
    if codes:
        assert error["code"] in codes, error
    return error


def test_the_table_is_not_empty():
    assert len(TABLE) > 25
    assert len(BODIES) > 10


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_no_token(daemon, method, path):
    response, data = send(
        daemon, method, path, b"{}" if (method, path) in BODIES else None, token=False
    )
    if (method, path) in OPEN:
        assert response.status != 401
        return
    refused(response, data, "unauthorized")
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_two_routes_are_open():
    assert {("GET", "/health"), ("POST", "/api/v1/pair/claim")} == OPEN
    # The page's files are the only others.
    assert [path for _, path in WEB if path.startswith(("/api", "/v1", "/health"))] == []
    assert {method for method, _ in WEB} == {"GET"}


WRONG_TOKENS = [
    "", "Bearer", "Bearer ", "Bearer wrong", "bearer {t}x", "Basic {t}", "{t}", "Bearer {t} {t}",
    "Bearer\t", "Bearer " + "x" * 5000, "Bearer é",
]  # fmt: skip


def test_wrong_tokens_get_one_answer(tmp_path):
    # A daemon of its own: these are as many guesses as one may make.
    daemon = RunningDaemon(tmp_path / "home").up()
    for value in WRONG_TOKENS:
        header = {"Authorization": value.format(t=daemon.token)}
        response, data = send(daemon, "GET", "/api/v1/status", headers=header)
        assert response.status == 401, value
        assert refused(response, data)["message"] == "A valid token is needed."
    assert daemon.stop() == 0


def test_two_authorization_headers_are_none(daemon):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port)
    connection.putrequest("GET", "/api/v1/status")
    for _ in range(2):
        connection.putheader("Authorization", f"Bearer {daemon.token}")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize("host", [
    "evil.example", "127.0.0.1", "localhost", "127.0.0.1:80", "0.0.0.0:{p}", "127.0.0.1:{p}.evil.example",
    "localhost:{p}/health?", "localhost:{p}@evil", "evil@127.0.0.1:{p}", "[::1]", "[::]:{p}", "127.1:{p}",
    "2130706433:{p}", "localhost.:{p}", "127.0.0.1:{p} ", "",
])  # fmt: skip
@pytest.mark.parametrize("path", ["/health", "/api/v1/status"])
def test_foreign_host(daemon, host, path):
    host = host.format(p=daemon.port)
    response, data = send(daemon, "GET", path, headers={"Host": host})
    if host.strip() == f"127.0.0.1:{daemon.port}":
        assert response.status == 200  # RFC 9110, 5.5: outer white space is no part of the value
    else:
        refused(response, data, "foreign_host")


@pytest.mark.parametrize("host", ["127.0.0.1:{p}", "localhost:{p}", "[::1]:{p}", "LOCALHOST:{p}"])
def test_our_hosts(daemon, host):
    response, _ = send(daemon, "GET", "/health", headers={"Host": host.format(p=daemon.port)})
    assert response.status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"]
)
@pytest.mark.parametrize(("method", "path"), TABLE)
def test_foreign_origin(daemon, method, path, origin):
    body = b"{}" if (method, path) in BODIES else None
    refused(*send(daemon, method, path, body, headers={"Origin": origin}), "foreign_origin")


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_our_headers_are_on_every_answer(daemon, method, path):
    response, _ = send(daemon, method, path, token=False)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "server" not in response.headers


BROKEN_JSON = {
    "nothing": b"{",
    "words": b"hello",
    "NaN": b'{"text": "x", "importance": NaN}',
    "Infinity": b'{"text": "x", "temperature": Infinity}',
    "huge number": b'{"text": "x", "importance": 1e400}',
    "5000 digits": b'{"text": "x", "importance": ' + b"1" * 5000 + b"}",
    "lone surrogate": b'{"text": "\\ud800", "query": "\\ud800", "input": "\\ud800"}',
    "surrogate bytes": b'{"text": "\xed\xa0\x80"}',
    "not UTF-8": b'{"text": "\xff\xfe"}',
    "BOM": b'\xef\xbb\xbf{"text": "x"}',
    "trailing": b'{"text": "x"} {}',
    "deep": b'{"text": ' + b"[" * 200 + b"]" * 200 + b"}",
    "deeper": b"[" * 100_000 + b"]" * 100_000,
    "NUL": b"\0",
}


@pytest.mark.parametrize("name", BROKEN_JSON)
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_broken_json(daemon, method, path, name):
    response, data = send(daemon, method, path, BROKEN_JSON[name])
    refused(response, data, "invalid_json")


WRONG = {
    "list": [1, 2],
    "string": "text",
    "null": None,
    "number": 5,
    "numbers for text": {"text": 5, "query": 5, "model": 5, "title": 5, "messages": 5, "input": 5, "ids": 5},
    "nulls": {"text": None, "query": None, "model": None, "title": None, "messages": None, "ids": None},
    "objects": {"text": {}, "query": {}, "model": {}, "title": {}, "messages": {}, "input": {}, "ids": {}},
    "empty texts": {"text": "", "query": "", "model": "", "title": " ", "messages": [], "input": "",
                    "ids": []},
    "blank texts": {"text": " \n\t ", "query": "  ", "model": " ", "title": "\n", "input": " ",
                    "messages": [{"role": "user", "content": "  "}], "ids": []},
    "NUL texts": {"text": "a\0b", "query": "a\0b", "model": "a\0b", "title": "a\0b", "input": "a\0b",
                  "messages": [{"role": "user", "content": "a\0b"}], "ids": ["a\0b"]},
    "a megabyte": dict.fromkeys(("text", "query", "model", "title", "input"), "x" * 1_000_000)
    | {"messages": [{"role": "user", "content": 5}], "ids": ["x" * 1_000_000]},
}  # fmt: skip
TAKES_ANYTHING = {
    ("POST", "/api/v1/models/{model_id}/pull"),
    ("POST", "/api/v1/models/{model_id}/verify"),
}
NEW_CONVERSATION = ("POST", "/api/v1/conversations")
EXPORT = ("POST", "/api/v1/export")
NO_BODY_NEEDED = {NEW_CONVERSATION, ("POST", "/api/v1/backup"), EXPORT}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_wrong_values(daemon, method, path, name):
    body = json.dumps(WRONG[name]).encode()
    response, data = send(daemon, method, path, body)
    if (method, path) == NEW_CONVERSATION and name in ("null", "empty texts", "blank texts"):
        assert response.status == 201  # a conversation needs no title
        return
    if (method, path) in NO_BODY_NEEDED and name == "null":
        assert response.status == (200 if (method, path) == EXPORT else 201)
        return
    error = refused(response, data)
    assert "x" * 100 not in json.dumps(error), "the answer repeats what was sent"


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_body_over_the_limit(daemon, method, path):
    large = {"/api/v1/memories/import": LIMITS.import_bytes, parcels.PATH: parcels.BODY_BYTES}
    size = large.get(path, LIMITS.body_bytes) + 1
    # Only the declared length: the answer comes before the bytes are needed.
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.putrequest(method, fill(path))
    connection.putheader("Authorization", f"Bearer {daemon.token}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    response = connection.getresponse()
    refused(response, response.read(), "body_too_large")
    connection.close()


def test_json_where_a_form_belongs_is_refused_before_it_is_read(daemon):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.putrequest(*FORM)
    connection.putheader("Authorization", f"Bearer {daemon.token}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(LIMITS.audio_bytes))
    connection.endheaders()
    response = connection.getresponse()
    refused(response, response.read(), "unsupported_media_type")
    connection.close()


def test_chunked_body_over_the_limit(daemon):
    chunks = (b'{"text": "' if i == 0 else b"x" * 65_536 for i in range(40))
    response = daemon.api.post(
        "/api/v1/memories", content=chunks, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_other_content_types(daemon, method, path, kind):
    response, data = send(daemon, method, path, b'{"text": "x"}', headers={"Content-Type": kind})
    refused(response, data, "unsupported_media_type")


def test_no_body_where_one_is_needed(daemon):
    for method, path in BODIES:
        if (method, path) in TAKES_ANYTHING | NO_BODY_NEEDED:
            continue
        takes_none = path.endswith(("/pause", "/resume", "/accept", "/reject")) and "{" in path
        code = (
            f"{path.split('/')[3].removesuffix('s')}_not_found" if takes_none else "invalid_input"
        )
        refused(*send(daemon, method, path), code)


@pytest.mark.parametrize(("method", "path"), [row for row in TABLE if "{" in row[1]])
def test_unknown_ids(daemon, method, path):
    bodies = {"text": "x", "title": "x", "wrong": True}
    body = json.dumps(bodies).encode() if (method, path) in BODIES else None
    error = refused(*send(daemon, method, path, body))
    assert error["code"].endswith("_not_found")


@pytest.mark.parametrize("id_", ["%00", "..%2f..%2fetc%2fpasswd", "%ff%fe", "' OR 1=1 --".replace(" ", "%20"),
                                 "x" * 3000, "%F0%9F%98%80", "a%0Ab"])  # fmt: skip
@pytest.mark.parametrize("base", ["memories", "conversations", "turns", "models"])
def test_strange_ids(daemon, base, id_):
    refused(*send(daemon, "DELETE", f"/api/v1/{base}/{id_}"))


@pytest.mark.parametrize(("query", "ok"), [
    ("limit=0", False), ("limit=-1", False), ("limit=abc", False), ("limit=1e9", False), ("limit=NaN", False),
    ("limit=9999999999999999999999", False), ("cursor=nonsense", False), ("cursor=" + "x" * 500, False),
    ("kind=spell", False), ("limit=1", True),
])  # fmt: skip
def test_list_parameters(daemon, query, ok):
    response, data = send(daemon, "GET", f"/api/v1/memories?{query}")
    if ok:
        assert response.status == 200
    else:
        refused(response, data)


@pytest.mark.parametrize("value", ["-1", "abc", "1.5", "½", "1" * 30, ""])
def test_last_event_id(daemon, value):
    turn = daemon.ask("hello")[0][2]["turn"]
    response, data = send(
        daemon, "GET", f"/api/v1/turns/{turn}/events", headers={"Last-Event-ID": value}
    )
    if value == "":
        assert response.status == 200
    else:
        refused(response, data, "invalid_input", "text_too_long")


@pytest.mark.parametrize(("method", "path", "code"), [
    ("GET", "/index", "route_not_found"), ("GET", "/docs", "route_not_found"),
    ("GET", "/api/v1", "route_not_found"),
    ("GET", "/api/v1/memories/", "route_not_found"), ("GET", "//health", "route_not_found"),
    ("PUT", "/api/v1/memories", "method_not_allowed"), ("OPTIONS", "/api/v1/memories", "method_not_allowed"),
    ("TRACE", "/api/v1/memories", "method_not_allowed"),
])  # fmt: skip
def test_other_addresses(daemon, method, path, code):
    refused(*send(daemon, method, path), code)


def test_large_headers(daemon):
    large = {"X-Large": "x" * LIMITS.header_bytes}
    refused(*send(daemon, "GET", "/health", headers=large), "headers_too_large")
    # The server may hang up on a megabyte before it was all sent; it may not accept it.
    with contextlib.suppress(ConnectionError):
        response, _ = send(daemon, "GET", "/health", headers={"X-Large": "x" * (1 << 20)})
        assert response.status in (400, 431)


def test_websockets_are_refused_before_accept(daemon):
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    response, _ = send(daemon, "GET", "/api/v1/status", headers=handshake)
    assert response.status != 101


def test_the_schema_needs_a_token_and_there_is_no_cdn_page(daemon):
    assert daemon.api.get("/openapi.json").json()["info"]["title"] == "Nestor"
    response, data = send(daemon, "GET", "/openapi.json", token=False)
    refused(response, data, "unauthorized")


def test_openai_errors_have_openais_fields(daemon):
    error = daemon.api.post("/v1/chat/completions", json={"messages": []}).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert {"message", "type", "param", "code"} <= set(error)


def test_a_refused_method_is_told_the_ones_that_are_taken(daemon):
    for path, taken in [
        ("/api/v1/memories", "GET, POST"), ("/api/v1/memories/m_none", "DELETE, GET, PATCH"),
        ("/api/v1/memories/search", "POST"), ("/", "GET"),
    ]:  # fmt: skip
        response, data = send(daemon, "OPTIONS", path)
        refused(response, data, "method_not_allowed")
        assert response.headers["Allow"] == taken


@pytest.mark.parametrize("looks_like_it", ["n", "false", 0, 1, "yes", 2])
def test_only_true_and_false_are_true_and_false(daemon, looks_like_it):
    """`"dry_run": "y"` would be a dry run, `"dry_run": "n"` would forget."""
    row = daemon.api.post("/api/v1/memories", json={"text": "Keep this"}).json()
    body = json.dumps({"ids": [row["id"]], "dry_run": looks_like_it}).encode()
    refused(*send(daemon, "POST", "/api/v1/forget", body), "invalid_input")
    assert daemon.api.get(f"/api/v1/memories/{row['id']}").status_code == 200


def test_nothing_of_this_brought_the_daemon_down(daemon):
    assert daemon.process.poll() is None
    assert "Traceback" not in daemon.output()
