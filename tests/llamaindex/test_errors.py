"""Trouble: typed errors from all eight methods, and no more requests than were allowed."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from llama_index.core.llms import ChatMessage

import openrouter_adapters
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from .test_callbacks import METHODS, used

HELLO = [ChatMessage("hello")]


FAULTS = {
    "unauthorized": "AuthenticationError",
    "insufficient_credits": "InsufficientCreditsError",
    "moderation": "ModerationError",
    "no_endpoints": "NoEndpointsError",
    "error_200": "OpenRouterError",
    "choice_error": "OpenRouterError",
    "finish_error": "OpenRouterError",
    "hang_up": "APIConnectionError",
    # a chunk of a stream may have no choices
    "null_choices": "MalformedResponseError",
    "empty_choices": "MalformedResponseError",
}


@pytest.mark.parametrize(
    ("fault", "method"),
    [(fault, method) for fault in FAULTS for method in METHODS if not ("_choices" in fault and "stream" in method)],
)
async def test_every_method_raises_the_typed_error(
    llm: OpenRouter, gateway: LocalGateway, method: str, fault: str
) -> None:
    gateway.fault(fault)
    with pytest.raises(getattr(openrouter_adapters, FAULTS[fault])) as caught:
        await used(llm, method)
    assert isinstance(caught.value, openai.OpenAIError)
    assert len(gateway.requests) == 1
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
async def test_retries_do_not_multiply(make: Callable[..., OpenRouter], gateway: LocalGateway, method: str) -> None:
    llm = make(max_retries=2)
    gateway.fault("rate_limit", times=None, retry_after=0)
    with pytest.raises(openrouter_adapters.RateLimitError):
        await used(llm, method)
    assert len(gateway.requests) == 3
    await llm.aclose()


@pytest.mark.parametrize("fault", ["error_chunk", "cut", "truncated", "malformed_chunk"])
@pytest.mark.parametrize("method", [method for method in METHODS if "stream" in method])
async def test_a_stream_that_breaks_keeps_what_came(
    llm: OpenRouter, gateway: LocalGateway, method: str, fault: str
) -> None:
    gateway.reply(chunks=["Hel", "lo", " you"])
    gateway.fault(fault, after=2)
    with pytest.raises(openrouter_adapters.OpenRouterError) as caught:
        await used(llm, method)
    partial: Any = caught.value.partial
    assert partial.text == "Hello"
    assert len(gateway.requests) == 1
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
async def test_bad_calls_send_nothing(llm: OpenRouter, gateway: LocalGateway, method: str) -> None:
    with pytest.raises(ValueError, match="temperature='hot'"):
        await used(llm, method, temperature="hot")
    assert gateway.requests == []


CHATS = [method for method in METHODS if method.endswith("chat")]
COMPLETIONS = [method for method in METHODS if method.endswith("complete")]


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        *[
            (method, wrong, f"messages must be a list of ChatMessage, not a {kind};")
            for method in CHATS
            for wrong, kind in (
                ("hi", "str"),
                (ChatMessage("hi"), "ChatMessage"),
                ([{"role": "user", "content": "hi"}], "list of dict"),
                (None, "NoneType"),
                (iter(HELLO), "list_iterator"),
            )
        ],
        *[
            (method, wrong, f"prompt must be text, not a {kind};")
            for method in COMPLETIONS
            for wrong, kind in (
                (None, "NoneType"),
                (HELLO, "list"),
                (ChatMessage("hi"), "ChatMessage"),
            )
        ],
    ],
)
async def test_what_is_no_conversation_and_no_prompt(
    llm: OpenRouter, gateway: LocalGateway, events: list[Any], method: str, given: Any, said: str
) -> None:
    for arguments in ({}, {"messages" if method.endswith("chat") else "prompt": given}):
        with pytest.raises(TypeError, match=said):
            result = getattr(llm, method)(*([] if arguments else [given]), **arguments)
            if method.startswith("a"):
                await result
    assert gateway.requests == events == []


def test_keywords_do(llm: OpenRouter) -> None:
    assert llm.chat(messages=tuple(HELLO)).message.content
    assert llm.complete(prompt="hello", formatted=True).text
