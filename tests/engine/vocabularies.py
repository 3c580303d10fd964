"""The real vocabularies of the catalogue's models, without their weights."""

import ctypes
import functools
from pathlib import Path

import llama_cpp as cpp

from assistant.engine.grammar import Vocabulary


@functools.cache
def load(path: Path) -> Vocabulary:
    params = cpp.llama_model_default_params()
    params.vocab_only = True
    vocab = cpp.llama_model_get_vocab(cpp.llama_model_load_from_file(str(path).encode(), params))
    room = ctypes.create_string_buffer(1 << 12)
    ids = range(cpp.llama_vocab_n_tokens(vocab))

    def token(number: int) -> bytes:
        size = cpp.llama_token_to_piece(vocab, number, room, len(room), 0, True)
        text, kind = room.raw[:size], cpp.llama_vocab_get_attr(vocab, number)
        own = kind & cpp.LLAMA_TOKEN_ATTR_USER_DEFINED and text[:1] + text[-1:] == b"<>"
        return b"\xff" + text if kind & cpp.LLAMA_TOKEN_ATTR_CONTROL or own else text

    def encode(text: bytes) -> list[int]:
        out = (cpp.llama_token * (len(text) + 8))()
        return list(out[: cpp.llama_tokenize(vocab, text, len(text), out, len(out), False, False)])

    ends = tuple(number for number in ids if cpp.llama_vocab_is_eog(vocab, number))
    return Vocabulary([token(number) for number in ids], ends, encode)


def thinking(vocabulary: Vocabulary) -> Vocabulary:
    """The same with the two tokens that a reasoning model has, in place of its last two texts."""
    tokens = list(vocabulary.tokens)
    spare = [n for n, token in enumerate(tokens) if len(token) > 12 and token[:1] != b"\xff"][-2:]
    for number, mark in zip(spare, (b"<think>", b"</think>"), strict=True):
        tokens[number] = mark
    return vocabulary._replace(
        tokens=tokens, encode=lambda text: [t for t in vocabulary.encode(text) if t not in spare]
    )
