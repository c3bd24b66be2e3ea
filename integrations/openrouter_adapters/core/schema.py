"""JSON schemas as strict structured output wants them: every object closed, all of its properties required. Pure.

Strict schemas are a subset of JSON Schema. `strict_schema` puts a schema into it as far as that goes without changing
what it accepts into something else; `can_be_strict` tells whether that is all the way. Nothing given is mutated.

https://openrouter.ai/docs/features/structured-outputs
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openrouter_adapters.core.wire import dict_of, known, text_of

Schema = Mapping[str, Any]

UNNAMED = "structured_output"
"""The name of a schema that has none."""

_LONGEST_NAME = 64
_LARGEST_IN_PLACE = 2_000
_DEFINITIONS = ("$defs", "definitions")
_OF_DEFINITIONS = (*_DEFINITIONS, "discriminator")  # which tells apart by their addresses
_NAMED_PARTS = ("properties", *_DEFINITIONS)
_LISTED_PARTS = ("anyOf", "oneOf", "allOf")
_ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "$defs", "definitions", "$schema", "$id"}
# What the strict subset has besides those; a schema with anything else stays as it is.
_SUPPORTED = {
    *_ANNOTATIONS,
    *("type", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "allOf", "$ref"),
    *("enum", "const", "discriminator", "pattern", "format", "multipleOf", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_DROPPED = ("default", "discriminator")
_LOOKS_AROUND = re.compile(r"\(\?<?[=!]")
_SAYS_WHAT = ("type", "properties", "anyOf", "oneOf", "allOf", "$ref", "enum", "const")


def schema_name(name: str | None) -> str:
    """A name as the API takes it: up to 64 of ``a-zA-Z0-9_-``.

    Args:
        name: what the schema is called; every other character becomes an underscore.
    """
    made = re.sub(r"[^a-zA-Z0-9_-]", "_", name or "")[:_LONGEST_NAME]
    return made if made.strip("_-") else UNNAMED


def strict_schema(schema: Schema) -> dict[str, Any]:
    """A fresh schema in which every object is closed and requires all of its properties.

    Defaults go, ``oneOf`` becomes ``anyOf``, and so do a single ``allOf`` and a reference with words beside it; a
    reference at the top is put in place. What is valid for the strict schema is valid for the given one. A free-form
    map stays as it is: closed, it would be empty for ever.

    Args:
        schema: a JSON schema; definitions in it may refer to one another, and to themselves.
    """
    made: dict[str, Any] = _strict(rooted(schema))
    return made


def stricter(function: Schema, strict: bool | None) -> dict[str, Any]:
    """A function's definition that says whether its arguments must follow the schema to the letter.

    Args:
        function: as on the wire; what it says of itself stays.
        strict: True: said, with the schema in the strict subset; False: said; None: not said.
    """
    if strict is None or "strict" in function:
        return dict(function)
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return {**function, "strict": strict, **({"parameters": strict_schema(parameters)} if strict else {})}


def json_schema_format(
    name: str, schema: Schema, strict: bool | None, description: str | None = None
) -> dict[str, Any]:
    """The ``response_format`` that asks for a schema.

    Args:
        name: the schema's name, as the API takes it.
        schema: what the answer has to be.
        strict: None: strict if the schema can be.
        description: what it is for.
    """
    said = can_be_strict(schema) if strict is None else strict
    made = strict_schema(schema) if said else schema
    return {"type": "json_schema", "json_schema": known(name=name, description=description, schema=made, strict=said)}


def _strict(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    made = mapped({key: value for key, value in node.items() if key not in _DROPPED}, _strict)
    if _only_part(node) is not None:
        part = made.pop("allOf")[0] if "allOf" in made else {"$ref": made.pop("$ref")}
        return {"anyOf": [part], **made} if made else part
    if "oneOf" in made and "anyOf" not in made:
        made["anyOf"] = made.pop("oneOf")
    if "allOf" in node:  # closed, its parts would exclude one another
        return {**made, "allOf": node["allOf"]}
    if isinstance(made.get("properties"), Mapping):
        return {"type": "object", **made, "required": list(made["properties"]), "additionalProperties": False}
    return made


def _only_part(node: Schema) -> Schema | None:
    """The reference, or the one part of ``allOf``, that a node consists of but for words beside it."""
    parts = node.get("allOf")
    if isinstance(node.get("$ref"), str) and node.keys() - {"$ref"} <= _ANNOTATIONS:
        return {"$ref": node["$ref"]}
    if isinstance(parts, list) and len(parts) == 1 and node.keys() - {"allOf"} <= _ANNOTATIONS:
        return parts[0] if isinstance(parts[0], Mapping) else None
    return None


def mapped(node: Schema, change: Callable[[Any], Any]) -> dict[str, Any]:
    """A fresh node with its parts changed. Names of properties are no keywords, and values are no schemas."""
    made = dict(node)
    for key in _NAMED_PARTS:
        if isinstance(node.get(key), Mapping):
            made[key] = {name: change(part) for name, part in node[key].items()}
    for key in _LISTED_PARTS:
        if isinstance(node.get(key), list):
            made[key] = [change(part) for part in node[key]]
    for key in ("items", "additionalProperties"):
        if key in node:
            made[key] = change(node[key])
    return made


def resolved(ref: str, root: Schema) -> Schema | None:
    """The schema that a reference leads to; None when there is none.

    Args:
        ref: ``#``, or a JSON pointer after it (``#/$defs/Person``).
        root: the schema that it stands in.
    """
    found: Any = root if ref == "#" or ref.startswith("#/") else None
    for key in ref.removeprefix("#").split("/")[1:]:
        name = key.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def rooted(schema: Schema) -> dict[str, Any]:
    """A fresh schema that says at its top what it is of, where it only referred to a definition: an API looks there."""
    made, seen = dict(schema), list[Schema]()
    while (part := _only_part(made)) is not None:
        found = resolved(part["$ref"], schema) if "$ref" in made else part
        if found is None or found in seen:
            break
        seen.append(found)
        made = {**found, **{key: value for key, value in made.items() if key not in ("$ref", "allOf")}}
    return made


def size_in_place(schema: Schema) -> float:
    """How many nodes a schema has with everything put in place that it refers to; infinite where it contains itself."""
    sizes: dict[str, float] = {"#": math.inf}

    def size(node: Any) -> float:
        if not isinstance(node, Mapping):
            return 1
        ref = text_of(node.get("$ref"))
        if ref and ref not in sizes:
            sizes[ref] = math.inf  # until it is known: what comes back to it contains itself
            sizes[ref] = size(resolved(ref, schema))
        return 1 + sizes.get(ref or "", 0) + sum(map(size, _parts(node)))

    return size(schema)


def fits_in_place(schema: Schema) -> bool:
    """Whether everything that a schema refers to can be put in place without making it endless or huge."""
    return size_in_place(schema) <= _LARGEST_IN_PLACE


def in_place(schema: Schema) -> dict[str, Any]:
    """A fresh schema with everything in place that it refers to; with its definitions, unless it `fits_in_place`.

    Raises:
        ValueError: a reference leads nowhere.
    """
    made = rooted(schema)
    if not fits_in_place(made):
        return made

    def put(node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        while (ref := text_of(node.get("$ref"))) is not None:
            found = resolved(ref, made)
            if found is None:
                raise ValueError(f"schema {schema.get('title') or ''}: {ref!r} not found. Add it to `$defs`")
            node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
        return mapped({key: value for key, value in node.items() if key not in _OF_DEFINITIONS}, put)

    placed: dict[str, Any] = put(made)
    return placed


def requires_everything(schema: Schema) -> bool:
    """Whether every object of a schema requires all of its properties already."""
    objects = (node for node in _nodes(schema) if isinstance(node, Mapping))
    return all({*dict_of(node.get("properties"))} <= {*(node.get("required") or ())} for node in objects)


def can_be_strict(schema: Schema) -> bool:
    """Whether the strict form of a schema is wholly in the strict subset.

    It is not where there is a free-form map (``dict[str, int]``), a value that may be anything, a tuple, a limit to a
    text's length or another keyword or format outside the subset, or no object at the top.
    """
    return "properties" in strict_schema(schema) and all(_is_strict(node, schema) for node in _nodes(schema))


def _nodes(node: Any) -> Iterator[Any]:
    """A node and all that it contains; references are not followed."""
    yield node
    if isinstance(node, Mapping):
        for part in _parts(node):
            yield from _nodes(part)


def _parts(node: Schema) -> list[Any]:
    parts: list[Any] = []
    mapped(node, parts.append)
    return [part for part in parts if not isinstance(part, bool) or part]  # `additionalProperties: false` is no part


def _is_strict(node: Any, root: Schema) -> bool:
    """Whether nothing in this node itself is against it."""
    if not isinstance(node, Mapping) or not node.keys() <= _SUPPORTED or not any(key in node for key in _SAYS_WHAT):
        return False
    if node.get("additionalProperties") not in (None, False):
        return False
    if "allOf" in node and _only_part(node) is None:
        return False
    if node.get("format", "date") not in _FORMATS or _LOOKS_AROUND.search(str(node.get("pattern"))):
        return False
    if "$ref" in node:
        return _only_part(node) is not None and resolved(node["$ref"], root) is not None
    kind = node.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    lacking = ("object" in kinds and "properties" not in node) or ("array" in kinds and "items" not in node)
    return not lacking and sum(key in node for key in ("properties", "oneOf", "anyOf")) <= 1
