"""Check a GGUF file before native code reads it, and say what is in it.

llama.cpp's loader trusts many numbers it reads (CVE-2025-53630, CVE-2026-27940 and more), so none
reaches it unchecked. What no structure shows, a flipped bit in a weight or a word, the sha256 does.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import msgspec

from assistant.engine import gguf_types as kinds
from assistant.engine.gguf_bytes import open_model
from assistant.engine.gguf_cost import Cost, cost
from assistant.engine.gguf_reader import Array, Header
from assistant.errors import ModelInvalid

_BLOCK = re.compile(r"(?:.*\.)?blk\.(\d+)\.")
_BYTE_TOKEN = re.compile(rb"<0x[0-9A-Fa-f]{2}>")
_BYTE_TYPE = 6
_ARCHITECTURE = re.compile(r"[a-z0-9_.\-]{1,64}")

MAX_LAYERS = 4096
MAX_CONTEXT = 1 << 30
MAX_EMBEDDING = 1 << 20
MAX_HEADS = 1 << 14


class GgufInfo(msgspec.Struct, frozen=True):
    """What a model file says of itself, after every check."""

    version: int
    architecture: str
    name: str
    parameters: int
    """Elements of all tensors."""
    layers: int
    context: int
    """Tokens of context it was trained with."""
    embedding: int
    """Width of its hidden state."""
    heads: int
    """Attention heads; the most of any layer where layers differ. 0: it has none."""
    kv_heads: int
    vocabulary: int
    quantization: str
    """Such as `Q4_K_M`."""
    tensor_bytes: int
    layer_bytes: tuple[int, ...]
    """Bytes of each layer's tensors, to plan what fits on a GPU."""
    other_bytes: int
    """Bytes of the tensors outside the layers: embeddings, output."""
    chat_template_sha256: str = ""
    """Of the template inside, which is never executed. Empty: there is none."""
    cost: Cost = Cost()
    """What it needs beside its weights."""


def inspect(path: Path) -> GgufInfo:
    """Check the whole structure of a GGUF file; reads its header only.

    Raises ModelInvalid naming the problem, never the path.
    """
    file, size = open_model(path)
    with file:
        try:
            return _Model(Header(file, size)).info()
        except OSError as exc:
            raise ModelInvalid(f"The model file cannot be read: {exc.strerror}.") from exc


class _Model:
    """The meaning of a header: required keys, tokenizer, layers."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.metadata = header.metadata

    def info(self) -> GgufInfo:
        self._check_kind()
        architecture = self._text("general.architecture")
        if not _ARCHITECTURE.fullmatch(architecture):
            raise ModelInvalid("The file does not name its architecture.")
        layers = self._integer(f"{architecture}.block_count", 1, MAX_LAYERS)
        context = self._integer(f"{architecture}.context_length", 1, MAX_CONTEXT)
        embedding = self._integer(f"{architecture}.embedding_length", 1, MAX_EMBEDDING)
        heads, kv_heads = self._heads(architecture, embedding)
        vocabulary = self._vocabulary()
        self._check_embeddings(embedding, vocabulary)
        layer_bytes = self._layer_bytes(architecture, layers)
        total = sum(tensor.size for tensor in self.header.tensors)
        template = self.metadata.get("tokenizer.chat_template")
        return GgufInfo(
            version=self.header.version,
            architecture=architecture,
            name=self._text("general.name", "")[:200],
            parameters=sum(tensor.elements for tensor in self.header.tensors),
            layers=layers,
            context=context,
            embedding=embedding,
            heads=heads,
            kv_heads=kv_heads,
            vocabulary=vocabulary,
            quantization=self._quantization(),
            tensor_bytes=total,
            layer_bytes=layer_bytes,
            other_bytes=total - sum(layer_bytes),
            chat_template_sha256=hashlib.sha256(template).hexdigest()
            if isinstance(template, bytes)
            else "",
            cost=cost(self.header, architecture, layers, embedding),
        )

    def _check_kind(self) -> None:
        if self.metadata.get("general.type", b"model") != b"model":
            raise ModelInvalid("The file is an adapter, a projector or a vocabulary, not a model.")
        parts = self.metadata.get("split.count", 0)
        if not isinstance(parts, int) or parts > 1:
            raise ModelInvalid("The file is one part of a split model; join the parts first.")

    def _heads(self, architecture: str, embedding: int) -> tuple[int, int]:
        # Models without attention (Mamba, RWKV) have no heads or say 0; some say one per layer.
        prefix = f"{architecture}.attention."
        heads = self._most(prefix + "head_count", 0)
        kv_heads = self._most(prefix + "head_count_kv", heads)
        per_layer = isinstance(self.metadata.get(prefix + "head_count_kv"), Array) or isinstance(
            self.metadata.get(prefix + "head_count"), Array
        )
        if not per_layer and heads and (not kv_heads or heads % kv_heads):
            raise ModelInvalid(f"{heads} attention heads cannot share {kv_heads} key-value heads.")
        # Without a key length, a head is an equal share of the hidden state.
        shared = not per_layer and heads and prefix + "key_length" not in self.metadata
        if shared and embedding % heads:
            raise ModelInvalid(f"{heads} attention heads do not divide {embedding}.")
        return heads, kv_heads

    # --- tokenizer ---------------------------------------------------------------------------

    def _vocabulary(self) -> int:
        """Tokens; native code indexes the arrays beside them without asking how long they are."""
        self._text("tokenizer.ggml.model")
        tokens = self._array("tokenizer.ggml.tokens", kinds.STRING)
        if tokens is None or not tokens.length:
            raise ModelInvalid("The file has no tokens.")
        scores = self._array("tokenizer.ggml.scores", kinds.FLOAT32)
        types = self._array("tokenizer.ggml.token_type", kinds.INT32, kinds.UINT32)
        self._array("tokenizer.ggml.merges", kinds.STRING)
        self._array("tokenizer.ggml.precompiled_charsmap", kinds.INT8, kinds.UINT8)
        for what, array in (("scores", scores), ("types", types)):
            if array is not None and array.length != tokens.length:
                raise ModelInvalid(f"There are {tokens.length} tokens, but {array.length} {what}.")
        if types is not None:
            self._check_byte_tokens(tokens, types)
        for key, value in self.metadata.items():
            if key.startswith("tokenizer.ggml.") and key.endswith("_token_id"):
                self._check_token(key, value, tokens.length)
        return tokens.length

    def _check_byte_tokens(self, tokens: Array, types: Array) -> None:
        # A byte token such as <0x-1> made llama.cpp write before an array (its issue 25969).
        found = self.header.numbers(types)
        if _BYTE_TYPE not in found:
            return
        for kind, text in zip(found, self.header.strings(tokens), strict=True):
            if kind == _BYTE_TYPE and not _BYTE_TOKEN.fullmatch(text):
                raise ModelInvalid("A byte token does not name a byte.")

    def _check_token(self, key: str, value: object, count: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
            raise ModelInvalid(f"{key} is not one of the {count} tokens.")

    # --- tensors -----------------------------------------------------------------------------

    def _check_embeddings(self, embedding: int, vocabulary: int) -> None:
        for tensor in self.header.tensors:
            if tensor.name == "token_embd.weight":
                if tensor.shape != (embedding, vocabulary):
                    raise ModelInvalid(
                        f"The token embeddings are {tensor.shape}, not ({embedding}, {vocabulary})."
                    )
                return
        raise ModelInvalid("The file has no token embeddings.")

    def _layer_bytes(self, architecture: str, layers: int) -> tuple[int, ...]:
        sizes: Counter[int] = Counter()
        for tensor in self.header.tensors:
            if match := _BLOCK.match(tensor.name):
                if match[1] != str(int(match[1])) or int(match[1]) >= layers:
                    raise ModelInvalid(
                        f"The tensor {tensor.name} is of a layer there is not: {layers} layers."
                    )
                sizes[int(match[1])] += tensor.size
        # Layers at the end that only predict ahead may be left out, and a pruned "deci" model
        # has layers with nothing in them.
        ahead = self._integer(f"{architecture}.nextn_predict_layers", 0, layers, default=0)
        missing = [n for n in range(layers - ahead) if n not in sizes]
        if missing and architecture != "deci":
            raise ModelInvalid(f"The tensors of layer {missing[0]} are missing.")
        return tuple(sizes[n] for n in range(layers))

    def _quantization(self) -> str:
        kind = self.metadata.get("general.file_type")
        if isinstance(kind, int) and (kind & ~kinds.GUESSED) in kinds.FILE_TYPES:
            return kinds.FILE_TYPES[kind & ~kinds.GUESSED]
        sizes: Counter[str] = Counter()
        for tensor in self.header.tensors:
            sizes[tensor.kind.name] += tensor.size
        return sizes.most_common(1)[0][0]

    # --- values ------------------------------------------------------------------------------

    def _text(self, key: str, default: str | None = None) -> str:
        value = self.metadata.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, bytes):
            raise ModelInvalid(f"The file has no text {key}.")
        return value.decode("utf-8", "replace")

    def _integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ModelInvalid(f"The file has no number {key}.")
        if not low <= value <= high:
            raise ModelInvalid(f"{key} ({value}) is not between {low} and {high}.")
        return value

    def _most(self, key: str, default: int) -> int:
        """A number, or the largest of one per layer."""
        value = self.metadata.get(key)
        if isinstance(value, Array) and value.length <= MAX_LAYERS and value.kind in (4, 5):
            found = max((int(number) for number in self.header.numbers(value)), default=0)
            if not 0 <= found <= MAX_HEADS:
                raise ModelInvalid(f"{key} ({found}) is not between 0 and {MAX_HEADS}.")
            return found
        return self._integer(key, 0, MAX_HEADS, default)

    def _array(self, key: str, *allowed: int) -> Array | None:
        value = self.metadata.get(key)
        if value is None:
            return None
        if not isinstance(value, Array) or value.kind not in allowed:
            raise ModelInvalid(f"{key} is not a list of the right type.")
        return value
