"""What a raw answer is read as, wherever it is cut, and what a request's grammar says."""

import json

import pytest

from assistant.engine import tools
from assistant.engine.dialects import MARKS
from assistant.errors import FamilyUnknown, SchemaUnsupported
from assistant.types import Finished, Format, Piece, Prefilled, Request, Thought, Tool, ToolPiece

WEATHER = Tool("weather", "", {"properties": {"city": {"type": "string"}}, "required": ["city"]})
ASKED = Request((), tools=(WEATHER, Tool("now")))
PARIS, NOW = '{"city": "Pa}r\\"]is", "more": [{"a": "{"}, []]}', "{}"
CALLS = [("weather", PARIS), ("now", NOW)]


class Raw:
    """A model that says these pieces; knows whether it was closed early."""

    def __init__(self, *pieces, reason="stop"):
        self.pieces, self.reason, self.closed = pieces, reason, False

    async def stream(self):
        try:
            yield Prefilled(3, 0)
            for piece in self.pieces:
                yield Piece(piece)
            yield Finished(self.reason, len(self.pieces), 0.0, 0.0)
        finally:
            self.closed = True


async def read(*pieces, request=ASKED, family="chatml", reason="stop", **settings):
    """(text, thought, [(name, arguments)], reason) of an answer, with what must hold of every one."""
    raw = Raw(*pieces, reason=reason)
    items = [item async for item in tools.read(raw.stream(), request, family, **settings)]
    assert raw.closed
    assert isinstance(items[0], Prefilled)
    assert isinstance(items[-1], Finished)
    assert [type(item) for item in items].count(Finished) == 1
    calls, ids = [], []
    for item in items:
        if isinstance(item, ToolPiece) and item.id:
            assert item.index == len(calls)
            assert item.arguments == ""
            calls.append([item.name, ""])
            ids.append(item.id)
        elif isinstance(item, ToolPiece):
            assert item.index == len(calls) - 1
            assert item.arguments
            assert item.name == ""
            calls[-1][1] += item.arguments
    assert len(set(ids)) == len(ids)
    text, thought = (
        "".join(item.text for item in items if isinstance(item, kind)) for kind in (Piece, Thought)
    )
    return text, thought, [tuple(call) for call in calls], items[-1].reason


def written(family, calls, before=""):
    """Calls as this family's models write them."""
    dialect = tools.dialects.of(family)
    bodies = [dialect.head(name) + arguments + "}" for name, arguments in calls]
    return before + dialect.first + dialect.between.join(bodies) + dialect.last


FAMILIES = {
    "chatml": ("Let me look.\n", CALLS), "gemma": ("", CALLS), "mistral": ("Well, [1] ", CALLS),
    "phi": ("A <b> \n", CALLS), "llama3": ("", CALLS[:1]),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_cut_gives_the_same_calls(family):
    before, calls = FAMILIES[family]
    text = written(family, calls, before)
    expected = (before.rstrip(), "", calls, "tool_calls")
    for at in range(len(text) + 1):
        assert await read(text[:at], text[at:], family=family) == expected, at
    assert await read(*text, family=family) == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "text", ["Hello.", " \n", "", "a <tool_ca", '{"na', '{"x": {"name": "weather"}}', "[TOOL", "<|"]
)
async def test_what_is_no_call_is_text_to_the_last_character(family, text):
    for at in range(len(text) + 1):
        assert await read(text[:at], text[at:], family=family) == (text, "", [], "stop")


BARE = [
    '{"name": "weather", "arguments": {"city": "Lyon"}}',
    '```json\n{\n  "name": "weather",\n  "arguments": {"city": "Lyon"}\n}\n```',
    ' ```\n{"name" : "weather","arguments":{"city": "Lyon"}}',
]


@pytest.mark.parametrize("text", BARE)
async def test_a_bare_call_at_the_beginning_is_a_call(text):
    expected = ("", "", [("weather", '{"city": "Lyon"}')], "tool_calls")
    for at in range(len(text) + 1):
        assert await read(text[:at], text[at:]) == expected, at
    assert await read(*text) == expected
    two = await read(text.removesuffix("```") + '{"name": "now", "arguments": {}}\n```')
    assert two[2] == [("weather", '{"city": "Lyon"}'), ("now", "{}")]


@pytest.mark.parametrize(
    "text", ["So: " + BARE[0], '{"name": "Bob", "arguments": {}}', "```json\n{}"]
)
async def test_other_json_is_text(text):
    for at in range(len(text) + 1):
        assert await read(text[:at], text[at:]) == (text, "", [], "stop"), at


@pytest.mark.parametrize("rest", [{"tool_choice": "required"}, {"format": Format()}])
async def test_bare_calls_count_only_in_free_text(rest):
    request = Request((), tools=ASKED.tools, **rest)
    assert (await read(*BARE[0], request=request))[0] == BARE[0]


async def test_thoughts_and_then_calls():
    text = "<think>\nI could <tool_call> it.\n</think>\n\n" + written("chatml", CALLS)
    for at in range(len(text) + 1):
        assert await read(text[:at], text[at:]) == (
            "", "I could <tool_call> it.", CALLS, "tool_calls",
        )  # fmt: skip


async def test_a_thought_that_the_prompt_opened():
    text = "Hm.</think>" + written("chatml", CALLS)
    assert await read(*text, thinking=True) == ("", "Hm.", CALLS, "tool_calls")


@pytest.mark.parametrize(
    "request_",
    [Request(()), Request((), tools=(WEATHER,), tool_choice="none"), Request((), format=Format())],
)
async def test_who_may_not_call_only_speaks(request_):
    text = written("chatml", CALLS)
    assert await read(*text, request=request_) == (text, "", [], "stop")


async def test_arguments_come_as_they_are_written():
    raw = Raw("<tool_call>\n", '{"name": "weather", "arg', 'uments": {"ci', 'ty": "Par', 'is"}}\n')
    items = [item async for item in tools.read(raw.stream(), ASKED, "chatml")]
    pieces = [item for item in items if isinstance(item, ToolPiece)]
    assert [piece.arguments for piece in pieces] == ["", '{"ci', 'ty": "Par', 'is"}']


@pytest.mark.parametrize("at", range(len(written("chatml", CALLS)) + 1))
async def test_a_call_that_is_cut_off_is_never_whole(at):
    cut = written("chatml", CALLS)[:at]
    text, _, calls, reason = await read(cut, reason="length")
    assert reason == "length"
    assert not calls or [name for name, _ in calls] == ["weather", "now"][: len(calls)]
    assert all(full.startswith(part) for (_, part), (_, full) in zip(calls, CALLS, strict=False))
    # What a mark might have become is text; a call that was opened never is.
    assert text == (cut if at < len("<tool_call>") else "")


async def test_a_stop_string_inside_of_arguments_is_no_finished_call():
    _, _, calls, reason = await read('<tool_call>\n{"name": "weather", "arguments": {"city": "Pa')
    assert calls == [("weather", '{"city": "Pa')]
    assert reason == "stop"


async def test_closing_it_early_closes_the_model():
    raw = Raw("a", "b", "c")
    items = tools.read(raw.stream(), ASKED, "chatml")
    assert isinstance(await anext(items), Prefilled)
    assert await anext(items) == Piece("a")
    await items.aclose()
    assert raw.closed


async def test_an_error_passes_through():
    async def failing():
        yield Prefilled(1, 0)
        raise FamilyUnknown

    with pytest.raises(FamilyUnknown):
        _ = [item async for item in tools.read(failing(), ASKED, "chatml")]


# --- grammars --------------------------------------------------------------------------------


def test_free_text_needs_no_grammar():
    assert tools.grammar(Request(()), "chatml") == ""


def test_an_unknown_family_is_an_error():
    with pytest.raises(FamilyUnknown):
        tools.grammar(ASKED, "jinja")


def schemas(text):
    """The schemas in a grammar, by rule."""
    rules = (line.partition(": %json ") for line in text.splitlines())
    return {rule: json.loads(schema) for rule, _, schema in rules if schema}


def test_a_schema_cannot_say_how_it_is_read():
    told = {"x-guidance": {"lenient": True}, "type": "string"}
    (schema,) = schemas(tools.grammar(Request((), format=Format(told)), "chatml")).values()
    assert "lenient" not in schema["x-guidance"]
    assert schema["x-guidance"]["whitespace_flexible"] is False


@pytest.mark.parametrize(
    ("parameters", "closed"),
    [
        ({}, True),
        ({"properties": {"a": {}}}, True),
        ({"type": "object", "properties": {}, "additionalProperties": True}, False),
        ({"type": "object", "properties": {}, "patternProperties": {"^x": {}}}, False),
        ({"type": "object"}, False),
        ({"$ref": "#/$defs/a", "properties": {}}, False),
    ],
)
def test_names_nobody_declared_are_left_out(parameters, closed):
    request = Request((), tools=(Tool("t", "", parameters),))
    (schema,) = schemas(tools.grammar(request, "chatml")).values()
    assert schema["type"] == "object"
    assert (schema.get("additionalProperties") is False) == closed
    assert "x-guidance" not in parameters


@pytest.mark.parametrize("kind", ["string", ["object", "null"], None])
def test_parameters_must_be_an_object(kind):
    with pytest.raises(SchemaUnsupported, match="tool t "):
        tools.grammar(Request((), tools=(Tool("t", "", {"type": kind}),)), "chatml")


def test_the_marks_of_every_family_are_known():
    assert {
        "<tool_call>",
        "</tool_call>",
        "[TOOL_CALLS]",
        "<|tool_call|>",
        "<|/tool_call|>",
    } == MARKS
