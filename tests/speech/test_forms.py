"""Forms in memory: whole, or refused."""

import time

import httpx
import pytest

from assistant.api.forms import MOST_PARTS, parse
from assistant.errors import InvalidInput, UnsupportedMedia

KIND = 'multipart/form-data; boundary="b"'


def body(*parts: tuple[str, bytes]) -> bytes:
    return (
        b"".join(b"--b\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts)
        + b"--b--\r\n"
    )


def part(name: str, data: bytes, more: str = "") -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="{name}"{more}', data


def test_as_a_client_sends_it():
    sent = httpx.Request(
        "POST", "http://x/", files={"file": ("a.wav", b"\0\xff\r\n--b" * 9)},
        data={"model": "m", "x[]": ["1", "é"]},
    )  # fmt: skip
    form = parse(sent.headers["content-type"], sent.read())
    assert form.files == {"file": b"\0\xff\r\n--b" * 9}
    assert form.fields == {"model": ["m"], "x[]": ["1", "é"]}


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/form-data", f"{KIND[:29]}{'b' * 71}"]
)
def test_no_form(kind):
    with pytest.raises(UnsupportedMedia):
        parse(kind, body(part("a", b"1")))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"--b", b"nothing of the kind", body(part("a", b"1"))[:-8],
        body(part("", b"1")), body(("X: y", b"1")), body(part("a", b"\xff")),
        body(part("a", b"1", '; filename="1"'), part("a", b"1", '; filename="2"')),
        body(*[part("a", b"1")] * (MOST_PARTS + 1)),
        body(part("a" * 5000, b"1")),
        body((f"X: {'y' * 5000}\r\n" + part("a", b"")[0], b"1")),
    ],
)  # fmt: skip
def test_what_is_no_whole_form(data):
    with pytest.raises(InvalidInput):
        parse(KIND, data)


def test_a_body_made_to_be_slow_to_read_is_read_off_the_loop():
    # What is worst for the parser: every byte could begin the boundary. It runs in a thread.
    data = body(part("file", b"\r\n--" * (1 << 19), '; filename="a"'))
    begun = time.process_time()
    assert len(parse(KIND, data).files["file"]) == 1 << 21
    assert time.process_time() - begun < 20
