"""Structured output: what is asked for, what is read, and what is an error."""

from __future__ import annotations

import dataclasses
import enum
import gc
import json
import pickle
import weakref
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Optional, TypeVar, Union

import openai
import pydantic.v1
import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import (
    AutoStrategy,
    ProviderStrategy,
    StructuredOutputValidationError,
    ToolStrategy,
)
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, Field, create_model, field_validator
from typing_extensions import TypedDict

import openrouter_adapters
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter

Sent = Callable[[], dict[str, Any]]
Make = Callable[..., ChatOpenRouter]

METHODS = ("function_calling", "json_schema", "json_mode")


class Person(BaseModel):
    """Somebody."""

    name: str = Field(description="first name")
    age: int
    nickname: str | None = None
    country: str = "Austria"


class OldPerson(pydantic.v1.BaseModel):
    """Somebody."""

    name: str
    age: int


class PersonDict(TypedDict):
    """Somebody.

    Args:
        age: in years
    """

    name: Annotated[str, ..., "first name"]
    age: int
    nickname: NotRequired[str | None]
    shoe: NotRequired[int]


@dataclasses.dataclass
class PersonData:
    name: str
    age: int


class Node(BaseModel):
    value: int
    children: list[Node] = []


T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: int


class Generic_(TypedDict, Generic[T]):
    value: T


class Box(BaseModel, Generic[T]):
    value: T


TITLED = {
    "title": "Some Person!",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "shoe": {"type": "integer"}},
    "required": ["name", "age"],
}
UNTITLED = {key: value for key, value in TITLED.items() if key != "title"}
OPENAI = {"name": "Person", "description": "Somebody.", "parameters": UNTITLED}
ANTHROPIC = {"name": "Person", "input_schema": UNTITLED}
RESPONSE = {"name": "Person", "schema": UNTITLED, "strict": False}

SCHEMAS = [
    (Person, "Person", Person(name="Al", age=3)),
    (OldPerson, "OldPerson", OldPerson(name="Al", age=3)),
    (PersonDict, "PersonDict", {"name": "Al", "age": 3}),
    (PersonData, "PersonData", PersonData("Al", 3)),
    (TITLED, "Some_Person_", {"name": "Al", "age": 3}),
    (UNTITLED, "structured_output", {"name": "Al", "age": 3}),
    (OPENAI, "Person", {"name": "Al", "age": 3}),
    ({"type": "function", "function": OPENAI}, "Person", {"name": "Al", "age": 3}),
    (ANTHROPIC, "Person", {"name": "Al", "age": 3}),
    (RESPONSE, "Person", {"name": "Al", "age": 3}),
    ({"type": "json_schema", "json_schema": RESPONSE}, "Person", {"name": "Al", "age": 3}),
]

AL = '{"name": "Al", "age": 3}'


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def scripted(gateway: LocalGateway, method: str, arguments: Any, name: str = "Person", **more: Any) -> None:
    """An answer in the way that a method expects it."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    if method == "function_calling":
        gateway.reply(None, tool_calls=[(name, text)], **more)
    else:
        gateway.reply(text, **more)


# ---------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(("schema", "name", "expected"), SCHEMAS, ids=str)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("streamed", [False, True])
def test_schemas_in_every_form(
    model: ChatOpenRouter,
    openrouter_gateway: LocalGateway,
    schema: Any,
    name: str,
    expected: Any,
    method: Any,
    streamed: bool,
) -> None:
    structured = model.with_structured_output(schema, method=method)
    scripted(openrouter_gateway, method, AL, name)
    answer = list(structured.stream("hi"))[-1] if streamed else structured.invoke("hi")
    assert answer == expected
    assert type(answer) is type(expected)


@pytest.mark.parametrize(("schema", "name", "_"), SCHEMAS, ids=str)
def test_the_function_that_must_be_called(
    model: ChatOpenRouter, sent: Sent, schema: Any, name: str, _: Any, openrouter_gateway: LocalGateway
) -> None:
    model.with_structured_output(schema).invoke("My name is Bob, I am 7")
    [made] = sent()["tools"]
    assert made["function"]["name"] == name
    assert made["function"]["parameters"]["type"] == "object"
    assert {"name", "age"} <= set(made["function"]["parameters"]["required"])
    assert made["function"].get("strict") is (False if "strict" in str(schema) else None)
    assert sent()["tool_choice"] == {"type": "function", "function": {"name": name}}
    assert sent()["provider"] == {"require_parameters": True}
    assert "response_format" not in sent()


def closed(schema: Any) -> bool:
    """Whether every object in a schema is closed, and requires all it has."""
    if isinstance(schema, list):
        return all(map(closed, schema))
    if not isinstance(schema, dict):
        return True
    if "default" in schema or "oneOf" in schema or ("$ref" in schema and len(schema) > 1):
        return False
    properties = schema.get("properties")
    if isinstance(properties, dict) and (
        schema["additionalProperties"] is not False or schema["required"] != list(properties)
    ):
        return False
    return all(map(closed, schema.values()))


@pytest.mark.parametrize(("schema", "name", "_"), SCHEMAS, ids=str)
def test_a_strict_schema_by_default(
    model: ChatOpenRouter, sent: Sent, schema: Any, name: str, _: Any, openrouter_gateway: LocalGateway
) -> None:
    model.with_structured_output(schema, method="json_schema").invoke("My name is Bob, I am 7")
    asked = sent()["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["name"] == name
    if "strict" in str(schema):  # the dict itself says that it is not
        assert (asked["json_schema"]["strict"], asked["json_schema"]["schema"]) == (False, UNTITLED)
    else:
        assert asked["json_schema"]["strict"] is True
        assert closed(asked["json_schema"]["schema"])
    assert sent()["provider"] == {"require_parameters": True}
    assert "tools" not in sent()
    assert "tool_choice" not in sent()


def test_what_cannot_be_strict_is_sent_as_it_is(model: ChatOpenRouter, sent: Sent) -> None:
    class Counts(BaseModel):
        words: dict[str, int]

    before = Counts.model_json_schema()
    model.with_structured_output(Counts, method="json_schema").invoke("hi")
    assert sent()["response_format"]["json_schema"] == {"name": "Counts", "schema": before, "strict": False}
    model.with_structured_output(Counts, method="json_schema", strict=True).invoke("hi")
    asked = sent()["response_format"]["json_schema"]
    assert asked["strict"] is True
    assert (asked["schema"]["additionalProperties"], asked["schema"]["required"]) == (False, ["words"])
    model.with_structured_output(Person, method="json_schema", strict=False).invoke("hi")
    assert sent()["response_format"]["json_schema"]["schema"] == Person.model_json_schema()


class Email(BaseModel):
    to: str
    subject: str = "(none)"


class Sms(BaseModel):
    to: str
    sender: str | None = None


class Act(BaseModel):
    action: Email | Sms


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_a_strict_schema_requires_everything(
    model: ChatOpenRouter, sent: Sent, openrouter_gateway: LocalGateway, method: Any
) -> None:
    """What may be null says so itself: no null is allowed besides, none is added and none is taken away."""
    structured = model.with_structured_output(Act, method=method, strict=True)
    scripted(openrouter_gateway, method, {"action": {"to": "Bob", "sender": None}}, "Act")
    assert structured.invoke("hi") == Act(action=Sms(to="Bob", sender=None))
    body = sent()
    function = body["tools"][0]["function"] if method == "function_calling" else body["response_format"]["json_schema"]
    schema = function.get("parameters") or function["schema"]
    assert function["strict"] is True
    assert closed(schema)
    assert str(schema).count("null") == (1 if method == "json_schema" else str(schema).count("'sender': {"))
    scripted(openrouter_gateway, method, {"name": "Al", "age": 3, "country": None})
    with pytest.raises(openrouter_adapters.StructuredOutputError, match=r"country: .*valid string"):
        model.with_structured_output(Person, method=method).invoke("hi")
    given = {"name": "Al", "age": 3, "shoe": None}
    scripted(openrouter_gateway, method, given, "Some_Person_", times=2)
    unsure = {**TITLED, "properties": {"shoe": {"type": ["integer", "null"]}}}
    assert model.with_structured_output(unsure, method=method).invoke("hi") == given
    with pytest.raises(openrouter_adapters.StructuredOutputError, match="shoe must be integer, not None"):
        model.with_structured_output(TITLED, method=method, strict=True).invoke("hi")


def test_maps_tuples_and_depth_are_pydantics_own_business(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway
) -> None:
    class Book(BaseModel):
        people: dict[str, Email]
        pair: tuple[Email, int]

    openrouter_gateway.reply('{"people": {"a": {"to": "Bob"}}, "pair": [{"to": "Al"}, 1]}')
    answer = model.with_structured_output(Book, method="json_schema", strict=True).invoke("hi")
    assert answer == Book(people={"a": Email(to="Bob")}, pair=(Email(to="Al"), 1))
    nested: dict[str, Any] = {"value": 0}
    for _ in range(80):
        nested = {"value": 1, "children": [nested]}
    openrouter_gateway.reply(json.dumps(nested))
    deep = model.with_structured_output(Node, method="json_schema").invoke("hi")
    assert deep.model_dump(exclude_unset=True) == nested


def test_references_are_put_in_place_unless_that_is_huge(
    model: ChatOpenRouter, sent: Sent, openrouter_gateway: LocalGateway
) -> None:
    made: Any = create_model("L0", a=(str, ...))
    for level in range(1, 12):
        fields: dict[str, Any] = {f"f{index}": (made, Field(description="one below")) for index in range(4)}
        made = create_model(f"L{level}", **fields)
        if level not in (1, 4, 5, 11):
            continue
        as_dict = {**made.model_json_schema(), "title": made.__name__}
        for bound in (
            model.bind_tools([made]),
            *(model.with_structured_output(form, include_raw=True) for form in (made, as_dict)),
        ):
            openrouter_gateway.reply("Sure!")
            bound.invoke("hi")
            parameters = sent()["tools"][0]["function"]["parameters"]
            assert ("$defs" in parameters) is (level > 4)
            assert len(json.dumps(parameters)) < 60_000


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize("strict", [None, True])
def test_a_schema_that_contains_itself(model: ChatOpenRouter, sent: Sent, method: Any, strict: bool | None) -> None:
    answer = model.with_structured_output(Node, method=method, strict=strict).invoke("1")
    assert isinstance(answer, Node)
    assert '"$ref": "#/$defs/Node"' in json.dumps(sent())


def test_callers_objects_stay_as_they_are(model: ChatOpenRouter) -> None:
    before = json.dumps([TITLED, OPENAI])
    for schema in (TITLED, OPENAI):
        model.with_structured_output(schema, method="json_schema", strict=True).invoke("hi")
        model.with_structured_output(schema, strict=True).invoke("hi")
    assert json.dumps([TITLED, OPENAI]) == before


def test_json_mode(model: ChatOpenRouter, sent: Sent, openrouter_gateway: LocalGateway) -> None:
    assert model.with_structured_output(method="json_mode").invoke("hi") == {"answer": "You said: hi"}
    assert sent()["response_format"] == {"type": "json_object"}
    assert sent()["provider"] == {"require_parameters": True}
    openrouter_gateway.reply("[1]")
    with pytest.raises(openrouter_adapters.StructuredOutputError, match="must be object, not"):
        model.with_structured_output(None, method="json_mode").invoke("hi")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schema": Person, "method": "guess"}, "method='guess'.*'json_schema'"),
        ({"schema": None}, "schema is missing"),
        ({"schema": Person, "method": "json_mode", "strict": True}, "json_mode.*sends no schema"),
        ({"schema": 3}, "schema=3 is no schema of an object: give a pydantic class"),
        (
            {"schema": Email | Sms},
            r"wrap it in a pydantic class: class Answer.*value: .*Email \| .*Sms",
        ),
        ({"schema": Union.__getitem__((Email, Sms))}, "wrap it in a pydantic class"),
        ({"schema": Optional.__getitem__(Email)}, "wrap it in a pydantic class"),
        ({"schema": list[Email]}, r"wrap it in a pydantic class: .*value: list\[.*Email\]"),
        ({"schema": int}, r"class 'int'.*class Answer\(BaseModel\): value: int$"),
        ({"schema": Colour, "method": "json_schema"}, "value: Colour$"),
        ({"schema": Point}, "make Point a pydantic class or a dataclass"),
        ({"schema": Generic_[int]}, r"wrap it .*Generic_\[int\]"),
        ({"schema": {"a": 1}}, "no JSON schema"),
        ({"schema": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}, "'#/\\$defs/A' not found"),
        ({"schema": {**OPENAI, "name": "weather"}, "tools": [weather]}, "'weather' is the schema's name"),
    ],
)
def test_what_cannot_be_asked(model: ChatOpenRouter, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model.with_structured_output(**given)


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_a_class_of_something(model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any) -> None:
    scripted(openrouter_gateway, method, {"value": 3}, "Box_int_")
    assert model.with_structured_output(Box[int], method=method).invoke("hi") == Box[int](value=3)
    scripted(openrouter_gateway, method, {"value": "x"}, "Box_int_")
    with pytest.raises(openrouter_adapters.StructuredOutputError, match="valid integer"):
        model.with_structured_output(Box[int], method=method).invoke("hi")


@pytest.mark.parametrize("schema", [Person, PersonDict, PersonData, OldPerson, TITLED], ids=str)
def test_pickled(model: ChatOpenRouter, openrouter_gateway: LocalGateway, schema: Any) -> None:
    structured: Any = model.with_structured_output(schema, method="json_schema")
    openrouter_gateway.reply(AL, times=2)
    assert pickle.loads(pickle.dumps(structured)).invoke("hi") == structured.invoke("hi")


@pytest.mark.parametrize("method", METHODS)
def test_no_class_is_kept_alive(model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any) -> None:
    def used() -> list[weakref.ref[Any]]:
        class Passing(BaseModel):
            name: str

        class PassingDict(TypedDict):
            name: str

        for schema in (Passing, PassingDict):
            scripted(openrouter_gateway, method, AL, schema.__name__)
            assert dict(model.with_structured_output(schema, method=method).invoke("hi")) == {"name": "Al"}
            model.bind_tools([schema]).invoke("hi")
        return [weakref.ref(Passing), weakref.ref(PassingDict)]

    kept = used()
    gc.collect()
    assert [ref() for ref in kept] == [None, None]


def test_a_typed_dict_that_contains_itself(model: ChatOpenRouter) -> None:
    class Endless(TypedDict):
        more: Endless

    Endless.__annotations__["more"] = Endless
    with pytest.raises(ValueError, match="contains itself"):
        model.with_structured_output(Endless)


def test_options_go_along(model: ChatOpenRouter, sent: Sent) -> None:
    model.with_structured_output(Person, temperature=0, tool_choice="auto").invoke("Person Bob 7", seed=3)
    assert (sent()["temperature"], sent()["seed"], sent()["tool_choice"]) == (0, 3, "auto")


@pytest.mark.parametrize("schema", [Person, OldPerson, PersonDict, PersonData, TITLED, UNTITLED, OPENAI], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_traces_show_the_schema(model: ChatOpenRouter, schema: Any, method: Any) -> None:
    heard: list[Any] = []

    class Listener(BaseCallbackHandler):
        def on_chat_model_start(self, *_: Any, **more: Any) -> None:
            heard.append(more["options"]["ls_structured_output_format"])

    structured = model.with_structured_output(schema, method=method, include_raw=True)
    structured.invoke("hi", {"callbacks": [Listener()]})
    assert list(structured.stream("hi", {"callbacks": [Listener()]}))
    assert heard[0] == heard[1]
    assert heard[0]["kwargs"]["method"] == method
    assert "name" in heard[0]["schema"]["properties"]
    if schema in (Person, TITLED):
        assert heard[0]["schema"] == convert_to_json_schema(schema)


# ---------------------------------------------------------------------------------------------- require_parameters


@pytest.mark.parametrize(
    ("instance", "call", "expected"),
    [
        ({}, {}, {"require_parameters": True}),
        ({"provider": {"order": ["azure"]}}, {}, {"order": ["azure"], "require_parameters": True}),
        ({}, {"provider": {"zdr": True}}, {"zdr": True, "require_parameters": True}),
        ({"provider": {"zdr": True}}, {"provider": None}, {"require_parameters": True}),
        ({"extra_body": {"provider": {"zdr": True}}}, {}, {"zdr": True, "require_parameters": True}),
        ({"provider": {"require_parameters": False}}, {}, {"require_parameters": False}),
        ({"extra_body": {"provider": {"require_parameters": False}}}, {}, {"require_parameters": False}),
        ({}, {"provider": {"require_parameters": False}}, {"require_parameters": False}),
        ({}, {"provider": {"require_parameters": None}}, None),
        ({}, {"extra_body": {"provider": {"require_parameters": False}}}, {"require_parameters": False}),
        ({}, {"openrouter_provider": {"require_parameters": False}}, {"require_parameters": False}),
        ({}, {"require_parameters": False}, None),
        ({"provider": {"zdr": True}}, {"require_parameters": False}, {"zdr": True}),
    ],
)
@pytest.mark.parametrize("how", ["call", "bind", "kwargs", "stream"])
def test_no_provider_that_ignores_the_schema(
    make: Make, sent: Sent, instance: dict[str, Any], call: dict[str, Any], expected: Any, how: str
) -> None:
    model = make(**instance)
    if how == "kwargs":
        model.with_structured_output(Person, **call).invoke("hi")
    elif how == "bind":
        (model.with_structured_output(Person).first.bind(**call)).invoke("hi")  # type: ignore[attr-defined]
    elif how == "stream":
        assert list(model.with_structured_output(Person).stream("hi", **call))
    else:
        model.with_structured_output(Person).invoke("hi", **call)
    assert sent().get("provider") == expected
    assert "require_parameters" not in sent()


def test_it_is_a_part_of_the_cache_key(model: ChatOpenRouter) -> None:
    assert model._get_llm_string(require_parameters=True) != model._get_llm_string(require_parameters=False)


def test_a_plain_call_is_not_guarded(model: ChatOpenRouter, sent: Sent) -> None:
    model.invoke("hi")
    assert "provider" not in sent()
    model.bind_tools([weather]).invoke("hi")
    assert "provider" not in sent()
    model.bind_tools([], response_format={"type": "text"}).invoke("hi")
    assert "provider" not in sent()


# ---------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    "text",
    [
        f"\n  {AL} \n",
        f"```json\n{AL}\n```",
        f"```\n{AL}```",
        f"Here you are:\n\n```json\n{AL}\n```\nAnything else?",
        '{"name": "Al", "age": 3, "country": "Austria", "unasked": ["```"]}',
        '```json\n{"name": "Al", "age": 3, "unasked": "```x```"}\n```',
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_json_in_a_fence_or_as_text(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any, text: str
) -> None:
    """Function calling too: some models write down what they should have called."""
    openrouter_gateway.reply(text, times=2)
    structured = model.with_structured_output(Person, method=method)
    assert structured.invoke("hi") == Person(name="Al", age=3)
    assert list(structured.stream("hi"))[-1] == Person(name="Al", age=3)


def test_arguments_in_a_fence(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    scripted(openrouter_gateway, "function_calling", f"```json\n{AL}\n```")
    assert model.with_structured_output(Person).invoke("hi") == Person(name="Al", age=3)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("json_schema", {"text": "I would rather not say."}, "no JSON .*'I would rather not say.'"),
    ("json_schema", {"text": '{"name": "Al"'}, "no JSON"),
    ("json_schema", {"text": '{"name": "Al"}'}, "does not fit Person: age"),
    ("json_schema", {"text": '{"name": "Al", "age": "old"}'}, "does not fit Person: age: Input should be a valid int"),
    ("json_schema", {"text": f"```json\n{AL}\n```\n```json\n{AL}\n```"}, "more follows"),
    ("json_schema", {"text": ""}, "the answer is empty"),
    ("json_schema", {"text": None, "tool_calls": [("strange", {})]}, "called strange instead"),
    ("json_schema", {"text": "Wait.", "tool_calls": [("strange", {})]}, "called strange instead"),
    ("json_mode", {"text": "3"}, "does not fit Person"),
    ("function_calling", {"text": "Sure!"}, "text instead of a call of Person .*'Sure!'"),
    ("function_calling", {"text": None}, "the answer is empty"),
    ("function_calling", {"text": None, "tool_calls": [("Person", '{"name": "Al"')]}, "Person are no JSON, or cut off"),
    ("function_calling", {"text": None, "tool_calls": [("Person", '{"name": 3}')]}, "does not fit Person: name"),
    ("function_calling", {"text": None, "tool_calls": [("Person", "[1]")]}, "does not fit Person"),
    ("function_calling", {"text": None, "tool_calls": [("strange", {})]}, "called strange instead"),
]


@pytest.mark.parametrize(("method", "reply", "said"), WRONG)
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_does_not_fit_is_an_error(
    model: ChatOpenRouter,
    openrouter_gateway: LocalGateway,
    method: Any,
    reply: dict[str, Any],
    said: str,
    streamed: bool,
) -> None:
    openrouter_gateway.reply(**reply, cost=0.25, times=4)
    structured = model.with_structured_output(Person, method=method)
    with pytest.raises(openrouter_adapters.StructuredOutputError, match=said) as caught:
        _ = list(structured.stream("hi")) if streamed else structured.invoke("hi")
    with pytest.raises(openrouter_adapters.StructuredOutputError, match=said):
        _ = [item async for item in structured.astream("hi")] if streamed else await structured.ainvoke("hi")
    error: Any = caught.value
    assert isinstance(error, OutputParserException)
    assert isinstance(error, openai.OpenAIError)
    assert error.raw.response_metadata["cost"] == 0.25
    assert (error.model, error.provider, error.retryable) == ("openai/gpt-4o-mini", "OpenAI", False)
    assert error.generation_id == error.raw.response_metadata["id"]
    assert "OpenAI" in str(error)
    text = reply["text"] or "\n".join(str(call[1]) for call in reply.get("tool_calls", ()))
    assert error.llm_output == text
    assert str(pickle.loads(pickle.dumps(error))) == str(error)

    loose = model.with_structured_output(Person, method=method, include_raw=True)
    for found in (loose.invoke("hi"), _sum(loose.stream("hi"))):
        assert found["raw"].response_metadata["cost"] == 0.25
        assert found["parsed"] is None
        assert type(found["parsing_error"]) is type(error)


def _sum(pieces: Any) -> Any:
    whole = None
    for piece in pieces:
        whole = piece if whole is None else whole + piece
    return whole


@pytest.mark.parametrize("method", METHODS)
def test_cut_off(model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any) -> None:
    scripted(openrouter_gateway, method, '{"name": "Al", "age": 3, "coun', finish_reason="length", times=2)
    structured = model.with_structured_output(Person, method=method)
    for ask in (structured.invoke, lambda text: list(structured.stream(text))):
        with pytest.raises(openrouter_adapters.StructuredOutputError, match="raise max_tokens") as caught:
            ask("hi")
        assert caught.value.finish_reason == "length"


def test_cut_off_before_the_arguments_is_not_all_defaults(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway
) -> None:
    class Easy(BaseModel):
        a: int = 0

    openrouter_gateway.reply(None, tool_calls=[("Easy", "")], finish_reason="length")
    with pytest.raises(openrouter_adapters.StructuredOutputError, match="raise max_tokens"):
        model.with_structured_output(Easy).invoke("hi")
    openrouter_gateway.reply(None, tool_calls=[("Easy", "")])
    assert model.with_structured_output(Easy).invoke("hi") == Easy()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal(model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any, streamed: bool) -> None:
    openrouter_gateway.reply(None, refusal="I cannot help with that.", cost=0.5, times=2)
    structured = model.with_structured_output(Person, method=method)
    with pytest.raises(openrouter_adapters.RefusalError, match="I cannot help with that") as caught:
        _ = list(structured.stream("hi")) if streamed else structured.invoke("hi")
    assert caught.value.refusal == "I cannot help with that."
    assert caught.value.raw.response_metadata["cost"] == 0.5
    loose = model.with_structured_output(Person, method=method, include_raw=True)
    found = _sum(loose.stream("hi")) if streamed else loose.invoke("hi")
    assert isinstance(found["parsing_error"], openrouter_adapters.RefusalError)


def test_a_content_filter(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("Well", finish_reason="content_filter")
    with pytest.raises(openrouter_adapters.RefusalError, match="content filter stopped"):
        model.with_structured_output(Person, method="json_schema").invoke("hi")


def test_what_a_callers_validator_says(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    class Odd(BaseModel):
        a: Any

        @field_validator("a")
        @classmethod
        def _odd(cls, value: Any) -> Any:
            return {"x": 1}[value]

    openrouter_gateway.reply('{"a": "y"}')
    with pytest.raises(openrouter_adapters.StructuredOutputError, match="'y'") as caught:
        model.with_structured_output(Odd, method="json_schema").invoke("hi")
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"name": "Al"}, "age is missing"),
        ({"name": 3, "age": 3}, "name must be string, not 3"),
        ([1], "the answer must be object"),
    ],
)
def test_dicts_are_checked_too(model: ChatOpenRouter, openrouter_gateway: LocalGateway, answer: Any, said: str) -> None:
    openrouter_gateway.reply(json.dumps(answer))
    with pytest.raises(openrouter_adapters.StructuredOutputError, match=said):
        model.with_structured_output(TITLED, method="json_schema").invoke("hi")


@pytest.mark.parametrize("text", ["[" * 100_000, "```json\n" + "[" * 100_000 + "\n```", '{"n": ' + "9" * 5_000 + "}"])
@pytest.mark.parametrize("method", METHODS)
def test_what_nobody_can_read(model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any, text: str) -> None:
    scripted(openrouter_gateway, method, text, times=2)
    with pytest.raises(openrouter_adapters.StructuredOutputError):
        model.with_structured_output(Person, method=method).invoke("hi")
    loose = model.with_structured_output(Person, method=method, include_raw=True)
    assert isinstance(loose.invoke("hi")["parsing_error"], openrouter_adapters.StructuredOutputError)
    scripted(openrouter_gateway, method, text[:100])
    assert isinstance(_sum(loose.stream("hi"))["parsing_error"], openrouter_adapters.StructuredOutputError)


def test_trouble_on_the_way_is_raised_as_ever(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(body={"error": {"code": 429, "message": "slow down"}}, status=429)
    with pytest.raises(openrouter_adapters.RateLimitError):
        model.with_structured_output(Person, include_raw=True).invoke("hi")


# ---------------------------------------------------------------------------------------------- other tools


@pytest.mark.parametrize("method", METHODS)
def test_tools_beside_the_schema(
    model: ChatOpenRouter, sent: Sent, openrouter_gateway: LocalGateway, method: Any
) -> None:
    tools = [weather, {"type": "openrouter:datetime"}]
    openrouter_gateway.reply(None, tool_calls=[("weather", {"city": "Graz"})], cost=0.5, times=3)
    structured = model.with_structured_output(Person, method=method, tools=tools)
    with pytest.raises(openrouter_adapters.StructuredOutputError, match=r"called weather.*include_raw=True") as caught:
        structured.invoke("hi")
    assert caught.value.raw.tool_calls[0]["args"] == {"city": "Graz"}
    loose = model.with_structured_output(Person, method=method, tools=tools, include_raw=True)
    for found in (loose.invoke("hi"), _sum(loose.stream("hi"))):
        assert (found["parsed"], found["parsing_error"]) == (None, None)
        assert found["raw"].tool_calls[0]["name"] == "weather"
    names = [item.get("function", item).get("name", item["type"]) for item in sent()["tools"]]
    assert names == [*(["Person"] if method == "function_calling" else []), "weather", "openrouter:datetime"]
    assert sent().get("tool_choice") == ("required" if method == "function_calling" else None)
    scripted(openrouter_gateway, method, AL)
    assert structured.invoke("hi") == Person(name="Al", age=3)


def test_a_cut_off_call_of_another_tool_is_an_error(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(None, tool_calls=[("weather", '{"ci')], finish_reason="length")
    found = model.with_structured_output(Person, tools=[weather], include_raw=True).invoke("hi")
    assert "raise max_tokens" in str(found["parsing_error"])


def test_both_are_called(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(None, tool_calls=[("weather", {"city": "Graz"}), ("Person", AL)])
    found = model.with_structured_output(Person, tools=[weather], include_raw=True).invoke("hi")
    assert found["parsed"] == Person(name="Al", age=3)
    assert len(found["raw"].tool_calls) == 2


# ---------------------------------------------------------------------------------------------- as a runnable


@pytest.mark.parametrize("method", METHODS)
async def test_dicts_grow(model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any) -> None:
    scripted(openrouter_gateway, method, {"name": "Al Bert", "age": 3}, "Some_Person_", times=2)
    structured = model.with_structured_output(TITLED, method=method)
    seen = list(structured.stream("hi"))
    assert seen == [item async for item in structured.astream("hi")]
    assert {"name": "Al"} in seen
    assert seen[-1] == {"name": "Al Bert", "age": 3}
    assert len({json.dumps(item) for item in seen}) == len(seen)


def test_objects_come_once_they_are_valid(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply('{"name": "Al", "age": 3, "country": "Italy"}')
    seen = list(model.with_structured_output(Person, method="json_schema").stream("hi"))
    assert all(isinstance(item, Person) for item in seen)
    assert seen[0].country == "Austria"
    assert seen[-1].country == "Italy"


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_done_twice_in_a_stream(model: ChatOpenRouter, method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation only of what is new, and one sum of all pieces: each costs as much as has arrived."""
    read: list[str] = []

    class Counted(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def _count(cls, value: str) -> str:
            read.append(value)
            return value

    text = '{"name": "Al' + "l" * 50 + '"' + " " * 150 + "}"
    pieces = [AIMessageChunk(content=letter) for letter in text]
    if method == "function_calling":
        calls = [tool_call_chunk(name="Counted" if letter == "{" else None, args=letter, index=0) for letter in text]
        pieces = [AIMessageChunk(content="", tool_call_chunks=[call]) for call in calls]
    parser: Any = model.with_structured_output(Counted, method=method).last  # type: ignore[attr-defined]
    sums: list[Any] = []
    add = AIMessageChunk.__add__

    def counting(self: Any, other: Any) -> Any:
        sums.append(other)
        return add(self, other)

    monkeypatch.setattr(AIMessageChunk, "__add__", counting)
    seen = list(parser._transform(iter(pieces)))
    assert len(read) == len(set(read)) + 1  # the whole answer is judged once more
    assert len(seen) == len(set(read))
    assert len(sums) == 2
    sums.clear()
    loose = model.with_structured_output(Counted, method=method, include_raw=True).last  # type: ignore[attr-defined]
    *raw, end = loose._transform(iter(pieces))
    assert [item["raw"] for item in raw] == pieces
    assert (end["parsed"], len(sums)) == (seen[-1], 2)


@pytest.mark.parametrize("method", METHODS)
async def test_raw_is_streamed(model: ChatOpenRouter, openrouter_gateway: LocalGateway, method: Any) -> None:
    scripted(openrouter_gateway, method, AL, cost=0.5, times=3)
    structured = model.with_structured_output(Person, method=method, include_raw=True)
    pieces = list(structured.stream("hi"))
    assert len(pieces) > 3
    found = _sum(pieces)
    assert (found["parsed"], found["parsing_error"]) == (Person(name="Al", age=3), None)
    assert found["raw"].response_metadata["cost"] == 0.5
    also = None
    async for piece in structured.astream("hi"):
        also = piece if also is None else also + piece
    assert also is not None and also["parsed"] == found["parsed"]
    whole = structured.invoke("hi")
    assert whole.keys() == found.keys()
    assert whole["parsed"] == found["parsed"]


@pytest.mark.parametrize("schema", [Person, TITLED], ids=str)
@pytest.mark.parametrize("include_raw", [False, True])
def test_a_model_that_does_not_stream(make: Make, schema: Any, include_raw: bool) -> None:
    structured = make(streaming=False).with_structured_output(schema, include_raw=include_raw)
    found = _sum(structured.stream("I am Bob 7"))
    parsed = found["parsed"] if include_raw else found
    assert (dict(parsed)["name"], dict(parsed)["age"]) == ("Bob", 7)


async def test_batches_and_fallbacks(make: Make, openrouter_gateway: LocalGateway) -> None:
    structured = make().with_structured_output(Person)
    assert [item.name for item in structured.batch(["I am Bob 7", "I am Eve 8"])] == ["Bob", "Eve"]
    assert [item.age for item in await structured.abatch(["I am Bob 7", "I am Eve 8"])] == [7, 8]
    openrouter_gateway.reply("Sure!", times=2)
    safe = structured.with_fallbacks([make(model="openai/gpt-4o").with_structured_output(Person)])
    with pytest.raises(openrouter_adapters.StructuredOutputError):
        safe.invoke("I am Bob 7")
    openrouter_gateway.reply("Sure!")
    assert safe.invoke("I am Bob 7").name == "Bob"
    both = make().with_fallbacks([make(model="openai/gpt-4o")]).with_structured_output(Person)
    openrouter_gateway.fault("rate_limit")
    assert both.invoke("I am Bob 7") == Person(name="Bob", age=7)


def test_with_standard_content(make: Make, openrouter_gateway: LocalGateway) -> None:
    for method in METHODS:
        structured = make(output_version="v1").with_structured_output(Person, method=method)
        scripted(openrouter_gateway, method, AL, reasoning="hm", times=2)
        assert structured.invoke("hi") == list(structured.stream("hi"))[-1] == Person(name="Al", age=3)


# ---------------------------------------------------------------------------------------------- agents

STRATEGIES = [
    (ProviderStrategy(Person), "json_schema"),
    (ProviderStrategy(Person, strict=True), "json_schema"),
    (ToolStrategy(Person), "tools"),
    (AutoStrategy(Person), None),
]


@pytest.mark.parametrize(("strategy", "how"), STRATEGIES)
@pytest.mark.parametrize("tools", [[], [weather]])
def test_agents(make: Make, sent: Sent, strategy: Any, how: str | None, tools: list[Any]) -> None:
    agent = create_agent(make(), tools, response_format=strategy)
    state = agent.invoke({"messages": [("user", "person: I am Bob 7")]}, {"recursion_limit": 9})
    assert isinstance(state["structured_response"], Person)
    assert (state["structured_response"].name, state["structured_response"].age) == ("Bob", 7)
    body = sent()
    assert body.get("tools") != []
    if how == "tools":
        assert body["tool_choice"] == "required"
    if how == "json_schema":
        asked = body["response_format"]["json_schema"]
        assert body["provider"] == {"require_parameters": True}
        if getattr(strategy.schema_spec, "strict", None):
            assert asked["strict"] is True
            assert closed(asked["schema"])


def test_an_agent_is_told_what_is_wrong(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(None, refusal="I cannot help with that.")
    with pytest.raises(StructuredOutputValidationError) as caught:
        create_agent(make(), [], response_format=ProviderStrategy(Person)).invoke({"messages": [("user", "hi")]})
    assert caught.value.ai_message.additional_kwargs["refusal"] == "I cannot help with that."


FORM = {"type": "json_schema", "json_schema": {"name": "a b!", "schema": UNTITLED, "strict": True}}


def test_response_formats_in_every_form(model: ChatOpenRouter, sent: Sent) -> None:
    for given, name in ((Person, "Person"), (PersonDict, "PersonDict"), (TITLED, "Some_Person_"), (FORM, "a_b_")):
        before = json.dumps(given) if isinstance(given, dict) else ""
        model.bind_tools([], response_format=given).invoke("hi")
        asked = sent()["response_format"]["json_schema"]
        assert (asked["name"], asked["strict"]) == (name, True)
        assert closed(asked["schema"])
        assert sent()["provider"] == {"require_parameters": True}
        assert not before or json.dumps(given) == before
    loose: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "a", "schema": UNTITLED}}
    model.bind_tools([], response_format=loose, require_parameters=False).invoke("hi")
    assert sent()["response_format"] == loose
    everything = {**UNTITLED, "required": list(UNTITLED["properties"])}
    whole: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "a", "schema": everything}}
    model.bind_tools([], response_format=whole).invoke("hi")  # as a ProviderStrategy of an agent gives it
    assert sent()["response_format"]["json_schema"]["strict"] is True
    assert closed(sent()["response_format"]["json_schema"]["schema"])
    said: dict[str, Any] = {**loose, "json_schema": {**loose["json_schema"], "strict": False}}
    model.bind_tools([], response_format=said, require_parameters=False).invoke("hi")
    assert sent()["response_format"] == said
    assert "provider" not in sent()
    model.bind_tools([], response_format=Person, strict=False).invoke("hi")
    assert sent()["response_format"]["json_schema"]["strict"] is False


def test_a_parser_by_itself(model: ChatOpenRouter) -> None:
    parser: Any = model.with_structured_output(Person, method="json_schema").last  # type: ignore[attr-defined]
    assert parser.parse(AL) == parser.invoke(AIMessage(AL)) == parser.invoke(AL) == Person(name="Al", age=3)
    assert list(parser.transform(iter([AL]))) == [Person(name="Al", age=3)]
    assert list(parser.transform(iter([AL[:9], AL[9:]]))) == [Person(name="Al", age=3)]
    assert list(parser.transform(iter([AIMessageChunk(content=AL[:9]), HumanMessage(AL[9:])])))[-1].age == 3
    assert list(parser.transform(iter([]))) == []
    assert parser.OutputType is Person


def test_literals(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    class Mood(TypedDict):
        mood: Literal["good", "bad"]

    openrouter_gateway.reply('{"mood": "so so"}')
    with pytest.raises(openrouter_adapters.StructuredOutputError, match="mood"):
        model.with_structured_output(Mood, method="json_schema").invoke("hi")


class Street(TypedDict):
    name: Annotated[str, Field(description="without the number")]


class Town(TypedDict):
    streets: list[Street] | None
    main: Annotated[Street, ..., "the widest"]
    pairs: list[Annotated[Street, "nothing"]]
    count: Annotated[int, 3, "how many"]
    kind: Annotated[str, 1]


def test_typed_dicts_within(model: ChatOpenRouter, sent: Sent, openrouter_gateway: LocalGateway) -> None:
    town = {"streets": None, "main": {"name": "Ring"}, "pairs": [{"name": "Graben"}], "kind": "old"}
    openrouter_gateway.reply(json.dumps(town))
    answer = model.with_structured_output(Town, method="json_schema").invoke("hi")
    assert answer == town
    asked = sent()["response_format"]["json_schema"]
    assert asked["strict"] is True
    assert closed(asked["schema"])
    assert asked["schema"]["$defs"]["Street"]["properties"]["name"]["description"] == "without the number"
    assert asked["schema"]["properties"]["main"]["description"] == "the widest"
    assert asked["schema"]["properties"]["count"]["description"] == "how many"


def test_a_functions_arguments_are_a_schema(model: ChatOpenRouter) -> None:
    def person(name: str, age: int) -> None:
        """Somebody."""

    for schema in (person, tool(person)):
        structured: Any = model.with_structured_output(schema)  # type: ignore[arg-type]
        assert structured.invoke("I am Bob 7") == {"name": "Bob", "age": 7}
