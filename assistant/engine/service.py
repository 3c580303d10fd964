"""The engine child: `python -m assistant.engine.service`. One thread owns the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from assistant.errors import EngineError
from assistant.types import Sampling, Segment
from assistant.worker import Call, serial, serve

if TYPE_CHECKING:
    from assistant.engine.llama import Llama


class GenerateSpec(msgspec.Struct, frozen=True):
    """One generation."""

    segments: tuple[Segment, ...]
    sampling: Sampling


class Service:
    """What the engine child answers. llama.cpp is loaded with the first model, not before."""

    def __init__(self) -> None:
        self._llama: Llama | None = None

    def gpu(self, _call: Call) -> Iterator[bool]:
        """Whether this build can use a GPU at all."""
        from assistant.engine.llama import supports_gpu

        yield supports_gpu()

    def load(self, call: Call) -> Iterator[Any]:
        """Load a model in place of the present one, prove that it runs, and give its Facts."""
        from assistant.engine.llama import Llama, LoadSpec

        if self._llama is not None:
            self._llama.close()
            self._llama = None
        self._llama = Llama(msgspec.convert(call.payload, LoadSpec))
        self._llama.probe()
        yield msgspec.to_builtins(self._llama.facts())

    def generate(self, call: Call) -> Iterator[Any]:
        """Stream Prefilled, Pieces and Finished."""
        spec = msgspec.convert(call.payload, GenerateSpec)
        llama = self._llama
        if llama is None:
            raise EngineError("No model is loaded.")
        llama.abort(False)
        call.on_cancel(lambda: llama.abort(True))
        try:
            for item in llama.generate(spec.segments, spec.sampling):
                yield msgspec.to_builtins(item)
                if call.cancelled:
                    return
        finally:
            call.on_cancel(None)


def main() -> None:
    """Serve until the daemon goes."""
    service = Service()
    handlers = {"gpu": service.gpu, "load": service.load, "generate": service.generate}
    serve(serial(handlers))


if __name__ == "__main__":
    main()
