"""Tools, and which of them must be called, as the wire wants them. Pure.

https://openrouter.ai/docs/features/tool-calling
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from openrouter_adapters.core.schema import in_place
from openrouter_adapters.core.wire import dict_of, known

ToolChoice = str | bool | Mapping[str, Any] | None

WORDS = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
"""The words for a choice, and what the wire calls them."""

_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


def function_tool(name: str, description: str | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The tool that a schema stands for: to call it is to give the answer.

    References are put in place, which more providers understand, unless that makes the schema endless or huge.

    Args:
        name: the function's name, as the API takes it.
        description: what it is for, where the schema does not say so itself.
        schema: its arguments.

    Raises:
        ValueError: a reference leads nowhere.
    """
    parameters = in_place(schema)
    parameters.pop("title", None)
    said = parameters.pop("description", None) or description
    function = known(name=name, description=said, parameters=parameters or dict(_NO_ARGUMENTS))
    return {"type": "function", "function": function}


def tool_name(tool: Mapping[str, Any]) -> str | None:
    """The name of a function tool; server tools have none."""
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else None


def listed(tools: Any) -> list[Any]:
    """The tools that were given; None is none.

    Raises:
        TypeError: they are no list.
    """
    if isinstance(tools, Mapping | str) or not isinstance(tools, Iterable | None):
        raise TypeError(f"tools must be a list, not {tools!r:.80}")
    return list(tools or ())


def wire_tool_choice(choice: ToolChoice, tools: Sequence[Mapping[str, Any]]) -> str | dict[str, Any] | None:
    """Which tool must be called.

    Args:
        choice: "auto", "none", "required" or "any" (one of them must), the name of a tool (of a server tool: its type),
            True (the only tool, or any of several), a dict of the wire, or None or False (say nothing).
        tools: the tools, in the wire's form.

    Raises:
        TypeError: it is nothing of that.
        ValueError: no such tool.
    """
    choices = {tool_name(tool) or str(tool.get("type")): _chosen(tool) for tool in tools}
    if isinstance(choice, Mapping):
        name = dict_of(choice.get("function")).get("name")
        if name is not None and name not in choices:
            raise ValueError(_no_such_tool(choice, choices))
        return dict(choice)
    if not choice:
        return None
    if choice is True:
        choice = next(iter(choices)) if len(tools) == 1 else "required"
    if not isinstance(choice, str):
        raise TypeError(f"tool_choice={choice!r} must be one tool's name, a dict, or {_words()}")
    if choice in choices:
        return choices[choice]
    word = WORDS.get(choice)
    if word is None or (word == "required" and not tools):
        raise ValueError(_no_such_tool(choice, choices))
    return word if tools else None  # without tools none can be called, and the API refuses to hear of it


def _chosen(tool: Mapping[str, Any]) -> dict[str, Any]:
    name = tool_name(tool)
    return {"type": tool.get("type")} if name is None else {"type": "function", "function": {"name": name}}


def _no_such_tool(choice: ToolChoice, names: Iterable[str]) -> str:
    return f"tool_choice={choice!r}: no such tool; there are {list(names)}, or use {_words()}"


def _words() -> str:
    return ", ".join(map(repr, WORDS))


def call_tools(
    options: Mapping[str, Any], wire_tool: Callable[[Any, bool | None], dict[str, Any]], strict: bool | None = None
) -> dict[str, Any]:
    """Options of a call, with its tools and the choice among them in the wire's form.

    Args:
        options: by name; may have ``tools`` in any form, ``tool_choice`` and, for the tools, ``strict``. No tools clear
            those that the model has, and the choice among them.
        wire_tool: makes one tool; its second argument says whether the schema must be followed to the letter.
        strict: that, where the call does not say.

    Raises:
        TypeError: the tools are no list, or the choice is none.
        ValueError: no such tool to choose.
    """
    made = dict(options)
    if "tools" not in made:
        if isinstance(made.get("tool_choice"), str):
            made["tool_choice"] = WORDS.get(made["tool_choice"], made["tool_choice"])
        return made
    said = made.pop("strict", None)
    tools = [wire_tool(tool, strict if said is None else said) for tool in listed(made["tools"])]
    if not tools:
        return made | dict.fromkeys(("tools", "tool_choice", "parallel_tool_calls"))
    if "tool_choice" in made:
        made["tool_choice"] = wire_tool_choice(made["tool_choice"], tools)
    return {**made, "tools": tools}
