"""Tools, tool choices and response formats, as the wire wants them.

https://openrouter.ai/docs/features/tool-calling
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import typing_extensions
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from openrouter_adapters.core import tools as core
from openrouter_adapters.core.schema import (
    can_be_strict,
    fits_in_place,
    json_schema_format,
    requires_everything,
    schema_name,
    strict_schema,
    stricter,
)
from openrouter_adapters.core.wire import known
from openrouter_adapters.langchain.schemas import Wanted, wanted

Tool = Mapping[str, Any] | type | Callable[..., Any] | BaseTool
_FORMATS = ("json_object", "text", "grammar", "python")
# Keys that stand beside a function, not in it.
_BESIDE = ("cache_control", "defer_loading", "eager_input_streaming")
_ANTHROPIC = {"type", "name", "description", "input_schema"}


def wire_tool(tool: Tool, *, strict: bool | None = None) -> dict[str, Any]:
    """One tool.

    Args:
        tool: a LangChain tool, function, pydantic class, TypedDict, JSON schema with a title, Anthropic's dict; or a
            dict of the wire (``{"type": "function", "function": ...}``, ``{"type": "openrouter:web_search"}`` ...),
            which is sent as it is; or a function's of OpenAI's Responses API.
        strict: True: the arguments must follow the schema to the letter, and the schema is put into the strict subset;
            False: said as it is; None: not said. A function's dict of the wire may say otherwise of itself.
    """
    tool = core.nested(tool)
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
    """The tool that a schema stands for; see core.

    Raises:
        ValueError: a reference leads nowhere.
    """
    return core.function_tool(schema.name, schema.description, schema.schema)


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
    made = core.call_tools(options, lambda tool, strict: wire_tool(tool, strict=strict))
    given = made.get("response_format")
    if given is not None and not is_wire_format(given):
        made["response_format"] = wire_format(given, None)
        made.setdefault("require_parameters", True)
    return made
