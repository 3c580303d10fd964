"""Grammars on real vocabularies: whatever is chosen under the mask is valid, and no mask is a dead end."""

import json
import random

import msgspec
import numpy as np
import pytest

from assistant.engine import tools
from assistant.engine.calls import Calls
from assistant.engine.grammar import Grammars, Matcher, explain
from assistant.errors import EngineError, SchemaUnsupported
from assistant.types import Format, Request, Tool, ToolPiece
from tests.engine import vocabularies
from tests.engine.validator import valid

SCHEMAS = {
    "string": {"type": "string"},
    "unicode": {"const": "Où est l'été ? 😀 日本語"},
    "short": {"type": "string", "minLength": 2, "maxLength": 5},
    "pattern": {"type": "string", "pattern": "^[A-ZÀ-Ý][a-zà-ÿ]{1,8}-[0-9]{3}$"},
    "integer": {"type": "integer", "minimum": -3, "maximum": 1200},
    "open range": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 0, "maximum": 10_000},
    "boolean": {"type": ["boolean", "null"]},
    "enum": {"enum": ["red", "green", "dark blue", 7, None, "日本"]},
    "numbers": {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 4},
    "nested": {
        "type": "array", "maxItems": 3,
        "items": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
    },
    "tuple": {
        "type": "array", "prefixItems": [{"type": "string", "maxLength": 4}, {"type": "integer"}],
        "items": False, "minItems": 2,
    },
    "object": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": "integer"}},
        "required": ["name", "age"], "additionalProperties": False,
    },
    "optional": {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}, "c": {"enum": ["x", "y"]}},
        "required": ["b"], "additionalProperties": False,
    },
    "none": {"type": "object", "properties": {}, "additionalProperties": False},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
    "either": {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 3}, {"type": "null"}]},
    "both": {"allOf": [{"type": "integer", "minimum": 3}, {"type": "integer", "maximum": 5}]},
    "reference": {
        "$defs": {"colour": {"enum": ["red", "blue"]}},
        "type": "object", "properties": {"paint": {"$ref": "#/$defs/colour"}},
        "required": ["paint"], "additionalProperties": False,
    },
    "tree": {
        "$defs": {"node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer", "minimum": 0, "maximum": 9},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "next"], "additionalProperties": False,
        }},
        "$ref": "#/$defs/node",
    },
    "told": {
        "title": "Person // %json {", "description": "Some\u2028one\n# \"x\": /y/", "type": "object",
        "properties": {"tags": {"type": "array", "items": {"type": "string", "maxLength": 6}, "default": []}},
        "additionalProperties": False,
    },
    "anything": {},
    "any object": {"type": "object"},
}  # fmt: skip

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"type": "integer"}},
    "required": ["city"],
}
TOOLS = (Tool("weather", "The weather of a city.", CITY), Tool("now", "The time."))


@pytest.fixture(scope="module", params=["tiny", pytest.param("starter", marks=pytest.mark.model)])
def vocabulary(request):
    return vocabularies.load(request.getfixturevalue(f"{request.param}_model"))


@pytest.fixture(scope="module")
def grammars(vocabulary):
    return Grammars(lambda: vocabulary)


def asked(schema=None, **rest):
    """The grammar of a request."""
    format_ = None if schema is None else Format(schema)
    return tools.grammar(Request((), format=format_, **rest), "chatml")


def candidates(matcher: Matcher, vocabulary) -> np.ndarray:
    logits = np.zeros(len(vocabulary.tokens), np.float32)
    matcher.mask(logits)
    assert set(np.unique(logits)) <= {0.0, -np.inf}
    return np.flatnonzero(logits == 0)


def follow(matcher, vocabulary, text: bytes) -> None:
    for token in vocabulary.encode(text):
        assert token in candidates(matcher, vocabulary), vocabulary.tokens[token]
        matcher.accept(token)


def write(matcher, vocabulary, rng, *, forced=False) -> bytes:
    """Let chance choose among what is allowed, now and then among what is short, until it is over."""
    out = b""
    for step in range(3_000):
        if forced and (ahead := matcher.forced()):
            assert matcher.allowed(ahead) == len(ahead)
            for token in ahead:
                matcher.accept(token)
                out += vocabulary.tokens[token].removeprefix(b"\xff")
        if matcher.done:
            break
        allowed = candidates(matcher, vocabulary)
        assert allowed.size, f"nothing may follow {out!r}"
        token = int(rng.choice(closing(allowed, vocabulary, out, step, rng)))
        if token in vocabulary.eos:
            break
        matcher.accept(token)
        out += vocabulary.tokens[token].removeprefix(b"\xff")
    else:
        raise AssertionError(f"no end: {out[-300:]!r}")
    assert set(vocabulary.eos) <= set(candidates(matcher, vocabulary))
    return out


def closing(allowed, vocabulary, out, step, rng):
    """Chance alone never ends a string: sometimes, and at last always, only what leads to an end."""
    if step < 200 and rng.random() < 0.6:
        return allowed
    ends = [t for t in allowed if t in vocabulary.eos or vocabulary.tokens[t] in (b'"', b"}", b"]")]
    if ends:
        return ends
    short = [t for t in allowed if len(vocabulary.tokens[t]) == 1 and not out.endswith(b"-")]
    return [t for t in short if vocabulary.tokens[t] not in b"{["] or short or allowed


@pytest.mark.parametrize("name", SCHEMAS)
def test_whatever_is_chosen_under_the_mask_is_valid(grammars, vocabulary, name):
    schema, grammar = SCHEMAS[name], asked(SCHEMAS[name])
    for seed in range(6):
        text = write(grammars.matcher(grammar), vocabulary, random.Random(seed), forced=seed % 2)
        value = msgspec.json.decode(text)
        assert valid(value, schema), (text, schema)
        assert b"\n" not in text


@pytest.mark.parametrize("choice", ["required", "weather", "now"])
def test_whatever_is_chosen_is_a_valid_call(grammars, vocabulary, choice):
    named = "" if choice == "required" else choice
    grammar = asked(tools=TOOLS, tool_choice="required", tool=named)
    for seed in range(6):
        text = write(grammars.matcher(grammar), vocabulary, random.Random(seed)).decode()
        bodies = [body.split("\n</tool_call>")[0] for body in text.split("<tool_call>\n")[1:]]
        calls = [json.loads(body) for body in bodies]
        assert 1 <= len(calls) <= (1 if named else 16)
        for call in calls:
            assert call["name"] == named or (not named and call["name"] in ("weather", "now"))
            wanted = (
                CITY | {"additionalProperties": False}
                if call["name"] == "weather"
                else {"enum": [{}]}
            )
            assert valid(call["arguments"], wanted), call


def test_text_is_free_until_a_call_is_opened(grammars, vocabulary):
    matcher = grammars.matcher(asked(tools=TOOLS))
    follow(
        matcher, vocabulary, 'A < b, été 😀 {"name": 1} <tool\nLet me look.\n<tool_call>'.encode()
    )
    assert not set(vocabulary.eos) & set(candidates(matcher, vocabulary))
    assert matcher.forced()
    assert bytes.join(b"", (vocabulary.tokens[t] for t in matcher.forced())).startswith(b'\n{"')
    follow(
        matcher, vocabulary, b'\n{"name": "weather", "arguments": {"city": "Lyon"}}\n</tool_call>'
    )
    assert set(vocabulary.eos) <= set(candidates(matcher, vocabulary))
    follow(matcher, vocabulary, b'\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>')
    assert set(vocabulary.eos) <= set(candidates(matcher, vocabulary))
    matcher.accept(vocabulary.eos[0])
    assert matcher.done


@pytest.mark.parametrize(
    "begun",
    ['{"name": "weather", ', '```json\n{\n  "name": "now",\n  "arguments":', '{"name":"weather"'],
)
def test_a_bare_call_is_held_to_its_schema_too(grammars, vocabulary, begun):
    for seed in range(4):
        matcher = grammars.matcher(asked(tools=TOOLS))
        follow(matcher, vocabulary, begun.encode())
        assert not set(vocabulary.eos) & set(candidates(matcher, vocabulary))
        text = begun + write(matcher, vocabulary, random.Random(seed)).decode()
        reader = Calls(tools.dialects.of("chatml"), TOOLS)
        pieces = reader.push(text) + reader.close()
        assert reader.complete, text
        assert {type(piece) for piece in pieces} == {ToolPiece}
        names = [piece.name for piece in pieces if piece.id]
        written = ["".join(p.arguments for p in pieces if p.index == n) for n in range(len(names))]
        for name, arguments in zip(names, written, strict=True):
            wanted = CITY | {"additionalProperties": False} if name == "weather" else {"enum": [{}]}
            assert valid(json.loads(arguments), wanted)


def test_json_that_is_no_call_is_text(grammars, vocabulary):
    matcher = grammars.matcher(asked(tools=TOOLS))
    follow(matcher, vocabulary, b'```json\n{"name": "Bob", "x": [1, }\n``` and so on')
    assert set(vocabulary.eos) <= set(candidates(matcher, vocabulary))


def test_an_answer_may_be_text_alone_or_nothing(grammars, vocabulary):
    matcher = grammars.matcher(asked(tools=TOOLS))
    assert set(vocabulary.eos) <= set(candidates(matcher, vocabulary))
    follow(matcher, vocabulary, b"No tool is needed.")
    assert set(vocabulary.eos) <= set(candidates(matcher, vocabulary))


def test_tools_that_may_not_be_called_cannot_be(grammars, vocabulary):
    matcher = grammars.matcher(asked(tools=TOOLS, tool_choice="none"))
    follow(matcher, vocabulary, b"Let me look.\n")
    opened = vocabulary.encode(b"<tool_call>")
    follow(matcher, vocabulary, b"<tool_call") if len(opened) > 1 else None
    last = vocabulary.encode(b">")[0] if len(opened) > 1 else opened[0]
    assert last not in candidates(matcher, vocabulary)


@pytest.mark.parametrize("family", ["chatml", "gemma", "llama3", "mistral", "phi"])
@pytest.mark.parametrize("choice", ["auto", "required", "none"])
@pytest.mark.parametrize("format_", [None, Format(), Format(SCHEMAS["tree"])])
def test_every_family_has_a_grammar_that_compiles(grammars, vocabulary, family, choice, format_):
    request = Request((), tools=TOOLS, tool_choice=choice, format=format_)
    matcher = grammars.matcher(tools.grammar(request, family))
    call = tools.dialects.of(family)
    text = call.first + call.head("weather") + '{"city": "Lyon"}}' + call.last
    ids = vocabulary.encode(text.encode())
    allowed = matcher.allowed(ids)
    # Llama 3 has no mark: its calls are JSON objects, and so fit where any object does.
    fits = choice != "none" or (family == "llama3" and format_ == Format())
    assert (allowed == len(ids)) == fits
    if choice != "none":
        for token in ids:
            matcher.accept(token)
        assert set(vocabulary.eos) <= set(candidates(matcher, vocabulary))


def test_json_or_a_call(grammars, vocabulary):
    grammar = asked(SCHEMAS["object"], tools=TOOLS)
    follow(grammars.matcher(grammar), vocabulary, b'{"name": "Ana", "age": 9}')
    follow(
        grammars.matcher(grammar), vocabulary,
        b'<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    )  # fmt: skip
    assert grammars.matcher(grammar).allowed(vocabulary.encode(b"Well")) == 0


def test_white_space_is_one_space_or_none(grammars, vocabulary):
    for text, fits in (
        (b'{"name": "Ana", "age": 9}', True), (b'{"name":"Ana","age":9}', True),
        (b'{ "name": "Ana"', False), (b'{\n"name"', False), (b'{"name":  "', False), (b" {", False),
    ):  # fmt: skip
        ids = vocabulary.encode(text)
        assert (grammars.matcher(asked(SCHEMAS["object"])).allowed(ids) == len(ids)) is fits


def test_looking_ahead_changes_nothing(grammars, vocabulary):
    matcher = grammars.matcher(asked(SCHEMAS["object"]))
    before = candidates(matcher, vocabulary)
    right = vocabulary.encode(b'{"name": "Ana", "age": 9}')
    wrong = vocabulary.encode(b'{"name": "Ana", "colour"')
    assert matcher.allowed(right) == len(right)
    assert 0 < matcher.allowed(wrong) < len(wrong)
    assert matcher.allowed([*right, *right]) == len(right)
    assert bytes.join(b"", (vocabulary.tokens[t] for t in matcher.forced())) == b'{"name'
    assert (candidates(matcher, vocabulary) == before).all()
    assert not matcher.done
    for token in right:
        matcher.accept(token)
    assert matcher.done
    assert matcher.forced() == []
    assert set(candidates(matcher, vocabulary)) == set(vocabulary.eos)


def test_a_token_the_mask_forbids_is_an_error(grammars, vocabulary):
    matcher = grammars.matcher(asked(SCHEMAS["integer"]))
    with pytest.raises((EngineError, SchemaUnsupported)):
        matcher.accept(vocabulary.encode(b"Hello")[0])


def test_matchers_of_one_grammar_do_not_share_their_place(grammars, vocabulary):
    first, second = (grammars.matcher(asked(SCHEMAS["object"])) for _ in range(2))
    follow(first, vocabulary, b'{"name": "A')
    follow(second, vocabulary, b'{"name": "Ben", "age": 3}')
    follow(first, vocabulary, b'na", "age": 4}')
    assert first.done
    assert second.done


def test_the_vocabulary_is_asked_for_once_and_late(vocabulary):
    asked_for = []

    def give():
        asked_for.append(1)
        return vocabulary

    grammars = Grammars(give)
    assert not asked_for
    for schema in (SCHEMAS["string"], SCHEMAS["integer"]):
        grammars.matcher(asked(schema))
    assert asked_for == [1]


# --- thoughts --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reasoning(vocabulary):
    return vocabularies.thinking(vocabulary)


def test_a_thought_is_under_no_grammar_and_the_answer_is(reasoning):
    matcher = Grammars(lambda: reasoning).matcher(asked(SCHEMAS["object"]))
    opens, closes = (reasoning.tokens.index(mark) for mark in (b"<think>", b"</think>"))
    first = candidates(matcher, reasoning)
    assert set(first) == {opens, reasoning.encode(b'{"name')[0]}
    assert matcher.forced() == []
    matcher.accept(opens)
    free = set(candidates(matcher, reasoning))
    assert free == set(range(len(reasoning.tokens))) - set(reasoning.eos)
    thought = reasoning.encode('Hm… \n\n<tool_call> "é'.encode())
    assert matcher.allowed([*thought, closes, opens, opens]) == len(thought) + 1
    assert matcher.allowed([*thought, reasoning.eos[0]]) == len(thought)
    for token in thought:
        matcher.accept(token)
    assert not matcher.done
    matcher.accept(closes)
    assert opens not in candidates(matcher, reasoning)
    follow(matcher, reasoning, b'{"name": "Ana", "age": 9}')
    assert matcher.done


def test_a_thought_that_the_prompt_opened(reasoning):
    matcher = Grammars(lambda: reasoning).matcher(asked(SCHEMAS["integer"]), thinking=True)
    for token in reasoning.encode(b"So, one. </think>"):
        assert token in candidates(matcher, reasoning)
        matcher.accept(token)
    follow(matcher, reasoning, b"1")


def test_a_model_without_thoughts_gives_none(grammars, vocabulary):
    first = candidates(grammars.matcher(asked(SCHEMAS["integer"])), vocabulary)
    assert {vocabulary.tokens[t][:1] for t in first} <= {bytes([b]) for b in b"-0123456789"}


# --- what cannot be compiled -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"not": {"type": "string"}}, "'not'"),
        ({"properties": {"a": {"items": {"not": {}}}}}, "'not'"),
        ({"if": {}, "then": {}}, "'if', 'then'"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ({"type": "array", "contains": {}}, "'contains'"),
        ({"type": "object", "propertyNames": {"pattern": "a"}}, "'propertyNames'"),
        ({"type": "string", "format": "colour"}, "'format'"),
        ({"type": "string", "pattern": "(?=a)b"}, "'pattern'"),
        ({"type": "string", "pattern": "(a"}, "'pattern'"),
        ({"type": "string", "pattern": r"\bfoo\b"}, "'pattern'"),
        ({"oneOf": [{"type": "string"}, {"type": "string", "pattern": "^a"}]}, "'oneOf'"),
        ({"$ref": "http://elsewhere/x"}, "'$ref'"),
        ({"$ref": "#/$defs/nothing"}, "'$ref'"),
        ({"type": "object", "minProperties": 2, "properties": {"a": {}}}, "'minProperties'"),
        ({"type": "object", "patternProperties": {"^a": {}, "^ab": {}}}, "'patternProperties'"),
        ({"type": "colour"}, "'type'"),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "'minimum'"),
        ({"type": "integer", "multipleOf": 0}, "'multipleOf'"),
        ({"enum": []}, "'enum'"),
        ({"required": "name"}, "'required'"),
        ({"x-guidance": {"lenient": True}, "not": {}}, "'not'"),
    ],
)
def test_the_keyword_that_cannot_be_honoured_is_named(grammars, schema, keyword):
    with pytest.raises(SchemaUnsupported) as caught:
        grammars.matcher(asked(schema))
    assert keyword in caught.value.message
    assert "response_format" in caught.value.message
    assert caught.value.status == 400


@pytest.mark.parametrize("family", ["chatml", "llama3", "mistral", "phi"])
def test_the_tool_with_the_keyword_is_named(grammars, family):
    odd = Tool("odd", "", {"properties": {"x": {"not": {}}}})
    with pytest.raises(SchemaUnsupported, match=r"tool odd .*'not'"):
        grammars.matcher(tools.grammar(Request((), tools=(*TOOLS, odd)), family))


def test_parameters_that_are_no_object_are_refused():
    with pytest.raises(SchemaUnsupported, match=r"tool odd .*'type'"):
        asked(tools=(*TOOLS, Tool("odd", "", {"type": "string"})))


def test_what_a_schema_holds_is_not_repeated(grammars):
    for schema in (
        {"type": "string", "format": "hunter2"}, {"type": "string", "pattern": "hunter2("},
        {"type": "hunter2"}, {"$ref": "#/hunter2"}, {"required": "hunter2"}, {"not": "hunter2"},
    ):  # fmt: skip
        with pytest.raises(SchemaUnsupported) as caught:
            grammars.matcher(asked(schema))
        assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_schema_that_grows_without_end_fails_alone(grammars, vocabulary):
    huge = {"type": "string", "pattern": "((a{1,1000}){1,1000}){1,1000}"}
    matcher = grammars.matcher(asked(huge))
    with pytest.raises(SchemaUnsupported):
        follow(matcher, vocabulary, b'"' + b"a" * 50)
    follow(grammars.matcher(asked(SCHEMAS["integer"])), vocabulary, b"12")


def test_a_message_of_another_kind_still_says_something():
    assert explain("grammar size (9) too big", "start: answer") == (
        "The JSON Schema is too large or too complex."
    )
