"""Where a model went, by llama.cpp's own log lines."""

from assistant.engine.offload import OffloadLog

CUDA = """\
llama_model_load_from_file_impl: using device CUDA0 (NVIDIA H200) (0000:01:00.0) - 140000 MiB free
load_tensors: offloaded 25/25 layers to GPU
load_tensors:        CUDA0 model buffer size =   400.00 MiB
load_tensors:   CPU_Mapped model buffer size =   137.94 MiB
llama_kv_cache:      CUDA0 KV buffer size =    96.00 MiB
sched_reserve:       CUDA0 compute buffer size =    40.50 MiB
sched_reserve:   CUDA_Host compute buffer size =     4.00 MiB
"""


def read(text):
    log = OffloadLog()
    for line in text.splitlines():
        log.take(line)
    return log


def test_what_lies_on_a_gpu_is_counted_and_what_lies_beside_it_is_not():
    log = read(CUDA)
    assert (log.gpu_layers, log.device) == (25, "CUDA0 NVIDIA H200")
    assert log.vram_bytes == round(536.5 * (1 << 20))


def test_buffers_of_a_cpu_s_matrix_unit_are_no_gpu_memory():
    assert read("load_tensors: AMX model buffer size =   300.00 MiB\n").vram_bytes == 0


def test_a_cpu_takes_nothing_of_any_gpu():
    log = read(CUDA.replace("CUDA0", "CPU").replace("offloaded 25", "offloaded 0"))
    assert (log.gpu_layers, log.vram_bytes) == (0, 0)
