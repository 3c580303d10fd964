"""Tools, JSON answers and thoughts over HTTP, with OpenAI's own client, unmodified.

The fake model says what it was told last, so the question is the raw answer of a ChatML model.
"""

import json

import openai
import pytest
from pydantic import BaseModel

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather.",
        "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        },
    },
}  # fmt: skip
NOW = {"type": "function", "function": {"name": "now"}}
LYON = '{"city": "Lyon, été 😀"}'
CALLING = f'<tool_call>\n{{"name": "get_weather", "arguments": {LYON}}}\n</tool_call>'
TWO = CALLING + '\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'


@pytest.fixture(scope="module")
def client(daemon):
    with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key=daemon.token, max_retries=0) as client:
        yield client


def say(text):
    return [{"role": "user", "content": text}]


def ask(client, text, **rest):
    return client.chat.completions.create(model="default", messages=say(text), **rest).choices[0]


def test_a_call(client):
    choice = ask(client, CALLING, tools=[WEATHER, NOW])
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert call.function.arguments == LYON
    assert call.id.startswith("call_")


def test_text_before_two_calls(client):
    choice = ask(client, f"Let me look.\n{TWO}", tools=[WEATHER, NOW])
    assert choice.message.content == "Let me look."
    assert [call.function.name for call in choice.message.tool_calls] == ["get_weather", "now"]
    assert len({call.id for call in choice.message.tool_calls}) == 2


def test_one_call_where_one_is_asked_for(client):
    choice = ask(client, TWO, tools=[WEATHER, NOW], parallel_tool_calls=False)
    assert [call.function.name for call in choice.message.tool_calls] == ["get_weather"]
    chunks = client.chat.completions.create(
        model="default", messages=say(TWO), tools=[WEATHER, NOW], parallel_tool_calls=False,
        stream=True,
    )  # fmt: skip
    deltas = [d for c in chunks for d in c.choices[0].delta.tool_calls or ()]
    assert {delta.index for delta in deltas} == {0}


def test_the_chunks_of_calls(client):
    chunks = list(
        client.chat.completions.create(
            model="default", messages=say(TWO), tools=[WEATHER, NOW], stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    assert chunks[-1].usage.completion_tokens > 0
    deltas = [d for c in chunks if c.choices for d in c.choices[0].delta.tool_calls or ()]
    assert [d.index for d in deltas] == sorted(d.index for d in deltas)
    for index, (name, arguments) in enumerate([("get_weather", LYON), ("now", "{}")]):
        first, *rest = [d for d in deltas if d.index == index]
        assert first.id.startswith("call_")
        assert (first.type, first.function.name, first.function.arguments) == ("function", name, "")
        assert all((d.id, d.type, d.function.name) == (None, None, None) for d in rest)
        assert "".join(d.function.arguments for d in rest) == arguments
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert reasons == [None] * (len(reasons) - 1) + ["tool_calls"]
    assert all(c.choices[0].delta.content is None for c in chunks if c.choices)


def test_the_stream_helper_of_the_client(client):
    with client.chat.completions.stream(
        model="default", messages=say(CALLING), tools=[openai.pydantic_function_tool(Weather)]
    ) as stream:
        names = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in names
    assert final.choices[0].message.tool_calls[0].function.arguments == LYON


def test_a_conversation_with_calls_and_results(client):
    called = ask(client, TWO, tools=[WEATHER, NOW]).message
    messages = [
        *say(TWO), called,
        {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "21 degrees"},
        {"role": "tool", "tool_call_id": called.tool_calls[1].id,
         "content": [{"type": "text", "text": "noon"}]},
    ]  # fmt: skip
    again = client.chat.completions.create(model="default", messages=messages, tools=[WEATHER, NOW])
    assert again.choices[0].message.content == "noon"
    assert again.choices[0].finish_reason == "stop"


def test_where_no_call_is_wanted_there_is_none(client):
    choice = ask(client, CALLING, tools=[WEATHER], tool_choice="none")
    assert choice.message.tool_calls is None
    assert choice.message.content == CALLING
    assert ask(client, CALLING).message.content == CALLING


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_a_call_that_is_demanded(client, choice):
    found = ask(client, CALLING, tools=[WEATHER, NOW], tool_choice=choice)
    assert found.message.tool_calls[0].function.name == "get_weather"
    assert found.finish_reason == "tool_calls"


def test_an_answer_cut_in_a_call_says_so(client):
    choice = ask(client, CALLING, tools=[WEATHER], max_tokens=5)
    assert choice.finish_reason == "length"
    assert LYON.startswith(choice.message.tool_calls[0].function.arguments)


def test_thoughts_have_a_field_of_their_own(client):
    text = "<think>\nOne and one.\n</think>\n\nTwo."
    message = ask(client, text).message
    assert (message.content, message.reasoning_content) == ("Two.", "One and one.")
    chunks = client.chat.completions.create(model="default", messages=say(text), stream=True)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(d.content or "" for d in deltas) == "Two."
    assert "".join(getattr(d, "reasoning_content", None) or "" for d in deltas) == "One and one."
    assert "reasoning_content" not in ask(client, "Hello").message.model_dump()


def test_an_answer_in_json(client):
    choice = ask(client, '{"a": 1}', response_format={"type": "json_object"})
    assert json.loads(choice.message.content) == {"a": 1}
    assert choice.finish_reason == "stop"


class Weather(BaseModel):
    """The weather of a city."""

    city: str


class Person(BaseModel):
    """Someone."""

    name: str
    age: int
    friends: list["Person"] = []


def test_the_client_parses_an_answer_into_a_model(client):
    text = '{"name": "Ana", "age": 31, "friends": [{"name": "Ben", "age": 9, "friends": []}]}'
    parsed = client.chat.completions.parse(
        model="default", messages=say(text), response_format=Person
    )
    assert parsed.choices[0].message.parsed.friends[0].name == "Ben"


def test_the_client_parses_a_call_into_a_model(client):
    text = CALLING.replace("get_weather", "Weather")
    parsed = client.chat.completions.parse(
        model="default", messages=say(text), tools=[openai.pydantic_function_tool(Weather)]
    )
    assert parsed.choices[0].message.tool_calls[0].function.parsed_arguments.city == "Lyon, été 😀"


def function(**fields):
    return {"type": "function", "function": {"name": "f"} | fields}


def schema_format(schema):
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


LARGE = {"type": "object", "description": "x" * (1 << 16)}


@pytest.mark.parametrize(
    ("extra", "status", "code"),
    [
        ({"tools": [function(name="has space")]}, 422, "invalid_input"),
        ({"tools": [function(name="")]}, 422, "invalid_input"),
        ({"tools": [function(name="n" * 65)]}, 422, "invalid_input"),
        ({"tools": [function(), function()]}, 422, "invalid_input"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, 400, "unsupported_parameter"),
        ({"tools": [function(name=f"f{n}") for n in range(129)]}, 422, "invalid_input"),
        ({"tools": [function(parameters=LARGE)]}, 400, "schema_unsupported"),
        ({"tools": [function(description="a\0b")]}, 422, "invalid_input"),
        ({"tool_choice": "required"}, 422, "invalid_input"),
        ({"tool_choice": "always", "tools": [function()]}, 422, "invalid_input"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "g"}}, "tools": [function()]},
            422, "invalid_input",
        ),
        ({"functions": [{"name": "f"}]}, 400, "unsupported_parameter"),
        ({"function_call": "auto"}, 400, "unsupported_parameter"),
        ({"response_format": {"type": "grammar"}}, 400, "unsupported_parameter"),
        ({"response_format": {"type": "json_schema"}}, 422, "invalid_input"),
        ({"response_format": schema_format(LARGE)}, 400, "schema_unsupported"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 422, "invalid_input"),
        (
            {"messages": [{"role": "function", "name": "f", "content": "x"}]},
            400, "unsupported_parameter",
        ),
        (
            {"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}]},
            400, "unsupported_parameter",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": "{}"}}]}]},
            422, "invalid_input",
        ),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": "\0"}}]}]},
            422, "invalid_input",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused(daemon, extra, status, code):
    body = {"messages": say("x")} | extra
    response = daemon.api.post("/v1/chat/completions", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "extra",
    [
        {"tools": [], "tool_choice": "auto"},
        {"tools": None, "tool_choice": None, "functions": None, "function_call": None},
        {"tools": [function(strict=True, parameters={"properties": {}}, brand_new=1)]},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "strict": True, "description": "d", "schema": {}}}},
        {"tool_choice": "none", "parallel_tool_calls": True},
    ],
)  # fmt: skip
def test_what_is_fine(daemon, extra):
    body = {"messages": say("hello there")} | extra
    response = daemon.api.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == "hello there"
