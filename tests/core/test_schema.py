"""Strict schemas, the check of values against a schema, and JSON in what a model wrote."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core.conformity import mismatch, with_nulls, without_nulls
from openrouter_adapters.core.json_text import partial_json, read_json
from openrouter_adapters.core.schema import can_be_strict, is_recursive, resolved, rooted, schema_name, strict_schema

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NODE = {
    "$defs": {"Node": {"type": "object", "properties": {"value": INTEGER, "next": {"$ref": "#/$defs/Node"}}}},
    "$ref": "#/$defs/Node",
}


def obj(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    made = {"type": "object", "properties": properties}
    return made if required is None else {**made, "required": required}


def strict(**properties: Any) -> dict[str, Any]:
    return {**obj(list(properties), **properties), "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (obj(a=STRING), strict(a=STRING)),
        (obj(["a"], a=STRING, b=INTEGER), strict(a=STRING, b=INTEGER)),
        (obj(), strict()),
        (obj(a={**STRING, "default": None}), strict(a=STRING)),
        (obj(a={**STRING, "default": "x"}), strict(a=STRING)),
        (obj(default=STRING, oneOf=STRING, properties=obj(a=STRING)), None),
        (obj(a={"type": "array", "items": obj(b=STRING)}), strict(a={"type": "array", "items": strict(b=STRING)})),
        (
            obj(a={"anyOf": [obj(b=STRING), {"type": "null"}]}),
            strict(a={"anyOf": [strict(b=STRING), {"type": "null"}]}),
        ),
        (
            obj(a={"oneOf": [obj(b=STRING), obj(c=STRING)], "discriminator": {"propertyName": "k"}}),
            strict(a={"anyOf": [strict(b=STRING), strict(c=STRING)]}),
        ),
        (
            {**obj(a={"$ref": "#/$defs/A", "description": "mine"}), "$defs": {"A": {**STRING, "description": "its"}}},
            {**strict(a={**STRING, "description": "mine"}), "$defs": {"A": {**STRING, "description": "its"}}},
        ),
        (
            {**obj(a={"allOf": [{"$ref": "#/definitions/A"}], "title": "T"}), "definitions": {"A": obj(b=STRING)}},
            {**strict(a={**strict(b=STRING), "title": "T"}), "definitions": {"A": strict(b=STRING)}},
        ),
        (obj(a={"enum": [{"default": 1}]}), strict(a={"enum": [{"default": 1}]})),
        (
            obj(a={"type": "object", "additionalProperties": INTEGER}),
            strict(a={"type": "object", "additionalProperties": INTEGER}),
        ),
        ({**obj(a=STRING), "additionalProperties": True}, strict(a=STRING)),
    ],
)
def test_the_strict_form(schema: dict[str, Any], expected: dict[str, Any] | None) -> None:
    before = copy.deepcopy(schema)
    made = strict_schema(schema)
    assert made == expected or expected is None
    assert schema == before
    assert strict_schema(made) == made
    assert all_closed(made)


def test_a_schema_that_contains_itself() -> None:
    assert is_recursive(NODE)
    assert can_be_strict(NODE)
    node = strict(value=INTEGER, next={"$ref": "#/$defs/Node"})
    assert strict_schema(NODE) == {**node, "$defs": {"Node": node}}
    described = obj(next={"$ref": "#", "description": "the next"})
    assert strict_schema(described)["properties"]["next"]["properties"] == {"next": {"$ref": "#"}}
    assert rooted(NODE) == {**NODE["$defs"]["Node"], "$defs": NODE["$defs"]}  # type: ignore[index]
    assert rooted(obj(a=STRING)) == obj(a=STRING)
    assert not is_recursive(obj(a=STRING, b={"$ref": "#/properties/a"}))


@pytest.mark.parametrize(
    "part",
    [
        {},
        True,
        {"type": "object"},
        {"type": "object", "additionalProperties": INTEGER},
        {**obj(a=STRING), "additionalProperties": True},
        {"type": "array"},
        {"type": "array", "prefixItems": [STRING]},
        {"type": "array", "items": STRING, "uniqueItems": True},
        {**STRING, "minLength": 1},
        {**STRING, "format": "binary"},
        {**STRING, "pattern": "^(?!a)"},
        {"allOf": [obj(a=STRING), obj(b=STRING)]},
        {"$ref": "#/nowhere"},
        {"$ref": "elsewhere.json"},
        {"not": STRING},
        {"description": "anything"},
        {**obj(a=STRING), "anyOf": [obj(b=STRING)]},
    ],
)
def test_what_cannot_be_strict(part: Any) -> None:
    assert not can_be_strict(obj(a=part))
    assert not can_be_strict(obj(a={"type": "array", "items": part}))
    assert can_be_strict(obj(a={"type": "array", "items": STRING}))
    assert mismatch(strict_schema(obj(a=part)), {"type": "object"}) is None  # the strict form is made all the same


def test_an_object_must_be_at_the_top() -> None:
    assert not can_be_strict(STRING)
    assert not can_be_strict({"anyOf": [obj(a=STRING)]})
    assert not can_be_strict({})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Person", "Person"),
        ("x y z!", "x_y_z_"),
        ("Box[int]", "Box_int_"),
        ("a" * 70, "a" * 64),
        ("日本", "structured_output"),
        ("", "structured_output"),
        (None, "structured_output"),
    ],
)
def test_names(name: str | None, expected: str) -> None:
    assert schema_name(name) == expected


def all_closed(node: Any) -> bool:
    """Whether all objects that list their properties are closed and require them all."""
    if isinstance(node, list):
        return all(map(all_closed, node))
    if not isinstance(node, dict):
        return True
    if isinstance(node.get("properties"), dict):
        if node.get("additionalProperties") is not False or node.get("required") != list(node["properties"]):
            return False
        parts = [*node["properties"].values(), *(value for key, value in node.items() if key != "properties")]
        return all(map(all_closed, parts))
    return all(map(all_closed, node.values()))


# ---- any schema

NAMES = st.sampled_from(["a", "b", "properties", "default", "$ref", "type", "enum"])
ATOMS = [
    *({"type": kind} for kind in ("string", "integer", "number", "boolean", "null")),
    {"enum": ["x", 1, None]},
    {"const": "k"},
    {"$ref": "#/$defs/D"},
    {"$ref": "#/$defs/D", "description": "mine", "default": None},
    {"allOf": [{"$ref": "#/$defs/D"}]},
]


def _wrapped(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def made(properties: dict[str, Any], optional: set[str]) -> dict[str, Any]:
        return obj([name for name in properties if name not in optional], **properties)

    objects = st.builds(made, st.dictionaries(NAMES, parts, max_size=3), st.sets(NAMES))
    return (
        objects
        | st.builds(lambda part: {"type": "array", "items": part}, parts)
        | st.builds(lambda several: {"anyOf": several}, st.lists(parts, min_size=1, max_size=3))
        | st.builds(lambda part: {"allOf": [part], "title": "T"}, parts)
        | st.builds(lambda part: {**part, "default": 1}, objects)
    )


PARTS = st.recursive(st.sampled_from(ATOMS), _wrapped, max_leaves=8)
SCHEMAS = st.builds(
    lambda properties, optional, shared: {
        **obj([name for name in properties if name not in optional], **properties),
        "$defs": {"D": obj([], x=STRING, y=shared)},
    },
    st.dictionaries(NAMES, PARTS, max_size=3),
    st.sets(NAMES),
    st.sampled_from([STRING, {"$ref": "#/$defs/D"}, {"anyOf": [{"$ref": "#/$defs/D"}, {"type": "null"}]}]),
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["x", "k", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


def an_instance(schema: Any, root: Any, draw: Any, depth: int = 0) -> Any:
    """A value of a strict schema."""
    if "$ref" in schema:
        return an_instance(resolved(schema["$ref"], root), root, draw, depth + 1)
    if "anyOf" in schema:
        return an_instance(
            draw(st.sampled_from(schema["anyOf"])) if depth < 6 else schema["anyOf"][-1], root, draw, depth + 1
        )
    if "enum" in schema or "const" in schema:
        return draw(st.sampled_from(schema.get("enum", [schema.get("const")])))
    match schema["type"]:
        case "object":
            return {name: an_instance(part, root, draw, depth + 1) for name, part in schema["properties"].items()}
        case "array":
            return [an_instance(schema["items"], root, draw, depth + 1) for _ in range(draw(st.integers(0, 2)))]
        case "string":
            return draw(st.sampled_from(["", "x"]))
        case "integer" | "number" as kind:
            return draw(st.integers() if kind == "integer" else st.floats(allow_nan=False))
        case "boolean":
            return draw(st.booleans())
    return None


def endless(schema: Any) -> bool:
    """Whether a strict schema has no instance that ends."""
    return schema["$defs"]["D"]["properties"]["y"] == {"$ref": "#/$defs/D"}


@given(SCHEMAS, st.data())
def test_what_is_valid_for_the_strict_form_is_valid_for_the_schema(schema: dict[str, Any], data: st.DataObject) -> None:
    before = copy.deepcopy(schema)
    made = strict_schema(schema)
    assert all_closed(made)
    assert strict_schema(made) == made
    assert can_be_strict(schema)
    if not endless(schema):
        value = an_instance(made, made, data.draw)
        assert mismatch(value, made) is None
        assert mismatch(value, schema) is None
    value = data.draw(ANY_JSON)
    assert mismatch(value, schema) is None or mismatch(value, made) is not None
    assert schema == before


@given(SCHEMAS, st.data())
def test_nulls_stand_for_what_is_left_out(schema: dict[str, Any], data: st.DataObject) -> None:
    before = copy.deepcopy(schema)
    opened = with_nulls(schema)
    made = strict_schema(opened)
    assert all_closed(made)
    if not endless(schema):
        value = an_instance(made, made, data.draw)
        kept = copy.deepcopy(value)
        assert mismatch(without_nulls(value, schema), schema) is None
        assert value == kept
    assert schema == before


# ---- values


@pytest.mark.parametrize(
    ("value", "schema", "said"),
    [
        ("x", STRING, None),
        (1, STRING, "the answer must be string, not 1"),
        (True, INTEGER, "must be integer, not True"),
        (1.0, INTEGER, None),
        (1.5, INTEGER, "not 1.5"),
        (1, {"type": "number"}, None),
        (None, {"type": ["string", "null"]}, None),
        (1, {"type": ["string", "null"]}, "must be string or null"),
        (1, {"type": "strange"}, None),
        (1, {"enum": [True, "a"]}, "must be True or 'a'"),
        ("b", {"const": "a"}, "must be 'a'"),
        ({}, obj(["a"], a=STRING), "a is missing"),
        ({"a": {"b": 1}}, obj(a=obj(b=STRING)), "a.b must be string"),
        ({"a": ["x", 1]}, obj(a={"type": "array", "items": STRING}), r"a\[1\] must be string"),
        ({"more": 1}, obj(a=STRING), None),
        ({"more": 1}, {**obj(a=STRING), "additionalProperties": False}, None),
        ({"more": 1}, {**obj(a=STRING), "additionalProperties": STRING}, "more must be string"),
        (1, {"anyOf": [STRING, {"type": "null"}]}, "must be string, not 1 or the answer must be null"),
        (1, {"allOf": [INTEGER, STRING]}, "must be string"),
        ({"value": 1, "next": {"value": "x"}}, NODE, "next.value must be integer"),
        (1, True, None),
        ({"a": 1}, obj(a=False), "a must not be there"),
        ("x" * 99, INTEGER, r"not 'x+\.\.\.$"),
    ],
)
def test_what_is_wrong_with_a_value(value: Any, schema: Any, said: str | None) -> None:
    found = mismatch(value, schema)
    if said is None:
        assert found is None
    else:
        with pytest.raises(ValueError, match=said):
            raise ValueError(found)


def test_only_nulls_that_the_schema_does_not_know_are_dropped() -> None:
    nullable = {"type": ["string", "null"]}
    schema = obj(
        ["must"], must=STRING, may=STRING, null=nullable, inner={"anyOf": [obj(["k"], k=STRING), obj(b=STRING)]}
    )
    value = {"must": None, "may": None, "null": None, "inner": {"b": None}, "strange": None}
    assert without_nulls(value, schema) == {"must": None, "null": None, "inner": {}, "strange": None}
    assert without_nulls([{"a": None}], {"type": "array", "items": obj(a=STRING)}) == [{}]
    assert without_nulls(value, {}) == value


# ---- texts


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        ' \n{"a": 1}\n',
        '```json\n{"a": 1}\n```',
        'So:\n```\n{"a": 1}\n```\nYes.',
        '```json {"a": 1}',
        '\ufeff{"a": 1}',
    ],
)
def test_json_is_found(text: str) -> None:
    assert read_json(text) == {"a": 1}


def test_texts_within() -> None:
    assert read_json('{"a": "```json\\n1```"}') == {"a": "```json\n1```"}
    assert read_json('```json\n{"a": "```x```"}\n```') == {"a": "```x```"}
    assert read_json('{"a": "two\nlines"}') == {"a": "two\nlines"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        '{"a": 1',
        '```json\n{"a": 1',
        '{"a": 1} {"b": 2}',
        '```\n{"a": 1}\n```\n```\n{"a": 2}\n```',
        "[" * 100_000,
    ],
)
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)


@given(ANY_JSON, st.integers(0, 60))
def test_as_much_as_has_arrived(value: Any, size: int) -> None:
    text = json.dumps(value)
    assert partial_json(text) == partial_json(f"```json\n{text}") == value
    partial_json(text[:size])


def test_partial_json() -> None:
    assert partial_json('{"a": "x') == {"a": "x"}
    assert partial_json("```json\n[1, 2") in ([1], [1, 2])
    assert partial_json("") is None
    assert partial_json("Sure") is None
