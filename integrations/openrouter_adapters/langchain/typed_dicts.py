"""TypedDicts, in the form that pydantic reads: with LangChain's way of giving defaults and descriptions.

LangChain writes ``Annotated[str, ..., "What it is"]``: the default (``...`` where there is none), then the description;
or describes the keys in the docstring's ``Args``. Core's own conversion forgets that a key may be None, and knows
neither ``NotRequired`` nor ``total=False``.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import typing_extensions
from langchain_core.utils.function_calling import convert_to_openai_function
from pydantic import Field
from pydantic.fields import FieldInfo

_typed_dict: Any = typing_extensions.TypedDict  # type checkers want its arguments spelt out
_SAYS_WHETHER = {typing.Required: True, typing.NotRequired: False}


def readable(typed_dict: Any) -> Any:
    """The same TypedDict, for pydantic: its keys' descriptions and what may be left out are told in pydantic's way.

    Raises:
        ValueError: it contains itself.
    """
    return _readable(typed_dict, ())


def _readable(typed_dict: Any, inside: tuple[Any, ...]) -> Any:
    if typed_dict in inside:
        name = typed_dict.__name__
        raise ValueError(f"the TypedDict {name} contains itself, which only a pydantic class can: make {name} one")
    described = _described(typed_dict)
    hints = typing_extensions.get_type_hints(typed_dict, include_extras=True)
    fields: dict[str, Any] = {}
    for name, hint in hints.items():
        fields[name] = _field(hint, name in typed_dict.__required_keys__, described.get(name), (*inside, typed_dict))
    made: Any = _typed_dict(typed_dict.__name__, fields)
    made.__doc__ = described.get("") or None
    return made


def _field(hint: Any, must: bool, description: str | None, inside: tuple[Any, ...]) -> Any:
    while get_origin(hint) in _SAYS_WHETHER:
        must, hint = _SAYS_WHETHER[get_origin(hint)], get_args(hint)[0]
    hint, *more = (hint.__origin__, *hint.__metadata__) if get_origin(hint) is Annotated else (hint,)
    if not any(isinstance(item, FieldInfo) for item in more):
        if more[1:]:
            description = more[1]
            must = must and more[0] is ...
        elif more and isinstance(more[0], str):
            description = more[0]
        more = [Field(description=description)] if description else []
    made = _rebuilt(hint, inside)
    for item in more:
        made = Annotated[made, item]
    return made if must else typing_extensions.NotRequired[made]


def _rebuilt(hint: Any, inside: tuple[Any, ...]) -> Any:
    """A type with the TypedDicts in it made readable."""
    if typing_extensions.is_typeddict(hint):
        return _readable(hint, inside)
    origin, args = get_origin(hint), get_args(hint)
    made = tuple(_rebuilt(arg, inside) for arg in args)
    if all(new is old for new, old in zip(made, args, strict=True)):
        return hint
    return (typing.Union if origin is types.UnionType else origin)[made]


def _described(typed_dict: Any) -> Mapping[str, str]:
    """What the docstring says of the keys, and under "" of the whole."""
    if not typed_dict.__doc__ or typed_dict.__doc__ == dict.__doc__:
        return {}
    names = _typed_dict(typed_dict.__name__, dict.fromkeys(typed_dict.__annotations__, str))
    names.__doc__ = typed_dict.__doc__
    function = convert_to_openai_function(names)
    keys = function["parameters"]["properties"].items()
    return {"": function["description"], **{name: part["description"] for name, part in keys if "description" in part}}
