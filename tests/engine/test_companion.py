"""Which draft model is loaded beside a model, where it goes, and why there is none; some in a real child."""

import contextlib
import random
from pathlib import Path

import pytest
from engine.amx import left_out
from engine.test_plan import CPU, GB, MACHINES, SHAPES, Device, gpu, machines

from assistant.config import Settings
from assistant.engine.batch import OUTPUT_ROWS
from assistant.engine.catalogue import Catalogue
from assistant.engine.companion import choose, place, ram_bytes, remaining
from assistant.engine.fallback import Remembered
from assistant.engine.loader import Loader
from assistant.engine.local import LocalEngine
from assistant.engine.plan import plan, reduced
from assistant.engine.vram import SPARE_BYTES, usable
from assistant.types import Finished, Message, Piece, Request, Sampling
from assistant.worker import Child
from assistant.worker.supervisor import Timing

# --- where it goes ---------------------------------------------------------------------------


def both(model, draft, machine, cells=8192):
    """The plans of a model and of its draft."""
    first = plan(SHAPES[model], machine, cells=cells, streams=9, least_cells=cells)
    return first, place(SHAPES[model], first, SHAPES[draft], machine, streams=9, cells=cells)


@pytest.mark.parametrize(
    ("model", "draft", "machine", "layers"),
    [
        ("1.5b", "starter", "none", 0),
        ("1.5b", "starter", "8 GB", 25),
        ("8b", "starter", "24 GB", 25),
        ("8b", "1.5b", "Apple", 29),
        ("8b", "starter", "4 GB", 0),
        ("70b", "starter", "24 GB", 0),
        ("70b", "8b", "8 and 24 GB", 0),
    ],
)
def test_it_is_on_the_gpu_only_where_all_of_both_is(model, draft, machine, layers):
    first, second = both(model, draft, MACHINES[machine])
    assert second.gpu_layers == layers
    if layers:
        assert first.gpu_layers == SHAPES[model].layers + 1


def test_where_only_part_of_it_fits_beside_the_model_it_stays_on_the_cpu():
    alone = plan(SHAPES["8b"], [gpu(20), CPU], cells=8192, streams=9)
    tight = gpu((alone.vram_bytes + SPARE_BYTES) / GB + 0.3)
    first, second = both("8b", "1.5b", [tight, CPU])
    assert first.gpu_layers == 33
    assert (second.gpu_layers, second.vram_bytes) == (0, 0)


def test_it_is_refused_where_memory_is_short():
    small = Device("CPU", "CPU", "cpu", 4 * GB, 8 * GB)
    assert both("8b", "1.5b", [small])[1] is None
    assert both("1.5b", "starter", [small])[1] is not None


@pytest.mark.parametrize("model", SHAPES)
def test_it_takes_nothing_that_is_not_free(model):
    chance = random.Random(5)
    on_gpu = 0
    for _ in range(200):
        machine = machines(chance)
        first, second = both(model, "starter", machine)
        if second is None or not second.gpu_layers:
            continue
        on_gpu += 1
        assert second.gpu_layers == SHAPES["starter"].layers + 1
        for number, one in enumerate(usable(machine)):
            taken = sum(plan.shares[number : number + 1][0] for plan in (first, second))
            assert taken <= max(one.free_bytes - SPARE_BYTES, 0)
    assert on_gpu > 10 or model == "70b"


def test_what_is_left_is_counted_once():
    first = plan(SHAPES["8b"], MACHINES["24 GB"], cells=8192, streams=9)
    card, host = remaining(SHAPES["8b"], first, MACHINES["24 GB"], streams=9)
    assert card.free_bytes == 24 * GB - first.vram_bytes
    assert host.free_bytes > CPU.free_bytes - GB
    inside = MACHINES["integrated"]
    shared = plan(SHAPES["8b"], inside, cells=8192, streams=9)
    chip, host = remaining(SHAPES["8b"], shared, inside, streams=9)
    assert chip.free_bytes == inside[0].free_bytes - shared.vram_bytes
    assert host.free_bytes <= CPU.free_bytes - shared.vram_bytes


def test_what_was_taken_off_a_gpu_is_in_the_machines_memory():
    big = SHAPES["8b"]
    first = plan(big, MACHINES["24 GB"], cells=8192, streams=9)
    host = [CPU]
    free = [
        remaining(big, reduced(first, big, share, streams=9), host, streams=9)[0].free_bytes
        for share in (1.0, 0.5, 0.0)
    ]
    assert free[0] > free[1] > free[2]
    whole = ram_bytes(big, cells=first.cells, streams=9, outputs=OUTPUT_ROWS)
    assert free[2] == CPU.free_bytes - whole
    half = reduced(first, big, 0.5, streams=9)
    assert (half.gpu_layers, half.offload_kv) == (round(first.gpu_layers / 2), False)


# --- which one -------------------------------------------------------------------------------


@pytest.mark.model
def test_which_one_the_settings_mean(tmp_path, tiny_model, starter_model):
    catalogue = Catalogue(starter_model.parent)
    starter, tiny = catalogue.resolve("starter"), catalogue.resolve("tiny")
    assert choose("off", catalogue, starter) == ""
    assert choose("tiny", catalogue, starter) == tiny
    assert choose("auto", catalogue, starter) == "The catalogue names no draft model for starter."
    assert choose("starter", catalogue, starter) == "A model does not draft for itself."
    assert choose("no-such", catalogue, starter) == "The catalogue has no model no-such."
    here = tmp_path / "tiny.gguf"
    here.symlink_to(tiny_model)
    missing = choose("starter", Catalogue(tmp_path), catalogue.resolve("tiny"))
    assert "`nestor models pull starter`" in missing
    damaged = Catalogue(tmp_path)
    (tmp_path / "starter.gguf").write_bytes(b"GGUF")
    assert "damaged" in choose("starter", damaged, tiny)


def test_the_catalogues_pairs(tmp_path):
    entries = {entry.id: entry for entry in Catalogue(tmp_path).entries()}
    pairs = {entry.id: entry.draft for entry in entries.values() if entry.draft}
    assert pairs["small"] == "starter"
    for model, draft in pairs.items():
        assert entries[model].family == entries[draft].family
        assert 2 * entries[draft].bytes < entries[model].bytes, "hardly quicker"
        assert not entries[draft].test_only


# --- in a real child -------------------------------------------------------------------------


@pytest.fixture
async def make(tmp_path, tiny_model, monkeypatch):
    """Engines that answer with a copy of the tiny model."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    copy = tmp_path / "copy.gguf"
    copy.symlink_to(tiny_model)
    made = []

    def build(mode="", **settings):
        left_out(monkeypatch)
        module = "crashing_service" if mode else "assistant.engine.service"
        timing = Timing(backoff=0.05, backoff_most=0.1)
        child = Child("engine", module, arguments=[mode] if mode else [], timing=timing)
        settings = Settings(model=str(copy), context=1024, **settings)
        catalogue, remembered = Catalogue(tiny_model.parent), Remembered(tmp_path / "engine.json")
        engine = LocalEngine(
            child, catalogue, settings, Loader(child, catalogue, settings, remembered)
        )
        made.append(engine)
        return engine

    yield build
    for engine in made:
        await engine.close()


async def ask(engine, text, tokens=24):
    place = engine.reserve()
    try:
        request = Request(
            (Message.of("user", text, "q"),), Sampling(temperature=0, max_tokens=tokens)
        )
        async with contextlib.aclosing(place.stream(request)) as items:
            said = [item async for item in items]
    finally:
        place.release()
    assert isinstance(said[-1], Finished)
    assert any(isinstance(item, Piece) for item in said)
    return said


@pytest.mark.model
async def test_a_draft_model_is_loaded_and_told(make):
    engine = make(draft_model="tiny")
    await ask(engine, "Where is Paris?")
    info = engine.info()
    assert (info.state, info.draft, info.draft_problem) == ("ready", "tiny", "")
    await engine._child.stop()
    await ask(engine, "Where is Rome?")
    assert engine.info().draft == "tiny"
    await engine.forget({"q"})


@pytest.mark.model
async def test_without_the_setting_there_is_none(make):
    engine = make()
    await ask(engine, "Where is Paris?")
    assert (engine.info().draft, engine.info().draft_problem) == ("", "")


@pytest.mark.model
@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("starter", "vocabulary"),
        ("gemma-3-27b", "nestor models pull gemma-3-27b"),
        ("auto", "names no draft model"),
        ("nonsense", "no model nonsense"),
    ],
)
async def test_the_model_answers_whatever_is_wrong_with_the_draft(
    make, starter_model, wanted, words
):
    engine = make(draft_model=wanted)
    await ask(engine, "Where is Paris?")
    info = engine.info()
    assert (info.state, info.draft, info.problem) == ("ready", "", "")
    assert words in info.draft_problem
    assert engine.children()[0].crashes == 0


@pytest.mark.model
async def test_a_crash_in_an_answer_costs_the_draft_first(make, tmp_path):
    engine = make(f"once:{tmp_path / 'died'}", draft_model="tiny")
    await ask(engine, "Where is Paris?")
    info = engine.info()
    assert engine.children()[0].crashes == 1
    assert (info.state, info.draft, info.safe_mode) == ("ready", "", "")
    assert "left out" in info.draft_problem


@pytest.mark.model
async def test_a_draft_that_kills_the_child_is_not_tried_again(make):
    engine = make("draft", draft_model="tiny")
    await ask(engine, "Where is Paris?")
    info = engine.info()
    assert (info.state, info.draft, info.safe_mode) == ("ready", "", "")
    assert "crashed" in info.draft_problem
    assert engine.children()[0].crashes == 1
    await engine._child.stop()
    await ask(engine, "Where is Rome?")
    assert engine.children()[0].crashes == 1
    assert "crashed" in engine.info().draft_problem
