"""The body of a chat completion, as OpenAI's API reference has it, and the Request it becomes.

Fields we do not know are ignored; a field we know but cannot honour is refused, never ignored.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, Field

from assistant.api.deps import Flag
from assistant.config import LIMITS
from assistant.errors import InvalidInput, SchemaUnsupported, UnsupportedParameter
from assistant.types import Format, Message, Part, Request, Role, Sampling, Tool, ToolCall

DEFAULT = "default"

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user",
                           "assistant": "assistant", "tool": "tool"}  # fmt: skip
_Text = Annotated[str, Field(max_length=LIMITS.body_bytes)]
_Id = Annotated[str, Field(max_length=LIMITS.name_chars)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class TextPart(BaseModel):
    """A part of a message's content. Only text for now."""

    type: str = Field(max_length=40)
    text: _Text | None = None


class CalledFunction(BaseModel):
    """What a model called, in an earlier answer."""

    name: _Name
    arguments: _Text


class Call(BaseModel):
    """One call of an earlier answer."""

    id: _Id
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(BaseModel):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None
    tool_calls: Annotated[list[Call] | None, Field(max_length=LIMITS.tools)] = None
    tool_call_id: _Id | None = None
    function_call: Any = None

    def value(self) -> Message:
        """As a prompt's message. Raises UnsupportedParameter, and InvalidInput where its parts do not fit."""
        if self.role not in _ROLES or self.function_call is not None:
            raise UnsupportedParameter(
                "function_call and messages of role 'function' are not supported.",
                "Send tool_calls and messages of role 'tool'.",
            )
        if self.role == "tool" and not self.tool_call_id:
            raise InvalidInput("A message of role 'tool' has no tool_call_id.")
        if self.tool_calls and self.role != "assistant":
            raise InvalidInput("Only messages of role 'assistant' have tool_calls.")
        calls = (
            ToolCall(c.id, c.function.name, c.function.arguments) for c in self.tool_calls or ()
        )
        return Message(_ROLES[self.role], self._parts(), tuple(calls), self.tool_call_id or "")

    def _parts(self) -> tuple[Part, ...]:
        if not isinstance(self.content, list):
            return (Part(self.content or ""),)
        if any(part.type != "text" or part.text is None for part in self.content):
            raise UnsupportedParameter("Only text parts are supported.")
        return tuple(Part(part.text or "") for part in self.content)


class Function(BaseModel):
    """A function that may be called. `strict` is known and always so: grammars hold every call to it."""

    name: _Name
    description: _Text | None = None
    parameters: dict[str, Any] | None = None


class FunctionTool(BaseModel):
    """A tool."""

    type: str = Field("function", max_length=40)
    function: Function | None = None

    def value(self) -> Tool:
        """As a tool of a prompt. Raises UnsupportedParameter and SchemaUnsupported."""
        if self.type != "function" or self.function is None:
            raise UnsupportedParameter("Only tools of type 'function' are supported.")
        function = self.function
        _check_size(function.parameters, f"the tool {function.name}")
        return Tool(function.name, function.description or "", function.parameters or {})


class NamedFunction(BaseModel):
    """The name of a function."""

    name: _Name


class NamedTool(BaseModel):
    """The one tool to be called."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchema(BaseModel):
    """A schema and its name. `strict` is known and always so."""

    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """What the answer must be."""

    type: str = Field(max_length=40)
    json_schema: JsonSchema | None = None

    def value(self) -> Format | None:
        """None: free text. Raises UnsupportedParameter, SchemaUnsupported and InvalidInput."""
        match self.type:
            case "text":
                return None
            case "json_object":
                return Format()
            case "json_schema":
                if self.json_schema is None:
                    raise InvalidInput(
                        "`response_format` of type 'json_schema' has no json_schema."
                    )
                _check_size(self.json_schema.schema_, "response_format")
                return Format(self.json_schema.schema_)
        raise UnsupportedParameter(
            "response_format is 'text', 'json_object' or 'json_schema', nothing else."
        )


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: Flag | None = None


class ChatRequest(BaseModel):
    """A chat completion to be."""

    model: str = Field(DEFAULT, max_length=LIMITS.name_chars)
    messages: list[ChatMessage] = Field(min_length=1, max_length=LIMITS.completion_messages)
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, allow_inf_nan=False)] = None
    max_tokens: Annotated[int | None, Field(ge=1, le=1 << 20)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=1 << 20)] = None
    seed: Annotated[int | None, Field(ge=-(1 << 63), lt=1 << 63)] = None
    stop: Annotated[str, Field(max_length=LIMITS.stop_chars)] | Annotated[
        list[Annotated[str, Field(max_length=LIMITS.stop_chars)]], Field(max_length=LIMITS.stop_strings)
    ] | None = None  # fmt: skip
    n: Annotated[int | None, Field(ge=1, le=128)] = None
    logprobs: Flag | None = None
    tools: Annotated[list[FunctionTool] | None, Field(max_length=LIMITS.tools)] = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: Flag | None = None
    response_format: ResponseFormat | None = None
    functions: Any = None
    function_call: Any = None

    def value(self, default: Sampling) -> Request:
        """As the engine is asked. Raises UnsupportedParameter, SchemaUnsupported and InvalidInput."""
        self._refuse()
        tools = tuple(tool.value() for tool in self.tools or ())
        names = [tool.name for tool in tools]
        if len(set(names)) != len(names):
            raise InvalidInput("Two tools have the same name.")
        choice, named = self._choice(names)
        return Request(
            tuple(message.value() for message in self.messages),
            self._sampling(default),
            format=self.response_format.value() if self.response_format else None,
            tools=tools,
            tool_choice=choice,
            tool=named,
            parallel=self.parallel_tool_calls is not False,
        )

    def most_calls(self) -> int:
        """How many calls the answer may show."""
        if not self.tools or self.tool_choice == "none":
            return 0
        return 1 if self.parallel_tool_calls is False else LIMITS.answer_calls

    def _refuse(self) -> None:
        """Raise UnsupportedParameter for what would silently not happen."""
        if self.n not in (None, 1):
            raise UnsupportedParameter("Only n=1 is supported.")
        if self.logprobs:
            raise UnsupportedParameter("logprobs are not supported.")
        if self.functions or self.function_call:
            raise UnsupportedParameter(
                "functions and function_call are not supported.", "Send tools and tool_choice."
            )

    def _choice(self, names: list[str]) -> tuple[Literal["none", "auto", "required"], str]:
        if self.tool_choice in (None, "none", "auto"):
            return self.tool_choice or "auto", ""
        if not names:
            raise InvalidInput("`tool_choice` asks for a call, but there are no tools.")
        if not isinstance(self.tool_choice, NamedTool):
            return "required", ""
        if self.tool_choice.function.name not in names:
            raise InvalidInput("`tool_choice` names a tool that is not among the tools.")
        return "required", self.tool_choice.function.name

    def _sampling(self, default: Sampling) -> Sampling:
        """The model's defaults with what was asked for."""
        given = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "stop": tuple([self.stop] if isinstance(self.stop, str) else self.stop or ()),
        }
        return msgspec.structs.replace(
            default, **{name: value for name, value in given.items() if value is not None}
        )


def _check_size(schema: dict[str, Any] | None, whose: str) -> None:
    if schema and len(json.dumps(schema, ensure_ascii=False)) > LIMITS.schema_chars:
        raise SchemaUnsupported(
            f"The JSON Schema of {whose} is too large; at most {LIMITS.schema_chars} characters are read.",
            "Send a smaller schema.",
        )
