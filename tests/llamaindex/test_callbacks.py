"""What LlamaIndex is told of a call: events, spans, legacy callbacks."""

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import ChatMessage

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from .conftest import KEY

HELLO = [ChatMessage("hello")]
METHODS = [
    f"{colour}{kind}{method}" for method in ("chat", "complete") for colour in ("", "a") for kind in ("", "stream_")
]


async def used(llm: OpenRouter, method: str) -> None:
    result = getattr(llm, method)(HELLO if method.endswith("chat") else "hello")
    if method.startswith("a"):
        result = await result
        if "stream" in method:
            async for _ in result:
                pass
    elif "stream" in method:
        list(result)


@pytest.mark.parametrize("method", METHODS)
async def test_one_pair_of_events_and_one_span(
    llm: OpenRouter, gateway: LocalGateway, events: list[Any], spans: SimpleSpanHandler, method: str
) -> None:
    gateway.reply(chunks=["a", "b"], cost=0.5)
    await used(llm, method)
    kind = "Chat" if method.endswith("chat") else "Completion"
    names = [type(event).__name__ for event in events]
    between = [f"LLM{kind}InProgressEvent"] * (3 if "stream" in method else 0)
    assert names == [f"LLM{kind}StartEvent", *between, f"LLM{kind}EndEvent"]
    assert [span.id_.split("-")[0] for span in spans.completed_spans] == [f"OpenRouter.{method}"]
    assert len({event.span_id for event in events}) == 1
    end = events[-1].response
    assert end.additional_kwargs["cost"] == end.raw.usage.cost == 0.5
    assert events[-1].model_dump()["response"]["raw"]["usage"]["cost"] == 0.5
    assert KEY not in str([event.model_dump() for event in events])
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
async def test_tokens_are_counted_as_reported(
    make: Callable[..., OpenRouter], gateway: LocalGateway, method: str
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    gateway.reply("a b", usage={"prompt_tokens": 111, "completion_tokens": 222, "total_tokens": 333})
    llm = make(callback_manager=CallbackManager([counter]))
    await used(llm, method)
    [event] = counter.llm_token_counts
    assert (event.prompt_token_count, event.completion_token_count) == (111, 222)
    await llm.aclose()


def test_thinking_shows_in_progress_events(llm: OpenRouter, gateway: LocalGateway, events: list[Any]) -> None:
    gateway.reply(chunks=[{"reasoning": "hm"}, "so"])
    list(llm.stream_chat(HELLO))
    assert events[1].response.additional_kwargs == {"thinking_delta": "hm"}


def test_a_rate_limiter_is_asked(make: Callable[..., OpenRouter]) -> None:
    class Limiter:
        asked = 0

        def acquire(self) -> None:
            self.asked += 1

    limiter = Limiter()
    llm = make(rate_limiter=limiter)
    llm.chat(HELLO)
    list(llm.stream_complete("hi"))
    assert limiter.asked == 2


@pytest.mark.parametrize("way", ["chat", "stream_chat", "complete", "stream_complete"])
def test_secrets_given_per_call_are_told_to_nobody(llm: OpenRouter, gateway: LocalGateway, way: str) -> None:
    heard: list[str] = []

    class Listener(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            heard.append(repr(event))

    class Spans(SimpleSpanHandler):
        def new_span(self, id_: str, bound_args: Any, *args: Any, **kwargs: Any) -> Any:
            heard.append(repr(bound_args.arguments))
            return super().new_span(id_, bound_args, *args, **kwargs)

    dispatcher, listener, spans = get_dispatcher(), Listener(), Spans()
    dispatcher.add_event_handler(listener)
    dispatcher.add_span_handler(spans)
    try:
        given: Any = [ChatMessage(role="user", content="hi")] if way.endswith("chat") else "hi"
        made = getattr(llm, way)(given, api_key="sk-of-this-call", default_headers={"X-Own": "header-secret"})
        list(made) if way.startswith("stream") else made
    finally:
        dispatcher.event_handlers.remove(listener)
        dispatcher.span_handlers.remove(spans)
    assert heard and not [said for said in heard if "sk-of-this-call" in said or "header-secret" in said]
    assert gateway.requests[-1].key == "sk-of-this-call"
    assert gateway.requests[-1].headers["x-own"] == "header-secret"
