"""What type checkers must know of what people write most: not run, but checked by `make check`.

mypy and pyright both, each at its strictest.
"""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import assert_type

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from llama_index.core.llms import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM

import openrouter_adapters
from openrouter_adapters import (
    BudgetExceededError,
    CallRecord,
    CallTracing,
    CostTracker,
    Ledger,
    OpenRouterError,
    Sums,
    trace_calls,
    track_costs,
)
from openrouter_adapters.cli import Comparison, compare_models
from openrouter_adapters.gateway import Exchange, LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank, get_openrouter_costs
from openrouter_adapters.langchain import OpenRouterCostHandler as Callback
from openrouter_adapters.llamaindex import OpenRouter, OpenRouterCostHandler, OpenRouterEmbedding

chat = ChatOpenRouter(model="openai/gpt-5-mini", models=["anthropic/claude-haiku-4.5"], http_async_client="aiohttp")
llm = OpenRouter(model="openai/gpt-5-mini", models=["anthropic/claude-haiku-4.5"], reasoning={"effort": "low"})
a_langchain_model: BaseChatModel = chat
a_llamaindex_model: FunctionCallingLLM = llm


def answers() -> None:
    assert_type(chat.invoke("hi"), AIMessage)
    assert_type(chat.batch(["hi"]), list[AIMessage])
    assert_type(chat.stream("hi"), Iterator[AIMessageChunk])
    assert_type(llm.complete("hi"), CompletionResponse)
    assert_type(llm.chat([ChatMessage("hi")]), ChatResponse)


async def answers_later() -> None:
    assert_type(await chat.ainvoke("hi"), AIMessage)
    assert_type(chat.astream("hi"), AsyncIterator[AIMessageChunk])
    assert_type(await llm.acomplete("hi"), CompletionResponse)


def others() -> None:
    assert_type(OpenRouterEmbeddings(model="a/b").embed_query("hi"), list[float])
    assert_type(OpenRouterEmbeddings(model="a/b").embed(["hi"]).cost, Decimal | None)
    assert_type(OpenRouterRerank(model="a/b").rerank("q", ["a"]).results[0].relevance_score, float)
    assert_type(OpenRouterEmbedding(model="a/b").get_text_embedding("hi"), list[float])


def costs() -> None:
    with track_costs(budget=0.5) as tracked:
        assert_type(tracked, CostTracker)
    assert_type(tracked.total, Decimal)
    assert_type(tracked.by_model, dict[str, Sums])
    assert_type(trace_calls(), CallTracing)
    assert_type(Callback().total, Decimal)
    assert_type(OpenRouterCostHandler().by_model["a/b"].calls, int)
    with get_openrouter_costs() as heard:
        assert_type(heard, Callback)
    with Ledger("costs.db") as ledger:
        assert_type(next(iter(ledger.records())), CallRecord)
    assert_type(openrouter_adapters.__version__, str)


def beside() -> None:
    with LocalGateway() as gateway:
        assert_type(gateway, LocalGateway)
    assert_type(gateway.base_url, str)
    assert_type(gateway.requests, list[Exchange])
    assert_type(compare_models("hi", ["a/b"]), list[Comparison])


def trouble(error: OpenRouterError, spent: BudgetExceededError) -> None:
    assert_type(error.retryable, bool)
    assert_type(error.provider, str | None)
    assert_type(spent.limit, Decimal)
