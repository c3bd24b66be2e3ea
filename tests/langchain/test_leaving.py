"""Streams of a chat model that are left early: by whom, how, and that the server sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter

from ..leaving import ASYNC_LEAVES, LEAVES, LOOP_ENDED_QUIETLY, left_early, loop_ends

Make = Callable[..., ChatOpenRouter]

METHODS = ("function_calling", "json_schema", "json_mode")
WORDS = ["word "] * 300


class Person(BaseModel):
    name: str = ""


class Ends(BaseCallbackHandler):
    """What the chain and its parser are said to have given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def on_chain_end(self, outputs: Any, **_: Any) -> None:
        self.given.append(outputs)


def answering(gateway: LocalGateway, method: str) -> None:
    """A long answer, slowly."""
    if method == "function_calling":
        head: dict[str, Any] = {"index": 0, "id": "c1", "function": {"name": "Person", "arguments": '{"name": "'}}
        calls = [head, *({"index": 0, "function": {"arguments": word}} for word in WORDS)]
        gateway.reply(chunks=[{"tool_calls": [call]} for call in calls], delay=0.01)
    else:
        gateway.reply(chunks=['{"name": "', *WORDS], delay=0.01)


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("include_raw", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_leaving_objects_on_the_way_leaves_the_answer(
    make: Make, openrouter_gateway: LocalGateway, method: Any, include_raw: bool, leave: Callable[[Any], None]
) -> None:
    """LangChain would read the answer to its end, for its traces."""
    answering(openrouter_gateway, method)
    objects = make().with_structured_output(Person, method=method, include_raw=include_raw)
    leave(objects.stream("hi", {"callbacks": [heard := Ends()]}))
    assert left_early(openrouter_gateway)
    assert len(heard.given) == 2, "the traces are told all the same"


@pytest.mark.parametrize("leave", ASYNC_LEAVES)
@pytest.mark.parametrize("method", METHODS)
async def test_leaving_objects_on_the_way_leaves_the_answer_async(
    make: Make, openrouter_gateway: LocalGateway, method: Any, leave: Callable[[Any], Any]
) -> None:
    answering(openrouter_gateway, method)
    model = make()
    await leave(model.with_structured_output(Person, method=method).astream("hi"))
    assert await asyncio.to_thread(left_early, openrouter_gateway)
    await model.aclose()


def test_objects_of_anything_that_can_be_iterated(make: Make) -> None:
    parser: Any = make().with_structured_output(Person, method="json_schema").last  # type: ignore[attr-defined]
    assert [*parser.transform([AIMessage('{"name": "Ada"}')])] == [Person(name="Ada")]
    assert next(parser.transform(iter([AIMessage('{"name": "Ada"}')]))) == Person(name="Ada")


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("options", [{}, {"stall_timeout": 5.0}], ids=["plain", "stall_timeout"])
def test_leaving_a_stream(
    make: Make, openrouter_gateway: LocalGateway, leave: Callable[[Any], None], options: dict[str, Any]
) -> None:
    answering(openrouter_gateway, "text")
    leave(make(**options).stream("hi"))
    assert left_early(openrouter_gateway)


def test_a_loop_that_ends_with_a_stream_is_quiet() -> None:
    given = "from openrouter_adapters.langchain import ChatOpenRouter", "ChatOpenRouter", 'model.astream("hi")'
    assert loop_ends(*given) == LOOP_ENDED_QUIETLY
