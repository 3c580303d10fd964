"""What an answer may be, token by token. Belongs to the engine child: llguidance is native code.

llguidance computes which tokens may come next from a grammar (Lark with JSON Schemas in it) and the
bytes of the vocabulary. What a reasoning model thinks before its answer is under no grammar.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from assistant.engine.dialects import MARKS
from assistant.engine.thoughts import CLOSE, OPEN
from assistant.engine.tools import OWNER
from assistant.errors import EngineError, SchemaUnsupported

_KEPT = 16
"""Compiled grammars that are kept: programs send the same tools with each request."""
_CONTROL = b"\xff"
_PENALTY = np.where(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little") == 1,
    np.float32(np.inf),
    np.float32(-np.inf),
).astype(np.float32)
"""For each byte of a mask, the most that the logits of its eight tokens may be."""


class Vocabulary(NamedTuple):
    """The tokens of a model."""

    tokens: list[bytes]
    """The bytes of each. Control tokens begin with 0xFF, which no text holds."""
    eos: tuple[int, ...]
    """Every token that ends an answer."""
    encode: Callable[[bytes], list[int]]
    """Plain text in tokens; no control token comes of it."""


class Grammars:
    """Compiles grammars for one vocabulary, which it asks for at the first use (it costs 0.1 to 0.5 s)."""

    def __init__(self, vocabulary: Callable[[], Vocabulary]) -> None:
        self._vocabulary = vocabulary
        self._tokens: _Tokens | None = None
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()

    def matcher(self, grammar: str, *, thinking: bool = False) -> Matcher:
        """Follows one answer. Raises SchemaUnsupported, with the keyword that cannot be honoured.

        `thinking`: the prompt itself opened a thought.
        """
        if self._tokens is None:
            self._tokens = _Tokens(self._vocabulary())
        if grammar not in self._compiled:
            self._compiled[grammar] = _compile(self._tokens.tokenizer, grammar)
        self._compiled.move_to_end(grammar)
        while len(self._compiled) > _KEPT:
            self._compiled.popitem(last=False)
        return Matcher(self._tokens, self._compiled[grammar].deep_copy(), thinking=thinking)


class _Tokens:
    """A vocabulary as llguidance sees it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.tokens = [_seen(token) for token in vocabulary.tokens]
        self.eos = list(vocabulary.eos)
        self.encode = vocabulary.encode
        think = _CONTROL + OPEN.encode()
        self.think = self.tokens.index(think) if think in self.tokens else None
        """Only a vocabulary with this token belongs to a model that thinks."""
        self.tokenizer = LLTokenizer(
            TokenizerWrapper(_Encoder(self)), n_vocab=len(self.tokens), eos_token=self.eos
        )


class _Encoder:
    """What TokenizerWrapper wraps."""

    bos_token_id = None
    special_token_ids: Sequence[int] = ()

    def __init__(self, tokens: _Tokens) -> None:
        self.tokens = tokens.tokens
        self.eos_token_id = tokens.eos[0]
        self._encode = tokens.encode

    def __call__(self, text: bytes | str) -> list[int]:
        return self._encode(text if isinstance(text, bytes) else text.encode())


def _seen(token: bytes) -> bytes:
    """The marks of tool calls are text in a grammar, those of thoughts never are."""
    bare = token.removeprefix(_CONTROL)
    text = bare.decode("utf-8", "replace")
    if text in MARKS:
        return bare
    return _CONTROL + bare if text in (OPEN, CLOSE) else token


class Matcher:
    """Follows one answer, from its first token on."""

    def __init__(self, tokens: _Tokens, matcher: LLMatcher, *, thinking: bool) -> None:
        self._tokens = tokens
        self._matcher = matcher
        self._thinking = thinking
        self._may_think = tokens.think is not None and not thinking
        self._tail = b""
        """The last bytes of the thought."""
        self._bits = np.zeros((len(tokens.tokens) + 31) // 32 * 4, np.uint8)

    def mask(self, logits: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        """Set the logits of all tokens that may not come next to minus infinity, in place.

        Raises SchemaUnsupported if the grammar has become too large to follow.
        """
        if self._thinking:
            logits[self._tokens.eos] = -np.inf
            return
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        self._check()
        if self._may_think and self._tokens.think is not None:
            self._bits[self._tokens.think // 8] |= 1 << self._tokens.think % 8
        most = np.take(_PENALTY, self._bits, axis=0).reshape(-1)
        np.minimum(logits, most[: len(logits)], out=logits)

    def accept(self, token: int) -> None:
        """The token was chosen. Raises EngineError if the mask did not allow it."""
        if self._thinking:
            self._tail = self._longer(self._tail, token)
            self._thinking = CLOSE.encode() not in self._tail
        elif self._may_think and token == self._tokens.think:
            self._thinking = True
        elif not self._matcher.consume_token(token):
            self._check()
            raise EngineError("The answer left its grammar.")
        self._may_think = False

    def allowed(self, tokens: Sequence[int]) -> int:
        """How many of these the grammar would take, in this order. Changes nothing."""
        if self._thinking:
            return self._allowed_thought(tokens)
        return int(self._matcher.validate_tokens(list(tokens)))

    def forced(self) -> list[int]:
        """The tokens that must come next, as the model would write them. Changes nothing."""
        if self._thinking or self._may_think:
            return []
        return list(self._matcher.compute_ff_tokens())

    @property
    def done(self) -> bool:
        """Whether nothing may follow but the end."""
        return not self._thinking and not self._may_think and bool(self._matcher.is_stopped())

    def _allowed_thought(self, tokens: Sequence[int]) -> int:
        tail = self._tail
        for count, token in enumerate(tokens):
            if token in self._tokens.eos:
                return count
            tail = self._longer(tail, token)
            if CLOSE.encode() in tail:
                return count + 1
        return len(tokens)

    def _longer(self, tail: bytes, token: int) -> bytes:
        return (tail + self._tokens.tokens[token].removeprefix(_CONTROL))[-64:]

    def _check(self) -> None:
        if self._matcher.is_error():
            raise SchemaUnsupported("The JSON Schema allows too much to be followed any further.")


# --- compiling -------------------------------------------------------------------------------

_KEYWORDS = (
    (r"Unimplemented keys: \[(.*)\]", "", "not supported"),
    (r"Unknown format", "format", "this format is not known"),
    (r"min/maxProperties", "minProperties' or 'maxProperties",
     "supported only where all properties are required"),
    (r"patternProperty", "patternProperties", "its expressions must be disjoint"),
    (r".*([Rr]egex|lookaround)", "pattern", "this regular expression cannot be used"),
    (r"Resource|Pointer", "$ref' or '$schema", "it leads nowhere in this schema"),
    (r"oneOf", "oneOf", "supported only where no value can fit two of them"),
    (r"Invalid type", "type", "this is no type of JSON"),
    (r"invalid multiple of", "multipleOf", "it must be above 0"),
    (r".*anyOf is empty", "enum' or 'anyOf", "it leaves no value"),
)  # fmt: skip
"""How llguidance's messages begin, the keyword they are about, and what is wrong with it."""
_NAMES = re.compile(
    r"\b(allOf|anyOf|enum|const|required|properties|additionalProperties|items|prefixItems|type"
    r"|min(?:imum|Length|Items)|max(?:imum|Length|Items)|exclusiveM(?:in|ax)imum|multipleOf)\b"
)


def _compile(tokenizer: LLTokenizer, grammar: str) -> LLMatcher:
    limits = LLParserLimits(verbose_errors=False)
    matcher = LLMatcher(tokenizer, grammar, log_level=0, limits=limits)
    if matcher.is_error():
        raise SchemaUnsupported(explain(matcher.get_error(), grammar))
    return matcher


def explain(problem: str, grammar: str) -> str:
    """What llguidance found, with the keyword but without a word of what the schema holds."""
    place, _, reason = problem.partition("failed to compile JSON schema: ")
    whose = _whose(place, grammar)
    if not reason:
        return f"The JSON Schema {whose}is too large or too complex."
    reason = reason.splitlines()[0]
    for pattern, keyword, fault in _KEYWORDS:
        if found := re.match(pattern, reason):
            named = keyword or found[1].replace('"', "").replace(", ", "', '")
            return f"The JSON Schema {whose}cannot be used: keyword '{named}': {fault}."
    name = _NAMES.search(reason)
    fault = "no value can meet it" if reason.startswith("Unsatisfiable") else "it has a wrong value"
    about = f"keyword '{name[0]}': " if name else ""
    return f"The JSON Schema {whose}cannot be used: {about}{fault}."


def _whose(place: str, grammar: str) -> str:
    """Whose schema the line is that llguidance points at; the line before it says so."""
    line = re.search(r"at (\d+)\(", place)
    before = grammar.split("\n")[int(line[1]) - 2] if line and int(line[1]) > 1 else ""
    return f"of {before.removeprefix(OWNER)} " if before.startswith(OWNER) else ""
