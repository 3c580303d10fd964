"""A GGUF is checked before native code sees it."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import struct
from contextlib import contextmanager
from pathlib import Path

import pytest

from assistant.engine import gguf_types
from assistant.engine.gguf import inspect
from assistant.errors import ModelInvalid
from tests.engine import gguf_maker as maker
from tests.engine.gguf_maker import ARRAY, BOOL, F32, I32, STRING, U32, build, metadata, tensors

LAYOUT = (
    *("architecture", "parameters", "layers", "embedding", "vocabulary"),
    *("tensor_bytes", "layer_bytes", "other_bytes"),
)
"""What native code sizes its memory by."""


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        path = tmp_path / "secret-name.gguf"
        path.write_bytes(content)
        return path

    return write


def refused(path) -> str:
    with pytest.raises(ModelInvalid) as caught:
        inspect(path)
    assert "secret-name" not in caught.value.message
    assert "/" not in caught.value.message
    return caught.value.message


# --- what is right ---------------------------------------------------------------------------


def test_says_what_is_in_the_real_model(tiny_model):
    info = inspect(tiny_model)
    assert (info.architecture, info.layers, info.embedding) == ("llama", 30, 576)
    assert (info.heads, info.kv_heads, info.vocabulary, info.context) == (9, 3, 49152, 8192)
    assert info.parameters == 134_515_008
    assert info.quantization == "Q4_1"
    assert len(info.layer_bytes) == 30
    assert sum(info.layer_bytes) + info.other_bytes == info.tensor_bytes == 96_576_768
    assert len(info.chat_template_sha256) == 64


def test_says_what_is_in_a_toy(write):
    pairs = metadata() | {"tokenizer.chat_template": (STRING, "{{ x }}")}
    info = inspect(write(build(pairs)))
    layer = 32 * 32 // 32 * 34 + 32 * 4
    assert info.layer_bytes == (layer, layer)
    assert info.other_bytes == 32 * 16 * 4 + 32 * 4
    assert info.parameters == 32 * 16 + 2 * (32 * 32 + 32) + 32
    assert (info.name, info.quantization, info.version) == ("Toy", "F32", 3)
    assert info.chat_template_sha256 == hashlib.sha256(b"{{ x }}").hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        build(version=2),
        build(padding=False),
        build(metadata() | {"general.alignment": (U32, 64)}, alignment=64),
        build(metadata() | {"general.file_type": (U32, 1024 + 15)}),
        build(metadata() | {"llama.attention.head_count_kv": (ARRAY, (I32, [2, 0]))}),
        build({k: v for k, v in metadata().items() if k != "tokenizer.ggml.scores"}),
        build(metadata() | {"llama.block_count": (U32, 3), "llama.nextn_predict_layers": (U32, 1)}),
    ],
    ids=["v2", "unpadded", "alignment", "guessed", "per layer", "no scores", "next-n"],
)
def test_reads_what_is_unusual_but_right(write, content):
    assert inspect(write(content)).vocabulary == 16


def test_quantization_without_a_file_type_is_the_commonest(write):
    pairs = metadata()
    del pairs["general.file_type"]
    infos = [("token_embd.weight", (32, 16), 8), *tensors()[1:]]
    assert inspect(write(build(pairs, infos))).quantization == "Q8_0"


def test_tables_agree_with_the_reference_package():
    reference = pytest.importorskip("gguf.constants")
    assert {int(k): (k.name, *v) for k, v in reference.GGML_QUANT_SIZES.items()} == {
        k: tuple(v) for k, v in gguf_types.TENSOR_TYPES.items()
    }
    names = {
        int(k): k.name.removeprefix("MOSTLY_").removeprefix("ALL_") for k in reference.LlamaFileType
    }
    for number, name in gguf_types.FILE_TYPES.items():
        assert names[number].removesuffix("_MOE") == name


# --- what it costs ---------------------------------------------------------------------------


def cost_of(write, pairs, more=(), layers=2):
    """The cost of the toy with other metadata, its layers' tensors replaced by (layer, name, shape)."""
    head = [("token_embd.weight", (32, 16), 0), ("output_norm.weight", (32,), 0)]
    norms = [(f"blk.{n}.attn_norm.weight", (32,), 0) for n in range(layers)]
    infos = [(f"blk.{n}.{name}", size, 0) for n, name, size in more]
    prefixed = {f"llama.{key}": value for key, value in pairs.items()}
    wanted = metadata() | {"llama.block_count": (U32, layers)} | prefixed
    return inspect(write(build(wanted, [*head, *norms, *infos]))).cost


def test_the_real_models_cost_what_they_take(tiny_model, starter_model):
    tiny, starter = inspect(tiny_model).cost, inspect(starter_model).cost
    assert set(tiny.kv_width) == {2 * 3 * 64}
    assert set(starter.kv_width) == {2 * 2 * 64}
    assert not any(tiny.state_width + starter.state_width)
    assert (tiny.graph_width, starter.graph_width) == (3 * 1536 + 4 * 576, 3 * 4864 + 4 * 896)
    # The one uses its embeddings as output, the other has both.
    assert tiny.output_bytes == inspect(tiny_model).other_bytes
    assert starter.output_bytes == 144_646_656 < inspect(starter_model).other_bytes


def test_cache_widths_come_from_the_metadata_or_the_tensors(write):
    assert cost_of(write, {}).kv_width == (2 * (8 + 8),) * 2
    lengths = {"attention.key_length": (U32, 16), "attention.value_length": (U32, 4)}
    assert cost_of(write, lengths).kv_width == (2 * (16 + 4),) * 2
    heads = {"attention.head_count_kv": (ARRAY, (I32, [2, 0]))}
    assert cost_of(write, heads).kv_width == (32, 0)
    tensors = [(0, "attn_k.weight", (32, 24)), (0, "attn_v.weight", (32, 12))]
    assert cost_of(write, {}, [*tensors, (1, "attn_k.weight", (32, 8))]).kv_width == (36, 16)
    latent = lengths | {
        "attention.key_length_mla": (U32, 4),
        "attention.value_length_mla": (U32, 4),
    }
    assert cost_of(write, latent).kv_width == (2 * 16,) * 2


def test_layers_without_a_cache_of_their_own_cost_none(write):
    assert cost_of(write, {"attention.shared_kv_layers": (U32, 3)}, layers=4).kv_width == (
        32,
        0,
        0,
        0,
    )
    assert cost_of(write, {"nextn_predict_layers": (U32, 1)}, layers=3).kv_width == (32, 32, 0)


def test_recurrent_layers_cost_a_state_for_each_sequence(write):
    sizes = {
        "ssm.conv_kernel": (U32, 4),
        "ssm.inner_size": (U32, 64),
        "ssm.state_size": (U32, 16),
        "ssm.group_count": (U32, 2),
    }
    more = [(0, "ssm_out.weight", (64, 32)), (0, "attn_qkv.weight", (32, 96))]
    found = cost_of(write, sizes, more)
    assert found.kv_width == (0, 32)
    assert found.state_width == (3 * (64 + 2 * 2 * 16) + 16 * 64, 0)


def test_the_widest_part_of_the_graph(write):
    assert cost_of(write, {"feed_forward_length": (U32, 100)}).graph_width == 3 * 100 + 4 * 32
    each = {"feed_forward_length": (ARRAY, (I32, [10, 70]))}
    assert cost_of(write, each).graph_width == 3 * 70 + 4 * 32
    experts = {"expert_used_count": (U32, 8), "expert_feed_forward_length": (U32, 20)}
    assert cost_of(write, experts).graph_width == 8 * (3 * 20 + 32) + 4 * 32


def test_an_output_of_its_own_is_counted_once(write):
    infos = [*tensors(), ("output.weight", (32, 16), 8)]
    own = inspect(write(build(infos=infos))).cost
    assert own.output_bytes == 32 * 4 + 32 * 16 // 32 * 34
    tied = inspect(write(build())).cost
    assert tied.output_bytes == 32 * 4 + 32 * 16 * 4
    assert tied.largest_bytes == 32 * 32 // 32 * 34


@pytest.mark.parametrize(
    "pairs",
    [
        {"attention.key_length": (U32, (1 << 32) - 1)},
        {"attention.key_length": (F32, 3.5)},
        {"attention.key_length": (BOOL, True)},
        {"attention.value_length": (STRING, "long")},
        {"attention.shared_kv_layers": (I32, -1)},
        {"feed_forward_length": (ARRAY, (I32, [-1, 5]))},
        {"feed_forward_length": (ARRAY, (F32, [1.0]))},
        {"feed_forward_length": (ARRAY, (I32, [1] * 5000))},
    ],
)
def test_numbers_that_cannot_be_right_are_not_believed(write, pairs):
    assert cost_of(write, pairs) == cost_of(write, {})


# --- what is wrong ---------------------------------------------------------------------------


def changed(**changes):
    """Metadata with values replaced (`__` for a dot), or removed with None."""
    pairs = metadata() | {k.replace("__", "."): v for k, v in changes.items()}
    return {k: v for k, v in pairs.items() if v is not None}


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (changed(general__architecture=None), "general.architecture"),
        (changed(general__architecture=(STRING, "\0\0")), "architecture"),
        (changed(llama__block_count=None), "llama.block_count"),
        (changed(llama__block_count=(F32, 2.0)), "llama.block_count"),
        (changed(llama__block_count=(BOOL, True)), "llama.block_count"),
        (changed(llama__block_count=(U32, 0)), "between"),
        (changed(llama__block_count=(U32, 1)), "layer there is not"),
        (changed(llama__block_count=(U32, 3)), "layer 2 are missing"),
        (changed(llama__context_length=None), "llama.context_length"),
        (changed(llama__embedding_length=(U32, 64)), "token embeddings"),
        (changed(**{"llama.attention.head_count": (U32, 5)}), "heads"),
        (changed(**{"llama.attention.head_count": (U32, 12)}), "heads do not divide"),
        (changed(**{"llama.attention.head_count_kv": (U32, 0)}), "key-value"),
        (changed(**{"tokenizer.ggml.model": None}), "tokenizer.ggml.model"),
        (changed(**{"tokenizer.ggml.tokens": None}), "no tokens"),
        (changed(**{"tokenizer.ggml.tokens": (ARRAY, (U32, [1] * 16))}), "right type"),
        (changed(**{"tokenizer.ggml.tokens": (ARRAY, (STRING, maker.TOKENS[:9]))}), "9 tokens"),
        (changed(**{"tokenizer.ggml.scores": (ARRAY, (F32, [0.0] * 15))}), "15 scores"),
        (changed(**{"tokenizer.ggml.token_type": (ARRAY, (I32, [1] * 17))}), "17 types"),
        (changed(**{"tokenizer.ggml.token_type": (ARRAY, (0, [1] * 16))}), "right type"),
        (changed(**{"tokenizer.ggml.merges": (STRING, "a b")}), "right type"),
        (
            changed(**{"tokenizer.ggml.tokens": (ARRAY, (STRING, [*maker.TOKENS[:15], "<0x-1>"]))}),
            "byte token",
        ),
        (changed(**{"tokenizer.ggml.eos_token_id": (U32, 16)}), "eos_token_id"),
        (changed(**{"tokenizer.ggml.padding_token_id": (I32, -1)}), "padding_token_id"),
        (changed(**{"llama.rope.freq_base": (F32, float("nan"))}), "not a number"),
        (changed(general__alignment=(U32, 0)), "alignment"),
        (changed(general__alignment=(U32, 48)), "power of two"),
        (changed(general__alignment=(STRING, "32")), "alignment"),
        (changed(general__type=(STRING, "adapter")), "adapter"),
        (changed(split__count=(U32, 3)), "split"),
        (changed(**{"bad key": (U32, 1)}), "characters"),
    ],
)
def test_refuses_metadata_that_cannot_be(write, pairs, words):
    assert words in refused(write(build(pairs)))


@pytest.mark.parametrize(
    ("infos", "words"),
    [
        ([], "tensor count"),
        (tensors()[1:], "no token embeddings"),
        ([*tensors(), ("output_norm.weight", (32,), 0)], "twice"),
        ([*tensors(), ("blk.7.attn_q.weight", (32,), 0)], "layer there is not"),
        ([*tensors(), ("blk.01.attn_q.weight", (32,), 0)], "layer there is not"),
        ([*tensors(), ("n" * 64, (32,), 0)], "length of a tensor's name"),
        ([*tensors(), ("a b", (32,), 0)], "characters"),
        ([*tensors(), ("x", (16,), 8)], "whole Q8_0 blocks"),
    ],
)
def test_refuses_tensors_that_cannot_be(write, infos, words):
    assert words in refused(write(build(infos=infos)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "too short"),
        (b"PK\x03\x04" + bytes(100), "does not begin with GGUF"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(100), "big-endian"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(100), "version 1"),
        (build() + bytes(64), "after its last tensor"),
        (build()[:-33], "missing"),
    ],
)
def test_refuses_other_files(write, content, words):
    assert words in refused(write(content))


def test_refuses_what_is_no_file(tmp_path):
    pipe = tmp_path / "secret-name"
    os.mkfifo(pipe)
    assert "regular file" in refused(pipe)
    assert "opened" in refused(tmp_path / "secret-name-2")
    assert refused(tmp_path)


# --- the real model, damaged -----------------------------------------------------------------


@contextmanager
def little_memory():
    """No number in the file makes us allocate: the real header has 1.8 MB, 48 MB are to be had."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    room = pages * resource.getpagesize() + (48 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Damaged:
    """The real model's header in a sparse file of the real size, patched and put right again."""

    def __init__(self, model, path):
        self.path, self.size = path, model.stat().st_size
        with model.open("rb") as file:
            start = file.read(4 << 20)
        self.fields, end = fields(start)
        self.header = start[:end]
        path.write_bytes(self.header)
        os.truncate(path, self.size)
        self.info = inspect(path)

    def try_patch(self, offset: int, patch: bytes):
        """The error's message, or the info."""
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(patch)
        try:
            with little_memory():
                return self._answer()
        finally:
            with self.path.open("r+b") as file:
                file.seek(offset)
                file.write(self.header[offset : offset + len(patch)])

    def _answer(self):
        try:
            return inspect(self.path)
        except ModelInvalid as exc:
            return exc.message

    def truncated(self, size: int):
        os.truncate(self.path, size)
        try:
            with little_memory():
                return self._answer()
        finally:
            with self.path.open("r+b") as file:
                file.write(self.header)
            os.truncate(self.path, self.size)


def fields(data: bytes):
    """Where the structure lies: {kind: [(offset, struct format)]}, by an independent walk."""
    found: dict[str, list[tuple[int, str]]] = {}
    at = 0

    def take(kind, form):
        nonlocal at
        found.setdefault(kind, []).append((at, form))
        (number,) = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize(form)
        return number

    def skip(kind):
        nonlocal at
        length = take(kind, "Q")
        at += length

    take("magic", "I")
    take("version", "I")
    infos, pairs = take("tensor count", "Q"), take("pair count", "Q")
    for _ in range(pairs):
        skip("key length")
        kind = take("value type", "I")
        if kind == STRING:
            skip("string length")
        elif kind == ARRAY:
            item, count = take("item type", "I"), take("item count", "Q")
            for _ in range(count if item == STRING else 0):
                skip("item length")
            at += 0 if item == STRING else count * struct.calcsize(maker.FORMS[item])
        else:
            at += struct.calcsize(maker.FORMS[kind])
    for _ in range(infos):
        skip("name length")
        for _ in range(take("dimensions", "I")):
            take("dimension", "Q")
        take("tensor type", "I")
        take("offset", "Q")
    return found, at


@pytest.fixture(scope="module")
def damaged(tiny_model, tmp_path_factory):
    return Damaged(tiny_model, tmp_path_factory.mktemp("damaged") / "secret-name.gguf")


HUGE = (1 << 64) - 1
WRONG = {
    "magic": [0, 0x46554746],
    "version": [0, 1, 4, 3 << 24, (1 << 32) - 1],
    "tensor count": [0, "-1", "+1", 1 << 32, 1 << 63, HUGE],
    "pair count": [0, "-1", "+1", 1 << 32, 1 << 63, HUGE],
    "key length": [0, "-1", "+1", 1 << 16, 1 << 63, HUGE],
    "value type": [13, 255, 9, (1 << 32) - 1],
    "string length": ["+1", "-1", 1 << 40, 1 << 63, HUGE],
    "item type": [9, 13, (1 << 32) - 1],
    "item count": ["+1", "-1", 1 << 24, 1 << 61, 1 << 63, HUGE],
    "item length": ["+1", 1 << 26, 1 << 40, 1 << 63, HUGE],
    "name length": [0, "+1", "-1", 64, 1 << 63, HUGE],
    "dimensions": [0, "+1", 5, 1 << 31, (1 << 32) - 1],
    "dimension": [0, "+1", "-1", 1 << 32, 1 << 62, 1 << 63, HUGE],
    "tensor type": [4, 5, 36, 42, 1 << 31, 10],
    "offset": [1, "+1", "-1", "+32", "-32", 1 << 62, 1 << 63, HUGE],
}
CASES = [(kind, wrong) for kind, values in WRONG.items() for wrong in values]
assert len(CASES) == 80


@pytest.mark.parametrize(("kind", "wrong"), CASES)
def test_80_wrong_numbers_are_refused(damaged, kind, wrong):
    places = damaged.fields[kind]
    offset, form = places[len(places) // 2]
    (right,) = struct.unpack_from("<" + form, damaged.header, offset)
    value = right + int(wrong) if isinstance(wrong, str) else wrong
    assert value != right
    value %= 1 << (8 * struct.calcsize(form))
    answer = damaged.try_patch(offset, struct.pack("<" + form, value))
    assert isinstance(answer, str), f"{kind} {right} -> {value} was believed"


def test_60_truncations_are_refused(damaged):
    sizes = [0, 3, 4, 23, 24, damaged.size - 1, damaged.size - 33]
    sizes += [len(damaged.header) + n for n in (-1, 0, 1)]
    chance = random.Random(1)
    sizes += [chance.randrange(24, len(damaged.header)) for _ in range(30)]
    sizes += [chance.randrange(len(damaged.header), damaged.size - 64) for _ in range(20)]
    assert len(sizes) == 60
    for size in sizes:
        assert isinstance(damaged.truncated(size), str), size
    assert inspect(damaged.path) == damaged.info


def test_60_flipped_bits_are_refused_or_change_no_layout(damaged):
    chance = random.Random(2)
    places = [place for kind in damaged.fields.values() for place in kind]
    positions = [chance.randrange(len(damaged.header)) for _ in range(20)]
    for offset, form in chance.sample(places, 15):
        positions.append(offset + chance.randrange(struct.calcsize(form)))
    for kind in ("name length", "dimensions", "dimension", "tensor type", "offset"):
        for offset, form in chance.sample(damaged.fields[kind], 5):
            positions.append(offset + chance.randrange(struct.calcsize(form)))
    assert len(positions) == 60
    refusals = 0
    for position in positions:
        byte = damaged.header[position] ^ 1 << chance.randrange(8)
        answer = damaged.try_patch(position, bytes([byte]))
        if isinstance(answer, str):
            refusals += 1
        else:
            for name in LAYOUT:
                assert getattr(answer, name) == getattr(damaged.info, name), (position, name)
    assert refusals >= 40  # every structural one, by this seed
    assert inspect(damaged.path) == damaged.info


def test_a_file_that_shrinks_while_it_is_read_is_refused(damaged, monkeypatch):
    from assistant.engine import gguf

    real = gguf.open_model

    def shrinking(path):
        file, size = real(path)
        os.truncate(path, 1000)
        return file, size

    monkeypatch.setattr(gguf, "open_model", shrinking)
    try:
        assert "shorter" in refused(damaged.path)
    finally:
        damaged.truncated(0)
