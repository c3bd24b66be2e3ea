"""What is wrong with a value that a JSON schema is for. Pure.

The check is of the shape that code relies on: types, required properties, listed values, in objects and lists and
under references and combinations. What else a schema says accepts everything here: limits, patterns, conditions and
whatever a later draft knows, and so does a property that nobody asked for.
"""

from __future__ import annotations

import reprlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from openrouter_adapters.core.schema import Schema, resolved
from openrouter_adapters.core.wire import dict_of, dicts_of

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": (int, float),
}
_MOST_NAMED = 3

# Where, from the value that was judged (".city", "[1]" ...), and what is wrong there. Empty: nothing.
_Faults = tuple[tuple[str, str], ...]
# Judges one value by one schema; asks with (value, schema) for the judgement of a part, and is sent it.
_Judging = Generator[tuple[Any, Any], _Faults, _Faults]


def mismatch(value: Any, schema: Schema) -> str | None:
    """What is wrong with a value, in words that name the place; None when it is what the schema asks for.

    Each value is judged by each schema once, however they are nested or refer to one another.

    Args:
        value: parsed JSON, of any depth.
        schema: a JSON schema.
    """
    judged: dict[tuple[int, int], _Faults] = {}
    waiting = [((id(value), id(schema)), _judging(value, schema, schema))]
    faults: Any = None
    while waiting:
        key, judging = waiting[-1]
        try:
            part = judging.send(faults)
        except StopIteration as done:
            judged[key] = faults = done.value
            waiting.pop()
            continue
        key = (id(part[0]), id(part[1]))
        faults = judged.get(key)
        if faults is None:
            judged[key] = ()  # a schema that only refers to itself asks for nothing
            waiting.append((key, _judging(*part, schema)))
    return " or ".join(dict.fromkeys(f"{place.lstrip('.') or 'the answer'} {said}" for place, said in faults)) or None


def _judging(value: Any, schema: Any, root: Schema) -> _Judging:
    """The first fault of a value, or the first few where it is none of several things."""
    if not isinstance(schema, Mapping):
        return (("", "must not be there"),) if schema is False else ()
    if value is None and schema.get("nullable") is True:
        return ()
    if fault := _own_fault(value, schema):
        return (fault,)
    for place, part, inner in _parts(value, schema, root):
        faults = yield part, inner
        if faults:
            return tuple((f"{place}{below}", said) for below, said in faults)
    for word in ("anyOf", "oneOf"):
        several: list[_Faults] = []
        for inner in dicts_of(schema.get(word)):
            several.append((yield value, inner))
        if several and all(several):
            return tuple(dict.fromkeys(fault for faults in several for fault in faults))[:_MOST_NAMED]
    return ()


def _own_fault(value: Any, schema: Schema) -> tuple[str, str] | None:
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and not any(_is_kind(value, kind) for kind in kinds):
        return "", f"must be {' or '.join(map(str, kinds))}, not {reprlib.repr(value)}"
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        return "", f"must be {' or '.join(map(repr, choices))}, not {reprlib.repr(value)}"
    names = schema.get("required")
    if isinstance(value, dict) and isinstance(names, list):
        return next(((f".{name}", "is missing") for name in names if name not in value), None)
    return None


def _parts(value: Any, schema: Schema, root: Schema) -> Iterator[tuple[str, Any, Any]]:
    """What has to be right besides: where it stands, the value there, and its schema."""
    if isinstance(schema.get("$ref"), str):
        yield "", value, resolved(schema["$ref"], root)
    for inner in dicts_of(schema.get("allOf")):
        yield "", value, inner
    if isinstance(value, dict):
        named = dict_of(schema.get("properties"))
        others = schema.get("additionalProperties")
        others = others if isinstance(others, Mapping) and "patternProperties" not in schema else None
        yield from ((f".{name}", item, named.get(name, others)) for name, item in value.items())
    elif isinstance(value, list) and "items" in schema and "prefixItems" not in schema:
        yield from ((f"[{index}]", item, schema["items"]) for index, item in enumerate(value))


def _same(value: Any, other: Any) -> bool:
    """Equal, as JSON has it: true is not 1."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _is_kind(value: Any, kind: Any) -> bool:
    """Whether a value is of a JSON type; of one that nobody knows it is."""
    known = _KINDS.get(kind) if isinstance(kind, str) else None
    if known is None or isinstance(value, bool):
        return known is None or kind == "boolean"
    return isinstance(value, known) and not (kind == "integer" and isinstance(value, float) and value % 1 != 0)
