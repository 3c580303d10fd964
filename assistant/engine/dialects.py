"""How each family of models calls tools: what stands around the calls of an answer.

Sources: the chat templates of Qwen 2.5 (Hermes style), Llama 3.1, Mistral Nemo and Phi-4-mini as
their makers published them. Gemma has no form of its own and gets the Hermes one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.errors import FamilyUnknown
from assistant.types import Tool, ToolCall

_HERMES = """# Tools

These functions can be called to help the user. Each line between <tools> and </tools> is the JSON \
signature of one:
<tools>
{tools}
</tools>

Call a function only where it helps, and then without any explanation: write its name and its \
arguments as JSON between <tool_call> and </tool_call>, one block for each call:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

_LLAMA3 = """Environment: ipython

These functions can be called to help the user. To call one, let the whole answer be JSON of the \
form {{"name": <function name>, "parameters": <arguments by name>}}, with values and no variables.

{tools}"""


class Dialect(msgspec.Struct, frozen=True):
    """One way to call tools. The calls of an answer are `first`, a call, (`between`, a call)*, `last`."""

    first: str = "<tool_call>\n"
    between: str = "\n</tool_call>\n<tool_call>\n"
    last: str = "\n</tool_call>"
    opening: str = "<tool_call>"
    """The mark that `first` begins with; empty: a call is the whole answer, and nothing is around it."""
    arguments: str = "arguments"
    """The key of the arguments."""
    ids: bool = False
    """Whether earlier calls are shown with an id."""
    most: int = LIMITS.answer_calls
    told: str = _HERMES
    """What is said of the tools, in the system message. `{tools}` are their signatures."""
    separator: str = "\n"
    indent: int | None = None
    """How the signatures are set."""

    def head(self, name: str) -> str:
        """A call up to its arguments."""
        return f'{{"name": {json.dumps(name)}, "{self.arguments}": '

    def body(self, call: ToolCall) -> str:
        """A call of an earlier answer."""
        id_ = f', "id": "{short_id(call.id)}"' if self.ids else ""
        return f"{self.head(call.name)}{call.arguments}{id_}}}"

    def tell(self, tools: Sequence[Tool]) -> str:
        """What a model is told of the tools it has."""
        signatures = (_json(signature(tool), self.indent) for tool in tools)
        return self.told.format(tools=self.separator.join(signatures))


def signature(tool: Tool) -> dict[str, Any]:
    """A tool as every family was shown it."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function | {"parameters": parameters(tool)}}


def parameters(tool: Tool) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments, said to be an object where nothing else was said."""
    return {"type": "object"} | (tool.parameters or {"properties": {}})


_DIALECTS = {
    "chatml": Dialect(),
    "gemma": Dialect(),
    "llama3": Dialect(
        first="", between="\n", last="", opening="", arguments="parameters", most=1,
        told=_LLAMA3, separator="\n\n", indent=4,
    ),
    "mistral": Dialect(
        first="[TOOL_CALLS][", between=", ", last="]", opening="[TOOL_CALLS]", ids=True,
        told="[{tools}]", separator=", ",
    ),
    "phi": Dialect(
        first="<|tool_call|>[", between=", ", last="]<|/tool_call|>", opening="<|tool_call|>",
        told="[{tools}]", separator=", ",
    ),
}  # fmt: skip

MARKS = frozenset(
    mark
    for dialect in _DIALECTS.values()
    for mark in re.findall(r"<[^<>]+>|\[[A-Z_]+\]", dialect.first + dialect.last)
)
"""What may be one token of a vocabulary, even a control token, and is read as text all the same."""


def of(family: str) -> Dialect:
    """The dialect of a family. Raises FamilyUnknown."""
    try:
        return _DIALECTS[family]
    except KeyError:
        raise FamilyUnknown(f"There is no chat template named {family!r}.") from None


def short_id(call_id: str) -> str:
    """Nine letters and digits, which is what Mistral's models know as the id of a call."""
    return re.sub(r"[^A-Za-z0-9]", "", call_id)[-9:].rjust(9, "0")


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
