"""KV states on disk: only ours, only whole, never after they were forgotten."""

from __future__ import annotations

import logging
import os
import random
import secrets
import signal
import stat
import subprocess
import sys
import threading
import time
from array import array

import numpy as np
import pytest

from assistant.engine import sealed, state_files
from assistant.engine.states import States, identity, shared_prefix, state_key

KEY = state_key(b"k" * 32)
OTHER_KEY = state_key(b"o" * 32)
LIMIT = 1 << 30
MODEL = identity("model", "0.3.36", "f16")
CHUNK = 1 << 12


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(sealed, "CHUNK_BYTES", CHUNK)


@pytest.fixture
def opened(tmp_path):
    """States of one folder; each call opens it again, as another process would."""
    all_of_them = []

    def opened(model=MODEL, key=KEY, limit=LIMIT, **more):
        states = States(tmp_path / "kv", key, model, limit, **{"reserve_bytes": 0, **more})
        all_of_them.append(states)
        return states

    yield opened
    for states in all_of_them:
        states.close()


@pytest.fixture
def files(tmp_path):
    return lambda: sorted((tmp_path / "kv").iterdir())


def body(size=3 * CHUNK + 17, seed=1) -> bytes:
    return random.Random(seed).randbytes(size)


def written(states) -> None:
    assert states.flush(30)


@pytest.fixture
def slow(monkeypatch):
    """The writer stops after its draft's header until `release` is set."""
    begun, release = threading.Event(), threading.Event()
    real = sealed._chunks

    def chunks(view):
        for chunk in real(view):
            begun.set()
            assert release.wait(30)
            yield chunk

    monkeypatch.setattr(sealed, "_chunks", chunks)
    yield begun, release
    release.set()


# --- what is put comes back ------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK])
def test_what_was_put_is_loaded_after_a_restart(opened, size):
    states = opened()
    states.put([1, 2, 3, -4, 2**31 - 1], body(size), chat="c_1", refs=["c_1", "m_1"])
    written(states)
    found, length = opened().best([1, 2, 3, -4, 2**31 - 1, 9])
    assert (found.chat, found.refs, found.bytes, length) == ("c_1", ("c_1", "m_1"), size, 5)
    assert array("i", found.tokens).tolist() == [1, 2, 3, -4, 2**31 - 1]
    assert opened().load(found) == body(size)


def test_what_is_not_written_yet_can_be_loaded(opened, slow):
    begun, release = slow
    states = opened()
    states.put([1, 2], body(), chat="c_1")
    states.put([3, 4, 5], body(seed=2), chat="c_2")
    assert begun.wait(30)
    for tokens, seed in (([1, 2], 1), ([3, 4, 5], 2)):
        found, length = states.best(tokens)
        assert (length, states.load(found)) == (len(tokens), body(seed=seed))
    assert not states.flush(0)
    release.set()
    written(states)
    assert opened().best([3, 4, 5])[1] == 3


def test_a_view_is_copied_and_a_buffer_is_taken_over(opened, slow):
    begun, release = slow
    states = opened()
    buffer = bytearray(body())
    states.put([1], memoryview(buffer), chat="c_1")
    buffer[:] = bytes(len(buffer))
    assert begun.wait(30)
    release.set()
    written(states)
    assert opened().load(opened().best([1])[0]) == body()
    mine = bytearray(body(seed=3))
    kept = states.put([2], mine, chat="c_2")
    assert states.load(kept) is not mine


def test_the_longest_prefix_wins_then_the_chat_then_the_latest(opened):
    states = opened()
    states.put([1, 2, 3, 4], b"a", chat="c_1")
    states.put([1, 2, 3, 5, 6], b"b", chat="c_2")
    states.put([1, 2, 9], b"c", chat="c_3")
    written(states)
    cases = {(1, 2, 3, 4, 7): ("c_1", 4), (1, 2, 3, 5): ("c_2", 4), (1, 2, 9, 9): ("c_3", 3)}
    for tokens, answer in cases.items():
        saved, length = states.best(tokens)
        assert (saved.chat, length) == answer
    assert states.best([1, 2, 3, 8], "c_1")[0].chat == "c_1"
    assert states.best([1, 2, 3, 8], "c_2")[0].chat == "c_2"
    states.load(states.best([1, 2, 3, 4])[0])
    assert states.best([1, 2, 3, 8])[0].chat == "c_1"
    assert states.best([7, 1, 2, 3]) is None
    assert states.best([]) is None


def test_shared_prefix_agrees_with_a_plain_loop():
    chance = random.Random(3)
    for _ in range(500):
        left = [chance.randrange(3) for _ in range(chance.randrange(6))]
        right = [chance.randrange(3) for _ in range(chance.randrange(6))]
        plain = next(
            (i for i, (a, b) in enumerate(zip(left, right)) if a != b), min(len(left), len(right))
        )
        as_array = [np.array(side, np.int32) for side in (left, right)]
        assert shared_prefix(*as_array) == plain


def test_a_chat_has_one_state_and_no_chat_one_per_prompt(opened, files):
    states = opened()
    for n in range(1, 5):
        states.put(range(n), b"x" * n, chat="c_1")
        written(states)
    states.put([7, 8], b"first")
    states.put([7, 8], b"second")
    states.put([7, 9], b"third")
    written(states)
    assert len(files()) == states.usage()[0] == 3
    assert states.load(states.best([0, 1, 2, 3])[0]) == b"xxxx"
    assert states.load(states.best([7, 8])[0]) == b"second"


def test_a_newer_state_replaces_one_that_was_loaded_meanwhile(opened, files, slow):
    begun, release = slow
    release.set()
    states = opened()
    states.put([1], b"old", chat="c_1")
    written(states)
    begun.clear()
    release.clear()
    states.put([1, 2], b"new", chat="c_1")
    assert begun.wait(30)
    assert states.load(states.best([1, 9], "c_1")[0]) is not None
    release.set()
    written(states)
    assert len(files()) == 1
    assert states.load(states.best([1, 2])[0]) == b"new"


def test_states_of_another_model_stay_but_are_not_used(opened):
    states = opened()
    states.put([1, 2], b"x", chat="c_1")
    written(states)
    other = opened(model=identity("another"))
    assert other.best([1, 2]) is None
    assert other.load(states.best([1, 2])[0]) is None
    other.put([1, 2], b"y", chat="c_1")
    written(other)
    again = opened()
    assert again.load(again.best([1, 2])[0]) == b"x"
    assert again.usage() == (2, 2)


# --- nobody else reads or changes them -------------------------------------------------------


def test_nothing_of_the_chat_is_in_the_folder(opened, files):
    states = opened()
    tokens = np.arange(1000, 2000, dtype="<i4")
    states.put(tokens, b"The secret is 4711. " * 500, chat="c_chat", refs=["m_memory", "t_turn"])
    written(states)
    (file,) = files()
    content = file.read_bytes() + file.name.encode()
    for needle in (
        b"c_chat",
        b"m_memory",
        b"t_turn",
        b"4711",
        tokens[5:8].tobytes(),
        MODEL.encode(),
    ):
        assert needle not in content
    assert len(set(content)) == 256
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_same_state_twice_shares_no_bytes(opened, files):
    states = opened()
    for chat in ("c_1", "c_2"):
        states.put([1, 2, 3], body(), chat=chat)
    written(states)
    one, two = (file.read_bytes() for file in files())
    blocks = {one[i : i + 16] for i in range(16, len(one) - 16)}
    assert not blocks & {two[i : i + 16] for i in range(16, len(two) - 16)}


def test_another_key_reads_nothing_and_clears_up(opened, files):
    states = opened()
    saved = states.put([1, 2], body(), chat="c_1")
    written(states)
    path = files()[0]
    assert sealed.read_header(path, OTHER_KEY) is None
    assert sealed.read_body(path, OTHER_KEY) is None
    assert opened(key=OTHER_KEY).best([1, 2]) is None
    assert files() == []
    assert opened().load(saved) is None


def test_the_key_is_not_the_databases():
    assert state_key(b"k" * 32) == KEY != b"k" * 32
    assert len(KEY) == 32
    assert KEY != OTHER_KEY


def state_in(tmp_path, size=2 * CHUNK + 100):
    """One file, its header's end, and what it must give."""
    path = tmp_path / "one.state"
    sealed.write(path, KEY, b"header", memoryview(body(size)), lambda: True)
    length = int.from_bytes(path.read_bytes()[24:28], "little")
    return path, 28 + length


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    path, header_end = state_in(tmp_path)
    right = path.read_bytes()
    chance = random.Random(4)
    places = {*range(header_end + 3), len(right) - 1, header_end + CHUNK, header_end + CHUNK + 15}
    places |= {chance.randrange(len(right)) for _ in range(200)}
    for place in places:
        wrong = bytearray(right)
        wrong[place] ^= 1 << chance.randrange(8)
        path.write_bytes(wrong)
        assert sealed.read_body(path, KEY) is None, place
        assert (sealed.read_header(path, KEY) is None) == (place < header_end), place
    path.write_bytes(right)
    assert sealed.read_body(path, KEY) == body(2 * CHUNK + 100)


def test_every_truncation_and_any_tail_is_noticed(tmp_path):
    path, header_end = state_in(tmp_path, 300)
    right = path.read_bytes()
    for size in range(len(right)):
        path.write_bytes(right[:size])
        assert sealed.read_header(path, KEY) is None, size
        assert sealed.read_body(path, KEY) is None, size
        whole = sealed.read_header(path, KEY, whole=False)
        assert whole == (None if size < header_end else (b"header", 300)), size
    path.write_bytes(right + b"\0")
    assert sealed.read_header(path, KEY) is None


def test_chunks_cannot_be_swapped_repeated_or_mixed(tmp_path):
    path, at = state_in(tmp_path, 3 * CHUNK)
    right, size = path.read_bytes(), CHUNK + sealed.TAG_BYTES
    start, chunks = right[:at], [right[at + n * size : at + (n + 1) * size] for n in range(3)]
    path.unlink()
    foreign_path, _ = state_in(tmp_path, 3 * CHUNK)
    foreign = foreign_path.read_bytes()[at:]
    mixed = [
        [chunks[1], chunks[0], chunks[2]],
        [chunks[0], chunks[0], chunks[2]],
        [chunks[0], chunks[1], foreign[2 * size :]],
        [foreign],
    ]
    for wrong in mixed:
        path.write_bytes(start + b"".join(wrong))
        assert sealed.read_header(path, KEY) == (b"header", 3 * CHUNK)
        assert sealed.read_body(path, KEY) is None
    # Nor can a file be cut to whole chunks and say so: the length is sealed too.
    path.write_bytes(start + chunks[0] + chunks[1])
    assert sealed.read_body(path, KEY) is None


def test_a_damaged_state_is_deleted_when_it_is_wanted(opened, files):
    states = opened()
    states.put([1, 2], body(), chat="c_1")
    written(states)
    (file,) = files()
    with file.open("r+b") as raw:
        raw.seek(-1, os.SEEK_END)
        raw.write(bytes([file.read_bytes()[-1] ^ 1]))
    again = opened()
    saved, _ = again.best([1, 2])
    assert again.load(saved) is None
    assert again.best([1, 2]) is None
    assert files() == []


def test_a_state_that_vanished_is_no_error(opened, files):
    states = opened()
    states.put([1, 2], body(), chat="c_1")
    written(states)
    files()[0].unlink()
    assert states.load(states.best([1, 2])[0]) is None
    assert states.usage() == (0, 0)


# --- room ------------------------------------------------------------------------------------


def test_the_one_used_longest_ago_gives_way(opened):
    states = opened(limit=3000)
    for n in range(3):
        states.put([n], body(1000, n), chat=f"c_{n}")
    written(states)
    states.load(states.best([0])[0])
    states.put([3], body(1000, 3), chat="c_3")
    written(states)
    assert {n for n in range(4) if states.best([n])} == {0, 2, 3}
    reopened = opened(limit=3000)
    reopened.load(reopened.best([2])[0])
    reopened.put([4], body(2000, 4), chat="c_4")
    written(reopened)
    assert {n for n in range(5) if reopened.best([n])} == {2, 4}
    assert reopened.usage() == (2, 3000)


def test_other_models_count_towards_the_limit(opened):
    states = opened(limit=3000)
    states.put([1], body(2000), chat="c_1")
    written(states)
    other = opened(model="other", limit=3000)
    other.put([1], body(2000), chat="c_1")
    written(other)
    assert other.usage() == (1, 2000)
    assert opened().best([1]) is None


def test_the_limit_holds_whatever_happens(opened, files):
    states = opened(limit=10_000, pending_bytes=6000)
    chance = random.Random(5)
    for _ in range(150):
        chat, size = f"c_{chance.randrange(8)}", chance.randrange(12_000)
        kept = states.put([chance.randrange(9)], bytes(size), chat=chat)
        assert kept is None or size <= 10_000
        if chance.random() < 0.5:
            written(states)
            assert states.usage()[1] <= 10_000
    written(states)
    assert states.usage()[0] == len(files())
    assert opened(limit=10_000).usage() == states.usage()


def test_what_is_not_written_yet_is_bounded(opened, slow):
    begun, release = slow
    states = opened(pending_bytes=10_000)
    assert states.put([1], bytes(9000), chat="c_1")
    assert begun.wait(30)
    assert states.put([2], bytes(2000), chat="c_2") is None
    assert states.put([3], bytes(900), chat="c_3")
    release.set()
    written(states)
    assert states.put([4], bytes(20_000), chat="c_4")  # alone, it may be larger
    written(states)
    assert states.usage()[0] == 3


def test_a_refused_state_leaves_the_older_one(opened, slow):
    begun, release = slow
    states = opened(pending_bytes=1000)
    states.put([5], bytes(500))
    assert begun.wait(30)
    states.put([1], bytes(400), chat="c_1")
    assert states.put([1, 2], bytes(800), chat="c_1") is None
    release.set()
    written(states)
    assert states.best([1, 2])[1] == 1


@pytest.mark.parametrize("failing", ["write", "full", "folder"])
def test_a_full_disk_loses_the_new_state_and_nothing_else(
    opened, files, monkeypatch, caplog, failing, tmp_path
):
    states = opened()
    states.put([1], body(), chat="c_1")
    written(states)
    broken = pytest.MonkeyPatch()
    if failing == "write":

        def no_room(file, data, real=sealed._write_all):
            real(file, bytes(data)[:100])
            raise OSError(28, "No space left on device", "/secret/path")

        broken.setattr(sealed, "_write_all", no_room)
    elif failing == "full":
        broken.setattr(state_files.StateFiles, "free_bytes", lambda _self: 10)
    else:
        broken.setattr(states._files, "_folder", tmp_path / "gone")
    with caplog.at_level(logging.INFO):
        states.put([1, 2, 3], body(9 * CHUNK), chat="c_2")
        written(states)
        assert states.best([1, 2, 3])[1] == 1
    broken.undo()
    assert "/" not in caplog.text.replace("states.py", "")
    assert len(files()) == 1
    states.put([1, 2], body(), chat="c_1")
    written(states)
    assert states.best([1, 2, 3])[1] == 2


def test_the_reserve_of_the_disk_is_left_alone(opened, monkeypatch):
    free = 10_000
    monkeypatch.setattr(state_files.StateFiles, "free_bytes", lambda _self: free)
    states = opened(reserve_bytes=8000)
    states.put([1], bytes(1500), chat="c_1")
    written(states)
    assert states.best([1])
    free = 8500
    states.put([2], bytes(1600), chat="c_2")  # fits once the first is gone
    written(states)
    assert states.best([2])
    assert not states.best([1])
    free = 7000
    states.put([3], bytes(1000), chat="c_3")
    written(states)
    assert not states.best([3])
    assert states.best([2])  # nothing is given up for what cannot fit even so


# --- forgetting ------------------------------------------------------------------------------


def test_forget_deletes_every_state_with_the_id_of_all_models(opened, files):
    states = opened()
    states.put([1], b"1", chat="c_1", refs=["m_1", "m_2"])
    states.put([2], b"2", chat="c_2", refs=["m_2"])
    states.put([3], b"3", chat="c_3", refs=["m_3"])
    states.put([4], b"4", refs=["m_1"])
    written(states)
    other = opened(model="other")
    other.put([1], b"5", chat="c_1", refs=["m_2"])
    other.put([3], b"6", chat="c_3")
    written(other)
    assert states.forget(["m_2"]) == 3
    assert states.forget(["c_3", "m_9"]) == 2
    assert states.forget([""]) == 0
    assert len(files()) == 1
    left = opened()
    assert left.load(left.best([4])[0]) == b"4"
    assert left.clear() == 1
    assert files() == []


def test_who_looks_for_an_id_finds_the_states_that_hold_it(tmp_path, opened, files, slow):
    """What a proof of forgetting asks, without the object that forgets."""
    begun, release = slow
    states = opened()
    looking = state_files.StateFiles(tmp_path / "kv", KEY)
    states.put([1], body(), chat="c_1", refs=["m_1"])
    assert begun.wait(30)
    (draft,) = looking.holding(["m_1"])
    assert draft.endswith(".draft")
    release.set()
    states.put([2], b"2", chat="c_2", refs=["m_1", "m_2"])
    written(states)
    assert len(looking.holding(["m_1"])) == 2
    assert looking.holding(["m_2"]) == looking.holding(["c_2", "m_9"]) != []
    assert looking.holding(["m_9", ""]) == []
    assert state_files.StateFiles(tmp_path / "kv", OTHER_KEY).holding(["m_1"]) == []
    assert len(files()) == 2
    states.forget(["m_1"])
    assert looking.holding(["m_1"]) == []


def test_the_daemon_forgets_without_the_model(opened, files):
    daemon = opened(model="")
    states = opened()
    states.put([1], b"1", chat="c_1", refs=["m_1"])
    states.put([2], b"2", chat="c_2", refs=["m_2"])
    written(states)
    assert daemon.forget(["m_1"]) == 1
    assert len(files()) == 1
    assert states.load(states.best([1])[0]) is None
    assert states.load(states.best([2])[0]) == b"2"


def test_what_is_forgotten_is_never_written_again(opened, files):
    states = opened()
    assert states.forget(["m_1", "c_9"]) == 0
    assert states.put([1], b"1", chat="c_1", refs=["m_1"]) is None
    assert states.put([1], b"1", chat="c_9") is None
    written(states)
    assert files() == []
    assert states.put([1], b"1", chat="c_1", refs=["m_2"])


def test_forget_drops_what_waits_and_stops_what_is_being_written(opened, files, slow):
    begun, release = slow
    states = opened()
    states.put([1], body(), chat="c_1", refs=["m_1"])
    assert begun.wait(30)
    states.put([2], body(), chat="c_2", refs=["m_1"])
    states.put([3], body(), chat="c_3", refs=["m_3"])
    done = []
    forgetting = threading.Thread(target=lambda: done.append(states.forget(["m_1"])))
    forgetting.start()
    while states.best([1]) or states.best([2]):
        time.sleep(0.001)
    assert not done  # it waits for the writer
    release.set()
    forgetting.join(30)
    assert done == [2]
    written(states)
    assert len(files()) == 1
    assert opened().best([3])


WRITER = """
import sys
from pathlib import Path
from assistant.engine import sealed
from assistant.engine.states import States, state_key
states = States(Path(sys.argv[1]), state_key(b"k" * 32), sys.argv[2], 1 << 30, reserve_bytes=0)
real = sealed._chunks
def chunks(view):
    for number, chunk in enumerate(real(view)):
        if number == 1 and sys.argv[3] == "wait":
            print("writing", flush=True)
            sys.stdin.readline()
        yield chunk
sealed._chunks = chunks
sealed.CHUNK_BYTES = 1 << 12
print("ready", flush=True)
n = 0
while True:
    n += 1
    chat = f"c_{n % 7}"
    states.put([n % 7, n], bytes([n % 251]) * 60_000, chat=chat, refs=["m_" + str(n % 7)])
    states.flush(60)
    if sys.argv[3] == "wait":
        print("done", flush=True)
"""


def writer(folder, mode):
    command = [sys.executable, "-c", WRITER, str(folder), MODEL, mode]
    pipe = subprocess.PIPE
    started = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert started.stdout.readline() == "ready\n"
    return started


def end(process) -> None:
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_deleting_wins_over_another_process_that_writes(opened, files, tmp_path):
    process = writer(tmp_path / "kv", "wait")
    try:
        assert process.stdout.readline() == "writing\n"
        daemon = opened(model="")
        assert [file.suffix for file in files()] == [".draft"]
        assert daemon.forget(["m_other"]) == 0
        (draft,) = files()
        daemon.forget(["m_1"])
        assert files() == []
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        # It may have begun the next one, which waits; the first never became a state.
        assert {file.suffix for file in files()} <= {".draft"}
        assert draft not in files()
    finally:
        end(process)


def test_killed_at_any_moment_it_leaves_only_whole_states(opened, files, tmp_path):
    chance = random.Random(6)
    for _ in range(12):
        process = writer(tmp_path / "kv", "run")
        while not any(file.suffix == ".state" for file in files()):
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        os.kill(process.pid, signal.SIGKILL)
        end(process)
        states = opened()
        assert all(file.suffix == ".state" for file in files())
        for n in range(7):
            if found := states.best([n]):
                data = states.load(found[0])
                assert data == bytes([array("i", found[0].tokens)[1] % 251]) * 60_000
    assert states.usage()[0] >= 1


def test_what_is_no_state_is_swept(opened, files, tmp_path):
    folder = tmp_path / "kv"
    folder.mkdir()
    (folder / "a.state").write_bytes(b"")
    (folder / "b.state").write_bytes(sealed.MAGIC + secrets.token_bytes(500))
    (folder / "c.999999999.draft").write_bytes(b"half")
    (folder / f"d.{os.getpid()}.draft").write_bytes(b"of an earlier process with our number")
    (folder / f"e.{os.getppid()}.draft").write_bytes(b"of a process that lives")
    assert opened().usage() == (0, 0)
    assert [file.name[0] for file in files()] == ["e"]


def test_close_gives_up_what_is_not_written(opened, files, slow):
    begun, release = slow
    states = opened()
    states.put([1], body(), chat="c_1")
    assert begun.wait(30)
    states.put([2], body(), chat="c_2")
    closing = threading.Thread(target=states.close)
    closing.start()
    while states.best([1]):
        time.sleep(0.001)
    release.set()
    closing.join(30)
    assert files() == []
    assert states.put([3], b"x") is None
    states.close()


def test_200_states_open_by_their_headers_alone(opened, files, monkeypatch):
    states = opened(pending_bytes=1 << 40)
    tokens = np.arange(8000)
    for n in range(200):
        states.put(np.append(tokens, n), bytes(5000), chat=f"c_{n}", refs=[f"m_{n}"])
    written(states)
    monkeypatch.setattr(sealed, "_open", None)  # whoever reads a body fails
    again = opened()
    assert again.usage() == (200, 1_000_000)
    found, length = again.best(np.append(tokens, 150))
    assert (found.chat, length) == ("c_150", 8001)
