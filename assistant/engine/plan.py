"""How much of a model goes to the GPUs. Pure: from what the file needs and what the devices have free.

Layers come first. If not everything fits, the pool of cells shrinks, though never below one whole
chat (`least_cells`): that costs idle chats a way back from disk, while a layer on the CPU costs every
token of every chat. If it still does not fit, the first layers stay on the CPU, and in the end all do.
The context of a chat is never cut here.

llama.cpp counts the output tensors as one more layer, and gives a GPU the last ones first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from assistant.engine.batch import BATCH_TOKENS, OUTPUT_ROWS
from assistant.engine.devices import Device
from assistant.engine.gguf import GgufInfo
from assistant.engine.vram import SPARE_BYTES, capacity, usable

_F16, _F32 = 2, 4
_PAD = 256
"""llama.cpp rounds cells up to this."""
_FEWEST = 2
"""Layers worth the trouble; one is the output alone."""
_COPIES = 4
"""Of a graph's inputs, where several devices take turns (GGML_SCHED_MAX_COPIES)."""
_SLACK = 1 << 20


class Plan(msgspec.Struct, frozen=True):
    """What to load a model with."""

    gpu_layers: int
    """The output tensors count as one."""
    cells: int
    """KV cells, of all chats together."""
    batch: int
    ubatch: int
    offload_kv: bool
    """False: the cache stays in the machine's memory."""
    vram_bytes: int
    """Expected on all GPUs together."""
    reason: str
    """Why not everything is on a GPU, for the user; empty if it is."""
    split: tuple[int, ...] = ()
    """Layers on each GPU that `usable` gives, for llama.cpp's `tensor_split`. Empty: as it likes."""
    shares: tuple[int, ...] = ()
    """Expected bytes on each GPU that `usable` gives."""


def plan(
    info: GgufInfo,
    devices: Sequence[Device],
    *,
    wanted_layers: int = -1,
    cells: int,
    streams: int,
    least_cells: int = 0,
    outputs: int = OUTPUT_ROWS,
    spare_bytes: int = SPARE_BYTES,
) -> Plan:
    """What to load. `wanted_layers` -1 is as many as fit; another number is obeyed, with a warning.

    `least_cells` is what one chat needs (0: as `cells`), `streams` how many sequences there are,
    `outputs` how many rows of logits a batch may have. Without such a number, nothing planned takes
    more of a GPU than is free, less `spare_bytes`.
    """
    gpus = usable(devices)
    room = [capacity(gpu, devices, spare_bytes) for gpu in gpus]
    everything = info.layers + 1
    most = everything if wanted_layers < 0 else min(wanted_layers, everything)
    least = min(least_cells or cells, cells)

    def load(cells: int, *, kv: bool = True) -> Load:
        return Load(info, cells=cells, streams=streams, outputs=outputs, kv=kv)

    if not most:
        return _on_cpu(cells, "The settings say that no layer goes to a GPU.")
    if not gpus:
        return _on_cpu(cells, "There is no GPU that can be used.")
    tight = load(least)
    layers = next((n for n in range(most, 0, -1) if tight.place(n, room) is not None), 0)
    short = _too_little(tight, room)
    if wanted_layers > 0:
        asked = f"The settings ask for {most} of {everything} layers on a GPU. "
        if layers < most:
            return _forced(tight, load(cells, kv=False), most, room, asked + short)
        reason = asked.strip() if most < everything else ""
    elif layers < _FEWEST:
        return _on_cpu(cells, short)
    else:
        reason = f"{layers} of {everything} layers fit. {short}" if layers < everything else ""
    fitting = _most_cells(lambda n: load(n).place(layers, room) is not None, least, cells)
    return _on_gpu(load(fitting), load(fitting).place(layers, room) or (), reason)


def reduced(planned: Plan, info: GgufInfo, share: float, *, streams: int) -> Plan:
    """A plan that proved too much, cut to a share of its layers; the cache stays on the CPU then.

    `streams` as for `plan`. Expected bytes are the plan's own, less the cache, times `share`.
    """
    if share >= 1.0:
        return planned
    cache = sum(cache_bytes(info, planned.cells, streams)) if planned.offload_kv else 0
    whole = max(planned.vram_bytes, 1)
    left = share * max(planned.vram_bytes - cache, 0) / whole
    return msgspec.structs.replace(
        planned,
        gpu_layers=round(planned.gpu_layers * share),
        offload_kv=False,
        vram_bytes=int(planned.vram_bytes * left),
        split=(),
        shares=tuple(int(size * left) for size in planned.shares),
    )


class Load:
    """What a model needs with so many cells."""

    def __init__(
        self, info: GgufInfo, *, cells: int, streams: int, outputs: int, kv: bool = True
    ) -> None:
        self.cells = cells
        padded = -(-cells // _PAD) * _PAD
        cache = cache_bytes(info, padded, streams) if kv else (0,) * info.layers
        layers = [weights + held for weights, held in zip(info.layer_bytes, cache, strict=True)]
        self.items = [*layers, info.cost.output_bytes]
        """Bytes of each layer with its cache, the output last."""
        self._graph = compute_bytes(info, padded, outputs=outputs)
        self._inputs = BATCH_TOKENS * (_F16 * padded + _F32 * info.embedding)
        self._staging = info.cost.largest_bytes

    def overhead(self, layers: int, gpus: int) -> int:
        """Bytes on each GPU beside its layers."""
        # Weights that stay on the CPU are copied over, one at a time, for long prompts.
        staging = self._staging if layers < len(self.items) else 0
        return self._graph + staging + (self._inputs * (_COPIES - 1) if gpus > 1 else 0)

    def place(self, layers: int, room: Sequence[int]) -> tuple[int, ...] | None:
        """Layers for each GPU: all on one where that is possible, else in order. None: no room."""
        items = self.items[len(self.items) - layers :]
        largest = room.index(max(room))
        if sum(items) + self.overhead(layers, 1) <= room[largest]:
            return tuple(layers * (n == largest) for n in range(len(room)))
        counts, at, extra = [], 0, self.overhead(layers, len(room))
        for left in room:
            left, before = left - extra, at
            while at < layers and items[at] <= left:
                left -= items[at]
                at += 1
            counts.append(at - before)
        return tuple(counts) if at == layers else None

    def shares(self, counts: Sequence[int]) -> Iterator[int]:
        """Bytes on each GPU with so many layers on each."""
        at = len(self.items) - sum(counts)
        extra = self.overhead(sum(counts), sum(count > 0 for count in counts))
        for count in counts:
            yield sum(self.items[at : at + count]) + extra if count else 0
            at += count


def cache_bytes(info: GgufInfo, cells: int, streams: int) -> tuple[int, ...]:
    """Bytes of each layer's cache: keys and values in 16 bits, recurrent states in 32."""
    pairs = zip(info.cost.kv_width, info.cost.state_width, strict=True)
    return tuple(_F16 * width * cells + _F32 * state * streams for width, state in pairs)


def compute_bytes(
    info: GgufInfo, cells: int, *, ubatch: int = BATCH_TOKENS, outputs: int = OUTPUT_ROWS
) -> int:
    """Bytes of llama.cpp's compute buffer, with flash attention: its widest part, or its logits."""
    hidden = _F32 * ubatch * info.cost.graph_width + _F16 * ubatch * cells
    logits = _F32 * (outputs * info.vocabulary + 2 * ubatch * info.embedding)
    return max(hidden, logits) + _SLACK


def _on_cpu(cells: int, reason: str) -> Plan:
    return Plan(
        gpu_layers=0,
        cells=cells,
        batch=BATCH_TOKENS,
        ubatch=BATCH_TOKENS,
        offload_kv=True,
        vram_bytes=0,
        reason=reason,
    )


def _on_gpu(load: Load, counts: Sequence[int], reason: str) -> Plan:
    shares = tuple(load.shares(counts))
    return msgspec.structs.replace(
        _on_cpu(load.cells, reason),
        gpu_layers=sum(counts),
        vram_bytes=sum(shares),
        shares=shares,
        split=tuple(counts) if len(counts) > 1 else (),
    )


def _forced(whole: Load, without_kv: Load, layers: int, room: Sequence[int], warning: str) -> Plan:
    """More layers than fit, because the settings say so; with the cache in RAM they may fit yet."""
    counts = without_kv.place(layers, room)
    if counts is not None:
        said = warning + " So the cache stays in the machine's memory, which is slower."
        return msgspec.structs.replace(_on_gpu(without_kv, counts, said), offload_kv=False)
    return msgspec.structs.replace(
        _on_gpu(whole, (layers,), warning + " Loading it may fail."), split=()
    )


def _most_cells(fits: Callable[[int], bool], least: int, most: int) -> int:
    """The largest number from `least` on that fits, in steps of _PAD; `least` is known to."""
    if fits(most):
        return most
    low, high = 0, (most - least) // _PAD
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(least + middle * _PAD) else (low, middle - 1)
    return least + low * _PAD


def _too_little(load: Load, room: Sequence[int]) -> str:
    needed = sum(load.items) + load.overhead(len(load.items), len(room)) * len(room)
    return (
        f"The whole model needs {needed / 1e9:.1f} GB of GPU memory; "
        f"{sum(room) / 1e9:.1f} GB can be taken."
    )
