"""What goes to which GPU, on machines made up, with what llama.cpp really takes as the measure."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys

import numpy as np
import pytest

from assistant.engine.batch import BATCH_TOKENS
from assistant.engine.devices import Device
from assistant.engine.gguf import GgufInfo, inspect
from assistant.engine.gguf_cost import Cost
from assistant.engine.plan import Load, cache_bytes, compute_bytes, plan
from assistant.engine.vram import SPARE_BYTES, capacity, usable, vram_pressure

GB = 1 << 30
MB = 1 << 20
CPU = Device("CPU", "CPU", "cpu", 24 * GB, 32 * GB)


def shape(layers, embedding, feed_forward, kv_width, layer_mb, vocabulary, output_mb):
    """A model of a size, such as Q4_K_M makes it."""
    layer = int(layer_mb * MB)
    return GgufInfo(
        version=3,
        architecture="llama",
        name="",
        parameters=0,
        layers=layers,
        context=32768,
        embedding=embedding,
        heads=embedding // 64,
        kv_heads=kv_width // 128,
        vocabulary=vocabulary,
        quantization="Q4_K_M",
        tensor_bytes=layers * layer + 2 * output_mb * MB,
        layer_bytes=(layer,) * layers,
        other_bytes=2 * output_mb * MB,
        cost=Cost(
            kv_width=(kv_width,) * layers,
            state_width=(0,) * layers,
            graph_width=3 * feed_forward + 4 * embedding,
            output_bytes=output_mb * MB,
            largest_bytes=layer // 4,
        ),
    )


SHAPES = {
    "starter": shape(24, 896, 4864, 256, 12.5, 151_936, 138),
    "1.5b": shape(28, 1536, 8960, 512, 28, 151_936, 190),
    "8b": shape(32, 4096, 14336, 2048, 126, 128_256, 410),
    "70b": shape(80, 8192, 28672, 2048, 490, 128_256, 820),
}


def gpu(gigabytes, number=0, *, total=None, kind="gpu", name="CUDA"):
    total = gigabytes if total is None else total
    return Device(f"{name}{number}", "A GPU", kind, int(gigabytes * GB), int(total * GB))


MACHINES = {
    "none": [CPU],
    "4 GB": [gpu(4), CPU],
    "8 GB": [gpu(8), CPU],
    "24 GB": [gpu(24), CPU],
    "8 and 24 GB": [gpu(8), gpu(24, 1), CPU],
    "integrated": [gpu(14, kind="igpu", name="Vulkan"), CPU],
    "Apple": [gpu(21, name="MTL"), CPU],
}


def planned(model, machine, **more):
    more = {"cells": 16384, "streams": 9, "least_cells": 8192} | more
    return plan(SHAPES[model], machine, **more)


def free_for_us(machine):
    return sum(capacity(one, machine) for one in usable(machine))


# --- what comes of it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "machine", "layers"),
    [
        ("starter", "none", 0),
        ("starter", "4 GB", 25),
        ("starter", "integrated", 25),
        ("1.5b", "4 GB", 29),
        ("8b", "8 GB", 33),
        ("8b", "24 GB", 33),
        ("8b", "integrated", 33),
        ("8b", "Apple", 33),
    ],
)
def test_what_fits_is_on_the_gpu_as_a_whole(model, machine, layers):
    found = planned(model, MACHINES[machine])
    assert (found.gpu_layers, found.cells) == (layers, 16384)
    assert found.offload_kv
    assert bool(found.reason) == (layers == 0)


@pytest.mark.parametrize(
    ("model", "machine", "low", "high"),
    [
        ("8b", "4 GB", 8, 20),
        ("70b", "8 GB", 5, 15),
        ("70b", "24 GB", 35, 50),
        ("70b", "8 and 24 GB", 45, 70),
        ("70b", "Apple", 30, 45),
    ],
)
def test_what_does_not_fit_is_split_and_says_so(model, machine, low, high):
    found = planned(model, MACHINES[machine])
    assert low <= found.gpu_layers <= high
    assert found.reason.startswith(f"{found.gpu_layers} of {SHAPES[model].layers + 1} layers fit.")
    assert "GB of GPU memory" in found.reason


def test_without_a_gpu_the_reason_says_so():
    assert planned("starter", [CPU]).reason == "There is no GPU that can be used."
    assert planned("starter", []).vram_bytes == 0


def test_a_gpu_with_nothing_free_is_left_alone():
    found = planned("8b", [gpu(1.2, total=8), CPU])
    assert (found.gpu_layers, found.vram_bytes, found.split) == (0, 0, ())
    assert "0.2 GB can be taken" in found.reason


def test_one_gpu_takes_all_where_it_can():
    found = planned("8b", MACHINES["8 and 24 GB"])
    assert found.split == (0, 33)
    both = planned("8b", [gpu(5), gpu(5, 1), CPU])
    assert sum(both.split) == both.gpu_layers == 33
    assert min(both.split) > 10
    assert planned("8b", MACHINES["8 GB"]).split == ()


def test_a_gpu_too_small_for_a_layer_is_passed_over():
    found = planned("70b", [gpu(1.1, total=2), gpu(24, 1), CPU])
    assert found.split[0] == 0
    assert found.split[1] == found.gpu_layers > 30


def test_the_pool_shrinks_before_a_layer_stays_behind_and_never_below_a_chat():
    wide = planned("8b", [gpu(8)], cells=65536)
    assert wide.gpu_layers == 33
    assert 8192 < wide.cells < 65536
    assert wide.reason == ""
    more = plan(
        SHAPES["8b"], [gpu(8)], cells=wide.cells + 256, least_cells=wide.cells + 256, streams=9
    )
    assert more.gpu_layers < 33  # it is as large as can be
    assert planned("8b", [gpu(7)], cells=65536).cells >= 8192
    whole_chats = planned("8b", [gpu(8)], cells=65536, least_cells=0)
    assert whole_chats.cells == 65536
    assert whole_chats.gpu_layers < 33


# --- the settings ----------------------------------------------------------------------------


def test_settings_for_fewer_layers_are_obeyed():
    found = planned("8b", MACHINES["24 GB"], wanted_layers=10)
    assert found.gpu_layers == 10
    assert found.reason == "The settings ask for 10 of 33 layers on a GPU."
    assert planned("8b", MACHINES["24 GB"], wanted_layers=1).gpu_layers == 1
    none = planned("8b", MACHINES["24 GB"], wanted_layers=0)
    assert (none.gpu_layers, none.vram_bytes) == (0, 0)
    assert "settings" in none.reason
    every = planned("8b", MACHINES["24 GB"], wanted_layers=999)
    assert (every.gpu_layers, every.reason) == (33, "")


def test_settings_for_more_layers_than_fit_win_with_a_warning():
    found = planned("70b", MACHINES["8 GB"], wanted_layers=50)
    assert found.gpu_layers == 50
    assert found.vram_bytes > free_for_us(MACHINES["8 GB"])
    assert "ask for 50 of 81 layers" in found.reason
    assert "may fail" in found.reason


def test_the_cache_stays_in_ram_if_that_makes_the_wanted_layers_fit():
    machine = [gpu(6.3), CPU]
    assert planned("8b", machine, cells=32768, least_cells=32768).gpu_layers < 33
    found = planned("8b", machine, cells=32768, least_cells=32768, wanted_layers=33)
    assert (found.gpu_layers, found.cells, found.offload_kv) == (33, 32768, False)
    assert "cache stays" in found.reason
    assert found.vram_bytes <= free_for_us(machine)


# --- properties ------------------------------------------------------------------------------


def machines(chance):
    count = chance.randrange(1, 4)
    kind = chance.choice(["gpu", "gpu", "igpu"])
    return [gpu(chance.uniform(0.5, 30), n, total=32, kind=kind) for n in range(count)] + [CPU]


@pytest.mark.parametrize("model", SHAPES)
def test_nothing_planned_exceeds_what_is_free(model):
    chance = random.Random(1)
    for _ in range(200):
        machine, cells = machines(chance), chance.randrange(256, 60_000)
        found = planned(model, machine, cells=cells, least_cells=cells // 3)
        assert found.vram_bytes <= free_for_us(machine)
        assert cells // 3 <= found.cells <= cells
        load = Load(SHAPES[model], cells=found.cells, streams=9, outputs=64)
        counts = found.split or (found.gpu_layers,)
        for taken, one in zip(load.shares(counts), usable(machine)):
            assert taken <= max(one.free_bytes - SPARE_BYTES, 0)
        assert sum(counts) == found.gpu_layers


@pytest.mark.parametrize("model", SHAPES)
def test_more_free_memory_never_means_fewer_layers(model):
    chance = random.Random(2)
    for _ in range(60):
        machine = machines(chance)
        bigger = [
            Device(d.name, d.description, d.kind, d.free_bytes + chance.randrange(4 * GB), 64 * GB)
            for d in machine
        ]
        assert planned(model, bigger).gpu_layers >= planned(model, machine).gpu_layers


@pytest.mark.parametrize("model", SHAPES)
def test_more_cells_or_streams_never_mean_more_layers(model):
    chance = random.Random(3)
    for _ in range(30):
        machine = machines(chance)
        counts = [
            planned(model, machine, cells=cells, least_cells=0).gpu_layers
            for cells in (1024, 4096, 8192, 16384, 65536)
        ]
        assert counts == sorted(counts, reverse=True)


def placed_by_llama_cpp(split) -> list[int]:
    """Which GPU each layer goes to (`load_tensors`, llama-model.cpp), in its 32-bit floats."""
    bounds = np.cumsum(np.array(split, np.float32), dtype=np.float32)
    bounds /= bounds[-1]
    layers = sum(split)
    at = [np.float32(n) / np.float32(layers) for n in range(layers)]
    return [int(np.searchsorted(bounds, one, side="right")) for one in at]


@pytest.mark.parametrize(("model", "largest"), [("8b", 6), ("70b", 30)])
def test_llama_cpp_makes_of_a_split_what_was_planned(model, largest):
    chance = random.Random(4)
    several = 0
    for _ in range(150):
        machine = [gpu(chance.uniform(2, largest), n) for n in range(chance.randrange(2, 5))]
        found = planned(model, machine)
        if not found.gpu_layers:
            continue
        placed = placed_by_llama_cpp(found.split)
        several += len(set(placed)) > 1
        items = Load(SHAPES[model], cells=found.cells, streams=9, outputs=64).items
        for number, one in enumerate(machine):
            mine = [size for size, at in zip(items[-found.gpu_layers :], placed) if at == number]
            assert len(mine) == found.split[number]
            assert sum(mine) <= one.free_bytes - SPARE_BYTES
    assert several > 20


# --- devices ---------------------------------------------------------------------------------


def test_a_gpu_seen_twice_is_used_once_and_an_integrated_one_only_alone():
    card = Device("CUDA0", "RTX 3060", "gpu", GB, GB)
    twin = Device("CUDA1", "RTX 3060", "gpu", GB, GB)
    again = Device("Vulkan0", "RTX 3060", "gpu", GB, GB)
    other = Device("Vulkan1", "Arc A770", "gpu", GB, GB)
    inside = Device("Vulkan2", "UHD", "igpu", GB, GB)
    helper = Device("BLAS", "BLAS", "accel", 0, 0)
    assert usable([card, twin, again, other, inside, helper, CPU]) == [card, twin, other]
    assert usable([inside, CPU]) == [inside]
    assert usable([helper, CPU]) == []


def test_shared_memory_leaves_more_to_the_machine():
    assert capacity(gpu(8), [gpu(8), CPU]) == 8 * GB - SPARE_BYTES
    inside = gpu(8, kind="igpu")
    assert capacity(inside, [inside, CPU]) == 8 * GB - 2 * SPARE_BYTES
    busy = Device("CPU", "CPU", "cpu", 3 * GB, 32 * GB)
    assert capacity(inside, [inside, busy]) == 3 * GB - 2 * SPARE_BYTES
    silent = gpu(0, kind="igpu")
    assert capacity(silent, [silent, CPU]) == 24 * GB - 2 * SPARE_BYTES
    assert capacity(silent, [silent]) == 0
    assert capacity(gpu(0.5), []) == 0


def test_memory_is_given_back_when_another_program_needs_it():
    ours = 5 * GB
    assert not vram_pressure([gpu(1, total=8), CPU], ours)
    assert vram_pressure([gpu(0.1, total=8), CPU], ours)
    assert vram_pressure([gpu(1, total=8), gpu(0.1, 1, total=8)], ours)
    assert not vram_pressure([gpu(0.1, total=8)], 0)  # we hold none
    assert not vram_pressure([gpu(0, kind="igpu")], ours)  # it does not tell
    assert not vram_pressure([CPU], ours)
    assert vram_pressure([gpu(1, total=8)], ours, spare_bytes=2 * GB)


def test_what_is_planned_does_not_press_itself():
    for model, machine in itertools.product(SHAPES, MACHINES.values()):
        found = planned(model, machine)
        after = [
            Device(d.name, d.description, d.kind, d.free_bytes - found.vram_bytes, d.total_bytes)
            for d in machine
        ]
        if len(usable(machine)) == 1:
            assert not vram_pressure(after, found.vram_bytes)


# --- what llama.cpp really takes -------------------------------------------------------------


PROBE = """
import ctypes, re, sys
import llama_cpp as cpp
path, cells, streams, outputs = sys.argv[1], *map(int, sys.argv[2:])
lines = []
callback = cpp.llama_log_callback(lambda _level, text, _data: lines.append(text.decode()))
cpp.llama_log_set(callback, ctypes.c_void_p(0))
cpp.llama_backend_init()
model = cpp.llama_model_default_params()
model.use_extra_bufts = False
loaded = cpp.llama_model_load_from_file(path.encode(), model)
settings = cpp.llama_context_default_params()
settings.n_ctx, settings.n_seq_max, settings.kv_unified = cells, streams, True
settings.n_batch = settings.n_ubatch = 512
settings.n_outputs_max = settings.n_outputs_max_per_seq = outputs
settings.swa_full = True
context = cpp.llama_init_from_model(loaded, settings)
assert context
print("".join(lines))
"""


def taken(path, cells, outputs=64) -> dict[str, float]:
    """Bytes of each kind of buffer, from llama.cpp's log."""
    command = [sys.executable, "-c", PROBE, str(path), str(cells), "9", str(outputs)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = {}
    for kind, size in re.findall(r"(model|KV|compute) buffer size = +([\d.]+) MiB", printed):
        found[kind] = found.get(kind, 0.0) + float(size) * MB
    return found


@pytest.mark.parametrize("model", ["tiny_model", "starter_model"])
@pytest.mark.parametrize(("cells", "outputs"), [(2048, 64), (16384, 64), (4096, 512)])
def test_the_estimate_is_what_llama_cpp_takes(request, model, cells, outputs):
    path = request.getfixturevalue(model)
    info, found = inspect(path), taken(path, cells, outputs)
    assert found["KV"] == pytest.approx(sum(cache_bytes(info, cells, 9)), rel=0.001)
    weights = sum(info.layer_bytes) + info.other_bytes
    assert found["model"] == pytest.approx(weights, rel=0.05)
    graph = compute_bytes(info, cells, ubatch=BATCH_TOKENS, outputs=outputs)
    assert found["compute"] == pytest.approx(graph, rel=0.05, abs=1.5 * MB)
    total = weights + sum(cache_bytes(info, cells, 9)) + graph
    assert sum(found.values()) == pytest.approx(total, rel=0.05)
