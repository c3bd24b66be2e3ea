"""Strict schemas, the check of values against a schema, and JSON in what a model wrote."""

from __future__ import annotations

import copy
import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core.json_text import partial_json, read_json, read_json_among_words
from openrouter_adapters.core.mismatch import mismatch
from openrouter_adapters.core.schema import (
    can_be_strict,
    in_place,
    resolved,
    rooted,
    schema_name,
    size_in_place,
    strict_schema,
)

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
            {
                **strict(a={"anyOf": [{"$ref": "#/$defs/A"}], "description": "mine"}),
                "$defs": {"A": {**STRING, "description": "its"}},
            },
        ),
        (
            {**obj(a={"allOf": [{"$ref": "#/definitions/A"}], "title": "T"}), "definitions": {"A": obj(b=STRING)}},
            {
                **strict(a={"anyOf": [{"$ref": "#/definitions/A"}], "title": "T"}),
                "definitions": {"A": strict(b=STRING)},
            },
        ),
        (
            {**obj(a={"$ref": "#/$defs/A", "default": "x"}, b={"allOf": [obj(c=STRING)]}), "$defs": {"A": STRING}},
            {**strict(a={"$ref": "#/$defs/A"}, b=strict(c=STRING)), "$defs": {"A": STRING}},
        ),
        ({"properties": {"a": {"properties": {"b": STRING}}}}, strict(a=strict(b=STRING))),
        (
            {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": obj(a=STRING)}},
            {**strict(a=STRING), "$defs": {"A": strict(a=STRING)}},
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
    assert size_in_place(NODE) == math.inf
    assert can_be_strict(NODE)
    node = strict(value=INTEGER, next={"$ref": "#/$defs/Node"})
    assert strict_schema(NODE) == {**node, "$defs": {"Node": node}}
    described = obj(next={"$ref": "#", "description": "the next"})
    assert strict_schema(described) == strict(next={"anyOf": [{"$ref": "#"}], "description": "the next"})
    assert rooted(NODE) == {**NODE["$defs"]["Node"], "$defs": NODE["$defs"]}  # type: ignore[index]
    assert rooted(obj(a=STRING)) == obj(a=STRING)
    assert rooted({"$ref": "#"}) == {"$ref": "#"}
    assert rooted({"$ref": "#nobody"}) == {"$ref": "#nobody"}  # an anchor, not the top
    assert size_in_place(obj(a=STRING, b={"$ref": "#/properties/a"})) == 4


def levels(depth: int, width: int) -> dict[str, Any]:
    """Classes of which each has several fields of the next."""
    defs: dict[str, Any] = {f"L{depth}": obj(a=STRING)}
    for level in range(depth):
        below = {"$ref": f"#/$defs/L{level + 1}", "description": "one below"}
        defs[f"L{level}"] = obj(**{f"f{index}": below for index in range(width)})
    return {"$ref": "#/$defs/L0", "$defs": defs}


def test_the_strict_form_is_not_much_larger() -> None:
    for schema in (levels(6, 4), levels(10, 3), levels(40, 3)):
        assert can_be_strict(schema)
        assert len(json.dumps(strict_schema(schema))) < 2 * len(json.dumps(schema)) + 1000
    others = {f"m{index}": {"$ref": f"#/$defs/M{index}", "title": "T"} for index in range(6)}
    each = {f"M{index}": obj(**others) for index in range(6)}
    schema = {**obj(a={"$ref": "#/$defs/M0"}), "$defs": each}
    assert len(json.dumps(strict_schema(schema))) < 2 * len(json.dumps(schema))
    single: dict[str, Any] = obj(a=STRING)
    for _ in range(40):
        single = {"allOf": [single], "title": "T"}
    assert len(json.dumps(strict_schema(obj(a=single)))) < 5000


def test_the_size_in_place_is_known_without_putting_in_place() -> None:
    assert 4**6 < size_in_place(levels(6, 4)) < 4**8
    assert 3**200 < size_in_place(levels(200, 3)) < math.inf


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
        ("x" * 99, INTEGER, r"not 'x+\.\.\.x+'$"),
        ({"a": {}}, obj(a=obj(["b"], b=STRING)), "a.b is missing"),
        ([1, 2], {"type": "array", "items": STRING}, r"^\[0\] must be string"),
        (3, {"anyOf": [{"const": name} for name in "abcdef"]}, "^the answer must be 'a'.* or .*'b'.* or .*'c', not 3$"),
        # one of several, seen twice, at two places
        ({"a": 1, "b": 1}, obj(a=INTEGER, b=STRING), "^b must be string"),
        # what is not understood accepts
        ({"x-a": "text", "n": 1}, {"patternProperties": {"^x-": STRING}, "additionalProperties": INTEGER}, None),
        (None, {**STRING, "nullable": True, "enum": ["a"]}, None),
        (1, {**STRING, "nullable": True}, "must be string"),
        ([1, "a"], {"type": "array", "prefixItems": [INTEGER], "items": STRING}, None),
        ([1, "a"], {"type": "array", "items": [INTEGER, STRING]}, None),
        (1, {"not": INTEGER}, None),
        ({"a": 1}, {"dependentRequired": {"a": ["b"]}, "if": {}, "then": False}, None),
        (1, {"type": [{"strange": 1}]}, None),
        ({}, {"required": True}, None),
        (1, {"$ref": "elsewhere.json"}, None),
        (1, {"$ref": "#anchor", "type": "integer"}, None),
        (1, {"$ref": "#"}, None),
        (1, {"anyOf": [{"$ref": "#"}, STRING]}, None),
    ],
)
def test_what_is_wrong_with_a_value(value: Any, schema: Any, said: str | None) -> None:
    found = mismatch(value, schema)
    if said is None:
        assert found is None
    else:
        with pytest.raises(ValueError, match=said):
            raise ValueError(found)


def test_a_value_is_judged_once_by_each_schema() -> None:
    """A tree of two forms, of which only the last part of the deepest node tells that neither fits."""
    forms = [obj(["x", "k"], x={"$ref": "#/$defs/Tree"}, k={"const": name}) for name in "abc"]
    schema = {"$ref": "#/$defs/Tree", "$defs": {"Tree": {"anyOf": [*forms, INTEGER]}}}
    value: Any = 1
    for _ in range(60):
        value = {"x": value, "k": "c"}
    assert mismatch(value, schema) is None
    value = "wrong"
    for _ in range(60):
        value = {"x": value, "k": "c"}
    assert "must be" in str(mismatch(value, schema))


@pytest.mark.parametrize(("bottom", "said"), [({}, None), ({"value": "x"}, "next.value must be integer, not 'x'")])
def test_values_of_any_depth(bottom: Any, said: str | None) -> None:
    value = bottom
    for _ in range(5_000):
        value = {"next": value}
    found = mismatch(value, NODE)
    assert found is said or str(found).endswith(str(said))
    assert "must be string" in str(mismatch(value, STRING))


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
        "```json\n" + "[" * 100_000,
        '{"n": ' + "9" * 5_000 + "}",
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


def test_partial_json_after_words() -> None:
    assert partial_json('\ufeff{"a": "x') == {"a": "x"}
    assert partial_json('See [1]: {"a": "x', "{") == partial_json('So:\n```json\n{"a": "x', "{") == {"a": "x"}
    assert partial_json('Sure: {"a": "x') is None


@pytest.mark.parametrize(
    ("text", "openings", "values"),
    [
        ('Sure! {"a": {"b": 1}} There.', "{", [{"a": {"b": 1}}]),
        ('The list: [{"a": 1}, {"a": 2}]', "{[", [[{"a": 1}, {"a": 2}]]),
        ('Sure!\n```json\n{"a": 1}\n```\nThere: {x}', "{", [{"a": 1}]),
        (' {"a": 1} ', "{", [{"a": 1}]),
        ("3", "{", [3]),
        ('According to [1][2]:\n{"a": 1}[1]\n\nSources: [1] x', "{", [{"a": 1}]),
        ('See [1]: {"a": 1}', "{[", [[1], {"a": 1}]),
        ('<think>they want {a}, { b } or {{</think>{"a": 1}', "{", [{"a": 1}]),
        ('Either {"a": 1} or {"a": 2}.', "{", [{"a": 1}, {"a": 2}]),
        ("Sure! ```json\n{oops}\n``` {}", "{", [{}]),
        ('It is {"a": 1}, not {"a": ', "{", [{"a": 1}]),
    ],
)
def test_json_among_words(text: str, openings: str, values: Any) -> None:
    assert read_json_among_words(text, openings) == values


@pytest.mark.parametrize(
    "text",
    [
        "Sure!",
        "",
        "A set {1, 2}.",
        'Sure! {"a": 1',
        'Cut off: {"a": {"a": 1}, "b": [{"a": 2}',
        'Cut off: {"a": "of {} and {\\"b\\": 1}',
        "Well, " + "[" * 100_000,
        "Well, " + '{"a":' * 100_000,
        'Well, {"a": NaN} {}',
        r'Broken: {"a": "\( {} \)"}',
        'Broken: {"a": 1,, "b": {"a": 1}}',
    ],
)
def test_no_json_among_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|deeply|Extra data"):
        read_json_among_words(text)


# ---------------------------------------------------------------------------------------------------------- in place


def test_references_are_put_in_place() -> None:
    town = {"type": "object", "title": "Town", "properties": {"name": {"type": "string"}}}
    schema = {
        "$ref": "#/$defs/Trip",
        "$defs": {
            "Trip": {"type": "object", "properties": {"to": {"$ref": "#/$defs/Goal", "description": "where"}}},
            "Goal": {"$ref": "#/$defs/Town"},
            "Town": {**town, "discriminator": {"mapping": {"a": "#/$defs/Town"}}},
        },
    }
    before = copy.deepcopy(schema)
    assert in_place(schema) == {"type": "object", "properties": {"to": {**town, "description": "where"}}}
    assert schema == before


def test_a_schema_that_contains_itself_keeps_its_references() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert in_place({"$ref": "#/$defs/Node", "$defs": {"Node": node}}) == {**node, "$defs": {"Node": node}}


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    schema = {"type": "object", "properties": {"$defs": {"type": "string"}, "discriminator": {"type": "string"}}}
    assert in_place(schema) == schema


def test_a_reference_that_leads_nowhere_is_named() -> None:
    with pytest.raises(ValueError, match=r"schema Trip: '#/\$defs/Town' not found"):
        in_place({"title": "Trip", "type": "object", "properties": {"to": {"$ref": "#/$defs/Town"}}})


@pytest.mark.parametrize("piece", ["{", '{"', '{"a', '{"a":', '{"a": "', '{"a": 1, ', '{"a": {}} ', '{\\"'])
def test_a_long_text_of_openings_is_read_to_its_end(piece: str) -> None:
    """Each part is looked at once: otherwise this would take minutes."""
    text = "Well, " + piece * 20_000
    with suppress(ValueError):
        read_json_among_words(text, "{")
    assert read_json_among_words(f'Well, {{"a": 1}} {piece[1:] * 20_000}', "{")[0] == {"a": 1}
