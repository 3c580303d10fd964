"""The web client's files, open to all: they hold no secret, and the page does nothing without a token.

They are read once, at the start; no path of a request is ever joined to a folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from assistant.api.access import needs

FOLDER = Path(__file__).parent.parent / "clients" / "web"
_INDEX = "/index.html"
_WORKER = "/sw.js"
_SHELL = b"/*shell*/"
"""In the service worker: here goes what it keeps for when the daemon cannot be reached."""
_MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
HEADERS = {
    # Nothing is loaded from anywhere else, and no text becomes code: no inline script or style, no
    # eval, and (trusted types) no HTML made of strings. `nestor` is the address of the service worker.
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types nestor",
        )
    ),
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
}


class File(msgspec.Struct, frozen=True):
    """A file as it is sent."""

    body: bytes
    media: str
    tag: str


def load(folder: Path = FOLDER) -> dict[str, File]:
    """Every file of the folder, by its path on the server; the page itself is at `/` too."""
    bodies = {
        "/" + file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.suffix in _MEDIA and file.is_file()
    }
    if _WORKER in bodies:
        bodies[_WORKER] = bodies[_WORKER].replace(_SHELL, _shell(bodies))
    files = {path: _file(path, body) for path, body in bodies.items()}
    return {"/": files[_INDEX]} | files if _INDEX in files else files


def _shell(bodies: dict[str, bytes]) -> bytes:
    """The paths that the page needs, and a version that changes with any of them."""
    digest = hashlib.sha256()
    for path, body in bodies.items():
        digest.update(path.encode() + b"\0" + hashlib.sha256(body).digest())
    paths = [path for path in bodies if path != _WORKER and not path.endswith(".txt")]
    return json.dumps({"version": digest.hexdigest()[:16], "paths": ["/", *paths]}).encode()


def _file(path: str, body: bytes) -> File:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(body, _MEDIA["." + path.rpartition(".")[2]], tag)


FILES = load()
OPEN = frozenset(("GET", path) for path in FILES)
"""Method and path of each; none needs a token."""

router = APIRouter(tags=["web"])


def _sender(file: File) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        headers = HEADERS | {"etag": file.tag}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.body, media_type=file.media, headers=headers)

    return send


for _path, _sent in FILES.items():
    router.add_api_route(
        _path, _sender(_sent), include_in_schema=False, openapi_extra=needs("public")
    )
