"""Fetch a file from the Hugging Face hub, or from a mirror named by HF_ENDPOINT.

Spoken here directly and not through huggingface_hub, whose 2.4.0 was read for this: its download
goes on after a cut without If-Range, so a file replaced meanwhile is joined from two halves; it
cannot be stopped but by an exception out of a progress bar; and its timeouts and endpoint are
module constants read at import. What is needed of the protocol is short:

    GET {endpoint}/{repo}/resolve/{revision}/{file}
      → 302, X-Linked-ETag: "<sha256>", X-Linked-Size, Location: a content network
      → 200 or 206 with ETag; Range and If-Range continue

Xet, the hub's chunk protocol, is never used: every Xet file also has such an address.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import httpx
import msgspec

from assistant.engine.definitions import HubSource
from assistant.engine.shelf import PartState
from assistant.engine.sources import Fetching, Job, SourceFailed, key

TIMEOUT = httpx.Timeout(20.0, connect=5.0)
"""Seconds. Connecting fails fast, so that the next source follows quickly."""
TRIES = 4
"""Requests in a row that may end without one new byte."""
PAUSE_S = 0.25
"""Before the second request in a row; doubled each time."""
REDIRECTS = 5
YIELD_S = 0.1
SAVE_BYTES = 64 << 20
"""The partial file is on disk for sure at least this often."""

_SHA256 = re.compile(r'^"?([0-9a-f]{64})"?$')
_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+)$")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_OFF = {"", "0", "false", "no", "off"}

REASONS = {
    401: "the hub wants an account (set HF_TOKEN)",
    403: "the hub refuses access (accept the model's licence there, set HF_TOKEN)",
    404: "the hub does not have the file",
    429: "the hub wants us to slow down",
}


class _Again(Exception):
    """A request that may go better next time; the argument is the reason if it does not."""


def fetch(source: HubSource, job: Job) -> Fetching:
    """Download with resume. Raises SourceFailed, DiskFull, Stopped."""
    if job.environ.get("HF_HUB_OFFLINE", "").lower() not in _OFF:
        raise SourceFailed("HF_HUB_OFFLINE is set")
    with httpx.Client(timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as client:
        download = _Download(source, job, client)
        tries = 0
        while not download.complete:
            before = download.state.bytes
            try:
                yield from download.attempt()
            except _Again as exc:
                tries = 1 if download.state.bytes > before else tries + 1
                if tries >= TRIES:
                    raise SourceFailed(str(exc)) from exc
                job.go_on()
                time.sleep(PAUSE_S * 2 ** (tries - 1))


class _Download:
    def __init__(self, source: HubSource, job: Job, client: httpx.Client) -> None:
        self.job, self.client = job, client
        endpoint = job.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
        self.url = httpx.URL(f"{endpoint}/{source.repo}/resolve/{source.revision}/{source.file}")
        if self.url.scheme not in ("http", "https") or not self.url.host:
            raise SourceFailed("HF_ENDPOINT is not an address")
        self.state: PartState = job.begun(key(source))
        self.key = key(source)
        self.complete = 0 < self.state.total == self.state.bytes

    def attempt(self) -> Fetching:
        """One request, from where the last one ended."""
        with self._answer() as response:
            total = self._place(response)
            self._check_size(total)
            self.job.shelf.check_space(total - self.state.bytes)
            self.state = msgspec.structs.replace(self.state, total=total)
            yield "downloading", self.state.bytes, total
            with self._part() as part:
                yield from self._body(response, part, total)
        self.complete = True

    # --- asking ------------------------------------------------------------------------------

    @contextmanager
    def _answer(self) -> Iterator[httpx.Response]:
        """Follow redirects by hand, so that the token stays with the host it is for."""
        url = self.url
        try:
            for _ in range(REDIRECTS + 1):
                with self.client.stream("GET", url, headers=self._headers(url)) as response:
                    self._note_hash(response)
                    if not response.has_redirect_location:
                        self._check_status(response)
                        yield response
                        return
                    self._need_hash()
                    target = url.join(response.headers["location"])
                if target.scheme not in ("http", "https") or (
                    url.scheme == "https" and target.scheme == "http"
                ):
                    raise SourceFailed("the hub redirects to an unsafe address")
                url = target
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as exc:
            raise SourceFailed("no connection to the hub") from exc
        except httpx.TransportError as exc:
            raise _Again("the connection broke") from exc
        except httpx.InvalidURL as exc:
            raise SourceFailed("the hub redirects to an unsafe address") from exc
        raise SourceFailed("the hub redirects without end")

    def _headers(self, url: httpx.URL) -> dict[str, str]:
        headers = {}
        if self.state.bytes and self.state.etag:
            headers = {"Range": f"bytes={self.state.bytes}-", "If-Range": self.state.etag}
        token = self.job.environ.get("HF_TOKEN", "")
        if token and self._is_hub(url) and (url.scheme == "https" or url.host in _LOOPBACK):
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _is_hub(self, url: httpx.URL) -> bool:
        mine = self.url
        return (url.scheme, url.host, url.port) == (mine.scheme, mine.host, mine.port)

    def _check_status(self, response: httpx.Response) -> None:
        code = response.status_code
        if code in (200, 206):
            return
        if code == 416:  # our half is longer than the file is now
            self._restart("")
            raise _Again("the file on the hub changed")
        if code >= 500 or code in (408, 429):
            raise _Again(REASONS.get(code, f"the hub answers {code}"))
        raise SourceFailed(REASONS.get(code, f"the hub answers {code}"))

    def _note_hash(self, response: httpx.Response) -> None:
        """Remember what the hub says the file's sha256 is; only the first answer has it."""
        if not self._is_hub(response.request.url):
            return
        said = response.headers.get("x-linked-etag", "")
        if not said and not self.job.entry.sha256:
            said = response.headers.get("etag", "")
        match = _SHA256.match(said)
        if not match or match[1] == self.state.sha256:
            return
        if self.job.entry.sha256 and match[1] != self.job.entry.sha256:
            raise SourceFailed("the hub has other bytes under this name")
        if self.state.sha256:
            self._restart("")
        self.state = msgspec.structs.replace(self.state, sha256=match[1])

    def _need_hash(self) -> None:
        if not self.job.entry.sha256 and not self.state.sha256:
            raise SourceFailed("the hub names no sha256, and the catalogue has none")

    # --- reading -----------------------------------------------------------------------------

    def _place(self, response: httpx.Response) -> int:
        """Decide where the answer's bytes belong; returns the size of the whole file."""
        self._need_hash()
        if response.status_code == 206:
            match = _RANGE.match(response.headers.get("content-range", ""))
            if match and int(match[1]) == self.state.bytes:
                return int(match[2])
            self._restart("")
            raise _Again("the hub sent another part than asked for")
        etag = response.headers.get("etag", "")
        self._restart("" if etag.startswith("W/") else etag)
        length = response.headers.get("content-length", "")
        if not length.isdigit():
            raise SourceFailed("the hub does not say how large the file is")
        return int(length)

    def _check_size(self, total: int) -> None:
        entry = self.job.entry
        if entry.sha256 and total != entry.bytes:
            raise SourceFailed(f"the file has {total} bytes, the catalogue says {entry.bytes}")
        # Without a hash the size is an estimate; it still keeps a disk from being filled.
        if total > 2 * entry.bytes:
            raise SourceFailed("the file is more than twice as large as the catalogue says")

    def _body(self, response: httpx.Response, part: BinaryIO, total: int) -> Fetching:
        shown, saved = time.monotonic(), self.state.bytes
        done = self.state.bytes
        try:
            for chunk in response.iter_raw():
                self.job.go_on()
                if done + len(chunk) > total:
                    raise SourceFailed("the hub sent more bytes than it said")
                part.write(chunk)
                done += len(chunk)
                if done - saved >= SAVE_BYTES:
                    self._save(part, done)
                    saved = done
                if time.monotonic() - shown >= YIELD_S:
                    shown = time.monotonic()
                    yield "downloading", done, total
        finally:
            self._save(part, done)
        if done < total:
            raise _Again("the connection broke")
        yield "downloading", done, total

    @contextmanager
    def _part(self) -> Iterator[BinaryIO]:
        with self.job.shelf.part.open("r+b" if self.state.bytes else "wb") as part:
            part.truncate(self.state.bytes)
            part.seek(self.state.bytes)
            yield part

    def _save(self, part: BinaryIO, done: int) -> None:
        part.flush()
        os.fsync(part.fileno())
        self.state = msgspec.structs.replace(self.state, bytes=done)
        self.job.shelf.save_part(self.state)

    def _restart(self, etag: str) -> None:
        self.state = PartState(source=self.key, etag=etag, sha256=self.state.sha256)
