"""Make small GGUF files, right ones and wrong ones."""

from __future__ import annotations

import math
import struct

U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10
FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
SIZES = {0: (1, 4), 1: (1, 2), 3: (32, 20), 8: (32, 34)}
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(13))]


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value(kind, content) -> bytes:
    if kind == STRING:
        return text(content)
    if kind == ARRAY:
        item, items = content
        body = b"".join(value(item, one) for one in items)
        return struct.pack("<IQ", item, len(items)) + body
    return struct.pack("<" + FORMS[kind], content)


def metadata() -> dict[str, tuple]:
    """Metadata of a model with 2 layers, width 32, 16 tokens."""
    return {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "Toy"),
        "general.file_type": (U32, 0),
        "llama.block_count": (U32, 2),
        "llama.context_length": (U32, 128),
        "llama.embedding_length": (U32, 32),
        "llama.attention.head_count": (U32, 4),
        "llama.attention.head_count_kv": (U32, 2),
        "tokenizer.ggml.model": (STRING, "llama"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, TOKENS)),
        "tokenizer.ggml.scores": (ARRAY, (F32, [0.0] * 16)),
        "tokenizer.ggml.token_type": (ARRAY, (I32, [2, 3, 3] + [6] * 13)),
        "tokenizer.ggml.bos_token_id": (U32, 1),
        "tokenizer.ggml.eos_token_id": (U32, 2),
        "tokenizer.ggml.add_bos_token": (BOOL, True),
    }


def tensors() -> list[tuple]:
    """(name, shape, type) of that model."""
    layer = [("attn_q.weight", (32, 32), 8), ("attn_norm.weight", (32,), 0)]
    return [
        ("token_embd.weight", (32, 16), 0),
        *((f"blk.{n}.{name}", shape, kind) for n in range(2) for name, shape, kind in layer),
        ("output_norm.weight", (32,), 0),
    ]


def build(
    pairs=None, infos=None, *, alignment=32, version=3, padding=True, filler=b"\x01"
) -> bytes:
    """A whole file."""
    pairs = metadata() if pairs is None else pairs
    infos = tensors() if infos is None else infos
    head = b"GGUF" + struct.pack("<IQQ", version, len(infos), len(pairs))
    for key, (kind, content) in pairs.items():
        head += text(key) + struct.pack("<I", kind) + value(kind, content)
    offset, data = 0, b""
    for name, shape, kind in infos:
        block, size = SIZES[kind]
        length = math.prod(shape) // block * size
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        data += filler * length + b"\0" * (-length % alignment)
        last = length
        offset += length + -length % alignment
    if not padding and last % alignment:
        data = data[: -(-last % alignment)]
    return head + b"\0" * (-len(head) % alignment) + data
