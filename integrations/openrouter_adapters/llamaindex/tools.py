"""Tools to the wire, and tool calls back to LlamaIndex's ToolSelections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from pydantic_core import from_json

from openrouter_adapters.core.schema import stricter
from openrouter_adapters.core.tool_calls import ToolCall
from openrouter_adapters.core.wire import dicts_of, known
from openrouter_adapters.llamaindex.messages import plain_calls

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

_WORDS = {"any": "required", "required": "required", "auto": "auto", "none": "none"}


def tool_options(
    tools: Sequence[BaseTool | Mapping[str, Any]],
    tool_choice: str | dict[str, Any] | None,
    tool_required: bool,
    strict: bool | None,
) -> dict[str, Any]:
    """The options of a call with tools; nothing at all without tools.

    Args:
        tools: the tools to offer; server tools of OpenRouter are dicts of the wire.
        tool_choice: a tool's name, "auto", "required" (or "any"), "none", or the wire's own object.
        tool_required: whether some tool must be called; ``tool_choice`` wins.
        strict: whether arguments must follow the schema to the letter; None: not said.

    Raises:
        ValueError: ``tool_choice`` is a name that no tool has.
    """
    if not tools:
        return {}
    made = [wire_tool(tool, strict) for tool in tools]
    return known(tools=made, tool_choice=wire_choice(tool_choice or ("required" if tool_required else None), made))


def wire_tool(tool: BaseTool | Mapping[str, Any], strict: bool | None) -> dict[str, Any]:
    """One tool as the wire describes it; what is a dict goes out as it is.

    https://openrouter.ai/docs/features/tool-calling
    """
    if isinstance(tool, Mapping):
        return dict(tool)
    made = tool.metadata.to_openai_tool(skip_length_check=True)
    return {**made, "function": stricter(made["function"], strict)}


def server_tools(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools of a body that OpenRouter runs itself."""
    return [tool for tool in dicts_of(body.get("tools")) if tool.get("type") != "function"]


def wire_choice(choice: str | dict[str, Any] | None, tools: Sequence[dict[str, Any]]) -> str | dict[str, Any] | None:
    """``tool_choice`` as the wire has it; None when there is nothing to say."""
    if choice is None or isinstance(choice, Mapping):
        return choice
    names = [tool["function"]["name"] for tool in tools if "function" in tool]
    if choice in names:
        return {"type": "function", "function": {"name": choice}}
    if choice not in _WORDS:
        raise ValueError(f"tool_choice={choice!r} is none of the tools {names}, nor one of {list(_WORDS)}")
    return _WORDS[choice]


def tool_selections(response: ChatResponse) -> list[ToolSelection]:
    """The calls of an answer whose arguments are whole.

    A call that was cut off, or whose arguments are no JSON object, is left out, never repaired. While the answer still
    streams, a call shows the arguments that have arrived so far: for progress displays, and for partial objects.
    """
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    if not blocks:
        blocks = [_block_of(ToolCall.from_wire(call)) for call in plain_calls(response.message)]
    unfinished = still_streaming(response)
    pairs = ((block, _arguments(block.tool_kwargs, unfinished)) for block in blocks)
    return [
        ToolSelection(tool_id=block.tool_call_id or "", tool_name=block.tool_name, tool_kwargs=kwargs)
        for block, kwargs in pairs
        if kwargs is not None
    ]


def still_streaming(response: ChatResponse) -> bool:
    """Whether this is an item of a stream before its last, which alone has the body in ``raw``."""
    return response.delta is not None and response.raw is None


def cut_off(response: ChatResponse) -> list[str]:
    """The names of the tools whose calls are not whole."""
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    return [block.tool_name for block in blocks if isinstance(block.tool_kwargs, str)]


def _block_of(call: ToolCall) -> ToolCallBlock:
    kwargs = call.arguments if call.args is None else call.args
    return ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=kwargs)


def _arguments(kwargs: dict[str, Any] | str, unfinished: bool) -> dict[str, Any] | None:
    if isinstance(kwargs, dict) or not unfinished:
        return kwargs if isinstance(kwargs, dict) else None
    try:
        arrived = from_json(kwargs or "{}", allow_partial="trailing-strings")
    except ValueError:
        return None
    return arrived if isinstance(arrived, dict) else None
