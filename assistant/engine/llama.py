"""A model and its key-value cache, over llama.cpp's low-level API. The only file that imports llama_cpp.

Everything here blocks and belongs to one thread, `abort` apart. Which sequence holds what is the
business of `slots`; what is computed next, of `scheduler`.
"""

from __future__ import annotations

import ctypes
import functools
import secrets
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import llama_cpp as cpp
import numpy as np

from assistant.engine import dialects, templates, thoughts
from assistant.engine.batch import BATCH_TOKENS, OK, Row
from assistant.engine.load_spec import Facts, LoadSpec
from assistant.engine.offload import OffloadLog
from assistant.errors import EngineError, EngineUnloadable
from assistant.types import Sampling, Segment

if TYPE_CHECKING:
    from assistant.engine.grammar import Vocabulary

_DEBUG = 1
"""GGML_LOG_LEVEL_DEBUG: hundreds of lines at each load."""
_PENALTY_TOKENS = 64
_PROBE_TOKENS = 16
_SPOKEN = {mark.encode() for mark in dialects.MARKS | {thoughts.OPEN, thoughts.CLOSE}}
"""Some vocabularies have these as control tokens; whoever reads the answer needs to see them."""


class Prompt(NamedTuple):
    """A prompt in tokens."""

    tokens: list[int]
    counts: dict[str, int]
    """Tokens per `ref` of the segments."""
    shared: int
    """Tokens of the beginning that other chats begin with too: the system part and its frame."""
    draft: int
    """Where words begin that nobody has sent yet; as many tokens as there are if all were sent."""


class _NativeLog:
    """Passes native log lines on to stderr and remembers where layers went."""

    def __init__(self) -> None:
        self.seen = OffloadLog()
        self.callback = cpp.llama_log_callback(self._take)
        cpp.llama_log_set(self.callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _data: Any) -> None:
        if level == _DEBUG:
            return
        line = text.decode("utf-8", "replace")
        self.seen.take(line)
        sys.stderr.write(line)


@functools.cache
def _log() -> _NativeLog:
    """The one that llama.cpp keeps a pointer to: it must outlive every model."""
    return _NativeLog()


class Llama:
    """A loaded model. Raises EngineUnloadable if llama.cpp will not load it."""

    def __init__(self, spec: LoadSpec) -> None:
        cpp.llama_backend_init()
        self._log = _log()
        self._model: Any = None
        self._context: Any = None
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
        self._log.seen = OffloadLog()
        params = cpp.llama_model_default_params()
        params.n_gpu_layers = spec.gpu_layers if spec.gpu_layers >= 0 else 999
        params.use_extra_bufts = spec.use_extra_bufts
        split = (ctypes.c_float * cpp.llama_max_devices())(*spec.split)
        if spec.split:
            params.tensor_split = split
        self._model = cpp.llama_model_load_from_file(str(Path(spec.path)).encode(), params)
        if not self._model:
            raise EngineUnloadable("llama.cpp refused the model file or ran out of memory.")
        self._vocab = cpp.llama_model_get_vocab(self._model)
        self.vocabulary_size = int(cpp.llama_vocab_n_tokens(self._vocab))
        self.context = min(spec.context, int(cpp.llama_model_n_ctx_train(self._model)))
        self._context = cpp.llama_init_from_model(self._model, self._settings(spec))
        if not self._context:
            raise EngineUnloadable("There is not enough memory for the model's context.")
        self._memory = cpp.llama_get_memory(self._context)
        self.cells = int(cpp.llama_n_ctx(self._context))
        recurrent = cpp.llama_model_is_recurrent(self._model)
        self.cuttable = not (recurrent or cpp.llama_model_is_hybrid(self._model))
        """Whether a sequence can be cut back to any of its tokens; recurrent states cannot."""
        self.sliding = int(cpp.llama_model_n_swa(self._model)) > 0
        """Whether some layers see a window only: a restored sequence cannot be cut then."""

    def _settings(self, spec: LoadSpec) -> Any:
        settings = cpp.llama_context_default_params()
        settings.n_ctx = max(spec.cells, self.context)
        settings.n_batch = BATCH_TOKENS
        settings.n_ubatch = spec.ubatch
        settings.n_seq_max = spec.sequences
        # Left at 0, the graph holds a row of the whole vocabulary for each token of a batch: 300 MB.
        settings.n_outputs_max = settings.n_outputs_max_per_seq = spec.outputs
        settings.kv_unified = True
        # A sliding-window cache that drops old cells could not be cut back to a common prefix.
        settings.swa_full = True
        settings.offload_kqv = spec.offload_kv
        settings.n_threads = settings.n_threads_batch = spec.threads
        settings.no_perf = True
        strlen = ctypes.CDLL(None if sys.platform != "win32" else "msvcrt").strlen
        settings.abort_callback = ctypes.cast(strlen, cpp.ggml_abort_callback)
        settings.abort_callback_data = ctypes.addressof(self._abort_flag)
        return settings

    def facts(self) -> Facts:
        """Where the model runs, and which templates its vocabulary speaks."""
        marked = [
            f for f, m in templates.MARKERS.items() if len(self._encode(m, special=True)) == 1
        ]
        gpu = self._log.seen.gpu_layers
        return Facts(
            context=self.context,
            layers=int(cpp.llama_model_n_layer(self._model)),
            gpu_layers=gpu,
            vram_bytes=self._log.seen.vram_bytes,
            device=self._log.seen.device if gpu else "cpu",
            marked=tuple(marked),
        )

    def probe(self) -> None:
        """Run the kernels once, as a prompt and as a token. A CPU they cannot run on kills us here.

        Raises EngineUnloadable if they will not run, for lack of memory above all.
        """
        filler = self._encode("Hello. " * _PROBE_TOKENS, special=False)[:_PROBE_TOKENS]
        rows = [Row(token, at, 0, output=False) for at, token in enumerate(filler)]
        for batch in (rows, [Row(filler[0], len(filler), 0, output=True)]):
            if code := self.decode(batch):
                self.close()
                raise EngineUnloadable(f"llama.cpp could not run the model ({code}).")
        cpp.llama_memory_clear(self._memory, True)

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

    # --- tokens --------------------------------------------------------------------------

    def prompt(self, segments: Sequence[Segment]) -> Prompt:
        """Segments in tokens; each on its own, so that a prompt that grows keeps its beginning."""
        tokens: list[int] = []
        counts: dict[str, int] = {}
        shared, system, draft = 0, False, -1
        if cpp.llama_vocab_get_add_bos(self._vocab):
            tokens.append(int(cpp.llama_vocab_bos(self._vocab)))
            counts[""] = 1
        for at, segment in enumerate(segments):
            if segment.ref == "system":
                system = True
            elif segment.ref and system and not shared:
                shared = len(tokens)
            if segment.ref == "draft" and draft < 0:
                draft = len(tokens)
            piece = self._encode(segment.text, special=segment.special)
            tokens += piece
            counts[segment.ref] = counts.get(segment.ref, 0) + len(piece)
            if system and not shared and at == len(segments) - 1 and not segment.special:
                shared = len(tokens)
        return Prompt(tokens, counts, shared, draft if draft >= 0 else len(tokens))

    def encode(self, text: bytes) -> list[int]:
        """Plain text in tokens; no control token comes of it."""
        return self._encode(text.decode("utf-8", "replace"), special=False)

    def _encode(self, text: str, *, special: bool) -> list[int]:
        data = text.encode("utf-8")
        room = len(data) + 8
        out = (cpp.llama_token * room)()
        count = cpp.llama_tokenize(self._vocab, data, len(data), out, room, False, special)
        if count < 0:
            raise EngineError("The text could not be split into tokens.")
        return list(out[:count])

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of a token; none of a control token unless `special` or part of an answer's text."""
        size = cpp.llama_token_to_piece(
            self._vocab, token, self._piece_buffer, len(self._piece_buffer), 0, True
        )
        data = self._piece_buffer.raw[: max(size, 0)]
        return b"" if not special and self.is_control(token) and data not in _SPOKEN else data

    def markers(self) -> list[int]:
        """The tokens with which a text and a turn begin and end, where the vocabulary has them."""
        named = (cpp.llama_vocab_bos, cpp.llama_vocab_eos, cpp.llama_vocab_eot)
        return sorted({token for ask in named if (token := int(ask(self._vocab))) >= 0})

    def vocabulary(self) -> Vocabulary:
        """All tokens, for grammars."""
        from assistant.engine.grammar import Vocabulary

        every = range(self.vocabulary_size)
        pieces = [self.piece(token, special=True) for token in every]
        tokens = [
            b"\xff" + p if self._is_marker(t, p) else p for t, p in zip(every, pieces, strict=True)
        ]
        return Vocabulary(
            tokens=tokens, eos=tuple(t for t in every if self.is_end(t)), encode=self.encode
        )

    def _is_marker(self, token: int, piece: bytes) -> bool:
        if self.is_control(token):
            return True
        attributes = cpp.llama_vocab_get_attr(self._vocab, token)
        named = piece.startswith(b"<") and piece.endswith(b">")
        return bool(attributes & cpp.LLAMA_TOKEN_ATTR_USER_DEFINED) and named

    def is_end(self, token: int) -> bool:
        """Whether a model says with it that its answer is over."""
        return bool(cpp.llama_vocab_is_eog(self._vocab, token))

    def is_control(self, token: int) -> bool:
        """Whether it is a marker and no text."""
        return bool(cpp.llama_vocab_is_control(self._vocab, token))

    # --- computing -----------------------------------------------------------------------

    def decode(self, rows: Sequence[Row]) -> int:
        """Compute at most BATCH_TOKENS rows; returns OK, FULL, ABORTED or a number below 0.

        After anything but OK, what the rows' sequences hold beyond their first row is undefined.
        """
        batch = self._batch
        batch.n_tokens = len(rows)
        tokens, positions, counts, sequences, outputs = (
            batch.token, batch.pos, batch.n_seq_id, batch.seq_id, batch.logits,
        )  # fmt: skip
        for i, (token, position, sequence, output) in enumerate(rows):
            tokens[i] = token
            positions[i] = position
            counts[i] = 1
            sequences[i][0] = sequence
            outputs[i] = output
        code = int(cpp.llama_decode(self._context, batch))
        if code == OK:
            # A GPU still computes when llama_decode returns; what a batch costs is measured here.
            cpp.llama_synchronize(self._context)
        return code

    def logits(self, row: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The scores of each token after this row of the last batch; writable, valid until the next."""
        pointer = cpp.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, (self.vocabulary_size,))

    def sampler(self, sampling: Sampling) -> Sampler:
        """A chain of samplers in C, for one stream."""
        return Sampler(self, self._context, sampling)

    def abort(self, on: bool) -> None:
        """Stop a running decode as soon as possible, or allow the next. From any thread."""
        self._abort_flag.raw = b"x\0" if on else b"\0\0"

    def set_threads(self, threads: int) -> None:
        """From the next decode on."""
        cpp.llama_set_n_threads(self._context, threads, threads)

    # --- sequences -----------------------------------------------------------------------

    def keep(self, sequence: int, length: int) -> bool:
        """Cut a sequence to its first `length` tokens; whether that was possible."""
        return bool(cpp.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def share(self, source: int, target: int, length: int) -> None:
        """Let an empty sequence begin with the first tokens of another; nothing is copied."""
        cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def state(self, sequence: int) -> bytearray:
        """What a sequence holds, to be given to `restore` one day."""
        size = int(cpp.llama_state_seq_get_size(self._context, sequence))
        data = bytearray(size)
        view = (ctypes.c_uint8 * size).from_buffer(data)
        written = cpp.llama_state_seq_get_data(self._context, view, size, sequence)
        return data if written == size else data[:written]

    def restore(self, sequence: int, data: bytearray) -> bool:
        """Fill an empty sequence; whether it fitted. If not, it is empty still."""
        view = (ctypes.c_uint8 * len(data)).from_buffer(data)
        if cpp.llama_state_seq_set_data(self._context, view, len(data), sequence):
            return True
        self.keep(sequence, 0)
        return False


class Sampler:
    """Chooses the tokens of one stream: the best one, or by a chain of llama.cpp's samplers."""

    def __init__(self, llama: Llama, context: Any, sampling: Sampling) -> None:
        self._llama = llama
        self._context = context
        self._penalty = sampling.repeat_penalty
        self._recent: deque[int] = deque(maxlen=_PENALTY_TOKENS)
        self._chain: Any = None if sampling.temperature <= 0 else _chain(sampling)

    def sample(self, row: int) -> int:
        """The token after a row of the last batch."""
        logits = self._llama.logits(row)
        if self._penalty != 1.0 and self._recent:
            self._punish(logits)
        if self._chain is None:
            # llama_sampler_sample copies the vocabulary into a table first: 0.25 ms instead of 0.03.
            token = int(logits.argmax())
        else:
            token = int(cpp.llama_sampler_sample(self._chain, self._context, row))
        self._recent.append(token)
        return token

    def _punish(self, logits: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        """As llama_sampler_init_penalties, which looks up every token of the vocabulary: 0.6 ms."""
        said = list(set(self._recent))
        held = logits[said]
        logits[said] = np.where(held <= 0, held * self._penalty, held / self._penalty)

    def close(self) -> None:
        """Free it. Harmless when done twice."""
        if self._chain:
            cpp.llama_sampler_free(self._chain)
            self._chain = None


def _chain(sampling: Sampling) -> Any:
    chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
    seed = secrets.randbits(32) if sampling.seed is None else sampling.seed & 0xFFFFFFFF
    for step in (
        cpp.llama_sampler_init_top_k(sampling.top_k),
        cpp.llama_sampler_init_top_p(sampling.top_p, 1),
        cpp.llama_sampler_init_min_p(sampling.min_p, 1),
        cpp.llama_sampler_init_temp(sampling.temperature),
        cpp.llama_sampler_init_dist(seed),
    ):
        cpp.llama_sampler_chain_add(chain, step)
    return chain
