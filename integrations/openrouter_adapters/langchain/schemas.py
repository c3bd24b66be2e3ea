"""What a caller gives as a schema, read once: its name, its JSON schema, and how an answer is made into its object."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pydantic.v1
import typing_extensions
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_function
from pydantic import BaseModel, TypeAdapter

from openrouter_adapters.core.conformity import mismatch, without_nulls
from openrouter_adapters.core.schema import rooted, schema_name
from openrouter_adapters.core.wire import dict_of, text_of
from openrouter_adapters.langchain.typed_dicts import readable

_SCHEMA_WORDS = {"type", "properties", "$ref", "$defs", "anyOf", "oneOf", "allOf", "enum", "const", "items"}


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer has to be.

    Attributes:
        name: as the API takes it.
        schema: a JSON schema; it may be empty.
        description: what it is for, where that does not stand in the schema.
        strict: what the caller's dict itself says.
        type: a type that pydantic knows; None: the answer is the dict.
        given: as the caller gave it.
    """

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None
    type: Any = None
    given: Any = None

    @property
    def makes_objects(self) -> bool:
        """Whether an answer becomes an object that is no dict."""
        return self.type is not None and not typing_extensions.is_typeddict(self.type)

    def validated(self, value: Any) -> Any:
        """The object, or the dict, that parsed JSON stands for.

        Raises:
            ValueError: it is not what the schema asks for.
        """
        whole = without_nulls(value, self.schema)
        if self.type is None:
            if not self.schema and not isinstance(value, dict):
                raise ValueError(f"the answer must be an object, not {value!r}")
            if said := mismatch(whole, self.schema):
                raise ValueError(said)
            return whole
        if is_old_class(self.type):
            return self.type.parse_obj(whole)
        return _adapter(self.type).validate_json(json.dumps(whole))


@cache
def _adapter(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def is_old_class(given: Any) -> bool:
    """Whether this is a class of `pydantic.v1`."""
    return isinstance(given, type) and issubclass(given, pydantic.v1.BaseModel)


def wanted(given: Any) -> Wanted:
    """Read a schema.

    Args:
        given: a pydantic class, TypedDict or dataclass; a JSON schema, titled or not; OpenAI's or Anthropic's dict of a
            function, or the dict of a ``response_format``; a function or tool, whose arguments are meant. None: any
            object.

    Raises:
        ValueError: it is none of these.
    """
    if given is None:
        return Wanted(schema_name(None), {})
    if isinstance(given, Mapping):
        return dataclasses.replace(_of_dict(given), given=given)
    if is_old_class(given):
        return Wanted(schema_name(given.__name__), rooted(given.schema()), type=given, given=given)
    if typing_extensions.is_typeddict(given):
        made = readable(given)
        return Wanted(schema_name(given.__name__), rooted(_adapter(made).json_schema()), type=made, given=given)
    if isinstance(given, type) and (issubclass(given, BaseModel) or dataclasses.is_dataclass(given)):
        schema = rooted(_adapter(given).json_schema())
        return Wanted(schema_name(schema.get("title") or given.__name__), schema, type=given, given=given)
    if isinstance(given, BaseTool) or callable(given):
        return dataclasses.replace(_of_dict(convert_to_openai_function(given)), given=given)
    raise ValueError(f"schema={given!r} is no schema: give a pydantic class, a TypedDict or a JSON schema")


def _of_dict(given: Mapping[str, Any]) -> Wanted:
    """OpenAI's wrappers, OpenAI's and Anthropic's functions, or a plain JSON schema."""
    for wrapper in ("function", "json_schema"):
        if given.get("type") == wrapper and isinstance(given.get(wrapper), Mapping):
            return _of_dict(given[wrapper])
    inner = next((given[key] for key in ("parameters", "input_schema", "schema") if key in given), None)
    if text_of(given.get("name")) and not _SCHEMA_WORDS & given.keys() - {"type"}:
        strict = given.get("strict")
        return Wanted(
            schema_name(given["name"]),
            dict_of(inner) or {"type": "object", "properties": {}},
            text_of(given.get("description")),
            strict if isinstance(strict, bool) else None,
        )
    if not _SCHEMA_WORDS & given.keys():
        raise ValueError(f"schema={dict(given)!r} is no JSON schema: it has no `type` and no `properties`")
    return Wanted(schema_name(text_of(given.get("title"))), dict(given))


def traced(schema: Wanted) -> Any:
    """The schema as LangChain's traces show it: as it was given, where LangChain's core can read that."""
    try:
        convert_to_json_schema(schema.given)
    except Exception:  # whatever core says to a form that it does not know
        return {**schema.schema, "title": schema.name}
    return schema.given
