"""What `track_costs` says of everything together is what the gateway charged, to the last digit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import RetryPolicy
from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

import openrouter_adapters
from openrouter_adapters import BudgetExceededError, CostTracker, langchain, llamaindex, track_costs
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

from .charged import charged
from .every_way import Way, every_way
from .llamaindex.runs import OF_THE_ENGINE

pytestmark = OF_THE_ENGINE

CHAT = "openai/gpt-4o-mini"
EMBEDDING, RERANK = "openai/text-embedding-3-small", "cohere/rerank-v3.5"
CENT = Decimal("0.01")


@pytest.fixture
def chat(openrouter_gateway: LocalGateway) -> Iterator[ChatOpenRouter]:
    with ChatOpenRouter(model=CHAT, api_key="k", base_url=openrouter_gateway.base_url, max_retries=0) as model:
        yield model


@pytest.fixture
def llm(openrouter_gateway: LocalGateway) -> Iterator[OpenRouter]:
    with OpenRouter(model=CHAT, api_key="k", base_url=openrouter_gateway.base_url, max_retries=0) as model:
        yield model


def model_of(way: Way) -> str:
    name = way.cls.__name__
    return EMBEDDING if "Embedding" in name else RERANK if "Rerank" in name else CHAT


@every_way
def test_every_way_of_asking_counts_once(way: Way, openrouter_gateway: LocalGateway) -> None:
    with track_costs() as costs:
        way.ask(way.model(openrouter_gateway.base_url, model=model_of(way)))
    assert costs.total == charged(openrouter_gateway) > 0
    assert costs.calls == len(openrouter_gateway.requests) > 0 and costs.unpriced_calls == 0


@every_way
def test_every_way_of_asking_keeps_to_a_budget(way: Way, openrouter_gateway: LocalGateway) -> None:
    with track_costs(budget=0), pytest.raises(openrouter_adapters.BudgetExceededError) as caught:
        way.ask(way.model(openrouter_gateway.base_url, model=model_of(way)))
    assert openrouter_gateway.requests == [] and caught.value.limit == 0
    if way.cls.__module__.startswith(langchain.__name__):
        assert type(caught.value).__module__ == "openrouter_adapters.langchain.errors"


# ---- agents


def look_up(harbour: str) -> str:
    """When the next high tide is at a harbour."""
    return f"High tide at {harbour} is at 16:20."


def call_then_answer(gateway: LocalGateway, times: int = 1) -> None:
    for _ in range(times):
        gateway.reply(tool_calls=[("look_up", {"harbour": "Ayr"})])
        gateway.reply("At 16:20.")


def graph(model: ChatOpenRouter, act: Callable[..., Any] = look_up, handle_tool_errors: bool = True) -> Any:
    tools = [tool("look_up")(act)]
    bound = model.bind_tools(tools)
    made = StateGraph(MessagesState)
    made.add_node("model", lambda state: {"messages": [bound.invoke(state["messages"])]})
    made.add_node("tools", ToolNode(tools, handle_tool_errors=handle_tool_errors))
    made.add_edge(START, "model")
    made.add_conditional_edges("model", tools_condition)
    made.add_edge("tools", "model")
    return made.compile()


QUESTION = {"messages": [HumanMessage("When is high tide?")]}


class Person(BaseModel):
    name: str


def test_the_sum_of_everything_is_what_was_charged(
    chat: ChatOpenRouter, llm: OpenRouter, openrouter_gateway: LocalGateway
) -> None:
    """Two agents, 50 in threads, 50 at once, structured output, vectors, ranks, a broken stream, a cache hit."""
    cached = ChatOpenRouter(model=CHAT, api_key="k", base_url=openrouter_gateway.base_url, cache=InMemoryCache())

    async def at_once() -> None:
        await asyncio.gather(*(chat.ainvoke(f"Question {number}") for number in range(50)))
        await FunctionAgent(tools=[look_up], llm=llm).run("When is high tide?")
        await chat.aclose()
        await llm.aclose()

    with track_costs() as costs:
        call_then_answer(openrouter_gateway)
        graph(chat).invoke(QUESTION)
        chat.batch([f"Question {number}" for number in range(50)])
        call_then_answer(openrouter_gateway)
        openrouter_gateway.reply("Yes", match="Question 7", cost=0.0123456789)
        asyncio.run(at_once())
        llm.structured_predict(Person, PromptTemplate("Who is it?"))
        for embeddings in (langchain.OpenRouterEmbeddings, llamaindex.OpenRouterEmbedding):
            with embeddings(model=EMBEDDING, api_key="k", base_url=openrouter_gateway.base_url) as model:
                model.embed(["a", "b"])
        for reranker in (langchain.OpenRouterRerank, llamaindex.OpenRouterRerank):
            with reranker(model=RERANK, api_key="k", base_url=openrouter_gateway.base_url) as model:
                model.rerank("q", ["a", "b"])
        assert costs.total == charged(openrouter_gateway)

        left = chat.stream("Tell me a long story about the sea.")
        next(left)
        left.close()
        openrouter_gateway.fault("error_chunk_with_usage", after=2)
        with pytest.raises(openrouter_adapters.StreamInterruptedError):
            [*llm.stream_chat([ChatMessage("Tell me a long story about the sea.")])]
        before = len(openrouter_gateway.requests)
        for _ in range(2):
            cached.invoke("The same question twice")
        assert len(openrouter_gateway.requests) == before + 1
        assert costs.unpriced_calls == 1 and costs.settle() == 0
    cached.close()
    assert costs.total == charged(openrouter_gateway) > Decimal("0.0123456789")
    assert costs.calls == len(openrouter_gateway._state.generations) > 100


def test_runs_side_by_side_never_mix(chat: ChatOpenRouter, llm: OpenRouter, openrouter_gateway: LocalGateway) -> None:
    call_then_answer(openrouter_gateway, times=4)

    async def agent(run: Callable[[], Any]) -> CostTracker:
        async with track_costs() as costs:
            await run()
        return costs

    async def main() -> list[CostTracker]:
        runs = [lambda: FunctionAgent(tools=[look_up], llm=llm).run("When?"), lambda: graph(chat).ainvoke(QUESTION)]
        found = await asyncio.gather(*(agent(run) for run in runs * 2))
        await chat.aclose()
        await llm.aclose()
        return [*found]

    with track_costs() as together:
        apart = asyncio.run(main())
    assert all(one.calls >= 1 for one in apart)
    assert sum(one.total for one in apart) == together.total == charged(openrouter_gateway)


# ---- budgets end agents, whatever their tools do with errors


def asking(model: Any) -> Callable[[str], str]:
    """A tool that asks a model in its turn."""

    def look_up(harbour: str) -> str:
        """When the next high tide is at a harbour."""
        answer = model.invoke(harbour) if hasattr(model, "invoke") else model.complete(harbour)
        return str(answer)

    return look_up


def loops(gateway: LocalGateway) -> None:
    """The model never has enough."""
    calls = [("look_up", {"harbour": "Ayr"})]
    gateway.reply(tool_calls=calls, cost=0.006, match=lambda body: "tools" in body, times=None)
    gateway.reply("At 16:20.", cost=0.006, times=None)


@pytest.mark.parametrize("handle_tool_errors", [True, False])
def test_a_graph_ends_when_the_budget_does(
    chat: ChatOpenRouter, openrouter_gateway: LocalGateway, handle_tool_errors: bool
) -> None:
    loops(openrouter_gateway)
    with track_costs(budget=0.01) as costs, pytest.raises(BudgetExceededError):
        graph(chat, asking(chat), handle_tool_errors).invoke(QUESTION)
    assert costs.calls == 2 == len(openrouter_gateway.requests)


@pytest.mark.parametrize("budget", [0.005, 0.01])
def test_no_tool_swallows_it(chat: ChatOpenRouter, openrouter_gateway: LocalGateway, budget: float) -> None:
    """It is raised within a tool, whose errors go back to the model: which is not asked any more."""
    loops(openrouter_gateway)
    with track_costs(budget=budget) as costs, pytest.raises(BudgetExceededError) as caught:
        graph(chat, asking(chat)).invoke(QUESTION)
    assert caught.value.spent == costs.total


def test_a_node_is_not_run_again(chat: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    """By LangGraph's own policy: what it does besides would happen again."""
    ran: list[Any] = []
    made = StateGraph(MessagesState)

    def node(state: MessagesState) -> dict[str, Any]:
        ran.append(state)
        return {"messages": [chat.invoke(state["messages"])]}

    made.add_node("model", node, retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    made.add_edge(START, "model")
    with track_costs(budget=0), pytest.raises(BudgetExceededError) as caught:
        made.compile().invoke(QUESTION)
    assert len(ran) == 1 and (caught.value.limit, caught.value.retryable) == (0, False)
    assert openrouter_gateway.requests == []


@pytest.mark.parametrize("kind", [FunctionAgent, ReActAgent])
@pytest.mark.parametrize("budget", [0.005, 0.01])
def test_an_agent_ends_when_the_budget_does(
    llm: OpenRouter, openrouter_gateway: LocalGateway, kind: type[Any], budget: float
) -> None:
    loops(openrouter_gateway)
    if kind is ReActAgent:
        openrouter_gateway.reset()
        thought = 'Thought: I need the tool.\nAction: look_up\nAction Input: {"harbour": "Ayr"}'
        openrouter_gateway.reply(thought, cost=0.006, times=None)

    async def run() -> None:
        try:
            await kind(tools=[FunctionTool.from_defaults(asking(llm))], llm=llm).run("When is high tide?")
        finally:
            await llm.aclose()

    with track_costs(budget=budget) as costs, pytest.raises(BudgetExceededError):
        asyncio.run(run())
    assert costs.calls == len(openrouter_gateway.requests) <= 2
