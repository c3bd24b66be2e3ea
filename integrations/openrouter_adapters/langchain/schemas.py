"""What a caller gives as a schema, read once: its name, its JSON schema, and how an answer is made into its object."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import typing
from collections.abc import Mapping
from typing import Any

import pydantic.v1
import typing_extensions
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_function
from pydantic import BaseModel, TypeAdapter
from typing_extensions import override

from openrouter_adapters.core.mismatch import mismatch
from openrouter_adapters.core.schema import fits_in_place, rooted, schema_name
from openrouter_adapters.core.wire import dict_of, text_of
from openrouter_adapters.langchain.typed_dicts import readable

"""How a model is asked for an object."""

_SCHEMA_WORDS = {"type", "properties", "$ref", "$defs", "anyOf", "oneOf", "allOf", "enum", "const", "items"}


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer has to be.

    Attributes:
        name: as the API takes it.
        schema: a JSON schema.
        description: what it is for, where that does not stand in the schema.
        strict: what the caller's dict itself says.
        adapter: pydantic's reader of the type; None: an old class reads, or the answer is the dict.
        given: as the caller gave it.
    """

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None
    adapter: TypeAdapter[Any] | None = None
    given: Any = None

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return wanted, (self.given,)  # pickled as it was given: what was made of it has no name to be found by

    @property
    def makes_objects(self) -> bool:
        """Whether an answer becomes an object that is no dict."""
        return is_old_class(self.given) or bool(self.adapter and not typing_extensions.is_typeddict(self.given))

    def validated(self, value: Any) -> Any:
        """The object, or the dict, that parsed JSON stands for.

        Raises:
            ValueError: it is not what the schema asks for.
        """
        if is_old_class(self.given):
            return self.given.parse_obj(value)
        if self.adapter:
            return self.adapter.validate_json(json.dumps(value))
        if said := mismatch(value, self.schema):
            raise ValueError(said)
        return value


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
        return Wanted(schema_name(None), {"type": "object"})
    if isinstance(given, Mapping):
        return dataclasses.replace(_of_dict(given), given=given)
    if is_old_class(given):
        return Wanted(schema_name(given.__name__), rooted(given.schema()), given=given)
    is_typed_dict = typing_extensions.is_typeddict(given)
    if is_typed_dict or (isinstance(given, type) and (issubclass(given, BaseModel) or dataclasses.is_dataclass(given))):
        adapter = TypeAdapter[Any](readable(given) if is_typed_dict else given)
        schema = rooted(adapter.json_schema())
        return Wanted(schema_name(schema.get("title") or given.__name__), schema, adapter=adapter, given=given)
    if isinstance(given, BaseTool) or inspect.isroutine(given):
        return dataclasses.replace(_of_dict(convert_to_openai_function(given)), given=given)
    raise ValueError(f"schema={given!r} is no schema of an object: {_remedy(given)}")


def _remedy(given: Any) -> str:
    is_class = isinstance(given, type) and not typing.get_origin(given)
    if is_class and getattr(given, "__annotations__", None):  # a NamedTuple, or a class of the caller's own
        return f"make {given.__name__} a pydantic class or a dataclass"
    if is_class or typing.get_origin(given):
        shown = given.__name__ if is_class else given
        return f"wrap it in a pydantic class: class Answer(BaseModel): value: {shown}"
    return "give a pydantic class, a TypedDict, a dataclass or a JSON schema"


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
    """The schema as LangChain's traces show it: as it was given, where LangChain's core can read that, and in time."""
    if fits_in_place(schema.schema):
        with contextlib.suppress(Exception):  # whatever core says to a form that it does not know
            convert_to_json_schema(schema.given)
            return schema.given
    return {**schema.schema, "title": schema.name}
