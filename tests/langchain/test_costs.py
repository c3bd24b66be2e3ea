"""What LangChain's callbacks tell of cost, held against what the gateway says it charged, to the last digit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel, FakeMessagesListChatModel, GenericFakeChatModel
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from openrouter_adapters import (
    APIConnectionError,
    APITimeoutError,
    BudgetExceededError,
    IncompleteStreamError,
    MalformedResponseError,
    OpenRouterError,
    ProviderError,
    RateLimitError,
    StreamInterruptedError,
)
from openrouter_adapters.core.tries import failure
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter, OpenRouterCostHandler, get_openrouter_costs
from openrouter_adapters.langchain import costs as module

from ..loopback import refused_port

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.filterwarnings("ignore:The v3 streaming protocol"),
    pytest.mark.filterwarnings("ignore:astream_events version='v1' is deprecated"),
]

Make = Callable[..., ChatOpenRouter]
LONG = "one two three four five six seven eight"


class Answer(BaseModel):
    """An answer."""

    text: str


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def gateway(openrouter_gateway: LocalGateway) -> LocalGateway:
    return openrouter_gateway


@pytest.fixture
def costs() -> OpenRouterCostHandler:
    return OpenRouterCostHandler()


@pytest.fixture
def heard(costs: OpenRouterCostHandler) -> Any:
    """A config."""
    return {"callbacks": [costs]}


def charged(gateway: LocalGateway, *, last: bool = False) -> Decimal:
    """USD by the gateway's books. They are kept before a fault may refuse the answer: then only the last counts."""
    made = [Decimal(str(generation["total_cost"])) for generation in gateway._state.generations.values()]
    return made[-1] if last else sum(made, Decimal(0))


def check(costs: OpenRouterCostHandler, gateway: LocalGateway, calls: int) -> None:
    """Each call counted once, and nothing else."""
    assert (costs.calls, len(costs.records), costs.unpriced_calls) == (calls, calls, 0)
    assert costs.total == charged(gateway) > 0
    assert len({record.id for record in costs.records}) == calls == len(gateway.requests)


# ------------------------------------------------------------------------------------------------------------ answers


def _v3(model: ChatOpenRouter, config: Any) -> Any:
    return model.stream_events("hi", config, version="v3").output


async def _av3(model: ChatOpenRouter, config: Any) -> Any:
    return await (await model.astream_events("hi", config, version="v3"))


async def _astream(model: ChatOpenRouter, config: Any) -> list[Any]:
    return [chunk async for chunk in model.astream("hi", config)]


async def _aevents(model: ChatOpenRouter, config: Any, version: Any) -> list[Any]:
    return [event async for event in model.astream_events("hi", config, version=version)]


WAYS: dict[str, Callable[[ChatOpenRouter, Any], Any]] = {
    "invoke": lambda model, config: model.invoke("hi", config),
    "stream": lambda model, config: list(model.stream("hi", config)),
    "ainvoke": lambda model, config: asyncio.run(model.ainvoke("hi", config)),
    "astream": lambda model, config: asyncio.run(_astream(model, config)),
    "v1": lambda model, config: asyncio.run(_aevents(model, config, "v1")),
    "v2": lambda model, config: asyncio.run(_aevents(model, config, "v2")),
    "v3": _v3,
    "av3": lambda model, config: asyncio.run(_av3(model, config)),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@every_way
def test_every_way_of_asking(
    way: Callable[..., Any], model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    way(model, heard)
    check(costs, gateway, 1)
    (record,) = costs.records
    assert (record.model, record.requested_model, record.provider) == (
        "openai/gpt-4o-mini",
        "openai/gpt-4o-mini",
        "OpenAI",
    )
    assert (record.outcome, record.endpoint, record.priced) == ("answered", "/chat/completions", True)
    assert record.tokens.input > 0 < record.tokens.output
    assert record.seconds > 0
    assert costs.by_provider["OpenAI"].cost == costs.by_model["openai/gpt-4o-mini"].cost == costs.total


@pytest.mark.parametrize("options", [{"streaming": True}, {"output_version": "v1"}])
def test_streamed_inside_and_as_blocks(
    options: dict[str, Any], make: Make, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    model = make(**options)
    model.invoke("hi", heard)
    list(model.stream("hi", heard))
    check(costs, gateway, 2)


def test_batches(model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway) -> None:
    model.batch([str(number) for number in range(20)], heard)
    asyncio.run(model.abatch([str(number) for number in range(20)], heard))
    check(costs, gateway, 40)


def test_several_prompts(model: ChatOpenRouter, costs: OpenRouterCostHandler, gateway: LocalGateway) -> None:
    prompts: Any = [[HumanMessage("a")], [HumanMessage("two of them")]]
    model.generate(prompts, callbacks=[costs])
    asyncio.run(model.agenerate(prompts, callbacks=[costs]))
    check(costs, gateway, 4)


def test_several_choices_are_one_call(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply(
        body={
            "id": "gen-1",
            "model": "a/b",
            "choices": [{"message": {"content": "one"}}, {"message": {"content": "two"}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.25},
        }
    )
    model.invoke("hi", heard, n=2)
    assert (costs.calls, costs.total, costs.tokens.output) == (1, Decimal("0.25"), 2)


def test_money_is_exact(model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway) -> None:
    for cost in (0.1, 0.2, 1e-7):
        gateway.reply("one", cost=cost)
        model.invoke("hi", heard)
    assert costs.total == Decimal("0.3000001")


def test_the_bill_for_an_own_key_counts(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    details = {"upstream_inference_cost": 0.5}
    gateway.reply("one", cost=0.25, usage={"is_byok": True, "cost_details": details}, times=None)
    for way in (WAYS["invoke"], WAYS["stream"], WAYS["v3"]):
        way(model, heard)
    assert costs.total == 3 * Decimal("0.75")


def test_free_is_a_price_and_unknown_is_not(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply("free", cost=0)
    gateway.reply("unknown", omit=["usage.cost"])
    gateway.reply("silent", omit=["usage"])
    for _ in range(3):
        model.invoke("hi", heard)
    assert (costs.calls, costs.total, costs.unpriced_calls) == (3, 0, 2)
    assert [record.cost for record in costs.records] == [0, None, None]


def test_structured_output(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply(tool_calls=[("Answer", {"text": "a"})], times=3)
    model.with_structured_output(Answer).invoke("hi", heard)
    list(model.with_structured_output(Answer).stream("hi", heard))
    model.with_structured_output(Answer, include_raw=True).invoke("hi", heard)
    gateway.reply("no object at all")
    with pytest.raises(ValueError, match="Answer"):
        model.with_structured_output(Answer).invoke("hi", heard)
    check(costs, gateway, 4)


def question(text: str = "add") -> Any:
    return {"messages": [HumanMessage(text)]}


@pytest.mark.parametrize("mode", ["values", "updates", "messages"])
def test_agents(
    mode: Any, model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})])
    gateway.reply("3 and 7.")
    list(create_agent(model, [add]).stream(question(), heard, stream_mode=mode))
    check(costs, gateway, 2)


async def test_graphs(model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2})])
    gateway.reply("3.")
    bound = model.bind_tools([add])

    async def think(state: MessagesState) -> Any:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode([add]))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    await graph.compile().ainvoke(question(), {**heard, "tags": ["sums"]})
    check(costs, gateway, 2)
    assert list(costs.by_tag) == ["sums"]
    assert costs.by_tag["sums"].calls == 2


def test_the_same_handler_given_twice_counts_once(
    make: Make, costs: OpenRouterCostHandler, gateway: LocalGateway
) -> None:
    model = make(callbacks=[costs])
    twice: Any = {"callbacks": [costs, costs]}
    model.invoke("hi", twice)
    list(model.stream("hi", twice))
    asyncio.run(model.ainvoke("hi", twice))
    (RunnableLambda(lambda text: text) | model).invoke("hi", twice)
    check(costs, gateway, 4)


class _Guarded(BaseChatModel):
    """Somebody's own model, which asks another one."""

    inner: ChatOpenRouter
    as_a_run: bool

    @property
    def _llm_type(self) -> str:
        return "guarded"

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        if self.as_a_run:
            return ChatResult(generations=[ChatGeneration(message=self.inner.invoke(messages))])
        return self.inner._generate(messages, stop, run_manager)


@pytest.mark.parametrize("as_a_run", [True, False])
def test_an_answer_that_is_handed_on_counts_once(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway, as_a_run: bool
) -> None:
    chain = RunnableLambda(lambda text: text) | _Guarded(inner=model, as_a_run=as_a_run)
    chain.invoke("hi", heard)
    chain.invoke("hi", heard)
    check(costs, gateway, 2)
    costs.reset_counts()
    chain.invoke("hi", heard)
    assert costs.calls == 1


def test_two_handlers_do_not_mix(model: ChatOpenRouter) -> None:
    one, other = OpenRouterCostHandler(), OpenRouterCostHandler()
    model.invoke("hi", {"callbacks": [one]})
    model.batch(["hi", "ho"], {"callbacks": [other]})
    assert (one.calls, other.calls) == (1, 2)
    model.invoke("hi", {"callbacks": [one, other]})
    assert (one.calls, other.calls) == (2, 3)


def test_other_vendors_are_left_alone(model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any) -> None:
    facts = {"model_provider": "openai", "model_name": "gpt-5", "cost": 1.0, "token_usage": {"cost": 1.0}}
    other = FakeMessagesListChatModel(responses=[AIMessage("hi", response_metadata=facts), AIMessage("ho")])
    for _ in range(2):
        other.invoke("hi", heard)
    with pytest.raises(RuntimeError, match="not ours"):
        _Failing(responses=[]).invoke("hi", heard)
    assert costs.records == ()
    model.invoke("hi", heard)
    assert costs.calls == 1


def test_streams_of_other_vendors_that_are_left_are_left_alone(costs: OpenRouterCostHandler, heard: Any) -> None:
    other: Any = GenericFakeChatModel(messages=iter([AIMessage("one two three")])).stream("hi", heard)
    next(other)
    other.close()
    assert costs.records == ()


class _Failing(FakeMessagesListChatModel):
    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("not ours")


# ------------------------------------------------------------------------------------------------------------- caches


class _Stored(BaseCache):
    """Keeps text, as a cache on a disk or of another process does."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], list[str]] = {}

    def lookup(self, prompt: str, llm_string: str) -> Any:
        kept = self.kept.get((prompt, llm_string))
        return kept and [loads(text, allowed_objects="core") for text in kept]

    def update(self, prompt: str, llm_string: str, return_val: Any) -> None:
        self.kept[prompt, llm_string] = [dumps(generation) for generation in return_val]

    def clear(self, **_: Any) -> None:
        self.kept.clear()


@pytest.mark.parametrize("cost", [0.25, 0.0])
@pytest.mark.parametrize("cache", [InMemoryCache, _Stored])
def test_what_a_cache_gives_is_no_call(
    cache: Any, cost: float, make: Make, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply("one", cost=cost)
    shared = cache()
    make(cache=shared).invoke("hi")  # by somebody else
    model = make(cache=shared)
    assert model.invoke("hi", heard).text == asyncio.run(model.ainvoke("hi", heard)).text == "one"
    model.generate([[HumanMessage("hi")], [HumanMessage("hi")]], callbacks=[costs])
    assert (costs.records, len(gateway.requests)) == ((), 1)
    model.invoke("something else", heard)
    assert (costs.calls, len(gateway.requests)) == (1, 2)
    assert costs.total == charged(gateway) - Decimal(str(cost))


def test_the_cache_of_the_whole_program(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    set_llm_cache(InMemoryCache())
    try:
        for _ in range(3):
            model.with_retry().invoke("hi", heard)
    finally:
        set_llm_cache(None)
    check(costs, gateway, 1)


# ------------------------------------------------------------------------------------------------------------ trouble


@every_way
def test_tries_that_failed_are_records_of_their_own(
    way: Callable[..., Any],
    make: Make,
    costs: OpenRouterCostHandler,
    heard: Any,
    gateway: LocalGateway,
    at_once: list[float],
) -> None:
    gateway.fault("rate_limit")
    way(make(max_retries=1), heard)
    refused, answered = costs.records
    assert (refused.outcome, refused.status_code, refused.served) == ("RateLimitError", 429, False)
    assert (answered.outcome, answered.cost) == ("answered", charged(gateway, last=True))
    assert (costs.calls, costs.unpriced_calls) == (1, 0)


def test_a_failed_try_that_was_charged_counts(
    make: Make, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway, at_once: list[float]
) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.125}
    gateway.reply(body={"id": "gen-1", "error": {"code": 503, "message": "broken off"}, "usage": usage})
    gateway.reply("one", cost=0.5)
    make(max_retries=1).invoke("hi", heard)
    failed, answered = costs.records
    assert (failed.outcome, failed.cost, failed.served) == ("ProviderError", Decimal("0.125"), True)
    assert answered.cost == Decimal("0.5")
    assert (costs.calls, costs.unpriced_calls, costs.total) == (2, 0, Decimal("0.625"))


def test_an_error_that_was_charged_counts(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.25, "is_byok": True}
    usage["cost_details"] = {"upstream_inference_cost": 0.5}
    gateway.reply(body={"id": "gen-1", "error": {"code": 502, "message": "broken off"}, "usage": usage})
    with pytest.raises(ProviderError):
        model.invoke("hi", heard)
    assert (costs.calls, costs.total, costs.tokens.output) == (1, Decimal("0.75"), 2)


def test_every_try_of_a_call_that_failed_is_told(
    make: Make, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway, at_once: list[float]
) -> None:
    gateway.fault("rate_limit", times=3)
    with pytest.raises(RateLimitError):
        make(max_retries=2).invoke("hi", heard)
    assert [(record.outcome, record.status_code) for record in costs.records] == [("RateLimitError", 429)] * 3
    assert (costs.calls, costs.unpriced_calls, costs.total) == (0, 0, 0)


STREAMS = ["stream", "astream", "av3"]


def failing(name: str, model: ChatOpenRouter, config: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        WAYS[name](model, config)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_died_and_told_its_cost(
    name: str, model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply(LONG)
    gateway.fault("error_chunk_with_usage", after=2)
    failing(name, model, heard, StreamInterruptedError)
    (record,) = costs.records
    assert (record.outcome, record.served, record.provider) == ("StreamInterruptedError", True, "OpenAI")
    assert record.tokens.input > 0
    assert (costs.calls, costs.unpriced_calls, costs.total) == (1, 0, charged(gateway))


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_died_and_told_nothing(
    name: str, model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply(LONG)
    gateway.fault("cut", after=2)
    failing(name, model, heard, IncompleteStreamError)
    (record,) = costs.records
    assert (record.outcome, record.cost, record.model) == ("IncompleteStreamError", None, "openai/gpt-4o-mini")
    assert record.id is not None
    assert (costs.calls, costs.unpriced_calls, costs.total) == (1, 1, 0)


def test_an_answer_that_broke_off_is_a_call(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    choice = {"message": {"content": "Half of"}, "finish_reason": "error"}
    gateway.reply(body={"id": "gen-1", "model": "a/b", "choices": [choice]})
    with pytest.raises(ProviderError):
        model.invoke("hi", heard)
    (record,) = costs.records
    assert (record.outcome, record.id, record.unpriced, costs.calls) == ("ProviderError", "gen-1", True, 1)


FATES = [
    (APITimeoutError("late"), True),
    (APITimeoutError("late", status_code=408), False),
    (MalformedResponseError("a page"), True),
    (ProviderError("down", status_code=502), False),
]


@pytest.mark.parametrize(("error", "served"), FATES, ids=str)
def test_a_failure_of_unknown_fate_may_have_cost(
    error: OpenRouterError, served: bool, costs: OpenRouterCostHandler
) -> None:
    """The same whether the call fails, or another try succeeds."""
    for ended in ("failed", "answered"):
        run: Any = {"run_id": uuid4()}
        costs.on_chat_model_start({}, [], **run, metadata={"ls_provider": "openrouter"})
        if ended == "failed":
            costs.on_llm_error(error, **run)
        else:
            facts = {"model_provider": "openrouter", "cost": 0.5, "failed_tries": [failure(error)]}
            message = AIMessage("hi", response_metadata=facts)
            costs.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), **run)
    failed, retried, answered = costs.records
    assert failed.served is retried.served is served
    assert failed.outcome == retried.outcome == type(error).__name__
    assert (costs.calls, costs.unpriced_calls, answered.cost) == (1 + 2 * served, 2 * served, Decimal("0.5"))


def test_nobody_there_costs_nothing(make: Make, costs: OpenRouterCostHandler, heard: Any, at_once: list[float]) -> None:
    with pytest.raises(APIConnectionError):
        make(base_url=f"http://127.0.0.1:{refused_port()}", max_retries=1).invoke("hi", heard)
    assert [record.outcome for record in costs.records] == ["APIConnectionError"] * 2
    assert (costs.calls, costs.unpriced_calls) == (0, 0)


def test_a_budget_that_is_spent_sends_nothing(costs: OpenRouterCostHandler) -> None:
    run: Any = {"run_id": uuid4()}
    costs.on_chat_model_start({}, [], **run, metadata={"ls_provider": "openrouter"})
    error = BudgetExceededError.__new__(BudgetExceededError)
    costs.on_llm_error(error, **run)
    assert costs.records == ()


def test_fallbacks(make: Make, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway) -> None:
    gateway.fault("unavailable")
    make().with_fallbacks([make(model="openai/gpt-4o")]).invoke("hi", heard)
    failed, answered = costs.records
    assert (failed.served, failed.requested_model) == (False, "openai/gpt-4o-mini")
    assert (answered.model, answered.cost) == ("openai/gpt-4o", charged(gateway, last=True))
    assert list(costs.by_model) == ["openai/gpt-4o"]


def test_what_was_never_sent_is_no_call(model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any) -> None:
    with pytest.raises(ValueError, match="temperature"):
        model.invoke("hi", heard, temperature="hot")
    with pytest.raises(ValueError, match="n=2"):
        list(model.stream("hi", heard, n=2))
    assert costs.records == ()


# ------------------------------------------------------------------------------------------- answers left on their way


async def _aleft(model: ChatOpenRouter, config: Any) -> None:
    arriving: Any = model.astream("hi", config)
    await anext(arriving)
    await arriving.aclose()


async def _av3_left(model: ChatOpenRouter, config: Any) -> None:
    arriving = await model.astream_events("hi", config, version="v3")
    await anext(aiter(arriving.text))
    await arriving.aclose()


def _left(model: ChatOpenRouter, config: Any) -> None:
    arriving: Any = model.stream("hi", config)
    next(arriving)
    arriving.close()


LEAVING: dict[str, Callable[[ChatOpenRouter, Any], Any]] = {
    "stream": _left,
    "astream": lambda model, config: asyncio.run(_aleft(model, config)),
    "av3": lambda model, config: asyncio.run(_av3_left(model, config)),
}


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_a_stream_left_early_is_a_call_without_a_cost(
    leave: Callable[..., Any], model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.reply(LONG)
    leave(model, heard)
    (record,) = costs.records
    assert (record.outcome, record.requested_model, record.cost) == ("left", "openai/gpt-4o-mini", None)
    assert (costs.calls, costs.unpriced_calls) == (1, 1)


def test_a_stream_left_at_its_last_piece_has_told_its_cost(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    arriving: Any = model.stream("hi", heard)
    while next(arriving).chunk_position != "last":
        pass
    arriving.close()
    check(costs, gateway, 1)
    assert costs.records[0].outcome == "left"


class _Throwing(BaseCallbackHandler):
    raise_error = True

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("enough")


def test_a_stream_ended_by_the_callers_own_code(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, gateway: LocalGateway
) -> None:
    gateway.reply(LONG)
    arriving: Any = model.stream("hi", {"callbacks": [costs]})
    next(arriving)
    with pytest.raises(RuntimeError, match="enough"):
        arriving.throw(RuntimeError("enough"))
    assert [(record.outcome, record.unpriced) for record in costs.records] == [("left", True)]


async def _agent_left(model: ChatOpenRouter, config: Any) -> None:
    arriving: Any = create_agent(model, [add]).astream(question(), config, stream_mode="messages")
    await anext(arriving)
    await arriving.aclose()


async def _cancelled(model: ChatOpenRouter, config: Any) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(model.ainvoke("hi", config), 0.05)


@pytest.mark.parametrize("leave", [_agent_left, _cancelled])
async def test_a_run_that_is_cancelled_is_a_call_without_a_cost(
    leave: Callable[..., Any], model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    gateway.fault("silence", after=2)
    await leave(model, {**heard, "tags": ["night"]})
    await model.aclose()
    assert [(record.outcome, record.unpriced, record.tags) for record in costs.records] == [("left", True, ("night",))]
    assert not costs._open


def test_what_langchain_does_not_tell(
    model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    """The docstring says so; should LangChain begin to tell, this test says that it counts."""
    arriving = model.stream_events("hi", heard, version="v3")
    next(iter(arriving.text))
    del arriving
    gateway.fault("upstream_502", match="bad")
    with suppress(ProviderError):
        model.generate([[HumanMessage("good")], [HumanMessage("bad")]], callbacks=[costs])
    assert [record.outcome for record in costs.records] == ["ProviderError"]


def test_runs_without_an_end_are_forgotten(
    monkeypatch: pytest.MonkeyPatch, model: ChatOpenRouter, costs: OpenRouterCostHandler, heard: Any
) -> None:
    monkeypatch.setattr(module, "_MOST_OPEN", 2)
    for _ in range(5):
        next(iter(model.stream_events("hi", heard, version="v3").text))
    assert len(costs._open) == 2
    model.invoke("hi", heard)
    assert costs.calls == 1


# --------------------------------------------------------------------------------------------------------------- tags


@every_way
def test_tags_of_the_run(way: Callable[..., Any], make: Make) -> None:
    costs = OpenRouterCostHandler(tags={"team": "a"})
    chain: Any = RunnableLambda(lambda text: text) | make(tags=["of-the-model"])
    way(make(tags=["of-the-model"]), {"callbacks": [costs], "tags": ["given", "langsmith:hidden"]})
    chain.invoke("hi", {"callbacks": [costs], "tags": ["given"]})
    RunnableParallel(one=chain).invoke("hi", {"callbacks": [costs], "tags": ["given"]})
    assert {key: sums.calls for key, sums in costs.by_tag.items()} == {"team:a": 3, "given": 3, "of-the-model": 3}


class _Noting(ChatOpenRouter):
    """Notes the tags of its requests."""

    def _request(self, *given: Any) -> Any:
        request = super()._request(*given)
        self.metadata = {"seen": [*(self.metadata or {}).get("seen", []), request.tags]}
        return request

    @property
    def seen(self) -> list[tuple[str, ...]]:
        return (self.metadata or {}).get("seen", [])


@pytest.fixture
def noting(gateway: LocalGateway) -> Iterator[Callable[..., _Noting]]:
    made: list[_Noting] = []

    def make(**options: Any) -> _Noting:
        made.append(_Noting(model="openai/gpt-4o-mini", api_key="k", base_url=gateway.base_url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@every_way
@pytest.mark.parametrize("options", [{}, {"streaming": True}])
def test_tags_of_the_request(
    way: Callable[..., Any], options: dict[str, Any], noting: Callable[..., _Noting], gateway: LocalGateway
) -> None:
    model = noting(tags=["own"], **options)
    way(model, {"tags": ["given", "seq:step:1"]})
    way(model, None)
    assert [set(tags) for tags in model.seen] == [{"own", "given"}, {"own"}]
    assert not [request.body for request in gateway.requests if "_run_tags" in request.body or "tags" in request.body]


@every_way
def test_no_tags(way: Callable[..., Any], noting: Callable[..., _Noting]) -> None:
    model = noting()
    way(model, {"tags": []})
    assert model.seen == [()]


@pytest.mark.parametrize("call", ["invoke", "stream", "batch"])
def test_tags_of_chains_around(call: str, noting: Callable[..., _Noting]) -> None:
    model = noting()
    chain: Any = RunnableLambda(lambda text: text) | RunnableParallel(one=model, two=model)
    for _ in getattr(chain, call)(["hi"] if call == "batch" else "hi", {"tags": ["outer", "seq:step"]}):
        pass
    assert [set(tags) for tags in model.seen] == [{"outer", "seq:step"}] * 2


@pytest.mark.parametrize("call", ["invoke", "stream"])
def test_tags_of_a_run_that_is_handed_on_by_hand(call: str, noting: Callable[..., _Noting]) -> None:
    model = noting()
    run = CallbackManager.configure(inheritable_tags=["outer"]).on_chain_start({}, {})
    for _ in getattr(model, call)("hi", {"callbacks": run.get_child("seq:step:1"), "tags": ["inner"]}):
        pass
    assert [set(tags) for tags in model.seen] == [{"outer", "inner"}]


@pytest.mark.parametrize("mode", ["values", "messages"])
async def test_tags_of_agents(mode: Any, noting: Callable[..., _Noting], gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2})])
    gateway.reply("3.")
    model = noting()
    async for _ in create_agent(model, [add]).astream(question(), {"tags": ["support"]}, stream_mode=mode):
        pass
    assert model.seen == [("support",)] * 2


def test_tags_are_in_no_key_of_a_cache(
    make: Make, costs: OpenRouterCostHandler, heard: Any, gateway: LocalGateway
) -> None:
    model = make(cache=InMemoryCache(), streaming=True)
    for tag in ("a", "b"):
        model.invoke("hi", {**heard, "tags": [tag]})
    assert (len(gateway.requests), list(costs.by_tag)) == (1, ["a"])


class _Traced(BaseCallbackHandler):
    def __init__(self) -> None:
        self.facts = ""

    def on_chat_model_start(self, *given: Any, **facts: Any) -> None:
        self.facts += str(facts)


@every_way
def test_the_way_of_the_tags_is_in_no_trace(way: Callable[..., Any], model: ChatOpenRouter) -> None:
    traced = _Traced()
    way(model, {"callbacks": [traced], "tags": ["given"]})
    assert "given" in traced.facts
    assert "_run_tags" not in traced.facts


def test_tags_that_are_none_are_refused() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="tags=5"):
        OpenRouterCostHandler(tags=wrong)


# ------------------------------------------------------------------------------------------------------------- scopes


def test_a_scope_hears_of_everything_inside(model: ChatOpenRouter, gateway: LocalGateway) -> None:
    with get_openrouter_costs(tags="scope") as costs:
        for way in WAYS.values():
            way(model, None)
        model.batch(["a", "b", "c"])
        (RunnableLambda(lambda text: text) | model).batch(["a", "b", "c"])
        check(costs, gateway, len(WAYS) + 6)
    model.invoke("outside")
    assert costs.calls == costs.by_tag["scope"].calls == len(WAYS) + 6
    assert "calls=14" in repr(costs)


def test_a_scope_around_an_agent(model: ChatOpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})])
    gateway.reply("3 and 7.")
    with get_openrouter_costs() as costs:
        create_agent(model, [add]).invoke(question())
    check(costs, gateway, 2)


def test_scopes_nest(model: ChatOpenRouter, gateway: LocalGateway) -> None:
    with get_openrouter_costs() as outer:
        model.invoke("one")
        with get_openrouter_costs() as inner:
            model.invoke("two", {"callbacks": [outer]})
            with get_openrouter_costs() as innermost:
                model.batch(["three", "four"])
        model.invoke("five")
        with get_openrouter_costs() as second:
            model.invoke("six")
    assert [costs.calls for costs in (outer, inner, innermost, second)] == [6, 3, 2, 1]
    check(outer, gateway, 6)


def test_a_scope_inside_a_run_of_another(model: ChatOpenRouter) -> None:
    """The outer handler comes twice: with the run, and with the context."""
    inside: list[OpenRouterCostHandler] = []

    def step(text: str) -> Any:
        with get_openrouter_costs() as costs:
            inside.append(costs)
            return model.invoke(text)

    with get_openrouter_costs() as outer:
        RunnableLambda(step).batch(["a", "b", "c"])
    assert outer.calls == 3
    assert [costs.calls for costs in inside] == [1, 1, 1]


async def test_tasks_do_not_mix(model: ChatOpenRouter, gateway: LocalGateway) -> None:
    async def task(calls: int) -> OpenRouterCostHandler:
        with get_openrouter_costs() as costs:
            await asyncio.gather(*(model.ainvoke(str(number)) for number in range(calls)))
            return costs

    with get_openrouter_costs() as outer:
        found = await asyncio.gather(*map(task, range(1, 6)))
    assert [costs.calls for costs in found] == [1, 2, 3, 4, 5]
    assert sum((costs.total for costs in found), Decimal(0)) == outer.total
    check(outer, gateway, 15)


def test_threads_do_not_mix(model: ChatOpenRouter, gateway: LocalGateway) -> None:
    together = threading.Barrier(4)

    def work(calls: int) -> OpenRouterCostHandler:
        with get_openrouter_costs() as costs:
            together.wait(10)
            model.batch([str(number) for number in range(calls)])
            return costs

    with ThreadPoolExecutor(4) as pool:
        assert [costs.calls for costs in pool.map(work, range(1, 5))] == [1, 2, 3, 4]
    assert len(gateway.requests) == 10


def test_a_scope_that_an_error_ends_is_over(model: ChatOpenRouter) -> None:
    with pytest.raises(RuntimeError), get_openrouter_costs() as costs:
        raise RuntimeError
    model.invoke("hi")
    assert costs.calls == 0


def test_depths_are_used_again(model: ChatOpenRouter) -> None:
    """Each would stay registered with LangChain for ever."""
    with get_openrouter_costs(), get_openrouter_costs():
        before = len(module._depths)
    for _ in range(10):
        with get_openrouter_costs(), get_openrouter_costs():
            model.invoke("hi")
    assert len(module._depths) == before


def test_a_stream_that_outlives_its_scope_counts(model: ChatOpenRouter, gateway: LocalGateway) -> None:
    with get_openrouter_costs() as costs:
        arriving = model.stream("hi")
        next(arriving)
    for _ in arriving:
        pass
    check(costs, gateway, 1)
