"""What ggml can compute on, from the libraries that llama-cpp-python ships. Runs in the engine child.

llama-cpp-python does not bind this API (`ggml/include/ggml-backend.h`), so ctypes does. Asking a CUDA
device for its memory starts CUDA on it, which costs a few hundred megabytes there.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil

log = logging.getLogger(__name__)

Kind = Literal["cpu", "gpu", "igpu", "accel"]

_KINDS: tuple[Kind, ...] = ("cpu", "gpu", "igpu", "accel")
"""By the number ggml gives them; what comes after are devices made of others."""
_PATTERNS = {"win32": ("{}.dll", "lib{}.dll"), "darwin": ("lib{}.dylib", "lib{}.so")}
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "ggml_backend_reg_count": (ctypes.c_size_t, []),
    "ggml_backend_load_all_from_path": (None, [ctypes.c_char_p]),
    "ggml_backend_dev_count": (ctypes.c_size_t, []),
    "ggml_backend_dev_get": (ctypes.c_void_p, [ctypes.c_size_t]),
    "ggml_backend_dev_name": (ctypes.c_char_p, [ctypes.c_void_p]),
    "ggml_backend_dev_description": (ctypes.c_char_p, [ctypes.c_void_p]),
    "ggml_backend_dev_type": (ctypes.c_int, [ctypes.c_void_p]),
    "ggml_backend_dev_memory": (
        None,
        [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)],
    ),
}


class Device(msgspec.Struct, frozen=True):
    """One device, as ggml sees it."""

    name: str
    """Such as `CUDA0`, `Vulkan1`, `MTL0`, `CPU`."""
    description: str
    """The maker's name for it."""
    kind: Kind
    """An `igpu` shares the machine's memory; an `accel` helps the CPU with it."""
    free_bytes: int
    """0 with `total_bytes` 0: it does not tell."""
    total_bytes: int


def gpu_backends() -> tuple[str, ...]:
    """The GPU backends that this build ships, such as `cuda`, whether they see a GPU or not.

    Looks at file names only, so the daemon may ask.
    """
    names = ("cuda", "hip", "metal", "musa", "sycl", "vulkan", "opencl")
    return tuple(n for n in names if library_path(_folder(), f"ggml-{n}", sys.platform))


def devices() -> tuple[Device, ...]:
    """Every device, in llama.cpp's order, with its memory as it is now. Empty without the library."""
    folder = _folder()
    libraries = _libraries(folder)
    try:
        call = {name: _function(libraries, name) for name in _FUNCTIONS}
    except AttributeError:
        log.warning("the llama.cpp libraries cannot list their devices")
        return ()
    if not call["ggml_backend_reg_count"]():
        # A build with its backends in files of their own has none until they are looked for.
        call["ggml_backend_load_all_from_path"](os.fsencode(folder))
    handles = [call["ggml_backend_dev_get"](n) for n in range(call["ggml_backend_dev_count"]())]
    return tuple(device for handle in handles if (device := _device(call, handle)))


def _device(call: dict[str, Any], handle: int) -> Device | None:
    number = call["ggml_backend_dev_type"](handle)
    if not 0 <= number < len(_KINDS):
        return None
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    call["ggml_backend_dev_memory"](handle, ctypes.byref(free), ctypes.byref(total))
    kind = _KINDS[number]
    return Device(
        name=_text(call["ggml_backend_dev_name"](handle)),
        description=_text(call["ggml_backend_dev_description"](handle)),
        kind=kind,
        # ggml calls all of the machine's memory free.
        free_bytes=psutil.virtual_memory().available if kind == "cpu" else free.value,
        total_bytes=total.value,
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace").strip()


def _function(libraries: Sequence[ctypes.CDLL], name: str) -> Any:
    for library in libraries:
        function = getattr(library, name, None)
        if function is not None:
            function.restype, function.argtypes = _FUNCTIONS[name]
            return function
    raise AttributeError(name)


def _folder() -> Path:
    """Where the libraries lie; the package itself is not imported."""
    if override := os.environ.get("LLAMA_CPP_LIB_PATH"):
        return Path(override)
    spec = importlib.util.find_spec("llama_cpp")
    return Path(spec.origin).parent / "lib" if spec and spec.origin else Path()


def _libraries(folder: Path, platform: str = sys.platform) -> list[ctypes.CDLL]:
    found = []
    if platform == "win32" and folder.is_dir():
        os.add_dll_directory(str(folder))  # type: ignore[attr-defined,unused-ignore]
    for name in ("ggml", "ggml-base"):
        path = library_path(folder, name, platform)
        if path is not None:
            try:
                found.append(ctypes.CDLL(str(path)))
            except OSError:
                log.warning("the library %s cannot be loaded", name)
    return found


def library_path(folder: Path, name: str, platform: str) -> Path | None:
    """A library's file on a platform; None if there is none."""
    names = (pattern.format(name) for pattern in _PATTERNS.get(platform, ("lib{}.so",)))
    return next((folder / name for name in names if (folder / name).exists()), None)
