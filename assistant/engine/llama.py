"""One llama.cpp model with one sequence, over the low-level API. The only file that imports llama_cpp.

Everything here blocks and belongs to one thread, `abort` apart.
"""

from __future__ import annotations

import ctypes
import functools
import re
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp as cpp
import msgspec

from assistant.engine import templates
from assistant.engine.text import TextStream
from assistant.errors import ContextOverflow, EngineError, EngineUnloadable, Stopped
from assistant.types import Finished, Generated, Piece, Prefilled, Sampling, Segment

BATCH_TOKENS = 512
_ABORTED = 2  # what llama_decode returns when the abort callback said so
_PENALTY_TOKENS = 64
_PROBE_TOKENS = 16


class LoadSpec(msgspec.Struct, frozen=True):
    """What to load, and how."""

    path: str
    context: int
    threads: int
    gpu_layers: int = -1
    """-1: all."""
    use_extra_bufts: bool = True
    """False keeps ggml from AMX and weight repacking; see `fallback`."""


class Facts(msgspec.Struct, frozen=True):
    """What came of loading."""

    context: int
    layers: int
    gpu_layers: int
    device: str
    marked: tuple[str, ...]
    """Families whose marker is one token of this vocabulary."""
    problem: str = ""


class _Log:
    """Passes native log lines on to stderr and remembers where layers went."""

    _OFFLOADED = re.compile(r"offloaded (\d+)/\d+ layers to GPU")
    _DEVICE = re.compile(r"using device (\S+) \(([^)]+)\)")

    def __init__(self) -> None:
        self.reset()
        self.callback = cpp.llama_log_callback(self._take)
        cpp.llama_log_set(self.callback, ctypes.c_void_p(0))

    def reset(self) -> None:
        """Before another model is loaded."""
        self.gpu_layers = 0
        self.device = "cpu"

    def _take(self, _level: int, text: bytes, _data: Any) -> None:
        line = text.decode("utf-8", "replace")
        if found := self._OFFLOADED.search(line):
            self.gpu_layers = int(found[1])
        if found := self._DEVICE.search(line):
            self.device = f"{found[1]} {found[2]}"
        sys.stderr.write(line)


@functools.cache
def _log() -> _Log:
    """The one that llama.cpp keeps a pointer to: it must outlive every model."""
    return _Log()


def supports_gpu() -> bool:
    """Whether this build of llama.cpp can use a GPU at all."""
    return bool(cpp.llama_supports_gpu_offload())


class Llama:
    """A loaded model. Raises EngineUnloadable if llama.cpp will not load it."""

    def __init__(self, spec: LoadSpec) -> None:
        cpp.llama_backend_init()
        self._log = _log()
        self._model: Any = None
        self._context: Any = None
        self._tokens: list[int] = []
        """What the KV cache holds, in order."""
        # llama.cpp asks between graph nodes whether to go on, on a compute thread. A Python callback
        # would need the GIL each time; C's strlen on this buffer answers the same question for free:
        # "" is 0 (go on), "x" is 1 (stop).
        self._abort_flag = ctypes.create_string_buffer(2)
        self._piece_buffer = ctypes.create_string_buffer(512)
        self._batch = cpp.llama_batch_init(BATCH_TOKENS, 0, 1)
        try:
            self._load(spec)
        except BaseException:
            self.close()
            raise

    def _load(self, spec: LoadSpec) -> None:
        self._log.reset()
        params = cpp.llama_model_default_params()
        params.n_gpu_layers = spec.gpu_layers if spec.gpu_layers >= 0 else 999
        params.use_extra_bufts = spec.use_extra_bufts
        self._model = cpp.llama_model_load_from_file(str(Path(spec.path)).encode(), params)
        if not self._model:
            raise EngineUnloadable("llama.cpp refused the model file or ran out of memory.")
        self._vocab = cpp.llama_model_get_vocab(self._model)
        settings = cpp.llama_context_default_params()
        settings.n_ctx = min(spec.context, cpp.llama_model_n_ctx_train(self._model))
        settings.n_batch = settings.n_ubatch = BATCH_TOKENS
        settings.n_seq_max = 1
        # A sliding-window cache that drops old cells could not be cut back to a common prefix.
        settings.swa_full = True
        settings.n_threads = settings.n_threads_batch = spec.threads
        settings.no_perf = True
        strlen = ctypes.CDLL(None if sys.platform != "win32" else "msvcrt").strlen
        settings.abort_callback = ctypes.cast(strlen, cpp.ggml_abort_callback)
        settings.abort_callback_data = ctypes.addressof(self._abort_flag)
        self._context = cpp.llama_init_from_model(self._model, settings)
        if not self._context:
            raise EngineUnloadable("There is not enough memory for the model's context.")
        self._memory = cpp.llama_get_memory(self._context)
        self.n_ctx = int(cpp.llama_n_ctx(self._context))

    def facts(self) -> Facts:
        """Where the model runs, and which templates its vocabulary speaks."""
        marked = [
            f for f, m in templates.MARKERS.items() if len(self._encode(m, special=True)) == 1
        ]
        gpu = self._log.gpu_layers
        missing = not gpu and supports_gpu()
        return Facts(
            context=self.n_ctx,
            layers=int(cpp.llama_model_n_layer(self._model)),
            gpu_layers=gpu,
            device=self._log.device if gpu else "cpu",
            marked=tuple(marked),
            problem="This build has GPU support, but no layer went to a GPU." if missing else "",
        )

    def probe(self) -> None:
        """Run the kernels once, as a prompt and as a token. A CPU they cannot run on kills us here.

        Raises EngineUnloadable if they will not run, for lack of memory above all.
        """
        filler = self._encode("Hello. " * _PROBE_TOKENS, special=False)[:_PROBE_TOKENS]
        try:
            self._decode(filler, 0)
            self._decode(filler[:1], len(filler))
        except EngineError as exc:
            self.close()
            raise EngineUnloadable(exc.message) from exc
        cpp.llama_memory_clear(self._memory, True)
        self._tokens = []

    def abort(self, on: bool) -> None:
        """Stop a running decode as soon as possible, or allow the next. From any thread."""
        self._abort_flag.raw = b"x\0" if on else b"\0\0"

    def generate(self, segments: Sequence[Segment], sampling: Sampling) -> Iterator[Generated]:
        """Read the prompt, then answer: one Prefilled, Pieces, one Finished.

        Raises ContextOverflow if the prompt leaves no room for an answer, Stopped after `abort`.
        """
        begun = time.perf_counter()
        prompt, counts = self._tokenize(segments)
        if len(prompt) >= self.n_ctx:
            raise ContextOverflow(
                f"The prompt has {len(prompt)} tokens; the model reads {self.n_ctx - 1}."
            )
        cached = self._reuse(prompt)
        self._prefill(prompt, cached)
        read = time.perf_counter()
        yield Prefilled(tokens=len(prompt), cached=cached, counts=counts)
        text, room, produced, reason = TextStream(sampling.stop), self._room(sampling), 0, "stop"
        sampler = self._sampler(sampling)
        try:
            while True:
                token = cpp.llama_sampler_sample(sampler, self._context, -1)
                if cpp.llama_vocab_is_eog(self._vocab, token):
                    break
                produced += 1
                if piece := text.push(self._piece(token)):
                    yield Piece(piece)
                if text.stopped:
                    break
                if produced >= room:
                    reason = "length"
                    break
                self._step(token)
        finally:
            cpp.llama_sampler_free(sampler)
        if rest := text.close():
            yield Piece(rest)
        done = time.perf_counter()
        yield Finished(reason, produced, read - begun, done - read)  # type: ignore[arg-type]

    def close(self) -> None:
        """Give the memory back. Harmless when done twice."""
        if self._context:
            cpp.llama_free(self._context)
            self._context = None
        if self._model:
            cpp.llama_model_free(self._model)
            self._model = None
        if self._batch is not None:
            cpp.llama_batch_free(self._batch)
            self._batch = None

    # --- the parts -----------------------------------------------------------------------

    def _tokenize(self, segments: Sequence[Segment]) -> tuple[list[int], dict[str, int]]:
        tokens: list[int] = []
        counts: dict[str, int] = {}
        if cpp.llama_vocab_get_add_bos(self._vocab):
            tokens.append(int(cpp.llama_vocab_bos(self._vocab)))
            counts[""] = 1
        for segment in segments:
            piece = self._encode(segment.text, special=segment.special)
            tokens += piece
            counts[segment.ref] = counts.get(segment.ref, 0) + len(piece)
        return tokens, counts

    def _encode(self, text: str, *, special: bool) -> list[int]:
        data = text.encode("utf-8")
        room = len(data) + 8
        out = (cpp.llama_token * room)()
        count = cpp.llama_tokenize(self._vocab, data, len(data), out, room, False, special)
        if count < 0:
            raise EngineError("The text could not be split into tokens.")
        return list(out[:count])

    def _reuse(self, prompt: Sequence[int]) -> int:
        """Keep the longest common prefix in the KV cache; returns its length, less the last token,

        which is decoded again because its logits are needed.
        """
        same = 0
        for held, wanted in zip(self._tokens, prompt, strict=False):
            if held != wanted:
                break
            same += 1
        same = min(same, len(prompt) - 1)
        # Recurrent caches cannot be cut in the middle: start over then.
        if not cpp.llama_memory_seq_rm(self._memory, 0, same, -1):
            cpp.llama_memory_clear(self._memory, True)
            same = 0
        self._tokens = list(prompt[:same])
        return same

    def _prefill(self, prompt: Sequence[int], start: int) -> None:
        for at in range(start, len(prompt), BATCH_TOKENS):
            chunk = prompt[at : at + BATCH_TOKENS]
            self._decode(chunk, at)
            self._tokens += chunk

    def _step(self, token: int) -> None:
        self._decode([token], len(self._tokens))
        self._tokens.append(token)

    def _decode(self, tokens: Sequence[int], position: int) -> None:
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = position + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i == len(tokens) - 1
        code = cpp.llama_decode(self._context, batch)
        if code == 0:
            return
        # An aborted decode leaves the micro-batches that were done in the cache.
        cpp.llama_memory_seq_rm(self._memory, 0, position, -1)
        if code == _ABORTED:
            raise Stopped
        raise EngineError(f"llama.cpp could not go on (llama_decode gave {code}).")

    def _room(self, sampling: Sampling) -> int:
        left = self.n_ctx - len(self._tokens)
        return min(left, sampling.max_tokens) if sampling.max_tokens is not None else left

    def _piece(self, token: int) -> bytes:
        size = cpp.llama_token_to_piece(
            self._vocab, token, self._piece_buffer, len(self._piece_buffer), 0, False
        )
        return self._piece_buffer.raw[: max(size, 0)]

    def _sampler(self, sampling: Sampling) -> Any:
        chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
        steps: list[Any] = []
        if sampling.repeat_penalty != 1.0:
            words = cpp.llama_vocab_n_tokens(self._vocab)
            steps.append(
                cpp.llama_sampler_init_penalties(
                    words, _PENALTY_TOKENS, sampling.repeat_penalty, 0.0, 0.0
                )
            )
        if sampling.temperature <= 0:
            steps.append(cpp.llama_sampler_init_greedy())
        else:
            seed = secrets.randbits(32) if sampling.seed is None else sampling.seed & 0xFFFFFFFF
            steps += [
                cpp.llama_sampler_init_top_k(sampling.top_k),
                cpp.llama_sampler_init_top_p(sampling.top_p, 1),
                cpp.llama_sampler_init_min_p(sampling.min_p, 1),
                cpp.llama_sampler_init_temp(sampling.temperature),
                cpp.llama_sampler_init_dist(seed),
            ]
        for step in steps:
            cpp.llama_sampler_chain_add(chain, step)
        return chain
