"""Look at a machine: which accelerator it has, which tools are missing, what would install them.

Standard library only, and every look goes through a `Machine`, so that tests can make one up.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


def _output(command: list[str]) -> str | None:
    """What a command prints; None if it is not there, fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


@dataclass(frozen=True)
class Machine:
    """A machine as the set-up sees it."""

    system: str
    """`Linux`, `Darwin` or `Windows`."""
    arch: str
    environ: Mapping[str, str]
    which: Callable[[str], str | None]
    output: Callable[[list[str]], str | None]
    exists: Callable[[str], bool]
    root: bool
    """Whether we may install system packages without sudo."""

    @property
    def windows(self) -> bool:
        """Whether programs end in .exe and venvs have Scripts."""
        return self.system == "Windows"


def this_machine() -> Machine:
    """The machine we run on."""
    return Machine(
        system=platform.system(),
        arch=platform.machine(),
        environ=os.environ,
        which=shutil.which,
        output=_output,
        exists=lambda path: Path(path).exists(),
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
    )


# --- accelerators ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Accelerator:
    """What the model can run on."""

    kind: str
    """`cuda`, `metal` or `cpu`."""
    name: str
    nvcc: str = ""
    """The CUDA compiler, where there is one."""


_SMI = ("/usr/lib/wsl/lib/nvidia-smi", r"C:\Windows\System32\nvidia-smi.exe")
_CUDA = ("/usr/local/cuda", "/opt/cuda")


def accelerator(machine: Machine) -> Accelerator:
    """Find the accelerator. `NESTOR_ACCELERATOR=cpu` says to leave it alone."""
    if machine.environ.get("NESTOR_ACCELERATOR", "").lower() == "cpu":
        return Accelerator("cpu", "CPU only, as NESTOR_ACCELERATOR says")
    if machine.system == "Darwin" and machine.arch == "arm64":
        return Accelerator("metal", "Apple GPU")
    smi = nvidia_smi(machine)
    listed = machine.output([smi, "-L"]) if smi else None
    cards = [line for line in (listed or "").splitlines() if line.startswith("GPU ")]
    if cards:
        # "GPU 0: NVIDIA H200 (UUID: GPU-…)"
        name = cards[0].partition(": ")[2].partition(" (UUID")[0] or "NVIDIA GPU"
        more = f" and {len(cards) - 1} more" if len(cards) > 1 else ""
        return Accelerator("cuda", name + more, nvcc(machine))
    if smi:
        return Accelerator("cpu", "CPU only: nvidia-smi is there, but shows no GPU")
    return Accelerator("cpu", "CPU only: no supported GPU found")


def nvidia_smi(machine: Machine) -> str:
    """Where the NVIDIA driver's tool is; empty if nowhere."""
    return machine.which("nvidia-smi") or next(filter(machine.exists, _SMI), "")


def nvcc(machine: Machine) -> str:
    """Where the CUDA compiler is, on PATH or not; empty if nowhere."""
    homes = [machine.environ.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH")]
    name = "nvcc.exe" if machine.windows else "nvcc"
    places = [str(Path(home) / "bin" / name) for home in (*homes, *_CUDA) if home]
    return machine.which("nvcc") or next(filter(machine.exists, places), "")


def signature(machine: Machine) -> str:
    """What the choice of builds hangs on, cheap to read: same signature, same choice."""
    names = ("NESTOR_ACCELERATOR", "NESTOR_TORCH_INDEX", "NESTOR_LLAMA_INDEX", "CMAKE_ARGS")
    smi = nvidia_smi(machine)
    seen = [machine.system, machine.arch, smi, nvcc(machine) if smi else ""]
    seen += [str(machine.exists(path)) for path in ("/dev/nvidiactl", "/dev/dxg")]
    return "\n".join([*seen, *(machine.environ.get(name, "") for name in names)])


# --- tools -----------------------------------------------------------------------------------

# Package manager → the command, and what it calls each tool.
_MANAGERS: dict[str, tuple[str, dict[str, str]]] = {
    "apt-get": (
        "apt-get install -y",
        {"make": "make", "c++": "g++", "venv": "python3-venv", "nvcc": "nvidia-cuda-toolkit"},
    ),
    "dnf": (
        "dnf install -y",
        {"make": "make", "c++": "gcc-c++", "venv": "python3", "nvcc": "cuda-toolkit"},
    ),
    "pacman": (
        "pacman -S --needed",
        {"make": "make", "c++": "gcc", "venv": "python", "nvcc": "cuda"},
    ),
    "zypper": (
        "zypper install -y",
        {"make": "make", "c++": "gcc-c++", "venv": "python3", "nvcc": "cuda-toolkit"},
    ),
    "apk": (
        "apk add",
        {"make": "make", "c++": "g++ musl-dev linux-headers", "venv": "python3"},
    ),
    "brew": ("brew install", {"make": "make", "venv": "python"}),
    "winget": (
        "winget install --id",
        {
            "make": "GnuWin32.Make",
            "c++": "Microsoft.VisualStudio.2022.BuildTools --override "
            '"--wait --passive --add Microsoft.VisualStudio.Workload.VCTools '
            '--includeRecommended"',
            "venv": "Python.Python.3.13",
            "nvcc": "Nvidia.CUDA",
        },
    ),
}
_WORDS = {
    "make": "GNU make",
    "c++": "a C++ compiler",
    "venv": "Python's venv and ensurepip modules",
    "nvcc": "NVIDIA's CUDA toolkit (nvcc)",
}


def hint(machine: Machine, tool: str, python: str = "") -> str:
    """The command that installs a tool here; `python` is "3.11", for Debian's package of venv."""
    if machine.system == "Darwin" and tool in ("c++", "make"):
        return "Install it: xcode-select --install"
    for manager, (command, packages) in _MANAGERS.items():
        if tool not in packages or not machine.which(manager):
            continue
        package = packages[tool]
        if (manager, tool) == ("apt-get", "venv") and python:
            package = f"python{python}-venv"
        sudo = "" if machine.root or manager in ("brew", "winget") else "sudo "
        return f"Install it: {sudo}{command} {package}"
    return f"Install {_WORDS[tool]} with your system's package manager."


def compiler(machine: Machine) -> str:
    """A C++ compiler; empty if there is none."""
    if machine.windows:
        where = (machine.environ.get("ProgramFiles(x86)", r"C:\Program Files (x86)")).rstrip("\\")
        vswhere = where + r"\Microsoft Visual Studio\Installer\vswhere.exe"
        tools = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
        asked = [vswhere, "-products", "*", "-requires", tools, "-property", "installationPath"]
        return machine.which("cl") or (machine.output(asked) or "").strip()
    if machine.system == "Darwin" and machine.output(["xcode-select", "-p"]) is None:
        return ""  # /usr/bin/clang++ is there even so, but only asks to be installed
    names = [machine.environ.get("CXX", ""), "c++", "g++", "clang++"]
    return next((found for name in names if name and (found := machine.which(name))), "")


def missing_venv() -> bool:
    """Whether this Python cannot make virtual environments (Debian ships them apart)."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return True
    return False


_TK = """
import importlib.util, sys
try: import tkinter
except ImportError:
    if sys.base_prefix == "/usr": print("python3-tk")
    elif importlib.util.find_spec("_tkinter"): print("libtk8.6")
"""


def missing_tk(machine: Machine, python: str) -> str:
    """Debian's package that gives this Python Tk: its own Python's part, or the library of one built with it.

    Empty if Tk is there, or if no package can bring it: then windows, and their tests, are left out.
    """
    return (machine.output([python, "-c", _TK]) or "").strip()
