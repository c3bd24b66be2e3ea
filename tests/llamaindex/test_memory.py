"""Memories in JSON and SQL, and contexts of workflows: what is taken up again is sent as if it had never been put away.

The measure is the next request as the gateway received it: byte for byte the one that the messages themselves give.
"""

import asyncio
import contextlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock
from llama_index.core.memory import ChatMemoryBuffer, ChatSummaryMemoryBuffer, Memory
from llama_index.core.storage.chat_store import SimpleChatStore
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent, JsonSerializer
from pydantic_core import PydanticSerializationError
from workflows.errors import WorkflowCancelledByUser

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from ..vendors import ANSWERS, events, replayed, whole
from .conftest import PNG_URL
from .runs import OF_THE_ENGINE, QUESTION, memory, ran, results, sent, weather

pytestmark = OF_THE_ENGINE

Make = Callable[..., OpenRouter]
CITED = {"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "E", "start_index": 0}}
SCANNED = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo/" * 20_000}}
PARSED = {"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": [{"type": "text", "text": "A"}, SCANNED]}}
# What an answer can carry beside reasoning and calls.
RICH: dict[str, Any] = {
    "text": "See.\n",
    "reasoning": "Hm.",
    "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0}],
    "images": [PNG_URL],
    "annotations": [CITED, PARSED],
}
# Core hands its serializer something that pydantic refuses since then: https://github.com/pydantic/pydantic/pull/13506
broken_store = pytest.mark.xfail(
    tuple(int(part) for part in pydantic.VERSION.split(".")[:2]) >= (2, 14),
    reason="llama-index-core cannot write a SimpleChatStore down with pydantic 2.14",
    raises=PydanticSerializationError,
)


def as_dicts(messages: list[ChatMessage], _: Path) -> list[ChatMessage]:
    return [ChatMessage.model_validate(json.loads(message.model_dump_json())) for message in messages]


def as_json(messages: list[ChatMessage], _: Path) -> list[ChatMessage]:
    return [ChatMessage.model_validate_json(message.model_dump_json()) for message in messages]


def as_pickles(messages: list[ChatMessage], _: Path) -> list[ChatMessage]:
    kept: list[ChatMessage] = pickle.loads(pickle.dumps(messages))
    return kept


def as_string(messages: list[ChatMessage], _: Path) -> list[ChatMessage]:
    kept = memory()
    kept.put_messages(messages)
    return ChatMemoryBuffer.from_string(kept.to_string()).get()


def as_file(messages: list[ChatMessage], folder: Path) -> list[ChatMessage]:
    store = SimpleChatStore()
    store.set_messages("me", messages)
    store.persist(str(folder / "chat.json"))
    taken_up = SimpleChatStore.from_persist_path(str(folder / "chat.json"))
    return ChatMemoryBuffer.from_defaults(token_limit=100_000, chat_store=taken_up, chat_store_key="me").get()


def in_sql(messages: list[ChatMessage], folder: Path) -> list[ChatMessage]:
    async def through() -> list[ChatMessage]:
        place = f"sqlite+aiosqlite:///{folder / 'chat.db'}"
        before = Memory.from_defaults(session_id="me", token_limit=100_000, async_database_uri=place)
        await before.aput_messages(messages)
        await disposed(before)
        after = Memory.from_defaults(session_id="me", token_limit=100_000, async_database_uri=place)
        found = await after.aget()
        await disposed(after)
        return found

    return asyncio.run(through())


async def disposed(kept: Memory) -> None:
    """Close the database of a memory; it does not do so itself."""
    await kept.sql_store._async_engine.dispose()  # type: ignore[attr-defined]


WAYS: dict[str, Any] = {
    "dicts": as_dicts,
    "json": as_json,
    "pickle": as_pickles,
    "sql": in_sql,
    "memory, a string": as_string,
    "store, a file": as_file,
}
every_way = pytest.mark.parametrize(
    "way", [pytest.param(way, marks=broken_store) if "," in way else way for way in WAYS]
)


def answered(llm: OpenRouter, streamed: bool) -> ChatMessage:
    asked: dict[str, Any] = {"messages": [ChatMessage(QUESTION)]}
    return list(llm.stream_chat(**asked))[-1].message if streamed else llm.chat(**asked).message


def resent(llm: OpenRouter, gateway: LocalGateway, messages: list[ChatMessage]) -> str:
    """The next request's messages."""
    llm.chat(messages)
    return json.dumps(sent(gateway))


@every_way
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("answer", [*ANSWERS, "rich"])
def test_what_is_taken_up_again_is_sent_as_it_was(
    answer: str, streamed: bool, way: str, make: Make, gateway: LocalGateway, tmp_path: Path
) -> None:
    name, message = ANSWERS.get(answer, ("anthropic/claude-sonnet-4.5", {}))
    gateway.reply(**({"body": whole(message), "events": events(message)} if message else RICH))
    llm = make(model=name)
    said = answered(llm, streamed)
    calls = [
        ChatMessage(role="tool", content="sunny", additional_kwargs={"tool_call_id": call["id"]})
        for call in message.get("tool_calls", ())
    ]
    talk = [ChatMessage(QUESTION), said, *calls, ChatMessage("Thanks")]
    assert resent(llm, gateway, WAYS[way](talk, tmp_path)) == resent(llm, gateway, talk)
    kept = sent(gateway)[1]
    if message:
        assert kept == replayed(message)
    else:
        assert (kept["content"], kept["reasoning_details"]) == (RICH["text"], RICH["reasoning_details"])
        assert kept["annotations"] == [PARSED] and kept["images"][0]["image_url"]["url"] == PNG_URL


# ------------------------------------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_what_goes_along_unseen_does_not_make_a_memory_forget(
    streamed: bool, llm: OpenRouter, gateway: LocalGateway
) -> None:
    gateway.reply(**RICH)
    said = answered(llm, streamed)
    estimated = Memory.from_defaults(token_limit=30_000)._estimate_token_count(said)
    assert estimated < 400  # of which 256 are LlamaIndex's own guess for a picture


@pytest.mark.parametrize("answer", ANSWERS)
def test_calls_are_not_estimated_as_more_than_they_are(answer: str, make: Make, gateway: LocalGateway) -> None:
    name, message = ANSWERS[answer]
    gateway.reply(body=whole(message))
    said = answered(make(model=name), streamed=False)
    estimate = Memory.from_defaults(token_limit=30_000)._estimate_token_count(said)
    assert estimate <= 60 * len(message["tool_calls"]) + 20


# ------------------------------------------------------------------------------------------------ agents that remember


@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_agent_takes_up_what_another_began(
    answer: str, streaming: bool, make: Make, gateway: LocalGateway, tmp_path: Path
) -> None:
    name, message = ANSWERS[answer]
    gateway.reply(body=whole(message), events=events(message))
    gateway.reply("Sunny in both.")
    place = f"sqlite+aiosqlite:///{tmp_path / 'chat.db'}"
    for words in (QUESTION, "Thanks"):
        kept = Memory.from_defaults(session_id="me", token_limit=100_000, async_database_uri=place)
        agent = FunctionAgent(tools=[weather], llm=make(model=name), streaming=streaming)
        await ran(agent, words, memory=kept)
        await disposed(kept)
    question, said, *told, answer_, thanks = sent(gateway)
    assert (question["content"], thanks["content"]) == (QUESTION, "Thanks")
    assert said == replayed(message)
    assert sorted(told, key=str) == sorted(results(message), key=str)
    assert answer_ == {"role": "assistant", "content": "Sunny in both."}


async def approve(ctx: Context, city: str, days: float = 1) -> str:
    """The weather in a city, if somebody agrees."""
    said = await ctx.wait_for_event(HumanResponseEvent, waiter_event=InputRequiredEvent(prefix=city))
    return f"{said.response} in {city}"


@pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key")  # a memory's tokenizer
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("answer", ["anthropic", "anthropic, redacted", "openai, shared index", "unknown things"])
async def test_a_run_that_waits_for_somebody_goes_on_elsewhere(
    answer: str, streaming: bool, make: Make, gateway: LocalGateway
) -> None:
    name, message = ANSWERS[answer]
    gateway.reply(body=whole(message), events=events(message))
    gateway.reply("Sunny.")
    kept = memory()

    def agent() -> FunctionAgent:
        tool = FunctionTool.from_defaults(approve, name="weather")
        return FunctionAgent(tools=[tool], llm=make(model=name), streaming=streaming)

    first = agent()
    handler = first.run(QUESTION, memory=kept)
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            break
    written = json.dumps(handler.ctx.to_dict(serializer=JsonSerializer()))
    await handler.cancel_run()
    with contextlib.suppress(WorkflowCancelledByUser):
        await handler
    await first.llm.aclose()

    second = agent()
    ctx: Context[Any] = Context.from_dict(second, json.loads(written), serializer=JsonSerializer())
    again = second.run(ctx=ctx)
    await again.ctx.store.set("memory", kept)
    again.ctx.send_event(HumanResponseEvent(response="sunny"))
    assert str(await again) == "Sunny."
    await second.llm.aclose()
    assert len(gateway.requests) == 2
    assert sent(gateway)[-2:] == [replayed(message), *results(message)]


# -------------------------------------------------------------------------------------------------------- summaries


def test_a_summary_is_asked_of_the_model_and_what_is_recent_stays_whole(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(**RICH)
    said = answered(llm, streamed=False)
    gateway.reply("They spoke of rain.")
    kept = ChatSummaryMemoryBuffer.from_defaults(llm=llm, token_limit=40)
    kept.put_messages([ChatMessage("rain " * 60), ChatMessage(role="assistant", content="It rains."), ChatMessage("?")])
    kept.put_messages([said, ChatMessage("Thanks")])
    found = kept.get()
    assert found[0].content == "They spoke of rain." and len(gateway.requests) == 2
    [thought] = [block for message in found for block in message.blocks if isinstance(block, ThinkingBlock)]
    assert thought.additional_information["reasoning_details"] == RICH["reasoning_details"]
