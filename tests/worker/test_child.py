"""The supervised child, with a real process that dies, hangs, floods and lies."""

import asyncio
import contextlib
import io
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from assistant.config import LIMITS
from assistant.errors import ChildCrashed, ChildStopped, EngineBusy, Internal
from assistant.worker import Child, frames
from assistant.worker.child import Sink, _beat
from assistant.worker.supervisor import Timing

QUICK = Timing(start=20, silence=1.5, stop=2, backoff=0.05, backoff_most=0.2)


@pytest.fixture
async def child(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    one = Child("faulty", "faulty_child", timing=QUICK)
    yield one
    await one.close()


async def items(stream):
    return [item async for item in stream]


async def test_starts_lazily_and_streams(child):
    assert child.status().state == "stopped"
    assert await items(child.stream("count", {"to": 3})) == [0, 1, 2]
    assert child.status().state == "running"
    assert child.status().rss_bytes > 1 << 20


async def test_calls_are_answered_in_order_and_never_mixed(child):
    answers = await asyncio.gather(*(items(child.stream("count", {"to": n})) for n in range(20)))
    assert answers == [list(range(n)) for n in range(20)]


async def test_an_error_of_ours_keeps_its_class_and_message(child):
    with pytest.raises(EngineBusy, match="no room"):
        await child.call("fail")
    assert await child.call("count", {"to": 2}) == 1


async def test_a_bug_fails_its_call_alone_and_its_message_stays_inside(child):
    with pytest.raises(Internal) as caught:
        await child.call("bug")
    assert "secret" not in str(caught.value)
    with pytest.raises(Internal, match="no method"):
        await child.call("nothing")
    assert await child.call("count", {"to": 2}) == 1


async def test_prints_do_not_disturb_the_frames_and_are_logged_below_info(child, caplog):
    caplog.set_level("DEBUG", "assistant.worker")
    assert await child.call("chatter") == 7
    await child.close()
    said = [r for r in caplog.records if "a native library prints here" in r.getMessage()]
    assert [record.levelname for record in said] == ["DEBUG"]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT"])
async def test_death_ends_the_stream_and_the_next_call_is_answered(child, name):
    seen = []
    with pytest.raises(ChildCrashed, match=name):
        async for item in child.stream("die", name):
            seen.append(item)
    assert seen == [1]
    assert child.status().state == "crashed"
    assert child.status().crashes == 1
    assert await child.call("count", {"to": 2}) == 1
    assert child.status().starts == 2


async def test_every_waiting_call_hears_of_a_death(child):
    await child.ready()
    waiting = [asyncio.create_task(child.call("count", {"to": 9, "pause": 1})) for _ in range(5)]
    await asyncio.sleep(0.2)
    os.kill(child.status().pid, signal.SIGKILL)
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, ChildCrashed)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
async def test_a_silent_child_is_killed(child):
    with pytest.raises(ChildCrashed, match="SIGKILL"):
        await child.call("hang")


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be paused here")
async def test_a_machine_that_slept_does_not_cost_the_child(child):
    await child.call("environment")
    pid = child.status().pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(QUICK.silence + 0.7)
    os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(QUICK.silence / 2)
    assert (child.status().pid, child.status().crashes) == (pid, 0)


async def test_repeated_crashes_back_off(child):
    loop = asyncio.get_running_loop()
    gaps = []
    for _ in range(4):
        begun = loop.time()
        with pytest.raises(ChildCrashed):
            await child.call("die", "SIGKILL")
        gaps.append(loop.time() - begun)
    assert child.status().crashes == 4
    # The pauses are 0, 0, 0.05 and 0.1 s; a start alone takes more than that, so compare the sum.
    assert child._crashes_in_a_row == 4
    await child.call("count", {"to": 1})
    assert child._crashes_in_a_row == 0


async def test_leaving_a_stream_cancels_the_call(child):
    async with contextlib.aclosing(child.stream("count", {"to": 10_000, "pause": 0.01})) as stream:
        async for item in stream:
            if item == 3:
                break
    # Were it still counting, this would wait for 100 seconds.
    assert await asyncio.wait_for(child.call("count", {"to": 2}), 10) == 1


async def test_cancel_before_its_turn(child):
    await child.ready()
    long = asyncio.create_task(child.call("count", {"to": 20, "pause": 0.02}))
    queued = asyncio.create_task(child.call("count", {"to": 10_000, "pause": 0.01}))
    await asyncio.sleep(0.1)
    queued.cancel()
    assert await long == 19
    assert await asyncio.wait_for(child.call("count", {"to": 2}), 10) == 1


async def test_no_network_for_python_code(child):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), 1).close()
        assert await child.call("network", port) == "PermissionError"


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
async def test_no_network_and_no_owners_socket_for_native_code(child, family):
    assert await child.call("native_socket", int(family)) == -1


async def test_no_secrets_in_the_environment(child, monkeypatch):
    monkeypatch.setenv("NESTOR_HOME", "/home/someone")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    seen = await child.call("environment")
    assert "PATH" in seen
    assert not {"NESTOR_HOME", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"} & set(seen)


async def test_idle_unload_and_return(child):
    child.idle_unload_s = 0.3
    assert await child.call("count", {"to": 2}) == 1
    for _ in range(100):
        if child.status().state == "stopped":
            break
        await asyncio.sleep(0.05)
    assert child.status().state == "stopped"
    assert child.status().crashes == 0
    assert await child.call("count", {"to": 2}) == 1


async def test_prepare_runs_after_every_start(child):
    prepared = []

    async def prepare():
        prepared.append(await child.call_unprepared("count", {"to": 3}))

    child.prepare = prepare
    await child.call("count", {"to": 1})
    await child.call("count", {"to": 1})
    with pytest.raises(ChildCrashed):
        await child.call("die", "SIGKILL")
    await child.call("count", {"to": 1})
    assert prepared == [2, 2]


async def test_who_leaves_while_it_starts_takes_nothing_from_the_others(child):
    runs = []

    async def prepare():
        runs.append("begun")
        await child.call_unprepared("count", {"to": 10, "pause": 0.05})
        runs.append("done")

    child.prepare = prepare
    first = asyncio.create_task(child.call("count", {"to": 1}))
    second = asyncio.create_task(child.call("count", {"to": 2}))
    await asyncio.sleep(0.4)
    first.cancel()
    assert await second == 1
    assert runs == ["begun", "done"]


async def test_a_stop_is_not_a_crash(child):
    waiting = asyncio.create_task(child.call("count", {"to": 100, "pause": 0.05}))
    await asyncio.sleep(0.5)
    await child.stop()
    with pytest.raises(ChildStopped):
        await waiting
    assert child.status().crashes == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
async def test_no_core_dumps(child):
    await child.call("count", {"to": 1})
    limits = Path(f"/proc/{child.status().pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert await child.call("dumpable") == 0


async def test_large_frames_pass_and_too_large_ones_are_refused(child):
    assert len(await child.call("big", 8 << 20)) == 8 << 20
    with pytest.raises(ChildCrashed, match="too large"):
        await child.call("count", {"to": 1, "x": b"x" * (LIMITS.frame_bytes + 1)})
    assert await child.call("count", {"to": 2}) == 1


async def test_a_closed_child_stays_down(child):
    await child.call("count", {"to": 1})
    await child.close()
    with pytest.raises(ChildCrashed, match="stopping"):
        await child.call("count", {"to": 1})


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
async def test_a_child_ends_when_its_daemon_is_killed(tmp_path):
    script = (
        "import asyncio\n"
        "from assistant.worker import Child\n"
        "async def main():\n"
        "    child = Child('faulty', 'faulty_child')\n"
        "    await child.call('count', {'to': 1})\n"
        "    print(child.status().pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, env=env
    )
    pid = int(await daemon.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    daemon.kill()
    await daemon.wait()
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            break
        await asyncio.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_heartbeat_is_not_held_back_by_a_long_step():
    stream = io.BytesIO()
    sink = Sink(stream)
    sink.hold()
    sink.send(frames.Item(1, "a"))
    sink.send(frames.Beat(7))
    assert list(frames.Splitter().feed(stream.getvalue())) == [frames.Beat(7)]
    sink.hold()
    sink.send(frames.End(1))
    sink.release()
    sent = list(frames.Splitter().feed(stream.getvalue()))
    assert sent == [frames.Beat(7), frames.Item(1, "a"), frames.End(1)]


def test_a_report_that_fails_does_not_end_the_heartbeat(monkeypatch):
    monkeypatch.setattr(frames, "BEAT_S", 0.01)
    sent, calls = [], iter([{"n": 1}])

    def send(frame):
        sent.append(frame)
        if len(sent) == 3:
            raise SystemExit

    with pytest.raises(SystemExit):
        _beat(send, lambda: next(calls))
    assert [frame.report for frame in sent] == [{"n": 1}] * 3


def test_frames_survive_any_cut_of_the_pipe():
    wanted = [frames.Item(n, "x" * n) for n in range(40)]
    data = b"".join(frames.pack(frame) for frame in wanted)
    for size in (1, 3, 7, 64, len(data)):
        splitter = frames.Splitter()
        got = [f for at in range(0, len(data), size) for f in splitter.feed(data[at : at + size])]
        assert got == wanted
