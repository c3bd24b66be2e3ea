"""Tools, tool choices and response formats, as the wire wants them.

https://openrouter.ai/docs/features/tool-calling
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import typing_extensions
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.json_schema import dereference_refs
from pydantic import BaseModel

from openrouter_adapters.core.schema import (
    can_be_strict,
    fits_in_place,
    json_schema_format,
    requires_everything,
    rooted,
    schema_name,
    strict_schema,
    stricter,
)
from openrouter_adapters.core.wire import dict_of, known
from openrouter_adapters.langchain.schemas import Wanted, wanted

Tool = Mapping[str, Any] | type | Callable[..., Any] | BaseTool
ToolChoice = str | bool | Mapping[str, Any] | None

_WORDS = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
_FORMATS = ("json_object", "text", "grammar", "python")
_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}
# Keys that stand beside a function, not in it.
_BESIDE = ("cache_control", "defer_loading", "eager_input_streaming")
_ANTHROPIC = {"type", "name", "description", "input_schema"}


def wire_tool(tool: Tool, *, strict: bool | None = None) -> dict[str, Any]:
    """One tool.

    Args:
        tool: a LangChain tool, function, pydantic class, TypedDict, JSON schema with a title, Anthropic's dict; or a
            dict of the wire (``{"type": "function", "function": ...}``, ``{"type": "openrouter:web_search"}`` ...),
            which is sent as it is.
        strict: True: the arguments must follow the schema to the letter, and the schema is put into the strict subset;
            False: said as it is; None: not said. A function's dict of the wire may say otherwise of itself.
    """
    made = dict(tool) if isinstance(tool, Mapping) and _is_wire(tool) else {**_beside(tool), **_function_tool(tool)}
    function = made.get("function")
    if made.get("type") != "function" or not isinstance(function, Mapping):
        return made
    return {**made, "function": stricter(function, strict)}


def _is_wire(tool: Mapping[str, Any]) -> bool:
    """Whether a dict is a tool of the wire, and no schema of a function."""
    kind = tool.get("type")
    return isinstance(kind, str) and kind != "object" and "input_schema" not in tool


def _beside(tool: Tool) -> dict[str, Any]:
    """What stands beside the function: a LangChain tool's ``extras``, the other keys of Anthropic's dict."""
    if isinstance(tool, BaseTool):
        return dict(tool.extras or {})
    if not isinstance(tool, Mapping):
        return {}
    return {key: tool[key] for key in tool if key in _BESIDE or ("input_schema" in tool and key not in _ANTHROPIC)}


def _function_tool(tool: Tool) -> dict[str, Any]:
    """A function's definition; core's, but for what core loses: null and absence in TypedDicts, recursion."""
    if isinstance(tool, Mapping):
        return convert_to_openai_tool({key: value for key, value in tool.items() if key not in _BESIDE})
    if typing_extensions.is_typeddict(tool):
        return function_tool(wanted(tool))
    arguments = tool.tool_call_schema if isinstance(tool, BaseTool) else tool
    if isinstance(arguments, type) and issubclass(arguments, BaseModel):
        read = wanted(arguments)
        if not fits_in_place(read.schema):
            made = function_tool(read)
            named = {"name": tool.name, "description": tool.description} if isinstance(tool, BaseTool) else {}
            return {**made, "function": {**made["function"], **named}}
    return convert_to_openai_tool(tool)


def function_tool(schema: Wanted) -> dict[str, Any]:
    """The tool that a schema stands for: to call it is to give the answer.

    References are put in place, which more providers understand, unless that makes the schema endless or huge.

    Raises:
        ValueError: a reference leads nowhere.
    """
    parameters = rooted(schema.schema)
    if fits_in_place(parameters):
        try:
            parameters = dereference_refs(parameters)
        except KeyError as error:
            raise ValueError(f"schema {schema.name}: {error.args[0]} Add it to `$defs`") from None
        parameters = {key: value for key, value in parameters.items() if key not in ("$defs", "definitions")}
    parameters.pop("title", None)
    description = parameters.pop("description", None) or schema.description
    function = known(name=schema.name, description=description, parameters=parameters or dict(_NO_ARGUMENTS))
    return {"type": "function", "function": function}


# ---------------------------------------------------------------------------------------------- which tool


def wire_tool_choice(choice: ToolChoice, tools: Sequence[Mapping[str, Any]]) -> str | dict[str, Any] | None:
    """Which tool must be called.

    Args:
        choice: "auto", "none", "required" or "any" (one of them must), the name of a tool (of a server tool: its type),
            True (the only tool, or any of several), a dict of the wire, or None or False (say nothing).
        tools: the tools, in the wire's form.

    Raises:
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
    if choice in choices:
        return choices[choice]
    word = _WORDS.get(choice)
    if word is None or (word == "required" and not tools):
        raise ValueError(_no_such_tool(choice, choices))
    return word if tools else None  # without tools none can be called, and the API refuses to hear of it


def _chosen(tool: Mapping[str, Any]) -> dict[str, Any]:
    name = tool_name(tool)
    return {"type": tool.get("type")} if name is None else {"type": "function", "function": {"name": name}}


def _no_such_tool(choice: ToolChoice, names: Iterable[str]) -> str:
    return f"tool_choice={choice!r}: no such tool; there are {list(names)}, or use {', '.join(map(repr, _WORDS))}"


def tool_name(tool: Mapping[str, Any]) -> str | None:
    """The name of a function tool; server tools have none."""
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else None


# ---------------------------------------------------------------------------------------------- which format


def is_wire_format(given: Any) -> bool:
    """Whether this is a ``response_format`` of the wire, and no schema that is to become one."""
    if not isinstance(given, Mapping):
        return False
    return given.get("type") in _FORMATS or isinstance(given.get("json_schema"), Mapping)


def wire_format(given: Any, strict: bool | None) -> Any:
    """A ``response_format``.

    Args:
        given: the wire's dict, or a schema in any form.
        strict: for a schema that does not say it of itself; None: strict where the schema can be, but of the wire's
            dict only where that asks for no more than it does already.

    Raises:
        ValueError: it is neither.
    """
    if given is None:
        return None
    if not is_wire_format(given):
        flat = isinstance(given, Mapping) and given.get("type") == "json_schema"  # as in the Responses API
        return schema_format(wanted({k: v for k, v in given.items() if k != "type"} if flat else given), strict)
    inner = given.get("json_schema")
    if not isinstance(inner, Mapping):
        return dict(given)
    schema = inner.get("schema")
    said = inner.get("strict", strict)
    if said is None and isinstance(schema, Mapping) and can_be_strict(schema) and requires_everything(schema):
        said = True
    made = {**inner, "name": schema_name(inner.get("name"))} | known(strict=said)
    if said and isinstance(schema, Mapping):
        made["schema"] = strict_schema(schema)
    return {**given, "json_schema": made}


def schema_format(schema: Wanted, strict: bool | None) -> dict[str, Any]:
    """The ``response_format`` that asks for a schema.

    Args:
        schema: what the answer has to be.
        strict: None: what the schema says of itself; where it says nothing, strict if the schema can be.
    """
    said = schema.strict if strict is None else strict
    return json_schema_format(schema.name, schema.schema, said, schema.description)


def wire_forms(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a call, with its tools, choice and format in the wire's form; a dict of the wire stays as it is.

    Args:
        options: by name; may have ``tools``, ``tool_choice``, ``strict`` and ``response_format`` in any form that
            ``bind_tools`` takes. No tools clear those that the model has, and the choice among them.

    Raises:
        TypeError: the tools are no list.
    """
    made = dict(options)
    if "tools" in made:
        made |= _of_tools(made["tools"], made)
    elif isinstance(made.get("tool_choice"), str):
        made["tool_choice"] = _WORDS.get(made["tool_choice"], made["tool_choice"])
    given = made.get("response_format")
    if given is not None and not is_wire_format(given):
        made["response_format"] = wire_format(given, None)
        made.setdefault("require_parameters", True)
    return made


def _of_tools(tools: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The tools of a call and what goes with them; takes ``strict`` out of the options."""
    if isinstance(tools, Mapping | str) or not isinstance(tools, Iterable | None):
        raise TypeError(f"tools must be a list, not {tools!r:.80}")
    strict = options.pop("strict", None)
    made = [wire_tool(tool, strict=strict) for tool in tools or ()]
    if not made:
        return dict.fromkeys(("tools", "tool_choice", "parallel_tool_calls"))
    choice = {"tool_choice": wire_tool_choice(options["tool_choice"], made)} if "tool_choice" in options else {}
    return {"tools": made, **choice}
