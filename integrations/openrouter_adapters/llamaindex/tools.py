"""Tools to the wire, and tool calls back to LlamaIndex's ToolSelections.

https://openrouter.ai/docs/features/tool-calling
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from pydantic_core import from_json

from openrouter_adapters.core.schema import in_place, stricter
from openrouter_adapters.core.tools import call_tools
from openrouter_adapters.core.wire import dicts_of, known
from openrouter_adapters.llamaindex.answers import call_block
from openrouter_adapters.llamaindex.messages import plain_calls

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool


def tool_options(
    tools: Sequence[BaseTool | Mapping[str, Any]],
    tool_choice: str | dict[str, Any] | None,
    tool_required: bool,
    strict: bool | None,
) -> dict[str, Any]:
    """The options of a call with tools; nothing at all without tools.

    Args:
        tools: the tools to offer; server tools of OpenRouter are dicts of the wire.
        tool_choice: a tool's name (a server tool's type), "auto", "required" (or "any"), "none", or the wire's object.
        tool_required: whether some tool must be called; ``tool_choice`` wins.
        strict: whether arguments must follow the schema to the letter; None: not said.

    Raises:
        TypeError: something that is no tool, or no list of tools.
        ValueError: ``tool_choice`` names no tool.
    """
    if not tools:
        return {}
    choice = tool_choice or ("required" if tool_required else None)
    return known(**call_tools({"tools": tools, "tool_choice": choice}, wire_tool, strict))


def wire_tool(tool: BaseTool | Mapping[str, Any], strict: bool | None) -> dict[str, Any]:
    """One tool as the wire describes it; what is a dict goes out as it is.

    Raises:
        TypeError: it is no tool.
    """
    if isinstance(tool, Mapping):
        return dict(tool)
    metadata: Any = getattr(tool, "metadata", None)
    if not hasattr(metadata, "to_openai_tool"):
        name = getattr(tool, "__name__", None) if callable(tool) else None
        remedy = f"FunctionTool.from_defaults({name})" if name else "give FunctionTool.from_defaults(...) or a dict"
        raise TypeError(f"tools has {tool!r:.80}, which is no tool: {remedy}")
    made = metadata.to_openai_tool(skip_length_check=True)
    function = {**made["function"], "parameters": in_place(made["function"]["parameters"])}
    return {**made, "function": stricter(function, strict)}


def server_tools(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools of a body that OpenRouter runs itself."""
    return [tool for tool in dicts_of(body.get("tools")) if tool.get("type") != "function"]


def tool_selections(response: ChatResponse) -> list[ToolSelection]:
    """The calls of an answer whose arguments are whole.

    A call that was cut off, or whose arguments are no JSON object, is left out, never repaired. While the answer still
    streams, a call shows the arguments that have arrived so far: for progress displays, and for partial objects.
    """
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    if not blocks:
        blocks = [call_block(call) for call in plain_calls(response.message)]
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


def _arguments(kwargs: dict[str, Any] | str, unfinished: bool) -> dict[str, Any] | None:
    if isinstance(kwargs, dict) or not unfinished:
        return kwargs if isinstance(kwargs, dict) else None
    try:
        arrived = from_json(kwargs or "{}", allow_partial="trailing-strings")
    except ValueError:
        return None
    return arrived if isinstance(arrived, dict) else None
