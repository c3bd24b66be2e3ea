"""Tools and tool choices, as the wire wants them.

https://openrouter.ai/docs/features/tool-calling
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

Tool = Mapping[str, Any] | type | Callable[..., Any] | BaseTool
ToolChoice = str | bool | Mapping[str, Any] | None

_WORDS = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def wire_tool(tool: Tool, *, strict: bool | None = None) -> dict[str, Any]:
    """One tool.

    Args:
        tool: a LangChain tool, function, pydantic class, TypedDict, JSON schema with a title, Anthropic's dict; or a
            dict of the wire (``{"type": "function", "function": ...}``, ``{"type": "openrouter:web_search"}`` ...),
            which is sent as it is.
        strict: put into the function's definition; None: leave it out.
    """
    if isinstance(tool, Mapping):
        if _is_wire(tool):
            return dict(tool)
        cache = {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}
        return {**convert_to_openai_tool(tool, strict=strict), **cache}
    extras = (tool.extras or {}) if isinstance(tool, BaseTool) else {}
    cache = {"cache_control": extras["cache_control"]} if "cache_control" in extras else {}
    return {**convert_to_openai_tool(tool, strict=strict), **cache}


def _is_wire(tool: Mapping[str, Any]) -> bool:
    """Whether a dict is a tool of the wire, and no schema of a function."""
    kind = tool.get("type")
    return isinstance(kind, str) and kind not in ("object", "custom") and "input_schema" not in tool


def wire_tool_choice(choice: ToolChoice, tools: Sequence[Mapping[str, Any]]) -> str | dict[str, Any] | None:
    """Which tool must be called.

    Args:
        choice: "auto", "none", "required" or "any" (one of them must), the name of a tool, True (the only tool, or any
            of several), a dict of the wire, or None or False (say nothing).
        tools: the tools, in the wire's form.

    Raises:
        ValueError: no such tool.
    """
    if isinstance(choice, Mapping):
        return dict(choice)
    names = [name for tool in tools if (name := tool_name(tool))]
    if choice is True:
        return _named(names[0]) if len(tools) == len(names) == 1 else "required"
    if not choice:
        return None
    if choice in names:
        return _named(choice)
    if choice in _WORDS:
        return _WORDS[choice]
    raise ValueError(f"tool_choice={choice!r}: no such tool; there are {names}, or use {', '.join(map(repr, _WORDS))}")


def tool_name(tool: Mapping[str, Any]) -> str | None:
    """The name of a function tool; server tools have none."""
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else None


def _named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}
