"""KV states of idle chats, kept on disk and encrypted: a state holds the chat it was computed from.

One process writes (the engine child); another may delete at the same time (the daemon), and deleting
wins. To forget: first tell the child, whose `forget` drops what it has not written yet and never
writes those ids again; then, or when the child is down, `forget` in the daemon deletes what is on
disk, drafts included. Ids must never be used twice.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assistant.engine import sealed
from assistant.engine.state_files import Saved, StateFiles

log = logging.getLogger(__name__)

PENDING_BYTES = 256 << 20
RESERVE_BYTES = 1 << 30

_TOKEN = np.dtype("<i4")


class _Job:
    """A state that is not on disk yet."""

    def __init__(self, saved: Saved, data: bytes | bytearray) -> None:
        self.saved, self.data = saved, data
        self.unwanted = False


def state_key(database_key: bytes) -> bytes:
    """The key of the KV states: 32 bytes that do not give the database's key away."""
    return sealed.derive(database_key, b"nestor kv states")


def identity(*parts: object) -> str:
    """What makes a state usable, as one short text: hash of the model, library version, KV types…"""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def shared_prefix(left: NDArray[np.int32], right: NDArray[np.int32]) -> int:
    """How many tokens two prompts begin with alike."""
    length = min(left.size, right.size)
    differ = left[:length] != right[:length]
    first = int(differ.argmax()) if length else 0
    return first if length and differ[first] else length


class States:
    """The states in one folder. Every method may be called from any thread; none raises OSError.

    `model` is the `identity` that a state must have to be used. Those of others stay, for the day the
    model is switched back, but count towards `limit_bytes`. `pending_bytes` bounds the memory of what
    is not written yet, `reserve_bytes` is what always stays free on the disk.
    """

    def __init__(
        self,
        folder: Path,
        key: bytes,
        model: str,
        limit_bytes: int,
        *,
        pending_bytes: int = PENDING_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._files = StateFiles(folder, key)
        self._model = model
        self._limit, self._pending, self._reserve = limit_bytes, pending_bytes, reserve_bytes
        self._index: dict[str, Saved] = {}
        """Every state that can be loaded, in the order they were put."""
        self._jobs: dict[str, _Job] = {}
        """What is not written yet, and what is being written."""
        self._writing: _Job | None = None
        self._forgotten: set[str] = set()
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._closed = False
        self._refresh()
        self._files.sweep()

    # --- saving --------------------------------------------------------------------------

    def put(
        self,
        tokens: Sequence[int] | NDArray[Any],
        data: bytes | bytearray | memoryview,
        *,
        chat: str = "",
        refs: Collection[str] = (),
    ) -> Saved | None:
        """Keep a state; it can be loaded at once and is written behind the scenes.

        Replaces the older state of this chat, or without a chat that of the same tokens. `data` is
        ours from now on: bytes and a bytearray are not copied, a memoryview is. None if it is not
        kept: too large, too much not written yet, or of something that was forgotten.
        """
        saved = Saved(
            chat=chat,
            tokens=np.asarray(tokens, _TOKEN).tobytes(),
            refs=tuple(refs),
            model=self._model,
            bytes=memoryview(data).nbytes,
            used_at=time.time(),
            name=secrets.token_hex(16),
        )
        with self._changed:
            if self._closed or saved.has(self._forgotten):
                return None
            older = [self._jobs[s.name] for s in self._replaced(saved) if s.name in self._jobs]
            if not self._has_room(saved, older):
                log.info("a KV state of %d MB is not kept: too much is waiting", saved.bytes >> 20)
                return None
            for job in older:
                self._cancel(job)
            own = bytes(data) if isinstance(data, memoryview) else data
            self._jobs[saved.name] = _Job(saved, own)
            self._index[saved.name] = saved
            self._start()
            self._changed.notify_all()
        return saved

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written; whether it was in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs, timeout_s)

    def close(self) -> None:
        """Stop writing, at once: `flush` first. Harmless when done twice."""
        with self._changed:
            self._closed = True
            for job in list(self._jobs.values()):
                self._cancel(job)
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    # --- finding -------------------------------------------------------------------------

    def best(
        self, tokens: Sequence[int] | NDArray[Any], chat: str = ""
    ) -> tuple[Saved, int] | None:
        """The state with the longest prefix in common, and its length in tokens.

        Of equals the one of `chat`, then the latest. None if no state shares even the first token.
        """
        wanted = np.asarray(tokens, _TOKEN)
        with self._changed:
            found = [saved for saved in self._index.values() if saved.model == self._model]
        lengths = [shared_prefix(wanted, np.frombuffer(s.tokens, _TOKEN)) for s in found]
        length, saved = max(
            zip(lengths, found, strict=True),
            key=lambda pair: (pair[0], pair[1].chat == chat, pair[1].used_at),
            default=(0, None),
        )
        return (saved, length) if saved and length else None

    def load(self, saved: Saved) -> bytearray | None:
        """The state, as it was put. None if it is gone, or damaged and therefore deleted."""
        with self._changed:
            if saved.name not in self._index or saved.model != self._model:
                return None
            self._index[saved.name] = used = msgspec.structs.replace(saved, used_at=time.time())
            job = self._jobs.get(saved.name)
        data = bytearray(job.data) if job else self._files.read(saved)
        self._files.touch(used)
        with self._changed:
            if data is None:
                self._index.pop(saved.name, None)
            return data if saved.name in self._index else None

    def usage(self) -> tuple[int, int]:
        """How many states there are, of all models, and their bytes."""
        with self._changed:
            return len(self._index), sum(saved.bytes for saved in self._index.values())

    # --- forgetting ----------------------------------------------------------------------

    def forget(self, refs: Collection[str]) -> int:
        """Delete every state, of all models, with one of these ids in it; how many there were.

        None of them is on disk when this returns, and this object never writes these ids again.
        """
        wanted = frozenset(refs) - {""}
        with self._changed:
            self._forgotten |= wanted
            return self._delete(lambda saved: saved.has(wanted))

    def clear(self) -> int:
        """Delete every state; how many there were."""
        with self._changed:
            return self._delete(lambda _saved: True)

    def _delete(self, doomed: Callable[[Saved], bool]) -> int:
        pending = [job for job in self._jobs.values() if doomed(job.saved)]
        for job in pending:
            self._cancel(job)
        self._changed.wait_for(lambda: self._writing not in pending)
        self._refresh()
        written = [s for s in self._index.values() if s.name not in self._jobs and doomed(s)]
        for saved in written:
            self._drop(saved)
        self._files.remove_drafts(doomed)
        self._files.sync()
        return len(pending) + len(written)

    def _cancel(self, job: _Job) -> None:
        job.unwanted = True
        self._index.pop(job.saved.name, None)
        if job is not self._writing:
            self._jobs.pop(job.saved.name, None)

    def _drop(self, saved: Saved) -> None:
        self._index.pop(saved.name, None)
        self._files.remove(saved)

    def _refresh(self) -> None:
        """Make the index what the folder says."""
        there = self._files.names()
        for name in self._index.keys() - there - self._jobs.keys():
            del self._index[name]
        found = [self._files.look(name) for name in there - self._index.keys()]
        for saved in sorted(filter(None, found), key=lambda s: s.used_at):
            self._index[saved.name] = saved

    # --- the writer ----------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="kv-states")
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if not self._jobs:
                    return
                job = self._writing = next(iter(self._jobs.values()))
            written = self._write(job)
            with self._changed:
                if not (written and self._finish(job)):
                    self._index.pop(job.saved.name, None)
                    self._files.discard(job.saved)
                self._jobs.pop(job.saved.name)
                self._writing = None
                self._changed.notify_all()

    def _write(self, job: _Job) -> bool:
        try:
            room = self._make_room(job.saved, self._files.free_bytes() - self._reserve)
            return room and self._files.write(job.saved, job.data, lambda: not job.unwanted)
        except OSError as exc:
            log.warning("a KV state could not be written: %s", exc.strerror)
            return False

    def _finish(self, job: _Job) -> bool:
        if job.unwanted or not self._files.publish(job.saved):
            return False
        for older in self._replaced(job.saved):
            self._drop(older)
        return True

    def _has_room(self, saved: Saved, leaving: Sequence[_Job]) -> bool:
        waiting = [job.saved.bytes for job in self._jobs.values() if job not in leaving]
        fits = not waiting or sum(waiting) + saved.bytes <= self._pending
        return fits and saved.bytes <= self._limit

    def _make_room(self, saved: Saved, free: int) -> bool:
        """Delete the states used longest ago until this one fits, into the limit and on the disk."""
        with self._changed:
            leaving = {*self._jobs, *(older.name for older in self._replaced(saved))}
            kept = sorted(
                (s for s in self._index.values() if s.name not in leaving),
                key=lambda s: -s.used_at,
            )
            held = sum(s.bytes for s in kept)
            room = min(self._limit - held, free)
            if room + held < saved.bytes:
                log.warning("a KV state is not kept: the disk is nearly full")
                return False
            while room < saved.bytes:
                room += kept[-1].bytes
                self._drop(kept.pop())
            return True

    def _replaced(self, saved: Saved) -> list[Saved]:
        """States put before this one, which it makes useless."""
        before = itertools.takewhile(lambda s: s.name != saved.name, self._index.values())
        return [
            s
            for s in before
            if (s.model, s.chat) == (saved.model, saved.chat)
            and (s.chat or s.tokens == saved.tokens)
        ]
