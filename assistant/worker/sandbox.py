"""What a child may not do: reach the network, or leave its memory behind in a core dump.

Two layers. An audit hook stops Python code on every system. On Linux a seccomp filter also stops
native code: `socket(2)` for AF_UNIX, AF_INET and AF_INET6 fails with EPERM, for good, in every thread
started later (Linux Documentation/userspace-api/seccomp_filter.rst). AF_UNIX too, since the owner's
socket asks for no token.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
from typing import Any

_FORBIDDEN = frozenset({"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"})

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 4, 38, 22, 2
_LOAD, _JUMP_EQ, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | 1
_AT_NR, _AT_ARCH, _AT_ARG0 = 0, 4, 16
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
# (AUDIT_ARCH, number of socket) by machine
_SYSCALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def enter() -> None:
    """Close the doors for the rest of this process's life. Never raises: each layer is a bonus."""
    sys.addaudithook(_refuse_network)
    forbid_dumps()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError, KeyError):
            _filter_sockets()


def forbid_dumps() -> None:
    """No core dump of this process: it would hold chats, or the key of the memory.

    The limit alone does not stop a dump that the kernel pipes to a program (core(5)); not being
    dumpable does. Never raises.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0), 0, 0, 0)


def environment() -> dict[str, str]:
    """The parent's environment, less everything a child has no business with."""
    keep = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV")
    prefixes = ("LC_", "LANG", "LD_LIBRARY_PATH", "DYLD_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_",
                "GGML_", "LLAMA_", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_", "HF_HOME",
                "PYTHONPATH", "PYTHONWARNINGS")  # fmt: skip
    env = {k: v for k, v in os.environ.items() if k in keep or k.startswith(prefixes)}
    # Without the first, ggml starts a debugger on a process that fails, and waits for it.
    return env | {"GGML_NO_BACKTRACE": "1", "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1",
                  "TOKENIZERS_PARALLELISM": "false"}  # fmt: skip


def _refuse_network(event: str, _args: tuple[Any, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError("A helper process may not use the network.")


def _filter_sockets() -> None:
    arch, socket_number = _SYSCALLS[platform.machine()]
    program = [
        (_LOAD, 0, 0, _AT_ARCH),
        (_JUMP_EQ, 0, 6, arch),
        (_LOAD, 0, 0, _AT_NR),
        (_JUMP_EQ, 0, 4, socket_number),
        (_LOAD, 0, 0, _AT_ARG0),
        (_JUMP_EQ, 3, 0, _AF_UNIX),
        (_JUMP_EQ, 2, 0, _AF_INET),
        (_JUMP_EQ, 1, 0, _AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    ]
    code = b"".join(struct.pack("<HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), header, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
