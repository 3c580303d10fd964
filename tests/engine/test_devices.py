"""What ggml can compute on, and why a GPU that is there may not be used."""

from __future__ import annotations

import os
import sys

import psutil
import pytest

from assistant.engine import devices as module
from assistant.engine.devices import Device, devices, gpu_backends, library_path
from assistant.engine.hardware import Hardware, hardware, why_no_gpu

GPU = Device("CUDA0", "NVIDIA RTX", "gpu", 8 << 30, 8 << 30)
CPU = Device("CPU", "AMD EPYC", "cpu", 8 << 30, 16 << 30)


# --- the real library ------------------------------------------------------------------------


def test_this_machines_cpu_is_listed_with_its_memory():
    (cpu,) = (device for device in devices() if device.kind == "cpu")
    assert cpu.name == "CPU"
    assert cpu.description
    memory = psutil.virtual_memory()
    assert abs(cpu.total_bytes - memory.total) < 1 << 20
    assert 0 < cpu.free_bytes < cpu.total_bytes


def test_listing_loads_no_python_module_of_the_library():
    before = "llama_cpp" in sys.modules
    assert devices()
    assert ("llama_cpp" in sys.modules) == before


def test_a_gpu_backend_is_shipped_if_a_gpu_is_listed():
    assert gpu_backends() or not [d for d in devices() if d.kind in ("gpu", "igpu")]


# --- other machines --------------------------------------------------------------------------


class Library:
    """A ggml that sees these devices: (name, description, type, free, total)."""

    def __init__(self, found, loaded=True):
        self.found, self.loaded, self.asked = found, loaded, []
        for name in module._FUNCTIONS:
            short = name.removeprefix("ggml_backend_")

            def function(*arguments, short=short):
                return getattr(self, "_" + short)(*arguments)

            setattr(self, name, function)

    def _reg_count(self):
        return int(self.loaded)

    def _load_all_from_path(self, folder):
        self.loaded = True
        self.asked.append(folder)

    def _dev_count(self):
        return len(self.found) if self.loaded else 0

    def _dev_get(self, number):
        return number

    def _dev_name(self, number):
        return self.found[number][0]

    def _dev_description(self, number):
        return self.found[number][1]

    def _dev_type(self, number):
        return self.found[number][2]

    def _dev_memory(self, number, free, total):
        free._obj.value, total._obj.value = self.found[number][3:]


@pytest.fixture
def machine(monkeypatch):
    def machine(found, **more):
        library = Library(found, **more)
        monkeypatch.setattr(module, "_libraries", lambda _folder: [library])
        return library

    return machine


def test_gpus_are_listed_with_kind_and_memory(machine):
    machine(
        [
            (b"CUDA0", b"NVIDIA RTX 4090", 1, 20 << 30, 24 << 30),
            (b"Vulkan0", b"Intel(R) Iris(R) \xe9 ", 2, 0, 0),
            (b"BLAS", None, 3, 0, 0),
            (b"META", b"two of them", 4, 1, 1),
            (b"CPU", b"Ryzen", 0, 64 << 30, 64 << 30),
        ]
    )
    found = {device.name: device for device in devices()}
    assert list(found) == ["CUDA0", "Vulkan0", "BLAS", "CPU"]
    assert found["CUDA0"] == Device("CUDA0", "NVIDIA RTX 4090", "gpu", 20 << 30, 24 << 30)
    assert found["Vulkan0"].kind == "igpu"
    assert found["Vulkan0"].description == "Intel(R) Iris(R) \ufffd"
    assert found["BLAS"].description == ""
    assert found["CPU"].free_bytes < 64 << 30  # what is really available, not all of it


def test_backends_in_files_of_their_own_are_loaded_first(machine):
    library = machine([(b"CPU", b"x", 0, 1, 1)], loaded=False)
    assert len(devices()) == 1
    (folder,) = library.asked
    assert os.fsdecode(folder).endswith("lib")


def test_without_the_library_there_are_no_devices(monkeypatch, tmp_path):
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    assert devices() == ()
    (tmp_path / "libggml.so").write_bytes(b"no library")
    assert devices() == ()
    assert gpu_backends() == ()


def test_a_library_without_the_functions_is_no_error(monkeypatch):
    monkeypatch.setattr(module, "_libraries", lambda _folder: [object()])
    assert devices() == ()


@pytest.mark.parametrize(
    ("platform", "file"),
    [
        ("linux", "libggml-cuda.so"),
        ("darwin", "libggml-cuda.dylib"),
        ("win32", "ggml-cuda.dll"),
        ("win32", "libggml-cuda.dll"),
    ],
)
def test_libraries_are_found_by_the_platforms_names(tmp_path, platform, file):
    assert library_path(tmp_path, "ggml-cuda", platform) is None
    (tmp_path / file).touch()
    assert library_path(tmp_path, "ggml-cuda", platform) == tmp_path / file


def test_a_cuda_build_is_told_by_its_files(monkeypatch, tmp_path):
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("libggml.so", "libggml-cpu.so", "libggml-cuda.so"):
        (tmp_path / name).touch()
    assert gpu_backends() == ("cuda",)


# --- hardware --------------------------------------------------------------------------------


def look(root, system="linux", machine="x86_64", **environ):
    return hardware(root, system, machine, environ.get)


def card(root, slot, vendor, kind="0x030000"):
    folder = root / "sys/bus/pci/devices" / slot
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(vendor + "\n")
    (folder / "class").write_text(kind + "\n")


def put(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_an_empty_machine_has_no_gpu(tmp_path):
    assert look(tmp_path) == Hardware()
    card(tmp_path, "0000:00:01.0", "0x1234")  # a virtual machine's screen
    card(tmp_path, "0000:00:02.0", "0x8086", "0x020000")  # a network card
    assert look(tmp_path) == Hardware()


def test_pci_cards_are_found_the_best_first(tmp_path):
    card(tmp_path, "0000:00:02.0", "0x8086")
    card(tmp_path, "0000:01:00.0", "0x10de", "0x030200")
    assert look(tmp_path) == Hardware(vendors=("NVIDIA", "Intel"))
    put(tmp_path, "proc/driver/nvidia/version")
    assert look(tmp_path).drivers == ("NVIDIA",)


def test_nvidia_in_a_container_or_wsl_is_found_without_pci(tmp_path):
    put(tmp_path, "dev/nvidia0")
    assert look(tmp_path) == Hardware(vendors=("NVIDIA",), drivers=("NVIDIA",))
    assert look(tmp_path, CUDA_VISIBLE_DEVICES="-1").hidden
    assert look(tmp_path, CUDA_VISIBLE_DEVICES="").hidden
    assert not look(tmp_path, CUDA_VISIBLE_DEVICES="0,1").hidden


def test_a_device_file_one_may_not_open_is_noticed(tmp_path, monkeypatch):
    put(tmp_path, "dev/dri/renderD128")
    assert not look(tmp_path).forbidden
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert look(tmp_path).forbidden


def test_windows_and_macos(tmp_path):
    put(tmp_path, "nvcuda.dll")
    assert look(tmp_path, "win32").vendors == ("NVIDIA",)
    assert look(tmp_path, "darwin", "arm64") == Hardware(vendors=("Apple",), drivers=("Apple",))
    assert look(tmp_path, "darwin", "x86_64") == Hardware()


NVIDIA = Hardware(vendors=("NVIDIA",), drivers=("NVIDIA",))


@pytest.mark.parametrize(
    ("supports", "found", "words"),
    [
        (False, NVIDIA, "no GPU support. `make install`"),
        (False, Hardware(vendors=("AMD",)), "GGML_VULKAN=on can use the AMD"),
        (False, Hardware(vendors=("Intel",)), "GGML_VULKAN=on can use the Intel"),
        (False, Hardware(vendors=("Apple",), drivers=("Apple",)), "`make install`"),
        (False, Hardware(vendors=("NVIDIA",)), "driver does not run"),
        (True, Hardware(vendors=("NVIDIA",)), "driver does not run"),
        (True, NVIDIA, "Update the NVIDIA driver"),
        (True, Hardware(("NVIDIA",), ("NVIDIA",), hidden=True), "CUDA_VISIBLE_DEVICES"),
        (True, Hardware(("AMD",), forbidden=True), "`video` and `render`"),
    ],
)
def test_the_reason_names_what_to_do(supports, found, words):
    assert words in why_no_gpu(supports, [CPU], found)
    assert why_no_gpu(supports, [CPU, GPU], found) == ""


def test_without_a_gpu_there_is_nothing_to_explain():
    assert why_no_gpu(False, [CPU], Hardware()) == ""
    assert why_no_gpu(True, [], Hardware()) == ""
