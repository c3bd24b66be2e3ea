"""Tools and tool choices on the wire."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Annotated, Any, Required

import pytest
from langchain.tools import ToolRuntime
from langchain_core.runnables import RunnableBinding, RunnableLambda
from langchain_core.tools import InjectedToolArg, tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from openrouter_adapters.core.tools import wire_tool_choice
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.langchain.tools import wire_tool

CACHE = {"type": "ephemeral"}


class Look(BaseModel):
    """Look at something."""

    at: str


class Find(TypedDict):
    """Find something."""

    what: str


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return city


def plain(city: str) -> str:
    """A plain function."""
    return city


SCHEMA = {"title": "Made", "type": "object", "description": "d", "properties": {"a": {"type": "string"}}}
ANTHROPIC = {"name": "pick", "description": "d", "input_schema": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(
    ("given", "name"),
    [(weather, "weather"), (plain, "plain"), (Look, "Look"), (Find, "Find"), (SCHEMA, "Made"), (ANTHROPIC, "pick")],
)
def test_functions_in_every_form(given: Any, name: str) -> None:
    made = wire_tool(given)
    assert made["type"] == "function"
    assert made["function"]["name"] == name
    assert made["function"]["parameters"]["type"] == "object"
    assert "strict" not in made["function"]
    assert wire_tool(given, strict=True)["function"]["strict"] is True


@pytest.mark.parametrize(
    "given",
    [
        {"type": "openrouter:web_search", "parameters": {"max_results": 3}},
        {"type": "function", "function": {"name": "f"}, "cache_control": CACHE},
        {"type": "web_search"},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "custom", "custom": {"name": "f"}},
        {"type": "brand_new", "x": 1},
    ],
)
def test_tools_of_the_wire_are_sent_as_they_are(given: dict[str, Any]) -> None:
    assert wire_tool(given) == given


FLAT = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": None}


def test_a_flat_function_goes_where_the_wire_has_it(model: ChatOpenRouter, sent: Callable[[], dict[str, Any]]) -> None:
    before = copy.deepcopy(FLAT)
    whole = {"name": "f", "description": "d", "parameters": SCHEMA}
    assert wire_tool({**FLAT, "cache_control": CACHE}) == {
        "type": "function",
        "function": whole,
        "cache_control": CACHE,
    }
    assert wire_tool({**FLAT, "strict": False}, strict=True)["function"] == {**whole, "strict": False}
    assert wire_tool(FLAT, strict=True)["function"]["strict"] is True
    for bound, call in (
        (model.bind_tools([FLAT], tool_choice="f"), {}),
        (model, {"tools": [FLAT], "tool_choice": "f"}),
    ):
        bound.invoke("hi", **call)
        assert sent()["tools"] == [{"type": "function", "function": whole}]
        assert sent()["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert before == FLAT


class Tree(BaseModel):
    """A tree."""

    size: int
    parts: dict[str, int] = {}
    branches: list[Tree] = []


class Loose(TypedDict, total=False):
    """Loose.

    Args:
        may: what may be
    """

    may: int | None
    must: Required[Annotated[str, ..., "what must be"]]


@tool
def optional(city: str, days: int = 3, hour: int | None = None) -> str:
    """The weather to come."""
    return city


@tool
def now() -> str:
    """The time."""
    return ""


@tool
def mine(city: str, user: Annotated[str, InjectedToolArg], runtime: ToolRuntime) -> str:
    """The weather, for somebody."""
    return city


@tool(args_schema=Tree)
def grow(**_: Any) -> str:
    """Grow a tree."""
    return ""


def parameters(given: Any, strict: bool | None = None) -> Any:
    return wire_tool(given, strict=strict)["function"]["parameters"]


def test_strict_is_strict() -> None:
    made = parameters(optional, True)
    assert made["required"] == ["city", "days", "hour"]
    assert made["additionalProperties"] is False
    assert "default" not in str(made)
    assert parameters(optional)["required"] == ["city"]
    assert parameters(now, True) == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    assert parameters({"name": "bare"}, True) == parameters(now, True)
    told = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    before = copy.deepcopy(told)
    assert parameters(told, True)["required"] == ["a"]
    itself = {"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": False}}
    assert wire_tool(itself, strict=True) == itself
    assert told == before


def test_a_schema_that_contains_itself_keeps_its_parts() -> None:
    for given in (Tree, grow):
        made = wire_tool(given)["function"]
        assert made["parameters"]["properties"]["branches"]["items"] == {"$ref": "#/$defs/Tree"}
        assert "size" in made["parameters"]["$defs"]["Tree"]["properties"]
    assert wire_tool(grow)["function"]["name"] == "grow"
    assert wire_tool(grow)["function"]["description"] == "Grow a tree."


def test_typed_dicts_say_what_may_be_left_out_or_none() -> None:
    made = wire_tool(Loose)["function"]
    assert made["description"] == "Loose."
    assert made["parameters"]["required"] == ["must"]
    assert made["parameters"]["properties"]["must"]["description"] == "what must be"
    may = made["parameters"]["properties"]["may"]
    assert (may["anyOf"], may["description"]) == ([{"type": "integer"}, {"type": "null"}], "what may be")


def test_what_langchain_fills_in_is_not_shown() -> None:
    assert list(parameters(mine)["properties"]) == ["city"]


@pytest.mark.filterwarnings("ignore:.*in beta")
def test_runnables_as_tools() -> None:
    made = wire_tool(RunnableLambda(lambda given: given["a"]).as_tool(name="r", description="d", arg_types={"a": int}))
    assert made["function"]["name"] == "r"
    assert made["function"]["parameters"]["properties"]["a"]["type"] == "integer"


def test_extras_stand_beside_the_function() -> None:
    extras = {"cache_control": CACHE, "defer_loading": True}
    assert wire_tool(weather.model_copy(update={"extras": extras})) == {**wire_tool(weather), **extras}
    assert wire_tool({**ANTHROPIC, "type": "custom", **extras}) == {**wire_tool(ANTHROPIC), **extras}
    assert "cache_control" not in str(parameters({**SCHEMA, "cache_control": CACHE}))


def test_cache_control_is_kept() -> None:
    assert wire_tool({**ANTHROPIC, "cache_control": CACHE})["cache_control"] == CACHE
    cached = weather.model_copy(update={"extras": {"cache_control": CACHE}})
    assert wire_tool(cached)["cache_control"] == CACHE


NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        ("weather", NAMED),
        (True, NAMED),
        (NAMED, NAMED),
        ({"type": "function", "name": "weather"}, NAMED),
        ({"type": "tool", "name": "weather"}, NAMED),
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "brand_new", "name": "x"}, {"type": "brand_new", "name": "x"}),
        (False, None),
        (None, None),
    ],
)
def test_choices(choice: Any, expected: Any) -> None:
    assert wire_tool_choice(choice, [wire_tool(weather)]) == expected


def test_a_server_tool_can_be_chosen() -> None:
    tools = [wire_tool(weather), {"type": "openrouter:web_search"}]
    assert wire_tool_choice("openrouter:web_search", tools) == {"type": "openrouter:web_search"}
    assert wire_tool_choice(True, tools[1:]) == {"type": "openrouter:web_search"}


def test_choices_without_tools() -> None:
    assert wire_tool_choice("auto", []) is None
    assert wire_tool_choice("none", []) is None
    for choice in ("any", True):
        with pytest.raises(ValueError, match="no such tool"):
            wire_tool_choice(choice, [])


def test_any_of_several() -> None:
    assert wire_tool_choice(True, [wire_tool(weather), wire_tool(plain)]) == "required"


@pytest.mark.parametrize(
    ("choice", "expected"), [({"type": "any"}, "required"), ({"type": "tool", "name": "weather"}, NAMED)]
)
def test_a_choice_of_anthropics_form_may_say_one_at_a_time(
    model: ChatOpenRouter, sent: Callable[[], dict[str, Any]], choice: dict[str, Any], expected: Any
) -> None:
    choice = {**choice, "disable_parallel_tool_use": True}
    bound = model.bind_tools([weather], tool_choice=choice)
    for asked, call in ((bound, {}), (model, {"tools": [weather], "tool_choice": choice})):
        asked.invoke("hi", **call)
        assert (sent()["tool_choice"], sent()["parallel_tool_calls"]) == (expected, False)
    model.bind_tools([weather], tool_choice=choice, parallel_tool_calls=True).invoke("hi")
    assert sent()["parallel_tool_calls"] is True
    model.bind_tools([weather]).invoke("hi", tool_choice=choice)
    assert sent()["tool_choice"] == expected


def test_a_tool_that_is_not_there(model: ChatOpenRouter) -> None:
    with pytest.raises(ValueError, match=r"tool_choice='nothing'.*'weather'"):
        model.bind_tools([weather], tool_choice="nothing")
    with pytest.raises(ValueError, match=r"'nothing'.*no such tool.*'weather'"):
        model.bind_tools([weather], tool_choice={"type": "function", "function": {"name": "nothing"}})
    with pytest.raises(ValueError, match=r"'nothing'.*no such tool.*'weather'"):
        model.bind_tools([weather], tool_choice={"type": "tool", "name": "nothing"})


def test_what_is_sent(model: ChatOpenRouter, sent: Callable[[], dict[str, Any]]) -> None:
    bound = model.bind_tools(
        [weather, {"type": "openrouter:datetime"}], tool_choice="any", parallel_tool_calls=False, seed=3
    )
    assert isinstance(bound, RunnableBinding)
    bound.invoke("hi")
    body = sent()
    assert [item["type"] for item in body["tools"]] == ["function", "openrouter:datetime"]
    assert (body["tool_choice"], body["parallel_tool_calls"], body["seed"]) == ("required", False, 3)


def test_no_empty_list_of_tools(model: ChatOpenRouter, sent: Callable[[], dict[str, Any]]) -> None:
    model.bind_tools([], response_format={"type": "json_object"}).invoke("hi")
    assert "tools" not in sent()
    assert sent()["response_format"] == {"type": "json_object"}
    model.invoke("hi", tools=[])
    assert "tools" not in sent()
