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

_IN_FUNCTION = ("name", "description", "parameters", "strict")
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


def nested(tool: Any) -> Any:
    """A tool, with a function's definition where the wire has it; OpenAI's Responses API has it beside the type."""
    if not isinstance(tool, Mapping) or tool.get("type") != "function" or "function" in tool or "name" not in tool:
        return tool
    function = {key: tool[key] for key in _IN_FUNCTION if tool.get(key) is not None}
    return {**{key: value for key, value in tool.items() if key not in _IN_FUNCTION}, "function": function}


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
            True (the only tool, or any of several), a dict of the wire, of Anthropic's or of OpenAI's Responses API, or
            None or False (say nothing).
        tools: the tools, in the wire's form.

    Raises:
        TypeError: it is nothing of that.
        ValueError: no such tool.
    """
    choices = {tool_name(tool) or str(tool.get("type")): _chosen(tool) for tool in tools}
    choice = plain_choice(choice)
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


def plain_choice(choice: Any) -> Any:
    """A choice as a word or as the wire has it, where Anthropic or OpenAI's Responses API have another form for it."""
    if not isinstance(choice, Mapping):
        return choice
    kind, name = choice.get("type"), choice.get("name")
    if kind in ("function", "tool") and isinstance(name, str):
        return {"type": "function", "function": {"name": name}}
    return WORDS.get(kind, choice) if isinstance(kind, str) else choice


def one_at_a_time(choice: Any) -> bool:
    """Whether a choice of Anthropic's form says that tools are called one at a time."""
    return isinstance(choice, Mapping) and choice.get("disable_parallel_tool_use") is True


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
    if one_at_a_time(made.get("tool_choice")):
        made.setdefault("parallel_tool_calls", False)
    if "tools" not in made:
        if "tool_choice" in made:
            choice = plain_choice(made["tool_choice"])
            made["tool_choice"] = WORDS.get(choice, choice) if isinstance(choice, str) else choice
        return made
    said = made.pop("strict", None)
    tools = [wire_tool(nested(tool), strict if said is None else said) for tool in listed(made["tools"])]
    if not tools:
        return made | dict.fromkeys(("tools", "tool_choice", "parallel_tool_calls"))
    if "tool_choice" in made:
        made["tool_choice"] = wire_tool_choice(made["tool_choice"], tools)
    return {**made, "tools": tools}
