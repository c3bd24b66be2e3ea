"""What the cost handlers count, held against what the gateway says it charged, to the last digit."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from llama_index.core import Document, PromptTemplate, Settings, SummaryIndex, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.dispatcher import instrument_tags
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index.core.llms import ChatMessage, ChatResponse, CompletionResponse, MockLLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from openrouter_adapters import APITimeoutError, OpenRouterError, RateLimitError
from openrouter_adapters.core.records import Costs, Tokens
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import (
    OpenRouter,
    OpenRouterCostCallbackHandler,
    OpenRouterCostHandler,
    OpenRouterEmbedding,
    OpenRouterRerank,
)
from openrouter_adapters.llamaindex.raw import Raw, raw

from ..making import making
from .conftest import KEY, MODEL, PNG
from .leaving import LEAVES
from .runs import OF_THE_ENGINE, QUESTION, memory, ran, weather

pytestmark = OF_THE_ENGINE

HELLO = [ChatMessage("hello")]
PROMPT = PromptTemplate("Who is {who}?")
TEXTS = ["Lima is in Peru.", "Paris is in France.", "Athens is old."]
METHODS = [f"{way}{kind}" for kind in ("chat", "complete") for way in ("", "a", "stream_", "astream_")]
PAID = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12, "cost": 0.25}
BROKE_OFF = {"error": {"code": 502, "message": "broke off"}, "usage": PAID}

Make = Callable[..., OpenRouter]


class Person(BaseModel):
    name: str


@pytest.fixture
def costs() -> Iterator[OpenRouterCostHandler]:
    """A handler that hears of every event."""
    with OpenRouterCostHandler() as handler:
        yield handler


@pytest.fixture
def heard() -> OpenRouterCostCallbackHandler:
    return OpenRouterCostCallbackHandler()


@pytest.fixture
def everywhere(heard: OpenRouterCostCallbackHandler, global_settings: None) -> None:
    """Indices and engines give their models the callback manager of the Settings."""
    Settings.callback_manager = CallbackManager([heard])


@pytest.fixture
def llm(make: Make, heard: OpenRouterCostCallbackHandler) -> OpenRouter:
    """An LLM whose callback manager has a handler too."""
    return make(callback_manager=CallbackManager([heard]))


@pytest.fixture
def embedding(gateway: LocalGateway, heard: OpenRouterCostCallbackHandler) -> Iterator[OpenRouterEmbedding]:
    with making(OpenRouterEmbedding, gateway, model="openai/text-embedding-3-small", api_key=KEY) as make:
        yield make(callback_manager=CallbackManager([heard]), embed_batch_size=2)


@pytest.fixture
def reranker(gateway: LocalGateway, heard: OpenRouterCostCallbackHandler) -> Iterator[OpenRouterRerank]:
    with making(OpenRouterRerank, gateway, model="cohere/rerank-v3.5", api_key=KEY) as make:
        yield make(callback_manager=CallbackManager([heard]))


def charged(gateway: LocalGateway) -> Decimal:
    """USD that the gateway charged."""
    told = [generation["total_cost"] for generation in gateway._state.generations.values()]
    return sum((Decimal(str(cost)) for cost in told), Decimal(0))


def counted(gateway: LocalGateway, *handlers: Costs) -> None:
    """Each handler has counted every request once, and all that was charged."""
    assert charged(gateway) > 0
    for handler in handlers:
        assert (handler.total, handler.calls) == (charged(gateway), len(gateway.requests))
        assert handler.unpriced_calls == 0
        ids = [record.id for record in handler.records]
        assert sorted(map(str, ids)) == sorted(gateway._state.generations)


async def drained(result: Any) -> None:
    """Whatever a method gave, to its end."""
    if hasattr(result, "__await__"):
        result = await result
    if hasattr(result, "__aiter__"):
        async for _ in result:
            pass
    elif hasattr(result, "__next__"):
        for _ in result:
            pass


def asked(llm: Any, method: str, **options: Any) -> Any:
    return getattr(llm, method)(HELLO if method.endswith("chat") else "hello", **options)


# --------------------------------------------------------------------------------------------- each call counts once


@pytest.mark.parametrize("method", METHODS)
async def test_each_method(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    method: str,
) -> None:
    for number in range(3):
        gateway.reply(f"answer {number}", reasoning="Hm.")
        await drained(asked(llm, method))
    await llm.aclose()
    counted(gateway, costs, heard)
    for handler in (costs, heard):
        assert handler.by_model.keys() == {MODEL} and handler.by_provider.keys() == {"OpenAI"}
        assert handler.by_model[MODEL].cost == handler.total and handler.by_tag == {}
        told = [generation["native_tokens_prompt"] for generation in gateway._state.generations.values()]
        assert handler.tokens.input == sum(told) and handler.tokens.output > handler.tokens.reasoning > 0
        assert {record.requested_model for record in handler.records} == {MODEL}
        assert {record.outcome for record in handler.records} == {"answered"}
        assert all((datetime.now(UTC) - record.time).total_seconds() < 600 for record in handler.records)


WAYS: dict[str, Callable[[OpenRouter], Any]] = {
    "predict": lambda llm: llm.predict(PROMPT, who="Al"),
    "apredict": lambda llm: llm.apredict(PROMPT, who="Al"),
    "stream": lambda llm: llm.stream(PROMPT, who="Al"),
    "astream": lambda llm: llm.astream(PROMPT, who="Al"),
    "chat_with_tools": lambda llm: llm.chat_with_tools([weather_tool()], "hi"),
    "astream_chat_with_tools": lambda llm: llm.astream_chat_with_tools([weather_tool()], "hi"),
    "predict_and_call": lambda llm: llm.predict_and_call([weather_tool()], "hi", error_on_no_tool_call=False),
    "structured_predict": lambda llm: llm.structured_predict(Person, PROMPT, who="Al"),
    "astructured_predict": lambda llm: llm.astructured_predict(Person, PROMPT, who="Al"),
    "stream_structured_predict": lambda llm: llm.stream_structured_predict(Person, PROMPT, who="Al"),
    "astream_structured_predict": lambda llm: llm.astream_structured_predict(Person, PROMPT, who="Al"),
    **{
        f"as_structured_llm.{method}": lambda llm, method=method: asked(llm.as_structured_llm(Person), method)
        for method in METHODS
    },
    "StructuredLLM.chat": lambda llm: StructuredLLM(llm=llm, output_cls=Person).chat(HELLO),
    "StructuredLLM.astream_chat": lambda llm: StructuredLLM(llm=llm, output_cls=Person).astream_chat(HELLO),
}


def weather_tool() -> FunctionTool:
    return FunctionTool.from_defaults(weather)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("in_settings", [False, True], ids=["its own", "global"])
async def test_each_way_through_llamaindex(
    make: Make,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    global_settings: None,
    way: str,
    in_settings: bool,
) -> None:
    """A handler in Settings too, which wrappers around our LLM listen with: they tell of the same answer again."""
    if in_settings:
        Settings.callback_manager = CallbackManager([heard])
    llm = make() if in_settings else make(callback_manager=CallbackManager([heard]))
    gateway.reply('{"name": "Al"}', times=None)
    await drained(WAYS[way](llm))
    await llm.aclose()
    assert len(gateway.requests) == 1
    counted(gateway, costs, heard)


class Old(OpenRouter):
    """A model whose completion asks by its own chat."""

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        answer = self.chat([ChatMessage(prompt)], **kwargs)
        told = CompletionResponse(text="", raw=answer.raw, additional_kwargs=answer.additional_kwargs)
        get_dispatcher().event(LLMCompletionEndEvent(prompt=prompt, response=told))
        return told


def test_a_completion_that_chats_inside_is_one_call(
    gateway: LocalGateway, costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler
) -> None:
    with making(Old, gateway, model=MODEL, api_key=KEY, callback_manager=CallbackManager([heard])) as make:
        make().complete("hello")
    counted(gateway, costs, heard)


@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
async def test_function_agent(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    streaming: bool,
) -> None:
    calls = [("weather", {"city": "Paris"}), ("weather", {"city": "Köln"})]
    gateway.reply(tool_calls=calls)
    gateway.reply("Sunny in both.")
    gateway.reply('{"name": "Al"}')
    agent = FunctionAgent(tools=[weather], llm=llm, streaming=streaming, output_cls=Person)
    with instrument_tags({"tenant": "acme"}):
        await ran(agent, QUESTION)
    assert len(gateway.requests) == 3
    counted(gateway, costs, heard)
    assert costs.by_tag.keys() == heard.by_tag.keys() == {"tenant:acme"}


async def test_react_agent(
    llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler
) -> None:
    gateway.reply('Thought: The tool.\nAction: weather\nAction Input: {"city": "Paris"}')
    gateway.reply("Thought: I can answer.\nAnswer: Sunny.")
    await ran(ReActAgent(tools=[weather], llm=llm), QUESTION)
    assert len(gateway.requests) == 2
    counted(gateway, costs, heard)


async def test_agent_workflow(
    llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler
) -> None:
    gateway.reply(tool_calls=[("handoff", {"to_agent": "expert", "reason": "sky"})])
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})])
    gateway.reply("Sunny.")
    clerk = FunctionAgent(name="clerk", description="asks", llm=llm, tools=[], can_handoff_to=["expert"])
    expert = FunctionAgent(name="expert", description="knows", llm=llm, tools=[weather])
    await ran(AgentWorkflow(agents=[clerk, expert], root_agent="clerk"), QUESTION)
    assert len(gateway.requests) == 3
    counted(gateway, costs, heard)


ENGINES = [(mode, how) for mode in ("refine", "tree_summarize") for how in ("query", "aquery", "streamed")]


@pytest.mark.parametrize(("mode", "how"), [*ENGINES, ("accumulate", "query"), ("accumulate", "aquery")])
async def test_query_engines(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    everywhere: None,
    mode: str,
    how: str,
) -> None:
    index = SummaryIndex.from_documents([Document(text=text) for text in TEXTS])
    engine = index.as_query_engine(llm=llm, response_mode=mode, streaming=how == "streamed")
    answer = await engine.aquery("Why?") if how == "aquery" else engine.query("Why?")
    if how == "streamed":
        list(answer.response_gen)
    await llm.aclose()
    counted(gateway, costs, heard)


@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat", "astream_chat"])
async def test_chat_engines(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    way: str,
) -> None:
    """A streaming one reads in a thread, or in a task, of its own."""
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory())
    with instrument_tags({"tenant": "acme"}):
        answer = getattr(engine, way)("hello")
        if way.startswith("a"):
            answer = await answer
        if way == "stream_chat":
            list(answer.response_gen)
        if way == "astream_chat":
            await drained(answer.async_response_gen())
    await llm.aclose()
    counted(gateway, costs, heard)
    assert costs.by_tag["tenant:acme"].cost == charged(gateway)


def test_many_threads(
    llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler
) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: llm.chat([ChatMessage("word " * number)]), range(1, 51)))
    assert len(gateway.requests) == 50
    counted(gateway, costs, heard)


async def test_many_tasks(
    llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler
) -> None:
    async def one(number: int) -> None:
        with instrument_tags({"user": number % 2}):
            await llm.achat([ChatMessage("word " * number)])

    await asyncio.gather(*map(one, range(1, 51)))
    await llm.aclose()
    counted(gateway, costs, heard)
    for handler in (costs, heard):
        assert {tag: sums.calls for tag, sums in handler.by_tag.items()} == {"user:0": 25, "user:1": 25}
        assert sum(sums.cost for sums in handler.by_tag.values()) == charged(gateway)


# -------------------------------------------------------------------------------------------------- tries, failures


@pytest.mark.parametrize("method", METHODS)
async def test_failed_tries_are_calls_of_their_own(
    make: Make,
    gateway: LocalGateway,
    at_once: list[float],
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    method: str,
) -> None:
    gateway.fault("rate_limit")
    paid = {"id": "gen-paid", "provider": "Azure", "model": MODEL, **BROKE_OFF}
    gateway.reply(body=paid, events=[paid, "[DONE]"])
    gateway.reply("At last", cost=0.5)
    llm = make(max_retries=2, callback_manager=CallbackManager([heard]))
    await drained(asked(llm, method))
    await llm.aclose()
    for handler in (costs, heard):
        refused, failed, answered = handler.records
        assert (refused.served, refused.outcome, refused.status_code) == (False, "RateLimitError", 429)
        assert (failed.id, failed.cost, failed.status_code) == ("gen-paid", Decimal("0.25"), 502)
        assert (answered.cost, answered.outcome) == (Decimal("0.5"), "answered")
        assert (handler.total, handler.calls, handler.unpriced_calls) == (Decimal("0.75"), 2, 0)
        assert handler.by_provider["Azure"].cost == Decimal("0.25")


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_that_fails_for_good(
    make: Make,
    gateway: LocalGateway,
    at_once: list[float],
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    method: str,
) -> None:
    for number in range(2):
        gateway.reply(body={"id": f"gen-{number}", **BROKE_OFF}, events=[{"id": f"gen-{number}", **BROKE_OFF}])
    llm = make(max_retries=1, callback_manager=CallbackManager([heard]))
    with instrument_tags({"user": "al"}), pytest.raises(OpenRouterError):
        await drained(asked(llm, method))
    await llm.aclose()
    for handler in (costs, heard):
        assert [(record.id, record.cost) for record in handler.records] == [
            ("gen-0", Decimal("0.25")),
            ("gen-1", Decimal("0.25")),
        ]
        assert (handler.calls, handler.unpriced_calls) == (2, 0)
        assert handler.tokens == Tokens(input=6, output=18)
        assert handler.by_tag["user:al"].cost == Decimal("0.5")


@pytest.mark.parametrize("method", METHODS)
async def test_a_refusal_is_no_call(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    method: str,
) -> None:
    gateway.fault("rate_limit")
    with pytest.raises(RateLimitError):
        await drained(asked(llm, method))
    with pytest.raises(ValueError, match="n=3"):
        await drained(asked(llm, method, n=3))
    with pytest.raises(TypeError, match="no form"):
        await drained(asked(llm, method, of_no_use=object()))
    await llm.aclose()
    for handler in (costs, heard):
        [record] = handler.records
        assert (record.served, record.outcome, record.status_code) == (False, "RateLimitError", 429)
        assert (handler.calls, handler.total, handler.unpriced_calls) == (0, 0, 0)
        assert handler.by_model == {}


@pytest.mark.parametrize("method", [method for method in METHODS if "stream" in method])
async def test_what_a_broken_stream_was_charged_counts(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    method: str,
) -> None:
    gateway.fault("error_chunk_with_usage", after=2)
    with pytest.raises(OpenRouterError):
        await drained(asked(llm, method))
    await llm.aclose()
    counted(gateway, costs, heard)
    assert costs.records[0].outcome == heard.records[0].outcome == "StreamInterruptedError"


@pytest.mark.parametrize("fault", ["truncated", "cut", "error_chunk", "malformed_chunk"])
def test_a_broken_stream_without_a_cost_is_unpriced(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    fault: str,
) -> None:
    gateway.fault(fault, after=2)
    with pytest.raises(OpenRouterError):
        list(llm.stream_chat(HELLO))
    for handler in (costs, heard):
        assert (handler.calls, handler.unpriced_calls, handler.total) == (1, 1, 0)
        assert handler.records[0].id == next(iter(gateway._state.generations))


@pytest.mark.parametrize("fault", ["hang_up", "empty_body", "garbage", "html"])
@pytest.mark.parametrize("method", ["chat", "stream_chat"])
def test_a_request_of_unknown_fate_is_unpriced(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    fault: str,
    method: str,
) -> None:
    gateway.fault(fault)
    with pytest.raises(OpenRouterError):
        list(asked(llm, method))
    for handler in (costs, heard):
        assert (handler.calls, handler.unpriced_calls, handler.total) == (1, 1, 0)


def test_a_408_is_a_refusal(llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler) -> None:
    gateway.fault("request_timeout")
    with pytest.raises(APITimeoutError):
        llm.chat(HELLO)
    assert (costs.records[0].status_code, costs.calls) == (408, 0)


def test_a_failed_try_of_unknown_fate_is_unpriced(
    make: Make, gateway: LocalGateway, at_once: list[float], costs: OpenRouterCostHandler
) -> None:
    gateway.fault("truncated", after=0)
    gateway.fault("request_timeout")
    list(make(max_retries=2).stream_chat(HELLO))
    told = [(record.outcome, record.unpriced, record.served) for record in costs.records]
    assert told == [
        ("IncompleteStreamError", True, True),
        ("APITimeoutError", False, False),
        ("answered", False, True),
    ]


def test_an_answer_without_a_cost_is_unpriced(
    llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler
) -> None:
    gateway.reply("one", omit=["usage"])
    gateway.reply("two", omit=["usage.cost", "usage.cost_details"])
    gateway.reply("free", cost=0)
    for _ in range(3):
        llm.chat(HELLO)
    for handler in (costs, heard):
        assert (handler.calls, handler.unpriced_calls, handler.total) == (3, 2, 0)
        assert [record.cost for record in handler.records] == [None, None, 0]


def test_an_own_provider_key_is_paid_for_too(
    llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler
) -> None:
    bill = {"upstream_inference_cost": 0.1}
    gateway.reply("one", usage={"cost": 0.2, "is_byok": True, "cost_details": bill})
    llm.chat(HELLO)
    assert costs.total == heard.total == Decimal("0.3")


# ----------------------------------------------------------------------------------------------- streams left early


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
@pytest.mark.parametrize("leave", LEAVES)
def test_a_stream_that_is_left(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    leave: Callable[[Any], None],
    method: str,
) -> None:
    gateway.reply(chunks=["word "] * 200, delay=0.01)
    stream = asked(llm, method)
    leave(stream)
    del stream
    for handler in (costs, heard):
        [record] = handler.records
        assert (record.outcome, record.cost, record.unpriced) == ("left", None, True)
        assert (record.model, record.id) == (MODEL, next(iter(gateway._state.generations)))
        assert (handler.calls, handler.unpriced_calls) == (1, 1)


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete", "astream_chat", "astream_complete"])
async def test_a_stream_that_is_left_at_its_last_item_was_answered(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    method: str,
) -> None:
    gateway.reply(chunks=["a", "b"])
    stream = asked(llm, method)
    if method.startswith("a"):
        stream = await stream
        items = [await anext(stream) for _ in range(3)]
        await stream.aclose()
    else:
        items = [next(stream) for _ in range(3)]
        stream.close()
    await llm.aclose()
    assert items[-1].raw is not None
    counted(gateway, costs, heard)
    assert costs.records[0].outcome == heard.records[0].outcome == "answered"


@pytest.mark.parametrize("method", ["stream_chat", "astream_chat"])
async def test_a_stream_that_nobody_reads_is_no_call(
    llm: OpenRouter, gateway: LocalGateway, costs: OpenRouterCostHandler, method: str
) -> None:
    stream = asked(llm, method)
    if method.startswith("a"):
        await (await stream).aclose()
    else:
        stream.close()
    await llm.aclose()
    assert (gateway.requests, costs.records) == ([], ())


@pytest.mark.parametrize("method", ["achat", "acomplete", "astream_chat"])
async def test_a_cancelled_call_may_have_cost_something(
    llm: OpenRouter,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    method: str,
) -> None:
    gateway.fault("comments_forever", after=0)
    task = asyncio.ensure_future(drained(asked(llm, method)))
    while not gateway.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await llm.aclose()
    for handler in (costs, heard):
        [record] = handler.records
        assert (record.outcome, record.requested_model, record.unpriced) == ("left", MODEL, True)


# ------------------------------------------------------------------------------------------- embeddings and rerank


BY_EMBEDDING: dict[str, tuple[Callable[[OpenRouterEmbedding], Any], int]] = {
    "one": (lambda model: model.get_text_embedding("a"), 1),
    "aone": (lambda model: model.aget_text_embedding("a"), 1),
    "query": (lambda model: model.get_query_embedding("a"), 1),
    "batch": (lambda model: model.get_text_embedding_batch(TEXTS), 2),
    "abatch": (lambda model: model.aget_text_embedding_batch(TEXTS), 2),
    "embed": (lambda model: model.embed(TEXTS), 2),
    "aembed": (lambda model: model.aembed(TEXTS), 2),
    "image": (lambda model: model.get_image_embedding(PNG), 1),
    "aimages": (lambda model: model.aget_image_embedding_batch([PNG] * 3), 2),
    "index": (lambda model: VectorStoreIndex.from_documents([Document(text=TEXTS[0])], embed_model=model), 1),
}


@pytest.mark.parametrize("way", BY_EMBEDDING)
async def test_embeddings(
    embedding: OpenRouterEmbedding,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    events: list[Any],
    everywhere: None,
    way: str,
) -> None:
    embed, requests = BY_EMBEDDING[way]
    with instrument_tags({"user": "al"}):
        await drained(embed(embedding))
    await embedding.aclose()
    assert len(gateway.requests) == requests
    counted(gateway, costs, heard)
    for handler in (costs, heard):
        assert handler.by_tag["user:al"].calls == requests
        assert {record.endpoint for record in handler.records} == {"/embeddings"}
        assert {record.requested_model for record in handler.records} == {embedding.model}
    # Other handlers hear of LlamaIndex's own events only: of others they complain.
    assert {type(event).__module__.partition(".")[0] for event in events} <= {"llama_index"}


def test_a_cached_embedding_costs_nothing(
    embedding: OpenRouterEmbedding, gateway: LocalGateway, costs: OpenRouterCostHandler
) -> None:
    embedding.embeddings_cache = SimpleKVStore()
    for _ in range(2):
        embedding.get_text_embedding("a")
    assert costs.calls == len(gateway.requests) == 1


@pytest.mark.parametrize("way", ["embed", "aembed"])
async def test_a_batch_that_fails_has_paid_for_the_others(
    embedding: OpenRouterEmbedding,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    way: str,
) -> None:
    gateway.reply(path="/embeddings", cost=0.5)
    gateway.reply(path="/embeddings", body=BROKE_OFF)
    gateway.fault("rate_limit", match=lambda body: body["input"] == ["e"])
    embedding.num_workers = 1
    with pytest.raises(OpenRouterError):
        await drained(getattr(embedding, way)(["a", "b", "c", "d", "e"]))
    await embedding.aclose()
    for handler in (costs, heard):
        assert (handler.total, handler.calls, handler.unpriced_calls) == (Decimal("0.75"), 2, 0)


RANKINGS: dict[str, Callable[[OpenRouterRerank], Any]] = {
    "rerank": lambda model: model.rerank("a", TEXTS),
    "arerank": lambda model: model.arerank("a", TEXTS),
    "nodes": lambda model: model.postprocess_nodes(nodes(), QueryBundle("a")),
    "anodes": lambda model: model.apostprocess_nodes(nodes(), QueryBundle("a")),
}


def nodes() -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(text=text), score=0.5) for text in TEXTS]


@pytest.mark.parametrize("way", RANKINGS)
async def test_rankings(
    reranker: OpenRouterRerank,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    events: list[Any],
    way: str,
) -> None:
    with instrument_tags({"user": "al"}):
        await drained(RANKINGS[way](reranker))
    await reranker.aclose()
    counted(gateway, costs, heard)
    assert costs.by_tag["user:al"].cost == heard.by_tag["user:al"].cost == charged(gateway)
    assert {record.endpoint for record in costs.records} == {"/rerank"}
    assert {type(event).__module__.partition(".")[0] for event in events} <= {"llama_index"}


def test_nothing_to_rank_costs_nothing(reranker: OpenRouterRerank, costs: OpenRouterCostHandler) -> None:
    reranker.rerank("a", [])
    assert costs.records == ()


def test_a_whole_query_engine(
    llm: OpenRouter,
    embedding: OpenRouterEmbedding,
    reranker: OpenRouterRerank,
    gateway: LocalGateway,
    costs: OpenRouterCostHandler,
    heard: OpenRouterCostCallbackHandler,
    everywhere: None,
) -> None:
    index = VectorStoreIndex.from_documents([Document(text=text) for text in TEXTS], embed_model=embedding)
    index.as_query_engine(llm=llm, node_postprocessors=[reranker]).query("Where is Paris?")
    counted(gateway, costs, heard)
    for handler in (costs, heard):
        assert {one.requested_model for one in handler.records} == {llm.model, embedding.model, reranker.model}


# ---------------------------------------------------------------------------------------------------------- handlers


def event(id: Any = "gen-1", cost: Any = 0.5, **more: Any) -> LLMChatEndEvent:
    """The event of an answer."""
    said = {"id": id, "model": MODEL, **more}
    response = ChatResponse(message=ChatMessage("x"), raw=raw({"usage": {"cost": cost}}), additional_kwargs=said)
    return LLMChatEndEvent(messages=[], response=response)


def test_an_answer_told_twice_counts_once_and_two_without_an_id_are_two() -> None:
    costs = OpenRouterCostHandler()
    charged = {"token_usage": {"prompt_tokens": 7, "cost": 0.25}, "may_be_charged": True}
    for _ in range(2):
        costs.handle(event("gen-1", failed_tries=[{"error": "ProviderError", "id": "gen-0", **charged}]))
    assert (costs.total, costs.calls, costs.tokens.input) == (Decimal("0.75"), 2, 7)
    costs.reset_counts()
    assert (costs.total, costs.calls, costs.tokens, costs.records) == (0, 0, Tokens(), ())
    for _ in range(2):
        costs.handle(event(None))
    costs.handle(event("gen-1"))
    assert (costs.total, costs.calls) == (Decimal("1.5"), 3)


def test_floats_add_up_exactly() -> None:
    costs = OpenRouterCostHandler()
    for number in range(10):
        costs.handle(event(str(number), 0.1))
    assert costs.total == 1


def test_answers_of_others_do_not_count(costs: OpenRouterCostHandler, heard: OpenRouterCostCallbackHandler) -> None:
    llm = MockLLM(callback_manager=CallbackManager([heard]))
    llm.complete("a")
    llm.chat(HELLO)
    list(llm.stream_chat(HELLO))
    foreign = ChatResponse(message=ChatMessage("x"), raw={"usage": {"cost": 1.0}}, additional_kwargs={"cost": 1.0})
    get_dispatcher().event(LLMChatEndEvent(messages=[], response=foreign))
    heard.on_event_end(CBEventType.LLM, {EventPayload.RESPONSE: foreign})
    assert costs.records == heard.records == ()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"usage": None},
        {"usage": 3},
        {"usage": {"cost": "NaN"}},
        {"usage": {"cost": {}, "prompt_tokens": "x", "is_byok": "?", "cost_details": 3}},
    ],
    ids=json.dumps,
)
def test_no_answer_makes_a_handler_fail(given: dict[str, Any]) -> None:
    costs, heard = OpenRouterCostHandler(), OpenRouterCostCallbackHandler()
    odd = {"id": 3, "model": [], "provider": {}, "requested_model": 1, "failed_tries": [3, {}, {"cost": "x"}]}
    response = ChatResponse(message=ChatMessage("x"), raw=Raw(given), additional_kwargs=odd)
    told = LLMChatEndEvent(messages=[], response=response, tags={"a": object(), "": None})
    told.tags.update({7: 7})  # which LlamaIndex does not check, either
    costs.handle(told)
    costs.handle(LLMChatEndEvent(messages=[], response=None))
    heard.on_event_end(CBEventType.LLM, {EventPayload.RESPONSE: response})
    heard.on_event_end(CBEventType.LLM, {EventPayload.RESPONSE: None})
    heard.on_event_end(CBEventType.LLM, None)
    heard.on_event_end(CBEventType.QUERY, {EventPayload.RESPONSE: response})
    for handler in (costs, heard):
        assert (handler.calls, handler.unpriced_calls, handler.total) == (1, 1, 0)


def test_handlers_are_told_apart() -> None:
    """LlamaIndex's lists are searched by equality."""
    one, other = OpenRouterCostHandler(), OpenRouterCostHandler()
    root = get_dispatcher()
    before = list(root.event_handlers)
    for handler in (one, other):
        root.add_event_handler(handler)
    root.event_handlers.remove(other)
    assert root.event_handlers[-1] is one and len({one, other}) == 2
    root.event_handlers.remove(one)
    assert root.event_handlers == before


def test_a_handler_installs_itself(llm: OpenRouter, gateway: LocalGateway) -> None:
    before = list(get_dispatcher().event_handlers)
    with OpenRouterCostHandler() as outer:
        llm.chat(HELLO)
        with pytest.raises(KeyError), OpenRouterCostHandler() as inner:
            llm.chat(HELLO)
            raise KeyError
        llm.chat(HELLO)
    llm.chat(HELLO)
    assert (outer.calls, inner.calls) == (3, 1)
    assert get_dispatcher().event_handlers == before
    outer.__enter__()
    with inner:
        outer.__exit__(None, None, None)
        llm.chat(HELLO)
    assert (outer.calls, inner.calls) == (3, 2)
    with outer:
        llm.chat(HELLO)
    assert outer.calls == 4


def test_added_as_llamaindex_does_it(
    llm: OpenRouter, embedding: OpenRouterEmbedding, gateway: LocalGateway, global_settings: None
) -> None:
    handler = OpenRouterCostHandler()
    assert isinstance(handler, BaseEventHandler) and handler.class_name() == "OpenRouterCostHandler"
    get_dispatcher().add_event_handler(handler)
    llm.chat(HELLO)
    embedding.get_text_embedding("a")
    get_dispatcher().event_handlers.remove(handler)
    counted(gateway, handler)
    assert f"{handler!r}".startswith("<OpenRouterCostHandler total=$0.")


def test_beside_llamaindexs_own_counter(
    make: Make, gateway: LocalGateway, heard: OpenRouterCostCallbackHandler
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    make(callback_manager=CallbackManager([counter, heard])).chat(HELLO)
    assert (heard.tokens.input, heard.tokens.output) == (
        counter.prompt_llm_token_count,
        counter.completion_llm_token_count,
    )


# ------------------------------------------------------------------------------------------------------------- tags


def test_tags_go_with_the_request(
    llm: OpenRouter, embedding: OpenRouterEmbedding, reranker: OpenRouterRerank, gateway: LocalGateway
) -> None:
    def tags() -> list[tuple[str, ...]]:
        chat, _ = llm._chat_request(HELLO, {})
        completion, _ = llm._prompt_request("a", False, {})
        ranking = reranker._request("a", TEXTS, {})
        assert ranking is not None
        return [request.tags for request in (chat, completion, *embedding._requests(TEXTS, "query", {}), ranking)]

    assert tags() == [()] * 5
    with instrument_tags({7: 7}):  # type: ignore[dict-item]
        assert tags() == [("7:7",)] * 5
    with instrument_tags({"user": 7, "llamaindex.run_id": "x", "llamaindex.step.input_event": "y", "a": "b"}):
        assert tags() == [("user:7", "a:b")] * 5
        llm.chat(HELLO)
    with instrument_tags({"llamaindex.run_id": "x"}):
        assert tags() == [()] * 5
    assert gateway.requests[0].body.keys() == {"model", "messages"}


def test_tags_of_nested_scopes_are_llamaindexs(llm: OpenRouter, costs: OpenRouterCostHandler) -> None:
    with instrument_tags({"tenant": "acme"}):
        llm.chat(HELLO)
        with instrument_tags({"user": "al"}):
            llm.chat(HELLO)
    assert {tag: sums.calls for tag, sums in costs.by_tag.items()} == {"tenant:acme": 1, "user:al": 1}


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_a_stream_dropped_while_the_classes_of_handlers_are_loaded(
    make: Make, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The garbage collector may drop it then, in the thread that loads them."""
    items = asked(make(), method)
    next(items)
    monkeypatch.setitem(sys.modules, "openrouter_adapters.core.records", ModuleType("half loaded"))
    items.close()
