"""What fills a schema is what the schema accepts: pydantic is the judge."""

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from openrouter_adapters.gateway.schema import InvalidSchema, Words, instance, quotations


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: float
    y: float = 1.5


class Node(BaseModel):
    name: str
    children: list["Node"]


class Strings(BaseModel):
    short: Annotated[str, Field(max_length=3)]
    long: Annotated[str, Field(min_length=50)]
    day: date
    moment: datetime
    id: UUID


class Numbers(BaseModel):
    small: Annotated[int, Field(ge=1, le=5)]
    above: Annotated[int, Field(gt=10)]
    share: Annotated[float, Field(ge=0, le=1)]
    flag: bool
    nothing: None


class Tuples(BaseModel):
    pair: tuple[int, int]
    mixed: tuple[str, float, Point]
    open: tuple[int, ...]
    none: Annotated[list[int], Field(max_length=0)]


class Choices(BaseModel):
    colour: Colour
    kind: Literal["only"]
    either: int | str
    maybe: Point | None
    several: Annotated[list[Point], Field(min_length=2)]
    table: dict[str, int]
    anything: list[object]


@pytest.mark.parametrize("text", ["", "Put 3 blue boxes and 400 red ones in Berlin"])
@pytest.mark.parametrize("model", [Point, Node, Strings, Numbers, Tuples, Choices])
def test_models_of_many_kinds(model: type[BaseModel], text: str) -> None:
    assert model.model_validate(instance(model.model_json_schema(), Words(text)))


def test_words_of_the_text_are_used() -> None:
    value = instance(Choices.model_json_schema(), Words("Put 3 blue boxes in Berlin"))
    assert (value["colour"], value["either"]) == ("blue", 3)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"allOf": [{"$ref": "#/d"}, {"properties": {"b": {"const": 2}}, "required": ["b"]}], "d": {}}, {"b": 2}),
        ({"type": ["string", "null"]}, "text"),
        ({"default": {"a": 1}}, {"a": 1}),
        ({"type": "array", "items": True}, [""]),
        ({"type": "array", "minItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 3}, [1, 2, 2]),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}}, None),
        ({"prefixItems": [{"const": 1}], "type": "array", "items": {"$ref": "#/prefixItems/0"}, "minItems": 2}, [1, 1]),
        ({"allOf": [True, {"$ref": "#/d"}], "d": {"properties": {"b": {"const": 2}}, "required": ["b"]}}, {"b": 2}),
        ({}, "text"),
    ],
)
def test_odd_schemas(schema: dict[str, object], value: object) -> None:
    assert instance(schema, Words("")) == value


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#/$defs/nowhere"}, "nothing is at '#/[$]defs/nowhere'"),
        ({"$ref": "#/d/x", "d": 5}, "nothing is at '#/d/x'"),
        ({"$ref": "#/d/x", "d": [1]}, "nothing is at '#/d/x'"),
        ({"$ref": 5}, "5 is no value for [$]ref"),
        ({"allOf": [{"$ref": "#/nowhere"}]}, "nothing is at '#/nowhere'"),
        ({"allOf": [{"properties": 5}]}, "5 is no value for properties"),
        ({"allOf": [{"$ref": "#/d"}], "d": {"properties": None}}, "None is no value for properties"),
        ({"properties": 5, "required": ["a"]}, "5 is no value for properties"),
        ({"properties": {"a": {"type": 5}}, "required": ["a"]}, "5 is no value for type"),
        ({"type": "object", "required": 5}, "5 is no value for required"),
        ({"anyOf": {"type": "null"}}, "no value for anyOf"),
        ({"oneOf": 5}, "5 is no value for oneOf"),
        ({"enum": "ab"}, "'ab' is no value for enum"),
        ({"type": "array", "minItems": "2"}, "'2' is no value for minItems"),
        ({"type": "array", "prefixItems": 5}, "5 is no value for prefixItems"),
        ({"type": "string", "maxLength": "2"}, "'2' is no value for maxLength"),
        ({"type": "string", "format": []}, "no value for format"),
        ({"type": "number", "minimum": "2"}, "'2' is no value for minimum"),
    ],
)
def test_broken_schemas(schema: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSchema, match=said):
        instance(schema, Words(""))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Create a customer named '你好啊集团' (Hello Group)", ["你好啊集团"]),
        ("What's the dogs' bowl, and the cats' bowl? Isn't it 'so'?", ["so"]),
        ("„Hallo“ and «Salut» and “Hi there”", ["Hallo", "Salut", "Hi there"]),
        ('It says: {"city": "Paris", "people": 2}', ["Paris"]),
        ("Nothing at all", []),
    ],
)
def test_quotations(text: str, quoted: list[str]) -> None:
    assert quotations(text) == quoted


def test_what_is_quoted_fills_strings_first() -> None:
    schema = {"properties": {key: {"type": "string"} for key in "abcd"}, "required": list("abcd")}
    text = "Name the ship 'Argo' after Jason and call it \"new\""
    assert instance(schema, Words(text)) == {"a": "Argo", "b": "new", "c": "Jason", "d": text}
