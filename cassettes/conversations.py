"""The conversations that are recorded, and replayed by the tests: the main paths of both adapters.

A conversation is given ``make`` (model options -> model) and ``ask`` (model, messages, tools -> answer), so that the
same one is held whole or streamed, sync or async.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import FunctionTool

from openrouter_adapters import OpenRouterError
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

Make = Callable[..., Any]
Ask = Callable[..., Any]

PLAIN = {"model": "openai/gpt-4o-mini", "max_tokens": 100}
REASONING = {"model": "anthropic/claude-sonnet-4.5", "reasoning": {"max_tokens": 1024}, "max_tokens": 2000}
# None of the first model's providers may answer, so the second model does.
FALLBACK = {
    "model": "openai/gpt-4o-mini",
    "models": ["anthropic/claude-haiku-4.5"],
    "provider": {"ignore": ["openai", "azure"]},
    "max_tokens": 100,
}
UNKNOWN = {"model": "nobody/no-such-model"}
STORY = {"model": "google/gemini-2.5-flash"}
HELLO, SUM, AGAIN = "Say hello in one word.", "What is 17 * 23?", "And twice that?"
CAT = "Write a story about a cat."  # the words of LangChain's own benchmark, which replays this one
WEATHER = "What is the weather in Paris? Use the tool."


def weather(city: str) -> str:
    """The weather in a city, now."""
    return f"sunny in {city}"


def failure(ask: Ask, *question: Any) -> OpenRouterError:
    try:
        ask(*question)
    except OpenRouterError as error:
        return error
    raise AssertionError("no error came")


# --------------------------------------------------------------------------------------------------------- LangChain


def langchain_one_turn(options: dict[str, Any], question: str = HELLO) -> Callable[[Make, Ask], Any]:
    return lambda make, ask: ask(make(**options), [HumanMessage(question)])


def langchain_tools(make: Make, ask: Ask) -> Any:
    tools, talk = [tool(weather)], [HumanMessage(WEATHER)]
    called = ask(make(**PLAIN), talk, tools)
    results = [tools[0].invoke(call) for call in called.tool_calls]
    return ask(make(**PLAIN), [*talk, called, *results], tools)


def langchain_reasoning(make: Make, ask: Ask) -> Any:
    first = ask(make(**REASONING), [HumanMessage(SUM)])
    return ask(make(**REASONING), [HumanMessage(SUM), first, HumanMessage(AGAIN)])


def langchain_error(make: Make, ask: Ask) -> Any:
    return failure(ask, make(**UNKNOWN), [HumanMessage(HELLO)])


def langchain_whole(model: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> Any:
    return (model.bind_tools(tools) if tools else model).invoke(talk)


def langchain_streamed(model: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> Any:
    return reduce(operator.add, (model.bind_tools(tools) if tools else model).stream(talk))


# -------------------------------------------------------------------------------------------------------- LlamaIndex


def llamaindex_one_turn(options: dict[str, Any]) -> Callable[[Make, Ask], Any]:
    return lambda make, ask: ask(make(**options), [ChatMessage(HELLO)])


def llamaindex_tools(make: Make, ask: Ask) -> Any:
    llm, tools, talk = make(**PLAIN), [FunctionTool.from_defaults(weather)], [ChatMessage(WEATHER)]
    called = ask(llm, talk, tools)
    calls = llm.get_tool_calls_from_response(called)
    results = [llamaindex_result(call, tools[0].call(**call.tool_kwargs).content) for call in calls]
    return ask(llm, [*talk, called.message, *results], tools)


def llamaindex_result(call: ToolSelection, text: str) -> ChatMessage:
    return ChatMessage(text, role="tool", additional_kwargs={"tool_call_id": call.tool_id})


def llamaindex_reasoning(make: Make, ask: Ask) -> Any:
    first = ask(make(**REASONING), [ChatMessage(SUM)])
    return ask(make(**REASONING), [ChatMessage(SUM), first.message, ChatMessage(AGAIN)])


def llamaindex_error(make: Make, ask: Ask) -> Any:
    return failure(ask, make(**UNKNOWN), [ChatMessage(HELLO)])


def llamaindex_whole(llm: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> ChatResponse:
    return llm.chat_with_tools(tools, chat_history=list(talk)) if tools else llm.chat(talk)


def llamaindex_streamed(llm: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> ChatResponse:
    items = llm.stream_chat_with_tools(tools, chat_history=list(talk)) if tools else llm.stream_chat(talk)
    return list(items)[-1]


MODELS: dict[str, Make] = {"langchain": ChatOpenRouter, "llamaindex": OpenRouter}
ASK: dict[tuple[str, str], Ask] = {
    ("langchain", "whole"): langchain_whole,
    ("langchain", "streamed"): langchain_streamed,
    ("llamaindex", "whole"): llamaindex_whole,
    ("llamaindex", "streamed"): llamaindex_streamed,
}
CONVERSATIONS: dict[tuple[str, str], Callable[[Make, Ask], Any]] = {
    ("langchain", "plain"): langchain_one_turn(PLAIN),
    ("langchain", "tools"): langchain_tools,
    ("langchain", "reasoning"): langchain_reasoning,
    ("langchain", "fallback"): langchain_one_turn(FALLBACK),
    ("langchain", "error"): langchain_error,
    ("langchain", "story"): langchain_one_turn(STORY, CAT),
    ("llamaindex", "plain"): llamaindex_one_turn(PLAIN),
    ("llamaindex", "tools"): llamaindex_tools,
    ("llamaindex", "reasoning"): llamaindex_reasoning,
    ("llamaindex", "fallback"): llamaindex_one_turn(FALLBACK),
    ("llamaindex", "error"): llamaindex_error,
}
RECORDINGS = [(*conversation, form) for conversation in CONVERSATIONS for form in ("whole", "streamed")]
"""Adapter, conversation, and whether the answers come whole or streamed: one cassette each."""
