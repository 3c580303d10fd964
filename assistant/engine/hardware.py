"""Which GPUs a machine has, whoever can use them, and why the model runs beside one.

Looks at files only: no native library is loaded and no program is started.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from assistant.engine.devices import Device

_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
"""PCI ids; those of virtual machines' screens are not here."""
_DRIVERS: dict[str, dict[str, tuple[str, ...]]] = {
    "win32": {"NVIDIA": ("nvcuda.dll",), "AMD": ("amdvlk64.dll", "amdhip64.dll")},
    "linux": {"NVIDIA": ("proc/driver/nvidia/version", "dev/nvidia0", "dev/dxg")},
}
_NODES = ("dev/nvidia0", "dev/nvidiactl", "dev/kfd", "dev/dri/renderD128")


class Hardware(msgspec.Struct, frozen=True):
    """The GPUs in a machine."""

    vendors: tuple[str, ...] = ()
    """NVIDIA, AMD, Intel or Apple, the best first."""
    drivers: tuple[str, ...] = ()
    """Of those, the ones whose driver is known to run."""
    forbidden: bool = False
    """There is a device file this user may not open."""
    hidden: bool = False
    """The environment hides the GPUs (`CUDA_VISIBLE_DEVICES` and the like)."""


def hardware(
    root: Path = Path("/"),
    system: str = sys.platform,
    machine: str = "",
    environ: Callable[[str], str | None] = os.environ.get,
) -> Hardware:
    """Look. `root` is where the file system begins; on Windows, the folder of its libraries."""
    if system == "darwin":
        apple = ("Apple",) if (machine or platform.machine()) == "arm64" else ()
        return Hardware(vendors=apple, drivers=apple)
    if system == "win32" and root == Path("/"):
        root = Path(environ("SystemRoot") or r"C:\Windows") / "System32"
    drivers = [
        vendor
        for vendor, files in _DRIVERS.get(system, {}).items()
        if any((root / file).exists() for file in files)
    ]
    cards = _cards(root)
    nodes = [root / node for node in _NODES if (root / node).exists()]
    hiding = [environ(name) for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")]
    return Hardware(
        vendors=tuple(v for v in _VENDORS.values() if v in drivers or v in cards),
        drivers=tuple(drivers),
        forbidden=any(not os.access(node, os.R_OK | os.W_OK) for node in nodes),
        hidden=any(value is not None and value.strip() in ("", "-1") for value in hiding),
    )


def why_no_gpu(supports_gpu: bool, devices: Sequence[Device], found: Hardware) -> str:
    """Why a GPU that is in the machine computes nothing. Empty: there is none, or it can be used.

    `supports_gpu` says whether this build has a GPU backend at all (`devices.gpu_backends`;
    llama_supports_gpu_offload is also False where a backend sees no GPU), `devices` is what it sees.
    """
    if not found.vendors or any(device.kind in ("gpu", "igpu") for device in devices):
        return ""
    best = found.vendors[0]
    if best == "NVIDIA" and best not in found.drivers:
        return "There is an NVIDIA GPU, but its driver does not run. Install NVIDIA's driver."
    if found.hidden:
        return "The environment hides the GPU from programs (CUDA_VISIBLE_DEVICES)."
    if found.forbidden:
        return (
            "This user may not open the GPU. Add it to the groups `video` and `render`, "
            "then log in again."
        )
    if supports_gpu:
        return f"This build can use a GPU, but its driver shows it none. Update the {best} driver."
    return "This build of llama-cpp-python has no GPU support. " + _BUILD[best]


_BUILD = {
    "NVIDIA": "`make install` on a machine with the CUDA toolkit builds one.",
    "AMD": "One built with CMAKE_ARGS=-DGGML_VULKAN=on can use the AMD GPU.",
    "Intel": "One built with CMAKE_ARGS=-DGGML_VULKAN=on can use the Intel GPU.",
    "Apple": "`make install` on this machine builds one.",
}


def _cards(root: Path) -> set[str]:
    """Vendors of the PCI graphics cards Linux knows, with or without a driver."""
    found = set()
    for device in (root / "sys/bus/pci/devices").glob("*"):
        # 0x03xxxx are display controllers; data-centre GPUs are 3D controllers, 0x0302xx.
        if _read(device / "class").startswith("0x03"):
            found.add(_VENDORS.get(_read(device / "vendor"), ""))
    return found - {""}


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
