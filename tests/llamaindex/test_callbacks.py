"""What LlamaIndex is told of a call: events, spans, legacy callbacks."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import PromptTemplate, Settings
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, TokenCountingHandler
from llama_index.core.callbacks.pythonically_printing_base_handler import PythonicallyPrintingBaseHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.dispatcher import instrument_tags
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.rate_limiter import BaseRateLimiter, TokenBucketRateLimiter

from openrouter_adapters import InvalidRequestError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from .conftest import KEY

HELLO = [ChatMessage("hello")]
METHODS = [
    f"{colour}{kind}{method}" for method in ("chat", "complete") for colour in ("", "a") for kind in ("", "stream_")
]


async def used(llm: OpenRouter, method: str, **options: Any) -> None:
    result = getattr(llm, method)(HELLO if method.endswith("chat") else "hello", **options)
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


# ---------------------------------------------------------------------------------------------- calls that go wrong


class Heard(PythonicallyPrintingBaseHandler):
    """A legacy handler that keeps what it is told of LLM calls, and may refuse."""

    def __init__(self, refuse: str = "") -> None:
        super().__init__(event_starts_to_ignore=[], event_ends_to_ignore=[])
        self.refuse = refuse
        self.told: list[tuple[str, dict[Any, Any]]] = []

    def _hear(self, what: str, event_type: Any, payload: dict[Any, Any] | None) -> None:
        if event_type == CBEventType.LLM:
            self.told.append((what, payload or {}))
        if what == self.refuse:
            raise RuntimeError(f"refused at the {what}")

    def on_event_start(self, event_type: Any, payload: Any = None, event_id: str = "", *_: Any, **__: Any) -> str:
        self._hear("start", event_type, payload)
        return event_id

    def on_event_end(self, event_type: Any, payload: Any = None, *_: Any, **__: Any) -> None:
        self._hear("end", event_type, payload)

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_that_fails_is_told_once(
    make: Callable[..., OpenRouter],
    gateway: LocalGateway,
    events: list[Any],
    spans: SimpleSpanHandler,
    method: str,
) -> None:
    heard = Heard()
    llm = make(callback_manager=CallbackManager([heard]))
    gateway.fault("invalid_request")
    with pytest.raises(InvalidRequestError) as caught:
        await used(llm, method)
    assert [what for what, _ in heard.told] == ["start", "end"]
    assert heard.told[1][1] == {EventPayload.EXCEPTION: caught.value}
    kind = "Chat" if method.endswith("chat") else "Completion"
    # A stream is a result at first: it fails when it is read.
    streams = "stream" in method
    assert [type(event).__name__ for event in events] == [
        f"LLM{kind}StartEvent",
        "ExceptionEvent" if streams else "SpanDropEvent",
    ]
    assert [len(spans.completed_spans), len(spans.dropped_spans)] == [int(streams), int(not streams)]
    await llm.aclose()


@pytest.mark.parametrize("method", [method for method in METHODS if "stream" in method])
async def test_a_stream_that_is_left_is_told_once(
    make: Callable[..., OpenRouter], gateway: LocalGateway, events: list[Any], method: str
) -> None:
    heard = Heard()
    llm = make(callback_manager=CallbackManager([heard]))
    gateway.reply(chunks=["a", "b", "c"])
    stream = getattr(llm, method)(HELLO if method.endswith("chat") else "hello")
    if method.startswith("a"):
        stream = await stream
        await anext(stream)
        await stream.aclose()
    else:
        next(stream)
        stream.close()
    assert [what for what, _ in heard.told] == ["start", "end"]
    assert isinstance(heard.told[1][1][EventPayload.EXCEPTION], GeneratorExit)
    assert [type(event).__name__.replace("Completion", "Chat") for event in events] == [
        "LLMChatStartEvent",
        "LLMChatInProgressEvent",
        "ExceptionEvent",
    ]
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("refuse", ["start", "end"])
async def test_a_legacy_handler_may_refuse(
    make: Callable[..., OpenRouter], gateway: LocalGateway, method: str, refuse: str
) -> None:
    llm = make(callback_manager=CallbackManager([Heard(refuse)]))
    with pytest.raises(RuntimeError, match=f"refused at the {refuse}"):
        await used(llm, method)
    assert len(gateway.requests) == (refuse == "end")  # before anything is sent
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
async def test_an_event_handler_that_fails_disturbs_nobody(llm: OpenRouter, method: str) -> None:
    class Failing(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            raise RuntimeError("broken handler")

    dispatcher, handler = get_dispatcher(), Failing()
    dispatcher.add_event_handler(handler)
    try:
        await used(llm, method)
    finally:
        dispatcher.event_handlers.remove(handler)
    await llm.aclose()


# ------------------------------------------------------------------------------------------------- around the call


def test_a_token_budget_stops_the_next_call(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    counter = TokenCountingHandler(tokenizer=str.split, token_budget=10)
    llm = make(callback_manager=CallbackManager([counter]))
    gateway.reply("a", usage={"prompt_tokens": 5, "completion_tokens": 5})
    gateway.reply("a", usage={"prompt_tokens": 1, "completion_tokens": 0})
    llm.chat(HELLO)
    for _ in range(2):
        with pytest.raises(ValueError, match="Token budget exceeded"):
            llm.chat(HELLO)
    assert len(gateway.requests) == 2


def test_the_manager_of_the_settings_hears_every_call(
    llm: OpenRouter, gateway: LocalGateway, global_settings: None
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    Settings.callback_manager = CallbackManager([counter])
    Settings.llm = llm
    gateway.reply("a", usage={"prompt_tokens": 111, "completion_tokens": 222})
    assert Settings.llm is llm
    assert Settings.llm.predict(PromptTemplate("hello")) == "a"
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (111, 222)


def test_tags_are_on_every_event(llm: OpenRouter, gateway: LocalGateway, events: list[Any]) -> None:
    gateway.reply(chunks=["a", "b"])
    with instrument_tags({"tenant": "a"}):
        list(llm.stream_chat(HELLO))
    llm.complete("hello")
    assert [event.tags for event in events] == [{"tenant": "a"}] * 5 + [{}] * 2


@pytest.mark.parametrize("method", METHODS)
async def test_a_rate_limiter_is_asked_once_per_call(make: Callable[..., OpenRouter], method: str) -> None:
    asked: list[str] = []

    class Limiter(BaseRateLimiter):
        def acquire(self, num_tokens: int = 0) -> None:
            asked.append("sync")

        async def async_acquire(self, num_tokens: int = 0) -> None:
            asked.append("async")

    llm = make(rate_limiter=Limiter())
    await used(llm, method)
    assert asked == ["async" if method.startswith("a") else "sync"]
    await llm.aclose()


def test_core_has_a_rate_limiter_that_fits(make: Callable[..., OpenRouter]) -> None:
    llm = make(rate_limiter=TokenBucketRateLimiter(requests_per_minute=60_000))
    assert llm.chat(HELLO).message.content


# -------------------------------------------------------------------------------------------------------- secrets

PER_CALL = [
    {"api_key": "sk-of-this-call", "default_headers": {"X-Own": "header-secret"}},
    {"api_key": "sk-of-this-call", "extra_headers": {"X-Own": "header-secret"}},
    {"additional_kwargs": {"api_key": "sk-of-this-call", "extra_headers": {"X-Own": "header-secret"}, "top_p": 0.5}},
]


@pytest.mark.parametrize("given", PER_CALL)
@pytest.mark.parametrize("method", METHODS)
async def test_secrets_given_per_call_are_told_to_nobody(
    make: Callable[..., OpenRouter], gateway: LocalGateway, events: list[Any], method: str, given: dict[str, Any]
) -> None:
    heard = Heard()
    llm = make(callback_manager=CallbackManager([heard]))
    arguments: list[str] = []

    class Spans(SimpleSpanHandler):
        def new_span(self, id_: str, bound_args: Any, *args: Any, **kwargs: Any) -> Any:
            arguments.append(repr(bound_args.arguments))
            return super().new_span(id_, bound_args, *args, **kwargs)

    dispatcher, spans, before = get_dispatcher(), Spans(), copy.deepcopy(given)
    dispatcher.add_span_handler(spans)
    try:
        await used(llm, method, **given)
    finally:
        dispatcher.span_handlers.remove(spans)
    told = f"{events!r} {heard.told!r} {arguments!r}"
    assert arguments and "secret" not in told and "sk-of-this-call" not in told
    request = gateway.requests[-1]
    assert (request.key, request.headers["x-own"]) == ("sk-of-this-call", "header-secret")
    assert request.body.keys() <= {"model", "messages", "stream", "top_p"}
    assert given == before
    await llm.aclose()
