"""A hub on this machine: an address that redirects, and a content network that serves."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """What it serves and how badly is set by its attributes."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.said: str | None = hashlib.sha256(content).hexdigest()
        """The sha256 the hub names; None: it names none."""
        self.status = 200
        """Of the hub's own answer."""
        self.target = ""
        """Where it redirects; empty: to the content network."""
        self.ranges = True
        self.cuts: list[int] = []
        """The next answers break after so many bytes."""
        self.after_cut = lambda: None
        """Called when one is about to break."""
        self.asked: list[tuple[str, dict[str, str]]] = []
        """(`hub` or `cdn`, headers) of every request."""
        self.sent = 0
        self._servers = [_serve(self, _HubHandler), _serve(self, _CdnHandler)]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def cdn(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'

    def ranges_asked(self) -> list[str]:
        return [h.get("range", "") for who, h in self.asked if who == "cdn"]

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _serve(hub: Hub, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"hub": hub}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    name = ""

    def note(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.hub.asked.append((self.name, headers | {"path": self.path}))

    def log_message(self, *_: object) -> None:
        pass


class _HubHandler(_Handler):
    name = "hub"

    def do_GET(self) -> None:
        self.note()
        if self.hub.status != 200:
            self.send_response(self.hub.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(302)
        if self.hub.said:
            self.send_header("X-Linked-ETag", f'"{self.hub.said}"')
        self.send_header("Location", self.hub.target or f"{self.hub.cdn}/blob?Signature=topsecret")
        self.send_header("Content-Length", "0")
        self.end_headers()


class _CdnHandler(_Handler):
    name = "cdn"

    def do_GET(self) -> None:
        self.note()
        hub, content, start = self.hub, self.hub.content, 0
        match = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and hub.ranges and self.headers.get("If-Range", hub.etag) == hub.etag:
            start = int(match[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", hub.etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = hub.cuts.pop(0) if hub.cuts else None
        body = content[start:] if cut is None else content[start : start + cut]
        # Before the bytes leave: who has read them all may look at once.
        hub.sent += len(body)
        if cut is not None:
            hub.after_cut()
            self.close_connection = True
        self.wfile.write(body)
