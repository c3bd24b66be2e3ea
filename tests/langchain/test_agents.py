"""LangChain's agents and their middleware over the adapter: loops, streams, limits, and what happens in trouble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    ToolCallLimitMiddleware,
    wrap_model_call,
)
from langchain.agents.structured_output import ToolStrategy
from langchain_core import exceptions as langchain
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel, Field

import openrouter_adapters as ours
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter

Make = Callable[..., ChatOpenRouter]
THREAD: Any = {"configurable": {"thread_id": "1"}}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def asking(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def bodies(gateway: LocalGateway) -> list[dict[str, Any]]:
    return [request.body for request in gateway.requests]


def roles(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


@pytest.fixture
def gateway(openrouter_gateway: LocalGateway) -> LocalGateway:
    return openrouter_gateway


# -------------------------------------------------------------------------------------------------------------- loops


def check_the_loop(gateway: LocalGateway, messages: list[Any]) -> None:
    """Two calls at once, their results, and an answer."""
    assert [type(message) for message in messages[1:]] == [AIMessage, ToolMessage, ToolMessage, AIMessage]
    assert [call["args"] for call in messages[1].tool_calls] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert (messages[-1].text, messages[-1].response_metadata["cost"]) == ("3 and 7.", 0.5)
    first, second = bodies(gateway)
    assert [item["function"]["name"] for item in first["tools"]] == ["add"] and "tool_choice" not in first
    assert roles(second) == ["system", "user", "assistant", "tool", "tool"]
    sent = second["messages"]
    assert [call["id"] for call in sent[2]["tool_calls"]] == [result["tool_call_id"] for result in sent[3:]]
    assert [result["content"] for result in sent[3:]] == ["3", "7"]


@pytest.fixture
def adding(gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})])
    gateway.reply("3 and 7.", cost=0.5)


@pytest.fixture
def agent(model: ChatOpenRouter, adding: None) -> Any:
    return create_agent(model, [add], system_prompt="Be brief.")


def test_invoke(agent: Any, gateway: LocalGateway) -> None:
    check_the_loop(gateway, agent.invoke(asking("1 + 2 and 3 + 4?"))["messages"])


async def test_ainvoke(agent: Any, gateway: LocalGateway) -> None:
    check_the_loop(gateway, (await agent.ainvoke(asking("1 + 2 and 3 + 4?")))["messages"])


def test_values(agent: Any, gateway: LocalGateway) -> None:
    check_the_loop(gateway, list(agent.stream(asking("1 + 2 and 3 + 4?"), stream_mode="values"))[-1]["messages"])


async def test_avalues(agent: Any, gateway: LocalGateway) -> None:
    values = [value async for value in agent.astream(asking("1 + 2 and 3 + 4?"), stream_mode="values")]
    check_the_loop(gateway, values[-1]["messages"])


def check_updates(gateway: LocalGateway, updates: list[dict[str, Any]]) -> None:
    assert [next(iter(update)) for update in updates] == ["model", "tools", "tools", "model"]
    said = [message for update in updates for part in update.values() for message in part["messages"]]
    check_the_loop(gateway, [HumanMessage(""), *said])


def test_updates(agent: Any, gateway: LocalGateway) -> None:
    check_updates(gateway, list(agent.stream(asking("1 + 2 and 3 + 4?"), stream_mode="updates")))


async def test_aupdates(agent: Any, gateway: LocalGateway) -> None:
    updates = [update async for update in agent.astream(asking("1 + 2 and 3 + 4?"), stream_mode="updates")]
    check_updates(gateway, updates)


def check_tokens(gateway: LocalGateway, pairs: list[Any]) -> None:
    """Every piece comes once, and the pieces add up to the messages."""
    assert all(body["stream"] for body in bodies(gateway))
    said: dict[str, Any] = {}
    results = [message for message, _ in pairs if isinstance(message, ToolMessage)]
    for message, where in pairs:
        if isinstance(message, AIMessageChunk):
            assert where["langgraph_node"] == "model" and where["ls_provider"] == "openrouter"
            said[message.id or ""] = said[message.id or ""] + message if message.id in said else message
    calling, answering = said.values()
    assert [call["args"] for call in calling.tool_calls] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert sorted(result.content for result in results) == ["3", "7"]
    assert answering.text == "3 and 7." and answering.response_metadata["cost"] == 0.5
    assert len([message for message, _ in pairs if message.text and isinstance(message, AIMessageChunk)]) > 1
    assert [len(roles(body)) for body in bodies(gateway)] == [2, 5]


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_messages(make: Make, adding: None, gateway: LocalGateway, version: str) -> None:
    agent = create_agent(make(output_version=version), [add], system_prompt="Be brief.")
    check_tokens(gateway, list(agent.stream(asking("1 + 2 and 3 + 4?"), stream_mode="messages")))


@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_amessages(make: Make, adding: None, gateway: LocalGateway, version: str) -> None:
    agent = create_agent(make(output_version=version), [add], system_prompt="Be brief.")
    pairs = [pair async for pair in agent.astream(asking("1 + 2 and 3 + 4?"), stream_mode="messages")]
    check_tokens(gateway, pairs)


def test_a_call_that_was_cut_off_runs_no_tool(make: Make, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", '{"a": 1, "b": 2')], finish_reason="length")
    said = create_agent(make(), [add]).invoke(asking("1 + 2?"))["messages"]
    assert len(gateway.requests) == 1 and not said[-1].tool_calls
    assert said[-1].invalid_tool_calls[0]["args"] == '{"a": 1, "b": 2'


@pytest.mark.parametrize("given", [{"tools": []}, {"tools": None}, {}])
def test_no_tools_are_not_sent_as_an_empty_list(given: dict[str, Any], make: Make, gateway: LocalGateway) -> None:
    model = make()
    assert create_agent(model, **given).invoke(asking("Hello"))["messages"][-1].text == "You said: Hello"
    list(create_agent(model, **given).stream(asking("Hello"), stream_mode="messages"))
    assert all(body.keys().isdisjoint({"tools", "tool_choice"}) for body in bodies(gateway))


def test_options_of_one_model_call(make: Make, gateway: LocalGateway) -> None:
    """Middleware may change the options of a call, and the model."""

    @wrap_model_call
    def cheaper(request: Any, handler: Any) -> Any:
        return handler(request.override(model_settings={"provider": {"sort": "price"}, "seed": 1}))

    @wrap_model_call
    def other(request: Any, handler: Any) -> Any:
        return handler(request.override(model=make(model="openai/gpt-4.1", provider={"zdr": True})))

    create_agent(make(provider={"zdr": True}), [add], middleware=[cheaper, other]).invoke(asking("Hello"))
    (body,) = bodies(gateway)
    assert (body["model"], body["provider"], body["seed"]) == ("openai/gpt-4.1", {"zdr": True, "sort": "price"}, 1)


# -------------------------------------------------------------------------------------------------- structured answers


class Weather(BaseModel):
    """The weather somewhere."""

    city: str
    degrees: int = Field(ge=-90, le=60)


@pytest.mark.parametrize("tools", [[], [add]], ids=["no tools", "one tool"])
@pytest.mark.parametrize("mode", ["values", "messages"])
def test_a_structured_answer(tools: list[Any], mode: Any, make: Make, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("Weather", {"city": "Oslo", "degrees": -3})])
    agent = create_agent(make(), tools, response_format=ToolStrategy(Weather), checkpointer=InMemorySaver())
    list(agent.stream(asking("The weather in Oslo?"), THREAD, stream_mode=mode))
    assert agent.get_state(THREAD).values["structured_response"] == Weather(city="Oslo", degrees=-3)
    (body,) = bodies(gateway)
    assert {item["function"]["name"] for item in body["tools"]} == {"Weather", *(item.name for item in tools)}
    assert body["tool_choice"] == "required"


async def test_a_structured_answer_that_did_not_fit_is_asked_for_again(make: Make, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("Weather", {"city": "Oslo", "degrees": 200})])
    gateway.reply(tool_calls=[("Weather", {"city": "Oslo", "degrees": 20})])
    agent = create_agent(make(), [], response_format=ToolStrategy(Weather))
    result = await agent.ainvoke(asking("The weather in Oslo?"))
    assert result["structured_response"] == Weather(city="Oslo", degrees=20)
    assert "less than or equal to 60" in bodies(gateway)[1]["messages"][-1]["content"]


# ------------------------------------------------------------------------------------------------------------- trouble

RETRIED: dict[str, type[Exception]] = {
    "in_flight_budget": ours.InsufficientCreditsError,
    "request_timeout": ours.APITimeoutError,
    "rate_limit": ours.RateLimitError,
    "upstream_rate_limit": ours.RateLimitError,
    "server_error": ours.ProviderError,
    "upstream_502": ours.ProviderError,
    "unavailable": ours.NoEndpointsError,
    "overloaded": ours.ProviderError,
    "error_200": ours.ProviderError,
    "hang_up": ours.APIConnectionError,
}
FINAL: dict[str, type[Exception]] = {
    "unauthorized": ours.AuthenticationError,
    "insufficient_credits": ours.InsufficientCreditsError,
    "cannot_afford": ours.InsufficientCreditsError,
    "key_limit": ours.InsufficientCreditsError,
    "invalid_request": ours.InvalidRequestError,
    "upstream_400": ours.InvalidRequestError,
    "unknown_model": ours.InvalidRequestError,
    "context_length": ours.ContextOverflowError,
    "moderation": ours.ModerationError,
    "guardrail": ours.PermissionDeniedError,
    "no_endpoints": ours.NoEndpointsError,
    "payload_too_large": ours.InvalidRequestError,
    "unprocessable": ours.InvalidRequestError,
}


@pytest.mark.parametrize("mode", ["values", "messages"])
@pytest.mark.parametrize("fault", [*RETRIED, *FINAL])
def test_what_is_retryable_is_retried_and_nothing_else(
    fault: str, mode: Any, make: Make, gateway: LocalGateway
) -> None:
    gateway.fault(fault, times=None)
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
    agent = create_agent(make(), [add], middleware=[retry])
    with pytest.raises(langchain.ModelError) as caught:
        list(agent.stream(asking("Hello"), stream_mode=mode))
    assert isinstance(caught.value, {**RETRIED, **FINAL}[fault]), repr(caught.value)
    assert len(gateway.requests) == (3 if fault in RETRIED else 1)
    assert caught.value.is_retryable is (fault in RETRIED)


async def test_a_retry_helps(make: Make, gateway: LocalGateway) -> None:
    gateway.fault("upstream_502", times=2)
    agent = create_agent(make(), [add], middleware=[ModelRetryMiddleware(max_retries=2, initial_delay=0)])
    assert (await agent.ainvoke(asking("Hello")))["messages"][-1].text == "You said: Hello"
    assert len(gateway.requests) == 3


INTERRUPTED = [("error_chunk", ours.StreamInterruptedError), ("truncated", ours.IncompleteStreamError)]


@pytest.mark.parametrize(("fault", "kind"), INTERRUPTED)
def test_an_error_in_the_stream(fault: str, kind: Any, make: Make, gateway: LocalGateway) -> None:
    gateway.reply("One two three four", times=None)
    gateway.fault(fault, after=2)
    pairs: list[Any] = []
    with pytest.raises(kind) as caught:
        pairs.extend(create_agent(make(), [add]).stream(asking("Count"), stream_mode="messages"))
    assert isinstance(caught.value, langchain.ModelAPIError) and caught.value.partial.text == "One two"


@pytest.mark.parametrize(("fault", "kind"), INTERRUPTED)
async def test_an_error_in_the_stream_async(fault: str, kind: Any, make: Make, gateway: LocalGateway) -> None:
    gateway.reply("One two three four", times=None)
    gateway.fault(fault, after=2)
    said = ""
    with pytest.raises(kind) as caught:
        async for message, _ in create_agent(make(), [add]).astream(asking("Count"), stream_mode="messages"):
            said += message.text
    assert said == "One two" == caught.value.partial.text


# ----------------------------------------------------------------------------------------------------------- fallbacks


@pytest.mark.parametrize("mode", ["values", "messages"])
def test_another_model_in_an_agent(mode: Any, make: Make, gateway: LocalGateway) -> None:
    gateway.fault("upstream_502", match=lambda body: body["model"] == "openai/gpt-4o-mini", times=None)
    fallback = ModelFallbackMiddleware(make(model="anthropic/claude-haiku-4.5"))
    agent = create_agent(make(), [add], middleware=[fallback], checkpointer=InMemorySaver())
    list(agent.stream(asking("Hello"), THREAD, stream_mode=mode))
    said = agent.get_state(THREAD).values["messages"][-1]
    assert said.text == "You said: Hello" and said.response_metadata["requested_model"] == "anthropic/claude-haiku-4.5"
    assert [body["model"] for body in bodies(gateway)] == ["openai/gpt-4o-mini", "anthropic/claude-haiku-4.5"]
    assert bodies(gateway)[0]["tools"] == bodies(gateway)[1]["tools"]


@pytest.mark.parametrize("handled", [ours.RateLimitError, langchain.ModelRateLimitError])
async def test_with_fallbacks(handled: type[Exception], make: Make, gateway: LocalGateway) -> None:
    model = make().with_fallbacks([make(model="openai/gpt-4.1")], exceptions_to_handle=(handled,))
    for ask in (
        lambda: model.invoke("Hello").text,
        lambda: "".join(chunk.text for chunk in model.stream("Hello")),
    ):
        gateway.fault("rate_limit")
        assert ask() == "You said: Hello"
    gateway.fault("rate_limit")
    assert (await model.ainvoke("Hello")).text == "You said: Hello"
    gateway.fault("rate_limit")
    assert "".join([chunk.text async for chunk in model.astream("Hello")]) == "You said: Hello"
    assert [body["model"] for body in bodies(gateway)] == ["openai/gpt-4o-mini", "openai/gpt-4.1"] * 4
    gateway.fault("unauthorized")
    with pytest.raises(ours.AuthenticationError):
        model.invoke("Hello")
    assert len(gateway.requests) == 9


@pytest.mark.parametrize("handled", [ours.ProviderError, langchain.ModelAPIError])
async def test_with_retry(handled: type[Exception], make: Make, gateway: LocalGateway) -> None:
    model = make().with_retry(retry_if_exception_type=(handled,), wait_exponential_jitter=False, stop_after_attempt=3)
    gateway.fault("upstream_502", times=2)
    assert model.invoke("Hello").text == "You said: Hello"
    gateway.fault("upstream_502", times=2)
    assert (await model.ainvoke("Hello")).text == "You said: Hello"
    assert len(gateway.requests) == 6
    gateway.fault("rate_limit")
    with pytest.raises(ours.RateLimitError):
        model.invoke("Hello")
    assert len(gateway.requests) == 7


# -------------------------------------------------------------------------------------------------------------- limits


def test_limits_on_calls(make: Make, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2})], times=None)
    agent = create_agent(make(), [add], middleware=[ModelCallLimitMiddleware(run_limit=2)])
    assert "limit" in agent.invoke(asking("1 + 2?"))["messages"][-1].text
    assert len(gateway.requests) == 2
    gateway.reset()
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})])
    agent = create_agent(make(), [add], middleware=[ToolCallLimitMiddleware(run_limit=1)])
    said = agent.invoke(asking("1 + 2?"))["messages"]
    assert sorted(message.status for message in said if isinstance(message, ToolMessage)) == ["error", "success"]
    assert roles(bodies(gateway)[1]) == ["user", "assistant", "tool", "tool"]


def summarizing(make: Make, trigger: Any, **options: Any) -> Any:
    summary = SummarizationMiddleware(make(**options), trigger=trigger, keep=("messages", 1))
    return create_agent(make(), [add], middleware=[summary], checkpointer=InMemorySaver())


@pytest.mark.parametrize(
    ("trigger", "options"),
    [(("tokens", 4000), {}), (("fraction", 0.4), {"profile": {"max_input_tokens": 10_000}})],
    ids=["tokens", "fraction"],
)
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("mode", ["values", "messages"])
def test_the_reported_tokens_bring_on_a_summary(
    trigger: Any, options: dict[str, Any], version: str, mode: Any, make: Make, gateway: LocalGateway
) -> None:
    """The messages are short: it is the usage of the last answer that counts."""
    gateway.reply("Fine.", usage={"prompt_tokens": 4990, "completion_tokens": 10})
    gateway.reply("They said hello.")
    agent = summarizing(make, trigger, output_version=version, **options)
    for text in ("Hello", "And now?"):
        list(agent.stream(asking(text), THREAD, stream_mode=mode))
    assert len(gateway.requests) == 3
    summary, last = bodies(gateway)[1:]
    assert len(summary["messages"]) == 1 and "tools" not in summary
    assert "They said hello." in last["messages"][0]["content"] and last["messages"][-1]["content"] == "And now?"
    assert "Fine." not in str(last)


async def test_a_summary_that_overflows_is_asked_for_again_in_short(make: Make, gateway: LocalGateway) -> None:
    agent = summarizing(make, ("messages", 3))
    await agent.ainvoke(asking("Tell me more. " * 200), THREAD)
    gateway.fault("context_length")
    result = await agent.ainvoke(asking("And now?"), THREAD)
    assert [request.status for request in gateway.requests] == [200, 400, 200, 200]
    tried, shortened = (str(body["messages"][0]["content"]) for body in bodies(gateway)[1:3])
    assert len(shortened) < len(tried) and "middle of conversation omitted" in shortened
    assert result["messages"][-1].text == "You said: And now?"


def test_an_overflow_of_the_agent_itself_is_langchains_error(make: Make, gateway: LocalGateway) -> None:
    gateway.fault("context_length")
    with pytest.raises(langchain.ContextOverflowError) as caught:
        create_agent(make(), [add]).invoke(asking("Hello"))
    assert isinstance(caught.value, ours.ContextOverflowError)
