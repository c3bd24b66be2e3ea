"""Structured output: how it is asked for, what is read, what it cost, and what LlamaIndex is told of it."""

from __future__ import annotations

import asyncio
import copy
import enum
import gc
import json
import pickle
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Literal

import openai
import pydantic.v1
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core import Document, MockEmbedding, Settings, SummaryIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import ChatMessage, ChatResponse, TextBlock
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, Field, RootModel, computed_field, field_serializer, field_validator

from openrouter_adapters import OpenRouterError, RateLimitError, RefusalError, StructuredOutputError
from openrouter_adapters.core import catalog
from openrouter_adapters.core.structured import excerpt
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from .conftest import KEY, MODEL
from .leaving import LEAVES, left
from .runs import OF_THE_ENGINE

pytestmark = OF_THE_ENGINE

Make = Callable[..., OpenRouter]

MODES = ("json_schema", "tool", "text")
WAYS = ("structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict")
CHATS = [f"{kind}{method}" for method in ("chat", "complete") for kind in ("", "a", "stream_", "astream_")]
ASK: dict[str, dict[str, Any]] = {
    "json_schema": {"should_use_structured_outputs": True},
    "tool": {"pydantic_program_mode": "function"},
    "text": {"pydantic_program_mode": PydanticProgramMode.LLM},
}
UNKNOWN = "vendor/of-which-nobody-knows"
NO_TOOLS = "gryphe/mythomax-l2-13b"
HELLO = [ChatMessage("hello")]
PROMPT = PromptTemplate("Who is {who}?")


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Town(BaseModel):
    name: str
    people: int = 0


class Person(BaseModel):
    """Somebody."""

    name: str = Field(description="first name")
    age: int
    town: Town | None = None
    mood: Mood = Mood.GOOD
    towns: list[Town] = []


class Counts(BaseModel):
    words: dict[str, Any]


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Towns(RootModel[list[Town]]):
    pass


AL: dict[str, Any] = {"name": "Al", "age": 3}
FULL: dict[str, Any] = {**AL, "town": {"name": "Graz", "people": 9}, "mood": "bad", "towns": [{"name": "Linz"}]}
OBJECTS: list[tuple[type[BaseModel], Any]] = [
    (Person, AL),
    (Person, FULL),
    (Counts, {"words": {"a": 1, "b": [None, {"c": "d"}]}}),
    (Node, {"value": 1, "children": [{"value": 2, "children": []}]}),
]


def scripted(gateway: LocalGateway, mode: str, said: Any, name: str = "Person", **more: Any) -> None:
    """An answer in the way in which a mode expects it."""
    text = said if isinstance(said, str) else json.dumps(said)
    gateway.reply(**({"text": None, "tool_calls": [(name, text)]} if mode == "tool" else {"text": text}), **more)


async def predicted(llm: Any, way: str, output_cls: Any = Person, prompt: Any = PROMPT, **more: Any) -> list[Any]:
    """Everything that one of the four ways gives."""
    made = getattr(llm, way)(output_cls, prompt, **{"who": "Al", **more})
    if way.startswith("a"):
        made = await made
        made = [item async for item in made] if "stream" in way else made
        if isinstance(llm, OpenRouter):
            await llm.aclose()
    return list(made) if "stream" in way else [made]


async def chatted(llm: StructuredLLM, way: str, **more: Any) -> list[Any]:
    """Everything that a method of a StructuredLLM gives."""
    made: Any = getattr(llm, way)("Who?" if way.endswith("complete") else [ChatMessage("Who?")], **more)
    if way.startswith("a"):
        made = await made
        made = [item async for item in made] if "stream" in way else made
        inner: Any = llm.llm
        await inner.aclose()
    return list(made) if "stream" in way else [made]


def mode_of(body: dict[str, Any]) -> str:
    return "json_schema" if "response_format" in body else "tool" if "tools" in body else "text"


# ---------------------------------------------------------------------------------------------- asked and read


@pytest.mark.parametrize(("output_cls", "said"), OBJECTS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_every_mode_every_way(
    llm: OpenRouter, gateway: LocalGateway, mode: str, way: str, output_cls: type[BaseModel], said: Any
) -> None:
    scripted(gateway, mode, said, output_cls.__name__)
    *partial, last = await predicted(llm, way, output_cls, llm_kwargs=ASK[mode])
    assert (type(last), last) == (output_cls, output_cls.model_validate(said))
    assert mode_of(gateway.requests[-1].body) == mode
    assert bool(partial) is ("stream" in way)
    assert all(isinstance(item, output_cls | FlexibleModel) for item in partial)


def test_the_body_of_a_strict_schema(llm: OpenRouter, gateway: LocalGateway) -> None:
    llm.structured_predict(Person, PROMPT, who="Al")
    town = {
        "properties": {"name": {"title": "Name", "type": "string"}, "people": {"title": "People", "type": "integer"}}
    }
    body = dict(gateway.requests[-1].body)
    asked = body.pop("response_format")
    messages = [{"role": "user", "content": "Who is Al?"}]
    assert body == {"model": MODEL, "messages": messages, "provider": {"require_parameters": True}}
    assert (asked["type"], asked["json_schema"]["name"], asked["json_schema"]["strict"]) == (
        "json_schema",
        "Person",
        True,
    )
    schema = asked["json_schema"]["schema"]
    assert schema["required"] == ["name", "age", "town", "mood", "towns"]
    assert schema["additionalProperties"] is False
    closed = {"required": ["name", "people"], "additionalProperties": False, "title": "Town", "type": "object"}
    assert schema["$defs"]["Town"] == {**town, **closed}
    assert schema["properties"]["mood"] == {"$ref": "#/$defs/Mood"}


def test_the_body_of_a_function(make: Make, gateway: LocalGateway) -> None:
    """It must be called, streamed too; strict where that is said, nested objects included."""
    for strict, instance, call in ((None, None, None), (True, True, None), (True, None, True), (False, True, False)):
        llm = make(strict=instance)
        options = {**ASK["tool"], **({} if call is None else {"strict": call})}
        llm.structured_predict(Person, PROMPT, options, who="Al")
        _ = list(llm.stream_structured_predict(Person, PROMPT, options, who="Al"))
        for body in (request.body for request in gateway.requests[-2:]):
            assert body.keys() - {"stream"} == {"model", "messages", "tools", "tool_choice", "provider"}
            assert body["tool_choice"] == {"type": "function", "function": {"name": "Person"}}
            [function] = [tool["function"] for tool in body["tools"]]
            assert (function["name"], function["description"]) == ("Person", "Somebody.")
            assert function.get("strict") is strict
            closed = (
                {"additionalProperties": False, "required": ["name", "people"]} if strict else {"required": ["name"]}
            )
            assert function["parameters"]["properties"]["towns"]["items"].items() >= closed.items()


def test_the_body_of_a_prompt(make: Make, gateway: LocalGateway) -> None:
    """The schema is where LlamaIndex's own parser puts it, its braces single; nothing demands a tool."""
    llm = make(system_prompt="Be brief.")
    scripted(gateway, "text", AL, times=None)
    schema = json.dumps(Person.model_json_schema())
    said = (
        f"\n\n\nHere's a JSON schema to follow:\n{schema}\n\nOutput a valid JSON object but do not repeat the schema.\n"
    )
    llm.structured_predict(Person, PROMPT, ASK["text"], who="Al")
    assert gateway.requests[-1].body == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"Who is Al?{said}"},
        ],
    }
    turns = [ChatMessage(role="system", content="You know {who}."), ChatMessage("Well?")]
    llm.structured_predict(Person, ChatPromptTemplate(turns), ASK["text"], who="Al")
    system, own, user = gateway.requests[-1].body["messages"]
    assert (system["content"], own["content"], user["content"]) == ("Be brief.", f"You know Al.{said}", "Well?")
    picture = ChatMessage(role="user", blocks=[])
    llm.as_structured_llm(Person).chat([picture], **ASK["text"])
    assert gateway.requests[-1].body["messages"][-1]["content"] == said.lstrip()
    assert picture.blocks == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_the_system_prompt_goes_along(make: Make, gateway: LocalGateway, way: str, mode: str) -> None:
    scripted(gateway, mode, AL)
    await predicted(make(system_prompt="Be brief."), way, llm_kwargs=ASK[mode])
    assert gateway.requests[-1].body["messages"][0] == {"role": "system", "content": "Be brief."}


CHOICES: list[tuple[dict[str, Any], dict[str, Any], type[BaseModel], str]] = [
    ({}, {}, Person, "json_schema"),
    ({"models": ["anthropic/claude-haiku-4.5"]}, {}, Person, "json_schema"),
    ({"models": [UNKNOWN]}, {}, Person, "tool"),
    ({"model": UNKNOWN}, {}, Person, "tool"),
    ({"model": None}, {}, Person, "tool"),
    ({"model": NO_TOOLS}, {}, Counts, "text"),
    ({"model": NO_TOOLS}, {}, Person, "json_schema"),
    ({"models": [NO_TOOLS]}, {"should_use_structured_outputs": False}, Person, "text"),
    ({"model": NO_TOOLS, "is_function_calling_model": True}, {}, Counts, "tool"),
    ({"is_function_calling_model": False}, {}, Person, "json_schema"),
    ({"is_function_calling_model": False}, {}, Counts, "text"),
    ({}, {}, Counts, "tool"),
    ({}, {}, Towns, "text"),
    ({}, ASK["json_schema"], Towns, "text"),
    ({}, ASK["tool"], Towns, "text"),
    ({}, {"model": UNKNOWN}, Person, "tool"),
    ({}, {"models": [UNKNOWN]}, Person, "tool"),
    ({}, {"extra_body": {"models": [UNKNOWN]}}, Person, "tool"),
    ({}, {"additional_kwargs": {"models": [UNKNOWN]}}, Person, "tool"),
    ({"additional_kwargs": {"model": UNKNOWN}}, {}, Person, "tool"),
    ({"models": [UNKNOWN]}, {"models": None}, Person, "json_schema"),
    ({"should_use_structured_outputs": True, "model": UNKNOWN}, {}, Counts, "json_schema"),
    ({"should_use_structured_outputs": False}, {}, Person, "tool"),
    ({"should_use_structured_outputs": False}, {"should_use_structured_outputs": None}, Person, "json_schema"),
    ({"should_use_structured_outputs": False}, ASK["json_schema"], Person, "json_schema"),
    ({"pydantic_program_mode": PydanticProgramMode.FUNCTION}, {}, Person, "tool"),
    ({"pydantic_program_mode": PydanticProgramMode.OPENAI}, {}, Person, "tool"),
    ({"pydantic_program_mode": PydanticProgramMode.LLM}, {}, Person, "text"),
    ({"pydantic_program_mode": PydanticProgramMode.LLM}, {"pydantic_program_mode": None}, Person, "json_schema"),
    ({"pydantic_program_mode": PydanticProgramMode.LLM}, ASK["json_schema"], Person, "json_schema"),
    ({"should_use_structured_outputs": True}, ASK["text"], Person, "text"),
    ({"should_use_structured_outputs": True}, {"pydantic_program_mode": "default"}, Person, "json_schema"),
]


@pytest.mark.parametrize(("instance", "call", "output_cls", "mode"), CHOICES)
def test_the_way_to_ask_is_the_best_that_all_models_can_do(
    make: Make,
    gateway: LocalGateway,
    instance: dict[str, Any],
    call: dict[str, Any],
    output_cls: type[BaseModel],
    mode: str,
) -> None:
    gateway.serve(UNKNOWN)
    gateway.serve(NO_TOOLS)
    said = {Person: AL, Counts: {"words": {}}, Towns: [{"name": "Graz"}]}[output_cls]
    scripted(gateway, mode, said, output_cls.__name__)
    before = json.dumps(call, default=str)
    value = make(**instance).structured_predict(
        output_cls, PROMPT, {"provider": None, "require_parameters": False, **call}
    )
    body = gateway.requests[-1].body
    assert value == output_cls.model_validate(said)
    assert mode_of(body) == mode
    assert not body.keys() & {"pydantic_program_mode", "should_use_structured_outputs", "strict", "require_parameters"}
    assert json.dumps(call, default=str) == before
    if mode == "json_schema":
        assert body["response_format"]["json_schema"]["strict"] is (output_cls is Person)


@pytest.mark.parametrize(
    ("instance", "call", "expected"),
    [
        ({}, {}, {"require_parameters": True}),
        ({"provider": {"order": ["azure"]}}, {}, {"order": ["azure"], "require_parameters": True}),
        ({}, {"provider": {"zdr": True}}, {"zdr": True, "require_parameters": True}),
        ({"provider": {"require_parameters": False}}, {}, {"require_parameters": False}),
        ({"extra_body": {"provider": {"require_parameters": False}}}, {}, {"require_parameters": False}),
        ({}, {"provider": {"require_parameters": None}}, None),
        ({}, {"require_parameters": False}, None),
        ({"order": ["azure"]}, {"require_parameters": False}, {"order": ["azure"]}),
    ],
)
@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("way", [WAYS[0], WAYS[3]])
async def test_no_provider_that_ignores_the_schema(
    make: Make,
    gateway: LocalGateway,
    instance: dict[str, Any],
    call: dict[str, Any],
    expected: Any,
    mode: str,
    way: str,
) -> None:
    scripted(gateway, mode, AL)
    await predicted(make(**instance), way, llm_kwargs={**ASK[mode], **call})
    body = gateway.requests[-1].body
    assert body.get("provider") == expected
    assert "require_parameters" not in body


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_options_go_along_and_stay_as_they_are(
    llm: OpenRouter, gateway: LocalGateway, way: str, mode: str
) -> None:
    """Neither the caller's dict nor the prompt is changed; what LlamaIndex's programs leave out is left out."""
    scripted(gateway, mode, AL)
    options = {**ASK[mode], "temperature": 0, "provider": {"zdr": False}, "tool_required": False, "unknown": {"a": 1}}
    options |= {"allow_parallel_tool_calls": True, "require_parameters": False}
    before, prompt = dict(options), PromptTemplate("Who is {who}?")
    await predicted(llm, way, prompt=prompt, llm_kwargs=options)
    assert options == before and options["provider"] == {"zdr": False}
    assert prompt.output_parser is None
    body = gateway.requests[-1].body
    assert (body["temperature"], body["unknown"]) == (0, {"a": 1})
    assert not body.keys() & {"tool_required", "allow_parallel_tool_calls", "parallel_tool_calls"}


class Plain:
    pass


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dict, r"output_cls=<class 'dict'> is no pydantic class: wrap it in one: .*value: dict$"),
        (list[Town], r"output_cls=list\[.*Town\] is no pydantic class: wrap it"),
        (Town(name="Graz"), "give the class itself, Town"),
        (Plain, r"output_cls=.*Plain.* make it one, class Answer\(pydantic.BaseModel\)"),
        ({"type": "object"}, "output_cls={'type': 'object'} is no pydantic class"),
        (None, "output_cls=None is no pydantic class"),
    ],
)
async def test_a_class_that_is_none(llm: OpenRouter, gateway: LocalGateway, given: Any, said: str) -> None:
    for way in WAYS:
        with pytest.raises(TypeError, match=said):
            await predicted(llm, way, given)
    with pytest.raises(TypeError, match=said):
        llm.as_structured_llm(given)
    assert gateway.requests == []


def test_a_class_that_json_cannot_say(llm: OpenRouter, gateway: LocalGateway) -> None:
    class Odd(BaseModel):
        call: Callable[[], int]

    with pytest.raises(TypeError, match=r"output_cls=Odd has no JSON schema: .*Callable"):
        llm.structured_predict(Odd, PROMPT)
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"pydantic_program_mode": "guess"},
            r"pydantic_program_mode='guess': a call takes one of \['default', 'function'",
        ),
        ({"pydantic_program_mode": "lm-format-enforcer"}, "set others on the LLM itself"),
        ({"should_use_structured_outputs": "yes"}, "should_use_structured_outputs='yes': give True, False or None"),
        ({"response_format": {"type": "json_object"}}, "response_format is made from output_cls"),
        ({**ASK["tool"], "tool_choice": "strange"}, "tool_choice='strange'"),
        ({**ASK["tool"], "tools": [{"type": "function", "function": {"name": "Person"}}]}, "called 'Person'"),
        ({"extra_body": {"response_format": {"type": "json_object"}}}, "response_format is made from output_cls"),
        ({"additional_kwargs": {"response_format": {"type": "text"}}}, "response_format is made from output_cls"),
        ({"strict": "x"}, r"llm_kwargs: strict='x': give True, False or None"),
        ({"temperature": "hot"}, "temperature"),
        ({"models": 3}, "models"),
    ],
)
def test_options_that_cannot_be_right(
    llm: OpenRouter, gateway: LocalGateway, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        llm.structured_predict(Person, PROMPT, options)
    assert gateway.requests == []


def test_a_prompt_that_is_none(llm: OpenRouter) -> None:
    with pytest.raises(TypeError, match=r"prompt='Who\?' is no prompt template: give PromptTemplate"):
        llm.structured_predict(Person, "Who?")  # type: ignore[arg-type]


def test_a_format_of_the_callers_own_beside_words(llm: OpenRouter, gateway: LocalGateway) -> None:
    scripted(gateway, "text", AL)
    llm.structured_predict(Person, PROMPT, {**ASK["text"], "response_format": {"type": "json_object"}})
    assert gateway.requests[-1].body["response_format"] == {"type": "json_object"}


def test_tools_beside_the_function(llm: OpenRouter, gateway: LocalGateway) -> None:
    search = {"type": "openrouter:web_search"}
    scripted(gateway, "tool", AL, times=2)
    llm.structured_predict(Person, PROMPT, {**ASK["tool"], "tools": [search]})
    body = gateway.requests[-1].body
    assert (body["tools"][1:], body["tool_choice"]) == ([search], "required")
    llm.structured_predict(Person, PROMPT, {**ASK["tool"], "tool_choice": "auto"})
    assert gateway.requests[-1].body["tool_choice"] == "auto"
    scripted(gateway, "json_schema", AL, times=2)
    llm.structured_predict(Person, PROMPT, {"tools": [search], "tool_choice": "auto"})
    assert gateway.requests[-1].body["tools"] == [search]
    llm.structured_predict(Person, PROMPT, {"tool_choice": "auto"})
    assert "tool_choice" not in gateway.requests[-1].body


@pytest.mark.parametrize("mode", [PydanticProgramMode.LM_FORMAT_ENFORCER, PydanticProgramMode.GUIDANCE])
async def test_other_programs_are_left_to_llamaindex(make: Make, gateway: LocalGateway, mode: Any) -> None:
    llm = make(pydantic_program_mode=mode)
    for way in WAYS:
        with pytest.raises((ImportError, ValueError), match=r"lmformatenforcer|Unsupported pydantic program"):
            await predicted(llm, way)
    assert type(llm.as_structured_llm(Person)) is StructuredLLM
    assert gateway.requests == []


# ---------------------------------------------------------------------------------------------- what is read

TEXT = json.dumps(AL)


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        (f"\n  {TEXT} \n", MODES),
        (f"```json\n{TEXT}\n```", MODES),
        (f"Here you are:\n\n```\n{TEXT}\n```\nAnything else?", MODES),
        (f"Sure! {TEXT} There.", MODES[2:]),
        (f"According to [1][2]:\n{TEXT}", MODES[2:]),
        (f"{TEXT}\n\nSources: [1] https://x.org", MODES[2:]),
        (f"{TEXT}[1]", MODES[2:]),
        (f"<think>they want {{name}}, as in {{}}</think>{TEXT}", MODES[2:]),
        (f'Not ```json\n{{"x": 1}}\n``` but ```json\n{TEXT}\n```', MODES[2:]),
    ],
)
@pytest.mark.parametrize("way", WAYS)
async def test_json_in_a_fence_or_as_text(
    llm: OpenRouter, gateway: LocalGateway, text: str, modes: tuple[str, ...], way: str
) -> None:
    """15: streamed as unstreamed. Functions too: some models write down what they should have called."""
    for mode in modes:
        gateway.reply(text)
        assert (await predicted(llm, way, llm_kwargs=ASK[mode]))[-1] == Person(name="Al", age=3)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("json_schema", {"text": "I would rather not say."}, "no JSON .*'I would rather not say.'"),
    ("json_schema", {"text": f"Sure! {TEXT}"}, "no JSON"),
    ("json_schema", {"text": '{"name": "Al"}'}, r"does not fit Person: age: Field required. The answer was '\{"),
    ("json_schema", {"text": '{"name": "Al", "age": "old"}'}, "age: Input should be a valid int"),
    ("json_schema", {"text": f"```\n{TEXT}\n```\n```\n{TEXT}\n```"}, "more follows"),
    ("json_schema", {"text": ""}, "the answer is empty"),
    ("json_schema", {"text": None, "tool_calls": [("strange", {})]}, "called strange instead"),
    ("tool", {"text": "Sure!"}, "text instead of a call of Person .*'Sure!'"),
    ("tool", {"text": None}, "the answer is empty"),
    ("tool", {"text": None, "tool_calls": [("Person", '{"name": "Al"')]}, "Person are no JSON, or cut off"),
    ("tool", {"text": None, "tool_calls": [("Person", '{"name": 3}')]}, "does not fit Person: name"),
    ("tool", {"text": None, "tool_calls": [("Person", "[1]")]}, "does not fit Person"),
    ("tool", {"text": None, "tool_calls": [("strange", {})]}, "called strange instead"),
    ("tool", {"text": None, "tool_calls": [("Person", "9" * 5_000)]}, "Person are no JSON"),
    ("text", {"text": "Sure!"}, "no JSON"),
    ("text", {"text": f"Either {TEXT} or {TEXT}."}, "more follows after the JSON"),
    ("text", {"text": "Well, " + '{"a":' * 100_000}, "nested too deeply"),
    ("text", {"text": "[" * 100_000}, "nested too deeply"),
]


@pytest.mark.parametrize(("mode", "reply", "said"), WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("way", [WAYS[0], WAYS[3]])
async def test_an_answer_that_does_not_fit_is_an_error(
    llm: OpenRouter, gateway: LocalGateway, mode: str, reply: dict[str, Any], said: str, way: str
) -> None:
    gateway.reply(**reply, cost=0.25, chunk_size=1_000)
    with pytest.raises(ValueError, match=said) as caught:
        await predicted(llm, way, llm_kwargs=ASK[mode])
    error: Any = caught.value
    assert isinstance(error, StructuredOutputError)
    assert isinstance(error, openai.OpenAIError)
    assert isinstance(error.raw, ChatResponse)
    assert error.raw.additional_kwargs["cost"] == error.raw.raw.usage.cost == 0.25
    assert (error.model, error.provider, error.retryable) == (MODEL, "OpenAI", False)
    assert error.generation_id == error.raw.additional_kwargs["id"]
    text = reply["text"] or "\n".join(str(call[1]) for call in reply.get("tool_calls", ()))
    assert error.text == text
    assert f"finish_reason {error.finish_reason!r}" in str(error)
    assert str(error).count(excerpt(text)) == 1 or not text
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
async def test_cut_off(llm: OpenRouter, gateway: LocalGateway, mode: str, way: str) -> None:
    scripted(gateway, mode, '{"name": "Al", "age": 3, "moo', finish_reason="length")
    with pytest.raises(StructuredOutputError, match="raise max_tokens") as caught:
        await predicted(llm, way, llm_kwargs=ASK[mode])
    assert caught.value.finish_reason == "length"


def test_cut_off_before_the_arguments_is_not_all_defaults(llm: OpenRouter, gateway: LocalGateway) -> None:
    class Easy(BaseModel):
        a: int = 0

    gateway.reply(None, tool_calls=[("Easy", "")], finish_reason="length")
    with pytest.raises(StructuredOutputError, match="raise max_tokens"):
        llm.structured_predict(Easy, PROMPT, ASK["tool"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal(llm: OpenRouter, gateway: LocalGateway, mode: str, way: str) -> None:
    gateway.reply(None, refusal="I cannot help with that.", cost=0.5)
    with pytest.raises(RefusalError, match="the model refused: I cannot help with that") as caught:
        await predicted(llm, way, llm_kwargs=ASK[mode])
    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.refusal, error.raw.additional_kwargs["cost"]) == ("I cannot help with that.", 0.5)
    gateway.reply("Well", finish_reason="content_filter")
    with pytest.raises(RefusalError, match="content filter stopped"):
        await predicted(llm, way, llm_kwargs=ASK[mode])


class Speechless(Exception):
    def errors(self) -> Any:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("odd", [KeyError("x"), StopIteration(), Speechless(), RecursionError()], ids=repr)
@pytest.mark.parametrize("way", WAYS)
async def test_what_a_callers_validator_says(llm: OpenRouter, gateway: LocalGateway, odd: Exception, way: str) -> None:
    class Odd(BaseModel):
        a: Any

        @field_validator("a")
        @classmethod
        def _odd(cls, value: Any) -> Any:
            raise odd

    scripted(gateway, "json_schema", {"a": "y"})
    with pytest.raises(StructuredOutputError, match=r"does not fit Odd: ('x'|StopIter|Speech|Recursion)") as caught:
        await predicted(llm, way, Odd, llm_kwargs=ASK["json_schema"])
    assert type(caught.value.__cause__) is type(odd)


@pytest.mark.parametrize("way", WAYS)
async def test_trouble_on_the_way_is_raised_as_ever(llm: OpenRouter, gateway: LocalGateway, way: str) -> None:
    gateway.fault("rate_limit")
    with pytest.raises(RateLimitError):
        await predicted(llm, way)


def test_a_stream_that_breaks_off(llm: OpenRouter, gateway: LocalGateway) -> None:
    scripted(gateway, "json_schema", AL, chunk_size=1)
    gateway.fault("error_chunk", after=3)
    seen = []
    with pytest.raises(OpenRouterError) as caught:
        for item in llm.stream_structured_predict(Person, PROMPT):
            seen.append(item)
    assert isinstance(seen[-1], FlexibleModel)
    assert caught.value.partial is not None and caught.value.partial.text


# ---------------------------------------------------------------------------------------------- streams


@st.composite
def fragments(draw: st.DrawFn) -> tuple[Any, list[str]]:
    """An object, and its JSON in pieces."""
    text = st.text(st.characters(codec="utf-8"), max_size=6)
    town = st.fixed_dictionaries({"name": text}, optional={"people": st.integers(-9, 99)})
    said = draw(
        st.fixed_dictionaries(
            {"name": text, "age": st.integers(-10, 10_000)},
            optional={
                "town": st.none() | town,
                "mood": st.sampled_from(["good", "bad"]),
                "towns": st.lists(town, max_size=2),
            },
        )
    )
    whole = json.dumps(said, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1)))
    cuts = sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    return said, [whole[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=fragments(), mode=st.sampled_from(MODES))
def test_however_it_is_cut_the_last_object_is_the_unstreamed_one(
    llm: OpenRouter, gateway: LocalGateway, drawn: tuple[Any, list[str]], mode: str
) -> None:
    said, pieces = drawn
    gateway.reset()
    named = {"index": 0, "id": "c", "function": {"name": "Person", "arguments": ""}}
    calls = [{"tool_calls": [named]}, *({"tool_calls": [{"index": 0, "function": {"arguments": p}}]} for p in pieces)]
    scripted(gateway, mode, "".join(pieces))
    gateway.reply(chunks=calls if mode == "tool" else pieces, comments=0)
    whole = llm.structured_predict(Person, PROMPT, ASK[mode])
    seen = list(llm.stream_structured_predict(Person, PROMPT, ASK[mode]))
    assert whole == seen[-1] == Person.model_validate(said)
    assert type(seen[-1]) is Person
    shown = [item for item in seen if isinstance(item, FlexibleModel)]
    assert all(set(item.model_dump()) >= set(Person.model_fields) for item in shown)
    names = [item.model_dump()["name"] or "" for item in seen]
    assert all(later.startswith(earlier) for earlier, later in pairwise(names))


def test_partial_objects_grow(llm: OpenRouter, gateway: LocalGateway) -> None:
    pieces = ['{"na', 'me": "A', 'l", "age"', ": 3", "", ', "town": {"name"', ': "Graz"}', "}"]
    gateway.reply(chunks=pieces)
    seen = [item.model_dump(exclude_unset=True) for item in llm.stream_structured_predict(Person, PROMPT)]
    al = {"name": "Al"}
    assert seen[:3] == [{}, {"name": "A"}, al]
    assert seen[-1] == {**AL, "town": {"name": "Graz"}}
    assert len(seen) < len(pieces) + 1


def test_a_stream_of_a_list(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=['[{"name": "Graz"}', ', {"name": "Li', 'nz"}]'])
    *_, before, whole, last = llm.stream_structured_predict(Towns, PROMPT)
    assert whole == last == Towns([Town(name="Graz"), Town(name="Linz")])
    assert before == Towns([Town(name="Graz"), Town(name="Li")])


LONG = ['{"name": "', *["x"] * 2_000, '", "age": 3}']


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("method", ["predict", "chat", "complete"])
def test_leaving_a_stream_closes_its_connection(
    llm: OpenRouter, gateway: LocalGateway, leave: Any, method: str
) -> None:
    gateway.reply(chunks=LONG, delay=0.01)
    sllm = llm.as_structured_llm(Person)
    makers: dict[str, Callable[[], Any]] = {
        "predict": lambda: llm.stream_structured_predict(Person, PROMPT),
        "chat": lambda: sllm.stream_chat([ChatMessage("hi")]),
        "complete": lambda: sllm.stream_complete("hi"),
    }
    gc.disable()
    try:
        leave(makers[method]())
        assert left(gateway, len(LONG))
    finally:
        gc.enable()


@pytest.mark.parametrize("method", ["predict", "chat", "complete"])
async def test_leaving_an_async_stream(llm: OpenRouter, gateway: LocalGateway, method: str) -> None:
    gateway.reply(chunks=LONG, delay=0.01)
    sllm = llm.as_structured_llm(Person)
    stream: Any = await {
        "predict": lambda: llm.astream_structured_predict(Person, PROMPT),
        "chat": lambda: sllm.astream_chat([ChatMessage("hi")]),
        "complete": lambda: sllm.astream_complete("hi"),
    }[method]()
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(left, gateway, len(LONG))
    await llm.aclose()


# ---------------------------------------------------------------------------------------------- what is told


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_one_request_one_pair_of_events_one_span(
    llm: OpenRouter, gateway: LocalGateway, events: list[Any], spans: SimpleSpanHandler, mode: str, way: str
) -> None:
    scripted(gateway, mode, AL, cost=0.5)
    seen = await predicted(llm, way, llm_kwargs=ASK[mode])
    names = [type(event).__name__ for event in events]
    for name in (
        "LLMStructuredPredictStartEvent",
        "LLMChatStartEvent",
        "LLMChatEndEvent",
        "LLMStructuredPredictEndEvent",
    ):
        assert names.count(name) == 1
    assert names.count("LLMStructuredPredictInProgressEvent") == (len(seen) if "stream" in way else 0)
    assert events[0].template_args == {"who": "Al"} and events[-1].output == seen[-1]
    [end] = [event for event in events if type(event).__name__ == "LLMChatEndEvent"]
    assert end.response.raw.usage.cost == 0.5
    chat = way.replace("structured_predict", "chat")
    assert sorted(span.id_.split("-")[0] for span in spans.completed_spans) == sorted(
        [f"OpenRouter.{way}", f"OpenRouter.{chat}"]
    )
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("way", CHATS)
@pytest.mark.parametrize("listener", ["inner", "outer", "both"])
async def test_a_structured_llm_is_counted_once(
    make: Make, gateway: LocalGateway, events: list[Any], way: str, listener: str
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    manager = CallbackManager([counter])
    scripted(gateway, "json_schema", AL, usage={"prompt_tokens": 111, "completion_tokens": 222, "total_tokens": 333})
    sllm = make(**({"callback_manager": manager} if listener != "outer" else {})).as_structured_llm(Person)
    if listener != "inner":
        sllm.callback_manager = manager
    await chatted(sllm, way)
    [event] = counter.llm_token_counts
    assert (event.prompt_token_count, event.completion_token_count) == (111, 222)
    names = [type(event).__name__ for event in events]
    assert (names.count("LLMChatStartEvent"), names.count("LLMChatEndEvent")) == (1, 1)
    assert not [name for name in names if "Completion" in name]


def test_a_rate_limiter_of_the_outer_llm_is_asked(llm: OpenRouter, gateway: LocalGateway) -> None:
    class Limiter:
        asked = 0

        def acquire(self) -> None:
            self.asked += 1

    limiter = Limiter()
    llm.as_structured_llm(Person, rate_limiter=limiter).complete("I am Bob 7")
    assert limiter.asked == 1
    assert llm.rate_limiter is None
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("way", [*WAYS, *CHATS])
async def test_secrets_given_per_call_are_told_to_nobody(
    llm: OpenRouter, gateway: LocalGateway, events: list[Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    plain = SimpleSpanHandler.new_span

    def new_span(self: Any, id_: str, bound_args: Any, *args: Any, **kwargs: Any) -> Any:
        heard.append(repr(bound_args.arguments))
        return plain(self, id_, bound_args, *args, **kwargs)

    monkeypatch.setattr(SimpleSpanHandler, "new_span", new_span)
    secret = {"api_key": "sk-of-this-call", "default_headers": {"X-Own": "header-secret"}}
    addressed = {"base_url": gateway.base_url.replace("://", "://me:header-secret@")}
    for options in (addressed, secret):
        scripted(gateway, "json_schema", AL)
        if way in WAYS:
            await predicted(llm, way, llm_kwargs=options)
        else:
            await chatted(llm.as_structured_llm(Person), way, **options)
    told = [*heard, *map(repr, events)]
    assert events and not [said for said in told if "sk-of-this-call" in said or "header-secret" in said or KEY in said]
    assert (gateway.requests[-1].key, gateway.requests[-1].headers["x-own"]) == ("sk-of-this-call", "header-secret")
    assert secret.keys() == {"api_key", "default_headers"}


# ---------------------------------------------------------------------------------------------- as_structured_llm


@pytest.mark.parametrize("way", CHATS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_structured_llm_keeps_what_the_answer_cost(
    llm: OpenRouter, gateway: LocalGateway, mode: str, way: str
) -> None:
    scripted(gateway, mode, AL, cost=0.5, chunk_size=1)
    *items, last = await chatted(llm.as_structured_llm(Person), way, **ASK[mode])
    content = last.text if way.endswith("complete") else last.message.content
    assert last.raw == Person(name="Al", age=3)
    assert content == last.raw.model_dump_json()
    facts = last.additional_kwargs
    assert (facts["cost"], facts["model"], facts["provider"], facts["requested_model"]) == (0.5, MODEL, "OpenAI", MODEL)
    assert facts["total_tokens"] == facts["prompt_tokens"] + facts["completion_tokens"]
    if "stream" in way:
        assert items and "".join(item.delta for item in (*items, last)) == content
        assert all(isinstance(item.raw, FlexibleModel | Person) for item in items)
    else:
        assert last.delta is None


def test_a_structured_llm_is_llamaindexs_own_to_who_looks_at_it(llm: OpenRouter, gateway: LocalGateway) -> None:
    sllm = llm.as_structured_llm(Person, system_prompt="of the outer one")
    assert isinstance(sllm, StructuredLLM)
    assert (sllm.class_name(), sllm.metadata, sllm.llm) == ("structured_llm", llm.metadata, llm)
    plain = StructuredLLM(llm=llm, output_cls=Person, system_prompt="of the outer one")
    assert sllm.to_dict() == plain.to_dict()
    assert KEY not in sllm.to_json() + repr(sllm)
    assert "output_cls" not in sllm.to_dict()
    again = pickle.loads(pickle.dumps(sllm))
    assert (type(again), again.output_cls, again.llm.model) == (type(sllm), Person, MODEL)
    scripted(gateway, "json_schema", AL, times=2)
    assert sllm.predict(PROMPT, who="Al") == sllm.chat([ChatMessage("hi")]).message.content
    assert gateway.requests[0].body["messages"][0]["content"] == "of the outer one"


def test_braces_in_messages_are_no_variables(llm: OpenRouter, gateway: LocalGateway) -> None:
    said = ChatMessage(role="user", blocks=[TextBlock(text='{"a": {b}} }{'), TextBlock(text="{{c}}")])
    llm.as_structured_llm(Person).chat([said])
    assert "".join(part["text"] for part in gateway.requests[-1].body["messages"][0]["content"]) == '{"a": {b}} }{{{c}}'


@pytest.mark.parametrize("way", WAYS)
async def test_a_structured_llm_predicts_other_classes(llm: OpenRouter, gateway: LocalGateway, way: str) -> None:
    scripted(gateway, "json_schema", {"name": "Graz"})
    assert (await predicted(llm.as_structured_llm(Person), way, Town))[-1] == Town(name="Graz")
    await llm.aclose()


def test_errors_reach_the_caller_of_a_structured_llm(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Sure!", times=2)
    sllm = llm.as_structured_llm(Person)
    with pytest.raises(ValueError, match="no JSON"):
        sllm.chat([ChatMessage("hi")])
    with pytest.raises(StructuredOutputError, match="no JSON"):
        list(sllm.stream_complete("hi"))


# ---------------------------------------------------------------------------------------------- inside LlamaIndex


@pytest.fixture
def global_settings() -> Iterator[None]:
    before = (Settings._llm, Settings._embed_model)
    Settings.embed_model = MockEmbedding(embed_dim=4)
    yield
    Settings._llm, Settings._embed_model = before


@pytest.mark.parametrize("model", [MODEL, "deepseek/deepseek-v3.2"])
async def test_an_agent_with_an_output_class(make: Make, gateway: LocalGateway, model: str) -> None:
    llm = make(model=model)
    gateway.reply("It is Al, who is 3.")
    agent = FunctionAgent(tools=[], llm=llm, output_cls=Person)
    output = await agent.run("Who?", memory=ChatMemoryBuffer.from_defaults(token_limit=10_000))
    assert isinstance(output.get_pydantic_model(Person), Person)
    assert len(gateway.requests) == 2
    await llm.aclose()


def test_a_query_engine_whose_llm_is_structured(make: Make, gateway: LocalGateway, global_settings: None) -> None:
    Settings.llm = make().as_structured_llm(Person)
    scripted(gateway, "json_schema", AL)
    engine = SummaryIndex.from_documents([Document(text="Al is 3.")]).as_query_engine()
    response: Any = engine.query("Who?")
    assert response.response == Person(name="Al", age=3)


def test_llamaindexs_own_programs_tell_of_a_failure(llm: OpenRouter, gateway: LocalGateway) -> None:
    """As of any other: by a ValueError."""
    gateway.reply("Sure!")
    with pytest.raises(ValueError, match="no tool call"):
        FunctionCallingProgram.from_defaults(Person, "Who is {who}?", llm=llm)(who="Al")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize("given", [{}, {"react_chat_formatter": None, "output_parser": None}])
async def test_a_model_without_tools_is_prompted_to_use_them(
    make: Make, gateway: LocalGateway, given: dict[str, Any], spans: SimpleSpanHandler
) -> None:
    gateway.reply('Thought: I add.\nAction: add\nAction Input: {"a": 1, "b": 2}', times=2)
    tools = [FunctionTool.from_defaults(add)]
    llm = make(is_function_calling_model=False)
    with llm:
        made = await asyncio.to_thread(llm.predict_and_call, tools, user_msg="1 + 2?", **given)
    assert str(made) == str(await llm.apredict_and_call(tools, user_msg="1 + 2?", **given)) == "3"
    assert "tools" not in gateway.requests[-1].body
    names = [span.id_.split("-")[0] for span in spans.completed_spans]
    assert names.count("OpenRouter.predict_and_call") == names.count("OpenRouter.apredict_and_call") == 3
    await llm.aclose()


REACTING = {
    "model": "a/b",
    "api_key": "sk-of-this-call",
    "extra_headers": {"X-Own": "header-secret"},
    "temperature": 0.5,
    "top_p": None,
    "provider": {"zdr": True},
    "additional_kwargs": {"top_k": 3},
    "tool_required": True,
}


async def test_options_of_a_call_count_where_a_model_without_tools_is_prompted(
    make: Make, gateway: LocalGateway
) -> None:
    gateway.reply('Thought: I add.\nAction: add\nAction Input: {"a": 1, "b": 2}', times=2)
    tools, before = [FunctionTool.from_defaults(add)], copy.deepcopy(REACTING)
    llm = make(is_function_calling_model=False, top_p=1, provider={"only": ["x"]}, additional_kwargs={"seed": 7})
    await asyncio.to_thread(llm.predict_and_call, tools, user_msg="1 + 2?", **REACTING)
    await llm.apredict_and_call(tools, user_msg="1 + 2?", **REACTING)
    assert len(gateway.requests) == 2
    for request in gateway.requests:
        assert (request.key, request.headers["x-own"]) == ("sk-of-this-call", "header-secret")
        options = {name: value for name, value in request.body.items() if name not in ("messages", "stream")}
        provider = {"only": ["x"], "zdr": True}
        assert options == {"model": "a/b", "temperature": 0.5, "top_k": 3, "seed": 7, "provider": provider}
    assert (before, llm.model, llm.additional_kwargs) == (REACTING, MODEL, {"seed": 7})
    llm.close()
    await llm.aclose()


def test_a_wrong_option_is_refused_where_a_model_without_tools_is_prompted(make: Make, gateway: LocalGateway) -> None:
    llm = make(is_function_calling_model=False)
    with pytest.raises(ValueError, match="temperature"):
        llm.predict_and_call([FunctionTool.from_defaults(add)], user_msg="1 + 2?", temperature="hot")
    assert not gateway.requests


@pytest.mark.parametrize("way", CHATS)
@pytest.mark.parametrize("given", [None, 3, "hello", [{"role": "user"}]])
async def test_a_structured_llm_refuses_what_is_no_conversation_and_no_prompt(
    llm: OpenRouter, gateway: LocalGateway, way: str, given: Any, events: list[Any], spans: SimpleSpanHandler
) -> None:
    if way.endswith("complete") and given == "hello":
        given = HELLO
    said = "prompt must be text" if way.endswith("complete") else "messages must be a list of ChatMessage"
    with pytest.raises(TypeError, match=said):
        result = getattr(llm.as_structured_llm(Person), way)(given)
        await result if asyncio.iscoroutine(result) else list(result)
    assert not (gateway.requests or events or spans.completed_spans or spans.dropped_spans)


def test_one_span_for_a_call_of_tools(llm: OpenRouter, gateway: LocalGateway, spans: SimpleSpanHandler) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2})])
    llm.predict_and_call([FunctionTool.from_defaults(add)], user_msg="1 + 2?")
    names = [span.id_.split("-")[0] for span in spans.completed_spans]
    assert names.count("OpenRouter.predict_and_call") == 1


def test_a_field_that_llamaindexs_partial_class_cannot_have(llm: OpenRouter, gateway: LocalGateway) -> None:
    class Odd(BaseModel):
        kind: Literal["a"] = Field(alias="model-kind")
        name: str

    scripted(gateway, "json_schema", {"model-kind": "a", "name": "Al"})
    *_, before, last = llm.stream_structured_predict(Odd, PROMPT)
    assert isinstance(last, Odd) and last.kind == "a" and before.name == "Al"


# ---------------------------------------------------------------------------------------------- odd models and classes

CHOOSES_ITSELF = "vendor/tools-but-no-choice"


@pytest.mark.parametrize(
    ("instance", "call", "mode"),
    [
        ({"model": CHOOSES_ITSELF}, {}, "text"),
        ({"models": [CHOOSES_ITSELF]}, {}, "text"),
        ({}, {"model": CHOOSES_ITSELF}, "text"),
        ({"model": CHOOSES_ITSELF}, ASK["tool"], "tool"),
    ],
)
def test_a_model_that_cannot_be_made_to_call(
    make: Make, gateway: LocalGateway, own_catalog: None, instance: dict[str, Any], call: dict[str, Any], mode: str
) -> None:
    catalog.load({"data": [{"id": CHOOSES_ITSELF, "supported_parameters": ["tools", "max_tokens"]}]})
    gateway.serve(CHOOSES_ITSELF)
    scripted(gateway, mode, AL)
    make(**instance).structured_predict(Person, PROMPT, {"require_parameters": False, **call})
    assert mode_of(gateway.requests[-1].body) == mode


@pytest.fixture
def own_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_models", catalog._known())


SEARCH = {"type": "openrouter:web_search"}


@pytest.mark.parametrize(
    ("instance", "call"),
    [
        ({"additional_kwargs": {"tools": [SEARCH]}}, {}),
        ({"extra_body": {"tools": [SEARCH]}}, {}),
        ({}, {"extra_body": {"tools": [SEARCH]}}),
        ({}, {"additional_kwargs": {"tools": [SEARCH]}}),
        ({"extra_body": {"tools": [{"type": "other"}]}}, {"tools": [SEARCH]}),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_server_tools_stay(
    make: Make, gateway: LocalGateway, instance: dict[str, Any], call: dict[str, Any], mode: str
) -> None:
    scripted(gateway, mode, AL)
    before = json.dumps(call)
    make(**instance).structured_predict(Person, PROMPT, {**ASK[mode], **call})
    tools = gateway.requests[-1].body["tools"]
    assert tools[-1] == SEARCH
    assert [tool["function"]["name"] for tool in tools[:-1]] == (["Person"] if mode == "tool" else [])
    assert gateway.requests[-1].body.get("tool_choice") == ("required" if mode == "tool" else None)
    assert json.dumps(call) == before


def test_server_tools_of_the_llm_can_be_left_out(make: Make, gateway: LocalGateway) -> None:
    scripted(gateway, "tool", AL)
    make(extra_body={"tools": [SEARCH]}).structured_predict(Person, PROMPT, {**ASK["tool"], "tools": None})
    assert len(gateway.requests[-1].body["tools"]) == 1


def test_a_format_of_the_llms_own_gives_way(make: Make, gateway: LocalGateway) -> None:
    for own in ("additional_kwargs", "extra_body"):
        llm = make(**{own: {"response_format": {"type": "json_object"}}})
        scripted(gateway, "tool", AL)
        llm.structured_predict(Person, PROMPT, ASK["tool"])
        assert "response_format" not in gateway.requests[-1].body
        scripted(gateway, "json_schema", AL)
        llm.structured_predict(Person, PROMPT, ASK["json_schema"])
        assert gateway.requests[-1].body["response_format"]["type"] == "json_schema"


def test_of_several_objects_among_words_the_one_that_fits(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(f'{{"name": "nobody"}} or {{}}? {TEXT}')
    assert llm.structured_predict(Person, PROMPT, ASK["text"]) == Person(name="Al", age=3)
    gateway.reply('See [1]: [{"name": "Graz"}] [2]')
    assert llm.structured_predict(Towns, PROMPT, ASK["text"]) == Towns([Town(name="Graz")])
    gateway.reply('{"name": "Al"} or {}?')
    with pytest.raises(StructuredOutputError, match="does not fit Person: age: Field required"):
        llm.structured_predict(Person, PROMPT, ASK["text"])


@pytest.mark.parametrize("before", ["\ufeff", "See [1]: ", "Here:\n```json\n"])
def test_objects_grow_after_words(llm: OpenRouter, gateway: LocalGateway, before: str) -> None:
    gateway.reply(chunks=[before, '{"name": "A', 'l", "age": 3}'])
    *partial, last = llm.stream_structured_predict(Person, PROMPT, ASK["text"])
    assert getattr(partial[0], "name", None) == "A" and last == Person(name="Al", age=3)


class LastName(BaseModel):
    name: str

    @computed_field
    def last(self) -> str:
        return self.name.split()[1]


class Price(BaseModel):
    price: str

    @field_serializer("price")
    def _as_money(self, price: str) -> str:
        return f"{float(price):.2f}"


class Renamed(BaseModel):
    the_name: str = Field(alias="theName")


class Hidden(BaseModel):
    name: str
    secret: str = Field(default="", exclude=True)


class Closed(BaseModel, extra="forbid"):
    name: str

    @computed_field
    def long(self) -> bool:
        return len(self.name) > 3


@pytest.mark.parametrize(
    ("output_cls", "said", "text"),
    [
        (LastName, {"name": "Ada Lovelace"}, {"name": "Ada Lovelace", "last": "Lovelace"}),
        (Price, {"price": "-1.5"}, {"price": "-1.5"}),
        (Renamed, {"theName": "Zo\xeb"}, {"theName": "Zo\xeb"}),
        (Hidden, {"name": "a", "secret": "b"}, {"name": "a", "secret": "b"}),
        (Closed, {"name": "Graz"}, {"name": "Graz"}),
    ],
)
@pytest.mark.parametrize("way", CHATS)
async def test_the_text_of_a_structured_llm_reads_back(
    llm: OpenRouter, gateway: LocalGateway, output_cls: type[BaseModel], said: Any, text: Any, way: str
) -> None:
    """A class that cannot be dumped while it is half there does not stop the stream."""
    scripted(gateway, "json_schema", said, chunk_size=1)
    *items, last = await chatted(llm.as_structured_llm(output_cls), way)
    content = last.text if way.endswith("complete") else last.message.content
    assert bool(items) is ("stream" in way)
    assert last.raw == output_cls.model_validate(said) == output_cls.model_validate_json(content)
    assert json.loads(content) == text
    assert all(json.loads(item.text if way.endswith("complete") else item.message.content) or True for item in items)


@pytest.mark.parametrize("output_cls", [Renamed, Hidden])
def test_a_query_engine_reads_the_object_back(
    make: Make, gateway: LocalGateway, global_settings: None, output_cls: type[BaseModel]
) -> None:
    said = {"theName": "Al", "name": "a", "secret": "b"}
    scripted(gateway, "json_schema", said)
    engine = SummaryIndex.from_documents([Document(text="Al is 3.")]).as_query_engine(
        llm=make().as_structured_llm(output_cls)
    )
    response: Any = engine.query("Who?")
    assert response.response == output_cls.model_validate(said)


async def test_a_structured_llm_lends_tools_and_other_classes(
    make: Make, gateway: LocalGateway, events: list[Any]
) -> None:
    sllm: Any = make().as_structured_llm(Person)
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2})], times=2)
    tools = [FunctionTool.from_defaults(add)]
    assert str(sllm.predict_and_call(tools, "1 + 2?")) == str(await sllm.apredict_and_call(tools, "1 + 2?")) == "3"
    scripted(gateway, "tool", AL)
    assert FunctionCallingProgram.from_defaults(Person, "Who?", llm=sllm)() == Person(name="Al", age=3)
    events.clear()
    scripted(gateway, "json_schema", {"name": "Graz"}, cost=0.5)
    response = sllm.as_structured_llm(Town).complete("Where?")
    assert (response.raw, response.additional_kwargs["cost"]) == (Town(name="Graz"), 0.5)
    assert [type(event).__name__ for event in events].count("LLMChatEndEvent") == 1
    await sllm.llm.aclose()


class Listed(OpenRouter):
    """Gives its streams as plain iterators."""

    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return iter(list(super().stream_chat(messages, **kwargs)))

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        items = [item async for item in await super().astream_chat(messages, **kwargs)]

        class Items:
            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> Any:
                if not items:
                    raise StopAsyncIteration
                return items.pop(0)

        return Items()


@pytest.mark.parametrize("way", WAYS[2:])
async def test_a_subclass_whose_streams_cannot_be_closed(gateway: LocalGateway, way: str) -> None:
    scripted(gateway, "json_schema", AL)
    llm = Listed(model=MODEL, base_url=gateway.base_url, api_key=KEY)
    with llm:
        assert (await predicted(llm, way))[-1] == Person(name="Al", age=3)


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_that_says_the_schema_itself(llm: OpenRouter, gateway: LocalGateway, mode: str) -> None:
    scripted(gateway, mode, AL)
    prompt = PromptTemplate("Who is {who}?", output_parser=PydanticOutputParser(Person))
    llm.structured_predict(Person, prompt, ASK[mode], who="Al")
    assert str(gateway.requests[-1].body["messages"]).count("JSON schema") == 1


def test_a_class_of_the_old_pydantic(llm: OpenRouter, gateway: LocalGateway) -> None:
    old: Any = type("Old", (pydantic.v1.BaseModel,), {"__annotations__": {"name": str}})
    with pytest.raises(TypeError, match=r"Old.* is no pydantic class: it is one of pydantic.v1, so derive it from"):
        llm.structured_predict(old, PROMPT)
    assert gateway.requests == []
