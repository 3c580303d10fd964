"""The set-up, on machines that are made up. Nothing is installed here."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]

sys.path.insert(0, str(ROOT / "packaging"))
try:
    probe = importlib.import_module("probe")
    steps = importlib.import_module("steps")
    install = importlib.import_module("install")
    bootstrap = importlib.import_module("bootstrap")
finally:
    sys.path.remove(str(ROOT / "packaging"))

CONSTRAINTS = (ROOT / "packaging" / "constraints.txt").read_text("utf-8")


def machine(
    system="Linux", arch="x86_64", *, programs=(), prints=None, files=(), root=False, **env
):
    return probe.Machine(
        system=system,
        arch=arch,
        environ=env,
        which=lambda name: f"/bin/{name}" if name in programs else None,
        output=lambda command: (prints or {}).get(command[0]),
        exists=lambda path: path in files,
        root=root,
    )


H200 = {"/bin/nvidia-smi": "GPU 0: NVIDIA H200 (UUID: GPU-1a2b)\n"}


class TestAccelerator:
    def test_none(self):
        assert probe.accelerator(machine()).kind == "cpu"

    def test_nvidia(self):
        found = probe.accelerator(machine(programs=("nvidia-smi", "nvcc"), prints=H200))
        assert (found.kind, found.name, found.nvcc) == ("cuda", "NVIDIA H200", "/bin/nvcc")

    def test_two_cards(self):
        prints = {"/bin/nvidia-smi": "GPU 0: A (UUID: x)\nGPU 1: B (UUID: y)\n"}
        assert probe.accelerator(machine(programs=("nvidia-smi",), prints=prints)).name == (
            "A and 1 more"
        )

    def test_a_driver_without_a_card(self):
        found = probe.accelerator(machine(programs=("nvidia-smi",)))
        assert found.kind == "cpu"
        assert "nvidia-smi" in found.name

    def test_a_cuda_compiler_alone_is_no_accelerator(self):
        assert probe.accelerator(machine(programs=("nvcc",))).kind == "cpu"

    def test_nvcc_off_the_path(self):
        there = "/usr/local/cuda/bin/nvcc"
        assert probe.nvcc(machine(files=(there,))) == there

    def test_nvidia_in_wsl(self):
        smi = "/usr/lib/wsl/lib/nvidia-smi"
        found = probe.accelerator(machine(files=(smi,), prints={smi: "GPU 0: RTX (UUID: x)\n"}))
        assert (found.kind, found.name) == ("cuda", "RTX")

    def test_apple(self):
        assert probe.accelerator(machine("Darwin", "arm64")).kind == "metal"
        assert probe.accelerator(machine("Darwin", "x86_64")).kind == "cpu"

    def test_left_alone_on_request(self):
        asked = machine(programs=("nvidia-smi",), prints=H200, NESTOR_ACCELERATOR="cpu")
        assert probe.accelerator(asked).kind == "cpu"

    def test_the_signature_changes_with_what_matters(self):
        plain = probe.signature(machine())
        assert probe.signature(machine(PATH="/elsewhere")) == plain
        assert probe.signature(machine(programs=("nvidia-smi",))) != plain
        assert probe.signature(machine(NESTOR_LLAMA_INDEX="x")) != plain


@pytest.mark.parametrize(
    ("where", "tool", "command"),
    [
        (machine(programs=("apt-get",)), "c++", "sudo apt-get install -y g++"),
        (machine(programs=("apt-get",), root=True), "c++", ": apt-get install -y g++"),
        (machine(programs=("apt-get",)), "venv", "sudo apt-get install -y python3.11-venv"),
        (machine(programs=("dnf",)), "c++", "sudo dnf install -y gcc-c++"),
        (machine(programs=("pacman",)), "c++", "sudo pacman -S --needed gcc"),
        (machine(programs=("zypper",)), "make", "sudo zypper install -y make"),
        (machine(programs=("apk",)), "c++", "apk add g++"),
        (machine("Darwin", programs=("brew",)), "c++", "xcode-select --install"),
        (machine("Darwin", programs=("brew",)), "venv", ": brew install python"),
        (machine("Windows", programs=("winget",)), "c++", "winget install --id Microsoft.Visual"),
        (machine("Windows", programs=("winget",)), "nvcc", "winget install --id Nvidia.CUDA"),
        (machine(), "nvcc", "package manager"),
    ],
)
def test_what_is_missing_is_named_with_its_command(where, tool, command):
    assert command in probe.hint(where, tool, "3.11")


@pytest.mark.parametrize("package", ["", "python3-tk", "libtk8.6"])
def test_tk_is_asked_of_the_python_that_runs_the_tests(package):
    where = machine(prints={"/venv/bin/python": f"{package}\n"})
    assert probe.missing_tk(where, "/venv/bin/python") == package
    assert probe.missing_tk(machine(), "/no/python") == ""


def test_tk_is_really_looked_for(tmp_path):
    """A folder that hides Tk stands in for a Python that was built without."""
    hidden = tmp_path / "tkinter.py"
    hidden.write_text("raise ImportError\n")
    where = replace(probe.this_machine(), output=lambda command: probe._output(
        ["env", f"PYTHONPATH={tmp_path}", *command]))  # fmt: skip
    found = probe.missing_tk(where, sys.executable)
    assert found == ("python3-tk" if sys.base_prefix == "/usr" else "libtk8.6")


class TestCompiler:
    def test_on_linux(self):
        assert probe.compiler(machine(programs=("g++",))) == "/bin/g++"
        assert probe.compiler(machine(programs=("my-c++",), CXX="my-c++")) == "/bin/my-c++"
        assert probe.compiler(machine()) == ""

    def test_apples_stub_does_not_count(self):
        stub = machine("Darwin", programs=("clang++",))
        assert probe.compiler(stub) == ""
        assert (
            probe.compiler(replace(stub, output=lambda _: "/Library/Developer")) == "/bin/clang++"
        )

    def test_on_windows(self):
        assert probe.compiler(machine("Windows")) == ""
        found = replace(machine("Windows"), output=lambda _: "C:\\VS\\BuildTools\r\n")
        assert probe.compiler(found) == "C:\\VS\\BuildTools"


class TestBuilds:
    cpu = probe.Accelerator("cpu", "CPU")
    metal = probe.Accelerator("metal", "Apple GPU")
    cuda = probe.Accelerator("cuda", "H200", "/bin/nvcc")

    def lines(self, found, environ=None, *, prebuilt=False):
        ways = install.builds(found, environ or {}, prebuilt=prebuilt)
        return [(b.kind, b.cmake, b.arguments("llama==1", "/cache")) for b in ways]

    def test_cpu_takes_what_pip_finds_first_and_shares_pips_cache(self):
        assert self.lines(self.cpu) == [("cpu", "", ["llama==1"])]

    def test_cpu_with_an_index(self):
        ((_, _, told),) = self.lines(self.cpu, {"NESTOR_LLAMA_INDEX": "file:///i"}, prebuilt=True)
        assert told == ["llama==1", "--extra-index-url", "file:///i"]

    def test_cuda_compiles_into_its_own_cache_then_falls_back(self):
        first, last = self.lines(self.cuda)
        own = ["--no-binary", "llama-cpp-python", "--cache-dir", str(Path("/cache/nestor-cuda"))]
        assert first == ("cuda", "-DGGML_CUDA=on", ["llama==1", *own])
        assert last == ("cpu", "", ["llama==1"])

    def test_cuda_prefers_a_prebuilt_wheel(self):
        environ = {"NESTOR_LLAMA_INDEX": "file:///cu"}
        first, second, _ = self.lines(self.cuda, environ, prebuilt=True)
        assert first[:2] == ("cuda", "")
        assert first[2][1:] == [
            "--extra-index-url",
            "file:///cu",
            "--only-binary",
            "llama-cpp-python",
        ]
        assert second[1] == "-DGGML_CUDA=on"

    def test_cuda_without_its_compiler_is_cpu(self):
        assert [w[0] for w in self.lines(replace(self.cuda, nvcc=""))] == ["cpu"]
        ways = self.lines(replace(self.cuda, nvcc=""), prebuilt=True)
        assert [w[0] for w in ways] == ["cuda", "cpu"]

    def test_metal(self):
        first, last = self.lines(self.metal)
        assert first[1] == "-DGGML_METAL=on"
        assert first[2][-1].endswith("nestor-metal")
        assert last[0] == "cpu"

    def test_the_users_own_flags_win_and_stay_apart(self):
        ((_, cmake, told),) = self.lines(self.cuda, {"CMAKE_ARGS": "-DGGML_VULKAN=on"})
        assert cmake == "-DGGML_VULKAN=on"
        assert "nestor-custom-" in told[-1]

    def test_flags_of_the_environment_never_reach_another_build(self):
        seen = install.quiet_environment(
            {"CMAKE_ARGS": "-DX", "PYTHONPATH": "/x", "PIP_USER": "1", "PIP_FIND_LINKS": "/wheels"}
        )
        assert not {"CMAKE_ARGS", "PYTHONPATH"} & set(seen)
        assert (seen["PIP_USER"], seen["PIP_FIND_LINKS"]) == ("0", "/wheels")


class TestLayout:
    def test_windows(self):
        layout = install.Layout(Path("repo"), windows=True)
        assert layout.program("nestor") == Path("repo/.venv/Scripts/nestor.exe")
        assert layout.site == Path("repo/.venv/Lib/site-packages")

    def test_elsewhere(self):
        layout = install.Layout(Path("repo"), windows=False)
        assert layout.python == Path("repo/.venv/bin/python")
        assert layout.site.parts[-2:] == (f"python{install.PYTHON}", "site-packages")


class TestSteps:
    def make(self, tmp_path, done, *, fail=""):
        def run(name):
            def step():
                done.append(name)
                if name == fail:
                    raise KeyboardInterrupt
                return "cpu"

            return step

        stamp = steps.Stamp(tmp_path / "stamp.json")
        progress = steps.Progress(io.StringIO())
        todo = [steps.Step(n, n, f"digest of {n}", run(n)) for n in ("a", "b", "c")]
        return todo, stamp, progress

    def test_each_once(self, tmp_path):
        done = []
        assert steps.carry_out(*self.make(tmp_path, done)) is True
        assert steps.carry_out(*self.make(tmp_path, done)) is False
        assert done == ["a", "b", "c"]

    def test_an_interrupted_one_is_continued(self, tmp_path):
        done = []
        with pytest.raises(KeyboardInterrupt):
            steps.carry_out(*self.make(tmp_path, done, fail="b"))
        assert steps.Stamp(tmp_path / "stamp.json").interrupted == "b"
        steps.carry_out(*self.make(tmp_path, done))
        assert done == ["a", "b", "b", "c"]
        assert steps.Stamp(tmp_path / "stamp.json").interrupted == ""

    def test_a_changed_input_repeats_one_step(self, tmp_path):
        done = []
        steps.carry_out(*self.make(tmp_path, done))
        todo, stamp, progress = self.make(tmp_path, done)
        todo[1] = replace(todo[1], digest="another")
        steps.carry_out(todo, stamp, progress)
        assert done == ["a", "b", "c", "b"]
        assert stamp.build("b") == "cpu"

    @pytest.mark.parametrize("damage", ["", "{", "[]", '{"steps": {"a": 1}}'])
    def test_a_damaged_stamp_means_nothing_is_done(self, tmp_path, damage):
        (tmp_path / "stamp.json").write_text(damage)
        assert not steps.Stamp(tmp_path / "stamp.json").done("a", "digest of a")

    def test_a_half_unpacked_package_is_forgotten(self, tmp_path):
        for name, files in {"good": ("METADATA", "RECORD"), "half": ("METADATA",)}.items():
            folder = tmp_path / f"{name}-1.dist-info"
            (folder / "licenses").mkdir(parents=True)
            for file in files:
                (folder / file).touch()
        assert steps.mend(tmp_path) == ["half-1.dist-info"]
        assert [p.name for p in tmp_path.iterdir()] == ["good-1.dist-info"]


class TestProgress:
    def test_a_line_now_and_then(self):
        out, now = io.StringIO(), iter([0.0, 5.0, 21.0, 30.0, 140.0, 200.0])
        progress = steps.Progress(out, lambda: next(now))
        progress.start("engine")
        for _ in range(4):
            progress.beat("compiling llama-cpp-python", "usually 6-10 min on 2 cores")
        progress.end()
        assert [line.strip() for line in out.getvalue().splitlines()] == [
            "compiling llama-cpp-python: 21 s so far, usually 6-10 min on 2 cores",
            "compiling llama-cpp-python: 2 min 20 s so far, usually 6-10 min on 2 cores",
            "engine: done in 3 min 20 s",
        ]

    def test_one_line_in_a_terminal(self):
        out = io.StringIO()
        out.isatty = lambda: True
        progress = steps.Progress(out)
        progress.start("a long title of a step")
        progress.say("a remark")
        progress.start("short")
        progress.end()
        shown = out.getvalue().strip().split("\n")
        assert shown[0].endswith("\ra remark")
        assert shown[-1].rstrip().endswith("short: done in 0 s")

    @pytest.mark.parametrize(
        ("line", "doing"),
        [
            ("Collecting torch==2.13.0", "looking for torch"),
            ("  Downloading torch-2.13.0-cp311.whl (3.2 MB)", "fetching torch (3.2 MB)"),
            (
                "Building wheel for llama-cpp-python (pyproject.toml): started",
                "compiling llama-cpp-python",
            ),
            ("Installing collected packages: a, b", "unpacking"),
            ("", "working"),
        ],
    )
    def test_pips_words(self, line, doing):
        assert install.phase(line) == doing


class TestWatch:
    def run(self, tmp_path, code, beat=lambda _: None):
        return steps.watch(
            [sys.executable, "-c", code],
            env=os.environ,
            cwd=tmp_path,
            log=tmp_path / "log",
            beat=beat,
        )

    def test_all_goes_to_the_log_and_noise_is_not_shown(self, tmp_path):
        noise = "WARNING: Location 'x' is ignored: it is neither a file nor a directory"
        code, lines = self.run(tmp_path, f'print("one"); print("""{noise}"""); exit(3)')
        assert (code, lines) == (3, ["one"])
        assert noise in (tmp_path / "log").read_text()

    def test_what_interrupts_us_ends_the_program(self, tmp_path):
        def beat(line):
            if line:
                raise KeyboardInterrupt

        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            self.run(tmp_path, "import time; print(1, flush=True); time.sleep(60)", beat)
        assert time.monotonic() - began < 20

    def test_two_at_once_wait_for_each_other(self, tmp_path):
        file = tmp_path / "lock"
        file.touch()

        class Waited(Exception):
            pass

        def wait():
            raise Waited

        with steps.only_one(file, wait), pytest.raises(Waited), steps.only_one(file, wait):
            pass
        with steps.only_one(file, wait):
            pass


@pytest.fixture
def fresh(tmp_path):
    """A checkout with a .venv that looks healthy, and a set-up that notes pip's commands."""
    layout = install.Layout(tmp_path, windows=False)
    (tmp_path / "packaging").mkdir()
    layout.constraints.write_text(CONSTRAINTS)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"))
    (tmp_path / "assistant").mkdir()
    (tmp_path / "assistant" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    (layout.site / "pip").mkdir(parents=True)
    layout.python.parent.mkdir()
    layout.python.touch()
    (layout.venv / "pyvenv.cfg").write_text(f"version = {install.PYTHON}.9\n")
    return layout


class Recorded(install.Setup):
    """A set-up whose pip installs nothing."""

    def __init__(self, layout, machine, offered=None, able="True"):
        self.commands, self.extras, self.offered = [], [], offered or {}
        loads = replace(machine, output=lambda c: able if "-c" in c else machine.output(c))
        super().__init__(layout, loads, steps.Progress(io.StringIO()))

    def _pip_command(self, *arguments, extra=None, usually=""):
        self.commands.append(
            [a for a in arguments if a not in ("-c", str(self.layout.constraints))]
        )
        self.extras.append(dict(extra or {}))

    def _ask(self, *arguments):
        return "/cache\n" if arguments == ("cache", "dir") else ""

    def _offered(self, requirement, *arguments):
        return self.offered.get(requirement, "")

    def _room(self, found):
        pass

    @property
    def said(self):
        return self.progress.out.getvalue()


class TestSetup:
    TORCH = install.pin(CONSTRAINTS, "torch")
    LLAMA = install.pin(CONSTRAINTS, "llama-cpp-python")
    CPU = machine(programs=("g++", "apt-get"))
    GPU = machine(programs=("g++", "nvidia-smi", "nvcc"), prints=H200)

    def test_the_engine_first_so_that_a_missing_compiler_is_said_at_once(self, fresh):
        setup = Recorded(fresh, machine(programs=("apt-get",)))
        with pytest.raises(steps.Stop) as stopped:
            setup.install()
        assert "no C++ compiler" in stopped.value.message
        assert stopped.value.hint == "Install it: sudo apt-get install -y g++"
        assert setup.commands == []

    def test_a_cpu_machine(self, fresh):
        setup = Recorded(fresh, self.CPU, {self.TORCH: "torch-2.13.0+cpu-cp311.whl"})
        setup.install(dev=True)
        firsts = [command[:2] for command in setup.commands]
        assert firsts[:2] == [["install", self.LLAMA], ["install", self.TORCH]]
        assert setup.commands[3] == ["install", "--no-deps", "-e", str(fresh.root)]
        assert any(need.startswith("pytest") for need in setup.commands[4])
        assert not any("CMAKE_ARGS" in extra for extra in setup.extras)

    def test_the_second_run_does_nothing(self, fresh):
        Recorded(fresh, self.CPU).install()
        again = Recorded(fresh, self.CPU)
        again.install()
        assert (again.commands, again.said) == ([], "")

    def test_dev_comes_on_top(self, fresh):
        Recorded(fresh, self.CPU).install()
        more = Recorded(fresh, self.CPU)
        more.install(dev=True)
        assert len(more.commands) == 1

    def test_a_cpu_machine_is_told_about_the_large_build(self, fresh):
        setup = Recorded(fresh, self.CPU, {self.TORCH: "torch-2.13.0-cp311-manylinux_x86_64.whl"})
        setup.install()
        assert "3 GB" in setup.said
        assert "NESTOR_TORCH_INDEX" in setup.said

    def test_a_gpu_machine_gets_cuda_builds(self, fresh):
        plain = self.TORCH.replace("==", "===")
        setup = Recorded(fresh, self.GPU, {plain: "torch-2.13.0-cp311-manylinux_x86_64.whl"})
        setup.install()
        assert "nestor-cuda" in setup.commands[0][-1]
        assert setup.extras[0] == {"CMAKE_ARGS": "-DGGML_CUDA=on", "CUDACXX": "/bin/nvcc"}
        assert setup.commands[1] == ["install", plain]
        assert steps.Stamp(fresh.stamp).build("llama") == "cuda"

    def test_a_build_that_cannot_use_the_gpu_is_not_kept(self, fresh):
        setup = Recorded(fresh, self.GPU, able="False")
        setup.install()
        assert [command[0] for command in setup.commands[:3]] == ["install", "uninstall", "install"]
        assert "cannot use the GPU" in setup.said
        assert steps.Stamp(fresh.stamp).build("llama") == "cpu"

    def test_a_gpu_without_nvcc_says_why_it_is_not_used(self, fresh):
        setup = Recorded(fresh, machine(programs=("g++", "nvidia-smi", "apt-get"), prints=H200))
        setup.install()
        assert "nvcc is missing" in setup.said
        assert "apt-get install -y nvidia-cuda-toolkit" in setup.said

    def test_a_gpu_that_appears_later_replaces_the_cpu_build(self, fresh):
        Recorded(fresh, self.CPU).install()
        setup = Recorded(fresh, self.GPU)
        setup.install()
        assert setup.commands[0] == ["uninstall", "-y", "llama-cpp-python"]

    @pytest.mark.parametrize("broken", ["python", "version", "pip"])
    def test_a_broken_environment_is_noticed(self, fresh, broken):
        setup = Recorded(fresh, self.CPU)
        stamp = steps.Stamp(fresh.stamp)
        assert setup._healthy(stamp)
        if broken == "python":
            fresh.python.unlink()
        elif broken == "version":
            (fresh.venv / "pyvenv.cfg").write_text("version = 3.9.1\n")
        else:
            (fresh.site / "pip").rmdir()
        assert not setup._healthy(stamp)

    def test_a_folder_that_moved_is_noticed(self, fresh):
        stamp = steps.Stamp(fresh.stamp)
        stamp.note(root="/elsewhere")
        assert not Recorded(fresh, self.CPU)._healthy(stamp)

    def test_no_room(self, fresh, monkeypatch):
        monkeypatch.setattr(install.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
        setup = install.Setup(fresh, self.CPU, steps.Progress(io.StringIO()))
        with pytest.raises(steps.Stop, match=r"1\.0 GB free"):
            setup._room(probe.Accelerator("cpu", ""))


class Spoken(bootstrap.Commands):
    """Commands that note what they would call."""

    def __init__(self, layout, status=None, codes=None):
        said = replace(machine(), output=lambda _: status)
        quiet = SimpleNamespace(install=lambda dev=False: None)
        super().__init__(layout, said, quiet)
        self.calls, self.codes = [], codes or {}

    def _call(self, *command, env=None, quiet=False):
        name = " ".join(str(part) for part in command[1:])
        self.calls.append(name)
        return self.codes.get(name.split()[0], 0)


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "assistant").mkdir()
    (tmp_path / "assistant" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    return install.Layout(tmp_path, windows=False)


class TestRun:
    ALL = ("up --detach", "models pull starter", f"ask {bootstrap.QUESTION}")

    def test_without_a_terminal_it_ends_with_the_answer(self, checkout):
        commands = Spoken(checkout)
        assert commands.run([]) == 0
        assert commands.calls == [*self.ALL]

    def test_a_daemon_of_another_version_is_replaced(self, checkout):
        old = Spoken(checkout, json.dumps({"version": "0.0.9"}))
        old.run([])
        assert old.calls == ["down", *self.ALL]
        same = Spoken(checkout, json.dumps({"version": "0.1.0"}))
        same.run([])
        assert same.calls == [*self.ALL]

    @pytest.mark.parametrize("step", ["models", "up", "ask"])
    def test_a_failing_step_stops_it_with_a_reason(self, checkout, step):
        commands = Spoken(checkout, codes={step: 7})
        with pytest.raises(steps.Stop):
            commands.run([])
        assert commands.calls[-1].startswith(step)


class TestCommandLine:
    def call(self, *arguments):
        return subprocess.run(
            [sys.executable, str(ROOT / "packaging" / "bootstrap.py"), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_help_names_every_command(self):
        shown = self.call("--help")
        assert shown.returncode == 0
        for name in bootstrap.COMMANDS:
            assert name in shown.stdout

    @pytest.mark.parametrize("arguments", [(), ("rnu",)])
    def test_an_unknown_command_does_nothing(self, arguments):
        assert self.call(*arguments).returncode == 2

    def test_make_has_the_same_commands(self):
        rules = (ROOT / "Makefile").read_text("utf-8")
        assert f"\n{' '.join(bootstrap.COMMANDS)}:\n" in rules


def test_clean_leaves_what_is_not_ours(checkout):
    for name in (".venv/bin", ".ruff_cache", "assistant/__pycache__", "models", "notes"):
        (checkout.root / name).mkdir(parents=True)
    assert Spoken(checkout).clean([]) == 0
    assert sorted(p.name for p in checkout.root.iterdir()) == ["assistant", "models", "notes"]
    assert [p.name for p in (checkout.root / "assistant").iterdir()] == ["__init__.py"]


def test_the_constraints_are_exact_and_have_no_local_tags():
    pins = [line for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
    assert [line for line in pins if line.count("==") != 1 or "+" in line or " " in line] == []


def test_the_constraints_cover_what_pyproject_asks_for():
    run, develop = install.requirements(install.Layout(ROOT, windows=False))
    for need in (*run, *develop):
        name = need.split(">")[0].split("=")[0].split("[")[0].strip().lower().replace("_", "-")
        assert install.pin(CONSTRAINTS, name).startswith(name)
