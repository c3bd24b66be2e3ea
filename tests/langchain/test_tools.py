"""Tools and tool choices on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.runnables import RunnableBinding
from langchain_core.tools import tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.langchain.tools import wire_tool, wire_tool_choice

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
        {"type": "brand_new", "x": 1},
    ],
)
def test_tools_of_the_wire_are_sent_as_they_are(given: dict[str, Any]) -> None:
    assert wire_tool(given) == given


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
        (False, None),
        (None, None),
    ],
)
def test_choices(choice: Any, expected: Any) -> None:
    assert wire_tool_choice(choice, [wire_tool(weather)]) == expected


def test_any_of_several() -> None:
    assert wire_tool_choice(True, [wire_tool(weather), wire_tool(plain)]) == "required"


def test_a_tool_that_is_not_there(model: ChatOpenRouter) -> None:
    with pytest.raises(ValueError, match=r"tool_choice='nothing'.*'weather'"):
        model.bind_tools([weather], tool_choice="nothing")


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
