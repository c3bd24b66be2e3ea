"""Items of a stream: what they carry, that they stay as they are, what they cost, and how a stream is left."""

import asyncio
import gc
import inspect
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import ChatResponse, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from openrouter_adapters import OpenRouterError
from openrouter_adapters.core.stream import Delta
from openrouter_adapters.core.tool_calls import ToolCallDelta
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter, filled
from openrouter_adapters.llamaindex.answers import Asked
from openrouter_adapters.llamaindex.progress import Progress

from ..leaving import LOOP_ENDED_QUIETLY, loop_ends
from .leaving import LEAVES, left

HELLO = [ChatMessage("hello")]
LONG = ["word "] * 400


# ---------------------------------------------------------------------------------------------------------- items


def test_text_arrives_piece_by_piece(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=["Hel", "lo", "!"])
    *items, last = llm.stream_chat(HELLO)
    assert [item.delta for item in items] == ["Hel", "lo", "!"]
    assert [item.message.content for item in items] == ["Hel", "Hello", "Hello!"]
    assert {item.raw for item in items} == {None}
    assert (last.delta, last.message.content) == ("", "Hello!")
    assert last.additional_kwargs["cost"] == last.raw.usage.cost


def test_thinking_arrives_piece_by_piece(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=[{"content": "", "reasoning": "Let "}, {"content": None, "reasoning": "me"}, "so"])
    first, second, third, last = llm.stream_chat(HELLO)
    assert [item.additional_kwargs for item in (first, second, third)] == [
        {"thinking_delta": "Let "},
        {"thinking_delta": "me"},
        {},
    ]
    assert [item.delta for item in (first, second, third)] == ["", "", "so"]
    assert [block.block_type for block in third.message.blocks] == ["thinking", "text"]
    assert [item.message.blocks[0].content for item in (first, second, third, last)] == [
        "Let ",
        "Let me",
        "Let me",
        "Let me",
    ]


def test_tool_calls_arrive_piece_by_piece(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(
        chunks=[
            {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "add", "arguments": ""}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": '}}]},
            {"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "add", "arguments": "{}"}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
        ]
    )
    *items, last = llm.stream_chat(HELLO)
    texts = [[c["function"]["arguments"] for c in item.message.additional_kwargs["tool_calls"]] for item in items]
    assert texts == [[""], ['{"a": '], ['{"a": ', "{}"], ['{"a": 1}', "{}"]]
    assert [block.tool_kwargs for block in items[2].message.blocks[1:]] == ['{"a": ', "{}"]
    assert [block.tool_kwargs for block in last.message.blocks[1:]] == [{"a": 1}, {}]


def test_streams_are_generators(llm: OpenRouter) -> None:
    assert inspect.isgenerator(llm.stream_chat(HELLO)) and inspect.isgenerator(llm.stream_complete("hello"))


async def test_async_streams(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=[{"content": None, "reasoning": "hm"}, "so", "!"], times=2)
    chat, completion = await llm.astream_chat(HELLO), await llm.astream_complete("hello")
    assert inspect.isasyncgen(chat) and inspect.isasyncgen(completion)
    items = [item async for item in chat]
    assert [item.delta for item in items] == ["", "so", "!", ""]
    assert items[0].additional_kwargs == {"thinking_delta": "hm"}
    assert [item.text async for item in completion] == ["", "so", "so!", "so!"]
    assert (await llm.achat(HELLO)).message.content == (await llm.acomplete("hello")).text


@given(st.data())
def test_filled_objects_are_what_constructors_make(data: st.DataObject) -> None:
    text = st.text(max_size=8)
    words, delta, thought, arguments = (data.draw(text) for _ in range(4))
    both = []
    for make in (filled.filled, filled.constructed):
        before, after = [filled.thinking(make, thought)], [filled.tool_call(make, "c", words, arguments)]
        both.append(filled.item(make, words, delta, before, after, {"tool_calls": [{"id": "c"}]}, {"x": 1}, None))
    one, other = both
    assert one == other
    assert one.model_dump() == other.model_dump() and one.model_dump_json() == other.model_dump_json()
    for a, b in zip(
        [one, one.message, *one.message.blocks], [other, other.message, *other.message.blocks], strict=True
    ):
        assert type(a) is type(b) and a.model_fields_set == b.model_fields_set and list(vars(a)) == list(vars(b))
        assert a.model_copy(deep=True) == b
    assert ChatResponse.model_validate(one.model_dump()) == other


def test_filling_works_here_and_has_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert filled.maker() is filled.filled
    monkeypatch.setattr(filled, "filled", lambda cls, fields, given: cls.model_construct())
    assert filled.maker.__wrapped__() is filled.constructed


# ----------------------------------------------------------------------------------------------------------- costs


def calls_per_item(progress: Progress, delta: Delta) -> float:
    counted: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, arg: counted.update([event]))
    try:
        for _ in range(100):
            progress.item(delta)
    finally:
        sys.setprofile(None)
    return (counted["call"] + counted["c_call"]) / 100


@pytest.mark.parametrize(
    ("delta", "most"),
    [
        (Delta("word "), 9),
        (Delta(reasoning="hm "), 13),
        (Delta(tool_calls=[ToolCallDelta(0, None, None, "x")]), 20),
    ],
)
def test_an_item_costs_few_calls(delta: Delta, most: int) -> None:
    progress = Progress(Asked())
    progress.item(Delta(tool_calls=[ToolCallDelta(0, "c", "f", "{")]) if delta.tool_calls else Delta("a"))
    early = calls_per_item(progress, delta)
    for _ in range(2000):
        progress.item(delta)
    assert calls_per_item(progress, delta) == early <= most


# -------------------------------------------------------------------------------------------------------- leaving


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_leaving_a_stream_closes_its_connection(
    llm: OpenRouter, gateway: LocalGateway, leave: Any, method: str
) -> None:
    gateway.reply(chunks=LONG, delay=0.01)
    gc.disable()
    try:
        leave(getattr(llm, method)(HELLO if "chat" in method else "hello"))
        assert left(gateway, len(LONG))
    finally:
        gc.enable()


def test_closing_does_not_wait_for_who_keeps_the_exception(
    llm: OpenRouter, gateway: LocalGateway, events: list[Any]
) -> None:
    gateway.reply(chunks=LONG, delay=0.01)
    stream = llm.stream_chat(HELLO)
    next(stream)
    stream.close()
    assert left(gateway, len(LONG))
    assert type(events[-1]).__name__ == "ExceptionEvent"  # it holds on to the frames of the stream


@pytest.mark.parametrize("method", ["astream_chat", "astream_complete"])
async def test_leaving_an_async_stream(llm: OpenRouter, gateway: LocalGateway, method: str, events: list[Any]) -> None:
    gateway.reply(chunks=LONG, delay=0.01)
    stream = await getattr(llm, method)(HELLO if "chat" in method else "hello")
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(left, gateway, len(LONG))
    await llm.aclose()


class Person(BaseModel):
    name: str


ASYNC_STREAMS: dict[str, Callable[[OpenRouter], Any]] = {
    "chat": lambda llm: llm.astream_chat(HELLO),
    "complete": lambda llm: llm.astream_complete("hello"),
    "tools": lambda llm: llm.astream_chat_with_tools([], "hello"),
    "structured": lambda llm: llm.astream_structured_predict(
        Person, PromptTemplate("Who?"), {"pydantic_program_mode": "llm"}
    ),
    "structured chat": lambda llm: llm.as_structured_llm(Person).astream_chat(HELLO, pydantic_program_mode="llm"),
    "structured complete": lambda llm: llm.as_structured_llm(Person).astream_complete(
        "hello", pydantic_program_mode="llm"
    ),
}


@pytest.mark.parametrize("kind", ASYNC_STREAMS)
def test_a_stream_that_outlives_its_loop_is_closed(llm: OpenRouter, gateway: LocalGateway, kind: str) -> None:
    gateway.reply(chunks=['{"name": "', *LONG], delay=0.01)
    held: list[Any] = []

    async def leave() -> None:
        held.append(await ASYNC_STREAMS[kind](llm))
        await anext(held[0])

    asyncio.run(leave())
    assert left(gateway, len(LONG))


async def test_what_is_thrown_into_a_stream_closes_it(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=LONG, delay=0.01)
    stream = await llm.astream_chat(HELLO)
    await anext(stream)
    with pytest.raises(KeyError):
        await stream.athrow(KeyError("a"))
    assert await asyncio.to_thread(left, gateway, len(LONG))
    assert [item async for item in stream] == []
    await llm.aclose()


async def test_cancelling_a_task(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=LONG, delay=0.01)
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in await llm.astream_chat(HELLO):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(left, gateway, len(LONG))
    await llm.aclose()


def test_a_stream_that_is_never_read_asks_nothing(llm: OpenRouter, gateway: LocalGateway) -> None:
    llm.stream_chat(HELLO).close()
    assert gateway.requests == []


def test_trouble_on_the_way_keeps_what_came(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=["Hel", "lo"])
    gateway.fault("error_chunk", after=2)
    seen = []
    with pytest.raises(OpenRouterError) as caught:
        for item in llm.stream_chat(HELLO):
            seen.append(item.delta)
    assert caught.value.partial is not None and caught.value.partial.text == "".join(seen)


def test_one_model_in_many_loops(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    llm = make()
    for count in (1, 2, 3):
        asyncio.run(_once(llm))
        assert len(gateway.requests) == count


async def _once(llm: OpenRouter) -> None:
    assert (await llm.achat(HELLO)).message.content
    await llm.aclose()


def test_blocks_are_the_real_classes() -> None:
    progress = Progress(Asked())
    item = progress.item(Delta("a", "b", [ToolCallDelta(0, "c", "f", "{")]))
    assert [type(block) for block in item.message.blocks] == [ThinkingBlock, TextBlock, ToolCallBlock]


def test_a_loop_that_ends_with_a_stream_is_quiet() -> None:
    given = "from openrouter_adapters.llamaindex import OpenRouter", "OpenRouter", 'await model.astream_complete("hi")'
    assert loop_ends(*given) == LOOP_ENDED_QUIETLY
