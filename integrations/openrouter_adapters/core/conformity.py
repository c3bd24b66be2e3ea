"""Whether a value is what a JSON schema asks for, and how a value says that it leaves something out. Pure.

The check is of the shape that code relies on: types, required properties, listed values. Limits to numbers and texts,
patterns and formats are the caller's own business, and a property that nobody asked for does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openrouter_adapters.core.schema import Schema, mapped, resolved
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


def mismatch(value: Any, schema: Any, root: Schema | None = None, place: str = "") -> str | None:
    """What is wrong with a value, in words that name the place; None when it is what the schema asks for.

    Args:
        value: parsed JSON.
        schema: a JSON schema.
        root: where its references start from; the schema itself when not given.
        place: where the value stands, as in ``address.city``.
    """
    root = dict_of(schema) if root is None else root
    if not isinstance(schema, Mapping):
        return f"{place or 'the answer'} must not be there" if schema is False else None
    return next(_mismatches(value, schema, root, place), None)


def _mismatches(value: Any, schema: Schema, root: Schema, place: str) -> Iterator[str]:
    where = place or "the answer"
    if isinstance(schema.get("$ref"), str):
        yield from _found(mismatch(value, resolved(schema["$ref"], root), root, place))
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and not any(is_kind(value, kind) for kind in kinds):
        yield f"{where} must be {' or '.join(map(str, kinds))}, not {_shown(value)}"
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        yield f"{where} must be {' or '.join(map(repr, choices))}, not {_shown(value)}"
    for part in dicts_of(schema.get("allOf")):
        yield from _found(mismatch(value, part, root, place))
    for word in ("anyOf", "oneOf"):
        yield from _of_several(value, dicts_of(schema.get(word)), root, place)
    if isinstance(value, dict):
        yield from _in_object(value, schema, root, place)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, item in enumerate(value):
            yield from _found(mismatch(item, schema["items"], root, f"{place}[{index}]"))


def _found(said: str | None) -> Iterator[str]:
    if said is not None:
        yield said


def _of_several(value: Any, parts: list[dict[str, Any]], root: Schema, place: str) -> Iterator[str]:
    wrong = [mismatch(value, part, root, place) for part in parts]
    if wrong and all(wrong):
        yield " or ".join(dict.fromkeys(filter(None, wrong)))


def _in_object(value: dict[str, Any], schema: Schema, root: Schema, place: str) -> Iterator[str]:
    properties = dict_of(schema.get("properties"))
    for name in required(schema):
        if name not in value:
            yield f"{_inside(place, name)} is missing"
    others = schema.get("additionalProperties")
    for name, item in value.items():
        part = properties.get(name, others if isinstance(others, Mapping) else None)
        yield from _found(mismatch(item, part, root, _inside(place, name)))


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _same(value: Any, other: Any) -> bool:
    """Equal, as JSON has it: true is not 1."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def is_kind(value: Any, kind: Any) -> bool:
    """Whether a value is of a JSON type; of one that nobody knows it is."""
    known = _KINDS.get(kind)
    if known is None or isinstance(value, bool):
        return known is None or kind == "boolean"
    return isinstance(value, known) and not (kind == "integer" and isinstance(value, float) and value % 1 != 0)


# ----------------------------------------------------------------------------------------- what may be left out


def required(schema: Schema) -> list[str]:
    """The names of the properties that must be there."""
    names = schema.get("required")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def with_nulls(schema: Schema) -> dict[str, Any]:
    """A fresh schema in which every property that may be left out may be null instead.

    The strict subset knows no other way to leave a property out: the model would have to make up a value.
    """
    return _with_nulls(schema, schema)


def _with_nulls(schema: Schema, root: Schema) -> dict[str, Any]:
    made = mapped(schema, lambda part: _with_nulls(part, root) if isinstance(part, Mapping) else part)
    for name, part in dict_of(made.get("properties")).items():
        if isinstance(part, Mapping) and name not in required(schema) and mismatch(None, part, root):
            words = {key: part[key] for key in ("title", "description") if key in part}
            rest = {key: value for key, value in part.items() if key not in words and key != "default"}
            made["properties"][name] = {"anyOf": [rest, {"type": "null"}], **words}
    return made


def without_nulls(value: Any, schema: Any, root: Schema | None = None) -> Any:
    """A fresh value without the nulls that stand for a property left out: those that the schema does not know.

    Args:
        value: what a model answered.
        schema: the schema before `with_nulls`.
        root: where its references start from; the schema itself when not given.
    """
    root = dict_of(schema) if root is None else root
    nodes = _nodes_of(value, dict_of(schema), root)
    if isinstance(value, list):
        items = next((node["items"] for node in nodes if "items" in node), None)
        return [without_nulls(item, items, root) for item in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, item in value.items():
        homes = [node for node in nodes if name in dict_of(node.get("properties"))]
        part = homes[0]["properties"][name] if homes else None
        optional = homes and not any(name in required(node) for node in nodes)
        if not (item is None and optional and mismatch(None, part, root)):
            made[name] = without_nulls(item, part, root)
    return made


def _nodes_of(value: Any, schema: Schema, root: Schema) -> list[Schema]:
    """The schemas that speak of a value: this one, those it refers to, and the one of several that fits."""
    nodes = [schema]
    for part in [resolved(schema["$ref"], root)] if isinstance(schema.get("$ref"), str) else []:
        nodes += _nodes_of(value, part or {}, root)
    for part in dicts_of(schema.get("allOf")):
        nodes += _nodes_of(value, part, root)
    for word in ("anyOf", "oneOf"):
        parts = dicts_of(schema.get(word))
        fitting = (part for part in parts if not mismatch(value, _with_nulls(part, root), with_nulls(root)))
        nodes += [node for part in [next(fitting, None)] if part for node in _nodes_of(value, part, root)]
    return nodes
