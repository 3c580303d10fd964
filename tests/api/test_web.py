"""The page's files: open to all, and served so that nothing gets into the page."""

import re

import httpx
import pytest

from assistant.api.web import FILES, HEADERS


@pytest.mark.parametrize("path", sorted(FILES))
def test_every_file_is_open_and_strictly_served(daemon, path):
    response = httpx.get(daemon.url + path)
    assert response.status_code == 200
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    again = httpx.get(daemon.url + path, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/..%2f..%2fconfig/token", "/js", "/js/", "//sw.js", "/index.html/", "/vendor/nothing.js"]
)  # fmt: skip
def test_nothing_else_is(daemon, path):
    assert httpx.get(daemon.url + path).status_code in (401, 404)


def test_the_policy_lets_nothing_in():
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*|data:", policy)
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
